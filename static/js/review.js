// The review page: keys, the subtype list, the lease. The server's yes moves it on, nothing else.
import { csrf, dialogOpen, onKey, post, toast } from "./desk.js";

const panel = document.getElementById("review-panel");
const form = () => document.getElementById("review-form");
const radios = (name) => [...form().querySelectorAll(`input[name=${name}]`)];
const chosenType = () => radios("type").find((r) => r.checked)?.value;
let startedAt = Date.now();
let heartbeat = null;

// --- choosing ------------------------------------------------------------------------------
function visibleChoices() {
  return [...form().querySelectorAll(".choice:not([hidden])")];
}

/** Show the subtypes of the chosen type; while letters are typed, those that hold them, in any type. */
function showChoices() {
  if (!form()) return;
  const letters = document.getElementById("subtype-filter").value.trim().toLowerCase();
  for (const choice of form().querySelectorAll(".choice")) {
    choice.hidden = letters ? !choice.dataset.name.includes(letters) : choice.dataset.type !== chosenType();
  }
}

function pick(choice) {
  if (!choice) return;
  choice.querySelector("input").checked = true;
  choice.scrollIntoView({ block: "nearest" });
  radios("type").find((r) => r.value === choice.dataset.type).checked = true; // the type follows from it
  showGuideline();
}

function pickType(value) {
  radios("type").find((r) => r.value === value).checked = true;
  document.getElementById("subtype-filter").value = "";
  showChoices();
  for (const radio of radios("subtype")) radio.checked = false; // a type may have no subtype
  showGuideline();
  pick(visibleChoices()[0]);
}

function showGuideline() {
  const choice = form()?.querySelector(".choice:has(input:checked)");
  const place = document.getElementById("guideline");
  if (!place) return;
  place.replaceChildren();
  if (!choice) return;
  const name = Object.assign(document.createElement("strong"), { textContent: `${choice.querySelector("span").textContent}. ` });
  place.append(name, choice.querySelector(".guideline-text").textContent);
}

function step(by) {
  const all = visibleChoices();
  const at = all.findIndex((c) => c.querySelector("input").checked);
  pick(all[Math.max(0, Math.min(all.length - 1, at + by))]);
}

// --- answering -----------------------------------------------------------------------------
function confirmAnswer() {
  const button = form()?.querySelector("button[value=confirm]");
  if (button && !button.disabled) button.click();
}

panel.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.id === "review-form") event.detail.parameters.seconds = String((Date.now() - startedAt) / 1000);
});

panel.addEventListener("htmx:beforeRequest", () => dialogOpen()?.close());

// A lost hold keeps the reviewer's work on the screen and offers to take the email again.
document.body.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status !== 409 || !panel.contains(event.detail.elt)) return;
  event.detail.handled = true;
  const said = JSON.parse(event.detail.xhr.responseText);
  const again = { label: "Take it again", run: takeAgain };
  const next = { label: "Next email", run: nextEmail };
  toast(said.message, { level: "error", action: said.code === "lease_expired" ? again : next });
}, { capture: true });

const nextEmail = () => window.htmx.ajax("POST", "/review/next/", { target: "#review-panel", headers: { "X-CSRFToken": csrf() } });

async function takeAgain() {
  const answer = await post(panel.querySelector(".review").dataset.claim);
  if (!answer.ok) return toast(answer.data.message, { level: "error", action: { label: "Next email", run: nextEmail } });
  for (const field of panel.querySelectorAll("input[name=lease]")) field.value = answer.data.lease;
  showLease(answer.data.shown);
  toast("It is yours again; your answer is still here.");
}

// --- the lease -----------------------------------------------------------------------------
function showLease(shown) {
  const place = document.getElementById("lease-until");
  if (place) place.textContent = shown; // the server's clock, as in all other times of the page
}

async function beat() {
  const item = panel.querySelector(".review");
  if (!item || document.hidden) return;
  const answer = await post(item.dataset.heartbeat, { lease: form().lease.value });
  if (answer.ok) showLease(answer.data.shown);
}

// --- a new item ----------------------------------------------------------------------------
function arrived() {
  startedAt = Date.now();
  clearInterval(heartbeat);
  if (!form()) return;
  heartbeat = setInterval(beat, 60_000);
  showChoices();
  showGuideline();
  form().querySelector(".choice:has(input:checked)")?.scrollIntoView({ block: "nearest" });
  const count = document.getElementById("rail-count-review");
  if (count) count.textContent = panel.querySelector(".bar .quiet").textContent.split(" ")[0];
  window.scrollTo(0, 0);
}

panel.addEventListener("htmx:afterSwap", arrived);
panel.addEventListener("change", (event) => {
  if (event.target.name === "type") pickType(event.target.value);
  if (event.target.name === "subtype") pick(event.target.closest(".choice"));
});
panel.addEventListener("click", (event) => {
  const wanted = event.target.closest("[data-pick]");
  if (!wanted) return;
  const choice = form().querySelector(`.choice:has(input[value="${CSS.escape(wanted.dataset.pick)}"])`);
  pickType(choice.dataset.type);
  pick(choice);
});
panel.addEventListener("input", (event) => {
  if (event.target.id !== "subtype-filter") return;
  showChoices();
  if (event.target.value.trim()) pick(visibleChoices()[0]);
});
panel.addEventListener("keydown", (event) => {
  if (event.target.id !== "subtype-filter") return;
  if (event.key === "ArrowDown") step(1);
  else if (event.key === "ArrowUp") step(-1);
  else if (event.key === "Enter") event.target.blur(); // the choice is made; a second Enter confirms
  else return;
  event.preventDefault();
});

for (const digit of "1234") {
  onKey(digit, () => { const r = form() && radios("type").find((x) => x.dataset.digit === digit); if (r) pickType(r.value); });
}
onKey("Enter", (event) => { if (event.repeat) return; if (event.target.closest("button, a, summary")) return false; confirmAnswer(); });
onKey("j", () => { if (form()) step(1); });
onKey("k", () => { if (form()) step(-1); });

arrived();
