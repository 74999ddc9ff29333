//! Media out of a capture, into files that players take.
//!
//! A [`Track`] takes the packets of one RTP stream, in clear and as they were captured, and writes them in order: Opus
//! to Ogg, G.711 and G.722 to WAV, VP8, VP9 and AV1 to IVF, H.264 and H.265 to streams of NAL units. Nothing here knows
//! captures, flows or keys; outputs are what the caller opens.
//!
//! * Sound that is missing is silence, in Opus concealment: a file is as long as the stream was. RED fills gaps with the
//!   copies that it has. Comfort noise and telephone events are silence.
//! * A frame of video of which a packet is missing is left out, and after it all that build on it: up to the next key
//!   frame, unless temporal layers tell that a frame builds on none that is missing. Times in IVF stay what they were, so
//!   that a picture stands still meanwhile; streams of NAL units have no times.
//! * [`RtpDump`] keeps packets as they are, [`PcapNg`] with [`Mended`] as they are inside SRTP, DTLS or TURN, and
//!   [`Messages`] those of data channels.
//!
//! ```
//! use std::{collections::BTreeMap, io::Cursor};
//!
//! use rtcscope::{
//!     extract::{Format, Packet, Sink, Track},
//!     time::Timestamp,
//!     wire::payload::Codec,
//! };
//!
//! let formats = BTreeMap::from([(0, Format::new(Codec::Pcmu, 8000)), (101, Format::new(Codec::TelephoneEvent, 8000))]);
//! let open = |extension: &str| Ok(Sink::new(format!("call.{extension}"), Cursor::new(Vec::new())));
//! let mut track = Track::new(formats, 0x8a2b_7d32, open);
//! for sequence in 0..50_u16 {
//!     let (at, timestamp) = (Timestamp(i64::from(sequence) * 20_000_000), u32::from(sequence) * 160);
//!     track.push(&Packet { at, sequence, timestamp, marker: false, payload_type: 0, payload: &[0xff; 160] })?;
//! }
//! let extracted = track.finish()?;
//! assert_eq!((extracted.parts[0].length, extracted.lost), (8000, 0));
//! # Ok::<(), rtcscope::extract::Error>(())
//! ```

mod annexb;
mod assemble;
mod audio;
mod chain;
mod g722;
mod ivf;
mod mended;
mod messages;
mod ogg;
mod pcapng;
mod reorder;
mod rtpdump;
mod sink;
mod timeline;
mod track;
mod wav;

pub use annexb::{AnnexB, parameter_sets};
pub use ivf::Ivf;
pub use mended::Mended;
pub use messages::{Layout, Message, Messages};
pub use ogg::OggOpus;
pub use pcapng::{PcapNg, Record};
pub use reorder::Packet;
pub use rtpdump::RtpDump;
pub use sink::{Error, Sink};
pub use track::{Extracted, Format, Part, Track};
pub use wav::Wav;

#[cfg(test)]
mod tests;
