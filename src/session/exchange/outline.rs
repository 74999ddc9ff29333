//! What of a description joins it to others and to flows. A capture may hold very many descriptions: all else is read
//! again from the text, of one call at a time.

use std::net::{IpAddr, SocketAddr};

use crate::{
    sdp::{Description, Kind, Media, Origin},
    wire::Endpoint,
};

/// The port that stands for one that is found later (RFC 8839 section 4.2.1).
const DISCARD: u16 = 9;

/// A description in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Who made it.
    pub origin: Option<Origin>,
    /// Its media sections, in order.
    pub media: Box<[Section]>,
}

/// A media section in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is.
    pub kind: Kind,
    /// Its identification tag.
    pub mid: Option<Box<str>>,
    /// Whether it is refused or given up.
    pub rejected: bool,
    /// Its ICE user fragment and password.
    pub credentials: Option<(Box<str>, Option<Box<str>>)>,
    /// Its synchronization sources.
    pub ssrcs: Box<[u32]>,
    /// The host that receives it.
    pub address: Option<IpAddr>,
    /// The port that it is received at.
    pub port: u16,
    /// Where RTCP is received, where that is said (RFC 3605).
    rtcp: Option<(u16, Option<IpAddr>)>,
}

impl Outline {
    /// The outline of a description.
    pub fn of(description: &Description) -> Self {
        Self { origin: description.origin.clone(), media: description.media.iter().map(Section::of).collect() }
    }

    /// Whether a section has this identification tag.
    pub fn has_mid(&self, mid: &str) -> bool {
        self.media.iter().any(|section| section.mid.as_deref() == Some(mid))
    }

    /// Where media and RTCP are wanted without ICE (RFC 8866 section 5.7, RFC 3605).
    pub fn addresses(&self) -> impl Iterator<Item = Endpoint> {
        self.media.iter().filter(|section| !section.rejected).flat_map(Section::addresses)
    }
}

impl Section {
    fn of(media: &Media) -> Self {
        let boxed = |text: &Option<String>| text.as_deref().map(Box::from);
        Self {
            kind: media.kind.clone(),
            mid: boxed(&media.mid),
            rejected: media.rejected,
            credentials: media.ice_ufrag.as_deref().map(|fragment| (fragment.into(), boxed(&media.ice_pwd))),
            ssrcs: media.sources.iter().map(|source| source.ssrc).collect(),
            address: media.connection.as_ref().and_then(|connection| connection.address.ip()),
            port: media.port,
            rtcp: media.rtcp.as_ref().map(|rtcp| (rtcp.port, rtcp.address.as_ref().and_then(|address| address.ip()))),
        }
    }

    fn addresses(&self) -> impl Iterator<Item = Endpoint> {
        let address = self.address.filter(|address| !address.is_unspecified());
        let rtcp_port = self.rtcp.map(|(port, _)| port).or_else(|| self.port.checked_add(1));
        let rtcp_address = self.rtcp.and_then(|(_, address)| address).or(address);
        let end = |address: Option<IpAddr>, port: Option<u16>| {
            let port = port.filter(|port| *port > DISCARD);
            Some(Endpoint::from(SocketAddr::new(address?, port?)))
        };
        [end(address, Some(self.port)), end(rtcp_address, rtcp_port)].into_iter().flatten()
    }

    /// Whether media or RTCP for it may come here: to its port, or the next.
    pub fn is_at(&self, end: Endpoint) -> bool {
        let port = self.port == end.port() || self.port.checked_add(1) == Some(end.port());
        self.address == Some(end.ip()) && port
    }
}
