//! What is true of every job between two commits. The property tests, the simulator and the conformance suite of the
//! stores check a whole job with [`check`]; debug builds check what they touch on the way.

use std::collections::{BTreeMap, BTreeSet};

use stroem_core::{Fence, StepStatus};
use stroem_workflow::Plan;

use crate::rows::{JobRow, JobStop, StepRow};

/// A whole job as the store holds it.
#[derive(Debug, Clone, Copy)]
pub struct WholeJob<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// Its row.
    pub job: &'a JobRow,
    /// All of its steps.
    pub steps: &'a BTreeMap<u32, StepRow>,
    /// Steps with a queue row.
    pub queued: &'a BTreeSet<u32>,
    /// Steps with a lease, and its fence.
    pub leased: &'a BTreeMap<u32, Fence>,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Violation {
    /// The rule's name.
    pub rule: &'static str,
    /// Where it is broken.
    pub detail: String,
}

/// Checks every rule.
///
/// # Errors
/// The first [`Violation`].
pub fn check(whole: WholeJob<'_>) -> Result<(), Violation> {
    one_row_per_step(whole)?;
    for row in whole.steps.values() {
        step_counters(whole, row)?;
        step_place(whole, row)?;
    }
    job_counters(whole)?;
    job_state(whole)
}

fn rule(name: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { rule: name, detail: detail() }) }
}

fn one_row_per_step(whole: WholeJob<'_>) -> Result<(), Violation> {
    let expected = whole.plan.steps.len();
    rule("one row per step", whole.steps.len() == expected, || format!("{} of {expected}", whole.steps.len()))
}

/// Counters equal what the dependencies' states say.
fn step_counters(whole: WholeJob<'_>, row: &StepRow) -> Result<(), Violation> {
    let planned = whole.plan.step(row.step);
    let count = |wanted: &dyn Fn(StepStatus) -> bool| {
        let hits = planned.depends_on.iter().filter(|dep| wanted(whole.steps[dep].status)).count();
        u32::try_from(hits).unwrap_or(u32::MAX)
    };
    let counted = (
        count(&|s| !s.is_terminal()),
        count(&|s| s == StepStatus::Skipped),
        count(&|s| matches!(s, StepStatus::Failed | StepStatus::Cancelled)),
    );
    let kept = (row.unmet_deps, row.skipped_deps, row.failed_deps);
    rule("dependency counters are exact", counted == kept, || {
        format!("step {}: (unmet, skipped, failed) is {kept:?}, counted {counted:?}", row.step)
    })
}

/// A step is queued exactly while ready, leased exactly while running, and neither before its dependencies ended.
fn step_place(whole: WholeJob<'_>, row: &StepRow) -> Result<(), Violation> {
    let queued = whole.queued.contains(&row.step);
    rule("ready if and only if queued", queued == (row.status == StepStatus::Ready), || format!("{row:?}"))?;
    let leased = whole.leased.get(&row.step).copied();
    let running = row.status == StepStatus::Running;
    rule("running if and only if leased", leased.is_some() == running, || {
        format!("{row:?}, lease {leased:?}")
    })?;
    rule("the lease has the step's fence", leased.is_none() || leased == row.fence, || {
        format!("{row:?}, {leased:?}")
    })?;
    let early = row.unmet_deps > 0 && !matches!(row.status, StepStatus::Pending | StepStatus::Cancelled);
    rule("nothing starts before its dependencies ended", !early, || format!("{row:?}"))?;
    let stuck = row.unmet_deps == 0 && row.status == StepStatus::Pending;
    rule("no step is left undecided", !stuck, || format!("{row:?}"))?;
    let timed = row.completed_at.is_some() == row.status.is_terminal();
    rule("completed_at if and only if terminal", timed, || format!("{row:?}"))
}

fn job_counters(whole: WholeJob<'_>) -> Result<(), Violation> {
    let count = |wanted: &dyn Fn(&StepRow) -> bool| {
        u32::try_from(whole.steps.values().filter(|row| wanted(row)).count()).unwrap_or(u32::MAX)
    };
    let counted = (
        count(&|row| !row.status.is_terminal()),
        count(&|row| row.status == StepStatus::Failed && !whole.plan.step(row.step).continue_on_failure),
        count(&|row| row.status == StepStatus::Skipped),
    );
    let kept = (whole.job.open_steps, whole.job.failed_steps, whole.job.skipped_steps);
    rule("job counters are exact", counted == kept, || {
        format!("(open, failed, skipped) is {kept:?}, counted {counted:?}")
    })
}

/// A job is terminal exactly when all of its steps are, and a stopped job has nothing left that could start.
fn job_state(whole: WholeJob<'_>) -> Result<(), Violation> {
    let job = whole.job;
    let through = job.open_steps == 0;
    rule("terminal if and only if all steps are", job.status.is_terminal() == through, || {
        format!("{job:?}")
    })?;
    rule("completed_at if and only if terminal", job.completed_at.is_some() == through, || {
        format!("{job:?}")
    })?;
    let waiting = whole
        .steps
        .values()
        .any(|row| matches!(row.status, StepStatus::Pending | StepStatus::Ready | StepStatus::Suspended));
    rule("a stopped job starts nothing", job.stop.is_none() || !waiting, || format!("{job:?}"))?;
    let stopped = matches!(job.stop, Some(JobStop::Cancelled | JobStop::TimedOut));
    rule("the stop has its time", job.stop_requested_at.is_some() == stopped, || format!("{job:?}"))
}
