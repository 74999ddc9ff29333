//! What TURN servers granted and refused.

use super::{address::Place, error};
use crate::{
    flow::{
        FlowRecord,
        allocation::{Allocation, Carried, Record},
    },
    report::{
        build::Context,
        document::{StunError, TurnAllocation, TurnChannel, TurnPeer, TurnPermission, TurnServer},
    },
    time::seconds,
    wire::{Endpoint, stun::method},
};

/// What is between client and server: where keys opened it, TLS.
fn transport(flow: &FlowRecord) -> String {
    match flow.label {
        Some("stuns" | "turns") => "tls".to_owned(),
        _ => flow.key.transport.name(),
    }
}

/// The client and the server of one flow; `None` where it has nothing of TURN.
pub(super) fn server(context: &Context<'_>, place: &Place, flow: &FlowRecord) -> Option<TurnServer> {
    let turn = flow.turn.as_deref()?;
    let client = turn.client.unwrap_or(flow.first.2);
    let latest = turn.allocations.last();
    let relayed = place.lent(flow.key.source(client), flow.key.destination(client));
    let round_trip = turn.requests.get(&method::ALLOCATE).map(|requests| requests.round_trip);
    let mut errors: Vec<_> = turn.errors.iter().collect();
    errors.sort_by_key(|(failure, (_, first))| (*first, **failure));
    Some(TurnServer {
        server: flow.key.destination(client).to_string(),
        client: flow.key.source(client).to_string(),
        transport: transport(flow),
        username: turn.username.as_deref().map(str::to_owned),
        realm: turn.realm.as_deref().map(str::to_owned),
        software: turn.software.as_deref().map(str::to_owned),
        relayed_address: relayed.map(|relayed| relayed.ip().to_string()),
        relayed_port: relayed.map(Endpoint::port),
        mapped_address: latest.and_then(|allocation| allocation.mapped).map(|mapped| mapped.ip().to_string()),
        mapped_port: latest.and_then(|allocation| allocation.mapped).map(Endpoint::port),
        lifetime: latest.and_then(|allocation| allocation.lifetime),
        refreshes: turn.allocations.iter().map(|allocation| allocation.refreshes).sum(),
        expired: latest.is_some_and(|allocation| allocation.expired),
        allocations_granted: turn.granted,
        allocations: turn.allocations.iter().map(|one| allocation(context, one)).collect(),
        permissions: permissions(context, turn),
        channels: channels(context, turn),
        errors: errors
            .into_iter()
            .map(|(failure, count)| StunError {
                code_cut: failure.is_cut,
                ..error(context, (failure.method, failure.code), failure.credentials, *count)
            })
            .collect(),
        challenges: turn.challenges(),
        refusals: turn.refusals(),
        stale_nonces: turn.stale_nonces,
        longest_stale_run: turn.longest_stale_run,
        nonces: turn.nonces,
        requests: turn.requests.values().map(|requests| requests.sent).sum(),
        retransmissions: turn.requests.values().map(|requests| requests.retransmitted).sum(),
        responses: turn.requests.values().map(|requests| requests.succeeded + requests.failed).sum(),
        unanswered: turn.unanswered(),
        round_trip_time: round_trip.filter(|times| times.count > 0).map(|times| seconds(times.last)),
        packets_relayed: turn.carried.values().flat_map(|carried| carried.packets).sum(),
        bytes_relayed: turn.carried.values().flat_map(|carried| carried.bytes).sum(),
        peers: turn.carried.iter().map(|(peer, carried)| carried_for(*peer, *carried)).collect(),
        first_packet: Some(context.packet(flow.first.1)),
    })
}

fn allocation(context: &Context<'_>, allocation: &Allocation) -> TurnAllocation {
    TurnAllocation {
        relayed_address: allocation.relayed.ip().to_string(),
        relayed_port: allocation.relayed.port(),
        mapped_address: allocation.mapped.map(|mapped| mapped.ip().to_string()),
        mapped_port: allocation.mapped.map(Endpoint::port),
        lifetime: allocation.lifetime,
        refreshes: allocation.refreshes,
        granted_time: context.seconds(allocation.granted.0),
        packet: context.packet(allocation.granted.1),
        deleted_time: allocation.deleted.map(|(time, _)| context.seconds(time)),
        expired: allocation.expired,
    }
}

fn permissions(context: &Context<'_>, turn: &Record) -> Vec<TurnPermission> {
    let listed = turn.permissions.iter().map(|permission| TurnPermission {
        peer: permission.peer.ip().to_string(),
        grants: permission.grants,
        packet: context.packet(permission.granted.1),
        lapsed_time: turn.lapse_of_permission(permission).map(|time| context.seconds(time)),
    });
    listed.collect()
}

fn channels(context: &Context<'_>, turn: &Record) -> Vec<TurnChannel> {
    let listed = turn.channels.iter().map(|channel| TurnChannel {
        number: channel.number,
        peer: Some(channel.peer.to_string()),
        refreshes: channel.refreshes,
        packet: Some(context.packet(channel.bound.1)),
        lapsed_time: turn.lapse_of_channel(channel).map(|time| context.seconds(time)),
    });
    let unseen = turn.carried.keys().map(|peer| peer.port()).zip(turn.carried.keys());
    let unseen = unseen.filter(|(number, peer)| *number > 0 && **peer == Endpoint::unknown_peer(*number));
    let unseen =
        unseen.map(|(number, _)| TurnChannel { number, peer: None, refreshes: 0, packet: None, lapsed_time: None });
    listed.chain(unseen).collect()
}

/// A channel whose peer nobody named stands under the unspecified address, with its number as port.
fn carried_for(peer: Endpoint, carried: Carried) -> TurnPeer {
    let [packets_sent, packets_received] = carried.packets;
    let [bytes_sent, bytes_received] = carried.bytes;
    let name = match peer.port() {
        channel if peer != Endpoint::unknown_peer(channel) => peer.to_string(),
        0 => "others".to_owned(),
        channel => format!("channel 0x{channel:04x}"),
    };
    TurnPeer { peer: name, packets_sent, bytes_sent, packets_received, bytes_received }
}
