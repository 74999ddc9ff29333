//! What a cipher suite means for records (IANA "TLS Cipher Suites").

/// A cipher with a tag of its own (RFC 5116).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aead {
    /// AES_128_GCM (RFC 5288).
    Aes128Gcm,
    /// AES_256_GCM (RFC 5288).
    Aes256Gcm,
    /// AES_128_CCM (RFC 6655).
    Aes128Ccm,
    /// AES_256_CCM (RFC 6655).
    Aes256Ccm,
    /// AES_128_CCM_8 (RFC 6655), with a tag of 8 bytes.
    Aes128Ccm8,
    /// AES_256_CCM_8 (RFC 6655), with a tag of 8 bytes.
    Aes256Ccm8,
    /// CHACHA20_POLY1305 (RFC 7905).
    ChaCha20Poly1305,
}

impl Aead {
    /// Bytes of the key.
    pub const fn key_length(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Ccm | Self::Aes128Ccm8 => 16,
            Self::Aes256Gcm | Self::Aes256Ccm | Self::Aes256Ccm8 | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes of the tag.
    pub const fn tag_length(self) -> usize {
        match self {
            Self::Aes128Ccm8 | Self::Aes256Ccm8 => 8,
            _ => 16,
        }
    }
}

/// A hash function, of a MAC or of the key schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl Hash {
    /// Bytes of a hash.
    pub const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// What protects the records of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// A cipher with a tag.
    Aead(Aead),
    /// AES-CBC with keys of so many bytes, and a MAC (RFC 5246 section 6.2.3.2).
    Cbc {
        /// Bytes of the key: 16 or 32.
        key_length: usize,
        /// The hash of the MAC.
        mac: Hash,
    },
    /// A MAC only (RFC 5246 section 6.2.3.1).
    Null {
        /// The hash of the MAC.
        mac: Hash,
    },
}

/// A cipher suite of TLS 1.2, DTLS 1.2 or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite12 {
    /// What protects the records.
    pub protection: Protection,
    /// The hash of the PRF in version 1.2 (RFC 5246 section 5).
    pub prf: Hash,
}

impl Suite12 {
    /// The suite of a number; `None` for those that are not opened here.
    pub const fn of(number: u16) -> Option<Self> {
        let protection = match number {
            0x0001 => Protection::Null { mac: Hash::Md5 },
            0x0002 | 0x002c..=0x002e | 0xc001 | 0xc006 | 0xc00b | 0xc010 | 0xc015 | 0xc039 => {
                Protection::Null { mac: Hash::Sha1 }
            }
            0x003b | 0x00b0 | 0x00b4 | 0x00b8 | 0xc03a => Protection::Null { mac: Hash::Sha256 },
            0x00b1 | 0x00b5 | 0x00b9 | 0xc03b => Protection::Null { mac: Hash::Sha384 },
            0x002f..=0x0034
            | 0x008c
            | 0x0090
            | 0x0094
            | 0xc004
            | 0xc009
            | 0xc00e
            | 0xc013
            | 0xc018
            | 0xc01d..=0xc01f
            | 0xc035 => Protection::Cbc { key_length: 16, mac: Hash::Sha1 },
            0x0035..=0x003a
            | 0x008d
            | 0x0091
            | 0x0095
            | 0xc005
            | 0xc00a
            | 0xc00f
            | 0xc014
            | 0xc019
            | 0xc020..=0xc022
            | 0xc036 => Protection::Cbc { key_length: 32, mac: Hash::Sha1 },
            0x003c
            | 0x003e..=0x0040
            | 0x0067
            | 0x006c
            | 0x00ae
            | 0x00b2
            | 0x00b6
            | 0xc023
            | 0xc025
            | 0xc027
            | 0xc029
            | 0xc037 => Protection::Cbc { key_length: 16, mac: Hash::Sha256 },
            0x003d | 0x0068..=0x006b | 0x006d => Protection::Cbc { key_length: 32, mac: Hash::Sha256 },
            0x00af | 0x00b3 | 0x00b7 | 0xc024 | 0xc026 | 0xc028 | 0xc02a | 0xc038 => {
                Protection::Cbc { key_length: 32, mac: Hash::Sha384 }
            }
            _ => match Self::aead(number) {
                Some(aead) => Protection::Aead(aead),
                None => return None,
            },
        };
        let prf = match protection {
            Protection::Aead(Aead::Aes256Gcm)
            | Protection::Cbc { mac: Hash::Sha384, .. }
            | Protection::Null { mac: Hash::Sha384 } => Hash::Sha384,
            _ => Hash::Sha256,
        };
        Some(Self { protection, prf })
    }

    const fn aead(number: u16) -> Option<Aead> {
        Some(match number {
            // Whatever the key exchange, 128 and 256 bits take turns.
            0x009c..=0x00ad if number.is_multiple_of(2) => Aead::Aes128Gcm,
            0x009c..=0x00ad => Aead::Aes256Gcm,
            0xc02b..=0xc032 if number.is_multiple_of(2) => Aead::Aes256Gcm,
            0xc02b..=0xc032 | 0xd001 => Aead::Aes128Gcm,
            0xd002 => Aead::Aes256Gcm,
            0xc09c | 0xc09e | 0xc0a4 | 0xc0a6 | 0xc0ac | 0xd005 => Aead::Aes128Ccm,
            0xc09d | 0xc09f | 0xc0a5 | 0xc0a7 | 0xc0ad => Aead::Aes256Ccm,
            0xc0a0 | 0xc0a2 | 0xc0a8 | 0xc0aa | 0xc0ae | 0xc0ff | 0xd003 => Aead::Aes128Ccm8,
            0xc0a1 | 0xc0a3 | 0xc0a9 | 0xc0ab | 0xc0af => Aead::Aes256Ccm8,
            0xcca8..=0xccae => Aead::ChaCha20Poly1305,
            _ => return None,
        })
    }
}

/// A cipher suite of TLS 1.3 and DTLS 1.3 (RFC 8446 appendix B.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite13 {
    /// What protects the records.
    pub aead: Aead,
    /// The hash of the key schedule.
    pub hash: Hash,
}

impl Suite13 {
    /// The suite of a number; `None` for those that are not opened here.
    pub const fn of(number: u16) -> Option<Self> {
        let (aead, hash) = match number {
            0x1301 => (Aead::Aes128Gcm, Hash::Sha256),
            0x1302 => (Aead::Aes256Gcm, Hash::Sha384),
            0x1303 => (Aead::ChaCha20Poly1305, Hash::Sha256),
            0x1304 => (Aead::Aes128Ccm, Hash::Sha256),
            0x1305 => (Aead::Aes128Ccm8, Hash::Sha256),
            _ => return None,
        };
        Some(Self { aead, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dtls::cipher_suite_name;

    /// What the name that IANA gave a suite says of its records.
    fn by_name(name: &str) -> Option<Suite12> {
        let (_, cipher) = name.split_once("_WITH_")?;
        let hash = |end: &str| match end {
            "MD5" => Some(Hash::Md5),
            "SHA" => Some(Hash::Sha1),
            "SHA256" => Some(Hash::Sha256),
            "SHA384" => Some(Hash::Sha384),
            _ => None,
        };
        let mac = cipher.rsplit('_').next().and_then(hash);
        let prf = if mac == Some(Hash::Sha384) { Hash::Sha384 } else { Hash::Sha256 };
        let key_length = if cipher.contains("256_CBC") { 32 } else { 16 };
        let protection = match cipher {
            "AES_128_GCM_SHA256" => Protection::Aead(Aead::Aes128Gcm),
            "AES_256_GCM_SHA384" => Protection::Aead(Aead::Aes256Gcm),
            "AES_128_CCM" | "AES_128_CCM_SHA256" => Protection::Aead(Aead::Aes128Ccm),
            "AES_256_CCM" => Protection::Aead(Aead::Aes256Ccm),
            "AES_128_CCM_8" | "AES_128_CCM_8_SHA256" => Protection::Aead(Aead::Aes128Ccm8),
            "AES_256_CCM_8" => Protection::Aead(Aead::Aes256Ccm8),
            "CHACHA20_POLY1305_SHA256" => Protection::Aead(Aead::ChaCha20Poly1305),
            _ if cipher.starts_with("AES_") && cipher.contains("_CBC_") => Protection::Cbc { key_length, mac: mac? },
            _ if cipher.starts_with("NULL_") => Protection::Null { mac: mac? },
            _ => return None,
        };
        Some(Suite12 { protection, prf })
    }

    #[test]
    fn suites_are_what_their_names_say() {
        let mut known = 0;
        for number in 0..=u16::MAX {
            let Some(name) = cipher_suite_name(number) else { continue };
            assert_eq!(Suite12::of(number), by_name(name), "{number:#06x} {name}");
            known += usize::from(Suite12::of(number).is_some());
        }
        assert!(known > 100, "{known}");
    }

    #[test]
    fn suites_of_version_1_3_are_what_their_names_say() {
        let numbers = (0..=u16::MAX).filter(|number| Suite13::of(*number).is_some());
        let names: Vec<_> = numbers.map(|number| cipher_suite_name(number).unwrap()).collect();
        let expected = [
            "TLS_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS_AES_128_CCM_SHA256",
            "TLS_AES_128_CCM_8_SHA256",
        ];
        assert_eq!(names, expected);
        let suite = Suite13::of(0x1302).unwrap();
        assert_eq!((suite.aead, suite.hash, suite.aead.key_length()), (Aead::Aes256Gcm, Hash::Sha384, 32));
    }
}
