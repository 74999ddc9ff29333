//! RTSP connections (RFC 2326, RFC 7826): requests, responses, and the datagrams interleaved with them.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Content, Context, RtspRequest, RtspResponse, RtspTransport, Via,
    body::{self, Body},
    gathered::Look,
    head::{Head, parameter, split_outside},
    http::without_credentials,
    out::{Origin, Out},
    stream::{Event, Length, Messages, Syntax},
};
use crate::flow::tcp::{Mark, Message};

/// Requests without a response yet.
const REQUESTS: usize = 64;

/// Alternatives of a Transport header.
const TRANSPORTS: usize = 16;

/// One connection.
#[derive(Debug)]
pub struct Rtsp {
    sides: [Side; 2],
    /// CSeq, method and URL of requests without a response, and the direction they went.
    requests: VecDeque<(Option<u32>, String, Arc<str>, usize)>,
}

#[derive(Debug)]
struct Side {
    messages: Messages,
    head: Option<Head>,
    /// How often bytes were not captured in which datagrams may have been.
    holes: u32,
}

impl Rtsp {
    /// A connection of which nothing was read.
    pub fn new() -> Self {
        let side = || Side { messages: Messages::new(Syntax::Rtsp), head: None, holes: 0 };
        Self { sides: [side(), side()], requests: VecDeque::new() }
    }

    /// Takes the next bytes of a direction.
    pub fn push(&mut self, bytes: &[u8], mark: Mark, direction: usize, out: &mut Out) {
        let Some(side) = self.sides.get_mut(direction) else { return };
        side.messages.feed(bytes);
        while let Some(side) = self.sides.get_mut(direction)
            && let Some(event) = side.messages.next()
        {
            match event {
                Event::Head(head) => {
                    let length = head.content_length().unwrap_or(0);
                    let look = if head.first("content-type").is_some() { Look::Whole } else { Look::No };
                    side.messages.begin_body(Length::Known(length), look);
                    side.head = Some(head);
                }
                Event::End(bytes) => {
                    if let Some(head) = side.head.take() {
                        self.message(&head, bytes.as_deref(), Origin { mark, direction, via: Via::Rtsp }, out);
                    }
                }
                Event::Part(_) => {}
                Event::Interleaved { bytes, length } => {
                    out.datagrams.push(Message { mark, direction, bytes, length, holes: side.holes });
                }
            }
        }
        if let Some(side) = self.sides.get_mut(direction) {
            out.missing.oversized += side.messages.take_oversized();
        }
    }

    /// Goes on behind bytes that were not captured.
    pub fn skip(&mut self, count: usize, mark: Mark, direction: usize, out: &mut Out) {
        let Some(side) = self.sides.get_mut(direction) else { return };
        let (event, is_missing) = side.messages.skip(count);
        if let Some(Event::Interleaved { bytes, length }) = event {
            out.datagrams.push(Message { mark, direction, bytes, length, holes: side.holes });
        }
        if is_missing {
            out.count_hole(mark.1);
        }
        if side.messages.is_lost() {
            side.head = None;
            side.holes = side.holes.saturating_add(1);
        }
    }

    /// Bytes that are held.
    pub fn held_bytes(&self) -> usize {
        let of_side = |side: &Side| side.messages.held_bytes() + side.head.as_ref().map_or(0, Head::held_bytes);
        let requests = self.requests.iter().map(|request| size_of_val(request) + request.1.len() + request.2.len());
        requests.chain(self.sides.iter().map(of_side)).sum()
    }

    /// Drops what waits.
    pub fn let_go(&mut self) {
        self.requests = VecDeque::new();
        for side in &mut self.sides {
            side.messages.lose();
            side.head = None;
        }
    }

    fn message(&mut self, head: &Head, body: Option<&[u8]>, origin: Origin, out: &mut Out) {
        let cseq = head.first("cseq").and_then(|value| value.parse().ok());
        let session = head.first("session").and_then(|value| value.split(';').next()).map(|id| id.trim().to_owned());
        let transports = head.all("transport").flat_map(|value| split_outside(value, ','));
        let transports: Vec<RtspTransport> = transports.take(TRANSPORTS).map(transport).collect();
        let resource = if head.start.starts_with("RTSP/") {
            let mut words = head.start.splitn(3, ' ').skip(1);
            let status = words.next().and_then(|code| code.parse().ok()).unwrap_or_default();
            let is_of =
                |request: &(Option<u32>, String, Arc<str>, usize)| request.0 == cseq && request.3 != origin.direction;
            let request = self.requests.iter().position(is_of).and_then(|index| self.requests.remove(index));
            let url = request.as_ref().map(|(_, _, url, _)| Arc::clone(url));
            let response = RtspResponse {
                status,
                phrase: words.next().unwrap_or_default().to_owned(),
                cseq,
                method: request.map(|(_, method, ..)| method),
                url: url.clone(),
                session,
                transports,
            };
            out.add(origin, Content::RtspResponse(Box::new(response)));
            url
        } else {
            let mut words = head.start.split(' ');
            let method = words.next().unwrap_or_default().to_owned();
            let url: Arc<str> = without_credentials(words.next().unwrap_or_default()).into();
            if self.requests.len() >= REQUESTS {
                self.requests.pop_front();
            }
            self.requests.push_back((cseq, method.clone(), Arc::clone(&url), origin.direction));
            let request = RtspRequest { method, url: Arc::clone(&url), cseq, session, transports };
            out.add(origin, Content::RtspRequest(Box::new(request)));
            Some(url)
        };
        if let Some(bytes) = body.filter(|bytes| !bytes.is_empty()) {
            let context = Context { resource, ..Context::default() };
            body::read(Body { bytes, content_type: head.first("content-type"), kind: None }, &context, origin, out);
        }
    }
}

fn transport(value: &str) -> RtspTransport {
    let hexadecimal = |text: &str| u32::from_str_radix(text.split('/').next()?.trim(), 16).ok();
    RtspTransport {
        specification: value.split(';').next().unwrap_or_default().trim().to_owned(),
        client_port: parameter(value, "client_port").and_then(range).or_else(|| ports(parameter(value, "dest_addr")?)),
        server_port: parameter(value, "server_port").and_then(range).or_else(|| ports(parameter(value, "src_addr")?)),
        interleaved: parameter(value, "interleaved").and_then(range),
        ssrc: parameter(value, "ssrc").and_then(hexadecimal),
    }
}

/// `6970-6971`, or one number alone.
fn range<N: Copy + std::str::FromStr>(text: &str) -> Option<(N, N)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

/// The ports of `":6970"/":6971"` or `"192.0.2.5:6970"/"192.0.2.5:6971"` (RFC 7826 section 18.54.1).
fn ports(text: &str) -> Option<(u16, u16)> {
    let mut ports = text.split('/').map(|address| address.trim_matches('"').rsplit_once(':')?.1.parse().ok());
    let first = ports.next()??;
    Some((first, ports.next().flatten().unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_of_both_versions() {
        let value = "RTP/AVP;unicast;client_port=4588-4589;server_port=6256-6257;ssrc=4E4D0A1F";
        let found = transport(value);
        assert_eq!((found.client_port, found.server_port), (Some((4588, 4589)), Some((6256, 6257))));
        assert_eq!((found.ssrc, found.specification.as_str()), (Some(0x4e4d_0a1f), "RTP/AVP"));
        assert_eq!(transport("RTP/AVP/TCP;interleaved=0-1").interleaved, Some((0, 1)));
        let value =
            "RTP/AVP/UDP;unicast;dest_addr=\":6970\"/\":6971\";src_addr=\"198.51.100.5:6256\"/\"198.51.100.5:6257\"";
        let found = transport(value);
        assert_eq!((found.client_port, found.server_port), (Some((6970, 6971)), Some((6256, 6257))));
    }
}
