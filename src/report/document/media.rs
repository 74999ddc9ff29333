//! The communicating step: RTP streams.

use serde::Serialize;

use super::{DataChannel, HeaderExtension, PacketRef, Reported, Rtcp, Sctp, StepStatus, TransportWide};

/// The communicating step.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Communicating {
    /// Whether it was seen and worked.
    pub status: StepStatus,
    /// RTP streams, by their first packet.
    pub rtp_streams: Vec<RtpStream>,
    /// Sequence numbers over all streams of a sender, path by path; empty without such.
    pub transport_wide: Vec<TransportWide>,
    /// RTCP of the call; `null` without any.
    pub rtcp: Option<Rtcp>,
    /// SCTP association; `null` without one. The busiest, should there be several.
    pub sctp: Option<Sctp>,
    /// Data channels of all its associations, by their first message.
    pub data_channels: Vec<DataChannel>,
}

/// One RTP stream: one SSRC in one direction, over all paths that it took, as seen at the tap.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpStream {
    /// Synchronization source (RFC 3550 section 3).
    pub ssrc: u32,
    /// Who sent it: `address:port`.
    pub source: String,
    /// Who it was sent to. Of relayed media the peer behind the relay.
    pub destination: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The TURN server that carried it (`address:port`); `null` when it was not relayed.
    pub relay: Option<String>,
    /// Paths that it was on before, in order: it changes them with the selected pair. Empty for most.
    pub previous_paths: Vec<StreamPath>,
    /// Payload types with their packets, most packets first.
    pub payload_types: Vec<PayloadType>,
    /// `audio`, `video`, `text`; `null` when nothing tells.
    pub kind: Option<&'static str>,
    /// What the stream is for.
    pub role: StreamRole,
    /// Codec of the main payload type, where it is certain (static payload types, signalling); else `null`.
    pub codec: Option<String>,
    /// Whether that codec was inferred: redundancy (RFC 2198) and SRTP hide what is in a packet.
    pub codec_inferred: bool,
    /// The media section that it belongs to (`a=mid`), where signalling tells.
    pub mid: Option<String>,
    /// The restriction identifier (RFC 8852) of a simulcast layer, or of the layer that it repairs.
    pub rid: Option<String>,
    /// The stream and track that its sender announced (`a=msid`).
    pub msid: Option<String>,
    /// RTP clock in Hz.
    pub clock_rate: Option<u32>,
    /// Whether the clock rate was inferred from the packets' timing.
    pub clock_rate_inferred: bool,
    /// Packets that arrived at the tap, duplicates included.
    pub packets_received: u64,
    /// Payload bytes that arrived: no headers, no padding (padding inside SRTP cannot be told from payload).
    pub bytes_received: u64,
    /// RTP header bytes (with CSRCs and extensions) and padding that arrived.
    pub header_bytes_received: u64,
    /// Packets that the sequence numbers say were sent.
    pub packets_expected: u64,
    /// Sequence numbers that never arrived at the tap: lost before the tap.
    pub packets_lost: u64,
    /// Packets that arrived more than once.
    pub packets_duplicated: u64,
    /// Packets that arrived after a packet with a higher sequence number.
    pub packets_reordered: u64,
    /// The latest such packet's distance, in sequence numbers; 0 without any.
    pub reorder_depth: u64,
    /// `packetsLost / packetsExpected`.
    pub fraction_lost: Option<f64>,
    /// Interarrival jitter (RFC 3550 section 6.4.1) at the end, in seconds; `null` without a clock rate.
    pub jitter: Option<f64>,
    /// Its mean over all packets, in seconds.
    pub jitter_mean: Option<f64>,
    /// Its highest value, in seconds.
    pub jitter_max: Option<f64>,
    /// Bits a second from first to last packet, RTP headers included; `null` for streams under a quarter second.
    pub bitrate: Option<f64>,
    /// Runs of lost packets.
    pub burst_loss_count: u64,
    /// Packets in the longest run.
    pub longest_loss_burst: u64,
    /// Runs by length.
    pub loss_bursts: LossBursts,
    /// Longest time between two packets, in seconds.
    pub max_gap: Option<f64>,
    /// Times in which the sender sent nothing and lost nothing (silence suppression, mute, hold).
    pub pauses: Gaps,
    /// Times in which packets were lost and none arrived.
    pub outages: Gaps,
    /// Times the sequence numbers started anew.
    pub restarts: u64,
    /// Times the RTP timestamp jumped against the packets' arrival times.
    pub timestamp_jumps: u64,
    /// Times the 16-bit sequence number wrapped.
    pub sequence_wraps: u64,
    /// Packets with the marker bit.
    pub marker_packets: u64,
    /// Distinct RTP timestamps: video frames; `null` for audio.
    pub frames: Option<u64>,
    /// Frames a second; `null` for audio and streams under a second.
    pub frames_per_second: Option<f64>,
    /// Packets that hold nothing but padding (probes), as far as can be told.
    pub padding_packets: u64,
    /// Contributing sources (RFC 3550 section 5.1), at most 16.
    pub csrcs: Vec<u32>,
    /// RTP header-extension elements (RFC 8285) in use, by identifier, with what they said.
    pub header_extensions: Vec<HeaderExtension>,
    /// How much faster the sender's clock runs than the tap's, in parts per million; `null` when it cannot be told.
    pub clock_drift_ppm: Option<f64>,
    /// Whether the payload is encrypted (SRTP); `null` when nothing tells.
    pub encrypted: Option<bool>,
    /// Whether the same SSRC came from another address of the call at the same time (RFC 3550 section 8.2).
    pub ssrc_collision: bool,
    /// Whether another stream of the call is the same packets at an earlier place of their way: the capture was made at
    /// a relay or a NAT, or at several places.
    pub seen_before: bool,
    /// The retransmission stream that repairs this one (RFC 4588).
    pub rtx_ssrc: Option<u32>,
    /// The stream that this retransmission stream repairs.
    pub repairs_ssrc: Option<u32>,
    /// RTP sequence number of the first packet.
    pub first_sequence_number: u16,
    /// Its first packet.
    pub first_packet: PacketRef,
    /// Its last packet.
    pub last_packet: PacketRef,
    /// When its first packet arrived.
    pub start_time: f64,
    /// Seconds from its first to its last packet.
    pub duration: f64,
    /// What its receivers said in RTCP.
    pub reported: Option<Reported>,
    /// What feedback and repair say was lost after the tap.
    pub inferred: Option<Inferred>,
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamRole {
    /// Audio, video or text.
    Media,
    /// Retransmissions of another stream (RFC 4588).
    Retransmission,
    /// Bandwidth probes: padding only.
    Probe,
}

/// A payload type in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadType {
    /// The number in the RTP header.
    pub payload_type: u8,
    /// Packets with it.
    pub packets: u64,
    /// Its codec, where it is certain.
    pub codec: Option<String>,
}

/// Runs of lost packets by their length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LossBursts {
    /// One packet.
    #[serde(rename = "1")]
    pub one: u64,
    /// Two packets.
    #[serde(rename = "2")]
    pub two: u64,
    /// Three to five.
    #[serde(rename = "3-5")]
    pub three_to_five: u64,
    /// Six to ten.
    #[serde(rename = "6-10")]
    pub six_to_ten: u64,
    /// More than ten.
    #[serde(rename = "more")]
    pub more: u64,
}

/// Times without packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// Together, in seconds.
    pub total: f64,
    /// The longest, in seconds.
    pub longest: f64,
}

/// What feedback and repair say was lost after the tap.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inferred {
    /// Packets that passed the tap and were asked for again (generic NACK).
    pub packets_lost_after_tap: Option<u64>,
    /// Retransmission packets for this stream.
    pub retransmitted_packets: Option<u64>,
    /// Retransmitted packets that were no padding, by timestamp of the media stream.
    pub retransmission_matches: Option<u64>,
}

/// A path that a stream left for another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamPath {
    /// Who sent it: `address:port`.
    pub source: String,
    /// Who it was sent to.
    pub destination: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The TURN server that carried it; `null` when it was not relayed.
    pub relay: Option<String>,
    /// Packets that arrived on it.
    pub packets_received: u64,
    /// The first of them.
    pub first_packet: PacketRef,
    /// The last of them.
    pub last_packet: PacketRef,
    /// When that came, in seconds from the first packet.
    pub last_time: f64,
}
