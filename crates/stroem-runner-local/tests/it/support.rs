//! The local runner as a subject, and looks at the host's processes.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use stroem_core::{
    AttemptKey, AttemptNumber, Fence, HumanDuration, JobId, Language, LeaseKey, Outcome, Resources,
    RunnerKind, ScriptBody, ScriptSpec, StepRun, StepSpec,
};
use stroem_runner::{
    ATTEMPT_VARIABLE, OutputStream, RunRequest, Runner, RunnerEvent, StepIdentity, StopReceiver,
    conformance::Subject,
};
use stroem_runner_local::{LocalRunner, LocalRunnerOptions};
use tokio::sync::mpsc;

/// A runner with a directory of its own.
pub(crate) struct Local {
    pub(crate) runner: LocalRunner,
    directory: tempfile::TempDir,
}

impl Local {
    pub(crate) fn new() -> Self {
        let options = LocalRunnerOptions { path: path(), lang: "C.UTF-8".to_owned(), keeper: None };
        let runner = LocalRunner::new(options).expect("a runner");
        Self { runner, directory: tempfile::tempdir().expect("a directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a script that nobody stops.
    pub(crate) async fn run(&self, request: RunRequest) -> Ran {
        let (_stop, stopping) = tokio::sync::watch::channel(None);
        self.run_until(request, stopping).await
    }

    pub(crate) async fn run_until(&self, request: RunRequest, stopping: StopReceiver) -> Ran {
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
        let (outcome, (stdout, notes)) = tokio::join!(self.runner.run(request, events, stopping), collect);
        Ran { outcome, stdout, notes }
    }
}

/// What came of a script.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: String,
    pub(crate) notes: Vec<String>,
}

#[async_trait]
impl Subject for Local {
    fn runner(&self) -> &dyn Runner {
        &self.runner
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    async fn left_of(&self, request: &RunRequest) -> Vec<String> {
        let marker = request.marker();
        let mut left = marked(&marker);
        let groups = walk(Path::new("/sys/fs/cgroup"), 5);
        left.extend(
            groups
                .into_iter()
                .filter(|dir| dir.ends_with(format!("stroem-{marker}")))
                .map(|dir| format!("{dir:?}")),
        );
        left
    }

    fn no_memory_limit(&self) -> Option<String> {
        let writable = walk(Path::new("/sys/fs/cgroup"), 2).iter().any(|dir| {
            let probe = dir.join("stroem-test-probe");
            let has_memory = dir.join("memory.limit_in_bytes").exists() || dir.join("memory.max").exists();
            has_memory && fs::create_dir(&probe).is_ok() && fs::remove_dir(&probe).is_ok()
        });
        (!writable).then(|| "this host lets us make no memory control group".to_owned())
    }
}

/// The numbers and states of living processes with this marker.
pub(crate) fn marked(marker: &str) -> Vec<String> {
    let wanted = format!("{ATTEMPT_VARIABLE}={marker}");
    let pids = fs::read_dir("/proc").expect("Linux").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has_it = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    pids.filter(has_it).map(|pid| pid.to_string()).collect()
}

fn walk(dir: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if depth > 0 {
            found.extend(walk(&entry.path(), depth - 1));
        }
        found.push(entry.path());
    }
    found
}

/// An absolute path to the programs of this host.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration that could say it")]
pub(crate) fn path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

/// Whether a process of this number is alive.
pub(crate) fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Waits for a state of the world; panics when it does not come.
pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {what}");
}

/// A request for a script. Requests of one test differ in their number, tests differ in their process.
pub(crate) fn request(number: u8, scratch: PathBuf, language: Language, text: &str) -> RunRequest {
    let mut job = [number; 16];
    job[..4].copy_from_slice(&std::process::id().to_be_bytes());
    let attempt = AttemptKey { job: JobId::from_bytes(job), step: 0, attempt: AttemptNumber(1) };
    RunRequest {
        lease: LeaseKey { attempt, fence: Fence(1) },
        identity: StepIdentity {
            workspace: "default".parse().expect("a name"),
            task: "task".parse().expect("a name"),
            step: "step".parse().expect("a name"),
        },
        spec: StepSpec {
            run: StepRun::Script(ScriptSpec {
                runner: RunnerKind::Local,
                language,
                body: ScriptBody::Inline(text.to_owned()),
                interpreter: None,
                args: Vec::new(),
                dependencies: Vec::new(),
                manifest: None,
            }),
            env: std::collections::BTreeMap::new(),
            timeout: None,
            resources: Resources::default(),
            container: stroem_core::Container::default(),
            workdir: None,
            secrets: Vec::new(),
        },
        workspace: None,
        packages: scratch.with_file_name("packages"),
        download: None,
        scratch,
        passed_env: std::collections::BTreeMap::new(),
        grace: HumanDuration::from_secs(2),
    }
}
