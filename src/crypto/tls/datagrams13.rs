//! Records of DTLS 1.3 (RFC 9147): epochs, record numbers, and the keys of either.

use std::ops::RangeInclusive;

use super::{
    Failure, Opened, Side, Unusable,
    protection13::{NumberKey, Protection13},
    schedule13::Schedule,
    suite::Suite13,
    unified::Ciphertext,
};
use crate::{
    crypto::{keylog::Secrets, secret::Secret},
    wire::dtls::{Header, Record},
};

/// The epoch of the client's early data (RFC 9147 section 6.1, as the rest).
const EARLY_DATA: u64 = 1;
/// The epoch of handshake messages.
const HANDSHAKE: u64 = 2;
/// The first epoch of application data; each key update makes the next.
const APPLICATION: u64 = 3;

/// How many times the range of a sent record number the next record may be ahead of the last that was opened.
const RANGES_AHEAD: u64 = 16;
/// How many epochs ahead of the last a record may be, where none of those next to it opens it.
const EPOCHS_AHEAD: u64 = 64;
/// Records in a row that are looked for that far. What fails more often has another key, and must not cost more.
const SEARCHES: u32 = 32;

/// What opens the records of one association of DTLS 1.3: lost, late and repeated ones too.
pub struct Datagrams13 {
    suite: Suite13,
    schedule: Schedule,
    /// The client's and the server's.
    sides: [Epochs; 2],
    exporter: Option<Secret>,
    /// Bytes of the connection ids in the records of client and server.
    connection_ids: [usize; 2],
}

impl Datagrams13 {
    /// Makes the keys of an association with the suite that the ServerHello chose.
    ///
    /// # Errors
    /// When suite or secrets are none that can be used.
    pub fn new(cipher_suite: u16, secrets: &Secrets) -> Result<Self, Unusable> {
        let suite = Suite13::of(cipher_suite).ok_or(Unusable::Suite(cipher_suite))?;
        let schedule = Schedule::dtls(suite.hash);
        let mut opener = Self { suite, schedule, sides: Default::default(), exporter: None, connection_ids: [0; 2] };
        opener.learn(secrets)?;
        Ok(opener)
    }

    /// Tells how long the connection ids are that the client's records have, which the server asked for, and those of the
    /// server's.
    #[must_use]
    pub fn with_connection_ids(self, lengths: [usize; 2]) -> Self {
        Self { connection_ids: lengths, ..self }
    }

    /// Takes the secrets that it does not have, as a log that grows has more of them.
    ///
    /// # Errors
    /// When a secret is not one of the suite.
    pub fn learn(&mut self, secrets: &Secrets) -> Result<(), Unusable> {
        let (suite, schedule) = (self.suite, self.schedule);
        let known = |secret| schedule.check(secret);
        for side in [Side::Client, Side::Server] {
            let epochs = side.of_mut(&mut self.sides);
            if epochs.handshake.is_none()
                && let Some(secret) = known(secrets.handshake_traffic(side))?
            {
                epochs.handshake = Epoch::new(suite, schedule, HANDSHAKE, secret);
            }
            if epochs.application.is_empty()
                && let Some((generation, secret)) = secrets.traffic(side)
                && let Some(secret) = known(Some(secret))?
            {
                let number = APPLICATION + u64::from(generation);
                epochs.begin(Epoch::new(suite, schedule, number, secret), secret.clone());
            }
        }
        let client = Side::Client.of_mut(&mut self.sides);
        if client.early.is_none()
            && let Some(secret) = known(secrets.early_traffic())?
        {
            client.early = Epoch::new(suite, schedule, EARLY_DATA, secret);
        }
        if self.exporter.is_none()
            && let Some(secret) = known(secrets.exporter())?
        {
            self.exporter = Some(secret.clone());
        }
        Ok(())
    }

    /// Opens a record that `side` sent. The plaintext is in `buffer`, whose content is of no use otherwise.
    ///
    /// # Errors
    /// When it is not protected, or not with these keys.
    pub fn open<'b>(
        &mut self,
        side: Side,
        record: &Record<'_>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Opened<'b>, Failure> {
        if let Header::Plain { .. } = record.header {
            return Err(if record.is_clear() { Failure::Clear } else { Failure::NoSecret });
        }
        let ciphertext = Ciphertext::read(record, *side.of(&self.connection_ids))?;
        let epochs = side.of_mut(&mut self.sides);
        let (content_type, epoch, sequence) = epochs.open(self.suite, self.schedule, &ciphertext, buffer)?;
        Ok(Opened { content_type, epoch, sequence, plaintext: buffer, behind: ciphertext.behind })
    }

    /// Fills `output` with keying material for another protocol (RFC 8446 section 7.5), such as SRTP (RFC 5764
    /// section 4.2, with the label `EXTRACTOR-dtls_srtp` and no context). The label is of at most 249 bytes.
    ///
    /// # Errors
    /// When the log has no exporter secret.
    pub fn export(&self, label: &str, context: &[u8], output: &mut [u8]) -> Result<(), Failure> {
        let secret = self.exporter.as_ref().ok_or(Failure::NoSecret)?;
        self.schedule.export(secret, label.as_bytes(), context, output);
        Ok(())
    }
}

/// One epoch of one side.
struct Epoch {
    number: u64,
    protection: Protection13,
    number_key: NumberKey,
    /// One more than the highest sequence number that was opened.
    next: u64,
}

impl Epoch {
    fn new(suite: Suite13, schedule: Schedule, number: u64, secret: &[u8]) -> Option<Self> {
        let protection = Protection13::new(suite, schedule, secret)?;
        Some(Self { number, protection, number_key: NumberKey::new(suite, schedule, secret)?, next: 0 })
    }

    /// Opens a record whose number is the nearest to the next, or some ranges ahead of it: its type and number.
    fn open(
        &mut self,
        ciphertext: &Ciphertext<'_>,
        ranges_ahead: RangeInclusive<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<(u8, u64), Failure> {
        let low = ciphertext.low_bits(self.number_key.mask(ciphertext.content)?);
        let nearest = nearest(self.next, u64::from(low), ciphertext.number_bits);
        let header = ciphertext.header(low);
        let mut failure = Failure::TagMismatch;
        for range in ranges_ahead {
            let sequence = nearest.saturating_add(range << ciphertext.number_bits);
            match self.protection.open(sequence, header.bytes(), ciphertext.content, buffer) {
                Ok(content_type) => {
                    self.next = self.next.max(sequence.saturating_add(1));
                    return Ok((content_type, sequence));
                }
                Err(Failure::TagMismatch) => {}
                Err(other) => failure = other,
            }
        }
        Err(failure)
    }
}

/// The epochs of one side.
#[derive(Default)]
struct Epochs {
    early: Option<Epoch>,
    handshake: Option<Epoch>,
    /// Of application data, one after the other: at most the one before the last that was used, that one, and two more.
    application: Vec<Epoch>,
    /// The secret of the last of them.
    secret: Secret,
    /// The last that a record was opened with.
    current: u64,
    /// Records in a row that were not opened.
    failures: u32,
}

impl Epochs {
    fn begin(&mut self, epoch: Option<Epoch>, secret: Secret) {
        self.current = epoch.as_ref().map_or(0, |epoch| epoch.number);
        self.application = epoch.into_iter().collect();
        self.secret = secret;
    }

    /// The type, epoch and sequence number of a record whose content is in `buffer`.
    fn open(
        &mut self,
        suite: Suite13,
        schedule: Schedule,
        ciphertext: &Ciphertext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<(u8, u64, u64), Failure> {
        let mut opened = self.open_within(suite, schedule, ciphertext, 0..=0, buffer);
        if opened == Err(Failure::TagMismatch) && self.failures < SEARCHES {
            opened = self.open_within(suite, schedule, ciphertext, 1..=RANGES_AHEAD, buffer);
        }
        if opened == Err(Failure::TagMismatch) && self.failures < SEARCHES {
            opened = self.open_ahead(suite, schedule, ciphertext, buffer);
        }
        match opened {
            Ok((_, epoch, _)) => {
                self.failures = 0;
                self.moved_to(epoch);
            }
            Err(Failure::TagMismatch) => self.failures = self.failures.saturating_add(1),
            Err(_) => {}
        }
        opened
    }

    /// Tries the epochs with its low bits that are likely: those of the handshake, and of application data one next to
    /// the last.
    fn open_within(
        &mut self,
        suite: Suite13,
        schedule: Schedule,
        ciphertext: &Ciphertext<'_>,
        ranges_ahead: RangeInclusive<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<(u8, u64, u64), Failure> {
        self.extend(suite, schedule, ciphertext.epoch);
        let known = [&mut self.early, &mut self.handshake].into_iter().flatten().chain(&mut self.application);
        let mut failure = Failure::NoSecret;
        for epoch in known.filter(|epoch| epoch.number & 3 == ciphertext.epoch) {
            match epoch.open(ciphertext, ranges_ahead.clone(), buffer) {
                Ok((content_type, sequence)) => return Ok((content_type, epoch.number, sequence)),
                Err(other) => failure = other,
            }
        }
        Err(failure)
    }

    /// Adds the epochs up to the one with these low bits that is at most two behind the last that was used.
    fn extend(&mut self, suite: Suite13, schedule: Schedule, low_bits: u64) {
        let wanted = (self.current..self.current.saturating_add(3)).find(|number| number & 3 == low_bits);
        while let (Some(wanted), Some(last)) = (wanted, self.application.last().map(|last| last.number))
            && last < wanted
        {
            self.secret = schedule.next(&self.secret);
            let Some(epoch) = Epoch::new(suite, schedule, last + 1, &self.secret) else { return };
            self.application.push(epoch);
        }
    }

    /// Tries the epochs of many key updates that the capture does not have.
    fn open_ahead(
        &mut self,
        suite: Suite13,
        schedule: Schedule,
        ciphertext: &Ciphertext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<(u8, u64, u64), Failure> {
        let last = self.application.last().ok_or(Failure::TagMismatch)?.number;
        let mut secret = self.secret.clone();
        for number in last.saturating_add(1)..=last.saturating_add(EPOCHS_AHEAD) {
            secret = schedule.next(&secret);
            if number & 3 != ciphertext.epoch {
                continue;
            }
            let Some(mut epoch) = Epoch::new(suite, schedule, number, &secret) else { continue };
            if let Ok((content_type, sequence)) = epoch.open(ciphertext, 0..=0, buffer) {
                self.begin(Some(epoch), secret);
                return Ok((content_type, number, sequence));
            }
        }
        Err(Failure::TagMismatch)
    }

    fn moved_to(&mut self, epoch: u64) {
        if epoch > self.current && epoch >= APPLICATION {
            self.current = epoch;
            self.application.retain(|known| known.number + 1 >= epoch);
        }
    }
}

/// The number with these low bits that is nearest to the expected one (RFC 9147 section 4.2.2).
fn nearest(expected: u64, low: u64, bits: u32) -> u64 {
    let range = 1_u64 << bits;
    let same = expected & !(range - 1) | low;
    let others = [same.checked_sub(range), same.checked_add(range)];
    others
        .into_iter()
        .flatten()
        .fold(same, |best, other| if other.abs_diff(expected) < best.abs_diff(expected) { other } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_nearest_to_the_expected() {
        assert_eq!(nearest(0, 0xff, 8), 0xff);
        assert_eq!(nearest(0x100, 0xff, 8), 0xff);
        assert_eq!(nearest(0x1f0, 0x05, 8), 0x205);
        assert_eq!(nearest(0x205, 0xf0, 8), 0x1f0);
        assert_eq!(nearest(0x1_0000, 0xffff, 16), 0xffff);
        assert_eq!(nearest(0xffff, 0x0001, 16), 0x1_0001);
        assert_eq!(nearest(u64::MAX, 0, 16), u64::MAX - 0xffff);
    }
}
