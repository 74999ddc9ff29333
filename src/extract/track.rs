//! The packets of one stream to files.

use std::{
    collections::BTreeMap,
    io::{Seek, Write},
    path::PathBuf,
};

use super::{
    AnnexB, Error, Ivf, OggOpus, Packet, Sink, Wav,
    assemble::{Assembler, Fates, Frame},
    audio::{Heard, Sound},
    reorder::{Ordered, Reorder},
    timeline::Timeline,
};
use crate::wire::payload::{Codec, Resolution, opus, red};

/// What a payload type stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The codec.
    pub codec: Codec,
    /// Units of the RTP timestamp a second.
    pub clock_rate: u32,
    /// Parameter sets that were told out of band, of H.264 and H.265.
    pub parameter_sets: Vec<Vec<u8>>,
}

impl Format {
    /// A codec without parameter sets.
    #[must_use]
    pub const fn new(codec: Codec, clock_rate: u32) -> Self {
        Self { codec, clock_rate, parameter_sets: Vec::new() }
    }

    /// The kind of file that its frames go into.
    const fn container(&self) -> Option<Container> {
        Some(match self.codec {
            Codec::Opus => Container::Ogg,
            Codec::Pcmu | Codec::Pcma => Container::Wav { per_unit: 1 },
            Codec::G722 => Container::Wav { per_unit: 2 },
            Codec::Vp8 | Codec::Vp9 | Codec::Av1 => Container::Ivf(self.codec),
            Codec::H264 | Codec::H265 => Container::AnnexB(self.codec),
            Codec::ComfortNoise | Codec::TelephoneEvent | Codec::Red => return None,
        })
    }
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Ogg,
    /// Samples for each unit of the RTP clock: two of G.722, whose clock is told wrong (RFC 3551 section 4.5.2).
    Wav {
        per_unit: u32,
    },
    Ivf(Codec),
    AnnexB(Codec),
}

impl Container {
    /// How such files end.
    const fn extension(self) -> &'static str {
        match self {
            Self::Ogg => "opus",
            Self::Wav { .. } => "wav",
            Self::Ivf(_) => "ivf",
            Self::AnnexB(Codec::H264) => "h264",
            Self::AnnexB(_) => "h265",
        }
    }
}

/// What was written of a stream, in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file; none where no frame could be written, for want of a key frame.
    pub path: Option<PathBuf>,
    /// The codec of its first packet.
    pub codec: Codec,
    /// Units of the RTP clock a second.
    pub clock_rate: u32,
    /// Frames of video, or packets of sound, that are in the file.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Frames of which packets are missing: left out.
    pub incomplete_frames: u64,
    /// Whole frames that build on one that is missing: left out.
    pub undecodable_frames: u64,
    /// Packets of sound that no decoder takes: silence.
    pub malformed_packets: u64,
    /// From the first packet to the end of the last one of sound, or to the last frame; in units of the RTP clock.
    pub length: u64,
    /// Of that, what is silence because no packet tells of it.
    pub silence: u64,
    /// The size of the first picture.
    pub resolution: Option<Resolution>,
}

/// What became of the packets of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// The files, in the order in which they were begun: another one where the codec changes to what no such file can
    /// hold.
    pub parts: Vec<Part>,
    /// Packets that are missing.
    pub lost: u64,
    /// Packets that came twice, or too late.
    pub unused: u64,
    /// Packets of payload types whose format is not known, or that are not written.
    pub foreign: u64,
}

/// One stream on its way to files.
pub struct Track<W, F> {
    formats: BTreeMap<u8, Format>,
    open: F,
    serial: u32,
    reorder: Reorder,
    file: Option<File<W>>,
    extracted: Extracted,
}

impl<W: Write + Seek, F: FnMut(&str) -> Result<Sink<W>, Error>> Track<W, F> {
    /// A stream whose payload types mean `formats`. `open` makes an output for files that end as it is told: `opus`,
    /// `wav`, `ivf`, `h264`, `h265`. It is asked when the first packet comes that belongs into such a file. `serial`,
    /// best the SSRC, is the number of the stream in Ogg.
    pub fn new(formats: BTreeMap<u8, Format>, serial: u32, open: F) -> Self {
        Self { formats, open, serial, reorder: Reorder::default(), file: None, extracted: Extracted::default() }
    }

    /// Takes a packet, in the order of capture.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn push(&mut self, packet: &Packet<'_>) -> Result<(), Error> {
        self.reorder.push(packet);
        self.take_ready()
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(mut self) -> Result<Extracted, Error> {
        self.reorder.end();
        self.take_ready()?;
        self.close()?;
        self.extracted.unused = self.reorder.unused;
        Ok(self.extracted)
    }

    fn take_ready(&mut self) -> Result<(), Error> {
        while let Some(packet) = self.reorder.pop() {
            self.extracted.lost += packet.lost;
            self.take(&packet)?;
        }
        Ok(())
    }

    fn take(&mut self, packet: &Ordered) -> Result<(), Error> {
        let format = self.formats.get(&packet.payload_type);
        if packet.payload.is_empty() {
            self.skip(packet);
            return Ok(());
        }
        match format.map(|format| format.codec) {
            None => {
                self.extracted.foreign += 1;
                self.skip(packet);
                Ok(())
            }
            Some(Codec::Red) => self.take_blocks(packet),
            Some(_) => self.take_payload(packet, packet.payload_type, &packet.payload, 0),
        }
    }

    /// Blocks of RED, oldest first: what is there already is left out where the sound is written. Of video only the last
    /// is new; it may be FEC.
    fn take_blocks(&mut self, packet: &Ordered) -> Result<(), Error> {
        let Ok(blocks) = red::Blocks::parse(&packet.payload) else {
            self.extracted.foreign += 1;
            self.skip(packet);
            return Ok(());
        };
        for block in blocks {
            let codec = self.formats.get(&block.payload_type).map(|format| format.codec);
            let is_new = |codec: Codec| codec != Codec::Red && (block.primary || !codec.is_video());
            if codec.is_some_and(is_new) && !block.data.is_empty() {
                self.take_payload(packet, block.payload_type, block.data, block.timestamp_offset)?;
            } else if block.primary {
                self.skip(packet);
            }
        }
        Ok(())
    }

    /// A packet of which nothing is written.
    fn skip(&mut self, packet: &Ordered) {
        if let Some(File { kind: Kind::Video { assembler, .. }, .. }) = &mut self.file {
            assembler.skip(packet);
        }
    }

    fn take_payload(&mut self, packet: &Ordered, payload_type: u8, payload: &[u8], offset: u16) -> Result<(), Error> {
        let Some(format) = self.formats.get(&payload_type) else { return Ok(()) };
        if let Some(container) = format.container() {
            let holds = |file: &File<W>| file.container == container && file.part.clock_rate == format.clock_rate;
            if self.file.as_ref().is_some_and(|file| !holds(file)) {
                self.close()?;
            }
        }
        let Some(format) = self.formats.get(&payload_type) else { return Ok(()) };
        let is_sound = format.codec != Codec::Opus || opus::Packet::parse(payload).is_ok();
        let file = match (&mut self.file, format.container()) {
            (Some(file), _) => file,
            (none, Some(container)) if is_sound => {
                none.insert(File::create(format, container, self.serial, &mut self.open)?)
            }
            // An event, or comfort noise, before anything else: no file to be silent in.
            _ => {
                self.extracted.foreign += 1;
                return Ok(());
            }
        };
        file.push(format, packet, payload, offset, &mut self.open)
    }

    fn close(&mut self) -> Result<(), Error> {
        if let Some(file) = self.file.take() {
            self.extracted.parts.push(file.finish(&mut self.open)?);
        }
        Ok(())
    }
}

/// A file that is being written.
struct File<W> {
    container: Container,
    timeline: Timeline,
    parameter_sets: Vec<Vec<u8>>,
    kind: Kind<W>,
    part: Part,
}

/// What is in it.
enum Kind<W> {
    Sound {
        sound: Sound<W>,
        heard: Heard,
    },
    /// Of video there is a file once there is a frame.
    Video {
        assembler: Assembler,
        file: Option<Video<W>>,
    },
}

/// A file of video.
enum Video<W> {
    Ivf(Ivf<W>),
    AnnexB(AnnexB<W>),
}

impl<W: Write + Seek> File<W> {
    fn create(
        format: &Format,
        container: Container,
        serial: u32,
        mut open: impl FnMut(&str) -> Result<Sink<W>, Error>,
    ) -> Result<Self, Error> {
        let clock_rate = format.clock_rate.max(1);
        let mut part = Part {
            path: None,
            codec: format.codec,
            clock_rate: format.clock_rate,
            frames: 0,
            key_frames: 0,
            incomplete_frames: 0,
            undecodable_frames: 0,
            malformed_packets: 0,
            length: 0,
            silence: 0,
            resolution: None,
        };
        let mut open = || {
            let sink = open(container.extension())?;
            part.path = Some(sink.path().to_owned());
            Ok(sink)
        };
        let sound = match container {
            Container::Ogg => Some(Sound::Opus { file: OggOpus::create(open()?, serial)?, written: 0 }),
            Container::Wav { per_unit } => {
                let file = Wav::create(open()?, clock_rate.saturating_mul(per_unit))?;
                Some(Sound::Pcm { file, decoder: Box::default(), per_unit, written: 0, samples: Vec::new() })
            }
            Container::Ivf(_) | Container::AnnexB(_) => None,
        };
        let kind = match sound {
            Some(sound) => Kind::Sound { sound, heard: Heard::default() },
            None => Kind::Video { assembler: Assembler::new(format.codec), file: None },
        };
        let parameter_sets = format.parameter_sets.clone();
        Ok(Self { container, timeline: Timeline::new(clock_rate), parameter_sets, kind, part })
    }

    fn push(
        &mut self,
        format: &Format,
        packet: &Ordered,
        payload: &[u8],
        offset: u16,
        open: impl FnMut(&str) -> Result<Sink<W>, Error>,
    ) -> Result<(), Error> {
        let place = self.timeline.place(packet.timestamp, packet.at);
        let frames = match &mut self.kind {
            Kind::Sound { sound, heard } => {
                return sound.push(format.codec, payload, place - i64::from(offset), heard);
            }
            Kind::Video { assembler, .. } if format.codec != self.part.codec => {
                assembler.skip(packet);
                return Ok(());
            }
            Kind::Video { assembler, .. } => assembler.push(packet, payload, place),
        };
        self.write(frames, open)
    }

    /// Writes frames that are whole.
    fn write(
        &mut self,
        frames: [Option<Frame>; 2],
        mut open: impl FnMut(&str) -> Result<Sink<W>, Error>,
    ) -> Result<(), Error> {
        let Kind::Video { file, .. } = &mut self.kind else { return Ok(()) };
        for frame in frames.into_iter().flatten() {
            let file = match &mut *file {
                Some(file) => file,
                none => {
                    let sink = open(self.container.extension())?;
                    self.part.path = Some(sink.path().to_owned());
                    none.insert(match self.container {
                        Container::Ivf(codec) => Video::Ivf(Ivf::create(sink, codec, self.part.clock_rate.max(1))?),
                        _ => Video::AnnexB(AnnexB::create(sink, &self.parameter_sets)?),
                    })
                }
            };
            file.write(&frame, &mut self.part)?;
        }
        Ok(())
    }

    fn finish(mut self, open: impl FnMut(&str) -> Result<Sink<W>, Error>) -> Result<Part, Error> {
        if let Kind::Video { assembler, .. } = &mut self.kind {
            let last = assembler.end();
            self.write([last, None], open)?;
        }
        let Self { kind, mut part, .. } = self;
        match kind {
            Kind::Sound { sound, heard } => {
                part.length = u64::try_from(sound.length()).unwrap_or_default();
                (part.frames, part.malformed_packets, part.silence) = (heard.written, heard.malformed, heard.silent);
                sound.finish()?;
            }
            Kind::Video { assembler, file } => {
                let Fates { written, key, incomplete, undecodable } = assembler.fates;
                (part.frames, part.key_frames) = (written, key);
                (part.incomplete_frames, part.undecodable_frames) = (incomplete, undecodable);
                if let Some(file) = file {
                    file.finish()?;
                }
            }
        }
        Ok(part)
    }
}

impl<W: Write + Seek> Video<W> {
    fn write(&mut self, frame: &Frame, part: &mut Part) -> Result<(), Error> {
        part.resolution = part.resolution.or(frame.resolution);
        part.length = part.length.max(u64::try_from(frame.place).unwrap_or_default());
        match self {
            Self::Ivf(file) => file.write(frame.place, &frame.data, frame.resolution),
            Self::AnnexB(file) => file.write(&frame.data),
        }
    }

    fn finish(self) -> Result<W, Error> {
        match self {
            Self::Ivf(file) => file.finish(),
            Self::AnnexB(file) => file.finish(),
        }
    }
}
