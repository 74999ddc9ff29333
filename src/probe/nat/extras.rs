//! What is tested where it is asked for: fragments and the lifetime of a binding.

use std::{net::SocketAddr, time::Duration};

use super::{
    outcome::Lifetime,
    probes::{Kind, Probe, Probes, State, TestId},
    reach::Reach,
};
use crate::probe::{SocketId, message::BindingRequest};

/// Bytes of PADDING: more than an Ethernet frame holds, less than two (RFC 5780 section 7.6).
const PADDING: u16 = 1_800;

/// The idle times that are tried, in seconds. RFC 4787 REQ-5 asks for two minutes at least, many NATs give 30 s.
const IDLE: [u64; 14] = [5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1_200, 1_800];

/// A request that is too long for one packet, and its equally long answer.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    test: Option<TestId>,
    done: bool,
}

impl Fragments {
    pub(super) fn advance(&mut self, reach: &Reach, probes: &mut Probes, now: Duration) {
        if let Some(test) = self.test {
            self.done = probes.is_over(test);
        } else if let Some((server, address, _)) = reach.first(probes) {
            let socket = probes.open_udp(address);
            let request = BindingRequest { padding: PADDING, ..BindingRequest::default() };
            let probe = Probe { request, ..Probe::plain(Kind::Fragments, server, socket, address) };
            self.test = Some(probes.start(now, probe));
        } else {
            self.done = reach.is_done();
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Whether fragments passed both ways; `None` where that is not known, as of a server that refuses PADDING.
    pub(super) fn result(&self, probes: &Probes) -> Option<bool> {
        match probes.state(self.test?) {
            State::Answered => Some(true),
            State::Silent => Some(false),
            State::Refused(_) | State::Pending => None,
        }
    }
}

/// Idle sockets, each woken once after its own time by an answer to the request of another (RFC 5780 section 4.6).
/// Side by side they take as long as the longest.
#[derive(Debug, Default)]
pub(super) struct LifetimeTest {
    server: Option<(usize, SocketAddr)>,
    asking: Option<SocketId>,
    idle: Vec<Idle>,
    done: bool,
    wake: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Idle {
    /// How long it is to be idle.
    time: Duration,
    socket: SocketId,
    binding: TestId,
    test: Option<TestId>,
}

impl LifetimeTest {
    pub(super) fn advance(&mut self, watched: Duration, reach: &Reach, probes: &mut Probes, now: Duration) {
        if self.done {
            return;
        }
        let Some((_, address)) = self.server else {
            match reach.first(probes) {
                Some((server, address, _)) => self.start(watched, server, address, probes, now),
                None => self.done = reach.is_done(),
            }
            return;
        };
        self.wake = None;
        for place in 0..self.idle.len() {
            let Some(idle) = self.idle.get(place).copied() else { break };
            let Some(due) = self.due(&idle, probes) else { continue };
            if due > now {
                self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
                continue;
            }
            let test = self.ask(&idle, address, probes, now);
            if let Some(idle) = self.idle.get_mut(place) {
                idle.test = test;
            }
        }
        let waiting = self.idle.iter().any(|idle| !is_over(idle, probes));
        // What was gone after some time is gone after more.
        self.done = !waiting || self.idle.iter().any(|idle| is_silent(idle, probes));
    }

    fn start(&mut self, watched: Duration, server: usize, address: SocketAddr, probes: &mut Probes, now: Duration) {
        self.server = Some((server, address));
        self.asking = Some(probes.open_udp(address));
        let times = IDLE.into_iter().map(Duration::from_secs).filter(|time| *time < watched);
        // The first is not idle at all: it shows that the server knows RESPONSE-PORT.
        for time in [Duration::ZERO].into_iter().chain(times).chain([watched]) {
            let socket = probes.open_udp(address);
            let binding = probes.start(now, Probe::plain(Kind::LifetimeBinding, server, socket, address));
            self.idle.push(Idle { time, socket, binding, test: None });
        }
    }

    /// When a socket's time is over, where it still is to be tried.
    fn due(&self, idle: &Idle, probes: &Probes) -> Option<Duration> {
        if idle.test.is_some() || !probes.is_answered(idle.binding) {
            return None;
        }
        Some(probes.exchange(idle.binding)?.answered_at? + idle.time)
    }

    fn ask(&self, idle: &Idle, address: SocketAddr, probes: &mut Probes, now: Duration) -> Option<TestId> {
        let port = probes.mapped(idle.binding)?.port();
        let request = BindingRequest { response_port: Some(port), ..BindingRequest::default() };
        let plain = Probe::plain(Kind::Lifetime, self.server?.0, self.asking?, address);
        Some(probes.start(now, Probe { request, arrives_on: Some(idle.socket), ..plain }))
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    pub(super) const fn wake(&self) -> Option<Duration> {
        if self.done { None } else { self.wake }
    }

    /// How long the binding lived; `None` where the server does not know RESPONSE-PORT, or it was not tried.
    pub(super) fn result(&self, probes: &Probes) -> Option<Lifetime> {
        let alive = |idle: &&Idle| idle.test.is_some_and(|test| probes.is_answered(test));
        let at_least = self.idle.iter().filter(alive).map(|idle| idle.time).max()?;
        let gone = self.idle.iter().filter(|idle| is_silent(idle, probes) && idle.time > at_least);
        Some(Lifetime { at_least, less_than: gone.map(|idle| idle.time).min() })
    }
}

fn is_over(idle: &Idle, probes: &Probes) -> bool {
    match idle.test {
        Some(test) => probes.is_over(test),
        None => probes.is_over(idle.binding) && !probes.is_answered(idle.binding),
    }
}

fn is_silent(idle: &Idle, probes: &Probes) -> bool {
    idle.test.is_some_and(|test| !matches!(probes.state(test), State::Pending | State::Answered))
}
