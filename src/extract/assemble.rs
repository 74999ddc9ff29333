//! Frames of video out of packets in order.
//!
//! What a player can show is kept, and nothing else: a frame of which a packet is missing is dropped, and after it all
//! frames that build on it; where nothing else is told, those are all up to the next key frame. Two losses do no such
//! harm: that of a packet inside a frame that no other refers to, and that of packets between two frames whose
//! PictureIDs follow each other (padding or FEC).

use std::ops::Range;

use super::{
    annexb::START_CODE,
    chain::{Chain, TemporalLayer},
    reorder::Ordered,
};
use crate::wire::payload::{
    Codec, Piece, Resolution, Summary, av1, h264, h265,
    vp8::{self, PictureId},
    vp9,
};

/// A frame that is whole: all that has one timestamp.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub place: i64,
    pub data: Vec<u8>,
    pub key: bool,
    pub resolution: Option<Resolution>,
}

/// What became of the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fates {
    pub written: u64,
    pub key: u64,
    pub incomplete: u64,
    pub undecodable: u64,
}

/// Takes packets of one codec, in order.
#[derive(Debug)]
pub(super) struct Assembler {
    codec: Codec,
    current: Option<Building>,
    chain: Chain,
    /// Packets are missing between the last frame and the current one; or nothing was seen yet.
    gap: bool,
    last_picture: Option<PictureId>,
    pub fates: Fates,
}

impl Assembler {
    pub(super) const fn new(codec: Codec) -> Self {
        let fates = Fates { written: 0, key: 0, incomplete: 0, undecodable: 0 };
        Self { codec, current: None, chain: Chain::new(), gap: true, last_picture: None, fates }
    }

    /// Takes a packet whose place in the file is `place`; the frames that are over with it.
    pub(super) fn push(&mut self, packet: &Ordered, payload: &[u8], place: i64) -> [Option<Frame>; 2] {
        let lost = packet.lost > 0 || packet.restarted;
        let before = self.current.take_if(|current| current.timestamp != packet.timestamp);
        let before = before.and_then(|mut before| {
            // It had no marker bit, so its end may be what is missing.
            before.broken |= lost;
            self.complete(before)
        });
        let is_first = self.current.is_none();
        self.gap |= lost && is_first;
        let current = self.current.get_or_insert_with(|| Building::new(packet.timestamp, place));
        let is_read = current.push(self.codec, payload, packet.marker).is_some();
        let lacks_start = is_first && self.gap && !current.starts;
        current.broken |= !is_read || lost && !is_first || lacks_start;
        let after = if packet.marker { self.current.take().and_then(|current| self.complete(current)) } else { None };
        [before, after]
    }

    /// A packet came that carries nothing of a frame; but packets may be missing before it.
    pub(super) fn skip(&mut self, packet: &Ordered) {
        let lost = packet.lost > 0 || packet.restarted;
        match &mut self.current {
            Some(current) => current.broken |= lost,
            None => self.gap |= lost,
        }
    }

    /// No more packets come.
    pub(super) fn end(&mut self) -> Option<Frame> {
        let mut last = self.current.take()?;
        // More of it may have come when the capture was over.
        last.broken = true;
        self.complete(last)
    }

    fn complete(&mut self, frame: Building) -> Option<Frame> {
        let follows = match (self.last_picture, frame.picture) {
            (Some(last), Some(this)) => this == next_picture(last),
            _ => false,
        };
        if std::mem::take(&mut self.gap) && !follows {
            self.chain.damage();
        }
        if frame.broken || !frame.is_whole() {
            self.fates.incomplete += 1;
            // Nothing refers to a frame that can be discarded, if it alone was hit.
            if !(frame.discardable && frame.marker && frame.starts) {
                self.chain.damage();
            }
            return None;
        }
        self.last_picture = frame.picture;
        if !frame.only_parameters && !self.chain.take(frame.key, frame.layer) {
            self.fates.undecodable += 1;
            return None;
        }
        self.fates.written += u64::from(!frame.only_parameters);
        self.fates.key += u64::from(frame.key);
        Some(frame.finish(self.codec))
    }
}

const fn next_picture(picture: PictureId) -> PictureId {
    let mask = if picture.long { 0x7fff } else { 0x7f };
    PictureId { value: (picture.value + 1) & mask, long: picture.long }
}

/// A frame of which more packets may come.
#[derive(Debug)]
struct Building {
    timestamp: u32,
    place: i64,
    data: Vec<u8>,
    packets: u64,
    /// Bytes of each spatial layer, of VP9.
    layers: Vec<usize>,
    /// Where parameter sets stand.
    parameter_sets: Vec<Range<usize>>,
    /// An OBU that goes on in the next packet.
    obu: Vec<u8>,
    /// A NAL unit, an OBU or the frame of a layer has begun and has not ended.
    open: bool,
    starts: bool,
    marker: bool,
    key: bool,
    broken: bool,
    discardable: bool,
    only_parameters: bool,
    resolution: Option<Resolution>,
    picture: Option<PictureId>,
    layer: Option<TemporalLayer>,
}

impl Building {
    const fn new(timestamp: u32, place: i64) -> Self {
        Self {
            timestamp,
            place,
            data: Vec::new(),
            packets: 0,
            layers: Vec::new(),
            parameter_sets: Vec::new(),
            obu: Vec::new(),
            open: false,
            starts: false,
            marker: false,
            key: false,
            broken: false,
            discardable: false,
            only_parameters: false,
            resolution: None,
            picture: None,
            layer: None,
        }
    }

    /// Adds a packet; `None` where it does not go on with what came before.
    fn push(&mut self, codec: Codec, payload: &[u8], marker: bool) -> Option<()> {
        let summary = Summary::read(codec, payload, marker).ok()?;
        let is_first = self.packets == 0;
        self.packets += 1;
        self.marker |= marker;
        self.key |= summary.key_frame;
        self.starts |= summary.starts_frame;
        self.discardable = summary.discardable && (is_first || self.discardable);
        self.resolution = summary.resolution.or(self.resolution);
        if self.data.len() + self.obu.len() + payload.len() > LARGEST_FRAME {
            (self.data, self.obu) = (Vec::new(), Vec::new());
            return None;
        }
        match codec {
            Codec::Vp8 => self.push_vp8(&vp8::Payload::parse(payload).ok()?, is_first),
            Codec::Vp9 => self.push_vp9(&vp9::Payload::parse(payload).ok()?, is_first),
            Codec::H264 => self.push_h264(&h264::Payload::parse(payload).ok()?, is_first),
            Codec::H265 => {
                let payload = h265::Payload::parse(payload).ok()?;
                self.only_parameters = is_first || self.only_parameters;
                self.only_parameters &= payload.pieces().all(|piece| !h265::is_slice(piece.kind));
                payload.pieces().try_for_each(|piece| self.push_piece(&piece, 2))
            }
            Codec::Av1 => self.push_av1(&av1::Payload::parse(payload).ok()?),
            _ => None,
        }
    }

    fn push_vp8(&mut self, payload: &vp8::Payload<'_>, is_first: bool) -> Option<()> {
        if is_first != payload.starts_frame() {
            return None;
        }
        self.picture = payload.picture_id.or(self.picture);
        if let (Some(number), Some(base)) = (payload.temporal_layer, payload.tl0_picture_index) {
            self.layer = Some(TemporalLayer { number, base, switches: payload.layer_sync });
        }
        self.data.extend(payload.data);
        Some(())
    }

    fn push_vp9(&mut self, payload: &vp9::Payload<'_>, is_first: bool) -> Option<()> {
        if payload.starts_frame == self.open || is_first && payload.layer.is_some_and(|layer| layer.spatial > 0) {
            return None;
        }
        if payload.starts_frame {
            self.layers.push(0);
        }
        *self.layers.last_mut()? += payload.data.len();
        self.open = !payload.ends_frame;
        if let Some(layer) = payload.layer.filter(|_| is_first)
            && let Some(base) = layer.tl0_picture_index
        {
            self.layer = Some(TemporalLayer { number: layer.temporal, base, switches: layer.switching_point });
        }
        self.picture = payload.picture_id.or(self.picture);
        self.data.extend(payload.data);
        Some(())
    }

    fn push_h264(&mut self, payload: &h264::Payload<'_>, is_first: bool) -> Option<()> {
        self.only_parameters = is_first || self.only_parameters;
        for piece in payload.pieces() {
            self.only_parameters &= matches!(piece.kind, h264::SEI..=h264::AUD);
            // A recovery point (ITU-T H.264 section D.1.8) is where a decoder starts in a stream without IDR pictures.
            self.key |= piece.kind == h264::SEI && piece.data.get(1) == Some(&6);
            self.push_piece(&piece, 1)?;
        }
        Some(())
    }

    /// Adds a NAL unit, or a part of one, whose header has `header_length` bytes.
    fn push_piece(&mut self, piece: &Piece<'_>, header_length: usize) -> Option<()> {
        if piece.starts == self.open {
            return None;
        }
        let is_parameter_set = match header_length {
            1 => matches!(piece.kind, h264::SPS | h264::PPS),
            _ => matches!(piece.kind, h265::VPS..=h265::PPS),
        };
        if is_parameter_set && piece.starts && piece.ends {
            if self.has_parameter_set(piece.data) {
                return Some(());
            }
            if self.parameter_sets.len() < MOST_PARAMETER_SETS {
                let start = self.data.len() + START_CODE.len();
                self.parameter_sets.push(start..start + piece.data.len());
            }
        }
        if piece.starts {
            self.data.extend(START_CODE);
            self.data.extend(piece.header.iter().flatten().take(header_length));
        }
        self.open = !piece.ends;
        self.data.extend(piece.data);
        Some(())
    }

    /// Whether the frame has this set already. Some senders put the same before each slice of a picture; a decoder would
    /// take every one for the start of another picture.
    fn has_parameter_set(&self, set: &[u8]) -> bool {
        let mut earlier = self.parameter_sets.iter();
        earlier.any(|range| self.data.get(range.clone()).is_some_and(|earlier| earlier == set))
    }

    fn push_av1(&mut self, payload: &av1::Payload<'_>) -> Option<()> {
        for element in payload.elements() {
            if element.starts == self.open {
                return None;
            }
            self.open = !element.ends;
            self.obu.extend(element.data);
            if element.ends {
                let obu = std::mem::take(&mut self.obu);
                self.push_obu(&av1::Obu::parse(&obu).ok()?)?;
            }
        }
        Some(())
    }

    /// Adds an OBU with its size, as files have it.
    fn push_obu(&mut self, obu: &av1::Obu<'_>) -> Option<()> {
        if matches!(obu.kind, av1::TEMPORAL_DELIMITER | av1::TILE_LIST) {
            return Some(());
        }
        let (first, extension) = obu.header.split_first()?;
        self.data.push(first | av1::HAS_SIZE);
        self.data.extend(extension);
        let mut size = obu.payload.len();
        while size >= 0x80 {
            self.data.push(size as u8 | 0x80);
            size >>= 7;
        }
        self.data.push(size as u8);
        self.data.extend(obu.payload);
        Some(())
    }

    const fn is_whole(&self) -> bool {
        !self.open && !self.data.is_empty()
    }

    fn finish(mut self, codec: Codec) -> Frame {
        if codec == Codec::Av1 {
            self.data.splice(..0, TEMPORAL_DELIMITER);
        }
        if (2..=8).contains(&self.layers.len()) {
            self.data.extend(superframe_index(&self.layers));
        }
        Frame { place: self.place, data: self.data, key: self.key, resolution: self.resolution }
    }
}

/// Where each frame of a picture ends (VP9 bitstream specification, annex B): how a file holds several in one.
fn superframe_index(layers: &[usize]) -> Vec<u8> {
    let marker = 0xc0 | 3 << 3 | (layers.len() as u8).wrapping_sub(1) & 7;
    let sizes = layers.iter().flat_map(|size| (*size as u32).to_le_bytes());
    std::iter::once(marker).chain(sizes).chain(std::iter::once(marker)).collect()
}

/// What a temporal unit of AV1 starts with, its size of 0 included.
const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0x00];

/// How many parameter sets of a frame are remembered.
const MOST_PARAMETER_SETS: usize = 16;

/// Bytes of the largest frame; no encoder makes such.
const LARGEST_FRAME: usize = 16 << 20;
