//! Jobs: creation, commits, reads.

mod create;
mod list;
mod load;
mod rows;
mod views;
mod write;

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};
use stroem_core::{Fence, JobId, JobStatus, Timestamp};
use stroem_engine::{Batch, Footprint, JobRow, Loaded, Progress, TimerKey, TimerKind, TimerRow};
use stroem_store::{
    Committed, JobCounts, JobDetail, JobFilter, JobPage, JobStore, NewJob, StepDetail, StoreError,
};
use stroem_workflow::{Plan, PlanHash};

use crate::{
    SqliteStore,
    codec::{Columns, counted, number, timer_kind},
    failure::{Failure, Outcome},
};

#[async_trait]
impl JobStore for SqliteStore {
    async fn create(&self, job: NewJob) -> Result<Committed, StoreError> {
        let (hash, plan) = (job.plan_hash, Arc::clone(job.batch.plan()));
        let committed = self.main.run(move |connection| create::create(connection, job)).await?;
        self.remember(hash, plan);
        Ok(committed)
    }

    async fn commit(&self, job: JobId, batch: Batch) -> Result<Committed, StoreError> {
        let committed = self.main.run(move |connection| commit(connection, job, batch)).await?;
        self.counters.rows_read(committed.rows_read);
        Ok(committed)
    }

    async fn load(&self, job: JobId, footprint: &Footprint) -> Result<Loaded, StoreError> {
        let footprint = footprint.clone();
        let read = move |connection: &Connection| {
            let row = rows::job(connection, job)?.ok_or(StoreError::NoSuchJob)?;
            Ok(load::load(connection, row, &footprint)?.0)
        };
        self.main_readers.snapshot(read).await
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        if let Some(plan) = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            return Ok(Some(Arc::clone(plan)));
        }
        let Some(plan) = self.main_readers.run(move |connection| plan(connection, hash)).await? else {
            return Ok(None);
        };
        self.remember(hash, Arc::clone(&plan));
        Ok(Some(plan))
    }

    async fn job(&self, job: JobId) -> Result<Option<JobRow>, StoreError> {
        self.main_readers.run(move |connection| rows::job(connection, job)).await
    }

    async fn detail(&self, job: JobId) -> Result<Option<JobDetail>, StoreError> {
        self.main_readers.snapshot(move |connection| views::detail(connection, job)).await
    }

    async fn step(&self, job: JobId, step: u32) -> Result<Option<StepDetail>, StoreError> {
        self.main_readers.snapshot(move |connection| views::step(connection, job, step)).await
    }

    async fn list(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        let filter = filter.clone();
        self.main_readers.snapshot(move |connection| list::list(connection, &filter)).await
    }

    async fn counts(&self) -> Result<JobCounts, StoreError> {
        self.main_readers.snapshot(counts).await
    }

    async fn due_timers(&self, now: Timestamp, limit: u32) -> Result<Vec<TimerRow>, StoreError> {
        self.main_readers.run(move |connection| due_timers(connection, now, limit)).await
    }

    async fn next_timer(&self) -> Result<Option<Timestamp>, StoreError> {
        self.main_readers.run(next_timer).await
    }
}

impl SqliteStore {
    fn remember(&self, hash: PlanHash, plan: Arc<Plan>) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).put(hash, plan);
    }
}

/// Drives a batch to its end and writes what it came to.
fn commit(connection: &Connection, id: JobId, mut batch: Batch) -> Outcome<Committed> {
    let job = rows::job(connection, id)?.ok_or(StoreError::NoSuchJob)?;
    let mut rows_read = 1;
    while let Progress::Load(footprint) = batch.advance() {
        let (loaded, read) = load::load(connection, job.clone(), &footprint)?;
        rows_read += read;
        batch.provide(&footprint, loaded);
    }
    let result = batch.finish();
    if !result.changes.is_empty() {
        write::changes(connection, &job, &result.changes)?;
    }
    Ok(Committed { result, rows_read })
}

fn plan(connection: &Connection, hash: PlanHash) -> Outcome<Option<Arc<Plan>>> {
    let mut statement = connection.prepare_cached("SELECT json FROM plan WHERE hash = ?1")?;
    let mut rows = statement.query([hash.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Arc::new(Columns::of(row).text(Plan::from_stored)?)))
}

fn counts(connection: &Connection) -> Outcome<JobCounts> {
    let mut jobs: Vec<(JobStatus, u64)> = JobStatus::ALL.iter().map(|status| (*status, 0)).collect();
    let mut statement = connection.prepare_cached("SELECT shown, sum(jobs) FROM job_count GROUP BY shown")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        let (status, count) = (columns.job_status()?, counted(columns.value()?)?);
        jobs.iter_mut().filter(|(known, _)| *known == status).for_each(|(_, jobs)| *jobs = count);
    }
    let single = |sql: &str| -> Outcome<u64> {
        counted(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    };
    Ok(JobCounts {
        jobs,
        ready_steps: single("SELECT count(*) FROM queue")?,
        running_steps: single("SELECT count(*) FROM lease")?,
    })
}

fn due_timers(connection: &Connection, now: Timestamp, limit: u32) -> Outcome<Vec<TimerRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT due_at, job, step, attempt, fence, kind FROM timer WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2",
    )?;
    let mut rows = statement.query((now.as_micros(), limit))?;
    let mut timers = Vec::new();
    while let Some(row) = rows.next()? {
        timers.push(timer(&mut Columns::of(row))?);
    }
    Ok(timers)
}

fn timer(columns: &mut Columns<'_, '_>) -> Outcome<TimerRow> {
    let due_at = columns.time()?;
    let key = TimerKey {
        job: columns.job()?,
        step: columns.value()?,
        attempt: columns.attempt()?,
        fence: Fence(columns.value()?),
        kind: number(
            columns.value()?,
            &[TimerKind::JobDeadline, TimerKind::AttemptDeadline],
            timer_kind,
            "timer kind",
        )?,
    };
    Ok(TimerRow { key, due_at })
}

fn next_timer(connection: &Connection) -> Outcome<Option<Timestamp>> {
    let mut statement = connection.prepare_cached("SELECT due_at FROM timer ORDER BY due_at LIMIT 1")?;
    let due: Option<i64> = statement.query_row([], |row| row.get(0)).optional().map_err(Failure::from)?;
    Ok(due.map(Timestamp::from_micros))
}
