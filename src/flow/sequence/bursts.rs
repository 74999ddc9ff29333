//! Runs of lost packets.

/// Longest runs of lost packets that are remembered by their length.
const LONGER: usize = 8;

/// Runs of lost packets by length: 1, 2, 3-5, 6-10, more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bursts {
    /// Runs per class.
    pub by_length: [u64; 5],
    /// Packets in the longest run.
    pub longest: u64,
    /// Packets in the longest runs, from the longest on: what is left where some turn out not to be lost.
    longer: [u64; LONGER],
}

impl Bursts {
    pub(super) fn record(&mut self, length: u64) {
        if let Some(count) = class(length).and_then(|class| self.by_length.get_mut(class)) {
            *count += 1;
        }
        self.longest = self.longest.max(length);
        self.rank(length);
    }

    /// Takes a run out that is not lost.
    pub(super) fn remove(&mut self, length: u64) {
        if let Some(count) = class(length).and_then(|class| self.by_length.get_mut(class)) {
            *count = count.saturating_sub(1);
        }
        if let Some(index) = self.longer.iter().position(|known| *known == length)
            && let Some(rest) = self.longer.get_mut(index..)
        {
            rest.rotate_left(1);
            if let Some(last) = rest.last_mut() {
                *last = 0;
            }
        }
        let [longest, ..] = self.longer;
        self.longest = longest;
    }

    /// Those of both.
    pub(super) fn with(&self, next: &Self) -> Self {
        let mut sum = *self;
        sum.by_length.iter_mut().zip(next.by_length).for_each(|(sum, count)| *sum += count);
        sum.longest = sum.longest.max(next.longest);
        next.longer.iter().for_each(|length| sum.rank(*length));
        sum
    }

    #[inline]
    fn rank(&mut self, length: u64) {
        let [.., shortest] = self.longer;
        if length <= shortest {
            return;
        }
        let index = self.longer.partition_point(|known| *known >= length);
        if let Some(rest) = self.longer.get_mut(index..) {
            rest.rotate_right(1);
            if let Some(slot) = rest.first_mut() {
                *slot = length;
            }
        }
    }

    /// All runs.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.by_length.iter().sum()
    }
}

/// The class of a run's length; `None` of none.
const fn class(length: u64) -> Option<usize> {
    match length {
        0 => None,
        1 => Some(0),
        2 => Some(1),
        3..=5 => Some(2),
        6..=10 => Some(3),
        _ => Some(4),
    }
}
