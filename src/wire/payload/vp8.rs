//! VP8 (RFC 7741 section 4): the payload descriptor, and of the first bytes of a frame what RFC 6386 section 9.1 has.

use super::{Resolution, Summary};
use crate::wire::{Kind, Layer, Malformed, Reader};

/// A payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// N: no other frame refers to this one.
    pub non_reference: bool,
    /// S: a partition starts here.
    pub starts_partition: bool,
    /// PID: which partition, 0 to 7.
    pub partition: u8,
    /// PictureID.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: a running index of the frames of temporal layer 0.
    pub tl0_picture_index: Option<u8>,
    /// TID: the temporal layer.
    pub temporal_layer: Option<u8>,
    /// Y: the frame refers to none above temporal layer 0.
    pub layer_sync: bool,
    /// KEYIDX: key frames that belong together have the same.
    pub key_index: Option<u8>,
    /// The coded bytes.
    pub data: &'a [u8],
}

/// A running number of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureId {
    /// The number.
    pub value: u16,
    /// Whether it has 15 bits and not 7.
    pub long: bool,
}

impl PictureId {
    /// Reads M and the number (RFC 7741 section 4.2, RFC 9628 section 4.2).
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let first = reader.u8()?;
        let high = u16::from(first & 0x7f);
        if first & 0x80 == 0 {
            return Ok(Self { value: high, long: false });
        }
        Ok(Self { value: high << 8 | u16::from(reader.u8()?), long: true })
    }
}

impl<'a> Payload<'a> {
    /// Reads the descriptor.
    ///
    /// # Errors
    /// When it exceeds the payload, or no coded bytes follow.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, bytes);
        let first = reader.u8()?;
        let extensions = if first & 0x80 == 0 { 0 } else { reader.u8()? };
        let picture_id = if extensions & 0x80 == 0 { None } else { Some(PictureId::read(&mut reader)?) };
        let tl0_picture_index = if extensions & 0x40 == 0 { None } else { Some(reader.u8()?) };
        let layers = if extensions & 0x30 == 0 { 0 } else { reader.u8()? };
        if reader.is_empty() {
            return Err(reader.fault(Kind::TooShort));
        }
        Ok(Self {
            non_reference: first & 0x20 != 0,
            starts_partition: first & 0x10 != 0,
            partition: first & 7,
            picture_id,
            tl0_picture_index,
            temporal_layer: (extensions & 0x20 != 0).then_some(layers >> 6),
            layer_sync: extensions & 0x20 != 0 && layers & 0x20 != 0,
            key_index: (extensions & 0x10 != 0).then_some(layers & 0x1f),
            data: reader.take_rest(),
        })
    }

    /// Whether a frame starts here.
    #[must_use]
    pub const fn starts_frame(&self) -> bool {
        self.starts_partition && self.partition == 0
    }

    /// Whether it is the start of a key frame.
    #[must_use]
    pub fn is_key_frame(&self) -> bool {
        self.starts_frame() && self.data.first().is_some_and(|first| first & 1 == 0)
    }

    /// The size that a key frame tells at its start.
    #[must_use]
    pub fn resolution(&self) -> Option<Resolution> {
        let [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = *self.data.first_chunk::<10>()? else { return None };
        // The upper two bits say how the picture should be scaled up.
        let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
        self.is_key_frame().then(|| Resolution { width: side(w0, w1), height: side(h0, h1) })
    }

    /// What the packet says of its frame.
    #[must_use]
    pub fn summary(&self, marker: bool) -> Summary {
        Summary {
            starts_frame: self.starts_frame(),
            ends_frame: marker,
            key_frame: self.is_key_frame(),
            resolution: self.resolution(),
            temporal_layer: self.temporal_layer,
            spatial_layer: None,
            discardable: self.non_reference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frame_of_rfc_7741() {
        // Section 4.6.1: a key frame in one packet: X, S; I; PictureID 17 in 7 bits. The frame behind it, of 640x480, by
        // hand from RFC 6386 section 9.1.
        let bytes = [0x90, 0x80, 0x11, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01, 0xff];
        let payload = Payload::parse(&bytes).unwrap();
        assert_eq!(payload.picture_id, Some(PictureId { value: 17, long: false }));
        assert!(payload.is_key_frame());
        assert_eq!(payload.resolution(), Some(Resolution { width: 640, height: 480 }));
        let summary = payload.summary(true);
        assert!(summary.starts_frame && summary.ends_frame && summary.key_frame && !summary.discardable);
    }

    #[test]
    fn all_extensions() {
        // X N, PID 2; I L T K; PictureID 0x1234; TL0PICIDX 9; TID 2, Y, KEYIDX 5.
        let payload = Payload::parse(&[0xa2, 0xf0, 0x92, 0x34, 0x09, 0xa5, 0x01]).unwrap();
        let expected = Payload {
            non_reference: true,
            starts_partition: false,
            partition: 2,
            picture_id: Some(PictureId { value: 0x1234, long: true }),
            tl0_picture_index: Some(9),
            temporal_layer: Some(2),
            layer_sync: true,
            key_index: Some(5),
            data: &[1],
        };
        assert_eq!(payload, expected);
        assert!(!payload.is_key_frame() && payload.resolution().is_none());
    }

    #[test]
    fn lies_are_faults() {
        for bytes in [&[][..], &[0x10], &[0x90], &[0x90, 0x80], &[0x90, 0x80, 0x80], &[0x90, 0xf0, 1, 1, 1]] {
            assert_eq!(Payload::parse(bytes).unwrap_err().kind, Kind::TooShort, "{bytes:x?}");
        }
    }
}
