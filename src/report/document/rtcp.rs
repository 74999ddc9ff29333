//! RTCP: what receivers said of streams, and what it says of a call.

use std::collections::BTreeMap;

use serde::Serialize;

use super::PacketRef;

/// What the receivers of a stream reported (RFC 3550 section 6.4, RFC 3611, RFC 4585).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reported {
    /// Report blocks on this stream.
    pub reports: u64,
    /// Fraction lost in the last report, 0 to 1.
    pub fraction_lost: Option<f64>,
    /// The highest fraction lost in any report.
    pub fraction_lost_max: Option<f64>,
    /// Cumulative number of packets lost in the last report; may be negative.
    pub packets_lost: Option<i64>,
    /// Jitter in the last report, in seconds; `null` without a clock rate.
    pub jitter: Option<f64>,
    /// The highest jitter in any report, in seconds.
    pub jitter_max: Option<f64>,
    /// Extended highest sequence number in the last report.
    pub highest_sequence_number: Option<u32>,
    /// Round trip between the tap and the receiver, from the last report with LSR and DLSR, in seconds.
    pub round_trip_time: Option<f64>,
    /// Mean of those round trips.
    pub round_trip_time_mean: Option<f64>,
    /// Highest of those round trips.
    pub round_trip_time_max: Option<f64>,
    /// How many reports gave a round trip.
    pub round_trip_time_measurements: u64,
    /// Packets the sender says it sent (last sender report).
    pub packets_sent: Option<u64>,
    /// Payload bytes the sender says it sent (last sender report).
    pub bytes_sent: Option<u64>,
    /// Generic NACK messages.
    pub nack_count: u64,
    /// Packets asked for in them.
    pub nacked_packets: u64,
    /// Picture loss indications.
    pub pli_count: u64,
    /// Full intra requests.
    pub fir_count: u64,
    /// Last REMB estimate that names this stream, in bits a second.
    pub remb_bitrate: Option<f64>,
    /// What extended reports (RFC 3611) say of this stream; `null` without any.
    pub extended: Option<Extended>,
    /// The SSRC of the last reporter.
    pub reporter_ssrc: Option<u32>,
}

/// What extended reports say of a stream (RFC 3611).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extended {
    /// Report blocks on this stream.
    pub blocks: u64,
    /// Packets lost in the range of the last statistics summary.
    pub packets_lost: Option<u32>,
    /// Packets duplicated in that range.
    pub packets_duplicated: Option<u32>,
    /// Mean jitter in that range, in seconds; `null` without a clock rate.
    pub jitter_mean: Option<f64>,
    /// The last VoIP metrics.
    pub voip_metrics: Option<VoipMetrics>,
}

/// VoIP metrics as the receiver computed them (RFC 3611 section 4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VoipMetrics {
    /// Share of packets lost, 0 to 1.
    pub loss_rate: f64,
    /// Share of packets that came too late for the jitter buffer, 0 to 1.
    pub discard_rate: f64,
    /// Share of packets lost or discarded within bursts, 0 to 1.
    pub burst_density: f64,
    /// Mean length of bursts, in seconds.
    pub burst_duration: f64,
    /// Round trip between the RTP interfaces, in seconds.
    pub round_trip_time: Option<f64>,
    /// Delay inside the reporting end, in seconds.
    pub end_system_delay: Option<f64>,
    /// R factor, 0 to 100.
    pub r_factor: Option<u8>,
    /// Listening quality, 1 to 5.
    pub mos_listening: Option<f64>,
    /// Conversational quality, 1 to 5.
    pub mos_conversational: Option<f64>,
    /// Nominal delay of the jitter buffer, in seconds.
    pub jitter_buffer_delay: f64,
}

/// RTCP of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rtcp {
    /// Datagrams.
    pub packets: u64,
    /// RTCP packets by name (`SR`, `RR`, `NACK`, `PLI`, `transport-cc` ...). Of an encrypted datagram only the first
    /// packet's type is in clear, and feedback formats are `RTPFB`, `PSFB` with the format in brackets.
    pub by_type: BTreeMap<String, u64>,
    /// Datagrams that are SRTCP.
    pub encrypted: u64,
    /// Datagrams of them by the bytes of their authentication tag, where the trailer shows it.
    pub tag_lengths: BTreeMap<u8, u64>,
    /// Datagrams of them that were opened with keys.
    pub decrypted: u64,
    /// Datagrams that are neither RTCP nor SRTCP.
    pub malformed: u64,
    /// CNAMEs of SSRCs (SDES).
    pub cnames: BTreeMap<u32, String>,
    /// SSRCs that said goodbye, with the reason.
    pub byes: Vec<Bye>,
    /// Bandwidth feedback, by the SSRC that sent it.
    pub bandwidth: Vec<BandwidthFeedback>,
}

/// A BYE (RFC 3550 section 6.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bye {
    /// Who left.
    pub ssrc: u32,
    /// Why, where it says.
    pub reason: Option<String>,
    /// The packet.
    pub packet: PacketRef,
}

/// Congestion-control feedback of one sender.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BandwidthFeedback {
    /// Who sent the feedback.
    pub sender_ssrc: u32,
    /// `transport-cc`, `ccfb`, `remb` or `tmmbr`.
    pub kind: &'static str,
    /// Feedback messages.
    pub messages: u64,
    /// Packets reported on; `null` for rate messages.
    pub packets_reported: Option<u64>,
    /// Packets reported as not received; `null` for rate messages.
    pub packets_lost: Option<u64>,
    /// Last, lowest and highest bit rate asked for, in bits a second; `null` for arrival-time feedback.
    pub bitrate: Option<BitrateRange>,
}

/// A bit rate over time, in bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BitrateRange {
    /// The last value.
    pub last: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}
