//! The files that were read.

use serde::Serialize;

use super::PacketRef;

/// One file that was read.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capture {
    /// As it was given on the command line; `-` is standard input.
    pub path: String,
    /// `pcap`, `pcapng`, with `.gz` or `.zst` behind it where it is compressed.
    pub format: String,
    /// Packets analyzed.
    pub packets: u64,
    /// Bytes of those packets on the wire.
    pub bytes: u64,
    /// Seconds from the earliest to the latest packet; `null` without packets.
    pub duration: Option<f64>,
    /// When the earliest packet was captured.
    pub first_packet_at: Option<String>,
    /// Link types of its interfaces, in the words of the LINKTYPE_ register.
    pub link_types: Vec<String>,
    /// Whether the file ends inside a packet or block, or could not be read to its end.
    pub truncated: bool,
    /// Packets of which the capture holds only the first bytes.
    pub snapped_packets: u64,
    /// Packets the capturing system says it lost (pcapng statistics); `null` when it does not say.
    pub dropped_packets: Option<u64>,
    /// Packets captured twice, on two interfaces or at two places of a path.
    pub duplicate_packets: u64,
    /// Datagrams put together from IP fragments.
    pub reassembled_datagrams: u64,
    /// What could not be read, by layer and kind.
    pub malformed: Vec<Malformed>,
}

/// Bytes that could not be read, counted by layer and kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Malformed {
    /// `ip`, `udp`, `rtcp` ...
    pub layer: String,
    /// `too-short`, `bad-length`, `snapped` ...
    pub kind: String,
    /// How often.
    pub count: u64,
    /// Where it happened first.
    pub first_packet: PacketRef,
}
