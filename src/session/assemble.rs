//! Which flows make a call.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    agent,
    exchange::{self, Exchange, Joined},
    groups::Groups,
    nameless, sctp,
};
use crate::{
    engine::Analysis,
    flow::{
        FlowRecord, Protocol,
        key::{FlowKey, Transport},
        stream::{Stream, media_kind},
    },
    session::{Omitted, Session, Sessions},
    time::{NANOS_PER_SECOND, PacketId, Timestamp},
    wire::{Endpoint, rtp::Media},
};

/// Audio and video of one participant start together.
const TOGETHER: i64 = 5 * NANOS_PER_SECOND;

/// Sources of one name and time that are looked at.
const NAMESAKES: usize = 32;

/// A tie-breaker of more pairs of agents than this was not chosen at random.
const AGENTS_OF_ONE_TIE_BREAKER: usize = 8;

/// Candidates are gathered so long before or after a description at most.
const BEFORE_CALL: i64 = 30 * NANOS_PER_SECOND;

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
    join_identities(flows, &members, &mut groups);
    join_strays(flows, &members, &mut groups);
    join_continued(flows, &members, &mut groups);
    join_names(flows, &members, &mut groups);
    sctp::join(flows, &members, &mut groups);
    agent::join_addresses(flows, &members, &mut groups);
    nameless::join(flows, &members, &mut groups);
    agent::join_questions(flows, &members, &mut groups);
    let exchanges = exchange::gather(analysis);
    let joined = Joined::new(&exchanges, flows, &members);
    joined.join(&mut groups);
    let mut calls: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in &members {
        calls.entry(groups.find(*index)).or_default().push(*index);
    }
    calls.retain(|_, call| call.iter().any(|index| flows.get(*index).is_some_and(makes_call)));
    let session = |flows: Vec<usize>| Session { exchanges: joined.of(&flows), flows };
    let mut calls: Vec<Session> = calls.into_values().map(session).collect();
    add_signalled(&mut calls, flows, &exchanges);
    let omitted = omit(&mut calls, flows);
    calls.sort_by_cached_key(|call| start(call, flows, &exchanges));
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
    Sessions { calls, others, omitted, exchanges }
}

/// Adds the calls whose exchange is of no flow. One that came no further than questions to STUN and TURN servers is the
/// call that a host signalled at that time, if it signalled one only; the others left no trace but their signalling.
fn add_signalled(calls: &mut Vec<Session>, flows: &[FlowRecord], exchanges: &[Exchange]) {
    let taken: BTreeSet<usize> = calls.iter().flat_map(|call| call.exchanges.iter().copied()).collect();
    let is_call = |(number, exchange): &(usize, &Exchange)| !taken.contains(number) && exchange.is_call();
    let alone: Vec<usize> = exchanges.iter().enumerate().filter(is_call).map(|(number, _)| number).collect();
    let mut by_talker: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for number in &alone {
        let place = exchanges.get(*number).and_then(|exchange| exchange.first_place);
        for talker in place.iter().flat_map(|place| [place.source().ip(), place.destination().ip()]) {
            by_talker.entry(talker).or_default().push(*number);
        }
    }
    let mut traced: BTreeMap<usize, Session> = BTreeMap::new();
    let only_asked = |call: &Session| {
        let mut records = call.flows.iter().filter_map(|index| flows.get(*index));
        call.exchanges.is_empty()
            && records.all(|flow| flow.streams.is_empty() && !flow.path.is_call() && flow.sctp.is_none())
    };
    calls.retain(|call| {
        if !only_asked(call) {
            return true;
        }
        let records = call.flows.iter().filter_map(|index| flows.get(*index));
        let hosts: BTreeSet<IpAddr> = records.flat_map(|flow| [flow.key.low.ip(), flow.key.high.ip()]).collect();
        let talked = hosts.iter().filter_map(|host| by_talker.get(host)).flatten();
        let fits =
            |number: &&usize| exchanges.get(**number).is_some_and(|exchange| was_signalled_by(call, flows, exchange));
        let fitting: BTreeSet<usize> = talked.take(NAMESAKES).filter(fits).copied().collect();
        let mut fitting = fitting.into_iter();
        let (Some(number), None) = (fitting.next(), fitting.next()) else { return true };
        let session = traced.entry(number).or_insert(Session { flows: Vec::new(), exchanges: vec![number] });
        session.flows.extend(&call.flows);
        session.flows.sort_unstable();
        false
    });
    let rest = alone.into_iter().filter(|number| !traced.contains_key(number));
    calls.extend(rest.map(|number| Session { flows: Vec::new(), exchanges: vec![number] }));
    calls.extend(traced.into_values());
}

/// Whether the host that asked the servers is one that signalled, about that time.
fn was_signalled_by(call: &Session, flows: &[FlowRecord], exchange: &Exchange) -> bool {
    let (Some(place), Some(((first, _), (last, _)))) = (exchange.first_place, exchange.span) else { return false };
    let talkers = [place.source().ip(), place.destination().ip()];
    let mut records = call.flows.iter().filter_map(|index| flows.get(*index));
    records.any(|flow| {
        let is_talker = talkers.contains(&flow.key.low.ip()) || talkers.contains(&flow.key.high.ip());
        is_talker && first.since(flow.last.0) < BEFORE_CALL && flow.first.0.since(last) < BEFORE_CALL
    })
}

/// A call's first packet.
fn start(call: &Session, flows: &[FlowRecord], exchanges: &[Exchange]) -> Option<(Timestamp, PacketId)> {
    let flow = call.flows.first().and_then(|index| flows.get(*index)).map(|flow| (flow.first.0, flow.first.1));
    let said = call.exchanges.iter().filter_map(|index| exchanges.get(*index)?.span).map(|(first, _)| first);
    flow.into_iter().chain(said.filter(|_| call.flows.is_empty())).min()
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
/// peers, belong to the client's flow. Addresses are lent again: the allocation of the leg's time counts.
fn join_relay_legs(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut allocations: BTreeMap<Endpoint, Vec<(Timestamp, Timestamp, usize)>> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        for allocation in flow.turn.iter().flat_map(|turn| &turn.allocations) {
            let end = allocation.deleted.map(|(time, _)| time).or(allocation.until).unwrap_or(flow.last.0);
            allocations.entry(allocation.relayed).or_default().push((allocation.granted.0, end, *index));
        }
    }
    for index in members {
        let Some(flow) = flows.get(*index).filter(|flow| flow.key.relay.is_none()) else { continue };
        for lent in [flow.key.low, flow.key.high].iter().filter_map(|end| allocations.get(end)) {
            let shared = |(from, to, _): &&(Timestamp, Timestamp, usize)| {
                (*to).min(flow.last.0).since((*from).max(flow.first.0))
            };
            if let Some((_, _, client)) = lent.iter().max_by_key(shared).filter(|lent| shared(lent) >= 0) {
                groups.join(*client, *index);
            }
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

/// Answers that came from another address than was asked: by the request's transaction, 96 bits chosen at random.
fn join_strays(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let ices = || members.iter().filter_map(|index| Some((*index, flows.get(*index)?.ice.as_deref()?)));
    let open: BTreeMap<u128, usize> =
        ices().flat_map(|(index, ice)| ice.unanswered_ids.iter().map(move |(id, _)| (*id, index))).collect();
    if open.is_empty() {
        return;
    }
    for (index, ice) in ices() {
        for asked in ice.stray_ids.iter().filter_map(|(id, _)| open.get(id)) {
            groups.join(*asked, index);
        }
    }
}

/// A source whose numbers go on elsewhere: its call took another path, be it with new agents on new ports. A conference
/// server forwards one source to one client after the other: where the receiver is another host, what it sends must go
/// on too.
fn join_continued(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut by_ssrc: BTreeMap<u32, Vec<(&Stream, usize)>> = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        for stream in flow.streams.iter().filter(|stream| stream.ssrc != 0) {
            by_ssrc.entry(stream.ssrc).or_default().push((stream, *index));
        }
    }
    let end = |stream: &Stream, index: usize, direction: usize| {
        flows.get(index).map(|flow| flow.key.source(stream.direction ^ direction).ip())
    };
    let goes_back = |stream: &Stream, one: usize, other: usize| {
        let streams = |index: usize| flows.get(index).into_iter().flat_map(|flow| &flow.streams);
        let mut back = streams(one).filter(|own| own.direction != stream.direction && own.ssrc != 0);
        back.any(|own| streams(other).any(|next| next.ssrc == own.ssrc && own.is_at_once_continued_by(next)))
    };
    for parts in by_ssrc.values_mut() {
        parts.sort_by_key(|(stream, index)| (stream.first.0, stream.first.1, *index));
        for ((stream, index), (next, other)) in parts.iter().zip(parts.iter().skip(1)) {
            let has_same_receiver = end(stream, *index, 1) == end(next, *other, 1);
            let has_same_sender = end(stream, *index, 0) == end(next, *other, 0);
            let near = has_same_receiver || has_same_sender && goes_back(stream, *index, *other);
            if near && (stream.is_at_once_continued_by(next) || stream.takes_turns_with(next)) {
                groups.join(*index, *other);
            }
        }
    }
}

/// Sources with one CNAME are one participant (RFC 3550 section 6.5.1): its audio and its video, wherever they run
/// between the same two hosts. A gateway may have one name for all its calls: where several start at that time and none is
/// much nearer, the name tells nothing.
fn join_names(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let hosts = |flow: &FlowRecord| (flow.key.low.ip(), flow.key.high.ip());
    let mut by_ssrc = BTreeMap::new();
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        for stream in &flow.streams {
            by_ssrc.entry((stream.ssrc, hosts(flow))).or_insert((stream, *index));
        }
    }
    let mut by_name: BTreeMap<_, BTreeSet<Source>> = BTreeMap::new();
    for flow in members.iter().filter_map(|index| flows.get(*index)) {
        let named = flow.rtcp.iter().flat_map(|rtcp| &rtcp.cnames).filter(|(_, name)| !name.is_empty());
        for (ssrc, name) in named {
            let Some((stream, index)) = by_ssrc.get(&(*ssrc, hosts(flow))) else { continue };
            let Some(kind) = media_kind(stream) else { continue };
            let source = Source { start: stream.first.0, is_audio: kind == Media::Audio, index: *index };
            by_name.entry((name, hosts(flow))).or_default().insert(source);
        }
    }
    for sources in by_name.values() {
        // The nearest of the other kind, if it is much nearer than the next.
        let partner = |one: &Source| {
            let from = Source { start: Timestamp(one.start.0.saturating_sub(TOGETHER)), is_audio: false, index: 0 };
            let to =
                Source { start: Timestamp(one.start.0.saturating_add(TOGETHER)), is_audio: true, index: usize::MAX };
            let others = sources.range(from..=to).filter(|other| other.is_audio != one.is_audio);
            let mut others: Vec<(i64, Source)> =
                others.take(NAMESAKES).map(|other| (other.start.since(one.start).abs(), *other)).collect();
            others.sort_unstable();
            let next = others.get(1).map(|(distance, _)| *distance);
            others.first().filter(|(distance, _)| next.is_none_or(|next| distance * 2 < next)).map(|(_, other)| *other)
        };
        for audio in sources.iter().filter(|source| source.is_audio) {
            if let Some(video) = partner(audio).filter(|video| partner(video) == Some(*audio)) {
                groups.join(audio.index, video.index);
            }
        }
    }
}

/// A source with a name: when it starts, and in which flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    start: Timestamp,
    is_audio: bool,
    index: usize,
}

/// Flows that name the same agent or association in random numbers of their own: user fragments of both sides (RFC 8445
/// section 5.3), the tie-breaker of an agent's role (section 7.1.3), which is the same for all its media without BUNDLE,
/// and the random of a DTLS ClientHello. So a call stays together over several paths, over ICE restarts, and on both
/// sides of a NAT.
fn join_identities(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut by_identity: BTreeMap<Identity<'_>, usize> = BTreeMap::new();
    let everybodys = common_tie_breakers(flows, members);
    for index in members {
        let Some(flow) = flows.get(*index) else { continue };
        for identity in identities(flow).filter(|identity| !everybodys.contains(identity)) {
            let first = *by_identity.entry(identity).or_insert(*index);
            groups.join(first, *index);
        }
    }
}

/// Tie-breakers that an implementation has for all its agents.
fn common_tie_breakers<'a>(flows: &'a [FlowRecord], members: &[usize]) -> BTreeSet<Identity<'a>> {
    let mut users: BTreeMap<Identity<'a>, BTreeSet<Identity<'a>>> = BTreeMap::new();
    for flow in members.iter().filter_map(|index| flows.get(*index)) {
        for tie_breaker in identities(flow).filter(|identity| matches!(identity, Identity::TieBreaker(_))) {
            let fragments = identities(flow).filter(|identity| matches!(identity, Identity::Fragments(..)));
            users.entry(tie_breaker).or_default().extend(fragments);
        }
    }
    let common = users.into_iter().filter(|(_, fragments)| fragments.len() > AGENTS_OF_ONE_TIE_BREAKER);
    common.map(|(tie_breaker, _)| tie_breaker).collect()
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
