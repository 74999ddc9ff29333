//! How much memory the flows of a shard may take together, beyond what each has from the start.
//!
//! Counts of a few bytes in a packet can ask for thousands of bytes of state: a stream for each SSRC, an association for
//! each port, an entry for each report block. Caps for each flow do not bound that where there are many flows.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What is left, in bytes. Clones share it; all of them belong to one shard, which one thread at a time works on, so
/// that who gets the last byte does not depend on the number of threads.
#[derive(Clone, Debug)]
pub struct Budget(Arc<AtomicUsize>);

/// What is left for streams and associations where header extensions are followed.
const RESERVE: usize = 4 << 20;

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Takes bytes of it that are only nice to have: so many must be left for the rest.
    #[must_use]
    pub fn take_above(&self, reserve: usize, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes).filter(|left| *left >= reserve);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Takes bytes for the header extensions of streams, as long as half of a shard's budget is left for the streams.
    #[must_use]
    pub fn take_for_extensions(&self, bytes: usize) -> bool {
        self.take_above(RESERVE, bytes)
    }

    /// Takes bytes of it; takes nothing and tells so where fewer are left.
    #[must_use]
    pub fn take(&self, bytes: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

impl Default for Budget {
    /// A budget without end.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_what_is_left() {
        let budget = Budget::new(100);
        let other = budget.clone();
        assert!(budget.take(60) && !other.take(60) && other.take(40) && !budget.take(1));
    }

    #[test]
    fn what_is_nice_to_have_leaves_a_reserve() {
        let budget = Budget::new(100);
        assert!(!budget.take_above(50, 51) && budget.take_above(60, 20) && budget.take_above(60, 20));
        assert!(!budget.take_above(60, 1) && budget.take(60));
    }

    #[test]
    fn extensions_leave_half_for_streams() {
        let budget = Budget::new(RESERVE + 100);
        assert!(budget.take_for_extensions(60) && !budget.take_for_extensions(60) && budget.take(RESERVE));
    }
}
