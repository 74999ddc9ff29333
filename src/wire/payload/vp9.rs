//! VP9 (RFC 9628 section 4): the payload descriptor, its scalability structure, and of a frame's uncompressed header
//! (VP9 bitstream specification section 6.2) the type and size.

use super::{Resolution, Summary, vp8::PictureId};
use crate::wire::{Entries, Entry, Kind, Layer, Malformed, Reader, bits::Bits};

/// A payload.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// PictureID.
    pub picture_id: Option<PictureId>,
    /// P: the frame is predicted from earlier pictures.
    pub inter_picture: bool,
    /// F: references are told by [`Payload::references`], not by TL0PICIDX.
    pub flexible: bool,
    /// B: the frame of a layer starts here.
    pub starts_frame: bool,
    /// E: the frame of a layer ends here.
    pub ends_frame: bool,
    /// Z: no frame of a higher spatial layer refers to this one.
    pub not_referenced_above: bool,
    /// Which layer the frame is of.
    pub layer: Option<LayerIndices>,
    /// The scalability structure.
    pub structure: Option<Structure<'a>>,
    /// The coded bytes.
    pub data: &'a [u8],
    references: References,
}

/// Which layer a frame is of (RFC 9628 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerIndices {
    /// TID: the temporal layer.
    pub temporal: u8,
    /// U: from here on a receiver may go up to this temporal layer.
    pub switching_point: bool,
    /// SID: the spatial layer.
    pub spatial: u8,
    /// D: predicted from the spatial layer below.
    pub inter_layer: bool,
    /// TL0PICIDX, of the mode that is not flexible.
    pub tl0_picture_index: Option<u8>,
}

/// Up to three references, as differences of picture ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct References {
    differences: [u8; 3],
    count: usize,
}

impl<'a> Payload<'a> {
    /// Reads the descriptor.
    ///
    /// # Errors
    /// When it exceeds the payload, more than three references are told, or no coded bytes follow.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, bytes);
        let first = reader.u8()?;
        let flag = |bit: u8| first & bit != 0;
        let (inter_picture, flexible) = (flag(0x40), flag(0x10));
        let picture_id = if flag(0x80) { Some(PictureId::read(&mut reader)?) } else { None };
        let layer = if flag(0x20) { Some(LayerIndices::read(&mut reader, flexible)?) } else { None };
        let references = if flexible && inter_picture { References::read(&mut reader)? } else { References::default() };
        let structure = if flag(0x02) { Some(Structure::read(&mut reader)?) } else { None };
        if reader.is_empty() {
            return Err(reader.fault(Kind::TooShort));
        }
        Ok(Self {
            picture_id,
            inter_picture,
            flexible,
            starts_frame: flag(0x08),
            ends_frame: flag(0x04),
            not_referenced_above: flag(0x01),
            layer,
            structure,
            data: reader.take_rest(),
            references,
        })
    }

    /// P_DIFF: the pictures that the frame refers to, as how many picture ids they lie before it.
    pub fn references(&self) -> impl Iterator<Item = u8> {
        self.references.differences.into_iter().take(self.references.count)
    }

    /// The uncompressed header at the start of a frame.
    #[must_use]
    pub fn frame_header(&self) -> Option<FrameHeader> {
        if self.starts_frame { FrameHeader::read(&mut Bits::new(self.data)) } else { None }
    }

    /// What the packet says of its frame. A frame is all layers of a picture here: it starts with the lowest, and ends
    /// with the marker bit.
    #[must_use]
    pub fn summary(&self, marker: bool) -> Summary {
        let lowest = self.layer.is_none_or(|layer| layer.spatial == 0);
        let header = self.frame_header();
        let told = self.structure.and_then(|structure| structure.resolutions().last());
        Summary {
            starts_frame: self.starts_frame && lowest,
            ends_frame: marker,
            key_frame: header.is_some_and(|header| header.key_frame) && lowest,
            resolution: told.or(header.and_then(|header| header.resolution)),
            temporal_layer: self.layer.map(|layer| layer.temporal),
            spatial_layer: self.layer.map(|layer| layer.spatial),
            discardable: false,
        }
    }
}

impl LayerIndices {
    fn read(reader: &mut Reader<'_>, flexible: bool) -> Result<Self, Malformed> {
        let fields = reader.u8()?;
        Ok(Self {
            temporal: fields >> 5,
            switching_point: fields & 0x10 != 0,
            spatial: fields >> 1 & 7,
            inter_layer: fields & 1 != 0,
            tl0_picture_index: if flexible { None } else { Some(reader.u8()?) },
        })
    }
}

impl References {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut references = Self::default();
        for difference in &mut references.differences {
            let fields = reader.u8()?;
            *difference = fields >> 1;
            references.count += 1;
            if fields & 1 == 0 {
                return Ok(references);
            }
        }
        Err(reader.fault(Kind::TooMany))
    }
}

/// The layers of a stream and, optionally, the pattern of its pictures (RFC 9628 section 4.2.1).
#[derive(Clone, Copy, Debug)]
pub struct Structure<'a> {
    /// Spatial layers, 1 to 8.
    pub spatial_layers: u8,
    /// N_G: pictures in the pattern; 0 where it is not told.
    pub pictures: u8,
    sizes: Option<Entries<'a, Resolution>>,
}

impl<'a> Structure<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let fields = reader.u8()?;
        let spatial_layers = (fields >> 5) + 1;
        let sizes = if fields & 0x10 == 0 {
            None
        } else {
            let mut sizes = reader.sub(usize::from(spatial_layers) * Resolution::SIZE)?;
            Some(Entries::all(&mut sizes))
        };
        let pictures = if fields & 0x08 == 0 { 0 } else { reader.u8()? };
        for _ in 0..pictures {
            let references = usize::from(reader.u8()? >> 2 & 3);
            reader.skip(references)?;
        }
        Ok(Self { spatial_layers, pictures, sizes })
    }

    /// The size of each spatial layer, lowest first; none where they are not told.
    pub fn resolutions(&self) -> impl Iterator<Item = Resolution> + use<'a> {
        self.sizes.into_iter().flatten()
    }
}

impl Entry for Resolution {
    const SIZE: usize = 4;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { width: reader.u16()?.into(), height: reader.u16()?.into() })
    }
}

/// The start of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The profile, 0 to 3.
    pub profile: u8,
    /// The frame is an earlier one, shown once more.
    pub show_existing: bool,
    /// Whether it is a key frame.
    pub key_frame: bool,
    /// Whether it is shown and not only referred to.
    pub shown: bool,
    /// The size that a key frame tells.
    pub resolution: Option<Resolution>,
}

impl FrameHeader {
    /// `uncompressed_header()`.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let marker = bits.take(2)?;
        let profile = bits.take(1)? | bits.take(1)? << 1;
        if marker != 2 || profile == 3 && bits.flag()? {
            return None;
        }
        let profile = profile as u8;
        if bits.flag()? {
            return Some(Self { profile, show_existing: true, key_frame: false, shown: true, resolution: None });
        }
        let (key_frame, shown, _error_resilient) = (!bits.flag()?, bits.flag()?, bits.flag()?);
        let resolution = if key_frame { Self::key_frame_size(profile, bits) } else { None };
        Some(Self { profile, show_existing: false, key_frame, shown, resolution })
    }

    /// `frame_sync_code()`, `color_config()` and `frame_size()`.
    fn key_frame_size(profile: u8, bits: &mut Bits<'_>) -> Option<Resolution> {
        if bits.take(24)? != 0x49_8342 {
            return None;
        }
        let _bit_depth = if profile >= 2 { bits.take(1)? } else { 0 };
        let has_subsampling = profile & 1 == 1;
        if bits.take(3)? == CS_RGB {
            bits.take(u32::from(has_subsampling))?;
        } else {
            bits.take(1 + 3 * u32::from(has_subsampling))?;
        }
        Some(Resolution { width: bits.take(16)? + 1, height: bits.take(16)? + 1 })
    }
}

/// `color_space` of pictures that are not subsampled.
const CS_RGB: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor() {
        // I P L B E; PictureID 0x0102; TID 1, U, SID 2, D; TL0PICIDX 7; an inter frame.
        let payload = Payload::parse(&[0xec, 0x81, 0x02, 0x35, 0x07, 0x86]).unwrap();
        assert_eq!(payload.picture_id, Some(PictureId { value: 0x102, long: true }));
        assert!(payload.inter_picture && !payload.flexible && payload.starts_frame && payload.ends_frame);
        let layer = LayerIndices {
            temporal: 1,
            switching_point: true,
            spatial: 2,
            inter_layer: true,
            tl0_picture_index: Some(7),
        };
        assert_eq!(payload.layer, Some(layer));
        let header = payload.frame_header().unwrap();
        assert!(!header.key_frame && header.shown && header.profile == 0);
        // Flexible: no TL0PICIDX, two references.
        let payload = Payload::parse(&[0xf0, 0x05, 0x00, 0x03, 0x08, 0xaa]).unwrap();
        assert_eq!(payload.references().collect::<Vec<_>>(), [1, 4]);
        assert_eq!(payload.layer.unwrap().tl0_picture_index, None);
        assert!(payload.frame_header().is_none());
        assert_eq!(Payload::parse(&[0x50, 3, 3, 3, 2, 0xaa]).unwrap_err().kind, Kind::TooMany);
    }

    #[test]
    fn structure() {
        // V B; three layers with sizes 320x180, 640x360, 1280x720; a pattern of two pictures with one and no reference.
        let bytes = [
            0x0a, 0x58, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 0x05, 0x00, 0x02, 0xd0, 0x02, 0x04, 0x01, 0x20,
            0x82,
        ];
        let payload = Payload::parse(&bytes).unwrap();
        let structure = payload.structure.unwrap();
        assert_eq!((structure.spatial_layers, structure.pictures), (3, 2));
        let sizes: Vec<_> = structure.resolutions().map(|size| (size.width, size.height)).collect();
        assert_eq!(sizes, [(320, 180), (640, 360), (1280, 720)]);
        assert_eq!(payload.summary(false).resolution, Some(Resolution { width: 1280, height: 720 }));
        assert_eq!(Payload::parse(&bytes[..17]).unwrap_err().kind, Kind::TooShort);
    }

    #[test]
    fn key_frame() {
        // The header of a 352x288 key frame of profile 0, by hand: 10 0 0 0 0 1 0, the sync code, color space 1,
        // range 0, 351 and 287 in 16 bits each.
        let bytes = [0x08, 0x82, 0x49, 0x83, 0x42, 0x20, 0x15, 0xf0, 0x11, 0xf0];
        let header = Payload::parse(&bytes).unwrap().frame_header().unwrap();
        assert!(header.key_frame && header.shown);
        assert_eq!(header.resolution, Some(Resolution { width: 352, height: 288 }));
    }
}
