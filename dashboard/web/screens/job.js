// One job: what it is, where it stands and why, what every run of it did.
import { useEffect } from "preact/hooks";
import { html } from "../html.js";
import { pathOf, send } from "../api.js";
import { now } from "../clock.js";
import { member, read, isNull } from "../json.js";
import { awake, openStream } from "../live.js";
import { linkTo } from "../router.js";
import { moment, relative, timeZone } from "../format.js";
import { useResource } from "../resource.js";
import { ended, reasons, stateOf } from "../states.js";
import { Empty, Failure, Meter, Notice, Panel, StateBadge, When } from "../ui/parts.js";
import { CopyButton } from "../ui/copy.js";
import { Head } from "../ui/head.js";
import { JsonView } from "../ui/json-view.js";
import { JobActions } from "./job-actions.js";
import { Plan } from "./job-plan.js";
import { Timeline } from "./job-timeline.js";

/** @typedef {import("../types.js").JobItem} JobItem */

/** The job, with the text that it came in: its payload is shown from that. @param {string} id @param {AbortSignal} abort */
async function load(id, abort) {
  const [job, attempts] = await Promise.all([
    send(pathOf("jobs", id), { signal: abort }),
    send(pathOf("jobs", id, "attempts"), { signal: abort }),
  ]);
  return { job: /** @type {JobItem} */ (job.value), tree: read(job.text), attempts: withSummaries(attempts) };
}

/** The runs, each with its summary as it was sent. @param {import("../api.js").Answer} answer @returns {import("../types.js").Attempt[]} */
function withSummaries({ value, text }) {
  const items = member(read(text), "items");
  return value.items.map((/** @type {any} */ a, /** @type {number} */ i) => {
    const node = items?.type === "array" ? member(items.items[i], "summary") : undefined;
    return { ...a, node: isNull(node) ? undefined : node };
  });
}

/** @param {{name: string}} props */
export function Job({ name: id }) {
  const found = useResource((abort) => load(id, abort), id, { every: 15 });
  const over = found.data && ended(found.data.job.state);
  useOwnStream(id, !!found.data && !over, found);
  if (found.error && !found.data) {
    return html`<${Head} title="Job" />${found.error.status === 404
      ? html`<${Panel} flush><${Empty} title="There is no such job."><p>It may have ended longer ago than the ledger keeps history, or been deleted. <span class="mono">${id}</span></p><//><//>`
      : html`<${Failure} problem=${found.error} again=${found.reload} what="Could not load this job" />`}`;
  }
  if (!found.data) return html`<${Head} title="Job" /><p class="waiting" role="status">Loading…</p>`;
  const { job, tree, attempts } = found.data;
  return html`
    <${Head} plain=${`${job.kind} ${job.state}`} title=${html`<span class="mono">${job.kind}</span>`} tools=${html`<${JobActions} job=${job} tree=${tree} onDone=${found.reload} />`} />
    <div class="job-line">
      <span aria-live="polite"><${StateBadge} state=${job.state} /></span>
      <span class="mono small muted job-id">${job.id}</span><${CopyButton} text=${job.id} what="the id" />
    </div>
    ${found.error && html`<${Failure} problem=${found.error} again=${found.reload} what="This may be stale" />`}
    <${Standing} job=${job} />
    <div class="job-grid">
      <div class="stack">
        <${Panel} title="Life"><${Timeline} job=${job} attempts=${attempts} /><//>
        <${Payload} tree=${tree} job=${job} />
        <${Plan} job=${job} tree=${tree} />
      </div>
      <${Panel} title="Facts" tools=${html`<span class="tiny muted">times in ${timeZone()}</span>`}><${Facts} job=${job} /><//>
    </div>`;
}

/**
 * Follows the job by its own stream while it lives.
 * @param {string} id @param {boolean} on @param {import("../resource.js").Resource<any>} found
 */
function useOwnStream(id, on, { patch, reload }) {
  const follow = on && awake.value;
  useEffect(() => {
    if (!follow) return undefined;
    const merge = (/** @type {Partial<JobItem>} */ data) => patch((was) => ({ ...was, job: { ...was.job, ...data } }));
    return openStream(pathOf("jobs", id, "events"), {
      progress: (progress) => merge({ progress }),
      state: (job) => { merge(job); void reload(); },
      gone: () => void reload(),
    });
  }, [id, follow]);
}

/** Where it stands: why it waits, how far it is, what went wrong. @param {{job: JobItem}} props */
function Standing({ job }) {
  const { waiting_on: wait, progress, error } = job;
  return html`
    ${wait && html`<${Notice} tone=${["scheduled", "backlog", "backoff"].includes(wait.reason) ? "info" : "warn"}>
      <div class="grow"><div class="strong">It waits: ${reasons[wait.reason] ?? wait.reason}.</div>
        ${wait.detail && html`<div class="small muted">${wait.detail}</div>`}
        ${wait.until && html`<div class="small">Until <time datetime=${wait.until}>${moment(wait.until)}</time>, ${relative(wait.until, now.value)}.</div>`}</div><//>`}
    ${progress && (job.state === "active" || progress.done < (progress.total ?? 0)) && html`<${Panel}>
      <div class="progress" aria-live="polite"><div class="small"><span class="strong">${progress.done}</span>${progress.total ? ` of ${progress.total}` : ""} ${progress.message}</div>
        ${progress.total && html`<${Meter} share=${progress.done / progress.total} label=${`${progress.done} of ${progress.total}`} />`}</div><//>`}
    ${job.state === "unknown" && html`<${Notice} tone="warn"><div class="grow"><div class="strong">Nobody can tell whether its effect took place.</div>
      <div class="small">Look at the upstream. If it did not happen, retry: the same idempotency key is sent. If it did, leave the job as it is.</div></div><//>`}
    ${error && job.state !== "completed" && html`<${Notice} tone=${ended(job.state) ? "bad" : "warn"}>
      <div class="grow"><div class="strong"><span class="mono">${error.code}</span>${ended(job.state) ? "" : ", of the last run"}</div><div class="small pre">${error.message}</div></div><//>`}`;
}

/** @param {{tree: import("../json.js").Node, job: JobItem}} props */
function Payload({ tree, job }) {
  const args = member(tree, "args");
  const result = member(tree, "result");
  const hidden = isNull(args);
  return html`
    <${Panel} title="Args">${hidden
      ? html`<p class="muted small">Only the key that submitted the job, and keys with the scope <code>jobs:payload</code>, see its payload.</p>`
      : html`<${JsonView} node=${args} what="args" />`}<//>
    ${!hidden && (!isNull(result) || job.links.result || job.state === "completed") && html`
      <${Panel} title=${ended(job.state) ? "Result" : "Result so far"}>${!isNull(result) ? html`<${JsonView} node=${result} what="result" />`
        : job.links.result ? html`<${LargeResult} id=${job.id} />` : html`<p class="muted small">It has none.</p>`}<//>`}`;
}

/** A result over 256 KiB is read only when somebody wants it. @param {{id: string}} props */
function LargeResult({ id }) {
  const href = new URL(pathOf("jobs", id, "result").slice(1), new URL(linkTo("../"), location.href)).href;
  return html`<p class="small">It is over 256 KiB. <a href=${href} download=${`${id}.json`}>Download it</a></p>`;
}

/** @param {{job: JobItem}} props */
const Facts = ({ job }) => html`
  <dl class="facts">
    <dt>State</dt><dd>${job.state}: ${stateOf(job.state).means}</dd>
    <dt>Queue</dt><dd><a href=${linkTo(`queues/${encodeURIComponent(job.queue)}`)}>${job.queue}</a></dd>
    <dt>Attempts</dt><dd>${job.attempt} of at most ${job.max_attempts}</dd>
    ${job.crashes > 0 && html`<dt>Crashes</dt><dd class="bad">${job.crashes}: workers that died while they ran it; the third ends it</dd>`}
    ${job.generation > 0 && html`<dt>Retried by hand</dt><dd>${job.generation === 1 ? "once" : `${job.generation} times`}</dd>`}
    <dt>Delivery</dt><dd>${job.delivery === "exactly_once_effect" ? "exactly once: effect and record are one transaction" : "at least once"}</dd>
    <dt>Accepted</dt><dd>${moment(job.created_at)} <span class="muted">(<${When} time=${job.created_at} />)</span></dd>
    <dt>Due</dt><dd>${moment(job.run_at)}</dd>
    ${job.started_at && html`<dt>Last started</dt><dd>${moment(job.started_at)}</dd>`}
    ${job.finished_at && html`<dt>Ended</dt><dd>${moment(job.finished_at)}</dd>`}
    ${job.schedule && html`<dt>Schedule</dt><dd><a href=${linkTo(`schedules/${encodeURIComponent(job.schedule)}`)}>${job.schedule}</a></dd>`}
    <dt>Tags</dt><dd>${job.tags.length ? job.tags.map((t) => html`<a class="tag clip" href=${linkTo("jobs", { tag: t })} title=${t}>${t}</a> `) : html`<span class="muted">none</span>`}</dd>
    <dt>Alike</dt><dd><a href=${linkTo("jobs", { kind: job.kind, state: job.state })}>${job.kind}, ${job.state}</a></dd>
  </dl>`;
