//! Attempts that outlive their worker: offers, fences, budgets, and which leftovers are dead.

use std::time::Duration;

use stroem_app::{
    Adopted, AppOptions, ChunkIn, NewChunk, PollAnswer, PollWish, ReportIn, StoredLog, Verdict, WorkerRow,
};
use stroem_core::{AttemptNumber, JobId, LeaseKey, Outcome, Runtime, Timestamp};
use stroem_logs::chunk::{ChunkBuilder, ChunkLimits, LineRef, LogStream};

use crate::fixture::{CHAIN, Fixture};

const SCOPE: &str = "docker:engine";

fn quick(options: &mut AppOptions) {
    options.heartbeat_timeout = Duration::from_secs(60);
    options.sweep_interval = Duration::from_millis(20);
}

fn runtime() -> Runtime {
    Runtime { scope: SCOPE.to_owned(), handle: "container".to_owned(), mark: None }
}

impl Fixture {
    async fn report_one(&self, worker: &WorkerRow, lease: LeaseKey, report: ReportIn) -> Verdict {
        self.app.report(worker, Vec::new(), vec![(lease, report)]).await.expect("an answer").verdicts[0]
    }

    /// A step that runs in a container of the worker `w`.
    async fn placed(&self) -> (WorkerRow, LeaseKey) {
        let worker = self.worker(1, Vec::new()).await;
        self.execute().await;
        let lease = self.claim(&worker).await;
        let placed = ReportIn::Placed { runtime: runtime() };
        assert_eq!(self.report_one(&worker, lease, placed).await, Verdict::Applied);
        (worker, lease)
    }

    async fn other(&self, name: &str, instance: u8) -> WorkerRow {
        self.worker_called(name, instance, &["script"], Vec::new()).await
    }

    async fn poll_scope(&self, worker: &WorkerRow, scope: &str, wait_ms: u64) -> PollAnswer {
        let wish = PollWish {
            held: Vec::new(),
            stopping: Vec::new(),
            free_slots: 0,
            scopes: vec![scope.to_owned()],
            wait: Duration::from_millis(wait_ms),
        };
        self.app.poll(worker, &wish).await.expect("an answer")
    }

    async fn status(&self, job: JobId) -> (String, u32) {
        let row = self.app.job(job).await.expect("a job").detail.steps.remove(0).row;
        (row.status.as_str().to_owned(), row.attempt.0)
    }

    async fn until_status(&self, job: JobId, status: &str) {
        let mut watch = self.app.watch_job(job);
        while self.status(job).await.0 != status {
            tokio::time::timeout(Duration::from_secs(20), watch.changed()).await.expect("within 20 s");
        }
    }
}

#[tokio::test]
async fn an_offer_goes_to_one_worker_of_its_scope_under_a_new_fence() {
    let fixture = Fixture::new(CHAIN, quick).await;
    let (first, old) = fixture.placed().await;
    let (second, third) = (fixture.other("w2", 2).await, fixture.other("w3", 3).await);
    let elsewhere = fixture.other("w4", 4).await;
    fixture.app.leave(&first).await.expect("left");
    assert!(fixture.poll_scope(&elsewhere, "docker:other", 50).await.claims.is_empty(), "another engine");
    let (left, right) =
        tokio::join!(fixture.poll_scope(&second, SCOPE, 300), fixture.poll_scope(&third, SCOPE, 300));
    assert_eq!(left.claims.len() + right.claims.len(), 1, "two workers of a scope get one offer");
    let (adopter, claim) = if left.claims.is_empty() {
        (&third, right.claims[0].clone())
    } else {
        (&second, left.claims[0].clone())
    };
    assert!(claim.lease.attempt == old.attempt && claim.lease.fence > old.fence);
    let adopted = Adopted { runtime: runtime(), running_for: None, log: StoredLog::default() };
    assert_eq!(claim.adopted, Some(adopted));
    assert_eq!(fixture.end(adopter, old).await, Verdict::LeaseLost);
    let again = fixture.poll_scope(adopter, SCOPE, 50).await;
    assert_eq!(again.claims[0].lease, claim.lease, "a reply that was lost is sent again, as an adoption");
    assert!(again.claims[0].adopted.is_some());
    assert_eq!(fixture.end(adopter, claim.lease).await, Verdict::Applied);
    assert_eq!(fixture.status(old.attempt.job).await, ("completed".to_owned(), 1));
}

#[tokio::test]
async fn a_poll_that_is_open_gets_an_offer_at_once() {
    let fixture = Fixture::new(CHAIN, quick).await;
    let (first, old) = fixture.placed().await;
    let second = fixture.other("w2", 2).await;
    let (answer, ()) = tokio::join!(fixture.poll_scope(&second, SCOPE, 20_000), async {
        fixture.app.leave(&first).await.expect("left");
    });
    assert_eq!(answer.claims[0].lease.attempt, old.attempt);
}

#[tokio::test]
async fn a_process_that_comes_back_without_its_leases_may_adopt_them() {
    let fixture = Fixture::new(CHAIN, quick).await;
    let (_, old) = fixture.placed().await;
    // The same instance, so that nothing has to be waited for.
    let worker = fixture.worker(1, Vec::new()).await;
    assert_eq!(fixture.status(old.attempt.job).await, ("running".to_owned(), 1));
    assert!(fixture.poll(&worker, Vec::new(), 4).await.claims.is_empty(), "it reaches no engine yet");
    let claim = fixture.poll_scope(&worker, SCOPE, 300).await.claims.remove(0);
    assert_eq!(claim.lease.attempt, old.attempt);
    assert_eq!(fixture.end(&worker, claim.lease).await, Verdict::Applied);
}

#[tokio::test]
async fn a_holder_that_names_its_lease_again_keeps_it() {
    let fixture = Fixture::new(CHAIN, |options| {
        quick(options);
        options.heartbeat_timeout = Duration::from_millis(300);
    })
    .await;
    let (_, lease) = fixture.placed().await;
    let is_offered = async || {
        let page = fixture.app.workers().await.expect("workers");
        page[0].leases.first().is_some_and(|row| row.offered_at.is_some())
    };
    let waited = async {
        while !is_offered().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.expect("judged gone within 20 s");
    let worker = fixture.worker(1, vec![lease]).await;
    assert!(!is_offered().await);
    let second = fixture.other("w2", 2).await;
    assert!(fixture.poll_scope(&second, SCOPE, 100).await.claims.is_empty());
    assert_eq!(fixture.end(&worker, lease).await, Verdict::Applied);
}

#[tokio::test]
async fn what_nobody_takes_over_in_time_is_lost_and_runs_again() {
    let fixture = Fixture::new(CHAIN, |options| {
        quick(options);
        options.adoption_timeout = Duration::from_millis(300);
    })
    .await;
    let (first, old) = fixture.placed().await;
    fixture.app.leave(&first).await.expect("left");
    assert_eq!(fixture.status(old.attempt.job).await, ("running".to_owned(), 1), "it is on offer");
    fixture.until_status(old.attempt.job, "ready").await;
    let second = fixture.other("w2", 2).await;
    assert!(fixture.poll_scope(&second, SCOPE, 50).await.claims.is_empty());
    assert_eq!(fixture.app.dead(vec![old]).await.expect("an answer"), [old]);
    assert_eq!(fixture.claim(&second).await.attempt.attempt, AttemptNumber(2));
}

#[tokio::test]
async fn what_cannot_outlive_its_worker_is_lost_at_once() {
    let fixture = Fixture::new(CHAIN, quick).await;
    let worker = fixture.worker(1, Vec::new()).await;
    let job = fixture.execute().await;
    fixture.claim(&worker).await;
    fixture.app.leave(&worker).await.expect("left");
    assert_eq!(fixture.status(job).await.0, "ready");
}

#[tokio::test]
async fn an_adopter_hears_of_a_cancel_and_how_long_the_step_has_been_running() {
    let fixture = Fixture::new(CHAIN, quick).await;
    let (first, old) = fixture.placed().await;
    let long_ago = Timestamp::from_micros(fixture.app.now().as_micros() - 90_000_000);
    fixture.report_one(&first, old, ReportIn::Started { at: long_ago }).await;
    fixture.app.leave(&first).await.expect("left");
    fixture.app.cancel(old.attempt.job).await.expect("cancelled");
    let second = fixture.other("w2", 2).await;
    let claim = fixture.poll_scope(&second, SCOPE, 300).await.claims.remove(0);
    let running_for = claim.adopted.expect("an adoption").running_for.expect("it started");
    assert!((90..120).contains(&running_for.as_secs()), "{running_for:?}");
    let kills = fixture.poll(&second, vec![claim.lease], 0).await.kills;
    assert_eq!(kills.iter().map(|row| row.lease).collect::<Vec<_>>(), [claim.lease]);
    let ended = ReportIn::Ended { outcome: Outcome::Cancelled, output: None };
    assert_eq!(fixture.report_one(&second, claim.lease, ended).await, Verdict::Applied);
    assert_eq!(fixture.status(old.attempt.job).await.0, "cancelled");
}

fn chunk(lease: LeaseKey, seq: u64, lines: &[(LogStream, &str)]) -> ChunkIn {
    let at = Timestamp::from_micros(1);
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    for (stream, text) in lines {
        builder.push(at, LineRef { at, stream: *stream, continued: false, text: text.as_bytes() });
    }
    let chunk = builder.flush().expect("lines");
    ChunkIn {
        lease,
        chunk: NewChunk {
            key: ChunkIn::key(lease),
            seq,
            lines: chunk.lines,
            raw_bytes: chunk.raw_bytes,
            first_at: chunk.first_at,
            last_at: chunk.last_at,
            payload: chunk.payload,
        },
    }
}

#[tokio::test]
async fn an_adopter_is_told_what_of_the_log_is_stored_and_the_old_holder_adds_nothing() {
    use LogStream::{Engine, Stderr, Stdout};
    let fixture = Fixture::new(CHAIN, quick).await;
    let (first, old) = fixture.placed().await;
    let chunks = vec![
        chunk(old, 0, &[(Engine, "pulling"), (Stdout, "one"), (Stderr, "oops")]),
        chunk(old, 1, &[(Stdout, "two"), (Stdout, "three")]),
    ];
    let raw_bytes: u64 = chunks.iter().map(|chunk| chunk.chunk.raw_bytes).sum();
    fixture.app.report(&first, chunks, Vec::new()).await.expect("stored");
    fixture.app.leave(&first).await.expect("left");
    let second = fixture.other("w2", 2).await;
    let claim = fixture.poll_scope(&second, SCOPE, 300).await.claims.remove(0);
    let log = StoredLog { next_seq: 2, raw_bytes, stdout_lines: 3, stderr_lines: 1 };
    assert_eq!(claim.adopted.expect("an adoption").log, log);
    let late = fixture.app.report(&first, vec![chunk(old, 2, &[(Stdout, "late")])], Vec::new()).await;
    assert_eq!(late.expect("an answer").chunks, [(old, None)]);
    let more = vec![chunk(claim.lease, 2, &[(Stdout, "four")])];
    let stored = fixture.app.report(&second, more, Vec::new()).await.expect("stored");
    assert_eq!(stored.chunks, [(claim.lease, Some(3))]);
}

#[tokio::test]
async fn only_what_belongs_to_attempts_that_are_over_is_dead() {
    let fixture = Fixture::new(CHAIN, quick).await;
    let (first, old) = fixture.placed().await;
    let mut unknown = old;
    unknown.attempt.job = JobId::from_bytes([0x71; 16]);
    let mut earlier = old;
    earlier.attempt.attempt = AttemptNumber(0);
    let dead = async |found: &[LeaseKey]| fixture.app.dead(found.to_vec()).await.expect("an answer");
    assert_eq!(dead(&[old, unknown, earlier]).await, [earlier], "it runs, is not ours, was before");
    fixture.app.leave(&first).await.expect("left");
    assert_eq!(dead(&[old]).await, [], "it is on offer");
    let second = fixture.other("w2", 2).await;
    let claim = fixture.poll_scope(&second, SCOPE, 300).await.claims.remove(0);
    assert_eq!(dead(&[old, claim.lease]).await, [], "it is adopted, whatever fence it was made under");
    fixture.end(&second, claim.lease).await;
    assert_eq!(dead(&[old, claim.lease]).await, [old, claim.lease]);
}
