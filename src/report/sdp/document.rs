//! The document of `sdp` (`schemaVersion` 1). What is not known is `null`; keys are never in it.

use serde::Serialize;

use crate::report::document::{Severity, Tool, Verdict};

/// Descriptions, what is wrong with them, and what was agreed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SdpReport {
    /// The version of this document's shape.
    pub schema_version: u32,
    /// What made the report.
    pub tool: Tool,
    /// `fail` with a lint or a mismatch that is an error, `warn` with a warning.
    pub verdict: Verdict,
    /// The descriptions, in the order given.
    pub descriptions: Vec<DescriptionEntry>,
    /// Each offer with its answer.
    pub negotiations: Vec<NegotiationEntry>,
    /// Candidates that were sent apart from the descriptions.
    pub candidates: Vec<TrickledCandidate>,
}

/// A description.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescriptionEntry {
    /// Where it is from.
    pub source: String,
    /// The peer connection.
    pub connection: Option<String>,
    /// `offer`, `answer`, `pranswer` or `rollback`.
    pub kind: Option<&'static str>,
    /// `local` or `remote`, seen from who recorded it.
    pub by: Option<&'static str>,
    /// The rules it was held to: `webrtc`, `whip`, `sip` or `rtsp`.
    pub dialect: &'static str,
    /// Who made it, as `o=` has it.
    pub origin: Option<OriginEntry>,
    /// Its name.
    pub session_name: Option<String>,
    /// Groups of media.
    pub groups: Vec<GroupEntry>,
    /// Whether it is of an ICE lite agent.
    pub ice_lite: bool,
    /// Its media.
    pub media: Vec<MediaEntry>,
    /// What is wrong with it, in the order of its lines.
    pub lints: Vec<LintEntry>,
    /// Lines that were read.
    pub lines: usize,
    /// Lines beyond what is read.
    pub lines_omitted: usize,
}

/// Who made a description.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OriginEntry {
    /// The user.
    pub username: String,
    /// The number of the session, as written.
    pub session_id: String,
    /// Its version, as written.
    pub session_version: String,
    /// The address.
    pub address: String,
}

/// A group of media.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupEntry {
    /// `BUNDLE`, `LS` ...
    pub semantics: String,
    /// Identification tags.
    pub mids: Vec<String>,
}

/// A media section.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaEntry {
    /// Its place, from 0.
    pub index: usize,
    /// The line of its `m=`.
    pub line: usize,
    /// Its identification tag.
    pub mid: Option<String>,
    /// `audio`, `video`, `application` ...
    pub kind: String,
    /// The port.
    pub port: u16,
    /// The protocol.
    pub protocol: String,
    /// Whether it is refused (port 0).
    pub rejected: bool,
    /// Whether it is used only in its BUNDLE group.
    pub bundle_only: bool,
    /// Where it is received.
    pub connection_address: Option<String>,
    /// Which way it flows, as the describer sees it.
    pub direction: &'static str,
    /// Its codecs.
    pub codecs: Vec<CodecEntry>,
    /// Milliseconds of media in a packet.
    pub ptime: Option<u64>,
    /// The most milliseconds of media in a packet.
    pub maxptime: Option<u64>,
    /// ICE user fragment.
    pub ice_ufrag: Option<String>,
    /// Characters of the ICE password.
    pub ice_pwd_length: Option<usize>,
    /// ICE options.
    pub ice_options: Vec<String>,
    /// ICE candidates.
    pub candidates: Vec<CandidateEntry>,
    /// Whether there will be no more.
    pub end_of_candidates: bool,
    /// Fingerprints of certificates.
    pub fingerprints: Vec<FingerprintEntry>,
    /// DTLS role.
    pub setup: Option<&'static str>,
    /// The number of the DTLS association.
    pub tls_id: Option<String>,
    /// SDES suites, without their keys.
    pub crypto: Vec<CryptoEntry>,
    /// RTP header extensions.
    pub header_extensions: Vec<ExtensionEntry>,
    /// Whether one- and two-byte headers may be mixed.
    pub extmap_allow_mixed: bool,
    /// RTCP's port, where it is given.
    pub rtcp_port: Option<u16>,
    /// RTP and RTCP share a port.
    pub rtcp_mux: bool,
    /// Reduced-size RTCP.
    pub rtcp_rsize: bool,
    /// Restrictions of streams.
    pub rids: Vec<RidEntry>,
    /// Simulcast.
    pub simulcast: Option<SimulcastEntry>,
    /// Sources.
    pub ssrcs: Vec<SourceEntry>,
    /// Groups of sources.
    pub ssrc_groups: Vec<SourceGroupEntry>,
    /// Streams and tracks.
    pub msids: Vec<String>,
    /// SCTP's port.
    pub sctp_port: Option<u16>,
    /// The tag of the SCTP INIT that stands here in place of the wire (`a=sctp-init`).
    pub sctp_initiate_tag: Option<u32>,
    /// The greatest message, in bytes.
    pub max_message_size: Option<u64>,
    /// Bandwidths: `AS:512`.
    pub bandwidths: Vec<String>,
}

/// A codec.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodecEntry {
    /// The payload type.
    pub payload_type: u8,
    /// Its name.
    pub name: Option<String>,
    /// Units of the RTP timestamp a second.
    pub clock_rate: Option<u32>,
    /// Channels.
    pub channels: Option<u32>,
    /// Format parameters as written.
    pub fmtp: Option<String>,
    /// The payload type it retransmits.
    pub apt: Option<u8>,
    /// Feedback: `nack pli`.
    pub feedback: Vec<String>,
}

/// A candidate.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidateEntry {
    /// `host`, `srflx`, `prflx` or `relay`.
    pub kind: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The address, or an mDNS name.
    pub address: String,
    /// The port.
    pub port: u16,
    /// Where the address is valid: `private`, `cgn`, `public`, `link-local`, `unique-local`, `loopback`, `mdns` ...
    pub scope: &'static str,
    /// 1 RTP, 2 RTCP.
    pub component: u32,
    /// Its priority.
    pub priority: u64,
    /// Its foundation.
    pub foundation: String,
    /// The related address and port.
    pub related: Option<String>,
    /// Who opens the connection, of TCP.
    pub tcp_type: Option<&'static str>,
}

/// A candidate that was sent by itself.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrickledCandidate {
    /// The peer connection.
    pub connection: Option<String>,
    /// `local` or `remote`.
    pub by: Option<&'static str>,
    /// The identification tag of its media.
    pub mid: Option<String>,
    /// The candidate.
    #[serde(flatten)]
    pub candidate: CandidateEntry,
}

/// A fingerprint.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FingerprintEntry {
    /// The hash function.
    pub algorithm: String,
    /// The hash, in hexadecimal with colons.
    pub value: String,
}

/// An SDES suite.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CryptoEntry {
    /// Its tag.
    pub tag: u32,
    /// Its name.
    pub suite: String,
}

/// A header extension.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionEntry {
    /// Its number.
    pub id: u16,
    /// The last part of its URI, as it is called: `abs-send-time`.
    pub name: String,
    /// Its URI.
    pub uri: String,
    /// Which way it is used.
    pub direction: Option<&'static str>,
}

/// A restriction of streams.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RidEntry {
    /// Its identifier.
    pub id: String,
    /// `send` or `recv`.
    pub direction: &'static str,
    /// What is restricted.
    pub restrictions: Vec<String>,
}

/// Simulcast streams, alternatives behind commas, paused ones behind `~`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SimulcastEntry {
    /// Those that are sent.
    pub send: Vec<String>,
    /// Those that are received.
    pub receive: Vec<String>,
}

/// A source.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceEntry {
    /// Its number.
    pub ssrc: u32,
    /// Its canonical name.
    pub cname: Option<String>,
    /// Stream and track.
    pub msid: Option<String>,
}

/// A group of sources.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceGroupEntry {
    /// `FID`, `SIM` ...
    pub semantics: String,
    /// The sources.
    pub ssrcs: Vec<u32>,
}

/// What is wrong with a description.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LintEntry {
    /// The rule's code.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The character of the line, from 1.
    pub column: Option<usize>,
    /// The media section, from 0.
    pub media: Option<usize>,
    /// One sentence.
    pub message: String,
    /// Where that is written.
    pub reference: &'static str,
}

/// An offer and its answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NegotiationEntry {
    /// The peer connection.
    pub connection: Option<String>,
    /// The place of the offer among the descriptions.
    pub offer: usize,
    /// The place of the answer.
    pub answer: usize,
    /// Identification tags that share a transport.
    pub bundle: Vec<String>,
    /// `offerer` or `answerer`: who has the controlling role in ICE.
    pub ice_controlling: Option<&'static str>,
    /// What was agreed for each media.
    pub media: Vec<AgreedEntry>,
    /// Where the answer does not fit.
    pub mismatches: Vec<MismatchEntry>,
}

/// What was agreed for a media.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgreedEntry {
    /// Its place, from 0.
    pub index: usize,
    /// Its identification tag.
    pub mid: Option<String>,
    /// What it is.
    pub kind: String,
    /// `offerer` or `answerer`: who refused it.
    pub rejected_by: Option<&'static str>,
    /// Codecs of both.
    pub codecs: Vec<AgreedCodecEntry>,
    /// Which way it flows, as the offerer sees it.
    pub direction: &'static str,
    /// Which way it flows, as the answerer sees it.
    pub answerer_direction: &'static str,
    /// Header extensions of both.
    pub header_extensions: Vec<ExtensionEntry>,
    /// RTP and RTCP share a port.
    pub rtcp_mux: bool,
    /// It uses the transport of its BUNDLE group.
    pub bundled: bool,
    /// `dtls`, `sdes` or `none`.
    pub security: &'static str,
    /// The SDES suite.
    pub srtp_suite: Option<String>,
    /// `offerer` or `answerer`: who sends the DTLS `ClientHello`.
    pub dtls_client: Option<&'static str>,
    /// Simulcast streams that the offerer sends.
    pub simulcast_send: Vec<String>,
    /// Simulcast streams that the offerer receives.
    pub simulcast_receive: Vec<String>,
    /// Data channels.
    pub data_channel: Option<DataChannelEntry>,
    /// `offerer` or `answerer`: who put the other on hold.
    pub hold: Option<&'static str>,
}

/// A codec that both have.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgreedCodecEntry {
    /// `opus/48000/2`.
    pub encoding: String,
    /// The payload type in the offer.
    pub offer_payload_type: u8,
    /// The payload type in the answer.
    pub answer_payload_type: u8,
    /// Format parameters of the offer.
    pub offer_fmtp: Option<String>,
    /// Format parameters of the answer.
    pub answer_fmtp: Option<String>,
}

/// Data channels.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataChannelEntry {
    /// The offerer's SCTP port.
    pub offer_port: Option<u16>,
    /// The answerer's SCTP port.
    pub answer_port: Option<u16>,
    /// The greatest message to the offerer, in bytes; `null` for any.
    pub offer_max_message_size: Option<u64>,
    /// The greatest message to the answerer, in bytes; `null` for any.
    pub answer_max_message_size: Option<u64>,
}

/// Where an answer does not fit.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MismatchEntry {
    /// The rule's code.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The media, from 0.
    pub media: Option<usize>,
    /// The line of the offer.
    pub offer_line: Option<usize>,
    /// The line of the answer.
    pub answer_line: Option<usize>,
    /// One sentence.
    pub message: String,
    /// Where that is written.
    pub reference: &'static str,
}
