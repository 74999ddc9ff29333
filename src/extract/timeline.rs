//! Where a packet belongs in its file: RTP timestamps without wraps, and without jumps that no clock has made.

use crate::time::{NANOS_PER_SECOND, Timestamp};

/// The places of the packets of a stream, in units of its RTP clock from the first packet on.
#[derive(Debug)]
pub(super) struct Timeline {
    clock_rate: u32,
    last: Option<(u32, i64, Timestamp)>,
}

impl Timeline {
    pub(super) const fn new(clock_rate: u32) -> Self {
        Self { clock_rate, last: None }
    }

    /// The place of a packet. Its RTP timestamp tells, unless that differs from when it was captured by ten seconds: a
    /// sender that was on hold and goes on where it was, or one that begins anew. Then the clock of the capture tells.
    pub(super) fn place(&mut self, timestamp: u32, at: Timestamp) -> i64 {
        let Some((last_timestamp, last_place, last_at)) = self.last else {
            self.last = Some((timestamp, 0, at));
            return 0;
        };
        let rate = i64::from(self.clock_rate);
        let told = i64::from(timestamp.wrapping_sub(last_timestamp) as i32);
        let nanos = i128::from(at.since(last_at)) * i128::from(rate) / i128::from(NANOS_PER_SECOND);
        let elapsed = i64::try_from(nanos).unwrap_or(i64::MAX);
        let agree = told.saturating_sub(elapsed).saturating_abs() <= rate * LARGEST_DIFFERENCE;
        let step = if agree { told } else { elapsed.max(0) };
        let place = last_place.saturating_add(step.min(rate * LONGEST_GAP)).max(0);
        self.last = Some((timestamp, place, at));
        place
    }
}

/// Seconds that RTP timestamp and capture may differ from one packet to the next.
const LARGEST_DIFFERENCE: i64 = 10;

/// Seconds of the longest gap that is kept. A file must not grow without end because of a few packets.
const LONGEST_GAP: i64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let second = |seconds: i64| Timestamp(seconds * NANOS_PER_SECOND);
        let mut timeline = Timeline::new(8000);
        assert_eq!(timeline.place(0xffff_ff60, second(0)), 0);
        // The timestamp wraps.
        assert_eq!(timeline.place(0, second(0)), 160);
        // A pause that the timestamp tells of.
        assert_eq!(timeline.place(40_000, second(5)), 40_160);
        // A packet that should have come earlier.
        assert_eq!(timeline.place(39_840, second(5)), 40_000);
        // A pause of a minute that it does not tell of.
        assert_eq!(timeline.place(40_160, second(65)), 40_000 + 60 * 8000);
        // Another start of timestamps.
        assert_eq!(timeline.place(3_000_000_000, second(66)), 40_000 + 61 * 8000);
        // Two days.
        assert_eq!(timeline.place(3_000_000_160, second(66 + 172_800)), 40_000 + 61 * 8000 + 3600 * 8000);
    }
}
