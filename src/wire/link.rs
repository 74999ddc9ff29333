//! Link layers: from the first byte of a frame to the IP header.

use std::fmt;

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{Kind, Layer, Malformed, Packet, Tunnel, ppp, tunnel, walk::Walk, wlan};

/// A link-layer type as captures number it (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

macro_rules! link_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        impl LinkType {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The register's word for it, without its `LINKTYPE_`; `UNKNOWN` for those it is not given here.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)*
                    12 | 14 => "RAW",
                    _ => "UNKNOWN",
                }
            }
        }
    };
}

link_types! {
    /// BSD loopback: an address family in the byte order of the capturing host.
    NULL = 0;
    /// Ethernet.
    ETHERNET = 1;
    /// AX.25.
    AX25 = 3;
    /// IEEE 802.5 token ring.
    IEEE802_5 = 6;
    /// ARCNET with BSD headers.
    ARCNET_BSD = 7;
    /// SLIP.
    SLIP = 8;
    /// PPP, with or without HDLC framing.
    PPP = 9;
    /// FDDI.
    FDDI = 10;
    /// PPP in HDLC-like framing (RFC 1662).
    PPP_HDLC = 50;
    /// PPPoE session packets.
    PPP_ETHER = 51;
    /// LLC-encapsulated ATM (RFC 2684).
    ATM_RFC1483 = 100;
    /// IPv4 or IPv6 without a link header.
    RAW = 101;
    /// Cisco HDLC.
    C_HDLC = 104;
    /// IEEE 802.11 without a radio header.
    IEEE802_11 = 105;
    /// Frame Relay with Q.922 addresses.
    FRELAY = 107;
    /// OpenBSD loopback: as `NULL`, in network order.
    LOOP = 108;
    /// Linux "cooked" capture.
    LINUX_SLL = 113;
    /// OpenBSD firewall log.
    PFLOG = 117;
    /// 802.11 with a Prism header.
    IEEE802_11_PRISM = 119;
    /// ATM as SunATM writes it.
    SUNATM = 123;
    /// 802.11 with a radiotap header.
    IEEE802_11_RADIOTAP = 127;
    /// ARCNET with Linux headers.
    ARCNET_LINUX = 129;
    /// SS7 message transfer part 2 with a pseudo-header.
    MTP2_WITH_PHDR = 139;
    /// SS7 message transfer part 2.
    MTP2 = 140;
    /// 802.11 with an AVS header.
    IEEE802_11_AVS = 163;
    /// USB as Linux captures it.
    USB_LINUX = 189;
    /// Per-packet information header.
    PPI = 192;
    /// IEEE 802.15.4 with its frame check sequence.
    IEEE802_15_4_WITHFCS = 195;
    /// Endace records.
    ERF = 197;
    /// PPP after a direction byte.
    PPP_WITH_DIR = 204;
    /// USB as Linux maps it to user space.
    USB_LINUX_MMAPPED = 220;
    /// IPv4 without a link header.
    IPV4 = 228;
    /// IPv6 without a link header.
    IPV6 = 229;
    /// Linux netfilter log.
    NFLOG = 239;
    /// Linux netlink.
    NETLINK = 253;
    /// Apple's capture of several interfaces.
    PKTAP = 258;
    /// Linux VM sockets.
    VSOCK = 271;
    /// Linux "cooked" capture, version 2.
    LINUX_SLL2 = 276;
    /// Ethernet with a Broadcom switch tag.
    DSA_TAG_BRCM = 281;
    /// Ethernet with a Marvell switch tag.
    DSA_TAG_DSA = 284;
}

/// The register's word, or for those without one here the number: `LINKTYPE 147`.
impl fmt::Display for LinkType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "UNKNOWN" => write!(formatter, "LINKTYPE {}", self.0),
            name => formatter.write_str(name),
        }
    }
}

/// EtherTypes (IEEE registration authority) that lead to IP.
pub(super) mod ether_type {
    /// Below it the field is a length (IEEE 802.3 section 3.2.6).
    pub(in crate::wire) const FIRST: u16 = 0x0600;
    pub(in crate::wire) const IPV4: u16 = 0x0800;
    pub(in crate::wire) const TRANSPARENT_BRIDGING: u16 = 0x6558;
    pub(in crate::wire) const VLAN: u16 = 0x8100;
    pub(in crate::wire) const IPV6: u16 = 0x86dd;
    pub(in crate::wire) const PPP: u16 = 0x880b;
    pub(in crate::wire) const MPLS: u16 = 0x8847;
    pub(in crate::wire) const MPLS_MULTICAST: u16 = 0x8848;
    pub(in crate::wire) const PPPOE_SESSION: u16 = 0x8864;
    pub(in crate::wire) const SERVICE_VLAN: u16 = 0x88a8;
    pub(in crate::wire) const MACSEC: u16 = 0x88e5;
    pub(in crate::wire) const BACKBONE_SERVICE: u16 = 0x88e7;
    pub(in crate::wire) const FABRIC_PATH: u16 = 0x8903;
    pub(in crate::wire) const VN_TAG: u16 = 0x8926;
    pub(in crate::wire) const NSH: u16 = 0x894f;
    /// Service tags before 802.1ad.
    pub(in crate::wire) const OLD_SERVICE_VLAN: [u16; 3] = [0x9100, 0x9200, 0x9300];
}

/// A frame of a link type.
pub(super) fn frame(walk: Walk<'_>, link: LinkType) -> Result<Packet, Malformed> {
    match link {
        LinkType::ETHERNET => ethernet(walk),
        LinkType::LINUX_SLL => linux_sll(walk),
        LinkType::LINUX_SLL2 => linux_sll2(walk),
        // 12 and 14 are DLT_RAW of BSD systems, which some writers put into files.
        LinkType::RAW | LinkType(12 | 14) => walk.ip(),
        LinkType::IPV4 => walk.ipv4(),
        LinkType::IPV6 => walk.ipv6(),
        LinkType::NULL | LinkType::LOOP => loopback(walk),
        LinkType::IEEE802_11 => wlan::frame(walk, false),
        LinkType::IEEE802_11_RADIOTAP => wlan::radiotap(walk),
        LinkType::PPP | LinkType::PPP_HDLC => ppp::ppp(walk),
        LinkType::PPP_WITH_DIR => ppp::with_direction(walk),
        LinkType::PPP_ETHER => ppp::pppoe(walk),
        LinkType::C_HDLC => ppp::cisco_hdlc(walk),
        LinkType::ATM_RFC1483 => llc(walk),
        LinkType::NFLOG => netfilter_log(walk),
        LinkType::PPI => per_packet_information(walk),
        LinkType::PKTAP => packet_tap(walk),
        _ => Err(walk.fault(Layer::Link, Kind::Unsupported)),
    }
}

/// Ethernet II, or IEEE 802.3 with LLC.
#[inline]
pub(super) fn ethernet(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    let mut reader = walk.reader(Layer::Link);
    let Ok(header) = Ethernet2HeaderSlice::from_slice(reader.peek()) else {
        return Err(Malformed::new(Layer::Link, Kind::TooShort, reader.offset() + reader.len()));
    };
    reader.skip(header.slice().len())?;
    walk.move_to(&reader);
    walk.mix(address(header.destination()));
    walk.mix(address(header.source()));
    match header.ether_type().0 {
        ether_type::IPV4 => walk.ipv4_inlined(),
        other => network(walk, other),
    }
}

/// What follows an EtherType or, in its place, a length.
pub(super) fn network(mut walk: Walk<'_>, mut kind: u16) -> Result<Packet, Malformed> {
    let mut tagged = false;
    // Every tag takes four bytes or six, so this ends.
    loop {
        match kind {
            ether_type::IPV4 => return walk.ipv4(),
            ether_type::IPV6 => return walk.ipv6(),
            ether_type::VLAN | ether_type::SERVICE_VLAN => {}
            old if ether_type::OLD_SERVICE_VLAN.contains(&old) => {}
            ether_type::MPLS | ether_type::MPLS_MULTICAST => return mpls(walk),
            ether_type::PPPOE_SESSION => {
                walk.nest(Layer::Link)?;
                return ppp::pppoe(walk);
            }
            ether_type::PPP => {
                walk.nest(Layer::Link)?;
                return ppp::ppp(walk);
            }
            ether_type::BACKBONE_SERVICE => return mac_in_mac(walk),
            ether_type::FABRIC_PATH => return fabric_path(walk),
            ether_type::MACSEC => return macsec(walk),
            ether_type::NSH => return tunnel::service_header(walk),
            ether_type::TRANSPARENT_BRIDGING => return bridged(walk),
            ether_type::VN_TAG => {
                let mut reader = walk.reader(Layer::Link);
                let (tag, following) = (reader.u32()?, reader.u16()?);
                walk.move_to(&reader);
                walk.mix(u64::from(tag));
                kind = following;
                continue;
            }
            length if length < ether_type::FIRST => {
                walk.limit(usize::from(length));
                walk.nest(Layer::Link)?;
                return llc(walk);
            }
            other => return Ok(walk.not_ip(other)),
        }
        let mut reader = walk.reader(Layer::Link);
        let Ok(tag) = SingleVlanHeaderSlice::from_slice(reader.peek()) else {
            return Err(Malformed::new(Layer::Link, Kind::TooShort, reader.offset() + reader.len()));
        };
        reader.skip(tag.slice().len())?;
        walk.move_to(&reader);
        walk.mix(u64::from(tag.vlan_identifier().value()));
        walk.note(if tagged || kind != ether_type::VLAN { Tunnel::QinQ } else { Tunnel::Vlan });
        tagged = true;
        kind = tag.ether_type().0;
    }
}

/// IEEE 802.2 logical link control, with SNAP (RFC 1042).
pub(super) fn llc(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const SNAP: u8 = 0xaa;
    const IP: u8 = 0x06;
    const UNNUMBERED_INFORMATION: u8 = 0x03;
    const ETHERNET_OUI: u32 = 0;
    /// 802.1H bridge tunnels: the same numbers.
    const BRIDGE_OUI: u32 = 0x0000_00f8;

    let mut reader = walk.reader(Layer::Link);
    let [destination, source, control] = reader.array()?;
    match (destination, source, control) {
        (SNAP, SNAP, UNNUMBERED_INFORMATION) => {
            let (organization, kind) = (reader.u24()?, reader.u16()?);
            walk.move_to(&reader);
            match organization {
                ETHERNET_OUI | BRIDGE_OUI if kind >= ether_type::FIRST => network(walk, kind),
                _ => Ok(walk.not_ip(u16::from(SNAP))),
            }
        }
        (IP, IP, UNNUMBERED_INFORMATION) => {
            walk.move_to(&reader);
            walk.ipv4()
        }
        _ => Ok(walk.not_ip(u16::from(destination))),
    }
}

/// A whole Ethernet frame as the content of something else.
pub(super) fn bridged(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    walk.nest(Layer::Link)?;
    ethernet(walk)
}

/// 802.1ah after its EtherType: the service instance tag, and the customer's frame.
fn mac_in_mac(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    let mut reader = walk.reader(Layer::Link);
    let tag = reader.u32()?;
    walk.move_to(&reader);
    walk.mix(u64::from(tag));
    walk.note(Tunnel::MacInMac);
    bridged(walk)
}

/// Cisco FabricPath after its EtherType: forwarding tag and time to live, and the frame it carries.
fn fabric_path(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    let mut reader = walk.reader(Layer::Link);
    let tag = reader.u16()?;
    walk.move_to(&reader);
    walk.mix(u64::from(tag));
    walk.note(Tunnel::FabricPath);
    bridged(walk)
}

/// MACsec (IEEE 802.1AE section 9.3): what it leaves in clear is read, the integrity check value at the end is beyond
/// what IP says it has.
fn macsec(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
    const HAS_CHANNEL: u8 = 0x20;
    let mut reader = walk.reader(Layer::Link);
    let [control, _short_length] = reader.array()?;
    if control & ENCRYPTED_OR_CHANGED != 0 {
        return Ok(walk.not_ip(ether_type::MACSEC));
    }
    let packet_number = 4;
    reader.skip(packet_number)?;
    if control & HAS_CHANNEL != 0 {
        walk.mix(reader.u64()?);
    }
    let kind = reader.u16()?;
    walk.move_to(&reader);
    walk.note(Tunnel::Macsec);
    walk.nest(Layer::Link)?;
    network(walk, kind)
}

/// An MPLS label stack (RFC 3032). Nothing says what is below it but its first bits: an IP version, or the zeros of a
/// control word before Ethernet (RFC 4385 section 3).
pub(super) fn mpls(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const BOTTOM: u32 = 0x100;
    let mut reader = walk.reader(Layer::Link);
    loop {
        let entry = reader.u32()?;
        // Label and traffic class are of this hop, and the time to live too.
        walk.mix(u64::from(entry));
        if entry & BOTTOM != 0 {
            break;
        }
    }
    walk.move_to(&reader);
    walk.note(Tunnel::Mpls);
    match walk.rest().first().map(|byte| byte >> 4) {
        Some(4 | 6) => walk.ip().or_else(|error| pseudo_wire(walk).ok_or(error)),
        Some(0) => {
            let mut after_control_word = walk;
            reader.u32()?;
            after_control_word.move_to(&reader);
            let packet = pseudo_wire(after_control_word).or_else(|| pseudo_wire(walk));
            Ok(packet.unwrap_or_else(|| walk.not_ip(ether_type::MPLS)))
        }
        _ => Ok(pseudo_wire(walk).unwrap_or_else(|| walk.not_ip(ether_type::MPLS))),
    }
}

/// Ethernet over MPLS (RFC 4448), if there is IP inside: with a wrong guess there would not be.
fn pseudo_wire(mut walk: Walk<'_>) -> Option<Packet> {
    walk.note(Tunnel::PseudoWire);
    bridged(walk).ok().filter(Packet::is_ip)
}

/// BSD loopback: the address family, 24, 28 or 30 for IPv6 as the systems differ (10 on Linux), in either byte order.
fn loopback(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const INET: u32 = 2;
    let mut reader = walk.reader(Layer::Link);
    // Some point-to-point interfaces of BSD systems write their own framing under this link type.
    if reader.peek().first_chunk().is_some_and(|head| ppp::FRAMING.contains(head)) {
        return ppp::ppp(walk);
    }
    let family = reader.u32()?;
    walk.move_to(&reader);
    match family.min(family.swap_bytes()) {
        INET => walk.ipv4(),
        10 | 24 | 28 | 30 => walk.ipv6(),
        _ => Ok(walk.not_ip(0)),
    }
}

/// Linux cooked capture: packet type, hardware type, address, protocol.
fn linux_sll(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    let mut reader = walk.reader(Layer::Link);
    let (packet_type, hardware, length) = (reader.u16()?, reader.u16()?, reader.u16()?);
    let (sender, protocol) = (reader.u64()?, reader.u16()?);
    walk.move_to(&reader);
    walk.mix(u64::from(packet_type) << 32 | u64::from(hardware) << 16 | u64::from(length));
    walk.mix(sender);
    cooked(walk, hardware, protocol)
}

/// Linux cooked capture version 2: it knows the interface.
fn linux_sll2(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    let mut reader = walk.reader(Layer::Link);
    let protocol = reader.u16()?;
    reader.skip(2)?;
    let (interface, hardware) = (reader.u32()?, reader.u16()?);
    let [packet_type, length] = reader.array()?;
    let sender = reader.u64()?;
    walk.move_to(&reader);
    walk.mix(u64::from(interface) << 32 | u64::from(hardware) << 16 | u64::from(packet_type) << 8 | u64::from(length));
    walk.mix(sender);
    cooked(walk, hardware, protocol)
}

/// What follows a cooked header: an EtherType, or one of Linux's own numbers below them.
fn cooked(walk: Walk<'_>, hardware: u16, protocol: u16) -> Result<Packet, Malformed> {
    const NETLINK: u16 = 824;
    const LLC: u16 = 4;
    match (hardware, protocol) {
        (NETLINK, _) => Ok(walk.not_ip(0)),
        (_, LLC) => llc(walk),
        (_, below) if below < ether_type::FIRST => Ok(walk.not_ip(0)),
        (_, other) => network(walk, other),
    }
}

/// Linux netfilter log: a header and TLVs in the byte order of the capturing host, one of which is the packet.
fn netfilter_log(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const VERSION: u8 = 0;
    const HEADER: usize = 4;
    const PAYLOAD: u16 = 9;
    /// Hook, mark, interfaces and hardware address: where it was captured.
    const PLACES: [u16; 6] = [1, 4, 5, 6, 7, 8];

    let mut reader = walk.reader(Layer::Link);
    let [_family, version] = reader.array()?;
    if version != VERSION {
        return Err(walk.fault(Layer::Link, Kind::BadVersion));
    }
    reader.skip(2)?;
    loop {
        walk.move_to(&reader);
        let (length, kind) = (reader.array()?, reader.array()?);
        let (length, kind) = match (u16::from_le_bytes(length), u16::from_be_bytes(length)) {
            // The wrong order would make a length in the thousands of one below 256.
            (little, big) if little <= big => (usize::from(little), u16::from_le_bytes(kind)),
            (_, big) => (usize::from(big), u16::from_be_bytes(kind)),
        };
        let Some(length) = length.checked_sub(HEADER) else {
            return Err(walk.fault(Layer::Link, Kind::BadLength));
        };
        if kind == PAYLOAD {
            walk.move_to(&reader);
            walk.limit(length);
            return walk.ip();
        }
        let value = reader.take(length)?;
        if PLACES.contains(&kind) {
            for &byte in value.iter().take(32) {
                walk.mix(u64::from(byte));
            }
        }
        // The last one may come without its padding.
        reader.skip((length.next_multiple_of(4) - length).min(reader.len()))?;
    }
}

/// PPI: a header, and a frame of another link type.
fn per_packet_information(walk: Walk<'_>) -> Result<Packet, Malformed> {
    let mut reader = walk.reader(Layer::Link);
    reader.skip(2)?;
    let length = usize::from(u16::from_le_bytes(reader.array()?));
    let link = u32::from_le_bytes(reader.array()?);
    let Some(fields) = length.checked_sub(8) else {
        return Err(walk.fault(Layer::Link, Kind::BadLength));
    };
    reader.skip(fields)?;
    wrapped(walk, &reader, link)
}

/// Apple's PKTAP: a header with the interface's name, and a frame of its link type.
fn packet_tap(mut walk: Walk<'_>) -> Result<Packet, Malformed> {
    const FIXED: usize = 12;
    const NAME: usize = 24;
    let mut reader = walk.reader(Layer::Link);
    let length = u32::from_le_bytes(reader.array()?) as usize;
    reader.skip(4)?;
    let link = u32::from_le_bytes(reader.array()?);
    let Some(fields) = length.checked_sub(FIXED) else {
        return Err(walk.fault(Layer::Link, Kind::BadLength));
    };
    for &byte in reader.take(fields)?.iter().take(NAME) {
        walk.mix(u64::from(byte));
    }
    wrapped(walk, &reader, link)
}

fn wrapped(mut walk: Walk<'_>, reader: &super::Reader<'_>, link: u32) -> Result<Packet, Malformed> {
    walk.move_to(reader);
    walk.nest(Layer::Link)?;
    match u16::try_from(link) {
        Ok(link) => frame(walk, LinkType(link)),
        Err(_) => Err(walk.fault(Layer::Link, Kind::Unsupported)),
    }
}

/// A link address as a word, for hashing.
pub(super) fn address([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}
