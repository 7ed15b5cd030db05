import { cn } from "@/lib/cn";
import { type Tone, tone } from "@/lib/status";
import { Ban, Check, CircleDashed, Clock, LoaderCircle, type LucideIcon, SkipForward, X } from "lucide-react";

const ICONS: Record<string, LucideIcon> = {
  pending: CircleDashed,
  ready: Clock,
  running: LoaderCircle,
  completed: Check,
  failed: X,
  cancelled: Ban,
  skipped: SkipForward,
  suspended: Clock,
  active: Check,
  draining: Clock,
  gone: CircleDashed,
};

export const TEXT: Record<Tone, string> = {
  running: "text-running",
  good: "text-good",
  bad: "text-bad",
  waiting: "text-waiting",
  quiet: "text-muted",
  stopped: "text-stopped",
};

const SOFT: Record<Tone, string> = {
  running: "bg-running-soft",
  good: "bg-good-soft",
  bad: "bg-bad-soft",
  waiting: "bg-waiting-soft",
  quiet: "bg-raised",
  stopped: "bg-stopped-soft",
};

export const FILL: Record<Tone, string> = {
  running: "bg-running",
  good: "bg-good",
  bad: "bg-bad",
  waiting: "bg-waiting",
  quiet: "bg-strong-line",
  stopped: "bg-stopped",
};

export function StatusIcon({ status, className }: { status: string; className?: string }) {
  const Icon = ICONS[status] ?? CircleDashed;
  return <Icon aria-hidden className={cn("size-4 shrink-0", TEXT[tone(status)], status === "running" && "animate-spin", className)} />;
}

/** A state as a word with its picture: never by colour alone. */
export function Status({ status, className }: { status: string; className?: string }) {
  const kind = tone(status);
  return (
    <span data-status={status} className={cn("inline-flex items-center gap-1 rounded-full py-0.5 pr-2.5 pl-1.5 text-xs font-medium", TEXT[kind], SOFT[kind], className)}>
      <StatusIcon status={status} className="size-3.5" />
      {status}
    </span>
  );
}

export function Tags({ tags, missing = [] }: { tags: readonly string[]; missing?: readonly string[] }) {
  return (
    <span className="inline-flex flex-wrap gap-1">
      {tags.map((tag) => {
        const lacks = missing.includes(tag);
        return (
          <span key={tag} className={cn("rounded border px-1.5 py-px font-mono text-[11px]", lacks ? "border-bad/40 bg-bad-soft text-bad" : "border-line bg-raised text-muted")}>
            {lacks && <span className="sr-only">missing </span>}
            {tag}
          </span>
        );
      })}
    </span>
  );
}
