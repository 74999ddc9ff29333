//! The document of `nat-check` (`schemaVersion` 1). Times are seconds, addresses `address:port` as RFC 5952 writes
//! them, and what is not known is `null` or, where a word is expected, `unknown`.

use serde::Serialize;

use crate::report::document::{Finding, Tool};

/// What the network does to UDP, and what that means for peers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NatReport {
    /// The version of this document's shape.
    pub schema_version: u32,
    /// What made the report.
    pub tool: Tool,
    /// Whether two peers behind such a network can talk to each other: the best of the paths.
    pub verdict: Connection,
    /// One sentence: what to do.
    pub advice: String,
    /// What the first path that anything is known of does.
    #[serde(flatten)]
    pub behaviour: Behaviour,
    /// Every server that was asked, over each path.
    pub servers: Vec<Server>,
    /// Each local address and version of IP that was tried, IPv4 first.
    pub paths: Vec<Path>,
    /// What is worth knowing, by severity.
    pub findings: Vec<Finding>,
    /// Every test, path by path, as they were started.
    pub evidence: Vec<Test>,
    /// Seconds that the check took.
    pub duration: f64,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// Why nothing could be measured; `null` where something was.
    pub error: Option<String>,
}

/// What the network does on one path.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Behaviour {
    /// This end's own address.
    pub local_address: Option<String>,
    /// Where servers saw it.
    pub mapped_addresses: Vec<String>,
    /// `endpoint-independent`, `address-dependent`, `address-and-port-dependent`, `no-nat` or `unknown` (RFC 4787).
    pub mapping: &'static str,
    /// `endpoint-independent`, `address-dependent`, `address-and-port-dependent` or `unknown` (RFC 4787).
    pub filtering: &'static str,
    /// `open-internet`, `symmetric-firewall`, `full-cone`, `restricted-cone`, `port-restricted-cone`, `symmetric`,
    /// `udp-blocked` or `unknown` (RFC 3489).
    pub nat_type: &'static str,
    /// How sure these are.
    pub confidence: Confidences,
    /// Whether packets to a mapped address of this host come back to it.
    pub hairpin: Option<bool>,
    /// Whether mapped ports are the sockets' own.
    pub port_preservation: Option<bool>,
    /// The step from each mapped port to the next, where it is the same for all.
    pub port_delta: Option<i32>,
    /// Seconds after which an idle binding was still there.
    pub binding_lifetime: Option<f64>,
    /// Seconds after which an idle binding was gone.
    pub binding_lifetime_below: Option<f64>,
    /// Whether fragments pass both ways.
    pub fragments: Option<bool>,
    /// What happens with each kind of peer.
    pub peers: Vec<Peer>,
}

/// How sure the results are: `high`, `medium` or `low`; `null` of what is not known.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confidences {
    /// Of the mapping.
    pub mapping: Option<&'static str>,
    /// Of the filtering.
    pub filtering: Option<&'static str>,
}

/// What happens between this end and a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// What the peer is behind, in the words of `natType`.
    pub nat_type: &'static str,
    /// Whether they can talk to each other.
    pub connection: Connection,
}

/// How two peers talk to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Connection {
    /// Over UDP, without anything between them that has to be asked.
    Direct,
    /// Through a relay (TURN) only.
    Relay,
    /// That is not known.
    Unknown,
}

/// One path: a local address and a version of IP.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    /// The interface, where one was named.
    pub interface: Option<String>,
    /// 4 or 6.
    pub ip_version: u8,
    /// Whether two peers behind such a network can talk to each other.
    pub verdict: Connection,
    /// What the network does.
    #[serde(flatten)]
    pub behaviour: Behaviour,
}

/// A server, over one path.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// As it was named.
    pub name: String,
    /// Its address; `null` where its name has none.
    pub address: Option<String>,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// Whether it was tried only because UDP was silent.
    pub fallback: bool,
    /// Seconds of the shortest round trip.
    pub round_trip_time: Option<f64>,
    /// Requests, or their answers, that were lost; `null` where nothing was answered, and over streams.
    pub lost: Option<u32>,
    /// Where it saw this end.
    pub mapped_address: Option<String>,
    /// Where else it says that it is (OTHER-ADDRESS).
    pub other_address: Option<String>,
    /// What it says that it is (SOFTWARE).
    pub software: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

/// A test and what came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// What it was for, as `filtering: other address and port`.
    pub test: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// The socket's own address.
    pub local_address: Option<String>,
    /// Where it was sent to.
    pub sent_to: String,
    /// Where its answer was to come from.
    pub answer_expected_from: String,
    /// How often it was sent.
    pub sent: u32,
    /// `answered`, `refused`, `silent` or `unfinished`.
    pub result: &'static str,
    /// The code of the refusal.
    pub error_code: Option<u16>,
    /// What the server saw.
    pub mapped_address: Option<String>,
    /// Seconds from sending to the answer, where it is certain which transmission was answered.
    pub round_trip_time: Option<f64>,
    /// Answers that came from elsewhere than they should: they do not count.
    pub rejected: u32,
    /// Where the last of those came from.
    pub rejected_from: Option<String>,
}
