//! Reads captures without the crate's own readers, as simply as these captures allow: `pcap-parser` for the containers,
//! then Ethernet, Linux SLL or raw IP, IPv4 or IPv6 without fragments, then UDP, SCTP, or TCP in order.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const SCTP: u8 = 132;

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

fn open(path: &Path) -> Box<dyn Read + Send> {
    let file = File::open(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        return Box::new(MultiGzDecoder::new(file));
    }
    Box::new(file)
}

/// The payload of UDP, a whole SCTP packet, or one RFC 4571 frame of a TCP connection.
#[derive(Clone)]
pub struct Datagram {
    /// Counted from 1 as Wireshark does.
    pub number: u64,
    pub nanos: i64,
    pub interface: u32,
    pub protocol: u8,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// The TURN server that carried it.
    pub relay: Option<SocketAddr>,
    pub payload: Vec<u8>,
    /// Bytes on the wire; `payload` has less where the capture was cut.
    pub length: usize,
}

/// All datagrams of a capture.
pub fn datagrams(path: &Path) -> Vec<Datagram> {
    read(path, true).0
}

/// The bytes of each direction of the TCP connections of a capture, by source and destination.
pub fn tcp_streams(path: &Path) -> BTreeMap<(SocketAddr, SocketAddr), Vec<u8>> {
    let (_, connections) = read(path, false);
    connections.into_iter().map(|(ends, (_, bytes))| (ends, bytes)).collect()
}

fn read(path: &Path, framed: bool) -> (Vec<Datagram>, Connections) {
    let mut reader = create_reader(1 << 20, open(path)).unwrap();
    let (mut datagrams, mut number) = (Vec::new(), 0);
    let mut interfaces: Vec<(i32, u64)> = Vec::new();
    let mut connections = BTreeMap::new();
    loop {
        match reader.next() {
            Ok((consumed, block)) => {
                let packet = match &block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        interfaces.push((
                            header.network.0,
                            if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 },
                        ));
                        None
                    }
                    PcapBlockOwned::Legacy(packet) => {
                        let fraction = i64::from(packet.ts_usec) * (1_000_000_000 / interfaces[0].1).cast_signed();
                        Some((0, i64::from(packet.ts_sec) * 1_000_000_000 + fraction, packet.data))
                    }
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        let exponent = interface.if_tsresol & 0x7f;
                        let base: u64 = if interface.if_tsresol & 0x80 == 0 { 10 } else { 2 };
                        interfaces.push((interface.linktype.0, base.pow(exponent.into())));
                        None
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let ticks = i128::from(u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low));
                        let rate = i128::from(interfaces[packet.if_id as usize].1);
                        let nanos = i64::try_from(ticks * 1_000_000_000 / rate).unwrap();
                        Some((packet.if_id, nanos, &packet.data[..packet.caplen as usize]))
                    }
                    PcapBlockOwned::NG(_) => None,
                };
                if let Some((interface, nanos, frame)) = packet {
                    number += 1;
                    let link = interfaces[interface as usize].0;
                    let found = datagram(number, nanos, interface, link, frame, &mut connections, framed);
                    datagrams.extend(found.into_iter().flatten());
                }
                reader.consume(consumed);
            }
            Err(PcapError::Eof) => return (datagrams, connections),
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{}: {error:?}", path.display()),
        }
    }
}

/// Bytes of each direction of a TCP connection: the next sequence number, and what makes no whole frame yet.
type Connections = BTreeMap<(SocketAddr, SocketAddr), (u32, Vec<u8>)>;

fn datagram(
    number: u64,
    nanos: i64,
    interface: u32,
    link: i32,
    frame: &[u8],
    connections: &mut Connections,
    framed: bool,
) -> Option<Vec<Datagram>> {
    let packet = match link {
        1 if matches!(frame.get(12..14)?, [8, 0] | [0x86, 0xdd]) => &frame[14..],
        113 if matches!(frame.get(14..16)?, [8, 0] | [0x86, 0xdd]) => &frame[16..],
        276 if matches!(frame.get(..2)?, [8, 0] | [0x86, 0xdd]) => &frame[20..],
        101 => frame,
        _ => return None,
    };
    let word = |bytes: &[u8], at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let (protocol, source, destination, transport, length) = if packet.first()? >> 4 == 4 {
        let header = usize::from(packet.first()? & 15) * 4;
        let total = usize::from(word(packet, 2)?);
        let address =
            |at: usize| Some(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?)));
        (packet[9], address(12)?, address(16)?, packet.get(header..total.min(packet.len()))?, total - header)
    } else {
        let total = usize::from(word(packet, 4)?);
        let address =
            |at: usize| Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?)));
        let end = (40 + total).min(packet.len());
        (packet[6], address(8)?, address(24)?, packet.get(40..end)?, total)
    };
    let (source, destination) =
        (SocketAddr::new(source, word(transport, 0)?), SocketAddr::new(destination, word(transport, 2)?));
    let make = |payload: &[u8], length: usize| Datagram {
        number,
        nanos,
        interface,
        protocol,
        source,
        destination,
        relay: None,
        payload: payload.to_vec(),
        length,
    };
    match protocol {
        UDP => Some(vec![make(transport.get(8..)?, length - 8)]),
        SCTP => Some(vec![make(transport, length)]),
        TCP => {
            let sequence = u32::from_be_bytes(transport.get(4..8)?.try_into().ok()?);
            let data = transport.get(usize::from(transport.get(12)? >> 4) * 4..)?;
            let syn = transport[13] & 2 != 0;
            if syn {
                connections.insert((source, destination), (sequence.wrapping_add(1), Vec::new()));
                return None;
            }
            let (next, bytes) = connections.get_mut(&(source, destination))?;
            let old = next.wrapping_sub(sequence) as usize;
            // In order or sent again: these captures have no holes.
            bytes.extend(data.get(old..)?);
            *next = next.wrapping_add((data.len() - old) as u32);
            let mut frames = Vec::new();
            if !framed {
                return None;
            }
            while let Some(length) = word(bytes, 0).map(usize::from).filter(|length| bytes.len() >= length + 2) {
                frames.push(make(&bytes[2..length + 2], length));
                bytes.drain(..length + 2);
            }
            Some(frames)
        }
        _ => None,
    }
}

/// Takes datagrams out of TURN's ChannelData and Send and Data indications (RFC 8656), where the client is `client`.
pub fn unwrap_turn(datagrams: &mut [Datagram]) {
    let mut channels: BTreeMap<(SocketAddr, SocketAddr, u16), SocketAddr> = BTreeMap::new();
    for datagram in datagrams.iter_mut() {
        let (source, destination) = (datagram.source, datagram.destination);
        let bytes = datagram.payload.clone();
        let Some(&first) = bytes.first() else { continue };
        if first < 4 && bytes.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42]) {
            let kind = u16::from_be_bytes([bytes[0], bytes[1]]);
            let (mut at, mut peer, mut data, mut channel) = (20, None, None, None);
            while let Some(head) = bytes.get(at..at + 4) {
                let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
                let Some(value) = bytes.get(at + 4..at + 4 + length) else { break };
                match u16::from_be_bytes([head[0], head[1]]) {
                    0x0012 => peer = xor_address(value, &bytes[4..20]),
                    0x0013 => data = Some(value.to_vec()),
                    0x000c => channel = Some(u16::from_be_bytes([value[0], value[1]])),
                    _ => {}
                }
                at += 4 + length.div_ceil(4) * 4;
            }
            match (kind, peer, data, channel) {
                // A bound channel keeps its peer: what else is asked for is refused (RFC 8656 section 12.1).
                (0x0009, Some(peer), _, Some(channel)) => {
                    channels.entry((source, destination, channel)).or_insert(peer);
                }
                (0x0016, Some(peer), Some(data), _) => carry(datagram, source, peer, destination, data),
                (0x0017, Some(peer), Some(data), _) => carry(datagram, peer, destination, source, data),
                _ => {}
            }
        } else if (0x40..0x50).contains(&first) && bytes.len() >= 4 {
            let number = u16::from_be_bytes([bytes[0], bytes[1]]);
            let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            let Some(data) = bytes.get(4..4 + length).map(<[u8]>::to_vec) else { continue };
            if let Some(peer) = channels.get(&(source, destination, number)).copied() {
                carry(datagram, source, peer, destination, data);
            } else if let Some(peer) = channels.get(&(destination, source, number)).copied() {
                carry(datagram, peer, destination, source, data);
            }
        }
    }
}

fn carry(datagram: &mut Datagram, source: SocketAddr, destination: SocketAddr, relay: SocketAddr, data: Vec<u8>) {
    (datagram.source, datagram.destination, datagram.relay) = (source, destination, Some(relay));
    datagram.length = data.len();
    datagram.payload = data;
}

/// An XOR address attribute; `cookie` is the message's cookie and transaction identifier.
fn xor_address(value: &[u8], cookie: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes([value.get(2)? ^ 0x21, value.get(3)? ^ 0x12]);
    let address: Vec<u8> = value.get(4..)?.iter().zip(cookie).map(|(byte, key)| byte ^ key).collect();
    let address = match address.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
    };
    Some(SocketAddr::new(address, port))
}
