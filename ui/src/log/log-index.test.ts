import { describe, expect, it } from "vitest";
import type { LogChunk } from "@/api/client";
import { LogIndex } from "./log-index";

const chunk = (chunk: number, lines: number): LogChunk => ({ chunk, lines, step: 0, attempt: 1, first_at: "" });

describe("the map of a log", () => {
  const index = new LogIndex();
  // Chunks 1 and 4 belong to another step.
  index.append([chunk(0, 3), chunk(2, 1), chunk(3, 5)]);
  index.append([chunk(3, 5), chunk(5, 2)]);

  it("counts each chunk once", () => expect(index.lines).toBe(11));

  it("finds each line's cursor and the line of each cursor", () => {
    const cursors = Array.from({ length: index.lines }, (_, line) => index.cursor(line));
    expect(cursors).toEqual(["0-0", "0-1", "0-2", "2-0", "3-0", "3-1", "3-2", "3-3", "3-4", "5-0", "5-1"]);
    cursors.forEach((cursor, line) => expect(index.lineOf(cursor!)).toBe(line));
  });

  it("leads a cursor of another step to the next line that it has", () => {
    expect(index.lineOf("1-7")).toBe(3);
    expect(index.lineOf("9-0")).toBeNull();
    expect(index.lineOf("nonsense")).toBeNull();
  });

  it("stays fast with a million lines", () => {
    const long = new LogIndex();
    long.append(Array.from({ length: 20_000 }, (_, number) => chunk(number, 50)));
    const before = performance.now();
    for (let line = 0; line < 1_000_000; line += 97) expect(long.lineOf(long.cursor(line)!)).toBe(line);
    expect(performance.now() - before).toBeLessThan(2000);
  });
});
