//! The headers around a payload as trees: link, tags, IP, what tunnels add, UDP, TCP and ICMP. Read for the eye only: what
//! a frame carries has been decided by [`wire::parse`](crate::wire::parse), and the trees go no further than that did.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Node,
    names::{self, ip_protocol},
    words,
};
use crate::wire::{Content, Layer, LinkType, Malformed, Packet, Reader};

/// Tags and labels that may follow each other; real ones are two or three.
const MAX_TAGS: usize = 16;

/// Extension headers that may follow each other, as in `wire`.
const MAX_EXTENSIONS: usize = 16;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const UDP: u8 = 17;
const TCP: u8 = 6;

/// The headers of a frame, down to where `packet`'s payload starts; of a frame that no packet was found in, as far as
/// they can be read.
pub(super) fn of_frame(link: LinkType, frame: &[u8], packet: Option<&Packet>) -> Vec<Node> {
    let (mut nodes, mut at) = link_nodes(link, frame).unwrap_or_default();
    let Some(packet) = packet else {
        nodes.extend(ip_nodes(frame, at, frame.len()));
        return nodes;
    };
    let (network, payload) = (packet.network as usize, packet.payload as usize);
    if !packet.is_ip() {
        nodes.extend(between(packet, link, at, payload));
        return nodes;
    }
    if at < network && !packet.tunnels.is_empty() {
        // The tunnel's own addresses are worth a look; how it wraps is only named.
        let outer: Vec<_> = ip_nodes(frame, at, network);
        at = outer.last().map_or(at, |node| node.offset + node.length);
        nodes.extend(outer);
    }
    nodes.extend(between(packet, link, at, network));
    nodes.extend(ip_nodes(frame, network, payload_end(packet)));
    nodes
}

/// The headers of an IP payload that was put together from fragments.
pub(super) fn of_payload(fragment: &Packet, whole: &[u8], packet: &Packet) -> Vec<Node> {
    let Content::Fragment(piece) = fragment.content else { return Vec::new() };
    if packet.network > 0 {
        let network = packet.network as usize;
        let mut nodes: Vec<_> = between(packet, LinkType::RAW, 0, network).into_iter().collect();
        nodes.extend(ip_nodes(whole, network, payload_end(packet)));
        return nodes;
    }
    transport_nodes(whole, 0, piece.protocol, payload_end(packet))
}

/// An ICMP message, with the packet it cites.
pub(super) fn icmp(message: &[u8], base: usize, version: u8) -> Vec<Node> {
    let read = || {
        let mut reader = Reader::new(Layer::Icmp, message);
        let ([kind, code], checksum, word) = (reader.array()?, reader.u16()?, reader.u32()?);
        let name = names::icmp(version, kind, code);
        let mut fields = vec![
            Node::new(format!("type: {kind}"), base, 1),
            Node::new(format!("code: {code}"), base + 1, 1),
            Node::new(format!("checksum: 0x{checksum:04x}"), base + 2, 2),
            Node::new(format!("rest of header: 0x{word:08x}"), base + 4, 4),
        ];
        if names::is_icmp_error(version, kind) {
            let cited = nested(ip_nodes(message, 8, message.len()), base);
            fields.push(Node::new("cited packet", base + 8, message.len() - 8).with(cited));
        }
        let label = format!("ICMP{} {name}", if version == 6 { "v6" } else { "" });
        Ok::<_, Malformed>(vec![Node::new(label, base, message.len()).with(fields)])
    };
    read().unwrap_or_default()
}

fn payload_end(packet: &Packet) -> usize {
    match packet.content {
        // Read as payloads.
        Content::Sctp | Content::Icmp { .. } | Content::IcmpError(_) | Content::Fragment(_) | Content::Ip(_) => {
            packet.payload as usize
        }
        _ => packet.payload as usize + packet.captured as usize,
    }
}

/// What lies between headers that are shown, by its names.
fn between(packet: &Packet, link: LinkType, start: usize, end: usize) -> Option<Node> {
    let names: Vec<_> = packet.tunnels.iter().map(|tunnel| tunnel.name()).collect();
    let label = if names.is_empty() { format!("{link} header") } else { names.join(", ") };
    (start < end).then(|| Node::new(label, start, end - start))
}

/// The link header and tags, and where they end; `None` where the link's headers are not shown.
fn link_nodes(link: LinkType, frame: &[u8]) -> Option<(Vec<Node>, usize)> {
    let reader = &mut Reader::new(Layer::Link, frame);
    let (node, mut kind) = match link {
        LinkType::ETHERNET => ethernet(reader).ok()?,
        LinkType::LINUX_SLL => cooked(reader).ok()?,
        LinkType::LINUX_SLL2 => cooked_2(reader).ok()?,
        LinkType::NULL | LinkType::LOOP => {
            let family = reader.u32().ok()?;
            return Some((vec![Node::new(format!("loopback: address family 0x{family:08x}"), 0, 4)], 4));
        }
        _ => return None,
    };
    let mut nodes = vec![node];
    for _ in 0..MAX_TAGS {
        let at = reader.offset();
        match kind {
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                let (Ok(tag), Ok(next)) = (reader.u16(), reader.u16()) else { break };
                let label = format!("VLAN {} priority {}, type {}", tag & 0x0fff, tag >> 13, ether_type(next));
                nodes.push(Node::new(label, at, 4));
                kind = next;
            }
            0x8847 | 0x8848 => {
                let Ok(entry) = reader.u32() else { break };
                let (label, class, ttl) = (entry >> 12, entry >> 9 & 7, entry & 0xff);
                nodes.push(Node::new(format!("MPLS label {label}, class {class}, ttl {ttl}"), at, 4));
                if entry & 0x100 != 0 {
                    break;
                }
            }
            _ => break,
        }
    }
    Some((nodes, reader.offset()))
}

type Header = Result<(Node, u16), Malformed>;

fn ethernet(reader: &mut Reader<'_>) -> Header {
    let (destination, source, kind) = (reader.array()?, reader.array()?, reader.u16()?);
    let (destination, source, name) = (words::mac(destination), words::mac(source), ether_type(kind));
    let node = Node::new(format!("Ethernet {source} \u{2192} {destination}, {name}"), 0, 14).with(vec![
        Node::new(format!("destination: {destination}"), 0, 6),
        Node::new(format!("source: {source}"), 6, 6),
        Node::new(format!("type: {name}"), 12, 2),
    ]);
    Ok((node, kind))
}

fn cooked(reader: &mut Reader<'_>) -> Header {
    let (kind, hardware, length) = (reader.u16()?, reader.u16()?, reader.u16()?);
    let (address, protocol) = (reader.array::<8>()?, reader.u16()?);
    let address = words::hex(address.get(..usize::from(length).min(8)).unwrap_or_default());
    let (way, name) = (packet_type(kind), ether_type(protocol));
    let node = Node::new(format!("Linux cooked capture: {way}, {name}"), 0, 16).with(vec![
        Node::new(format!("packet type: {kind} ({way})"), 0, 2),
        Node::new(format!("hardware type: {hardware}"), 2, 2),
        Node::new(words::labelled("sender", &address), 6, 8),
        Node::new(format!("protocol: {name}"), 14, 2),
    ]);
    Ok((node, protocol))
}

fn cooked_2(reader: &mut Reader<'_>) -> Header {
    let protocol = reader.u16()?;
    reader.skip(2)?;
    let (interface, hardware, [kind, length]) = (reader.u32()?, reader.u16()?, reader.array()?);
    let address = reader.array::<8>()?;
    let address = words::hex(address.get(..usize::from(length).min(8)).unwrap_or_default());
    let (way, name) = (packet_type(kind.into()), ether_type(protocol));
    let node = Node::new(format!("Linux cooked capture 2: {way}, interface {interface}, {name}"), 0, 20).with(vec![
        Node::new(format!("protocol: {name}"), 0, 2),
        Node::new(format!("interface index: {interface}"), 4, 4),
        Node::new(format!("hardware type: {hardware}"), 8, 2),
        Node::new(format!("packet type: {kind} ({way})"), 10, 1),
        Node::new(words::labelled("sender", &address), 12, 8),
    ]);
    Ok((node, protocol))
}

const fn packet_type(kind: u16) -> &'static str {
    match kind {
        0 => "to this host",
        1 => "broadcast",
        2 => "multicast",
        3 => "to another host",
        4 => "from this host",
        _ => "unknown direction",
    }
}

fn ether_type(kind: u16) -> String {
    match kind {
        IPV4 => "IPv4".to_owned(),
        IPV6 => "IPv6".to_owned(),
        _ => names::ether_type(kind).map_or_else(|| format!("type 0x{kind:04x}"), str::to_owned),
    }
}

/// The IP header at `at` and the transport header behind it; none where there is no IP. Nothing is read behind `end`.
fn ip_nodes(bytes: &[u8], at: usize, end: usize) -> Vec<Node> {
    let rest = bytes.get(at..).unwrap_or_default();
    let header = match rest.first().map(|byte| byte >> 4) {
        Some(4) => ipv4(rest, at),
        Some(6) => ipv6(rest, at),
        _ => return Vec::new(),
    };
    let Ok((node, protocol, first_piece)) = header else { return Vec::new() };
    let next = node.offset + node.length;
    let mut nodes = vec![node];
    if first_piece {
        nodes.extend(transport_nodes(bytes, next, protocol, end));
    }
    nodes
}

/// The node, the protocol that follows, and whether that starts here: not in the later pieces of a packet.
type IpHeader = Result<(Node, u8, bool), Malformed>;

fn ipv4(bytes: &[u8], at: usize) -> IpHeader {
    let mut reader = Reader::new(Layer::Ip, bytes);
    let ([first, class], total) = (reader.array()?, reader.u16()?);
    let (identification, fragment) = (reader.u16()?, reader.u16()?);
    let ([ttl, protocol], checksum) = (reader.array()?, reader.u16()?);
    let (source, destination) = (Ipv4Addr::from(reader.array::<4>()?), Ipv4Addr::from(reader.array::<4>()?));
    let length = usize::from(first & 0x0f) * 4;
    let mut fields = vec![
        Node::new(format!("header length: {length}"), at, 1),
        Node::new(differentiated(class), at + 1, 1),
        Node::new(format!("total length: {total}"), at + 2, 2),
        Node::new(format!("identification: 0x{identification:04x} ({identification})"), at + 4, 2),
        Node::new(format!("fragment: {}", fragment_words(fragment)), at + 6, 2),
        Node::new(format!("time to live: {ttl}"), at + 8, 1),
        Node::new(format!("protocol: {}", numbered(protocol)), at + 9, 1),
        Node::new(format!("checksum: 0x{checksum:04x}"), at + 10, 2),
        Node::new(format!("source: {source}"), at + 12, 4),
        Node::new(format!("destination: {destination}"), at + 16, 4),
    ];
    if length > 20 {
        fields.push(Node::new(format!("options: {}", words::bytes(length - 20)), at + 20, length - 20));
    }
    let node =
        Node::new(format!("IPv4 {source} \u{2192} {destination}"), at, length.max(20).min(bytes.len())).with(fields);
    Ok((node, protocol, fragment & 0x3fff == 0))
}

fn fragment_words(field: u16) -> String {
    let offset = u32::from(field & 0x1fff) * 8;
    match (field & 0x2000 != 0, field & 0x4000 != 0) {
        (true, _) => format!("offset {offset}, more follow"),
        (false, _) if offset > 0 => format!("offset {offset}, the last"),
        (false, true) => "none (don't fragment)".to_owned(),
        (false, false) => "none".to_owned(),
    }
}

fn ipv6(bytes: &[u8], at: usize) -> IpHeader {
    let mut reader = Reader::new(Layer::Ip, bytes);
    let (word, length, [next, limit]) = (reader.u32()?, reader.u16()?, reader.array()?);
    let (source, destination) = (Ipv6Addr::from(reader.array::<16>()?), Ipv6Addr::from(reader.array::<16>()?));
    let class = (word >> 20 & 0xff) as u8;
    let node = Node::new(format!("IPv6 {source} \u{2192} {destination}"), at, 40).with(vec![
        Node::new(differentiated(class), at, 2),
        Node::new(format!("flow label: 0x{:05x}", word & 0xf_ffff), at + 1, 3),
        Node::new(format!("payload length: {length}"), at + 4, 2),
        Node::new(format!("next header: {}", numbered(next)), at + 6, 1),
        Node::new(format!("hop limit: {limit}"), at + 7, 1),
        Node::new(format!("source: {source}"), at + 8, 16),
        Node::new(format!("destination: {destination}"), at + 24, 16),
    ]);
    Ok((node, next, true))
}

/// RFC 2474 and RFC 3168.
fn differentiated(class: u8) -> String {
    let ecn = ["not ECN-capable", "ECT(1)", "ECT(0)", "congestion experienced"];
    let (dscp, ecn) = (class >> 2, ecn.get(usize::from(class & 3)).copied().unwrap_or_default());
    match names::dscp(dscp) {
        Some(name) => format!("DSCP: {dscp} ({name}), {ecn}"),
        None => format!("DSCP: {dscp}, {ecn}"),
    }
}

fn numbered(protocol: u8) -> String {
    ip_protocol(protocol).map_or_else(|| protocol.to_string(), |name| format!("{protocol} ({name})"))
}

/// Extension headers, and UDP's or TCP's header. Other protocols are payloads.
fn transport_nodes(bytes: &[u8], start: usize, protocol: u8, end: usize) -> Vec<Node> {
    let (mut at, mut next, mut nodes) = (start, protocol, Vec::new());
    for _ in 0..MAX_EXTENSIONS {
        let rest = bytes.get(at..end.min(bytes.len())).unwrap_or_default();
        let &[following, length, ..] = rest else { break };
        let length = match next {
            0 | 43 | 60 | 135 | 139 | 140 => usize::from(length) * 8 + 8,
            44 => 8,
            51 => usize::from(length) * 4 + 8,
            UDP => {
                nodes.extend(udp(rest, at));
                break;
            }
            TCP => {
                nodes.extend(tcp(rest, at));
                break;
            }
            _ => break,
        };
        let label = match (next, rest) {
            (44, &[_, _, high, low, a, b, c, d, ..]) => {
                let field = u16::from_be_bytes([high, low]);
                let more = if field & 1 != 0 { "more follow" } else { "the last" };
                let id = u32::from_be_bytes([a, b, c, d]);
                format!("IPv6 fragment header: id 0x{id:08x}, offset {}, {more}", field & !7)
            }
            _ => ip_protocol(next).unwrap_or("extension header").to_owned(),
        };
        nodes.push(Node::new(label, at, length.min(rest.len())));
        if next == 44 && matches!(rest, &[_, _, high, low, ..] if u16::from_be_bytes([high, low]) & !6 != 0) {
            break;
        }
        (at, next) = (at + length, following);
    }
    nodes
}

fn udp(bytes: &[u8], at: usize) -> Result<Node, Malformed> {
    let mut reader = Reader::new(Layer::Udp, bytes);
    let (source, destination, length, checksum) = (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
    Ok(Node::new(format!("UDP {source} \u{2192} {destination}"), at, 8).with(vec![
        Node::new(format!("source port: {source}"), at, 2),
        Node::new(format!("destination port: {destination}"), at + 2, 2),
        Node::new(format!("length: {length}"), at + 4, 2),
        Node::new(format!("checksum: 0x{checksum:04x}"), at + 6, 2),
    ]))
}

fn tcp(bytes: &[u8], at: usize) -> Result<Node, Malformed> {
    let mut reader = Reader::new(Layer::Tcp, bytes);
    let (source, destination) = (reader.u16()?, reader.u16()?);
    let (sequence, acknowledgment, [offset, flags]) = (reader.u32()?, reader.u32()?, reader.array()?);
    let (window, checksum, urgent) = (reader.u16()?, reader.u16()?, reader.u16()?);
    let length = usize::from(offset >> 4) * 4;
    let mut fields = vec![
        Node::new(format!("source port: {source}"), at, 2),
        Node::new(format!("destination port: {destination}"), at + 2, 2),
        Node::new(format!("sequence number: {sequence}"), at + 4, 4),
        Node::new(format!("acknowledgment number: {acknowledgment}"), at + 8, 4),
        Node::new(format!("header length: {length}"), at + 12, 1),
        Node::new(format!("flags: 0x{flags:02x} ({})", names::tcp_flags(flags)), at + 13, 1),
        Node::new(format!("window: {window}"), at + 14, 2),
        Node::new(format!("checksum: 0x{checksum:04x}"), at + 16, 2),
        Node::new(format!("urgent pointer: {urgent}"), at + 18, 2),
    ];
    fields.extend(tcp_options(bytes.get(20..length).unwrap_or_default(), at + 20));
    Ok(Node::new(format!("TCP {source} \u{2192} {destination}"), at, length.max(20).min(bytes.len())).with(fields))
}

/// RFC 9293 section 3.1, RFC 7323, RFC 2018.
fn tcp_options(bytes: &[u8], at: usize) -> Vec<Node> {
    let (mut nodes, mut rest) = (Vec::new(), bytes);
    while let [kind, tail @ ..] = rest {
        let offset = at + bytes.len() - rest.len();
        let length = match (kind, tail.first()) {
            (0, _) => break,
            (1, _) => {
                rest = tail;
                continue;
            }
            (_, Some(&length)) if length >= 2 => usize::from(length),
            _ => break,
        };
        let Some(option) = rest.get(..length) else { break };
        let label = match option {
            [2, _, high, low] => format!("maximum segment size: {}", u16::from_be_bytes([*high, *low])),
            [3, _, shift] => format!("window scale: {shift}"),
            [4, _] => "selective acknowledgments permitted".to_owned(),
            [5, ..] => format!("selective acknowledgments: {}", length.saturating_sub(2) / 8),
            [8, _, a, b, c, d, e, f, g, h] => format!(
                "timestamps: {} echo {}",
                u32::from_be_bytes([*a, *b, *c, *d]),
                u32::from_be_bytes([*e, *f, *g, *h])
            ),
            _ => format!("option {kind}: {}", words::hex(option.get(2..).unwrap_or_default())),
        };
        nodes.push(Node::new(label, offset, length));
        rest = rest.get(length..).unwrap_or_default();
    }
    nodes
}

/// The nodes of a slice that starts `base` bytes into its frame.
fn nested(mut nodes: Vec<Node>, base: usize) -> Vec<Node> {
    for node in &mut nodes {
        node.offset += base;
        node.children = nested(std::mem::take(&mut node.children), base);
    }
    nodes
}
