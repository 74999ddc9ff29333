//! Traffic that is no call.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Securing;

/// A flow that belongs to no call.
#[derive(Clone, Debug, Default, Serialize)]
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
    /// Its STUN messages; `null` where it has none.
    pub stun: Option<OtherStun>,
    /// Its DTLS, told as of a call; `null` where it has none.
    pub dtls: Option<Box<Securing>>,
}

/// STUN that makes no call: questions to a server, a scan, TURN without media.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherStun {
    /// Messages.
    pub messages: u64,
    /// By name.
    pub by_type: BTreeMap<String, u64>,
    /// The asking end's address as the server saw it, of the first answer.
    pub mapped_address: Option<String>,
    /// Its port.
    pub mapped_port: Option<u16>,
    /// Seconds from request to answer, the last.
    pub round_trip_time: Option<f64>,
    /// Requests that were never answered; the capture's last 500 ms do not count.
    pub unanswered: u64,
}

/// Flows that are counted and not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Omitted {
    /// How many flows.
    pub flows: u64,
    /// Their packets.
    pub packets: u64,
}
