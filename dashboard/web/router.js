// Pages are URLs: the screen, the thing on it, and every filter.
import { computed, signal } from "@preact/signals";
import { base } from "./api.js";

const here = signal(new URL(location.href));

/** Whether the reader has gone from one page to another, without loading the document. */
export const moved = signal(false);

/**
 * @typedef {{screen: string, name: string, query: URLSearchParams, path: string}} Place
 * @type {import("@preact/signals").ReadonlySignal<Place>}
 */
export const place = computed(() => {
  const path = here.value.pathname.slice(base.pathname.length);
  const [screen = "", name = "", ...rest] = path.split("/").map(decode);
  return { screen: rest.length ? "?" : screen, name, query: here.value.searchParams, path };
});

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** URL of a page. @param {string} path beneath the base @param {Record<string, any>} [params] */
export function linkTo(path, params = {}) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, String(value));
  }
  return url.pathname + url.search;
}

/** URL of a job's page. @param {string} id */
export const jobLink = (id) => linkTo(`jobs/${encodeURIComponent(id)}`);

/** @param {string} url of a page @param {{replace?: boolean, keep?: boolean}} [how] keep: stay where the page is scrolled to */
export function go(url, { replace = false, keep = false } = {}) {
  const next = new URL(url, location.href);
  if (next.href === location.href) return;
  history[replace ? "replaceState" : "pushState"](null, "", next);
  moved.value = true;
  here.value = next;
  if (!keep) scrollTo(0, 0);
}

/**
 * Changes parameters of the page's URL; null, "" and [] remove one.
 * @param {Record<string, string | string[] | null>} changes @param {{replace?: boolean}} [how]
 */
export function setQuery(changes, { replace = false } = {}) {
  const next = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    const text = Array.isArray(value) ? value.join(",") : value;
    if (text) next.searchParams.set(name, text);
    else next.searchParams.delete(name);
  }
  next.search = next.search.replaceAll("%2C", ",");
  go(next.href, { replace, keep: true });
}

/** Follows links to pages without loading the document again. @param {MouseEvent} event */
function follow(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link?.href || link.target || link.hasAttribute("download")) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || !url.pathname.startsWith(base.pathname)) return;
  if (url.hash && url.pathname === location.pathname) return;
  event.preventDefault();
  go(url.href);
}

export function startRouter() {
  // The document's links are relative to the URL that it was loaded from, and the browser looks at the icon's again at each new one.
  for (const icon of /** @type {NodeListOf<HTMLLinkElement>} */ (document.querySelectorAll('link[rel="icon"]'))) icon.href = String(icon.href);
  addEventListener("popstate", () => {
    moved.value = true;
    here.value = new URL(location.href);
  });
  document.addEventListener("click", follow);
}
