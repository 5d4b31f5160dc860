// Dead letters by what went wrong: with thousands of them, this is where to
// begin.
import { html } from "../html.js";
import { get } from "../api.js";
import { count, plural } from "../format.js";
import { jobLink, linkTo, place } from "../router.js";
import { useResource } from "../resource.js";
import { Empty, Loaded, StateBadge, When } from "../ui/parts.js";

/**
 * @typedef {{code: string, kind: string, state: string, jobs: number, first_at: string, last_at: string, sample: {id: string, message: string}}} Group
 * @typedef {{items: Group[], examined: number, complete: boolean}} Groups
 */

const dead = ["archived", "expired", "unknown", "canceled"];

export function DeadLetters() {
  const { query } = place.value;
  const states = (query.get("state") ?? "").split(",").filter((s) => dead.includes(s));
  const filter = { state: states.join(",") || "archived,unknown", queue: query.get("queue"), kind: query.get("kind") };
  const groups = useResource((abort) => get("/v1/failures", filter, abort), JSON.stringify(filter), { every: 15, events: (c) => dead.includes(c.state), pace: 3 });
  return html`<${Loaded} of=${groups} what="Could not group the dead letters">${(/** @type {Groups} */ data) => html`
    <section class="panel flush" aria-label="Dead letters by error">
      <div class="panel-head jobs-bar"><span class="small muted" role="status" aria-live="polite">${plural(data.examined, "job")} in ${plural(data.items.length, "group")}${data.complete ? "" : `: the latest ${count(data.examined)}, there are more`}</span></div>
      ${data.items.length ? html`<${Table} groups=${data.items} queue=${filter.queue ?? ""} />` : html`<${Empty} title="Nothing has failed for good."><p>Jobs that are archived, or whose outcome is unknown, are gathered here by the code of their error.</p><//>`}
    </section>`}<//>`;
}

/** @param {{groups: Group[], queue: string}} props */
const Table = ({ groups, queue }) => html`
  <div class="table-wrap"><table class="groups-table">
    <thead><tr><th>Error</th><th>Kind</th><th>State</th><th class="num">Jobs</th><th>For example</th><th class="num">First</th><th class="num">Last</th></tr></thead>
    <tbody>${groups.map((g) => html`<tr key=${`${g.code} ${g.kind} ${g.state}`}>
      <td><a class="cover mono bad" data-row href=${linkTo("jobs", { state: g.state, kind: g.kind, queue, q: g.code })} title="Its jobs">${g.code || "none"}</a></td>
      <td class="mono">${g.kind}</td><td><${StateBadge} state=${g.state} /></td><td class="num strong">${count(g.jobs)}</td>
      <td class="example"><a class="clip" href=${jobLink(g.sample.id)} title=${g.sample.message}>${g.sample.message || g.sample.id}</a></td>
      <td class="num"><${When} time=${g.first_at} /></td><td class="num"><${When} time=${g.last_at} /></td></tr>`)}</tbody>
  </table></div>`;
