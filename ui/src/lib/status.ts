/** States of jobs and steps: how they look, and which ones go on. */
export type Tone = "running" | "good" | "bad" | "waiting" | "quiet" | "stopped";

export const JOB_STATES = ["pending", "running", "completed", "failed", "cancelled", "skipped"] as const;

const TONES: Record<string, Tone> = {
  pending: "quiet",
  ready: "waiting",
  running: "running",
  completed: "good",
  failed: "bad",
  cancelled: "stopped",
  skipped: "quiet",
  suspended: "waiting",
  active: "good",
  draining: "waiting",
  gone: "quiet",
};

export function tone(status: string): Tone {
  return TONES[status] ?? "quiet";
}

export function isOver(status: string): boolean {
  return status === "completed" || status === "failed" || status === "cancelled" || status === "skipped";
}
