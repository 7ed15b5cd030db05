/** The faces of a place that has nothing to show: still loading, nothing there, gone wrong. */
import { ApiError, Unreachable } from "@/api/client";
import { cn } from "@/lib/cn";
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "./button";

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn("animate-pulse rounded bg-raised", className)} />;
}

export function Loading({ rows = 4, label = "Loading" }: { rows?: number; label?: string }) {
  return (
    <div role="status" aria-label={label} className="space-y-3 p-4">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} className={row % 3 === 2 ? "h-4 w-2/3" : "h-4"} />
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="px-4 py-8 text-center">
      <p className="font-medium">{title}</p>
      {children && <div className="mx-auto mt-1 max-w-prose text-[13px] text-muted">{children}</div>}
    </div>
  );
}

export function Failed({ error, retry, what }: { error: unknown; retry?: () => void; what: string }) {
  return (
    <div role="alert" className="px-4 py-8 text-center">
      <CircleAlert className="mx-auto mb-2 size-5 text-bad" aria-hidden />
      <p className="font-medium">{what} cannot be shown</p>
      <p className="mx-auto mt-1 max-w-prose text-[13px] text-muted">{sentence(error)}</p>
      {retry && (
        <Button className="mt-3" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

export function sentence(error: unknown): string {
  if (error instanceof ApiError) return error.body.error;
  if (error instanceof Unreachable) return "The server cannot be reached. It is tried again as soon as it is back.";
  return error instanceof Error ? error.message : String(error);
}

interface QueryLike<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** Shows the data once it is there, whatever happens later; before that the right face. */
export function Shown<T>({ query, what, rows, children }: { query: QueryLike<T>; what: string; rows?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Failed error={query.error} what={what} retry={() => query.refetch()} />;
  return <Loading label={`Loading ${what.toLowerCase()}`} {...(rows ? { rows } : {})} />;
}
