//! The workloads of `cargo xtask bench`: a release server and one worker as processes of their own, over HTTP. Prints
//! one JSON object a line: name, unit, one value per run. Judging them is xtask's part.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock, and nothing hangs on it")]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::future::join_all;
use serde_json::{Map, json};
use stroem_api::{ApiClient, HttpTransport, public::JobDetail};
use stroem_core::JobId;

const FLOW: &str = r#"
tasks:
  now: {flow: {a: {type: script, script: 'echo $EPOCHREALTIME'}}}
  echo: {flow: {a: {type: script, script: 'echo hi'}}}
  sleep: {flow: {a: {type: script, script: 'echo $$; sleep 1000 & setsid sleep 1000 & wait'}}}
  flood:
    flow:
      a: {type: script, script: "LC_ALL=C awk 'BEGIN { for (i = 1; i <= 200000; i++) printf \"%08d %091d\\n\", i, 0 }'"}
"#;

struct Bench {
    client: ApiClient,
    address: String,
    dir: tempfile::TempDir,
    stroem: PathBuf,
    children: Vec<Child>,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let stroem = PathBuf::from(arguments.next().expect("the program"));
    let runs: u32 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let idle_secs: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(30);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut bench = Bench::start(stroem).await;
        bench.worker("w0", 8).await;
        bench.dispatch().await;
        bench.flows(runs).await;
        bench.throughput(runs).await;
        bench.flood(runs).await;
        bench.cancel().await;
        bench.idle(idle_secs).await;
    });
}

fn report(name: &str, unit: &str, values: &[f64]) {
    println!("{}", json!({"name": name, "unit": unit, "values": values}));
}

fn millis(from: Instant) -> f64 {
    from.elapsed().as_secs_f64() * 1_000.0
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

impl Bench {
    async fn start(stroem: PathBuf) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = dir.path().join("workspace");
        fs::create_dir_all(folder.join(".workflows")).expect("made");
        fs::write(folder.join(".workflows/bench.yaml"), format!("{FLOW}{}{}", chain(20), fan(100)))
            .expect("written");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let address = format!("http://127.0.0.1:{port}");
        let config = dir.path().join("server.yaml");
        let text = format!(
            "listen: 127.0.0.1:{port}\ndata_dir: {0}/server\nworker_token: t\nworkspaces: {{default: {{path: {0}/workspace}}}}\n",
            dir.path().display()
        );
        fs::write(&config, text).expect("written");
        let client = ApiClient::new(Arc::new(HttpTransport::new(&address).expect("an address")), None);
        let mut bench = Self { client, address, dir, stroem, children: Vec::new() };
        let began = Instant::now();
        bench.spawn("server", &config);
        while bench.client.health().await.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        report("server serves after exec", "ms", &[millis(began)]);
        bench
    }

    fn spawn(&mut self, command: &str, config: &Path) {
        let mut program = Command::new(&self.stroem);
        program.args([command, "--config"]).arg(config).env("RUST_LOG", "warn").stdin(Stdio::null());
        self.children.push(program.stdout(Stdio::null()).spawn().expect("it starts"));
    }

    async fn worker(&mut self, name: &str, slots: u32) {
        let base = self.dir.path().join(name);
        let config = self.dir.path().join(format!("{name}.yaml"));
        let text = format!(
            "server_url: {}\nworker_token: t\nworker_name: {name}\nmax_concurrent: {slots}\nworkspace_cache_dir: {1}/cache\nstate_dir: {1}/state\n",
            self.address,
            base.display()
        );
        fs::write(&config, text).expect("written");
        self.spawn("worker", &config);
        while !self.client.workers().await.expect("workers").iter().any(|worker| worker.name == name) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn execute(&self, task: &str) -> JobId {
        self.client.execute("default", task, Map::new()).await.expect("a job").job_id
    }

    async fn ended(&self, job: JobId) -> JobDetail {
        loop {
            let detail = self.client.job_after(job, i64::MAX, 30_000).await.expect("a job");
            if detail.completed_at.is_some() {
                return detail;
            }
        }
    }

    async fn first_line(&self, job: JobId) -> String {
        let page = self.client.logs(job, None, None).await.expect("a page");
        let line: serde_json::Value =
            serde_json::from_str(page.logs.lines().next().unwrap_or("{}")).expect("JSON");
        line["line"].as_str().unwrap_or_default().to_owned()
    }

    async fn dispatch(&self) {
        let mut latencies = Vec::new();
        for _ in 0..60 {
            let began = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
            let job = self.execute("now").await;
            self.ended(job).await;
            let started: f64 = self.first_line(job).await.parse().expect("a time");
            latencies.push((started - began) * 1_000.0);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let latencies = &latencies[10..];
        report("trigger to process started, p50", "ms", &[percentile(latencies, 50)]);
        report("trigger to process started, p95", "ms", &[percentile(latencies, 95)]);
    }

    async fn flows(&self, runs: u32) {
        for (name, task) in [("chain of 20 echo steps", "chain"), ("100 parallel steps", "fan")] {
            let mut values = Vec::new();
            for _ in 0..runs {
                let began = Instant::now();
                let job = self.execute(task).await;
                assert_eq!(self.ended(job).await.status.as_str(), "completed");
                values.push(began.elapsed().as_secs_f64());
            }
            report(name, "s", &values);
        }
    }

    async fn throughput(&self, runs: u32) {
        let mut values = Vec::new();
        for _ in 0..runs {
            let began = Instant::now();
            let clients = (0..8).map(|index| async move {
                let mut jobs = Vec::new();
                for _ in 0..(500 / 8 + usize::from(index < 500 % 8)) {
                    jobs.push(self.execute("echo").await);
                }
                jobs
            });
            let jobs: Vec<JobId> = join_all(clients).await.into_iter().flatten().collect();
            assert_eq!(jobs.len(), 500);
            // All have ended when the last one has and none is open; each is checked after the clock is read.
            loop {
                let stats = self.client.stats().await.expect("stats");
                let open = |name: &str| stats.jobs.get(name).copied().unwrap_or(0);
                if open("pending") + open("running") == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            values.push(500.0 / began.elapsed().as_secs_f64());
            for job in jobs {
                assert_eq!(self.ended(job).await.status.as_str(), "completed");
            }
        }
        report("500 one-step jobs from 8 clients", "jobs/s", &values);
    }

    async fn flood(&self, runs: u32) {
        let (mut took, mut bare) = (Vec::new(), Vec::new());
        let before = [self.peak_mib(0), self.peak_mib(1)];
        for _ in 0..runs {
            let began = Instant::now();
            let script = "LC_ALL=C awk 'BEGIN { for (i = 1; i <= 200000; i++) printf \"%08d %091d\\n\", i, 0 }' | cat > /dev/null";
            assert!(Command::new("bash").args(["-c", script]).status().expect("bash").success());
            bare.push(began.elapsed().as_secs_f64());
            let began = Instant::now();
            let job = self.execute("flood").await;
            self.ended(job).await;
            took.push(began.elapsed().as_secs_f64() - bare[bare.len() - 1]);
            let (mut lines, mut cursor) = (0_u32, None);
            loop {
                let page = self.client.logs(job, None, cursor.as_deref()).await.expect("a page");
                if page.logs.is_empty() {
                    break;
                }
                for line in page.logs.lines() {
                    lines += 1;
                    assert!(
                        line.contains(&format!("\"line\":\"{lines:08} ")),
                        "line {lines} is out of place: {line}"
                    );
                }
                cursor = Some(page.next_cursor);
            }
            assert_eq!(lines, 200_000);
        }
        report("200,000 lines of 100 bytes, more than piped to cat", "s", &took);
        report("the same piped to cat", "s", &bare);
        report("server's peak memory, growth by 200,000 lines", "MiB", &[self.peak_mib(0) - before[0]]);
        report("worker's peak memory, growth by 200,000 lines", "MiB", &[self.peak_mib(1) - before[1]]);
    }

    fn peak_mib(&self, child: usize) -> f64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.children[child].id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1_024.0
    }

    async fn cancel(&self) {
        let mut values = Vec::new();
        for _ in 0..20 {
            let job = self.execute("sleep").await;
            let mut pid = String::new();
            while pid.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                pid = self.first_line(job).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            let began = Instant::now();
            self.client.cancel(job).await.expect("cancelled");
            let marker = format!("STROEM_ATTEMPT={job}");
            while processes_with(&marker) > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            values.push(millis(began));
            self.ended(job).await;
        }
        report("cancel to every process gone, p50", "ms", &[percentile(&values, 50)]);
    }

    async fn idle(&mut self, secs: u64) {
        for index in 1..20 {
            self.worker(&format!("w{index}"), 4).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = self.cpu_secs();
        tokio::time::sleep(Duration::from_secs(secs)).await;
        #[expect(clippy::cast_precision_loss, reason = "seconds of a benchmark")]
        let minutes = secs as f64 / 60.0;
        report(
            "idle with 20 workers, CPU of all processes a minute",
            "s",
            &[(self.cpu_secs() - before) / minutes],
        );
    }

    fn cpu_secs(&self) -> f64 {
        let ticks = |pid: u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<f64> = stat
                .rsplit(") ")
                .next()
                .unwrap_or_default()
                .split(' ')
                .filter_map(|f| f.parse().ok())
                .collect();
            // The state is no number: utime and stime are the eleventh and twelfth of the rest.
            fields.get(10).copied().unwrap_or(0.0) + fields.get(11).copied().unwrap_or(0.0)
        };
        self.children.iter().map(|child| ticks(child.id())).sum::<f64>() / 100.0
    }
}

fn processes_with(marker: &str) -> usize {
    let entries = fs::read_dir("/proc").expect("Linux").flatten();
    let environments = entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
    environments
        .filter(|environment| environment.windows(marker.len()).any(|window| window == marker.as_bytes()))
        .count()
}

fn chain(steps: u32) -> String {
    let mut text = "  chain:\n    flow:\n".to_owned();
    for index in 0..steps {
        let after = if index == 0 { String::new() } else { format!(", depends_on: [s{}]", index - 1) };
        text += &format!("      s{index}: {{type: script, script: echo hi{after}}}\n");
    }
    text
}

fn fan(steps: u32) -> String {
    let step = |index| format!("      s{index}: {{type: script, script: 'true'}}\n");
    format!("  fan:\n    flow:\n{}", (0..steps).map(step).collect::<String>())
}

impl Drop for Bench {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
