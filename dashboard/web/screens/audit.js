// What operators did.
import { html } from "../html.js";
import { get } from "../api.js";
import { moment, timeZone } from "../format.js";
import { jobLink, linkTo, place, setQuery } from "../router.js";
import { may } from "../session.js";
import { useResource } from "../resource.js";
import { Badge, Button, Empty, Loaded, Panel, When } from "../ui/parts.js";
import { Head } from "../ui/head.js";
import { queueLink } from "./queues.js";
import { scheduleLink } from "./schedules.js";

/**
 * @typedef {{id: string, at: string, key: {id: string, name: string} | null, via: string, address: string, action: string,
 *   target: string | null, outcome: string, request_id: string}} Entry
 */

const groups = [["", "Every action"], ["job.", "Jobs"], ["queue.", "Queues"], ["schedule.", "Schedules"], ["database.", "Databases"], ["client.", "Clients"], ["worker.", "Workers"], ["session.", "Logins"]];

export function Audit() {
  if (!may("audit:read")) {
    return html`<${Head} title="Audit" /><${Panel} flush><${Empty} title="Your key may not read the audit log."><p>That takes the scope <code>audit:read</code>: the roles operator and admin have it.</p><//><//>`;
  }
  return html`<${Head} title="Audit" /><${Log} />`;
}

function Log() {
  const { query } = place.value;
  const filter = Object.fromEntries(["action", "key", "target", "cursor"].map((name) => [name, query.get(name) ?? ""]));
  const log = useResource((abort) => get("/v1/audit", { ...filter, limit: 50 }, abort), JSON.stringify(filter), { every: 10 });
  const set = (/** @type {string} */ name) => (/** @type {any} */ e) => setQuery({ [name]: e.target.value.trim(), cursor: null });
  return html`
    <div class="filter-row">
      <select aria-label="Action" class=${filter.action ? "is-set" : ""} onChange=${set("action")}>${groups.map(([v, text]) => html`<option value=${v} selected=${v === filter.action}>${text}</option>`)}</select>
      <input type="text" class=${`short ${filter.key ? "is-set" : ""}`} aria-label="Id of the key" placeholder="Key id" defaultValue=${filter.key} key=${filter.key} onChange=${set("key")} />
      <input type="text" class=${`wide ${filter.target ? "is-set" : ""}`} aria-label="Target" placeholder="Target: id or name" defaultValue=${filter.target} key=${`t${filter.target}`} onChange=${set("target")} />
      ${Object.values(filter).some(Boolean) && html`<${Button} kind="plain" icon="close" href=${linkTo("audit")}>Clear<//>`}
    </div>
    <${Loaded} of=${log} what="Could not load the audit log">${(/** @type {{items: Entry[], next_cursor: string | null}} */ page) => html`
      <section class="panel flush" aria-label="Audit log">
        ${page.items.length ? html`<${Table} items=${page.items} />` : html`<${Empty} title="Nobody has acted, or the filters match nothing."><p>Pausing, canceling, retrying, logging in: whatever is done by hand is written here with the change itself.</p><//>`}
        ${(filter.cursor || page.next_cursor) && html`<div class="pager">
          <${Button} icon="left" shortcut="[" disabled=${!filter.cursor} onClick=${() => setQuery({ cursor: null })}>First page<//>
          <${Button} icon="right" shortcut="]" disabled=${!page.next_cursor} onClick=${() => setQuery({ cursor: page.next_cursor })}>Older<//></div>`}
      </section>`}<//>`;
}

/** @param {{items: Entry[]}} props */
const Table = ({ items }) => html`
  <div class="table-wrap"><table>
    <thead><tr><th>When <span class="muted">(${timeZone()})</span></th><th>Who</th><th>Action</th><th>Target</th><th>Outcome</th><th>From</th></tr></thead>
    <tbody>${items.map((e) => html`<tr key=${e.id}>
      <td class="nowrap"><span class="hide-small">${moment(e.at)} </span><span class="muted"><${When} time=${e.at} /></span></td>
      <td class="nowrap">${e.key ? html`<a href=${linkTo("audit", { key: e.key.id })} title=${e.key.id}>${e.key.name || e.key.id}</a>` : html`<span class="muted">no key needed</span>`} ${e.via === "session" && html`<span class="tag">dashboard</span>`}</td>
      <td class="mono">${e.action}</td><td><${Target} entry=${e} /></td>
      <td>${e.outcome === "ok" ? html`<${Badge} tone="good">done<//>` : html`<${Badge} tone="bad" title="The problem that was answered">${e.outcome}<//>`}</td>
      <td class="mono muted" title=${`Request ${e.request_id}`}>${e.address}</td></tr>`)}</tbody>
  </table></div>`;

/** @param {{entry: Entry}} props */
function Target({ entry: { action, target } }) {
  if (!target) return html`<span class="muted">–</span>`;
  const links = /** @type {Record<string, (name: string) => string>} */ ({ job: jobLink, queue: queueLink, schedule: scheduleLink });
  const to = links[action.split(".")[0]];
  return to ? html`<a class="mono" data-row href=${to(target)}>${target}</a>` : html`<span class="mono">${target}</span>`;
}
