//! So many responses a second for each source, in a table of fixed size.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    time::Duration,
};

/// Entries of the table. Two sources that fall on the same one share it.
const ENTRIES: usize = 1 << 16;

/// Nanoseconds of a second: a source may have the responses of this time at once.
const SECOND: u64 = 1_000_000_000;

/// A limit for each source (the generic cell rate algorithm of ITU-T I.371).
#[derive(Debug)]
pub(super) struct RateLimit {
    /// Nanoseconds that one response costs.
    interval: u64,
    /// For each entry the time, in nanoseconds, up to which it is paid for.
    paid_until: Vec<u64>,
    /// Its key is random, so that nobody can choose who shares an entry with whom.
    hasher: RandomState,
}

impl RateLimit {
    pub(super) fn new(responses_a_second: NonZeroU32) -> Self {
        let interval = SECOND / u64::from(responses_a_second.get());
        Self { interval, paid_until: vec![0; ENTRIES], hasher: RandomState::new() }
    }

    /// Whether `source` may have one more response at `now`; if so it has been counted.
    pub(super) fn allows(&mut self, now: Duration, source: IpAddr) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let entry = self.hasher.hash_one(network(source)) as usize % ENTRIES;
        let Some(paid_until) = self.paid_until.get_mut(entry) else { return false };
        let next = (*paid_until).max(now).saturating_add(self.interval);
        if next.saturating_sub(now) > SECOND {
            return false;
        }
        *paid_until = next;
        true
    }
}

/// An IPv4 address, or the 64 bits of an IPv6 address that a host cannot choose.
fn network(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_share_and_no_more() {
        let mut limit = RateLimit::new(NonZeroU32::new(10).unwrap());
        let source: IpAddr = "192.0.2.1".parse().unwrap();
        let mut granted = |at| (0..100).filter(|_| limit.allows(Duration::from_millis(at), source)).count();
        assert_eq!(granted(5_000), 10, "a burst of one second's worth");
        assert_eq!(granted(5_100), 1);
        assert_eq!(granted(5_350), 2);
        assert_eq!(granted(4_000), 0, "time that goes back grants nothing");
        assert_eq!(granted(60_000), 10);
    }

    #[test]
    fn sources_are_told_apart() {
        let mut limit = RateLimit::new(NonZeroU32::MIN);
        let mut allows = |text: &str| limit.allows(Duration::ZERO, text.parse().unwrap());
        assert!(allows("192.0.2.1") && !allows("192.0.2.1"));
        // One in 65,536 runs two of these share an entry; hence several.
        assert!((2..9).filter(|last| allows(&format!("192.0.2.{last}"))).count() >= 6);
        assert!(allows("2001:db8::1") && !allows("2001:db8::2"), "one network of 64 bits is one source");
        assert!((1..9).filter(|net| allows(&format!("2001:db8:{net}::1"))).count() >= 7);
    }

    #[test]
    fn memory_does_not_grow() {
        let mut limit = RateLimit::new(NonZeroU32::MIN);
        for number in 0..200_000_u32 {
            limit.allows(Duration::ZERO, IpAddr::from(number.to_be_bytes()));
        }
        assert_eq!(limit.paid_until.len(), ENTRIES);
    }
}
