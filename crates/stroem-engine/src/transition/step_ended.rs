//! A step ended: each dependent has one open dependency less, and is decided when none is left.

use stroem_core::StepStatus;

use super::work::Work;
use crate::event::{Applied, Event, IllegalEvent};

pub(super) fn apply(work: &mut Work<'_>, step: u32) -> Result<Applied, IllegalEvent> {
    let status = work.row(step)?.status;
    if !status.is_terminal() {
        return Err(IllegalEvent::WrongStatus { status });
    }
    for dependent in &work.plan_step(step)?.dependents {
        let row = work.row_mut(*dependent)?;
        row.unmet_deps -= 1;
        match status {
            StepStatus::Skipped => row.skipped_deps += 1,
            StepStatus::Failed | StepStatus::Cancelled => row.failed_deps += 1,
            _ => {}
        }
        // A stopped job has cancelled its pending steps already.
        if row.unmet_deps == 0 && row.status == StepStatus::Pending {
            work.follow_up(Event::DependenciesMet { step: *dependent });
        }
    }
    Ok(Applied::Changed)
}
