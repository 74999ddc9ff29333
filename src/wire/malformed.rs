//! Why bytes could not be read: small, `Copy`, and without text. The words are made where reports are written.

/// The protocol layer that was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The container: pcap or pcapng records.
    Container,
    /// Link layers: Ethernet, VLAN, SLL, PPP, 802.11, radiotap, NFLOG, MPLS ...
    Link,
    /// IPv4, IPv6 and its extension headers.
    Ip,
    /// IP fragments being put together.
    Fragment,
    /// Tunnels: GRE, VXLAN, Geneve, GTP-U ...
    Tunnel,
    /// ICMP and ICMPv6.
    Icmp,
    /// UDP (RFC 768).
    Udp,
    /// TCP (RFC 9293).
    Tcp,
    /// STUN and TURN messages (RFC 8489, RFC 8656).
    Stun,
    /// TURN ChannelData (RFC 8656 section 12.4).
    ChannelData,
    /// DTLS records and handshake (RFC 6347, RFC 9147).
    Dtls,
    /// RTP (RFC 3550 section 5).
    Rtp,
    /// What an RTP packet carries: the payload format of its codec.
    Payload,
    /// RTCP (RFC 3550 section 6).
    Rtcp,
    /// SCTP (RFC 9260).
    Sctp,
    /// QUIC long headers (RFC 9000 section 17.2).
    Quic,
    /// ZRTP (RFC 6189).
    Zrtp,
    /// Multicast DNS (RFC 6762).
    Mdns,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The capture holds fewer bytes than the packet had (snap length); what is there was used.
    Snapped,
    /// A header or field needs more bytes than there are.
    TooShort,
    /// A length field contradicts the bytes or another length field.
    BadLength,
    /// A version field holds a value the protocol does not know.
    BadVersion,
    /// A field holds a value that its RFC forbids.
    BadValue,
    /// A checksum or fingerprint differs.
    BadChecksum,
    /// The layer is known, but this form of it is not read.
    Unsupported,
    /// A bound of rtcscope was reached (nesting depth, buffered fragments).
    TooMany,
}

/// Bytes that do not form what they were read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{layer:?} {kind:?} at byte {offset}")]
pub struct Malformed {
    /// The layer that was being read.
    pub layer: Layer,
    /// What was wrong.
    pub kind: Kind,
    /// Where: bytes from the start of the slice that was handed to the parser.
    pub offset: usize,
}

impl Malformed {
    /// A fault of `kind` in `layer`, `offset` bytes into the slice that was being read.
    #[must_use]
    pub const fn new(layer: Layer, kind: Kind, offset: usize) -> Self {
        Self { layer, kind, offset }
    }
}
