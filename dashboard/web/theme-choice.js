// The colours: the system's, light or dark, as the reader wants.
import { signal } from "@preact/signals";

const dark = matchMedia("(prefers-color-scheme: dark)");
const key = "asyncops.theme";

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
  try {
    localStorage.setItem(key, what);
  } catch {
    // Storage is not allowed here: the choice holds until the page is left.
  }
  theme.value = shown();
}
