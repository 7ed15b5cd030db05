//! Writes the changes of a commit. All of them are final values, each kind in one statement over arrays.

use stroem_core::{JobId, WorkerId};
use stroem_engine::{AttemptChange, Changes, JobRow, StepRow};
use uuid::Uuid;

use crate::{
    codec::{job_status, job_stop, json, json_if_any, micros, plain, shown, step_status, timer_kind, uuid},
    connection::{Request, values},
    failure::Outcome,
};

/// The statements for the changes of a job that was `before` when the batch began.
pub(super) fn changes(before: &JobRow, changes: &Changes) -> Outcome<Vec<Request<'static>>> {
    let id = before.id;
    let after = changes.job.as_ref().unwrap_or(before);
    let mut requests = Vec::new();
    if changes.job.is_some() {
        requests.push(job(before, after));
    }
    if !changes.steps.is_empty() {
        requests.push(steps(UPDATE_STEPS, id, &changes.steps.values())?);
    }
    data(id, changes, &mut requests)?;
    attempts(id, changes, &mut requests)?;
    queue(id, changes, &mut requests);
    leases(id, changes, &mut requests)?;
    timers(after, changes, &mut requests);
    Ok(requests)
}

/// The version was read under the job's lock: another one is a defect, and nothing is written.
const UPDATE_JOB: &str = "WITH done AS (UPDATE job SET version = $3, open_steps = $4, failed_steps = $5, \
     skipped_steps = $6, started_at = $7, error = $8, status = $9, shown = $10, stop = $11, stop_requested_at = $12, \
     completed_at = $13 WHERE id = $1 AND version = $2 RETURNING 1) \
     SELECT expect_rows((SELECT count(*) FROM done), 1, 'the job in its version')";

fn job(before: &JobRow, after: &JobRow) -> Request<'static> {
    Request::new(
        UPDATE_JOB,
        values![
            uuid(after.id.as_bytes()),
            before.version,
            after.version,
            i64::from(after.open_steps),
            i64::from(after.failed_steps),
            i64::from(after.skipped_steps),
            micros(after.started_at),
            after.error.as_deref().map(|text| plain(text).into_owned()),
            job_status(after.status),
            job_status(shown(after)),
            after.stop.map(job_stop),
            micros(after.stop_requested_at),
            micros(after.completed_at),
        ],
    )
}

/// The columns of steps as arrays, from the second parameter on.
macro_rules! step_arrays {
    () => {
        "unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], \
         $9::uuid[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::text[]) \
         AS n(step, status, unmet_deps, skipped_deps, failed_deps, attempt, fence, worker, requeues, ready_at, \
         started_at, completed_at, outcome, error)"
    };
}

const UPDATE_STEPS: &str = concat!(
    "WITH done AS (UPDATE step s SET status = n.status, unmet_deps = n.unmet_deps, skipped_deps = n.skipped_deps, \
     failed_deps = n.failed_deps, attempt = n.attempt, fence = n.fence, worker = n.worker, requeues = n.requeues, \
     ready_at = n.ready_at, started_at = n.started_at, completed_at = n.completed_at, outcome = n.outcome, \
     error = n.error FROM ",
    step_arrays!(),
    " WHERE s.job = $1 AND s.step = n.step RETURNING 1) \
     SELECT expect_rows((SELECT count(*) FROM done), cardinality($2), 'steps')"
);

/// Writes new steps; for [`steps`].
pub(super) const INSERT_STEPS: &str = concat!(
    "INSERT INTO step (job, step, status, unmet_deps, skipped_deps, failed_deps, attempt, fence, worker, requeues, \
     ready_at, started_at, completed_at, outcome, error) SELECT $1::uuid, n.* FROM ",
    step_arrays!()
);

/// A statement over the rows of steps.
pub(super) fn steps<'a>(
    sql: &'static str,
    job: JobId,
    rows: &(impl Iterator<Item = &'a StepRow> + Clone),
) -> Outcome<Request<'static>> {
    let numbers = |value: fn(&StepRow) -> i64| rows.clone().map(value).collect::<Vec<i64>>();
    let times = |value: fn(&StepRow) -> Option<i64>| rows.clone().map(value).collect::<Vec<Option<i64>>>();
    let outcomes = rows.clone().map(|row| json_if_any(row.outcome.as_ref())).collect::<Outcome<Vec<_>>>()?;
    let text = |row: &StepRow| row.error.as_deref().map(|text| plain(text).into_owned());
    let errors: Vec<Option<String>> = rows.clone().map(text).collect();
    Ok(Request::new(
        sql,
        values![
            uuid(job.as_bytes()),
            numbers(|row| i64::from(row.step)),
            numbers(|row| step_status(row.status)),
            numbers(|row| i64::from(row.unmet_deps)),
            numbers(|row| i64::from(row.skipped_deps)),
            numbers(|row| i64::from(row.failed_deps)),
            numbers(|row| i64::from(row.attempt.0)),
            times(|row| row.fence.map(|fence| fence.0)),
            rows.clone().map(|row| worker(row.worker.as_ref())).collect::<Vec<Option<Uuid>>>(),
            numbers(|row| i64::from(row.requeues)),
            times(|row| micros(row.ready_at)),
            times(|row| micros(row.started_at)),
            times(|row| micros(row.completed_at)),
            outcomes,
            errors,
        ],
    ))
}

fn worker(id: Option<&WorkerId>) -> Option<Uuid> {
    id.map(|id| uuid(id.as_bytes()))
}

/// Inputs and outputs.
pub(super) fn data(job: JobId, changes: &Changes, requests: &mut Vec<Request<'static>>) -> Outcome<()> {
    let steps: Vec<u32> = {
        let both = changes.inputs.keys().chain(changes.outputs.keys());
        both.copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    };
    if steps.is_empty() {
        return Ok(());
    }
    let inputs = steps.iter().map(|step| json_if_any(changes.inputs.get(step)));
    let outputs = steps.iter().map(|step| json_if_any(changes.outputs.get(step)));
    requests.push(Request::new(
        "INSERT INTO step_data AS d (job, step, input, output) \
         SELECT $1::uuid, n.* FROM unnest($2::bigint[], $3::text[], $4::text[]) AS n(step, input, output) \
         ON CONFLICT (job, step) DO UPDATE SET input = coalesce(excluded.input, d.input), \
         output = coalesce(excluded.output, d.output)",
        values![
            uuid(job.as_bytes()),
            steps.iter().map(|step| i64::from(*step)).collect::<Vec<i64>>(),
            inputs.collect::<Outcome<Vec<_>>>()?,
            outputs.collect::<Outcome<Vec<_>>>()?,
        ],
    ));
    Ok(())
}

/// Attempts in three statements, in the order in which a batch can change one: started, ended, removed.
fn attempts(job: JobId, changes: &Changes, requests: &mut Vec<Request<'static>>) -> Outcome<()> {
    #[derive(Default)]
    struct Rows {
        steps: Vec<i64>,
        attempts: Vec<i64>,
        times: Vec<i64>,
        outcomes: Vec<String>,
    }
    let (mut started, mut ended, mut removed) = (Rows::default(), Rows::default(), Rows::default());
    for (step, attempt, change) in &changes.attempts {
        let rows = match change {
            AttemptChange::Started { at } => {
                started.times.push(at.as_micros());
                &mut started
            }
            AttemptChange::Ended { at, outcome } => {
                ended.times.push(at.as_micros());
                ended.outcomes.push(json(outcome)?);
                &mut ended
            }
            AttemptChange::Removed => &mut removed,
        };
        rows.steps.push(i64::from(*step));
        rows.attempts.push(i64::from(attempt.0));
    }
    let job = uuid(job.as_bytes());
    if !started.steps.is_empty() {
        requests.push(Request::new(
            "WITH done AS (UPDATE attempt a SET started_at = n.at \
             FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS n(step, attempt, at) \
             WHERE a.job = $1 AND a.step = n.step AND a.attempt = n.attempt RETURNING 1) \
             SELECT expect_rows((SELECT count(*) FROM done), cardinality($2), 'started attempts')",
            values![job, started.steps, started.attempts, started.times],
        ));
    }
    if !ended.steps.is_empty() {
        requests.push(Request::new(
            "WITH done AS (UPDATE attempt a SET ended_at = n.at, outcome = n.outcome \
             FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) AS n(step, attempt, at, outcome) \
             WHERE a.job = $1 AND a.step = n.step AND a.attempt = n.attempt RETURNING 1) \
             SELECT expect_rows((SELECT count(*) FROM done), cardinality($2), 'ended attempts')",
            values![job, ended.steps, ended.attempts, ended.times, ended.outcomes],
        ));
    }
    if !removed.steps.is_empty() {
        requests.push(Request::new(
            "WITH done AS (DELETE FROM attempt a USING unnest($2::bigint[], $3::bigint[]) AS n(step, attempt) \
             WHERE a.job = $1 AND a.step = n.step AND a.attempt = n.attempt RETURNING 1) \
             SELECT expect_rows((SELECT count(*) FROM done), cardinality($2), 'removed attempts')",
            values![job, removed.steps, removed.attempts],
        ));
    }
    Ok(())
}

/// Takes steps out of their queues, then puts steps in. A row that a claim holds just now is left to the claim: it waits
/// for this commit, finds the step no longer ready, and takes the row away.
pub(super) fn queue(job: JobId, changes: &Changes, requests: &mut Vec<Request<'static>>) {
    let job = uuid(job.as_bytes());
    if !changes.dequeue.is_empty() {
        let steps: Vec<i64> = changes.dequeue.iter().map(|step| i64::from(*step)).collect();
        requests.push(Request::new(
            "DELETE FROM queue WHERE ctid = ANY (ARRAY( \
             SELECT ctid FROM queue WHERE job = $1 AND step = ANY ($2::bigint[]) FOR UPDATE SKIP LOCKED))",
            values![job, steps],
        ));
    }
    if changes.enqueue.is_empty() {
        return;
    }
    let rows = changes.enqueue.values();
    let numbers = |value: fn(&stroem_engine::QueueRow) -> i64| rows.clone().map(value).collect::<Vec<i64>>();
    // The keys of all steps were stored before their job was.
    requests.push(Request::new(
        "WITH done AS (INSERT INTO queue AS q (queue_key, priority, ready_at, job, step, avoid_worker) \
         SELECT k.id, n.priority, n.ready_at, $1::uuid, n.step, n.avoid_worker \
         FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[]) \
         AS n(tags, priority, ready_at, step, avoid_worker) JOIN queue_key k ON k.tags = n.tags \
         ON CONFLICT (job, step) DO UPDATE SET queue_key = excluded.queue_key, priority = excluded.priority, \
         ready_at = excluded.ready_at, avoid_worker = excluded.avoid_worker RETURNING 1) \
         SELECT expect_rows((SELECT count(*) FROM done), cardinality($2), 'queued steps')",
        values![
            job,
            rows.clone().map(|row| row.tags.queue_key()).collect::<Vec<String>>(),
            numbers(|row| i64::from(row.priority)),
            numbers(|row| row.ready_at.as_micros()),
            numbers(|row| i64::from(row.step)),
            rows.clone().map(|row| worker(row.avoid_worker.as_ref())).collect::<Vec<Option<Uuid>>>(),
        ],
    ));
}

fn leases(job: JobId, changes: &Changes, requests: &mut Vec<Request<'static>>) -> Outcome<()> {
    let job = uuid(job.as_bytes());
    if !changes.kills.is_empty() {
        let reasons = changes.kills.iter().map(|kill| json(&kill.reason)).collect::<Outcome<Vec<_>>>()?;
        let leases = changes.kills.iter().map(|kill| kill.lease);
        requests.push(Request::new(
            "UPDATE lease l SET kill = n.kill \
             FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS n(fence, step, kill) \
             WHERE l.fence = n.fence AND l.job = $1 AND l.step = n.step",
            values![
                job,
                leases.clone().map(|lease| lease.fence.0).collect::<Vec<i64>>(),
                leases.map(|lease| i64::from(lease.attempt.step)).collect::<Vec<i64>>(),
                reasons,
            ],
        ));
    }
    if !changes.released.is_empty() {
        requests.push(Request::new(
            "DELETE FROM lease l USING unnest($2::bigint[], $3::bigint[]) AS n(fence, step) \
             WHERE l.fence = n.fence AND l.job = $1 AND l.step = n.step",
            values![
                job,
                changes.released.iter().map(|lease| lease.fence.0).collect::<Vec<i64>>(),
                changes.released.iter().map(|lease| i64::from(lease.attempt.step)).collect::<Vec<i64>>(),
            ],
        ));
    }
    Ok(())
}

/// Takes timers away, then adds timers. A job that ended takes all of its timers with it.
pub(super) fn timers(job: &JobRow, changes: &Changes, requests: &mut Vec<Request<'static>>) {
    let id = uuid(job.id.as_bytes());
    if job.status.is_terminal() {
        requests.push(Request::new("DELETE FROM timer WHERE job = $1", values![id]));
        return;
    }
    if !changes.timers_removed.is_empty() {
        let keys = &changes.timers_removed;
        requests.push(Request::new(
            "DELETE FROM timer t \
             USING unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS n(step, attempt, fence, kind) \
             WHERE t.job = $1 AND t.step = n.step AND t.attempt = n.attempt AND t.fence = n.fence AND t.kind = n.kind",
            values![
                id,
                keys.iter().map(|key| i64::from(key.step)).collect::<Vec<i64>>(),
                keys.iter().map(|key| i64::from(key.attempt.0)).collect::<Vec<i64>>(),
                keys.iter().map(|key| key.fence.0).collect::<Vec<i64>>(),
                keys.iter().map(|key| timer_kind(key.kind)).collect::<Vec<i64>>(),
            ],
        ));
    }
    // The last one of a key counts, and one statement may write a row only once.
    let added: std::collections::BTreeMap<_, _> =
        changes.timers_added.iter().map(|timer| (timer.key, timer.due_at.as_micros())).collect();
    if !added.is_empty() {
        requests.push(Request::new(
            "INSERT INTO timer (job, step, attempt, fence, kind, due_at) \
             SELECT $1::uuid, n.* FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) \
             AS n(step, attempt, fence, kind, due_at) \
             ON CONFLICT (job, step, attempt, fence, kind) DO UPDATE SET due_at = excluded.due_at",
            values![
                id,
                added.keys().map(|key| i64::from(key.step)).collect::<Vec<i64>>(),
                added.keys().map(|key| i64::from(key.attempt.0)).collect::<Vec<i64>>(),
                added.keys().map(|key| key.fence.0).collect::<Vec<i64>>(),
                added.keys().map(|key| timer_kind(key.kind)).collect::<Vec<i64>>(),
                added.values().copied().collect::<Vec<i64>>(),
            ],
        ));
    }
}
