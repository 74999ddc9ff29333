//! Datagrams inside TCP: STUN and ChannelData as TURN frames them over TCP (RFC 8656 section 12.5), and STUN, DTLS, RTP
//! and RTCP behind a length (RFC 4571, ICE-TCP of RFC 6544). Reassembly is bounded, and goes on behind bytes that the
//! capture does not have: TCP delivered them, so that they are missing from what can be told, and are no loss.

mod frames;
mod framing;
mod order;

use rustc_hash::FxHashMap;

use self::{
    frames::{Frames, Piece},
    framing::{Framing, RECOGNITION_BYTES, Recognition, recognise},
    order::{Order, Released, Turn},
};
use crate::{
    flow::key::FlowKey,
    time::{PacketId, Timestamp},
    wire::TcpHeader,
};

pub use self::frames::Message;

/// Connections followed at a time.
const CONNECTIONS: usize = 65_536;

/// Bytes that all connections hold together, of segments before their turn and of frames that go on.
const HELD_BYTES: usize = 64 << 20;

/// Segment starts looked at in a connection whose beginning was not captured.
const TRIES: u8 = 16;

/// TCP connections whose bytes may hold datagrams.
#[derive(Debug, Default)]
pub struct Connections {
    table: FxHashMap<FlowKey, Connection>,
    refused: u64,
    held_bytes: usize,
    uncaptured: Uncaptured,
}

/// Bytes of connections with datagrams that the capture does not have, though they were delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncaptured {
    /// Places where segments are missing.
    pub holes: u64,
    /// The bytes of these segments.
    pub bytes: u64,
    /// The packet behind the first of these places.
    pub first_hole: Option<PacketId>,
    /// Places where the snap length cut off the start of a datagram.
    pub cuts: u64,
    /// The first packet that it cut there.
    pub first_cut: Option<PacketId>,
}

#[derive(Debug, Default)]
struct Connection {
    sides: [Side; 2],
    framing: Framing,
    tries: u8,
}

/// The bytes of one direction.
#[derive(Debug, Default)]
struct Side {
    order: Order,
    frames: Frames,
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
    /// Datagrams that ended: a stream is recognised by more than its first, and what an acknowledgment shows to be
    /// delivered is waited for no longer.
    pub datagrams: Vec<Message>,
    /// What the connection was recognised as, when that happens.
    pub label: Option<&'static str>,
    uncaptured: Uncaptured,
}

impl Uncaptured {
    const fn count_hole(&mut self, bytes: usize, behind: PacketId) {
        self.holes += 1;
        self.bytes += bytes as u64;
        if self.first_hole.is_none() {
            self.first_hole = Some(behind);
        }
    }

    const fn count_cut(&mut self, at: PacketId) {
        self.cuts += 1;
        if self.first_cut.is_none() {
            self.first_cut = Some(at);
        }
    }

    fn add(&mut self, next: Self) {
        self.holes += next.holes;
        self.bytes += next.bytes;
        self.cuts += next.cuts;
        self.first_hole = self.first_hole.or(next.first_hole);
        self.first_cut = self.first_cut.or(next.first_cut);
    }
}

impl Connections {
    /// Takes the next segment.
    pub fn push(&mut self, key: FlowKey, segment: &Segment<'_>) -> Findings {
        let mut findings = Findings::default();
        let Segment { header, length, .. } = *segment;
        let syn = header.has(TcpHeader::SYN);
        let is_known = self.table.contains_key(&key);
        if !is_known && (length == 0 && !syn || self.table.len() >= CONNECTIONS) {
            self.refused += u64::from(length > 0);
            return findings;
        }
        let connection = self.table.entry(key).or_default();
        let held_before = connection.held_bytes();
        if syn && !header.has(TcpHeader::ACK) {
            *connection = Connection::default();
        }
        connection.push(segment, &mut findings);
        self.uncaptured.add(findings.uncaptured);
        self.held_bytes -= held_before;
        if self.held_bytes + connection.held_bytes() > HELD_BYTES {
            connection.let_go();
        }
        self.held_bytes += connection.held_bytes();
        findings
    }

    /// Segments of connections beyond the cap.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// What the capture does not have of connections with datagrams.
    #[must_use]
    pub const fn uncaptured(&self) -> Uncaptured {
        self.uncaptured
    }
}

impl Connection {
    fn push(&mut self, segment: &Segment<'_>, findings: &mut Findings) {
        let Segment { mark, header, length, .. } = *segment;
        let direction = segment.direction & 1;
        if self.framing == Framing::Other {
            return;
        }
        if header.has(TcpHeader::ACK)
            && let Some(acknowledged) = self.sides.get_mut(direction ^ 1)
        {
            // What was delivered and is not captured will not come.
            acknowledged.order.acknowledge(header.acknowledgment);
            self.release(direction ^ 1, mark, None, findings);
        }
        if header.has(TcpHeader::SYN) {
            if let Some(side) = self.sides.get_mut(direction) {
                side.order.start(header.sequence.wrapping_add(1));
            }
        } else if length > 0 {
            self.push_bytes(direction, segment, findings);
        }
    }

    fn push_bytes(&mut self, direction: usize, segment: &Segment<'_>, findings: &mut Findings) {
        let Some(side) = self.sides.get_mut(direction) else { return };
        let known = match side.order.turn(segment.header.sequence, segment.length) {
            Turn::Over => return,
            Turn::Later => {
                side.order.hold(segment);
                return self.release(direction, segment.mark, None, findings);
            }
            Turn::Now(known) => known,
            Turn::Elsewhere => {
                side.frames.lose(self.framing);
                0
            }
        };
        let bytes = segment.payload.get(known..).unwrap_or_default();
        self.read(&Piece { bytes, length: segment.length - known, mark: segment.mark, direction }, findings);
        self.release(direction, segment.mark, Some(segment.mark), findings);
    }

    /// Reads the segments whose turn has come. No receiver has those behind a segment that was late, `filled`, before
    /// that; those behind one that was not captured came each at its own time.
    fn release(&mut self, direction: usize, now: Mark, mut filled: Option<Mark>, findings: &mut Findings) {
        while let Some(side) = self.sides.get_mut(direction)
            && let Some(Released { known, missing, held }) = side.order.release(now)
        {
            filled = filled.filter(|_| missing == 0);
            let bytes = held.bytes.get(known..).unwrap_or_default();
            let mark = filled.unwrap_or(held.mark);
            let piece = Piece { bytes, length: held.length - known, mark, direction };
            if missing > 0 {
                side.frames.skip(self.framing, missing, &piece, &mut findings.datagrams);
                if self.framing != Framing::Unknown {
                    findings.uncaptured.count_hole(missing, held.mark.1);
                }
            }
            self.read(&piece, findings);
        }
    }

    fn read(&mut self, piece: &Piece<'_>, findings: &mut Findings) {
        let Some(side) = self.sides.get_mut(piece.direction) else { return };
        let cut = piece.length.saturating_sub(piece.bytes.len());
        let holes = side.frames.holes();
        side.frames.push(self.framing, piece, &mut findings.datagrams);
        if self.framing == Framing::Unknown {
            self.recognise(piece.direction, findings);
        }
        let Some(side) = self.sides.get_mut(piece.direction) else { return };
        side.frames.take(self.framing, piece.direction, &mut findings.datagrams);
        side.frames.skip(self.framing, cut, piece, &mut findings.datagrams);
        if cut > 0 && self.framing != Framing::Unknown && side.frames.holes() != holes {
            findings.uncaptured.count_cut(piece.mark.1);
        }
    }

    fn recognise(&mut self, direction: usize, findings: &mut Findings) {
        let Some(side) = self.sides.get_mut(direction) else { return };
        match recognise(side.frames.bytes()) {
            Recognition::Framing(framing, label) => {
                self.framing = framing;
                findings.label = Some(label);
            }
            Recognition::Unclear if side.frames.bytes().len() < RECOGNITION_BYTES => return,
            Recognition::Unclear | Recognition::Nothing => {
                side.frames.clear();
                self.tries += 1;
                if self.tries >= TRIES {
                    self.framing = Framing::Other;
                }
            }
        }
        if self.framing == Framing::Other {
            self.sides = <[Side; 2]>::default();
        }
    }

    /// Bytes that wait for others.
    fn held_bytes(&self) -> usize {
        self.sides.iter().map(|side| side.order.held_bytes() + side.frames.bytes().len()).sum()
    }

    /// Drops what waits: there is no memory for it.
    fn let_go(&mut self) {
        for side in &mut self.sides {
            side.order.let_go();
            side.frames.lose(self.framing);
        }
    }
}

#[cfg(test)]
mod tests;
