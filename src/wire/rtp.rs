//! RTP packets (RFC 3550 section 5.1) and their header extensions (RFC 8285, RFC 9335).
//!
//! Two steps, for speed: [`FixedHeader`] is the first twelve bytes as integers, which is all that most packets are
//! asked for; [`Header`] adds the lengths of what follows. Elements of the extension are read only when iterated.

pub mod allocation;
pub mod dependency;
mod extension;
mod meaning;
mod payload_type;
pub mod value;

pub use extension::{Element, Elements, Extension, Form};
pub use meaning::Meaning;
pub use payload_type::{Media, StaticPayload, static_payload_type};

use super::{Kind, Layer, Malformed, Reader};

/// Bytes of the fixed header.
pub const FIXED_LENGTH: usize = 12;

/// The fixed header as integers. 16 bytes, `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedHeader {
    /// The stream's source.
    pub ssrc: u32,
    /// The sampling instant, in units of the payload's clock.
    pub timestamp: u32,
    /// The sequence number.
    pub sequence: u16,
    /// The first byte: version, P, X, CC.
    first: u8,
    /// The second byte: M, PT.
    second: u8,
}

impl FixedHeader {
    /// Reads the first twelve bytes.
    ///
    /// # Errors
    /// When there are fewer, or the version is not 2.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some(&[first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3]) = bytes.first_chunk::<FIXED_LENGTH>() else {
            return Err(Malformed::new(Layer::Rtp, Kind::TooShort, bytes.len()));
        };
        if first >> 6 != 2 {
            return Err(Malformed::new(Layer::Rtp, Kind::BadVersion, 0));
        }
        Ok(Self {
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            sequence: u16::from_be_bytes([s0, s1]),
            first,
            second,
        })
    }

    /// The payload type, 0 to 127.
    #[inline]
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        self.second & 0x7f
    }

    /// The marker bit.
    #[inline]
    #[must_use]
    pub const fn marker(self) -> bool {
        self.second & 0x80 != 0
    }

    /// The P bit: padding follows the payload.
    #[inline]
    #[must_use]
    pub const fn has_padding(self) -> bool {
        self.first & 0x20 != 0
    }

    /// The X bit: a header extension follows the CSRCs.
    #[inline]
    #[must_use]
    pub const fn has_extension(self) -> bool {
        self.first & 0x10 != 0
    }

    /// How many contributing sources follow, 0 to 15.
    #[inline]
    #[must_use]
    pub const fn csrc_count(self) -> usize {
        (self.first & 0x0f) as usize
    }
}

/// A whole header, and where the payload is.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The first twelve bytes.
    pub fixed: FixedHeader,
    csrcs: &'a [u8],
    extension: Option<Extension<'a>>,
    /// Bytes of the header: where the payload starts.
    length: usize,
    /// The captured payload, padding and authentication tag included.
    payload: &'a [u8],
    wire_length: usize,
}

impl<'a> Header<'a> {
    /// Reads the header of a packet of `wire_length` bytes, of which `bytes` were captured.
    ///
    /// # Errors
    /// When the version is not 2, or CSRCs and extension exceed the packet ([`Kind::BadLength`]) or what was captured
    /// of it ([`Kind::Snapped`]). The fixed header may still be read with [`FixedHeader::parse`].
    #[inline]
    pub fn parse(bytes: &'a [u8], wire_length: usize) -> Result<Self, Malformed> {
        Self::behind(FixedHeader::parse(bytes)?, bytes, wire_length)
    }

    /// The same of a packet whose fixed header was read.
    ///
    /// # Errors
    /// Those of [`Header::parse`].
    #[inline]
    pub fn behind(fixed: FixedHeader, bytes: &'a [u8], wire_length: usize) -> Result<Self, Malformed> {
        let wire_length = wire_length.max(bytes.len());
        let mut reader = Reader::new(Layer::Rtp, bytes);
        let read = |reader: &mut Reader<'a>| {
            reader.skip(FIXED_LENGTH)?;
            let csrcs = reader.take(fixed.csrc_count() * 4)?;
            let extension = if fixed.has_extension() { Some(Extension::read(reader)?) } else { None };
            Ok((csrcs, extension))
        };
        let (csrcs, extension) = read(&mut reader).map_err(|fault: Malformed| {
            let kind = if bytes.len() < wire_length { Kind::Snapped } else { Kind::BadLength };
            Malformed { kind, ..fault }
        })?;
        Ok(Self { fixed, csrcs, extension, length: reader.offset(), payload: reader.take_rest(), wire_length })
    }

    /// The contributing sources (RFC 3550 section 5.1).
    pub fn csrcs(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        let (words, _) = self.csrcs.as_chunks::<4>();
        words.iter().map(|word| u32::from_be_bytes(*word))
    }

    /// The header extension.
    #[must_use]
    pub const fn extension(&self) -> Option<Extension<'a>> {
        self.extension
    }

    /// Bytes of the header, CSRCs and extension included: where the payload starts in the packet.
    #[inline]
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The captured bytes behind the header: payload, padding, and under SRTP the authentication tag.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Bytes behind the header on the wire: payload, padding, and under SRTP the authentication tag.
    #[inline]
    #[must_use]
    pub const fn payload_length(&self) -> usize {
        self.wire_length - self.length
    }

    /// Bytes of padding at the end, the count itself included (RFC 3550 section 5.1). `None` where it cannot be read:
    /// SRTP encrypts the count (RFC 3711 section 3.1), and a snapped packet has lost it.
    ///
    /// # Errors
    /// When the count is zero or exceeds the payload.
    pub fn padding_length(&self, encrypted: bool) -> Result<Option<usize>, Malformed> {
        if !self.fixed.has_padding() {
            return Ok(Some(0));
        }
        if encrypted || self.payload.len() < self.payload_length() {
            return Ok(None);
        }
        match self.payload.last() {
            Some(&count) if count > 0 && usize::from(count) <= self.payload.len() => Ok(Some(usize::from(count))),
            _ => Err(Malformed::new(Layer::Rtp, Kind::BadLength, self.wire_length.saturating_sub(1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bytes that hexadecimal digits stand for.
    pub(super) fn bytes(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    /// A packet of a WebRTC call: Opus, one-byte extensions of id 1 (audio level), 2 (three bytes), padded to words.
    const WITH_EXTENSION: [u8; 28] = [
        0x90, 0xef, 0x4c, 0x42, 0x00, 0x01, 0xe2, 0x40, 0x8a, 0x2b, 0x7d, 0x32, // fixed: M, PT 111
        0xbe, 0xde, 0x00, 0x02, 0x10, 0xff, 0x22, 0x01, 0x02, 0x03, 0x00, 0x00, // extension
        0x78, 0x01, 0x02, 0x03,
    ];

    #[test]
    fn fields() {
        let header = Header::parse(&WITH_EXTENSION, 28).unwrap();
        let fixed = header.fixed;
        assert_eq!((fixed.ssrc, fixed.timestamp, fixed.sequence), (0x8a2b_7d32, 123_456, 19522));
        assert_eq!((fixed.payload_type(), fixed.marker(), fixed.has_padding()), (111, true, false));
        assert_eq!((header.length(), header.payload_length(), header.csrcs().len()), (24, 4, 0));
        let extension = header.extension().unwrap();
        let elements: Vec<_> = extension.elements().map(|element| (element.id, element.data, element.offset)).collect();
        assert_eq!(elements, [(1, &[0xff][..], 16), (2, &[1, 2, 3][..], 18)]);
        assert_eq!(header.padding_length(false), Ok(Some(0)));
    }

    #[test]
    fn csrcs_and_padding() {
        let mut bytes = vec![0xa2, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 9, 9, 0, 2];
        let header = Header::parse(&bytes, 24).unwrap();
        assert_eq!(header.csrcs().collect::<Vec<_>>(), [4, 5]);
        assert_eq!(header.padding_length(false), Ok(Some(2)));
        assert_eq!(header.padding_length(true), Ok(None));
        assert_eq!(Header::parse(&bytes[..22], 24).unwrap().padding_length(false), Ok(None));
        // Padding larger than the packet: a crash in another implementation (GHSA-f26w-gh5m-qq77).
        for count in [0, 5, 255] {
            bytes[23] = count;
            assert!(Header::parse(&bytes, 24).unwrap().padding_length(false).is_err());
        }
    }

    #[test]
    fn lies_are_faults() {
        let fault = |bytes: &[u8], wire_length| Header::parse(bytes, wire_length).unwrap_err().kind;
        assert_eq!(fault(&WITH_EXTENSION[..11], 11), Kind::TooShort);
        assert_eq!(fault(&WITH_EXTENSION[..20], 20), Kind::BadLength);
        assert_eq!(fault(&WITH_EXTENSION[..20], 28), Kind::Snapped);
        let mut bytes = WITH_EXTENSION;
        bytes[0] = 0x50;
        assert_eq!(fault(&bytes, 28), Kind::BadVersion);
        bytes[0] = 0x9f;
        assert_eq!(fault(&bytes, 28), Kind::BadLength);
    }

    #[test]
    fn static_types() {
        // RFC 3551 tables 4 and 5.
        let of = |payload_type| {
            static_payload_type(payload_type).map(|payload| (payload.name, payload.clock_rate, payload.channels))
        };
        assert_eq!(of(0), Some(("PCMU", 8000, 1)));
        assert_eq!(of(9), Some(("G722", 8000, 1)));
        assert_eq!(of(10), Some(("L16", 44_100, 2)));
        assert_eq!(of(14), Some(("MPA", 90_000, 1)));
        assert_eq!(of(34), Some(("H263", 90_000, 0)));
        assert_eq!(of(2), None);
        assert_eq!(of(96), None);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..120), wire_length in 0_usize..200) {
            if let Ok(header) = Header::parse(&bytes, wire_length) {
                prop_assert_eq!(header.length() + header.payload().len(), bytes.len());
                let _ = (header.csrcs().count(), header.padding_length(false), header.payload_length());
                for element in header.extension().iter().flat_map(Extension::elements) {
                    prop_assert!(element.offset + element.data.len() < header.length());
                }
            }
        }
    }
}
