/** What happened to a job, in order, from the times that it keeps. */
import type { Job, Step } from "@/api/client";
import { explainOutcome } from "./cause";

export interface JobEvent {
  at: string;
  step: string | null;
  text: string;
  status: string;
}

export function eventsOf(job: Job, only: Step | undefined): JobEvent[] {
  const events: JobEvent[] = [];
  const add = (at: string | null | undefined, step: string | null, text: string, status: string) => {
    if (at) events.push({ at, step, text, status });
  };
  if (!only) {
    add(job.created_at, null, "the job was created", "pending");
    add(job.stop_requested_at, null, "a stop was asked for", "cancelled");
    add(job.completed_at, null, `the job ended: ${job.status}`, job.status);
  }
  for (const step of only ? [only] : job.steps) {
    for (const attempt of step.attempts) {
      const which = step.attempts.length > 1 ? `, attempt ${attempt.attempt}` : "";
      add(attempt.ready_at, step.step_name, `became ready${which}`, "ready");
      add(attempt.claimed_at, step.step_name, `was claimed by a worker${which}`, "running");
      add(attempt.started_at, step.step_name, `started${which}`, "running");
      const cause = explainOutcome(attempt.outcome);
      add(attempt.ended_at, step.step_name, cause ? `ended: ${cause.title.toLowerCase()}${which}` : `succeeded${which}`, cause ? "failed" : "completed");
    }
    if (step.status === "ready") add(step.ready_at, step.step_name, "became ready", "ready");
    if (step.attempts.length === 0) add(step.completed_at, step.step_name, `${step.status}${step.error_message ? `: ${step.error_message}` : ""}`, step.status);
  }
  // Equal times keep the order in which they were added, which is the order of cause.
  return events.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}
