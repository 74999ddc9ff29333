//! TCP and TLS: to servers that were named so, and to the others where UDP is silent.

use std::time::Duration;

use super::{
    Config, Server,
    probes::{Kind, Probe, Probes, TestId},
    reach::Reach,
};
use crate::probe::{SocketId, Transport};

/// How long UDP may be silent before TCP and TLS are tried as well.
const PATIENCE: Duration = Duration::from_millis(700);

/// The connections.
#[derive(Debug, Default)]
pub(super) struct Streams {
    started: bool,
    fallen_back: bool,
    attempts: Vec<Attempt>,
    /// Whether UDP is not silent after all, and the fallbacks are not waited for.
    needless: bool,
}

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) server: Server,
    /// Its number among the servers; for a fallback, that of the server it stands for.
    number: usize,
    pub(super) fallback: bool,
    pub(super) socket: SocketId,
    pub(super) test: Option<TestId>,
    pending: bool,
}

impl Streams {
    pub(super) fn advance(&mut self, config: &Config, probes: &mut Probes, reach: &Reach, now: Duration) {
        if !self.started {
            self.started = true;
            let named = config.servers.iter().enumerate();
            for (number, server) in named.filter(|(_, server)| server.transport != Transport::Udp) {
                self.connect(server.clone(), number, false, probes);
            }
        }
        self.needless = reach.is_answered(probes);
        if !self.fallen_back && !self.needless && reach.has_servers() && (now >= PATIENCE || reach.is_done()) {
            self.fallen_back = true;
            self.ask_for_refusal(config, probes, now);
            for server in &config.fallbacks {
                let number = config.servers.iter().position(|named| named.name == server.name);
                self.connect(server.clone(), number.unwrap_or_default(), true, probes);
            }
        }
        for attempt in &mut self.attempts {
            if attempt.test.is_none() && probes.local(attempt.socket).is_some() {
                let probe = Probe::plain(Kind::Stream, attempt.number, attempt.socket, attempt.server.address);
                attempt.test = Some(probes.start(now, probe));
            }
            attempt.pending = match attempt.test {
                Some(test) => !probes.is_over(test),
                None => probes.failure(attempt.socket).is_none(),
            };
        }
    }

    fn connect(&mut self, server: Server, number: usize, fallback: bool, probes: &mut Probes) {
        let socket = probes.open(&server, true);
        self.attempts.push(Attempt { server, number, fallback, socket, test: None, pending: true });
    }

    /// Asks the first server from a socket that is told of ICMP errors: they say more than silence.
    fn ask_for_refusal(&self, config: &Config, probes: &mut Probes, now: Duration) {
        let mut named = config.servers.iter().enumerate();
        let Some((number, server)) = named.find(|(_, server)| server.transport == Transport::Udp) else { return };
        let socket = probes.open(server, true);
        probes.start(now, Probe::plain(Kind::Refusal, number, socket, server.address));
    }

    pub(super) fn wake(&self) -> Option<Duration> {
        (!self.fallen_back && !self.needless).then_some(PATIENCE)
    }

    pub(super) fn is_done(&self) -> bool {
        // Whether a connection comes about is told by the system, in its own time.
        self.started && !self.attempts.iter().any(|attempt| attempt.pending && !(attempt.fallback && self.needless))
    }

    /// All connections, as they were started.
    pub(super) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}
