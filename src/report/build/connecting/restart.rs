//! ICE restarts (RFC 8445 section 9), told from transports that run side by side.

use super::address::Place;
use crate::{
    flow::{FlowRecord, ice, transaction::Moment},
    report::{build::Context, document::IceRestart},
    time::{NANOS_PER_SECOND, Timestamp},
};

/// Transports of one call that are not bundled have fragments of their own, and start together.
const TOGETHER: i64 = NANOS_PER_SECOND;

/// After a restart the old path is soon left.
const LEFT_AFTER: i64 = 10 * NANOS_PER_SECOND;

/// A path that ends so much earlier than another was left for it.
const LEFT_BEFORE: i64 = NANOS_PER_SECOND;

/// The first check with new user fragments.
#[derive(Clone, Copy)]
struct Begun<'a> {
    first: Moment,
    local: &'a str,
    remote: &'a str,
    /// The last check on that path.
    last: Timestamp,
    /// When a nomination with them was answered, where that is known.
    nominated: Option<Timestamp>,
    /// Whether the path had others before.
    is_second: bool,
}

/// Each time that both ends took new fragments: on the same path, or on another while the old one was left.
pub(super) fn restarts(
    context: &Context<'_>,
    checked: &[(&FlowRecord, &ice::Record)],
    place: &Place,
) -> Vec<IceRestart> {
    let mut begun: Vec<Begun<'_>> = Vec::new();
    for (flow, ice) in checked {
        let last = ice.checks.iter().filter_map(|checks| checks.requests.last).map(|(time, _)| time).max();
        let nominated = ice.checks.iter().filter_map(|checks| checks.nomination_answered).map(|(time, _)| time).min();
        for (index, generation) in ice.generations.iter().enumerate() {
            let (local, remote) = match place.local_direction(flow) {
                0 => (&*generation.low, &*generation.high),
                _ => (&*generation.high, &*generation.low),
            };
            let first = generation.first;
            let nominated = nominated.filter(|time| ice.generations.len() == 1 && *time >= first.0);
            let last = last.unwrap_or(first.0);
            begun.push(Begun { first, local, remote, last, nominated, is_second: index > 0 });
        }
    }
    let restarts = of(begun).into_iter().map(|one| IceRestart {
        time: context.seconds(one.first.0),
        packet: context.packet(one.first.1),
        local_ufrag: one.local.to_owned(),
        remote_ufrag: one.remote.to_owned(),
        duration: one.nominated.map(|nominated| nominated.seconds_since(one.first.0)),
    });
    restarts.collect()
}

/// Of what began, what was a restart. Both ends change their fragments, though not in the same check: one that shares a
/// fragment with another is on the way, or a fork.
fn of(mut begun: Vec<Begun<'_>>) -> Vec<Begun<'_>> {
    begun.sort_by_key(|one| one.first);
    let mut whole: Vec<Begun<'_>> = Vec::new();
    let mut restarts = Vec::new();
    for one in begun {
        let same = |other: &&mut Begun<'_>| other.local == one.local && other.remote == one.remote;
        if let Some(known) = whole.iter_mut().find(same) {
            known.last = known.last.max(one.last);
            continue;
        }
        if whole.iter().any(|other| other.local == one.local || other.remote == one.remote) {
            continue;
        }
        let was_left = |other: &Begun<'_>| {
            let is_later = one.first.0.since(other.first.0) > TOGETHER;
            is_later && other.last.since(one.first.0) < LEFT_AFTER && one.last.since(other.last) >= LEFT_BEFORE
        };
        if !whole.is_empty() && (one.is_second || whole.iter().any(was_left)) {
            restarts.push(one);
        }
        whole.push(one);
    }
    restarts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::PacketId;

    const fn begun(first: i64, last: i64, local: &'static str, remote: &'static str) -> Begun<'static> {
        let [first, last] = [Timestamp(first * NANOS_PER_SECOND), Timestamp(last * NANOS_PER_SECOND)];
        Begun { first: (first, PacketId::new(0, 1)), local, remote, last, nominated: None, is_second: false }
    }

    fn count(begun: Vec<Begun<'_>>) -> usize {
        of(begun).len()
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
        // One that joins later and ends with the call.
        assert_eq!(count(vec![begun(0, 25, "a", "b"), begun(20, 25, "c", "d")]), 0);
        // One end first, then the other.
        assert_eq!(count(vec![begun(0, 4, "a", "b"), begun(4, 5, "a", "d"), begun(5, 20, "c", "d")]), 1);
        // On the same path.
        let second = Begun { is_second: true, ..begun(20, 60, "c", "d") };
        assert_eq!(count(vec![begun(0, 60, "a", "b"), second]), 1);
    }
}
