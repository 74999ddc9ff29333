//! Offers and what became of them (RFC 3264, RFC 9429 section 4.1.10, RFC 3261 section 14).

use std::sync::Arc;

use crate::flow::{signalling, tcp::Mark};

/// Offers of both sides within so many nanoseconds crossed on their way.
pub(super) const CROSSING: i64 = 2 * crate::time::NANOS_PER_SECOND;

/// An offer and what became of it. Of a forked INVITE each end that answers has a round of its own; an INVITE that is
/// sent again with credentials begins another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// The offer, by its index in [`super::Exchange::statements`].
    pub offer: usize,
    /// The answer that settles it; a provisional one until that comes.
    pub answer: Option<usize>,
    /// When the offer was sent in this round; `None` where it was given beside the capture.
    pub offered_at: Option<Mark>,
    /// When it was answered.
    pub answered_at: Option<Mark>,
    /// Why the offer is none any more.
    pub withdrawn: Option<Withdrawal>,
    /// The SIP transaction of the offer.
    pub(super) transaction: Option<Arc<signalling::Dialog>>,
    /// Of SIP, the tag of the called end that answered: one of several in a fork.
    pub branch: Option<String>,
}

/// Why an offer was answered by nobody, or is none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// Its maker took it back: said so, or answered an offer of the other side, which is to take one's own back
    /// (RFC 9429 section 4.1.10.2).
    RolledBack {
        /// The message that says so; `None` where it was given beside the capture.
        at: Option<Mark>,
        /// Whether the offers of both sides crossed (glare).
        crossed: bool,
    },
    /// SIP refused it: status and packet. What was agreed before stays (RFC 3261 section 14.1).
    Refused(u16, Mark),
}

impl Round {
    /// Whether the offer is still to be answered, or was for now only.
    pub(super) fn is_open(&self, is_provisional: impl FnOnce(usize) -> bool) -> bool {
        self.withdrawn.is_none() && self.answer.is_none_or(is_provisional)
    }
}
