// JSON, indented and coloured, from the text that the server sent.
import { useMemo } from "preact/hooks";
import { html } from "../html.js";
import { write } from "../json.js";
import { CopyButton } from "./copy.js";

const maxShown = 200_000; // characters; copying gives all of them

/** @param {{node: import("../json.js").Node, what: string}} props */
export function JsonView({ node, what }) {
  const text = useMemo(() => write(node), [node]);
  return html`
    <div class="json-box">
      <div class="json-copy"><${CopyButton} text=${text} what=${what} /></div>
      <pre class="json" tabindex="0" aria-label=${what}>${text.length <= maxShown ? paint(text) : `${text.slice(0, maxShown)}\n… ${text.length - maxShown} more characters; copy to see them`}</pre>
    </div>`;
}

const token = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;

/** Colours text by what its tokens are. @param {string} text */
function paint(text) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(token)) {
    if (m.index > at) out.push(text.slice(at, m.index));
    const [whole, quoted, colon, number] = m;
    if (quoted) out.push(html`<span class=${colon ? "k" : "s"}>${quoted}</span>`, colon ?? "");
    else out.push(html`<span class=${number ? "n" : "w"}>${whole}</span>`);
    at = m.index + whole.length;
  }
  out.push(text.slice(at));
  return out;
}
