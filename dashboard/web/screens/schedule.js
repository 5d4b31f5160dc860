// One schedule: its next fires, what it submits, and what came of it.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { get, pathOf, send } from "../api.js";
import { now } from "../clock.js";
import { inWords } from "../cron.js";
import { moment, relative, spoken, timeZone } from "../format.js";
import { member, read } from "../json.js";
import { go, jobLink, linkTo } from "../router.js";
import { may } from "../session.js";
import { asProblem, useResource } from "../resource.js";
import { Badge, Button, Empty, Loaded, Panel, When } from "../ui/parts.js";
import { confirm } from "../ui/dialog.js";
import { Head } from "../ui/head.js";
import { JsonView } from "../ui/json-view.js";
import { done, failed } from "../ui/toast.js";
import { JobTable } from "./jobs-table.js";
import { ScheduleForm } from "./schedule-form.js";

/** @typedef {import("../types.js").ScheduleItem} ScheduleItem */

const missed = /** @type {Record<string, string>} */ ({ skip: "missed fires are skipped", once: "one job for all missed fires", all: "a job for each missed fire" });
const overlap = /** @type {Record<string, string>} */ ({
  skip: "skips a fire while the last job has not ended", queue: "queues behind the last job", allow: "may run beside the last job",
});

/** @param {{name: string}} props */
export function Schedule({ name }) {
  const found = useResource((abort) => send(pathOf("schedules", name), { signal: abort }), name, { every: 10, events: (c) => c.schedule === name });
  const jobs = useResource((abort) => get("/v1/jobs", { schedule: name, limit: 10 }, abort), `jobs of ${name}`, { every: 10, events: true });
  const s = /** @type {ScheduleItem | undefined} */ (found.data?.value);
  if (found.error?.status === 404) return html`<${Head} title=${name} /><${Panel} flush><${Empty} title="There is no such schedule."><p><a href=${linkTo("schedules")}>All schedules</a></p><//><//>`;
  const reload = async () => { await Promise.all([found.reload(), jobs.reload()]); };
  return html`
    <${Head} plain=${`Schedule ${name}`} title=${html`${name} ${s?.paused && html`<${Badge} tone="warn" hollow>paused<//>`}`}
      tools=${s && may("schedules:write") && html`<${Actions} schedule=${s} etag=${found.data?.headers.get("ETag") ?? ""} text=${found.data?.text ?? ""} reload=${reload} />`} />
    <${Loaded} of=${found} what="Could not load the schedule">${() => s && html`
      <div class="halves">
        <${Panel} title=${`Fires ${inWords(s.cron)}`} tools=${html`<span class="tiny muted">next fires in ${timeZone()}</span>`}>
          <${Fires} schedule=${s} />
          <dl class="facts">
            <dt>Cron</dt><dd class="mono">${s.cron}</dd><dt>Time zone</dt><dd>${s.timezone}</dd>
            <dt>When missed</dt><dd>${missed[s.missed] ?? s.missed}</dd><dt>Overlap</dt><dd>${overlap[s.overlap] ?? s.overlap}</dd>
            ${s.jitter !== "0s" && html`<dt>Jitter</dt><dd>up to ${s.jitter} later</dd>`}
            ${s.start && html`<dt>From</dt><dd>${moment(s.start)}</dd>`}${s.end && html`<dt>Until</dt><dd>${moment(s.end)}</dd>`}
            <dt>Last fire</dt><dd><${When} time=${s.last_fire} none="not yet" /></dd>
            <dt>Belongs to</dt><dd>${s.source === "config" ? "the configuration: change it there" : "the API"}</dd>
          </dl>
        <//>
        <${Panel} title="Submits"><${JsonView} node=${member(read(found.data?.text ?? "{}"), "job") ?? read("null")} what="the job" /><//>
      </div>`}<//>
    <${Panel} title="Its jobs" flush tools=${html`<a class="small" href=${linkTo("jobs", { schedule: name })}>All of them</a>`}>
      ${jobs.data?.items.length ? html`<${JobTable} jobs=${jobs.data.items} />` : jobs.data && html`<${Empty} title="It has made no job that is still kept." />`}
    <//>`;
}

/** @param {{schedule: ScheduleItem}} props */
const Fires = ({ schedule: s }) => (s.next_fires.length ? html`
  <ol class="fires" aria-label="Next fires">${s.next_fires.map((t) => html`<li key=${t}><time datetime=${t}>${spoken(t)}</time><span class="muted">${s.paused ? "if it were not paused" : relative(t, now.value)}</span></li>`)}</ol>`
  : html`<p class="muted">It does not fire any more.</p>`);

/** @param {{schedule: ScheduleItem, etag: string, text: string, reload: () => Promise<void>}} props */
function Actions({ schedule: s, etag, text, reload }) {
  const [editing, setEditing] = useState(false);
  const act = async (/** @type {string} */ verb, /** @type {any} */ said) => {
    try {
      const { value } = await send(pathOf("schedules", s.name, verb), { method: "POST" });
      done(typeof said === "function" ? said(value) : said);
      await reload();
    } catch (err) {
      failed(asProblem(err).message);
    }
  };
  const remove = () => confirm({
    title: `Delete ${s.name}?`, yes: "Delete", danger: true, text: html`<p class="muted">It fires no more. The jobs that it made stay.</p>`,
    act: async () => {
      await send(pathOf("schedules", s.name), { method: "DELETE", headers: { "If-Match": etag } });
      done(`${s.name} is deleted.`);
      go(linkTo("schedules"), { replace: true });
    },
  });
  return html`
    <div class="buttons">
      <${Button} kind="primary" icon="play" shortcut="r" onClick=${() => act("run", (/** @type {any} */ j) => html`Submitted <a href=${jobLink(j.id)}>job ${j.id}</a>.`)}>Run now<//>
      ${s.source === "api" && html`
        <${Button} icon=${s.paused ? "play" : "pause"} shortcut="u" onClick=${() => act(s.paused ? "resume" : "pause", s.paused ? "It fires again." : "It fires no more until you resume it.")}>${s.paused ? "Resume" : "Pause"}<//>
        <${Button} icon="edit" shortcut="e" onClick=${() => setEditing(true)}>Edit<//>
        <${Button} kind="danger" icon="trash" shortcut="D" onClick=${remove}>Delete<//>`}
    </div>
    ${editing && html`<${ScheduleForm} old=${s} etag=${etag} text=${text} onClose=${() => setEditing(false)} onDone=${reload} />`}`;
}
