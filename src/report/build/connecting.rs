//! How the ends of a call found a path.

use crate::{
    flow::{FlowRecord, Protocol},
    report::document::{Connecting, StunCounts},
    wire::stun::{MessageType, method},
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

fn stun_name(kind: u16) -> String {
    let kind = MessageType(kind);
    match method::name(kind.method()) {
        Some(name) => format!("{name} {}", kind.class().name()),
        None => format!("method 0x{:03x} {}", kind.method(), kind.class().name()),
    }
}
