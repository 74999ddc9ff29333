//! What is known of a DTLS association at the end: owned, in integers.

use crate::{
    crypto::tls::Failure,
    flow::{keyring::Closed, sctp::Step},
    sdp::HashFunction,
    time::{NANOS_PER_SECOND, Timestamp},
    wire::dtls::{handshake::handshake_type::CLIENT_HELLO, version},
};

/// One DTLS association of a flow: one handshake and what it protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// First and last of its handshake in clear, alerts, and the first of its ciphertext.
    pub first: Option<Step>,
    /// Direction of the client, as far as any message told.
    pub client: Option<u8>,
    /// Whether both ends sent a ClientHello: both took the active role, or both offers stood.
    pub both_active: bool,
    /// The ClientHello, the last where a cookie made the client send another.
    pub offer: Option<Offer>,
    /// The ServerHello.
    pub choice: Option<Choice>,
    /// HelloVerifyRequest (RFC 6347 section 4.2.1) and HelloRetryRequest (RFC 8446 section 4.1.4) messages.
    pub cookie_rounds: u32,
    /// Certificates in clear: DTLS 1.2 and before. Capped.
    pub certificates: Vec<Certificate>,
    /// Handshake messages in clear, in the order of their first fragment. Capped.
    pub messages: Vec<Message>,
    /// Flights, alerts and certificates beyond their caps.
    pub omitted: u64,
    /// Fragments of messages beyond the cap.
    pub messages_refused: u64,
    /// Handshake records in clear of which the capture has too little to tell the message.
    pub cut_handshakes: u64,
    /// The first of them that starts as a ClientHello does.
    pub cut_hello: Option<Step>,
    /// Flights in the order of their first message, encrypted ones too. Capped.
    pub flights: Vec<Flight>,
    /// What the two directions sent.
    pub directions: [Direction; 2],
    /// Alerts in clear. Capped.
    pub alerts: Vec<Alert>,
    /// Datagrams that held its records.
    pub datagrams: u64,
    /// STUN attributes that held its records (DTLS-IN-STUN, 0xC070).
    pub in_stun: u64,
    /// When the handshake was over, as far as the tap can know; see [`Record::is_finished`].
    pub finish: Option<Step>,
    /// How far its ciphertext was opened; `None` where no keys were given.
    pub opening: Option<Opening>,
    /// Whether the last Finished is not in the capture, lost before the tap or cut: `finish` is then when data of both
    /// ends had proved it.
    pub is_finish_unseen: bool,
}

/// What one direction sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// First ChangeCipherSpec.
    pub change_cipher_spec: Option<Step>,
    /// First encrypted record, whatever it held.
    pub first_encrypted: Option<Step>,
    /// First encrypted record of the handshake: Finished (DTLS 1.2), or a record of epoch 2 (DTLS 1.3).
    pub encrypted_handshake: Option<Step>,
    /// Encrypted records of the handshake.
    pub encrypted_handshakes: u64,
    /// Times its encrypted flight of the handshake came again (DTLS 1.3), or its Finished (DTLS 1.2).
    pub encrypted_retransmissions: u64,
    /// First record of application data: content type 23, or of an epoch after 2 in DTLS 1.3, where acknowledgements
    /// and key updates cannot be told from it.
    pub first_application_data: Option<Step>,
    /// The last record of application data.
    pub last_application_data: Option<Step>,
    /// Records of application data.
    pub application_data: u64,
    /// Bytes of ciphertext in them.
    pub application_bytes: u64,
    /// First encrypted alert. DTLS 1.2: after the handshake most often close_notify. DTLS 1.3, which hides them: what is
    /// as long as one, answers the server's flight, and was followed by nothing. An ACK of nothing looks the same.
    pub encrypted_alert: Option<Step>,
    /// Encrypted alerts.
    pub encrypted_alerts: u64,
    /// ACK records in clear (RFC 9147 section 7).
    pub acknowledgements: u64,
    /// Records with a connection id (RFC 9146, RFC 9147).
    pub with_connection_id: u64,
}

/// A ClientHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Its random, by which key logs name the association.
    pub random: [u8; 32],
    /// The session id; not empty where it would resume a session.
    pub session_id: Vec<u8>,
    /// `legacy_version`.
    pub version: u16,
    /// Whether all of it was captured; what follows here is empty otherwise.
    pub complete: bool,
    /// `supported_versions`; empty before DTLS 1.3.
    pub versions: Vec<u16>,
    /// Cipher suites, best first.
    pub cipher_suites: Vec<u16>,
    /// Groups, best first.
    pub groups: Vec<u16>,
    /// Groups of the key shares.
    pub key_shares: Vec<u16>,
    /// Signature schemes, best first.
    pub signature_algorithms: Vec<u16>,
    /// SRTP protection profiles, best first.
    pub srtp_profiles: Vec<u16>,
    /// Application protocols, best first.
    pub application_protocols: Vec<String>,
    /// Host name asked for.
    pub server_name: Option<String>,
    /// Whether it offers the extended master secret (RFC 7627).
    pub extended_master_secret: bool,
    /// Bytes of the connection id it wants to receive; 0 where it only would send one.
    pub connection_id: Option<u8>,
    /// Whether it holds a cookie.
    pub cookie: bool,
}

/// A ServerHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Its random.
    pub random: [u8; 32],
    /// The session id.
    pub session_id: Vec<u8>,
    /// The version chosen.
    pub version: u16,
    /// The cipher suite chosen.
    pub cipher_suite: u16,
    /// The group: of the key share (DTLS 1.3), or of ServerKeyExchange.
    pub group: Option<u16>,
    /// The signature scheme of ServerKeyExchange (DTLS 1.2).
    pub signature_algorithm: Option<u16>,
    /// The SRTP protection profile; encrypted in DTLS 1.3.
    pub srtp_profile: Option<u16>,
    /// The application protocol; encrypted in DTLS 1.3.
    pub application_protocol: Option<String>,
    /// Whether the extended master secret is used (RFC 7627).
    pub extended_master_secret: bool,
    /// Whether records with CBC are encrypted before their MAC is made (RFC 7366).
    pub encrypt_then_mac: bool,
    /// Bytes of the connection id it wants to receive.
    pub connection_id: Option<u8>,
}

/// How far the ciphertext of an association was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Why none was, as far as the keys tell.
    pub closed: Option<Closed>,
    /// Records opened, by direction: each is authentic.
    pub records: [u64; 2],
    /// Records that were not, by direction.
    pub failures: [u64; 2],
    /// The first of those: why, and where.
    pub first_failure: Option<(Failure, Step)>,
    /// The SRTP profile that encrypted extensions chose.
    pub srtp_profile: Option<u16>,
    /// Records of application data that hold no SCTP.
    pub other_data: u64,
    /// The direction of the client and the random of its hello, where the hellos took another path.
    pub client: Option<u8>,
    /// See `client`.
    pub client_random: Option<[u8; 32]>,
}

impl Opening {
    /// Exchanges the directions.
    pub(super) fn turn(&mut self) {
        self.records.reverse();
        self.failures.reverse();
        self.client = self.client.map(|client| client ^ 1);
    }

    /// Adds what was opened of the same association on another path.
    pub(super) fn add(&mut self, other: &Self) {
        let sides = self.records.iter_mut().zip(&other.records).chain(self.failures.iter_mut().zip(&other.failures));
        sides.for_each(|(sum, count)| *sum += count);
        self.other_data += other.other_data;
        self.closed = self.closed.filter(|_| other.closed.is_some());
        self.first_failure = self.first_failure.or(other.first_failure);
        self.srtp_profile = self.srtp_profile.or(other.srtp_profile);
    }
}

/// A certificate in clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Who sent it.
    pub direction: u8,
    /// The packet that completed the message.
    pub at: Option<Step>,
    /// SHA-256 of its DER: what `a=fingerprint` promises (RFC 8122 section 5).
    pub fingerprint: [u8; 32],
    /// Its hashes by other functions.
    pub hashes: Option<Box<Hashes>>,
    /// What could be read of it; `None` where it is no X.509.
    pub contents: Option<CertificateContents>,
}

/// Hashes of a certificate's DER that `a=fingerprint` may have instead of SHA-256 (RFC 8122 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// SHA-1.
    pub sha1: [u8; 20],
    /// SHA-224.
    pub sha224: [u8; 28],
    /// SHA-384.
    pub sha384: [u8; 48],
    /// SHA-512.
    pub sha512: [u8; 64],
}

impl Certificate {
    /// Its hash by one function.
    #[must_use]
    pub fn hash(&self, function: HashFunction) -> Option<&[u8]> {
        let hashes = self.hashes.as_deref();
        Some(match function {
            HashFunction::Sha256 => &self.fingerprint,
            HashFunction::Sha1 => &hashes?.sha1,
            HashFunction::Sha224 => &hashes?.sha224,
            HashFunction::Sha384 => &hashes?.sha384,
            HashFunction::Sha512 => &hashes?.sha512,
        })
    }
}

/// What a certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateContents {
    /// Kind of its key: `RSA`, `EC`, `Ed25519` ...
    pub key_type: &'static str,
    /// Size of its key in bits, where it has one.
    pub key_bits: Option<u32>,
    /// Common name of its subject, or the whole name where it has none.
    pub subject: String,
    /// Common name of its issuer, or the whole name where it has none.
    pub issuer: String,
    /// Valid from: seconds since 1970.
    pub not_before: i64,
    /// Valid until: seconds since 1970.
    pub not_after: i64,
    /// Whether issuer and subject are the same name. The signature is not checked.
    pub self_signed: bool,
}

/// A handshake message in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sent it.
    pub direction: u8,
    /// Its type: [`crate::wire::dtls::handshake::handshake_type`].
    pub kind: u8,
    /// `message_seq`.
    pub sequence: u16,
    /// Bytes of its body.
    pub length: u32,
    /// Whether this ServerHello asks for another ClientHello.
    pub is_retry_request: bool,
    /// The flight it belongs to, counted from 1.
    pub flight: u16,
    /// First fragment.
    pub first: Step,
    /// The fragment with which all bytes had been seen.
    pub complete: Option<Step>,
    /// Times it was sent again: what was seen before was seen once more.
    pub retransmissions: u32,
    /// When the first of them came. Capped.
    pub sent_again: Vec<Timestamp>,
    /// Last fragment.
    pub last: Step,
    /// Fragments, those of retransmissions included.
    pub fragments: u32,
    /// Bytes never seen, as (from, to). Lost before the tap, or never sent.
    pub missing: Vec<(u32, u32)>,
}

/// Messages that one end sends together (RFC 6347 section 4.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Who sent it.
    pub direction: u8,
    /// Its first message.
    pub first: Step,
    /// Its last message, retransmissions left out.
    pub last: Step,
}

/// An alert in clear (RFC 8446 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who sent it.
    pub direction: u8,
    /// 1 warning, 2 fatal.
    pub level: u8,
    /// Its description.
    pub description: u8,
    /// When and where.
    pub at: Step,
}

/// Where a handshake that did not finish stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Type of the last message, whole or not; `None` where the last was encrypted.
    pub message: Option<u8>,
    /// Who sent it.
    pub sender: u8,
    /// How often it was sent.
    pub times: u32,
    /// Bytes of it, or of a message of the same flight, that were never seen: the type and (from, to).
    pub missing: Option<(u8, u32, u32)>,
    /// Whether the other end never sent anything at all.
    pub never_answered: bool,
    /// When it was last sent.
    pub last: Step,
    /// Whether the other end went on sending its ClientHello though it was answered.
    pub answers_lost: bool,
    /// The first alert behind the cipher, and who sent it.
    pub encrypted_alert: Option<(u8, Step)>,
}

impl Record {
    /// Each side's own certificate: the first of its chain (RFC 5246 section 7.4.2).
    pub fn leaves(&self) -> impl Iterator<Item = &Certificate> {
        let first =
            |direction: u8| self.certificates.iter().find(move |certificate| certificate.direction == direction);
        [first(0), first(1)].into_iter().flatten()
    }

    /// Whether the handshake came to its end. DTLS 1.2: both ends sent their Finished. DTLS 1.3: the client's encrypted
    /// flight followed the server's and something of epoch 3 followed. What the ends made of it is encrypted.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether it secures a call: its client offers SRTP (RFC 5764) or the protocols of RFC 8833.
    #[must_use]
    pub fn is_of_call(&self) -> bool {
        self.offer.as_ref().is_some_and(|offer| {
            let is_webrtc = |name: &String| matches!(name.as_str(), "webrtc" | "c-webrtc");
            !offer.srtp_profiles.is_empty() || offer.application_protocols.iter().any(is_webrtc)
        })
    }

    /// The SRTP profile that was chosen; all that were offered where DTLS 1.3 hides the choice and no key opens it, none
    /// before a choice.
    #[must_use]
    pub fn srtp_profiles(&self) -> &[u16] {
        match (&self.choice, &self.offer) {
            (Some(choice), Some(offer)) if choice.version == version::DTLS_1_3 && choice.srtp_profile.is_none() => {
                &offer.srtp_profiles
            }
            (Some(choice), _) => choice.srtp_profile.as_slice(),
            (None, _) => &[],
        }
    }

    /// Whether the capture has anything of its handshake.
    #[must_use]
    pub fn is_started(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Whether its handshake passed the tap, be it too short in the capture to be read.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.is_started() || self.cut_handshakes > 0
    }

    /// Whether both ends sent ciphertext: a handshake before the capture must have worked.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.directions.iter().all(|direction| direction.first_encrypted.is_some())
    }

    /// The version: the one chosen, or what the ciphertext of a capture that starts late shows.
    #[must_use]
    pub fn version(&self) -> Option<u16> {
        self.choice.as_ref().map(|choice| choice.version)
    }

    /// Whether it is known to be DTLS 1.3.
    #[must_use]
    pub fn is_1_3(&self) -> bool {
        self.version() == Some(version::DTLS_1_3)
    }

    /// The first fatal alert in clear. In DTLS 1.3 all alerts but those of a good end are (RFC 8446 section 6).
    #[must_use]
    pub fn fatal_alert(&self) -> Option<&Alert> {
        const CLOSE_NOTIFY: u8 = 0;
        const USER_CANCELED: u8 = 90;
        let harmless = |alert: &Alert| matches!(alert.description, CLOSE_NOTIFY | USER_CANCELED);
        self.alerts.iter().find(|alert| alert.level == 2 || self.is_1_3() && !harmless(alert))
    }

    /// Times that any handshake message in clear was sent again.
    #[must_use]
    pub fn retransmissions(&self) -> u64 {
        self.messages.iter().map(|message| u64::from(message.retransmissions)).sum()
    }

    /// Times that an encrypted flight of either end came again: of DTLS 1.2 its Finished.
    #[must_use]
    pub fn encrypted_retransmissions(&self) -> u64 {
        self.directions.iter().map(|direction| direction.encrypted_retransmissions).sum()
    }

    /// When its first ClientHello came.
    #[must_use]
    pub fn start(&self) -> Option<Step> {
        let hello = self.messages.iter().find(|message| message.kind == CLIENT_HELLO);
        hello.map(|message| message.first).or(self.cut_hello)
    }

    /// Where it stopped; `None` where it finished or never started.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        if self.is_finished() || self.messages.is_empty() {
            return None;
        }
        let encrypted = [0_u8, 1].into_iter().filter_map(|direction| {
            let side = self.directions.get(usize::from(direction))?;
            let first = side.encrypted_handshake.filter(|first| side.encrypted_alert.as_ref() != Some(first))?;
            Some((first, direction, None))
        });
        let clear = self.messages.iter().map(|message| (message.first, message.direction, Some(message)));
        let (last, sender, message) = encrypted.chain(clear).max_by_key(|(step, ..)| (step.time, step.packet))?;
        let flight = message.map(|message| message.flight);
        let torn = self.messages.iter().find(|known| Some(known.flight) == flight && !known.missing.is_empty());
        let missing = torn.and_then(|torn| torn.missing.first().map(|&(from, to)| (torn.kind, from, to)));
        let other = |direction: u8| direction != sender;
        let again = self.directions.get(usize::from(sender)).map_or(0, |side| side.encrypted_retransmissions);
        let again = message.map_or(u32::try_from(again).unwrap_or(u32::MAX), |message| message.retransmissions);
        let alerts = (0..).zip(&self.directions).filter_map(|(sender, side)| Some((sender, side.encrypted_alert?)));
        // Longer than any round trip.
        let repeats_hello = |message: &Message| {
            let is_hello = message.kind == CLIENT_HELLO && other(message.direction);
            is_hello && message.last.time.since(last.time) > NANOS_PER_SECOND
        };
        Some(Stop {
            message: message.map(|message| message.kind),
            sender,
            times: again.saturating_add(1),
            missing,
            never_answered: !self.messages.iter().any(|message| other(message.direction))
                && !self.alerts.iter().any(|alert| other(alert.direction)),
            last: message.map_or(last, |message| message.last),
            answers_lost: self.messages.iter().any(repeats_hello),
            encrypted_alert: alerts.min_by_key(|(_, step)| (step.time, step.packet)),
        })
    }
}
