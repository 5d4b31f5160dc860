// A job's life: where its time went, and every run.
import { html } from "../html.js";
import { now } from "../clock.js";
import { between, clock, day, duration, plural } from "../format.js";
import { ended } from "../states.js";
import { StateBadge } from "../ui/parts.js";
import { Summary } from "./job-summary.js";

/** @typedef {import("../types.js").JobItem} JobItem @typedef {import("../types.js").Attempt} Attempt */

/**
 * @typedef {{what: "waited" | "ran" | "backed off" | "scheduled", from: string, to: string | number}} Span
 */

/** Where the time went. @param {JobItem} job @param {Attempt[]} attempts @returns {Span[]} */
function spansOf(job, attempts) {
  const end = job.finished_at ?? now.value;
  const spans = /** @type {Span[]} */ ([]);
  let at = job.created_at;
  const due = new Date(job.run_at).getTime();
  // A job that is parked is due later, too, but that is not what it was submitted for.
  if (due > new Date(at).getTime() + 1000 && attempts.length === 0 && job.state !== "parked") {
    const until = Math.min(due, new Date(end).getTime());
    spans.push({ what: "scheduled", from: at, to: until });
    at = new Date(until).toISOString();
  }
  attempts.forEach((a, i) => {
    if (between(at, a.started_at) > 0) spans.push({ what: i === 0 ? "waited" : "backed off", from: at, to: a.started_at });
    const to = a.finished_at ?? end;
    spans.push({ what: "ran", from: a.started_at, to });
    at = a.finished_at ?? new Date(end).toISOString();
  });
  if (!ended(job.state) && job.state !== "active" && between(at, end) > 0.001) spans.push({ what: attempts.length && job.state === "retry" ? "backed off" : "waited", from: at, to: end });
  return spans;
}

/** @param {{job: JobItem, attempts: Attempt[]}} props */
export function Timeline({ job, attempts }) {
  const spans = spansOf(job, attempts);
  const sums = new Map();
  for (const s of spans) sums.set(s.what, (sums.get(s.what) ?? 0) + Math.max(0, between(s.from, s.to)));
  const total = [...sums.values()].reduce((a, b) => a + b, 0);
  const text = [...sums].map(([what, seconds]) => `${what} ${duration(seconds)}`);
  return html`
    ${total > 0 && html`<div class="spans" role="img" aria-label=${text.join(", ")}>
      ${spans.map((s) => html`<i class=${`span-${s.what.replace(" ", "-")}`} style=${{ flexGrow: Math.max(between(s.from, s.to) / total, 0.004) }} title=${`${s.what} ${duration(between(s.from, s.to))}`}></i>`)}</div>
      <ul class="span-keys small">${[...sums].map(([what, seconds]) => html`<li><i class=${`span-${what.replace(" ", "-")}`}></i>${what} <span class="strong">${duration(seconds)}</span></li>`)}</ul>`}
    <ol class="life">
      <${Event} time=${job.created_at} tone="calm" title="Accepted" note=${html`into <span class="strong">${job.queue}</span>${job.schedule ? `, by the schedule ${job.schedule}` : ""}`} />
      ${attempts.map((a, i) => html`<${Run} key=${`${a.generation}.${a.number}.${a.started_at}`} attempt=${a} before=${attempts[i - 1]} job=${job} last=${i === attempts.length - 1} />`)}
      <${End} job=${job} attempts=${attempts} />
    </ol>`;
}

/** @param {{time?: string | null, tone: string, title: any, note?: any, children?: any}} props */
const Event = ({ time, tone, title, note, children }) => html`
  <li class=${`tone-${tone}`}>
    <time class="mono small muted" datetime=${time ?? undefined} title=${time ? day(new Date(time)) : undefined}>${time ? stamp(time) : ""}</time>
    <div class="life-what"><div><span class="strong">${title}</span> ${note && html`<span class="small muted">${note}</span>`}</div>${children}</div>
  </li>`;

/** The time of day to the millisecond. @param {string} time */
const stamp = (time) => `${clock(new Date(time))}.${String(new Date(time).getMilliseconds()).padStart(3, "0")}`;

const outcomes = /** @type {Record<string, [string, string]>} */ ({
  completed: ["good", "completed"], retry: ["warn", "failed, to be tried again"], archived: ["bad", "failed for good"], lost: ["bad", "its worker was lost"],
  unknown: ["odd", "outcome unknown"], canceled: ["calm", "canceled"], active: ["info", "running"], parked: ["warn", "parked"], pending: ["calm", "handed back"],
});

/** @param {{attempt: Attempt, before?: Attempt, job: JobItem, last: boolean}} props */
function Run({ attempt: a, before, job, last }) {
  const running = !a.finished_at && last && job.state === "active";
  const [tone, words] = outcomes[running ? "active" : a.outcome] ?? ["calm", a.outcome];
  const took = duration(between(a.started_at, a.finished_at ?? now.value));
  const revived = before && a.generation > before.generation;
  return html`
    ${revived && html`<${Event} tone="info" title="Retried by hand" />`}
    <${Event} time=${a.started_at} tone=${tone} title=${`Run ${a.number}`} note=${html`${words} ${running ? "for" : "after"} <span class="nowrap strong">${took}</span> on <span class="mono">${a.worker}</span>`}>
      ${a.error && html`<div class="small pre"><span class="mono bad">${a.error.code}</span> ${a.error.message}</div>`}
      <${Summary} attempt=${a} />
    <//>`;
}

/** @param {{job: JobItem, attempts: Attempt[]}} props */
function End({ job, attempts }) {
  if (!ended(job.state)) return job.state === "active" ? null : html`<${Event} tone="calm" title=${html`<${StateBadge} state=${job.state} />`} note=${job.attempt ? `${plural(job.attempt, "attempt")} so far` : job.started_at ? "ran, which counted no attempt" : "has not run yet"} />`;
  const [tone] = outcomes[job.state] ?? ["calm"];
  const total = job.finished_at ? duration(between(job.created_at, job.finished_at)) : "";
  return html`<${Event} time=${job.finished_at} tone=${tone} title=${html`<${StateBadge} state=${job.state} />`} note=${`${total} after it was accepted${attempts.length ? "" : ", without having run"}`} />`;
}
