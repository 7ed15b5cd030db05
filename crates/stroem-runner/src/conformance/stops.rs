//! Stopping: when, how, and that nothing survives it.

use std::time::Duration;

use stroem_core::{HumanDuration, Outcome};

use super::{
    Subject, Verdict,
    harness::{Stop, request, run, script},
};
use crate::StopReason;

/// Children, grandchildren, new sessions and a shell that ignores TERM, within the grace and one second.
pub async fn a_stop_kills_the_whole_tree(subject: &dyn Subject) -> Verdict {
    let mut stubborn = script(
        "sleep 1000 & setsid sleep 1000 & sh -c 'sleep 1000 & wait' & (setsid sh -c 'trap \"\" TERM; sleep 1000 & wait' &)\n\
         trap '' TERM; echo go; sleep 1000; sleep 1000",
    );
    stubborn.grace = HumanDuration::from_millis(500);
    stubborn.stop = Stop::At("go", StopReason::Cancelled);
    let ran = run(subject, stubborn).await;
    assert_eq!(ran.outcome, Outcome::Cancelled);
    let most = Duration::from_millis(500) + subject.stop_margin();
    assert!(ran.stop_took < most, "took {:?} of {most:?}", ran.stop_took);
    ran.assert_clean(subject).await;
    Verdict::Passed
}

/// TERM comes first, what is printed on it arrives, and nobody waits for the rest of the grace.
pub async fn a_command_that_obeys_term_ends_long_before_its_grace(subject: &dyn Subject) -> Verdict {
    let mut polite = script("trap 'echo bye; exit 1' TERM; echo go; while true; do sleep 0.05; done");
    polite.grace = HumanDuration::from_secs(30);
    let limit = HumanDuration::from_secs(1);
    polite.stop = Stop::At("go", StopReason::TimedOut { limit });
    let ran = run(subject, polite).await;
    assert_eq!(ran.outcome, Outcome::TimedOut { limit });
    assert!(ran.out().ends_with("bye\n"), "{}", ran.out());
    assert!(ran.stop_took < Duration::from_secs(5), "{:?}", ran.stop_took);
    ran.assert_clean(subject).await;
    Verdict::Passed
}

/// The reason counts, not the code.
pub async fn a_stop_decides_the_outcome_even_of_a_command_that_succeeds_then(
    subject: &dyn Subject,
) -> Verdict {
    for (reason, outcome) in [
        (StopReason::Cancelled, Outcome::Cancelled),
        (StopReason::LeaseLost, Outcome::WorkerLost),
        (StopReason::Drain, Outcome::WorkerLost),
    ] {
        let mut polite = script(
            "trap 'exit 0' TERM; echo '{}' > \"$STROEM_OUTPUT\"; echo go; while true; do sleep 0.05; done",
        );
        polite.stop = Stop::At("go", reason);
        let ran = run(subject, polite).await;
        assert_eq!(ran.outcome, outcome);
        assert!(!ran.out().contains("OUTPUT"), "a stopped step has no output");
    }
    Verdict::Passed
}

/// Nothing of the user's runs.
pub async fn a_stop_before_the_start_starts_nothing(subject: &dyn Subject) -> Verdict {
    let mut never = script("echo ran");
    never.stop = Stop::First(StopReason::Cancelled);
    let ran = run(subject, never).await;
    assert_eq!((ran.outcome.clone(), ran.out()), (Outcome::Cancelled, String::new()));
    assert!(!ran.order.contains(&"started"), "{:?}", ran.order);
    ran.assert_clean(subject).await;
    Verdict::Passed
}

/// A sender that is gone is no stop.
pub async fn a_command_without_anybody_to_stop_it_runs_to_its_end(subject: &dyn Subject) -> Verdict {
    let mut alone = script("sleep 0.2; echo end");
    alone.stop = Stop::Nobody;
    let ran = run(subject, alone).await;
    assert_eq!((ran.outcome.clone(), ran.out().as_str()), (Outcome::Succeeded, "end\n"));
    Verdict::Passed
}

/// Cleanup may come twice, and for what never was.
pub async fn cleanup_of_an_attempt_that_never_ran_does_nothing(subject: &dyn Subject) -> Verdict {
    let request = request(subject, &script("true"));
    let partial = request.scratch.join("workspace/sub");
    subject.runner().cleanup(request.lease.attempt, &request.scratch).await;
    std::fs::create_dir_all(&partial).expect("made");
    for _ in 0..2 {
        subject.runner().cleanup(request.lease.attempt, &request.scratch).await;
        assert!(!request.scratch.exists());
    }
    Verdict::Passed
}
