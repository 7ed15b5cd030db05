//! Runs one script and collects what the runner tells.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use stroem_core::{
    AttemptKey, AttemptNumber, ByteSize, Fence, HumanDuration, JobId, Language, LeaseKey, Outcome, Resources,
    RunnerKind, ScriptBody, ScriptSpec, StepRun, StepSpec,
};
use stroem_runner::{OutputStream, RunRequest, Runner, RunnerEvent, StepIdentity, StopReason};
use stroem_runner_local::{LocalRunner, LocalRunnerOptions};

static NEXT_FENCE: AtomicI64 = AtomicI64::new(1);

/// A script with everything that tests vary.
pub(crate) struct Case {
    pub(crate) script: ScriptSpec,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) memory: Option<ByteSize>,
    pub(crate) workdir: Option<String>,
    pub(crate) workspace: Option<PathBuf>,
    pub(crate) grace: HumanDuration,
    /// Stops as soon as stdout has this text.
    pub(crate) stop_at: Option<(&'static str, StopReason)>,
}

/// What came of it.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) notes: Vec<String>,
    /// From the stop to the answer.
    pub(crate) stop_took: Option<Duration>,
    scratch: tempfile::TempDir,
}

impl Ran {
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Whether the attempt's directory is gone.
    pub(crate) fn is_clean(&self) -> bool {
        self.scratch.path().read_dir().expect("readable").next().is_none()
    }
}

pub(crate) fn case(text: &str) -> Case {
    Case {
        script: ScriptSpec {
            runner: RunnerKind::Local,
            language: Language::Shell,
            body: ScriptBody::Inline(text.to_owned()),
            interpreter: None,
            args: Vec::new(),
            dependencies: Vec::new(),
            manifest: None,
        },
        env: BTreeMap::new(),
        memory: None,
        workdir: None,
        workspace: None,
        grace: HumanDuration::from_secs(2),
        stop_at: None,
    }
}

pub(crate) fn runner() -> LocalRunner {
    let path = "/usr/local/bin:/usr/bin:/bin".to_owned();
    LocalRunner::new(LocalRunnerOptions { path, lang: "C.UTF-8".to_owned(), keeper: None }).expect("a runner")
}

pub(crate) async fn run(case: Case) -> Ran {
    let root = tempfile::tempdir().expect("a directory");
    run_in(&runner(), case, root).await
}

pub(crate) async fn run_in(runner: &LocalRunner, case: Case, root: tempfile::TempDir) -> Ran {
    let request = request(&case, root.path());
    let (events, mut inbox) = tokio::sync::mpsc::channel(8);
    let (stop, stopping) = tokio::sync::watch::channel(None);
    let (mut stdout, mut stderr, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut stopped_at = None;
    let collect = async {
        while let Some(event) = inbox.recv().await {
            match event {
                RunnerEvent::Output { stream: OutputStream::Stdout, bytes } => stdout.extend(bytes),
                RunnerEvent::Output { stream: OutputStream::Stderr, bytes } => stderr.extend::<Bytes>(bytes),
                RunnerEvent::Note(note) => notes.push(note),
                RunnerEvent::Prepared | RunnerEvent::Started { .. } | RunnerEvent::Usage { .. } => {}
            }
            if let Some((text, reason)) = case.stop_at
                && stopped_at.is_none()
                && String::from_utf8_lossy(&stdout).contains(text)
            {
                stop.send(Some(reason)).expect("it listens");
                #[expect(clippy::disallowed_methods, reason = "the test measures how long a stop takes")]
                let now = std::time::Instant::now();
                stopped_at = Some(now);
            }
        }
    };
    let (outcome, ()) = tokio::join!(runner.run(request, events, stopping), collect);
    let stop_took = stopped_at.map(|at| at.elapsed());
    Ran { outcome, stdout, stderr, notes, stop_took, scratch: root }
}

fn request(case: &Case, root: &Path) -> RunRequest {
    let attempt = AttemptKey { job: JobId::from_bytes([5; 16]), step: 0, attempt: AttemptNumber(1) };
    let fence = Fence(i64::from(std::process::id()) * 1_000 + NEXT_FENCE.fetch_add(1, Ordering::Relaxed));
    RunRequest {
        lease: LeaseKey { attempt, fence },
        identity: StepIdentity {
            workspace: "default".parse().expect("a name"),
            task: "build".parse().expect("a name"),
            step: "compile".parse().expect("a name"),
        },
        spec: StepSpec {
            run: StepRun::Script(case.script.clone()),
            env: case.env.clone(),
            timeout: None,
            resources: Resources { cpu: None, memory: case.memory },
            workdir: case.workdir.clone(),
            secrets: Vec::new(),
        },
        workspace: case.workspace.clone(),
        scratch: root.join("attempt"),
        passed_env: BTreeMap::new(),
        grace: case.grace,
    }
}

/// Whether a process of this number is alive.
pub(crate) fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Numbers that a script printed as `pid N`.
pub(crate) fn pids(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("pid ")).map(str::to_owned).collect()
}
