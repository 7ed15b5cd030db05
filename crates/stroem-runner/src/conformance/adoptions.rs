//! Taking over: what runs on a platform goes on without its worker, and another one brings it to its end. Runners whose
//! attempts die with their worker place nothing, and that is all that is asked of them.

use std::time::Duration;

use stroem_core::{Fence, Outcome, Runtime};

use super::{
    Subject, Verdict,
    harness::{Ran, Script, Stop, adopt, run, script},
};
use crate::StopReason;

/// Looks at the platform, and pauses between them.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);
/// Goes on for long enough not to end before a platform that is busy has shown its lines.
const LINES: &str = "for i in 1 2 3; do echo out $i; done; echo go; sleep 15; echo after; printf tail\n";

/// Runs a script until it printed `go`, and lets it go there. Nothing for a runner that places nothing.
async fn let_go(subject: &dyn Subject, text: &str) -> Option<(Ran, Runtime)> {
    subject.runner().health().await.expect("the platform can be used");
    if subject.runner().scope().await.is_none() {
        let ran = run(subject, script("echo go")).await;
        assert_eq!(ran.runtime, None, "it names no scope and still places attempts");
        return None;
    }
    let mut first = script(text);
    first.stop = Stop::At("go", StopReason::LetGo);
    let ran = run(subject, first).await;
    assert_eq!(ran.outcome, Outcome::WorkerLost, "{:?}", ran.notes);
    let runtime = ran.runtime.clone().expect("it is placed before its command begins");
    assert_eq!(Some(&runtime.scope), subject.runner().scope().await.as_ref());
    assert_ne!(subject.left_of(&ran.request).await, Vec::<String>::new(), "it was let go and is still there");
    Some((ran, runtime))
}

/// The same attempt under the next fence.
async fn take_over(subject: &dyn Subject, first: &Ran, runtime: &Runtime, stop: Stop) -> Ran {
    let mut request = first.request.clone();
    request.lease.fence = Fence(request.lease.fence.0 + 1_000_000);
    let ran = adopt(subject, request, runtime, Script { stop, ..script("") }).await;
    Ran { request: first.request.clone(), ..ran }
}

/// All of the output from its first byte, the output file and the outcome, and nothing left.
pub async fn an_attempt_that_was_let_go_is_taken_over_whole(subject: &dyn Subject) -> Verdict {
    let text = format!("{LINES}echo '{{\"a\": 1}}' > \"$STROEM_OUTPUT\"");
    let Some((first, runtime)) = let_go(subject, &text).await else { return Verdict::Passed };
    let ran = take_over(subject, &first, &runtime, Stop::Never).await;
    assert_eq!(ran.outcome, Outcome::Succeeded, "{:?}", ran.notes);
    assert_eq!(ran.out(), "out 1\nout 2\nout 3\ngo\nafter\ntail\nOUTPUT: {\"a\": 1}\n");
    assert_eq!(ran.order, ["prepared", "started", "output"]);
    ran.assert_clean(subject).await;
    Verdict::Passed
}

/// The sweep finds it as long as nobody follows it, by the lease that it was made under.
pub async fn what_nobody_follows_is_found(subject: &dyn Subject) -> Verdict {
    let Some((first, runtime)) = let_go(subject, LINES).await else { return Verdict::Passed };
    let found = subject.runner().leftovers().await.expect("the platform can be reached");
    assert!(found.contains(&first.request.lease), "{:?} is not among {found:?}", first.request.lease);
    let ran = take_over(subject, &first, &runtime, Stop::Never).await;
    // A platform may need a moment to say that it is gone.
    for _ in 0..LOOKS {
        let found = subject.runner().leftovers().await.expect("the platform can be reached");
        if !found.contains(&first.request.lease) {
            ran.assert_clean(subject).await;
            return Verdict::Passed;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("it was removed and is still found");
}

/// A cancel reaches what was taken over.
pub async fn what_was_taken_over_can_be_stopped(subject: &dyn Subject) -> Verdict {
    let Some((first, runtime)) = let_go(subject, "echo go; sleep 1000").await else { return Verdict::Passed };
    let ran = take_over(subject, &first, &runtime, Stop::At("go", StopReason::Cancelled)).await;
    assert_eq!(ran.outcome, Outcome::Cancelled);
    ran.assert_clean(subject).await;
    Verdict::Passed
}

/// An adopter that ends as well loses nothing either.
pub async fn what_was_taken_over_can_be_let_go_again(subject: &dyn Subject) -> Verdict {
    let text = "echo go; sleep 20; echo more; exit 7";
    let Some((first, runtime)) = let_go(subject, text).await else { return Verdict::Passed };
    let second = take_over(subject, &first, &runtime, Stop::At("go", StopReason::LetGo)).await;
    assert_eq!(second.outcome, Outcome::WorkerLost);
    let third = take_over(subject, &first, &runtime, Stop::Never).await;
    let failed = Outcome::Failed { exit: stroem_core::Exit::ExitCode(7) };
    assert_eq!((third.outcome.clone(), third.out().as_str()), (failed, "go\nmore\n"));
    third.assert_clean(subject).await;
    Verdict::Passed
}

/// Nothing is left to take over: the server has to know, not the step's author.
pub async fn what_is_gone_cannot_be_taken_over(subject: &dyn Subject) -> Verdict {
    let Some((first, runtime)) = let_go(subject, "echo go; sleep 1000").await else { return Verdict::Passed };
    subject.runner().cleanup(first.request.lease.attempt, &first.request.scratch).await;
    let ran = take_over(subject, &first, &runtime, Stop::Never).await;
    assert_eq!(ran.outcome, Outcome::WorkerLost);
    ran.assert_clean(subject).await;
    Verdict::Passed
}
