//! Random DAGs and random, duplicated, stale and illegal events: every invariant holds after each, and every job ends.

use std::fmt::Write;

use proptest::prelude::*;
use stroem_core::{Exit, Outcome, StepStatus, Timestamp};
use stroem_engine::Event;

use crate::world::{World, plan};

#[derive(Debug, Clone)]
struct Step {
    depends_on: Vec<usize>,
    continue_on_failure: bool,
    when: Option<bool>,
}

fn dag() -> impl Strategy<Value = Vec<Step>> {
    let step =
        (proptest::collection::vec(any::<prop::sample::Index>(), 0..4), any::<bool>(), any::<Option<bool>>());
    proptest::collection::vec(step, 1..12).prop_map(|steps| {
        let build = |(index, (deps, continue_on_failure, when)): (
            usize,
            (Vec<prop::sample::Index>, bool, Option<bool>),
        )| {
            let mut depends_on: Vec<usize> =
                if index == 0 { Vec::new() } else { deps.iter().map(|dep| dep.index(index)).collect() };
            depends_on.sort_unstable();
            depends_on.dedup();
            Step { depends_on, continue_on_failure, when }
        };
        steps.into_iter().enumerate().map(build).collect()
    })
}

fn yaml(steps: &[Step]) -> String {
    let mut text = "    timeout: 1h\n    flow:\n".to_owned();
    for (index, step) in steps.iter().enumerate() {
        let deps: Vec<String> = step.depends_on.iter().map(|dep| format!("s{dep}")).collect();
        writeln!(text, "      s{index}:\n        type: script\n        script: 'true'").expect("text");
        writeln!(text, "        depends_on: [{}]", deps.join(", ")).expect("text");
        if step.continue_on_failure {
            writeln!(text, "        continue_on_failure: true").expect("text");
        }
        if let Some(when) = step.when {
            writeln!(text, "        when: '{{{{ {when} }}}}'").expect("text");
        }
    }
    text
}

#[derive(Debug, Clone, Copy)]
enum Move {
    Claim,
    Start,
    End(u8),
    HandBack,
    Unmatched,
    Cancel,
    Deadline,
    AttemptDeadline,
    StaleEnd,
    RepeatEnd,
}

fn outcome(kind: u8) -> Outcome {
    match kind % 5 {
        0 | 1 => Outcome::Succeeded,
        2 => Outcome::Failed { exit: Exit::ExitCode(1) },
        3 => Outcome::WorkerLost,
        _ => Outcome::Cancelled,
    }
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => Just(Move::Claim),
        3 => Just(Move::Start),
        6 => any::<u8>().prop_map(Move::End),
        1 => Just(Move::HandBack),
        1 => Just(Move::Unmatched),
        1 => Just(Move::AttemptDeadline),
        1 => Just(Move::StaleEnd),
        2 => Just(Move::RepeatEnd),
    ]
}

fn with_stops() -> impl Strategy<Value = Move> {
    prop_oneof![12 => a_move(), 1 => Just(Move::Cancel), 1 => Just(Move::Deadline)]
}

fn event(world: &World, step: u32, choice: Move) -> Option<Event> {
    let ended = |lease, kind| Event::AttemptEnded { lease, outcome: outcome(kind), output: None };
    match choice {
        Move::Claim => None,
        Move::Start => {
            world.lease(step).map(|lease| Event::AttemptStarted { lease, at: Timestamp::from_micros(5) })
        }
        Move::End(kind) => world.lease(step).map(|lease| ended(lease, kind)),
        Move::RepeatEnd => world.lease(step).map(|lease| ended(lease, 0)),
        Move::HandBack => world.lease(step).map(|lease| Event::HandedBack { lease }),
        Move::Unmatched => Some(Event::Unmatched { step }),
        Move::Cancel => Some(Event::CancelRequested),
        Move::Deadline => Some(Event::JobDeadline),
        Move::AttemptDeadline => world.lease(step).map(|lease| Event::AttemptDeadline { lease }),
        Move::StaleEnd => Some(ended(world.stale(step), 0)),
    }
}

/// Lets the job run to its end, whatever state it is in.
fn run_out(world: &mut World) {
    while !world.job.status.is_terminal() {
        let ready: Vec<u32> = world.queued.iter().copied().collect();
        for step in ready {
            world.claim(step);
        }
        let running: Vec<u32> = world.leased.keys().copied().collect();
        assert!(!running.is_empty(), "an open job has something to run: {:?}", world.job);
        let ends = running.into_iter().filter_map(|step| event(world, step, Move::End(0)));
        let ends: Vec<Event> = ends.collect();
        assert!(world.commit(ends).iter().all(Result::is_ok));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_whatever_happens(
        steps in dag(),
        moves in proptest::collection::vec((any::<prop::sample::Index>(), with_stops(), 1_usize..4), 0..80),
    ) {
        let plan = plan(&yaml(&steps));
        let mut world = World::new(&plan);
        for (index, choice, times) in moves {
            let step = u32::try_from(index.index(steps.len())).expect("few steps");
            if let Move::Claim = choice {
                world.claim(step);
            } else if let Some(event) = event(&world, step, choice) {
                world.commit(vec![event; times]);
            }
        }
        run_out(&mut world);
        prop_assert!(world.queued.is_empty() && world.leased.is_empty() && world.killed.is_empty());
    }

    #[test]
    fn a_batch_equals_its_events_one_by_one(
        steps in dag(),
        moves in proptest::collection::vec((any::<prop::sample::Index>(), a_move()), 0..40),
    ) {
        let plan = plan(&yaml(&steps));
        let (mut one_by_one, mut at_once) = (World::new(&plan), World::new(&plan));
        for step in 0..u32::try_from(steps.len()).expect("few steps") {
            prop_assert_eq!(one_by_one.claim(step), at_once.claim(step));
        }
        let events: Vec<Event> = moves
            .iter()
            .filter_map(|(index, choice)| {
                event(&one_by_one, u32::try_from(index.index(steps.len())).expect("few steps"), *choice)
            })
            .collect();
        let single: Vec<_> = events.iter().flat_map(|event| one_by_one.commit(vec![event.clone()])).collect();
        let batched = at_once.commit(events);
        prop_assert_eq!(single, batched);
        let states = |world: &World| world.steps.values().map(|row| (row.status, row.unmet_deps)).collect::<Vec<_>>();
        prop_assert_eq!(states(&one_by_one), states(&at_once));
        prop_assert_eq!(one_by_one.job.status, at_once.job.status);
        prop_assert_eq!(one_by_one.queued, at_once.queued);
    }
}

#[test]
fn a_stopped_job_never_runs_another_step() {
    let plan = plan(&yaml(&[
        Step { depends_on: vec![], continue_on_failure: false, when: None },
        Step { depends_on: vec![0], continue_on_failure: true, when: None },
    ]));
    let mut world = World::new(&plan);
    let lease = world.claim(0).expect("ready");
    assert!(world.commit(vec![Event::CancelRequested])[0].is_ok());
    world.commit(vec![Event::AttemptEnded { lease, outcome: Outcome::Succeeded, output: None }]);
    assert_eq!((world.status("s0"), world.status("s1")), (StepStatus::Completed, StepStatus::Cancelled));
}
