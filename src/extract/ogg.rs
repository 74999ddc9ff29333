//! Opus in Ogg (RFC 3533, RFC 7845).

use std::io::{Seek, Write};

use super::{Error, Sink};
use crate::wire::payload::opus::{Bandwidth, Mode, Packet, Toc};

/// An Ogg file with one Opus stream.
///
/// Its length is the sum of its packets: gaps are filled with packets that ask the decoder for concealment, as RFC 7845
/// section 4.1 has it. Players skip the start of a file, as an encoder's first samples are of its delay. A capture begins
/// anywhere and all of it should be heard, so what they skip is a packet without frames put ahead.
#[derive(Debug)]
pub struct OggOpus<W> {
    sink: Sink<W>,
    serial: u32,
    page: Page,
    page_number: u32,
    samples: u64,
    stereo: bool,
    last: Toc,
}

/// The packets of a page that is not written yet.
#[derive(Debug, Default)]
struct Page {
    lacing: Vec<u8>,
    data: Vec<u8>,
    /// Samples of all packets up to the last of the page.
    granule: u64,
    first_sample: u64,
}

impl<W: Write + Seek> OggOpus<W> {
    /// Starts a file whose stream has the number `serial`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(sink: Sink<W>, serial: u32) -> Result<Self, Error> {
        // Until a packet comes: CELT, fullband, 20 ms.
        let last = Toc(0xf8);
        let mut file = Self { sink, serial, page: Page::default(), page_number: 0, samples: 0, stereo: false, last };
        let head = file.head();
        file.sink.write(&head)?;
        let tags = [&b"OpusTags"[..], &(VENDOR.len() as u32).to_le_bytes(), VENDOR, &[0; 4]].concat();
        let tags = page(0, 0, serial, 1, &[tags.len() as u8], &tags);
        file.sink.write(&tags)?;
        file.page_number = 2;
        Ok(file)
    }

    /// Adds a packet. Its bytes must be those that `packet` was read from.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, packet: &Packet<'_>, bytes: &[u8]) -> Result<(), Error> {
        self.stereo |= packet.toc.is_stereo();
        self.last = packet.toc;
        self.add_pre_skip()?;
        self.add(bytes, packet.samples())
    }

    /// Fills a gap of `samples` of 48 kHz with packets that have no frames; returns how many samples are left, fewer
    /// than 120: nothing so short can be filled.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_gap(&mut self, mut samples: u64) -> Result<u64, Error> {
        self.add_pre_skip()?;
        for filler in fillers(self.last) {
            let length = u64::from(filler.samples);
            while samples >= length {
                self.add(filler.bytes(), filler.samples)?;
                samples -= length;
            }
        }
        Ok(samples)
    }

    /// Writes the last page, and the first once more where the stream turned out to be stereo; the output.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn finish(mut self) -> Result<W, Error> {
        self.write_page(END_OF_STREAM)?;
        let head = self.head();
        self.sink.patch(0, &head)?;
        self.sink.finish()
    }

    /// Ahead of all else: what players skip.
    fn add_pre_skip(&mut self) -> Result<(), Error> {
        if self.samples > 0 {
            return Ok(());
        }
        let [_, _, ten, ..] = fillers(self.last);
        self.add(ten.bytes(), ten.samples)
    }

    /// The first page, with OpusHead (RFC 7845 section 5.1).
    fn head(&self) -> Vec<u8> {
        let mut head = Vec::from(*b"OpusHead\x01");
        head.push(if self.stereo { 2 } else { 1 });
        head.extend(PRE_SKIP.to_le_bytes());
        head.extend(48_000_u32.to_le_bytes());
        // Gain, and the channel mapping of one or two channels.
        head.extend([0; 3]);
        page(BEGIN_OF_STREAM, 0, self.serial, 0, &[head.len() as u8], &head)
    }

    fn add(&mut self, bytes: &[u8], samples: u32) -> Result<(), Error> {
        let segments = bytes.len() / 255 + 1;
        if segments > MOST_SEGMENTS {
            // Longer than any packet that is sound: RFC 6716 section 3.4 allows 48 frames of 1,275 bytes.
            return Ok(());
        }
        let is_long = self.samples - self.page.first_sample >= LONGEST_PAGE;
        if self.page.lacing.len() + segments > MOST_SEGMENTS || is_long {
            self.write_page(0)?;
        }
        self.page.lacing.extend(std::iter::repeat_n(255, segments - 1));
        self.page.lacing.push((bytes.len() % 255) as u8);
        self.page.data.extend(bytes);
        self.samples += u64::from(samples);
        self.page.granule = self.samples;
        Ok(())
    }

    fn write_page(&mut self, flags: u8) -> Result<(), Error> {
        let Page { lacing, data, granule, .. } = &self.page;
        let bytes = page(flags, *granule, self.serial, self.page_number, lacing, data);
        self.sink.write(&bytes)?;
        self.page_number = self.page_number.wrapping_add(1);
        self.page.lacing.clear();
        self.page.data.clear();
        self.page.first_sample = self.samples;
        Ok(())
    }
}

/// A packet that has frames of no bytes.
struct Filler {
    toc: u8,
    /// How many frames, of code 3; 0 of code 0, which has one.
    frames: u8,
    samples: u32,
    buffer: [u8; 2],
}

impl Filler {
    fn new(toc: u8, frames: u8) -> Self {
        let samples = Toc(toc).frame_samples() * u32::from(frames.max(1));
        let toc = if frames == 0 { toc } else { toc | 3 };
        Self { toc, frames, samples, buffer: [toc, frames] }
    }

    fn bytes(&self) -> &[u8] {
        if self.frames == 0 { std::slice::from_ref(&self.toc) } else { &self.buffer }
    }
}

/// Packets of 120, 20, 10, 5 and 2.5 ms that conceal what `last` was followed by: in its mode as far as that has such
/// frames, else in CELT of the same bandwidth.
fn fillers(last: Toc) -> [Filler; 5] {
    let stereo = last.0 & 0x04;
    let celt = match last.bandwidth() {
        Bandwidth::Narrow => 16,
        Bandwidth::Medium | Bandwidth::Wide => 20,
        Bandwidth::SuperWide => 24,
        Bandwidth::Full => 28,
    };
    let configuration = last.0 >> 3;
    // The configurations of 10 and of 20 ms (RFC 6716 table 2).
    let (ten, twenty) = match last.mode() {
        Mode::Silk => (configuration & !3, configuration & !3 | 1),
        Mode::Hybrid => (configuration & !1, configuration | 1),
        Mode::Celt => (celt + 2, celt + 3),
    };
    let toc = |configuration: u8| configuration << 3 | stereo;
    [
        Filler::new(toc(twenty), 6),
        Filler::new(toc(twenty), 0),
        Filler::new(toc(ten), 0),
        Filler::new(toc(celt + 1), 0),
        Filler::new(toc(celt), 0),
    ]
}

/// A page (RFC 3533 section 6).
fn page(flags: u8, granule: u64, serial: u32, number: u32, lacing: &[u8], data: &[u8]) -> Vec<u8> {
    let mut page = Vec::with_capacity(27 + lacing.len() + data.len());
    page.extend(b"OggS\0");
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(serial.to_le_bytes());
    page.extend(number.to_le_bytes());
    page.extend([0; 4]);
    page.push(lacing.len() as u8);
    page.extend(lacing);
    page.extend(data);
    let checksum = checksum(&page).to_le_bytes();
    if let Some(field) = page.get_mut(22..26) {
        field.copy_from_slice(&checksum);
    }
    page
}

/// The CRC of a page: polynomial 0x04c11db7, neither reflected nor inverted, from zero.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc: u32, byte| {
        let index = (crc >> 24) as u8 ^ byte;
        crc << 8 ^ TABLE.get(usize::from(index)).copied().unwrap_or_default()
    })
}

const TABLE: [u32; 256] = {
    let mut table = [0_u32; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 0x8000_0000 == 0 { value << 1 } else { value << 1 ^ 0x04c1_1db7 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

/// Samples of 48 kHz that a player skips: 10 ms, which all modes have packets of.
const PRE_SKIP: u16 = 480;

/// Header types of a page.
const BEGIN_OF_STREAM: u8 = 2;
const END_OF_STREAM: u8 = 4;

/// Entries of a page's segment table.
const MOST_SEGMENTS: usize = 255;

/// Samples that a page should have at most: a second (RFC 7845 section 6).
const LONGEST_PAGE: u64 = 48_000;

/// Who made the file.
const VENDOR: &[u8] = b"rtcscope";

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn checksum_of_a_page() {
        // CRC-32/CKSUM is this CRC inverted; its check value is 0x765e7680.
        assert_eq!(checksum(b"123456789"), 0x89a1_897f);
    }

    #[test]
    fn gaps_are_filled() {
        let mut file = OggOpus::create(Sink::new("a.opus", Cursor::new(Vec::new())), 7).unwrap();
        let bytes = [0x48, 1, 2];
        file.write(&Packet::parse(&bytes).unwrap(), &bytes).unwrap();
        // 177.6 ms: 120, 20, 20, 10, 5, 2.5, and 0.1 that nothing is short enough for.
        assert_eq!(file.write_gap(8525).unwrap(), 5);
        let bytes = file.finish().unwrap().into_inner();
        // The last page: its granule, and its packets. SILK of 16 kHz has 10 and 20 ms; CELT of 16 kHz the rest.
        let last = bytes.windows(4).rposition(|window| window == b"OggS").unwrap();
        assert_eq!(bytes[last + 5], END_OF_STREAM);
        assert_eq!(u64::from_le_bytes(bytes[last + 6..last + 14].try_into().unwrap()), 480 + 960 + 8520);
        assert_eq!(
            &bytes[last + 26..],
            [8, 1, 3, 2, 1, 1, 1, 1, 1, 0x40, 0x48, 1, 2, 0x4b, 6, 0x48, 0x48, 0x40, 0xa8, 0xa0]
        );
    }

    #[test]
    fn fillers_are_packets() {
        for toc in 0..=255 {
            assert_eq!(fillers(Toc(toc))[2].samples, u32::from(PRE_SKIP));
            for filler in fillers(Toc(toc)) {
                let packet = Packet::parse(filler.bytes()).unwrap();
                assert_eq!(packet.samples(), filler.samples, "{toc}");
                assert!(packet.frames().all(<[u8]>::is_empty));
                assert_eq!(packet.toc.is_stereo(), Toc(toc).is_stereo());
            }
            assert_eq!(fillers(Toc(toc)).map(|filler| filler.samples), [5760, 960, 480, 240, 120]);
        }
    }
}
