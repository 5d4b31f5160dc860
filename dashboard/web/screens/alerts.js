// Alerts that fire: what is the matter, and what to do.
import { html } from "../html.js";
import { linkTo } from "../router.js";
import { Notice, When } from "../ui/parts.js";

/** @typedef {{id: string, rule: string, about: {type: string, name: string}, summary: string, remedy: string, fired_at: string | null, since: string}} Alert */

/** Where to look; null where no page tells more. @param {Alert} alert */
function pageOf({ rule, about: { type, name } }) {
  switch (type) {
    case "queue": return linkTo(`queues/${encodeURIComponent(name)}`);
    case "database": case "client": return linkTo("targets");
    case "worker": return linkTo("workers");
    default: return rule === "dead_letters" ? linkTo("jobs", { view: "errors" }) : null;
  }
}

/** @param {{items: Alert[]}} props */
export const Alerts = ({ items }) => html`
  <div class="stack alerts" role="status" aria-live="polite" aria-label="Alerts">${items.map((a) => html`
    <${Notice} key=${a.id} tone="bad"><div class="grow"><div class="strong">${a.summary.slice(0, 1).toUpperCase() + a.summary.slice(1)}</div><div class="small">${a.remedy}</div></div>
      <div class="small muted nowrap"><span class="mono">${a.rule}</span> since <${When} time=${a.fired_at ?? a.since} />
        ${pageOf(a) && html` · <a href=${pageOf(a)}>look</a>`}</div><//>`)}</div>`;
