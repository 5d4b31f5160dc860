// What can be done with one job.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { pathOf, send, urlOf } from "../api.js";
import { go, linkTo } from "../router.js";
import { isNull, member, read, write } from "../json.js";
import { may } from "../session.js";
import { moment } from "../format.js";
import { asProblem } from "../resource.js";
import { Button, Failure } from "../ui/parts.js";
import { CopyButton } from "../ui/copy.js";
import { Dialog } from "../ui/dialog.js";
import { done } from "../ui/toast.js";
import { acts, ask } from "./jobs-bulk.js";

/** @typedef {import("../types.js").JobItem} JobItem @typedef {import("../json.js").Node} Node */

/** @param {string} text in single quotes, for a shell */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The submission again, as a line for a shell. @param {JobItem} job @param {Node} tree */
function curlOf(job, tree) {
  const args = member(tree, "args");
  const members = [`"kind":${JSON.stringify(job.kind)}`, `"queue":${JSON.stringify(job.queue)}`];
  if (!isNull(args)) members.push(`"args":${write(/** @type {Node} */ (args), { flat: true })}`);
  if (job.tags.length) members.push(`"tags":${JSON.stringify(job.tags)}`);
  return `curl -s ${quoted(urlOf("/v1/jobs").href)} -H "Authorization: Bearer $ASYNCOPS_API_KEY" -H 'Content-Type: application/json' -d ${quoted(`{${members.join(",")}}`)}`;
}

/** @param {{job: JobItem, tree: Node, onDone: () => Promise<void>}} props */
export function JobActions({ job, tree, onDone }) {
  const [open, setOpen] = useState(/** @type {"" | "args" | "time"} */ (""));
  const visible = !isNull(member(tree, "args"));
  const then = (/** @type {boolean} */ gone) => () => { if (gone) go(linkTo("jobs"), { replace: true }); else void onDone(); };
  const startable = ["scheduled", "pending", "waiting"].includes(job.state) && !job.started_at;
  return html`
    <div class="buttons">
      ${may("jobs:write") && html`
        ${acts.retry.fits(job) && html`<${Button} kind="primary" icon="retry" shortcut="r" onClick=${() => ask(acts.retry, [job], then(false))}>Retry<//>
          ${visible && html`<${Button} icon="edit" onClick=${() => setOpen("args")}>Retry with other args<//>`}`}
        ${startable && html`<${Button} icon="schedules" shortcut="s" onClick=${() => setOpen("time")}>Reschedule<//>`}
        ${acts.cancel.fits(job) && html`<${Button} kind="danger" icon="stop" shortcut="c" onClick=${() => ask(acts.cancel, [job], then(false))}>Cancel<//>`}
        ${acts.remove.fits(job) && html`<${Button} kind="danger" icon="trash" shortcut="D" onClick=${() => ask(acts.remove, [job], then(true))}>Delete<//>`}`}
      ${visible && html`<${CopyButton} kind="" text=${curlOf(job, tree)} what="the submission as a curl line">curl<//>`}
    </div>
    ${open === "args" && html`<${OtherArgs} job=${job} args=${member(tree, "args")} onClose=${() => setOpen("")} onDone=${onDone} />`}
    ${open === "time" && html`<${OtherTime} job=${job} onClose=${() => setOpen("")} onDone=${onDone} />`}`;
}

/** @param {{job: JobItem, args: Node, onClose: () => void, onDone: () => Promise<void>}} props */
function OtherArgs({ job, args, onClose, onDone }) {
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const text = /** @type {HTMLFormElement} */ (event.currentTarget).args.value;
    try {
      read(text);
      await send(pathOf("jobs", job.id, "retry"), { method: "POST", body: `{"args":${text}}` });
      done("It will run again, with these args.");
      onClose();
      await onDone();
    } catch (err) {
      setProblem(asProblem(err));
    }
  };
  return html`
    <${Dialog} title="Retry with other args" wide onClose=${onClose}>
      <form class="form" onSubmit=${submit}>
        ${problem && html`<${Failure} problem=${problem} what="Not accepted" />`}
        <div class="field"><label for="other-args">Args, as JSON</label><textarea id="other-args" name="args" rows="12" spellcheck=${false} defaultValue=${write(args)}></textarea>
          <span class="hint">With other args the job is another request: upstreams get another idempotency key.</span></div>
        <div class="buttons end"><${Button} onClick=${onClose}>Leave it<//><${Button} kind="primary" type="submit">Retry<//></div>
      </form>
    <//>`;
}

/** @param {{job: JobItem, onClose: () => void, onDone: () => Promise<void>}} props */
function OtherTime({ job, onClose, onDone }) {
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const local = (/** @type {Date} */ d) => new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const at = new Date(/** @type {HTMLFormElement} */ (event.currentTarget).at.value);
    try {
      await send(pathOf("jobs", job.id, "reschedule"), { method: "POST", body: { run_at: at.toISOString() } });
      done(`It is due ${moment(at.getTime())}.`);
      onClose();
      await onDone();
    } catch (err) {
      setProblem(asProblem(err));
    }
  };
  return html`
    <${Dialog} title="Reschedule" onClose=${onClose}>
      <form class="form" onSubmit=${submit}>
        ${problem && html`<${Failure} problem=${problem} what="Not rescheduled" />`}
        <div class="field"><label for="other-time">Run it at, in your time zone</label>
          <input id="other-time" name="at" type="datetime-local" step="1" required defaultValue=${local(new Date(job.run_at))} /></div>
        <div class="buttons end"><${Button} onClick=${onClose}>Leave it<//><${Button} kind="primary" type="submit" id="reschedule-yes">Reschedule<//></div>
      </form>
    <//>`;
}
