import type { TaskItem } from "@/api/client";
import { queries } from "@/api/queries";
import { Problems } from "@/components/problems";
import { PageHead } from "@/components/shell";
import { buttonClass } from "@/components/ui/button";
import { Card, CardHead } from "@/components/ui/card";
import { Empty, Shown } from "@/components/ui/faces";
import { Input } from "@/components/ui/fields";
import { type Folder, finds, folderTree } from "@/lib/folders";
import { useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { ChevronRight, CircleAlert, Folder as FolderIcon, Play, Search, Workflow } from "lucide-react";

const route = getRouteApi("/tasks");

export function Tasks() {
  const { q = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const tasks = useQuery(queries.tasks());
  const workspaces = useQuery(queries.workspaces());
  const broken = workspaces.data?.filter((workspace) => workspace.error || workspace.diagnostics.length > 0) ?? [];
  return (
    <>
      <PageHead title="Tasks">
        <div className="relative w-64 max-w-full">
          <Search aria-hidden className="absolute top-2 left-2 size-4 text-muted" />
          <Input
            type="search"
            data-search
            aria-label="Search tasks"
            placeholder="Search tasks"
            className="pl-8"
            value={q}
            onChange={(event) => void navigate({ search: { q: event.target.value || undefined }, replace: true })}
          />
        </div>
      </PageHead>
      <div className="space-y-4 px-4 pb-6 lg:px-6">
        {broken.map((workspace) => (
          <Card key={workspace.name} className="border-bad/40">
            <CardHead title={`Problems in the workspace ${workspace.name}`}>
              <span className="tabular-nums">{workspace.diagnostics.length || ""}</span>
            </CardHead>
            {workspace.error && <p className="px-4 py-3 text-bad">{workspace.error}</p>}
            <Problems problems={workspace.diagnostics} />
          </Card>
        ))}
        <Card>
          <Shown query={tasks} what="Tasks" rows={6}>
            {(all) => {
              const found = q ? all.filter((task) => finds(task, q)) : all;
              const many = new Set(all.map((task) => task.workspace)).size > 1;
              if (all.length === 0) {
                return (
                  <Empty title="There are no tasks yet">
                    A task is a few lines of YAML in <code className="font-mono">.workflows/</code> of the workspace. It appears here as soon as the file is saved.
                  </Empty>
                );
              }
              if (found.length === 0) return <Empty title={`No task matches “${q}”`} />;
              return <FolderRows folder={folderTree(found, many)} open depth={0} />;
            }}
          </Shown>
        </Card>
      </div>
    </>
  );
}

function FolderRows({ folder, open, depth }: { folder: Folder; open: boolean; depth: number }) {
  const rows = (
    <>
      {folder.folders.map((one) => (
        <FolderRows key={one.path} folder={one} open={open} depth={depth + 1} />
      ))}
      {folder.tasks.map((task) => (
        <TaskRow key={`${task.workspace}/${task.name}`} task={task} depth={depth} />
      ))}
    </>
  );
  if (depth === 0) return <div className="divide-y divide-line">{rows}</div>;
  return (
    <details open={open} className="group/folder">
      <summary className="flex cursor-pointer list-none items-center gap-2 px-4 py-2 font-medium -outline-offset-2 hover:bg-raised" style={{ paddingLeft: `${16 + (depth - 1) * 22}px` }}>
        <ChevronRight aria-hidden className="size-4 text-muted transition-transform group-open/folder:rotate-90" />
        <FolderIcon aria-hidden className="size-4 text-muted" />
        {folder.name}
        <span className="text-[12px] font-normal text-muted tabular-nums">{count(folder)}</span>
      </summary>
      <div className="divide-y divide-line border-t border-line">{rows}</div>
    </details>
  );
}

function count(folder: Folder): number {
  return folder.tasks.length + folder.folders.reduce((sum, one) => sum + count(one), 0);
}

function TaskRow({ task, depth }: { task: TaskItem; depth: number }) {
  const params = { ws: task.workspace, task: task.name };
  return (
    <div className="flex items-center gap-3 pr-3 hover:bg-raised" style={{ paddingLeft: `${16 + depth * 22}px` }}>
      <Link to="/tasks/$ws/$task" params={params} className="flex min-w-0 flex-1 items-center gap-3 py-2.5 -outline-offset-2">
        {task.healthy ? <Workflow aria-hidden className="size-4 shrink-0 text-muted" /> : <CircleAlert aria-label="broken" className="size-4 shrink-0 text-bad" />}
        <span className="shrink-0 font-medium">{task.name}</span>
        <span className="truncate text-[13px] text-muted">{task.healthy ? task.description : "out of service: its file has errors"}</span>
      </Link>
      {task.healthy && (
        <Link to="/tasks/$ws/$task" params={params} search={{ run: true }} aria-label={`Run ${task.name}`} title={`Run ${task.name}`} className={buttonClass("ghost", "w-8 px-0")}>
          <Play />
        </Link>
      )}
    </div>
  );
}
