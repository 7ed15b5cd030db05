//! The queue, claims and leases.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};
use stroem_core::{
    AttemptKey, AttemptNumber, Fence, JobId, JobStatus, LeaseKey, Runtime, StepStatus, TagSet, Timestamp,
    WorkerId,
};
use stroem_store::{AdoptRequest, Claim, ClaimRequest, DispatchStore, LeaseRow, QueueDepth, StoreError};

use crate::{
    SqliteStore, adoption,
    codec::{Columns, counted, job_status, step_status},
    failure::{Failure, Outcome},
};

/// How far [`DispatchStore::queue_depths`] counts.
const DEPTH_MAX: u32 = 1_000;

#[async_trait]
impl DispatchStore for SqliteStore {
    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, StoreError> {
        self.main.run(move |connection| claim(connection, &request)).await
    }

    async fn queue_keys(&self) -> Result<Vec<TagSet>, StoreError> {
        let read = |connection: &Connection| {
            Ok(filled_queues(connection)?.into_iter().map(|(_, tags)| tags).collect())
        };
        self.main_readers.run(read).await
    }

    async fn queue_depths(&self) -> Result<Vec<QueueDepth>, StoreError> {
        self.main_readers.snapshot(queue_depths).await
    }

    async fn ready_since(
        &self,
        tags: &TagSet,
        ready_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(JobId, u32)>, StoreError> {
        let key = tags.queue_key();
        self.main_readers.snapshot(move |connection| ready_since(connection, &key, ready_before, limit)).await
    }

    async fn ahead(&self, job: JobId, step: u32) -> Result<Option<u64>, StoreError> {
        self.main_readers.snapshot(move |connection| ahead(connection, job, step)).await
    }

    async fn leases(&self, worker: WorkerId) -> Result<Vec<LeaseRow>, StoreError> {
        self.main_readers.run(move |connection| leases(connection, worker)).await
    }

    async fn set_runtime(&self, lease: LeaseKey, runtime: Runtime) -> Result<bool, StoreError> {
        self.main.run(move |connection| adoption::set_runtime(connection, lease, &runtime)).await
    }

    async fn offer(&self, leases: Vec<LeaseKey>, now: Timestamp) -> Result<Vec<LeaseKey>, StoreError> {
        self.main.run(move |connection| adoption::offer(connection, &leases, now)).await
    }

    async fn keep(&self, worker: WorkerId, leases: Vec<LeaseKey>) -> Result<(), StoreError> {
        self.main.run(move |connection| adoption::keep(connection, worker, &leases)).await
    }

    async fn offers(&self) -> Result<Vec<LeaseRow>, StoreError> {
        self.main_readers.run(adoption::offers).await
    }

    async fn adopt(&self, request: AdoptRequest) -> Result<Vec<Claim>, StoreError> {
        self.main.run(move |connection| adoption::adopt(connection, &request)).await
    }

    async fn is_attempt_of(&self, lease: LeaseKey) -> Result<bool, StoreError> {
        self.main_readers.run(move |connection| is_attempt_of(connection, lease)).await
    }
}

/// A row of a queue, in the order in which rows are claimed. A larger priority comes first, so it is kept negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    priority_down: i64,
    ready_at: i64,
    job: JobId,
    step: u32,
    queue_key: i64,
}

fn claim(connection: &Connection, request: &ClaimRequest) -> Outcome<Vec<Claim>> {
    let mut places = Vec::new();
    for tags in &request.keys {
        if let Some(key) = queue_key(connection, &tags.queue_key())? {
            first_places(connection, key, request, &mut places)?;
        }
    }
    places.sort_unstable();
    places.dedup();
    places.truncate(request.limit as usize);
    if places.is_empty() || !takes_steps(connection, request.worker)? {
        return Ok(Vec::new());
    }
    let mut fence = take_fences(connection, places.len())?;
    let mut claims = Vec::with_capacity(places.len());
    for place in &places {
        fence += 1;
        claims.push(take(connection, place, request, Fence(fence))?);
    }
    Ok(claims)
}

/// Whether a worker is neither gone nor draining.
fn takes_steps(connection: &Connection, worker: WorkerId) -> Outcome<bool> {
    let mut statement =
        connection.prepare_cached("SELECT gone_at IS NULL AND NOT draining FROM worker WHERE id = ?1")?;
    Ok(statement.query_row([worker.as_bytes()], |row| row.get(0)).optional()?.unwrap_or(true))
}

fn queue_key(connection: &Connection, tags: &str) -> Outcome<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM queue_key WHERE tags = ?1")?;
    Ok(statement.query_row([tags], |row| row.get(0)).optional()?)
}

/// As many rows of one queue as could be claimed if no other queue had any.
fn first_places(
    connection: &Connection,
    key: i64,
    request: &ClaimRequest,
    places: &mut Vec<Place>,
) -> Outcome<()> {
    let mut statement = connection.prepare_cached(
        "SELECT priority, ready_at, job, step FROM queue WHERE queue_key = ?1 \
         AND (avoid_worker IS NULL OR avoid_worker <> ?2 OR ready_at <= ?4) \
         ORDER BY priority DESC, ready_at, job, step LIMIT ?3",
    )?;
    let avoids_until = request.avoids_until().as_micros();
    let mut rows = statement.query((key, request.worker.as_bytes(), request.limit, avoids_until))?;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        places.push(Place {
            priority_down: -columns.value::<i64>()?,
            ready_at: columns.value()?,
            job: columns.job()?,
            step: columns.value()?,
            queue_key: key,
        });
    }
    Ok(())
}

/// Takes `count` fences; answers the one before the first of them.
pub(crate) fn take_fences(connection: &Connection, count: usize) -> Outcome<i64> {
    let mut statement = connection.prepare_cached("UPDATE fence SET last = last + ?1 RETURNING last - ?1")?;
    Ok(statement.query_row([i64::try_from(count).unwrap_or(i64::MAX)], |row| row.get(0))?)
}

fn take(connection: &Connection, place: &Place, request: &ClaimRequest, fence: Fence) -> Outcome<Claim> {
    let (job, step, now) = (place.job, place.step, request.now.as_micros());
    connection
        .prepare_cached(
            "DELETE FROM queue WHERE queue_key = ?1 AND priority = ?2 AND ready_at = ?3 AND job = ?4 AND step = ?5",
        )?
        .execute((place.queue_key, -place.priority_down, place.ready_at, job.as_bytes(), step))?;
    let attempt: Option<u32> = connection
        .prepare_cached(
            "UPDATE step SET status = ?3, attempt = attempt + 1, fence = ?4, worker = ?5, started_at = NULL, \
             outcome = NULL, error = NULL WHERE job = ?1 AND step = ?2 AND status = ?6 RETURNING attempt",
        )?
        .query_row(
            rusqlite::params![
                job.as_bytes(),
                step,
                step_status(StepStatus::Running),
                fence.0,
                request.worker.as_bytes(),
                step_status(StepStatus::Ready),
            ],
            |row| row.get(0),
        )
        .optional()?;
    let not_ready = || Failure::corrupt(format!("step {step} of job {job} is queued and not ready"));
    let attempt = AttemptNumber(attempt.ok_or_else(not_ready)?);
    connection
        .prepare_cached(
            "INSERT INTO lease (fence, job, step, attempt, worker, claimed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((fence.0, job.as_bytes(), step, attempt.0, request.worker.as_bytes(), now))?;
    connection
        .prepare_cached(
            "INSERT INTO attempt (job, step, attempt, fence, worker, ready_at, claimed_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            job.as_bytes(),
            step,
            attempt.0,
            fence.0,
            request.worker.as_bytes(),
            place.ready_at,
            now,
        ))?;
    let job_version = begin_job(connection, job, request.now)?;
    Ok(Claim { lease: LeaseKey { attempt: AttemptKey { job, step, attempt }, fence }, job_version })
}

/// Counts a claim in its job's version; the first one starts the job.
fn begin_job(connection: &Connection, job: JobId, now: Timestamp) -> Outcome<i64> {
    let version = connection
        .prepare_cached("UPDATE job SET version = version + 1 WHERE id = ?1 RETURNING version, status")?
        .query_row([job.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (version, status): (i64, i64) =
        version.ok_or_else(|| Failure::corrupt(format!("job {job} has queued steps and no row")))?;
    if status == job_status(JobStatus::Pending) {
        connection
            .prepare_cached("UPDATE job SET status = ?2, shown = ?2, started_at = ?3 WHERE id = ?1")?
            .execute((job.as_bytes(), job_status(JobStatus::Running), now.as_micros()))?;
    }
    Ok(version)
}

fn filled_queues(connection: &Connection) -> Outcome<Vec<(i64, TagSet)>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, tags FROM queue_key WHERE EXISTS (SELECT 1 FROM queue WHERE queue_key = id) ORDER BY tags",
    )?;
    let mut rows = statement.query([])?;
    let mut queues = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        queues.push((columns.value()?, columns.tags()?));
    }
    Ok(queues)
}

/// The priorities that a queue has rows of. Few, and each is found by a jump along the index.
fn priorities(connection: &Connection, key: i64) -> Outcome<Vec<i64>> {
    let mut found = Vec::new();
    let mut below = i64::MAX;
    loop {
        let next: Option<i64> = connection
            .prepare_cached(
                "SELECT priority FROM queue WHERE queue_key = ?1 AND priority < ?2 ORDER BY priority DESC LIMIT 1",
            )?
            .query_row((key, below), |row| row.get(0))
            .optional()?;
        let Some(next) = next else { return Ok(found) };
        found.push(next);
        below = next;
    }
}

fn queue_depths(connection: &Connection) -> Outcome<Vec<QueueDepth>> {
    let mut depths = Vec::new();
    for (key, tags) in filled_queues(connection)? {
        let ready = connection
            .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM queue WHERE queue_key = ?1 LIMIT ?2)")?
            .query_row((key, DEPTH_MAX), |row| row.get(0))?;
        let mut oldest = i64::MAX;
        for priority in priorities(connection, key)? {
            let first: i64 = connection
                .prepare_cached("SELECT min(ready_at) FROM queue WHERE queue_key = ?1 AND priority = ?2")?
                .query_row((key, priority), |row| row.get(0))?;
            oldest = oldest.min(first);
        }
        depths.push(QueueDepth {
            tags,
            ready: counted(ready)?,
            oldest_ready_at: Timestamp::from_micros(oldest),
        });
    }
    Ok(depths)
}

fn ready_since(
    connection: &Connection,
    key: &str,
    ready_before: Timestamp,
    limit: u32,
) -> Outcome<Vec<(JobId, u32)>> {
    let Some(key) = queue_key(connection, key)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for priority in priorities(connection, key)? {
        let mut statement = connection.prepare_cached(
            "SELECT ready_at, job, step FROM queue WHERE queue_key = ?1 AND priority = ?2 AND ready_at <= ?3 \
             ORDER BY ready_at, job, step LIMIT ?4",
        )?;
        let mut rows = statement.query((key, priority, ready_before.as_micros(), limit))?;
        while let Some(row) = rows.next()? {
            let mut columns = Columns::of(row);
            found.push((columns.value::<i64>()?, columns.job()?, columns.value::<u32>()?));
        }
    }
    found.sort_unstable();
    found.truncate(limit as usize);
    Ok(found.into_iter().map(|(_, job, step)| (job, step)).collect())
}

fn ahead(connection: &Connection, job: JobId, step: u32) -> Outcome<Option<u64>> {
    let place: Option<(i64, i64, i64)> = connection
        .prepare_cached("SELECT queue_key, priority, ready_at FROM queue WHERE job = ?1 AND step = ?2")?
        .query_row((job.as_bytes(), step), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((key, priority, ready_at)) = place else { return Ok(None) };
    let higher: i64 = connection
        .prepare_cached("SELECT count(*) FROM queue WHERE queue_key = ?1 AND priority > ?2")?
        .query_row((key, priority), |row| row.get(0))?;
    let earlier: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM queue WHERE queue_key = ?1 AND priority = ?2 AND (ready_at, job, step) < (?3, ?4, ?5)",
        )?
        .query_row((key, priority, ready_at, job.as_bytes(), step), |row| row.get(0))?;
    Ok(Some(counted(higher + earlier)?))
}

fn leases(connection: &Connection, worker: WorkerId) -> Outcome<Vec<LeaseRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT job, step, attempt, fence, claimed_at, kill, scope, handle, mark_json, offered_at FROM lease \
         WHERE worker = ?1 ORDER BY fence",
    )?;
    let mut rows = statement.query([worker.as_bytes()])?;
    let mut leases = Vec::new();
    while let Some(row) = rows.next()? {
        leases.push(adoption::read(&mut Columns::of(row), worker)?);
    }
    Ok(leases)
}

fn is_attempt_of(connection: &Connection, lease: LeaseKey) -> Outcome<bool> {
    let AttemptKey { job, step, attempt } = lease.attempt;
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM attempt WHERE job = ?1 AND step = ?2 AND attempt = ?3 AND fence = ?4",
    )?;
    Ok(statement.exists((job.as_bytes(), step, attempt.0, lease.fence.0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations;

    /// The questions that every event, claim or poll asks must follow an index: none reads a whole table or sorts.
    #[test]
    fn hot_questions_follow_an_index() {
        let connection = Connection::open_in_memory().expect("opens");
        migrations::MAIN.iter().for_each(|sql| connection.execute_batch(sql).expect("creates"));
        for sql in [
            "SELECT job FROM queue WHERE queue_key = 1 AND (avoid_worker IS NULL OR avoid_worker <> x'00' OR ready_at <= 5) \
             ORDER BY priority DESC, ready_at, job, step LIMIT 8",
            "DELETE FROM queue WHERE job = x'00' AND step = 1",
            "SELECT priority FROM queue WHERE queue_key = 1 AND priority < 5 ORDER BY priority DESC LIMIT 1",
            "SELECT min(ready_at) FROM queue WHERE queue_key = 1 AND priority = 0",
            "SELECT job FROM queue WHERE queue_key = 1 AND priority = 0 AND ready_at <= 9 \
             ORDER BY ready_at, job, step LIMIT 8",
            "SELECT count(*) FROM queue WHERE queue_key = 1 AND priority = 0 AND (ready_at, job, step) < (1, x'00', 1)",
            "SELECT fence FROM lease WHERE worker = x'00' ORDER BY fence",
            "SELECT fence FROM lease WHERE offered_at IS NOT NULL ORDER BY offered_at, fence",
            "SELECT step, error FROM step INDEXED BY step_open WHERE job = x'00' AND status < 4 ORDER BY step",
            "SELECT step, error FROM step WHERE job = x'00' ORDER BY step",
            "SELECT due_at FROM timer ORDER BY due_at LIMIT 1",
            "DELETE FROM timer WHERE job = x'00'",
            "SELECT id FROM worker WHERE session = x'00' AND gone_at IS NULL",
        ] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("prepares");
            let steps = statement.query_map([], |row| row.get::<_, String>(3)).expect("explains");
            let steps = steps.collect::<Result<Vec<_>, _>>().expect("explains").join("; ");
            let first_of_an_index = steps.starts_with("SCAN timer USING COVERING INDEX");
            assert!(steps.starts_with("SEARCH") || first_of_an_index, "{sql}: {steps}");
            assert!(!steps.contains("TEMP"), "{sql}: {steps}");
        }
    }
}
