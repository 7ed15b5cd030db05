//! The docker runner as a subject, and looks at the engine through the `docker` program, which is not ours and so finds
//! what we forgot.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use stroem_core::{
    AttemptKey, AttemptNumber, Fence, HumanDuration, ImageSpec, JobId, Language, LeaseKey, Outcome,
    Resources, RunnerKind, ScriptBody, ScriptSpec, StepRun, StepSpec,
};
use stroem_runner::{
    OutputStream, RunRequest, Runner, RunnerEvent, StepIdentity, StopReceiver, conformance::Subject,
};
use stroem_runner_docker::{Allowed, Ceilings, DockerRunner, DockerRunnerOptions, Hardening, PullPolicy};
use tokio::sync::mpsc;

/// What `dev/docker up` provides.
pub(crate) const IMAGE: &str = "debian:bookworm";

/// A runner on the local engine, or the end of the test where there is none.
macro_rules! subject {
    () => {
        $crate::support::subject!(|_| {})
    };
    ($change:expr) => {
        match $crate::support::Docker::with($change) {
            Ok(subject) => subject,
            Err(reason) => return stroem_runner::conformance::skip(&reason),
        }
    };
}
pub(crate) use subject;

/// A runner with a directory of its own.
pub(crate) struct Docker {
    pub(crate) runner: DockerRunner,
    directory: tempfile::TempDir,
}

impl Docker {
    pub(crate) fn with(change: impl FnOnce(&mut DockerRunnerOptions)) -> Result<Self, String> {
        let inspected = docker(&["image", "inspect", "--format", "{{.Id}}", IMAGE]);
        inspected
            .map_err(|error| format!("there is no Docker engine with {IMAGE} (`dev/docker up`): {error}"))?;
        let mut options = options();
        change(&mut options);
        let runner = DockerRunner::new(options).expect("options");
        Ok(Self { runner, directory: tempfile::tempdir().expect("a directory") })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A request for an attempt that nobody else uses.
    pub(crate) fn request(&self, run: StepRun) -> RunRequest {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut job = [9; 16];
        job[..4].copy_from_slice(&std::process::id().to_be_bytes());
        job[4..8].copy_from_slice(&number.to_be_bytes());
        let attempt = AttemptKey { job: JobId::from_bytes(job), step: 0, attempt: AttemptNumber(1) };
        RunRequest {
            lease: LeaseKey { attempt, fence: Fence(1) },
            identity: StepIdentity {
                workspace: "default".parse().expect("a name"),
                task: "task".parse().expect("a name"),
                step: "step".parse().expect("a name"),
            },
            spec: StepSpec {
                run,
                env: BTreeMap::new(),
                timeout: None,
                resources: Resources::default(),
                container: stroem_core::Container::default(),
                workdir: None,
                secrets: Vec::new(),
            },
            workspace: None,
            download: None,
            packages: std::path::PathBuf::from("/nonexistent"),
            scratch: self.path(&format!("attempt-{number}")),
            passed_env: BTreeMap::new(),
            grace: HumanDuration::from_secs(1),
        }
    }

    /// Runs a request that nobody stops.
    pub(crate) async fn run(&self, request: RunRequest) -> Ran {
        let (_stop, stopping) = tokio::sync::watch::channel(None);
        self.run_until(request, stopping).await
    }

    pub(crate) async fn run_until(&self, request: RunRequest, stopping: StopReceiver) -> Ran {
        let (events, mut inbox) = mpsc::channel(8);
        let collect = async {
            let (mut stdout, mut stderr, mut notes) = (Vec::new(), Vec::new(), Vec::new());
            while let Some(event) = inbox.recv().await {
                match event {
                    RunnerEvent::Output { stream: OutputStream::Stdout, bytes } => {
                        stdout.extend_from_slice(&bytes);
                    }
                    RunnerEvent::Output { stream: OutputStream::Stderr, bytes } => {
                        stderr.extend_from_slice(&bytes);
                    }
                    RunnerEvent::Note(note) => notes.push(note),
                    _ => {}
                }
            }
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            (text(stdout), text(stderr), notes)
        };
        let left = request.clone();
        let (outcome, (stdout, stderr, notes)) =
            tokio::join!(self.runner.run(request, events, stopping), collect);
        assert_eq!(self.left_of(&left).await, Vec::<String>::new());
        Ran { outcome, stdout, stderr, notes }
    }
}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) notes: Vec<String>,
}

#[async_trait]
impl Subject for Docker {
    fn runner(&self) -> &dyn Runner {
        &self.runner
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn stop_margin(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn left_of(&self, request: &RunRequest) -> Vec<String> {
        let name = format!("name=stroem-{}", request.marker());
        let left = docker(&["ps", "-aq", "--filter", &name]).expect("an engine");
        left.lines().map(|id| format!("container {id}")).collect()
    }
}

pub(crate) fn options() -> DockerRunnerOptions {
    DockerRunnerOptions {
        host: None,
        tls: None,
        runner_image: IMAGE.to_owned(),
        pull: PullPolicy::Missing,
        pull_timeout: Duration::from_secs(60),
        registry_config: None,
        ceilings: Ceilings::default(),
        hardening: Hardening::default(),
        mounts: Vec::new(),
        allowed: Allowed::default(),
        images_file: None,
        owner: format!("test-{}", std::process::id()),
    }
}

pub(crate) fn script(text: &str) -> StepRun {
    StepRun::Script(ScriptSpec {
        runner: RunnerKind::Docker,
        language: Language::Shell,
        body: ScriptBody::Inline(text.to_owned()),
        interpreter: None,
        args: Vec::new(),
        dependencies: Vec::new(),
        manifest: None,
    })
}

pub(crate) fn image(name: &str) -> ImageSpec {
    ImageSpec {
        runner: RunnerKind::Docker,
        image: name.to_owned(),
        cmd: None,
        entrypoint: None,
        command: None,
        manifest: None,
    }
}

/// What the `docker` program prints, or why it failed.
pub(crate) fn docker(arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new("docker").args(arguments).output().map_err(|error| error.to_string())?;
    if ran.status.success() {
        Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned())
    }
}
