//! Writes the changes of a commit. All of them are final values.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};
use stroem_core::{JobId, TagSet, WorkerId};
use stroem_engine::{AttemptChange, Changes, JobRow, StepRow};

use crate::{
    codec::{job_status, job_stop, json, json_if_any, micros, shown, step_status, timer_kind},
    failure::{Failure, Outcome},
};

/// Writes the changes of a job that was `before` when the batch began.
pub(super) fn changes(connection: &Connection, before: &JobRow, changes: &Changes) -> Outcome<()> {
    let id = before.id;
    let after = changes.job.as_ref().unwrap_or(before);
    if changes.job.is_some() {
        job(connection, before, after)?;
    }
    for row in changes.steps.values() {
        step(connection, id, row)?;
    }
    data(connection, id, changes)?;
    attempts(connection, id, changes)?;
    queue(connection, id, changes)?;
    leases(connection, changes)?;
    timers(connection, after, changes)
}

fn exactly_one(changed: usize, what: impl FnOnce() -> String) -> Outcome<()> {
    if changed == 1 { Ok(()) } else { Err(Failure::corrupt(format!("{changed} rows of {}", what()))) }
}

fn job(connection: &Connection, before: &JobRow, after: &JobRow) -> Outcome<()> {
    // Most commits leave the state alone, and with it the indexes.
    let same_state = before.status == after.status && shown(before) == shown(after);
    let changed = connection
        .prepare_cached(
            "UPDATE job SET version = ?2, open_steps = ?3, failed_steps = ?4, skipped_steps = ?5, started_at = ?6, \
             error = ?7 WHERE id = ?1",
        )?
        .execute(rusqlite::params![
            after.id.as_bytes(),
            after.version,
            after.open_steps,
            after.failed_steps,
            after.skipped_steps,
            micros(after.started_at),
            after.error,
        ])?;
    exactly_one(changed, || format!("job {}", after.id))?;
    if same_state && before.stop == after.stop {
        return Ok(());
    }
    connection
        .prepare_cached(
            "UPDATE job SET status = ?2, shown = ?3, stop = ?4, stop_requested_at = ?5, completed_at = ?6 WHERE id = ?1",
        )?
        .execute(rusqlite::params![
            after.id.as_bytes(),
            job_status(after.status),
            job_status(shown(after)),
            after.stop.map(job_stop),
            micros(after.stop_requested_at),
            micros(after.completed_at),
        ])?;
    Ok(())
}

fn step(connection: &Connection, job: JobId, row: &StepRow) -> Outcome<()> {
    let changed = connection
        .prepare_cached(
            "UPDATE step SET status = ?3, unmet_deps = ?4, skipped_deps = ?5, failed_deps = ?6, attempt = ?7, \
             fence = ?8, worker = ?9, requeues = ?10, ready_at = ?11, started_at = ?12, completed_at = ?13, \
             outcome = ?14, error = ?15 WHERE job = ?1 AND step = ?2",
        )?
        .execute(rusqlite::params![
            job.as_bytes(),
            row.step,
            step_status(row.status),
            row.unmet_deps,
            row.skipped_deps,
            row.failed_deps,
            row.attempt.0,
            row.fence.map(|fence| fence.0),
            row.worker.as_ref().map(WorkerId::as_bytes),
            row.requeues,
            micros(row.ready_at),
            micros(row.started_at),
            micros(row.completed_at),
            json_if_any(row.outcome.as_ref())?,
            row.error,
        ])?;
    exactly_one(changed, || format!("step {} of job {job}", row.step))
}

/// Inputs and outputs.
pub(super) fn data(connection: &Connection, job: JobId, changes: &Changes) -> Outcome<()> {
    for (step, input) in &changes.inputs {
        connection
            .prepare_cached(
                "INSERT INTO step_data (job, step, input) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (job, step) DO UPDATE SET input = excluded.input",
            )?
            .execute((job.as_bytes(), step, json(input)?))?;
    }
    for (step, output) in &changes.outputs {
        connection
            .prepare_cached(
                "INSERT INTO step_data (job, step, output) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (job, step) DO UPDATE SET output = excluded.output",
            )?
            .execute((job.as_bytes(), step, json(output)?))?;
    }
    Ok(())
}

fn attempts(connection: &Connection, job: JobId, changes: &Changes) -> Outcome<()> {
    for (step, attempt, change) in &changes.attempts {
        let changed = match change {
            AttemptChange::Started { at } => connection
                .prepare_cached("UPDATE attempt SET started_at = ?4 WHERE job = ?1 AND step = ?2 AND attempt = ?3")?
                .execute((job.as_bytes(), step, attempt.0, at.as_micros()))?,
            AttemptChange::Ended { at, outcome } => connection
                .prepare_cached(
                    "UPDATE attempt SET ended_at = ?4, outcome = ?5 WHERE job = ?1 AND step = ?2 AND attempt = ?3",
                )?
                .execute((job.as_bytes(), step, attempt.0, at.as_micros(), json(outcome)?))?,
            AttemptChange::Removed => connection
                .prepare_cached("DELETE FROM attempt WHERE job = ?1 AND step = ?2 AND attempt = ?3")?
                .execute((job.as_bytes(), step, attempt.0))?,
        };
        exactly_one(changed, || format!("attempt {attempt} of step {step} of job {job}"))?;
    }
    Ok(())
}

/// Takes steps out of their queues, then puts steps in.
pub(super) fn queue(connection: &Connection, job: JobId, changes: &Changes) -> Outcome<()> {
    for step in &changes.dequeue {
        connection
            .prepare_cached("DELETE FROM queue WHERE job = ?1 AND step = ?2")?
            .execute((job.as_bytes(), step))?;
    }
    let mut keys: BTreeMap<&TagSet, i64> = BTreeMap::new();
    for row in changes.enqueue.values() {
        let key = match keys.get(&row.tags) {
            Some(key) => *key,
            None => *keys.entry(&row.tags).or_insert(queue_key(connection, &row.tags)?),
        };
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO queue (queue_key, priority, ready_at, job, step, avoid_worker) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                key,
                row.priority,
                row.ready_at.as_micros(),
                job.as_bytes(),
                row.step,
                row.avoid_worker.as_ref().map(WorkerId::as_bytes),
            ))?;
    }
    Ok(())
}

/// The number of a set of tags, given out at its first use.
fn queue_key(connection: &Connection, tags: &TagSet) -> Outcome<i64> {
    let text = tags.queue_key();
    let known = connection
        .prepare_cached("SELECT id FROM queue_key WHERE tags = ?1")?
        .query_row([&text], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO queue_key (tags) VALUES (?1)")?.execute([&text])?;
    Ok(connection.last_insert_rowid())
}

fn leases(connection: &Connection, changes: &Changes) -> Outcome<()> {
    for kill in &changes.kills {
        let lease = kill.lease;
        connection
            .prepare_cached("UPDATE lease SET kill = ?4 WHERE fence = ?1 AND job = ?2 AND step = ?3")?
            .execute((
                lease.fence.0,
                lease.attempt.job.as_bytes(),
                lease.attempt.step,
                json(&kill.reason)?,
            ))?;
    }
    for lease in &changes.released {
        connection
            .prepare_cached("DELETE FROM lease WHERE fence = ?1 AND job = ?2 AND step = ?3")?
            .execute((lease.fence.0, lease.attempt.job.as_bytes(), lease.attempt.step))?;
    }
    Ok(())
}

/// Takes timers away, then adds timers. A job that ended takes all of its timers with it.
pub(super) fn timers(connection: &Connection, job: &JobRow, changes: &Changes) -> Outcome<()> {
    if job.status.is_terminal() {
        connection.prepare_cached("DELETE FROM timer WHERE job = ?1")?.execute([job.id.as_bytes()])?;
        return Ok(());
    }
    for key in &changes.timers_removed {
        connection
            .prepare_cached(
                "DELETE FROM timer WHERE job = ?1 AND step = ?2 AND attempt = ?3 AND fence = ?4 AND kind = ?5",
            )?
            .execute((key.job.as_bytes(), key.step, key.attempt.0, key.fence.0, timer_kind(key.kind)))?;
    }
    for timer in &changes.timers_added {
        let key = timer.key;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO timer (job, step, attempt, fence, kind, due_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                key.job.as_bytes(),
                key.step,
                key.attempt.0,
                key.fence.0,
                timer_kind(key.kind),
                timer.due_at.as_micros(),
            ))?;
    }
    Ok(())
}
