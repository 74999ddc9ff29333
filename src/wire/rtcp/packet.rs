//! The packets of a compound (RFC 3550 sections 6.4 to 6.7).

use super::{Chunks, Header};
use crate::wire::{
    Entries, Entry, Kind, Layer, Malformed, Reader,
    feedback::{PayloadFeedback, TransportFeedback},
    xr::ExtendedReport,
};

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Packet type, 192..=223.
    pub packet_type: u8,
    /// The 5 bits behind the P bit: a count, a subtype (APP) or a format (feedback).
    pub count: u8,
    /// Where the packet starts, in bytes from the start of the datagram.
    pub offset: usize,
    /// Bytes of the packet, header and padding included.
    pub length: usize,
    /// Bytes of padding at its end.
    pub padding: u8,
    /// The first thing that was wrong inside; what could be read was read.
    pub fault: Option<Malformed>,
    /// What it says.
    pub content: Content<'a>,
}

/// What a packet says.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// SR, 200 (RFC 3550 section 6.4.1).
    SenderReport {
        /// The sender.
        ssrc: u32,
        /// NTP time of sending: seconds since 1900 in the upper 32 bits, fraction in the lower.
        ntp: u64,
        /// The same moment on the RTP clock.
        rtp_timestamp: u32,
        /// RTP packets sent since the stream started.
        packets: u32,
        /// Payload octets sent since the stream started.
        octets: u32,
        /// What the sender receives.
        reports: Entries<'a, ReportBlock>,
        /// Profile-specific extension.
        extension: &'a [u8],
    },
    /// RR, 201 (RFC 3550 section 6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What it receives.
        reports: Entries<'a, ReportBlock>,
        /// Profile-specific extension.
        extension: &'a [u8],
    },
    /// SDES, 202 (RFC 3550 section 6.5).
    SourceDescription(Chunks<'a>),
    /// BYE, 203 (RFC 3550 section 6.6).
    Bye {
        /// The sources that leave.
        ssrcs: Ssrcs<'a>,
        /// Why, as the sender put it.
        reason: Option<&'a [u8]>,
    },
    /// APP, 204 (RFC 3550 section 6.7).
    App {
        /// Application's own number.
        subtype: u8,
        /// The sender.
        ssrc: u32,
        /// Four ASCII characters.
        name: [u8; 4],
        /// Application data.
        data: &'a [u8],
    },
    /// RTPFB, 205 (RFC 4585 section 6.2).
    TransportFeedback(TransportFeedback<'a>),
    /// PSFB, 206 (RFC 4585 section 6.3).
    PayloadFeedback(PayloadFeedback<'a>),
    /// XR, 207 (RFC 3611).
    ExtendedReport(ExtendedReport<'a>),
    /// Another type, or one whose fixed part is not all there: the bytes behind the header.
    Raw(&'a [u8]),
}

/// A list of SSRCs.
pub type Ssrcs<'a> = Entries<'a, u32>;

/// A report block (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream the block speaks of.
    pub ssrc: u32,
    /// Loss since the report before, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start: signed 24 bits, negative where duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with the count of its wraps in the upper 16 bits.
    pub highest_sequence: u32,
    /// Interarrival jitter in RTP timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last SR; 0 before the first.
    pub lsr: u32,
    /// From that SR to this report, in 1/65536 s.
    pub dlsr: u32,
}

impl Entry for ReportBlock {
    const SIZE: usize = 24;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            ssrc: reader.u32()?,
            fraction_lost: reader.u8()?,
            // Shifted up and back down, so that bit 23 becomes the sign.
            cumulative_lost: (reader.u24()? << 8).cast_signed() >> 8,
            highest_sequence: reader.u32()?,
            jitter: reader.u32()?,
            lsr: reader.u32()?,
            dlsr: reader.u32()?,
        })
    }
}

/// An iterator over the packets of a compound.
#[derive(Clone, Copy, Debug)]
pub struct Packets<'a> {
    reader: Reader<'a>,
}

impl<'a> Packets<'a> {
    pub(super) const fn new(compound: &'a [u8]) -> Self {
        Self { reader: Reader::new(Layer::Rtcp, compound) }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let offset = self.reader.offset();
        let header = Header::read(&mut { self.reader }).ok()?;
        let bytes = self.reader.take(header.length).ok()?;
        Some(Packet::read(header, offset, bytes, self.reader.is_empty()))
    }
}

impl<'a> Packet<'a> {
    fn read(header: Header, offset: usize, bytes: &'a [u8], last: bool) -> Self {
        let mut body = Reader::new(Layer::Rtcp, bytes);
        let mut faults = Faults::default();
        // A chain is only walked over headers that are whole.
        let _ = body.skip(4);
        let padding = if header.padding { padding(header, &body, last, &mut faults) } else { 0 };
        if let Ok(rest) = body.sub(body.len() - usize::from(padding)) {
            body = rest;
        }
        let raw = body.peek();
        let content = Content::read(header, body, &mut faults).unwrap_or_else(|fault| {
            faults.note(fault.kind, fault.offset);
            Content::Raw(raw)
        });
        Self {
            packet_type: header.packet_type,
            count: header.count,
            offset,
            length: header.length,
            padding,
            fault: faults.first.map(|(kind, at)| Malformed::new(Layer::Rtcp, kind, offset + 4 + at)),
            content,
        }
    }

    /// The type, and of feedback the format, in the words of its RFC.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match &self.content {
            Content::TransportFeedback(feedback) => feedback.name(),
            Content::PayloadFeedback(feedback) => feedback.name(),
            _ => type_name(self.packet_type),
        }
    }

    /// The SSRC of whoever sent the packet, where the type has it in a fixed place.
    #[must_use]
    pub fn sender_ssrc(&self) -> Option<u32> {
        match &self.content {
            Content::SenderReport { ssrc, .. } | Content::ReceiverReport { ssrc, .. } | Content::App { ssrc, .. } => {
                Some(*ssrc)
            }
            Content::TransportFeedback(feedback) => Some(feedback.sender_ssrc),
            Content::PayloadFeedback(feedback) => Some(feedback.sender_ssrc),
            Content::ExtendedReport(report) => Some(report.ssrc),
            Content::SourceDescription(_) | Content::Bye { .. } | Content::Raw(_) => None,
        }
    }
}

impl<'a> Content<'a> {
    fn read(header: Header, mut body: Reader<'a>, faults: &mut Faults) -> Result<Self, Malformed> {
        let count = usize::from(header.count);
        Ok(match header.packet_type {
            200 => Self::SenderReport {
                ssrc: body.u32()?,
                ntp: body.u64()?,
                rtp_timestamp: body.u32()?,
                packets: body.u32()?,
                octets: body.u32()?,
                reports: reports(&mut body, count, faults),
                extension: body.take_rest(),
            },
            201 => Self::ReceiverReport {
                ssrc: body.u32()?,
                reports: reports(&mut body, count, faults),
                extension: body.take_rest(),
            },
            202 => Self::SourceDescription(Chunks::new(body, count, faults)),
            203 => {
                let ssrcs = Ssrcs::counted(&mut body, count);
                faults.note_if(ssrcs.len() < count, &body);
                let length = body.u8().ok().filter(|&length| length > 0 && ssrcs.len() == count);
                let reason = length.and_then(|length| body.take(length.into()).ok());
                faults.note_if(length.is_some() && reason.is_none(), &body);
                Self::Bye { ssrcs, reason }
            }
            204 => Self::App { subtype: header.count, ssrc: body.u32()?, name: body.array()?, data: body.take_rest() },
            205 => Self::TransportFeedback(TransportFeedback::read(header.count, body, faults)?),
            206 => Self::PayloadFeedback(PayloadFeedback::read(header.count, body, faults)?),
            207 => Self::ExtendedReport(ExtendedReport::read(body, faults)?),
            _ => Self::Raw(body.take_rest()),
        })
    }
}

fn reports<'a>(body: &mut Reader<'a>, count: usize, faults: &mut Faults) -> Entries<'a, ReportBlock> {
    let reports = Entries::counted(body, count);
    faults.note_if(reports.len() < count, body);
    reports
}

/// Bytes of padding: the last byte says how many, a multiple of four and itself included (RFC 3550 section 6.4.1).
/// Every sender of transport-cc fills up its last word with one to three bytes instead; that is not worth a fault.
fn padding(header: Header, body: &Reader<'_>, last: bool, faults: &mut Faults) -> u8 {
    let padding = body.peek().last().copied().unwrap_or_default();
    let whole_words = padding.is_multiple_of(4) || (header.packet_type, header.count) == (205, 15);
    let valid = padding > 0 && whole_words && usize::from(padding) <= body.len();
    if !valid || !last {
        faults.note(Kind::BadValue, body.len().saturating_sub(1));
    }
    if valid && last { padding } else { 0 }
}

/// Remembers the first fault of a packet while the rest of it is still read. Offsets count from behind the header.
#[derive(Default)]
pub(crate) struct Faults {
    first: Option<(Kind, usize)>,
}

impl Faults {
    pub(crate) fn note(&mut self, kind: Kind, offset: usize) {
        self.first.get_or_insert((kind, offset));
    }

    /// A count or length that the bytes contradict, where `wrong`.
    pub(crate) fn note_if(&mut self, wrong: bool, at: &Reader<'_>) {
        if wrong {
            self.note(Kind::BadLength, at.offset());
        }
    }
}

/// The name of a packet type, as IANA's *RTCP Control Packet Types* has it.
#[must_use]
pub const fn type_name(packet_type: u8) -> &'static str {
    match packet_type {
        192 => "FIR (RFC 2032)",
        193 => "NACK (RFC 2032)",
        194 => "SMPTETC",
        195 => "IJ",
        200 => "SR",
        201 => "RR",
        202 => "SDES",
        203 => "BYE",
        204 => "APP",
        205 => "RTPFB",
        206 => "PSFB",
        207 => "XR",
        208 => "AVB",
        209 => "RSI",
        210 => "TOKEN",
        211 => "IDMS",
        212 => "RGRS",
        213 => "SNM",
        _ => "unassigned",
    }
}
