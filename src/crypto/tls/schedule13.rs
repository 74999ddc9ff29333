//! Keys from the secrets of TLS 1.3 (RFC 8446 sections 7.1 to 7.5) and DTLS 1.3 (RFC 9147 section 5.9), which differ in
//! the prefix of the labels.

use hkdf::{GenericHkdf, HmacImpl};
use hmac::Hmac;
use sha2::{Digest, Sha256, Sha384};
use zeroize::Zeroizing;

use super::{Unusable, suite::Hash};
use crate::crypto::secret::Secret;

/// What stands before the labels of TLS 1.3.
const TLS: &[u8; 6] = b"tls13 ";
/// What stands before the labels of DTLS 1.3, without a space.
const DTLS: &[u8; 6] = b"dtls13";

/// Bytes of the longest hash.
const LONGEST_HASH: usize = 48;

/// How keys are made of secrets.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    hash: Hash,
    prefix: &'static [u8; 6],
}

impl Schedule {
    /// That of TLS 1.3.
    pub const fn tls(hash: Hash) -> Self {
        Self { hash, prefix: TLS }
    }

    /// That of DTLS 1.3.
    pub const fn dtls(hash: Hash) -> Self {
        Self { hash, prefix: DTLS }
    }

    /// The secret, where it is as long as those of the suite.
    pub fn check(self, secret: Option<&Secret>) -> Result<Option<&Secret>, Unusable> {
        match secret {
            Some(other) if other.len() != self.hash.length() => Err(Unusable::SecretLength(other.len())),
            _ => Ok(secret),
        }
    }

    /// HKDF-Expand-Label (RFC 8446 section 7.1). Label and context are at most 249 and 255 bytes, as their lengths have
    /// one byte: what is longer is given no key but zeros.
    pub fn expand(self, secret: &[u8], label: &[u8], context: &[u8], output: &mut [u8]) {
        output.fill(0);
        let lengths =
            (u16::try_from(output.len()), u8::try_from(self.prefix.len() + label.len()), u8::try_from(context.len()));
        let (Ok(output_length), Ok(label_length), Ok(context_length)) = lengths else { return };
        let output_length = output_length.to_be_bytes();
        let info = [output_length.as_slice(), &[label_length], self.prefix, label, &[context_length], context];
        match self.hash {
            Hash::Sha384 => expand::<Hmac<Sha384>>(secret, &info, output),
            _ => expand::<Hmac<Sha256>>(secret, &info, output),
        }
    }

    /// The traffic secret behind a key update (RFC 8446 section 7.2).
    pub fn next(self, secret: &[u8]) -> Secret {
        let mut next = Zeroizing::new([0; LONGEST_HASH]);
        let next = next.get_mut(..self.hash.length()).unwrap_or_default();
        self.expand(secret, b"traffic upd", &[], next);
        Secret::from(&*next)
    }

    /// Fills `output` with keying material for another protocol (RFC 8446 section 7.5).
    pub fn export(self, secret: &[u8], label: &[u8], context: &[u8], output: &mut [u8]) {
        match self.hash {
            Hash::Sha384 => self.export_with::<Sha384>(secret, label, context, output),
            _ => self.export_with::<Sha256>(secret, label, context, output),
        }
    }

    fn export_with<D: Digest>(self, secret: &[u8], label: &[u8], context: &[u8], output: &mut [u8]) {
        let mut derived = Zeroizing::new([0; LONGEST_HASH]);
        let derived = derived.get_mut(..self.hash.length()).unwrap_or_default();
        self.expand(secret, label, &D::digest([]), derived);
        self.expand(derived, b"exporter", &D::digest(context), output);
    }
}

fn expand<H: HmacImpl>(secret: &[u8], info: &[&[u8]], output: &mut [u8]) {
    // The length of a secret is checked where it comes in, and an output is never longer than 255 hashes.
    let Ok(hkdf) = GenericHkdf::<H>::from_prk(secret) else { return };
    if hkdf.expand_multi_info(info, output).is_err() {
        output.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::tls::tests::hex;

    fn expanded(schedule: Schedule, secret: &str, label: &[u8], length: usize) -> Vec<u8> {
        let mut output = vec![0xff; length];
        schedule.expand(&hex(secret), label, &[], &mut output);
        output
    }

    /// RFC 8448 section 3: keys of the server's handshake and application data.
    #[test]
    fn keys_of_rfc_8448() {
        let tls = Schedule::tls(Hash::Sha256);
        let handshake = "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38";
        assert_eq!(expanded(tls, handshake, b"key", 16), hex("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(expanded(tls, handshake, b"iv", 12), hex("5d313eb2671276ee13000b30"));
        let traffic = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
        assert_eq!(expanded(tls, traffic, b"key", 16), hex("9f02283b6c9c07efc26bb9f2ac92e356"));
        assert_eq!(expanded(tls, traffic, b"iv", 12), hex("cf782b88dd83549aadf1e984"));
    }
}
