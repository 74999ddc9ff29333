//! Sound: packets in order, each at its place. What is missing between them is silence, or concealment in Opus; what
//! comes twice is left out. So a file is as long as the stream was.

use std::io::{Seek, Write};

use audio_codec_algorithms::{decode_alaw, decode_ulaw};

use super::{Error, g722, ogg::OggOpus, wav::Wav};
use crate::wire::payload::{Codec, event::Event, opus};

/// A file of sound.
#[derive(Debug)]
pub(super) enum Sound<W> {
    /// Opus as it came.
    Opus { file: OggOpus<W>, written: i64 },
    /// Samples; so many of them are written for each unit of the RTP clock.
    Pcm { file: Wav<W>, decoder: Box<g722::Decoder>, per_unit: u32, written: i64, samples: Vec<i16> },
}

/// What became of packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Packets whose sound is in the file.
    pub written: u64,
    /// Packets that no decoder takes.
    pub malformed: u64,
    /// Units of the RTP clock that no packet had sound for.
    pub silent: u64,
}

impl<W: Write + Seek> Sound<W> {
    /// Adds `payload` at `place`, in units of the RTP clock.
    pub(super) fn push(&mut self, codec: Codec, payload: &[u8], place: i64, heard: &mut Heard) -> Result<(), Error> {
        match codec {
            // Nothing but silence, whose end the next packet tells.
            Codec::ComfortNoise => return Ok(()),
            Codec::TelephoneEvent => {
                let Ok(event) = Event::parse(payload) else { return Ok(()) };
                return self.fill(place.saturating_add(event.duration.into()), heard);
            }
            _ => {}
        }
        match self {
            Self::Opus { .. } => self.push_opus(payload, place, heard),
            Self::Pcm { .. } => self.push_pcm(codec, payload, place, heard),
        }
    }

    /// Writes what is left; the output.
    pub(super) fn finish(self) -> Result<W, Error> {
        match self {
            Self::Opus { file, .. } => file.finish(),
            Self::Pcm { file, .. } => file.finish(),
        }
    }

    /// Units of the RTP clock that were written.
    pub(super) const fn length(&self) -> i64 {
        match self {
            Self::Opus { written, .. } | Self::Pcm { written, .. } => *written,
        }
    }

    /// Silence up to `place`.
    fn fill(&mut self, place: i64, heard: &mut Heard) -> Result<(), Error> {
        let missing = u64::try_from(place.saturating_sub(self.length())).unwrap_or_default();
        let (filled, written) = match self {
            Self::Opus { file, written } => (missing - file.write_gap(missing)?, written),
            Self::Pcm { file, per_unit, written, .. } => {
                file.write_silence(missing * u64::from(*per_unit))?;
                (missing, written)
            }
        };
        *written += filled as i64;
        heard.silent += filled;
        Ok(())
    }

    fn push_opus(&mut self, payload: &[u8], place: i64, heard: &mut Heard) -> Result<(), Error> {
        let Ok(packet) = opus::Packet::parse(payload) else {
            heard.malformed += 1;
            return Ok(());
        };
        let samples = i64::from(packet.samples());
        if place + samples / 2 < self.length() {
            return Ok(());
        }
        self.fill(place, heard)?;
        if let Self::Opus { file, written } = self {
            file.write(&packet, payload)?;
            *written += samples;
        }
        heard.written += 1;
        Ok(())
    }

    fn push_pcm(&mut self, codec: Codec, payload: &[u8], place: i64, heard: &mut Heard) -> Result<(), Error> {
        self.fill(place, heard)?;
        let Self::Pcm { file, decoder, per_unit, written, samples } = self else { return Ok(()) };
        samples.clear();
        match codec {
            Codec::Pcmu => samples.extend(payload.iter().map(|byte| decode_ulaw(*byte))),
            Codec::Pcma => samples.extend(payload.iter().map(|byte| decode_alaw(*byte))),
            Codec::G722 => decoder.decode(payload, samples),
            _ => return Ok(()),
        }
        let overlap = usize::try_from(*written - place).unwrap_or_default().saturating_mul(*per_unit as usize);
        let Some(new @ [_, ..]) = samples.get(overlap..) else { return Ok(()) };
        file.write(new)?;
        *written += (new.len() / *per_unit as usize) as i64;
        heard.written += 1;
        Ok(())
    }
}
