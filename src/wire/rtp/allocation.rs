//! The layers that a sender sends, in all its simulcast streams, and their rates
//! (webrtc.org/experiments/rtp-hdrext/video-layers-allocation00).

use crate::wire::bits::Bits;

/// Bytes of a number in LEB128 (AV1 specification section 4.10.5).
const LONGEST_LEB128: usize = 5;

/// What a sender sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Which of the streams, from 0, the packet is of.
    pub stream: u8,
    /// How many streams there are; 0 where nothing is sent.
    pub streams: u8,
    /// What is sent, by stream and then by spatial layer.
    pub layers: Vec<SpatialLayer>,
}

/// A spatial layer that is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpatialLayer {
    /// The simulcast stream that it is in, from 0.
    pub stream: u8,
    /// Its place by size of the picture, from 0.
    pub spatial: u8,
    /// The target in kbit/s of each temporal layer, those below it included.
    pub target_kilobits: Vec<u32>,
    /// Width, height and highest frame rate, where they are said.
    pub resolution: Option<(u32, u32, u8)>,
}

impl Allocation {
    /// Reads an element; `None` where it ends too early or bytes are left over.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let (first, rest) = data.split_first()?;
        if *first == 0 && rest.is_empty() {
            return Some(Self::default());
        }
        let (stream, streams) = (first >> 6, (first >> 4 & 3) + 1);
        let (masks, mut rest) = masks(first & 0x0f, streams, rest)?;
        let places = (0..streams).zip(masks).flat_map(|(stream, mask)| {
            let sent = move |spatial: &u8| mask >> spatial & 1 == 1;
            (0..4_u8).filter(sent).map(move |spatial| (stream, spatial))
        });
        let mut layers: Vec<SpatialLayer> =
            places.map(|(stream, spatial)| SpatialLayer { stream, spatial, ..SpatialLayer::default() }).collect();
        let (counts, after) = rest.split_at_checked(layers.len().div_ceil(4))?;
        rest = after;
        let mut counts = Bits::new(counts);
        for layer in &mut layers {
            for _ in 0..=counts.take(2)? {
                layer.target_kilobits.push(leb128(&mut rest)?);
            }
        }
        if rest.is_empty() {
            return Some(Self { stream, streams, layers });
        }
        for layer in &mut layers {
            let ([w0, w1, h0, h1, rate], after) = rest.split_first_chunk()?;
            let side = |high: u8, low: u8| u32::from(u16::from_be_bytes([high, low])) + 1;
            layer.resolution = Some((side(*w0, *w1), side(*h0, *h1), *rate));
            rest = after;
        }
        rest.is_empty().then_some(Self { stream, streams, layers })
    }
}

/// The spatial layers of each stream, a bit for each: one mask for all, or where that is 0 one for each, two in a byte.
fn masks(shared: u8, streams: u8, rest: &[u8]) -> Option<([u8; 4], &[u8])> {
    if shared != 0 {
        return Some(([shared; 4], rest));
    }
    let (own, rest) = rest.split_at_checked(usize::from(streams).div_ceil(2))?;
    let mut masks = [0; 4];
    for (mask, half) in masks.iter_mut().zip(own.iter().flat_map(|byte| [byte >> 4, byte & 0x0f])) {
        *mask = half;
    }
    Some((masks, rest))
}

fn leb128(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u64;
    for place in 0..LONGEST_LEB128 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rtp::tests::bytes;

    type Row = (u8, u8, Vec<u32>, Option<(u32, u32, u8)>);

    fn rows(allocation: &Allocation) -> Vec<Row> {
        let row = |layer: &SpatialLayer| (layer.stream, layer.spatial, layer.target_kilobits.clone(), layer.resolution);
        allocation.layers.iter().map(row).collect()
    }

    #[test]
    fn three_streams() {
        // Of Chromium's VP8 simulcast in three sizes; decoded by hand.
        let data = bytes("a1a8283c64649601fa01e8029c04840700ef00863c01df010d3c03bf021b3c");
        let allocation = Allocation::parse(&data).unwrap();
        assert_eq!((allocation.stream, allocation.streams), (2, 3));
        let expected = [
            (0, 0, vec![40, 60, 100], Some((240, 135, 60))),
            (1, 0, vec![100, 150, 250], Some((480, 270, 60))),
            (2, 0, vec![360, 540, 900], Some((960, 540, 60))),
        ];
        assert_eq!(rows(&allocation), expected);
    }

    #[test]
    fn two_spatial_layers() {
        // Of Chromium's VP9 in L3T3_KEY.
        let allocation = Allocation::parse(&bytes("03a05d79ac019d02f3029004013f00ef14027f01df14")).unwrap();
        let expected =
            [(0, 0, vec![93, 121, 172], Some((320, 240, 20))), (0, 1, vec![285, 371, 528], Some((640, 480, 20)))];
        assert_eq!(rows(&allocation), expected);
    }

    #[test]
    fn masks_of_their_own() {
        // Two streams, the second without its lowest layer: masks 0001 and 0010, one temporal layer each, no sizes.
        let allocation = Allocation::parse(&[0x50, 0x12, 0x00, 10, 20]).unwrap();
        assert_eq!(rows(&allocation), [(0, 0, vec![10], None), (1, 1, vec![20], None)]);
        assert_eq!((allocation.stream, allocation.streams), (1, 2));
        // Nothing is sent.
        assert_eq!(Allocation::parse(&[0]), Some(Allocation::default()));
    }

    #[test]
    fn what_is_cut_or_left_over_is_refused() {
        let whole = bytes("a1a8283c64649601fa01e8029c04840700ef00863c01df010d3c03bf021b3c");
        for length in (0..whole.len()).filter(|length| *length != 16) {
            assert_eq!(Allocation::parse(&whole[..length]), None, "{length}");
        }
        // Without the sizes it is whole too.
        assert!(Allocation::parse(&whole[..16]).is_some());
        assert_eq!(Allocation::parse(&[whole, vec![0]].concat()), None);
        assert_eq!(Allocation::parse(&[0x01, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), None);
    }
}
