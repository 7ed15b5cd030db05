/** What pages ask, and which of it a hint makes stale. */
import { QueryClient, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { ApiError, type Hints, api } from "./client";
import { events } from "./events";
import { Refetcher } from "./refetch";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // Hints say when something is stale; nothing is asked for by the clock.
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      networkMode: "always",
      retry: (count, error) => !(error instanceof ApiError && error.status < 500) && count < 2,
      retryDelay: 300,
      // What nobody shows misses hints, so it is asked for again when it is shown.
      refetchOnMount: "always",
    },
  },
});

export interface JobFilter {
  workspace?: string | undefined;
  task_name?: string | undefined;
  status?: string | undefined;
  source_type?: string | undefined;
  search?: string | undefined;
}

export const PAGE = 100;

export const queries = {
  me: () => queryOptions({ queryKey: ["me"], queryFn: ({ signal }) => api.get("/api/auth/me", { signal }) }),
  stats: () => queryOptions({ queryKey: ["stats"], queryFn: ({ signal }) => api.get("/api/stats", { signal }) }),
  activity: (minutes: number) =>
    queryOptions({
      queryKey: ["activity", minutes],
      queryFn: ({ signal }) => api.get("/api/stats/activity", { query: { minutes }, signal }),
    }),
  waiting: () => queryOptions({ queryKey: ["waiting"], queryFn: ({ signal }) => api.get("/api/waiting", { signal }) }),
  workers: () => queryOptions({ queryKey: ["workers"], queryFn: ({ signal }) => api.get("/api/workers", { signal }) }),
  workspaces: () =>
    queryOptions({ queryKey: ["workspaces"], queryFn: ({ signal }) => api.get("/api/workspaces", { signal }) }),
  tasks: () => queryOptions({ queryKey: ["tasks"], queryFn: ({ signal }) => api.get("/api/tasks", { signal }) }),
  task: (ws: string, task: string) =>
    queryOptions({
      queryKey: ["tasks", ws, task],
      queryFn: ({ signal }) => api.get("/api/workspaces/{ws}/tasks/{task}", { path: { ws, task }, signal }),
    }),
  taskStats: (ws: string, task: string) =>
    queryOptions({
      queryKey: ["jobs", "of-task", ws, task],
      queryFn: ({ signal }) => api.get("/api/workspaces/{ws}/tasks/{task}/stats", { path: { ws, task }, signal }),
    }),
  jobs: (filter: JobFilter, offset = 0, limit = PAGE) =>
    queryOptions({
      queryKey: ["jobs", "list", filter, offset, limit],
      queryFn: ({ signal }) => api.get("/api/jobs", { query: { ...filter, offset, limit }, signal }),
      placeholderData: keepPreviousData,
    }),
  job: (id: string) =>
    queryOptions({
      queryKey: ["job", id],
      queryFn: ({ signal }) => api.get("/api/jobs/{id}", { path: { id }, signal }),
    }),
  explain: (id: string, step: string) =>
    queryOptions({
      queryKey: ["job", id, "explain", step],
      queryFn: ({ signal }) => api.get("/api/jobs/{id}/steps/{step}/explain", { path: { id, step }, signal }),
    }),
};

/** Lists and sums change with every job, so they rest a little between two questions; a job on the page does not. */
const lists = new Refetcher((key) => invalidate([key]), 150);
const details = new Refetcher((key) => invalidate(["job", key]), 40);

function invalidate(queryKey: string[]) {
  return queryClient.invalidateQueries({ queryKey }, { cancelRefetch: false });
}

function shown(queryKey: string[]): boolean {
  return queryClient.getQueryCache().findAll({ queryKey, type: "active" }).length > 0;
}

export function applyHints(hints: Hints) {
  const request = (key: string) => {
    if (shown([key])) lists.request(key);
  };
  if (hints.all) {
    ["jobs", "stats", "activity", "waiting", "workers", "tasks", "workspaces"].forEach(request);
    void queryClient.invalidateQueries({ queryKey: ["job"] });
    return;
  }
  for (const job of hints.jobs) {
    if (shown(["job", job.job_id])) details.request(job.job_id);
  }
  if (hints.jobs.length > 0) ["jobs", "stats", "activity", "waiting", "workers"].forEach(request);
  if (hints.workers) {
    ["workers", "waiting", "stats"].forEach(request);
    // Whether a step has a worker is part of why it waits.
    void queryClient.invalidateQueries({ predicate: (query) => query.queryKey[2] === "explain" }, { cancelRefetch: false });
  }
  if (hints.workspaces) ["tasks", "workspaces"].forEach(request);
}

events.onHints(applyHints);
