//! An SCTP association and its data channels.

use super::{counts, packet};
use crate::report::document::*;

pub(super) fn sctp(a: &str) -> Sctp {
    Sctp {
        transport: "dtls".to_owned(),
        ports: [5000, 5000],
        state: "established".to_owned(),
        packets: 212,
        chunks: counts(&[("DATA", 100), ("SACK", 99)]),
        user_bytes: 10_321,
        retransmitted_chunks: 3,
        gap_blocks: 0,
        duplicate_tsns: 0,
        fast_retransmissions: 2,
        timeout_retransmissions: 1,
        messages: 97,
        messages_abandoned: 1,
        fragments_unfinished: 0,
        zero_windows: 0,
        message_interleaving: Some(false),
        partial_reliability: Some(true),
        zero_checksum: Some(true),
        zero_checksums_unagreed: 0,
        handshake_duration: Some(0.0412),
        snap: false,
        restarts: 0,
        paths: 1,
        shutdown_by: None,
        round_trip_time_mean: Some(0.0123),
        bad_checksums: 0,
        associations: 1,
        causes: vec![SctpCause {
            chunk: "ABORT",
            cause: "User-Initiated Abort".to_owned(),
            text: Some("Close called".to_owned()),
            sender: a.to_owned(),
            packet: packet(7_200),
        }],
    }
}

/// One that was opened, used and closed, and one that gives messages up.
pub(super) fn data_channels(a: &str, b: &str) -> Vec<DataChannel> {
    let direction = |source: &str, destination: &str, messages: u64, bytes: u64| DataChannelDirection {
        source: source.to_owned(),
        destination: destination.to_owned(),
        messages,
        bytes,
        string_messages: messages,
        unordered_messages: 0,
        messages_abandoned: 0,
        retransmitted_chunks: 0,
        first_packet: Some(packet(301)),
        last_packet: Some(packet(7_100)),
    };
    let chat = DataChannel {
        data_channel_identifier: 1,
        label: Some("chat".to_owned()),
        protocol: Some(String::new()),
        negotiated: Some(false),
        ordered: Some(true),
        max_retransmits: None,
        max_packet_life_time: None,
        priority: Some(256),
        state: DataChannelState::Closed,
        opened_by: Some(a.to_owned()),
        open_time: Some(1.21),
        open_packet: Some(packet(296)),
        acknowledgement_delay: Some(0.0405),
        closed_by: Some(b.to_owned()),
        close_time: Some(29.3),
        close_packet: Some(packet(7_101)),
        messages: 71,
        bytes: 2_321,
        directions: vec![direction(a, b, 41, 1_200), direction(b, a, 30, 1_121)],
    };
    let lossy = DataChannelDirection {
        unordered_messages: 26,
        messages_abandoned: 1,
        retransmitted_chunks: 3,
        string_messages: 0,
        ..direction(a, b, 26, 8_000)
    };
    let telemetry = DataChannel {
        data_channel_identifier: 3,
        label: Some("telemetry".to_owned()),
        protocol: Some("v1.telemetry.example".to_owned()),
        ordered: Some(false),
        max_retransmits: Some(0),
        state: DataChannelState::Open,
        closed_by: None,
        close_time: None,
        close_packet: None,
        messages: 26,
        bytes: 8_000,
        directions: vec![lossy, direction(b, a, 0, 0)],
        ..chat.clone()
    };
    vec![chat, telemetry]
}
