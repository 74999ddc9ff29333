//! What TURN servers granted and refused.

use serde::Serialize;

use super::{PacketRef, StunError};

/// One client and its TURN server.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnServer {
    /// The server.
    pub server: String,
    /// The client.
    pub client: String,
    /// `udp`, `tcp`, or `tls` where keys opened it: between the two.
    pub transport: String,
    /// The user that the client names.
    pub username: Option<String>,
    /// The server's realm.
    pub realm: Option<String>,
    /// SOFTWARE of the server.
    pub software: Option<String>,
    /// The address lent, of the latest allocation. Where the capture began later, the address at which peers see the
    /// client through the relay; `null` where nothing tells it.
    pub relayed_address: Option<String>,
    /// Its port.
    pub relayed_port: Option<u16>,
    /// The client's address as the server sees it.
    pub mapped_address: Option<String>,
    /// Its port.
    pub mapped_port: Option<u16>,
    /// Seconds granted.
    pub lifetime: Option<u32>,
    /// Refreshes that succeeded.
    pub refreshes: u64,
    /// Whether it ended by its lifetime while the flow went on.
    pub expired: bool,
    /// Allocate requests that were granted; some servers do not tell the address lent.
    pub allocations_granted: u64,
    /// All allocations whose address was told, in order.
    pub allocations: Vec<TurnAllocation>,
    /// Peers that may send.
    pub permissions: Vec<TurnPermission>,
    /// Channels that the server agreed to, or that carried something without a word of it in the capture.
    pub channels: Vec<TurnChannel>,
    /// Answers with an error. A 401 to a request without credentials is among them: see `challenges`.
    pub errors: Vec<StunError>,
    /// Answers 401 to requests without credentials: how every conversation starts.
    pub challenges: u64,
    /// Answers 401 to requests with credentials.
    pub refusals: u64,
    /// Answers 438.
    pub stale_nonces: u64,
    /// The most of them without a success between; more than two is a loop.
    pub longest_stale_run: u64,
    /// Different nonces that the server gave.
    pub nonces: u64,
    /// Requests.
    pub requests: u64,
    /// Requests sent again.
    pub retransmissions: u64,
    /// Requests that were answered, with success or with an error.
    pub responses: u64,
    /// Requests without an answer; the capture's last 500 ms do not count.
    pub unanswered: u64,
    /// Seconds from Allocate to its answer, the last.
    pub round_trip_time: Option<f64>,
    /// Datagrams carried, both ways.
    pub packets_relayed: u64,
    /// Their bytes.
    pub bytes_relayed: u64,
    /// The same by peer.
    pub peers: Vec<TurnPeer>,
    /// The first packet of TURN.
    pub first_packet: Option<PacketRef>,
}

/// One allocation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnAllocation {
    /// The address lent.
    pub relayed_address: String,
    /// Its port.
    pub relayed_port: u16,
    /// The client's address as the server sees it.
    pub mapped_address: Option<String>,
    /// Its port.
    pub mapped_port: Option<u16>,
    /// Seconds granted last.
    pub lifetime: Option<u32>,
    /// Refreshes that succeeded.
    pub refreshes: u64,
    /// When it was granted.
    pub granted_time: f64,
    /// The answer that granted it.
    pub packet: PacketRef,
    /// When the client gave it back.
    pub deleted_time: Option<f64>,
    /// Whether it ended by its lifetime while the flow went on.
    pub expired: bool,
}

/// Leave for a peer to send through the relay.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnPermission {
    /// The peer's address.
    pub peer: String,
    /// How often it was granted.
    pub grants: u64,
    /// The answer that granted it first.
    pub packet: PacketRef,
    /// When it ended without a refresh (300 s, RFC 8656 section 9), in seconds, if nothing came from the peer after that
    /// though the client went on sending.
    pub lapsed_time: Option<f64>,
}

/// A channel to a peer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnChannel {
    /// Its number.
    pub number: u16,
    /// Where it leads; `null` of one that was bound before the capture began.
    pub peer: Option<String>,
    /// How often it was bound anew.
    pub refreshes: u64,
    /// The answer that bound it first; `null` where that was before.
    pub packet: Option<PacketRef>,
    /// When it ended without a refresh (600 s, RFC 8656 section 12), as of a permission.
    pub lapsed_time: Option<f64>,
}

/// What was carried for one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnPeer {
    /// The peer; its channel where the capture does not name it.
    pub peer: String,
    /// Datagrams to it.
    pub packets_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Datagrams from it.
    pub packets_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
}
