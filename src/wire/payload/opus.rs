//! Opus (RFC 6716 section 3, RFC 7587 section 4): one packet is one payload.

use crate::wire::{Kind, Layer, Malformed, Reader};

/// Samples a second that Opus counts in, in RTP and in Ogg, whatever its bandwidth (RFC 7587 section 4.1).
pub const CLOCK_RATE: u32 = 48_000;

/// Which of Opus's coders made the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Linear prediction: speech.
    Silk,
    /// SILK below 8 kHz, CELT above.
    Hybrid,
    /// MDCT: music, low delay.
    Celt,
}

/// The audio bandwidth (RFC 6716 table 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bandwidth {
    /// 4 kHz.
    Narrow,
    /// 6 kHz.
    Medium,
    /// 8 kHz.
    Wide,
    /// 12 kHz.
    SuperWide,
    /// 20 kHz.
    Full,
}

/// The first byte of a packet (RFC 6716 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toc(pub u8);

impl Toc {
    const fn configuration(self) -> u8 {
        self.0 >> 3
    }

    /// The coder.
    #[must_use]
    pub const fn mode(self) -> Mode {
        match self.configuration() {
            0..=11 => Mode::Silk,
            12..=15 => Mode::Hybrid,
            _ => Mode::Celt,
        }
    }

    /// The bandwidth.
    #[must_use]
    pub const fn bandwidth(self) -> Bandwidth {
        match self.configuration() {
            0..=3 | 16..=19 => Bandwidth::Narrow,
            4..=7 => Bandwidth::Medium,
            8..=11 | 20..=23 => Bandwidth::Wide,
            12..=13 | 24..=27 => Bandwidth::SuperWide,
            _ => Bandwidth::Full,
        }
    }

    /// The length of each frame, in samples of 48 kHz (RFC 6716 table 2).
    #[must_use]
    pub const fn frame_samples(self) -> u32 {
        let size = self.configuration() & 3;
        match self.mode() {
            Mode::Silk => match size {
                3 => 2880,
                size => 480 << size,
            },
            Mode::Hybrid => 480 << (size & 1),
            Mode::Celt => 120 << size,
        }
    }

    /// Whether the frames have two channels.
    #[must_use]
    pub const fn is_stereo(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// How the number of frames is told (RFC 6716 section 3.2).
    const fn code(self) -> u8 {
        self.0 & 3
    }
}

/// A packet that a decoder accepts: all rules of RFC 6716 section 3.4 hold.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The first byte.
    pub toc: Toc,
    /// Frames in the packet, 1 to 48.
    pub frame_count: u8,
    length: usize,
    frames: Frames<'a>,
}

impl<'a> Packet<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// When it is empty, its frames exceed it or 120 ms, or a frame is longer than 1,275 bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, bytes);
        let toc = Toc(reader.u8()?);
        let frames = match toc.code() {
            0 => Frames::equal(reader, 1),
            1 => Frames::equal(reader, 2),
            2 => Frames::sized(reader, 2),
            _ => Frames::arbitrary(reader),
        }?;
        let frame_count = frames.left;
        if u32::from(frame_count) * toc.frame_samples() > LONGEST_PACKET {
            return Err(Malformed::new(Layer::Payload, Kind::BadValue, 1));
        }
        Ok(Self { toc, frame_count, length: bytes.len(), frames })
    }

    /// The frames, first to last; an empty one stands for a frame that was not sent.
    #[must_use]
    pub const fn frames(&self) -> Frames<'a> {
        self.frames
    }

    /// How long it plays, in samples of 48 kHz: 120 to 5,760.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.frame_count as u32 * self.toc.frame_samples()
    }

    /// Whether it says that there is nothing to send: two bytes at most (RFC 6716 section 2.1.9, RFC 7587
    /// section 3.1.3).
    #[must_use]
    pub const fn is_dtx(&self) -> bool {
        self.length <= 2
    }

    /// Whether it has the frame before it once more, at a lower rate (LBRR, RFC 6716 section 4.2.4): in-band FEC. The
    /// flags stand behind one voice-activity bit for each 20 ms, each the first in its frame and as likely as not, so
    /// that the range coder leaves them as they are.
    #[must_use]
    pub fn has_fec(&self) -> bool {
        if self.toc.mode() == Mode::Celt {
            return false;
        }
        let Some(first) = self.frames().next().and_then(|frame| frame.first().copied()) else { return false };
        let silk_frames = (self.toc.frame_samples() / 960).max(1);
        let flag = |position: u32| first & 0x80_u8.checked_shr(position).unwrap_or_default() != 0;
        flag(silk_frames) || self.toc.is_stereo() && flag(2 * silk_frames + 1)
    }
}

/// An iterator over the frames of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Frames<'a> {
    lengths: Lengths<'a>,
    data: Reader<'a>,
    left: u8,
}

/// Where the lengths of frames come from.
#[derive(Clone, Copy, Debug)]
enum Lengths<'a> {
    Equal(usize),
    /// One length for each frame but the last, which takes what is left.
    Told(Reader<'a>),
}

impl<'a> Frames<'a> {
    fn equal(data: Reader<'a>, count: u8) -> Result<Self, Malformed> {
        let length = data.len() / usize::from(count);
        if length * usize::from(count) != data.len() || length > LONGEST_FRAME {
            return Err(data.fault(Kind::BadLength));
        }
        Ok(Self { lengths: Lengths::Equal(length), data, left: count })
    }

    /// The lengths of all but the last frame stand where `reader` is.
    fn sized(reader: Reader<'a>, count: u8) -> Result<Self, Malformed> {
        let mut data = reader;
        let mut total = 0;
        for _ in 1..count {
            total += frame_length(&mut data)?;
        }
        match data.len().checked_sub(total) {
            Some(0..=LONGEST_FRAME) => Ok(Self { lengths: Lengths::Told(reader), data, left: count }),
            _ => Err(data.fault(Kind::BadLength)),
        }
    }

    /// Any number of frames, padding behind them (RFC 6716 section 3.2.5).
    fn arbitrary(mut reader: Reader<'a>) -> Result<Self, Malformed> {
        let fields = reader.u8()?;
        let mut padding = 0;
        if fields & 0x40 != 0 {
            loop {
                let length = reader.u8()?;
                // 255 stands for 254 bytes, and that another byte of the length follows.
                padding += usize::from(length.min(254));
                if length != 255 {
                    break;
                }
            }
        }
        let count = fields & 0x3f;
        let length = reader.len().checked_sub(padding).ok_or_else(|| reader.fault(Kind::BadLength))?;
        let inside = Reader::new(Layer::Payload, reader.take(length)?);
        match count {
            0 => Err(reader.fault(Kind::BadValue)),
            _ if fields & 0x80 != 0 => Self::sized(inside, count),
            _ => Self::equal(inside, count),
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let length = match &mut self.lengths {
            Lengths::Equal(length) => *length,
            Lengths::Told(_) if self.left == 0 => self.data.len(),
            Lengths::Told(lengths) => frame_length(lengths).ok()?,
        };
        self.data.take(length).ok()
    }
}

/// The length of a frame, in one byte or two (RFC 6716 section 3.2.1).
fn frame_length(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    let first = usize::from(reader.u8()?);
    if first < 252 { Ok(first) } else { Ok(usize::from(reader.u8()?) * 4 + first) }
}

/// Bytes of the longest frame.
const LONGEST_FRAME: usize = 1275;

/// Samples of 48 kHz in 120 ms.
const LONGEST_PACKET: u32 = 5760;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tables_of_rfc_6716() {
        // Table 2: configuration, mode, bandwidth, frame size in ms.
        let rows = [
            (0, Mode::Silk, Bandwidth::Narrow, 10.0),
            (3, Mode::Silk, Bandwidth::Narrow, 60.0),
            (6, Mode::Silk, Bandwidth::Medium, 40.0),
            (9, Mode::Silk, Bandwidth::Wide, 20.0),
            (12, Mode::Hybrid, Bandwidth::SuperWide, 10.0),
            (15, Mode::Hybrid, Bandwidth::Full, 20.0),
            (16, Mode::Celt, Bandwidth::Narrow, 2.5),
            (21, Mode::Celt, Bandwidth::Wide, 5.0),
            (26, Mode::Celt, Bandwidth::SuperWide, 10.0),
            (31, Mode::Celt, Bandwidth::Full, 20.0),
        ];
        for (configuration, mode, bandwidth, milliseconds) in rows {
            let toc = Toc(configuration << 3);
            assert_eq!((toc.mode(), toc.bandwidth()), (mode, bandwidth), "{configuration}");
            assert!((f64::from(toc.frame_samples()) - milliseconds * 48.0).abs() < f64::EPSILON, "{configuration}");
        }
        // As browsers send it: 0x78 is CELT, fullband, 20 ms, mono... 0x7c the same in stereo, hybrid for both.
        assert!(!Toc(0x78).is_stereo() && Toc(0x7c).is_stereo());
    }

    #[test]
    fn framing() {
        let frames =
            |bytes: &[u8]| -> Vec<Vec<u8>> { Packet::parse(bytes).unwrap().frames().map(<[u8]>::to_vec).collect() };
        assert_eq!(frames(&[0x78]), [Vec::<u8>::new()]);
        assert_eq!(frames(&[0x78, 1, 2, 3]), [[1, 2, 3]]);
        assert_eq!(frames(&[0x79, 1, 2, 3, 4]), [[1, 2], [3, 4]]);
        assert_eq!(frames(&[0x7a, 1, 9, 2, 3]), [vec![9], vec![2, 3]]);
        // Code 3, constant bit rate, three frames.
        assert_eq!(frames(&[0x7b, 0x03, 1, 2, 3]), [[1], [2], [3]]);
        // Code 3, variable, three frames of 1, 2, 1 bytes, two of padding.
        assert_eq!(frames(&[0x7b, 0xc3, 2, 1, 2, 5, 6, 7, 8, 0, 0]), [vec![5], vec![6, 7], vec![8]]);
        let fault = |bytes: &[u8]| Packet::parse(bytes).unwrap_err().kind;
        assert_eq!(fault(&[]), Kind::TooShort);
        assert_eq!(fault(&[0x79, 1, 2, 3]), Kind::BadLength);
        assert_eq!(fault(&[0x7a, 4, 1]), Kind::BadLength);
        assert_eq!(fault(&[0x7b, 0x00]), Kind::BadValue);
        // Seven frames of 20 ms are longer than 120 ms.
        assert_eq!(fault(&[0x7b, 0x07, 1, 2, 3, 4, 5, 6, 7]), Kind::BadValue);
        assert_eq!(fault(&[0x7b, 0x41, 9, 1]), Kind::BadLength);
        assert_eq!(fault(&[&[0x78][..], &[0; 1276]].concat()), Kind::BadLength);
        // A length of two bytes: 252 + 4 * 1 = 256.
        assert_eq!(frames(&[&[0x7a, 252, 1][..], &[7; 257]].concat()), [vec![7; 256], vec![7]]);
    }

    #[test]
    fn silence_and_redundancy() {
        assert!(Packet::parse(&[0x78]).unwrap().is_dtx() && Packet::parse(&[0x08, 0]).unwrap().is_dtx());
        assert!(!Packet::parse(&[0x78, 1, 2]).unwrap().is_dtx());
        // RFC 6716 section 4.2.3: voice activity bits, then the LBRR flag; first of the mid, then of the side channel.
        let fec = |bytes: &[u8]| Packet::parse(bytes).unwrap().has_fec();
        let (silk_20, silk_60, stereo_20) = (0x48, 0x58, 0x4c);
        assert!(fec(&[silk_20, 0b0100_0000, 0]) && !fec(&[silk_20, 0b1011_1111, 0]));
        assert!(fec(&[silk_60, 0b0001_0000, 0]) && !fec(&[silk_60, 0b1110_1111, 0]));
        assert!(fec(&[stereo_20, 0b0001_0000, 0]) && !fec(&[stereo_20, 0b1010_1111, 0]));
        assert!(!fec(&[0xf8, 0xff, 0xff]) && !fec(&[silk_20]));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                prop_assert_eq!(packet.frames().count(), usize::from(packet.frame_count));
                prop_assert!((120..=5760).contains(&packet.samples()));
                prop_assert!(packet.frames().map(<[u8]>::len).sum::<usize>() < bytes.len());
                let _ = (packet.has_fec(), packet.is_dtx(), packet.toc.bandwidth());
            }
        }
    }
}
