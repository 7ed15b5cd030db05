//! Jobs: creation, commits, reads.

mod create;
mod list;
mod load;
mod rows;
mod views;
mod write;

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use load::{Found, Wanted};
use stroem_core::{Fence, JobId, JobStatus, Timestamp};
use stroem_engine::{Batch, Footprint, JobRow, Loaded, Progress, TimerKey, TimerKind, TimerRow};
use stroem_store::{
    Committed, JobCounts, JobDetail, JobFilter, JobPage, JobStore, NewJob, StepDetail, StoreError,
};
use stroem_workflow::{Plan, PlanHash};

use crate::{
    PostgresStore,
    codec::{Columns, counted, number, timer_kind, uuid},
    connection::{Request, values},
    failure::{Failure, Outcome},
    store::Inner,
    writer::Transaction,
};

#[async_trait]
impl JobStore for PostgresStore {
    async fn create(&self, job: NewJob) -> Result<Committed, StoreError> {
        let inner = Arc::clone(&self.inner);
        let (hash, plan) = (job.plan_hash, Arc::clone(job.batch.plan()));
        let committed = self.write(async move { create::create(&inner, job).await }).await?;
        self.inner.remember(hash, plan);
        Ok(committed)
    }

    async fn commit(&self, job: JobId, batch: Batch) -> Result<Committed, StoreError> {
        let inner = Arc::clone(&self.inner);
        let committed = self.write(async move { commit(&inner, job, batch).await }).await?;
        self.inner.counters.rows_read(committed.rows_read);
        Ok(committed)
    }

    async fn load(&self, job: JobId, footprint: &Footprint) -> Result<Loaded, StoreError> {
        let wanted = Wanted::exactly(footprint);
        let mut questions = vec![Request::new(rows::JOB, values![uuid(job.as_bytes())])];
        questions.extend(wanted.requests(job));
        let answers = self.inner.snapshot(questions).await?;
        let row = answers[0].first().ok_or(StoreError::NoSuchJob)?;
        let row = rows::read_job(&mut Columns::of(row))?;
        let mut found = Found::default();
        found.take(job, &wanted, &answers[1..])?;
        let loaded = found.give(&row, footprint).ok_or_else(incomplete)?;
        Ok(loaded.0)
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        if let Some(plan) = self.inner.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            return Ok(Some(Arc::clone(plan)));
        }
        let question = "SELECT json FROM plan WHERE hash = $1";
        let values = values![hash.as_bytes().to_vec()];
        let mut plans = self.inner.read(question, values, |columns| columns.text(Plan::from_stored)).await?;
        let Some(plan) = plans.pop().map(Arc::new) else { return Ok(None) };
        self.inner.remember(hash, Arc::clone(&plan));
        Ok(Some(plan))
    }

    async fn job(&self, job: JobId) -> Result<Option<JobRow>, StoreError> {
        let mut found = self.inner.read(rows::JOB, values![uuid(job.as_bytes())], rows::read_job).await?;
        Ok(found.pop())
    }

    async fn detail(&self, job: JobId) -> Result<Option<JobDetail>, StoreError> {
        Ok(views::detail(&self.inner, job).await?)
    }

    async fn step(&self, job: JobId, step: u32) -> Result<Option<StepDetail>, StoreError> {
        Ok(views::step(&self.inner, job, step).await?)
    }

    async fn list(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        Ok(list::list(&self.inner, filter).await?)
    }

    async fn counts(&self) -> Result<JobCounts, StoreError> {
        Ok(counts(&self.inner).await?)
    }

    async fn due_timers(&self, now: Timestamp, limit: u32) -> Result<Vec<TimerRow>, StoreError> {
        let question = "SELECT due_at, job, step, attempt, fence, kind FROM timer WHERE due_at <= $1 \
                        ORDER BY due_at LIMIT $2";
        self.inner.read(question, values![now.as_micros(), i64::from(limit)], timer).await
    }

    async fn next_timer(&self) -> Result<Option<Timestamp>, StoreError> {
        let question = "SELECT due_at FROM timer ORDER BY due_at LIMIT 1";
        Ok(self.inner.read(question, values![], |columns| columns.time()).await?.pop())
    }
}

/// Drives a batch to its end and writes what it came to: one round trip to lock and load, one to write and commit. One
/// more is needed when a decision leads to further decisions, such as a skipped step whose dependents end with it; and
/// again one for each four times the rows, when these are more than a few hundred.
async fn commit(inner: &Arc<Inner>, id: JobId, mut batch: Batch) -> Outcome<Committed> {
    let plan = Arc::clone(batch.plan());
    let mut progress = batch.advance();
    let mut wanted = match &progress {
        Progress::Load(footprint) => Wanted::with_what_follows(&plan, footprint),
        Progress::Done => Wanted::default(),
    };
    let mut requests = vec![Request::new(rows::JOB_LOCKED, values![uuid(id.as_bytes())])];
    requests.extend(wanted.requests(id));
    let (mut transaction, mut answers) = Transaction::begin(inner, requests).await?;
    let job = answers.remove(0);
    let job = rows::read_job(&mut Columns::of(job.first().ok_or(StoreError::NoSuchJob)?))?;
    let mut found = Found::default();
    found.take(id, &wanted, &answers)?;
    let (mut rows_read, mut guess) = (1, load::GUESS_MAX);
    while let Progress::Load(footprint) = &progress {
        let given = match found.give(&job, footprint) {
            Some(given) => given,
            None => {
                wanted = Wanted::with_all_behind(&plan, footprint, guess);
                guess *= 4;
                let answers = transaction.fly(&wanted.requests(id)).await?;
                found.take(id, &wanted, &answers)?;
                found.give(&job, footprint).ok_or_else(incomplete)?
            }
        };
        rows_read += given.1;
        batch.provide(footprint, given.0);
        progress = batch.advance();
    }
    let result = batch.finish();
    if !result.changes.is_empty() {
        transaction.commit(write::changes(&job, &result.changes)?).await?;
        inner.hints.committed(&result.effects);
    }
    Ok(Committed { result, rows_read })
}

fn incomplete() -> Failure {
    Failure::internal("rows that were asked for are missing")
}

async fn counts(inner: &Inner) -> Outcome<JobCounts> {
    let questions = [
        "SELECT shown, sum(jobs)::bigint FROM job_count GROUP BY shown",
        "SELECT count(*) FROM queue",
        "SELECT count(*) FROM lease",
    ];
    let answers = inner.snapshot(questions.map(|sql| Request::new(sql, values![])).into()).await?;
    let mut jobs: Vec<(JobStatus, u64)> = JobStatus::ALL.iter().map(|status| (*status, 0)).collect();
    for row in &answers[0] {
        let mut columns = Columns::of(row);
        let (status, count) = (columns.job_status()?, counted(columns.value()?)?);
        jobs.iter_mut().filter(|(known, _)| *known == status).for_each(|(_, jobs)| *jobs = count);
    }
    Ok(JobCounts {
        jobs,
        ready_steps: Columns::of(&answers[1][0]).count()?,
        running_steps: Columns::of(&answers[2][0]).count()?,
    })
}

fn timer(columns: &mut Columns<'_>) -> Outcome<TimerRow> {
    let due_at = columns.time()?;
    let key = TimerKey {
        job: columns.job()?,
        step: columns.small()?,
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
