import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Visit, barriers, startBrowser, visit } from "./browser";
import { Stroem, until } from "./stroem";

const ADA = "the-token-of-ada-is-long";
const RITA = "the-token-of-rita-is-long";

let stroem: Stroem;
let browser: Browser;
let now: Visit;
let page: Page;

beforeAll(async () => {
  stroem = await Stroem.start({ tokens: { ada: { token: ADA, role: "admin" }, rita: { token: RITA, role: "read" } } });
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stroem?.stop();
});
beforeEach(async () => {
  now = await visit(browser);
  page = now.page;
});
afterEach(async () => {
  const { problems } = now;
  await now.close();
  expect(problems, "what the console said").toEqual([]);
});

const heading = (name: string) => page.getByRole("heading", { level: 1, name }).waitFor();
const live = () => page.locator('[data-connection="live"]').waitFor();
const logIn = async (token: string) => {
  await heading("Log in");
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Log in" }).click();
};

test("a stranger sees the login and nothing else, and one with a token what was asked for", async () => {
  await page.goto(`${stroem.url}/jobs?status=failed`);
  await logIn("a-token-that-nobody-has");
  await page.getByRole("alert").getByText("The server does not know this token.").waitFor();
  expect(await page.getByRole("navigation").count()).toBe(0);
  await logIn(ADA);
  await heading("Jobs");
  expect(new URL(page.url()).search).toContain("status=failed");
  await live();
  await page.getByText("ada · admin").waitFor();
  const readable = await page.evaluate(() => `${document.cookie} ${JSON.stringify(localStorage)} ${JSON.stringify(sessionStorage)}`);
  expect(readable).not.toContain("stroem_session");
  expect(readable).not.toContain(ADA);
});

test("a job runs under a session with its live log, also over a restart of the server", async () => {
  await page.goto(`${stroem.url}/tasks/default/deploy`);
  await logIn(ADA);
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByLabel(/^service/).fill("billing");
  await page.getByRole("dialog").getByRole("button", { name: "Run" }).click();
  await page.getByRole("region", { name: /^Log of/ }).getByText("rolling out billing to staging").waitFor();
  const id = /jobs\/([0-9a-f-]{36})/.exec(page.url())![1]!;
  const { source_type, source_id } = await stroem.ended(id);
  expect({ source_type, source_id }).toEqual({ source_type: "user", source_id: "ada" });
  await stroem.killServer();
  await page.getByText(/Reconnecting to the server/).waitFor();
  await stroem.startServer();
  await live();
  await page.getByRole("link", { name: "Dashboard" }).click();
  await page.getByText("Jobs running").waitFor();
});

test("logging out ends the session, and a lost session leads to the login", async () => {
  await page.goto(stroem.url);
  await logIn(ADA);
  await live();
  await page.getByRole("button", { name: "Log out" }).click();
  await heading("Log in");
  await page.reload();
  await logIn(ADA);
  await live();
  await page.context().clearCookies();
  await page.getByRole("link", { name: "Workers", exact: true }).click();
  await heading("Log in");
});

test("who may only look is told so and changes nothing", async () => {
  await page.goto(`${stroem.url}/workers`);
  await logIn(RITA);
  const card = page.locator("section", { has: page.getByRole("heading", { name: "north" }) });
  await card.getByRole("button", { name: "Drain" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Drain it" }).click();
  await page.getByText(/needs a token of the role admin, and yours has the role read/).first().waitFor();
  await until("north still works", async () => ((await stroem.get("/api/workers")) as { status: string }[])[0]?.status === "active");
});

test("the login, and the page behind it, have no barrier in light, in dark, and on a phone", async () => {
  const found: string[] = [];
  for (const look of [{}, { dark: true }, { width: 390, height: 800 }]) {
    const other = await visit(browser, look);
    await other.page.goto(stroem.url);
    await other.page.getByLabel("Token").fill("a-token-that-nobody-has-either");
    await other.page.getByRole("button", { name: "Log in" }).click();
    await other.page.getByRole("alert").waitFor();
    found.push(...(await barriers(other.page)).map((barrier) => `${JSON.stringify(look)}: ${barrier}`));
    await other.page.getByLabel("Token").fill(ADA);
    await other.page.getByRole("button", { name: "Log in" }).click();
    await other.page.getByText("Jobs running").waitFor();
    found.push(...(await barriers(other.page)).map((barrier) => `${JSON.stringify(look)}, logged in: ${barrier}`));
    await other.close();
  }
  expect(found).toEqual([]);
});
