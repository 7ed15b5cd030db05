//! The test double: plays what a test wrote and keeps what it was asked.

use std::{collections::VecDeque, path::Path, sync::Mutex};

use async_trait::async_trait;
use stroem_core::{AttemptKey, Outcome, RunnerKind};

use crate::{
    EventSender, OutputStream, RunRequest, Runner, RunnerEvent, StopReason, StopReceiver, Unavailable,
};

/// What one attempt on a [`FakeRunner`] does.
#[derive(Debug, Clone)]
pub struct FakeScript {
    /// Sent in order, waiting for room as a real runner does.
    pub events: Vec<RunnerEvent>,
    /// Returned after the events; `None` waits for a stop, as a command without an end would.
    pub outcome: Option<Outcome>,
}

impl FakeScript {
    /// Starts, prints `text` on stdout and succeeds.
    pub fn prints(text: &str) -> Self {
        let bytes = bytes::Bytes::copy_from_slice(text.as_bytes());
        Self {
            events: vec![
                RunnerEvent::Prepared,
                RunnerEvent::Started { pid: None },
                RunnerEvent::Output { stream: OutputStream::Stdout, bytes },
            ],
            outcome: Some(Outcome::Succeeded),
        }
    }

    /// Starts and ends as given.
    pub fn ends(outcome: Outcome) -> Self {
        Self {
            events: vec![RunnerEvent::Prepared, RunnerEvent::Started { pid: None }],
            outcome: Some(outcome),
        }
    }

    /// Starts and runs until it is stopped.
    pub fn hangs() -> Self {
        Self { events: vec![RunnerEvent::Prepared, RunnerEvent::Started { pid: None }], outcome: None }
    }
}

/// A runner without a platform. Attempts play the queued scripts in the order they start; when the queue is empty
/// they succeed silently.
#[derive(Debug, Default)]
pub struct FakeRunner {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    scripts: VecDeque<FakeScript>,
    requests: Vec<RunRequest>,
    cleaned: Vec<AttemptKey>,
    unavailable: Option<Unavailable>,
}

impl FakeRunner {
    /// A runner whose first attempts play these scripts.
    pub fn new(scripts: impl IntoIterator<Item = FakeScript>) -> Self {
        let fake = Self::default();
        fake.lock().scripts.extend(scripts);
        fake
    }

    /// Queues one more script.
    pub fn push(&self, script: FakeScript) {
        self.lock().scripts.push_back(script);
    }

    /// Makes the platform unreachable with this reason, or reachable again.
    pub fn set_unavailable(&self, reason: Option<&str>) {
        self.lock().unavailable = reason.map(|reason| Unavailable(reason.to_owned()));
    }

    /// Every request so far, in the order they started.
    pub fn requests(&self) -> Vec<RunRequest> {
        self.lock().requests.clone()
    }

    /// Every attempt that [`Runner::cleanup`] was called for.
    pub fn cleaned(&self) -> Vec<AttemptKey> {
        self.lock().cleaned.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Runner for FakeRunner {
    fn kind(&self) -> RunnerKind {
        RunnerKind::Local
    }

    async fn health(&self) -> Result<(), Unavailable> {
        self.lock().unavailable.clone().map_or(Ok(()), Err)
    }

    async fn run(&self, request: RunRequest, events: EventSender, mut stop: StopReceiver) -> Outcome {
        let script = {
            let mut state = self.lock();
            state.requests.push(request);
            state.scripts.pop_front()
        };
        let script = script.unwrap_or_else(|| FakeScript::ends(Outcome::Succeeded));
        for event in script.events {
            tokio::select! {
                // A receiver that is gone discards the event, as the contract says.
                _discarded = events.send(event) => {}
                reason = stopped(&mut stop) => return reason.outcome(),
            }
        }
        match script.outcome {
            Some(outcome) => outcome,
            None => stopped(&mut stop).await.outcome(),
        }
    }

    async fn cleanup(&self, attempt: AttemptKey, _scratch: &Path) {
        self.lock().cleaned.push(attempt);
    }
}

async fn stopped(stop: &mut StopReceiver) -> StopReason {
    match stop.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stop_reason_has_its_outcome() {
        let limit = stroem_core::HumanDuration::from_secs(3);
        for (reason, outcome) in [
            (StopReason::Cancelled, Outcome::Cancelled),
            (StopReason::TimedOut { limit }, Outcome::TimedOut { limit }),
            (StopReason::LeaseLost, Outcome::WorkerLost),
            (StopReason::Drain, Outcome::WorkerLost),
            (StopReason::LetGo, Outcome::WorkerLost),
        ] {
            assert_eq!(reason.outcome(), outcome);
        }
    }
}
