//! What an RTP packet carries, by codec: payload descriptors, and as much of the coded bytes as tells key frames, sizes
//! and layers.
//!
//! Each module has the views of one payload format; [`Summary`] says of a packet of any of them what a consumer needs
//! that knows no codec.

pub mod av1;
pub mod event;
pub mod h264;
pub mod h265;
mod nal;
pub mod opus;
pub mod red;
pub mod vp8;
pub mod vp9;

pub use nal::{Piece, Resolution};

use super::{Kind, Layer, Malformed};

/// How a payload is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Opus (RFC 7587).
    Opus,
    /// G.711 µ-law (RFC 3551 section 4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 section 4.5.14).
    Pcma,
    /// G.722 at 64 kbit/s (RFC 3551 section 4.5.2).
    G722,
    /// Comfort noise (RFC 3389).
    ComfortNoise,
    /// Telephone events (RFC 4733).
    TelephoneEvent,
    /// Redundant data (RFC 2198): blocks of other payload types.
    Red,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184).
    H264,
    /// H.265 (RFC 7798).
    H265,
    /// AV1 (the RTP payload format of the Alliance for Open Media).
    Av1,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Opus,
        Self::Pcmu,
        Self::Pcma,
        Self::G722,
        Self::ComfortNoise,
        Self::TelephoneEvent,
        Self::Red,
        Self::Vp8,
        Self::Vp9,
        Self::H264,
        Self::H265,
        Self::Av1,
    ];

    /// The codec of an encoding name, as `a=rtpmap` has it; upper and lower case are the same (RFC 4855 section 3).
    #[must_use]
    pub fn named(encoding: &str) -> Option<Self> {
        const NAMES: [(&str, Codec); 14] = [
            ("opus", Codec::Opus),
            ("PCMU", Codec::Pcmu),
            ("PCMA", Codec::Pcma),
            ("G722", Codec::G722),
            ("CN", Codec::ComfortNoise),
            ("telephone-event", Codec::TelephoneEvent),
            ("red", Codec::Red),
            ("VP8", Codec::Vp8),
            ("VP9", Codec::Vp9),
            ("H264", Codec::H264),
            ("H265", Codec::H265),
            ("HEVC", Codec::H265),
            ("AV1", Codec::Av1),
            ("AV1X", Codec::Av1),
        ];
        NAMES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(encoding)).map(|(_, codec)| codec)
    }

    /// Whether its payloads are pictures.
    #[must_use]
    pub const fn is_video(self) -> bool {
        matches!(self, Self::Vp8 | Self::Vp9 | Self::H264 | Self::H265 | Self::Av1)
    }
}

/// What a packet says of its frame, whatever the codec. A packet that does not tell says `false` or `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// A frame starts in the packet. In H.264 and H.265 each packet of parameter sets ahead of a picture says so too;
    /// frames are told apart by their timestamp.
    pub starts_frame: bool,
    /// The packet is the last of a frame.
    pub ends_frame: bool,
    /// The packet is of a key frame: with it a decoder can start. Of several packets of such a frame only the first
    /// may say so.
    pub key_frame: bool,
    /// The size of the picture; in a packet of a key frame, or one with parameter sets.
    pub resolution: Option<Resolution>,
    /// The temporal layer, from 0.
    pub temporal_layer: Option<u8>,
    /// The spatial layer, from 0.
    pub spatial_layer: Option<u8>,
    /// No other frame refers to this one: its loss does no harm to what follows.
    pub discardable: bool,
}

impl Summary {
    /// Reads `payload`, which has no padding, of a packet whose marker bit is `marker`.
    ///
    /// # Errors
    /// When the payload is not what its format allows; [`Kind::Unsupported`] of [`Codec::Red`], whose blocks have
    /// payload types of their own.
    pub fn read(codec: Codec, payload: &[u8], marker: bool) -> Result<Self, Malformed> {
        let summary = match codec {
            Codec::Vp8 => vp8::Payload::parse(payload)?.summary(marker),
            Codec::Vp9 => vp9::Payload::parse(payload)?.summary(marker),
            Codec::H264 => h264::Payload::parse(payload)?.summary(marker),
            Codec::H265 => h265::Payload::parse(payload)?.summary(marker),
            Codec::Av1 => av1::Payload::parse(payload)?.summary(marker),
            Codec::Opus => opus::Packet::parse(payload).map(|_| Self::SOUND)?,
            Codec::TelephoneEvent => event::Event::parse(payload).map(|_| Self::SOUND)?,
            Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::ComfortNoise => Self::SOUND,
            Codec::Red => return Err(Malformed::new(Layer::Payload, Kind::Unsupported, 0)),
        };
        Ok(summary)
    }

    /// Each packet of an audio codec has whole frames.
    const SOUND: Self = Self {
        starts_frame: true,
        ends_frame: true,
        key_frame: false,
        resolution: None,
        temporal_layer: None,
        spatial_layer: None,
        discardable: false,
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        // Encoding names as SDP of browsers and telephones has them.
        assert_eq!(Codec::named("OPUS"), Some(Codec::Opus));
        assert_eq!(Codec::named("g722"), Some(Codec::G722));
        assert_eq!(Codec::named("AV1"), Some(Codec::Av1));
        assert_eq!(Codec::named("ulpfec"), None);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80), marker: bool) {
            for codec in Codec::ALL {
                if let Err(fault) = Summary::read(codec, &bytes, marker) {
                    prop_assert!(fault.layer == Layer::Payload && fault.offset <= bytes.len());
                }
            }
        }
    }
}
