//! The rules of steps and jobs, one case each.

use std::fmt::Write;

use stroem_core::{Cause, Exit, JobStatus, Outcome, StepStatus, limits};
use stroem_engine::{Applied, Event, IllegalEvent};

use crate::world::{World, plan};

const OK: Outcome = Outcome::Succeeded;
const BAD: Outcome = Outcome::Failed { exit: Exit::ExitCode(3) };

/// Runs a flow; each step ends with the outcome that `ends` gives for its name. Expects `job: step=status, ...`.
fn check(flow: &str, ends: &[(&str, Outcome)], expected: &str) {
    let plan = plan(&format!("    flow:\n{flow}"));
    let mut world = World::new(&plan);
    while let Some(step) = world.queued.first().copied() {
        let lease = world.claim(step).expect("it is queued");
        let name = plan.step(step).name.as_str();
        let outcome = ends.iter().find(|(step, _)| *step == name).map_or(OK, |(_, outcome)| outcome.clone());
        let output = Some(serde_json::json!({ "from": name }));
        world.commit(vec![Event::AttemptEnded { lease, outcome, output }]);
    }
    let mut found = format!("{}:", world.job.status);
    for row in world.steps.values() {
        write!(found, " {}={}", plan.step(row.step).name, row.status).expect("text");
    }
    assert_eq!(found, expected);
}

fn step(name: &str, more: &str) -> String {
    format!("      {name}: {{type: script, script: 'true'{more}}}\n")
}

#[test]
fn a_failed_dependency_skips_what_follows() {
    let flow = step("a", "") + &step("b", ", depends_on: [a]") + &step("c", ", depends_on: [b]");
    check(&flow, &[("a", BAD)], "failed: a=failed b=skipped c=skipped");
}

#[test]
fn continue_on_failure_runs_after_a_failure() {
    let flow = step("a", "") + &step("b", ", depends_on: [a], continue_on_failure: true");
    check(&flow, &[("a", BAD)], "failed: a=failed b=completed");
}

#[test]
fn continue_on_failure_makes_its_own_failure_tolerable() {
    let flow = step("a", ", continue_on_failure: true") + &step("b", "");
    check(&flow, &[("a", BAD)], "completed: a=failed b=completed");
}

#[test]
fn a_step_is_skipped_when_all_dependencies_were() {
    let flow = step("a", ", when: 'false'") + &step("b", ", depends_on: [a]");
    check_with_warnings(&flow, "skipped: a=skipped b=skipped");
}

#[test]
fn one_completed_dependency_is_enough() {
    let flow = step("a", ", when: '{{ 1 > 2 }}'") + &step("b", "") + &step("c", ", depends_on: [a, b]");
    check(&flow, &[], "completed: a=skipped b=completed c=completed");
}

fn check_with_warnings(flow: &str, expected: &str) {
    check(&flow.replace("when: 'false'", "when: '{{ false }}'"), &[], expected);
}

#[test]
fn a_condition_that_fails_to_render_fails_the_step() {
    let flow = step("a", ", when: '{{ input.n / 0 }}'") + &step("b", ", depends_on: [a]");
    check(&flow, &[], "failed: a=failed b=skipped");
}

#[test]
fn outputs_reach_conditions_of_later_steps() {
    let flow = step("a", "") + &step("b", ", depends_on: [a], when: \"{{ a.output.from == 'a' }}\"");
    check(&flow, &[], "completed: a=completed b=completed");
}

#[test]
fn the_platforms_fault_is_queued_again_at_most_twice() {
    let plan = plan(&format!("    flow:\n{}", step("a", "")));
    let mut world = World::new(&plan);
    for attempt in 1..=limits::INFRASTRUCTURE_REQUEUES + 1 {
        let lease = world.claim(0).expect("it is queued again");
        assert_eq!(lease.attempt.attempt.0, attempt);
        world.commit(vec![Event::AttemptEnded { lease, outcome: Outcome::WorkerLost, output: None }]);
    }
    assert_eq!(world.job.status, JobStatus::Failed);
    assert_eq!(world.steps[&0].outcome.as_ref().map(Outcome::cause), Some(Cause::WorkerLost));
}

#[test]
fn a_stale_fence_is_refused_and_changes_nothing() {
    let plan = plan(&format!("    flow:\n{}", step("a", "")));
    let mut world = World::new(&plan);
    let old = world.claim(0).expect("ready");
    world.commit(vec![Event::AttemptEnded { lease: old, outcome: Outcome::WorkerLost, output: None }]);
    let new = world.claim(0).expect("ready again");
    let answers = world.commit(vec![Event::AttemptEnded { lease: old, outcome: OK, output: None }]);
    assert_eq!(answers, [Err(IllegalEvent::LeaseLost { status: StepStatus::Running })]);
    assert_eq!(world.status("a"), StepStatus::Running);
    assert_ne!(old.fence, new.fence);
}

#[test]
fn a_repeated_report_is_answered_again_and_counts_once() {
    let plan = plan(&format!("    flow:\n{}{}", step("a", ""), step("b", ", depends_on: [a]")));
    let mut world = World::new(&plan);
    let lease = world.claim(0).expect("ready");
    let end = Event::AttemptEnded { lease, outcome: OK, output: None };
    assert_eq!(world.commit(vec![end.clone()]), [Ok(Applied::Changed)]);
    assert_eq!(
        world.commit(vec![end.clone(), end]),
        [Ok(Applied::AlreadyApplied), Ok(Applied::AlreadyApplied)]
    );
    assert_eq!(world.status("b"), StepStatus::Ready);
}

#[test]
fn a_handed_back_claim_uses_its_attempt_number_again() {
    let plan = plan(&format!("    flow:\n{}", step("a", "")));
    let mut world = World::new(&plan);
    let lease = world.claim(0).expect("ready");
    assert_eq!(world.commit(vec![Event::HandedBack { lease }]), [Ok(Applied::Changed)]);
    let again = world.claim(0).expect("ready again");
    assert_eq!(again.attempt.attempt, lease.attempt.attempt);
    assert_ne!(again.fence, lease.fence);
}

#[test]
fn a_job_past_its_time_fails_and_says_so() {
    let plan = plan(&format!("    timeout: 5s\n    flow:\n{}{}", step("a", ""), step("b", "")));
    let mut world = World::new(&plan);
    let lease = world.claim(0).expect("ready");
    world.commit(vec![Event::JobDeadline]);
    assert!(world.killed.contains(&0), "the running step is told to stop");
    let limit = plan.timeout.expect("a timeout");
    world.commit(vec![Event::AttemptEnded { lease, outcome: Outcome::TimedOut { limit }, output: None }]);
    assert_eq!(world.job.status, JobStatus::Failed);
    assert_eq!(world.job.error.as_deref(), Some("the job timed out after 5s"));
    assert_eq!(world.status("b"), StepStatus::Cancelled);
}

/// A chain of steps, each depending on the one before.
fn chain(steps: usize) -> World {
    let mut flow = String::new();
    for index in 0..steps {
        let more = if index == 0 { String::new() } else { format!(", depends_on: [s{}]", index - 1) };
        flow += &step(&format!("s{index}"), &more);
    }
    World::new(&plan(&format!("    flow:\n{flow}")))
}

#[test]
fn rows_read_per_event_do_not_grow_with_the_job() {
    let read = |steps: usize| {
        let mut world = chain(steps);
        (0..5)
            .map(|step| {
                let lease = world.claim(step).expect("ready");
                let before = world.rows_read;
                world.commit(vec![Event::AttemptEnded { lease, outcome: OK, output: None }]);
                world.rows_read - before
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(read(10), read(1_000));
}
