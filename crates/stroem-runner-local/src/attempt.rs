//! The life of a started attempt: stream, wait, stop, and what its end leaves behind.

use std::{os::fd::OwnedFd, pin::Pin, sync::Arc, time::Duration};

use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, waitid};
use stroem_core::{ByteSize, Exit, Outcome, limits};
use stroem_runner::{EventSender, OutputStream, RunnerEvent, StopReason, StopReceiver};
use tokio::io::unix::AsyncFd;

use crate::{
    keeper::Registration,
    kill::kill_remains,
    launch::{Launched, watch},
    output::{Flow, pump, send},
    procfs::describe,
    tree::Tree,
};

/// How often a running attempt looks after the keeper and after zombies.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// Leftovers that are named one by one.
const NAMED: usize = 10;
/// How long an attempt that was dropped is killed.
const DROP_KILL_LIMIT: Duration = Duration::from_secs(5);

/// A running attempt. Dropped before its end, it kills its processes.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Taken when everything has ended.
    tree: Option<Tree>,
    registration: Option<Registration>,
    pidfd: Option<AsyncFd<OwnedFd>>,
    grace: Duration,
    /// What is known of standard output.
    pub(crate) stdout: Arc<Flow>,
}

/// What the kernel knows of a main process that ended.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    exit: Option<Exit>,
    was_out_of_memory: bool,
    limit: Option<ByteSize>,
    peak: Option<ByteSize>,
}

impl Attempt {
    pub(crate) fn new(tree: Tree, registration: Option<Registration>, grace: Duration) -> Self {
        Self { tree: Some(tree), registration, pidfd: None, grace, stdout: Arc::new(Flow::new()) }
    }

    /// Follows the process to its end, or to its stop, and leaves nothing running.
    pub(crate) async fn follow(
        &mut self,
        launched: Launched,
        events: &EventSender,
        stop: &mut StopReceiver,
    ) -> Outcome {
        let Launched { pidfd, stdout, stderr, .. } = launched;
        match watch(pidfd) {
            Ok(pidfd) => self.pidfd = Some(pidfd),
            Err(error) => {
                return Outcome::RunnerError { message: format!("a process cannot be followed: {error}") };
            }
        }
        let flows = [Arc::clone(&self.stdout), Arc::new(Flow::new())];
        let pumps = async {
            tokio::join!(
                pump(stdout, OutputStream::Stdout, events, &flows[0]),
                pump(stderr, OutputStream::Stderr, events, &flows[1]),
            );
        };
        tokio::pin!(pumps);
        let mut drained = false;
        let reason = alongside(pumps.as_mut(), &mut drained, self.ended_or_stopped(stop)).await;
        if reason.is_some() {
            alongside(pumps.as_mut(), &mut drained, self.stop()).await;
        }
        let evidence = self.evidence();
        if !drained && reason.is_none() {
            tokio::select! {
                () = tokio::time::sleep(limits::DRAIN.as_duration()) => {}
                _ = stopped(stop) => {}
                () = &mut pumps => drained = true,
            }
        }
        alongside(pumps.as_mut(), &mut drained, self.clear(events, reason.is_some())).await;
        if !drained {
            // The holders are dead and the pipes end once they are read, however slowly the receiver takes it.
            loop {
                match tokio::time::timeout(limits::DRAIN.as_duration(), &mut pumps).await {
                    Ok(()) => break,
                    Err(_) if flows.iter().any(|flow| flow.is_delivering()) => {}
                    Err(_) => {
                        let text =
                            "a process that cannot be found still holds the output open; reading it ended";
                        send(events, RunnerEvent::Note(text.to_owned())).await;
                        break;
                    }
                }
            }
        }
        self.finish();
        if let Some(peak) = evidence.peak {
            send(events, RunnerEvent::Usage { peak_memory: Some(peak) }).await;
        }
        reason.map_or_else(|| evidence.outcome(), StopReason::outcome)
    }

    /// Waits for the end of the main process, or for a stop that came before it.
    async fn ended_or_stopped(&self, stop: &mut StopReceiver) -> Option<StopReason> {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        housekeeping.reset();
        loop {
            tokio::select! {
                biased;
                () = self.main_ended() => return None,
                reason = stopped(stop) => return Some(reason),
                _ = housekeeping.tick() => self.look_after(),
            }
        }
    }

    async fn main_ended(&self) {
        match &self.pidfd {
            Some(pidfd) => {
                let _readable = pidfd.readable().await;
            }
            None => std::future::pending().await,
        }
    }

    fn look_after(&self) {
        if let Some(tree) = &self.tree {
            tree.children.orphans();
        }
        if let Some(registration) = &self.registration
            && let Err(error) = registration.check()
        {
            tracing::error!(%error, "there is no keeper: processes of steps would survive a crash of this worker");
        }
    }

    /// TERM to all, and as much of the grace as they need.
    async fn stop(&self) {
        if let Some(tree) = &self.tree {
            tree.terminate();
            let _grace_is_over = tokio::time::timeout(self.grace, tree.gone()).await;
        }
    }

    /// Kills what is left and names it, unless all of it was to end anyway.
    async fn clear(&mut self, events: &EventSender, was_stopped: bool) {
        let Some(tree) = &mut self.tree else { return };
        let left = tree.left_behind();
        if left.is_empty() && !was_stopped {
            return;
        }
        let names: Vec<String> = left.iter().take(NAMED).map(|pid| describe(*pid)).collect();
        // A stopped main process may be alive still, and it is not among what is left behind.
        let unkillable = tree.kill().await;
        if !was_stopped {
            for name in &names {
                let text = format!(
                    "background process {name} was still running after the script ended and was killed"
                );
                send(events, RunnerEvent::Note(text)).await;
            }
            if left.len() > NAMED {
                let text = format!("{} more background processes were killed", left.len() - NAMED);
                send(events, RunnerEvent::Note(text)).await;
            }
        }
        for pid in unkillable {
            send(events, RunnerEvent::Note(format!("process {} cannot be killed", describe(pid)))).await;
        }
    }

    fn evidence(&self) -> Evidence {
        let Some(tree) = &self.tree else { return Evidence::unknown() };
        let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(tree.main), peek).ok().flatten();
        Evidence {
            exit: status.as_ref().and_then(exit),
            was_out_of_memory: tree.group.was_out_of_memory(),
            limit: tree.group.limit(),
            peak: tree.group.peak_memory(),
        }
    }

    /// Nothing runs any more: reaps the main process and takes the entry out of the keeper's table.
    fn finish(&mut self) {
        if let Some(mut tree) = self.tree.take() {
            tree.group.try_remove();
            tree.children.reap(tree.main);
        }
        self.registration = None;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Some(tree) = self.tree.take() else { return };
        let registration = self.registration.take();
        let clear = move || {
            let left = kill_remains(&[tree.remains()], DROP_KILL_LIMIT);
            tree.children.reap(tree.main);
            tree.children.orphans();
            // Until here, and for ever if something could not be killed, the keeper knows of it too.
            if !left.is_empty() {
                std::mem::forget(registration);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("stroem-clear".to_owned()).spawn(clear) {
            tracing::error!(%error, "processes of a dropped attempt cannot be killed");
        }
    }
}

impl Evidence {
    fn unknown() -> Self {
        Self { exit: None, was_out_of_memory: false, limit: None, peak: None }
    }

    fn outcome(self) -> Outcome {
        match self.exit {
            Some(Exit::ExitCode(0)) => Outcome::Succeeded,
            Some(_) if self.was_out_of_memory => Outcome::OutOfMemory { limit: self.limit, peak: self.peak },
            Some(exit) => Outcome::Failed { exit },
            None => {
                Outcome::RunnerError { message: "somebody else waited for the step's process".to_owned() }
            }
        }
    }
}

fn exit(status: &WaitIdStatus) -> Option<Exit> {
    status.exit_status().map(Exit::ExitCode).or_else(|| status.terminating_signal().map(Exit::Signal))
}

/// Reads the pipes while something else goes on: a process that cannot print cannot end either.
async fn alongside<T>(
    mut pumps: Pin<&mut impl Future<Output = ()>>,
    drained: &mut bool,
    future: impl Future<Output = T>,
) -> T {
    tokio::pin!(future);
    loop {
        tokio::select! {
            () = &mut pumps, if !*drained => *drained = true,
            value = &mut future => return value,
        }
    }
}

/// Waits for a stop; for ever when nobody can ask for one any more.
pub(crate) async fn stopped(stop: &mut StopReceiver) -> StopReason {
    match stop.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        Ok(None) | Err(_) => std::future::pending().await,
    }
}
