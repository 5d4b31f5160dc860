// The list of jobs: every filter in the URL, pages by the server, updates that
// change rows in place and never move them.
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { html } from "../html.js";
import { get } from "../api.js";
import { onChanges } from "../live.js";
import { linkTo, place, setQuery } from "../router.js";
import { plural } from "../format.js";
import { may } from "../session.js";
import { useResource } from "../resource.js";
import { Button, Empty, Failure, Segments } from "../ui/parts.js";
import { Head } from "../ui/head.js";
import { BulkBar } from "./jobs-bulk.js";
import { Filters, filterOf, isFiltered, timeFilters } from "./jobs-filter.js";
import { JobTable } from "./jobs-table.js";
import { DeadLetters } from "./dead-letters.js";

/** @typedef {import("../types.js").JobItem} JobItem */

const pageSize = 50;

/** Which page came before a cursor's, for as long as this page lives. @type {Map<string, string>} */
const before = new Map();

export function Jobs() {
  const grouped = place.value.query.get("view") === "errors";
  return html`
    <${Head} title="Jobs" tools=${html`
      <${Segments} label="View" value=${grouped ? "errors" : ""} onPick=${(/** @type {string} */ view) => setQuery({ view, cursor: null, follow: null })}
        options=${[{ value: "", text: "List" }, { value: "errors", text: "By error", title: "Dead letters, grouped by what went wrong" }]} />
      ${may("jobs:write") && html`<${Button} kind="primary" icon="submit" href=${linkTo("submit")}>Submit<//>`}`} />
    <${Filters} grouped=${grouped} />
    ${grouped ? html`<${DeadLetters} />` : html`<${List} />`}`;
}

function List() {
  const { query } = place.value;
  const filter = filterOf(query);
  const cursor = query.get("cursor") ?? "";
  const follow = query.has("follow") && !cursor;
  const key = JSON.stringify([filter, cursor]);
  const page = useResource((abort) => get("/v1/jobs", { ...filter, ...timeFilters(query), limit: pageSize, cursor }, abort),
    key, { every: 15, events: true, pace: 1 });
  const { rows, held, show } = useRows(page.data?.items, page.of, follow);
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  useEffect(() => setChosen(new Set()), [key]);
  const picked = useMemo(() => rows.filter((j) => chosen.has(j.id)), [rows, chosen]);
  const refresh = () => { setChosen(new Set()); void page.reload().then(show); };
  const next = page.data?.next_cursor;
  if (next && page.of === key) before.set(next, cursor); // until it has loaded, next is of the page before

  return html`
    ${page.error && html`<${Failure} problem=${page.error} again=${page.reload} what="Could not load the jobs" />`}
    <section class="panel flush" aria-label="Jobs" aria-busy=${String(page.loading)}>
      <div class="panel-head jobs-bar">
        ${picked.length > 0
          ? html`<${BulkBar} jobs=${picked} onDone=${refresh} onClear=${() => setChosen(new Set())} />`
          : html`<span class="small muted grow" role="status" aria-live="polite">${summary(rows.length, page, cursor, next)}</span>
            <${Button} kind=${held ? "" : "plain"} icon="refresh" shortcut="l" onClick=${() => { void page.reload().then(show); }} id="show-new">
              ${held ? `Show ${plural(held, "new job")}` : "Reload"}<//>
            ${!cursor && html`<${Button} pressed=${follow} shortcut="f" title="Show new jobs at once instead of asking" onClick=${() => setQuery({ follow: follow ? null : "1" })}>Follow<//>`}`}
      </div>
      ${page.data && rows.length === 0 ? html`<${NoJobs} filtered=${isFiltered(query)} />`
        : rows.length > 0 ? html`<${JobTable} jobs=${rows} chosen=${chosen} onChoose=${setChosen} />`
        : !page.error && html`<p class="waiting">Loading…</p>`}
      ${(cursor || next) && html`<div class="pager">
        <${Button} icon="left" shortcut="[" disabled=${!cursor} onClick=${() => setQuery({ cursor: before.get(cursor) || null })}>${before.has(cursor) || !cursor ? "Newer" : "First page"}<//>
        <${Button} icon="right" shortcut="]" disabled=${!next} onClick=${() => setQuery({ cursor: next ?? null, follow: null })}>Older<//>
      </div>`}
    </section>`;
}

/** @param {number} n @param {import("../resource.js").Resource<any>} page @param {string} cursor @param {string | null | undefined} next */
function summary(n, page, cursor, next) {
  if (!page.data) return "Loading…";
  if (n === 0) return "No jobs";
  return `${plural(n, "job")} on this page${next ? ", more follow" : cursor ? ", the last one" : ""}`;
}

/**
 * The rows that are shown. What the server says of them is taken over at once;
 * jobs that are new are held back until the reader wants them, but not from an
 * empty list or while following.
 * @param {JobItem[] | undefined} fresh @param {string | undefined} of which list fresh is a page of @param {boolean} follow
 */
function useRows(fresh, of = "", follow) {
  const [shown, setShown] = useState(/** @type {{of: string, rows: JobItem[]}} */ ({ of: "", rows: [] }));
  useEffect(() => {
    if (!fresh) return;
    setShown((was) => ({ of, rows: was.of !== of || follow ? kept(fresh, was.rows) : merge(was.rows, fresh) }));
  }, [fresh, of, follow]);
  useEffect(() => onChanges((changes) => setShown((was) => patched(was, changes))), []);
  const show = useCallback(() => setShown({ of: "", rows: [] }), []);
  useEffect(() => { if (shown.of === "" && fresh) setShown({ of, rows: fresh }); }, [shown.of]);
  const settled = shown.of === of && shown.rows.length > 0;
  const rows = settled ? shown.rows : fresh ?? [];
  const known = new Set(rows.map((j) => j.id));
  const held = settled && fresh && !follow ? fresh.filter((j) => !known.has(j.id)).length : 0;
  return { rows, held, show };
}

/** @param {JobItem[]} rows @param {JobItem[]} fresh */
function merge(rows, fresh) {
  if (rows.length === 0) return fresh;
  const byID = new Map(kept(fresh, rows).map((j) => [j.id, j]));
  return rows.map((j) => byID.get(j.id) ?? j);
}

/** Fresh jobs, of which those that are what they were stay the same objects, whose rows need no drawing. @param {JobItem[]} fresh @param {JobItem[]} old */
function kept(fresh, old) {
  const byID = new Map(old.map((j) => [j.id, j]));
  return fresh.map((j) => {
    const before = byID.get(j.id);
    return before && JSON.stringify(before) === JSON.stringify(j) ? before : j;
  });
}

/** @param {{of: string, rows: JobItem[]}} was @param {import("../live.js").Change[]} changes */
function patched(was, changes) {
  const byID = new Map(changes.map((c) => [c.id, c]));
  if (!was.rows.some((j) => byID.has(j.id))) return was;
  return { ...was, rows: was.rows.map((j) => byID.get(j.id) ?? j) };
}

/** @param {{filtered: boolean}} props */
const NoJobs = ({ filtered }) => (filtered
  ? html`<${Empty} title="No job matches these filters."><p>Jobs that have ended are kept for the ledger's retention, then they are gone.
      <a href=${linkTo("jobs")}>Show all jobs</a></p><//>`
  : html`<${Empty} title="There are no jobs yet."><p><a href=${linkTo("submit")}>Submit one here</a>, or over REST:
      <code>POST /v1/jobs</code> with <code>{"kind":"system.noop"}</code>.</p><//>`);
