//! H.264 (RFC 6184 section 5): packets of one NAL unit, of several, and of a part of one; and sequence parameter sets
//! (ITU-T H.264 section 7.3.2.1.1).

use super::{
    Piece, Resolution, Summary,
    nal::{Rbsp, cropped},
};
use crate::wire::{Kind, Layer, Malformed, Reader};

/// `nal_unit_type` of a slice that is not of an IDR picture.
pub const SLICE: u8 = 1;
/// `nal_unit_type` of a slice of an IDR picture.
pub const IDR: u8 = 5;
/// `nal_unit_type` of supplemental enhancement information.
pub const SEI: u8 = 6;
/// `nal_unit_type` of a sequence parameter set.
pub const SPS: u8 = 7;
/// `nal_unit_type` of a picture parameter set.
pub const PPS: u8 = 8;
/// `nal_unit_type` of an access unit delimiter.
pub const AUD: u8 = 9;

/// How a payload holds NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One whole unit.
    Single,
    /// STAP-A or STAP-B: several whole units.
    Aggregation,
    /// FU-A or FU-B: a part of one.
    Fragment,
}

/// A payload.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// How it holds NAL units.
    pub form: Form,
    /// `nal_ref_idc` of the payload's first byte: 0 where no other picture refers to any unit of it.
    pub reference: u8,
    first: Piece<'a>,
    rest: Reader<'a>,
}

impl<'a> Payload<'a> {
    /// Reads what kind of packet it is.
    ///
    /// # Errors
    /// When it is too short, the lengths of its units exceed it, or it is of a type that RFC 6184 leaves undefined;
    /// [`Kind::Unsupported`] of MTAPs (section 5.7.2), which nobody sends.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, bytes);
        let indicator = reader.u8()?;
        let (form, mut rest) = match indicator & 0x1f {
            1..=23 => (Form::Single, Reader::new(Layer::Payload, &[])),
            24 => (Form::Aggregation, reader),
            25 => (Form::Aggregation, behind_order_number(reader)?),
            28 | 29 => (Form::Fragment, Reader::new(Layer::Payload, &[])),
            26 | 27 => return Err(Malformed::new(Layer::Payload, Kind::Unsupported, 0)),
            _ => return Err(Malformed::new(Layer::Payload, Kind::BadValue, 0)),
        };
        let first = match form {
            Form::Single => whole(bytes).ok_or_else(|| reader.fault(Kind::TooShort))?,
            Form::Fragment => fragment(reader, indicator)?,
            Form::Aggregation => {
                let first = next_unit(&mut rest)?;
                let mut check = rest;
                while !check.is_empty() {
                    next_unit(&mut check)?;
                }
                first
            }
        };
        Ok(Self { form, reference: indicator >> 5 & 3, first, rest })
    }

    /// The NAL units, or the part of one.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        let mut rest = self.rest;
        std::iter::once(self.first).chain(std::iter::from_fn(move || next_unit(&mut rest).ok()))
    }

    /// What the packet says of its frame. Data partitioning (types 2 to 4) is not looked into.
    #[must_use]
    pub fn summary(&self, marker: bool) -> Summary {
        let sps = self.pieces().find(|piece| piece.kind == SPS && piece.starts && piece.ends);
        Summary {
            starts_frame: self.first.starts && starts_picture(&self.first),
            ends_frame: marker,
            key_frame: self.pieces().any(|piece| piece.kind == IDR),
            resolution: sps.and_then(|sps| Sps::parse(sps.data).ok()).map(|sps| sps.resolution),
            temporal_layer: None,
            spatial_layer: None,
            discardable: self.reference == 0 && self.pieces().all(|piece| piece.kind == SLICE),
        }
    }
}

/// Whether a unit is the first of its kind in a picture: of parameter sets and the like, or the slice of the first
/// macroblock.
fn starts_picture(piece: &Piece<'_>) -> bool {
    match piece.kind {
        SEI..=AUD => true,
        SLICE | IDR => {
            let slice = if piece.header.is_some() { piece.data } else { piece.data.get(1..).unwrap_or_default() };
            // `first_mb_in_slice` is 0 in one bit.
            slice.first().is_some_and(|byte| byte & 0x80 != 0)
        }
        _ => false,
    }
}

/// DON, in STAP-B and FU-B.
fn behind_order_number(mut reader: Reader<'_>) -> Result<Reader<'_>, Malformed> {
    reader.u16()?;
    Ok(reader)
}

fn whole(unit: &[u8]) -> Option<Piece<'_>> {
    let (header, data) = unit.split_first()?;
    (!data.is_empty()).then_some(Piece { kind: header & 0x1f, header: None, data: unit, starts: true, ends: true })
}

fn next_unit<'a>(reader: &mut Reader<'a>) -> Result<Piece<'a>, Malformed> {
    let length = usize::from(reader.u16()?);
    let unit = reader.take(length)?;
    whole(unit).ok_or_else(|| reader.fault(Kind::BadLength))
}

fn fragment(mut reader: Reader<'_>, indicator: u8) -> Result<Piece<'_>, Malformed> {
    let header = reader.u8()?;
    if indicator & 0x1f == 29 {
        reader = behind_order_number(reader)?;
    }
    let (starts, ends) = (header & 0x80 != 0, header & 0x40 != 0);
    let unit_header = indicator & 0xe0 | header & 0x1f;
    if reader.is_empty() {
        return Err(reader.fault(Kind::TooShort));
    }
    let header = starts.then_some([unit_header, 0]);
    Ok(Piece { kind: unit_header & 0x1f, header, data: reader.take_rest(), starts, ends })
}

/// A sequence parameter set: what a receiver must be able to do, and the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// `profile_idc`: 66 is Baseline, 77 Main, 100 High.
    pub profile: u8,
    /// The constraint flags: with them `profile-level-id` of SDP is told (RFC 6184 section 8.1).
    pub constraints: u8,
    /// `level_idc`, ten times the level.
    pub level: u8,
    /// The size of the picture that is shown.
    pub resolution: Resolution,
}

impl Sps {
    /// Reads a NAL unit of type 7, its header included.
    ///
    /// # Errors
    /// When it is of another type, ends too early, or tells of a picture that cannot be.
    pub fn parse(unit: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, unit);
        if reader.u8()? & 0x1f != SPS {
            return Err(Malformed::new(Layer::Payload, Kind::BadValue, 0));
        }
        let [profile, constraints, level] = reader.array()?;
        let resolution = picture_size(profile, &mut Rbsp::new(reader.peek()));
        let resolution = resolution.ok_or_else(|| reader.fault(Kind::BadValue))?;
        Ok(Self { profile, constraints, level, resolution })
    }
}

/// `seq_parameter_set_data()` behind the level, up to the cropping window.
fn picture_size(profile: u8, bits: &mut Rbsp<'_>) -> Option<Resolution> {
    bits.exp_golomb()?;
    let chroma = if WITH_CHROMA_FORMAT.contains(&profile) { chroma_format(bits)? } else { Chroma::YUV_420 };
    // log2_max_frame_num_minus4, and the ways to tell the order of pictures.
    bits.exp_golomb()?;
    match bits.exp_golomb()? {
        0 => drop(bits.exp_golomb()?),
        1 => {
            bits.skip(1)?;
            bits.exp_golomb()?;
            bits.exp_golomb()?;
            let count = bits.exp_golomb()?;
            for _ in 0..count.min(255) {
                bits.exp_golomb()?;
            }
        }
        _ => {}
    }
    // max_num_ref_frames, gaps_in_frame_num_value_allowed_flag.
    bits.exp_golomb()?;
    bits.skip(1)?;
    let macroblocks = (bits.exp_golomb()?.checked_add(1)?, bits.exp_golomb()?.checked_add(1)?);
    let frame_macroblocks_only = bits.flag()?;
    if !frame_macroblocks_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let mut window = [0; 4];
    if bits.flag()? {
        for side in &mut window {
            *side = bits.exp_golomb()?;
        }
    }
    let fields = if frame_macroblocks_only { 1 } else { 2 };
    let coded = (macroblocks.0.checked_mul(16)?, macroblocks.1.checked_mul(16 * fields)?);
    cropped(coded, window, (chroma.width, chroma.height * fields))
}

/// By how much chroma is subsampled.
struct Chroma {
    width: u32,
    height: u32,
}

impl Chroma {
    const YUV_420: Self = Self { width: 2, height: 2 };
}

/// `chroma_format_idc` to the scaling matrices.
fn chroma_format(bits: &mut Rbsp<'_>) -> Option<Chroma> {
    let format = bits.exp_golomb()?;
    if format == 3 {
        bits.skip(1)?;
    }
    bits.exp_golomb()?;
    bits.exp_golomb()?;
    bits.skip(1)?;
    if bits.flag()? {
        for list in 0..if format == 3 { 12 } else { 8 } {
            if bits.flag()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    match format {
        1 => Some(Chroma::YUV_420),
        2 => Some(Chroma { width: 2, height: 1 }),
        0 | 3 => Some(Chroma { width: 1, height: 1 }),
        _ => None,
    }
}

/// `scaling_list()` (ITU-T H.264 section 7.3.2.1.1.1).
fn scaling_list(bits: &mut Rbsp<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed_exp_golomb()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// `profile_idc` of those whose parameter sets tell a chroma format.
const WITH_CHROMA_FORMAT: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let pieces = |bytes: &[u8]| Payload::parse(bytes).unwrap().pieces().map(|piece| piece.kind).collect::<Vec<_>>();
        assert_eq!(pieces(&[0x65, 0x88]), [IDR]);
        assert_eq!(pieces(&[0x78, 0, 2, 0x67, 1, 0, 3, 0x68, 2, 3]), [SPS, PPS]);
        assert_eq!(pieces(&[0x79, 9, 9, 0, 2, 0x67, 1]), [SPS]);
        let start = Payload::parse(&[0x7c, 0x85, 0x88, 1]).unwrap();
        let expected = Piece { kind: IDR, header: Some([0x65, 0]), data: &[0x88, 1], starts: true, ends: false };
        assert_eq!((start.form, start.pieces().collect::<Vec<_>>()), (Form::Fragment, vec![expected]));
        assert!(start.summary(false).starts_frame && start.summary(false).key_frame);
        let end = Payload::parse(&[0x7c, 0x45, 7]).unwrap();
        let expected = Piece { kind: IDR, header: None, data: &[7], starts: false, ends: true };
        assert_eq!(end.pieces().collect::<Vec<_>>(), [expected]);
        // A slice that nothing refers to, and not the first of its picture.
        let summary = Payload::parse(&[0x01, 0x40]).unwrap().summary(true);
        assert!(summary.discardable && summary.ends_frame && !summary.starts_frame && !summary.key_frame);
    }

    #[test]
    fn parameter_sets() {
        // As libx264 makes them: High, Baseline, 4:2:2 and 4:4:4 with sizes that no macroblocks fit, interlaced. The
        // sizes are those that FFmpeg was told to code.
        let sets = [
            ("67640028acd940780227e5c044000003000400000300503c60c658", [100, 0, 40], (1920, 1080)),
            ("6742c015d901f0c7a88c0440000003004000000503c58b92", [66, 192, 21], (494, 370)),
            ("677a000cbcd9415087888fc044000003000400000300503c50a658", [122, 0, 12], (322, 242)),
            ("67f4000c919b282a10f1d086022000000300200000030281e28532c0", [244, 0, 12], (323, 241)),
            ("67f4001e919b2816849b011000000300100000030321f1429960", [244, 0, 30], (720, 576)),
        ];
        for (digits, [profile, constraints, level], (width, height)) in sets {
            let sps = Sps::parse(&bytes(digits)).unwrap();
            assert_eq!(sps, Sps { profile, constraints, level, resolution: Resolution { width, height } });
            for length in 0..8 {
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
        assert_eq!(fault(&[]), Kind::TooShort);
        assert_eq!(fault(&[0x78]), Kind::TooShort);
        assert_eq!(fault(&[0x78, 0, 3, 0x67, 1]), Kind::TooShort);
        assert_eq!(fault(&[0x78, 0, 2, 0x67, 1, 0]), Kind::TooShort);
        assert_eq!(fault(&[0x78, 0, 0]), Kind::BadLength);
        assert_eq!(fault(&[0x7c, 0x85]), Kind::TooShort);
        assert_eq!(fault(&[0x7a, 1, 2, 3]), Kind::Unsupported);
        assert_eq!(fault(&[0x60, 1]), Kind::BadValue);
        assert_eq!(fault(&[0x7f, 1]), Kind::BadValue);
    }
}
