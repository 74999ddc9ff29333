//! Reads the lab's captures without the crate's own readers: Ethernet or Linux SLL, IPv4, then UDP or SCTP.
#![allow(dead_code, reason = "each test crate uses its part")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs::File,
    io::Read,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};

/// The folder of captures with known answers, where there is one.
pub fn captures() -> Option<PathBuf> {
    let near = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let folder = std::env::var_os("RTCSCOPE_CAPTURES").map_or_else(near, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no captures at {} (RTCSCOPE_CAPTURES names another place)", folder.display());
    None
}

/// A file's text, unpacked where it is gzipped.
pub fn text(path: &Path) -> String {
    let mut text = String::new();
    open(path).read_to_string(&mut text).unwrap();
    text
}

pub fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn open(path: &Path) -> Box<dyn Read + Send> {
    let file = File::open(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        return Box::new(MultiGzDecoder::new(file));
    }
    Box::new(file)
}

/// The payload of UDP, or a whole SCTP packet.
pub struct Datagram {
    /// Counted from 1 as Wireshark does.
    pub number: u64,
    pub nanos: i64,
    pub protocol: u8,
    pub source: (Ipv4Addr, u16),
    pub destination: (Ipv4Addr, u16),
    pub payload: Vec<u8>,
}

pub const UDP: u8 = 17;
pub const SCTP: u8 = 132;

/// All datagrams of a capture.
pub fn datagrams(path: &Path) -> Vec<Datagram> {
    let mut reader = create_reader(1 << 20, open(path)).unwrap();
    let (mut datagrams, mut number) = (Vec::new(), 0);
    let (mut link, mut ticks_per_second) = (1, 1_000_000_u64);
    loop {
        match reader.next() {
            Ok((consumed, block)) => {
                let packet = match &block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        link = header.network.0;
                        None
                    }
                    PcapBlockOwned::Legacy(packet) => {
                        Some((i64::from(packet.ts_sec) * 1_000_000_000 + i64::from(packet.ts_usec) * 1000, packet.data))
                    }
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        link = interface.linktype.0;
                        ticks_per_second = 10_u64.pow(interface.if_tsresol.into());
                        None
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                        let nanos = i64::try_from(ticks * (1_000_000_000 / ticks_per_second)).unwrap();
                        Some((nanos, &packet.data[..packet.caplen as usize]))
                    }
                    PcapBlockOwned::NG(_) => None,
                };
                if let Some((nanos, frame)) = packet {
                    number += 1;
                    datagrams.extend(datagram(number, nanos, link, frame));
                }
                reader.consume(consumed);
            }
            Err(PcapError::Eof) => return datagrams,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{}: {error:?}", path.display()),
        }
    }
}

fn datagram(number: u64, nanos: i64, link: i32, frame: &[u8]) -> Option<Datagram> {
    let packet = match link {
        1 if frame.get(12..14)? == [8, 0] => &frame[14..],
        113 if frame.get(14..16)? == [8, 0] => &frame[16..],
        _ => return None,
    };
    let header = usize::from(packet.first()? & 15) * 4;
    let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let (protocol, source, destination) = (packet[9], address(12)?, address(16)?);
    let transport = packet.get(header..total.min(packet.len()))?;
    let port = |at: usize| Some(u16::from_be_bytes([*transport.get(at)?, *transport.get(at + 1)?]));
    let payload = match protocol {
        UDP => transport.get(8..)?,
        SCTP => transport,
        _ => return None,
    };
    let (source, destination) = ((source, port(0)?), (destination, port(2)?));
    Some(Datagram { number, nanos, protocol, source, destination, payload: payload.to_vec() })
}
