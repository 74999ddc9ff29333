//! Keys out of `a=crypto` (SDES, RFC 4568), read as leniently as the field writes them.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{
    crypto::{
        secret::Secret,
        srtp::{KeyLength, Keying, MasterKey, Profile, Protection},
    },
    sdp::Crypto,
};

/// Why an `a=crypto` attribute gives no keys. It never quotes what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdesError {
    /// The suite is not known, or one that cannot be opened (F8, SEED, ARIA, CCM).
    #[error("the crypto suite is not one that can be opened")]
    Suite,
    /// There is no key parameter.
    #[error("there is no key: \"inline:\" and base64 of key and salt are expected behind the suite")]
    NoKey,
    /// The key parameter of this number, counted from 1, is not `inline:`.
    #[error("key {0} does not start with \"inline:\"")]
    Method(usize),
    /// The key parameter of this number is not base64.
    #[error("key {0} is not base64")]
    NotBase64(usize),
    /// The key parameter of this number is not as long as the suite has it.
    #[error("key {0}: {1}")]
    KeyLength(usize, KeyLength),
    /// The identifier of the key parameter of this number is not VALUE:LENGTH, or the value does not fit.
    #[error("key {0}: its identifier (MKI) is not VALUE:LENGTH with a length of 1 to {LONGEST_MKI} bytes")]
    Mki(usize),
    /// `KDR` is no number from 0 to 24.
    #[error("KDR is not a number from 0 to {MOST_REKEYING}")]
    Rekeying,
}

/// The keys of an attribute that the SDP reader has split.
///
/// # Errors
/// When the suite cannot be opened, or a key or `KDR` is not what RFC 4568 says.
pub fn keying(crypto: &Crypto) -> Result<Keying, SdesError> {
    read(&crypto.suite, crypto.keys.iter().map(|key| key.reveal()), crypto.parameters.iter().map(String::as_str))
}

/// The keys of suite, key parameters and session parameters.
pub(super) fn read<'a>(
    suite: &str,
    keys: impl Iterator<Item = &'a str>,
    parameters: impl Iterator<Item = &'a str>,
) -> Result<Keying, SdesError> {
    let profile = Profile::from_name(suite).ok_or(SdesError::Suite)?;
    let keys: Vec<MasterKey> = keys
        .take(MOST_KEYS)
        .enumerate()
        .map(|(place, key)| key_parameter(profile, place + 1, key))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(SdesError::NoKey);
    }
    Ok(Keying { protection: protection(profile, parameters)?, keys })
}

/// What session parameters change (RFC 4568 section 6.3). `WSH`, `FEC_ORDER`, `FEC_KEY` and unknown ones change nothing
/// for an observer.
fn protection<'a>(profile: Profile, parameters: impl Iterator<Item = &'a str>) -> Result<Protection, SdesError> {
    let mut protection = Protection::from(profile);
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.eq_ignore_ascii_case("KDR") {
            let exponent = value.parse().ok().filter(|exponent| *exponent <= MOST_REKEYING);
            protection.rekeying = Some(exponent.ok_or(SdesError::Rekeying)?);
        } else if name.eq_ignore_ascii_case("UNENCRYPTED_SRTP") {
            protection.encrypts_rtp = false;
        } else if name.eq_ignore_ascii_case("UNAUTHENTICATED_SRTP") {
            protection.authenticates_rtp = false;
        }
    }
    Ok(protection)
}

fn key_parameter(profile: Profile, number: usize, parameter: &str) -> Result<MasterKey, SdesError> {
    let (method, information) = parameter.split_once(':').ok_or(SdesError::Method(number))?;
    if !method.trim().eq_ignore_ascii_case("inline") {
        return Err(SdesError::Method(number));
    }
    let (key, rest) = information.split_once('|').unwrap_or((information, ""));
    let secret = base64(key).ok_or(SdesError::NotBase64(number))?;
    let master = MasterKey::new(profile, &secret).map_err(|error| SdesError::KeyLength(number, error))?;
    Ok(master.with_mki(&identifier(rest).ok_or(SdesError::Mki(number))?))
}

/// The identifier in what follows a key: an optional lifetime, which an observer does not watch, and VALUE:LENGTH.
/// Empty where there is none, `None` where it cannot be one.
pub(super) fn identifier(fields: &str) -> Option<Vec<u8>> {
    let Some((value, length)) = fields.split('|').find_map(|field| field.split_once(':')) else {
        return Some(Vec::new());
    };
    let length: usize = length.trim().parse().ok().filter(|length| (1..=LONGEST_MKI).contains(length))?;
    let value: u128 = value.trim().parse().ok()?;
    let bytes = value.to_be_bytes();
    let (above, value) = bytes.split_at(bytes.len().saturating_sub(length));
    if above.iter().any(|byte| *byte != 0) {
        return None;
    }
    let mut identifier = vec![0; length - value.len()];
    identifier.extend_from_slice(value);
    Some(identifier)
}

/// Base64 with too little or too much padding, and with bits left over, as some write it.
pub(super) fn base64(text: &str) -> Option<Secret> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const LENIENT: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
    let digits = text.trim().trim_end_matches('=');
    if digits.is_empty() || digits.len() > LONGEST_BASE64 {
        return None;
    }
    LENIENT.decode(digits).ok().map(Secret::new)
}

/// Bytes of the longest identifier (RFC 4568 section 6.1).
const LONGEST_MKI: usize = 128;

/// Key parameters of one attribute that are read.
const MOST_KEYS: usize = 16;

/// The highest `KDR` (RFC 4568 section 6.3.1).
const MOST_REKEYING: u8 = 24;

/// Far more than any key has.
const LONGEST_BASE64: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::srtp::{KeySize, ShaTag};

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn of(suite: &str, keys: &[&str], parameters: &[&str]) -> Result<Keying, SdesError> {
        read(suite, keys.iter().copied(), parameters.iter().copied())
    }

    #[test]
    fn example_of_rfc_4568() {
        // Section 4: an offer with a lifetime, an identifier and FEC_ORDER.
        let inline = format!("inline:{KEY}|2^20|1:4");
        let keying = of("AES_CM_128_HMAC_SHA1_80", &[&inline], &["FEC_ORDER=FEC_SRTP"]).unwrap();
        let profile = Profile::Counter(KeySize::Bits128, ShaTag::Bits80);
        assert_eq!(keying.protection, profile.into());
        // The base64 of this text, as `base64 -d` has it.
        let expected = MasterKey::new(profile, b"YS___semctl () {\t220;}\n}\nunles").unwrap().with_mki(&[0, 0, 0, 1]);
        assert_eq!(keying.keys, [expected]);
    }

    #[test]
    fn several_keys_and_parameters() {
        let keys = [&format!("inline:{KEY}|1:2")[..], &format!("INLINE: {KEY}|2^31|258:2")];
        let keying = of("AES_CM_128_HMAC_SHA1_32", &keys, &["KDR=4", "UNENCRYPTED_SRTP", "unauthenticated_srtp", "-x"]);
        let keying = keying.unwrap();
        assert_eq!(keying.keys.iter().map(MasterKey::mki).collect::<Vec<_>>(), [[0, 1], [1, 2]]);
        let protection = keying.protection();
        assert_eq!(
            (protection.rekeying, protection.encrypts_rtp, protection.authenticates_rtp),
            (Some(4), false, false)
        );
    }

    #[test]
    fn padding_is_as_it_likes() {
        // 46 bytes: "QQ==" ends them as it should.
        let digits = "QUFB".repeat(15) + "QQ";
        for padding in ["==", "=", "", "===="] {
            let keying = of("AES_256_CM_HMAC_SHA1_80", &[&format!("inline:{digits}{padding}")], &[]).unwrap();
            assert_eq!((keying.keys[0].key(), keying.keys[0].salt()), (&[b'A'; 32][..], &[b'A'; 14][..]));
        }
    }

    #[test]
    fn errors_name_the_place_and_not_the_key() {
        let suite = "AES_CM_128_HMAC_SHA1_80";
        let good = format!("inline:{KEY}");
        let error = |suite, keys: &[&str], parameters: &[&str]| of(suite, keys, parameters).unwrap_err();
        assert_eq!(error("F8_128_HMAC_SHA1_80", &[&good], &[]), SdesError::Suite);
        assert_eq!(error(suite, &[], &[]), SdesError::NoKey);
        assert_eq!(error(suite, &[&good, KEY], &[]), SdesError::Method(2));
        assert_eq!(error(suite, &[&format!("uri:{KEY}")], &[]), SdesError::Method(1));
        assert_eq!(error(suite, &[&good, "inline:c2VjcmV0!"], &[]), SdesError::NotBase64(2));
        assert_eq!(error(suite, &["inline:"], &[]), SdesError::NotBase64(1));
        for mki in ["1:0", "1:129", "256:1", ":4", "x:4", "1:"] {
            assert_eq!(error(suite, &[&format!("{good}|2^20|{mki}")], &[]), SdesError::Mki(1), "{mki}");
        }
        for rate in ["KDR=25", "KDR=", "KDR=-1", "KDR"] {
            assert_eq!(error(suite, &[&good], &[rate]), SdesError::Rekeying);
        }
        let error = error(suite, &[&good, "inline:c2VjcmV0"], &[]);
        assert_eq!(error.to_string(), "key 2: key and salt of AES_CM_128_HMAC_SHA1_80 are 30 bytes, not 6");
    }

    #[test]
    fn identifiers_of_any_length() {
        assert_eq!(identifier("2^20"), Some(vec![]));
        assert_eq!(identifier("1:20").unwrap(), [&[0; 19][..], &[1]].concat());
        assert_eq!(identifier("65535:2|2^20"), Some(vec![255, 255]));
        assert_eq!(identifier("1:128").unwrap().len(), 128);
    }
}
