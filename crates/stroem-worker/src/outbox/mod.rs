//! Everything that the server has not acknowledged: log chunks and reports of all attempts, put together to calls. It
//! must not know how calls travel ([`crate::delivery`] does) nor how steps run.
//!
//! Chunks stay in memory while the server answers; when it does not, or there are too many, they are in files. An
//! attempt's end is in the journal before it counts.

mod batch;
mod entry;

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use stroem_api::worker::{AttemptReport, Report, ReportKind, ReportResponse};
use stroem_core::{LeaseKey, Outcome, Timestamp};
use stroem_logs::{
    chunk::Chunk,
    spool::{Spool, SpoolError},
};
use tokio::sync::Notify;

use self::entry::Entry;
use crate::{clock, journal::Journal, state::StateDir};

pub(crate) use self::batch::Settled;

/// How long the news of a start waits for company: the step shows as running since it was claimed, and a short one
/// has ended by then.
const START_WAITS: Duration = Duration::from_millis(25);

/// What waits for the server.
#[derive(Debug)]
pub(crate) struct Outbox {
    dirs: Arc<StateDir>,
    state: Mutex<State>,
    /// There is something to send.
    wake: Notify,
    /// Something was acknowledged.
    settled: Notify,
}

#[derive(Debug)]
struct State {
    entries: HashMap<LeaseKey, Entry>,
    /// Leases with something to send, in order.
    ready: VecDeque<LeaseKey>,
    /// Leases whose start is not sent, with when it is to be.
    starts: VecDeque<(Timestamp, LeaseKey)>,
    journal: Journal,
    /// The last call failed: chunks go to the disk at once.
    offline: bool,
}

/// What there is to send.
enum Outlook {
    Something,
    Later(Timestamp),
    Nothing,
}

impl Outbox {
    /// Opens it with what an earlier process left, and names the leases whose end is among it.
    pub(crate) fn open(dirs: Arc<StateDir>) -> Result<(Self, Vec<LeaseKey>), SpoolError> {
        let (journal, reports) = Journal::open(dirs.journal())?;
        let state = State {
            entries: HashMap::new(),
            ready: VecDeque::new(),
            starts: VecDeque::new(),
            journal,
            offline: false,
        };
        let outbox = Self { dirs, state: Mutex::new(state), wake: Notify::new(), settled: Notify::new() };
        let ended = outbox.recover(reports)?;
        Ok((outbox, ended))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recover(&self, reports: Vec<Report>) -> Result<Vec<LeaseKey>, SpoolError> {
        let unreadable =
            |source: io::Error| SpoolError::Io { action: "read", path: self.dirs.journal(), source };
        let mut state = self.state();
        for (lease, dir) in self.dirs.left_spools().map_err(unreadable)? {
            let entry = Entry::new(Spool::open(dir, entry::SPOOL)?);
            state.entries.insert(lease, entry);
        }
        let mut leases = Vec::new();
        for mut report in reports {
            let Some(ended) = report.attempts.pop() else { continue };
            let entry = state
                .entries
                .entry(ended.lease)
                .or_insert_with(|| Entry::new(Spool::create(self.dirs.spool(ended.lease), entry::SPOOL)));
            leases.push(ended.lease);
            entry.recover(&report, ended)?;
        }
        let known: Vec<LeaseKey> = state.entries.keys().copied().collect();
        for lease in known {
            state.queue(lease);
            state.remove_if_said(lease);
        }
        Ok(leases)
    }

    /// Begins an attempt, or one that is taken over: then its first chunks are stored already.
    pub(crate) fn begin(&self, lease: LeaseKey, first_seq: u64) {
        let spool = Spool::create(self.dirs.spool(lease), entry::SPOOL);
        self.state().entries.insert(lease, Entry::running(spool, first_seq));
    }

    /// Takes a chunk of an attempt's log.
    pub(crate) fn chunk(&self, lease: LeaseKey, chunk: Chunk) -> Result<(), SpoolError> {
        let mut state = self.state();
        let offline = state.offline;
        let Some(entry) = state.entries.get_mut(&lease) else { return Ok(()) };
        let taken = entry.chunk(chunk, offline);
        state.queue(lease);
        drop(state);
        self.wake.notify_one();
        taken
    }

    /// An attempt's process started, or is placed where it may outlive this one.
    pub(crate) fn begun(&self, lease: LeaseKey, kind: ReportKind) {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(&lease) else { return };
        entry.report(lease, kind);
        state.starts.push_back((clock::now().after(START_WAITS), lease));
        drop(state);
        self.wake.notify_one();
    }

    /// An attempt ended, and all of its chunks are here. On return its end is on the disk.
    pub(crate) fn ended(&self, lease: LeaseKey, outcome: Outcome, output: Option<Value>) {
        let mut state = self.state();
        let State { entries, journal, .. } = &mut *state;
        let Some(entry) = entries.get_mut(&lease) else { return };
        if let Err(error) = entry.end(lease, outcome, output, journal) {
            tracing::warn!(job.id = %lease.attempt.job, step = lease.attempt.step, %error, "a result cannot be written to the disk, only sent");
        }
        state.queue(lease);
        drop(state);
        self.wake.notify_one();
    }

    /// An attempt is given back before it began. It must have no chunks.
    pub(crate) fn handed_back(&self, lease: LeaseKey) {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(&lease) else { return };
        entry.report(lease, ReportKind::HandedBack);
        entry.running = false;
        state.queue(lease);
        drop(state);
        self.wake.notify_one();
    }

    /// Somebody else goes on with an attempt. What is here is still sent: the other one need not read it again.
    pub(crate) fn let_go(&self, lease: LeaseKey) {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(&lease) else { return };
        entry.running = false;
        state.queue(lease);
        state.remove_if_said(lease);
        drop(state);
        self.settled.notify_waiters();
        self.wake.notify_one();
    }

    /// Nobody wants to know any more.
    pub(crate) fn forget(&self, lease: LeaseKey) {
        self.state().remove(lease);
        self.settled.notify_waiters();
    }

    /// The next call's content, up to its size.
    pub(crate) fn next(&self) -> Option<Report> {
        let report = self.state().batch();
        (!report.is_empty()).then_some(report)
    }

    /// The call arrived and was answered.
    pub(crate) fn settle(&self, report: &Report, response: &ReportResponse) -> Settled {
        let settled = self.state().settle(report, response);
        self.settled.notify_waiters();
        settled
    }

    /// What became of the call is not known: it is said again.
    pub(crate) fn failed(&self, report: &Report) {
        let mut state = self.state();
        state.offline = true;
        state.requeue(report);
        let State { entries, .. } = &mut *state;
        let failures = entries.values_mut().filter_map(|entry| entry.spool.persist().err());
        if let Some(error) = failures.last() {
            tracing::warn!(%error, "logs stay in memory while the server cannot be reached");
        }
    }

    /// Waits until there is something to send.
    pub(crate) async fn something(&self) {
        loop {
            match self.outlook() {
                Outlook::Something => return,
                Outlook::Nothing => self.wake.notified().await,
                Outlook::Later(at) => tokio::select! {
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep(clock::until(at)) => {}
                },
            }
        }
    }

    /// Waits until everything is said.
    pub(crate) async fn all_said(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.is_empty() {
                return;
            }
            settled.await;
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().entries.values().all(|entry| !entry.has_more())
    }

    /// The worker ends and has said everything.
    pub(crate) fn close(&self) {
        self.state().journal.close();
    }

    fn outlook(&self) -> Outlook {
        let mut state = self.state();
        let now = clock::now();
        while let Some((_, lease)) = state.starts.pop_front_if(|(at, _)| *at <= now) {
            state.queue(lease);
        }
        match (state.ready.is_empty(), state.starts.front()) {
            (false, _) => Outlook::Something,
            (true, Some((at, _))) => Outlook::Later(*at),
            (true, None) => Outlook::Nothing,
        }
    }
}

impl State {
    /// Notes that a lease has something to send.
    fn queue(&mut self, lease: LeaseKey) {
        if let Some(entry) = self.entries.get_mut(&lease)
            && !entry.queued
            && entry.has_more()
        {
            entry.queued = true;
            self.ready.push_back(lease);
        }
    }

    fn remove(&mut self, lease: LeaseKey) {
        if let Some(entry) = self.entries.remove(&lease) {
            entry.remove();
        }
        self.journal.done(lease);
    }

    /// Removes what an earlier process left when it is all said.
    fn remove_if_said(&mut self, lease: LeaseKey) {
        if self.entries.get(&lease).is_some_and(|entry| !entry.running && !entry.has_more()) {
            self.remove(lease);
        }
    }
}

/// The report of an attempt with its size in a call.
#[derive(Debug)]
struct Waiting {
    report: AttemptReport,
    bytes: usize,
}

#[cfg(test)]
mod tests;
