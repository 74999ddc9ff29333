//! What the network does to UDP: the tests of RFC 5780 in the terms of RFC 4787, with the names of RFC 3489 beside them.
//!
//! A [`Check`] looks at one path: one local address and one version of IP. It runs small state machines side by side
//! over the tests they start (`probes`):
//!
//! ```text
//! reach      a Binding request to each server               reachable? mapped to what?
//! behaviour  filtering first, then mapping, then proof       one server with a second address
//! hairpin    two sockets through their mapped addresses
//! streams    TCP and TLS, where named or where UDP is silent
//! fragments, lifetime                                        where asked for
//! ```
//!
//! The order inside `behaviour` is the point of it. A filter is open to whom the host has written to, in some networks
//! whatever the port: so nothing is sent to the server's second address before the filter is known. Each filtering test
//! has a socket of its own, for its answer may leave state behind in the NAT: Linux then maps the socket to another
//! port, which would look like a mapping that depends on the destination. And silence counts as a filter only after the
//! server has been seen to answer from its other address where the filter was opened for it.

mod behaviour;
mod evidence;
mod extras;
mod hairpin;
mod judge;
mod outcome;
mod probes;
mod reach;
mod streams;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use self::{
    behaviour::Behaviour,
    extras::{Fragments, LifetimeTest},
    hairpin::Hairpin,
    probes::Probes,
    reach::Reach,
    streams::Streams,
};
pub use self::{
    evidence::{Arrival, Evidence},
    outcome::{
        Confidence, Filtering, Judged, Lifetime, Mapping, NatType, Outcome, Remark, ServerError, ServerOutcome,
        Verdict, with_peer,
    },
    probes::Kind,
};
use super::{Event, Plan, Step, Transport, transaction::Ids};

/// After so long a check ends in any case, unless it is told to be patient or to measure lifetimes.
pub const DEADLINE: Duration = Duration::from_secs(13);

/// The same for patient checks: three tests of 39.5 s one after another, and the connections.
const PATIENT_DEADLINE: Duration = Duration::from_secs(150);

/// What to check, over one path.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Whom to ask, all of one address family, best first.
    pub servers: Vec<Server>,
    /// The same servers over TCP and TLS, to be tried where UDP is silent.
    pub fallbacks: Vec<Server>,
    /// Whether the servers are all known to have no second address, and may be asked at once.
    pub plain: bool,
    /// The local address; `None` for that of the route to the first server.
    pub local: Option<IpAddr>,
    /// Whether to retransmit as RFC 8489 section 6.2.1 has it, for 39.5 s.
    pub patient: bool,
    /// Whether to test fragments.
    pub fragments: bool,
    /// How long a binding is watched; `None` leaves the test out.
    pub lifetime: Option<Duration>,
}

/// A server at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// As the user named it.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// How to talk to it.
    pub transport: Transport,
    /// Whom its certificate must name; `None` where that is its address.
    pub server_name: Option<String>,
}

/// A check of one path.
#[derive(Debug)]
pub struct Check {
    config: Config,
    probes: Probes,
    reach: Reach,
    behaviours: Vec<Behaviour>,
    hairpin: Hairpin,
    streams: Streams,
    fragments: Fragments,
    lifetime: LifetimeTest,
    deadline: Duration,
}

impl Check {
    /// A check that has not begun.
    #[must_use]
    pub fn new(config: Config, ids: Ids) -> Self {
        let deadline = if config.patient { PATIENT_DEADLINE } else { DEADLINE };
        Self {
            probes: Probes::new(ids, config.local, config.patient),
            reach: Reach::new(&config),
            behaviours: Vec::new(),
            hairpin: Hairpin::default(),
            streams: Streams::default(),
            fragments: Fragments::default(),
            lifetime: LifetimeTest::default(),
            deadline: deadline + config.lifetime.map_or(Duration::ZERO, |watched| watched * 2),
            config,
        }
    }

    /// What is known so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        judge::outcome(self)
    }

    /// What it is doing, for a line of progress.
    #[must_use]
    pub fn doing(&self) -> &'static str {
        match self.behaviours.last() {
            Some(behaviour) if !behaviour.is_done() => behaviour.doing(),
            _ if !self.reach.is_done() => "asking for the mapped address",
            _ if !self.streams.is_done() => "trying TCP and TLS",
            _ if !self.lifetime.is_done() => "waiting for a binding to end",
            _ => "finishing",
        }
    }

    /// Lets each machine go on. `true` when none has anything left to do.
    fn advance(&mut self, now: Duration) -> bool {
        self.start_behaviour();
        let quiet = self.behaviours.iter().any(Behaviour::keeps_quiet);
        self.reach.advance(&self.config, &mut self.probes, quiet, now);
        self.streams.advance(&self.config, &mut self.probes, &self.reach, now);
        for behaviour in &mut self.behaviours {
            behaviour.advance(&self.reach, &mut self.probes, now);
        }
        let decided = self.behaviours.last().is_none_or(Behaviour::is_done);
        self.hairpin.advance(&self.reach, &mut self.probes, now);
        if self.config.fragments {
            self.fragments.advance(&self.reach, &mut self.probes, now);
        }
        if let Some(watched) = self.config.lifetime {
            // Its sockets talk to the first address only, which opens nothing.
            self.lifetime.advance(watched, &self.reach, &mut self.probes, now);
        }
        let extras = (!self.config.fragments || self.fragments.is_done())
            && (self.config.lifetime.is_none() || self.lifetime.is_done());
        let done = self.reach.is_done() && decided && self.hairpin.is_done() && self.streams.is_done() && extras;
        // As often as there are servers at most.
        if done && self.start_behaviour() { self.advance(now) } else { done }
    }

    /// Has the next server with a second address tell of filters, where those before could not. `true` where there is
    /// one.
    fn start_behaviour(&mut self) -> bool {
        let undecided =
            |behaviour: &Behaviour| behaviour.is_done() && judge::filtering(behaviour, &self.probes).value.is_none();
        if !self.behaviours.iter().all(undecided) {
            return false;
        }
        let tried = |server: usize| self.behaviours.iter().any(|behaviour| behaviour.server() == server);
        let next = self.reach.with_alternate(&self.probes).find(|(server, ..)| !tried(*server));
        self.behaviours.extend(next.map(|(server, primary, other)| Behaviour::new(server, primary, other)));
        next.is_some()
    }
}

impl Plan for Check {
    fn poll(&mut self, now: Duration) -> Step {
        loop {
            if let Some(step) = self.probes.next_step() {
                return step;
            }
            let finished = self.advance(now);
            if let Some(step) = self.probes.next_step() {
                return step;
            }
            if finished || now >= self.deadline {
                return Step::Done;
            }
            let pending = self.probes.pending();
            match self.probes.poll(now) {
                Ok(step) => return step,
                // Silence was believed, and the machines may go on.
                Err(_) if self.probes.pending() != pending => {}
                Err(due) => {
                    let machines = [self.reach.wake(), self.streams.wake(), self.lifetime.wake()];
                    let next = machines.into_iter().flatten().filter(|wake| *wake > now).chain(due).min();
                    return Step::Wait(next.unwrap_or(self.deadline).min(self.deadline));
                }
            }
        }
    }

    fn handle(&mut self, now: Duration, event: Event) {
        self.probes.handle(now, event);
    }
}

#[cfg(test)]
mod tests;
