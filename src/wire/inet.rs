//! Frames of any link type to one transport datagram: `parse`, and `resume` once fragments were put together.

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, UdpHeaderSlice,
    err::ipv4::{HeaderError as Ipv4HeaderError, HeaderSliceError as Ipv4SliceError},
    err::ipv6::HeaderSliceError as Ipv6SliceError,
};

use super::{
    Content, Endpoint, Fragment, Kind, Layer, LinkType, Malformed, Packet, TcpHeader, Tunnel, icmp, link, tunnel,
    walk::{NOWHERE, Walk, mixed},
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
    pub(super) fn ipv4(self) -> Result<Packet, Malformed> {
        self.ipv4_inlined()
    }

    /// The same, for the one place where a call would be felt.
    #[inline(always)]
    pub(super) fn ipv4_inlined(mut self) -> Result<Packet, Malformed> {
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
    #[inline(always)]
    fn transport(self, walk: Walk<'_>, protocol: u8) -> Result<Packet, Malformed> {
        match protocol {
            protocol::UDP => self.udp(&walk),
            protocol::TCP => self.tcp(&walk),
            _ => self.other(walk, protocol),
        }
    }

    /// A UDP datagram (RFC 768). The checksum is not verified: sending hosts leave it to the network card.
    #[inline(always)]
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
        if (tunnel::is_port(source) || tunnel::is_port(destination))
            && let Some(inner) = self.udp_tunnel(walk, source, destination, length)
        {
            return Ok(inner);
        }
        Ok(self.over(walk, Content::Udp, HEADER, length, source, destination))
    }

    /// What is inside of a UDP datagram of `length` bytes, header included, if it is one of a tunnel.
    #[inline(never)]
    fn udp_tunnel(&self, walk: &Walk<'_>, source: u16, destination: u16, length: usize) -> Option<Packet> {
        const HEADER: usize = 8;
        let mut inside = *walk;
        inside.limit(length);
        inside.advance(HEADER);
        tunnel::udp(&inside, self, source, destination, length - HEADER).ok()
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
                let mut packet = match tunnel::ip(&walk, &self, protocol) {
                    Ok(packet) => packet,
                    Err(_) => self.packet(&walk, Content::Ip(protocol)),
                };
                // What has no addresses of its own has those of the tunnel's ends.
                if packet.source == NOWHERE && !packet.is_ip() {
                    (packet.source, packet.destination) = (self.source, self.destination);
                }
                Ok(packet)
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
    #[inline(always)]
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{IcmpError, Tunnel};

    /// Bytes of hexadecimal digits and spaces.
    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }

    const ETHERNET_IPV4: &str = "0a0000000002 0a0000000001 0800";
    /// 192.0.2.1:5004 to 198.51.100.2:5006, identification 0x1234, TTL 64, "hello".
    const IPV4_UDP: &str = "45 b8 0021 1234 4000 40 11 0000 c0000201 c6336402  138c 138e 000d 0000 68656c6c6f";
    /// [2001:db8::1]:5004 to [2001:db8::2]:5006, "hello".
    const IPV6_UDP: &str = "6 b8 00000 000d 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002
        138c 138e 000d 0000 68656c6c6f";

    /// The UDP datagram of both.
    const UDP: &str = "138c 138e 000d 0000 68656c6c6f";

    fn ethernet(payload: &str) -> Vec<u8> {
        hex(&format!("{ETHERNET_IPV4}{payload}"))
    }

    fn hello(link: LinkType, frame: &[u8]) -> Packet {
        let packet = parse(link, frame).unwrap();
        assert_eq!(packet.content, Content::Udp, "{packet:?}");
        let payload = &frame[packet.payload as usize..][..packet.captured as usize];
        assert_eq!(payload, b"hello");
        assert_eq!((packet.source.port(), packet.destination.port()), (5004, 5006));
        packet
    }

    #[test]
    fn ethernet_ipv4_udp_without_its_padding() {
        let packet = hello(LinkType::ETHERNET, &ethernet(&format!("{IPV4_UDP} 00000000000000000000000000")));
        assert_eq!(packet.source, Endpoint::v4([192, 0, 2, 1], 5004));
        assert_eq!(packet.destination, Endpoint::v4([198, 51, 100, 2], 5006));
        assert_eq!((packet.network, packet.payload, packet.captured, packet.length), (14, 42, 5, 5));
        assert_eq!((packet.identification, packet.hop_limit, packet.traffic_class), (0x1234, 64, 0xb8));
        assert!(packet.tunnels.is_empty());
    }

    #[test]
    fn every_link_type_leads_to_the_same_packet() {
        let frames = [
            (LinkType::RAW, String::new()),
            (LinkType(12), String::new()),
            (LinkType::IPV4, String::new()),
            (LinkType::NULL, "02000000".into()),
            (LinkType::NULL, "00000002".into()),
            (LinkType::LOOP, "00000002".into()),
            (LinkType::PPP, "ff03 0021".into()),
            (LinkType::PPP, "0021".into()),
            (LinkType::PPP, "21".into()),
            (LinkType::PPP_HDLC, "ff03 0021".into()),
            (LinkType::PPP_WITH_DIR, "00 ff03 0021".into()),
            (LinkType::PPP_ETHER, "11 00 0001 0023 0021".into()),
            (LinkType::C_HDLC, "0f00 0800".into()),
            (LinkType::LINUX_SLL, "0000 0001 0006 0a00000000010000 0800".into()),
            (LinkType::LINUX_SLL2, "0800 0000 00000002 0001 00 06 0a00000000010000".into()),
            (LinkType::ETHERNET, "0a0000000002 0a0000000001 8100 0064 0800".into()),
            (LinkType::ETHERNET, "0a0000000002 0a0000000001 88a8 0064 8100 0065 0800".into()),
            (LinkType::ETHERNET, "0a0000000002 0a0000000001 0029 aaaa03 000000 0800".into()),
            (LinkType::ETHERNET, "0a0000000002 0a0000000001 8864 1100 0001 0023 0021".into()),
            (LinkType::ETHERNET, "0a0000000002 0a0000000001 8847 00064040 00065140".into()),
            (
                LinkType::ETHERNET,
                "0a0000000002 0a0000000001 8847 00064140 00000000 0a0000000004 0a0000000003 0800".into(),
            ),
            (LinkType::IEEE802_11, format!("0802 0000 {} 0000 aaaa03 000000 0800", "0a0000000001".repeat(3))),
            (
                LinkType::IEEE802_11,
                format!("8803 0000 {0} 0000 {1} 0000 aaaa03 000000 0800", "0a0000000001".repeat(3), "0a0000000009"),
            ),
            (
                LinkType::IEEE802_11_RADIOTAP,
                format!(
                    "00 00 1200 03000000 0000000000000000 20 00 8802 0000 {} 0000 0000 0000 aaaa03 000000 0800",
                    "0a0000000001".repeat(3)
                ),
            ),
            (LinkType::NFLOG, "02 00 0000 0800 0100 08000300 0500 0a00 41000000 2500 0900".into()),
            (LinkType::NFLOG, "02 00 0000 0008 0001 08000300 0025 0009".into()),
        ];
        for (link, head) in frames {
            let frame = hex(&format!("{head}{IPV4_UDP}"));
            let packet = hello(link, &frame);
            assert_eq!(packet.source, Endpoint::v4([192, 0, 2, 1], 5004), "{link} {head}");
        }
        for (link, head) in
            [(LinkType::RAW, ""), (LinkType::IPV6, ""), (LinkType::NULL, "1e000000"), (LinkType::PPP, "57")]
        {
            hello(link, &hex(&format!("{head}{IPV6_UDP}")));
        }
    }

    #[test]
    fn tunnels_are_unwrapped() {
        let udp = |port: &str, header: &str, inside: &str| {
            let payload = hex(&format!("{header}{inside}"));
            let mut frame = ethernet("45000000 0000 4000 40 11 0000 0a000001 0a000002 c000");
            frame.extend(hex(port));
            frame.extend((payload.len() as u16 + 8).to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(payload);
            frame
        };
        let ip = |protocol: &str, inside: &str| {
            ethernet(&format!("45000000 0000 4000 40 {protocol} 0000 0a000001 0a000002 {inside}"))
        };
        let inner_ethernet = format!("{ETHERNET_IPV4}{IPV4_UDP}");
        let frames = [
            (Tunnel::Vxlan, udp("12b5", "08000000 00000100", &inner_ethernet)),
            (Tunnel::Vxlan, udp("2118", "88000001 00000100", &inner_ethernet)),
            (Tunnel::Geneve, udp("17c1", "0100 6558 00000100 01020304", &inner_ethernet)),
            (Tunnel::Geneve, udp("17c1", "0000 86dd 00000100", IPV6_UDP)),
            (Tunnel::GtpU, udp("0868", "30 ff 0021 00000001", IPV4_UDP)),
            (Tunnel::GtpU, udp("0868", "34 ff 0029 00000001 0000 00 85 01 0000 00", IPV4_UDP)),
            (Tunnel::Teredo, udp("0dd8", "", &IPV6_UDP.replace("20010db80000", "200100000000"))),
            (Tunnel::Teredo, udp("0dd8", "0000 1234 01020304", &IPV6_UDP.replace("20010db80000", "200100000000"))),
            (Tunnel::IpInIp, ip("04", IPV4_UDP)),
            (Tunnel::SixInFour, ip("29", IPV6_UDP)),
            (Tunnel::Gre, ip("2f", &format!("0000 0800 {IPV4_UDP}"))),
            (Tunnel::Gre, ip("2f", &format!("b000 86dd 00000000 00000001 00000002 {IPV6_UDP}"))),
            (Tunnel::Gre, ip("2f", &format!("0000 6558 {inner_ethernet}"))),
            (Tunnel::Erspan, ip("2f", &format!("1000 88be 00000001 10000001 00000000 {inner_ethernet}"))),
            (
                Tunnel::Erspan,
                ip("2f", &format!("1000 22eb 00000001 20000001 00000000 0000 0001 0000000000000000 {inner_ethernet}")),
            ),
            (Tunnel::Pptp, ip("2f", &format!("3081 880b 0023 0001 00000001 00000000 0021 {IPV4_UDP}"))),
            (Tunnel::EtherIp, ip("61", &format!("3000 {inner_ethernet}"))),
            (Tunnel::Ah, ip("33", &format!("11 04 0000 00000001 00000001 000000000000000000000000 {}", UDP))),
        ];
        for (tunnel, frame) in frames {
            let packet = hello(LinkType::ETHERNET, &frame);
            assert!(packet.tunnels.contains(tunnel), "{tunnel:?} in {packet:?}");
        }
    }

    #[test]
    fn what_is_no_tunnel_stays_a_datagram() {
        // RTP, STUN and DTLS between tunnel ports.
        for port in ["12b5", "2118", "17c1", "0868", "0dd8"] {
            for first in ["8060 0001", "0001 0000", "16fe fd00", "3001 0203"] {
                let frame = ethernet(&format!(
                    "45000030 0000 4000 40 11 0000 0a000001 0a000002 {port}{port}001c0000 {first} 0800450000000000 0a0b0c0d0e0f1011"
                ));
                let packet = parse(LinkType::ETHERNET, &frame).unwrap();
                assert_eq!((packet.content, packet.length, packet.tunnels.is_empty()), (Content::Udp, 20, true));
            }
        }
        let broken = ethernet("45000019 0000 4000 40 2f 0000 0a000001 0a000002 0000 0800 45");
        assert_eq!(parse(LinkType::ETHERNET, &broken).unwrap().content, Content::Ip(47));
    }

    #[test]
    fn identity_is_of_the_place_and_not_of_the_packet() {
        let of = |frame: &str| parse(LinkType::ETHERNET, &hex(frame)).unwrap().identity;
        let here = of(&format!("{ETHERNET_IPV4}{IPV4_UDP}"));
        assert_eq!(
            here,
            of(&format!("{ETHERNET_IPV4}{}", IPV4_UDP.replace("1234", "1235").replace("68656c6c6f", "6a656c6c79")))
        );
        assert_ne!(here, of(&format!("0a0000000003 0a0000000001 0800{IPV4_UDP}")));
        assert_ne!(here, of(&format!("{ETHERNET_IPV4}{}", IPV4_UDP.replace("40 11", "3f 11"))));
        assert_ne!(here, of(&format!("0a0000000002 0a0000000001 8100 0064 0800{IPV4_UDP}")));
    }

    #[test]
    fn snapped_packets_keep_what_their_headers_say() {
        let frame = ethernet(IPV4_UDP);
        let packet = parse(LinkType::ETHERNET, &frame[..42]).unwrap();
        assert_eq!((packet.content, packet.captured, packet.length), (Content::Udp, 0, 5));
        assert_eq!(parse(LinkType::ETHERNET, &frame[..41]), Err(Malformed::new(Layer::Udp, Kind::Snapped, 41)));
        assert_eq!(parse(LinkType::ETHERNET, &frame[..33]), Err(Malformed::new(Layer::Ip, Kind::TooShort, 33)));
        // TCP with its options cut: 32 bytes of header, 8 of payload.
        let tcp = ethernet(
            "4500003c 0001 4000 40 06 0000 0a000001 0a000002 01bb 1000 00000001 00000002 80 12 ffff 0000 0000",
        );
        let packet = parse(LinkType::ETHERNET, &tcp).unwrap();
        let header =
            TcpHeader { sequence: 1, acknowledgment: 2, flags: TcpHeader::SYN | TcpHeader::ACK, window: 0xffff };
        assert_eq!((packet.content, packet.captured, packet.length), (Content::Tcp(header), 0, 8));
    }

    #[test]
    fn lengths_that_lie() {
        let fault = |payload: &str| parse(LinkType::ETHERNET, &ethernet(payload)).unwrap_err();
        assert_eq!(fault(&IPV4_UDP.replace("0021", "0013")), Malformed::new(Layer::Ip, Kind::BadLength, 14));
        assert_eq!(fault(&IPV4_UDP.replace("45 b8", "44 b8")), Malformed::new(Layer::Ip, Kind::BadLength, 14));
        assert_eq!(fault(&IPV4_UDP.replace("45 b8", "55 b8")), Malformed::new(Layer::Ip, Kind::BadVersion, 14));
        assert_eq!(fault(&IPV4_UDP.replace("000d", "0007")), Malformed::new(Layer::Udp, Kind::BadLength, 34));
        // Offload leaves lengths out; a UDP length beyond the packet is its own.
        hello(LinkType::ETHERNET, &ethernet(&IPV4_UDP.replace("0021", "0000")));
        hello(LinkType::ETHERNET, &ethernet(&IPV4_UDP.replace("000d", "0000")));
        hello(LinkType::ETHERNET, &ethernet(&IPV4_UDP.replace("000d", "ffff")));
        assert_eq!(parse(LinkType::FRELAY, &[0; 64]), Err(Malformed::new(Layer::Link, Kind::Unsupported, 0)));
    }

    #[test]
    fn ipv6_extension_headers() {
        // RFC 8200 order: hop-by-hop, destination, routing, atomic fragment, UDP.
        let chain = IPV6_UDP
            .replace("000d 11", "002d 00")
            .replace("138c 138e", "3c00010400000000 2b00010400000000 2c00000000000000 1100000000000007 138c 138e");
        let packet = hello(LinkType::RAW, &hex(&chain));
        assert_eq!((packet.payload, packet.identification), (80, 7));
        let jumbo = IPV6_UDP.replace("000d 11", "0000 00").replace("138c 138e 000d", "1100c20400000015 138c 138e 0000");
        hello(LinkType::RAW, &hex(&jumbo));
    }

    #[test]
    fn icmp_errors_cite() {
        // Port unreachable about the datagram above, with 8 bytes of it.
        let frame =
            ethernet(&format!("4500003d 0000 4000 40 01 0000 c6336402 c0000201 0303 0000 00000000 {}", IPV4_UDP));
        let Content::IcmpError(error) = parse(LinkType::ETHERNET, &frame).unwrap().content else { panic!() };
        let cited = IcmpError {
            version: 4,
            kind: 3,
            code: 3,
            protocol: 17,
            mtu: None,
            original_source: Endpoint::v4([192, 0, 2, 1], 5004),
            original_destination: Endpoint::v4([198, 51, 100, 2], 5006),
        };
        assert_eq!(error, cited);
        let too_big = hex(&format!(
            "60000000 003d 3a 40 20010db8000000000000000000000003 20010db8000000000000000000000001 0200 0000 00000500 {IPV6_UDP}"
        ));
        let Content::IcmpError(error) = parse(LinkType::RAW, &too_big).unwrap().content else { panic!() };
        assert_eq!((error.mtu, error.original_source.port(), error.protocol), (Some(1280), 5004, 17));
        let echo = ethernet("4500001c 0000 4000 40 01 0000 c6336402 c0000201 0800 0000 00010001");
        assert_eq!(parse(LinkType::ETHERNET, &echo).unwrap().content, Content::Icmp { kind: 8, code: 0 });
    }

    #[test]
    fn fragments_wait_for_their_rest() {
        let first = ethernet(&IPV4_UDP.replace("4000", "2000"));
        let packet = parse(LinkType::ETHERNET, &first).unwrap();
        let fragment = Fragment { version: 4, identification: 0x1234, offset: 0, more: true, protocol: 17 };
        assert_eq!((packet.content, packet.source.port()), (Content::Fragment(fragment), 0));
        let payload = hex(UDP);
        let whole = resume(&packet, &payload).unwrap();
        assert_eq!((whole.content, whole.source.port(), whole.payload, whole.captured), (Content::Udp, 5004, 8, 5));
        // The bits of RFC 8200 section 4.5: 13 of offset, 2 reserved, 1 for more.
        let piece = IPV6_UDP.replace("000d 11", "0015 2c").replace("138c 138e", "1100 0b31 00000002 138c 138e");
        let packet = parse(LinkType::RAW, &hex(&piece)).unwrap();
        let fragment = Fragment { version: 6, identification: 2, offset: 0x0b30, more: true, protocol: 17 };
        assert_eq!((packet.content, packet.captured), (Content::Fragment(fragment), 13));
    }

    #[test]
    fn depth_is_bounded() {
        let outer = "45000000 0000 4000 40 04 0000 0a000001 0a000002";
        let nested = |levels: usize| hex(&format!("{}{IPV4_UDP}", outer.repeat(levels)));
        hello(LinkType::RAW, &nested(8));
        assert_eq!(parse(LinkType::RAW, &nested(9)).unwrap().content, Content::Ip(4));
        // Framings that may hold each other, to the end of a long frame.
        for (link, unit) in [
            (LinkType::PPP, "0f00 880b"),
            (LinkType::ETHERNET, "8100 0001 0100 aaaa03 000000"),
            (LinkType::ETHERNET, "8847 0000"),
        ] {
            let mut frame = hex("0a0000000002 0a0000000001");
            frame.extend(hex(unit).repeat(50_000));
            let _ = parse(link, &frame);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_of_any_link_type(link in 0_u16..300, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = parse(LinkType(link), &bytes) {
                prop_assert!(packet.payload as usize + packet.captured as usize <= bytes.len());
                prop_assert!(packet.captured <= packet.length);
            }
        }

        #[test]
        fn any_bytes_after_any_ip_protocol(protocol: u8, port in 0..6_usize, bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let port = [0x12b5_u16, 0x2118, 0x17c1, 0x0868, 0x0dd8, 5004][port];
            for head in [&hex("45000000 0000 4000 40 11 0000 0a000001 0a000002"), &hex(IPV6_UDP)[..40]] {
                let mut frame = head.to_vec();
                if frame[0] == 0x45 { frame[9] = protocol } else { frame[4..7].copy_from_slice(&[0, 120, protocol]) }
                frame.extend(port.to_be_bytes());
                frame.extend(&bytes);
                if let Ok(packet) = parse(LinkType::RAW, &frame) {
                    prop_assert!(packet.payload as usize + packet.captured as usize <= frame.len());
                    let _ = resume(&packet, &bytes);
                }
            }
        }
    }
}
