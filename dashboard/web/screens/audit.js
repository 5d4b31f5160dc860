import { html } from "../html.js";
import { Head } from "../ui/head.js";
export const Audit = () => html`<${Head} title="Audit" />`;
