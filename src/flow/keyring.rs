//! The keys that the flows of a shard may open packets with. They come in the order of the packets that they were learned
//! from, so that what is opened does not depend on the number of threads.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    crypto::{
        keylog::Secrets,
        secret::Secret,
        srtp::{Keying, Profile, text::GivenKey},
        tls::{Datagrams12, Datagrams13, Negotiated, Side, Unusable},
    },
    wire::dtls::version,
};

/// Keys that are kept; beyond that, the first make room.
const KEYS: usize = 4096;

/// The suites of DTLS 1.3 (RFC 8446 appendix B.4).
const AES_128_GCM_SHA256: u16 = 0x1301;
const AES_256_GCM_SHA384: u16 = 0x1302;
const CHACHA20_POLY1305_SHA256: u16 = 0x1303;

/// The SRTP profiles in use: those of AES-CM (RFC 5764 section 4.1.2), and of AES-GCM (RFC 7714 section 14.2).
const SRTP_PROFILES: [u16; 4] = [1, 2, 7, 8];

/// The label of RFC 5764 section 4.2.
const SRTP_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Keys, shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Arc<Ring>);

#[derive(Debug, Default)]
struct Ring {
    /// How many were ever learned: asked for without a lock.
    learned: AtomicUsize,
    keys: Mutex<Vec<Arc<Key>>>,
}

/// What opens something.
#[derive(Debug)]
pub enum Key {
    /// The secrets of a DTLS association.
    Association(Box<Established>),
    /// Keys of SRTP, from SDP or given by the user.
    Srtp(GivenKey),
}

/// A DTLS association whose hellos were seen: what opens it, or why nothing does.
#[derive(Debug)]
pub struct Established {
    /// The ClientHello's random, by which key logs name it.
    pub client_random: [u8; 32],
    /// The ServerHello's random.
    pub server_random: [u8; 32],
    /// The version chosen.
    pub version: u16,
    /// The cipher suite chosen.
    pub cipher_suite: u16,
    /// Whether the server took encrypt-then-MAC (RFC 7366).
    pub encrypt_then_mac: bool,
    /// Bytes of the connection ids in the records of the client and of the server (RFC 9146).
    pub connection_ids: [usize; 2],
    /// SRTP profiles: the one chosen, or those offered where the choice is encrypted.
    pub srtp_profiles: Vec<u16>,
    /// Whether its hellos were seen; otherwise version, suite and profiles are guessed.
    pub is_seen: bool,
    /// Its secrets; none where no log has them.
    pub secrets: Option<Secrets>,
    /// What may protect SRTP, once asked for.
    pub srtp: OnceLock<Vec<[Keying; 2]>>,
}

impl Key {
    /// Whether it is of an association whose hellos were not seen.
    #[must_use]
    pub fn is_guess(&self) -> bool {
        matches!(self, Self::Association(established) if !established.is_seen)
    }
}

/// What opens the records of an association.
pub enum Opener {
    /// DTLS 1.2 and before.
    Before13(Box<Datagrams12>),
    /// DTLS 1.3.
    Of13(Box<Datagrams13>),
}

/// Why an association is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// No log has a line for its client random.
    NoLine,
    /// Version, suite or secrets cannot be used.
    Unusable(Unusable),
}

impl Established {
    /// One of DTLS 1.3 whose hellos were not seen: of what they say its secrets need no more than the suite, and what
    /// authenticates shows whether the guess is right. The hash tells the suite but for that with ChaCha20, which is a
    /// guess of its own: for records only, since what is exported for SRTP is the same. `None` for secrets of other
    /// versions.
    #[must_use]
    pub fn guessed(client_random: &[u8; 32], secrets: &Secrets, is_chacha: bool) -> Option<Self> {
        let secret = secrets.exporter().or_else(|| secrets.traffic(Side::Client).map(|(_, secret)| secret))?;
        let (cipher_suite, srtp_profiles) = match (secret.len(), is_chacha) {
            (32, false) => (AES_128_GCM_SHA256, SRTP_PROFILES.to_vec()),
            (32, true) => (CHACHA20_POLY1305_SHA256, Vec::new()),
            (48, false) => (AES_256_GCM_SHA384, SRTP_PROFILES.to_vec()),
            _ => return None,
        };
        Some(Self {
            client_random: *client_random,
            server_random: [0; 32],
            version: version::DTLS_1_3,
            cipher_suite,
            encrypt_then_mac: false,
            connection_ids: [0; 2],
            srtp_profiles,
            is_seen: false,
            secrets: Some(secrets.clone()),
            srtp: OnceLock::new(),
        })
    }

    /// What opens its records.
    ///
    /// # Errors
    /// Why nothing does.
    pub fn opener(&self) -> Result<Opener, Closed> {
        let secrets = self.secrets.as_ref().ok_or(Closed::NoLine)?;
        if let Some(master) = secrets.master().filter(|_| self.cipher_suite >> 8 != 0x13) {
            let negotiated = Negotiated {
                version: self.version,
                cipher_suite: self.cipher_suite,
                client_random: &self.client_random,
                server_random: &self.server_random,
                encrypt_then_mac: self.encrypt_then_mac,
            };
            let opener = Datagrams12::new(&negotiated, master).map_err(Closed::Unusable)?;
            return Ok(Opener::Before13(Box::new(opener.with_connection_ids(self.connection_ids))));
        }
        if self.cipher_suite >> 8 != 0x13 {
            return Err(Closed::NoLine);
        }
        let opener = Datagrams13::new(self.cipher_suite, secrets).map_err(Closed::Unusable)?;
        Ok(Opener::Of13(Box::new(opener.with_connection_ids(self.connection_ids))))
    }

    /// What may protect SRTP: the client's and the server's part, for each profile.
    #[must_use]
    pub fn srtp(&self) -> &[[Keying; 2]] {
        self.srtp.get_or_init(|| self.export_srtp())
    }

    fn export_srtp(&self) -> Vec<[Keying; 2]> {
        let Ok(opener) = self.opener() else { return Vec::new() };
        let keyings = self.srtp_profiles.iter().filter_map(|number| {
            let profile = Profile::from_dtls(*number)?;
            let exported = opener.export(profile.exported_length())?;
            Keying::from_exported(profile, &exported, &[]).ok()
        });
        keyings.collect()
    }
}

impl Opener {
    fn export(&self, length: usize) -> Option<Secret> {
        let mut exported = vec![0; length];
        match self {
            Self::Before13(opener) => opener.export(SRTP_LABEL, None, &mut exported),
            Self::Of13(opener) => opener.export(SRTP_LABEL, &[], &mut exported).ok()?,
        }
        Some(Secret::new(exported))
    }
}

impl Keyring {
    /// Whether no key was learned.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.learned() == 0
    }

    /// How many keys were ever learned.
    #[inline]
    #[must_use]
    pub fn learned(&self) -> usize {
        self.0.learned.load(Ordering::Relaxed)
    }

    /// Takes a key. One of the same association replaces what was known of it.
    pub fn learn(&self, key: Arc<Key>) {
        let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Key::Association(new) = &*key {
            keys.retain(|known| !matches!(&**known, Key::Association(known) if known.is_same(new)));
        }
        if keys.len() >= KEYS {
            keys.remove(0);
        }
        keys.push(key);
        self.0.learned.fetch_add(1, Ordering::Relaxed);
    }

    /// The association that a ClientHello with this random opened.
    #[must_use]
    pub fn association(&self, client_random: &[u8; 32]) -> Option<Arc<Key>> {
        let keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |key: &&Arc<Key>| match &***key {
            Key::Association(known) => known.is_seen && known.client_random == *client_random,
            Key::Srtp(_) => false,
        };
        keys.iter().rev().find(is_it).cloned()
    }

    /// The keys that were learned last, newest first, at most so many; no associations that nothing opens.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<Arc<Key>> {
        let keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let opens = |key: &&Arc<Key>| !matches!(&***key, Key::Association(known) if known.secrets.is_none());
        keys.iter().rev().filter(opens).take(count).cloned().collect()
    }
}

impl Established {
    fn is_same(&self, other: &Self) -> bool {
        self.client_random == other.client_random
            && self.server_random == other.server_random
            && self.cipher_suite == other.cipher_suite
    }
}
