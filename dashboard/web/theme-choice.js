// The colours: the system's, light or dark, as the reader wants. The choice is
// a cookie, so that the document comes in it.
import { signal } from "@preact/signals";
import { base } from "./api.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const cookie = "asyncops_theme";
const year = 365 * 24 * 60 * 60;

/** What the reader chose: "auto", "light" or "dark". */
export const choice = signal(document.documentElement.dataset.theme ?? "auto");

const shown = () => (choice.value === "auto" ? (dark.matches ? "dark" : "light") : choice.value);

/** What is shown: "light" or "dark". */
export const theme = signal(shown());

dark.addEventListener("change", () => { theme.value = shown(); });

export function nextTheme() {
  const order = ["auto", "light", "dark"];
  choose(order[(order.indexOf(choice.value) + 1) % order.length]);
}

/** @param {string} what */
function choose(what) {
  choice.value = what;
  const root = document.documentElement;
  if (what === "auto") delete root.dataset.theme;
  else root.dataset.theme = what;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${cookie}=${what}; Path=${base.pathname}; Max-Age=${what === "auto" ? 0 : year}; SameSite=Lax${secure}`;
  theme.value = shown();
}
