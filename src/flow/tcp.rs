//! Datagrams inside TCP: STUN and ChannelData as TURN frames them over TCP (RFC 8656 section 12.5), and STUN, DTLS, RTP
//! and RTCP behind a length (RFC 4571, ICE-TCP of RFC 6544). Reassembly is bounded, and goes on behind bytes that the
//! capture does not have: TCP delivered them, so that they are missing from what can be told, and are no loss.
//! Connections that carry signalling are handed to [`signalling`](crate::flow::signalling) in the order of their bytes.
//! TLS is opened where the key log has its secrets, and read as what comes in clear.

mod contents;
mod frames;
mod framing;
mod order;
mod table;
mod tls;

use self::{
    contents::{Contents, Gap},
    frames::Piece,
    order::{Order, Released, Turn},
    table::{Table, Worth},
};
use crate::{
    crypto::keylog::KeyLog,
    flow::{
        key::FlowKey,
        signalling::{Missing, Out, Resources, Signal},
    },
    time::{PacketId, Timestamp},
    wire::TcpHeader,
};

pub use self::{
    frames::Message,
    tls::{Reason, TlsConnections, Unopened},
};

/// Bytes that all connections hold together, of segments before their turn and of frames that go on.
const HELD_BYTES: usize = 64 << 20;

/// TCP connections whose bytes may hold datagrams.
#[derive(Debug, Default)]
pub struct Connections {
    table: Table,
    refused: u64,
    held_bytes: usize,
    uncaptured: Uncaptured,
    missing: Missing,
    resources: Resources,
    tls: TlsConnections,
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
    /// The order of each direction.
    orders: [Order; 2],
    contents: Contents,
    /// The sequence number behind the last byte of each direction.
    ends: [Option<u32>; 2],
    is_reset: bool,
    has_bytes: bool,
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
    /// Whether TLS was opened for the first time, and why it was not, when that is known.
    is_opened: bool,
    unopened: Option<Reason>,
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
        self.push_keyed(key, segment, None)
    }

    /// Takes the next segment, where there is a key log, with which TLS is opened.
    pub fn push_keyed(&mut self, key: FlowKey, segment: &Segment<'_>, keys: Option<&KeyLog>) -> Findings {
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
        slot.connection.push(segment, keys, &mut findings);
        std::mem::swap(&mut self.resources, &mut findings.out.resources);
        self.held_bytes -= held_before;
        if self.held_bytes + slot.connection.held_bytes() > HELD_BYTES {
            slot.connection.let_go();
        }
        self.held_bytes += slot.connection.held_bytes();
        let number = slot.number;
        self.uncaptured.add(findings.uncaptured);
        self.settle(key, number, segment.mark, &mut findings);
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

    /// Which connections of TLS the key log opened; nothing is counted without one.
    #[must_use]
    pub const fn tls(&self) -> &TlsConnections {
        &self.tls
    }

    fn insert(&mut self, key: FlowKey, mark: Mark) -> Option<usize> {
        let (index, replaced) = self.table.insert(key, mark)?;
        self.held_bytes -= replaced.map_or(0, |slot| slot.connection.held_bytes());
        Some(index)
    }

    /// Ends a connection: a body that lasts until then is whole.
    fn finish(&mut self, index: usize, findings: &mut Findings) {
        let Some(slot) = self.table.get_mut(index) else { return };
        let (key, number, last, held_before) = (slot.key, slot.number, slot.last, slot.connection.held_bytes());
        std::mem::swap(&mut self.resources, &mut findings.out.resources);
        for direction in 0..2 {
            slot.connection.contents.end(last, direction, findings);
        }
        std::mem::swap(&mut self.resources, &mut findings.out.resources);
        self.held_bytes = self.held_bytes - held_before + slot.connection.held_bytes();
        self.settle(key, number, last, findings);
    }

    /// Tells what a connection said as that of its key.
    fn settle(&mut self, key: FlowKey, number: u32, mark: Mark, findings: &mut Findings) {
        self.tls.opened += u64::from(std::mem::take(&mut findings.is_opened));
        if let Some(reason) = findings.unopened.take() {
            self.tls.count(reason, key, mark.1);
        }
        let out = &mut findings.out;
        self.missing.add(std::mem::take(&mut out.missing));
        findings.datagrams.append(&mut out.datagrams);
        findings.label = out.label.take().or(findings.label);
        findings.signals.extend(out.signals(key, number));
    }
}

impl Connection {
    fn push(&mut self, segment: &Segment<'_>, keys: Option<&KeyLog>, findings: &mut Findings) {
        let Segment { mark, header, length, .. } = *segment;
        let direction = segment.direction & 1;
        self.has_bytes |= length > 0;
        self.is_reset |= header.has(TcpHeader::RST);
        if header.has(TcpHeader::FIN)
            && let Some(end) = self.ends.get_mut(direction)
        {
            *end = Some(header.sequence.wrapping_add(length as u32));
        }
        if self.contents.is_over() {
            return;
        }
        if header.has(TcpHeader::ACK)
            && let Some(acknowledged) = self.orders.get_mut(direction ^ 1)
        {
            // What was delivered and is not captured will not come.
            acknowledged.acknowledge(header.acknowledgment);
            self.release(direction ^ 1, mark, None, keys, findings);
        }
        if header.has(TcpHeader::SYN) {
            if let Some(order) = self.orders.get_mut(direction) {
                order.start(header.sequence.wrapping_add(1));
            }
        } else if length > 0 {
            self.push_bytes(direction, segment, keys, findings);
        }
        self.end_contents(mark, findings);
    }

    /// Tells what is read that all of a direction has come, and ends what is not followed further.
    fn end_contents(&mut self, mark: Mark, findings: &mut Findings) {
        for (direction, (end, order)) in self.ends.iter().zip(&self.orders).enumerate() {
            if self.is_reset || end.is_some_and(|end| order.is_at(end)) {
                self.contents.end(mark, direction, findings);
            }
        }
        if findings.out.is_over {
            self.contents = Contents::over();
        }
        if self.contents.is_over() {
            self.orders = <[Order; 2]>::default();
        }
    }

    fn push_bytes(&mut self, direction: usize, segment: &Segment<'_>, keys: Option<&KeyLog>, findings: &mut Findings) {
        let Some(order) = self.orders.get_mut(direction) else { return };
        let known = match order.turn(segment.header.sequence, segment.length) {
            Turn::Over => return,
            Turn::Later => {
                order.hold(segment);
                return self.release(direction, segment.mark, None, keys, findings);
            }
            Turn::Now(known) => known,
            Turn::Elsewhere => {
                self.contents.lose(direction);
                0
            }
        };
        let bytes = segment.payload.get(known..).unwrap_or_default();
        let piece = Piece { bytes, length: segment.length - known, mark: segment.mark, direction };
        self.contents.read(&piece, keys, findings);
        self.release(direction, segment.mark, Some(segment.mark), keys, findings);
    }

    /// Reads the segments whose turn has come. No receiver has those behind a segment that was late, `filled`, before
    /// that; those behind one that was not captured came each at its own time.
    fn release(
        &mut self,
        direction: usize,
        now: Mark,
        mut filled: Option<Mark>,
        keys: Option<&KeyLog>,
        findings: &mut Findings,
    ) {
        while let Some(order) = self.orders.get_mut(direction)
            && let Some(Released { known, missing, held }) = order.release(now)
        {
            filled = filled.filter(|_| missing == 0);
            let bytes = held.bytes.get(known..).unwrap_or_default();
            let mark = filled.unwrap_or(held.mark);
            if missing > 0 {
                self.contents.skip(Gap::of(missing), held.mark, direction, findings);
            }
            self.contents.read(&Piece { bytes, length: held.length - known, mark, direction }, keys, findings);
        }
    }

    /// What is lost where it makes room.
    fn worth(&self) -> Worth {
        let is_closed = self.is_reset || self.ends.iter().all(Option::is_some);
        if is_closed || !self.has_bytes { Worth::Nothing } else { self.contents.worth() }
    }

    /// Bytes that wait for others.
    fn held_bytes(&self) -> usize {
        self.orders.iter().map(Order::held_bytes).sum::<usize>() + self.contents.held_bytes()
    }

    /// Drops what waits: there is no memory for it.
    fn let_go(&mut self) {
        self.orders.iter_mut().for_each(Order::let_go);
        self.contents.let_go();
    }
}

#[cfg(test)]
mod tests;
