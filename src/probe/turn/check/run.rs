//! What happens to a check: events in, steps out.

use std::{net::SocketAddr, time::Duration};

use super::{CheckStep, Client, FAR, Fallback, Far, Heard, NEAR, PLAIN, Problem, REFUSALS, Stage, TCP, TurnCheck, Way};
use crate::probe::{Event, Failure, Plan, SocketId, Step, Transport, turn::message::Ask};

/// When to ask again where nothing is due: only events matter then.
const LONG: Duration = Duration::from_secs(60);

impl Plan for TurnCheck {
    fn poll(&mut self, now: Duration) -> Step {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return action;
            }
            if self.stage == Stage::Over {
                return Step::Done;
            }
            if self.stage == Stage::Start {
                self.start(now);
                continue;
            }
            // In this order: that a request got no answer shows when nothing more is to be sent for it.
            match self.due(now) {
                Ok(step) => return step,
                Err(_) if self.time_passed(now) => {}
                Err(wake) => return Step::Wait(wake),
            }
        }
    }

    fn handle(&mut self, now: Duration, event: Event) {
        match event {
            Event::Opened { socket, local } => self.opened(now, socket, local),
            Event::Failed { socket, failure } => self.socket_failed(now, socket, failure),
            Event::Unreachable { socket: NEAR, failure } if self.stage == Stage::Connect => {
                // One ICMP error may be of another time; what it says is believed when it is said again.
                self.refusals += 1;
                if failure != Failure::Refused || self.refusals >= REFUSALS {
                    self.near.give_up();
                    self.failed(now, CheckStep::Connect, Problem::Socket(failure));
                }
            }
            Event::Unreachable { .. } => {}
            Event::Received { socket, from, bytes } => self.received(now, socket, from, &bytes),
        }
    }

    /// What was lent is given back first.
    fn interrupt(&mut self, now: Duration) -> bool {
        self.outcome.interrupted = true;
        if !matches!(self.stage, Stage::Release | Stage::Over) {
            self.release(now);
        }
        self.stage != Stage::Over
    }
}

impl TurnCheck {
    fn start(&mut self, now: Duration) {
        self.enter(now, Stage::Connect);
        self.open(NEAR, self.config.transport, self.config.server, true);
    }

    fn opened(&mut self, now: Duration, socket: SocketId, local: SocketAddr) {
        let allocate = Ask::Allocate(self.config.family);
        match (self.stage, socket) {
            (Stage::Connect, NEAR) => {
                self.outcome.local = Some(local);
                if self.config.transport != Transport::Udp {
                    self.passed(now, CheckStep::Connect);
                    self.enter(now, Stage::Allocate);
                }
                self.near.ask(now, &mut self.ids, allocate);
            }
            (Stage::OpenFar, FAR) => {
                let config = &self.config;
                let mut client = Client::new(FAR, config.server, config.transport, config.credentials.clone());
                client.ask(now, &mut self.ids, allocate);
                self.far = Far::Allocation { client: Box::new(client), relayed: None };
                self.enter(now, Stage::AllocateFar);
            }
            (Stage::OpenPlain, PLAIN) => {
                self.far = Far::Plain { local: Some(local), seen_as: None };
                self.permit(now);
            }
            (Stage::ProbeTcp, TCP) => {
                self.outcome.tcp_works = Some(true);
                self.enter(now, Stage::Over);
            }
            _ => {}
        }
    }

    fn socket_failed(&mut self, now: Duration, socket: SocketId, failure: Failure) {
        match (self.stage, socket) {
            (Stage::Over, _) => {}
            (Stage::ProbeTcp, TCP) => {
                self.outcome.tcp_works = Some(false);
                self.enter(now, Stage::Over);
            }
            (Stage::OpenFar | Stage::AllocateFar, FAR) => self.fall_back(now, Fallback::NoSecondAllocation(None)),
            (Stage::Connect, NEAR) => self.failed(now, CheckStep::Connect, Problem::Socket(failure)),
            (Stage::Release, FAR) => {}
            (_, NEAR) => {
                // Nothing can be given back any more; the server does so itself where it sees a stream end.
                let step = self.step().unwrap_or(CheckStep::Relay);
                self.keep_traffic();
                self.ended(now, step, Some(Problem::Socket(failure)));
                self.enter(now, Stage::Over);
            }
            (_, FAR | PLAIN) => self.failed(now, CheckStep::Relay, Problem::Socket(failure)),
            _ => {}
        }
    }

    fn received(&mut self, now: Duration, socket: SocketId, from: SocketAddr, bytes: &[u8]) {
        let relayed = self.relayed();
        let heard = match (socket, &mut self.far) {
            (NEAR, _) => self.near.receive(now, &mut self.ids, from, bytes),
            (FAR, Far::Allocation { client, .. }) => client.receive(now, &mut self.ids, from, bytes),
            (PLAIN, Far::Plain { .. }) if relayed == Some(from) => {
                Heard::Data { peer: None, channel: None, bytes: bytes.to_vec() }
            }
            _ => return,
        };
        self.outcome.answered |= heard != Heard::Nothing;
        match heard {
            Heard::Reply(ask, reply) => self.on_reply(now, socket, ask, reply),
            Heard::Failed(ask, problem) => self.on_failure(now, socket, ask, problem),
            Heard::Challenged if self.stage == Stage::Connect => {
                self.passed(now, CheckStep::Connect);
                self.enter(now, Stage::Allocate);
            }
            Heard::Data { peer, bytes, .. } => self.arrived(now, socket, peer, &bytes),
            Heard::Challenged | Heard::Nothing => {}
        }
    }

    /// A datagram came through the relay.
    fn arrived(&mut self, now: Duration, socket: SocketId, peer: Option<SocketAddr>, bytes: &[u8]) {
        let Some(traffic) = &mut self.traffic else { return };
        let way = if socket == NEAR { Way::Back } else { Way::Out };
        if !traffic.arrive(now, way, bytes) {
            return;
        }
        // The relay says where a plain socket is, whatever its NAT made of it.
        if let (Far::Plain { seen_as, .. }, Some(peer)) = (&mut self.far, peer) {
            *seen_as = Some(peer);
            traffic.begin(now, Way::Out);
            self.deadline = None;
        }
    }

    /// Does what time asks for. Gives back whether that was anything.
    fn time_passed(&mut self, now: Duration) -> bool {
        if let Some(ask) = self.near.silence() {
            self.on_failure(now, NEAR, ask, Problem::Silent);
            return true;
        }
        if let Far::Allocation { client, .. } = &mut self.far
            && let Some(ask) = client.silence()
        {
            self.on_failure(now, FAR, ask, Problem::Silent);
            return true;
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline_passed(now);
            return true;
        }
        let is_over = self.deadline.is_none() && self.traffic.as_ref().is_some_and(|run| run.wake(now).is_none());
        if is_over {
            self.relayed_all(now);
            return true;
        }
        if self.stage == Stage::Channel {
            self.renew(now);
        }
        false
    }

    fn deadline_passed(&mut self, now: Duration) {
        self.deadline = None;
        match self.stage {
            Stage::ProbeTcp => {
                self.outcome.tcp_works = Some(false);
                self.enter(now, Stage::Over);
            }
            Stage::Release => {
                self.ended(now, CheckStep::Release, Some(Problem::Silent));
                self.enter(now, Stage::Over);
            }
            _ => {
                if let Some(traffic) = &mut self.traffic {
                    traffic.begin(now, Way::Out);
                }
            }
        }
    }

    /// What to send now; where that is nothing, when to ask again.
    fn due(&mut self, now: Duration) -> Result<Step, Duration> {
        let mut wakes = [self.deadline, None, None, None];
        match self.near.poll(now) {
            Ok(step) => return Ok(step),
            Err(wake) => wakes[1] = wake,
        }
        if let Far::Allocation { client, .. } = &mut self.far {
            match client.poll(now) {
                Ok(step) => return Ok(step),
                Err(wake) => wakes[2] = wake,
            }
        }
        if let Some(step) = self.next_datagram(now) {
            return Ok(step);
        }
        wakes[3] = self.traffic.as_ref().and_then(|traffic| traffic.wake(now));
        Err(wakes.into_iter().flatten().min().unwrap_or(now + LONG))
    }
}
