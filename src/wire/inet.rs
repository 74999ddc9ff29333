//! Frames of any link type to one transport datagram: `parse`, and `resume` once fragments were put together.

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, UdpHeaderSlice,
    err::ipv4::{HeaderError as Ipv4HeaderError, HeaderSliceError as Ipv4SliceError},
    err::ipv6::HeaderSliceError as Ipv6SliceError,
};

use super::{
    Content, Endpoint, Fragment, Kind, Layer, LinkType, Malformed, Packet, TcpHeader, Tunnel, icmp, link, tunnel,
    walk::{Walk, mixed},
};

/// Reads one frame down to its innermost packet.
///
/// # Errors
/// When headers are cut or contradict themselves before any packet could be told; [`Kind::Unsupported`] for link
/// types that are not read.
pub fn parse(link_type: LinkType, frame: &[u8]) -> Result<Packet, Malformed> {
    link::frame(Walk::new(frame), link_type)
}

/// Reads on after fragments were put together. `packet` is that of any piece, `payload` the whole IP payload. Offsets
/// in the answer are from the start of `payload`. What is inside may be a fragment again, of a tunnelled packet.
///
/// # Errors
/// As [`parse`]; and [`Kind::BadValue`] when `packet` is not a fragment.
pub fn resume(packet: &Packet, payload: &[u8]) -> Result<Packet, Malformed> {
    let Content::Fragment(fragment) = packet.content else {
        return Err(Malformed::new(Layer::Fragment, Kind::BadValue, 0));
    };
    let mut walk = Walk::new(payload);
    walk.identity = packet.identity;
    walk.tunnels = packet.tunnels;
    let ip = Ip {
        version: fragment.version,
        source: packet.source,
        destination: packet.destination,
        start: 0,
        length: walk.available(),
        identification: fragment.identification,
        hop_limit: packet.hop_limit,
        traffic_class: packet.traffic_class,
    };
    match fragment.version {
        4 => ip.transport(walk, fragment.protocol),
        _ => ip.extensions(walk, fragment.protocol),
    }
}

/// IANA protocol numbers.
pub(super) mod protocol {
    pub(in crate::wire) const HOP_BY_HOP: u8 = 0;
    pub(in crate::wire) const ICMP: u8 = 1;
    pub(in crate::wire) const IPV4: u8 = 4;
    pub(in crate::wire) const TCP: u8 = 6;
    pub(in crate::wire) const UDP: u8 = 17;
    pub(in crate::wire) const IPV6: u8 = 41;
    pub(in crate::wire) const ROUTING: u8 = 43;
    pub(in crate::wire) const FRAGMENT: u8 = 44;
    pub(in crate::wire) const GRE: u8 = 47;
    pub(in crate::wire) const AH: u8 = 51;
    pub(in crate::wire) const ICMPV6: u8 = 58;
    pub(in crate::wire) const NO_NEXT_HEADER: u8 = 59;
    pub(in crate::wire) const DESTINATION_OPTIONS: u8 = 60;
    pub(in crate::wire) const ETHER_IP: u8 = 97;
    pub(in crate::wire) const SCTP: u8 = 132;
    pub(in crate::wire) const MOBILITY: u8 = 135;
    pub(in crate::wire) const MPLS_IN_IP: u8 = 137;
    pub(in crate::wire) const HIP: u8 = 139;
    pub(in crate::wire) const SHIM6: u8 = 140;
    pub(in crate::wire) const UDP_LITE: u8 = 136;
    pub(in crate::wire) const DCCP: u8 = 33;
}

/// How many IPv6 extension headers may follow each other. RFC 8200 section 4.1 names seven, once each.
const MAX_EXTENSIONS: usize = 16;

impl<'a> Walk<'a> {
    /// IPv4 or IPv6, whichever the first four bits say.
    pub(super) fn ip(self) -> Result<Packet, Malformed> {
        match self.rest().first().map(|byte| byte >> 4) {
            Some(4) => self.ipv4(),
            Some(6) => self.ipv6(),
            Some(_) => Err(self.fault(Layer::Ip, Kind::BadVersion)),
            None => Err(self.fault(Layer::Ip, Kind::TooShort)),
        }
    }

    /// An IPv4 packet (RFC 791).
    pub(super) fn ipv4(mut self) -> Result<Packet, Malformed> {
        let (header, start) = (self.ipv4_header()?, self.at);
        let header_length = header.slice().len();
        // Segmentation offload writes 0 where the length does not fit its 16 bits.
        let total = match usize::from(header.total_len()) {
            0 => self.available(),
            stated if stated < header_length => return Err(self.fault(Layer::Ip, Kind::BadLength)),
            stated => stated,
        };
        self.limit(total);
        self.advance(header_length);
        let ip = Ip {
            version: 4,
            source: Endpoint::v4(header.source(), 0),
            destination: Endpoint::v4(header.destination(), 0),
            start,
            length: total - header_length,
            identification: u32::from(header.identification()),
            hop_limit: header.ttl(),
            traffic_class: header.dcp().value() << 2 | header.ecn().value(),
        };
        let protocol = header.protocol().0;
        if header.is_fragmenting_payload() {
            let fragment = Fragment {
                version: 4,
                identification: ip.identification,
                offset: u32::from(header.fragments_offset().value()) * 8,
                more: header.more_fragments(),
                protocol,
            };
            return Ok(ip.packet(&self, Content::Fragment(fragment)));
        }
        ip.transport(self, protocol)
    }

    /// The IPv4 header at this place.
    pub(super) fn ipv4_header(&self) -> Result<Ipv4HeaderSlice<'a>, Malformed> {
        Ipv4HeaderSlice::from_slice(self.rest()).map_err(|error| match error {
            Ipv4SliceError::Len(_) => Malformed::new(Layer::Ip, Kind::TooShort, self.end),
            Ipv4SliceError::Content(Ipv4HeaderError::UnexpectedVersion { .. }) => {
                self.fault(Layer::Ip, Kind::BadVersion)
            }
            Ipv4SliceError::Content(_) => self.fault(Layer::Ip, Kind::BadLength),
        })
    }

    /// An IPv6 packet (RFC 8200).
    pub(super) fn ipv6(mut self) -> Result<Packet, Malformed> {
        let (header, start) = (self.ipv6_header()?, self.at);
        self.advance(header.slice().len());
        let next = header.next_header().0;
        let length = match usize::from(header.payload_length()) {
            0 => self.unstated_length(next),
            stated => stated,
        };
        self.limit(length);
        let ip = Ip {
            version: 6,
            source: Endpoint::v6(header.source(), 0),
            destination: Endpoint::v6(header.destination(), 0),
            start,
            length,
            identification: 0,
            hop_limit: header.hop_limit(),
            traffic_class: header.traffic_class(),
        };
        ip.extensions(self, next)
    }

    /// The IPv6 header at this place.
    pub(super) fn ipv6_header(&self) -> Result<Ipv6HeaderSlice<'a>, Malformed> {
        Ipv6HeaderSlice::from_slice(self.rest()).map_err(|error| match error {
            Ipv6SliceError::Len(_) => Malformed::new(Layer::Ip, Kind::TooShort, self.end),
            Ipv6SliceError::Content(_) => self.fault(Layer::Ip, Kind::BadVersion),
        })
    }

    /// The payload length of an IPv6 packet that states 0: that of its jumbo payload option (RFC 2675 section 2), or,
    /// as segmentation offload leaves it out, all that was captured.
    fn unstated_length(&self, next: u8) -> usize {
        match next {
            protocol::HOP_BY_HOP => self.jumbo_length().unwrap_or_else(|_| self.available()),
            protocol::NO_NEXT_HEADER => 0,
            _ => self.available(),
        }
    }

    fn jumbo_length(&self) -> Result<usize, Malformed> {
        const PAD_1: u8 = 0;
        const JUMBO_PAYLOAD: u8 = 0xc2;
        let mut reader = self.reader(Layer::Ip);
        reader.skip(1)?;
        let length = usize::from(reader.u8()?) * 8 + 6;
        let mut options = reader.sub(length)?;
        while !options.is_empty() {
            let kind = options.u8()?;
            if kind == PAD_1 {
                continue;
            }
            let length = usize::from(options.u8()?);
            let mut value = options.sub(length)?;
            if kind == JUMBO_PAYLOAD {
                return value.u32().map(|length| length as usize);
            }
        }
        Err(self.fault(Layer::Ip, Kind::BadLength))
    }
}

/// What an IP header said. Ports are 0 until the transport header is read.
#[derive(Clone, Copy)]
pub(super) struct Ip {
    pub(super) version: u8,
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
    start: usize,
    /// Bytes on the wire from the place of the walk to the end of the packet.
    pub(super) length: usize,
    identification: u32,
    pub(super) hop_limit: u8,
    traffic_class: u8,
}

impl Ip {
    /// The extension headers from `next` on (RFC 8200 section 4), and what follows them.
    fn extensions(mut self, mut walk: Walk<'_>, mut next: u8) -> Result<Packet, Malformed> {
        const FRAGMENT_HEADER: usize = 8;
        for _ in 0..MAX_EXTENSIONS {
            match next {
                protocol::HOP_BY_HOP
                | protocol::ROUTING
                | protocol::DESTINATION_OPTIONS
                | protocol::MOBILITY
                | protocol::HIP
                | protocol::SHIM6 => {
                    let Ok(header) = Ipv6RawExtHeaderSlice::from_slice(walk.rest()) else {
                        return Err(walk.cut(Layer::Ip, walk.available() + 1, self.length));
                    };
                    // Mobility and HIP messages end the packet: they are its content.
                    if header.next_header().0 == protocol::NO_NEXT_HEADER && next >= protocol::MOBILITY {
                        return Ok(self.packet(&walk, Content::Ip(next)));
                    }
                    next = header.next_header().0;
                    self.advance(&mut walk, header.slice().len());
                }
                protocol::FRAGMENT => {
                    // Not etherparse's slice: version 0.19 takes the offset and the flag from the wrong bits.
                    let mut reader = walk.reader(Layer::Ip);
                    let Ok([following, _, high, low]) = reader.array() else {
                        return Err(walk.cut(Layer::Ip, FRAGMENT_HEADER, self.length));
                    };
                    let Ok(identification) = reader.u32() else {
                        return Err(walk.cut(Layer::Ip, FRAGMENT_HEADER, self.length));
                    };
                    next = following;
                    self.identification = identification;
                    self.advance(&mut walk, FRAGMENT_HEADER);
                    let (offset, more) = (u16::from_be_bytes([high, low & 0xf8]), low & 1 != 0);
                    // An atomic fragment (RFC 6946) is a whole packet.
                    if offset != 0 || more {
                        let fragment =
                            Fragment { version: 6, identification, offset: u32::from(offset), more, protocol: next };
                        return Ok(self.packet(&walk, Content::Fragment(fragment)));
                    }
                }
                protocol::AH => {
                    let Some(inner) = self.authentication(&mut walk) else {
                        return Ok(self.packet(&walk, Content::Ip(next)));
                    };
                    next = inner;
                }
                _ => return self.transport(walk, next),
            }
        }
        Err(walk.fault(Layer::Ip, Kind::TooMany))
    }

    /// The transport layer.
    #[inline]
    fn transport(self, walk: Walk<'_>, protocol: u8) -> Result<Packet, Malformed> {
        match protocol {
            protocol::UDP => self.udp(&walk),
            protocol::TCP => self.tcp(&walk),
            _ => self.other(walk, protocol),
        }
    }

    /// A UDP datagram (RFC 768). The checksum is not verified: sending hosts leave it to the network card.
    fn udp(&self, walk: &Walk<'_>) -> Result<Packet, Malformed> {
        const HEADER: usize = 8;
        let Ok(header) = UdpHeaderSlice::from_slice(walk.rest()) else {
            return Err(walk.cut(Layer::Udp, HEADER, self.length));
        };
        // 0 stands for the length of the IP payload in jumbograms (RFC 2675 section 4) and offloaded segments.
        let length = match usize::from(header.length()) {
            0 => self.length,
            stated if stated < HEADER => return Err(walk.fault(Layer::Udp, Kind::BadLength)),
            stated => stated.min(self.length),
        };
        let (source, destination) = (header.source_port(), header.destination_port());
        let packet = self.over(walk, Content::Udp, HEADER, length, source, destination);
        if tunnel::is_port(source) || tunnel::is_port(destination) {
            let mut inside = *walk;
            inside.limit(length);
            inside.advance(HEADER);
            if let Ok(inner) = tunnel::udp(&inside, self, source, destination, packet.length as usize) {
                return Ok(inner);
            }
        }
        Ok(packet)
    }

    /// A TCP segment (RFC 9293). Read by hand, as the options may be cut where the rest of the header is there.
    fn tcp(&self, walk: &Walk<'_>) -> Result<Packet, Malformed> {
        const HEADER: usize = 20;
        let mut reader = walk.reader(Layer::Tcp);
        let Ok(header) = reader.array::<HEADER>() else {
            return Err(walk.cut(Layer::Tcp, HEADER, self.length));
        };
        let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = header;
        let header_length = usize::from(offset >> 4) * 4;
        if header_length < HEADER || header_length > self.length {
            return Err(walk.fault(Layer::Tcp, Kind::BadLength));
        }
        let content = Content::Tcp(TcpHeader {
            sequence: u32::from_be_bytes([q0, q1, q2, q3]),
            acknowledgment: u32::from_be_bytes([a0, a1, a2, a3]),
            flags,
            window: u16::from_be_bytes([w0, w1]),
        });
        let (source, destination) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        Ok(self.over(walk, content, header_length, self.length, source, destination))
    }

    /// All that is neither UDP nor TCP.
    #[inline(never)]
    fn other(mut self, mut walk: Walk<'_>, protocol: u8) -> Result<Packet, Malformed> {
        match protocol {
            protocol::SCTP => {
                let mut reader = walk.reader(Layer::Sctp);
                let (Ok(source), Ok(destination)) = (reader.u16(), reader.u16()) else {
                    return Err(walk.cut(Layer::Sctp, 12, self.length));
                };
                Ok(self.over(&walk, Content::Sctp, 0, self.length, source, destination))
            }
            protocol::ICMP if self.version == 4 => Ok(self.packet(&walk, icmp::v4(&walk)?)),
            protocol::ICMPV6 if self.version == 6 => Ok(self.packet(&walk, icmp::v6(&walk)?)),
            protocol::AH if self.version == 4 => match self.authentication(&mut walk) {
                // One of them is what there is; a chain of them would be made to burn time.
                Some(protocol::AH) | None => Ok(self.packet(&walk, Content::Ip(protocol))),
                Some(next) => self.transport(walk, next),
            },
            protocol::IPV4 | protocol::IPV6 | protocol::GRE | protocol::ETHER_IP | protocol::MPLS_IN_IP => {
                Ok(tunnel::ip(&walk, &self, protocol).unwrap_or_else(|_| self.packet(&walk, Content::Ip(protocol))))
            }
            _ => Ok(self.packet(&walk, Content::Ip(protocol))),
        }
    }

    /// Moves past an authentication header (RFC 4302); the answer is the protocol after it.
    fn authentication(&mut self, walk: &mut Walk<'_>) -> Option<u8> {
        let header = IpAuthHeaderSlice::from_slice(walk.rest()).ok()?;
        walk.note(Tunnel::Ah);
        self.advance(walk, header.slice().len());
        Some(header.next_header().0)
    }

    /// Moves past `count` bytes, which are in the walk's window.
    fn advance(&mut self, walk: &mut Walk<'_>, count: usize) {
        walk.advance(count);
        self.length = self.length.saturating_sub(count);
    }

    /// The packet with all of the IP payload as its payload.
    fn packet(&self, walk: &Walk<'_>, content: Content) -> Packet {
        self.over(walk, content, 0, self.length, 0, 0)
    }

    /// The packet whose payload starts `header` bytes into the IP payload and ends where `length` bytes of it end.
    #[inline]
    fn over(
        &self,
        walk: &Walk<'_>,
        content: Content,
        header: usize,
        length: usize,
        source: u16,
        destination: u16,
    ) -> Packet {
        let length = length.saturating_sub(header);
        Packet {
            source: self.source.with_port(source),
            destination: self.destination.with_port(destination),
            content,
            payload: (walk.at + header).min(walk.end) as u32,
            captured: walk.available().saturating_sub(header).min(length) as u32,
            length: length.min(u32::MAX as usize) as u32,
            identification: self.identification,
            hop_limit: self.hop_limit,
            traffic_class: self.traffic_class,
            identity: mixed(walk.identity, u64::from(self.hop_limit)),
            tunnels: walk.tunnels,
            network: self.start as u32,
        }
    }
}
