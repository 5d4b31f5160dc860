// What a run did, from its summary: the request and the response, or the
// operation and its rows.
import { html } from "../html.js";
import { JsonView } from "../ui/json-view.js";

/** The summary's facts in one line, and the whole on request. @param {{attempt: import("../types.js").Attempt}} props */
export function Summary({ attempt }) {
  return attempt.node ? html`
    <details class="small"><summary>${headline(attempt.summary)}</summary><${JsonView} node=${attempt.node} what="what the run did" /></details>` : null;
}

/** @param {any} s */
function headline(s) {
  if (typeof s !== "object" || s === null) return "What it did";
  const parts = [];
  if (s.operation) parts.push(`${s.operation}${s.table ? ` ${s.table}` : ""}${s.query ? ` ${s.query}` : ""}`);
  if (s.method) parts.push(`${s.method} ${s.url ?? s.path ?? ""}`);
  if (s.status) parts.push(`answered ${s.status}`);
  if (s.rows_affected !== undefined && s.rows_affected !== null) parts.push(`${s.rows_affected} rows affected`);
  if (s.rows !== undefined && s.rows !== null && typeof s.rows === "number") parts.push(`${s.rows} rows`);
  if (s.cached) parts.push("from the cache");
  if (s.sends > 1) parts.push(`${s.sends} sends`);
  if (Array.isArray(s.steps)) parts.push(`${s.steps.length} steps`);
  return parts.length ? parts.join(" · ") : "What it did";
}
