// One figure, large.
import { html } from "../html.js";

/** @param {{label: string, value: any, note?: any, tone?: string, href?: string, title?: string}} props */
export function Tile({ label, value, note, tone = "", href, title }) {
  const inside = html`<span class="tile-label">${label}</span><span class=${`tile-value ${tone}`}>${value}</span><span class="tile-note">${note}</span>`;
  return href ? html`<a class="tile" href=${href} title=${title}>${inside}</a>` : html`<div class="tile" title=${title}>${inside}</div>`;
}
