//! Flows of one ICE agent, or of one phone, that nothing random joins: what shares a transport address, and what a host
//! asked STUN and TURN servers beside its calls.
//!
//! An address joins flows of one call, never two calls. A phone uses its port again for the next call, a server has one
//! port for all its clients, and a host asks the same STUN server for each of its calls.

use std::{collections::BTreeMap, net::IpAddr};

use super::groups::Groups;
use crate::{
    flow::{FlowRecord, key::Transport},
    time::{NANOS_PER_SECOND, Timestamp},
    wire::Endpoint,
};

/// An address that tries more peers than this without media is a server's or a scanner's, not one call's.
const PEERS_OF_ONE_AGENT: usize = 64;

/// When traffic leaves one path for another, the two may cross each other for so long.
const CROSSING: i64 = 2 * NANOS_PER_SECOND;

/// Media of one call that changes its peer (forked, transferred, taken from hold) is silent for no longer than this.
const CHANGE_OF_PEER: i64 = 2 * NANOS_PER_SECOND;

/// Candidates are gathered so long before a call begins, with a person who thinks about it in between.
const GATHERING: i64 = 60 * NANOS_PER_SECOND;

/// Calls of a host around a question to a server that are looked at.
const CALLS_NEARBY: usize = 32;

/// When something began and ended.
type Span = (Timestamp, Timestamp);

/// Who asks a server, of a flow that is nothing but a client's questions to a STUN or TURN server.
fn asker(flow: &FlowRecord) -> Option<Endpoint> {
    let direction = match flow.turn.as_deref() {
        Some(turn) => turn.client?,
        None if flow.path.ice || !flow.streams.is_empty() || flow.stun_types.is_empty() => return None,
        None => flow.first.2,
    };
    Some(flow.key.source(direction))
}

/// What is known of a set of flows at one address.
struct Part {
    /// One of its flows.
    index: usize,
    /// When it carried media or data, or else when checks were answered.
    active: Option<Span>,
    /// From its first packet to its last.
    seen: Span,
    /// Whether both agents' user fragments are known.
    is_ice: bool,
}

impl Part {
    fn new(index: usize, flow: &FlowRecord) -> Self {
        let ice = flow.ice.as_deref();
        let checks = || {
            let checks = ice.into_iter().flat_map(|ice| &ice.checks).map(|checks| &checks.requests);
            checks.filter_map(|requests| Some((requests.first_success?.0, requests.last_success?.0))).reduce(union)
        };
        let is_ice = ice
            .into_iter()
            .flat_map(|ice| &ice.generations)
            .any(|generation| !generation.low.is_empty() && !generation.high.is_empty());
        Self { index, active: flow.carried().or_else(checks), seen: (flow.first.0, flow.last.0), is_ice }
    }

    /// Whether both are pairs of ICE agents: where they are the same, more than an address says so.
    const fn is_another_than(&self, other: &Self) -> bool {
        self.is_ice && other.is_ice
    }

    fn add(&mut self, other: &Self) {
        self.active = [self.active, other.active].into_iter().flatten().reduce(union);
        self.seen = union(self.seen, other.seen);
        self.is_ice |= other.is_ice;
    }
}

fn union(one: Span, other: Span) -> Span {
    (one.0.min(other.0), one.1.max(other.1))
}

/// From the end of one to the begin of the other; negative where they overlap.
fn distance(one: Span, other: Span) -> i64 {
    one.0.since(other.1).max(other.0.since(one.1))
}

/// Joins the flows of each transport address that are one agent's. SCTP has no such agents: each port of a client is an
/// association of its own.
pub(super) fn join_addresses(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut by_address: BTreeMap<(Endpoint, Transport), Vec<usize>> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index).filter(|flow| flow.sctp.is_none() || flow.path.dtls) else { continue };
        let asker = asker(flow);
        // A STUN or TURN server is many calls' server.
        // Nor is a channel of TURN whose peer is not known an address.
        let may_be_agents = |end: &Endpoint| asker.is_none_or(|asker| asker == *end) && !end.ip().is_unspecified();
        for end in [flow.key.low, flow.key.high].into_iter().filter(may_be_agents) {
            by_address.entry((end, flow.key.transport)).or_default().push(*index);
        }
    }
    for ((address, _), indices) in &by_address {
        let is_client = indices.iter().filter_map(|index| flows.get(*index)).any(|flow| is_turn_client(flow, *address));
        join_address(flows, indices, is_client, groups);
    }
}

fn is_turn_client(flow: &FlowRecord, address: Endpoint) -> bool {
    let client = flow.turn.as_deref().and_then(|turn| turn.client);
    client.is_some_and(|direction| flow.key.source(direction) == address)
}

fn join_address(flows: &[FlowRecord], indices: &[usize], is_client: bool, groups: &mut Groups) {
    let mut parts: BTreeMap<usize, Part> = BTreeMap::new();
    for index in indices {
        let Some(flow) = flows.get(*index) else { continue };
        let part = Part::new(*index, flow);
        parts.entry(groups.find(*index)).and_modify(|known| known.add(&part)).or_insert(part);
    }
    let (mut active, idle): (Vec<Part>, Vec<Part>) = parts.into_values().partition(|part| part.active.is_some());
    active.sort_by_key(|part| (part.active, part.index));
    let is_server = !is_client && overlap(&active) || active.len() + idle.len() > PEERS_OF_ONE_AGENT;
    if is_server {
        return join_sources(flows, indices, groups);
    }
    let mut latest: Option<(Span, &Part)> = None;
    for part in &active {
        let Some(span) = part.active else { continue };
        if let Some((before, last)) = latest
            && distance(span, before) <= CHANGE_OF_PEER
            && !part.is_another_than(last)
        {
            groups.join(last.index, part.index);
        }
        if latest.is_none_or(|(before, _)| span.1 >= before.1) {
            latest = Some((span, part));
        }
    }
    join_idle(&active, &idle, groups);
}

/// Questions and checks that came to nothing belong to what the address did at that time.
fn join_idle(active: &[Part], idle: &[Part], groups: &mut Groups) {
    let mut before: Option<&Part> = None;
    for part in idle {
        let others = active.iter().filter(|other| !part.is_another_than(other));
        let nearest = others.min_by_key(|other| (distance(part.seen, other.seen), other.index));
        let nearest = nearest.or(before.filter(|before| !part.is_another_than(before)));
        match nearest.filter(|other| distance(part.seen, other.seen) <= GATHERING) {
            Some(other) => groups.join(other.index, part.index),
            None => before = Some(part),
        }
    }
}

/// Whether any two of these carry something at the same time.
fn overlap(active: &[Part]) -> bool {
    let mut latest: Option<Timestamp> = None;
    active.iter().filter_map(|part| part.active).any(|(start, end)| {
        let overlaps = latest.is_some_and(|latest| latest.since(start) > CROSSING);
        latest = latest.max(Some(end));
        overlaps
    })
}

/// At a server only what has a common source belongs together, unless two pairs of agents say that it does not, or the
/// others send something themselves: a conference server forwards a source to each of its clients.
fn join_sources(flows: &[FlowRecord], indices: &[usize], groups: &mut Groups) {
    let mut by_source: BTreeMap<(u32, Endpoint), usize> = BTreeMap::new();
    for index in indices {
        let Some(flow) = flows.get(*index).filter(|flow| !Part::new(*index, flow).is_ice) else { continue };
        let is_one_way = flow
            .streams
            .iter()
            .all(|stream| flow.streams.first().is_some_and(|first| first.direction == stream.direction));
        if !is_one_way {
            continue;
        }
        for stream in flow.streams.iter().filter(|stream| stream.ssrc != 0) {
            let first = *by_source.entry((stream.ssrc, flow.key.source(stream.direction))).or_insert(*index);
            groups.join(first, *index);
        }
    }
}

/// What a host asked servers from ports that no call uses (candidates of the interfaces and transports that lost) belongs
/// to the call of that host that was set up then; several such to each other where there is no call.
pub(super) fn join_questions(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut sets: BTreeMap<usize, (Span, Option<IpAddr>)> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        // A TURN server may carry media beside its own messages: that is a call.
        let asks = asker(flow).filter(|_| flow.streams.is_empty() && !flow.path.ice);
        let (span, asker) = ((flow.first.0, flow.last.0), asks.map(Endpoint::ip));
        let set = sets.entry(groups.find(*index)).or_insert((span, asker));
        set.0 = union(set.0, span);
        // Of a call: not only questions, or of several hosts.
        set.1 = set.1.filter(|known| Some(*known) == asker);
    }
    let mut calls: BTreeMap<IpAddr, Vec<(Span, usize)>> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        let root = groups.find(*index);
        let Some((span, None)) = sets.get(&root) else { continue };
        for address in [flow.key.low.ip(), flow.key.high.ip()].into_iter().filter(|ip| !ip.is_unspecified()) {
            let known = calls.entry(address).or_default();
            if known.last().is_none_or(|last| last.1 != root) {
                known.push((*span, root));
            }
        }
    }
    calls.values_mut().for_each(|calls| calls.sort_unstable());
    let mut alone: BTreeMap<IpAddr, (Span, usize)> = BTreeMap::new();
    let mut questions: Vec<(Span, usize, IpAddr)> =
        sets.iter().filter_map(|(root, (span, asker))| Some((*span, *root, (*asker)?))).collect();
    questions.sort_unstable();
    for (span, root, address) in questions {
        if let Some(call) = nearby(calls.get(&address).map_or(&[], Vec::as_slice), span) {
            groups.join(call, root);
            continue;
        }
        match alone.get_mut(&address).filter(|(before, _)| distance(span, *before) <= GATHERING) {
            Some((before, first)) => {
                *before = union(*before, span);
                groups.join(*first, root);
            }
            None => drop(alone.insert(address, (span, root))),
        }
    }
}

/// The call that begins nearest to a question, of those that it may belong to.
fn nearby(calls: &[(Span, usize)], question: Span) -> Option<usize> {
    let place = calls.partition_point(|(span, _)| span.0 < question.0);
    let first = place.saturating_sub(CALLS_NEARBY);
    let around = calls.iter().skip(first).take(2 * CALLS_NEARBY);
    let may_be =
        around.filter(|(span, _)| distance(question, *span) <= if span.0 > question.0 { GATHERING } else { 0 });
    may_be.min_by_key(|(span, root)| (span.0.since(question.0).abs(), *root)).map(|(_, root)| *root)
}
