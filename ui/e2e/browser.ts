/** A real Chromium. A page that reports an error, or breaks its policy, fails its test. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type Page, chromium } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function startBrowser(): Promise<Browser> {
  const { existsSync } = await import("node:fs");
  const executablePath = process.env.CHROMIUM ?? PATHS.find((path) => existsSync(path));
  if (!executablePath) throw new Error("there is no Chromium; name one with CHROMIUM");
  return await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-background-networking"] });
}

export interface Visit {
  page: Page;
  /** What the console said that it should not have. */
  problems: string[];
  close: () => Promise<void>;
}

export async function visit(browser: Browser, options: { dark?: boolean; width?: number; height?: number } = {}): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
    colorScheme: options.dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    // That a server is away is no fault of the page.
    if (message.type() === "error" && !/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|Failed to load resource/.test(message.text())) problems.push(message.text());
  });
  return { page, problems, close: () => context.close() };
}

/** What is in the way of people with other eyes and hands, as WCAG 2.2 AA has it. */
export async function barriers(page: Page): Promise<string[]> {
  // The policy of the page forbids scripts from elsewhere, so this one comes in by the debugger.
  await page.evaluate(axe);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: (root: Document, options: unknown) => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } };
    const result = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return result.violations.flatMap((found) => found.nodes.slice(0, 3).map((node) => `${found.id}: ${node.html.slice(0, 160)} ${node.failureSummary.replace(/\s+/g, " ")}`));
  });
}

/** The longest times, in milliseconds, that the page could not answer while `during` went on. */
export async function blockedTimes(page: Page, during: () => Promise<unknown>): Promise<number[]> {
  await page.evaluate(() => {
    const store = globalThis as unknown as { blocked: number[]; observer: PerformanceObserver };
    store.blocked = [];
    store.observer = new PerformanceObserver((list) => store.blocked.push(...list.getEntries().map((entry) => entry.duration)));
    store.observer.observe({ type: "longtask" });
  });
  await during();
  return await page.evaluate(() => {
    const store = globalThis as unknown as { blocked: number[]; observer: PerformanceObserver };
    store.blocked.push(...store.observer.takeRecords().map((entry) => entry.duration));
    store.observer.disconnect();
    return store.blocked.sort((a, b) => b - a);
  });
}
