//! The primitives: AES as a keystream, HMAC-SHA1 and GHASH as tags. Key schedules are made once and kept.

use aes::{
    Aes128Enc, Aes192Enc, Aes256Enc,
    cipher::{BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher, consts::U16},
};
use ctr::{Ctr32BE, CtrCore, flavors};
use ghash::{GHash, universal_hash::UniversalHash};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::crypto::srtp::profile::GCM_TAG_LENGTH;

/// A block of AES.
pub(super) type Block = [u8; 16];

/// An expanded AES key.
#[derive(Clone)]
pub(super) enum Aes {
    Bits128(Aes128Enc),
    Bits192(Aes192Enc),
    Bits256(Aes256Enc),
}

impl Aes {
    /// `None` of a key that is not 16, 24 or 32 bytes.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128Enc::new_from_slice(key).ok().map(Self::Bits128),
            24 => Aes192Enc::new_from_slice(key).ok().map(Self::Bits192),
            32 => Aes256Enc::new_from_slice(key).ok().map(Self::Bits256),
            _ => None,
        }
    }

    /// Encrypts one block.
    pub(super) fn encrypt(&self, mut block: Block) -> Block {
        let place = (&mut block).into();
        match self {
            Self::Bits128(aes) => aes.encrypt_block(place),
            Self::Bits192(aes) => aes.encrypt_block(place),
            Self::Bits256(aes) => aes.encrypt_block(place),
        }
        block
    }

    /// Adds the keystream that starts at `counter` to `parts`, as if they were one.
    ///
    /// Only the last 32 bits count up, as GCM has it. AES-CM has 16 for its own, which start at zero and do not overflow
    /// within the 2^20 bytes that no packet has.
    pub(super) fn apply<const N: usize>(&self, counter: Block, parts: [&mut [u8]; N]) {
        match self {
            Self::Bits128(aes) => apply(aes, counter, parts),
            Self::Bits192(aes) => apply(aes, counter, parts),
            Self::Bits256(aes) => apply(aes, counter, parts),
        }
    }
}

fn apply<A, const N: usize>(aes: &A, counter: Block, parts: [&mut [u8]; N])
where
    A: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let core = CtrCore::<&A, flavors::Ctr32BE>::inner_iv_init(aes, &counter.into());
    let mut keystream: Ctr32BE<&A> = Ctr32BE::from_core(core);
    for part in parts {
        keystream.unchecked_apply_keystream(part);
    }
}

/// What authenticates packets.
#[derive(Clone)]
pub(super) enum Authenticator {
    /// HMAC-SHA1 with its key taken in.
    Hmac(Hmac<Sha1>),
    /// GHASH with its key taken in.
    Ghash(GHash),
}

impl Authenticator {
    /// HMAC-SHA1 of a key of any length.
    pub(super) fn hmac(key: &[u8]) -> Option<Self> {
        <Hmac<Sha1> as KeyInit>::new_from_slice(key).ok().map(Self::Hmac)
    }

    /// GHASH, whose key is a block of zeros encrypted (NIST SP 800-38D section 6.4).
    pub(super) fn ghash(aes: &Aes) -> Self {
        Self::Ghash(GHash::new(&aes.encrypt([0; 16]).into()))
    }
}

/// The tag of HMAC-SHA1 over `parts`, as it is before the rollover counter is taken in.
pub(super) fn hmac_of(keyed: &Hmac<Sha1>, parts: &[&[u8]]) -> Hmac<Sha1> {
    let mut state = keyed.clone();
    parts.iter().for_each(|part| state.update(part));
    state
}

/// GHASH over what is authenticated only and what is encrypted too (NIST SP 800-38D section 7.1 step 5).
pub(super) fn ghash_of(keyed: &GHash, clear: &[u8], encrypted: &[u8]) -> Block {
    let bits = |bytes: &[u8]| (bytes.len() as u64 * 8).to_be_bytes();
    let mut state = keyed.clone();
    state.update_padded(clear);
    state.update_padded(encrypted);
    state.update_padded(&[bits(clear), bits(encrypted)].concat());
    state.finalize().into()
}

/// Whether a tag of GCM is the hash encrypted under the first counter block (NIST SP 800-38D section 7.1 step 6).
pub(super) fn is_gcm_tag(tag: &[u8], hash: Block, encrypted_counter: Block) -> bool {
    let mut expected = [0; GCM_TAG_LENGTH];
    for ((byte, hash), mask) in expected.iter_mut().zip(hash).zip(encrypted_counter) {
        *byte = hash ^ mask;
    }
    expected.ct_eq(tag).into()
}
