// Before the first paint, so that a dark page does not flash: the chosen theme, else the system's.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("stroem.theme");
  } catch {
    // Storage may be off; the system's theme is used.
  }
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
})();
