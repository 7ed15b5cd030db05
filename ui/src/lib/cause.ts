/** What an outcome means for the person who was just paged, and what to do about it. */
export interface Cause {
  title: string;
  advice: string;
  facts: [string, string][];
}

type Outcome = { cause: string } & Record<string, unknown>;

const KNOWN: Record<string, (outcome: Outcome) => [string, string]> = {
  failed: (o) =>
    o.signal !== undefined
      ? [`Ended by signal ${o.signal}`, "The program was killed by something else than Strøm. The last lines of its log may say more."]
      : [`Exited with code ${o.exit_code}`, "The program itself reported failure. The last lines of its log mostly say why."],
  timed_out: (o) => ["Took longer than it may", `Its limit is ${milliseconds(o.limit)}. Raise \`timeout\`, or find out what it waited for.`],
  cancelled: () => ["Cancelled", "Somebody stopped the job."],
  out_of_memory: () => ["Ran out of memory", "Raise `resources.memory`, or use less."],
  image_pull: () => ["The image could not be pulled", "Check the image's name, its registry and the credentials for it."],
  unschedulable: () => ["No node took the pod", "The scheduler's words are below: requests, taints and quotas are the usual reasons."],
  evicted: () => ["Evicted from its node", "The platform needed the room. It is queued again if its command had not begun."],
  node_lost: () => ["Its node went away", "It is queued again if its command had not begun."],
  worker_lost: () => ["Its worker went away", "The worker stopped, or could not reach the server for the whole heartbeat time-out."],
  no_matching_worker: () => ["No worker has the required tags", "Start a worker with these tags, or change the step's `tags`."],
  invalid_input: () => ["Its input could not be made", "A template, condition or value of the step is not valid."],
  output_too_large: () => ["Its output is too large", "Write large results to an artifact and give its name as output."],
  disk_full: () => ["The worker's disk is full", "It is tried again on another worker. Make room on this one."],
  runner_error: () => ["The runner could not do its work", "This is not the step's fault. The worker's log has the details."],
};

export function explainOutcome(outcome: unknown): Cause | null {
  if (typeof outcome !== "object" || outcome === null || !("cause" in outcome)) return null;
  const known = outcome as Outcome;
  if (known.cause === "succeeded") return null;
  const [title, advice] = KNOWN[known.cause]?.(known) ?? [known.cause.replaceAll("_", " "), ""];
  const facts = Object.entries(known)
    .filter(([key, value]) => key !== "cause" && value !== null && value !== undefined)
    .map(([key, value]): [string, string] => [label(key), fact(key, value)]);
  return { title, advice, facts: [["Cause", known.cause], ...facts] };
}

function label(key: string): string {
  const text = key.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function fact(key: string, value: unknown): string {
  return (key === "limit" || key === "peak") && typeof value === "number" && value > 1_000_000 ? bytes(value) : String(value);
}

function milliseconds(value: unknown): string {
  return typeof value === "number" ? `${value / 1000} s` : String(value);
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let index = 0;
  let size = value;
  while (size >= 1024 && index < units.length - 1) {
    size /= 1024;
    index += 1;
  }
  return `${size >= 10 || index === 0 ? Math.round(size) : size.toFixed(1)} ${units[index]}`;
}
