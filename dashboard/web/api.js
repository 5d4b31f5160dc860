// The one way to the server: its REST interface, as everybody uses it.
import { signal } from "@preact/signals";

const meta = (/** @type {string} */ name) =>
  document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "./";

/** Where the pages begin, such as https://host/prefix/dashboard/. */
export const base = new URL(meta("asyncops-base"), document.baseURI);

/** Where the server's paths begin, such as https://host/prefix/. */
export const root = new URL(meta("asyncops-root"), document.baseURI);

/** Becomes true when the server says that nobody is signed in (any more). */
export const signedOut = signal(false);

/** Whether the last request reached the server. */
export const reachable = signal(true);

/**
 * An answer outside 2xx, or none at all: what RFC 9457 calls a problem.
 * @typedef {{pointer: string, code: string, message: string}} Fault
 */
export class Problem extends Error {
  /** @param {{status: number, title?: string, detail?: string, code?: string, errors?: Fault[]}} p */
  constructor(p) {
    super(p.detail || p.title || "the request failed");
    this.status = p.status;
    this.title = p.title ?? "";
    this.code = p.code ?? "";
    /** @type {Fault[]} */
    this.faults = p.errors ?? [];
  }
}

/** @param {string} path @param {Record<string, any>} [params] */
export function urlOf(path, params = {}) {
  const url = new URL(path.replace(/^\//, ""), root);
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, String(value));
  }
  return url;
}

/**
 * @typedef {object} Options
 * @property {string} [method]
 * @property {Record<string, any>} [params]
 * @property {any} [body] sent as JSON; a string is sent as it is
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 *
 * @typedef {{value: any, text: string, headers: Headers, status: number}} Answer
 */

/**
 * Sends a request and returns the answer with its text: numbers that do not
 * fit a double survive in the text alone.
 * @param {string} path @param {Options} [options] @returns {Promise<Answer>}
 */
export async function send(path, { method = "GET", params, body, headers = {}, signal: abort } = {}) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(urlOf(path, params), {
      method,
      headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
      signal: abort,
      cache: "no-store",
    });
  } catch (err) {
    if (abort?.aborted) throw err;
    reachable.value = false;
    throw new Problem({ status: 0, code: "offline", title: "No answer", detail: "The server does not answer. It may be restarting, or the network is away." });
  }
  const text = await response.text();
  reachable.value = true;
  if (response.ok) return { value: parse(text), text, headers: response.headers, status: response.status };
  if (response.status === 401) signedOut.value = true;
  const said = parse(text);
  throw new Problem({ title: response.statusText, ...(said && typeof said === "object" ? said : {}), status: response.status });
}

/** @param {string} text */
function parse(text) {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return null; // not from us: a proxy's page
  }
}

/** @param {string} path @param {Record<string, any>} [params] @param {AbortSignal} [abort] */
export const get = async (path, params, abort) => (await send(path, { params, signal: abort })).value;

/** @param {string} path @param {any} [body] @param {Record<string, string>} [headers] */
export const post = async (path, body, headers) => (await send(path, { method: "POST", body, headers })).value;

/**
 * Asks for something that older or smaller servers do not have.
 * @param {string} path @param {Record<string, any>} [params] @param {AbortSignal} [abort]
 */
export async function getIfThere(path, params, abort) {
  try {
    return await get(path, params, abort);
  } catch (err) {
    if (err instanceof Problem && (err.status === 404 || err.status === 403)) return null;
    throw err;
  }
}

/** Path of a job, queue and so on; names are encoded. @param {...string} parts */
export const pathOf = (...parts) => "/v1/" + parts.map(encodeURIComponent).join("/");
