//! The backstop of a step's time-out: the worker should have ended the attempt and did not report in time.

use stroem_core::LeaseKey;

use super::work::{LeaseState, Work, attempt_timer};
use crate::{
    changes::{Effect, LeaseKill, StopReason},
    event::{Applied, IllegalEvent},
};

pub(super) fn apply(work: &mut Work<'_>, lease: LeaseKey) -> Result<Applied, IllegalEvent> {
    let step = lease.attempt.step;
    work.changes.timers_removed.push(attempt_timer(lease));
    let held = matches!(work.check_lease(lease), Ok(LeaseState::Held));
    let (true, Some(limit), Some(worker)) = (held, work.plan_step(step)?.timeout, work.row(step)?.worker)
    else {
        return Ok(Applied::AlreadyApplied);
    };
    let kill = LeaseKill { lease, worker, reason: StopReason::TimedOut { limit } };
    work.changes.kills.push(kill);
    work.effect(Effect::Kill(kill));
    Ok(Applied::Changed)
}
