//! A call.

use serde::Serialize;

use super::{Communicating, Connecting, Securing, Signalling, Verdict};

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
    /// As RFC 5952 writes it; `null` of a peer that only a TURN channel stands for.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// The channel to a peer whose address the capture does not show: it was bound before.
    pub channel: Option<u16>,
    /// `peer` or `relay`; `signalling` where a call left no trace but its signalling.
    pub role: &'static str,
}
