//! What ICMP errors say of a call's packets.

use std::collections::BTreeMap;

use crate::{
    flow::{FlowRecord, icmp::Complaint},
    report::{build::Context, document::IcmpErrors},
    time::NANOS_PER_SECOND,
    wire::icmp_meaning,
};

/// Different errors of one call that are listed.
const LISTED: usize = 64;

/// An end that closed learns no more of its peer for so long.
const CLOSING: i64 = 2 * NANOS_PER_SECOND;

/// The errors that cite the call's flows, the same ones of several flows to one place put together.
pub(super) fn errors(context: &Context<'_>, flows: &[&FlowRecord]) -> Vec<IcmpErrors> {
    let mut merged: BTreeMap<_, IcmpErrors> = BTreeMap::new();
    for (flow, complaint) in flows.iter().flat_map(|flow| flow.icmp.iter().map(move |complaint| (flow, complaint))) {
        let one = error(context, flow, complaint);
        let key = (one.sender.clone(), one.about.clone(), one.version, one.kind, one.code, one.mtu);
        match merged.get_mut(&key) {
            Some(known) => {
                known.count += one.count;
                known.at_end &= one.at_end;
                known.first_packet = known.first_packet.min(one.first_packet);
            }
            None => {
                merged.insert(key, one);
            }
        }
    }
    let mut errors: Vec<IcmpErrors> = merged.into_values().collect();
    errors.sort_by_key(|error| error.first_packet);
    errors.truncate(LISTED);
    errors
}

fn error(context: &Context<'_>, flow: &FlowRecord, complaint: &Complaint) -> IcmpErrors {
    let Complaint { sender, direction, error, count, first, heard_before, .. } = complaint;
    let destination = flow.key.destination(*direction);
    let heard = flow.packets.get(direction ^ 1).copied().unwrap_or_default();
    IcmpErrors {
        sender: sender.ip().to_string(),
        about: destination.to_string(),
        asker: flow.key.source(*direction).to_string(),
        from_destination: sender.ip() == destination.ip(),
        meaning: icmp_meaning(error.version, error.kind, error.code),
        version: error.version,
        kind: error.kind,
        code: error.code,
        mtu: error.mtu,
        count: *count,
        first_packet: context.packet(first.1),
        heard_before: *heard_before > 0,
        at_end: *heard_before > 0 && heard == *heard_before && flow.last.0.since(first.0) <= CLOSING,
    }
}
