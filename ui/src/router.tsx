/** All pages with their addresses. What a page shows is in its address, so that a link shows the same. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import type { JobFilter } from "./api/queries";
import { PageHead, Shell } from "./components/shell";
import { Empty, Failed } from "./components/ui/faces";
import { Dashboard } from "./pages/dashboard";

const text = (value: unknown) => (typeof value === "string" || typeof value === "number" ? String(value) : undefined);

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <>
      <PageHead title="Not found" />
      <Empty title="There is no such page">The palette (Ctrl K) goes to every page, task and job.</Empty>
    </>
  ),
  errorComponent: ({ error, reset }) => (
    <>
      <PageHead title="Strøm" />
      <Failed error={error} what="This page" retry={reset} />
    </>
  ),
});

const dashboard = createRoute({ getParentRoute: () => root, path: "/", component: Dashboard });

const tasks = createRoute({
  getParentRoute: () => root,
  path: "/tasks",
  validateSearch: (search: Record<string, unknown>): { q?: string | undefined } => ({ q: text(search.q) }),
  component: lazyRouteComponent(() => import("./pages/tasks"), "Tasks"),
});

const task = createRoute({
  getParentRoute: () => root,
  path: "/tasks/$ws/$task",
  validateSearch: (search: Record<string, unknown>): { run?: boolean | undefined } => ({ run: search.run === true || undefined }),
  component: lazyRouteComponent(() => import("./pages/task"), "TaskPage"),
});

const jobs = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  validateSearch: (search: Record<string, unknown>): JobFilter => ({
    status: text(search.status),
    workspace: text(search.workspace),
    task_name: text(search.task_name),
    source_type: text(search.source_type),
    search: text(search.search),
  }),
  component: lazyRouteComponent(() => import("./pages/jobs"), "Jobs"),
});

export const JOB_TABS = ["log", "timeline", "graph", "data", "events"] as const;
export type JobTab = (typeof JOB_TABS)[number];

const job = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$id",
  validateSearch: (search: Record<string, unknown>): { step?: string | undefined; tab?: JobTab | undefined; at?: string | undefined } => ({
    step: text(search.step),
    tab: JOB_TABS.find((tab) => tab === search.tab),
    at: text(search.at),
  }),
  component: lazyRouteComponent(() => import("./pages/job"), "JobPage"),
});

const workers = createRoute({
  getParentRoute: () => root,
  path: "/workers",
  component: lazyRouteComponent(() => import("./pages/workers"), "Workers"),
});

export const router = createRouter({
  routeTree: root.addChildren([dashboard, tasks, task, jobs, job, workers]),
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
