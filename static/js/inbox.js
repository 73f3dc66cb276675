// The inbox: moving through the list, autosave, approve and send.
import { isUnsaved, noteStored, onKey, post, showToast, toast } from "./desk.js";

const QUIET_MS = 800; // how long the typing must rest before it is saved
const LONGEST_MS = 4_000; // how long text may stay unsaved while somebody types without a rest
const RETRY_MS = 3_000;
const inbox = document.getElementById("inbox");
const slot = document.getElementById("thread");
const rows = () => [...document.querySelectorAll(".thread-row")];
const form = () => document.getElementById("draft-form");

// --- the list ------------------------------------------------------------------------------
function openRow(by) {
  const all = rows();
  const at = all.findIndex((row) => row.getAttribute("aria-current") === "true");
  const row = all[Math.max(0, Math.min(all.length - 1, at + by))];
  if (!row || row === all[at]) return;
  row.querySelector("a").click();
}

function showCurrentRow() {
  document.querySelector(".thread-row[aria-current=true]")?.scrollIntoView({ block: "nearest" });
}

function markRow(row) {
  rows().forEach((other) => other.removeAttribute("aria-current"));
  row?.setAttribute("aria-current", "true");
  showCurrentRow();
}

/** Mark the row of the thread that is on screen, where another one could not be opened. */
function markOpenThread() {
  const open = document.querySelector("[data-thread]")?.dataset.thread;
  markRow(document.getElementById(`thread-row-${open}`));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".thread-row a");
  if (link) markRow(link.closest(".thread-row"));
});
for (const failed of ["htmx:sendError", "htmx:responseError"]) {
  document.body.addEventListener(failed, (event) => {
    if (event.detail.elt.closest?.(".thread-row")) markOpenThread();
  });
}

// On a phone one pane is shown at a time: the list, the thread or the reply.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("button[data-pane], a[data-pane]");
  if (!opener) return;
  event.preventDefault();
  inbox.dataset.pane = opener.dataset.pane;
  if (opener.dataset.pane === "list") showCurrentRow();
});
slot.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.requestConfig.elt.closest(".thread-row")) inbox.dataset.pane = "thread";
});

document.getElementById("filters").addEventListener("change", (event) => event.currentTarget.requestSubmit());

function countTicked() {
  const n = document.querySelectorAll("input[name=threads]:checked").length;
  document.getElementById("ticked").textContent = n ? `${n} ticked` : "none ticked";
}
document.addEventListener("change", (event) => { if (event.target.name === "threads") countTicked(); });
document.getElementById("tick-all").addEventListener("change", (event) => {
  for (const box of document.querySelectorAll("input[name=threads]")) box.checked = event.target.checked;
  countTicked();
});

document.querySelector("[data-commands]").addEventListener("click", () => {
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true }));
});

// --- the draft -----------------------------------------------------------------------------
let timer = null;
let saving = null;
let unsavedSince = null;
let lastSaved = null; // the body that the server took from this page last

function say(text, bad = false) {
  const place = document.getElementById("draft-saved");
  if (!place) return;
  place.textContent = text;
  place.classList.toggle("error", bad);
}

const draftFields = (of) => [of.body, of.cc, of.bcc, of.closes];
const isUnsavedDraft = (of) => draftFields(of).some(isUnsaved);
const values = (of) => ({ body: of.body.value, cc: of.cc.value, bcc: of.bcc.value, ...(of.closes.checked && { closes: "on" }) });
const conflictOpen = () => Boolean(document.getElementById("draft-conflict")?.childElementCount);

/** Every form of the pane that acts on this draft names the version it was saved as last. */
function noteVersion(of, version) {
  for (const field of of.closest(".reply")?.querySelectorAll("input[name=version]") ?? [of.version]) {
    if (!field.closest("#draft-conflict")) field.value = Math.max(field.value, version);
  }
}

/** The server has these values now: what differs from them is unsaved. */
function noteSaved(of, { body, cc, bcc, closes }) {
  of.body.defaultValue = body;
  of.cc.defaultValue = cc;
  of.bcc.defaultValue = bcc;
  of.closes.defaultChecked = Boolean(closes);
}

/** Save the draft, one request at a time; what is typed meanwhile is saved next. Resolves to whether it is saved. */
async function save(draft = form()) {
  clearTimeout(timer);
  while (saving) await saving;
  if (!draft || !isUnsavedDraft(draft)) return true;
  if (draft.isConnected && conflictOpen()) {
    say("not saved: choose which text to keep", true);
    return false;
  }
  const sent = values(draft);
  unsavedSince = null;
  say("saving…");
  saving = post(draft.dataset.save, { version: draft.version.value, ...sent });
  const { ok, status, data } = await saving;
  saving = null;
  if (ok) {
    lastSaved = sent.body;
    noteStored(draft);
    for (const of of [draft, form()]) { // the panel may have been replaced meanwhile
      if (of?.dataset.save !== draft.dataset.save) continue;
      noteVersion(of, data.version);
      noteSaved(of, sent);
    }
    if (draft.isConnected) say(isUnsavedDraft(draft) ? "not saved yet" : `saved ${data.saved_at}`);
    htmx.trigger(document.body, "draft-saved");
    return true;
  }
  if (draft.isConnected) say("not saved", true);
  if (status === 0 || status >= 502) timer = setTimeout(save, RETRY_MS, draft); // still in the field; tried again
  else if (status === 409 && draft.isConnected) await showConflict(draft);
  else toast(data.message, { level: "error" });
  return false;
}

/** Somebody else changed the draft: their text is shown above the field, where mine stays. */
async function showConflict(draft = form()) {
  if (!draft) return;
  say("not saved: choose which text to keep", true);
  await htmx.ajax("POST", draft.dataset.conflict, { target: "#draft-conflict", values: values(draft) }).catch(() => {});
}

document.addEventListener("input", (event) => {
  if (event.target.form?.id !== "draft-form") return;
  clearTimeout(timer);
  if (!isUnsavedDraft(event.target.form)) return say("saved");
  say("not saved yet");
  unsavedSince ??= performance.now();
  const rest = Math.max(0, unsavedSince + LONGEST_MS - performance.now());
  timer = setTimeout(save, Math.min(QUIET_MS, rest));
});

// What would replace the draft saves it first. The text typed while the answer was under way is put
// back by desk.js: it is saved next, or shown beside a text that came from elsewhere meanwhile.
document.body.addEventListener("htmx:confirm", (event) => {
  const draft = form();
  const { elt, target, issueRequest } = event.detail;
  if (event.defaultPrevented || !draft || !target?.contains(draft)) return;
  if (elt === draft && saving) { // approved while an autosave is under way: its version first
    event.preventDefault();
    saving.then(() => issueRequest(true));
    return;
  }
  if (!isUnsavedDraft(draft) || elt === draft || elt.closest("#draft-conflict")) return; // these send the text themselves
  event.preventDefault();
  save(draft).then((saved) => {
    if (saved) return issueRequest(true);
    markOpenThread();
    if (conflictOpen()) toast("Choose first which of the two texts to keep.");
  });
});
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const draft = form();
  const { target, shouldSwap, requestConfig, serverResponse } = event.detail;
  if (!draft || !shouldSwap || requestConfig.elt === draft || !target.contains(draft)) return;
  const comesBack = serverResponse.includes(draft.dataset.save);
  if (!comesBack && isUnsavedDraft(draft) && !conflictOpen()) save(draft);
});
// An answer about a thread that is not on the screen any more changes its row, and nothing else.
document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id !== "thread" || !detail.shouldSwap || detail.requestConfig.elt.closest(".thread-row")) return;
  const shown = slot.querySelector("[data-thread]")?.dataset.thread;
  if (!shown || detail.serverResponse.includes(`data-thread="${shown}"`)) return;
  detail.shouldSwap = false;
  const answer = new DOMParser().parseFromString(detail.serverResponse, "text/html");
  const row = answer.querySelector(".thread-row");
  if (row) replaceRow(row);
  for (const toastBox of answer.querySelectorAll('[hx-swap-oob="beforeend:#toasts"] > *')) showToast(toastBox);
});
// While a reply is being approved its text stands still: what were typed then would be in no draft.
const setReadOnly = (draft, on) => { for (const field of [draft.body, draft.cc, draft.bcc]) field.readOnly = on; };
document.body.addEventListener("htmx:beforeRequest", ({ detail }) => {
  if (detail.elt !== form()) return;
  clearTimeout(timer);
  setReadOnly(detail.elt, true);
});
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.elt.id === "draft-form" && !detail.successful) setReadOnly(detail.elt, false);
});
document.addEventListener("typed-text-kept", (event) => {
  if (event.target.form !== form()) return;
  const current = event.target.defaultValue;
  if (current !== event.detail.base && current !== lastSaved) showConflict();
  else timer = setTimeout(save, QUIET_MS);
});
document.body.addEventListener("htmx:configRequest", ({ detail }) => {
  if (!detail.elt.closest("#draft-conflict") || !form()) return;
  Object.assign(detail.parameters, values(form()));
  lastSaved = form().body.value;
});
document.body.addEventListener("htmx:responseError", (event) => {
  const { elt } = event.detail.requestConfig;
  if (event.detail.xhr.status !== 409 || !(elt.id === "draft-form" || elt.closest("#draft-conflict"))) return;
  const { code } = JSON.parse(event.detail.xhr.responseText);
  if (code === "stale" || !form()) return; // the customer has written again: the message says so
  event.detail.handled = true;
  showConflict();
}, { capture: true });
window.addEventListener("beforeunload", (event) => {
  if (form() && isUnsavedDraft(form())) event.preventDefault();
});

onKey("Ctrl+Enter", () => { if (!form()) return false; document.getElementById("approve").click(); });
onKey("Ctrl+s", () => { if (!form()) return false; save(); });
onKey("j", () => openRow(1));
onKey("k", () => openRow(-1));
document.addEventListener("click", (event) => {
  const copies = event.target.closest("[data-copies], [data-everybody]");
  if (copies) {
    document.getElementById("draft-copies").hidden = false;
    const cc = form().cc;
    if (copies.dataset.everybody) { cc.value = copies.dataset.everybody; cc.dispatchEvent(new Event("input", { bubbles: true })); }
    cc.focus();
  }
  const canned = event.target.closest("[data-insert]");
  if (canned) {
    const field = form().body;
    canned.closest("dialog").close();
    field.setRangeText(canned.dataset.insert, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }
  if (event.target.closest("#save")) { event.preventDefault(); save(); }
});

// A row that the server sends again stays ticked, and marked or not.
function takeOver(before, after) {
  after.querySelector("input[name=threads]").checked = before.querySelector("input[name=threads]").checked;
  const isCurrent = before.getAttribute("aria-current") === "true";
  if (isCurrent) after.setAttribute("aria-current", "true");
  else after.removeAttribute("aria-current");
}
document.body.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const after = detail.fragment.querySelector(".thread-row");
  if (after && detail.target.matches(".thread-row")) takeOver(detail.target, after);
});

function replaceRow(row) {
  const before = document.getElementById(row.id);
  if (!before) return;
  takeOver(before, row);
  row.removeAttribute("hx-swap-oob");
  before.replaceWith(row);
  htmx.process(row);
}

showCurrentRow();

// --- a sentence and the passages it rests on light each other ---------------------------------
const light = (on) => (event) => {
  const sentence = event.target.closest?.("[data-rests-on]");
  const card = event.target.closest?.("[data-number]");
  const cards = sentence ? sentence.dataset.restsOn.split(" ").filter(Boolean).map((n) => document.getElementById(`source-${n}`)) : [];
  const sentences = card ? [...document.querySelectorAll("[data-rests-on]")].filter((s) => s.dataset.restsOn.split(" ").includes(card.dataset.number)) : [];
  for (const element of [...cards, ...sentences]) element?.classList.toggle("lit", on);
};
for (const [name, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]]) slot.addEventListener(name, light(on));
