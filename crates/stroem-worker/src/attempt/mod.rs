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

use std::{future::pending, pin::Pin, sync::Arc, time::Duration};

use serde_json::Value;
use stroem_api::worker::{ClaimedStep, ReportKind, download_path};
use stroem_core::{HumanDuration, LeaseKey, Mark, Outcome, RunnerKind, Runtime, StepRun};
use stroem_logs::mask::Masker;
use stroem_runner::{Download, RunRequest, Runner, RunnerEvent, StepIdentity, StopReason, StopReceiver};
use tokio::{
    sync::{SemaphorePermit, mpsc, watch},
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
    Ended {
        outcome: Outcome,
        output: Option<Value>,
    },
    HandedBack,
    /// It goes on without this worker.
    LetGo,
    Lost,
}

/// What an attempt needs to run.
struct Ready<'a> {
    #[expect(dead_code, reason = "it is held, not read")]
    slot: Option<SemaphorePermit<'a>>,
    runner: Arc<dyn Runner>,
    workspace: Option<Arc<InUse>>,
}

/// Takes a claim. False when it is known already.
pub(crate) fn begin(shared: &Arc<Shared>, claim: ClaimedStep) -> bool {
    let Some(stopper) = shared.leases.take(claim.lease) else { return false };
    shared.outbox.begin(claim.lease, claim.adopted.as_ref().map_or(0, |adopted| adopted.log.next_seq));
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
            End::LetGo => {
                outbox.let_go(self.lease);
                leases.over(self.lease);
            }
            End::Lost => {
                outbox.forget(self.lease);
                leases.release(self.lease);
                self.shared.sweep.notify_one();
            }
        }
    }
}

const fn failed(outcome: Outcome) -> End {
    End::Ended { outcome, output: None }
}

async fn pass(shared: &Arc<Shared>, claim: ClaimedStep, stopper: &Stopper) -> End {
    let mut stop = stopper.receiver();
    if claim.adopted.is_some() {
        // It runs: whoever wants to stop it has to reach it, and it takes no slot that it did not have.
        return match find_runner(shared, &claim) {
            Ok(runner) => run(shared, claim, stopper, Ready { slot: None, runner, workspace: None }).await,
            Err(end) => end,
        };
    }
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
        StopReason::LeaseLost | StopReason::LetGo => End::Lost,
        StopReason::Drain => End::HandedBack,
    }
}

const fn refused(message: String) -> End {
    failed(Outcome::RunnerError { message })
}

fn find_runner(shared: &Shared, claim: &ClaimedStep) -> Result<Arc<dyn Runner>, End> {
    let kind = claim.spec.run.runner();
    let missing = || refused(format!("this worker has no {} runner", kind.as_str()));
    shared.options.runner(kind).map(Arc::clone).ok_or_else(missing)
}

async fn get_ready<'a>(shared: &'a Shared, claim: &ClaimedStep) -> Result<Ready<'a>, End> {
    let (kind, runner) = (claim.spec.run.runner(), find_runner(shared, claim)?);
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
    Ok(Ready { slot: Some(slot), runner, workspace })
}

async fn run(shared: &Arc<Shared>, claim: ClaimedStep, stopper: &Stopper, ready: Ready<'_>) -> End {
    let lease = claim.lease;
    let masker = Masker::new(&claim.spec.secrets);
    let adopted = claim.adopted.clone();
    let stored = adopted.as_ref().map(|adopted| adopted.log).unwrap_or_default();
    let runtime = adopted.as_ref().map(|adopted| adopted.runtime.clone());
    let mark = runtime.as_ref().and_then(|runtime| runtime.mark.as_ref());
    let log = match StepLog::new(shared, lease, &masker, stored, mark) {
        Ok(log) => log,
        Err(error) => return failed(log::outcome(&error, error.to_string())),
    };
    let mut following = Following {
        shared,
        lease,
        log,
        limit: claim.spec.timeout,
        running_for: adopted.as_ref().and_then(|adopted| adopted.running_ms).map(Duration::from_millis),
        runtime,
        deadline: None,
    };
    let (sender, mut events) = mpsc::channel(EVENTS);
    let to_runner = watch::Sender::new(None);
    let request = request(shared, claim, &ready);
    let mut running = match &adopted {
        Some(adopted) => ready.runner.adopt(&adopted.runtime, request, sender, to_runner.subscribe()),
        None => ready.runner.run(request, sender, to_runner.subscribe()),
    };
    let mut stop = stopper.receiver();
    let outcome = loop {
        following.pass_on(stopper.reason(), &to_runner);
        let due_at = following.log.due_at();
        tokio::select! {
            Some(event) = events.recv() => {
                following.take(event);
                if following.log.failed() {
                    stopper.stop(StopReason::Drain);
                }
            }
            outcome = &mut running => break outcome,
            Ok(()) = stop.changed() => {}
            () = tokio::time::sleep(due_at.map(clock::until).unwrap_or_default()), if due_at.is_some() => following.log.flush_due(clock::now()),
            () = elapsed(following.deadline.as_mut()) => {
                following.deadline = None;
                if let Some(limit) = following.limit {
                    stopper.stop(StopReason::TimedOut { limit });
                }
            }
        }
    };
    drop(running);
    events.close();
    while let Some(event) = events.recv().await {
        following.take(event);
    }
    let is_let_go = outcome == Outcome::WorkerLost && *to_runner.borrow() == Some(StopReason::LetGo);
    if stopper.reason() == Some(StopReason::LeaseLost) {
        following.log.discard();
        return End::Lost;
    }
    if is_let_go {
        following.log.let_go();
        return End::LetGo;
    }
    let written = following.log.finish().await;
    let (outcome, output) =
        outcome::decide(outcome, written, stopper.reason(), &masker, shared.options.limits.output);
    End::Ended { outcome, output }
}

fn request(shared: &Shared, claim: ClaimedStep, ready: &Ready<'_>) -> RunRequest {
    let download = claim
        .download_token
        .map(|token| Download { path: download_path(&claim.workspace, &claim.revision), token });
    RunRequest {
        lease: claim.lease,
        download,
        identity: StepIdentity { workspace: claim.workspace, task: claim.task, step: claim.step },
        spec: claim.spec,
        workspace: ready.workspace.as_ref().map(|workspace| workspace.path().to_owned()),
        scratch: shared.scratch(claim.lease, ready.runner.kind()),
        packages: shared.dirs.packages(),
        passed_env: shared.options.passed_env.clone(),
        grace: shared.options.limits.grace,
    }
}

/// An attempt that a runner runs.
struct Following<'a> {
    shared: &'a Shared,
    lease: LeaseKey,
    log: StepLog,
    limit: Option<HumanDuration>,
    /// For how long it had been running when it was taken over.
    running_for: Option<Duration>,
    /// Where it goes on without this worker.
    runtime: Option<Runtime>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Following<'_> {
    fn take(&mut self, event: RunnerEvent) {
        let Self { shared, lease, log, .. } = self;
        match event {
            RunnerEvent::Placed(runtime) if shared.options.hands_over => {
                self.runtime = Some(runtime.clone());
                shared.outbox.begun(*lease, ReportKind::Placed { runtime });
            }
            RunnerEvent::Mark(place) => {
                if let Some(runtime) = &mut self.runtime
                    && let Some((stdout_lines, stderr_lines)) = log.mark()
                {
                    runtime.mark = Some(Mark { place, stdout_lines, stderr_lines });
                    shared.outbox.begun(*lease, ReportKind::Placed { runtime: runtime.clone() });
                }
            }
            RunnerEvent::Started { .. } => {
                // Its time counts from its own start, and the server knows of that one.
                let used = self.running_for.unwrap_or_default();
                let left = self.limit.map(|limit| limit.as_duration().saturating_sub(used));
                self.deadline = left.map(|left| Box::pin(tokio::time::sleep(left)));
                if self.running_for.is_none() {
                    shared.outbox.begun(*lease, ReportKind::Started { at: clock::now() });
                }
            }
            RunnerEvent::Output { stream, bytes } => log.output(clock::now(), stream, &bytes),
            RunnerEvent::Note(text) => log.note(clock::now(), &text),
            RunnerEvent::Placed(_) | RunnerEvent::Prepared | RunnerEvent::Usage { .. } => {}
        }
    }

    /// Tells the runner to stop, once. What can go on without this worker is only let go when the worker ends or its
    /// lease does: it may be another worker's already, and if it is nobody's the server says so to whoever sweeps.
    fn pass_on(&self, reason: Option<StopReason>, runner: &watch::Sender<Option<StopReason>>) {
        let Some(reason) = reason else { return };
        let lasting = self.runtime.is_some() && !self.log.failed();
        let reason = match reason {
            StopReason::LeaseLost | StopReason::Drain if lasting => StopReason::LetGo,
            reason => reason,
        };
        runner.send_if_modified(|told| {
            let is_news = told.is_none();
            if is_news {
                *told = Some(reason);
            }
            is_news
        });
    }
}

async fn elapsed(deadline: Option<&mut Pin<Box<Sleep>>>) {
    match deadline {
        Some(deadline) => deadline.await,
        None => pending().await,
    }
}
