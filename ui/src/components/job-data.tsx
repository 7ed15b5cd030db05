import type { Job, Step } from "@/api/client";
import { Json } from "./code";
import type { ReactNode } from "react";

/** What went in and what came out, of the job or of one step. */
export function JobData({ job, step }: { job: Job; step: Step | undefined }) {
  const about = step ? step.step_name : "the job";
  const input = step ? step.input : job.input;
  const output = step ? step.output : job.output;
  const empty = (value: unknown) => value === null || value === undefined || (typeof value === "object" && Object.keys(value).length === 0);
  return (
    <div className="space-y-4 overflow-y-auto p-4">
      <Part title={`Input of ${about}`}>{empty(input) ? <None text="none" /> : <Json value={input} label={`Input of ${about}`} />}</Part>
      <Part title={`Output of ${about}`}>
        {empty(output) ? <None text={(step?.completed_at ?? job.completed_at) ? "none" : "not yet"} /> : <Json value={output} label={`Output of ${about}`} />}
      </Part>
      {!step && (
        <Part title="Revision">
          <p className="font-mono text-[12px] break-all text-muted">{job.revision}</p>
        </Part>
      )}
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h2 className="mb-1.5 text-[13px] font-medium">{title}</h2>
      {children}
    </section>
  );
}

function None({ text }: { text: string }) {
  return <p className="text-[13px] text-muted">{text}</p>;
}
