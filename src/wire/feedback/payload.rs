//! Payload-specific feedback (RFC 4585 section 6.3, RFC 5104 sections 4.3.1 to 4.3.4, draft-alvestrand-rmcat-remb).

use super::{entries, scaled};
use crate::wire::{
    Entries, Entry, Malformed, Reader,
    rtcp::{Faults, Ssrcs},
};

/// Payload-specific feedback, 206 (RFC 4585 section 6.3).
#[derive(Clone, Copy, Debug)]
pub struct PayloadFeedback<'a> {
    /// Who sends the feedback.
    pub sender_ssrc: u32,
    /// The stream it speaks of; 0 where its entries say that.
    pub media_ssrc: u32,
    /// FMT.
    pub format: u8,
    /// What it says.
    pub message: PayloadMessage<'a>,
}

/// What payload-specific feedback says.
#[derive(Clone, Copy, Debug)]
pub enum PayloadMessage<'a> {
    /// FMT 1: a picture is lost (RFC 4585 section 6.3.1).
    Pli,
    /// FMT 2: macroblocks are lost (RFC 4585 section 6.3.2).
    Sli(Entries<'a, Sli>),
    /// FMT 3: a reference picture to use (RFC 4585 section 6.3.3).
    Rpsi {
        /// Bits at the end of `picture` that do not count.
        padding_bits: u8,
        /// Payload type the picture id is to be read by.
        payload_type: u8,
        /// The picture, in the codec's own words.
        picture: &'a [u8],
    },
    /// FMT 4: a full picture is wanted (RFC 5104 section 4.3.1).
    Fir(Entries<'a, Fir>),
    /// FMT 5: temporal-spatial trade-off request (RFC 5104 section 4.3.2).
    Tstr(Entries<'a, TemporalSpatial>),
    /// FMT 6: temporal-spatial trade-off notification (RFC 5104 section 4.3.3).
    Tstn(Entries<'a, TemporalSpatial>),
    /// FMT 7: H.271 video back channel messages (RFC 5104 section 4.3.4).
    Vbcm(Vbcms<'a>),
    /// FMT 15 `REMB`: the receiver's estimate of the bitrate there is.
    Remb {
        /// For all streams together, in bit/s.
        bitrate: u64,
        /// The streams.
        ssrcs: Ssrcs<'a>,
    },
    /// FMT 15 of another application: the FCI.
    ApplicationLayer(&'a [u8]),
    /// Another format, or one whose fixed part is not all there: the FCI.
    Other(&'a [u8]),
}

impl<'a> PayloadFeedback<'a> {
    pub(in crate::wire) fn read(format: u8, mut body: Reader<'a>, faults: &mut Faults) -> Result<Self, Malformed> {
        let (sender_ssrc, media_ssrc) = (body.u32()?, body.u32()?);
        let fci = body;
        let message = PayloadMessage::read(format, body, faults).unwrap_or_else(|fault| {
            faults.note(fault.kind, fault.offset);
            PayloadMessage::Other(fci.peek())
        });
        Ok(Self { sender_ssrc, media_ssrc, format, message })
    }

    /// The format, in the words of its RFC.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.message {
            PayloadMessage::Remb { .. } => "REMB",
            _ => payload_format_name(self.format),
        }
    }
}

impl<'a> PayloadMessage<'a> {
    fn read(format: u8, mut fci: Reader<'a>, faults: &mut Faults) -> Result<Self, Malformed> {
        Ok(match format {
            1 => Self::Pli,
            2 => Self::Sli(entries(fci, faults)),
            3 => Self::Rpsi { padding_bits: fci.u8()?, payload_type: fci.u8()? & 0x7f, picture: fci.take_rest() },
            4 => Self::Fir(entries(fci, faults)),
            5 => Self::Tstr(entries(fci, faults)),
            6 => Self::Tstn(entries(fci, faults)),
            7 => Self::Vbcm(Vbcms { reader: fci }),
            15 if fci.peek().starts_with(REMB) => Self::remb(fci, faults)?,
            15 => Self::ApplicationLayer(fci.take_rest()),
            _ => Self::Other(fci.take_rest()),
        })
    }

    fn remb(mut fci: Reader<'a>, faults: &mut Faults) -> Result<Self, Malformed> {
        fci.skip(REMB.len())?;
        let count = usize::from(fci.u8()?);
        let word = fci.u24()?;
        let ssrcs = Ssrcs::counted(&mut fci, count);
        faults.note_if(ssrcs.len() < count, &fci);
        Ok(Self::Remb { bitrate: scaled(word & 0x3_ffff, word >> 18), ssrcs })
    }
}

/// Slice loss (RFC 4585 section 6.3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sli {
    /// First macroblock lost, in raster order.
    pub first: u16,
    /// Macroblocks lost.
    pub number: u16,
    /// Six lowest bits of the picture id.
    pub picture_id: u8,
}

impl Entry for Sli {
    const SIZE: usize = 4;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let word = reader.u32()?;
        Ok(Self { first: (word >> 19) as u16, number: (word >> 6 & 0x1fff) as u16, picture_id: (word & 0x3f) as u8 })
    }
}

/// Full intra request (RFC 5104 section 4.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fir {
    /// The stream that shall send a full picture.
    pub ssrc: u32,
    /// Grows with each new request; the same number is a repetition.
    pub sequence: u8,
}

impl Entry for Fir {
    const SIZE: usize = 8;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let entry = Self { ssrc: reader.u32()?, sequence: reader.u8()? };
        reader.skip(3)?;
        Ok(entry)
    }
}

/// Temporal-spatial trade-off (RFC 5104 sections 4.3.2.1 and 4.3.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemporalSpatial {
    /// TSTR: the stream. TSTN: who asked.
    pub ssrc: u32,
    /// Number of the request.
    pub sequence: u8,
    /// 0 for most spatial quality, 31 for most frames.
    pub index: u8,
}

impl Entry for TemporalSpatial {
    const SIZE: usize = 8;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (ssrc, word) = (reader.u32()?, reader.u32()?);
        Ok(Self { ssrc, sequence: (word >> 24) as u8, index: (word & 0x1f) as u8 })
    }
}

/// A video back channel message (RFC 5104 section 4.3.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vbcm<'a> {
    /// The stream.
    pub ssrc: u32,
    /// Number of the message.
    pub sequence: u8,
    /// Payload type the message is to be read by.
    pub payload_type: u8,
    /// The message (ITU-T H.271).
    pub message: &'a [u8],
}

/// An iterator over video back channel messages.
#[derive(Clone, Copy, Debug)]
pub struct Vbcms<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Vbcms<'a> {
    type Item = Vbcm<'a>;

    fn next(&mut self) -> Option<Vbcm<'a>> {
        let ssrc = self.reader.u32().ok()?;
        let sequence = self.reader.u8().ok()?;
        let payload_type = self.reader.u8().ok()? & 0x7f;
        let length = usize::from(self.reader.u16().ok()?);
        let message = self.reader.take(length).ok()?;
        let padding = (length.next_multiple_of(4) - length).min(self.reader.len());
        self.reader.skip(padding).ok()?;
        Some(Vbcm { ssrc, sequence, payload_type, message })
    }
}

/// The name of a PSFB format, as IANA's *FMT Values for PSFB Payload Types* has it.
#[must_use]
pub const fn payload_format_name(format: u8) -> &'static str {
    match format {
        1 => "PLI",
        2 => "SLI",
        3 => "RPSI",
        4 => "FIR",
        5 => "TSTR",
        6 => "TSTN",
        7 => "VBCM",
        8 => "PSLEI",
        9 => "ROI",
        10 => "LRR",
        15 => "AFB",
        31 => "extension",
        _ => "unassigned PSFB",
    }
}

const REMB: &[u8] = b"REMB";
