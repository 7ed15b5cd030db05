//! Where the lines of a log are, without reading them: what a page needs to open a log of any length at any place.

use stroem_core::{AttemptNumber, JobId, Timestamp};
use stroem_store::{ChunkRange, SealedLog};

use crate::{App, AppError};

/// A chunk of a log, without its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Its job-wide number: `CHUNK-0` is the cursor of its first line.
    pub chunk_no: u64,
    /// The step's index.
    pub step: u32,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// How many lines it has.
    pub lines: u32,
    /// When its first line was read.
    pub first_at: Timestamp,
}

/// The chunks of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMap {
    /// In order.
    pub chunks: Vec<ChunkPlace>,
    /// The chunk number from which a later call goes on.
    pub next_chunk: u64,
    /// Whether nothing will follow.
    pub complete: bool,
}

/// Chunks to ask the store for at once.
const PLACES_PER_READ: u32 = 8_192;

impl App {
    /// The chunks of a job's log from a number on, all of them or one step's.
    ///
    /// # Errors
    /// [`AppError::NoSuchJob`], [`AppError::Store`], [`AppError::Disk`] for an unreadable sealed log.
    pub async fn log_map(&self, job: JobId, step: Option<u32>, from: u64) -> Result<LogMap, AppError> {
        // The state is read before the chunks: all chunks of a step are stored before it ends.
        let row = self.inner.store.job(job).await?.ok_or(AppError::NoSuchJob)?;
        let complete = row.status.is_terminal();
        let mut sealed = self.inner.store.sealed(job).await?;
        loop {
            let map = self.map_beside(sealed.as_ref(), job, step, from).await;
            // The log may have been sealed, or sealed anew, since it was asked where it is.
            let newer = self.inner.store.sealed(job).await?;
            if newer == sealed {
                return Ok(LogMap { complete, ..map? });
            }
            sealed = newer;
        }
    }

    /// The sealed chunks, then those that are not.
    async fn map_beside(
        &self,
        sealed: Option<&SealedLog>,
        job: JobId,
        step: Option<u32>,
        from: u64,
    ) -> Result<LogMap, AppError> {
        let mut map = LogMap { chunks: Vec::new(), next_chunk: from, complete: false };
        if let Some(sealed) = sealed.filter(|sealed| from < sealed.chunks) {
            let index = self.seal_index(sealed).await?;
            let wanted = index.from_chunk(from).iter();
            map.chunks.extend(wanted.filter(|entry| step.is_none_or(|step| step == entry.step)).map(
                |entry| ChunkPlace {
                    chunk_no: entry.chunk_no,
                    step: entry.step,
                    attempt: entry.attempt,
                    lines: entry.lines,
                    first_at: entry.first_at,
                },
            ));
            map.next_chunk = sealed.chunks;
        }
        loop {
            let range = ChunkRange { job, step, from_chunk_no: map.next_chunk, limit: PLACES_PER_READ };
            let places = self.inner.store.chunk_places(range).await?;
            let Some(last) = places.last() else { return Ok(map) };
            map.next_chunk = last.chunk_no + 1;
            map.chunks.extend(places.iter().map(|place| ChunkPlace {
                chunk_no: place.chunk_no,
                step: place.step,
                attempt: place.attempt,
                lines: place.lines,
                first_at: place.first_at,
            }));
        }
    }
}
