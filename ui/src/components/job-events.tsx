import type { Job, Step } from "@/api/client";
import { eventsOf } from "@/lib/job-events";
import { span } from "@/lib/time";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { StatusIcon } from "./status";
import { At } from "./time";

export function JobEvents({ job, step }: { job: Job; step: Step | undefined }) {
  const events = useMemo(() => eventsOf(job, step), [job, step]);
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: events.length, getScrollElement: () => box.current, estimateSize: () => 34, overscan: 15 });
  const start = Date.parse(job.created_at);
  return (
    <div ref={box} tabIndex={0} role="region" aria-label="Events" className="min-h-64 flex-1 overflow-y-auto -outline-offset-2">
      <ol className="relative" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((row) => {
          const event = events[row.index]!;
          return (
            <li key={row.index} className="absolute inset-x-0 top-0 flex items-center gap-3 px-4 text-[13px]" style={{ height: row.size, transform: `translateY(${row.start}px)` }}>
              <span className="text-muted">
                <At at={event.at} />
              </span>
              <span className="w-20 text-right text-muted tabular-nums">+{span(Date.parse(event.at) - start)}</span>
              <StatusIcon status={event.status} className="animate-none" />
              <span className="truncate">
                {event.step && <span className="font-medium">{event.step} </span>}
                {event.text}
              </span>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
