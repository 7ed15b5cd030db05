import { queries } from "@/api/queries";
import { useQuery } from "@tanstack/react-query";
import { Status, Tags } from "./status";
import { useNow } from "./time";
import { Shown } from "./ui/faces";
import { span } from "@/lib/time";

/** Why a step waits: what it waits for, which worker lacks which tag, how many are ahead. */
export function WhyWaiting({ job, step }: { job: string; step: string }) {
  const query = useQuery(queries.explain(job, step));
  const now = useNow(1000, Boolean(query.data?.fails_at));
  return (
    <Shown query={query} what="Why it waits" rows={2}>
      {(why) => {
        const waits = (why.waits_for ?? []) as unknown as [string, string][];
        return (
          <div data-why className="space-y-3 rounded-md border border-waiting/30 bg-waiting-soft/60 p-3">
            <p>
              <span className="font-semibold text-waiting">Why it waits: </span>
              {why.summary}
              {why.fails_at && Date.parse(why.fails_at) > now && (
                <span className="text-muted">. It fails in {span(Math.ceil((Date.parse(why.fails_at) - now) / 1000) * 1000)} if none comes.</span>
              )}
            </p>
            {waits.length > 0 && (
              <ul className="flex flex-wrap gap-3">
                {waits.map(([name, status]) => (
                  <li key={name} className="flex items-center gap-1.5">
                    {name} <Status status={status} />
                  </li>
                ))}
              </ul>
            )}
            {why.workers.length > 0 && (
              <div tabIndex={0} role="region" aria-label="Workers and what they lack" className="overflow-x-auto">
                <table className="w-full text-left text-[13px]">
                  <thead className="text-muted">
                    <tr>
                      <th className="py-1 pr-4 font-medium">Worker</th>
                      <th className="py-1 pr-4 font-medium">Required tags</th>
                      <th className="py-1 pr-4 font-medium">Free slots</th>
                    </tr>
                  </thead>
                  <tbody>
                    {why.workers.map((worker) => (
                      <tr key={worker.name} className="border-t border-line">
                        <td className="py-1.5 pr-4">
                          {worker.name}
                          {worker.remark && <span className="block text-[12px] text-muted">{worker.remark}</span>}
                        </td>
                        <td className="py-1.5 pr-4">
                          <Tags tags={why.required_tags} missing={worker.missing_tags} />
                          {worker.missing_tags.length > 0 && <span className="ml-2 text-[12px] text-bad">lacks {worker.missing_tags.join(", ")}</span>}
                        </td>
                        <td className="py-1.5 tabular-nums">{worker.free_slots}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )}
          </div>
        );
      }}
    </Shown>
  );
}
