//! Signalling connections put together by hand, and what is found in them in a few words.
#![allow(dead_code, reason = "each test crate uses its part")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

use flate2::{Compress, FlushCompress};
use rtcscope::{
    crypto::keylog::KeyLog,
    flow::{
        key::{FlowKey, Transport},
        signalling::{Content, Signal},
        tcp::{Connections, Segment},
    },
    sdp::DescriptionKind,
    time::{PacketId, Timestamp},
    wire::{Endpoint, TcpHeader},
};

pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
pub const CANDIDATE: &str = "candidate:1 1 udp 2122260223 192.0.2.1 45414 typ host";

/// What each side says, in turns: 0 is the client.
pub type Turns = Vec<(usize, Vec<u8>)>;

pub struct Wire {
    /// The client's.
    pub port: u16,
    pub connections: Connections,
    /// What TLS is opened with.
    pub keys: Option<KeyLog>,
    pub next: [u32; 2],
    pub packets: u64,
    pub signals: Vec<Signal>,
    pub datagrams: Vec<Vec<u8>>,
    /// What connections were recognised as.
    pub labels: Vec<&'static str>,
}

impl Wire {
    pub fn new() -> Self {
        Self {
            port: 40000,
            connections: Connections::default(),
            keys: None,
            next: [u32::MAX - 20, 1000],
            packets: 0,
            signals: Vec::new(),
            datagrams: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// The next bytes are of another connection to the same server.
    pub fn reconnect(&mut self) {
        self.port += 1;
        self.next = [5000, 6000];
    }

    pub fn key(&self) -> FlowKey {
        FlowKey::new(Endpoint::v4([192, 0, 2, 1], self.port), Endpoint::v4([192, 0, 2, 2], 80), Transport::Tcp).0
    }

    pub fn segment(&mut self, direction: usize, sequence: u32, bytes: &[u8], flags: u8) {
        self.snapped(direction, sequence, bytes, bytes.len(), flags);
    }

    /// A segment of which the first `captured` bytes were captured.
    pub fn snapped(&mut self, direction: usize, sequence: u32, bytes: &[u8], captured: usize, flags: u8) {
        self.packets += 1;
        let mark = (Timestamp(self.packets as i64 * 1_000_000), PacketId::new(0, self.packets));
        let acknowledgment = self.next[direction ^ 1];
        let header = TcpHeader { sequence, acknowledgment, flags: flags | TcpHeader::ACK, window: 0 };
        let payload = &bytes[..captured.min(bytes.len())];
        let segment = Segment { mark, direction, header, payload, length: bytes.len() };
        let findings = self.connections.push_keyed(self.key(), &segment, self.keys.as_ref());
        self.labels.extend(findings.label);
        self.signals.extend(findings.signals);
        self.datagrams.extend(findings.datagrams.into_iter().map(|message| message.bytes));
    }

    pub fn say(&mut self, direction: usize, bytes: &[u8]) {
        let sequence = self.next[direction];
        self.next[direction] = sequence.wrapping_add(bytes.len() as u32);
        self.segment(direction, sequence, bytes, 0);
    }

    pub fn say_all(&mut self, turns: &Turns) {
        turns.iter().for_each(|(direction, bytes)| self.say(*direction, bytes));
    }

    pub fn end(mut self) -> Vec<Content> {
        self.signals.extend(self.connections.end());
        self.signals.into_iter().map(|signal| signal.content).collect()
    }
}

pub fn found(turns: &Turns) -> Vec<Content> {
    found_in_pieces(turns, usize::MAX)
}

pub fn found_in_pieces(turns: &Turns, size: usize) -> Vec<Content> {
    let mut wire = Wire::new();
    for (direction, bytes) in turns {
        bytes.chunks(size).for_each(|chunk| wire.say(*direction, chunk));
    }
    wire.end()
}

/// However the bytes are cut, come again or are swapped: the same is found.
pub fn survives_the_network(turns: &Turns) {
    let whole = found(turns);
    for size in [1, 2, 3, 7, 100] {
        assert_eq!(found_in_pieces(turns, size), whole, "segments of {size}");
    }
    for (turn, (direction, bytes)) in turns.iter().enumerate() {
        for at in (1..bytes.len()).step_by(3) {
            let (first, second) = bytes.split_at(at);
            let mut wire = Wire::new();
            let mut late = Wire::new();
            for (other, (direction, bytes)) in
                turns.iter().enumerate().filter(|(other, _)| *other != turn || *other == 0)
            {
                if other < turn {
                    wire.say(*direction, bytes);
                    late.say(*direction, bytes);
                }
            }
            // In two, the first sent again together with the second.
            wire.say(*direction, first);
            let start = wire.next[*direction].wrapping_sub(first.len() as u32);
            wire.segment(*direction, start, first, 0);
            wire.segment(*direction, start, bytes, 0);
            wire.next[*direction] = start.wrapping_add(bytes.len() as u32);
            // The second before the first; a connection must be known by then.
            let start = late.next[*direction];
            if turn < 2 {
                late.segment(*direction, start, &first[..1], 0);
            }
            late.segment(*direction, start.wrapping_add(first.len() as u32), second, 0);
            late.segment(*direction, start, first, 0);
            late.next[*direction] = start.wrapping_add(bytes.len() as u32);
            for (direction, bytes) in &turns[turn + 1..] {
                wire.say(*direction, bytes);
                late.say(*direction, bytes);
            }
            assert_eq!(wire.end(), whole, "turn {turn} cut at {at}");
            assert_eq!(late.end(), whole, "turn {turn} swapped at {at}");
        }
    }
}

/// A frame of RFC 6455 section 5.2; the client's are masked.
pub fn frame(direction: usize, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = if direction == 0 { [0x37, 0xfa, 0x21, 0x3d] } else { [0; 4] };
    let bit = if direction == 0 { 0x80 } else { 0 };
    let mut frame = match payload.len() {
        0..=125 => vec![first, bit | payload.len() as u8],
        126..=0xffff => [&[first, bit | 126][..], &(payload.len() as u16).to_be_bytes()].concat(),
        length => [&[first, bit | 127][..], &(length as u64).to_be_bytes()].concat(),
    };
    if direction == 0 {
        frame.extend(mask);
    }
    frame.extend(payload.iter().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

pub fn opened(extensions: &str) -> Turns {
    let request = b"GET /ws?room=7&token=abc HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{extensions}\r\n"
    );
    vec![(0, request.to_vec()), (1, response.into_bytes())]
}

pub fn offer() -> String {
    serde_json::json!({ "type": "offer", "sdp": SDP, "from": "alice" }).to_string()
}

pub fn answer() -> String {
    serde_json::json!({ "type": "answer", "sdp": SDP, "from": "bob" }).to_string()
}

pub fn candidate() -> String {
    serde_json::json!({ "type": "candidate",
        "candidate": { "candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "uf" } })
    .to_string()
}

/// What is found, in a few words.
pub fn words(contents: &[Content]) -> Vec<String> {
    let word = |content: &Content| match content {
        Content::Description(description) => {
            let is_ours = description.sdp.lines().eq(SDP.lines());
            assert!(description.sdp.is_empty() || is_ours, "{:?}", description.sdp);
            description.kind.map_or("description", DescriptionKind::name).to_owned()
        }
        Content::Candidate(candidate) => {
            assert_eq!(candidate.candidate, CANDIDATE);
            format!("{:?} {:?}", candidate.sdp_mid.as_deref().unwrap_or("-"), candidate.sdp_m_line_index)
        }
        Content::EndOfCandidates(_) => "end".to_owned(),
        Content::SipRequest(request) => request.method.clone(),
        Content::SipResponse(response) => response.status.to_string(),
        Content::HttpRequest(request) => format!("{} {}", request.method, request.target),
        Content::HttpResponse(response) => format!("{} {:?}", response.status, response.location),
        Content::RtspRequest(request) => request.method.clone(),
        Content::RtspResponse(response) => format!("{} {}", response.status, response.method.as_deref().unwrap_or("-")),
        Content::WebSocketOpened(opened) => format!("opened {}", opened.path),
        Content::WebSocketClosed(closed) => format!("closed {:?}", closed.code),
        Content::Tls(hello) => format!("tls {:?}", hello.server_name),
    };
    contents.iter().map(word).collect()
}

/// RFC 7692 section 7.2.1: what a message compresses to, with a flush, without its last four bytes.
pub fn deflated(compress: &mut Compress, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 1024);
    compress.compress_vec(text.as_bytes(), &mut out, FlushCompress::Sync).unwrap();
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}
