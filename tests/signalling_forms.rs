//! Forms that signalling takes beside the usual ones: server-sent events, Base64, protocol buffers, sessions that go on
//! over another connection, compressed WebSockets that the capture joins late; and what is named and not read.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod analysis;
mod conversation;
mod craft;

use std::io::Write;

use flate2::{
    Compress, Compression,
    write::{GzEncoder, ZlibEncoder},
};
use rtcscope::{flow::signalling::Content, wire::TcpHeader};

use crate::{
    conversation::{
        SDP, Turns, Wire, answer, candidate, deflated, found, frame, offer, opened, survives_the_network, words,
    },
    craft::{Random, Writer, tcp},
};

fn head(line: &str, fields: &str) -> Vec<u8> {
    format!("{line}\r\nHost: example.org\r\n{fields}\r\n").into_bytes()
}

fn chunk(bytes: &str) -> String {
    format!("{:x}\r\n{bytes}\r\n", bytes.len())
}

fn stream() -> Turns {
    let lines: String = SDP.lines().map(|line| format!("data: {line}\n")).collect();
    let candidate = candidate();
    let (first, second) = candidate.split_at(40);
    let second_half = format!("{second}\n\n");
    let events = [
        ": hello\n\n".to_owned(),
        format!("event: message\ndata: {}\n\n", offer()),
        // An event in two chunks, and one in the lines of which its text is.
        format!("data: {first}"),
        format!("{second_half}event: answer\n{lines}data:\n\n"),
        format!("data: {}\r\n\r\n: still there\r\n\r\n", answer()),
    ];
    let mut turns = vec![
        (0, head("GET /events?room=1 HTTP/1.1", "Accept: text/event-stream\r\n")),
        (1, head("HTTP/1.1 200 OK", "Content-Type: text/event-stream;charset=utf-8\r\nTransfer-Encoding: chunked\r\n")),
    ];
    turns.extend(events.iter().map(|event| (1, chunk(event).into_bytes())));
    turns
}

/// The response goes on: nothing ends it, and all is found in the packet that completes it.
#[test]
fn server_sent_events() {
    let mut wire = Wire::new();
    wire.say_all(&stream());
    let packets: Vec<_> = wire.signals.iter().map(|signal| signal.mark.1.number()).collect();
    assert_eq!(packets, [4, 4, 6, 6, 7]);
    assert!(wire.connections.held_bytes() < 1000, "{} bytes held", wire.connections.held_bytes());
    let found = wire.end();
    assert_eq!(words(&found), ["200 None", "offer", "\"0\" Some(0)", "answer", "answer"]);
    let Content::Description(offer) = &found[1] else { panic!() };
    assert_eq!(offer.context.resource.as_deref(), Some("/events?room=1"));
    survives_the_network(&stream());
}

/// An event that is longer than is looked into is passed over, as is one with a hole.
#[test]
fn events_that_cannot_be_read() {
    let mut wire = Wire::new();
    wire.say_all(&stream()[..2].to_vec());
    wire.say(1, chunk(&format!("data: {}\n\n", offer())).as_bytes());
    for _ in 0..200 {
        wire.say(1, chunk(&"x".repeat(10_000)).as_bytes());
        assert!(wire.connections.held_bytes() < 3 << 20, "{} bytes held", wire.connections.held_bytes());
    }
    assert_eq!(wire.connections.missing().oversized, 1);
    assert!(wire.connections.held_bytes() < 1000, "{} bytes held", wire.connections.held_bytes());
    wire.say(1, chunk(&format!("\n\ndata: {}\n\n", answer())).as_bytes());
    let long = chunk(&format!("data: {}\n\ndata: {}\n\n", offer().replace("alice", &"x".repeat(2000)), answer()));
    wire.say(1, &long.as_bytes()[..500]);
    wire.next[1] = wire.next[1].wrapping_add(500);
    wire.say(1, &long.as_bytes()[1000..]);
    wire.say(0, b"\r\n");
    assert_eq!(wire.connections.missing().holes, 1);
    assert_eq!(words(&wire.end()), ["200 None", "offer", "answer", "answer"]);
}

/// A JSON object a line, in a response that goes on.
#[test]
fn lines_of_json() {
    let mut wire = Wire::new();
    let fields = "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n";
    wire.say(0, &head("GET /feed HTTP/1.1", ""));
    wire.say(1, &head("HTTP/1.1 200 OK", fields));
    wire.say(1, chunk(&format!("{}\n{}\n", offer(), candidate())).as_bytes());
    wire.say(1, chunk(&answer()).as_bytes());
    assert_eq!(wire.signals.len(), 3);
    wire.say(1, b"0\r\n\r\n");
    assert_eq!(words(&wire.end()), ["200 None", "offer", "\"0\" Some(0)", "answer"]);
}

/// RFC 4648 by another implementation: `SDP`, and `{"type":"offer","sdp":SDP}`.
const ENCODED: &str =
    "dj0wDQpvPS0gMSAxIElOIElQNCAxOTIuMC4yLjENCnM9LQ0KdD0wIDANCm09YXVkaW8gOSBVRFAvVExTL1JUUC9TQVZQRiAxMTENCg==";
const ENCODED_JSON: &str = "eyJ0eXBlIjoib2ZmZXIiLCJzZHAiOiJ2PTBcclxubz0tIDEgMSBJTiBJUDQgMTkyLjAuMi4xXHJcbnM9LVxyXG50PTAgMFxyXG5tPWF1\
    ZGlvIDkgVURQL1RMUy9SVFAvU0FWUEYgMTExXHJcbiJ9";

#[test]
fn descriptions_in_base64() {
    let shapes = [
        (ENCODED.to_owned(), vec!["description"]),
        (ENCODED_JSON.to_owned(), vec!["offer"]),
        (format!("{{\"type\":\"answer\",\"sdp\":\"{}\"}}", ENCODED.trim_end_matches('=')), vec!["answer"]),
        (format!("{{\"sd\":\"{ENCODED_JSON}\"}}"), vec!["offer"]),
        // A JSON Web Token is Base64 of JSON too.
        ("{\"token\":\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzZHAifQ.c2ln\",\"sdp\":1}".to_owned(), vec![]),
    ];
    for (text, expected) in shapes {
        let mut turns = opened("");
        turns.push((0, frame(0, 0x81, text.as_bytes())));
        assert_eq!(words(&found(&turns))[1..], expected, "{text}");
    }
    let body =
        [head("POST /sdp HTTP/1.1", &format!("Content-Length: {}\r\n", ENCODED_JSON.len())), ENCODED_JSON.into()];
    assert_eq!(words(&found(&vec![(0, body.concat())])), ["POST /sdp", "offer"]);
}

/// A field of a protocol buffer: its number, a length of two bytes, and content.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    assert!(length < 1 << 14);
    let head = match length {
        0..=127 => vec![number << 3 | 2, length as u8],
        _ => vec![number << 3 | 2, length as u8 & 0x7f | 0x80, (length >> 7) as u8],
    };
    [&head, content].concat()
}

/// What LiveKit's protocol has: `SignalRequest { offer = 1 { type = 1, sdp = 2, id = 3 } }`, `SignalResponse { answer = 2 }`
/// and `{ trickle = 3 { candidateInit = 1, target = 2 } }`.
#[test]
fn descriptions_in_protocol_buffers() {
    let sdp = format!("{SDP}{}", "a=x\r\n".repeat(30));
    let described = |kind: &str| [field(1, kind.as_bytes()), field(2, sdp.as_bytes()), vec![3 << 3, 7]].concat();
    let init =
        r#"{"candidate":"candidate:1 1 udp 2122260223 192.0.2.1 45414 typ host","sdpMid":"0","sdpMLineIndex":0}"#;
    let trickle = [field(1, init.as_bytes()), vec![2 << 3, 1]].concat();
    let (request, response) = (field(1, &described("offer")), field(2, &described("answer")));
    let mut compress = Compress::new(Compression::default(), false);
    let mut packed = Vec::with_capacity(4096);
    compress.compress_vec(&request, &mut packed, flate2::FlushCompress::Sync).unwrap();
    let mut turns = opened("Sec-WebSocket-Extensions: permessage-deflate\r\n");
    turns.push((0, frame(0, 0x82, &request)));
    turns.push((0, frame(0, 0xc2, &packed[..packed.len() - 4])));
    turns.push((1, frame(1, 0x82, &response)));
    turns.push((1, frame(1, 0x82, &field(3, &trickle))));
    // No protocol buffer, and one that is cut short.
    turns.push((1, frame(1, 0x82, &[&[0xff, 0xfe][..], SDP.as_bytes()].concat())));
    turns.push((1, frame(1, 0x82, &response[..response.len() - 9])));
    let found = found(&turns);
    let kinds: Vec<_> = found
        .iter()
        .filter_map(|content| match content {
            Content::Description(said) => Some((said.kind.unwrap().name(), said.sdp == sdp)),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [("offer", true), ("offer", true), ("answer", true)]);
    assert_eq!(words(&found[4..]), ["\"0\" Some(0)"]);
    survives_the_network(&turns);
}

fn whip() -> Turns {
    let post = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", SDP.len());
    let created = format!("{post}Location: https://example.org/whip/live/1?k=2\r\n");
    let posted = [head("POST /whip/live HTTP/1.1", &post), SDP.into()].concat();
    vec![(0, posted), (1, [head("HTTP/1.1 201 Created", &created), SDP.into()].concat())]
}

/// The end of a session, and candidates of it, come over other connections than its start.
#[test]
fn a_session_over_several_connections() {
    let fragment = "a=ice-ufrag:EsAw\r\n";
    let patch = format!("Content-Type: application/trickle-ice-sdpfrag\r\nContent-Length: {}\r\n", fragment.len());
    let mut wire = Wire::new();
    wire.say_all(&whip());
    wire.reconnect();
    wire.say(0, &[head("PATCH /whip/live/1?k=2 HTTP/1.1", &patch), fragment.into()].concat());
    wire.say(1, &head("HTTP/1.1 204 No Content", ""));
    wire.reconnect();
    wire.say(0, &head("DELETE /whip/live/1?k=2 HTTP/1.1", ""));
    wire.say(1, &head("HTTP/1.1 404 Not Found", "Content-Length: 0\r\n"));
    // Another resource, the same path of another host, and the root.
    wire.say(0, &head("DELETE /whip/live/2?k=2 HTTP/1.1", ""));
    wire.say(1, &head("HTTP/1.1 200 OK", "Content-Length: 0\r\n"));
    wire.say(0, b"DELETE /whip/live/1?k=2 HTTP/1.1\r\nHost: other.example\r\n\r\n");
    wire.say(1, &head("HTTP/1.1 200 OK", "Content-Length: 0\r\n"));
    wire.say(0, &head("DELETE / HTTP/1.1", ""));
    let connections: Vec<_> = wire.signals.iter().map(|signal| signal.connection).collect();
    assert_eq!(connections, [1, 1, 1, 1, 2, 2, 2, 3, 3]);
    let found = wire.end();
    assert_eq!(words(&found[..3]), ["POST /whip/live", "offer", "201 Some(\"https://example.org/whip/live/1?k=2\")"]);
    let Content::Description(said) = &found[5] else { panic!() };
    assert_eq!((said.kind.unwrap().name(), said.sdp.as_str()), ("fragment", fragment));
    assert_eq!(words(&found[6..]), ["204 None", "DELETE /whip/live/1?k=2", "404 None"]);
    let Content::HttpResponse(gone) = &found[8] else { panic!() };
    assert_eq!(gone.target.as_deref(), Some("/whip/live/1?k=2"));
}

/// Bodies in gzip and deflate, with its header or without, are read; those in Brotli or Zstandard are counted.
#[test]
fn codings_of_http() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(offer().as_bytes()).unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(offer().as_bytes()).unwrap();
    let zlib = zlib.finish().unwrap();
    let raw = zlib[2..zlib.len() - 4].to_vec();
    let bodies = [
        ("gzip", gzip.finish().unwrap(), 1),
        ("deflate", zlib, 1),
        ("Deflate", raw, 1),
        ("br", vec![1, 2], 0),
        ("zstd", vec![3], 0),
    ];
    for (coding, body, count) in bodies {
        let fields = format!(
            "Content-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n",
            body.len()
        );
        let mut wire = Wire::new();
        wire.say(0, &head("GET /offer HTTP/1.1", ""));
        wire.say(1, &[head("HTTP/1.1 200 OK", &fields), body].concat());
        let missing = wire.connections.missing();
        assert_eq!((missing.coded, missing.unreadable), (1 - count, 0), "{coding}");
        assert_eq!(words(&wire.end()).len() as u64, 2 * count, "{coding}");
    }
    // No body, and one that is of no interest.
    let mut wire = Wire::new();
    wire.say(0, &[head("HEAD / HTTP/1.1", ""), head("GET / HTTP/1.1", "")].concat());
    wire.say(1, &head("HTTP/1.1 200 OK", "Content-Type: application/json\r\nContent-Encoding: br\r\n"));
    wire.say(1, &head("HTTP/1.1 200 OK", "Content-Type: text/css\r\nContent-Encoding: br\r\nContent-Length: 9\r\n"));
    assert_eq!(wire.connections.missing().coded, 0);
}

/// What a connection is recognised as that is named and not read.
#[test]
fn protocols_that_are_named() {
    let upgrade = head(
        "GET / HTTP/1.1",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    );
    let switching = head("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade\r\nUpgrade: h2c\r\n");
    let cases: [(&str, Turns); 7] = [
        // RFC 9113 section 3.4, and of RFC 7540 section 3.2.
        ("http2", vec![(0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec())]),
        ("http2", vec![(0, upgrade), (1, switching)]),
        // RFC 6120 section 4.2.
        ("xmpp", vec![(0, b"<?xml version='1.0'?>\n<stream:stream to='im.example.com' version='1.0'>".to_vec())]),
        ("xmpp", vec![(0, b"<stream:stream to='im.example.com' version='1.0'>".to_vec())]),
        // MQTT 3.1.1 section 3.1.2, MQTT 3.1.
        ("mqtt", vec![(0, b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03abc".to_vec())]),
        ("mqtt", vec![(0, b"\x10\x91\x01\0\x06MQIsdp\x03\x02\0\x3c\0\x03abc".to_vec())]),
        ("tls", vec![(1, vec![22, 3, 3, 0, 5, 2, 0, 0, 1, 0])]),
    ];
    for (label, turns) in cases {
        for size in [1, 3, 1000] {
            let mut wire = Wire::new();
            for (direction, bytes) in &turns {
                bytes.chunks(size).for_each(|chunk| wire.say(*direction, chunk));
            }
            assert_eq!(wire.labels.last(), Some(&label), "{turns:?} in pieces of {size}");
            assert!(wire.end().is_empty(), "{label}");
        }
    }
    for noise in
        [&b"<?xml version='1.0'?><html>"[..], b"<stream>", b"\x10\x0f\0\x04MQTX....", b"\x10\xff\xff\xff\xff\xff"]
    {
        let mut wire = Wire::new();
        wire.say(0, noise);
        assert!(wire.labels.is_empty(), "{noise:?}");
    }
}

/// XEP-0166, over WebSocket (RFC 7395) and in HTTP (XEP-0124).
#[test]
fn jingle_is_counted() {
    let jingle = "<iq type='set'><jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a73'/></iq>";
    let mut turns = opened("Sec-WebSocket-Protocol: xmpp\r\n");
    turns.push((0, frame(0, 0x81, jingle.as_bytes())));
    turns.push((0, frame(0, 0x81, b"<presence/>")));
    let mut wire = Wire::new();
    wire.say_all(&turns);
    wire.reconnect();
    let fields = format!("Content-Type: text/xml; charset=utf-8\r\nContent-Length: {}\r\n", jingle.len());
    wire.say(0, &[head("POST /http-bind HTTP/1.1", &fields), jingle.into()].concat());
    assert_eq!(wire.connections.missing().jingle, 2);
    assert_eq!(words(&wire.end()).len(), 1);
}

/// Letters that no description has.
fn noise(seed: u64) -> String {
    let mut random = Random(seed);
    (0..200).map(|_| char::from_u32(0x3b1 + random.below(24) as u32).unwrap()).collect()
}

fn compressed(texts: &[String]) -> Vec<Vec<u8>> {
    let mut compress = Compress::new(Compression::default(), false);
    texts.iter().map(|text| frame(1, 0xc1, &deflated(&mut compress, text))).collect()
}

/// Each message refers to those before it. Of those that the capture does not have nothing is known; what refers to none
/// of them is read as it was sent, and all others are counted.
#[test]
fn a_compressed_websocket_in_its_middle() {
    let texts: Vec<_> = (0..40).map(|number| offer().replace("alice", &noise(number))).collect();
    let frames = compressed(&texts);
    assert!(frames.iter().all(|frame| frame.len() >= 130));
    for start in 1..40 {
        let mut wire = Wire::new();
        frames[start..].iter().for_each(|frame| wire.say(1, frame));
        let (unread, label) = (wire.connections.missing().unreadable, wire.labels.last().copied());
        for content in wire.end() {
            let Content::Description(said) = content else { panic!("{content:?}") };
            assert_eq!(said.sdp, SDP);
        }
        assert_eq!(label, Some("websocket"), "from {start}");
        assert!(unread > 0, "from {start}");
    }
    // From its first message on nothing is unknown.
    let mut wire = Wire::new();
    frames.iter().for_each(|frame| wire.say(1, frame));
    assert_eq!((wire.signals.len(), wire.connections.missing().unreadable), (40, 0));
}

/// Messages behind one that could not be read are, once they refer to nothing that is not known.
#[test]
fn compressed_messages_become_readable() {
    let noise = noise(0);
    let opening = format!("[\"{noise}\"]");
    // The second refers to the first; the third has an SDP that neither has; the fourth refers to the third alone.
    let second = format!("[1,\"{noise}{}\"]", noise.chars().rev().collect::<String>());
    let frames = compressed(&[opening, second, offer(), offer()]);
    let mut wire = Wire::new();
    frames[1..].iter().for_each(|frame| wire.say(1, frame));
    assert_eq!(wire.labels, ["websocket"]);
    assert_eq!(wire.connections.missing().unreadable, 1);
    assert_eq!(words(&wire.end()), ["offer", "offer"]);
}

/// With a hole in it, a message that does not end is missing, and what refers to it is not read as something else.
#[test]
fn a_compressed_websocket_with_a_hole() {
    let mut turns = opened("Sec-WebSocket-Extensions: permessage-deflate\r\n");
    let long: String = (0..2000_u32).map(|index| format!("{index:x}")).collect();
    let frames = compressed(&[offer(), format!("{{\"type\":\"x\",\"pad\":\"{long}\"}}"), offer(), answer()]);
    turns.push((1, frames[0].clone()));
    let mut wire = Wire::new();
    wire.say_all(&turns);
    wire.say(1, &frames[1][..200]);
    wire.next[1] = wire.next[1].wrapping_add(300);
    wire.say(1, &frames[1][500..]);
    wire.say(1, &frames[2]);
    wire.segment(0, 0, &[], TcpHeader::ACK);
    wire.say(1, &frame(1, 0x81, answer().as_bytes()));
    let missing = wire.connections.missing();
    assert_eq!((missing.holes, missing.unreadable), (1, 1));
    assert_eq!(words(&wire.end())[1..], ["offer", "answer"]);
}

/// The protocols of a capture of connections, and what it says of signalling that could not be read.
fn reported(connections: &[Turns]) -> (Vec<String>, Vec<String>) {
    let mut writer = Writer::raw();
    let mut nanos = 0;
    for (number, turns) in connections.iter().enumerate() {
        let (client, server) = (([192, 0, 2, 1], 40000 + number as u16), ([192, 0, 2, 2], 80));
        let mut sequences = [1_u32, 1];
        for (direction, bytes) in turns {
            let (source, destination) = if *direction == 0 { (client, server) } else { (server, client) };
            writer.packet(nanos, &tcp(source, destination, sequences[*direction], bytes));
            sequences[*direction] += bytes.len() as u32;
            nanos += 1_000_000;
        }
    }
    let report = analysis::json(&analysis::report(writer.bytes).unwrap());
    let of = |list: &str, name: &str| -> Vec<(String, String)> {
        let entries = report[list].as_array().unwrap().iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        entries.map(|entry| (text(&entry["rule"]), text(&entry[name]))).collect()
    };
    let protocols = of("otherFlows", "protocol").into_iter().map(|(_, protocol)| protocol).collect();
    let findings = of("findings", "message").into_iter().filter(|(rule, _)| rule == "CAP015");
    (protocols, findings.map(|(_, message)| message).collect())
}

#[test]
fn what_cannot_be_read_is_told() {
    let fields = "Content-Type: application/json\r\nContent-Encoding: br\r\nContent-Length: 2\r\n";
    let coded =
        vec![(0, head("GET /offer HTTP/1.1", "")), (1, [head("HTTP/1.1 200 OK", fields), b"ab".to_vec()].concat())];
    let mut opening = opened("");
    opening.push((0, frame(0, 0x81, offer().as_bytes())));
    let (_, told) = reported(&[opening, coded.clone()]);
    let expected = "Not all messages of signalling connections could be read: 1 HTTP message in a coding that is not read \
        (br, zstd)";
    assert_eq!(told, [expected]);
    // Alone it is nobody's concern; a WebSocket that cannot be read may be all that there is.
    assert_eq!(reported(&[coded]).1, Vec::<String>::new());
    let texts: Vec<_> = (0..3).map(|number| offer().replace("alice", &noise(number))).collect();
    let late = compressed(&texts)[1..].iter().map(|bytes| (1, bytes.clone())).collect();
    let http2 = vec![(0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec())];
    let (mut protocols, told) = reported(&[late, http2]);
    protocols.sort();
    assert_eq!(protocols, ["http2", "websocket"]);
    assert_eq!(
        told,
        ["Not all messages of signalling connections could be read: 2 messages that could not be decoded"]
    );
}
