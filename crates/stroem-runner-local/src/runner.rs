//! One attempt from preparation to cleanup.

use std::{
    collections::HashSet,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rustix::process::{Pid, Signal};
use stroem_core::{AttemptKey, Exit, Outcome, RunnerKind, limits};
use stroem_runner::{
    EventSender, OutputStream, RunRequest, Runner, RunnerEvent, StopReason, StopReceiver, Unavailable,
};
use tokio::process::Child;

use crate::{
    cgroup::{Group, Hierarchy},
    keeper::Keeper,
    output::pump,
    prepare::{Prepared, disk_outcome, prepare},
    process::{Tree, describe, reap_orphans, with_environment},
    spawner::Spawner,
    toolchain::Toolchains,
};

/// What the runner needs to know of its host.
#[derive(Debug, Clone)]
pub struct LocalRunnerOptions {
    /// The `PATH` of steps.
    pub path: String,
    /// The `LANG` of steps.
    pub lang: String,
    /// Kills what is left when the worker dies; none in tests that do not need it.
    pub keeper: Option<Keeper>,
}

/// Runs steps as processes on this host.
#[derive(Debug)]
pub struct LocalRunner {
    options: LocalRunnerOptions,
    toolchains: Arc<Toolchains>,
    spawner: Spawner,
    groups: Hierarchy,
    children: Mutex<HashSet<i32>>,
}

/// After a KILL the kernel needs a moment; what is left then is reported.
const KILL_LIMIT: Duration = Duration::from_millis(900);

impl LocalRunner {
    /// A runner for this host.
    ///
    /// # Errors
    /// When its spawner thread cannot be started.
    pub fn new(options: LocalRunnerOptions) -> std::io::Result<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let groups = Hierarchy::detect(&own, Path::new("/sys/fs/cgroup"));
        let toolchains = Arc::new(Toolchains::new(options.path.clone()));
        Ok(Self { options, toolchains, spawner: Spawner::start()?, groups, children: Mutex::default() })
    }

    /// Kills and removes what an earlier worker with this scratch directory left. Blocking.
    pub fn sweep(scratch_root: &Path) {
        let prefix = format!("STROEM_WORKSPACE_DIR={}/", scratch_root.display());
        for pid in with_environment(|entry| entry.starts_with(prefix.as_bytes())) {
            tracing::warn!(process = describe(pid), "killed a process that an earlier worker left");
            crate::process::send(pid, Signal::KILL);
        }
        remove_dir(scratch_root);
    }

    fn children(&self) -> std::sync::MutexGuard<'_, HashSet<i32>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn attempt(&self, request: &Arc<RunRequest>, events: &EventSender, stop: StopReceiver) -> Outcome {
        let (options, toolchains, wanted) =
            (self.options.clone(), Arc::clone(&self.toolchains), Arc::clone(request));
        let prepared = tokio::task::spawn_blocking(move || prepare(&wanted, &options, &toolchains)).await;
        let prepared = match prepared {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(outcome)) => return outcome,
            Err(error) => {
                return Outcome::RunnerError { message: format!("preparation ended early: {error}") };
            }
        };
        let marker = request.marker();
        let (group, notes) = self.groups.create(&marker, &request.spec.resources);
        for note in notes {
            send(events, RunnerEvent::Note(note)).await;
        }
        send(events, RunnerEvent::Prepared).await;
        if let Some(reason) = *stop.borrow() {
            return reason.outcome();
        }
        if let Some(keeper) = &self.options.keeper
            && let Err(error) =
                keeper.register(&marker, &group.dirs().map(Path::to_owned).collect::<Vec<_>>())
        {
            return Outcome::RunnerError { message: format!("the keeper process does not answer: {error}") };
        }
        let outcome = self.run_prepared(request, prepared, &group, &marker, events, stop).await;
        if let Some(keeper) = &self.options.keeper {
            keeper.release(&marker);
        }
        outcome
    }

    async fn run_prepared(
        &self,
        request: &RunRequest,
        prepared: Prepared,
        group: &Group,
        marker: &str,
        events: &EventSender,
        mut stop: StopReceiver,
    ) -> Outcome {
        let Prepared { mut command, output_file } = prepared;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match self.spawner.spawn(command, group.member_files()).await {
            Ok(child) => child,
            Err(error) => return spawn_outcome(request, &error),
        };
        let Some(pid) = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) else {
            return Outcome::RunnerError { message: "the process ended before it was started".to_owned() };
        };
        self.children().insert(pid.as_raw_nonzero().get());
        send(events, RunnerEvent::Started { pid: child.id() }).await;
        let tree = Tree { group, leader: pid, marker };
        let (status, reason) =
            follow(&mut child, &tree, events, &mut stop, request.grace.as_duration()).await;
        self.children().remove(&pid.as_raw_nonzero().get());
        let children = |pid| self.children().contains(&pid);
        reap_orphans(children);
        if let Some(peak_memory) = group.peak_memory() {
            send(events, RunnerEvent::Usage { peak_memory: Some(peak_memory) }).await;
        }
        let outcome = judge(status, reason, group);
        if outcome == Outcome::Succeeded {
            send_output_file(&output_file, events).await;
        }
        outcome
    }
}

#[async_trait]
impl Runner for LocalRunner {
    fn kind(&self) -> RunnerKind {
        RunnerKind::Local
    }

    async fn health(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn run(&self, request: RunRequest, events: EventSender, stop: StopReceiver) -> Outcome {
        let request = Arc::new(request);
        let outcome = self.attempt(&request, &events, stop).await;
        self.cleanup(request.lease.attempt, &request.scratch).await;
        outcome
    }

    async fn cleanup(&self, _attempt: AttemptKey, scratch: &Path) {
        let scratch: PathBuf = scratch.to_owned();
        // A panic there would be a defect of the standard library; the directory is swept at the next start.
        let _ = tokio::task::spawn_blocking(move || remove_dir(&scratch)).await;
    }
}

fn remove_dir(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(dir = %dir.display(), %error, "a step's directory cannot be removed");
    }
}

async fn send(events: &EventSender, event: RunnerEvent) {
    // Nobody listens any more only when the worker is being torn down.
    let _ = events.send(event).await;
}

/// Streams output until the process and its pipes are through, or until it is stopped.
async fn follow(
    child: &mut Child,
    tree: &Tree<'_>,
    events: &EventSender,
    stop: &mut StopReceiver,
    grace: Duration,
) -> (std::io::Result<ExitStatus>, Option<StopReason>) {
    let stdout = pump(child.stdout.take(), OutputStream::Stdout, events.clone());
    let stderr = pump(child.stderr.take(), OutputStream::Stderr, events.clone());
    let pumps = async { tokio::join!(stdout, stderr) };
    tokio::pin!(pumps);
    let (mut pumped, mut reason, mut status) = (false, None, None);
    let kill = tokio::time::sleep(Duration::MAX);
    tokio::pin!(kill);
    // Until the process has ended and, when it is stopped, its whole tree or the grace.
    let gone = tree.others_gone(Duration::MAX);
    tokio::pin!(gone);
    while status.is_none() || reason.is_some() {
        tokio::select! {
            ended = child.wait(), if status.is_none() => status = Some(ended),
            _ = &mut pumps, if !pumped => pumped = true,
            why = stop_reason(stop), if reason.is_none() => {
                reason = Some(why);
                tree.signal(Signal::TERM);
                kill.set(tokio::time::sleep(grace));
            }
            () = &mut gone, if status.is_some() => break,
            () = &mut kill, if reason.is_some() => {
                tree.kill_all(KILL_LIMIT).await;
                if status.is_none() {
                    status = Some(child.wait().await);
                }
                break;
            }
        }
    }
    let status = status.unwrap_or_else(|| Err(std::io::Error::other("nobody waited for the process")));
    if !pumped {
        pumped = tokio::time::timeout(limits::DRAIN.as_duration(), async {
            // What nobody holds open ends at once; what a background process holds open ends with it.
            (&mut pumps).await;
        })
        .await
        .is_ok();
    }
    name_and_kill(tree, events, reason.is_some()).await;
    if !pumped {
        // The holders are dead, so the pipes end now; if not, nothing can be read that anybody waits for.
        let _ = tokio::time::timeout(limits::DRAIN.as_duration(), &mut pumps).await;
    }
    (status, reason)
}

async fn name_and_kill(tree: &Tree<'_>, events: &EventSender, stopped: bool) {
    let left = tree.others();
    if left.is_empty() {
        return;
    }
    if !stopped {
        for pid in &left {
            let text = format!(
                "background process {} was still running after the script ended and was killed",
                describe(*pid)
            );
            send(events, RunnerEvent::Note(text)).await;
        }
    }
    if !tree.kill_all(KILL_LIMIT).await {
        let names: Vec<_> = tree.others().into_iter().map(describe).collect();
        send(events, RunnerEvent::Note(format!("cannot be killed: {}", names.join(", ")))).await;
    }
}

async fn stop_reason(stop: &mut StopReceiver) -> StopReason {
    match stop.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        // Nobody can stop it any more: it runs to its end.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

fn judge(status: std::io::Result<ExitStatus>, reason: Option<StopReason>, group: &Group) -> Outcome {
    if let Some(reason) = reason {
        return reason.outcome();
    }
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            return Outcome::RunnerError { message: format!("the process cannot be waited for: {error}") };
        }
    };
    if status.success() {
        return Outcome::Succeeded;
    }
    if group.was_out_of_memory() {
        return Outcome::OutOfMemory { limit: group.limit(), peak: group.peak_memory() };
    }
    let exit = match (status.code(), status.signal()) {
        (Some(code), _) => Exit::ExitCode(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::ExitCode(-1),
    };
    Outcome::Failed { exit }
}

fn spawn_outcome(request: &RunRequest, error: &std::io::Error) -> Outcome {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => {
            let message = format!("the script's interpreter cannot be started: {error}");
            Outcome::InvalidInput { message }
        }
        _ => disk_outcome(&request.scratch, error),
    }
}

/// A file at `$STROEM_OUTPUT` counts as an `OUTPUT:` line.
async fn send_output_file(path: &Path, events: &EventSender) {
    let Ok(text) = tokio::fs::read(path).await else { return };
    if text.iter().all(u8::is_ascii_whitespace) {
        return;
    }
    let mut line = b"OUTPUT: ".to_vec();
    line.extend(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    line.push(b'\n');
    let mut framed = vec![b'\n'];
    framed.append(&mut line);
    send(events, RunnerEvent::Output { stream: OutputStream::Stdout, bytes: framed.into() }).await;
}
