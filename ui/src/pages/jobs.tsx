import type { JobItem } from "@/api/client";
import { type JobFilter, PAGE, queries } from "@/api/queries";
import { PageHead } from "@/components/shell";
import { Status } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty, Failed, Loading, Skeleton } from "@/components/ui/faces";
import { Input, Select } from "@/components/ui/fields";
import { JOB_STATES } from "@/lib/status";
import { counted } from "@/lib/time";
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";

const route = getRouteApi("/jobs");
const SOURCES = ["api", "user", "trigger", "webhook", "hook", "task", "mcp", "event_source", "retry", "rerun", "restart"];

export function Jobs() {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: JobFilter) => void navigate({ search: { ...filter, ...change }, replace: true });
  const filtered = Object.values(filter).some(Boolean);
  return (
    <>
      <PageHead title="Jobs" />
      <div className="flex flex-wrap items-center gap-2 px-4 pb-3 lg:px-6">
        <SearchField value={filter.search ?? ""} onChange={(search) => set({ search: search || undefined })} />
        <Select aria-label="State" value={filter.status ?? ""} onChange={(event) => set({ status: event.target.value || undefined })}>
          <option value="">Every state</option>
          {JOB_STATES.map((state) => (
            <option key={state}>{state}</option>
          ))}
        </Select>
        <TaskChoice filter={filter} set={set} />
        <Select aria-label="Source" value={filter.source_type ?? ""} onChange={(event) => set({ source_type: event.target.value || undefined })}>
          <option value="">Every source</option>
          {SOURCES.map((source) => (
            <option key={source}>{source}</option>
          ))}
        </Select>
        {filtered && (
          <Button look="ghost" onClick={() => void navigate({ search: {}, replace: true })}>
            <X /> Clear
          </Button>
        )}
      </div>
      <div className="px-4 pb-6 lg:px-6">
        <JobTable key={JSON.stringify(filter)} filter={filter} filtered={filtered} />
      </div>
    </>
  );
}

function SearchField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text), 250);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div className="relative w-full sm:w-64">
      <Search aria-hidden className="absolute top-2 left-2 size-4 text-muted" />
      <Input type="search" data-search aria-label="Search jobs" placeholder="Id, task or source" className="pl-8" value={text} onChange={(event) => setText(event.target.value)} />
    </div>
  );
}

function TaskChoice({ filter, set }: { filter: JobFilter; set: (change: JobFilter) => void }) {
  const tasks = useQuery(queries.tasks()).data ?? [];
  const value = filter.task_name ? `${filter.workspace ?? ""}/${filter.task_name}` : "";
  const options = tasks.map((task) => `${task.workspace}/${task.name}`);
  if (value && !options.includes(value)) options.unshift(value);
  return (
    <Select
      aria-label="Task"
      className="max-w-48"
      value={value}
      onChange={(event) => {
        const [workspace, ...task] = event.target.value.split("/");
        set({ workspace: workspace || undefined, task_name: task.join("/") || undefined });
      }}
    >
      <option value="">Every task</option>
      {options.map((option) => (
        <option key={option} value={option}>
          {option.slice(option.indexOf("/") + 1)}
        </option>
      ))}
    </Select>
  );
}

const ROW = 44;
const COLUMNS = "grid grid-cols-[7.5rem_minmax(0,1fr)_5.5rem] items-center gap-3 px-4 md:grid-cols-[7.5rem_minmax(0,1fr)_7rem_6rem_6rem_7.5rem]";

/** As many rows as there are jobs, of which those in view are asked for, page by page. */
function JobTable({ filter, filtered }: { filter: JobFilter; filtered: boolean }) {
  const first = useQuery(queries.jobs(filter));
  const total = first.data?.total ?? 0;
  const list = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useEffect(() => setTop(list.current?.offsetTop ?? 0), [first.data !== undefined]);
  const rows = useWindowVirtualizer({ count: total, estimateSize: () => ROW, overscan: 15, scrollMargin: top });
  const items = rows.getVirtualItems();
  const from = Math.floor((items[0]?.index ?? 0) / PAGE);
  const to = Math.floor((items[items.length - 1]?.index ?? 0) / PAGE);
  const pages = Array.from({ length: to - from + 1 }, (_, place) => from + place);
  const loaded = useQueries({ queries: pages.map((page) => ({ ...queries.jobs(filter, page * PAGE), placeholderData: undefined })) });
  const jobAt = (index: number) => loaded[Math.floor(index / PAGE) - from]?.data?.items[index % PAGE];

  if (first.data === undefined) {
    return <Card>{first.error ? <Failed error={first.error} what="Jobs" retry={() => void first.refetch()} /> : <Loading rows={8} label="Loading jobs" />}</Card>;
  }
  if (total === 0) {
    return (
      <Card>
        <Empty title={filtered ? "No job matches" : "No job has run yet"}>{filtered ? "Clear the filters to see all jobs." : "Run a task from its page."}</Empty>
      </Card>
    );
  }
  return (
    <Card>
      <div role="table" aria-label="Jobs" aria-rowcount={total + 1}>
        <div role="rowgroup">
          <div role="row" aria-rowindex={1} className={`${COLUMNS} h-10 border-b border-line text-[12px] font-medium text-muted`}>
            <span role="columnheader">State</span>
            <span role="columnheader">
              Task <span className="ml-2 font-normal tabular-nums" data-total={total}>{counted(total, "job")}</span>
            </span>
            <span role="columnheader" className="hidden md:block">Id</span>
            <span role="columnheader" className="hidden md:block">Source</span>
            <span role="columnheader" className="hidden text-right md:block">Took</span>
            <span role="columnheader" className="text-right">Created</span>
          </div>
        </div>
        <div role="rowgroup" ref={list} className="relative" style={{ height: rows.getTotalSize() }}>
          {items.map((row) => {
            const job = jobAt(row.index);
            return (
              <div key={row.index} role="row" aria-rowindex={row.index + 2} className="absolute inset-x-0 top-0 border-b border-line" style={{ height: ROW, transform: `translateY(${row.start - top}px)` }}>
                {job ? <JobRow job={job} /> : <div role="cell" className={`${COLUMNS} h-full`}><Skeleton className="h-4" /><Skeleton className="h-4 w-40" /></div>}
              </div>
            );
          })}
        </div>
      </div>
    </Card>
  );
}

function JobRow({ job }: { job: JobItem }) {
  return (
    <div className={`${COLUMNS} relative h-full hover:bg-raised`}>
      <span role="cell">
        <Status status={job.status} />
      </span>
      <span role="cell" className="truncate font-medium">
        <Link to="/jobs/$id" params={{ id: job.job_id }} className="after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent">
          {job.task_name}
        </Link>
      </span>
      <span role="cell" className="hidden font-mono text-[12px] text-muted md:block" title={job.job_id}>
        {job.job_id.slice(-8)}
      </span>
      <span role="cell" className="hidden text-[13px] text-muted md:block">
        {job.source_type}
      </span>
      <span role="cell" className="hidden text-right text-[13px] text-muted md:block">
        <Took start={job.started_at} end={job.completed_at} />
      </span>
      <span role="cell" className="text-right text-[13px] text-muted">
        <Ago at={job.created_at} />
      </span>
    </div>
  );
}
