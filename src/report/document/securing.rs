//! How a call was secured.

use std::collections::BTreeMap;

use serde::Serialize;

use super::StepStatus;

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
