//! Timestamps of any resolution to nanoseconds.

use crate::time::{NANOS_PER_SECOND, Timestamp};

use super::Resolution;

/// How the ticks of an interface become nanoseconds since 1970. Times out of range end at the ends of the range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timescale {
    unit: Unit,
    offset_nanos: i64,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    /// A tick is this many nanoseconds.
    Nanos(u64),
    /// A nanosecond is this many ticks.
    TicksPerNano(u128),
    /// A second is 2 to this many ticks.
    Binary(u8),
}

impl Timescale {
    pub fn new(resolution: Resolution, offset_seconds: i64) -> Self {
        let unit = match resolution {
            Resolution::Decimal(exponent @ 0..=9) => Unit::Nanos(10_u64.pow((9 - exponent).into())),
            Resolution::Decimal(exponent) => {
                Unit::TicksPerNano(10_u128.checked_pow(u32::from(exponent) - 9).unwrap_or(u128::MAX))
            }
            Resolution::Binary(exponent) => Unit::Binary(exponent),
        };
        Self { unit, offset_nanos: offset_seconds.saturating_mul(NANOS_PER_SECOND) }
    }

    pub fn time(&self, ticks: u64) -> Timestamp {
        let nanos = match self.unit {
            Unit::Nanos(nanos) => ticks.saturating_mul(nanos),
            Unit::TicksPerNano(ticks_per_nano) => saturated(u128::from(ticks) / ticks_per_nano),
            // Less than 2^94, and the exponent has seven bits.
            Unit::Binary(exponent) => {
                saturated((u128::from(ticks) * u128::from(NANOS_PER_SECOND.unsigned_abs())) >> (exponent & 0x7f))
            }
        };
        Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX).saturating_add(self.offset_nanos))
    }
}

fn saturated(nanos: u128) -> u64 {
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(resolution: Resolution, offset: i64, ticks: u64) -> i64 {
        Timescale::new(resolution, offset).time(ticks).0
    }

    #[test]
    fn resolutions() {
        assert_eq!(nanos(Resolution::Decimal(6), 0, 1_000_001), 1_000_001_000);
        assert_eq!(nanos(Resolution::Decimal(9), 0, 5), 5);
        assert_eq!(nanos(Resolution::Decimal(0), 0, 5), 5_000_000_000);
        assert_eq!(nanos(Resolution::Decimal(12), 0, 5_999), 5);
        assert_eq!(nanos(Resolution::Binary(10), 0, 1536), 1_500_000_000);
        assert_eq!(nanos(Resolution::Binary(0), 0, 3), 3_000_000_000);
        assert_eq!(nanos(Resolution::Decimal(6), -2, 1_000_000), -1_000_000_000);
    }

    #[test]
    fn absurd_values_saturate() {
        assert_eq!(nanos(Resolution::Decimal(127), 0, u64::MAX), 0);
        assert_eq!(nanos(Resolution::Binary(127), 0, u64::MAX), 0);
        assert_eq!(nanos(Resolution::Decimal(0), 0, u64::MAX), i64::MAX);
        assert_eq!(nanos(Resolution::Binary(1), 0, u64::MAX), i64::MAX);
        assert_eq!(nanos(Resolution::Decimal(6), i64::MIN, 0), i64::MIN);
        assert_eq!(nanos(Resolution::Decimal(6), i64::MAX, u64::MAX), i64::MAX);
    }
}
