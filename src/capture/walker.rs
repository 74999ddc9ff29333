//! Bytes to frames: a state machine over whatever part of a container is at hand, so that a mapped file, a pipe and
//! decompressed data are read by the same code.

use crate::wire::Kind;

use super::{
    Fault, Format, Frame, Interface, Secrets, Stop, Why,
    pcap::Records,
    pcapng::Blocks,
    recognise::{self, Recognised},
};

/// Reads one container. Feed it the bytes of the container in order, with whatever it did not consume in front again.
#[derive(Debug)]
pub struct Walker {
    state: State,
    ledger: Ledger,
    /// Offset in the container of the first byte that is not yet consumed.
    position: u64,
}

impl Walker {
    /// A walker at the start of file number `file`.
    #[must_use]
    pub fn new(file: u16) -> Self {
        Self { state: State::Start, ledger: Ledger { file, ..Ledger::default() }, position: 0 }
    }

    /// Reads whole records from the front of `buffer` until `frames` holds `limit` of them, appends interfaces as they
    /// are declared, and returns how many bytes were consumed. `at_end`: nothing follows `buffer`.
    ///
    /// Frames of a mapped file have their byte offset in the container. When `at_end` is given and no frame is
    /// appended, the container is finished.
    pub fn walk(
        &mut self,
        buffer: &[u8],
        at_end: bool,
        interfaces: &mut Vec<Interface>,
        frames: &mut Vec<Frame>,
        limit: usize,
    ) -> usize {
        if self.ledger.stop.is_some() {
            return buffer.len();
        }
        let header = match self.state {
            State::Start => self.begin(buffer, at_end, interfaces),
            _ => 0,
        };
        let rest = buffer.get(header..).unwrap_or_default();
        let base = self.position + header as u64;
        let consumed = header
            + match &mut self.state {
                State::Start => 0,
                State::Pcap(records) => records.walk(rest, base, &mut self.ledger, frames, limit),
                State::Pcapng(blocks) => blocks.walk(rest, base, &mut self.ledger, interfaces, frames, limit),
            };
        self.position += consumed as u64;
        let inside_block = matches!(&self.state, State::Pcapng(blocks) if blocks.is_inside_block());
        if at_end && self.ledger.stop.is_none() && frames.len() < limit && (consumed < buffer.len() || inside_block) {
            self.ledger.stop_at(Why::Cut, self.position);
        }
        consumed
    }

    /// Notes that nothing follows because the compressed data ended too early or is damaged.
    pub fn cut_compression(&mut self, missing_from: u64) {
        match &mut self.ledger.stop {
            Some(stop) if stop.why == Why::Cut => stop.why = Why::CutCompression,
            Some(_) => {}
            None => self.ledger.stop_at(Why::CutCompression, missing_from),
        }
    }

    /// The container, once its header was read.
    #[must_use]
    pub const fn format(&self) -> Option<Format> {
        match self.state {
            State::Start => None,
            State::Pcap(_) => Some(Format::Pcap),
            State::Pcapng(_) => Some(Format::Pcapng),
        }
    }

    /// What the file looks like, where it is not a capture that can be read.
    #[must_use]
    pub fn looks(&self) -> Option<&str> {
        self.ledger.looks.as_deref()
    }

    /// Where and why reading ended before the end.
    #[must_use]
    pub const fn stop(&self) -> Option<Stop> {
        self.ledger.stop
    }

    /// Packets counted so far, those that could not be delivered included.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.ledger.packets
    }

    /// Bytes consumed so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// What was wrong so far.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.ledger.faults
    }

    pub(super) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Recognises the container and reads a pcap header; returns how long that is.
    fn begin(&mut self, buffer: &[u8], at_end: bool, interfaces: &mut Vec<Interface>) -> usize {
        match recognise::recognise(buffer, at_end) {
            Recognised::NeedMore => 0,
            Recognised::Pcap(header) => {
                let id = interfaces.len() as u32;
                interfaces.push(header.interface(self.ledger.file));
                self.ledger.interfaces.push(id);
                self.state = State::Pcap(Records::new(&header, id));
                recognise::PCAP_HEADER
            }
            Recognised::Pcapng => {
                self.state = State::Pcapng(Blocks::default());
                0
            }
            Recognised::Other(looks) => {
                self.ledger.looks = Some(looks);
                self.ledger.stop_at(Why::NotACapture, 0);
                0
            }
        }
    }
}

#[derive(Debug)]
enum State {
    Start,
    Pcap(Records),
    Pcapng(Blocks),
}

/// What is written down about a file while it is read. Bounded: faults by the number of kinds, the rest by constants.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub file: u16,
    pub packets: u64,
    pub untimed: u64,
    pub faults: Vec<Fault>,
    pub interfaces: Vec<u32>,
    pub secrets: Vec<Secrets>,
    pub unknown_blocks: Vec<(u32, u64)>,
    pub stop: Option<Stop>,
    pub looks: Option<String>,
}

impl Ledger {
    /// Counts a fault of `kind` in the record or block at `byte`.
    #[cold]
    pub fn fault(&mut self, kind: Kind, byte: u64) {
        match self.faults.iter_mut().find(|fault| fault.kind == kind) {
            Some(fault) => fault.count += 1,
            None => {
                self.faults.push(Fault { kind, count: 1, first_packet: self.packets, first_byte: byte });
            }
        }
    }

    /// Counts a block of a type that is not read.
    pub fn unknown_block(&mut self, block: u32) -> Result<(), Kind> {
        let distinct = self.unknown_blocks.len();
        match self.unknown_blocks.iter_mut().find(|(known, _)| *known == block) {
            Some((_, count)) => *count += 1,
            None if distinct < MAX_UNKNOWN_TYPES => self.unknown_blocks.push((block, 1)),
            None => return Err(Kind::TooMany),
        }
        Ok(())
    }

    /// Ends reading at the record or block at `byte`.
    #[cold]
    pub fn stop_at(&mut self, why: Why, byte: u64) {
        self.stop = Some(Stop { why, byte, packets: self.packets });
    }
}

/// Byte order and size of the numbers in a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Little,
    Big,
}

impl Order {
    pub const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub const fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    /// Four numbers of 32 bits.
    pub const fn four(self, bytes: &[u8; 16]) -> [u32; 4] {
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = *bytes;
        [self.u32([a0, a1, a2, a3]), self.u32([b0, b1, b2, b3]), self.u32([c0, c1, c2, c3]), self.u32([d0, d1, d2, d3])]
    }
}

/// Distinct unknown block types that are counted apart.
const MAX_UNKNOWN_TYPES: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::capture::{
        Frame,
        samples::{small_pcap, small_pcapng, walked},
    };

    use super::*;

    /// Walks in pieces, with what was left in front of each again.
    fn walked_in_pieces(bytes: &[u8], piece: usize, limit: usize) -> (Walker, Vec<Interface>, Vec<Frame>) {
        let (mut walker, mut interfaces, mut frames) = (Walker::new(0), Vec::new(), Vec::new());
        let (mut start, mut end) = (0, piece.min(bytes.len()));
        loop {
            let mut batch = Vec::new();
            start += walker.walk(&bytes[start..end], end == bytes.len(), &mut interfaces, &mut batch, limit);
            if batch.is_empty() {
                if end == bytes.len() || walker.stop().is_some() {
                    return (walker, interfaces, frames);
                }
                end = (end + piece).min(bytes.len());
            }
            frames.extend(batch);
        }
    }

    fn same(bytes: &[u8], piece: usize, limit: usize) {
        let (whole, pieces) = (walked(bytes), walked_in_pieces(bytes, piece, limit));
        assert_eq!((&whole.1, &whole.2), (&pieces.1, &pieces.2));
        assert_eq!(whole.0.stop(), pieces.0.stop());
        assert_eq!(whole.0.faults(), pieces.0.faults());
        assert_eq!(whole.0.looks().is_some(), pieces.0.looks().is_some());
    }

    #[test]
    fn every_prefix_delivers_a_prefix() {
        for file in [small_pcap(), small_pcapng()] {
            let (_, _, all) = walked(&file);
            for length in 1..=file.len() {
                let (walker, _, frames) = walked(&file[..length]);
                assert!(all.starts_with(&frames), "{length}");
                assert!(frames.iter().all(|frame| frame.offset + u64::from(frame.captured) <= length as u64));
                let whole_records = walker.stop().is_none();
                assert_eq!(whole_records, walker.position() == length as u64, "{length}");
            }
        }
    }

    #[test]
    fn every_flipped_byte_is_survived_in_pieces_too() {
        for file in [small_pcap(), small_pcapng()] {
            for at in 0..file.len() {
                for flip in [0x01, 0x80, 0xff] {
                    let mut flipped = file.clone();
                    flipped[at] ^= flip;
                    same(&flipped, 7, 2);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0..3_usize) {
            let starts = [Vec::new(), small_pcap()[..24].to_vec(), small_pcapng()[..80].to_vec()];
            same(&[starts[kind].as_slice(), &bytes].concat(), 13, 3);
        }

        #[test]
        fn pieces_find_what_the_whole_finds(piece in 1..300_usize, limit in 1..9_usize, pcapng: bool) {
            same(&if pcapng { small_pcapng() } else { small_pcap() }, piece, limit);
        }
    }
}
