//! The streams that the last packets of one direction were of: sound and picture take turns.

/// Streams that are remembered.
const STREAMS: usize = 4;

/// In [`Recent::places`].
const NONE: u32 = u32::MAX;

/// Some streams' SSRCs, and their places among the flow's streams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    ssrcs: [u32; STREAMS],
    places: [u32; STREAMS],
    oldest: u32,
}

impl Default for Recent {
    fn default() -> Self {
        Self { ssrcs: [0; STREAMS], places: [NONE; STREAMS], oldest: 0 }
    }
}

impl Recent {
    /// The place of the stream with this SSRC; beyond all places where it is not remembered. All are compared, without a
    /// branch: which it is cannot be foretold.
    #[inline]
    pub(super) fn find(&self, ssrc: u32) -> usize {
        let mut found = NONE;
        for (known, place) in self.ssrcs.iter().zip(self.places) {
            found = if *known == ssrc { place } else { found };
        }
        found as usize
    }

    /// Remembers one that is not there yet, instead of the oldest.
    pub(super) fn note(&mut self, ssrc: u32, place: usize) {
        let index = self.oldest as usize % STREAMS;
        if let (Some(known), Some(its_place)) = (self.ssrcs.get_mut(index), self.places.get_mut(index)) {
            (*known, *its_place) = (ssrc, place as u32);
        }
        self.oldest = self.oldest.wrapping_add(1);
    }
}
