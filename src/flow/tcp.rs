//! Datagrams inside TCP: STUN and ChannelData as TURN frames them over TCP (RFC 8656 section 12.5), and STUN, DTLS, RTP
//! and RTCP behind a length (RFC 4571, ICE-TCP of RFC 6544). Reassembly is bounded, and goes on after a hole.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::{
    flow::key::FlowKey,
    time::{PacketId, Timestamp},
    wire::{TcpHeader, dtls},
};

/// Connections followed at a time.
const CONNECTIONS: usize = 65_536;

/// Segments held that came before their turn, and their bytes.
const HELD_SEGMENTS: usize = 256;
const HELD_BYTES: usize = 512 * 1024;

/// Segment starts looked at in a connection whose beginning was not captured.
const TRIES: u8 = 16;

/// Bytes looked at before a stream is given up.
const RECOGNITION_BYTES: usize = 4096;

/// ChannelData messages in a row that no other traffic begins with.
const CHANNEL_DATA_IN_A_ROW: usize = 3;

const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// TCP connections whose bytes may hold datagrams.
#[derive(Debug, Default)]
pub struct Connections {
    table: FxHashMap<FlowKey, Connection>,
    refused: u64,
}

#[derive(Debug, Default)]
struct Connection {
    sides: [Side; 2],
    framing: Framing,
    tries: u8,
}

/// How datagrams are framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Framing {
    /// Not known yet.
    #[default]
    Unknown,
    /// Two bytes of length before each (RFC 4571).
    Length,
    /// STUN messages and padded ChannelData, by their own lengths.
    Turn,
    /// None: other traffic.
    Other,
}

/// The bytes of one direction.
#[derive(Debug, Default)]
struct Side {
    next: Option<u32>,
    buffer: Vec<u8>,
    /// Which packet brought the bytes up to which place of the buffer.
    marks: Vec<(usize, Mark)>,
    held: BTreeMap<u32, Vec<u8>>,
    held_bytes: usize,
}

/// A packet and when it was captured.
pub type Mark = (Timestamp, PacketId);

/// One TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The packet that it came in.
    pub mark: Mark,
    /// The direction in its flow.
    pub direction: usize,
    /// Its header.
    pub header: TcpHeader,
    /// Its payload as captured.
    pub payload: &'a [u8],
    /// Its payload on the wire; more than `payload` where it was snapped.
    pub length: usize,
}

/// What a segment brought to light.
#[derive(Debug, Default)]
pub struct Findings {
    /// Datagrams that are whole now, each with the packet that brought its last byte: a stream is recognised by more
    /// than its first.
    pub datagrams: Vec<(Mark, Vec<u8>)>,
    /// What the connection was recognised as, when that happens.
    pub label: Option<&'static str>,
}

impl Connections {
    /// Takes the next segment.
    pub fn push(&mut self, key: FlowKey, segment: &Segment<'_>) -> Findings {
        let mut findings = Findings::default();
        let Segment { header, length, .. } = *segment;
        let syn = header.has(TcpHeader::SYN);
        if length == 0 && !syn || self.table.len() >= CONNECTIONS && !self.table.contains_key(&key) {
            self.refused += u64::from(length > 0);
            return findings;
        }
        let connection = self.table.entry(key).or_default();
        if syn && !header.has(TcpHeader::ACK) {
            *connection = Connection::default();
        }
        connection.push(segment, &mut findings);
        findings
    }

    /// Segments of connections beyond the cap.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

impl Connection {
    fn push(&mut self, segment: &Segment<'_>, findings: &mut Findings) {
        let Segment { mark, header, payload, length, .. } = *segment;
        let direction = segment.direction & 1;
        let Some(side) = self.sides.get_mut(direction) else { return };
        if header.has(TcpHeader::SYN) {
            side.next = Some(header.sequence.wrapping_add(1));
            return;
        }
        if self.framing == Framing::Other || length == 0 {
            return;
        }
        let whole = payload.len() == length;
        side.accept(header.sequence, payload, length, mark);
        loop {
            if self.framing == Framing::Unknown {
                self.recognise(direction, findings);
            }
            let Some(side) = self.sides.get_mut(direction) else { return };
            let before = findings.datagrams.len();
            side.take_datagrams(self.framing, findings);
            if findings.datagrams.len() == before && !side.next_held(mark) {
                break;
            }
        }
        if !whole && let Some(side) = self.sides.get_mut(direction) {
            side.clear();
        }
    }

    fn recognise(&mut self, direction: usize, findings: &mut Findings) {
        let Some(side) = self.sides.get_mut(direction) else { return };
        match recognise(&side.buffer) {
            Recognition::Framing(framing, label) => {
                self.framing = framing;
                findings.label = Some(label);
            }
            Recognition::Unclear if side.buffer.len() < RECOGNITION_BYTES => return,
            Recognition::Unclear | Recognition::Nothing => {
                side.clear();
                self.tries += 1;
                if self.tries >= TRIES {
                    self.framing = Framing::Other;
                }
            }
        }
        if self.framing == Framing::Other {
            self.sides.iter_mut().for_each(Side::forget);
        }
    }
}

impl Side {
    /// Puts a segment where it belongs: behind the bytes before it, or aside until those come.
    fn accept(&mut self, sequence: u32, payload: &[u8], length: usize, mark: Mark) {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next) as i32;
        if ahead > 0 {
            self.hold(sequence, payload);
            return;
        }
        let known = ahead.unsigned_abs() as usize;
        if known >= length {
            return;
        }
        self.buffer.extend_from_slice(payload.get(known..).unwrap_or_default());
        self.marks.push((self.buffer.len(), mark));
        self.next = Some(sequence.wrapping_add(length as u32));
    }

    fn hold(&mut self, sequence: u32, payload: &[u8]) {
        self.held_bytes += payload.len();
        if let Some(replaced) = self.held.insert(sequence, payload.to_vec()) {
            self.held_bytes -= replaced.len();
        }
        if self.held.len() > HELD_SEGMENTS || self.held_bytes > HELD_BYTES {
            // The missing bytes will not come: go on behind the hole, at the start of a segment.
            self.clear();
            self.next = self.nearest();
        }
    }

    /// The held segment that is next in sequence space.
    fn nearest(&self) -> Option<u32> {
        let next = self.next?;
        let ahead = self.held.range(next..).next().or_else(|| self.held.first_key_value());
        ahead.map(|(sequence, _)| *sequence)
    }

    /// Moves a held segment whose turn has come into the buffer.
    fn next_held(&mut self, mark: Mark) -> bool {
        let (Some(next), Some(nearest)) = (self.next, self.nearest()) else { return false };
        if nearest.wrapping_sub(next) as i32 > 0 {
            return false;
        }
        let Some(payload) = self.held.remove(&nearest) else { return false };
        self.held_bytes -= payload.len();
        self.accept(nearest, &payload, payload.len(), mark);
        true
    }

    fn take_datagrams(&mut self, framing: Framing, findings: &mut Findings) {
        let mut taken = 0;
        while let Some(frame) = next_frame(framing, self.buffer.get(taken..).unwrap_or_default()) {
            let bytes = self.buffer.get(taken + frame.skip..taken + frame.skip + frame.length);
            let end = taken + frame.total;
            let mark = self.marks.iter().find(|(up_to, _)| *up_to >= end).or(self.marks.last()).map(|(_, mark)| *mark);
            findings.datagrams.extend(mark.zip(bytes.map(<[u8]>::to_vec)));
            taken = end;
        }
        if framing != Framing::Unknown {
            self.drain(taken);
        }
        if framing != Framing::Unknown && !may_continue(framing, &self.buffer) {
            self.clear();
        }
    }

    /// Drops the bytes that were taken.
    fn drain(&mut self, taken: usize) {
        self.buffer.drain(..taken.min(self.buffer.len()));
        self.marks.retain(|(up_to, _)| *up_to > taken);
        self.marks.iter_mut().for_each(|(up_to, _)| *up_to -= taken);
    }

    fn clear(&mut self) {
        self.buffer.clear();
        self.marks.clear();
    }

    fn forget(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }
}

/// A whole frame at the start of a buffer.
struct Frame {
    /// Bytes before the datagram.
    skip: usize,
    /// Bytes of the datagram.
    length: usize,
    /// Bytes of the frame, padding included.
    total: usize,
}

fn next_frame(framing: Framing, buffer: &[u8]) -> Option<Frame> {
    let frame = match framing {
        Framing::Length => {
            let length = usize::from(u16::from_be_bytes(*buffer.first_chunk()?));
            Frame { skip: 2, length, total: 2 + length }
        }
        Framing::Turn => {
            let &[first, second, high, low] = buffer.first_chunk()?;
            let length = usize::from(u16::from_be_bytes([high, low]));
            match u16::from_be_bytes([first, second]) {
                0..=0x3fff => Frame { skip: 0, length: 20 + length, total: 20 + length },
                0x4000..=0x7fff => Frame { skip: 0, length: 4 + length, total: 4 + length.next_multiple_of(4) },
                _ => return None,
            }
        }
        Framing::Unknown | Framing::Other => return None,
    };
    (frame.total <= buffer.len()).then_some(frame)
}

/// Whether the bytes that are left can still become a frame; after a hole they may be anything.
fn may_continue(framing: Framing, buffer: &[u8]) -> bool {
    match (framing, buffer) {
        (Framing::Turn, [first, ..]) => *first < 0x80,
        (Framing::Length, [_, _, first, ..]) => matches!(first, 0..=3 | 16..=63 | 128..=191),
        _ => true,
    }
}

enum Recognition {
    Framing(Framing, &'static str),
    /// More bytes are needed.
    Unclear,
    Nothing,
}

fn recognise(buffer: &[u8]) -> Recognition {
    if let Some(label) = other_protocol(buffer) {
        return Recognition::Framing(Framing::Other, label);
    }
    match buffer {
        [0..=3, _, _, low, cookie @ ..] if low % 4 == 0 && cookie.starts_with(&MAGIC_COOKIE) => {
            Recognition::Framing(Framing::Turn, "stun")
        }
        [0x40..=0x4f, ..] => channel_data(buffer),
        [high, low, frame @ ..] => behind_length(usize::from(u16::from_be_bytes([*high, *low])), frame),
        _ => Recognition::Unclear,
    }
}

/// A connection to a TURN server whose beginning was not captured. ChannelData has no magic: messages in a row must be of
/// one channel and hold what media paths carry, with STUN messages between them or not.
fn channel_data(mut buffer: &[u8]) -> Recognition {
    let channel = buffer.first_chunk::<2>().copied();
    let mut found = 0;
    while found < CHANNEL_DATA_IN_A_ROW {
        let Some(&[first, second, high, low, start @ ..]) = buffer.first_chunk::<8>() else {
            return Recognition::Unclear;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let is_media = matches!(start, [0..=3 | 20..=63 | 128..=191, ..]) && (8..=2048).contains(&length);
        let is_data = Some([first, second]) == channel && is_media;
        if !is_data && (first > 3 || start != MAGIC_COOKIE) {
            return Recognition::Nothing;
        }
        let Some(frame) = next_frame(Framing::Turn, buffer) else { return Recognition::Unclear };
        found += usize::from(is_data);
        buffer = buffer.get(frame.total..).unwrap_or_default();
    }
    Recognition::Framing(Framing::Turn, "turn")
}

/// Whether `frame` is what RFC 4571 puts behind a length.
fn behind_length(length: usize, frame: &[u8]) -> Recognition {
    let found = |label| Recognition::Framing(Framing::Length, label);
    match frame {
        [0..=3, _, high, low, cookie @ ..] if cookie.starts_with(&MAGIC_COOKIE) => {
            let exact = usize::from(u16::from_be_bytes([*high, *low])) + 20 == length;
            if exact { found("ice-tcp") } else { Recognition::Nothing }
        }
        [20..=25, 0xfe, ..] => match frame.get(..length) {
            Some(datagram) if dtls::looks_like_dtls(datagram, length) => found("dtls"),
            Some(_) => Recognition::Nothing,
            None => Recognition::Unclear,
        },
        [128..=191, ..] if (8..=2048).contains(&length) => two_rtp_frames(length, frame),
        [] => Recognition::Unclear,
        [0..=3, ..] if frame.len() < 8 => Recognition::Unclear,
        _ => Recognition::Nothing,
    }
}

/// RTP has no magic: two frames in a row must be RTP or RTCP, of one sender.
fn two_rtp_frames(length: usize, frame: &[u8]) -> Recognition {
    let Some((first, rest)) = frame.split_at_checked(length) else { return Recognition::Unclear };
    let Some((&[high, low], second)) = rest.split_first_chunk() else { return Recognition::Unclear };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let Some(second) = second.get(..length) else {
        return if length <= 2048 { Recognition::Unclear } else { Recognition::Nothing };
    };
    match (sender(first), sender(second)) {
        (Some(one), Some(other)) if one == other => Recognition::Framing(Framing::Length, "rtp"),
        _ => Recognition::Nothing,
    }
}

/// The SSRC of an RTP or RTCP packet's sender.
fn sender(packet: &[u8]) -> Option<[u8; 4]> {
    match packet {
        [128..=191, 192..=223, _, _, ssrc @ ..] | [128..=191, _, _, _, _, _, _, _, ssrc @ ..] => {
            ssrc.first_chunk::<4>().copied()
        }
        _ => None,
    }
}

/// Protocols that are named and left alone.
fn other_protocol(buffer: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 17] = [
        (b"GET ", "http"),
        (b"POST ", "http"),
        (b"PUT ", "http"),
        (b"HEAD ", "http"),
        (b"PATCH ", "http"),
        (b"DELETE ", "http"),
        (b"CONNECT ", "http"),
        (b"HTTP/1.", "http"),
        (b"PRI * HTTP/2", "http"),
        (b"SSH-", "ssh"),
        (b"SIP/2.0", "sip"),
        (b"INVITE sip", "sip"),
        (b"REGISTER sip", "sip"),
        (b"OPTIONS sip", "sip"),
        (b"OPTIONS rtsp", "rtsp"),
        (b"DESCRIBE rtsp", "rtsp"),
        (b"RTSP/1.0", "rtsp"),
    ];
    if matches!(buffer, [20..=23, 3, 0..=4, _, _, ..]) {
        return Some("tls");
    }
    STARTS.into_iter().find(|(start, _)| buffer.starts_with(start)).map(|(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{flow::key::Transport, wire::Endpoint};

    fn key() -> FlowKey {
        FlowKey::new(Endpoint::v4([10, 0, 0, 1], 9), Endpoint::v4([10, 0, 0, 2], 9), Transport::Tcp).0
    }

    fn segment(connections: &mut Connections, sequence: u32, payload: &[u8]) -> Vec<Vec<u8>> {
        let header = TcpHeader { sequence, acknowledgment: 0, flags: TcpHeader::ACK, window: 0 };
        let mark = (Timestamp(0), PacketId::new(0, 1));
        let segment = Segment { mark, direction: 0, header, payload, length: payload.len() };
        connections.push(key(), &segment).datagrams.into_iter().map(|(_, datagram)| datagram).collect()
    }

    fn rtp(sequence: u8) -> Vec<u8> {
        let mut frame = vec![0, 16, 0x80, 0, 0, sequence, 0, 0, 0, sequence, 1, 2, 3, 4];
        frame.extend([sequence; 4]);
        frame
    }

    #[test]
    fn rtp_behind_lengths_in_any_segments() {
        let stream: Vec<u8> = (0..20).flat_map(rtp).collect();
        for size in [1, 3, 7, 18, 100, 360] {
            let mut connections = Connections::default();
            let found: Vec<_> = stream
                .chunks(size)
                .enumerate()
                .flat_map(|(index, chunk)| segment(&mut connections, (index * size) as u32, chunk))
                .collect();
            assert_eq!(found.len(), 20, "segments of {size}");
            assert!(found.iter().enumerate().all(|(index, packet)| packet[3] == index as u8));
        }
    }

    #[test]
    fn retransmitted_and_reordered_segments() {
        let stream: Vec<u8> = (0..20).flat_map(rtp).collect();
        let mut connections = Connections::default();
        let mut found = Vec::new();
        // A segment twice, two swapped, one that overlaps the one before.
        for (from, to) in [(0, 50), (0, 50), (100, 150), (50, 100), (140, 200), (200, 360)] {
            found.extend(segment(&mut connections, (u32::MAX - 120).wrapping_add(from), &stream[from as usize..to]));
        }
        assert_eq!(found.len(), 20);
    }

    /// ChannelData of `length` bytes that start as RTP does, padded to four.
    fn channel_data(number: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0x40, number, 0, length, 0x80];
        frame.resize(4 + usize::from(length).next_multiple_of(4), 7);
        frame
    }

    #[test]
    fn a_turn_connection_in_its_middle() {
        let stun = [&[1, 1, 0, 0][..], &MAGIC_COOKIE, &[9; 12]].concat();
        let mut stream = [channel_data(3, 30), channel_data(3, 33), stun].concat();
        stream.extend((0..17).flat_map(|_| channel_data(3, 50)));
        for size in [1, 7, 34, 100, stream.len()] {
            let mut connections = Connections::default();
            let found: Vec<_> = stream
                .chunks(size)
                .enumerate()
                .flat_map(|(index, chunk)| segment(&mut connections, (index * size) as u32, chunk))
                .collect();
            assert_eq!(found.len(), 20, "segments of {size}");
            // Without the padding, and of its own length.
            assert_eq!((found[0].len(), found[1].len(), found[2].len()), (34, 37, 20));
        }
    }

    #[test]
    fn what_begins_as_channel_data_is_none() {
        // Text that starts with @, another channel each time, data that is no media, a row that is too short.
        let text = b"@@@@ a dump of something @@@@ and so on".repeat(20);
        let channels = (0..20).flat_map(|number| channel_data(number, 40)).collect();
        let mut other = channel_data(3, 40);
        other[4] = 0x45;
        let short = [channel_data(3, 40), channel_data(3, 40), vec![0x17; 200]].concat();
        for stream in [text, channels, other.repeat(20), short] {
            let mut connections = Connections::default();
            assert!(segment(&mut connections, 1, &stream).is_empty());
        }
    }

    #[test]
    fn tls_is_left_alone() {
        let mut connections = Connections::default();
        let header = TcpHeader { sequence: 1, acknowledgment: 0, flags: TcpHeader::ACK, window: 0 };
        let mark = (Timestamp(0), PacketId::new(0, 1));
        let segment = Segment { mark, direction: 0, header, payload: &[22, 3, 1, 2, 0, 1, 0], length: 7 };
        let findings = connections.push(key(), &segment);
        assert_eq!((findings.label, findings.datagrams.len()), (Some("tls"), 0));
    }
}
