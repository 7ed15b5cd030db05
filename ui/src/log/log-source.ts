/**
 * The lines of a log, fetched where the view is. Of a log of any length it holds the map of its chunks and the lines
 * of a few hundred chunks; the view asks for a range and draws again when the state changed.
 */
import { type LogHit, type LogMap, address, api } from "@/api/client";
import { session } from "@/api/session";
import { LogIndex } from "./log-index";

export interface LogLine {
  ts: string;
  stream: "stdout" | "stderr" | "engine";
  step: string;
  attempt: number;
  line: string;
  continued?: boolean;
}

/** The log as one moment shows it: what is drawn together must come from one of these. */
export interface LogState {
  /** Grows with every change, also of the lines that are there. */
  version: number;
  lines: number;
  loaded: boolean;
  complete: boolean;
  error: unknown;
}

/** Chunks whose lines are kept. */
const KEPT = 300;
/** About how many bytes one request for lines brings. */
const REQUEST_BYTES = 48 << 10;
/** Milliseconds between two looks at the map of a log that grows. */
const PAUSE_MS = 80;

export class LogSource {
  readonly index = new LogIndex();
  #view: LogState = { version: 0, lines: 0, loaded: false, complete: false, error: null };
  #nextChunk = 0;
  #lines = new Map<number, LogLine[]>();
  #listeners = new Set<() => void>();
  #growing = false;
  #growAgain = false;
  #wanted: [number, number] = [0, 0];
  #fetching = false;
  #abort = new AbortController();

  constructor(
    readonly job: string,
    readonly step: string | null,
  ) {}

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = (): LogState => this.#view;

  close() {
    this.#abort.abort();
  }

  #changed(change: Partial<LogState>) {
    this.#view = { ...this.#view, ...change, version: this.#view.version + 1, lines: this.index.lines };
    for (const listener of this.#listeners) listener();
  }

  /** Looks what was added. */
  async grow() {
    if (this.#growing) {
      this.#growAgain = true;
      return;
    }
    this.#growing = true;
    do {
      this.#growAgain = false;
      try {
        const query = { from_chunk: this.#nextChunk, ...(this.step ? { step: this.step } : {}) };
        const map: LogMap = await api.get("/api/jobs/{id}/logs/map", { path: { id: this.job }, query, signal: this.#abort.signal });
        this.index.append(map.chunks);
        this.#nextChunk = map.next_chunk;
        this.#changed({ complete: map.complete, loaded: true, error: null });
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        this.#changed({ error });
      }
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    } while (this.#growAgain && !this.#abort.signal.aborted);
    this.#growing = false;
  }

  line(number: number): LogLine | undefined {
    const place = this.index.at(number);
    const chunk = this.index.chunks[place];
    return chunk && this.#lines.get(chunk.chunk)?.[number - this.index.starts[place]!];
  }

  /** The view shows these lines. */
  need(first: number, last: number) {
    this.#wanted = [first, last];
    if (!this.#fetching) void this.#fetch();
  }

  #missing(): number | null {
    if (this.index.chunks.length === 0) return null;
    const [first, last] = this.#wanted;
    for (let place = this.index.at(first); place <= this.index.at(last); place += 1) {
      if (!this.#lines.has(this.index.chunks[place]!.chunk)) return place;
    }
    return null;
  }

  async #fetch() {
    this.#fetching = true;
    for (let place = this.#missing(); place !== null; place = this.#missing()) {
      try {
        await this.#read(place);
      } catch (error) {
        if (!this.#abort.signal.aborted) this.#changed({ error });
        // Whoever sees the change asks again; not at once, as the server may be away.
        await new Promise((done) => setTimeout(done, 500));
        break;
      }
    }
    this.#fetching = false;
  }

  async #read(place: number) {
    const chunk = this.index.chunks[place]!;
    const path = this.step ? "/api/jobs/{id}/steps/{step}/logs" : "/api/jobs/{id}/logs";
    const query = { cursor: `${chunk.chunk}-0`, limit_bytes: REQUEST_BYTES };
    const url = address(path, { id: this.job, step: this.step }, query);
    const response = await fetch(url, { signal: this.#abort.signal });
    if (response.status === 401) session.refused();
    if (!response.ok) throw new Error(`the log answered ${response.status}`);
    const page = (await response.json()) as { logs: string };
    let at = 0;
    // The page may hold chunks that the map does not know yet; they come with the next map.
    for (let next = place; next < this.index.chunks.length && at < page.logs.length; next += 1) {
      const known = this.index.chunks[next]!;
      const lines: LogLine[] = [];
      while (lines.length < known.lines && at < page.logs.length) {
        const end = page.logs.indexOf("\n", at);
        lines.push(JSON.parse(page.logs.slice(at, end)) as LogLine);
        at = end + 1;
      }
      if (lines.length === known.lines) this.#keep(known.chunk, lines);
    }
    this.#changed({ error: null });
  }

  #keep(chunk: number, lines: LogLine[]) {
    this.#lines.delete(chunk);
    this.#lines.set(chunk, lines);
    for (const oldest of this.#lines.keys()) {
      if (this.#lines.size <= KEPT) return;
      this.#lines.delete(oldest);
    }
  }
}

/** Searches on the server; `q` is null for words of failure. Gives what was found so far after each answer. */
export async function searchLog(
  job: string,
  step: string | null,
  q: string | null,
  signal: AbortSignal,
  found: (hits: LogHit[], complete: boolean) => void,
) {
  const hits: LogHit[] = [];
  let cursor: string | undefined;
  for (;;) {
    const query = { limit: 1000, ...(q ? { q } : {}), ...(step ? { step } : {}), ...(cursor ? { cursor } : {}) };
    const answer = await api.get("/api/jobs/{id}/logs/search", { path: { id: job }, query, signal });
    hits.push(...answer.hits);
    found([...hits], answer.complete);
    if (answer.complete || hits.length >= 5000) return;
    cursor = answer.next_cursor;
  }
}
