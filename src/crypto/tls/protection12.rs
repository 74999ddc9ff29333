//! The keys of a connection up to TLS 1.2 or DTLS 1.2, and records opened with them (RFC 5246 section 6.2.3, RFC 6347
//! section 4.1.2, RFC 5288, RFC 6655, RFC 7905, RFC 7366, RFC 9146).

use aes::{Aes128Dec, Aes256Dec};
use cbc::{
    Decryptor,
    cipher::{Array, BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit, consts::U16},
};
use zeroize::Zeroizing;

use super::{
    Failure, Side, Unusable,
    cipher::{Cipher, NONCE_LENGTH},
    covered::Covered,
    mac::Mac,
    prf::Prf,
    protection13::inner_type,
    suite::{Aead, Protection, Suite12},
};
use crate::{
    crypto::secret::Secret,
    wire::dtls::{content_type::TLS12_CID, version},
};

/// TLS 1.1 (RFC 4346), the first with an explicit vector for CBC.
const TLS_1_1: u16 = 0x0302;
/// TLS 1.2.
const TLS_1_2: u16 = 0x0303;

/// Bytes of a block of AES.
const BLOCK_LENGTH: usize = 16;
/// Bytes of the longest key block: two MAC keys of SHA-384 and two keys of AES-256.
const LONGEST_KEY_BLOCK: usize = 2 * (48 + 32);
/// Bytes of what a GCM or CCM record starts with: the part of the nonce that is sent.
const EXPLICIT_LENGTH: usize = 8;
/// Bytes of a master secret (RFC 5246 section 8.1).
const MASTER_LENGTH: usize = 48;

/// What the hellos of a connection agreed on. Whether with the extended master secret (RFC 7627) or not makes no
/// difference behind the master secret, which is what a key log gives.
#[derive(Clone, Copy, Debug)]
pub struct Negotiated<'a> {
    /// The version chosen: [`version`], or 0x0302 and 0x0303 of TLS.
    pub version: u16,
    /// The cipher suite chosen.
    pub cipher_suite: u16,
    /// The ClientHello's random.
    pub client_random: &'a [u8; 32],
    /// The ServerHello's random.
    pub server_random: &'a [u8; 32],
    /// Whether the server took encrypt-then-MAC (RFC 7366).
    pub encrypt_then_mac: bool,
}

/// The secret part of a connection: its keys, and what is exported from it.
pub struct Connection12 {
    /// What opens the records of the client and of the server.
    pub protections: [Protection12; 2],
    prf: Prf,
    master: Secret,
    /// The client's and the server's, as exporters have them.
    randoms: [u8; 64],
}

impl Connection12 {
    /// Makes the keys (RFC 5246 section 6.3).
    pub fn new(negotiated: &Negotiated<'_>, master: &[u8]) -> Result<Self, Unusable> {
        let Negotiated { version, cipher_suite, client_random, server_random, encrypt_then_mac } = *negotiated;
        let unsuited = Unusable::Suite(cipher_suite);
        let suite = Suite12::of(cipher_suite).ok_or(unsuited)?;
        let is_aead = matches!(suite.protection, Protection::Aead(_));
        let prf = match version {
            version::DTLS_1_2 | TLS_1_2 => Prf::of_hash(suite.prf),
            version::DTLS_1_0 | TLS_1_1 if !is_aead => Prf::Md5Sha1,
            version::DTLS_1_0 | TLS_1_1 => return Err(unsuited),
            _ => return Err(Unusable::Version(version)),
        };
        if master.len() != MASTER_LENGTH {
            return Err(Unusable::SecretLength(master.len()));
        }
        let mut block = Zeroizing::new([0; LONGEST_KEY_BLOCK]);
        prf.fill(master, b"key expansion", &[server_random, client_random], &mut *block);
        let protections = Protection12::pair(suite.protection, encrypt_then_mac, &*block).ok_or(unsuited)?;
        let mut randoms = [0; 64];
        let (client, server) = randoms.split_at_mut(client_random.len());
        client.copy_from_slice(client_random);
        server.copy_from_slice(server_random);
        Ok(Self { protections, prf, master: Secret::from(master), randoms })
    }

    /// Fills `output` with keying material for another protocol (RFC 5705 section 4).
    pub fn export(&self, label: &str, context: Option<&[u8]>, output: &mut [u8]) {
        let length = context.and_then(|context| u16::try_from(context.len()).ok()).map(u16::to_be_bytes);
        let length: &[u8] = length.as_ref().map_or(&[], |length| length);
        let seed = [self.randoms.as_slice(), length, context.unwrap_or_default()];
        self.prf.fill(&self.master, label.as_bytes(), &seed, output);
    }

    /// What opens the records of one side.
    pub const fn of(&self, side: Side) -> &Protection12 {
        side.of(&self.protections)
    }
}

/// What a record's protection covers beside its content.
#[derive(Clone, Copy, Debug)]
pub struct Header12<'a> {
    /// The content type.
    pub content_type: u8,
    /// The version, as the record has it.
    pub version: u16,
    /// The sequence number; of DTLS the epoch's 16 bits and the number's 48.
    pub number: u64,
    /// The connection id (RFC 9146); of other types than [`TLS12_CID`] none.
    pub connection_id: &'a [u8],
}

impl Header12<'_> {
    /// RFC 5246 section 6.2.3.3, or RFC 9146 section 5, for a content of so many bytes.
    fn covered(&self, length: usize) -> Covered {
        let number = self.number.to_be_bytes();
        let version = self.version.to_be_bytes();
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let mut covered = Covered::new();
        if self.content_type == TLS12_CID {
            let id_length = u8::try_from(self.connection_id.len()).unwrap_or(u8::MAX);
            covered.push(&[0xff; 8]);
            covered.push(&[TLS12_CID, id_length, TLS12_CID]);
            covered.push(&version);
            covered.push(&number);
            covered.push(self.connection_id);
        } else {
            covered.push(&number);
            covered.push(&[self.content_type]);
            covered.push(&version);
        }
        covered.push(&length);
        covered
    }
}

/// What opens the records that one side sends.
pub enum Protection12 {
    /// A cipher with a tag; the fixed part of the nonce, four bytes of it where the record has the others.
    Aead { cipher: Cipher, fixed: Zeroizing<[u8; NONCE_LENGTH]>, aead: Aead },
    /// CBC with a MAC of the plaintext, or of the ciphertext.
    Cbc { key: CbcKey, mac: Mac, encrypt_then_mac: bool },
    /// A MAC behind the plaintext.
    Null { mac: Mac },
}

impl Protection12 {
    /// Those of client and server; `None` is not possible: the block is long enough.
    fn pair(protection: Protection, encrypt_then_mac: bool, block: &[u8]) -> Option<[Self; 2]> {
        let (mac_length, key_length, fixed_length) = match protection {
            Protection::Aead(Aead::ChaCha20Poly1305) => (0, Aead::ChaCha20Poly1305.key_length(), NONCE_LENGTH),
            Protection::Aead(aead) => (0, aead.key_length(), NONCE_LENGTH - EXPLICIT_LENGTH),
            Protection::Cbc { key_length, mac } => (mac.length(), key_length, 0),
            Protection::Null { mac } => (mac.length(), 0, 0),
        };
        let (macs, rest) = block.split_at_checked(2 * mac_length)?;
        let (keys, rest) = rest.split_at_checked(2 * key_length)?;
        let fixed = rest.get(..2 * fixed_length)?;
        let (client_mac, server_mac) = macs.split_at(mac_length);
        let (client_key, server_key) = keys.split_at(key_length);
        let (client_fixed, server_fixed) = fixed.split_at(fixed_length);
        Some([
            Self::new(protection, encrypt_then_mac, client_mac, client_key, client_fixed)?,
            Self::new(protection, encrypt_then_mac, server_mac, server_key, server_fixed)?,
        ])
    }

    fn new(protection: Protection, encrypt_then_mac: bool, mac: &[u8], key: &[u8], fixed: &[u8]) -> Option<Self> {
        Some(match protection {
            Protection::Aead(aead) => {
                let mut nonce = Zeroizing::new([0; NONCE_LENGTH]);
                nonce.get_mut(..fixed.len())?.copy_from_slice(fixed);
                Self::Aead { cipher: Cipher::new(aead, key)?, fixed: nonce, aead }
            }
            Protection::Cbc { mac: hash, .. } => {
                Self::Cbc { key: CbcKey::new(key)?, mac: Mac::new(hash, mac)?, encrypt_then_mac }
            }
            Protection::Null { mac: hash } => Self::Null { mac: Mac::new(hash, mac)? },
        })
    }

    /// What of the nonce the record itself has (RFC 5288 section 3, RFC 6655 section 3): most peers count it up.
    pub fn explicit_nonce(&self, content: &[u8]) -> Option<u64> {
        match self {
            Self::Aead { aead: Aead::ChaCha20Poly1305, .. } | Self::Cbc { .. } | Self::Null { .. } => None,
            Self::Aead { .. } => content.first_chunk().map(|explicit| u64::from_be_bytes(*explicit)),
        }
    }

    /// Makes the content of a record in `buffer`, and gives its type.
    pub fn open(&self, header: &Header12<'_>, content: &[u8], buffer: &mut Vec<u8>) -> Result<u8, Failure> {
        let opened = self.decrypt(header, content, buffer);
        if opened.is_err() {
            // Not authentic, so never to be read.
            buffer.clear();
        }
        opened?;
        if header.content_type == TLS12_CID { inner_type(buffer) } else { Ok(header.content_type) }
    }

    fn decrypt(&self, header: &Header12<'_>, content: &[u8], buffer: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Aead { cipher, fixed, aead } => {
                return open_aead(cipher, fixed, *aead, header, content, buffer);
            }
            Self::Cbc { key, mac, encrypt_then_mac: true } => {
                let length = content.len().checked_sub(mac.length()).ok_or(Failure::TooShort)?;
                let (content, tag) = content.split_at(length);
                if !mac.verifies(header.covered(length).bytes(), content, tag) {
                    return Err(Failure::TagMismatch);
                }
                key.decrypt(content, buffer)?;
                let length = unpadded(buffer).ok_or(Failure::TagMismatch)?;
                buffer.truncate(length);
            }
            Self::Cbc { key, mac, encrypt_then_mac: false } => {
                key.decrypt(content, buffer)?;
                // A wrong pad and a wrong MAC are one: what is inside was not made with these keys.
                let length = unpadded(buffer).ok_or(Failure::TagMismatch)?;
                buffer.truncate(length);
                take_mac(mac, header, buffer)?;
            }
            Self::Null { mac } => {
                buffer.clear();
                buffer.extend_from_slice(content);
                take_mac(mac, header, buffer)?;
            }
        }
        Ok(())
    }
}

fn open_aead(
    cipher: &Cipher,
    fixed: &[u8; NONCE_LENGTH],
    aead: Aead,
    header: &Header12<'_>,
    content: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<(), Failure> {
    let mut nonce = Zeroizing::new(*fixed);
    let mut ciphertext = content;
    if aead == Aead::ChaCha20Poly1305 {
        for (byte, number) in nonce.iter_mut().rev().zip(header.number.to_le_bytes()) {
            *byte ^= number;
        }
    } else {
        let (explicit, behind) = content.split_first_chunk::<EXPLICIT_LENGTH>().ok_or(Failure::TooShort)?;
        if let Some(end) = nonce.last_chunk_mut() {
            *end = *explicit;
        }
        ciphertext = behind;
    }
    let length = ciphertext.len().checked_sub(aead.tag_length()).ok_or(Failure::TooShort)?;
    cipher.open(&nonce, header.covered(length).bytes(), ciphertext, buffer)
}

/// Takes the MAC from behind the plaintext.
fn take_mac(mac: &Mac, header: &Header12<'_>, buffer: &mut Vec<u8>) -> Result<(), Failure> {
    let verified = buffer.len().checked_sub(mac.length()).filter(|length| {
        let (plaintext, tag) = buffer.split_at(*length);
        mac.verifies(header.covered(*length).bytes(), plaintext, tag)
    });
    buffer.truncate(verified.ok_or(Failure::TagMismatch)?);
    Ok(())
}

/// Bytes without the padding of CBC, each byte of which tells how many there are beside it (RFC 5246 section 6.2.3.2).
fn unpadded(plaintext: &[u8]) -> Option<usize> {
    let (&count, before) = plaintext.split_last()?;
    let length = before.len().checked_sub(usize::from(count))?;
    before.iter().skip(length).all(|byte| *byte == count).then_some(length)
}

/// A key of AES-CBC, expanded.
pub enum CbcKey {
    Aes128(Box<Aes128Dec>),
    Aes256(Box<Aes256Dec>),
}

impl CbcKey {
    fn new(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            16 => Self::Aes128(Box::new(Aes128Dec::new_from_slice(key).ok()?)),
            _ => Self::Aes256(Box::new(Aes256Dec::new_from_slice(key).ok()?)),
        })
    }

    /// Decrypts a record that starts with its vector.
    fn decrypt(&self, content: &[u8], buffer: &mut Vec<u8>) -> Result<(), Failure> {
        fn decrypt<C: BlockCipherDecrypt<BlockSize = U16>>(key: &C, vector: &[u8; BLOCK_LENGTH], blocks: &mut [u8]) {
            let (blocks, _) = Array::slice_as_chunks_mut(blocks);
            Decryptor::inner_iv_init(key, vector.into()).decrypt_blocks(blocks);
        }
        let (vector, ciphertext) = content.split_first_chunk().ok_or(Failure::TooShort)?;
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK_LENGTH) {
            return Err(Failure::TooShort);
        }
        buffer.clear();
        buffer.extend_from_slice(ciphertext);
        match self {
            Self::Aes128(key) => decrypt(&**key, vector, buffer),
            Self::Aes256(key) => decrypt(&**key, vector, buffer),
        }
        Ok(())
    }
}
