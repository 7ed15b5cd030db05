import { describe, expect, it, test } from "vitest";
import type { Job, Step, TaskItem } from "@/api/client";
import { parseAnsi, plain } from "./ansi";
import { explainOutcome } from "./cause";
import { finds, folderTree } from "./folders";
import { MASK, fieldsOf, firstEntries, toInput } from "./form";
import { eventsOf } from "./job-events";
import { phasesOf, ticks } from "./phases";
import { ago, span } from "./time";

describe("spans of time", () => {
  test.each([
    [0, "0 ms"],
    [12.4, "12 ms"],
    [3400, "3.4 s"],
    [59_400, "59 s"],
    [59_600, "1 min"],
    [125_000, "2 min 5 s"],
    [3_840_000, "1 h 4 min"],
    [180_000_000, "2 d 2 h"],
  ])("%d ms is %s", (ms, text) => expect(span(ms)).toBe(text));

  it("says how long ago something was, in the largest unit that fits", () => {
    expect(ago(0, 5_000)).toBe("5 sec. ago");
    expect(ago(0, 7_300_000)).toBe("2 hr. ago");
    expect(ago(100, 200)).toBe("now");
  });
});

describe("colours of terminals", () => {
  const esc = "\u001b";
  test.each([
    ["plain", [["plain", undefined]]],
    [`${esc}[31mred${esc}[0m rest`, [["red", "ansi-red"], [" rest", undefined]]],
    [`${esc}[1;32mok`, [["ok", "font-semibold ansi-green"]]],
    [`${esc}[91mbright${esc}[39m${esc}[44mon blue`, [["bright", "ansi-red"], ["on blue", "ansi-bg-blue"]]],
    [`${esc}[2K${esc}]0;title\u0007text${esc}[1A`, [["text", undefined]]],
    ["10 %\r50 %\r100 %", [["100 %", undefined]]],
    ["windows\r", [["windows", undefined]]],
  ])("%j", (line, expected) => expect(parseAnsi(line).map((span) => [span.text, span.className])).toEqual(expected));

  it("takes colours of the 256 and of 16 million", () => {
    expect(parseAnsi(`${esc}[38;5;196mx`)[0]?.color).toBe("#ff0000");
    expect(parseAnsi(`${esc}[48;2;1;2;3mx`)[0]?.background).toBe("#010203");
    expect(plain(`${esc}[38;5;244ma${esc}[0mb`)).toBe("ab");
  });
});

describe("the run form", () => {
  const schema = {
    name: { type: "string", required: true },
    count: { type: "integer", default: 3 },
    ratio: { type: "number" },
    dry: { type: "boolean", default: true },
    day: { type: "date" },
    at: { type: "datetime" },
    env: { type: "string", options: ["a", "b"], order: -1 },
    size: { type: "integer", options: [1, 2] },
    regions: { type: "string", multiple: true },
    token: { type: "string", secret: true },
    db: { type: { connection: "postgres" } },
  };
  const fields = fieldsOf(schema);

  it("orders its fields and names the types of connections", () => {
    expect(fields.map((field) => field.key).slice(0, 3)).toEqual(["env", "name", "count"]);
    expect(fields.find((field) => field.key === "db")?.type).toBe("postgres");
  });

  it("begins with the defaults, or with an earlier input without its secrets", () => {
    expect(firstEntries(fields)).toMatchObject({ count: "3", dry: true, name: "", regions: [] });
    const again = firstEntries(fields, { name: "x", dry: false, token: MASK, regions: ["eu"] });
    expect(again).toMatchObject({ name: "x", dry: false, token: "", regions: ["eu"], count: "" });
  });

  it("makes values of the right types and leaves out what is empty", () => {
    const entries = { ...firstEntries(fields), name: "x", count: "7", ratio: "0.5", size: "2", regions: ["eu", "us"], dry: null };
    expect(toInput(fields, entries)).toEqual({ input: { name: "x", count: 7, ratio: 0.5, size: 2, regions: ["eu", "us"] }, errors: {} });
  });

  it("says beside each field what is wrong", () => {
    const entries = { ...firstEntries(fields), count: "1.5", ratio: "much", at: "soon" };
    expect(toInput(fields, entries).errors).toEqual({
      name: "is required",
      count: "must be a whole number",
      ratio: "must be a number",
      at: "must be a date and a time",
    });
  });

  it("sends local times as instants", () => {
    const { input } = toInput(fields, { name: "x", at: "2026-01-31T13:00" });
    expect(input.at).toBe(new Date("2026-01-31T13:00").toISOString());
  });
});

const step = (change: Partial<Step>): Step =>
  ({
    step_name: "s", action_name: "s", action_type: "script", depends_on: [], status: "completed", attempt: 1, attempts: [],
    required_tags: [], continue_on_failure: false, ...change,
  }) as Step;
const attempt = { attempt: 1, worker_id: "w", ready_at: "2026-01-01T00:00:00Z", claimed_at: "2026-01-01T00:00:01Z", started_at: "2026-01-01T00:00:03Z", ended_at: "2026-01-01T00:00:06Z", outcome: { cause: "succeeded" } };

describe("phases", () => {
  it("are as long as the times say", () => {
    const phases = phasesOf(step({ attempts: [attempt], completed_at: "2026-01-01T00:00:07Z" }));
    expect(phases.map((phase) => [phase.name, phase.end! - phase.start])).toEqual([["queue", 1000], ["prepare", 2000], ["run", 3000], ["upload", 1000]]);
  });

  it("go on while they have no end", () => {
    const phases = phasesOf(step({ status: "running", attempts: [{ ...attempt, ended_at: null, outcome: null }] }));
    expect(phases.at(-1)).toMatchObject({ name: "run", end: null });
    expect(phasesOf(step({ status: "ready", attempt: 0, ready_at: attempt.ready_at }))).toMatchObject([{ name: "queue", end: null }]);
  });

  test.each([[3000, 500], [42, 10], [7_200_000, 1_800_000]])("the axis of %d ms has round places", (total, first) => expect(ticks(total)[1]).toBe(first));
});

describe("causes", () => {
  test.each([
    [{ cause: "failed", exit_code: 3 }, "Exited with code 3"],
    [{ cause: "failed", signal: 9 }, "Ended by signal 9"],
    [{ cause: "out_of_memory", limit: 67_108_864, peak: 67_000_000 }, "Ran out of memory"],
    [{ cause: "something_new" }, "something new"],
  ])("%j", (outcome, title) => expect(explainOutcome(outcome)?.title).toBe(title));

  it("shows the evidence", () => {
    expect(explainOutcome({ cause: "out_of_memory", limit: 67_108_864, peak: null })?.facts).toEqual([["Cause", "out_of_memory"], ["Limit", "64 MiB"]]);
    expect(explainOutcome({ cause: "succeeded" })).toBeNull();
  });
});

describe("events of a job", () => {
  it("stand in the order in which they happened", () => {
    const job = { created_at: attempt.ready_at, completed_at: "2026-01-01T00:00:07Z", status: "completed", steps: [step({ attempts: [attempt] })] } as unknown as Job;
    expect(eventsOf(job, undefined).map((event) => event.text)).toEqual([
      "the job was created", "became ready", "was claimed by a worker", "started", "succeeded", "the job ended: completed",
    ]);
  });
});

describe("folders of tasks", () => {
  const task = (name: string, folder?: string): TaskItem => ({ id: name, name, workspace: "w", folder, mode: "distributed", has_triggers: false, healthy: true }) as TaskItem;

  it("nest", () => {
    const tree = folderTree([task("z"), task("a", "ops/db"), task("b", "ops")], false);
    expect(tree.tasks.map((one) => one.name)).toEqual(["z"]);
    expect(tree.folders[0]).toMatchObject({ name: "ops", tasks: [{ name: "b" }], folders: [{ name: "db", path: "ops/db" }] });
  });

  it("are searched by words in any order", () => {
    expect(finds(task("backup", "ops/db"), "backup ops")).toBe(true);
    expect(finds(task("backup"), "restore")).toBe(false);
  });
});
