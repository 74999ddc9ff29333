//! Times as users write them.

use std::str::FromStr;

use anyhow::{Context, bail};

use crate::time::{NANOS_PER_SECOND, Timestamp};

/// A moment in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimePoint {
    /// Nanoseconds from the first packet of the input, never negative.
    Offset(i64),
    /// A moment of the calendar.
    At(Timestamp),
}

/// `12.5`, `1:30`, `0:01:30.25` (from the first packet), `2026-11-22T08:57:50.5Z`, `2026-11-22T09:57:50+01:00`.
impl FromStr for TimePoint {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text.split_once(['T', 't', ' ']) {
            Some((date, time)) => moment(date, time).map(Self::At),
            None => clock(text).map(Self::Offset),
        }
        .context("a time is written 12.5 or 1:30 (from the first packet) or 2026-11-22T08:57:50Z")
    }
}

/// RFC 3339's date and time with its offset; UTC without one.
fn moment(date: &str, time: &str) -> anyhow::Result<Timestamp> {
    let (time, offset) = if let Some(time) = time.strip_suffix(['Z', 'z']) {
        (time, 0)
    } else if let Some((time, ahead)) = time.split_once('+') {
        (time, clock_offset(ahead)?)
    } else if let Some((time, behind)) = time.split_once('-') {
        (time, -clock_offset(behind)?)
    } else {
        (time, 0)
    };
    let mut parts = date.splitn(3, '-').map(whole);
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else {
        bail!("the date is not year-month-day");
    };
    let (year, month, day) = (year?, month?, day?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year > 9999 {
        bail!("there is no such day");
    }
    let time = clock(time)?;
    if time >= 86_400 * NANOS_PER_SECOND + NANOS_PER_SECOND {
        bail!("a day has 24 hours");
    }
    let nanos = days_from_civil(year, month, day).checked_mul(86_400 * NANOS_PER_SECOND);
    let nanos = nanos.and_then(|days| days.checked_add(time)).and_then(|moment| moment.checked_sub(offset));
    nanos.map(Timestamp).context("the year is out of range (1678 to 2261)")
}

/// `01:00` as nanoseconds: always two parts, hours first.
fn clock_offset(text: &str) -> anyhow::Result<i64> {
    let (hours, minutes) = text.split_once(':').context("an offset is written +01:00")?;
    clock(&format!("{hours}:{minutes}:0"))
}

/// `[[hours:]minutes:]seconds[.fraction]` as nanoseconds.
fn clock(text: &str) -> anyhow::Result<i64> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    if text.split(':').count() > 3 {
        bail!("hours, minutes and seconds are all there is");
    }
    let mut seconds = 0_i64;
    for part in text.split(':') {
        let part = whole(part)?;
        seconds = seconds.checked_mul(60).and_then(|sum| sum.checked_add(part)).context("the time is too long")?;
    }
    let nanos = match fraction.get(..fraction.len().min(9)) {
        Some("") => 0,
        Some(_) if !fraction.bytes().all(|byte| byte.is_ascii_digit()) => bail!("the fraction is not a number"),
        Some(digits) => whole(&format!("{digits:0<9}"))?,
        None => bail!("the fraction is not a number"),
    };
    let nanos = seconds.checked_mul(NANOS_PER_SECOND).and_then(|seconds| seconds.checked_add(nanos));
    nanos.context("the time is too long")
}

/// A number of digits only: no sign, no space.
fn whole(text: &str) -> anyhow::Result<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        bail!("{text:?} is not a number");
    }
    text.parse().context("the number is too large")
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, years counted from March so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_exact() {
        let cases = [
            ("0", 0),
            ("12.5", 12_500_000_000),
            ("1:30", 90_000_000_000),
            ("0:01:30.25", 90_250_000_000),
            ("0.1234567899", 123_456_789),
        ];
        for (text, nanos) in cases {
            assert_eq!(text.parse::<TimePoint>().unwrap(), TimePoint::Offset(nanos), "{text}");
        }
    }

    /// Seconds from `date -u -d TEXT +%s`.
    #[test]
    fn moments_are_exact() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-22T07:58:34Z", 1_795_334_314),
            ("2026-11-22T08:58:34+01:00", 1_795_334_314),
            ("2026-11-22 02:28:34-05:30", 1_795_334_314),
            ("2000-02-29T00:00:00Z", 951_782_400),
        ];
        for (text, seconds) in cases {
            assert_eq!(
                text.parse::<TimePoint>().unwrap(),
                TimePoint::At(Timestamp(seconds * NANOS_PER_SECOND)),
                "{text}"
            );
        }
        for seconds in (-9_000_000_000..9_000_000_000).step_by(7_777_777) {
            let moment = Timestamp(seconds * NANOS_PER_SECOND);
            assert_eq!(moment.to_rfc3339().parse::<TimePoint>().unwrap(), TimePoint::At(moment));
        }
    }

    #[test]
    fn the_rest_is_refused() {
        let long = "9".repeat(40);
        for text in [
            "",
            "-1",
            "+1",
            "1e3",
            "1:2:3:4",
            "1.x",
            "1.é",
            "::",
            "now",
            "2026-13-01T00:00:00Z",
            "2026-11T0",
            "2026-11-22T99:00:00Z",
            &long,
        ] {
            assert!(text.parse::<TimePoint>().is_err(), "{text}");
        }
    }
}
