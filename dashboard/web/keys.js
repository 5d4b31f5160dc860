// The keyboard: every page can be worked without a pointer.
import { signal } from "@preact/signals";
import { paused } from "./live.js";
import { go, linkTo } from "./router.js";
import { nextTheme } from "./theme-choice.js";

/** Whether the map of keys is shown. */
export const helpShown = signal(false);

/** Where g and another key lead. */
export const places = /** @type {[string, string, string][]} */ ([
  ["o", "", "Overview"], ["j", "jobs", "Jobs"], ["q", "queues", "Queues"], ["s", "schedules", "Schedules"],
  ["t", "targets", "Targets"], ["w", "workers", "Workers"], ["n", "submit", "Submit a job"], ["a", "audit", "Audit"],
]);

/** What single keys do on every page. */
export const everywhere = /** @type {[string, string][]} */ ([
  ["/", "search for jobs"], ["j", "next row"], ["k", "row before"], ["Enter", "open the row"], ["x", "choose the row"],
  ["p", "pause and resume updates"], ["d", "light, dark or the system's colours"], ["?", "this map"], ["Esc", "close, leave a field"],
]);

/** @type {Record<string, () => void>} */
const actions = {
  "/": () => field("[data-search]")?.focus(),
  j: () => step(1),
  k: () => step(-1),
  x: choose,
  p: () => { paused.value = !paused.value; },
  d: nextTheme,
  "?": () => { helpShown.value = !helpShown.value; },
};

/** @param {string} selector */
const field = (selector) => /** @type {HTMLElement | null} */ (document.querySelector(selector));

/** The main link of each row that can be walked over. */
const rows = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-row]")]);

/** @param {number} by */
function step(by) {
  const all = rows();
  const at = all.findIndex((row) => row.closest("tr, li") === document.activeElement?.closest("tr, li"));
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function choose() {
  const box = document.activeElement?.closest("tr, li")?.querySelector('input[type="checkbox"]');
  if (box instanceof HTMLInputElement) box.click();
}

/** Presses the button that has the key. @param {string} key */
function press(key) {
  const button = /** @type {HTMLButtonElement | null} */ (document.querySelector(`button[data-key="${CSS.escape(key)}"]:not(:disabled)`));
  button?.click();
  return button !== null;
}

const typing = "input:not([type=checkbox]):not([type=radio]), textarea, select";
let leader = 0; // when g was pressed

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const target = event.target instanceof Element ? event.target : null;
  if (target?.matches(typing)) {
    if (event.key === "Escape" && !target.closest("dialog")) /** @type {HTMLElement} */ (target).blur();
    return;
  }
  if (document.querySelector("dialog[open]")) {
    if (event.key === "?" && helpShown.value) helpShown.value = false;
    return;
  }
  if (Date.now() - leader < 1500) {
    leader = 0;
    const to = places.find(([key]) => key === event.key);
    if (to) {
      event.preventDefault();
      go(linkTo(to[1]));
    }
    return;
  }
  if (event.key === "g") {
    leader = Date.now();
    return;
  }
  if (actions[event.key]) actions[event.key]();
  else if (event.key.length > 1 || !press(event.key)) return;
  event.preventDefault();
}

export function startKeys() {
  document.addEventListener("keydown", onKey);
}
