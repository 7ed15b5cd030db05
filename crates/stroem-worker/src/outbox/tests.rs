//! What is sent, in which order, and what is found again.

use stroem_api::worker::{ChunkAnswer, ReportAnswer, ReportVerdict};
use stroem_core::{AttemptKey, AttemptNumber, Fence, JobId};
use stroem_logs::chunk::{ChunkBuilder, ChunkLimits, LineRef, LogStream};

use super::*;

fn lease(fence: i64) -> LeaseKey {
    let attempt = AttemptKey { job: JobId::from_bytes([1; 16]), step: 0, attempt: AttemptNumber(1) };
    LeaseKey { attempt, fence: Fence(fence) }
}

fn chunk(seq: u64, bytes: usize) -> Chunk {
    // Bytes that do not compress well.
    let text: Vec<u8> = (0..bytes).map(|index| (index * 7919 % 251) as u8 ^ (index / 251) as u8).collect();
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    let at = Timestamp::from_micros(1);
    builder.push(at, LineRef { at, stream: LogStream::Stdout, continued: false, text: &text });
    Chunk { seq, ..builder.flush().unwrap() }
}

struct Fixture {
    dirs: Arc<StateDir>,
    outbox: Outbox,
    recovered: Vec<LeaseKey>,
}

fn open(dir: &std::path::Path) -> Fixture {
    let dirs = Arc::new(StateDir::open(dir).unwrap());
    let (outbox, recovered) = Outbox::open(Arc::clone(&dirs)).unwrap();
    Fixture { dirs, outbox, recovered }
}

fn seqs(report: &Report) -> Vec<(i64, u64)> {
    report.chunks.iter().map(|chunk| (chunk.lease.fence.0, chunk.seq)).collect()
}

/// The answer of a server that takes everything.
fn applied(report: &Report) -> ReportResponse {
    let chunks =
        report.chunks.iter().map(|chunk| ChunkAnswer { lease: chunk.lease, next_seq: Some(chunk.seq + 1) });
    let verdict = ReportVerdict::Applied;
    let attempts = report.attempts.iter().map(|attempt| ReportAnswer {
        lease: attempt.lease,
        report_seq: attempt.report_seq,
        verdict,
    });
    ReportResponse { chunks: chunks.collect(), attempts: attempts.collect() }
}

#[test]
fn an_end_comes_after_all_chunks_of_its_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let Fixture { outbox, .. } = open(dir.path());
    outbox.begin(lease(1), 0);
    for seq in 0..40 {
        outbox.chunk(lease(1), chunk(seq, 60_000)).unwrap();
    }
    outbox.ended(lease(1), Outcome::Succeeded, None);
    let (mut calls, mut next) = (0, 0);
    while let Some(report) = outbox.next() {
        calls += 1;
        for (_, seq) in seqs(&report) {
            assert_eq!(seq, next);
            next += 1;
        }
        assert_eq!(report.attempts.is_empty(), next < 40);
        outbox.settle(&report, &applied(&report));
    }
    assert!(calls > 1 && next == 40, "{calls} calls, {next} chunks");
    assert!(outbox.is_empty());
}

#[test]
fn one_attempts_long_log_does_not_hold_up_another_ones_end() {
    let dir = tempfile::tempdir().unwrap();
    let Fixture { outbox, .. } = open(dir.path());
    for fence in [1, 2] {
        outbox.begin(lease(fence), 0);
    }
    for seq in 0..100 {
        outbox.chunk(lease(1), chunk(seq, 60_000)).unwrap();
    }
    outbox.chunk(lease(2), chunk(0, 10)).unwrap();
    outbox.ended(lease(2), Outcome::Succeeded, None);
    let report = outbox.next().unwrap();
    assert_eq!(report.attempts.iter().map(|attempt| attempt.lease).collect::<Vec<_>>(), [lease(2)]);
}

#[test]
fn what_is_not_acknowledged_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let Fixture { outbox, .. } = open(dir.path());
    outbox.begin(lease(1), 0);
    for seq in 0..3 {
        outbox.chunk(lease(1), chunk(seq, 10)).unwrap();
    }
    let report = outbox.next().unwrap();
    assert!(outbox.next().is_none(), "it is under way");
    outbox.failed(&report);
    let again = outbox.next().unwrap();
    assert_eq!(seqs(&again), [(1, 0), (1, 1), (1, 2)]);
    let partly =
        ReportResponse { chunks: vec![ChunkAnswer { lease: lease(1), next_seq: Some(2) }], attempts: vec![] };
    assert!(outbox.settle(&again, &partly).progress);
    let rest = outbox.next().unwrap();
    assert_eq!(seqs(&rest), [(1, 2)]);
    assert!(!outbox.settle(&rest, &partly).progress, "nothing new was taken");
    assert_eq!(seqs(&outbox.next().unwrap()), [(1, 2)]);
}

#[test]
fn verdicts_say_what_is_over_and_what_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let Fixture { outbox, .. } = open(dir.path());
    for fence in 1..=3 {
        outbox.begin(lease(fence), 0);
        outbox.ended(lease(fence), Outcome::Succeeded, None);
    }
    let report = outbox.next().unwrap();
    let verdicts = [ReportVerdict::Applied, ReportVerdict::LeaseLost, ReportVerdict::Again];
    let attempts = report.attempts.iter().zip(verdicts).map(|(attempt, verdict)| ReportAnswer {
        lease: attempt.lease,
        report_seq: attempt.report_seq,
        verdict,
    });
    let response = ReportResponse { chunks: vec![], attempts: attempts.collect() };
    let settled = outbox.settle(&report, &response);
    assert_eq!(settled, Settled { over: vec![lease(1)], lost: vec![lease(2)], progress: true });
    let again = outbox.next().unwrap();
    assert_eq!(again.attempts.len(), 1);
    assert_eq!(again.attempts[0].lease, lease(3));
}

#[test]
fn a_short_step_needs_no_file_of_its_own_and_survives() {
    let dir = tempfile::tempdir().unwrap();
    let Fixture { outbox, dirs, .. } = open(dir.path());
    outbox.begin(lease(1), 0);
    outbox.begun(lease(1), ReportKind::Started { at: Timestamp::from_micros(1) });
    outbox.chunk(lease(1), chunk(0, 100)).unwrap();
    outbox.ended(lease(1), Outcome::Succeeded, Some(serde_json::json!({"a": 1})));
    assert!(!dirs.spool(lease(1)).exists());
    drop((outbox, dirs));
    let Fixture { outbox, recovered, .. } = open(dir.path());
    assert_eq!(recovered, [lease(1)]);
    let report = outbox.next().unwrap();
    assert_eq!(seqs(&report), [(1, 0)]);
    let ended = ReportKind::Ended { outcome: Outcome::Succeeded, output: Some(serde_json::json!({"a": 1})) };
    assert_eq!(report.attempts, [AttemptReport { lease: lease(1), report_seq: 1, kind: ended }]);
    outbox.settle(&report, &applied(&report));
    outbox.close();
    drop(outbox);
    assert_eq!(open(dir.path()).recovered, []);
}

#[test]
fn a_long_log_that_was_not_sent_survives_with_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let Fixture { outbox, dirs, .. } = open(dir.path());
    outbox.begin(lease(1), 0);
    for seq in 0..30 {
        outbox.chunk(lease(1), chunk(seq, 60_000)).unwrap();
    }
    outbox.ended(lease(1), Outcome::Succeeded, None);
    drop((outbox, dirs));
    let Fixture { outbox, dirs, recovered } = open(dir.path());
    assert_eq!(recovered, [lease(1)]);
    let mut all = Vec::new();
    while let Some(report) = outbox.next() {
        all.extend(seqs(&report).into_iter().map(|(_, seq)| seq));
        outbox.settle(&report, &applied(&report));
    }
    assert_eq!(all, (0..30).collect::<Vec<u64>>());
    assert!(!dirs.spool(lease(1)).exists());
}

#[test]
fn lines_of_an_attempt_that_died_are_delivered_but_it_does_not_survive() {
    let dir = tempfile::tempdir().unwrap();
    let Fixture { outbox, dirs, .. } = open(dir.path());
    outbox.begin(lease(1), 0);
    outbox.chunk(lease(1), chunk(0, 100)).unwrap();
    let report = outbox.next().unwrap();
    outbox.failed(&report);
    assert!(dirs.spool(lease(1)).exists(), "the server is away, so it is in a file");
    drop((outbox, dirs));
    let Fixture { outbox, dirs, recovered } = open(dir.path());
    assert_eq!(recovered, []);
    let report = outbox.next().unwrap();
    assert_eq!((seqs(&report), report.attempts.len()), (vec![(1, 0)], 0));
    outbox.settle(&report, &applied(&report));
    assert!(!dirs.spool(lease(1)).exists() && outbox.is_empty());
}

#[test]
fn chunks_of_an_unknown_lease_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let Fixture { outbox, .. } = open(dir.path());
    outbox.begin(lease(1), 0);
    outbox.chunk(lease(1), chunk(0, 100)).unwrap();
    let report = outbox.next().unwrap();
    let unknown =
        ReportResponse { chunks: vec![ChunkAnswer { lease: lease(1), next_seq: None }], attempts: vec![] };
    assert_eq!(outbox.settle(&report, &unknown).lost, [lease(1)]);
    outbox.chunk(lease(1), chunk(1, 100)).unwrap();
    assert!(outbox.next().is_none());
}
