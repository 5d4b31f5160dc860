import { html } from "../html.js";
import { Head } from "../ui/head.js";
export const Overview = () => html`<${Head} title="Overview" />`;
