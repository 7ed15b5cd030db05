//! Requests, and what comes of them.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, Ordering},
};

use stroem_core::{
    AttemptKey, AttemptNumber, Fence, HumanDuration, ImageSpec, JobId, Language, LeaseKey, Outcome,
    Resources, RunnerKind, ScriptBody, ScriptSpec, StepRun, StepSpec,
};
use stroem_runner::{OutputStream, RunRequest, Runner, RunnerEvent, StepIdentity, StopReceiver};
use tokio::sync::mpsc;

static NEXT: AtomicI64 = AtomicI64::new(1);

/// What came of an attempt.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: String,
    pub(crate) notes: Vec<String>,
}

/// A shell script.
pub(crate) fn request(text: &str) -> RunRequest {
    with(StepRun::Script(ScriptSpec {
        runner: RunnerKind::Pod,
        language: Language::Shell,
        body: ScriptBody::Inline(text.to_owned()),
        interpreter: None,
        args: Vec::new(),
        dependencies: Vec::new(),
        manifest: None,
    }))
}

/// An image with a command for its shell.
pub(crate) fn image(cmd: &str) -> RunRequest {
    with(StepRun::Image(ImageSpec {
        runner: RunnerKind::Pod,
        image: super::IMAGE.to_owned(),
        cmd: Some(cmd.to_owned()),
        entrypoint: None,
        command: None,
        manifest: None,
    }))
}

/// Lays a manifest over the step's pod.
pub(crate) fn set_manifest(request: &mut RunRequest, manifest: serde_json::Value) {
    match &mut request.spec.run {
        StepRun::Script(script) => script.manifest = Some(manifest),
        StepRun::Image(image) => image.manifest = Some(manifest),
    }
}

fn with(run: StepRun) -> RunRequest {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut job = [9; 16];
    job[..8].copy_from_slice(&number.to_be_bytes());
    job[8..12].copy_from_slice(&std::process::id().to_be_bytes());
    let attempt = AttemptKey { job: JobId::from_bytes(job), step: 0, attempt: AttemptNumber(1) };
    RunRequest {
        lease: LeaseKey { attempt, fence: Fence(number) },
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
        packages: "/nonexistent".into(),
        scratch: "/nonexistent/stroem-scratch".into(),
        passed_env: BTreeMap::new(),
        grace: HumanDuration::from_secs(2),
    }
}

/// Runs an attempt that nobody stops.
pub(crate) async fn run(runner: &dyn Runner, request: RunRequest) -> Ran {
    let (_stop, stopping) = tokio::sync::watch::channel(None);
    run_until(runner, request, stopping).await
}

pub(crate) async fn run_until(runner: &dyn Runner, request: RunRequest, stopping: StopReceiver) -> Ran {
    let (events, mut inbox) = mpsc::channel(8);
    let collect = async {
        let (mut stdout, mut notes) = (Vec::new(), Vec::new());
        while let Some(event) = inbox.recv().await {
            match event {
                RunnerEvent::Output { stream: OutputStream::Stdout, bytes } => {
                    stdout.extend_from_slice(&bytes);
                }
                RunnerEvent::Note(note) => notes.push(note),
                _ => {}
            }
        }
        (String::from_utf8_lossy(&stdout).into_owned(), notes)
    };
    let (outcome, (stdout, notes)) = tokio::join!(runner.run(request, events, stopping), collect);
    Ran { outcome, stdout, notes }
}
