//! Cancellation and time-outs reach every process of a step.

use std::time::Duration;

use stroem_core::{HumanDuration, Outcome};
use stroem_runner::StopReason;

use crate::harness::{alive, case, pids, run};

#[tokio::test]
async fn cancel_kills_grandchildren_and_new_sessions() {
    let mut stubborn = case(
        "sleep 1000 & echo pid $!; setsid sleep 1000 & echo pid $!; sh -c 'sleep 1000 & echo pid $!'\n\
         trap '' TERM; echo pid $$; echo go; sleep 1000",
    );
    stubborn.grace = HumanDuration::from_millis(500);
    stubborn.stop_at = Some(("go", StopReason::Cancelled));
    let ran = run(stubborn).await;
    assert_eq!(ran.outcome, Outcome::Cancelled);
    let took = ran.stop_took.expect("it was stopped");
    assert!(took < Duration::from_millis(1_500), "grace + 1 s, took {took:?}");
    let pids = pids(&ran.out());
    assert_eq!(pids.len(), 4);
    assert!(pids.iter().all(|pid| !alive(pid)), "{pids:?}");
    assert!(ran.is_clean());
}

#[tokio::test]
async fn a_step_that_obeys_term_ends_long_before_its_grace() {
    let mut polite = case("trap 'echo bye; exit 0' TERM; echo go; while true; do sleep 0.01; done");
    polite.grace = HumanDuration::from_secs(30);
    polite.stop_at = Some(("go", StopReason::TimedOut { limit: HumanDuration::from_secs(1) }));
    let ran = run(polite).await;
    assert_eq!(ran.outcome, Outcome::TimedOut { limit: HumanDuration::from_secs(1) });
    assert!(ran.out().ends_with("bye\n"), "{}", ran.out());
    assert!(ran.stop_took.expect("it was stopped") < Duration::from_secs(5));
}

#[tokio::test]
async fn a_background_child_that_holds_the_output_is_killed_and_named() {
    let ran = run(case("sleep 1000 & echo pid $!; echo done")).await;
    assert_eq!(ran.outcome, Outcome::Succeeded);
    assert!(pids(&ran.out()).iter().all(|pid| !alive(pid)));
    assert!(ran.notes.iter().any(|note| note.contains("(sleep 1000)")), "{:?}", ran.notes);
}
