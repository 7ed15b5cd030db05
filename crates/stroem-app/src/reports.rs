//! What workers report: log chunks are stored first, then what happened to attempts.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use futures_util::future::join_all;
use serde_json::Value;
use stroem_core::{JobId, LeaseKey, Outcome, Runtime, Timestamp};
use stroem_engine::{Event, IllegalEvent};
use stroem_store::{ChunkKey, NewChunk, StoreError, WorkerRow};

use crate::{App, AppError};

/// A chunk under its lease.
#[derive(Debug, Clone)]
pub struct ChunkIn {
    /// The lease under which it was written.
    pub lease: LeaseKey,
    /// The chunk.
    pub chunk: NewChunk,
}

/// Something that happened to an attempt.
#[derive(Debug, Clone)]
pub enum ReportIn {
    /// It runs, or is about to, where another worker can take it over.
    Placed {
        /// Where.
        runtime: Runtime,
    },
    /// Its process started.
    Started {
        /// When.
        at: Timestamp,
    },
    /// It ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// Its output.
        output: Option<Value>,
    },
    /// It was given back before it began.
    HandedBack,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is durable.
    Applied,
    /// The lease is over.
    LeaseLost,
    /// It could not be taken now.
    Again,
}

/// The answers to a call.
#[derive(Debug, Clone, Default)]
pub struct ReportOut {
    /// For each lease with chunks the next expected sequence number; none for an unknown lease.
    pub chunks: Vec<(LeaseKey, Option<u64>)>,
    /// For each report, in order.
    pub verdicts: Vec<Verdict>,
}

impl App {
    /// Takes a worker's report.
    ///
    /// # Errors
    /// [`AppError::Store`] when the chunks cannot be stored: then nothing of the report counts.
    pub async fn report(
        &self,
        worker: &WorkerRow,
        chunks: Vec<ChunkIn>,
        reports: Vec<(LeaseKey, ReportIn)>,
    ) -> Result<ReportOut, AppError> {
        self.inner.heartbeats.seen(worker.id, self.now());
        let highest = highest_seq(&chunks);
        let storing = self.inner.offers.storing().await;
        let chunks = self.store_chunks(chunks).await?;
        drop(storing);
        let incomplete = |lease: &LeaseKey| {
            let stored = chunks.iter().find(|(key, _)| key == lease).and_then(|(_, next)| *next);
            matches!((highest.get(lease), stored), (Some(highest), Some(next)) if next <= *highest)
        };
        let mut events: BTreeMap<JobId, Vec<(usize, Event)>> = BTreeMap::new();
        let mut verdicts = vec![Verdict::Again; reports.len()];
        for (index, (lease, report)) in reports.into_iter().enumerate() {
            if incomplete(&lease) && matches!(report, ReportIn::Ended { .. }) {
                continue;
            }
            let event = match report {
                ReportIn::Placed { runtime } => {
                    verdicts[index] = self.place(lease, runtime).await;
                    continue;
                }
                ReportIn::Started { at } => Event::AttemptStarted { lease, at },
                ReportIn::Ended { outcome, output } => Event::AttemptEnded { lease, outcome, output },
                ReportIn::HandedBack => Event::HandedBack { lease },
            };
            events.entry(lease.attempt.job).or_default().push((index, event));
        }
        let commits = events.into_iter().map(|(job, events)| self.commit_reports(job, events));
        for (index, verdict) in join_all(commits).await.into_iter().flatten() {
            verdicts[index] = verdict;
        }
        Ok(ReportOut { chunks, verdicts })
    }

    async fn place(&self, lease: LeaseKey, runtime: Runtime) -> Verdict {
        match self.inner.store.set_runtime(lease, runtime).await {
            Ok(true) => Verdict::Applied,
            Ok(false) => Verdict::LeaseLost,
            Err(error) => {
                tracing::warn!(job.id = %lease.attempt.job, step = lease.attempt.step, %error, "where a step runs cannot be stored");
                Verdict::Again
            }
        }
    }

    async fn commit_reports(&self, job: JobId, events: Vec<(usize, Event)>) -> Vec<(usize, Verdict)> {
        let (indexes, events): (Vec<usize>, Vec<Event>) = events.into_iter().unzip();
        let verdicts: Vec<Verdict> = match self.inner.mailboxes.send(job, events).await {
            Ok(answers) => answers
                .into_iter()
                .map(|answer| match answer {
                    Ok(_) => Verdict::Applied,
                    Err(IllegalEvent::LeaseLost { .. } | IllegalEvent::NoSuchStep { .. }) => {
                        Verdict::LeaseLost
                    }
                    Err(IllegalEvent::JobEnded { .. } | IllegalEvent::WrongStatus { .. }) => {
                        Verdict::LeaseLost
                    }
                })
                .collect(),
            Err(StoreError::NoSuchJob) => vec![Verdict::LeaseLost; indexes.len()],
            Err(error) => {
                tracing::warn!(job.id = %job, %error, "reports cannot be stored");
                vec![Verdict::Again; indexes.len()]
            }
        };
        indexes.into_iter().zip(verdicts).collect()
    }

    async fn store_chunks(&self, chunks: Vec<ChunkIn>) -> Result<Vec<(LeaseKey, Option<u64>)>, AppError> {
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        let mut known: HashMap<LeaseKey, bool> = HashMap::new();
        for chunk in &chunks {
            if let Entry::Vacant(entry) = known.entry(chunk.lease) {
                entry.insert(self.inner.store.is_attempt_of(chunk.lease).await?);
            }
        }
        let (mut accepted, mut leases) = (Vec::new(), HashMap::new());
        for ChunkIn { lease, chunk } in chunks {
            if known[&lease] {
                leases.insert(chunk.key, lease);
                accepted.push(chunk);
            }
        }
        let outcomes =
            if accepted.is_empty() { Vec::new() } else { self.inner.store.append(accepted).await? };
        let mut answers: Vec<(LeaseKey, Option<u64>)> = Vec::new();
        for outcome in outcomes {
            if outcome.last_chunk_no.is_some() {
                self.log_grew(outcome.key.job);
            }
            if outcome.sealed_before {
                self.inner.seals.log_grew();
            }
            answers.push((leases[&outcome.key], Some(outcome.next_seq)));
        }
        answers.extend(known.into_iter().filter(|(_, known)| !known).map(|(lease, _)| (lease, None)));
        Ok(answers)
    }
}

fn highest_seq(chunks: &[ChunkIn]) -> HashMap<LeaseKey, u64> {
    let mut highest = HashMap::new();
    for chunk in chunks {
        let entry = highest.entry(chunk.lease).or_insert(chunk.chunk.seq);
        *entry = (*entry).max(chunk.chunk.seq);
    }
    highest
}

/// Whose chunks a lease writes.
impl ChunkIn {
    /// The key of a lease's chunks.
    pub fn key(lease: LeaseKey) -> ChunkKey {
        ChunkKey { job: lease.attempt.job, step: lease.attempt.step, attempt: lease.attempt.attempt }
    }
}
