//! The document of `turn-check` (`schemaVersion` 1). Times are seconds, rates bits a second, addresses `address:port` as
//! RFC 5952 writes them, and what is not known is `null`.

use serde::Serialize;

use crate::report::document::{Finding, Tool};

/// The rule of the finding that tells why a step failed, as the step does too.
pub const FAILED_STEP: &str = "TRN001";

/// What a TURN server does for a client.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnReport {
    /// The version of this document's shape.
    pub schema_version: u32,
    /// What made the report.
    pub tool: Tool,
    /// `pass`: it relays as asked; `fail`; `unknown`: the user ended the check before that was clear.
    pub verdict: &'static str,
    /// One sentence: what to do.
    pub advice: String,
    /// The server.
    pub server: Server,
    /// What it asks to be proved.
    pub authentication: Authentication,
    /// This end's own address.
    pub local_address: Option<String>,
    /// The same as the server sees it.
    pub mapped_address: Option<String>,
    /// The address lent, which was tried.
    pub relayed_address: Option<String>,
    /// All addresses lent.
    pub relayed_addresses: Vec<String>,
    /// Seconds for which they are lent unless refreshed.
    pub lifetime: Option<f64>,
    /// The other end of the relay: `allocation`, a second one at the same server, or `socket`, of this machine.
    pub peer: Option<&'static str>,
    /// Seconds from one end through the relay to the other, by ChannelData: the mean of the slower way.
    pub latency: Option<f64>,
    /// Seconds of RFC 3550 jitter, by ChannelData, of the worse way.
    pub jitter: Option<f64>,
    /// What was lost of what was sent, by ChannelData, of the worse way: 0 to 1.
    pub fraction_lost: Option<f64>,
    /// Payload that arrived, by ChannelData, of the slower way.
    pub bitrate: Option<f64>,
    /// Payload that was to be sent each way.
    pub target_bitrate: f64,
    /// What went through the relay.
    pub relay: Vec<Flow>,
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// What is worth knowing, by severity.
    pub findings: Vec<Finding>,
    /// Seconds that the check took.
    pub duration: f64,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// Why nothing could be measured; `null` where something was.
    pub error: Option<String>,
}

/// A TURN server.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// As the user names it (RFC 7065).
    pub uri: String,
    /// The address that was asked.
    pub address: Option<String>,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// SOFTWARE.
    pub software: Option<String>,
    /// Seconds from a request to its answer; the first that is certain.
    pub round_trip_time: Option<f64>,
}

/// Long-term credentials (RFC 8489 section 9.2).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// Whether the server asks for them.
    pub required: Option<bool>,
    /// Who asked.
    pub username: Option<String>,
    /// REALM.
    pub realm: Option<String>,
    /// How the key is made: `md5` or `sha-256`.
    pub password_algorithm: Option<&'static str>,
    /// What protects the messages: `hmac-sha1` or `hmac-sha256`.
    pub message_integrity: Option<&'static str>,
    /// Whether the server asks for USERHASH instead of USERNAME.
    pub userhash: Option<bool>,
    /// Nonces that went stale and were replaced.
    pub nonce_renewals: u32,
    /// Answers that were rejected since their MESSAGE-INTEGRITY was wrong or missing.
    pub answers_rejected: u32,
}

/// Datagrams of one kind and one way.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// `indications` (Send and Data) or `channel-data`.
    pub kind: &'static str,
    /// `out`: from the allocation under test to the other end; `back`.
    pub direction: &'static str,
    /// Sent.
    pub packets_sent: u32,
    /// Arrived.
    pub packets_received: u32,
    /// Not arrived.
    pub packets_lost: u32,
    /// Arrived more than once.
    pub packets_duplicated: u32,
    /// Lost of sent: 0 to 1.
    pub fraction_lost: Option<f64>,
    /// Seconds from end to end, the mean.
    pub latency: Option<f64>,
    /// The least.
    pub latency_min: Option<f64>,
    /// The most.
    pub latency_max: Option<f64>,
    /// Seconds, RFC 3550 section 6.4.1.
    pub jitter: Option<f64>,
    /// Bytes of payload that arrived.
    pub bytes_received: u64,
    /// Bits of payload a second that arrived.
    pub bitrate: Option<f64>,
}

/// One step of a check.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// `connect`, `authenticate`, `allocate`, `permission`, `channel`, `relay`, `refresh` or `release`.
    pub name: &'static str,
    /// `ok`, `failed`, `not-reached`, or of `authenticate` `not-required`.
    pub status: &'static str,
    /// Seconds.
    pub duration: Option<f64>,
    /// ERROR-CODE of the server, where it refused.
    pub error_code: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
}
