//! STUN and TURN messages.

use std::fmt::Write;

use super::{Node, Protocol, View, nodes as nodes_of, summary as summary_of, words};
use crate::wire::{
    Malformed,
    stun::{Attribute, Class, HEADER_LENGTH, Message, Value, attribute_name, error_name, kind, method},
};

/// `Binding request user=abcd:efgh prio=1845501695 controlling use-candidate`.
pub(super) fn summary(protocol: Protocol, view: View<'_>) -> String {
    let message = match parse(protocol, view) {
        Ok(message) => message,
        Err(fault) => return words::fault(fault),
    };
    let mut text = name(&message);
    for attribute in message.attributes() {
        if let Some(said) = said(&message, &attribute, view) {
            text.push(' ');
            text.push_str(&said);
        }
    }
    if message.fingerprint() == Some(false) {
        text.push_str(" [wrong FINGERPRINT]");
    }
    if message.trailing() > 0 {
        let _ = write!(text, " [{} behind the message]", words::bytes(message.trailing()));
    }
    if let Some(fault) = message.fault() {
        text.push(' ');
        text.push_str(&words::fault(fault));
    }
    text
}

/// The message as one node, its header and attributes inside it.
pub(super) fn nodes(protocol: Protocol, view: View<'_>) -> Vec<Node> {
    let message = match parse(protocol, view) {
        Ok(message) => message,
        Err(fault) => return vec![view.fault(fault)],
    };
    let kind = message.message_type();
    let mut fields = vec![
        view.node(format!("type: 0x{:04x} ({})", kind.0, name(&message)), 0, 2),
        view.node(format!("length: {}", message.length() - HEADER_LENGTH), 2, 2),
    ];
    let (offset, bytes) = if message.is_classic() {
        (4, message.transaction().to_be_bytes())
    } else {
        fields.push(view.node("magic cookie: 0x2112a442", 4, 4));
        (8, (message.transaction() << 32).to_be_bytes())
    };
    let id = bytes.get(..HEADER_LENGTH - offset).unwrap_or_default();
    fields.push(view.node(format!("transaction id: {}", words::hex(id)), offset, HEADER_LENGTH - offset));
    fields.extend(message.attributes().map(|attribute| attribute_node(&message, &attribute, view)));
    fields.extend(message.fault().map(|fault| view.fault(fault)));
    let mut nodes = vec![view.node(format!("STUN {}", name(&message)), 0, message.length()).with(fields)];
    if message.trailing() > 0 {
        let label = format!("{} behind the message", words::bytes(message.trailing()));
        nodes.push(view.node(label, message.length(), message.trailing()));
    }
    nodes
}

fn parse(protocol: Protocol, view: View<'_>) -> Result<Message<'_>, Malformed> {
    match protocol {
        Protocol::ClassicStun => Message::parse_classic(view.bytes),
        _ => Message::parse_captured(view.bytes, view.wire_length),
    }
}

fn name(message: &Message<'_>) -> String {
    let kind = message.standard_type();
    let method = kind.method();
    let method = method::name(method).map_or_else(|| format!("method 0x{method:03x}"), str::to_owned);
    let suffix = if message.is_classic() { " (RFC 3489)" } else { "" };
    format!("{method} {}{suffix}", kind.class().name())
}

/// What an attribute adds to the line; `None` of those that say nothing about the call.
fn said(message: &Message<'_>, attribute: &Attribute<'_>, view: View<'_>) -> Option<String> {
    let value = attribute.value().ok()?;
    let said = match (attribute.kind, value) {
        (kind::USERNAME, Value::Text(text)) => format!("user={}", words::word(text)),
        (kind::USERNAME, Value::Opaque(bytes)) => format!("user=0x{}", words::hex(bytes)),
        (kind::REALM, Value::Text(text)) => format!("realm={}", words::word(text)),
        (kind::SOFTWARE, Value::Text(text)) => format!("software={}", words::word(text)),
        (kind::PRIORITY, Value::Number(priority)) => format!("prio={priority}"),
        (kind::NOMINATION, Value::Number(nomination)) => format!("nomination={nomination}"),
        (kind::LIFETIME, Value::Number(seconds)) => format!("lifetime={seconds}s"),
        (kind::ICE_CONTROLLING, _) => "controlling".to_owned(),
        (kind::ICE_CONTROLLED, _) => "controlled".to_owned(),
        (kind::USE_CANDIDATE, _) => "use-candidate".to_owned(),
        // Servers repeat the address in the old form, for clients of RFC 3489.
        (kind::MAPPED_ADDRESS, _) if message.attribute(kind::XOR_MAPPED_ADDRESS).is_some() => return None,
        // What MS-TURN lends; it says so in an error too, where nothing is lent yet.
        (kind::MAPPED_ADDRESS, Value::Address(address)) if is_ms_allocate(message) => match message.class() {
            Class::Success => format!("relayed={address}"),
            _ => return None,
        },
        (kind, Value::Address(address)) => format!("{}={address}", address_word(kind)?),
        // Some servers pad the reason with zeros that they count.
        (kind::ERROR_CODE, Value::Error { code, reason }) => match reason.trim_end_matches('\0') {
            "" => named(code),
            reason => format!("{code} {}", words::quoted(reason)),
        },
        (_, Value::Channel(channel)) => format!("channel=0x{channel:04x}"),
        (_, Value::Transport(protocol)) => format!("transport={}", transport(protocol)),
        (_, Value::Family(family)) => format!("family={}", address_family(family)),
        (_, Value::ChangeRequest { address, port }) => change(address, port).to_owned(),
        (_, Value::Unknown(types)) => format!("unknown={}", words::names(types, attribute_name)),
        (_, Value::Data(bytes)) => {
            let (protocol, inner) = view.inside(bytes, attribute.length, attribute.offset + 4)?;
            let name = if attribute.kind == kind::DATA { "data" } else { "dtls" };
            format!("{name}=[{} {}]", protocol.name(), summary_of(protocol, inner))
        }
        _ => return None,
    };
    Some(said)
}

fn attribute_node(message: &Message<'_>, attribute: &Attribute<'_>, view: View<'_>) -> Node {
    let name = attribute.name().map_or_else(|| format!("attribute 0x{:04x}", attribute.kind), str::to_owned);
    let (label, children) = match attribute.value() {
        Ok(Value::Data(bytes)) => {
            let children = view
                .inside(bytes, attribute.length, attribute.offset + 4)
                .map(|(protocol, inner)| nodes_of(protocol, inner))
                .unwrap_or_default();
            (format!("{name}: {}", words::bytes(attribute.length)), children)
        }
        Ok(value) => (words::labelled(&name, &described(message, attribute, value)), Vec::new()),
        Err(fault) => (format!("{name}: {}", words::fault(fault)), Vec::new()),
    };
    view.node(label, attribute.offset, 4 + attribute.length).with(children)
}

fn described(message: &Message<'_>, attribute: &Attribute<'_>, value: Value<'_>) -> String {
    match value {
        Value::Address(address) => address.to_string(),
        Value::Text(text) => words::quoted(text),
        Value::Error { code, reason: "" } => named(code),
        Value::Error { code, reason } => format!("{code} {}", words::quoted(reason)),
        Value::AddressError { family, code, reason: "" } => format!("{}: {}", address_family(family), named(code)),
        Value::AddressError { family, code, reason } => {
            format!("{}: {code} {}", address_family(family), words::quoted(reason))
        }
        Value::Icmp { kind, code, data } => format!("type {kind}, code {code}, data 0x{data:08x}"),
        Value::Transmissions { requests, responses } => format!("request {requests}, answer {responses}"),
        Value::Number(seconds) if attribute.kind == kind::LIFETIME => format!("{seconds} s"),
        Value::Number(number) => number.to_string(),
        Value::Channel(channel) => format!("0x{channel:04x}"),
        Value::Transport(protocol) => transport(protocol),
        Value::Family(family) => address_family(family),
        Value::TieBreaker(number) => format!("0x{number:016x}"),
        Value::ChangeRequest { address, port } => change(address, port).to_owned(),
        Value::EvenPort(reserve) => (if reserve { "reserve the next" } else { "no reservation" }).to_owned(),
        Value::Algorithm(number) => algorithm(number),
        Value::Algorithms(numbers) => numbers.map(algorithm).collect::<Vec<_>>().join(", "),
        Value::Flag => String::new(),
        Value::Fingerprint(crc) => {
            let verdict = match message.fingerprint() {
                Some(true) => " (right)",
                Some(false) => " (wrong)",
                None => "",
            };
            format!("0x{crc:08x}{verdict}")
        }
        Value::Network { id, cost } => format!("network {id}, cost {cost}{}", network_cost(cost)),
        Value::Unknown(types) => words::names(types, attribute_name),
        Value::Data(bytes) | Value::Opaque(bytes) => words::hex(bytes),
    }
}

/// An error code without a reason phrase, by the name it has.
fn named(code: u16) -> String {
    error_name(code).map_or_else(|| code.to_string(), |name| format!("{code} ({name})"))
}

/// IANA "STUN Password Algorithms".
fn algorithm(number: u16) -> String {
    match number {
        1 => "MD5".to_owned(),
        2 => "SHA-256".to_owned(),
        other => other.to_string(),
    }
}

fn is_ms_allocate(message: &Message<'_>) -> bool {
    message.method() == method::ALLOCATE && message.is_ms_turn()
}

const fn address_word(kind: u16) -> Option<&'static str> {
    Some(match kind {
        kind::XOR_MAPPED_ADDRESS | kind::MS_XOR_MAPPED_ADDRESS | kind::MAPPED_ADDRESS => "mapped",
        kind::DESTINATION_ADDRESS => "peer",
        kind::XOR_PEER_ADDRESS => "peer",
        kind::XOR_RELAYED_ADDRESS => "relayed",
        kind::OTHER_ADDRESS | kind::CHANGED_ADDRESS => "other",
        kind::RESPONSE_ORIGIN | kind::SOURCE_ADDRESS => "origin",
        kind::ALTERNATE_SERVER => "alternate",
        _ => return None,
    })
}

fn transport(protocol: u8) -> String {
    match protocol {
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        other => other.to_string(),
    }
}

fn address_family(family: u8) -> String {
    match family {
        1 => "IPv4".to_owned(),
        2 => "IPv6".to_owned(),
        other => other.to_string(),
    }
}

const fn change(address: bool, port: bool) -> &'static str {
    match (address, port) {
        (true, true) => "change-address change-port",
        (true, false) => "change-address",
        (false, true) => "change-port",
        (false, false) => "change-nothing",
    }
}

/// The costs that libwebrtc gives to kinds of networks (`rtc_base/network_constants.h`).
const fn network_cost(cost: u16) -> &'static str {
    match cost {
        0 => " (wired)",
        10 => " (Wi-Fi)",
        50 => " (unknown)",
        250 => " (5G)",
        500 => " (4G)",
        900 => " (cellular)",
        910 => " (3G)",
        980 => " (2G)",
        999 => " (max)",
        _ => "",
    }
}
