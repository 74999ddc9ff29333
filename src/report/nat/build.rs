//! From outcomes to the document.

use std::time::Duration;

use super::{
    document::{Behaviour, Confidences, Connection, NatReport, Path, Peer, Server, Test},
    findings,
};
use crate::{
    probe::{
        Transport,
        message::Change,
        nat::{
            Arrival, Confidence, Evidence, Filtering, Kind, Mapping, NatType, Outcome, ServerOutcome, Verdict,
            with_peer,
        },
    },
    report::document::{SCHEMA_VERSION, Tool},
};

/// What is known when a check is over.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The paths, IPv4 first.
    pub paths: Vec<Checked>,
    /// Servers whose names have no address.
    pub unresolved: Vec<Unresolved>,
    /// How long it took.
    pub duration: Duration,
    /// Whether the user ended it.
    pub interrupted: bool,
}

/// A path and what was found on it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The interface, where one was named.
    pub interface: Option<String>,
    /// 4 or 6.
    pub ip_version: u8,
    /// What was found.
    pub outcome: Outcome,
}

/// A server that could not be asked.
#[derive(Clone, Debug)]
pub struct Unresolved {
    /// As it was named.
    pub name: String,
    /// How it was to be talked to.
    pub transport: Transport,
    /// Why it could not.
    pub error: String,
}

/// Makes the report.
#[must_use]
pub fn build(input: &Input) -> NatReport {
    let best = input.paths.iter().map(|path| path.outcome.verdict).min().unwrap_or(Verdict::Unknown);
    let known = |path: &&Checked| !path.outcome.mapped.is_empty() || path.outcome.nat_type.is_some();
    let shown = input.paths.iter().find(known).or(input.paths.first());
    let unresolved = input.unresolved.iter().map(unresolved);
    let servers = input.paths.iter().flat_map(|path| &path.outcome.servers).map(server).chain(unresolved);
    NatReport {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        verdict: connection(best),
        advice: findings::advice(input, best).to_owned(),
        behaviour: shown.map_or_else(nothing, |path| behaviour(&path.outcome)),
        servers: servers.collect(),
        paths: input.paths.iter().map(path).collect(),
        findings: findings::all(input),
        evidence: input.paths.iter().flat_map(|path| &path.outcome.evidence).map(test).collect(),
        duration: input.duration.as_secs_f64(),
        interrupted: input.interrupted,
        error: findings::error(input),
    }
}

fn path(path: &Checked) -> Path {
    Path {
        interface: path.interface.clone(),
        ip_version: path.ip_version,
        verdict: connection(path.outcome.verdict),
        behaviour: behaviour(&path.outcome),
    }
}

fn behaviour(outcome: &Outcome) -> Behaviour {
    let seconds = |time: Duration| time.as_secs_f64();
    Behaviour {
        local_address: outcome.local.map(|local| local.to_string()),
        mapped_addresses: outcome.mapped.iter().map(ToString::to_string).collect(),
        mapping: outcome.mapping.value.map_or(UNKNOWN, mapping_name),
        filtering: outcome.filtering.value.map_or(UNKNOWN, filtering_name),
        nat_type: outcome.nat_type.map_or(UNKNOWN, nat_type_name),
        confidence: Confidences {
            mapping: outcome.mapping.confidence.map(confidence_name),
            filtering: outcome.filtering.confidence.map(confidence_name),
        },
        hairpin: outcome.hairpin,
        port_preservation: outcome.port_preservation,
        port_delta: outcome.port_delta,
        binding_lifetime: outcome.lifetime.map(|lifetime| seconds(lifetime.at_least)),
        binding_lifetime_below: outcome.lifetime.and_then(|lifetime| lifetime.less_than).map(seconds),
        fragments: outcome.fragments,
        peers: NatType::ALL.iter().map(|peer| meeting(outcome, *peer)).collect(),
    }
}

/// Of no path at all.
fn nothing() -> Behaviour {
    Behaviour {
        local_address: None,
        mapped_addresses: Vec::new(),
        mapping: UNKNOWN,
        filtering: UNKNOWN,
        nat_type: UNKNOWN,
        confidence: Confidences { mapping: None, filtering: None },
        hairpin: None,
        port_preservation: None,
        port_delta: None,
        binding_lifetime: None,
        binding_lifetime_below: None,
        fragments: None,
        peers: Vec::new(),
    }
}

fn meeting(own: &Outcome, peer: NatType) -> Peer {
    Peer { nat_type: nat_type_name(peer), connection: connection(with_peer(own, peer)) }
}

fn server(outcome: &ServerOutcome) -> Server {
    Server {
        name: outcome.server.name.clone(),
        address: Some(outcome.server.address.to_string()),
        transport: outcome.server.transport.name(),
        fallback: outcome.fallback,
        round_trip_time: outcome.round_trip.map(|time| time.as_secs_f64()),
        lost: outcome.lost,
        mapped_address: outcome.mapped.map(|mapped| mapped.to_string()),
        other_address: outcome.other.map(|other| other.to_string()),
        software: outcome.software.clone(),
        error: outcome.error.as_ref().map(ToString::to_string),
    }
}

fn unresolved(server: &Unresolved) -> Server {
    Server {
        name: server.name.clone(),
        address: None,
        transport: server.transport.name(),
        fallback: false,
        round_trip_time: None,
        lost: None,
        mapped_address: None,
        other_address: None,
        software: None,
        error: Some(server.error.clone()),
    }
}

fn test(evidence: &Evidence) -> Test {
    let (result, error_code) = match evidence.arrival {
        Arrival::Answered => ("answered", None),
        Arrival::Refused(code) => ("refused", Some(code)),
        Arrival::Silent => ("silent", None),
        Arrival::Unfinished => ("unfinished", None),
    };
    Test {
        test: kind_name(evidence.kind),
        transport: evidence.transport.name(),
        local_address: evidence.local.map(|local| local.to_string()),
        sent_to: evidence.to.to_string(),
        answer_expected_from: evidence.answer_from.to_string(),
        sent: evidence.sent,
        result,
        error_code,
        mapped_address: evidence.mapped.map(|mapped| mapped.to_string()),
        round_trip_time: evidence.round_trip.map(|time| time.as_secs_f64()),
        rejected: evidence.rejected.map_or(0, |(count, _)| count),
        rejected_from: evidence.rejected.map(|(_, from)| from.to_string()),
    }
}

const UNKNOWN: &str = "unknown";

const fn mapping_name(mapping: Mapping) -> &'static str {
    match mapping {
        Mapping::NoNat => "no-nat",
        Mapping::EndpointIndependent => "endpoint-independent",
        Mapping::AddressDependent => "address-dependent",
        Mapping::AddressAndPortDependent => "address-and-port-dependent",
    }
}

const fn filtering_name(filtering: Filtering) -> &'static str {
    match filtering {
        Filtering::EndpointIndependent => "endpoint-independent",
        Filtering::AddressDependent => "address-dependent",
        Filtering::AddressAndPortDependent => "address-and-port-dependent",
    }
}

const fn nat_type_name(nat_type: NatType) -> &'static str {
    match nat_type {
        NatType::OpenInternet => "open-internet",
        NatType::SymmetricFirewall => "symmetric-firewall",
        NatType::FullCone => "full-cone",
        NatType::RestrictedCone => "restricted-cone",
        NatType::PortRestrictedCone => "port-restricted-cone",
        NatType::Symmetric => "symmetric",
        NatType::UdpBlocked => "udp-blocked",
    }
}

const fn confidence_name(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}

const fn connection(verdict: Verdict) -> Connection {
    match verdict {
        Verdict::Direct => Connection::Direct,
        Verdict::Relay => Connection::Relay,
        Verdict::Unknown => Connection::Unknown,
    }
}

fn kind_name(kind: Kind) -> String {
    let (name, change) = match kind {
        Kind::Binding => ("binding", None),
        Kind::Refusal => ("refusal", None),
        Kind::Stream => ("stream", None),
        Kind::Mapping(change) => ("mapping", Some(change)),
        Kind::Filtering(change) => ("filtering", Some(change)),
        Kind::Opening(change) => ("filter opened", Some(change)),
        Kind::Control(change) => ("filtering, opened", Some(change)),
        Kind::HairpinBinding => ("hairpin binding", None),
        Kind::Hairpin => ("hairpin", None),
        Kind::Fragments => ("fragments", None),
        Kind::LifetimeBinding => ("lifetime binding", None),
        Kind::Lifetime => ("lifetime", None),
    };
    match change {
        None => name.to_owned(),
        Some(Change::BOTH) => format!("{name}: other address and port"),
        Some(Change::ADDRESS) => format!("{name}: other address"),
        Some(Change::PORT) => format!("{name}: other port"),
        Some(_) => format!("{name}: first address"),
    }
}
