// The review page: keys, the subtype list, the lease. The server's yes moves it on, nothing else.
import { csrf, dialogOpen, onKey, post, toast } from "./desk.js";

const panel = document.getElementById("review-panel");
const form = () => document.getElementById("review-form");
const radios = (name) => [...form().querySelectorAll(`input[name=${name}]`)];
const chosenType = () => radios("type").find((r) => r.checked)?.value;
let heartbeat = null;
let retry = null;
const startsEmpty = () => "startsEmpty" in panel.querySelector(".review").dataset;
const say = (text) => { const place = document.getElementById("review-state"); if (place) place.textContent = text ? `${text} · ` : ""; };

// --- seconds of work: a minute without a key or a move of the mouse is not counted -------------
const IDLE_MS = 60_000;
let seconds = 0;
let lastSign = Date.now();
for (const sign of ["keydown", "pointermove", "scroll", "pointerdown"]) document.addEventListener(sign, () => { lastSign = Date.now(); }, { passive: true, capture: true });
setInterval(() => { if (!document.hidden && Date.now() - lastSign < IDLE_MS) seconds += 0.5; }, 500);

// --- choosing ------------------------------------------------------------------------------
function visibleChoices() {
  return [...form().querySelectorAll(".choice:not([hidden])")];
}

/** Show the subtypes of the chosen type; while letters are typed, those that hold them, in any type. */
function showChoices() {
  if (!form()) return;
  const letters = document.getElementById("subtype-filter").value.trim().toLowerCase();
  for (const choice of form().querySelectorAll(".choice")) {
    const { name, type } = choice.dataset; // no type: "No subtype fits" and "Type only" go with every type
    choice.hidden = letters ? !name.includes(letters) : Boolean(type && chosenType()) && type !== chosenType();
  }
}

function pick(choice) {
  if (!choice) return;
  choice.querySelector("input").checked = true;
  choice.scrollIntoView({ block: "nearest" });
  const type = radios("type").find((r) => r.value === choice.dataset.type);
  if (type) type.checked = true; // the type follows from the subtype
  showGuideline();
  keep();
}

function pickType(value) {
  radios("type").find((r) => r.value === value).checked = true;
  document.getElementById("subtype-filter").value = "";
  showChoices();
  for (const radio of radios("subtype")) radio.checked = false; // a type may have no subtype
  showGuideline();
  if (!startsEmpty()) pick(visibleChoices().find((choice) => choice.dataset.type));
  keep();
}

function showGuideline() {
  const choice = form()?.querySelector(".choice:has(input:checked)");
  const place = document.getElementById("guideline");
  if (!place) return;
  place.replaceChildren();
  showExamples(choice);
  if (!choice) return;
  const name = Object.assign(document.createElement("strong"), { textContent: `${choice.querySelector("span").textContent}. ` });
  place.append(name, choice.querySelector(".guideline-text").textContent);
}

const fetched = new Map();
let wanted = "";

/** Three emails like it, once the choice has rested for a moment. */
function showExamples(choice) {
  const place = document.getElementById("examples");
  wanted = choice?.dataset.examples ? `${choice.dataset.examples}?without=${panel.querySelector(".review").dataset.email}` : "";
  place.innerHTML = fetched.get(wanted) ?? "";
  if (!wanted || fetched.has(wanted)) return;
  const asked = wanted;
  setTimeout(async () => {
    if (asked !== wanted) return;
    const answer = await fetch(asked).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    fetched.set(asked, await answer.text());
    if (asked === wanted) document.getElementById("examples").innerHTML = fetched.get(asked);
  }, 200);
}

function step(by) {
  const all = visibleChoices();
  if (!all.some((c) => c.querySelector("input").checked)) { pick(all[by > 0 ? 0 : all.length - 1]); return; }
  const at = all.findIndex((c) => c.querySelector("input").checked);
  pick(all[Math.max(0, Math.min(all.length - 1, at + by))]);
}

// --- what was chosen is kept in this browser until the server has it ---------------------------
const KEPT = "review-answers"; // by item, so that an answer that is taken back comes with what was chosen
const MOST_KEPT = 20;

function keptAnswers() {
  try { return JSON.parse(localStorage.getItem(KEPT)) ?? {}; } catch { return {}; }
}

function keep() {
  const { item } = panel.querySelector(".review").dataset;
  const chosen = radios("subtype").find((r) => r.checked)?.value ?? "";
  const { [item]: _, ...others } = keptAnswers();
  const answer = { type: chosenType() ?? "", subtype: chosen, second: form().second_subtype.value, comment: form().reason.value };
  const recent = Object.entries(others).slice(-MOST_KEPT);
  localStorage.setItem(KEPT, JSON.stringify({ ...Object.fromEntries(recent), [item]: answer }));
}

/** A reload, a crash or a lost connection: the answer that was begun is there again. */
function restore() {
  const kept = keptAnswers()[panel.querySelector(".review").dataset.item];
  if (!kept) return;
  const choice = kept.subtype && form().querySelector(`.choice:has(input[value="${CSS.escape(kept.subtype)}"])`);
  if (kept.type) pickType(kept.type);
  if (choice) pick(choice);
  form().second_subtype.value = kept.second;
  form().reason.value = kept.comment;
  document.getElementById("review-more").open = Boolean(kept.second || kept.comment);
  say("What you had chosen is here again");
}

// --- answering -----------------------------------------------------------------------------
function confirmAnswer() {
  if (form() && !chosenType()) return say("Choose a type and a subtype first");
  if (form() && visibleChoices().length && !radios("subtype").some((r) => r.checked)) {
    return say("Choose a subtype, or “No subtype fits”");
  }
  const button = form()?.querySelector("button[value=confirm]");
  if (button && !button.disabled) button.click();
}

/** Of the panel, or of a dialog beside it that is about the email on the screen. */
const aboutItem = (element) => panel.contains(element) || "aboutItem" in element.dataset;

document.body.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id === "review-form") detail.parameters.seconds = String(seconds);
  const { aboutItem: what } = detail.elt.dataset; // answer or move
  if (!what) return;
  detail.path = panel.querySelector(".review").dataset[what];
  for (const name of ["lease", "idempotency_key"]) detail.parameters[name] = form()[name].value;
});

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id !== "review-form" && !("aboutItem" in event.detail.elt.dataset)) return;
  dialogOpen()?.close();
  clearTimeout(retry);
});

let unsent = null; // an answer, skip, flag or move that did not reach the server

/** Out of reach, or restarting: the page stays, and the request is sent again until the server says yes or no. */
function sendAgain(event) {
  const { elt, requestConfig, xhr } = event.detail;
  const repeated = unsent !== null && requestConfig.path === unsent.path;
  if (!repeated && elt.id !== "review-form" && !("aboutItem" in elt.dataset)) return;
  if (event.type === "htmx:responseError" && xhr.status < 502) {
    unsent = null;
    return;
  }
  event.detail.handled = true;
  event.stopPropagation();
  say("Not sent yet: the desk cannot be reached. Trying again…");
  const { item } = panel.querySelector(".review").dataset;
  const request = { path: requestConfig.path, values: Object.fromEntries(requestConfig.formData.entries()) };
  unsent = request;
  retry = setTimeout(() => {
    if (unsent !== request || panel.querySelector(".review")?.dataset.item !== item) return;
    // A failure comes here again, by its event.
    window.htmx.ajax("POST", request.path, { target: "#review-panel", values: request.values }).catch(() => {});
  }, 2_000);
}
document.body.addEventListener("htmx:sendError", sendAgain, { capture: true });
document.body.addEventListener("htmx:responseError", sendAgain, { capture: true });

// A lost hold keeps the reviewer's work on the screen and offers to take the email again.
document.body.addEventListener("htmx:responseError", (event) => {
  const repeated = unsent !== null && event.detail.requestConfig.path === unsent.path;
  if (event.detail.xhr.status !== 409 || !(repeated || aboutItem(event.detail.elt))) return;
  event.detail.handled = true;
  const said = JSON.parse(event.detail.xhr.responseText);
  const again = { label: "Take it again", run: takeAgain };
  const next = { label: "Next email", run: nextEmail };
  toast(said.message, { level: "error", action: said.code === "lease_expired" ? again : next });
}, { capture: true });

const nextEmail = () => window.htmx.ajax("POST", "/review/next/", { target: "#review-panel", headers: { "X-CSRFToken": csrf() } }).catch(() => {});

async function takeAgain() {
  const answer = await post(panel.querySelector(".review").dataset.claim);
  if (!answer.ok) return toast(answer.data.message, { level: "error", action: { label: "Next email", run: nextEmail } });
  form().lease.value = answer.data.lease;
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
/** Nobody moves an email to where it is. */
function leaveOutDepartment(slug) {
  for (const option of document.getElementById("move-department").options) option.hidden = option.disabled = option.value === slug;
}

function arrived() {
  seconds = 0;
  unsent = null;
  clearInterval(heartbeat);
  if (form()) leaveOutDepartment(panel.querySelector(".review").dataset.department);
  for (const asked of document.querySelectorAll("form[data-about-item]")) asked.reset();
  if (!form()) return;
  heartbeat = setInterval(beat, 60_000);
  showChoices();
  showGuideline();
  restore();
  form().querySelector(".choice:has(input:checked)")?.scrollIntoView({ block: "nearest" });
  const count = document.getElementById("rail-count-review");
  if (count) count.textContent = panel.querySelector(".bar .quiet").textContent.split(" ")[0]; // as the bar has it
  window.scrollTo(0, 0);
}

panel.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target !== panel) return;
  arrived();
  if (!/\/(answer|move)\/$/.test(detail.requestConfig.path)) return;
  // From now on `z` means the answer that was just given, no longer a reply approved before.
  for (const undo of document.querySelectorAll("#toasts [data-key=z]")) undo.removeAttribute("data-key");
});
panel.addEventListener("change", (event) => {
  if (event.target.name === "type") pickType(event.target.value);
  if (event.target.name === "subtype") pick(event.target.closest(".choice"));
  if (["second_subtype", "reason"].includes(event.target.name) && event.target.form === form()) keep();
});
panel.addEventListener("click", (event) => {
  const likely = event.target.closest("[data-pick]");
  if (!likely) return;
  pick(form().querySelector(`.choice:has(input[value="${CSS.escape(likely.dataset.pick)}"])`));
  showChoices();
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
const pickWithout = (value) => () => { if (form()) pick(form().querySelector(`.choice:has(input[value="${value}"])`)); };
onKey("0", pickWithout("~none_fits"));
onKey("9", pickWithout("~undecided"));

// Enter always confirms, unless somebody walked to a button or link by Tab. A mouse click leaves the
// focus on what was clicked, so it is taken away; the same for the frame of an HTML mail.
document.addEventListener("click", (event) => {
  if (event.detail > 0) event.target.closest?.("button, a, summary")?.blur();
}, { capture: true });
document.addEventListener("pointermove", () => {
  if (document.activeElement?.tagName === "IFRAME") document.activeElement.blur();
}, { passive: true });
onKey("Enter", (event) => {
  if (event.repeat) return;
  if (event.target.closest("button, a, summary")) return false;
  confirmAnswer();
});
onKey("j", () => { if (form()) step(1); });
onKey("k", () => { if (form()) step(-1); });

arrived();
