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
    /// DATA chunks sent again after three SACKs without them (RFC 9260 section 7.2.4).
    pub fast_retransmissions: u64,
    /// DATA chunks sent again when a timer ran out. The others came too soon for either: the network copied them, or their
    /// sender tried the path's end.
    pub timeout_retransmissions: u64,
    /// Whole messages, those of DCEP (RFC 8832) included.
    pub messages: u64,
    /// Messages that their sender gave up before they were acknowledged (RFC 3758), as far as they passed the tap.
    pub messages_abandoned: u64,
    /// Fragments, or runs of them, whose message never became whole at the tap.
    pub fragments_unfinished: u64,
    /// SACKs that allow nothing more to be sent.
    pub zero_windows: u64,
    /// Whether both ends take messages in I-DATA chunks (RFC 8260); `null` where the handshake was not seen.
    pub message_interleaving: Option<bool>,
    /// Whether both ends may give messages up (RFC 3758); `null` where the handshake was not seen.
    pub partial_reliability: Option<bool>,
    /// Whether both ends do without checksums (RFC 9653); `null` where the handshake was not seen.
    pub zero_checksum: Option<bool>,
    /// Packets with a checksum of zero that RFC 9653 does not allow. Where a network card computes checksums, captures on
    /// its host show such.
    pub zero_checksums_unagreed: u64,
    /// Seconds from INIT to COOKIE ACK at the tap.
    pub handshake_duration: Option<f64>,
    /// Whether its INITs were exchanged in the signalling (`a=sctp-init`, draft-hancke-tsvwg-snap): it shows none.
    pub snap: bool,
    /// Times an association was set up anew while it stood.
    pub restarts: u64,
    /// Paths that the association ran over.
    pub paths: u64,
    /// Who began to shut it down (`address:port`), if anybody.
    pub shutdown_by: Option<String>,
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
