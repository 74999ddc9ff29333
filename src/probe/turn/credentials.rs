//! Long-term credentials (RFC 8489 section 9.2), and those that a shared secret makes for a while.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::wire::stun::{HEADER_LENGTH, Message, Value, kind};

/// What a nonce begins with whose server knows RFC 8489 (section 9.2).
const NONCE_COOKIE: &str = "obMatJos2";

/// The security features behind it, bit 0 being the highest of 24 (RFC 8489 section 18.1).
const PASSWORD_ALGORITHMS_BIT: u32 = 1 << 23;
const USERNAME_ANONYMITY_BIT: u32 = 1 << 22;

/// Bytes of MESSAGE-INTEGRITY and of MESSAGE-INTEGRITY-SHA256 as we write it, without type and length.
const SHA1_LENGTH: usize = 20;
const SHA256_LENGTH: usize = 32;

/// A username and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The username.
    pub username: String,
    password: String,
}

impl Credentials {
    /// Those of a user.
    #[must_use]
    pub const fn new(username: String, password: String) -> Self {
        Self { username, password }
    }

    /// Those that a server and its users agree on by a shared secret (draft-uberti-behave-turn-rest section 2.2): the
    /// username is the Unix time in seconds at which they expire, with a colon and a name behind it where there is one;
    /// the password is the base64 of its HMAC-SHA1.
    #[must_use]
    pub fn ephemeral(secret: &str, expires_at: u64, name: Option<&str>) -> Self {
        let username = name.map_or_else(|| expires_at.to_string(), |name| format!("{expires_at}:{name}"));
        let password = base64(&hmac::<Hmac<Sha1>>(secret.as_bytes(), &[username.as_bytes()]));
        Self { username, password }
    }
}

impl fmt::Debug for Credentials {
    /// Without the password, which is nobody's business.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How a key is made of a password (RFC 8489 section 18.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// MD5, as RFC 5389 had it.
    Md5,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// As reports name it: `md5`, `sha-256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha256 => "sha-256",
        }
    }

    /// Its number in PASSWORD-ALGORITHM.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Md5 => 1,
            Self::Sha256 => 2,
        }
    }

    const fn of_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Md5),
            2 => Some(Self::Sha256),
            _ => None,
        }
    }
}

/// What a server asks to be proved: REALM, NONCE and what stands beside them in a 401 or a 438.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// REALM.
    pub realm: String,
    /// NONCE.
    pub nonce: String,
    /// The value of PASSWORD-ALGORITHMS, to be given back as it is, and the algorithm chosen of it.
    pub algorithms: Option<(Vec<u8>, Algorithm)>,
    /// Whether USERHASH takes the place of USERNAME.
    pub userhash: bool,
}

/// Why a challenge cannot be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadChallenge {
    /// REALM or NONCE is missing.
    Incomplete,
    /// The nonce announces password algorithms and none are named, or the other way round: somebody on the way makes
    /// the protection weaker (RFC 8489 section 9.2.1).
    Downgraded,
    /// None of the password algorithms is one that we know.
    UnknownAlgorithms,
}

impl Challenge {
    /// Reads the challenge of an error response.
    ///
    /// # Errors
    /// Why it cannot be met.
    pub fn read(message: &Message<'_>) -> Result<Self, BadChallenge> {
        let text = |kind| match message.attribute(kind)?.value() {
            Ok(Value::Text(text)) => Some(text.to_owned()),
            _ => None,
        };
        let (Some(realm), Some(nonce)) = (text(kind::REALM), text(kind::NONCE)) else {
            return Err(BadChallenge::Incomplete);
        };
        let features = security_features(&nonce);
        let algorithms = match message.attribute(kind::PASSWORD_ALGORITHMS) {
            Some(attribute) => {
                let chosen = algorithms(attribute.value).next().ok_or(BadChallenge::UnknownAlgorithms)?;
                Some((attribute.value.to_vec(), chosen))
            }
            None => None,
        };
        if algorithms.is_some() != (features & PASSWORD_ALGORITHMS_BIT != 0) {
            return Err(BadChallenge::Downgraded);
        }
        Ok(Self { realm, nonce, algorithms, userhash: features & USERNAME_ANONYMITY_BIT != 0 })
    }

    /// The algorithm in use.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithms.as_ref().map_or(Algorithm::Md5, |(_, algorithm)| *algorithm)
    }

    /// Whether messages are protected with SHA-256: where the server names password algorithms.
    #[must_use]
    pub const fn uses_sha256(&self) -> bool {
        self.algorithms.is_some()
    }

    /// What USERHASH holds for a user (RFC 8489 section 14.4).
    #[must_use]
    pub fn userhash(&self, username: &str) -> Vec<u8> {
        Sha256::digest(format!("{username}:{}", self.realm)).to_vec()
    }

    /// The key of a user (RFC 8489 section 9.2.2).
    #[must_use]
    pub fn key(&self, credentials: &Credentials) -> Key {
        let text = format!("{}:{}:{}", credentials.username, self.realm, credentials.password);
        Key(match self.algorithm() {
            Algorithm::Md5 => Md5::digest(text).to_vec(),
            Algorithm::Sha256 => Sha256::digest(text).to_vec(),
        })
    }
}

/// The 24 bits behind the cookie; none where the server is of RFC 5389.
fn security_features(nonce: &str) -> u32 {
    let digits = nonce.strip_prefix(NONCE_COOKIE).and_then(|rest| rest.as_bytes().first_chunk::<4>());
    let bits = digits.and_then(|digits| {
        digits.iter().try_fold(0, |bits, digit| {
            let value = ALPHABET.iter().position(|one| one == digit)?;
            Some(bits << 6 | u32::try_from(value).ok()?)
        })
    });
    bits.unwrap_or_default()
}

/// The algorithms of PASSWORD-ALGORITHMS that we know, in the server's order (RFC 8489 section 14.11).
fn algorithms(value: &[u8]) -> impl Iterator<Item = Algorithm> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let ([high, low, length_high, length_low], parameters) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low])).next_multiple_of(4);
        rest = parameters.get(length..).unwrap_or_default();
        Some(Algorithm::of_number(u16::from_be_bytes([*high, *low])))
    })
    .flatten()
}

/// What messages are protected with.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key")
    }
}

/// What the protection of a message is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Made with the key.
    Right,
    /// There is none.
    Missing,
    /// Made with another key, or the message was changed.
    Wrong,
}

impl Key {
    /// Adds MESSAGE-INTEGRITY (RFC 8489 section 14.5) or MESSAGE-INTEGRITY-SHA256 (section 14.6) to a whole message.
    #[must_use]
    pub fn sign(&self, mut message: Vec<u8>, sha256: bool) -> Vec<u8> {
        let (kind, length) = if sha256 {
            (kind::MESSAGE_INTEGRITY_SHA256, SHA256_LENGTH)
        } else {
            (kind::MESSAGE_INTEGRITY, SHA1_LENGTH)
        };
        // The length counts the attribute itself.
        let whole = u16::try_from(message.len() + 4 + length - HEADER_LENGTH).unwrap_or(u16::MAX);
        if let Some(field) = message.get_mut(2..4) {
            field.copy_from_slice(&whole.to_be_bytes());
        }
        let mac = self.mac(&[&message], sha256);
        message.extend(kind.to_be_bytes());
        message.extend((length as u16).to_be_bytes());
        message.extend(mac);
        message
    }

    /// Checks the protection of a message. Where both kinds are there both must be right.
    #[must_use]
    pub fn check(&self, message: &Message<'_>) -> Integrity {
        let checks = [(kind::MESSAGE_INTEGRITY, false), (kind::MESSAGE_INTEGRITY_SHA256, true)];
        let checked = checks.into_iter().filter_map(|(kind, sha256)| {
            let attribute = message.attribute(kind)?;
            Some(self.made(message, attribute.offset, attribute.value, sha256))
        });
        checked
            .reduce(|one, other| one && other)
            .map_or(Integrity::Missing, |right| if right { Integrity::Right } else { Integrity::Wrong })
    }

    /// Whether the attribute at `offset` with `value` is the code of what stands before it.
    fn made(&self, message: &Message<'_>, offset: usize, value: &[u8], sha256: bool) -> bool {
        let covered = message.bytes().get(..offset).and_then(<[u8]>::split_first_chunk::<4>);
        let Some(([high, low, ..], rest)) = covered else { return false };
        let Ok(length) = u16::try_from(offset + 4 + value.len() - HEADER_LENGTH) else { return false };
        let [length_high, length_low] = length.to_be_bytes();
        let mac = self.mac(&[&[*high, *low, length_high, length_low], rest], sha256);
        // The longer one may be cut to a multiple of four, not below 16 bytes.
        let enough =
            if sha256 { value.len() >= 16 && value.len().is_multiple_of(4) } else { value.len() == SHA1_LENGTH };
        enough && mac.starts_with(value)
    }

    fn mac(&self, parts: &[&[u8]], sha256: bool) -> Vec<u8> {
        if sha256 { hmac::<Hmac<Sha256>>(&self.0, parts) } else { hmac::<Hmac<Sha1>>(&self.0, parts) }
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// The digits of base64 (RFC 4648 section 4).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = ALPHABET.get((bits >> (18 - 6 * place)) as usize & 63).filter(|_| place <= chunk.len());
            text.push(digit.map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stun::vectors::{LONG_TERM, RESPONSE_V4, RESPONSE_V6};

    fn challenge() -> Challenge {
        Challenge {
            realm: "example.org".to_owned(),
            nonce: "f//499k954d6OL34oL9FSTvy64sA".to_owned(),
            algorithms: None,
            userhash: false,
        }
    }

    #[test]
    fn rfc_5769_long_term() {
        let user = "\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}".to_owned();
        let key = challenge().key(&Credentials::new(user.clone(), "TheMatrIX".to_owned()));
        assert_eq!(key.check(&Message::parse(LONG_TERM).unwrap()), Integrity::Right);
        // What we would write for it, without the attribute that is to be made.
        assert_eq!(key.sign(LONG_TERM[..LONG_TERM.len() - 24].to_vec(), false), LONG_TERM);
        let other = challenge().key(&Credentials::new(user, "TheMatrix".to_owned()));
        assert_eq!(other.check(&Message::parse(LONG_TERM).unwrap()), Integrity::Wrong);
    }

    #[test]
    fn rfc_5769_responses() {
        let key = Key(b"VOkJxbRl1RmTxUk/WvJxBt".to_vec());
        for response in [RESPONSE_V4, RESPONSE_V6] {
            assert_eq!(key.check(&Message::parse(response).unwrap()), Integrity::Right);
            for at in 20..response.len() - 8 {
                let mut forged = response.to_vec();
                forged[at] ^= 1;
                let checked = Message::parse(&forged).map(|message| key.check(&message));
                assert_ne!(checked, Ok(Integrity::Right), "byte {at}");
            }
        }
    }

    /// RFC 8489 appendix B.1: a long-term request with SHA-256 and USERHASH. Password "TheMatrIX".
    #[test]
    fn rfc_8489_userhash() {
        let userhash = challenge().userhash("\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}");
        let expected = "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704";
        assert_eq!(userhash.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
    }

    #[test]
    fn both_kinds_of_integrity() {
        for sha256 in [false, true] {
            let algorithms = sha256.then(|| (vec![0, 2, 0, 0], Algorithm::Sha256));
            let key = Challenge { algorithms, ..challenge() }.key(&Credentials::new("a".into(), "b".into()));
            let signed = key.sign(LONG_TERM[..LONG_TERM.len() - 24].to_vec(), sha256);
            assert_eq!(key.check(&Message::parse(&signed).unwrap()), Integrity::Right);
            let mut forged = signed.clone();
            *forged.last_mut().unwrap() ^= 1;
            assert_eq!(key.check(&Message::parse(&forged).unwrap()), Integrity::Wrong);
        }
        let bare = [&[1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
        let key = challenge().key(&Credentials::new("a".into(), "b".into()));
        assert_eq!(key.check(&Message::parse(&bare).unwrap()), Integrity::Missing);
    }

    /// The value is what `openssl dgst -sha1 -hmac north -binary | base64` says of `1700000000:alice`.
    #[test]
    fn a_shared_secret_makes_credentials() {
        let made = Credentials::ephemeral("north", 1_700_000_000, Some("alice"));
        assert_eq!(made.username, "1700000000:alice");
        assert_eq!(made.password, EXPECTED_PASSWORD);
        assert_eq!(Credentials::ephemeral("north", 5, None).username, "5");
        assert!(!format!("{made:?}").contains(&made.password));
    }

    const EXPECTED_PASSWORD: &str = "Cd/49soE35ICqcJF/bCTn8Z4OyE=";

    #[test]
    fn challenges_are_read() {
        let attribute = |kind: u16, value: &[u8]| {
            let mut bytes = [&kind.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat();
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let read = |nonce: &str, algorithms: Option<&[u8]>| {
            let mut body = attribute(kind::REALM, b"here");
            body.extend(attribute(kind::NONCE, nonce.as_bytes()));
            body.extend(algorithms.map(|value| attribute(kind::PASSWORD_ALGORITHMS, value)).unwrap_or_default());
            let length = (body.len() as u16).to_be_bytes();
            let bytes = [&[1, 0x13][..], &length, &[0x21, 0x12, 0xa4, 0x42], &[7; 12], &body].concat();
            Challenge::read(&Message::parse(&bytes).unwrap())
        };
        let plain = read("abc", None).unwrap();
        assert_eq!((plain.algorithm(), plain.uses_sha256(), plain.userhash), (Algorithm::Md5, false, false));
        // Bit 0 is "gAAA" in base64, bits 0 and 1 are "wAAA", bit 1 is "QAAA".
        let both = read("obMatJos2wAAAxyz", Some(&[0, 9, 0, 1, 7, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0])).unwrap();
        assert_eq!((both.algorithm(), both.uses_sha256(), both.userhash), (Algorithm::Sha256, true, true));
        let md5 = read("obMatJos2gAAAxyz", Some(&[0, 1, 0, 0])).unwrap();
        assert_eq!((md5.algorithm(), md5.uses_sha256(), md5.userhash), (Algorithm::Md5, true, false));
        assert!(read("obMatJos2QAAAxyz", None).unwrap().userhash);
        assert_eq!(read("obMatJos2gAAAxyz", None), Err(BadChallenge::Downgraded));
        assert_eq!(read("abc", Some(&[0, 2, 0, 0])), Err(BadChallenge::Downgraded));
        assert_eq!(read("obMatJos2gAAA", Some(&[0, 9, 0, 0])), Err(BadChallenge::UnknownAlgorithms));
    }

    #[test]
    fn base64_has_its_padding() {
        let texts = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in texts {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
