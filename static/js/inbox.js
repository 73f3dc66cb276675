// The inbox: moving through the list, autosave, approve and send.
import { dialogOpen, onKey, post, toast } from "./desk.js";

const QUIET_MS = 800; // how long the typing must rest before it is saved
const slot = document.getElementById("thread");
const rows = () => [...document.querySelectorAll(".thread-row")];
const form = () => document.getElementById("draft-form");
const words = (of) => [of.body.value, of.cc.value, of.bcc.value, of.closes.checked].join("\u001f");

// --- the list ------------------------------------------------------------------------------
function openRow(by) {
  const all = rows();
  const at = all.findIndex((row) => row.getAttribute("aria-current") === "true");
  const row = all[Math.max(0, Math.min(all.length - 1, at + by))];
  if (!row || row === all[at]) return;
  row.scrollIntoView({ block: "nearest" });
  row.querySelector("a").click();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".thread-row a");
  if (!link) return;
  rows().forEach((row) => row.removeAttribute("aria-current"));
  link.closest(".thread-row").setAttribute("aria-current", "true");
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

function say(text, bad = false) {
  const place = document.getElementById("draft-saved");
  if (!place) return;
  place.textContent = text;
  place.classList.toggle("error", bad);
}

/** Save what stands in the field, one request at a time; what is typed meanwhile is saved next. */
async function save() {
  clearTimeout(timer);
  if (saving) { await saving; }
  const mine = form();
  if (!mine || words(mine) === mine.dataset.saved) return true;
  const now = words(mine);
  say("saving…");
  saving = post(mine.dataset.save, { version: mine.version.value, body: mine.body.value, cc: mine.cc.value, bcc: mine.bcc.value, ...(mine.closes.checked && { closes: "on" }) });
  const answer = await saving;
  saving = null;
  if (answer.ok) {
    mine.version.value = answer.data.version;
    mine.dataset.saved = now;
    if (mine.isConnected) say(`saved ${answer.data.saved_at}`);
    htmx.trigger(document.body, "draft-saved");
    return true;
  }
  if (mine.isConnected) say("not saved", true);
  if (answer.status === 0) timer = setTimeout(save, 3000); // kept in the field; tried again
  else toast(answer.data.message, { level: "error", action: { label: "Show theirs", run: () => location.reload() } });
  return false;
}

document.addEventListener("input", (event) => {
  if (event.target.form?.id !== "draft-form") return;
  say("not saved yet");
  clearTimeout(timer);
  timer = setTimeout(save, QUIET_MS);
});

// Whatever would replace the field first saves it; a poll waits while somebody writes or decides.
document.body.addEventListener("htmx:confirm", (event) => {
  const mine = form();
  if ("poll" in event.detail.elt.dataset && (dialogOpen() || document.activeElement?.id === "draft-body")) {
    event.preventDefault();
    return;
  }
  if (!mine || !event.detail.target?.contains(mine) || words(mine) === mine.dataset.saved) return;
  event.preventDefault();
  save().then((done) => { if (done) event.detail.issueRequest(true); });
});
window.addEventListener("beforeunload", (event) => {
  if (form() && words(form()) !== form().dataset.saved) event.preventDefault();
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

// --- the undo window -----------------------------------------------------------------------
setInterval(() => {
  for (const place of document.querySelectorAll("[data-countdown]")) {
    const left = Math.ceil((new Date(place.dataset.countdown) - Date.now()) / 1000);
    place.textContent = left > 0 ? `${left} s` : "a moment";
  }
}, 250);

function arrived() {
  if (form()) form().dataset.saved = words(form());
}
slot.addEventListener("htmx:afterSwap", arrived);
arrived();

// --- a sentence and the passages it rests on light each other ---------------------------------
const light = (on) => (event) => {
  const sentence = event.target.closest?.("[data-rests-on]");
  const card = event.target.closest?.("[data-number]");
  const cards = sentence ? sentence.dataset.restsOn.split(" ").filter(Boolean).map((n) => document.getElementById(`source-${n}`)) : [];
  const sentences = card ? [...document.querySelectorAll("[data-rests-on]")].filter((s) => s.dataset.restsOn.split(" ").includes(card.dataset.number)) : [];
  for (const element of [...cards, ...sentences]) element?.classList.toggle("lit", on);
};
for (const [name, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]]) slot.addEventListener(name, light(on));
