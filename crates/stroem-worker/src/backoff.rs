//! Waiting before trying again, a little longer each time. Servers restart; a worker outlasts that, whatever it takes.

use std::time::Duration;

use crate::clock;

const FIRST: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
pub(crate) const LONGEST: Duration = Duration::from_secs(2);

/// Waits with jitter, doubled from try to try.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self::up_to(LONGEST)
    }

    pub(crate) const fn up_to(longest: Duration) -> Self {
        Self { next: FIRST, longest }
    }

    /// How long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = clock::jittered(self.next.min(self.longest));
        self.next = (self.next * 2).min(self.longest);
        wait
    }

    /// Waits.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next()).await;
    }

    /// It worked: the next failure waits shortly again.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Whether nothing failed since the last success.
    pub(crate) fn is_fresh(&self) -> bool {
        self.next == FIRST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_start_again() {
        let mut backoff = Backoff::new();
        assert!(backoff.is_fresh());
        let waits: Vec<Duration> = (0..9).map(|_| backoff.next()).collect();
        assert!((FIRST / 2..=FIRST).contains(&waits[0]), "{waits:?}");
        assert!((LONGEST / 2..=LONGEST).contains(&waits[8]), "{waits:?}");
        assert!(!backoff.is_fresh());
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
