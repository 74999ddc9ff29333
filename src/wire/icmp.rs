//! ICMP (RFC 792) and ICMPv6 (RFC 4443): errors, and the packet they cite.

use super::{Content, Endpoint, IcmpError, Layer, Malformed, inet::protocol, walk::Walk};

/// What an ICMP error (`version` 4) or an ICMPv6 error (6) says by its type and code (RFC 792, RFC 1812 section 5.2.7,
/// RFC 4443 section 3); `None` for what no RFC names.
#[must_use]
pub const fn icmp_meaning(version: u8, kind: u8, code: u8) -> Option<&'static str> {
    Some(match (version, kind, code) {
        (4, 3, 0) => "network unreachable",
        (4, 3, 1) => "host unreachable",
        (4, 3, 2) => "protocol unreachable",
        (4, 3, 3) | (6, 1, 4) => "port unreachable",
        (4, 3, 4) => "fragmentation needed",
        (4, 3, 5) => "source route failed",
        (4, 3, 6) => "network unknown",
        (4, 3, 7) => "host unknown",
        (4, 3, 9) => "communication with the network administratively prohibited",
        (4, 3, 10) => "communication with the host administratively prohibited",
        (4, 3, 13) | (6, 1, 1) => "communication administratively prohibited",
        (4, 3, 11) => "network unreachable for the type of service",
        (4, 3, 12) => "host unreachable for the type of service",
        (4, 3, 14) => "host precedence violation",
        (4, 3, 15) => "precedence cutoff in effect",
        (4, 4, _) => "source quench",
        (4, 5, _) => "redirect",
        (4, 11, 0) => "time to live exceeded in transit",
        (4, 11, 1) | (6, 3, 1) => "fragment reassembly time exceeded",
        (4, 12, _) | (6, 4, _) => "parameter problem",
        (6, 1, 0) => "no route to the destination",
        (6, 1, 2) => "beyond the scope of the source address",
        (6, 1, 3) => "address unreachable",
        (6, 1, 5) => "source address failed the ingress or egress policy",
        (6, 1, 6) => "reject route to the destination",
        (6, 2, _) => "packet too big",
        (6, 3, 0) => "hop limit exceeded in transit",
        _ => return None,
    })
}

/// An ICMP message at the place of the walk.
///
/// # Errors
/// When not even type and code are there.
pub(super) fn v4(walk: &Walk<'_>) -> Result<Content, Malformed> {
    const UNREACHABLE: u8 = 3;
    const SOURCE_QUENCH: u8 = 4;
    const REDIRECT: u8 = 5;
    const TIME_EXCEEDED: u8 = 11;
    const PARAMETER_PROBLEM: u8 = 12;
    const FRAGMENTATION_NEEDED: u8 = 4;

    let (kind, code) = type_and_code(walk)?;
    if !matches!(kind, UNREACHABLE | SOURCE_QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM) {
        return Ok(Content::Icmp { kind, code });
    }
    let cited = || {
        let (word, cited) = citation(walk)?;
        let header = cited.ipv4_header()?;
        let protocol = header.protocol().0;
        let ports = match header.fragments_offset().value() {
            0 => ports(&cited, header.slice().len(), protocol),
            _ => (0, 0),
        };
        Ok::<_, Malformed>(IcmpError {
            version: 4,
            kind,
            code,
            protocol,
            // RFC 1191 section 4: routers that do not know of it send 0.
            mtu: (kind == UNREACHABLE && code == FRAGMENTATION_NEEDED && word & 0xffff != 0).then_some(word & 0xffff),
            original_source: Endpoint::v4(header.source(), ports.0),
            original_destination: Endpoint::v4(header.destination(), ports.1),
        })
    };
    Ok(cited().map_or(Content::Icmp { kind, code }, Content::IcmpError))
}

/// An ICMPv6 message at the place of the walk.
///
/// # Errors
/// When not even type and code are there.
pub(super) fn v6(walk: &Walk<'_>) -> Result<Content, Malformed> {
    const UNREACHABLE: u8 = 1;
    const TOO_BIG: u8 = 2;
    const PARAMETER_PROBLEM: u8 = 4;

    let (kind, code) = type_and_code(walk)?;
    if !matches!(kind, UNREACHABLE..=PARAMETER_PROBLEM) {
        return Ok(Content::Icmp { kind, code });
    }
    let cited = || {
        let (word, cited) = citation(walk)?;
        let header = cited.ipv6_header()?;
        let (protocol, ports) = v6_ports(&cited, header.slice().len(), header.next_header().0);
        Ok::<_, Malformed>(IcmpError {
            version: 6,
            kind,
            code,
            protocol,
            mtu: (kind == TOO_BIG).then_some(word),
            original_source: Endpoint::v6(header.source(), ports.0),
            original_destination: Endpoint::v6(header.destination(), ports.1),
        })
    };
    Ok(cited().map_or(Content::Icmp { kind, code }, Content::IcmpError))
}

fn type_and_code(walk: &Walk<'_>) -> Result<(u8, u8), Malformed> {
    let mut reader = walk.reader(Layer::Icmp);
    Ok((reader.u8()?, reader.u8()?))
}

/// The second word of the message, and a walk at the packet it cites.
fn citation<'a>(walk: &Walk<'a>) -> Result<(u32, Walk<'a>), Malformed> {
    let mut reader = walk.reader(Layer::Icmp);
    reader.skip(4)?;
    let word = reader.u32()?;
    let mut cited = *walk;
    cited.move_to(&reader);
    Ok((word, cited))
}

/// The ports `header` bytes on, where the protocol has them there and they were cited; else 0.
fn ports(cited: &Walk<'_>, header: usize, protocol: u8) -> (u16, u16) {
    let read = || {
        let mut reader = cited.reader(Layer::Icmp);
        reader.skip(header)?;
        Ok::<_, Malformed>((reader.u16()?, reader.u16()?))
    };
    match protocol {
        protocol::UDP | protocol::TCP | protocol::SCTP | protocol::UDP_LITE | protocol::DCCP => {
            read().unwrap_or_default()
        }
        _ => (0, 0),
    }
}

/// The transport protocol of a cited IPv6 packet and its ports, past extension headers.
fn v6_ports(cited: &Walk<'_>, header: usize, next: u8) -> (u8, (u16, u16)) {
    const MAX_EXTENSIONS: usize = 8;
    let (mut at, mut next) = (header, next);
    for _ in 0..MAX_EXTENSIONS {
        let mut reader = cited.reader(Layer::Icmp);
        if reader.skip(at).is_err() {
            break;
        }
        let Ok([following, length, offset_high, offset_low]) = reader.array() else { break };
        at += match next {
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => usize::from(length) * 8 + 8,
            // Only the first piece has ports.
            protocol::FRAGMENT if u16::from_be_bytes([offset_high, offset_low]) >> 3 != 0 => {
                return (following, (0, 0));
            }
            protocol::FRAGMENT => 8,
            _ => break,
        };
        next = following;
    }
    (next, ports(cited, at, next))
}
