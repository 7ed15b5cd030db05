//! What an attempt's end is, after what the runner said, what the step wrote and why it was stopped. Pure.

use std::sync::Arc;

use serde_json::Value;
use stroem_core::{ByteSize, Outcome};
use stroem_logs::mask::Masker;
use stroem_runner::StopReason;

use super::log::{Finished, Written};

/// The outcome and the output, both masked.
pub(super) fn decide(
    outcome: Outcome,
    finished: Finished,
    stopped: Option<StopReason>,
    masker: &Arc<Masker>,
    output_limit: ByteSize,
) -> (Outcome, Option<Value>) {
    let outcome = match (finished.failure, stopped) {
        // It was stopped for this, or it will run again with its whole log.
        (Some(failure), None | Some(StopReason::Drain)) => failure,
        _ => outcome,
    };
    let mut outcome = masked(outcome, masker);
    if outcome != Outcome::Succeeded {
        return (outcome, None);
    }
    let mut output = None;
    match finished.written {
        Written::Nothing => {}
        Written::TooLarge => outcome = Outcome::OutputTooLarge { limit: output_limit },
        Written::Text(text) => match serde_json::from_slice::<Value>(&text) {
            Ok(mut value) => {
                masker.mask_json(&mut value);
                output = Some(value);
            }
            Err(error) => {
                let message = format!("the step's output is not JSON: {error} of what follows `OUTPUT:`");
                outcome = Outcome::InvalidInput { message };
            }
        },
    }
    (outcome, output)
}

/// The outcome with secrets hidden in every word that came from outside.
fn masked(outcome: Outcome, masker: &Arc<Masker>) -> Outcome {
    let mask = |message: String| masker.mask_text(&message).into_owned();
    match outcome {
        Outcome::ImagePull { message } => Outcome::ImagePull { message: mask(message) },
        Outcome::Unschedulable { message } => Outcome::Unschedulable { message: mask(message) },
        Outcome::Evicted { phase, message } => Outcome::Evicted { phase, message: mask(message) },
        Outcome::NodeLost { phase, message } => Outcome::NodeLost { phase, message: mask(message) },
        Outcome::InvalidInput { message } => Outcome::InvalidInput { message: mask(message) },
        Outcome::DiskFull { message } => Outcome::DiskFull { message: mask(message) },
        Outcome::RunnerError { message } => Outcome::RunnerError { message: mask(message) },
        Outcome::Succeeded
        | Outcome::Failed { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Cancelled
        | Outcome::OutOfMemory { .. }
        | Outcome::WorkerLost
        | Outcome::NoMatchingWorker
        | Outcome::OutputTooLarge { .. } => outcome,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stroem_core::{Exit, Secret};

    use super::*;

    const LIMIT: ByteSize = ByteSize(100);

    #[track_caller]
    fn check(
        outcome: Outcome,
        finished: Finished,
        stopped: Option<StopReason>,
        expected: &(Outcome, Option<Value>),
    ) {
        let masker = Masker::new(&[Secret::new("hunter2".to_owned())]);
        assert_eq!(decide(outcome, finished, stopped, &masker, LIMIT), *expected);
    }

    fn wrote(text: &str) -> Finished {
        Finished { written: Written::Text(text.as_bytes().to_vec()), failure: None }
    }

    #[test]
    fn an_output_counts_when_the_step_succeeded() {
        let masked = json!({"a": 1, "b": "••••••"});
        check(
            Outcome::Succeeded,
            wrote(r#"{"a": 1, "b": "hunter2"}"#),
            None,
            &(Outcome::Succeeded, Some(masked)),
        );
        let failed = Outcome::Failed { exit: Exit::ExitCode(3) };
        check(failed.clone(), wrote("{}"), None, &(failed.clone(), None));
        check(failed.clone(), wrote("not json"), None, &(failed, None));
        check(Outcome::Succeeded, Finished::default(), None, &(Outcome::Succeeded, None));
    }

    #[test]
    fn a_bad_output_fails_a_step_that_succeeded() {
        let message =
            "the step's output is not JSON: expected ident at line 1 column 2 of what follows `OUTPUT:`";
        check(
            Outcome::Succeeded,
            wrote("nope"),
            None,
            &(Outcome::InvalidInput { message: message.to_owned() }, None),
        );
        let large = Finished { written: Written::TooLarge, failure: None };
        check(Outcome::Succeeded, large, None, &(Outcome::OutputTooLarge { limit: LIMIT }, None));
    }

    #[test]
    fn a_log_that_cannot_be_kept_decides_unless_somebody_cancelled() {
        let full = || Outcome::DiskFull { message: "no room".to_owned() };
        let failure = || Finished { written: Written::Nothing, failure: Some(full()) };
        check(Outcome::WorkerLost, failure(), Some(StopReason::Drain), &(full(), None));
        check(Outcome::Cancelled, failure(), Some(StopReason::Cancelled), &(Outcome::Cancelled, None));
    }

    #[test]
    fn words_from_outside_are_masked() {
        let with = |text: &str| Outcome::RunnerError { message: text.to_owned() };
        check(with("cannot run hunter2"), Finished::default(), None, &(with("cannot run ••••••"), None));
    }
}
