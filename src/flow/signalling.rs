//! The signalling of calls: the messages of SIP, HTTP, WebSocket and RTSP that set them up, with the session
//! descriptions and candidates in them, in capture order and bounded. What they mean is for the session to say.

mod base64;
mod body;
mod content;
mod datagrams;
mod events;
mod frame;
mod gathered;
mod head;
mod http;
mod inflater;
mod json;
mod out;
mod protobuf;
mod recognise;
mod resources;
mod rtsp;
mod sip;
mod stream;
mod talk;
mod tls;
mod websocket;

use crate::{
    flow::{key::FlowKey, tcp::Mark},
    time::PacketId,
};

pub use self::content::{
    Candidate, Content, Context, Description, Dialog, HttpRequest, HttpResponse, RtspRequest, RtspResponse,
    RtspTransport, SipRequest, SipResponse, TlsHello, WebSocketClosed, WebSocketOpened,
};
pub use self::datagrams::{Datagrams, TextDatagram};
pub(in crate::flow) use self::{
    out::{Origin, Out},
    resources::Resources,
    talk::{Recognition, Talk},
    tls::{Hello, Progress},
};

/// Signals that are kept.
pub const SIGNALS: usize = 65_536;

/// Bytes of text in them.
pub const TEXT_BYTES: usize = 32 << 20;

/// One thing that was signalled. A message gives as many signals as there are things in it, itself first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The packet that brought its last byte.
    pub mark: Mark,
    /// The flow.
    pub key: FlowKey,
    /// The direction in its flow.
    pub direction: usize,
    /// What it came over.
    pub via: Via,
    /// Which connection of the capture, counted from 1: addresses and ports may be used again. 0 for UDP.
    pub connection: u32,
    /// What it says.
    pub content: Content,
}

/// What signalling comes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// SIP over UDP.
    SipUdp,
    /// SIP over TCP.
    SipTcp,
    /// SIP over WebSocket (RFC 7118).
    SipWebSocket,
    /// HTTP/1.
    Http,
    /// Messages of a WebSocket.
    WebSocket,
    /// RTSP.
    Rtsp,
    /// TLS: nothing of what is inside.
    Tls,
    /// SIP over TLS.
    SipTls,
    /// SIP over WebSocket over TLS.
    SipWss,
    /// HTTP/1 over TLS.
    Https,
    /// Messages of a WebSocket over TLS.
    Wss,
    /// RTSP over TLS.
    Rtsps,
}

impl Via {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SipUdp => "sip-udp",
            Self::SipTcp => "sip-tcp",
            Self::SipWebSocket => "sip-ws",
            Self::Http => "http",
            Self::WebSocket => "websocket",
            Self::Rtsp => "rtsp",
            Self::Tls => "tls",
            Self::SipTls => "sip-tls",
            Self::SipWss => "sip-wss",
            Self::Https => "https",
            Self::Wss => "wss",
            Self::Rtsps => "rtsps",
        }
    }

    /// What it is where TLS is below it.
    pub(in crate::flow) const fn over_tls(self) -> Self {
        match self {
            Self::SipTcp => Self::SipTls,
            Self::SipWebSocket => Self::SipWss,
            Self::Http => Self::Https,
            Self::WebSocket => Self::Wss,
            Self::Rtsp => Self::Rtsps,
            other => other,
        }
    }
}

/// All signalling of a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signalling {
    /// What was signalled, in capture order.
    pub signals: Vec<Signal>,
    /// What is missing.
    pub missing: Missing,
}

/// Signalling that was there, or may have been, and is not among the signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Signals beyond [`SIGNALS`] or [`TEXT_BYTES`].
    pub refused: u64,
    /// Messages that were longer than is looked into.
    pub oversized: u64,
    /// Messages that could not be read: compressed with what was not captured, or against the rules of their protocol.
    pub unreadable: u64,
    /// HTTP bodies in a content coding that is not read: `br`, `zstd`.
    pub coded: u64,
    /// Messages of XMPP with Jingle (XEP-0166), which is not read.
    pub jingle: u64,
    /// Places where bytes of signalling connections were not captured.
    pub holes: u64,
    /// The packet behind the first of these places.
    pub first_hole: Option<PacketId>,
}

impl Missing {
    /// Adds what another place counted, later.
    pub fn add(&mut self, next: Self) {
        self.refused += next.refused;
        self.oversized += next.oversized;
        self.unreadable += next.unreadable;
        self.coded += next.coded;
        self.jingle += next.jingle;
        self.holes += next.holes;
        self.first_hole = self.first_hole.or(next.first_hole);
    }
}

/// Collects signals as they come, up to [`SIGNALS`] and [`TEXT_BYTES`].
#[derive(Debug, Default)]
pub struct Collector {
    found: Signalling,
    text_bytes: usize,
}

impl Collector {
    /// Adds a signal.
    pub fn add(&mut self, signal: Signal) {
        let bytes = signal.content.text_bytes();
        if self.found.signals.len() >= SIGNALS || self.text_bytes + bytes > TEXT_BYTES {
            self.found.missing.refused += 1;
            return;
        }
        self.text_bytes += bytes;
        self.found.signals.push(signal);
    }

    /// Counts what is missing.
    pub fn miss(&mut self, missing: Missing) {
        self.found.missing.add(missing);
    }

    /// The signals since this was asked last.
    pub fn take(&mut self) -> Vec<Signal> {
        self.text_bytes = 0;
        std::mem::take(&mut self.found.signals)
    }

    /// All that was found, in capture order.
    #[must_use]
    pub fn finish(mut self) -> Signalling {
        self.found.signals.sort_by_key(|signal| signal.mark);
        self.found
    }
}
