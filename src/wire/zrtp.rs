//! ZRTP messages (RFC 6189 section 5), recognised only: their keys cannot be had.

use super::{Kind, Layer, Malformed, Reader};

/// "ZRTP", bytes 4 to 7.
const MAGIC_COOKIE: u32 = 0x5a52_5450;

/// The preamble of a message behind the packet header.
const PREAMBLE: u16 = 0x505a;

/// A ZRTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The packet's sequence number.
    pub sequence: u16,
    /// The SSRC of the RTP stream it secures.
    pub ssrc: u32,
    /// The message type, eight characters padded with spaces: `Hello   `, `Commit  ` ...
    pub message_type: &'a [u8; 8],
}

impl<'a> Packet<'a> {
    /// Reads a packet of `wire_length` bytes, of which `bytes` were captured.
    ///
    /// # Errors
    /// When cookie, preamble or length are not ZRTP's.
    pub fn parse(bytes: &'a [u8], wire_length: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Zrtp, bytes);
        // Four bits 0001; the twelve after them are not used (RFC 6189 section 5).
        if reader.u16()? & 0xf000 != 0x1000 {
            return Err(Malformed::new(Layer::Zrtp, Kind::BadValue, 0));
        }
        let sequence = reader.u16()?;
        if reader.u32()? != MAGIC_COOKIE {
            return Err(Malformed::new(Layer::Zrtp, Kind::BadValue, 4));
        }
        let ssrc = reader.u32()?;
        if reader.u16()? != PREAMBLE {
            return Err(Malformed::new(Layer::Zrtp, Kind::BadValue, 12));
        }
        // The message in words, preamble included; 12 bytes of header stand before it and a CRC of four behind it.
        let words = usize::from(reader.u16()?);
        if 12 + words * 4 + 4 != wire_length.max(bytes.len()) {
            return Err(Malformed::new(Layer::Zrtp, Kind::BadLength, 14));
        }
        let fault = reader.fault(Kind::TooShort);
        let message_type = reader.take(8)?.first_chunk().ok_or(fault)?;
        Ok(Self { sequence, ssrc, message_type })
    }

    /// The message type without its padding; empty where it is not text.
    #[must_use]
    pub fn message_name(&self) -> &'a str {
        str::from_utf8(self.message_type).unwrap_or_default().trim_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_ack() {
        // A HelloACK (RFC 6189 section 5.3): three words.
        let mut bytes = vec![0x10, 0, 0, 7];
        bytes.extend(b"ZRTP\x00\x00\x00\x2a\x50\x5a\x00\x03HelloACK\x01\x02\x03\x04");
        let packet = Packet::parse(&bytes, bytes.len()).unwrap();
        assert_eq!((packet.sequence, packet.ssrc, packet.message_name()), (7, 42, "HelloACK"));
        for length in 0..bytes.len() {
            assert!(Packet::parse(&bytes[..length], length).is_err());
        }
        assert!(Packet::parse(&bytes[..24], bytes.len()).is_ok());
    }
}
