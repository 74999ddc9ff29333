//! DTLS records, and handshake messages in clear.

use std::fmt::Write;

use super::{Node, View, words};
use crate::{
    flow::dtls::fingerprint_and_contents,
    wire::{
        Malformed,
        dtls::{
            self, Header, Record, content_type,
            handshake::{self, ClientHello, Extension, Handshake, ServerHello, extension_type, handshake_type},
        },
    },
};

/// `1.2 Client Hello (fragment 0..1175 of 1413)`, the records of the datagram parted by commas.
pub(super) fn summary(view: View<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut version = None;
    for record in dtls::records(view.bytes, view.wire_length) {
        match record {
            Ok(record) => {
                version = version.or_else(|| version_of(&record));
                record_words(&record, &mut parts);
            }
            Err(fault) => parts.push(words::fault(fault)),
        }
    }
    let text = parts.join(", ");
    match version.and_then(dtls::version_name) {
        // "DTLS 1.2" without the protocol's name, which stands in front of the line.
        Some(name) => format!("{} {text}", name.trim_start_matches("DTLS ")),
        None => text,
    }
}

/// A node a record.
pub(super) fn nodes(view: View<'_>) -> Vec<Node> {
    dtls::records(view.bytes, view.wire_length)
        .map(|record| match record {
            Ok(record) => record_node(&record, view),
            Err(fault) => view.fault(fault),
        })
        .collect()
}

/// What the plaintext of an encrypted record of the handshake says, and its fields, from its start on.
pub(super) fn opened(content_type: u8, plaintext: &[u8]) -> (String, Vec<Node>) {
    let header = Header::Plain { content_type, version: dtls::version::DTLS_1_2, epoch: 0, sequence: 0 };
    let record = Record { offset: 0, header_length: 0, header, length: plaintext.len(), content: plaintext };
    let mut parts = Vec::new();
    record_words(&record, &mut parts);
    let mut fields = Vec::new();
    content_nodes(&record, 0, View::new(plaintext, plaintext.len(), 0), &mut fields);
    (parts.join(", "), fields)
}

/// The version that a record speaks for. A ClientHello's record says DTLS 1.0 whatever it offers, so that its body is
/// asked; what is behind the first fragment says nothing.
fn version_of(record: &Record<'_>) -> Option<u16> {
    let Header::Plain { version, .. } = record.header else { return Some(dtls::version::DTLS_1_3) };
    let Some(Ok(first)) = record.handshakes().next() else { return Some(version) };
    if let Some(Ok(hello)) = first.client_hello() {
        return Some(hello.best_version());
    }
    if let Some(Ok(hello)) = first.server_hello() {
        return Some(hello.selected_version());
    }
    match first.message_type {
        handshake_type::CLIENT_HELLO | handshake_type::SERVER_HELLO => first.legacy_version(),
        _ => Some(version),
    }
}

fn record_words(record: &Record<'_>, parts: &mut Vec<String>) {
    match record.header {
        Header::Plain { content_type: content_type::HANDSHAKE, epoch: 0, .. } => {
            parts.extend(record.handshakes().map(|handshake| match handshake {
                Ok(handshake) => handshake_words(&handshake),
                Err(fault) => words::fault(fault),
            }));
        }
        Header::Plain { content_type, epoch, .. } => {
            let name = content_name(content_type);
            parts.push(match record.alert() {
                Some((level, description)) => format!("{name} {}", alert_words(level, description)),
                None if epoch == 0 && content_type != content_type::APPLICATION_DATA => name,
                None => format!("{name} (encrypted, {})", words::bytes(record.length)),
            });
        }
        Header::Unified { epoch, connection_id, .. } => {
            let id = if connection_id { " with connection id" } else { "" };
            parts.push(format!("encrypted record{id} (epoch {epoch}, {})", words::bytes(record.length)));
        }
    }
}

fn content_name(content_type: u8) -> String {
    dtls::content_type_name(content_type).map_or_else(|| format!("content type {content_type}"), str::to_owned)
}

fn handshake_name(message_type: u8) -> String {
    dtls::handshake_name(message_type).map_or_else(|| format!("handshake type {message_type}"), str::to_owned)
}

fn alert_words(level: u8, description: u8) -> String {
    let level = match level {
        1 => "warning".to_owned(),
        2 => "fatal".to_owned(),
        other => format!("level {other}"),
    };
    let description = dtls::alert_name(description).map_or_else(|| description.to_string(), str::to_owned);
    format!("{level}: {description}")
}

fn handshake_words(handshake: &Handshake<'_>) -> String {
    let mut text = handshake_name(handshake.message_type);
    if let Some(Ok(hello)) = handshake.client_hello() {
        if let Some(host) = hello.server_name() {
            let _ = write!(text, " to {}", words::word(host));
        }
        let profiles = words::names(hello.srtp_profiles(), dtls::srtp_profile_name);
        if !profiles.is_empty() {
            let _ = write!(text, " use_srtp {}", profiles.replace(", ", "/"));
        }
        if hello.cookie().is_some() {
            text.push_str(" with cookie");
        }
    } else if let Some(Ok(hello)) = handshake.server_hello() {
        if hello.is_retry_request() {
            text = "Hello Retry Request".to_owned();
        }
        let _ = write!(text, " {}", words::named(hello.cipher_suite, dtls::cipher_suite_name));
        if let Some(profile) = hello.srtp_profile() {
            let _ = write!(text, " {}", words::named(profile, dtls::srtp_profile_name));
        }
    }
    if handshake.fragment_length != handshake.length {
        let end = handshake.fragment_offset + handshake.fragment_length;
        let _ = write!(text, " (fragment {}..{end} of {})", handshake.fragment_offset, handshake.length);
    }
    text
}

fn record_node(record: &Record<'_>, view: View<'_>) -> Node {
    let at = record.offset;
    let content = at + record.header_length;
    let mut fields = Vec::new();
    let title = match record.header {
        Header::Plain { content_type, version, epoch, sequence } => {
            let name = content_name(content_type);
            let version = words::named(version, dtls::version_name);
            fields.push(view.node(format!("content type: {content_type} ({name})"), at, 1));
            fields.push(view.node(format!("version: {version}"), at + 1, 2));
            fields.push(view.node(format!("epoch: {epoch}"), at + 3, 2));
            fields.push(view.node(format!("sequence number: {sequence}"), at + 5, 6));
            if content_type != content_type::TLS12_CID {
                fields.push(view.node(format!("length: {}", record.length), at + 11, 2));
            }
            format!("DTLS record: {name}, epoch {epoch}")
        }
        Header::Unified { connection_id, has_length, epoch, sequence, .. } => {
            fields.push(view.node(format!("unified header, epoch {epoch} (low bits)"), at, 1));
            let sequence_length = record.header_length.saturating_sub(if has_length { 3 } else { 1 });
            if let Some(sequence) = sequence {
                let label = format!("sequence number: 0x{sequence:x} (encrypted)");
                fields.push(view.node(label, at + 1, sequence_length));
                if has_length {
                    fields.push(view.node(format!("length: {}", record.length), at + 1 + sequence_length, 2));
                }
            }
            let id = if connection_id { ", with connection id" } else { "" };
            format!("DTLS 1.3 record: encrypted, epoch {epoch}{id}")
        }
    };
    content_nodes(record, content, view, &mut fields);
    view.node(title, at, record.header_length + record.length).with(fields)
}

fn content_nodes(record: &Record<'_>, content: usize, view: View<'_>, fields: &mut Vec<Node>) {
    if let Some((level, description)) = record.alert() {
        fields.push(view.node(format!("alert: {}", alert_words(level, description)), content, 2));
        return;
    }
    if record.is_clear() && record.content_type() == Some(content_type::HANDSHAKE) {
        fields.extend(record.handshakes().map(|handshake| match handshake {
            Ok(handshake) => handshake_node(&handshake, view),
            Err(fault) => view.fault(fault),
        }));
        return;
    }
    let clear = record.is_clear() && record.content_type() != Some(content_type::APPLICATION_DATA);
    let label = if clear {
        format!("content: {}", words::hex(record.content))
    } else {
        format!("encrypted content: {}", words::bytes(record.length))
    };
    fields.push(view.node(label, content, record.length));
}

fn handshake_node(handshake: &Handshake<'_>, view: View<'_>) -> Node {
    let at = handshake.offset;
    let name = handshake_name(handshake.message_type);
    let body = at + handshake::HEADER_LENGTH;
    let length = handshake.fragment_length as usize;
    let mut fields = vec![
        view.node(format!("message type: {} ({name})", handshake.message_type), at, 1),
        view.node(format!("length: {}", handshake.length), at + 1, 3),
        view.node(format!("message sequence: {}", handshake.sequence), at + 4, 2),
        view.node(format!("fragment offset: {}", handshake.fragment_offset), at + 6, 3),
        view.node(format!("fragment length: {}", handshake.fragment_length), at + 9, 3),
    ];
    if let Some(hello) = handshake.client_hello() {
        hello_nodes(hello.map(|hello| client_nodes(&hello, body, view)), view, &mut fields);
    } else if let Some(hello) = handshake.server_hello() {
        hello_nodes(hello.map(|hello| server_nodes(&hello, body, view)), view, &mut fields);
    } else if length > 0 {
        let said = body_nodes(handshake, body, view);
        fields.push(view.node(format!("body: {}", words::bytes(length)), body, length).with(said));
    }
    view.node(handshake_words(handshake), at, handshake::HEADER_LENGTH + length).with(fields)
}

/// What a whole message that is no hello says, where that is more than bytes.
fn body_nodes(handshake: &Handshake<'_>, body: usize, view: View<'_>) -> Vec<Node> {
    if !handshake.is_complete() {
        return Vec::new();
    }
    match (handshake.message_type, handshake.body) {
        (handshake_type::CERTIFICATE, _) => certificate_nodes(handshake, body, view),
        (handshake_type::SERVER_KEY_EXCHANGE, bytes) => key_exchange_nodes(bytes, body, view),
        // Version, and a cookie with its length (RFC 6347 section 4.2.1).
        (handshake_type::HELLO_VERIFY_REQUEST, [major, minor, _, cookie @ ..]) => {
            let version = words::named(u16::from_be_bytes([*major, *minor]), dtls::version_name);
            vec![
                view.node(format!("version: {version}"), body, 2),
                view.node(format!("cookie: {}", words::hex(cookie)), body + 2, 1 + cookie.len()),
            ]
        }
        _ => Vec::new(),
    }
}

/// The group and the signature scheme of an elliptic key exchange (RFC 8422 section 5.4).
fn key_exchange_nodes(bytes: &[u8], body: usize, view: View<'_>) -> Vec<Node> {
    let Some((group, scheme)) = dtls::certificate::key_exchange_group(bytes) else { return Vec::new() };
    let point = bytes.get(3).copied().map_or(0, usize::from);
    let mut nodes = vec![
        view.node(format!("group: {}", words::named(group, dtls::group_name)), body, 3),
        view.node(format!("public key: {}", words::bytes(point)), body + 3, 1 + point),
    ];
    let scheme = scheme.map(|scheme| words::named(scheme, dtls::signature_scheme_name));
    nodes.extend(scheme.map(|scheme| view.node(format!("signature: {scheme}"), body + 4 + point, 2)));
    nodes
}

/// A node a certificate of a whole Certificate message.
fn certificate_nodes(handshake: &Handshake<'_>, body: usize, view: View<'_>) -> Vec<Node> {
    let mut at = body + 3;
    let mut nodes = Vec::new();
    for der in handshake.certificates() {
        let (fingerprint, contents) = fingerprint_and_contents(der);
        let who = contents.map_or_else(
            || "not X.509".to_owned(),
            |contents| {
                let bits = contents.key_bits.map_or_else(String::new, |bits| format!(" {bits}"));
                let (subject, issuer) = (words::quoted(&contents.subject), words::quoted(&contents.issuer));
                format!("{subject} by {issuer}, {}{bits}", contents.key_type)
            },
        );
        let fingerprint = fingerprint.map(|byte| format!("{byte:02X}")).join(":");
        nodes.push(view.node(format!("certificate: {who}, sha-256 {fingerprint}"), at, 3 + der.len()));
        at += 3 + der.len();
    }
    nodes
}

fn hello_nodes(hello: Result<Vec<Node>, Malformed>, view: View<'_>, fields: &mut Vec<Node>) {
    match hello {
        Ok(nodes) => fields.extend(nodes),
        Err(fault) => fields.push(view.fault(fault)),
    }
}

fn client_nodes(hello: &ClientHello<'_>, body: usize, view: View<'_>) -> Vec<Node> {
    let mut nodes = opening_nodes(hello.version, hello.random, hello.session_id, body, view);
    let cookie_at = body + 35 + hello.session_id.len();
    let cookie = hello.legacy_cookie;
    if !cookie.is_empty() {
        nodes.push(view.node(format!("cookie: {}", words::hex(cookie)), cookie_at, 1 + cookie.len()));
    }
    let suites = hello.cipher_suites();
    let suites_at = cookie_at + 1 + cookie.len();
    let each = suites
        .enumerate()
        .map(|(index, suite)| view.node(words::named(suite, dtls::cipher_suite_name), suites_at + 2 + index * 2, 2));
    let label = format!("cipher suites: {}", suites.len());
    nodes.push(view.node(label, suites_at, 2 + suites.len() * 2).with(each.collect()));
    nodes.extend(hello.extensions().map(|extension| {
        let said = match extension.kind {
            extension_type::SERVER_NAME => hello.server_name().map(words::quoted),
            extension_type::SUPPORTED_GROUPS => Some(words::names(hello.groups(), dtls::group_name)),
            extension_type::SIGNATURE_ALGORITHMS => {
                Some(words::names(hello.signature_algorithms(), dtls::signature_scheme_name))
            }
            extension_type::USE_SRTP => Some(words::names(hello.srtp_profiles(), dtls::srtp_profile_name)),
            extension_type::SUPPORTED_VERSIONS => Some(words::names(hello.supported_versions(), dtls::version_name)),
            extension_type::KEY_SHARE => {
                let groups = hello.key_shares().map(|(group, _)| group);
                Some(words::names(groups, dtls::group_name))
            }
            _ => None,
        };
        extension_node(&extension, said, body, view)
    }));
    nodes
}

fn server_nodes(hello: &ServerHello<'_>, body: usize, view: View<'_>) -> Vec<Node> {
    let mut nodes = opening_nodes(hello.version, hello.random, hello.session_id, body, view);
    let suite = words::named(hello.cipher_suite, dtls::cipher_suite_name);
    nodes.push(view.node(format!("cipher suite: {suite}"), body + 35 + hello.session_id.len(), 2));
    nodes.extend(hello.extensions().map(|extension| {
        let said = match extension.kind {
            extension_type::USE_SRTP => {
                hello.srtp_profile().map(|profile| words::named(profile, dtls::srtp_profile_name))
            }
            extension_type::SUPPORTED_VERSIONS => Some(words::named(hello.selected_version(), dtls::version_name)),
            extension_type::KEY_SHARE => hello.key_share_group().map(|group| words::named(group, dtls::group_name)),
            _ => None,
        };
        extension_node(&extension, said, body, view)
    }));
    nodes
}

/// What both hellos start with.
fn opening_nodes(version: u16, random: &[u8], session_id: &[u8], body: usize, view: View<'_>) -> Vec<Node> {
    let mut nodes = vec![
        view.node(format!("version: {}", words::named(version, dtls::version_name)), body, 2),
        view.node(format!("random: {}", words::hex(random)), body + 2, 32),
    ];
    if !session_id.is_empty() {
        nodes.push(view.node(format!("session id: {}", words::hex(session_id)), body + 34, 1 + session_id.len()));
    }
    nodes
}

fn extension_node(extension: &Extension<'_>, said: Option<String>, body: usize, view: View<'_>) -> Node {
    let name = words::named(extension.kind, dtls::extension_name);
    let said = said.unwrap_or_else(|| words::bytes(extension.data.len()));
    view.node(format!("{name}: {said}"), body + extension.offset, 4 + extension.data.len())
}
