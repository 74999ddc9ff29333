//! Names of numbers that registries keep, for what surrounds the protocols of calls.

use crate::wire::TcpHeader;

/// EtherTypes (IEEE), and LLC service access points below 0x600.
pub(super) const fn ether_type(kind: u16) -> Option<&'static str> {
    Some(match kind {
        0x0042 => "STP",
        0x00aa => "SNAP",
        0x00e0 => "IPX",
        0x00fe => "IS-IS",
        0x0806 => "ARP",
        0x0842 => "Wake-on-LAN",
        0x8035 => "RARP",
        0x8100 => "VLAN",
        0x8137 => "IPX",
        0x8808 => "Ethernet flow control",
        0x8809 => "LACP",
        0x8847 | 0x8848 => "MPLS",
        0x8863 => "PPPoE discovery",
        0x8864 => "PPPoE",
        0x888e => "EAPOL",
        0x88a8 => "QinQ",
        0x88cc => "LLDP",
        0x88e1 => "HomePlug",
        0x88e5 => "MACsec",
        0x88f7 => "PTP",
        0x9000 => "loopback test",
        _ => return None,
    })
}

/// IANA protocol numbers.
pub(super) const fn ip_protocol(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => "hop-by-hop options",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4",
        6 => "TCP",
        17 => "UDP",
        33 => "DCCP",
        41 => "IPv6",
        43 => "routing header",
        44 => "fragment header",
        46 => "RSVP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "ICMPv6",
        59 => "no next header",
        60 => "destination options",
        88 => "EIGRP",
        89 => "OSPF",
        97 => "EtherIP",
        103 => "PIM",
        112 => "VRRP",
        115 => "L2TP",
        132 => "SCTP",
        135 => "mobility header",
        136 => "UDP-Lite",
        137 => "MPLS",
        139 => "HIP",
        140 => "Shim6",
        _ => return None,
    })
}

/// Differentiated services code points (RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622).
pub(super) const fn dscp(value: u8) -> Option<&'static str> {
    Some(match value {
        0 => "best effort",
        1 => "LE",
        8 => "CS1",
        10 => "AF11",
        12 => "AF12",
        14 => "AF13",
        16 => "CS2",
        18 => "AF21",
        20 => "AF22",
        22 => "AF23",
        24 => "CS3",
        26 => "AF31",
        28 => "AF32",
        30 => "AF33",
        32 => "CS4",
        34 => "AF41",
        36 => "AF42",
        38 => "AF43",
        40 => "CS5",
        44 => "voice admit",
        46 => "EF",
        48 => "CS6",
        56 => "CS7",
        _ => return None,
    })
}

/// `SYN ACK`: TCP flags in the order in which people name them.
pub(super) fn tcp_flags(flags: u8) -> String {
    const FLAGS: [(u8, &str); 8] = [
        (TcpHeader::SYN, "SYN"),
        (TcpHeader::FIN, "FIN"),
        (TcpHeader::RST, "RST"),
        (0x08, "PSH"),
        (TcpHeader::ACK, "ACK"),
        (0x20, "URG"),
        (0x40, "ECE"),
        (0x80, "CWR"),
    ];
    let set: Vec<_> = FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "none".to_owned() } else { set.join(" ") }
}

/// Whether a message cites the packet it speaks of.
pub(super) const fn is_icmp_error(version: u8, kind: u8) -> bool {
    match version {
        6 => matches!(kind, 1..=4),
        _ => matches!(kind, 3 | 4 | 5 | 11 | 12),
    }
}

/// `destination unreachable (port)`: an ICMP message by type and code (RFC 792, RFC 4443, RFC 4861).
pub(super) fn icmp(version: u8, kind: u8, code: u8) -> String {
    let name = match (version, kind) {
        (6, 1) => "destination unreachable",
        (6, 2) => "packet too big",
        (6, 3) | (4, 11) => "time exceeded",
        (6, 4) | (4, 12) => "parameter problem",
        (6, 128) | (4, 8) => "echo request",
        (6, 129) | (4, 0) => "echo reply",
        (6, 130) => "multicast listener query",
        (6, 131 | 143) => "multicast listener report",
        (6, 132) => "multicast listener done",
        (6, 133) | (4, 10) => "router solicitation",
        (6, 134) | (4, 9) => "router advertisement",
        (6, 135) => "neighbor solicitation",
        (6, 136) => "neighbor advertisement",
        (6, 137) | (4, 5) => "redirect",
        (4, 3) => "destination unreachable",
        (4, 4) => "source quench",
        (4, 13) => "timestamp request",
        (4, 14) => "timestamp reply",
        _ => return format!("type {kind} code {code}"),
    };
    let reason = match (version, kind, code) {
        (4, 3, 0) => "network",
        (4, 3, 1) => "host",
        (4, 3, 2) => "protocol",
        (4, 3, 3) | (6, 1, 4) => "port",
        (4, 3, 4) => "fragmentation needed",
        (4, 3, 9 | 10 | 13) | (6, 1, 1) => "administratively prohibited",
        (6, 1, 0) => "no route",
        (6, 1, 3) => "address",
        (6, 1, 5 | 6) => "policy",
        (4, 11, 0) | (6, 3, 0) => "in transit",
        (4, 11, 1) | (6, 3, 1) => "reassembly",
        (_, _, 0) => return name.to_owned(),
        _ => return format!("{name} (code {code})"),
    };
    format!("{name} ({reason})")
}
