//! Bytes that are shown nowhere and wiped when they are dropped.

use std::{fmt, ops::Deref};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Key material of any length. It derefs to its bytes for use; `Debug` tells only how many they are.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over. What the caller grew the vector from is the caller's to wipe.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }
}

/// In a time that does not depend on where they differ.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} secret bytes", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_only() {
        let secret = Secret::from(&[0x41, 0x42, 0xab][..]);
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "3 secret bytes Some(3 secret bytes)");
    }

    #[test]
    fn equality_is_of_all_bytes() {
        let secret = Secret::new(vec![1, 2, 3]);
        assert_eq!(secret, Secret::from(&[1, 2, 3][..]));
        assert_ne!(secret, Secret::from(&[1, 2, 4][..]));
        assert_ne!(secret, Secret::from(&[1, 2][..]));
        assert_eq!(&secret[1..], [2, 3]);
    }
}
