//! A worker with its server and runner.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use stroem_api::ControlPlane;
use stroem_config::Source;
use stroem_worker::{Handle, Options, Worker, WorkerConfig, WorkerError};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{runner::TestRunner, server::Server};

pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) runner: TestRunner,
    pub(crate) dir: TempDir,
}

/// A worker that runs.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), WorkerError>>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let server = Server::default();
        server.set(|state| state.tarball = Some(tarball(&[("hello.txt", "hello")])));
        Self { server, runner: TestRunner::new(), dir: tempfile::tempdir().unwrap() }
    }

    /// The options of a configuration, with directories of the test.
    pub(crate) fn options(&self, config: &str) -> Options {
        options(self.dir.path(), &self.runner, config)
    }

    pub(crate) fn start(&self, config: &str) -> Running {
        self.start_with(self.options(config))
    }

    #[expect(clippy::disallowed_methods, reason = "the test is the service that joins it")]
    pub(crate) fn start_with(&self, options: Options) -> Running {
        let worker = Worker::new(options, ControlPlane::new(Arc::new(self.server.clone()))).unwrap();
        let (handle, shutdown) = (worker.handle(), CancellationToken::new());
        let task = tokio::spawn(worker.run(shutdown.clone()));
        Running { handle, shutdown, task }
    }
}

impl Running {
    /// Drains and waits for the end.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

pub(crate) fn options(dir: &Path, runner: &TestRunner, config: &str) -> Options {
    let text = format!(
        "worker_name: w1\nworker_token: t\nworkspace_cache_dir: {0}/cache\nstate_dir: {0}/state\n{config}",
        dir.display()
    );
    let source = Source { file: "worker-config.yaml", text: &text, environment: &[] };
    Options::new(&WorkerConfig::load(source, "host").unwrap(), vec![Arc::new(runner.clone())])
}

/// A workspace as the server sends it.
pub(crate) fn tarball(files: &[(&str, &str)]) -> Bytes {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    zstd::encode_all(tar.into_inner().unwrap().as_slice(), 1).unwrap().into()
}
