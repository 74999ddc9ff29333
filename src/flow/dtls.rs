//! The DTLS associations of a flow: which handshakes there were, what they agreed on, and where those stopped that did
//! not finish. Records come in datagrams, or in STUN attributes (SPED, draft-hancke-webrtc-sped).
//!
//! A flow may hold several associations, one after the other. A ClientHello with a new random opens the next, unless it
//! answers a cookie. Ciphertext names no association: it counts for the last.

mod association;
mod certificate;
mod duplicates;
mod encrypted_flight;
mod finished;
mod halves;
mod hello;
mod hellos;
mod in_stun;
mod opened;
mod reassembly;
mod record;

use std::collections::BTreeMap;

use association::{Association, Seen};
pub use certificate::fingerprint_and_contents;
use duplicates::Duplicates;
pub use hellos::Hellos;
pub use in_stun::Acknowledgements;
use in_stun::InStun;
pub use record::{
    Alert, Certificate, CertificateContents, Choice, Direction, Flight, Hashes, Message, Offer, Opening, Record, Stop,
};

use crate::{
    flow::{
        datagram::Datagram,
        keyring::Keyring,
        sctp::{SctpRecord, Step},
    },
    time::Timestamp,
    wire::{
        Kind, Malformed,
        dtls::{
            self, Header, content_type,
            handshake::{Handshake, handshake_type},
        },
        rtcp::Tags,
        stun,
    },
};

/// Associations of a flow that are kept. Where there are more, the last takes the last place.
pub const ASSOCIATIONS: usize = 16;

/// Record content types that are counted; 0 is the ciphertext of DTLS 1.3.
const CONTENT_TYPES: [u8; 8] = [
    0,
    content_type::CHANGE_CIPHER_SPEC,
    content_type::ALERT,
    content_type::HANDSHAKE,
    content_type::APPLICATION_DATA,
    content_type::HEARTBEAT,
    content_type::TLS12_CID,
    content_type::ACK,
];

/// How records came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// As a datagram.
    Datagram,
    /// In a STUN attribute.
    Stun,
}

/// The DTLS of one flow.
#[derive(Debug, Default)]
pub struct Dtls {
    associations: Vec<Association>,
    replaced: u64,
    records: [u64; CONTENT_TYPES.len()],
    /// Ciphertext of DTLS 1.3 in a flow that is not known to be DTLS: datagrams, and what they would be.
    suspects: u64,
    suspected: Option<Box<Association>>,
    /// What STUN carries and acknowledges, once it does.
    in_stun: Option<Box<InStun>>,
    duplicates: Duplicates,
    keyring: Keyring,
}

/// What is known of the DTLS of a flow at the end.
#[derive(Debug, Default)]
pub struct Summary {
    /// The associations, in order.
    pub associations: Vec<Record>,
    /// Associations that others took the place of.
    pub replaced: u64,
    /// Records in datagrams by content type; 0 stands for the ciphertext of DTLS 1.3.
    pub records: BTreeMap<u8, u64>,
    /// Datagrams that are DTLS only now that the flow is known.
    pub suspects: u64,
    /// The SCTP inside, where it was opened.
    pub sctp: Option<Box<SctpRecord>>,
    /// What each direction acknowledged in STUN.
    pub acknowledgements: [Acknowledgements; 2],
}

impl Dtls {
    /// With the keys of the shard, which may come later.
    #[must_use]
    pub fn with_keys(keyring: &Keyring) -> Self {
        Self { keyring: keyring.clone(), ..Self::default() }
    }

    /// Takes the records of a datagram. Gives the first that cannot be read.
    pub fn push(&mut self, datagram: &Datagram<'_>) -> Option<Malformed> {
        self.take(datagram, Carrier::Datagram)
    }

    /// Takes what a STUN message carries and acknowledges: whether it carried DTLS.
    pub fn push_stun(&mut self, message: &stun::Message<'_>, datagram: &Datagram<'_>) -> bool {
        let in_stun = self.in_stun.get_or_insert_default();
        if let Some(acknowledgement) = message.attribute(stun::kind::DTLS_IN_STUN_ACKNOWLEDGEMENT) {
            in_stun.acknowledged(Seen::of(datagram).direction, acknowledgement.value);
        }
        let Some(attribute) = message.attribute(stun::kind::DTLS_IN_STUN) else { return false };
        let (bytes, length) = (attribute.value, attribute.length);
        let is_dtls = dtls::looks_like_dtls(bytes, length);
        if is_dtls {
            self.take(&Datagram { bytes, length, ..*datagram }, Carrier::Stun);
        }
        is_dtls
    }

    /// What the hellos of the last association say, once both were seen.
    fn agreement(&self) -> Option<(&Offer, &Choice)> {
        self.associations.last().and_then(Association::agreement)
    }

    /// The random of the last association's ClientHello, once its ServerHello was seen.
    #[must_use]
    pub fn client_random(&self) -> Option<[u8; 32]> {
        self.agreement().map(|(offer, _)| offer.random)
    }

    /// The tags that SRTCP beside it ends in: by the profile that was chosen, or by those offered where DTLS 1.3 hides the
    /// choice.
    #[must_use]
    pub fn srtcp_tags(&self) -> Tags {
        self.associations.last().map(Association::srtcp_tags).unwrap_or_default()
    }

    /// Whether its last handshake came to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.associations.last().is_some_and(Association::is_finished)
    }

    /// When the last application data came.
    #[must_use]
    pub fn last_data(&self) -> Option<Timestamp> {
        self.associations.last().and_then(Association::last_data)
    }

    /// Whether a datagram begins with the first ClientHello of an association that is not here: its random is new, and its
    /// number 0.
    #[must_use]
    pub fn is_begun_anew(&self, datagram: &Datagram<'_>) -> bool {
        let direction = Seen::of(datagram).direction;
        let mut records = dtls::records(datagram.bytes, datagram.length).flatten();
        let Some(record) = records.next().filter(|record| record.is_clear()) else { return false };
        if record.content_type() != Some(content_type::HANDSHAKE) {
            return false;
        }
        record.handshakes().flatten().next().is_some_and(|handshake| {
            let is_new = |random: &[u8; 32]| !self.associations.iter().any(|known| known.is_of(random, direction));
            handshake.message_type == handshake_type::CLIENT_HELLO
                && handshake.sequence == 0
                && handshake.random().is_some_and(is_new)
        })
    }

    /// Takes a datagram that has the form of DTLS 1.3 ciphertext in a flow that nothing else shows to be DTLS. Whether keys
    /// show it.
    pub fn suspect(&mut self, datagram: &Datagram<'_>) -> bool {
        self.suspects += 1;
        let seen = Seen::of(datagram);
        let association = self.suspected.get_or_insert_default();
        for record in dtls::records(datagram.bytes, datagram.length).flatten() {
            association.ciphertext(&record, seen);
            if !self.keyring.is_empty() {
                association.open(&record, seen, &self.keyring);
            }
        }
        if !association.is_opened() {
            return false;
        }
        self.associations.extend(self.suspected.take().map(|association| *association));
        true
    }

    /// Ends it. `confirmed` is whether the rest of the flow shows that what was suspected is DTLS.
    #[must_use]
    pub fn finish(self, confirmed: bool) -> Summary {
        let suspects = if confirmed { self.suspects } else { 0 };
        let mut records: BTreeMap<u8, u64> =
            CONTENT_TYPES.into_iter().zip(self.records).filter(|(_, count)| *count > 0).collect();
        if suspects > 0 {
            *records.entry(0).or_default() += suspects;
        }
        let suspected = self.suspected.filter(|_| confirmed).map(|association| *association);
        let mut sctp = None;
        let finish = |association: Association| {
            let (record, inside) = association.finish();
            sctp = sctp.take().or(inside);
            record
        };
        let associations = suspected.into_iter().chain(self.associations).map(finish).collect();
        let acknowledgements = self.in_stun.map(|in_stun| in_stun.acknowledgements()).unwrap_or_default();
        Summary { associations, replaced: self.replaced, records, suspects, sctp, acknowledgements }
    }

    fn take(&mut self, datagram: &Datagram<'_>, carrier: Carrier) -> Option<Malformed> {
        let seen = Seen::of(datagram);
        let mut counted = None;
        // STUN carries a datagram until it is acknowledged; DTLS sends again under new record numbers.
        let again = !datagram.is_snapped()
            && self.in_stun.as_mut().is_some_and(|in_stun| in_stun.sent(seen.direction, datagram.bytes));
        for record in dtls::records(datagram.bytes, datagram.length) {
            let record = match record {
                Ok(record) => record,
                Err(fault) => return (fault.kind != Kind::Snapped).then_some(fault),
            };
            if carrier == Carrier::Datagram {
                self.count(record.header);
            }
            let again = again || self.duplicates.is_again(&record, seen.direction);
            let place = match record.is_clear() {
                _ if again => self.associations.len().checked_sub(1),
                true => self.clear(&record, seen),
                false => self.ciphertext(&record, seen),
            };
            if let Some(place) = place.filter(|place| counted != Some(*place)) {
                counted = Some(place);
                self.count_carrier(place, carrier);
            }
        }
        None
    }

    #[inline]
    fn count(&mut self, header: Header) {
        let index = match header {
            Header::Plain { content_type, .. } => usize::from(content_type.wrapping_sub(19)),
            Header::Unified { .. } => 0,
        };
        if let Some(count) = self.records.get_mut(index) {
            *count += 1;
        }
    }

    fn count_carrier(&mut self, place: usize, carrier: Carrier) {
        if let Some(association) = self.associations.get_mut(place) {
            association.count_carrier(carrier == Carrier::Stun);
        }
    }

    /// A record that belongs to the last association, whatever it holds.
    #[inline]
    fn ciphertext(&mut self, record: &dtls::Record<'_>, seen: Seen) -> Option<usize> {
        if self.associations.is_empty() {
            self.open();
        }
        let association = self.associations.last_mut()?;
        association.ciphertext(record, seen);
        if !self.keyring.is_empty() {
            association.open(record, seen, &self.keyring);
        }
        self.associations.len().checked_sub(1)
    }

    fn clear(&mut self, record: &dtls::Record<'_>, seen: Seen) -> Option<usize> {
        let mut place = self.associations.len().checked_sub(1);
        if record.content_type() == Some(content_type::HANDSHAKE) {
            for handshake in record.handshakes().flatten() {
                let index = self.place_of(&handshake, seen.direction);
                self.associations.get_mut(index)?.handshake(&handshake, seen);
                place = Some(index);
            }
            if record.is_cut() && record.handshakes().flatten().next().is_none() {
                return self.cut_handshake(record, seen);
            }
            return place;
        }
        if self.associations.is_empty() {
            self.open();
            place = Some(0);
        }
        self.associations.last_mut()?.clear(record, seen);
        place
    }

    fn cut_handshake(&mut self, record: &dtls::Record<'_>, seen: Seen) -> Option<usize> {
        if self.associations.is_empty() {
            self.open();
        }
        self.associations.last_mut()?.cut_handshake(record.content, seen);
        self.associations.len().checked_sub(1)
    }

    /// The association that a handshake message belongs to; opened where there is none.
    fn place_of(&mut self, handshake: &Handshake<'_>, direction: u8) -> usize {
        let last = self.associations.len().saturating_sub(1);
        let is_hello = handshake.message_type == handshake_type::CLIENT_HELLO;
        if is_hello && let Some(random) = handshake.random() {
            let known = self.associations.iter().rposition(|known| known.is_of(random, direction));
            if let Some(known) = known {
                return known;
            }
        }
        match self.associations.last() {
            Some(current) if !is_hello || current.takes_hello(handshake, direction) => last,
            _ => self.open(),
        }
    }

    fn open(&mut self) -> usize {
        if let Some(last) = self.associations.last_mut() {
            last.close();
        }
        if self.associations.len() >= ASSOCIATIONS {
            self.associations.pop();
            self.replaced += 1;
        }
        self.associations.push(Association::default());
        self.associations.len().saturating_sub(1)
    }
}

impl Seen {
    const fn of(datagram: &Datagram<'_>) -> Self {
        Self { direction: (datagram.direction & 1) as u8, at: Step { time: datagram.time, packet: datagram.id } }
    }
}

/// The CRC-32 that names a datagram or a record.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests;
