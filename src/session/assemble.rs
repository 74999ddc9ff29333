//! Which flows make a call.

use std::collections::BTreeMap;

use crate::{
    engine::Analysis,
    flow::{
        FlowRecord, Protocol,
        key::{FlowKey, Transport},
    },
    session::{Session, Sessions},
    wire::Endpoint,
};

/// An address that tries more peers than this without media is a server's or a scanner's, not one call's.
const PEERS_OF_ONE_AGENT: usize = 64;

/// Joins the flows of an analysis into calls.
#[must_use]
pub fn assemble(analysis: &Analysis) -> Sessions {
    let flows = &analysis.flows;
    let members: Vec<usize> = (0..flows.len()).filter(|index| flows.get(*index).is_some_and(may_belong)).collect();
    let mut groups = Groups::new(flows.len());
    join_relayed(flows, &members, &mut groups);
    join_rtcp_ports(flows, &members, &mut groups);
    join_rtcp_sources(flows, &members, &mut groups);
    join_agents(flows, &members, &mut groups);
    join_names(flows, &members, &mut groups);
    let mut calls: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in &members {
        calls.entry(groups.find(*index)).or_default().push(*index);
    }
    calls.retain(|_, call| call.iter().any(|index| flows.get(*index).is_some_and(makes_call)));
    let mut calls: Vec<Session> = calls.into_values().map(|flows| Session { flows }).collect();
    calls.sort_by_key(|call| call.flows.first().copied());
    let mut taken = vec![false; flows.len()];
    for index in calls.iter().flat_map(|call| &call.flows) {
        if let Some(taken) = taken.get_mut(*index) {
            *taken = true;
        }
    }
    let others = taken.iter().enumerate().filter(|(_, taken)| !**taken).map(|(index, _)| index).collect();
    Sessions { calls, others }
}

/// Whether a flow can be part of a call.
fn may_belong(flow: &FlowRecord) -> bool {
    makes_call(flow)
        || flow.turn
        || flow.count(Protocol::Stun) + flow.count(Protocol::ClassicStun) > 0
        || flow.path.dtls
}

/// Whether a flow is a sign of a call by itself: media, RTCP, ICE checks, SCTP, an allocation at a TURN server, or DTLS
/// whose client offers SRTP. STUN questions to a server and other DTLS alone are not.
fn makes_call(flow: &FlowRecord) -> bool {
    let has_media = !flow.streams.is_empty() || flow.rtcp.is_some() || flow.sctp.is_some();
    has_media || flow.path.ice || flow.turn || flow.dtls.iter().any(|dtls| dtls.is_of_call())
}

/// What a TURN server carries belongs to the client's flow with the server.
fn join_relayed(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut clients: BTreeMap<(Endpoint, Endpoint), usize> = BTreeMap::new();
    for index in members {
        let Some(FlowRecord { key: FlowKey { low, high, relay: None, .. }, .. }) = flows.get(*index) else { continue };
        clients.entry((*low, *high)).or_insert(*index);
    }
    for index in members {
        let Some(FlowRecord { key: FlowKey { low, high, relay: Some(server), .. }, .. }) = flows.get(*index) else {
            continue;
        };
        for end in [low, high] {
            let outer = if end <= server { (*end, *server) } else { (*server, *end) };
            if let Some(outer) = clients.get(&outer) {
                groups.join(*outer, *index);
            }
        }
    }
}

/// RTCP on the ports one above those of RTP (RFC 3550 section 11).
fn join_rtcp_ports(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let by_key: BTreeMap<FlowKey, usize> =
        members.iter().filter_map(|index| flows.get(*index).map(|flow| (flow.key, *index))).collect();
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        let up = |end: Endpoint| end.port().checked_add(1).map(|port| end.with_port(port));
        let (Some(low), Some(high)) = (up(flow.key.low), up(flow.key.high)) else { continue };
        let (companion, _) = FlowKey::new(low, high, Transport::Udp);
        if let Some(other) = by_key.get(&companion)
            && flows.get(*other).is_some_and(|other| other.streams.is_empty() && other.rtcp.is_some())
            && !flow.streams.is_empty()
        {
            groups.join(*index, *other);
        }
    }
}

/// RTCP on any ports between the same two hosts (RFC 3605), if it speaks of the same SSRC.
fn join_rtcp_sources(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let hosts = |flow: &FlowRecord| {
        let (low, high) = (flow.key.low.ip(), flow.key.high.ip());
        (low.min(high), low.max(high))
    };
    let mut by_ssrc: BTreeMap<_, usize> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        for stream in &flow.streams {
            by_ssrc.entry((stream.ssrc, hosts(flow))).or_insert(*index);
        }
    }
    for index in members {
        let Some(flow) = flows.get(*index).filter(|flow| flow.streams.is_empty()) else { continue };
        let Some(rtcp) = &flow.rtcp else { continue };
        for ssrc in rtcp.senders.keys().copied().chain(rtcp.reports.keys().map(|key| key.1)) {
            if let Some(media) = by_ssrc.get(&(ssrc, hosts(flow))) {
                groups.join(*media, *index);
            }
        }
    }
}

/// Flows of one transport address: an ICE agent tries many peers from one port and ends with one of them. An address
/// whose flows carry media side by side is a server's; there only flows with a common SSRC belong together. SCTP has no
/// such agents: each port of a client is an association of its own.
fn join_agents(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut by_endpoint: BTreeMap<(Endpoint, Transport), Vec<usize>> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index).filter(|flow| flow.sctp.is_none()) else { continue };
        for end in [flow.key.low, flow.key.high] {
            by_endpoint.entry((end, flow.key.transport)).or_default().push(*index);
        }
    }
    for group in by_endpoint.values() {
        let media: Vec<usize> = group
            .iter()
            .copied()
            .filter(|index| flows.get(*index).is_some_and(|flow| !flow.streams.is_empty()))
            .collect();
        let side_by_side = media.iter().enumerate().any(|(place, one)| {
            media.iter().skip(place + 1).any(|other| match (flows.get(*one), flows.get(*other)) {
                (Some(one), Some(other)) => overlap(one, other) && !is_relay_of(one, other),
                _ => false,
            })
        });
        if side_by_side || group.len() > PEERS_OF_ONE_AGENT {
            join_same_source(flows, &media, groups);
        } else if let Some((first, rest)) = group.split_first() {
            rest.iter().for_each(|index| groups.join(*first, *index));
        }
    }
}

fn join_same_source(flows: &[FlowRecord], media: &[usize], groups: &mut Groups) {
    let mut by_source: BTreeMap<(u32, Endpoint), usize> = BTreeMap::new();
    for index in media {
        let Some(flow) = flows.get(*index) else { continue };
        for stream in flow.streams.iter().filter(|stream| stream.ssrc != 0) {
            let first = *by_source.entry((stream.ssrc, flow.key.source(stream.direction))).or_insert(*index);
            groups.join(first, *index);
        }
    }
}

/// Sources with one CNAME are one participant (RFC 3550 section 6.5.1): its audio and its video, wherever they run
/// between the same two hosts.
fn join_names(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut by_name: BTreeMap<_, usize> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        for name in flow.rtcp.iter().flat_map(|rtcp| rtcp.cnames.values()).filter(|name| !name.is_empty()) {
            let first = *by_name.entry((name, flow.key.low.ip(), flow.key.high.ip())).or_insert(*index);
            groups.join(first, *index);
        }
    }
}

fn overlap(one: &FlowRecord, other: &FlowRecord) -> bool {
    let span = |flow: &FlowRecord| {
        let starts = flow.streams.iter().map(|stream| stream.first.0).min();
        let ends = flow.streams.iter().map(|stream| stream.last.0).max();
        starts.zip(ends)
    };
    match (span(one), span(other)) {
        (Some((start, end)), Some((other_start, other_end))) => start < other_end && other_start < end,
        _ => false,
    }
}

/// Whether one of the two is carried inside a TURN client's flow, and so shares its address by nature.
const fn is_relay_of(one: &FlowRecord, other: &FlowRecord) -> bool {
    one.key.relay.is_some() != other.key.relay.is_some()
}

/// Disjoint sets; the smallest member stands for its set.
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn find(&mut self, index: usize) -> usize {
        let mut root = index;
        while let Some(parent) = self.0.get(root).copied().filter(|parent| *parent != root) {
            root = parent;
        }
        if let Some(parent) = self.0.get_mut(index) {
            *parent = root;
        }
        root
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.find(one), self.find(other));
        if let Some(parent) = self.0.get_mut(one.max(other)) {
            *parent = one.min(other);
        }
    }
}
