//! Master keys, and what is agreed about their use.

use crate::crypto::{secret::Secret, srtp::profile::Profile};

/// A master key and salt of the length that their profile has, and the identifier by which packets name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MasterKey {
    /// The key and behind it the salt.
    secret: Secret,
    key_length: usize,
    /// The master key identifier (RFC 3711 section 3.1); empty where packets have none.
    mki: Vec<u8>,
}

/// Key and salt are not of the length that the profile has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key and salt of {profile} are {expected} bytes, not {actual}", profile = .profile.name())]
pub struct KeyLength {
    /// Whose length it is.
    pub profile: Profile,
    /// Bytes that key and salt have under it.
    pub expected: usize,
    /// Bytes that there are.
    pub actual: usize,
}

impl MasterKey {
    /// A key and behind it the salt, as SDES writes them.
    ///
    /// # Errors
    /// When they are not as long as `profile` has them.
    pub(super) fn new(profile: Profile, key_and_salt: &[u8]) -> Result<Self, KeyLength> {
        let (expected, actual) = (profile.master_length(), key_and_salt.len());
        if actual != expected {
            return Err(KeyLength { profile, expected, actual });
        }
        Ok(Self { secret: Secret::from(key_and_salt), key_length: profile.key_length(), mki: Vec::new() })
    }

    /// The same key, named by an identifier in each packet.
    #[must_use]
    pub(super) fn with_mki(mut self, mki: &[u8]) -> Self {
        self.mki = mki.to_vec();
        self
    }

    /// The key as libsrtp takes it where that differs from RFC 6188 section 3: it derives the session keys of AES-192
    /// under AES-256, whose key is then this one and eight bytes of the salt. `None` for other keys.
    pub(super) fn as_of_libsrtp(&self) -> Option<Self> {
        (self.key_length == 24).then(|| {
            let padding = [0; 8];
            let secret = Secret::new([&self.secret[..], &padding].concat());
            Self { secret, key_length: 32, mki: self.mki.clone() }
        })
    }

    /// The master key.
    pub(super) fn key(&self) -> &[u8] {
        self.secret.get(..self.key_length).unwrap_or_default()
    }

    /// The master salt.
    pub(super) fn salt(&self) -> &[u8] {
        self.secret.get(self.key_length..).unwrap_or_default()
    }

    /// The identifier; empty where packets have none.
    pub(super) fn mki(&self) -> &[u8] {
        &self.mki
    }
}

/// What protects one direction: a profile, its master keys, and what was agreed beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keying {
    pub(super) protection: Protection,
    pub(super) keys: Vec<MasterKey>,
}

/// A profile and what SDES may change of it (RFC 4568 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The profile.
    pub profile: Profile,
    /// Session keys change every 2^n packets (RFC 3711 section 4.3.1), n at most 24; `None` when they never do.
    pub rekeying: Option<u8>,
    /// SRTP packets are encrypted. Of SRTCP each packet says so itself.
    pub encrypts_rtp: bool,
    /// SRTP packets end with a tag. SRTCP always does.
    pub authenticates_rtp: bool,
    /// Bytes of the tag of an SRTCP packet.
    pub rtcp_tag_length: usize,
}

impl From<Profile> for Protection {
    fn from(profile: Profile) -> Self {
        Self {
            profile,
            rekeying: None,
            encrypts_rtp: true,
            authenticates_rtp: true,
            rtcp_tag_length: profile.rtcp_tag_length(),
        }
    }
}

impl Keying {
    /// One master key without an identifier.
    ///
    /// # Errors
    /// When key and salt are not as long as `profile` has them.
    pub fn new(profile: Profile, key_and_salt: &[u8]) -> Result<Self, KeyLength> {
        Ok(Self { protection: profile.into(), keys: vec![MasterKey::new(profile, key_and_salt)?] })
    }

    /// What DTLS exported under `EXTRACTOR-dtls_srtp` (RFC 5764 section 4.2): what protects the packets of the client,
    /// and those of the server. `mki` is the identifier that `use_srtp` agreed on, mostly empty.
    ///
    /// # Errors
    /// When `exported` is shorter than [`Profile::exported_length`]; what is behind that is not read.
    pub fn from_exported(profile: Profile, exported: &[u8], mki: &[u8]) -> Result<[Self; 2], KeyLength> {
        let (key, salt) = (profile.key_length(), profile.salt_length());
        let short = KeyLength { profile, expected: profile.exported_length(), actual: exported.len() };
        let mut rest = exported;
        let mut next = |length| {
            let (part, behind) = rest.split_at_checked(length).ok_or(short)?;
            rest = behind;
            Ok(part)
        };
        let (client_key, server_key) = (next(key)?, next(key)?);
        let (client_salt, server_salt) = (next(salt)?, next(salt)?);
        let of = |key: &[u8], salt: &[u8]| {
            let joined = Secret::new([key, salt].concat());
            let master = MasterKey::new(profile, &joined)?.with_mki(mki);
            Ok(Self { protection: profile.into(), keys: vec![master] })
        };
        Ok([of(client_key, client_salt)?, of(server_key, server_salt)?])
    }

    /// The profile and what was agreed beside.
    #[must_use]
    pub const fn protection(&self) -> &Protection {
        &self.protection
    }

    /// The same keys with SRTCP tags of `length` bytes. Some peers end SRTCP with the short tag too: where
    /// [`Profile::has_short_tag`], 4 is worth trying when 10 fails.
    #[must_use]
    pub const fn with_rtcp_tag_length(mut self, length: usize) -> Self {
        self.protection.rtcp_tag_length = length;
        self
    }

    /// The same keys for packets that do not name them. Some peers agree on an identifier and then send none: worth
    /// trying when [`super::OpenError::UnknownMki`] or tags fail.
    #[must_use]
    pub fn without_mki(mut self) -> Self {
        self.keys.iter_mut().for_each(|key| key.mki.clear());
        self
    }

    /// Whether packets name their key.
    #[must_use]
    pub fn has_mki(&self) -> bool {
        self.keys.iter().any(|key| !key.mki.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exported_keys_are_split_as_rfc_5764_orders_them() {
        let profile = Profile::from_dtls(7).unwrap();
        // Client key, server key, client salt, server salt.
        let exported: Vec<u8> = [vec![1; 16], vec![2; 16], vec![3; 12], vec![4; 12], vec![5; 9]].concat();
        let [client, server] = Keying::from_exported(profile, &exported, &[7, 8]).unwrap();
        let parts = |keying: &Keying| {
            let key = &keying.keys[0];
            (key.key().to_vec(), key.salt().to_vec(), key.mki().to_vec())
        };
        assert_eq!(parts(&client), (vec![1; 16], vec![3; 12], vec![7, 8]));
        assert_eq!(parts(&server), (vec![2; 16], vec![4; 12], vec![7, 8]));
        assert!(client.has_mki() && !client.without_mki().has_mki());
        let error = Keying::from_exported(profile, &exported[..55], &[]).unwrap_err();
        assert_eq!((error.expected, error.actual), (56, 55));
    }

    #[test]
    fn lengths_are_checked_and_keys_not_shown() {
        let profile = Profile::from_name("AES_CM_128_HMAC_SHA1_80").unwrap();
        let error = Keying::new(profile, &[0x41; 31]).unwrap_err();
        assert_eq!(error.to_string(), "key and salt of AES_CM_128_HMAC_SHA1_80 are 30 bytes, not 31");
        let shown = format!("{:?}", Keying::new(profile, &[0x41; 30]).unwrap());
        assert!(shown.contains("30 secret bytes"), "{shown}");
        assert!(!shown.contains("65") && !shown.contains("41"), "{shown}");
    }
}
