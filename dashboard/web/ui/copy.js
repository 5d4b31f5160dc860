// Copying, also where the browser gives no clipboard: over plain HTTP.
import { html } from "../html.js";
import { Button } from "./parts.js";
import { done, failed } from "./toast.js";

/** @param {string} text @returns {Promise<boolean>} */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("aria-hidden", "true");
  area.className = "hidden";
  const home = document.querySelector("dialog[open]") ?? document.body;
  home.append(area);
  area.select();
  const ok = document.execCommand("copy");
  area.remove();
  return ok;
}

/** @param {string} text @param {string} what */
export async function copyText(text, what) {
  if (await copy(text)) done(`Copied ${what}.`);
  else failed("The browser does not allow copying here.");
}

/** @param {{text: string, what: string, children?: any, kind?: string}} props */
export const CopyButton = ({ text, what, children, kind = "plain" }) => html`
  <${Button} kind=${kind} icon="copy" label=${children ? undefined : `Copy ${what}`} onClick=${() => copyText(text, what)}>${children}<//>`;
