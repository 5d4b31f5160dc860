// Runs before the first paint: the reader's own choice of colours, if there is
// one, instead of the system's.
"use strict";
(() => {
  try {
    const theme = localStorage.getItem("asyncops.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is not allowed here: the system's colours hold.
  }
})();
