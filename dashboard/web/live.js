// What changes on the server while somebody looks: one stream of events for
// the whole page. It is closed while the page is hidden or paused.
import { computed, effect, signal } from "@preact/signals";
import { reachable, urlOf } from "./api.js";

/** Whether the reader has stopped updates. */
export const paused = signal(false);

const hidden = signal(document.hidden);
const stream = signal(/** @type {"off" | "opening" | "open" | "broken"} */ ("off"));

/** Whether anything may be fetched that nobody asked for just now. */
export const awake = computed(() => !paused.value && !hidden.value);

/** How updates come: "live", "polling", "paused" or "offline". */
export const link = computed(() => {
  if (paused.value) return "paused";
  if (!reachable.value) return "offline";
  return stream.value === "broken" ? "polling" : "live";
});

/**
 * A job as an event tells it: without args and result.
 * @typedef {import("./types.js").JobItem} Change
 *
 * What listeners are called with: jobs that have changed, and whether more may
 * have than is told.
 * @typedef {(changes: Change[], resync: boolean) => void} Listener
 */

/** @type {Set<Listener>} */
const listeners = new Set();

/** @type {Map<string, Change>} by job: of several the last counts */
let gathered = new Map();
let missed = false;
let flushing = 0;

/** Events are handed on in batches, so that fifty a second cost no more than four. */
const batchMillis = 250;

/** @param {Change} change */
function gather(change) {
  gathered.set(change.id, change);
  flushing ||= setTimeout(flush, batchMillis);
}

function resync() {
  missed = true;
  flushing ||= setTimeout(flush, batchMillis);
}

function flush() {
  const changes = [...gathered.values()];
  const more = missed;
  gathered = new Map();
  missed = false;
  flushing = 0;
  for (const tell of listeners) tell(changes, more);
}

/** Calls tell with what has changed, until the returned function is called. @param {Listener} tell */
export function onChanges(tell) {
  listeners.add(tell);
  listening.value = listeners.size;
  return () => {
    listeners.delete(tell);
    listening.value = listeners.size;
  };
}

const listening = signal(0);

/**
 * Opens a stream of events and keeps it open: EventSource itself connects again
 * after a broken connection, and says with Last-Event-ID what it has seen. When
 * the server refuses, told is called with false, and the next try is later.
 * @param {string} path
 * @param {Record<string, (data: any) => void>} handlers by the event's name
 * @param {(up: boolean) => void} [told]
 */
export function openStream(path, handlers, told = () => {}) {
  /** @type {EventSource | null} */
  let source = null;
  let again = 0;
  const open = () => {
    source = new EventSource(urlOf(path));
    source.onopen = () => told(true);
    source.onerror = () => {
      told(false);
      if (source?.readyState === EventSource.CLOSED) again = setTimeout(open, 10_000);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        if (event instanceof MessageEvent) handle(JSON.parse(event.data));
      });
    }
  };
  open();
  return () => {
    clearTimeout(again);
    source?.close();
  };
}

export function startLive() {
  document.addEventListener("visibilitychange", () => { hidden.value = document.hidden; });
  effect(() => {
    if (!awake.value || listening.value === 0) {
      stream.value = "off";
      return;
    }
    stream.value = "opening";
    return openStream("/v1/events", { state: gather, resync }, (up) => { stream.value = up ? "open" : "broken"; });
  });
}
