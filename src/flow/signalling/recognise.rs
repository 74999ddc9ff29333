//! What the first bytes of a connection, or of a segment, show of text protocols.

use super::{sip, stream::Syntax, websocket};

/// Bytes of a start line.
const LINE_BYTES: usize = 4096;

/// Bytes of the declaration of XML.
const XML_BYTES: usize = 256;

/// What bytes start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A message.
    Message(Syntax),
    /// A protocol that is named and not read.
    Other(&'static str),
    /// A frame of a WebSocket that was opened before the capture.
    WebSocket,
    /// A ClientHello of TLS.
    ClientHello,
    /// More bytes are needed.
    Unclear,
    /// Nothing that is known.
    Nothing,
}

/// What `bytes` start with.
pub fn recognise(bytes: &[u8]) -> Start {
    let bytes = bytes.trim_ascii_start();
    match bytes {
        [b'<', ..] => xmpp(bytes),
        [0x10, ..] => mqtt(bytes),
        [b'A'..=b'Z', ..] => text(bytes),
        [b'$', ..] => interleaved(bytes),
        [0x16, 3, 0..=4, _, _, 1, ..] => Start::ClientHello,
        [0x16, 3, 0..=4, _, _] | [0x16, 3, 0..=4, _] | [0x16, 3, 0..=4] | [0x16, 3] | [0x16] => Start::Unclear,
        [0x81 | 0xc1 | 0x89 | 0x8a, ..] => websocket::recognise(bytes),
        _ => Start::Nothing,
    }
}

/// Whether a segment starts a message of the protocol.
pub fn starts_message(syntax: Syntax, bytes: &[u8]) -> bool {
    match recognise(bytes) {
        Start::Message(found) => found == syntax,
        _ => false,
    }
}

/// Whether bytes may become a message: what is there of their first line has nothing against it.
pub fn may_start(syntax: Syntax, bytes: &[u8]) -> bool {
    match recognise(bytes) {
        Start::Message(found) => found == syntax,
        Start::Unclear => true,
        _ => false,
    }
}

fn text(bytes: &[u8]) -> Start {
    if bytes.starts_with(b"PRI * HTTP/2") {
        return Start::Other("http2");
    }
    let is_token = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-' | b'/' | b'.' | b'0'..=b'9');
    let Some(space) = bytes.iter().position(|byte| !is_token(byte)) else {
        return if bytes.len() <= 32 { Start::Unclear } else { Start::Nothing };
    };
    let (word, rest) = bytes.split_at(space.min(bytes.len()));
    if rest.first() != Some(&b' ') {
        return Start::Nothing;
    }
    match word {
        b"HTTP/1.0" | b"HTTP/1.1" => return Start::Message(Syntax::Http),
        b"RTSP/1.0" | b"RTSP/2.0" => return Start::Message(Syntax::Rtsp),
        b"SIP/2.0" => return Start::Message(Syntax::Sip),
        _ => {}
    }
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return match bytes.len() {
            0..LINE_BYTES => Start::Unclear,
            _ if is_http_method(word) => Start::Message(Syntax::Http),
            _ => Start::Nothing,
        };
    };
    let line = bytes.get(..end).unwrap_or_default().trim_ascii_end();
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Start::Message(Syntax::Http),
        b"RTSP/1.0" | b"RTSP/2.0" => Start::Message(Syntax::Rtsp),
        b"SIP/2.0" if sip::is_sip(line) => Start::Message(Syntax::Sip),
        _ => Start::Nothing,
    }
}

/// The stream of XMPP (RFC 6120 section 4.2), behind the declaration that XML may have.
fn xmpp(bytes: &[u8]) -> Start {
    const DECLARATION: &[u8] = b"<?xml";
    const STREAM: &[u8] = b"<stream:stream";
    let rest = match bytes.strip_prefix(DECLARATION) {
        Some(rest) => match rest.windows(2).position(|pair| pair == b"?>").and_then(|end| rest.get(end + 2..)) {
            Some(rest) => rest.trim_ascii_start(),
            None if rest.len() < XML_BYTES => return Start::Unclear,
            None => return Start::Nothing,
        },
        None => bytes,
    };
    match rest.starts_with(STREAM) {
        true => Start::Other("xmpp"),
        false if STREAM.starts_with(rest) || DECLARATION.starts_with(rest) => Start::Unclear,
        false => Start::Nothing,
    }
}

/// The CONNECT packet of MQTT (MQTT 5.0 section 3.1; 3.1 has another name).
fn mqtt(bytes: &[u8]) -> Start {
    let behind = bytes.iter().skip(1).take(4).position(|byte| byte & 0x80 == 0);
    let Some(head) = behind.and_then(|length| bytes.get(length + 2..)) else {
        return if bytes.len() < 5 { Start::Unclear } else { Start::Nothing };
    };
    let names = [&b"\0\x04MQTT"[..], b"\0\x06MQIsdp"];
    match names.iter().any(|name| head.starts_with(name)) {
        true => Start::Other("mqtt"),
        false if names.iter().any(|name| name.starts_with(head)) => Start::Unclear,
        false => Start::Nothing,
    }
}

fn is_http_method(word: &[u8]) -> bool {
    [&b"GET"[..], b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"CONNECT"].contains(&word)
}

/// RTSP whose beginning was not captured: frames of RTP or RTCP in a row.
fn interleaved(bytes: &[u8]) -> Start {
    const IN_A_ROW: usize = 2;
    let mut rest = bytes;
    for _ in 0..IN_A_ROW {
        match rest {
            [b'$', 0..=31, high, low, 0x80..=0xbf, ..] => {
                let length = 4 + usize::from(u16::from_be_bytes([*high, *low]));
                match rest.get(length..) {
                    Some(behind) => rest = behind,
                    None => return Start::Unclear,
                }
            }
            _ if rest.len() < 5 && rest.first().is_none_or(|byte| *byte == b'$') => return Start::Unclear,
            _ => return Start::Nothing,
        }
    }
    Start::Message(Syntax::Rtsp)
}
