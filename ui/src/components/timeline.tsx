/** When each step waited, was prepared, ran and was put away. */
import type { Job } from "@/api/client";
import { cn } from "@/lib/cn";
import { type PhaseName, phasesOf, ticks } from "@/lib/phases";
import { isOver } from "@/lib/status";
import { span } from "@/lib/time";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { StatusIcon } from "./status";
import { useNow } from "./time";

const LOOK: Record<PhaseName, string> = {
  queue: "bg-strong-line/60",
  prepare: "bg-stopped/70",
  run: "bg-running",
  upload: "bg-accent/70",
};
const WORDS: Record<PhaseName, string> = { queue: "Queue", prepare: "Prepare", run: "Run", upload: "Upload" };

export function Timeline({ job, selected, onSelect }: { job: Job; selected: string | null; onSelect: (name: string) => void }) {
  const now = useNow(500, !isOver(job.status));
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: job.steps.length, getScrollElement: () => box.current, estimateSize: () => 34, overscan: 12 });
  const start = Date.parse(job.created_at);
  const end = job.completed_at ? Date.parse(job.completed_at) : Math.max(now, start + 1000);
  const total = Math.max(1, end - start);
  const left = (at: number) => `${(100 * Math.max(0, at - start)) / total}%`;
  const width = (from: number, to: number) => `max(2px, ${(100 * Math.max(0, to - from)) / total}%)`;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line px-4 py-2 text-[12px] text-muted">
        {(Object.keys(WORDS) as PhaseName[]).map((name) => (
          <span key={name} className="flex items-center gap-1.5">
            <span aria-hidden className={cn("size-2.5 rounded-[3px]", LOOK[name])} />
            {WORDS[name]}
          </span>
        ))}
        <span className="ml-auto tabular-nums">{span(total)} in all</span>
      </div>
      <div ref={box} tabIndex={0} role="region" aria-label="Timeline" className="min-h-64 flex-1 overflow-auto -outline-offset-2">
        <div className="min-w-130">
          <div aria-hidden className="sticky top-0 z-10 flex h-7 border-b border-line bg-surface">
            <div className="w-44 shrink-0" />
            <div className="relative mr-4 flex-1">
              {ticks(total).filter((at) => at < total * 0.95).map((at) => (
                <span key={at} className="absolute top-1.5 text-[11px] whitespace-nowrap text-muted tabular-nums" style={{ left: `${(100 * at) / total}%` }}>
                  {span(at)}
                </span>
              ))}
            </div>
          </div>
          <div className="relative" style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((row) => {
              const step = job.steps[row.index]!;
              const phases = phasesOf(step);
              const words = phases.map((phase) => `${WORDS[phase.name].toLowerCase()} ${span((phase.end ?? now) - phase.start)}`).join(", ");
              return (
                <button
                  key={step.step_name}
                  type="button"
                  onClick={() => onSelect(step.step_name)}
                  aria-label={`${step.step_name}, ${step.status}${words && `: ${words}`}`}
                  className={cn("absolute inset-x-0 top-0 flex items-center text-left -outline-offset-2 hover:bg-raised", step.step_name === selected && "bg-accent-soft")}
                  style={{ height: row.size, transform: `translateY(${row.start}px)` }}
                >
                  <span className="flex w-44 shrink-0 items-center gap-2 px-4">
                    <StatusIcon status={step.status} />
                    <span className="truncate text-[13px]">{step.step_name}</span>
                  </span>
                  <span className="relative mr-4 h-full flex-1">
                    {ticks(total).map((at) => (
                      <span key={at} aria-hidden className="absolute inset-y-0 border-l border-line/70" style={{ left: `${(100 * at) / total}%` }} />
                    ))}
                    {phases.map((phase) => (
                      <span
                        key={`${phase.attempt}${phase.name}`}
                        title={`${WORDS[phase.name]}: ${span((phase.end ?? now) - phase.start)}${step.attempts.length > 1 ? `, attempt ${phase.attempt}` : ""}`}
                        className={cn(
                          "absolute top-1/2 -translate-y-1/2 rounded-[3px]",
                          phase.name === "run" ? "h-3.5" : "h-2",
                          phase.name === "run" && phase.end !== null && step.status === "failed" ? "bg-bad" : phase.name === "run" && step.status === "completed" ? "bg-good" : LOOK[phase.name],
                        )}
                        style={{ left: left(phase.start), width: width(phase.start, phase.end ?? now) }}
                      />
                    ))}
                  </span>
                </button>
              );
            })}
          </div>
        </div>
      </div>
    </div>
  );
}
