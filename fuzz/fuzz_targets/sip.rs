//! Any bytes as datagrams of SIP over UDP: as they are, and behind a start line; each starts with its length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    flow::{
        key::{FlowKey, Transport},
        signalling::{Collector, Datagrams, TextDatagram},
    },
    time::{PacketId, Timestamp},
    wire::Endpoint,
};

fuzz_target!(|data: &[u8]| {
    let end = Endpoint::v4([192, 0, 2, 1], 5060);
    let (key, direction) = FlowKey::new(end, Endpoint::v4([192, 0, 2, 2], 5060), Transport::Udp);
    let (mut datagrams, mut collector) = (Datagrams::default(), Collector::default());
    let (mut rest, mut number) = (data, 0_u64);
    while let [length, tail @ ..] = rest {
        let (bytes, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        for start in [&b""[..], b"SIP/2.0 200 OK\r\n", b"INVITE sip:b@example.org SIP/2.0\r\nc: application/sdp\r\n"] {
            number += 1;
            let bytes = [start, bytes].concat();
            let mark = (Timestamp(number.cast_signed()), PacketId::new(0, number));
            let datagram = TextDatagram {
                key,
                direction,
                mark,
                bytes: &bytes,
                length: bytes.len(),
                fingerprint: number,
                identity: 0,
            };
            datagrams.push(&datagram).into_iter().flatten().for_each(|signal| collector.add(signal));
        }
        rest = tail;
    }
    drop(collector.finish());
});
