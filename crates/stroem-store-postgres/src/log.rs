//! Log chunks, in tables of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use stroem_core::{JobId, Timestamp};
use stroem_store::{
    AppendOutcome, ChunkKey, ChunkRange, LogStore, NewChunk, SealedLog, StoreError, StoredChunk,
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    PostgresStore,
    codec::{Columns, count, uuid},
    connection::{Request, values},
    failure::{Failure, Outcome},
    store::Inner,
    writer::Transaction,
};

/// A read of chunks ends when it has this many bytes.
const READ_BYTES: i64 = 4 << 20;

/// Chunks of a job from a number on, until a limit or the bytes are reached; at least one if there is one.
macro_rules! chunks_sql {
    ($step:literal) => {
        concat!(
            "SELECT chunk_no, step, attempt, seq, lines, raw_bytes, first_at, last_at, payload FROM ( \
             SELECT c.*, sum(octet_length(payload)) OVER (ORDER BY chunk_no) - octet_length(payload) AS bytes_before \
             FROM (SELECT * FROM log_chunk WHERE job = $1 ",
            $step,
            "AND chunk_no >= $2 ORDER BY chunk_no LIMIT $3) AS c) AS summed \
             WHERE bytes_before < $4::bigint ORDER BY chunk_no"
        )
    };
}

#[async_trait]
impl LogStore for PostgresStore {
    async fn append(&self, chunks: Vec<NewChunk>) -> Result<Vec<AppendOutcome>, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.write(async move { append(&inner, &chunks).await }).await
    }

    async fn chunks(&self, range: ChunkRange) -> Result<Vec<StoredChunk>, StoreError> {
        let from = i64::try_from(range.from_chunk_no).unwrap_or(i64::MAX);
        let mut values = values![uuid(range.job.as_bytes()), from, i64::from(range.limit), READ_BYTES];
        let question = match range.step {
            None => chunks_sql!(""),
            Some(step) => {
                values.push(Box::new(i64::from(step)));
                chunks_sql!("AND step = $5 ")
            }
        };
        self.inner.read(question, values, |columns| read(range.job, columns)).await
    }

    async fn last_chunks(&self, job: JobId, step: u32, limit: u32) -> Result<Vec<StoredChunk>, StoreError> {
        let question = "SELECT chunk_no, step, attempt, seq, lines, raw_bytes, first_at, last_at, payload FROM ( \
             SELECT c.*, sum(octet_length(payload)) OVER (ORDER BY chunk_no DESC) - octet_length(payload) AS bytes_after \
             FROM (SELECT * FROM log_chunk WHERE job = $1 AND step = $2 ORDER BY chunk_no DESC LIMIT $3) AS c) AS summed \
             WHERE bytes_after < $4::bigint ORDER BY chunk_no";
        let values = values![uuid(job.as_bytes()), i64::from(step), i64::from(limit), READ_BYTES];
        self.inner.read(question, values, |columns| read(job, columns)).await
    }

    async fn sealed(&self, job: JobId) -> Result<Option<SealedLog>, StoreError> {
        let question = "SELECT blob_key, sealed_chunks FROM log WHERE job = $1 AND blob_key IS NOT NULL";
        let read = |columns: &mut Columns<'_>| {
            Ok(SealedLog { job, blob_key: columns.value()?, chunks: columns.count()? })
        };
        Ok(self.inner.read(question, values![uuid(job.as_bytes())], read).await?.pop())
    }

    async fn seal(&self, sealed: SealedLog) -> Result<Option<String>, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.write(async move { seal(&inner, &sealed).await }).await
    }

    async fn unsealed(&self, last_chunk_before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let question = "SELECT job FROM log WHERE next_chunk_no > sealed_chunks AND newest_at < $1 ORDER BY newest_at LIMIT $2";
        let values = values![last_chunk_before.as_micros(), i64::from(limit)];
        self.inner.read(question, values, |columns| columns.job()).await
    }
}

/// A job's log while chunks are appended to it.
struct Log {
    next_chunk_no: u64,
    newest_at: i64,
    /// The blob of the sealed part.
    blob_key: Option<String>,
}

/// Two round trips. The rows of the logs are locked, so that numbers have no gaps.
async fn append(inner: &Arc<Inner>, chunks: &[NewChunk]) -> Outcome<Vec<AppendOutcome>> {
    if chunks.is_empty() {
        return Ok(Vec::new());
    }
    let (transaction, answers) = Transaction::begin(inner, questions(chunks)).await?;
    let mut logs = read_logs(&answers[1])?;
    let next_seqs = read_next_seqs(&answers[2])?;
    let mut outcomes: Vec<AppendOutcome> = Vec::new();
    let mut places: BTreeMap<ChunkKey, usize> = BTreeMap::new();
    let mut changed: BTreeSet<JobId> = BTreeSet::new();
    let mut stored: Vec<(u64, &NewChunk)> = Vec::new();
    for chunk in chunks {
        let key = chunk.key;
        let place = *places.entry(key).or_insert_with(|| {
            let next_seq = next_seqs.get(&key).copied().unwrap_or(0);
            outcomes.push(AppendOutcome { key, next_seq, last_chunk_no: None, sealed_before: false });
            outcomes.len() - 1
        });
        let outcome = &mut outcomes[place];
        if chunk.seq != outcome.next_seq {
            continue;
        }
        let missing = || Failure::internal("the row of a log is missing");
        let log = logs.get_mut(&key.job).ok_or_else(missing)?;
        changed.insert(key.job);
        outcome.next_seq += 1;
        stored.push((log.next_chunk_no, chunk));
        outcome.last_chunk_no = Some(log.next_chunk_no);
        outcome.sealed_before = log.blob_key.is_some();
        log.next_chunk_no += 1;
        log.newest_at = log.newest_at.max(chunk.last_at.as_micros());
    }
    // Dropped without a commit when nothing is new: rows of logs that were made on the way are gone again.
    if !changed.is_empty() {
        logs.retain(|job, _| changed.contains(job));
        let outcomes = outcomes.iter().filter(|outcome| changed.contains(&outcome.key.job));
        transaction.commit(write(&stored, outcomes, &logs)?).await?;
    }
    Ok(outcomes)
}

fn questions(chunks: &[NewChunk]) -> Vec<Request<'static>> {
    // Sorted, so that two who append to the same logs do not wait for each other.
    let jobs: BTreeSet<JobId> = chunks.iter().map(|chunk| chunk.key.job).collect();
    let jobs: Vec<Uuid> = jobs.iter().map(|job| uuid(job.as_bytes())).collect();
    let keys: BTreeSet<ChunkKey> = chunks.iter().map(|chunk| chunk.key).collect();
    let numbers = |value: fn(&ChunkKey) -> i64| keys.iter().map(value).collect::<Vec<i64>>();
    vec![
        Request::new(
            "INSERT INTO log (job, next_chunk_no, newest_at) \
             SELECT n.job, 0, -9223372036854775808 FROM unnest($1::uuid[]) AS n(job) \
             WHERE NOT EXISTS (SELECT 1 FROM log l WHERE l.job = n.job) ON CONFLICT (job) DO NOTHING",
            values![jobs.clone()],
        ),
        Request::new(
            "SELECT job, next_chunk_no, newest_at, blob_key FROM log WHERE job = ANY ($1::uuid[]) \
             ORDER BY job FOR UPDATE",
            values![jobs],
        ),
        Request::new(
            "SELECT a.job, a.step, a.attempt, a.next_seq FROM log_attempt a \
             JOIN unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n(job, step, attempt) \
             ON a.job = n.job AND a.step = n.step AND a.attempt = n.attempt",
            values![
                keys.iter().map(|key| uuid(key.job.as_bytes())).collect::<Vec<Uuid>>(),
                numbers(|key| i64::from(key.step)),
                numbers(|key| i64::from(key.attempt.0)),
            ],
        ),
    ]
}

fn read_logs(rows: &[Row]) -> Outcome<BTreeMap<JobId, Log>> {
    let read = |row| {
        let mut columns = Columns::of(row);
        let job = columns.job()?;
        let (next_chunk_no, newest_at, blob_key) = (columns.count()?, columns.value()?, columns.value()?);
        Ok((job, Log { next_chunk_no, newest_at, blob_key }))
    };
    rows.iter().map(read).collect()
}

fn read_next_seqs(rows: &[Row]) -> Outcome<BTreeMap<ChunkKey, u64>> {
    let read = |row| {
        let mut columns = Columns::of(row);
        let key = ChunkKey { job: columns.job()?, step: columns.small()?, attempt: columns.attempt()? };
        Ok((key, columns.count()?))
    };
    rows.iter().map(read).collect()
}

/// Writes the chunks, and how far attempts and jobs have come.
fn write<'a>(
    stored: &[(u64, &'a NewChunk)],
    outcomes: impl Iterator<Item = &'a AppendOutcome> + Clone,
    logs: &BTreeMap<JobId, Log>,
) -> Outcome<Vec<Request<'a>>> {
    let mut requests = Vec::new();
    if !stored.is_empty() {
        requests.push(insert(stored)?);
    }
    let counts = |values: Vec<u64>| values.into_iter().map(count).collect::<Outcome<Vec<i64>>>();
    requests.push(Request::new(
        "INSERT INTO log_attempt (job, step, attempt, next_seq) \
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) \
         ON CONFLICT (job, step, attempt) DO UPDATE SET next_seq = excluded.next_seq",
        values![
            outcomes.clone().map(|outcome| uuid(outcome.key.job.as_bytes())).collect::<Vec<Uuid>>(),
            outcomes.clone().map(|outcome| i64::from(outcome.key.step)).collect::<Vec<i64>>(),
            outcomes.clone().map(|outcome| i64::from(outcome.key.attempt.0)).collect::<Vec<i64>>(),
            counts(outcomes.map(|outcome| outcome.next_seq).collect())?,
        ],
    ));
    if !logs.is_empty() {
        requests.push(Request::new(
            "UPDATE log l SET next_chunk_no = n.next_chunk_no, newest_at = n.newest_at \
             FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n(job, next_chunk_no, newest_at) \
             WHERE l.job = n.job",
            values![
                logs.keys().map(|job| uuid(job.as_bytes())).collect::<Vec<Uuid>>(),
                counts(logs.values().map(|log| log.next_chunk_no).collect())?,
                logs.values().map(|log| log.newest_at).collect::<Vec<i64>>(),
            ],
        ));
    }
    Ok(requests)
}

fn insert<'a>(stored: &[(u64, &'a NewChunk)]) -> Outcome<Request<'a>> {
    let numbers =
        |value: fn(&NewChunk) -> i64| stored.iter().map(|(_, chunk)| value(chunk)).collect::<Vec<i64>>();
    let counts = |value: fn(&(u64, &NewChunk)) -> u64| {
        stored.iter().map(|chunk| count(value(chunk))).collect::<Outcome<Vec<i64>>>()
    };
    Ok(Request::new(
        "INSERT INTO log_chunk (job, chunk_no, step, attempt, seq, lines, raw_bytes, first_at, last_at, payload) \
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
         $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[])",
        values![
            stored.iter().map(|(_, chunk)| uuid(chunk.key.job.as_bytes())).collect::<Vec<Uuid>>(),
            counts(|(number, _)| *number)?,
            numbers(|chunk| i64::from(chunk.key.step)),
            numbers(|chunk| i64::from(chunk.key.attempt.0)),
            counts(|(_, chunk)| chunk.seq)?,
            numbers(|chunk| i64::from(chunk.lines)),
            counts(|(_, chunk)| chunk.raw_bytes)?,
            numbers(|chunk| chunk.first_at.as_micros()),
            numbers(|chunk| chunk.last_at.as_micros()),
            stored.iter().map(|(_, chunk)| &*chunk.payload).collect::<Vec<&'a [u8]>>(),
        ],
    ))
}

fn read(job: JobId, columns: &mut Columns<'_>) -> Outcome<StoredChunk> {
    let chunk_no = columns.count()?;
    let chunk = NewChunk {
        key: ChunkKey { job, step: columns.small()?, attempt: columns.attempt()? },
        seq: columns.count()?,
        lines: columns.small()?,
        raw_bytes: columns.count()?,
        first_at: columns.time()?,
        last_at: columns.time()?,
        payload: Bytes::from(columns.value::<Vec<u8>>()?),
    };
    Ok(StoredChunk { chunk_no, chunk })
}

async fn seal(inner: &Arc<Inner>, sealed: &SealedLog) -> Outcome<Option<String>> {
    let job = uuid(sealed.job.as_bytes());
    let question = "SELECT job, next_chunk_no, newest_at, blob_key FROM log WHERE job = $1 FOR UPDATE";
    let (transaction, answers) =
        Transaction::begin(inner, vec![Request::new(question, values![job])]).await?;
    let log = read_logs(&answers[0])?.remove(&sealed.job);
    let (chunks, earlier) = log.map_or((0, None), |log| (log.next_chunk_no, log.blob_key));
    if chunks != sealed.chunks {
        return Err(Failure::unavailable(format!(
            "the log of job {} has {chunks} chunks and not {}: it grew while it was being sealed",
            sealed.job, sealed.chunks
        )));
    }
    let requests = vec![
        Request::new(
            "INSERT INTO log (job, next_chunk_no, newest_at, blob_key, sealed_chunks) \
             VALUES ($1, $2, -9223372036854775808, $3, $2) \
             ON CONFLICT (job) DO UPDATE SET blob_key = excluded.blob_key, sealed_chunks = excluded.sealed_chunks",
            values![job, count(sealed.chunks)?, sealed.blob_key.clone()],
        ),
        Request::new("DELETE FROM log_chunk WHERE job = $1", values![job]),
    ];
    transaction.commit(requests).await?;
    Ok(earlier.filter(|earlier| *earlier != sealed.blob_key))
}
