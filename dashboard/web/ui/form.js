// Fields of forms: a label that names its input, a hint, and what is wrong.
import { html } from "../html.js";

/** @param {{id: string, label: any, hint?: any, fault?: string, children?: any}} props */
export const Field = ({ id, label, hint, fault, children }) => html`
  <div class="field"><label for=${id}>${label}</label>${children}
    ${fault && html`<span class="fault" role="alert">${fault}</span>`}${hint && html`<span class="hint">${hint}</span>`}</div>`;
