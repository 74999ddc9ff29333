//! What a description says.

use super::{
    candidate::{Address, Candidate},
    codec::Codec,
    line::Line,
    note::Lint,
    security::{Crypto, Fingerprint, Setup},
};

/// A session description (RFC 8866), owned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Who made it (`o=`).
    pub origin: Option<Origin>,
    /// Its name (`s=`), often `-`.
    pub session_name: Option<String>,
    /// Where media is received, where a section does not say (`c=`).
    pub connection: Option<Connection>,
    /// When the session is active (`t=`), as written.
    pub timing: Option<String>,
    /// Bandwidths of the session (`b=`).
    pub bandwidths: Vec<Bandwidth>,
    /// Groups of media: BUNDLE, LS, FID ... (RFC 5888).
    pub groups: Vec<Group>,
    /// Whether the agent is an ICE lite one (RFC 8839 section 5.3).
    pub ice_lite: bool,
    /// ICE options of the session: `trickle`, `ice2`, `renomination`.
    pub ice_options: Vec<String>,
    /// Candidates at session level, where there should be none.
    pub candidates: Vec<Candidate>,
    /// The media sections in order. What the session says for all of them is filled in.
    pub media: Vec<Media>,
    /// Every line, as written.
    pub lines: Vec<Line>,
    /// Lines beyond the cap, which were not looked at.
    pub lines_omitted: usize,
    /// What was odd in reading it; [`Description::lints_omitted`] more were left out.
    pub lints: Vec<Lint>,
    /// Lints beyond the cap.
    pub lints_omitted: usize,
}

/// Why a text is no description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no SDP: {reason} (line {line}, column {column}); give the text of an offer or answer, which begins with v=0")]
pub struct NotSdp {
    /// The line where it was given up, counted from 1.
    pub line: usize,
    /// The character of the line, counted from 1.
    pub column: usize,
    /// Why.
    pub reason: String,
}

/// Who made a description, and which version of it (RFC 8866 section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// A login, or `-`.
    pub username: String,
    /// The number of the session, as written: it may be longer than 64 bits.
    pub session_id: String,
    /// Rises with each new description of the session.
    pub session_version: String,
    /// The address of its maker.
    pub address: Address,
}

/// An address for media (RFC 8866 section 5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The address.
    pub address: Address,
    /// Time to live of IPv4 multicast.
    pub ttl: Option<u8>,
    /// Number of multicast addresses.
    pub count: Option<u32>,
}

/// A limit of bandwidth (RFC 8866 section 5.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// `AS` and `CT` are in kbit/s, `TIAS`, `RS` and `RR` in bit/s.
    pub kind: String,
    /// The value.
    pub value: u64,
}

/// Media that belong together (RFC 5888).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `BUNDLE`, `LS`, `FID` ..., as written.
    pub semantics: String,
    /// The identification tags of its media.
    pub mids: Vec<String>,
    /// The line it stands in.
    pub line: usize,
}

/// The kind of a media section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Data channels, BFCP ...
    Application,
    /// Real-time text.
    Text,
    /// MSRP.
    Message,
    /// Fax (T.38).
    Image,
    /// Anything else, as written.
    Other(String),
    /// The line could not be read.
    #[default]
    Unknown,
}

impl Kind {
    pub(super) fn read(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "audio" => Self::Audio,
            "video" => Self::Video,
            "application" => Self::Application,
            "text" => Self::Text,
            "message" => Self::Message,
            "image" => Self::Image,
            "" => Self::Unknown,
            _ => Self::Other(word.to_owned()),
        }
    }

    /// The word in the description.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Application => "application",
            Self::Text => "text",
            Self::Message => "message",
            Self::Image => "image",
            Self::Other(word) => word,
            Self::Unknown => "unknown",
        }
    }
}

/// Which way media flows, as its describer sees it (RFC 8866 section 6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways; so it is where nothing is said.
    #[default]
    Sendrecv,
    /// From the describer.
    Sendonly,
    /// To the describer.
    Recvonly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// From whether each way is open.
    #[must_use]
    pub const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::Sendrecv,
            (true, false) => Self::Sendonly,
            (false, true) => Self::Recvonly,
            (false, false) => Self::Inactive,
        }
    }

    /// The word in the description.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sendrecv => "sendrecv",
            Self::Sendonly => "sendonly",
            Self::Recvonly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Whether the describer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::Sendrecv | Self::Sendonly)
    }

    /// Whether the describer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::Sendrecv | Self::Recvonly)
    }

    /// The same, as the other side sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::of(self.receives(), self.sends())
    }
}

/// A media section: an `m=` line and what follows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// Its place, from 0.
    pub index: usize,
    /// The line of its `m=`.
    pub line: usize,
    /// Its identification tag (`a=mid`, RFC 5888).
    pub mid: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The port; 9 stands for one that ICE will find, 0 for none.
    pub port: u16,
    /// How many ports, where written.
    pub port_count: Option<u32>,
    /// The protocol as written: `UDP/TLS/RTP/SAVPF`.
    pub protocol: String,
    /// The formats as written.
    pub formats: Vec<String>,
    /// Whether it is refused or given up: port 0 without `a=bundle-only`.
    pub rejected: bool,
    /// Where it is received.
    pub connection: Option<Connection>,
    /// Which way it flows.
    pub direction: Direction,
    /// Whether that is written, here or for the session.
    pub direction_written: bool,
    /// What its payload types stand for, in the order of preference.
    pub codecs: Vec<Codec>,
    /// What `a=rtpmap` says of payload types that the `m=` line does not list.
    pub unlisted_codecs: Vec<Codec>,
    /// Milliseconds of media in a packet.
    pub ptime: Option<u64>,
    /// The most milliseconds of media in a packet.
    pub maxptime: Option<u64>,
    /// ICE user fragment.
    pub ice_ufrag: Option<String>,
    /// ICE password.
    pub ice_pwd: Option<String>,
    /// ICE options: `trickle`, `ice2`, `renomination`.
    pub ice_options: Vec<String>,
    /// ICE candidates.
    pub candidates: Vec<Candidate>,
    /// Whether there will be no more candidates (RFC 8838).
    pub end_of_candidates: bool,
    /// Fingerprints of certificates.
    pub fingerprints: Vec<Fingerprint>,
    /// DTLS role.
    pub setup: Option<Setup>,
    /// The number of the DTLS association (RFC 8842).
    pub tls_id: Option<String>,
    /// SDES keys.
    pub crypto: Vec<Crypto>,
    /// RTP header extensions.
    pub extensions: Vec<Extension>,
    /// Whether one- and two-byte extension headers may be mixed (RFC 8285 section 6).
    pub extmap_allow_mixed: bool,
    /// Where RTCP is received (RFC 3605).
    pub rtcp: Option<RtcpPort>,
    /// RTP and RTCP share a port (RFC 5761).
    pub rtcp_mux: bool,
    /// They must (RFC 8858).
    pub rtcp_mux_only: bool,
    /// Reduced-size RTCP (RFC 5506).
    pub rtcp_rsize: bool,
    /// Restrictions of streams by identifier (RFC 8851).
    pub rids: Vec<Rid>,
    /// Simulcast (RFC 8853).
    pub simulcast: Option<Simulcast>,
    /// Synchronization sources (RFC 5576).
    pub sources: Vec<Source>,
    /// Their groups.
    pub source_groups: Vec<SourceGroup>,
    /// Streams and tracks (RFC 8830).
    pub msids: Vec<Msid>,
    /// SCTP's port (RFC 8841).
    pub sctp_port: Option<u16>,
    /// The same of older drafts.
    pub sctpmap: Option<Sctpmap>,
    /// The INIT that is sent here in place of the wire (`a=sctp-init`, draft-hancke-tsvwg-snap).
    pub sctp_init: Option<SctpInit>,
    /// The greatest message on a data channel, in bytes; 0 is any (RFC 8841 section 6).
    pub max_message_size: Option<u64>,
    /// Used only if bundled (RFC 8843).
    pub bundle_only: bool,
    /// `a=label` (RFC 4574).
    pub label: Option<String>,
    /// `a=content` (RFC 4796).
    pub content: Option<String>,
    /// Bandwidths (`b=`).
    pub bandwidths: Vec<Bandwidth>,
    /// Attributes of T.38 (RFC 3362), name and value as written.
    pub t38: Vec<(String, String)>,
}

/// A header extension (RFC 8285).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its number in the packets, 1 to 14 in one byte, to 255 in two.
    pub id: u16,
    /// Its URI.
    pub uri: String,
    /// Which way it is used.
    pub direction: Option<Direction>,
    /// What stands behind the URI.
    pub attributes: Option<String>,
    /// The line it stands in.
    pub line: usize,
}

/// Where RTCP is received (RFC 3605).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcpPort {
    /// The port.
    pub port: u16,
    /// The address, where it is another one.
    pub address: Option<Address>,
}

/// A restriction of streams (RFC 8851).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rid {
    /// The identifier.
    pub id: String,
    /// Whether the describer sends it; else it receives it.
    pub sends: bool,
    /// Payload types it is for; all where there are none.
    pub payload_types: Vec<u16>,
    /// Restrictions as written: `max-width=1280`.
    pub restrictions: Vec<String>,
    /// The line it stands in.
    pub line: usize,
}

/// Simulcast streams (RFC 8853): a list of streams, each with its alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simulcast {
    /// What the describer sends.
    pub send: Vec<Vec<Layer>>,
    /// What it receives.
    pub receive: Vec<Vec<Layer>>,
}

/// One version of a simulcast stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its restriction identifier.
    pub rid: String,
    /// Whether it is paused at first.
    pub paused: bool,
}

/// A synchronization source (RFC 5576).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its number.
    pub ssrc: u32,
    /// Its canonical name.
    pub cname: Option<String>,
    /// Stream and track.
    pub msid: Option<String>,
    /// The first line that names it.
    pub line: usize,
}

/// Sources that belong together (RFC 5576 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceGroup {
    /// `FID` (a stream and its retransmission), `SIM`, `FEC-FR` ..., as written.
    pub semantics: String,
    /// The sources.
    pub ssrcs: Vec<u32>,
    /// The line it stands in.
    pub line: usize,
}

/// A stream and a track of it (RFC 8830).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msid {
    /// The stream; `-` for none.
    pub stream: String,
    /// The track.
    pub track: Option<String>,
}

/// SCTP over DTLS as old drafts of RFC 8841 have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sctpmap {
    /// The port.
    pub port: u16,
    /// The application: `webrtc-datachannel`.
    pub application: String,
    /// How many streams.
    pub streams: Option<u32>,
}

/// An SCTP INIT chunk (RFC 9260 section 3.3.2) in a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SctpInit {
    /// The verification tag of what is sent to who wrote it.
    pub initiate_tag: u32,
    /// The first TSN of what it sends.
    pub initial_tsn: u32,
}

impl Description {
    /// The media section with this identification tag.
    #[must_use]
    pub fn by_mid(&self, mid: &str) -> Option<&Media> {
        self.media.iter().find(|media| media.mid.as_deref() == Some(mid))
    }

    /// The line of an attribute in a media section, or in the session (`None`).
    #[must_use]
    pub fn line_of(&self, media: Option<usize>, name: &str) -> Option<usize> {
        let named = |line: &&Line| {
            line.media == media && line.attribute().is_some_and(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        self.lines.iter().find(named).map(|line| line.number)
    }

    /// The BUNDLE group that a media section is in (RFC 8843).
    #[must_use]
    pub fn bundle_of(&self, media: &Media) -> Option<&Group> {
        let mid = media.mid.as_deref()?;
        let bundles = self.groups.iter().filter(|group| group.semantics.eq_ignore_ascii_case("BUNDLE"));
        bundles.into_iter().find(|group| group.mids.iter().any(|other| other == mid))
    }

    /// The media section whose transport a section uses: that of its BUNDLE group's first one that is not refused, or
    /// its own.
    #[must_use]
    pub fn transport_of<'a>(&'a self, media: &'a Media) -> &'a Media {
        let Some(group) = self.bundle_of(media) else { return media };
        let used = |media: &&Media| !media.rejected && !media.bundle_only;
        group.mids.iter().filter_map(|mid| self.by_mid(mid)).find(used).unwrap_or(media)
    }
}

impl Media {
    /// Whether its protocol is one of DTLS, with RTP or SCTP inside.
    #[must_use]
    pub fn is_dtls(&self) -> bool {
        let protocol = self.protocol.to_ascii_uppercase();
        protocol.contains("TLS")
    }

    /// Whether it carries RTP.
    #[must_use]
    pub fn is_rtp(&self) -> bool {
        self.protocol.to_ascii_uppercase().contains("RTP/")
    }

    /// Whether it carries WebRTC data channels.
    #[must_use]
    pub fn is_data_channel(&self) -> bool {
        self.protocol.to_ascii_uppercase().contains("SCTP")
    }

    /// The codec of a payload type.
    #[must_use]
    pub fn codec(&self, payload_type: u8) -> Option<&Codec> {
        self.codecs.iter().find(|codec| codec.payload_type == payload_type)
    }
}
