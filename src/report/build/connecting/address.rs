//! Which end is local, and what the addresses are.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{first_check, ices};
use crate::{
    flow::{FlowRecord, transaction::RoundTrip},
    report::document::{Candidate, CandidatePair},
    time::NANOS_PER_MILLI,
    wire::{Endpoint, scope},
};

/// What the call's flows tell of its addresses.
pub(super) struct Place {
    /// Addresses of the local host.
    local: BTreeSet<IpAddr>,
    /// Addresses that TURN servers lent: by client and server.
    relayed: BTreeMap<(Endpoint, Endpoint), Endpoint>,
    /// Addresses of TURN servers that lent some.
    servers: BTreeSet<IpAddr>,
    /// Addresses that servers saw local ends at.
    mapped: BTreeMap<Endpoint, Endpoint>,
}

impl Place {
    /// The local host is the one that asks a TURN or STUN server. Where several do, or none, the one whose packets come
    /// over no router while the other's do; else the one that answers much faster than the other; else the one that
    /// sent the call's first check.
    pub(super) fn of(flows: &[&FlowRecord]) -> Self {
        let mut clients = BTreeSet::new();
        let (mut relayed, mut mapped, mut servers) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for (flow, ice) in ices(flows) {
            let asking = (0..2).filter(|direction| {
                ice.questions.get(*direction).is_some_and(|questions| questions.sent > 0) && !ice.is_ice()
            });
            clients.extend(asking.map(|direction| flow.key.source(direction).ip()));
            for (direction, address, _) in &ice.mapped {
                mapped.entry(*address).or_insert(flow.key.source(*direction));
            }
        }
        for flow in flows {
            let Some(turn) = &flow.turn else { continue };
            let Some(direction) = turn.client else { continue };
            let (client, server) = (flow.key.source(direction), flow.key.destination(direction));
            clients.insert(client.ip());
            for allocation in &turn.allocations {
                servers.insert(server.ip());
                relayed.insert((client, server), allocation.relayed);
                mapped.extend(allocation.mapped.map(|mapped| (mapped, client)));
            }
        }
        relayed.extend(unseen_allocations(flows, &relayed));
        servers.extend(relayed.keys().map(|(_, server): &(Endpoint, Endpoint)| server.ip()));
        let first_checker = || {
            let first =
                ices(flows).filter_map(|(flow, ice)| Some((first_check(ice)?, flow, ice))).min_by_key(|one| one.0)?;
            let (moment, flow, ice) = first;
            let direction = ice.checks.iter().position(|checks| checks.requests.first == Some(moment))?;
            Some(flow.key.source(direction).ip())
        };
        let first_sender = || flows.iter().min_by_key(|flow| flow.first).map(|flow| flow.key.source(flow.first.2).ip());
        let mut local = match clients.len() {
            1 => clients,
            _ => at_the_tap(flows)
                .or_else(|| nearer(flows))
                .or_else(first_checker)
                .or_else(first_sender)
                .into_iter()
                .collect(),
        };
        local.extend(other_addresses(flows, &local));
        Self { local, relayed, servers, mapped }
    }

    /// The direction in which the local end of a flow sends.
    pub(super) fn local_direction(&self, flow: &FlowRecord) -> usize {
        let is_local = |end: Endpoint| self.local.contains(&end.ip());
        match (is_local(flow.key.low), is_local(flow.key.high)) {
            (true, false) => 0,
            (false, true) => 1,
            _ => self.client_direction(flow).unwrap_or(flow.first.2),
        }
    }

    /// The local and the remote end of a flow. The local end of a relayed flow is what its server lends.
    pub(super) fn ends(&self, flow: &FlowRecord) -> (Candidate, Candidate) {
        let direction = self.local_direction(flow);
        let (local, remote) = (flow.key.source(direction), flow.key.destination(direction));
        let lent = |end: Endpoint| self.lent(end, flow.key.relay?);
        // With the tap at the remote end the relay is the remote end's.
        let is_remote_relay = self.client_direction(flow).is_some_and(|client| client != direction);
        let (local, remote) = match (flow.key.relay.is_some(), is_remote_relay) {
            (true, true) => (self.end(flow, local, "local"), self.candidate(lent(remote).unwrap_or(remote), "remote")),
            _ => (self.candidate(lent(local).unwrap_or(local), "local"), self.end(flow, remote, "remote")),
        };
        (local, remote)
    }

    /// The address that `server` lends to `client`, as far as the capture tells.
    pub(super) fn lent(&self, client: Endpoint, server: Endpoint) -> Option<Endpoint> {
        self.relayed.get(&(client, server)).copied()
    }

    /// An end that no server stands for: an address, or the channel of a peer that is not known.
    fn end(&self, flow: &FlowRecord, end: Endpoint, agent: &'static str) -> Candidate {
        match flow.key.channel(end) {
            Some(number) => {
                Candidate { agent, channel: Some(number), kind: "unknown", scope: "unknown", ..Candidate::default() }
            }
            None => self.candidate(end, agent),
        }
    }

    /// The agents' candidates: the ends of the pairs, what servers saw and lent, what checks brought to light.
    pub(super) fn candidates(&self, pairs: &[CandidatePair]) -> Vec<Candidate> {
        let mut candidates: BTreeSet<Candidate> = pairs
            .iter()
            .flat_map(|pair| [&pair.local, &pair.remote])
            .filter(|end| end.address.is_some())
            .cloned()
            .collect();
        let agent = |base: &Endpoint| if self.local.contains(&base.ip()) { "local" } else { "remote" };
        for (mapped, base) in &self.mapped {
            candidates.insert(self.candidate(*base, agent(base)));
            if mapped != base {
                candidates.insert(candidate(*mapped, agent(base), "srflx"));
            }
        }
        for ((client, _), lent) in &self.relayed {
            candidates.insert(candidate(*lent, agent(client), "relay"));
        }
        for pair in pairs {
            if let (Some(address), Some(port)) = (&pair.reflexive_address, pair.reflexive_port)
                && let Ok(ip) = address.parse::<IpAddr>()
            {
                let known =
                    candidates.iter().any(|one| one.address.as_ref() == Some(address) && one.port == Some(port));
                let reflexive = Endpoint::from(std::net::SocketAddr::new(ip, port));
                candidates.extend((!known).then(|| candidate(reflexive, "local", "prflx")));
            }
        }
        candidates.into_iter().take(super::PAIRS).collect()
    }

    /// The direction in which the client of a relayed flow sends.
    fn client_direction(&self, flow: &FlowRecord) -> Option<usize> {
        let relay = flow.key.relay?;
        (0..2).find(|direction| self.relayed.contains_key(&(flow.key.source(*direction), relay)))
    }

    fn candidate(&self, end: Endpoint, agent: &'static str) -> Candidate {
        let kind = match () {
            () if self.relayed.values().any(|lent| *lent == end) => "relay",
            () if self.mapped.get(&end).is_some_and(|base| *base != end) => "srflx",
            // The other agent has its relay at the same server, which may be a local host of others.
            () if agent == "remote" && self.servers.contains(&end.ip()) => "relay",
            () if self.local.contains(&end.ip()) => "host",
            () if self.servers.contains(&end.ip()) => "relay",
            // An address that is valid only nearby is the host's own; a public one may be, or a NAT's.
            () if scope(end.ip()) != "public" => "host",
            () => "unknown",
        };
        candidate(end, agent, kind)
    }
}

/// The end of a flow whose packets still have the time to live that hosts begin with, where the other's have less.
fn at_the_tap(flows: &[&FlowRecord]) -> Option<IpAddr> {
    let direct = flows.iter().filter(|flow| flow.key.relay.is_none());
    direct.max_by_key(|flow| flow.packets.iter().sum::<u64>()).and_then(|flow| match flow.hop_limits.map(routers) {
        [Some(0), Some(1..)] => Some(flow.key.low.ip()),
        [Some(1..), Some(0)] => Some(flow.key.high.ip()),
        _ => None,
    })
}

/// Routers that a packet came over, by its time to live: hosts begin with one of these.
fn routers(hop_limit: u8) -> Option<u8> {
    [64, 128, 255]
        .into_iter()
        .find(|initial| *initial >= hop_limit)
        .filter(|_| hop_limit > 0)
        .map(|initial| initial - hop_limit)
}

/// What the local agent's checks have in them and no other's have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark<'a> {
    /// Its user fragment.
    Fragment(&'a str),
    /// Its tie-breaker.
    TieBreaker(u64),
}

/// Addresses that use the marks of the local agent, as a host of two interfaces or of two address families does, or one
/// that roams.
fn other_addresses(flows: &[&FlowRecord], local: &BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
    let mut marks: Vec<(IpAddr, IpAddr, Mark<'_>)> = Vec::new();
    for (flow, ice) in ices(flows) {
        let (low, high) = (flow.key.low.ip(), flow.key.high.ip());
        for generation in &ice.generations {
            let fragments = [(low, high, &*generation.low), (high, low, &*generation.high)];
            let known = fragments.into_iter().filter(|(_, _, fragment)| !fragment.is_empty());
            marks.extend(known.map(|(own, other, fragment)| (own, other, Mark::Fragment(fragment))));
        }
        for (checks, (own, other)) in ice.checks.iter().zip([(low, high), (high, low)]) {
            marks.extend(checks.role.map(|(_, tie_breaker)| (own, other, Mark::TieBreaker(tie_breaker))));
        }
    }
    let own = marks.iter().filter(|(own, other, _)| local.contains(own) && !local.contains(other));
    let own: BTreeSet<Mark<'_>> = own.map(|(_, _, mark)| *mark).collect();
    marks.iter().filter(|(_, _, mark)| own.contains(mark)).map(|(address, ..)| *address).collect()
}

/// The end that answers at least `NEARER` times faster than the other: the tap is at it. Of each end's answers the
/// fastest counts, as an agent may be busy.
fn nearer(flows: &[&FlowRecord]) -> Option<IpAddr> {
    const ANSWERS: u64 = 3;
    const NEARER: i64 = 4;
    const FAR: i64 = 5 * NANOS_PER_MILLI;
    ices(flows).find_map(|(flow, ice)| {
        let [low, high] = ice.checks.each_ref().map(|checks| checks.requests.round_trip);
        let near = |one: RoundTrip, other: RoundTrip| other.min >= FAR && other.min / NEARER > one.min;
        // Checks of the low end are answered by the high one.
        match (low.count.min(high.count) >= ANSWERS, near(low, high), near(high, low)) {
            (true, true, _) => Some(flow.key.high.ip()),
            (true, _, true) => Some(flow.key.low.ip()),
            _ => None,
        }
    })
}

/// Addresses that servers lent before the capture began: where the peers see the client whose checks a relay passed on.
fn unseen_allocations(
    flows: &[&FlowRecord],
    known: &BTreeMap<(Endpoint, Endpoint), Endpoint>,
) -> BTreeMap<(Endpoint, Endpoint), Endpoint> {
    let clients: BTreeSet<(Endpoint, Endpoint)> = flows
        .iter()
        .filter_map(|flow| flow.turn.as_deref()?.client.map(|way| (flow.key.source(way), flow.key.destination(way))))
        .collect();
    let mut lent = BTreeMap::new();
    for (flow, ice) in ices(flows) {
        let Some(server) = flow.key.relay else { continue };
        for (direction, checks) in ice.checks.iter().enumerate() {
            let of = (flow.key.source(direction), server);
            if let Some((seen, _)) = checks.reflexive.filter(|_| clients.contains(&of) && !known.contains_key(&of)) {
                lent.entry(of).or_insert(seen);
            }
        }
    }
    lent
}

fn candidate(end: Endpoint, agent: &'static str, kind: &'static str) -> Candidate {
    let (address, port) = (Some(end.ip().to_string()), Some(end.port()));
    Candidate { agent, address, port, channel: None, kind, scope: scope(end.ip()) }
}
