//! The ciphers with a tag, expanded (RFC 5116).

use aes::{Aes128, Aes256};
use aes_gcm::{
    Aes128Gcm, Aes256Gcm, KeyInit,
    aead::{
        AeadInOut, Nonce, Tag,
        consts::{U8, U12, U16},
    },
};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;

use super::{Failure, suite::Aead};

/// Bytes of a nonce.
pub const NONCE_LENGTH: usize = 12;

/// A cipher with its key.
pub enum Cipher {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    Aes128Ccm(Box<Ccm<Aes128, U16, U12>>),
    Aes256Ccm(Box<Ccm<Aes256, U16, U12>>),
    Aes128Ccm8(Box<Ccm<Aes128, U8, U12>>),
    Aes256Ccm8(Box<Ccm<Aes256, U8, U12>>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
}

impl Cipher {
    /// `None` where the key is not as long as [`Aead::key_length`] says.
    pub fn new(aead: Aead, key: &[u8]) -> Option<Self> {
        fn keyed<C: KeyInit>(key: &[u8]) -> Option<Box<C>> {
            C::new_from_slice(key).ok().map(Box::new)
        }
        Some(match aead {
            Aead::Aes128Gcm => Self::Aes128Gcm(keyed(key)?),
            Aead::Aes256Gcm => Self::Aes256Gcm(keyed(key)?),
            Aead::Aes128Ccm => Self::Aes128Ccm(keyed(key)?),
            Aead::Aes256Ccm => Self::Aes256Ccm(keyed(key)?),
            Aead::Aes128Ccm8 => Self::Aes128Ccm8(keyed(key)?),
            Aead::Aes256Ccm8 => Self::Aes256Ccm8(keyed(key)?),
            Aead::ChaCha20Poly1305 => Self::ChaCha20Poly1305(keyed(key)?),
        })
    }

    /// Makes the plaintext of `ciphertext`, whose tag is at its end, in `buffer`.
    pub fn open(
        &self,
        nonce: &[u8; NONCE_LENGTH],
        additional: &[u8],
        ciphertext: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match self {
            Self::Aes128Gcm(cipher) => open(&**cipher, nonce, additional, ciphertext, buffer),
            Self::Aes256Gcm(cipher) => open(&**cipher, nonce, additional, ciphertext, buffer),
            Self::Aes128Ccm(cipher) => open(&**cipher, nonce, additional, ciphertext, buffer),
            Self::Aes256Ccm(cipher) => open(&**cipher, nonce, additional, ciphertext, buffer),
            Self::Aes128Ccm8(cipher) => open(&**cipher, nonce, additional, ciphertext, buffer),
            Self::Aes256Ccm8(cipher) => open(&**cipher, nonce, additional, ciphertext, buffer),
            Self::ChaCha20Poly1305(cipher) => open(&**cipher, nonce, additional, ciphertext, buffer),
        }
    }
}

fn open<C: AeadInOut<NonceSize = U12>>(
    cipher: &C,
    nonce: &[u8; NONCE_LENGTH],
    additional: &[u8],
    ciphertext: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<(), Failure> {
    let length = ciphertext.len().checked_sub(size_of::<Tag<C>>()).ok_or(Failure::TooShort)?;
    let (ciphertext, tag) = ciphertext.split_at(length);
    let tag = Tag::<C>::try_from(tag).map_err(|_| Failure::TooShort)?;
    let nonce: &Nonce<C> = nonce.into();
    buffer.clear();
    buffer.extend_from_slice(ciphertext);
    let opened = cipher.decrypt_inout_detached(nonce, additional, buffer.as_mut_slice().into(), &tag);
    opened.map_err(|_| {
        // Not authentic, so never to be read.
        buffer.clear();
        Failure::TagMismatch
    })
}
