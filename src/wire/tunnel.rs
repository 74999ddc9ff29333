//! Packets inside packets. An error from here means "not a tunnel": the packet is then what it is outside.

use std::ops::RangeInclusive;

use super::{
    Kind, Layer, Malformed, Packet, Tunnel,
    inet::{Ip, protocol},
    link, ppp,
    walk::Walk,
    wlan,
};

const VXLAN: u16 = 4789;
/// Linux before the port was registered.
const VXLAN_LINUX: u16 = 8472;
const GENEVE: u16 = 6081;
const GTP_U: u16 = 2152;
const TEREDO: u16 = 3544;

/// Whether a UDP port is that of a tunnel.
#[inline]
pub(super) const fn is_port(port: u16) -> bool {
    // One comparison for nearly all media, whose ports are above.
    port <= VXLAN_LINUX && matches!(port, VXLAN | VXLAN_LINUX | GENEVE | GTP_U | TEREDO)
}

/// What is inside a UDP payload between such ports. Media may use these ports too, so headers are held to what
/// their RFCs say, and there must be an IP packet inside that ends where the datagram ends or before.
pub(super) fn udp(walk: &Walk<'_>, ip: &Ip, source: u16, destination: u16, length: usize) -> Result<Packet, Malformed> {
    let inside = walk.inside(ip)?;
    let packet = match (destination, source) {
        (VXLAN | VXLAN_LINUX, _) | (_, VXLAN | VXLAN_LINUX) => vxlan(inside),
        (GENEVE, _) | (_, GENEVE) => geneve(inside),
        (GTP_U, _) | (_, GTP_U) => gtp_u(inside, length),
        _ => teredo(inside, length),
    }?;
    let end = packet.payload as usize + packet.length as usize;
    if !packet.is_ip() || end > walk.at + length {
        return Err(walk.fault(Layer::Tunnel, Kind::BadLength));
    }
    Ok(packet)
}

/// What is inside an IP packet of one of the tunnel protocols.
pub(super) fn ip(walk: &Walk<'_>, ip: &Ip, protocol: u8) -> Result<Packet, Malformed> {
    let mut inside = walk.inside(ip)?;
    match (ip.version, protocol) {
        (4, protocol::IPV4) => {
            inside.note(Tunnel::IpInIp);
            inside.ipv4()
        }
        (_, protocol::IPV4) => {
            inside.note(Tunnel::FourInSix);
            inside.ipv4()
        }
        (4, protocol::IPV6) => {
            inside.note(Tunnel::SixInFour);
            inside.ipv6()
        }
        (_, protocol::IPV6) => {
            inside.note(Tunnel::SixInSix);
            inside.ipv6()
        }
        (_, protocol::ETHER_IP) => ether_ip(inside),
        (_, protocol::MPLS_IN_IP) => link::mpls(inside),
        (_, protocol::GRE) => gre(inside),
        _ => Err(walk.fault(Layer::Tunnel, Kind::Unsupported)),
    }
}

/// EtherIP (RFC 3378): version 3 and twelve zero bits.
fn ether_ip(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const HEADER: u16 = 0x3000;
    let mut reader = walk.reader(Layer::Tunnel);
    if reader.u16()? != HEADER {
        return Err(walk.fault(Layer::Tunnel, Kind::BadVersion));
    }
    walk.move_to(&reader);
    walk.note(Tunnel::EtherIp);
    link::ethernet(walk)
}

/// GRE (RFC 2784, RFC 2890; version 1 as PPTP has it, RFC 2637 section 4.1).
fn gre(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const CHECKSUM: u16 = 0x8000;
    /// RFC 1701 source routes: obsolete and unread.
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    const VERSION: u16 = 0x0007;
    const ERSPAN_1_OR_2: u16 = 0x88be;
    const ERSPAN_3: u16 = 0x22eb;
    const PPP: u16 = 0x880b;
    /// 802.11 frames between Aruba access points and controllers, one number for each tunnel.
    const ARUBA: RangeInclusive<u16> = 0x8200..=0x83f0;

    let mut reader = walk.reader(Layer::Tunnel);
    let (flags, kind) = (reader.u16()?, reader.u16()?);
    if flags & ROUTING != 0 {
        return Err(walk.fault(Layer::Tunnel, Kind::Unsupported));
    }
    if flags & CHECKSUM != 0 {
        reader.skip(4)?;
    }
    match flags & VERSION {
        0 => {
            if flags & KEY != 0 {
                walk.mix(u64::from(reader.u32()?));
            }
            if flags & SEQUENCE != 0 {
                reader.skip(4)?;
            }
            walk.move_to(&reader);
            walk.note(Tunnel::Gre);
            match kind {
                ERSPAN_1_OR_2 => erspan_2(walk, flags & SEQUENCE != 0),
                ERSPAN_3 => erspan_3(walk),
                aruba if ARUBA.contains(&aruba) && aruba & 0xf == 0 => wlan::frame(walk, false),
                other => link::network(walk, other),
            }
        }
        1 if kind == PPP => {
            let (length, call) = (reader.u16()?, reader.u16()?);
            for flag in [SEQUENCE, ACKNOWLEDGMENT] {
                if flags & flag != 0 {
                    reader.skip(4)?;
                }
            }
            walk.move_to(&reader);
            walk.limit(usize::from(length));
            walk.mix(u64::from(call));
            walk.note(Tunnel::Pptp);
            ppp::ppp(walk)
        }
        _ => Err(walk.fault(Layer::Tunnel, Kind::BadVersion)),
    }
}

/// ERSPAN type II; type I is without its header and without a GRE sequence number (draft-foschiano-erspan-03).
fn erspan_2(mut walk: Walk<'_>, has_header: bool) -> Result<Packet, Malformed> {
    if has_header {
        let mut reader = walk.reader(Layer::Tunnel);
        let [_version_and_vlan, session] = [reader.u16()?, reader.u16()?];
        reader.skip(4)?;
        walk.move_to(&reader);
        walk.mix(u64::from(session & 0x03ff));
    }
    walk.note(Tunnel::Erspan);
    link::bridged(walk)
}

/// ERSPAN type III (draft-foschiano-erspan-03 section 4.3).
fn erspan_3(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const SUBHEADER: u16 = 0x0001;
    const FRAME_TYPE: u16 = 0x7c00;
    const ETHERNET: u16 = 0;
    const IP: u16 = 2 << 10;
    let mut reader = walk.reader(Layer::Tunnel);
    let [_version_and_vlan, session] = [reader.u16()?, reader.u16()?];
    let timestamp_and_group = 6;
    reader.skip(timestamp_and_group)?;
    let flags = reader.u16()?;
    if flags & SUBHEADER != 0 {
        reader.skip(8)?;
    }
    walk.move_to(&reader);
    walk.mix(u64::from(session & 0x03ff));
    walk.note(Tunnel::Erspan);
    match flags & FRAME_TYPE {
        ETHERNET => link::bridged(walk),
        IP => walk.ip(),
        _ => Err(walk.fault(Layer::Tunnel, Kind::Unsupported)),
    }
}

/// A network service header after its EtherType (RFC 8300 section 2.2).
pub(super) fn service_header(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const VERSION: u16 = 0xc000;
    const LENGTH_IN_WORDS: u16 = 0x003f;
    const NEXT_IPV4: u8 = 1;
    const NEXT_IPV6: u8 = 2;
    const NEXT_ETHERNET: u8 = 3;
    const NEXT_MPLS: u8 = 5;
    const BASE_AND_PATH: usize = 8;
    const ETHER_TYPE: u16 = 0x894f;
    let mut reader = walk.reader(Layer::Tunnel);
    let lengths = reader.u16()?;
    let [_metadata_type, next] = reader.array()?;
    let path = reader.u32()?;
    let Some(context) = (usize::from(lengths & LENGTH_IN_WORDS) * 4).checked_sub(BASE_AND_PATH) else {
        return Err(walk.fault(Layer::Tunnel, Kind::BadLength));
    };
    if lengths & VERSION != 0 {
        return Err(walk.fault(Layer::Tunnel, Kind::BadVersion));
    }
    reader.skip(context)?;
    walk.move_to(&reader);
    walk.mix(u64::from(path));
    walk.note(Tunnel::Nsh);
    walk.nest(Layer::Tunnel)?;
    match next {
        NEXT_IPV4 => walk.ipv4(),
        NEXT_IPV6 => walk.ipv6(),
        NEXT_ETHERNET => link::ethernet(walk),
        NEXT_MPLS => link::mpls(walk),
        _ => Ok(walk.not_ip(ETHER_TYPE)),
    }
}

/// VXLAN (RFC 7348 section 5). Of the flags only the one for the network id is looked at: extensions (group policy,
/// GPE) use the others and the reserved bytes.
fn vxlan(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const HAS_ID: u8 = 0x08;
    let mut reader = walk.reader(Layer::Tunnel);
    let [flags, ..] = reader.array::<4>()?;
    let (network, reserved) = (reader.u24()?, reader.u8()?);
    if flags & HAS_ID == 0 || reserved != 0 {
        return Err(walk.fault(Layer::Tunnel, Kind::BadValue));
    }
    walk.move_to(&reader);
    walk.mix(u64::from(network));
    walk.note(Tunnel::Vxlan);
    link::ethernet(walk)
}

/// Geneve (RFC 8926 section 3.4).
fn geneve(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const VERSION: u8 = 0xc0;
    const OPTION_WORDS: u8 = 0x3f;
    const RESERVED: u8 = 0x3f;
    let mut reader = walk.reader(Layer::Tunnel);
    let [lengths, flags] = reader.array()?;
    let kind = reader.u16()?;
    let (network, reserved) = (reader.u24()?, reader.u8()?);
    if lengths & VERSION != 0 || flags & RESERVED != 0 || reserved != 0 {
        return Err(walk.fault(Layer::Tunnel, Kind::BadValue));
    }
    reader.skip(usize::from(lengths & OPTION_WORDS) * 4)?;
    walk.move_to(&reader);
    walk.mix(u64::from(network));
    walk.note(Tunnel::Geneve);
    link::network(walk, kind)
}

/// GTP-U, version 1, of type G-PDU (3GPP TS 29.281 section 5).
fn gtp_u(mut walk: Walk<'_>, length: usize) -> Result<Packet, Malformed> {
    /// Version, protocol type and the reserved bit.
    const FIXED: u8 = 0xf8;
    const GTP_VERSION_1: u8 = 0x30;
    const EXTENSION: u8 = 0x04;
    const OPTIONAL: u8 = 0x07;
    const G_PDU: u8 = 255;
    const HEADER: usize = 8;
    let mut reader = walk.reader(Layer::Tunnel);
    let [flags, kind] = reader.array()?;
    let stated = usize::from(reader.u16()?);
    let endpoint = reader.u32()?;
    if flags & FIXED != GTP_VERSION_1 || kind != G_PDU || stated + HEADER != length {
        return Err(walk.fault(Layer::Tunnel, Kind::BadValue));
    }
    if flags & OPTIONAL != 0 {
        let sequence_and_n_pdu = 3;
        reader.skip(sequence_and_n_pdu)?;
        let mut next = reader.u8()?;
        // Each extension takes four bytes or more, so this ends.
        while flags & EXTENSION != 0 && next != 0 {
            let Some(content) = (usize::from(reader.u8()?) * 4).checked_sub(2) else {
                return Err(walk.fault(Layer::Tunnel, Kind::BadLength));
            };
            reader.skip(content)?;
            next = reader.u8()?;
        }
    }
    walk.move_to(&reader);
    walk.mix(u64::from(endpoint));
    walk.note(Tunnel::GtpU);
    walk.ip()
}

/// Teredo (RFC 4380 section 5.1.1): IPv6, after an authentication and an origin indication, that fills the datagram
/// and has a Teredo or link-local address at one end.
fn teredo(mut walk: Walk<'_>, length: usize) -> Result<Packet, Malformed> {
    const AUTHENTICATION: [u8; 2] = [0, 1];
    const ORIGIN: [u8; 2] = [0, 0];
    const PREFIX: [u8; 4] = [0x20, 0x01, 0, 0];
    const LINK_LOCAL: [u8; 4] = [0xfe, 0x80, 0, 0];
    let mut reader = walk.reader(Layer::Tunnel);
    let start = reader.offset();
    if reader.peek().first_chunk() == Some(&AUTHENTICATION) {
        reader.skip(AUTHENTICATION.len())?;
        let [client, value] = reader.array()?;
        let nonce_and_confirmation = 9;
        reader.skip(usize::from(client) + usize::from(value) + nonce_and_confirmation)?;
    }
    if reader.peek().first_chunk() == Some(&ORIGIN) {
        reader.skip(8)?;
    }
    let before = reader.offset() - start;
    walk.move_to(&reader);
    let header = walk.ipv6_header()?;
    let total = before + header.slice().len() + usize::from(header.payload_length());
    let ends = [header.source(), header.destination()];
    if total != length || !ends.iter().any(|end| end.starts_with(&PREFIX) || end.starts_with(&LINK_LOCAL)) {
        return Err(walk.fault(Layer::Tunnel, Kind::BadValue));
    }
    walk.note(Tunnel::Teredo);
    walk.ipv6()
}
