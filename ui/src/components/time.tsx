import { ago, clock, exact, span } from "@/lib/time";
import { useEffect, useState } from "react";

/** The time, told anew every so often while something on the page needs it. */
export function useNow(everyMs: number, active = true): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!active) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, active]);
  return now;
}

export function Ago({ at }: { at: string }) {
  const now = useNow(10_000);
  return (
    <time dateTime={at} title={exact(at)} className="whitespace-nowrap tabular-nums">
      {ago(Date.parse(at), Math.max(now, Date.parse(at)))}
    </time>
  );
}

export function At({ at }: { at: string }) {
  return (
    <time dateTime={at} title={exact(at)} className="whitespace-nowrap tabular-nums">
      {clock(at)}
    </time>
  );
}

/** How long something took, or takes so far. */
export function Took({ start, end }: { start: string | null | undefined; end: string | null | undefined }) {
  const now = useNow(1000, Boolean(start) && !end);
  if (!start) return <span className="text-muted">–</span>;
  const ms = Math.max(0, (end ? Date.parse(end) : now) - Date.parse(start));
  return (
    <span title={`${ms} ms`} className="whitespace-nowrap tabular-nums">
      {end ? span(ms) : ms < 1000 ? "0 s" : span(Math.floor(ms / 1000) * 1000)}
    </span>
  );
}
