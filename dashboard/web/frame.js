// What is around every page: navigation, who is signed in, the map of keys.
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { everywhere, helpShown, places } from "./keys.js";
import { linkTo, place } from "./router.js";
import { signOut, who, may } from "./session.js";
import { choice, nextTheme } from "./theme-choice.js";
import { asProblem } from "./resource.js";
import { Dialog } from "./ui/dialog.js";
import { Icon, Mark } from "./ui/icon.js";
import { Button } from "./ui/parts.js";
import { failed } from "./ui/toast.js";

/** @typedef {{path: string, icon: string, text: string, key: string, scope?: string}} Item */

/** @type {Item[]} */
const items = [
  { path: "", icon: "overview", text: "Overview", key: "g o" },
  { path: "jobs", icon: "jobs", text: "Jobs", key: "g j" },
  { path: "queues", icon: "queues", text: "Queues", key: "g q" },
  { path: "schedules", icon: "schedules", text: "Schedules", key: "g s" },
  { path: "targets", icon: "targets", text: "Targets", key: "g t" },
  { path: "workers", icon: "workers", text: "Workers", key: "g w" },
  { path: "submit", icon: "submit", text: "Submit", key: "g n", scope: "jobs:write" },
  { path: "audit", icon: "audit", text: "Audit", key: "g a", scope: "audit:read" },
];

const allowed = () => items.filter((i) => !i.scope || may(i.scope));

/** @param {{item: Item, onPick?: () => void}} props */
const NavLink = ({ item, onPick }) => html`
  <a href=${linkTo(item.path)} aria-current=${place.value.screen === item.path ? "page" : undefined} title=${item.key} onClick=${onPick}>
    <${Icon} name=${item.icon} /><span>${item.text}</span></a>`;

/** @param {{children?: any}} props */
export function Frame({ children }) {
  const [more, setMore] = useState(false);
  const close = () => setMore(false);
  return html`
    <a class="skip" href="#content">Skip to the content</a>
    <div class="frame">
      <aside class="side">
        <a class="brand" href=${linkTo("")}><${Mark} />asyncops</a>
        <nav class="nav" aria-label="Pages">${allowed().map((item) => html`<${NavLink} item=${item} />`)}</nav>
        <${Foot} />
      </aside>
      <main class="main" id="content"><div class="content">${children}</div></main>
    </div>
    ${more && html`<div class="sheet" id="more">
      <nav class="nav" aria-label="More pages">${allowed().slice(4).map((item) => html`<${NavLink} item=${item} onPick=${close} />`)}</nav><${Foot} />
    </div>`}
    <nav class="tabs" aria-label="Pages">
      ${allowed().slice(0, 4).map((item) => html`<${NavLink} item=${item} onPick=${close} />`)}
      <button type="button" aria-expanded=${String(more)} aria-controls="more" onClick=${() => setMore(!more)}><${Icon} name="more" />More</button>
    </nav>
    ${helpShown.value && html`<${Help} />`}`;
}

const themes = /** @type {Record<string, [string, string]>} */ ({
  auto: ["auto", "Colours of the system; click for light ones"],
  light: ["sun", "Light colours; click for dark ones"],
  dark: ["moon", "Dark colours; click for those of the system"],
});

/** Who is signed in, colours, help. */
function Foot() {
  const now = who.value;
  const out = async () => {
    try {
      await signOut();
    } catch (err) {
      failed(asProblem(err).message);
    }
  };
  const [icon, label] = themes[choice.value];
  const name = now?.key ? now.key.name || now.key.id : "Open on this machine";
  return html`
    <div class="side-foot">
      <div class="who small" title=${now?.key ? `API key ${now.key.id}` : "The server asks nobody for a key"}>
        <span class="clip">${name}</span><span class="muted">${now?.key?.role || ""}</span></div>
      <div class="foot-row">
        <${Button} kind="plain" icon=${icon} label=${label} onClick=${nextTheme} />
        <${Button} kind="plain" icon="help" label="Keys [?]" onClick=${() => { helpShown.value = true; }} />
        ${now?.key && html`<${Button} kind="plain" icon="out" onClick=${out}>Sign out<//>`}
      </div>
    </div>`;
}

/** The map of keys: those of every page, and those of this one. */
function Help() {
  const here = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("button[data-key]")]);
  const own = new Map(here.map((b) => [b.dataset.key, b.textContent?.trim() || b.getAttribute("aria-label")]));
  const keysOf = (/** @type {string} */ text) => text.split(" ").map((k) => html`<kbd>${k}</kbd> `);
  return html`
    <${Dialog} title="Keys" wide onClose=${() => { helpShown.value = false; }}>
      <div class="keymap">
        <section><h3>Everywhere</h3><dl>${everywhere.map(([k, what]) => html`<dt>${keysOf(k)}</dt><dd>${what}</dd>`)}</dl></section>
        <section><h3>Go to</h3><dl>${places.map(([k, , text]) => html`<dt>${keysOf(`g ${k}`)}</dt><dd>${text}</dd>`)}</dl></section>
        ${own.size > 0 && html`<section><h3>On this page</h3><dl>${[...own].map(([k, text]) => html`<dt>${keysOf(String(k))}</dt><dd>${text}</dd>`)}</dl></section>`}
      </div>
    <//>`;
}
