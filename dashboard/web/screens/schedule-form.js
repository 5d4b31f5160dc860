// Making and changing a schedule.
import { useMemo, useState } from "preact/hooks";
import { html } from "../html.js";
import { Problem, pathOf, send } from "../api.js";
import { inWords } from "../cron.js";
import { member, read, write } from "../json.js";
import { go } from "../router.js";
import { asProblem } from "../resource.js";
import { Button, Failure } from "../ui/parts.js";
import { Dialog } from "../ui/dialog.js";
import { Field } from "../ui/form.js";
import { done } from "../ui/toast.js";
import { scheduleLink } from "./schedules.js";

/** @typedef {import("../types.js").ScheduleItem} ScheduleItem */

const allZones = () => ["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? []).filter((z) => z !== "UTC")];

/** @param {{old?: ScheduleItem, etag?: string, text?: string, onClose: () => void, onDone: () => Promise<void>}} props */
export function ScheduleForm({ old, etag, text, onClose, onDone }) {
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [cron, setCron] = useState(old?.cron ?? "*/5 * * * *");
  const zones = useMemo(allZones, []);
  const template = text ? member(read(text), "job") : undefined;
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const at = (/** @type {string} */ name) => form.elements.namedItem(name);
    const of = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (at(name)).value.trim();
    try {
      const name = old?.name ?? of("name");
      const rest = { name, cron: of("cron"), timezone: of("timezone") || "UTC", missed: of("missed"), overlap: of("overlap"), jitter: of("jitter") || "0s",
        paused: old?.paused ?? false, ...(old?.start ? { start: old.start } : {}), ...(old?.end ? { end: old.end } : {}) };
      const job = write(read(of("job")), { flat: true });
      if (!name) throw new Problem({ status: 0, title: "The name is missing", detail: "Give it a name: a letter a-z, then letters, digits, _ and -." });
      await send(pathOf("schedules", name), {
        method: "PUT", body: `${JSON.stringify(rest).slice(0, -1)},"job":${job}}`, headers: old ? { "If-Match": etag ?? "" } : { "If-None-Match": "*" },
      });
      done(old ? `${name} is changed.` : `${name} is made.`);
      onClose();
      await onDone();
      if (!old) go(scheduleLink(name));
    } catch (err) {
      setProblem(asProblem(err));
    }
  };
  const fault = (/** @type {string} */ pointer) => problem?.faults.find((f) => f.pointer === pointer)?.message;
  return html`
    <${Dialog} title=${old ? `Edit ${old.name}` : "New schedule"} wide onClose=${onClose}>
      <form class="form" onSubmit=${submit}>
        ${problem && html`<${Failure} problem=${problem} what="Not stored" />`}
        <div class="form-row">
          ${!old && html`<${Field} id="s-name" label="Name" fault=${fault("/name")}><input id="s-name" name="name" required maxlength="64" pattern="[a-z][a-z0-9_\\-]*" placeholder="nightly-report" /><//>`}
          <${Field} id="s-cron" label="Cron" hint=${inWords(cron)} fault=${fault("/cron")}><input id="s-cron" name="cron" class="mono" required defaultValue=${cron} onInput=${(/** @type {any} */ e) => setCron(e.target.value)} /><//>
          <${Field} id="s-zone" label="Time zone" fault=${fault("/timezone")}><input id="s-zone" name="timezone" list="zones" defaultValue=${old?.timezone ?? "UTC"} /><//>
          <datalist id="zones">${zones.map((z) => html`<option value=${z}></option>`)}</datalist>
        </div>
        <div class="form-row">
          <${Field} id="s-missed" label="When fires are missed"><${Pick} id="s-missed" name="missed" value=${old?.missed ?? "skip"} options=${[["skip", "skip them"], ["once", "one job for all"], ["all", "a job for each"]]} /><//>
          <${Field} id="s-overlap" label="While the last job runs"><${Pick} id="s-overlap" name="overlap" value=${old?.overlap ?? "skip"} options=${[["skip", "skip the fire"], ["queue", "queue behind it"], ["allow", "run beside it"]]} /><//>
          <${Field} id="s-jitter" label="Jitter" hint="at most so much later" fault=${fault("/jitter")}><input id="s-jitter" name="jitter" defaultValue=${old?.jitter ?? "0s"} /><//>
        </div>
        <${Field} id="s-job" label="Job, as JSON" fault=${problem?.faults.find((f) => f.pointer.startsWith("/job"))?.message}
          hint="As for POST /v1/jobs: kind, args, queue, tags, timeout and so on.">
          <textarea id="s-job" name="job" rows="9" spellcheck=${false} defaultValue=${template ? write(template) : '{"kind": "system.noop"}'}></textarea><//>
        <div class="buttons end"><${Button} onClick=${onClose}>Leave it<//><${Button} kind="primary" type="submit" id="schedule-save">${old ? "Save" : "Make it"}<//></div>
      </form>
    <//>`;
}

/** @param {{id: string, name: string, value: string, options: [string, string][]}} props */
const Pick = ({ id, name, value, options }) => html`
  <select id=${id} name=${name}>${options.map(([v, words]) => html`<option value=${v} selected=${v === value}>${words}</option>`)}</select>`;
