// What every page has: keys, help, commands, dialogs, and messages from the server.

const typing = (element) => element.matches("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");
export const dialogOpen = () => document.querySelector("dialog[open]");

const TOAST_MS = 6_000;
const ERROR_MS = 20_000; // long enough to read; an error never covers the page for good

/** Show a line at the top; `action` is {label, run}. The same text is shown once. */
export function toast(text, { level = "info", action = null } = {}) {
  const stack = document.getElementById("toasts");
  for (const shown of stack.querySelectorAll(".toast")) if (shown.dataset.text === text) shown.remove();
  const box = document.createElement("p");
  box.className = "toast";
  box.dataset.level = level;
  box.dataset.text = text;
  box.append(text);
  if (action) box.append(toastButton(box, action.label, action.run));
  if (level === "error") box.append(toastButton(box, "Dismiss"));
  stack.append(box);
  expire(box);
  return box;
}

function toastButton(box, label, run) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  button.addEventListener("click", () => {
    box.remove();
    run?.();
  });
  return button;
}

/** Remove a toast when its time is over, but not while somebody points at it. */
function expire(box) {
  if (box.dataset.expires) return;
  box.dataset.expires = "yes";
  const remove = () => (box.matches(":hover, :focus-within") ? setTimeout(remove, 1_000) : box.remove());
  setTimeout(remove, box.dataset.level === "error" ? ERROR_MS : TOAST_MS);
}

/** The token of now: logging in again in another tab changes it, and the page's own would be refused for ever. */
export function csrf() {
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith("csrftoken="));
  return cookie?.slice("csrftoken=".length) ?? document.querySelector("meta[name=csrf-token]").content;
}
document.body.addEventListener("htmx:configRequest", ({ detail }) => {
  detail.headers["X-CSRFToken"] = csrf();
  if (detail.formData.has("csrfmiddlewaretoken")) detail.formData.set("csrfmiddlewaretoken", csrf());
});

const LOGGED_OUT = "You are logged out. What you typed is still here: log in in another tab, then save again.";

/** POST a form's worth of fields; resolves to {ok, status, data}, status 0 when the server is out of reach. */
export async function post(url, fields = {}) {
  try {
    const response = await fetch(url, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { "X-CSRFToken": csrf(), Accept: "application/json" },
    });
    if (response.redirected) return { ok: false, status: 401, data: { message: LOGGED_OUT } };
    const data = await response.json().catch(() => ({ message: `The server answered ${response.status}.` }));
    return { ok: response.ok, status: response.status, data };
  } catch {
    return { ok: false, status: 0, data: { message: "The desk cannot be reached." } };
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
  const key = `[data-key="${CSS.escape(name)}"]:not([disabled])`;
  // What was just done comes first: a toast that offers to take it back, the newest one.
  const button = [...document.querySelectorAll(`#toasts ${key}`)].at(-1) ?? document.querySelector(`main ${key}`);
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
  toast("The desk cannot be reached. What you typed is still here; try again in a moment.", { level: "error" });
});
// What a person has opened stays open when the server sends the fragment again.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const open = [...event.detail.target.querySelectorAll("details[open][id]")].map((details) => details.id);
  if (!open.length) return;
  document.body.addEventListener("htmx:afterSwap", () => { for (const id of open) document.getElementById(id)?.setAttribute("open", ""); }, { once: true });
});

// --- typed text survives every swap ----------------------------------------------------------
const TEXT_FIELD = "textarea, input:not([type=hidden], [type=file], [type=radio], [type=checkbox], [type=submit])";
const textFields = (root) => [...root.querySelectorAll(TEXT_FIELD)];
const fieldKey = (field) => `${field.form?.getAttribute("action")} ${field.name}`;

/** Whether a field holds something that the server does not have. */
export function isUnsaved(field) {
  return field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
}

/** Whether somebody is typing in `root`, has typed there, or has a dialog open. */
export function isBusy(root) {
  if (dialogOpen()) return true;
  return textFields(root).some((field) => field === document.activeElement || isUnsaved(field));
}

const awaiting = new Map(); // typed text whose form is not on the page now, by fieldKey

/** The server has what was typed in this form: it need not be put back. */
export function noteStored(form) {
  for (const field of textFields(form)) awaiting.delete(fieldKey(field));
}

/** What is typed in `root`, to be put back once `root` has been replaced; `sent` is the form that was submitted, with
 * `formData`: what is typed there after that counts too. */
function typedIn(root, sent, formData) {
  const focused = document.activeElement;
  const changedSince = (field) => formData?.has(field.name) && formData.get(field.name) !== field.value;
  return textFields(root)
    .filter((field) => (field.form === sent ? changedSince(field) : isUnsaved(field) || field === focused))
    .map((field) => ({
      key: fieldKey(field),
      value: isUnsaved(field) ? field.value : null,
      base: field.defaultValue,
      selection: field === focused ? [field.selectionStart, field.selectionEnd] : null,
    }));
}

/** Put typed text back; what belongs to a form that is not here waits until that form comes again. */
function putBack(root, typed) {
  const fields = new Map(textFields(root).map((field) => [fieldKey(field), field]));
  for (const one of typed) {
    const field = fields.get(one.key);
    if (field) restoreField(field, one);
    else if (one.value) awaiting.set(one.key, { ...one, selection: null });
  }
  for (const [key, field] of fields) {
    if (!awaiting.has(key) || isUnsaved(field)) continue;
    restoreField(field, awaiting.get(key));
    awaiting.delete(key);
  }
}

function restoreField(field, { value, base, selection }) {
  if (value !== null && value !== field.value) {
    field.value = value;
    field.dispatchEvent(new CustomEvent("typed-text-kept", { bubbles: true, detail: { base } }));
  }
  if (!selection) return;
  field.focus({ preventScroll: true });
  try { field.setSelectionRange(...selection); } catch { /* an email field has no selection */ }
}

// A poll waits while somebody types. Any other swap puts the typed text back.
document.body.addEventListener("htmx:confirm", (event) => {
  const { elt, target } = event.detail;
  if ("poll" in elt.dataset && target && isBusy(target)) event.preventDefault();
});
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { target, requestConfig, shouldSwap } = event.detail;
  if (!shouldSwap) return;
  if ("poll" in requestConfig.elt.dataset && isBusy(target)) {
    event.detail.shouldSwap = false;
    return;
  }
  const chosen = requestConfig.triggeringEvent?.submitter; // a button may replace the typed text on purpose
  if ("replacesTyped" in (chosen?.dataset ?? {})) return;
  const typed = typedIn(target, requestConfig.elt.closest("form"), requestConfig.formData);
  if (!typed.length && !awaiting.size) return;
  const restore = (swapped) => {
    if (swapped.detail.target !== target) return;
    document.body.removeEventListener("htmx:afterSwap", restore);
    putBack(target, typed);
  };
  document.body.addEventListener("htmx:afterSwap", restore);
});
window.addEventListener("beforeunload", (event) => { if (awaiting.size) event.preventDefault(); });

// --- countdowns, and toasts from the server ----------------------------------------------------
const deadlines = new WeakMap();

/** Seconds left of a `data-countdown`, which is the seconds left when it arrived: clocks need not agree. */
function secondsLeft(place) {
  if (!deadlines.has(place)) deadlines.set(place, performance.now() + Number(place.dataset.countdown) * 1000);
  return Math.ceil((deadlines.get(place) - performance.now()) / 1000);
}
setInterval(() => {
  for (const place of document.querySelectorAll("[data-countdown]")) {
    const left = secondsLeft(place);
    place.textContent = left > 0 ? `${left} s` : "a moment";
    if (left <= 0) place.closest(".toast")?.remove();
  }
}, 250);

/** Show a toast that the server wrote. */
export function showToast(box) {
  document.getElementById("toasts").append(box);
  htmx.process(box);
  expireAll();
}

const expireAll = () => {
  for (const shown of document.querySelectorAll("#toasts .toast:not(:has([data-countdown]))")) expire(shown);
};
document.body.addEventListener("htmx:oobAfterSwap", expireAll);
expireAll();

// --- a reply or a forwarded email taken back, wherever its thread is ------------------------------
document.body.addEventListener("message-taken-back", ({ detail }) => {
  document.getElementById(`undo-${detail.message}`)?.remove();
  const place = document.querySelector(detail.place);
  if (place) htmx.ajax("GET", detail.fragment, { target: place }).catch(() => {});
  else toast(detail.text, { action: { label: "Open it", run: () => location.assign(detail.page) } });
});
