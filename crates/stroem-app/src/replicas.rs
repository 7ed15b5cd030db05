//! Other servers on the same store: what they tell this one, and what is looked for when they cannot tell.
//!
//! A hint wakes whoever waits here, exactly as an own commit does; the truth is in the store. What a hint would have said is
//! found a little later without it: hints can be lost with the server that had to give them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use stroem_blobs::BlobStore;
use stroem_store::{Hint, HintStream, Leadership, ReplicaStore, StoreError, WorkerRow};
use tokio::{sync::Notify, time::MissedTickBehavior};

use crate::{App, AppError, Change, Clock, Vault, clock::SharedClock, shared_blobs};

/// How often is looked for steps that nobody told of.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// In how many looks once: who the workers are, and what time it is.
const LOOKS_PER_REVIEW: u32 = 5;
/// How often a poll with steps, and whoever watches a job, looks again without a hint.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Under which name the servers of a store agree on their key.
const KEY: &str = "secret_key";

/// The other servers; none when this one is alone. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Replicas {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    store: Arc<dyn ReplicaStore>,
    clock: Arc<SharedClock>,
    leads: AtomicBool,
    workers_changed: Notify,
}

impl Replicas {
    /// Servers of this store, with the clock that all of them go by.
    pub(crate) async fn of(
        store: Arc<dyn ReplicaStore>,
        own: Arc<dyn Clock>,
    ) -> Result<(Self, Arc<dyn Clock>), StoreError> {
        let clock = Arc::new(SharedClock::new(own));
        clock.set(store.as_ref()).await?;
        let shared = Shared {
            store,
            clock: Arc::clone(&clock),
            leads: AtomicBool::new(false),
            workers_changed: Notify::new(),
        };
        Ok((Self { shared: Some(Arc::new(shared)) }, clock))
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Subscribes to what the others tell.
    pub(crate) fn hints(&self) -> Option<Box<dyn HintStream>> {
        self.shared.as_ref().map(|shared| shared.store.hints())
    }

    pub(crate) fn tell(&self, hint: Hint) {
        if let Some(shared) = &self.shared {
            shared.store.tell(hint);
        }
    }

    /// Blobs that every server of the store can read.
    pub(crate) fn blobs(&self) -> Option<BlobStore> {
        self.shared.as_ref().map(|shared| shared_blobs::of(Arc::clone(&shared.store)))
    }

    /// The store, for what only its leader does.
    pub(crate) fn store(&self) -> Option<&dyn ReplicaStore> {
        self.shared.as_ref().map(|shared| shared.store.as_ref())
    }

    /// Asks to lead; none when another server does, or when there are no others.
    pub(crate) async fn try_lead(&self) -> Result<Option<Box<dyn Leadership>>, StoreError> {
        match &self.shared {
            Some(shared) => shared.store.try_lead().await,
            None => Ok(None),
        }
    }

    pub(crate) fn set_leads(&self, leads: bool) {
        if let Some(shared) = &self.shared {
            shared.leads.store(leads, Ordering::Relaxed);
        }
    }

    fn leads(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.leads.load(Ordering::Relaxed))
    }

    /// All servers must have the key with which secret inputs are sealed. A key that was made just now and is not the one is
    /// thrown away again.
    pub(crate) async fn agree_on_key(&self, vault: &Vault) -> Result<(), AppError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        if shared.store.agree(KEY, vault.fingerprint()).await? == vault.fingerprint() {
            return Ok(());
        }
        vault.forget_if_new();
        Err(AppError::OtherKey { file: vault.file().to_owned() })
    }
}

/// Follows what other servers tell, until it is dropped.
pub(crate) async fn listen(app: App, mut hints: Box<dyn HintStream>) {
    loop {
        let hint = hints.next().await;
        app.hear(hint).await;
    }
}

/// Looks now and then for what nobody told, until it is dropped.
pub(crate) async fn look(app: App) {
    let Some(shared) = app.inner.replicas.shared.clone() else { return };
    let mut looks: u32 = 0;
    // Workers that change all the time do not put it off.
    let mut clock = tokio::time::interval(LOOK_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            _ = clock.tick() => false,
            () = shared.workers_changed.notified() => true,
        };
        looks = looks.wrapping_add(u32::from(!asked));
        let reviews = !asked && looks.is_multiple_of(LOOKS_PER_REVIEW);
        if let Err(error) = app.look_around(&shared, asked || reviews, reviews).await {
            tracing::debug!(%error, "what other servers did cannot be looked up");
        }
    }
}

impl App {
    /// Whether this server does what only one server of a store does. One that is alone always does.
    pub fn leads(&self) -> bool {
        self.inner.replicas.leads()
    }

    async fn hear(&self, hint: Hint) {
        let inner = &self.inner;
        match hint {
            Hint::Ready { tags, steps } => {
                let woken = (0..steps).take_while(|_| inner.dispatch.ready(&tags)).count();
                tracing::trace!(tags = tags.queue_key(), steps, woken, "steps became ready elsewhere");
            }
            Hint::JobChanged { job, version, status } => {
                inner.hub.notify(job);
                inner.changes.note(Change::Job { job, status, version });
                if status.is_terminal() {
                    inner.seals.job_ended();
                }
            }
            Hint::LogGrew { job } => inner.hub.notify(job),
            Hint::Stop { worker } => inner.dispatch.nudge(worker),
            Hint::WorkersChanged => self.review_workers_soon(),
            Hint::WhoPolls { worker } => {
                if inner.dispatch.is_polling(worker) {
                    inner.heartbeats.seen(worker, self.now());
                    if let Err(error) = inner.heartbeats.flush(inner.store.as_ref()).await {
                        tracing::warn!(%error, "signs of life cannot be written");
                    }
                }
            }
            Hint::TimerAdded { due_at } => inner.timers.added(due_at),
            Hint::Anything => {
                inner.changes.forget();
                inner.hub.notify_all();
                inner.dispatch.nudge_all();
                inner.seals.job_ended();
                inner.timers.look();
                self.review_workers_soon();
            }
        }
    }

    fn review_workers_soon(&self) {
        if let Some(shared) = &self.inner.replicas.shared {
            shared.workers_changed.notify_one();
        }
    }

    async fn look_around(&self, shared: &Shared, workers: bool, time: bool) -> Result<(), AppError> {
        let inner = &self.inner;
        if inner.dispatch.is_anybody_free() || (time && inner.replicas.leads()) {
            let keys = inner.store.queue_keys().await?;
            keys.iter().for_each(|key| inner.dispatch.wake_all(key));
        }
        if workers {
            self.review_workers().await?;
        }
        if time {
            shared.clock.set(shared.store.as_ref()).await?;
        }
        Ok(())
    }

    /// Takes in what other servers did to workers.
    pub(crate) async fn review_workers(&self) -> Result<Vec<WorkerRow>, AppError> {
        let rows = self.inner.store.workers().await?;
        let review = self.inner.heartbeats.review(&rows);
        for worker in review.replaced.iter().chain(&review.gone) {
            self.inner.dispatch.expel(*worker);
        }
        for (worker, draining) in &review.draining {
            self.inner.dispatch.set_draining(*worker, *draining);
        }
        for worker in &review.gone {
            self.inner.recovery.settle(*worker, self.now());
        }
        if review.is_news {
            self.inner.changes.note(Change::Workers);
        }
        Ok(rows)
    }

    /// Workers came, went, or drain: for pages, and for other servers.
    pub(crate) fn workers_changed(&self) {
        self.inner.changes.note(Change::Workers);
        self.inner.replicas.tell(Hint::WorkersChanged);
    }

    /// A job's log has more lines: for who follows it, here and on other servers.
    pub(crate) fn log_grew(&self, job: stroem_core::JobId) {
        self.inner.hub.notify(job);
        self.inner.replicas.tell(Hint::LogGrew { job });
    }
}
