//! ICE restarts (RFC 8445 section 9), told from transports that run side by side.

use std::collections::BTreeSet;

use super::address::Place;
use crate::{
    flow::{FlowRecord, ice},
    time::{NANOS_PER_SECOND, Timestamp},
};

/// Transports of one call that are not bundled have fragments of their own, and start together.
const TOGETHER: i64 = NANOS_PER_SECOND;

/// After a restart the old path is soon left.
const LEFT_AFTER: i64 = 10 * NANOS_PER_SECOND;

/// The first check with new user fragments.
struct Begun<'a> {
    first: Timestamp,
    local: &'a str,
    remote: &'a str,
    /// The last check on that path.
    last: Timestamp,
    /// Whether the path had others before.
    is_second: bool,
}

/// How often both ends took new fragments: on the same path, or on another while the old one was left.
pub(super) fn restarts(checked: &[(&FlowRecord, &ice::Record)], place: &Place) -> u64 {
    let mut begun: Vec<Begun<'_>> = Vec::new();
    for (flow, ice) in checked {
        let last = ice.checks.iter().filter_map(|checks| checks.requests.last).map(|(time, _)| time).max();
        for (index, generation) in ice.generations.iter().enumerate() {
            let (local, remote) = match place.local_direction(flow) {
                0 => (&*generation.low, &*generation.high),
                _ => (&*generation.high, &*generation.low),
            };
            let first = generation.first.0;
            begun.push(Begun { first, local, remote, last: last.unwrap_or(first), is_second: index > 0 });
        }
    }
    count(begun)
}

fn count(mut begun: Vec<Begun<'_>>) -> u64 {
    begun.sort_by_key(|one| one.first);
    let Some(start) = begun.first().map(|one| one.first) else { return 0 };
    let (mut locals, mut remotes) = (BTreeSet::new(), BTreeSet::new());
    let mut restarts = 0;
    let mut left = start;
    for one in begun {
        // Both ends change theirs; where one does not, the call was forked.
        let is_new = locals.insert(one.local) & remotes.insert(one.remote);
        let moved = one.first.since(start) > TOGETHER && left.since(one.first) < LEFT_AFTER;
        restarts += u64::from(is_new && locals.len() > 1 && (one.is_second || moved));
        left = left.max(one.last);
    }
    restarts
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn begun(first: i64, last: i64, local: &'static str, remote: &'static str) -> Begun<'static> {
        let [first, last] = [Timestamp(first * NANOS_PER_SECOND), Timestamp(last * NANOS_PER_SECOND)];
        Begun { first, local, remote, last, is_second: false }
    }

    #[test]
    fn a_restart_leaves_the_old_path() {
        assert_eq!(count(Vec::new()), 0);
        // Two pairs of one generation, then a new one on other ports.
        assert_eq!(count(vec![begun(0, 20, "a", "b"), begun(0, 1, "a", "b"), begun(18, 60, "c", "d")]), 1);
        // Audio and video without BUNDLE.
        assert_eq!(count(vec![begun(0, 60, "a", "b"), begun(0, 60, "c", "d")]), 0);
        // A transport that joins later and runs beside the first.
        assert_eq!(count(vec![begun(0, 60, "a", "b"), begun(20, 60, "c", "d")]), 0);
        // Only one end's is new: a fork.
        assert_eq!(count(vec![begun(0, 5, "a", "b"), begun(5, 60, "a", "d")]), 0);
        // On the same path.
        let second = Begun { is_second: true, ..begun(20, 60, "c", "d") };
        assert_eq!(count(vec![begun(0, 60, "a", "b"), second]), 1);
    }
}
