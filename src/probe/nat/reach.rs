//! Test I: a Binding request to each server, from one socket.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Config,
    probes::{Kind, Probe, Probes, State, TestId},
};
use crate::probe::{SocketId, Transport};

/// How long one server is waited for before the next is asked too.
const PATIENCE: Duration = Duration::from_millis(300);

/// Who answers, and where we are seen.
#[derive(Debug)]
pub(super) struct Reach {
    /// The servers that speak UDP: number and address.
    servers: Vec<(usize, SocketAddr)>,
    /// Whether all are asked at once.
    at_once: bool,
    socket: Option<SocketId>,
    /// The tests, in the order of the servers.
    tests: Vec<TestId>,
    asked_at: Duration,
    held: bool,
    done: bool,
}

impl Reach {
    pub(super) fn new(config: &Config) -> Self {
        let servers = config.servers.iter().enumerate().filter(|(_, server)| server.transport == Transport::Udp);
        Self {
            servers: servers.map(|(number, server)| (number, server.address)).collect(),
            at_once: config.plain,
            socket: None,
            tests: Vec::new(),
            asked_at: Duration::ZERO,
            held: false,
            done: false,
        }
    }

    /// Asks the next server. While a filter is being tested (`hold`) none is asked: it might be the second address of
    /// the one that tests it.
    pub(super) fn advance(&mut self, config: &Config, probes: &mut Probes, hold: bool, now: Duration) {
        self.held = hold;
        while !hold && self.may_go_on(probes, now) {
            let Some((number, address)) = self.servers.get(self.tests.len()).copied() else { break };
            let Some(server) = config.servers.get(number) else { break };
            let socket = *self.socket.get_or_insert_with(|| probes.open(server, false));
            self.tests.push(probes.start(now, Probe::plain(Kind::Binding, number, socket, address)));
            self.asked_at = now;
            // With a second address it is asked about filters first.
            if !self.at_once {
                break;
            }
        }
        let all_asked = self.tests.len() == self.servers.len();
        self.done = all_asked && self.tests.iter().all(|test| probes.is_over(*test));
    }

    fn may_go_on(&self, probes: &Probes, now: Duration) -> bool {
        let Some(last) = self.tests.last() else { return true };
        self.at_once || probes.is_over(*last) || now >= self.asked_at + PATIENCE
    }

    pub(super) fn wake(&self) -> Option<Duration> {
        let more = self.tests.len() < self.servers.len() && !self.held && !self.tests.is_empty();
        more.then(|| self.asked_at + PATIENCE)
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// The socket of these tests.
    pub(super) const fn socket(&self) -> Option<SocketId> {
        self.socket
    }

    /// Whether there is anything to reach over UDP.
    pub(super) fn has_servers(&self) -> bool {
        !self.servers.is_empty()
    }

    /// Whether any server has answered anything.
    pub(super) fn is_answered(&self, probes: &Probes) -> bool {
        self.tests.iter().any(|test| !matches!(probes.state(*test), State::Pending | State::Silent))
    }

    /// The first server that answered: its number, its address and what it saw.
    pub(super) fn first(&self, probes: &Probes) -> Option<(usize, SocketAddr, SocketAddr)> {
        let mut answered = self.tests.iter().filter(|test| probes.is_answered(**test));
        answered.find_map(|test| {
            let probe = probes.test(*test)?.probe;
            Some((probe.server, probe.to, probes.mapped(*test)?))
        })
    }

    /// The servers that say where else they are, and can be there: number, address and other address.
    pub(super) fn with_alternate<'a>(
        &'a self,
        probes: &'a Probes,
    ) -> impl Iterator<Item = (usize, SocketAddr, SocketAddr)> + 'a {
        self.tests.iter().filter_map(|id| {
            let test = probes.test(*id)?;
            let other = test.answer.as_ref()?.other?;
            is_usable(test.probe.to, other).then_some((test.probe.server, test.probe.to, other))
        })
    }
}

/// Whether an OTHER-ADDRESS can be one: another address and another port (RFC 5780 section 7.4), that can be reached
/// from where the first one is.
pub(super) fn is_usable(server: SocketAddr, other: SocketAddr) -> bool {
    other.ip() != server.ip()
        && other.port() != server.port()
        && other.port() != 0
        && other.is_ipv4() == server.is_ipv4()
        && scope(other.ip()) == scope(server.ip())
}

/// How far an address is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Nowhere,
    Host,
    /// Private networks of all kinds, carriers' included: they reach each other as they please.
    Private,
    Public,
}

pub(super) fn scope(address: IpAddr) -> Scope {
    match address {
        _ if address.is_unspecified() || address.is_multicast() => Scope::Nowhere,
        _ if address.is_loopback() => Scope::Host,
        IpAddr::V4(v4) if v4.is_private() || v4.is_link_local() || is_carrier_grade(address) => Scope::Private,
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Scope::Private,
        _ => Scope::Public,
    }
}

/// Whether an address is of those that carriers use behind their NATs: 100.64.0.0/10 (RFC 6598).
pub(super) fn is_carrier_grade(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if matches!(v4.octets(), [100, 64..=127, _, _]))
}
