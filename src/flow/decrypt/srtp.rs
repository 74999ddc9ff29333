//! SRTP of one source.

use std::net::SocketAddr;

use crate::{
    crypto::srtp::{Context, Keying, Rollover, Wanted, text::Scope},
    flow::{
        key::FlowKey,
        keyring::{Key, Keyring},
        srtp::keyings,
    },
};

/// Keys that are tried on a source, the newest first.
const CANDIDATES: usize = 64;

/// Packets of a source that are tried since new keys came. A capture that starts late in a call needs some until the
/// rollover counter is found.
const TRIALS: u32 = 256;

/// Contexts of one source that are kept: its keys may change.
const CONTEXTS: usize = 4;

/// Why a packet is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unopened {
    /// There are no keys at all.
    NoKeys,
    /// The capture has only its start: the tag is missing.
    Cut,
    /// Under no key that was tried does its tag match.
    NoKeyFits,
}

/// What opens the packets of one source on one path.
pub(super) struct Source {
    ssrc: u32,
    path: (SocketAddr, SocketAddr),
    /// What opened packets, the last one first. The counter goes on when keys change (RFC 3711 section 3.3.1).
    contexts: Vec<Context>,
    rollover: Rollover,
    /// What may, with a counter for each as long as none has.
    candidates: Vec<(Context, Rollover)>,
    learned: usize,
    trials: u32,
}

impl Source {
    pub(super) fn new(key: FlowKey, direction: usize, ssrc: u32) -> Self {
        let [from, to] = [key.source(direction), key.destination(direction)];
        let address = |end: crate::wire::Endpoint| SocketAddr::new(end.ip(), end.port());
        Self {
            ssrc,
            path: (address(from), address(to)),
            contexts: Vec::new(),
            rollover: Rollover::default(),
            candidates: Vec::new(),
            learned: 0,
            trials: 0,
        }
    }

    /// Opens `packet` into `plaintext`.
    pub(super) fn open(&mut self, packet: &[u8], keys: &Keyring, plaintext: &mut Vec<u8>) -> Result<(), Unopened> {
        for place in 0..self.contexts.len() {
            let Some(context) = self.contexts.get_mut(place) else { break };
            if let Ok(authentic) = self.rollover.authenticate(context, packet) {
                context.open(&authentic, &Wanted::ALL, plaintext);
                self.contexts.swap(0, place);
                return Ok(());
            }
        }
        self.try_candidates(packet, keys, plaintext)
    }

    fn try_candidates(&mut self, packet: &[u8], keys: &Keyring, plaintext: &mut Vec<u8>) -> Result<(), Unopened> {
        if self.learned != keys.learned() {
            (self.learned, self.trials) = (keys.learned(), TRIALS);
            self.candidates = self.candidates(keys);
        }
        if self.trials == 0 {
            self.candidates.clear();
            return Err(Unopened::NoKeyFits);
        }
        self.trials -= 1;
        for place in 0..self.candidates.len() {
            let Some((context, rollover)) = self.candidates.get_mut(place) else { break };
            if let Ok(authentic) = rollover.authenticate(context, packet) {
                context.open(&authentic, &Wanted::ALL, plaintext);
                let (context, rollover) = self.candidates.swap_remove(place);
                self.rollover = rollover;
                self.contexts.truncate(CONTEXTS - 1);
                self.contexts.insert(0, context);
                return Ok(());
            }
        }
        Err(Unopened::NoKeyFits)
    }

    /// What may protect the source. What proves nothing, having no tag, comes last.
    fn candidates(&self, keys: &Keyring) -> Vec<(Context, Rollover)> {
        let fits = |scope: &Scope| scope.path.is_none_or(|path| path == self.path);
        let keyrings = keys.newest(CANDIDATES);
        let fitting = keyrings.iter().filter(|key| match &***key {
            Key::Association(_) => true,
            Key::Srtp(given) => fits(&given.scope),
        });
        let mut keyings: Vec<Keying> = fitting.flat_map(|key| keyings(key, self.ssrc)).collect();
        keyings.sort_by_key(|keying| !keying.protection().authenticates_rtp);
        keyings.iter().map(|keying| (Context::new(keying), self.rollover)).collect()
    }
}
