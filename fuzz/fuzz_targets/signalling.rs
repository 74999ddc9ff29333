//! Any bytes as a TCP connection between two peers, from a start that the first byte picks: HTTP, server-sent events,
//! WebSocket, SIP, RTSP, TLS and the JSON inside of them; or the records of TLS connections whose keys are known, none of
//! which opens. Each segment starts with its direction and length, and a gap before it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    crypto::keylog::KeyLog,
    flow::{
        key::{FlowKey, Transport},
        tcp::{Connections, Segment},
    },
    time::{PacketId, Timestamp},
    wire::{Endpoint, TcpHeader},
};

const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
const PLAIN: &[u8] = b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
const COMPRESSED: &[u8] =
    b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
const EVENTS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const CODED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n";
const POST: &[u8] = b"POST /offer HTTP/1.1\r\nContent-Type: application/json\r\n";
const INVITE: &[u8] = b"INVITE sip:b@example.org SIP/2.0\r\n";
const DESCRIBE: &[u8] = b"DESCRIBE rtsp://example.org/a RTSP/1.0\r\n";

fuzz_target!(|data: &[u8]| {
    let Some((pick, mut rest)) = data.split_first() else { return };
    let mut wire = Wire { connections: Connections::default(), keys: None, next: [1, 1], packets: 0 };
    match pick % 11 {
        0 => wire.say(0, UPGRADE).say(1, PLAIN),
        1 => wire.say(0, UPGRADE).say(1, COMPRESSED),
        2 => wire.say(0, POST),
        3 => wire.say(0, INVITE),
        4 => wire.say(0, DESCRIBE),
        5 => wire.say(1, EVENTS),
        6 => wire.say(1, CODED),
        7 => wire.know().say(0, &client_hello()).say(1, &server_hello(0x003d)).say(0, CHANGE).say(1, CHANGE),
        8 => wire.know().say(0, &client_hello()).say(1, &server_hello(0x1301)),
        9 => wire.know().say(0, &client_hello()),
        _ => &mut wire,
    };
    while let [head, length, tail @ ..] = rest {
        let (bytes, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        let direction = usize::from(head & 1);
        if let Some(next) = wire.next.get_mut(direction) {
            *next = next.wrapping_add(u32::from(head >> 1) & !3);
        }
        wire.say(direction, bytes);
        rest = tail;
    }
    assert!(wire.connections.held_bytes() <= 4 << 20);
    wire.connections.end();
});

/// ChangeCipherSpec in a record.
const CHANGE: &[u8] = &[20, 3, 3, 0, 1, 1];

/// A ClientHello of the random that the key log knows.
fn client_hello() -> Vec<u8> {
    hello(1, &[&[3, 3][..], &[1; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat())
}

/// A ServerHello of TLS 1.3 (RFC 8446) for its suites, and of TLS 1.2 for others.
fn server_hello(suite: u16) -> Vec<u8> {
    let extensions: &[u8] = if suite >> 8 == 0x13 { &[0, 6, 0, 43, 0, 2, 3, 4] } else { &[] };
    hello(2, &[&[3, 3][..], &[2; 32], &[0], &suite.to_be_bytes(), &[0], extensions].concat())
}

/// A handshake message in a record.
fn hello(message_type: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len() as u8;
    [&[22, 3, 3, 0, length + 4, message_type, 0, 0, length][..], body].concat()
}

struct Wire {
    connections: Connections,
    keys: Option<KeyLog>,
    next: [u32; 2],
    packets: u64,
}

impl Wire {
    /// Has keys from here on.
    fn know(&mut self) -> &mut Self {
        let mut log = KeyLog::default();
        let (random, secret) = ("01".repeat(32), "04".repeat(32));
        log.take(format!("CLIENT_RANDOM {random} {secret}{}\n", "04".repeat(16)).as_bytes());
        for label in ["CLIENT_EARLY_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"] {
            log.take(format!("{label} {random} {secret}\n").as_bytes());
        }
        self.keys = Some(log);
        self
    }

    fn say(&mut self, direction: usize, payload: &[u8]) -> &mut Self {
        self.packets += 1;
        let ends = [Endpoint::v4([192, 0, 2, 1], 40000), Endpoint::v4([192, 0, 2, 2], 80)];
        let (key, _) = FlowKey::new(ends[0], ends[1], Transport::Tcp);
        let mark = (Timestamp(self.packets.cast_signed() * 1_000_000), PacketId::new(0, self.packets));
        let header = TcpHeader {
            sequence: self.next[direction],
            acknowledgment: self.next[direction ^ 1],
            flags: TcpHeader::ACK,
            window: 0,
        };
        let length = payload.len();
        let segment = Segment { mark, direction, header, payload, length };
        self.connections.push_keyed(key, &segment, self.keys.as_ref());
        self.next[direction] = self.next[direction].wrapping_add(length as u32);
        self
    }
}
