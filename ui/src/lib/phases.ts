/** The phases of an attempt, as far as its times are known. */
import type { Step } from "@/api/client";

export type PhaseName = "queue" | "prepare" | "run" | "upload";

export interface Phase {
  name: PhaseName;
  start: number;
  /** None while it goes on. */
  end: number | null;
  attempt: number;
}

export function phasesOf(step: Step): Phase[] {
  const phases: Phase[] = [];
  step.attempts.forEach((attempt, place) => {
    const add = (name: PhaseName, start: string | null | undefined, end: string | null | undefined) => {
      if (!start) return;
      const [from, to] = [Date.parse(start), end ? Date.parse(end) : null];
      if (to === null || to >= from) phases.push({ name, start: from, end: to, attempt: attempt.attempt });
    };
    add("queue", attempt.ready_at, attempt.claimed_at);
    add("prepare", attempt.claimed_at, attempt.started_at ?? attempt.ended_at);
    add("run", attempt.started_at, attempt.ended_at);
    if (place === step.attempts.length - 1 && attempt.ended_at && step.completed_at && step.completed_at > attempt.ended_at) {
      add("upload", attempt.ended_at, step.completed_at);
    }
  });
  if (step.status === "ready" && step.ready_at) {
    phases.push({ name: "queue", start: Date.parse(step.ready_at), end: null, attempt: step.attempt + 1 });
  }
  return phases;
}

/** Round places of a time axis: `0 s, 5 s, 10 s` and so on. */
export function ticks(total: number, about = 6): number[] {
  const raw = Math.max(1, total / about);
  const power = 10 ** Math.floor(Math.log10(raw));
  const seconds = raw >= 60_000 ? 60_000 : 1;
  const base = seconds === 60_000 ? [1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440].map((m) => m * 60_000) : [1, 2, 5, 10].map((m) => m * power);
  const step = base.find((one) => one >= raw) ?? base[base.length - 1]!;
  const places: number[] = [];
  for (let at = 0; at <= total; at += step) places.push(at);
  return places;
}
