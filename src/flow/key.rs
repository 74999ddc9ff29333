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

/// A flow's key, the same for both directions: the lower address stands first. In memory it is laid out as it stands
/// here, so that most keys are told apart by one line of the processor's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
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
        let (low, high, is_back) = source.in_order(destination);
        (Self { low, high, transport, relay: None }, usize::from(is_back))
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
        // The first two products do not wait for each other.
        let addresses = folded(low ^ SEEDS[0], high ^ SEEDS[1]);
        let prefixes = folded(low_prefix ^ SEEDS[2], high_prefix ^ SEEDS[3]);
        let digest = folded(addresses ^ ports, prefixes ^ SEEDS[0]);
        match self.relay {
            None => digest,
            Some(relay) => {
                let (prefix, low) = relay.words();
                let words = [prefix, low, u64::from(relay.port())];
                words.into_iter().fold(digest, |digest, word| folded(digest ^ word, SEEDS[1]))
            }
        }
    }
}

/// Odd words without pattern: the fractional digits of the golden ratio, and of the square roots of 3, 5 and 7.
const SEEDS: [u64; 4] = [0x9e37_79b9_7f4a_7c15, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1];

/// Both halves of the product of two words, so that every bit of one reaches all others.
#[inline]
const fn folded(one: u64, other: u64) -> u64 {
    let product = one as u128 * other as u128;
    (product >> 64) as u64 ^ product as u64
}
