//! Records of TLS 1.3 (RFC 8446 section 5.2).

use std::collections::VecDeque;

use super::{
    Failure, Opened, Side, StreamRecord, Unusable, protection13::Protection13, schedule13::Schedule, search::Search,
    suite::Suite13,
};
use crate::{
    crypto::{keylog::Secrets, secret::Secret},
    wire::dtls::content_type::APPLICATION_DATA,
};

/// What is called the epoch of early data, as DTLS 1.3 numbers them (RFC 9147 section 6.1).
const EARLY_DATA: u64 = 1;
/// That of handshake messages.
const HANDSHAKE: u64 = 2;
/// The first of application data; each key update makes the next.
const APPLICATION: u64 = 3;

/// What opens the records of one connection of TLS 1.3, each side's in order. Where the capture lost some, it finds the
/// number of the next.
pub struct Stream13 {
    suite: Suite13,
    schedule: Schedule,
    /// The client's and the server's.
    sides: [Epochs; 2],
    exporter: Option<Secret>,
}

/// The keys between two changes of them.
struct Epoch {
    number: u64,
    secret: Secret,
    protection: Protection13,
    /// The sequence number of the next record.
    next: u64,
}

/// The epochs of one side.
#[derive(Default)]
struct Epochs {
    /// The current one and those that are known to follow.
    known: VecDeque<Epoch>,
    /// The last that a record was opened with.
    current: u64,
    search: Search,
}

impl Stream13 {
    /// Makes the keys of a connection with the suite that the ServerHello chose.
    ///
    /// # Errors
    /// When suite or secrets are none that can be used.
    pub fn new(cipher_suite: u16, secrets: &Secrets) -> Result<Self, Unusable> {
        let suite = Suite13::of(cipher_suite).ok_or(Unusable::Suite(cipher_suite))?;
        let schedule = Schedule::tls(suite.hash);
        let mut opener = Self { suite, schedule, sides: Default::default(), exporter: None };
        opener.learn(secrets)?;
        Ok(opener)
    }

    /// Takes the secrets that it does not have, as a log that grows has more of them.
    ///
    /// # Errors
    /// When a secret is not one of the suite.
    pub fn learn(&mut self, secrets: &Secrets) -> Result<(), Unusable> {
        let Self { suite, schedule, .. } = *self;
        for side in [Side::Client, Side::Server] {
            let early = secrets.early_traffic().filter(|_| side == Side::Client).map(|secret| (EARLY_DATA, secret));
            let handshake = secrets.handshake_traffic(side).map(|secret| (HANDSHAKE, secret));
            let traffic = secrets.traffic(side).map(|(updates, secret)| (APPLICATION + u64::from(updates), secret));
            for (number, secret) in [early, handshake, traffic].into_iter().flatten() {
                schedule.check(Some(secret))?;
                side.of_mut(&mut self.sides).insert(suite, schedule, number, secret);
            }
        }
        if self.exporter.is_none() {
            self.exporter = schedule.check(secrets.exporter())?.cloned();
        }
        Ok(())
    }

    /// Opens the next record that `side` sent. The plaintext is in `buffer`, whose content is of no use otherwise.
    ///
    /// # Errors
    /// When it is not protected, or not with these keys.
    pub fn open<'b>(
        &mut self,
        side: Side,
        record: &StreamRecord<'_>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Opened<'b>, Failure> {
        if record.content_type != APPLICATION_DATA {
            return Err(Failure::Clear);
        }
        let epochs = side.of_mut(&mut self.sides);
        let (content_type, epoch, sequence) = epochs.open(self.suite, self.schedule, record, buffer)?;
        Ok(Opened { content_type, epoch, sequence, plaintext: buffer, behind: 0 })
    }

    /// Tells that a number of protected records that `side` sent is not given to [`Stream13::open`].
    pub fn skip(&mut self, side: Side, records: u64) {
        if let Some(epoch) = side.of_mut(&mut self.sides).known.front_mut() {
            epoch.next = epoch.next.saturating_add(records);
        }
    }

    /// Fills `output` with keying material for another protocol (RFC 8446 section 7.5). The label is of at most 249
    /// bytes.
    ///
    /// # Errors
    /// When the log has no exporter secret.
    pub fn export(&self, label: &str, context: &[u8], output: &mut [u8]) -> Result<(), Failure> {
        let secret = self.exporter.as_ref().ok_or(Failure::NoSecret)?;
        self.schedule.export(secret, label.as_bytes(), context, output);
        Ok(())
    }
}

impl Epochs {
    /// Adds an epoch that is neither known nor over.
    fn insert(&mut self, suite: Suite13, schedule: Schedule, number: u64, secret: &Secret) {
        let is_known = self.known.iter().any(|known| known.number == number);
        let is_application = self.known.back().is_some_and(|last| last.number >= APPLICATION);
        if is_known || number < self.current || is_application && number >= APPLICATION {
            return;
        }
        let Some(protection) = Protection13::new(suite, schedule, secret) else { return };
        let place = self.known.iter().filter(|known| known.number < number).count();
        self.known.insert(place, Epoch { number, secret: secret.clone(), protection, next: 0 });
        self.add_update(suite, schedule);
    }

    /// Keeps the epoch behind a key update ready, where application data is all that can come.
    fn add_update(&mut self, suite: Suite13, schedule: Schedule) {
        let Some(last) = self.known.back().filter(|last| last.number >= APPLICATION && self.known.len() == 1) else {
            return;
        };
        let secret = schedule.next(&last.secret);
        let Some(protection) = Protection13::new(suite, schedule, &secret) else { return };
        self.known.push_back(Epoch { number: last.number + 1, secret, protection, next: 0 });
    }

    /// The type, epoch and sequence number of a record whose content is in `buffer`.
    fn open(
        &mut self,
        suite: Suite13,
        schedule: Schedule,
        record: &StreamRecord<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<(u8, u64, u64), Failure> {
        if self.known.is_empty() {
            return Err(Failure::NoSecret);
        }
        let length = u16::try_from(record.content.len()).unwrap_or(u16::MAX).to_be_bytes();
        let [major, minor] = record.version.to_be_bytes();
        let [high, low] = length;
        let header = [record.content_type, major, minor, high, low];
        // Most follow the last. After that the change of an epoch is likelier than a gap.
        let mut found = Err(Failure::TagMismatch);
        for (place, epoch) in self.known.iter().enumerate() {
            let opened = epoch.protection.open(epoch.next, &header, record.content, buffer);
            if opened != Err(Failure::TagMismatch) {
                found = opened.map(|content_type| (place, epoch.next, content_type));
                break;
            }
        }
        if found == Err(Failure::TagMismatch) {
            found = self.find_behind_gap(&header, record.content, buffer);
        }
        let (place, sequence, content_type) = found?;
        self.search = Search::default();
        self.known.drain(..place);
        self.add_update(suite, schedule);
        let epoch = self.known.front_mut().ok_or(Failure::NoSecret)?;
        epoch.next = sequence.saturating_add(1);
        self.current = epoch.number;
        Ok((content_type, epoch.number, sequence))
    }

    /// The place of the epoch, the sequence number and the type of a record.
    fn find_behind_gap(
        &mut self,
        header: &[u8],
        content: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<(usize, u64, u8), Failure> {
        for (place, epoch) in self.known.iter().enumerate() {
            let found =
                self.search.find(epoch.next, None, |number| epoch.protection.open(number, header, content, buffer));
            if found != Err(Failure::TagMismatch) {
                return found.map(|(sequence, content_type)| (place, sequence, content_type));
            }
        }
        Err(Failure::TagMismatch)
    }
}
