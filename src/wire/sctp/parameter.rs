//! Parameters (RFC 9260 section 3.2.1) and error causes (section 3.3.10), which have the same shape.

use super::{cause_name, parameter_name};
use crate::wire::{Entries, Kind, Layer, Malformed, Reader};

/// A parameter of INIT, INIT ACK, RE-CONFIG, ASCONF or ASCONF ACK.
#[derive(Clone, Copy, Debug)]
pub struct Parameter<'a> {
    /// Parameter type.
    pub kind: u16,
    /// Its value, without padding; cut where the chunk ends before it.
    pub value: &'a [u8],
    /// A length that cannot be; the list ends with it.
    pub fault: Option<Malformed>,
}

/// What a parameter says, where rtcscope reads its type.
#[derive(Clone, Copy, Debug)]
pub enum ParameterContent<'a> {
    /// 5: an IPv4 address.
    Ipv4([u8; 4]),
    /// 6: an IPv6 address.
    Ipv6([u8; 16]),
    /// 0x8001: zero checksum is welcome, given this error detection method (RFC 9653): 1 is DTLS.
    ZeroChecksumAcceptable(u32),
    /// 0x8008: chunk types the sender understands (RFC 5061 section 4.2.7).
    SupportedExtensions(&'a [u8]),
    /// 13: outgoing SSN reset request (RFC 6525 section 4.1).
    OutgoingReset {
        /// Number of the request.
        request: u32,
        /// The request this one answers.
        response: u32,
        /// Last TSN sent before it.
        last_tsn: u32,
        /// The streams; none stands for all.
        streams: Entries<'a, u16>,
    },
    /// 14: incoming SSN reset request (RFC 6525 section 4.2).
    IncomingReset {
        /// Number of the request.
        request: u32,
        /// The streams; none stands for all.
        streams: Entries<'a, u16>,
    },
    /// 15: SSN and TSN reset request (RFC 6525 section 4.3).
    TsnReset {
        /// Number of the request.
        request: u32,
    },
    /// 16: answer (RFC 6525 section 4.4). Result 0 nothing to do, 1 performed, 2 denied, 3 wrong SSN, 4 already in
    /// progress, 5 bad sequence number, 6 in progress.
    ReconfigurationResponse {
        /// Number of the request.
        response: u32,
        /// What came of it.
        result: u32,
    },
    /// 17 and 18: more streams are wanted (RFC 6525 sections 4.5 and 4.6).
    AddStreams {
        /// Number of the request.
        request: u32,
        /// How many.
        streams: u16,
    },
    /// Any other, or one whose fixed part is not all there.
    Other(&'a [u8]),
}

/// An error cause of ABORT and ERROR.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a> {
    /// Cause code.
    pub code: u16,
    /// Its information, without padding; cut where the chunk ends before it.
    pub value: &'a [u8],
    /// A length that cannot be; the list ends with it.
    pub fault: Option<Malformed>,
}

/// An iterator over parameters.
#[derive(Clone, Debug)]
pub struct Parameters<'a> {
    reader: Reader<'a>,
}

/// An iterator over error causes.
#[derive(Clone, Debug)]
pub struct Causes<'a> {
    reader: Reader<'a>,
}

impl<'a> Parameters<'a> {
    pub(super) const fn new(reader: Reader<'a>) -> Self {
        Self { reader }
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        next(&mut self.reader).map(|(kind, value, fault)| Parameter { kind, value, fault })
    }
}

impl<'a> Causes<'a> {
    pub(super) const fn new(reader: Reader<'a>) -> Self {
        Self { reader }
    }
}

impl<'a> Iterator for Causes<'a> {
    type Item = Cause<'a>;

    fn next(&mut self) -> Option<Cause<'a>> {
        next(&mut self.reader).map(|(code, value, fault)| Cause { code, value, fault })
    }
}

/// Type, value and fault of the next item. Each takes its four bytes of header at least, so that lists end.
fn next<'a>(reader: &mut Reader<'a>) -> Option<(u16, &'a [u8], Option<Malformed>)> {
    if reader.is_empty() {
        return None;
    }
    let fault = reader.fault(Kind::BadLength);
    let Ok([high, low, length_high, length_low]) = reader.array() else {
        return Some((0, reader.take_rest(), Some(fault)));
    };
    let kind = u16::from_be_bytes([high, low]);
    let length = usize::from(u16::from_be_bytes([length_high, length_low])).checked_sub(4);
    let Some(length) = length.filter(|&length| length <= reader.len()) else {
        return Some((kind, reader.take_rest(), Some(fault)));
    };
    let value = reader.take(length).unwrap_or_default();
    let padding = (length.next_multiple_of(4) - length).min(reader.len());
    let _ = reader.skip(padding);
    Some((kind, value, None))
}

impl<'a> Parameter<'a> {
    /// The parameter's name, as its RFC writes it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        parameter_name(self.kind)
    }

    /// Reads the value.
    #[must_use]
    pub fn content(&self) -> ParameterContent<'a> {
        self.read().unwrap_or(ParameterContent::Other(self.value))
    }

    fn read(&self) -> Result<ParameterContent<'a>, Malformed> {
        let mut value = Reader::new(Layer::Sctp, self.value);
        Ok(match self.kind {
            5 => ParameterContent::Ipv4(value.array()?),
            6 => ParameterContent::Ipv6(value.array()?),
            0x8001 => ParameterContent::ZeroChecksumAcceptable(value.u32()?),
            0x8008 => ParameterContent::SupportedExtensions(value.take_rest()),
            13 => ParameterContent::OutgoingReset {
                request: value.u32()?,
                response: value.u32()?,
                last_tsn: value.u32()?,
                streams: Entries::all(&mut value),
            },
            14 => ParameterContent::IncomingReset { request: value.u32()?, streams: Entries::all(&mut value) },
            15 => ParameterContent::TsnReset { request: value.u32()? },
            16 => ParameterContent::ReconfigurationResponse { response: value.u32()?, result: value.u32()? },
            17 | 18 => ParameterContent::AddStreams { request: value.u32()?, streams: value.u16()? },
            _ => ParameterContent::Other(value.take_rest()),
        })
    }
}

impl<'a> Cause<'a> {
    /// The cause's name, as its RFC writes it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        cause_name(self.code)
    }

    /// What the peer wrote for people: the reason of a user's abort (12), the information of a protocol violation (13).
    #[must_use]
    pub fn text(&self) -> Option<&'a [u8]> {
        (matches!(self.code, 12 | 13) && !self.value.is_empty()).then_some(self.value)
    }
}
