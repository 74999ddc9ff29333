//! One association while it is watched.

mod ciphertext;
mod cut;

use super::{
    certificate,
    encrypted_flight::{EncryptedFlight, alert_length},
    finished::Finished,
    hello,
    opened::{self, Opened},
    reassembly::Reassembly,
    record::{Alert, Choice, Direction, Flight, Message, Offer, Record},
};
use crate::{
    flow::{
        keyring::Keyring,
        sctp::{SctpRecord, Step},
    },
    time::{NANOS_PER_MILLI, Timestamp},
    wire::{
        dtls::{
            self, Header,
            certificate::{certificates, key_exchange_group},
            content_type,
            handshake::{ClientHello, Handshake, ServerHello, handshake_type},
            version,
        },
        rtcp::Tags,
    },
};

/// Handshake messages kept: a full handshake with a cookie round and client certificate has 14 in clear.
const MESSAGES: usize = 48;
/// Flights kept; a full handshake has 6.
const FLIGHTS: usize = 16;
/// Alerts kept.
const ALERTS: usize = 16;
/// Certificates kept, of both ends together.
const CERTIFICATES: usize = 16;
/// Times of retransmissions kept a message.
const SENT_AGAIN: usize = 16;

/// The shortest ciphertext of a Finished: 12 bytes of header, 32 of hash, one of content type, and a tag of 8 (CCM_8).
/// An ACK of one or two records is shorter (RFC 9147 section 7).
pub const SHORTEST_FINISHED: usize = 53;

/// Records of one flight follow each other closely; retransmissions come after a timer of 50 ms (BoringSSL) or more.
pub const FLIGHT_GAP: i64 = 30 * NANOS_PER_MILLI;

/// The epoch of DTLS 1.3 handshake messages (RFC 9147 section 6.1).
const HANDSHAKE_EPOCH: u8 = 2;

/// Who sent something, and when.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The direction: 0 or 1.
    pub direction: u8,
    /// When and where.
    pub at: Step,
}

/// The state of one association.
#[derive(Debug, Default)]
pub struct Association {
    record: Record,
    /// The fragments of `record.messages`.
    parts: Vec<Reassembly>,
    /// The random of each direction's ClientHello, known from its first fragment on.
    randoms: [Option<[u8; 32]>; 2],
    /// The end of the client's last encrypted flight (DTLS 1.3).
    client_flight: Option<Step>,
    /// Whether the client's flight waits for data behind it.
    awaits_data: bool,
    /// Whether the server said something of the handshake since.
    server_spoke: bool,
    /// Records of the client's encrypted flight that came again on its own timer.
    client_repeats: u64,
    /// Each end's encrypted flight (DTLS 1.3).
    encrypted_flights: [EncryptedFlight; 2],
    /// What the client answered the server's flight with, of the size of an alert (DTLS 1.3): the first, and how many.
    short_answer: Option<(Step, u64)>,
    /// Each end's Finished (DTLS 1.2).
    finished: Finished,
    /// What was opened.
    opened: Option<Box<Opened>>,
}

impl Association {
    /// Whether `direction` sent its ClientHello with this random.
    pub fn is_of(&self, random: &[u8; 32], direction: u8) -> bool {
        self.randoms.get(usize::from(direction)).is_some_and(|known| known.as_ref() == Some(random))
    }

    /// What the hellos say, once both were seen.
    pub fn agreement(&self) -> Option<(&Offer, &Choice)> {
        self.record.offer.as_ref().zip(self.record.choice.as_ref())
    }

    /// Whether the handshake came to its end.
    pub const fn is_finished(&self) -> bool {
        self.record.is_finished()
    }

    /// When the last application data came.
    pub fn last_data(&self) -> Option<Timestamp> {
        let last = self.record.directions.iter().filter_map(|side| side.last_application_data);
        last.map(|step| step.time).max()
    }

    /// Whether a ClientHello of a random not seen before, or a later fragment of one, belongs here.
    pub fn takes_hello(&self, handshake: &Handshake<'_>, direction: u8) -> bool {
        if handshake.random().is_none() && self.find(handshake, direction).is_some() {
            return true;
        }
        if self.is_over() {
            return false;
        }
        let mut own = self.record.messages.iter().filter(|message| is_hello_of(message, direction));
        // The rest of a hello came before its start.
        if self.find(handshake, direction).is_some() && self.random(direction).is_none() {
            return true;
        }
        // Both ends are active, or the capture starts with the server's call for a cookie.
        let first_of_end = own.clone().next().is_none();
        if first_of_end {
            return self.record.cookie_rounds > 0 || self.randoms.iter().any(Option::is_some);
        }
        // The answer to a cookie may be made anew by a careless client.
        self.record.cookie_rounds > 0 && own.all(|message| message.sequence < handshake.sequence)
            || handshake.fragment_offset > 0
    }

    /// The tags of the SRTP profiles that it agreed on or may have.
    pub fn srtcp_tags(&self) -> Tags {
        Tags::of(self.record.srtp_profiles())
    }

    /// Takes a handshake message in clear, or a fragment of one.
    pub fn handshake(&mut self, handshake: &Handshake<'_>, seen: Seen) {
        let kind = handshake.message_type;
        self.touch(seen);
        self.learn_client(kind, seen.direction);
        if self.record.client != Some(seen.direction) {
            self.server_spoke = true;
        }
        if kind == handshake_type::CLIENT_HELLO
            && let Some(random) = handshake.random()
        {
            self.hello_opens(random, seen.direction);
        }
        let index = match self.find(handshake, seen.direction) {
            Some(index) => index,
            None if self.record.messages.len() < MESSAGES => self.add(handshake, seen),
            None => {
                self.record.messages_refused += 1;
                return;
            }
        };
        let (Some(message), Some(parts)) = (self.record.messages.get_mut(index), self.parts.get_mut(index)) else {
            return;
        };
        message.fragments = message.fragments.saturating_add(1);
        message.last = seen.at;
        let taken =
            parts.push(handshake.fragment_offset, handshake.fragment_length, handshake.body, is_read(message.kind));
        if taken.completed {
            message.complete = Some(seen.at);
        }
        if taken.again {
            message.retransmissions = message.retransmissions.saturating_add(1);
            if message.sent_again.len() < SENT_AGAIN {
                message.sent_again.push(seen.at.time);
            }
        } else if message.retransmissions == 0 {
            self.extend_flight(seen);
        }
        match taken.body {
            Some(body) => self.read(index, &body, seen),
            None => self.read_opening(index, handshake, seen),
        }
    }

    /// Takes a record of epoch 0 that is no handshake message.
    pub fn clear(&mut self, record: &dtls::Record<'_>, seen: Seen) {
        self.touch(seen);
        match record.content_type() {
            Some(content_type::CHANGE_CIPHER_SPEC) => {
                let side = self.side(seen.direction);
                side.change_cipher_spec.get_or_insert(seen.at);
                self.extend_flight(seen);
            }
            Some(content_type::ACK) => self.side(seen.direction).acknowledgements += 1,
            _ => {}
        }
        let Some((level, description)) = record.alert() else { return };
        if self.record.alerts.len() >= ALERTS {
            self.record.omitted += 1;
        } else {
            self.record.alerts.push(Alert { direction: seen.direction, level, description, at: seen.at });
        }
    }

    /// Takes an encrypted record.
    #[inline]
    pub fn ciphertext(&mut self, record: &dtls::Record<'_>, seen: Seen) {
        let side = self.side(seen.direction);
        match record.header {
            Header::Plain { content_type: content_type::APPLICATION_DATA, .. } => {}
            Header::Unified { connection_id: false, epoch, .. } if epoch != HANDSHAKE_EPOCH => {}
            _ => return self.unusual_ciphertext(record, seen),
        }
        side.application_data += 1;
        side.last_application_data = Some(seen.at);
        side.application_bytes += record.length as u64;
        if side.first_application_data.is_none() || self.awaits_data {
            self.application_data(seen);
        }
    }

    /// Opens an encrypted record, if there are keys for it.
    #[cold]
    pub fn open(&mut self, record: &dtls::Record<'_>, seen: Seen, keys: &Keyring) {
        let random = self.record.offer.as_ref().map(|offer| &offer.random);
        self.opened.get_or_insert_default().push(record, seen, random, self.record.client, keys);
    }

    /// Whether keys open it.
    pub fn is_opened(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.is_open())
    }

    /// Counts a datagram or STUN attribute.
    #[inline]
    pub fn count_carrier(&mut self, in_stun: bool) {
        *(if in_stun { &mut self.record.in_stun } else { &mut self.record.datagrams }) += 1;
    }

    /// Lets go of what is only needed while messages may follow.
    pub fn close(&mut self) {
        self.parts.iter_mut().for_each(Reassembly::forget);
    }

    /// Ends it: what it was, and the SCTP inside, where it was opened.
    pub fn finish(mut self) -> (Record, Option<Box<SctpRecord>>) {
        let sctp = self.opened.take().and_then(|opened| self.learn(opened.finish()));
        (self.conclude(), sctp)
    }

    /// Takes what was encrypted for what would be in clear without encryption.
    fn learn(&mut self, found: opened::Found) -> Option<Box<SctpRecord>> {
        let record = &mut self.record;
        if let Some(choice) = &mut record.choice {
            choice.srtp_profile = choice.srtp_profile.or(found.opening.srtp_profile);
        }
        record.certificates.extend(found.certificates);
        record.alerts.extend(found.alerts);
        record.opening = Some(found.opening);
        found.sctp
    }

    fn conclude(mut self) -> Record {
        for (message, parts) in self.record.messages.iter_mut().zip(&self.parts) {
            message.missing = parts.missing();
        }
        // Nothing of epoch 3 came, but the client did not have to repeat itself either.
        if self.record.finish.is_none() && !self.server_spoke && self.client_repeats == 0 {
            self.record.finish = self.client_flight;
        }
        self.take_alert();
        // What a server of DTLS 1.3 sends in epoch 3 before the client's Finished are acknowledgements.
        if self.record.is_1_3() && self.record.is_started() && self.record.finish.is_none() {
            for side in &mut self.record.directions {
                (side.application_data, side.application_bytes, side.first_application_data) = (0, 0, None);
            }
        }
        self.record
    }

    fn find(&self, handshake: &Handshake<'_>, direction: u8) -> Option<usize> {
        self.record.messages.iter().position(|known| {
            (known.direction, known.kind, known.sequence, known.length)
                == (direction, handshake.message_type, handshake.sequence, handshake.length)
        })
    }

    fn add(&mut self, handshake: &Handshake<'_>, seen: Seen) -> usize {
        self.extend_flight(seen);
        self.record.messages.push(Message {
            direction: seen.direction,
            kind: handshake.message_type,
            sequence: handshake.sequence,
            length: handshake.length,
            is_retry_request: false,
            flight: u16::try_from(self.record.flights.len()).unwrap_or(u16::MAX),
            first: seen.at,
            complete: None,
            retransmissions: 0,
            sent_again: Vec::new(),
            last: seen.at,
            fragments: 0,
            missing: Vec::new(),
        });
        self.parts.push(Reassembly::new(handshake.length));
        if handshake.message_type == handshake_type::HELLO_VERIFY_REQUEST {
            self.record.cookie_rounds = self.record.cookie_rounds.saturating_add(1);
        }
        self.record.messages.len().saturating_sub(1)
    }

    /// Reads a whole message.
    fn read(&mut self, index: usize, body: &[u8], seen: Seen) {
        match self.record.messages.get(index).map(|message| message.kind) {
            Some(handshake_type::CLIENT_HELLO) => {
                let Ok(hello) = ClientHello::parse(body) else { return };
                // Where both ends are active, the first is the client until a ServerHello says otherwise.
                if self.record.client == Some(seen.direction) {
                    self.record.offer = Some(hello::offer(&hello));
                }
            }
            Some(handshake_type::SERVER_HELLO) => {
                let Ok(hello) = ServerHello::parse(body) else { return };
                self.server_hello(index, &hello);
            }
            Some(handshake_type::CERTIFICATE) => {
                let room = CERTIFICATES.saturating_sub(self.record.certificates.len());
                self.record.omitted += certificates(body).skip(room).count() as u64;
                let read = certificates(body).take(room).map(|der| certificate::read(der, seen.direction, seen.at));
                self.record.certificates.extend(read);
            }
            Some(handshake_type::SERVER_KEY_EXCHANGE) => {
                let Some(choice) = &mut self.record.choice else { return };
                let is_elliptic =
                    dtls::cipher_suite_name(choice.cipher_suite).is_some_and(|name| name.starts_with("TLS_ECDHE"));
                if is_elliptic && let Some((group, scheme)) = key_exchange_group(body) {
                    choice.group = Some(group);
                    choice.signature_algorithm = scheme.filter(|_| choice.version == version::DTLS_1_2);
                }
            }
            _ => {}
        }
    }

    fn server_hello(&mut self, index: usize, hello: &ServerHello<'_>) {
        if hello.is_retry_request() {
            self.record.cookie_rounds = self.record.cookie_rounds.saturating_add(1);
            if let Some(message) = self.record.messages.get_mut(index) {
                message.is_retry_request = true;
            }
            return;
        }
        self.record.choice = Some(hello::choice(hello));
    }

    /// The first fragment of a ClientHello.
    fn hello_opens(&mut self, random: &[u8; 32], direction: u8) {
        if let Some(known) = self.randoms.get_mut(usize::from(direction)) {
            *known = Some(*random);
        }
        self.record.both_active = self.randoms.iter().all(Option::is_some);
    }

    /// Who is the client, by what only one of both sends.
    fn learn_client(&mut self, kind: u8, direction: u8) {
        let client = match kind {
            handshake_type::CLIENT_HELLO if self.record.client.is_none() => direction,
            handshake_type::CLIENT_KEY_EXCHANGE => direction,
            handshake_type::SERVER_HELLO
            | handshake_type::HELLO_VERIFY_REQUEST
            | handshake_type::SERVER_KEY_EXCHANGE
            | handshake_type::SERVER_HELLO_DONE => direction ^ 1,
            _ => return,
        };
        self.record.client = Some(client);
    }

    fn random(&self, direction: u8) -> Option<[u8; 32]> {
        self.randoms.get(usize::from(direction)).copied().flatten()
    }

    /// Whether nothing of its handshake can follow but repetitions.
    fn is_over(&self) -> bool {
        let record = &self.record;
        record.is_finished() || record.fatal_alert().is_some() || !record.is_started()
    }

    /// A new message, or more of one: it belongs to the flight of its sender, which ends when the other end speaks.
    fn extend_flight(&mut self, seen: Seen) {
        let flights = &mut self.record.flights;
        let count = flights.len();
        match flights.last_mut() {
            Some(flight) if flight.direction == seen.direction => flight.last = seen.at,
            _ if count < FLIGHTS => {
                flights.push(Flight { direction: seen.direction, first: seen.at, last: seen.at });
            }
            _ => self.record.omitted += 1,
        }
    }

    fn touch(&mut self, seen: Seen) {
        self.record.first.get_or_insert(seen.at);
    }

    fn side(&mut self, direction: u8) -> &mut Direction {
        let [low, high] = &mut self.record.directions;
        if direction == 0 { low } else { high }
    }
}

const fn is_hello_of(message: &Message, direction: u8) -> bool {
    message.kind == handshake_type::CLIENT_HELLO && message.direction == direction
}

/// Messages whose body is looked into.
const fn is_read(kind: u8) -> bool {
    matches!(
        kind,
        handshake_type::CLIENT_HELLO
            | handshake_type::SERVER_HELLO
            | handshake_type::CERTIFICATE
            | handshake_type::SERVER_KEY_EXCHANGE
    )
}
