//! SCTP packets and chunks (RFC 9260), over IP, UDP (RFC 6951) or DTLS (RFC 8261).

mod checksum;
mod chunk;
mod dcep;
mod names;
mod parameter;

pub use checksum::crc32c;
pub use chunk::{Chunk, Content, Data, ForwardedStream, GapBlock, Init, InterleavedForward, Sack};
pub use dcep::{Dcep, Open, Reliability};
pub use names::{cause_name, chunk_name, parameter_name, payload_protocol_name};
pub use parameter::{Cause, Causes, Parameter, ParameterContent, Parameters};

use super::{Kind, Layer, Malformed, Reader};

/// An SCTP packet: the common header (RFC 9260 section 3.1) and chunks.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Verification tag: what the receiver chose at the handshake; 0 with INIT.
    pub verification_tag: u32,
    /// CRC32C as sent.
    pub checksum: u32,
    bytes: &'a [u8],
    wire_length: usize,
}

/// What the checksum field is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// CRC32C of the packet.
    Correct,
    /// 0, which is legal where both ends agreed on it (RFC 9653) and else the sign of checksum offload.
    Zero,
    /// Something else.
    Wrong,
    /// The capture does not hold the whole packet.
    Unknown,
}

impl<'a> Packet<'a> {
    /// Reads the common header.
    ///
    /// # Errors
    /// [`Layer::Sctp`] where there are fewer than its 12 bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse_snapped(bytes, bytes.len())
    }

    /// As [`Self::parse`], for a packet of `wire_length` bytes of which the capture may hold fewer.
    ///
    /// # Errors
    /// [`Layer::Sctp`] where there are fewer than the 12 bytes of the common header.
    pub fn parse_snapped(bytes: &'a [u8], wire_length: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Sctp, bytes);
        Ok(Self {
            source_port: reader.u16()?,
            destination_port: reader.u16()?,
            verification_tag: reader.u32()?,
            checksum: reader.u32()?,
            bytes,
            wire_length: wire_length.max(bytes.len()),
        })
    }

    /// The chunks, in order. A length that cannot be is the last chunk's fault.
    #[must_use]
    pub fn chunks(&self) -> Chunks<'a> {
        let mut reader = Reader::new(Layer::Sctp, self.bytes);
        // The header was read when the packet was made.
        let _ = reader.skip(HEADER);
        Chunks { reader, missing: self.wire_length - self.bytes.len() }
    }

    /// Compares the checksum with the bytes.
    #[must_use]
    pub fn verify_checksum(&self) -> Checksum {
        if self.wire_length > self.bytes.len() {
            return Checksum::Unknown;
        }
        if self.checksum == 0 {
            return Checksum::Zero;
        }
        let (head, tail) = self.bytes.split_at_checked(CHECKSUM_AT).unwrap_or_default();
        let (_, tail) = tail.split_at_checked(4).unwrap_or_default();
        let computed = crc32c([head, &[0; 4], tail]);
        // The CRC is sent with its lowest byte first (RFC 9260 appendix A).
        if computed.swap_bytes() == self.checksum { Checksum::Correct } else { Checksum::Wrong }
    }
}

/// An iterator over the chunks of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Chunks<'a> {
    reader: Reader<'a>,
    /// Bytes of the packet that were not captured.
    missing: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        if self.reader.is_empty() {
            return None;
        }
        let offset = self.reader.offset();
        let Ok([kind, flags, high, low]) = self.reader.array::<4>() else {
            let fault = self.fault_of_end(offset);
            let value = self.reader.take_rest();
            let kind = value.first().copied().unwrap_or_default();
            return Some(Chunk { kind, flags: 0, offset, length: 0, value, fault: Some(fault) });
        };
        let length = u16::from_be_bytes([high, low]);
        let Some(value_length) = usize::from(length).checked_sub(4) else {
            let fault = Malformed::new(Layer::Sctp, Kind::BadLength, offset + 2);
            let value = self.reader.take_rest();
            return Some(Chunk { kind, flags, offset, length, value, fault: Some(fault) });
        };
        let fault = (value_length > self.reader.len()).then(|| self.fault_of_end(offset + 2));
        let value = self.reader.take(value_length).unwrap_or_else(|_| self.reader.take_rest());
        // The last chunk's padding is missing from what some stacks send; nothing is lost by it.
        let padding = (value_length.next_multiple_of(4) - value_length).min(self.reader.len());
        let _ = self.reader.skip(padding);
        Some(Chunk { kind, flags, offset, length, value, fault })
    }
}

impl Chunks<'_> {
    /// What to call bytes that ran out: cut by the capture, or never there.
    const fn fault_of_end(&self, offset: usize) -> Malformed {
        let kind = if self.missing > 0 { Kind::Snapped } else { Kind::BadLength };
        Malformed::new(Layer::Sctp, kind, offset)
    }
}

/// Whether a UDP payload is SCTP (RFC 6951): ports, chunks that chain to the exact end, and a CRC32C that is right or
/// (where offload left it to the hardware) nothing but a well-formed INIT.
#[must_use]
pub fn looks_like_sctp_over_udp(bytes: &[u8]) -> bool {
    let Ok(packet) = Packet::parse(bytes) else { return false };
    if packet.source_port == 0 || packet.destination_port == 0 || !bytes.len().is_multiple_of(4) {
        return false;
    }
    let mut chunks = packet.chunks();
    let Some(first) = chunks.next() else { return false };
    let alone = chunks.next().is_none();
    let chained = packet.chunks().all(|chunk| chunk.fault.is_none() && chunk_name(chunk.kind) != UNASSIGNED);
    if !chained {
        return false;
    }
    if packet.verify_checksum() == Checksum::Correct {
        return true;
    }
    let Ok(Content::Init(init)) = first.content() else { return false };
    let parameters_fit = init.parameters.clone().all(|parameter| parameter.fault.is_none());
    alone
        && packet.verification_tag == 0
        && first.flags == 0
        && init.initiate_tag != 0
        && init.outbound_streams != 0
        && init.inbound_streams != 0
        // RFC 9260 section 3.3.2: an endpoint has room for 1500 bytes or more.
        && init.receiver_window >= 1500
        && parameters_fit
}

const HEADER: usize = 12;
const CHECKSUM_AT: usize = 8;
const UNASSIGNED: &str = "unassigned";

#[cfg(test)]
mod tests;
