//! The pseudo-random function of TLS up to 1.2 and what is made with it (RFC 5246 sections 5 and 6.3, RFC 2246
//! section 5, RFC 5705).

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use super::suite::Hash;

/// The function: of one hash (version 1.2), or of MD5 and SHA-1 (before).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prf {
    /// Versions 1.0 and 1.1.
    Md5Sha1,
    /// Version 1.2 with SHA-256.
    Sha256,
    /// Version 1.2 with SHA-384.
    Sha384,
}

impl Prf {
    /// That of version 1.2 with the hash of the suite.
    pub const fn of_hash(hash: Hash) -> Self {
        match hash {
            Hash::Sha384 => Self::Sha384,
            _ => Self::Sha256,
        }
    }

    /// Fills `output` from a secret, a label and the parts of a seed.
    pub fn fill(self, secret: &[u8], label: &[u8], seed: &[&[u8]], output: &mut [u8]) {
        output.fill(0);
        match self {
            Self::Sha256 => p_hash::<Hmac<Sha256>>(secret, label, seed, output),
            Self::Sha384 => p_hash::<Hmac<Sha384>>(secret, label, seed, output),
            Self::Md5Sha1 => {
                // Both halves have the middle byte of an odd length (RFC 2246 section 5).
                let half = secret.len().div_ceil(2);
                let (first, second) = (secret.get(..half), secret.get(secret.len() - half..));
                p_hash::<Hmac<Md5>>(first.unwrap_or_default(), label, seed, output);
                p_hash::<Hmac<Sha1>>(second.unwrap_or_default(), label, seed, output);
            }
        }
    }
}

/// P_hash (RFC 5246 section 5), added to what `output` holds.
fn p_hash<M: Mac + KeyInit + Clone>(secret: &[u8], label: &[u8], seed: &[&[u8]], output: &mut [u8]) {
    // HMAC takes keys of any length.
    let Ok(keyed) = <M as KeyInit>::new_from_slice(secret) else { return };
    let seeded = |start: M| seed.iter().fold(start.chain_update(label), |mac, part| mac.chain_update(part));
    let mut a = seeded(keyed.clone()).finalize().into_bytes();
    for chunk in output.chunks_mut(M::output_size()) {
        let block = seeded(keyed.clone().chain_update(&a)).finalize().into_bytes();
        for (byte, value) in chunk.iter_mut().zip(block) {
            *byte ^= value;
        }
        a = keyed.clone().chain_update(&a).finalize().into_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::tls::tests::hex;

    fn check(prf: Prf, secret: &[u8], label: &[u8], seed: &[u8], expected: &str) {
        let expected = hex(expected);
        let mut output = vec![0xff; expected.len()];
        let (start, end) = seed.split_at(seed.len() / 3);
        prf.fill(secret, label, &[start, end], &mut output);
        assert_eq!(output, expected);
    }

    /// Vectors that were sent to the TLS working group (ietf.org/mail-archive/web/tls/current/msg03416.html).
    #[test]
    fn version_1_2() {
        check(
            Prf::Sha256,
            &hex("9bbe436ba940f017b17652849a71db35"),
            b"test label",
            &hex("a0ba9f936cda311827a6f796ffd5198c"),
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7\
             077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
        );
        check(
            Prf::Sha384,
            &hex("b80b733d6ceefcdc71566ea48e5567df"),
            b"test label",
            &hex("cd665cf6a8447dd6ff8b27555edb7465"),
            "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0e534cb40\
             0fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d\
             31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f",
        );
    }

    /// What OpenSSL 3.0 makes (`openssl kdf TLS1-PRF` with the digest MD5-SHA1), of a secret of an odd length.
    #[test]
    fn versions_before() {
        check(
            Prf::Md5Sha1,
            &hex("9bbe436ba940f017b17652849a71db3541"),
            b"test label",
            &hex("a0ba9f936cda311827a6f796ffd5198c"),
            "788d3f16b5c1691271526c05a1fc89660228157fd1201ca6dbfecc3d9fe4b7ffd20aa9c20146970dc14fe8848ac584810ffe12d6\
             89dfad1812ba5ab2",
        );
    }
}
