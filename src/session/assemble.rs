//! Which flows make a call.

use std::{cmp::Reverse, collections::BTreeMap, net::IpAddr};

use crate::{
    engine::Analysis,
    flow::{
        FlowRecord, Protocol,
        key::{FlowKey, Transport},
    },
    session::{Omitted, Session, Sessions},
    time::Timestamp,
    wire::Endpoint,
};

/// An address that tries more peers than this without media is a server's or a scanner's, not one call's.
const PEERS_OF_ONE_AGENT: usize = 64;

/// Calls that are kept; of more than these the ones with the most packets.
const CALLS: usize = 20_000;

/// Joins the flows of an analysis into calls.
#[must_use]
pub fn assemble(analysis: &Analysis) -> Sessions {
    let flows = &analysis.flows;
    let members: Vec<usize> = (0..flows.len()).filter(|index| flows.get(*index).is_some_and(may_belong)).collect();
    let mut groups = Groups::new(flows.len());
    join_relayed(flows, &members, &mut groups);
    join_relay_legs(flows, &members, &mut groups);
    join_rtcp_ports(flows, &members, &mut groups);
    join_rtcp_sources(flows, &members, &mut groups);
    join_agents(flows, &members, &mut groups);
    join_names(flows, &members, &mut groups);
    join_identities(flows, &members, &mut groups);
    let mut calls: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in &members {
        calls.entry(groups.find(*index)).or_default().push(*index);
    }
    calls.retain(|_, call| call.iter().any(|index| flows.get(*index).is_some_and(makes_call)));
    let mut calls: Vec<Session> = calls.into_values().map(|flows| Session { flows }).collect();
    let omitted = omit(&mut calls, flows);
    calls.sort_by_key(|call| call.flows.first().copied());
    let mut taken = vec![false; flows.len()];
    for index in calls.iter().flat_map(|call| &call.flows) {
        if let Some(taken) = taken.get_mut(*index) {
            *taken = true;
        }
    }
    for index in omitted.iter().flat_map(|call| &call.flows) {
        if let Some(taken) = taken.get_mut(*index) {
            *taken = true;
        }
    }
    let omitted = Omitted {
        calls: omitted.len() as u64,
        packets: omitted.iter().flat_map(|call| &call.flows).filter_map(|index| flows.get(*index)).map(total).sum(),
    };
    let others = taken.iter().enumerate().filter(|(_, taken)| !**taken).map(|(index, _)| index).collect();
    Sessions { calls, others, omitted }
}

/// Takes the smallest calls out where there are too many.
fn omit(calls: &mut Vec<Session>, flows: &[FlowRecord]) -> Vec<Session> {
    if calls.len() <= CALLS {
        return Vec::new();
    }
    let packets = |call: &Session| call.flows.iter().filter_map(|index| flows.get(*index)).map(total).sum::<u64>();
    calls.sort_by_cached_key(|call| (Reverse(packets(call)), call.flows.first().copied()));
    calls.split_off(CALLS)
}

fn total(flow: &FlowRecord) -> u64 {
    flow.packets.iter().sum()
}

/// Whether a flow can be part of a call.
fn may_belong(flow: &FlowRecord) -> bool {
    makes_call(flow)
        || flow.is_turn()
        || flow.count(Protocol::Stun) + flow.count(Protocol::ClassicStun) > 0
        || flow.path.dtls
}

/// Whether a flow is a sign of a call by itself: media, RTCP, ICE checks, SCTP, an allocation at a TURN server, or DTLS
/// whose client offers SRTP. STUN questions to a server and other DTLS alone are not.
fn makes_call(flow: &FlowRecord) -> bool {
    let has_media = !flow.streams.is_empty() || flow.rtcp.is_some() || flow.sctp.is_some();
    has_media || flow.path.ice || flow.is_turn() || flow.dtls.iter().any(|dtls| dtls.is_of_call())
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

/// Where the capture was made at the relay, or beside it: the relay's own legs, from the address it allocated to the
/// peers, belong to the client's flow.
fn join_relay_legs(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut allocations: BTreeMap<Endpoint, usize> = BTreeMap::new();
    for index in members {
        let turn = flows.get(*index).and_then(|flow| flow.turn.as_deref());
        for allocation in turn.into_iter().flat_map(|turn| &turn.allocations) {
            allocations.entry(allocation.relayed).or_insert(*index);
        }
    }
    for index in members {
        let Some(FlowRecord { key: FlowKey { low, high, relay: None, .. }, .. }) = flows.get(*index) else { continue };
        for client in [low, high].into_iter().filter_map(|end| allocations.get(end)) {
            groups.join(*client, *index);
        }
    }
}

/// RTCP on the ports one above those of RTP (RFC 3550 section 11).
fn join_rtcp_ports(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let by_key: BTreeMap<FlowKey, usize> =
        members.iter().filter_map(|index| flows.get(*index).map(|flow| (flow.key, *index))).collect();
    for index in members {
        let direct = |flow: &&FlowRecord| flow.key.transport == Transport::Udp && flow.key.relay.is_none();
        let Some(flow) = flows.get(*index).filter(direct) else { continue };
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
        let senders = rtcp.senders.keys().chain(rtcp.encrypted_senders.keys()).copied();
        for ssrc in senders.chain(rtcp.reports.keys().map(|key| key.1)) {
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
    let mut by_endpoint: BTreeMap<(Endpoint, Transport, Option<IpAddr>), Vec<usize>> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index).filter(|flow| flow.sctp.is_none()) else { continue };
        for end in [flow.key.low, flow.key.high] {
            // A STUN or TURN server is many calls' server: there only what one host asks belongs together.
            let asker = asker(flow).filter(|asker| *asker != end).map(Endpoint::ip);
            by_endpoint.entry((end, flow.key.transport, asker)).or_default().push(*index);
        }
    }
    for group in by_endpoint.values() {
        let media: Vec<usize> = group
            .iter()
            .copied()
            .filter(|index| flows.get(*index).is_some_and(|flow| !flow.streams.is_empty()))
            .collect();
        // What a TURN client's flow carries shares its address by nature: only flows on the same side of a relay count.
        let (relayed, direct): (Vec<usize>, Vec<usize>) =
            media.iter().partition(|index| flows.get(**index).is_some_and(|flow| flow.key.relay.is_some()));
        if overlap(flows, &relayed) || overlap(flows, &direct) || group.len() > PEERS_OF_ONE_AGENT {
            join_same_source(flows, &media, groups);
        } else if let Some((first, rest)) = group.split_first() {
            rest.iter().for_each(|index| groups.join(*first, *index));
        }
    }
}

/// Who asks a server, of a flow that is nothing but a client's questions to a STUN or TURN server.
fn asker(flow: &FlowRecord) -> Option<Endpoint> {
    let direction = match flow.turn.as_deref() {
        Some(turn) => turn.client?,
        None if flow.path.ice || !flow.streams.is_empty() || flow.stun_types.is_empty() => return None,
        None => flow.first.2,
    };
    Some(flow.key.source(direction))
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

/// Flows that name the same agent or association in random numbers of their own: user fragments of both sides (RFC 8445
/// section 5.3), the tie-breaker of an agent's role (section 7.1.3), which is the same for all its media without BUNDLE,
/// and the random of a DTLS ClientHello. So a call stays together over several paths, over ICE restarts, and on both
/// sides of a NAT.
fn join_identities(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut by_identity: BTreeMap<Identity<'_>, usize> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        for identity in identities(flow) {
            let first = *by_identity.entry(identity).or_insert(*index);
            groups.join(first, *index);
        }
    }
}

/// What is chosen at random by an agent, and so is the same in no two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identity<'a> {
    /// The user fragments of both ends, the lower first.
    Fragments(&'a str, &'a str),
    /// The tie-breaker of one end.
    TieBreaker(u64),
    /// The random of a ClientHello.
    ClientHello([u8; 32]),
}

fn identities(flow: &FlowRecord) -> impl Iterator<Item = Identity<'_>> {
    let ice = flow.ice.as_deref();
    let fragments = ice.into_iter().flat_map(|ice| &ice.generations).filter_map(|generation| {
        let (low, high) = (&*generation.low, &*generation.high);
        (!low.is_empty() && !high.is_empty()).then(|| Identity::Fragments(low.min(high), low.max(high)))
    });
    let roles = ice.into_iter().flat_map(|ice| &ice.checks).filter_map(|checks| checks.role);
    let tie_breakers = roles.filter(|(_, tie_breaker)| *tie_breaker != 0).map(|role| Identity::TieBreaker(role.1));
    let hellos =
        flow.dtls.iter().filter_map(|dtls| dtls.offer.as_ref()).map(|offer| Identity::ClientHello(offer.random));
    fragments.chain(tie_breakers).chain(hellos)
}

/// Whether any two of these flows carry media at the same time.
fn overlap(flows: &[FlowRecord], members: &[usize]) -> bool {
    let mut spans: Vec<(Timestamp, Timestamp)> =
        members.iter().filter_map(|index| flows.get(*index)).filter_map(media_span).collect();
    spans.sort_unstable();
    let mut latest_end = None;
    spans.into_iter().any(|(start, end)| {
        let overlaps = latest_end.is_some_and(|latest| start < latest);
        latest_end = latest_end.max(Some(end));
        overlaps
    })
}

fn media_span(flow: &FlowRecord) -> Option<(Timestamp, Timestamp)> {
    let starts = flow.streams.iter().map(|stream| stream.first.0).min();
    let ends = flow.streams.iter().map(|stream| stream.last.0).max();
    starts.zip(ends)
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
            // Each look makes the way half as long for the next.
            let above = self.0.get(parent).copied().unwrap_or(parent);
            if let Some(parent) = self.0.get_mut(root) {
                *parent = above;
            }
            root = above;
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
