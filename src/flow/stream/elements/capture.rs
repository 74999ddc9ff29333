//! When media was captured (abs-capture-time), against when it came.

use crate::{time::Timestamp, wire::rtp::value::CaptureTime};

/// Nanoseconds from 1900, where NTP counts from, to 1970.
const NTP_EPOCH: i64 = 2_208_988_800 * crate::time::NANOS_PER_SECOND;

/// Times of capture of a stream.
#[derive(Clone, Debug)]
pub struct CaptureTimes {
    /// Packets with a time.
    pub packets: u64,
    /// The first.
    pub first: CaptureTime,
    /// The last that the sender thinks of how far the capturing clock is ahead of its own, in nanoseconds.
    pub clock_offset: Option<i64>,
    /// How old the media of the first packet was at the tap, if the clocks agree, in nanoseconds.
    pub first_age: i64,
    /// The least and the most of it.
    pub ages: (i64, i64),
}

impl CaptureTimes {
    pub(super) const fn new(time: CaptureTime, arrival: Timestamp) -> Self {
        let age = age(time, arrival);
        Self { packets: 1, first: time, clock_offset: time.clock_offset, first_age: age, ages: (age, age) }
    }

    pub(super) fn push(&mut self, time: CaptureTime, arrival: Timestamp) {
        let age = age(time, arrival);
        self.packets += 1;
        self.clock_offset = time.clock_offset.or(self.clock_offset);
        self.ages = (self.ages.0.min(age), self.ages.1.max(age));
    }

    pub(super) fn add(&mut self, next: &Self) {
        self.packets += next.packets;
        self.clock_offset = next.clock_offset.or(self.clock_offset);
        self.ages = (self.ages.0.min(next.ages.0), self.ages.1.max(next.ages.1));
    }
}

const fn age(time: CaptureTime, arrival: Timestamp) -> i64 {
    arrival.0.saturating_add(NTP_EPOCH).saturating_sub(time.captured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        // Captured 50 and 70 ms before it came, on the first second of 1970 and the one after.
        let time = |nanos: i64| CaptureTime { captured: NTP_EPOCH + nanos, clock_offset: None };
        let mut times = CaptureTimes::new(time(1_000_000_000), Timestamp(1_050_000_000));
        times.push(CaptureTime { clock_offset: Some(7), ..time(2_000_000_000) }, Timestamp(2_070_000_000));
        assert_eq!((times.first_age, times.ages, times.clock_offset), (50_000_000, (50_000_000, 70_000_000), Some(7)));
    }
}
