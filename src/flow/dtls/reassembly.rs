//! Handshake messages put together from fragments that may be lost, repeated, out of order or overlap (RFC 6347
//! section 4.2.3). Every length is the sender's claim: memory grows with the bytes that came, never with what they say.

/// The longest message that is put together; those longer are only counted. RFC 6347 allows 2^24 bytes, certificate
/// chains stay below this.
const LONGEST: u32 = 1 << 16;

/// Holes that are told apart in one message.
const RANGES: usize = 64;

/// Fragments kept of one message.
const FRAGMENTS: usize = 256;

/// What came of one fragment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Whether it starts the message once more: it holds what this round of sending held already.
    pub again: bool,
    /// Whether all bytes have been seen with it, for the first time.
    pub completed: bool,
    /// The body, with the fragment that completed it, where all of it was captured.
    pub body: Option<Box<[u8]>>,
}

/// The fragments of one message.
#[derive(Clone, Debug, Default)]
pub struct Reassembly {
    length: u32,
    seen: Ranges,
    /// What this round of sending held.
    round: Ranges,
    /// Whether any fragment came: one of a message without a body covers nothing.
    any: bool,
    done: bool,
    captured: Ranges,
    /// In the order they came. Where they contradict each other the first is right.
    fragments: Vec<(u32, Box<[u8]>)>,
}

impl Reassembly {
    /// Of a message of `length` bytes.
    pub fn new(length: u32) -> Self {
        Self { length, ..Self::default() }
    }

    /// Takes the fragment at `offset` of `length` bytes, of which `body` was captured. `keep` is whether anyone will
    /// read the message.
    pub fn push(&mut self, offset: u32, length: u32, body: &[u8], keep: bool) -> Taken {
        let end = offset.saturating_add(length).min(self.length);
        let again = self.any && (if length == 0 { self.length == 0 } else { self.round.touches(offset, end) });
        if again {
            self.round = Ranges::default();
        }
        self.round.add(offset, end);
        self.any = true;
        let was_complete = self.done;
        let captured_end = offset.saturating_add(u32::try_from(body.len()).unwrap_or(u32::MAX)).min(end);
        if !was_complete {
            self.seen.add(offset, end);
            self.done = self.seen.covers(self.length);
        }
        let completed = self.done && !was_complete;
        if !keep || self.length > LONGEST || self.captured.covers(self.length) && !completed {
            return Taken { again, completed, body: None };
        }
        // The usual message comes whole and is not kept.
        if offset == 0 && captured_end == self.length && self.captured.is_empty() {
            self.captured.add(0, self.length);
            return Taken { again, completed, body: Some(Box::from(body)) };
        }
        if captured_end > offset && !self.captured.holds(offset, captured_end) && self.fragments.len() < FRAGMENTS {
            self.captured.add(offset, captured_end);
            self.fragments.push((offset, Box::from(body)));
        }
        let body = self.captured.covers(self.length).then(|| self.assemble());
        Taken { again, completed, body: body.filter(|body| !body.is_empty()) }
    }

    /// The bytes never seen, as (from, to).
    pub fn missing(&self) -> Vec<(u32, u32)> {
        if self.done { Vec::new() } else { self.seen.holes(self.length) }
    }

    /// Lets go of the bytes kept; what was seen is still known.
    pub fn forget(&mut self) {
        if !self.fragments.is_empty() {
            self.fragments = Vec::new();
            self.captured = Ranges::default();
        }
    }

    fn assemble(&mut self) -> Box<[u8]> {
        let mut body = vec![0; self.length as usize];
        for (offset, fragment) in std::mem::take(&mut self.fragments).into_iter().rev() {
            let Some(place) = body.get_mut(offset as usize..) else { continue };
            for (to, from) in place.iter_mut().zip(fragment) {
                *to = from;
            }
        }
        body.into_boxed_slice()
    }
}

/// Parts of a message, in ascending order, apart from each other.
#[derive(Clone, Debug, Default)]
struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Adds `from..to`. Beyond [`RANGES`] parts nothing is added: the message stays incomplete.
    fn add(&mut self, mut from: u32, mut to: u32) {
        if from >= to {
            return;
        }
        let first = self.0.partition_point(|&(_, end)| end < from);
        let mut last = first;
        while let Some(&(start, end)) = self.0.get(last).filter(|(start, _)| *start <= to) {
            (from, to) = (from.min(start), to.max(end));
            last += 1;
        }
        if last > first || self.0.len() < RANGES {
            self.0.splice(first..last, [(from, to)]);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn touches(&self, from: u32, to: u32) -> bool {
        self.0.iter().any(|&(start, end)| start < to && from < end)
    }

    fn holds(&self, from: u32, to: u32) -> bool {
        self.0.iter().any(|&(start, end)| start <= from && to <= end)
    }

    fn covers(&self, length: u32) -> bool {
        length == 0 || self.holds(0, length)
    }

    fn holes(&self, length: u32) -> Vec<(u32, u32)> {
        let ends = self.0.iter().map(|&(_, end)| end);
        let starts = self.0.iter().map(|&(start, _)| start).chain([length]);
        [0].into_iter().chain(ends).zip(starts).filter(|(from, to)| from < to).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(length: u32, fragments: &[(u32, &[u8])]) -> (Reassembly, Vec<Taken>) {
        let mut message = Reassembly::new(length);
        let taken = fragments
            .iter()
            .map(|(offset, body)| message.push(*offset, u32::try_from(body.len()).unwrap(), body, true))
            .collect();
        (message, taken)
    }

    #[test]
    fn out_of_order_and_overlapping() {
        let (message, taken) = pushed(8, &[(5, b"fgh"), (3, b"def"), (0, b"abcd")]);
        assert_eq!(taken[2].body.as_deref(), Some(&b"abcdefgh"[..]));
        assert!(taken[2].completed && message.missing().is_empty());
    }

    #[test]
    fn the_first_of_contradictions_is_right() {
        let (_, taken) = pushed(4, &[(0, b"ab"), (1, b"Xcd")]);
        assert_eq!(taken[1].body.as_deref(), Some(&b"abcd"[..]));
    }

    #[test]
    fn a_hole_is_named_and_a_repeat_counted() {
        // The certificate of the lab's dtls-fragments: 399..646 is lost, then all is sent again.
        let (message, taken) = pushed(9, &[(0, b"abc"), (6, b"ghi"), (0, b"abc")]);
        assert_eq!(taken.iter().map(|taken| taken.again).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(message.missing(), [(3, 6)]);
    }

    #[test]
    fn empty_messages_and_fragments() {
        let (message, taken) = pushed(0, &[(0, b""), (0, b"")]);
        assert!(taken[0].completed && !taken[0].again && !taken[1].completed && taken[1].again);
        assert!(message.missing().is_empty());
        // GHSA-cm8f-h6j3-p25c: fragments without bytes neither complete nor repeat anything.
        let (message, taken) = pushed(4, &[(0, b""), (4, b""), (0, b"")]);
        assert!(taken.iter().all(|taken| *taken == Taken::default()));
        assert_eq!(message.missing(), [(0, 4)]);
    }

    #[test]
    fn lengths_are_claims() {
        // CVE-2014-0195: a fragment that claims to be of a longer message than the first did.
        let mut message = Reassembly::new(2);
        assert!(message.push(0, 0xff_ffff, &[7; 4000], true).completed);
        let mut long = Reassembly::new(0xff_ffff);
        assert_eq!(long.push(0xff_fff0, 15, &[0; 15], true), Taken::default());
        assert!(long.fragments.is_empty());
        let mut holes = Reassembly::new(60_000);
        for offset in (0..60_000).step_by(2) {
            holes.push(offset, 1, &[0], true);
        }
        assert_eq!((holes.seen.0.len(), holes.fragments.len()), (RANGES, FRAGMENTS));
    }

    #[test]
    fn what_was_snapped_is_seen_but_not_read() {
        let mut message = Reassembly::new(100);
        let taken = message.push(0, 100, &[0; 10], true);
        assert!(taken.completed && taken.body.is_none() && message.missing().is_empty());
    }

    proptest! {
        #[test]
        fn any_order_gives_the_message(
            body in prop::collection::vec(any::<u8>(), 1..200),
            cuts in prop::collection::vec((0..200_usize, 0..200_usize), 0..60),
        ) {
            let mut message = Reassembly::new(u32::try_from(body.len()).unwrap());
            let mut done = None;
            for (from, to) in cuts.into_iter().chain([(0, 100), (100, 200)]) {
                let (from, to) = (from.min(body.len()), to.min(body.len()));
                if from >= to {
                    continue;
                }
                let offset = u32::try_from(from).unwrap();
                let taken = message.push(offset, u32::try_from(to - from).unwrap(), &body[from..to], true);
                prop_assert!(taken.body.is_none() || done.is_none());
                done = done.or(taken.body);
            }
            prop_assert_eq!(done.as_deref(), Some(body.as_slice()));
            prop_assert!(message.missing().is_empty());
        }
    }
}
