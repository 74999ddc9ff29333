//! H.265 (RFC 7798 section 4.4): packets of one NAL unit, of several, and of a part of one; and sequence parameter sets
//! (ITU-T H.265 section 7.3.2.2). DONL fields are not read: they need `sprop-max-don-diff`, which nobody sends.

use super::{
    Piece, Resolution, Summary,
    nal::{Rbsp, cropped},
};
use crate::wire::{Kind, Layer, Malformed, Reader};

/// `nal_unit_type` of a video parameter set.
pub const VPS: u8 = 32;
/// `nal_unit_type` of a sequence parameter set.
pub const SPS: u8 = 33;
/// `nal_unit_type` of a picture parameter set.
pub const PPS: u8 = 34;
/// `nal_unit_type` of an access unit delimiter.
pub const AUD: u8 = 35;

/// How a payload holds NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One whole unit.
    Single,
    /// AP: several whole units.
    Aggregation,
    /// FU: a part of one.
    Fragment,
}

/// A payload.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// How it holds NAL units.
    pub form: Form,
    /// `nuh_layer_id`: 0 but in scalable streams.
    pub layer: u8,
    /// `nuh_temporal_id_plus1` less one.
    pub temporal_layer: u8,
    first: Piece<'a>,
    rest: Reader<'a>,
}

impl<'a> Payload<'a> {
    /// Reads what kind of packet it is.
    ///
    /// # Errors
    /// When it is too short, the lengths of its units exceed it, or a header has a value that is forbidden;
    /// [`Kind::Unsupported`] of PACI packets (section 4.4.4), which nobody sends.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, bytes);
        let [high, low] = reader.array()?;
        if high & 0x80 != 0 || low & 7 == 0 {
            return Err(Malformed::new(Layer::Payload, Kind::BadValue, 0));
        }
        let (form, mut rest) = match kind_of(high) {
            0..=47 => (Form::Single, Reader::new(Layer::Payload, &[])),
            48 => (Form::Aggregation, reader),
            49 => (Form::Fragment, Reader::new(Layer::Payload, &[])),
            50 => return Err(Malformed::new(Layer::Payload, Kind::Unsupported, 0)),
            _ => return Err(Malformed::new(Layer::Payload, Kind::BadValue, 0)),
        };
        let first = match form {
            Form::Single => whole(bytes).ok_or_else(|| reader.fault(Kind::TooShort))?,
            Form::Fragment => fragment(reader, [high, low])?,
            Form::Aggregation => {
                let first = next_unit(&mut rest)?;
                let mut check = rest;
                while !check.is_empty() {
                    next_unit(&mut check)?;
                }
                first
            }
        };
        let layer = (high & 1) << 5 | low >> 3;
        Ok(Self { form, layer, temporal_layer: (low & 7) - 1, first, rest })
    }

    /// The NAL units, or the part of one.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        let mut rest = self.rest;
        std::iter::once(self.first).chain(std::iter::from_fn(move || next_unit(&mut rest).ok()))
    }

    /// What the packet says of its frame.
    #[must_use]
    pub fn summary(&self, marker: bool) -> Summary {
        let sps = self.pieces().find(|piece| piece.kind == SPS && piece.starts && piece.ends);
        Summary {
            starts_frame: self.first.starts && starts_picture(&self.first),
            ends_frame: marker,
            key_frame: self.pieces().any(|piece| is_random_access(piece.kind)),
            resolution: sps.and_then(|sps| Sps::parse(sps.data).ok()).map(|sps| sps.resolution),
            temporal_layer: Some(self.temporal_layer),
            spatial_layer: (self.layer > 0).then_some(self.layer),
            discardable: self.pieces().all(|piece| is_sub_layer_non_reference(piece.kind)),
        }
    }
}

/// Whether a NAL unit is of an IRAP picture: BLA, IDR or CRA (ITU-T H.265 table 7-1).
#[must_use]
pub const fn is_random_access(kind: u8) -> bool {
    matches!(kind, 16..=23)
}

/// Whether a NAL unit is of a coded picture (VCL).
#[must_use]
pub const fn is_slice(kind: u8) -> bool {
    kind < 32
}

/// Types of pictures that none of the same temporal layer refers to; without higher layers none at all.
const fn is_sub_layer_non_reference(kind: u8) -> bool {
    kind < 16 && kind.is_multiple_of(2)
}

/// Whether a unit is the first of its kind in a picture: of parameter sets and the like, or its first slice.
fn starts_picture(piece: &Piece<'_>) -> bool {
    match piece.kind {
        VPS..=AUD | 39 => true,
        0..=31 => {
            let slice = if piece.header.is_some() { piece.data } else { piece.data.get(2..).unwrap_or_default() };
            // `first_slice_segment_in_pic_flag`.
            slice.first().is_some_and(|byte| byte & 0x80 != 0)
        }
        _ => false,
    }
}

const fn kind_of(first: u8) -> u8 {
    first >> 1 & 0x3f
}

fn whole(unit: &[u8]) -> Option<Piece<'_>> {
    let ([high, _], data) = unit.split_first_chunk()?;
    (!data.is_empty()).then_some(Piece { kind: kind_of(*high), header: None, data: unit, starts: true, ends: true })
}

fn next_unit<'a>(reader: &mut Reader<'a>) -> Result<Piece<'a>, Malformed> {
    let length = usize::from(reader.u16()?);
    let unit = reader.take(length)?;
    whole(unit).ok_or_else(|| reader.fault(Kind::BadLength))
}

fn fragment(mut reader: Reader<'_>, [high, low]: [u8; 2]) -> Result<Piece<'_>, Malformed> {
    let header = reader.u8()?;
    let (starts, ends, kind) = (header & 0x80 != 0, header & 0x40 != 0, header & 0x3f);
    if reader.is_empty() {
        return Err(reader.fault(Kind::TooShort));
    }
    let header = starts.then_some([high & 0x81 | kind << 1, low]);
    Ok(Piece { kind, header, data: reader.take_rest(), starts, ends })
}

/// A sequence parameter set: what a receiver must be able to do, and the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// `general_profile_idc`: 1 is Main, 2 Main 10, 3 Main Still Picture.
    pub profile: u8,
    /// `general_tier_flag`: the high tier.
    pub high_tier: bool,
    /// `general_level_idc`, thirty times the level.
    pub level: u8,
    /// The size of the picture that is shown.
    pub resolution: Resolution,
}

impl Sps {
    /// Reads a NAL unit of type 33, its header included.
    ///
    /// # Errors
    /// When it is of another type, ends too early, or tells of a picture that cannot be.
    pub fn parse(unit: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, unit);
        let [high, _] = reader.array()?;
        if kind_of(high) != SPS {
            return Err(Malformed::new(Layer::Payload, Kind::BadValue, 0));
        }
        Self::read(&mut Rbsp::new(reader.peek())).ok_or_else(|| reader.fault(Kind::BadValue))
    }

    /// `seq_parameter_set_rbsp()`, up to the conformance window.
    fn read(bits: &mut Rbsp<'_>) -> Option<Self> {
        bits.skip(4)?;
        let sub_layers = bits.take(3)?;
        // sps_temporal_id_nesting_flag, general_profile_space.
        bits.skip(3)?;
        let high_tier = bits.flag()?;
        let profile = bits.take(5)? as u8;
        // Compatibility flags, constraint flags.
        bits.skip(32 + 48)?;
        let level = bits.take(8)? as u8;
        skip_sub_layers(bits, sub_layers)?;
        bits.exp_golomb()?;
        let unit = match bits.exp_golomb()? {
            0 => (1, 1),
            1 => (2, 2),
            2 => (2, 1),
            3 => {
                bits.skip(1)?;
                (1, 1)
            }
            _ => return None,
        };
        let coded = (bits.exp_golomb()?, bits.exp_golomb()?);
        let mut window = [0; 4];
        if bits.flag()? {
            for side in &mut window {
                *side = bits.exp_golomb()?;
            }
        }
        Some(Self { profile, high_tier, level, resolution: cropped(coded, window, unit)? })
    }
}

/// The end of `profile_tier_level()` (ITU-T H.265 section 7.3.3).
fn skip_sub_layers(bits: &mut Rbsp<'_>, count: u32) -> Option<()> {
    if count == 0 {
        return Some(());
    }
    let present = bits.take(16)?;
    for layer in 0..count {
        let flags = present >> (14 - 2 * layer) & 3;
        bits.skip(if flags & 2 == 0 { 0 } else { 88 })?;
        bits.skip(if flags & 1 == 0 { 0 } else { 8 })?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let pieces = |bytes: &[u8]| Payload::parse(bytes).unwrap().pieces().map(|piece| piece.kind).collect::<Vec<_>>();
        assert_eq!(pieces(&[0x26, 1, 0xaf]), [19]);
        assert_eq!(pieces(&[0x60, 1, 0, 3, 0x40, 1, 9, 0, 4, 0x42, 1, 8, 7]), [VPS, SPS]);
        let start = Payload::parse(&[0x62, 1, 0x93, 0xaf]).unwrap();
        let expected = Piece { kind: 19, header: Some([0x26, 1]), data: &[0xaf], starts: true, ends: false };
        assert_eq!((start.form, start.pieces().collect::<Vec<_>>()), (Form::Fragment, vec![expected]));
        assert!(start.summary(false).starts_frame && start.summary(false).key_frame);
        // TRAIL_N of temporal layer 1.
        let summary = Payload::parse(&[0x00, 2, 0xd0]).unwrap().summary(true);
        assert!(summary.discardable && summary.starts_frame && summary.ends_frame);
        assert_eq!(summary.temporal_layer, Some(1));
    }

    #[test]
    fn parameter_sets() {
        // As libx265 makes them, with two temporal layers: Main, 4:2:2, Main 10. Sizes and levels are those that ffprobe
        // tells.
        let sets = [
            (
                "4201020160000003009000000300000300780000a003c08010e5965662b349265780b4040000030004000003002820",
                (1, 120),
                (1920, 1080),
            ),
            (
                "4201020408000003009d0800000300003c0000b00a480f9c93e59598acd24995e02d010000030001000003000a08",
                (4, 60),
                (322, 242),
            ),
            (
                "42010202200000030090000003000003003c0000a00d480f1c923659598acd24995e02d010000003001000000300a080",
                (2, 60),
                (418, 234),
            ),
        ];
        for (digits, (profile, level), (width, height)) in sets {
            let sps = Sps::parse(&bytes(digits)).unwrap();
            let resolution = Resolution { width, height };
            assert_eq!(sps, Sps { profile, high_tier: false, level, resolution });
            for length in 0..20 {
                assert!(Sps::parse(&bytes(digits)[..length]).is_err());
            }
        }
    }

    fn bytes(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    #[test]
    fn lies_are_faults() {
        let fault = |bytes: &[u8]| Payload::parse(bytes).unwrap_err().kind;
        assert_eq!(fault(&[0x26]), Kind::TooShort);
        assert_eq!(fault(&[0x26, 1]), Kind::TooShort);
        assert_eq!(fault(&[0x26, 0, 1]), Kind::BadValue);
        assert_eq!(fault(&[0x64, 1, 1]), Kind::Unsupported);
        assert_eq!(fault(&[0x66, 1, 1]), Kind::BadValue);
        assert_eq!(fault(&[0x60, 1, 0, 2, 0x40, 1]), Kind::BadLength);
        assert_eq!(fault(&[0x60, 1, 0, 4, 0x40, 1, 9]), Kind::TooShort);
        assert_eq!(fault(&[0x62, 1, 0x93]), Kind::TooShort);
    }
}
