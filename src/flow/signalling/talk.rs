//! The signalling of one TCP connection, whatever protocol it speaks.

use super::{
    Via,
    gathered::Look,
    head::Head,
    http::{Http, Upgrade},
    out::{Origin, Out},
    recognise::{self, Start},
    rtsp::Rtsp,
    sip::Sip,
    stream::{Event, Length, Messages, Syntax},
    tls::{Hello, Progress},
    websocket::{Agreed, WebSocket},
};
use crate::flow::tcp::Mark;

/// What is known of a connection that is followed.
#[derive(Debug)]
pub enum Talk {
    /// HTTP/1.
    Http(Box<Http>),
    /// A WebSocket.
    WebSocket(Box<WebSocket>),
    /// SIP.
    Sip(Box<SipStream>),
    /// RTSP.
    Rtsp(Box<Rtsp>),
    /// TLS, up to the end of its ClientHello.
    Tls(Box<Hello>),
}

/// What the first bytes of a connection show.
#[derive(Debug)]
pub enum Recognition {
    /// It is to be followed.
    Talk(Talk, &'static str),
    /// It is known and not followed.
    Other(&'static str),
    /// More bytes are needed.
    Unclear,
    /// No signalling.
    Nothing,
}

impl Talk {
    /// What the bytes of a connection, or of a segment of it, start with.
    pub fn recognise(bytes: &[u8]) -> Recognition {
        let found = Recognition::Talk;
        match recognise::recognise(bytes) {
            Start::Message(Syntax::Http) => found(Self::Http(Box::new(Http::new())), "http"),
            Start::Message(Syntax::Sip) => found(Self::Sip(Box::default()), "sip"),
            Start::Message(Syntax::Rtsp) => found(Self::Rtsp(Box::new(Rtsp::new())), "rtsp"),
            Start::WebSocket => found(Self::WebSocket(Box::new(WebSocket::new(Agreed::unknown(), None))), "websocket"),
            Start::ClientHello => found(Self::Tls(Box::default()), "tls"),
            Start::Other(label) => Recognition::Other(label),
            Start::Unclear => Recognition::Unclear,
            Start::Nothing => Recognition::Nothing,
        }
    }

    /// Takes the next bytes of a direction.
    pub fn push(&mut self, bytes: &[u8], mark: Mark, direction: usize, out: &mut Out) {
        match self {
            Self::Http(http) => {
                if let Some(upgrade) = http.push(bytes, mark, direction, out) {
                    self.open(upgrade, mark, out);
                }
            }
            Self::WebSocket(socket) => socket.push(bytes, mark, direction, out),
            Self::Sip(sip) => sip.push(bytes, mark, direction, out),
            Self::Rtsp(rtsp) => rtsp.push(bytes, mark, direction, out),
            Self::Tls(hello) => {
                out.is_over |= hello.push(bytes, Origin { mark, direction, via: Via::Tls }, out) != Progress::More;
            }
        }
        if let Self::Http(http) = self {
            out.is_over |= http.is_over();
        }
    }

    /// Goes on behind `count` bytes that were not captured.
    pub fn skip(&mut self, count: usize, mark: Mark, direction: usize, out: &mut Out) {
        match self {
            Self::Http(http) => http.skip(count, mark, direction, out),
            Self::WebSocket(socket) => socket.skip(count, mark, direction, out),
            Self::Sip(sip) => sip.skip(count, mark, direction, out),
            Self::Rtsp(rtsp) => rtsp.skip(count, mark, direction, out),
            Self::Tls(_) => out.is_over = true,
        }
    }

    /// Takes the end of a direction.
    pub fn end(&mut self, mark: Mark, direction: usize, out: &mut Out) {
        if let Self::Http(http) = self
            && let Some(upgrade) = http.end(mark, direction, out)
        {
            self.open(upgrade, mark, out);
        }
    }

    /// Bytes that are held.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Http(http) => http.held_bytes(),
            Self::WebSocket(socket) => socket.held_bytes(),
            Self::Sip(sip) => sip.held_bytes(),
            Self::Rtsp(rtsp) => rtsp.held_bytes(),
            Self::Tls(hello) => hello.held_bytes(),
        }
    }

    /// Drops what waits: there is no memory for it.
    pub fn let_go(&mut self) {
        match self {
            Self::Http(http) => http.let_go(),
            Self::WebSocket(socket) => socket.let_go(),
            Self::Sip(sip) => sip.let_go(),
            Self::Rtsp(rtsp) => rtsp.let_go(),
            Self::Tls(hello) => **hello = Hello::default(),
        }
    }

    fn open(&mut self, upgrade: Upgrade, mark: Mark, out: &mut Out) {
        let mut socket = Box::new(WebSocket::new(upgrade.agreed, Some(upgrade.path)));
        for (direction, bytes) in upgrade.first.into_iter().enumerate() {
            socket.push(&bytes, mark, direction, out);
        }
        out.label = Some("websocket");
        *self = Self::WebSocket(socket);
    }
}

/// SIP over TCP.
#[derive(Debug)]
pub struct SipStream {
    sides: [(Messages, Option<Head>); 2],
    sip: Sip,
}

impl Default for SipStream {
    fn default() -> Self {
        let side = || (Messages::new(Syntax::Sip), None);
        Self { sides: [side(), side()], sip: Sip::default() }
    }
}

impl SipStream {
    fn push(&mut self, bytes: &[u8], mark: Mark, direction: usize, out: &mut Out) {
        let Some((messages, head)) = self.sides.get_mut(direction) else { return };
        messages.feed(bytes);
        while let Some(event) = messages.next() {
            match event {
                Event::Head(next) => {
                    messages.begin_body(Length::Known(next.content_length().unwrap_or(0)), Look::Whole);
                    *head = Some(next);
                }
                Event::End(body) => {
                    let origin = Origin { mark, direction, via: Via::SipTcp };
                    if let Some(head) = head.take() {
                        let is_whole = body.is_some();
                        self.sip.message(&head, body.as_deref().unwrap_or_default(), is_whole, origin, out);
                    }
                }
                Event::Part(_) | Event::Interleaved { .. } => {}
            }
        }
        out.missing.oversized += messages.take_oversized();
    }

    fn skip(&mut self, count: usize, mark: Mark, direction: usize, out: &mut Out) {
        let Some((messages, head)) = self.sides.get_mut(direction) else { return };
        if messages.skip(count).1 {
            out.count_hole(mark.1);
        }
        if messages.is_lost() {
            *head = None;
        }
    }

    fn held_bytes(&self) -> usize {
        let of_head = |head: &Option<Head>| head.as_ref().map_or(0, Head::held_bytes);
        self.sides.iter().map(|(messages, head)| messages.held_bytes() + of_head(head)).sum()
    }

    fn let_go(&mut self) {
        for (messages, head) in &mut self.sides {
            messages.lose();
            *head = None;
        }
    }
}
