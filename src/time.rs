//! When a packet was captured, and which packet it is. Nothing below the command line reads a clock: `now` is always
//! the time of a packet.

/// A moment: nanoseconds since 1970-01-01T00:00:00Z. Negative before it; captures with broken clocks exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A packet: which file of the analysis (counted from 0) and its number there (counted from 1), in one word.
/// Packets of one file compare as their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(u64);

impl PacketId {
    const NUMBER_BITS: u32 = 48;

    /// The packet `number` of `file`.
    #[must_use]
    pub const fn new(file: u16, number: u64) -> Self {
        Self((file as u64) << Self::NUMBER_BITS | (number & ((1 << Self::NUMBER_BITS) - 1)))
    }

    /// The file, counted from 0.
    #[must_use]
    pub const fn file(self) -> u16 {
        (self.0 >> Self::NUMBER_BITS) as u16
    }

    /// The number in that file, counted from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0 & ((1 << Self::NUMBER_BITS) - 1)
    }
}

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Nanoseconds in a millisecond.
pub const NANOS_PER_MILLI: i64 = 1_000_000;

impl Timestamp {
    /// Nanoseconds from `earlier` to this moment; negative when time went backwards. Saturates, at both ends alike: the
    /// result has an absolute value.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(-i64::MAX)
    }

    /// Seconds from `earlier` to this moment, for reports.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        seconds(self.since(earlier))
    }

    /// The moment as RFC 3339 writes it in UTC, with nine decimals: `2026-11-22T08:57:50.000000000Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let (days, nanos_of_day) =
            (self.0.div_euclid(86_400 * NANOS_PER_SECOND), self.0.rem_euclid(86_400 * NANOS_PER_SECOND));
        let (year, month, day) = civil_from_days(days);
        let (seconds, nanos) = (nanos_of_day / NANOS_PER_SECOND, nanos_of_day % NANOS_PER_SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }
}

/// Nanoseconds as seconds, for reports.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a report is read by people; 2^53 ns is 104 days")]
pub fn seconds(nanos: i64) -> f64 {
    nanos as f64 / NANOS_PER_SECOND as f64
}

/// Year, month and day of a day count from 1970-01-01 in the proleptic Gregorian calendar. Years are counted from
/// March, so that the leap day is the last of the year and 400-year eras are all alike.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_of_known_moments() {
        // Values from `date -u -d @N +%FT%TZ`.
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp(1_795_334_314_748_578_000).to_rfc3339(), "2026-11-22T07:58:34.748578000Z");
        assert_eq!(Timestamp(951_782_400 * NANOS_PER_SECOND).to_rfc3339(), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(Timestamp(-1).to_rfc3339(), "1969-12-31T23:59:59.999999999Z");
    }
}
