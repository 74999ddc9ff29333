//! Audio levels (RFC 6464): how loud, and how long silent.

use super::At;
use crate::{
    time::{PacketId, Timestamp},
    wire::rtp::value::AudioLevel,
};

/// Levels that must be seen before single bytes are taken for levels, and packets.
const DIFFERENT_LEVELS: u32 = 16;
const PROOF: u64 = 100;

/// The energy of each level.
const ENERGY: [u64; 128] = {
    let (mut energy, mut index, mut value) = ([0; 128], 0, Levels::FULL_ENERGY);
    while index < 128 {
        energy[index] = (value + 0.5) as u64;
        // Ten to the power of a tenth of a bel less.
        value *= 0.794_328_234_724_281_5;
        index += 1;
    }
    energy
};

/// Levels of a stream.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// Packets with a level.
    pub packets: u64,
    /// Packets of digital silence.
    pub silent: u64,
    /// Packets in which the sender heard a voice.
    pub voice: u64,
    /// The energy of all packets, [`Levels::FULL_ENERGY`] for the loudest that there can be; saturates.
    pub energy: u64,
    /// A bit for each level seen.
    seen: u128,
    run: Option<Silence>,
    longest: Option<Silence>,
}

/// Packets of digital silence in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// How many.
    pub packets: u64,
    /// The first.
    pub first: (Timestamp, PacketId),
    /// The last.
    pub last: (Timestamp, PacketId),
}

impl Silence {
    fn length(&self) -> (i64, u64) {
        (self.last.0.since(self.first.0), self.packets)
    }
}

impl Levels {
    /// The energy of a packet at the overload of the system.
    pub const FULL_ENERGY: f64 = (1_u64 << 32) as f64;

    /// Takes the byte of so many packets in a row, the first and the last of them.
    #[inline]
    pub(super) fn push(&mut self, byte: u8, packets: u64, first: At, last: At) {
        let level = AudioLevel::of(byte);
        self.packets += packets;
        self.voice += if level.voice { packets } else { 0 };
        self.seen |= 1 << level.below_overload;
        let energy = ENERGY.get(usize::from(level.below_overload)).copied().unwrap_or_default();
        self.energy = self.energy.saturating_add(energy.saturating_mul(packets));
        match (&mut self.run, level.below_overload == AudioLevel::SILENCE) {
            (None, false) => return,
            (Some(_), false) => return self.end_run(),
            (None, true) => self.run = Some(Silence { packets, first, last }),
            (Some(run), true) => (run.packets, run.last) = (run.packets + packets, last),
        }
        self.silent += packets;
    }

    /// The loudest level, in decibels below overload.
    #[must_use]
    pub const fn loudest(&self) -> Option<u8> {
        if self.seen == 0 { None } else { Some(self.seen.trailing_zeros() as u8) }
    }

    /// The longest time of digital silence.
    #[must_use]
    pub fn longest_silence(&self) -> Option<Silence> {
        self.run.into_iter().chain(self.longest).max_by_key(Silence::length)
    }

    /// Whether more than one was seen.
    pub(super) const fn are_several(&self) -> bool {
        self.seen.count_ones() > 1
    }

    pub(super) fn are_proven(&self, packets: u64) -> bool {
        self.packets >= PROOF && self.packets == packets && self.seen.count_ones() >= DIFFERENT_LEVELS
    }

    pub(super) fn add(&mut self, next: &Self) {
        self.end_run();
        self.packets += next.packets;
        self.silent += next.silent;
        self.voice += next.voice;
        self.energy = self.energy.saturating_add(next.energy);
        self.seen |= next.seen;
        self.run = next.longest_silence();
        self.end_run();
    }

    fn end_run(&mut self) {
        self.longest = self.run.take().into_iter().chain(self.longest).max_by_key(Silence::length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stream::elements::tests::followed;

    fn levels(bytes: impl IntoIterator<Item = u8>) -> Levels {
        let all = followed(bytes.into_iter().map(|byte| [byte]));
        all.of(5).unwrap().levels.as_deref().unwrap().clone()
    }

    /// Decibels of the mean energy.
    fn mean(levels: &Levels) -> f64 {
        10.0 * (levels.energy as f64 / levels.packets as f64 / Levels::FULL_ENERGY).log10()
    }

    #[test]
    fn loudness() {
        // Half the packets at -20 dBov, half silent: 3.01 dB less in the mean.
        let found = levels((0..100).map(|index| if index % 2 == 0 { 0x80 | 20 } else { 127 }));
        assert!((mean(&found) + 23.01).abs() < 0.01, "{}", mean(&found));
        assert_eq!((found.packets, found.silent, found.voice, found.loudest()), (100, 50, 50, Some(20)));
        // A level alone is its own mean, as far down as anybody hears.
        for level in [0, 1, 10, 60, 80] {
            assert!((mean(&levels([level; 3])) + f64::from(level)).abs() < 0.05);
        }
    }

    #[test]
    fn the_longest_silence() {
        let of = |level: u8, count: usize| std::iter::repeat_n(level, count);
        let found = levels(of(127, 3).chain(of(30, 5)).chain(of(127, 7)).chain(of(30, 5)).chain(of(127, 2)));
        let silence = found.longest_silence().unwrap();
        assert_eq!((silence.packets, silence.first.1.number(), silence.last.1.number()), (7, 9, 15));
        assert_eq!(levels(of(30, 9)).longest_silence(), None);
        // One that goes on at the end counts too.
        assert_eq!(levels(of(30, 2).chain(of(127, 4))).longest_silence().map(|silence| silence.packets), Some(4));
        // Parts of a stream are not one silence.
        let mut parts = levels(of(127, 4));
        parts.add(&levels(of(127, 6)));
        assert_eq!((parts.longest_silence().map(|silence| silence.packets), parts.silent), (Some(6), 10));
    }

    #[test]
    fn proof() {
        let talk = (0..200).map(|index| 20 + index % 30);
        assert!(levels(talk.clone()).are_proven(200) && !levels(talk).are_proven(201));
        assert!(!levels((0..200).map(|index| 20 + index % 10)).are_proven(200));
    }
}
