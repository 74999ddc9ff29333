//! One packet, for people: a line of what it says, or a tree of its fields with the place of each in the frame.
//!
//! Nothing is decided here. What protocol a payload is, and whether it is encrypted, is known by the flow it belongs
//! to; only datagrams inside others (TURN, DTLS in STUN) are judged by their own bytes, as there is no flow for one.

mod decrypted;
mod dtls;
mod entry;
mod fields;
mod headers;
mod list;
mod names;
mod other;
mod rtcp;
mod rtp;
mod said;
mod sctp;
mod signalling;
mod stun;
mod words;

use serde::Serialize;

use crate::wire;

pub use decrypted::Decrypted;
pub use entry::{Entry, Relayed, Scene};
pub use list::List;

/// Datagrams inside datagrams that are opened: a Send indication holding DTLS in STUN is three deep. STUN may hold
/// STUN without end.
const MAX_DEPTH: u8 = 4;

/// A field of a packet: what it says and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// What it says: `name: value`.
    pub label: String,
    /// Where its bytes start, from the start of the frame.
    pub offset: usize,
    /// How many captured bytes it takes.
    pub length: usize,
    /// What it consists of.
    pub children: Vec<Node>,
}

impl Node {
    fn new(label: impl Into<String>, offset: usize, length: usize) -> Self {
        Self { label: label.into(), offset, length, children: Vec::new() }
    }

    /// With `children`. A field of a list that lies about its length ends where the list does.
    fn with(mut self, mut children: Vec<Self>) -> Self {
        let end = self.offset + self.length;
        for child in &mut children {
            child.offset = child.offset.min(end);
            child.length = child.length.min(end - child.offset);
        }
        self.children = children;
        self
    }
}

/// The protocol of a payload, as its flow has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// STUN and TURN messages (RFC 8489, RFC 8656).
    Stun,
    /// STUN without a magic cookie (RFC 3489).
    ClassicStun,
    /// TURN ChannelData (RFC 8656 section 12.4).
    ChannelData,
    /// DTLS (RFC 6347, RFC 9147).
    Dtls,
    /// RTP whose payload is in clear, or not known to be encrypted.
    Rtp,
    /// SRTP: RTP whose payload and padding are encrypted.
    Srtp,
    /// RTCP in clear.
    Rtcp,
    /// SRTCP: all but the first header is encrypted.
    Srtcp,
    /// SCTP (RFC 9260), over IP or UDP.
    Sctp,
    /// QUIC (RFC 9000).
    Quic,
    /// ZRTP (RFC 6189).
    Zrtp,
    /// Anything else.
    Unknown,
}

impl Protocol {
    /// Every protocol, in order.
    pub const ALL: [Self; 12] = [
        Self::Stun,
        Self::ClassicStun,
        Self::ChannelData,
        Self::Dtls,
        Self::Rtp,
        Self::Srtp,
        Self::Rtcp,
        Self::Srtcp,
        Self::Sctp,
        Self::Quic,
        Self::Zrtp,
        Self::Unknown,
    ];

    /// The name a report uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stun | Self::ClassicStun => "STUN",
            Self::ChannelData => "ChannelData",
            Self::Dtls => "DTLS",
            Self::Rtp => "RTP",
            Self::Srtp => "SRTP",
            Self::Rtcp => "RTCP",
            Self::Srtcp => "SRTCP",
            Self::Sctp => "SCTP",
            Self::Quic => "QUIC",
            Self::Zrtp => "ZRTP",
            Self::Unknown => "data",
        }
    }

    /// The protocol that a datagram's own bytes speak for (RFC 7983 and structure): for datagrams inside others, which
    /// have no flow to ask.
    fn of_bytes(bytes: &[u8], wire_length: usize) -> Self {
        if wire::stun::Message::parse_captured(bytes, wire_length).is_ok() {
            return Self::Stun;
        }
        // RFC 5761 section 4 keeps these second bytes free of RTP.
        if let [0x80..=0xbf, 192..=223, ..] = bytes
            && let Ok(rtcp) = wire::rtcp::classify_snapped(bytes, wire_length)
        {
            return if let wire::rtcp::Rtcp::Clear(_) = rtcp { Self::Rtcp } else { Self::Srtcp };
        }
        match bytes.first() {
            Some(0x14..=0x3f) if wire::dtls::looks_like_dtls(bytes, wire_length) => Self::Dtls,
            Some(0x40..=0x7f) if other::is_channel_data(bytes, wire_length) => Self::ChannelData,
            Some(0x80..=0xbf) if wire::rtp::Header::parse(bytes, wire_length).is_ok() => Self::Rtp,
            _ => Self::Unknown,
        }
    }
}

/// A packet in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The protocol's name.
    pub protocol: &'static str,
    /// What the packet says, without the protocol's name.
    pub summary: String,
}

/// `payload` in one line. It had `wire_length` bytes before the capture cut it.
#[must_use]
pub fn line(protocol: Protocol, payload: &[u8], wire_length: usize) -> Line {
    Line { protocol: protocol.name(), summary: summary(protocol, View::new(payload, wire_length, 0)) }
}

/// The fields of `payload`, which starts `base_offset` bytes into its frame and had `wire_length` bytes before the
/// capture cut it.
#[must_use]
pub fn tree(protocol: Protocol, payload: &[u8], base_offset: usize, wire_length: usize) -> Vec<Node> {
    nodes(protocol, View::new(payload, wire_length, base_offset))
}

/// As [`line()`], of a TURN message whose datagram inside is `inner`, as the relayed flow has it.
#[must_use]
pub fn relayed_line(protocol: Protocol, inner: Protocol, payload: &[u8], wire_length: usize) -> Line {
    let view = View { inner: Some(inner), ..View::new(payload, wire_length, 0) };
    Line { protocol: protocol.name(), summary: summary(protocol, view) }
}

/// As [`tree`], of a TURN message whose datagram inside is `inner`, as the relayed flow has it.
#[must_use]
pub fn relayed_tree(
    protocol: Protocol,
    inner: Protocol,
    payload: &[u8],
    base_offset: usize,
    wire_length: usize,
) -> Vec<Node> {
    nodes(protocol, View { inner: Some(inner), ..View::new(payload, wire_length, base_offset) })
}

/// A payload, where it is in its frame, and how deep inside others.
#[derive(Clone, Copy, Debug)]
struct View<'a> {
    bytes: &'a [u8],
    wire_length: usize,
    base: usize,
    depth: u8,
    /// The protocol of the datagram inside this one, where a flow knows it.
    inner: Option<Protocol>,
    /// Whether the protocol of this one was guessed from its bytes. RTP may then be SRTP.
    guessed: bool,
}

impl<'a> View<'a> {
    fn new(bytes: &'a [u8], wire_length: usize, base: usize) -> Self {
        Self { bytes, wire_length: wire_length.max(bytes.len()), base, depth: 0, inner: None, guessed: false }
    }

    /// The datagram `bytes` of `wire_length` that starts `offset` bytes into this one, and its protocol; `None` where
    /// it is empty, or so deep that it stays closed.
    fn inside(self, bytes: &'a [u8], wire_length: usize, offset: usize) -> Option<(Protocol, Self)> {
        let depth = self.depth + 1;
        let view = Self { depth, guessed: self.inner.is_none(), ..Self::new(bytes, wire_length, self.base + offset) };
        let protocol = self.inner.unwrap_or_else(|| Protocol::of_bytes(bytes, wire_length));
        (depth < MAX_DEPTH && wire_length > 0).then_some((protocol, view))
    }

    /// A node of `length` bytes, `offset` bytes into this payload; what was not captured is not counted.
    fn node(self, label: impl Into<String>, offset: usize, length: usize) -> Node {
        let offset = offset.min(self.bytes.len());
        Node::new(label, self.base + offset, length.min(self.bytes.len() - offset))
    }

    /// A node that says what is wrong, at the place where it is.
    fn fault(self, fault: wire::Malformed) -> Node {
        self.node(words::fault(fault), fault.offset, 0)
    }
}

fn summary(protocol: Protocol, view: View<'_>) -> String {
    match protocol {
        Protocol::Stun | Protocol::ClassicStun => stun::summary(protocol, view),
        Protocol::ChannelData => other::channel_summary(view),
        Protocol::Dtls => dtls::summary(view),
        Protocol::Rtp | Protocol::Srtp => rtp::summary(protocol, view),
        Protocol::Rtcp | Protocol::Srtcp => rtcp::summary(protocol, view),
        Protocol::Sctp => sctp::summary(view),
        Protocol::Quic => other::quic_summary(view),
        Protocol::Zrtp => other::zrtp_summary(view),
        Protocol::Unknown => words::bytes(view.wire_length),
    }
}

fn nodes(protocol: Protocol, view: View<'_>) -> Vec<Node> {
    let mut nodes = match protocol {
        Protocol::Stun | Protocol::ClassicStun => stun::nodes(protocol, view),
        Protocol::ChannelData => other::channel_nodes(view),
        Protocol::Dtls => dtls::nodes(view),
        Protocol::Rtp | Protocol::Srtp => rtp::nodes(protocol, view),
        Protocol::Rtcp | Protocol::Srtcp => rtcp::nodes(protocol, view),
        Protocol::Sctp => sctp::nodes(view),
        Protocol::Quic => other::quic_nodes(view),
        Protocol::Zrtp => other::zrtp_nodes(view),
        Protocol::Unknown => vec![view.node(format!("data: {}", words::hex(view.bytes)), 0, view.bytes.len())],
    };
    let missing = view.wire_length - view.bytes.len();
    if missing > 0 && view.depth == 0 {
        nodes.push(view.node(format!("{} not captured", words::bytes(missing)), view.bytes.len(), 0));
    }
    nodes
}

#[cfg(test)]
mod tests;
