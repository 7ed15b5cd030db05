//! Log chunks: order, idempotence, ranges, sealing.

use bytes::Bytes;
use futures_util::future::join_all;
use stroem_core::AttemptNumber;

use super::support::{at, job_id};
use crate::{AppendOutcome, ChunkKey, ChunkPlace, ChunkRange, NewChunk, SealedLog, Store, StoreError};

fn key(job: u64, step: u32, attempt: u32) -> ChunkKey {
    ChunkKey { job: job_id(job), step, attempt: AttemptNumber(attempt) }
}

fn chunk(key: ChunkKey, seq: u64) -> NewChunk {
    let millis = i64::try_from(seq).expect("small") * 10;
    NewChunk {
        key,
        seq,
        lines: 3,
        raw_bytes: 300 + seq,
        first_at: at(millis),
        last_at: at(millis + 5),
        payload: Bytes::from(format!("{key:?} {seq} \u{0}")),
    }
}

fn chunks(key: ChunkKey, seqs: std::ops::Range<u64>) -> Vec<NewChunk> {
    seqs.map(|seq| chunk(key, seq)).collect()
}

fn all(job: u64) -> ChunkRange {
    ChunkRange { job: job_id(job), step: None, from_chunk_no: 0, limit: 10_000 }
}

async fn append(store: &dyn Store, chunks: Vec<NewChunk>) -> Vec<(u64, Option<u64>)> {
    let outcomes = store.append(chunks).await.expect("appends");
    outcomes.into_iter().map(|outcome| (outcome.next_seq, outcome.last_chunk_no)).collect()
}

/// Job-wide number, step, attempt, sequence number of what a range holds; the content is compared on the way.
async fn read(store: &dyn Store, range: ChunkRange) -> Vec<(u64, u32, u32, u64)> {
    let stored = store.chunks(range).await.expect("reads");
    let places = store.chunk_places(range).await.expect("reads");
    let expected: Vec<ChunkPlace> = stored.iter().map(ChunkPlace::of).collect();
    // Chunks may be given in several reads to bound the memory; their places are small.
    assert_eq!(places[..expected.len()], expected);
    let place = |stored: crate::StoredChunk| {
        assert_eq!(stored.chunk, chunk(stored.chunk.key, stored.chunk.seq));
        (stored.chunk_no, stored.chunk.key.step, stored.chunk.key.attempt.0, stored.chunk.seq)
    };
    stored.into_iter().map(place).collect()
}

/// Numbers count from 0 in the order of storing, and every field comes back.
pub async fn chunks_come_back_in_the_order_of_storing(store: &dyn Store) {
    assert_eq!(append(store, Vec::new()).await, []);
    assert_eq!(append(store, chunks(key(1, 0, 1), 0..2)).await, [(2, Some(1))]);
    assert_eq!(append(store, chunks(key(1, 0, 1), 2..3)).await, [(3, Some(2))]);
    assert_eq!(read(store, all(1)).await, [(0, 0, 1, 0), (1, 0, 1, 1), (2, 0, 1, 2)]);
    assert_eq!(read(store, all(2)).await, []);
}

/// Chunks that were stored before are answered and not stored again.
pub async fn a_chunk_sent_again_is_passed_over(store: &dyn Store) {
    append(store, chunks(key(1, 0, 1), 0..3)).await;
    assert_eq!(append(store, chunks(key(1, 0, 1), 0..3)).await, [(3, None)]);
    assert_eq!(append(store, chunks(key(1, 0, 1), 1..5)).await, [(5, Some(4))]);
    let twice = vec![chunk(key(1, 0, 1), 5), chunk(key(1, 0, 1), 5)];
    assert_eq!(append(store, twice).await, [(6, Some(5))]);
    assert_eq!(read(store, all(1)).await.len(), 6);
}

/// What comes after a gap is not stored; the answer says where to go on.
pub async fn a_chunk_after_a_gap_is_not_stored(store: &dyn Store) {
    assert_eq!(append(store, chunks(key(1, 0, 1), 1..3)).await, [(0, None)]);
    assert_eq!(read(store, all(1)).await, []);
    let gap = vec![chunk(key(1, 0, 1), 0), chunk(key(1, 0, 1), 2), chunk(key(1, 0, 1), 3)];
    assert_eq!(append(store, gap).await, [(1, Some(0))]);
    assert_eq!(append(store, chunks(key(1, 0, 1), 1..4)).await, [(4, Some(3))]);
    assert_eq!(read(store, all(1)).await.iter().map(|found| found.3).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

/// Attempts count their chunks each on their own, their job counts all of them.
pub async fn attempts_share_the_numbers_of_their_job(store: &dyn Store) {
    let (a, b, c) = (key(1, 0, 1), key(1, 7, 1), key(1, 0, 2));
    let other = key(2, 0, 1);
    let mixed = vec![chunk(a, 0), chunk(b, 0), chunk(other, 0), chunk(a, 1), chunk(c, 0), chunk(b, 2)];
    let outcomes = store.append(mixed).await.expect("appends");
    let outcome = |key, next_seq, last| AppendOutcome {
        key,
        next_seq,
        last_chunk_no: Some(last),
        sealed_before: false,
    };
    assert_eq!(outcomes, [outcome(a, 2, 2), outcome(b, 1, 1), outcome(other, 1, 0), outcome(c, 1, 3)]);
    append(store, vec![chunk(b, 1)]).await;
    let expected = [(0, 0, 1, 0), (1, 7, 1, 0), (2, 0, 1, 1), (3, 0, 2, 0), (4, 7, 1, 1)];
    assert_eq!(read(store, all(1)).await, expected);
    assert_eq!(read(store, all(2)).await, [(0, 0, 1, 0)]);
}

/// A range begins at any number and may be of one step only.
pub async fn ranges_are_cut_by_step_number_and_limit(store: &dyn Store) {
    for seq in 0..5 {
        append(store, vec![chunk(key(1, 0, 1), seq), chunk(key(1, 3, 1), seq)]).await;
    }
    for (step, from, limit, expected) in [
        (None, 0, 3, vec![0, 1, 2]),
        (None, 8, 9, vec![8, 9]),
        (None, 10, 9, vec![]),
        (None, u64::MAX, 9, vec![]),
        (Some(3), 0, 9, vec![1, 3, 5, 7, 9]),
        (Some(3), 4, 2, vec![5, 7]),
        (Some(0), 9, 9, vec![]),
        (Some(5), 0, 9, vec![]),
        (None, 0, 0, vec![]),
    ] {
        let range = ChunkRange { job: job_id(1), step, from_chunk_no: from, limit };
        let numbers: Vec<u64> = read(store, range).await.into_iter().map(|found| found.0).collect();
        assert_eq!(numbers, expected, "{range:?}");
    }
}

/// The end of a step's log, without reading what is before it.
pub async fn the_last_chunks_of_a_step_come_in_order(store: &dyn Store) {
    for seq in 0..5 {
        append(store, vec![chunk(key(1, 0, 1), seq), chunk(key(1, 3, 1), seq)]).await;
    }
    for (step, limit, expected) in
        [(3, 2, vec![7, 9]), (3, 99, vec![1, 3, 5, 7, 9]), (0, 1, vec![8]), (0, 0, vec![]), (5, 9, vec![])]
    {
        let last = store.last_chunks(job_id(1), step, limit).await.expect("reads");
        let numbers: Vec<u64> = last.iter().map(|stored| stored.chunk_no).collect();
        assert_eq!(numbers, expected, "{limit} of step {step}");
    }
}

/// Sealing drops the chunks and keeps where they went; doing it again, or sending chunks again, changes nothing.
pub async fn a_sealed_log_has_no_chunks(store: &dyn Store) {
    append(store, chunks(key(1, 0, 1), 0..3)).await;
    append(store, chunks(key(2, 0, 1), 0..1)).await;
    assert_eq!(store.sealed(job_id(1)).await.expect("reads"), None);
    let sealed = SealedLog { job: job_id(1), blob_key: "logs/1".to_owned(), chunks: 3 };
    assert_eq!(store.seal(sealed.clone()).await.expect("seals"), None);
    assert_eq!(store.seal(sealed.clone()).await.expect("seals again"), None);
    assert_eq!(store.sealed(job_id(1)).await.expect("reads"), Some(sealed.clone()));
    assert_eq!(read(store, all(1)).await, []);
    assert_eq!(read(store, all(2)).await.len(), 1, "another job's log");
    assert_eq!(append(store, chunks(key(1, 0, 1), 0..3)).await, [(3, None)], "sent again");
    assert_eq!(read(store, all(1)).await, []);
    assert_eq!(store.sealed(job_id(1)).await.expect("reads"), Some(sealed));
}

/// Lines that come after the sealing are kept beside the sealed ones until the log is sealed again.
pub async fn a_sealed_log_can_grow(store: &dyn Store) {
    append(store, chunks(key(1, 0, 1), 0..3)).await;
    let sealed = |name: &str, chunks| SealedLog { job: job_id(1), blob_key: name.to_owned(), chunks };
    store.seal(sealed("logs/1", 3)).await.expect("seals");
    assert_eq!(store.unsealed(at(1_000), 9).await.expect("reads"), []);
    let late = store.append(chunks(key(1, 0, 2), 0..2)).await.expect("appends");
    assert_eq!((late[0].next_seq, late[0].last_chunk_no, late[0].sealed_before), (2, Some(4), true));
    assert_eq!(read(store, all(1)).await, [(3, 0, 2, 0), (4, 0, 2, 1)]);
    assert_eq!(store.sealed(job_id(1)).await.expect("reads"), Some(sealed("logs/1", 3)));
    assert_eq!(store.unsealed(at(1_000), 9).await.expect("reads"), [job_id(1)]);
    let early = store.seal(sealed("logs/1-4", 4)).await;
    assert!(matches!(early, Err(StoreError::Unavailable(_))), "{early:?}");
    assert_eq!(store.seal(sealed("logs/1-5", 5)).await.expect("seals"), Some("logs/1".to_owned()));
    assert_eq!(read(store, all(1)).await, []);
    assert_eq!(store.sealed(job_id(1)).await.expect("reads"), Some(sealed("logs/1-5", 5)));
    assert_eq!(store.unsealed(at(1_000), 9).await.expect("reads"), []);
}

/// A chunk that came between the reading and the sealing keeps the log open.
pub async fn a_log_that_grew_is_not_sealed(store: &dyn Store) {
    append(store, chunks(key(1, 0, 1), 0..3)).await;
    let early = SealedLog { job: job_id(1), blob_key: "logs/1".to_owned(), chunks: 2 };
    let refused = store.seal(early).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(store.sealed(job_id(1)).await.expect("reads"), None);
    assert_eq!(read(store, all(1)).await.len(), 3);
}

/// Logs that have been quiet, the longest quiet first, until they are sealed.
pub async fn unsealed_logs_are_listed_oldest_first(store: &dyn Store) {
    append(store, chunks(key(1, 0, 1), 0..9)).await;
    append(store, chunks(key(2, 0, 1), 0..2)).await;
    append(store, chunks(key(3, 0, 1), 0..4)).await;
    let unsealed = |before, limit| async move {
        let jobs = store.unsealed(at(before), limit).await.expect("reads");
        (1..=3_u64).filter(|number| jobs.contains(&job_id(*number))).collect::<Vec<_>>()
    };
    assert_eq!(store.unsealed(at(1_000), 9).await.expect("reads"), [job_id(2), job_id(3), job_id(1)]);
    assert_eq!(unsealed(1_000, 2).await, [2, 3]);
    assert_eq!(unsealed(15, 9).await, Vec::<u64>::new(), "its newest line is of that time");
    assert_eq!(unsealed(16, 9).await, [2]);
    store.seal(SealedLog { job: job_id(2), blob_key: "logs/2".to_owned(), chunks: 2 }).await.expect("seals");
    assert_eq!(unsealed(1_000, 9).await, [1, 3]);
}

/// Many senders at once: numbers without gaps, each attempt's chunks in their order.
pub async fn concurrent_appends_leave_no_gap(store: &dyn Store) {
    let senders = (0..20_u32).map(|step| async move {
        for seq in 0..10 {
            append(store, vec![chunk(key(1, step, 1), seq)]).await;
        }
    });
    join_all(senders).await;
    let found = read(store, all(1)).await;
    assert_eq!(found.iter().map(|chunk| chunk.0).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
    for step in 0..20 {
        let of_step: Vec<u64> = found.iter().filter(|chunk| chunk.1 == step).map(|chunk| chunk.3).collect();
        assert_eq!(of_step, (0..10).collect::<Vec<_>>(), "step {step}");
    }
}
