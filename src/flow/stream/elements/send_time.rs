//! When packets were sent, by their sender's clock (abs-send-time), against when they came.

use crate::{
    time::{NANOS_PER_MILLI, NANOS_PER_SECOND, PacketId, Timestamp},
    wire::rtp::value::{SEND_TIME_PERIOD, send_time},
};

/// Times of sending wander less from the clock in which the packets come, outages aside.
const LIKELY: i64 = 2 * NANOS_PER_SECOND;

/// Packets and time before three bytes are taken for times without being told.
const PROOF: u64 = 50;
const LONG_ENOUGH: i64 = 5 * NANOS_PER_SECOND;

/// The shortest delay of a window and of the one before it is what the path takes without queues: so clocks that run
/// apart do not add up.
const WINDOW: i64 = 10 * NANOS_PER_SECOND;

/// A packet that came so long after another was not sent at the same time.
const APART: i64 = NANOS_PER_MILLI;

/// Times of sending of a stream, laid out in memory as it stands here: on two lines of the processor's cache. Delays are
/// relative: all that the clocks of sender and tap have in common is their speed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SendTimes {
    packets: u32,
    /// Packets that came apart from the one before, and have another value; and those that have the same.
    moved: u32,
    unmoved: u32,
    last_value: [u8; 3],
    is_off: bool,
    last_arrival: Timestamp,
    /// Arrival less sending of the first packet.
    origin: i64,
    /// The same of the last packet, relative to the first.
    delay: i64,
    range: (i64, i64),
    variations: u64,
    highest_variation: i64,
    window_end: Timestamp,
    shortest: (i64, i64),
    queues: u64,
    longest_queue: (i64, PacketId),
    longest_interval: i64,
    first_arrival: Timestamp,
}

impl SendTimes {
    pub(super) fn new(bytes: [u8; 3], time: Timestamp, id: PacketId) -> Self {
        let value = send_time(bytes);
        Self {
            packets: 0,
            moved: 0,
            unmoved: 0,
            is_off: false,
            last_value: bytes,
            first_arrival: time,
            last_arrival: time,
            origin: time.0.wrapping_sub(value),
            delay: 0,
            range: (0, 0),
            variations: 0,
            highest_variation: 0,
            window_end: Timestamp(time.0.saturating_add(WINDOW)),
            shortest: (0, 0),
            queues: 0,
            longest_queue: (0, id),
            longest_interval: 0,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: [u8; 3], time: Timestamp, id: PacketId) {
        let value = send_time(bytes);
        let delay = nearest(time.0.wrapping_sub(value).wrapping_sub(self.origin));
        let elapsed = time.since(self.last_arrival);
        let longer = delay - self.delay;
        self.packets = self.packets.saturating_add(1);
        if elapsed >= APART {
            self.moved = self.moved.saturating_add((bytes != self.last_value).into());
            self.unmoved = self.unmoved.saturating_add((bytes == self.last_value).into());
        }
        self.longest_interval = self.longest_interval.max(elapsed.saturating_sub(longer));
        self.variations = self.variations.saturating_add(longer.unsigned_abs());
        self.highest_variation = self.highest_variation.max(longer.abs());
        self.range = (self.range.0.min(delay), self.range.1.max(delay));
        if time >= self.window_end {
            self.shortest = (self.shortest.1, delay);
            self.window_end = Timestamp(time.0.saturating_add(WINDOW));
        }
        self.shortest.1 = self.shortest.1.min(delay);
        let queue = delay - self.shortest.0.min(self.shortest.1);
        self.queues = self.queues.saturating_add(queue.unsigned_abs());
        if queue > self.longest_queue.0 {
            self.longest_queue = (queue, id);
        }
        (self.last_value, self.delay, self.last_arrival) = (bytes, delay, time);
    }

    pub(super) const fn is_on(&self) -> bool {
        !self.is_off
    }

    pub(super) const fn give_up(&mut self) {
        self.is_off = true;
    }

    /// Packets with a time.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets as u64
    }

    /// Whether these may be times: they go on as time does.
    #[must_use]
    pub const fn are_likely(&self) -> bool {
        !self.is_off && self.unmoved <= self.moved / 4 && self.range.1 - self.range.0 <= LIKELY
    }

    /// Whether these cannot be anything else.
    #[must_use]
    pub fn are_proven(&self) -> bool {
        let is_long = self.last_arrival.since(self.first_arrival) >= LONG_ENOUGH && self.packets() >= PROOF;
        is_long && self.are_likely()
    }

    /// What the delays of consecutive packets differ by, in nanoseconds: mean and highest.
    #[must_use]
    pub fn variation(&self) -> (i64, i64) {
        (mean(self.variations, self.packets().saturating_sub(1)), self.highest_variation)
    }

    /// What packets were longer on their way than the fastest of the last ten or twenty seconds before them, in
    /// nanoseconds: mean and highest, and the packet of the highest.
    #[must_use]
    pub fn queueing(&self) -> (i64, i64, PacketId) {
        (mean(self.queues, self.packets()), self.longest_queue.0, self.longest_queue.1)
    }

    /// The longest time between the sending of two packets that came one after the other, in nanoseconds.
    #[must_use]
    pub const fn longest_interval(&self) -> i64 {
        self.longest_interval
    }

    pub(super) fn add(&mut self, next: &Self) {
        self.packets = self.packets.saturating_add(next.packets);
        self.moved = self.moved.saturating_add(next.moved);
        self.unmoved = self.unmoved.saturating_add(next.unmoved);
        self.is_off |= next.is_off;
        self.first_arrival = self.first_arrival.min(next.first_arrival);
        self.last_arrival = self.last_arrival.max(next.last_arrival);
        // Another path has another delay: each part keeps its own origin.
        self.range = (self.range.0.min(next.range.0), self.range.1.max(next.range.1));
        self.variations = self.variations.saturating_add(next.variations);
        self.highest_variation = self.highest_variation.max(next.highest_variation);
        self.queues = self.queues.saturating_add(next.queues);
        if next.longest_queue.0 > self.longest_queue.0 {
            self.longest_queue = next.longest_queue;
        }
        self.longest_interval = self.longest_interval.max(next.longest_interval);
    }
}

/// The times begin anew after 64 s: the shortest of the differences that are the same then.
#[inline]
const fn nearest(difference: i64) -> i64 {
    const HALF: i64 = SEND_TIME_PERIOD / 2;
    difference.wrapping_add(HALF).rem_euclid(SEND_TIME_PERIOD) - HALF
}

fn mean(sum: u64, count: u64) -> i64 {
    sum.checked_div(count).and_then(|mean| i64::try_from(mean).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time as it is sent: seconds with 18 bits of fraction, modulo 64.
    fn sent(nanos: i64) -> [u8; 3] {
        let units = (i128::from(nanos) << 18) / i128::from(NANOS_PER_SECOND) % (1 << 24);
        let [.., a, b, c] = (units as u64).to_be_bytes();
        [a, b, c]
    }

    fn run(packets: impl IntoIterator<Item = ([u8; 3], i64)>) -> SendTimes {
        let mut packets = packets.into_iter().zip(1..).peekable();
        let ((bytes, time), _) = packets.peek().copied().unwrap();
        let mut times = SendTimes::new(bytes, Timestamp(time), PacketId::new(0, 1));
        packets.for_each(|((bytes, time), number)| times.push(bytes, Timestamp(time), PacketId::new(0, number)));
        times
    }

    #[test]
    fn delays_over_two_minutes() {
        // Every 20 ms; each tenth packet is 30 ms late, one 80 ms. A sent time has units of 3.8 us.
        let late = |index: i64| if index == 4000 { 80 } else { i64::from(index % 10 == 9) * 30 };
        let packet = |index: i64| {
            let nanos = index * 20 * NANOS_PER_MILLI;
            (sent(nanos + 5_000_000_000), nanos + 1_000_000_000_000 + late(index) * NANOS_PER_MILLI)
        };
        let times = run((0..6000).map(packet));
        assert!(times.are_proven());
        let near = |value: i64, millis: f64| (value as f64 / 1e6 - millis).abs() < 0.01;
        // 600 times 30 ms there and, but for the last packet, 30 ms back; where 80 ms follow 30, 50 there and 80 back.
        assert!(near(times.variation().0, (1199.0 * 30.0 - 30.0 + 50.0 + 80.0) / 5999.0), "{times:?}");
        assert!(near(times.variation().1, 80.0), "{times:?}");
        let (mean, highest, packet) = times.queueing();
        assert!(near(mean, (600.0 * 30.0 + 80.0) / 6000.0) && near(highest, 80.0), "{times:?}");
        assert_eq!(packet, PacketId::new(0, 4001));
        assert!(near(times.longest_interval(), 20.0), "{times:?}");
    }

    #[test]
    fn what_is_no_time() {
        let steps = |index: i64| index * 20 * NANOS_PER_MILLI;
        // Always the same: a delay, an offset of zero.
        assert!(!run((0..1000).map(|index| ([0, 0, 5], steps(index)))).are_likely());
        // Counts by one a packet, as frame numbers do.
        assert!(!run((0..1000).map(|index| ([0xc0, (index >> 8) as u8, index as u8], steps(index)))).are_likely());
        // Another clock: milliseconds.
        let milliseconds = |index: i64| {
            let [.., a, b, c] = (index as u32 * 20).to_be_bytes();
            ([a, b, c], steps(index))
        };
        assert!(!run((0..1000).map(milliseconds)).are_likely());
        // Too few to tell.
        assert!(!run((0..40).map(|index| (sent(steps(index)), steps(index)))).are_proven());
    }
}
