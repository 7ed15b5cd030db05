//! Workers: who they are, and their sessions.

use std::time::Duration;

use sha2::{Digest, Sha256};
use stroem_core::{
    InstanceId, LeaseKey, Outcome, Secret, StepStatus, TagSet, Timestamp, WorkerId, WorkerName,
};
use stroem_engine::{Event, Footprint};
use stroem_store::{Hint, LeaseRow, RegisterOutcome, Registration, WorkerRow};
use subtle::ConstantTimeEq;

use crate::{App, AppError, recovery::before};

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

impl WorkerView {
    /// Whether this is its id or its name.
    pub fn is_called(&self, id_or_name: &str) -> bool {
        self.row.name.as_str() == id_or_name || self.row.id.to_string() == id_or_name
    }
}

/// How long after its last sign of life an instance without an open poll still counts as alive when another one
/// registers under its name: a poll is reopened within milliseconds.
const ALIVE_WITHOUT_POLL: Duration = Duration::from_secs(2);
/// How long another server may take to say that it has a poll open.
const POLL_IS_TOLD: Duration = Duration::from_millis(500);

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
        inner.heartbeats.flush(inner.store.as_ref()).await?;
        let alive_since = self.alive_since(&wish).await?;
        let now = self.now();
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
        self.workers_changed();
        let lost = self.settle_leases(worker, &wish.surviving).await?;
        Ok(Registered { worker, session_token, lost })
    }

    /// Whoever was seen since then is alive: an instance with a poll open for the whole time-out, any other one for a moment.
    async fn alive_since(&self, wish: &RegisterWish) -> Result<Timestamp, AppError> {
        let inner = &self.inner;
        if inner.replicas.is_shared() {
            self.review_workers().await?;
        }
        let known = inner.heartbeats.by_name(&wish.name);
        if known.as_ref().is_some_and(|worker| inner.dispatch.is_polling(worker.id)) {
            return Ok(before(self.now(), inner.options.heartbeat_timeout));
        }
        let asked_at = self.now();
        if let Some(other) = known.filter(|known| known.instance != wish.instance)
            && inner.replicas.is_shared()
        {
            // A server that has a poll of it open writes that down.
            inner.replicas.tell(Hint::WhoPolls { worker: other.id });
            tokio::time::sleep(POLL_IS_TOLD).await;
        }
        Ok(before(asked_at, ALIVE_WITHOUT_POLL))
    }

    /// Ends the leases that a worker lost, or offers them to others, and names those of `surviving` that are over.
    async fn settle_leases(
        &self,
        worker: WorkerId,
        surviving: &[LeaseKey],
    ) -> Result<Vec<LeaseKey>, AppError> {
        let leases = self.inner.store.leases(worker).await?;
        let (held, gone): (Vec<_>, Vec<_>) =
            leases.into_iter().partition(|row| surviving.contains(&row.lease));
        self.let_go(gone).await?;
        self.keep(worker, &held).await?;
        let held = |lease: &&LeaseKey| held.iter().any(|row| row.lease == **lease);
        Ok(surviving.iter().filter(|lease| !held(lease)).copied().collect())
    }

    /// Ends attempts whose worker is gone.
    pub(crate) async fn lose(&self, leases: Vec<LeaseKey>) -> Result<(), AppError> {
        let mut first_error = Ok(());
        for lease in leases {
            // One job that cannot be changed does not keep the others waiting.
            if let Err(error) = self.lose_one(lease).await {
                tracing::error!(job.id = %lease.attempt.job, step = lease.attempt.step, %error, "a lost attempt cannot be ended");
                first_error = first_error.and(Err(error));
            }
        }
        first_error
    }

    async fn lose_one(&self, lease: LeaseKey) -> Result<(), AppError> {
        let (job, step, attempt) = (lease.attempt.job, lease.attempt.step, lease.attempt.attempt);
        tracing::warn!(job.id = %job, step, %attempt, "attempt lost with its worker");
        let event = Event::AttemptEnded { lease, outcome: Outcome::WorkerLost, output: None };
        let answers = self.inner.mailboxes.send(job, vec![event]).await?;
        if answers.iter().any(Result::is_ok) {
            let footprint = Footprint { steps: [step].into(), ..Footprint::default() };
            let row = self.inner.store.load(job, &footprint).await?.steps.remove(&step);
            let goes_on = row.is_some_and(|row| row.status == StepStatus::Ready);
            let then = if goes_on { "the step is queued again" } else { "the step is not tried again" };
            self.note(job, step, &format!("attempt {attempt} was lost with its worker; {then}")).await;
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
        if draining {
            self.set_draining(worker.id, true).await?;
        }
        Ok(())
    }

    /// Lets a worker take no more steps, or lets it take steps again. What it runs goes on. It lasts until the worker
    /// registers anew.
    ///
    /// # Errors
    /// [`AppError::NoSuchWorker`] for one that is unknown or gone.
    pub async fn drain(&self, id_or_name: &str, draining: bool) -> Result<WorkerView, AppError> {
        let find = async || {
            let mut workers = self.workers().await?.into_iter();
            let worker = workers.find(|worker| worker.is_called(id_or_name) && worker.row.gone_at.is_none());
            worker.ok_or(AppError::NoSuchWorker)
        };
        let worker: WorkerView = find().await?;
        self.set_draining(worker.row.id, draining).await?;
        tracing::info!(worker.id = %worker.row.id, worker.name = %worker.row.name, draining, "worker told to drain or to resume");
        find().await
    }

    async fn set_draining(&self, worker: WorkerId, draining: bool) -> Result<(), AppError> {
        if self.inner.heartbeats.set_draining(worker, draining) {
            self.inner.store.set_draining(worker, draining).await?;
            self.inner.dispatch.set_draining(worker, draining);
            self.workers_changed();
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
            self.inner.heartbeats.gone(worker.id);
            self.inner.dispatch.expel(worker.id);
            self.inner.recovery.settle(worker.id, self.now());
            self.workers_changed();
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
