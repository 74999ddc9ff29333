//! Chunks and their fixed parts (RFC 9260 section 3.3).

use super::{Causes, Parameters, chunk_name};
use crate::wire::{Entries, Entry, Layer, Malformed, Reader};

/// A chunk: its header and what the capture holds of its value.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Chunk type.
    pub kind: u8,
    /// Flags.
    pub flags: u8,
    /// Where it starts, in bytes from the start of the packet.
    pub offset: usize,
    /// The length field: header and value without padding.
    pub length: u16,
    /// Its value, cut where the packet ends before it.
    pub value: &'a [u8],
    /// A length that cannot be, or a value that is cut.
    pub fault: Option<Malformed>,
}

/// What a chunk says.
#[derive(Clone, Debug)]
pub enum Content<'a> {
    /// DATA, 0.
    Data(Data<'a>),
    /// INIT, 1.
    Init(Init<'a>),
    /// INIT ACK, 2.
    InitAck(Init<'a>),
    /// SACK, 3.
    Sack(Sack<'a>),
    /// HEARTBEAT, 4: its information, which comes back unchanged.
    Heartbeat(&'a [u8]),
    /// HEARTBEAT ACK, 5.
    HeartbeatAck(&'a [u8]),
    /// ABORT, 6. `tag_reflected` (T): the tag is the one of the packet it answers.
    Abort {
        /// T flag.
        tag_reflected: bool,
        /// Why.
        causes: Causes<'a>,
    },
    /// SHUTDOWN, 7: cumulative TSN ack.
    Shutdown(u32),
    /// SHUTDOWN ACK, 8.
    ShutdownAck,
    /// ERROR, 9.
    Error(Causes<'a>),
    /// COOKIE ECHO, 10.
    CookieEcho(&'a [u8]),
    /// COOKIE ACK, 11.
    CookieAck,
    /// ECNE, 12: lowest TSN that came with a congestion mark (RFC 9260 appendix B).
    EcnEcho(u32),
    /// CWR, 13: lowest TSN.
    CongestionWindowReduced(u32),
    /// SHUTDOWN COMPLETE, 14, with its T flag.
    ShutdownComplete {
        /// T flag.
        tag_reflected: bool,
    },
    /// AUTH, 15 (RFC 4895).
    Auth {
        /// Shared key identifier.
        key: u16,
        /// HMAC identifier: 1 SHA-1, 3 SHA-256.
        hmac: u16,
    },
    /// I-DATA, 64 (RFC 8260).
    InterleavedData(Data<'a>),
    /// ASCONF, 193 (RFC 5061).
    AddressConfiguration {
        /// Serial number.
        sequence: u32,
        /// The address and what to do with it.
        parameters: Parameters<'a>,
    },
    /// ASCONF ACK, 128 (RFC 5061).
    AddressConfigurationAck {
        /// Serial number.
        sequence: u32,
        /// The answers.
        parameters: Parameters<'a>,
    },
    /// RE-CONFIG, 130 (RFC 6525).
    Reconfiguration(Parameters<'a>),
    /// PAD, 132 (RFC 4820).
    Padding,
    /// FORWARD TSN, 192 (RFC 3758).
    ForwardTsn {
        /// New cumulative TSN.
        tsn: u32,
        /// The streams that something was given up of.
        streams: Entries<'a, ForwardedStream>,
    },
    /// I-FORWARD-TSN, 194 (RFC 8260).
    InterleavedForwardTsn {
        /// New cumulative TSN.
        tsn: u32,
        /// The streams that something was given up of.
        streams: Entries<'a, InterleavedForward>,
    },
    /// A chunk of another type.
    Unknown(&'a [u8]),
}

/// A DATA (RFC 9260 section 3.3.1) or I-DATA chunk (RFC 8260 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// I: please acknowledge at once.
    pub immediate: bool,
    /// U: no order among the messages of the stream.
    pub unordered: bool,
    /// B: first fragment of a message.
    pub begin: bool,
    /// E: last fragment of a message.
    pub end: bool,
    /// Transmission sequence number.
    pub tsn: u32,
    /// Stream.
    pub stream: u16,
    /// SSN (16 bits) of DATA, MID (32 bits) of I-DATA.
    pub sequence: u32,
    /// PPID; `None` in an I-DATA chunk that is not the first of its message.
    pub payload_protocol: Option<u32>,
    /// Fragment number of an I-DATA chunk that is not the first of its message.
    pub fragment: Option<u32>,
    /// User data, as much as was captured.
    pub payload: &'a [u8],
    /// Bytes of user data on the wire.
    pub payload_length: u16,
}

/// INIT and INIT ACK (RFC 9260 sections 3.3.2 and 3.3.3).
#[derive(Clone, Debug)]
pub struct Init<'a> {
    /// The tag the sender wants to see in what it receives.
    pub initiate_tag: u32,
    /// Advertised receiver window credit in bytes.
    pub receiver_window: u32,
    /// Streams the sender wants.
    pub outbound_streams: u16,
    /// Streams the sender can take.
    pub inbound_streams: u16,
    /// The first TSN it will send.
    pub initial_tsn: u32,
    /// Options.
    pub parameters: Parameters<'a>,
}

/// SACK (RFC 9260 section 3.3.4).
#[derive(Clone, Debug)]
pub struct Sack<'a> {
    /// Everything up to this TSN has come.
    pub cumulative_tsn: u32,
    /// Advertised receiver window credit in bytes.
    pub receiver_window: u32,
    /// What has come beyond it.
    pub gap_blocks: Entries<'a, GapBlock>,
    /// TSNs that came more than once since the SACK before.
    pub duplicate_tsns: Entries<'a, u32>,
    /// Whether the counts promised more than the bytes hold (CVE-2012-6056); then they were cut.
    pub counts_cut: bool,
}

/// TSNs that have come, as distances from the cumulative TSN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapBlock {
    /// First.
    pub start: u16,
    /// Last.
    pub end: u16,
}

/// A stream of FORWARD TSN (RFC 3758 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardedStream {
    /// Stream.
    pub stream: u16,
    /// Last sequence number given up.
    pub sequence: u16,
}

/// A stream of I-FORWARD-TSN (RFC 8260 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterleavedForward {
    /// Stream.
    pub stream: u16,
    /// U: of its unordered messages.
    pub unordered: bool,
    /// Last message given up.
    pub message: u32,
}

impl<'a> Chunk<'a> {
    /// The chunk's name, as its RFC writes it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        chunk_name(self.kind)
    }

    /// Reads the value.
    ///
    /// # Errors
    /// [`Layer::Sctp`] where the fixed part of its type is not all there.
    pub fn content(&self) -> Result<Content<'a>, Malformed> {
        if let Some(fault) = self.fault.filter(|_| self.length < 4) {
            return Err(fault);
        }
        self.read().map_err(|fault| Malformed { offset: self.offset + 4 + fault.offset, ..fault })
    }

    fn read(&self) -> Result<Content<'a>, Malformed> {
        let mut value = Reader::new(Layer::Sctp, self.value);
        Ok(match self.kind {
            0 => Content::Data(self.data(value)?),
            1 => Content::Init(Init::read(value)?),
            2 => Content::InitAck(Init::read(value)?),
            3 => Content::Sack(Sack::read(value)?),
            4 => Content::Heartbeat(value.take_rest()),
            5 => Content::HeartbeatAck(value.take_rest()),
            6 => Content::Abort { tag_reflected: self.flags & 1 == 1, causes: Causes::new(value) },
            7 => Content::Shutdown(value.u32()?),
            8 => Content::ShutdownAck,
            9 => Content::Error(Causes::new(value)),
            10 => Content::CookieEcho(value.take_rest()),
            11 => Content::CookieAck,
            12 => Content::EcnEcho(value.u32()?),
            13 => Content::CongestionWindowReduced(value.u32()?),
            14 => Content::ShutdownComplete { tag_reflected: self.flags & 1 == 1 },
            15 => Content::Auth { key: value.u16()?, hmac: value.u16()? },
            64 => Content::InterleavedData(self.interleaved(value)?),
            128 => Content::AddressConfigurationAck { sequence: value.u32()?, parameters: Parameters::new(value) },
            130 => Content::Reconfiguration(Parameters::new(value)),
            132 => Content::Padding,
            192 => Content::ForwardTsn { tsn: value.u32()?, streams: Entries::all(&mut value) },
            193 => Content::AddressConfiguration { sequence: value.u32()?, parameters: Parameters::new(value) },
            194 => Content::InterleavedForwardTsn { tsn: value.u32()?, streams: Entries::all(&mut value) },
            _ => Content::Unknown(value.take_rest()),
        })
    }

    fn data(&self, mut value: Reader<'a>) -> Result<Data<'a>, Malformed> {
        let (tsn, stream, sequence) = (value.u32()?, value.u16()?, value.u16()?.into());
        let payload_protocol = Some(value.u32()?);
        Ok(self.fragment(Data { tsn, stream, sequence, payload_protocol, ..EMPTY }, value, 16))
    }

    fn interleaved(&self, mut value: Reader<'a>) -> Result<Data<'a>, Malformed> {
        let (tsn, stream) = (value.u32()?, value.u16()?);
        value.skip(2)?;
        let (sequence, word) = (value.u32()?, value.u32()?);
        let begin = self.flags & BEGIN != 0;
        let (payload_protocol, fragment) = (begin.then_some(word), (!begin).then_some(word));
        Ok(self.fragment(Data { tsn, stream, sequence, payload_protocol, fragment, ..EMPTY }, value, 20))
    }

    fn fragment(&self, data: Data<'a>, mut value: Reader<'a>, header: u16) -> Data<'a> {
        Data {
            immediate: self.flags & 8 != 0,
            unordered: self.flags & 4 != 0,
            begin: self.flags & BEGIN != 0,
            end: self.flags & 1 != 0,
            payload: value.take_rest(),
            payload_length: self.length.saturating_sub(header),
            ..data
        }
    }
}

impl<'a> Init<'a> {
    fn read(mut value: Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            initiate_tag: value.u32()?,
            receiver_window: value.u32()?,
            outbound_streams: value.u16()?,
            inbound_streams: value.u16()?,
            initial_tsn: value.u32()?,
            parameters: Parameters::new(value),
        })
    }
}

impl<'a> Sack<'a> {
    fn read(mut value: Reader<'a>) -> Result<Self, Malformed> {
        let (cumulative_tsn, receiver_window) = (value.u32()?, value.u32()?);
        let (gaps, duplicates) = (usize::from(value.u16()?), usize::from(value.u16()?));
        let gap_blocks = Entries::counted(&mut value, gaps);
        let duplicate_tsns = Entries::counted(&mut value, duplicates);
        let counts_cut = gap_blocks.len() < gaps || duplicate_tsns.len() < duplicates;
        Ok(Self { cumulative_tsn, receiver_window, gap_blocks, duplicate_tsns, counts_cut })
    }
}

impl Entry for GapBlock {
    const SIZE: usize = 4;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { start: reader.u16()?, end: reader.u16()? })
    }
}

impl Entry for ForwardedStream {
    const SIZE: usize = 4;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stream: reader.u16()?, sequence: reader.u16()? })
    }
}

impl Entry for InterleavedForward {
    const SIZE: usize = 8;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { stream: reader.u16()?, unordered: reader.u16()? & 1 == 1, message: reader.u32()? })
    }
}

/// What the two kinds of DATA fill in.
const EMPTY: Data<'_> = Data {
    immediate: false,
    unordered: false,
    begin: false,
    end: false,
    tsn: 0,
    stream: 0,
    sequence: 0,
    payload_protocol: None,
    fragment: None,
    payload: &[],
    payload_length: 0,
};
const BEGIN: u8 = 2;
