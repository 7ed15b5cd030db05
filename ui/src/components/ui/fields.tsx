import { cn } from "@/lib/cn";
import type { ComponentProps } from "react";

const BASE = "rounded-md border border-strong-line/60 bg-surface px-2.5 text-[13px] placeholder:text-muted aria-invalid:border-bad";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input className={cn(BASE, "h-8 w-full", className)} {...rest} />;
}

export function TextArea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea className={cn(BASE, "min-h-20 w-full py-1.5 font-mono", className)} {...rest} />;
}

export function Select({ className, ...rest }: ComponentProps<"select">) {
  return <select className={cn(BASE, "h-8 pr-7", className)} {...rest} />;
}

export function Kbd({ children }: { children: string }) {
  return <kbd className="rounded border border-line bg-raised px-1.5 py-px font-mono text-[11px] text-muted">{children}</kbd>;
}
