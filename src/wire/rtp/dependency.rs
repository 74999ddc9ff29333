//! The dependency descriptor: which layer a frame is of (AV1 RTP specification, appendix A, sections A.8.2 and A.8.3;
//! any codec may carry it).

use crate::wire::bits::Bits;

/// Frame dependency templates that a structure may have.
pub const TEMPLATES: usize = 64;

/// Spatial layers that a structure may have.
const SPATIAL_LAYERS: u8 = 4;

/// Temporal layers that a structure may have.
const TEMPORAL_LAYERS: u8 = 8;

/// What every descriptor begins with (`mandatory_descriptor_fields`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameStart {
    /// Whether the packet is the first of its frame.
    pub first: bool,
    /// Whether it is the last.
    pub last: bool,
    /// The template that the frame follows, 0 to 63.
    pub template: u8,
    /// The number of the frame: one more than the frame's before it in decoding order, of any layer.
    pub number: u16,
}

impl FrameStart {
    /// Reads the three bytes.
    #[inline]
    #[must_use]
    pub const fn of([flags, high, low]: [u8; 3]) -> Self {
        Self {
            first: flags & 0x80 != 0,
            last: flags & 0x40 != 0,
            template: flags & 0x3f,
            number: u16::from_be_bytes([high, low]),
        }
    }
}

/// A layer of a scalable stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layer {
    /// Its place by size of the picture, from 0.
    pub spatial: u8,
    /// Its place by frame rate, from 0.
    pub temporal: u8,
}

/// What the templates of a stream mean (`template_dependency_structure`): sent with a key frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// The number of the first template; the others follow, modulo 64.
    pub first_template: u8,
    /// The layer of each template.
    pub layers: Vec<Layer>,
    /// Decode targets: the qualities that may be had of the stream.
    pub decode_targets: u8,
    /// Chains that protect them.
    pub chains: u8,
    /// Width and height of each spatial layer, where they are said.
    pub resolutions: Vec<(u32, u32)>,
}

impl Structure {
    /// The layer that a template is of.
    #[must_use]
    pub fn layer(&self, template: u8) -> Option<Layer> {
        let index = (template + 64 - (self.first_template & 63)) & 63;
        self.layers.get(usize::from(index)).copied()
    }
}

/// What a descriptor says beyond its first three bytes (`extended_descriptor_fields`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// The templates, if they are said with this frame.
    pub structure: Option<Structure>,
    /// A bit for each decode target that is sent, where it is said.
    pub active_decode_targets: Option<u32>,
}

impl Extended {
    /// Reads a descriptor of more than three bytes; `None` where it is shorter, where it ends too early, or where more
    /// than padding follows what it must hold. `decode_targets` are those of the structure in force, without which what
    /// depends on their number cannot be read.
    #[must_use]
    pub fn parse(data: &[u8], decode_targets: Option<u8>) -> Option<Self> {
        let (start, rest) = data.split_first_chunk::<3>()?;
        let mut bits = Bits::new(rest);
        let has_structure = bits.flag()?;
        let has_active = bits.flag()?;
        // Own indications, differences and chains of a frame follow these; nobody needs them here.
        let custom = bits.take(3)?;
        let structure = if has_structure { Some(Structure::read(&mut bits)?) } else { None };
        if let Some(structure) = &structure {
            structure.layer(FrameStart::of(*start).template)?;
            if custom == 0 && !has_active && !bits.ends_with_zeros() {
                return None;
            }
        }
        let targets = structure.as_ref().map(|structure| structure.decode_targets).or(decode_targets);
        let active_decode_targets = match targets {
            Some(targets) if has_active => Some(bits.take(targets.into())?),
            _ => None,
        };
        Some(Self { structure, active_decode_targets })
    }
}

impl Structure {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let first_template = bits.take(6)? as u8;
        let decode_targets = bits.take(5)? as u8 + 1;
        let layers = Self::read_layers(bits)?;
        // A decode target indication of two bits for each template and target.
        for _ in 0..layers.len() * usize::from(decode_targets) {
            bits.take(2)?;
        }
        for _ in &layers {
            while bits.flag()? {
                bits.take(4)?;
            }
        }
        let chains = bits.non_symmetric(u32::from(decode_targets) + 1)? as u8;
        if chains > 0 {
            for _ in 0..decode_targets {
                bits.non_symmetric(chains.into())?;
            }
            for _ in 0..layers.len() * usize::from(chains) {
                bits.take(4)?;
            }
        }
        let mut resolutions = Vec::new();
        if bits.flag()? {
            let highest = layers.last().map_or(0, |layer| layer.spatial);
            for _ in 0..=highest {
                resolutions.push((bits.take(16)? + 1, bits.take(16)? + 1));
            }
        }
        Some(Self { first_template, layers, decode_targets, chains, resolutions })
    }

    /// The layer of each template (`template_layers`, table A.3).
    fn read_layers(bits: &mut Bits<'_>) -> Option<Vec<Layer>> {
        let (mut layers, mut layer) = (Vec::new(), Layer::default());
        loop {
            let is_within = layer.spatial < SPATIAL_LAYERS && layer.temporal < TEMPORAL_LAYERS;
            if !is_within || layers.len() >= TEMPLATES {
                return None;
            }
            layers.push(layer);
            match bits.take(2)? {
                0 => {}
                1 => layer.temporal += 1,
                2 => layer = Layer { spatial: layer.spatial + 1, temporal: 0 },
                _ => return Some(layers),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rtp::tests::bytes;

    /// The first packet of Chromium's VP9 in L3T3_KEY, of which two spatial layers are active: decoded by hand along the
    /// specification's syntax.
    const SVC: &str = "800001c00514853aaaa8018004004002a02a0060010015d34514174d144c700874321651118543276809f8077813f80\
                       ef8e0";
    /// The first packet of a VP8 simulcast stream in L1T3.
    const SIMULCAST: &str = "8000018002044eaaaf2860414d34538a094040efc086c0";

    #[test]
    fn structure_of_spatial_layers() {
        let extended = Extended::parse(&bytes(SVC), None).unwrap();
        assert_eq!(extended.active_decode_targets, Some(0b111));
        let structure = extended.structure.unwrap();
        assert_eq!((structure.first_template, structure.decode_targets, structure.chains), (0, 6, 2));
        assert_eq!(structure.resolutions, [(320, 240), (640, 480)]);
        let layers: Vec<(u8, u8)> = structure.layers.iter().map(|layer| (layer.spatial, layer.temporal)).collect();
        assert_eq!(layers, [(0, 0), (0, 0), (0, 1), (0, 2), (0, 2), (1, 0), (1, 0), (1, 1), (1, 2), (1, 2)]);
        assert_eq!((structure.layer(9), structure.layer(10)), (Some(Layer { spatial: 1, temporal: 2 }), None));
    }

    #[test]
    fn structure_of_one_picture_size() {
        let extended = Extended::parse(&bytes(SIMULCAST), None).unwrap();
        let structure = extended.structure.unwrap();
        assert_eq!((structure.layers.len(), structure.decode_targets, structure.chains), (7, 3, 0));
        assert_eq!((structure.resolutions, extended.active_decode_targets), (vec![(960, 540)], None));
    }

    #[test]
    fn first_bytes() {
        let start = FrameStart::of([0xc2, 0x01, 0x1a]);
        assert_eq!(start, FrameStart { first: true, last: true, template: 2, number: 0x011a });
    }

    #[test]
    fn what_is_cut_or_not_all_used_is_refused() {
        for whole in [bytes(SVC), bytes(SIMULCAST)] {
            for length in 0..whole.len() - 1 {
                assert_eq!(Extended::parse(&whole[..length], None), None, "{length}");
            }
        }
        let more = [bytes(SIMULCAST), vec![1]].concat();
        assert_eq!(Extended::parse(&more, None), None);
        // 64 templates are the most there can be: 65 times "the same layer again".
        let endless = [vec![0x80, 0, 1, 0x80, 0x00], vec![0; 40]].concat();
        assert_eq!(Extended::parse(&endless, None), None);
    }
}
