// What jobs reach: databases and upstreams, how they are, how full they are.
import { html } from "../html.js";
import { get, pathOf, post } from "../api.js";
import { now } from "../clock.js";
import { count, duration, percent, plural, relative } from "../format.js";
import { linkTo } from "../router.js";
import { may } from "../session.js";
import { useResource } from "../resource.js";
import { Badge, Button, Empty, Loaded, Meter, When } from "../ui/parts.js";
import { confirm } from "../ui/dialog.js";
import { Head } from "../ui/head.js";
import { done } from "../ui/toast.js";

/** @typedef {import("../types.js").DatabaseItem} DatabaseItem @typedef {import("../types.js").ClientItem} ClientItem */

export function Targets() {
  const databases = useResource((abort) => get("/v1/databases", {}, abort), "databases", { every: 5 });
  const clients = useResource((abort) => get("/v1/clients", {}, abort), "clients", { every: 5 });
  return html`
    <${Head} title="Targets" />
    <section class="stack" aria-label="Databases"><h2>Databases</h2>
      <${Loaded} of=${databases} what="Could not load the databases">${(/** @type {{items: DatabaseItem[]}} */ data) => (data.items.length
        ? html`<div class="cards">${data.items.map((d) => html`<${Database} key=${d.name} database=${d} />`)}</div>`
        : html`<div class="panel"><${Empty} title="No database is configured, or none that you may see."><p>List the databases that jobs may reach under <code>databases:</code>.</p><//></div>`)}<//></section>
    <section class="stack" aria-label="Clients"><h2>Clients</h2>
      <${Loaded} of=${clients} what="Could not load the clients">${(/** @type {{items: ClientItem[]}} */ data) => (data.items.length
        ? html`<div class="cards">${data.items.map((c) => html`<${Client} key=${c.name} client=${c} reload=${clients.reload} />`)}</div>`
        : html`<div class="panel"><${Empty} title="No client is configured, or none that you may see."><p>List the APIs that jobs may call under <code>clients:</code>.</p><//></div>`)}<//></section>`;
}

const tones = /** @type {Record<string, string>} */ ({ ok: "good", degraded: "warn", down: "bad", unknown: "calm" });

/** @param {{health: import("../types.js").Health}} props */
const Health = ({ health }) => html`
  <${Badge} tone=${tones[health.status] ?? "calm"} hollow=${health.status === "unknown"}
    title=${health.checked_at ? `Looked at ${relative(health.checked_at, now.value)}` : "Not looked at yet"}>${health.status}<//>`;

/** @param {{health: import("../types.js").Health}} props */
const HealthFacts = ({ health }) => html`
  <dt>Answers in</dt><dd>${health.latency_ms === null ? html`<span class="muted">not known</span>` : duration(health.latency_ms / 1000)}
    <span class="muted">${health.checked_at ? html` looked at <${When} time=${health.checked_at} />` : " not looked at yet"}</span></dd>
  ${health.detail && html`<dt>Trouble</dt><dd class="warn">${health.detail}</dd>`}`;

/** How bad it is that so much of it is in use. @param {number} share */
const fullness = (share) => (share >= 1 ? "bad" : share > 0.8 ? "warn" : "");

/** @param {{pool: import("../types.js").Pool & {waiting?: number}, what: string}} props */
const PoolMeter = ({ pool, what }) => html`
  <span class="gauge"><${Meter} share=${pool.max ? pool.in_use / pool.max : 0} tone=${fullness(pool.max ? pool.in_use / pool.max : 0)} label=${`${pool.in_use} of ${pool.max} ${what}`} />
    <span>${count(pool.in_use)} of ${count(pool.max)} in use <span class="muted">· ${count(pool.idle)} idle${pool.waiting ? ` · ${count(pool.waiting)} waiting` : ""}</span></span></span>`;

/** @param {{cache?: {hits: number, misses: number}}} props */
const Cache = ({ cache }) => {
  const reads = (cache?.hits ?? 0) + (cache?.misses ?? 0);
  return html`${reads ? html`${percent((cache?.hits ?? 0) / reads)} <span class="muted">of ${plural(reads, "read")} that asked for it</span>` : html`<span class="muted">nobody asked for it</span>`}`;
};

/** @param {{n: number, why: string}} props */
const Parked = ({ n, why }) => (n ? html`<a class="warn" href=${linkTo("jobs", { state: "parked" })}>${plural(n, "job")}</a> <span class="muted">${n === 1 ? "waits" : "wait"} for ${why}</span>` : html`<span class="muted">none</span>`);

/** @param {{database: DatabaseItem}} props */
const Database = ({ database: d }) => html`
  <article class="panel" data-target=${d.name}>
    <div class="panel-head"><h2>${d.name} <span class="muted small">${d.driver}</span></h2><${Health} health=${d.health} /></div>
    <div class="panel-body"><dl class="facts">
      <${HealthFacts} health=${d.health} />
      <dt>Pool</dt><dd>${d.pool.max ? html`<${PoolMeter} pool=${d.pool} what="connections in use" />` : html`<span class="muted">no worker reports it</span>`}</dd>
      <dt>Waits</dt><dd>${d.pool.waits ? html`${plural(d.pool.waits, "wait")}, ${duration(d.pool.wait_seconds)} in all` : html`<span class="muted">none for a connection</span>`}</dd>
      <dt>Writes</dt><dd>${d.delivery === "exactly_once_effect" ? "exactly once" : "at least once"} <span class="muted">(effects table ${d.health.effects ?? "unknown"})</span></dd>
      <dt>Cache hits</dt><dd><${Cache} cache=${d.cache} /></dd>
      <dt>Parked</dt><dd><${Parked} n=${d.parked} why="room in it" /></dd>
    </dl>
    ${d.pool.workers.length > 1 && html`<details class="small"><summary>By worker</summary><dl class="facts">${d.pool.workers.map((w) => html`<dt class="mono">${w.worker}</dt><dd><${PoolMeter} pool=${w} what="connections in use" /></dd>`)}</dl></details>`}
    </div>
  </article>`;

const breakerTones = /** @type {Record<string, string>} */ ({ closed: "good", half_open: "warn", open: "bad", unknown: "calm" });

/** @param {{client: ClientItem, reload: () => Promise<void>}} props */
function Client({ client: c, reload }) {
  const reset = () => confirm({
    title: `Reset the breaker of ${c.name}?`, yes: "Reset",
    text: html`<p class="muted">It closes for the whole fleet, and the jobs that wait for it go on. If the upstream still fails, it opens again.</p>`,
    act: async () => {
      await post(pathOf("clients", c.name, "breaker", "reset"));
      done(`The breaker of ${c.name} is closed.`);
      await reload();
    },
  });
  const b = c.breaker;
  const limit = c.rate_limit;
  return html`
    <article class="panel" data-target=${c.name}>
      <div class="panel-head"><h2>${c.name}</h2><${Health} health=${c.health} /></div>
      <div class="panel-body"><dl class="facts">
        <${HealthFacts} health=${c.health} />
        <dt>Breaker</dt><dd>${b ? html`<span class="breaker"><${Badge} tone=${breakerTones[b.state] ?? "calm"}>${b.state.replace("_", " ")}<//>
            ${b.failures > 0 && html`<span class="muted">${plural(b.failures, "failure")} in a row</span>`}
            ${b.open_until && html`<span class="muted">tries again ${relative(b.open_until, now.value)}</span>`}
            ${may("targets:admin") && (b.state !== "closed" || b.failures > 0) && html`<${Button} icon="retry" onClick=${reset}>Reset<//>`}</span>` : html`<span class="muted">off</span>`}</dd>
        ${c.paused_until && html`<dt>Paused</dt><dd class="warn">by the upstream, ${relative(c.paused_until, now.value)}
          ${may("targets:admin") && !b && html` <${Button} icon="retry" onClick=${reset}>End it<//>`}</dd>`}
        <dt>Rate limit</dt><dd>${limit ? html`<span class="gauge"><${Meter} share=${limit.available === null ? 0 : limit.available / Math.max(1, limit.burst)} tone=${limit.available === 0 ? "bad" : "good"} label=${`${limit.available ?? "unknown"} of ${limit.burst} requests could go out at once`} />
            <span>${limit.available === null ? "headroom not known" : `${count(limit.available)} of ${count(limit.burst)} could go at once`} <span class="muted">· ${count(limit.requests)} per ${limit.per}</span></span></span>` : html`<span class="muted">none</span>`}</dd>
        <dt>Connections</dt><dd>${c.pool ? html`<${PoolMeter} pool=${c.pool} what="connections in use" /> <span class="muted tiny">of the process that answers</span>` : html`<span class="muted">not known here</span>`}</dd>
        ${c.cache && html`<dt>Cache hits</dt><dd><${Cache} cache=${c.cache} /></dd>`}
        <dt>Parked</dt><dd><${Parked} n=${c.parked} why="it" /></dd>
      </dl></div>
    </article>`;
}
