//! The words that all packets share.

use std::fmt::Write;

use crate::wire::{Kind, Layer, Malformed};

/// Characters of a peer's text that are shown; more would push everything else off the screen.
const MAX_TEXT: usize = 80;

/// Bytes that are shown in hexadecimal.
const MAX_HEX: usize = 32;

/// Text that a peer sent, in quotes, its control characters escaped: a terminal must not obey it.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_TEXT) + 4);
    for character in text.chars().take(MAX_TEXT) {
        match character {
            // Harmless between double quotes, and frequent in the names of servers.
            '\'' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(MAX_TEXT).is_some() {
        shown.push('\u{2026}');
    }
    format!("\"{shown}\"")
}

/// Text as it is where it has only the letters of identifiers, else [`quoted`].
pub(super) fn word(text: &str) -> String {
    let plain = |character: char| character.is_ascii_graphic() && !matches!(character, '"' | '\\' | ',');
    if !text.is_empty() && text.len() <= MAX_TEXT && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// Bytes in hexadecimal, without spaces.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(MAX_HEX * 2 + 3);
    for byte in bytes.iter().take(MAX_HEX) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > MAX_HEX {
        text.push('\u{2026}');
    }
    text
}

/// A link address as IEEE 802 writes it, with colons.
pub(super) fn mac([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// `name: value`, or the name alone of what has no value.
pub(super) fn labelled(name: &str, value: &str) -> String {
    if value.is_empty() { name.to_owned() } else { format!("{name}: {value}") }
}

/// `1 byte`, `1400 bytes`.
pub(super) fn bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// Numbers by name where they have one, in their order.
pub(super) fn names(numbers: impl Iterator<Item = u16>, name: impl Fn(u16) -> Option<&'static str>) -> String {
    let mut text = String::new();
    for number in numbers {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&named(number, &name));
    }
    text
}

/// A number by its name, or in hexadecimal where it has none.
pub(super) fn named(number: u16, name: impl Fn(u16) -> Option<&'static str>) -> String {
    name(number).map_or_else(|| format!("0x{number:04x}"), str::to_owned)
}

/// What is wrong, and where in the payload, in brackets.
pub(super) fn fault(fault: Malformed) -> String {
    if fault.kind == Kind::Snapped {
        return format!("[cut by the capture at byte {}]", fault.offset);
    }
    format!("[malformed {}]", reason(fault))
}

/// What is wrong, and where.
pub(super) fn reason(fault: Malformed) -> String {
    let layer = match fault.layer {
        Layer::Container => "record",
        Layer::Link => "link header",
        Layer::Ip => "IP",
        Layer::Fragment => "fragment",
        Layer::Tunnel => "tunnel",
        Layer::Icmp => "ICMP",
        Layer::Udp => "UDP",
        Layer::Tcp => "TCP",
        Layer::Stun => "STUN",
        Layer::ChannelData => "ChannelData",
        Layer::Dtls => "DTLS",
        Layer::Rtp => "RTP",
        Layer::Payload => "RTP payload",
        Layer::Rtcp => "RTCP",
        Layer::Sctp => "SCTP",
        Layer::Quic => "QUIC",
        Layer::Zrtp => "ZRTP",
        Layer::Mdns => "mDNS",
    };
    let what = match fault.kind {
        Kind::Snapped => "cut by the capture",
        Kind::TooShort => "ends too early",
        Kind::BadLength => "a length that does not fit",
        Kind::BadVersion => "a version that is not known",
        Kind::BadValue => "a value that is not allowed",
        Kind::BadChecksum => "a wrong checksum",
        Kind::Unsupported => "a form that is not read",
        Kind::TooMany => "too many headers inside each other",
    };
    format!("{layer}: {what}, at byte {}", fault.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_peers_is_tame() {
        assert_eq!(word("evtj:h6vY"), "evtj:h6vY");
        assert_eq!(word("a 'b'"), "\"a 'b'\"");
        assert_eq!(word("\u{1b}[31m"), "\"\\u{1b}[31m\"");
        assert_eq!(quoted(&"x".repeat(200)).chars().count(), MAX_TEXT + 3);
        assert_eq!(hex(&[0xab; 33]).chars().count(), 65);
    }
}
