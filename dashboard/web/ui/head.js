// The heading of a page, with its tools: search, updates.
import { useEffect, useRef } from "preact/hooks";
import { html } from "../html.js";
import { link, paused } from "../live.js";
import { go, jobLink, linkTo, moved, place } from "../router.js";

/** @param {{title: any, plain?: string, tools?: any, search?: boolean}} props plain: the title as text */
export function Head({ title, plain, tools, search = true }) {
  const text = plain ?? String(title);
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => { document.title = `${text} · asyncops`; }, [text]);
  // Whoever comes from another page begins at the heading; whoever loads the document, at its beginning.
  useEffect(() => { if (moved.peek()) heading.current?.focus({ preventScroll: true }); }, []);
  return html`
    <header class="head">
      <h1 tabindex="-1" ref=${heading}>${title}</h1>
      <div class="tools">${tools}${search && html`<${Search} />`}</div>
      <${Live} />
    </header>`;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Finds jobs, from every page. */
function Search() {
  const find = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const input = /** @type {HTMLFormElement} */ (event.currentTarget).q;
    const text = input.value.trim();
    if (uuid.test(text.toLowerCase())) go(jobLink(text.toLowerCase()));
    else if (text) go(linkTo("jobs", { q: text }));
    input.blur();
  };
  const q = place.value.screen === "jobs" && !place.value.name ? place.value.query.get("q") ?? "" : "";
  return html`
    <form class="search" role="search" onSubmit=${find}>
      <input name="q" type="search" placeholder="Find jobs: id, tag, error" aria-label="Find jobs by id, tag or error" defaultValue=${q} key=${q}
        maxlength="256" autocomplete="off" spellcheck=${false} data-search /><kbd aria-hidden="true">/</kbd>
    </form>`;
}

const words = /** @type {Record<string, [string, string]>} */ ({
  live: ["Live", "The page keeps itself up to date. Click, or press p, to pause."],
  polling: ["Polling", "The event stream is away: the page asks every few seconds."],
  paused: ["Paused", "Nothing is fetched until you go on. Click, or press p."],
  offline: ["Offline", "The server does not answer. The page tries again by itself."],
});

/** Tells how updates come, and stops them. */
function Live() {
  const [text, title] = words[link.value];
  return html`
    <button type="button" class=${`button live is-${link.value}`} aria-pressed=${String(paused.value)} title=${title}
      aria-label=${paused.value ? "Updates are paused: go on" : `${text}: pause updates`} onClick=${() => { paused.value = !paused.value; }}>
      <i></i><span aria-hidden="true">${text}</span></button>`;
}
