//! The runner: one attempt from preparation to cleanup.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use stroem_core::{AttemptKey, Outcome, RunnerKind};
use stroem_runner::{EventSender, RunRequest, Runner, RunnerEvent, StopReceiver, Unavailable, marker_prefix};

use crate::{
    attempt::{Attempt, stopped},
    cgroup::{Group, Host},
    children::Children,
    command::launch_outcome,
    copy::Copier,
    keeper::{Keeper, Registration},
    kill::{Remains, family, kill_all},
    launch::Stage,
    output::{send, send_output_file},
    prepare::{Prepared, Preparer},
    procfs::describe,
    spawner::Spawner,
    toolchain::Toolchains,
    tree::Tree,
};

/// What the runner needs to know of its host.
#[derive(Debug, Clone)]
pub struct LocalRunnerOptions {
    /// The `PATH` of steps, and where their interpreters are looked for.
    pub path: String,
    /// The `LANG` of steps.
    pub lang: String,
    /// Kills what is left when the worker dies; none in tests that do not need it.
    pub keeper: Option<Keeper>,
}

/// Runs steps as processes on this host. Needs Linux 5.4 or later.
#[derive(Debug)]
pub struct LocalRunner {
    preparer: Arc<Preparer>,
    spawner: Spawner,
    host: Arc<Host>,
    children: Arc<Children>,
    keeper: Option<Keeper>,
}

/// How long a cleanup tries to kill.
const CLEANUP_KILL_LIMIT: Duration = Duration::from_secs(5);

impl LocalRunner {
    /// A runner for this host. Makes this process a subreaper: orphans of steps become its children, which it reaps.
    ///
    /// # Errors
    /// When its spawner thread cannot be started.
    pub fn new(options: LocalRunnerOptions) -> io::Result<Self> {
        let children = Arc::new(Children::new()?);
        let toolchains = Toolchains::new(options.path.clone());
        let keeper = options.keeper.clone();
        Ok(Self {
            preparer: Arc::new(Preparer { options, toolchains, copier: Copier::new() }),
            spawner: Spawner::start(Arc::clone(&children))?,
            host: Arc::new(Host::detect()),
            children,
            keeper,
        })
    }

    /// A runner that takes a host for less than it is.
    #[cfg(test)]
    pub(crate) fn on_host(mut self, host: Host) -> Self {
        self.host = Arc::new(host);
        self
    }

    #[cfg(test)]
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    async fn attempt(
        &self,
        request: &Arc<RunRequest>,
        events: &EventSender,
        stop: &mut StopReceiver,
    ) -> Outcome {
        let prepared = match self.prepare(request, stop).await {
            Ok(prepared) => prepared,
            Err(outcome) => return outcome,
        };
        let marker = request.marker();
        let (group, notes) = self.host.create(&marker, &request.spec.resources);
        for note in notes {
            send(events, RunnerEvent::Note(note)).await;
        }
        send(events, RunnerEvent::Prepared).await;
        if let Some(reason) = *stop.borrow() {
            return reason.outcome();
        }
        let remains = Remains { marker, main: None, groups: group.dirs().to_vec() };
        match self.keeper.as_ref().map(|keeper| keeper.register(&remains)).transpose() {
            Ok(registration) => self.run_prepared(request, prepared, group, registration, events, stop).await,
            Err(error) => Outcome::RunnerError { message: format!("there is no keeper process: {error}") },
        }
    }

    /// Lays out the attempt's directories, unless a stop comes first.
    async fn prepare(&self, request: &Arc<RunRequest>, stop: &mut StopReceiver) -> Result<Prepared, Outcome> {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (preparer, wanted, flag) =
            (Arc::clone(&self.preparer), Arc::clone(request), Arc::clone(&is_stopped));
        let mut work = tokio::task::spawn_blocking(move || preparer.prepare(&wanted, &flag));
        let reason = tokio::select! {
            prepared = &mut work => return prepared.unwrap_or_else(|error| {
                Err(Outcome::RunnerError { message: format!("the preparation ended early: {error}") })
            }),
            reason = stopped(stop) => reason,
        };
        is_stopped.store(true, Ordering::Relaxed);
        // It must not write any more when the directories are removed.
        let _result_of_a_stopped_attempt = work.await;
        Err(reason.outcome())
    }

    async fn run_prepared(
        &self,
        request: &RunRequest,
        prepared: Prepared,
        group: Group,
        registration: Option<Registration>,
        events: &EventSender,
        stop: &mut StopReceiver,
    ) -> Outcome {
        let Prepared { launch, output_file } = prepared;
        let launched = match self.spawner.launch(launch, &group).await {
            Ok(launched) => launched,
            Err(error) => {
                if error.stage == Stage::Execute {
                    self.preparer.toolchains.forget();
                }
                return launch_outcome(&error, request);
            }
        };
        let children = Arc::clone(&self.children);
        let tree = Tree { group, main: launched.pid, marker: request.marker(), children };
        if let Some(registration) = &registration
            && let Err(error) = registration.update(&tree.remains())
        {
            tracing::error!(%error, "the keeper knows a process by its marker only");
        }
        let pid = u32::try_from(launched.pid.as_raw_nonzero().get()).ok();
        let mut attempt = Attempt::new(tree, registration, request.grace.as_duration());
        send(events, RunnerEvent::Started { pid }).await;
        let outcome = attempt.follow(launched, events, stop).await;
        if outcome == Outcome::Succeeded {
            send_output_file(&output_file, &attempt.stdout, events).await;
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
        match self.keeper.as_ref().map(Keeper::check) {
            Some(Err(error)) => Err(Unavailable(format!("there is no keeper process: {error}"))),
            Some(Ok(())) | None => Ok(()),
        }
    }

    async fn run(&self, request: RunRequest, events: EventSender, mut stop: StopReceiver) -> Outcome {
        let request = Arc::new(request);
        let outcome = self.attempt(&request, &events, &mut stop).await;
        let scratch = request.scratch.clone();
        blocking(move || remove_dir(&scratch)).await;
        outcome
    }

    async fn cleanup(&self, attempt: AttemptKey, scratch: &Path) {
        let (host, prefix, scratch) = (Arc::clone(&self.host), marker_prefix(attempt), scratch.to_owned());
        blocking(move || {
            let find = || family(|_, marker| marker.is_some_and(|marker| marker.starts_with(&prefix)));
            for pid in kill_all(CLEANUP_KILL_LIMIT, find) {
                tracing::error!(process = describe(pid), "a process of a lost attempt cannot be killed");
            }
            for group in host.left(|marker| marker.starts_with(&prefix)) {
                let remains = Remains { groups: vec![group], ..Remains::default() };
                crate::kill::kill_remains(&[remains], CLEANUP_KILL_LIMIT);
            }
            remove_dir(&scratch);
        })
        .await;
    }
}

async fn blocking(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(work).await {
        tracing::error!(%error, "a cleanup ended early");
    }
}

/// Removes a directory that a step could do with what it liked; one that is gone is fine.
fn remove_dir(dir: &Path) {
    let removed = fs::remove_dir_all(dir).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            open_up(dir);
            fs::remove_dir_all(dir)
        }
        _ => Err(error),
    });
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(dir = %dir.display(), %error, "a step's directory cannot be removed");
    }
}

/// Directories that a step made unwritable cannot be emptied.
fn open_up(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mut dirs: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        // What cannot be changed shows when it is removed.
        let _ = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        let below = fs::read_dir(&dir).into_iter().flatten().flatten();
        dirs.extend(
            below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
        );
    }
}
