//! Results that the server does not have yet, in one file for the whole worker. A record holds the end of one attempt
//! and, when they are few, the log chunks that belong before it; it is written before the end counts, so a `kill -9`
//! of the worker loses no result. Records are reports as they travel.
//!
//! The newest record stays even when it is acknowledged, so that a quiet worker does not make and remove a file for
//! each step; sending it again after a restart changes nothing.

use std::{collections::VecDeque, path::PathBuf};

use stroem_api::worker::Report;
use stroem_core::LeaseKey;
use stroem_logs::spool::{Spool, SpoolError, SpoolOptions};

const OPTIONS: SpoolOptions = SpoolOptions { segment_bytes: 4 << 20, memory_bytes: 0 };
const READ_BYTES: usize = 1 << 20;

/// The journal. Only the outbox writes it.
#[derive(Debug)]
pub(crate) struct Journal {
    spool: Spool,
    next: u64,
    /// Records in order, with whether the server has them.
    records: VecDeque<(u64, LeaseKey, bool)>,
}

impl Journal {
    /// Opens it and gives what an earlier process left.
    pub(crate) fn open(dir: PathBuf) -> Result<(Self, Vec<Report>), SpoolError> {
        let mut spool = Spool::open(dir, OPTIONS)?;
        let mut reports = Vec::new();
        let mut records = VecDeque::new();
        let mut from = spool.acknowledged().map_or(0, |seq| seq + 1);
        loop {
            let read = spool.read(from, READ_BYTES)?;
            let Some((last, _)) = read.last() else { break };
            from = last + 1;
            for (seq, bytes) in read {
                // The checksum vouches for the bytes; what cannot be read was written by another version.
                match Report::decode(bytes) {
                    Ok(report) => {
                        if let Some(ended) = report.attempts.first() {
                            records.push_back((seq, ended.lease, false));
                        }
                        reports.push(report);
                    }
                    Err(error) => tracing::warn!(%error, "a result of an earlier run cannot be read"),
                }
            }
        }
        let next = spool.last_seq().map_or(from, |last| from.max(last + 1));
        Ok((Self { spool, next, records }, reports))
    }

    /// Writes an attempt's end.
    pub(crate) fn append(&mut self, lease: LeaseKey, report: &Report) -> Result<(), SpoolError> {
        let seq = self.next;
        self.next += 1;
        self.records.push_back((seq, lease, false));
        self.spool.append(seq, report.encode())
    }

    /// The server has what was written of a lease, or does not want it.
    pub(crate) fn done(&mut self, lease: LeaseKey) {
        for record in self.records.iter_mut().filter(|record| record.1 == lease) {
            record.2 = true;
        }
        let mut through = None;
        while self.records.len() > 1
            && let Some((seq, ..)) = self.records.pop_front_if(|(_, _, done)| *done)
        {
            through = Some(seq);
        }
        if let Some(through) = through {
            self.acknowledge(through);
        }
    }

    /// Nothing is left to say: forgets the newest record too.
    pub(crate) fn close(&mut self) {
        if self.records.iter().all(|(_, _, done)| *done)
            && let Some((last, ..)) = self.records.pop_back()
        {
            self.records.clear();
            self.acknowledge(last);
        }
    }

    fn acknowledge(&mut self, through: u64) {
        if let Err(error) = self.spool.acknowledge(through) {
            tracing::warn!(%error, "the journal cannot be shortened");
        }
    }
}
