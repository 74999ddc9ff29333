//! The part of a packet's index that is not sent (RFC 3711 section 3.3.1), followed and found for one SSRC.

use crate::{
    crypto::srtp::{Authentic, Context, OpenError, context::MOST_TRIES},
    wire::rtp::FixedHeader,
};

/// The rollover counter of one SSRC.
///
/// It estimates as a receiver does. Where the estimate fails, other counters are tried by the tag: those beside it,
/// those after a longer gap, and from zero up when the capture starts in the middle. How many is bounded by the context.
///
/// Until a packet authenticates, each [`Context`] that is tried needs one of its own. After that it goes on when keys
/// change, for the counter does not start anew then (RFC 3711 section 3.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollover {
    /// The highest index that authenticated.
    highest: Option<u64>,
    /// Up to where counters were searched before any packet authenticated.
    searched: u32,
}

impl Rollover {
    /// Checks the tag of an SRTP packet of this SSRC, and follows it when it matches. It must be the whole packet: what
    /// was cut by the capture has lost its tag.
    ///
    /// # Errors
    /// When there is no tag, or none that matches under a counter that was tried.
    pub fn authenticate<'p>(&mut self, context: &mut Context, packet: &'p [u8]) -> Result<Authentic<'p>, OpenError> {
        let sequence = FixedHeader::parse(packet).map_or(0, |fixed| fixed.sequence);
        let estimated = self.estimate(sequence);
        let authentic = context
            .authenticate_any(packet, nearby(estimated))
            .or_else(|error| self.search(context, packet, estimated, error))?;
        self.follow(authentic.index());
        Ok(authentic)
    }

    /// How often the sequence number had wrapped when the highest index was seen.
    #[must_use]
    pub fn counter(&self) -> Option<u32> {
        self.highest.map(counter_of)
    }

    /// The counter that makes the index nearest to the highest one (RFC 3711 appendix A).
    fn estimate(&self, sequence: u16) -> u32 {
        let Some(highest) = self.highest else { return 0 };
        let (counter, last) = (counter_of(highest), (highest & 0xffff) as u16);
        if sequence.checked_sub(last).is_some_and(|ahead| ahead > HALF) {
            counter.saturating_sub(1)
        } else if last.checked_sub(HALF).is_some_and(|middle| middle > sequence) {
            counter.saturating_add(1)
        } else {
            counter
        }
    }

    fn search<'p>(
        &mut self,
        context: &mut Context,
        packet: &'p [u8],
        estimated: u32,
        error: OpenError,
    ) -> Result<Authentic<'p>, OpenError> {
        if error != OpenError::TagMismatch {
            return Err(error);
        }
        let (from, most) = match self.highest {
            Some(_) => (estimated.saturating_add(2), LONGEST_GAP),
            // Widened with each packet that fails, so that one that was damaged costs little.
            None => (self.searched, (self.searched * 3).max(FIRST_SEARCH).min(MOST_TRIES - self.searched)),
        };
        let to = from.saturating_add(context.spend(most));
        if self.highest.is_none() {
            self.searched = to;
        }
        let authentic = context.authenticate_any(packet, from..to)?;
        context.give_back(to.saturating_sub(authentic.rollover()));
        Ok(authentic)
    }

    /// A replay from long ago is taken for a sender that starts again.
    fn follow(&mut self, index: u64) {
        if self.highest.is_none_or(|highest| index > highest || highest - index > u64::from(HALF)) {
            self.highest = Some(index);
        }
    }
}

/// The counter and those beside it; then those of a sender that has started again under the same key.
fn nearby(estimated: u32) -> impl Iterator<Item = u32> + Clone {
    [estimated, estimated.saturating_add(1), estimated.saturating_sub(1), 0, 1].into_iter()
}

fn counter_of(index: u64) -> u32 {
    (index >> 16) as u32
}

/// Half of all sequence numbers.
const HALF: u16 = 0x8000;

/// Wraps that may have been missed in a gap.
const LONGEST_GAP: u32 = 64;

/// Counters that the first packet that fails is tried under.
const FIRST_SEARCH: u32 = 1 << 10;
