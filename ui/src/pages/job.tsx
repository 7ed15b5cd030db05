import { ApiError, type Job, type Step, api } from "@/api/client";
import { queries, queryClient } from "@/api/queries";
import { WhyWaiting } from "@/components/explain";
import { Graph } from "@/components/graph";
import { JobData } from "@/components/job-data";
import { JobEvents } from "@/components/job-events";
import { RunDialog } from "@/components/run-form";
import { PageHead } from "@/components/shell";
import { Status, StatusIcon, Tags } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { Timeline } from "@/components/timeline";
import { Button, IconButton } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Failed, Loading, sentence } from "@/components/ui/faces";
import { Input } from "@/components/ui/fields";
import { Tabs } from "@/components/ui/tabs";
import { explainOutcome } from "@/lib/cause";
import { cn } from "@/lib/cn";
import { isOver } from "@/lib/status";
import { LogTail, LogView } from "@/log/log-view";
import type { JobTab } from "@/router";
import { useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Ban, Copy, RotateCcw } from "lucide-react";
import { useRef, useState } from "react";

const route = getRouteApi("/jobs/$id");

export function JobPage() {
  const { id } = route.useParams();
  const query = useQuery(queries.job(id));
  if (query.data) return <OneJob key={query.data.job_id} job={query.data} />;
  return (
    <>
      <PageHead title="Job" over={<span className="font-mono">{id.slice(-8)}</span>} />
      {query.error ? <Failed error={query.error} what="The job" retry={() => void query.refetch()} /> : <Loading rows={8} label="Loading the job" />}
    </>
  );
}

const TABS = [
  { value: "log", label: "Log" },
  { value: "timeline", label: "Timeline" },
  { value: "graph", label: "Graph" },
  { value: "data", label: "Input and output" },
  { value: "events", label: "Events" },
] as const;

function OneJob({ job }: { job: Job }) {
  const { step: named, tab = "log", at } = route.useSearch();
  const navigate = route.useNavigate();
  const failed = job.steps.find((step) => step.status === "failed" && !step.continue_on_failure) ?? job.steps.find((step) => step.status === "failed");
  // Who comes to a failed job wants the step that failed.
  const selected = named === undefined ? (job.status === "failed" ? (failed?.step_name ?? null) : null) : named === "" ? null : named;
  const step = job.steps.find((one) => one.step_name === selected);
  const show = (change: { step?: string | null; tab?: JobTab; at?: string | undefined }) =>
    void navigate({
      search: (old) => ({
        ...old,
        ...(change.tab ? { tab: change.tab } : {}),
        ...(change.step !== undefined ? { step: change.step ?? "", at: undefined } : {}),
        ...("at" in change ? { at: change.at, step: selected ?? "" } : {}),
      }),
      replace: true,
    });
  const select = (name: string | null) => show({ step: name });
  return (
    <div className="flex flex-col lg:h-dvh">
      <JobHead job={job} />
      <div className="flex min-h-0 flex-1 flex-col gap-4 px-4 pb-4 lg:flex-row lg:px-6">
        <StepList job={job} selected={step?.step_name ?? null} onSelect={select} />
        <div className="flex min-h-0 min-w-0 flex-1 flex-col gap-4">
          {step && <StepDetail job={job} step={step} />}
          {!step && job.status === "failed" && job.error_message && <p className="rounded-lg border border-bad/40 bg-bad-soft px-4 py-3 text-bad">{job.error_message}</p>}
          <Card className="flex min-h-96 flex-1 flex-col overflow-hidden lg:min-h-0">
            <Tabs label="About this job" className="flex-1" tabs={TABS} value={tab} onChange={(value) => show({ tab: value })}>
              {tab === "log" && (
                <div className="flex h-[70dvh] min-h-0 flex-col lg:h-auto lg:flex-1">
                  <LogView
                    job={job.job_id}
                    step={step?.step_name ?? null}
                    several={job.steps.length > 1}
                    over={isOver(step?.status ?? job.status) && isOver(job.status)}
                    begin={(step?.status ?? job.status) === "completed" ? "start" : "end"}
                    at={at}
                    onAt={(cursor) => show({ at: cursor })}
                  />
                </div>
              )}
              {tab === "timeline" && <Timeline job={job} selected={step?.step_name ?? null} onSelect={select} />}
              {tab === "graph" && (
                <div className="h-[60dvh] lg:h-full">
                  <Graph
                    label={`Graph of ${job.task_name}`}
                    selected={step?.step_name ?? null}
                    onSelect={select}
                    steps={job.steps.map((one) => ({ name: one.step_name, dependsOn: one.depends_on, status: one.status, kind: kind(one) }))}
                  />
                </div>
              )}
              {tab === "data" && <JobData job={job} step={step} />}
              {tab === "events" && <JobEvents job={job} step={step} />}
            </Tabs>
          </Card>
        </div>
      </div>
    </div>
  );
}

function kind(step: Step): string {
  return step.action_name === step.step_name ? [step.action_type, step.runner].filter(Boolean).join(", ") : step.action_name;
}

function JobHead({ job }: { job: Job }) {
  const [again, setAgain] = useState(false);
  const task = useQuery({ ...queries.task(job.workspace, job.task_name), enabled: again });
  return (
    <PageHead
      title={job.task_name}
      over={
        <>
          <Link to="/jobs" className="hover:text-ink hover:underline">
            Jobs
          </Link>
          <span aria-hidden>/</span>
          <Link to="/tasks/$ws/$task" params={{ ws: job.workspace, task: job.task_name }} className="hover:text-ink hover:underline">
            {job.task_name}
          </Link>
          <span aria-hidden>/</span>
          <span className="font-mono" title={job.job_id}>
            {job.job_id.slice(-8)}
          </span>
          <IconButton label="Copy the job's id" className="-my-2 h-6 w-6 [&_svg]:size-3.5" onClick={() => void navigator.clipboard?.writeText(job.job_id)}>
            <Copy />
          </IconButton>
        </>
      }
    >
      <Status status={job.status} />
      <span className="text-[13px] text-muted">
        {job.started_at && (
          <>
            <Took start={job.started_at} end={job.completed_at} />
            {" · "}
          </>
        )}
        created <Ago at={job.created_at} />
        {job.source_type !== "api" && ` by ${job.source_type}`}
      </span>
      {!isOver(job.status) && <CancelButton job={job} />}
      <Button onClick={() => setAgain(true)}>
        <RotateCcw /> Run again
      </Button>
      {again && task.data && (
        <RunDialog workspace={job.workspace} task={job.task_name} schema={task.data.input} input={job.input as Record<string, unknown>} onClose={() => setAgain(false)} />
      )}
      {again && task.error && (
        <span role="alert" className="text-bad">
          {sentence(task.error)}
        </span>
      )}
    </PageHead>
  );
}

function CancelButton({ job }: { job: Job }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const cancel = async () => {
    setBusy(true);
    setError(null);
    try {
      await api.post("/api/jobs/{id}/cancel", { path: { id: job.job_id } });
    } catch (problem) {
      // It ended first: the page shows so in a moment.
      if (!(problem instanceof ApiError && problem.status === 409)) setError(sentence(problem));
    }
    await queryClient.invalidateQueries({ queryKey: ["job", job.job_id] });
    setBusy(false);
  };
  return (
    <>
      {error && (
        <span role="alert" className="text-[13px] text-bad">
          {error}
        </span>
      )}
      <Button look="danger" disabled={busy} onClick={() => void cancel()}>
        <Ban /> {busy ? "Cancelling…" : "Cancel"}
      </Button>
    </>
  );
}

/** Steps above which a field to find one is shown. */
const SEARCHED = 30;

function StepList({ job, selected, onSelect }: { job: Job; selected: string | null; onSelect: (name: string | null) => void }) {
  const [text, setText] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const steps = text ? job.steps.filter((step) => step.step_name.toLowerCase().includes(text.toLowerCase())) : job.steps;
  const rows = useVirtualizer({ count: steps.length, getScrollElement: () => box.current, estimateSize: () => 42, overscan: 10 });
  const done = job.steps.filter((step) => isOver(step.status)).length;
  return (
    <nav aria-label="Steps" className="flex min-h-0 shrink-0 flex-col rounded-lg border border-line bg-surface lg:w-64">
      <button
        type="button"
        aria-current={selected === null || undefined}
        onClick={() => onSelect(null)}
        className={cn("flex min-h-11 items-center justify-between gap-2 rounded-t-lg border-b border-line px-4 text-left font-medium -outline-offset-2", selected === null ? "bg-accent-soft" : "hover:bg-raised")}
      >
        All steps
        <span className="text-[12px] font-normal text-muted tabular-nums">
          {done} of {job.steps.length} ended
        </span>
      </button>
      {job.steps.length > SEARCHED && (
        <div className="border-b border-line p-2">
          <Input type="search" aria-label="Search steps" placeholder="Search steps" value={text} onChange={(event) => setText(event.target.value)} />
        </div>
      )}
      <div ref={box} className="max-h-60 min-h-0 flex-1 overflow-y-auto lg:max-h-none">
        <div className="relative" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((row) => {
            const step = steps[row.index]!;
            const current = step.step_name === selected;
            return (
              <button
                key={step.step_name}
                type="button"
                aria-current={current || undefined}
                data-step={step.step_name}
                onClick={() => onSelect(step.step_name)}
                className={cn("absolute inset-x-0 top-0 flex items-center gap-2.5 px-4 text-left -outline-offset-2", current ? "bg-accent-soft" : "hover:bg-raised")}
                style={{ height: row.size, transform: `translateY(${row.start}px)` }}
              >
                <StatusIcon status={step.status} />
                <span className="min-w-0 flex-1 truncate">{step.step_name}</span>
                {step.attempts.length > 1 && <span className="text-[12px] text-muted" title={`${step.attempts.length} attempts`}>×{step.attempts.length}</span>}
                <span className="text-[12px] text-muted">
                  {step.started_at ? <Took start={step.started_at} end={step.completed_at} /> : step.status}
                </span>
              </button>
            );
          })}
        </div>
      </div>
    </nav>
  );
}

function StepDetail({ job, step }: { job: Job; step: Step }) {
  const cause = step.status === "failed" || step.status === "cancelled" ? explainOutcome(step.outcome) : null;
  const waits = step.status === "ready" || (step.status === "pending" && !isOver(job.status));
  return (
    <Card className={cn("shrink-0 space-y-3 p-4 lg:max-h-[55%] lg:overflow-y-auto", step.status === "failed" && "border-bad/40")}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <h2 className="font-semibold">{step.step_name}</h2>
        <Status status={step.status} />
        <span className="text-[13px] text-muted">{kind(step)}</span>
        {step.continue_on_failure && <span className="text-[12px] text-muted">may fail</span>}
        <span className="ml-auto flex items-center gap-3 text-[13px] text-muted">
          {step.attempt > 0 && <span>attempt {step.attempt}</span>}
          <Tags tags={step.required_tags} />
        </span>
      </div>
      {waits && <WhyWaiting job={job.job_id} step={step.step_name} />}
      {step.status === "failed" && (
        <div data-cause className="space-y-2">
          <p>
            <span className="font-semibold text-bad">{cause?.title ?? step.error_message ?? "Failed"}</span>
            {cause?.advice && <span className="text-muted">. {cause.advice}</span>}
          </p>
          {cause && step.error_message && step.error_message.toLowerCase() !== cause.title.toLowerCase() && <p>{step.error_message}</p>}
          {cause && cause.facts.length > 2 && (
            <dl className="flex flex-wrap gap-x-6 gap-y-1 text-[13px]">
              {cause.facts.map(([name, value]) => (
                <div key={name} className="flex gap-1.5">
                  <dt className="text-muted">{name}</dt>
                  <dd className="font-mono break-all">{value}</dd>
                </div>
              ))}
            </dl>
          )}
          {step.attempts.length > 0 && <LogTail job={job.job_id} step={step.step_name} lines={5} />}
        </div>
      )}
      {(step.status === "skipped" || step.status === "cancelled") && (step.error_message || cause) && <p className="text-muted">{step.error_message ?? cause?.title}</p>}
      {step.attempts.length > 1 && <Attempts step={step} />}
    </Card>
  );
}

function Attempts({ step }: { step: Step }) {
  return (
    <table className="w-full text-left text-[13px]">
      <caption className="sr-only">Attempts of {step.step_name}</caption>
      <thead className="text-muted">
        <tr>
          {["Attempt", "Outcome", "Waited", "Ran"].map((head) => (
            <th key={head} className="py-1 pr-4 font-medium">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {step.attempts.map((attempt) => (
          <tr key={attempt.attempt} className="border-t border-line">
            <td className="py-1 pr-4 tabular-nums">{attempt.attempt}</td>
            <td className="py-1 pr-4">{attempt.outcome ? (explainOutcome(attempt.outcome)?.title ?? "succeeded") : "runs"}</td>
            <td className="py-1 pr-4">
              <Took start={attempt.ready_at} end={attempt.claimed_at} />
            </td>
            <td className="py-1 pr-4">
              <Took start={attempt.started_at} end={attempt.ended_at} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
