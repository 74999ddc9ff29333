//! What is known of each file beside its frames.

use crate::{time::Timestamp, wire::Kind};

use super::{Frame, LinkType};

/// The container a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// libpcap's: a header and records (draft-ietf-opsawg-pcap).
    Pcap,
    /// Blocks, with interfaces and options (draft-ietf-opsawg-pcapng).
    Pcapng,
}

/// What a container was compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// gzip (RFC 1952), one member or several.
    Gzip,
    /// Zstandard (RFC 8878), one frame or several.
    Zstd,
}

/// Why reading a file ended before everything in it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The file ends inside a record or block.
    Cut,
    /// The compressed data ends too early or is damaged; what came out before was read.
    CutCompression,
    /// A length that no capture has: from here on nothing can be found.
    Damaged,
    /// The first bytes are not a capture that can be read.
    NotACapture,
}

/// Where reading ended before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Why.
    pub why: Why,
    /// Byte offset in the container (after decompression) of the record or block that could not be read.
    pub byte: u64,
    /// Packets before it.
    pub packets: u64,
}

/// Faults of one kind in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was wrong.
    pub kind: Kind,
    /// How often.
    pub count: u64,
    /// The packet at which it happened first (0: before the first packet).
    pub first_packet: u64,
    /// Byte offset of the record or block in the container (after decompression) where it happened first.
    pub first_byte: u64,
}

/// A Decryption Secrets Block (pcapng section 4.7), kept for whoever decrypts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// The secrets type, such as [`Secrets::TLS_KEY_LOG`].
    pub kind: u32,
    /// The secrets as stored.
    pub bytes: Vec<u8>,
}

impl Secrets {
    /// `TLSK`: a key log as NSS writes it, for TLS and DTLS.
    pub const TLS_KEY_LOG: u32 = 0x544c_534b;
}

/// How fine an interface's clock is (`if_tsresol`, pcapng section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// 10 to the power of minus this many seconds.
    Decimal(u8),
    /// 2 to the power of minus this many seconds.
    Binary(u8),
}

impl Resolution {
    /// Ticks in a second; `None` where the number has more than 64 bits.
    #[must_use]
    pub fn ticks_per_second(self) -> Option<u64> {
        match self {
            Self::Decimal(exponent) => 10_u64.checked_pow(exponent.into()),
            Self::Binary(exponent) => 1_u64.checked_shl(exponent.into()),
        }
    }
}

/// An interface that packets were captured on. A pcap file has one, a pcapng file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its file, counted from 0 in the order given.
    pub file: u16,
    /// Its number in its section of the file, counted from 0.
    pub index: u32,
    /// `if_name`.
    pub name: Option<String>,
    /// `if_description`.
    pub description: Option<String>,
    /// The link type of its packets.
    pub link: LinkType,
    /// Bytes kept of a packet; 0: no limit.
    pub snaplen: u32,
    /// The resolution of its timestamps.
    pub resolution: Resolution,
    /// `if_tsoffset`: seconds to be added to its timestamps.
    pub offset_seconds: i64,
    /// Packets the interface received, from its last statistics block (`isb_ifrecv`).
    pub received: Option<u64>,
    /// Packets dropped by the interface and the operating system together (`isb_ifdrop`, `isb_osdrop`).
    pub dropped: Option<u64>,
}

/// A place where time goes back in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepBack {
    /// How far, in nanoseconds.
    pub nanos: i64,
    /// The number of the packet that is earlier than the one before it.
    pub packet: u64,
}

/// What one file held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSummary {
    /// The path as it was given.
    pub path: String,
    /// The container.
    pub format: Format,
    /// What it was compressed with.
    pub compression: Option<Compression>,
    /// Packets that were delivered, that is, after the filter and the time window.
    pub packets: u64,
    /// Packets in the file.
    pub total_packets: u64,
    /// Bytes the delivered packets had on the wire.
    pub bytes: u64,
    /// Bytes captured of the delivered packets.
    pub captured_bytes: u64,
    /// The earliest time of a delivered packet.
    pub first: Option<Timestamp>,
    /// The latest time of a delivered packet.
    pub last: Option<Timestamp>,
    /// Link types in the order they were declared.
    pub link_types: Vec<LinkType>,
    /// Whether the file ends in the middle of something ([`FileSummary::stop`] says where).
    pub truncated: bool,
    /// Where and why reading ended before the end.
    pub stop: Option<Stop>,
    /// Delivered packets of which not all bytes were captured.
    pub snapped: u64,
    /// The largest snap length declared; 0: none.
    pub snaplen: u32,
    /// Its interfaces, as indices into [`super::Capture::interfaces`].
    pub interfaces: Vec<u32>,
    /// What was wrong with the container, in the order of first occurrence.
    pub faults: Vec<Fault>,
    /// Delivered packets whose time is before that of the packet before them.
    pub time_backwards: u64,
    /// The number of the first of them.
    pub first_backwards: Option<u64>,
    /// The largest of these steps.
    pub largest_step_back: Option<StepBack>,
    /// Packets without a time of their own (pcapng Simple Packet Blocks). They take that of the packet before.
    pub untimed: u64,
    /// Packets that the capturing machine says it lost, over all interfaces; `None` where it does not say.
    pub drops: Option<u64>,
    /// Decryption secrets in the file, at most [`super::MAX_SECRETS`] bytes.
    pub secrets: Vec<Secrets>,
    /// pcapng blocks of types that are not read: type and count.
    pub unknown_blocks: Vec<(u32, u64)>,
}

/// Running counts over the delivered frames of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub packets: u64,
    pub bytes: u64,
    pub captured_bytes: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub snapped: u64,
    pub backwards: u64,
    pub first_backwards: Option<u64>,
    pub largest_step_back: Option<StepBack>,
    previous: Option<Timestamp>,
}

impl Tally {
    /// Counts `frames`. In a file with packets `untimed`, those at the epoch have no time and move neither end.
    pub fn add(&mut self, frames: &[Frame], untimed: bool) {
        // In registers while it runs: a batch has few frames, of at most four gigabytes each.
        let (mut bytes, mut captured_bytes, mut snapped) = (0_u64, 0_u64, 0_u64);
        let mut previous = self.previous.map_or(i64::MIN, |time| time.0);
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        for frame in frames {
            bytes += u64::from(frame.original);
            captured_bytes += u64::from(frame.captured);
            snapped += u64::from(frame.captured < frame.original);
            let time = frame.time.0;
            if untimed && time == 0 {
                continue;
            }
            if time < previous {
                self.step_back(previous.saturating_sub(time), frame.number);
            }
            previous = time;
            (first, last) = (first.min(time), last.max(time));
        }
        self.packets += frames.len() as u64;
        self.bytes = self.bytes.saturating_add(bytes);
        self.captured_bytes = self.captured_bytes.saturating_add(captured_bytes);
        self.snapped += snapped;
        if first <= last {
            self.previous = Some(Timestamp(previous));
            self.first = Some(self.first.map_or(Timestamp(first), |known| known.min(Timestamp(first))));
            self.last = Some(self.last.map_or(Timestamp(last), |known| known.max(Timestamp(last))));
        }
    }

    #[cold]
    fn step_back(&mut self, nanos: i64, packet: u64) {
        self.backwards += 1;
        self.first_backwards.get_or_insert(packet);
        if self.largest_step_back.is_none_or(|largest| largest.nanos < nanos) {
            self.largest_step_back = Some(StepBack { nanos, packet });
        }
    }
}
