import { cn } from "@/lib/cn";
import type { ComponentProps } from "react";

type Look = "solid" | "outline" | "ghost" | "danger";

const LOOKS: Record<Look, string> = {
  solid: "bg-accent text-on-accent hover:opacity-90",
  outline: "border border-line bg-surface hover:bg-raised",
  ghost: "hover:bg-raised text-muted hover:text-ink",
  danger: "border border-bad/40 text-bad bg-surface hover:bg-bad-soft",
};

export function buttonClass(look: Look = "outline", className?: string) {
  return cn(
    "inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded-md px-3 text-[13px] font-medium whitespace-nowrap",
    "transition-colors disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
    LOOKS[look],
    className,
  );
}

export function Button({ look, className, ...rest }: ComponentProps<"button"> & { look?: Look }) {
  return <button type="button" className={buttonClass(look, className)} {...rest} />;
}

/** A button that is only a picture; its name is for screen readers and the pointer's hover. */
export function IconButton({ label, className, ...rest }: ComponentProps<"button"> & { label: string }) {
  return <Button look="ghost" aria-label={label} title={label} className={cn("w-8 px-0", className)} {...rest} />;
}
