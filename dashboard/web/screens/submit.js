// Submitting a job: a form made from the kind's schema, or the JSON itself.
import { useEffect, useMemo, useState } from "preact/hooks";
import { html } from "../html.js";
import { Problem, get, getIfThere, pathOf, send } from "../api.js";
import { read, write } from "../json.js";
import { go, jobLink, place, setQuery } from "../router.js";
import { may } from "../session.js";
import { asProblem, useResource } from "../resource.js";
import { Button, Empty, Failure, Loaded, Panel, Segments } from "../ui/parts.js";
import { Field } from "../ui/form.js";
import { Head } from "../ui/head.js";
import { done } from "../ui/toast.js";
import { PlanView, planOf } from "./job-plan.js";
import { SchemaForm, choices, firstDraft } from "./schema-form.js";
import { Options, optionsText } from "./submit-options.js";

/** @typedef {import("../types.js").KindItem} KindItem */

export function Submit() {
  const kinds = useResource(async (abort) => /** @type {KindItem[]} */ ((await get("/v1/kinds", {}, abort)).items), "kinds");
  const queues = useResource(async (abort) => (await get("/v1/queues", {}, abort)).items.map((/** @type {any} */ q) => q.name), "queues");
  useEffect(() => void nameTargets(), []);
  return html`
    <${Head} title="Submit a job" />
    ${may("jobs:write") ? html`<${Loaded} of=${kinds} what="Could not load the kinds">${(/** @type {KindItem[]} */ list) => html`<${Form} kinds=${list} queues=${queues.data ?? ["default"]} />`}<//>`
      : html`<${Panel} flush><${Empty} title="Your key may not submit jobs."><p>That takes the scope <code>jobs:write</code>: the roles submitter, operator and admin have it.</p><//><//>`}`;
}

/** Offers the names of the targets where one is asked for. */
async function nameTargets() {
  const names = async (/** @type {string} */ path) => ((await getIfThere(path))?.items ?? []).map((/** @type {any} */ i) => i.name);
  const [databases, clients] = await Promise.all([names("/v1/databases"), names("/v1/clients")]);
  choices.value = { "arg-database": databases, "arg-client": clients };
}

/** @param {{kinds: KindItem[], queues: string[]}} props */
function Form({ kinds, queues }) {
  const asked = place.value.query.get("kind");
  const kind = kinds.find((k) => k.name === asked) ?? kinds.find((k) => k.name === "system.noop") ?? kinds[0];
  const [drafts, setDrafts] = useState(/** @type {Record<string, Record<string, string>>} */ ({}));
  const [raw, setRaw] = useState(/** @type {string | null} */ (null));
  const [options, setOptions] = useState(/** @type {Record<string, string>} */ ({}));
  const [plan, setPlan] = useState(/** @type {import("../json.js").Node | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [busy, setBusy] = useState(false);
  const draft = useMemo(() => drafts[kind.name] ?? firstDraft(kind.args), [drafts, kind.name]);
  const argsText = () => raw ?? `{${Object.entries(draft).filter(([, text]) => text.trim() !== "").map(([name, text]) => `${JSON.stringify(name)}: ${text}`).join(", ")}}`;
  const body = () => {
    read(argsText()); // says where it is wrong
    return `{"kind":${JSON.stringify(kind.name)},"args":${argsText()}${optionsText(options)}}`;
  };
  const attempt = async (/** @type {(body: string) => Promise<void>} */ act) => {
    setProblem(null);
    setBusy(true);
    try {
      await act(body());
    } catch (err) {
      setProblem(asProblem(err));
      setPlan(null);
    }
    setBusy(false);
  };
  const dryRun = () => attempt(async (text) => setPlan(await planOf(text)));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void attempt(async (text) => {
      const { value } = await send(pathOf("jobs"), { method: "POST", body: text });
      done("Accepted.");
      go(jobLink(value.id));
    });
  };
  const toRaw = (/** @type {string} */ mode) => {
    if (mode === "json") {
      try { setRaw(write(read(argsText()))); } catch { setRaw(argsText()); }
    } else setRaw(null);
  };
  const pick = (/** @type {string} */ name) => { setRaw(null); setPlan(null); setProblem(null); setQuery({ kind: name }, { replace: true }); };
  const faults = problem?.faults ?? [];
  return html`
    <form class="submit-grid" onSubmit=${submit} novalidate>
      <div class="stack">
        <${Panel}>
          <div class="form">
            <${Field} id="kind" label="Kind" hint=${kind.description}>
              <select id="kind" value=${kind.name} onChange=${(/** @type {any} */ e) => pick(e.target.value)}>${kinds.map((k) => html`<option value=${k.name} selected=${k.name === kind.name}>${k.name}</option>`)}</select><//>
          </div>
        <//>
        <${Panel} title="Args" tools=${html`<${Segments} label="Args as" value=${raw === null ? "form" : "json"} options=${[{ value: "form", text: "Form" }, { value: "json", text: "JSON" }]} onPick=${toRaw} />`}>
          ${raw === null
            ? html`<${SchemaForm} key=${kind.name} schema=${kind.args} draft=${draft} faults=${faults} onChange=${(/** @type {Record<string, string>} */ next) => setDrafts({ ...drafts, [kind.name]: next })} />`
            : html`<${Field} id="raw" label="Args, as JSON"><textarea id="raw" rows="14" spellcheck=${false} value=${raw} onInput=${(/** @type {any} */ e) => setRaw(e.target.value)}></textarea><//>`}
        <//>
        <${Panel} title="Options"><${Options} queues=${queues} value=${options} faults=${faults} onChange=${setOptions} /><//>
      </div>
      <div class="stack submit-side">
        <div class="buttons">
          <${Button} kind="primary" type="submit" icon="play" disabled=${busy} id="submit">Submit<//>
          <${Button} onClick=${dryRun} disabled=${busy} id="dry-run">Dry run<//>
        </div>
        ${problem && html`<${Failure} problem=${problem} what="Not accepted" />`}
        <${Panel} title="What would run">${plan ? html`<${PlanView} plan=${plan} />` : html`<p class="muted small">A dry run shows the SQL with placeholders, or the request without secrets. Nothing is stored, nothing is run.</p>`}<//>
        <${Panel} title="The request"><${Preview} kind=${kind.name} args=${argsText()} options=${optionsText(options)} /><//>
      </div>
    </form>`;
}

/** @param {{kind: string, args: string, options: string}} props */
function Preview({ kind, args, options }) {
  let text;
  try {
    text = write(read(`{"kind":${JSON.stringify(kind)},"args":${args}${options}}`));
  } catch (err) {
    text = `The args are no JSON yet: ${err instanceof Error ? err.message : err}`;
  }
  return html`<pre class="json" tabindex="0" aria-label="The request">POST /v1/jobs${"\n\n"}${text}</pre>`;
}
