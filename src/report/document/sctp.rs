//! SCTP associations.

use std::collections::BTreeMap;

use serde::Serialize;

use super::PacketRef;

/// An SCTP association (RFC 9260) whose packets are in clear.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sctp {
    /// `ip`, `udp` (RFC 6951) or `dtls` (RFC 8261).
    pub transport: String,
    /// SCTP ports of both ends.
    pub ports: [u16; 2],
    /// `established`, `shut-down`, `aborted`, `handshake`, `unknown` ...
    pub state: String,
    /// Packets both ways.
    pub packets: u64,
    /// Chunks by name (`DATA`, `SACK` ...).
    pub chunks: BTreeMap<String, u64>,
    /// User bytes in DATA chunks, retransmissions left out.
    pub user_bytes: u64,
    /// DATA chunks sent again.
    pub retransmitted_chunks: u64,
    /// Gap blocks reported in SACKs.
    pub gap_blocks: u64,
    /// Duplicate TSNs reported in SACKs.
    pub duplicate_tsns: u64,
    /// Seconds from DATA to the SACK that covers it, as seen at the tap: mean.
    pub round_trip_time_mean: Option<f64>,
    /// Packets whose CRC32c is wrong.
    pub bad_checksums: u64,
    /// Associations that followed one another on this flow.
    pub associations: u64,
    /// ABORT and ERROR causes.
    pub causes: Vec<SctpCause>,
}

/// An error cause of an ABORT or ERROR chunk (RFC 9260 section 3.3.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SctpCause {
    /// `ABORT` or `ERROR`.
    pub chunk: &'static str,
    /// The cause's name.
    pub cause: String,
    /// Its text, where it has one.
    pub text: Option<String>,
    /// Who sent it.
    pub sender: String,
    /// The packet.
    pub packet: PacketRef,
}
