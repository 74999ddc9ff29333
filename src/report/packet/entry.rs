//! A frame as a list of packets shows it: when, from where to where, what protocol, and what it says.

use std::{borrow::Cow, fmt::Write, net::Ipv4Addr};

use serde::Serialize;

use super::{Node, Protocol, headers, line, names, relayed_line, relayed_tree, tree, words};
use crate::{
    capture::{Frame, Interface},
    engine::{Analysis, Found, Place, Visit},
    flow::{flow::Protocol as FlowProtocol, identify::Identity, key::Transport},
    report::document::PacketRef,
    time::{PacketId, Timestamp},
    wire::{Content, Endpoint, IcmpError, Kind, LinkType, Malformed, Packet, TcpHeader},
};

/// Messages of one TCP segment that are told one by one.
const MESSAGES: usize = 8;

/// The longest first line of a text protocol that is shown.
const TEXT_LINE: usize = 200;

/// Bytes of a datagram that is not known, to know it again by.
const UNKNOWN_BYTES: usize = 16;

/// Lines of a text protocol that a tree shows.
const TEXT_LINES: usize = 256;

/// A packet in a list: a JSON object, or a line with or without its tree.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which packet it is.
    pub number: PacketRef,
    /// Seconds from the first packet of the analysis; `null` where the capture has no times.
    pub time: Option<f64>,
    /// When it was captured (RFC 3339).
    pub at: Option<String>,
    /// Who sent it: address and port, a link address, or `null`.
    pub source: Option<String>,
    /// Who is to receive it.
    pub destination: Option<String>,
    /// What runs over IP (`udp`, `tcp`, `icmp`, `sctp`); `null` where there is no IP.
    pub transport: Option<String>,
    /// The innermost protocol that is known.
    pub protocol: Cow<'static, str>,
    /// What it says.
    pub summary: String,
    /// Bytes on the wire.
    pub length: u32,
    /// Bytes in the capture.
    pub captured_length: u32,
    /// Whether it was captured before at another place.
    pub copy: bool,
    /// The datagram that a TURN message carries, with its addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relayed: Option<Relayed>,
    /// Its fields, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<Vec<Node>>,
    /// Nanoseconds from the first packet, for text.
    #[serde(skip)]
    pub nanos: Option<i64>,
}

/// A datagram inside a TURN message.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Relayed {
    /// Who sent it: the client or its peer.
    pub source: String,
    /// Who is to receive it.
    pub destination: String,
    /// Its protocol.
    pub protocol: &'static str,
}

/// What is the same for all packets of a list.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What is known of the files.
    pub analysis: &'a Analysis,
    /// Whether the fields of each packet are wanted.
    pub trees: bool,
    /// Whether the moment of each packet is wanted.
    pub moments: bool,
}

impl Scene<'_> {
    /// How a packet is named: with its file where there are several.
    #[must_use]
    pub fn number(&self, id: PacketId) -> PacketRef {
        let file = if self.analysis.files.len() > 1 { id.file().saturating_add(1) } else { 0 };
        PacketRef { file, number: id.number() }
    }

    /// A frame as a list shows it.
    #[must_use]
    pub fn entry(&self, visit: &Visit<'_>) -> Entry {
        let frame = visit.frame;
        let time = self.time(&frame);
        let nanos = time.map(|time| time.since(self.analysis.start.unwrap_or(time)));
        let said = self.said(visit);
        let (source, destination) = said.ends.unzip();
        Entry {
            number: self.number(PacketId::new(frame.file, frame.number)),
            time: nanos.map(crate::time::seconds),
            at: time.filter(|_| self.moments).map(Timestamp::to_rfc3339),
            source,
            destination,
            transport: said.transport,
            protocol: said.protocol,
            summary: said.summary,
            length: frame.original,
            captured_length: frame.captured,
            copy: visit.copy,
            relayed: visit.datagrams.iter().find_map(relayed),
            tree: self.trees.then(|| self.tree(visit)),
            nanos,
        }
    }

    /// When a frame was captured; some blocks of pcapng do not say, and stand at the epoch.
    fn time(&self, frame: &Frame) -> Option<Timestamp> {
        let untimed = || self.analysis.files.get(usize::from(frame.file)).is_some_and(|file| file.untimed > 0);
        (frame.time != Timestamp(0) || !untimed()).then_some(frame.time)
    }

    fn said(&self, visit: &Visit<'_>) -> Said {
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

    /// The frame's fields: how it was captured, its headers, what it carries.
    fn tree(&self, visit: &Visit<'_>) -> Vec<Node> {
        let mut nodes = vec![self.frame_node(visit)];
        let packet = match &visit.packet {
            Ok(packet) => packet,
            Err(fault) => {
                nodes.extend(headers::of_frame(visit.frame.link, visit.bytes, None));
                let offset = fault.offset.min(visit.bytes.len());
                let length = visit.bytes.len() - offset;
                nodes.push(Node::new(words::fault(blamed(visit, *fault)), offset, length));
                return nodes;
            }
        };
        nodes.extend(headers::of_frame(visit.frame.link, visit.bytes, Some(packet)));
        let (start, captured) = (packet.payload as usize, packet.captured as usize);
        if visit.pieces.is_empty() || visit.datagrams.is_empty() && visit.reassembled.is_none() {
            nodes.extend(payload_nodes(visit, packet, payload(visit, packet), start));
        } else {
            let pieces: Vec<_> = visit.pieces.iter().map(|id| self.number(*id).to_string()).collect();
            let (pieces, whole) = (pieces.join(", "), words::bytes(visit.whole.len()));
            nodes.push(Node::new(words::bytes(captured), start, captured));
            nodes.push(Node {
                label: format!("IP payload of {whole} from packets {pieces}; offsets below count from its start"),
                offset: 0,
                length: visit.whole.len(),
                children: whole_nodes(visit, packet),
            });
        }
        let end = start + captured;
        if let Some(trailer) = visit.bytes.len().checked_sub(end).filter(|trailer| *trailer > 0) {
            nodes.push(Node::new(format!("trailer or padding: {}", words::bytes(trailer)), end, trailer));
        }
        nodes
    }

    fn frame_node(&self, visit: &Visit<'_>) -> Node {
        let frame = visit.frame;
        let mut label = format!("frame: {}", words::bytes(frame.original as usize));
        if frame.captured < frame.original {
            let _ = write!(label, ", {} captured", frame.captured);
        }
        if let Some(time) = self.time(&frame) {
            let _ = write!(label, ", {}", time.to_rfc3339());
        }
        let interface = self.analysis.interfaces.get(frame.interface as usize);
        if let Some(name) = interface.and_then(interface_name) {
            let _ = write!(label, ", interface {name}");
        }
        let _ = write!(label, ", {}", frame.link);
        Node::new(label, 0, visit.bytes.len())
    }
}

fn interface_name(interface: &Interface) -> Option<String> {
    interface.name.as_deref().or(interface.description.as_deref()).map(words::word)
}

/// What a packet says, without when and which.
struct Said {
    ends: Option<(String, String)>,
    transport: Option<String>,
    protocol: Cow<'static, str>,
    summary: String,
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
fn blamed(visit: &Visit<'_>, fault: Malformed) -> Malformed {
    let snapped = visit.frame.captured < visit.frame.original && fault.kind == Kind::TooShort;
    Malformed { kind: if snapped { Kind::Snapped } else { fault.kind }, ..fault }
}

/// The captured payload of the innermost packet.
fn payload<'a>(visit: &Visit<'a>, packet: &Packet) -> &'a [u8] {
    let bytes = if visit.reassembled.is_some() { visit.whole } else { visit.bytes };
    let start = packet.payload as usize;
    bytes.get(start..start + packet.captured as usize).unwrap_or_default()
}

fn protocol_of(identity: Identity) -> Protocol {
    match (identity.protocol, identity.encrypted) {
        (FlowProtocol::Stun, _) => Protocol::Stun,
        (FlowProtocol::ClassicStun, _) => Protocol::ClassicStun,
        (FlowProtocol::ChannelData, _) => Protocol::ChannelData,
        (FlowProtocol::Dtls, _) => Protocol::Dtls,
        (FlowProtocol::Rtp, false) => Protocol::Rtp,
        (FlowProtocol::Rtp, true) => Protocol::Srtp,
        (FlowProtocol::Rtcp, false) => Protocol::Rtcp,
        (FlowProtocol::Rtcp, true) => Protocol::Srtcp,
        (FlowProtocol::Sctp, _) => Protocol::Sctp,
        (FlowProtocol::Zrtp, _) => Protocol::Zrtp,
        (FlowProtocol::Quic, _) => Protocol::Quic,
        (FlowProtocol::Unknown, _) => Protocol::Unknown,
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

fn relayed(found: &Found<'_>) -> Option<Relayed> {
    let inner = found.inner.as_ref()?;
    let direction = inner.datagram.direction;
    Some(Relayed {
        source: inner.key.source(direction).to_string(),
        destination: inner.key.destination(direction).to_string(),
        protocol: protocol_of(inner.identity).name(),
    })
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
            "rtsp" => "RTSP",
            "sip" => "SIP",
            "ssh" => "SSH",
            "tls" => "TLS",
            _ => return None,
        })
    });
    Said::new(protocol.unwrap_or("TCP"), text)
}

/// The first line of text that starts with one and goes on, and the protocol that it names (RFC 3261 section 7,
/// RFC 9112 section 2.1, RFC 2326 section 4).
fn text_line(bytes: &[u8]) -> Option<(Option<&'static str>, &str)> {
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

fn ip_version(packet: &Packet) -> u8 {
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

/// The fields behind the headers of a frame, whose payload starts `start` bytes into it.
fn payload_nodes(visit: &Visit<'_>, packet: &Packet, payload: &[u8], start: usize) -> Vec<Node> {
    match (packet.content, visit.datagrams.as_slice()) {
        (Content::Icmp { .. } | Content::IcmpError(_), _) => headers::icmp(payload, start, ip_version(packet)),
        (Content::Tcp(_), messages @ [_, ..]) => {
            let label = format!("TCP payload: {}", words::bytes(payload.len()));
            let mut nodes = vec![Node::new(label, start, payload.len())];
            let mut searched = 0;
            for message in messages {
                let (place, node) = message_node(message, payload, searched, start);
                searched = place;
                nodes.push(node);
            }
            nodes
        }
        (_, [datagram, ..]) => datagram_nodes(datagram, start),
        (_, []) if packet.length == 0 => Vec::new(),
        (_, []) => unknown_nodes(payload, start, packet.length as usize),
    }
}

/// Text by its lines, all else in hexadecimal.
fn unknown_nodes(payload: &[u8], start: usize, length: usize) -> Vec<Node> {
    if text_line(payload).is_none() {
        return tree(Protocol::Unknown, payload, start, length);
    }
    let mut offset = start;
    let mut nodes: Vec<_> = payload
        .split_inclusive(|byte| *byte == b'\n')
        .take(TEXT_LINES)
        .map(|line| {
            let node = Node::new(words::quoted(&String::from_utf8_lossy(line.trim_ascii_end())), offset, line.len());
            offset += line.len();
            node
        })
        .collect();
    let rest = start + payload.len() - offset;
    if rest > 0 {
        nodes.push(Node::new(words::bytes(rest), offset, rest));
    }
    vec![Node::new(format!("text: {}", words::bytes(length)), start, payload.len()).with(nodes)]
}

/// A message that ends in a segment: where it is whole in the segment with its place there, else by itself. Also how far
/// into the payload it reaches.
fn message_node(message: &Found<'_>, payload: &[u8], searched: usize, start: usize) -> (usize, Node) {
    let (protocol, bytes) = (protocol_of(message.identity), message.datagram.bytes);
    let rest = payload.get(searched..).unwrap_or_default();
    let place = (!bytes.is_empty()).then(|| rest.windows(bytes.len()).position(|window| window == bytes)).flatten();
    if let Some(place) = place {
        let offset = start + searched + place;
        let label = format!("message: {}, {}", protocol.name(), words::bytes(bytes.len()));
        let node = Node::new(label, offset, bytes.len()).with(datagram_nodes(message, offset));
        return (searched + place + bytes.len(), node);
    }
    let label = format!(
        "message: {}, {}, begun in earlier segments; offsets below count from its start",
        protocol.name(),
        words::bytes(bytes.len())
    );
    (searched, Node { label, offset: 0, length: bytes.len(), children: datagram_nodes(message, 0) })
}

/// What fragments are together; offsets count from the start of that.
fn whole_nodes(visit: &Visit<'_>, fragment: &Packet) -> Vec<Node> {
    let Some(packet) = &visit.reassembled else {
        let placed = |found: &Found<'_>| match found.place {
            Place::Whole(start) => datagram_nodes(found, start),
            Place::Frame(_) | Place::Stream => datagram_nodes(found, 0),
        };
        return visit.datagrams.iter().flat_map(placed).collect();
    };
    let mut nodes = headers::of_payload(fragment, visit.whole, packet);
    nodes.extend(payload_nodes(visit, packet, payload(visit, packet), packet.payload as usize));
    nodes
}

fn datagram_nodes(found: &Found<'_>, start: usize) -> Vec<Node> {
    let (protocol, datagram) = (protocol_of(found.identity), found.datagram);
    match &found.inner {
        Some(inner) => relayed_tree(protocol, protocol_of(inner.identity), datagram.bytes, start, datagram.length),
        None if datagram.length == 0 => Vec::new(),
        None if protocol == Protocol::Unknown => unknown_nodes(datagram.bytes, start, datagram.length),
        None => tree(protocol, datagram.bytes, start, datagram.length),
    }
}
