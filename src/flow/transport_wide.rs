//! Sequence numbers over all streams of a transport (draft-holmer-rmcat-transport-wide-cc-extensions-01): which packets
//! of one direction of a flow were sent, and never came to the tap.
//!
//! They are in packets of every stream whose section agreed on them, in order of sending. Any element of two bytes may be
//! one; whether it is, signalling tells or [`Numbers::are_proven`].

use crate::{
    flow::{
        budget::Budget,
        sequence::{Bursts, Counters, Sequence, Step},
    },
    time::{NANOS_PER_MILLI, NANOS_PER_SECOND, PacketId, Timestamp},
    wire::rtp::{Element, Extension},
};

/// Ids of two-byte elements that are followed in one direction; about 700 bytes each.
const IDS: usize = 4;

/// Packets before two bytes are taken for such numbers without being told.
const PROOF: u64 = 64;

/// Of so many steps all but one are to the next number.
const STEPS: u64 = 5;

/// A sender of fewer packets in a second is given as many, when it is asked whether numbers were lost or began anew.
const USUAL_RATE: i64 = 1000;

/// Numbers are lost where they go on after a time in which not more than this many times as many may have been sent.
const FASTER: i64 = 4;

/// A gap this long and wide may be a time in which the packets took another path.
const LONG_GAP: i64 = 500 * NANOS_PER_MILLI;
const WIDE_GAP: u16 = 16;

/// Such gaps that are remembered; numbers in more count as lost.
const GAPS: usize = 8;

/// Identity of a packet that has a number.
#[derive(Clone, Copy, Debug)]
pub struct Carrier {
    /// When it came.
    pub time: Timestamp,
    /// Which packet it is.
    pub id: PacketId,
    /// How often before it bytes were not captured in which packets may have been.
    pub holes: u32,
}

/// The numbers of one direction of a flow, by the id of their elements.
#[derive(Clone, Debug, Default)]
pub struct TransportWide {
    row: Row,
    numbers: Vec<Numbers>,
}

/// Packets in a row, each with the number next to that of the one before, which are not counted with the others yet.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// 0 where there is none.
    id: u8,
    /// The byte before each number, and where it is in the extension.
    header: u8,
    place: u16,
    next: u16,
    holes: u32,
    packets: u64,
    last: (Timestamp, PacketId),
}

/// Numbers of one id.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// The id that SDP maps to a URI.
    pub id: u8,
    /// The direction in its flow: 0 from the flow's lower endpoint, 1 from its higher.
    pub direction: usize,
    /// The first packet with one.
    pub first: (Timestamp, PacketId),
    /// The last.
    pub last: (Timestamp, PacketId),
    /// Packets with one.
    pub packets: u64,
    /// Where numbers are missing after a long time, in order.
    pub gaps: Vec<Gap>,
    sequence: Sequence,
    holes: u32,
    /// Steps to the next number.
    next: u64,
    /// The widest step: numbers, and the packets before and behind.
    widest: (u16, PacketId, PacketId),
}

/// A time without packets, after which numbers are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How many.
    pub missing: u64,
    /// The last packet before it.
    pub from: (Timestamp, PacketId),
    /// The first packet behind it.
    pub to: (Timestamp, PacketId),
}

impl TransportWide {
    /// Takes an element of the next packet, if it is a number. What is to be followed is paid for by `budget`.
    pub fn push(&mut self, element: &Element<'_>, carrier: &Carrier, direction: usize, budget: &Budget) {
        let number = match element.data {
            [high, low] => u16::from_be_bytes([*high, *low]),
            // With a request for feedback behind it, as version 02 has it in some packets.
            [high, low, _, _] if self.follows(element.id) => u16::from_be_bytes([*high, *low]),
            _ => return,
        };
        match self.numbers.iter_mut().find(|numbers| numbers.id == element.id) {
            Some(numbers) => numbers.push(number, carrier),
            None => self.follow(element.id, number, carrier, direction, budget),
        }
    }

    /// Takes the numbers of a packet whose elements are of no other interest yet.
    pub fn push_all(&mut self, extension: &Extension<'_>, carrier: &Carrier, direction: usize, budget: &Budget) {
        self.end_row();
        extension.visit(|element| self.push(element, carrier, direction, budget));
        if extension.profile == Extension::ONE_BYTE {
            self.begin_row(extension, carrier);
        }
    }

    /// Takes the number of the next packet, if it is where that of the packet before was, and the next to it. `false`
    /// says that the packet is to be looked into.
    #[inline]
    pub fn goes_on(&mut self, extension: &Extension<'_>, carrier: &Carrier) -> bool {
        let row = &mut self.row;
        let at = extension.data.get(usize::from(row.place)..).and_then(<[u8]>::first_chunk::<3>);
        let [high, low] = row.next.to_be_bytes();
        let is_next = row.id != 0
            && at == Some(&[row.header, high, low])
            && carrier.holes == row.holes
            && extension.profile == Extension::ONE_BYTE;
        if is_next {
            row.next = row.next.wrapping_add(1);
            row.packets += 1;
            row.last = (carrier.time, carrier.id);
        }
        is_next
    }

    /// Begins a row with the only number of a packet, if it is the newest.
    fn begin_row(&mut self, extension: &Extension<'_>, carrier: &Carrier) {
        let mut found = (0, None);
        extension.visit(|element| {
            if let [high, low] = element.data {
                found = (found.0 + 1, Some((element.id, element.offset, u16::from_be_bytes([*high, *low]))));
            }
        });
        let (1, Some((id, offset, number))) = found else { return };
        let newest = self.numbers.iter().find(|numbers| numbers.id == id).map(|numbers| numbers.sequence.ends().1);
        if let (Ok(place), true) = (u16::try_from(offset - extension.offset - 4), newest == Some(number)) {
            let header = id << 4 | 1;
            let last = (carrier.time, carrier.id);
            self.row = Row { id, header, place, next: number.wrapping_add(1), holes: carrier.holes, packets: 0, last };
        }
    }

    /// Ends the row that goes on.
    fn end_row(&mut self) {
        let Row { id, packets, last, .. } = std::mem::take(&mut self.row);
        if let Some(numbers) = self.numbers.iter_mut().find(|numbers| numbers.id == id).filter(|_| packets > 0) {
            numbers.advance(packets, last);
        }
    }

    /// The numbers, by id.
    #[must_use]
    pub fn finish(mut self) -> Vec<Numbers> {
        self.end_row();
        self.numbers.sort_by_key(|numbers| numbers.id);
        self.numbers
    }

    fn follows(&self, id: u8) -> bool {
        self.numbers.iter().any(|numbers| numbers.id == id)
    }

    #[cold]
    fn follow(&mut self, id: u8, number: u16, carrier: &Carrier, direction: usize, budget: &Budget) {
        if self.numbers.len() < IDS && budget.take_for_extensions(size_of::<Numbers>()) {
            self.numbers.push(Numbers::new(id, number, direction, carrier));
        }
    }
}

impl Numbers {
    fn new(id: u8, number: u16, direction: usize, carrier: &Carrier) -> Self {
        let at = (carrier.time, carrier.id);
        Self {
            id,
            direction,
            first: at,
            last: at,
            packets: 1,
            gaps: Vec::new(),
            sequence: Sequence::new(number),
            holes: carrier.holes,
            next: 0,
            widest: (1, carrier.id, carrier.id),
        }
    }

    /// Takes the next `packets` numbers, each of which came in order, and the last of the packets.
    fn advance(&mut self, packets: u64, last: (Timestamp, PacketId)) {
        self.packets += packets;
        self.next += packets;
        self.last = self.last.max(last);
        self.sequence.advance(packets);
    }

    fn push(&mut self, number: u16, carrier: &Carrier) {
        self.packets += 1;
        let (first, last, packets) = (self.first.0, self.last.0, self.packets);
        let step =
            self.sequence.push(number, |step| i64::from(step) <= plausible_step(first, last, packets, carrier.time));
        match step {
            Step::Forward(1) if carrier.holes == self.holes => self.next += 1,
            Step::Forward(step) => self.skip(step, carrier),
            _ => {}
        }
        let at = (carrier.time, carrier.id);
        (self.first, self.last) = (self.first.min(at), self.last.max(at));
    }

    /// The counters of the numbers; those of `gaps` are neither expected nor lost there.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.sequence.counters()
    }

    /// The first number.
    #[must_use]
    pub const fn first_number(&self) -> u16 {
        self.sequence.ends().0
    }

    /// Whether elements are such numbers beyond doubt: many, each the next of the packet before, be it of another stream.
    #[must_use]
    pub fn are_proven(&self) -> bool {
        let counters = self.counters();
        let other = self.packets.saturating_sub(self.next + 1);
        self.packets >= PROOF
            && other * STEPS <= self.next
            && counters.restarts == 0
            && counters.duplicated * STEPS <= self.next
    }

    /// The packets before and behind the longest of these runs of lost numbers; `None` where some of the widest step came
    /// late, and so it is another.
    #[must_use]
    pub fn around_longest(&self, bursts: &Bursts) -> Option<(PacketId, PacketId)> {
        let (step, before, behind) = self.widest;
        (step > 1 && u64::from(step) == bursts.longest + 1).then_some((before, behind))
    }

    #[cold]
    fn skip(&mut self, step: u16, carrier: &Carrier) {
        if carrier.holes != self.holes {
            // What is missing was not captured.
            self.holes = carrier.holes;
            return self.sequence.excuse(step);
        }
        let from = self.last;
        if step >= WIDE_GAP && carrier.time.since(from.0) >= LONG_GAP && self.gaps.len() < GAPS {
            let to = (carrier.time, carrier.id);
            self.gaps.push(Gap { missing: u64::from(step) - 1, from, to });
            return self.sequence.excuse(step);
        }
        if step > self.widest.0 {
            self.widest = (step, from.1, carrier.id);
        }
    }
}

/// The numbers that may have been sent between the last of so many packets and now.
fn plausible_step(first: Timestamp, last: Timestamp, packets: u64, now: Timestamp) -> i64 {
    let elapsed = now.since(last).max(0) / NANOS_PER_MILLI;
    let whole = (last.since(first) / NANOS_PER_SECOND).max(1);
    let rate = i64::try_from(packets).unwrap_or(i64::MAX) / whole;
    elapsed.saturating_mul(rate.max(USUAL_RATE)).saturating_mul(FASTER) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: i64 = NANOS_PER_MILLI;

    /// Numbers at times in milliseconds, with the packet's number and what was not captured before it.
    fn run(packets: impl IntoIterator<Item = (u16, i64, u32)>) -> Numbers {
        let (mut ways, budget) = (TransportWide::default(), Budget::default());
        for ((number, millis, holes), packet) in packets.into_iter().zip(1..) {
            let carrier = Carrier { time: Timestamp(millis * MILLI), id: PacketId::new(0, packet), holes };
            ways.push(&Element { id: 3, data: &number.to_be_bytes(), offset: 0 }, &carrier, 1, &budget);
        }
        ways.finish().remove(0)
    }

    fn steady(numbers: impl IntoIterator<Item = u16>) -> Numbers {
        run(numbers.into_iter().zip(0..).map(|(number, index)| (number, index * 5, 0)))
    }

    #[test]
    fn losses_with_the_packets_around_them() {
        // Over the end of the 16 bits: 65,500 to 99, without 65,510 and 5 to 7; 20 comes after 21.
        let mut numbers: Vec<u16> = (65_500..=65_535).chain(0..100).collect();
        numbers.retain(|number| *number != 65_510 && !(5..=7).contains(number));
        let (late, early) = (numbers.iter().position(|number| *number == 20).unwrap(), 21);
        numbers.swap(late, late + 1);
        assert_eq!(numbers[late], early);
        let found = steady(numbers);
        let counters = found.counters();
        assert_eq!((found.packets, counters.expected, counters.lost, counters.reordered), (132, 136, 4, 1));
        assert_eq!((counters.bursts.count(), counters.bursts.longest), (2, 3));
        // 4 is the 40th packet: 65,500 to 65,535 without one are 35, and 0 to 4 five more.
        assert_eq!(found.around_longest(&counters.bursts), Some((PacketId::new(0, 40), PacketId::new(0, 41))));
        assert!(found.are_proven());
        assert_eq!((found.first_number(), found.id, found.direction), (65_500, 3, 1));
    }

    #[test]
    fn what_is_no_number() {
        // A name of two letters, a number that has steps of its own, and too few.
        assert!(!steady([0x6869; 500]).are_proven());
        assert!(!steady((0..500).map(|index| index * 3)).are_proven());
        assert!(!steady(0..20).are_proven());
    }

    #[test]
    fn a_long_gap_is_told_apart() {
        // 200 packets in a second, three seconds without, in which 600 were sent.
        let before = (0..200).map(|index| (index, i64::from(index) * 5, 0));
        let behind = (800..1000).map(|index| (index, i64::from(index) * 5, 0));
        let found = run(before.chain(behind));
        let gap = Gap {
            missing: 600,
            from: (Timestamp(995 * MILLI), PacketId::new(0, 200)),
            to: (Timestamp(4000 * MILLI), PacketId::new(0, 201)),
        };
        assert_eq!(found.gaps, [gap]);
        let counters = found.counters();
        assert_eq!((counters.lost, counters.expected, counters.restarts), (0, 400, 0));
    }

    #[test]
    fn a_new_start_is_no_loss() {
        let found = steady((0..200).chain(30_000..30_200));
        let counters = found.counters();
        assert_eq!((counters.lost, counters.expected, counters.restarts), (0, 400, 1));
    }

    #[test]
    fn what_was_not_captured_is_no_loss() {
        let found = run((0..100)
            .map(|index| (index, i64::from(index), 0))
            .chain((110..200).map(|index| (index, i64::from(index), 1))));
        let counters = found.counters();
        assert_eq!((counters.lost, counters.expected, counters.uncaptured), (0, 190, 10));
    }

    #[test]
    fn four_bytes_only_where_two_were_seen() {
        let (mut ways, budget) = (TransportWide::default(), Budget::default());
        let carrier = Carrier { time: Timestamp(0), id: PacketId::new(0, 1), holes: 0 };
        let mut push = |id: u8, data: &[u8]| ways.push(&Element { id, data, offset: 0 }, &carrier, 0, &budget);
        push(8, &[6, 6, 6, 16]);
        push(3, &[0, 1]);
        push(3, &[0, 2, 0x80, 0x01]);
        // No more ids than are followed.
        (4..15).for_each(|id| push(id, &[0, 1]));
        let found = ways.finish();
        assert_eq!(
            found.iter().map(|numbers| (numbers.id, numbers.packets)).collect::<Vec<_>>(),
            [(3, 2), (4, 1), (5, 1), (6, 1)]
        );
        let (mut ways, nothing) = (TransportWide::default(), Budget::new(0));
        ways.push(&Element { id: 3, data: &[0, 1], offset: 0 }, &carrier, 0, &nothing);
        assert!(ways.finish().is_empty());
    }
}
