//! A TURN server in a script, on a fake clock, and what is lost, late, doubled or forged on the way to it.

use super::super::*;
use crate::{
    probe::{
        Event, Failure, Plan,
        turn::{
            credentials::{Algorithm, Challenge, Credentials, Integrity},
            message::{self, Family},
        },
    },
    wire::{
        channel::ChannelData,
        stun::{Class, Message, Value, kind, method},
    },
};

pub(super) const SERVER: &str = "192.0.2.1:3478";
pub(super) const ONE_WAY: Duration = Duration::from_millis(10);

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn credentials() -> Credentials {
    Credentials::new("alice".to_owned(), "secret".to_owned())
}

pub(super) fn config(transport: Transport) -> Config {
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
pub(super) struct Script {
    /// Errors for a method: at this request of it with credentials (counted from 0 over both ends), this code.
    pub(super) errors: Vec<(u16, u32, u16)>,
    /// Error for every request of the method.
    pub(super) always: Option<(u16, u16)>,
    /// No answer to these requests, counted from 0.
    pub(super) lost: Vec<u32>,
    /// Every answer comes twice.
    pub(super) doubled: bool,
    /// What each success is signed with.
    pub(super) password: Option<&'static str>,
    /// No MESSAGE-INTEGRITY in successes.
    pub(super) unsigned: bool,
    /// Asks for nothing.
    pub(super) open: bool,
    /// RFC 8489: SHA-256 and USERHASH.
    pub(super) modern: bool,
    /// Peers that are forbidden.
    pub(super) forbidden: Vec<&'static str>,
    /// Data is not relayed: Send indications, ChannelData.
    pub(super) mute: [bool; 2],
    /// Every nth datagram is not relayed.
    pub(super) drops: Option<u32>,
    /// The lifetime granted.
    pub(super) lifetime: Option<u32>,
    /// Nothing is answered.
    pub(super) dead: bool,
    /// What is sent before each true answer.
    pub(super) forgery: Option<Forgery>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgery {
    OtherId,
    OtherSource,
    BadIntegrity,
    Malformed,
}

/// The world around a check.
pub(super) struct World {
    pub(super) script: Script,
    pub(super) now: Duration,
    pub(super) queue: Vec<(Duration, u64, Event)>,
    pub(super) order: u64,
    pub(super) requests: u32,
    pub(super) counts: Vec<(u16, u32)>,
    pub(super) nonce: u32,
    pub(super) sent: Vec<(Duration, SocketId, Vec<u8>)>,
    pub(super) relayed_datagrams: u32,
    pub(super) channels: u32,
}

impl World {
    pub(super) fn new(script: Script) -> Self {
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

    pub(super) fn later(&mut self, after: Duration, event: Event) {
        self.order += 1;
        self.queue.push((self.now + after, self.order, event));
    }

    pub(super) fn relayed(socket: SocketId) -> SocketAddr {
        address(if socket == NEAR { "192.0.2.1:50000" } else { "192.0.2.1:50001" })
    }

    /// Runs a check to its end.
    pub(super) fn run(&mut self, config: Config) -> Outcome {
        let mut check = TurnCheck::new(config, Ids::seeded(1));
        self.run_until(&mut check, Duration::from_secs(600));
        assert_eq!(check.step(), None, "it ends");
        check.outcome()
    }

    pub(super) fn run_until(&mut self, check: &mut TurnCheck, end: Duration) {
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

    pub(super) fn deliver(&mut self, check: &mut TurnCheck) {
        self.queue.sort_by_key(|(at, order, _)| (*at, *order));
        let (due, rest): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|(at, ..)| *at <= self.now);
        self.queue = rest;
        due.into_iter().for_each(|(_, _, event)| check.handle(self.now, event));
    }

    pub(super) fn take(&mut self, socket: SocketId, to: SocketAddr, bytes: Vec<u8>) {
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

    pub(super) fn forge(&mut self, socket: SocketId, answer: &[u8]) {
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
    pub(super) fn cross(&mut self, socket: SocketId, data: &[u8], channel: bool) {
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

    pub(super) fn relay(&mut self, socket: SocketId, bytes: Vec<u8>, channel: bool) {
        self.relayed_datagrams += 1;
        let dropped = self.script.drops.is_some_and(|every| self.relayed_datagrams.is_multiple_of(every));
        if !dropped && !self.script.mute[usize::from(channel)] {
            self.later(2 * ONE_WAY, Event::Received { socket, from: address(SERVER), bytes });
        }
    }

    pub(super) fn data_indication(&self, peer: SocketAddr, data: &[u8]) -> Vec<u8> {
        let mut bytes = message::send_indication([3; 12], peer, data);
        bytes[1] = 0x17;
        bytes
    }

    pub(super) fn challenge(&self) -> Challenge {
        let nonce = if self.script.modern { "obMatJos2wAAA" } else { "nonce" };
        Challenge {
            realm: "here".to_owned(),
            nonce: format!("{nonce}{}", self.nonce),
            algorithms: self.script.modern.then(|| (vec![0, 2, 0, 0, 0, 1, 0, 0], Algorithm::Sha256)),
            userhash: self.script.modern,
        }
    }

    pub(super) fn answer(&mut self, socket: SocketId, request: &Message<'_>) -> Vec<u8> {
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
            if key.check(request) != Integrity::Right {
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

    pub(super) fn count(&mut self, method: u16) -> u32 {
        if let Some((_, count)) = self.counts.iter_mut().find(|(one, _)| *one == method) {
            *count += 1;
            return *count;
        }
        self.counts.push((method, 0));
        0
    }

    pub(super) fn error(&self, request: &Message<'_>, code: u16) -> Vec<u8> {
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
        response(request, 0x0110, &attributes)
    }

    pub(super) fn success(&self, socket: SocketId, request: &Message<'_>) -> Vec<u8> {
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
        let bytes = response(request, 0x0100, &attributes);
        if self.script.unsigned || self.script.open {
            return bytes;
        }
        let password = self.script.password.unwrap_or("secret");
        let key = self.challenge().key(&Credentials::new("alice".into(), password.into()));
        key.sign(bytes, self.script.modern)
    }
}

pub(super) fn channel_data(data: &[u8]) -> Vec<u8> {
    message::channel_data(CHANNEL, data, Transport::Udp)
}

pub(super) fn response(request: &Message<'_>, class: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
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
