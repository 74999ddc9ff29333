//! Conversations put together by hand: connectivity checks, TURN, DTLS 1.2 and media between any addresses, written in the
//! order of their times, and what the program says of them.
#![allow(dead_code, reason = "each test crate uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{fs, process::Command};

use crate::{
    common::{Run, analyze},
    craft::{self, Address, TCP, UDP, Writer, fragment, rtp, udp_datagram},
};

/// Seconds from a request to its answer.
pub const TRIP: f64 = 0.02;

/// An attribute: its number and its value.
pub type Attribute = (u16, Vec<u8>);

pub const BINDING: u16 = 0x001;
pub const ALLOCATE: u16 = 0x003;
pub const REFRESH: u16 = 0x004;
pub const SEND: u16 = 0x006;
pub const DATA_INDICATION: u16 = 0x007;
pub const CREATE_PERMISSION: u16 = 0x008;
pub const CHANNEL_BIND: u16 = 0x009;

/// Bits of a STUN type that tell its class (RFC 8489 section 5), for methods below 16.
pub const INDICATION: u16 = 0x010;
pub const SUCCESS: u16 = 0x100;
pub const ERROR: u16 = 0x110;

pub const USERNAME: u16 = 0x0006;
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
pub const ERROR_CODE: u16 = 0x0009;
pub const CHANNEL_NUMBER: u16 = 0x000c;
pub const LIFETIME: u16 = 0x000d;
pub const XOR_PEER_ADDRESS: u16 = 0x0012;
pub const DATA: u16 = 0x0013;
pub const REALM: u16 = 0x0014;
pub const NONCE: u16 = 0x0015;
pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub const REQUESTED_TRANSPORT: u16 = 0x0019;
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub const PRIORITY: u16 = 0x0024;
pub const USE_CANDIDATE: u16 = 0x0025;
pub const SOFTWARE: u16 = 0x8022;
pub const FINGERPRINT: u16 = 0x8028;
pub const ICE_CONTROLLED: u16 = 0x8029;
pub const ICE_CONTROLLING: u16 = 0x802a;

/// An ICE agent at one of its addresses.
#[derive(Clone, Copy)]
pub struct Peer {
    pub ufrag: &'static str,
    pub address: Address,
    pub controlling: bool,
    pub tie_breaker: u64,
}

/// What becomes of a request.
#[derive(Clone, Copy)]
pub enum Answer {
    Success,
    /// Success after so many seconds.
    After(f64),
    /// Success that names another address than the one in the capture.
    SeenAs(Address),
    Error(u16),
    Nothing,
}

/// Packets to be.
#[derive(Default)]
pub struct Dialogue {
    packets: Vec<(i64, Vec<u8>, u32)>,
    transactions: u64,
    identification: u16,
}

impl Dialogue {
    pub fn datagram(&mut self, seconds: f64, source: Address, destination: Address, payload: &[u8]) {
        let datagram = udp_datagram(source.1, destination.1, payload);
        self.ip(seconds, UDP, source.0, destination.0, &datagram);
    }

    pub fn ip(&mut self, seconds: f64, protocol: u8, source: [u8; 4], destination: [u8; 4], payload: &[u8]) {
        self.identification = self.identification.wrapping_add(1);
        self.packet(seconds, fragment(protocol, source, destination, self.identification, 0, payload));
    }

    /// Anything that starts with its IP header.
    pub fn packet(&mut self, seconds: f64, packet: Vec<u8>) {
        let original = packet.len() as u32;
        self.packets.push(((seconds * 1e9).round() as i64, packet, original));
    }

    /// An id that no other transaction of this conversation has.
    pub fn transaction(&mut self) -> [u8; 12] {
        self.transactions += 1;
        let mut id = [0x5a; 12];
        id[4..].copy_from_slice(&self.transactions.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        id
    }

    /// A connectivity check (RFC 8445 section 7.2.2), with attributes beside the usual ones, and its answer.
    pub fn check(&mut self, seconds: f64, [from, to]: [&Peer; 2], more: &[Attribute], answer: Answer) {
        let id = self.transaction();
        let request = check(id, [from, to], more);
        self.datagram(seconds, from.address, to.address, &request);
        let (trip, answer) = match answer {
            Answer::Success => (TRIP, message(BINDING | SUCCESS, id, &[mapped(from.address)])),
            Answer::After(trip) => (trip, message(BINDING | SUCCESS, id, &[mapped(from.address)])),
            Answer::SeenAs(address) => (TRIP, message(BINDING | SUCCESS, id, &[mapped(address)])),
            Answer::Error(code) => (TRIP, message(BINDING | ERROR, id, &[error(code)])),
            Answer::Nothing => return,
        };
        self.datagram(seconds + trip, to.address, from.address, &answer);
    }

    /// A Binding request to a STUN server and its answer.
    pub fn question(&mut self, seconds: f64, client: Address, server: Address, seen_as: Address) {
        let id = self.transaction();
        self.datagram(seconds, client, server, &message(BINDING, id, &[]));
        self.datagram(seconds + TRIP, server, client, &message(BINDING | SUCCESS, id, &[mapped(seen_as)]));
    }

    /// RTP at 50 packets a second, whose sequence numbers are those of its times: a stream goes on where it is called
    /// again for a later time.
    pub fn media(&mut self, from: f64, until: f64, source: Address, destination: Address, ssrc: u32) {
        let number = |seconds: f64| (seconds * 50.0).round() as u32;
        for number in number(from)..number(until) {
            let packet = rtp(ssrc, number as u16, 160 * number, 80);
            self.datagram(f64::from(number) / 50.0 + 0.001, source, destination, &packet);
        }
    }

    /// A whole DTLS 1.2 handshake: four flights.
    pub fn handshake(&mut self, seconds: f64, client: Address, server: Address, number: u32) {
        for (flight, datagram) in dtls::flights(number).iter().enumerate() {
            let (from, to) = if flight % 2 == 0 { (client, server) } else { (server, client) };
            self.datagram(seconds + TRIP * flight as f64, from, to, datagram);
        }
    }

    /// ICE with checks both ways and a regular nomination by the first, at `seconds`, +0.03 and +0.1.
    pub fn connect(&mut self, seconds: f64, a: &Peer, b: &Peer) {
        self.check(seconds, [a, b], &[], Answer::Success);
        self.check(seconds + 0.03, [b, a], &[], Answer::Success);
        self.check(seconds + 0.1, [a, b], &[(USE_CANDIDATE, Vec::new())], Answer::Success);
    }

    /// A call from `from` until `until`: ICE, DTLS with `b` as client, and a stream each way with the SSRCs `ssrc` and
    /// `ssrc + 1`.
    pub fn call(&mut self, from: f64, until: f64, a: &Peer, b: &Peer, ssrc: u32) {
        self.connect(from, a, b);
        self.handshake(from + 0.2, b.address, a.address, ssrc);
        self.media(from + 0.4, until, a.address, b.address, ssrc);
        self.media(from + 0.4, until, b.address, a.address, ssrc + 1);
    }

    /// The capture in the order of its times.
    pub fn bytes(mut self) -> Vec<u8> {
        self.packets.sort_by_key(|packet| packet.0);
        let mut writer = Writer::raw();
        for (nanos, packet, original) in &self.packets {
            writer.snapped(*nanos, packet, *original);
        }
        writer.bytes
    }

    /// What `rtcscope analyze --format json` says of it.
    pub fn run(self) -> Run {
        run(&self.bytes())
    }

    /// What `rtcscope analyze` says of it.
    pub fn text(self) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture.pcap");
        fs::write(&path, self.bytes()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_rtcscope")).arg("analyze").arg(&path).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

/// What the program says of a capture.
pub fn run(capture: &[u8]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.pcap");
    fs::write(&path, capture).unwrap();
    analyze(&path)
}

/// A connectivity check.
pub fn check(id: [u8; 12], [from, to]: [&Peer; 2], more: &[Attribute]) -> Vec<u8> {
    let role = if from.controlling { ICE_CONTROLLING } else { ICE_CONTROLLED };
    let mut attributes = vec![
        (USERNAME, format!("{}:{}", to.ufrag, from.ufrag).into_bytes()),
        (PRIORITY, 1_845_501_695_u32.to_be_bytes().to_vec()),
        (role, from.tie_breaker.to_be_bytes().to_vec()),
    ];
    attributes.extend_from_slice(more);
    message(BINDING, id, &attributes)
}

/// A STUN message with a FINGERPRINT.
pub fn message(kind: u16, id: [u8; 12], attributes: &[Attribute]) -> Vec<u8> {
    let mut attributes = attributes.to_vec();
    attributes.push((FINGERPRINT, vec![0; 4]));
    let mut message = craft::stun(kind, &attributes);
    message[8..20].copy_from_slice(&id);
    let end = message.len() - 4;
    let value = crc32(&message[..end - 4]) ^ 0x5354_554e;
    message[end..].copy_from_slice(&value.to_be_bytes());
    message
}

/// CRC-32 of ISO 3309 (RFC 8489 section 14.7), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// An IPv4 address as the XOR attributes hold it.
pub fn xored((address, port): Address) -> Vec<u8> {
    let mut value = vec![0, 1];
    value.extend((port ^ 0x2112).to_be_bytes());
    value.extend(address.iter().zip([0x21, 0x12, 0xa4, 0x42]).map(|(byte, cookie)| byte ^ cookie));
    value
}

pub fn mapped(address: Address) -> Attribute {
    (XOR_MAPPED_ADDRESS, xored(address))
}

pub fn error(code: u16) -> Attribute {
    (ERROR_CODE, vec![0, 0, (code / 100) as u8, (code % 100) as u8])
}

/// `10.0.0.1:5000`.
pub fn name(([a, b, c, d], port): Address) -> String {
    format!("{a}.{b}.{c}.{d}:{port}")
}

/// `10.0.0.1`.
pub fn host_name([a, b, c, d]: [u8; 4]) -> String {
    format!("{a}.{b}.{c}.{d}")
}

/// A TCP connection that sends all it is given, each piece acknowledged by the next segment of the other end.
pub struct Connection {
    pub client: Address,
    pub server: Address,
    sent: [u32; 2],
}

impl Connection {
    /// With its three first segments.
    pub fn open(dialogue: &mut Dialogue, seconds: f64, client: Address, server: Address) -> Self {
        let mut connection = Self { client, server, sent: [1000, 5000] };
        for (order, (side, flags)) in [(0, 0x02), (1, 0x12), (0, 0x10)].into_iter().enumerate() {
            connection.segment(dialogue, seconds + 0.001 * order as f64, side, flags, &[]);
            connection.sent[side] += u32::from(order < 2);
        }
        connection
    }

    pub fn client_sends(&mut self, dialogue: &mut Dialogue, seconds: f64, bytes: &[u8]) {
        self.segment(dialogue, seconds, 0, 0x18, bytes);
    }

    pub fn server_sends(&mut self, dialogue: &mut Dialogue, seconds: f64, bytes: &[u8]) {
        self.segment(dialogue, seconds, 1, 0x18, bytes);
    }

    fn segment(&mut self, dialogue: &mut Dialogue, seconds: f64, side: usize, flags: u8, bytes: &[u8]) {
        let ends = [self.client, self.server];
        let (from, to) = (ends[side], ends[1 - side]);
        let mut segment = Vec::new();
        segment.extend(from.1.to_be_bytes());
        segment.extend(to.1.to_be_bytes());
        segment.extend(self.sent[side].to_be_bytes());
        segment.extend(if flags & 0x10 == 0 { [0; 4] } else { self.sent[1 - side].to_be_bytes() });
        segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(bytes);
        self.sent[side] += bytes.len() as u32;
        dialogue.ip(seconds, TCP, from.0, to.0, &segment);
    }
}

/// DTLS 1.2 (RFC 6347).
pub mod dtls {
    /// A record.
    pub fn record(kind: u8, epoch: u16, sequence_number: u8, content: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 0xfe, 0xfd];
        record.extend(epoch.to_be_bytes());
        record.extend([0, 0, 0, 0, 0, sequence_number]);
        record.extend((content.len() as u16).to_be_bytes());
        record.extend(content);
        record
    }

    /// A handshake message in one fragment, in one record.
    pub fn message(kind: u8, sequence_number: u8, body: &[u8]) -> Vec<u8> {
        piece(kind, sequence_number, body.len() as u32, 0, body)
    }

    /// A fragment of a handshake message of `length` bytes.
    pub fn piece(kind: u8, sequence_number: u8, length: u32, offset: u32, body: &[u8]) -> Vec<u8> {
        let mut content = vec![kind];
        content.extend(&length.to_be_bytes()[1..]);
        content.extend([0, sequence_number]);
        content.extend(&offset.to_be_bytes()[1..]);
        content.extend(&(body.len() as u32).to_be_bytes()[1..]);
        content.extend(body);
        record(22, 0, sequence_number, &content)
    }

    /// The body of a ClientHello that offers one cipher suite and SRTP, and whose random begins with `number`.
    pub fn client_hello(number: u32) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend(number.to_be_bytes());
        body.extend([7; 28]);
        body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
        body.extend([0, 9, 0, 14, 0, 5, 0, 2, 0, 1, 0]);
        body
    }

    /// The body of a ServerHello that takes both.
    pub fn server_hello(number: u32) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend((!number).to_be_bytes());
        body.extend([8; 28]);
        body.extend([0, 0xc0, 0x2b, 0]);
        body.extend([0, 9, 0, 14, 0, 5, 0, 2, 0, 1, 0]);
        body
    }

    /// Records of clear epoch sent once more: a retransmission has record sequence numbers of its own (RFC 6347 section
    /// 4.2.4), here another 256 on for each `time`.
    pub fn again(records: &[u8], time: u8) -> Vec<u8> {
        let mut records = records.to_vec();
        let mut at = 0;
        while at < records.len() {
            records[at + 9] = time;
            at += 13 + usize::from(u16::from_be_bytes([records[at + 11], records[at + 12]]));
        }
        records
    }

    /// A handshake with neither cookie nor certificate: ClientHello; ServerHello and ServerHelloDone; ClientKeyExchange,
    /// ChangeCipherSpec and Finished; ChangeCipherSpec and Finished.
    pub fn flights(number: u32) -> [Vec<u8>; 4] {
        let finished = [record(20, 0, 9, &[1]), record(22, 1, 0, &[0x5c; 40])].concat();
        [
            message(1, 0, &client_hello(number)),
            [message(2, 0, &server_hello(number)), message(14, 1, &[])].concat(),
            [message(16, 1, &[0x5d; 33]), finished.clone()].concat(),
            finished,
        ]
    }
}
