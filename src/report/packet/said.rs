//! What a frame says, in one line: its datagrams, its messages in TCP, or the little there is to say of anything else.

use std::{borrow::Cow, fmt::Write, net::Ipv4Addr};

use super::{
    Protocol, Scene,
    entry::{payload, protocol_of},
    line, names, relayed_line, signalling, words,
};
use crate::{
    engine::{Found, Visit},
    flow::key::Transport,
    wire::{Content, Endpoint, IcmpError, Kind, LinkType, Malformed, Packet, TcpHeader},
};

/// Messages of one TCP segment that are told one by one.
const MESSAGES: usize = 8;

/// The longest first line of a text protocol that is shown.
const TEXT_LINE: usize = 200;

/// Bytes of a datagram that is not known, to know it again by.
const UNKNOWN_BYTES: usize = 16;

/// What a packet says, without when and which.
pub(super) struct Said {
    pub(super) ends: Option<(String, String)>,
    pub(super) transport: Option<String>,
    pub(super) protocol: Cow<'static, str>,
    pub(super) summary: String,
}

impl Said {
    fn new(protocol: impl Into<Cow<'static, str>>, summary: impl Into<String>) -> Self {
        Self { ends: None, transport: None, protocol: protocol.into(), summary: summary.into() }
    }

    /// A frame that no packet was found in.
    fn fault(visit: &Visit<'_>, fault: Malformed) -> Self {
        let unread = fault.kind == Kind::Unsupported && fault.offset == 0;
        let fault = blamed(visit, fault);
        let said = if unread {
            Self::new(visit.frame.link.to_string(), words::bytes(visit.frame.original as usize))
        } else if fault.kind == Kind::Snapped {
            Self::new("snapped", words::reason(fault))
        } else {
            Self::new("malformed", words::reason(fault))
        };
        Self { ends: link_ends(visit), ..said }
    }
}

/// A header that ends early in a frame that was snapped is the capture's doing.
pub(super) fn blamed(visit: &Visit<'_>, fault: Malformed) -> Malformed {
    let snapped = visit.frame.captured < visit.frame.original && fault.kind == Kind::TooShort;
    Malformed { kind: if snapped { Kind::Snapped } else { fault.kind }, ..fault }
}

impl Scene<'_> {
    pub(super) fn said(&self, visit: &Visit<'_>) -> Said {
        let packet = match &visit.packet {
            Ok(packet) => visit.reassembled.as_ref().unwrap_or(packet),
            Err(fault) => return Said::fault(visit, *fault),
        };
        let payload = payload(visit, packet);
        let mut said = match (packet.content, visit.datagrams.as_slice()) {
            (Content::Tcp(header), []) => segment(visit, header, packet, payload),
            (_, []) => other(visit, packet, payload),
            (Content::Tcp(_), messages) => stream_messages(messages),
            (_, [datagram, ..]) => told(datagram),
        };
        if let Some((protocol, summary)) = signalling::said(&visit.signals) {
            (said.protocol, said.summary) = (protocol.into(), summary);
        }
        said.transport = transport(packet.content);
        said.ends = ends(visit, packet);
        if let [first, .., _] = visit.pieces.as_slice() {
            let first = self.number(*first);
            let _ = write!(said.summary, " [{} fragments, the first is {first}]", visit.pieces.len());
        }
        if visit.copy {
            said.summary.push_str(" [copy]");
        }
        said
    }
}

/// One datagram in a line.
fn told(found: &Found<'_>) -> Said {
    let (protocol, datagram) = (protocol_of(found.identity), found.datagram);
    if protocol == Protocol::Unknown {
        return unknown_datagram(datagram.bytes, datagram.length);
    }
    let Some(inner) = &found.inner else {
        let said = line(protocol, datagram.bytes, datagram.length);
        // Straight over IP the ports stand beside the addresses.
        let (source, destination) = (found.key.source(datagram.direction), found.key.destination(datagram.direction));
        let ports = format!("{} > {} ", source.port(), destination.port());
        let repeated = found.key.transport == Transport::Sctp && said.summary.starts_with(&ports);
        let summary = if repeated { said.summary.replacen(&ports, "", 1) } else { said.summary };
        return Said::new(said.protocol, summary);
    };
    let said = relayed_line(protocol, protocol_of(inner.identity), datagram.bytes, datagram.length);
    let mut said = Said::new(said.protocol, said.summary);
    // Send and Data indications name the peer themselves.
    if protocol == Protocol::ChannelData
        && let Some(peer) = peer(found)
    {
        let _ = write!(said.summary, " peer={peer}");
    }
    said
}

/// The far end of a channel, where its binding was seen.
fn peer(found: &Found<'_>) -> Option<Endpoint> {
    let key = &found.inner.as_ref()?.key;
    let outer = &found.key;
    let peer = [key.low, key.high].into_iter().find(|end| *end != outer.low && *end != outer.high)?;
    (peer.ip() != Ipv4Addr::UNSPECIFIED).then_some(peer)
}

/// UDP that nothing of ours is in; text protocols say themselves what they are.
fn unknown_datagram(bytes: &[u8], length: usize) -> Said {
    match text_line(bytes) {
        Some((protocol, text)) => {
            Said::new(protocol.unwrap_or("UDP"), format!("{} {}", words::quoted(text), words::bytes(length)))
        }
        None if bytes.is_empty() => Said::new("UDP", words::bytes(length)),
        None => {
            let start = words::hex(bytes.get(..UNKNOWN_BYTES).unwrap_or(bytes));
            let more = if bytes.len() > UNKNOWN_BYTES { "\u{2026}" } else { "" };
            Said::new("UDP", format!("{}: {start}{more}", words::bytes(length)))
        }
    }
}

/// The messages that end in a segment.
fn stream_messages(messages: &[Found<'_>]) -> Said {
    let mut told = messages.iter().take(MESSAGES).map(told);
    let mut said = told.next().unwrap_or_else(|| Said::new("TCP", ""));
    if said.protocol == "UDP" {
        said.protocol = "TCP".into();
    }
    for next in told {
        let _ = write!(said.summary, "; {} {}", next.protocol, next.summary);
    }
    match messages.len() {
        0 | 1 => said.summary.push_str(" [TCP]"),
        count if count > MESSAGES => {
            let _ = write!(said.summary, " \u{2026} [TCP, {count} messages]");
        }
        count => {
            let _ = write!(said.summary, " [TCP, {count} messages]");
        }
    }
    said
}

/// A segment in which no message ends.
fn segment(visit: &Visit<'_>, header: TcpHeader, packet: &Packet, payload: &[u8]) -> Said {
    let mut text = format!("[{}] seq={}", names::tcp_flags(header.flags), header.sequence);
    if header.has(TcpHeader::ACK) {
        let _ = write!(text, " ack={}", header.acknowledgment);
    }
    let _ = write!(text, " win={} len={}", header.window, packet.length);
    if packet.length == 0 {
        return Said::new("TCP", text);
    }
    let said = text_line(payload);
    if let Some((_, line)) = said {
        text.insert(0, ' ');
        text.insert_str(0, &words::quoted(line));
    }
    let protocol = said.and_then(|(protocol, _)| protocol).or_else(|| {
        Some(match visit.label? {
            "http" => "HTTP",
            "http2" => "HTTP2",
            "mqtt" => "MQTT",
            "rtsp" => "RTSP",
            "sip" => "SIP",
            "ssh" => "SSH",
            "tls" => "TLS",
            "xmpp" => "XMPP",
            _ => return None,
        })
    });
    Said::new(protocol.unwrap_or("TCP"), text)
}

/// The first line of text that starts with one and goes on, and the protocol that it names (RFC 3261 section 7,
/// RFC 9112 section 2.1, RFC 2326 section 4).
pub(super) fn text_line(bytes: &[u8]) -> Option<(Option<&'static str>, &str)> {
    let head = bytes.get(..bytes.len().min(TEXT_LINE))?;
    let end = head.windows(2).position(|pair| pair == b"\r\n").filter(|end| *end >= 4)?;
    let line = head.get(..end).filter(|line| line.iter().all(|byte| matches!(byte, 0x20..=0x7e)))?;
    let line = std::str::from_utf8(line).ok()?;
    let names = |version: &str| line.ends_with(version) || line.starts_with(version);
    let protocol = match line {
        _ if names("SIP/2.0") => Some("SIP"),
        _ if names("HTTP/1.1") || names("HTTP/1.0") => Some("HTTP"),
        _ if names("RTSP/1.0") => Some("RTSP"),
        _ => None,
    };
    Some((protocol, line))
}

/// What is neither TCP nor a datagram that was looked into.
fn other(visit: &Visit<'_>, packet: &Packet, payload: &[u8]) -> Said {
    let length = words::bytes(packet.length as usize);
    match packet.content {
        Content::Icmp { kind, code } => icmp(packet, kind, code, payload),
        Content::IcmpError(error) => icmp_error(&error),
        Content::Fragment(piece) => {
            let protocol = names::ip_protocol(piece.protocol).map_or_else(|| piece.protocol.to_string(), str::to_owned);
            let end = piece.offset.saturating_add(packet.length);
            let more = if piece.more { "more follow" } else { "the last" };
            let id = piece.identification;
            Said::new("IP fragment", format!("{protocol} id 0x{id:04x} bytes {}..{end}, {more}", piece.offset))
        }
        Content::Ip(number) => match names::ip_protocol(number) {
            Some(name) => Said::new(name, length),
            None => Said::new(format!("IP {number}"), length),
        },
        Content::NotIp(kind) => {
            if let (0x0806, Some(said)) = (kind, arp(payload)) {
                return said;
            }
            match (names::ether_type(kind), kind) {
                (Some(name), _) => Said::new(name, length),
                (None, 0) => Said::new(visit.frame.link.to_string(), length),
                (None, ..0x0600) => Said::new("LLC", format!("DSAP 0x{kind:02x}, {length}")),
                _ => Said::new(format!("0x{kind:04x}"), format!("EtherType 0x{kind:04x}, {length}")),
            }
        }
        Content::Udp => Said::new("UDP", length),
        Content::Sctp => Said::new("SCTP", length),
        Content::Tcp(_) => Said::new("TCP", length),
    }
}

fn icmp(packet: &Packet, kind: u8, code: u8, payload: &[u8]) -> Said {
    let version = ip_version(packet);
    let mut text = names::icmp(version, kind, code);
    if let (8 | 0 | 128 | 129, &[_, _, _, _, i0, i1, s0, s1, ..]) = (kind, payload) {
        let (id, sequence) = (u16::from_be_bytes([i0, i1]), u16::from_be_bytes([s0, s1]));
        let _ = write!(text, " id={id} seq={sequence}");
    }
    Said::new(if version == 6 { "ICMPv6" } else { "ICMP" }, text)
}

pub(super) fn ip_version(packet: &Packet) -> u8 {
    if packet.source.ip().is_ipv4() { 4 } else { 6 }
}

fn icmp_error(error: &IcmpError) -> Said {
    let mut text = names::icmp(error.version, error.kind, error.code);
    if let Some(mtu) = error.mtu {
        let _ = write!(text, ", MTU {mtu}");
    }
    let (source, destination) = (name(error.original_source), name(error.original_destination));
    let protocol = names::ip_protocol(error.protocol).unwrap_or("IP");
    let _ = write!(text, ", for {source} \u{2192} {destination} {protocol}");
    Said::new(if error.version == 6 { "ICMPv6" } else { "ICMP" }, text)
}

/// RFC 826, for Ethernet and IPv4.
fn arp(payload: &[u8]) -> Option<Said> {
    let (head, rest) = payload.split_first_chunk::<8>()?;
    let (sender_link, rest) = rest.split_first_chunk::<6>()?;
    let (sender, rest) = rest.split_first_chunk::<4>()?;
    let (_, rest) = rest.split_first_chunk::<6>()?;
    let target = Ipv4Addr::from(*rest.first_chunk::<4>()?);
    let sender = Ipv4Addr::from(*sender);
    match head {
        [0, 1, 8, 0, 6, 4, 0, 1] if sender == target => Some(Said::new("ARP", format!("announces {sender}"))),
        [0, 1, 8, 0, 6, 4, 0, 1] => Some(Said::new("ARP", format!("who has {target}? tell {sender}"))),
        [0, 1, 8, 0, 6, 4, 0, 2] => Some(Said::new("ARP", format!("{sender} is at {}", words::mac(*sender_link)))),
        _ => None,
    }
}

fn transport(content: Content) -> Option<String> {
    let transport = match content {
        Content::Udp => Transport::Udp,
        Content::Tcp(_) => Transport::Tcp,
        Content::Sctp => Transport::Sctp,
        Content::Icmp { .. } | Content::IcmpError(_) => Transport::Icmp,
        Content::Ip(number) => Transport::Ip(number),
        Content::Fragment(piece) => match piece.protocol {
            6 => Transport::Tcp,
            17 => Transport::Udp,
            132 => Transport::Sctp,
            1 | 58 => Transport::Icmp,
            number => Transport::Ip(number),
        },
        Content::NotIp(_) => return None,
    };
    Some(transport.name())
}

/// An address, with its port where it has one.
fn name(end: Endpoint) -> String {
    if end.port() == 0 { end.ip().to_string() } else { end.to_string() }
}

fn ends(visit: &Visit<'_>, packet: &Packet) -> Option<(String, String)> {
    let nowhere = Endpoint::v4([0; 4], 0);
    if !packet.is_ip() && packet.source == nowhere && packet.destination == nowhere {
        return link_ends(visit);
    }
    let ported = matches!(packet.content, Content::Udp | Content::Tcp(_) | Content::Sctp);
    if ported {
        return Some((packet.source.to_string(), packet.destination.to_string()));
    }
    Some((name(packet.source), name(packet.destination)))
}

/// The link addresses, where they are where Ethernet has them.
fn link_ends(visit: &Visit<'_>) -> Option<(String, String)> {
    let (destination, rest) = visit.bytes.split_first_chunk::<6>()?;
    let source = rest.first_chunk::<6>()?;
    (visit.frame.link == LinkType::ETHERNET).then(|| (words::mac(*source), words::mac(*destination)))
}
