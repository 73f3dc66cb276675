// What every page has: keys, help, commands, dialogs, and messages from the server.

const typing = (element) => element.matches("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");
export const dialogOpen = () => document.querySelector("dialog[open]");

/** Show a line at the bottom right; `action` is {label, run}. Errors stay until dismissed. */
export function toast(text, { level = "info", action = null } = {}) {
  const box = document.createElement("p");
  box.className = "toast";
  box.dataset.level = level;
  box.append(text);
  const button = (label, run) => {
    const b = Object.assign(document.createElement("button"), { type: "button", textContent: label });
    b.addEventListener("click", () => { box.remove(); run?.(); });
    box.append(b);
  };
  if (action) button(action.label, action.run);
  if (level === "error") button("Dismiss");
  document.getElementById("toasts").append(box);
  if (level !== "error") setTimeout(() => box.remove(), 6000);
  return box;
}

export const csrf = () => document.querySelector("meta[name=csrf-token]").content;

/** POST a form's worth of fields; resolves to {ok, status, data}, status 0 when the server is out of reach. */
export async function post(url, fields = {}) {
  try {
    const response = await fetch(url, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { "X-CSRFToken": csrf(), Accept: "application/json" },
    });
    const data = await response.json().catch(() => ({ message: `The server answered ${response.status}.` }));
    return { ok: response.ok && !response.redirected, status: response.status, data };
  } catch {
    return { ok: false, status: 0, data: { message: "The desk is out of reach." } };
  }
}

// --- dialogs -------------------------------------------------------------------------------
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open)?.showModal();
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  if (event.target.matches("dialog")) event.target.close();
});

// --- commands ------------------------------------------------------------------------------
const commands = document.getElementById("commands");
const filter = document.getElementById("commands-filter");
const options = () => [...commands.querySelectorAll("li:not([hidden])")];

function openCommands() {
  commands.querySelectorAll("[data-page-command]").forEach((li) => li.remove());
  for (const source of document.querySelectorAll("[data-key]:not([disabled])")) {
    const li = document.createElement("li");
    li.dataset.pageCommand = "";
    const b = Object.assign(document.createElement("button"), { type: "button", textContent: source.innerText.trim() });
    b.addEventListener("click", () => { commands.close(); source.click(); });
    li.append(b);
    commands.querySelector("ul").prepend(li);
  }
  filter.value = "";
  filterCommands();
  commands.showModal();
  filter.focus();
}

function filterCommands() {
  const wanted = filter.value.toLowerCase();
  for (const li of commands.querySelectorAll("li")) li.hidden = !li.textContent.toLowerCase().includes(wanted);
  select(options()[0]);
}

function select(option) {
  commands.querySelectorAll(".chosen").forEach((li) => li.classList.remove("chosen"));
  option?.classList.add("chosen");
  option?.scrollIntoView({ block: "nearest" });
}

filter.addEventListener("input", filterCommands);
commands.addEventListener("keydown", (event) => {
  const all = options();
  const at = all.findIndex((li) => li.classList.contains("chosen"));
  if (event.key === "ArrowDown") select(all[Math.min(at + 1, all.length - 1)]);
  else if (event.key === "ArrowUp") select(all[Math.max(at - 1, 0)]);
  else if (event.key === "Enter") all[at]?.firstElementChild.click();
  else return;
  event.preventDefault();
});

// --- keys ----------------------------------------------------------------------------------
let going = false;

/** A page's own keys: {key: run}. They rest while a field has focus or a dialog is open. */
const pageKeys = new Map();
export const onKey = (key, run) => pageKeys.set(key, run);

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  if (event.ctrlKey && !event.altKey && event.key.toLowerCase() === "k") { event.preventDefault(); openCommands(); return; }
  const named = (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + event.key;
  if (named.startsWith("Ctrl+")) { if (!dialogOpen()) run(named, event); return; }
  if (event.key === "Escape" && typing(document.activeElement)) { document.activeElement.blur(); return; }
  if (event.altKey || typing(event.target) || dialogOpen()) return;
  if (going) { going = false; return go(event); }
  if (event.key === "g") { going = true; setTimeout(() => { going = false; }, 1500); return; }
  if (event.key === "?") return document.getElementById("help").showModal();
  if (event.key === "/") { const field = document.querySelector("[data-page-filter]"); if (field) { event.preventDefault(); field.focus(); } return; }
  run(named, event);
});

function go(event) {
  const place = document.querySelector(`.rail [data-go="${CSS.escape(event.key)}"]`);
  if (place) { event.preventDefault(); place.click(); }
}

function run(name, event) {
  const own = pageKeys.get(name);
  if (own) { if (own(event) !== false) event.preventDefault(); return; }
  if (name.length !== 1) return;
  const button = document.querySelector(`main [data-key="${CSS.escape(name)}"]:not([disabled])`);
  if (button) { event.preventDefault(); button.click(); }
}

// --- what the server says ------------------------------------------------------------------
document.body.addEventListener("htmx:responseError", (event) => {
  if (event.detail.handled) return;
  let message = `The server answered ${event.detail.xhr.status}.`;
  try { message = JSON.parse(event.detail.xhr.responseText).message || message; } catch { /* not JSON */ }
  toast(message, { level: "error" });
});
document.body.addEventListener("htmx:sendError", () => {
  toast("The desk is out of reach; what you wrote is kept here. Try again in a moment.", { level: "error" });
});
// What a person has opened stays open when the server sends the fragment again.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const open = [...event.detail.target.querySelectorAll("details[open][id]")].map((details) => details.id);
  if (!open.length) return;
  document.body.addEventListener("htmx:afterSwap", () => { for (const id of open) document.getElementById(id)?.setAttribute("open", ""); }, { once: true });
});
const expire = () => { for (const shown of document.querySelectorAll("#toasts .toast:not([data-level=error])")) setTimeout(() => shown.remove(), 6000); };
document.body.addEventListener("htmx:oobAfterSwap", expire);
expire();
