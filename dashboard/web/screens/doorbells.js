// asynq's own view of a queue: doorbells, which are no jobs.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { get, pathOf } from "../api.js";
import { bytes, count, plural, shortID } from "../format.js";
import { useResource } from "../resource.js";
import { Badge, JobLink, Loaded, Panel, When } from "../ui/parts.js";

/** @param {{queue: import("../types.js").QueueItem}} props */
export function Doorbells({ queue: { name, redis: r } }) {
  if (!r) {
    return html`<${Panel} title="Doorbells, in Redis"><p class="muted small">There is no Redis, or it does not answer: workers take jobs straight from the ledger.</p><//>`;
  }
  return html`
    <${Panel} title="Doorbells, in Redis">
      <dl class="facts counts">
        <dt>Pending</dt><dd>${count(r.pending)}</dd><dt>Processed today</dt><dd>${count(r.processed)}</dd>
        <dt>Active</dt><dd>${count(r.active)}</dd><dt>Failed today</dt><dd>${count(r.failed)}</dd>
        <dt>Leases</dt><dd>${count(r.leases)}</dd><dt>Memory</dt><dd>${bytes(r.memory_bytes)}</dd>
      </dl>
      <p class="small muted">A doorbell tells workers of up to 100 jobs that are due, so these are no counts of jobs.</p>
      <${Fold} title="Doorbells held now, with their jobs" of=${Bells} name=${name} />
      <${Fold} title="By day" of=${Days} days=${r.days} />
      <${Servers} servers=${r.servers} />
    <//>`;
}

/** What is shown, and asked for, only when somebody wants it. @param {{title: string, of: any, [more: string]: any}} props */
function Fold({ title, of, ...props }) {
  const [open, setOpen] = useState(false);
  return html`<details class="fold" onToggle=${(/** @type {any} */ e) => setOpen(e.currentTarget.open)}><summary>${title}</summary>${open && html`<${of} ...${props} />`}</details>`;
}

/** @param {{name: string}} props */
function Bells({ name }) {
  const bells = useResource((abort) => get(pathOf("queues", name, "doorbells"), {}, abort), `doorbells of ${name}`, { every: 5, events: true });
  return html`<${Loaded} of=${bells} what="Could not load the doorbells">${(/** @type {{items: import("../types.js").Doorbell[]}} */ { items }) => (items.length
    ? html`<ul class="bells">${items.map((b) => html`<${Bell} key=${b.id} bell=${b} />`)}</ul>`
    : html`<p class="small muted">None: every job that is due has been taken.</p>`)}<//>`;
}

/** @param {{bell: import("../types.js").Doorbell}} props */
function Bell({ bell: b }) {
  const links = html`<ul class="bell-jobs">${b.jobs.map((j) => html`<li key=${j.id}><${JobLink} id=${j.id} /> <span class="muted">${j.state}</span></li>`)}</ul>`;
  const hidden = b.rings_for - b.jobs.length;
  return html`
    <li data-doorbell=${b.id}>
      <div class="bell"><${Badge} tone=${b.state === "active" ? "info" : "calm"} hollow=${b.state !== "active"}>${b.state}<//><span class="mono small muted" title=${b.id}>${shortID(b.id)}</span>
        <span class="small">rings for ${plural(b.rings_for, "job")}</span></div>
      ${b.jobs.length > 6 ? html`<details class="small"><summary>Show them</summary>${links}</details>` : links}
      ${hidden > 0 && html`<p class="tiny muted">${plural(hidden, "job")} not kept any more, or not yours to see</p>`}
    </li>`;
}

/** @param {{days: import("../types.js").RedisDay[]}} props */
const Days = ({ days }) => html`
  <table class="plain"><thead><tr><th>Day (UTC)</th><th class="num">Processed</th><th class="num">Failed</th></tr></thead>
    <tbody>${days.map((d) => html`<tr key=${d.date}><td>${d.date}</td><td class="num">${count(d.processed)}</td><td class="num">${count(d.failed)}</td></tr>`)}</tbody></table>`;

/** What takes doorbells in the workers. @param {{servers: import("../types.js").RedisServer[]}} props */
const Servers = ({ servers }) => (servers.length ? html`
  <div class="table-wrap"><table class="plain"><thead><tr><th>asynq server</th><th>Queues</th><th class="num">Answers</th><th class="num">Started</th></tr></thead>
    <tbody>${servers.map((s) => html`<tr key=${s.id} data-server=${s.id}>
      <td class="mono" title=${s.id}>${s.host}:${s.pid}${s.status === "active" ? "" : html` <${Badge} tone="warn" hollow>${s.status}<//>`}</td>
      <td title=${s.strict ? "In the order of their weights" : "By weight"}>${Object.entries(s.queues).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([name, weight]) => `${name} ${weight}`).join(", ")}</td>
      <td class="num" title=${`${plural(s.active, "doorbell")} at the moment, ${count(s.concurrency)} at most`}>${count(s.active)} of ${count(s.concurrency)}</td>
      <td class="num"><${When} time=${s.started_at} /></td></tr>`)}</tbody></table></div>`
  : html`<p class="small muted">No asynq server serves it: no worker, or workers that take jobs from the ledger.</p>`);
