//! Captures put together by hand.
#![allow(dead_code, reason = "each test crate uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

/// Numbers that look random and are the same in every run (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit.max(1) as u64) as usize
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.number() as u8).collect()
    }
}

/// The link type of packets that start with their IP header.
pub const RAW: u16 = 101;

/// A container that grows.
#[derive(Clone)]
pub struct Writer {
    pub bytes: Vec<u8>,
    container: Container,
    big: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// With nanoseconds.
    Pcap,
    /// With `if_tsresol` 9.
    Pcapng,
}

impl Writer {
    /// A little-endian pcap file of raw IP.
    pub fn raw() -> Self {
        Self::new(Container::Pcap, false, RAW)
    }

    pub fn new(container: Container, big: bool, link: u16) -> Self {
        let mut writer = Self { bytes: Vec::new(), container, big };
        if container == Container::Pcap {
            writer.words(&[0xa1b2_3c4d]);
            writer.halves(&[2, 4]);
            writer.words(&[0, 0, 262_144, link.into()]);
        } else {
            writer.block(0x0a0d_0d0a, |body| {
                body.words(&[0x1a2b_3c4d]);
                body.halves(&[1, 0]);
                body.bytes.extend([0xff; 8]);
            });
            writer.block(1, |body| {
                body.halves(&[link, 0]);
                body.words(&[262_144]);
                // if_tsresol is 9, then the end of options.
                body.halves(&[9, 1]);
                body.bytes.extend([9, 0, 0, 0, 0, 0, 0, 0]);
            });
        }
        writer
    }

    /// Appends a packet that had `original` bytes, captured at a time in nanoseconds.
    pub fn snapped(&mut self, nanos: i64, packet: &[u8], original: u32) {
        let captured = packet.len() as u32;
        match self.container {
            Container::Pcap => {
                let (seconds, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
                self.words(&[seconds as u32, nanos as u32, captured, original]);
                self.bytes.extend(packet);
            }
            Container::Pcapng => self.block(6, |body| {
                body.words(&[0, (nanos >> 32) as u32, nanos as u32, captured, original]);
                body.bytes.extend(packet);
            }),
        }
    }

    /// Appends a whole packet.
    pub fn packet(&mut self, nanos: i64, packet: &[u8]) {
        self.snapped(nanos, packet, packet.len() as u32);
    }

    fn block(&mut self, kind: u32, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.words(&[kind, 0]);
        body(self);
        while !(self.bytes.len() - start).is_multiple_of(4) {
            self.bytes.push(0);
        }
        let length = (self.bytes.len() - start + 4) as u32;
        self.words(&[length]);
        let encoded = if self.big { length.to_be_bytes() } else { length.to_le_bytes() };
        self.bytes[start + 4..start + 8].copy_from_slice(&encoded);
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.bytes.extend(if self.big { word.to_be_bytes() } else { word.to_le_bytes() });
        }
    }

    fn halves(&mut self, halves: &[u16]) {
        for half in halves {
            self.bytes.extend(if self.big { half.to_be_bytes() } else { half.to_le_bytes() });
        }
    }
}

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const SCTP: u8 = 132;

/// An address of one of many hosts.
pub fn host(number: u32) -> [u8; 4] {
    let [_, second, third, last] = number.to_be_bytes();
    [10, second, third, last]
}

pub fn ipv4(protocol: u8, source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
    fragment(protocol, source, destination, 0, 0, payload)
}

/// A piece of an IPv4 packet: `place` is the flags and the offset in units of eight bytes.
pub fn fragment(
    protocol: u8,
    source: [u8; 4],
    destination: [u8; 4],
    identification: u16,
    place: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((payload.len() as u16 + 20).to_be_bytes());
    packet.extend(identification.to_be_bytes());
    packet.extend(place.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend(payload);
    packet
}

pub type Address = ([u8; 4], u16);

pub fn udp(source: Address, destination: Address, payload: &[u8]) -> Vec<u8> {
    ipv4(UDP, source.0, destination.0, &udp_datagram(source.1, destination.1, payload))
}

pub fn udp_datagram(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(payload.len() + 8);
    for half in [source, destination, payload.len() as u16 + 8, 0] {
        datagram.extend(half.to_be_bytes());
    }
    datagram.extend(payload);
    datagram
}

pub fn tcp(source: Address, destination: Address, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(payload.len() + 20);
    segment.extend(source.1.to_be_bytes());
    segment.extend(destination.1.to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend([0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    ipv4(TCP, source.0, destination.0, &segment)
}

/// An RTP packet of payload type 0 with a payload of zeros.
pub fn rtp(ssrc: u32, sequence_number: u16, timestamp: u32, payload: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence_number.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.resize(12 + payload, 0);
    packet
}

/// An ICE check: a Binding request with a user name.
pub fn ice_check() -> Vec<u8> {
    stun(1, &[(6, b"here:far".to_vec())])
}

/// A STUN message of a type and attributes.
pub fn stun(kind: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = kind.to_be_bytes().to_vec();
    message.extend((body.len() as u16).to_be_bytes());
    message.extend([0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    message.extend(body);
    message
}

/// A DTLS 1.2 alert: warning, close notify.
pub const DTLS: [u8; 15] = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 1, 0];
