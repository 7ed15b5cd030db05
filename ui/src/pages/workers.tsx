import { type Worker, api } from "@/api/client";
import { queries, queryClient } from "@/api/queries";
import { PageHead } from "@/components/shell";
import { Status, Tags } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { Empty, Shown, sentence } from "@/components/ui/faces";
import { cn } from "@/lib/cn";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Load } from "./dashboard";

export function Workers() {
  const workers = useQuery(queries.workers());
  const [gone, setGone] = useState(false);
  return (
    <>
      <PageHead title="Workers" />
      <div className="px-4 pb-6 lg:px-6">
        <Shown query={workers} what="Workers">
          {(all) => {
            const here = all.filter((worker) => worker.status !== "gone");
            const away = all.filter((worker) => worker.status === "gone");
            return (
              <div className="space-y-4">
                {here.length === 0 ? (
                  <Card>
                    <Empty title="No worker is connected">
                      Steps wait until one comes. Start it with <code className="font-mono">stroem worker</code>, or <code className="font-mono">stroem dev</code> for both in one.
                    </Empty>
                  </Card>
                ) : (
                  <div className="grid gap-4 xl:grid-cols-2">
                    {here.map((worker) => (
                      <WorkerCard key={worker.id} worker={worker} />
                    ))}
                  </div>
                )}
                {away.length > 0 && (
                  <>
                    <Button look="ghost" aria-expanded={gone} onClick={() => setGone(!gone)}>
                      {gone ? "Hide" : "Show"} {away.length} that went away
                    </Button>
                    {gone && (
                      <div className="grid gap-4 xl:grid-cols-2">
                        {away.map((worker) => (
                          <WorkerCard key={worker.id} worker={worker} />
                        ))}
                      </div>
                    )}
                  </>
                )}
              </div>
            );
          }}
        </Shown>
      </div>
    </>
  );
}

function WorkerCard({ worker }: { worker: Worker }) {
  const [asked, setAsked] = useState(false);
  return (
    <Card className={cn(worker.status === "gone" && "border-dashed")}>
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-2.5">
        <h2 className="font-semibold">{worker.name}</h2>
        <Status status={worker.status} />
        {worker.exclusive && <span className="text-[12px] text-muted">exclusive</span>}
        <span className="ml-auto">
          {worker.status === "active" && <Button onClick={() => setAsked(true)}>Drain</Button>}
        </span>
      </header>
      <dl className="grid gap-x-6 gap-y-2.5 px-4 py-3 text-[13px] sm:grid-cols-2">
        <Fact name="Load">
          <Load running={worker.running.length} slots={worker.max_concurrent} />
        </Fact>
        <Fact name="Last seen">
          <Ago at={worker.last_seen} />
        </Fact>
        <Fact name="Tags">
          <Tags tags={worker.tags} />
        </Fact>
        <Fact name="Version">
          <span className="font-mono">{worker.version}</span>
        </Fact>
        <Fact name="Registered">
          <Ago at={worker.registered_at} />
        </Fact>
        {worker.withdrawn_tags.map((withdrawn) => (
          <Fact key={withdrawn.tag} name="Withdrawn">
            <span className="text-waiting">
              {withdrawn.tag}: {withdrawn.reason}
            </span>
          </Fact>
        ))}
      </dl>
      {worker.running.length > 0 && (
        <ul className="divide-y divide-line border-t border-line">
          {worker.running.map((running) => (
            <li key={`${running.job_id}/${running.step}`}>
              <Link
                to="/jobs/$id"
                params={{ id: running.job_id }}
                search={{ step: running.step_name ?? undefined }}
                className="flex items-center gap-3 px-4 py-2 text-[13px] -outline-offset-2 hover:bg-raised"
              >
                <span className="truncate font-medium">
                  {running.task_name ?? running.job_id.slice(-8)} <span className="text-muted">› {running.step_name ?? running.step}</span>
                </span>
                {running.attempt > 1 && <span className="text-muted">attempt {running.attempt}</span>}
                <span className="ml-auto text-muted">
                  <Took start={running.claimed_at} end={null} />
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
      {asked && <DrainDialog worker={worker} onClose={() => setAsked(false)} />}
    </Card>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="flex gap-3">
      <dt className="w-20 shrink-0 text-muted">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  );
}

function DrainDialog({ worker, onClose }: { worker: Worker; onClose: () => void }) {
  const [error, setError] = useState<string | null>(null);
  const drain = async () => {
    try {
      await api.post("/api/workers/{id}/drain", { path: { id: worker.id } });
      await queryClient.invalidateQueries({ queryKey: ["workers"] });
      onClose();
    } catch (problem) {
      setError(sentence(problem));
    }
  };
  return (
    <Dialog title={`Drain ${worker.name}?`} onClose={onClose}>
      <p>It takes no further steps; what it runs goes on to its end. It takes steps again after its next start.</p>
      {error && (
        <p role="alert" className="mt-3 text-bad">
          {error}
        </p>
      )}
      <footer className="mt-4 flex gap-2">
        <Button look="solid" onClick={() => void drain()}>
          Drain it
        </Button>
        <Button onClick={onClose}>Leave it</Button>
      </footer>
    </Dialog>
  );
}
