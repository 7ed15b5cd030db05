//! Starts the built program with throw-away directories, and waits on levels.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, Value};
use stroem_api::{
    ApiClient, HttpTransport,
    public::{JobDetail, StepInfo},
};
use stroem_core::JobId;

pub(crate) const STROEM: &str = env!("CARGO_BIN_EXE_stroem");

/// A folder with these files; `.workflows/main.yaml` for a path of `main`.
pub(crate) fn folder(workflow: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join(".workflows")).expect("made");
    std::fs::write(dir.path().join(".workflows/main.yaml"), workflow).expect("written");
    dir
}

/// A server and its workers as processes of their own.
pub(crate) struct System {
    pub(crate) client: ApiClient,
    pub(crate) address: String,
    dir: tempfile::TempDir,
    server: Option<Child>,
    workers: Vec<(String, Child)>,
}

impl System {
    /// A server on this folder, and a worker named `w1` with four slots.
    pub(crate) async fn start(folder: &Path) -> Self {
        let mut system = Self::without_workers(folder, "").await;
        system.start_worker("w1", "").await;
        system
    }

    /// A server alone, with more keys in its configuration.
    pub(crate) async fn without_workers(folder: &Path, more: &str) -> Self {
        Self::on_host("127.0.0.1", folder, more).await
    }

    /// The same on another address of this host.
    pub(crate) async fn on_host(host: &str, folder: &Path, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let free = TcpListener::bind((host, 0)).and_then(|l| l.local_addr());
        let port = free.expect("a free port").port();
        let address = format!("http://{host}:{port}");
        let config = format!(
            "listen: {host}:{port}\ndata_dir: {}\nworker_token: t0ken\nworkspaces:\n  default: {{path: {}}}\n{more}\n",
            dir.path().join("server").display(),
            folder.display()
        );
        std::fs::write(dir.path().join("server.yaml"), config).expect("written");
        let transport = Arc::new(HttpTransport::new(&address).expect("an address"));
        let client = ApiClient::new(transport, None);
        let mut system = Self { client, address, dir, server: None, workers: Vec::new() };
        system.start_server().await;
        system
    }

    /// The server's configuration with these keys more from its next start on.
    pub(crate) fn configure_server_more(&self, more: &str) {
        let file = self.dir.path().join("server.yaml");
        let config = std::fs::read_to_string(&file).expect("written before");
        std::fs::write(file, format!("{config}{more}\n")).expect("written");
    }

    /// No server of its own, only workers, for a server that somebody else runs.
    pub(crate) fn of_server_at(address: &str) -> Self {
        let transport = Arc::new(HttpTransport::new(address).expect("an address"));
        let dir = tempfile::tempdir().expect("a directory");
        let client = ApiClient::new(transport, None);
        Self { client, address: address.to_owned(), dir, server: None, workers: Vec::new() }
    }

    pub(crate) async fn start_server(&mut self) {
        let config = self.dir.path().join("server.yaml");
        self.server = Some(self.spawn("server", &config, "server.log"));
        wait_for("the server answers", async || self.client.health().await.is_ok()).await;
    }

    /// kill -9.
    pub(crate) fn kill_server(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.kill().expect("alive");
        server.wait().expect("a child");
    }

    pub(crate) async fn start_worker(&mut self, name: &str, more: &str) {
        let address = self.address.clone();
        self.configure_worker(name, &address, more);
        self.spawn_worker(name);
        wait_for("the worker is registered", async || {
            let workers = self.client.workers().await.unwrap_or_default();
            workers.iter().any(|worker| worker.name == name && worker.status == "active")
        })
        .await;
    }

    /// Writes a worker's configuration.
    pub(crate) fn configure_worker(&self, name: &str, server: &str, more: &str) {
        let base = self.worker_dir(name);
        let config = format!(
            "server_url: {server}\nworker_token: t0ken\nworker_name: {name}\nworkspace_cache_dir: {}\nstate_dir: {}\n{more}\n",
            base.join("cache").display(),
            base.join("state").display()
        );
        std::fs::create_dir_all(&base).expect("made");
        std::fs::write(base.join("worker.yaml"), config).expect("written");
    }

    /// Starts a configured worker and does not wait for it.
    pub(crate) fn spawn_worker(&mut self, name: &str) {
        let worker = self.spawn("worker", &self.worker_dir(name).join("worker.yaml"), &format!("{name}.log"));
        self.workers.push((name.to_owned(), worker));
    }

    pub(crate) fn worker_dir(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// SIGTERM, without waiting.
    pub(crate) fn tell_worker_to_drain(&self, name: &str) {
        let (_, worker) = self.workers.iter().find(|(known, _)| known == name).expect("it runs");
        signal("TERM", worker.id());
    }

    /// Workers that ended by themselves since this was asked last.
    pub(crate) fn ended_workers(&mut self) -> Vec<String> {
        let over = self.workers.extract_if(.., |(_, worker)| worker.try_wait().expect("a child").is_some());
        over.map(|(name, _)| name).collect()
    }

    /// kill -9.
    pub(crate) fn kill_worker(&mut self, name: &str) {
        let index = self.workers.iter().position(|(known, _)| known == name).expect("it runs");
        let (_, mut worker) = self.workers.remove(index);
        worker.kill().expect("alive");
        worker.wait().expect("a child");
    }

    /// Sends a signal such as `STOP`.
    pub(crate) fn signal_worker(&self, name: &str, signal: &str) {
        let (_, worker) = self.workers.iter().find(|(known, _)| known == name).expect("it runs");
        let arguments = [format!("-{signal}"), worker.id().to_string()];
        assert!(Command::new("kill").args(arguments).status().expect("kill").success());
    }

    /// SIGTERM, and waits for its end.
    pub(crate) fn drain_worker(&mut self, name: &str) -> i32 {
        let index = self.workers.iter().position(|(known, _)| known == name).expect("it runs");
        let (_, mut worker) = self.workers.remove(index);
        signal("TERM", worker.id());
        worker.wait().expect("a child").code().expect("it ended by itself")
    }

    fn spawn(&self, command: &str, config: &Path, log: &str) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join(log))
            .expect("a log");
        Command::new(STROEM)
            .args([command, "--config"])
            .arg(config)
            .env("SECRET_OF_THE_WORKER", "must not reach steps")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts")
    }

    pub(crate) async fn execute(&self, task: &str) -> JobId {
        self.client.execute("default", task, Map::new()).await.expect("a job").job_id
    }

    /// Waits for the end of a job, for two minutes.
    pub(crate) async fn ended(&self, job: JobId) -> JobDetail {
        self.ended_within(job, Duration::from_secs(120)).await
    }

    /// Waits for the end of a job.
    pub(crate) async fn ended_within(&self, job: JobId, limit: Duration) -> JobDetail {
        let ended = async {
            loop {
                match self.client.job_after(job, i64::MAX, 1_000).await {
                    Ok(detail) if detail.completed_at.is_some() => return detail,
                    Ok(_) => {}
                    // The server may be on its way back.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        match tokio::time::timeout(limit, ended).await {
            Ok(detail) => detail,
            Err(_) => {
                panic!("not ended within {limit:?}: {:?}\n{}", self.client.job(job).await, self.server_log())
            }
        }
    }

    /// Waits for a state of one step.
    pub(crate) async fn step_is(&self, job: JobId, step: &str, status: &str) -> StepInfo {
        let mut found = None;
        wait_for(&format!("{step} is {status}"), async || {
            let detail = self.client.job(job).await.expect("a job");
            found = detail.steps.into_iter().find(|info| info.step_name == step);
            found.as_ref().is_some_and(|info| info.status.as_str() == status)
        })
        .await;
        found.expect("just found")
    }

    /// All lines of a job.
    pub(crate) async fn lines(&self, job: JobId) -> Vec<Value> {
        let mut lines = Vec::new();
        self.each_line(job, |line| lines.push(line)).await;
        lines
    }

    /// All lines of a job, one after the other.
    pub(crate) async fn each_line(&self, job: JobId, mut take: impl FnMut(Value)) {
        let mut cursor = None;
        loop {
            let page = self.client.logs(job, None, cursor.as_deref()).await.expect("a page");
            if page.logs.is_empty() {
                return;
            }
            page.logs.lines().for_each(|line| take(serde_json::from_str(line).expect("JSON")));
            cursor = Some(page.next_cursor);
        }
    }

    /// The text of all lines that a step printed.
    pub(crate) async fn printed(&self, job: JobId) -> Vec<String> {
        let lines = self.lines(job).await;
        let printed = lines.iter().filter(|line| line["stream"] != "engine");
        printed.map(|line| line["line"].as_str().expect("text").to_owned()).collect()
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// The process of the server.
    pub(crate) fn server_pid(&self) -> u32 {
        self.server.as_ref().expect("it runs").id()
    }

    /// The process of a worker.
    pub(crate) fn worker_pid(&self, name: &str) -> u32 {
        self.workers.iter().find(|(known, _)| known == name).expect("it runs").1.id()
    }

    pub(crate) fn server_log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        for child in self.workers.iter_mut().map(|(_, child)| child).chain(self.server.as_mut()) {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until something holds; a minute at most.
pub(crate) async fn wait_for(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..2_400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not within a minute: {what}");
}

/// Runs the program to its end.
pub(crate) fn stroem(arguments: &[&str]) -> Output {
    Command::new(STROEM).args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

/// Standard output as text.
pub(crate) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(name: &str, pid: u32) {
    let told = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().expect("kill");
    assert!(told.success());
}

/// Whether a process of this number is alive.
pub(crate) fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Processes that a step noted in a file, one number a line.
pub(crate) fn noted(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}
