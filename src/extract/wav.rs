//! WAV files of 16-bit PCM, one channel (Microsoft's `WAVEFORMATEX`, format 1).

use std::io::{Seek, Write};

use super::{Error, Sink};

/// A WAV file. Its length is written at the end.
#[derive(Debug)]
pub struct Wav<W> {
    sink: Sink<W>,
    data_length: u32,
    bytes: Vec<u8>,
}

impl<W: Write + Seek> Wav<W> {
    /// Starts a file of `sample_rate` samples a second.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(mut sink: Sink<W>, sample_rate: u32) -> Result<Self, Error> {
        let mut header = Vec::with_capacity(HEADER);
        header.extend(b"RIFF\0\0\0\0WAVEfmt ");
        header.extend(16_u32.to_le_bytes());
        // PCM, one channel.
        header.extend([1, 0, 1, 0]);
        header.extend(sample_rate.to_le_bytes());
        header.extend(sample_rate.saturating_mul(2).to_le_bytes());
        // Bytes of a sample of all channels, bits of one.
        header.extend([2, 0, 16, 0]);
        header.extend(b"data\0\0\0\0");
        sink.write(&header)?;
        Ok(Self { sink, data_length: 0, bytes: Vec::new() })
    }

    /// Adds samples; as many as fit the four gigabytes that the format allows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), Error> {
        self.bytes.clear();
        self.bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        let Some(data_length) = u32::try_from(self.bytes.len())
            .ok()
            .and_then(|length| self.data_length.checked_add(length))
            .filter(|length| *length <= MOST_DATA)
        else {
            return Ok(());
        };
        self.data_length = data_length;
        self.sink.write(&self.bytes)
    }

    /// Adds `count` samples of silence.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_silence(&mut self, mut count: u64) -> Result<(), Error> {
        while count > 0 && self.data_length < MOST_DATA - 2 * SILENCE.len() as u32 {
            let chunk = count.min(SILENCE.len() as u64);
            self.write(SILENCE.get(..chunk as usize).unwrap_or_default())?;
            count -= chunk;
        }
        Ok(())
    }

    /// Writes the lengths; the output.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn finish(mut self) -> Result<W, Error> {
        self.sink.patch(4, &(self.data_length + HEADER as u32 - 8).to_le_bytes())?;
        self.sink.patch(HEADER as u64 - 4, &self.data_length.to_le_bytes())?;
        self.sink.finish()
    }
}

/// Bytes ahead of the samples.
const HEADER: usize = 44;

/// Bytes of samples whose length, with the header's, fits 32 bits.
const MOST_DATA: u32 = u32::MAX - HEADER as u32 - 1;

static SILENCE: [i16; 1600] = [0; 1600];

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_file() {
        let mut wav = Wav::create(Sink::new("a.wav", Cursor::new(Vec::new())), 8000).unwrap();
        wav.write(&[1, -2]).unwrap();
        wav.write_silence(1601).unwrap();
        let bytes = wav.finish().unwrap().into_inner();
        assert_eq!(bytes.len(), 44 + 2 * 1603);
        // The header as `ffmpeg -f s16le -ar 8000 -ac 1 -i - -fflags +bitexact a.wav` writes it of 3,206 bytes.
        let expected =
            b"RIFF\xaa\x0c\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x86\x0c\0\0";
        assert_eq!(&bytes[..44], expected);
        assert_eq!(&bytes[44..50], [1, 0, 0xfe, 0xff, 0, 0]);
    }
}
