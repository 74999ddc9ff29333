//! RTP streams: what their packets look like, and the truth of what was captured of them.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::random::Random;

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Audio,
    Video,
    /// Retransmissions of the video (RFC 4588).
    Retransmission,
}

/// A stream at its sender.
#[derive(Clone, Debug)]
pub struct Sender {
    pub ssrc: u32,
    /// The next packet's number, extended by the count of wraps.
    pub sequence: u64,
    pub timestamp: u32,
}

impl Sender {
    pub fn new(random: &mut Random) -> Self {
        let numbers = random.next();
        Self { ssrc: numbers as u32 | 1, sequence: 1 << 16 | numbers >> 48, timestamp: (numbers >> 20) as u32 }
    }

    pub const fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

/// One packet on its way.
#[derive(Clone, Copy, Debug)]
pub struct Rtp {
    pub media: Media,
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    /// Payload bytes, the authentication tag included.
    pub length: u16,
    /// abs-send-time: 6.18 fixed point seconds.
    pub send_time: u32,
    pub transport_sequence: u16,
    /// The network delivers this packet a second time.
    pub again: bool,
}

/// Bytes of the fixed header and the extension.
const HEADER: usize = 12 + 4 + 12;

impl Rtp {
    /// Bytes of the packet.
    pub const fn size(&self) -> usize {
        HEADER + self.length as usize
    }

    /// Appends the packet; its payload is taken from `noise`.
    pub fn write(&self, frame: &mut Vec<u8>, ssrc: u32, noise: &[u8]) {
        let (payload_type, mid) = match self.media {
            Media::Audio => (111, b'0'),
            Media::Video => (96, b'1'),
            Media::Retransmission => (97, b'1'),
        };
        let [q0, q1] = (self.sequence as u16).to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [i0, i1, i2, i3] = ssrc.to_be_bytes();
        let [_, a0, a1, a2] = self.send_time.to_be_bytes();
        let [w0, w1] = self.transport_sequence.to_be_bytes();
        // One-byte elements (RFC 8285): abs-send-time, transport-wide sequence number, mid, and for audio its level.
        let (last, level) = if self.media == Media::Audio { (0x10, 0xb2) } else { (0, 0) };
        frame.extend_from_slice(&[
            0x90,
            u8::from(self.marker) << 7 | payload_type,
            q0,
            q1,
            t0,
            t1,
            t2,
            t3,
            i0,
            i1,
            i2,
            i3,
            0xbe,
            0xde,
            0,
            3,
            0x22,
            a0,
            a1,
            a2,
            0x31,
            w0,
            w1,
            0x40,
            mid,
            last,
            level,
            0,
        ]);
        let start = usize::from(self.transport_sequence) * 7 % 0x8000;
        frame.extend_from_slice(&noise[start..start + usize::from(self.length)]);
    }
}

/// What was captured of one stream: what an analysis must find.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Truth {
    pub ssrc: u32,
    pub source: String,
    pub destination: String,
    pub packets: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    #[serde(skip)]
    range: Option<(u64, u64)>,
}

impl Truth {
    /// Of a stream of which nothing was captured yet.
    pub fn new(ssrc: u32, source: SocketAddrV4, destination: SocketAddrV4) -> Self {
        Self { ssrc, source: source.to_string(), destination: destination.to_string(), ..Self::default() }
    }

    /// Counts a packet as it is captured.
    pub fn record(&mut self, sequence: u64, again: bool) {
        self.packets += 1;
        self.duplicated += u64::from(again);
        let (lowest, highest) = self.range.unwrap_or((sequence, sequence));
        self.reordered += u64::from(!again && sequence < highest);
        let (lowest, highest) = (lowest.min(sequence), highest.max(sequence));
        self.range = Some((lowest, highest));
        self.lost = highest - lowest + 1 - (self.packets - self.duplicated);
    }
}
