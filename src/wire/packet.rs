//! What one frame carries: the answer of [`parse`](super::parse).

use super::Endpoint;

/// The innermost packet of a frame. All offsets are bytes from the start of the slice that was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Innermost source address; the port is 0 where the protocol has none. `0.0.0.0` where there is no IP at all.
    pub source: Endpoint,
    /// Innermost destination address; the port is 0 where the protocol has none.
    pub destination: Endpoint,
    /// What is inside the innermost IP packet.
    pub content: Content,
    /// Offset of the transport payload for [`Content::Udp`] and [`Content::Tcp`]; else of the IP payload (of the
    /// network layer's bytes for [`Content::NotIp`]).
    pub payload: u32,
    /// Payload bytes that are in the slice: never beyond what the IP and UDP lengths say, so without Ethernet padding.
    pub captured: u32,
    /// Payload bytes the packet had on the wire, from its headers; more than `captured` where it was snapped.
    pub length: u32,
    /// IPv4 identification (RFC 791) or that of the IPv6 fragment header (RFC 8200 section 4.5); 0 where there is none.
    pub identification: u32,
    /// Time to live (IPv4) or hop limit (IPv6) of the innermost IP header.
    pub hop_limit: u8,
    /// Differentiated services and ECN (RFC 2474, RFC 3168): the second byte of IPv4, the traffic class of IPv6.
    pub traffic_class: u8,
    /// A hash of all that differs when one packet is captured at two places: link addresses, VLAN tags, SLL packet
    /// type and interface, time to live, addresses and ids of outer tunnel headers. Two captures of one packet have
    /// the same innermost packet and another identity; a packet that was sent twice has the same of both.
    pub identity: u32,
    /// What was unwrapped on the way.
    pub tunnels: Tunnels,
    /// Offset of the innermost IP header. In what [`resume`](super::resume) returns: 0 unless another IP header was
    /// found inside the datagram.
    pub network: u32,
}

impl Packet {
    /// Whether there is IP in it.
    #[must_use]
    pub const fn is_ip(&self) -> bool {
        !matches!(self.content, Content::NotIp(_))
    }
}

/// What the innermost IP packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A UDP datagram (RFC 768).
    Udp,
    /// A TCP segment (RFC 9293).
    Tcp(TcpHeader),
    /// An SCTP packet straight over IP (RFC 9260); the payload starts at its common header.
    Sctp,
    /// A piece of an IP packet; its first piece too, so that never half a datagram is read.
    Fragment(Fragment),
    /// An ICMP or ICMPv6 error that cites another packet.
    IcmpError(IcmpError),
    /// Another ICMP or ICMPv6 message, or an error whose citation cannot be read.
    Icmp {
        /// The ICMP type.
        kind: u8,
        /// The ICMP code.
        code: u8,
    },
    /// Another IP protocol (IANA protocol number), not decoded further.
    Ip(u8),
    /// No IP: the EtherType; below 0x600 an LLC DSAP (IEEE 802.2); 0 where the link has neither.
    NotIp(u16),
}

/// The fields of a TCP header (RFC 9293 section 3.1) that following a connection needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpHeader {
    /// Sequence number of the first payload byte (of the SYN, where that is set).
    pub sequence: u32,
    /// The next sequence number expected from the peer, where [`TcpHeader::ACK`] is set.
    pub acknowledgment: u32,
    /// CWR, ECE, URG, ACK, PSH, RST, SYN, FIN from the highest to the lowest bit.
    pub flags: u8,
    /// Receive window, not scaled.
    pub window: u16,
}

impl TcpHeader {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// The acknowledgment number is valid.
    pub const ACK: u8 = 0x10;

    /// Whether all bits of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

/// Where a fragment belongs (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// 4 or 6: the two have different rules for pieces that overlap.
    pub version: u8,
    /// The number that all pieces of the packet share.
    pub identification: u32,
    /// Where the piece starts in the IP payload, in bytes.
    pub offset: u32,
    /// Whether pieces follow it.
    pub more: bool,
    /// The IP protocol (IPv6: next header) of the whole.
    pub protocol: u8,
}

/// An ICMP error (RFC 792, RFC 4443) and the packet it cites. Addresses of [`Packet`] are those of the error itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// 4 for ICMP, 6 for ICMPv6: types and codes differ.
    pub version: u8,
    /// The ICMP type: 3, 4, 5, 11, 12, or for ICMPv6 1 to 4.
    pub kind: u8,
    /// The ICMP code.
    pub code: u8,
    /// The IP protocol of the cited packet.
    pub protocol: u8,
    /// The next-hop MTU in bytes for "fragmentation needed" (type 3 code 4) and "packet too big" (ICMPv6 type 2).
    pub mtu: Option<u32>,
    /// Who sent the cited packet; the port is 0 where it is not in the citation.
    pub original_source: Endpoint,
    /// Where the cited packet was to go.
    pub original_destination: Endpoint,
}

/// A layer that was unwrapped on the way to the innermost packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tunnel {
    /// An IEEE 802.1Q tag.
    Vlan,
    /// A second tag, or an 802.1ad service tag.
    QinQ,
    /// 802.1ah provider backbone bridging.
    MacInMac,
    /// Cisco FabricPath.
    FabricPath,
    /// MACsec (IEEE 802.1AE) that authenticates without encrypting.
    Macsec,
    /// A network service header (RFC 8300).
    Nsh,
    /// An MPLS label stack (RFC 3032).
    Mpls,
    /// Ethernet over MPLS (RFC 4448).
    PseudoWire,
    /// A PPPoE session (RFC 2516).
    Pppoe,
    /// GRE (RFC 2784, RFC 2890).
    Gre,
    /// PPTP's GRE version 1 (RFC 2637).
    Pptp,
    /// ERSPAN: mirrored Ethernet in GRE.
    Erspan,
    /// IPv4 in IPv4 (RFC 2003).
    IpInIp,
    /// IPv6 in IPv4 (RFC 4213).
    SixInFour,
    /// IPv4 in IPv6 (RFC 2473).
    FourInSix,
    /// IPv6 in IPv6 (RFC 2473).
    SixInSix,
    /// Ethernet in IP (RFC 3378).
    EtherIp,
    /// An IPsec authentication header (RFC 4302).
    Ah,
    /// VXLAN (RFC 7348).
    Vxlan,
    /// Geneve (RFC 8926).
    Geneve,
    /// GTP-U (3GPP TS 29.281).
    GtpU,
    /// Teredo (RFC 4380).
    Teredo,
}

impl Tunnel {
    const ALL: [Self; 22] = [
        Self::Vlan,
        Self::QinQ,
        Self::MacInMac,
        Self::FabricPath,
        Self::Macsec,
        Self::Nsh,
        Self::Mpls,
        Self::PseudoWire,
        Self::Pppoe,
        Self::Gre,
        Self::Pptp,
        Self::Erspan,
        Self::IpInIp,
        Self::SixInFour,
        Self::FourInSix,
        Self::SixInSix,
        Self::EtherIp,
        Self::Ah,
        Self::Vxlan,
        Self::Geneve,
        Self::GtpU,
        Self::Teredo,
    ];

    /// The name that reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vlan => "VLAN",
            Self::QinQ => "QinQ",
            Self::MacInMac => "802.1ah",
            Self::FabricPath => "FabricPath",
            Self::Macsec => "MACsec",
            Self::Nsh => "NSH",
            Self::Mpls => "MPLS",
            Self::PseudoWire => "Ethernet over MPLS",
            Self::Pppoe => "PPPoE",
            Self::Gre => "GRE",
            Self::Pptp => "PPTP",
            Self::Erspan => "ERSPAN",
            Self::IpInIp => "IPv4 in IPv4",
            Self::SixInFour => "IPv6 in IPv4",
            Self::FourInSix => "IPv4 in IPv6",
            Self::SixInSix => "IPv6 in IPv6",
            Self::EtherIp => "EtherIP",
            Self::Ah => "AH",
            Self::Vxlan => "VXLAN",
            Self::Geneve => "Geneve",
            Self::GtpU => "GTP-U",
            Self::Teredo => "Teredo",
        }
    }
}

/// A set of [`Tunnel`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tunnels(u32);

impl Tunnels {
    /// Adds one.
    pub const fn insert(&mut self, tunnel: Tunnel) {
        self.0 |= 1 << tunnel as u32;
    }

    /// Whether `tunnel` was unwrapped.
    #[must_use]
    pub const fn contains(self, tunnel: Tunnel) -> bool {
        self.0 & 1 << tunnel as u32 != 0
    }

    /// Whether nothing was unwrapped.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in the set, link layers first.
    pub fn iter(self) -> impl Iterator<Item = Tunnel> {
        Tunnel::ALL.into_iter().filter(move |tunnel| self.contains(*tunnel))
    }

    /// Those of either set, for sums over many packets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
