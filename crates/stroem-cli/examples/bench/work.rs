//! What is measured of the whole product.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::future::join_all;
use stroem_core::JobId;

use crate::{millis, percentile, report, system::Bench};

impl Bench {
    pub(crate) async fn dispatch(&self) {
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
        report(self.store, "trigger to process started, p50", "ms", &[percentile(latencies, 50)]);
        report(self.store, "trigger to process started, p95", "ms", &[percentile(latencies, 95)]);
    }

    pub(crate) async fn flows(&self, runs: u32) {
        for (name, task) in [("chain of 20 echo steps", "chain"), ("100 parallel steps", "fan")] {
            let mut values = Vec::new();
            for _ in 0..runs {
                let began = Instant::now();
                let job = self.execute(task).await;
                assert_eq!(self.ended(job).await.status.as_str(), "completed");
                values.push(began.elapsed().as_secs_f64());
            }
            report(self.store, name, "s", &values);
        }
    }

    pub(crate) async fn throughput(&self, runs: u32) {
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
        report(self.store, "500 one-step jobs from 8 clients", "jobs/s", &values);
    }

    pub(crate) async fn flood(&self, runs: u32) {
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
        report(self.store, "200,000 lines of 100 bytes, more than piped to cat", "s", &took);
        report(self.store, "the same piped to cat", "s", &bare);
        report(
            self.store,
            "server's peak memory, growth by 200,000 lines",
            "MiB",
            &[self.peak_mib(0) - before[0]],
        );
        report(
            self.store,
            "worker's peak memory, growth by 200,000 lines",
            "MiB",
            &[self.peak_mib(1) - before[1]],
        );
    }

    fn peak_mib(&self, child: usize) -> f64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.children[child].id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1_024.0
    }

    pub(crate) async fn cancel(&self) {
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
        report(self.store, "cancel to every process gone, p50", "ms", &[percentile(&values, 50)]);
    }

    pub(crate) async fn idle(&mut self, secs: u64) {
        for index in 1..20 {
            self.worker(&format!("w{index}"), 4).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (before, transactions) = (self.cpu_secs(), self.transactions());
        tokio::time::sleep(Duration::from_secs(secs)).await;
        let transactions = transactions.zip(self.transactions());
        #[expect(clippy::cast_precision_loss, reason = "seconds of a benchmark")]
        let minutes = secs as f64 / 60.0;
        report(
            self.store,
            "idle with 20 workers, CPU of all processes a minute",
            "s",
            &[(self.cpu_secs() - before) / minutes],
        );
        if let Some((before, after)) = transactions {
            // Those that ask for the number are two of them, by psql and its start.
            #[expect(clippy::cast_precision_loss, reason = "numbers of a benchmark")]
            let rate = (after - before).saturating_sub(2) as f64 / secs as f64;
            report(self.store, "idle with 20 workers, transactions of the database", "1/s", &[rate]);
        }
    }

    /// Transactions of the database so far; none on SQLite, which does not count them.
    fn transactions(&self) -> Option<u64> {
        let sql =
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
        Some(self.database.as_ref()?.psql(sql).parse().expect("a number"))
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
