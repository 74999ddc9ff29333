//! The frame that nearly all are: Ethernet, IPv4 without options, a whole UDP datagram. Its headers are read in one
//! step, which takes a third of the time of going down layer by layer.

use super::{
    Content, Endpoint, LinkType, Packet, Tunnels,
    link::{address, ether_type},
    tunnel,
    walk::mixed,
};

/// Bytes of the three headers.
const HEADERS: usize = ETHERNET + IPV4 + UDP;
const ETHERNET: usize = 14;
const IPV4: usize = 20;
const UDP: usize = 8;

/// The packet in a frame of Ethernet, IPv4 and UDP without anything odd about it, as [`parse`](super::parse) gives it;
/// `None` for all others. A caller in a loop has it become part of the loop, and then only pays for what it uses.
#[inline(always)]
#[must_use]
pub fn parse_plain(link_type: LinkType, frame: &[u8]) -> Option<Packet> {
    const ETHER_TYPE: [u8; 2] = ether_type::IPV4.to_be_bytes();
    const VERSION_AND_LENGTH: u8 = 0x45;
    const PROTOCOL: u8 = super::inet::protocol::UDP;
    const MORE_FRAGMENTS_AND_HIGH_OFFSET: u8 = 0x3f;
    // Of constant lengths in a slice of constant length, so nothing but the first line can fail.
    let headers = frame.first_chunk::<HEADERS>()?.as_slice();
    let (&link_destination, headers) = headers.split_first_chunk()?;
    let (&link_source, headers) = headers.split_first_chunk()?;
    let (&[e0, e1, version_and_length, traffic_class], headers) = headers.split_first_chunk()?;
    let (&total, headers) = headers.split_first_chunk()?;
    let (&identification, headers) = headers.split_first_chunk()?;
    let (&[fragment, offset, hop_limit, protocol, _, _], headers) = headers.split_first_chunk()?;
    let (&source_address, headers) = headers.split_first_chunk()?;
    let (&destination_address, headers) = headers.split_first_chunk()?;
    let (&source, headers) = headers.split_first_chunk()?;
    let (&destination, headers) = headers.split_first_chunk()?;
    let (&stated, _checksum) = headers.split_first_chunk()?;
    let plain = link_type == LinkType::ETHERNET
        && [e0, e1] == ETHER_TYPE
        && version_and_length == VERSION_AND_LENGTH
        && protocol == PROTOCOL
        && fragment & MORE_FRAGMENTS_AND_HIGH_OFFSET | offset == 0;
    let (total, stated) = (usize::from(u16::from_be_bytes(total)), usize::from(u16::from_be_bytes(stated)));
    let (source, destination) = (u16::from_be_bytes(source), u16::from_be_bytes(destination));
    if !plain || total < IPV4 + UDP || stated < UDP || tunnel::is_port(source) || tunnel::is_port(destination) {
        return None;
    }
    let length = stated.min(total - IPV4) - UDP;
    let captured = (ETHERNET + total).min(frame.len()) - HEADERS;
    let link = mixed(mixed(0, address(link_destination)), address(link_source));
    Some(Packet {
        source: Endpoint::v4(source_address, source),
        destination: Endpoint::v4(destination_address, destination),
        content: Content::Udp,
        payload: HEADERS as u32,
        captured: captured.min(length) as u32,
        length: length as u32,
        identification: u32::from(u16::from_be_bytes(identification)),
        hop_limit,
        traffic_class,
        identity: mixed(link, u64::from(hop_limit)),
        tunnels: Tunnels::default(),
        network: ETHERNET as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{link, walk::Walk};

    /// Ethernet, IPv4 and UDP with four bytes of payload and two of padding.
    const FRAME: [u8; 48] = [
        2, 0, 10, 0, 0, 2, 2, 0, 10, 0, 0, 1, 8, 0, 0x45, 0xb8, 0, 32, 0x12, 0x34, 0x40, 0, 57, 17, 0xaa, 0xbb, 10, 0,
        0, 1, 10, 0, 0, 2, 0x13, 0x88, 0x13, 0x8a, 0, 12, 0, 0, 1, 2, 3, 4, 0, 0,
    ];

    /// Whatever this answers, going down layer by layer answers too.
    fn agrees(frame: &[u8]) -> bool {
        let packet = parse_plain(LinkType::ETHERNET, frame);
        assert!(packet.is_none_or(|packet| link::frame(Walk::new(frame), LinkType::ETHERNET) == Ok(packet)));
        packet.is_some()
    }

    #[test]
    fn agrees_with_going_down_layer_by_layer() {
        assert!(agrees(&FRAME));
        let packet = parse_plain(LinkType::ETHERNET, &FRAME).unwrap();
        assert_eq!(parse_plain(LinkType::RAW, &FRAME), None);
        assert_eq!((packet.payload, packet.captured, packet.length), (42, 4, 4));
        let mut read = 0;
        for index in 0..FRAME.len() {
            for value in 0..=255 {
                let mut frame = FRAME;
                frame[index] = value;
                read += usize::from((0..=frame.len()).filter(|end| agrees(&frame[..*end])).count() > 0);
            }
        }
        // Most bytes are addresses, checksums and payload.
        assert!(read > 30 * 256);
    }
}
