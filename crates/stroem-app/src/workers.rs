//! Workers: who they are, and their sessions.

use sha2::{Digest, Sha256};
use stroem_core::{InstanceId, LeaseKey, Outcome, Secret, TagSet, WorkerId, WorkerName};
use stroem_engine::Event;
use stroem_store::{LeaseRow, RegisterOutcome, Registration, WorkerRow};
use subtle::ConstantTimeEq;

use crate::{App, AppError, Change};

/// A worker introduces itself.
#[derive(Debug, Clone)]
pub struct RegisterWish {
    /// Its name.
    pub name: WorkerName,
    /// Its process.
    pub instance: InstanceId,
    /// Its tags.
    pub tags: TagSet,
    /// Tags that it cannot serve now, with the reason.
    pub withdrawn: Vec<(String, String)>,
    /// Takes only steps that ask for all of its custom tags.
    pub exclusive: bool,
    /// How many steps it runs at once.
    pub capacity: u32,
    /// Its program's version.
    pub version: String,
    /// Leases that it still holds or still has reports of.
    pub surviving: Vec<LeaseKey>,
}

/// A registered worker.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Its id.
    pub worker: WorkerId,
    /// Its token.
    pub session_token: Secret,
    /// Surviving leases that are over.
    pub lost: Vec<LeaseKey>,
}

/// A worker as lists show it.
#[derive(Debug, Clone)]
pub struct WorkerView {
    /// Its row, with the newest sign of life.
    pub row: WorkerRow,
    /// What it runs.
    pub leases: Vec<LeaseRow>,
}

/// How long after its last sign of life an instance without an open poll still counts as alive when another one
/// registers under its name: a poll is reopened within milliseconds.
const ALIVE_WITHOUT_POLL: std::time::Duration = std::time::Duration::from_secs(2);

impl App {
    /// Registers a worker that shows the worker token. Leases of its name that it does not name end as lost at once.
    ///
    /// # Errors
    /// [`AppError::BadWorkerToken`], [`AppError::WorkerNameTaken`].
    pub async fn register(&self, token: &str, wish: RegisterWish) -> Result<Registered, AppError> {
        let inner = &self.inner;
        if !bool::from(token.as_bytes().ct_eq(inner.options.worker_token.expose().as_bytes())) {
            return Err(AppError::BadWorkerToken);
        }
        let now = self.now();
        let known = inner.heartbeats.by_name(&wish.name);
        let polling = known.is_some_and(|worker| inner.dispatch.is_polling(worker));
        let alive_for = if polling { inner.options.heartbeat_timeout } else { ALIVE_WITHOUT_POLL };
        let alive_since = stroem_core::Timestamp::from_micros(
            now.as_micros() - i64::try_from(alive_for.as_micros()).unwrap_or(i64::MAX),
        );
        inner.heartbeats.flush(inner.store.as_ref()).await?;
        let session_token = Secret::new(hex::encode(inner.options.clock.random()));
        let registration = Registration {
            new_id: inner.options.clock.worker_id(),
            name: wish.name.clone(),
            instance: wish.instance,
            tags: wish.tags,
            withdrawn: wish.withdrawn,
            exclusive: wish.exclusive,
            capacity: wish.capacity,
            version: wish.version,
            session_hash: hash(session_token.expose()),
            now,
            alive_since,
        };
        let worker = match inner.store.register(registration).await? {
            RegisterOutcome::Registered(worker) => worker,
            RegisterOutcome::NameTaken { .. } => {
                return Err(AppError::WorkerNameTaken(wish.name.to_string()));
            }
        };
        let row = self.session(session_token.expose()).await?;
        tracing::info!(worker.id = %worker, worker.name = %wish.name, "worker registered");
        inner.heartbeats.registered(row);
        inner.changes.note(Change::Workers);
        let lost = self.settle_leases(worker, &wish.surviving).await?;
        Ok(Registered { worker, session_token, lost })
    }

    /// Ends the leases that a worker lost, and names those of `surviving` that are over.
    async fn settle_leases(
        &self,
        worker: WorkerId,
        surviving: &[LeaseKey],
    ) -> Result<Vec<LeaseKey>, AppError> {
        let leases = self.inner.store.leases(worker).await?;
        let gone = leases.iter().filter(|lease| !surviving.contains(&lease.lease)).map(|lease| lease.lease);
        self.lose(gone.collect()).await?;
        let held = |lease: &&LeaseKey| leases.iter().any(|row| row.lease == **lease);
        Ok(surviving.iter().filter(|lease| !held(lease)).copied().collect())
    }

    /// Ends attempts of workers that were judged gone by an earlier server which could not finish that.
    pub(crate) async fn end_orphaned_leases(&self) -> Result<(), AppError> {
        for worker in self.inner.store.workers().await?.into_iter().filter(|worker| worker.gone_at.is_some())
        {
            self.settle_leases(worker.id, &[]).await?;
        }
        Ok(())
    }

    /// Ends attempts whose worker is gone.
    pub(crate) async fn lose(&self, leases: Vec<LeaseKey>) -> Result<(), AppError> {
        for lease in leases {
            tracing::warn!(job.id = %lease.attempt.job, step = lease.attempt.step, "attempt lost with its worker");
            let event = Event::AttemptEnded { lease, outcome: Outcome::WorkerLost, output: None };
            self.inner.mailboxes.send(lease.attempt.job, vec![event]).await?;
        }
        Ok(())
    }

    /// The worker of a session token.
    ///
    /// # Errors
    /// [`AppError::NoSession`].
    pub async fn session(&self, token: &str) -> Result<WorkerRow, AppError> {
        let hash = hash(token);
        if let Some(row) = self.inner.heartbeats.session(&hash) {
            return Ok(row);
        }
        let row = self.inner.store.session(hash).await?.ok_or(AppError::NoSession)?;
        self.inner.heartbeats.remember(hash, row.clone());
        Ok(row)
    }

    /// A worker is alive.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn heartbeat(&self, worker: &WorkerRow, draining: bool) -> Result<(), AppError> {
        self.inner.heartbeats.seen(worker.id, self.now());
        if draining { self.note_draining(worker.id).await } else { Ok(()) }
    }

    /// Tells a worker, by id or name, to take no further steps until it registers again; what it runs goes on.
    ///
    /// # Errors
    /// [`AppError::NoSuchWorker`] for one that is not connected.
    pub async fn drain(&self, worker: &str) -> Result<(), AppError> {
        let workers = self.inner.store.workers().await?;
        let named = |row: &WorkerRow| row.name.as_str() == worker || row.id.to_string() == worker;
        let found = workers.into_iter().find(|row| row.gone_at.is_none() && named(row));
        let row = found.ok_or(AppError::NoSuchWorker)?;
        tracing::info!(worker.id = %row.id, worker.name = %row.name, "worker is told to drain");
        self.note_draining(row.id).await
    }

    async fn note_draining(&self, worker: WorkerId) -> Result<(), AppError> {
        if self.inner.heartbeats.drains(worker) {
            self.inner.dispatch.drain(worker);
            self.inner.store.draining(worker).await?;
            self.inner.changes.note(Change::Workers);
        }
        Ok(())
    }

    /// A worker ends by itself. What it still holds is lost.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn leave(&self, worker: &WorkerRow) -> Result<(), AppError> {
        if self.inner.store.gone(worker.id, worker.instance, self.now()).await? {
            tracing::info!(worker.id = %worker.id, worker.name = %worker.name, "worker left");
            self.inner.heartbeats.gone(worker.id, self.now());
            self.inner.changes.note(Change::Workers);
            self.settle_leases(worker.id, &[]).await?;
        }
        Ok(())
    }

    /// All workers, by name.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn workers(&self) -> Result<Vec<WorkerView>, AppError> {
        let mut views = Vec::new();
        for mut row in self.inner.store.workers().await? {
            self.inner.heartbeats.freshen(&mut row);
            let leases = self.inner.store.leases(row.id).await?;
            views.push(WorkerView { row, leases });
        }
        Ok(views)
    }
}

impl App {
    /// The task and the name of a step that a worker holds; none when its job is gone.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn leased_step(&self, lease: LeaseKey) -> Result<Option<(String, String)>, AppError> {
        match self.inner.mailboxes.plan(lease.attempt.job).await {
            Ok(plan) => Ok(Some((plan.task.to_string(), plan.step(lease.attempt.step).name.to_string()))),
            Err(stroem_store::StoreError::NoSuchJob) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
