//! ICMP errors in words.

use std::cmp::Reverse;

use super::{
    super::document::{Connecting, IcmpErrors},
    number::{counted, grouped},
    page::Page,
};

/// Errors that are told one by one.
const FEW: usize = 2;

/// Who could not or would not deliver the call's packets. A port that is closed at the end of a call is told when all is
/// asked for.
pub(super) fn words(connecting: &Connecting, page: &Page<'_>) -> Vec<String> {
    let errors = &connecting.icmp;
    let all = page.options().details.shown(0, 2) > 0;
    let mut told: Vec<&IcmpErrors> = errors.iter().filter(|error| all || !error.at_end).collect();
    told.sort_by_key(|error| (Reverse(error.count), error.first_packet));
    let (shown, quiet) = told.split_at(page.options().details.shown(FEW, told.len()));
    let mut words: Vec<String> = shown.iter().map(|error| sentence(error)).collect();
    // Those beyond the list of the report are only counted.
    let rest = connecting.icmp_errors.saturating_sub(errors.iter().map(|error| error.count).sum())
        + quiet.iter().map(|error| error.count).sum::<u64>();
    if rest > 0 {
        words.push(counted(rest, if words.is_empty() { "ICMP error" } else { "more ICMP error" }));
    }
    words
}

/// `10.1.0.254 refuses packets to 10.2.0.2:5000: communication administratively prohibited (20 times, packet 12)`.
fn sentence(error: &IcmpErrors) -> String {
    let IcmpErrors { sender, about, .. } = error;
    let times = if error.count > 1 { format!("{} times, ", grouped(error.count)) } else { String::new() };
    let evidence = format!("{times}packet {}", error.first_packet);
    let protocol = if error.version == 6 { "ICMPv6" } else { "ICMP" };
    let meaning = error.meaning.map_or_else(|| format!("{protocol} {}/{}", error.kind, error.code), str::to_owned);
    match (error.version, error.kind, error.code) {
        (4, 3, 3) | (6, 1, 4) if error.from_destination => {
            let what = match (error.at_end, error.heard_before) {
                (true, _) => format!("{about} closed its port at the end"),
                (false, true) => format!("nothing listens at {about} any more"),
                (false, false) => format!("nothing listens at {about}"),
            };
            format!("{what} ({protocol} {meaning}, {evidence})")
        }
        (4, 3, 4) | (6, 2, _) => {
            let limit = error.mtu.map_or_else(String::new, |mtu| format!(", MTU {mtu}"));
            format!("packets to {about} are too big behind {sender} ({protocol} {meaning}{limit}, {evidence})")
        }
        (4, 3, 9 | 10 | 13) | (6, 1, 1 | 5 | 6) => {
            format!("{sender} refuses packets to {about}: {meaning} ({evidence})")
        }
        (4, 3 | 11, _) | (6, 1 | 3, _) => format!("{sender} cannot deliver packets to {about}: {meaning} ({evidence})"),
        _ => format!("{sender} says of packets to {about}: {meaning} ({evidence})"),
    }
}
