import type { Task } from "@/api/client";
import { queries } from "@/api/queries";
import { DurationHistory } from "@/components/charts";
import { YamlView } from "@/components/code";
import type { GraphStep } from "@/components/flow-graph";
import { Graph } from "@/components/graph";
import { Problems } from "@/components/problems";
import { RunDialog } from "@/components/run-form";
import { PageHead } from "@/components/shell";
import { StatusIcon } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHead } from "@/components/ui/card";
import { Empty, Shown } from "@/components/ui/faces";
import { Tabs } from "@/components/ui/tabs";
import { fieldsOf } from "@/lib/form";
import { useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { Play } from "lucide-react";
import { useState } from "react";

const route = getRouteApi("/tasks/$ws/$task");

export function TaskPage() {
  const { ws, task: name } = route.useParams();
  const { run } = route.useSearch();
  const navigate = route.useNavigate();
  const task = useQuery(queries.task(ws, name));
  const close = () => void navigate({ search: {}, replace: true });
  return (
    <>
      <PageHead
        title={name}
        over={
          <>
            <Link to="/tasks" className="hover:text-ink hover:underline">
              Tasks
            </Link>
            <span aria-hidden>/</span> {ws}
            {task.data?.folder && (
              <>
                <span aria-hidden>/</span> {task.data.folder}
              </>
            )}
          </>
        }
      >
        <Button look="solid" disabled={!task.data?.healthy} onClick={() => void navigate({ search: { run: true } })}>
          <Play /> Run
        </Button>
      </PageHead>
      <Shown query={task} what="The task">
        {(data) => (
          <div className="grid grid-cols-1 gap-4 px-4 pb-6 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)] lg:px-6">
            {data.description && <p className="max-w-prose text-muted lg:col-span-2">{data.description}</p>}
            {data.diagnostics.length > 0 && (
              <Card className="border-bad/40 lg:col-span-2">
                <CardHead title={data.healthy ? "Problems in its file" : "Out of service: its files have errors"} />
                <Problems problems={data.diagnostics} />
              </Card>
            )}
            <div className="min-w-0 space-y-4">
              <Flow task={data} />
              <Inputs schema={data.input} />
            </div>
            <div className="min-w-0 space-y-4">
              <History ws={ws} task={name} />
              <Recent ws={ws} task={name} />
            </div>
            {run && data.healthy && <RunDialog workspace={ws} task={name} schema={data.input} onClose={close} />}
          </div>
        )}
      </Shown>
    </>
  );
}

function flowSteps(flow: unknown): GraphStep[] {
  return Object.entries((flow ?? {}) as Record<string, { type?: string; runner?: string; action?: string; depends_on?: string[] }>).map(([name, step]) => ({
    name,
    dependsOn: step.depends_on ?? [],
    kind: step.action ?? [step.type, step.runner].filter(Boolean).join(", "),
  }));
}

function Flow({ task }: { task: Task }) {
  const [tab, setTab] = useState<"graph" | "yaml">("graph");
  return (
    <Card className="flex h-96 flex-col">
      <Tabs
        label="The flow"
        className="flex-1"
        value={tab}
        onChange={setTab}
        tabs={[
          { value: "graph", label: "Flow" },
          { value: "yaml", label: "As read" },
        ]}
      >
        {tab === "graph" ? <Graph steps={flowSteps(task.flow)} label={`Flow of ${task.name}`} /> : <YamlView value={{ input: task.input, flow: task.flow }} label={`Definition of ${task.name}`} />}
      </Tabs>
    </Card>
  );
}

function History({ ws, task }: { ws: string; task: string }) {
  const stats = useQuery(queries.taskStats(ws, task));
  return (
    <Card>
      <CardHead title="Durations" />
      <Shown query={stats} what="Durations" rows={3}>
        {(data) => (data.runs.length === 0 ? <Empty title="It has not run yet" /> : <div className="p-4"><DurationHistory stats={data} /></div>)}
      </Shown>
    </Card>
  );
}

function Recent({ ws, task }: { ws: string; task: string }) {
  const jobs = useQuery(queries.jobs({ workspace: ws, task_name: task }, 0, 6));
  return (
    <Card>
      <CardHead title="Newest jobs">
        <Link to="/jobs" search={{ workspace: ws, task_name: task }} className="hover:text-ink hover:underline">
          All of them
        </Link>
      </CardHead>
      <Shown query={jobs} what="Jobs" rows={3}>
        {(data) =>
          data.items.length === 0 ? (
            <Empty title="No jobs yet" />
          ) : (
            <ul className="divide-y divide-line">
              {data.items.map((job) => (
                <li key={job.job_id}>
                  <Link to="/jobs/$id" params={{ id: job.job_id }} className="flex items-center gap-3 px-4 py-2 -outline-offset-2 hover:bg-raised">
                    <StatusIcon status={job.status} />
                    <span>{job.status}</span>
                    <span className="ml-auto text-[13px] text-muted">
                      <Took start={job.started_at} end={job.completed_at} />
                    </span>
                    <span className="w-24 text-right text-[13px] text-muted">
                      <Ago at={job.created_at} />
                    </span>
                  </Link>
                </li>
              ))}
            </ul>
          )
        }
      </Shown>
    </Card>
  );
}

function Inputs({ schema }: { schema: unknown }) {
  const fields = fieldsOf(schema);
  return (
    <Card>
      <CardHead title="Input" />
      {fields.length === 0 ? (
        <Empty title="It takes no input" />
      ) : (
        <div tabIndex={0} role="region" aria-label="Fields of the input" className="overflow-x-auto -outline-offset-2">
          <table className="w-full text-left text-[13px]">
            <thead className="text-muted">
              <tr>
                {["Field", "Type", "Default", "About"].map((head) => (
                  <th key={head} className="px-4 py-2 font-medium">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {fields.map((field) => (
                <tr key={field.key} className="border-t border-line align-top">
                  <td className="px-4 py-2 font-mono">
                    {field.key}
                    {field.required && <span className="ml-2 font-sans text-[12px] text-bad">required</span>}
                  </td>
                  <td className="px-4 py-2">
                    {field.type}
                    {field.multiple && ", several"}
                    {field.secret && ", secret"}
                  </td>
                  <td className="px-4 py-2 font-mono">{field.defaultValue === null ? <span className="text-muted">–</span> : JSON.stringify(field.defaultValue)}</td>
                  <td className="px-4 py-2 text-muted">
                    {field.description}
                    {field.options && <span> One of {field.options.map(String).join(", ")}.</span>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}
