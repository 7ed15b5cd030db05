//! The process of an attempt started: its time begins to count.

use std::time::Duration;

use stroem_core::{LeaseKey, Timestamp, limits};

use super::work::{LeaseState, Work, attempt_timer};
use crate::{
    changes::{AttemptChange, TimerRow},
    event::{Applied, IllegalEvent},
};

/// How much later than the worker the server's backstop acts: the worker's grace, its drain and a margin for a
/// report that is under way.
pub(super) const BACKSTOP: Duration = Duration::from_secs(30);

pub(super) fn apply(work: &mut Work<'_>, lease: LeaseKey, at: Timestamp) -> Result<Applied, IllegalEvent> {
    let step = lease.attempt.step;
    let timeout = work.plan_step(step)?.timeout;
    if work.check_lease(lease)? == LeaseState::Over || work.row(step)?.started_at.is_some() {
        return Ok(Applied::AlreadyApplied);
    }
    work.row_mut(step)?.started_at = Some(at);
    work.changes.attempts.push((step, lease.attempt.attempt, AttemptChange::Started { at }));
    if let Some(timeout) = timeout {
        let grace = limits::STOP_GRACE.as_duration() + limits::DRAIN.as_duration() + BACKSTOP;
        let due_at = work.now.after(timeout.as_duration() + grace);
        work.add_timer(TimerRow { key: attempt_timer(lease), due_at });
    }
    Ok(Applied::Changed)
}
