/** The real server and worker as programs on free ports of this machine, with a workspace of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));
const program = process.env.STROEM_BIN ?? join(target, "debug/stroem");

async function freePort(): Promise<number> {
  return await new Promise((done, failed) => {
    const server = createServer().once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}

/** Asks until it is so; a state is waited for, not a time. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>, ms = 30_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await ask().catch(() => undefined);
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not so after ${ms} ms`);
    await new Promise((done) => setTimeout(done, 25));
  }
}

interface Process {
  child: ChildProcess;
  said: () => string;
  ended: Promise<void>;
}

export class Stroem {
  private server: Process | null = null;
  private workers: Process[] = [];
  /** With which the tests themselves ask. */
  private token: string | undefined;

  private constructor(
    readonly url: string,
    private readonly folder: string,
  ) {}

  static async start(options: { workers?: { name: string; tags: string[]; slots?: number }[]; tokens?: Record<string, { token: string; role: string }> } = {}): Promise<Stroem> {
    if (!existsSync(program)) throw new Error(`${program} is missing: cargo build --package stroem-cli`);
    const folder = mkdtempSync(join(tmpdir(), "stroem-ui-"));
    const port = await freePort();
    const stroem = new Stroem(`http://127.0.0.1:${port}`, folder);
    cpSync(fileURLToPath(new URL("workspace", import.meta.url)), join(folder, "workspace"), { recursive: true });
    mkdirSync(join(folder, "server"));
    writeFileSync(
      join(folder, "server.yaml"),
      JSON.stringify({
        listen: `127.0.0.1:${port}`,
        data_dir: join(folder, "server"),
        worker_token: "token-of-the-tests",
        workspaces: { default: { type: "folder", path: join(folder, "workspace") } },
        recovery: { unmatched_step_timeout_secs: 600 },
        ...(options.tokens ? { auth: { tokens: options.tokens } } : {}),
      }),
    );
    stroem.token = Object.values(options.tokens ?? {})[0]?.token;
    await stroem.startServer();
    for (const worker of options.workers ?? [{ name: "north", tags: ["script"] }]) stroem.startWorker(worker);
    const count = options.workers?.length ?? 1;
    await until("the workers are there", async () => ((await stroem.get("/api/workers")) as unknown[]).length === count);
    return stroem;
  }

  async startServer() {
    this.server = this.run(["server", "--config", join(this.folder, "server.yaml")]);
    await until("the server answers", async () => (await fetch(`${this.url}/healthz`)).ok).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.server?.said()}`);
    });
  }

  /** As a crash does it. */
  async killServer() {
    this.server?.child.kill("SIGKILL");
    await this.server?.ended;
    this.server = null;
  }

  startWorker({ name, tags, slots = 4 }: { name: string; tags: string[]; slots?: number }) {
    const home = join(this.folder, name);
    mkdirSync(home);
    writeFileSync(
      join(home, "worker.yaml"),
      JSON.stringify({
        server_url: this.url,
        worker_token: "token-of-the-tests",
        worker_name: name,
        max_concurrent: slots,
        tags,
        workspace_cache_dir: join(home, "cache"),
        state_dir: join(home, "state"),
      }),
    );
    this.workers.push(this.run(["worker", "--config", join(home, "worker.yaml")]));
  }

  private run(args: string[]): Process {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (piece: Buffer) => (text = (text + piece.toString()).slice(-20_000)));
    const ended = new Promise<void>((done) => child.once("exit", () => done()));
    return { child, said: () => text, ended };
  }

  private headers(): Record<string, string> {
    return this.token ? { authorization: `Bearer ${this.token}` } : {};
  }

  async get(path: string): Promise<any> {
    const response = await fetch(this.url + path, { headers: this.headers() });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return await response.json();
  }

  async execute(task: string, input: Record<string, unknown> = {}): Promise<string> {
    const response = await fetch(`${this.url}/api/workspaces/default/tasks/${task}/execute`, { method: "POST", headers: this.headers(), body: JSON.stringify({ input }) });
    const body = (await response.json()) as { job_id?: string };
    if (!body.job_id) throw new Error(JSON.stringify(body));
    return body.job_id;
  }

  async ended(job: string, ms = 60_000): Promise<any> {
    return await until(`the job ${job} ends`, async () => {
      const detail = await this.get(`/api/jobs/${job}`);
      return detail.completed_at ? detail : undefined;
    }, ms);
  }

  async stop() {
    const all = [...this.workers, ...(this.server ? [this.server] : [])];
    // A test that failed may have left steps that run; their worker takes them along.
    for (const { child } of all) child.kill("SIGTERM");
    const patience = new Promise<void>((done) => setTimeout(done, 15_000));
    await Promise.race([Promise.all(all.map(({ ended }) => ended)), patience]);
    for (const { child } of all) if (child.exitCode === null) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
