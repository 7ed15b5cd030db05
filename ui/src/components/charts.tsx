/** Small charts: bars whose values are in their titles and in one sentence for those who cannot see them. */
import type { TaskStats } from "@/api/client";
import { tone } from "@/lib/status";
import { clock, span } from "@/lib/time";
import { Link } from "@tanstack/react-router";
import { FILL } from "./status";

export interface Bar {
  at: string;
  parts: { value: number; className: string }[];
  title: string;
}

export function Bars({ bars, label, max }: { bars: Bar[]; label: string; max: number }) {
  const width = 100 / Math.max(1, bars.length);
  return (
    <svg role="img" aria-label={label} viewBox="0 0 100 30" preserveAspectRatio="none" className="h-20 w-full">
      <line x1="0" x2="100" y1="29.75" y2="29.75" className="stroke-line" strokeWidth="0.5" vectorEffect="non-scaling-stroke" />
      {bars.map((bar, index) => {
        let base = 29.5;
        return (
          <g key={bar.at}>
            <title>{bar.title}</title>
            <rect x={index * width} width={width} y={0} height={30} fill="transparent" />
            {bar.parts.map((part, place) => {
              const height = max > 0 ? (part.value / max) * 28 : 0;
              if (height === 0) return null;
              base -= Math.max(height, 0.7);
              return <rect key={place} x={index * width + width * 0.12} width={width * 0.76} y={base} height={Math.max(height, 0.7)} className={part.className} />;
            })}
          </g>
        );
      })}
    </svg>
  );
}

/** The newest runs of a task, oldest at the left, with lines at the percentiles. */
export function DurationHistory({ stats }: { stats: TaskStats }) {
  const runs = [...stats.runs].reverse().slice(-60);
  const longest = 1.1 * Math.max(1, ...runs.map((run) => run.duration_ms ?? 0));
  // Lines that are close to each other are named on either side of them.
  const close = stats.p95_ms != null && stats.p50_ms != null && stats.p95_ms - stats.p50_ms < longest * 0.14;
  const percent = (ms: number | null | undefined) => `${(100 * (ms ?? 0)) / longest}%`;
  return (
    <div>
      <div className="relative flex h-28 items-end gap-px border-b border-line pr-8" role="group" aria-label="Durations of the newest runs">
        {stats.p95_ms != null && <Mark at={percent(stats.p95_ms)} text="p95" />}
        {stats.p50_ms != null && stats.p50_ms !== stats.p95_ms && <Mark at={percent(stats.p50_ms)} text="p50" below={close} />}
        {runs.map((run) => (
          <Link
            key={run.job_id}
            to="/jobs/$id"
            params={{ id: run.job_id }}
            title={`${run.status}, ${run.duration_ms == null ? "not ended" : span(run.duration_ms)}, ${clock(run.created_at)}`}
            aria-label={`Job of ${clock(run.created_at)}: ${run.status}${run.duration_ms == null ? "" : ` after ${span(run.duration_ms)}`}`}
            className="flex h-full max-w-6 min-w-1 flex-1 items-end hover:bg-raised"
          >
            <span className={`w-full rounded-t-[2px] ${FILL[tone(run.status)]}`} style={{ height: `max(3px, ${percent(run.duration_ms)})` }} />
          </Link>
        ))}
      </div>
      <dl className="mt-3 flex flex-wrap gap-x-6 gap-y-1 text-[13px]">
        <Figure name="Runs" value={String(stats.total)} />
        <Figure name="Half take at most" value={stats.p50_ms == null ? "–" : span(stats.p50_ms)} />
        <Figure name="95 % take at most" value={stats.p95_ms == null ? "–" : span(stats.p95_ms)} />
      </dl>
    </div>
  );
}

function Mark({ at, text, below }: { at: string; text: string; below?: boolean }) {
  return (
    <div aria-hidden className="pointer-events-none absolute inset-x-0 border-t border-dashed border-strong-line" style={{ bottom: at }}>
      <span className={`absolute right-0 px-1 text-[10px] leading-4 text-muted ${below ? "top-0" : "-top-4"}`}>{text}</span>
    </div>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div className="flex gap-1.5">
      <dt className="text-muted">{name}</dt>
      <dd className="font-medium tabular-nums">{value}</dd>
    </div>
  );
}
