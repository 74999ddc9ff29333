//! RTCP datagrams (RFC 3550 section 6, RFC 5506) told from SRTCP (RFC 3711 section 3.4, RFC 7714 section 9.2).
//!
//! Of SRTCP only the first eight bytes and the trailer are in clear. Nothing else of it is ever read here.

mod description;
mod packet;

pub use description::{Chunk, Chunks, Item, Items, item_name};
pub(in crate::wire) use packet::Faults;
pub use packet::{Content, Packet, Packets, ReportBlock, Ssrcs, type_name};

use super::{Kind, Layer, Malformed, Reader, dtls::srtcp_tag_length};

/// What a datagram in the RTP/RTCP range with second byte 192..=223 is.
#[derive(Clone, Copy, Debug)]
pub enum Rtcp<'a> {
    /// Packets in clear, chained by their lengths up to the end (or up to the trailer of SRTCP without encryption).
    Clear(Compound<'a>),
    /// SRTCP: all but what [`Srtcp`] holds is ciphertext.
    Encrypted(Srtcp),
    /// Snapped too early to tell: the first header is all that may be used.
    Undecided(FirstHeader),
}

/// The eight bytes that are in clear even in SRTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstHeader {
    /// Packet type of the first packet.
    pub first_type: u8,
    /// Its count, subtype or format field (5 bits).
    pub first_count: u8,
    /// The sender's SSRC; `None` where the datagram ends before it.
    pub ssrc: Option<u32>,
}

/// What is in clear of an SRTCP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Srtcp {
    /// Packet type of the first packet.
    pub first_type: u8,
    /// Its count, subtype or format field (5 bits). Not encrypted, but authenticated.
    pub first_count: u8,
    /// The sender's SSRC.
    pub ssrc: u32,
    /// SRTCP index (31 bits); `None` where no layout of the trailer fits, or more than one.
    pub index: Option<u32>,
    /// Bytes of the authentication tag: 10 or 4 (after the index), or 16 (AEAD, before the index). `None` as above.
    pub tag_length: Option<u8>,
    /// Bytes of the master key identifier as the layout suggests; 0 nearly everywhere.
    pub mki_length: u8,
}

/// The trailer of SRTCP that is authenticated but not encrypted (E bit 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// SRTCP index (31 bits).
    pub index: u32,
    /// Bytes after the compound: index, tag and master key identifier together.
    pub length: u8,
    /// Bytes of the authentication tag, where there is no master key identifier.
    pub tag_length: u8,
}

/// The tags that SRTCP of a flow may end in, as DTLS agreed on a profile or offers some. None where DTLS says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// A tag of ten bytes, behind the index.
    pub hmac: bool,
    /// A tag of sixteen bytes, in front of the index.
    pub aead: bool,
}

impl Tags {
    /// Those of SRTP protection profiles.
    #[must_use]
    pub fn of(profiles: &[u16]) -> Self {
        let has = |length| profiles.iter().any(|profile| srtcp_tag_length(*profile) == Some(length));
        Self { hmac: has(10), aead: has(AEAD_TAG) }
    }

    /// Whether there are any: what is not in clear by DTLS is SRTCP.
    #[must_use]
    pub const fn is_secured(self) -> bool {
        self.hmac || self.aead
    }

    const fn has(self, length: u8) -> bool {
        match length {
            AEAD_TAG => self.aead,
            10 => self.hmac,
            _ => false,
        }
    }
}

/// A compound in clear: one or more packets whose lengths chain.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    bytes: &'a [u8],
    trailer: Option<Trailer>,
    snapped: bool,
}

impl<'a> Compound<'a> {
    /// What was inside an authentic SRTCP packet.
    #[must_use]
    pub const fn opened(bytes: &'a [u8]) -> Self {
        Self { bytes, trailer: None, snapped: false }
    }

    /// The packets, in order. A fault inside one of them does not hide the others.
    #[must_use]
    pub const fn packets(&self) -> Packets<'a> {
        Packets::new(self.bytes)
    }

    /// The trailer of SRTCP without encryption.
    #[must_use]
    pub const fn trailer(&self) -> Option<Trailer> {
        self.trailer
    }

    /// Whether packets at the end are missing because the capture was snapped.
    #[must_use]
    pub const fn is_snapped(&self) -> bool {
        self.snapped
    }

    /// Bytes of the packets, without a trailer.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.bytes.len()
    }
}

/// Tells clear RTCP from SRTCP.
///
/// Lengths that chain to the exact end are clear, even in an SRTP flow: ciphertext does that once in millions of
/// datagrams. Padding (P bit) in a packet that is not the last is left to [`Packet::fault`].
///
/// # Errors
/// [`Layer::Rtcp`] and what was wrong where the bytes are neither.
pub fn classify(bytes: &[u8]) -> Result<Rtcp<'_>, Malformed> {
    classify_secured(bytes, Tags::default())
}

/// As [`classify`], on a flow whose DTLS agreed on SRTP (RFC 5764): a trailer of one of these tags is believed before
/// lengths that chain, and no other is looked for.
///
/// # Errors
/// As [`classify`].
pub fn classify_secured(bytes: &[u8], tags: Tags) -> Result<Rtcp<'_>, Malformed> {
    let first = Header::read(&mut Reader::new(Layer::Rtcp, bytes))?;
    if tags.is_secured()
        && let Some(srtcp) = encrypted_with(bytes, first, |layout| tags.has(layout.tag))
    {
        return Ok(Rtcp::Encrypted(srtcp));
    }
    let chain = Chain::walk(bytes, bytes.len());
    let Some(fault) = chain.fault else {
        return Ok(Rtcp::Clear(Compound { bytes, trailer: None, snapped: false }));
    };
    if let Some(trailer) = unencrypted_trailer(bytes, chain.end) {
        let bytes = bytes.get(..chain.end).unwrap_or_default();
        return Ok(Rtcp::Clear(Compound { bytes, trailer: Some(trailer), snapped: false }));
    }
    encrypted(bytes, first, &chain).map(Rtcp::Encrypted).ok_or(fault)
}

/// As [`classify`], for a datagram of `wire_length` bytes of which the capture holds only `bytes`. Two plausible
/// headers, or one that accounts for the whole datagram, make it clear; what is cut is never called encrypted.
///
/// # Errors
/// [`Layer::Rtcp`] where not even the first header is there or fits.
pub fn classify_snapped(bytes: &[u8], wire_length: usize) -> Result<Rtcp<'_>, Malformed> {
    if bytes.len() >= wire_length {
        return classify(bytes);
    }
    let mut reader = Reader::new(Layer::Rtcp, bytes);
    let first = Header::read(&mut reader)?;
    if first.length > wire_length {
        return Err(Malformed::new(Layer::Rtcp, Kind::BadLength, 2));
    }
    let chain = Chain::walk(bytes, wire_length);
    let plausible = chain.fault.is_none_or(|fault| fault.kind == Kind::Snapped);
    if plausible && (chain.headers > 1 || first.length == wire_length) {
        let bytes = bytes.get(..chain.end).unwrap_or_default();
        return Ok(Rtcp::Clear(Compound { bytes, trailer: None, snapped: true }));
    }
    let ssrc = reader.u32().ok();
    Ok(Rtcp::Undecided(FirstHeader { first_type: first.packet_type, first_count: first.count, ssrc }))
}

/// The four bytes every RTCP packet starts with.
#[derive(Clone, Copy)]
struct Header {
    padding: bool,
    count: u8,
    packet_type: u8,
    /// Bytes of the packet, this header included.
    length: usize,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let start = *reader;
        let [first, packet_type, high, low] = reader.array()?;
        if first >> 6 != VERSION {
            return Err(start.fault(Kind::BadVersion));
        }
        if !TYPES.contains(&packet_type) {
            return Err(start.fault(Kind::BadValue));
        }
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        Ok(Self { padding: first & 0x20 != 0, count: first & 0x1f, packet_type, length })
    }
}

/// How far the lengths of a datagram chain.
struct Chain {
    /// Headers that were plausible.
    headers: usize,
    /// End of the last whole packet.
    end: usize,
    /// Why the chain broke; `None` where it reached the end exactly.
    fault: Option<Malformed>,
}

impl Chain {
    fn walk(bytes: &[u8], wire_length: usize) -> Self {
        let mut reader = Reader::new(Layer::Rtcp, bytes);
        let mut chain = Self { headers: 0, end: 0, fault: None };
        let cut = bytes.len() < wire_length;
        while chain.end < wire_length {
            let step = Header::read(&mut { reader }).and_then(|header| {
                chain.headers += 1;
                let fits = chain.end + header.length <= wire_length;
                if fits { reader.skip(header.length) } else { Err(reader.fault(Kind::BadLength)) }
            });
            if let Err(fault) = step {
                let kind = if cut && fault.kind == Kind::TooShort { Kind::Snapped } else { fault.kind };
                chain.fault = Some(Malformed { kind, ..fault });
                break;
            }
            chain.end = reader.offset();
        }
        chain
    }
}

/// The trailer behind a chain that ends at `end`, where its E bit is 0: for AES-CM the index stands first, for AEAD
/// after the 16 bytes of tag (RFC 7714 section 9.3).
fn unencrypted_trailer(bytes: &[u8], end: usize) -> Option<Trailer> {
    let length = bytes.len().checked_sub(end).filter(|_| end >= FIXED)?;
    let (index_at, tag_length, lowest) = match length {
        14 | 15 | 16 | 18 => (0, 10, 0),
        // Eight bytes of zero are padding somebody forgot to count rather than a first index and a tag.
        8 => (0, 4, 1),
        20 | 24 => (16, 16, 0),
        _ => return None,
    };
    let index = word(bytes, end + index_at)?;
    (lowest..USUAL_INDICES).contains(&index).then_some(Trailer {
        index,
        length: u8::try_from(length).unwrap_or(u8::MAX),
        tag_length,
    })
}

/// SRTCP by its trailer: a word with the E bit set and an index that a session can have reached, at a place where one
/// of the layouts in use has it. The alternatives are tried from the most to the least usual. A lone packet that leaves
/// exactly the room of a trailer is encrypted too, be it after a scheme of its own (Discord counts little-endian).
fn encrypted(bytes: &[u8], first: Header, chain: &Chain) -> Option<Srtcp> {
    let rest = bytes.len().checked_sub(first.length.max(FIXED))?;
    let is_lone = chain.headers == 1 && matches!(rest, 14 | 20);
    encrypted_with(bytes, first, |_| true).or_else(|| srtcp(bytes, first).filter(|_| is_lone))
}

/// What is in clear before the ciphertext.
fn srtcp(bytes: &[u8], first: Header) -> Option<Srtcp> {
    Some(Srtcp {
        first_type: first.packet_type,
        first_count: first.count,
        ssrc: word(bytes, 4)?,
        index: None,
        tag_length: None,
        mki_length: 0,
    })
}

/// SRTCP by a trailer of one of the `allowed` layouts. Where two fit, the lengths alone do not say where the index is.
fn encrypted_with(bytes: &[u8], first: Header, allowed: impl Fn(&Layout) -> bool) -> Option<Srtcp> {
    let srtcp = srtcp(bytes, first)?;
    let rest = bytes.len().checked_sub(first.length.max(FIXED))?;
    let fits = |layout: &'static Layout| {
        let trailer = usize::from(layout.tag) + usize::from(layout.mki) + 4;
        // Ciphertext is as long as the packets were: whole words (RFC 3711 section 3.4, RFC 7714 section 9).
        if rest < trailer || !(rest - trailer).is_multiple_of(4) {
            return None;
        }
        let behind = if layout.tag == AEAD_TAG { 0 } else { usize::from(layout.tag) };
        let index = word(bytes, bytes.len().checked_sub(4 + usize::from(layout.mki) + behind)?)?;
        index.checked_sub(ENCRYPTED).filter(|&index| index < layout.limit).map(|index| (layout, index))
    };
    let mut layouts = LAYOUTS.iter().filter(|layout| allowed(layout)).filter_map(fits);
    let (layout, index) = layouts.next()?;
    if layouts.any(|(other, _)| other.mki <= layout.mki) {
        return Some(srtcp);
    }
    Some(Srtcp { index: Some(index), tag_length: Some(layout.tag), mki_length: layout.mki, ..srtcp })
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let mut reader = Reader::new(Layer::Rtcp, bytes);
    reader.skip(offset).and_then(|()| reader.u32()).ok()
}

/// A layout of the SRTCP trailer.
struct Layout {
    tag: u8,
    mki: u8,
    limit: u32,
}

static LAYOUTS: [Layout; 9] = [
    Layout { tag: 10, mki: 0, limit: 1 << 24 },
    Layout { tag: AEAD_TAG, mki: 0, limit: 1 << 24 },
    Layout { tag: SHORT_TAG, mki: 0, limit: 1 << 16 },
    Layout { tag: 10, mki: 1, limit: USUAL_INDICES },
    Layout { tag: 10, mki: 2, limit: USUAL_INDICES },
    Layout { tag: 10, mki: 4, limit: USUAL_INDICES },
    Layout { tag: AEAD_TAG, mki: 1, limit: USUAL_INDICES },
    Layout { tag: AEAD_TAG, mki: 2, limit: USUAL_INDICES },
    Layout { tag: AEAD_TAG, mki: 4, limit: USUAL_INDICES },
];

const AEAD_TAG: u8 = 16;
const SHORT_TAG: u8 = 4;
/// The E bit of the SRTCP index word.
const ENCRYPTED: u32 = 0x8000_0000;
/// Indices start at zero and grow by one a datagram: a million of them is a day of busy feedback.
const USUAL_INDICES: u32 = 1 << 20;
const VERSION: u8 = 2;
/// Header and sender SSRC, in clear even in SRTCP.
const FIXED: usize = 8;
/// The packet types that RFC 5761 section 4 keeps apart from RTP's.
pub const TYPES: std::ops::RangeInclusive<u8> = 192..=223;

#[cfg(test)]
mod tests;
