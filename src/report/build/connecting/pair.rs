//! One pair of addresses and the checks between them.

use super::{address::Place, error, first_check};
use crate::{
    flow::{
        FlowRecord,
        ice::{self, Checks},
        key::Transport,
        transaction::RoundTrip,
    },
    report::{
        build::Context,
        document::{CandidatePair, IceGeneration, PairState},
    },
    time::seconds,
    wire::Endpoint,
};

/// The checks of a flow, from the local end's side.
pub(super) fn pair(context: &Context<'_>, place: &Place, flow: &FlowRecord, ice: &ice::Record) -> CandidatePair {
    let direction = place.local_direction(flow);
    let [low, high] = &ice.checks;
    let (local, remote) = if direction == 0 { (low, high) } else { (high, low) };
    let first = first_check(ice);
    let stray = |direction: usize| ice.stray_successes.get(direction).copied().unwrap_or_default();
    let nominated = [local.nominated, remote.nominated].into_iter().flatten().min();
    let generations = ice.generations.iter().map(|generation| {
        let (local, remote) =
            if direction == 0 { (&generation.low, &generation.high) } else { (&generation.high, &generation.low) };
        IceGeneration {
            local_ufrag: local.to_string(),
            remote_ufrag: remote.to_string(),
            first_packet: context.packet(generation.first.1),
            first_time: context.seconds(generation.first.0),
        }
    });
    let generations: Vec<IceGeneration> = generations.collect();
    let (local_end, remote_end) = place.ends(flow);
    // What a peer sees of a relayed pair is what the server lends, and no NAT.
    let seen = local.reflexive.map(|(address, _)| address).filter(|address| {
        local_end.address != Some(address.ip().to_string()) || local_end.port != Some(address.port())
    });
    let expired = [local.consent_expired, remote.consent_expired].into_iter().flatten().min();
    CandidatePair {
        local: local_end,
        remote: remote_end,
        transport: flow.key.transport.name(),
        tcp_type_local: tcp_type(flow, direction),
        tcp_type_remote: tcp_type(flow, direction ^ 1),
        relayed: flow.key.relay.is_some(),
        relay: flow.key.relay.map(|relay| relay.to_string()),
        state: state(local),
        remote_state: state(remote),
        nominated: nominated.is_some(),
        nomination_kind: nomination(flow, ice),
        nomination: local.nomination,
        remote_nomination: remote.nomination,
        selected: false,
        requests_sent: local.requests.sent,
        requests_received: remote.requests.sent,
        responses_received: local.requests.succeeded + stray(direction ^ 1),
        responses_sent: remote.requests.succeeded + stray(direction),
        retransmissions_sent: local.requests.retransmitted,
        retransmissions_received: remote.requests.retransmitted,
        requests_unanswered: local.requests.unanswered,
        responses_late: local.requests.late,
        errors: ice
            .errors
            .iter()
            .map(|((method, code, _), count)| error(context, (*method, *code), true, *count))
            .collect(),
        round_trip_time: last_round_trip(local),
        round_trip_time_mean: mean_round_trip(local),
        round_trip_time_max: measured(local).map(|times| seconds(times.max)),
        round_trip_time_remote: last_round_trip(remote),
        priority: local.priority,
        remote_priority: remote.priority,
        consent_requests_sent: local.consent_requests,
        longest_consent_gap: gap(local),
        longest_consent_gap_remote: gap(remote),
        consent_expired: expired.map(|time| context.seconds(time)),
        first_request: first.map(|(_, id)| context.packet(id)),
        first_request_time: first.map(|(time, _)| context.seconds(time)),
        first_response: local.requests.first_success.map(|(_, id)| context.packet(id)),
        first_response_time: local.requests.first_success.map(|(time, _)| context.seconds(time)),
        nominated_time: nominated.map(|(time, _)| context.seconds(time)),
        nominated_packet: nominated.map(|(_, id)| context.packet(id)),
        local_ufrag: generations.last().map(|generation| generation.local_ufrag.clone()),
        remote_ufrag: generations.last().map(|generation| generation.remote_ufrag.clone()),
        generations,
        ice_role_local: role(local, remote),
        role_changes: local.role_changes,
        role_changes_remote: remote.role_changes,
        network_cost: local.network.map(|(_, cost)| cost),
        network_cost_remote: remote.network.map(|(_, cost)| cost),
        reflexive_address: seen.map(|address| address.ip().to_string()),
        reflexive_port: seen.map(Endpoint::port),
        keepalives: ice.indications.iter().sum(),
        software: local.software.as_deref().map(str::to_owned),
        remote_software: remote.software.as_deref().map(str::to_owned),
    }
}

/// How far an end's checks got.
pub(super) fn state(checks: &Checks) -> PairState {
    let requests = &checks.requests;
    match () {
        () if checks.consent_expired.is_some() && checks.unanswered_in_row() > 0 => PairState::Failed,
        () if requests.succeeded > 0 => PairState::Succeeded,
        () if requests.failed + requests.unanswered > 0 => PairState::Failed,
        () if requests.sent > 0 => PairState::InProgress,
        () => PairState::Waiting,
    }
}

/// The type of an end's TCP candidate, by who opened the connection.
fn tcp_type(flow: &FlowRecord, direction: usize) -> Option<&'static str> {
    let [low, high] = flow.opened;
    let (own, other) = if direction == 0 { (low, high) } else { (high, low) };
    match (own, other) {
        (true, true) => Some("so"),
        (true, false) => Some("active"),
        (false, true) => Some("passive"),
        (false, false) => None,
    }
}

/// What the local end claims, or the opposite of what the remote end does.
fn role(local: &Checks, remote: &Checks) -> Option<&'static str> {
    let opposite = |role| match role {
        ice::Role::Controlling => ice::Role::Controlled,
        ice::Role::Controlled => ice::Role::Controlling,
    };
    let claimed = local.role.map(|(role, _)| role);
    claimed.or_else(|| remote.role.map(|(role, _)| opposite(role))).map(ice::Role::name)
}

/// How the pair was nominated. A flow that starts with something else than a check was caught in its middle, and its
/// first nomination may be any.
fn nomination(flow: &FlowRecord, ice: &ice::Record) -> Option<&'static str> {
    let (_, first) = first_check(ice)?;
    let nominator = ice.checks.iter().find(|checks| checks.nominated.is_some())?;
    if nominator.is_renominated() {
        return Some("renomination");
    }
    if nominator.checks_before_nomination > 0 {
        return Some("regular");
    }
    // A TCP connection starts with its own handshake.
    (flow.first.1 == first || flow.key.transport == Transport::Tcp).then_some("aggressive")
}

fn measured(checks: &Checks) -> Option<RoundTrip> {
    Some(checks.requests.round_trip).filter(|times| times.count > 0)
}

fn last_round_trip(checks: &Checks) -> Option<f64> {
    measured(checks).map(|times| seconds(times.last))
}

#[expect(clippy::cast_precision_loss, reason = "a report is read by people; 2^53 checks are not in it")]
fn mean_round_trip(checks: &Checks) -> Option<f64> {
    measured(checks).map(|times| seconds(times.sum) / times.count as f64)
}

/// A gap needs two successes, or a success and a later check.
fn gap(checks: &Checks) -> Option<f64> {
    (checks.longest_consent_gap > 0).then(|| seconds(checks.longest_consent_gap))
}
