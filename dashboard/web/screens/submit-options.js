// Options of a submission, besides its kind and args.
import { html } from "../html.js";
import { Field } from "../ui/form.js";

/**
 * @typedef {{name: string, label: string, hint: string, type?: string, as?: "text" | "number" | "list" | "moment"}} Option
 * @type {Option[]}
 */
const options = [
  { name: "delay", label: "Delay", hint: "such as 30s or 5m; runs at once if empty" },
  { name: "run_at", label: "Or run at", hint: "in your time zone", type: "datetime-local", as: "moment" },
  { name: "timeout", label: "Timeout", hint: "of one attempt, 30s if empty" },
  { name: "max_attempts", label: "Attempts at most", hint: "1 to 1000, 10 if empty", as: "number" },
  { name: "expires_at", label: "Expires at", hint: "if it has not started by then", type: "datetime-local", as: "moment" },
  { name: "deadline", label: "Deadline", hint: "must have completed by then", type: "datetime-local", as: "moment" },
  { name: "tags", label: "Tags", hint: "with commas between them", as: "list" },
  { name: "idempotency_key", label: "Idempotency key", hint: "submitting again with it makes no second job" },
];

/** The options as members of the submission, in JSON. @param {Record<string, string>} value */
export function optionsText(value) {
  const members = [];
  if (value.queue) members.push(`"queue":${JSON.stringify(value.queue)}`);
  for (const { name, as } of options) {
    const text = (value[name] ?? "").trim();
    if (text) members.push(`${JSON.stringify(name)}:${written(text, as)}`);
  }
  return members.length ? `,${members.join(",")}` : "";
}

/** @param {string} text @param {Option["as"]} as */
function written(text, as) {
  switch (as) {
    case "number": return /^-?\d+$/.test(text) ? text : JSON.stringify(text);
    case "list": return JSON.stringify(text.split(",").map((t) => t.trim()).filter(Boolean));
    case "moment": return JSON.stringify(new Date(text).toISOString());
    default: return JSON.stringify(text);
  }
}

/** @param {{queues: string[], value: Record<string, string>, faults: import("../api.js").Fault[], onChange: (value: Record<string, string>) => void}} props */
export const Options = ({ queues, value, faults, onChange }) => html`
  <div class="form-row">
    <${Field} id="o-queue" label="Queue"><select id="o-queue" onChange=${(/** @type {any} */ e) => onChange({ ...value, queue: e.target.value === "default" ? "" : e.target.value })}>
      ${[...new Set(["default", ...queues])].map((q) => html`<option value=${q} selected=${q === (value.queue || "default")}>${q}</option>`)}</select><//>
    ${options.map((o) => html`<${Field} key=${o.name} id=${`o-${o.name}`} label=${o.label} hint=${o.hint} fault=${faults.find((f) => f.pointer.startsWith(`/${o.name}`))?.message}>
      <input id=${`o-${o.name}`} type=${o.type ?? "text"} value=${value[o.name] ?? ""} autocomplete="off" onInput=${(/** @type {any} */ e) => onChange({ ...value, [o.name]: e.target.value })} /><//>`)}
  </div>`;
