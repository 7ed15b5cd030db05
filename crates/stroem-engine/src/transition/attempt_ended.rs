//! An attempt ended: the step ends with it, or is queued again when the platform was to blame.

use serde_json::Value;
use stroem_core::{Cause, LeaseKey, Outcome, StepStatus, limits};

use super::work::{LeaseState, StepEnd, Work};
use crate::{
    changes::AttemptChange,
    event::{Applied, IllegalEvent},
};

pub(super) fn apply(
    work: &mut Work<'_>,
    lease: LeaseKey,
    outcome: &Outcome,
    output: Option<&Value>,
) -> Result<Applied, IllegalEvent> {
    let step = lease.attempt.step;
    if work.check_lease(lease)? == LeaseState::Over {
        return Ok(Applied::AlreadyApplied);
    }
    let ended = AttemptChange::Ended { at: work.now, outcome: outcome.clone() };
    work.changes.attempts.push((step, lease.attempt.attempt, ended));
    work.release(lease)?;
    let stopped = work.job().stop.is_some();
    if outcome.is_requeued() && !stopped && work.row(step)?.requeues < limits::INFRASTRUCTURE_REQUEUES {
        let avoid = if outcome.cause() == Cause::DiskFull { work.row(step)?.worker } else { None };
        work.row_mut(step)?.requeues += 1;
        work.enqueue(step, avoid)?;
        return Ok(Applied::Changed);
    }
    let status = match outcome {
        Outcome::Succeeded => StepStatus::Completed,
        Outcome::Cancelled => StepStatus::Cancelled,
        // The worker went away while the job was being stopped: it will not run again, whatever it did last.
        _ if stopped && outcome.is_requeued() => StepStatus::Cancelled,
        _ => StepStatus::Failed,
    };
    if let (Outcome::Succeeded, Some(output)) = (outcome, output) {
        work.changes.outputs.insert(step, output.clone());
    }
    work.end_step(step, StepEnd::with(status, outcome.clone()))?;
    Ok(Applied::Changed)
}
