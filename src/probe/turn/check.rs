//! The check as a state machine.

mod run;

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use super::{
    CheckStep, Config, Fallback, Outcome, Peer, Problem, Route, StepOutcome,
    client::{Client, Heard},
    message::{Ask, Reply},
    traffic::{LEAST_PAYLOAD, Pace, Traffic, Way},
};
use crate::probe::{Open, SocketId, Step, Transport, transaction::Ids};

/// The sockets.
const NEAR: SocketId = SocketId(0);
const FAR: SocketId = SocketId(1);
const PLAIN: SocketId = SocketId(2);
const TCP: SocketId = SocketId(3);

/// The channel that both ends bind (RFC 8656 section 12: 0x4000 to 0x4fff).
const CHANNEL: u16 = 0x4000;

/// The lifetime to ask for where the server named none (RFC 8656 section 3.2).
const LIFETIME: Duration = Duration::from_secs(600);

/// Permissions last 300 s (RFC 8656 section 9), and each is renewed by a channel that is bound again.
const PERMISSION_RENEWAL: Duration = Duration::from_secs(240);

/// Send and Data indications: as a call's audio, for a short while.
const INDICATIONS: Pace = Pace { count: 20, payload: 160, interval: Duration::from_millis(20) };

/// Bytes of payload of a full datagram, so that no path has to fragment it.
const FULL_PAYLOAD: usize = 1_000;

/// How long what was sent last may take.
const GRACE: Duration = Duration::from_secs(1);

/// How long a plain socket may be unknown at the relay until datagrams are sent to where it is believed to be.
const UNKNOWN_PEER: Duration = Duration::from_millis(400);

/// How long giving back may take.
const RELEASE: Duration = Duration::from_secs(2);

/// How long a TCP connection may take where UDP is not answered.
const TCP_PATIENCE: Duration = Duration::from_secs(3);

/// ICMP errors after which nothing is believed to listen.
const REFUSALS: u32 = 2;

/// A check of one server.
#[derive(Debug)]
pub struct TurnCheck {
    config: Config,
    ids: Ids,
    stage: Stage,
    /// When the step under way began.
    began: Duration,
    actions: VecDeque<Step>,
    near: Client,
    far: Far,
    traffic: Option<Traffic>,
    /// When the stage ends by itself.
    deadline: Option<Duration>,
    /// When allocations and permissions are renewed.
    renew_allocation: Option<Duration>,
    renew_permission: Option<Duration>,
    refusals: u32,
    outcome: Outcome,
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Connect,
    Allocate,
    OpenFar,
    AllocateFar,
    OpenPlain,
    Permit,
    Indications,
    Bind,
    Channel,
    Refresh,
    Release,
    ProbeTcp,
    Over,
}

/// The other end.
#[derive(Debug)]
enum Far {
    Nobody,
    Allocation { client: Box<Client>, relayed: Option<SocketAddr> },
    Plain { local: Option<SocketAddr>, seen_as: Option<SocketAddr> },
}

impl TurnCheck {
    /// A check that begins when it is first polled.
    #[must_use]
    pub fn new(config: Config, ids: Ids) -> Self {
        let near = Client::new(NEAR, config.server, config.transport, config.credentials.clone());
        Self {
            config,
            ids,
            stage: Stage::Start,
            began: Duration::ZERO,
            actions: VecDeque::new(),
            near,
            far: Far::Nobody,
            traffic: None,
            deadline: None,
            renew_allocation: None,
            renew_permission: None,
            refusals: 0,
            outcome: Outcome::default(),
        }
    }

    /// What was found so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let mut outcome = self.outcome.clone();
        outcome.facts = self.near.facts.clone();
        if let Some(traffic) = &self.traffic {
            match self.stage {
                Stage::Indications => outcome.indications = Some(traffic.flows()),
                Stage::Channel => outcome.channel = Some(traffic.flows()),
                _ => {}
            }
        }
        outcome.steps.sort_by_key(|outcome| outcome.step);
        outcome
    }

    /// The step under way; `None` when there is none any more.
    #[must_use]
    pub const fn step(&self) -> Option<CheckStep> {
        Some(match self.stage {
            Stage::Start | Stage::Connect | Stage::ProbeTcp => CheckStep::Connect,
            Stage::Allocate | Stage::OpenFar | Stage::AllocateFar | Stage::OpenPlain => CheckStep::Allocate,
            Stage::Permit => CheckStep::Permission,
            Stage::Bind => CheckStep::Channel,
            Stage::Indications | Stage::Channel => CheckStep::Relay,
            Stage::Refresh => CheckStep::Refresh,
            Stage::Release => CheckStep::Release,
            Stage::Over => return None,
        })
    }

    fn open(&mut self, socket: SocketId, transport: Transport, server: SocketAddr, connected: bool) {
        let server_name = self.config.server_name.clone();
        self.actions.push_back(Step::Open(socket, Open { transport, server, connected, local: None, server_name }));
    }

    fn enter(&mut self, now: Duration, stage: Stage) {
        self.stage = stage;
        self.began = now;
        self.deadline = None;
        self.traffic = None;
    }

    fn passed(&mut self, now: Duration, step: CheckStep) {
        self.ended(now, step, None);
    }

    /// Notes the end of a step. What a step does twice counts once, and as failed if it failed once.
    fn ended(&mut self, now: Duration, step: CheckStep, problem: Option<Problem>) {
        let took = now.saturating_sub(self.began);
        match self.outcome.steps.iter_mut().find(|outcome| outcome.step == step) {
            Some(outcome) => {
                outcome.took += took;
                outcome.problem = outcome.problem.take().or(problem);
            }
            None => self.outcome.steps.push(StepOutcome { step, took, problem }),
        }
        self.began = now;
    }

    /// A step failed: what was lent is given back.
    fn failed(&mut self, now: Duration, step: CheckStep, problem: Problem) {
        let tries_tcp = step == CheckStep::Connect && self.config.transport == Transport::Udp;
        self.ended(now, step, Some(problem));
        if tries_tcp {
            self.enter(now, Stage::ProbeTcp);
            self.deadline = Some(now + TCP_PATIENCE);
            self.open(TCP, Transport::Tcp, self.config.server, false);
            return;
        }
        self.release(now);
    }

    /// Gives back what was lent.
    fn release(&mut self, now: Duration) {
        self.keep_traffic();
        self.enter(now, Stage::Release);
        self.deadline = Some(now + RELEASE);
        if self.outcome.relayed.is_empty() {
            self.enter(now, Stage::Over);
            return;
        }
        self.near.ask(now, &mut self.ids, Ask::Refresh(Duration::ZERO));
        if let Far::Allocation { client, relayed: Some(_) } = &mut self.far {
            client.ask(now, &mut self.ids, Ask::Refresh(Duration::ZERO));
        }
    }

    /// Keeps what the run under way found.
    fn keep_traffic(&mut self) {
        let Some(traffic) = self.traffic.take() else { return };
        match self.stage {
            Stage::Indications => self.outcome.indications = Some(traffic.flows()),
            Stage::Channel => self.outcome.channel = Some(traffic.flows()),
            _ => {}
        }
    }

    /// The peer as the relay sees it.
    fn peer(&self) -> Option<SocketAddr> {
        match &self.far {
            Far::Nobody => None,
            Far::Allocation { relayed, .. } => *relayed,
            Far::Plain { local, seen_as } => seen_as.or_else(|| self.believed(*local)),
        }
    }

    /// Where a plain socket should be from outside: the port that it has, at the address that the server sees us at.
    fn believed(&self, local: Option<SocketAddr>) -> Option<SocketAddr> {
        let (local, relayed) = (local?, self.relayed()?);
        let ip = self.outcome.mapped.map(|mapped| mapped.ip()).filter(|ip| ip.is_ipv4() == relayed.is_ipv4());
        Some(SocketAddr::new(ip.unwrap_or(local.ip()), local.port()))
    }

    /// The address lent that is tried.
    fn relayed(&self) -> Option<SocketAddr> {
        self.outcome.relayed.first().copied()
    }

    fn on_reply(&mut self, now: Duration, end: SocketId, ask: Ask, reply: Reply) {
        match (self.stage, ask, end) {
            (Stage::Connect | Stage::Allocate, Ask::Allocate(_), NEAR) => self.allocated(now, reply),
            (Stage::AllocateFar, Ask::Allocate(_), FAR) => self.far_allocated(now, &reply),
            (Stage::Permit, Ask::Permission(_), _) if self.is_idle() => {
                self.passed(now, CheckStep::Permission);
                self.relay(now, Stage::Indications, INDICATIONS);
            }
            (Stage::Bind, Ask::Channel { .. }, _) if self.is_idle() => {
                self.passed(now, CheckStep::Channel);
                self.renew_permission = Some(now + PERMISSION_RENEWAL);
                self.relay(now, Stage::Channel, self.pace());
            }
            (Stage::Refresh, Ask::Refresh(_), NEAR) => {
                self.passed(now, CheckStep::Refresh);
                self.release(now);
            }
            (Stage::Release, Ask::Refresh(_), _) if self.is_idle() => {
                self.passed(now, CheckStep::Release);
                self.enter(now, Stage::Over);
            }
            _ => {}
        }
    }

    fn on_failure(&mut self, now: Duration, end: SocketId, ask: Ask, problem: Problem) {
        match (self.stage, end) {
            (Stage::Connect, NEAR) if matches!(problem, Problem::Silent | Problem::Socket(_)) => {
                self.failed(now, CheckStep::Connect, problem);
            }
            (Stage::Connect, NEAR) => {
                self.passed(now, CheckStep::Connect);
                self.allocation_failed(now, problem);
            }
            (Stage::Allocate, NEAR) => self.allocation_failed(now, problem),
            (Stage::AllocateFar, FAR) => {
                let code = match problem {
                    Problem::Refused { code, .. } => Some(code),
                    _ => None,
                };
                self.fall_back(now, Fallback::NoSecondAllocation(code));
            }
            (Stage::Permit, _) => match (&problem, &self.far, ask) {
                (Problem::Refused { code: 403, .. }, Far::Allocation { .. }, Ask::Permission(peer)) => {
                    self.fall_back(now, Fallback::Forbidden(peer));
                }
                _ => self.failed(now, CheckStep::Permission, problem),
            },
            (Stage::Bind, _) => self.failed(now, CheckStep::Channel, problem),
            (Stage::Refresh, NEAR) => self.failed(now, CheckStep::Refresh, problem),
            (Stage::Indications | Stage::Channel, _) => self.failed(now, CheckStep::Refresh, problem),
            (Stage::Release, NEAR) => {
                self.ended(now, CheckStep::Release, Some(problem));
                self.enter(now, Stage::Over);
            }
            _ => {}
        }
    }

    fn allocation_failed(&mut self, now: Duration, problem: Problem) {
        let about_credentials = match &problem {
            Problem::Refused { code, .. } => *code == 401,
            Problem::NoCredentials | Problem::NonceLoop | Problem::Challenge(_) => true,
            _ => false,
        };
        if about_credentials {
            return self.failed(now, CheckStep::Authenticate, problem);
        }
        // Any other error comes from a server that knows who asks.
        if self.near.facts.challenge.is_some() && problem != Problem::Silent {
            self.authenticated(now);
        }
        self.failed(now, CheckStep::Allocate, problem);
    }

    /// The credentials are right: the answer that says so answers the allocation too.
    fn authenticated(&mut self, now: Duration) {
        let took = now.saturating_sub(self.began);
        self.outcome.steps.push(StepOutcome { step: CheckStep::Authenticate, took, problem: None });
    }

    fn allocated(&mut self, now: Duration, reply: Reply) {
        if self.stage == Stage::Connect {
            self.passed(now, CheckStep::Connect);
        }
        if self.near.facts.challenge.is_some() {
            self.authenticated(now);
        }
        (self.outcome.mapped, self.outcome.lifetime) = (reply.mapped, reply.lifetime);
        (self.outcome.relayed, self.outcome.family_error) = (reply.relayed, reply.family_error);
        if self.outcome.relayed.is_empty() {
            return self.failed(now, CheckStep::Allocate, Problem::BadAnswer("no XOR-RELAYED-ADDRESS"));
        }
        self.passed(now, CheckStep::Allocate);
        self.renew_allocation = Some(now + self.lifetime() / 2);
        self.enter(now, Stage::OpenFar);
        self.open(FAR, self.config.transport, self.config.server, true);
    }

    fn lifetime(&self) -> Duration {
        self.outcome.lifetime.filter(|lifetime| !lifetime.is_zero()).unwrap_or(LIFETIME)
    }

    fn far_allocated(&mut self, now: Duration, reply: &Reply) {
        let own = self.relayed();
        let matching = reply.relayed.iter().find(|one| own.is_some_and(|own| own.is_ipv4() == one.is_ipv4()));
        let Some(address) = matching.copied() else {
            return self.fall_back(now, Fallback::NoSecondAllocation(None));
        };
        if let Far::Allocation { relayed, .. } = &mut self.far {
            *relayed = Some(address);
        }
        self.outcome.peer = Some(Peer::Allocation);
        self.passed(now, CheckStep::Allocate);
        self.permit(now);
    }

    /// Takes a plain socket for the other end.
    fn fall_back(&mut self, now: Duration, why: Fallback) {
        let Some(relayed) = self.relayed() else { return self.release(now) };
        if let Far::Allocation { client, relayed: Some(_) } = &self.far {
            self.actions.push_back(client.farewell(&mut self.ids));
        }
        self.actions.push_back(Step::Close(FAR));
        self.outcome.peer = Some(Peer::Socket(why));
        self.far = Far::Plain { local: None, seen_as: None };
        self.near.give_up();
        self.enter(now, Stage::OpenPlain);
        self.open(PLAIN, Transport::Udp, relayed, false);
    }

    fn permit(&mut self, now: Duration) {
        self.enter(now, Stage::Permit);
        self.ask_both(now, |peer| Ask::Permission(peer.ip()));
    }

    fn bind(&mut self, now: Duration) {
        self.enter(now, Stage::Bind);
        self.ask_both(now, |peer| Ask::Channel { number: CHANNEL, peer });
    }

    /// Has both ends ask for something about each other.
    fn ask_both(&mut self, now: Duration, ask: impl Fn(SocketAddr) -> Ask) {
        let (Some(peer), Some(relayed)) = (self.peer(), self.relayed()) else { return self.release(now) };
        self.near.ask(now, &mut self.ids, ask(peer));
        if let Far::Allocation { client, .. } = &mut self.far {
            client.ask(now, &mut self.ids, ask(relayed));
        }
    }

    fn is_idle(&self) -> bool {
        let far_idle = match &self.far {
            Far::Allocation { client, .. } => client.pending().is_none(),
            Far::Nobody | Far::Plain { .. } => true,
        };
        self.near.pending().is_none() && far_idle
    }

    /// The datagrams that make the bit rate.
    fn pace(&self) -> Pace {
        let bits_each = |payload: usize| payload as u64 * 8;
        // Slow streams have small packets, of which there are at least ten a second.
        let payload = usize::try_from(self.config.bitrate / 80).unwrap_or(FULL_PAYLOAD);
        let payload = payload.clamp(LEAST_PAYLOAD, FULL_PAYLOAD);
        let interval = bits_each(payload).saturating_mul(1_000_000_000) / self.config.bitrate.max(1);
        let interval = Duration::from_nanos(interval.max(1));
        let count = self.config.duration.as_nanos() / interval.as_nanos();
        Pace { count: u32::try_from(count).unwrap_or(u32::MAX).max(1), payload, interval }
    }

    fn relay(&mut self, now: Duration, stage: Stage, pace: Pace) {
        self.enter(now, stage);
        let mut tag = [0; 8];
        tag.iter_mut().zip(self.ids.next_id()).for_each(|(to, from)| *to = from);
        let mut traffic = Traffic::new(tag, pace, GRACE);
        traffic.begin(now, Way::Back);
        if !matches!(self.far, Far::Plain { seen_as: None, .. }) {
            traffic.begin(now, Way::Out);
        } else {
            self.deadline = Some(now + UNKNOWN_PEER);
        }
        self.traffic = Some(traffic);
    }

    /// The run is over: what arrived decides.
    fn relayed_all(&mut self, now: Duration) {
        let Some(traffic) = &self.traffic else { return };
        let flows = traffic.flows();
        let channel = self.stage == Stage::Channel;
        self.keep_traffic();
        let silent = Way::BOTH.into_iter().zip(&flows).find(|(_, flow)| flow.received == 0);
        if let Some((way, _)) = silent {
            let route = Route { channel, back: way == Way::Back };
            return self.failed(now, CheckStep::Relay, Problem::NothingArrived(route));
        }
        self.passed(now, CheckStep::Relay);
        if !channel {
            return self.bind(now);
        }
        self.enter(now, Stage::Refresh);
        let lifetime = self.lifetime();
        self.near.ask(now, &mut self.ids, Ask::Refresh(lifetime));
    }

    /// The next datagram of the run, if one is due.
    fn next_datagram(&mut self, now: Duration) -> Option<Step> {
        let (peer, relayed) = (self.peer()?, self.relayed()?);
        let channel = self.stage == Stage::Channel;
        let traffic = self.traffic.as_mut()?;
        if let Some(payload) = traffic.next_payload(now, Way::Out) {
            let ids = &mut self.ids;
            let step =
                if channel { self.near.send_into(CHANNEL, &payload) } else { self.near.send_to(ids, peer, &payload) };
            return Some(step);
        }
        let payload = traffic.next_payload(now, Way::Back)?;
        match &self.far {
            Far::Nobody => None,
            Far::Plain { .. } => Some(Step::Send { socket: PLAIN, to: relayed, bytes: payload }),
            Far::Allocation { client, .. } if channel => Some(client.send_into(CHANNEL, &payload)),
            Far::Allocation { client, .. } => Some(client.send_to(&mut self.ids, relayed, &payload)),
        }
    }

    /// Renews what would expire during a long run.
    fn renew(&mut self, now: Duration) {
        let (allocation, permission) = (self.renew_allocation, self.renew_permission);
        let (Some(peer), Some(relayed), true) = (self.peer(), self.relayed(), self.is_idle()) else { return };
        if allocation.is_some_and(|due| due <= now) {
            let lifetime = self.lifetime();
            self.renew_allocation = Some(now + lifetime / 2);
            self.near.ask(now, &mut self.ids, Ask::Refresh(lifetime));
            if let Far::Allocation { client, .. } = &mut self.far {
                client.ask(now, &mut self.ids, Ask::Refresh(lifetime));
            }
        } else if permission.is_some_and(|due| due <= now) {
            self.renew_permission = Some(now + PERMISSION_RENEWAL);
            self.near.ask(now, &mut self.ids, Ask::Channel { number: CHANNEL, peer });
            if let Far::Allocation { client, .. } = &mut self.far {
                client.ask(now, &mut self.ids, Ask::Channel { number: CHANNEL, peer: relayed });
            }
        }
    }
}

#[cfg(test)]
mod tests;
