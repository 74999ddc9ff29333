//! Extended reports (RFC 3611) and the names of the blocks that later RFCs added.

use super::{Entries, Entry, Malformed, Reader, rtcp::Faults};

/// An extended report, 207 (RFC 3611 section 2).
#[derive(Clone, Copy, Debug)]
pub struct ExtendedReport<'a> {
    /// Who reports.
    pub ssrc: u32,
    blocks: Reader<'a>,
}

/// A report block (RFC 3611 section 3).
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// BT.
    pub block_type: u8,
    /// The byte that each type uses its own way.
    pub type_specific: u8,
    /// Where the block starts, in bytes from the end of the packet's 4-byte header.
    pub offset: usize,
    /// What it says.
    pub content: BlockContent<'a>,
}

/// What a block says.
#[derive(Clone, Copy, Debug)]
pub enum BlockContent<'a> {
    /// BT 1: which packets were lost (section 4.1).
    LossRle(RunLengths<'a>),
    /// BT 2: which packets came more than once (section 4.2).
    DuplicateRle(RunLengths<'a>),
    /// BT 3: when packets came (section 4.3).
    PacketReceiptTimes {
        /// Range and thinning.
        range: Range,
        /// RTP timestamps of the receiver's clock, one for each packet of the range.
        times: Entries<'a, u32>,
    },
    /// BT 4: receiver reference time, an NTP timestamp (section 4.4).
    ReceiverReferenceTime(u64),
    /// BT 5: delay since the last reference time (section 4.5).
    Dlrr(Entries<'a, Dlrr>),
    /// BT 6: statistics summary (section 4.6).
    StatisticsSummary(StatisticsSummary),
    /// BT 7: VoIP metrics (section 4.7).
    VoipMetrics(VoipMetrics),
    /// Another type, or one whose fixed part is not all there: the bytes behind the block's header.
    Raw(&'a [u8]),
}

/// An iterator over the blocks of an extended report.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    reader: Reader<'a>,
}

impl<'a> ExtendedReport<'a> {
    pub(super) fn read(mut body: Reader<'a>, faults: &mut Faults) -> Result<Self, Malformed> {
        let report = Self { ssrc: body.u32()?, blocks: body };
        let mut walked = report.blocks();
        let torn = walked.by_ref().any(|block| block.is_torn());
        faults.note_if(torn || !walked.reader.is_empty(), &walked.reader);
        Ok(report)
    }

    /// The blocks, in order.
    #[must_use]
    pub const fn blocks(&self) -> Blocks<'a> {
        Blocks { reader: self.blocks }
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        let mut reader = self.reader;
        let offset = reader.offset();
        let (block_type, type_specific) = (reader.u8().ok()?, reader.u8().ok()?);
        let length = usize::from(reader.u16().ok()?) * 4;
        let body = reader.sub(length).ok()?;
        self.reader = reader;
        let content = BlockContent::read(block_type, type_specific, body).unwrap_or(BlockContent::Raw(body.peek()));
        Some(Block { block_type, type_specific, offset, content })
    }
}

impl Block<'_> {
    /// The block's name, as IANA's *RTCP XR Block Type* registry has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        block_name(self.block_type)
    }

    /// Whether a block of a known type is too short for what it has to hold.
    const fn is_torn(&self) -> bool {
        matches!(self.content, BlockContent::Raw(_)) && matches!(self.block_type, 1..=7)
    }
}

impl<'a> BlockContent<'a> {
    fn read(block_type: u8, type_specific: u8, mut body: Reader<'a>) -> Result<Self, Malformed> {
        Ok(match block_type {
            1 => Self::LossRle(RunLengths::read(type_specific, body)?),
            2 => Self::DuplicateRle(RunLengths::read(type_specific, body)?),
            3 => Self::PacketReceiptTimes {
                range: Range::read(type_specific, &mut body)?,
                times: Entries::all(&mut body),
            },
            4 => Self::ReceiverReferenceTime(body.u64()?),
            5 => Self::Dlrr(Entries::all(&mut body)),
            6 => Self::StatisticsSummary(StatisticsSummary::read(type_specific, &mut body)?),
            7 => Self::VoipMetrics(VoipMetrics::read(&mut body)?),
            _ => Self::Raw(body.take_rest()),
        })
    }
}

/// The packets a block speaks of (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The stream.
    pub ssrc: u32,
    /// First sequence number.
    pub begin: u16,
    /// Last sequence number plus one.
    pub end: u16,
    /// T: only sequence numbers that are multiples of 2^T are reported.
    pub thinning: u8,
}

impl Range {
    fn read(type_specific: u8, body: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (ssrc, begin, end) = (body.u32()?, body.u16()?, body.u16()?);
        Ok(Self { ssrc, begin, end, thinning: type_specific & 0x0f })
    }

    /// How many packets a block of this range reports.
    #[must_use]
    pub fn packets(self) -> u32 {
        let step = 1_u32 << self.thinning;
        // The first multiple of the step at or above `begin`; `end` unwrapped to be above `begin`.
        let begin = u32::from(self.begin);
        let end = begin + u32::from(self.end.wrapping_sub(self.begin));
        end.div_ceil(step).saturating_sub(begin.div_ceil(step))
    }
}

/// One bit for each packet of a range, run-length encoded (section 4.1).
#[derive(Clone, Copy, Debug)]
pub struct RunLengths<'a> {
    /// Range and thinning.
    pub range: Range,
    chunks: Entries<'a, u16>,
}

/// A chunk of run-length encoding (sections 4.1.1 to 4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunLength {
    /// The same bit many times.
    Run {
        /// The bit: received (loss RLE), came once (duplicate RLE).
        bit: bool,
        /// How many packets.
        length: u16,
    },
    /// 15 packets, the first in bit 14.
    Bits(u16),
    /// Fills the block up to a word.
    Null,
}

impl<'a> RunLengths<'a> {
    fn read(type_specific: u8, mut body: Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { range: Range::read(type_specific, &mut body)?, chunks: Entries::all(&mut body) })
    }

    /// The chunks, in order.
    pub fn chunks(&self) -> impl Iterator<Item = RunLength> + use<'a> {
        self.chunks.map(|chunk| match chunk {
            0 => RunLength::Null,
            chunk if chunk >> 15 == 1 => RunLength::Bits(chunk & 0x7fff),
            chunk => RunLength::Run { bit: chunk >> 14 == 1, length: chunk & 0x3fff },
        })
    }

    /// Packets of the range whose bit is 0: lost, or duplicated. Bits beyond the range do not count.
    #[must_use]
    pub fn zeros(&self) -> u32 {
        let (mut left, mut zeros) = (self.range.packets(), 0);
        for chunk in self.chunks() {
            let (covered, cleared) = match chunk {
                RunLength::Null => break,
                RunLength::Run { bit, length } => {
                    let covered = left.min(length.into());
                    (covered, if bit { 0 } else { covered })
                }
                RunLength::Bits(bits) => {
                    let covered = left.min(15);
                    (covered, covered - (u32::from(bits) >> (15 - covered)).count_ones())
                }
            };
            left -= covered;
            zeros += cleared;
        }
        zeros
    }
}

/// Delay since the last reference time of one receiver (section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dlrr {
    /// The receiver whose reference time is answered.
    pub ssrc: u32,
    /// LRR: middle 32 bits of that NTP time; 0 before the first.
    pub last_reference: u32,
    /// DLRR: time since it came, in 1/65536 s.
    pub delay: u32,
}

impl Entry for Dlrr {
    const SIZE: usize = 12;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { ssrc: reader.u32()?, last_reference: reader.u32()?, delay: reader.u32()? })
    }
}

/// Statistics over a range of packets (section 4.6). Fields whose flag is not set mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatisticsSummary {
    /// The stream.
    pub ssrc: u32,
    /// First sequence number.
    pub begin: u16,
    /// Last sequence number plus one.
    pub end: u16,
    /// L flag, packets lost.
    pub lost: Option<u32>,
    /// D flag, packets duplicated.
    pub duplicated: Option<u32>,
    /// J flag, interarrival jitter in RTP timestamp units.
    pub jitter: Option<Spread<u32>>,
    /// `ToH` 1 or 2, IPv4 TTL or IPv6 hop limit.
    pub hops: Option<Spread<u8>>,
}

/// Smallest, largest, mean and standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread<T> {
    /// Smallest.
    pub min: T,
    /// Largest.
    pub max: T,
    /// Mean.
    pub mean: T,
    /// Standard deviation.
    pub deviation: T,
}

impl StatisticsSummary {
    fn read(flags: u8, body: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (ssrc, begin, end) = (body.u32()?, body.u16()?, body.u16()?);
        let (lost, duplicated) = (body.u32()?, body.u32()?);
        let jitter = Spread { min: body.u32()?, max: body.u32()?, mean: body.u32()?, deviation: body.u32()? };
        let hops = Spread { min: body.u8()?, max: body.u8()?, mean: body.u8()?, deviation: body.u8()? };
        Ok(Self {
            ssrc,
            begin,
            end,
            lost: (flags & 0x80 != 0).then_some(lost),
            duplicated: (flags & 0x40 != 0).then_some(duplicated),
            jitter: (flags & 0x20 != 0).then_some(jitter),
            hops: matches!(flags >> 3 & 3, 1 | 2).then_some(hops),
        })
    }
}

/// `VoIP` metrics (section 4.7). 127 in a quality field says that it was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoipMetrics {
    /// The stream.
    pub ssrc: u32,
    /// Packets lost, in 1/256.
    pub loss_rate: u8,
    /// Packets discarded by the jitter buffer, in 1/256.
    pub discard_rate: u8,
    /// Lost or discarded inside bursts, in 1/256.
    pub burst_density: u8,
    /// Lost or discarded between bursts, in 1/256.
    pub gap_density: u8,
    /// Mean length of bursts in ms.
    pub burst_duration: u16,
    /// Mean length of gaps in ms.
    pub gap_duration: u16,
    /// Round trip in ms; 0 where it is not known.
    pub round_trip_delay: u16,
    /// Delay inside the reporting end in ms.
    pub end_system_delay: u16,
    /// Signal level in dBm0; 127 where it is not known.
    pub signal_level: i8,
    /// Noise level in dBm0; 127 where it is not known.
    pub noise_level: i8,
    /// Residual echo return loss in dB.
    pub residual_echo_return_loss: u8,
    /// Gap threshold: packets that must arrive between two losses of different bursts.
    pub gap_threshold: u8,
    /// R factor, 0..=100.
    pub r_factor: u8,
    /// R factor of another network segment.
    pub external_r_factor: u8,
    /// MOS for listening, times ten.
    pub mos_listening: u8,
    /// MOS for conversation, times ten.
    pub mos_conversational: u8,
    /// Packet loss concealment, jitter buffer kind and its rate (section 4.7.6).
    pub receiver_configuration: u8,
    /// Nominal delay of the jitter buffer in ms.
    pub jitter_buffer_nominal: u16,
    /// Largest delay of the jitter buffer now in ms.
    pub jitter_buffer_maximum: u16,
    /// Largest delay the jitter buffer can come to in ms.
    pub jitter_buffer_absolute_maximum: u16,
}

impl VoipMetrics {
    fn read(body: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            ssrc: body.u32()?,
            loss_rate: body.u8()?,
            discard_rate: body.u8()?,
            burst_density: body.u8()?,
            gap_density: body.u8()?,
            burst_duration: body.u16()?,
            gap_duration: body.u16()?,
            round_trip_delay: body.u16()?,
            end_system_delay: body.u16()?,
            signal_level: body.u8()?.cast_signed(),
            noise_level: body.u8()?.cast_signed(),
            residual_echo_return_loss: body.u8()?,
            gap_threshold: body.u8()?,
            r_factor: body.u8()?,
            external_r_factor: body.u8()?,
            mos_listening: body.u8()?,
            mos_conversational: body.u8()?,
            receiver_configuration: body.u8()?,
            jitter_buffer_nominal: body.skip(1).and_then(|()| body.u16())?,
            jitter_buffer_maximum: body.u16()?,
            jitter_buffer_absolute_maximum: body.u16()?,
        })
    }
}

/// The name of a block type, as IANA's *RTCP XR Block Type* registry has it.
#[must_use]
pub const fn block_name(block_type: u8) -> &'static str {
    match block_type {
        1 => "Loss RLE",
        2 => "Duplicate RLE",
        3 => "Packet Receipt Times",
        4 => "Receiver Reference Time",
        5 => "DLRR",
        6 => "Statistics Summary",
        7 => "VoIP Metrics",
        8 => "RTCP XNQ",
        9 => "TI Extended VoIP Metrics",
        10 => "Post-repair Loss RLE",
        11 => "Multicast Acquisition",
        12 => "IDMS",
        13 => "ECN Summary",
        14 => "Measurement Information",
        15 => "Packet Delay Variation",
        16 => "Delay Metrics",
        17 => "Burst/Gap Loss Summary Statistics",
        18 => "Burst/Gap Discard Summary Statistics",
        19 => "Frame Impairment Statistics Summary",
        20 => "Burst/Gap Loss",
        21 => "Burst/Gap Discard",
        22 => "MPEG2 Transport Stream PSI-Independent Decodability Statistics",
        23 => "De-Jitter Buffer",
        24 => "Discard Count",
        25 => "Discard RLE",
        26 => "Bytes Discarded",
        27 => "RTP Flows Initial Synchronization Delay",
        28 => "RTP Flows Synchronization Offset",
        29 => "MOS Metrics",
        30 => "Loss Concealment Metrics",
        31 => "Concealed Seconds Metrics",
        32 => "MPEG2 Transport Stream PSI Decodability Statistics",
        33 => "Post-Repair Loss Count",
        34 => "Video Loss Concealment",
        35 => "Independent Burst/Gap Discard",
        _ => "unassigned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rtcp::{Content, Rtcp, classify};

    /// The blocks of a datagram that is one extended report; `body` is what follows the sender's SSRC, as hex words.
    fn report(body: &[u32], check: impl FnOnce(Vec<Block<'_>>)) {
        let length = u32::try_from(body.len()).unwrap() + 1;
        let words = [0x80cf_0000 | length, 0x0102_0304].into_iter().chain(body.iter().copied());
        let bytes: Vec<u8> = words.flat_map(u32::to_be_bytes).collect();
        let Ok(Rtcp::Clear(compound)) = classify(&bytes) else { panic!("not clear") };
        let packet = compound.packets().next().unwrap();
        assert_eq!(packet.fault, None);
        let Content::ExtendedReport(report) = packet.content else { panic!("{packet:?}") };
        assert_eq!(report.ssrc, 0x0102_0304);
        check(report.blocks().collect());
    }

    #[test]
    fn run_lengths_of_rfc_3611_section_4_1() {
        // Sequence 10 to 51: a run of 20 received, 15 bits with three zeros, a run of 3 lost, 3 received, null.
        report(&[0x0100_0005, 0xaabb_ccdd, 0x000a_0033, 0x4014_eefb, 0x0003_4003, 0x0000_0000], |blocks| {
            let BlockContent::LossRle(runs) = blocks[0].content else { panic!("{blocks:?}") };
            assert_eq!(runs.range, Range { ssrc: 0xaabb_ccdd, begin: 10, end: 51, thinning: 0 });
            assert_eq!(runs.range.packets(), 41);
            let chunks: Vec<_> = runs.chunks().collect();
            assert_eq!(chunks[0], RunLength::Run { bit: true, length: 20 });
            assert_eq!(chunks[1], RunLength::Bits(0x6efb));
            assert_eq!(chunks[2], RunLength::Run { bit: false, length: 3 });
            assert_eq!(chunks[4], RunLength::Null);
            assert_eq!(runs.zeros(), 6);
            assert_eq!(blocks[0].name(), "Loss RLE");
        });
    }

    #[test]
    fn thinned_ranges_count_multiples_only() {
        let range = |begin, end, thinning| Range { ssrc: 0, begin, end, thinning };
        assert_eq!(range(0, 16, 2).packets(), 4);
        assert_eq!(range(1, 16, 2).packets(), 3);
        assert_eq!(range(65_534, 2, 0).packets(), 4);
        assert_eq!(range(0, 65_535, 15).packets(), 2);
    }

    #[test]
    fn reference_time_and_its_answer() {
        let words = [0x0400_0002, 0xeead_2355, 0xd3e2_1d96, 0x0500_0003, 0x1111_1111, 0x2355_d3e2, 0x0001_8000];
        report(&words, |blocks| {
            let [first, second] = blocks[..] else { panic!("{blocks:?}") };
            assert!(matches!(first.content, BlockContent::ReceiverReferenceTime(0xeead_2355_d3e2_1d96)));
            let BlockContent::Dlrr(mut answers) = second.content else { panic!("{second:?}") };
            let expected = Dlrr { ssrc: 0x1111_1111, last_reference: 0x2355_d3e2, delay: 98_304 };
            assert_eq!(answers.next(), Some(expected));
            assert_eq!(answers.next(), None);
            assert_eq!(second.offset, 16);
        });
    }

    #[test]
    fn flags_say_which_statistics_mean_something() {
        let words = [0x06a8_0009, 9, 0x0001_0065, 7, 8, 1, 2, 3, 4, 0x0102_0304];
        report(&words, |blocks| {
            let BlockContent::StatisticsSummary(summary) = blocks[0].content else { panic!("{blocks:?}") };
            assert_eq!((summary.begin, summary.end), (1, 101));
            assert_eq!((summary.lost, summary.duplicated), (Some(7), None));
            assert_eq!(summary.jitter, Some(Spread { min: 1, max: 2, mean: 3, deviation: 4 }));
            assert_eq!(summary.hops, Some(Spread { min: 1, max: 2, mean: 3, deviation: 4 }));
        });
    }

    #[test]
    fn a_block_that_is_longer_than_the_packet_ends_the_list() {
        let bytes = [0x80, 207, 0, 2, 0, 0, 0, 1, 4, 0, 0xff, 0xff];
        let Ok(Rtcp::Clear(compound)) = classify(&bytes) else { panic!("not clear") };
        let packet = compound.packets().next().unwrap();
        assert!(packet.fault.is_some());
        let Content::ExtendedReport(report) = packet.content else { panic!("{packet:?}") };
        assert_eq!(report.blocks().count(), 0);
    }
}
