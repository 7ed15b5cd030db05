import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark" | "system";
const KEY = "stroem.theme";
const listeners = new Set<() => void>();
const system = typeof matchMedia === "function" ? matchMedia("(prefers-color-scheme: dark)") : null;

function chosen(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

function apply() {
  const theme = chosen();
  document.documentElement.classList.toggle("dark", theme === "dark" || (theme === "system" && Boolean(system?.matches)));
  for (const listener of listeners) listener();
}
system?.addEventListener("change", apply);

export function setTheme(theme: Theme) {
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the choice lasts as long as the page, by the class alone.
  }
  apply();
}

export const toggleTheme = () => setTheme(isDark() ? "light" : "dark");

function isDark(): boolean {
  return document.documentElement.classList.contains("dark");
}

export function useDark(): boolean {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, isDark);
}
