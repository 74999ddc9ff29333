//! The tests of a check and their sockets: what was sent where, and what came of it.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::Server;
use crate::probe::{
    Event, Failure, Open, SocketId, Step, Transport,
    message::{BindingAnswer, BindingRequest, Change},
    transaction::{Exchange, Ids, Matched, Request, Schedule, TransactionId, Transactions, id_of},
};

/// Transmissions before silence is believed on a path that has lost nothing. Where a fifth is lost each way and this
/// has not been noticed yet, that is wrong once in 3,500 tests.
const TRANSMISSIONS: u32 = 8;

/// The same on a path that has lost something: wrong once in a million tests where a fifth is lost each way.
const TRANSMISSIONS_OF_LOSSY: u32 = 14;

/// Transmissions of a request that is expected to be answered.
const TRANSMISSIONS_OF_PLAIN: u32 = 12;

/// The first requests, when no round trip is known: twelve in 5.2 s, and 1 s more.
const FIRST: Schedule = Schedule {
    rto: Duration::from_millis(200),
    longest: Duration::from_millis(500),
    transmissions: 12,
    last: Duration::from_millis(1_000),
};

/// Over a stream, which sends again by itself: the connection took a round trip, the answer takes another.
const STREAM: Schedule = Schedule { last: Duration::from_secs(3), ..Schedule::STREAM };

/// A round trip where none is known.
const USUAL_ROUND_TRIP: Duration = Duration::from_millis(200);

/// How much later than usual an answer may be before it is taken for lost.
const LATENESS: Duration = Duration::from_millis(50);

/// What a test is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Is the server there, and what does it see (test I of RFC 5780 sections 4.3 and 4.4)?
    Binding,
    /// The same from a socket that tells of ICMP errors.
    Refusal,
    /// The same over TCP or TLS.
    Stream,
    /// What another address of the server sees (tests II and III of RFC 5780 section 4.3).
    Mapping(Change),
    /// Does an answer from another address pass (RFC 5780 section 4.4, erratum 7971)?
    Filtering(Change),
    /// Writes to the other address, so that the filter lets it in.
    Opening(Change),
    /// The filtering test once more where the filter is open: can the server answer from there at all?
    Control(Change),
    /// What a socket of the hairpinning test is mapped to.
    HairpinBinding,
    /// Do packets to a mapped address of this host come back to it (RFC 5780 section 3.4)?
    Hairpin,
    /// Do fragments pass (RFC 5780 section 3.5, PADDING)?
    Fragments,
    /// What a socket of the lifetime test is mapped to.
    LifetimeBinding,
    /// Is the binding of an idle socket still there (RFC 5780 section 4.6, RESPONSE-PORT)?
    Lifetime,
}

/// A test by its number.
pub(super) type TestId = usize;

/// A test to start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) kind: Kind,
    /// Which of the servers it is about.
    pub(super) server: usize,
    pub(super) socket: SocketId,
    pub(super) to: SocketAddr,
    pub(super) answer_from: SocketAddr,
    pub(super) request: BindingRequest,
    /// Where what is sent, or its answer, is to arrive, where that is another socket.
    pub(super) arrives_on: Option<SocketId>,
}

impl Probe {
    /// A Binding request that is answered from where it goes to.
    pub(super) fn plain(kind: Kind, server: usize, socket: SocketId, to: SocketAddr) -> Self {
        Self { kind, server, socket, to, answer_from: to, request: BindingRequest::default(), arrives_on: None }
    }
}

/// A test that was started.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) probe: Probe,
    /// Its answer.
    pub(super) answer: Option<BindingAnswer>,
    /// When it arrived on the other socket, and from where.
    pub(super) arrived: Option<(Duration, SocketAddr)>,
    /// The error that came from where none was waited for.
    pub(super) refused: Option<u16>,
}

/// What a test has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Answered,
    /// Answered with an error.
    Refused(u16),
    Silent,
}

#[derive(Clone, Debug)]
struct Socket {
    transport: Transport,
    local: Option<SocketAddr>,
    failure: Option<Failure>,
}

/// The tests of a check.
#[derive(Debug)]
pub(super) struct Probes {
    ids: Ids,
    local: Option<IpAddr>,
    patient: bool,
    tests: Vec<Test>,
    transactions: Transactions<TestId>,
    crossing: Vec<(TransactionId, TestId)>,
    sockets: Vec<Socket>,
    steps: VecDeque<Step>,
    malformed: u32,
}

impl Probes {
    pub(super) fn new(ids: Ids, local: Option<IpAddr>, patient: bool) -> Self {
        Self {
            ids,
            local,
            patient,
            tests: Vec::new(),
            transactions: Transactions::default(),
            crossing: Vec::new(),
            sockets: Vec::new(),
            steps: VecDeque::new(),
            malformed: 0,
        }
    }

    /// Opens a socket towards `server`.
    pub(super) fn open(&mut self, server: &Server, connected: bool) -> SocketId {
        let id = SocketId(u32::try_from(self.sockets.len()).unwrap_or(u32::MAX));
        // All sockets of a path have one local address: that of the first is the route's.
        let known = self.sockets.iter().find_map(|socket| socket.local).map(|local| local.ip());
        let local = self.local.or(known).map(|local| SocketAddr::new(local, 0));
        self.sockets.push(Socket { transport: server.transport, local: None, failure: None });
        let open = Open {
            transport: server.transport,
            server: server.address,
            connected,
            local,
            server_name: server.server_name.clone(),
        };
        self.steps.push_back(Step::Open(id, open));
        id
    }

    /// A fresh UDP socket towards `address`.
    pub(super) fn open_udp(&mut self, address: SocketAddr) -> SocketId {
        let server = Server { name: String::new(), address, transport: Transport::Udp, server_name: None };
        self.open(&server, false)
    }

    /// Starts a test. What it waits for depends on its kind and on the round trip so far.
    pub(super) fn start(&mut self, now: Duration, probe: Probe) -> TestId {
        let test = self.tests.len();
        let id = self.ids.next_id();
        if probe.arrives_on.is_some() {
            self.crossing.push((id, test));
        }
        let request = Request {
            socket: probe.socket,
            to: probe.to,
            answer_from: probe.answer_from,
            bytes: probe.request.encode(id),
            schedule: self.schedule(&probe),
        };
        self.tests.push(Test { probe, answer: None, arrived: None, refused: None });
        self.transactions.start(now, test, request);
        if self.failure(probe.socket).is_some() {
            self.transactions.socket_failed(probe.socket);
        }
        test
    }

    fn schedule(&self, probe: &Probe) -> Schedule {
        match probe.kind {
            Kind::Stream => STREAM,
            _ if self.patient => Schedule::PATIENT,
            Kind::Binding | Kind::Refusal if !self.is_certain(probe.to.ip()) => FIRST,
            Kind::Filtering(_) | Kind::Control(_) | Kind::Hairpin | Kind::Lifetime | Kind::Fragments => {
                let measured = Schedule::measured(self.round_trip(probe), TRANSMISSIONS);
                // What is silent here is a filter, not a queue: no need to back off.
                Schedule { longest: measured.rto, ..measured }
            }
            _ => Schedule::measured(self.round_trip(probe), TRANSMISSIONS_OF_PLAIN),
        }
    }

    /// The next thing to do with a socket.
    pub(super) fn next_step(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// The next datagram to send, or when one will be due.
    pub(super) fn poll(&mut self, now: Duration) -> Result<Step, Option<Duration>> {
        if !self.patient && self.is_lossy(now) {
            self.transactions.insist(TRANSMISSIONS_OF_LOSSY);
        }
        self.transactions.poll(now)
    }

    pub(super) fn handle(&mut self, now: Duration, event: Event) {
        match event {
            Event::Opened { socket, local } => {
                if let Some(socket) = self.socket_mut(socket) {
                    socket.local = Some(local);
                }
            }
            Event::Failed { socket, failure } => {
                self.transactions.socket_failed(socket);
                self.note_failure(socket, failure);
            }
            Event::Unreachable { socket, failure } => self.note_failure(socket, failure),
            Event::Received { socket, from, bytes } => self.receive(now, socket, from, &bytes),
        }
    }

    fn note_failure(&mut self, socket: SocketId, failure: Failure) {
        if let Some(socket) = self.socket_mut(socket) {
            socket.failure.get_or_insert(failure);
        }
    }

    fn receive(&mut self, now: Duration, socket: SocketId, from: SocketAddr, bytes: &[u8]) {
        let crossing = self.crossing.iter().find(|(id, _)| id_of(bytes).as_ref() == Some(id));
        if let Some((_, id)) = crossing.copied()
            && let Some(test) = self.tests.get_mut(id)
            && test.probe.arrives_on == Some(socket)
        {
            test.arrived.get_or_insert((now, from));
            self.transactions.cancel(id);
            return;
        }
        // What cannot be read, or says nothing, is no answer: the next transmission may bring one.
        let answer = BindingAnswer::decode(bytes).ok();
        let Some(answer) = answer.filter(|answer| answer.mapped.is_some() || answer.error.is_some()) else {
            self.malformed = self.malformed.saturating_add(1);
            return;
        };
        match self.transactions.receive(now, socket, from, bytes) {
            Matched::Answer(id) | Matched::Late(id) => {
                if let Some(test) = self.tests.get_mut(id) {
                    test.answer = Some(answer);
                }
            }
            Matched::Rejected(id) => {
                if let Some(test) = self.tests.get_mut(id) {
                    test.refused = test.refused.or(answer.error);
                }
            }
            Matched::Repeated(_) | Matched::Unknown => {}
        }
    }

    pub(super) fn state(&self, id: TestId) -> State {
        let (Some(test), Some(exchange)) = (self.tests.get(id), self.transactions.exchange(id)) else {
            return State::Silent;
        };
        match &test.answer {
            _ if test.arrived.is_some() => State::Answered,
            Some(answer) => answer.error.map_or(State::Answered, State::Refused),
            None if exchange.silent => State::Silent,
            None => State::Pending,
        }
    }

    /// How many tests are not over.
    pub(super) fn pending(&self) -> usize {
        (0..self.tests.len()).filter(|test| !self.is_over(*test)).count()
    }

    pub(super) fn is_over(&self, id: TestId) -> bool {
        self.state(id) != State::Pending
    }

    pub(super) fn is_answered(&self, id: TestId) -> bool {
        self.state(id) == State::Answered
    }

    pub(super) fn test(&self, id: TestId) -> Option<&Test> {
        self.tests.get(id)
    }

    pub(super) fn exchange(&self, id: TestId) -> Option<&Exchange> {
        self.transactions.exchange(id)
    }

    /// All tests, in the order in which they were started.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TestId, &Test)> {
        self.tests.iter().enumerate()
    }

    /// What the server saw, of a test that was answered.
    pub(super) fn mapped(&self, id: TestId) -> Option<SocketAddr> {
        self.tests.get(id)?.answer.as_ref()?.mapped
    }

    /// A socket's own address, once it is open.
    pub(super) fn local(&self, socket: SocketId) -> Option<SocketAddr> {
        self.socket(socket)?.local
    }

    /// Why a socket does not work, or what it told of.
    pub(super) fn failure(&self, socket: SocketId) -> Option<&Failure> {
        self.socket(socket)?.failure.as_ref()
    }

    pub(super) fn transport(&self, socket: SocketId) -> Option<Transport> {
        Some(self.socket(socket)?.transport)
    }

    /// Datagrams that were no STUN messages that say anything.
    pub(super) const fn malformed(&self) -> u32 {
        self.malformed
    }

    /// Whether a request or an answer was lost on the way: something was answered, and some of its transmissions were
    /// not, though there was time for it.
    fn is_lossy(&self, now: Duration) -> bool {
        self.transactions.iter().any(|(_, _, exchange)| {
            let (Some(sent), Some(last), Some(answered)) =
                (exchange.sent_at, exchange.sent_last_at, exchange.answered_at)
            else {
                return false;
            };
            exchange.lost() > 0 && now > last + answered.saturating_sub(sent) + LATENESS
        })
    }

    /// Whether the round trip to an address is certain.
    pub(super) fn is_certain(&self, address: IpAddr) -> bool {
        self.round_trips(address).any(|exchange| exchange.round_trip().is_some())
    }

    /// That of the address, or else the longest of any.
    fn round_trip(&self, probe: &Probe) -> Duration {
        let known = if probe.kind == Kind::Hairpin { None } else { self.usual(probe.to.ip()) };
        let anywhere = || {
            let tests = self.tests.iter().filter_map(|test| self.usual(test.probe.to.ip()));
            tests.max()
        };
        known.or_else(anywhere).unwrap_or(USUAL_ROUND_TRIP)
    }

    /// The median of what is certain: one answer that was late must not have all silence take as long. Else the shortest
    /// that it can at most be.
    fn usual(&self, address: IpAddr) -> Option<Duration> {
        let mut certain: Vec<Duration> = self.round_trips(address).filter_map(Exchange::round_trip).collect();
        certain.sort_unstable();
        let at_most = |exchange: &Exchange| exchange.answered_at?.checked_sub(exchange.sent_at?);
        let median = certain.get(certain.len() / 2).copied();
        median.or_else(|| self.round_trips(address).filter_map(at_most).min())
    }

    /// The exchanges with an address over UDP that tell how long it takes to answer.
    fn round_trips(&self, address: IpAddr) -> impl Iterator<Item = &Exchange> {
        let tests = self.iter().filter(move |(id, test)| {
            test.probe.to.ip() == address
                && !matches!(test.probe.kind, Kind::Stream | Kind::Hairpin | Kind::Lifetime)
                && self.is_answered(*id)
        });
        tests.filter_map(|(id, _)| self.exchange(id))
    }

    fn socket(&self, id: SocketId) -> Option<&Socket> {
        self.sockets.get(usize::try_from(id.0).ok()?)
    }

    fn socket_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.sockets.get_mut(usize::try_from(id.0).ok()?)
    }
}
