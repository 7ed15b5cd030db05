//! An application in a throw-away directory, and a worker of the test's own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Map;
use stroem_app::{App, AppOptions, PollAnswer, PollWish, RegisterWish, ReportIn, Source, Verdict, WorkerRow};
use stroem_core::{InstanceId, JobId, LeaseKey, Outcome, Secret, Tag, WorkspaceName};
use stroem_store_sqlite::SqliteStore;

pub(crate) const CHAIN: &str = "tasks:\n  t:\n    flow:\n      a: {type: script, script: 'true'}\n      b: {type: script, script: 'true', depends_on: [a]}\n";

pub(crate) struct Fixture {
    pub(crate) app: App,
    pub(crate) store: Arc<SqliteStore>,
    dir: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new(workflow: &str, change: impl FnOnce(&mut AppOptions)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = dir.path().join("workspace");
        std::fs::create_dir_all(folder.join(".workflows")).expect("made");
        std::fs::write(folder.join(".workflows/main.yaml"), workflow).expect("written");
        let workspaces = BTreeMap::from([(WorkspaceName::new("default").expect("a name"), folder)]);
        let mut options =
            AppOptions::new(Secret::new("token".to_owned()), dir.path().join("data"), workspaces);
        change(&mut options);
        let store = Arc::new(SqliteStore::open(&dir.path().join("data")).expect("a store"));
        let app = App::start(options, store.clone()).await.expect("it starts");
        Self { app, store, dir }
    }

    /// Replaces the workflow file.
    pub(crate) fn edit(&self, workflow: &str) {
        std::fs::write(self.dir.path().join("workspace/.workflows/main.yaml"), workflow).expect("written");
    }

    pub(crate) async fn worker(&self, instance: u8, surviving: Vec<LeaseKey>) -> WorkerRow {
        self.worker_with(instance, &["script"], surviving).await
    }

    pub(crate) async fn worker_with(
        &self,
        instance: u8,
        tags: &[&str],
        surviving: Vec<LeaseKey>,
    ) -> WorkerRow {
        self.worker_called("w", instance, tags, surviving).await
    }

    pub(crate) async fn worker_called(
        &self,
        name: &str,
        instance: u8,
        tags: &[&str],
        surviving: Vec<LeaseKey>,
    ) -> WorkerRow {
        let wish = RegisterWish {
            name: name.parse().expect("a name"),
            instance: InstanceId::from_bytes([instance; 16]),
            tags: tags.iter().map(|tag| Tag::new(tag).expect("a tag")).collect(),
            withdrawn: Vec::new(),
            exclusive: false,
            capacity: 4,
            version: "test".to_owned(),
            surviving,
        };
        let registered = self.app.register("token", wish).await.expect("registered");
        self.app.session(registered.session_token.expose()).await.expect("a session")
    }

    pub(crate) async fn execute(&self) -> JobId {
        let source = Source { source_type: "api".to_owned(), source_id: None };
        self.app.execute("default", "t", &Map::new(), source).await.expect("a job")
    }

    pub(crate) async fn poll(&self, worker: &WorkerRow, held: Vec<LeaseKey>, free_slots: u32) -> PollAnswer {
        let wish = PollWish {
            held,
            stopping: Vec::new(),
            free_slots,
            scopes: Vec::new(),
            wait: Duration::from_millis(200),
        };
        self.app.poll(worker, &wish).await.expect("an answer")
    }

    /// Polls for one claim.
    pub(crate) async fn claim(&self, worker: &WorkerRow) -> LeaseKey {
        let answer = self.poll(worker, Vec::new(), 1).await;
        answer.claims.first().expect("a claim").lease
    }

    pub(crate) async fn end(&self, worker: &WorkerRow, lease: LeaseKey) -> Verdict {
        let ended = ReportIn::Ended { outcome: Outcome::Succeeded, output: None };
        self.app.report(worker, Vec::new(), vec![(lease, ended)]).await.expect("an answer").verdicts[0]
    }
}
