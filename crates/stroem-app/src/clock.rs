//! The one place that reads the clock and draws random numbers and ids.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use stroem_core::{JobId, Timestamp, WorkerId};
use stroem_store::{ReplicaStore, StoreError};

/// Time and chance, as the application sees them. A simulator has its own.
pub trait Clock: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> Timestamp;
    /// Random bytes for tokens.
    fn random(&self) -> [u8; 32];
    /// A new job's id.
    fn job_id(&self) -> JobId;
    /// A new worker's id.
    fn worker_id(&self) -> WorkerId;
}

/// The machine's clock and random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is the place that the rule points to")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
    }

    fn random(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
        bytes
    }

    fn job_id(&self) -> JobId {
        JobId::from_uuid(uuid::Uuid::now_v7())
    }

    fn worker_id(&self) -> WorkerId {
        WorkerId::from_uuid(uuid::Uuid::now_v7())
    }
}

/// The store's clock as the servers of a store go by it: the machine's own, corrected by what the store says.
pub(crate) struct SharedClock {
    own: Arc<dyn Clock>,
    ahead_us: AtomicI64,
}

/// How exact the machines' clocks are taken to be.
const EXACT_US: i64 = 1_000;

impl SharedClock {
    pub(crate) fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, ahead_us: AtomicI64::new(0) }
    }

    /// Asks the store for its time. The answer was true at some time between question and answer; as long as that may have
    /// been what this clock says, it stays as it is.
    pub(crate) async fn set(&self, store: &dyn ReplicaStore) -> Result<(), StoreError> {
        let asked = self.own.now().as_micros();
        let time = store.time().await?.as_micros();
        let answered = self.own.now().as_micros();
        let ahead_us = self.ahead_us.load(Ordering::Relaxed);
        if let Some(corrected) = corrected(ahead_us, asked, time, answered) {
            tracing::debug!(ahead_us = corrected, "the store's clock goes otherwise than this machine's");
            self.ahead_us.store(corrected, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// How far the store's clock is ahead; none when it is as far as was known.
fn corrected(known: i64, asked: i64, time: i64, answered: i64) -> Option<i64> {
    let (least, most) = (time - answered - EXACT_US, time - asked + EXACT_US);
    (known < least || known > most).then_some((least + most) / 2)
}

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        let ahead_us = self.ahead_us.load(Ordering::Relaxed);
        Timestamp::from_micros(self.own.now().as_micros().saturating_add(ahead_us))
    }

    fn random(&self) -> [u8; 32] {
        self.own.random()
    }

    fn job_id(&self) -> JobId {
        self.own.job_id()
    }

    fn worker_id(&self) -> WorkerId {
        self.own.worker_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_corrected_only_when_it_must_be_wrong() {
        for (known, asked, time, answered, expected) in [
            (0, 0, 5_000, 10_000, None),
            (0, 0, 0, 10_000, None),
            (0, 0, 10_000, 10_000, None),
            (0, 0, 60_000_000, 10_000, Some(59_995_000)),
            (0, 60_000_000, 0, 60_010_000, Some(-60_005_000)),
            (59_995_000, 0, 60_000_000, 10_000, None),
        ] {
            assert_eq!(
                corrected(known, asked, time, answered),
                expected,
                "{known} {asked} {time} {answered}"
            );
        }
    }
}
