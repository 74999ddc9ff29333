//! A network on a fake clock: a NAT, servers behind it, and mischief on the way.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use stun_codec::{
    MessageClass,
    rfc5389::{attributes::XorMappedAddress, methods::BINDING},
    rfc5780::attributes::OtherAddress,
};

use crate::{
    probe::{
        Event, Failure, Plan, SocketId, Step, Transport,
        message::Change,
        nat::{Check, Config, Filtering, Mapping, Outcome, Server},
        transaction::Ids,
    },
    wire::stun::codec::{self, ChangeRequest, Message, Padding, ResponsePort},
};

pub(super) const PRIMARY: &str = "198.51.100.1:3478";
pub(super) const OTHER: &str = "198.51.100.2:3479";
pub(super) const LOCAL: &str = "10.0.0.2";
const PUBLIC: &str = "203.0.113.1";

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What a packet becomes on its way: copies with their delay and sender.
pub(super) type Mischief = Box<dyn FnMut(&Packet) -> Vec<(Duration, Packet)>>;

#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// Its number among all that were sent, requests and answers alike.
    pub(super) number: usize,
    pub(super) inbound: bool,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// What a server does when asked to answer from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnChange {
    Obeys,
    /// Answers from where it was asked.
    Ignores,
    Drops,
    /// Answers from an address that it has not told of.
    Strays,
    /// Answers from where it was asked with an error.
    Refuses(u16),
}

/// A server at one address, or at four.
#[derive(Clone, Debug)]
pub(super) struct Simulated {
    pub(super) address: SocketAddr,
    /// What it says in OTHER-ADDRESS.
    pub(super) says: Option<SocketAddr>,
    /// Whether anything answers there by itself.
    pub(super) other_alive: bool,
    pub(super) on_change: OnChange,
    /// On this side of the NAT.
    pub(super) inside: bool,
}

impl Simulated {
    pub(super) fn full() -> Self {
        Self {
            address: address(PRIMARY),
            says: Some(address(OTHER)),
            other_alive: true,
            on_change: OnChange::Obeys,
            inside: false,
        }
    }

    pub(super) fn plain(at: &str) -> Self {
        Self { address: address(at), says: None, other_alive: false, ..Self::full() }
    }
}

pub(super) struct Network {
    pub(super) mapping: Mapping,
    pub(super) filtering: Filtering,
    pub(super) hairpin: bool,
    pub(super) keeps_ports: bool,
    /// How long a binding lives without packets going out.
    pub(super) lifetime: Duration,
    pub(super) servers: Vec<Simulated>,
    pub(super) round_trip: Duration,
    pub(super) udp: bool,
    pub(super) tcp: bool,
    pub(super) mischief: Mischief,
    mapped: HashMap<(SocketAddr, Option<SocketAddr>), (SocketAddr, Duration)>,
    contacted: Vec<(SocketAddr, SocketAddr)>,
    next_port: u16,
    pub(super) packets: usize,
    queue: BTreeMap<(Duration, usize), Packet>,
    queued: usize,
}

impl Network {
    pub(super) fn new(mapping: Mapping, filtering: Filtering) -> Self {
        Self {
            mapping,
            filtering,
            hairpin: false,
            keeps_ports: false,
            lifetime: Duration::from_secs(120),
            servers: vec![Simulated::full()],
            round_trip: Duration::from_millis(20),
            udp: true,
            tcp: false,
            mischief: Box::new(|packet| vec![(Duration::ZERO, packet.clone())]),
            mapped: HashMap::new(),
            contacted: Vec::new(),
            next_port: 20_000,
            packets: 0,
            queue: BTreeMap::new(),
            queued: 0,
        }
    }

    /// What to ask: all servers, as a user names them.
    pub(super) fn config(&self) -> Config {
        let server = |transport| {
            move |server: &Simulated| Server {
                name: server.address.to_string(),
                address: server.address,
                transport,
                server_name: None,
            }
        };
        let fallbacks = self.servers.iter().map(server(Transport::Tcp));
        Config {
            servers: self.servers.iter().map(server(Transport::Udp)).collect(),
            fallbacks: fallbacks.collect(),
            ..Config::default()
        }
    }

    pub(super) fn check(&mut self) -> (Outcome, Duration) {
        let config = self.config();
        self.run(config, None)
    }

    /// Runs a check to its end, or to where the user stops it.
    pub(super) fn run(&mut self, config: Config, stop: Option<Duration>) -> (Outcome, Duration) {
        let mut check = Check::new(config, Ids::seeded(7));
        let mut sockets: HashMap<SocketId, (SocketAddr, Transport)> = HashMap::new();
        let mut now = Duration::ZERO;
        for _ in 0..100_000 {
            if stop.is_some_and(|stop| now >= stop) {
                return (check.outcome(), now);
            }
            match check.poll(now) {
                Step::Open(socket, open) => {
                    let port = 40_000 + u16::try_from(socket.0).unwrap();
                    let local = SocketAddr::new(LOCAL.parse().unwrap(), port);
                    sockets.insert(socket, (local, open.transport));
                    let event = match open.transport {
                        Transport::Udp => Event::Opened { socket, local },
                        Transport::Tcp if self.tcp => Event::Opened { socket, local },
                        _ => Event::Failed { socket, failure: Failure::Refused },
                    };
                    check.handle(now, event);
                }
                Step::Send { socket, to, bytes } => {
                    let (local, transport) = sockets[&socket];
                    match transport {
                        Transport::Udp => self.send(now, local, to, bytes),
                        _ => {
                            let answer = answer(&bytes, local, None).unwrap();
                            check.handle(now, Event::Received { socket, from: to, bytes: answer });
                        }
                    }
                }
                Step::Close(_) => {}
                Step::Wait(until) => {
                    assert!(until >= now, "waits for the past");
                    let next = self.queue.first_key_value().map(|((at, _), _)| *at);
                    let Some(at) = next.filter(|at| *at <= until) else {
                        now = until;
                        continue;
                    };
                    now = now.max(at);
                    let (_, packet) = self.queue.pop_first().unwrap();
                    self.arrive(now, packet, &sockets, &mut check);
                }
                Step::Done => return (check.outcome(), now),
            }
        }
        panic!("the check does not end");
    }

    /// A datagram from the host into the network.
    fn send(&mut self, now: Duration, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.push(now, Packet { number: 0, inbound: false, from, to, bytes });
    }

    /// Puts a packet on its way, half a round trip long.
    fn push(&mut self, now: Duration, packet: Packet) {
        let packet = Packet { number: self.packets, ..packet };
        self.packets += 1;
        for (late, copy) in (self.mischief)(&packet) {
            self.queued += 1;
            self.queue.insert((now + self.round_trip / 2 + late, self.queued), copy);
        }
    }

    fn arrive(
        &mut self,
        now: Duration,
        packet: Packet,
        sockets: &HashMap<SocketId, (SocketAddr, Transport)>,
        check: &mut Check,
    ) {
        if !self.udp {
            return;
        }
        if !packet.inbound {
            self.outbound(now, packet);
            return;
        }
        let Some(local) = self.let_in(now, packet.from, packet.to) else { return };
        let socket = sockets.iter().find(|(_, known)| **known == (local, Transport::Udp));
        if let Some((socket, _)) = socket {
            check.handle(now, Event::Received { socket: *socket, from: packet.from, bytes: packet.bytes });
        }
    }

    /// At the NAT, and on to whoever is there.
    fn outbound(&mut self, now: Duration, packet: Packet) {
        let server = self.servers.iter().find(|server| server.is_at(packet.to)).cloned();
        if let Some(server) = &server
            && server.inside
        {
            self.answer(now, server, packet.from, packet.to, &packet.bytes);
            return;
        }
        let external = self.map(now, packet.from, packet.to);
        self.contacted.push((external, packet.to));
        match server {
            Some(server) => self.answer(now, &server, external, packet.to, &packet.bytes),
            None if self.hairpin => {
                self.push(now, Packet { number: 0, inbound: true, from: external, to: packet.to, bytes: packet.bytes });
            }
            None => {}
        }
    }

    fn map(&mut self, now: Duration, local: SocketAddr, to: SocketAddr) -> SocketAddr {
        let key = match self.mapping {
            Mapping::NoNat => return local,
            Mapping::EndpointIndependent => None,
            Mapping::AddressDependent => Some(SocketAddr::new(to.ip(), 0)),
            Mapping::AddressAndPortDependent => Some(to),
        };
        self.next_port += 2;
        let port = if self.keeps_ports { local.port() } else { self.next_port };
        let entry = self.mapped.entry((local, key)).or_insert((SocketAddr::new(PUBLIC.parse().unwrap(), port), now));
        entry.1 = now;
        entry.0
    }

    /// Whose the address is, where the filter lets the sender in.
    fn let_in(&self, now: Duration, from: SocketAddr, to: SocketAddr) -> Option<SocketAddr> {
        if self.servers.iter().any(|server| server.inside && server.is_at(from)) {
            return Some(to);
        }
        let local = match self.mapping {
            Mapping::NoNat => to,
            _ => {
                let (local, _) = self
                    .mapped
                    .iter()
                    .find(|(_, (external, used))| *external == to && now < *used + self.lifetime)
                    .map(|(key, _)| *key)?;
                local
            }
        };
        let mut contacted = self.contacted.iter().filter(|(external, _)| *external == to);
        let passes = match self.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => contacted.any(|(_, known)| known.ip() == from.ip()),
            Filtering::AddressAndPortDependent => contacted.any(|(_, known)| *known == from),
        };
        passes.then_some(local)
    }

    fn answer(&mut self, now: Duration, server: &Simulated, from: SocketAddr, at: SocketAddr, bytes: &[u8]) {
        let Ok(request) = codec::decode(bytes) else { return };
        if at != server.address && !server.other_alive {
            return;
        }
        let (change_address, change_port) =
            request.get_attribute::<ChangeRequest>().and_then(ChangeRequest::flags).unwrap_or_default();
        let change = Change { address: change_address, port: change_port };
        let mut error = None;
        let origin = match server.on_change {
            _ if change == Change::NONE => at,
            OnChange::Obeys => change.of(server.address, server.says.unwrap_or(server.address)),
            OnChange::Ignores => at,
            OnChange::Drops => return,
            OnChange::Strays => address("198.51.100.99:9999"),
            OnChange::Refuses(code) => {
                error = Some(code);
                at
            }
        };
        let to = match request.get_attribute::<ResponsePort>().and_then(ResponsePort::port) {
            Some(port) => SocketAddr::new(from.ip(), port),
            None => from,
        };
        let bytes = match error {
            Some(code) => refusal(bytes, code),
            None => answer(bytes, from, server.says),
        };
        if let Some(bytes) = bytes {
            self.push(now, Packet { number: 0, inbound: true, from: origin, to, bytes });
        }
    }
}

impl Simulated {
    fn is_at(&self, address: SocketAddr) -> bool {
        let other = self.says.unwrap_or(self.address);
        [Change::NONE, Change::ADDRESS, Change::PORT, Change::BOTH]
            .iter()
            .any(|change| change.of(self.address, other) == address)
    }
}

/// An answer to a request.
pub(super) fn answer(request: &[u8], mapped: SocketAddr, other: Option<SocketAddr>) -> Option<Vec<u8>> {
    let request = codec::decode(request).ok()?;
    let mut message = Message::new(MessageClass::SuccessResponse, BINDING, request.transaction_id());
    message.add_attribute(XorMappedAddress::new(mapped));
    if let Some(other) = other {
        message.add_attribute(OtherAddress::new(other));
    }
    if let Some(padding) = request.get_attribute::<Padding>() {
        message.add_attribute(padding.clone());
    }
    codec::encode(message)
}

fn refusal(request: &[u8], code: u16) -> Option<Vec<u8>> {
    let request = codec::decode(request).ok()?;
    let mut message = Message::new(MessageClass::ErrorResponse, BINDING, request.transaction_id());
    message.add_attribute(stun_codec::rfc5389::attributes::ErrorCode::new(code, String::new()).ok()?);
    codec::encode(message)
}
