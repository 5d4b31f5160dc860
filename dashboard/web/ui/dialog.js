// Dialogs. The browser's own element keeps the focus inside and gives it back.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { asProblem } from "../resource.js";
import { Button, Failure } from "./parts.js";

/** @param {{title: string, onClose: () => void, wide?: boolean, children?: any, foot?: any}} props */
export function Dialog({ title, onClose, wide, children, foot }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  // Not after the next paint: a key or a click before that would go to the page beneath.
  useLayoutEffect(() => {
    const opener = document.activeElement;
    ref.current?.showModal();
    return () => { if (opener instanceof HTMLElement) opener.focus(); };
  }, []);
  return html`
    <dialog ref=${ref} class=${wide ? "wide" : ""} aria-label=${title}
      onCancel=${(/** @type {Event} */ e) => { e.preventDefault(); onClose(); }}
      onMouseDown=${(/** @type {MouseEvent} */ e) => { if (e.target === ref.current) onClose(); }}>
      <div class="dialog-head"><h2>${title}</h2><${Button} kind="plain" icon="close" label="Close" onClick=${onClose} /></div>
      <div class="dialog-body">${children}</div>
      ${foot && html`<div class="dialog-foot">${foot}</div>`}
    </dialog>`;
}

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {any} [text]
 * @property {string} yes what the button says
 * @property {boolean} [danger]
 * @property {string} [word] what has to be typed first, where much would be lost
 * @property {() => Promise<void>} act
 */

const asked = signal(/** @type {Question | null} */ (null));

/** Asks before something is done that cannot be taken back. @param {Question} question */
export const confirm = (question) => { asked.value = question; };

export function Confirm() {
  return asked.value && html`<${Ask} question=${asked.value} />`;
}

/** @param {{question: Question}} props */
function Ask({ question }) {
  const [busy, setBusy] = useState(false);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const close = () => { asked.value = null; };
  const act = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await question.act();
      close();
    } catch (err) {
      setProblem(asProblem(err));
      setBusy(false);
    }
  };
  return html`
    <${Dialog} title=${question.title} onClose=${close}>
      <form class="form" onSubmit=${act}>
        ${question.text && html`<div>${question.text}</div>`}
        ${question.word && html`<div class="field"><label for="confirm-word">Type <span class="mono">${question.word}</span> to go on</label>
          <input id="confirm-word" autofocus autocomplete="off" spellcheck=${false} value=${typed} onInput=${(/** @type {any} */ e) => setTyped(e.target.value)} /></div>`}
        ${problem && html`<${Failure} problem=${problem} what="That did not work" />`}
        <div class="buttons end">
          <${Button} first=${question.word === undefined} onClick=${close}>Leave it<//>
          <${Button} type="submit" kind=${question.danger ? "danger solid" : "primary"} disabled=${busy || (question.word !== undefined && typed !== question.word)} id="confirm-yes">${question.yes}<//>
        </div>
      </form>
    <//>`;
}
