//! Packets with another payload: the same headers, their lengths and checksums right again.

use std::net::IpAddr;

use etherparse::{IpFragOffset, IpHeaders, IpNumber, Ipv4Header, Ipv6Header, TcpHeader, TransportHeader, UdpHeader};

use crate::wire::{self, Content, Endpoint, LinkType, Tunnel};

/// A packet to be written in place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// What it starts with: the link layer of the frame it was made of; or [`LinkType::RAW`], where that frame has
    /// lengths of its own between link layer and IP, as tunnels have.
    pub link_type: LinkType,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Mended {
    /// `frame`, of which `packet` was read, with `payload` for what UDP or TCP carries. `None` where it carries neither,
    /// or the packet would be longer than IP allows.
    #[must_use]
    pub fn new(link_type: LinkType, frame: &[u8], packet: &wire::Packet, payload: &[u8]) -> Option<Self> {
        let network = packet.network as usize;
        let (mut ip, inside, _) = IpHeaders::from_slice_lax(frame.get(network..)?).ok()?;
        let mut transport = match packet.content {
            Content::Udp => {
                let mut udp = UdpHeader::from_slice(inside.payload).ok()?.0;
                udp.length = u16::try_from(payload.len().checked_add(UdpHeader::LEN)?).ok()?;
                TransportHeader::Udp(udp)
            }
            Content::Tcp(_) => TransportHeader::Tcp(TcpHeader::from_slice(inside.payload).ok()?.0),
            _ => return None,
        };
        ip.set_payload_len(transport.header_len().checked_add(payload.len())?).ok()?;
        let is_whole = keeps_link(link_type, frame, packet);
        let link = if is_whole { frame.get(..network)? } else { &[] };
        let mut bytes = link.to_vec();
        write(&ip, &mut transport, payload, &mut bytes)?;
        Some(Self { link_type: if is_whole { link_type } else { LinkType::RAW }, bytes })
    }

    /// A UDP datagram that was in no frame of its own: put together of fragments, or carried by TCP or TURN.
    #[must_use]
    pub fn datagram(source: Endpoint, destination: Endpoint, payload: &[u8]) -> Option<Self> {
        let length = u16::try_from(payload.len().checked_add(UdpHeader::LEN)?).ok()?;
        let (source_port, destination_port) = (source.port(), destination.port());
        let mut transport = TransportHeader::Udp(UdpHeader { source_port, destination_port, length, checksum: 0 });
        let ip = ip_headers(source, destination, IpNumber::UDP, length)?;
        let mut bytes = Vec::new();
        write(&ip, &mut transport, payload, &mut bytes)?;
        Some(Self { link_type: LinkType::RAW, bytes })
    }

    /// An SCTP packet that was in DTLS: straight over IP, where it is known for what it is. Its ports are those of
    /// SCTP.
    #[must_use]
    pub fn sctp(source: Endpoint, destination: Endpoint, packet: &[u8]) -> Option<Self> {
        let ip = ip_headers(source, destination, IpNumber::SCTP, u16::try_from(packet.len()).ok()?)?;
        let mut bytes = Vec::new();
        ip.write(&mut bytes).ok()?;
        bytes.extend(packet);
        Some(Self { link_type: LinkType::RAW, bytes })
    }
}

/// Whether what stands ahead of IP may stay as it is: no lengths are in it.
fn keeps_link(link_type: LinkType, frame: &[u8], packet: &wire::Packet) -> bool {
    const WITHOUT_LENGTH: [LinkType; 6] =
        [LinkType::ETHERNET, LinkType::NULL, LinkType::LOOP, LinkType::RAW, LinkType::LINUX_SLL, LinkType::LINUX_SLL2];
    // IEEE 802.3: a length where Ethernet II has its type.
    let is_802_3 = || match frame.get(12..14) {
        Some([high, _]) => *high < 6,
        _ => true,
    };
    WITHOUT_LENGTH.contains(&link_type)
        && packet.tunnels.iter().all(|tunnel| matches!(tunnel, Tunnel::Vlan | Tunnel::QinQ))
        && !(link_type == LinkType::ETHERNET && is_802_3())
}

fn ip_headers(source: Endpoint, destination: Endpoint, protocol: IpNumber, length: u16) -> Option<IpHeaders> {
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header =
                Ipv4Header::new(length, HOP_LIMIT, protocol, source.octets(), destination.octets()).ok()?;
            header.fragment_offset = IpFragOffset::ZERO;
            Some(IpHeaders::Ipv4(header, Default::default()))
        }
        (source, destination) => {
            let octets = |address: IpAddr| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            let header = Ipv6Header {
                payload_length: length,
                next_header: protocol,
                hop_limit: HOP_LIMIT,
                source: octets(source),
                destination: octets(destination),
                ..Ipv6Header::default()
            };
            Some(IpHeaders::Ipv6(header, Default::default()))
        }
    }
}

/// Headers with checksums, then the payload.
fn write(ip: &IpHeaders, transport: &mut TransportHeader, payload: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    match ip {
        IpHeaders::Ipv4(header, _) => transport.update_checksum_ipv4(header, payload).ok()?,
        IpHeaders::Ipv6(header, _) => transport.update_checksum_ipv6(header, payload).ok()?,
    }
    ip.write(bytes).ok()?;
    transport.write(bytes).ok()?;
    bytes.extend(payload);
    Some(())
}

/// Time to live of packets that never were on a network.
const HOP_LIMIT: u8 = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The Internet checksum (RFC 1071): zero where the field is right.
    fn internet_sum(bytes: &[u8], start: u32) -> u16 {
        let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
        let mut sum = start + words.sum::<u32>();
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    /// Ethernet with a VLAN tag, IPv4 with a record-route option, UDP.
    fn vlan_frame() -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 7, 8, 0];
        frame.extend([0x46, 0xb8, 0, 40, 0x12, 0x34, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 2, 10, 2, 0, 2, 1, 1, 1, 0]);
        frame.extend([0x13, 0x8c, 0x13, 0x8e, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        frame
    }

    #[test]
    fn ethernet() {
        let frame = vlan_frame();
        let packet = wire::parse(LinkType::ETHERNET, &frame).unwrap();
        let mended = Mended::new(LinkType::ETHERNET, &frame, &packet, &[9, 9, 9]).unwrap();
        assert_eq!(mended.link_type, LinkType::ETHERNET);
        let bytes = mended.bytes;
        // Link layer, then all of IP but length and checksum, as they were.
        assert_eq!(bytes[..20], frame[..20]);
        assert_eq!(bytes[20..22], [0, 24 + 8 + 3]);
        assert_eq!(bytes[22..28], frame[22..28]);
        assert_eq!(internet_sum(&bytes[18..42], 0), 0);
        assert_eq!(bytes[42..48], [0x13, 0x8c, 0x13, 0x8e, 0, 11]);
        assert_eq!(internet_sum(&bytes[42..], 0x0a01 + 2 + 0x0a02 + 2 + 17 + 11), 0);
        assert_eq!(bytes[50..], [9, 9, 9]);
        // With what it had, it is what it was, but for the checksums that it lacked.
        let same = Mended::new(LinkType::ETHERNET, &frame, &packet, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap().bytes;
        assert_eq!(same.len(), frame.len());
        assert_eq!(Mended::new(LinkType::ETHERNET, &frame, &packet, &[0; 65_510]), None);
    }

    #[test]
    fn tunnels_are_left() {
        let inner = &vlan_frame()[18..];
        // IPv4 in IPv4, over Ethernet.
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        frame.extend([0x45, 0, 0, 60, 0, 0, 0, 0, 64, 4, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        frame.extend(inner);
        let packet = wire::parse(LinkType::ETHERNET, &frame).unwrap();
        let mended = Mended::new(LinkType::ETHERNET, &frame, &packet, &[7]).unwrap();
        assert_eq!((mended.link_type, mended.bytes.len()), (LinkType::RAW, 24 + 8 + 1));
    }

    #[test]
    fn from_nothing() {
        let ends = [Endpoint::v6([0x20; 16], 5), Endpoint::v6([0x21; 16], 6)];
        let Mended { link_type, bytes } = Mended::datagram(ends[0], ends[1], &[1, 2, 3]).unwrap();
        let packet = wire::parse(link_type, &bytes).unwrap();
        assert_eq!((packet.source, packet.destination, packet.content), (ends[0], ends[1], Content::Udp));
        assert_eq!(&bytes[packet.payload as usize..], [1, 2, 3]);
        assert_eq!(internet_sum(&bytes[40..], 8 * (0x2020 + 0x2121) + 17 + 11), 0);
        let ends = [Endpoint::v4([10, 0, 0, 1], 5), Endpoint::v4([10, 0, 0, 2], 6)];
        let Mended { link_type, bytes } = Mended::sctp(ends[0], ends[1], &[0x13, 0x88, 0x13, 0x88]).unwrap();
        assert_eq!(wire::parse(link_type, &bytes).unwrap().content, Content::Sctp);
        assert_eq!((internet_sum(&bytes[..20], 0), bytes.len()), (0, 24));
    }

    proptest! {
        #[test]
        fn any_frame(mut frame in proptest::collection::vec(any::<u8>(), 0..90), link in 0..300_u16, at in 0..90_usize) {
            // Something that is often read as a packet.
            let whole = vlan_frame();
            let at = at.min(whole.len());
            frame.splice(..0, whole[..at].iter().copied());
            for link in [LinkType(link), LinkType::ETHERNET] {
                if let Ok(packet) = wire::parse(link, &frame) {
                    let mended = Mended::new(link, &frame, &packet, &[1, 2, 3]);
                    if let Some(mended) = mended {
                        prop_assert!(mended.bytes.len() <= frame.len() + 3);
                    }
                }
            }
        }
    }
}
