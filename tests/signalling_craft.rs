//! Signalling connections put together by hand: however their bytes come, the same is found in them, and memory is
//! bounded.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod conversation;

use std::io::Write;

use flate2::{Compress, Compression, FlushCompress, write::GzEncoder};
use proptest::prelude::*;
use rtcscope::{
    flow::{
        key::{FlowKey, Transport},
        signalling::{Collector, Content, TEXT_BYTES, Via},
        tcp::{Connections, Segment},
    },
    time::{PacketId, Timestamp},
    wire::{Endpoint, TcpHeader},
};

use crate::conversation::{
    CANDIDATE, SDP, Turns, Wire, answer, candidate, deflated, found, frame, offer, opened, survives_the_network, words,
};

fn websocket() -> Turns {
    let mut turns = opened("");
    let offer = offer();
    let (one, two) = offer.as_bytes().split_at(60);
    // Fragmented, with a ping between (RFC 6455 section 5.4).
    turns.push((0, [frame(0, 0x01, one), frame(0, 0x89, b"hi"), frame(0, 0x80, two)].concat()));
    turns.push((1, [frame(1, 0x8a, b"hi"), frame(1, 0x81, answer().as_bytes())].concat()));
    turns.push((0, frame(0, 0x81, candidate().as_bytes())));
    turns.push((0, frame(0, 0x88, &[3, 0xe8])));
    turns
}

#[test]
fn a_websocket() {
    let found = found(&websocket());
    assert_eq!(words(&found), ["opened /ws?room=7&token=***", "offer", "answer", "\"0\" Some(0)", "closed Some(1000)"]);
    let Content::Description(offer) = &found[1] else { panic!() };
    assert_eq!(offer.context.keys, [("from".to_owned(), "alice".to_owned())]);
    assert_eq!(offer.context.resource.as_deref(), Some("/ws?room=7&token=***"));
    survives_the_network(&websocket());
}

#[test]
fn a_compressed_websocket() {
    for (extensions, keeps) in [("permessage-deflate", true), ("permessage-deflate; client_no_context_takeover", false)]
    {
        let mut turns = opened(&format!("Sec-WebSocket-Extensions: {extensions}\r\n"));
        let mut compress = Compress::new(Compression::default(), false);
        for text in [offer(), candidate(), offer()] {
            let bytes = deflated(&mut compress, &text);
            if !keeps {
                compress.reset();
            }
            let (one, two) = bytes.split_at(10);
            turns.push((0, [frame(0, 0x41, one), frame(0, 0x80, two)].concat()));
        }
        // A message that is not compressed may be among them.
        turns.push((1, frame(1, 0x81, answer().as_bytes())));
        assert_eq!(words(&found(&turns))[1..], ["offer", "\"0\" Some(0)", "offer", "answer"]);
        survives_the_network(&turns);
    }
}

/// RFC 7692 section 7.2.3.2: the two messages "Hello" with a shared window; no SDP, and no harm.
#[test]
fn the_examples_of_rfc_7692() {
    let mut turns = opened("Sec-WebSocket-Extensions: permessage-deflate\r\n");
    turns.push((1, vec![0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]));
    turns.push((1, vec![0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00]));
    turns.push((1, frame(1, 0x81, answer().as_bytes())));
    let mut wire = Wire::new();
    turns.iter().for_each(|(direction, bytes)| wire.say(*direction, bytes));
    assert_eq!(wire.connections.missing().unreadable, 0);
    assert_eq!(words(&wire.end())[1..], ["answer"]);
}

/// Joined in its middle, from each message on; nothing is found in a text that only looks a little like one.
#[test]
fn a_websocket_in_its_middle() {
    let turns = websocket();
    assert_eq!(words(&found(&turns[3..].to_vec())), ["answer", "\"0\" Some(0)", "closed Some(1000)"]);
    assert_eq!(words(&found(&turns[4..].to_vec())), ["\"0\" Some(0)", "closed Some(1000)"]);
    let mut compress = Compress::new(Compression::default(), false);
    let whole = frame(1, 0xc1, &deflated(&mut compress, &answer()));
    assert_eq!(words(&found(&vec![(1, whole)])), ["answer"]);
    for noise in [&b"\x81\x05hello"[..], b"\x81\x0a{\"a\":1,,,}", b"\xc1\x05\xff\xff\xff\xff\xff"] {
        assert!(found(&vec![(1, noise.to_vec())]).is_empty());
    }
}

/// A segment in the middle of a frame is not captured: that message is missing, all others are there.
#[test]
fn a_websocket_with_a_hole() {
    let long = serde_json::json!({ "type": "offer", "sdp": SDP, "pad": "x".repeat(5000) }).to_string();
    let mut wire = Wire::new();
    for (direction, bytes) in opened("") {
        wire.say(direction, &bytes);
    }
    let bytes = frame(0, 0x81, long.as_bytes());
    wire.say(0, &bytes[..1000]);
    wire.next[0] = wire.next[0].wrapping_add(1000);
    wire.say(0, &[&bytes[2000..], &frame(0, 0x81, candidate().as_bytes())[..]].concat());
    wire.say(1, &frame(1, 0x81, answer().as_bytes()));
    // A hole that no length leads over: the next segment that is text goes on.
    wire.next[0] = wire.next[0].wrapping_add(1000);
    wire.say(0, &frame(0, 0x81, offer().as_bytes()));
    wire.say(1, &frame(1, 0x81, b"{}"));
    assert_eq!(wire.connections.missing().holes, 2);
    assert_eq!(words(&wire.end())[1..], ["\"0\" Some(0)", "answer", "offer"]);
}

fn whip() -> Turns {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(SDP.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let head = |line: &str, rest: &str| format!("{line}\r\nHost: example.org\r\n{rest}\r\n").into_bytes();
    let (one, two) = SDP.split_at(20);
    let chunked = format!("{:x}\r\n{one}\r\n{:X};a=b\r\n{two}\r\n0\r\nTrailer: x\r\n\r\n", one.len(), two.len());
    let post = [
        head(
            "POST /whip HTTP/1.1",
            "Content-Type: application/sdp\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n",
        ),
        chunked.into_bytes(),
    ];
    let created = [
        head("HTTP/1.1 100 Continue", ""),
        head(
            "HTTP/1.1 201 Created",
            &format!(
                "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\nLocation: /whip/1\r\nETag: \"x\"\r\n\
                Link: <stun:stun.example.net>; rel=\"ice-server\"\r\n\
                Link: <turn:turn.example.net?transport=udp>; rel=\"ice-server\"; username=\"u\"; credential=\"secret\"\r\n\
                Content-Length: {}\r\n",
                packed.len()
            ),
        ),
        packed,
    ];
    // Pipelined: a page that is none of ours, and the end of the session.
    let rest = [head("GET /index.html HTTP/1.1", ""), head("DELETE /whip/1 HTTP/1.1", "")];
    let page = "<html>v=0</html>";
    let replies = [
        head("HTTP/1.1 200 OK", &format!("Content-Type: text/html\r\nContent-Length: {}\r\n", page.len())),
        page.into(),
        head("HTTP/1.1 200 OK", "Content-Length: 0\r\n"),
    ];
    vec![(0, post.concat()), (1, created.concat()), (0, rest.concat()), (1, replies.concat())]
}

#[test]
fn whip_over_http() {
    let found = found(&whip());
    let expected = ["POST /whip", "offer", "201 Some(\"/whip/1\")", "answer", "DELETE /whip/1", "200 None"];
    assert_eq!(words(&found), expected);
    let Content::HttpResponse(created) = &found[2] else { panic!() };
    assert_eq!(created.ice_servers, ["stun:stun.example.net", "turn:turn.example.net?transport=udp"]);
    assert_eq!((created.etag.as_deref(), created.method.as_deref()), (Some("\"x\""), Some("POST")));
    assert!(!format!("{found:?}").contains("secret"));
    let Content::Description(answer) = &found[3] else { panic!() };
    assert_eq!(answer.context.resource.as_deref(), Some("/whip/1"));
    survives_the_network(&whip());
}

/// The body of a response without a length lasts until the connection ends.
#[test]
fn a_body_up_to_the_end() {
    let mut wire = Wire::new();
    wire.say(0, b"GET /poll HTTP/1.0\r\n\r\n");
    wire.say(1, format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}", answer()).as_bytes());
    assert!(wire.signals.is_empty());
    let end = wire.next[1];
    wire.segment(1, end, &[], TcpHeader::FIN);
    assert_eq!(words(&wire.end()), ["200 None", "answer"]);
}

fn sip() -> Turns {
    let head = |line: &str, cseq: &str, kind: &str, length: usize| {
        format!(
            "{line}\r\nv: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK776\r\nf: \"A;B\" <sip:a@example.org>\r\n ;tag=88\r\n\
            To: <sip:b@example.org>\r\ni: 7@example.org\r\nCSeq: {cseq}\r\nContent-Type: {kind}\r\nl: {length}\r\n\r\n"
        )
    };
    let body = format!(
        "--b1\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b1--\r\n"
    );
    let invite = head("INVITE sip:b@example.org SIP/2.0", "1 INVITE", "multipart/mixed;boundary=\"b1\"", body.len());
    let ok = head("SIP/2.0 200 OK", "1 INVITE", "application/sdp", SDP.len());
    let empty = head("INVITE sip:b@example.org SIP/2.0", "2 INVITE", "application/sdp", 0);
    let late = head("SIP/2.0 200 OK", "2 INVITE", "application/sdp", SDP.len());
    let ack = head("ACK sip:b@example.org SIP/2.0", "2 ACK", "application/sdp", SDP.len());
    vec![
        (0, format!("{invite}{body}\r\n\r\n").into_bytes()),
        (1, format!("\r\n{ok}{SDP}").into_bytes()),
        (0, empty.into_bytes()),
        (1, format!("{late}{SDP}").into_bytes()),
        (0, format!("{ack}{SDP}").into_bytes()),
    ]
}

/// The second INVITE makes no offer, so the response does (RFC 3264 section 4).
#[test]
fn sip_over_tcp() {
    let found = found(&sip());
    let expected = ["INVITE", "offer", "200", "answer", "INVITE", "200", "offer", "ACK", "answer"];
    assert_eq!(words(&found), expected);
    let Content::SipRequest(invite) = &found[0] else { panic!() };
    assert_eq!((invite.dialog.call_id.as_str(), invite.dialog.from_tag.as_deref()), ("7@example.org", Some("88")));
    assert_eq!((invite.dialog.cseq, invite.dialog.branch.as_deref()), (Some(1), Some("z9hG4bK776")));
    survives_the_network(&sip());
}

#[test]
fn sip_over_websocket() {
    let mut turns = opened("Sec-WebSocket-Protocol: sip\r\n");
    turns.extend(
        sip().into_iter().map(|(direction, bytes)| (direction, frame(direction, 0x81, bytes.trim_ascii_start()))),
    );
    let mut wire = Wire::new();
    turns.iter().for_each(|(direction, bytes)| wire.say(*direction, bytes));
    assert!(wire.signals[1..].iter().all(|signal| signal.via == Via::SipWebSocket));
    assert_eq!(words(&wire.end())[1..].len(), 9);
}

#[test]
fn rtsp_with_interleaved_rtp() {
    let rtp = [&[0x80, 0, 0, 1][..], &[7; 20]].concat();
    let interleaved = [&[b'$', 0, 0, 24][..], &rtp].concat();
    let describe = format!(
        "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    );
    let turns = vec![
        (0, b"DESCRIBE rtsp://user:pass@example.org/a RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec()),
        (1, describe.into_bytes()),
        (
            0,
            b"SETUP rtsp://example.org/a/1 RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
                .to_vec(),
        ),
        (1, [&b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 5;timeout=60\r\n\r\n"[..], &interleaved, &interleaved].concat()),
    ];
    let found = found(&turns);
    assert_eq!(words(&found), ["DESCRIBE", "200 DESCRIBE", "description", "SETUP", "200 SETUP"]);
    assert!(!format!("{found:?}").contains("pass"));
    survives_the_network(&turns);
    for size in [1, 5, 28, 1000] {
        let mut wire = Wire::new();
        for (direction, bytes) in &turns {
            bytes.chunks(size).for_each(|chunk| wire.say(*direction, chunk));
        }
        assert_eq!(wire.datagrams, [rtp.clone(), rtp.clone()]);
    }
}

/// The shapes that libraries send, each a message of a WebSocket.
#[test]
fn shapes_of_json() {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let (sdp, line) = (quoted(SDP), quoted(CANDIDATE));
    let shapes = [
        (SDP.to_owned(), vec!["description"]),
        (format!("{{\"sdp\":{{\"type\":\"offer\",\"sdp\":{sdp}}}}}"), vec!["offer"]),
        (format!("42[\"offer\",{{\"sdp\":{sdp}}}]"), vec!["offer"]),
        (format!("42/ns,7[\"message\",{{\"type\":\"answer\",\"sdp\":{sdp}}}]"), vec!["answer"]),
        (format!("a[{}]", quoted(&offer())), vec!["offer"]),
        (format!("{{\"data\":{}}}", quoted(&offer())), vec!["offer"]),
        (quoted(&quoted(&offer())), vec!["offer"]),
        (format!("{{\"janus\":\"message\",\"jsep\":{{\"type\":\"offer\",\"sdp\":{sdp}}}}}"), vec!["offer"]),
        ("{\"janus\":\"trickle\",\"candidate\":{\"completed\":true}}".to_owned(), vec!["end"]),
        (
            format!("{{\"type\":\"m.call.invite\",\"content\":{{\"offer\":{{\"type\":\"offer\",\"sdp\":{sdp}}}}}}}"),
            vec!["offer"],
        ),
        (format!("{{\"event\":\"video-answer\",\"sdp\":{sdp}}}"), vec!["answer"]),
        (format!("{{\"sdpAnswer\":{sdp}}}"), vec!["answer"]),
        (format!("{}\u{1e}{}\u{1e}", offer(), answer()), vec!["offer", "answer"]),
        (format!("SEND\ndestination:/call\n\n{}\0", offer()), vec!["offer"]),
        (format!("{{\"candidate\":{line},\"id\":\"a\",\"label\":1,\"type\":\"candidate\"}}"), vec!["\"a\" Some(1)"]),
        (format!("{{\"sdp\":{line},\"sdpMid\":\"0\",\"sdpMLineIndex\":2}}"), vec!["\"0\" Some(2)"]),
        (
            format!("{{\"candidates\":[{line},{{\"candidate\":{line},\"sdpMid\":\"1\"}}]}}"),
            vec!["\"-\" None", "\"1\" None"],
        ),
        (format!("{{\"ice\":{}}}", quoted(&format!("a={CANDIDATE}\r\na={CANDIDATE}\r\n"))), vec!["\"-\" None"; 2]),
        ("{\"type\":\"candidate\",\"candidate\":null}".to_owned(), vec!["end"]),
        ("{\"candidate\":\"\",\"sdpMid\":\"0\"}".to_owned(), vec!["end"]),
        ("{\"type\":\"rollback\"}".to_owned(), vec!["rollback"]),
        (offer().replace("v=0", "v\\u003d0"), vec!["offer"]),
        ("{\"candidate\":null,\"vote\":\"sdp\"}".to_owned(), vec![]),
        ("{\"v\":\"v=0 is the version of sdp\"}".to_owned(), vec![]),
    ];
    for (text, expected) in shapes {
        let mut turns = opened("");
        turns.push((0, frame(0, 0x81, text.as_bytes())));
        assert_eq!(words(&found(&turns))[1..], expected, "{text}");
    }
}

/// 100 MB in messages of up to 2 MB, compressed and not: what is held stays small, and what comes after is read.
#[test]
fn a_websocket_of_a_hundred_megabytes() {
    let mut wire = Wire::new();
    for (direction, bytes) in opened("Sec-WebSocket-Extensions: permessage-deflate\r\n") {
        wire.say(direction, &bytes);
    }
    let block = vec![b'a'; 60_000];
    for _ in 0..48 {
        let head = frame(1, 0x82, &vec![0; 2 << 20]);
        wire.say(1, &head[..10]);
        for _ in 0..(2 << 20) / block.len() {
            wire.say(1, &block);
        }
        wire.say(1, &block[..(2 << 20) % block.len()]);
        assert!(wire.connections.held_bytes() <= 2 << 20, "{} bytes held", wire.connections.held_bytes());
    }
    let missing = wire.connections.missing();
    assert_eq!((missing.oversized, missing.unreadable), (48, 0));
    // A message that inflates to a thousand times its size.
    let mut compress = Compress::new(Compression::fast(), false);
    let mut bomb = Vec::with_capacity(1 << 20);
    compress.compress_vec(&vec![b' '; 20 << 20], &mut bomb, FlushCompress::Sync).unwrap();
    wire.say(1, &frame(1, 0xc1, &bomb[..bomb.len().min(60_000)]));
    wire.say(1, &frame(1, 0x81, answer().as_bytes()));
    assert!(wire.connections.held_bytes() <= 2 << 20);
    assert_eq!(words(&wire.end())[1..], ["answer"]);
}

/// New connections find a place, and what is held does not grow.
#[test]
fn a_million_connections() {
    let mut connections = Connections::default();
    let mut found = 0;
    let request = format!(
        "POST /offer HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        offer().len(),
        offer()
    );
    for number in 0..1_000_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let source = Endpoint::v4([10, a, b, c], 40000);
        let (key, direction) = FlowKey::new(source, Endpoint::v4([192, 0, 2, 2], 80), Transport::Tcp);
        let mark = (Timestamp(i64::from(number) * 1000), PacketId::new(0, u64::from(number) + 1));
        let header = TcpHeader { sequence: 0, acknowledgment: 0, flags: TcpHeader::SYN, window: 0 };
        connections.push(key, &Segment { mark, direction, header, payload: &[], length: 0 });
        let payload = match number % 1000 {
            0 => request.as_bytes(),
            1..500 => b"\x00\x01binary of another kind",
            _ => &[],
        };
        if !payload.is_empty() {
            let header = TcpHeader { sequence: 1, flags: TcpHeader::ACK, ..header };
            let segment = Segment { mark, direction, header, payload, length: payload.len() };
            found += connections.push(key, &segment).signals.len();
        }
    }
    assert_eq!((found, connections.refused()), (2000, 0));
    assert!(connections.held_bytes() < 8 << 20, "{} bytes held", connections.held_bytes());
}

#[test]
fn signals_are_kept_up_to_a_cap() {
    let signals = {
        let mut wire = Wire::new();
        websocket().iter().for_each(|(direction, bytes)| wire.say(*direction, bytes));
        wire.signals
    };
    let mut collector = Collector::default();
    for _ in 0..1_000_000 {
        collector.add(signals[1].clone());
    }
    let kept = collector.finish();
    let bytes: usize = kept.signals.iter().map(|signal| signal.content.text_bytes()).sum();
    assert!(bytes <= TEXT_BYTES);
    assert_eq!(kept.signals.len() as u64 + kept.missing.refused, 1_000_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever comes, in whatever order and however damaged: no panic, and memory is bounded.
    #[test]
    fn any_bytes(pick in 0_usize..5, changes in prop::collection::vec((any::<u16>(), any::<u8>()), 0..20),
        cuts in prop::collection::vec((0_usize..2000, 0_usize..300, 0_usize..2), 0..40), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let turns = match pick { 0 => websocket(), 1 => whip(), 2 => sip(), 3 => vec![(0, noise)], _ => {
            let mut turns = opened("Sec-WebSocket-Extensions: permessage-deflate\r\n");
            turns.push((0, frame(0, 0xc1, &noise)));
            turns
        } };
        let mut wire = Wire::new();
        for (index, (direction, mut bytes)) in turns.into_iter().enumerate() {
            for (at, value) in changes.iter().filter(|(at, _)| usize::from(*at) % 4 == index % 4) {
                let length = bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(usize::from(*at) % length) { *byte = *value; }
            }
            for (start, length, direction) in &cuts {
                if let Some(piece) = bytes.get(*start..(*start + *length).min(bytes.len())) {
                    let sequence = wire.next[*direction].wrapping_add(*start as u32);
                    wire.segment(*direction, sequence, piece, 0);
                }
            }
            wire.say(direction, &bytes);
        }
        prop_assert!(wire.connections.held_bytes() < 1 << 20);
        wire.end();
    }
}
