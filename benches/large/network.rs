//! Ethernet, IPv4 and UDP around a payload, and the way that packets take to the tap.

use std::net::SocketAddrV4;

use super::random::Random;

/// Bytes of the Ethernet, IPv4 and UDP headers.
pub const HEADERS: usize = 14 + 20 + 8;

/// One direction of a path: its addresses, and what the network in front of the tap does to packets.
#[derive(Clone, Debug)]
pub struct Path {
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
    /// Packets come from a far network: they are lost, delayed, reordered and duplicated before they are captured.
    far: bool,
    identification: u16,
    time_to_live: u8,
    losing: bool,
    delay: u64,
    last_arrival: u64,
}

/// What the network did to a packet.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Lost,
    /// It arrives at this nanosecond, and perhaps a second time.
    Arrives {
        time: u64,
        again: Option<u64>,
    },
}

impl Path {
    pub fn new(source: SocketAddrV4, destination: SocketAddrV4, far: bool, random: &mut Random) -> Self {
        Self {
            source,
            destination,
            far,
            identification: random.next() as u16,
            time_to_live: if far { 64 - random.below(20) as u8 } else { 64 },
            losing: false,
            delay: 0,
            last_arrival: 0,
        }
    }

    /// Sends a packet at the nanosecond `now`. Losses come in bursts (a Gilbert model), the delay walks about, packets
    /// keep their order except for a few that take another way.
    pub fn send(&mut self, now: u64, random: &mut Random) -> Fate {
        if !self.far {
            let arrival = (now + random.below(30_000)).max(self.last_arrival + 2_000);
            self.last_arrival = arrival;
            return Fate::Arrives { time: arrival, again: None };
        }
        self.losing = random.chance(if self.losing { 4_000 } else { 30 });
        if self.losing {
            return Fate::Lost;
        }
        self.delay = (self.delay + random.below(400_000)).saturating_sub(200_000).min(12_000_000);
        let mut time = (now + 15_000_000 + self.delay + random.below(300_000)).max(self.last_arrival + 10_000);
        if random.chance(20) {
            time += 1_000_000 + random.below(12_000_000);
        } else {
            self.last_arrival = time;
        }
        let again = random.chance(2).then(|| time + 50_000 + random.below(3_000_000));
        Fate::Arrives { time, again }
    }

    /// The number that the next packet carries in its IPv4 header.
    pub const fn next_identification(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }

    /// Appends the headers in front of `length` bytes of UDP payload. The UDP checksum is left out.
    pub fn write_headers(&self, frame: &mut Vec<u8>, identification: u16, length: usize) {
        let mac = |address: &SocketAddrV4| {
            let [a, b, c, d] = address.ip().octets();
            [0x02, 0x00, a, b, c, d]
        };
        frame.extend_from_slice(&mac(&self.destination));
        frame.extend_from_slice(&mac(&self.source));
        frame.extend_from_slice(&[0x08, 0x00]);
        let [total_high, total_low] = (length as u16 + 28).to_be_bytes();
        let [identification_high, identification_low] = identification.to_be_bytes();
        let [s0, s1, s2, s3] = self.source.ip().octets();
        let [d0, d1, d2, d3] = self.destination.ip().octets();
        let (time_to_live, udp, dont_fragment) = (self.time_to_live, 17, 0x40);
        let mut header = [
            0x45,
            0x00,
            total_high,
            total_low,
            identification_high,
            identification_low,
            dont_fragment,
            0,
            time_to_live,
            udp,
            0,
            0,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ];
        let words = header.as_chunks::<2>().0.iter();
        let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes(*word))).sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        [header[10], header[11]] = (!(sum + (sum >> 16)) as u16).to_be_bytes();
        frame.extend_from_slice(&header);
        for word in [self.source.port(), self.destination.port(), length as u16 + 8, 0] {
            frame.extend_from_slice(&word.to_be_bytes());
        }
    }
}
