//! Servers as processes on one database, and their workers.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use stroem_api::{ApiClient, HttpTransport};

use super::balancer::Balancer;
use crate::harness::{STROEM, System, wait_for};

/// One server.
pub(crate) struct Server {
    pub(crate) client: ApiClient,
    pub(crate) address: SocketAddr,
    config: PathBuf,
    log: PathBuf,
    process: Option<Child>,
}

/// Servers of one database with one key.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
    /// Talks to the servers through the balancer, as do its workers.
    pub(crate) system: System,
    pub(crate) balancer: Balancer,
    _dir: tempfile::TempDir,
}

impl Cluster {
    /// Starts as many servers as there are folders, all at once, each on its folder.
    pub(crate) async fn start(url: &str, folders: &[&Path], more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut servers: Vec<Server> = folders
            .iter()
            .enumerate()
            .map(|(number, folder)| Server::configure(dir.path(), number, url, folder, more))
            .collect();
        servers.iter_mut().for_each(Server::spawn);
        for server in &servers {
            server.answers().await;
        }
        let balancer = Balancer::start(servers.iter().map(|server| server.address).collect()).await;
        let system = System::of_server_at(&balancer.address);
        Self { servers, system, balancer, _dir: dir }
    }

    /// Starts a worker that knows only this server.
    pub(crate) async fn worker_of(&mut self, server: usize, name: &str, more: &str) {
        let address = format!("http://{}", self.servers[server].address);
        self.system.configure_worker(name, &address, more);
        self.system.spawn_worker(name);
        for server in &self.servers {
            if server.process.is_some() {
                server.knows(name, "active").await;
            }
        }
    }

    /// Which server leads; waits until one does.
    pub(crate) async fn leader(&self) -> usize {
        let mut leader = None;
        wait_for("a server leads", async || {
            let leads = |server: &Server| server.process.is_some() && server.leads();
            leader = self.servers.iter().position(leads);
            leader.is_some()
        })
        .await;
        leader.expect("just found")
    }
}

impl Server {
    fn configure(dir: &Path, number: usize, url: &str, folder: &Path, more: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let config = dir.join(format!("server{number}.yaml"));
        let text = format!(
            "listen: {address}\ndata_dir: {}\nkey_file: {}\nworker_token: t0ken\ndb: {{url: '{url}'}}\n\
             workspaces:\n  default: {{path: {}}}\n{more}\n",
            dir.join(format!("data{number}")).display(),
            dir.join("key").display(),
            folder.display()
        );
        std::fs::write(&config, text).expect("written");
        let transport = Arc::new(HttpTransport::new(&format!("http://{address}")).expect("an address"));
        let log = dir.join(format!("server{number}.log"));
        Self { client: ApiClient::new(transport, None), address, config, log, process: None }
    }

    /// Starts the process and does not wait for it.
    pub(crate) fn spawn(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(&self.log).expect("a log");
        let mut command = Command::new(STROEM);
        command.args(["server", "--config"]).arg(&self.config).stdin(Stdio::null()).stdout(Stdio::null());
        self.process = Some(command.stderr(log).spawn().expect("the program starts"));
    }

    pub(crate) async fn answers(&self) {
        wait_for("the server answers", async || self.client.health().await.is_ok()).await;
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("alive");
        process.wait().expect("a child");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        let name = self.config.file_stem().expect("a name").to_string_lossy().replace("server", "data");
        self.config.with_file_name(name)
    }

    /// Whether the last thing that it said of it was that it leads.
    fn leads(&self) -> bool {
        let log = self.log();
        let last = log.lines().rfind(|line| line.contains("server leads") || line.contains("not lead"));
        last.is_some_and(|line| line.contains("server leads"))
    }

    /// Waits until it shows a worker in a state.
    pub(crate) async fn knows(&self, worker: &str, status: &str) {
        wait_for(&format!("{worker} is {status}"), async || {
            let workers = self.client.workers().await.unwrap_or_default();
            workers.iter().any(|info| info.name == worker && info.status == status)
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It may have ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
