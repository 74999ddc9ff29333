//! Feedback: RTPFB and PSFB (RFC 4585 section 6, RFC 5104, RFC 6679, RFC 8888, draft-holmer-rmcat-transport-wide-cc).

mod congestion;
mod payload;

pub use congestion::{
    Arrival, Arrivals, Ccfb, CcfbStream, CcfbStreams, PacketStatus, Status, StatusCounts, Statuses, TransportCc,
};
pub use payload::{Fir, PayloadFeedback, PayloadMessage, Sli, TemporalSpatial, Vbcm, Vbcms, payload_format_name};

use super::{Entries, Entry, Malformed, Reader, rtcp::Faults};

/// Transport layer feedback, 205 (RFC 4585 section 6.2).
#[derive(Clone, Copy, Debug)]
pub struct TransportFeedback<'a> {
    /// Who sends the feedback.
    pub sender_ssrc: u32,
    /// The stream it speaks of; of CCFB the first of its streams, 0 where there is none.
    pub media_ssrc: u32,
    /// FMT.
    pub format: u8,
    /// What it says.
    pub message: TransportMessage<'a>,
}

/// What transport layer feedback says.
#[derive(Clone, Copy, Debug)]
pub enum TransportMessage<'a> {
    /// FMT 1: packets that are missing (RFC 4585 section 6.2.1).
    GenericNack(Entries<'a, NackPair>),
    /// FMT 3: the receiver's limit of the bitrate (RFC 5104 section 4.2.1).
    Tmmbr(Entries<'a, BitrateLimit>),
    /// FMT 4: the limits the sender obeys (RFC 5104 section 4.2.2).
    Tmmbn(Entries<'a, BitrateLimit>),
    /// FMT 5: please send an SR at once (RFC 6051 section 3.2).
    SenderReportRequest,
    /// FMT 7: packets lost upstream, not to be asked for again (RFC 6642 section 5.1).
    Tllei(Entries<'a, NackPair>),
    /// FMT 8: ECN counters (RFC 6679 section 5.1).
    Ecn(EcnFeedback),
    /// FMT 11: arrival of each packet of several streams (RFC 8888).
    CongestionControl(Ccfb<'a>),
    /// FMT 15: arrival of each packet of the transport (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportCc(TransportCc<'a>),
    /// Another format, or one whose fixed part is not all there: the FCI.
    Other(&'a [u8]),
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn read(format: u8, mut body: Reader<'a>, faults: &mut Faults) -> Result<Self, Malformed> {
        let sender_ssrc = body.u32()?;
        // RFC 8888 has no common media SSRC: its first stream starts there, or its timestamp where it has no stream.
        if format == CCFB {
            let ccfb = Ccfb::read(body, faults)?;
            let media_ssrc = ccfb.streams().next().map_or(0, |stream| stream.ssrc);
            let message = TransportMessage::CongestionControl(ccfb);
            return Ok(Self { sender_ssrc, media_ssrc, format, message });
        }
        let media_ssrc = body.u32()?;
        let fci = body;
        let message = TransportMessage::read(format, body, faults).unwrap_or_else(|fault| {
            faults.note(fault.kind, fault.offset);
            TransportMessage::Other(fci.peek())
        });
        Ok(Self { sender_ssrc, media_ssrc, format, message })
    }

    /// The format, in the words of its RFC.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        transport_format_name(self.format)
    }
}

impl<'a> TransportMessage<'a> {
    fn read(format: u8, mut fci: Reader<'a>, faults: &mut Faults) -> Result<Self, Malformed> {
        Ok(match format {
            1 => Self::GenericNack(entries(fci, faults)),
            3 => Self::Tmmbr(entries(fci, faults)),
            4 => Self::Tmmbn(entries(fci, faults)),
            5 => Self::SenderReportRequest,
            7 => Self::Tllei(entries(fci, faults)),
            8 => Self::Ecn(EcnFeedback::read(&mut fci)?),
            TRANSPORT_CC => Self::TransportCc(TransportCc::read(fci, faults)?),
            _ => Self::Other(fci.take_rest()),
        })
    }
}

/// All of an FCI as entries; a rest that is no whole entry is a fault.
fn entries<'a, T: Entry>(mut fci: Reader<'a>, faults: &mut Faults) -> Entries<'a, T> {
    faults.note_if(!fci.len().is_multiple_of(T::SIZE), &fci);
    Entries::all(&mut fci)
}

/// A sequence number and a bitmap of the 16 behind it (RFC 4585 section 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NackPair {
    /// PID: the first missing packet.
    pub packet_id: u16,
    /// BLP: bit i is set where packet PID + i + 1 is missing too.
    pub bitmask: u16,
}

impl NackPair {
    /// The sequence numbers of all packets asked for, ascending.
    pub fn sequences(self) -> impl Iterator<Item = u16> {
        let following = (0..16).filter(move |bit| self.bitmask >> bit & 1 == 1);
        std::iter::once(self.packet_id).chain(following.map(move |bit| self.packet_id.wrapping_add(bit + 1)))
    }
}

impl Entry for NackPair {
    const SIZE: usize = 4;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { packet_id: reader.u16()?, bitmask: reader.u16()? })
    }
}

/// A tuple of TMMBR and TMMBN (RFC 5104 section 4.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitrateLimit {
    /// TMMBR: the stream to be limited. TMMBN: who asked.
    pub ssrc: u32,
    /// Highest total media bitrate in bit/s.
    pub bitrate: u64,
    /// Measured overhead in bytes a packet.
    pub overhead: u16,
}

impl Entry for BitrateLimit {
    const SIZE: usize = 8;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (ssrc, word) = (reader.u32()?, reader.u32()?);
        let bitrate = scaled(word >> 9 & 0x1_ffff, word >> 26);
        Ok(Self { ssrc, bitrate, overhead: u16::from_be_bytes([(word >> 8 & 1) as u8, word as u8]) })
    }
}

/// Mantissa times two to the exponent; what does not fit in 64 bits is `u64::MAX`.
fn scaled(mantissa: u32, exponent: u32) -> u64 {
    let wide = u128::from(mantissa) << (exponent & 0x3f);
    u64::try_from(wide).unwrap_or(u64::MAX)
}

/// ECN feedback (RFC 6679 section 5.1). Counters run from the start of the stream and wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcnFeedback {
    /// Extended highest sequence number received.
    pub highest_sequence: u32,
    /// Packets marked ECT(0).
    pub ect0: u32,
    /// Packets marked ECT(1).
    pub ect1: u32,
    /// Packets marked CE: congestion experienced.
    pub congestion_experienced: u16,
    /// Packets without mark.
    pub not_ect: u16,
    /// Packets lost.
    pub lost: u16,
    /// Packets received twice.
    pub duplicated: u16,
}

impl Entry for EcnFeedback {
    const SIZE: usize = 20;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            highest_sequence: reader.u32()?,
            ect0: reader.u32()?,
            ect1: reader.u32()?,
            congestion_experienced: reader.u16()?,
            not_ect: reader.u16()?,
            lost: reader.u16()?,
            duplicated: reader.u16()?,
        })
    }
}

/// The name of an RTPFB format, as IANA's *FMT Values for RTPFB Payload Types* has it.
#[must_use]
pub const fn transport_format_name(format: u8) -> &'static str {
    match format {
        1 => "Generic NACK",
        3 => "TMMBR",
        4 => "TMMBN",
        5 => "RTCP-SR-REQ",
        6 => "RAMS",
        7 => "TLLEI",
        8 => "RTCP-ECN-FB",
        9 => "PAUSE-RESUME",
        10 => "DBI",
        CCFB => "CCFB",
        TRANSPORT_CC => "transport-cc",
        31 => "extension",
        _ => "unassigned RTPFB",
    }
}

const CCFB: u8 = 11;
const TRANSPORT_CC: u8 = 15;

#[cfg(test)]
mod tests;
