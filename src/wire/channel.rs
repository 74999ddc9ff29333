//! TURN ChannelData (RFC 8656 section 12.4): four bytes of header in front of the peer's datagram.

use super::{Kind, Layer, Malformed, Reader};

/// Bytes of the header.
pub const HEADER_LENGTH: usize = 4;

/// A ChannelData message.
#[derive(Clone, Copy, Debug)]
pub struct ChannelData<'a> {
    /// The channel: 0x4000 to 0x4fff, or to 0x7fff of an RFC 5766 client.
    pub number: u16,
    /// Bytes of data by the length field; more than `data` has where the capture cut it.
    pub length: usize,
    /// The captured data; it starts four bytes into the message.
    pub data: &'a [u8],
    /// Bytes behind the data. Over UDP up to three bytes of padding are allowed; over TCP the rest is the next message.
    pub trailing: usize,
}

impl<'a> ChannelData<'a> {
    /// Reads a message of `wire_length` bytes, of which `bytes` were captured.
    ///
    /// # Errors
    /// When the header is short, the number is no channel's, or the length exceeds the bytes.
    #[inline]
    pub fn parse(bytes: &'a [u8], wire_length: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::ChannelData, bytes);
        let number = reader.u16()?;
        let length = usize::from(reader.u16()?);
        if !(0x4000..=0x7fff).contains(&number) {
            return Err(Malformed::new(Layer::ChannelData, Kind::BadValue, 0));
        }
        let wire_length = wire_length.max(bytes.len());
        let Some(trailing) = wire_length.checked_sub(HEADER_LENGTH + length) else {
            return Err(Malformed::new(Layer::ChannelData, Kind::BadLength, 2));
        };
        let data = reader.take(length.min(reader.len()))?;
        Ok(Self { number, length, data, trailing })
    }

    /// Whether it fills its datagram as RFC 8656 lets it over UDP: exactly, or up to the next multiple of four.
    #[must_use]
    pub const fn fits_datagram(&self) -> bool {
        self.trailing <= (4 - self.length % 4) % 4
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn with_and_without_padding() {
        let bytes = [0x40, 0x01, 0x00, 0x05, 1, 2, 3, 4, 5, 0, 0, 0];
        for end in 9..=12 {
            let message = ChannelData::parse(&bytes[..end], end).unwrap();
            assert_eq!((message.number, message.data, message.trailing), (0x4001, &bytes[4..9], end - 9));
            assert!(message.fits_datagram());
        }
        assert_eq!(ChannelData::parse(&bytes[..8], 8).unwrap_err().kind, Kind::BadLength);
        let snapped = ChannelData::parse(&bytes[..8], 9).unwrap();
        assert_eq!((snapped.length, snapped.data.len(), snapped.trailing), (5, 4, 0));
        assert!(!ChannelData::parse(&[0x40, 0, 0, 0, 9], 5).unwrap().fits_datagram());
        assert_eq!(ChannelData::parse(&[0x80, 0, 0, 0], 4).unwrap_err().kind, Kind::BadValue);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..20), wire_length in 0_usize..70_000) {
            if let Ok(message) = ChannelData::parse(&bytes, wire_length) {
                prop_assert!(message.data.len() <= message.length);
            }
        }
    }
}
