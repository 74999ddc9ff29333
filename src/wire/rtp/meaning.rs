//! What elements of header extensions mean: the URIs that SDP maps their ids to (RFC 8285 section 5).

/// What an element says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// The level of the audio in the packet (RFC 6464).
    AudioLevel,
    /// When the packet was sent.
    SendTime,
    /// When the first frame in the packet was captured.
    CaptureTime,
    /// A sequence number over all streams of a transport (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportWide,
    /// Which layer the frame is of, and what it depends on (AV1 RTP specification, appendix A).
    DependencyDescriptor,
    /// Which simulcast streams and layers are sent, and at what rate.
    VideoLayersAllocation,
    /// How the picture is to be turned (3GPP TS 26.114 section 7.4.5).
    VideoOrientation,
    /// Camera or screen.
    VideoContentType,
    /// The least and the longest delay that the receiver shall play with.
    PlayoutDelay,
    /// How long after its timestamp's time a packet was sent (RFC 5450).
    TransmissionOffset,
    /// Primaries, transfer, matrix and range of the pictures.
    ColorSpace,
}

/// Each with its URI; of several the one in use first.
const URIS: [(Meaning, &str); 12] = [
    (Meaning::AudioLevel, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
    (Meaning::SendTime, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),
    (Meaning::CaptureTime, "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"),
    (Meaning::TransportWide, "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"),
    (Meaning::TransportWide, "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02"),
    (
        Meaning::DependencyDescriptor,
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    ),
    (Meaning::VideoLayersAllocation, "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"),
    (Meaning::VideoOrientation, "urn:3gpp:video-orientation"),
    (Meaning::VideoContentType, "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"),
    (Meaning::PlayoutDelay, "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"),
    (Meaning::TransmissionOffset, "urn:ietf:params:rtp-hdrext:toffset"),
    (Meaning::ColorSpace, "http://www.webrtc.org/experiments/rtp-hdrext/color-space"),
];

impl Meaning {
    /// What elements of this URI mean; `None` for one that is not known or names a stream.
    #[must_use]
    pub fn of_uri(uri: &str) -> Option<Self> {
        URIS.iter().find(|(_, known)| *known == uri).map(|(meaning, _)| *meaning)
    }

    /// Its URI.
    #[must_use]
    pub fn uri(self) -> &'static str {
        URIS.iter().find(|(meaning, _)| *meaning == self).map_or("", |(_, uri)| *uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_uri() {
        for (meaning, uri) in URIS {
            assert_eq!(Meaning::of_uri(uri), Some(meaning));
            assert_eq!(Meaning::of_uri(meaning.uri()), Some(meaning));
        }
        assert_eq!(Meaning::of_uri("urn:ietf:params:rtp-hdrext:sdes:mid"), None);
    }
}
