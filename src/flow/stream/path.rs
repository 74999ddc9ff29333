//! A stream on several paths: where one part goes on in another, and where two are the same packets.

use super::{
    GAP_FACTOR, SHORTEST_GAP, Stream,
    run::{Run, add_count},
};
use crate::{
    flow::sequence::Joints,
    time::{NANOS_PER_MILLI, NANOS_PER_SECOND, PacketId, Timestamp},
};

/// Packets on a path that was just left may be this late behind the first on the new one, and so many.
const LONGEST_CROSSING: i64 = 500 * NANOS_PER_MILLI;
const CROSSING_PACKETS: i16 = 64;

/// Two places of one way see a stream begin and end within so many numbers.
const SAME_NUMBERS: u16 = 256;

/// A stream that goes on elsewhere is silent for no longer, and loses no more packets.
const LONGEST_SILENCE: i64 = 30 * NANOS_PER_SECOND;
const MAX_STEP: u16 = 3000;

impl Stream {
    /// Whether `next`, a part of the same source on another path, goes on where this one ends: it begins when this one is
    /// over, but for packets that cross each other, and its numbers go beyond these. The same packets seen at two places
    /// do not.
    #[must_use]
    pub fn is_continued_by(&self, next: &Self) -> bool {
        let ((_, highest), (first, last)) = (self.sequence.ends(), next.sequence.ends());
        let ahead = |number: u16| number.wrapping_sub(highest) as i16;
        let crosses = ahead(first) > -CROSSING_PACKETS && ahead(last) > 0 && !self.sequence.holds(first);
        next.first.0.since(self.last.0) > -LONGEST_CROSSING && (ahead(first) > 0 || crosses)
    }

    /// Whether that is so beyond doubt: soon, and with numbers and timestamps that go on.
    #[must_use]
    pub fn is_at_once_continued_by(&self, next: &Self) -> bool {
        let step = next.sequence.ends().0.wrapping_sub(self.sequence.ends().1);
        let is_near = step < MAX_STEP || step.wrapping_neg() < CROSSING_PACKETS.unsigned_abs();
        is_near
            && next.first.0.since(self.last.0) < LONGEST_SILENCE
            && self.is_continued_by(next)
            && self.timing.continues(next.first.0, next.first_timestamp, self.rate, MAX_STEP + 1)
    }

    /// Whether `other`, of the same source, shows the same packets at another place of their way: at the same time, from
    /// the same number on or up to the same.
    #[must_use]
    pub fn shows_packets_of(&self, other: &Self) -> bool {
        let together = self.first.0.since(other.last.0).max(other.first.0.since(self.last.0)) < LONGEST_CROSSING;
        let ((first, last), (its_first, its_last)) = (self.sequence.ends(), other.sequence.ends());
        let near = |one: u16, other: u16| (one.wrapping_sub(other) as i16).unsigned_abs() < SAME_NUMBERS;
        together && (near(first, its_first) || near(last, its_last))
    }

    /// When this stream ran without an absence, in order; of a stream on one path there is one such time.
    #[must_use]
    pub fn legs(&self) -> Vec<Leg> {
        let (first, last) = self.sequence.ends();
        let mut leg = Leg { from: self.first.0, to: self.last.0, packet: self.first.1, numbers: (first, last) };
        let mut legs = Vec::new();
        for absence in &self.absences {
            legs.push(Leg { to: absence.left, numbers: (leg.numbers.0, absence.numbers.0), ..leg });
            leg = Leg { from: absence.back, packet: absence.id, numbers: (absence.numbers.1, last), ..leg };
        }
        legs.push(leg);
        legs
    }

    /// Whether `next`, a part of the same source on another path, and this one took turns: each began where the other
    /// left, by time and by sequence number.
    #[must_use]
    pub fn takes_turns_with(&self, next: &Self) -> bool {
        self.turns(next).is_some()
    }

    /// Takes up `next`, which takes turns with this one.
    pub fn interleave(&mut self, next: &Self) {
        let Some(turns) = self.turns(next) else { return };
        let (mut joints, mut kept) = (Joints::default(), Vec::new());
        for (stream, covered) in [&*self, next].into_iter().zip(&turns.covered) {
            for (index, absence) in stream.absences.iter().enumerate() {
                match (covered.contains(&index), absence.is_restart) {
                    (false, _) => kept.push(*absence),
                    (true, true) => joints.restarts += 1,
                    (true, false) => {
                        joints.passed.push(u64::from(absence.step()) - 1);
                        joints.wraps -= i64::from(absence.numbers.1 < absence.numbers.0);
                    }
                }
            }
        }
        for (one, other) in &turns.joints {
            let between = between(one, other);
            joints.between.push(between.into());
            joints.wraps += i64::from(between >= 0 && other.numbers.0 < one.numbers.1);
            let interval = other.from.since(one.to);
            self.max_gap = self.max_gap.max(interval);
            if interval >= SHORTEST_GAP && interval / GAP_FACTOR > self.usual_interval && between > 1 {
                if interval > self.outages.longest {
                    self.outage_end = Some(other.packet);
                }
                self.outages.record(interval);
            }
            let step = u16::try_from(between).unwrap_or_default().saturating_add(1);
            if step > self.widest_step.0 {
                self.widest_step = (step, other.packet);
            }
        }
        let first = if next.first < self.first { next } else { &*self }.sequence.ends().0;
        let earlier = self.clone();
        let is_later = next.last >= self.last;
        if is_later {
            self.sequence.interleave(&next.sequence, first, &joints);
            self.timing.append(&next.timing);
        } else {
            self.sequence = next.sequence.clone();
            self.sequence.interleave(&earlier.sequence, first, &joints);
            self.timing = next.timing.clone();
            self.timing.append(&earlier.timing);
        }
        if next.first < self.first {
            (self.first, self.first_timestamp) = (next.first, next.first_timestamp);
        }
        self.add(next);
        if is_later {
            self.go_on_from(next);
        }
        kept.sort_by_key(|absence| (absence.left, absence.id));
        self.absences.clear();
        kept.into_iter().for_each(|absence| self.note_absence(absence));
    }

    fn turns(&self, next: &Self) -> Option<Turns> {
        let number = |side: usize, legs: Vec<Leg>| {
            legs.into_iter().enumerate().map(move |(index, leg)| (leg.from, side, index, leg))
        };
        let mut legs: Vec<_> = number(0, self.legs()).chain(number(1, next.legs())).collect();
        // One that goes on where the other ends takes no turns.
        if legs.len() < 3 {
            return None;
        }
        legs.sort_by_key(|(from, side, index, _)| (*from, *side, *index));
        let mut turns = Turns::default();
        let mut at_turn: [Option<usize>; 2] = [None; 2];
        for pair in legs.windows(2) {
            let [(_, side, index, one), (_, its_side, its_index, other)] = pair else { continue };
            if side == its_side {
                continue;
            }
            let is_near = (-i32::from(CROSSING_PACKETS)..i32::from(MAX_STEP)).contains(&i32::from(between(one, other)));
            if !is_near || other.from.since(one.to) <= -LONGEST_CROSSING {
                return None;
            }
            turns.joints.push((*one, *other));
            if let Some(left) = at_turn.get_mut(*side) {
                *left = Some(*index);
            }
            let left = at_turn.get(*its_side).copied().flatten();
            if let Some(left) = left.filter(|left| left + 1 == *its_index)
                && let Some(covered) = turns.covered.get_mut(*its_side)
            {
                covered.push(left);
            }
        }
        turns.covered.iter().any(|covered| !covered.is_empty()).then_some(turns)
    }

    /// Goes on with `next` on another path.
    pub fn append(&mut self, next: &Self) {
        let step = next.sequence.ends().0.wrapping_sub(self.sequence.ends().1);
        let (time, id, _) = next.first;
        let is_crossing = step == 0 || step >= 0x8000;
        let continues = is_crossing
            || next.sequence().restarts == 0 && self.timing.continues(time, next.first_timestamp, self.rate, step);
        if continues && !is_crossing {
            if step > self.widest_step.0 {
                self.widest_step = (step, id);
            }
            let interval = time.since(self.last.0);
            self.max_gap = self.max_gap.max(interval);
            if interval >= SHORTEST_GAP && interval / GAP_FACTOR > self.usual_interval {
                self.gap(id, next.first_timestamp, step, interval);
            }
        }
        self.sequence.append(&next.sequence, continues);
        self.timing.append(&next.timing);
        self.add(next);
        self.go_on_from(next);
        next.absences.iter().for_each(|absence| self.note_absence(*absence));
    }

    /// Takes over what is known of the last packet of `next`, whose packets are counted.
    const fn go_on_from(&mut self, next: &Self) {
        (self.run, self.rate, self.last) = (Run { packets: 0, ..next.run }, next.rate, next.last);
        self.payload_type_from = next.payload_type_from;
        self.usual_interval = next.usual_interval;
    }

    /// Adds up what has no order.
    fn add(&mut self, next: &Self) {
        self.packets += next.packets;
        self.payload_bytes += next.payload_bytes;
        self.header_bytes += next.header_bytes;
        self.markers += next.markers;
        self.padded += next.padded;
        self.padding_only += next.padding_only;
        self.frames += next.frames;
        self.max_gap = self.max_gap.max(next.max_gap);
        if next.outages.longest > self.outages.longest {
            self.outage_end = next.outage_end;
        }
        self.pauses.add(next.pauses);
        self.outages.add(next.outages);
        self.widest_step = if next.widest_step.0 > self.widest_step.0 { next.widest_step } else { self.widest_step };
        self.end_run();
        next.run.add_payload_type(next.payload_type_from, &mut self.payload_types);
        next.run.add_extensions(&mut self.extensions);
        self.extensions.iter_mut().zip(next.extensions).for_each(|(sum, count)| *sum += count);
        for (id, value) in &next.extension_values {
            if self.extension_values.iter().all(|(known, _)| known != id) {
                self.extension_values.push((*id, value.clone()));
            }
        }
        self.elements.add(&next.elements);
        self.note_csrcs(next.csrcs.iter().copied());
        self.repairs.add(next.repairs);
        next.payload_types.iter().for_each(|run| add_count(&mut self.payload_types, *run));
        self.certain &= next.certain;
    }
}

/// A time without absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// When its first packet came.
    pub from: Timestamp,
    /// When its last packet came.
    pub to: Timestamp,
    /// Its first packet.
    pub packet: PacketId,
    /// The sequence numbers of both.
    numbers: (u16, u16),
}

/// How two parts of a source took turns.
#[derive(Default)]
struct Turns {
    /// Of each part the absences in which the other carried the source.
    covered: [Vec<usize>; 2],
    /// Each change from one to the other.
    joints: Vec<(Leg, Leg)>,
}

/// Sequence numbers between the last of one leg and the first of the next; negative where they crossed.
const fn between(one: &Leg, other: &Leg) -> i16 {
    other.numbers.0.wrapping_sub(one.numbers.1).wrapping_sub(1) as i16
}
