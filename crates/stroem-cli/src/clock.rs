//! The one clock of the program.

use std::time::{SystemTime, UNIX_EPOCH};

use stroem_core::Timestamp;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "this is the one clock of the program")]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(0).after(since_epoch)
}
