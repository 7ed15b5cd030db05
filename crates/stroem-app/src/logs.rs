//! A job's log: read in pages from any position, wherever its chunks lie.

use std::sync::Arc;

use bytes::Bytes;
use stroem_blobs::BlobKey;
use stroem_core::{AttemptNumber, JobId};
use stroem_logs::{
    chunk::{LogLine, decode},
    cursor::Cursor,
    jsonl::render_line,
    seal::{SEAL_TAIL_BYTES, SealIndex, SealRead},
};
use stroem_store::{ChunkRange, SealedLog, StoreError};
use stroem_workflow::Plan;

use crate::{App, AppError, jobs::no_such_job};

/// Which part of a log to read.
#[derive(Debug, Clone, Copy)]
pub struct LogQuery {
    /// The job.
    pub job: JobId,
    /// Only this step's lines.
    pub step: Option<u32>,
    /// Where to begin.
    pub cursor: Cursor,
    /// How many bytes of text to read about; a page holds at least one chunk.
    pub max_bytes: u64,
}

/// One line with its step.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// The step's index.
    pub step: u32,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// The line.
    pub line: LogLine,
}

/// A part of a log.
#[derive(Debug, Clone)]
pub struct LogPage {
    /// The lines.
    pub entries: Vec<LogEntry>,
    /// Where the next part begins.
    pub next: Cursor,
    /// Whether there was nothing after it when it was read.
    pub at_end: bool,
    /// Whether the job has ended, so that nothing will follow.
    pub job_ended: bool,
    plan: Arc<Plan>,
}

impl LogPage {
    /// The lines as JSON, each ended by a newline.
    pub fn to_jsonl(&self) -> String {
        let mut out = Vec::new();
        for entry in &self.entries {
            render_line(&mut out, &entry.line, self.step_name(entry), Some(entry.attempt));
        }
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    /// The name of a line's step.
    pub fn step_name(&self, entry: &LogEntry) -> &str {
        self.plan.step(entry.step).name.as_str()
    }

    /// Whether the log is complete with this page.
    pub fn is_complete(&self) -> bool {
        self.at_end && self.job_ended
    }
}

/// A chunk, wherever it lay.
pub(crate) struct Chunk {
    pub(crate) chunk_no: u64,
    pub(crate) step: u32,
    pub(crate) attempt: AttemptNumber,
    /// Bytes that count against the page: before compression where that is known.
    pub(crate) raw_bytes: u64,
    pub(crate) payload: Bytes,
}

/// Chunks that are enough for a step's last lines.
const LAST_CHUNKS: u32 = 4;
/// Chunks to ask the store for at once.
const CHUNKS_PER_READ: u32 = 64;

impl App {
    /// Reads a part of a job's log.
    ///
    /// # Errors
    /// [`AppError::NoSuchJob`], [`AppError::Store`], [`AppError::Disk`] for an unreadable sealed log.
    pub async fn logs(&self, query: LogQuery) -> Result<LogPage, AppError> {
        // The state is read before the chunks: all chunks of a step are stored before it ends.
        let row = self.inner.store.job(query.job).await?.ok_or(AppError::NoSuchJob)?;
        let plan = self.inner.mailboxes.plan(query.job).await.map_err(no_such_job)?;
        let mut page = LogPage {
            entries: Vec::new(),
            next: query.cursor,
            at_end: false,
            job_ended: row.status.is_terminal(),
            plan,
        };
        let mut bytes = 0;
        while bytes < query.max_bytes && !page.at_end {
            let chunks = self.chunks(query, page.next.chunk).await?;
            page.at_end = chunks.is_empty();
            for chunk in chunks {
                bytes += chunk.raw_bytes;
                take_lines(&mut page, &chunk)?;
                if bytes >= query.max_bytes {
                    break;
                }
            }
        }
        Ok(page)
    }

    /// The last lines of a step's log, at most `limit` and those of its last chunks only.
    ///
    /// # Errors
    /// [`AppError::Store`], [`AppError::Disk`] for an unreadable sealed log.
    pub(crate) async fn last_lines(
        &self,
        job: JobId,
        step: u32,
        limit: usize,
    ) -> Result<Vec<LogLine>, AppError> {
        let mut payloads: Vec<Bytes> = Vec::new();
        if let Some(sealed) = self.inner.store.sealed(job).await? {
            let (index, key) = (self.seal_index(&sealed).await?, blob_key(&sealed.blob_key)?);
            let of_step: Vec<_> = index.entries().iter().filter(|entry| entry.step == step).collect();
            for entry in of_step.iter().skip(of_step.len().saturating_sub(LAST_CHUNKS as usize)) {
                payloads.push(self.inner.blobs.get_range(&key, entry.range()).await.map_err(unreadable)?);
            }
        }
        let stored = self.inner.store.last_chunks(job, step, LAST_CHUNKS).await?;
        payloads.extend(stored.into_iter().map(|stored| stored.chunk.payload));
        let mut lines = Vec::new();
        for payload in payloads {
            lines.extend(
                decode(&payload).map_err(|error| AppError::Store(StoreError::Corrupt(error.to_string())))?,
            );
        }
        Ok(lines.split_off(lines.len().saturating_sub(limit)))
    }

    pub(crate) async fn chunks(&self, query: LogQuery, from: u64) -> Result<Vec<Chunk>, AppError> {
        let mut sealed = self.inner.store.sealed(query.job).await?;
        loop {
            let chunks = self.chunks_beside(sealed.as_ref(), query, from).await;
            if chunks.as_ref().is_ok_and(|chunks| !chunks.is_empty()) {
                return chunks;
            }
            // Nothing, or nothing readable: the log may have been sealed, or sealed anew, since it was asked where it is.
            let newer = self.inner.store.sealed(query.job).await?;
            if newer == sealed {
                return chunks;
            }
            sealed = newer;
        }
    }

    async fn chunks_beside(
        &self,
        sealed: Option<&SealedLog>,
        query: LogQuery,
        from: u64,
    ) -> Result<Vec<Chunk>, AppError> {
        if let Some(sealed) = sealed.filter(|sealed| from < sealed.chunks) {
            let chunks = self.sealed_chunks(sealed, query, from).await?;
            if !chunks.is_empty() {
                return Ok(chunks);
            }
        }
        let range =
            ChunkRange { job: query.job, step: query.step, from_chunk_no: from, limit: CHUNKS_PER_READ };
        let stored = self.inner.store.chunks(range).await?;
        Ok(stored
            .into_iter()
            .map(|stored| Chunk {
                chunk_no: stored.chunk_no,
                step: stored.chunk.key.step,
                attempt: stored.chunk.key.attempt,
                raw_bytes: stored.chunk.raw_bytes,
                payload: stored.chunk.payload,
            })
            .collect())
    }

    async fn sealed_chunks(
        &self,
        sealed: &SealedLog,
        query: LogQuery,
        from: u64,
    ) -> Result<Vec<Chunk>, AppError> {
        let index = self.seal_index(sealed).await?;
        let key = blob_key(&sealed.blob_key)?;
        let wanted = index
            .from_chunk(from)
            .iter()
            .filter(|entry| query.step.is_none_or(|step| step == entry.step))
            .take(CHUNKS_PER_READ as usize);
        let mut chunks = Vec::new();
        let mut bytes = 0;
        for entry in wanted {
            let payload = self.inner.blobs.get_range(&key, entry.range()).await.map_err(unreadable)?;
            bytes += u64::from(entry.bytes);
            chunks.push(Chunk {
                chunk_no: entry.chunk_no,
                step: entry.step,
                attempt: entry.attempt,
                raw_bytes: u64::from(entry.bytes),
                payload,
            });
            if bytes >= query.max_bytes {
                break;
            }
        }
        Ok(chunks)
    }

    pub(crate) async fn seal_index(&self, sealed: &SealedLog) -> Result<SealIndex, AppError> {
        let key = blob_key(&sealed.blob_key)?;
        let size = self.inner.blobs.size(&key).await.map_err(unreadable)?;
        let mut from = size.saturating_sub(SEAL_TAIL_BYTES);
        loop {
            let tail = self.inner.blobs.get_range(&key, from..size).await.map_err(unreadable)?;
            match SealIndex::read(&tail, size).map_err(unreadable)? {
                SealRead::Complete(index) => return Ok(index),
                SealRead::NeedsFrom(offset) => from = offset,
            }
        }
    }
}

fn take_lines(page: &mut LogPage, chunk: &Chunk) -> Result<(), AppError> {
    let lines = decode(&chunk.payload).map_err(|error| {
        AppError::Store(StoreError::Corrupt(format!("log chunk {}: {error}", chunk.chunk_no)))
    })?;
    let skip = if page.next.chunk == chunk.chunk_no { page.next.line as usize } else { 0 };
    let entries = lines.into_iter().skip(skip);
    page.entries.extend(entries.map(|line| LogEntry { step: chunk.step, attempt: chunk.attempt, line }));
    page.next = Cursor { chunk: chunk.chunk_no + 1, line: 0 };
    Ok(())
}

pub(crate) fn blob_key(text: &str) -> Result<BlobKey, AppError> {
    BlobKey::new(text).map_err(unreadable)
}

pub(crate) fn unreadable(error: impl std::fmt::Display) -> AppError {
    AppError::Disk { what: "sealed log".to_owned(), message: error.to_string() }
}
