//! IEEE 802.11 data frames, with and without radiotap.
//!
//! A frame check sequence at the end needs no care: the IP header says where its packet ends.

use super::{Kind, Layer, Malformed, Packet, link, walk::Walk};

/// An 802.11 frame after a radiotap header (<https://www.radiotap.org>).
pub(super) fn radiotap(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const VERSION: u8 = 0;
    const FIXED: usize = 4;
    const TIME: u32 = 1;
    const FLAGS: u32 = 1 << 1;
    const ANOTHER_WORD: u32 = 1 << 31;
    /// The header is padded to 32 bits.
    const DATA_PAD: u8 = 0x20;

    let mut reader = walk.reader(Layer::Link);
    let [version, _] = reader.array()?;
    let length = usize::from(u16::from_le_bytes(reader.array()?));
    let Some(rest) = length.checked_sub(FIXED).filter(|_| version == VERSION) else {
        return Err(walk.fault(Layer::Link, Kind::BadLength));
    };
    let mut fields = reader.sub(rest)?;
    walk.move_to(&reader);
    let mut flags = || {
        let present = u32::from_le_bytes(fields.array()?);
        let mut last = present;
        while last & ANOTHER_WORD != 0 {
            last = u32::from_le_bytes(fields.array()?);
        }
        if present & TIME != 0 {
            // Fields are aligned to their size, counted from the start of the header.
            let at = FIXED + fields.offset();
            fields.skip(at.next_multiple_of(8) - at + 8)?;
        }
        if present & FLAGS != 0 { fields.u8() } else { Ok(0) }
    };
    let padded = flags().is_ok_and(|flags: u8| flags & DATA_PAD != 0);
    frame(walk, padded)
}

/// An 802.11 frame; `padded` if its header fills 32-bit words. Frames without an IP packet in clear are
/// [`Content::NotIp`](super::Content::NotIp): management, control, protected ones, and pieces of fragmented ones.
pub(super) fn frame(mut walk: Walk<'_>, padded: bool) -> Result<Packet, Malformed> {
    /// Protocol version and type.
    const TYPE: u8 = 0x0f;
    const DATA: u8 = 0x08;
    const NO_DATA: u8 = 0x40;
    const QUALITY_OF_SERVICE: u8 = 0x80;
    const TO_AND_FROM: u8 = 0x03;
    const MORE_FRAGMENTS: u8 = 0x04;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    const FRAGMENT_NUMBER: u8 = 0x0f;
    const AGGREGATE: u8 = 0x80;

    let mut reader = walk.reader(Layer::Link);
    let [kind, flags] = reader.array()?;
    if kind & TYPE != DATA || kind & NO_DATA != 0 || flags & (PROTECTED | MORE_FRAGMENTS) != 0 {
        return Ok(walk.not_ip(0));
    }
    let start = reader.offset() - 2;
    let duration = 2;
    reader.skip(duration)?;
    walk.mix(u64::from(flags & TO_AND_FROM));
    for _ in 0..3 {
        walk.mix(reader.u48()?);
    }
    let [sequence, _] = reader.array()?;
    if sequence & FRAGMENT_NUMBER != 0 {
        return Ok(walk.not_ip(0));
    }
    if flags & TO_AND_FROM == TO_AND_FROM {
        walk.mix(reader.u48()?);
    }
    let mut aggregate = false;
    if kind & QUALITY_OF_SERVICE != 0 {
        let [control, _] = reader.array()?;
        aggregate = control & AGGREGATE != 0;
        if flags & ORDER != 0 {
            let high_throughput_control = 4;
            reader.skip(high_throughput_control)?;
        }
    }
    if padded {
        let header = reader.offset() - start;
        reader.skip(header.next_multiple_of(4) - header)?;
    }
    walk.move_to(&reader);
    if aggregate { first_subframe(walk) } else { link::llc(walk) }
}

/// The first of the packets that an A-MSDU carries (IEEE 802.11 section 9.3.2.2): addresses, length, LLC.
fn first_subframe(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    let mut reader = walk.reader(Layer::Link);
    walk.mix(reader.u48()?);
    walk.mix(reader.u48()?);
    let length = reader.u16()?;
    walk.move_to(&reader);
    walk.limit(usize::from(length));
    link::llc(walk)
}
