//! The ciphertext of an association, opened with its secrets.

use super::{
    association::Seen,
    certificate,
    reassembly::Reassembly,
    record::{Alert, Certificate, Opening},
};
use crate::{
    crypto::tls::{Failure, Opened as Plaintext, Side},
    flow::{
        keyring::{Key, Keyring, Opener},
        sctp::{self, SctpRecord},
    },
    wire::{
        dtls::{
            Header, Record,
            certificate::{certificates_of_1_3, encrypted_srtp_profile},
            content_type,
            handshake::handshake_type,
            version,
        },
        sctp::{Checksum, Packet},
    },
};

/// Encrypted handshake messages that are put together, of both ends.
const MESSAGES: usize = 32;

/// Certificates that are read, of both ends.
const CERTIFICATES: usize = 16;

/// Alerts that are kept.
const ALERTS: usize = 16;

/// Associations whose secrets are tried on the records of a path without a handshake, and records that they are tried on:
/// with what is known at a time, and in all.
const CANDIDATES: usize = 64;
const TRIALS: u32 = 8;
const ALL_TRIALS: u32 = 64;

/// What opens an association, and what was found in it.
#[derive(Default)]
pub struct Opened {
    opener: Option<Opener>,
    /// How many keys were known when there was none that fits.
    looked: Option<usize>,
    trials: u32,
    /// Records that were tried in all.
    spent: u32,
    buffer: Vec<u8>,
    messages: Vec<(Message, Reassembly)>,
    /// The association inside.
    sctp: Option<Box<sctp::Association>>,
    record: Opening,
    certificates: Vec<Certificate>,
    alerts: Vec<Alert>,
}

/// Direction, type, number and length of a handshake message.
type Message = (u8, u8, u16, u32);

/// What was found at the end.
pub struct Found {
    /// How far it was opened.
    pub opening: Opening,
    /// The certificates that were encrypted.
    pub certificates: Vec<Certificate>,
    /// The alerts that were.
    pub alerts: Vec<Alert>,
    /// The SCTP inside.
    pub sctp: Option<Box<SctpRecord>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.record.fmt(formatter)
    }
}

impl Opened {
    /// Takes a record of the association whose ClientHello had this random, or of one whose hellos took another path.
    pub fn push(
        &mut self,
        record: &Record<'_>,
        seen: Seen,
        random: Option<&[u8; 32]>,
        client: Option<u8>,
        keys: &Keyring,
    ) {
        if self.opener.is_none() && self.looked != Some(keys.learned()) {
            self.looked = Some(keys.learned());
            match random {
                Some(random) if self.find(random, keys) => {}
                _ => self.trials = TRIALS.min(ALL_TRIALS.saturating_sub(self.spent)),
            }
        }
        if self.opener.is_none() && self.trials > 0 {
            (self.trials, self.spent) = (self.trials - 1, self.spent + 1);
            self.try_all(record, seen, keys);
        }
        let Some(opener) = &mut self.opener else { return };
        let client = client.or(self.record.client).unwrap_or_default();
        let side = if seen.direction == client { Side::Client } else { Side::Server };
        let mut buffer = std::mem::take(&mut self.buffer);
        match opener.open(side, record, &mut buffer) {
            Ok(plaintext) => {
                *self.record.records.get_mut(usize::from(seen.direction)).unwrap_or(&mut 0) += 1;
                self.take(&plaintext, seen);
            }
            Err(failure) => self.fail(failure, seen),
        }
        self.buffer = buffer;
    }

    /// What was found.
    pub fn finish(self) -> Found {
        let Self { record, certificates, alerts, sctp, .. } = self;
        Found { opening: record, certificates, alerts, sctp: sctp.map(|sctp| Box::new(sctp.finish())) }
    }

    /// Whether it has opened anything.
    pub const fn is_open(&self) -> bool {
        self.opener.is_some()
    }

    /// Looks for the association of a ClientHello: whether it is known, even if nothing opens it.
    fn find(&mut self, random: &[u8; 32], keys: &Keyring) -> bool {
        let Some(key) = keys.association(random) else { return false };
        let Key::Association(established) = &*key else { return false };
        match established.opener() {
            Ok(opener) => (self.opener, self.record.closed) = (Some(opener), None),
            Err(closed) => self.record.closed = Some(closed),
        }
        true
    }

    /// Tries the secrets of other paths' associations on a record.
    fn try_all(&mut self, record: &Record<'_>, seen: Seen, keys: &Keyring) {
        for key in keys.newest(CANDIDATES) {
            let Key::Association(established) = &*key else { continue };
            let Ok(mut opener) = established.opener() else { continue };
            for (side, client) in [(Side::Client, seen.direction), (Side::Server, seen.direction ^ 1)] {
                if opener.open(side, record, &mut self.buffer).is_ok() {
                    self.record.client = Some(client);
                    self.record.client_random = Some(established.client_random);
                    // What the trial changed is of no harm: the record is opened once more.
                    self.opener = established.opener().ok();
                    return;
                }
            }
        }
    }

    fn fail(&mut self, failure: Failure, seen: Seen) {
        if failure == Failure::Clear {
            return;
        }
        if let Some(count) = self.record.failures.get_mut(usize::from(seen.direction)) {
            *count += 1;
        }
        self.record.first_failure.get_or_insert((failure, seen.at));
    }

    fn take(&mut self, plaintext: &Plaintext<'_>, seen: Seen) {
        match plaintext.content_type {
            content_type::APPLICATION_DATA => self.take_data(plaintext.plaintext, seen),
            content_type::HANDSHAKE => self.take_handshake(plaintext.plaintext, seen),
            content_type::ALERT => {
                if let [level, description] = *plaintext.plaintext
                    && self.alerts.len() < ALERTS
                {
                    self.alerts.push(Alert { direction: seen.direction, level, description, at: seen.at });
                }
            }
            _ => {}
        }
    }

    fn take_data(&mut self, data: &[u8], seen: Seen) {
        // DTLS carries other things too, of no call.
        if self.sctp.is_none() && !is_sctp(data) {
            self.record.other_data += 1;
            return;
        }
        let association = self.sctp.get_or_insert_default();
        if association.packet(data, data.len(), seen.direction, seen.at.time, seen.at.packet).is_err() {
            self.record.other_data += 1;
        }
    }

    /// Encrypted handshake messages (DTLS 1.3), of which those are read that say what nothing else does.
    fn take_handshake(&mut self, content: &[u8], seen: Seen) {
        let header =
            Header::Plain { content_type: content_type::HANDSHAKE, version: version::DTLS_1_2, epoch: 0, sequence: 0 };
        let record = Record { offset: 0, header_length: 0, header, length: content.len(), content };
        for handshake in record.handshakes().flatten() {
            let is_read =
                matches!(handshake.message_type, handshake_type::ENCRYPTED_EXTENSIONS | handshake_type::CERTIFICATE);
            if !is_read {
                continue;
            }
            let message = (seen.direction, handshake.message_type, handshake.sequence, handshake.length);
            let known = self.messages.iter().position(|(known, _)| *known == message);
            let index = match known {
                Some(index) => index,
                None if self.messages.len() < MESSAGES => {
                    self.messages.push((message, Reassembly::new(handshake.length)));
                    self.messages.len() - 1
                }
                None => continue,
            };
            let Some((_, parts)) = self.messages.get_mut(index) else { continue };
            let taken = parts.push(handshake.fragment_offset, handshake.fragment_length, handshake.body, true);
            if let Some(body) = taken.body {
                self.read(handshake.message_type, &body, seen);
            }
        }
    }

    fn read(&mut self, message_type: u8, body: &[u8], seen: Seen) {
        if message_type == handshake_type::ENCRYPTED_EXTENSIONS {
            self.record.srtp_profile = self.record.srtp_profile.or_else(|| encrypted_srtp_profile(body));
            return;
        }
        let room = CERTIFICATES.saturating_sub(self.certificates.len());
        let read = certificates_of_1_3(body).take(room).map(|der| certificate::read(der, seen.direction, seen.at));
        self.certificates.extend(read);
    }
}

/// Whether an association may begin with this: its checksum is right, or is left out and the chunks are in form.
fn is_sctp(data: &[u8]) -> bool {
    Packet::parse_snapped(data, data.len()).is_ok_and(|packet| match packet.verify_checksum() {
        Checksum::Correct => true,
        Checksum::Zero => packet.chunks().count() > 0 && packet.chunks().all(|chunk| chunk.fault.is_none()),
        Checksum::Wrong | Checksum::Unknown => false,
    })
}

impl Opener {
    /// Opens a record that `side` sent, its plaintext being in `buffer`.
    ///
    /// # Errors
    /// Why it is not opened.
    pub(in crate::flow) fn open<'b>(
        &mut self,
        side: Side,
        record: &Record<'_>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Plaintext<'b>, Failure> {
        match self {
            Self::Before13(opener) => opener.open(side, record, buffer),
            Self::Of13(opener) => opener.open(side, record, buffer),
        }
    }
}
