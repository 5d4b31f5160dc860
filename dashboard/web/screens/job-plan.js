// What a job would do, told by the server without doing it: SQL with
// placeholders, or the request without secrets.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { pathOf, send } from "../api.js";
import { isNull, member, read, write } from "../json.js";
import { may } from "../session.js";
import { asProblem } from "../resource.js";
import { Button, Failure, Panel } from "../ui/parts.js";
import { CopyButton } from "../ui/copy.js";
import { JsonView } from "../ui/json-view.js";

/** @typedef {import("../json.js").Node} Node */

/** Asks for the plan of a submission. @param {string} body @returns {Promise<Node>} */
export async function planOf(body) {
  return read((await send(pathOf("jobs"), { method: "POST", params: { dry_run: "true" }, body })).text);
}

/** @param {{job: import("../types.js").JobItem, tree: Node}} props */
export function Plan({ job, tree }) {
  const [plan, setPlan] = useState(/** @type {Node | null} */ (null));
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const args = member(tree, "args");
  if (!may("jobs:write") || isNull(args) || job.kind.startsWith("system.")) return null;
  const ask = async () => {
    try {
      setProblem(null);
      setPlan(await planOf(`{"kind":${JSON.stringify(job.kind)},"queue":${JSON.stringify(job.queue)},"args":${write(/** @type {Node} */ (args), { flat: true })}}`));
    } catch (err) {
      setProblem(asProblem(err));
    }
  };
  return html`
    <${Panel} title="What it does" tools=${html`<${Button} shortcut="e" onClick=${ask}>${plan ? "Again" : "Explain"}<//>`}>
      ${problem && html`<${Failure} problem=${problem} what="No plan" />`}
      ${plan ? html`<${PlanView} plan=${plan} />` : !problem && html`<p class="muted small">Shows the SQL with placeholders, or the request without secrets, as it would be now. Nothing is run.</p>`}
    <//>`;
}

/** @param {{plan: Node}} props */
export function PlanView({ plan }) {
  const inner = member(plan, "plan") ?? plan;
  const sql = texts(inner);
  return html`
    <div class="stack">
      ${sql.map((text) => html`<div class="json-box"><div class="json-copy"><${CopyButton} text=${text} what="the SQL" /></div><pre class="json sql" tabindex="0" aria-label="SQL">${text}</pre></div>`)}
      <${JsonView} node=${inner} what="the plan" />
    </div>`;
}

/** The SQL in a plan, however deep. @param {Node} node @returns {string[]} */
function texts(node) {
  if (node.type === "array") return node.items.flatMap(texts);
  if (node.type !== "object") return [];
  return node.members.flatMap((m) => (m.name === "sql" && m.value.type === "string" ? [m.value.value] : m.value.type === "string" ? [] : texts(m.value)));
}
