//! HTTP/1 connections (RFC 9112): requests and their responses, of which those that carry signalling are told (WHIP of
//! RFC 9725, WHEP, JSON interfaces), up to a change to WebSocket.

use std::{collections::VecDeque, io::Read, sync::Arc};

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};

use super::{
    Content, Context, HttpRequest, HttpResponse, Via, WebSocketOpened,
    body::{self, Body},
    gathered::{BODY_BYTES, Look},
    head::{Head, parameter, split_outside},
    out::{Origin, Out},
    stream::{Event, Length, Messages, Syntax},
    websocket::Agreed,
};
use crate::{flow::tcp::Mark, sdp::DescriptionKind};

/// Requests without a response yet.
const REQUESTS: usize = 64;

/// Bytes of frames that wait for the response that opens their WebSocket; a server that is not captured opens it too.
const WAITING_BYTES: usize = 4096;

/// Words in the names of query parameters whose values are credentials.
const CREDENTIALS: [&str; 7] = ["token", "key", "pass", "secret", "auth", "jwt", "sig"];

/// One connection.
#[derive(Debug)]
pub struct Http {
    sides: [Side; 2],
    requests: VecDeque<Request>,
}

#[derive(Debug)]
struct Side {
    messages: Messages,
    head: Option<Head>,
    /// The request of the response at hand.
    request: Option<Request>,
    /// Whether the response at hand was told.
    is_told: bool,
}

/// A request that waits for its response.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    target: Arc<str>,
    host: Option<String>,
    /// Whether it asks for a WebSocket.
    upgrades: bool,
    /// Whether it was told.
    is_signalling: bool,
    /// What a description in the response is.
    response_kind: Option<DescriptionKind>,
}

/// A WebSocket that was opened.
#[derive(Debug)]
pub struct Upgrade {
    /// What was agreed.
    pub agreed: Agreed,
    /// Its path.
    pub path: Arc<str>,
    /// What each direction has sent of it already.
    pub first: [Vec<u8>; 2],
}

impl Http {
    /// A connection of which nothing was read.
    pub fn new() -> Self {
        let side = || Side { messages: Messages::new(Syntax::Http), head: None, request: None, is_told: false };
        Self { sides: [side(), side()], requests: VecDeque::new() }
    }

    /// Takes the next bytes of a direction.
    pub fn push(&mut self, bytes: &[u8], mark: Mark, direction: usize, out: &mut Out) -> Option<Upgrade> {
        if let Some(side) = self.sides.get_mut(direction) {
            side.messages.feed(bytes);
        }
        let upgrade = self.read(direction, mark, out);
        let Some(side) = self.sides.get(direction).filter(|side| side.messages.is_waiting) else { return upgrade };
        if upgrade.is_none() && side.messages.rest().len() > WAITING_BYTES {
            let request = self.requests.back().cloned()?;
            return Some(self.upgrade(&request, None, Origin { mark, direction, via: Via::WebSocket }, out));
        }
        upgrade
    }

    /// Goes on behind bytes that were not captured.
    pub fn skip(&mut self, count: usize, mark: Mark, direction: usize, out: &mut Out) {
        let Some(side) = self.sides.get_mut(direction) else { return };
        if side.messages.skip(count).1 {
            out.count_hole(mark.1);
        }
        if side.messages.is_lost() {
            side.head = None;
            // Which response is whose is not known any more.
            self.requests.clear();
        }
    }

    /// Takes the end of a direction. Where the other one is not captured, what waits for the response is a WebSocket.
    pub fn end(&mut self, mark: Mark, direction: usize, out: &mut Out) -> Option<Upgrade> {
        let side = self.sides.get_mut(direction)?;
        if let Some(Event::End(body)) = side.messages.end() {
            self.finish(direction, body, mark, out);
            return None;
        }
        if !side.messages.is_waiting || side.messages.rest().is_empty() {
            return None;
        }
        let request = self.requests.back().cloned()?;
        Some(self.upgrade(&request, None, Origin { mark, direction, via: Via::WebSocket }, out))
    }

    /// Whether nothing more is to be expected.
    pub fn is_over(&self) -> bool {
        self.sides.iter().any(|side| side.messages.is_over())
    }

    /// Bytes that are held.
    pub fn held_bytes(&self) -> usize {
        let of_side = |side: &Side| {
            let request = side.request.as_ref().map_or(0, Request::held_bytes);
            side.messages.held_bytes() + side.head.as_ref().map_or(0, Head::held_bytes) + request
        };
        let requests = self.requests.iter().map(Request::held_bytes);
        requests.chain(self.sides.iter().map(of_side)).sum()
    }

    /// Drops what waits.
    pub fn let_go(&mut self) {
        self.requests = VecDeque::new();
        for side in &mut self.sides {
            side.messages.lose();
            (side.head, side.request) = (None, None);
        }
    }

    fn read(&mut self, direction: usize, mark: Mark, out: &mut Out) -> Option<Upgrade> {
        while let Some(side) = self.sides.get_mut(direction) {
            match side.messages.next() {
                Some(Event::Head(head)) if head.start.starts_with("HTTP/") => {
                    if let Some(upgrade) = self.begin_response(head, direction, mark, out) {
                        return Some(upgrade);
                    }
                }
                Some(Event::Head(head)) => self.begin_request(head, direction, out),
                Some(Event::Part(bytes)) => self.part(direction, &bytes, mark, out),
                Some(Event::End(body)) => self.finish(direction, body, mark, out),
                Some(Event::Interleaved { .. }) => {}
                None => {
                    out.missing.oversized += side.messages.take_oversized();
                    return None;
                }
            }
        }
        None
    }

    fn begin_request(&mut self, head: Head, direction: usize, out: &mut Out) {
        let mut words = head.start.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let request = Request {
            method: method.to_owned(),
            target: without_credentials(target).into(),
            host: head.first("host").map(str::to_owned),
            upgrades: head.first("upgrade").is_some_and(|value| value.to_ascii_lowercase().contains("websocket")),
            is_signalling: false,
            response_kind: None,
        };
        if self.requests.len() >= REQUESTS {
            self.requests.pop_front();
        }
        let Some(side) = self.sides.get_mut(direction) else { return };
        let length = body_length(&head).unwrap_or(Length::Known(0));
        side.messages.begin_body(length, look(&head, length, out));
        self.requests.push_back(request);
        side.head = Some(head);
    }

    fn begin_response(&mut self, head: Head, direction: usize, mark: Mark, out: &mut Out) -> Option<Upgrade> {
        let status = status(&head);
        let origin = Origin { mark, direction, via: Via::WebSocket };
        if matches!(status, 100 | 102..=199) {
            self.sides.get_mut(direction)?.messages.begin_body(Length::Known(0), Look::No);
            return None;
        }
        let request = self.requests.pop_front();
        let changes_to = |name| head.first("upgrade").is_some_and(|value| value.eq_ignore_ascii_case(name));
        let upgrades = changes_to("websocket");
        if status == 101 && changes_to("h2c") {
            out.label = Some("http2");
        }
        if status == 101 && upgrades {
            let unknown = Request { upgrades: true, ..Request::unknown() };
            return Some(self.upgrade(&request.unwrap_or(unknown), Some(&head), origin, out));
        }
        let is_connected = request.as_ref().is_some_and(|request| request.method == "CONNECT") && status / 100 == 2;
        let has_none = request.as_ref().is_some_and(|request| request.method == "HEAD") || matches!(status, 204 | 304);
        let length = match body_length(&head) {
            _ if status == 101 || is_connected => Length::Tunnel,
            _ if has_none => Length::Known(0),
            length => length.unwrap_or(Length::ToTheEnd),
        };
        let side = self.sides.get_mut(direction)?;
        side.messages.begin_body(length, look(&head, length, out));
        side.is_told = false;
        side.request = request;
        side.head = Some(head);
        // What the other side sent behind a request for a WebSocket is HTTP after all.
        let other = self.sides.get_mut(direction ^ 1)?;
        if std::mem::take(&mut other.messages.is_waiting) {
            self.read(direction ^ 1, mark, out);
        }
        None
    }

    /// Takes a part of a body that goes on: the message is told with the first that is of signalling.
    fn part(&mut self, direction: usize, bytes: &[u8], mark: Mark, out: &mut Out) {
        let Some(Side { head: Some(head), request, is_told, .. }) = self.sides.get_mut(direction) else { return };
        let origin = Origin { mark, direction, via: Via::Http };
        let target = match head.start.starts_with("HTTP/") {
            true => request.as_ref().map(|request| Arc::clone(&request.target)),
            false => self.requests.back().map(|request| Arc::clone(&request.target)),
        };
        let context = Context { resource: target, ..Context::default() };
        let mut found = Out::default();
        let body = Body { bytes, content_type: head.first("content-type"), kind: None };
        body::read(body, &context, origin, &mut found);
        if found.len() > 0 && !std::mem::replace(is_told, true) && head.start.starts_with("HTTP/") {
            tell_response(head, request.as_ref(), origin, out);
        }
        if found.len() > 0
            && let Some(request) = self.requests.back_mut().filter(|_| !head.start.starts_with("HTTP/"))
        {
            request.is_signalling = true;
        }
        out.append(found);
    }

    fn finish(&mut self, direction: usize, body: Option<Vec<u8>>, mark: Mark, out: &mut Out) {
        let Some(side) = self.sides.get_mut(direction) else { return };
        let (head, request) = (side.head.take(), side.request.take());
        let is_told = std::mem::take(&mut side.is_told);
        let Some(head) = head else { return };
        let origin = Origin { mark, direction, via: Via::Http };
        let body = body.and_then(|body| decoded(&head, body, out));
        if !head.start.starts_with("HTTP/") {
            self.finish_request(&head, body.as_deref(), origin, out);
        } else if is_told {
            let request = request.as_ref().map(|request| Arc::clone(&request.target));
            let context = Context { resource: request, ..Context::default() };
            let bytes = body.as_deref().unwrap_or_default();
            body::read(Body { bytes, content_type: head.first("content-type"), kind: None }, &context, origin, out);
        } else {
            finish_response(&head, request.as_ref(), body.as_deref(), origin, out);
        }
    }

    fn finish_request(&mut self, head: &Head, body: Option<&[u8]>, origin: Origin, out: &mut Out) {
        let Some(request) = self.requests.back_mut() else { return };
        if request.upgrades
            && let Some(side) = self.sides.get_mut(origin.direction)
        {
            side.messages.is_waiting = true;
        }
        let media_type = head.media_type();
        let is_sdp = matches!(media_type.as_deref(), Some(body::SDP | body::SDP_FRAGMENT));
        let kind = match request.method.as_str() {
            // The answer to what a WHEP server offered (draft-ietf-wish-whep section 4.3) comes in a PATCH.
            "PATCH" => Some(DescriptionKind::Answer),
            _ => Some(DescriptionKind::Offer),
        };
        request.response_kind = match is_sdp {
            true => Some(DescriptionKind::Answer),
            false if media_type.is_none() => Some(DescriptionKind::Offer),
            false => None,
        };
        let content = HttpRequest {
            method: request.method.clone(),
            target: Arc::clone(&request.target),
            host: request.host.clone(),
            content_type: media_type,
        };
        let mut found = Out::default();
        if let Some(bytes) = body.filter(|bytes| !bytes.is_empty()) {
            let context = Context { resource: Some(Arc::clone(&request.target)), ..Context::default() };
            let body = Body { bytes, content_type: head.first("content-type"), kind: kind.filter(|_| is_sdp) };
            body::read(body, &context, origin, &mut found);
        }
        let is_resource = out.resources.has(request.host.as_deref(), &request.target);
        request.is_signalling |= is_sdp || found.len() > 0 || is_resource;
        if request.is_signalling {
            out.add(origin, Content::HttpRequest(Box::new(content)));
        }
        out.append(found);
    }

    /// What was agreed, and what of the WebSocket is here already. Without a response what was asked for counts.
    fn upgrade(&mut self, request: &Request, response: Option<&Head>, origin: Origin, out: &mut Out) -> Upgrade {
        let protocol = response.and_then(|head| head.first("sec-websocket-protocol")).map(str::to_owned);
        let opened = WebSocketOpened { path: Arc::clone(&request.target), host: request.host.clone(), protocol };
        out.add(origin, Content::WebSocketOpened(Box::new(opened)));
        let server = if response.is_some() { origin.direction } else { origin.direction ^ 1 };
        let extensions = response.map(|head| head.all("sec-websocket-extensions").collect::<Vec<_>>().join(","));
        let agreed = Agreed::new(server, extensions.as_deref());
        let [one, other] = &self.sides;
        let first = [one.messages.rest().to_vec(), other.messages.rest().to_vec()];
        Upgrade { agreed, path: Arc::clone(&request.target), first }
    }
}

fn finish_response(head: &Head, request: Option<&Request>, body: Option<&[u8]>, origin: Origin, out: &mut Out) {
    let is_sdp = matches!(head.media_type().as_deref(), Some(body::SDP | body::SDP_FRAGMENT));
    let mut found = Out::default();
    if let Some(bytes) = body.filter(|bytes| !bytes.is_empty()) {
        let location = head.first("location").map(without_credentials);
        let resource = location.as_deref().filter(|_| is_sdp).map(Arc::from);
        let resource = resource.or_else(|| request.map(|request| Arc::clone(&request.target)));
        let context = Context { resource, ..Context::default() };
        let kind = request.and_then(|request| request.response_kind).filter(|_| is_sdp);
        body::read(Body { bytes, content_type: head.first("content-type"), kind }, &context, origin, &mut found);
    }
    if is_sdp || found.len() > 0 || request.is_some_and(|request| request.is_signalling) {
        tell_response(head, request, origin, out);
    }
    out.append(found);
}

fn tell_response(head: &Head, request: Option<&Request>, origin: Origin, out: &mut Out) {
    let location = head.first("location").map(without_credentials);
    if let (Some(location), Some(request)) = (&location, request.filter(|request| request.is_signalling)) {
        out.resources.add(location, request.host.as_deref(), &request.target);
    }
    let response = HttpResponse {
        status: status(head),
        method: request.map(|request| request.method.clone()),
        target: request.map(|request| Arc::clone(&request.target)),
        location,
        etag: head.first("etag").map(str::to_owned),
        ice_servers: head.all("link").flat_map(ice_servers).collect(),
        content_type: head.media_type(),
    };
    out.add(origin, Content::HttpResponse(Box::new(response)));
}

impl Request {
    /// Bytes that are held.
    fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.method.len() + self.target.len() + self.host.as_ref().map_or(0, String::len)
    }

    fn unknown() -> Self {
        Self {
            method: String::new(),
            target: "".into(),
            host: None,
            upgrades: false,
            is_signalling: false,
            response_kind: None,
        }
    }
}

fn status(head: &Head) -> u16 {
    head.start.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
}

/// How long a body is (RFC 9112 section 6.3); `None` where no header says it.
fn body_length(head: &Head) -> Option<Length> {
    let chunked = head.all("transfer-encoding").any(|value| value.to_ascii_lowercase().contains("chunked"));
    if chunked { Some(Length::Chunked) } else { head.content_length().map(Length::Known) }
}

/// How a body is looked into. One that may hold signalling in a coding that is not read is counted.
fn look(head: &Head, length: Length, out: &mut Out) -> Look {
    let media_type = head.media_type();
    let media_type = media_type.as_deref();
    if length == Length::Known(0) || !body::may_hold_signalling(media_type) {
        return Look::No;
    }
    let coding = head.first("content-encoding").map(str::to_ascii_lowercase);
    match (coding.as_deref(), media_type) {
        (None | Some("identity"), Some("text/event-stream")) => Look::Events,
        (None | Some("identity"), Some("application/x-ndjson")) => Look::Lines,
        (None | Some("identity" | "gzip" | "x-gzip" | "deflate"), _) => Look::Whole,
        _ => {
            out.missing.coded += u64::from(media_type.is_some());
            Look::No
        }
    }
}

/// A body without its content coding (RFC 9110 section 8.4); none where it cannot be read or is too long.
fn decoded(head: &Head, body: Vec<u8>, out: &mut Out) -> Option<Vec<u8>> {
    let coding = head.first("content-encoding").map(str::to_ascii_lowercase);
    let plain = match coding.as_deref() {
        Some("gzip" | "x-gzip") => inflated(GzDecoder::new(&*body)),
        // Some senders leave the zlib header away.
        Some("deflate") => inflated(ZlibDecoder::new(&*body)).or_else(|()| inflated(DeflateDecoder::new(&*body))),
        _ => return Some(body),
    };
    match plain {
        Ok(plain) if plain.len() <= BODY_BYTES => Some(plain),
        Ok(_) => {
            out.missing.oversized += 1;
            None
        }
        Err(()) => {
            out.missing.unreadable += 1;
            None
        }
    }
}

fn inflated(decoder: impl Read) -> Result<Vec<u8>, ()> {
    let mut plain = Vec::new();
    decoder.take(BODY_BYTES as u64 + 1).read_to_end(&mut plain).map(|_| plain).map_err(drop)
}

/// The URLs of a Link header that names ICE servers (RFC 9725 section 4.6).
fn ice_servers(value: &str) -> impl Iterator<Item = String> {
    let links = split_outside(value, ',').map(str::trim);
    links.filter_map(|link| {
        let url = link.strip_prefix('<')?.split('>').next()?;
        (parameter(link, "rel") == Some("ice-server")).then(|| without_credentials(url))
    })
}

/// A URL without the values that let someone in.
pub fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (authority, path) =
        if scheme.is_empty() { ("", rest) } else { rest.split_at(rest.find('/').unwrap_or(rest.len())) };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| {
        let parts = query.split('&').map(|part| match part.split_once('=') {
            Some((name, _)) if CREDENTIALS.iter().any(|word| name.to_ascii_lowercase().contains(word)) => {
                format!("{name}=***")
            }
            _ => part.to_owned(),
        });
        format!("?{}", parts.collect::<Vec<_>>().join("&"))
    });
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{path}{}", query.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_out() {
        let link = "<turn:turn.example.net?transport=udp>; rel=\"ice-server\"; username=\"u, ser\"; \
            credential=\"myPassword\"; credential-type=\"password\", <https://x/y>; rel=\"next\"";
        assert_eq!(ice_servers(link).collect::<Vec<_>>(), ["turn:turn.example.net?transport=udp"]);
        assert_eq!(without_credentials("rtsp://user:pw@cam/stream?x=1"), "rtsp://cam/stream?x=1");
        assert_eq!(without_credentials("/ws?room=5&access_token=abc"), "/ws?room=5&access_token=***");
    }
}
