//! Reads the rows of jobs and steps.

use rusqlite::Connection;
use stroem_core::{Fence, JobId, Revision, TaskName, WorkerId, WorkspaceName};
use stroem_engine::{JobRow, JobStop, Source, StepRow};
use stroem_workflow::PlanHash;

use crate::{
    codec::{Columns, job_stop, number},
    failure::Outcome,
};

/// The columns that [`read_job`] expects.
macro_rules! job_columns {
    () => {
        "id, workspace, task, revision, plan, source_type, source_id, status, version, priority, open_steps, \
         failed_steps, skipped_steps, stop, stop_requested_at, created_at, started_at, completed_at, error"
    };
}
/// The columns that [`read_step`] expects.
macro_rules! step_columns {
    () => {
        "step, status, unmet_deps, skipped_deps, failed_deps, attempt, fence, worker, requeues, ready_at, \
         started_at, completed_at, outcome, error"
    };
}
pub(super) use {job_columns, step_columns};

/// A job's row.
pub(super) fn job(connection: &Connection, id: JobId) -> Outcome<Option<JobRow>> {
    let mut statement =
        connection.prepare_cached(concat!("SELECT ", job_columns!(), " FROM job WHERE id = ?1"))?;
    let mut rows = statement.query([id.as_bytes()])?;
    rows.next()?.map(|row| read_job(&mut Columns::of(row))).transpose()
}

pub(super) fn read_job(columns: &mut Columns<'_, '_>) -> Outcome<JobRow> {
    Ok(JobRow {
        id: columns.job()?,
        workspace: columns.text(WorkspaceName::new)?,
        task: columns.text(TaskName::new)?,
        revision: columns.text(str::parse::<Revision>)?,
        plan: PlanHash::from_bytes(columns.value()?),
        source: Source { source_type: columns.value()?, source_id: columns.value()? },
        status: columns.job_status()?,
        version: columns.value()?,
        priority: columns.value()?,
        open_steps: columns.value()?,
        failed_steps: columns.value()?,
        skipped_steps: columns.value()?,
        stop: stop(columns.value()?)?,
        stop_requested_at: columns.time_if_any()?,
        created_at: columns.time()?,
        started_at: columns.time_if_any()?,
        completed_at: columns.time_if_any()?,
        error: columns.value()?,
    })
}

fn stop(found: Option<i64>) -> Outcome<Option<JobStop>> {
    let all = [JobStop::Cancelled, JobStop::TimedOut];
    found.map(|found| number(found, &all, job_stop, "stop")).transpose()
}

pub(super) fn read_step(columns: &mut Columns<'_, '_>) -> Outcome<StepRow> {
    Ok(StepRow {
        step: columns.value()?,
        status: columns.step_status()?,
        unmet_deps: columns.value()?,
        skipped_deps: columns.value()?,
        failed_deps: columns.value()?,
        attempt: columns.attempt()?,
        fence: columns.value::<Option<i64>>()?.map(Fence),
        worker: columns.value::<Option<[u8; 16]>>()?.map(WorkerId::from_bytes),
        requeues: columns.value()?,
        ready_at: columns.time_if_any()?,
        started_at: columns.time_if_any()?,
        completed_at: columns.time_if_any()?,
        outcome: columns.json_if_any()?,
        error: columns.value()?,
    })
}
