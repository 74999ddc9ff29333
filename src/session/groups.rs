//! Which flows are one call, as far as it is known: disjoint sets that are only ever joined.

/// Sets of flows by their indices; the smallest member stands for its set.
pub(super) struct Groups(Vec<usize>);

impl Groups {
    /// Each of `count` flows alone.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The flow that stands for the set of another.
    pub(super) fn find(&mut self, index: usize) -> usize {
        let mut root = index;
        while let Some(parent) = self.0.get(root).copied().filter(|parent| *parent != root) {
            // Each look makes the way half as long for the next.
            let above = self.0.get(parent).copied().unwrap_or(parent);
            if let Some(parent) = self.0.get_mut(root) {
                *parent = above;
            }
            root = above;
        }
        root
    }

    /// Makes one set of the two that hold these flows.
    pub(super) fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.find(one), self.find(other));
        if let Some(parent) = self.0.get_mut(one.max(other)) {
            *parent = one.min(other);
        }
    }
}
