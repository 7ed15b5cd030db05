//! Runs jobs through a plan of faults, and does to the processes what the proxies order.

use std::{path::PathBuf, sync::Arc, time::Duration};

use stroem_core::JobId;
use tokio::sync::mpsc;

use super::{Fault, Order, Plan, Proxy, jobs, jobs::Tally};
use crate::harness::{System, folder};

/// How much runs through the faults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) jobs: usize,
    pub(crate) steps: usize,
    pub(crate) seconds: f64,
    pub(crate) workers: usize,
    pub(crate) limit: Duration,
}

/// A server and workers with proxies between them.
pub(crate) struct Chaos {
    system: System,
    plan: Arc<Plan>,
    orders: mpsc::Receiver<Order>,
    _proxies: Vec<Proxy>,
    _dirs: [tempfile::TempDir; 2],
    notes: PathBuf,
}

impl Chaos {
    pub(crate) async fn start(load: Load, plan: Plan) -> Self {
        let notes_dir = tempfile::tempdir().expect("a directory");
        let notes = notes_dir.path().join("notes");
        let dir = folder(&jobs::workflow(load.steps, load.seconds, &notes));
        let mut system = System::without_workers(dir.path(), "recovery: {heartbeat_timeout_secs: 3}").await;
        let plan = Arc::new(plan);
        let (sender, orders) = mpsc::channel(16);
        let mut proxies = Vec::new();
        for number in 1..=load.workers {
            let name = format!("w{number}");
            let proxy = Proxy::start(&system.address, &name, &plan, sender.clone()).await;
            system.configure_worker(&name, &proxy.address, "");
            system.spawn_worker(&name);
            proxies.push(proxy);
        }
        Self { system, plan, orders, _proxies: proxies, _dirs: [dir, notes_dir], notes }
    }

    /// Runs the jobs to their ends through all faults, then checks all of them.
    pub(crate) async fn run(mut self, load: Load) -> (Tally, Arc<Plan>) {
        let mut jobs = Vec::new();
        while jobs.len() < load.jobs {
            // Whether a job was made is not known when the server dies over it; such a one is not among these.
            match self.system.client.execute("default", "t", serde_json::Map::new()).await {
                Ok(job) => jobs.push(job.job_id),
                Err(_) => self.obey_what_came().await,
            }
            self.obey_what_came().await;
        }
        let over = tokio::time::timeout(load.limit, self.until_ended(&jobs)).await;
        assert!(over.is_ok(), "{}", self.stuck(&jobs).await);
        self.plan.end();
        let tally = jobs::check(&self.system, &jobs, &self.notes).await;
        (tally, self.plan)
    }

    async fn until_ended(&mut self, jobs: &[JobId]) {
        let mut open = jobs.to_vec();
        while let Some(job) = open.last().copied() {
            let client = self.system.client.clone();
            tokio::select! {
                Some(order) = self.orders.recv() => self.obey(order).await,
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
                detail = client.job_after(job, i64::MAX, 1_000) => match detail {
                    Ok(detail) if detail.completed_at.is_some() => drop(open.pop()),
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                },
            }
            self.revive();
        }
    }

    async fn obey_what_came(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            self.obey(order).await;
        }
        self.revive();
    }

    async fn obey(&mut self, order: Order) {
        match order.fault {
            Fault::KillServer | Fault::KillServerAndCutReply => {
                self.system.kill_server();
                let _ = order.done.send(());
                self.system.start_server().await;
            }
            Fault::KillWorker => {
                if !self.system.ended_workers().contains(&order.worker) {
                    self.system.kill_worker(&order.worker);
                }
                let _ = order.done.send(());
                self.start_again(&order.worker);
            }
            Fault::Drain => {
                self.system.tell_worker_to_drain(&order.worker);
                let _ = order.done.send(());
            }
            Fault::CutRequest | Fault::CutReply => unreachable!("the proxy does this itself"),
        }
    }

    /// Starts workers again that left.
    fn revive(&mut self) {
        for name in self.system.ended_workers() {
            self.start_again(&name);
        }
    }

    /// The next one is like one on a new host: it downloads the workspace.
    fn start_again(&mut self, name: &str) {
        let _ = std::fs::remove_dir_all(self.system.worker_dir(name).join("cache"));
        self.system.spawn_worker(name);
    }

    async fn stuck(&self, jobs: &[JobId]) -> String {
        let mut text = "jobs are stuck:\n".to_owned();
        for job in jobs {
            match self.system.client.job(*job).await {
                Ok(detail) if detail.completed_at.is_some() => {}
                other => text.push_str(&format!("{other:#?}\n")),
            }
        }
        let logs = ["server.log", "w1.log"].map(|log| {
            let text = std::fs::read_to_string(self.system.dir().join(log)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(60)..].join("\n")
        });
        format!("{text}\nserver:\n{}\nw1:\n{}", logs[0], logs[1])
    }
}
