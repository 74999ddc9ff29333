//! Frames of a scalable stream, as dependency descriptors name them.

use super::At;
use crate::{
    flow::sequence::{Sequence, Step},
    time::{PacketId, Timestamp},
    wire::rtp::dependency::{Extended, FrameStart, Layer, Structure, TEMPLATES},
};

/// Layers that are counted: spatial times temporal.
const SPATIAL: usize = 4;
const TEMPORAL: usize = 8;

/// Frames that begin where they say, before descriptors are taken for such without being told.
const PROOF: u64 = 50;

/// A frame number that is further ahead is a new start of the numbers.
const FAR: u16 = 1024;

/// Key frames whose packets are named.
const KEY_FRAMES: usize = 8;

/// Frames of one stream.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// Packets with a descriptor.
    pub packets: u64,
    /// Frame numbers; there is none before the first packet.
    numbers: Option<Sequence>,
    last: Option<FrameStart>,
    /// Frames that begin exactly where the number changes; and packets that tell otherwise.
    coherent: u64,
    incoherent: u64,
    /// The structure in force, that of the last key frame.
    structure: Option<Box<Structure>>,
    /// The decode targets that are sent, where that was said last.
    pub active_decode_targets: Option<u32>,
    /// Frames of each layer.
    layers: [[u32; TEMPORAL]; SPATIAL],
    /// Frames whose template no structure told.
    unknown: u64,
    /// Frames with a structure: key frames.
    pub key_frames: u64,
    /// The first of them.
    pub first_key_frames: Vec<(Timestamp, PacketId)>,
    /// Whether parts were put together that do not follow each other: then nobody knows which numbers are missing.
    is_mixed: bool,
}

impl Frames {
    #[inline]
    pub(super) fn push(&mut self, start: FrameStart) {
        self.packets += 1;
        let last = self.last.replace(start);
        if last.is_some_and(|last| last.number == start.number) {
            // That the number stays proves nothing; that a frame begins in it disproves it.
            self.incoherent += u64::from(start.first);
            return;
        }
        match last.map(|last| start.number.wrapping_sub(last.number)) {
            Some(1) => self.note_coherent(start.first && last.is_some_and(|last| last.last)),
            // Lost in between, which is no sign of anything.
            None | Some(2..FAR) => {}
            Some(_) => self.note_coherent(false),
        }
        let is_new = match &mut self.numbers {
            Some(numbers) => {
                let step = numbers.push(start.number, |step| step < FAR);
                matches!(step, Step::Forward(_) | Step::Late(_) | Step::Restart)
            }
            None => {
                self.numbers = Some(Sequence::new(start.number));
                true
            }
        };
        if is_new {
            self.count(start.template);
        }
    }

    /// A descriptor of more than three bytes.
    pub(super) fn push_extended(&mut self, start: FrameStart, data: &[u8], at: At) {
        let targets = self.structure.as_ref().map(|structure| structure.decode_targets);
        let extended = Extended::parse(data, targets).unwrap_or_default();
        self.active_decode_targets = extended.active_decode_targets.or(self.active_decode_targets);
        let is_new = self.last.is_none_or(|last| last.number != start.number);
        if let Some(structure) = extended.structure {
            if is_new {
                self.key_frames += 1;
                if self.first_key_frames.len() < KEY_FRAMES {
                    self.first_key_frames.push(at);
                }
            }
            self.structure = Some(Box::new(structure));
        }
        self.push(start);
    }

    /// The structure in force at the end.
    #[must_use]
    pub fn structure(&self) -> Option<&Structure> {
        self.structure.as_deref()
    }

    /// Frames by layer, lowest first; without those whose layer is unknown.
    pub fn by_layer(&self) -> impl Iterator<Item = (Layer, u64)> + '_ {
        let layers = (0_u8..).zip(&self.layers).flat_map(|(spatial, counts)| {
            (0_u8..).zip(counts).map(move |(temporal, count)| (Layer { spatial, temporal }, u64::from(*count)))
        });
        layers.filter(|(_, count)| *count > 0)
    }

    /// Frames of which a packet came.
    #[must_use]
    pub fn count_all(&self) -> u64 {
        self.by_layer().map(|(_, count)| count).sum::<u64>() + self.unknown
    }

    /// Frame numbers between the first and the last that no packet has: frames that were lost, or that somebody on the
    /// way left out. `None` where that cannot be told.
    #[must_use]
    pub fn missing(&self) -> Option<u64> {
        self.numbers.as_ref().filter(|_| !self.is_mixed).map(|numbers| numbers.counters().lost)
    }

    pub(super) const fn are_proven(&self) -> bool {
        self.coherent >= PROOF && self.incoherent * 50 <= self.coherent
    }

    pub(super) fn add(&mut self, next: &Self) {
        self.packets += next.packets;
        self.coherent += next.coherent;
        self.incoherent += next.incoherent;
        self.unknown += next.unknown;
        self.key_frames += next.key_frames;
        for (own, other) in self.layers.iter_mut().flatten().zip(next.layers.iter().flatten()) {
            *own = own.saturating_add(*other);
        }
        self.first_key_frames.extend(&next.first_key_frames);
        self.first_key_frames.sort_unstable();
        self.first_key_frames.truncate(KEY_FRAMES);
        self.structure = next.structure.clone().or_else(|| self.structure.take());
        self.active_decode_targets = next.active_decode_targets.or(self.active_decode_targets);
        self.is_mixed |= next.is_mixed;
        match (&mut self.numbers, &next.numbers) {
            (Some(own), Some(other)) => {
                let step = other.ends().0.wrapping_sub(own.ends().1);
                self.is_mixed |= !(1..FAR).contains(&step);
                own.append(other, true);
            }
            (own, other) => *own = own.take().or_else(|| other.clone()),
        }
    }

    fn note_coherent(&mut self, is_so: bool) {
        self.coherent += u64::from(is_so);
        self.incoherent += u64::from(!is_so);
    }

    fn count(&mut self, template: u8) {
        let layer = self.structure.as_ref().and_then(|structure| structure.layer(template % TEMPLATES as u8));
        let count = layer
            .and_then(|layer| self.layers.get_mut(usize::from(layer.spatial))?.get_mut(usize::from(layer.temporal)));
        match count {
            Some(count) => *count = count.saturating_add(1),
            None => self.unknown += 1,
        }
    }
}

/// Whether a packet begins the next frame where that of the packet before it ended; `None` if it goes on with it.
pub(super) const fn begins_next(last: FrameStart, start: FrameStart) -> Option<bool> {
    match start.number.wrapping_sub(last.number) {
        0 if !start.first && !last.last && start.template == last.template => None,
        1 => Some(start.first && last.last),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stream::elements::tests::arrival;

    /// Two templates, temporal layers 0 and 1, for two decode targets; no chains, no size. By hand along the
    /// specification: flags 10000, offset 000000, targets 00001, layers 01 and 11, four indications 10, no differences 0 and
    /// 0, no chains 0 (`ns(3)`), no size 0.
    const STRUCTURE: [u8; 4] = [0b1000_0000, 0b0000_0001, 0b0111_1010, 0b1010_0000];

    fn start(number: u16, template: u8) -> FrameStart {
        FrameStart { first: true, last: true, template, number }
    }

    fn key(frames: &mut Frames, number: u16) {
        let [high, low] = number.to_be_bytes();
        let data = [&[0xc0, high, low][..], &STRUCTURE].concat();
        frames.push_extended(start(number, 0), &data, arrival(u64::from(number)));
    }

    #[test]
    fn the_structure_is_one() {
        let extended = Extended::parse(&[&[0xc0, 0, 0][..], &STRUCTURE].concat(), None).unwrap();
        let structure = extended.structure.unwrap();
        assert_eq!((structure.layers.len(), structure.decode_targets), (2, 2));
        assert_eq!(structure.layer(1), Some(Layer { spatial: 0, temporal: 1 }));
    }

    #[test]
    fn frames_by_layer() {
        let mut frames = Frames::default();
        key(&mut frames, 100);
        for number in 101..160 {
            // Frame 130 is lost, 140 has two packets, and 150 comes after 151.
            let number = match number {
                130 => continue,
                150 => 151,
                151 => 150,
                other => other,
            };
            let one = start(number, (number % 2) as u8);
            if number == 140 {
                frames.push(FrameStart { last: false, ..one });
                frames.push(FrameStart { first: false, ..one });
            } else {
                frames.push(one);
            }
        }
        key(&mut frames, 160);
        let layers: Vec<(u8, u64)> = frames.by_layer().map(|(layer, count)| (layer.temporal, count)).collect();
        // 100, 102 .. 158 without 130 are 29, and 160; 101, 103 .. 159 are 30.
        assert_eq!((layers, frames.count_all()), (vec![(0, 30), (1, 30)], 60));
        assert_eq!((frames.missing(), frames.key_frames, frames.packets), (Some(1), 2, 61));
        let named: Vec<u64> = frames.first_key_frames.iter().map(|(_, packet)| packet.number()).collect();
        assert_eq!(named, [100, 160]);
    }

    #[test]
    fn parts_of_a_stream() {
        let part = |from: u16, to: u16| {
            let mut frames = Frames::default();
            (from..to).for_each(|number| frames.push(start(number, 0)));
            frames
        };
        let mut one = part(0, 50);
        one.add(&part(52, 100));
        assert_eq!((one.missing(), one.count_all()), (Some(2), 98));
        // Behind what is known already: they took turns, and what is missing in each is not known.
        one.add(&part(10, 20));
        assert_eq!((one.missing(), one.count_all()), (None, 108));
    }
}
