//! One attempt, from the claim to its end:
//!
//! ```text
//! waiting for a slot and for the workspace's files
//!    │  cancelled, timed out -> ended      draining -> handed back      lease lost -> forgotten
//! running, its output framed, masked and packed
//!    │  ended                                                           lease lost -> forgotten
//! over: its end is in the outbox, its slot is free
//! ```
//!
//! Until it runs it says nothing, for a claim that is handed back must leave no log. It must not know runners, nor how
//! what it says travels.

mod log;
mod outcome;

use std::{future::pending, pin::Pin, sync::Arc};

use serde_json::Value;
use stroem_api::worker::{ClaimedStep, download_path};
use stroem_core::{LeaseKey, Outcome, RunnerKind, StepRun};
use stroem_logs::mask::Masker;
use stroem_runner::{Download, RunRequest, Runner, RunnerEvent, StepIdentity, StopReason, StopReceiver};
use tokio::{
    sync::{SemaphorePermit, mpsc},
    time::Sleep,
};

use self::log::StepLog;
use crate::{
    cache::{CacheError, InUse},
    clock,
    leases::Stopper,
    shared::Shared,
};

/// Events of a runner that wait to be taken.
const EVENTS: usize = 16;

/// How an attempt is over.
enum End {
    Ended { outcome: Outcome, output: Option<Value> },
    HandedBack,
    Lost,
}

/// What an attempt needs to run.
struct Ready<'a> {
    _slot: SemaphorePermit<'a>,
    runner: Arc<dyn Runner>,
    workspace: Option<Arc<InUse>>,
}

/// Takes a claim. False when it is known already.
pub(crate) fn begin(shared: &Arc<Shared>, claim: ClaimedStep) -> bool {
    let Some(stopper) = shared.leases.take(claim.lease) else { return false };
    shared.outbox.begin(claim.lease);
    let shared = Arc::clone(shared);
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let mut over = Over { shared: &shared, lease: claim.lease, end: None };
        over.end = Some(Box::pin(pass(&shared, claim, &stopper)).await);
    });
    true
}

/// Says how an attempt is over, also when its task panicked: nobody else would. A task that is merely dropped says
/// nothing: then the whole worker is gone.
struct Over<'a> {
    shared: &'a Shared,
    lease: LeaseKey,
    end: Option<End>,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        let Shared { outbox, leases, .. } = self.shared;
        let message = || "the worker failed while it ran the step".to_owned();
        let end = self.end.take();
        if end.is_none() && !std::thread::panicking() {
            return;
        }
        match end.unwrap_or_else(|| failed(Outcome::RunnerError { message: message() })) {
            End::Ended { outcome, output } => {
                tracing::debug!(job.id = %self.lease.attempt.job, step = self.lease.attempt.step, outcome = %outcome.cause(), "step ended");
                outbox.ended(self.lease, outcome, output);
                leases.over(self.lease);
            }
            End::HandedBack => {
                outbox.handed_back(self.lease);
                leases.over(self.lease);
            }
            End::Lost => {
                outbox.forget(self.lease);
                leases.release(self.lease);
            }
        }
    }
}

const fn failed(outcome: Outcome) -> End {
    End::Ended { outcome, output: None }
}

async fn pass(shared: &Arc<Shared>, claim: ClaimedStep, stopper: &Stopper) -> End {
    let mut stop = stopper.receiver();
    let ready = tokio::select! {
        biased;
        reason = stopped(&mut stop) => Err(stopped_early(reason)),
        () = shared.draining.cancelled() => Err(End::HandedBack),
        ready = get_ready(shared, &claim) => ready,
    };
    match ready {
        Ok(ready) => run(shared, claim, stopper, ready).await,
        Err(end) => end,
    }
}

async fn stopped(stop: &mut StopReceiver) -> StopReason {
    match stop.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        _ => pending().await,
    }
}

const fn stopped_early(reason: StopReason) -> End {
    match reason {
        StopReason::Cancelled => failed(Outcome::Cancelled),
        StopReason::TimedOut { limit } => failed(Outcome::TimedOut { limit }),
        StopReason::LeaseLost => End::Lost,
        StopReason::Drain => End::HandedBack,
    }
}

async fn get_ready<'a>(shared: &'a Shared, claim: &ClaimedStep) -> Result<Ready<'a>, End> {
    let refused = |message: String| failed(Outcome::RunnerError { message });
    let kind = claim.spec.run.runner();
    let Some(runner) = shared.options.runner(kind) else {
        return Err(refused(format!("this worker has no {} runner", kind.as_str())));
    };
    let closed = |_| refused("the worker is stopping".to_owned());
    let slot = shared.slots.acquire().await.map_err(closed)?;
    let workspace = match (&claim.spec.run, kind) {
        // Images run as they are, and pods fetch the files themselves.
        (StepRun::Image(_), _) | (_, RunnerKind::Pod) => None,
        (StepRun::Script(_), _) => {
            let got =
                shared.cache.get(&shared.control, &shared.session, &claim.workspace, &claim.revision).await;
            Some(got.map_err(|error| match error {
                CacheError::Full { .. } => failed(Outcome::DiskFull { message: error.to_string() }),
                _ => refused(error.to_string()),
            })?)
        }
    };
    Ok(Ready { _slot: slot, runner: Arc::clone(runner), workspace })
}

async fn run(shared: &Arc<Shared>, claim: ClaimedStep, stopper: &Stopper, ready: Ready<'_>) -> End {
    let lease = claim.lease;
    let masker = Masker::new(&claim.spec.secrets);
    let limit = claim.spec.timeout;
    let mut log = StepLog::new(shared, lease, &masker);
    let (sender, mut events) = mpsc::channel(EVENTS);
    let download = claim
        .download_token
        .map(|token| Download { path: download_path(&claim.workspace, &claim.revision), token });
    let request = RunRequest {
        lease,
        download,
        identity: StepIdentity { workspace: claim.workspace, task: claim.task, step: claim.step },
        spec: claim.spec,
        workspace: ready.workspace.as_ref().map(|workspace| workspace.path().to_owned()),
        scratch: shared.scratch(lease),
        packages: shared.dirs.packages(),
        passed_env: shared.options.passed_env.clone(),
        grace: shared.options.limits.grace,
    };
    let mut running = ready.runner.run(request, sender, stopper.receiver());
    let mut deadline: Option<Pin<Box<Sleep>>> = None;
    let outcome = loop {
        let due_at = log.due_at();
        tokio::select! {
            Some(event) = events.recv() => {
                if let RunnerEvent::Started { .. } = event {
                    deadline = limit.map(|limit| Box::pin(tokio::time::sleep(limit.as_duration())));
                }
                take(shared, lease, &mut log, event);
                if log.failed() {
                    stopper.stop(StopReason::Drain);
                }
            }
            outcome = &mut running => break outcome,
            () = tokio::time::sleep(due_at.map(clock::until).unwrap_or_default()), if due_at.is_some() => log.flush_due(clock::now()),
            () = elapsed(deadline.as_mut()) => {
                deadline = None;
                if let Some(limit) = limit {
                    stopper.stop(StopReason::TimedOut { limit });
                }
            }
        }
    };
    drop(running);
    events.close();
    while let Some(event) = events.recv().await {
        take(shared, lease, &mut log, event);
    }
    if stopper.reason() == Some(StopReason::LeaseLost) {
        log.discard();
        return End::Lost;
    }
    let written = log.finish().await;
    let (outcome, output) =
        outcome::decide(outcome, written, stopper.reason(), &masker, shared.options.limits.output);
    End::Ended { outcome, output }
}

async fn elapsed(deadline: Option<&mut Pin<Box<Sleep>>>) {
    match deadline {
        Some(deadline) => deadline.await,
        None => pending().await,
    }
}

fn take(shared: &Shared, lease: LeaseKey, log: &mut StepLog, event: RunnerEvent) {
    match event {
        RunnerEvent::Started { .. } => shared.outbox.started(lease, clock::now()),
        RunnerEvent::Output { stream, bytes } => log.output(clock::now(), stream, &bytes),
        RunnerEvent::Note(text) => log.note(clock::now(), &text),
        RunnerEvent::Prepared | RunnerEvent::Usage { .. } => {}
    }
}
