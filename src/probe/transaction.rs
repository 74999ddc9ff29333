//! STUN transactions of our own: retransmission, matching of answers, and silence (RFC 8489 section 6.2).

use std::{net::SocketAddr, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use rustc_hash::FxHashMap;

use super::{SocketId, Step};
use crate::wire::stun::{self, Class, Message};

/// The id of a transaction (RFC 8489 section 5).
pub type TransactionId = [u8; 12];

/// Makes ids that nobody can guess, so that nobody who does not see the requests can forge answers (RFC 8489 section
/// 5). From a seed it makes the same ones again.
#[derive(Debug)]
pub struct Ids(StdRng);

impl Ids {
    /// Ids from the system's randomness.
    #[must_use]
    pub fn random() -> Self {
        Self(StdRng::from_rng(&mut rand::rng()))
    }

    /// The ids of a script.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// The next one.
    pub fn next_id(&mut self) -> TransactionId {
        let mut id = TransactionId::default();
        self.0.fill_bytes(&mut id);
        id
    }
}

/// When a request is sent again, and when silence is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The wait after the first transmission; doubled after each.
    pub rto: Duration,
    /// The longest wait between two transmissions.
    pub longest: Duration,
    /// Transmissions in all.
    pub transmissions: u32,
    /// The wait after the last.
    pub last: Duration,
}

impl Schedule {
    /// RFC 8489 section 6.2.1, with an RTO of 500 ms, Rc = 7 and Rm = 16: 39.5 s until silence is believed.
    pub const PATIENT: Self = Self {
        rto: Duration::from_millis(500),
        longest: Duration::from_millis(16_000),
        transmissions: 7,
        last: Duration::from_millis(8_000),
    };

    /// Before any round trip is known: seven transmissions in 3.5 s.
    pub const UNKNOWN: Self = Self {
        rto: Duration::from_millis(200),
        longest: Duration::from_millis(600),
        transmissions: 7,
        last: Duration::from_millis(800),
    };

    /// Over a stream, which sends again by itself (RFC 8489 section 6.2.2, with a Ti that a person waits for).
    pub const STREAM: Self =
        Self { rto: Duration::ZERO, longest: Duration::ZERO, transmissions: 1, last: Duration::from_secs(8) };

    /// For a server that answers in `round_trip`: `transmissions` of them, each given up only after more than twice
    /// that time.
    #[must_use]
    pub fn measured(round_trip: Duration, transmissions: u32) -> Self {
        let rto = (round_trip * 2 + Self::SLACK).min(Self::LONGEST_RTO);
        Self { rto, longest: (rto * 2).min(Self::LONGEST_RTO), transmissions, last: rto * 2 + Self::SLACK }
    }

    /// What scheduling and queues add to a round trip.
    const SLACK: Duration = Duration::from_millis(50);

    /// The longest wait that is worth it where a round trip is known.
    const LONGEST_RTO: Duration = Duration::from_millis(1_500);

    /// The wait after the transmission of this number, counted from 1.
    fn wait(&self, transmission: u32) -> Duration {
        if transmission >= self.transmissions {
            return self.last;
        }
        self.rto.saturating_mul(1 << transmission.saturating_sub(1).min(16)).min(self.longest)
    }

    /// From the first transmission until silence is believed.
    #[must_use]
    pub fn total(&self) -> Duration {
        (1..=self.transmissions.max(1)).map(|transmission| self.wait(transmission)).sum()
    }
}

/// A request to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// From here.
    pub socket: SocketId,
    /// To this address.
    pub to: SocketAddr,
    /// The only address whose answer counts: `to`, unless the server is asked to answer from another.
    pub answer_from: SocketAddr,
    /// The whole message, with the id that [`id_of`] reads.
    pub bytes: Vec<u8>,
    /// When it is sent again.
    pub schedule: Schedule,
}

/// The id in a message's bytes.
#[must_use]
pub fn id_of(bytes: &[u8]) -> Option<TransactionId> {
    bytes.get(8..stun::HEADER_LENGTH)?.try_into().ok()
}

/// How a request fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// When it was first sent.
    pub sent_at: Option<Duration>,
    /// When it was last sent.
    pub sent_last_at: Option<Duration>,
    /// How often it was sent.
    pub transmissions: u32,
    /// When the first answer came.
    pub answered_at: Option<Duration>,
    /// Answers after the first.
    pub duplicates: u32,
    /// Messages with its id that were none: of another address or method, or not whole.
    pub rejected: u32,
    /// The last address that such a message came from.
    pub rejected_from: Option<SocketAddr>,
    /// Whether silence is believed.
    pub silent: bool,
}

impl Exchange {
    /// The round trip, where it is certain which transmission was answered (Karn's rule).
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        let answered_at = self.answered_at.filter(|_| self.transmissions == 1)?;
        answered_at.checked_sub(self.sent_at?)
    }

    /// Whether it will change no more but for late answers.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.answered_at.is_some() || self.silent
    }

    /// Transmissions that brought no answer of their own.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        match self.answered_at {
            // Two answers to three transmissions: one was lost.
            Some(_) => self.transmissions.saturating_sub(1 + self.duplicates),
            None => self.transmissions,
        }
    }
}

/// The transactions of a plan, by a name of its own for each.
#[derive(Debug)]
pub struct Transactions<N> {
    entries: Vec<Entry<N>>,
    by_id: FxHashMap<TransactionId, usize>,
}

#[derive(Debug)]
struct Entry<N> {
    name: N,
    request: Request,
    exchange: Exchange,
    /// When it is to be sent again, or given up; `None` when it is over.
    due: Option<Duration>,
}

/// What became of bytes that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched<N> {
    /// The first answer to the transaction of this name.
    Answer(N),
    /// An answer to one that was answered before.
    Repeated(N),
    /// The first answer, after silence was believed.
    Late(N),
    /// Of a transaction, and not what it waits for.
    Rejected(N),
    /// Of none.
    Unknown,
}

impl<N> Default for Transactions<N> {
    fn default() -> Self {
        Self { entries: Vec::new(), by_id: FxHashMap::default() }
    }
}

impl<N: Copy + PartialEq> Transactions<N> {
    /// Takes a request, to be sent at `at` or later.
    pub fn start(&mut self, at: Duration, name: N, request: Request) {
        if let Some(id) = id_of(&request.bytes) {
            self.by_id.insert(id, self.entries.len());
        }
        self.entries.push(Entry { name, request, exchange: Exchange::default(), due: Some(at) });
    }

    /// The next datagram to send. Where none is due: `Err` with the time at which one will be, if ever.
    ///
    /// # Errors
    /// Nothing is due.
    pub fn poll(&mut self, now: Duration) -> Result<Step, Option<Duration>> {
        for entry in &mut self.entries {
            if entry.due.is_some_and(|due| due <= now)
                && let Some(step) = entry.go_on(now)
            {
                return Ok(step);
            }
        }
        Err(self.entries.iter().filter_map(|entry| entry.due).min())
    }

    /// Takes what came in, and tells what it was.
    pub fn receive(&mut self, now: Duration, socket: SocketId, from: SocketAddr, bytes: &[u8]) -> Matched<N> {
        let found = id_of(bytes).and_then(|id| self.by_id.get(&id));
        let Some(entry) = found.and_then(|at| self.entries.get_mut(*at)) else { return Matched::Unknown };
        if !entry.waits_for(socket, from, bytes) {
            entry.exchange.rejected = entry.exchange.rejected.saturating_add(1);
            entry.exchange.rejected_from = Some(from);
            return Matched::Rejected(entry.name);
        }
        if entry.exchange.answered_at.is_some() {
            entry.exchange.duplicates = entry.exchange.duplicates.saturating_add(1);
            return Matched::Repeated(entry.name);
        }
        let late = entry.exchange.silent;
        entry.exchange.answered_at = Some(now);
        entry.due = None;
        if late { Matched::Late(entry.name) } else { Matched::Answer(entry.name) }
    }

    /// Gives up what waits on a socket that works no more.
    pub fn socket_failed(&mut self, socket: SocketId) {
        for entry in self.entries.iter_mut().filter(|entry| entry.request.socket == socket) {
            if entry.due.take().is_some() {
                entry.exchange.silent = true;
            }
        }
    }

    /// Gives up one.
    pub fn cancel(&mut self, name: N) {
        if let Some(entry) = self.entries.iter_mut().rfind(|entry| entry.name == name) {
            entry.due = None;
        }
    }

    /// Has all datagrams that are not over sent up to so many times: on a path that loses packets, silence takes longer
    /// to believe.
    pub fn insist(&mut self, transmissions: u32) {
        for entry in self.entries.iter_mut().filter(|entry| entry.due.is_some()) {
            let schedule = &mut entry.request.schedule;
            if *schedule != Schedule::STREAM {
                schedule.transmissions = schedule.transmissions.max(transmissions);
            }
        }
    }

    /// How the last one of this name fares.
    #[must_use]
    pub fn exchange(&self, name: N) -> Option<&Exchange> {
        self.entries.iter().rfind(|entry| entry.name == name).map(|entry| &entry.exchange)
    }

    /// All, in the order in which they were started.
    pub fn iter(&self) -> impl Iterator<Item = (N, &Request, &Exchange)> {
        self.entries.iter().map(|entry| (entry.name, &entry.request, &entry.exchange))
    }

    /// Whether all are over.
    #[must_use]
    pub fn are_over(&self) -> bool {
        self.entries.iter().all(|entry| entry.due.is_none())
    }
}

impl<N> Entry<N> {
    /// Sends again, or believes the silence.
    fn go_on(&mut self, now: Duration) -> Option<Step> {
        let exchange = &mut self.exchange;
        if exchange.transmissions >= self.request.schedule.transmissions {
            exchange.silent = true;
            self.due = None;
            return None;
        }
        exchange.transmissions += 1;
        exchange.sent_at.get_or_insert(now);
        exchange.sent_last_at = Some(now);
        self.due = Some(now + self.request.schedule.wait(exchange.transmissions));
        Some(Step::Send { socket: self.request.socket, to: self.request.to, bytes: self.request.bytes.clone() })
    }

    /// Whether this is an answer to the request, whole and of the right sender.
    fn waits_for(&self, socket: SocketId, from: SocketAddr, bytes: &[u8]) -> bool {
        if socket != self.request.socket || from != self.request.answer_from || self.exchange.transmissions == 0 {
            return false;
        }
        let (Ok(request), Ok(answer)) = (Message::parse(&self.request.bytes), Message::parse(bytes)) else {
            return false;
        };
        let (request, answer) = (request.message_type(), answer.message_type());
        answer.method() == request.method() && matches!(answer.class(), Class::Success | Class::Error)
    }
}

#[cfg(test)]
mod tests;
