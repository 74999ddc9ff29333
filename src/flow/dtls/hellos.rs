//! The hellos of all DTLS associations of a capture, in the order of its packets, wherever they travel: in datagrams, in
//! STUN attributes, through TURN, in TCP. Keys go by what they say, and a call may need these on another path than the one
//! that they came on.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::{Choice, Dtls, Offer};
use crate::{
    crypto::keylog::KeyLog,
    flow::{datagram::Datagram, key::FlowKey, keyring::Established},
    wire::{
        channel::ChannelData,
        dtls::content_type,
        stun::{Message, kind},
    },
};

/// Paths that are watched at a time.
const PATHS: usize = 4096;

/// A flow, and what in it the records travel in: a channel, or a peer's address, hashed; 0 for neither.
type Path = (FlowKey, u64);

/// Hellos of all paths.
#[derive(Debug, Default)]
pub struct Hellos {
    paths: FxHashMap<Path, Watched>,
}

/// The hellos of one path.
#[derive(Debug, Default)]
struct Watched {
    dtls: Dtls,
    /// The randoms of the association that was told last.
    told: Option<([u8; 32], [u8; 32])>,
    /// Whether the log had no secrets of it.
    is_closed: bool,
}

impl Hellos {
    /// Takes a datagram of the flow `key`: the association whose ServerHello it brought, with its secrets if `log` has
    /// them.
    pub fn push(&mut self, key: FlowKey, datagram: &Datagram<'_>, log: &KeyLog) -> Option<Established> {
        match *datagram.bytes.first()? {
            content_type::HANDSHAKE => self.take((key, 0), datagram, log),
            0..=3 => self.take_stun(key, datagram, log),
            64..=79 => {
                let channel = ChannelData::parse(datagram.bytes, datagram.length).ok()?;
                let (bytes, length) = (channel.data, channel.length);
                self.take((key, u64::from(channel.number)), &Datagram { bytes, length, ..*datagram }, log)
            }
            _ => None,
        }
    }

    fn take_stun(&mut self, key: FlowKey, datagram: &Datagram<'_>, log: &KeyLog) -> Option<Established> {
        let message = Message::parse_captured(datagram.bytes, datagram.length).ok()?;
        let inner = |kind| {
            let attribute = message.attribute(kind)?;
            Some(Datagram { bytes: attribute.value, length: attribute.length, ..*datagram })
        };
        if let Some(carried) = inner(kind::DTLS_IN_STUN) {
            return self.take((key, 0), &carried, log);
        }
        let data = inner(kind::DATA)?;
        let peer = message.attribute(kind::XOR_PEER_ADDRESS).map_or(&[][..], |peer| peer.value);
        // Its bytes are few, and paths are told apart within one flow only.
        let peer = peer.iter().fold(1, |hash: u64, byte| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte));
        if data.bytes.first().is_some_and(|first| *first < 4) {
            let checks = Message::parse_captured(data.bytes, data.length).ok()?;
            let carried = checks.attribute(kind::DTLS_IN_STUN)?;
            let (bytes, length) = (carried.value, carried.length);
            return self.take((key, peer), &Datagram { bytes, length, ..data }, log);
        }
        self.take((key, peer), &data, log)
    }

    fn take(&mut self, path: Path, datagram: &Datagram<'_>, log: &KeyLog) -> Option<Established> {
        // Epoch 0: behind it nothing is a hello.
        if !matches!(datagram.bytes, [content_type::HANDSHAKE, _, _, 0, 0, ..]) {
            return None;
        }
        if self.paths.len() >= PATHS && !self.paths.contains_key(&path) {
            self.paths.clear();
        }
        let watched = self.paths.entry(path).or_default();
        let _ = watched.dtls.push(datagram);
        let (offer, choice) = watched.dtls.agreement()?;
        let randoms = (offer.random, choice.random);
        if watched.told == Some(randoms) {
            return None;
        }
        watched.told = Some(randoms);
        let established = established(offer, choice, log);
        watched.is_closed = established.secrets.is_none();
        Some(established)
    }

    /// The last associations of paths that were told without secrets, where a log that has grown now has them.
    pub fn opened(&mut self, log: &KeyLog) -> Vec<Established> {
        let closed = self.paths.values_mut().filter(|watched| watched.is_closed);
        let opened = closed.filter_map(|watched| {
            let (offer, choice) = watched.dtls.agreement()?;
            let established = established(offer, choice, log);
            watched.is_closed = established.secrets.is_none();
            (!watched.is_closed).then_some(established)
        });
        opened.collect()
    }
}

fn established(offer: &Offer, choice: &Choice, log: &KeyLog) -> Established {
    // Each end says what it wants to receive; both must.
    let ids = [choice.connection_id, offer.connection_id.filter(|_| choice.connection_id.is_some())];
    let chosen = choice.srtp_profile.map(|profile| vec![profile]);
    Established {
        client_random: offer.random,
        server_random: choice.random,
        version: choice.version,
        cipher_suite: choice.cipher_suite,
        encrypt_then_mac: choice.encrypt_then_mac,
        connection_ids: ids.map(|length| length.map_or(0, usize::from)),
        srtp_profiles: chosen.unwrap_or_else(|| offer.srtp_profiles.clone()),
        is_seen: true,
        secrets: log.secrets(&offer.random).cloned(),
        srtp: OnceLock::new(),
    }
}
