//! Per-packet arrival: transport-wide congestion control and RFC 8888.

use crate::wire::{Entries, Kind, Malformed, Reader, rtcp::Faults};

/// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct TransportCc<'a> {
    /// First transport-wide sequence number reported.
    pub base_sequence: u16,
    /// How many packets the header says are reported.
    pub status_count: u16,
    /// The time that arrivals count from, in units of 64 ms of the receiver's clock; signed 24 bits.
    pub reference_time: i32,
    /// Number of this feedback; wraps at 256.
    pub feedback_count: u8,
    chunks: Reader<'a>,
    deltas: Reader<'a>,
}

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not received (yet).
    NotReceived,
    /// Received, 0 to 63.75 ms after the one before.
    SmallDelta,
    /// Received, with a larger or a negative distance.
    LargeDelta,
    /// Symbol 3, which nobody has defined.
    Reserved,
}

/// One packet of transport-wide feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketStatus {
    /// Transport-wide sequence number.
    pub sequence: u16,
    /// What became of it.
    pub status: Status,
    /// Time since the received packet before (of the first: since the reference time) in units of 250 µs. `None` where
    /// it was not received, and where the packet ends before the delta.
    pub delta: Option<i16>,
}

/// How many packets have which status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusCounts {
    /// Received.
    pub received: u32,
    /// Not received.
    pub not_received: u32,
    /// With the undefined symbol.
    pub reserved: u32,
}

impl<'a> TransportCc<'a> {
    pub(super) fn read(mut fci: Reader<'a>, faults: &mut Faults) -> Result<Self, Malformed> {
        let (base_sequence, status_count) = (fci.u16()?, fci.u16()?);
        let reference_time = (fci.u24()? << 8).cast_signed() >> 8;
        let feedback_count = fci.u8()?;
        let chunks = fci;
        let (mut covered, mut delta_bytes) = (0, 0);
        while covered < u32::from(status_count) {
            let Ok(word) = fci.u16() else { break };
            let chunk = StatusChunk::new(word, u32::from(status_count) - covered);
            covered += chunk.left;
            delta_bytes += chunk.delta_bytes();
        }
        // Neither the count nor the chunks are believed: whichever ends first ends the list (CVE-2018-11355).
        faults.note_if(covered < u32::from(status_count) || delta_bytes > fci.len(), &fci);
        Ok(Self { base_sequence, status_count, reference_time, feedback_count, chunks, deltas: fci })
    }

    /// Each packet, in order of sequence numbers. A hostile packet of 20 bytes can speak of 65,535 packets:
    /// [`Self::counts`] costs the same for any.
    #[must_use]
    pub const fn statuses(&self) -> Statuses<'a> {
        Statuses {
            sequence: self.base_sequence,
            left: self.status_count as u32,
            chunks: self.chunks,
            deltas: self.deltas,
            chunk: StatusChunk { word: 0, left: 0, taken: 0 },
        }
    }

    /// How many packets were received and not.
    #[must_use]
    pub fn counts(&self) -> StatusCounts {
        let (mut counts, mut left, mut chunks) = (StatusCounts::default(), u32::from(self.status_count), self.chunks);
        while left > 0 {
            let Ok(word) = chunks.u16() else { break };
            let chunk = StatusChunk::new(word, left);
            left -= chunk.left;
            chunk.count(&mut counts);
        }
        counts
    }
}

/// A packet status chunk (sections 3.1.3 and 3.1.4).
#[derive(Clone, Copy, Debug)]
struct StatusChunk {
    word: u16,
    /// Packets it still has to say something of, never more than the feedback reports.
    left: u32,
    taken: u32,
}

impl StatusChunk {
    fn new(word: u16, limit: u32) -> Self {
        let symbols = match word >> 14 {
            0 | 1 => u32::from(word & 0x1fff),
            2 => 14,
            _ => 7,
        };
        Self { word, left: symbols.min(limit), taken: 0 }
    }

    fn symbol(&self, place: u32) -> Status {
        let symbol = match self.word >> 14 {
            0 | 1 => self.word >> 13 & 3,
            2 => self.word >> 13_u32.saturating_sub(place) & 1,
            _ => self.word >> 12_u32.saturating_sub(2 * place) & 3,
        };
        match symbol {
            0 => Status::NotReceived,
            1 => Status::SmallDelta,
            2 => Status::LargeDelta,
            _ => Status::Reserved,
        }
    }

    const fn is_run(&self) -> bool {
        self.word >> 15 == 0
    }

    fn delta_bytes(&self) -> usize {
        if self.is_run() {
            return self.symbol(0).delta_bytes() * self.left as usize;
        }
        (0..self.left).map(|place| self.symbol(place).delta_bytes()).sum()
    }

    fn count(&self, counts: &mut StatusCounts) {
        let (places, weight) = if self.is_run() { (self.left.min(1), self.left) } else { (self.left, 1) };
        for place in 0..places {
            match self.symbol(place) {
                Status::NotReceived => counts.not_received += weight,
                Status::SmallDelta | Status::LargeDelta => counts.received += weight,
                Status::Reserved => counts.reserved += weight,
            }
        }
    }
}

impl Status {
    const fn delta_bytes(self) -> usize {
        match self {
            Self::SmallDelta => 1,
            Self::LargeDelta => 2,
            Self::NotReceived | Self::Reserved => 0,
        }
    }
}

/// An iterator over the packets of transport-wide feedback.
#[derive(Clone, Copy, Debug)]
pub struct Statuses<'a> {
    sequence: u16,
    left: u32,
    chunks: Reader<'a>,
    deltas: Reader<'a>,
    chunk: StatusChunk,
}

impl Iterator for Statuses<'_> {
    type Item = PacketStatus;

    fn next(&mut self) -> Option<PacketStatus> {
        while self.chunk.left == 0 {
            if self.left == 0 {
                return None;
            }
            self.chunk = StatusChunk::new(self.chunks.u16().ok()?, self.left);
        }
        let status = self.chunk.symbol(self.chunk.taken);
        self.chunk.left -= 1;
        self.chunk.taken += 1;
        self.left = self.left.saturating_sub(1);
        let delta = match status {
            Status::SmallDelta => self.deltas.u8().ok().map(i16::from),
            Status::LargeDelta => self.deltas.u16().ok().map(u16::cast_signed),
            Status::NotReceived | Status::Reserved => None,
        };
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        Some(PacketStatus { sequence, status, delta })
    }
}

/// Congestion control feedback (RFC 8888 section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Ccfb<'a> {
    /// When the report was made: middle 32 bits of the NTP time.
    pub timestamp: u32,
    streams: Reader<'a>,
}

/// One stream of congestion control feedback.
#[derive(Clone, Copy, Debug)]
pub struct CcfbStream<'a> {
    /// The stream.
    pub ssrc: u32,
    /// Sequence number of the first packet reported.
    pub begin_sequence: u16,
    reports: Entries<'a, u16>,
}

/// An iterator over the streams of congestion control feedback.
#[derive(Clone, Copy, Debug)]
pub struct CcfbStreams<'a> {
    reader: Reader<'a>,
}

/// One packet of congestion control feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// RTP sequence number.
    pub sequence: u16,
    /// Whether it arrived.
    pub received: bool,
    /// ECN mark of its IP header: 0 not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
    pub ecn: u8,
    /// How long before the report it arrived, in 1/1024 s. `None` where it did not, or the time is not known (0x1fff).
    /// 0x1ffe stands for that long or longer.
    pub offset: Option<u16>,
}

/// An iterator over the packets of one stream of congestion control feedback.
#[derive(Clone, Copy, Debug)]
pub struct Arrivals<'a> {
    sequence: u16,
    reports: Entries<'a, u16>,
}

impl<'a> Ccfb<'a> {
    pub(super) fn read(mut body: Reader<'a>, faults: &mut Faults) -> Result<Self, Malformed> {
        let Some(length) = body.len().checked_sub(4) else { return Err(body.fault(Kind::TooShort)) };
        let streams = body.sub(length)?;
        let mut walked = CcfbStreams { reader: streams };
        let mut promised = 0;
        while let Some((stream, count)) = walked.step() {
            promised += count - stream.reports.len();
        }
        faults.note_if(promised > 0 || !walked.reader.is_empty(), &walked.reader);
        Ok(Self { timestamp: body.u32()?, streams })
    }

    /// The streams, in order.
    #[must_use]
    pub const fn streams(&self) -> CcfbStreams<'a> {
        CcfbStreams { reader: self.streams }
    }
}

impl<'a> CcfbStreams<'a> {
    /// A stream, and how many reports its header promised.
    fn step(&mut self) -> Option<(CcfbStream<'a>, usize)> {
        let mut reader = self.reader;
        let (ssrc, begin_sequence) = (reader.u32().ok()?, reader.u16().ok()?);
        let count = usize::from(reader.u16().ok()?);
        let reports = Entries::counted(&mut reader, count);
        // An odd number of reports is followed by two bytes of padding.
        let padding = (count % 2 * 2).min(reader.len());
        reader.skip(padding).ok()?;
        self.reader = reader;
        Some((CcfbStream { ssrc, begin_sequence, reports }, count))
    }
}

impl<'a> Iterator for CcfbStreams<'a> {
    type Item = CcfbStream<'a>;

    fn next(&mut self) -> Option<CcfbStream<'a>> {
        self.step().map(|(stream, _)| stream)
    }
}

impl<'a> CcfbStream<'a> {
    /// The packets, in order of sequence numbers.
    #[must_use]
    pub const fn arrivals(&self) -> Arrivals<'a> {
        Arrivals { sequence: self.begin_sequence, reports: self.reports }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let report = self.reports.next()?;
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let (received, offset) = (report >> 15 == 1, report & UNKNOWN_OFFSET);
        let offset = (received && offset != UNKNOWN_OFFSET).then_some(offset);
        Some(Arrival { sequence, received, ecn: (report >> 13 & 3) as u8, offset })
    }
}

const UNKNOWN_OFFSET: u16 = 0x1fff;
