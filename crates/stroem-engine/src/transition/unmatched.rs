//! No active worker had the required tags for the configured time.

use stroem_core::{Outcome, StepStatus};

use super::work::{StepEnd, Work};
use crate::event::{Applied, IllegalEvent};

pub(super) fn apply(work: &mut Work<'_>, step: u32) -> Result<Applied, IllegalEvent> {
    match work.row(step)?.status {
        StepStatus::Ready => {
            work.end_step(step, StepEnd::with(StepStatus::Failed, Outcome::NoMatchingWorker))?;
            Ok(Applied::Changed)
        }
        // A worker took it, or somebody cancelled it, in the meantime.
        _ => Ok(Applied::AlreadyApplied),
    }
}
