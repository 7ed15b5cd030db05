import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError, Unreachable, address, api } from "./client";
import { SseDecoder } from "./events";
import { Refetcher } from "./refetch";
import { session } from "./session";

afterEach(() => {
  vi.unstubAllGlobals();
  session.entered();
});

describe("addresses", () => {
  it("hold names of any kind and leave out what is not given", () => {
    expect(address("/api/jobs/{id}/steps/{step}/logs", { id: "1", step: "a/b c" }, { q: "x&y", cursor: undefined })).toBe("/api/jobs/1/steps/a%2Fb%20c/logs?q=x%26y");
  });
});

describe("calls", () => {
  const answer = (status: number, body: unknown) => vi.fn(async (_: string, __: RequestInit) => new Response(JSON.stringify(body), { status }));

  it("lead to the login when the server wants to know who asks, but not from the login itself", async () => {
    vi.stubGlobal("fetch", answer(401, { error: "no", code: "bad_token", details: [] }));
    await expect(api.post("/api/auth/login", { body: { token: "x" } })).rejects.toBeInstanceOf(ApiError);
    expect(session.isAsked()).toBe(false);
    const told = vi.fn();
    const leave = session.subscribe(told);
    await expect(api.get("/api/stats")).rejects.toBeInstanceOf(ApiError);
    await expect(api.get("/api/stats")).rejects.toBeInstanceOf(ApiError);
    leave();
    expect(session.isAsked()).toBe(true);
    expect(told).toHaveBeenCalledTimes(1);
  });

  it("give the server's problems, and say when there is no server", async () => {
    vi.stubGlobal("fetch", answer(400, { error: "no", code: "invalid_input", details: [] }));
    const refused = await api.get("/api/stats").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ApiError);
    expect((refused as ApiError).body.code).toBe("invalid_input");
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("network")));
    await expect(api.get("/api/stats")).rejects.toBeInstanceOf(Unreachable);
  });
});

describe("server-sent events", () => {
  it("are found whatever the pieces", () => {
    const text = ": hello\n\nevent: changes\nid: 7-3\ndata: {\"a\":1}\n\ndata: b\n\n";
    for (let size = 1; size < text.length; size += 1) {
      const decoder = new SseDecoder();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...decoder.push(text.slice(at, at + size)));
      expect(events).toEqual([
        { event: "changes", id: "7-3", data: '{"a":1}' },
        { event: "message", id: "", data: "b" },
      ]);
    }
  });
});

describe("asking again", () => {
  it("never asks twice at the same time, and once more for what came meanwhile", async () => {
    vi.useFakeTimers();
    const answers: (() => void)[] = [];
    const ask = vi.fn(() => new Promise<void>((done) => answers.push(done)));
    const refetcher = new Refetcher(ask, 10);
    refetcher.request("jobs");
    refetcher.request("jobs");
    refetcher.request("jobs");
    expect(ask).toHaveBeenCalledTimes(1);
    answers[0]!();
    await vi.advanceTimersByTimeAsync(20);
    expect(ask).toHaveBeenCalledTimes(2);
    answers[1]!();
    await vi.advanceTimersByTimeAsync(20);
    expect(ask).toHaveBeenCalledTimes(2);
    refetcher.request("jobs");
    expect(ask).toHaveBeenCalledTimes(3);
    vi.useRealTimers();
  });
});
