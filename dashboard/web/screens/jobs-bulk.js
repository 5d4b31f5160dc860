// What can be done with the jobs that are chosen.
import { html } from "../html.js";
import { Problem, pathOf, send } from "../api.js";
import { plural } from "../format.js";
import { may } from "../session.js";
import { ended, revivable } from "../states.js";
import { Button } from "../ui/parts.js";
import { confirm } from "../ui/dialog.js";
import { done, failed } from "../ui/toast.js";

/** @typedef {import("../types.js").JobItem} JobItem */

/**
 * @typedef {{name: string, icon: string, key: string, fits: (job: JobItem) => boolean, danger: boolean, did: string,
 *   say: string, path: (id: string) => string, method: string}} Act
 */

/** @type {Record<string, Act>} */
export const acts = {
  retry: { name: "Retry", icon: "retry", key: "r", danger: false, did: "will run again", method: "POST", fits: (j) => revivable.has(j.state),
    say: "They run again from the start, with the same args and, for API calls, the same idempotency keys.", path: (id) => pathOf("jobs", id, "retry") },
  cancel: { name: "Cancel", icon: "stop", key: "c", danger: true, did: "canceled or stopping", method: "POST", fits: (j) => !ended(j.state),
    say: "Those that wait end at once; those that run are asked to stop.", path: (id) => pathOf("jobs", id, "cancel") },
  remove: { name: "Delete", icon: "trash", key: "D", danger: true, did: "deleted", method: "DELETE", fits: (j) => ended(j.state),
    say: "The jobs and their payloads are gone for good, and cannot be retried.", path: (id) => pathOf("jobs", id) },
};

/** At most so many requests are under way. */
const lanes = 4;

/** @param {Act} act @param {JobItem[]} jobs @returns {Promise<{ok: number, problems: Problem[]}>} */
async function carryOut(act, jobs) {
  const left = [...jobs];
  const outcome = { ok: 0, problems: /** @type {Problem[]} */ ([]) };
  const lane = async () => {
    for (let job = left.pop(); job; job = left.pop()) {
      try {
        await send(act.path(job.id), { method: act.method });
        outcome.ok++;
      } catch (err) {
        if (!(err instanceof Problem)) throw err;
        outcome.problems.push(err);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcome;
}

/** Asks, acts and tells. @param {Act} act @param {JobItem[]} jobs @param {() => void} then */
export function ask(act, jobs, then) {
  const one = jobs.length === 1;
  confirm({
    title: one ? `${act.name} this job?` : `${act.name} ${plural(jobs.length, "job")}?`,
    text: html`<p class="muted">${one ? act.say.replace("They run", "It runs").replace("Those that wait end at once; those that run are asked to stop.", "If it waits it ends at once; if it runs it is asked to stop.").replace("The jobs and their payloads are", "The job and its payload are") : act.say}</p>
      ${one && html`<p class="mono small">${jobs[0].kind} · ${jobs[0].id}</p>`}`,
    yes: one ? act.name : `${act.name} ${jobs.length}`, danger: act.danger,
    act: async () => {
      const { ok, problems } = await carryOut(act, jobs);
      if (one && problems.length) throw problems[0];
      if (ok) done(`${plural(ok, "job")} ${act.did}.`);
      if (problems.length) failed(`${plural(problems.length, "job")} refused: ${problems[0].message}`);
      then();
    },
  });
}

/** @param {{jobs: JobItem[], onDone: () => void, onClear: () => void}} props */
export const BulkBar = ({ jobs, onDone, onClear }) => html`
  <span class="grow strong small" role="status" aria-live="polite">${plural(jobs.length, "job")} chosen</span>
  ${may("jobs:write") && Object.values(acts).map((act) => {
    const fit = jobs.filter(act.fits);
    return html`<${Button} key=${act.name} icon=${act.icon} kind=${act.danger ? "danger" : ""} shortcut=${act.key} disabled=${!fit.length}
      title=${fit.length ? `${act.name} ${plural(fit.length, "job")}` : "None of the chosen jobs is in a state for that"}
      onClick=${() => ask(act, fit, onDone)}>${act.name}${fit.length && fit.length < jobs.length ? ` ${fit.length}` : ""}<//>`;
  })}
  <${Button} kind="plain" icon="close" onClick=${onClear}>None<//>`;
