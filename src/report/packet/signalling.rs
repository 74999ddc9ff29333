//! Signalling that ends in a packet: what the bytes of the packet alone do not show.

use super::{Node, words};
use crate::{
    flow::signalling::{Content, Description, Signal, Via},
    sdp::without_key,
};

/// Signals of one packet that are told one by one.
const SIGNALS: usize = 8;

/// The protocol and the line of a packet that ends messages of a WebSocket, or a ClientHello: `WebSocket offer, 6312
/// bytes of SDP`, `TLS ClientHello example.org`. Other text protocols show their first line.
pub(super) fn said(signals: &[Signal]) -> Option<(&'static str, String)> {
    let protocol = match signals.first()?.via {
        Via::WebSocket | Via::Wss => "WebSocket",
        Via::SipWebSocket | Via::SipTls | Via::SipWss => "SIP",
        Via::Https => "HTTP",
        Via::Rtsps => "RTSP",
        Via::Tls => "TLS",
        Via::SipUdp | Via::SipTcp | Via::Http | Via::Rtsp => return None,
    };
    let mut told: Vec<String> = signals.iter().take(SIGNALS).map(|signal| summary(&signal.content)).collect();
    if signals.len() > SIGNALS {
        told.push(format!("{} more", signals.len() - SIGNALS));
    }
    Some((protocol, told.join("; ")))
}

/// The texts of the descriptions that end in a packet, line by line. They have no place of their own in it: they were put
/// together and decoded.
pub(super) fn nodes(signals: &[Signal]) -> impl Iterator<Item = Node> {
    signals.iter().filter_map(|signal| match &signal.content {
        Content::Description(description) => {
            let line = |text: &str| Node::new(without_key(text).chars().map(shown).collect::<String>(), 0, 0);
            let mut node = Node::new(described(description), 0, 0);
            node.children = description.sdp.lines().map(line).collect();
            Some(node)
        }
        Content::Candidate(candidate) => Some(Node::new(words::labelled("candidate", &candidate.candidate), 0, 0)),
        _ => None,
    })
}

fn summary(content: &Content) -> String {
    match content {
        Content::Description(description) => described(description),
        Content::Candidate(candidate) => words::quoted(&candidate.candidate),
        Content::EndOfCandidates(_) => "end of candidates".to_owned(),
        Content::SipRequest(request) => format!("{} {}", words::word(&request.method), words::word(&request.uri)),
        Content::SipResponse(response) => format!("{} {}", response.status, words::quoted(&response.phrase)),
        Content::HttpRequest(request) => format!("{} {}", words::word(&request.method), words::word(&request.target)),
        Content::HttpResponse(response) => response.status.to_string(),
        Content::RtspRequest(request) => format!("{} {}", words::word(&request.method), words::word(&request.url)),
        Content::RtspResponse(response) => format!("{} {}", response.status, words::quoted(&response.phrase)),
        Content::WebSocketOpened(opened) => format!("opened {}", words::word(&opened.path)),
        Content::WebSocketClosed(closed) => match closed.code {
            Some(code) => format!("closed {code} {}", words::quoted(&closed.reason)),
            None => "closed".to_owned(),
        },
        Content::Tls(hello) => match &hello.server_name {
            Some(name) => format!("ClientHello {}", words::word(name)),
            None => "ClientHello".to_owned(),
        },
    }
}

fn described(description: &Description) -> String {
    let kind = description.kind.map_or("description", |kind| kind.name());
    format!("{kind}, {} of SDP", words::bytes(description.sdp.len()))
}

/// A terminal must not obey what a peer sent.
fn shown(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}
