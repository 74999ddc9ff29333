//! Traffic that is no call.

use serde::Serialize;

/// A flow that belongs to no call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherFlow {
    /// The end that sent the first packet.
    pub source: String,
    /// The other end.
    pub destination: String,
    /// `udp`, `tcp`, `sctp`, `icmp` ...
    pub transport: String,
    /// What it carries, where that is recognised (`stun`, `dtls`, `quic` ...); `null` otherwise.
    pub protocol: Option<String>,
    /// Packets both ways.
    pub packets: u64,
    /// Payload bytes both ways.
    pub bytes: u64,
    /// ICMP errors that speak of this flow.
    #[serde(rename = "icmpErrors")]
    pub icmp_errors: u64,
}

/// Flows that are counted and not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Omitted {
    /// How many flows.
    pub flows: u64,
    /// Their packets.
    pub packets: u64,
}
