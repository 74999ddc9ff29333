//! How a call was secured.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{PacketRef, StepStatus};

/// The securing step. Where a call has several DTLS associations, it tells of the first that failed, else of the last that
/// finished, or else of the last; `dtlsAssociations` tells of each.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Securing {
    /// Whether it was seen and worked.
    pub status: StepStatus,
    /// DTLS records of the call's flows.
    pub dtls: Option<DtlsCounts>,
    /// ZRTP messages of the call's flows (RFC 6189).
    pub zrtp_packets: u64,
    /// `1.2` or `1.3`; `1.0` where old software still speaks it.
    pub dtls_version: Option<String>,
    /// The same as W3C statistics write it: `FEFD`, `FEFC`.
    pub tls_version: Option<String>,
    /// The cipher suite's IANA name.
    pub dtls_cipher: Option<String>,
    /// The group of the key exchange.
    pub group: Option<String>,
    /// The signature scheme of the server's key exchange; `null` in DTLS 1.3, which encrypts it.
    pub signature_algorithm: Option<String>,
    /// The SRTP protection profile's IANA name. DTLS 1.3 encrypts it: there it is given where only one of those offered
    /// fits the tags of the SRTCP.
    pub srtp_profile: Option<String>,
    /// Whether that is how it is known.
    pub srtp_profile_inferred: bool,
    /// Keys in the descriptions, where the media have theirs from there.
    pub sdes: Option<Sdes>,
    /// The endpoint that was the DTLS client.
    pub client_role: Option<String>,
    /// Whether both endpoints sent a ClientHello.
    pub both_active: bool,
    /// The random of the ClientHello in hex, by which key logs name the association.
    pub client_random: Option<String>,
    /// Whether the extended master secret (RFC 7627) is used; `null` in DTLS 1.3, which has no need of it.
    pub extended_master_secret: Option<bool>,
    /// When the first ClientHello came, in seconds.
    pub start_time: Option<f64>,
    /// When the last Finished came that the tap can know of, in seconds: of DTLS 1.2 the later of both ends', of
    /// DTLS 1.3 the client's, if data of the next epoch followed. `null` where it was lost before the tap, or cut.
    pub finish_time: Option<f64>,
    /// Seconds from the first ClientHello to the last Finished that can be seen.
    pub handshake_duration: Option<f64>,
    /// Handshake messages sent again, of all associations.
    pub retransmissions: Option<u64>,
    /// Times an encrypted flight of the handshake came again, of all associations: of DTLS 1.2 a Finished.
    pub encrypted_retransmissions: Option<u64>,
    /// What the ends acknowledged in STUN, where it carried the handshake (DTLS-IN-STUN-ACKNOWLEDGEMENT).
    pub stun_acknowledgements: Vec<StunAcknowledgements>,
    /// Times the server asked for another ClientHello (HelloVerifyRequest, HelloRetryRequest).
    pub cookie_rounds: u32,
    /// Whether its handshake came in `datagrams` or in `stun` attributes.
    pub transport: Option<&'static str>,
    /// DTLS associations of the call.
    pub associations: u64,
    /// Each of them, by their first record: without BUNDLE every transport has one. An association that is seen at two
    /// places is there twice.
    pub dtls_associations: Vec<DtlsAssociation>,
    /// Associations beyond those listed.
    pub dtls_associations_omitted: u64,
    /// What the ClientHello offered.
    pub offered: Option<Offered>,
    /// Handshake messages in clear, by their first fragment.
    pub handshake_messages: Vec<HandshakeMessage>,
    /// Handshake records that the capture cut too short to tell their message.
    pub handshake_records_cut: u64,
    /// Flights, encrypted ones too (RFC 6347 section 4.2.4).
    pub flights: Vec<Flight>,
    /// Where the handshake stopped; `null` where it finished.
    pub stopped_at: Option<StoppedAt>,
    /// ACK records in clear (RFC 9147 section 7); those of the encrypted epochs cannot be told from data.
    pub acknowledgements: u64,
    /// Records that carry a connection id (RFC 9146, RFC 9147).
    pub records_with_connection_id: u64,
    /// Connection ids that were agreed on (RFC 9146, RFC 9147).
    pub connection_ids: Option<ConnectionIds>,
    /// Data that DTLS carried itself: SCTP of data channels.
    pub application_data: Vec<ApplicationData>,
    /// Alerts in clear, of all associations.
    pub alerts: Vec<Alert>,
    /// Alerts behind the cipher; at the end of a call they close it. DTLS 1.3 hides them: there only what ends a
    /// handshake and is as long as an alert is counted.
    pub encrypted_alerts: u64,
    /// Certificates in clear: of DTLS 1.2 and before, and those that keys opened.
    pub certificates: Vec<Certificate>,
    /// How far keys opened the call; `null` where there were none.
    pub decryption: Option<Decryption>,
}

/// How far keys opened a call. What is opened is authentic.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decryption {
    /// DTLS records opened.
    pub dtls_records: u64,
    /// DTLS records that were not, of associations with keys.
    pub dtls_failures: u64,
    /// SRTCP packets opened.
    pub srtcp_packets: u64,
    /// SRTCP packets that no key opened.
    pub srtcp_failures: u64,
    /// SRTP packets whose tag was checked: the first 64 of each stream, and one in 32 behind them.
    pub srtp_checked: u64,
    /// Those of them that are authentic.
    pub srtp_authentic: u64,
    /// The protection profiles of what is authentic, as SDES names them.
    pub profiles: Vec<&'static str>,
    /// Why the rest was not opened.
    pub failures: Vec<DecryptionFailure>,
}

/// Why something was not opened.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecryptionFailure {
    /// The reason, as a clause.
    pub reason: String,
    /// A packet that shows it.
    pub packet: Option<PacketRef>,
}

/// SDES: keys of SRTP in the descriptions (RFC 4568). Who reads the signalling can read the media.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sdes {
    /// The crypto suites that were agreed, as `a=crypto` names them.
    pub suites: Vec<String>,
    /// The packets of the offer and of the answer that carried the keys in clear; none where they were given beside the
    /// capture.
    pub packets: Vec<PacketRef>,
}

/// One DTLS association.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DtlsAssociation {
    /// Whether it was seen and worked.
    pub status: StepStatus,
    /// Its ends, on the path of its first message.
    pub ends: [String; 2],
    /// Paths that its handshake ran over: 2 where ICE took another pair meanwhile.
    pub paths: u64,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The TURN server that it is relayed by.
    pub relay: Option<String>,
    /// Whether its path carries RTP.
    pub has_media: bool,
    /// `1.2` or `1.3`, as in the step.
    pub dtls_version: Option<String>,
    /// The cipher suite's IANA name.
    pub dtls_cipher: Option<String>,
    /// The SRTP protection profile's IANA name, as in the step.
    pub srtp_profile: Option<String>,
    /// The end that was the DTLS client.
    pub client_role: Option<String>,
    /// When its first ClientHello came, in seconds.
    pub start_time: Option<f64>,
    /// Seconds from the first ClientHello to the last Finished that can be seen.
    pub handshake_duration: Option<f64>,
    /// Handshake messages in clear that were sent again.
    pub retransmissions: u64,
    /// Times an encrypted flight came again; of DTLS 1.2 a Finished.
    pub encrypted_retransmissions: u64,
    /// ACK records in clear (RFC 9147 section 7).
    pub acknowledgements: u64,
    /// Records that carry a connection id (RFC 9146, RFC 9147).
    pub records_with_connection_id: u64,
    /// Alerts in clear.
    pub alerts: Vec<Alert>,
    /// Fingerprints of the certificates in clear.
    pub certificates: Vec<Fingerprint>,
}

/// Whose certificate has which fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fingerprint {
    /// Who sent the certificate.
    pub sender: String,
    /// SHA-256 of it, as `a=fingerprint:sha-256` has it.
    pub fingerprint: String,
}

/// What one end acknowledged in STUN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StunAcknowledgements {
    /// Who.
    pub sender: String,
    /// Attributes, empty ones too.
    pub attributes: u64,
    /// DTLS datagrams of the other end that they name, each counted once.
    pub datagrams: u64,
    /// Names of datagrams that did not pass the tap.
    pub unknown: u64,
}

/// DTLS records, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DtlsCounts {
    /// Datagrams that hold DTLS records.
    pub packets: u64,
    /// Records by content type (`handshake`, `application-data`, `ciphertext` ...).
    pub records: BTreeMap<String, u64>,
}

/// What a ClientHello offered, in its order: IANA's names, or hex where there is none.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offered {
    /// Versions: `1.3`, `1.2`.
    pub versions: Vec<String>,
    /// Cipher suites.
    pub ciphers: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Groups of which a key share was sent (DTLS 1.3).
    pub key_shares: Vec<String>,
    /// Signature schemes.
    pub signature_algorithms: Vec<String>,
    /// SRTP protection profiles.
    pub srtp_profiles: Vec<String>,
    /// Application protocols (`webrtc`, `c-webrtc`: RFC 8833).
    pub application_protocols: Vec<String>,
    /// Host name asked for.
    pub server_name: Option<String>,
}

/// A handshake message in clear.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeMessage {
    /// Its type: `Client Hello`, `Hello Retry Request` ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Who sent it.
    pub sender: String,
    /// When its first fragment came, in seconds.
    pub time: f64,
    /// That fragment's packet.
    pub packet: PacketRef,
    /// The flight it belongs to, counted from 1.
    pub flight: u16,
    /// Bytes of its body.
    pub length: u32,
    /// Times it was sent again.
    pub retransmissions: u32,
    /// When, in seconds; the first 16.
    pub retransmission_times: Vec<f64>,
    /// Fragments, those of retransmissions included.
    pub fragments: u32,
    /// Bytes that never came.
    pub missing: Vec<MissingBytes>,
}

/// Messages that one end sends together.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flight {
    /// Who sent it.
    pub sender: String,
    /// When its first message came, in seconds.
    pub time: f64,
    /// That message's packet.
    pub packet: PacketRef,
    /// When its last message came, retransmissions left out, in seconds.
    pub last_time: f64,
    /// Times it was sent again: as often as the message of it that was sent most.
    pub retransmissions: u64,
}

/// A part of a handshake message that never came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingBytes {
    /// First byte that is missing, counted from 0.
    pub from: u32,
    /// First byte that is there again.
    pub to: u32,
}

/// Where a handshake stopped.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoppedAt {
    /// The last message that was seen, whole or not; `null` where it was encrypted.
    pub message: Option<String>,
    /// Who sent it.
    pub sender: String,
    /// How often it was sent.
    pub times: u32,
    /// When it was last sent, in seconds.
    pub last_time: f64,
    /// Who did not go on; `null` where an alert of that end ended the handshake, or the message is incomplete.
    pub silent: Option<String>,
    /// Whether that end never sent anything.
    pub never_answered: bool,
    /// Whether that end goes on sending its ClientHello though it was answered: the answers are lost behind the tap.
    pub answers_lost: bool,
    /// The alert behind the cipher that ended it.
    pub encrypted_alert: Option<EncryptedAlert>,
    /// The incomplete message, if any.
    pub incomplete: Option<IncompleteMessage>,
}

/// An alert whose meaning is encrypted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EncryptedAlert {
    /// Who sent it.
    pub sender: String,
    /// Its packet.
    pub packet: PacketRef,
    /// When, in seconds.
    pub time: f64,
    /// Whether only its length shows what it is (DTLS 1.3): it may be an empty ACK, too.
    pub inferred: bool,
}

/// A message of which a part never came.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncompleteMessage {
    /// Its type.
    pub message: String,
    /// First byte that is missing, counted from 0.
    pub from: u32,
    /// First byte that is there again.
    pub to: u32,
}

/// Lengths of the connection ids that the ends asked for; 0 where an end wants none in what it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionIds {
    /// Bytes of the id in what the client receives.
    pub client: u8,
    /// Bytes of the id in what the server receives.
    pub server: u8,
}

/// What DTLS carried one way.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationData {
    /// Who sent it.
    pub sender: String,
    /// Records. Of DTLS 1.3 acknowledgements, key updates and alerts after the handshake are among them.
    pub packets: u64,
    /// Bytes of their ciphertext.
    pub bytes: u64,
}

/// An alert in clear.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// `warning`, `fatal`, or a number.
    pub level: String,
    /// Its name (IANA "TLS Alerts"), or a number.
    pub description: String,
    /// Who sent it.
    pub sender: String,
    /// Its packet.
    pub packet: PacketRef,
    /// When, in seconds.
    pub time: f64,
}

/// A certificate in clear. What could not be read of it is `null`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Who sent it.
    pub sender: String,
    /// SHA-256 of it, as `a=fingerprint:sha-256` has it: `AB:CD:...`.
    pub fingerprint: String,
    /// `EC`, `RSA`, `Ed25519` ...
    pub key_type: Option<&'static str>,
    /// Size of its key.
    pub key_bits: Option<u32>,
    /// Common name of its subject.
    pub subject: Option<String>,
    /// Common name of its issuer.
    pub issuer: Option<String>,
    /// Valid from.
    pub not_before_at: Option<String>,
    /// Valid until.
    pub not_after_at: Option<String>,
    /// Whether issuer and subject are the same; the signature is not checked.
    pub self_signed: Option<bool>,
    /// The packet that completed the message.
    pub packet: Option<PacketRef>,
}
