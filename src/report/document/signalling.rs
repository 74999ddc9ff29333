//! What the two sides of a call agreed on.

use serde::Serialize;

use super::{PacketRef, Severity, StepStatus};

/// The signalling step.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signalling {
    /// Whether it was seen and worked.
    pub status: StepStatus,
    /// What carried it: `sip-udp`, `sip-tcp`, `sip-ws`, `http`, `websocket`, `rtsp`; where keys opened TLS, `sip-tls`,
    /// `sip-wss`, `https`, `wss`, `rtsps`; `file` where it was given beside the capture, `null` when it was not seen.
    pub transport: Option<String>,
    /// Seconds from the first offer to its answer; of SIP from the first INVITE to the first success, with all that was
    /// asked between.
    pub answer_duration: Option<f64>,
    /// Offers, in order.
    pub offers: Vec<SessionDescription>,
    /// Answers, provisional ones too, in order.
    pub answers: Vec<SessionDescription>,
    /// What was agreed for each media section by the last round that was answered; what was offered where none was.
    pub media: Vec<AgreedMedia>,
    /// What changed after the first agreement, in order: hold and resume, media that came and went, ICE restarts.
    pub changes: Vec<Change>,
    /// Where the answer does not fit the offer.
    pub mismatches: Vec<Mismatch>,
    /// Candidates in descriptions and sent apart from them, by party.
    pub candidates: Vec<SignalledCandidate>,
    /// Who said, and when, that there are no more candidates (RFC 8838 section 8.2).
    pub end_of_candidates: Vec<EndOfCandidates>,
    /// MESSAGE-INTEGRITY of connectivity checks, computed with the passwords in the descriptions; `null` where there
    /// are none.
    pub message_integrity: Option<MessageIntegrity>,
    /// Certificates in clear against the fingerprints of their senders.
    pub fingerprints: Vec<FingerprintCheck>,
    /// The SIP call; `null` where it was none.
    pub sip: Option<SipCall>,
    /// TLS connections that a host of the call opened shortly before it or during it, where no signalling is in clear: it
    /// is probably inside one of them.
    pub encrypted: Vec<TlsConnection>,
    /// The refusal that HTTP or RTSP ended with: `POST 403`.
    pub refused: Option<String>,
}

/// A description as it was sent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionDescription {
    /// `offer`, `answer` or `pranswer`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whose it is: `offerer` or `answerer` of the call's first offer.
    pub party: &'static str,
    /// Who sent it where it was first seen: `address:port`; `null` where it was given beside the capture.
    pub source: Option<String>,
    /// Who it was sent to.
    pub destination: Option<String>,
    /// When, in seconds.
    pub time: Option<f64>,
    /// The packet that completed it.
    pub packet: Option<PacketRef>,
    /// How often it was seen: on its way to a server and from there, or sent again.
    pub copies: u64,
    /// What became of an offer: `answered`, `rolled-back`, `refused` (of SIP, by a status of 300 or more), `challenged` (of
    /// SIP, 401 and 407: it comes again with credentials), `open`. `null` of an answer.
    pub outcome: Option<&'static str>,
    /// Whether an offer that was rolled back, or refused with 491, and one of the other side crossed on their way (glare).
    pub crossed: bool,
    /// The status that SIP refused an offer with.
    pub refused_status: Option<u16>,
    /// The packet that settled what became of an offer: its answer, its refusal, the message that took it back.
    pub outcome_packet: Option<PacketRef>,
    /// Of SIP, the tag of the called end in the dialog that carried it: the same in `sip.forks`.
    pub branch: Option<String>,
    /// The text as it was sent, the keys of `a=crypto` left out.
    pub sdp: String,
}

/// Something that both agreed to change.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// `hold`, `media-added`, `media-removed`, `direction`, `codec`, `ice-restart`.
    #[serde(rename = "type")]
    pub what: &'static str,
    /// Who offered it: `offerer` or `answerer` of the call's first offer; of a hold, who holds.
    pub by: &'static str,
    /// The media section, from 0; `null` of an ICE restart.
    pub media: Option<usize>,
    /// Its identification tag.
    pub mid: Option<String>,
    /// `audio`, `video`, `application` ...
    pub kind: Option<String>,
    /// When it was agreed on, in seconds.
    pub time: Option<f64>,
    /// When a hold ended; `null` while it lasts.
    pub end_time: Option<f64>,
    /// The packet that completed the answer.
    pub packet: Option<PacketRef>,
    /// Of a hold, the direction that its holder wrote; of another direction, that, as the first offerer sees it.
    pub direction: Option<&'static str>,
    /// The codec that is the first now: `opus/48000/2`.
    pub codec: Option<String>,
}

/// A side has no more candidates.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndOfCandidates {
    /// Whose: `offerer` or `answerer`.
    pub party: &'static str,
    /// The media section; all where it is not said.
    pub mid: Option<String>,
    /// Whether it was said apart from a description.
    pub trickled: bool,
    /// When, in seconds; `null` where it was given beside the capture.
    pub time: Option<f64>,
    /// The packet that says so.
    pub packet: Option<PacketRef>,
}

/// One media section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgreedMedia {
    /// Its identification tag.
    pub mid: Option<String>,
    /// `audio`, `video`, `application` ...
    pub kind: String,
    /// Codecs of both, in the order of the answer: `opus/48000/2`.
    pub codecs: Vec<String>,
    /// Which way it flows, as the offerer sees it: `sendrecv`, `sendonly`, `recvonly`, `inactive`.
    pub direction: &'static str,
    /// The protocol as written: `UDP/TLS/RTP/SAVPF`.
    pub protocol: String,
    /// Who refused it: `offerer` or `answerer`.
    pub rejected_by: Option<&'static str>,
    /// How it is secured: `dtls`, the SDES suite, or `none`; `null` while it is not answered.
    pub security: Option<String>,
    /// Who is to send the DTLS ClientHello: `offerer` or `answerer`.
    pub dtls_client: Option<&'static str>,
}

/// Where an answer does not fit its offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mismatch {
    /// The rule's code.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The media section, from 0; `null` of the whole.
    pub media: Option<usize>,
    /// What it is, in one sentence.
    pub message: String,
}

/// A candidate that one side told the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalledCandidate {
    /// Whose: `offerer` or `answerer`.
    pub party: &'static str,
    /// The candidate as it was sent, from `candidate:` on.
    pub candidate: String,
    /// The media section that it is for.
    pub mid: Option<String>,
    /// `host`, `srflx`, `prflx`, `relay`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its address, or name.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// `udp` or `tcp`.
    pub transport: Option<String>,
    /// Where its address is valid: `public`, `private`, `mdns` ...
    pub scope: Option<&'static str>,
    /// Whether it was sent apart from a description.
    pub trickled: bool,
    /// The packet that brought it first.
    pub packet: Option<PacketRef>,
    /// What its name was found to be over multicast DNS.
    pub resolved_address: Option<String>,
    /// What became of its address.
    pub checks: CandidateChecks,
}

/// Whether checks to or from a signalled candidate's address were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateChecks {
    /// None was.
    #[default]
    NotSeen,
    /// Some were, and none succeeded.
    Tried,
    /// One succeeded.
    Answered,
}

/// MESSAGE-INTEGRITY of a call's connectivity checks (RFC 8445 section 7.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageIntegrity {
    /// Messages signed with the password of their receiver; of answers, of their sender.
    pub verified: u64,
    /// Messages not signed with it, though it is known.
    pub failed: u64,
    /// Checks that were signed with the password in the description of their receiver, and refused (401) all the same:
    /// the password in the description is not the receiver's own.
    pub refused: u64,
    /// Messages whose password no description tells.
    pub unknown: u64,
    /// Messages beyond those that are kept to be checked.
    pub unchecked: u64,
    /// The first that failed.
    pub failed_packets: Vec<PacketRef>,
    /// The first refusal to each receiver whose checks were refused.
    pub refused_packets: Vec<PacketRef>,
}

/// A certificate against the fingerprints that its sender announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FingerprintCheck {
    /// Whose certificate: `offerer` or `answerer`.
    pub party: &'static str,
    /// SHA-256 of it.
    pub fingerprint: String,
    /// The hash function that was compared: the strongest that its sender announced.
    pub hash_function: &'static str,
    /// Whether it was announced.
    pub matches: bool,
    /// The packet that completed it.
    pub packet: Option<PacketRef>,
}

/// A TLS connection: what its ClientHello says in clear.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsConnection {
    /// Who opened it.
    pub client: String,
    /// To whom.
    pub server: String,
    /// The server's name (RFC 6066 section 3).
    pub server_name: Option<String>,
    /// Application protocols offered (RFC 7301).
    pub application_protocols: Vec<String>,
    /// When, in seconds.
    pub time: f64,
    /// The packet that completed the ClientHello.
    pub packet: PacketRef,
}

/// What SIP says of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SipCall {
    /// Its Call-ID.
    pub call_id: String,
    /// Who called.
    pub from: String,
    /// Who was called.
    pub to: String,
    /// Requests by method.
    pub requests: std::collections::BTreeMap<String, u64>,
    /// Responses by status code.
    pub responses: std::collections::BTreeMap<String, u64>,
    /// The status of the last final response to an INVITE that was no success, with its phrase: `486 Busy Here`.
    pub refused: Option<String>,
    /// What its Reason or Warning says.
    pub reason: Option<String>,
    /// Whether the INVITE was sent again and again and nobody answered.
    pub unanswered: bool,
    /// Whether it was accepted.
    pub accepted: bool,
    /// Seconds from the first INVITE to the first 180 or 183.
    pub ring_duration: Option<f64>,
    /// How often an INVITE was answered with 401 or 407, and credentials so asked for.
    pub challenges: u64,
    /// How many ends accepted: more than one is a fork.
    pub branches: u64,
    /// The ends that answered an INVITE that was forked; none where one did.
    pub forks: Vec<SipFork>,
    /// How it ended: `BYE by the caller`, `CANCEL by the caller`.
    pub ended: Option<String>,
}

/// One end of those that an INVITE was forked to (RFC 3261 section 12.1).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SipFork {
    /// Its tag.
    pub tag: String,
    /// Its Contact.
    pub contact: Option<String>,
    /// `accepted`, `refused`, or `early` where it did neither.
    pub outcome: &'static str,
    /// The status that it refused with: 487 where another accepted before.
    pub refused: Option<u16>,
    /// When it first answered, in seconds.
    pub time: Option<f64>,
    /// When it accepted, in seconds.
    pub accept_time: Option<f64>,
    /// The SSRCs of streams to and from the addresses in its answer.
    pub streams: Vec<u32>,
}
