//! The steps of a call.

use std::collections::BTreeMap;

use crate::{
    flow::{
        flow::{FlowRecord, Protocol},
        key::Transport,
        sctp::{SctpRecord, State},
    },
    report::{
        build::{Context, rtcp, streams},
        document::{Communicating, Connecting, DtlsCounts, Sctp, SctpCause, Securing, StepStatus, StunCounts},
    },
    time::seconds,
    wire::{
        dtls::content_type,
        sctp::{cause_name, chunk_name},
        stun::{MessageType, method},
    },
};

/// STUN and TURN of the call's flows. What they mean for the call is not judged here.
pub fn connecting(flows: &[&FlowRecord]) -> Connecting {
    let mut counts = StunCounts::default();
    for flow in flows {
        for (kind, count) in &flow.stun_types {
            *counts.by_type.entry(stun_name(*kind)).or_default() += count;
            counts.messages += count;
        }
        counts.channel_data += flow.count(Protocol::ChannelData);
    }
    let seen = counts.messages + counts.channel_data > 0;
    let icmp_errors = flows.iter().map(|flow| flow.icmp_errors).sum();
    Connecting { stun: seen.then_some(counts), icmp_errors, ..Connecting::default() }
}

/// DTLS records of the call's flows.
pub fn securing(flows: &[&FlowRecord]) -> Securing {
    let mut counts = DtlsCounts::default();
    for flow in flows {
        counts.packets += flow.count(Protocol::Dtls);
        for (kind, count) in &flow.dtls_records {
            *counts.records.entry(record_name(*kind).to_owned()).or_default() += count;
        }
    }
    let zrtp_packets = flows.iter().map(|flow| flow.count(Protocol::Zrtp)).sum();
    Securing { dtls: (counts.packets > 0).then_some(counts), zrtp_packets, ..Securing::default() }
}

/// Media, RTCP and SCTP of the call's flows.
pub fn communicating(context: &Context<'_>, flows: &[&FlowRecord]) -> Communicating {
    let rtp_streams = streams::streams(context, flows);
    let rtcp = rtcp::rtcp(context, flows);
    let associations = flows.iter().filter_map(|flow| flow.sctp.as_ref().map(|record| (*flow, record)));
    let busiest = associations.max_by_key(|(flow, _)| flow.count(Protocol::Sctp));
    let sctp = busiest.map(|(flow, record)| sctp(context, flow, record));
    let seen = !rtp_streams.is_empty() || sctp.is_some();
    let aborted = sctp.as_ref().is_some_and(|sctp| sctp.state == "aborted") && rtp_streams.is_empty();
    let status = match (seen, aborted) {
        (_, true) => StepStatus::Failed,
        (true, false) => StepStatus::Ok,
        (false, false) => StepStatus::NotSeen,
    };
    Communicating { status, rtp_streams, rtcp, sctp, data_channels: Vec::new() }
}

fn stun_name(kind: u16) -> String {
    let kind = MessageType(kind);
    match method::name(kind.method()) {
        Some(name) => format!("{name} {}", kind.class().name()),
        None => format!("method 0x{:03x} {}", kind.method(), kind.class().name()),
    }
}

const fn record_name(kind: u8) -> &'static str {
    match kind {
        0 => "ciphertext",
        content_type::CHANGE_CIPHER_SPEC => "change-cipher-spec",
        content_type::ALERT => "alert",
        content_type::HANDSHAKE => "handshake",
        content_type::APPLICATION_DATA => "application-data",
        content_type::HEARTBEAT => "heartbeat",
        content_type::TLS12_CID => "tls12-cid",
        content_type::ACK => "ack",
        _ => "other",
    }
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
        sender: flow.key.source(usize::from(abort.direction)).to_string(),
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
