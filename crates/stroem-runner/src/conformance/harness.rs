//! Runs one script on a subject and keeps what the runner tells.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use stroem_core::{
    AttemptKey, AttemptNumber, ByteSize, Fence, HumanDuration, JobId, Language, LeaseKey, Outcome, Resources,
    Runtime, ScriptBody, ScriptSpec, StepName, StepRun, StepSpec, TaskName, WorkspaceName,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::Subject;
use crate::{OutputStream, RunRequest, RunnerEvent, StepIdentity, StopReason};

/// Events that may wait for the receiver.
const CAPACITY: usize = 8;

static NEXT: AtomicI64 = AtomicI64::new(1);

/// A script with everything that cases vary.
pub(super) struct Script {
    pub(super) body: ScriptBody,
    pub(super) interpreter: Option<String>,
    pub(super) args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) passed_env: BTreeMap<String, String>,
    pub(super) workdir: Option<String>,
    pub(super) workspace: Option<PathBuf>,
    pub(super) memory: Option<ByteSize>,
    pub(super) grace: HumanDuration,
    pub(super) stop: Stop,
}

/// When a case stops its script.
pub(super) enum Stop {
    /// Never, but it could.
    Never,
    /// Nobody is there who could.
    Nobody,
    /// Before it is run.
    First(StopReason),
    /// When stdout has this text.
    At(&'static str, StopReason),
}

/// What came of it.
pub(super) struct Ran {
    pub(super) request: RunRequest,
    pub(super) outcome: Outcome,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) notes: Vec<String>,
    /// Where it told that it runs.
    pub(super) runtime: Option<Runtime>,
    /// The kinds of events in their order, repetitions aside.
    pub(super) order: Vec<&'static str>,
    pub(super) peak_memory: Option<ByteSize>,
    /// From the stop to the outcome.
    pub(super) stop_took: Duration,
}

impl Ran {
    pub(super) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// That nothing is left of it, on the platform and on disk.
    pub(super) async fn assert_clean(&self, subject: &dyn Subject) {
        assert_eq!(subject.left_of(&self.request).await, Vec::<String>::new());
        assert!(!self.request.scratch.exists(), "the scratch directory is left");
    }
}

pub(super) fn script(text: &str) -> Script {
    Script {
        body: ScriptBody::Inline(text.to_owned()),
        interpreter: None,
        args: Vec::new(),
        env: BTreeMap::new(),
        passed_env: BTreeMap::new(),
        workdir: None,
        workspace: None,
        memory: None,
        grace: HumanDuration::from_secs(2),
        stop: Stop::Never,
    }
}

/// The request of a script, for an attempt that nobody else uses.
pub(super) fn request(subject: &dyn Subject, script: &Script) -> RunRequest {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut job = [7; 16];
    job[..8].copy_from_slice(&number.to_be_bytes());
    job[8..12].copy_from_slice(&std::process::id().to_be_bytes());
    let attempt = AttemptKey { job: JobId::from_bytes(job), step: 0, attempt: AttemptNumber(1) };
    let run = StepRun::Script(ScriptSpec {
        runner: subject.runner().kind(),
        language: Language::Shell,
        body: script.body.clone(),
        interpreter: script.interpreter.clone(),
        args: script.args.clone(),
        dependencies: Vec::new(),
        manifest: None,
    });
    RunRequest {
        lease: LeaseKey { attempt, fence: Fence(number) },
        identity: StepIdentity {
            workspace: WorkspaceName::new("default").expect("a name"),
            task: TaskName::new("build").expect("a name"),
            step: StepName::new("compile").expect("a name"),
        },
        spec: StepSpec {
            run,
            env: script.env.clone(),
            timeout: None,
            resources: Resources { memory: script.memory, ..Resources::default() },
            container: stroem_core::Container::default(),
            workdir: script.workdir.clone(),
            secrets: Vec::new(),
        },
        workspace: script.workspace.clone(),
        packages: subject.directory().join("packages"),
        download: None,
        scratch: subject.directory().join(format!("attempt-{number}")),
        passed_env: script.passed_env.clone(),
        grace: script.grace,
    }
}

/// Runs a script and collects everything it tells.
pub(super) async fn run(subject: &dyn Subject, script: Script) -> Ran {
    let request = request(subject, &script);
    follow(subject, request, None, script).await
}

/// Takes a placed attempt over; of the script only its stop counts.
pub(super) async fn adopt(
    subject: &dyn Subject,
    request: RunRequest,
    runtime: &Runtime,
    script: Script,
) -> Ran {
    follow(subject, request, Some(runtime), script).await
}

async fn follow(
    subject: &dyn Subject,
    request: RunRequest,
    runtime: Option<&Runtime>,
    script: Script,
) -> Ran {
    let (events, inbox) = mpsc::channel(CAPACITY);
    let (stop, stopping) = watch::channel(None);
    let mut collected = Collected::default();
    let mut stop = Some(stop);
    match script.stop {
        Stop::Nobody => stop = None,
        Stop::First(reason) => collected.stop(stop.as_ref(), reason),
        Stop::Never | Stop::At(..) => {}
    }
    let at = match script.stop {
        Stop::At(text, reason) => Some((text, reason)),
        Stop::Never | Stop::Nobody | Stop::First(_) => None,
    };
    let ran = match runtime {
        Some(runtime) => subject.runner().adopt(runtime, request.clone(), events, stopping),
        None => subject.runner().run(request.clone(), events, stopping),
    };
    let (outcome, ()) = tokio::join!(ran, collected.all(inbox, stop.as_ref(), at));
    let stop_took = collected.stopped_at.map_or(Duration::ZERO, |at| at.elapsed());
    let Collected { stdout, stderr, notes, runtime, order, peak_memory, .. } = collected;
    Ran { request, outcome, stdout, stderr, notes, runtime, order, peak_memory, stop_took }
}

#[derive(Default)]
struct Collected {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    notes: Vec<String>,
    runtime: Option<Runtime>,
    order: Vec<&'static str>,
    peak_memory: Option<ByteSize>,
    stopped_at: Option<Instant>,
}

impl Collected {
    async fn all(
        &mut self,
        mut inbox: mpsc::Receiver<RunnerEvent>,
        stop: Option<&watch::Sender<Option<StopReason>>>,
        at: Option<(&'static str, StopReason)>,
    ) {
        while let Some(event) = inbox.recv().await {
            self.take(event);
            if let Some((text, reason)) = at
                && self.stopped_at.is_none()
                && self.stdout.windows(text.len()).any(|window| window == text.as_bytes())
            {
                self.stop(stop, reason);
            }
        }
    }

    fn take(&mut self, event: RunnerEvent) {
        let kind = match event {
            RunnerEvent::Placed(runtime) => {
                self.runtime = Some(runtime);
                return;
            }
            RunnerEvent::Prepared => "prepared",
            RunnerEvent::Started { .. } => "started",
            RunnerEvent::Output { stream: OutputStream::Stdout, bytes } => {
                self.stdout.extend_from_slice(&bytes);
                "output"
            }
            RunnerEvent::Output { stream: OutputStream::Stderr, bytes } => {
                self.stderr.extend_from_slice(&bytes);
                "output"
            }
            RunnerEvent::Mark(_) => return,
            RunnerEvent::Note(note) => {
                self.notes.push(note);
                return;
            }
            RunnerEvent::Usage { peak_memory } => {
                self.peak_memory = peak_memory;
                return;
            }
        };
        if self.order.last() != Some(&kind) {
            self.order.push(kind);
        }
    }

    fn stop(&mut self, stop: Option<&watch::Sender<Option<StopReason>>>, reason: StopReason) {
        #[expect(clippy::disallowed_methods, reason = "the case measures how long a stop takes")]
        let now = Instant::now();
        self.stopped_at = Some(now);
        if let Some(stop) = stop {
            stop.send_replace(Some(reason));
        }
    }
}
