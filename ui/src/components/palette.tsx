import { queries } from "@/api/queries";
import { cn } from "@/lib/cn";
import { toggleTheme } from "@/lib/theme";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { CornerDownLeft, Search } from "lucide-react";
import { type ReactNode, useEffect, useId, useMemo, useRef, useState } from "react";
import { StatusIcon } from "./status";
import { Ago } from "./time";
import { logOut } from "./who";

interface Item {
  key: string;
  group: string;
  text: string;
  hint?: ReactNode;
  icon?: ReactNode;
  run: () => void;
}

/** Everything one can go to or do, by typing a part of its name. */
export function Palette({ onClose, onHelp }: { onClose: () => void; onHelp: () => void }) {
  const [text, setText] = useState("");
  const [place, setPlace] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const items = useItems(onHelp);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = useMemo(
    () => items.filter((item) => words.every((word) => `${item.group} ${item.text}`.toLowerCase().includes(word))).slice(0, 40),
    [items, text],
  );
  const chosen = Math.min(place, found.length - 1);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  useEffect(() => {
    document.getElementById(`${id}-${chosen}`)?.scrollIntoView({ block: "nearest" });
  }, [chosen, id]);
  const run = (item: Item | undefined) => {
    if (!item) return;
    onClose();
    item.run();
  };
  return (
    <dialog
      ref={dialog}
      aria-label="Go to"
      onClose={onClose}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
      className="mx-auto mt-[12dvh] w-[calc(100vw-1.5rem)] max-w-xl overflow-hidden rounded-lg border border-line bg-surface p-0 text-ink shadow-2xl"
    >
      <div className="flex items-center gap-2.5 border-b border-line px-4">
        <Search aria-hidden className="size-4 text-muted" />
        <input
          autoFocus
          role="combobox"
          aria-label="Page, task, job or action"
          aria-expanded
          aria-controls={`${id}-list`}
          aria-activedescendant={found.length > 0 ? `${id}-${chosen}` : undefined}
          placeholder="Page, task, job or action"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setPlace(0);
          }}
          onKeyDown={(event) => {
            const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
            if (step && found.length > 0) {
              event.preventDefault();
              setPlace((chosen + step + found.length) % found.length);
            }
            if (event.key === "Enter") run(found[chosen]);
          }}
          className="h-12 flex-1 bg-transparent outline-none placeholder:text-muted"
        />
      </div>
      <ul id={`${id}-list`} role="listbox" aria-label="Found" className="max-h-[55dvh] overflow-y-auto p-1.5">
        {found.map((item, index) => (
          <li
            key={item.key}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            onMouseMove={() => setPlace(index)}
            onClick={() => run(item)}
            className={cn("flex cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-2", index === chosen && "bg-accent-soft")}
          >
            {item.icon}
            <span className="truncate">{item.text}</span>
            <span className="ml-auto flex shrink-0 items-center gap-2 text-[12px] text-muted">
              {item.hint ?? item.group}
              {index === chosen && <CornerDownLeft aria-hidden className="size-3.5" />}
            </span>
          </li>
        ))}
        {found.length === 0 && <li className="px-2.5 py-6 text-center text-muted">Nothing has that name</li>}
      </ul>
    </dialog>
  );
}

function useItems(onHelp: () => void): Item[] {
  const navigate = useNavigate();
  const tasks = useQuery(queries.tasks()).data;
  const jobs = useQuery(queries.jobs({}, 0, 20)).data;
  const me = useQuery(queries.me()).data;
  return useMemo(() => {
    const items: Item[] = (
      [
        ["Dashboard", "/"],
        ["Tasks", "/tasks"],
        ["Jobs", "/jobs"],
        ["Workers", "/workers"],
      ] as const
    ).map(([text, to]) => ({ key: to, group: "Page", text, run: () => void navigate({ to }) }));
    items.push({ key: "failed", group: "Page", text: "Failed jobs", run: () => void navigate({ to: "/jobs", search: { status: "failed" } }) });
    for (const task of tasks ?? []) {
      const params = { ws: task.workspace, task: task.name };
      const folder = task.folder ? `${task.folder}/` : "";
      items.push({ key: `t/${task.workspace}/${task.name}`, group: "Task", text: `${folder}${task.name}`, run: () => void navigate({ to: "/tasks/$ws/$task", params }) });
      if (task.healthy) {
        items.push({
          key: `r/${task.workspace}/${task.name}`,
          group: "Run",
          text: `Run ${folder}${task.name}`,
          run: () => void navigate({ to: "/tasks/$ws/$task", params, search: { run: true } }),
        });
      }
    }
    for (const job of jobs?.items ?? []) {
      items.push({
        key: job.job_id,
        group: "Job",
        text: `${job.task_name} ${job.job_id.slice(-8)}`,
        icon: <StatusIcon status={job.status} />,
        hint: <Ago at={job.created_at} />,
        run: () => void navigate({ to: "/jobs/$id", params: { id: job.job_id } }),
      });
    }
    items.push({ key: "theme", group: "Action", text: "Change between light and dark", run: toggleTheme });
    if (me?.name) items.push({ key: "out", group: "Action", text: `Log out (${me.name})`, run: () => void logOut() });
    items.push({ key: "keys", group: "Action", text: "Show the keys", run: onHelp });
    return items;
  }, [tasks, jobs, me?.name, navigate, onHelp]);
}
