//! The sequence numbers of one source on two paths that took turns.

use super::Sequence;

/// What joins the numbers of one source on two paths that took turns.
#[derive(Clone, Debug, Default)]
pub struct Joints {
    /// Numbers that one path went over while the other carried them, each time.
    pub passed: Vec<u64>,
    /// Numbers between the last on one path and the first on the other, each time; negative where they crossed.
    pub between: Vec<i64>,
    /// New starts that were none.
    pub restarts: u64,
    /// Wraps of the 16-bit number between the paths, less those on the way over what the other path carried.
    pub wraps: i64,
}

impl Sequence {
    /// Goes on with the numbers of `later`, which took turns with these on another path and ended after them.
    pub fn interleave(&mut self, later: &Self, first: u16, joints: &Joints) {
        self.close_segment();
        let last_segment = later.highest - later.base + 1;
        let passed: u64 = joints.passed.iter().sum();
        let between: i64 = joints.between.iter().sum();
        let expected = (self.closed_expected + later.closed_expected + last_segment).saturating_sub(passed);
        let received = self.received + later.received;
        let expected = expected.saturating_add_signed(between).max(received);
        let mut counters = self.counters.with(&later.counters);
        counters.restarts = counters.restarts.saturating_sub(joints.restarts);
        counters.wraps = counters.wraps.saturating_add_signed(joints.wraps);
        for between in &joints.between {
            counters.bursts.record(u64::try_from(*between).unwrap_or_default());
        }
        *self = Self {
            received,
            closed_expected: expected.saturating_sub(last_segment),
            counters,
            first,
            carried_elsewhere: [self.carried_elsewhere.as_slice(), &later.carried_elsewhere, &joints.passed].concat(),
            ..later.clone()
        };
    }
}
