//! Point-to-point links: PPP, PPPoE, Cisco HDLC.

use super::{
    Kind, Layer, Malformed, Packet, Tunnel,
    link::{self, ether_type},
    walk::Walk,
};

/// Address and control bytes of HDLC framing.
const HDLC: [u8; 2] = [0xff, 0x03];

/// Those of Cisco HDLC, which occurs under PPP link types: for unicast and for multicast.
const CISCO: [[u8; 2]; 2] = [[0x0f, 0x00], [0x8f, 0x00]];

/// What a frame of this file may start with.
pub(super) const FRAMING: [[u8; 2]; 3] = [HDLC, CISCO[0], CISCO[1]];

/// PPPoE (RFC 2516 section 4).
pub(super) fn pppoe(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const VERSION_AND_TYPE: u8 = 0x11;
    const SESSION_DATA: u8 = 0;
    let mut reader = walk.reader(Layer::Link);
    let [version_and_type, code] = reader.array()?;
    let (session, length) = (reader.u16()?, reader.u16()?);
    if version_and_type != VERSION_AND_TYPE {
        return Err(walk.fault(Layer::Link, Kind::BadVersion));
    }
    if code != SESSION_DATA {
        return Ok(walk.not_ip(ether_type::PPPOE_SESSION));
    }
    walk.move_to(&reader);
    walk.limit(usize::from(length));
    walk.mix(u64::from(session));
    walk.note(Tunnel::Pppoe);
    ppp(walk)
}

/// PPP (RFC 1661) with or without the address and control bytes of HDLC framing (RFC 1662), which peers may agree to
/// leave out, as they may the first byte of the protocol.
pub(super) fn ppp(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const IPV4: u16 = 0x0021;
    const IPV6: u16 = 0x0057;
    const MPLS: u16 = 0x0281;
    const MPLS_MULTICAST: u16 = 0x0283;

    let mut reader = walk.reader(Layer::Link);
    match reader.peek().first_chunk() {
        Some(&HDLC) => reader.skip(HDLC.len())?,
        Some(head) if CISCO.contains(head) => return cisco_hdlc(walk),
        _ => {}
    }
    let protocol = match reader.u8()? {
        odd if odd & 1 == 1 => u16::from(odd),
        high => u16::from_be_bytes([high, reader.u8()?]),
    };
    walk.move_to(&reader);
    match protocol {
        IPV4 => walk.ipv4(),
        IPV6 => walk.ipv6(),
        MPLS | MPLS_MULTICAST => link::mpls(walk),
        _ => Ok(walk.not_ip(ether_type::PPP)),
    }
}

/// A byte for the direction, then PPP.
pub(super) fn with_direction(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    let mut reader = walk.reader(Layer::Link);
    let direction = reader.u8()?;
    walk.move_to(&reader);
    walk.mix(u64::from(direction));
    ppp(walk)
}

/// Cisco HDLC: address, control, EtherType.
pub(super) fn cisco_hdlc(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    let mut reader = walk.reader(Layer::Link);
    reader.skip(2)?;
    let kind = reader.u16()?;
    walk.move_to(&reader);
    match kind {
        // The ISO protocols have a number of their own here, below those of Ethernet.
        below if below < ether_type::FIRST => Ok(walk.not_ip(0)),
        other => link::network(walk, other),
    }
}
