//! The one place that reads the clock, makes ids and draws a random number.

use std::time::Duration;

use stroem_core::{InstanceId, Timestamp};

/// The time.
#[expect(clippy::disallowed_methods, reason = "this is the place that the rule points to")]
pub(crate) fn now() -> Timestamp {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
}

/// How long until a time; zero when it is over.
pub(crate) fn until(at: Timestamp) -> Duration {
    at.since(now())
}

/// An id for this process.
#[expect(clippy::disallowed_methods, reason = "this is the place that the rule points to")]
pub(crate) fn instance_id() -> InstanceId {
    InstanceId::from_uuid(uuid::Uuid::now_v7())
}

/// A random part of a duration, from a half to the whole.
#[expect(clippy::disallowed_methods, reason = "this is the place that the rule points to")]
pub(crate) fn jittered(duration: Duration) -> Duration {
    // The last bytes of a UUIDv7 are random.
    let random = u32::from(uuid::Uuid::now_v7().as_bytes()[15]);
    duration / 2 + duration * random / 512
}
