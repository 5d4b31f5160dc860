// One clock for all that is told relative to now; it stands while nobody looks.
import { signal } from "@preact/signals";

/** Milliseconds since 1970, a new value each second while the page is visible. */
export const now = signal(Date.now());

export function startClock() {
  let timer = 0;
  const tick = () => { now.value = Date.now(); };
  const arrange = () => {
    clearInterval(timer);
    if (document.hidden) return;
    tick();
    timer = setInterval(tick, 1000);
  };
  document.addEventListener("visibilitychange", arrange);
  arrange();
}
