//! Packets in the order of their sequence numbers, each once (RFC 3550 appendix A.1).

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// An RTP packet: what extraction needs of it. Retransmissions (RFC 4588) come as the packets that they repeat.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// The sequence number.
    pub sequence: u16,
    /// The RTP timestamp.
    pub timestamp: u32,
    /// The marker bit.
    pub marker: bool,
    /// The payload type.
    pub payload_type: u8,
    /// The payload, in clear and without padding.
    pub payload: &'a [u8],
}

/// A packet that has waited for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ordered {
    pub at: Timestamp,
    pub timestamp: u32,
    pub marker: bool,
    pub payload_type: u8,
    pub payload: Vec<u8>,
    /// How many packets are missing right before it.
    pub lost: u64,
    /// Its sender began anew: what is missing before it is not known.
    pub restarted: bool,
}

/// A buffer of a few hundred packets. A packet leaves it when all before it have, or when the buffer is full: those
/// still missing are lost then.
#[derive(Debug, Default)]
pub(super) struct Reorder {
    waiting: BTreeMap<i64, Ordered>,
    bytes: usize,
    /// The extended sequence number of the next packet to leave, once the first has.
    next: Option<i64>,
    newest: Option<i64>,
    /// A packet far from all others: the sender has begun anew, if the one that follows it comes next.
    stray: Option<(u16, Ordered)>,
    ready: std::collections::VecDeque<Ordered>,
    /// Packets that came twice, or when they were already given up.
    pub unused: u64,
}

impl Reorder {
    pub(super) fn push(&mut self, packet: &Packet<'_>) {
        let owned = Ordered {
            at: packet.at,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload_type: packet.payload_type,
            payload: packet.payload.to_vec(),
            lost: 0,
            restarted: false,
        };
        let Some(newest) = self.newest else { return self.start(packet.sequence, owned) };
        let extended = newest + i64::from(packet.sequence.wrapping_sub(newest as u16) as i16);
        if (extended - newest).abs() > FARTHEST {
            return self.push_stray(packet.sequence, owned);
        }
        self.stray = None;
        self.insert(extended, owned);
        self.release(WINDOW);
    }

    /// The next packet whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Ordered> {
        self.ready.pop_front()
    }

    /// No more packets come: all that wait are ready.
    pub(super) fn end(&mut self) {
        self.stray = None;
        self.release(0);
    }

    fn start(&mut self, sequence: u16, packet: Ordered) {
        let extended = i64::from(sequence);
        self.newest = Some(extended);
        self.insert(extended, packet);
    }

    fn push_stray(&mut self, sequence: u16, packet: Ordered) {
        let Some((before, mut stray)) = self.stray.take_if(|(before, _)| before.wrapping_add(1) == sequence) else {
            self.unused += u64::from(self.stray.replace((sequence, packet)).is_some());
            return;
        };
        self.release(0);
        stray.restarted = true;
        self.next = None;
        self.start(before, stray);
        self.insert(i64::from(before) + 1, packet);
    }

    fn insert(&mut self, extended: i64, packet: Ordered) {
        if self.next.is_some_and(|next| extended < next) || self.waiting.contains_key(&extended) {
            self.unused += 1;
            return;
        }
        self.newest = self.newest.max(Some(extended));
        self.bytes += packet.payload.len();
        self.waiting.insert(extended, packet);
    }

    /// Moves what has its turn to `ready`. Of the first packets of a stream a few wait for each other, as any may be the
    /// first.
    fn release(&mut self, window: usize) {
        while let Some(first) = self.waiting.first_entry() {
            let extended = *first.key();
            let span = self.newest.unwrap_or(extended) - extended;
            let is_full = span >= window as i64 || self.bytes > MOST_BYTES;
            let is_next = match self.next {
                Some(next) => extended == next,
                None => span >= FIRST_WINDOW,
            };
            if !is_next && !is_full {
                break;
            }
            let mut packet = first.remove();
            packet.lost = self.next.map_or(0, |next| u64::try_from(extended - next).unwrap_or_default());
            self.bytes -= packet.payload.len();
            self.next = Some(extended + 1);
            self.ready.push_back(packet);
        }
    }
}

/// How many sequence numbers a packet may come late.
const WINDOW: usize = 512;

/// The same of the first packet of a stream.
const FIRST_WINDOW: i64 = 16;

/// Payload bytes that wait at most.
const MOST_BYTES: usize = 8 << 20;

/// Sequence numbers that may be missing in a row before it looks like another sequence: MAX_DROPOUT of RFC 3550.
const FARTHEST: i64 = 3000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(sequences: impl IntoIterator<Item = u16>) -> (Vec<(u8, u64)>, u64) {
        let mut reorder = Reorder::default();
        let mut out = Vec::new();
        for sequence in sequences {
            reorder.push(&packet(sequence));
            out.extend(std::iter::from_fn(|| reorder.pop()));
        }
        reorder.end();
        out.extend(std::iter::from_fn(|| reorder.pop()));
        (out.iter().map(|packet| (packet.payload[0], packet.lost)).collect(), reorder.unused)
    }

    fn packet(sequence: u16) -> Packet<'static> {
        static BYTES: [u8; 256] = {
            let mut bytes = [0; 256];
            let mut at = 0;
            while at < 256 {
                bytes[at] = at as u8;
                at += 1;
            }
            bytes
        };
        let payload = std::slice::from_ref(&BYTES[usize::from(sequence as u8)]);
        Packet { at: Timestamp(0), sequence, timestamp: 0, marker: false, payload_type: 0, payload }
    }

    #[test]
    fn order_and_duplicates() {
        assert_eq!(order([2, 1, 1, 3, 5, 4, 4]), (vec![(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)], 2));
        assert_eq!(order([1, 2, 5]), (vec![(1, 0), (2, 0), (5, 2)], 0));
        // Around the wrap of the sequence number.
        assert_eq!(order([65534, 0, 65535, 1]), (vec![(254, 0), (255, 0), (0, 0), (1, 0)], 0));
    }

    #[test]
    fn late_packets_have_their_place() {
        // A retransmission 400 packets late is put where it belongs; one of 600 is not.
        let late = |by: u16| order((0..50).chain(51..=50 + by).chain([50]).chain(51 + by..1000));
        let (packets, unused) = late(400);
        assert_eq!((packets.len(), unused, packets.iter().all(|(_, lost)| *lost == 0)), (1000, 0, true));
        let (packets, unused) = late(600);
        assert_eq!((packets.len(), unused, packets.iter().map(|(_, lost)| lost).sum::<u64>()), (999, 1, 1));
    }

    #[test]
    fn a_new_sequence_needs_two_packets() {
        let sequences = (0..100).chain([40_000]).chain(100..200).chain(50_000..50_100);
        let (packets, unused) = order(sequences);
        assert_eq!((packets.len(), unused), (300, 0));
        assert!(packets.iter().all(|(_, lost)| *lost == 0));
    }

    proptest! {
        #[test]
        fn any_sequence(sequences in proptest::collection::vec(any::<u16>(), 0..300)) {
            let count = sequences.len();
            let (packets, unused) = order(sequences);
            prop_assert!(packets.len() + unused as usize <= count);
        }
    }
}
