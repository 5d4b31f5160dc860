// Who works, and on what.
import { html } from "../html.js";
import { get, pathOf, post } from "../api.js";
import { now } from "../clock.js";
import { between, count, duration, plural } from "../format.js";
import { linkTo } from "../router.js";
import { may } from "../session.js";
import { useResource } from "../resource.js";
import { Badge, Button, Empty, JobLink, Loaded, Meter, When } from "../ui/parts.js";
import { confirm } from "../ui/dialog.js";
import { Head } from "../ui/head.js";
import { done } from "../ui/toast.js";

/** @typedef {import("../types.js").WorkerItem} WorkerItem */

const tones = /** @type {Record<string, string>} */ ({ running: "good", draining: "warn", gone: "bad" });

export function Workers() {
  const workers = useResource((abort) => get("/v1/workers", {}, abort), "workers", { every: 5, events: true, pace: 2 });
  return html`
    <${Head} title="Workers" />
    <${Loaded} of=${workers} what="Could not load the workers">${(/** @type {{items: WorkerItem[]}} */ data) => (data.items.length
      ? html`<${Totals} workers=${data.items} /><div class="stack">${data.items.map((w) => html`<${Worker} key=${w.id} worker=${w} reload=${workers.reload} />`)}</div>`
      : html`<section class="panel"><${Empty} title="No worker is alive.">
          <p>Jobs are accepted and kept, and nobody runs them. Start one: <code>asyncops-worker --config asyncops.yaml</code>.</p><//></section>`)}<//>`;
}

/** @param {{workers: WorkerItem[]}} props */
function Totals({ workers }) {
  const alive = workers.filter((w) => w.state !== "gone");
  const running = alive.reduce((sum, w) => sum + w.running, 0);
  const room = alive.reduce((sum, w) => sum + w.concurrency, 0);
  return html`<p class="muted">${plural(alive.length, "worker")} alive, ${plural(running, "job")} running, room for ${count(room)}.</p>`;
}

/** @param {{worker: WorkerItem, reload: () => Promise<void>}} props */
function Worker({ worker: w, reload }) {
  const drain = () => confirm({
    title: "Drain this worker?", yes: "Drain", danger: true,
    text: html`<p class="muted">It takes no more jobs and ends those that it runs. It stays, draining, until its process is stopped; started anew, it takes jobs again.</p><p class="mono small">${w.id}</p>`,
    act: async () => {
      await post(pathOf("workers", w.id, "drain"));
      done("It drains.");
      await reload();
    },
  });
  const share = w.concurrency ? w.running / w.concurrency : 0;
  return html`
    <article class="panel" data-worker=${w.id}>
      <div class="panel-head"><h2>${w.host} <span class="muted small mono">pid ${w.pid}</span></h2>
        <${Badge} tone=${tones[w.state] ?? "calm"}>${w.state}<//>
        ${may("targets:admin") && w.state === "running" && html`<${Button} kind="danger" icon="stop" onClick=${drain}>Drain<//>`}</div>
      <div class="panel-body worker">
        <dl class="facts">
          <dt>Runs</dt><dd><span class="gauge"><${Meter} share=${share} tone=${share >= 1 ? "warn" : ""} label=${`${w.running} of ${w.concurrency} jobs`} /><span>${count(w.running)} of ${plural(w.concurrency, "job")}</span></span></dd>
          <dt>Queues</dt><dd>${w.queues.length ? w.queues.map((q) => html`<a class="tag" href=${linkTo(`queues/${encodeURIComponent(q)}`)}>${q}</a> `) : "all"}</dd>
          <dt>Up</dt><dd>${duration(between(w.started_at, w.state === "gone" ? w.beat_at : now.value))} <span class="muted">· last heard of <${When} time=${w.beat_at} /></span></dd>
          <dt>Version</dt><dd class="mono">${w.version}</dd>
          <dt>Id</dt><dd class="mono small muted">${w.id}</dd>
        </dl>
        ${w.jobs.length ? html`<div class="table-wrap"><table><thead><tr><th>Job</th><th>Kind</th><th>Queue</th><th class="num">Running for</th></tr></thead>
          <tbody>${w.jobs.map((j) => html`<tr key=${j.id}><td><${JobLink} id=${j.id} row /></td><td class="mono">${j.kind}</td><td>${j.queue}</td>
            <td class="num">${duration(between(j.since, now.value))}</td></tr>`)}</tbody></table></div>` : html`<p class="muted small">${w.state === "gone" ? "What it ran is taken over by others." : "It runs nothing now."}</p>`}
      </div>
    </article>`;
}
