//! TLS that the key log opens: between the bytes of a connection and what is read in them. Records are opened in the order
//! of their bytes, and their plaintext is read with the packet that completed each.

mod opener;
mod records;
mod server_hello;

use std::collections::{BTreeMap, VecDeque};

use self::{
    opener::Opener,
    records::{Loss, Records},
    server_hello::{Chosen, Flight},
};
use super::{
    Findings, Mark,
    contents::{Contents, Gap},
    frames::Piece,
};
use crate::{
    crypto::{
        keylog::{KeyLog, Secrets},
        tls::{Failure, Side, StreamRecord, Unusable},
    },
    flow::{
        key::FlowKey,
        signalling::{Hello, Origin, Progress, Via},
    },
    time::PacketId,
    wire::dtls::content_type::{ALERT, APPLICATION_DATA, HANDSHAKE},
};

/// Bytes of the client's records that wait for the ServerHello, early data (RFC 8446 section 4.2.10) among them; and of
/// the server's that wait for the ClientHello.
const WAITING_BYTES: usize = 64 << 10;

/// Records in a row that fail before a direction is given up.
const FAILURES: u32 = 64;

/// The description of a close_notify alert (RFC 8446 section 6.1).
const CLOSE_NOTIFY: u8 = 0;

/// Connections of TLS that a key log was tried on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConnections {
    /// Those that were opened.
    pub opened: u64,
    /// Those that were not, or not to their end.
    pub unopened: BTreeMap<Reason, Unopened>,
}

/// Connections that were not opened for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unopened {
    /// How many.
    pub connections: u64,
    /// The first of them, and the packet that showed it.
    pub first: (FlowKey, PacketId),
}

/// Why a connection of TLS was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The key log has no line for its client random.
    NoLine,
    /// The key log has lines for its client random, and none with a secret of its version.
    NoSecret,
    /// The capture has not all of its ClientHello and ServerHello.
    Beginning,
    /// Its records are not what the keys make of them.
    TagMismatch,
    /// The cipher suite is not known here.
    Suite(u16),
    /// The version is not known here.
    Version(u16),
    /// The secret has not the length that its version or suite wants.
    SecretLength,
}

impl TlsConnections {
    pub(super) fn count(&mut self, reason: Reason, key: FlowKey, packet: PacketId) {
        let entry = self.unopened.entry(reason).or_insert(Unopened { connections: 0, first: (key, packet) });
        entry.connections += 1;
    }
}

impl From<Unusable> for Reason {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Suite(suite) => Self::Suite(suite),
            Unusable::Version(version) => Self::Version(version),
            Unusable::SecretLength(_) => Self::SecretLength,
        }
    }
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoSecret => Self::NoSecret,
            Failure::Clear | Failure::TagMismatch | Failure::TooShort | Failure::Cut | Failure::NoContentType => {
                Self::TagMismatch
            }
        }
    }
}

/// A connection of TLS, from its ClientHello on.
#[derive(Debug)]
pub struct Tls {
    /// The direction of the client.
    client: usize,
    phase: Phase,
    directions: [Direction; 2],
    /// What is inside.
    contents: Contents,
    /// Whether any record was opened.
    is_opened: bool,
    /// Whether a reason was given.
    is_told: bool,
}

#[derive(Debug)]
enum Phase {
    /// Before the end of the ClientHello.
    ClientHello(Box<Hello>),
    /// Before that of the ServerHello.
    ServerHello(Box<Awaiting>),
    /// Behind it.
    Open(Opener),
    /// Nothing is read any more.
    Over,
}

/// What waits for the ServerHello.
#[derive(Debug)]
struct Awaiting {
    client_random: [u8; 32],
    secrets: Secrets,
    flight: Flight,
    /// The client's records.
    records: VecDeque<(Mark, u8, u16, Vec<u8>)>,
    bytes: usize,
}

/// One direction.
#[derive(Debug, Default)]
struct Direction {
    records: Records,
    /// Records that failed since the last that was opened.
    failures: u32,
    /// Why the first of them did.
    failure: Option<Failure>,
    is_opened: bool,
    /// Whether application data was read.
    has_data: bool,
    is_given_up: bool,
    is_ended: bool,
}

impl Tls {
    /// One whose ClientHello begins.
    pub fn new(hello: Box<Hello>, client: usize) -> Self {
        Self {
            client,
            phase: Phase::ClientHello(hello),
            directions: <[Direction; 2]>::default(),
            contents: Contents::default(),
            is_opened: false,
            is_told: false,
        }
    }

    /// Takes the next bytes of a direction. The secrets are looked up in `keys`.
    pub fn read(&mut self, piece: &Piece<'_>, keys: Option<&KeyLog>, findings: &mut Findings) {
        let (client, mark) = (self.client, piece.mark);
        let Some(direction) = self.directions.get_mut(piece.direction).filter(|direction| !direction.is_given_up)
        else {
            return;
        };
        match &mut self.phase {
            Phase::Over => return,
            Phase::ClientHello(hello) => {
                direction.records.push(piece.bytes);
                if direction.records.held_bytes() > 2 * WAITING_BYTES {
                    return self.fail(Reason::Beginning, findings);
                }
                if piece.direction != client {
                    return;
                }
                let origin = Origin { mark, direction: client, via: Via::Tls };
                match hello.push(piece.bytes, origin, &mut findings.out) {
                    Progress::More => return,
                    Progress::Nothing => return self.fail(Reason::Beginning, findings),
                    Progress::Read(client_random) => {
                        let Some(secrets) = keys.and_then(|keys| keys.secrets(&client_random)) else {
                            return self.fail(Reason::NoLine, findings);
                        };
                        self.phase = Phase::ServerHello(Box::new(Awaiting::new(client_random, secrets.clone())));
                    }
                }
                self.take_records(client, mark, findings);
                self.take_records(client ^ 1, mark, findings);
            }
            Phase::ServerHello(_) | Phase::Open(_) => {
                direction.records.push(piece.bytes);
                self.take_records(piece.direction, mark, findings);
            }
        }
        self.settle(findings);
    }

    /// Goes on behind `count` bytes that were not captured; those behind them come with the packet `mark`.
    pub fn skip(&mut self, count: usize, mark: Mark, direction: usize, findings: &mut Findings) {
        let Some(of) = self.directions.get_mut(direction) else { return };
        let opener = match &mut self.phase {
            Phase::Over => return,
            Phase::ServerHello(_) if direction == self.client => None,
            Phase::ClientHello(_) | Phase::ServerHello(_) => return self.fail(Reason::Beginning, findings),
            Phase::Open(opener) => Some(opener),
        };
        let loss = of.records.skip(count);
        if let (Loss::Record, Some(opener)) = (loss, opener) {
            opener.skip(side(direction, self.client));
        }
        if loss != Loss::Nothing {
            self.lose_data(count, mark, direction, findings);
        }
        self.settle(findings);
    }

    /// Takes the end of a direction.
    pub fn end(&mut self, mark: Mark, direction: usize, findings: &mut Findings) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        self.read_inside(findings, |contents, findings| contents.end(mark, direction, findings));
        if let Some(direction) = self.directions.get_mut(direction) {
            direction.is_ended = true;
        }
        if self.directions.iter().all(|direction| direction.is_ended) {
            self.tell_failure(findings);
            self.phase = Phase::Over;
        }
        self.settle(findings);
    }

    /// Bytes that are held.
    pub fn held_bytes(&self) -> usize {
        let phase = match &self.phase {
            Phase::ClientHello(hello) => hello.held_bytes(),
            Phase::ServerHello(awaiting) => awaiting.bytes + awaiting.flight.held_bytes(),
            Phase::Open(opener) => opener.held_bytes(),
            Phase::Over => return 0,
        };
        let records: usize = self.directions.iter().map(|direction| direction.records.held_bytes()).sum();
        phase + records + self.contents.held_bytes()
    }

    /// Gives it up: there is no memory for it, or other bytes come.
    pub fn let_go(&mut self) {
        self.phase = Phase::Over;
        self.directions = <[Direction; 2]>::default();
        self.contents = Contents::over();
    }

    /// Opens the whole records of a direction.
    fn take_records(&mut self, direction: usize, mark: Mark, findings: &mut Findings) {
        let Some(of) = self.directions.get_mut(direction) else { return };
        let (mut records, mut plaintext) = (std::mem::take(&mut of.records), Vec::new());
        while let Some(record) = records.next() {
            self.take_record(direction, &record, mark, &mut plaintext, findings);
        }
        let is_over = matches!(self.phase, Phase::Over);
        if let Some(of) = self.directions.get_mut(direction).filter(|of| !is_over && !of.is_given_up) {
            of.records = records;
        }
    }

    fn take_record(
        &mut self,
        direction: usize,
        record: &StreamRecord<'_>,
        mark: Mark,
        plaintext: &mut Vec<u8>,
        findings: &mut Findings,
    ) {
        match &mut self.phase {
            Phase::Open(_) => self.open(direction, record, mark, plaintext, findings),
            Phase::ServerHello(awaiting) if direction == self.client => {
                if !awaiting.keep(mark, record) {
                    self.fail(Reason::Beginning, findings);
                }
            }
            Phase::ServerHello(awaiting) if record.content_type == HANDSHAKE => {
                match awaiting.flight.push(record.content) {
                    Ok(None) => {}
                    Ok(Some(chosen)) => self.begin(&chosen, plaintext, findings),
                    Err(_) => self.fail(Reason::Beginning, findings),
                }
            }
            Phase::ServerHello(_) if record.content_type == APPLICATION_DATA => self.fail(Reason::Beginning, findings),
            Phase::ServerHello(_) | Phase::ClientHello(_) | Phase::Over => {}
        }
    }

    /// Makes the keys, and opens what waited.
    fn begin(&mut self, chosen: &Chosen, plaintext: &mut Vec<u8>, findings: &mut Findings) {
        let Phase::ServerHello(awaiting) = std::mem::replace(&mut self.phase, Phase::Over) else { return };
        let Awaiting { client_random, secrets, records, .. } = *awaiting;
        match Opener::new(chosen, &client_random, &secrets) {
            Ok(opener) => self.phase = Phase::Open(opener),
            Err(reason) => return self.fail(reason, findings),
        }
        for (mark, content_type, version, content) in records {
            let record = StreamRecord { content_type, version, content: &content };
            self.open(self.client, &record, mark, plaintext, findings);
        }
    }

    fn open(
        &mut self,
        direction: usize,
        record: &StreamRecord<'_>,
        mark: Mark,
        plaintext: &mut Vec<u8>,
        findings: &mut Findings,
    ) {
        let (Phase::Open(opener), Some(of)) = (&mut self.phase, self.directions.get_mut(direction)) else { return };
        if of.is_given_up {
            return;
        }
        let opened = match opener.open(side(direction, self.client), record, plaintext) {
            Ok(opened) => opened,
            Err(Failure::Clear) => return,
            Err(failure) => return self.note_failure(failure, record, mark, direction, findings),
        };
        (of.failures, of.failure) = (0, None);
        of.is_opened = true;
        of.has_data |= opened.content_type == APPLICATION_DATA;
        let (content_type, bytes) = (opened.content_type, opened.plaintext);
        findings.is_opened |= !std::mem::replace(&mut self.is_opened, true);
        if content_type == APPLICATION_DATA && !bytes.is_empty() {
            let piece = Piece { bytes, length: bytes.len(), mark, direction };
            self.read_inside(findings, |contents, findings| contents.read(&piece, None, findings));
        } else if content_type == ALERT && bytes.last() == Some(&CLOSE_NOTIFY) {
            self.read_inside(findings, |contents, findings| contents.end(mark, direction, findings));
        }
    }

    fn note_failure(
        &mut self,
        failure: Failure,
        record: &StreamRecord<'_>,
        mark: Mark,
        direction: usize,
        findings: &mut Findings,
    ) {
        let Some(of) = self.directions.get_mut(direction) else { return };
        of.failures += 1;
        of.failure.get_or_insert(failure);
        if of.failures >= FAILURES {
            of.is_given_up = true;
            self.tell(Reason::from(failure), findings);
        }
        self.lose_data(record.content.len(), mark, direction, findings);
        if self.directions.iter().all(|direction| direction.is_given_up) {
            self.phase = Phase::Over;
        }
    }

    /// Tells what is inside that bytes of it are missing.
    fn lose_data(&mut self, bytes: usize, mark: Mark, direction: usize, findings: &mut Findings) {
        if self.directions.get(direction).is_some_and(|of| of.has_data) {
            let gap = Gap::of_records(bytes);
            self.read_inside(findings, |contents, findings| contents.skip(gap, mark, direction, findings));
        }
    }

    /// Lets what is inside be read, and marks what is found as found there.
    fn read_inside(&mut self, findings: &mut Findings, read: impl FnOnce(&mut Contents, &mut Findings)) {
        let (signals, label) = (findings.out.len(), findings.label.take());
        read(&mut self.contents, findings);
        findings.out.mark_secure(signals);
        let inside = findings.out.label.take().or(findings.label);
        findings.label = inside.map(over_tls).or(label);
        if findings.out.is_over || self.contents.is_over() {
            self.phase = Phase::Over;
        }
    }

    /// Says that there is nothing to be read any more.
    fn settle(&mut self, findings: &mut Findings) {
        if matches!(self.phase, Phase::Over) {
            self.let_go();
            findings.out.is_over = true;
        }
    }

    /// Gives it up for a reason.
    fn fail(&mut self, reason: Reason, findings: &mut Findings) {
        self.tell(reason, findings);
        self.phase = Phase::Over;
        self.settle(findings);
    }

    /// Tells why what ends was not opened, where it was not.
    fn tell_failure(&mut self, findings: &mut Findings) {
        let failed = |direction: &Direction| direction.failure.filter(|_| !direction.is_opened);
        let reason = self.directions.iter().find_map(failed).map(Reason::from);
        let is_unfinished = match &self.phase {
            Phase::ClientHello(_) => true,
            Phase::ServerHello(awaiting) => awaiting.is_answered(),
            Phase::Open(_) | Phase::Over => false,
        };
        if let Some(reason) = reason.or(is_unfinished.then_some(Reason::Beginning)) {
            self.tell(reason, findings);
        }
    }

    fn tell(&mut self, reason: Reason, findings: &mut Findings) {
        if !std::mem::replace(&mut self.is_told, true) {
            findings.unopened = Some(reason);
        }
    }
}

impl Awaiting {
    fn new(client_random: [u8; 32], secrets: Secrets) -> Self {
        Self { client_random, secrets, flight: Flight::default(), records: VecDeque::new(), bytes: 0 }
    }

    /// Whether there is a ServerHello of which not all is captured, or none of it.
    fn is_answered(&self) -> bool {
        let is_data = |record: &(Mark, u8, u16, Vec<u8>)| record.1 == APPLICATION_DATA;
        self.flight.held_bytes() > 0 || self.records.iter().any(is_data)
    }

    /// Keeps a record of the client; whether there is room for it.
    fn keep(&mut self, mark: Mark, record: &StreamRecord<'_>) -> bool {
        self.bytes += size_of::<(Mark, u8, u16, Vec<u8>)>() + record.content.len();
        self.records.push_back((mark, record.content_type, record.version, record.content.to_vec()));
        self.bytes <= WAITING_BYTES
    }
}

/// Whose a direction is.
fn side(direction: usize, client: usize) -> Side {
    if direction == client { Side::Client } else { Side::Server }
}

/// What a protocol is called where TLS is below it.
fn over_tls(label: &'static str) -> &'static str {
    match label {
        "http" => "https",
        "websocket" => "wss",
        "sip" => "sips",
        "rtsp" => "rtsps",
        "stun" => "stuns",
        "turn" => "turns",
        other => other,
    }
}
