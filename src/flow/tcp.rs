//! Datagrams inside TCP: STUN and ChannelData as TURN frames them over TCP (RFC 8656 section 12.5), and STUN, DTLS, RTP
//! and RTCP behind a length (RFC 4571, ICE-TCP of RFC 6544). Reassembly is bounded, and goes on behind bytes that the
//! capture does not have: TCP delivered them, so that they are missing from what can be told, and are no loss.
//! Connections that carry signalling are handed to [`signalling`](crate::flow::signalling) in the order of their bytes.

mod frames;
mod framing;
mod order;
mod table;

use self::{
    frames::{Frames, Piece},
    framing::{Framing, RECOGNITION_BYTES, Recognition, recognise},
    order::{Order, Released, Turn},
    table::{Table, Worth},
};
use crate::{
    flow::{
        key::FlowKey,
        signalling::{Missing, Out, Recognition as Speech, Resources, Signal, Talk},
    },
    time::{PacketId, Timestamp},
    wire::TcpHeader,
};

pub use self::frames::Message;

/// Bytes that all connections hold together, of segments before their turn and of frames that go on.
const HELD_BYTES: usize = 64 << 20;

/// Segment starts looked at in a connection whose beginning was not captured.
const TRIES: u8 = 16;

/// TCP connections whose bytes may hold datagrams.
#[derive(Debug, Default)]
pub struct Connections {
    table: Table,
    refused: u64,
    held_bytes: usize,
    uncaptured: Uncaptured,
    missing: Missing,
    resources: Resources,
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
    /// Signalling, where the connection carries that.
    talk: Option<Talk>,
    /// The sequence number behind the last byte of each direction.
    ends: [Option<u32>; 2],
    is_reset: bool,
    has_bytes: bool,
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
    /// What was signalled.
    pub signals: Vec<Signal>,
    uncaptured: Uncaptured,
    out: Out,
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
        let known = self.table.find(&key);
        if known.is_none() && length == 0 && !syn {
            return findings;
        }
        let Some(index) = known.or_else(|| self.insert(key, segment.mark)) else {
            self.refused += u64::from(length > 0);
            return findings;
        };
        if syn && !header.has(TcpHeader::ACK) && known.is_some() {
            // The addresses and ports are used again, or the SYN was sent again.
            self.finish(index, &mut findings);
            self.held_bytes -= self.table.renew(index).held_bytes();
        }
        let Some(slot) = self.table.get_mut(index) else { return findings };
        slot.last = segment.mark;
        let held_before = slot.connection.held_bytes();
        std::mem::swap(&mut self.resources, &mut findings.out.resources);
        slot.connection.push(segment, &mut findings);
        std::mem::swap(&mut self.resources, &mut findings.out.resources);
        self.held_bytes -= held_before;
        if self.held_bytes + slot.connection.held_bytes() > HELD_BYTES {
            slot.connection.let_go();
        }
        self.held_bytes += slot.connection.held_bytes();
        let number = slot.number;
        self.uncaptured.add(findings.uncaptured);
        self.settle(key, number, &mut findings);
        findings
    }

    /// Takes the end of the capture: what lasted until then has ended.
    pub fn end(&mut self) -> Vec<Signal> {
        let mut findings = Findings::default();
        for index in 0..self.table.len() {
            self.finish(index, &mut findings);
        }
        findings.signals
    }

    /// Bytes that all connections hold together.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// What is missing of signalling.
    #[must_use]
    pub const fn missing(&self) -> Missing {
        self.missing
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

    fn insert(&mut self, key: FlowKey, mark: Mark) -> Option<usize> {
        let (index, replaced) = self.table.insert(key, mark)?;
        self.held_bytes -= replaced.map_or(0, |slot| slot.connection.held_bytes());
        Some(index)
    }

    /// Ends a connection: a body that lasts until then is whole.
    fn finish(&mut self, index: usize, findings: &mut Findings) {
        let Some(slot) = self.table.get_mut(index) else { return };
        let (key, number, held_before) = (slot.key, slot.number, slot.connection.held_bytes());
        if let Some(talk) = &mut slot.connection.talk {
            std::mem::swap(&mut self.resources, &mut findings.out.resources);
            for direction in 0..2 {
                talk.end(slot.last, direction, &mut findings.out);
            }
            std::mem::swap(&mut self.resources, &mut findings.out.resources);
        }
        self.held_bytes = self.held_bytes - held_before + slot.connection.held_bytes();
        self.settle(key, number, findings);
    }

    /// Tells what a connection said as that of its key.
    fn settle(&mut self, key: FlowKey, number: u32, findings: &mut Findings) {
        let out = &mut findings.out;
        self.missing.add(std::mem::take(&mut out.missing));
        findings.datagrams.append(&mut out.datagrams);
        findings.label = out.label.take().or(findings.label);
        findings.signals.extend(out.signals(key, number));
    }
}

impl Connection {
    fn push(&mut self, segment: &Segment<'_>, findings: &mut Findings) {
        let Segment { mark, header, length, .. } = *segment;
        let direction = segment.direction & 1;
        self.has_bytes |= length > 0;
        self.is_reset |= header.has(TcpHeader::RST);
        if header.has(TcpHeader::FIN)
            && let Some(end) = self.ends.get_mut(direction)
        {
            *end = Some(header.sequence.wrapping_add(length as u32));
        }
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
        self.end_talk(mark, findings);
    }

    /// Tells signalling that all of a direction has come, and ends what is not followed further.
    fn end_talk(&mut self, mark: Mark, findings: &mut Findings) {
        let Some(talk) = &mut self.talk else { return };
        for (direction, (end, side)) in self.ends.iter().zip(&self.sides).enumerate() {
            if self.is_reset || end.is_some_and(|end| side.order.is_at(end)) {
                talk.end(mark, direction, &mut findings.out);
            }
        }
        if findings.out.is_over {
            self.framing = Framing::Other;
            self.talk = None;
            self.sides = <[Side; 2]>::default();
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
                if let Some(talk) = &mut self.talk {
                    talk.let_go();
                }
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
            if missing > 0
                && let Some(talk) = &mut self.talk
            {
                talk.skip(missing, held.mark, direction, &mut findings.out);
            } else if missing > 0 {
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
        if let Some(talk) = &mut self.talk {
            return say(talk, piece, cut, &mut findings.out);
        }
        let holes = side.frames.holes();
        side.frames.push(self.framing, piece, &mut findings.datagrams);
        if self.framing == Framing::Unknown {
            self.recognise(piece.direction, findings);
            if let Some(talk) = self.talk.as_mut().filter(|_| cut > 0) {
                return talk.skip(cut, piece.mark, piece.direction, &mut findings.out);
            }
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
        let is_long = side.frames.bytes().len() >= RECOGNITION_BYTES;
        match Talk::recognise(side.frames.bytes()) {
            Speech::Talk(talk, label) => return self.begin_talk(talk, label, direction, findings),
            Speech::Unclear if !is_long => return,
            Speech::Other(label) => {
                self.framing = Framing::Other;
                findings.label = Some(label);
                self.sides = <[Side; 2]>::default();
                return;
            }
            Speech::Unclear | Speech::Nothing => {}
        }
        match recognise(side.frames.bytes()) {
            Recognition::Framing(framing, label) => {
                self.framing = framing;
                findings.label = Some(label);
            }
            Recognition::Unclear if !is_long => return,
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

    /// Follows a connection as signalling: from the bytes on that are here, those of who was recognised first.
    fn begin_talk(&mut self, mut talk: Talk, label: &'static str, direction: usize, findings: &mut Findings) {
        findings.label = Some(label);
        for direction in [direction, direction ^ 1] {
            let pieces = self.sides.get_mut(direction).map(|side| side.frames.take_pieces()).unwrap_or_default();
            for (mark, bytes) in pieces {
                talk.push(&bytes, mark, direction, &mut findings.out);
            }
        }
        self.talk = Some(talk);
    }

    /// What is lost where it makes room.
    fn worth(&self) -> Worth {
        let is_closed = self.is_reset || self.ends.iter().all(Option::is_some);
        match self.framing {
            _ if is_closed || !self.has_bytes => Worth::Nothing,
            Framing::Other => Worth::Label,
            Framing::Unknown if self.talk.is_none() => Worth::Label,
            _ => Worth::Content,
        }
    }

    /// Bytes that wait for others.
    fn held_bytes(&self) -> usize {
        let sides = self.sides.iter().map(|side| side.order.held_bytes() + side.frames.bytes().len());
        sides.sum::<usize>() + self.talk.as_ref().map_or(0, Talk::held_bytes)
    }

    /// Drops what waits: there is no memory for it.
    fn let_go(&mut self) {
        for side in &mut self.sides {
            side.order.let_go();
            side.frames.lose(self.framing);
        }
        if let Some(talk) = &mut self.talk {
            talk.let_go();
        }
    }
}

/// Hands a piece to signalling, and that its end was cut off.
fn say(talk: &mut Talk, piece: &Piece<'_>, cut: usize, out: &mut Out) {
    talk.push(piece.bytes, piece.mark, piece.direction, out);
    if cut > 0 {
        talk.skip(cut, piece.mark, piece.direction, out);
    }
}

#[cfg(test)]
mod tests;
