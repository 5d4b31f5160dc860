// All schedules: what fires when, in words.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { get } from "../api.js";
import { inWords } from "../cron.js";
import { linkTo } from "../router.js";
import { may } from "../session.js";
import { useResource } from "../resource.js";
import { Badge, Button, Empty, JobLink, Loaded, When } from "../ui/parts.js";
import { Head } from "../ui/head.js";
import { ScheduleForm } from "./schedule-form.js";

/** @typedef {import("../types.js").ScheduleItem} ScheduleItem */

export const scheduleLink = (/** @type {string} */ name) => linkTo(`schedules/${encodeURIComponent(name)}`);

/** All pages of the list. @param {AbortSignal} abort @returns {Promise<ScheduleItem[]>} */
async function all(abort) {
  const items = [];
  let cursor = "";
  do {
    const page = await get("/v1/schedules", { limit: 200, cursor }, abort);
    items.push(...page.items);
    cursor = page.next_cursor ?? "";
  } while (cursor && items.length < 2000);
  return items;
}

export function Schedules() {
  const schedules = useResource(all, "schedules", { every: 15 });
  const [making, setMaking] = useState(false);
  const make = may("schedules:write") && html`<${Button} kind="primary" icon="submit" shortcut="n" onClick=${() => setMaking(true)}>New<//>`;
  return html`
    <${Head} title="Schedules" tools=${make} />
    <${Loaded} of=${schedules} what="Could not load the schedules">${(/** @type {ScheduleItem[]} */ items) => (items.length
      ? html`<${Table} items=${items} />`
      : html`<section class="panel"><${Empty} title="Nothing is scheduled."><p>A schedule submits a job again and again: by a cron expression, or <code>@every 10m</code>.
          ${may("schedules:write") ? "Make one above, or list them" : "They are listed"} under <code>schedules:</code> in the configuration.</p><//></section>`)}<//>
    ${making && html`<${ScheduleForm} onClose=${() => setMaking(false)} onDone=${schedules.reload} />`}`;
}

/** @param {{items: ScheduleItem[]}} props */
const Table = ({ items }) => html`
  <section class="panel flush" aria-label="Schedules"><div class="table-wrap"><table>
    <thead><tr><th>Name</th><th>Fires</th><th>Job</th><th class="num">Next</th><th class="num">Last</th><th>Last job</th></tr></thead>
    <tbody>${items.map((s) => html`
      <tr key=${s.name}>
        <td><a class="cover" data-row href=${scheduleLink(s.name)}>${s.name}</a> ${s.paused && html`<${Badge} tone="warn" hollow>paused<//>`}
          ${s.source === "config" && html`<span class="tag" title="It belongs to the configuration: change it there">config</span>`}</td>
        <td>${inWords(s.cron)} <span class="muted">${s.timezone}</span></td>
        <td class="mono">${s.job?.kind ?? "–"}</td>
        <td class="num">${s.paused ? html`<span class="muted">paused</span>` : html`<${When} time=${s.next_fires[0]} none="never" />`}</td>
        <td class="num"><${When} time=${s.last_fire} none="not yet" /></td>
        <td>${s.last_job ? html`<${JobLink} id=${s.last_job} />` : html`<span class="muted">–</span>`}</td>
      </tr>`)}</tbody>
  </table></div></section>`;
