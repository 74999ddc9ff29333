//! IVF files of VP8, VP9 and AV1: a header of 32 bytes, then each frame behind 12 bytes of length and time.

use std::io::{Seek, Write};

use super::{Error, Sink};
use crate::wire::payload::{Codec, Resolution};

/// An IVF file. Its length and the size of its frames are written at the end.
///
/// The field of the length is said to be a number of frames in some places. FFmpeg, and all that is made with it, writes
/// and reads it as a duration in units of the clock; others do not look. So it is that here.
#[derive(Debug)]
pub struct Ivf<W> {
    sink: Sink<W>,
    frames: i64,
    resolution: Option<Resolution>,
    /// The times of the first and of the last frame.
    span: Option<(i64, i64)>,
}

impl<W: Write + Seek> Ivf<W> {
    /// Starts a file of frames whose times are in units of `clock_rate` a second.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(mut sink: Sink<W>, codec: Codec, clock_rate: u32) -> Result<Self, Error> {
        let four_cc = match codec {
            Codec::Vp9 => b"VP90",
            Codec::Av1 => b"AV01",
            _ => b"VP80",
        };
        let mut header = Vec::with_capacity(HEADER);
        header.extend(b"DKIF\0\0\x20\0");
        header.extend(four_cc);
        // Width and height; filled in later.
        header.extend([0; 4]);
        header.extend(clock_rate.to_le_bytes());
        header.extend(1_u32.to_le_bytes());
        header.extend([0; 8]);
        sink.write(&header)?;
        Ok(Self { sink, frames: 0, resolution: None, span: None })
    }

    /// Adds a frame. Of two frames with the same time, or in the wrong order, the second is one unit later than the
    /// first: players refuse others.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, time: i64, frame: &[u8], resolution: Option<Resolution>) -> Result<(), Error> {
        let time = self.span.map_or(time, |(_, last)| time.max(last + 1));
        self.span = Some((self.span.map_or(time, |(first, _)| first), time));
        self.resolution = self.resolution.or(resolution);
        self.frames += 1;
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        self.sink.write(&length.to_le_bytes())?;
        self.sink.write(&time.to_le_bytes())?;
        self.sink.write(frame)
    }

    /// Writes the length, the last frame being as long as all are on average, and the size of the first; the output.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn finish(mut self) -> Result<W, Error> {
        if let Some(Resolution { width, height }) = self.resolution {
            let side = |length: u32| u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes();
            self.sink.patch(12, &side(width))?;
            self.sink.patch(14, &side(height))?;
        }
        let (first, last) = self.span.unwrap_or_default();
        let length = (last - first).saturating_mul(self.frames) / (self.frames - 1).max(1);
        self.sink.patch(24, &u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes())?;
        self.sink.finish()
    }
}

/// Bytes ahead of the first frame.
const HEADER: usize = 32;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_file() {
        let mut ivf = Ivf::create(Sink::new("a.ivf", Cursor::new(Vec::new())), Codec::Vp9, 90_000).unwrap();
        ivf.write(0, &[1, 2, 3], Some(Resolution { width: 640, height: 360 })).unwrap();
        ivf.write(3000, &[4], None).unwrap();
        ivf.write(3000, &[5], None).unwrap();
        let bytes = ivf.finish().unwrap().into_inner();
        // 3,001 * 3 / 2 units.
        let expected = [
            b"DKIF\0\0\x20\0VP90\x80\x02\x68\x01\x90\x5f\x01\0\x01\0\0\0\x95\x11\0\0\0\0\0\0".to_vec(),
            b"\x03\0\0\0\0\0\0\0\0\0\0\0\x01\x02\x03".to_vec(),
            b"\x01\0\0\0\xb8\x0b\0\0\0\0\0\0\x04".to_vec(),
            b"\x01\0\0\0\xb9\x0b\0\0\0\0\0\0\x05".to_vec(),
        ];
        assert_eq!(bytes, expected.concat());
    }
}
