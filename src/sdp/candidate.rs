//! ICE candidates (RFC 8839 section 5.1, RFC 6544).

use std::{fmt, net::IpAddr};

use webrtc_sdp::attribute_type::{
    SdpAttribute, SdpAttributeCandidate, SdpAttributeCandidateTcpType, SdpAttributeCandidateTransport,
    SdpAttributeCandidateType,
};

use super::tolerant::{self, Fault};

/// Characters of a candidate that are looked at.
const LONGEST: usize = 4096;

/// Where a peer says that it may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The same for candidates that share base, type and server.
    pub foundation: String,
    /// 1 for RTP (and all that is multiplexed with it), 2 for RTCP.
    pub component: u32,
    /// What it is reached over.
    pub transport: Transport,
    /// The greater, the sooner it is tried.
    pub priority: u64,
    /// The address.
    pub address: Address,
    /// The port.
    pub port: u16,
    /// How it was found.
    pub kind: CandidateType,
    /// The related address: a server reflexive candidate's base, a relayed one's mapped address.
    pub related_address: Option<Address>,
    /// The related port.
    pub related_port: Option<u16>,
    /// Who opens the connection, of TCP (RFC 6544 section 4.5).
    pub tcp_type: Option<TcpType>,
    /// libwebrtc's count of ICE restarts.
    pub generation: Option<u32>,
    /// The user fragment of the ICE generation it belongs to (RFC 8838).
    pub ufrag: Option<String>,
    /// libwebrtc's number of the network interface.
    pub network_id: Option<u32>,
    /// libwebrtc's cost of the network: 0 wired, 10 Wi-Fi, 900 cellular.
    pub network_cost: Option<u32>,
    /// Extensions that are not known, name and value.
    pub extensions: Vec<(String, String)>,
    /// The line it stands in; 0 of a candidate by itself.
    pub line: usize,
}

/// What a candidate is reached over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// What RFC 8839 leaves open, as written.
    Other(String),
}

/// How a candidate was found (RFC 8445 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateType {
    /// An address of the host itself.
    Host,
    /// Seen by a STUN server.
    Srflx,
    /// Seen by the peer.
    Prflx,
    /// On a TURN server.
    Relay,
    /// Anything else, as written.
    Other(String),
}

/// Who opens a TCP connection (RFC 6544 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpType {
    /// This side.
    Active,
    /// The peer.
    Passive,
    /// Both at once.
    SimultaneousOpen,
}

/// An address in a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address.
    Ip(IpAddr),
    /// A name under `.local` that hides a private address (draft-ietf-mmusic-mdns-ice-candidates).
    Mdns(String),
    /// Another name.
    Name(String),
}

impl Candidate {
    /// Reads a candidate by itself, as it is trickled: with or without `a=` and `candidate:`.
    ///
    /// # Errors
    /// What is wrong, in one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
        let text = text.strip_prefix("a=").unwrap_or(text);
        let text = text.strip_prefix("candidate:").unwrap_or(text);
        if text.is_empty() {
            return Err("it is empty: an empty candidate says that there are no more".to_owned());
        }
        if text.len() > LONGEST {
            return Err(format!("it has {} bytes, and no candidate has more than {LONGEST}", text.len()));
        }
        let (read, fault) = Self::read(text);
        read.ok_or_else(|| fault.map_or_else(String::new, |fault| fault.reason))
    }

    /// Reads what stands behind `candidate:`: by `webrtc-sdp`, or with patience where that refuses.
    pub(super) fn read(value: &str) -> (Option<Self>, Option<Fault<'_>>) {
        let attribute: Result<SdpAttribute, _> = format!("candidate:{value}").parse();
        match attribute {
            Ok(SdpAttribute::Candidate(parsed)) => (Some(Self::of(parsed, value)), None),
            Ok(_) => (None, None),
            Err(error) => match tolerant::candidate(value) {
                Ok(candidate) => (Some(candidate), Some(Fault::new(value, error.to_string()))),
                Err(fault) => (None, Some(fault)),
            },
        }
    }

    fn of(parsed: SdpAttributeCandidate, value: &str) -> Self {
        // The crate reads any number as an address ("7" is 0.0.0.7); the text tells which it is.
        let mut written = value.split_whitespace().skip(4);
        let address = written.next().map_or_else(|| Address::read(""), Address::read);
        let related = written.skip_while(|word| !word.eq_ignore_ascii_case("raddr")).nth(1);
        let mut candidate = Self {
            foundation: parsed.foundation,
            component: parsed.component,
            transport: match parsed.transport {
                SdpAttributeCandidateTransport::Udp => Transport::Udp,
                SdpAttributeCandidateTransport::Tcp => Transport::Tcp,
            },
            priority: parsed.priority,
            address,
            port: u16::try_from(parsed.port).unwrap_or_default(),
            kind: match parsed.c_type {
                SdpAttributeCandidateType::Host => CandidateType::Host,
                SdpAttributeCandidateType::Srflx => CandidateType::Srflx,
                SdpAttributeCandidateType::Prflx => CandidateType::Prflx,
                SdpAttributeCandidateType::Relay => CandidateType::Relay,
            },
            related_address: parsed.raddr.and(related).map(Address::read),
            related_port: parsed.rport.and_then(|port| u16::try_from(port).ok()),
            tcp_type: parsed.tcp_type.map(|kind| match kind {
                SdpAttributeCandidateTcpType::Active => TcpType::Active,
                SdpAttributeCandidateTcpType::Passive => TcpType::Passive,
                SdpAttributeCandidateTcpType::Simultaneous => TcpType::SimultaneousOpen,
            }),
            generation: parsed.generation,
            ufrag: parsed.ufrag,
            network_id: None,
            network_cost: parsed.networkcost,
            extensions: Vec::new(),
            line: 0,
        };
        for (name, value) in parsed.unknown_extensions {
            candidate.extend(&name, &value);
        }
        candidate
    }

    /// Adds an extension: `webrtc-sdp` does not know that of the network's number.
    pub(super) fn extend(&mut self, name: &str, value: &str) {
        match value.parse() {
            Ok(id) if name.eq_ignore_ascii_case("network-id") => self.network_id = Some(id),
            _ => self.extensions.push((name.to_owned(), value.to_owned())),
        }
    }
}

impl Address {
    pub(super) fn read(text: &str) -> Self {
        match text.parse() {
            Ok(address) => Self::Ip(address),
            Err(_) if text.to_ascii_lowercase().ends_with(".local") => Self::Mdns(text.to_owned()),
            Err(_) => Self::Name(text.to_owned()),
        }
    }

    /// The IP address, where it is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            _ => None,
        }
    }

    /// Where it is valid: `private`, `cgn`, `public`, `link-local`, `unique-local`, `loopback`, `mdns`, `name` ...
    #[must_use]
    pub fn scope(&self) -> &'static str {
        match self {
            Self::Ip(address) => crate::wire::scope(*address),
            Self::Mdns(_) => "mdns",
            Self::Name(_) => "name",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(formatter),
            Self::Mdns(name) | Self::Name(name) => formatter.write_str(name),
        }
    }
}

impl Transport {
    /// `udp`, `tcp`, or what was written.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Other(name) => name,
        }
    }
}

impl CandidateType {
    /// The word in the description.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Host => "host",
            Self::Srflx => "srflx",
            Self::Prflx => "prflx",
            Self::Relay => "relay",
            Self::Other(name) => name,
        }
    }
}

impl TcpType {
    /// The word in the description.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }
}
