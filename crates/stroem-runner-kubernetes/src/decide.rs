//! When an attempt whose container began is over, and what its outcome is. Pure.

use std::time::Duration;

use stroem_core::{Exit, HumanDuration, Outcome, Resources, StartPhase, limits};
use stroem_runner::StopReason;

use crate::{
    reader::Facts,
    status::{self, Ended, Loss, State},
    watch::View,
};

/// How long the rest of a log may take when its pod was taken away.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long the cluster may take to say why a container ended.
const REASON_LAG: Duration = Duration::from_secs(15);

/// What is known of a running attempt.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// The step has a wrapper that says how it goes.
    pub(crate) has_wrapper: bool,
    pub(crate) facts: &'a Facts,
    pub(crate) view: &'a View,
    /// It was told to stop while it ran.
    pub(crate) stopped: Option<StopReason>,
    /// Its log is whole.
    pub(crate) is_read: bool,
    pub(crate) resources: Resources,
    pub(crate) timeout: Option<HumanDuration>,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Something has to happen first.
    Wait,
    /// The same, but after this time it is over like this.
    WaitAtMost(Duration, Outcome),
    Done(Outcome),
    /// An init container failed; its log says more.
    Unprepared {
        container: String,
        code: i32,
    },
}

impl Known<'_> {
    pub(crate) fn decide(&self) -> Decision {
        let state = self.view.pod.as_deref().map(status::state);
        if let Some(reason) = self.stopped {
            return self.decide_stopped(reason, state.as_ref());
        }
        if let Some(message) = &self.facts.invalid {
            return Decision::Done(Outcome::InvalidInput { message: message.clone() });
        }
        if let (true, Some(code)) = (self.facts.is_over, self.facts.code) {
            let failed = Outcome::Failed { exit: Exit::ExitCode(code) };
            return match state {
                _ if code == 0 => Decision::Done(Outcome::Succeeded),
                Some(State::Ended(ended)) => Decision::Done(self.ended(&ended)),
                // It was at its end already.
                Some(State::Lost(_)) => Decision::Done(failed),
                _ if self.view.is_gone => Decision::Done(failed),
                _ => Decision::WaitAtMost(REASON_LAG, failed),
            };
        }
        match state {
            // An old kubelet gives a pod that was deleted no reason.
            Some(State::Lost(Loss::Failed(_))) if self.is_taken_away() => {
                self.decide_lost(&self.taken_away())
            }
            Some(State::Lost(loss)) => self.decide_lost(&loss),
            Some(State::Ended(ended)) if ended.code == 0 || !self.is_taken_away() => {
                self.decide_ended(&ended)
            }
            _ if self.view.is_gone || (self.is_taken_away() && self.facts.is_over) => {
                self.decide_lost(&self.taken_away())
            }
            Some(State::Ended(_)) => self.decide_lost(&self.taken_away()),
            _ => Decision::Wait,
        }
    }

    fn decide_stopped(&self, reason: StopReason, state: Option<&State>) -> Decision {
        let outcome = reason.outcome();
        let over = self.view.is_gone || matches!(state, Some(State::Ended(_) | State::Lost(_)));
        if self.facts.is_over || (over && self.is_read) {
            Decision::Done(outcome)
        } else if over {
            Decision::WaitAtMost(LAST_WORDS, outcome)
        } else {
            Decision::Wait
        }
    }

    fn decide_ended(&self, ended: &Ended) -> Decision {
        // What the wrapper says is in the log.
        if self.is_read || self.facts.is_over { Decision::Done(self.ended(ended)) } else { Decision::Wait }
    }

    fn decide_lost(&self, loss: &Loss) -> Decision {
        match self.lost(loss) {
            Decision::Done(outcome) if !self.is_read => Decision::WaitAtMost(LAST_WORDS, outcome),
            decision => decision,
        }
    }

    /// What became of a container.
    fn ended(&self, ended: &Ended) -> Outcome {
        if let Some(why) = &ended.cannot_run {
            return Outcome::InvalidInput { message: format!("the container cannot run: {why}") };
        }
        let code = self.facts.code.unwrap_or(ended.code);
        if code == 0 {
            Outcome::Succeeded
        } else if ended.was_out_of_memory {
            Outcome::OutOfMemory { limit: self.resources.memory, peak: None }
        } else if self.has_wrapper && !self.facts.is_started {
            let message = format!("the script's container ended with code {code} before the script began");
            Outcome::RunnerError { message }
        } else {
            Outcome::Failed { exit: Exit::ExitCode(code) }
        }
    }

    /// What became of a pod.
    pub(crate) fn lost(&self, loss: &Loss) -> Decision {
        let pod = self.view.pod.as_deref();
        let has_started = self.facts.is_started || pod.is_some_and(status::has_started);
        let phase = if has_started { StartPhase::Started } else { StartPhase::NotStarted };
        Decision::Done(match loss {
            Loss::Evicted(message) => Outcome::Evicted { phase, message: message.clone() },
            Loss::NodeLost(message) => Outcome::NodeLost { phase, message: message.clone() },
            Loss::Deadline => Outcome::TimedOut { limit: self.timeout.unwrap_or(limits::STEP_TIMEOUT_MAX) },
            Loss::Failed(message) => Outcome::RunnerError { message: message.clone() },
            Loss::Init { was_out_of_memory: true, .. } => {
                Outcome::OutOfMemory { limit: self.resources.memory, peak: None }
            }
            Loss::Init { container, code, .. } => {
                return Decision::Unprepared { container: container.clone(), code: *code };
            }
        })
    }

    fn is_taken_away(&self) -> bool {
        let marked = |pod: &k8s_openapi::api::core::v1::Pod| pod.metadata.deletion_timestamp.is_some();
        self.view.is_gone || self.view.pod.as_deref().is_some_and(marked)
    }

    /// Somebody else removed the pod.
    pub(crate) fn taken_away(&self) -> Loss {
        let said = self.view.pod.as_deref().and_then(status::disruption_of);
        said.unwrap_or_else(|| {
            let reasons = self.view.evidence();
            let rest = if reasons.is_empty() { String::new() } else { format!(" ({reasons})") };
            Loss::Evicted(format!("the pod was deleted while the step was not finished{rest}"))
        })
    }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "cases are written in place")]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use stroem_core::ByteSize;

    use super::*;

    const LIMIT: ByteSize = ByteSize(1 << 20);

    fn view(metadata: Value, status: Value) -> View {
        let pod = serde_json::from_value(json!({"metadata": metadata, "status": status})).expect("a pod");
        View { pod: Some(Arc::new(pod)), ..View::default() }
    }

    fn step(state: Value) -> Value {
        json!({"containerStatuses": [
            {"name": "step", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state},
        ]})
    }

    fn ended(code: i32, reason: &str) -> View {
        view(json!({}), step(json!({"terminated": {"exitCode": code, "reason": reason}})))
    }

    fn running() -> View {
        view(json!({}), step(json!({"running": {}})))
    }

    fn facts(code: Option<i32>, is_over: bool) -> Facts {
        Facts { is_started: true, code, invalid: None, is_over }
    }

    #[track_caller]
    fn check(has_wrapper: bool, facts: &Facts, view: &View, is_read: bool, expected: Decision) {
        let resources = Resources { memory: Some(LIMIT), ..Resources::default() };
        let known = Known { has_wrapper, facts, view, stopped: None, is_read, resources, timeout: None };
        assert_eq!(known.decide(), expected);
    }

    fn code(code: i32) -> Outcome {
        Outcome::Failed { exit: Exit::ExitCode(code) }
    }

    #[test]
    fn a_script_is_over_when_its_wrapper_says_so() {
        check(true, &facts(None, false), &running(), false, Decision::Wait);
        check(true, &facts(Some(0), false), &running(), false, Decision::Wait);
        check(true, &facts(Some(0), true), &running(), false, Decision::Done(Outcome::Succeeded));
        check(true, &facts(Some(3), true), &running(), false, Decision::WaitAtMost(REASON_LAG, code(3)));
        check(true, &facts(Some(3), true), &ended(3, "Error"), false, Decision::Done(code(3)));
        let oom = Outcome::OutOfMemory { limit: Some(LIMIT), peak: None };
        check(true, &facts(Some(137), true), &ended(137, "OOMKilled"), false, Decision::Done(oom));
    }

    #[test]
    fn an_image_is_over_when_its_container_and_its_log_are() {
        let none = Facts::default();
        check(false, &none, &running(), true, Decision::Wait);
        check(false, &none, &ended(0, "Completed"), false, Decision::Wait);
        check(false, &none, &ended(0, "Completed"), true, Decision::Done(Outcome::Succeeded));
        check(false, &none, &ended(9, "Error"), true, Decision::Done(code(9)));
    }

    #[test]
    fn a_wrapper_that_did_not_get_to_the_script_is_no_failure_of_it() {
        let message = "the script's container ended with code 127 before the script began".to_owned();
        check(
            true,
            &Facts::default(),
            &ended(127, "Error"),
            true,
            Decision::Done(Outcome::RunnerError { message }),
        );
    }

    #[test]
    fn a_pod_that_somebody_deletes_is_evicted_unless_its_step_was_done() {
        let marked = json!({"deletionTimestamp": "2026-01-02T03:04:05Z"});
        let killed = view(marked.clone(), step(json!({"terminated": {"exitCode": 143}})));
        let message = "the pod was deleted while the step was not finished".to_owned();
        let evicted = Outcome::Evicted { phase: StartPhase::Started, message };
        check(true, &facts(None, true), &killed, true, Decision::Done(evicted.clone()));
        check(false, &Facts::default(), &killed, false, Decision::WaitAtMost(LAST_WORDS, evicted.clone()));
        let done = view(marked.clone(), step(json!({"terminated": {"exitCode": 0}})));
        check(false, &Facts::default(), &done, true, Decision::Done(Outcome::Succeeded));
        // Its end is not seen yet.
        check(
            false,
            &Facts::default(),
            &view(marked.clone(), step(json!({"running": {}}))),
            false,
            Decision::Wait,
        );
        let without_reason = view(marked.clone(), json!({"phase": "Failed"}));
        check(true, &facts(None, true), &without_reason, true, Decision::Done(evicted.clone()));
        let gone = View { is_gone: true, ..running() };
        check(false, &Facts::default(), &gone, true, Decision::Done(evicted));
    }

    #[test]
    fn a_stop_decides_the_outcome_and_waits_for_the_end() {
        fn known(facts: &Facts, view: &View, is_read: bool) -> Decision {
            let (stopped, resources) = (Some(StopReason::Cancelled), Resources::default());
            Known { has_wrapper: true, facts, view, stopped, is_read, resources, timeout: None }.decide()
        }
        let cancelled = Decision::Done(Outcome::Cancelled);
        assert_eq!(known(&facts(None, false), &running(), false), Decision::Wait);
        assert_eq!(known(&facts(None, true), &running(), false), cancelled);
        assert_eq!(known(&facts(None, false), &ended(0, "Completed"), true), cancelled);
        let late = Decision::WaitAtMost(LAST_WORDS, Outcome::Cancelled);
        assert_eq!(known(&facts(None, false), &ended(137, "Error"), false), late);
    }
}
