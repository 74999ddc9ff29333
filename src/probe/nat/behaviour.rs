//! Filtering and mapping behaviour by a server with a second address (RFC 5780 sections 4.3 and 4.4).

use std::{net::SocketAddr, time::Duration};

use super::{
    judge,
    outcome::Mapping,
    probes::{Kind, Probe, Probes, State, TestId},
    reach::Reach,
};
use crate::probe::{
    SocketId,
    message::{BindingRequest, Change},
};

/// The filtering tests: II, III, and the fourth of erratum 7971, which tells a filter that looks at ports only.
pub(super) const CHANGES: [Change; 3] = [Change::BOTH, Change::PORT, Change::ADDRESS];

/// Requests that measure the round trip, where a retransmission has left it uncertain.
const MEASUREMENTS: usize = 4;

/// The tests with one server.
#[derive(Debug)]
pub(super) struct Behaviour {
    server: usize,
    primary: SocketAddr,
    other: SocketAddr,
    stage: Stage,
    measuring: Vec<TestId>,
    /// In the order of [`CHANGES`].
    filtering: Vec<TestId>,
    /// Of two sockets each, so that a mapping is not judged by one collision of ports.
    mapping: [Vec<TestId>; 2],
    /// The socket whose filter is open for the second address, and the tests that opened it.
    opened: Option<SocketId>,
    opening: Vec<(Change, TestId)>,
    control: Vec<(Change, TestId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Measuring,
    Filtering,
    Mapping,
    Control,
    Done,
}

impl Behaviour {
    pub(super) fn new(server: usize, primary: SocketAddr, other: SocketAddr) -> Self {
        Self {
            server,
            primary,
            other,
            stage: Stage::Start,
            measuring: Vec::new(),
            filtering: Vec::new(),
            mapping: [Vec::new(), Vec::new()],
            opened: None,
            opening: Vec::new(),
            control: Vec::new(),
        }
    }

    /// Does what can be done now.
    pub(super) fn advance(&mut self, reach: &Reach, probes: &mut Probes, now: Duration) {
        loop {
            let next = match self.stage {
                Stage::Start => {
                    self.start_measuring(reach, probes, now);
                    Stage::Measuring
                }
                Stage::Measuring if self.is_measured(probes) => {
                    self.start_filtering(probes, now);
                    Stage::Filtering
                }
                Stage::Filtering if self.knows_filter(probes) => {
                    self.start_mapping(reach, probes, now);
                    Stage::Mapping
                }
                Stage::Mapping if self.all_over(probes) => {
                    self.start_control(probes, now);
                    Stage::Control
                }
                Stage::Control if self.all_over(probes) => Stage::Done,
                _ => return,
            };
            self.stage = next;
        }
    }

    /// How long silence takes depends on the round trip. Of a request that was sent twice it is not known which one
    /// was answered, so others are sent, all at once: they may be lost too.
    fn start_measuring(&mut self, reach: &Reach, probes: &mut Probes, now: Duration) {
        let Some(socket) = reach.socket().filter(|_| !probes.is_certain(self.primary.ip())) else { return };
        for _ in 0..MEASUREMENTS {
            let probe = Probe::plain(Kind::Binding, self.server, socket, self.primary);
            self.measuring.push(probes.start(now, probe));
        }
    }

    fn is_measured(&self, probes: &Probes) -> bool {
        probes.is_certain(self.primary.ip()) || self.measuring.iter().all(|test| probes.is_over(*test))
    }

    fn start_filtering(&mut self, probes: &mut Probes, now: Duration) {
        for change in CHANGES {
            let socket = probes.open_udp(self.primary);
            let probe = self.changed(Kind::Filtering(change), socket, change);
            self.filtering.push(probes.start(now, probe));
        }
    }

    fn start_mapping(&mut self, reach: &Reach, probes: &mut Probes, now: Duration) {
        let first = reach.socket();
        let second = Some(probes.open_udp(self.primary));
        for (socket, tests) in [first, second].into_iter().zip(&mut self.mapping) {
            let Some(socket) = socket else { continue };
            // The first socket has asked at the first address already.
            let skip = usize::from(Some(socket) == first);
            for change in [Change::NONE, Change::ADDRESS, Change::BOTH, Change::PORT].into_iter().skip(skip) {
                let to = change.of(self.primary, self.other);
                tests.push(probes.start(now, Probe::plain(Kind::Mapping(change), self.server, socket, to)));
            }
        }
        if self.passed(Change::BOTH, probes) {
            return;
        }
        let socket = probes.open_udp(self.primary);
        self.opened = Some(socket);
        for change in CHANGES {
            let to = change.of(self.primary, self.other);
            let test = probes.start(now, Probe::plain(Kind::Opening(change), self.server, socket, to));
            self.opening.push((change, test));
        }
    }

    /// Has the server show that it can answer from elsewhere. Behind a mapping that depends on the destination that
    /// cannot be shown: what the second address was let in to is not what the first one answers to.
    fn start_control(&mut self, probes: &mut Probes, now: Duration) {
        let mapping = judge::mapping(probes).value;
        let Some(socket) = self.opened else { return };
        if !matches!(mapping, Some(Mapping::NoNat | Mapping::EndpointIndependent)) {
            return;
        }
        for (change, opening) in self.opening.clone() {
            if probes.is_answered(opening) && !self.passed(change, probes) {
                let probe = self.changed(Kind::Control(change), socket, change);
                self.control.push((change, probes.start(now, probe)));
            }
        }
    }

    /// A request whose answer is to come from elsewhere.
    fn changed(&self, kind: Kind, socket: SocketId, change: Change) -> Probe {
        Probe {
            answer_from: change.of(self.primary, self.other),
            request: BindingRequest { change, ..BindingRequest::default() },
            ..Probe::plain(kind, self.server, socket, self.primary)
        }
    }

    /// Whether nothing more is to be learnt by keeping quiet: an answer from both other is proof, silence takes time.
    fn knows_filter(&self, probes: &Probes) -> bool {
        self.passed(Change::BOTH, probes) || self.filtering.iter().all(|test| probes.is_over(*test))
    }

    fn all_over(&self, probes: &Probes) -> bool {
        let opening = self.opening.iter().chain(&self.control).map(|(_, test)| test);
        let tests = self.filtering.iter().chain(self.mapping.iter().flatten()).chain(opening);
        tests.into_iter().all(|test| probes.is_over(*test))
    }

    /// Whether nothing must be sent to a second address yet.
    pub(super) fn keeps_quiet(&self) -> bool {
        matches!(self.stage, Stage::Start | Stage::Measuring | Stage::Filtering)
    }

    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub(super) fn doing(&self) -> &'static str {
        match self.stage {
            Stage::Start | Stage::Measuring => "measuring the round trip",
            Stage::Filtering => "testing the filter",
            Stage::Mapping => "testing the mapping",
            Stage::Control | Stage::Done => "making sure of the filter",
        }
    }

    pub(super) const fn server(&self) -> usize {
        self.server
    }

    pub(super) const fn primary(&self) -> SocketAddr {
        self.primary
    }

    pub(super) const fn other(&self) -> SocketAddr {
        self.other
    }

    /// The filtering test of this change.
    pub(super) fn filtering(&self, change: Change) -> Option<TestId> {
        let place = CHANGES.iter().position(|known| *known == change)?;
        self.filtering.get(place).copied()
    }

    /// Whether an answer from there passed.
    pub(super) fn passed(&self, change: Change, probes: &Probes) -> bool {
        self.filtering(change).is_some_and(|test| probes.is_answered(test))
    }

    /// What the server did where the filter was open; `None` where that was not tried.
    pub(super) fn control(&self, change: Change, probes: &Probes) -> Option<State> {
        let (_, test) = self.control.iter().find(|(known, _)| *known == change)?;
        Some(probes.state(*test))
    }

    /// Whether the address itself answers, as far as that was tried.
    pub(super) fn is_there(&self, change: Change, probes: &Probes) -> bool {
        let to = change.of(self.primary, self.other);
        let mapping = self.mapping.iter().flatten().chain(self.opening.iter().map(|(_, test)| test));
        mapping
            .into_iter()
            .any(|id| probes.is_answered(*id) && probes.test(*id).is_some_and(|test| test.probe.to == to))
    }
}
