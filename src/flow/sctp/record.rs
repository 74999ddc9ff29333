//! What is known of an association at the end: plain integers.

use super::Channel;
use crate::time::{PacketId, Timestamp};

/// When something was seen, and in which packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub time: Timestamp,
    /// The packet.
    pub packet: PacketId,
}

/// How far an association came. Later states are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No chunk that says anything.
    #[default]
    Nothing,
    /// INIT.
    InitSent,
    /// INIT ACK.
    InitAcknowledged,
    /// COOKIE ECHO.
    CookieEchoed,
    /// COOKIE ACK, or user data (a capture that starts late sees no handshake).
    Established,
    /// SHUTDOWN.
    ShuttingDown,
    /// SHUTDOWN COMPLETE.
    Closed,
    /// ABORT.
    Aborted,
}

/// The associations of one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SctpRecord {
    /// The two directions, in the flow's order.
    pub directions: [DirectionRecord; 2],
    /// First packet.
    pub first: Option<Step>,
    /// Last packet.
    pub last: Option<Step>,
    /// State of the last association.
    pub state: State,
    /// Furthest state of any.
    pub reached: State,
    /// Associations opened by an INIT that was seen; 0 where the capture starts later.
    pub associations: u32,
    /// INITs with a new tag while an association stood or was being opened.
    pub restarts: u32,
    /// INITs seen again.
    pub init_retransmissions: u32,
    /// First INIT, and its direction.
    pub init: Option<(u8, Step)>,
    /// First INIT ACK.
    pub init_ack: Option<Step>,
    /// First COOKIE ECHO.
    pub cookie_echo: Option<Step>,
    /// First COOKIE ACK.
    pub cookie_ack: Option<Step>,
    /// SCTP ports of the flow's lower and higher end; 0 before a packet was seen.
    pub ports: [u16; 2],
    /// First SHUTDOWN, and its direction.
    pub shutdown: Option<(u8, Step)>,
    /// ABORT chunks.
    pub aborts: u64,
    /// The first of them.
    pub first_aborts: Vec<Abort>,
    /// Data channels, by their first message; capped.
    pub channels: Vec<Channel>,
    /// Messages of data channels beyond the cap.
    pub channels_refused: u64,
}

/// An ABORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abort {
    /// Who sent it.
    pub direction: u8,
    /// When and where.
    pub at: Step,
    /// Code of its first cause.
    pub cause: Option<u16>,
    /// What its sender wrote for people, cut to 128 bytes.
    pub text: Option<String>,
}

/// What one end sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectionRecord {
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire, from the SCTP header on.
    pub bytes: u64,
    /// Chunks by type, ascending.
    pub chunks: Vec<(u8, u64)>,
    /// DATA and I-DATA chunks, retransmissions included.
    pub data_chunks: u64,
    /// User data in bytes, without retransmissions.
    pub user_bytes: u64,
    /// DATA chunks whose TSN was seen before in this direction. A packet duplicated before the tap looks the same.
    pub retransmitted_chunks: u64,
    /// Of these the ones after three SACKs without them (RFC 9260 section 7.2.4).
    pub fast_retransmissions: u64,
    /// Of these the ones that a timer was there for (RFC 9260 section 6.3.3).
    pub timeout_retransmissions: u64,
    /// User data in them, in bytes.
    pub retransmitted_bytes: u64,
    /// DATA chunks too far behind to tell.
    pub unplaced_chunks: u64,
    /// Whole messages.
    pub messages: u64,
    /// Fragments, or runs of them, that never became a message though nobody gave them up.
    pub unfinished: u64,
    /// Messages that were given up before the other end acknowledged them (RFC 3758), as far as they were seen.
    pub abandoned_messages: u64,
    /// When the first of them was.
    pub first_abandoned: Option<Step>,
    /// Lowest and highest TSN, where DATA was seen; of the last association.
    pub tsns: Option<[u32; 2]>,
    /// Last packet.
    pub last: Option<Step>,
    /// Streams and payload protocols in use, in the order of their first chunk; capped.
    pub streams: Vec<StreamUse>,
    /// DATA chunks of streams beyond the cap.
    pub streams_refused: u64,
    /// Gap blocks reported: what this end has received beyond a hole.
    pub gap_blocks: u64,
    /// SACKs with gap blocks.
    pub sacks_with_gaps: u64,
    /// Duplicate TSNs reported: what this end received more than once.
    pub duplicate_tsns: u64,
    /// Smallest receiver window advertised, in bytes.
    pub receiver_window_min: Option<u32>,
    /// Largest receiver window advertised, in bytes.
    pub receiver_window_max: Option<u32>,
    /// SACKs with a window of zero: the application does not read.
    pub zero_windows: u64,
    /// From this end's DATA to the SACK of the other, at the tap; the other end's acknowledgement delay included.
    pub data_round_trips: RoundTrips,
    /// From this end's HEARTBEAT to its answer, at the tap.
    pub heartbeat_round_trips: RoundTrips,
    /// First tag other than 0 in this end's packets: the one the other end chose.
    pub verification_tag: Option<u32>,
    /// Last such tag: another where the association was restarted.
    pub last_verification_tag: Option<u32>,
    /// The tag this end chose in its last INIT or INIT ACK.
    pub initiate_tag: Option<u32>,
    /// Outbound streams it asked for.
    pub outbound_streams: Option<u16>,
    /// Inbound streams it can take.
    pub inbound_streams: Option<u16>,
    /// Error detection method it accepts in place of the checksum (RFC 9653): 1 is DTLS.
    pub zero_checksum_method: Option<u32>,
    /// Packets whose checksum is neither right nor 0.
    pub checksum_faults: u64,
    /// Packets whose checksum is 0.
    pub zero_checksums: u64,
    /// Of these the ones that RFC 9653 does not allow: the other end did not ask for them, or an association is being set
    /// up. Before a network card computes checksums, all of a host's packets look like this.
    pub zero_checksums_unagreed: u64,
    /// Whether this end can take messages in I-DATA chunks (RFC 8260), once it has said.
    pub interleaving: Option<bool>,
    /// Whether it understands messages that are given up (RFC 3758), once it has said.
    pub partial_reliability: Option<bool>,
    /// FORWARD TSN and I-FORWARD-TSN chunks: messages given up.
    pub forward_tsns: u64,
    /// Requests to reset streams (how data channels are closed).
    pub stream_resets: u64,
    /// Causes in ERROR chunks.
    pub error_causes: u64,
    /// Code of the first of them.
    pub first_error_cause: Option<u16>,
}

impl DirectionRecord {
    /// How many chunks of a type.
    #[must_use]
    pub fn chunks_of(&self, kind: u8) -> u64 {
        self.chunks.iter().find(|&&(known, _)| known == kind).map_or(0, |&(_, count)| count)
    }
}

/// What a stream carried, for one payload protocol, without retransmissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamUse {
    /// Stream.
    pub stream: u16,
    /// PPID.
    pub payload_protocol: u32,
    /// DATA chunks.
    pub chunks: u64,
    /// Whole messages.
    pub messages: u64,
    /// User data in bytes.
    pub bytes: u64,
    /// Whether any was unordered.
    pub unordered: bool,
}

/// Round trips in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTrips {
    /// How many were measured.
    pub count: u64,
    /// Shortest.
    pub min: i64,
    /// Longest.
    pub max: i64,
    /// All together; divided by the count the mean.
    pub total: i64,
}

impl RoundTrips {
    /// Adds one. What goes back in time is a broken clock and not counted.
    pub(super) fn add(&mut self, nanos: i64) {
        if nanos < 0 {
            return;
        }
        self.min = if self.count == 0 { nanos } else { self.min.min(nanos) };
        self.max = self.max.max(nanos);
        self.total = self.total.saturating_add(nanos);
        self.count += 1;
    }
}
