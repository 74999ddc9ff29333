//! Keys as a user gives them, or as a server logs them.
//!
//! | form | who writes it |
//! | --- | --- |
//! | `PROFILE:KEY` | by hand; KEY is key and salt in base64 or hexadecimal digits |
//! | `KEY` | `srtp-decrypt -k`, `rtp_decoder -k`; the length says the cipher, both lengths of tag are tried |
//! | `a=crypto:1 SUITE inline:KEY...`, `SUITE inline:KEY...` | SDP (RFC 4568) |
//! | `--- SUITE key KEY salt SALT`, `suite SUITE, tag 1, key KEY salt SALT` | rtpengine's log |
//! | `set master key/salt to KEY/SALT` | libsrtp's `rtpw` and `rtp_decoder`, in hexadecimal digits |
//!
//! KEY of the first two may be followed by `|MKI:LENGTH`. `@ssrc=0x1234` or `@FROM-TO` behind any of them says what the
//! key is for, or both with a comma between: an SSRC, and the packets from one `ADDRESS:PORT` to another. IPv6 addresses
//! stand in brackets.

use std::{mem::take, net::SocketAddr};

use zeroize::Zeroizing;

use crate::crypto::{
    secret::Secret,
    srtp::{
        KeyLength, Keying, MasterKey, Profile,
        sdes::{self, SdesError},
    },
};

/// Keys that were given, and what they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenKey {
    /// What may protect the packets, to be tried in this order; never empty.
    pub candidates: Vec<Keying>,
    /// What the key is for.
    pub scope: Scope,
}

/// What a key is for; everything where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The SSRC of the packets.
    pub ssrc: Option<u32>,
    /// From where to where the packets go.
    pub path: Option<(SocketAddr, SocketAddr)>,
}

/// Why a text gives no key. It never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// There is nothing, or nothing that looks like a key.
    #[error(
        "there is no key; expected is PROFILE:KEY, a=crypto:..., or a line with keys of rtpengine's or libsrtp's log"
    )]
    NoKey,
    /// What stands before the key is no profile.
    #[error("what stands before the key is no profile such as AES_CM_128_HMAC_SHA1_80 or AEAD_AES_128_GCM")]
    Profile,
    /// The key is neither base64 nor hexadecimal digits.
    #[error("the key is neither base64 nor hexadecimal digits")]
    NotAKey,
    /// The key is not as long as its profile has it.
    #[error("{0}")]
    KeyLength(#[from] KeyLength),
    /// A key without a profile is of a length that no profile has.
    #[error("no profile has key and salt of {0} bytes (28, 30, 38, 44 and 46 are those that have one)")]
    NoProfile(usize),
    /// The identifier behind the key is not VALUE:LENGTH.
    #[error("behind the key, its identifier (MKI) is not |VALUE:LENGTH with a length of 1 to 128 bytes")]
    Mki,
    /// What stands behind `@` is none of those.
    #[error("behind @, neither ssrc=NUMBER nor ADDRESS:PORT-ADDRESS:PORT is read")]
    Scope,
    /// An `a=crypto` attribute gives no key.
    #[error("a=crypto: {0}")]
    Sdes(#[from] SdesError),
}

impl GivenKey {
    /// Reads one of the forms above.
    ///
    /// # Errors
    /// When it is none of them, or key and profile do not agree.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let text = text.trim();
        if text.len() > LONGEST_TEXT {
            return Err(KeyTextError::NoKey);
        }
        // In a log an @ may stand before the key, in a Call-ID.
        let scoped = text.rsplit_once('@').filter(|(_, scope)| !scope.contains(char::is_whitespace));
        let (keys, scope) = scoped.map_or((text, None), |(keys, scope)| (keys.trim(), Some(scope)));
        let candidates = candidates(keys)?;
        Ok(Self { candidates, scope: scope.map_or(Ok(Scope::default()), Scope::parse)? })
    }
}

impl Scope {
    fn parse(text: &str) -> Result<Self, KeyTextError> {
        let mut scope = Self::default();
        for part in text.split(',') {
            if let Some(ssrc) = part.strip_prefix("ssrc=") {
                let digits = ssrc.strip_prefix("0x").or_else(|| ssrc.strip_prefix("0X"));
                let ssrc = digits.map_or_else(|| ssrc.parse(), |digits| u32::from_str_radix(digits, 16));
                scope.ssrc = Some(ssrc.map_err(|_| KeyTextError::Scope)?);
            } else {
                let (from, to) = part.split_once('-').ok_or(KeyTextError::Scope)?;
                let address = |text: &str| text.parse::<SocketAddr>().map_err(|_| KeyTextError::Scope);
                scope.path = Some((address(from)?, address(to)?));
            }
        }
        Ok(scope)
    }
}

fn candidates(text: &str) -> Result<Vec<Keying>, KeyTextError> {
    let words: Vec<&str> = text.split_whitespace().take(MOST_WORDS).collect();
    if words.iter().any(|word| starts_with_inline(word)) {
        return Ok(vec![attribute(&words)?]);
    }
    match words.as_slice() {
        [] => Err(KeyTextError::NoKey),
        [word] => single(word),
        words => logged(words),
    }
}

/// An attribute with or without its name and tag: the suite stands before the keys.
fn attribute(words: &[&str]) -> Result<Keying, KeyTextError> {
    let place = words.iter().position(|word| starts_with_inline(word)).ok_or(KeyTextError::NoKey)?;
    let (before, behind) = words.split_at_checked(place).ok_or(KeyTextError::NoKey)?;
    let suite = before.last().ok_or(KeyTextError::Profile)?;
    let (keys, parameters) = behind.split_first().ok_or(KeyTextError::NoKey)?;
    let keys = keys.split(';').filter(|key| !key.is_empty());
    Ok(sdes::read(suite, keys, parameters.iter().copied())?)
}

fn starts_with_inline(word: &str) -> bool {
    word.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("inline:"))
}

/// `PROFILE:KEY` or `KEY`, either with an identifier.
fn single(word: &str) -> Result<Vec<Keying>, KeyTextError> {
    let (key, fields) = word.split_once('|').unwrap_or((word, ""));
    let mki = sdes::identifier(fields).ok_or(KeyTextError::Mki)?;
    let Some((name, key)) = key.split_once(':') else {
        return unnamed(key, &mki);
    };
    let profile = Profile::from_name(name).ok_or(KeyTextError::Profile)?;
    Ok(vec![of(profile, &bytes(key, profile.master_length())?, &mki)?])
}

/// A key without a profile: those that have keys of its length, but for NULL, whose packets need no key to be read.
fn unnamed(key: &str, mki: &[u8]) -> Result<Vec<Keying>, KeyTextError> {
    let profiles = || Profile::ALL.into_iter().filter(|profile| !matches!(profile, Profile::Null(_)));
    let lengths = profiles().map(Profile::master_length);
    let secret = lengths.clone().find_map(|length| bytes(key, length).ok().filter(|secret| secret.len() == length));
    let Some(secret) = secret else {
        return Err(match bytes(key, 0) {
            Ok(secret) => KeyTextError::NoProfile(secret.len()),
            Err(error) => error,
        });
    };
    let fitting = profiles().filter(|profile| profile.master_length() == secret.len());
    fitting.map(|profile| of(profile, &secret, mki)).collect()
}

/// A line of a log, whatever stands in front.
fn logged(words: &[&str]) -> Result<Vec<Keying>, KeyTextError> {
    if let [before @ .., "key", key, "salt", salt] = words {
        let suite = match before {
            [.., "suite", suite, "tag", _] => suite,
            [.., suite] => suite,
            [] => return Err(KeyTextError::Profile),
        };
        let profile = Profile::from_name(suite.trim_end_matches(',')).ok_or(KeyTextError::Profile)?;
        let (key, salt) = (bytes(key, profile.key_length())?, bytes(salt, profile.salt_length())?);
        let joined = Secret::new([&key[..], &salt[..]].concat());
        return Ok(vec![of(profile, &joined, &[])?]);
    }
    match words {
        [.., "key/salt", "to", pair] => unnamed(pair, &[]),
        _ => Err(KeyTextError::NoKey),
    }
}

fn of(profile: Profile, secret: &[u8], mki: &[u8]) -> Result<Keying, KeyTextError> {
    let master = MasterKey::new(profile, secret)?.with_mki(mki);
    Ok(Keying { protection: profile.into(), keys: vec![master] })
}

/// Hexadecimal digits where they are as many as `length` bytes have, or cannot be base64; else base64. Between key and
/// salt in hexadecimal digits a slash may stand.
fn bytes(text: &str, length: usize) -> Result<Secret, KeyTextError> {
    let digits = hexadecimal(text);
    if let Some(secret) = digits.as_ref().filter(|secret| secret.len() == length) {
        return Ok(secret.clone());
    }
    sdes::base64(text).or(digits).ok_or(KeyTextError::NotAKey)
}

fn hexadecimal(text: &str) -> Option<Secret> {
    // As long as it can become, so that no shorter copy is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len().div_ceil(2)));
    let mut high = None;
    let mut slashes = 0;
    for digit in text.bytes() {
        if digit == b'/' {
            slashes += 1;
            continue;
        }
        let digit = char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())?;
        match high.take() {
            Some(high) => bytes.push(high << 4 | digit),
            None => high = Some(digit),
        }
    }
    (slashes <= 1 && high.is_none()).then(|| Secret::new(take(&mut bytes)))
}

/// Longer than any line that holds a key.
const LONGEST_TEXT: usize = 8192;

/// More than any line that holds a key has.
const MOST_WORDS: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::srtp::tests::hex;

    const AES_80: &str = "AES_CM_128_HMAC_SHA1_80";
    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d";
    /// The same as `xxd -r -p | base64` has it.
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";

    fn keying(name: &str, digits: &str) -> Keying {
        Keying::new(Profile::from_name(name).unwrap(), &hex(digits)).unwrap()
    }

    fn candidates_of(text: &str) -> Vec<Keying> {
        GivenKey::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).candidates
    }

    #[test]
    fn with_a_profile() {
        let expected = vec![keying(AES_80, HEX)];
        for key in [BASE64, HEX, &HEX.to_uppercase(), &format!("{}/{}", &HEX[..32], &HEX[32..])] {
            for name in [AES_80, "SRTP_AES128_CM_SHA1_80", "srtp_profile_aes128_cm_sha1_80"] {
                assert_eq!(candidates_of(&format!("{name}:{key}")), expected);
            }
        }
        let with_mki = candidates_of(&format!("{AES_80}:{BASE64}|5:2"));
        assert_eq!(
            with_mki,
            [Keying { keys: vec![expected[0].keys[0].clone().with_mki(&[0, 5])], ..expected[0].clone() }]
        );
        let gcm = "AEAD_AES_128_GCM:AAECAwQFBgcICQoLDA0OD1F1aWQgcHJvIHF1bw==";
        assert_eq!(
            candidates_of(gcm),
            [keying("AEAD_AES_128_GCM", "000102030405060708090a0b0c0d0e0f517569642070726f2071756f")]
        );
    }

    #[test]
    fn without_a_profile_the_length_says_which() {
        for key in [BASE64, HEX, &format!("set master key/salt to {}/{}", &HEX[..32], &HEX[32..])] {
            assert_eq!(candidates_of(key), [keying(AES_80, HEX), keying("AES_CM_128_HMAC_SHA1_32", HEX)]);
        }
        for (length, names) in [
            (28, &["AEAD_AES_128_GCM"][..]),
            (38, &["AES_192_CM_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_32"]),
            (44, &["AEAD_AES_256_GCM"]),
            (46, &["AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32"]),
        ] {
            let digits = "ab".repeat(length);
            let expected: Vec<Keying> = names.iter().map(|name| keying(name, &digits)).collect();
            assert_eq!(candidates_of(&digits), expected);
        }
    }

    #[test]
    fn as_rtpengine_logs_them() {
        // Out of a published log of rtpengine, the keys changed.
        let expected = vec![keying(AES_80, HEX)];
        let (key, salt) = ("AAECAwQFBgcICQoLDA0ODw==", "EBESExQVFhcYGRobHB0=");
        for line in [
            format!("--- {AES_80} key {key} salt {salt}"),
            format!("DEBUG: [f2a@10.0.0.1 port 30000]: [srtp] --- {AES_80} key {key} salt {salt}"),
            format!("suite {AES_80}, tag 1, key {key} salt {salt}"),
        ] {
            assert_eq!(candidates_of(&line), expected, "{line}");
        }
    }

    #[test]
    fn as_sdp_has_them() {
        let expected = vec![keying(AES_80, HEX)];
        for line in ["a=crypto:1 ", "crypto:1 ", "1 ", ""] {
            assert_eq!(candidates_of(&format!("{line}{AES_80} inline:{BASE64}|2^31")), expected);
        }
        let line = format!("a=crypto:1 {AES_80} inline:{BASE64} UNENCRYPTED_SRTP KDR=0");
        let protection = *candidates_of(&line)[0].protection();
        assert_eq!((protection.encrypts_rtp, protection.rekeying), (false, Some(0)));
    }

    #[test]
    fn scopes() {
        let of = |scope: &str| GivenKey::parse(&format!("{AES_80}:{BASE64}@{scope}")).map(|given| given.scope);
        assert_eq!(of("ssrc=0x1234").unwrap().ssrc, Some(0x1234));
        let both = of("ssrc=4660,10.0.0.1:5004-10.0.0.2:5006").unwrap();
        let path = ("10.0.0.1:5004".parse().unwrap(), "10.0.0.2:5006".parse().unwrap());
        assert_eq!(both, Scope { ssrc: Some(4660), path: Some(path) });
        let path = ("[2001:db8::1]:5004".parse().unwrap(), "[2001:db8::2]:9".parse().unwrap());
        assert_eq!(of("[2001:db8::1]:5004-[2001:db8::2]:9").unwrap().path, Some(path));
        for wrong in ["", "ssrc=", "ssrc=0x", "ssrc=4294967296", "10.0.0.1-10.0.0.2", "10.0.0.1:5", "ssrc=1,"] {
            assert_eq!(of(wrong), Err(KeyTextError::Scope), "{wrong}");
        }
        let logged = format!("--- {AES_80} key AAECAwQFBgcICQoLDA0ODw== salt EBESExQVFhcYGRobHB0= @ssrc=7");
        assert_eq!(GivenKey::parse(&logged).unwrap().scope.ssrc, Some(7));
    }

    #[test]
    fn errors_say_what_is_expected_and_not_what_was_written() {
        let long = "x".repeat(9000);
        for (text, expected) in [
            ("", KeyTextError::NoKey),
            ("two words", KeyTextError::NoKey),
            (&long, KeyTextError::NoKey),
            ("SECRETSECRET:QUFB", KeyTextError::Profile),
            ("--- SECRET key QUFB salt QUFB", KeyTextError::Profile),
            ("AES_CM_128_HMAC_SHA1_80:SECRET!", KeyTextError::NotAKey),
            ("U0VDUkVU", KeyTextError::NoProfile(6)),
            ("AES_CM_128_HMAC_SHA1_80:QUFB|SECRET:1", KeyTextError::Mki),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:U0VDUkVU!", KeyTextError::Sdes(SdesError::NotBase64(1))),
            ("inline:U0VDUkVU", KeyTextError::Profile),
        ] {
            let error = GivenKey::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("SECRET") && !error.to_string().contains("U0VD"));
        }
        let error = GivenKey::parse("AEAD_AES_128_GCM:U0VDUkVU").unwrap_err();
        assert_eq!(error.to_string(), "key and salt of AEAD_AES_128_GCM are 28 bytes, not 6");
    }

    proptest! {
        #[test]
        fn any_text(text in "\\PC*", key in "[A-Za-z0-9+/=|:@,. -]{0,90}") {
            for text in [&text, &key, &format!("{AES_80}:{key}"), &format!("{AES_80} inline:{key}")] {
                if let Ok(given) = GivenKey::parse(text) {
                    prop_assert!(!given.candidates.is_empty());
                }
            }
        }
    }
}
