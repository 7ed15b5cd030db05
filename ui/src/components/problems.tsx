import type { FileProblem } from "@/api/client";
import { cn } from "@/lib/cn";
import { CircleAlert, TriangleAlert } from "lucide-react";

/** Problems of workflow files, each with its line and what to write instead. */
export function Problems({ problems }: { problems: readonly FileProblem[] }) {
  return (
    <ul className="divide-y divide-line">
      {problems.map((problem) => {
        const error = problem.severity === "error";
        const Icon = error ? CircleAlert : TriangleAlert;
        return (
          <li key={`${problem.file}:${problem.line}:${problem.column}:${problem.code}`} className="p-4">
            <div className="flex gap-2">
              <Icon aria-label={problem.severity} className={cn("mt-0.5 size-4 shrink-0", error ? "text-bad" : "text-waiting")} />
              <div className="min-w-0 flex-1">
                <p>
                  {problem.message}
                  {problem.suggestion && <span className="text-muted">: {problem.suggestion}</span>}
                </p>
                <p className="mt-0.5 font-mono text-[12px] break-all text-muted">
                  {problem.file}:{problem.line}:{problem.column} · {problem.code}
                </p>
                {problem.excerpt && (
                  <pre tabIndex={0} role="region" aria-label={`Line ${problem.line} of ${problem.file}`} className="mt-2 overflow-x-auto rounded-md border border-line bg-ground py-2 font-mono text-[12px]">
                    <span className="inline-block w-12 pr-3 text-right text-muted select-none">{problem.line}</span>
                    {problem.excerpt}
                    {"\n"}
                    <span aria-hidden className={cn("inline-block pl-12", error ? "text-bad" : "text-waiting")}>{`${" ".repeat(Math.max(0, problem.column - 1))}^`}</span>
                  </pre>
                )}
              </div>
            </div>
          </li>
        );
      })}
    </ul>
  );
}
