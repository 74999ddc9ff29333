//! HMAC (RFC 2104) with the hash that a suite names, keyed once.

use hmac::{Hmac, KeyInit};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use super::suite::Hash;

/// A keyed MAC.
pub enum Mac {
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
}

impl Mac {
    /// `None` is not possible: HMAC takes keys of any length.
    pub fn new(hash: Hash, key: &[u8]) -> Option<Self> {
        Some(match hash {
            Hash::Md5 => Self::Md5(Hmac::new_from_slice(key).ok()?),
            Hash::Sha1 => Self::Sha1(Hmac::new_from_slice(key).ok()?),
            Hash::Sha256 => Self::Sha256(Hmac::new_from_slice(key).ok()?),
            Hash::Sha384 => Self::Sha384(Hmac::new_from_slice(key).ok()?),
        })
    }

    /// Bytes of a tag: the whole of the hash (RFC 5246 section 6.2.3.1).
    pub const fn length(&self) -> usize {
        match self {
            Self::Md5(_) => Hash::Md5.length(),
            Self::Sha1(_) => Hash::Sha1.length(),
            Self::Sha256(_) => Hash::Sha256.length(),
            Self::Sha384(_) => Hash::Sha384.length(),
        }
    }

    /// Whether `tag` is that of `head` and `content`, in constant time.
    pub fn verifies(&self, head: &[u8], content: &[u8], tag: &[u8]) -> bool {
        fn verifies<M: hmac::Mac + Clone>(keyed: &M, head: &[u8], content: &[u8], tag: &[u8]) -> bool {
            keyed.clone().chain_update(head).chain_update(content).verify_slice(tag).is_ok()
        }
        match self {
            Self::Md5(keyed) => verifies(keyed, head, content, tag),
            Self::Sha1(keyed) => verifies(keyed, head, content, tag),
            Self::Sha256(keyed) => verifies(keyed, head, content, tag),
            Self::Sha384(keyed) => verifies(keyed, head, content, tag),
        }
    }
}
