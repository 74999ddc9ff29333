//! Static payload types (RFC 3551 section 6).

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Media {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Both in one stream.
    AudioVideo,
}

/// What a static payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticPayload {
    /// The encoding name.
    pub name: &'static str,
    /// What it is.
    pub media: Media,
    /// Units of the RTP timestamp a second.
    pub clock_rate: u32,
    /// Channels; 0 of video.
    pub channels: u8,
}

/// The meaning of a static payload type (RFC 3551 tables 4 and 5); `None` of those unassigned, reserved and dynamic.
#[must_use]
pub const fn static_payload_type(payload_type: u8) -> Option<StaticPayload> {
    Some(match payload_type {
        0 => audio("PCMU", 8000, 1),
        3 => audio("GSM", 8000, 1),
        4 => audio("G723", 8000, 1),
        5 => audio("DVI4", 8000, 1),
        6 => audio("DVI4", 16_000, 1),
        7 => audio("LPC", 8000, 1),
        8 => audio("PCMA", 8000, 1),
        // Sampled at 16 kHz, yet its RTP clock is 8 kHz by an old error (RFC 3551 section 4.5.2).
        9 => audio("G722", 8000, 1),
        10 => audio("L16", 44_100, 2),
        11 => audio("L16", 44_100, 1),
        12 => audio("QCELP", 8000, 1),
        // Comfort noise (RFC 3389).
        13 => audio("CN", 8000, 1),
        14 => audio("MPA", 90_000, 1),
        15 => audio("G728", 8000, 1),
        16 => audio("DVI4", 11_025, 1),
        17 => audio("DVI4", 22_050, 1),
        18 => audio("G729", 8000, 1),
        25 => video("CelB"),
        26 => video("JPEG"),
        28 => video("nv"),
        31 => video("H261"),
        32 => video("MPV"),
        33 => StaticPayload { name: "MP2T", media: Media::AudioVideo, clock_rate: 90_000, channels: 0 },
        34 => video("H263"),
        _ => return None,
    })
}

const fn audio(name: &'static str, clock_rate: u32, channels: u8) -> StaticPayload {
    StaticPayload { name, media: Media::Audio, clock_rate, channels }
}

const fn video(name: &'static str) -> StaticPayload {
    StaticPayload { name, media: Media::Video, clock_rate: 90_000, channels: 0 }
}
