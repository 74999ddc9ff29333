//! What a check has found, in the words of RFC 4787 and RFC 3489.

use std::{net::SocketAddr, time::Duration};

use super::{Evidence, Server};
use crate::probe::Failure;

/// What a check has found on one path. What is not known is `None`.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// This end's own address.
    pub local: Option<SocketAddr>,
    /// Where servers saw it, each once, as they were first seen.
    pub mapped: Vec<SocketAddr>,
    /// How the NAT maps.
    pub mapping: Judged<Mapping>,
    /// How the NAT, or a firewall, filters.
    pub filtering: Judged<Filtering>,
    /// The name of RFC 3489.
    pub nat_type: Option<NatType>,
    /// Whether packets to a mapped address of this host come back to it (RFC 4787 REQ-9).
    pub hairpin: Option<bool>,
    /// Whether mapped ports are the sockets' own (RFC 4787 section 4.2.1).
    pub port_preservation: Option<bool>,
    /// The step from each mapped port to the next, where it is the same for all.
    pub port_delta: Option<i32>,
    /// How long an idle binding lives.
    pub lifetime: Option<Lifetime>,
    /// Whether fragments pass both ways.
    pub fragments: Option<bool>,
    /// Whether two peers like this one can talk.
    pub verdict: Verdict,
    /// Each server, as named, and then the fallbacks.
    pub servers: Vec<ServerOutcome>,
    /// What else the packets show.
    pub remarks: Vec<Remark>,
    /// The tests.
    pub evidence: Vec<Evidence>,
}

/// A result and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged<T> {
    /// The result; `None` where it is not known.
    pub value: Option<T>,
    /// How sure it is; `None` of what is not known.
    pub confidence: Option<Confidence>,
}

impl<T> Judged<T> {
    pub(super) const UNKNOWN: Self = Self { value: None, confidence: None };

    pub(super) const fn new(value: T, confidence: Confidence) -> Self {
        Self { value: Some(value), confidence: Some(confidence) }
    }
}

/// How sure a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The tests do not all agree.
    Low,
    /// One test says so, or silence that could not be shown to be a filter.
    Medium,
    /// Shown by answers, and silence by its counterproof.
    High,
}

/// How a NAT maps an internal address and port to an external one (RFC 4787 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mapping {
    /// There is no NAT.
    NoNat,
    /// The same for every destination.
    EndpointIndependent,
    /// Another for each destination address.
    AddressDependent,
    /// Another for each destination address and port.
    AddressAndPortDependent,
}

/// Whom a NAT or firewall lets in to a mapped address (RFC 4787 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filtering {
    /// Everybody.
    EndpointIndependent,
    /// Addresses that were written to.
    AddressDependent,
    /// Addresses and ports that were written to.
    AddressAndPortDependent,
}

/// The names of RFC 3489 section 5, and those of its section 10.1 for what is no NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatType {
    /// No NAT and no filter.
    OpenInternet,
    /// No NAT, and a firewall that lets answers in only.
    SymmetricFirewall,
    /// Endpoint-independent in both.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering.
    RestrictedCone,
    /// Endpoint-independent mapping, address-and-port-dependent filtering.
    PortRestrictedCone,
    /// The mapping depends on the destination.
    Symmetric,
    /// No UDP comes back, and TCP does.
    UdpBlocked,
}

impl NatType {
    /// The name for a mapping and a filtering behaviour; `None` where they do not tell.
    #[must_use]
    pub const fn of(mapping: Mapping, filtering: Option<Filtering>) -> Option<Self> {
        Some(match (mapping, filtering) {
            (Mapping::AddressDependent | Mapping::AddressAndPortDependent, _) => Self::Symmetric,
            (_, None) => return None,
            (Mapping::NoNat, Some(Filtering::EndpointIndependent)) => Self::OpenInternet,
            (Mapping::NoNat, Some(_)) => Self::SymmetricFirewall,
            (Mapping::EndpointIndependent, Some(Filtering::EndpointIndependent)) => Self::FullCone,
            (Mapping::EndpointIndependent, Some(Filtering::AddressDependent)) => Self::RestrictedCone,
            (Mapping::EndpointIndependent, Some(Filtering::AddressAndPortDependent)) => Self::PortRestrictedCone,
        })
    }

    /// All, from the most open to the most closed.
    pub const ALL: [Self; 7] = [
        Self::OpenInternet,
        Self::FullCone,
        Self::RestrictedCone,
        Self::PortRestrictedCone,
        Self::SymmetricFirewall,
        Self::Symmetric,
        Self::UdpBlocked,
    ];

    /// How such a peer is met.
    const fn peer(self) -> Peer {
        match self {
            Self::OpenInternet | Self::FullCone | Self::RestrictedCone => Peer::Predictable { port_filtered: false },
            Self::PortRestrictedCone | Self::SymmetricFirewall => Peer::Predictable { port_filtered: true },
            Self::Symmetric => Peer::Unpredictable,
            Self::UdpBlocked => Peer::Closed,
        }
    }
}

/// What matters of a peer when two write to each other at the same time (ICE, RFC 8445).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// Its address is known beforehand.
    Predictable {
        /// Whether it lets in only ports that it has written to.
        port_filtered: bool,
    },
    /// Its port towards another is not the one that a server saw.
    Unpredictable,
    /// No UDP reaches it.
    Closed,
}

/// Whether two peers can talk without a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// They can.
    Direct,
    /// Only a relay (TURN) gets through.
    Relay,
    /// That is not known.
    Unknown,
}

/// What happens between an end as found and a peer of some type: one whose port nobody can know cannot be let in by a
/// filter that looks at ports.
#[must_use]
pub fn with_peer(own: &Outcome, peer: NatType) -> Verdict {
    let own = match (own.nat_type, own.mapping.value) {
        (Some(own), _) => Some(own.peer()),
        // The filter is not known: it matters only for a peer whose port is not known.
        (None, Some(Mapping::NoNat | Mapping::EndpointIndependent)) => None,
        (None, _) => return if peer == NatType::UdpBlocked { Verdict::Relay } else { Verdict::Unknown },
    };
    match (own, peer.peer()) {
        (Some(Peer::Closed), _) | (_, Peer::Closed) => Verdict::Relay,
        (Some(Peer::Unpredictable), Peer::Unpredictable) => Verdict::Relay,
        (Some(Peer::Unpredictable), Peer::Predictable { port_filtered })
        | (Some(Peer::Predictable { port_filtered }), Peer::Unpredictable) => {
            if port_filtered {
                Verdict::Relay
            } else {
                Verdict::Direct
            }
        }
        (None, Peer::Unpredictable) => Verdict::Unknown,
        (_, Peer::Predictable { .. }) => Verdict::Direct,
    }
}

/// How long an idle binding lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// It was still there after so long.
    pub at_least: Duration,
    /// It was gone after so long; `None` where it outlived the test.
    pub less_than: Option<Duration>,
}

/// How a server fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOutcome {
    /// Which.
    pub server: Server,
    /// Whether it was tried only because UDP was silent.
    pub fallback: bool,
    /// Its shortest round trip.
    pub round_trip: Option<Duration>,
    /// Requests to its address that brought no answer of their own, of those that should have; `None` where none did.
    pub lost: Option<u32>,
    /// Where it saw us.
    pub mapped: Option<SocketAddr>,
    /// Where else it says that it is.
    pub other: Option<SocketAddr>,
    /// What it says that it is.
    pub software: Option<String>,
    /// What went wrong.
    pub error: Option<ServerError>,
}

/// What went wrong with a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Nothing came back.
    #[error("no answer to {0} requests")]
    Silent(u32),
    /// The socket or connection failed.
    #[error("{0}")]
    Failed(Failure),
    /// It answered with an error.
    #[error("it refused with error {0}")]
    Refused(u16),
    /// It was not asked before the check ended.
    #[error("it was not asked before the check was ended")]
    NotAsked,
    /// It was asked, and the check ended.
    #[error("no answer before the check was ended")]
    Unfinished,
}

/// What else the packets show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The local address is one that carriers use behind their NATs.
    CarrierGradeLocal(SocketAddr),
    /// The address that servers saw is a carrier's or a private one: another NAT is to come, or the server is inside.
    NotPublic(SocketAddr),
    /// Servers at different places saw addresses of different reach: two NATs in a row.
    TwoNats {
        /// Seen from inside.
        inner: SocketAddr,
        /// Seen from outside.
        outer: SocketAddr,
    },
    /// Servers saw different IP addresses (RFC 4787 REQ-2: "Paired" pooling is what applications expect).
    SeveralAddresses,
    /// Two sockets were mapped in different ways, as where two want the same port.
    MappingVaries,
    /// The mapping depends on the destination; on what of it these servers cannot tell.
    DependsOnSomething,
    /// Something on the way rewrites addresses inside packets (RFC 5780 section 3.6).
    Rewritten {
        /// What it made of it.
        plain: SocketAddr,
        /// What the server saw.
        mapped: SocketAddr,
    },
    /// No server says where else it is, so nothing can be said of filters.
    NoAlternate,
    /// What a server calls its other address cannot be one.
    UselessAlternate {
        /// The server.
        server: SocketAddr,
        /// What it said.
        other: SocketAddr,
    },
    /// The second address does not answer by itself.
    AlternateSilent {
        /// The server.
        server: SocketAddr,
        /// What it said.
        other: SocketAddr,
    },
    /// A server that says where else it is does not answer from there when asked to.
    ChangeIgnored {
        /// The server.
        server: SocketAddr,
        /// Where it answered from instead, if it answered.
        from: Option<SocketAddr>,
    },
    /// The filter looks at ports and not at addresses.
    FiltersPortsOnly,
    /// Hairpinned packets keep their internal source address (RFC 4787 REQ-9 a).
    HairpinInternal,
    /// Packets are lost on the way: of so many that should have been answered, so many were not.
    Lossy {
        /// Not answered.
        lost: u32,
        /// Sent.
        sent: u32,
    },
    /// Datagrams came that were no STUN messages that say anything.
    Malformed(u32),
}
