//! Master keys with their session keys ready: tags are checked and packets opened with them.

use std::fmt;

use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::crypto::srtp::{
    Authentic, OpenError,
    cipher::{Authenticator, Block, ghash_of, hmac_of, is_gcm_tag},
    derive::{Purpose, SessionKeys},
    header::{open_cryptex, open_elements},
    master::{Keying, MasterKey, Protection},
    parts::{RTCP_CLEAR_LENGTH, RtcpParts, RtpParts, index_of},
    profile::Profile,
};

/// What opens the packets of one direction. Making one runs the key schedules; opening a packet does not, but for the
/// rare `KDR`.
#[derive(Clone)]
pub struct Context {
    protection: Protection,
    sessions: Vec<Session>,
    /// How many rollover counters may still be searched through: see [`Context::spend`].
    tries: u32,
}

/// What of a packet is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// How many bytes of the payload, from its start.
    pub payload: usize,
    /// The ids of header extensions that are encrypted one by one (RFC 6904).
    pub encrypted_ids: &'a [u8],
}

impl Wanted<'_> {
    /// All of it, where no header extension is encrypted by itself.
    pub const ALL: Self = Self { payload: usize::MAX, encrypted_ids: &[] };
}

/// What an opened SRTCP packet said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedRtcp {
    /// Its 31-bit index, which counts the sender's SRTCP packets.
    pub index: u32,
    /// The E bit: it was encrypted. It was authenticated in either case.
    pub was_encrypted: bool,
}

impl Context {
    /// Derives the session keys.
    #[must_use]
    pub fn new(keying: &Keying) -> Self {
        let Keying { protection, keys } = keying;
        let masters = keys.iter().flat_map(|key| std::iter::once(key.clone()).chain(key.as_of_libsrtp()));
        let sessions = masters.map(|master| Session::new(protection.profile, master)).collect();
        Self { protection: *protection, sessions, tries: MOST_TRIES }
    }

    /// Checks the tag of a whole SRTP packet under a rollover counter that is known.
    ///
    /// # Errors
    /// When there is no tag, none that matches, or no key of that name.
    pub fn authenticate<'p>(&mut self, packet: &'p [u8], rollover: u32) -> Result<Authentic<'p>, OpenError> {
        self.authenticate_any(packet, std::iter::once(rollover))
    }

    /// The same under each of `rollovers` in turn. The packet is hashed once, so that a try costs less than a packet.
    pub(super) fn authenticate_any<'p>(
        &mut self,
        packet: &'p [u8],
        rollovers: impl Iterator<Item = u32> + Clone,
    ) -> Result<Authentic<'p>, OpenError> {
        let mut error = OpenError::UnknownMki;
        for (key, session) in self.sessions.iter_mut().enumerate() {
            let parts = RtpParts::of(packet, &self.protection, session.master.mki().len())?;
            if parts.mki != session.master.mki() {
                continue;
            }
            if let Some(rollover) = session.find_rollover(&self.protection, &parts, rollovers.clone()) {
                self.give_back(TRIES_EARNED);
                return Ok(Authentic { parts, key, rollover });
            }
            error = OpenError::TagMismatch;
        }
        Err(error)
    }

    /// Takes up to `wanted` tries from those that may be made, and tells how many it took. What is made of them is
    /// bounded by a part of the packets that authenticate, so that packets made up for it cost no time.
    pub(super) fn spend(&mut self, wanted: u32) -> u32 {
        let taken = wanted.min(self.tries);
        self.tries -= taken;
        taken
    }

    /// Gives back tries that were not made.
    pub(super) fn give_back(&mut self, tries: u32) {
        self.tries = self.tries.saturating_add(tries).min(MOST_TRIES);
    }

    /// Opens an SRTP packet into `out`, which then holds header and payload as RTP, the payload cut after what is
    /// wanted of it. CSRCs and header extension are as they were before encryption.
    ///
    /// `authentic` is one of this context.
    pub fn open(&mut self, authentic: &Authentic<'_>, wanted: &Wanted<'_>, out: &mut Vec<u8>) {
        let parts = &authentic.parts;
        let header_length = parts.header.length();
        let end = parts.payload_end.min(header_length.saturating_add(wanted.payload));
        out.clear();
        out.extend_from_slice(parts.packet.get(..end).unwrap_or_default());
        if !self.protection.encrypts_rtp {
            return;
        }
        let Some(session) = self.sessions.get_mut(authentic.key) else { return };
        let (profile, index, ssrc) = (self.protection.profile, authentic.index(), parts.header.fixed.ssrc);
        let period = self.protection.period(index);
        let keys = session.rtp.at(profile, &session.master, period);
        let Some(aes) = &keys.aes else { return };
        let counter = first_counter(profile, &keys.salt, ssrc, index);
        if let Some(words) = parts.cryptex_words() {
            return open_cryptex(aes, counter, words, out);
        }
        aes.apply(counter, [out.get_mut(header_length..).unwrap_or_default()]);
        if !wanted.encrypted_ids.is_empty() {
            let header_keys =
                session.header.get_or_insert_with(|| Epoch::new(profile, &session.master, Purpose::HeaderExtension));
            let keys = header_keys.at(profile, &session.master, period);
            let counter = counter_mode_block(&keys.salt, ssrc, index);
            open_elements(&parts.header, keys, counter, wanted.encrypted_ids, out);
        }
    }

    /// Checks the tag of a whole SRTCP packet and opens it into `out`, which then holds the compound RTCP packet.
    ///
    /// # Errors
    /// When there is no tag, none that matches, or no key of that name; `out` is then empty.
    pub fn open_rtcp(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<OpenedRtcp, OpenError> {
        out.clear();
        let mut error = OpenError::UnknownMki;
        for session in &mut self.sessions {
            let parts = RtcpParts::of(packet, &self.protection, session.master.mki().len())?;
            if parts.mki != session.master.mki() {
                continue;
            }
            if session.open_rtcp(&self.protection, &parts, out) {
                return Ok(OpenedRtcp { index: parts.index(), was_encrypted: parts.is_encrypted() });
            }
            error = OpenError::TagMismatch;
        }
        Err(error)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Context").field("protection", &self.protection).finish_non_exhaustive()
    }
}

impl Protection {
    /// How often the session keys had changed at an index (RFC 3711 section 4.3.1).
    fn period(&self, index: u64) -> u64 {
        self.rekeying.map_or(0, |exponent| index >> exponent.min(MOST_REKEYING))
    }
}

/// A master key and the session keys of the current period.
#[derive(Clone)]
struct Session {
    master: MasterKey,
    rtp: Epoch,
    rtcp: Epoch,
    header: Option<Epoch>,
}

impl Session {
    fn new(profile: Profile, master: MasterKey) -> Self {
        let [rtp, rtcp] = [Purpose::Rtp, Purpose::Rtcp].map(|purpose| Epoch::new(profile, &master, purpose));
        Self { master, rtp, rtcp, header: None }
    }

    fn find_rollover(
        &mut self,
        protection: &Protection,
        parts: &RtpParts<'_>,
        mut rollovers: impl Iterator<Item = u32>,
    ) -> Option<u32> {
        if parts.tag.is_empty() {
            return rollovers.next();
        }
        let fixed = parts.header.fixed;
        let mut hashed: Option<(u64, Hashed)> = None;
        rollovers.find(|rollover| {
            let index = index_of(*rollover, fixed.sequence);
            let period = protection.period(index);
            let keys = self.rtp.at(protection.profile, &self.master, period);
            if !matches!(&hashed, Some((hashed_at, _)) if *hashed_at == period) {
                hashed = Hashed::rtp(keys, protection, parts).map(|hash| (period, hash));
            }
            hashed
                .as_ref()
                .is_some_and(|(_, hashed)| hashed.matches(keys, &rollover.to_be_bytes(), fixed.ssrc, index, parts.tag))
        })
    }

    fn open_rtcp(&mut self, protection: &Protection, parts: &RtcpParts<'_>, out: &mut Vec<u8>) -> bool {
        let (profile, index) = (protection.profile, u64::from(parts.index()));
        let keys = self.rtcp.at(profile, &self.master, protection.period(index));
        let is_authentic =
            Hashed::rtcp(keys, parts).is_some_and(|hashed| hashed.matches(keys, &[], parts.ssrc, index, parts.tag));
        if !is_authentic {
            return false;
        }
        out.extend_from_slice(parts.packets);
        if let Some(aes) = keys.aes.as_ref().filter(|_| parts.is_encrypted()) {
            let counter = first_counter(profile, &keys.salt, parts.ssrc, index);
            aes.apply(counter, [out.get_mut(RTCP_CLEAR_LENGTH..).unwrap_or_default()]);
        }
        true
    }
}

/// Session keys of one period.
#[derive(Clone)]
struct Epoch {
    purpose: Purpose,
    period: u64,
    keys: SessionKeys,
}

impl Epoch {
    fn new(profile: Profile, master: &MasterKey, purpose: Purpose) -> Self {
        Self { purpose, period: 0, keys: SessionKeys::derive(profile, master, purpose, 0) }
    }

    fn at(&mut self, profile: Profile, master: &MasterKey, period: u64) -> &SessionKeys {
        if period != self.period {
            self.keys = SessionKeys::derive(profile, master, self.purpose, period);
            self.period = period;
        }
        &self.keys
    }
}

/// A packet as far as its tag is the same for all rollover counters.
enum Hashed {
    Hmac(Hmac<Sha1>),
    Ghash(Block),
}

impl Hashed {
    fn rtp(keys: &SessionKeys, protection: &Protection, parts: &RtpParts<'_>) -> Option<Self> {
        match keys.authenticator.as_ref()? {
            Authenticator::Hmac(keyed) => Some(Self::Hmac(hmac_of(keyed, &[parts.authenticated()]))),
            Authenticator::Ghash(keyed) => {
                let (clear, encrypted) = parts.clear_and_encrypted(protection.encrypts_rtp);
                Some(Self::Ghash(ghash_of(keyed, &clear, &encrypted)))
            }
        }
    }

    fn rtcp(keys: &SessionKeys, parts: &RtcpParts<'_>) -> Option<Self> {
        match keys.authenticator.as_ref()? {
            Authenticator::Hmac(keyed) => Some(Self::Hmac(hmac_of(keyed, &[parts.packets, &parts.word]))),
            Authenticator::Ghash(keyed) => {
                let clear_length = if parts.is_encrypted() { RTCP_CLEAR_LENGTH } else { parts.packets.len() };
                let (clear, encrypted) = parts.packets.split_at_checked(clear_length)?;
                Some(Self::Ghash(ghash_of(keyed, &[clear, &parts.word].concat(), encrypted)))
            }
        }
    }

    /// `appended` is what HMAC takes in behind the packet: the rollover counter of SRTP.
    fn matches(&self, keys: &SessionKeys, appended: &[u8], ssrc: u32, index: u64, tag: &[u8]) -> bool {
        match (self, &keys.aes) {
            (Self::Hmac(state), _) => state.clone().chain_update(appended).verify_truncated_left(tag).is_ok(),
            (Self::Ghash(hash), Some(aes)) => {
                is_gcm_tag(tag, *hash, aes.encrypt(gcm_block(&keys.salt, ssrc, index, TAG_COUNTER)))
            }
            (Self::Ghash(_), None) => false,
        }
    }
}

/// Where the keystream of a packet starts.
fn first_counter(profile: Profile, salt: &Block, ssrc: u32, index: u64) -> Block {
    match profile {
        Profile::Gcm(_) => gcm_block(salt, ssrc, index, TAG_COUNTER + 1),
        Profile::Counter(..) | Profile::Null(_) => counter_mode_block(salt, ssrc, index),
    }
}

/// The initial block of AES-CM (RFC 3711 section 4.1.1): the salt, SSRC and index XORed, 16 bits of counter behind.
pub(super) fn counter_mode_block(salt: &Block, ssrc: u32, index: u64) -> Block {
    (u128::from_be_bytes(*salt) ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16).to_be_bytes()
}

/// A counter block of GCM (RFC 7714 sections 8.1 and 9.1): 12 bytes of salt, SSRC and index XORed, 32 bits of counter
/// behind.
fn gcm_block(salt: &Block, ssrc: u32, index: u64, counter: u32) -> Block {
    let nonce = u128::from_be_bytes(*salt) ^ u128::from(ssrc) << 80 ^ u128::from(index) << 32;
    (nonce | u128::from(counter)).to_be_bytes()
}

/// The counter of GCM that encrypts the tag.
const TAG_COUNTER: u32 = 1;

/// The highest `KDR` (RFC 4568 section 6.3.1).
const MOST_REKEYING: u8 = 24;

/// Rollover counters that may be searched through without a packet that authenticates: 2^30 packets, ten days of video.
pub(super) const MOST_TRIES: u32 = 1 << 14;

/// Tries that a packet which authenticates earns.
const TRIES_EARNED: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::srtp::{
        cipher::Aes,
        tests::{context, hex, opens, opens_rtcp},
    };

    /// A context that has these session keys, whatever master key they would come from.
    fn with_session_keys(profile: &str, key: &str) -> Context {
        let mut context = context(profile, &format!("{key} {SALT}"));
        let mut keys = context.sessions[0].rtp.keys.clone();
        let aes = Aes::new(&hex(key)).unwrap();
        keys.authenticator = Some(Authenticator::ghash(&aes));
        keys.aes = Some(aes);
        keys.salt[..12].copy_from_slice(&hex(SALT));
        context.sessions[0].rtcp.keys = keys.clone();
        context.sessions[0].rtp.keys = keys;
        context
    }

    const SALT: &str = "517569642070726f2071756f";
    const GCM_KEY_128: &str = "000102030405060708090a0b0c0d0e0f";
    const GCM_KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn rtp_of_rfc_7714_section_16() {
        let plain = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 \
                     73207472 6573";
        let sealed = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b \
                      36de3adf 8833 899d7f27 beb16a91 52cf765e e4390cce";
        opens(&mut with_session_keys("AEAD_AES_128_GCM", GCM_KEY_128), sealed, plain);
        let sealed = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f \
                      1ba63799 b87b 7aa3db36 dfffd6b0 f9bb7878 d7a76c13";
        opens(&mut with_session_keys("AEAD_AES_256_GCM", GCM_KEY_256), sealed, plain);
        // Sections 16.3 and 16.4: authenticated only.
        for (profile, key, tag) in [
            ("AEAD_AES_128_GCM", GCM_KEY_128, "22493f82 d2bce397 e9d79e3b 19aa4216"),
            ("AEAD_AES_256_GCM", GCM_KEY_256, "a866d591 0f887463 067ceefe c45215d4"),
        ] {
            let mut context = with_session_keys(profile, key);
            context.protection.encrypts_rtp = false;
            opens(&mut context, &format!("{plain}{tag}"), plain);
        }
    }

    #[test]
    fn rtcp_of_rfc_7714_section_17() {
        let plain = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef \
                     deadbeef deadbeef";
        let sealed = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 \
                      86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
        let mut narrow = with_session_keys("AEAD_AES_128_GCM", GCM_KEY_128);
        opens_rtcp(&mut narrow, sealed, plain, 0x5d4, true);
        opens_rtcp(&mut narrow, &format!("{plain} 841dd968 3dd78ec9 2ae58790 125f62b3 000005d4"), plain, 0x5d4, false);
        let sealed = "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 \
                      c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4";
        let mut wide = with_session_keys("AEAD_AES_256_GCM", GCM_KEY_256);
        opens_rtcp(&mut wide, sealed, plain, 0x5d4, true);
        opens_rtcp(&mut wide, &format!("{plain} 91db4afb feee5a97 8fab4393 ed2615fe 000005d4"), plain, 0x5d4, false);
    }
}
