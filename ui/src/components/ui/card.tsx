import { cn } from "@/lib/cn";
import type { ReactNode } from "react";

export function Card({ children, className }: { children: ReactNode; className?: string }) {
  return <section className={cn("rounded-lg border border-line bg-surface", className)}>{children}</section>;
}

export function CardHead({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <header className="flex min-h-11 items-center justify-between gap-3 border-b border-line px-4 py-1.5">
      <h2 className="text-[13px] font-semibold">{title}</h2>
      {children && <div className="flex items-center gap-2 text-[13px] text-muted">{children}</div>}
    </header>
  );
}
