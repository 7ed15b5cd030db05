/** Calls of the API. Paths and answers are those of the generated schema: a drift does not compile. */
import type { components, paths } from "./schema";
import { session } from "./session";

type Schemas = components["schemas"];
export type Activity = Schemas["Activity"];
export type Attempt = Schemas["AttemptInfo"];
export type ErrorBody = Schemas["ErrorBody"];
export type Explanation = Schemas["Explanation"];
export type FileProblem = Schemas["FileProblem"];
export type Hints = Schemas["Hints"];
export type Job = Schemas["JobDetail"];
export type JobItem = Schemas["JobListItem"];
export type JobList = Schemas["JobList"];
export type LogChunk = Schemas["LogChunk"];
export type LogHit = Schemas["LogHit"];
export type LogMap = Schemas["LogMap"];
export type Me = Schemas["Me"];
export type Stats = Schemas["Stats"];
export type Step = Schemas["StepInfo"];
export type Task = Schemas["TaskDetail"];
export type TaskItem = Schemas["TaskListItem"];
export type TaskStats = Schemas["TaskStats"];
export type Waiting = Schemas["WaitingStep"];
export type Worker = Schemas["WorkerInfo"];
export type Workspace = Schemas["WorkspaceInfo"];

type Method = "get" | "post";
type WithMethod<M extends Method> = {
  [P in keyof paths]: paths[P] extends { [K in M]: object } ? P : never;
}[keyof paths];
type Operation<P extends keyof paths, M extends Method> = paths[P] extends { [K in M]: infer O } ? O : never;
type Answer<O> = O extends { responses: { 200: { content: { "application/json": infer Body } } } } ? Body : void;
type PathParams<O> = O extends { parameters: { path: infer Params } } ? Params : never;
type QueryParams<O> = O extends { parameters: { query?: infer Query } } ? Query : never;
type RequestBody<O> = O extends { requestBody?: { content: { "application/json": infer Body } } } ? Body : never;

/** A request that the server refused, with its stable code and every problem. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: ErrorBody,
  ) {
    super(body.error);
  }
}

/** The server did not answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("the server cannot be reached");
  }
}

interface Options<O> {
  path?: PathParams<O>;
  query?: QueryParams<O>;
  body?: RequestBody<O>;
  signal?: AbortSignal;
}

export function address(path: string, params?: unknown, query?: unknown): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((params as Record<string, unknown>)[name])),
  );
  const pairs = Object.entries((query ?? {}) as Record<string, unknown>)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([key, value]): [string, string] => [key, String(value)]);
  return pairs.length === 0 ? filled : `${filled}?${new URLSearchParams(pairs)}`;
}

async function call<O>(method: Method, path: string, options: Options<O>): Promise<Answer<O>> {
  const headers: Record<string, string> = { accept: "application/json" };
  const init: RequestInit = { method: method.toUpperCase(), headers };
  if (options.signal) init.signal = options.signal;
  if (options.body !== undefined) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await fetch(address(path, options.path, options.query), init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable();
  }
  if (!response.ok) {
    const refused = new ApiError(response.status, await problem(response));
    // A wrong token at the login is the login's own matter.
    if (response.status === 401 && path !== "/api/auth/login") session.refused();
    throw refused;
  }
  return (response.status === 204 ? undefined : await response.json()) as Answer<O>;
}

async function problem(response: Response): Promise<ErrorBody> {
  try {
    return (await response.json()) as ErrorBody;
  } catch {
    return { error: `the server answered ${response.status}`, code: "unreadable_answer", details: [] };
  }
}

export const api = {
  get: <P extends WithMethod<"get">>(path: P, options: Options<Operation<P, "get">> = {}) =>
    call<Operation<P, "get">>("get", path, options),
  post: <P extends WithMethod<"post">>(path: P, options: Options<Operation<P, "post">> = {}) =>
    call<Operation<P, "post">>("post", path, options),
};
