import type { Activity, JobItem, Stats, Waiting, Worker } from "@/api/client";
import { queries } from "@/api/queries";
import { Bars } from "@/components/charts";
import { PageHead } from "@/components/shell";
import { StatusIcon, Tags } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { Card, CardHead } from "@/components/ui/card";
import { Empty, Shown, Skeleton } from "@/components/ui/faces";
import { cn } from "@/lib/cn";
import { clock, counted, span } from "@/lib/time";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

const MINUTES = 60;

export function Dashboard() {
  const stats = useQuery(queries.stats());
  const activity = useQuery(queries.activity(MINUTES));
  const waiting = useQuery(queries.waiting());
  const running = useQuery(queries.jobs({ status: "running" }, 0, 8));
  const failed = useQuery(queries.jobs({ status: "failed" }, 0, 8));
  const workers = useQuery(queries.workers());
  return (
    <>
      <PageHead title="Dashboard" />
      <div className="grid grid-cols-1 gap-4 px-4 pb-6 lg:grid-cols-2 lg:px-6">
        <Numbers stats={stats.data} activity={activity.data} />
        <Card>
          <CardHead title="Running now">
            <All status="running" />
          </CardHead>
          <Shown query={running} what="What runs">
            {(jobs) => <JobRows jobs={jobs.items} empty={<Empty title="Nothing runs">Run a task from its page, or with <code className="font-mono">stroem trigger</code>.</Empty>} />}
          </Shown>
        </Card>
        <Card>
          <CardHead title="Waiting for a worker">{waiting.data && <span className="tabular-nums">{waiting.data.length}</span>}</CardHead>
          <Shown query={waiting} what="What waits">
            {(steps) => <WaitingRows steps={steps} />}
          </Shown>
        </Card>
        <Card>
          <CardHead title="Failed lately">
            <All status="failed" />
          </CardHead>
          <Shown query={failed} what="What failed">
            {(jobs) => <JobRows jobs={jobs.items} failed empty={<Empty title="No job failed" />} />}
          </Shown>
        </Card>
        <Card>
          <CardHead title="Workers">
            <Link to="/workers" className="hover:text-ink hover:underline">
              All workers
            </Link>
          </CardHead>
          <Shown query={workers} what="Workers">
            {(all) => <WorkerRows workers={all.filter((worker) => worker.status !== "gone")} />}
          </Shown>
        </Card>
        <Shown query={activity} what="The last hour">
          {(data) => <Charts activity={data} />}
        </Shown>
      </div>
    </>
  );
}

function All({ status }: { status: string }) {
  return (
    <Link to="/jobs" search={{ status }} className="hover:text-ink hover:underline">
      All {status}
    </Link>
  );
}

function Numbers({ stats, activity }: { stats: Stats | undefined; activity: Activity | undefined }) {
  const jobs = (stats?.jobs ?? {}) as Record<string, number>;
  const ended = activity?.buckets.reduce((sum, bucket) => sum + bucket.completed + bucket.failed + bucket.other, 0);
  const failed = activity?.buckets.reduce((sum, bucket) => sum + bucket.failed, 0);
  return (
    <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-4 lg:col-span-2">
      <Figure name="Jobs running" value={stats && (jobs.running ?? 0)} note={stats && counted(stats.steps_running, "step")} />
      <Figure name="Steps waiting" value={stats?.steps_ready} note={stats && `${counted(jobs.pending ?? 0, "job")} not started`} warn={Boolean(stats && stats.steps_ready > 0 && stats.workers_active === 0)} />
      <Figure name="Slots in use" value={stats && `${stats.steps_running} / ${stats.slots}`} note={stats && counted(stats.workers_active, "active worker")} />
      <Figure name="Failed in the last hour" value={failed} note={ended !== undefined ? `of ${ended.toLocaleString()} ended` : undefined} warn={Boolean(failed)} />
    </dl>
  );
}

function Figure({ name, value, note, warn }: { name: string; value: ReactNode; note: string | undefined; warn?: boolean }) {
  return (
    <div className="bg-surface px-4 py-3">
      <dt className="text-[12px] text-muted">{name}</dt>
      <dd className="mt-0.5 flex items-baseline gap-2">
        {value === undefined ? <Skeleton className="my-1 h-6 w-12" /> : <span className={cn("text-2xl font-semibold tracking-tight tabular-nums", warn && "text-bad")}>{value}</span>}
        {note && <span className="truncate text-[12px] text-muted">{note}</span>}
      </dd>
    </div>
  );
}

function JobRows({ jobs, empty, failed }: { jobs: JobItem[]; empty: ReactNode; failed?: boolean }) {
  if (jobs.length === 0) return empty;
  return (
    <ul className="divide-y divide-line">
      {jobs.map((job) => (
        <li key={job.job_id}>
          <Link to="/jobs/$id" params={{ id: job.job_id }} className="flex items-center gap-3 px-4 py-2 -outline-offset-2 hover:bg-raised">
            <StatusIcon status={job.status} />
            <span className="truncate font-medium">{job.task_name}</span>
            <span className="font-mono text-[12px] text-muted">{job.job_id.slice(-8)}</span>
            <span className="ml-auto text-[13px] text-muted">{failed ? <Ago at={job.completed_at ?? job.created_at} /> : <Took start={job.started_at} end={job.completed_at} />}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function WaitingRows({ steps }: { steps: Waiting[] }) {
  if (steps.length === 0) return <Empty title="No step waits for a worker" />;
  return (
    <ul className="divide-y divide-line">
      {steps.slice(0, 8).map((step) => (
        <li key={`${step.job_id}/${step.step_name}`}>
          <Link to="/jobs/$id" params={{ id: step.job_id }} search={{ step: step.step_name }} className="block px-4 py-2 -outline-offset-2 hover:bg-raised">
            <span className="flex items-center gap-3">
              <StatusIcon status="ready" className={step.has_worker ? "" : "text-bad"} />
              <span className="truncate font-medium">
                {step.task_name} <span className="text-muted">› {step.step_name}</span>
              </span>
              <span className="ml-auto text-[13px] text-muted">{step.ready_at && <Took start={step.ready_at} end={null} />}</span>
            </span>
            <span className="mt-0.5 flex flex-wrap items-center gap-2 pl-7 text-[13px]">
              <span className={step.has_worker ? "text-muted" : "text-bad"}>{step.summary}</span>
              <Tags tags={step.required_tags} />
            </span>
          </Link>
        </li>
      ))}
      {steps.length > 8 && <li className="px-4 py-2 text-[13px] text-muted">and {steps.length - 8} more</li>}
    </ul>
  );
}

function WorkerRows({ workers }: { workers: Worker[] }) {
  if (workers.length === 0) {
    return (
      <Empty title="No worker is connected">
        Start one with <code className="font-mono">stroem worker</code>.
      </Empty>
    );
  }
  return (
    <ul className="divide-y divide-line">
      {workers.slice(0, 8).map((worker) => (
        <li key={worker.id} className="flex items-center gap-3 px-4 py-2">
          <StatusIcon status={worker.status} />
          <span className="truncate font-medium">{worker.name}</span>
          <span className="ml-auto flex items-center gap-3">
            <Load running={worker.running.length} slots={worker.max_concurrent} />
          </span>
        </li>
      ))}
      {workers.length > 8 && <li className="px-4 py-2 text-[13px] text-muted">and {workers.length - 8} more</li>}
    </ul>
  );
}

export function Load({ running, slots }: { running: number; slots: number }) {
  return (
    <span className="flex items-center gap-2 text-[13px] tabular-nums">
      <span aria-hidden className="h-1.5 w-20 overflow-hidden rounded-full bg-raised">
        <span className="block h-full rounded-full bg-running" style={{ width: `${slots > 0 ? (100 * running) / slots : 0}%` }} />
      </span>
      <span className="text-muted">
        {running} of {slots}
      </span>
    </span>
  );
}

function Charts({ activity }: { activity: Activity }) {
  const { buckets } = activity;
  const most = Math.max(1, ...buckets.map((bucket) => bucket.completed + bucket.failed + bucket.other));
  const longest = Math.max(1, ...buckets.map((bucket) => bucket.queue_p95_ms ?? 0));
  const ended = buckets.reduce((sum, bucket) => sum + bucket.completed + bucket.failed + bucket.other, 0);
  return (
    <>
      <Card>
        <CardHead title="Jobs ended, last hour">
          <span className="tabular-nums">up to {most} a minute</span>
        </CardHead>
        <div className="px-4 pt-3 pb-2">
          <Bars
            label={`Jobs ended in each minute of the last hour: ${ended} in all, ${most} in the busiest minute.`}
            max={most}
            bars={buckets.map((bucket) => ({
              at: bucket.at,
              title: `${clock(bucket.at)}: ${bucket.completed} completed, ${bucket.failed} failed, ${bucket.other} others`,
              parts: [
                { value: bucket.failed, className: "fill-bad" },
                { value: bucket.other, className: "fill-strong-line" },
                { value: bucket.completed, className: "fill-good" },
              ],
            }))}
          />
          <Axis cut={activity.cut} />
        </div>
      </Card>
      <Card>
        <CardHead title="Time in the queue, last hour">
          <span className="tabular-nums">p95 up to {span(longest)}</span>
        </CardHead>
        <div className="px-4 pt-3 pb-2">
          <Bars
            label={`Time that jobs waited before their first step, for each minute of the last hour: the 95th percentile is ${span(longest)} at most.`}
            max={longest}
            bars={buckets.map((bucket) => ({
              at: bucket.at,
              title: `${clock(bucket.at)}: ${bucket.queue_p50_ms == null ? "no job started" : `p50 ${span(bucket.queue_p50_ms)}, p95 ${span(bucket.queue_p95_ms ?? 0)}`}`,
              parts: [
                { value: bucket.queue_p50_ms ?? 0, className: "fill-accent" },
                { value: Math.max(0, (bucket.queue_p95_ms ?? 0) - (bucket.queue_p50_ms ?? 0)), className: "fill-accent/35" },
              ],
            }))}
          />
          <Axis cut={activity.cut} />
        </div>
      </Card>
    </>
  );
}

function Axis({ cut }: { cut: boolean }) {
  return (
    <div className="mt-1 flex justify-between text-[11px] text-muted">
      <span>1 h ago</span>
      {cut && <span>only the newest 5,000 jobs are counted</span>}
      <span>now</span>
    </div>
  );
}
