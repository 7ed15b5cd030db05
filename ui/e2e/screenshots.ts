/** Takes the pictures of docs/ui, in light and dark, of a server that has seen some work: `npm run screenshots`. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "vitest";
import { startBrowser, visit } from "./browser";
import { Stroem, until } from "./stroem";

const folder = fileURLToPath(new URL("../../docs/ui/", import.meta.url));

test("pictures of the main pages", async () => {
  const stroem = await Stroem.start({
    workers: [
      { name: "north", tags: ["script"], slots: 4 },
      { name: "south", tags: ["script", "arm"], slots: 2 },
    ],
  });
  const browser = await startBrowser();
  mkdirSync(folder, { recursive: true });
  try {
    const services = ["billing", "search", "mail", "login"];
    for (let round = 0; round < 24; round += 1) {
      const environment = round % 9 === 4 ? "production" : "staging";
      await stroem.ended(await stroem.execute(round % 3 === 2 ? "report" : "deploy", round % 3 === 2 ? {} : { service: services[round % 4], environment }));
    }
    const failed = await stroem.execute("deploy", { service: "billing", environment: "production" });
    await stroem.ended(failed);
    const million = await stroem.execute("million");
    await stroem.ended(million, 120_000);
    const waiting = await stroem.execute("train");
    const running = await stroem.execute("ticks");
    await stroem.execute("ticks");
    await until("it prints", async () => ((await stroem.get(`/api/jobs/${running}/logs`)) as { logs: string }).logs.length > 4000);

    const pages: [string, string, ((page: import("playwright-core").Page) => Promise<unknown>)?][] = [
      ["dashboard", "/"],
      ["tasks", "/tasks"],
      ["task", "/tasks/default/deploy"],
      ["run", "/tasks/default/deploy?run=true"],
      ["jobs", "/jobs"],
      ["failure", `/jobs/${failed}`],
      ["timeline", `/jobs/${failed}?tab=timeline&step=`],
      ["graph", `/jobs/${failed}?tab=graph&step=`],
      ["waiting", `/jobs/${waiting}?step=fit`],
      ["live-log", `/jobs/${running}`],
      ["search", `/jobs/${million}`, async (page) => {
        await page.getByRole("searchbox", { name: "Search the log" }).fill("77777");
        await page.locator("mark").first().waitFor();
      }],
      ["workers", "/workers"],
      ["palette", "/jobs", (page) => page.keyboard.press("Control+k")],
    ];
    for (const look of ["light", "dark", "phone"] as const) {
      const size = look === "phone" ? { width: 390, height: 780 } : { width: 1280, height: 800 };
      const { page, close } = await visit(browser, { dark: look === "dark", ...size });
      for (const [name, path, then] of pages) {
        if (look === "phone" && !["dashboard", "jobs", "failure"].includes(name)) continue;
        await page.goto(stroem.url + path);
        await page.locator('[data-connection="live"]').waitFor({ state: "attached" });
        await page.locator('[role="status"][aria-label^="Loading"]').first().waitFor({ state: "detached" });
        await then?.(page);
        // Fonts, the graph's fitting and the end of the log come to rest.
        await page.waitForTimeout(700);
        await page.screenshot({ path: `${folder}${name}-${look}.png` });
      }
      await close();
    }
  } finally {
    await browser.close();
    await stroem.stop();
  }
});
