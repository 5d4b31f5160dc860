// The filters of the list of jobs. The URL is the only place where they are
// kept, so that a link shows somebody else the same.
import { html } from "../html.js";
import { get } from "../api.js";
import { brief } from "../format.js";
import { linkTo, place, setQuery } from "../router.js";
import { useResource } from "../resource.js";
import { revivable, states } from "../states.js";
import { Button } from "../ui/parts.js";

/** Parameters that go to the server as they are. */
const passed = ["state", "kind", "queue", "tag", "schedule", "q", "order", "created_after", "created_before"];

/** @param {URLSearchParams} query @returns {Record<string, string>} */
export function filterOf(query) {
  const filter = /** @type {Record<string, string>} */ ({});
  for (const name of [...passed, "since"]) {
    const value = query.get(name);
    if (value) filter[name] = value;
  }
  return filter;
}

const spans = /** @type {Record<string, [number, string]>} */ ({
  "15m": [900, "15 minutes"], "1h": [3600, "hour"], "24h": [86_400, "day"], "7d": [604_800, "week"],
});

/** What since means now; it is ours, the server knows moments alone. @param {URLSearchParams} query */
export function timeFilters(query) {
  const span = spans[query.get("since") ?? ""];
  return { since: undefined, ...(span ? { created_after: new Date(Date.now() - span[0] * 1000).toISOString() } : {}) };
}

/** @param {URLSearchParams} query */
export const isFiltered = (query) => Object.keys(filterOf(query)).some((name) => name !== "order");

/** @param {string} name @param {string | string[] | null} value */
const set = (name, value) => setQuery({ [name]: value, cursor: null });

/** @param {{grouped: boolean}} props */
export function Filters({ grouped }) {
  const { query } = place.value;
  const queues = useResource((abort) => get("/v1/queues", {}, abort), "queues", { every: 15, events: true, pace: 2 });
  const kinds = useResource((abort) => get("/v1/kinds", {}, abort), "kinds");
  const names = (/** @type {any} */ r) => (r.data?.items ?? []).map((/** @type {any} */ i) => i.name);
  return html`
    <section class="filters" aria-label="Filters">
      <${StateChips} query=${query} queues=${queues.data?.items} grouped=${grouped} />
      <div class="filter-row">
        <${Choice} name="kind" label="Kind" none="All kinds" values=${names(kinds)} />
        <${Choice} name="queue" label="Queue" none="All queues" values=${names(queues)} />
        ${!grouped && html`
          <${Words} name="tag" label="Tag" />
          <${Words} name="schedule" label="Schedule" />
          <${Times} />
          <${Choice} name="order" label="Order" none="Newest first" values=${["asc"]} texts=${{ asc: "Oldest first" }} />`}
        ${isFiltered(query) && html`<${Button} kind="plain" icon="close" href=${linkTo("jobs")}>Clear<//>`}
      </div>
    </section>`;
}

/** @param {{query: URLSearchParams, queues: import("../types.js").QueueItem[] | undefined, grouped: boolean}} props */
function StateChips({ query, queues, grouped }) {
  const chosen = new Set((query.get("state") ?? "").split(",").filter(Boolean));
  const inQueues = (query.get("queue") ?? "").split(",").filter(Boolean);
  // Other filters make these counts say something else than the list.
  const counted = queues && Object.keys(filterOf(query)).every((name) => ["state", "queue", "order"].includes(name));
  const total = (/** @type {string} */ state) => (queues ?? []).filter((q) => !inQueues.length || inQueues.includes(q.name))
    .reduce((sum, q) => sum + (q.counts[state] ?? 0), 0);
  const toggle = (/** @type {string} */ name) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    set("state", [...next]);
  };
  return html`
    <div class="chips" role="group" aria-label="States">
      <a class="chip" href=${linkTo("jobs", { view: grouped ? "errors" : "" })} aria-current=${!chosen.size ? "true" : undefined}>All</a>
      ${states.filter((s) => !grouped || revivable.has(s.name)).map((s) => html`
        <button type="button" key=${s.name} class=${`chip tone-${s.tone} ${s.hollow ? "hollow" : ""}`} title=${s.means} aria-pressed=${String(chosen.has(s.name))} onClick=${() => toggle(s.name)}>
          ${s.name}<span class="chip-count">${counted ? brief(total(s.name)) : ""}</span></button>`)}
    </div>`;
}

/** @param {{name: string, label: string, none: string, values: string[], texts?: Record<string, string>}} props */
function Choice({ name, label, none, values, texts = {} }) {
  const value = place.value.query.get(name) ?? "";
  const all = value && !values.includes(value) ? [value, ...values] : values;
  return html`
    <select aria-label=${label} value=${value} class=${value ? "is-set" : ""} onChange=${(/** @type {any} */ e) => set(name, e.target.value)}>
      <option value="" selected=${!value}>${none}</option>${all.map((v) => html`<option value=${v} selected=${v === value}>${texts[v] ?? v}</option>`)}
    </select>`;
}

/** @param {{name: string, label: string}} props */
function Words({ name, label }) {
  const value = place.value.query.get(name) ?? "";
  return html`
    <input type="text" class=${`short ${value ? "is-set" : ""}`} aria-label=${label} placeholder=${label} defaultValue=${value} key=${value} maxlength="256" spellcheck=${false}
      onChange=${(/** @type {any} */ e) => set(name, e.target.value.trim())} />`;
}

/** When jobs were created: a span back from now, or two moments. */
function Times() {
  const { query } = place.value;
  const own = query.has("created_after") || query.has("created_before");
  const value = own ? "own" : query.get("since") ?? "";
  const pick = (/** @type {any} */ e) => setQuery({
    since: e.target.value === "own" ? null : e.target.value, cursor: null, created_before: null,
    created_after: e.target.value === "own" ? new Date(Date.now() - 3_600_000).toISOString() : null,
  });
  return html`
    <select aria-label="Created" value=${value} class=${value ? "is-set" : ""} onChange=${pick}>
      <option value="">Any time</option>
      ${Object.entries(spans).map(([v, [, text]]) => html`<option value=${v} selected=${v === value}>Last ${text}</option>`)}
      <option value="own" selected=${own}>Between…</option>
    </select>
    ${own && html`<${Moment} name="created_after" label="Created after" /><${Moment} name="created_before" label="Created before" />`}`;
}

/** @param {{name: string, label: string}} props */
function Moment({ name, label }) {
  const at = place.value.query.get(name);
  const local = at ? new Date(new Date(at).getTime() - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "";
  return html`
    <input type="datetime-local" aria-label=${label} title=${label} defaultValue=${local} key=${local}
      onChange=${(/** @type {any} */ e) => set(name, e.target.value ? new Date(e.target.value).toISOString() : null)} />`;
}
