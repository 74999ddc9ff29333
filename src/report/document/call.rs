//! A call and three of its four steps.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Communicating, StepStatus, Verdict};

/// A call: the four steps of one conversation between two ends.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its number in this report, counted from 1.
    pub id: u32,
    /// The worst of its findings.
    pub verdict: Verdict,
    /// Who took part.
    pub endpoints: Vec<SessionEndpoint>,
    /// Its first packet.
    pub start_time: f64,
    /// Seconds from its first to its last packet.
    pub duration: f64,
    /// What the two sides agreed on.
    pub signalling: Signalling,
    /// How they found a path.
    pub connecting: Connecting,
    /// Who proved what to whom.
    pub securing: Securing,
    /// What arrived.
    pub communicating: Communicating,
}

/// One end of a call's transport.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SessionEndpoint {
    /// As RFC 5952 writes it.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// `peer` or `relay`.
    pub role: &'static str,
}

/// The signalling step.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signalling {
    /// Whether it was seen and worked.
    pub status: StepStatus,
    /// What carried it; `null` when it was not seen.
    pub transport: Option<String>,
    /// Offers, in order.
    pub offers: Vec<serde_json::Value>,
    /// Answers, in order.
    pub answers: Vec<serde_json::Value>,
    /// What was agreed for each media section.
    pub media: Vec<serde_json::Value>,
}

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

/// The securing step.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Securing {
    /// Whether it was seen and worked.
    pub status: StepStatus,
    /// DTLS records of the call's flows.
    pub dtls: Option<DtlsCounts>,
    /// ZRTP messages of the call's flows (RFC 6189).
    pub zrtp_packets: u64,
    /// `1.2` or `1.3`.
    pub dtls_version: Option<String>,
    /// The cipher suite's IANA name.
    pub dtls_cipher: Option<String>,
    /// The SRTP protection profile's IANA name.
    pub srtp_profile: Option<String>,
    /// The endpoint that was the DTLS client.
    pub client_role: Option<String>,
    /// Seconds from the first ClientHello to the last Finished that can be seen.
    pub handshake_duration: Option<f64>,
    /// Handshake messages sent again.
    pub retransmissions: Option<u64>,
    /// Alerts in clear.
    pub alerts: Vec<serde_json::Value>,
    /// Certificates in clear.
    pub certificates: Vec<serde_json::Value>,
}

/// DTLS records, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DtlsCounts {
    /// Datagrams that hold DTLS records.
    pub packets: u64,
    /// Records by content type (`handshake`, `application-data`, `ciphertext` ...).
    pub records: BTreeMap<String, u64>,
}
