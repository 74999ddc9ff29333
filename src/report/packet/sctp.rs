//! SCTP packets and their chunks.

use super::{Node, View, words};
use crate::wire::sctp::{
    Causes, Checksum, Chunk, Content, Data, Dcep, Init, Open, Packet, ParameterContent, Parameters, Reliability, Sack,
    payload_protocol_name,
};

/// Bytes of the common header (RFC 9260 section 3.1), and of a chunk's (section 3.2).
const HEADER: usize = 12;
const CHUNK_HEADER: usize = 4;
/// Payload protocol identifier of DCEP (RFC 8832 section 8.1), and bytes of the fixed part of its opening.
const DCEP: u32 = 50;
const OPEN_HEADER: usize = 12;

/// `5000 > 5000 DATA tsn 7 stream 1 ppid WebRTC String 12 bytes, SACK 6`.
pub(super) fn summary(view: View<'_>) -> String {
    let packet = match Packet::parse_snapped(view.bytes, view.wire_length) {
        Ok(packet) => packet,
        Err(fault) => return words::fault(fault),
    };
    let chunks: Vec<_> = packet.chunks().map(|chunk| chunk_words(&chunk)).collect();
    let checksum = if packet.verify_checksum() == Checksum::Wrong { " [wrong checksum]" } else { "" };
    format!("{} > {} {}{checksum}", packet.source_port, packet.destination_port, chunks.join(", "))
}

/// The common header's fields and a node a chunk, in one node.
pub(super) fn nodes(view: View<'_>) -> Vec<Node> {
    let packet = match Packet::parse_snapped(view.bytes, view.wire_length) {
        Ok(packet) => packet,
        Err(fault) => return vec![view.fault(fault)],
    };
    let checksum = match packet.verify_checksum() {
        Checksum::Correct => " (right)",
        Checksum::Zero => " (not computed)",
        Checksum::Wrong => " (wrong)",
        Checksum::Unknown => "",
    };
    let mut fields = vec![
        view.node(format!("source port: {}", packet.source_port), 0, 2),
        view.node(format!("destination port: {}", packet.destination_port), 2, 2),
        view.node(format!("verification tag: 0x{:08x}", packet.verification_tag), 4, 4),
        view.node(format!("checksum: 0x{:08x}{checksum}", packet.checksum), HEADER - 4, 4),
    ];
    fields.extend(packet.chunks().map(|chunk| chunk_node(&chunk, view)));
    vec![view.node("SCTP", 0, view.bytes.len()).with(fields)]
}

fn chunk_words(chunk: &Chunk<'_>) -> String {
    let name = chunk.name();
    let said = match chunk.content() {
        Ok(Content::Data(data) | Content::InterleavedData(data)) => data_words(&data),
        Ok(Content::Init(init) | Content::InitAck(init)) => {
            format!(" tag 0x{:08x} streams {}/{}", init.initiate_tag, init.outbound_streams, init.inbound_streams)
        }
        Ok(Content::Sack(sack)) => {
            let gaps = sack.gap_blocks.len();
            let gaps = if gaps > 0 { format!(" gaps {gaps}") } else { String::new() };
            format!(" {} window {}{gaps}", sack.cumulative_tsn, sack.receiver_window)
        }
        Ok(Content::Abort { causes, .. } | Content::Error(causes)) => cause_words(causes),
        Ok(Content::Shutdown(tsn) | Content::ForwardTsn { tsn, .. } | Content::InterleavedForwardTsn { tsn, .. }) => {
            format!(" {tsn}")
        }
        Ok(Content::Reconfiguration(parameters)) => {
            let names: Vec<_> = parameters.map(|parameter| parameter.name()).collect();
            format!(" {}", names.join("/"))
        }
        Ok(Content::Unknown(_)) => format!(" type {}", chunk.kind),
        Ok(_) => String::new(),
        Err(fault) => return format!("{name} {}", words::fault(fault)),
    };
    match chunk.fault {
        Some(fault) => format!("{name}{said} {}", words::fault(fault)),
        None => format!("{name}{said}"),
    }
}

fn data_words(data: &Data<'_>) -> String {
    let protocol = data.payload_protocol.map(|ppid| format!(" ppid {}", ppid_words(ppid))).unwrap_or_default();
    let part = match (data.begin, data.end) {
        (true, true) => "",
        (true, false) => " first",
        (false, true) => " last",
        (false, false) => " middle",
    };
    let (tsn, stream, length) = (data.tsn, data.stream, words::bytes(data.payload_length.into()));
    let dcep = dcep(data).map(|dcep| dcep_words(&dcep)).unwrap_or_default();
    format!(" tsn {tsn} stream {stream}{protocol} {length}{part}{dcep}")
}

/// What a chunk says of its data channel, where it is a whole message of DCEP.
fn dcep<'a>(data: &Data<'a>) -> Option<Dcep<'a>> {
    let is_dcep = data.begin && data.end && data.payload_protocol == Some(DCEP);
    is_dcep.then(|| Dcep::parse(data.payload).ok()).flatten()
}

fn dcep_words(dcep: &Dcep<'_>) -> String {
    match dcep {
        Dcep::Open(open) => format!(" DATA_CHANNEL_OPEN {}", quoted(open.label)),
        Dcep::Acknowledgement => " DATA_CHANNEL_ACK".to_owned(),
        Dcep::Unknown(kind) => format!(" DCEP type {kind}"),
    }
}

fn quoted(text: &[u8]) -> String {
    words::quoted(&String::from_utf8_lossy(text))
}

fn dcep_node(dcep: &Dcep<'_>, at: usize, length: usize, view: View<'_>) -> Node {
    let node = view.node(dcep_words(dcep).trim_start(), at, length);
    let Dcep::Open(open) = dcep else { return node };
    let Open { channel_type, priority, label, protocol, .. } = open;
    let order = if open.is_ordered() { "in order" } else { "in any order" };
    let limit = match open.reliability() {
        Reliability::Reliable => "reliable".to_owned(),
        Reliability::Retransmissions(count) => format!("{count} retransmissions"),
        Reliability::Lifetime(milliseconds) => format!("{milliseconds} ms"),
        Reliability::Unknown(_) => "unassigned".to_owned(),
    };
    let text = at + OPEN_HEADER;
    node.with(vec![
        view.node(format!("channel type: 0x{channel_type:02x} ({order}, {limit})"), at + 1, 1),
        view.node(format!("priority: {priority}"), at + 2, 2),
        view.node(format!("reliability parameter: {}", open.reliability_parameter), at + 4, 4),
        view.node(format!("label: {}", quoted(label)), text, label.len()),
        view.node(format!("protocol: {}", quoted(protocol)), text + label.len(), protocol.len()),
    ])
}

fn ppid_words(ppid: u32) -> String {
    format!("{ppid} ({})", payload_protocol_name(ppid))
}

fn cause_words(causes: Causes<'_>) -> String {
    let mut text = String::new();
    for cause in causes {
        text.push_str(": ");
        text.push_str(cause.name());
        if let Some(said) = cause.text().and_then(|text| str::from_utf8(text).ok()) {
            text.push(' ');
            text.push_str(&words::quoted(said));
        }
    }
    text
}

fn chunk_node(chunk: &Chunk<'_>, view: View<'_>) -> Node {
    let at = chunk.offset;
    let mut fields = vec![
        view.node(format!("type: {} ({})", chunk.kind, chunk.name()), at, 1),
        view.node(format!("flags: 0x{:02x}", chunk.flags), at + 1, 1),
        view.node(format!("length: {}", chunk.length), at + 2, 2),
    ];
    match chunk.content() {
        Ok(content) => content_nodes(&content, chunk, at, view, &mut fields),
        Err(fault) => fields.push(view.fault(fault)),
    }
    fields.extend(chunk.fault.map(|fault| view.fault(fault)));
    // A length that cannot be is not believed: four bytes of header and the value there is.
    let length = CHUNK_HEADER + chunk.value.len();
    view.node(chunk_words(chunk), at, length).with(fields)
}

fn content_nodes(content: &Content<'_>, chunk: &Chunk<'_>, at: usize, view: View<'_>, fields: &mut Vec<Node>) {
    match content {
        Content::Data(data) => data_nodes(data, at, [10, 12, 16], view, fields),
        Content::InterleavedData(data) => data_nodes(data, at, [12, 16, 20], view, fields),
        Content::Init(init) | Content::InitAck(init) => init_nodes(init, at, view, fields),
        Content::Sack(sack) => sack_nodes(sack, at, view, fields),
        Content::Abort { causes, .. } | Content::Error(causes) => cause_nodes(causes.clone(), at, view, fields),
        Content::Shutdown(tsn) => fields.push(view.node(format!("cumulative TSN: {tsn}"), at + 4, 4)),
        Content::EcnEcho(tsn) | Content::CongestionWindowReduced(tsn) => {
            fields.push(view.node(format!("lowest TSN: {tsn}"), at + 4, 4));
        }
        Content::ForwardTsn { tsn, .. } | Content::InterleavedForwardTsn { tsn, .. } => {
            fields.push(view.node(format!("new cumulative TSN: {tsn}"), at + 4, 4));
        }
        Content::Reconfiguration(parameters) => parameter_nodes(parameters.clone(), at + 4, view, fields),
        Content::AddressConfiguration { sequence, parameters }
        | Content::AddressConfigurationAck { sequence, parameters } => {
            fields.push(view.node(format!("sequence: {sequence}"), at + 4, 4));
            parameter_nodes(parameters.clone(), at + 8, view, fields);
        }
        Content::ShutdownAck | Content::CookieAck | Content::ShutdownComplete { .. } => {}
        _ => fields.push(view.node(format!("value: {}", words::hex(chunk.value)), at + 4, chunk.value.len())),
    }
}

/// `places` are those of the sequence number, of PPID or fragment number, and of the payload.
fn data_nodes(data: &Data<'_>, at: usize, places: [usize; 3], view: View<'_>, fields: &mut Vec<Node>) {
    let [sequence_at, protocol_at, payload_at] = places;
    let sequence_length = protocol_at - sequence_at;
    fields.push(view.node(format!("TSN: {}", data.tsn), at + 4, 4));
    fields.push(view.node(format!("stream: {}", data.stream), at + 8, 2));
    fields.push(view.node(format!("stream sequence: {}", data.sequence), at + sequence_at, sequence_length));
    if let Some(ppid) = data.payload_protocol {
        fields.push(view.node(format!("payload protocol: {}", ppid_words(ppid)), at + protocol_at, 4));
    }
    if let Some(fragment) = data.fragment {
        fields.push(view.node(format!("fragment: {fragment}"), at + protocol_at, 4));
    }
    let label = format!("payload: {}", words::bytes(data.payload_length.into()));
    let payload = view.node(label, at + payload_at, data.payload.len());
    let dcep = dcep(data).map(|dcep| dcep_node(&dcep, at + payload_at, data.payload.len(), view));
    fields.push(payload.with(dcep.into_iter().collect()));
}

fn init_nodes(init: &Init<'_>, at: usize, view: View<'_>, fields: &mut Vec<Node>) {
    fields.push(view.node(format!("initiate tag: 0x{:08x}", init.initiate_tag), at + 4, 4));
    fields.push(view.node(format!("receiver window: {} bytes", init.receiver_window), at + 8, 4));
    fields.push(view.node(format!("outbound streams: {}", init.outbound_streams), at + 12, 2));
    fields.push(view.node(format!("inbound streams: {}", init.inbound_streams), at + 14, 2));
    fields.push(view.node(format!("initial TSN: {}", init.initial_tsn), at + 16, 4));
    parameter_nodes(init.parameters.clone(), at + 20, view, fields);
}

fn sack_nodes(sack: &Sack<'_>, at: usize, view: View<'_>, fields: &mut Vec<Node>) {
    let (gaps, duplicates) = (sack.gap_blocks.len(), sack.duplicate_tsns.len());
    fields.push(view.node(format!("cumulative TSN: {}", sack.cumulative_tsn), at + 4, 4));
    fields.push(view.node(format!("receiver window: {} bytes", sack.receiver_window), at + 8, 4));
    fields.push(view.node(format!("gap blocks: {gaps}"), at + 12, 2));
    fields.push(view.node(format!("duplicate TSNs: {duplicates}"), at + 14, 2));
    fields.extend(sack.gap_blocks.enumerate().map(|(index, gap)| {
        let tsn = |distance: u16| sack.cumulative_tsn.wrapping_add(distance.into());
        view.node(format!("received: {}..={}", tsn(gap.start), tsn(gap.end)), at + 16 + index * 4, 4)
    }));
    fields.extend(
        sack.duplicate_tsns
            .enumerate()
            .map(|(index, tsn)| view.node(format!("duplicate: {tsn}"), at + 16 + (gaps + index) * 4, 4)),
    );
}

fn parameter_nodes(parameters: Parameters<'_>, mut at: usize, view: View<'_>, fields: &mut Vec<Node>) {
    for parameter in parameters {
        let said = match parameter.content() {
            ParameterContent::Ipv4(address) => std::net::Ipv4Addr::from(address).to_string(),
            ParameterContent::Ipv6(address) => std::net::Ipv6Addr::from(address).to_string(),
            ParameterContent::ZeroChecksumAcceptable(1) => "by DTLS".to_owned(),
            ParameterContent::ZeroChecksumAcceptable(method) => format!("by method {method}"),
            ParameterContent::ReconfigurationResponse { response, result } => format!("to {response}: {result}"),
            ParameterContent::OutgoingReset { request, last_tsn, streams, .. } => {
                format!("{request}, last TSN {last_tsn}, streams {:?}", streams.collect::<Vec<_>>())
            }
            ParameterContent::IncomingReset { request, streams } => {
                format!("{request}, streams {:?}", streams.collect::<Vec<_>>())
            }
            ParameterContent::TsnReset { request } => request.to_string(),
            ParameterContent::AddStreams { request, streams } => format!("{request}, {streams} streams"),
            ParameterContent::SupportedExtensions(bytes) | ParameterContent::Other(bytes) => words::hex(bytes),
        };
        let length = CHUNK_HEADER + parameter.value.len();
        fields.push(view.node(words::labelled(parameter.name(), &said), at, length));
        fields.extend(parameter.fault.map(|_| view.node("[malformed SCTP: a length that does not fit]", at, 0)));
        at += length.next_multiple_of(4);
    }
}

fn cause_nodes(causes: Causes<'_>, at: usize, view: View<'_>, fields: &mut Vec<Node>) {
    let mut at = at + CHUNK_HEADER;
    for cause in causes {
        let length = CHUNK_HEADER + cause.value.len();
        let text = cause.text().and_then(|text| str::from_utf8(text).ok());
        let said = text.map_or_else(|| words::hex(cause.value), words::quoted);
        fields.push(view.node(format!("cause {} ({}): {said}", cause.code, cause.name()), at, length));
        at += length.next_multiple_of(4);
    }
}
