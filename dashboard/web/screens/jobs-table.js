// Rows of jobs.
import { Component } from "preact";
import { html } from "../html.js";
import { now } from "../clock.js";
import { between, duration, shortID } from "../format.js";
import { jobLink } from "../router.js";
import { ended, reasons } from "../states.js";
import { StateBadge, When } from "../ui/parts.js";

/** @typedef {import("../types.js").JobItem} JobItem */

/** @typedef {(change: (was: Set<string>) => Set<string>) => void} Choose */

/** @param {{jobs: JobItem[], chosen?: Set<string>, onChoose?: Choose}} props */
export function JobTable({ jobs, chosen, onChoose }) {
  const all = chosen && jobs.length > 0 && jobs.every((j) => chosen.has(j.id));
  const toggle = (/** @type {string} */ id) => onChoose?.((was) => {
    const next = new Set(was);
    if (!next.delete(id)) next.add(id);
    return next;
  });
  return html`
    <div class="table-wrap">
      <table class="jobs">
        <thead><tr>
          ${onChoose && html`<th class="pick"><input type="checkbox" aria-label="Choose all on this page" checked=${all}
            onChange=${() => onChoose(() => new Set(all ? [] : jobs.map((j) => j.id)))} /></th>`}
          <th class="c-state">State</th><th class="c-kind">Kind</th><th class="c-id">Id</th><th class="c-queue">Queue</th><th>Detail</th>
          <th class="num c-try">Attempt</th><th class="num c-took">Took</th><th class="num c-when">Created</th>
        </tr></thead>
        <tbody>${jobs.map((j) => html`<${Row} key=${j.id} job=${j} chosen=${chosen?.has(j.id) ?? false} onToggle=${onChoose && toggle} />`)}</tbody>
      </table>
    </div>`;
}

/** @typedef {{job: JobItem, chosen: boolean, onToggle?: (id: string) => void}} RowProps */

/** A row is drawn again only when its job is another or it is chosen: there are many, and many changes. @extends {Component<RowProps>} */
class Row extends Component {
  /** @param {Readonly<RowProps>} next */
  shouldComponentUpdate(next) {
    return next.job !== this.props.job || next.chosen !== this.props.chosen;
  }

  /** @param {RowProps} props */
  render({ job, chosen, onToggle }) {
    return html`
      <tr class=${chosen ? "is-chosen" : ""} data-job=${job.id}>
        ${onToggle && html`<td class="pick"><input type="checkbox" aria-label=${`Choose job ${job.id}`} checked=${chosen} onChange=${() => onToggle(job.id)} /></td>`}
        <td class="c-state"><${StateBadge} state=${job.state} /></td>
        <td class="c-kind"><a class="cover mono" data-row href=${jobLink(job.id)}>${job.kind}</a></td>
        <td class="c-id mono muted" title=${job.id}>${shortID(job.id)}</td>
        <td class="c-queue">${job.queue}</td>
        <td class="c-detail"><div class="clip"><${Detail} job=${job} /></div></td>
        <td class="num c-try">${job.attempt > 0 ? html`${job.attempt}<span class="muted">/${job.max_attempts}</span>` : html`<span class="muted">–</span>`}</td>
        <td class="num c-took"><${Took} job=${job} /></td>
        <td class="num c-when"><${When} time=${job.created_at} /></td>
      </tr>`;
  }
}

/** What is most worth knowing of a job in one line. @param {{job: JobItem}} props */
function Detail({ job }) {
  const tags = (job.tags ?? []).slice(0, 3).map((t) => html`<span class="tag clip" title=${t}>${t}</span> `);
  if (job.error && job.state !== "completed") return html`${tags}<span class="bad mono">${job.error.code}</span> <span class="muted" title=${job.error.message}>${job.error.message}</span>`;
  if (job.state === "active" && job.progress) return html`${tags}<span class="muted">${job.progress.done}${job.progress.total ? ` of ${job.progress.total}` : ""} ${job.progress.message}</span>`;
  if (job.waiting_on && job.waiting_on.reason !== "backlog") return html`${tags}<span class="muted" title=${job.waiting_on.detail}>${reasons[job.waiting_on.reason] ?? job.waiting_on.reason}</span>`;
  if (job.schedule) return html`${tags}<span class="muted">fired by ${job.schedule}</span>`;
  return html`${tags}`;
}

/** How long the last run took, or has taken so far. @param {{job: JobItem}} props */
function Took({ job }) {
  if (!job.started_at) return html`<span class="muted">–</span>`;
  if (job.state === "active") return html`<span title="so far">${duration(between(job.started_at, now.value))}</span>`;
  if (ended(job.state) && job.finished_at) return html`${duration(between(job.started_at, job.finished_at))}`;
  return html`<span class="muted">–</span>`;
}
