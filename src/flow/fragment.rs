//! IP fragments put together (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! Bounded: `MAX_DATAGRAMS` packets of 64 KiB, `MAX_PIECES` separate ranges each, `TIMEOUT` of packet time.

use std::{collections::VecDeque, ops::Range};

use crate::{
    time::{NANOS_PER_SECOND, Timestamp},
    wire::{Endpoint, Fragment, Kind, Packet},
};

/// How many packets may be incomplete at once; the oldest makes room.
const MAX_DATAGRAMS: usize = 256;

/// How many separate ranges of one packet may be there before their gaps are filled.
const MAX_PIECES: usize = 64;

/// The longest IP payload, in bytes.
const MAX_LENGTH: usize = 65_535;

/// How long the rest of a packet is waited for, in nanoseconds. RFC 791 suggests 15 s, RFC 8200 says 60 s, Linux 30 s.
const TIMEOUT: i64 = 30 * NANOS_PER_SECOND;

/// Puts fragments together.
#[derive(Debug, Default)]
pub struct Reassembler {
    /// By the arrival of their first piece.
    datagrams: VecDeque<Datagram>,
    counters: Counters,
}

/// What became of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// More pieces are needed, or the piece was there already.
    Pending,
    /// It was the last one missing: the whole IP payload, for [`resume`](crate::wire::resume).
    Complete(Vec<u8>),
    /// The piece cannot be used: [`Kind::Snapped`] if not all of it was captured, [`Kind::BadValue`] if IPv6 pieces
    /// overlap (RFC 5722), [`Kind::BadLength`] if it has no bytes, an odd length, or reaches past the end,
    /// [`Kind::TooMany`] if there are too many gaps.
    Discarded(Kind),
}

/// How many IP packets, not pieces, came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Put together.
    pub completed: u64,
    /// Incomplete when their time was over.
    pub expired: u64,
    /// Incomplete when they had to make room for others.
    pub evicted: u64,
    /// Given up because of one of their pieces.
    pub discarded: u64,
    /// Incomplete so far. At the end of a capture: incomplete for ever.
    pub pending: u64,
}

impl Reassembler {
    /// One with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a piece: `bytes` are the captured ones of its IP payload, `packet` and `fragment` what was read of it.
    ///
    /// Pieces captured at different places ([`Packet::identity`]) are put together apart, so that a datagram that was
    /// captured twice comes out twice, as one without fragments does.
    pub fn push(&mut self, time: Timestamp, packet: &Packet, fragment: &Fragment, bytes: &[u8]) -> Outcome {
        self.expire(time);
        let key = Key::new(packet, fragment);
        let index = match self.datagrams.iter().position(|datagram| datagram.key == key) {
            Some(index) => index,
            None => {
                if self.datagrams.len() >= MAX_DATAGRAMS
                    && let Some(oldest) = self.datagrams.pop_front()
                    && !oldest.given_up
                {
                    self.counters.evicted += 1;
                }
                self.datagrams.push_back(Datagram::new(key, time));
                self.datagrams.len() - 1
            }
        };
        let Some(datagram) = self.datagrams.get_mut(index) else { return Outcome::Pending };
        match datagram.push(fragment, bytes, (packet.length as usize) > bytes.len()) {
            Ok(false) => Outcome::Pending,
            Ok(true) => {
                self.counters.completed += 1;
                let whole = self.datagrams.remove(index).map(|datagram| datagram.bytes);
                Outcome::Complete(whole.unwrap_or_default())
            }
            Err(Refused::Piece(kind)) => Outcome::Discarded(kind),
            Err(Refused::Datagram(kind)) => {
                self.counters.discarded += u64::from(!datagram.given_up);
                datagram.give_up();
                Outcome::Discarded(kind)
            }
        }
    }

    /// How many packets came to which end.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            pending: self.datagrams.iter().filter(|datagram| !datagram.given_up).count() as u64,
            ..self.counters
        }
    }

    /// Forgets what has waited too long. Time that goes backwards expires nothing.
    fn expire(&mut self, now: Timestamp) {
        while let Some(oldest) = self.datagrams.front()
            && now.since(oldest.since) > TIMEOUT
        {
            self.counters.expired += u64::from(!oldest.given_up);
            self.datagrams.pop_front();
        }
    }
}

/// What all pieces of a packet share. RFC 8200 does not count the protocol, RFC 791 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    identification: u32,
    identity: u32,
    source: Endpoint,
    destination: Endpoint,
    protocol: Option<u8>,
}

impl Key {
    fn new(packet: &Packet, fragment: &Fragment) -> Self {
        Self {
            identification: fragment.identification,
            identity: packet.identity,
            source: packet.source,
            destination: packet.destination,
            protocol: (fragment.version == 4).then_some(fragment.protocol),
        }
    }
}

/// A packet in pieces.
#[derive(Debug)]
struct Datagram {
    key: Key,
    since: Timestamp,
    /// The payload as far as pieces reach, with zeros in the gaps.
    bytes: Vec<u8>,
    /// Which of `bytes` are there: sorted, apart from each other.
    ranges: Vec<Range<usize>>,
    /// How long the whole is, once its last piece was seen.
    total: Option<usize>,
    /// Nothing is kept any more, but that its other pieces are not wanted.
    given_up: bool,
}

/// Why a piece is not taken.
enum Refused {
    /// It alone is wrong; the right one may come.
    Piece(Kind),
    /// The whole packet is lost with it.
    Datagram(Kind),
}

impl Datagram {
    fn new(key: Key, since: Timestamp) -> Self {
        Self { key, since, bytes: Vec::new(), ranges: Vec::new(), total: None, given_up: false }
    }

    /// Takes a piece; true when the whole is there.
    fn push(&mut self, fragment: &Fragment, bytes: &[u8], snapped: bool) -> Result<bool, Refused> {
        const UNIT: usize = 8;
        if self.given_up {
            return Err(Refused::Datagram(Kind::BadValue));
        }
        if snapped {
            return Err(Refused::Datagram(Kind::Snapped));
        }
        let start = fragment.offset as usize;
        let end = start.saturating_add(bytes.len());
        if bytes.is_empty() || end > MAX_LENGTH || fragment.more && !bytes.len().is_multiple_of(UNIT) {
            return Err(Refused::Piece(Kind::BadLength));
        }
        // Two ends that differ, or bytes after the end: one of the pieces lies.
        let reached = self.ranges.last().map_or(0, |range| range.end);
        let too_far = self.total.is_some_and(|total| end > total || !fragment.more && end < total);
        if too_far || !fragment.more && end < reached {
            return Err(Refused::Piece(Kind::BadLength));
        }
        match self.overlap(start..end) {
            0 => {}
            all if all == bytes.len() && self.bytes.get(start..end) == Some(bytes) => {
                return Ok(self.note_end(fragment, end));
            }
            _ if fragment.version != 4 => return Err(Refused::Datagram(Kind::BadValue)),
            _ => {}
        }
        self.fill(start..end, bytes)?;
        Ok(self.note_end(fragment, end))
    }

    /// How many bytes of `piece` are there already.
    fn overlap(&self, piece: Range<usize>) -> usize {
        self.ranges.iter().map(|there| piece.end.min(there.end).saturating_sub(piece.start.max(there.start))).sum()
    }

    /// Copies what is not there yet: the first copy of a byte stays (RFC 791's example lets the last stay; hosts differ).
    fn fill(&mut self, piece: Range<usize>, bytes: &[u8]) -> Result<(), Refused> {
        if self.ranges.len() >= MAX_PIECES {
            return Err(Refused::Datagram(Kind::TooMany));
        }
        if self.bytes.len() < piece.end {
            self.bytes.resize(piece.end, 0);
        }
        let mut merged = piece.clone();
        let mut at = piece.start;
        let gaps = self.ranges.iter().cloned().chain(std::iter::once(MAX_LENGTH..MAX_LENGTH));
        for there in gaps {
            let gap = at..there.start.min(piece.end);
            if let Some(from) = bytes.get(gap.start - piece.start..gap.end.saturating_sub(piece.start))
                && let Some(into) = self.bytes.get_mut(gap)
            {
                into.copy_from_slice(from);
            }
            at = at.max(there.end).min(piece.end);
        }
        self.ranges.retain(|there| {
            let touches = there.start <= merged.end && merged.start <= there.end;
            if touches {
                merged = merged.start.min(there.start)..merged.end.max(there.end);
            }
            !touches
        });
        let place = self.ranges.partition_point(|there| there.start < merged.start);
        self.ranges.insert(place, merged);
        Ok(())
    }

    /// Notes where the packet ends, if this piece says so; true when the whole is there.
    fn note_end(&mut self, fragment: &Fragment, end: usize) -> bool {
        if !fragment.more {
            self.total = Some(end);
        }
        self.total.is_some_and(|total| self.ranges.first() == Some(&(0..total)))
    }

    fn give_up(&mut self) {
        self.given_up = true;
        self.bytes = Vec::new();
        self.ranges = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Content, LinkType, parse};

    /// A piece of an IPv4 (protocol 200) or IPv6 packet, as it would be captured.
    fn piece(version: u8, identification: u16, offset: u16, more: bool, bytes: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        if version == 4 {
            frame.extend([0x45, 0]);
            frame.extend((bytes.len() as u16 + 20).to_be_bytes());
            frame.extend(identification.to_be_bytes());
            frame.extend(((offset / 8) | (u16::from(more) << 13)).to_be_bytes());
            frame.extend([64, 200, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        } else {
            frame.extend([0x60, 0, 0, 0]);
            frame.extend((bytes.len() as u16 + 8).to_be_bytes());
            frame.extend([44, 64]);
            frame.extend([1; 32]);
            frame.extend([200, 0]);
            frame.extend((offset | u16::from(more)).to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(identification.to_be_bytes());
        }
        frame.extend(bytes);
        frame
    }

    fn push(reassembler: &mut Reassembler, seconds: i64, frame: &[u8]) -> Outcome {
        let packet = parse(LinkType::RAW, frame).unwrap();
        let Content::Fragment(fragment) = packet.content else { panic!("{packet:?}") };
        let bytes = &frame[packet.payload as usize..][..packet.captured as usize];
        reassembler.push(Timestamp(seconds * NANOS_PER_SECOND), &packet, &fragment, bytes)
    }

    #[test]
    fn in_any_order_and_twice() {
        for version in [4, 6] {
            let mut reassembler = Reassembler::new();
            assert_eq!(push(&mut reassembler, 0, &piece(version, 1, 16, false, b"tail")), Outcome::Pending);
            assert_eq!(push(&mut reassembler, 0, &piece(version, 1, 8, true, b"middle..")), Outcome::Pending);
            assert_eq!(push(&mut reassembler, 1, &piece(version, 1, 8, true, b"middle..")), Outcome::Pending);
            assert_eq!(push(&mut reassembler, 1, &piece(version, 2, 0, true, b"another.")), Outcome::Pending);
            let whole = Outcome::Complete(b"head....middle..tail".to_vec());
            assert_eq!(push(&mut reassembler, 2, &piece(version, 1, 0, true, b"head....")), whole);
            assert_eq!(reassembler.counters(), Counters { completed: 1, pending: 1, ..Counters::default() });
            push(&mut reassembler, 100, &piece(version, 3, 0, true, b"third..."));
            assert_eq!(
                reassembler.counters(),
                Counters { completed: 1, expired: 1, pending: 1, ..Counters::default() }
            );
        }
    }

    #[test]
    fn overlaps() {
        let mut reassembler = Reassembler::new();
        push(&mut reassembler, 0, &piece(4, 1, 8, true, b"firstone"));
        push(&mut reassembler, 0, &piece(4, 1, 0, true, b"........XXXXXXXXTheThird"));
        assert_eq!(
            push(&mut reassembler, 0, &piece(4, 1, 24, false, b"end")),
            Outcome::Complete(b"........firstoneTheThirdend".to_vec())
        );
        // RFC 5722: the whole packet, and what comes of it later.
        push(&mut reassembler, 0, &piece(6, 1, 8, true, b"firstone"));
        assert_eq!(
            push(&mut reassembler, 0, &piece(6, 1, 0, true, b"overlapsoverlaps")),
            Outcome::Discarded(Kind::BadValue)
        );
        assert_eq!(push(&mut reassembler, 0, &piece(6, 1, 16, false, b"end")), Outcome::Discarded(Kind::BadValue));
        assert_eq!(reassembler.counters(), Counters { completed: 1, discarded: 1, ..Counters::default() });
    }

    #[test]
    fn pieces_that_cannot_be() {
        let mut reassembler = Reassembler::new();
        let bad = Outcome::Discarded(Kind::BadLength);
        assert_eq!(push(&mut reassembler, 0, &piece(4, 1, 0, true, b"")), bad);
        assert_eq!(push(&mut reassembler, 0, &piece(4, 1, 0, true, b"seven..")), bad);
        assert_eq!(push(&mut reassembler, 0, &piece(4, 1, 65_528, false, b"beyond the end")), bad);
        assert_eq!(push(&mut reassembler, 0, &piece(4, 1, 16, false, b"end")), Outcome::Pending);
        assert_eq!(push(&mut reassembler, 0, &piece(4, 1, 24, true, b"after it")), bad);
        assert_eq!(push(&mut reassembler, 0, &piece(4, 1, 8, false, b"earlier")), bad);
        let snapped = piece(4, 2, 0, true, b"snapped.");
        assert_eq!(push(&mut reassembler, 0, &snapped[..24]), Outcome::Discarded(Kind::Snapped));
        assert_eq!(reassembler.counters(), Counters { discarded: 1, pending: 1, ..Counters::default() });
    }

    #[test]
    fn bounded() {
        let mut reassembler = Reassembler::new();
        for identification in 0..1000 {
            push(&mut reassembler, 0, &piece(4, identification, 0, true, b"........"));
        }
        let counters = reassembler.counters();
        assert_eq!((counters.pending, counters.evicted), (MAX_DATAGRAMS as u64, 1000 - MAX_DATAGRAMS as u64));
        let many = (0..100).map(|gap| push(&mut reassembler, 0, &piece(4, 5000, gap * 16, true, b"........")));
        assert_eq!(many.last(), Some(Outcome::Discarded(Kind::BadValue)));
    }

    proptest! {
        #[test]
        fn any_split_in_any_order(
            version in prop::sample::select(vec![4_u8, 6]),
            payload in prop::collection::vec(any::<u8>(), 9..600),
            cuts in prop::collection::btree_set(1_usize..75, 1..8),
            seed: u64,
        ) {
            let mut edges: Vec<usize> = cuts.into_iter().map(|cut| cut * 8).filter(|cut| *cut < payload.len()).collect();
            prop_assume!(!edges.is_empty());
            edges.insert(0, 0);
            edges.push(payload.len());
            let mut pieces: Vec<Vec<u8>> = edges
                .windows(2)
                .map(|edge| piece(version, 7, edge[0] as u16, edge[1] < payload.len(), &payload[edge[0]..edge[1]]))
                .collect();
            let count = pieces.len();
            pieces.rotate_left(seed as usize % count);
            pieces.swap(0, (seed >> 32) as usize % count);
            let mut reassembler = Reassembler::new();
            let outcomes: Vec<Outcome> = pieces.iter().map(|piece| push(&mut reassembler, 0, piece)).collect();
            prop_assert_eq!(outcomes.last(), Some(&Outcome::Complete(payload)));
        }
    }
}
