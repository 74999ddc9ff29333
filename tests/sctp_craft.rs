//! SCTP and data channels in captures put together by hand.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;
mod craft;
mod dialogue;

use common::Run;
use dialogue::{Dialogue, Peer};
use serde_json::Value;

type Address = ([u8; 4], u16);

const A: Address = ([10, 0, 0, 1], 9899);
const B: Address = ([10, 9, 0, 9], 9899);
/// Where A goes on.
const NEXT: Address = ([10, 0, 7, 1], 9899);

const TAG_OF_A: u32 = 0xaaaa_0001;
const TAG_OF_B: u32 = 0xbbbb_0002;

/// CRC32C bit by bit (RFC 9260 appendix A).
fn crc32c(bytes: &[u8]) -> u32 {
    let byte = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, byte)
}

/// An SCTP packet between ports 5000, with its checksum.
fn packet(tag: u32, chunk: &[u8]) -> Vec<u8> {
    let mut packet = [&[0x13, 0x88, 0x13, 0x88][..], &tag.to_be_bytes(), &[0; 4], chunk].concat();
    packet.resize(packet.len().next_multiple_of(4), 0);
    let checksum = crc32c(&packet).to_le_bytes();
    packet[8..12].copy_from_slice(&checksum);
    packet
}

fn chunk(kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, flags][..], &(value.len() as u16 + 4).to_be_bytes(), value].concat()
}

fn init(kind: u8, tag: u32, tsn: u32) -> Vec<u8> {
    chunk(kind, 0, &[&tag.to_be_bytes()[..], &[0, 2, 0, 0, 0, 16, 0, 16], &tsn.to_be_bytes()].concat())
}

fn data(tsn: u32, ppid: u32, payload: &[u8]) -> Vec<u8> {
    chunk(0, 3, &[&tsn.to_be_bytes()[..], &[0, 1, 0, 0], &ppid.to_be_bytes(), payload].concat())
}

fn sack(tsn: u32) -> Vec<u8> {
    chunk(3, 0, &[&tsn.to_be_bytes()[..], &[0, 2, 0, 0, 0, 0, 0, 0]].concat())
}

/// `DATA_CHANNEL_OPEN` of the reliable channel "chat" on stream 1.
fn open(tsn: u32) -> Vec<u8> {
    data(tsn, 50, b"\x03\x00\x01\x00\x00\x00\x00\x00\x00\x04\x00\x00chat")
}

/// A capture that grows by packets of the two ends.
struct Talk {
    dialogue: Dialogue,
    a: Address,
}

impl Talk {
    /// An association that is set up in 30 ms.
    fn new() -> Self {
        let mut talk = Self { dialogue: Dialogue::default(), a: A };
        talk.dialogue.datagram(0.0, A, B, &packet(0, &init(1, TAG_OF_A, 100)));
        talk.back(0.01, &init(2, TAG_OF_B, 200));
        talk.there(0.02, &chunk(10, 0, b"cook"));
        talk.back(0.03, &chunk(11, 0, b""));
        talk
    }

    fn there(&mut self, seconds: f64, chunk: &[u8]) {
        self.dialogue.datagram(seconds, self.a, B, &packet(TAG_OF_B, chunk));
    }

    fn back(&mut self, seconds: f64, chunk: &[u8]) {
        self.dialogue.datagram(seconds, B, self.a, &packet(TAG_OF_A, chunk));
    }
}

fn only(run: &Run) -> &Value {
    let sessions: Vec<&Value> = run.sessions().collect();
    assert_eq!(sessions.len(), 1, "{} calls", sessions.len());
    &sessions[0]["communicating"]
}

fn findings(run: &Run) -> Vec<(&str, &str)> {
    let all = run.report["findings"].as_array().unwrap();
    all.iter().map(|one| (one["rule"].as_str().unwrap(), one["severity"].as_str().unwrap())).collect()
}

#[test]
fn a_channel_is_opened_and_used() {
    let mut talk = Talk::new();
    talk.there(0.1, &open(100));
    talk.back(0.15, &data(200, 50, &[2]));
    talk.there(0.2, &data(101, 51, b"hello"));
    talk.back(0.3, &data(201, 53, b"abc"));
    talk.back(9.0, &sack(101));
    let run = talk.dialogue.run();
    assert_eq!(findings(&run), []);
    let channel = &only(&run)["dataChannels"][0];
    assert_eq!(
        (&channel["label"], &channel["state"], &channel["negotiated"]),
        (&"chat".into(), &"open".into(), &false.into())
    );
    assert_eq!((&channel["openedBy"], &channel["openPacket"]), (&"10.0.0.1:9899".into(), &5.into()));
    assert!((channel["acknowledgementDelay"].as_f64().unwrap() - 0.05).abs() < 1e-6);
    let [there, back] = &channel["directions"].as_array().unwrap()[..] else { panic!("{channel:#}") };
    assert_eq!((&there["messages"], &there["bytes"], &there["stringMessages"]), (&1.into(), &5.into(), &1.into()));
    assert_eq!((&back["messages"], &back["bytes"], &back["source"]), (&1.into(), &3.into(), &"10.9.0.9:9899".into()));
    assert_eq!((&channel["messages"], &channel["bytes"]), (&2.into(), &8.into()));
    assert!((only(&run)["sctp"]["handshakeDuration"].as_f64().unwrap() - 0.03).abs() < 1e-6);
}

#[test]
fn a_channel_that_nobody_answers() {
    let with_end = |seconds: f64| {
        let mut talk = Talk::new();
        talk.there(0.1, &open(100));
        talk.back(0.15, &sack(100));
        talk.there(0.2, &data(101, 51, b"hello"));
        talk.back(seconds, &sack(101));
        talk.dialogue.run()
    };
    let run = with_end(9.0);
    assert_eq!(findings(&run), [("COM005", "warning")]);
    assert_eq!(run.report["findings"][0]["packets"], serde_json::json!([5]));
    assert_eq!(only(&run)["dataChannels"][0]["state"], "connecting");
    // So soon nobody can tell.
    assert_eq!(findings(&with_end(2.0)), []);
}

#[test]
fn aborts_before_and_after_data() {
    let mut refused = Talk::new();
    refused.back(0.1, &chunk(6, 0, &[0, 4, 0, 4]));
    assert_eq!(findings(&refused.dialogue.run()), [("COM004", "error")]);
    let after = |cause: u8| {
        let mut talk = Talk::new();
        talk.there(0.1, &data(100, 53, b"abc"));
        talk.back(0.2, &sack(100));
        talk.back(0.3, &chunk(6, 0, &[0, cause, 0, 4]));
        talk.dialogue.run()
    };
    // 13 is Protocol Violation, 12 User-Initiated Abort.
    assert_eq!(findings(&after(13)), [("COM004", "warning")]);
    assert_eq!(findings(&after(12)), []);
    let run = after(12);
    assert_eq!(only(&run)["dataChannels"][0]["negotiated"], true);
}

#[test]
fn what_is_given_up_is_a_note() {
    let mut talk = Talk::new();
    talk.there(0.1, &data(100, 53, b"abc"));
    talk.there(0.1, &data(101, 53, b"abc"));
    talk.back(0.2, &sack(100));
    talk.there(0.3, &chunk(192, 0, &101_u32.to_be_bytes()));
    let run = talk.dialogue.run();
    assert_eq!(findings(&run), [("COM006", "info")]);
    let communicating = only(&run);
    assert_eq!(
        (&communicating["sctp"]["messagesAbandoned"], &communicating["sctp"]["messages"]),
        (&1.into(), &2.into())
    );
    assert_eq!(communicating["dataChannels"][0]["directions"][0]["messagesAbandoned"], 1);
}

#[test]
fn an_association_that_moves_is_one() {
    let mut talk = Talk::new();
    talk.there(0.1, &open(100));
    talk.back(0.15, &data(200, 50, &[2]));
    talk.there(0.2, &data(101, 51, b"hello"));
    talk.a = NEXT;
    for tsn in 102..110 {
        talk.there(0.3 + f64::from(tsn - 102) * 0.1, &data(tsn, 51, b"moved"));
        talk.back(0.31 + f64::from(tsn - 102) * 0.1, &sack(tsn));
    }
    let run = talk.dialogue.run();
    assert_eq!(findings(&run), []);
    let communicating = only(&run);
    let sctp = &communicating["sctp"];
    assert_eq!((&sctp["paths"], &sctp["packets"], &sctp["chunks"]["DATA"]), (&2.into(), &23.into(), &11.into()));
    assert_eq!(communicating["dataChannels"].as_array().unwrap().len(), 1);
    let channel = &communicating["dataChannels"][0];
    assert_eq!((&channel["label"], &channel["messages"], &channel["bytes"]), (&"chat".into(), &9.into(), &45.into()));
}

/// An association that is captured at two places, as on both sides of a NAT, counts once; so do its channels.
#[test]
fn an_association_that_is_seen_twice_counts_once() {
    let mut talk = Talk::new();
    let script = [open(100), data(101, 51, b"hello"), data(102, 51, b"again")];
    for (at, chunk) in script.iter().enumerate() {
        let seconds = 0.1 + at as f64 * 0.1;
        for a in [A, NEXT] {
            talk.a = a;
            talk.there(seconds, chunk);
            talk.back(seconds + 0.05, &sack(100 + at as u32));
        }
    }
    let run = talk.dialogue.run();
    let communicating = only(&run);
    assert_eq!((&communicating["sctp"]["paths"], &communicating["sctp"]["messages"]), (&1.into(), &3.into()));
    assert_eq!(communicating["dataChannels"].as_array().unwrap().len(), 1);
    assert_eq!(communicating["dataChannels"][0]["messages"], 2);
}

/// A description of a peer's data channel, with an INIT chunk in base64.
fn description(peer: &Peer, init: &str) -> String {
    let (([a, b, c, d], port), ufrag) = (peer.address, peer.ufrag);
    format!(
        "v=0\r\no=- 1 1 IN IP4 {a}.{b}.{c}.{d}\r\ns=-\r\nc=IN IP4 {a}.{b}.{c}.{d}\r\nt=0 0\r\n\
         m=application {port} UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:{ufrag}\r\n\
         a=ice-pwd:0123456789abcdefghijkl\r\na=sctp-port:5000\r\na=sctp-init:{init}\r\n"
    )
}

fn sip(first: &str, body: &str) -> String {
    format!(
        "{first}\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.org>;tag=1\r\n\
         To: <sip:b@example.org>;tag=2\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn an_association_that_is_set_up_in_the_signalling() {
    // INIT chunks with tags 0xaaaa0001 and 0xbbbb0002, by `base64` of coreutils.
    let peer_a = Peer { ufrag: "AAAA", address: A, controlling: true, tie_breaker: 0x1111_2222 };
    let peer_b = Peer { ufrag: "BBBB", address: B, controlling: false, tie_breaker: 0x3333_4444 };
    let signalled = |of_a: &str, of_b: &str| {
        let mut talk = Talk { dialogue: Dialogue::default(), a: A };
        let (a, b) = ((A.0, 5060), (B.0, 5060));
        let invite = sip("INVITE sip:b@example.org SIP/2.0", &description(&peer_a, of_a));
        talk.dialogue.datagram(0.0, a, b, invite.as_bytes());
        let ok = sip("SIP/2.0 200 OK", &description(&peer_b, of_b));
        talk.dialogue.datagram(0.1, b, a, ok.as_bytes());
        talk.dialogue.connect(0.15, &peer_a, &peer_b);
        talk.there(0.4, &data(100, 51, b"hello"));
        talk.back(0.5, &sack(100));
        let run = talk.dialogue.run();
        let communicating = only(&run);
        assert_eq!(communicating["sctp"]["messages"], 1);
        communicating["sctp"]["snap"].clone()
    };
    assert_eq!(signalled("AQAAFKqqAAEAAgAAABAAEAAAAGQ=", "AQAAFLu7AAIAAgAAABAAEAAAAMg="), true);
    // Tags of another association: this one was set up before the capture.
    let other = "AQAAHGVPFd8AEAAA/////9tAK2qACAAIgsBAwg==";
    assert_eq!(signalled(other, other), false);
}
