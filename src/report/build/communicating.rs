//! What arrived in a call.

use std::collections::BTreeMap;

use crate::{
    flow::{
        FlowRecord, Protocol,
        key::Transport,
        sctp::{SctpRecord, State},
    },
    report::{
        build::{Context, rtcp, status, streams},
        document::{Communicating, Sctp, SctpCause},
    },
    session::Call,
    time::seconds,
    wire::sctp::{cause_name, chunk_name},
};

/// Media, RTCP and SCTP of the call's flows.
pub fn communicating(context: &Context<'_>, call: &Call<'_>) -> Communicating {
    let Call { flows, steps, .. } = call;
    let (rtp_streams, transport_wide) = streams::streams(context, call);
    let rtcp = rtcp::rtcp(context, flows);
    let associations = flows.iter().filter_map(|flow| flow.sctp.as_ref().map(|record| (*flow, record)));
    let busiest = associations.max_by_key(|(flow, _)| flow.count(Protocol::Sctp));
    let sctp = busiest.map(|(flow, record)| sctp(context, flow, record));
    let status = status(steps.communicating());
    Communicating { status, rtp_streams, transport_wide, rtcp, sctp, data_channels: Vec::new() }
}

fn sctp(context: &Context<'_>, flow: &FlowRecord, record: &SctpRecord) -> Sctp {
    let sides = &record.directions;
    let mut chunks: BTreeMap<String, u64> = BTreeMap::new();
    for (kind, count) in sides.iter().flat_map(|side| &side.chunks) {
        *chunks.entry(chunk_name(*kind).to_owned()).or_default() += count;
    }
    let round_trips = sides.iter().map(|side| side.data_round_trips);
    let (count, total) = round_trips.fold((0, 0), |(count, total), trips| (count + trips.count, total + trips.total));
    let causes = record.first_aborts.iter().map(|abort| SctpCause {
        chunk: "ABORT",
        cause: abort.cause.map_or("none given", cause_name).to_owned(),
        text: abort.text.clone(),
        sender: flow.key.name_of(flow.key.source(usize::from(abort.direction))),
        packet: context.packet(abort.at.packet),
    });
    Sctp {
        transport: if flow.key.transport == Transport::Sctp { "ip" } else { "udp" }.to_owned(),
        ports: record.ports,
        state: state_name(record.state).to_owned(),
        packets: sides.iter().map(|side| side.packets).sum(),
        chunks,
        user_bytes: sides.iter().map(|side| side.user_bytes).sum(),
        retransmitted_chunks: sides.iter().map(|side| side.retransmitted_chunks).sum(),
        gap_blocks: sides.iter().map(|side| side.gap_blocks).sum(),
        duplicate_tsns: sides.iter().map(|side| side.duplicate_tsns).sum(),
        round_trip_time_mean: i64::try_from(count).ok().filter(|count| *count > 0).map(|count| seconds(total / count)),
        bad_checksums: sides.iter().map(|side| side.checksum_faults).sum(),
        associations: u64::from(record.associations).max(1),
        causes: causes.collect(),
    }
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::Nothing => "unknown",
        State::InitSent | State::InitAcknowledged | State::CookieEchoed => "handshake",
        State::Established => "established",
        State::ShuttingDown => "shutting-down",
        State::Closed => "shut-down",
        State::Aborted => "aborted",
    }
}
