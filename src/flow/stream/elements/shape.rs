//! What the extensions of a stream's packets have in common: most are alike but for a few bytes at the same places, and
//! are compared at once instead of being read element by element.

use crate::wire::rtp::{Extension, FIXED_LENGTH};

/// Bytes of an extension's data that are compared; longer ones have no shape.
const LONGEST: usize = WORDS * 8;

const WORDS: usize = 3;

/// The first byte of a packet with an extension, without padding and contributing sources.
const FIRST: u8 = 0x90;

/// In [`Place`]: none.
const NONE: u8 = u8::MAX;

/// An element that says something else in every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where its bytes are in the extension's data.
    pub(super) at: u8,
    /// Which of the followed elements it is.
    pub(super) index: u8,
}

impl Place {
    /// No place.
    const NONE: Self = Self { at: NONE, index: NONE };

    /// Its bytes in the data of a packet.
    #[inline]
    pub(super) fn bytes<const N: usize>(self, data: &[u8]) -> Option<[u8; N]> {
        data.get(usize::from(self.at)..).and_then(<[u8]>::first_chunk::<N>).copied()
    }
}

/// The shape of an extension of one-byte elements: one line of the processor's cache.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Shape {
    /// The data where `mask` has bits.
    bytes: [u64; WORDS],
    mask: [u64; WORDS],
    /// Packets of this shape that were looked into and are not counted with their elements yet.
    pub(super) packets: u32,
    /// The ids of its elements.
    pub(super) ids: u16,
    /// Bytes of data; 0 where no shape is known.
    length: u8,
    /// The length of the last extension that was read in full since one had this shape.
    seen: u8,
    /// Three bytes that are a time of sending.
    pub(super) time: Place,
    /// A byte that is an audio level.
    pub(super) level: Place,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            bytes: [0; WORDS],
            mask: [0; WORDS],
            packets: 0,
            ids: 0,
            length: 0,
            seen: 0,
            time: Place::NONE,
            level: Place::NONE,
        }
    }
}

/// Which bytes of an extension differ from packet to packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    mask: [u8; LONGEST],
    time: Place,
    level: Place,
}

impl Default for Open {
    fn default() -> Self {
        Self { mask: [0xff; LONGEST], time: Place::NONE, level: Place::NONE }
    }
}

/// Each tells whether there was room.
impl Open {
    /// Two bytes at `at`, whatever they say.
    pub(super) fn number(&mut self, at: u8) -> bool {
        self.open(at, 2)
    }

    /// A time of sending.
    pub(super) fn time(&mut self, place: Place) -> bool {
        let is_first = self.time == Place::NONE;
        self.time = place;
        is_first && self.open(place.at, 3)
    }

    /// An audio level.
    pub(super) fn level(&mut self, place: Place) -> bool {
        let is_first = self.level == Place::NONE;
        self.level = place;
        is_first && self.open(place.at, 1)
    }

    fn open(&mut self, at: u8, count: usize) -> bool {
        let bytes = self.mask.get_mut(usize::from(at)..usize::from(at) + count);
        bytes.map(|bytes| bytes.fill(0)).is_some()
    }
}

impl Shape {
    /// The shape of `extension` with elements of these ids, but for what is open.
    pub(super) fn of(extension: &Extension<'_>, ids: u16, open: &Open) -> Option<Self> {
        let length = extension.data.len();
        let (mut bytes, mut mask) = ([0; LONGEST], open.mask);
        bytes.get_mut(..length)?.copy_from_slice(extension.data);
        mask.get_mut(length..)?.fill(0);
        let (mut bytes, mask) = (words(&bytes), words(&mask));
        bytes.iter_mut().zip(mask).for_each(|(word, mask)| *word &= mask);
        let Open { time, level, .. } = *open;
        Some(Self { bytes, mask, ids, length: length as u8, time, level, ..Self::default() })
    }

    /// Whether an extension that had to be read in full is as long as the one before that had to be, with none of this
    /// shape between them.
    #[inline]
    pub(super) fn is_alike(&mut self, extension: &Extension<'_>) -> bool {
        let length = u8::try_from(extension.data.len()).unwrap_or_default();
        std::mem::replace(&mut self.seen, length) == length && length > 0
    }

    /// Forgets what [`Self::is_alike`] compares with.
    pub(super) const fn forget_seen(&mut self) {
        self.seen = 0;
    }

    /// The data of the extension of `packet`, if it is of this shape.
    #[inline]
    pub(super) fn data<'a>(&self, packet: &'a [u8]) -> Option<&'a [u8]> {
        const DATA: usize = FIXED_LENGTH + 4;
        let (head, data) = packet.split_first_chunk::<DATA>()?;
        let compared = words(data.first_chunk::<LONGEST>()?);
        let head_is_equal =
            head[0] == FIRST && head[FIXED_LENGTH..] == [0xbe, 0xde, 0, self.length / 4] && self.length > 0;
        let differences = compared.iter().zip(&self.bytes).zip(&self.mask);
        let is_equal = differences.fold(0, |sum, ((word, bytes), mask)| sum | (word & mask ^ bytes)) == 0;
        if head_is_equal && is_equal { data.get(..usize::from(self.length)) } else { None }
    }
}

#[inline]
fn words(bytes: &[u8; LONGEST]) -> [u64; WORDS] {
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut words = [0; WORDS];
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_le_bytes(*chunk);
    }
    words
}
