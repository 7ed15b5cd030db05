//! Writes a new job with its plan.

use rusqlite::{Connection, OptionalExtension as _};
use stroem_engine::{JobRow, Progress, StepRow};
use stroem_store::{Committed, NewJob, StoreError};

use super::write;
use crate::{
    codec::{job_status, job_stop, json, json_if_any, micros, shown, step_status},
    failure::{Failure, Outcome},
};

/// Writes a new job in one go.
pub(super) fn create(connection: &Connection, new: NewJob) -> Outcome<Committed> {
    let NewJob { mut batch, job: id, input, plan_json, plan_hash } = new;
    if let Progress::Load(_) = batch.advance() {
        return Err(internal("a new job needs nothing to be loaded"));
    }
    let result = batch.finish();
    let changes = &result.changes;
    let job = changes.job.as_ref().filter(|job| job.id == id && job.plan == plan_hash);
    let job = job.ok_or_else(|| internal("a new job comes with its row"))?;
    let stored: Option<i64> = connection
        .prepare_cached("SELECT 1 FROM plan WHERE hash = ?1")?
        .query_row([plan_hash.as_bytes()], |row| row.get(0))
        .optional()?;
    if stored.is_none() {
        connection
            .prepare_cached("INSERT INTO plan (hash, json) VALUES (?1, ?2)")?
            .execute((plan_hash.as_bytes(), &*plan_json))?;
    }
    insert_job(connection, job)?;
    connection
        .prepare_cached("INSERT INTO job_input (job, input) VALUES (?1, ?2)")?
        .execute((id.as_bytes(), json(&input)?))?;
    insert_steps(connection, job, changes.steps.values())?;
    write::data(connection, id, changes)?;
    write::queue(connection, id, changes)?;
    write::timers(connection, job, changes)?;
    Ok(Committed { result, rows_read: 0 })
}

fn internal(what: &str) -> Failure {
    Failure::Store(StoreError::Internal(what.to_owned()))
}

fn insert_job(connection: &Connection, job: &JobRow) -> Outcome<()> {
    connection
        .prepare_cached(
            "INSERT INTO job (id, workspace, task, revision, plan, source_type, source_id, status, shown, version, \
             priority, open_steps, failed_steps, skipped_steps, stop, stop_requested_at, created_at, started_at, \
             completed_at, error) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        )?
        .execute(rusqlite::params![
            job.id.as_bytes(),
            job.workspace.as_str(),
            job.task.as_str(),
            job.revision.as_str(),
            job.plan.as_bytes(),
            job.source.source_type,
            job.source.source_id,
            job_status(job.status),
            job_status(shown(job)),
            job.version,
            job.priority,
            job.open_steps,
            job.failed_steps,
            job.skipped_steps,
            job.stop.map(job_stop),
            micros(job.stop_requested_at),
            job.created_at.as_micros(),
            micros(job.started_at),
            micros(job.completed_at),
            job.error,
        ])?;
    Ok(())
}

fn insert_steps<'a>(
    connection: &Connection,
    job: &JobRow,
    steps: impl Iterator<Item = &'a StepRow>,
) -> Outcome<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO step (job, step, status, unmet_deps, skipped_deps, failed_deps, attempt, fence, worker, requeues, \
         ready_at, started_at, completed_at, outcome, error) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    for row in steps {
        statement.execute(rusqlite::params![
            job.id.as_bytes(),
            row.step,
            step_status(row.status),
            row.unmet_deps,
            row.skipped_deps,
            row.failed_deps,
            row.attempt.0,
            row.fence.map(|fence| fence.0),
            row.worker.as_ref().map(stroem_core::WorkerId::as_bytes),
            row.requeues,
            micros(row.ready_at),
            micros(row.started_at),
            micros(row.completed_at),
            json_if_any(row.outcome.as_ref())?,
            row.error,
        ])?;
    }
    Ok(())
}
