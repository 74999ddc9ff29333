//! How a media is secured: DTLS fingerprints and roles, SDES keys.

use std::fmt;

use super::line::REDACTED;

/// A certificate's fingerprint (RFC 8122 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The hash function as written: `sha-256`.
    pub hash: String,
    /// The hash, as many bytes as were written.
    pub value: Vec<u8>,
    /// The line it stands in.
    pub line: usize,
}

/// A hash function for fingerprints (RFC 8122 section 5), the weakest first. MD2 and MD5 prove nothing and are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-224, 28 bytes.
    Sha224,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl HashFunction {
    /// All of them, the weakest first.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in descriptions: `sha-256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Bytes that it makes.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Fingerprint {
    /// Its hash function; `None` of one that is not known or proves nothing.
    #[must_use]
    pub fn function(&self) -> Option<HashFunction> {
        HashFunction::ALL.into_iter().find(|function| self.hash.eq_ignore_ascii_case(function.name()))
    }

    /// Bytes that the hash function makes; `None` where it is not known.
    #[must_use]
    pub fn expected_length(&self) -> Option<usize> {
        let is_md = ["md2", "md5"].iter().any(|name| self.hash.eq_ignore_ascii_case(name));
        self.function().map(HashFunction::length).or(is_md.then_some(16))
    }
}

/// The hash as RFC 8122 writes it: `19:E2:1C`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.value.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(formatter, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// Who opens the DTLS association (RFC 4145 section 4, RFC 8842).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// This side sends the `ClientHello`.
    Active,
    /// This side waits for it.
    Passive,
    /// Either: the answer chooses.
    Actpass,
    /// Neither, for now.
    Holdconn,
}

impl Setup {
    /// The word in the description.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Actpass => "actpass",
            Self::Holdconn => "holdconn",
        }
    }
}

/// An SDES line (RFC 4568 section 9.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// The tag by which an answer chooses it.
    pub tag: u32,
    /// The suite: `AES_CM_128_HMAC_SHA1_80`.
    pub suite: String,
    /// The key parameters, `inline:...`; more than one behind `;`.
    pub keys: Vec<Secret>,
    /// The session parameters.
    pub parameters: Vec<String>,
    /// The line it stands in.
    pub line: usize,
}

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text, for use and not for show.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}
