// Short messages about what was done, read aloud by screen readers.
import { signal } from "@preact/signals";
import { html } from "../html.js";
import { Button } from "./parts.js";

/** @typedef {{id: number, tone: string, text: any}} Message */

const shown = signal(/** @type {Message[]} */ ([]));
let last = 0;

/** @param {number} id */
const drop = (id) => { shown.value = shown.value.filter((m) => m.id !== id); };

/** @param {any} text @param {string} tone @param {number} seconds */
function show(text, tone, seconds) {
  const id = ++last;
  shown.value = [...shown.value.slice(-3), { id, tone, text }];
  setTimeout(() => drop(id), seconds * 1000);
}

/** @param {any} text */
export const done = (text) => show(text, "good", 5);

/** @param {any} text */
export const failed = (text) => show(text, "bad", 12);

export const Toasts = () => html`
  <div class="toasts" role="status" aria-live="polite">
    ${shown.value.map((m) => html`<div class=${`toast tone-${m.tone}`} key=${m.id}>
      <div class="grow small">${m.text}</div><${Button} kind="plain" icon="close" label="Dismiss" onClick=${() => drop(m.id)} /></div>`)}
  </div>`;
