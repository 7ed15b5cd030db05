//! All dependencies of a step ended: it is skipped, fails on its own templates, or becomes ready.

use std::collections::BTreeMap;

use serde_json::Map;
use stroem_core::{Outcome, StepStatus};
use stroem_workflow::{RenderError, Scope, Visibility, render};

use super::work::{StepEnd, Work};
use crate::event::{Applied, IllegalEvent};

pub(super) fn apply(work: &mut Work<'_>, step: u32) -> Result<Applied, IllegalEvent> {
    let row = work.row(step)?;
    if row.status != StepStatus::Pending {
        return Ok(Applied::AlreadyApplied);
    }
    if row.unmet_deps > 0 {
        return Err(IllegalEvent::WrongStatus { status: row.status });
    }
    let planned = work.plan_step(step)?;
    let (failed, skipped) = (row.failed_deps as usize, row.skipped_deps as usize);
    if failed > 0 && !planned.continue_on_failure {
        return skip(work, step, "a step that it depends on did not complete");
    }
    if !planned.depends_on.is_empty() && skipped == planned.depends_on.len() {
        return skip(work, step, "every step that it depends on was skipped");
    }
    match decide(work, step) {
        Ok(false) => skip(work, step, "its condition is false"),
        Ok(true) => {
            work.enqueue(step, None)?;
            Ok(Applied::Changed)
        }
        Err(error) => {
            let outcome = Outcome::InvalidInput { message: error.to_string() };
            work.end_step(step, StepEnd::with(StepStatus::Failed, outcome))?;
            Ok(Applied::Changed)
        }
    }
}

/// Evaluates the condition and, when it holds, renders the step's input.
fn decide(work: &mut Work<'_>, step: u32) -> Result<bool, RenderError> {
    let (no_input, no_results) = (Map::new(), BTreeMap::new());
    let planned = work.plan.step(step);
    let scope = Scope {
        plan: work.plan,
        job_input: work.rows.job_input.as_ref().unwrap_or(&no_input),
        results: if planned.references.is_empty() { &no_results } else { &work.rows.results },
        visibility: Visibility::Hidden,
    };
    if planned.when.is_some() && !render::condition(scope, step)? {
        return Ok(false);
    }
    let input = render::step_input(scope, step)?;
    if !input.is_empty() {
        work.changes.inputs.insert(step, input);
    }
    Ok(true)
}

fn skip(work: &mut Work<'_>, step: u32, reason: &str) -> Result<Applied, IllegalEvent> {
    work.end_step(step, StepEnd::without_run(StepStatus::Skipped, Some(reason.to_owned())))?;
    Ok(Applied::Changed)
}
