//! ChannelData, and the protocols that are named and not read further.

use super::{Node, View, nodes as nodes_of, summary as summary_of, words};
use crate::wire::{
    channel::{ChannelData, HEADER_LENGTH},
    quic::{LongHeader, version_name},
    zrtp,
};

/// Whether bytes are a ChannelData message that fills its datagram.
pub(super) fn is_channel_data(bytes: &[u8], wire_length: usize) -> bool {
    ChannelData::parse(bytes, wire_length).is_ok_and(|message| message.fits_datagram())
}

/// `0x4001 [RTP PT 111 ...]`.
pub(super) fn channel_summary(view: View<'_>) -> String {
    let message = match ChannelData::parse(view.bytes, view.wire_length) {
        Ok(message) => message,
        Err(fault) => return words::fault(fault),
    };
    let number = message.number;
    match view.inside(message.data, message.length, HEADER_LENGTH) {
        Some((protocol, inner)) => {
            format!("0x{number:04x} [{} {}]", protocol.name(), summary_of(protocol, inner))
        }
        None => format!("0x{number:04x} {}", words::bytes(message.length)),
    }
}

/// The header and what is inside.
pub(super) fn channel_nodes(view: View<'_>) -> Vec<Node> {
    let message = match ChannelData::parse(view.bytes, view.wire_length) {
        Ok(message) => message,
        Err(fault) => return vec![view.fault(fault)],
    };
    let mut fields = vec![
        view.node(format!("channel: 0x{:04x}", message.number), 0, 2),
        view.node(format!("length: {}", message.length), 2, 2),
    ];
    if let Some((protocol, inner)) = view.inside(message.data, message.length, HEADER_LENGTH) {
        fields.extend(nodes_of(protocol, inner));
    }
    let end = HEADER_LENGTH + message.length;
    let mut nodes = vec![view.node(format!("ChannelData 0x{:04x}", message.number), 0, end).with(fields)];
    if message.trailing > 0 {
        let name = if message.fits_datagram() { "padding" } else { "behind the message" };
        nodes.push(view.node(format!("{name}: {}", words::bytes(message.trailing)), end, message.trailing));
    }
    nodes
}

/// `Initial version 1 dcid 8394c8f03e515708 scid -`.
pub(super) fn quic_summary(view: View<'_>) -> String {
    match LongHeader::parse(view.bytes) {
        Ok(header) => format!(
            "{} {}dcid {} scid {}",
            header.packet_type_name(),
            quic_version(&header),
            connection_id(header.destination_id),
            connection_id(header.source_id)
        ),
        // A short header has nothing in clear but its first bit and an id of unknown length (RFC 9000 section 17.3).
        Err(_) => format!("short header, {}", words::bytes(view.wire_length)),
    }
}

pub(super) fn quic_nodes(view: View<'_>) -> Vec<Node> {
    let Ok(header) = LongHeader::parse(view.bytes) else {
        return vec![view.node(format!("QUIC {}", quic_summary(view)), 0, view.bytes.len())];
    };
    let (destination, source) = (header.destination_id.len(), header.source_id.len());
    let fields = vec![
        view.node(format!("type: {}", header.packet_type_name()), 0, 1),
        view.node(format!("version: 0x{:08x}", header.version), 1, 4),
        view.node(format!("destination connection id: {}", connection_id(header.destination_id)), 5, 1 + destination),
        view.node(format!("source connection id: {}", connection_id(header.source_id)), 6 + destination, 1 + source),
    ];
    vec![view.node(format!("QUIC {}", header.packet_type_name()), 0, view.bytes.len()).with(fields)]
}

fn quic_version(header: &LongHeader<'_>) -> String {
    match (header.version, version_name(header.version)) {
        (0, _) => String::new(),
        (1, _) | (_, Some("2")) => format!("version {} ", version_name(header.version).unwrap_or_default()),
        (version, _) => format!("version 0x{version:08x} "),
    }
}

fn connection_id(id: &[u8]) -> String {
    if id.is_empty() { "-".to_owned() } else { words::hex(id) }
}

/// `Hello seq 7 ssrc 0x0000002a`.
pub(super) fn zrtp_summary(view: View<'_>) -> String {
    match zrtp::Packet::parse(view.bytes, view.wire_length) {
        Ok(packet) => {
            let name = words::word(packet.message_name());
            format!("{name} seq {} ssrc 0x{:08x}", packet.sequence, packet.ssrc)
        }
        Err(fault) => words::fault(fault),
    }
}

pub(super) fn zrtp_nodes(view: View<'_>) -> Vec<Node> {
    let packet = match zrtp::Packet::parse(view.bytes, view.wire_length) {
        Ok(packet) => packet,
        Err(fault) => return vec![view.fault(fault)],
    };
    let fields = vec![
        view.node(format!("sequence number: {}", packet.sequence), 2, 2),
        view.node("magic cookie: \"ZRTP\"", 4, 4),
        view.node(format!("SSRC: 0x{:08x} ({})", packet.ssrc, packet.ssrc), 8, 4),
        view.node(format!("message: {}", words::word(packet.message_name())), 16, 8),
    ];
    vec![view.node(format!("ZRTP {}", words::word(packet.message_name())), 0, view.wire_length).with(fields)]
}
