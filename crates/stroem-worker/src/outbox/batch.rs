//! Many attempts' chunks and reports as one call, and what its answer means.

use std::collections::HashMap;

use stroem_api::worker::{Report, ReportKind, ReportResponse, ReportVerdict};
use stroem_core::LeaseKey;

use super::{State, entry};

/// The most bytes of one call; a single larger piece goes alone.
const BATCH_BYTES: usize = 1 << 20;
/// The most bytes of one attempt before it is another one's turn.
const TURN_BYTES: usize = 256 << 10;

/// What an answer brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Attempts whose last report the server has.
    pub(crate) over: Vec<LeaseKey>,
    /// Leases that are not this worker's any more.
    pub(crate) lost: Vec<LeaseKey>,
    /// Whether anything was taken. If not, saying it again at once makes no sense.
    pub(crate) progress: bool,
}

/// Whether nothing of an attempt follows.
const fn is_last(kind: &ReportKind) -> bool {
    match kind {
        ReportKind::Placed { .. } | ReportKind::Started { .. } => false,
        ReportKind::Ended { .. } | ReportKind::HandedBack => true,
    }
}

impl State {
    /// The next call. Its reports come after all chunks of their attempts.
    pub(super) fn batch(&mut self) -> Report {
        let mut report = Report::default();
        let mut room = BATCH_BYTES;
        let mut cursors: HashMap<LeaseKey, u64> = HashMap::new();
        while room > 0 {
            let Some(lease) = self.ready.pop_front() else { break };
            let Some(entry) = self.entries.get_mut(&lease) else { continue };
            entry.queued = false;
            let from = cursors.get(&lease).copied().unwrap_or(0);
            let chunks = match entry.chunks(from, room.min(TURN_BYTES)) {
                Ok(chunks) => chunks,
                Err(error) => {
                    tracing::error!(%error, "a part of a log cannot be read back and is lost");
                    entry.refuse();
                    Vec::new()
                }
            };
            let last = chunks.last().map(|chunk| chunk.seq);
            for chunk in chunks {
                room = room.saturating_sub(chunk.payload.len() + 100);
                entry::push(&mut report, lease, chunk);
            }
            match last {
                Some(last) if entry.spool.last_seq() > Some(last) => {
                    cursors.insert(lease, last + 1);
                    entry.queued = true;
                    self.ready.push_back(lease);
                }
                _ => {
                    for waiting in &entry.reports {
                        room = room.saturating_sub(waiting.bytes);
                        report.attempts.push(waiting.report.clone());
                    }
                }
            }
        }
        report
    }

    /// Takes an answer.
    pub(super) fn settle(&mut self, report: &Report, response: &ReportResponse) -> Settled {
        self.offline = false;
        let mut settled = Settled::default();
        for answer in &response.chunks {
            let Some(entry) = self.entries.get_mut(&answer.lease) else { continue };
            match answer.next_seq {
                Some(next_seq) => settled.progress |= entry.acknowledge(next_seq),
                None => {
                    entry.refuse();
                    settled.progress = true;
                    settled.lost.push(answer.lease);
                }
            }
        }
        for answer in &response.attempts {
            let Some(entry) = self.entries.get_mut(&answer.lease) else { continue };
            let known = |waiting: &super::Waiting| waiting.report.report_seq == answer.report_seq;
            let Some(index) = entry.reports.iter().position(known) else { continue };
            match answer.verdict {
                ReportVerdict::Again => continue,
                ReportVerdict::LeaseLost => {
                    entry.reports.remove(index);
                    entry.refuse();
                    settled.lost.push(answer.lease);
                }
                ReportVerdict::Applied => {
                    let said = entry.reports.remove(index);
                    let last = said.is_some_and(|said| is_last(&said.report.kind));
                    if last {
                        settled.over.push(answer.lease);
                    }
                }
            }
            settled.progress = true;
        }
        for lease in &settled.over {
            self.remove(*lease);
        }
        for lease in &settled.lost {
            if self.entries.get(lease).is_some_and(|entry| !entry.running) {
                self.remove(*lease);
            }
        }
        self.requeue(report);
        settled
    }

    /// What a call said and is not acknowledged is said again.
    pub(super) fn requeue(&mut self, report: &Report) {
        let chunks = report.chunks.iter().map(|chunk| chunk.lease);
        for lease in chunks.chain(report.attempts.iter().map(|attempt| attempt.lease)) {
            self.queue(lease);
            self.remove_if_said(lease);
        }
    }
}
