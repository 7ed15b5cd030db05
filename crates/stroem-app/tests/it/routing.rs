//! How long a step waits for a worker with its tags. The clock is the test's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use stroem_app::{Clock, SystemClock};
use stroem_core::{JobId, StepStatus, Timestamp, WorkerId};

use crate::fixture::{CHAIN, Fixture};

/// Stands still until it is moved.
struct Moved {
    now: AtomicI64,
    /// How often somebody asked for the time.
    asked: AtomicU64,
}

impl Moved {
    fn new() -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(1_000_000_000), asked: AtomicU64::new(0) })
    }

    fn advance(&self, by: Duration) {
        self.now.fetch_add(i64::try_from(by.as_micros()).expect("short"), Ordering::SeqCst);
    }

    /// Waits until sweeps have begun and ended since the call. A sweep asks for the time twice, and while the test waits
    /// nobody else does so again and again.
    async fn sweeps(&self) {
        let seen = self.asked.load(Ordering::SeqCst);
        while self.asked.load(Ordering::SeqCst) < seen + 8 {
            tokio::time::sleep(SWEEP).await;
        }
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Timestamp::from_micros(self.now.load(Ordering::SeqCst))
    }

    fn random(&self) -> [u8; 32] {
        SystemClock.random()
    }

    fn job_id(&self) -> JobId {
        SystemClock.job_id()
    }

    fn worker_id(&self) -> WorkerId {
        SystemClock.worker_id()
    }
}

const SWEEP: Duration = Duration::from_millis(5);

async fn fixture(clock: &Arc<Moved>, unmatched: Option<Duration>) -> Fixture {
    let clock = Arc::clone(clock);
    Fixture::new(CHAIN, move |options| {
        options.clock = clock;
        options.sweep_interval = SWEEP;
        if let Some(unmatched) = unmatched {
            options.unmatched_step_timeout = unmatched;
        }
    })
    .await
}

async fn first_step(fixture: &Fixture, job: JobId) -> (StepStatus, Option<String>) {
    let row = fixture.app.step(job, "a").await.expect("a step").0.step.row;
    (row.status, row.error)
}

#[tokio::test]
async fn a_step_without_a_matching_worker_fails_after_30_s_or_what_is_configured() {
    for (configured, seconds) in [(None, 30), (Some(Duration::from_secs(2)), 2)] {
        let clock = Moved::new();
        let fixture = fixture(&clock, configured).await;
        let job = fixture.execute().await;
        clock.sweeps().await;
        clock.advance(Duration::from_secs(seconds) - Duration::from_millis(1));
        clock.sweeps().await;
        assert_eq!(first_step(&fixture, job).await, (StepStatus::Ready, None), "just before {seconds} s");
        clock.advance(Duration::from_millis(2));
        let text = "No active worker with required tags to run this step".to_owned();
        for _ in 0..500 {
            if first_step(&fixture, job).await.0 == StepStatus::Failed {
                break;
            }
            tokio::time::sleep(SWEEP).await;
        }
        assert_eq!(first_step(&fixture, job).await, (StepStatus::Failed, Some(text)), "after {seconds} s");
    }
}

#[tokio::test]
async fn absence_is_counted_from_the_last_matching_worker_not_from_the_ready_time() {
    let clock = Moved::new();
    let fixture = fixture(&clock, None).await;
    let mut worker = fixture.worker(1, Vec::new()).await;
    // It is there and busy with other things for longer than the time-out.
    let job = fixture.execute().await;
    for _ in 0..5 {
        clock.advance(Duration::from_secs(10));
        fixture.app.heartbeat(&worker, false).await.expect("noted");
        clock.sweeps().await;
    }
    // Away for nearly the whole time-out, twice.
    for instance in [2, 3] {
        fixture.app.leave(&worker).await.expect("left");
        clock.sweeps().await;
        clock.advance(Duration::from_secs(29));
        clock.sweeps().await;
        assert_eq!(first_step(&fixture, job).await, (StepStatus::Ready, None));
        worker = fixture.worker(instance, Vec::new()).await;
        clock.sweeps().await;
    }
    let lease = fixture.claim(&worker).await;
    assert_eq!(lease.attempt.job, job);
}
