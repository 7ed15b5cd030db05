//! The one place that reads the clock and draws random numbers and ids.

use stroem_core::{JobId, Timestamp, WorkerId};

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
