//! A job is stopped: what has not begun is cancelled now, what runs is told to stop and reported by its worker.

use stroem_core::{AttemptKey, JobStatus, LeaseKey, StepStatus};

use super::work::{StepEnd, Work, job_timer};
use crate::{
    changes::{Effect, LeaseKill, StopReason},
    event::{Applied, IllegalEvent},
    rows::JobStop,
};

pub(super) fn cancel(work: &mut Work<'_>) -> Result<Applied, IllegalEvent> {
    let job = work.job();
    if job.status.is_terminal() {
        return Err(IllegalEvent::JobEnded { status: job.status });
    }
    match job.stop {
        Some(JobStop::Cancelled) => Err(IllegalEvent::JobEnded { status: JobStatus::Cancelled }),
        Some(JobStop::TimedOut) => Err(IllegalEvent::JobEnded { status: JobStatus::Failed }),
        None => stop(work, JobStop::Cancelled, StopReason::Cancelled),
    }
}

pub(super) fn deadline(work: &mut Work<'_>) -> Result<Applied, IllegalEvent> {
    let key = job_timer(work.job().id);
    work.changes.timers_removed.push(key);
    let Some(limit) = work.plan.timeout else { return Ok(Applied::AlreadyApplied) };
    if work.job().status.is_terminal() || work.job().stop.is_some() {
        return Ok(Applied::AlreadyApplied);
    }
    work.job_mut().error = Some(format!("the job timed out after {limit}"));
    stop(work, JobStop::TimedOut, StopReason::TimedOut { limit })
}

fn stop(work: &mut Work<'_>, cause: JobStop, reason: StopReason) -> Result<Applied, IllegalEvent> {
    let now = work.now;
    let job = work.job_mut();
    job.stop = Some(cause);
    job.stop_requested_at = Some(now);
    let id = job.id;
    let open: Vec<u32> =
        work.rows.steps.values().filter(|row| !row.status.is_terminal()).map(|row| row.step).collect();
    for step in open {
        let row = work.row(step)?;
        match (row.status, row.fence, row.worker) {
            (StepStatus::Running, Some(fence), Some(worker)) => {
                let attempt = AttemptKey { job: id, step, attempt: row.attempt };
                let kill = LeaseKill { lease: LeaseKey { attempt, fence }, worker, reason };
                work.changes.kills.push(kill);
                work.effect(Effect::Kill(kill));
            }
            _ => work.end_step(step, StepEnd::without_run(StepStatus::Cancelled, None))?,
        }
    }
    Ok(Applied::Changed)
}
