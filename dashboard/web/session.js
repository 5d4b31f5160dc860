// Who is signed in, and what they may do.
import { signal } from "@preact/signals";
import { get, post, send, signedOut } from "./api.js";

/**
 * @typedef {object} Key
 * @property {string} id
 * @property {string} name
 * @property {string} role
 *
 * @typedef {object} Who
 * @property {boolean} authenticated
 * @property {boolean} keys_required false: everybody may do everything
 * @property {Key | null} key
 * @property {string[]} scopes
 * @property {string | null} expires_at
 */

/** @type {import("@preact/signals").Signal<Who | undefined>} undefined: not known yet */
export const who = signal(undefined);

/** Whether the one who is signed in may do that. @param {string} scope */
export const may = (scope) => who.value?.scopes.includes(scope) ?? false;

/** @param {Who} now */
function take(now) {
  who.value = now;
  signedOut.value = !now.authenticated;
}

/** Finds out who is signed in. */
export const recall = async () => take(await get("/v1/session"));

/** @param {string} key an API key */
export const signIn = async (key) => take(await post("/v1/session", { key }));

export async function signOut() {
  await send("/v1/session", { method: "DELETE" });
  await recall();
}
