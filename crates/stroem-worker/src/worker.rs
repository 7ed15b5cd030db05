//! The worker as a whole: start, serve, drain.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use stroem_api::ControlPlane;
use stroem_core::{RunnerKind, limits};
use stroem_runner::StopReason;
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    WorkerError,
    cache::Cache,
    clock, delivery, health, heartbeat,
    leases::Leases,
    options::Options,
    outbox::Outbox,
    poll,
    session::{Identity, Session},
    shared::Shared,
    state::StateDir,
    sweep,
};

/// How long the last reports may take when the worker ends; what is not delivered then is on the disk.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// The same when it was told to end at once.
const LAST_WORDS_AT_ONCE: Duration = Duration::from_secs(1);
/// How long stopped steps may take beyond their grace.
const STOP_MARGIN: Duration = Duration::from_secs(2);

/// A worker, ready to run.
pub struct Worker {
    options: Options,
    control: ControlPlane,
    dirs: Arc<StateDir>,
    outbox: Arc<Outbox>,
    leases: Arc<Leases>,
    cache: Cache,
    tasks: TaskTracker,
    at_once: CancellationToken,
    registered: watch::Sender<bool>,
}

/// Watches and ends a worker. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    at_once: CancellationToken,
    registered: watch::Receiver<bool>,
}

impl Handle {
    /// Ends the worker without waiting for running steps: they are stopped, and those that do not stop within a second
    /// are left to the runners' own clean-up.
    pub fn end_at_once(&self) {
        self.at_once.cancel();
    }

    /// Waits until the server knows the worker; false when it ended before.
    pub async fn registered(&mut self) -> bool {
        self.registered.wait_for(|registered| *registered).await.is_ok()
    }
}

impl Worker {
    /// Opens its directories and what an earlier run left in them.
    ///
    /// # Errors
    /// [`WorkerError`]; a server that is not there is none.
    pub fn new(options: Options, control: ControlPlane) -> Result<Self, WorkerError> {
        let dirs = Arc::new(StateDir::open(&options.state_dir)?);
        let tasks = TaskTracker::new();
        let cache = Cache::open(&options.cache_dir, options.cache_size, tasks.clone())
            .map_err(|source| WorkerError::CacheDir { path: options.cache_dir.clone(), source })?;
        if let Err(error) = dirs.remove_stale() {
            tracing::warn!(%error, "what an earlier run left cannot be removed");
        }
        let (outbox, ended) = Outbox::open(Arc::clone(&dirs))?;
        let leases = Leases::new(options.capacity);
        for lease in ended {
            tracing::info!(job.id = %lease.attempt.job, step = lease.attempt.step, "a result of an earlier run is still to be delivered");
            leases.recover(lease);
        }
        Ok(Self {
            options,
            control,
            dirs,
            outbox: Arc::new(outbox),
            leases: Arc::new(leases),
            cache,
            tasks,
            at_once: CancellationToken::new(),
            registered: watch::Sender::new(false),
        })
    }

    /// Watches and ends it.
    pub fn handle(&self) -> Handle {
        Handle { at_once: self.at_once.clone(), registered: self.registered.subscribe() }
    }

    /// Runs until `shutdown`, then drains: no new steps, claims that have not begun are handed back, running steps may
    /// end within the drain time-out, everything is delivered.
    ///
    /// # Errors
    /// [`WorkerError::Token`] when the server refuses the worker token at the start.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), WorkerError> {
        let (at_once, registered) = (self.at_once.clone(), self.registered.clone());
        let shared = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            () = at_once.cancelled() => return Ok(()),
            shared = self.start() => shared?,
        };
        registered.send_replace(true);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = at_once.cancelled() => {}
        }
        end(&shared, &at_once).await;
        Ok(())
    }

    /// Registers and begins to serve.
    async fn start(self) -> Result<Arc<Shared>, WorkerError> {
        let Self { options, control, dirs, outbox, leases, cache, tasks, .. } = self;
        clean_up(&options, &dirs).await;
        let offer = health::offer(&options, &cache).await;
        health::tell(&offer);
        let scopes = health::scopes(&options).await;
        let identity = Identity {
            name: options.name.clone(),
            token: options.token.clone(),
            instance: clock::instance_id(),
            exclusive: options.exclusive,
            capacity: options.capacity,
        };
        let session = Session::open(control.clone(), identity, Arc::clone(&leases), offer.clone()).await?;
        let slots = Semaphore::new(usize::try_from(options.capacity).unwrap_or(Semaphore::MAX_PERMITS));
        let shared = Arc::new(Shared {
            options,
            control,
            session: Arc::new(session),
            leases,
            outbox,
            cache,
            dirs,
            slots,
            scopes: Mutex::new(scopes),
            sweep: Notify::new(),
            tasks,
            draining: CancellationToken::new(),
            leaving: CancellationToken::new(),
        });
        shared.tasks.spawn(poll::serve(Arc::clone(&shared)));
        shared.tasks.spawn(delivery::serve(Arc::clone(&shared)));
        shared.tasks.spawn(heartbeat::serve(Arc::clone(&shared)));
        shared.tasks.spawn(sweep::serve(Arc::clone(&shared)));
        shared.tasks.spawn(health::serve(Arc::clone(&shared), offer));
        Ok(shared)
    }
}

/// Removes what attempts of an earlier process left on this host, processes with their mark included. What they left on a
/// platform may still run, its processes maybe on this host too; whether that is dead, the server says.
async fn clean_up(options: &Options, dirs: &StateDir) {
    let left = dirs.left_scratch().unwrap_or_else(|error| {
        tracing::warn!(%error, "what earlier steps left cannot be listed");
        Vec::new()
    });
    for (lease, scratch) in left {
        for runner in options.runners.iter().filter(|runner| runner.kind() == RunnerKind::Local) {
            runner.cleanup(lease.attempt, &scratch).await;
        }
    }
}

async fn end(shared: &Arc<Shared>, at_once: &CancellationToken) {
    tracing::info!("draining: no new steps, running ones may end");
    shared.draining.cancel();
    shared.leases.wake_poll();
    tokio::select! {
        () = shared.leases.all_over() => {}
        () = tokio::time::sleep(shared.options.drain_timeout) => {}
        () = at_once.cancelled() => {}
    }
    shared.leases.stop_all(StopReason::Drain);
    let patience = shared.options.limits.grace.as_duration() + limits::DRAIN.as_duration() + STOP_MARGIN;
    let patient = async {
        tokio::select! {
            over = timeout(patience, shared.leases.all_over()) => over.is_ok(),
            () = at_once.cancelled() => timeout(LAST_WORDS_AT_ONCE, shared.leases.all_over()).await.is_ok(),
        }
    };
    if !patient.await {
        tracing::warn!("some steps did not stop in time");
    }
    let last_words = if at_once.is_cancelled() { LAST_WORDS_AT_ONCE } else { LAST_WORDS };
    let all_said = timeout(last_words, shared.outbox.all_said()).await.is_ok();
    shared.leaving.cancel();
    if all_said {
        shared.outbox.close();
    } else {
        tracing::warn!("some results could not be delivered; they are kept and delivered at the next start");
    }
    let session = shared.session.current();
    match timeout(LAST_WORDS_AT_ONCE, shared.control.leave(&session.token)).await {
        Ok(Ok(_)) => tracing::info!("left"),
        Ok(Err(error)) => tracing::warn!(%error, "the server cannot be told that the worker leaves"),
        Err(_) => tracing::warn!("the server did not answer when the worker left"),
    }
    shared.tasks.close();
    if timeout(LAST_WORDS_AT_ONCE, shared.tasks.wait()).await.is_err() {
        tracing::warn!("some tasks of the worker did not end in time");
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("name", &self.options.name).finish_non_exhaustive()
    }
}
