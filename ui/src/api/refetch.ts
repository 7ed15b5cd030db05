/**
 * Asks again after a hint, at once, but never twice at the same time: hints that come while a question is on its way
 * lead to one more question after it. So a busy server costs a page one request at a time per thing it shows, and an
 * answer that took long, such as that of a job with thousands of steps, is asked for less often.
 */
export class Refetcher {
  #running = new Map<string, boolean>();

  constructor(
    private readonly ask: (key: string) => Promise<unknown>,
    private readonly pauseMs: number,
  ) {}

  request(key: string) {
    if (this.#running.has(key)) {
      this.#running.set(key, true);
      return;
    }
    void this.#run(key);
  }

  async #run(key: string) {
    do {
      this.#running.set(key, false);
      const began = performance.now();
      try {
        await this.ask(key);
      } catch {
        // The query keeps its error for whoever shows it.
      }
      await new Promise((done) => setTimeout(done, Math.max(this.pauseMs, performance.now() - began)));
    } while (this.#running.get(key));
    this.#running.delete(key);
  }
}
