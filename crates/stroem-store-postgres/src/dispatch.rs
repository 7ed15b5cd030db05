//! The queue, claims and leases. The claim itself is a function in the database, see `sql/main-0001.sql`.

use std::sync::Arc;

use async_trait::async_trait;
use stroem_core::{AttemptKey, Fence, JobId, LeaseKey, Runtime, TagSet, Timestamp, WorkerId};
use stroem_store::{AdoptRequest, Claim, ClaimRequest, DispatchStore, LeaseRow, QueueDepth, StoreError};
use tokio_postgres::Row;

use crate::{
    PostgresStore, adoption,
    codec::{Columns, uuid},
    connection::{Request, values},
    failure::Outcome,
    store::Inner,
    writer::{self, Ended},
};

/// How far [`DispatchStore::queue_depths`] counts.
const DEPTH_MAX: i64 = 1_000;

#[async_trait]
impl DispatchStore for PostgresStore {
    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.write(async move { claim(&inner, &request).await }).await
    }

    async fn queue_keys(&self) -> Result<Vec<TagSet>, StoreError> {
        let question = "SELECT tags FROM queue_key WHERE EXISTS (SELECT 1 FROM queue WHERE queue_key = id) \
                        ORDER BY tags";
        self.inner.read(question, values![], |columns| columns.tags()).await
    }

    async fn queue_depths(&self) -> Result<Vec<QueueDepth>, StoreError> {
        self.inner
            .read(QUEUE_DEPTHS, values![DEPTH_MAX], |columns| {
                Ok(QueueDepth {
                    tags: columns.tags()?,
                    ready: columns.count()?,
                    oldest_ready_at: columns.time()?,
                })
            })
            .await
    }

    async fn ready_since(
        &self,
        tags: &TagSet,
        ready_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(JobId, u32)>, StoreError> {
        let values = values![tags.queue_key(), ready_before.as_micros(), i64::from(limit)];
        self.inner.read(READY_SINCE, values, |columns| Ok((columns.job()?, columns.small()?))).await
    }

    async fn ahead(&self, job: JobId, step: u32) -> Result<Option<u64>, StoreError> {
        let values = values![uuid(job.as_bytes()), i64::from(step)];
        Ok(self.inner.read(AHEAD, values, |columns| columns.count()).await?.pop())
    }

    async fn leases(&self, worker: WorkerId) -> Result<Vec<LeaseRow>, StoreError> {
        let question = "SELECT job, step, attempt, fence, claimed_at, kill, scope, handle, mark_json, offered_at \
                        FROM lease WHERE worker = $1 ORDER BY fence";
        let values = values![uuid(worker.as_bytes())];
        self.inner.read(question, values, |columns| adoption::read(columns, worker)).await
    }

    async fn set_runtime(&self, lease: LeaseKey, runtime: Runtime) -> Result<bool, StoreError> {
        self.note_runtime(lease, runtime).await
    }

    async fn offer(&self, leases: Vec<LeaseKey>, now: Timestamp) -> Result<Vec<LeaseKey>, StoreError> {
        self.put_on_offer(leases, now).await
    }

    async fn keep(&self, worker: WorkerId, leases: Vec<LeaseKey>) -> Result<(), StoreError> {
        self.take_from_offer(worker, leases).await
    }

    async fn offers(&self) -> Result<Vec<LeaseRow>, StoreError> {
        self.read_offers().await
    }

    async fn adopt(&self, request: AdoptRequest) -> Result<Vec<Claim>, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.write(async move { adoption::adopt(&inner, &request).await }).await
    }

    async fn is_attempt_of(&self, lease: LeaseKey) -> Result<bool, StoreError> {
        let AttemptKey { job, step, attempt } = lease.attempt;
        let question =
            "SELECT 1::bigint FROM attempt WHERE job = $1 AND step = $2 AND attempt = $3 AND fence = $4";
        let values = values![uuid(job.as_bytes()), i64::from(step), i64::from(attempt.0), lease.fence.0];
        Ok(!self.inner.read(question, values, |columns| columns.value::<i64>()).await?.is_empty())
    }
}

/// Who is gone or drains asks for no queue.
const CLAIM: &str = "SELECT job, step, attempt, fence, version FROM claim($1, CASE WHEN EXISTS ( \
                     SELECT 1 FROM worker WHERE id = $1 AND (gone_at IS NOT NULL OR draining)) \
                     THEN '{}'::text[] ELSE $2::text[] END, $3, $4, $5, $6, $7)";

/// One round trip; without a ready step nothing is written.
async fn claim(inner: &Arc<Inner>, request: &ClaimRequest) -> Outcome<Vec<Claim>> {
    let keys: Vec<String> = request.keys.iter().map(TagSet::queue_key).collect();
    if keys.is_empty() || request.limit == 0 {
        return Ok(Vec::new());
    }
    let statement = |slot, mark| {
        Request::new(
            CLAIM,
            values![
                uuid(request.worker.as_bytes()),
                keys.clone(),
                i64::from(request.limit),
                request.now.as_micros(),
                request.avoids_until().as_micros(),
                slot,
                mark
            ],
        )
    };
    let ended = writer::at_once(inner, statement).await?;
    read_claims(inner, request.worker, ended).await
}

/// What a claim or an adoption took, also when its answer was lost.
pub(crate) async fn read_claims(inner: &Arc<Inner>, worker: WorkerId, ended: Ended) -> Outcome<Vec<Claim>> {
    let rows = match ended {
        Ended::Answered(mut answers) => answers.pop().unwrap_or_default(),
        Ended::Unanswered { slot, mark } => {
            // It took place; what it took carries its mark. A job's version may have grown since, which is as good.
            let question = Request::new(
                "SELECT l.job, l.step, l.attempt, l.fence, j.version FROM lease l JOIN job j ON j.id = l.job \
                 WHERE l.worker = $1 AND l.slot = $2 AND l.mark = $3 ORDER BY l.fence",
                values![uuid(worker.as_bytes()), slot, mark],
            );
            inner.pool.fly(&[question]).await?.pop().unwrap_or_default()
        }
        Ended::Nothing(error) => return Err(error.into()),
    };
    let claims = rows.iter().map(read_claim).collect::<Outcome<Vec<_>>>()?;
    if !claims.is_empty() {
        inner.committed();
        for claim in &claims {
            inner.hints.claimed(claim);
        }
    }
    Ok(claims)
}

fn read_claim(row: &Row) -> Outcome<Claim> {
    let mut columns = Columns::of(row);
    Ok(Claim { lease: read_lease(&mut columns)?, job_version: columns.value()? })
}

pub(crate) fn read_lease(columns: &mut Columns<'_>) -> Outcome<LeaseKey> {
    let attempt = AttemptKey { job: columns.job()?, step: columns.small()?, attempt: columns.attempt()? };
    Ok(LeaseKey { attempt, fence: Fence(columns.value()?) })
}

/// The first row of each priority of one queue, which is its oldest: few, and each is found by a jump along the index.
macro_rules! first_of_each_priority {
    ($key:literal) => {
        concat!(
            "WITH RECURSIVE first AS ( \
             (SELECT priority, ready_at FROM queue WHERE queue_key = ",
            $key,
            " ORDER BY priority DESC, ready_at, job, step LIMIT 1) \
             UNION ALL SELECT below.priority, below.ready_at FROM first CROSS JOIN LATERAL ( \
             SELECT q.priority, q.ready_at FROM queue q WHERE q.queue_key = ",
            $key,
            " AND q.priority < first.priority ORDER BY q.priority DESC, q.ready_at, q.job, q.step LIMIT 1) AS below) "
        )
    };
}

const QUEUE_DEPTHS: &str = concat!(
    "SELECT k.tags, (SELECT count(*) FROM (SELECT 1 FROM queue WHERE queue_key = k.id LIMIT $1) AS few), (",
    first_of_each_priority!("k.id"),
    "SELECT min(ready_at) FROM first) FROM queue_key k \
     WHERE EXISTS (SELECT 1 FROM queue WHERE queue_key = k.id) ORDER BY k.tags"
);

const READY_SINCE: &str = concat!(
    first_of_each_priority!("(SELECT id FROM queue_key WHERE tags = $1)"),
    "SELECT old.job, old.step FROM first CROSS JOIN LATERAL ( \
     SELECT q.ready_at, q.job, q.step FROM queue q \
     WHERE q.queue_key = (SELECT id FROM queue_key WHERE tags = $1) AND q.priority = first.priority \
     AND q.ready_at <= $2 ORDER BY q.ready_at, q.job, q.step LIMIT $3) AS old \
     ORDER BY old.ready_at, old.job, old.step LIMIT $3"
);

const AHEAD: &str = "SELECT \
     (SELECT count(*) FROM queue h WHERE h.queue_key = q.queue_key AND h.priority > q.priority) \
     + (SELECT count(*) FROM queue e WHERE e.queue_key = q.queue_key AND e.priority = q.priority \
     AND (e.ready_at, e.job, e.step) < (q.ready_at, q.job, q.step)) \
     FROM queue q WHERE q.job = $1 AND q.step = $2";
