//! Elements of header extensions that are a number or two.

use crate::{
    time::NANOS_PER_SECOND,
    wire::{Layer, Reader},
};

/// Nanoseconds after which a [`send_time`] begins anew.
pub const SEND_TIME_PERIOD: i64 = 64 * NANOS_PER_SECOND;

/// The level of the audio in a packet (RFC 6464 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    /// Decibels below the overload of the system, 0 to 127; 127 is silence.
    pub below_overload: u8,
    /// Whether the sender thinks that somebody speaks. It need not look (`vad=off`).
    pub voice: bool,
}

impl AudioLevel {
    /// Digital silence.
    pub const SILENCE: u8 = 127;

    /// Reads the byte.
    #[inline]
    #[must_use]
    pub const fn of(byte: u8) -> Self {
        Self { below_overload: byte & 0x7f, voice: byte & 0x80 != 0 }
    }
}

/// When a packet was sent, as nanoseconds within 64 s: three bytes, seconds with 18 bits of fraction
/// (webrtc.org/experiments/rtp-hdrext/abs-send-time).
#[inline]
#[must_use]
pub const fn send_time([a, b, c]: [u8; 3]) -> i64 {
    let units = u32::from_be_bytes([0, a, b, c]) as i64;
    (units * NANOS_PER_SECOND) >> 18
}

/// How long after the moment of its timestamp a packet was sent, in units of the RTP clock (RFC 5450 section 2.1).
#[inline]
#[must_use]
pub const fn transmission_offset([a, b, c]: [u8; 3]) -> i32 {
    i32::from_be_bytes([a, b, c, 0]) >> 8
}

/// When the first frame of a packet was captured (webrtc.org/experiments/rtp-hdrext/abs-capture-time).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureTime {
    /// By the clock of who captured it: nanoseconds since 1900, as NTP counts.
    pub captured: i64,
    /// What the sender thinks that this clock is ahead of its own by, in nanoseconds.
    pub clock_offset: Option<i64>,
}

impl CaptureTime {
    /// Reads 8 or 16 bytes: UQ32.32, and then Q32.32.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let nanos = |fixed: i128| ((fixed * i128::from(NANOS_PER_SECOND)) >> 32) as i64;
        let (first, rest) = data.split_first_chunk::<8>()?;
        let captured = nanos(i128::from(u64::from_be_bytes(*first)));
        match rest {
            [] => Some(Self { captured, clock_offset: None }),
            _ => {
                let offset = i64::from_be_bytes(rest.try_into().ok()?);
                Some(Self { captured, clock_offset: Some(nanos(i128::from(offset))) })
            }
        }
    }
}

/// How a picture is to be turned (3GPP TS 26.114 section 7.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation {
    /// Whether the camera at the back is in use.
    pub back_camera: bool,
    /// Whether the picture is mirrored.
    pub flipped: bool,
    /// Degrees clockwise that it is to be turned by: 0, 90, 180 or 270.
    pub rotation: u16,
}

impl Orientation {
    /// Reads the byte.
    #[must_use]
    pub const fn of(byte: u8) -> Self {
        let rotation = (byte & 3) as u16 * 90;
        Self { back_camera: byte & 8 != 0, flipped: byte & 4 != 0, rotation }
    }
}

/// What a picture shows (webrtc.org/experiments/rtp-hdrext/video-content-type).
#[must_use]
pub const fn is_screen(content_type: u8) -> bool {
    content_type & 1 != 0
}

/// The delay that a receiver shall play with, in milliseconds (webrtc.org/experiments/rtp-hdrext/playout-delay).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayoutDelay {
    /// At least.
    pub least: u16,
    /// At most.
    pub most: u16,
}

impl PlayoutDelay {
    /// Reads two numbers of 12 bits, in units of 10 ms.
    #[must_use]
    pub const fn of([a, b, c]: [u8; 3]) -> Self {
        let units = u32::from_be_bytes([0, a, b, c]);
        Self { least: (units >> 12) as u16 * 10, most: (units & 0xfff) as u16 * 10 }
    }
}

/// How numbers become colours (webrtc.org/experiments/rtp-hdrext/color-space), as ISO/IEC 23091-2 numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColorSpace {
    /// Colour primaries.
    pub primaries: u8,
    /// Transfer characteristics.
    pub transfer: u8,
    /// Matrix coefficients.
    pub matrix: u8,
    /// 0 invalid, 1 limited, 2 full, 3 derived.
    pub range: u8,
    /// Whether metadata for a high dynamic range follow.
    pub high_dynamic_range: bool,
}

impl ColorSpace {
    /// Reads 4 bytes, or 28 with metadata.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(Layer::Rtp, data);
        let [primaries, transfer, matrix, range] = reader.array().ok()?;
        matches!(data.len(), 4 | 28).then_some(Self {
            primaries,
            transfer,
            matrix,
            range: range >> 4 & 3,
            high_dynamic_range: data.len() == 28,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_levels() {
        assert_eq!(AudioLevel::of(0x7f), AudioLevel { below_overload: AudioLevel::SILENCE, voice: false });
        assert_eq!(AudioLevel::of(0xa8), AudioLevel { below_overload: 40, voice: true });
    }

    #[test]
    fn times() {
        // One second is 2^18 units; the largest value is a unit short of 64 s.
        assert_eq!(send_time([4, 0, 0]), NANOS_PER_SECOND);
        assert_eq!(send_time([0, 0, 1]), 3814);
        assert_eq!(SEND_TIME_PERIOD - send_time([0xff; 3]), 3815);
        assert_eq!(transmission_offset([0xff, 0xff, 0xfe]), -2);
        assert_eq!(transmission_offset([0, 1, 2]), 258);
        // One and a half seconds since 1900; a clock that is a quarter behind.
        let time = [0, 0, 0, 1, 0x80, 0, 0, 0];
        assert_eq!(CaptureTime::parse(&time), Some(CaptureTime { captured: 1_500_000_000, clock_offset: None }));
        let both = [time, [0xff, 0xff, 0xff, 0xff, 0xc0, 0, 0, 0]].concat();
        assert_eq!(CaptureTime::parse(&both).unwrap().clock_offset, Some(-250_000_000));
        assert_eq!((CaptureTime::parse(&time[..7]), CaptureTime::parse(&both[..15])), (None, None));
    }

    #[test]
    fn pictures() {
        assert_eq!(Orientation::of(0x0b), Orientation { back_camera: true, flipped: false, rotation: 270 });
        assert_eq!(Orientation::of(0x05), Orientation { back_camera: false, flipped: true, rotation: 90 });
        // 0x019 and 0x3e8: 250 ms and 10 s.
        assert_eq!(PlayoutDelay::of([0x01, 0x93, 0xe8]), PlayoutDelay { least: 250, most: 10_000 });
        // Of Chromium: SMPTE 170M for all three, limited range (1 << 4).
        let space = ColorSpace::parse(&[6, 6, 6, 0x10]).unwrap();
        assert_eq!((space.primaries, space.transfer, space.matrix, space.range), (6, 6, 6, 1));
        assert_eq!(ColorSpace::parse(&[6, 6, 6, 0x10, 0]), None);
    }
}
