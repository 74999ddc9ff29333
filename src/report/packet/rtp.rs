//! RTP and SRTP packets.

use std::fmt::Write;

use super::{Node, Protocol, View, words};
use crate::wire::rtp::{Element, Extension, FixedHeader, Form, Header, static_payload_type};

/// `PT 111 seq 19522 ts 123456 ssrc 0x8a2b7d32 marker ext 1,2 93 bytes`.
pub(super) fn summary(protocol: Protocol, view: View<'_>) -> String {
    let fixed = match FixedHeader::parse(view.bytes) {
        Ok(fixed) => fixed,
        Err(fault) => return words::fault(fault),
    };
    let mut text = format!(
        "PT {} seq {} ts {} ssrc 0x{:08x}",
        payload_type(fixed.payload_type()),
        fixed.sequence,
        fixed.timestamp,
        fixed.ssrc
    );
    if fixed.marker() {
        text.push_str(" marker");
    }
    let header = match Header::parse(view.bytes, view.wire_length) {
        Ok(header) => header,
        Err(fault) => return format!("{text} {}", words::fault(fault)),
    };
    if header.csrcs().len() > 0 {
        let _ = write!(text, " csrcs {}", header.csrcs().len());
    }
    if let Some(extension) = header.extension() {
        let _ = write!(text, " ext {}", extension_words(&extension));
    }
    let _ = write!(text, " {}", words::bytes(header.payload_length()));
    match header.padding_length(may_be_encrypted(protocol, view)) {
        Ok(Some(0)) => {}
        Ok(Some(padding)) => {
            let _ = write!(text, ", {padding} of padding");
        }
        Ok(None) => text.push_str(", padded"),
        Err(fault) => {
            text.push(' ');
            text.push_str(&words::fault(fault));
        }
    }
    text
}

/// Header fields, extension and payload in one node.
pub(super) fn nodes(protocol: Protocol, view: View<'_>) -> Vec<Node> {
    let fixed = match FixedHeader::parse(view.bytes) {
        Ok(fixed) => fixed,
        Err(fault) => return vec![view.fault(fault)],
    };
    let flag = |set: bool| if set { "yes" } else { "no" };
    let mut fields = vec![
        view.node("version: 2", 0, 1),
        view.node(format!("padding: {}", flag(fixed.has_padding())), 0, 1),
        view.node(format!("extension: {}", flag(fixed.has_extension())), 0, 1),
        view.node(format!("contributing sources: {}", fixed.csrc_count()), 0, 1),
        view.node(format!("marker: {}", flag(fixed.marker())), 1, 1),
        view.node(format!("payload type: {}", payload_type(fixed.payload_type())), 1, 1),
        view.node(format!("sequence number: {}", fixed.sequence), 2, 2),
        view.node(format!("timestamp: {}", fixed.timestamp), 4, 4),
        view.node(format!("SSRC: 0x{:08x} ({})", fixed.ssrc, fixed.ssrc), 8, 4),
    ];
    match Header::parse(view.bytes, view.wire_length) {
        Ok(header) => {
            for (index, csrc) in header.csrcs().enumerate() {
                fields.push(view.node(format!("CSRC: 0x{csrc:08x} ({csrc})"), 12 + index * 4, 4));
            }
            fields.extend(header.extension().map(|extension| extension_node(&extension, view)));
            payload_nodes(protocol, &header, view, &mut fields);
        }
        Err(fault) => fields.push(view.fault(fault)),
    }
    vec![view.node(protocol.name(), 0, view.bytes.len()).with(fields)]
}

/// Whether the end of the packet may be ciphertext: nothing is read there then.
fn may_be_encrypted(protocol: Protocol, view: View<'_>) -> bool {
    protocol == Protocol::Srtp || view.guessed
}

fn payload_type(number: u8) -> String {
    static_payload_type(number).map_or_else(|| number.to_string(), |payload| format!("{number} ({})", payload.name))
}

/// `1,2` of elements; the form where there are none to be read.
fn extension_words(extension: &Extension<'_>) -> String {
    match extension.form() {
        Form::OneByte | Form::TwoByte => {
            let ids: Vec<_> = extension.elements().map(|element| element.id.to_string()).collect();
            if ids.is_empty() { "empty".to_owned() } else { ids.join(",") }
        }
        Form::CryptexOneByte | Form::CryptexTwoByte => "encrypted (cryptex)".to_owned(),
        Form::Other => format!("0x{:04x}", extension.profile),
    }
}

fn extension_node(extension: &Extension<'_>, view: View<'_>) -> Node {
    let form = match extension.form() {
        Form::OneByte => "one-byte elements",
        Form::TwoByte => "two-byte elements",
        Form::CryptexOneByte => "one-byte elements, encrypted (cryptex)",
        Form::CryptexTwoByte => "two-byte elements, encrypted (cryptex)",
        Form::Other => "unknown form",
    };
    let offset = extension.offset;
    let mut children = vec![
        view.node(format!("profile: 0x{:04x}", extension.profile), offset, 2),
        view.node(format!("length: {} words", extension.data.len() / 4), offset + 2, 2),
    ];
    let mut elements = extension.elements();
    let header_length = if extension.form() == Form::OneByte { 1 } else { 2 };
    children.extend(elements.by_ref().map(|element| element_node(&element, header_length, view)));
    children.extend(elements.fault().map(|fault| view.fault(fault)));
    view.node(format!("header extension: {form}"), offset, 4 + extension.data.len()).with(children)
}

fn element_node(element: &Element<'_>, header_length: usize, view: View<'_>) -> Node {
    let label = format!("id {}: {}", element.id, words::hex(element.data));
    view.node(label, element.offset, header_length + element.data.len())
}

fn payload_nodes(protocol: Protocol, header: &Header<'_>, view: View<'_>, fields: &mut Vec<Node>) {
    let (start, length) = (header.length(), header.payload_length());
    let padding = match header.padding_length(may_be_encrypted(protocol, view)) {
        Ok(padding) => padding.unwrap_or_default(),
        Err(fault) => {
            fields.push(view.fault(fault));
            0
        }
    };
    let name = if protocol == Protocol::Srtp { "encrypted payload and tag" } else { "payload" };
    let payload = length.saturating_sub(padding);
    fields.push(view.node(format!("{name}: {}", words::bytes(payload)), start, payload));
    if padding > 0 {
        fields.push(view.node(format!("padding: {}", words::bytes(padding)), start + payload, padding));
    }
}
