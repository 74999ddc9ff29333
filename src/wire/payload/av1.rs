//! AV1 (RTP payload format for AV1, version 1.0, section 4): the aggregation header, OBU elements, and of sequence and
//! frame headers (AV1 bitstream specification sections 5.5 and 5.9) the size and the frame's type.

use super::{Resolution, Summary};
use crate::wire::{Kind, Layer, Malformed, Reader, bits::Bits};

/// A payload.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// Z: the first element goes on with one of the packet before.
    pub continues: bool,
    /// Y: the last element goes on in the next packet.
    pub continued: bool,
    /// N: the packet is the first of a coded video sequence.
    pub new_sequence: bool,
    count: u8,
    elements: Reader<'a>,
}

/// An OBU, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// Whether an OBU starts here.
    pub starts: bool,
    /// Whether it ends here.
    pub ends: bool,
}

impl<'a> Payload<'a> {
    /// Reads the aggregation header and the sizes of the elements.
    ///
    /// # Errors
    /// When the sizes exceed the payload, there are fewer elements than told, or there is none.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, bytes);
        let header = reader.u8()?;
        if reader.is_empty() {
            return Err(reader.fault(Kind::TooShort));
        }
        let payload = Self {
            continues: header & 0x80 != 0,
            continued: header & 0x40 != 0,
            new_sequence: header & 0x08 != 0,
            count: header >> 4 & 3,
            elements: reader,
        };
        let mut elements = payload.elements();
        while elements.read()?.is_some() {}
        Ok(payload)
    }

    /// The elements.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        Elements { payload: *self, rest: self.elements, index: 0 }
    }

    /// The OBUs that start in the packet.
    pub fn obus(&self) -> impl Iterator<Item = Obu<'a>> + use<'a> {
        self.elements().filter(|element| element.starts).filter_map(|element| Obu::parse(element.data).ok())
    }

    /// What the packet says of its frame. A frame is a temporal unit here.
    #[must_use]
    pub fn summary(&self, marker: bool) -> Summary {
        let sequence = self.obus().filter(|obu| obu.kind == SEQUENCE_HEADER).find_map(|obu| obu.sequence_header());
        let layers = self.obus().find_map(|obu| obu.layers);
        Summary {
            starts_frame: !self.continues
                && self.obus().any(|obu| matches!(obu.kind, SEQUENCE_HEADER | FRAME_HEADER | FRAME)),
            ends_frame: marker,
            key_frame: self.new_sequence || self.obus().any(|obu| obu.is_key_frame()),
            resolution: sequence.map(|sequence| sequence.resolution),
            temporal_layer: layers.map(|layers| layers.temporal),
            spatial_layer: layers.map(|layers| layers.spatial),
            discardable: false,
        }
    }
}

/// An iterator over the elements of a payload.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    payload: Payload<'a>,
    rest: Reader<'a>,
    index: u8,
}

impl<'a> Elements<'a> {
    fn read(&mut self) -> Result<Option<Element<'a>>, Malformed> {
        let told = self.payload.count;
        if told == 0 && self.rest.is_empty() || told > 0 && self.index == told {
            return Ok(None);
        }
        let first = self.index == 0;
        // Of a told number of elements, the last has no size and takes what is left.
        let data = if told > 0 && self.index + 1 == told {
            self.rest.take_rest()
        } else {
            let length = leb128(&mut self.rest)?;
            self.rest.take(length)?
        };
        self.index = self.index.saturating_add(1);
        let last = self.rest.is_empty();
        Ok(Some(Element { data, starts: !(first && self.payload.continues), ends: !(last && self.payload.continued) }))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        self.read().ok().flatten()
    }
}

/// A number in LEB128 (AV1 bitstream specification section 4.10.5).
fn leb128(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    let mut value = 0;
    for position in 0..LONGEST_LEB128 {
        let byte = reader.u8()?;
        value |= usize::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(reader.fault(Kind::BadLength))
}

/// `obu_type` of a sequence header.
pub const SEQUENCE_HEADER: u8 = 1;
/// `obu_type` of a temporal delimiter.
pub const TEMPORAL_DELIMITER: u8 = 2;
/// `obu_type` of a frame header that stands alone.
pub const FRAME_HEADER: u8 = 3;
/// `obu_type` of a frame: a header and tiles.
pub const FRAME: u8 = 6;
/// `obu_type` of a list of tiles, which RTP has no use for.
pub const TILE_LIST: u8 = 8;

/// An OBU (AV1 bitstream specification section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// `obu_type`.
    pub kind: u8,
    /// Which layer it is of, where that is told.
    pub layers: Option<Layers>,
    /// The header without `obu_has_size_field`, one byte or two.
    pub header: &'a [u8],
    /// What follows the header, and the size where there is one.
    pub payload: &'a [u8],
}

/// Which layer an OBU is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    /// `temporal_id`.
    pub temporal: u8,
    /// `spatial_id`.
    pub spatial: u8,
}

impl<'a> Obu<'a> {
    /// Reads an OBU that takes all of `bytes`; only its start may be there.
    ///
    /// # Errors
    /// When there is no header, or its forbidden bit is set.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, bytes);
        let first = reader.u8()?;
        if first & 0x80 != 0 {
            return Err(Malformed::new(Layer::Payload, Kind::BadValue, 0));
        }
        let layers = if first & EXTENSION == 0 { None } else { Some(reader.u8()?) };
        let layers = layers.map(|extension| Layers { temporal: extension >> 5, spatial: extension >> 3 & 3 });
        let header = bytes.get(..reader.offset()).unwrap_or_default();
        if first & HAS_SIZE != 0 {
            let size = leb128(&mut reader)?;
            let end = reader.len().min(size);
            reader = reader.sub(end)?;
        }
        Ok(Self { kind: first >> 3 & 0xf, layers, header, payload: reader.take_rest() })
    }

    /// Whether it starts a key frame. Not told of still pictures, which no stream has.
    #[must_use]
    pub fn is_key_frame(&self) -> bool {
        // show_existing_frame, then frame_type.
        matches!(self.kind, FRAME_HEADER | FRAME) && self.payload.first().is_some_and(|byte| byte & 0xe0 == 0)
    }

    /// The sequence header, where it is one.
    #[must_use]
    pub fn sequence_header(&self) -> Option<SequenceHeader> {
        if self.kind == SEQUENCE_HEADER { SequenceHeader::read(&mut Bits::new(self.payload)) } else { None }
    }
}

/// `obu_extension_flag`.
const EXTENSION: u8 = 0x04;

/// `obu_has_size_field`.
pub const HAS_SIZE: u8 = 0x02;

/// Bytes of the longest size that fits 32 bits.
const LONGEST_LEB128: u32 = 5;

/// What a receiver must be able to do, and the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceHeader {
    /// `seq_profile`: 0 is Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `seq_level_idx` of the first operating point: four times the level above 2.0.
    pub level: u8,
    /// The largest size of a frame.
    pub resolution: Resolution,
}

impl SequenceHeader {
    /// `sequence_header_obu()`, up to the size.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let (profile, _still_picture, reduced) = (bits.take(3)? as u8, bits.flag()?, bits.flag()?);
        let level = if reduced { bits.take(5)? as u8 } else { Self::operating_points(bits)? };
        let (width_bits, height_bits) = (bits.take(4)? + 1, bits.take(4)? + 1);
        let resolution = Resolution { width: bits.take(width_bits)? + 1, height: bits.take(height_bits)? + 1 };
        Some(Self { profile, level, resolution })
    }

    /// Timing, decoder model and operating points; the level of the first of these.
    fn operating_points(bits: &mut Bits<'_>) -> Option<u8> {
        let mut delay_bits = None;
        if bits.flag()? {
            // num_units_in_display_tick, time_scale.
            bits.take(32)?;
            bits.take(32)?;
            if bits.flag()? {
                uvlc(bits)?;
            }
            if bits.flag()? {
                delay_bits = Some(bits.take(5)? + 1);
                bits.take(32)?;
                bits.take(10)?;
            }
        }
        let display_delay = bits.flag()?;
        let mut first_level = None;
        for _ in 0..=bits.take(5)? {
            bits.take(12)?;
            let level = bits.take(5)? as u8;
            first_level = first_level.or(Some(level));
            if level > 7 {
                bits.take(1)?;
            }
            if let Some(delay_bits) = delay_bits
                && bits.flag()?
            {
                bits.take(delay_bits)?;
                bits.take(delay_bits)?;
                bits.take(1)?;
            }
            if display_delay && bits.flag()? {
                bits.take(4)?;
            }
        }
        first_level
    }
}

/// `uvlc()` (AV1 bitstream specification section 4.10.3), skipped.
fn uvlc(bits: &mut Bits<'_>) -> Option<()> {
    let mut zeros = 0;
    while !bits.flag()? {
        zeros += 1;
    }
    if zeros < 32 {
        bits.take(zeros)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements() {
        let elements = |bytes: &[u8]| -> Vec<(Vec<u8>, bool, bool)> {
            let payload = Payload::parse(bytes).unwrap();
            payload.elements().map(|element| (element.data.to_vec(), element.starts, element.ends)).collect()
        };
        // W 0: each has its size. Z and Y.
        assert_eq!(elements(&[0xc0, 1, 7, 2, 8, 9]), [(vec![7], false, true), (vec![8, 9], true, false)]);
        // W 2: the last has none.
        assert_eq!(elements(&[0x20, 1, 7, 8, 9]), [(vec![7], true, true), (vec![8, 9], true, true)]);
        // One that neither starts nor ends here.
        assert_eq!(elements(&[0xd0, 7, 8]), [(vec![7, 8], false, false)]);
        let fault = |bytes: &[u8]| Payload::parse(bytes).unwrap_err().kind;
        assert_eq!(fault(&[0x00]), Kind::TooShort);
        assert_eq!(fault(&[0x00, 3, 1, 2]), Kind::TooShort);
        assert_eq!(fault(&[0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0]), Kind::BadLength);
    }

    #[test]
    fn key_frames() {
        // Behind the header: show_existing_frame 0, frame_type 0 of a key frame, 1 of an inter frame.
        let is_key = |byte| Obu::parse(&[0x30, byte]).unwrap().is_key_frame();
        assert!(is_key(0x10) && !is_key(0x30) && !is_key(0x80));
        let obu = Obu::parse(&[0x36, 0x48, 1, 0x10, 9]).unwrap();
        assert_eq!((obu.kind, obu.layers), (FRAME, Some(Layers { temporal: 2, spatial: 1 })));
        assert_eq!((obu.header, obu.payload), (&[0x36, 0x48][..], &[0x10][..]));
    }

    #[test]
    fn sequence_headers() {
        // As libaom makes them, of pictures of 494x370 and of 1280x720.
        let small = [0x0a, 0x0d, 0x20, 0, 0, 0x0c, 0x47, 0xb6, 0xe2, 0x6d, 0x7c, 0x90, 0x10, 0xd0, 0x02];
        let large = [0x0a, 0x0e, 0x20, 0, 0, 0x2d, 0x4c, 0xff, 0xb3, 0xcc, 0xaf, 0x92, 0x02, 0x1a, 0, 0x40];
        let size = |bytes: &[u8]| {
            let header = Obu::parse(bytes).unwrap().sequence_header().unwrap();
            (header.profile, header.resolution.width, header.resolution.height)
        };
        assert_eq!((size(&small), size(&large)), ((1, 494, 370), (1, 1280, 720)));
        assert_eq!(Obu::parse(&small[..8]).unwrap().sequence_header(), None);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(payload) = Payload::parse(&bytes) {
                prop_assert!(payload.elements().map(|element| element.data.len()).sum::<usize>() < bytes.len());
            }
            if let Ok(obu) = Obu::parse(&bytes) {
                prop_assert!(obu.header.len() + obu.payload.len() <= bytes.len());
                let _ = (obu.sequence_header(), obu.is_key_frame());
            }
        }
    }
}
