//! The report: the one document that every renderer reads, and the JSON contract (`schemaVersion` 1).
//!
//! Names are those of the W3C *Identifiers for WebRTC's Statistics API* where it has one. Times are seconds from the
//! first packet of the analysis unless the name ends in `At` (RFC 3339, UTC). What is not known is `null`, never 0.
//! Lists are in a fixed order. A packet is cited by [`PacketRef`].

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// The version of this document's shape; a breaking change raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything rtcscope found in one analysis.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this document's shape.
    pub schema_version: u32,
    /// What made the report.
    pub tool: Tool,
    /// The whole in one word: the worst of the findings.
    pub verdict: Verdict,
    /// The files that were read, in the order given.
    pub captures: Vec<Capture>,
    /// The calls, by their first packet.
    pub sessions: Vec<Session>,
    /// Traffic that is no call, most packets first.
    pub other_flows: Vec<OtherFlow>,
    /// Flows of no call that are not listed one by one, and their packets; `null` when all are listed.
    pub other_flows_omitted: Option<Omitted>,
    /// What is worth knowing, by severity, then root cause first.
    pub findings: Vec<Finding>,
}

/// The program that made a report.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// Always `rtcscope`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The judgement on a report, a call or a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing of weight was found.
    Pass,
    /// Something is worth a look.
    Warn,
    /// Something failed.
    Fail,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The call, or the reading of the capture, failed.
    Error,
    /// Quality or trust suffers.
    Warning,
    /// Worth knowing.
    Info,
}

/// Whether a step of a call was seen and worked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// Seen, and it worked.
    Ok,
    /// Seen, and it failed.
    Failed,
    /// Nothing of it is in the capture.
    #[default]
    NotSeen,
}

/// A packet: its number in its file, counted from 1; with more than one file, the file too (`2:1041`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PacketRef {
    /// The file, counted from 1 in the order given; 0 when only one file is analyzed.
    pub file: u16,
    /// The packet's number in that file.
    pub number: u64,
}

impl fmt::Display for PacketRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file == 0 {
            write!(formatter, "{}", self.number)
        } else {
            write!(formatter, "{}:{}", self.file, self.number)
        }
    }
}

/// A number with one file, a string `file:number` with several.
impl Serialize for PacketRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.file == 0 { serializer.serialize_u64(self.number) } else { serializer.collect_str(self) }
    }
}

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

/// The communicating step.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Communicating {
    /// Whether it was seen and worked.
    pub status: StepStatus,
    /// RTP streams, by their first packet.
    pub rtp_streams: Vec<RtpStream>,
    /// RTCP of the call; `null` without any.
    pub rtcp: Option<Rtcp>,
    /// SCTP association; `null` without one. The busiest, should there be several.
    pub sctp: Option<Sctp>,
    /// Data channels.
    pub data_channels: Vec<serde_json::Value>,
}

/// One RTP stream: one SSRC in one direction of one flow, as seen at the tap.
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
    /// Payload types with their packets, most packets first.
    pub payload_types: Vec<PayloadType>,
    /// `audio`, `video`, `text`; `null` when nothing tells.
    pub kind: Option<&'static str>,
    /// What the stream is for.
    pub role: StreamRole,
    /// Codec of the main payload type, where it is certain (static payload types, signalling); else `null`.
    pub codec: Option<String>,
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
    /// Identifiers of RTP header-extension elements (RFC 8285) in use, with packets.
    pub header_extensions: Vec<HeaderExtension>,
    /// How much faster the sender's clock runs than the tap's, in parts per million; `null` when it cannot be told.
    pub clock_drift_ppm: Option<f64>,
    /// Whether the payload is encrypted (SRTP); `null` when nothing tells.
    pub encrypted: Option<bool>,
    /// Whether the same SSRC came from another address of the call at the same time (RFC 3550 section 8.2).
    pub ssrc_collision: bool,
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

/// A header-extension element in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderExtension {
    /// Its local identifier; 0 for a profile that is not RFC 8285.
    pub id: u8,
    /// Packets with it.
    pub packets: u64,
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

/// A flow that belongs to no call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
}

/// Flows that are counted and not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Omitted {
    /// How many flows.
    pub flows: u64,
    /// Their packets.
    pub packets: u64,
}

/// One thing worth knowing, with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's code (`rtcscope explain CODE`).
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The call it is about; `null` when it is about the capture.
    pub session: Option<u32>,
    /// One sentence: what happened.
    pub message: String,
    /// One sentence: what to do.
    pub advice: Option<String>,
    /// The packets that prove it, the first few.
    pub packets: Vec<PacketRef>,
}
