//! What a flow is: two transport addresses and what runs between them.

use crate::wire::Endpoint;

/// The port of multicast DNS (RFC 6762 section 3).
const MDNS: u16 = 5353;

/// What runs between two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP; datagrams are what was framed in it.
    Tcp,
    /// SCTP straight over IP.
    Sctp,
    /// ICMP and ICMPv6.
    Icmp,
    /// Another IP protocol.
    Ip(u8),
}

impl Transport {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Udp => "udp".to_owned(),
            Self::Tcp => "tcp".to_owned(),
            Self::Sctp => "sctp".to_owned(),
            Self::Icmp => "icmp".to_owned(),
            Self::Ip(number) => match number {
                2 => "igmp".to_owned(),
                47 => "gre".to_owned(),
                50 => "esp".to_owned(),
                51 => "ah".to_owned(),
                _ => format!("ip-{number}"),
            },
        }
    }
}

/// A flow's key, the same for both directions: the lower address stands first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// The lower endpoint.
    pub low: Endpoint,
    /// The higher endpoint.
    pub high: Endpoint,
    /// What runs between them.
    pub transport: Transport,
    /// The TURN server that relays the flow, for traffic inside its client's messages.
    pub relay: Option<Endpoint>,
}

impl FlowKey {
    /// The key of a packet from `source` to `destination`, and its direction: 0 from low to high, 1 back.
    #[inline]
    #[must_use]
    pub fn new(source: Endpoint, destination: Endpoint, transport: Transport) -> (Self, usize) {
        // Not a branch: packets of both directions come as they like, and half the guesses would be wrong.
        let direction = usize::from(source.is_after(destination));
        let ends = [source, destination];
        (Self { low: ends[direction], high: ends[direction ^ 1], transport, relay: None }, direction)
    }

    /// Who sends in `direction`.
    #[must_use]
    pub const fn source(&self, direction: usize) -> Endpoint {
        if direction == 0 { self.low } else { self.high }
    }

    /// Who receives in `direction`.
    #[must_use]
    pub const fn destination(&self, direction: usize) -> Endpoint {
        if direction == 0 { self.high } else { self.low }
    }

    /// The TURN channel that stands for `end`, the peer of a relayed flow whom no message in the capture names.
    #[must_use]
    pub fn channel(&self, end: Endpoint) -> Option<u16> {
        (self.relay.is_some() && end == Endpoint::unknown_peer(end.port())).then_some(end.port())
    }

    /// How a report names `end`: an address, or the channel of a peer that is not known.
    #[must_use]
    pub fn name_of(&self, end: Endpoint) -> String {
        match self.channel(end) {
            Some(channel) => format!("unknown peer on channel 0x{channel:04x}"),
            None => end.to_string(),
        }
    }

    /// Whether it is multicast DNS: a UDP port 5353 at one end (RFC 6762 section 3).
    #[must_use]
    pub fn is_mdns(&self) -> bool {
        self.transport == Transport::Udp && (self.low.port() == MDNS || self.high.port() == MDNS)
    }

    /// A hash of the key that is the same in every run.
    #[inline]
    #[must_use]
    pub fn digest(&self) -> u64 {
        let number = match self.transport {
            Transport::Udp => 17,
            Transport::Tcp => 6,
            Transport::Sctp => 132,
            Transport::Icmp => 1,
            Transport::Ip(number) => 256 | u64::from(number),
        };
        let ports = u64::from(self.low.port()) << 48 | u64::from(self.high.port()) << 32 | number;
        let ((low_prefix, low), (high_prefix, high)) = (self.low.words(), self.high.words());
        let digest = [low_prefix, low, high_prefix, high].into_iter().fold(mixed(0, ports), mixed);
        match self.relay {
            None => digest,
            Some(relay) => {
                let (prefix, low) = relay.words();
                [prefix, low, u64::from(relay.port())].into_iter().fold(digest, mixed)
            }
        }
    }
}

/// One round of a multiplicative hash; both halves of the product, so that every bit of `word` reaches all others.
#[inline]
const fn mixed(state: u64, word: u64) -> u64 {
    let product = (state ^ word) as u128 * 0x9e37_79b9_7f4a_7c15;
    (product >> 64) as u64 ^ product as u64
}
