//! Which rows an event needs. The store loads exactly these, so the cost of an event is visible and counted.

use std::collections::BTreeSet;

use stroem_workflow::Plan;

use crate::event::Event;

/// Rows to load besides the job's own row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Step rows by index.
    pub steps: BTreeSet<u32>,
    /// Results (status, output, error) by index.
    pub results: BTreeSet<u32>,
    /// All steps that are not terminal.
    pub open_steps: bool,
    /// The job's input.
    pub job_input: bool,
}

impl Footprint {
    /// Whether everything of `self` is part of `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.steps.is_subset(&other.steps)
            && self.results.is_subset(&other.results)
            && (!self.open_steps || other.open_steps)
            && (!self.job_input || other.job_input)
    }

    /// Adds what `other` needs.
    pub fn merge(&mut self, other: &Self) {
        self.steps.extend(&other.steps);
        self.results.extend(&other.results);
        self.open_steps |= other.open_steps;
        self.job_input |= other.job_input;
    }
}

/// The rows that `event` reads. Indexes that the plan does not have are left out: the event is refused later.
pub fn footprint(plan: &Plan, event: &Event) -> Footprint {
    let one = |step: u32| Footprint { steps: known(plan, step).collect(), ..Footprint::default() };
    match event {
        Event::AttemptStarted { lease, .. }
        | Event::AttemptEnded { lease, .. }
        | Event::HandedBack { lease }
        | Event::AttemptDeadline { lease } => one(lease.attempt.step),
        Event::Unmatched { step } => one(*step),
        Event::CancelRequested | Event::JobDeadline => Footprint { open_steps: true, ..Footprint::default() },
        Event::StepEnded { step } => {
            let mut footprint = one(*step);
            footprint.steps.extend(known(plan, *step).flat_map(|step| &plan.step(step).dependents));
            footprint
        }
        Event::DependenciesMet { step } => {
            let mut footprint = one(*step);
            for step in known(plan, *step) {
                let step = plan.step(step);
                footprint.results.extend(&step.references);
                footprint.job_input =
                    step.when.is_some() || !step.input.is_empty() || !step.action.input.is_empty();
            }
            footprint
        }
    }
}

fn known(plan: &Plan, step: u32) -> impl Iterator<Item = u32> {
    std::iter::once(step).filter(|step| (*step as usize) < plan.steps.len())
}
