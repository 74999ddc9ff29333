//! Where payload, key identifier and tag of a packet are.

use std::{borrow::Cow, ops::Range};

use crate::{
    crypto::srtp::{
        OpenError,
        master::Protection,
        profile::{GCM_TAG_LENGTH, Profile},
    },
    wire::{
        Kind,
        rtp::{FIXED_LENGTH, Form, Header},
    },
};

/// An SRTP packet whose tag matched (or that has none: [`Authentic::has_tag`]).
#[derive(Clone, Copy, Debug)]
pub struct Authentic<'p> {
    pub(super) parts: RtpParts<'p>,
    /// Which of the context's keys it was.
    pub(super) key: usize,
    pub(super) rollover: u32,
}

impl Authentic<'_> {
    /// Its 48-bit index: the rollover counter and behind it the sequence number (RFC 3711 section 3.3.1).
    #[must_use]
    pub fn index(&self) -> u64 {
        index_of(self.rollover, self.parts.header.fixed.sequence)
    }

    /// How often the sequence number had wrapped.
    #[must_use]
    pub const fn rollover(&self) -> u32 {
        self.rollover
    }

    /// Bytes of the header, CSRCs and extension included. The opened packet has it just as long.
    #[must_use]
    pub const fn header_length(&self) -> usize {
        self.parts.header.length()
    }

    /// Bytes of the payload, padding included, without what SRTP added.
    #[must_use]
    pub const fn payload_length(&self) -> usize {
        self.parts.payload_end.saturating_sub(self.parts.header.length())
    }

    /// Whether it has a tag at all: under `UNAUTHENTICATED_SRTP` (RFC 4568 section 6.3.3) it has none and proves nothing.
    #[must_use]
    pub const fn has_tag(&self) -> bool {
        !self.parts.tag.is_empty()
    }
}

/// The index that a rollover counter and a sequence number make.
pub(super) fn index_of(rollover: u32, sequence: u16) -> u64 {
    u64::from(rollover) << 16 | u64::from(sequence)
}

/// The parts of an SRTP packet (RFC 3711 section 3.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct RtpParts<'p> {
    pub(super) packet: &'p [u8],
    pub(super) header: Header<'p>,
    /// Where the encrypted payload ends.
    pub(super) payload_end: usize,
    pub(super) mki: &'p [u8],
    pub(super) tag: &'p [u8],
}

impl<'p> RtpParts<'p> {
    pub(super) fn of(packet: &'p [u8], protection: &Protection, mki_length: usize) -> Result<Self, OpenError> {
        let header = Header::parse(packet, packet.len()).map_err(|fault| match fault.kind {
            Kind::TooShort => OpenError::TooShort,
            _ => OpenError::NotSrtp,
        })?;
        let (rest, mki, tag) = match protection.profile {
            // The identifier stands behind the tag (RFC 7714 section 8.2), under HMAC before it.
            Profile::Gcm(_) => {
                let (rest, mki) = split_end(packet, mki_length)?;
                let (rest, tag) = split_end(rest, GCM_TAG_LENGTH)?;
                (rest, mki, tag)
            }
            profile => {
                let tag_length = if protection.authenticates_rtp { profile.tag_length() } else { 0 };
                let (rest, tag) = split_end(packet, tag_length)?;
                let (rest, mki) = split_end(rest, mki_length)?;
                (rest, mki, tag)
            }
        };
        if rest.len() < header.length() {
            return Err(OpenError::TooShort);
        }
        Ok(Self { packet, header, payload_end: rest.len(), mki, tag })
    }

    /// What the tag of HMAC covers, the rollover counter aside.
    pub(super) fn authenticated(&self) -> &'p [u8] {
        self.packet.get(..self.payload_end).unwrap_or_default()
    }

    /// What GCM authenticates only, and what it encrypts too. Under cryptex the extension's first word is taken out of
    /// what is encrypted (RFC 9335 section 6.2).
    pub(super) fn clear_and_encrypted(&self, encrypts: bool) -> (Cow<'p, [u8]>, Cow<'p, [u8]>) {
        let all = self.authenticated();
        if !encrypts {
            return (all.into(), Cow::default());
        }
        let Some(words) = self.cryptex_words() else {
            let (clear, encrypted) = all.split_at_checked(self.header.length()).unwrap_or((all, &[]));
            return (clear.into(), encrypted.into());
        };
        let part = |range: Range<usize>| all.get(range).unwrap_or_default();
        let clear = [part(0..FIXED_LENGTH), part(words.clone())].concat();
        let encrypted = [part(FIXED_LENGTH..words.start), part(words.end..all.len())].concat();
        (clear.into(), encrypted.into())
    }

    /// Where the words of an extension are that stay in clear while CSRCs and data are encrypted with the payload (RFC
    /// 9335); `None` without cryptex.
    pub(super) fn cryptex_words(&self) -> Option<Range<usize>> {
        let extension = self.header.extension()?;
        let is_cryptex = matches!(extension.form(), Form::CryptexOneByte | Form::CryptexTwoByte);
        is_cryptex.then_some(extension.offset..extension.offset + EXTENSION_HEADER_LENGTH)
    }
}

/// The parts of an SRTCP packet (RFC 3711 section 3.4).
#[derive(Clone, Copy, Debug)]
pub(super) struct RtcpParts<'p> {
    /// The RTCP packets.
    pub(super) packets: &'p [u8],
    /// The E bit and the index.
    pub(super) word: [u8; 4],
    pub(super) ssrc: u32,
    pub(super) mki: &'p [u8],
    pub(super) tag: &'p [u8],
}

impl<'p> RtcpParts<'p> {
    pub(super) fn of(packet: &'p [u8], protection: &Protection, mki_length: usize) -> Result<Self, OpenError> {
        match packet.first() {
            None => return Err(OpenError::TooShort),
            Some(first) if first >> 6 != 2 => return Err(OpenError::NotSrtp),
            Some(_) => {}
        }
        let (packets, word, mki, tag) = match protection.profile {
            // Index and identifier stand behind the tag (RFC 7714 section 9).
            Profile::Gcm(_) => {
                let (rest, mki) = split_end(packet, mki_length)?;
                let (rest, word) = rest.split_last_chunk().ok_or(OpenError::TooShort)?;
                let (rest, tag) = split_end(rest, GCM_TAG_LENGTH)?;
                (rest, word, mki, tag)
            }
            _ => {
                let (rest, tag) = split_end(packet, protection.rtcp_tag_length)?;
                let (rest, mki) = split_end(rest, mki_length)?;
                let (rest, word) = rest.split_last_chunk().ok_or(OpenError::TooShort)?;
                (rest, word, mki, tag)
            }
        };
        let Some([_, _, _, _, ssrc @ ..]) = packets.first_chunk::<RTCP_CLEAR_LENGTH>() else {
            return Err(OpenError::TooShort);
        };
        Ok(Self { packets, word: *word, ssrc: u32::from_be_bytes(*ssrc), mki, tag })
    }

    /// Whether the packet says that it is encrypted.
    pub(super) const fn is_encrypted(&self) -> bool {
        u32::from_be_bytes(self.word) & E_BIT != 0
    }

    /// The 31-bit index.
    pub(super) const fn index(&self) -> u32 {
        u32::from_be_bytes(self.word) & !E_BIT
    }
}

fn split_end(bytes: &[u8], length: usize) -> Result<(&[u8], &[u8]), OpenError> {
    let middle = bytes.len().checked_sub(length).ok_or(OpenError::TooShort)?;
    bytes.split_at_checked(middle).ok_or(OpenError::TooShort)
}

/// Bytes of a header extension before its data: profile word and length.
const EXTENSION_HEADER_LENGTH: usize = 4;

/// Bytes of an SRTCP packet that are never encrypted: the first header and the sender's SSRC.
pub(super) const RTCP_CLEAR_LENGTH: usize = 8;

/// The bit of an SRTCP packet that says it is encrypted.
const E_BIT: u32 = 0x8000_0000;
