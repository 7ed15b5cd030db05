//! Log chunks, in their own file with their own writer.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};
use stroem_core::{JobId, Timestamp};
use stroem_store::{
    AppendOutcome, ChunkKey, ChunkPlace, ChunkRange, LogStore, NewChunk, SealedLog, StoreError, StoredChunk,
};

use crate::{
    SqliteStore,
    codec::{Columns, count, counted},
    failure::{Failure, Outcome},
};

/// A read of chunks ends when it has this many bytes.
const READ_BYTES: usize = 4 << 20;

#[async_trait]
impl LogStore for SqliteStore {
    async fn append(&self, chunks: Vec<NewChunk>) -> Result<Vec<AppendOutcome>, StoreError> {
        self.logs.run(move |connection| append(connection, &chunks)).await
    }

    async fn chunks(&self, range: ChunkRange) -> Result<Vec<StoredChunk>, StoreError> {
        self.log_readers.run(move |connection| chunks(connection, range)).await
    }

    async fn last_chunks(&self, job: JobId, step: u32, limit: u32) -> Result<Vec<StoredChunk>, StoreError> {
        self.log_readers.run(move |connection| last_chunks(connection, job, step, limit)).await
    }

    async fn chunk_places(&self, range: ChunkRange) -> Result<Vec<ChunkPlace>, StoreError> {
        self.log_readers.run(move |connection| chunk_places(connection, range)).await
    }

    async fn sealed(&self, job: JobId) -> Result<Option<SealedLog>, StoreError> {
        self.log_readers.run(move |connection| sealed(connection, job)).await
    }

    async fn seal(&self, sealed: SealedLog) -> Result<Option<String>, StoreError> {
        self.logs.run(move |connection| seal(connection, &sealed)).await
    }

    async fn unsealed(&self, last_chunk_before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.log_readers.run(move |connection| unsealed(connection, last_chunk_before, limit)).await
    }
}

/// A job's log while chunks are appended to it.
struct Log {
    next_chunk_no: u64,
    newest_at: i64,
    /// The blob of the sealed part.
    blob_key: Option<String>,
}

fn append(connection: &Connection, chunks: &[NewChunk]) -> Outcome<Vec<AppendOutcome>> {
    let mut outcomes: Vec<AppendOutcome> = Vec::new();
    let mut places: BTreeMap<ChunkKey, usize> = BTreeMap::new();
    let mut logs: BTreeMap<JobId, Log> = BTreeMap::new();
    for chunk in chunks {
        let key = chunk.key;
        let place = match places.get(&key) {
            Some(place) => *place,
            None => {
                outcomes.push(AppendOutcome {
                    key,
                    next_seq: next_seq(connection, key)?,
                    last_chunk_no: None,
                    sealed_before: false,
                });
                *places.entry(key).or_insert(outcomes.len() - 1)
            }
        };
        let outcome = &mut outcomes[place];
        if chunk.seq != outcome.next_seq {
            continue;
        }
        let log = match logs.entry(key.job) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(log(connection, key.job)?),
        };
        outcome.next_seq += 1;
        insert(connection, log.next_chunk_no, chunk)?;
        outcome.last_chunk_no = Some(log.next_chunk_no);
        outcome.sealed_before = log.blob_key.is_some();
        log.next_chunk_no += 1;
        log.newest_at = log.newest_at.max(chunk.last_at.as_micros());
    }
    note(connection, &outcomes, &logs)?;
    Ok(outcomes)
}

fn next_seq(connection: &Connection, key: ChunkKey) -> Outcome<u64> {
    let found = connection
        .prepare_cached("SELECT next_seq FROM log_attempt WHERE job = ?1 AND step = ?2 AND attempt = ?3")?
        .query_row((key.job.as_bytes(), key.step, key.attempt.0), |row| row.get(0))
        .optional()?;
    counted(found.unwrap_or(0))
}

fn log(connection: &Connection, job: JobId) -> Outcome<Log> {
    let found = connection
        .prepare_cached("SELECT next_chunk_no, newest_at, blob_key FROM log WHERE job = ?1")?
        .query_row([job.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (next_chunk_no, newest_at, blob_key) = found.unwrap_or((0, i64::MIN, None));
    Ok(Log { next_chunk_no: counted(next_chunk_no)?, newest_at, blob_key })
}

fn insert(connection: &Connection, chunk_no: u64, chunk: &NewChunk) -> Outcome<()> {
    connection
        .prepare_cached(
            "INSERT INTO log_chunk (job, chunk_no, step, attempt, seq, lines, raw_bytes, first_at, last_at, payload) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(rusqlite::params![
            chunk.key.job.as_bytes(),
            count(chunk_no)?,
            chunk.key.step,
            chunk.key.attempt.0,
            count(chunk.seq)?,
            chunk.lines,
            count(chunk.raw_bytes)?,
            chunk.first_at.as_micros(),
            chunk.last_at.as_micros(),
            chunk.payload.as_ref(),
        ])?;
    Ok(())
}

/// Writes down how far attempts and jobs have come.
fn note(connection: &Connection, outcomes: &[AppendOutcome], logs: &BTreeMap<JobId, Log>) -> Outcome<()> {
    for AppendOutcome { key, next_seq, .. } in
        outcomes.iter().filter(|outcome| logs.contains_key(&outcome.key.job))
    {
        connection
            .prepare_cached(
                "INSERT INTO log_attempt (job, step, attempt, next_seq) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (job, step, attempt) DO UPDATE SET next_seq = excluded.next_seq",
            )?
            .execute((key.job.as_bytes(), key.step, key.attempt.0, count(*next_seq)?))?;
    }
    for (job, log) in logs {
        connection
            .prepare_cached(
                "INSERT INTO log (job, next_chunk_no, newest_at) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (job) DO UPDATE SET next_chunk_no = excluded.next_chunk_no, newest_at = excluded.newest_at",
            )?
            .execute((job.as_bytes(), count(log.next_chunk_no)?, log.newest_at))?;
    }
    Ok(())
}

const COLUMNS: &str =
    "SELECT chunk_no, step, attempt, seq, lines, raw_bytes, first_at, last_at, payload FROM log_chunk";

/// The rest of a statement that reads a range.
fn in_range(range: ChunkRange) -> &'static str {
    match range.step {
        None => "WHERE job = ?1 AND chunk_no >= ?2 ORDER BY chunk_no LIMIT ?3",
        Some(_) => "WHERE job = ?1 AND step = ?4 AND chunk_no >= ?2 ORDER BY chunk_no LIMIT ?3",
    }
}

fn chunk_places(connection: &Connection, range: ChunkRange) -> Outcome<Vec<ChunkPlace>> {
    let places = "SELECT chunk_no, step, attempt, lines, first_at FROM log_chunk";
    let mut statement = connection.prepare_cached(&format!("{places} {}", in_range(range)))?;
    let from = i64::try_from(range.from_chunk_no).unwrap_or(i64::MAX);
    let mut rows = match range.step {
        None => statement.query((range.job.as_bytes(), from, range.limit))?,
        Some(step) => statement.query((range.job.as_bytes(), from, range.limit, step))?,
    };
    let mut places = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        places.push(ChunkPlace {
            chunk_no: counted(columns.value()?)?,
            step: columns.value()?,
            attempt: columns.attempt()?,
            lines: columns.value()?,
            first_at: columns.time()?,
        });
    }
    Ok(places)
}

fn chunks(connection: &Connection, range: ChunkRange) -> Outcome<Vec<StoredChunk>> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} {}", in_range(range)))?;
    let from = i64::try_from(range.from_chunk_no).unwrap_or(i64::MAX);
    let rows = match range.step {
        None => statement.query((range.job.as_bytes(), from, range.limit))?,
        Some(step) => statement.query((range.job.as_bytes(), from, range.limit, step))?,
    };
    bounded(range.job, rows)
}

fn last_chunks(connection: &Connection, job: JobId, step: u32, limit: u32) -> Outcome<Vec<StoredChunk>> {
    let rest = "WHERE job = ?1 AND step = ?2 ORDER BY chunk_no DESC LIMIT ?3";
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} {rest}"))?;
    let mut last = bounded(job, statement.query((job.as_bytes(), step, limit))?)?;
    last.reverse();
    Ok(last)
}

/// As many rows as fit the memory of one read.
fn bounded(job: JobId, mut rows: rusqlite::Rows<'_>) -> Outcome<Vec<StoredChunk>> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    while bytes < READ_BYTES
        && let Some(row) = rows.next()?
    {
        let stored = read(job, &mut Columns::of(row))?;
        bytes += stored.chunk.payload.len();
        found.push(stored);
    }
    Ok(found)
}

fn read(job: JobId, columns: &mut Columns<'_, '_>) -> Outcome<StoredChunk> {
    let chunk_no = counted(columns.value()?)?;
    let chunk = NewChunk {
        key: ChunkKey { job, step: columns.value()?, attempt: columns.attempt()? },
        seq: counted(columns.value()?)?,
        lines: columns.value()?,
        raw_bytes: counted(columns.value()?)?,
        first_at: columns.time()?,
        last_at: columns.time()?,
        payload: Bytes::from(columns.value::<Vec<u8>>()?),
    };
    Ok(StoredChunk { chunk_no, chunk })
}

fn sealed(connection: &Connection, job: JobId) -> Outcome<Option<SealedLog>> {
    let found = connection
        .prepare_cached("SELECT blob_key, sealed_chunks FROM log WHERE job = ?1 AND blob_key IS NOT NULL")?
        .query_row([job.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((blob_key, chunks)) = found else { return Ok(None) };
    Ok(Some(SealedLog { job, blob_key, chunks: counted(chunks)? }))
}

fn seal(connection: &Connection, sealed: &SealedLog) -> Outcome<Option<String>> {
    let log = log(connection, sealed.job)?;
    if log.next_chunk_no != sealed.chunks {
        return Err(Failure::Store(StoreError::Unavailable(format!(
            "the log of job {} has {} chunks and not {}: it grew while it was being sealed",
            sealed.job, log.next_chunk_no, sealed.chunks
        ))));
    }
    connection
        .prepare_cached(
            "INSERT INTO log (job, next_chunk_no, newest_at, blob_key, sealed_chunks) VALUES (?1, ?2, ?3, ?4, ?2) \
             ON CONFLICT (job) DO UPDATE SET blob_key = excluded.blob_key, sealed_chunks = excluded.sealed_chunks",
        )?
        .execute((sealed.job.as_bytes(), count(sealed.chunks)?, log.newest_at, &sealed.blob_key))?;
    connection.prepare_cached("DELETE FROM log_chunk WHERE job = ?1")?.execute([sealed.job.as_bytes()])?;
    Ok(log.blob_key.filter(|earlier| *earlier != sealed.blob_key))
}

fn unsealed(connection: &Connection, last_chunk_before: Timestamp, limit: u32) -> Outcome<Vec<JobId>> {
    let mut statement = connection.prepare_cached(
        "SELECT job FROM log WHERE next_chunk_no > sealed_chunks AND newest_at < ?1 ORDER BY newest_at LIMIT ?2",
    )?;
    let mut rows = statement.query((last_chunk_before.as_micros(), limit))?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(Columns::of(row).job()?);
    }
    Ok(jobs)
}
