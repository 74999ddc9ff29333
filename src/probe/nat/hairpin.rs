//! Hairpinning: two sockets of this host talk through the addresses that they are mapped to (RFC 4787 section 6).

use std::time::Duration;

use super::{
    probes::{Kind, Probe, Probes, TestId},
    reach::Reach,
};
use crate::probe::SocketId;

/// Two sockets that write to each other's mapped address. Both do, so that a filter that has seen one of them write
/// lets the other's packets in: what is silent then is hairpinning, not filtering.
#[derive(Debug, Default)]
pub(super) struct Hairpin {
    started: bool,
    sockets: Vec<(SocketId, TestId)>,
    crossing: Vec<TestId>,
    done: bool,
}

impl Hairpin {
    pub(super) fn advance(&mut self, reach: &Reach, probes: &mut Probes, now: Duration) {
        if self.done {
            return;
        }
        if !self.started {
            self.start(reach, probes, now);
        } else if self.crossing.is_empty() {
            self.cross(probes, now);
        } else {
            // One way is enough: the filter may not have been open yet when the other was tried.
            let over = self.crossing.iter().all(|test| probes.is_over(*test));
            self.done = over || self.is_answered(probes);
        }
    }

    fn start(&mut self, reach: &Reach, probes: &mut Probes, now: Duration) {
        let Some((server, address, mapped)) = reach.first(probes) else {
            // Without an answer there is nothing to go through.
            self.done = reach.is_done();
            return;
        };
        self.started = true;
        if reach.socket().and_then(|socket| probes.local(socket)) == Some(mapped) {
            self.done = true;
            return;
        }
        for _ in 0..2 {
            let socket = probes.open_udp(address);
            let test = probes.start(now, Probe::plain(Kind::HairpinBinding, server, socket, address));
            self.sockets.push((socket, test));
        }
    }

    fn cross(&mut self, probes: &mut Probes, now: Duration) {
        let [(one, first), (other, second)] = self.sockets[..] else { return };
        if !probes.is_over(first) || !probes.is_over(second) {
            return;
        }
        let (Some(of_one), Some(of_other)) = (probes.mapped(first), probes.mapped(second)) else {
            self.done = true;
            return;
        };
        let server = probes.test(first).map_or(0, |test| test.probe.server);
        for (from, to, at) in [(one, of_other, other), (other, of_one, one)] {
            let probe = Probe { arrives_on: Some(at), ..Probe::plain(Kind::Hairpin, server, from, to) };
            self.crossing.push(probes.start(now, probe));
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    fn is_answered(&self, probes: &Probes) -> bool {
        self.crossing.iter().any(|test| probes.is_answered(*test))
    }

    /// Whether packets came back; `None` where it was not tried to the end.
    pub(super) fn result(&self, probes: &Probes) -> Option<bool> {
        match self.is_answered(probes) {
            true => Some(true),
            false if self.done && !self.crossing.is_empty() => Some(false),
            false => None,
        }
    }

    /// Whether what came back had the sender's own address instead of the mapped one (RFC 4787 REQ-9 a).
    pub(super) fn is_internal(&self, probes: &Probes) -> bool {
        self.crossing.iter().any(|id| {
            let Some(test) = probes.test(*id) else { return false };
            let local = probes.local(test.probe.socket);
            test.arrived.is_some_and(|(_, from)| Some(from) == local)
        })
    }
}
