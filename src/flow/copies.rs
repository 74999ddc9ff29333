//! Packets that were captured twice: on two interfaces (`any`, a router) or at two places of one path. They are one
//! packet on the wire and count once. A packet that the *network* duplicated is captured twice at the same place, and
//! is left to the stream's own count.
//!
//! A mirror port that copies both ways of a switch hands each packet over twice at one and the same place. That is told
//! from the network's duplicates by its share: nearly all media packets come in pairs, from the first one on. Of STUN and
//! DTLS each pair is one packet: no stack sends again so soon, and DTLS would give its record a new number.

use crate::{
    flow::{budget::Budget, key::Transport},
    time::{NANOS_PER_MILLI, NANOS_PER_SECOND, Timestamp},
};

/// Packets remembered while all were captured at one place.
const FEW: usize = 4;

/// Packets remembered once two places were seen: a router may hold packets back for a while.
const MANY: usize = 256;

/// Two captures of one packet are not further apart than this.
const WINDOW: i64 = NANOS_PER_SECOND;

/// The two packets of a mirrored pair are not further apart than this.
const PAIR: i64 = NANOS_PER_MILLI;

/// A mirror may miss one packet in this many.
const PAIRS_A_SINGLE: u32 = 10;

/// Recent packets of one direction of a flow.
#[derive(Clone, Debug, Default)]
#[repr(C, align(64))]
pub struct Copies {
    count: usize,
    identity: u32,
    mirror: Mirror,
    many: Option<Box<[Seen; MANY]>>,
    few: [Seen; FEW],
    copies: u64,
    budget: Budget,
}

/// Whether packets come in pairs.
#[derive(Clone, Copy, Debug, Default)]
struct Mirror {
    pairs: u32,
    singles: u32,
    /// Whether the last packet had its second.
    paired: bool,
}

impl Mirror {
    /// Whether this packet is the second of a pair, with `last` before it, in a direction whose packets come in pairs.
    #[inline]
    fn repeats(&mut self, last: Option<Seen>, packet: &Seen) -> bool {
        let is_second = !self.paired
            && last.is_some_and(|last| {
                last.fingerprint == packet.fingerprint
                    && last.identity == packet.identity
                    && packet.time.since(last.time).abs() <= PAIR
            });
        if is_second {
            self.paired = true;
            self.pairs = self.pairs.saturating_add(1);
            return self.singles.saturating_mul(PAIRS_A_SINGLE) <= self.pairs;
        }
        if !std::mem::take(&mut self.paired) && last.is_some() {
            self.singles = self.singles.saturating_add(1);
        }
        false
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    fingerprint: u64,
    time: Timestamp,
    identity: u32,
}

impl Copies {
    /// A memory of no packets; `budget` pays for that of many.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Whether this packet is a copy of one that was captured at another place. `identity` differs from place to place,
    /// `fingerprint` ([`fingerprint`]) does not. What `sort` of datagram it is tells whether copies at the same place are
    /// looked for too: of media they would be taken for the network's duplicates, of STUN and DTLS for retransmissions.
    #[inline]
    pub fn is_copy(&mut self, time: Timestamp, identity: u32, fingerprint: u64, sort: Sort) -> bool {
        if self.count == 0 {
            self.identity = identity;
        } else if identity != self.identity && self.many.is_none() {
            self.remember_more();
        }
        let seen = Seen { fingerprint, time, identity };
        if self.many.is_some() && self.find(&seen) {
            self.copies += 1;
            return true;
        }
        let is_second = match sort {
            Sort::Media => self.mirror.repeats(self.last(), &seen),
            Sort::Handshake => self.is_there(&seen),
            Sort::Other => false,
        };
        if is_second {
            self.copies += 1;
            return true;
        }
        let slot = match &mut self.many {
            Some(many) => many.get_mut(self.count % MANY),
            None => self.few.get_mut(self.count % FEW),
        };
        if let Some(slot) = slot {
            *slot = seen;
        }
        self.count += 1;
        false
    }

    /// The last packet that was no copy.
    #[inline]
    fn last(&self) -> Option<Seen> {
        let before = self.count.checked_sub(1)?;
        match &self.many {
            Some(many) => many.get(before % MANY).copied(),
            None => self.few.get(before % FEW).copied(),
        }
    }

    /// Copies found.
    #[must_use]
    pub const fn copies(&self) -> u64 {
        self.copies
    }

    #[cold]
    fn remember_more(&mut self) {
        if !self.budget.take(size_of::<[Seen; MANY]>()) {
            return;
        }
        let mut many = Box::new([Seen::default(); MANY]);
        for index in self.count.saturating_sub(FEW)..self.count {
            if let (Some(slot), Some(seen)) = (many.get_mut(index % MANY), self.few.get(index % FEW)) {
                *slot = *seen;
            }
        }
        self.many = Some(many);
    }

    /// Whether one of the last packets is the same, of the same place and moment.
    fn is_there(&self, packet: &Seen) -> bool {
        let recent = self.many.as_deref().map_or(&self.few[..], |many| &many[..]);
        recent.iter().any(|seen| {
            seen.fingerprint == packet.fingerprint
                && seen.identity == packet.identity
                && packet.time.since(seen.time).abs() <= PAIR
        })
    }

    fn find(&self, packet: &Seen) -> bool {
        self.many.iter().flat_map(|many| many.iter()).any(|seen| {
            seen.fingerprint == packet.fingerprint
                && seen.identity != packet.identity
                && packet.time.since(seen.time).abs() <= WINDOW
                && seen.time != Timestamp::default()
        })
    }
}

/// What a datagram may be by its first byte (RFC 7983), as far as it matters for copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// RTP or RTCP, or a relayed packet of them.
    Media,
    /// STUN or DTLS.
    Handshake,
    /// Another, or one whose transport tells copies itself.
    Other,
}

impl Sort {
    /// The sort of a datagram.
    #[inline]
    #[must_use]
    pub const fn of(transport: Transport, payload: &[u8]) -> Self {
        match (transport, payload) {
            (Transport::Udp, [64..=79 | 128..=191, ..]) => Self::Media,
            (Transport::Udp, [0..=3 | 20..=63, ..]) => Self::Handshake,
            _ => Self::Other,
        }
    }
}

/// A hash of what is the same wherever a packet is captured: its IP identification, length, first and last bytes.
#[inline]
#[must_use]
pub fn fingerprint(identification: u32, length: u32, payload: &[u8]) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (u64::from(identification) << 32 | u64::from(length)).wrapping_mul(MIX);
    let mut add = |word: u64| hash = (hash.rotate_left(23) ^ word).wrapping_mul(MIX);
    match (payload.first_chunk::<16>(), payload.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            let words = u128::from_le_bytes(*first);
            add(words as u64);
            add((words >> 64) as u64);
            add(u64::from_le_bytes(*last));
        }
        _ => payload.iter().for_each(|byte| add(u64::from(*byte))),
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp(1_000_000_000_000 + milliseconds * 1_000_000)
    }

    #[test]
    fn a_router_sees_each_packet_twice() {
        let mut copies = Copies::default();
        let found = (0..100).filter(|&index| {
            assert!(!copies.is_copy(at(20 * index), 1, index as u64, Sort::Media));
            copies.is_copy(at(20 * index), 2, index as u64, Sort::Media)
        });
        assert_eq!(found.count(), 100);
    }

    #[test]
    fn a_network_duplicate_is_no_copy() {
        let mut copies = Copies::default();
        assert!(!copies.is_copy(at(0), 1, 7, Sort::Other));
        assert!(!copies.is_copy(at(0), 1, 7, Sort::Other));
        assert!(copies.is_copy(at(1), 2, 7, Sort::Other));
        assert!(!copies.is_copy(at(5_000), 2, 7, Sort::Other));
    }

    #[test]
    fn a_mirror_hands_over_each_packet_twice() {
        let mut copies = Copies::default();
        let found = (0..100).filter(|&index| {
            assert!(!copies.is_copy(at(20 * index), 1, index as u64, Sort::Media));
            // One in fifty is missed.
            index % 50 != 49 && copies.is_copy(at(20 * index), 1, index as u64, Sort::Media)
        });
        assert_eq!(found.count(), 98);
    }

    #[test]
    fn duplicates_of_one_packet_in_ten_are_the_networks() {
        let mut copies = Copies::default();
        let found = (0..1000).filter(|&index| {
            assert!(!copies.is_copy(at(20 * index), 1, index as u64, Sort::Media));
            index % 10 == 3 && copies.is_copy(at(20 * index), 1, index as u64, Sort::Media)
        });
        assert_eq!(found.count(), 0);
    }

    #[test]
    fn stun_and_dtls_are_not_sent_again_within_a_millisecond() {
        let at = |micros: i64| Timestamp(1_000_000_000_000 + micros * 1000);
        let mut copies = Copies::default();
        // A mirror that hands over two packets and then both again.
        assert!(!copies.is_copy(at(0), 1, 7, Sort::Handshake));
        assert!(!copies.is_copy(at(5), 1, 8, Sort::Handshake));
        assert!(copies.is_copy(at(20), 1, 7, Sort::Handshake));
        assert!(copies.is_copy(at(25), 1, 8, Sort::Handshake));
        // The shortest timer of any stack, DTLS of BoringSSL with a short path, is 50 ms.
        assert!(!copies.is_copy(at(50_000), 1, 7, Sort::Handshake));
        assert_eq!(copies.copies(), 2);
    }
}
