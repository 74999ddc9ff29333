//! RTP counted and timed once more: plainly, with everything in memory, in floating point.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use super::frames::Datagram;

/// One packet of a stream.
#[derive(Clone)]
pub struct Packet {
    pub number: u64,
    pub nanos: i64,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub padding: bool,
    pub length: usize,
}

/// SSRC, source, destination.
pub type Key = (u32, SocketAddr, SocketAddr);

/// All that has an RTP header, by stream, in order of arrival. Random bytes are among it: look up, do not list.
pub fn streams(datagrams: &[Datagram]) -> BTreeMap<Key, Vec<Packet>> {
    let mut streams: BTreeMap<Key, Vec<Packet>> = BTreeMap::new();
    for datagram in datagrams {
        let bytes = &datagram.payload;
        if bytes.len() < 12 || bytes[0] >> 6 != 2 || (192..224).contains(&bytes[1]) {
            continue;
        }
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let packet = Packet {
            number: datagram.number,
            nanos: datagram.nanos,
            payload_type: bytes[1] & 0x7f,
            sequence: u16::from_be_bytes([bytes[2], bytes[3]]),
            timestamp: word(4),
            marker: bytes[1] & 0x80 != 0,
            padding: bytes[0] & 0x20 != 0,
            length: datagram.length,
        };
        streams.entry((word(8), datagram.source, datagram.destination)).or_default().push(packet);
    }
    streams
}

/// What RFC 3550 makes of a stream's sequence numbers, extended by hand.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub packets: u64,
    pub unique: u64,
    pub expected: u64,
    pub reordered: u64,
    /// Runs of missing numbers: 1, 2, 3-5, 6-10, more.
    pub bursts: [u64; 5],
    pub longest: u64,
    pub wraps: u64,
}

/// Counts the sequence numbers of a stream without restarts.
pub fn numbers(packets: &[Packet]) -> Numbers {
    let mut seen = BTreeSet::new();
    let mut numbers = Numbers { packets: packets.len() as u64, ..Numbers::default() };
    let mut highest = (1 << 32) + i64::from(packets[0].sequence);
    for packet in packets {
        let number = highest + i64::from(packet.sequence.wrapping_sub(highest as u16).cast_signed());
        if seen.insert(number) && number < highest {
            numbers.reordered += 1;
        }
        numbers.wraps += u64::from(number > highest && number >> 16 > highest >> 16);
        highest = highest.max(number);
    }
    numbers.unique = seen.len() as u64;
    numbers.expected = (highest - seen.first().unwrap() + 1).cast_unsigned();
    numbers.bursts = bursts(seen.iter().copied(), &mut numbers.longest);
    numbers
}

/// The histogram of the runs missing between ascending numbers.
pub fn bursts(numbers: impl Iterator<Item = i64>, longest: &mut u64) -> [u64; 5] {
    let (mut bursts, mut last) = ([0; 5], None);
    for number in numbers {
        if let Some(last) = last {
            let run: i64 = number - last - 1;
            *longest = (*longest).max(run.cast_unsigned());
            match run {
                0 => {}
                1 => bursts[0] += 1,
                2 => bursts[1] += 1,
                3..=5 => bursts[2] += 1,
                6..=10 => bursts[3] += 1,
                _ => bursts[4] += 1,
            }
        }
        last = Some(number);
    }
    bursts
}

/// Jitter of RFC 3550 section A.8 in seconds: last, mean over all packets but the first, highest.
pub fn jitter(packets: &[Packet], rate: f64) -> (f64, f64, f64) {
    let (mut jitter, mut sum, mut highest) = (0.0_f64, 0.0, 0.0_f64);
    for pair in packets.windows(2) {
        let arrival = (pair[1].nanos - pair[0].nanos) as f64 / 1e9;
        let media = f64::from(pair[1].timestamp.wrapping_sub(pair[0].timestamp).cast_signed()) / rate;
        jitter += ((arrival - media).abs() - jitter) / 16.0;
        sum += jitter;
        highest = highest.max(jitter);
    }
    (jitter, sum / (packets.len() - 1).max(1) as f64, highest)
}

/// Distinct timestamps of packets captured before `until`.
pub fn frames(packets: &[Packet], until: i64) -> u64 {
    let before = packets.iter().filter(|packet| packet.nanos <= until);
    before.map(|packet| packet.timestamp).collect::<BTreeSet<_>>().len() as u64
}
