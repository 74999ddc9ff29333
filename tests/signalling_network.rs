//! Signalling as networks and captures do to it: fragments, segments in every order and size, cut packets; and what is
//! sent to use up memory and time.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod analysis;
mod conversation;
mod craft;

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

use flate2::{Compress, Compression, FlushCompress};
use rtcscope::{
    capture::{Capture, Options},
    engine::{self, Config},
    flow::signalling::{Content, Signalling, Via},
    wire::TcpHeader,
};

use crate::{
    conversation::{CANDIDATE, SDP, Wire, answer, candidate, frame, offer, opened, words},
    craft::{Address, UDP, Writer, fragment, tcp, udp, udp_datagram},
};

const CALLER: Address = ([192, 0, 2, 1], 5060);
const CALLEE: Address = ([192, 0, 2, 2], 5060);

/// Debug builds on a machine with other work: what is quadratic takes far longer.
const LONGEST: Duration = Duration::from_secs(30);

/// What each connection may hold of what is held in all (64 MiB), and what the last segment brought.
const HELD_BYTES: usize = 66 << 20;

fn signalling(packets: &[Vec<u8>]) -> Signalling {
    let mut writer = Writer::raw();
    for (index, packet) in packets.iter().enumerate() {
        writer.packet(index as i64 * 1_000_000, packet);
    }
    let mut capture =
        Capture::from_reader("capture", Box::new(Cursor::new(writer.bytes)), &Options::default()).unwrap();
    engine::analyze(&mut capture, Config::new(1), |_| {}).unwrap().signalling
}

fn contents(signalling: Signalling) -> Vec<Content> {
    signalling.signals.into_iter().map(|signal| signal.content).collect()
}

/// An INVITE in the compact forms of RFC 3261 section 7.3.3, with a description of over 3,000 bytes.
fn invite(body: &str) -> Vec<u8> {
    format!(
        "INVITE sip:bob@biloxi.example.com SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKnashds8\r\nMax-Forwards: 70\r\n\
        t: Bob <sip:bob@biloxi.example.com>\r\nf: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
        i: a84b4c76e66710\r\nCSeq: 314159 INVITE\r\nm: <sip:alice@192.0.2.1>\r\nk: 100rel\r\ns: Tuesday\r\n\
        c: application/sdp\r\nl: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn long_sdp() -> String {
    format!("{SDP}{}", "a=rtpmap:111 opus/48000/2\r\n".repeat(120))
}

/// The pieces of a UDP datagram on a link of 1,500 bytes.
fn fragments(identification: u16, payload: &[u8]) -> Vec<Vec<u8>> {
    const PIECE: usize = 1480;
    let datagram = udp_datagram(CALLER.1, CALLEE.1, payload);
    let last = (datagram.len() - 1) / PIECE;
    let piece = |(index, piece): (usize, &[u8])| {
        let more = if index < last { 0x2000 } else { 0 };
        fragment(UDP, CALLER.0, CALLEE.0, identification, more | (index * PIECE / 8) as u16, piece)
    };
    datagram.chunks(PIECE).enumerate().map(piece).collect()
}

#[test]
fn sip_in_fragments() {
    let sdp = long_sdp();
    let pieces = fragments(7, &invite(&sdp));
    assert_eq!(pieces.len(), 3);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let found = contents(signalling(&order.map(|index| pieces[index].clone())));
        let [Content::SipRequest(request), Content::Description(said)] = &found[..] else { panic!("{found:?}") };
        assert_eq!((request.method.as_str(), request.contact.as_deref()), ("INVITE", Some("<sip:alice@192.0.2.1>")));
        assert_eq!((request.dialog.call_id.as_str(), request.dialog.cseq), ("a84b4c76e66710", Some(314_159)));
        assert_eq!((request.dialog.from_tag.as_deref(), &request.dialog.to_tag), (Some("1928301774"), &None));
        assert_eq!(request.dialog.branch.as_deref(), Some("z9hG4bKnashds8"));
        assert_eq!(said.sdp, sdp);
    }
    // Without its middle nothing of it is taken for a description.
    let found = contents(signalling(&[pieces[0].clone(), pieces[2].clone()]));
    assert!(!found.iter().any(|content| matches!(content, Content::Description(_))), "{found:?}");
}

/// What a capture of 96 bytes a packet has of SIP: of UDP the head as far as it goes, of TCP what is whole.
#[test]
fn sip_in_cut_packets() {
    let sdp = long_sdp();
    let mut writer = Writer::raw();
    let packet = udp(CALLER, CALLEE, &invite(&sdp)[..1200]);
    writer.snapped(0, &packet[..96], packet.len() as u32);
    let mut capture =
        Capture::from_reader("capture", Box::new(Cursor::new(writer.bytes)), &Options::default()).unwrap();
    let found = contents(engine::analyze(&mut capture, Config::new(1), |_| {}).unwrap().signalling);
    let [Content::SipRequest(request)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((request.method.as_str(), request.uri.as_str()), ("INVITE", "sip:bob@biloxi.example.com"));

    let mut wire = Wire::new();
    let invite = invite(&sdp);
    for chunk in invite.chunks(1000) {
        let start = wire.next[0];
        wire.snapped(0, start, chunk, 56, 0);
        wire.next[0] = start.wrapping_add(chunk.len() as u32);
    }
    let start = wire.next[0];
    wire.segment(0, start, b"BYE sip:b@example.org SIP/2.0\r\ni: 7\r\nl: 0\r\n\r\n", 0);
    let missing = wire.connections.missing();
    assert!(missing.holes > 0);
    let found = wire.end();
    let [Content::SipRequest(request)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((request.method.as_str(), request.dialog.call_id.as_str()), ("BYE", "7"));
}

/// RFC 3261 section 7.4.1, RFC 5621: a description among parts of other types, one of them binary, one of them nested.
#[test]
fn sip_with_several_bodies() {
    let sdp = long_sdp();
    let body = format!(
        "preamble\r\n--outer\r\nContent-Type: application/ISUP;base=itu-t92+\r\nContent-Transfer-Encoding: binary\r\n\r\n\
        \u{1}\u{0}\u{49}\r\n--outer\r\nc: multipart/alternative; boundary=inner\r\n\r\n--inner\r\nContent-Type: application/sdp\r\n\
        Content-Disposition: session\r\n\r\n{sdp}\r\n--inner--\r\n\r\n--outer\r\nContent-Type: application/resource-lists+xml\r\n\r\n<a/>\r\n--outer--\r\n"
    );
    let message = format!(
        "INVITE sip:b@example.org SIP/2.0\r\nCall-ID: 7\r\nCSeq: 1 INVITE\r\nContent-Type: multipart/mixed;\r\n boundary=outer\r\n\
        Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let found = contents(signalling(&fragments(1, message.as_bytes())));
    let [Content::SipRequest(_), Content::Description(said)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(said.sdp, sdp);
}

/// Of bytes that come twice and differ, what a receiver had first is what it read.
#[test]
fn overlapping_segments_that_differ() {
    let (said, other) = (offer(), answer());
    assert_ne!(said, other);
    let whole = frame(1, 0x81, said.as_bytes());
    let mut wire = Wire::new();
    wire.say_all(&opened(""));
    let start = wire.next[1];
    wire.segment(1, start, &whole[..70], 0);
    // The same again with other bytes, and more than before with other bytes before it.
    wire.segment(1, start, &[b'x'; 70], 0);
    wire.segment(1, start, &[&[b'x'; 70][..], &whole[70..100]].concat(), 0);
    // Two that wait, of which the second overlaps the first.
    wire.segment(1, start.wrapping_add(110), &whole[110..130], 0);
    wire.segment(1, start.wrapping_add(120), &[&[b'x'; 10][..], &whole[130..]].concat(), 0);
    wire.segment(1, start.wrapping_add(100), &whole[100..110], 0);
    assert_eq!(words(&wire.end())[1..], ["offer"]);
}

/// Segments as network cards hand them on: more bytes than an IP packet may have, and its length 0.
#[test]
fn segments_of_offloading() {
    let pad = "x".repeat(150_000);
    let long = format!("{{\"pad\":\"{pad}\",\"inner\":{}}}", offer());
    let mut turns = opened("");
    turns.push((1, [frame(1, 0x81, long.as_bytes()), frame(1, 0x81, answer().as_bytes())].concat()));
    let mut wire = Wire::new();
    wire.say_all(&turns);
    assert_eq!(words(&wire.end())[1..], ["offer", "answer"]);

    let (client, server) = (([192, 0, 2, 1], 40000), ([192, 0, 2, 2], 80));
    let mut sequences = [1_u32, u32::MAX - 100];
    let packets: Vec<_> = turns
        .iter()
        .map(|(direction, bytes)| {
            let (source, destination) = if *direction == 0 { (client, server) } else { (server, client) };
            let mut packet = tcp(source, destination, sequences[*direction], &bytes[..bytes.len().min(60_000)]);
            packet.extend(&bytes[bytes.len().min(60_000)..]);
            if bytes.len() > 60_000 {
                packet[2..4].copy_from_slice(&[0, 0]);
            }
            sequences[*direction] = sequences[*direction].wrapping_add(bytes.len() as u32);
            packet
        })
        .collect();
    assert_eq!(words(&contents(signalling(&packets)))[1..], ["offer", "answer"]);
}

/// Sequence numbers that wrap inside of a message, with its end before its start.
#[test]
fn a_wrap_inside_of_a_message() {
    let whole = frame(0, 0x81, offer().as_bytes());
    for before in [1, 50, whole.len() as u32 - 1, whole.len() as u32] {
        let mut wire = Wire::new();
        let opening = opened("");
        wire.next[0] = 0_u32.wrapping_sub(before).wrapping_sub(opening[0].1.len() as u32);
        wire.say_all(&opening);
        let start = wire.next[0];
        assert_eq!(start, 0_u32.wrapping_sub(before));
        wire.segment(0, start.wrapping_add(60), &whole[60..], 0);
        wire.segment(0, start, &whole[..60], 0);
        assert_eq!(words(&wire.end())[1..], ["offer"], "{before} bytes before the wrap");
    }
}

/// Joined at any byte: what starts later is found, and nothing that was not said.
#[test]
fn a_connection_from_any_byte_on() {
    let mut turns = opened("");
    turns.push((0, frame(0, 0x81, candidate().as_bytes())));
    turns.push((0, frame(0, 0x81, offer().as_bytes())));
    let stream: Vec<u8> =
        turns.iter().filter(|(direction, _)| *direction == 0).flat_map(|(_, bytes)| bytes.clone()).collect();
    let last = frame(0, 0x81, offer().as_bytes());
    for start in 0..stream.len() {
        let mut wire = Wire::new();
        wire.say(0, &stream[start..]);
        // Bytes in the middle of a frame may look like a length, for as long as a few thousand are looked at.
        (0..40).for_each(|_| wire.say(0, &last));
        let found = wire.end();
        let offers = words(&found).iter().filter(|word| *word == "offer").count();
        let expected = if start == 0 { 41..=41 } else { 1..=41 };
        assert!(expected.contains(&offers), "from {start}: {:?}", words(&found));
    }
}

/// What Safari sends, as its WebKit writes it: H.264 in two profiles, and what the packetization is.
#[test]
fn a_description_of_safari() {
    let sdp = "v=0\r\no=- 5618043526273098321 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\n\
        a=msid-semantic: WMS 8B8E\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:oY8d\r\na=ice-pwd:5Y1xnqVe8dMWbR1l7V0ZQyYh\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 B1:8A:12:34:56:78:9A:BC:DE:F0:12:34:56:78:9A:BC:DE:F0:12:34:56:78:9A:BC:DE:F0:12:34:56:78:9A:BC\r\n\
        a=setup:actpass\r\na=mid:0\r\na=extmap:2 urn:ietf:params:rtp-hdrext:toffset\r\na=sendrecv\r\na=msid:8B8E 3F21\r\na=rtcp-mux\r\n\
        a=rtcp-rsize\r\na=rtpmap:96 H264/90000\r\na=rtcp-fb:96 nack pli\r\n\
        a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
        a=rtpmap:98 H264/90000\r\na=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
        a=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n";
    let mut turns = opened("");
    let message = serde_json::json!({ "type": "offer", "sdp": sdp }).to_string();
    turns.push((0, frame(0, 0x81, message.as_bytes())));
    let found = conversation::found(&turns);
    let Some(Content::Description(said)) = found.last() else { panic!("{found:?}") };
    assert_eq!(said.sdp, sdp);
    let read = rtcscope::sdp::Description::parse(&said.sdp).unwrap();
    let [video] = &read.media[..] else { panic!("{} media", read.media.len()) };
    let codecs: Vec<_> =
        video.codecs.iter().map(|codec| (codec.payload_type, codec.name.as_deref().unwrap(), codec.apt)).collect();
    assert_eq!(codecs, [(96, "H264", None), (97, "rtx", Some(96)), (98, "H264", None), (99, "rtx", Some(98))]);
    assert!(video.extmap_allow_mixed && video.rtcp_mux && video.rtcp_rsize);
    assert_eq!((video.ice_options.as_slice(), video.ice_ufrag.as_deref()), (&["trickle".to_owned()][..], Some("oY8d")));
    assert!(read.lints.is_empty(), "{:?}", read.lints);
}

/// Frames that do not end in very many WebSockets, and requests whose bodies do not come behind long heads.
#[test]
fn very_many_connections_that_hold_something() {
    let block = vec![b'a'; 60_000];
    let mut head = b"POST /x HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n".to_vec();
    while head.len() < 60_000 {
        head.extend(b"X-Field: and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on, \
            and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on\r\n");
    }
    head.extend(b"\r\n");
    let endless = [&b"GET /x HTTP/1.1\r\nX-Field: "[..], &block].concat();
    let target = [&b"GET /"[..], &block, b" HTTP/1.1\r\n\r\n"].concat();
    for (kind, count) in [(1, 200), (2, 200), (3, 200), (0, 1200)] {
        let mut wire = Wire::new();
        for _ in 0..count {
            wire.reconnect();
            match kind {
                0 => {
                    wire.say_all(&opened(""));
                    wire.say(1, &[&frame(1, 0x81, &[b'a'; 65_000])[..4], &block].concat());
                }
                1 => wire.say(0, &head),
                2 => wire.say(0, &endless),
                _ => wire.say(0, &target),
            }
        }
        let held = wire.connections.held_bytes();
        assert!((count * 59_000).min(60 << 20) < held && held <= HELD_BYTES, "kind {kind}: {held} bytes held");
        has_room(&mut wire);
    }
}

/// What comes and goes is read, however much is held.
fn has_room(wire: &mut Wire) {
    let before = wire.signals.len();
    wire.reconnect();
    wire.say_all(&opened(""));
    wire.say(0, &frame(0, 0x81, offer().as_bytes()));
    assert_eq!(wire.signals.len(), before + 2);
}

/// Heads, chunk sizes and a ClientHello byte by byte: each costs what its bytes do.
#[test]
fn heads_byte_by_byte() {
    let started = Instant::now();
    let field = "X-Field: and so on\r\n".repeat(3000);
    let hello = [&[22, 3, 1, 0xf0, 0, 1, 0, 0xef, 0xfc, 3, 3][..], &[7; 60_000]].concat();
    let streams = [
        format!("GET / HTTP/1.1\r\n{field}").into_bytes(),
        format!("HTTP/1.1 200 OK\r\n{field}").into_bytes(),
        format!("INVITE sip:b@example.org SIP/2.0\r\n{field}").into_bytes(),
        format!("OPTIONS rtsp://example.org/ RTSP/1.0\r\n{field}").into_bytes(),
        format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;{}", "x".repeat(60_000)).into_bytes(),
        format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{field}").into_bytes(),
        hello,
    ];
    for stream in streams {
        let mut wire = Wire::new();
        stream.chunks(1).for_each(|byte| wire.say(0, byte));
        assert!(wire.connections.held_bytes() < 300_000);
    }
    assert!(started.elapsed() < LONGEST, "took {:?}", started.elapsed());
}

/// A message of a megabyte that inflates to a thousand, again and again.
#[test]
fn messages_that_inflate_without_end() {
    let started = Instant::now();
    let mut compress = Compress::new(Compression::best(), false);
    let spaces = vec![b' '; 1 << 20];
    let mut block = Vec::with_capacity(8192);
    compress.compress_vec(&spaces, &mut block, FlushCompress::Sync).unwrap();
    let first = block.clone();
    block.clear();
    compress.compress_vec(&spaces, &mut block, FlushCompress::Sync).unwrap();
    let bomb = [first, block.repeat(900_000 / block.len())].concat();
    let mut wire = Wire::new();
    wire.say_all(&opened("Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    let bomb = frame(1, 0xc1, &bomb);
    for _ in 0..20 {
        bomb.chunks(60_000).for_each(|chunk| wire.say(1, chunk));
        assert!(wire.connections.held_bytes() < 3 << 20);
    }
    // What is not compressed is read on.
    wire.say(1, &frame(1, 0x81, answer().as_bytes()));
    assert_eq!(wire.connections.missing().unreadable, 20);
    assert_eq!(words(&wire.end())[1..], ["answer"]);
    assert!(started.elapsed() < LONGEST, "took {:?}", started.elapsed());
}

/// Objects in objects, lists that do not end, texts in texts, very many events, candidates and media: found or not, all
/// is soon read, up to the report.
#[test]
fn texts_that_are_hard_to_read() {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut nested = quoted("sdp v=0");
    for _ in 0..14 {
        nested = quoted(&nested);
    }
    let media = "m=audio 9 RTP/AVP 0\r\n".repeat(40_000);
    let attributes = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n".repeat(20_000);
    let texts = [
        format!("{{\"sdp\":{}", "[".repeat(100_000)),
        format!("{{\"sdp\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000)),
        "{\"sdp\":".repeat(100_000),
        "[\"sdp\",".repeat(100_000),
        "\"sdp\" { ".repeat(100_000),
        nested,
        format!("[{}]", vec![format!("{{\"candidate\":{}}}", quoted(CANDIDATE)); 10_000].join(",")),
        format!("{{\"type\":\"offer\",\"sdp\":{}}}", quoted(&format!("{SDP}{media}"))),
        format!("{{\"type\":\"offer\",\"sdp\":{}}}", quoted(&format!("{SDP}{attributes}"))),
        format!("{{\"sdp\":\"dj0w{}\"}}", "A".repeat(900_000)),
        format!("v=0\r\n{}", "x".repeat(900_000)),
    ];
    let (client, server) = (([192, 0, 2, 1], 40000), ([192, 0, 2, 2], 80));
    for text in texts {
        let started = Instant::now();
        let mut writer = Writer::raw();
        let mut turns = opened("");
        turns.push((1, frame(1, 0x81, text.as_bytes())));
        let (mut sequences, mut nanos) = ([1_u32, 1], 0);
        for (direction, bytes) in &turns {
            for chunk in bytes.chunks(60_000) {
                let (source, destination) = if *direction == 0 { (client, server) } else { (server, client) };
                writer.packet(nanos, &tcp(source, destination, sequences[*direction], chunk));
                sequences[*direction] += chunk.len() as u32;
                nanos += 1_000_000;
            }
        }
        let start: String = text.chars().take(60).collect();
        let report = analysis::report(writer.bytes).unwrap();
        analysis::everything(&report);
        assert!(started.elapsed() < LONGEST, "{start} took {:?}", started.elapsed());
    }
}

/// Events of two bytes, and a segment of them at once.
#[test]
fn very_many_events() {
    let started = Instant::now();
    let mut wire = Wire::new();
    wire.say(0, b"GET / HTTP/1.1\r\n\r\n");
    wire.say(1, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    for _ in 0..10 {
        wire.say(1, &b"\n".repeat(60_000));
        wire.say(1, &b"data: v=0\n\n".repeat(6000));
    }
    wire.say(1, format!("data: {}\n\n", answer()).as_bytes());
    assert!(wire.signals.iter().all(|signal| signal.via == Via::Http));
    assert_eq!(words(&wire.end()).last().map(String::as_str), Some("answer"));
    assert!(started.elapsed() < LONGEST, "took {:?}", started.elapsed());
}

/// A connection that begins anew forgets what the one before it held.
#[test]
fn ports_that_are_used_again() {
    let mut wire = Wire::new();
    for _ in 0..2000 {
        let start = wire.next[0];
        wire.connections.push(
            wire.key(),
            &rtcscope::flow::tcp::Segment {
                mark: (rtcscope::time::Timestamp(0), rtcscope::time::PacketId::new(0, 1)),
                direction: 0,
                header: TcpHeader {
                    sequence: start.wrapping_sub(1),
                    acknowledgment: 0,
                    flags: TcpHeader::SYN,
                    window: 0,
                },
                payload: &[],
                length: 0,
            },
        );
        wire.say(0, b"GET /x HTTP/1.1\r\nX-Field: and so on");
    }
    assert!(wire.connections.held_bytes() < 10_000, "{} bytes held", wire.connections.held_bytes());
}
