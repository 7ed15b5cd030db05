//! One event, one file. Each reads its footprint's rows and leaves final rows in a [`Transition`].

mod attempt_deadline;
mod attempt_ended;
mod attempt_started;
mod create;
mod dependencies_met;
mod handed_back;
mod step_ended;
mod stop;
mod unmatched;
mod work;

use stroem_core::Timestamp;
use stroem_workflow::Plan;

use crate::{
    changes::{Changes, Effect},
    event::{Applied, Event, IllegalEvent},
    rows::Loaded,
};

pub use create::create;
pub(crate) use work::Work;

/// What an event does.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// Whether it changed anything.
    pub applied: Applied,
    /// What to write.
    pub changes: Changes,
    /// What to tell others after the write.
    pub effects: Vec<Effect>,
    /// Events of the engine itself that follow in the same commit.
    pub follow_ups: Vec<Event>,
}

/// Applies one event to the rows of its footprint.
///
/// # Errors
/// [`IllegalEvent`]; nothing changes then.
pub fn step(plan: &Plan, rows: &Loaded, event: &Event, now: Timestamp) -> Result<Transition, IllegalEvent> {
    let mut work = Work::new(plan, rows, now);
    let applied = match event {
        Event::AttemptStarted { lease, at } => attempt_started::apply(&mut work, *lease, *at),
        Event::AttemptEnded { lease, outcome, output } => {
            attempt_ended::apply(&mut work, *lease, outcome, output.as_ref())
        }
        Event::HandedBack { lease } => handed_back::apply(&mut work, *lease),
        Event::Unmatched { step } => unmatched::apply(&mut work, *step),
        Event::CancelRequested => stop::cancel(&mut work),
        Event::JobDeadline => stop::deadline(&mut work),
        Event::AttemptDeadline { lease } => attempt_deadline::apply(&mut work, *lease),
        Event::StepEnded { step } => step_ended::apply(&mut work, *step),
        Event::DependenciesMet { step } => dependencies_met::apply(&mut work, *step),
    }?;
    Ok(work.finish(applied))
}
