//! Transport addresses, made to be compared and hashed millions of times a second.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// An IP address and a port. IPv4 is held as an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), so that both
/// families compare and hash as two words and a port. The port is 0 where the protocol has none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    high: u64,
    low: u64,
    port: u16,
}

const V4_MAPPED: u64 = 0xffff_0000_0000;

impl Endpoint {
    /// An IPv4 address (four bytes in network order) and a port.
    #[must_use]
    pub const fn v4(address: [u8; 4], port: u16) -> Self {
        Self { high: 0, low: V4_MAPPED | u32::from_be_bytes(address) as u64, port }
    }

    /// An IPv6 address (sixteen bytes in network order) and a port.
    #[must_use]
    pub const fn v6(address: [u8; 16], port: u16) -> Self {
        let bits = u128::from_be_bytes(address);
        Self { high: (bits >> 64) as u64, low: bits as u64, port }
    }

    /// What stands for the peer of a TURN channel that was bound before the capture began: no address at all, and the
    /// channel's number.
    #[must_use]
    pub const fn unknown_peer(channel: u16) -> Self {
        Self::v4([0; 4], channel)
    }

    /// The same address with another port.
    #[must_use]
    pub const fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        if self.high == 0 && self.low & !0xffff_ffff == V4_MAPPED {
            let [.., a, b, c, d] = self.low.to_be_bytes();
            return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        }
        IpAddr::V6(Ipv6Addr::from_bits(self.bits()))
    }

    /// The port; 0 where the protocol has none.
    #[must_use]
    pub const fn port(self) -> u16 {
        self.port
    }

    /// Two endpoints, the lower first, and whether they had to change places for that. Told without a branch: packets of
    /// both directions come as they like, and half the guesses would be wrong.
    #[inline(always)]
    #[must_use]
    pub const fn in_order(self, other: Self) -> (Self, Self, bool) {
        let (address, other_address) = (self.bits(), other.bits());
        let is_after = (address > other_address) | (address == other_address) & (self.port > other.port);
        let change = (is_after as u64).wrapping_neg();
        let (high, low) = ((self.high ^ other.high) & change, (self.low ^ other.low) & change);
        let port = (self.port ^ other.port) & change as u16;
        let first = Self { high: self.high ^ high, low: self.low ^ low, port: self.port ^ port };
        let second = Self { high: other.high ^ high, low: other.low ^ low, port: other.port ^ port };
        (first, second, is_after)
    }

    /// The address as two words, for hashing.
    #[must_use]
    pub const fn words(self) -> (u64, u64) {
        (self.high, self.low)
    }

    const fn bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }
}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.high);
        state.write_u64(self.low);
        state.write_u16(self.port);
    }
}

/// `192.0.2.1:5004`, `[2001:db8::1]:5004`: addresses as RFC 5952 writes them.
impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip(), self.port).fmt(formatter)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        match address.ip() {
            IpAddr::V4(ip) => Self::v4(ip.octets(), address.port()),
            IpAddr::V6(ip) => Self::v6(ip.octets(), address.port()),
        }
    }
}

/// Where an address is valid. Addresses for documentation stand for public ones: captures are made anonymous with them.
#[must_use]
pub fn scope(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(address) => scope_v4(address),
        IpAddr::V6(address) => scope_v6(address),
    }
}

fn scope_v4(address: Ipv4Addr) -> &'static str {
    match address.octets() {
        [0, ..] => "unspecified",
        [127, ..] => "loopback",
        // RFC 1918.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        // RFC 6598: between a customer and the carrier's NAT.
        [100, 64..=127, ..] => "cgn",
        // RFC 3927.
        [169, 254, ..] => "link-local",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ => "public",
    }
}

fn scope_v6(address: Ipv6Addr) -> &'static str {
    let [first, second, ..] = address.segments();
    match first {
        _ if address.is_unspecified() => "unspecified",
        _ if address.is_loopback() => "loopback",
        // RFC 4291 sections 2.5.6 and 2.7, RFC 4193.
        0xfe80..=0xfebf => "link-local",
        0xfc00..=0xfdff => "unique-local",
        0xff00..=0xffff => "multicast",
        // RFC 6052: an IPv4 address behind NAT64.
        0x0064 if second == 0xff9b => "nat64",
        _ => "public",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_as_they_compare() {
        let ends: Vec<Endpoint> =
            ["1.2.3.4:5", "1.2.3.4:6", "[::1]:4", "[2001:db8::]:0", "[2001:db8::1]:9", "255.0.0.1:0"]
                .map(|text| Endpoint::from(text.parse::<SocketAddr>().unwrap()))
                .into();
        for (one, other) in ends.iter().flat_map(|one| ends.iter().map(move |other| (*one, *other))) {
            let (low, high) = (one.min(other), one.max(other));
            assert_eq!(one.in_order(other), (low, high, one > other));
        }
    }

    #[test]
    fn prints_as_rfc_5952() {
        assert_eq!(Endpoint::v4([192, 0, 2, 1], 5004).to_string(), "192.0.2.1:5004");
        let address: SocketAddr = "[2001:db8:0:0:1:0:0:1]:443".parse().unwrap();
        assert_eq!(Endpoint::from(address).to_string(), "[2001:db8::1:0:0:1]:443");
    }

    #[test]
    fn scopes_of_the_registries() {
        // IANA's special-purpose address registries.
        let scopes = [
            ("10.1.0.2", "private"),
            ("172.31.0.1", "private"),
            ("172.32.0.1", "public"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "cgn"),
            ("100.128.0.1", "public"),
            ("169.254.3.4", "link-local"),
            ("127.0.0.1", "loopback"),
            ("224.0.0.251", "multicast"),
            ("fe80::1", "link-local"),
            ("fd12::1", "unique-local"),
            ("::1", "loopback"),
            ("64:ff9b::a00:1", "nat64"),
            ("2001:db8::1", "public"),
        ];
        for (address, expected) in scopes {
            assert_eq!(scope(address.parse().unwrap()), expected, "{address}");
        }
    }
}
