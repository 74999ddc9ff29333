//! One allocation at a server: requests with credentials, stale nonces, and what comes through the relay.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Problem,
    credentials::{BadChallenge, Challenge, Credentials, Integrity, Key},
    message::{Ask, Reply, channel_data, send_indication},
};
use crate::{
    probe::{
        SocketId, Step, Transport,
        transaction::{Ids, Matched, Request, Schedule, Transactions, id_of},
    },
    wire::{
        channel::ChannelData,
        stun::{Class, Message, Value, kind, method},
    },
};

/// Transmissions of a request to a server that has answered before.
const TRANSMISSIONS: u32 = 7;

/// A client of one server on one socket. It has at most one request on its way.
#[derive(Debug)]
pub(super) struct Client {
    socket: SocketId,
    server: SocketAddr,
    transport: Transport,
    credentials: Option<Credentials>,
    proof: Option<(Challenge, Key)>,
    transactions: Transactions<u32>,
    asked: u32,
    pending: Option<Pending>,
    /// What is known of the conversation.
    pub(super) facts: Facts,
}

/// A request on its way.
#[derive(Debug)]
struct Pending {
    ask: Ask,
    /// Whether it bears credentials.
    proved: bool,
    /// Whether it was asked again with a new nonce.
    renewed: bool,
}

/// What a conversation showed besides its answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The first certain round trip to the server.
    pub round_trip: Option<Duration>,
    /// SOFTWARE.
    pub software: Option<String>,
    /// What the server asks to be proved.
    pub challenge: Option<Challenge>,
    /// Whether an answer proved that the server knows the password.
    pub trusted: bool,
    /// Nonces that went stale and were replaced.
    pub renewals: u32,
    /// Messages that were rejected: of another sender, or broken.
    pub rejected: u32,
    /// Answers that were rejected because their MESSAGE-INTEGRITY is wrong or missing.
    pub forged: u32,
}

/// What a message was to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A success; what was asked for.
    Reply(Ask, Reply),
    /// A failure; what was asked for.
    Failed(Ask, Problem),
    /// The server asks for credentials, and was asked again with them.
    Challenged,
    /// A peer's datagram.
    Data { peer: Option<SocketAddr>, channel: Option<u16>, bytes: Vec<u8> },
    /// Nothing of use.
    Nothing,
}

impl Client {
    pub(super) fn new(
        socket: SocketId,
        server: SocketAddr,
        transport: Transport,
        credentials: Option<Credentials>,
    ) -> Self {
        Self {
            socket,
            server,
            transport,
            credentials,
            proof: None,
            transactions: Transactions::default(),
            asked: 0,
            pending: None,
            facts: Facts::default(),
        }
    }

    /// What is on its way.
    pub(super) fn pending(&self) -> Option<Ask> {
        self.pending.as_ref().map(|pending| pending.ask)
    }

    /// Asks for something. What was on its way before no longer matters.
    pub(super) fn ask(&mut self, now: Duration, ids: &mut Ids, ask: Ask) {
        self.pending = Some(Pending { ask, proved: self.proof.is_some(), renewed: false });
        self.send(now, ids, ask);
    }

    fn send(&mut self, now: Duration, ids: &mut Ids, ask: Ask) {
        let schedule = match (self.transport, self.facts.round_trip) {
            (Transport::Tcp | Transport::Tls, _) => Schedule::STREAM,
            (Transport::Udp, Some(round_trip)) => Schedule::measured(round_trip, TRANSMISSIONS),
            (Transport::Udp, None) => Schedule::UNKNOWN,
        };
        let bytes = ask.encode(ids.next_id(), self.proof());
        let request = Request { socket: self.socket, to: self.server, answer_from: self.server, bytes, schedule };
        self.transactions.cancel(self.asked);
        self.asked += 1;
        self.transactions.start(now, self.asked, request);
    }

    /// A Refresh that gives the allocation back, and whose answer is not waited for.
    pub(super) fn farewell(&self, ids: &mut Ids) -> Step {
        self.step(Ask::Refresh(Duration::ZERO).encode(ids.next_id(), self.proof()))
    }

    fn proof(&self) -> Option<(&Credentials, &Challenge, &Key)> {
        let ((challenge, key), credentials) = self.proof.as_ref().zip(self.credentials.as_ref())?;
        Some((credentials, challenge, key))
    }

    /// What to send at `now`; where that is nothing, when to ask again.
    ///
    /// # Errors
    /// Nothing is due.
    pub(super) fn poll(&mut self, now: Duration) -> Result<Step, Option<Duration>> {
        self.transactions.poll(now)
    }

    /// What was asked for and got no answer in time, once.
    pub(super) fn silence(&mut self) -> Option<Ask> {
        let silent = self.transactions.exchange(self.asked).is_some_and(|exchange| exchange.silent);
        if silent { self.pending.take().map(|pending| pending.ask) } else { None }
    }

    /// Gives up what is on its way.
    pub(super) fn give_up(&mut self) -> Option<Ask> {
        self.transactions.socket_failed(self.socket);
        self.pending.take().map(|pending| pending.ask)
    }

    /// Takes a message from the socket.
    pub(super) fn receive(&mut self, now: Duration, ids: &mut Ids, from: SocketAddr, bytes: &[u8]) -> Heard {
        if from != self.server {
            self.reject();
            return Heard::Nothing;
        }
        if let Ok(data) = ChannelData::parse(bytes, bytes.len()) {
            return Heard::Data { peer: None, channel: Some(data.number), bytes: data.data.to_vec() };
        }
        let message = match Message::parse(bytes) {
            Ok(message) if message.fault().is_none() && message.fingerprint() != Some(false) => message,
            _ => {
                self.reject();
                return Heard::Nothing;
            }
        };
        match (message.class(), message.method()) {
            (Class::Indication, method::DATA) => data_of(&message),
            (Class::Success | Class::Error, _) => self.answered(now, ids, from, &message, bytes),
            _ => Heard::Nothing,
        }
    }

    fn reject(&mut self) {
        self.facts.rejected = self.facts.rejected.saturating_add(1);
    }

    fn answered(
        &mut self,
        now: Duration,
        ids: &mut Ids,
        from: SocketAddr,
        message: &Message<'_>,
        bytes: &[u8],
    ) -> Heard {
        // Late answers to what was asked before are no answers to this.
        let current = self.transactions.iter().last();
        if self.pending.is_none() || current.is_none_or(|(_, request, _)| id_of(&request.bytes) != id_of(bytes)) {
            return Heard::Nothing;
        }
        let integrity = self.integrity(message);
        if !may_be_believed(message, integrity) {
            self.facts.forged = self.facts.forged.saturating_add(1);
            return Heard::Nothing;
        }
        match self.transactions.receive(now, self.socket, from, bytes) {
            Matched::Answer(_) => {}
            Matched::Rejected(_) => {
                self.reject();
                return Heard::Nothing;
            }
            _ => return Heard::Nothing,
        }
        let round_trip = self.transactions.exchange(self.asked).and_then(|exchange| exchange.round_trip());
        self.facts.round_trip = self.facts.round_trip.or(round_trip);
        self.facts.trusted |= integrity == Some(Integrity::Right);
        if let Some(Ok(Value::Text(software))) = message.attribute(kind::SOFTWARE).map(|software| software.value()) {
            self.facts.software = Some(software.to_owned());
        }
        let Some(pending) = self.pending.take() else { return Heard::Nothing };
        if message.class() == Class::Success {
            return Heard::Reply(pending.ask, Reply::read(message));
        }
        self.refused(now, ids, pending, message)
    }

    /// What the protection of an answer is worth; `None` where the request had none.
    fn integrity(&self, message: &Message<'_>) -> Option<Integrity> {
        let (_, key) = self.proof.as_ref()?;
        Some(key.check(message))
    }

    fn refused(&mut self, now: Duration, ids: &mut Ids, pending: Pending, message: &Message<'_>) -> Heard {
        let ask = pending.ask;
        let Some((code, reason)) = code_of(message) else {
            return Heard::Failed(ask, Problem::BadAnswer("an error response without ERROR-CODE"));
        };
        let asks_again = match code {
            401 => !pending.proved,
            438 => pending.proved && !pending.renewed,
            _ => false,
        };
        if !asks_again {
            let problem = if code == 438 { Problem::NonceLoop } else { self.refusal(code, reason, &pending, message) };
            return Heard::Failed(ask, problem);
        }
        let challenge = match Challenge::read(message) {
            Ok(challenge) => challenge,
            Err(BadChallenge::Incomplete) => {
                return Heard::Failed(ask, Problem::BadAnswer("a challenge without REALM or NONCE"));
            }
            Err(bad) => return Heard::Failed(ask, Problem::Challenge(bad)),
        };
        self.facts.challenge = Some(challenge.clone());
        let Some(credentials) = &self.credentials else { return Heard::Failed(ask, Problem::NoCredentials) };
        let key = challenge.key(credentials);
        self.proof = Some((challenge, key));
        let renewed = code == 438;
        self.facts.renewals += u32::from(renewed);
        self.pending = Some(Pending { ask, proved: true, renewed });
        self.send(now, ids, ask);
        if renewed { Heard::Nothing } else { Heard::Challenged }
    }

    fn refusal(&self, code: u16, reason: String, pending: &Pending, message: &Message<'_>) -> Problem {
        let alternate = match message.attribute(kind::ALTERNATE_SERVER).map(|attribute| attribute.value()) {
            Some(Ok(Value::Address(address))) => Some(SocketAddr::new(address.ip(), address.port())),
            _ => None,
        };
        Problem::Refused { code, reason, peer: pending.ask.peer(), alternate, proved: pending.proved }
    }

    /// A Send indication of `data` to `peer`.
    pub(super) fn send_to(&self, ids: &mut Ids, peer: SocketAddr, data: &[u8]) -> Step {
        self.step(send_indication(ids.next_id(), peer, data))
    }

    /// `data` into a channel.
    pub(super) fn send_into(&self, channel: u16, data: &[u8]) -> Step {
        self.step(channel_data(channel, data, self.transport))
    }

    fn step(&self, bytes: Vec<u8>) -> Step {
        Step::Send { socket: self.socket, to: self.server, bytes }
    }
}

/// RFC 8489 section 9.2.5: a wrong MESSAGE-INTEGRITY makes an answer none, and a success needs a right one. Errors
/// may come from before the server knew who asked.
fn may_be_believed(message: &Message<'_>, integrity: Option<Integrity>) -> bool {
    match integrity {
        None | Some(Integrity::Right) => true,
        Some(Integrity::Missing) => message.class() == Class::Error,
        // A server that does not take our password signs its refusal with the one that it has.
        Some(Integrity::Wrong) => matches!(code_of(message), Some((401, _))),
    }
}

fn data_of(message: &Message<'_>) -> Heard {
    let value = |kind| message.attribute(kind).and_then(|attribute| attribute.value().ok());
    match (value(kind::XOR_PEER_ADDRESS), value(kind::DATA)) {
        (Some(Value::Address(peer)), Some(Value::Data(data))) => {
            let peer: (IpAddr, u16) = (peer.ip(), peer.port());
            Heard::Data { peer: Some(peer.into()), channel: None, bytes: data.to_vec() }
        }
        _ => Heard::Nothing,
    }
}

fn code_of(message: &Message<'_>) -> Option<(u16, String)> {
    match message.attribute(kind::ERROR_CODE)?.value() {
        Ok(Value::Error { code, reason }) => Some((code, reason.to_owned())),
        _ => None,
    }
}
