//! Numbers in sentences.

use crate::time::{NANOS_PER_MILLI, NANOS_PER_SECOND};

/// `1501` as `1,501`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 packet`, `1,501 packets`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = match noun {
        noun if number == 1 => noun.to_owned(),
        "reply" => "replies".to_owned(),
        noun => format!("{noun}s"),
    };
    format!("{} {plural}", grouped(number))
}

/// The verb behind a number of things.
pub const fn was(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// A length of time in nanoseconds, as roughly as people speak of it: `1.4 ms`, `2.3 s`, `5 min`, `3 h`, `731 days`.
pub fn span(nanos: i64) -> String {
    const MINUTE: i64 = 60 * NANOS_PER_SECOND;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let tenths = |unit: i64| format!("{}.{}", nanos / unit, nanos % unit / (unit / 10));
    match nanos {
        ..NANOS_PER_SECOND => format!("{} ms", tenths(NANOS_PER_MILLI)),
        NANOS_PER_SECOND..MINUTE => format!("{} s", tenths(NANOS_PER_SECOND)),
        MINUTE..HOUR => format!("{} min", nanos / MINUTE),
        HOUR..DAY => format!("{} h", nanos / HOUR),
        _ => counted((nanos / DAY).unsigned_abs(), "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_say_it() {
        assert_eq!((grouped(0), grouped(999), grouped(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((counted(1, "packet"), counted(1041, "packet")), ("1 packet".into(), "1,041 packets".into()));
        let spans = [1_450_000, 2_310_000_000, 300_000_000_000, 10_900_000_000_000, 86_400_000_000_000, i64::MAX];
        assert_eq!(spans.map(span), ["1.4 ms", "2.3 s", "5 min", "3 h", "1 day", "106,751 days"]);
    }
}
