// All queues: what waits, for how long, what Redis holds of it.
import { html } from "../html.js";
import { get, getIfThere, pathOf, post } from "../api.js";
import { brief, count, duration, plural } from "../format.js";
import { linkTo } from "../router.js";
import { may } from "../session.js";
import { asProblem, useResource } from "../resource.js";
import { most } from "../stats.js";
import { Badge, Button, Empty, Loaded } from "../ui/parts.js";
import { Spark } from "../ui/chart.js";
import { confirm } from "../ui/dialog.js";
import { Head } from "../ui/head.js";
import { done, failed } from "../ui/toast.js";

/** @typedef {import("../types.js").QueueItem} QueueItem */

export const queueLink = (/** @type {string} */ name) => linkTo(`queues/${encodeURIComponent(name)}`);

/** Pauses after a question; resumes at once. @param {QueueItem} queue @param {() => Promise<void>} then */
export async function pauseOrResume(queue, then) {
  const act = async () => {
    await post(pathOf("queues", queue.name, queue.paused ? "resume" : "pause"));
    done(queue.paused ? `${queue.name} goes on.` : `${queue.name} is paused: no job of it starts.`);
    await then();
  };
  if (!queue.paused) {
    confirm({
      title: `Pause ${queue.name}?`, yes: "Pause", danger: true, act,
      text: html`<p class="muted">Jobs are still accepted, those that run go on, and none starts until you resume it.
        ${waitingIn(queue) ? ` ${plural(waitingIn(queue), "job")} wait in it now.` : ""}</p>`,
    });
    return;
  }
  try {
    await act();
  } catch (err) {
    failed(asProblem(err).message);
  }
}

/** Jobs that have not ended and do not run. @param {QueueItem} q */
export const waitingIn = (q) => ["waiting", "scheduled", "pending", "retry", "parked"].reduce((sum, s) => sum + (q.counts[s] ?? 0), 0);

/** Seconds up to which nobody minds that a job waits. */
const calmAge = 10;

/** How bad it is that a job has waited so long. @param {number} seconds */
export const ageTone = (seconds) => (seconds > 60 ? "bad" : seconds > calmAge ? "warn" : "");

/** @param {{queue: string, state: string, n: number, tone?: string}} props */
const CountLink = ({ queue, state, n, tone = "" }) => (n
  ? html`<a class=${tone} href=${linkTo("jobs", { queue, state })} title=${`${count(n)} ${state}`}>${brief(n)}</a>`
  : html`<span class="muted">0</span>`);

export function Queues() {
  const queues = useResource((abort) => get("/v1/queues", {}, abort), "queues", { every: 5, events: true });
  const stats = useResource((abort) => getIfThere("/v1/stats", { window: "1h" }, abort), "stats", { every: 15 });
  return html`
    <${Head} title="Queues" />
    <${Loaded} of=${queues} what="Could not load the queues">${(/** @type {{items: QueueItem[]}} */ data) => (data.items.length
      ? html`<${Table} queues=${data.items} stats=${stats.data} reload=${queues.reload} />`
      : html`<section class="panel"><${Empty} title="There are no queues that you may see."><p>Your key is limited to queues that do not exist, or the ledger has only just been made.</p><//></section>`)}<//>`;
}

/** @param {{queues: QueueItem[], stats?: import("../stats.js").Stats, reload: () => Promise<void>}} props */
const Table = ({ queues, stats, reload }) => html`
  <section class="panel flush" aria-label="Queues">
    <div class="table-wrap"><table class="queues">
      <thead>
        ${queues.some((q) => q.redis) && html`<tr class="groups"><th colspan="2"></th><th colspan="10" scope="colgroup">Jobs, in the ledger</th><th colspan="3" scope="colgroup" class="edge">Doorbells, in Redis</th><th></th></tr>`}
        <tr><th>Queue</th>${queues.some((q) => q.weight) ? html`<th class="num hide-small">Weight</th>` : html`<th class="hide-small"></th>`}<th class="num">Oldest waits</th><th class="hide-small">Last hour</th><th class="num">Pending</th><th class="num">Active</th><th class="num">Retry</th><th class="num">Parked</th>
          <th class="num">Scheduled</th><th class="num">Archived</th><th class="num">Unknown</th><th class="num">Ended, last min</th>
          ${queues.some((q) => q.redis) && html`<th class="num edge">Pending</th><th class="num">Active</th><th class="num">Leases</th>`}<th></th></tr>
      </thead>
      <tbody>${queues.map((q) => html`
        <tr key=${q.name}>
          <td><a class="cover" data-row href=${queueLink(q.name)}>${q.name}</a> ${q.paused && html`<${Badge} tone="warn" hollow>paused<//>`}</td>
          <td class="num muted hide-small">${q.weight ?? ""}</td>
          <td class=${`num ${ageTone(q.oldest_seconds)}`}>${q.oldest_seconds ? duration(q.oldest_seconds) : html`<span class="muted">–</span>`}</td>
          <td class="hide-small"><${Aged} series=${stats?.queues.find((s) => s.name === q.name)?.oldest_series} words="hour" /></td>
          ${["pending", "active", "retry", "parked", "scheduled"].map((s) => html`<td class="num"><${CountLink} queue=${q.name} state=${s} n=${q.counts[s]} /></td>`)}
          ${["archived", "unknown"].map((s) => html`<td class="num"><${CountLink} queue=${q.name} state=${s} n=${q.counts[s]} tone="bad" /></td>`)}
          <td class="num">${count(q.throughput.finished_last_minute)}</td>
          ${q.redis ? html`<td class="num edge muted">${count(q.redis.pending)}</td><td class="num muted">${count(q.redis.active)}</td><td class="num muted">${count(q.redis.leases)}</td>`
            : queues.some((x) => x.redis) && html`<td class="num edge muted" colspan="3">not known</td>`}
          <td class="num">${may("queues:admin") && html`<${Button} kind="plain" icon=${q.paused ? "play" : "pause"} label=${q.paused ? "Resume" : "Pause"} onClick=${() => pauseOrResume(q, reload)} />`}</td>
        </tr>`)}</tbody>
    </table></div>
  </section>`;

/** How old the oldest due job was, over time: a line that rises says more than an age. @param {{series?: (number | null)[], words: string}} props */
export function Aged({ series, words }) {
  const high = series && most(series);
  if (!series || high === undefined) return html`<span class="spark-none"></span>`;
  if (high === null) return html`<span class="spark-none muted" title="No scheduler was there to look">not seen</span>`;
  return html`<${Spark} values=${series} least=${calmAge} color=${ageTone(high) ? `--${ageTone(high)}` : "--info"} label=${`The oldest waited for ${duration(high)} at most in the last ${words}`} />`;
}
