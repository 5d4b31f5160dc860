// Data of a page: fetched at once, fetched again when something has changed,
// and kept on the screen meanwhile, so that nothing jumps.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { awake, onChanges } from "./live.js";
import { Problem } from "./api.js";

/**
 * @template T
 * @typedef {object} Resource
 * @property {T | undefined} data the last good answer
 * @property {string | undefined} of the key of what data is: another one than asked for until that has come
 * @property {Problem | null} error why the last request failed
 * @property {number} at when data came, in milliseconds since 1970
 * @property {boolean} loading
 * @property {() => Promise<void>} reload
 * @property {(change: (data: T) => T) => void} patch changes data here until the next answer
 */

/**
 * @typedef {object} Freshness
 * @property {number} [every] seconds between looks at what no event tells of; 0: never
 * @property {boolean | ((change: import("./live.js").Change) => boolean)} [events] events that make it look again
 * @property {number} [pace] seconds that lie at least between two looks because of events
 */

/**
 * @template T
 * @param {(abort: AbortSignal) => Promise<T>} load
 * @param {string} key what it loads: another key is another thing
 * @param {Freshness} [fresh] @returns {Resource<T>}
 */
export function useResource(load, key, { every = 0, events = false, pace = 2 } = {}) {
  const [state, setState] = useState(/** @type {{key: string, data?: T, of?: string, error: Problem | null, at: number, loading: boolean}} */ (
    { key, error: null, at: 0, loading: true }));
  const flight = useRef(/** @type {AbortController | null} */ (null));
  const loader = useRef(load);
  loader.current = load;

  const reload = useCallback(async () => {
    flight.current?.abort();
    const mine = new AbortController();
    flight.current = mine;
    setState((s) => (s.loading && s.key === key ? s : { ...s, loading: true }));
    try {
      const data = await loader.current(mine.signal);
      if (!mine.signal.aborted) setState({ key, data, of: key, error: null, at: Date.now(), loading: false });
    } catch (err) {
      if (!mine.signal.aborted) setState((s) => ({ ...s, key, error: asProblem(err), loading: false }));
    }
  }, [key]);

  useEffect(() => {
    void reload();
    return () => flight.current?.abort();
  }, [reload]);
  useEvery(reload, every);
  useEvents(reload, events, pace);

  const patch = useCallback((/** @type {(data: T) => T} */ change) => {
    setState((s) => {
      if (s.data === undefined) return s;
      const data = change(s.data);
      return data === s.data ? s : { ...s, data };
    });
  }, []);
  return { data: state.data, of: state.of, error: state.error, at: state.at, loading: state.loading || state.key !== key, reload, patch };
}

/** @param {unknown} err */
export const asProblem = (err) =>
  err instanceof Problem ? err : new Problem({ status: 0, code: "page", title: "Error in this page", detail: String(err instanceof Error ? err.message : err) });

/** Calls reload every so many seconds while somebody looks, and at once when they come back. @param {() => Promise<void>} reload @param {number} seconds */
function useEvery(reload, seconds) {
  useEffect(() => {
    if (!seconds) return undefined;
    let timer = 0;
    let first = true;
    const stop = awake.subscribe((on) => {
      clearInterval(timer);
      if (!on) return;
      if (!first) void reload();
      first = false;
      timer = setInterval(() => void reload(), seconds * 1000);
    });
    return () => { stop(); clearInterval(timer); };
  }, [reload, seconds]);
}

/** Calls reload soon after events, at most once in so many seconds. @param {() => Promise<void>} reload @param {Freshness["events"]} events @param {number} pace */
function useEvents(reload, events, pace) {
  const wanted = useRef(events);
  wanted.current = events;
  useEffect(() => {
    if (!wanted.current) return undefined;
    let timer = 0;
    let last = 0;
    const run = () => { timer = 0; last = Date.now(); void reload(); };
    const stop = onChanges((changes, resync) => {
      const want = wanted.current;
      if (timer || (!resync && typeof want === "function" && !changes.some(want))) return;
      timer = setTimeout(run, Math.max(0, last + pace * 1000 - Date.now()));
    });
    return () => { stop(); clearTimeout(timer); };
  }, [reload, pace]);
}
