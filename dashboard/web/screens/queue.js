// One queue: its jobs in every state, its age over time, and asynq's own view.
import { html } from "../html.js";
import { get, getIfThere, pathOf, post } from "../api.js";
import { count, duration, plural, rate } from "../format.js";
import { linkTo } from "../router.js";
import { may } from "../session.js";
import { useResource } from "../resource.js";
import { states } from "../states.js";
import { Badge, Button, Empty, Failure, Loaded, Notice, Panel, StateBadge } from "../ui/parts.js";
import { Chart } from "../ui/chart.js";
import { Head } from "../ui/head.js";
import { confirm } from "../ui/dialog.js";
import { Tile } from "../ui/tile.js";
import { done } from "../ui/toast.js";
import { pointsOf } from "../stats.js";
import { Doorbells } from "./doorbells.js";
import { JobTable } from "./jobs-table.js";
import { ageTone, pauseOrResume, waitingIn } from "./queues.js";

/** @typedef {import("../types.js").QueueItem} QueueItem */

/** @param {{name: string}} props */
export function Queue({ name }) {
  const mine = (/** @type {import("../live.js").Change} */ c) => c.queue === undefined || c.queue === name;
  const queue = useResource((abort) => get(pathOf("queues", name), {}, abort), name, { every: 5, events: mine });
  const stats = useResource((abort) => getIfThere("/v1/stats", { window: "1h", queue: name }, abort), `stats of ${name}`, { every: 10 });
  const jobs = useResource((abort) => get("/v1/jobs", { queue: name, limit: 10 }, abort), `jobs of ${name}`, { every: 15, events: mine });
  const q = /** @type {QueueItem | undefined} */ (queue.data);
  if (queue.error?.status === 404 || queue.error?.status === 403) {
    return html`<${Head} title=${name} /><${Panel} flush><${Empty} title="There is no such queue, or you may not see it."><p><a href=${linkTo("queues")}>All queues</a></p><//><//>`;
  }
  return html`
    <${Head} plain=${`Queue ${name}`} title=${html`${name} ${q?.paused && html`<${Badge} tone="warn" hollow>paused<//>`}`}
      tools=${q && may("queues:admin") && html`
        <${Button} icon=${q.paused ? "play" : "pause"} shortcut="u" onClick=${() => pauseOrResume(q, queue.reload)}>${q.paused ? "Resume" : "Pause"}<//>
        <${Button} kind="danger" icon="trash" shortcut="P" disabled=${!waitingIn(q)} title=${waitingIn(q) ? undefined : "Nothing waits in it"} onClick=${() => purge(q, queue.reload)}>Purge<//>`} />
    <${Loaded} of=${queue} what="Could not load the queue">${() => q && html`
      ${q.paused && html`<${Notice} tone="warn"><div class="grow">No job of this queue starts until it is resumed. ${plural(waitingIn(q), "job")} ${waitingIn(q) === 1 ? "waits" : "wait"}.</div><//>`}
      <div class="tiles">
        <${Tile} label="Oldest waits" value=${q.oldest_seconds ? duration(q.oldest_seconds) : "–"} tone=${ageTone(q.oldest_seconds)} note=${q.oldest_seconds ? "of the jobs that may start" : "nothing waits"} />
        <${Tile} label="Pending" value=${count(q.counts.pending)} note="may start now" />
        <${Tile} label="Active" value=${count(q.counts.active)} note="run now" />
        <${Tile} label="Ended" value=${count(q.throughput.finished_last_minute)} note="in the last minute" />
      </div>
      <div class="halves">
        <${Panel} title="Jobs, in the ledger"><ul class="state-list">${states.map((s) => html`
          <li><a href=${linkTo("jobs", { queue: name, state: s.name })}><${StateBadge} state=${s.name} /><span class="num">${count(q.counts[s.name])}</span></a></li>`)}</ul><//>
        <${Doorbells} queue=${q} />
      </div>
      ${stats.data && html`<${Waits} stats=${stats.data} name=${name} />`}`}<//>
    <${Panel} title="Newest jobs" flush tools=${html`<a class="small" href=${linkTo("jobs", { queue: name })}>All of them</a>`}>
      ${jobs.error && html`<${Failure} problem=${jobs.error} again=${jobs.reload} />`}
      ${jobs.data?.items.length ? html`<${JobTable} jobs=${jobs.data.items} />` : jobs.data && html`<${Empty} title="No job is kept of this queue."><p>Submit one with <code>"queue": ${JSON.stringify(name)}</code>.</p><//>`}
    <//>`;
}

/** Cancels all that waits. @param {QueueItem} queue @param {() => Promise<void>} then */
const purge = (queue, then) => confirm({
  title: `Purge ${queue.name}?`, yes: `Cancel ${plural(waitingIn(queue), "job")}`, danger: true, word: queue.name,
  text: html`<p class="muted">Every job that waits in it is canceled; those that run go on. Each can be retried by hand.</p>`,
  act: async () => {
    const { purged, more } = await post(pathOf("queues", queue.name, "purge"), { confirm: queue.name });
    done(`${plural(purged, "job")} canceled.${more ? " There are more: purge again." : ""}`);
    await then();
  },
});

/** @param {{stats: import("../stats.js").Stats, name: string}} props */
function Waits({ stats, name }) {
  const points = pointsOf(stats);
  const times = points.map((p) => p.time);
  const oldest = stats.queues.find((q) => q.name === name)?.oldest_series ?? [];
  return html`
    <div class="halves">
      <${Panel} label="Waits over time"><${Chart} title="Waits, last hour" height=${130} times=${times} unit=${duration} series=${[
        { label: "oldest due", color: "--warn", fill: true, values: points.map((_, i) => oldest[i] ?? null) },
        { label: "95 % of those that ran", color: "--later", values: points.map((p) => p.wait.p95) }]} /><//>
      <${Panel} label="Throughput over time"><${Chart} title="Jobs, last hour" height=${130} times=${times} unit=${rate} series=${[
        { label: "submitted", color: "--calm", dashed: true, values: points.map((p) => p.submitted / p.seconds) }, { label: "ended", color: "--good", fill: true, values: points.map((p) => p.finished / p.seconds) }]} /><//>
    </div>`;
}
