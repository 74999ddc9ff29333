//! Which TSNs a direction has sent and when, and what the other end said of them.

use crate::{
    time::{NANOS_PER_MILLI, Timestamp},
    wire::sctp::{Data, GapBlock},
};

/// The last [`WINDOW`] TSNs as a ring of bits, and the last [`TIMED`] with their time.
#[derive(Debug)]
pub(super) struct TsnWindow {
    highest: Option<u32>,
    seen: [u64; WINDOW / 64],
    sent: [Sent; TIMED],
}

/// A TSN that was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    /// When it was sent last.
    time: Timestamp,
    tsn: u32,
    /// Its stream.
    pub(super) stream: u16,
    /// [`KNOWN`] and the flags behind it.
    flags: u8,
    /// SACKs since it was sent last that acknowledged a later TSN for the first time and not this one.
    misses: u8,
}

/// Whether a TSN was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    New,
    Again(Resent),
    TooOld,
}

/// Why a TSN was sent again, as far as the tap can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resent {
    /// After three SACKs without it (RFC 9260 section 7.2.4).
    Fast,
    /// After no word of it for as long as a timer needs (RFC 9260 section 6.3.3).
    Timeout,
    /// Sooner than any timer: a copy that the network made, or a probe of the path's end.
    Unexplained,
}

impl TsnWindow {
    /// Forgets everything: the next TSN may be any.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Takes in a chunk sent at `time`.
    pub(super) fn see(&mut self, data: &Data<'_>, time: Timestamp) -> Sighting {
        let tsn = data.tsn;
        let ahead = self.highest.map_or(i32::MAX, |highest| tsn.wrapping_sub(highest).cast_signed());
        if ahead <= -(WINDOW as i32) {
            return Sighting::TooOld;
        }
        if ahead >= WINDOW as i32 {
            self.seen = [0; WINDOW / 64];
        } else if let Ok(ahead @ 1..) = u32::try_from(ahead) {
            self.clear(tsn.wrapping_sub(ahead).wrapping_add(1), ahead);
        }
        if ahead > 0 {
            self.highest = Some(tsn);
        }
        let again = self.set(tsn);
        let Some(sent) = self.sent.get_mut(tsn as usize % TIMED) else { return Sighting::TooOld };
        if !again {
            let flag = |set: bool, flag: u8| if set { flag } else { 0 };
            let flags = KNOWN | flag(data.begin, BEGIN);
            *sent = Sent { time, tsn, stream: data.stream, flags, misses: 0 };
            return Sighting::New;
        }
        if sent.tsn != tsn || sent.flags & KNOWN == 0 {
            return Sighting::Again(Resent::Unexplained);
        }
        let resent = match sent.misses {
            FAST_RETRANSMIT.. => Resent::Fast,
            _ if time.since(sent.time) >= SHORTEST_TIMEOUT => Resent::Timeout,
            _ => Resent::Unexplained,
        };
        *sent = Sent { time, flags: sent.flags | TWICE, misses: 0, ..*sent };
        Sighting::Again(resent)
    }

    /// Takes in what a SACK says beyond its cumulative TSN. Blocks that are not in ascending order end the list, so that
    /// no list takes longer than the TSNs that are remembered.
    pub(super) fn acknowledge(&mut self, cumulative: u32, blocks: impl Iterator<Item = GapBlock>) {
        let Some(highest) = self.highest else { return };
        let farthest = highest.wrapping_sub(cumulative);
        if farthest == 0 || farthest.cast_signed() < 0 {
            return;
        }
        let nearest = farthest.saturating_sub(TIMED as u32 - 1).max(1);
        let (mut next, mut newest) = (1, None);
        for block in blocks {
            let (start, end) = (u32::from(block.start), u32::from(block.end));
            if start < next || end < start {
                break;
            }
            for distance in start.max(nearest)..=end.min(farthest) {
                let tsn = cumulative.wrapping_add(distance);
                if let Some(sent) = self.known(tsn).filter(|sent| sent.flags & ACKNOWLEDGED == 0) {
                    sent.flags |= ACKNOWLEDGED;
                    newest = Some(distance);
                }
            }
            next = end + 1;
        }
        for distance in nearest..newest.unwrap_or_default() {
            if let Some(sent) = self.known(cumulative.wrapping_add(distance)) {
                sent.misses = sent.misses.saturating_add(u8::from(sent.flags & ACKNOWLEDGED == 0));
            }
        }
    }

    /// When a TSN was sent, where that was once and not long ago.
    pub(super) fn sent_once(&self, tsn: u32) -> Option<Timestamp> {
        self.get(tsn).filter(|sent| sent.flags & TWICE == 0).map(|sent| sent.time)
    }

    /// The chunks that were seen, with a TSN behind `after` and up to `last`, that no SACK has acknowledged.
    pub(super) fn unacknowledged(&self, after: u32, last: u32) -> impl Iterator<Item = &Sent> {
        let count = match last.wrapping_sub(after) {
            count if count.cast_signed() < 0 => 0,
            count => count.min(TIMED as u32),
        };
        let tsns = (0..count).rev().map(move |back| last.wrapping_sub(back));
        tsns.filter_map(|tsn| self.get(tsn)).filter(|sent| sent.flags & ACKNOWLEDGED == 0)
    }

    fn get(&self, tsn: u32) -> Option<&Sent> {
        self.sent.get(tsn as usize % TIMED).filter(|sent| sent.tsn == tsn && sent.flags & KNOWN != 0)
    }

    fn known(&mut self, tsn: u32) -> Option<&mut Sent> {
        self.sent.get_mut(tsn as usize % TIMED).filter(|sent| sent.tsn == tsn && sent.flags & KNOWN != 0)
    }

    /// Clears `count` bits, a word at a time.
    fn clear(&mut self, mut tsn: u32, mut count: u32) {
        while count > 0 {
            let (word, bit) = place(tsn);
            let run = count.min(64 - bit);
            if let Some(word) = self.seen.get_mut(word) {
                *word &= !(u64::MAX >> (64 - run) << bit);
            }
            tsn = tsn.wrapping_add(run);
            count -= run;
        }
    }

    /// Sets a bit; whether it was set before.
    fn set(&mut self, tsn: u32) -> bool {
        let (word, bit) = place(tsn);
        self.seen.get_mut(word).is_some_and(|word| {
            let before = *word & 1 << bit != 0;
            *word |= 1 << bit;
            before
        })
    }
}

impl Sent {
    /// Whether it is the first of its message.
    pub(super) const fn is_begin(&self) -> bool {
        self.flags & BEGIN != 0
    }
}

impl Default for TsnWindow {
    fn default() -> Self {
        Self { highest: None, seen: [0; WINDOW / 64], sent: [Sent::default(); TIMED] }
    }
}

const fn place(tsn: u32) -> (usize, u32) {
    let at = tsn as usize % WINDOW;
    (at / 64, at as u32 % 64)
}

/// TSNs that a repetition is recognised in.
const WINDOW: usize = 4096;
/// TSNs whose time is kept: as many as can be in flight on most paths.
const TIMED: usize = 512;

/// Flags of [`Sent`].
const KNOWN: u8 = 1;
const BEGIN: u8 = 2;
const TWICE: u8 = 4;
const ACKNOWLEDGED: u8 = 8;

/// Miss indications that make a chunk be sent again (RFC 9260 section 7.2.4).
const FAST_RETRANSMIT: u8 = 3;
/// No stack's retransmission timer is shorter; RFC 9260 section 16 says a second.
const SHORTEST_TIMEOUT: i64 = 100 * NANOS_PER_MILLI;

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(tsn: u32) -> Data<'static> {
        Data {
            immediate: false,
            unordered: false,
            begin: true,
            end: true,
            tsn,
            stream: 1,
            sequence: 0,
            payload_protocol: Some(53),
            fragment: None,
            payload: &[],
            payload_length: 4,
        }
    }

    fn see(window: &mut TsnWindow, tsn: u32, millis: i64) -> Sighting {
        window.see(&chunk(tsn), Timestamp(millis * NANOS_PER_MILLI))
    }

    fn blocks(blocks: &[(u16, u16)]) -> impl Iterator<Item = GapBlock> {
        blocks.iter().map(|&(start, end)| GapBlock { start, end })
    }

    const AGAIN: Sighting = Sighting::Again(Resent::Unexplained);

    #[test]
    fn repetitions_across_the_wrap() {
        let mut window = TsnWindow::default();
        assert_eq!(see(&mut window, u32::MAX, 1), Sighting::New);
        assert_eq!(see(&mut window, 2, 2), Sighting::New);
        assert_eq!(see(&mut window, 0, 3), Sighting::New);
        assert_eq!(see(&mut window, u32::MAX, 4), AGAIN);
        assert_eq!(window.sent_once(u32::MAX), None);
        assert_eq!(window.sent_once(2), Some(Timestamp(2 * NANOS_PER_MILLI)));
        assert_eq!(window.sent_once(514), None);
        // The ring forgets what is more than its size behind, and marks nothing new as seen.
        assert_eq!(see(&mut window, 4096, 5), Sighting::New);
        assert_eq!(see(&mut window, 0, 6), Sighting::TooOld);
        assert_eq!(see(&mut window, 4095, 7), Sighting::New);
        assert_eq!(see(&mut window, 1_000_000, 8), Sighting::New);
        assert_eq!(see(&mut window, 999_999, 9), Sighting::New);
        assert_eq!(see(&mut window, 999_999, 10), AGAIN);
        window.restart();
        assert_eq!(see(&mut window, 5, 11), Sighting::New);
    }

    #[test]
    fn bits_are_cleared_and_no_others() {
        let mut window = TsnWindow::default();
        for tsn in 0..5000 {
            assert_eq!(see(&mut window, tsn, 0), Sighting::New);
        }
        // 4999 - 4095 = 904 is the oldest that is remembered.
        assert_eq!((see(&mut window, 903, 0), see(&mut window, 904, 0)), (Sighting::TooOld, AGAIN));
        assert_eq!(see(&mut window, 5100, 0), Sighting::New);
        assert!((5000..5100).all(|tsn| see(&mut window, tsn, 0) == Sighting::New));
        assert!((1005..5101).all(|tsn| see(&mut window, tsn, 0) == AGAIN));
    }

    #[test]
    fn fast_retransmissions_and_those_of_the_timer() {
        let mut window = TsnWindow::default();
        (10..16).for_each(|tsn| _ = see(&mut window, tsn, 0));
        // 11 is missing while 12, 13 and 14 are acknowledged one after the other; 12 twice, which is one miss.
        for end in [2, 2, 3] {
            window.acknowledge(10, blocks(&[(2, end)]));
        }
        assert_eq!(see(&mut window, 11, 60), AGAIN);
        for end in [4, 5] {
            window.acknowledge(10, blocks(&[(2, end)]));
        }
        see(&mut window, 16, 70);
        window.acknowledge(10, blocks(&[(2, 6)]));
        assert_eq!(see(&mut window, 11, 80), Sighting::Again(Resent::Fast));
        assert_eq!(see(&mut window, 11, 179), AGAIN);
        assert_eq!(see(&mut window, 11, 1179), Sighting::Again(Resent::Timeout));
    }

    #[test]
    fn what_was_acknowledged_is_not_given_up() {
        let mut window = TsnWindow::default();
        [u32::MAX, 0, 1, 2, 4].into_iter().for_each(|tsn| _ = see(&mut window, tsn, 0));
        window.acknowledge(u32::MAX, blocks(&[(2, 2), (1, 1)]));
        let open = |after, last| window.unacknowledged(after, last).map(|sent| sent.tsn).collect::<Vec<_>>();
        assert_eq!(open(u32::MAX, 4), [0, 2, 4]);
        assert_eq!(open(2, 4), [4]);
        assert!(open(4, 2).is_empty() && open(4, 4).is_empty());
    }

    #[test]
    fn any_block_is_survived() {
        let mut window = TsnWindow::default();
        window.acknowledge(0, blocks(&[(1, u16::MAX)]));
        (0..600).for_each(|tsn| _ = see(&mut window, tsn, 0));
        for cumulative in [0, 300, 599, 600, u32::MAX, 1 << 31] {
            window.acknowledge(cumulative, blocks(&[(0, 0), (1, u16::MAX), (5, 2)]));
            window.acknowledge(cumulative, blocks(&[(u16::MAX, u16::MAX); 300]));
        }
        assert_eq!(window.unacknowledged(0, u32::MAX).count(), 0);
    }
}
