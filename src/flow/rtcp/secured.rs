//! SRTCP datagrams by what is in clear of them. A sender's are of few kinds: these are counted in one place, and join the
//! lists only at the end.

use super::{Rtcp, TypeKey, entry};
use crate::wire::rtcp::Srtcp;

/// Kinds that are counted apart at a time.
const KINDS: usize = 6;

/// What is in clear of an SRTCP datagram, its index left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    ssrc: u32,
    first_type: u8,
    first_count: u8,
    tag_length: Option<u8>,
}

/// Datagrams of the kinds that came last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    kinds: [Option<(Kind, u64)>; KINDS],
    /// The place that is made free next.
    oldest: usize,
}

impl Tally {
    /// Counts one; gives the kind whose place it took.
    fn push(&mut self, kind: Kind) -> Option<(Kind, u64)> {
        for place in &mut self.kinds {
            match place {
                Some((known, count)) if *known == kind => {
                    *count += 1;
                    return None;
                }
                Some(_) => {}
                None => return place.replace((kind, 1)),
            }
        }
        let place = self.kinds.get_mut(self.oldest)?;
        self.oldest = (self.oldest + 1) % KINDS;
        place.replace((kind, 1))
    }
}

impl Rtcp {
    /// Takes what is in clear of an SRTCP datagram. It shows in the lists once [`Self::settle`] was called.
    pub fn push_encrypted(&mut self, srtcp: Srtcp) {
        let Srtcp { ssrc, first_type, first_count, tag_length, .. } = srtcp;
        self.encrypted += 1;
        if let Some((kind, count)) = self.tally.push(Kind { ssrc, first_type, first_count, tag_length }) {
            self.enter(kind, count);
        }
    }

    /// Enters what was counted apart into the lists.
    pub fn settle(&mut self) {
        for (kind, count) in std::mem::take(&mut self.tally).kinds.into_iter().flatten() {
            self.enter(kind, count);
        }
    }

    fn enter(&mut self, kind: Kind, datagrams: u64) {
        if let Some(length) = kind.tag_length {
            *self.tag_lengths.entry(length).or_default() += datagrams;
        }
        if let Some(count) = entry(&mut self.encrypted_senders, kind.ssrc, &mut self.room) {
            *count += datagrams;
        }
        self.count_type(TypeKey::first(kind.first_type, kind.first_count), datagrams);
    }
}
