// How things stand: what is amiss, how much is done, how long it takes.
import { html } from "../html.js";
import { get, getIfThere } from "../api.js";
import { count, duration, percent, plural, rate } from "../format.js";
import { linkTo, place, setQuery } from "../router.js";
import { useResource } from "../resource.js";
import { Empty, Failure, Loaded, Panel, Segments } from "../ui/parts.js";
import { Chart } from "../ui/chart.js";
import { Head } from "../ui/head.js";
import { Tile } from "../ui/tile.js";
import { pointsOf } from "../stats.js";
import { Alerts } from "./alerts.js";
import { Aged, ageTone, queueLink } from "./queues.js";

/** @typedef {import("../stats.js").Stats} Stats @typedef {import("../stats.js").Counts} Counts */

const windows = [["15m", "15 minutes"], ["1h", "hour"], ["6h", "6 hours"], ["24h", "day"], ["7d", "week"]];

export function Overview() {
  const asked = place.value.query.get("window") ?? "1h";
  const [window, words] = windows.find(([w]) => w === asked) ?? windows[1];
  const stats = useResource((abort) => get("/v1/stats", { window }, abort), window, { every: 5, events: true, pace: 2.5 });
  const workers = useResource((abort) => get("/v1/workers", {}, abort), "workers", { every: 5 });
  const alerts = useResource((abort) => getIfThere("/v1/alerts", { state: "firing" }, abort), "alerts", { every: 5 });
  const range = html`<${Segments} label="Time range" value=${window} options=${windows.map(([w, text]) => ({ value: w, text: w, title: `The last ${text}` }))} onPick=${(/** @type {string} */ w) => setQuery({ window: w === "1h" ? null : w })} />`;
  return html`
    <${Head} title="Overview" tools=${range} />
    ${alerts.error && html`<${Failure} problem=${alerts.error} again=${alerts.reload} what="Could not load the alerts" />`}
    <${Alerts} items=${alerts.data?.items ?? []} />
    <${Loaded} of=${stats} what="Could not load the figures">${(/** @type {Stats} */ s) => html`
      <${Tiles} stats=${s} workers=${workers.data?.items} words=${words} />
      <${Charts} stats=${s} />
      <div class="halves"><${ByQueue} stats=${s} words=${words} /><${ByKind} stats=${s} words=${words} /></div>`}<//>`;
}

/** @param {import("../stats.js").Times} t */
const spread = (t) => (t.count ? `half ${duration(t.p50)} · 99 % ${duration(t.p99)}` : "nothing ran");

/** @param {{stats: Stats, workers?: import("../types.js").WorkerItem[], words: string}} props */
function Tiles({ stats: { totals: t, drift }, workers, words }) {
  const alive = workers?.filter((w) => w.state !== "gone");
  const running = alive?.reduce((sum, w) => sum + w.running, 0);
  const room = alive?.reduce((sum, w) => sum + w.concurrency, 0) ?? 0;
  const rateTone = t.success_rate === null ? "" : t.success_rate < 0.95 ? "bad" : t.success_rate < 0.99 ? "warn" : "";
  return html`
    <div class="tiles">
      <${Tile} label="Throughput" value=${rate(t.finished_per_second)} note=${`${count(t.finished)} in the last ${words}`} />
      <${Tile} label="Success" value=${percent(t.success_rate)} tone=${rateTone} note=${t.success_rate === null ? "nothing has ended" : `${count(t.failed)} of ${count(t.completed + t.failed)} failed`} href=${linkTo("jobs", { state: "archived,expired,unknown" })} title="Those that failed" />
      <${Tile} label="Waited, 95 %" value=${t.wait.count ? duration(t.wait.p95) : "–"} note=${spread(t.wait)} />
      <${Tile} label="Ran, 95 %" value=${t.run.count ? duration(t.run.p95) : "–"} note=${spread(t.run)} />
      <${Tile} label="Waits now" value=${count(t.pending)} tone=${ageTone(t.oldest_seconds)} note=${t.pending ? `the oldest for ${duration(t.oldest_seconds)}` : "no job that may start"} href=${linkTo("jobs", { state: "pending", order: "asc" })} title="Jobs that may start, oldest first" />
      <${Tile} label="Runs now" value=${count(running)} note=${alive ? `${plural(alive.length, "worker")}, room for ${count(room)}` : ""} tone=${alive && alive.length === 0 ? "bad" : ""} href=${linkTo("workers")} />
      <${Tile} label="Drift" value=${drift === null ? "–" : count(drift)} tone=${drift ? "warn" : ""} note=${drift === null ? "no Redis" : drift ? "due, without a doorbell" : "ledger and Redis agree"} />
    </div>`;
}

const perSecond = (/** @type {number} */ v) => rate(v);
const amount = (/** @type {number} */ v) => (Number.isInteger(v) ? count(v) : "");

/** @param {{stats: Stats}} props */
function Charts({ stats }) {
  const points = pointsOf(stats);
  const times = points.map((p) => p.time);
  const per = (/** @type {"submitted" | "completed" | "failed"} */ what) => points.map((p) => p[what] / p.seconds);
  const quantiles = (/** @type {"wait" | "run"} */ what, /** @type {string} */ color) => [
    { label: "99 %", color: "--calm", dashed: true, values: points.map((p) => p[what].p99) },
    { label: "95 %", color, fill: true, values: points.map((p) => p[what].p95) },
    { label: "half", color: "--later", values: points.map((p) => p[what].p50) },
  ];
  return html`
    <div class="halves">
      <${Panel} label="Throughput over time"><${Chart} title="Jobs" times=${times} unit=${perSecond} series=${[
        { label: "submitted", color: "--calm", dashed: true, values: per("submitted") }, { label: "completed", color: "--good", fill: true, values: per("completed") },
        { label: "failed", color: "--bad", values: per("failed") }]} /><//>
      <${Panel} label="Failures over time"><${Chart} title="Failures and retries" times=${times} unit=${amount} series=${[
        { label: "archived", color: "--bad", fill: true, values: points.map((p) => p.archived) }, { label: "unknown", color: "--odd", values: points.map((p) => p.unknown) },
        { label: "runs to be repeated", color: "--warn", dashed: true, values: points.map((p) => p.retried) }]} /><//>
      <${Panel} label="Waits over time"><${Chart} title="Waited before they ran" times=${times} unit=${duration} series=${quantiles("wait", "--warn")} /><//>
      <${Panel} label="Runs over time"><${Chart} title="Ran" times=${times} unit=${duration} series=${quantiles("run", "--info")} /><//>
    </div>`;
}

/** @param {Counts} c */
const successCell = (c) => html`<td class=${`num ${c.success_rate !== null && c.success_rate < 0.95 ? "bad" : ""}`}>${c.success_rate === null ? html`<span class="muted">–</span>` : percent(c.success_rate)}</td>`;

/** @param {import("../stats.js").Times} t */
const p95Cell = (t) => html`<td class="num">${t.count ? duration(t.p95) : html`<span class="muted">–</span>`}</td>`;

/** @param {{stats: Stats, words: string}} props */
const ByQueue = ({ stats: { queues }, words }) => html`
  <${Panel} title="Queues" flush>${queues.length ? html`<div class="table-wrap"><table>
    <thead><tr><th>Queue</th><th class="num">Oldest waits</th><th class="num">Waits now</th><th class="num">Ended</th><th class="num">Success</th><th class="num">Waited, 95 %</th></tr></thead>
    <tbody>${queues.map((q) => html`<tr key=${q.name}><td><a class="cover" data-row href=${queueLink(q.name)}>${q.name}</a></td>
      <td class="num"><span class="spark-box"><${Aged} series=${q.oldest_series} words=${words} /><span class=${`age ${ageTone(q.oldest_seconds)}`}>${q.oldest_seconds ? duration(q.oldest_seconds) : html`<span class="muted">–</span>`}</span></span></td>
      <td class="num">${count(q.pending)}</td><td class="num">${count(q.finished)}</td>${successCell(q)}${p95Cell(q.wait)}</tr>`)}</tbody></table></div>` : html`<${Empty} title="There are no queues yet." />`}<//>`;

/** @param {{stats: Stats, words: string}} props */
const ByKind = ({ stats: { kinds }, words }) => html`
  <${Panel} title="Kinds" flush>${kinds.length ? html`<div class="table-wrap"><table>
    <thead><tr><th>Kind</th><th class="num">Ended</th><th class="num">Failed</th><th class="num">Success</th><th class="num">Ran, 95 %</th></tr></thead>
    <tbody>${kinds.map((k) => html`<tr key=${k.name}><td><a class="cover mono" data-row href=${linkTo("jobs", { kind: k.name })}>${k.name}</a></td><td class="num">${count(k.finished)}</td>
      <td class="num">${k.failed ? html`<a class="bad" href=${linkTo("jobs", { kind: k.name, state: "archived,expired,unknown" })}>${count(k.failed)}</a>` : html`<span class="muted">0</span>`}</td>${successCell(k)}${p95Cell(k.run)}</tr>`)}</tbody></table></div>`
    : html`<${Empty} title=${`No job was submitted or ended in the last ${words}.`}><p><a href=${linkTo("submit")}>Submit one</a></p><//>`}<//>`;
