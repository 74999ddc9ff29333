//! Any bytes as a TCP connection between two peers, from a start that the first byte picks: HTTP, server-sent events,
//! WebSocket, SIP, RTSP, TLS and the JSON inside of them. Each segment starts with its direction and length, and a gap before it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
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
    let mut wire = Wire { connections: Connections::default(), next: [1, 1], packets: 0 };
    match pick % 8 {
        0 => wire.say(0, UPGRADE).say(1, PLAIN),
        1 => wire.say(0, UPGRADE).say(1, COMPRESSED),
        2 => wire.say(0, POST),
        3 => wire.say(0, INVITE),
        4 => wire.say(0, DESCRIBE),
        5 => wire.say(1, EVENTS),
        6 => wire.say(1, CODED),
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

struct Wire {
    connections: Connections,
    next: [u32; 2],
    packets: u64,
}

impl Wire {
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
        self.connections.push(key, &Segment { mark, direction, header, payload, length });
        self.next[direction] = self.next[direction].wrapping_add(length as u32);
        self
    }
}
