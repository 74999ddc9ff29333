//! RTP sequence numbers (RFC 3550 sections 5.1 and A.1): what was expected, what is missing, what came twice or late.
//!
//! A window of the last [`WINDOW`] sequence numbers remembers which of them arrived. A number is judged lost only when
//! it leaves the window, so a packet that comes hundreds of packets late still fills its hole. Runs of lost numbers are
//! counted as they leave, in order.

mod bursts;
mod turns;

pub use bursts::Bursts;
pub use turns::Joints;

/// Sequence numbers remembered behind the highest one.
pub const WINDOW: u64 = 1024;

/// A forward step beyond this is looked at twice: loss, or a new start of the numbers (RFC 3550 A.1, `MAX_DROPOUT`)?
const SUSPICIOUS_STEP: u16 = 64;

/// At the start of a stream, packets this far before the first one seen still belong to it.
const EARLIEST_BEFORE_FIRST: u64 = 128;

/// A second packet within this many numbers of a stray one confirms a new start.
const RESTART_CONFIRMATION: u16 = 8;

/// Numbers seen before that come again in unbroken order, with nothing new between them: no network repeats so many
/// packets in a row, the sender started anew near where it was.
const REPEATS_OF_RESTART: u16 = 16;

const WORDS: usize = (WINDOW / 64) as usize;

/// What a packet's sequence number meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first packet of the stream.
    First,
    /// Newer than all before it, by this many numbers (1: nothing missing in between).
    Forward(u16),
    /// Older than the highest by this many numbers, and not seen before.
    Late(u64),
    /// Seen before.
    Duplicate,
    /// Far from the others; it will be known with the next packets whether the numbers start anew.
    Stray,
    /// The numbers started anew with the stray packet before this one, or with this one.
    Restart,
}

/// The sequence numbers of one stream, laid out in memory as it stands here: what each packet changes first.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Sequence {
    highest: u64,
    received: u64,
    /// Lost numbers in a row at the window's far edge.
    run: u64,
    /// Extended number of the first packet of the segment; numbers start at 2^32 so that earlier ones have a place.
    base: u64,
    stray: Option<u16>,
    /// The last duplicates in a row: the newest number, and how many.
    repeated: (u16, u16),
    /// The number of the first packet of the first segment.
    first: u16,
    counters: Counters,
    window: [u64; WORDS],
    /// Expected numbers of segments that ended with a restart.
    closed_expected: u64,
    /// Runs that another path carried, and that are not lost.
    carried_elsewhere: Vec<u64>,
}

/// What was counted over the whole stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// Times the 16-bit number wrapped.
    pub wraps: u64,
    /// Distinct numbers from first to highest, over all segments.
    pub expected: u64,
    /// Numbers of these that never arrived.
    pub lost: u64,
    /// Numbers between them that the capture does not have, and that are neither expected nor lost.
    pub uncaptured: u64,
    /// Packets whose number had arrived before.
    pub duplicated: u64,
    /// Packets that came after one with a higher number.
    pub reordered: u64,
    /// The largest distance of such a packet from the highest number.
    pub reorder_depth: u64,
    /// Packets far away from the stream's numbers that led nowhere.
    pub strays: u64,
    /// New starts.
    pub restarts: u64,
    /// Runs of lost numbers.
    pub bursts: Bursts,
}

impl Counters {
    /// The sums with those of the numbers behind; `expected` and `lost` are not counted while numbers still come.
    fn with(&self, next: &Self) -> Self {
        Self {
            expected: 0,
            lost: 0,
            uncaptured: self.uncaptured + next.uncaptured,
            duplicated: self.duplicated + next.duplicated,
            reordered: self.reordered + next.reordered,
            reorder_depth: self.reorder_depth.max(next.reorder_depth),
            strays: self.strays + next.strays,
            restarts: self.restarts + next.restarts,
            wraps: self.wraps + next.wraps,
            bursts: self.bursts.with(&next.bursts),
        }
    }
}

impl Sequence {
    /// A stream whose first packet has the number `first`.
    #[must_use]
    pub fn new(first: u16) -> Self {
        let base = 1 << 32 | u64::from(first);
        let mut sequence = Self {
            base,
            first,
            highest: base,
            window: [0; WORDS],
            run: 0,
            stray: None,
            repeated: (0, 0),
            received: 1,
            closed_expected: 0,
            carried_elsewhere: Vec::new(),
            counters: Counters::default(),
        };
        sequence.mark(base);
        sequence
    }

    /// Takes the next packet's number, in order of arrival. `continuous` is asked, for a suspiciously large step
    /// forward, whether the packet's timestamp goes on from the packets before it: then the step is loss.
    #[inline]
    pub fn push(&mut self, number: u16, continuous: impl FnOnce(u16) -> bool) -> Step {
        let step = number.wrapping_sub(self.highest as u16);
        if step == 1 || (1..=SUSPICIOUS_STEP).contains(&step) {
            return self.forward(step);
        }
        self.push_unusual(number, step, continuous)
    }

    /// Takes the next `count` numbers, all of which arrived in order.
    pub fn advance(&mut self, count: u64) {
        let is_whole = self.run == 0 && self.window.iter().all(|word| *word == u64::MAX);
        if !is_whole || self.highest - self.base < WINDOW {
            (0..count).for_each(|_| {
                self.forward(1);
            });
            return;
        }
        // What leaves the window arrived, and so did what comes.
        let new = self.highest + count;
        self.counters.wraps += (new >> 16) - (self.highest >> 16);
        self.highest = new;
        self.received += count;
        if count > 0 {
            self.forget_stray();
        }
    }

    /// Takes the numbers that the last step forward went over for not captured: whether they arrived is not known.
    #[cold]
    pub fn excuse(&mut self, step: u16) {
        let passed = u64::from(step).saturating_sub(1);
        for number in self.highest - passed.min(WINDOW - 1)..self.highest {
            self.mark(number);
        }
        self.run = self.run.saturating_sub(passed.saturating_sub(WINDOW - 1));
        self.counters.uncaptured += passed;
    }

    /// The counters as they stand if nothing more arrives.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut closing = self.clone();
        closing.close_segment();
        let mut counters = closing.counters;
        counters.expected = closing.closed_expected.saturating_sub(counters.uncaptured);
        counters.lost = counters.expected.saturating_sub(closing.received);
        counters.strays += u64::from(closing.stray.is_some());
        closing.carried_elsewhere.iter().for_each(|run| counters.bursts.remove(*run));
        counters
    }

    /// Goes on with the numbers of `next`, which began after these. `continuous` says that they are the same row: then
    /// what lies between is lost; else they start anew.
    pub fn append(&mut self, next: &Self, continuous: bool) {
        let step = next.first.wrapping_sub(self.highest as u16);
        let (received, expected) = (self.received + next.received, self.highest - self.base + 1);
        self.close_segment();
        let mut between = 0;
        match (continuous, step) {
            (false, _) => self.counters.restarts += 1,
            (true, 1..0x8000) => {
                between = u64::from(step) - 1;
                self.counters.bursts.record(between);
                self.counters.wraps += u64::from(next.first < self.highest as u16);
            }
            // Packets that both rows cross each other with, on two paths of different length.
            (true, _) => {
                let shared = u64::from(step.wrapping_neg()) + 1;
                self.closed_expected -= shared.min(expected).min(next.highest - next.base + 1);
            }
        }
        let (closed, counters) = (self.closed_expected + between + next.closed_expected, self.counters);
        *self = Self {
            received,
            closed_expected: closed,
            counters: counters.with(&next.counters),
            first: self.first,
            carried_elsewhere: [self.carried_elsewhere.as_slice(), &next.carried_elsewhere].concat(),
            ..next.clone()
        };
    }

    /// The first number since the numbers last started anew.
    #[must_use]
    pub const fn segment_start(&self) -> u16 {
        self.base as u16
    }

    /// The first number, and the highest, which is the last of them but for packets out of order.
    #[must_use]
    pub const fn ends(&self) -> (u16, u16) {
        (self.first, self.highest as u16)
    }

    /// Whether this number is among the last that arrived.
    #[must_use]
    pub fn holds(&self, number: u16) -> bool {
        let behind = u64::from((self.highest as u16).wrapping_sub(number));
        behind < WINDOW && self.highest - behind >= self.base && self.is_marked(self.highest - behind)
    }

    #[inline]
    fn forward(&mut self, step: u16) -> Step {
        let new = self.highest + u64::from(step);
        self.counters.wraps += (new >> 16) - (self.highest >> 16);
        for number in self.highest + 1..=new {
            self.leave(number - WINDOW);
            self.unmark(number);
        }
        self.highest = new;
        self.mark(new);
        self.received += 1;
        self.forget_stray();
        Step::Forward(step)
    }

    #[cold]
    fn push_unusual(&mut self, number: u16, step: u16, continuous: impl FnOnce(u16) -> bool) -> Step {
        if step == 0 {
            self.counters.duplicated += 1;
            return Step::Duplicate;
        }
        let behind = u64::from(step.wrapping_neg());
        if behind < WINDOW {
            return self.late(behind, number);
        }
        if step < 0x8000 && continuous(step) {
            return self.forward_far(step);
        }
        self.stray(number)
    }

    fn late(&mut self, behind: u64, number: u16) -> Step {
        let extended = self.highest - behind;
        if extended < self.base {
            let early = self.base - extended;
            if early > EARLIEST_BEFORE_FIRST || self.received > EARLIEST_BEFORE_FIRST || self.counters.restarts > 0 {
                return self.stray(number);
            }
            (self.base, self.first) = (extended, extended as u16);
        }
        if self.is_marked(extended) {
            return self.repeat(number);
        }
        self.mark(extended);
        self.received += 1;
        self.counters.reordered += 1;
        self.counters.reorder_depth = self.counters.reorder_depth.max(behind);
        Step::Late(behind)
    }

    fn repeat(&mut self, number: u16) -> Step {
        self.counters.duplicated += 1;
        let (last, length) = self.repeated;
        let length = if length > 0 && number == last.wrapping_add(1) { length + 1 } else { 1 };
        self.repeated = (number, length);
        if length < REPEATS_OF_RESTART {
            return Step::Duplicate;
        }
        self.counters.duplicated = self.counters.duplicated.saturating_sub(length.into());
        self.restart(number.wrapping_sub(length - 1));
        for _ in 1..length {
            self.forward(1);
        }
        Step::Restart
    }

    /// A step of thousands: the window is emptied at once instead of number by number.
    fn forward_far(&mut self, step: u16) -> Step {
        if u64::from(step) < WINDOW {
            return self.forward(step);
        }
        let new = self.highest + u64::from(step);
        for number in self.highest + 1 - WINDOW..=self.highest {
            self.leave(number);
        }
        // Numbers before the new window have left it; the rest of the gap will leave one by one.
        self.run += new - WINDOW - self.highest;
        self.window = [0; WORDS];
        self.counters.wraps += (new >> 16) - (self.highest >> 16);
        self.highest = new;
        self.mark(new);
        self.received += 1;
        self.forget_stray();
        Step::Forward(step)
    }

    fn stray(&mut self, number: u16) -> Step {
        let Some(first) = self.stray.replace(number) else { return Step::Stray };
        let step = number.wrapping_sub(first);
        if step > RESTART_CONFIRMATION {
            self.counters.strays += 1;
            return Step::Stray;
        }
        if step == 0 {
            self.counters.duplicated += 1;
            return Step::Stray;
        }
        self.stray = None;
        self.restart(first);
        self.forward(step);
        Step::Restart
    }

    fn restart(&mut self, first: u16) {
        self.close_segment();
        self.counters.restarts += 1;
        let base = 1 << 32 | u64::from(first);
        (self.base, self.highest, self.window) = (base, base, [0; WORDS]);
        self.mark(base);
        self.received += 1;
    }

    fn close_segment(&mut self) {
        let mut number = (self.highest + 1 - WINDOW).max(self.base);
        while number <= self.highest {
            // From run to run: most streams miss few numbers, or none.
            let word = self.window.get(word_of(number)).copied().unwrap_or_default() >> (number % 64);
            let left = (64 - number % 64).min(self.highest - number + 1);
            let arrived = u64::from(word.trailing_ones()).min(left);
            if arrived > 0 {
                self.end_run();
                number += arrived;
            } else {
                let missing = u64::from(word.trailing_zeros()).min(left);
                self.run += missing;
                number += missing;
            }
        }
        self.end_run();
        self.closed_expected += self.highest - self.base + 1;
    }

    #[inline]
    fn forget_stray(&mut self) {
        self.repeated.1 = 0;
        if self.stray.take().is_some() {
            self.counters.strays += 1;
        }
    }

    /// `number` leaves the window: it will not be waited for any longer.
    #[inline]
    fn leave(&mut self, number: u64) {
        if number < self.base {
            return;
        }
        if self.is_marked(number) {
            if self.run > 0 {
                self.end_run();
            }
        } else {
            self.run += 1;
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        self.counters.bursts.record(run);
    }

    #[inline]
    fn mark(&mut self, number: u64) {
        if let Some(word) = self.window.get_mut(word_of(number)) {
            *word |= 1 << (number % 64);
        }
    }

    #[inline]
    fn unmark(&mut self, number: u64) {
        if let Some(word) = self.window.get_mut(word_of(number)) {
            *word &= !(1 << (number % 64));
        }
    }

    #[inline]
    fn is_marked(&self, number: u64) -> bool {
        self.window.get(word_of(number)).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}

#[inline]
const fn word_of(number: u64) -> usize {
    (number / 64) as usize % WORDS
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn run(numbers: impl IntoIterator<Item = u16>) -> Counters {
        let mut numbers = numbers.into_iter();
        let mut sequence = Sequence::new(numbers.next().unwrap());
        for number in numbers {
            sequence.push(number, |_| false);
        }
        sequence.counters()
    }

    /// Numbers behind bytes that were not captured are neither expected nor lost, however many they are.
    #[test]
    fn uncaptured_numbers_are_not_lost() {
        for uncaptured in [1, 5, 64, 1000, 1022, 1023, 1024, 1500, 5000] {
            let mut sequence = Sequence::new(65_000);
            (1..10).chain(12..20).for_each(|number| {
                sequence.push(65_000_u16.wrapping_add(number), |_| true);
            });
            let next = 65_020_u16.wrapping_add(uncaptured);
            assert_eq!(sequence.push(next, |_| true), Step::Forward(uncaptured + 1));
            sequence.excuse(uncaptured + 1);
            (2..3000).for_each(|number| {
                sequence.push(next.wrapping_add(number), |_| true);
            });
            let counters = sequence.counters();
            assert_eq!((counters.lost, counters.uncaptured), (3, uncaptured.into()));
            assert_eq!(counters.expected, 20 + 3000);
            assert_eq!((counters.bursts.by_length, counters.bursts.longest), ([1, 1, 0, 0, 0], 2));
        }
    }

    #[test]
    fn counts_runs_of_loss() {
        let lost = [5, 8, 9, 20, 21, 22, 40, 41, 42, 43, 44, 45];
        let counters = run((0..100).filter(|number| !lost.contains(number)));
        assert_eq!((counters.expected, counters.lost), (100, 12));
        assert_eq!((counters.bursts.by_length, counters.bursts.longest), ([1, 1, 1, 1, 0], 6));
    }

    #[test]
    fn a_packet_900_late_is_late_and_not_lost() {
        let counters = run((0..100).chain(101..1000).chain([100]).chain(1000..3000));
        assert_eq!((counters.expected, counters.lost, counters.reordered, counters.reorder_depth), (3000, 0, 1, 899));
        assert_eq!(counters.bursts.count(), 0);
    }

    #[test]
    fn wraps_and_duplicates() {
        let counters = run((65_000..=65_535).chain(0..500).chain([499, 3]));
        assert_eq!((counters.expected, counters.lost, counters.duplicated, counters.wraps), (1036, 0, 2, 1));
    }

    #[test]
    fn a_new_start_is_no_loss() {
        let counters = run((100..200).chain(40_000..40_100));
        assert_eq!((counters.expected, counters.lost, counters.restarts, counters.strays), (200, 0, 1, 0));
    }

    #[test]
    fn a_new_start_at_numbers_seen_before_is_no_duplicate() {
        let counters = run((0..300).chain(0..1000));
        assert_eq!((counters.expected, counters.lost, counters.duplicated, counters.restarts), (1300, 0, 0, 1));
        // A burst sent twice is.
        let counters = run((0..300).chain(290..300).chain(300..400));
        assert_eq!((counters.expected, counters.lost, counters.duplicated, counters.restarts), (400, 0, 10, 0));
    }

    #[test]
    fn one_stray_packet_is_no_new_start() {
        let counters = run((100..200).chain([40_000]).chain(200..300));
        assert_eq!((counters.expected, counters.lost, counters.restarts, counters.strays), (200, 0, 0, 1));
    }

    #[test]
    fn a_stray_packet_that_comes_twice_is_no_new_start() {
        let counters = run((100..200).chain([40_000, 40_000]).chain(200..300));
        assert_eq!((counters.expected, counters.lost, counters.restarts), (200, 0, 0));
    }

    #[test]
    fn an_outage_is_loss_when_time_went_on() {
        let mut sequence = Sequence::new(0);
        for number in (1..100).chain(9_000..9_100) {
            sequence.push(number, |_| true);
        }
        let counters = sequence.counters();
        assert_eq!((counters.expected, counters.lost, counters.bursts.longest), (9_100, 8_900, 8_900));
        assert_eq!(counters.bursts.count(), 1);
    }

    #[test]
    fn packets_before_the_first_one_belong_to_it() {
        let counters = run([10, 9, 8, 11, 12]);
        assert_eq!((counters.expected, counters.lost, counters.reordered), (5, 0, 2));
    }

    fn rows(rows: &[&[u16]], continuous: bool) -> Counters {
        let sequence = |numbers: &[u16]| {
            let mut sequence = Sequence::new(numbers[0]);
            for number in &numbers[1..] {
                sequence.push(*number, |_| true);
            }
            sequence
        };
        let mut all = sequence(rows[0]);
        rows[1..].iter().for_each(|row| all.append(&sequence(row), continuous));
        all.counters()
    }

    #[test]
    fn rows_go_on_from_each_other() {
        let (first, second): (Vec<u16>, Vec<u16>) = ((65_000..=65_535).collect(), (4..2000).collect());
        let counters = rows(&[&first, &second], true);
        assert_eq!((counters.expected, counters.lost, counters.wraps, counters.restarts), (2536, 4, 1, 0));
        assert_eq!((counters.bursts.count(), counters.bursts.longest), (1, 4));
        // With holes of their own, as if the numbers had come in one row.
        let (first, second): (Vec<u16>, Vec<u16>) =
            ((0..500).filter(|number| number % 50 != 7).collect(), (510..3000).filter(|n| n % 100 != 3).collect());
        let together = run(first.iter().chain(&second).copied());
        assert_eq!(rows(&[&first, &second], true), together);
        // They cross: the last two of the first come on the other path's time.
        let counters = rows(&[&[10, 11, 12, 15, 16], &[13, 14, 17, 18]], true);
        assert_eq!((counters.expected, counters.lost), (9, 0));
        let counters = rows(&[&[10, 11, 13], &[60_000, 60_001]], false);
        assert_eq!((counters.expected, counters.lost, counters.restarts), (6, 1, 1));
    }

    proptest! {
        /// Against a set that remembers everything: any loss, swap and duplication within the window.
        #[test]
        fn agrees_with_a_set(start: u16, drops in prop::collection::hash_set(1_u64..3000, 0..400),
                             moves in prop::collection::vec((1_u64..3000, 1_u64..60), 0..50)) {
            let mut order: Vec<(u64, u64)> = (0..3000).filter(|number| !drops.contains(number)).map(|number| (number, number)).collect();
            for (from, by) in moves {
                for entry in order.iter_mut().filter(|entry| entry.1 == from) {
                    entry.0 += by;
                }
            }
            order.sort_by_key(|entry| entry.0);
            let numbers: Vec<u64> = order.into_iter().map(|entry| entry.1).collect();
            let counters = run(numbers.iter().map(|number| start.wrapping_add(*number as u16)));
            let distinct: HashSet<u64> = numbers.iter().copied().collect();
            let (low, high) = (*distinct.iter().min().unwrap(), *distinct.iter().max().unwrap());
            prop_assert_eq!(counters.expected, high - low + 1);
            prop_assert_eq!(counters.lost, high - low + 1 - distinct.len() as u64);
            let mut highest = numbers[0];
            let mut late = 0;
            for number in &numbers { if *number < highest { late += 1 } else { highest = *number } }
            prop_assert_eq!(counters.reordered, late);
        }

        /// Nothing panics or hangs on any numbers, and the counters stay consistent.
        #[test]
        fn any_numbers(numbers in prop::collection::vec(any::<u16>(), 1..2000), continuous: bool) {
            let mut sequence = Sequence::new(numbers[0]);
            for number in &numbers[1..] { sequence.push(*number, |_| continuous); }
            let counters = sequence.counters();
            prop_assert!(counters.lost <= counters.expected);
        }
    }
}
