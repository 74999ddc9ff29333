//! Keys as the reader learns them: from logs, secrets blocks, hellos of DTLS and descriptions with SDES. What it learns goes
//! to all shards, in the order of the packets.

use std::sync::Arc;

use crate::{
    crypto::{
        keylog::KeyLog,
        srtp::{
            sdes,
            text::{GivenKey, Scope},
        },
    },
    flow::{
        datagram::Datagram,
        dtls::Hellos,
        key::FlowKey,
        keyring::Key,
        signalling::{Content, Signal},
    },
    sdp::Description,
};

/// Keys that were given before the first packet.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Whether there are key logs, be they empty.
    pub has_log: bool,
    /// What they have.
    pub log: KeyLog,
    /// Keys of SRTP.
    pub srtp: Vec<GivenKey>,
}

impl Given {
    /// Takes the keys of a description that was given.
    pub fn take_description(&mut self, text: &str) {
        self.srtp.extend(of_description(text));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.srtp.is_empty() && !self.has_log
    }
}

/// What the reader knows of keys.
#[derive(Debug, Default)]
pub struct Keys {
    has_log: bool,
    log: KeyLog,
    hellos: Hellos,
    learned: Vec<Arc<Key>>,
}

impl Keys {
    /// With what was given.
    pub fn new(given: Given) -> Self {
        let learned = given.srtp.into_iter().map(|key| Arc::new(Key::Srtp(key))).collect();
        Self { has_log: given.has_log, log: given.log, hellos: Hellos::default(), learned }
    }

    /// Takes a block of decryption secrets: a key log.
    pub fn take_log(&mut self, bytes: &[u8]) {
        self.has_log = true;
        self.log.take(bytes);
    }

    /// Whether hellos are of use.
    pub fn has_log(&self) -> bool {
        self.has_log
    }

    /// Takes a datagram that may bring a hello.
    #[cold]
    pub fn take_datagram(&mut self, key: FlowKey, datagram: &Datagram<'_>) {
        if let Some(association) = self.hellos.push(key, datagram, &self.log) {
            self.learned.push(Arc::new(Key::Association(Box::new(association))));
        }
    }

    /// What was learned since this was asked last.
    pub fn take_learned(&mut self) -> Vec<Arc<Key>> {
        std::mem::take(&mut self.learned)
    }
}

/// The keys in a description that a signal brings (RFC 4568).
pub fn of_signal(signal: &Signal) -> impl Iterator<Item = Key> {
    let keys = match &signal.content {
        Content::Description(description) => of_description(&description.sdp),
        _ => Vec::new(),
    };
    keys.into_iter().map(Key::Srtp)
}

/// The keys in a description.
fn of_description(text: &str) -> Vec<GivenKey> {
    if !text.contains("a=crypto:") {
        return Vec::new();
    }
    let media = Description::parse(text).into_iter().flat_map(|description| description.media);
    let keyings = media.flat_map(|media| media.crypto).filter_map(|crypto| sdes::keying(&crypto).ok());
    keyings.map(|keying| GivenKey { candidates: vec![keying], scope: Scope::default() }).collect()
}
