//! Attempts that outlive their worker: put up for adoption when it is gone, handed to a worker of the same scope under a
//! new fence, given up when nobody takes them in time. Also the answer to which leftovers of a platform are dead.
//!
//! Whoever holds the newest fence of an attempt holds its container, whatever fence that was made under.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use stroem_core::{JobStatus, LeaseKey, Runtime, StepStatus, Timestamp, WorkerId};
use stroem_engine::Footprint;
use stroem_logs::chunk::{LogStream, decode};
use stroem_store::{AdoptRequest, ChunkKey, ChunkRange, Claim, LeaseRow, StoreError, WorkerRow};
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::{App, AppError, Change, ClaimedStep, PollWish, recovery::before};

/// How often offers that other servers made are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const CHUNKS_AT_ONCE: u32 = 64;

/// How much of an attempt's log is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoredLog {
    /// The number of the next chunk; all before it are durable.
    pub next_seq: u64,
    /// Bytes of all lines, as chunks count them.
    pub raw_bytes: u64,
    /// Lines of standard output.
    pub stdout_lines: u64,
    /// Lines of standard error.
    pub stderr_lines: u64,
}

/// What a worker needs to take over a running attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Where it runs.
    pub runtime: Runtime,
    /// For how long its command has been running; none when it is not known to have begun.
    pub running_for: Option<Duration>,
    /// What of its log is stored.
    pub log: StoredLog,
}

/// Whether anything is on offer, as far as this server knows, and the gate between reports and adoptions.
#[derive(Debug)]
pub(crate) struct Offers {
    any: AtomicBool,
    /// Held by reports while they check their lease and store its chunks: after an adoption nothing of the old fence
    /// is added to the log whose length the adopter is told.
    gate: RwLock<()>,
}

impl Offers {
    /// Something may be on offer from before.
    pub(crate) fn new() -> Self {
        Self { any: AtomicBool::new(true), gate: RwLock::new(()) }
    }

    pub(crate) async fn storing(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().await
    }
}

/// Runs until it is dropped.
pub(crate) async fn serve(app: App) {
    let mut looked = app.now();
    let mut leads_since = None;
    loop {
        tokio::time::sleep(app.inner.options.sweep_interval).await;
        leads_since = app.leads().then(|| leads_since.unwrap_or_else(|| app.now()));
        let due = app.inner.replicas.is_shared() && before(app.now(), LOOK_EVERY) >= looked;
        if !due && !app.inner.offers.any.load(Ordering::Relaxed) {
            continue;
        }
        looked = app.now();
        if let Err(error) = look(&app, leads_since).await {
            tracing::warn!(%error, "offers of running steps cannot be looked at");
        }
    }
}

/// Wakes workers for what is on offer. Who leads also gives up what nobody took in time.
async fn look(app: &App, leads_since: Option<Timestamp>) -> Result<(), AppError> {
    let offers = app.inner.store.offers().await?;
    app.inner.offers.any.store(!offers.is_empty(), Ordering::Relaxed);
    if offers.is_empty() {
        return Ok(());
    }
    if let Some(since) = leads_since {
        // Nothing is given up before a worker had the whole time since this server began to lead.
        let limit = before(app.now(), app.inner.options.adoption_timeout);
        let is_over = |row: &&LeaseRow| row.offered_at.is_some_and(|at| at.max(since) < limit);
        app.lose(offers.iter().filter(is_over).map(|row| row.lease).collect()).await?;
    }
    app.inner.dispatch.nudge_all();
    Ok(())
}

impl App {
    /// Ends attempts whose worker is gone, but offers those that may still run to other workers.
    pub(crate) async fn let_go(&self, leases: Vec<LeaseRow>) -> Result<(), AppError> {
        let lasting = leases.iter().filter(|row| row.runtime.is_some() && row.offered_at.is_none());
        let lasting: Vec<LeaseKey> = lasting.map(|row| row.lease).collect();
        let offered =
            if lasting.is_empty() { Vec::new() } else { self.inner.store.offer(lasting, self.now()).await? };
        let stays = |row: &LeaseRow| row.offered_at.is_some() || offered.contains(&row.lease);
        self.lose(leases.iter().filter(|row| !stays(row)).map(|row| row.lease).collect()).await?;
        for lease in &offered {
            let (job, step) = (lease.attempt.job, lease.attempt.step);
            tracing::info!(job.id = %job, step, "a running step lost its worker and is up for adoption");
            let text = "the step's worker is gone; the step goes on and waits for a worker to take it over";
            self.note(job, step, text).await;
        }
        if !offered.is_empty() {
            self.inner.offers.any.store(true, Ordering::Relaxed);
            self.inner.dispatch.nudge_all();
        }
        Ok(())
    }

    /// Leases that their holder named again are not on offer any more.
    pub(crate) async fn keep(&self, worker: WorkerId, held: &[LeaseRow]) -> Result<(), AppError> {
        let offered = held.iter().filter(|row| row.offered_at.is_some()).map(|row| row.lease);
        let offered: Vec<LeaseKey> = offered.collect();
        if !offered.is_empty() {
            self.inner.store.keep(worker, offered).await?;
        }
        Ok(())
    }

    /// Takes what is on offer for a worker that polls. What runs already costs no slot; with several workers each takes
    /// a share.
    pub(crate) async fn adopt(
        &self,
        worker: &WorkerRow,
        wish: &PollWish,
    ) -> Result<Vec<ClaimedStep>, AppError> {
        let may_adopt = !wish.scopes.is_empty() && self.inner.heartbeats.takes_steps(worker.id);
        if !may_adopt || !self.inner.offers.any.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let offers = self.inner.store.offers().await?;
        self.inner.offers.any.store(!offers.is_empty(), Ordering::Relaxed);
        let fits = |row: &&LeaseRow| {
            row.runtime.as_ref().is_some_and(|runtime| wish.scopes.contains(&runtime.scope))
        };
        let share = usize::try_from(wish.free_slots.max(1)).unwrap_or(usize::MAX);
        let wanted: Vec<&LeaseRow> = offers.iter().filter(fits).take(share).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let leases = wanted.iter().map(|row| row.lease).collect();
        let request = AdoptRequest { worker: worker.id, leases, now: self.now() };
        let taken = {
            let _gate = self.inner.offers.gate.write().await;
            self.inner.store.adopt(request).await?
        };
        let mut claims = Vec::new();
        for Claim { lease, job_version } in taken {
            let (job, step) = (lease.attempt.job, lease.attempt.step);
            let of = wanted.iter().find(|row| row.lease.attempt == lease.attempt);
            let Some(runtime) = of.and_then(|row| row.runtime.clone()) else { continue };
            tracing::info!(job.id = %job, step, worker.id = %worker.id, worker.name = %worker.name, "a running step is adopted");
            self.note(job, step, &format!("worker {} takes the running step over", worker.name)).await;
            let (status, version) = (JobStatus::Running, job_version);
            self.inner.changes.note(Change::Job { job, status, version });
            claims.extend(self.claimed_step(lease, Some(runtime)).await?);
        }
        Ok(claims)
    }

    /// What the adopter of a lease is told of the attempt so far.
    pub(crate) async fn adopted(
        &self,
        lease: LeaseKey,
        runtime: Runtime,
        started_at: Option<Timestamp>,
    ) -> Result<Adopted, AppError> {
        let micros = |at: Timestamp| self.now().as_micros().saturating_sub(at.as_micros());
        let running_for = started_at.map(|at| Duration::from_micros(micros(at).max(0).unsigned_abs()));
        Ok(Adopted { runtime, running_for, log: self.stored_log(lease).await? })
    }

    /// Counts what is stored of an attempt's log. It reads the log, which an adoption is rare enough for.
    async fn stored_log(&self, lease: LeaseKey) -> Result<StoredLog, AppError> {
        let key =
            ChunkKey { job: lease.attempt.job, step: lease.attempt.step, attempt: lease.attempt.attempt };
        let mut log = StoredLog::default();
        let mut from_chunk_no = 0;
        loop {
            let range =
                ChunkRange { job: key.job, step: Some(key.step), from_chunk_no, limit: CHUNKS_AT_ONCE };
            let chunks = self.inner.store.chunks(range).await?;
            let Some(last) = chunks.last() else { return Ok(log) };
            from_chunk_no = last.chunk_no + 1;
            for chunk in chunks.iter().map(|stored| &stored.chunk).filter(|chunk| chunk.key == key) {
                log.next_seq = log.next_seq.max(chunk.seq + 1);
                log.raw_bytes += chunk.raw_bytes;
                let lines = decode(&chunk.payload).map_err(|error| StoreError::Corrupt(error.to_string()))?;
                for line in lines {
                    match line.stream {
                        LogStream::Stdout => log.stdout_lines += 1,
                        LogStream::Stderr => log.stderr_lines += 1,
                        LogStream::Engine => {}
                    }
                }
            }
        }
    }

    /// Which of these, found on a platform, belong to attempts that are over. An attempt of a job that this server does
    /// not know is none of its business and never dead.
    ///
    /// # Errors
    /// [`AppError::Store`]: then nothing is known of any.
    pub async fn dead(&self, found: Vec<LeaseKey>) -> Result<Vec<LeaseKey>, AppError> {
        let mut dead = Vec::new();
        for lease in found {
            let step = lease.attempt.step;
            let footprint =
                Footprint { steps: [step].into(), results: [].into(), open_steps: false, job_input: false };
            let row = match self.inner.store.load(lease.attempt.job, &footprint).await {
                Ok(mut loaded) => loaded.steps.remove(&step),
                Err(StoreError::NoSuchJob) => continue,
                Err(error) => return Err(error.into()),
            };
            // A newer fence of the same attempt is an adoption.
            let is_alive = row.is_some_and(|row| {
                row.status == StepStatus::Running
                    && row.attempt == lease.attempt.attempt
                    && row.fence >= Some(lease.fence)
            });
            if !is_alive {
                dead.push(lease);
            }
        }
        Ok(dead)
    }
}
