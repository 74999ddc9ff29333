//! Which TSNs a direction has sent, and when.

use crate::time::Timestamp;

/// The last [`WINDOW`] TSNs as a ring of bits, and the last [`TIMED`] with their time.
#[derive(Debug)]
pub(super) struct TsnWindow {
    highest: Option<u32>,
    seen: [u64; WINDOW / 64],
    sent: [Sent; TIMED],
}

/// When a TSN was sent first.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    tsn: u32,
    time: Option<Timestamp>,
}

/// Whether a TSN was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    New,
    Again,
    TooOld,
}

impl TsnWindow {
    /// Forgets everything: the next TSN may be any.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Takes in a TSN sent at `time`.
    pub(super) fn see(&mut self, tsn: u32, time: Timestamp) -> Sighting {
        let ahead = self.highest.map_or(i32::MAX, |highest| tsn.wrapping_sub(highest).cast_signed());
        if ahead <= -(WINDOW as i32) {
            return Sighting::TooOld;
        }
        if ahead >= WINDOW as i32 {
            self.seen = [0; WINDOW / 64];
        } else {
            for skipped in 1..=ahead.max(0) {
                self.clear(tsn.wrapping_sub(skipped.cast_unsigned()).wrapping_add(1));
            }
        }
        if ahead > 0 {
            self.highest = Some(tsn);
        }
        let again = self.set(tsn);
        let Some(sent) = self.sent.get_mut(tsn as usize % TIMED) else { return Sighting::TooOld };
        if !again {
            *sent = Sent { tsn, time: Some(time) };
        } else if sent.tsn == tsn {
            sent.time = None;
        }
        if again { Sighting::Again } else { Sighting::New }
    }

    /// When a TSN was sent, where that was once and not long ago.
    pub(super) fn sent_once(&self, tsn: u32) -> Option<Timestamp> {
        self.sent.get(tsn as usize % TIMED).filter(|sent| sent.tsn == tsn).and_then(|sent| sent.time)
    }

    fn clear(&mut self, tsn: u32) {
        let (word, bit) = place(tsn);
        if let Some(word) = self.seen.get_mut(word) {
            *word &= !bit;
        }
    }

    /// Sets a bit; whether it was set before.
    fn set(&mut self, tsn: u32) -> bool {
        let (word, bit) = place(tsn);
        self.seen.get_mut(word).is_some_and(|word| {
            let before = *word & bit != 0;
            *word |= bit;
            before
        })
    }
}

impl Default for TsnWindow {
    fn default() -> Self {
        Self { highest: None, seen: [0; WINDOW / 64], sent: [Sent::default(); TIMED] }
    }
}

const fn place(tsn: u32) -> (usize, u64) {
    let at = tsn as usize % WINDOW;
    (at / 64, 1 << (at % 64))
}

/// TSNs that a repetition is recognised in.
const WINDOW: usize = 4096;
/// TSNs whose time is kept: as many as can be in flight on most paths.
const TIMED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_across_the_wrap() {
        let mut window = TsnWindow::default();
        let see = |window: &mut TsnWindow, tsn: u32| window.see(tsn, Timestamp(i64::from(tsn)));
        assert_eq!(see(&mut window, u32::MAX), Sighting::New);
        assert_eq!(see(&mut window, 2), Sighting::New);
        assert_eq!(see(&mut window, 0), Sighting::New);
        assert_eq!(see(&mut window, u32::MAX), Sighting::Again);
        assert_eq!(window.sent_once(u32::MAX), None);
        assert_eq!(window.sent_once(2), Some(Timestamp(2)));
        assert_eq!(window.sent_once(258), None);
        // The ring forgets what is more than its size behind, and marks nothing new as seen.
        assert_eq!(see(&mut window, 4096), Sighting::New);
        assert_eq!(see(&mut window, 0), Sighting::TooOld);
        assert_eq!(see(&mut window, 4095), Sighting::New);
        assert_eq!(see(&mut window, 1_000_000), Sighting::New);
        assert_eq!(see(&mut window, 999_999), Sighting::New);
        assert_eq!(see(&mut window, 999_999), Sighting::Again);
        window.restart();
        assert_eq!(see(&mut window, 5), Sighting::New);
    }
}
