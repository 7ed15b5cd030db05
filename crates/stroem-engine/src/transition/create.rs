//! The first rows of a job.

use std::collections::BTreeMap;

use stroem_core::JobStatus;
use stroem_workflow::Plan;

use super::work::job_timer;
use crate::{
    changes::{Changes, TimerRow},
    event::Event,
    rows::{JobRow, StepRow},
};

/// The rows of a new job before anything happened, and the events that set it going: one
/// [`Event::DependenciesMet`] for each step without dependencies.
///
/// `job.open_steps` is set from the plan; the other counters must be zero.
pub fn create(plan: &Plan, mut job: JobRow) -> (Changes, Vec<Event>) {
    let count = |len: usize| u32::try_from(len).expect("a plan has at most STEPS_PER_TASK steps");
    job.open_steps = count(plan.steps.len());
    job.status = JobStatus::Pending;
    let steps: BTreeMap<u32, StepRow> = (0_u32..)
        .zip(&plan.steps)
        .map(|(i, step)| (i, StepRow::new(i, count(step.depends_on.len()))))
        .collect();
    let roots = steps.values().filter(|row| row.unmet_deps == 0);
    let events = roots.map(|row| Event::DependenciesMet { step: row.step }).collect();
    let deadline = plan.timeout.map(|timeout| TimerRow {
        key: job_timer(job.id),
        due_at: job.created_at.after(timeout.as_duration()),
    });
    let changes =
        Changes { job: Some(job), steps, timers_added: deadline.into_iter().collect(), ..Changes::default() };
    (changes, events)
}
