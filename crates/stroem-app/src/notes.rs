//! Lines of the server itself in a step's log: what happened to the step while no worker could tell.

use stroem_core::{AttemptNumber, JobId};
use stroem_logs::chunk::{ChunkBuilder, ChunkLimits, LineRef, LogStream};
use stroem_store::{ChunkKey, NewChunk, StoreError};

use crate::App;

/// Chunks of the server stand under this number, so that they never take the place of a worker's.
const SERVER: AttemptNumber = AttemptNumber(0);
/// Two notes for one step at the same time take the same place; the second one tries the next.
const TRIES: u32 = 5;

impl App {
    /// Adds a line to a step's log. One that cannot be stored is lost: it is a courtesy, never the reason to fail.
    pub(crate) async fn note(&self, job: JobId, step: u32, text: &str) {
        match self.store_note(job, step, text).await {
            Ok(()) => self.log_grew(job),
            Err(error) => {
                tracing::warn!(job.id = %job, step, text, %error, "a line cannot be added to a log");
            }
        }
    }

    async fn store_note(&self, job: JobId, step: u32, text: &str) -> Result<(), StoreError> {
        let at = self.now();
        let mut builder = ChunkBuilder::new(ChunkLimits::default());
        builder.push(at, LineRef { at, stream: LogStream::Engine, continued: false, text: text.as_bytes() });
        let Some(chunk) = builder.flush() else { return Ok(()) };
        let mut new = NewChunk {
            key: ChunkKey { job, step, attempt: SERVER },
            seq: 0,
            lines: chunk.lines,
            raw_bytes: chunk.raw_bytes,
            first_at: chunk.first_at,
            last_at: chunk.last_at,
            payload: chunk.payload,
        };
        for _ in 0..TRIES {
            let outcomes = self.inner.store.append(vec![new.clone()]).await?;
            let Some(outcome) = outcomes.first() else { break };
            if outcome.sealed_before {
                self.inner.seals.log_grew();
            }
            if outcome.last_chunk_no.is_some() {
                return Ok(());
            }
            new.seq = outcome.next_seq;
        }
        Err(StoreError::Unavailable("other lines took its place every time".to_owned()))
    }
}
