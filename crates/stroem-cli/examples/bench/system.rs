//! A release server on one of the stores and its workers, as processes of their own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Map;
use stroem_api::{ApiClient, HttpTransport, public::JobDetail};
use stroem_core::JobId;
use stroem_testkit::postgres::{self, Database, Setup};

use crate::millis;

const FLOW: &str = r#"
tasks:
  now: {flow: {a: {type: script, script: 'echo $EPOCHREALTIME'}}}
  echo: {flow: {a: {type: script, script: 'echo hi'}}}
  sleep: {flow: {a: {type: script, script: 'echo $$; sleep 1000 & setsid sleep 1000 & wait'}}}
  flood:
    flow:
      a: {type: script, script: "LC_ALL=C awk 'BEGIN { for (i = 1; i <= 200000; i++) printf \"%08d %091d\\n\", i, 0 }'"}
"#;

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// A new database of a server with the durability that PostgreSQL has by itself; none on SQLite.
    pub(crate) fn database(self) -> Option<Database> {
        let setup = Setup { durable: true, ..Setup::default() };
        (self == Self::Postgres)
            .then(|| postgres::private(&setup).expect("PostgreSQL is installed").database())
    }
}

/// The processes.
pub(crate) struct Bench {
    pub(crate) client: ApiClient,
    pub(crate) address: String,
    pub(crate) dir: tempfile::TempDir,
    stroem: PathBuf,
    pub(crate) children: Vec<Child>,
    pub(crate) store: Store,
    /// From the server's start to its first answer.
    pub(crate) served_after_ms: f64,
    pub(crate) database: Option<Database>,
}

impl Bench {
    /// A server on an empty store.
    pub(crate) async fn start(stroem: &Path, store: Store) -> Self {
        Self::start_on(stroem, store, store.database(), tempfile::tempdir().expect("a directory")).await
    }

    /// A server on a store and with a data directory that may be there already.
    pub(crate) async fn start_on(
        stroem: &Path,
        store: Store,
        database: Option<Database>,
        dir: tempfile::TempDir,
    ) -> Self {
        let folder = dir.path().join("workspace");
        fs::create_dir_all(folder.join(".workflows")).expect("made");
        fs::write(folder.join(".workflows/bench.yaml"), format!("{FLOW}{}{}", chain(20), fan(100)))
            .expect("written");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let address = format!("http://127.0.0.1:{port}");
        let config = dir.path().join("server.yaml");
        let db = database.as_ref().map(|database| format!("db: {{url: '{}'}}\n", database.url()));
        let text = format!(
            "listen: 127.0.0.1:{port}\nrecovery: {{unmatched_step_timeout_secs: 86400}}\n{1}data_dir: {0}/server\nworker_token: t\nworkspaces: {{default: {{path: {0}/workspace}}}}\n",
            dir.path().display(),
            db.unwrap_or_default()
        );
        fs::write(&config, text).expect("written");
        let client = ApiClient::new(Arc::new(HttpTransport::new(&address).expect("an address")), None);
        let stroem = stroem.to_owned();
        let mut bench = Self {
            client,
            address,
            dir,
            stroem,
            children: Vec::new(),
            store,
            database,
            served_after_ms: 0.0,
        };
        let began = Instant::now();
        bench.spawn("server", &config);
        while bench.client.health().await.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bench.served_after_ms = millis(began);
        bench
    }

    /// kill -9 of server and workers.
    pub(crate) fn kill_all(&mut self) {
        for mut child in self.children.drain(..).rev() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn spawn(&mut self, command: &str, config: &Path) {
        let mut program = Command::new(&self.stroem);
        program.args([command, "--config"]).arg(config).env("RUST_LOG", "warn").stdin(Stdio::null());
        self.children.push(program.stdout(Stdio::null()).spawn().expect("it starts"));
    }

    pub(crate) async fn worker(&mut self, name: &str, slots: u32) {
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

    pub(crate) async fn execute(&self, task: &str) -> JobId {
        self.client.execute("default", task, Map::new()).await.expect("a job").job_id
    }

    pub(crate) async fn ended(&self, job: JobId) -> JobDetail {
        loop {
            let detail = self.client.job_after(job, i64::MAX, 30_000).await.expect("a job");
            if detail.completed_at.is_some() {
                return detail;
            }
        }
    }

    pub(crate) async fn first_line(&self, job: JobId) -> String {
        let page = self.client.logs(job, None, None).await.expect("a page");
        let line: serde_json::Value =
            serde_json::from_str(page.logs.lines().next().unwrap_or("{}")).expect("JSON");
        line["line"].as_str().unwrap_or_default().to_owned()
    }
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
        self.kill_all();
    }
}
