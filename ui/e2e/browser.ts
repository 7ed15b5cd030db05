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

/**
 * Milliseconds that the page's main thread worked in one go while `during` went on, the longest first. It is the time
 * of its processor: what other programs take of the machine is not the page's fault.
 */
export async function longestTasks(browser: Browser, page: Page, during: () => Promise<unknown>): Promise<number[]> {
  await browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline"] });
  await during();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const main = new Set(traceEvents.filter((event) => event.name === "thread_name" && event.args.name === "CrRendererMain").map((event) => `${event.pid}/${event.tid}`));
  const tasks = traceEvents.filter((event) => /RunTask/.test(event.name) && main.has(`${event.pid}/${event.tid}`));
  if (tasks.length === 0) throw new Error("the trace has no tasks of a page");
  return tasks.map((event) => (event.tdur ?? event.dur ?? 0) / 1000).sort((a, b) => b - a);
}

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  dur?: number;
  tdur?: number;
  args: { name?: string };
}
