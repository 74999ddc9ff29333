//! Checks whose user names the capture cut off: nothing random joins them to the other paths of their call.

use std::{collections::BTreeMap, net::IpAddr};

use super::groups::Groups;
use crate::flow::FlowRecord;

/// Flows between two hosts that are looked at.
const FLOWS_NEARBY: usize = 32;

/// Joins a path that was tried and carried nothing to the call between the same two hosts at that time, where there is
/// only one and no names tell them apart: a path that failed beside one that works is no call that failed.
pub(super) fn join(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut by_hosts: BTreeMap<(IpAddr, IpAddr), Vec<usize>> = BTreeMap::new();
    for index in members {
        if let Some(flow) = flows.get(*index).filter(|flow| flow.path.ice && flow.carried().is_some()) {
            let carrying = by_hosts.entry(hosts(flow)).or_default();
            if carrying.len() < FLOWS_NEARBY {
                carrying.push(*index);
            }
        }
    }
    for index in members {
        let Some(flow) = flows.get(*index).filter(|flow| flow.path.ice && flow.carried().is_none()) else { continue };
        let own = groups.find(*index);
        let carrying = by_hosts.get(&hosts(flow)).map_or(&[][..], Vec::as_slice).iter();
        let at_that_time = carrying.filter_map(|other| Some((*other, flows.get(*other)?)));
        let at_that_time =
            at_that_time.filter(|(_, other)| other.first.0 <= flow.last.0 && flow.first.0 <= other.last.0);
        let mut calls: Vec<_> = at_that_time.map(|(index, other)| (groups.find(index), !is_named(other))).collect();
        calls.sort_unstable();
        calls.dedup_by_key(|(call, _)| *call);
        if let [(call, is_nameless)] = calls.as_slice()
            && *call != own
            && (*is_nameless || !is_named(flow))
        {
            groups.join(*call, own);
        }
    }
}

/// Whether the user fragments of both agents are known.
fn is_named(flow: &FlowRecord) -> bool {
    let mut generations = flow.ice.iter().flat_map(|ice| &ice.generations);
    generations.any(|generation| !generation.low.is_empty() && !generation.high.is_empty())
}

fn hosts(flow: &FlowRecord) -> (IpAddr, IpAddr) {
    let (low, high) = (flow.key.low.ip(), flow.key.high.ip());
    (low.min(high), low.max(high))
}
