//! How the two ends of a call found a path.
//!
//! "Local" is the end that is likely at the tap: the client of the STUN or TURN server that the call asks, else the
//! end that answers checks much faster than the other, else the end that sent the call's first connectivity check. Where
//! the tap is elsewhere the words still tell the two apart.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{PacketRef, StepStatus, TurnServer};

/// The connecting step.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connecting {
    /// Whether it was seen and worked.
    pub status: StepStatus,
    /// STUN messages of the call's flows, by name.
    pub stun: Option<StunCounts>,
    /// The role of the local agent: `controlling` or `controlled`.
    pub ice_role: Option<&'static str>,
    /// Seconds from the call's first connectivity check to the first answer that confirmed a nomination, or to the first
    /// success of the selected pair where none is seen; `null` where the call was connected before the capture began.
    pub ice_duration: Option<f64>,
    /// Address pairs that were tried, by their first check.
    pub candidate_pairs: Vec<CandidatePair>,
    /// Pairs beyond those listed.
    pub candidate_pairs_omitted: u64,
    /// The pair that was in use at the end: that carried media or data to the last, or was nominated.
    pub selected_pair: Option<Box<CandidatePair>>,
    /// How often the call's traffic moved to another nominated pair.
    pub path_switches: u64,
    /// The pairs that carried the traffic one after the other, where it moved; the first 64. A pair that was left and
    /// taken again is there twice.
    pub selections: Vec<SelectedPair>,
    /// The agents' likely candidates, as far as the pairs, servers and allocations show them.
    pub candidates: Vec<Candidate>,
    /// How often both ends took new user fragments (RFC 8445 section 9).
    pub ice_restarts: u64,
    /// Each of them.
    pub restarts: Vec<IceRestart>,
    /// Checks refused because both agents claimed one role (487), and roles that changed.
    pub role_conflicts: u64,
    /// How often an end changed its role, as one of two in conflict must (RFC 8445 section 7.3.1.1).
    pub role_changes: u64,
    /// Servers that answers named to be asked instead (ALTERNATE-SERVER, RFC 8489 section 10).
    pub alternate_servers: Vec<String>,
    /// Attributes that an asked end did not know (UNKNOWN-ATTRIBUTES, RFC 8489 section 14.10): names, or hex.
    pub unknown_attributes: Vec<String>,
    /// The end that never asks, and only answers: likely ICE-lite (RFC 8445 section 2.5). `local` or `remote`.
    pub ice_lite: Option<&'static str>,
    /// Answers that came on another address pair than their request.
    pub answers_from_elsewhere: u64,
    /// STUN messages with a wrong FINGERPRINT.
    pub bad_fingerprints: u64,
    /// The first of them.
    pub bad_fingerprint_packet: Option<PacketRef>,
    /// ICMP errors that speak of the call's packets.
    pub icmp_errors: u64,
    /// What they say, by the first of each.
    pub icmp: Vec<IcmpErrors>,
    /// Addresses that STUN servers reported.
    pub mapped_addresses: Vec<MappedAddress>,
    /// STUN servers that were asked for the asker's address, or asked to keep a binding.
    pub stun_servers: Vec<StunServer>,
    /// TURN servers, and what they granted.
    pub turn: Vec<TurnServer>,
    /// Names asked for over multicast DNS by the call's ends, or answered with their addresses.
    pub mdns: Vec<LocalName>,
}

/// A pair from when it carried the call's traffic.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectedPair {
    /// When the traffic came to it, in seconds.
    pub time: f64,
    /// The first packet of that traffic.
    pub packet: PacketRef,
    /// Its local end.
    pub local: Candidate,
    /// Its remote end.
    pub remote: Candidate,
}

/// An ICE restart: both ends took new user fragments.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IceRestart {
    /// The first check with them.
    pub time: f64,
    /// Its packet.
    pub packet: PacketRef,
    /// The local end's new fragment.
    pub local_ufrag: String,
    /// The remote end's.
    pub remote_ufrag: String,
    /// Seconds to the answer that confirmed a nomination; `null` where it cannot be told from those before.
    pub duration: Option<f64>,
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

/// A transport address that an agent has, or may have.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Whose: `local` or `remote`.
    pub agent: &'static str,
    /// The address; `null` of a peer that only a TURN channel stands for.
    pub address: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The channel to a peer whose address the capture does not show: it was bound before.
    pub channel: Option<u16>,
    /// `host`, `srflx`, `prflx`, `relay` or `unknown`, as far as the capture tells.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where the address is valid: `public`, `private`, `cgn`, `link-local`, `unique-local`, `loopback` ...
    pub scope: &'static str,
}

/// How far a pair got; W3C's `RTCStatsIceCandidatePairState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairState {
    /// No check was seen.
    #[default]
    Waiting,
    /// The answer may still come.
    InProgress,
    /// Checks were refused or not answered.
    Failed,
    /// A check was answered with success.
    Succeeded,
}

/// A local and a remote address, and the checks between them as seen at the tap. Counts are of requests, those sent
/// again left out; consent checks are among them.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidatePair {
    /// The local end. Of a relayed pair the address that the TURN server lends, where it is known.
    pub local: Candidate,
    /// The remote end.
    pub remote: Candidate,
    /// `udp` or `tcp`.
    pub transport: String,
    /// Over TCP the type of the local candidate (RFC 6544 section 4.5), by who opened the connection: `active`, `passive`,
    /// or `so` where both did; `null` where its start is not in the capture.
    pub tcp_type_local: Option<&'static str>,
    /// The same of the remote candidate.
    pub tcp_type_remote: Option<&'static str>,
    /// Whether it runs inside messages to a TURN server.
    pub relayed: bool,
    /// The TURN server.
    pub relay: Option<String>,
    /// How far the local end's checks got.
    pub state: PairState,
    /// How far the remote end's checks got.
    pub remote_state: PairState,
    /// Whether one end nominated it.
    pub nominated: bool,
    /// `regular`, `aggressive` or `renomination`; `null` where the capture does not show the first check.
    pub nomination_kind: Option<&'static str>,
    /// The last counter of libwebrtc's NOMINATION in the local end's checks: it rises over all pairs of an agent.
    pub nomination: Option<u32>,
    /// The same in the remote end's checks.
    pub remote_nomination: Option<u32>,
    /// Whether it is the selected pair.
    pub selected: bool,
    /// Checks that the local end sent.
    pub requests_sent: u64,
    /// Checks that the remote end sent.
    pub requests_received: u64,
    /// Successful answers to the local end's checks.
    pub responses_received: u64,
    /// Successful answers to the remote end's checks.
    pub responses_sent: u64,
    /// Requests that the local end sent again.
    pub retransmissions_sent: u64,
    /// Requests that the remote end sent again.
    pub retransmissions_received: u64,
    /// Checks of the local end that were never answered; the capture's last 500 ms do not count.
    pub requests_unanswered: u64,
    /// Answers to the local end that took more than 500 ms.
    pub responses_late: u64,
    /// Answers with an error, to either end.
    pub errors: Vec<StunError>,
    /// The last round trip of the local end's checks as seen at the tap, in seconds.
    pub round_trip_time: Option<f64>,
    /// Their mean.
    pub round_trip_time_mean: Option<f64>,
    /// Their longest.
    pub round_trip_time_max: Option<f64>,
    /// The last round trip of the remote end's checks as seen at the tap: what is behind the tap on the local side.
    pub round_trip_time_remote: Option<f64>,
    /// PRIORITY in the local end's checks.
    pub priority: Option<u32>,
    /// PRIORITY in the remote end's checks.
    pub remote_priority: Option<u32>,
    /// Checks of the local end after its first success (RFC 7675).
    pub consent_requests_sent: u64,
    /// The longest time without a successful answer to the local end, after the first; seconds.
    pub longest_consent_gap: Option<f64>,
    /// The same for the remote end.
    pub longest_consent_gap_remote: Option<f64>,
    /// When the local end lost its consent to send, or the remote end its: 30 s without an answer.
    pub consent_expired: Option<f64>,
    /// The first check of either end.
    pub first_request: Option<PacketRef>,
    /// When it was sent.
    pub first_request_time: Option<f64>,
    /// The first successful answer to the local end.
    pub first_response: Option<PacketRef>,
    /// When it came.
    pub first_response_time: Option<f64>,
    /// When a check first nominated the pair.
    pub nominated_time: Option<f64>,
    /// The check that did.
    pub nominated_packet: Option<PacketRef>,
    /// The local end's user fragment, the latest.
    pub local_ufrag: Option<String>,
    /// The remote end's.
    pub remote_ufrag: Option<String>,
    /// User fragments in use one after the other.
    pub generations: Vec<IceGeneration>,
    /// The local end's role: `controlling` or `controlled`.
    pub ice_role_local: Option<&'static str>,
    /// How often the local end changed its role.
    pub role_changes: u64,
    /// How often the remote end did.
    pub role_changes_remote: u64,
    /// What libwebrtc says of the local end's network: 0 costs least, 999 most.
    pub network_cost: Option<u16>,
    /// The same of the remote end's.
    pub network_cost_remote: Option<u16>,
    /// The local address as the remote end sees it, where that differs from the one in the capture: a NAT lies between.
    pub reflexive_address: Option<String>,
    /// Its port.
    pub reflexive_port: Option<u16>,
    /// Binding indications: keepalives.
    pub keepalives: u64,
    /// SOFTWARE of the local end.
    pub software: Option<String>,
    /// SOFTWARE of the remote end.
    pub remote_software: Option<String>,
}

/// The user fragments of a path, from one restart to the next.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IceGeneration {
    /// The local end's.
    pub local_ufrag: String,
    /// The remote end's.
    pub remote_ufrag: String,
    /// The first check with them.
    pub first_packet: PacketRef,
    /// When it was sent.
    pub first_time: f64,
}

/// Answers with one error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StunError {
    /// The method that was refused.
    pub method: String,
    /// The code; 0 where it could not be read.
    pub code: u16,
    /// Whether the capture cut the answer before its code.
    pub code_cut: bool,
    /// Its name.
    pub name: Option<&'static str>,
    /// What it says to the one who asked.
    pub meaning: Option<&'static str>,
    /// Whether it is no failure: a 401 to a request without credentials, with which every conversation with a TURN server
    /// starts.
    pub challenge: bool,
    /// How often.
    pub count: u64,
    /// The first.
    pub first_packet: PacketRef,
}

/// ICMP errors of one sender, type and code about packets to one place (RFC 792, RFC 4443).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IcmpErrors {
    /// Who sent them: a router or firewall, or the host that the packets reached.
    pub sender: String,
    /// Where the packets were to go.
    pub about: String,
    /// Where they came from.
    pub asker: String,
    /// Whether `sender` is the host that they were to go to.
    pub from_destination: bool,
    /// What type and code mean; `null` where no RFC says.
    pub meaning: Option<&'static str>,
    /// 4 for ICMP, 6 for ICMPv6.
    pub version: u8,
    /// The type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The MTU of the next hop, where packets were too big and the sender says it.
    pub mtu: Option<u32>,
    /// How many.
    pub count: u64,
    /// The first.
    pub first_packet: PacketRef,
    /// Whether packets had come from that place before the first of them.
    pub heard_before: bool,
    /// Whether they are no more than the end of a call: that place had sent packets, sent none after, and its peer soon
    /// ceased too.
    pub at_end: bool,
}

/// An address as a STUN server sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MappedAddress {
    /// The asking end's address in the capture.
    pub local_address: String,
    /// Its port.
    pub local_port: u16,
    /// The server that answered.
    pub server: String,
    /// The address that the server saw.
    pub mapped_address: String,
    /// Its port.
    pub mapped_port: u16,
    /// Where that address is valid.
    pub scope: &'static str,
    /// Seconds from question to answer, the last.
    pub round_trip_time: Option<f64>,
    /// The answer.
    pub packet: PacketRef,
}

/// One client and its STUN server: Binding requests without the attributes of ICE.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StunServer {
    /// The server.
    pub server: String,
    /// The client.
    pub client: String,
    /// `udp` or `tcp`: between the two.
    pub transport: String,
    /// Requests.
    pub requests: u64,
    /// Requests sent again.
    pub retransmissions: u64,
    /// Requests that were answered, with success or with an error.
    pub responses: u64,
    /// Requests that were never answered; the capture's last 500 ms do not count.
    pub unanswered: u64,
    /// Seconds from request to answer, the last.
    pub round_trip_time: Option<f64>,
    /// The first request.
    pub first_packet: Option<PacketRef>,
}

/// A `.local` name (draft-ietf-mmusic-mdns-ice-candidates).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalName {
    /// The name.
    pub name: String,
    /// Its address; `null` when nobody answered.
    pub address: Option<String>,
    /// Questions for it.
    pub asked: u64,
    /// Records that gave its address.
    pub answered: u64,
    /// The first question or answer.
    pub first_packet: Option<PacketRef>,
}
