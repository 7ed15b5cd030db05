//! A log reads the same before and after it is sealed, and from any cursor.

use std::time::Duration;

use stroem_app::{ChunkIn, Cursor, LogQuery, LogSearch, Needle, NewChunk, ReportIn};
use stroem_core::{Exit, JobId, LeaseKey, Outcome, Timestamp};
use stroem_logs::chunk::{ChunkBuilder, ChunkLimits, LineRef, LogStream};
use stroem_store::LogStore;

use crate::fixture::{CHAIN, Fixture};

fn chunk(lease: LeaseKey, seq: u64, lines: std::ops::Range<u32>) -> ChunkIn {
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    let at = Timestamp::from_micros(1_000_000);
    for line in lines {
        let text = format!("line {line}");
        let full = builder
            .push(at, LineRef { at, stream: LogStream::Stdout, continued: false, text: text.as_bytes() });
        assert!(full.is_none(), "few lines fit a chunk");
    }
    let chunk = builder.flush().expect("lines");
    let (lines, raw_bytes, first_at, last_at) = (chunk.lines, chunk.raw_bytes, chunk.first_at, chunk.last_at);
    let new = NewChunk {
        key: ChunkIn::key(lease),
        seq,
        lines,
        raw_bytes,
        first_at,
        last_at,
        payload: chunk.payload,
    };
    ChunkIn { lease, chunk: new }
}

#[tokio::test]
async fn a_sealed_log_reads_as_it_did_before() {
    let fixture = Fixture::new(CHAIN, |options| options.seal_after = Duration::ZERO).await;
    let worker = fixture.worker(1, Vec::new()).await;
    let job = fixture.execute().await;
    let read = async |cursor| {
        let page =
            fixture.app.logs(LogQuery { job, step: None, cursor, max_bytes: 1 << 20 }).await.expect("a page");
        (page.to_jsonl(), page.is_complete())
    };
    let mut before = String::new();
    for (name, lines) in [("a", 0..50), ("b", 50..60)] {
        let lease = fixture.claim(&worker).await;
        // Twice, as after a lost reply; the second of each pair changes nothing.
        for _ in 0..2 {
            let chunks = vec![
                chunk(lease, 0, lines.start..lines.start + 5),
                chunk(lease, 1, lines.start + 5..lines.end),
            ];
            let out = fixture.app.report(&worker, chunks, Vec::new()).await.expect("stored");
            assert_eq!(out.chunks, [(lease, Some(2))]);
        }
        before = read(Cursor::START).await.0;
        assert!(before.contains(&format!("\"step\":\"{name}\"")));
        let end = (lease, ReportIn::Ended { outcome: Outcome::Succeeded, output: None });
        fixture.app.report(&worker, Vec::new(), vec![end]).await.expect("ended");
    }
    assert_eq!(before.lines().count(), 60);
    let look = async || {
        let map = fixture.app.log_map(job, None, 0).await.expect("a map");
        let part = fixture.app.log_map(job, Some(1), 3).await.expect("a map");
        let search = LogSearch {
            job,
            step: None,
            cursor: Cursor::START,
            needle: Needle::Text("LINE 5".to_lowercase()),
            hits: 4,
        };
        let first = fixture.app.search_log(search.clone()).await.expect("hits");
        let rest = fixture.app.search_log(LogSearch { cursor: first.next, ..search }).await.expect("hits");
        assert!(rest.hits.len() == 4 || rest.at_end);
        let hits: Vec<String> =
            first.hits.iter().chain(&rest.hits).map(|hit| hit.cursor.to_string()).collect();
        (map, part, hits)
    };
    let (map, part, hits) = look().await;
    assert_eq!(
        map.chunks.iter().map(|chunk| (chunk.chunk_no, chunk.step, chunk.lines)).collect::<Vec<_>>(),
        [(0, 0, 5), (1, 0, 45), (2, 1, 5), (3, 1, 5)]
    );
    assert_eq!((part.chunks.as_slice(), part.next_chunk), (&map.chunks[3..], 4));
    assert_eq!(hits, ["1-0", "2-0", "2-1", "2-2", "2-3", "2-4", "3-0", "3-1"]);
    sealed_with(&fixture, job, 4).await;
    assert_eq!(look().await, (map, part, hits), "the map and the hits are those of before");
    assert_eq!(read(Cursor::START).await, (before.clone(), true));
    let tail: String = before.lines().skip(7).map(|line| format!("{line}\n")).collect();
    assert_eq!(read(Cursor { chunk: 1, line: 2 }).await, (tail, true));
}

/// Waits until the log is sealed with so many chunks.
async fn sealed_with(fixture: &Fixture, job: JobId, chunks: u64) {
    for _ in 0..500 {
        let sealed = fixture.store.sealed(job).await.expect("readable");
        if sealed.is_some_and(|sealed| sealed.chunks == chunks) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not sealed with {chunks} chunks within 10 s");
}

#[tokio::test]
async fn lines_of_a_worker_that_was_cut_off_are_kept_after_the_log_was_sealed() {
    let fixture = Fixture::new(CHAIN, |options| options.seal_after = Duration::ZERO).await;
    let worker = fixture.worker(1, Vec::new()).await;
    let job = fixture.execute().await;
    let lease = fixture.claim(&worker).await;
    fixture.app.report(&worker, vec![chunk(lease, 0, 0..5)], Vec::new()).await.expect("stored");
    let end = (lease, ReportIn::Ended { outcome: Outcome::Failed { exit: Exit::ExitCode(1) }, output: None });
    fixture.app.report(&worker, Vec::new(), vec![end]).await.expect("ended");
    sealed_with(&fixture, job, 1).await;
    let read = async |step| {
        let query = LogQuery { job, step, cursor: Cursor::START, max_bytes: 1 << 20 };
        fixture.app.logs(query).await.expect("a page").entries.len()
    };
    for (seq, total) in [(1, 10), (2, 15)] {
        let lines = u32::try_from(seq).expect("small") * 5;
        let out = fixture
            .app
            .report(&worker, vec![chunk(lease, seq, lines..lines + 5)], Vec::new())
            .await
            .expect("stored");
        assert_eq!(out.chunks, [(lease, Some(seq + 1))]);
        assert_eq!((read(None).await, read(Some(0)).await, read(Some(1)).await), (total, total, 0));
    }
    let last: Vec<String> = (5..15).map(|line| format!("line {line}")).collect();
    assert_eq!(fixture.app.explain(job, "a").await.expect("explained").last_lines, last);
    sealed_with(&fixture, job, 3).await;
    assert_eq!((read(None).await, read(Some(0)).await), (15, 15));
    assert_eq!(fixture.app.explain(job, "a").await.expect("explained").last_lines, last);
}

#[tokio::test]
async fn chunks_after_a_gap_are_not_taken_and_hold_the_end_back() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    fixture.execute().await;
    let lease = fixture.claim(&worker).await;
    let end = (lease, ReportIn::Ended { outcome: Outcome::Succeeded, output: None });
    let out = fixture.app.report(&worker, vec![chunk(lease, 1, 0..3)], vec![end]).await.expect("an answer");
    assert_eq!(out.chunks, [(lease, Some(0))]);
    assert_eq!(out.verdicts, [stroem_app::Verdict::Again]);
}
