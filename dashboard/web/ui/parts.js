// Small parts that every page has.
import { html } from "../html.js";
import { now } from "../clock.js";
import { moment, relative, shortID } from "../format.js";
import { jobLink } from "../router.js";
import { stateOf } from "../states.js";
import { Icon } from "./icon.js";

/** @typedef {import("preact").ComponentChildren} Children */

/** @param {{state: string}} props */
export function StateBadge({ state }) {
  const s = stateOf(state);
  return html`<span class=${`badge tone-${s.tone} ${s.hollow ? "hollow" : ""}`} title=${s.means}>${state}</span>`;
}

/** @param {{tone: string, hollow?: boolean, title?: string, children?: Children}} props */
export const Badge = ({ tone, hollow, title, children }) =>
  html`<span class=${`badge tone-${tone} ${hollow ? "hollow" : ""}`} title=${title}>${children}</span>`;

/** A moment, relative to now; in full when pointed at. @param {{time: string | null | undefined, none?: string}} props */
export function When({ time, none = "–" }) {
  if (!time) return html`<span class="muted">${none}</span>`;
  return html`<time datetime=${time} title=${moment(time)}>${relative(time, now.value)}</time>`;
}

/** @param {{id: string, row?: boolean}} props row: it is the link of a row that j and k walk over */
export const JobLink = ({ id, row }) => html`<a class="mono nowrap" data-row=${row} href=${jobLink(id)} title=${id}>${shortID(id)}</a>`;

/**
 * @param {{children?: Children, icon?: string, kind?: string, onClick?: (event: MouseEvent) => void, disabled?: boolean, title?: string,
 *   label?: string, type?: string, pressed?: boolean, href?: string, id?: string, shortcut?: string, first?: boolean}} props
 *   label: for buttons that are only an icon; shortcut: the key that presses it; first: a dialog begins here
 */
export function Button({ children, icon, kind = "", onClick, disabled, title, label, type = "button", pressed, href, id, shortcut, first }) {
  const name = `button ${kind} ${children ? "" : "icon"}`;
  const inside = html`${icon && html`<${Icon} name=${icon} />`}${children}`;
  if (href) return html`<a class=${name} href=${href} title=${title ?? label} aria-label=${label} id=${id}>${inside}</a>`;
  const tip = [title ?? label, shortcut && `[${shortcut}]`].filter(Boolean).join(" ") || undefined;
  return html`<button class=${name} type=${type} onClick=${onClick} disabled=${disabled} title=${tip} aria-label=${label} data-key=${shortcut}
    aria-keyshortcuts=${shortcut} autofocus=${first} aria-pressed=${pressed === undefined ? undefined : String(pressed)} id=${id}>${inside}</button>`;
}

/** @param {{title?: Children, tools?: Children, flush?: boolean, children?: Children, label?: string}} props */
export const Panel = ({ title, tools, flush, children, label }) => html`
  <section class=${`panel ${flush ? "flush" : ""}`} aria-label=${label}>
    ${title && html`<div class="panel-head"><h2>${title}</h2>${tools}</div>`}
    ${flush ? children : html`<div class="panel-body">${children}</div>`}
  </section>`;

/** What stands where nothing is: says why, and what to do. @param {{title: string, children?: Children}} props */
export const Empty = ({ title, children }) => html`
  <div class="empty"><strong>${title}</strong>${children && html`<div class="small">${children}</div>`}</div>`;

/** @param {{tone?: string, children?: Children, role?: string}} props */
export const Notice = ({ tone = "info", children, role }) => html`<div class=${`notice tone-${tone}`} role=${role}>${children}</div>`;

/** What the server said of a request that failed. @param {{problem: import("../api.js").Problem, again?: () => void, what?: string}} props */
export const Failure = ({ problem, again, what = "Could not load this" }) => html`
  <${Notice} tone="bad" role="alert">
    <div class="grow">
      <div class="strong">${what}${problem.status ? ` (${problem.status} ${problem.code || problem.title})` : ""}</div>
      <div class="small">${problem.message}</div>
      ${problem.faults.length > 0 && html`<ul class="small">${problem.faults.map((f) => html`<li><code>${f.pointer || "/"}</code> ${f.message}</li>`)}</ul>`}
    </div>
    ${again && html`<${Button} icon="refresh" onClick=${again}>Try again<//>`}
  <//>`;

/**
 * Shows what a resource has: a failure above old data, a note while there is none.
 * @param {{of: import("../resource.js").Resource<any>, children: (data: any) => Children, what?: string}} props
 */
export const Loaded = ({ of, children, what }) => html`
  ${of.error && html`<${Failure} problem=${of.error} again=${of.reload} what=${what} />`}
  ${of.data !== undefined ? children(of.data) : !of.error && html`<p class="waiting" role="status">Loading…</p>`}`;

/** @param {{share: number, tone?: string, label: string}} props share from 0 to 1 */
export const Meter = ({ share, tone = "", label }) => html`
  <span class=${`meter tone-${tone}`} role="img" aria-label=${label}><i style=${{ width: `${Math.min(100, Math.max(0, share * 100))}%` }}></i></span>`;

/**
 * One of a few.
 * @param {{label: string, value: string, options: {value: string, text: string, title?: string}[], onPick: (value: string) => void}} props
 */
export const Segments = ({ label, value, options, onPick }) => html`
  <div class="segments" role="group" aria-label=${label}>
    ${options.map((o) => html`<button type="button" aria-pressed=${String(o.value === value)} title=${o.title} onClick=${() => onPick(o.value)}>${o.text}</button>`)}
  </div>`;
