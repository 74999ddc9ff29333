//! SCTP of a call.

use std::collections::BTreeMap;

use crate::{
    flow::{
        key::Transport,
        sctp::{DirectionRecord, SctpRecord, State},
    },
    report::{
        build::Context,
        document::{Sctp, SctpCause},
    },
    session::{Call, SctpAssociation},
    time::seconds,
    wire::sctp::{cause_name, chunk_name},
};

/// An association.
pub fn sctp(context: &Context<'_>, call: &Call<'_>, association: &SctpAssociation<'_>) -> Sctp {
    let SctpAssociation { flow, record, paths } = association;
    let sides = &record.directions;
    let sum = |count: fn(&DirectionRecord) -> u64| sides.iter().map(count).sum::<u64>();
    let both = |said: fn(&DirectionRecord) -> Option<bool>| {
        let [one, other] = [0, 1].map(|side: usize| sides.get(side).and_then(said));
        Some(one? && other?)
    };
    let name = |direction: u8| flow.key.name_of(flow.key.source(usize::from(direction)));
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
        sender: name(abort.direction),
        packet: context.packet(abort.at.packet),
    });
    let handshake = record.init.zip(record.cookie_ack).map(|((_, init), ack)| ack.time.seconds_since(init.time));
    let transport = match flow.key.transport {
        Transport::Sctp => "ip",
        _ if flow.path.dtls => "dtls",
        _ => "udp",
    };
    Sctp {
        transport: transport.to_owned(),
        ports: record.ports,
        state: state_name(record.state).to_owned(),
        packets: sum(|side| side.packets),
        chunks,
        user_bytes: sum(|side| side.user_bytes),
        retransmitted_chunks: sum(|side| side.retransmitted_chunks),
        gap_blocks: sum(|side| side.gap_blocks),
        duplicate_tsns: sum(|side| side.duplicate_tsns),
        fast_retransmissions: sum(|side| side.fast_retransmissions),
        timeout_retransmissions: sum(|side| side.timeout_retransmissions),
        messages: sum(|side| side.messages),
        messages_abandoned: sum(|side| side.abandoned_messages),
        fragments_unfinished: sum(|side| side.unfinished),
        zero_windows: sum(|side| side.zero_windows),
        message_interleaving: both(|side| side.interleaving),
        partial_reliability: both(|side| side.partial_reliability),
        zero_checksum: both(|side| side.initiate_tag.map(|_| side.zero_checksum_method.is_some())),
        zero_checksums_unagreed: sum(|side| side.zero_checksums_unagreed),
        handshake_duration: handshake.filter(|duration| *duration >= 0.0),
        snap: is_signalled(call, record),
        restarts: record.restarts.into(),
        paths: (*paths).into(),
        shutdown_by: record.shutdown.map(|(by, _)| name(by)),
        round_trip_time_mean: i64::try_from(count).ok().filter(|count| *count > 0).map(|count| seconds(total / count)),
        bad_checksums: sum(|side| side.checksum_faults),
        associations: u64::from(record.associations).max(1),
        causes: causes.collect(),
    }
}

/// Whether a tag on the wire is one that a description announced, while no INIT was seen.
fn is_signalled(call: &Call<'_>, record: &SctpRecord) -> bool {
    let tags = record.directions.iter().filter_map(|side| side.verification_tag);
    let tags: Vec<u32> = tags.filter(|_| record.init.is_none() && record.init_ack.is_none()).collect();
    let said = call.conversations.iter().flat_map(|conversation| conversation.said());
    let mut announced = said.flat_map(|(_, description)| &description.media).filter_map(|media| media.sctp_init);
    !tags.is_empty() && announced.any(|init| tags.contains(&init.initiate_tag))
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
