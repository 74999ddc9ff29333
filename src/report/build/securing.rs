//! How a call was secured.

use crate::{
    flow::{FlowRecord, Protocol},
    report::document::{DtlsCounts, Securing},
    wire::dtls::content_type,
};

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
