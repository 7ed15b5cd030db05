//! Moves logs of ended jobs from the database to one file each in the blob store.

use std::{io::BufWriter, sync::Arc, time::Duration};

use stroem_blobs::BlobKey;
use stroem_core::JobId;
use stroem_logs::seal::{SealChunk, SealWriter};
use stroem_store::{ChunkRange, SealedLog};
use tokio::sync::Notify;

use crate::{
    App, AppError,
    logs::{blob_key, unreadable},
};

/// Jobs to look at in one go. Logs of jobs that still run are among the oldest and are passed over.
const JOBS_AT_ONCE: u32 = 1_000;
const CHUNKS_AT_ONCE: u32 = 64;
/// How often is looked for logs of jobs that another server ended and did not tell of.
const LOOK_WITHOUT_HINT: Duration = Duration::from_secs(300);

/// Tells the sealer that there is something to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct SealSignal {
    notify: Arc<Notify>,
}

impl SealSignal {
    pub(crate) fn job_ended(&self) {
        self.notify.notify_one();
    }

    /// Lines came after a log was sealed.
    pub(crate) fn log_grew(&self) {
        self.notify.notify_one();
    }
}

/// Runs until it is dropped. Looks once at the start for what an earlier server left, then only after jobs ended or sealed logs grew.
pub(crate) async fn serve(app: App) {
    loop {
        match seal_what_is_due(&app).await {
            // There may be more than one page of them.
            Ok(sealed) if sealed > 0 => continue,
            Ok(_) if app.inner.replicas.is_shared() => {
                // Who ended a job may have been unable to tell.
                drop(tokio::time::timeout(LOOK_WITHOUT_HINT, app.inner.seals.notify.notified()).await);
            }
            Ok(_) => app.inner.seals.notify.notified().await,
            Err(error) => tracing::warn!(%error, "logs cannot be sealed"),
        }
        tokio::time::sleep(app.inner.options.seal_after + Duration::from_millis(100)).await;
    }
}

async fn seal_what_is_due(app: &App) -> Result<usize, AppError> {
    let before =
        app.now().as_micros() - i64::try_from(app.inner.options.seal_after.as_micros()).unwrap_or(i64::MAX);
    let before = stroem_core::Timestamp::from_micros(before);
    let mut sealed = 0;
    for job in app.inner.store.unsealed(before, JOBS_AT_ONCE).await? {
        let ended = app.inner.store.job(job).await?.is_none_or(|row| row.status.is_terminal());
        if !ended {
            continue;
        }
        match app.seal(job).await {
            Ok(()) => sealed += 1,
            Err(error) => tracing::warn!(job.id = %job, %error, "the log cannot be sealed"),
        }
    }
    Ok(sealed)
}

impl App {
    /// Seals one job's log. After a crash at any point it is done again with the same result.
    async fn seal(&self, job: JobId) -> Result<(), AppError> {
        let file = self.seal_file(job)?;
        let mut writer =
            SealWriter::new(BufWriter::new(file.reopen().map_err(unreadable)?)).map_err(unreadable)?;
        let mut next = self.append_sealed(job, &mut writer).await?;
        loop {
            let range = ChunkRange { job, step: None, from_chunk_no: next, limit: CHUNKS_AT_ONCE };
            let chunks = self.inner.store.chunks(range).await?;
            if chunks.is_empty() {
                break;
            }
            for stored in chunks {
                next = stored.chunk_no + 1;
                let chunk = stored.chunk;
                let sealed = SealChunk {
                    chunk_no: stored.chunk_no,
                    step: chunk.key.step,
                    attempt: chunk.key.attempt,
                    lines: chunk.lines,
                    first_at: chunk.first_at,
                    payload: &chunk.payload,
                };
                writer.append(&sealed).map_err(unreadable)?;
            }
        }
        let chunks = next;
        let (mut buffered, _) = writer.finish().map_err(unreadable)?;
        std::io::Write::flush(&mut buffered).map_err(unreadable)?;
        let key = BlobKey::log(job, chunks);
        self.inner.blobs.put_file(&key, file.path()).await.map_err(unreadable)?;
        let earlier =
            self.inner.store.seal(SealedLog { job, blob_key: key.as_str().to_owned(), chunks }).await?;
        if let Some(earlier) = earlier {
            self.inner.blobs.delete(&blob_key(&earlier)?).await.map_err(unreadable)?;
        }
        tracing::debug!(job.id = %job, chunks, "log sealed");
        Ok(())
    }

    /// In the data directory: a log can be larger than what the system has for temporary files.
    fn seal_file(&self, job: JobId) -> Result<tempfile::NamedTempFile, AppError> {
        let prefix = format!(".seal-{job}-");
        tempfile::Builder::new().prefix(&prefix).tempfile_in(&self.inner.options.data_dir).map_err(unreadable)
    }

    /// Copies what is sealed already: lines can come late, from a worker that was cut off. Answers how many chunks that is.
    async fn append_sealed(
        &self,
        job: JobId,
        writer: &mut SealWriter<impl std::io::Write>,
    ) -> Result<u64, AppError> {
        let Some(sealed) = self.inner.store.sealed(job).await? else { return Ok(0) };
        let key = blob_key(&sealed.blob_key)?;
        for entry in self.seal_index(&sealed).await?.entries() {
            let payload = self.inner.blobs.get_range(&key, entry.range()).await.map_err(unreadable)?;
            let chunk = SealChunk {
                chunk_no: entry.chunk_no,
                step: entry.step,
                attempt: entry.attempt,
                lines: entry.lines,
                first_at: entry.first_at,
                payload: &payload,
            };
            writer.append(&chunk).map_err(unreadable)?;
        }
        Ok(sealed.chunks)
    }
}
