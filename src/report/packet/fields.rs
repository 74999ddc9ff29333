//! The fields of a frame: how it was captured, its headers, and what it carries.

use std::fmt::Write;

use super::{
    Node, Protocol, Scene,
    entry::{payload, protocol_of},
    headers, relayed_tree,
    said::{blamed, ip_version, text_line},
    signalling, tree, words,
};
use crate::{
    capture::Interface,
    engine::{Found, Place, Visit},
    sdp::without_key,
    wire::{Content, Packet},
};

/// Lines of a text protocol that a tree shows.
const TEXT_LINES: usize = 256;

impl Scene<'_> {
    /// The frame's fields: how it was captured, its headers, what it carries.
    pub(super) fn tree(&self, visit: &Visit<'_>) -> Vec<Node> {
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
        nodes.extend(signalling::nodes(&visit.signals));
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
            let node = Node::new(
                words::quoted(&without_key(&String::from_utf8_lossy(line.trim_ascii_end()))),
                offset,
                line.len(),
            );
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
