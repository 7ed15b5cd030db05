//! A worker that drains gave a claim back before its command began: nothing happened, so nothing is counted.

use stroem_core::{AttemptNumber, LeaseKey, StepStatus};

use super::work::{LeaseState, StepEnd, Work};
use crate::{
    changes::AttemptChange,
    event::{Applied, IllegalEvent},
};

pub(super) fn apply(work: &mut Work<'_>, lease: LeaseKey) -> Result<Applied, IllegalEvent> {
    let step = lease.attempt.step;
    if work.check_lease(lease)? == LeaseState::Over {
        return Ok(Applied::AlreadyApplied);
    }
    if work.row(step)?.started_at.is_some() {
        return Err(IllegalEvent::WrongStatus { status: StepStatus::Running });
    }
    work.release(lease)?;
    work.changes.attempts.push((step, lease.attempt.attempt, AttemptChange::Removed));
    let row = work.row_mut(step)?;
    row.attempt = AttemptNumber(row.attempt.0 - 1);
    if work.job().stop.is_some() {
        work.end_step(step, StepEnd::without_run(StepStatus::Cancelled, None))?;
    } else {
        work.enqueue(step, None)?;
    }
    Ok(Applied::Changed)
}
