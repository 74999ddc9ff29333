//! Numbers as people read them: grouped digits, a unit, no more decimals than mean something.

use std::collections::BTreeMap;

pub(super) use crate::finding::words::{counted, grouped};

/// A signed number, grouped.
pub(super) fn grouped_signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// A fraction as per cent: `2.3 %`. What is not zero is never written as `0 %`, what is not all never as `100 %`.
pub(super) fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    if percent <= 0.0 {
        "0 %".to_owned()
    } else if percent < 0.1 {
        "<0.1 %".to_owned()
    } else if percent >= 100.0 {
        "100 %".to_owned()
    } else if percent > 99.9 {
        ">99.9 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

/// Seconds as the bare number of milliseconds: `0.42`, `7.4`, `112`, `1,204`.
pub(super) fn milliseconds(seconds: f64) -> String {
    let milliseconds = seconds * 1e3;
    if milliseconds < 0.005 {
        "0".to_owned()
    } else if milliseconds < 0.995 {
        format!("{milliseconds:.2}")
    } else if milliseconds < 99.95 {
        format!("{milliseconds:.1}")
    } else {
        grouped(rounded(milliseconds))
    }
}

/// A short time: `7.4 ms`, `1.25 s`.
pub(super) fn short_time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{} ms", milliseconds(seconds)) } else { duration(seconds) }
}

/// A length of time: `240 ms`, `7.42 s`, `37.8 s`, `4 min 12 s`, `2 h 05 min`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds <= 0.0 {
        return "0 s".to_owned();
    }
    if seconds < 0.9995 {
        return format!("{} ms", milliseconds(seconds));
    }
    if seconds < 9.995 {
        return format!("{seconds:.2} s");
    }
    if seconds < 99.95 {
        return format!("{seconds:.1} s");
    }
    let whole = rounded(seconds);
    match whole / 3600 {
        0 => format!("{} min {:02} s", whole / 60, whole % 60),
        hours => format!("{} h {:02} min", grouped(hours), whole / 60 % 60),
    }
}

/// A moment, as the report and `--from` write it: seconds with three decimals.
pub(super) fn moment(seconds: f64) -> String {
    format!("{seconds:.3} s")
}

/// Bits a second: `640 bit/s`, `41.2 kbit/s`, `1.21 Mbit/s`.
pub(super) fn bitrate(bits_per_second: f64) -> String {
    scaled(bits_per_second, 1000.0, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s"])
}

/// Bytes: `640 B`, `10.3 kB`, `1.21 MB` (powers of ten).
pub(super) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    scaled(count as f64, 1000.0, &["B", "kB", "MB", "GB", "TB"])
}

/// Three significant digits and the unit that leaves them before the point where possible.
fn scaled(number: f64, step: f64, units: &[&str]) -> String {
    let mut scaled = number.max(0.0);
    let mut unit = 0;
    while scaled >= 999.5 && unit + 1 < units.len() {
        scaled /= step;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 || scaled >= 99.95 {
        format!("{} {name}", grouped(rounded(scaled)))
    } else if scaled >= 9.995 {
        format!("{scaled:.1} {name}")
    } else {
        format!("{scaled:.2} {name}")
    }
}

/// The nearest whole number; 0 for what is below.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and negatives are 0")]
fn rounded(number: f64) -> u64 {
    number.round() as u64
}

/// `30 Binding request, 28 Binding success response`: most first.
pub(super) fn by_count(counts: &BTreeMap<String, u64>) -> String {
    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
    sorted.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    sorted.iter().map(|(name, count)| format!("{} {name}", grouped(**count))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!(
            [0, 7, 999, 1000, 1_234_567, u64::MAX].map(grouped),
            ["0", "7", "999", "1,000", "1,234,567", "18,446,744,073,709,551,615"]
        );
        assert_eq!([-1, i64::MIN].map(grouped_signed), ["-1", "-9,223,372,036,854,775,808"]);
        assert_eq!([1, 2000].map(|n| counted(n, "packet")), ["1 packet", "2,000 packets"]);
    }

    #[test]
    fn a_little_loss_is_not_none() {
        assert_eq!([0.0, 0.00001, 0.023, 0.9999, 1.0].map(percent), ["0 %", "<0.1 %", "2.3 %", ">99.9 %", "100 %"]);
    }

    #[test]
    fn times_have_units_that_fit() {
        assert_eq!([0.0, 0.000_42, 0.0074, 0.112, 1.204].map(milliseconds), ["0", "0.42", "7.4", "112", "1,204"]);
        assert_eq!(
            [0.0, 0.24, 7.42, 37.8, 252.0, 7500.0].map(duration),
            ["0 s", "240 ms", "7.42 s", "37.8 s", "4 min 12 s", "2 h 05 min"]
        );
        assert_eq!(duration(0.9996), "1.00 s");
    }

    #[test]
    fn rates_and_sizes_have_three_digits() {
        assert_eq!(
            [640.0, 41_234.0, 999_600.0, 1.21e6].map(bitrate),
            ["640 bit/s", "41.2 kbit/s", "1.00 Mbit/s", "1.21 Mbit/s"]
        );
        assert_eq!([0, 999, 10_300, u64::MAX].map(bytes), ["0 B", "999 B", "10.3 kB", "18,446,744 TB"]);
    }
}
