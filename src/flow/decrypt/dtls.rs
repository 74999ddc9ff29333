//! Encrypted records of one flow. Ciphertext names no association: it is of the last that began, as in the analysis.

use zeroize::Zeroizing;

use crate::{
    crypto::tls::Side,
    flow::{
        datagram::Datagram,
        keyring::{Key, Keyring, Opener},
    },
    wire::dtls::{self, content_type, handshake::handshake_type},
};

/// Associations whose secrets are tried on the records of a path without a handshake, and records that they are tried on.
const CANDIDATES: usize = 32;
const TRIALS: u32 = 64;

/// A record that was opened: its tag matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedRecord {
    /// What it holds: [`content_type`]. Where the protection hides it, the real one.
    pub content_type: u8,
    /// Where the record starts in its datagram.
    pub offset: usize,
    /// Bytes of the record, its header included.
    pub length: usize,
    /// Its content.
    pub plaintext: Zeroizing<Vec<u8>>,
}

/// The associations of a flow, one after the other.
#[derive(Default)]
pub(super) struct Records {
    /// The random of the last ClientHello of each direction.
    randoms: [Option<[u8; 32]>; 2],
    client: Option<usize>,
    opener: Option<Opener>,
    /// How many keys were known when they were looked through last.
    looked: Option<usize>,
    trials: u32,
    buffer: Vec<u8>,
}

impl Records {
    pub(super) fn open(&mut self, datagram: &Datagram<'_>, keys: &Keyring) -> Vec<OpenedRecord> {
        let direction = datagram.direction & 1;
        let mut opened = Vec::new();
        for record in dtls::records(datagram.bytes, datagram.length).flatten() {
            if record.is_clear() {
                self.take_hello(&record, direction);
            } else {
                opened.extend(self.open_record(&record, direction, keys));
            }
        }
        opened
    }

    fn take_hello(&mut self, record: &dtls::Record<'_>, direction: usize) {
        if record.content_type() != Some(content_type::HANDSHAKE) {
            return;
        }
        for handshake in record.handshakes().flatten() {
            match (handshake.message_type, handshake.random()) {
                (handshake_type::CLIENT_HELLO, Some(random)) => {
                    let Some(known) = self.randoms.get_mut(direction) else { continue };
                    if known.as_ref() != Some(random) {
                        *known = Some(*random);
                        self.begin(self.client.unwrap_or(direction));
                    }
                }
                // Both ends may have begun: who answers is the server.
                (handshake_type::SERVER_HELLO, _) if self.client == Some(direction) => self.begin(direction ^ 1),
                _ => {}
            }
        }
    }

    fn begin(&mut self, client: usize) {
        (self.client, self.opener, self.looked) = (Some(client), None, None);
    }

    fn open_record(&mut self, record: &dtls::Record<'_>, direction: usize, keys: &Keyring) -> Option<OpenedRecord> {
        let random = self.client.and_then(|client| *self.randoms.get(client)?);
        if self.opener.is_none() && self.looked != Some(keys.learned()) {
            self.looked = Some(keys.learned());
            match random {
                Some(random) => self.opener = opener_of(&random, keys),
                None => self.trials = TRIALS,
            }
        }
        if self.opener.is_none() && random.is_none() && self.trials > 0 {
            self.trials -= 1;
            self.try_all(record, direction, keys);
        }
        let side = if Some(direction) == self.client { Side::Client } else { Side::Server };
        let opened = self.opener.as_mut()?.open(side, record, &mut self.buffer).ok()?;
        Some(OpenedRecord {
            content_type: opened.content_type,
            offset: record.offset,
            length: record.header_length + record.length,
            plaintext: Zeroizing::new(opened.plaintext.to_vec()),
        })
    }

    /// Tries the secrets of other paths' associations on a record.
    fn try_all(&mut self, record: &dtls::Record<'_>, direction: usize, keys: &Keyring) {
        for key in keys.newest(CANDIDATES) {
            let Key::Association(established) = &*key else { continue };
            let Ok(mut opener) = established.opener() else { continue };
            for (side, client) in [(Side::Client, direction), (Side::Server, direction ^ 1)] {
                if opener.open(side, record, &mut self.buffer).is_ok() {
                    // What the trial changed is of no harm: the record is opened once more.
                    (self.opener, self.client) = (established.opener().ok(), Some(client));
                    return;
                }
            }
        }
    }
}

fn opener_of(random: &[u8; 32], keys: &Keyring) -> Option<Opener> {
    match &*keys.association(random)? {
        Key::Association(established) => established.opener().ok(),
        Key::Srtp(_) => None,
    }
}
