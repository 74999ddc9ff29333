//! How the two ends of a call found a path.

use std::collections::BTreeMap;

use serde::Serialize;

use super::StepStatus;

/// The connecting step.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connecting {
    /// Whether it was seen and worked.
    pub status: StepStatus,
    /// STUN messages of the call's flows, by name.
    pub stun: Option<StunCounts>,
    /// Address pairs that were tried.
    pub candidate_pairs: Vec<serde_json::Value>,
    /// The pair that was chosen.
    pub selected_pair: Option<serde_json::Value>,
    /// ICMP errors that speak of the call's packets.
    pub icmp_errors: u64,
    /// Addresses that STUN servers and peers reported.
    pub mapped_addresses: Vec<serde_json::Value>,
    /// TURN allocations.
    pub turn: Vec<serde_json::Value>,
}

/// STUN and TURN messages, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StunCounts {
    /// All of them.
    pub messages: u64,
    /// By name (`Binding request`, `Allocate error response` ...).
    pub by_type: BTreeMap<String, u64>,
    /// TURN ChannelData messages.
    pub channel_data: u64,
}
