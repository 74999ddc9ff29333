//! A list of packets as text: a line each in columns, and under it the tree of its fields where there is one.
//!
//! ```text
//!   12   0.004182  10.1.0.2:49474    → 10.2.0.2:35727    STUN         Binding request user=evtj:h6vY prio=1845501695
//!   |    |         |                   |                 |            what it says, up to the width
//!   |    seconds from the first packet                   protocol
//!   number          addresses, as wide as most of them
//! ```

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use tabled::grid::util::string::get_char_width;

use super::{Decrypted, Entry, Node};
use crate::{engine::Analysis, flow::FlowRecord, report::text::TextOptions, time::NANOS_PER_SECOND, wire::Endpoint};

/// Columns of a protocol's name: `ChannelData`.
const PROTOCOL: usize = 11;

/// Address columns are at least as wide as `10.20.30.40:50000`, and at most as the longest IPv6 address with a port.
const NARROWEST: usize = 17;
const WIDEST: usize = 47;

/// Of a hundred packets no more than so many have addresses that are too long for their column.
const MISFITS: u64 = 10;

/// How the lines of a list are laid out.
#[derive(Clone, Debug)]
pub struct List {
    color: bool,
    unicode: bool,
    /// Columns after which a line is cut; `None` where none is.
    cut: Option<usize>,
    number: usize,
    seconds: usize,
    address: usize,
    line: String,
}

impl List {
    /// A layout for the packets of `analysis`. Lines are cut to `cut` columns.
    #[must_use]
    pub fn new(analysis: &Analysis, options: TextOptions, cut: Option<usize>) -> Self {
        let most = analysis.files.iter().map(|file| file.total_packets).max().unwrap_or(0);
        let file = if analysis.files.len() > 1 { digits(analysis.files.len() as u64) + 1 } else { 0 };
        let last = analysis.files.iter().filter_map(|file| file.last).max();
        let span = analysis.start.zip(last).map_or(0, |(start, last)| last.since(start).max(0));
        Self {
            color: options.color,
            unicode: options.unicode,
            cut,
            number: file + digits(most),
            seconds: digits((span / NANOS_PER_SECOND).unsigned_abs()).max(2) + 7,
            address: address_width(&analysis.flows),
            line: String::new(),
        }
    }

    /// Writes the line of a packet, and its tree if it has one.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(&mut self, entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        self.lay_out(entry, &mut line);
        out.write_all(line.as_bytes())?;
        self.line = line;
        if let Some(tree) = &entry.tree {
            let mut text = String::new();
            let decrypted = entry.decrypted.iter().filter_map(Decrypted::node);
            for node in tree.iter().cloned().chain(decrypted) {
                self.branch(&node, 1, &mut text);
            }
            out.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn lay_out(&self, entry: &Entry, line: &mut String) {
        // Writing to a string does not fail.
        let width = self.number;
        let _ = match entry.number.file {
            0 => write!(line, "{:>width$}  ", entry.number.number),
            _ => write!(line, "{:>width$}  ", entry.number.to_string()),
        };
        let width = self.seconds;
        let _ = match entry.nanos {
            Some(nanos) => {
                let micros = nanos.unsigned_abs().saturating_add(500) / 1000;
                let (sign, whole) = (if nanos < 0 { "-" } else { "" }, micros / 1_000_000);
                let space = width.saturating_sub(7 + digits(whole) + sign.len());
                write!(line, "{:space$}{sign}{whole}.{:06}  ", "", micros % 1_000_000)
            }
            None => write!(line, "{:>width$}  ", "-"),
        };
        let (source, destination) = match (&entry.source, &entry.destination) {
            (Some(source), Some(destination)) => (source.as_str(), destination.as_str()),
            _ => ("-", "-"),
        };
        let width = self.address;
        let arrow = if self.unicode { "\u{2192}" } else { "->" };
        // An address that is too long takes of the room of the other.
        let rest = (2 * width).saturating_sub(source.len().max(width));
        let _ = write!(line, "{source:width$} {arrow} {destination:rest$}  ");
        let painted = self.color.then(|| color(&entry.protocol)).flatten();
        let width = PROTOCOL;
        let before = columns(line);
        if let Some(sgr) = painted {
            let _ = write!(line, "\x1b[{sgr}m");
        }
        let _ = write!(line, "{:width$}", entry.protocol);
        if painted.is_some() {
            line.push_str("\x1b[0m");
        }
        line.push_str("  ");
        let start = line.len();
        line.push_str(&entry.summary);
        entry.decrypted.iter().for_each(|decrypted| line.push_str(&decrypted.words()));
        if !self.unicode {
            let plain = plain(line.split_off(start).as_str());
            line.push_str(&plain);
        }
        if let Some(cut) = self.cut {
            shorten(line, start, cut.saturating_sub(before + width.max(entry.protocol.len()) + 2), self.unicode);
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
    }

    fn branch(&self, node: &Node, depth: usize, text: &mut String) {
        let _ = match self.unicode {
            true => write!(text, "{:indent$}{}", "", node.label, indent = 4 * depth),
            false => write!(text, "{:indent$}{}", "", plain(&node.label), indent = 4 * depth),
        };
        let (start, end) = (node.offset, node.offset.saturating_add(node.length));
        let _ = match self.color {
            true => writeln!(text, " \x1b[2m[{start}..{end}]\x1b[0m"),
            false => writeln!(text, " [{start}..{end}]"),
        };
        for child in &node.children {
            self.branch(child, depth + 1, text);
        }
    }
}

/// Cuts what `line` has from `start` on to `width` columns.
fn shorten(line: &mut String, start: usize, width: usize, unicode: bool) {
    let Some(text) = line.get(start..) else { return };
    if text.len() <= width || columns(text) <= width {
        return;
    }
    let ellipsis = if unicode { "\u{2026}" } else { "..." };
    let room = width.saturating_sub(columns(ellipsis));
    let mut used = 0;
    let fits = |(_, character): &(usize, char)| {
        used += get_char_width(*character);
        used <= room
    };
    let end = text.char_indices().take_while(fits).last().map_or(0, |(at, character)| at + character.len_utf8());
    line.truncate(start + end);
    line.push_str(ellipsis);
}

/// Signs outside ASCII that are ours, in ASCII; those of peers, as escapes.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{2192}' => plain.push_str("->"),
            '\u{2026}' => plain.push_str("..."),
            _ if character.is_ascii() => plain.push(character),
            _ => plain.extend(character.escape_unicode()),
        }
    }
    plain
}

fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(get_char_width).sum() }
}

/// The colour of a protocol (ECMA-48 section 8.3.117).
fn color(protocol: &str) -> Option<&'static str> {
    Some(match protocol {
        "STUN" | "ChannelData" => "36",
        "DTLS" | "TLS" | "ZRTP" => "33",
        "RTP" | "SRTP" => "32",
        "RTCP" | "SRTCP" => "34",
        "SCTP" | "SIP" | "HTTP" | "RTSP" => "35",
        "malformed" | "snapped" => "31",
        "ICMP" | "ICMPv6" => "91",
        _ => return None,
    })
}

/// Columns that suffice for the addresses of nearly all packets.
fn address_width(flows: &[FlowRecord]) -> usize {
    let mut packets = [0_u64; WIDEST + 1];
    // What is relayed has no line of its own.
    for flow in flows.iter().filter(|flow| flow.key.relay.is_none()) {
        let width = address_length(flow.key.low).max(address_length(flow.key.high)).clamp(NARROWEST, WIDEST);
        if let Some(count) = packets.get_mut(width) {
            *count += flow.packets.iter().sum::<u64>() + flow.copies;
        }
    }
    let total: u64 = packets.iter().sum();
    let mut wider = total;
    for (width, count) in packets.iter().enumerate() {
        wider -= count;
        if width >= NARROWEST && wider.saturating_mul(100) <= total.saturating_mul(MISFITS) {
            return width;
        }
    }
    WIDEST
}

fn address_length(end: Endpoint) -> usize {
    if end.port() == 0 { end.ip().to_string().len() } else { end.to_string().len() }
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}
