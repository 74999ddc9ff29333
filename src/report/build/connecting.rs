//! How the ends of a call found a path.

mod address;
mod icmp;
mod pair;
mod restart;
mod selection;
mod stun;
mod turn;

use std::collections::{BTreeMap, BTreeSet};

use self::{address::Place, selection::Selection};
use super::{Context, status};
use crate::{
    flow::{FlowRecord, Protocol, ice, transaction::Moment},
    report::document::{CandidatePair, Connecting, LocalName, MappedAddress, PairState, StunCounts, StunError},
    session::Steps,
    time::{PacketId, seconds},
    wire::{
        scope,
        stun::{MessageType, attribute_name as stun_attribute_name, error_meaning, error_name, method},
    },
};

/// Pairs that are listed one by one; a hostile capture may hold many thousands.
const PAIRS: usize = 256;

/// Names that are listed: over multicast DNS, of other servers, of unknown attributes.
const NAMES: usize = 64;

/// The error code that asks for credentials, or refuses them (RFC 8489 section 14.8).
const UNAUTHENTICATED: u16 = 401;

/// The error code of two agents that claim one role (RFC 8445 section 7.3.1.1).
const ROLE_CONFLICT: u16 = 487;

/// What STUN, ICE and TURN of the call's flows show.
pub fn connecting(context: &Context<'_>, steps: &Steps<'_>, flows: &[&FlowRecord]) -> Connecting {
    let place = Place::of(flows);
    let mut checked: Vec<(&FlowRecord, &ice::Record)> = flows
        .iter()
        .filter_map(|flow| flow.ice.as_deref().filter(|ice| ice.is_ice()).map(|ice| (*flow, ice)))
        .collect();
    // A pair seen on both sides of its relay is one: that of the client tells more.
    checked.sort_by_key(|(flow, _)| flow.key.relay.is_none());
    let mut known = BTreeSet::new();
    checked.retain(|(flow, _)| {
        let (local, remote) = place.ends(flow);
        let ends = [(local.address, local.port), (remote.address, remote.port)];
        let [one, other] = &ends;
        known.insert((one.min(other).clone(), one.max(other).clone(), flow.key.transport.name()))
    });
    checked.sort_by_key(|(flow, ice)| (first_check(ice), flow.key));
    let selection = Selection::new(&checked, flows);
    let selected = selection.last();
    let mut pairs: Vec<CandidatePair> =
        checked.iter().map(|(flow, ice)| pair::pair(context, &place, flow, ice)).collect();
    if let Some(pair) = selected.and_then(|index| pairs.get_mut(index)) {
        pair.selected = true;
    }
    let restarts = restart::restarts(context, &checked, &place);
    let mut connecting = Connecting {
        stun: counts(flows),
        ice_role: selected.and_then(|index| pairs.get(index)).or(pairs.first()).and_then(|pair| pair.ice_role_local),
        ice_duration: selected.and_then(|index| duration(&checked, index, &place)),
        selected_pair: selected.and_then(|index| pairs.get(index)).cloned().map(Box::new),
        path_switches: selection.switches(),
        selections: selection.history(context, &place),
        ice_restarts: restarts.len() as u64,
        restarts,
        role_conflicts: conflicts(&checked),
        role_changes: checked.iter().flat_map(|(_, ice)| &ice.checks).map(|checks| checks.role_changes).sum(),
        alternate_servers: named(flows, |ice| ice.alternate_servers.iter().map(ToString::to_string).collect()),
        unknown_attributes: named(flows, |ice| {
            ice.unknown_attributes.iter().map(|kind| attribute_name(*kind)).collect()
        }),
        ice_lite: lite(&checked, &place),
        answers_from_elsewhere: answers_from_elsewhere(flows),
        bad_fingerprints: ices(flows).map(|(_, ice)| ice.bad_fingerprints).sum(),
        bad_fingerprint_packet: ices(flows)
            .filter_map(|(_, ice)| ice.first_bad_fingerprint)
            .min()
            .map(|id| context.packet(id)),
        icmp_errors: flows.iter().map(|flow| flow.icmp_errors).sum(),
        icmp: icmp::errors(context, flows),
        mapped_addresses: mapped(context, flows),
        stun_servers: flows.iter().flat_map(|flow| stun::servers(context, flow)).take(stun::SERVERS).collect(),
        turn: flows.iter().filter_map(|flow| turn::server(context, &place, flow)).collect(),
        mdns: names(context, flows),
        ..Connecting::default()
    };
    connecting.candidates = place.candidates(&pairs);
    connecting.status = status(steps.connecting());
    connecting.candidate_pairs_omitted = pairs.len().saturating_sub(PAIRS) as u64;
    pairs.truncate(PAIRS);
    connecting.candidate_pairs = pairs;
    connecting
}

/// Whether a pair may be used: one end's checks succeeded, and the other's, if it sent any, did not fail.
fn works(states: [PairState; 2]) -> bool {
    states.contains(&PairState::Succeeded) && !states.contains(&PairState::Failed)
}

/// The STUN and TURN messages of some flows.
pub(super) fn counts(flows: &[&FlowRecord]) -> Option<StunCounts> {
    let mut counts = StunCounts::default();
    for flow in flows {
        for (kind, count) in &flow.stun_types {
            *counts.by_type.entry(stun_name(*kind)).or_default() += count;
            counts.messages += count;
        }
        counts.channel_data += flow.count(Protocol::ChannelData);
    }
    (counts.messages + counts.channel_data > 0).then_some(counts)
}

fn ices<'a>(flows: &[&'a FlowRecord]) -> impl Iterator<Item = (&'a FlowRecord, &'a ice::Record)> {
    flows.iter().filter_map(|flow| Some((*flow, flow.ice.as_deref()?)))
}

/// The first check of either end.
fn first_check(ice: &ice::Record) -> Option<Moment> {
    ice.checks.iter().filter_map(|checks| checks.requests.first).min()
}

/// Seconds from the call's first check to its first answered nomination, else to the first success on the selected
/// pair. `None` where the call was connected before the capture began: something went over a pair before its first
/// check, or is secured by a handshake that is not there.
fn duration(checked: &[(&FlowRecord, &ice::Record)], index: usize, place: &Place) -> Option<f64> {
    let is_late = |(flow, ice): &(&FlowRecord, &ice::Record)| {
        let answers = ice.checks.iter().filter_map(|checks| checks.requests.first_success).min();
        flow.carried().is_some_and(|(first, _)| answers.is_none_or(|(answer, _)| first < answer))
    };
    let unstarted = |(flow, _): &(&FlowRecord, &ice::Record)| flow.dtls.iter().any(|dtls| !dtls.is_seen());
    let started = checked.iter().any(|(flow, _)| flow.dtls.iter().any(|dtls| dtls.is_seen()));
    if checked.iter().any(is_late) || !started && checked.iter().any(unstarted) {
        return None;
    }
    let (start, _) = checked.iter().filter_map(|(_, ice)| first_check(ice)).min()?;
    let (flow, ice) = checked.get(index)?;
    let local = place.local_direction(flow);
    let nominations = checked.iter().flat_map(|(_, ice)| &ice.checks).filter_map(|checks| checks.nomination_answered);
    let of = |direction: usize| ice.checks.get(direction).and_then(|checks| checks.requests.first_success);
    let (end, _) = nominations.min().or_else(|| of(local)).or_else(|| of(local ^ 1))?;
    Some(end.seconds_since(start))
}

/// What the answers of a call name, each once.
fn named(flows: &[&FlowRecord], of: impl Fn(&ice::Record) -> Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in ices(flows).flat_map(|(_, ice)| of(ice)) {
        if !names.contains(&name) && names.len() < NAMES {
            names.push(name);
        }
    }
    names
}

fn attribute_name(number: u16) -> String {
    stun_attribute_name(number).map_or_else(|| format!("0x{number:04x}"), str::to_owned)
}

fn conflicts(checked: &[(&FlowRecord, &ice::Record)]) -> u64 {
    let refused = |ice: &ice::Record| {
        ice.errors.iter().filter(|((_, code, _), _)| *code == ROLE_CONFLICT).map(|(_, (count, _))| count).sum::<u64>()
    };
    checked.iter().map(|(_, ice)| refused(ice)).sum()
}

fn lite(checked: &[(&FlowRecord, &ice::Record)], place: &Place) -> Option<&'static str> {
    let ends: BTreeSet<bool> =
        checked.iter().filter_map(|(flow, ice)| Some(ice.lite()? == place.local_direction(flow))).collect();
    // An agent that asks on one path is no lite one, even if it is silent on another.
    let asks = |local: bool| {
        checked.iter().any(|(flow, ice)| {
            let direction = place.local_direction(flow) ^ usize::from(!local);
            ice.checks.get(direction).is_some_and(|checks| checks.requests.sent > 0)
        })
    };
    let end = ends.into_iter().find(|local| !asks(*local))?;
    Some(if end { "local" } else { "remote" })
}

/// Answers without a request on their own path, whose request is on another and got none there.
fn answers_from_elsewhere(flows: &[&FlowRecord]) -> u64 {
    let open: BTreeSet<u128> = ices(flows).flat_map(|(_, ice)| &ice.unanswered_ids).map(|(id, _)| *id).collect();
    ices(flows).flat_map(|(_, ice)| &ice.stray_ids).filter(|(id, _)| open.contains(id)).count() as u64
}

fn mapped(context: &Context<'_>, flows: &[&FlowRecord]) -> Vec<MappedAddress> {
    let mut mapped: Vec<_> = ices(flows)
        .flat_map(|(flow, ice)| {
            ice.mapped.iter().map(move |(direction, address, id)| (*id, flow, ice, *direction, *address))
        })
        .collect();
    mapped.sort_by_key(|(id, ..)| *id);
    let listed = mapped.into_iter().map(|(id, flow, ice, direction, address)| {
        let local = flow.key.source(direction);
        let round_trip = ice.questions.get(direction).map(|questions| questions.round_trip);
        MappedAddress {
            local_address: local.ip().to_string(),
            local_port: local.port(),
            server: flow.key.destination(direction).to_string(),
            mapped_address: address.ip().to_string(),
            mapped_port: address.port(),
            scope: scope(address.ip()),
            round_trip_time: round_trip.filter(|times| times.count > 0).map(|times| seconds(times.last)),
            packet: context.packet(id),
        }
    });
    listed.collect()
}

/// Names that an end of the call asked for, or that stand for an end's address.
fn names(context: &Context<'_>, flows: &[&FlowRecord]) -> Vec<LocalName> {
    if context.names.is_empty() {
        return Vec::new();
    }
    let ends: BTreeSet<_> = flows.iter().flat_map(|flow| [flow.key.low.ip(), flow.key.high.ip()]).collect();
    let mut names: BTreeMap<&str, LocalName> = BTreeMap::new();
    for said in context.names.iter().filter(|said| is_candidate_name(&said.name)) {
        let first = [said.first_asked.map(|(_, moment)| moment), said.first_answered].into_iter().flatten().min();
        let address = said.addresses.iter().find(|address| ends.contains(address)).or(said.addresses.first());
        let asker = said.first_asked.map(|(end, _)| end.ip());
        let is_of_call =
            address.is_some_and(|address| ends.contains(address)) || asker.is_some_and(|asker| ends.contains(&asker));
        // A name lives as long as its page: other calls of the host have others, unless it is only one call's.
        if !is_of_call || names.len() >= NAMES && !names.contains_key(&*said.name) {
            continue;
        }
        let name = names.entry(&said.name).or_insert_with(|| LocalName {
            name: said.name.to_string(),
            address: None,
            asked: 0,
            answered: 0,
            first_packet: None,
        });
        name.asked += said.asked;
        name.answered += said.answered;
        name.address = name.address.take().or_else(|| address.map(ToString::to_string));
        let first = first.map(|(_, id)| context.packet(id));
        name.first_packet = [name.first_packet, first].into_iter().flatten().min();
    }
    names.into_values().collect()
}

/// Whether a name is one of a candidate: a version 4 UUID (draft-ietf-mmusic-mdns-ice-candidates section 3.1.1), and no
/// printer's.
fn is_candidate_name(name: &str) -> bool {
    let label = name.split('.').next().unwrap_or_default();
    let parts: Vec<&str> = label.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Answers with one error.
fn error(
    context: &Context<'_>,
    (method, code): (u16, u16),
    credentials: bool,
    (count, first): (u64, PacketId),
) -> StunError {
    StunError {
        method: method_name(method),
        code,
        code_cut: false,
        name: error_name(code),
        meaning: error_meaning(code, credentials),
        challenge: code == UNAUTHENTICATED && !credentials,
        count,
        first_packet: context.packet(first),
    }
}

fn method_name(number: u16) -> String {
    method::name(number).map_or_else(|| format!("method 0x{number:03x}"), str::to_owned)
}

fn stun_name(kind: u16) -> String {
    let kind = MessageType(kind);
    format!("{} {}", method_name(kind.method()), kind.class().name())
}
