//! Time windows: from when to when packets are looked at.

use std::str::FromStr;

use crate::time::{NANOS_PER_SECOND, Timestamp};

/// A moment as people give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nanoseconds after the first packet of all files.
    AfterFirst(i64),
    /// A moment of its own.
    At(Timestamp),
}

impl When {
    /// The moment, where the first packet has the time `origin`.
    #[must_use]
    pub const fn from_origin(self, origin: Timestamp) -> Timestamp {
        match self {
            Self::AfterFirst(nanos) => Timestamp(origin.0.saturating_add(nanos)),
            Self::At(time) => time,
        }
    }
}

/// A moment that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a time; give seconds from the first packet (12.5, 90s, 1m30s, 1:30), an RFC 3339 time \
     (2026-11-22T08:57:50Z), or seconds since 1970 (1795334314.5)"
)]
pub struct NotATime(String);

impl FromStr for When {
    type Err = NotATime;

    /// `12.5`, `12.5s`, `250ms`, `1m30s`, `1h`, `1:30`, `1:02:03` count from the first packet; so do plain numbers below
    /// 100,000,000 (three years). Larger ones are seconds since 1970, and so is any number after an `@`. Everything
    /// with a date is RFC 3339 (section 5.6), with a blank for the `T` if need be.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let text = text.trim();
        let understood = if let Some(number) = text.strip_prefix('@') {
            decimal(number).map(|nanos| Self::At(Timestamp(nanos)))
        } else if let Some(nanos) = decimal(text) {
            Some(if nanos < FIRST_EPOCH_SECONDS * NANOS_PER_SECOND {
                Self::AfterFirst(nanos)
            } else {
                Self::At(Timestamp(nanos))
            })
        } else {
            span(text).or_else(|| clock(text)).map(Self::AfterFirst).or_else(|| rfc3339(text).map(Self::At))
        };
        understood.ok_or_else(|| NotATime(text.to_owned()))
    }
}

/// A window with both ends in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Window {
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && time <= self.to
    }
}

/// Digits with or without a fraction, as billionths. Digits after the ninth are cut off.
fn decimal(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let billionths: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    whole.parse::<i64>().ok()?.checked_mul(NANOS_PER_SECOND)?.checked_add(billionths.parse().ok()?)
}

/// Numbers with units, the larger ones first: `1h2m3.5s`.
fn span(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0_i64;
    let mut smallest = i64::MAX;
    while !rest.is_empty() {
        let number = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (value, after) = rest.split_at_checked(number)?;
        let unit = after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let millis = match unit.trim() {
            "h" => 3_600_000,
            "m" | "min" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return None,
        };
        if millis >= smallest {
            return None;
        }
        smallest = millis;
        let nanos = i128::from(decimal(value)?) * i128::from(millis) / 1000;
        total = total.checked_add(i64::try_from(nanos).ok()?)?;
        rest = after;
    }
    (smallest < i64::MAX).then_some(total)
}

/// Hours, minutes and seconds, or minutes and seconds: `1:02:03.5`, `90:00`.
fn clock(text: &str) -> Option<i64> {
    let (rest, seconds) = text.rsplit_once(':')?;
    let (hours, minutes) = rest.split_once(':').unwrap_or(("0", rest));
    let [hours, minutes, seconds] = [hours, minutes, seconds].map(decimal);
    let (hours, minutes, seconds) = (hours?, minutes?, seconds?);
    let whole = hours % NANOS_PER_SECOND == 0 && minutes % NANOS_PER_SECOND == 0;
    let below = |limit: i64, number: i64| number < limit * NANOS_PER_SECOND;
    if !whole || !below(60, seconds) || hours > 0 && !below(60, minutes) {
        return None;
    }
    hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)
}

/// RFC 3339 section 5.6: `2026-11-22T08:57:50.25+01:00`.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at_checked(zone)?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    let offset_minutes = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        (sign @ ("+" | "-"), zone) => {
            let [hours, minutes] = fields(zone, ':', [2, 2])?;
            let minutes = hours * 60 + minutes;
            if sign == "+" { minutes } else { -minutes }
        }
        _ => return None,
    };
    let in_range = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + (minute - offset_minutes) * 60 + second;
    let nanos = decimal(&format!("0.{fraction}"))?;
    Some(Timestamp(seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(nanos)?))
}

/// Exactly `N` numbers of the given widths between separators.
fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted from March so that the leap day comes last.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Plain numbers from here on are seconds since 1970: March 1973, before there were captures.
const FIRST_EPOCH_SECONDS: i64 = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn after(nanos: i64) -> Result<When, NotATime> {
        Ok(When::AfterFirst(nanos))
    }

    #[test]
    fn spans_from_the_first_packet() {
        assert_eq!("12.5".parse(), after(12_500_000_000));
        assert_eq!("12.5s".parse(), after(12_500_000_000));
        assert_eq!("1m30s".parse(), after(90_000_000_000));
        assert_eq!("1:30".parse(), after(90_000_000_000));
        assert_eq!("90:00.5".parse(), after(5_400_500_000_000));
        assert_eq!("1:02:03".parse(), after(3_723_000_000_000));
        assert_eq!("1h".parse(), after(3_600_000_000_000));
        assert_eq!("250ms".parse(), after(250_000_000));
        assert_eq!("0".parse(), after(0));
    }

    #[test]
    fn moments() {
        // `date -u -d 2026-11-22T07:58:34Z +%s`
        let moment = Ok(When::At(Timestamp(1_795_334_314_000_000_000)));
        assert_eq!("1795334314".parse(), moment);
        assert_eq!("@1795334314".parse(), moment);
        assert_eq!("2026-11-22T07:58:34Z".parse(), moment);
        assert_eq!("2026-11-22 08:58:34+01:00".parse(), moment);
        assert_eq!("2026-11-22T07:58:34.5Z".parse(), Ok(When::At(Timestamp(1_795_334_314_500_000_000))));
        assert_eq!("2000-02-29T00:00:00Z".parse(), Ok(When::At(Timestamp(951_782_400_000_000_000))));
        assert_eq!("1970-01-01T00:00:00Z".parse(), Ok(When::At(Timestamp(0))));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "-1",
            "1.",
            ".5",
            "1x",
            "s",
            "1s1h",
            "1..2s",
            "9999999999999",
            "2026-02-29T00:00:00Z",
            "2026-11-22",
            "2026-11-22T07:58Z",
            "2026-11-22T24:00:00Z",
            "@",
            "1e3",
            "1:60",
            "1:60:00",
            "1.5:00",
            ":30",
            "1:",
            "ä",
            "1ä",
        ] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
