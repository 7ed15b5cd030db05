/**
 * The page's one event stream. It tells what to ask for again, says whether the server is there, and after a break
 * continues from its last place, so that nothing is missed.
 */
import type { Hints } from "./client";
import { session } from "./session";

export type Connection = "connecting" | "live" | "reconnecting";

/** Milliseconds between attempts to reach a server that went away, the last one repeated. */
const PAUSES = [150, 300, 600, 1000, 1500, 2000];

export class SseDecoder {
  #rest = "";

  /** Takes a piece of the body and gives the events that it completes. */
  push(piece: string): { id: string; event: string; data: string }[] {
    this.#rest += piece;
    const blocks = this.#rest.split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.flatMap((block) => {
      const found = { id: "", event: "message", data: "" };
      for (const line of block.split("\n")) {
        const colon = line.indexOf(":");
        if (colon <= 0) continue;
        const value = line.slice(colon + 1).replace(/^ /, "");
        const field = line.slice(0, colon);
        if (field === "id") found.id = value;
        else if (field === "event") found.event = value;
        else if (field === "data") found.data += (found.data && "\n") + value;
      }
      return found.data ? [found] : [];
    });
  }
}

export class EventStream {
  #connection: Connection = "connecting";
  #listeners = new Set<() => void>();
  #hintListeners = new Set<(hints: Hints) => void>();
  #logListeners = new Set<() => void>();
  #last: string | null = null;
  #log: string | null = null;
  #current: AbortController | null = null;
  #attempt = 0;
  #stopped = true;
  #round = 0;

  start() {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#round += 1;
    void this.#run(this.#round);
  }

  stop() {
    this.#stopped = true;
    this.#current?.abort();
  }

  /** The job whose log is on the page; the stream comes back with it at once. */
  followLog(job: string, grew: () => void): () => void {
    this.#logListeners.add(grew);
    if (this.#log !== job) {
      this.#log = job;
      this.#current?.abort();
    }
    return () => {
      this.#logListeners.delete(grew);
      if (this.#logListeners.size === 0) this.#log = null;
    };
  }

  onHints(listener: (hints: Hints) => void): () => void {
    this.#hintListeners.add(listener);
    return () => this.#hintListeners.delete(listener);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  connection = (): Connection => this.#connection;

  #set(connection: Connection) {
    if (this.#connection === connection) return;
    this.#connection = connection;
    for (const listener of this.#listeners) listener();
  }

  async #run(round: number) {
    // Who was stopped in its pause and sees the next one at work ends, too.
    const over = () => this.#stopped || this.#round !== round;
    while (!over()) {
      const log = this.#log;
      this.#current = new AbortController();
      try {
        await this.#read(this.#current.signal, log);
      } catch {
        // Whatever the reason is, the next attempt shows whether it is gone.
      }
      if (over()) return;
      if (this.#current.signal.aborted) continue;
      this.#set(this.#connection === "connecting" ? "connecting" : "reconnecting");
      const pause = PAUSES[Math.min(this.#attempt, PAUSES.length - 1)]!;
      this.#attempt += 1;
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  async #read(signal: AbortSignal, log: string | null) {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.#last) headers["last-event-id"] = this.#last;
    const response = await fetch(log ? `/api/events?log=${log}` : "/api/events", { headers, signal });
    if (response.status === 401) session.refused();
    if (!response.ok || !response.body) throw new Error(`the event stream answered ${response.status}`);
    const decoder = new SseDecoder();
    let first = true;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const event of decoder.push(value)) {
        this.#attempt = 0;
        this.#set("live");
        this.#last = event.id || this.#last;
        // What a log got while no stream followed it is not told again, so the first event stands for it.
        if (event.event === "changes") this.#tell(JSON.parse(event.data) as Hints, log, first);
        first = false;
      }
    }
  }

  #tell(hints: Hints, log: string | null, first: boolean) {
    for (const listener of this.#hintListeners) listener(hints);
    if (log && (first || hints.log || hints.all || hints.jobs.some((job) => job.job_id === log))) {
      for (const listener of this.#logListeners) listener();
    }
  }
}

export const events = new EventStream();
