//! Wrong tokens by address: after ten within a minute none from there is looked at until that minute is over. Memory is
//! bounded: of very many addresses the ones that failed longest ago are forgotten.

use std::{net::IpAddr, num::NonZeroUsize, time::Duration};

use lru::LruCache;
use stroem_core::Timestamp;

const ALLOWED: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
const ADDRESSES: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// Wrong tokens that were seen lately.
#[derive(Debug)]
pub(super) struct Failures {
    seen: LruCache<IpAddr, Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Timestamp,
    count: u32,
}

impl Default for Failures {
    fn default() -> Self {
        Self { seen: LruCache::new(ADDRESSES) }
    }
}

impl Failures {
    /// For how long nothing from this address is looked at.
    pub(super) fn wait(&mut self, from: IpAddr, now: Timestamp) -> Option<Duration> {
        let window = *self.seen.peek(&whose(from))?;
        let over = window.began.after(WINDOW);
        let left = over.as_micros() - now.as_micros();
        if left <= 0 {
            self.seen.pop(&whose(from));
            return None;
        }
        (window.count >= ALLOWED).then(|| Duration::from_micros(left.unsigned_abs()))
    }

    /// Notes one.
    pub(super) fn note(&mut self, from: IpAddr, now: Timestamp) {
        let window = self.seen.get_or_insert_mut(whose(from), || Window { began: now, count: 0 });
        if window.began.after(WINDOW) <= now {
            *window = Window { began: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
    }
}

/// Who has an IPv6 address has the other 2^64 of its network as well.
fn whose(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn ten_failures_of_an_address_close_it_for_the_rest_of_a_minute() {
        let mut failures = Failures::default();
        let (bad, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        for second in 0..10 {
            assert_eq!(failures.wait(bad, at(second)), None, "{second}");
            failures.note(bad, at(second));
        }
        assert_eq!(failures.wait(bad, at(20)), Some(Duration::from_secs(40)));
        assert_eq!(failures.wait(other, at(20)), None);
        assert_eq!(failures.wait(bad, at(60)), None);
        failures.note(bad, at(61));
        assert_eq!(failures.wait(bad, at(62)), None);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let mut failures = Failures::default();
        for last in 1..=10_u16 {
            failures.note(format!("2001:db8::{last}").parse().expect("an address"), at(0));
        }
        assert!(failures.wait("2001:db8::ffff".parse().expect("an address"), at(1)).is_some());
        assert!(failures.wait("2001:db8:0:1::1".parse().expect("an address"), at(1)).is_none());
    }

    #[test]
    fn memory_is_bounded_however_many_addresses_fail() {
        let mut failures = Failures::default();
        for number in 0..20_000_u32 {
            failures.note(IpAddr::V4(number.into()), at(0));
        }
        assert_eq!(failures.seen.len(), ADDRESSES.get());
    }
}
