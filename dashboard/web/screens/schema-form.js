// A form for the args of a kind, made from their JSON Schema. Each field holds
// JSON text, so that numbers are sent as they were typed.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { read } from "../json.js";
import { Button } from "../ui/parts.js";
import { Field } from "../ui/form.js";

/** @typedef {{type?: string | string[], enum?: any[], const?: any, description?: string, minimum?: number, maximum?: number, default?: any, examples?: any[], properties?: Record<string, Schema>, required?: string[]}} Schema */

/** What fields with such ids may well hold: the targets that are configured. */
export const choices = signal(/** @type {Record<string, string[]>} */ ({}));

/** Fields with what they must have. @param {Schema} schema @returns {Record<string, string>} */
export function firstDraft(schema) {
  const draft = /** @type {Record<string, string>} */ ({});
  for (const name of schema.required ?? []) {
    const type = typeOf(schema.properties?.[name] ?? {});
    if (type === "object") draft[name] = "{}";
    if (type === "array") draft[name] = "[]";
  }
  return draft;
}

/** @param {Schema} s */
function typeOf(s) {
  if (s.enum) return "enum";
  const types = [s.type ?? []].flat().filter((t) => t !== "null");
  return types.length === 1 ? types[0] : "json";
}

/** @param {{schema: Schema, draft: Record<string, string>, faults: import("../api.js").Fault[], onChange: (draft: Record<string, string>) => void}} props */
export function SchemaForm({ schema, draft, faults, onChange }) {
  const [all, setAll] = useState(false);
  const names = Object.keys(schema.properties ?? {});
  const required = new Set(schema.required ?? []);
  const first = names.filter((n) => required.has(n) || n in draft || faulty(faults, n));
  const rest = names.filter((n) => !first.includes(n));
  // Without anything required, the few that there are are shown at once.
  const few = first.length === 0 || rest.length <= 2;
  const set = (/** @type {string} */ name, /** @type {string} */ text) => onChange({ ...draft, [name]: text });
  const field = (/** @type {string} */ name) => html`<${Property} key=${name} name=${name} schema=${schema.properties?.[name] ?? {}} text=${draft[name] ?? ""} required=${required.has(name)}
    fault=${faulty(faults, name)} onChange=${(/** @type {string} */ text) => set(name, text)} />`;
  return html`
    <div class="form">
      ${(all || few ? names : names.filter((n) => first.includes(n))).map(field)}
      ${!few && html`<div><${Button} kind="plain" onClick=${() => setAll(!all)}>${all ? "Only what is required" : `${rest.length} more: ${rest.slice(0, 4).join(", ")}${rest.length > 4 ? "…" : ""}`}<//></div>`}
      ${names.length === 0 && html`<p class="muted small">This kind takes no args.</p>`}
    </div>`;
}

/** @param {import("../api.js").Fault[]} faults @param {string} name */
const faulty = (faults, name) => faults.find((f) => f.pointer === `/args/${name}` || f.pointer.startsWith(`/args/${name}/`))?.message;

/** @param {{name: string, schema: Schema, text: string, required: boolean, fault?: string, onChange: (text: string) => void}} props */
function Property({ name, schema, text, required, fault, onChange }) {
  const id = `arg-${name}`;
  const label = html`<span class="mono">${name}</span>${required ? html` <span class="muted">required</span>` : ""}`;
  return html`<${Field} id=${id} label=${label} hint=${schema.description} fault=${fault ?? unreadable(schema, text)}><${Input} id=${id} schema=${schema} text=${text} required=${required} invalid=${!!fault} onChange=${onChange} /><//>`;
}

/** @param {Schema} schema @param {string} text */
function unreadable(schema, text) {
  const type = typeOf(schema);
  if (!["object", "array", "json"].includes(type) || text.trim() === "") return undefined;
  try {
    read(text);
    return undefined;
  } catch (err) {
    return `No JSON yet: ${err instanceof Error ? err.message : err}`;
  }
}

/** The string that JSON text is; the text itself while it is none. @param {string} text */
function unquoted(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "string" ? value : text;
  } catch {
    return text;
  }
}

/** @param {{id: string, schema: Schema, text: string, required: boolean, invalid: boolean, onChange: (text: string) => void}} props */
function Input({ id, schema, text, required, invalid, onChange }) {
  const common = { id, required, "aria-invalid": invalid ? "true" : undefined, spellcheck: false };
  const on = (/** @type {(value: string) => string} */ encode) => (/** @type {any} */ e) => onChange(encode(e.target.value));
  switch (typeOf(schema)) {
    case "string":
      return html`<input ...${common} type="text" list=${choices.value[id] ? `${id}-choices` : undefined} value=${unquoted(text)} onInput=${on((v) => (v === "" ? "" : JSON.stringify(v)))} />${choices.value[id] && html`<datalist id=${`${id}-choices`}>${choices.value[id].map((c) => html`<option value=${c}></option>`)}</datalist>`}`;
    case "integer": case "number":
      return html`<input ...${common} type="text" inputmode="decimal" value=${text} placeholder=${schema.default ?? ""} onInput=${on((v) => (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(v.trim()) || v === "" ? v.trim() : JSON.stringify(v)))} />`;
    case "boolean":
      return html`<select ...${common} onChange=${on((v) => v)}>${["", "true", "false"].map((v) => html`<option value=${v} selected=${v === text}>${v || "not said"}</option>`)}</select>`;
    case "enum":
      return html`<select ...${common} onChange=${on((v) => v)}><option value="">${required ? "choose" : "not said"}</option>${(schema.enum ?? []).map((v) => html`<option value=${JSON.stringify(v)} selected=${JSON.stringify(v) === text}>${String(v)}</option>`)}</select>`;
    default:
      return html`<textarea ...${common} rows=${text.includes("\n") ? 6 : 3} value=${text} placeholder="JSON" onInput=${on((v) => v)}></textarea>`;
  }
}
