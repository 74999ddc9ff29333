//! A TURN server in a script, on a fake clock: what it answers, and what is lost, late, doubled or forged on the way.

use super::*;
use crate::{
    probe::{
        Event, Failure, Plan,
        turn::{
            Flow,
            credentials::{Algorithm, Challenge, Credentials},
            message::Family,
        },
    },
    wire::{
        channel::ChannelData,
        stun::{Class, Message, Value, kind, method},
    },
};

const SERVER: &str = "192.0.2.1:3478";
const ONE_WAY: Duration = Duration::from_millis(10);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn credentials() -> Credentials {
    Credentials::new("alice".to_owned(), "secret".to_owned())
}

fn config(transport: Transport) -> Config {
    Config {
        server: address(SERVER),
        transport,
        server_name: None,
        credentials: Some(credentials()),
        family: Family::Usual,
        bitrate: 800_000,
        duration: Duration::from_secs(1),
    }
}

/// What the script's server does other than a good one.
#[derive(Clone, Debug, Default)]
struct Script {
    /// Errors for a method: at this request of it with credentials (counted from 0 over both ends), this code.
    errors: Vec<(u16, u32, u16)>,
    /// Error for every request of the method.
    always: Option<(u16, u16)>,
    /// No answer to these requests, counted from 0.
    lost: Vec<u32>,
    /// Every answer comes twice.
    doubled: bool,
    /// What each success is signed with.
    password: Option<&'static str>,
    /// No MESSAGE-INTEGRITY in successes.
    unsigned: bool,
    /// Asks for nothing.
    open: bool,
    /// RFC 8489: SHA-256 and USERHASH.
    modern: bool,
    /// Peers that are forbidden.
    forbidden: Vec<&'static str>,
    /// Data is not relayed: Send indications, ChannelData.
    mute: [bool; 2],
    /// Every nth datagram is not relayed.
    drops: Option<u32>,
    /// The lifetime granted.
    lifetime: Option<u32>,
    /// Nothing is answered.
    dead: bool,
    /// What is sent before each true answer.
    forgery: Option<Forgery>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forgery {
    OtherId,
    OtherSource,
    BadIntegrity,
    Malformed,
}

/// The world around a check.
struct World {
    script: Script,
    now: Duration,
    queue: Vec<(Duration, u64, Event)>,
    order: u64,
    requests: u32,
    counts: Vec<(u16, u32)>,
    nonce: u32,
    sent: Vec<(Duration, SocketId, Vec<u8>)>,
    relayed_datagrams: u32,
    channels: u32,
}

impl World {
    fn new(script: Script) -> Self {
        Self {
            script,
            now: Duration::ZERO,
            queue: Vec::new(),
            order: 0,
            requests: 0,
            counts: Vec::new(),
            nonce: 0,
            sent: Vec::new(),
            relayed_datagrams: 0,
            channels: 0,
        }
    }

    fn later(&mut self, after: Duration, event: Event) {
        self.order += 1;
        self.queue.push((self.now + after, self.order, event));
    }

    fn relayed(socket: SocketId) -> SocketAddr {
        address(if socket == NEAR { "192.0.2.1:50000" } else { "192.0.2.1:50001" })
    }

    /// Runs a check to its end.
    fn run(&mut self, config: Config) -> Outcome {
        let mut check = TurnCheck::new(config, Ids::seeded(1));
        self.run_until(&mut check, Duration::from_secs(600));
        assert_eq!(check.step(), None, "it ends");
        check.outcome()
    }

    fn run_until(&mut self, check: &mut TurnCheck, end: Duration) {
        let mut idle = 0;
        while self.now < end {
            match check.poll(self.now) {
                Step::Open(socket, open) => {
                    let local = SocketAddr::new("192.0.2.9".parse().unwrap(), 4_000 + socket.0 as u16);
                    let event = match (open.transport, self.script.dead) {
                        (Transport::Tcp | Transport::Tls, true) => Event::Failed { socket, failure: Failure::Refused },
                        _ => Event::Opened { socket, local },
                    };
                    self.later(ONE_WAY, event);
                }
                Step::Send { socket, to, bytes } => self.take(socket, to, bytes),
                Step::Close(_) => {}
                Step::Done => return,
                Step::Wait(until) => {
                    let next = self.queue.iter().map(|(at, ..)| *at).min();
                    let at = next.map_or(until, |next| next.min(until));
                    idle = if at <= self.now { idle + 1 } else { 0 };
                    assert!(idle < 1_000, "it waits for what has passed: {:?}", check.step());
                    self.now = self.now.max(at);
                    self.deliver(check);
                }
            }
        }
    }

    fn deliver(&mut self, check: &mut TurnCheck) {
        self.queue.sort_by_key(|(at, order, _)| (*at, *order));
        let (due, rest): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|(at, ..)| *at <= self.now);
        self.queue = rest;
        due.into_iter().for_each(|(_, _, event)| check.handle(self.now, event));
    }

    fn take(&mut self, socket: SocketId, to: SocketAddr, bytes: Vec<u8>) {
        self.sent.push((self.now, socket, bytes.clone()));
        if self.script.dead {
            return;
        }
        if socket == PLAIN {
            assert_eq!(to, Self::relayed(NEAR));
            // A NAT gave it another port.
            let data = self.data_indication(address("192.0.2.9:9999"), &bytes);
            return self.relay(NEAR, data, false);
        }
        assert_eq!(to, address(SERVER));
        if let Ok(data) = ChannelData::parse(&bytes, bytes.len()) {
            assert_eq!(data.number, CHANNEL);
            return self.cross(socket, data.data, true);
        }
        let message = Message::parse(&bytes).unwrap();
        if message.class() == Class::Indication {
            let Value::Data(data) = message.attribute(kind::DATA).unwrap().value().unwrap() else { panic!() };
            return self.cross(socket, data, false);
        }
        self.requests += 1;
        if self.script.lost.contains(&(self.requests - 1)) {
            return;
        }
        let answer = self.answer(socket, &message);
        self.forge(socket, &answer);
        let event = Event::Received { socket, from: address(SERVER), bytes: answer };
        if self.script.doubled {
            self.later(2 * ONE_WAY, event.clone());
        }
        self.later(2 * ONE_WAY, event);
    }

    fn forge(&mut self, socket: SocketId, answer: &[u8]) {
        let Some(forgery) = self.script.forgery else { return };
        let (mut bytes, mut from) = (answer.to_vec(), address(SERVER));
        // A success turned into a refusal that nobody gave.
        match forgery {
            Forgery::OtherId => bytes[10] ^= 1,
            Forgery::OtherSource => from = address("192.0.2.66:3478"),
            Forgery::BadIntegrity if answer[0] == 1 && answer[1] & 0x10 == 0 => bytes[24] ^= 1,
            Forgery::BadIntegrity => return,
            Forgery::Malformed => bytes.truncate(bytes.len() - 3),
        }
        self.later(ONE_WAY, Event::Received { socket, from, bytes });
    }

    /// What goes from one end to the other.
    fn cross(&mut self, socket: SocketId, data: &[u8], channel: bool) {
        let is_plain = self.sent.iter().any(|(_, socket, _)| *socket == PLAIN);
        let (to, bytes) = match (socket, is_plain, channel) {
            (NEAR, true, _) => {
                let event = Event::Received { socket: PLAIN, from: Self::relayed(NEAR), bytes: data.to_vec() };
                return self.later(2 * ONE_WAY, event);
            }
            (_, _, true) => (if socket == NEAR { FAR } else { NEAR }, channel_data(data)),
            (NEAR, ..) => (FAR, self.data_indication(Self::relayed(NEAR), data)),
            _ => (NEAR, self.data_indication(Self::relayed(FAR), data)),
        };
        self.relay(to, bytes, channel);
    }

    fn relay(&mut self, socket: SocketId, bytes: Vec<u8>, channel: bool) {
        self.relayed_datagrams += 1;
        let dropped = self.script.drops.is_some_and(|every| self.relayed_datagrams.is_multiple_of(every));
        if !dropped && !self.script.mute[usize::from(channel)] {
            self.later(2 * ONE_WAY, Event::Received { socket, from: address(SERVER), bytes });
        }
    }

    fn data_indication(&self, peer: SocketAddr, data: &[u8]) -> Vec<u8> {
        let mut bytes = crate::probe::turn::message::send_indication([3; 12], peer, data);
        bytes[1] = 0x17;
        bytes
    }

    fn challenge(&self) -> Challenge {
        let nonce = if self.script.modern { "obMatJos2wAAA" } else { "nonce" };
        Challenge {
            realm: "here".to_owned(),
            nonce: format!("{nonce}{}", self.nonce),
            algorithms: self.script.modern.then(|| (vec![0, 2, 0, 0, 0, 1, 0, 0], Algorithm::Sha256)),
            userhash: self.script.modern,
        }
    }

    fn answer(&mut self, socket: SocketId, request: &Message<'_>) -> Vec<u8> {
        let number = request.method();
        let challenge = self.challenge();
        let key = challenge.key(&credentials());
        let proved = request.attribute(kind::USERNAME).or_else(|| request.attribute(kind::USERHASH)).is_some();
        if let Some((_, code)) = self.script.always.filter(|(method, _)| *method == number) {
            return self.error(request, code);
        }
        if !self.script.open && !proved {
            return self.error(request, 401);
        }
        if proved {
            assert_eq!(request.attribute(kind::MESSAGE_INTEGRITY_SHA256).is_some(), self.script.modern);
            assert_eq!(request.attribute(kind::PASSWORD_ALGORITHM).is_some(), self.script.modern);
            if key.check(request) != crate::probe::turn::credentials::Integrity::Right {
                return self.error(request, 401);
            }
        }
        let count = self.count(number);
        if let Some((_, _, code)) = self.script.errors.iter().find(|(m, at, _)| (*m, *at) == (number, count)).copied() {
            self.nonce += u32::from(code == 438);
            return self.error(request, code);
        }
        let peer = request.attribute(kind::XOR_PEER_ADDRESS).map(|peer| peer.value().unwrap());
        if let Some(Value::Address(peer)) = peer
            && self.script.forbidden.iter().any(|forbidden| *forbidden == peer.ip().to_string())
        {
            return self.error(request, 403);
        }
        self.channels += u32::from(number == method::CHANNEL_BIND);
        self.success(socket, request)
    }

    fn count(&mut self, method: u16) -> u32 {
        if let Some((_, count)) = self.counts.iter_mut().find(|(one, _)| *one == method) {
            *count += 1;
            return *count;
        }
        self.counts.push((method, 0));
        0
    }

    fn error(&self, request: &Message<'_>, code: u16) -> Vec<u8> {
        let challenge = self.challenge();
        let mut attributes = vec![(kind::ERROR_CODE, vec![0, 0, (code / 100) as u8, (code % 100) as u8])];
        if matches!(code, 401 | 438) {
            attributes.push((kind::REALM, challenge.realm.into_bytes()));
            attributes.push((kind::NONCE, challenge.nonce.into_bytes()));
            attributes.extend(challenge.algorithms.map(|(named, _)| (kind::PASSWORD_ALGORITHMS, named)));
        }
        if code == 300 {
            attributes.push((kind::ALTERNATE_SERVER, vec![0, 1, 0x0d, 0x96, 192, 0, 2, 77]));
        }
        message(request, 0x0110, &attributes)
    }

    fn success(&self, socket: SocketId, request: &Message<'_>) -> Vec<u8> {
        let lifetime = self.script.lifetime.unwrap_or(600).to_be_bytes().to_vec();
        let xored = |address: SocketAddr| {
            let port = (address.port() ^ 0x2112).to_be_bytes();
            let std::net::IpAddr::V4(ip) = address.ip() else { panic!() };
            [&[0, 1][..], &port, &(ip.to_bits() ^ 0x2112_a442).to_be_bytes()].concat()
        };
        let attributes = match request.method() {
            method::ALLOCATE => vec![
                (kind::XOR_RELAYED_ADDRESS, xored(Self::relayed(socket))),
                (kind::XOR_MAPPED_ADDRESS, xored(address("192.0.2.9:4000"))),
                (kind::LIFETIME, lifetime),
                (kind::SOFTWARE, b"a script".to_vec()),
            ],
            method::REFRESH => vec![(kind::LIFETIME, lifetime)],
            _ => vec![],
        };
        let bytes = message(request, 0x0100, &attributes);
        if self.script.unsigned || self.script.open {
            return bytes;
        }
        let password = self.script.password.unwrap_or("secret");
        let key = self.challenge().key(&Credentials::new("alice".into(), password.into()));
        key.sign(bytes, self.script.modern)
    }
}

fn channel_data(data: &[u8]) -> Vec<u8> {
    crate::probe::turn::message::channel_data(CHANNEL, data, Transport::Udp)
}

fn message(request: &Message<'_>, class: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let kind = (request.message_type().0 | class).to_be_bytes();
    [&kind[..], &(body.len() as u16).to_be_bytes(), &request.transaction().to_be_bytes(), &body].concat()
}

fn outcome(script: Script) -> Outcome {
    World::new(script).run(config(Transport::Udp))
}

fn passed(outcome: &Outcome) -> Vec<CheckStep> {
    outcome.steps.iter().filter(|step| step.problem.is_none()).map(|step| step.step).collect()
}

fn code(outcome: &Outcome) -> Option<(CheckStep, u16)> {
    match outcome.failure()? {
        (step, Problem::Refused { code, .. }) => Some((step, *code)),
        _ => None,
    }
}

#[test]
fn a_good_server_passes_every_step() {
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        let mut world = World::new(Script::default());
        let outcome = world.run(config(transport));
        assert_eq!(passed(&outcome), CheckStep::ALL, "{transport:?}");
        assert_eq!(outcome.peer, Some(Peer::Allocation));
        assert_eq!((outcome.relayed[0], outcome.mapped), (World::relayed(NEAR), Some(address("192.0.2.9:4000"))));
        assert_eq!(outcome.lifetime, Some(Duration::from_secs(600)));
        assert_eq!(outcome.facts.round_trip, Some(2 * ONE_WAY));
        assert_eq!(outcome.facts.software.as_deref(), Some("a script"));
        assert!(outcome.facts.trusted);
        for flow in outcome.indications.iter().flatten() {
            assert_eq!((flow.sent, flow.received, flow.latency()), (20, 20, Some(2 * ONE_WAY)));
        }
        // 800 kbit/s of 1,000 bytes each for a second.
        for flow in outcome.channel.iter().flatten() {
            assert_eq!((flow.sent, flow.received, flow.latency_max), (100, 100, Some(2 * ONE_WAY)));
        }
        // Both allocations were given back.
        assert_eq!(world.sent.iter().filter(|(.., bytes)| is_release(bytes)).count(), 2);
    }
}

fn is_release(bytes: &[u8]) -> bool {
    let lifetime = Message::parse(bytes).ok().filter(|message| message.method() == method::REFRESH);
    let lifetime = lifetime.and_then(|message| message.attribute(kind::LIFETIME)?.value().ok());
    lifetime == Some(Value::Number(0))
}

#[test]
fn sha256_and_userhash_where_the_server_has_them() {
    let outcome = outcome(Script { modern: true, ..Script::default() });
    assert_eq!(passed(&outcome), CheckStep::ALL);
    let challenge = outcome.facts.challenge.unwrap();
    assert_eq!((challenge.algorithm(), challenge.userhash), (Algorithm::Sha256, true));
}

#[test]
fn each_message_may_be_lost_once() {
    for lost in 0..12 {
        let outcome = outcome(Script { lost: vec![lost], ..Script::default() });
        assert_eq!(passed(&outcome), CheckStep::ALL, "request {lost} lost");
    }
}

#[test]
fn each_answer_may_come_twice() {
    let outcome = outcome(Script { doubled: true, ..Script::default() });
    assert_eq!(passed(&outcome), CheckStep::ALL);
}

#[test]
fn forged_answers_change_nothing() {
    for forgery in [Forgery::OtherId, Forgery::OtherSource, Forgery::BadIntegrity, Forgery::Malformed] {
        let outcome = outcome(Script { forgery: Some(forgery), ..Script::default() });
        assert_eq!(passed(&outcome), CheckStep::ALL, "{forgery:?}");
        assert_eq!(outcome.facts.forged > 0, forgery == Forgery::BadIntegrity, "{forgery:?}");
        assert_eq!(outcome.facts.rejected > 0, matches!(forgery, Forgery::OtherSource | Forgery::Malformed));
    }
}

#[test]
fn answers_must_prove_the_password() {
    for script in
        [Script { password: Some("other"), ..Script::default() }, Script { unsigned: true, ..Script::default() }]
    {
        let outcome = outcome(script);
        assert_eq!(outcome.failure(), Some((CheckStep::Allocate, &Problem::Silent)));
        assert!(outcome.facts.forged > 0 && outcome.answered);
        assert_eq!(outcome.relayed, []);
    }
}

#[test]
fn wrong_credentials_are_told_from_none() {
    let with = |credentials| World::new(Script::default()).run(Config { credentials, ..config(Transport::Udp) });
    let none = with(None);
    assert_eq!(none.failure(), Some((CheckStep::Authenticate, &Problem::NoCredentials)));
    assert_eq!(code(&with(Some(Credentials::new("alice".into(), "x".into())))), Some((CheckStep::Authenticate, 401)));
}

#[test]
fn an_open_server_is_noticed() {
    let outcome = outcome(Script { open: true, ..Script::default() });
    assert!(outcome.failure().is_none() && outcome.facts.challenge.is_none());
    assert!(outcome.step(CheckStep::Authenticate).is_none());
    assert!(outcome.step(CheckStep::Release).is_some());
}

#[test]
fn a_stale_nonce_is_renewed_once() {
    for number in [method::ALLOCATE, method::CREATE_PERMISSION, method::CHANNEL_BIND, method::REFRESH] {
        let stale = |times: u32| (0..times).map(|at| (number, at, 438)).collect();
        let once = outcome(Script { errors: stale(1), ..Script::default() });
        assert_eq!(passed(&once), CheckStep::ALL, "{number}");
        assert_eq!(once.facts.renewals, 1);
    }
    let looping =
        outcome(Script { errors: vec![(method::ALLOCATE, 0, 438), (method::ALLOCATE, 1, 438)], ..Script::default() });
    assert_eq!(looping.failure(), Some((CheckStep::Authenticate, &Problem::NonceLoop)));
}

#[test]
fn each_error_fails_its_step() {
    for refused in [400, 403, 420, 437, 440, 441, 442, 486, 500, 508] {
        let script = Script { errors: vec![(method::ALLOCATE, 0, refused)], ..Script::default() };
        let outcome = outcome(script);
        assert_eq!(code(&outcome), Some((CheckStep::Allocate, refused)));
        assert!(outcome.step(CheckStep::Authenticate).is_some(), "{refused}: the credentials were right");
    }
    for (number, step) in [(method::CHANNEL_BIND, CheckStep::Channel), (method::REFRESH, CheckStep::Refresh)] {
        let mut world = World::new(Script { errors: vec![(number, 0, 437)], ..Script::default() });
        let outcome = world.run(config(Transport::Udp));
        assert_eq!(code(&outcome), Some((step, 437)));
        assert!(world.sent.iter().any(|(.., bytes)| is_release(bytes)), "what was lent is given back");
    }
}

#[test]
fn errors_before_credentials() {
    for refused in [400, 442, 500] {
        let outcome = outcome(Script { always: Some((method::ALLOCATE, refused)), ..Script::default() });
        assert_eq!(code(&outcome), Some((CheckStep::Allocate, refused)));
        assert!(outcome.step(CheckStep::Authenticate).is_none());
    }
    let elsewhere = outcome(Script { always: Some((method::ALLOCATE, 300)), ..Script::default() });
    assert_eq!(elsewhere.alternate(), Some(address("192.0.2.77:3478")));
}

#[test]
fn without_a_second_allocation_a_socket_is_the_peer() {
    let quota = outcome(Script { errors: vec![(method::ALLOCATE, 1, 486)], ..Script::default() });
    assert_eq!(passed(&quota), CheckStep::ALL);
    assert_eq!(quota.peer, Some(Peer::Socket(Fallback::NoSecondAllocation(Some(486)))));
    assert!(quota.channel.unwrap().iter().all(|flow| flow.received == flow.sent && flow.sent == 100));
    let forbidden = outcome(Script { forbidden: vec!["192.0.2.1"], ..Script::default() });
    assert_eq!(forbidden.failure(), None);
    assert_eq!(forbidden.peer, Some(Peer::Socket(Fallback::Forbidden("192.0.2.1".parse().unwrap()))));
    let both = outcome(Script { forbidden: vec!["192.0.2.1", "192.0.2.9"], ..Script::default() });
    assert_eq!(code(&both), Some((CheckStep::Permission, 403)));
}

#[test]
fn what_is_not_relayed_is_said() {
    for channel in [false, true] {
        let mute = [!channel, channel];
        let outcome = outcome(Script { mute, ..Script::default() });
        let route = Route { channel, back: false };
        assert_eq!(outcome.failure(), Some((CheckStep::Relay, &Problem::NothingArrived(route))));
        assert!(outcome.step(CheckStep::Release).is_some());
    }
    let lossy = outcome(Script { drops: Some(10), ..Script::default() });
    assert_eq!(lossy.failure(), None);
    assert_eq!(lossy.channel.unwrap().iter().map(Flow::lost).sum::<u32>(), 20);
}

#[test]
fn long_runs_refresh_what_they_hold() {
    let mut world = World::new(Script { lifetime: Some(60), ..Script::default() });
    let outcome = world.run(Config { duration: Duration::from_secs(500), bitrate: 8_000, ..config(Transport::Udp) });
    assert_eq!(outcome.failure(), None);
    let refreshes = world.sent.iter().filter(|(.., bytes)| {
        Message::parse(bytes).is_ok_and(|message| message.method() == method::REFRESH) && !is_release(bytes)
    });
    assert!(refreshes.count() >= 2 * 15, "every 30 s, at both ends");
    assert_eq!(world.channels, 2 + 2 * 2, "bound again every 240 s");
    // An allocation that expires all the same.
    let gone = World::new(Script { lifetime: Some(60), errors: vec![(method::REFRESH, 2, 437)], ..Script::default() })
        .run(Config { duration: Duration::from_secs(500), bitrate: 8_000, ..config(Transport::Udp) });
    assert_eq!(code(&gone), Some((CheckStep::Refresh, 437)));
}

#[test]
fn silence_is_believed_and_tcp_tried() {
    let mut world = World::new(Script { dead: true, ..Script::default() });
    let outcome = world.run(config(Transport::Udp));
    assert!(world.now < Duration::from_secs(5), "{:?}", world.now);
    assert_eq!(outcome.failure(), Some((CheckStep::Connect, &Problem::Silent)));
    assert_eq!((outcome.answered, outcome.tcp_works), (false, Some(false)));
}

#[test]
fn a_server_that_dies_ends_every_step() {
    // The nth request and all after it are lost.
    for from in 0..11 {
        let mut world = World::new(Script { lost: (from..1_000).collect(), ..Script::default() });
        let outcome = world.run(config(Transport::Udp));
        assert!(outcome.failure().is_some(), "silent from request {from} on");
        assert!(world.now < Duration::from_secs(15), "silent from request {from} on: {:?}", world.now);
    }
}

#[test]
fn icmp_errors_are_believed_when_repeated() {
    let mut check = TurnCheck::new(config(Transport::Udp), Ids::seeded(1));
    let mut world = World::new(Script { dead: true, ..Script::default() });
    world.run_until(&mut check, Duration::from_millis(50));
    for _ in 0..2 {
        assert_eq!(check.outcome().failure(), None);
        check.handle(world.now, Event::Unreachable { socket: NEAR, failure: Failure::Refused });
    }
    assert_eq!(check.outcome().failure(), Some((CheckStep::Connect, &Problem::Socket(Failure::Refused))));
}

#[test]
fn an_interrupted_check_gives_back() {
    let mut check = TurnCheck::new(config(Transport::Udp), Ids::seeded(1));
    let mut world = World::new(Script::default());
    world.run_until(&mut check, Duration::from_secs(1));
    assert_eq!(check.step(), Some(CheckStep::Relay));
    assert!(check.interrupt(world.now));
    world.run_until(&mut check, Duration::from_secs(5));
    let outcome = check.outcome();
    assert!(outcome.interrupted && outcome.failure().is_none() && outcome.channel.is_some());
    assert_eq!(world.sent.iter().filter(|(.., bytes)| is_release(bytes)).count(), 2);
    let mut early = TurnCheck::new(config(Transport::Udp), Ids::seeded(1));
    assert!(!early.interrupt(Duration::ZERO), "nothing was lent");
}

#[test]
fn a_stream_that_ends_ends_the_check() {
    let mut check = TurnCheck::new(config(Transport::Tcp), Ids::seeded(1));
    let mut world = World::new(Script::default());
    world.run_until(&mut check, Duration::from_secs(1));
    check.handle(world.now, Event::Failed { socket: NEAR, failure: Failure::Closed });
    assert_eq!(check.step(), None);
    assert_eq!(check.outcome().failure(), Some((CheckStep::Relay, &Problem::Socket(Failure::Closed))));
}
