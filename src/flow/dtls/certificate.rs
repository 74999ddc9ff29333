//! What a certificate in clear says.

use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_parser::{
    certificate::X509Certificate,
    der_parser::{Oid, oid},
    prelude::FromDer,
    public_key::PublicKey,
    x509::{SubjectPublicKeyInfo, X509Name},
};

use super::record::{Certificate, CertificateContents, Hashes};
use crate::flow::sctp::Step;

/// The longest name that is kept, in characters.
const NAME: usize = 128;

const ED25519: Oid<'static> = oid!(1.3.101.112);
const ED448: Oid<'static> = oid!(1.3.101.113);

/// A certificate in DER, whole as it was sent.
pub fn read(der: &[u8], direction: u8, at: Step) -> Certificate {
    let (fingerprint, contents) = fingerprint_and_contents(der);
    let hashes = Hashes {
        sha1: Sha1::digest(der).into(),
        sha224: Sha224::digest(der).into(),
        sha384: Sha384::digest(der).into(),
        sha512: Sha512::digest(der).into(),
    };
    Certificate { direction, at: Some(at), fingerprint, hashes: Some(Box::new(hashes)), contents }
}

/// SHA-256 of a certificate in DER, and what it says, where it is X.509.
#[must_use]
pub fn fingerprint_and_contents(der: &[u8]) -> ([u8; 32], Option<CertificateContents>) {
    let contents = X509Certificate::from_der(der).ok().map(|(_, certificate)| {
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        let (key_type, key_bits) = key(certificate.public_key());
        CertificateContents {
            key_type,
            key_bits,
            subject: name(subject),
            issuer: name(issuer),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            self_signed: subject.as_raw() == issuer.as_raw(),
        }
    });
    (Sha256::digest(der).into(), contents)
}

/// The common name, or the whole name where there is none.
fn name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().find_map(|attribute| attribute.as_str().ok());
    let text = common.map_or_else(|| name.to_string(), str::to_owned);
    text.chars().filter(|character| !character.is_control()).take(NAME).collect()
}

fn key(info: &SubjectPublicKeyInfo<'_>) -> (&'static str, Option<u32>) {
    let algorithm = &info.algorithm.algorithm;
    if *algorithm == ED25519 {
        return ("Ed25519", Some(256));
    }
    if *algorithm == ED448 {
        return ("Ed448", Some(456));
    }
    let Ok(key) = info.parsed() else { return ("unknown", None) };
    let kind = match key {
        // A point has a byte in front; its two numbers are as long as the field's prime.
        PublicKey::EC(_) => "EC",
        PublicKey::RSA(_) => "RSA",
        PublicKey::DSA(_) => "DSA",
        PublicKey::GostR3410(_) | PublicKey::GostR3410_2012(_) => "GOST",
        PublicKey::Unknown(_) => "unknown",
    };
    (kind, u32::try_from(key.key_size()).ok().filter(|bits| *bits > 0))
}
