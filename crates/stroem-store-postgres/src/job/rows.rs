//! Reads the rows of jobs and steps.

use stroem_core::{Fence, Revision, TaskName, WorkspaceName};
use stroem_engine::{JobRow, JobStop, Source, StepRow};
use stroem_workflow::PlanHash;

use crate::{
    codec::{Columns, job_stop, number},
    failure::{Failure, Outcome},
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

/// Asks for a job's row.
pub(super) const JOB: &str = concat!("SELECT ", job_columns!(), " FROM job WHERE id = $1");
/// Asks for a job's row, and keeps others from changing the job until the end of the transaction.
pub(super) const JOB_LOCKED: &str = concat!("SELECT ", job_columns!(), " FROM job WHERE id = $1 FOR UPDATE");

pub(super) fn read_job(columns: &mut Columns<'_>) -> Outcome<JobRow> {
    Ok(JobRow {
        id: columns.job()?,
        workspace: columns.text(WorkspaceName::new)?,
        task: columns.text(TaskName::new)?,
        revision: columns.text(str::parse::<Revision>)?,
        plan: plan_hash(columns.value()?)?,
        source: Source { source_type: columns.value()?, source_id: columns.value()? },
        status: columns.job_status()?,
        version: columns.value()?,
        priority: priority(columns.value()?)?,
        open_steps: columns.small()?,
        failed_steps: columns.small()?,
        skipped_steps: columns.small()?,
        stop: stop(columns.value()?)?,
        stop_requested_at: columns.time_if_any()?,
        created_at: columns.time()?,
        started_at: columns.time_if_any()?,
        completed_at: columns.time_if_any()?,
        error: columns.value()?,
    })
}

fn plan_hash(found: &[u8]) -> Outcome<PlanHash> {
    let bytes = found.try_into().map_err(|_| Failure::corrupt("a plan's hash has another length"))?;
    Ok(PlanHash::from_bytes(bytes))
}

fn priority(found: i64) -> Outcome<i32> {
    i32::try_from(found).map_err(|_| Failure::corrupt(format!("{found} is no priority")))
}

fn stop(found: Option<i64>) -> Outcome<Option<JobStop>> {
    let all = [JobStop::Cancelled, JobStop::TimedOut];
    found.map(|found| number(found, &all, job_stop, "stop")).transpose()
}

pub(super) fn read_step(columns: &mut Columns<'_>) -> Outcome<StepRow> {
    Ok(StepRow {
        step: columns.small()?,
        status: columns.step_status()?,
        unmet_deps: columns.small()?,
        skipped_deps: columns.small()?,
        failed_deps: columns.small()?,
        attempt: columns.attempt()?,
        fence: columns.value::<Option<i64>>()?.map(Fence),
        worker: columns.worker_if_any()?,
        requeues: columns.small()?,
        ready_at: columns.time_if_any()?,
        started_at: columns.time_if_any()?,
        completed_at: columns.time_if_any()?,
        outcome: columns.json_if_any()?,
        error: columns.value()?,
    })
}
