//! A stream on several paths: where one part goes on in another, and where two are the same packets.

use super::{GAP_FACTOR, SHORTEST_GAP, Stream, add_run};
use crate::time::{NANOS_PER_MILLI, NANOS_PER_SECOND};

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
        self.extensions.iter_mut().zip(next.extensions).for_each(|(sum, count)| *sum += count);
        for (id, value) in &next.extension_values {
            if self.extension_values.iter().all(|(known, _)| known != id) {
                self.extension_values.push((*id, value.clone()));
            }
        }
        self.note_csrcs(next.csrcs.iter().copied());
        self.repairs.add(next.repairs);
        add_run(&mut self.payload_types, self.run);
        next.payload_types.iter().for_each(|run| add_run(&mut self.payload_types, *run));
        (self.run, self.rate, self.last) = (next.run, next.rate, next.last);
        self.certain &= next.certain;
        self.usual_interval = next.usual_interval;
    }
}
