//! SRTP and SRTCP of one flow, checked and opened with the keys that its shard has.
//!
//! All SRTCP is opened. Of SRTP the tags are checked: all of a stream's first packets, then some, since a tag costs more
//! than all else that is done with a packet.

use crate::{
    crypto::srtp::{Context, Keying, Profile, Rollover},
    flow::keyring::{Key, Keyring},
    time::{PacketId, Timestamp},
    wire::rtcp::Srtcp,
};

/// Contexts that are kept of one direction: streams of one flow may have keys of their own.
const CONTEXTS: usize = 8;

/// Keys that are tried on one packet, the newest first; and contexts that are tried before new keys come.
const CANDIDATES: usize = 64;
const TRIALS: u32 = 1024;

/// Contexts that are tried in vain altogether: where the path had its own handshake, and where it had none.
const OWN_TRIALS: u32 = 512;
const ALL_TRIALS: u32 = 4096;

/// SRTCP datagrams of one direction that the secrets of associations are tried on whose hellos were not seen.
const GUESSED: u32 = 4;

/// So many packets of a stream are all checked, and one in so many behind them.
const ALL: u64 = 64;
const EVERY: u64 = 32;

/// SRTCP datagrams that wait for a key, and bytes of each.
const WAITING: usize = 32;
const WAITING_BYTES: usize = 1500;

/// What opens the packets of a flow.
#[derive(Default)]
pub struct Srtp {
    sides: [Side; 2],
    /// The random of the ClientHello on the same path, whose association most likely has the key.
    own: Option<[u8; 32]>,
    /// By the stream's place among the flow's.
    streams: Vec<Checked>,
    rtcp_failures: u64,
    plaintext: Vec<u8>,
    /// SRTCP that came before its key, and how many keys there were when it was last tried.
    waiting: Vec<Waiting>,
    tried: usize,
}

/// An SRTCP datagram that no key opened yet: its sender's description may be on its way.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What is in clear of it.
    pub srtcp: Srtcp,
    /// The direction in its flow.
    pub direction: usize,
    /// When it came, and which packet it is.
    pub at: (Timestamp, PacketId),
    /// All of it.
    pub bytes: Box<[u8]>,
}

/// What was found in a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Packets whose tag was checked, and those of them that are authentic.
    pub checked: u64,
    /// See `checked`.
    pub authentic: u64,
    /// The first packet that is not, of streams with others that are.
    pub first_failure: Option<PacketId>,
    /// SRTCP datagrams that no key opened.
    pub rtcp_failures: u64,
    /// Profiles of what was authentic, by name.
    pub profiles: Vec<&'static str>,
}

/// One direction.
#[derive(Default)]
struct Side {
    /// What opened packets.
    contexts: Vec<(Profile, Context)>,
    /// The one that opened the last SRTCP.
    last: usize,
    trials: u32,
    /// Contexts that were tried in vain, whatever keys came meanwhile.
    spent: u32,
    learned: usize,
    /// Datagrams that guesses were tried on.
    guessed: u32,
}

/// Whether the secrets of associations are tried whose hellos were not seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guesses {
    Tried,
    /// Of RTP the rollover counter may be unknown too: SRTCP shows the key.
    LeftOut,
}

/// Where keys come from.
struct Sources<'a> {
    own: Option<[u8; 32]>,
    keys: &'a Keyring,
    guesses: Guesses,
}

/// One stream of SRTP.
#[derive(Clone, Debug, Default)]
struct Checked {
    packets: u64,
    checked: u64,
    authentic: u64,
    first_failure: Option<PacketId>,
    /// Packets before a key was known.
    early: u64,
    /// The place of the context that fits, and the state of the index.
    known: Option<(usize, Rollover)>,
}

impl std::fmt::Debug for Srtp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.record().fmt(formatter)
    }
}

impl Srtp {
    /// Tells the random of the ClientHello on the same path.
    pub const fn prefer(&mut self, client_random: [u8; 32]) {
        self.own = Some(client_random);
    }

    /// The plaintext of an SRTCP datagram of `ssrc` in `direction`, if a key authenticates it.
    pub fn open_rtcp(&mut self, direction: usize, ssrc: u32, datagram: &[u8], keys: &Keyring) -> Option<&[u8]> {
        let side = self.sides.get_mut(direction & 1)?;
        let plaintext = &mut self.plaintext;
        let mut opens = |context: &mut Context| context.open_rtcp(datagram, plaintext).is_ok().then_some(());
        let opened = match side.find(&mut opens) {
            Some((place, ())) => Some(place),
            None => side
                .try_keys(ssrc, &Sources { own: self.own, keys, guesses: Guesses::Tried }, &mut opens)
                .map(|(place, ())| place),
        };
        side.last = opened?;
        Some(&self.plaintext)
    }

    /// Lets a datagram wait that no key opened: whether there is room.
    pub fn wait(&mut self, waiting: Waiting) -> bool {
        let has_room = self.waiting.len() < WAITING && waiting.bytes.len() <= WAITING_BYTES;
        if has_room {
            self.waiting.push(waiting);
        } else {
            self.rtcp_failures += 1;
        }
        has_room
    }

    /// What waits, if keys were learned since it was tried last.
    pub fn take_waiting(&mut self, keys: &Keyring) -> Vec<Waiting> {
        let learned = keys.learned();
        if std::mem::replace(&mut self.tried, learned) == learned {
            return Vec::new();
        }
        std::mem::take(&mut self.waiting)
    }

    /// What waited in vain.
    pub fn end_waiting(&mut self) -> Vec<Waiting> {
        self.rtcp_failures += self.waiting.len() as u64;
        std::mem::take(&mut self.waiting)
    }

    /// Checks a packet of the stream at `index`, if it is one of those that are.
    pub fn check_rtp(&mut self, direction: usize, index: usize, packet: Rtp<'_>, keys: &Keyring) {
        if self.streams.len() <= index {
            self.streams.resize_with(index + 1, Checked::default);
        }
        let (Some(stream), Some(side)) = (self.streams.get_mut(index), self.sides.get_mut(direction & 1)) else {
            return;
        };
        stream.packets += 1;
        if stream.packets > ALL && !stream.packets.is_multiple_of(EVERY) {
            return;
        }
        let sources = Sources { own: self.own, keys, guesses: Guesses::LeftOut };
        if stream.is_authentic(packet.bytes, side) || stream.finds(packet, side, &sources) {
            stream.checked += 1;
            stream.authentic += 1;
        } else if stream.known.is_some() {
            stream.checked += 1;
            stream.first_failure.get_or_insert(packet.id);
        } else {
            stream.early += 1;
        }
    }

    /// What was found.
    #[must_use]
    pub fn record(&self) -> Record {
        let mut record = Record { rtcp_failures: self.rtcp_failures, ..Record::default() };
        for stream in &self.streams {
            // Those before the key came are no failures; where none came, all are.
            record.checked += if stream.authentic > 0 { stream.checked } else { stream.early };
            record.authentic += stream.authentic;
            record.first_failure = [record.first_failure, stream.first_failure].into_iter().flatten().min();
        }
        let profiles = self.sides.iter().flat_map(|side| side.contexts.iter().map(|(profile, _)| profile.name()));
        record.profiles = profiles.collect();
        record.profiles.sort_unstable();
        record.profiles.dedup();
        record
    }
}

/// A packet to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Rtp<'a> {
    /// Its stream.
    pub ssrc: u32,
    /// Which it is.
    pub id: PacketId,
    /// All of it.
    pub bytes: &'a [u8],
}

impl Checked {
    fn is_authentic(&mut self, packet: &[u8], side: &mut Side) -> bool {
        let Some((place, rollover)) = &mut self.known else { return false };
        let context = side.contexts.get_mut(*place);
        context.is_some_and(|(_, context)| rollover.authenticate(context, packet).is_ok())
    }

    /// Looks for another key: the first, or that of a new association.
    fn finds(&mut self, packet: Rtp<'_>, side: &mut Side, sources: &Sources<'_>) -> bool {
        let known = self.known.take();
        let start = known.map_or_else(Rollover::default, |(_, rollover)| rollover);
        let mut fits = |context: &mut Context| {
            let mut rollover = start;
            rollover.authenticate(context, packet.bytes).is_ok().then_some(rollover)
        };
        let found = side.find(&mut fits).or_else(|| side.try_keys(packet.ssrc, sources, &mut fits));
        let is_found = found.is_some();
        self.known = found.or(known);
        is_found
    }
}

impl Side {
    /// The place of the context for which `fits` gives something, and what it gives.
    fn find<T>(&mut self, fits: &mut impl FnMut(&mut Context) -> Option<T>) -> Option<(usize, T)> {
        let count = self.contexts.len();
        (0..count).map(|step| (self.last + step) % count).find_map(|place| {
            let (_, context) = self.contexts.get_mut(place)?;
            fits(context).map(|found| (place, found))
        })
    }

    /// The same of a context of a key that was not used yet, which is kept.
    fn try_keys<T>(
        &mut self,
        ssrc: u32,
        sources: &Sources<'_>,
        fits: &mut impl FnMut(&mut Context) -> Option<T>,
    ) -> Option<(usize, T)> {
        let Sources { own, keys, guesses } = *sources;
        let learned = keys.learned();
        if self.learned != learned {
            (self.learned, self.trials) = (learned, TRIALS);
        }
        // Each key that is learned is a reason to try again, but on how many flows?
        let most = if own.is_some() { OWN_TRIALS } else { ALL_TRIALS };
        if self.trials == 0 || self.spent >= most {
            return None;
        }
        let tries_guesses = guesses == Guesses::Tried && self.guessed < GUESSED;
        self.guessed += u32::from(tries_guesses);
        let own = own.and_then(|random| keys.association(&random));
        for key in own.into_iter().chain(keys.newest(CANDIDATES)) {
            if key.is_guess() && !tries_guesses {
                continue;
            }
            for keying in keyings(&key, ssrc) {
                self.trials = self.trials.saturating_sub(1);
                self.spent += 1;
                let mut context = Context::new(&keying);
                if let Some(found) = fits(&mut context) {
                    (self.trials, self.spent) = (TRIALS, 0);
                    return Some((self.keep(keying.protection().profile, context), found));
                }
            }
        }
        None
    }

    /// Keeps a context: its place. Where there are many, the last makes room.
    fn keep(&mut self, profile: Profile, context: Context) -> usize {
        self.contexts.truncate(CONTEXTS - 1);
        self.contexts.push((profile, context));
        self.contexts.len() - 1
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
