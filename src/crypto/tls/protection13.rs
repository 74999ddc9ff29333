//! The keys of one epoch and side of TLS 1.3 and DTLS 1.3, and records opened with them (RFC 8446 section 5.2, RFC 9147
//! section 4).

use aes::{
    Aes128Enc, Aes256Enc,
    cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher, StreamCipherSeek},
};
use chacha20::ChaCha20;
use zeroize::Zeroizing;

use super::{
    Failure,
    cipher::{Cipher, NONCE_LENGTH},
    schedule13::Schedule,
    suite::{Aead, Suite13},
};

/// Bytes of ciphertext that a record number is encrypted with (RFC 9147 section 4.2.3).
const SAMPLE_LENGTH: usize = 16;

/// Bytes of the longest key.
const LONGEST_KEY: usize = 32;

/// What opens the records that one side sends in one epoch.
pub struct Protection13 {
    cipher: Cipher,
    iv: Zeroizing<[u8; NONCE_LENGTH]>,
}

impl Protection13 {
    /// `None` is not possible: the keys are as long as the suite wants them.
    pub fn new(suite: Suite13, schedule: Schedule, secret: &[u8]) -> Option<Self> {
        let mut iv = Zeroizing::new([0; NONCE_LENGTH]);
        schedule.expand(secret, b"iv", &[], &mut *iv);
        with_key(suite.aead, schedule, secret, b"key", |key| Cipher::new(suite.aead, key))
            .map(|cipher| Self { cipher, iv })
    }

    /// Makes the content of a record in `buffer`, and gives its type. `header` is what stands before the ciphertext, the
    /// record number decrypted.
    pub fn open(&self, sequence: u64, header: &[u8], ciphertext: &[u8], buffer: &mut Vec<u8>) -> Result<u8, Failure> {
        let mut nonce = Zeroizing::new(*self.iv);
        for (byte, number) in nonce.iter_mut().rev().zip(sequence.to_le_bytes()) {
            *byte ^= number;
        }
        self.cipher.open(&nonce, header, ciphertext, buffer)?;
        inner_type(buffer)
    }
}

/// Takes the type from behind the content and its padding (RFC 8446 section 5.4, RFC 9146 section 4).
pub fn inner_type(inner: &mut Vec<u8>) -> Result<u8, Failure> {
    while let Some(last) = inner.pop() {
        if last != 0 {
            return Ok(last);
        }
    }
    Err(Failure::NoContentType)
}

/// What the record numbers that one side sends in one epoch of DTLS 1.3 are encrypted with (RFC 9147 section 4.2.3).
pub enum NumberKey {
    Aes128(Box<Aes128Enc>),
    Aes256(Box<Aes256Enc>),
    ChaCha20(Zeroizing<[u8; LONGEST_KEY]>),
}

impl NumberKey {
    /// `None` is not possible: the key is as long as the suite wants it.
    pub fn new(suite: Suite13, schedule: Schedule, secret: &[u8]) -> Option<Self> {
        with_key(suite.aead, schedule, secret, b"sn", |key| {
            Some(match (suite.aead, key.len()) {
                (Aead::ChaCha20Poly1305, _) => Self::ChaCha20(Zeroizing::new(key.try_into().ok()?)),
                (_, LONGEST_KEY) => Self::Aes256(Box::new(Aes256Enc::new_from_slice(key).ok()?)),
                _ => Self::Aes128(Box::new(Aes128Enc::new_from_slice(key).ok()?)),
            })
        })
    }

    /// What the bytes of a record number are combined with.
    pub fn mask(&self, ciphertext: &[u8]) -> Result<[u8; 2], Failure> {
        let sample: [u8; SAMPLE_LENGTH] = *ciphertext.first_chunk().ok_or(Failure::TooShort)?;
        let mut block = sample.into();
        match self {
            Self::Aes128(key) => key.encrypt_block(&mut block),
            Self::Aes256(key) => key.encrypt_block(&mut block),
            Self::ChaCha20(key) => {
                let [a, b, c, d, nonce @ ..] = sample;
                let mut cipher = ChaCha20::new((&**key).into(), (&nonce).into());
                cipher.seek(64 * u64::from(u32::from_le_bytes([a, b, c, d])));
                block = [0; SAMPLE_LENGTH].into();
                cipher.apply_keystream(&mut block);
            }
        }
        let [first, second, ..] = block.0;
        Ok([first, second])
    }
}

fn with_key<T>(
    aead: Aead,
    schedule: Schedule,
    secret: &[u8],
    label: &[u8],
    make: impl FnOnce(&[u8]) -> Option<T>,
) -> Option<T> {
    let mut key = Zeroizing::new([0; LONGEST_KEY]);
    let key = key.get_mut(..aead.key_length())?;
    schedule.expand(secret, label, &[], key);
    make(key)
}
