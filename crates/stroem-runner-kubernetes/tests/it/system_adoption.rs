//! Adoption from a mark: what a kubelet threw away is not asked for again.

use stroem_core::{Mark, Outcome, Runtime};
use stroem_runner::{EventSender, Runner, RunnerEvent, StopReason, StopReceiver};
use tokio::sync::{mpsc, watch};

use crate::support::{Pods, request};

/// What a follower got.
#[derive(Debug, Default)]
struct Got {
    output: Vec<u8>,
    runtime: Option<Runtime>,
    /// The last mark, with how much output was before it.
    mark: Option<(String, usize)>,
}

/// Follows to the end, or until the output ends with a text, and lets it go there.
async fn follow<F>(until: Option<&str>, begin: impl FnOnce(EventSender, StopReceiver) -> F) -> (Outcome, Got)
where
    F: Future<Output = Outcome>,
{
    let (events, mut inbox) = mpsc::channel(8);
    let (stop, stopping) = watch::channel(None);
    let collect = async {
        let mut got = Got::default();
        while let Some(event) = inbox.recv().await {
            match event {
                RunnerEvent::Output { bytes, .. } => got.output.extend_from_slice(&bytes),
                RunnerEvent::Placed(runtime) => got.runtime = Some(runtime),
                RunnerEvent::Mark(place) => got.mark = Some((place, got.output.len())),
                _ => {}
            }
            if until.is_some_and(|text| got.output.ends_with(text.as_bytes())) {
                stop.send_replace(Some(StopReason::LetGo));
            }
        }
        got
    };
    tokio::join!(begin(events, stopping), collect)
}

#[tokio::test]
async fn an_adopter_begins_again_at_the_mark() {
    let Some(pods) = Pods::new().await else { return };
    let runner: &dyn Runner = &pods.runner;
    let request = request("seq -f 'line %.0f' 200000; echo up; sleep 5; echo after");
    let first = |events, stop| runner.run(request.clone(), events, stop);
    let (outcome, first) = follow(Some("\nup\n"), first).await;
    assert_eq!(outcome, Outcome::WorkerLost);
    let (place, before) = first.mark.expect("two megabytes have a mark");
    assert!(before > 1_000_000 && first.output[before - 1] == b'\n', "{before}");
    let mark = Some(Mark { place, stdout_lines: 0, stderr_lines: 0 });
    let runtime = Runtime { mark, ..first.runtime.expect("it is placed") };
    let second = |events, stop| runner.adopt(&runtime, request.clone(), events, stop);
    let (outcome, second) = follow(None, second).await;
    assert_eq!(outcome, Outcome::Succeeded);
    let expected = [&first.output[before..], b"after\n"].concat();
    assert!(second.output == expected, "{} and {} bytes", second.output.len(), expected.len());
}
