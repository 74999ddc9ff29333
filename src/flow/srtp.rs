//! SRTCP of one flow, opened with the keys that its shard has.

use crate::{
    crypto::srtp::{Context, Keying, Profile},
    flow::keyring::{Key, Keyring},
};

/// Contexts that are kept of one direction: streams of one flow may have keys of their own.
const CONTEXTS: usize = 8;

/// Keys that are tried on one datagram, the newest first; and contexts that are tried before new keys come.
const CANDIDATES: usize = 64;
const TRIALS: u32 = 1024;

/// What opens the SRTCP of a flow.
#[derive(Default)]
pub struct Srtp {
    sides: [Side; 2],
    plaintext: Vec<u8>,
}

/// One direction.
#[derive(Default)]
struct Side {
    /// What opened packets, the last one first.
    contexts: Vec<(Profile, Context)>,
    trials: u32,
    learned: usize,
}

impl std::fmt::Debug for Srtp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let contexts = self.sides.each_ref().map(|side| side.contexts.len());
        write!(formatter, "{contexts:?} contexts")
    }
}

impl Srtp {
    /// The plaintext of an SRTCP datagram of `ssrc` in `direction`, if a key authenticates it.
    pub fn open_rtcp(&mut self, direction: usize, ssrc: u32, datagram: &[u8], keys: &Keyring) -> Option<&[u8]> {
        let side = self.sides.get_mut(direction & 1)?;
        let plaintext = &mut self.plaintext;
        let known = side.contexts.iter_mut().position(|(_, context)| context.open_rtcp(datagram, plaintext).is_ok());
        match known {
            Some(place) => side.contexts.swap(0, place),
            None => side.try_keys(ssrc, datagram, plaintext, keys)?,
        }
        Some(plaintext)
    }

    /// The profiles of what was opened.
    pub fn profiles(&self) -> impl Iterator<Item = Profile> + '_ {
        self.sides.iter().flat_map(|side| side.contexts.iter().map(|(profile, _)| *profile))
    }
}

impl Side {
    fn try_keys(&mut self, ssrc: u32, datagram: &[u8], plaintext: &mut Vec<u8>, keys: &Keyring) -> Option<()> {
        let learned = keys.learned();
        if self.learned != learned {
            (self.learned, self.trials) = (learned, TRIALS);
        }
        if self.trials == 0 {
            return None;
        }
        for key in keys.newest(CANDIDATES) {
            for keying in keyings(&key, ssrc) {
                self.trials = self.trials.saturating_sub(1);
                let mut context = Context::new(&keying);
                if context.open_rtcp(datagram, plaintext).is_ok() {
                    self.contexts.truncate(CONTEXTS - 1);
                    self.contexts.insert(0, (keying.protection().profile, context));
                    self.trials = TRIALS;
                    return Some(());
                }
            }
        }
        None
    }
}

/// What may protect the packets of `ssrc` by one key.
pub(super) fn keyings(key: &Key, ssrc: u32) -> Vec<Keying> {
    let keyings: Vec<Keying> = match key {
        Key::Association(established) => established.srtp().iter().flatten().cloned().collect(),
        Key::Srtp(given) if given.scope.ssrc.is_none_or(|of| of == ssrc) => given.candidates.clone(),
        Key::Srtp(_) => Vec::new(),
    };
    let short = |keying: &Keying| keying.protection().profile.has_short_tag();
    let short_tags: Vec<_> =
        keyings.iter().filter(|keying| short(keying)).cloned().map(|keying| keying.with_rtcp_tag_length(4)).collect();
    let unnamed: Vec<_> = keyings.iter().filter(|keying| keying.has_mki()).cloned().map(Keying::without_mki).collect();
    keyings.into_iter().chain(short_tags).chain(unnamed).collect()
}
