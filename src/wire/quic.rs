//! QUIC long headers (RFC 9000 section 17.2), recognised only: enough to name a flow.

use super::{Kind, Layer, Malformed, Reader};

/// Connection ids of versions 1 and 2 have at most 20 bytes (RFC 9000 section 17.2).
const MAX_CONNECTION_ID: u8 = 20;

/// A long header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongHeader<'a> {
    /// The version; 0 is a Version Negotiation packet.
    pub version: u32,
    /// Bits 4 and 5 of the first byte, whose meaning the version gives.
    pub packet_type: u8,
    /// Where this packet is going to.
    pub destination_id: &'a [u8],
    /// Where an answer is to go.
    pub source_id: &'a [u8],
}

impl<'a> LongHeader<'a> {
    /// Reads a long header of a version that is known.
    ///
    /// # Errors
    /// When the form, the version or the lengths of the connection ids are not those of QUIC.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Quic, bytes);
        let first = reader.u8()?;
        if first & 0x80 == 0 {
            return Err(Malformed::new(Layer::Quic, Kind::Unsupported, 0));
        }
        let version = reader.u32()?;
        // The fixed bit; a Version Negotiation packet has arbitrary bits there (RFC 9000 section 17.2.1).
        if version_name(version).is_none() || (version != 0 && first & 0x40 == 0) {
            return Err(Malformed::new(Layer::Quic, Kind::BadVersion, 1));
        }
        let destination_id = connection_id(&mut reader)?;
        let source_id = connection_id(&mut reader)?;
        // A Version Negotiation packet goes on with versions, four bytes each and at least one.
        if version == 0 && (reader.is_empty() || !reader.len().is_multiple_of(4)) {
            return Err(reader.fault(Kind::BadLength));
        }
        Ok(Self { version, packet_type: first >> 4 & 3, destination_id, source_id })
    }

    /// The name of the packet type (RFC 9000 section 17.2, RFC 9369 section 3.2).
    #[must_use]
    pub const fn packet_type_name(&self) -> &'static str {
        // Version 2 moved every type up by one.
        let packet_type =
            if self.version == VERSION_2 { self.packet_type.wrapping_sub(1) & 3 } else { self.packet_type };
        match packet_type {
            _ if self.version == 0 => "Version Negotiation",
            0 => "Initial",
            1 => "0-RTT",
            2 => "Handshake",
            _ => "Retry",
        }
    }
}

/// QUIC version 2 (RFC 9369).
const VERSION_2: u32 = 0x6b33_43cf;

/// The name of a version: 1, 2, the drafts, Google's before them; `None` of any other.
#[must_use]
pub const fn version_name(version: u32) -> Option<&'static str> {
    Some(match version {
        0 => "version negotiation",
        1 => "1",
        VERSION_2 => "2",
        0xff00_0000..=0xff00_00ff => "draft",
        // 'Q' or 'T' and three ASCII digits.
        _ => match version.to_be_bytes() {
            [b'Q' | b'T', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'] => "Google",
            _ => return None,
        },
    })
}

fn connection_id<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let fault = reader.fault(Kind::BadLength);
    let length = reader.u8()?;
    if length > MAX_CONNECTION_ID {
        return Err(fault);
    }
    reader.take(usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_of_rfc_9001() {
        // RFC 9001 appendix A.2: the header of the client's Initial.
        let bytes = [0xc3, 0, 0, 0, 1, 8, 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08, 0, 0, 0x44, 0x9e];
        let header = LongHeader::parse(&bytes).unwrap();
        assert_eq!((header.version, header.packet_type_name()), (1, "Initial"));
        assert_eq!((header.destination_id, header.source_id), (&bytes[6..14], &[][..]));
        for length in 0..15 {
            assert!(LongHeader::parse(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn other_versions() {
        // RFC 9369 appendix A.2: the first byte of a version 2 Initial is 0xd3.
        let header = LongHeader::parse(&[0xd3, 0x6b, 0x33, 0x43, 0xcf, 0, 0]).unwrap();
        assert_eq!(header.packet_type_name(), "Initial");
        assert_eq!(version_name(u32::from_be_bytes(*b"Q046")), Some("Google"));
        // An RTP packet has the first two bits 10 and no such version.
        assert!(LongHeader::parse(&[0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]).is_err());
    }
}
