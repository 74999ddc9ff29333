//! Protection profiles: which cipher, which tag, how long the keys, and by which names the field calls them.

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// AES in counter mode and HMAC-SHA1 (RFC 3711 section 4, RFC 6188).
    Counter(KeySize, ShaTag),
    /// AES-GCM (RFC 7714).
    Gcm(GcmKeySize),
    /// No encryption, HMAC-SHA1 (RFC 5764 section 4.1.2).
    Null(ShaTag),
}

/// Bits of an AES key for counter mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySize {
    /// AES-128.
    Bits128,
    /// AES-192.
    Bits192,
    /// AES-256.
    Bits256,
}

/// Bits of an AES key for GCM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GcmKeySize {
    /// AES-128.
    Bits128,
    /// AES-256.
    Bits256,
}

/// Bits of HMAC-SHA1 that end an SRTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShaTag {
    /// Ten bytes.
    Bits80,
    /// Four bytes.
    Bits32,
}

impl Profile {
    /// All of them; those that the field uses most come first.
    pub const ALL: [Self; 10] = [
        Self::Counter(KeySize::Bits128, ShaTag::Bits80),
        Self::Gcm(GcmKeySize::Bits128),
        Self::Gcm(GcmKeySize::Bits256),
        Self::Counter(KeySize::Bits128, ShaTag::Bits32),
        Self::Counter(KeySize::Bits256, ShaTag::Bits80),
        Self::Counter(KeySize::Bits256, ShaTag::Bits32),
        Self::Counter(KeySize::Bits192, ShaTag::Bits80),
        Self::Counter(KeySize::Bits192, ShaTag::Bits32),
        Self::Null(ShaTag::Bits80),
        Self::Null(ShaTag::Bits32),
    ];

    /// The profile of a number in DTLS' `use_srtp` (IANA "DTLS-SRTP Protection Profiles"); `None` of one that cannot be
    /// opened. 3 and 4 are unassigned there and taken as pion means them.
    #[must_use]
    pub const fn from_dtls(number: u16) -> Option<Self> {
        Some(match number {
            0x0001 => Self::Counter(KeySize::Bits128, ShaTag::Bits80),
            0x0002 => Self::Counter(KeySize::Bits128, ShaTag::Bits32),
            0x0003 => Self::Counter(KeySize::Bits256, ShaTag::Bits80),
            0x0004 => Self::Counter(KeySize::Bits256, ShaTag::Bits32),
            0x0005 => Self::Null(ShaTag::Bits80),
            0x0006 => Self::Null(ShaTag::Bits32),
            0x0007 => Self::Gcm(GcmKeySize::Bits128),
            0x0008 => Self::Gcm(GcmKeySize::Bits256),
            _ => return None,
        })
    }

    /// The profile of a crypto suite (IANA "SRTP Crypto Suite Registrations"), or of a name that OpenSSL, GnuTLS,
    /// libsrtp, rtpengine and GStreamer have for one: `SRTP_AES128_CM_SHA1_80`, `srtp_profile_aead_aes_128_gcm`,
    /// `NULL_HMAC_SHA1_80`, `aes-256-icm-hmac-sha1-80`. Letters count alike in either case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name.len() > LONGEST_NAME {
            return None;
        }
        let mut words = Words::default();
        for word in name.split(['_', '-']) {
            words.take(&word.to_ascii_uppercase())?;
        }
        words.profile()
    }

    /// The name as a crypto suite; of those that IANA has no suite for, the one that rtpengine gives them.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter(KeySize::Bits128, ShaTag::Bits80) => "AES_CM_128_HMAC_SHA1_80",
            Self::Counter(KeySize::Bits128, ShaTag::Bits32) => "AES_CM_128_HMAC_SHA1_32",
            Self::Counter(KeySize::Bits192, ShaTag::Bits80) => "AES_192_CM_HMAC_SHA1_80",
            Self::Counter(KeySize::Bits192, ShaTag::Bits32) => "AES_192_CM_HMAC_SHA1_32",
            Self::Counter(KeySize::Bits256, ShaTag::Bits80) => "AES_256_CM_HMAC_SHA1_80",
            Self::Counter(KeySize::Bits256, ShaTag::Bits32) => "AES_256_CM_HMAC_SHA1_32",
            Self::Gcm(GcmKeySize::Bits128) => "AEAD_AES_128_GCM",
            Self::Gcm(GcmKeySize::Bits256) => "AEAD_AES_256_GCM",
            Self::Null(ShaTag::Bits80) => "NULL_HMAC_SHA1_80",
            Self::Null(ShaTag::Bits32) => "NULL_HMAC_SHA1_32",
        }
    }

    /// Bytes of the master key. RFC 5764 gives the NULL profiles none, of which no key can be derived: libsrtp,
    /// rtpengine and SIPp all take the 16 of AES-128.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::Counter(KeySize::Bits128, _) | Self::Gcm(GcmKeySize::Bits128) | Self::Null(_) => 16,
            Self::Counter(KeySize::Bits192, _) => 24,
            Self::Counter(KeySize::Bits256, _) | Self::Gcm(GcmKeySize::Bits256) => 32,
        }
    }

    /// Bytes of the master salt (RFC 3711 section 8.2, RFC 7714 section 12).
    #[must_use]
    pub const fn salt_length(self) -> usize {
        match self {
            Self::Counter(..) | Self::Null(_) => 14,
            Self::Gcm(_) => 12,
        }
    }

    /// Bytes of master key and salt together: what SDES writes in base64.
    #[must_use]
    pub const fn master_length(self) -> usize {
        self.key_length() + self.salt_length()
    }

    /// Bytes that DTLS exports: a key and a salt for the client and for the server (RFC 5764 section 4.2).
    #[must_use]
    pub const fn exported_length(self) -> usize {
        2 * self.master_length()
    }

    /// Bytes of the tag of an SRTP packet.
    #[must_use]
    pub const fn tag_length(self) -> usize {
        match self {
            Self::Counter(_, ShaTag::Bits80) | Self::Null(ShaTag::Bits80) => 10,
            Self::Counter(_, ShaTag::Bits32) | Self::Null(ShaTag::Bits32) => 4,
            Self::Gcm(_) => GCM_TAG_LENGTH,
        }
    }

    /// Bytes of the tag of an SRTCP packet: the short tag is for SRTP only (RFC 3711 section 5.2, RFC 4568 section
    /// 6.2.2, RFC 5764 section 4.1.2).
    #[must_use]
    pub const fn rtcp_tag_length(self) -> usize {
        match self {
            Self::Counter(..) | Self::Null(_) => 10,
            Self::Gcm(_) => GCM_TAG_LENGTH,
        }
    }

    /// Whether the short tag is the one of SRTP. Some peers end SRTCP with it too, against the RFCs.
    #[must_use]
    pub const fn has_short_tag(self) -> bool {
        self.tag_length() < self.rtcp_tag_length()
    }
}

/// What the words of a name said.
#[derive(Default)]
struct Words {
    bits: Option<KeySize>,
    tag: Option<ShaTag>,
    counter: bool,
    gcm: bool,
    null: bool,
    aes: bool,
    sha: bool,
}

impl Words {
    /// `None` of a word that stands in no name: ARIA, F8, SEED and CCM are other ciphers.
    fn take(&mut self, word: &str) -> Option<()> {
        match word {
            "SRTP" | "PROFILE" | "AEAD" | "HMAC" => {}
            "AES" => self.aes = true,
            "AES128" => (self.aes, self.bits) = (true, Some(KeySize::Bits128)),
            "AES192" => (self.aes, self.bits) = (true, Some(KeySize::Bits192)),
            "AES256" => (self.aes, self.bits) = (true, Some(KeySize::Bits256)),
            "128" => self.bits = Some(KeySize::Bits128),
            "192" => self.bits = Some(KeySize::Bits192),
            "256" => self.bits = Some(KeySize::Bits256),
            "CM" | "ICM" | "CTR" => self.counter = true,
            "GCM" => self.gcm = true,
            "NULL" => self.null = true,
            "SHA1" => self.sha = true,
            "80" if self.sha => self.tag = Some(ShaTag::Bits80),
            "32" if self.sha => self.tag = Some(ShaTag::Bits32),
            _ => return None,
        }
        Some(())
    }

    fn profile(&self) -> Option<Profile> {
        match (self.counter, self.gcm, self.null, self.aes, self.bits, self.tag) {
            (true, false, false, true, Some(bits), Some(tag)) => Some(Profile::Counter(bits, tag)),
            (false, true, false, true, Some(KeySize::Bits128), None) => Some(Profile::Gcm(GcmKeySize::Bits128)),
            (false, true, false, true, Some(KeySize::Bits256), None) => Some(Profile::Gcm(GcmKeySize::Bits256)),
            (false, false, true, false, None, Some(tag)) => Some(Profile::Null(tag)),
            _ => None,
        }
    }
}

/// Bytes of the tag that RFC 7714 section 13 leaves as the only one.
pub(super) const GCM_TAG_LENGTH: usize = 16;

/// Longer than any name.
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const AES_80: Profile = Profile::Counter(KeySize::Bits128, ShaTag::Bits80);

    #[test]
    fn numbers_and_lengths_of_the_rfcs() {
        // RFC 5764 section 4.1.2, RFC 7714 section 14.2: key, salt, tag, tag of SRTCP.
        let lengths = |profile: Profile| {
            (profile.key_length(), profile.salt_length(), profile.tag_length(), profile.rtcp_tag_length())
        };
        let of = |number| Profile::from_dtls(number).map(lengths);
        assert_eq!(of(1), Some((16, 14, 10, 10)));
        assert_eq!(of(2), Some((16, 14, 4, 10)));
        assert_eq!(of(5), Some((16, 14, 10, 10)));
        assert_eq!(of(6), Some((16, 14, 4, 10)));
        assert_eq!(of(7), Some((16, 12, 16, 16)));
        assert_eq!(of(8), Some((32, 12, 16, 16)));
        // DOUBLE_AEAD and ARIA.
        assert_eq!([0, 9, 10, 11, 16, 0xffff].map(of), [None; 6]);
        // RFC 6188 section 4: 24 and 32 bytes of key, 14 of salt.
        let suite = |name| Profile::from_name(name).map(lengths);
        assert_eq!(suite("AES_192_CM_HMAC_SHA1_80"), Some((24, 14, 10, 10)));
        assert_eq!(suite("AES_256_CM_HMAC_SHA1_32"), Some((32, 14, 4, 10)));
        assert_eq!(AES_80.exported_length(), 60);
    }

    #[test]
    fn names_of_the_field() {
        for (name, number) in [
            ("AES_CM_128_HMAC_SHA1_80", 1),
            ("SRTP_AES128_CM_HMAC_SHA1_80", 1),
            ("SRTP_AES128_CM_SHA1_80", 1),
            ("srtp_profile_aes128_cm_sha1_80", 1),
            ("aes-128-icm-hmac-sha1-80", 1),
            ("AES_CM_128_HMAC_SHA1_32", 2),
            ("SRTP_AES128_CM_SHA1_32", 2),
            ("AES_256_CM_HMAC_SHA1_80", 3),
            ("AES_CM_256_HMAC_SHA1_80", 3),
            ("NULL_HMAC_SHA1_80", 5),
            ("SRTP_NULL_HMAC_SHA1_80", 5),
            ("srtp_profile_null_sha1_32", 6),
            ("AEAD_AES_128_GCM", 7),
            ("SRTP_AEAD_AES_128_GCM", 7),
            ("AES_128_GCM", 7),
            ("SRTP_AEAD_AES_256_GCM", 8),
        ] {
            assert_eq!(Profile::from_name(name), Profile::from_dtls(number), "{name}");
        }
        for profile in Profile::ALL {
            assert_eq!(Profile::from_name(profile.name()), Some(profile));
        }
    }

    #[test]
    fn other_ciphers_have_no_profile() {
        for name in [
            "",
            "_",
            "AES",
            "F8_128_HMAC_SHA1_80",
            "SEED_CTR_128_HMAC_SHA1_80",
            "AEAD_AES_128_CCM",
            "AEAD_AES_192_GCM",
            "AEAD_AES_128_GCM_8",
            "DOUBLE_AEAD_AES_128_GCM_AEAD_AES_128_GCM",
            "SRTP_ARIA_128_CTR_HMAC_SHA1_80",
            "AES_CM_128_HMAC_SHA1_64",
            "AES_CM_HMAC_SHA1_80",
            "AES_CM_128",
            "AES_CM_80_HMAC_SHA1",
            "AES_CM_128_NULL_AUTH",
            &"AES_".repeat(1000),
        ] {
            assert_eq!(Profile::from_name(name), None, "{name}");
        }
    }
}
