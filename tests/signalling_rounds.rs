//! Calls put together by hand, in which more is signalled than one offer and its answer: challenges, forks, holds, offers
//! that cross, are taken back or are refused, and media that nobody agreed on. Truth is what was put in.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod analysis;
mod craft;

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::{
    analysis::{captures, json as document, report},
    craft::{Address, Writer, rtp, tcp, udp},
};

const MILLISECOND: i64 = 1_000_000;
const CALLER: [u8; 4] = [192, 0, 2, 1];
const PROXY: [u8; 4] = [192, 0, 2, 5];

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(report: &rtcscope::report::document::Report) -> String {
    let text = analysis::everything(report).0;
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rules(document: &Value) -> Vec<&str> {
    list(&document["findings"]).iter().filter_map(|finding| finding["rule"].as_str()).collect()
}

fn name([a, b, c, d]: [u8; 4]) -> String {
    format!("{a}.{b}.{c}.{d}")
}

/// Audio of some formats at an address; `rest` are further lines.
fn audio(version: u32, at: Address, formats: &str, rest: &str) -> String {
    let address = name(at.0);
    format!(
        "v=0\r\no=- 7 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {} RTP/AVP {formats}\r\n{rest}",
        at.1
    )
}

/// A call over SIP, as it is seen between the caller and its proxy.
struct Sip {
    writer: Writer,
    packets: u64,
}

impl Sip {
    fn new() -> Self {
        Self { writer: Writer::raw(), packets: 0 }
    }

    /// Message `line`, at milliseconds: `cseq` with its method, the tag of the called end where there is one.
    fn say(&mut self, at: i64, line: &str, cseq: &str, tag: Option<&str>, body: &str) {
        let is_response = line.starts_with("SIP/2.0 ");
        let (message, ends) = Self::message(line, cseq, tag, body, is_response);
        self.packet(at, &udp((ends[0], 5060), (ends[1], 5060), message.as_bytes()));
    }

    /// A request of the called end in their dialog, or the caller's response to one.
    fn say_back(&mut self, at: i64, line: &str, cseq: &str, body: &str) {
        let is_response = line.starts_with("SIP/2.0 ");
        let (message, ends) = Self::message(line, cseq, Some("b"), body, !is_response);
        let message = message.replace("From: ", "?: ").replace("To: ", "From: ").replace("?: ", "To: ");
        self.packet(at, &udp((ends[0], 5060), (ends[1], 5060), message.as_bytes()));
    }

    fn message(line: &str, cseq: &str, tag: Option<&str>, body: &str, is_back: bool) -> (String, [[u8; 4]; 2]) {
        let tag = tag.map_or_else(String::new, |tag| format!(";tag={tag}"));
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let message = format!(
            "{line}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{}\r\nFrom: <sip:a@192.0.2.1>;tag=caller\r\n\
             To: <sip:b@192.0.2.5>{tag}\r\nCall-ID: 1@192.0.2.1\r\nCSeq: {cseq}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            cseq.replace(' ', ""),
            body.len()
        );
        (message, if is_back { [PROXY, CALLER] } else { [CALLER, PROXY] })
    }

    fn packet(&mut self, at: i64, packet: &[u8]) -> u64 {
        self.packets += 1;
        self.writer.packet(at * MILLISECOND, packet);
        self.packets
    }

    /// A second of media; the number of its first packet.
    fn media(&mut self, at: i64, from: Address, to: Address, ssrc: u32, payload_type: u8) -> u64 {
        let numbers = (0..50_u16).map(|number| {
            let mut packet = rtp(ssrc, number, 160 * u32::from(number), 160);
            packet[1] = payload_type;
            self.packet(at + 20 * i64::from(number), &udp(from, to, &packet))
        });
        numbers.min().unwrap()
    }

    fn end(self) -> (Value, String) {
        let report = report(self.writer.bytes).unwrap();
        (document(&report), text(&report))
    }
}

const INVITE: &str = "INVITE sip:b@192.0.2.5 SIP/2.0";
const ACK: &str = "ACK sip:b@192.0.2.5 SIP/2.0";
const OK: &str = "SIP/2.0 200 OK";
const A: Address = (CALLER, 4000);
const B: Address = ([192, 0, 2, 7], 5000);
const C: Address = ([192, 0, 2, 8], 6000);

#[test]
fn an_invite_that_comes_again_with_credentials() {
    let offer = audio(1, A, "0 96", "a=rtpmap:96 opus/48000/2\r\n");
    let mut sip = Sip::new();
    sip.say(0, INVITE, "1 INVITE", None, &offer);
    sip.say(10, "SIP/2.0 401 Unauthorized", "1 INVITE", Some("proxy"), "");
    sip.say(12, ACK, "1 ACK", Some("proxy"), "");
    // The same offer, word for word.
    sip.say(20, INVITE, "2 INVITE", None, &offer);
    sip.say(500, "SIP/2.0 180 Ringing", "2 INVITE", Some("b"), "");
    sip.say(4200, OK, "2 INVITE", Some("b"), &audio(1, B, "96", "a=rtpmap:96 opus/48000/2\r\n"));
    sip.say(4210, ACK, "2 ACK", Some("b"), "");
    sip.media(4300, A, B, 0x1234_5678, 96);
    let (document, text) = sip.end();
    let signalling = &document["sessions"][0]["signalling"];
    assert_eq!((&signalling["status"], &signalling["offers"][0]["outcome"]), (&json!("ok"), &json!("answered")));
    assert_eq!((&signalling["answerDuration"], &signalling["sip"]["ringDuration"]), (&json!(4.2), &json!(0.5)));
    assert_eq!((&signalling["sip"]["challenges"], &signalling["sip"]["branches"]), (&json!(1), &json!(1)));
    assert_eq!(signalling["sip"]["forks"], json!([]));
    assert_eq!(signalling["media"][0]["codecs"], json!(["opus/48000/2"]));
    assert_eq!(document["sessions"][0]["communicating"]["rtpStreams"][0]["codec"], "opus");
    assert!(text.contains("answered after 4.20 s (rang after 500 ms, credentials asked for once)"), "{text}");
    assert_eq!(rules(&document), [""; 0]);
}

/// RFC 3261 section 13.2.2.4: each early dialog has its own answer, and one is accepted.
#[test]
fn an_invite_that_is_forked() {
    let mut sip = Sip::new();
    sip.say(
        0,
        INVITE,
        "1 INVITE",
        None,
        &audio(1, A, "96 97", "a=rtpmap:96 opus/48000/2\r\na=rtpmap:97 iLBC/8000\r\n"),
    );
    // Each wants another codec under the same number.
    sip.say(100, "SIP/2.0 183 Progress", "1 INVITE", Some("b"), &audio(1, B, "100", "a=rtpmap:100 opus/48000/2\r\n"));
    sip.say(200, "SIP/2.0 183 Progress", "1 INVITE", Some("c"), &audio(1, C, "100", "a=rtpmap:100 iLBC/8000\r\n"));
    sip.media(300, B, A, 0xbbbb_0001, 96);
    sip.media(300, A, B, 0xaaaa_0001, 100);
    sip.media(1300, A, C, 0xaaaa_0002, 100);
    sip.say(2500, OK, "1 INVITE", Some("c"), &audio(1, C, "100", "a=rtpmap:100 iLBC/8000\r\n"));
    sip.say(2510, "SIP/2.0 487 Request Terminated", "1 INVITE", Some("b"), "");
    sip.say(2520, ACK, "1 ACK", Some("c"), "");
    let (document, text) = sip.end();
    let sessions = list(&document["sessions"]);
    assert_eq!(sessions.len(), 1);
    let signalling = &sessions[0]["signalling"];
    let forks = list(&signalling["sip"]["forks"]);
    let told: Vec<_> = forks.iter().map(|fork| [&fork["tag"], &fork["outcome"], &fork["refused"]]).collect();
    assert_eq!(told, [[&json!("b"), &json!("refused"), &json!(487)], [&json!("c"), &json!("accepted"), &Value::Null]]);
    assert_eq!(
        (&forks[0]["streams"], &forks[1]["streams"]),
        (&json!([0xbbbb_0001_u32, 0xaaaa_0001_u32]), &json!([0xaaaa_0002_u32]))
    );
    let codec = |ssrc: u32| {
        let streams = list(&sessions[0]["communicating"]["rtpStreams"]);
        streams.iter().find(|stream| stream["ssrc"] == ssrc).map(|stream| stream["codec"].clone()).unwrap()
    };
    assert_eq!([0xaaaa_0001, 0xaaaa_0002].map(codec), ["opus", "iLBC"]);
    // What counts is what the one agreed to who accepted.
    assert_eq!(signalling["media"][0]["codecs"], json!(["iLBC/8000"]));
    assert_eq!((&signalling["status"], &signalling["answerDuration"]), (&json!("ok"), &json!(2.5)));
    assert_eq!(list(&signalling["answers"]).iter().map(|answer| &answer["branch"]).collect::<Vec<_>>(), ["b", "c"]);
    assert!(text.contains("forked to 2 ends, of which 1 accepted"), "{text}");
}

/// RFC 3264 section 8.4, and a re-INVITE that is refused, which changes nothing (RFC 3261 section 14.1).
#[test]
fn holds_and_refused_offers() {
    let mut sip = Sip::new();
    let both = |sip: &mut Sip, at: i64, number: u32, offer: &str, answer: &str| {
        sip.say(at, INVITE, &format!("{number} INVITE"), Some("b").filter(|_| number > 1), offer);
        sip.say(at + 100, OK, &format!("{number} INVITE"), Some("b"), answer);
    };
    both(&mut sip, 0, 1, &audio(1, A, "0", ""), &audio(1, B, "0", ""));
    sip.media(500, A, B, 0x1234_5678, 0);
    both(&mut sip, 2000, 2, &audio(2, A, "0", "a=sendonly\r\n"), &audio(2, B, "0", "a=recvonly\r\n"));
    sip.say(3000, INVITE, "3 INVITE", Some("b"), &audio(3, A, "8", ""));
    sip.say(3100, "SIP/2.0 488 Not Acceptable Here", "3 INVITE", Some("b"), "");
    // The end of the hold is the first description once more, as stacks that do not count versions send it.
    both(&mut sip, 5000, 4, &audio(1, A, "0", ""), &audio(1, B, "0", ""));
    both(&mut sip, 6000, 5, &audio(5, A, "0", "a=inactive\r\n"), &audio(5, B, "0", "a=inactive\r\n"));
    let (document, text) = sip.end();
    let signalling = &document["sessions"][0]["signalling"];
    let told = |change: &Value| ["type", "by", "time", "endTime", "direction"].map(|name| change[name].clone());
    let changes: Vec<_> = list(&signalling["changes"]).iter().map(told).collect();
    let expected = [
        [json!("hold"), json!("offerer"), json!(2.1), json!(5.1), json!("sendonly")],
        [json!("hold"), json!("offerer"), json!(6.1), Value::Null, json!("inactive")],
    ];
    assert_eq!(changes, expected);
    let outcomes: Vec<&Value> = list(&signalling["offers"]).iter().map(|offer| &offer["outcome"]).collect();
    assert_eq!(outcomes, ["answered", "answered", "refused", "answered"]);
    // The first offer counts once, though it is said again.
    assert_eq!(signalling["offers"][2]["refusedStatus"], 488);
    assert_eq!(signalling["media"][0]["codecs"], json!(["PCMU/8000"]));
    assert!(text.contains("audio held 2.1-5.1 s by the caller (a=sendonly)"), "{text}");
    assert!(text.contains("audio held from 6.1 s on by the caller (a=inactive), 1 offer refused with 488"), "{text}");
}

/// RFC 3261 section 14.1: both send a re-INVITE at once, and each refuses the other's; the CSeq of both is the same, as each
/// counts its own.
#[test]
fn invites_that_cross() {
    let mut sip = Sip::new();
    sip.say(0, INVITE, "1 INVITE", None, &audio(1, A, "0", ""));
    sip.say(100, OK, "1 INVITE", Some("b"), &audio(1, B, "0", ""));
    sip.media(500, A, B, 0x1234_5678, 0);
    sip.say(2000, INVITE, "2 INVITE", Some("b"), &audio(2, A, "0", "a=sendonly\r\n"));
    sip.say_back(2001, "INVITE sip:a@192.0.2.1 SIP/2.0", "2 INVITE", &audio(2, B, "0", "a=inactive\r\n"));
    sip.say(2030, "SIP/2.0 491 Request Pending", "2 INVITE", Some("b"), "");
    sip.say_back(2031, "SIP/2.0 491 Request Pending", "2 INVITE", "");
    // The called end tries again, and is answered by the caller.
    sip.say_back(3000, "INVITE sip:a@192.0.2.1 SIP/2.0", "3 INVITE", &audio(3, B, "0", "a=inactive\r\n"));
    sip.say_back(3100, OK, "3 INVITE", &audio(3, A, "0", "a=inactive\r\n"));
    let (document, text) = sip.end();
    let signalling = &document["sessions"][0]["signalling"];
    assert_eq!(outcomes(signalling), [("answered", false), ("refused", true), ("refused", true), ("answered", false)]);
    let parties: Vec<&Value> = list(&signalling["offers"]).iter().map(|offer| &offer["party"]).collect();
    assert_eq!(parties, ["offerer", "offerer", "answerer", "answerer"]);
    assert_eq!((&signalling["sip"]["branches"], &signalling["sip"]["forks"]), (&json!(1), &json!([])));
    assert!(text.contains("audio held from 3.1 s on by the called (a=inactive)"), "{text}");
    assert!(text.contains("2 offers refused with 491, as those of both crossed"), "{text}");
}

#[test]
fn payload_types_that_neither_listed() {
    let mut sip = Sip::new();
    let telephone = "a=rtpmap:101 telephone-event/8000\r\n";
    sip.say(0, INVITE, "1 INVITE", None, &audio(1, A, "0 96 101", &format!("a=rtpmap:96 opus/48000/2\r\n{telephone}")));
    // Before the answer, by the caller's number; later by the called's own.
    sip.media(50, B, A, 0xbbbb_0001, 96);
    sip.say(
        1100,
        OK,
        "1 INVITE",
        Some("b"),
        &audio(1, B, "100 101", &format!("a=rtpmap:100 opus/48000/2\r\n{telephone}")),
    );
    sip.media(1200, A, B, 0xaaaa_0001, 100);
    sip.media(2200, A, B, 0xaaaa_0001, 101);
    // Comfort noise and PCMA have numbers of their own (RFC 3551), and were not offered all the same.
    let noise = sip.media(3200, A, B, 0xaaaa_0001, 13);
    let unknown = sip.media(4300, B, A, 0xbbbb_0002, 8);
    let (document, _) = sip.end();
    let findings = list(&document["findings"]);
    let told: Vec<_> = findings.iter().map(|one| [&one["rule"], &one["severity"], &one["packets"][0]]).collect();
    let (rule, warning) = (json!("SIG006"), json!("warning"));
    assert_eq!(told, [[&rule, &warning, &json!(noise)], [&rule, &warning, &json!(unknown)]]);
    assert!(findings[0]["message"].as_str().unwrap().contains("payload type 13"), "{}", findings[0]);
    assert!(findings[1]["message"].as_str().unwrap().contains("payload type 8"), "{}", findings[1]);
}

/// Two browsers and their server, each with a WebSocket; the server's side of both is captured.
struct Room {
    writer: Writer,
    sequence: [[u32; 2]; 2],
}

impl Room {
    fn new() -> Self {
        let mut room = Self { writer: Writer::raw(), sequence: [[1000; 2]; 2] };
        for browser in 0..2 {
            room.bytes(
                0,
                browser,
                false,
                b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            );
            let switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
            room.bytes(0, browser, true, switched);
        }
        room
    }

    fn bytes(&mut self, at: i64, browser: usize, to_browser: bool, bytes: &[u8]) {
        let ends = [([192, 0, 2, 10 + browser as u8], 40000), ([192, 0, 2, 9], 80)];
        let (from, to) = if to_browser { (ends[1], ends[0]) } else { (ends[0], ends[1]) };
        let sequence = &mut self.sequence[browser][usize::from(to_browser)];
        self.writer.packet(at * MILLISECOND, &tcp(from, to, *sequence, bytes));
        *sequence += bytes.len() as u32;
    }

    /// A browser sends to its server, which takes `delay` milliseconds to hand it on.
    fn say(&mut self, at: i64, delay: i64, browser: usize, message: &Value) -> (i64, usize, Vec<u8>) {
        let text = message.to_string();
        let frame = |mask: u8, key: &[u8]| {
            let length = (text.len() as u16).to_be_bytes();
            let head = if text.len() < 126 {
                vec![0x81, mask | length[1]]
            } else {
                vec![0x81, mask | 126, length[0], length[1]]
            };
            [&head, key, text.as_bytes()].concat()
        };
        // A mask of zeros changes nothing (RFC 6455 section 5.3).
        self.bytes(at, browser, false, &frame(0x80, &[0; 4]));
        (at + delay, browser ^ 1, frame(0, &[]))
    }

    fn hand_on(&mut self, (at, browser, bytes): (i64, usize, Vec<u8>)) {
        self.bytes(at, browser, true, &bytes);
    }

    fn tell(&mut self, at: i64, browser: usize, message: &Value) {
        let handed = self.say(at, 1, browser, message);
        self.hand_on(handed);
    }

    fn end(self) -> (Value, String) {
        let report = report(self.writer.bytes).unwrap();
        (document(&report), text(&report))
    }
}

/// A description of a browser, of as many sections as kinds.
fn browser(kind: &str, number: usize, fragment: &str, media: &[&str]) -> Value {
    let mut sdp = format!("v=0\r\no=- 123456789{number} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
    for (mid, media) in media.iter().enumerate() {
        let (media, port) = media.split_once('!').map_or((*media, 9), |(media, _)| (media, 0));
        let codec = if media == "audio" { "111 opus/48000/2" } else { "96 VP8/90000" };
        sdp.push_str(&format!(
            "m={media} {port} UDP/TLS/RTP/SAVPF {}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=rtpmap:{codec}\r\n\
             a=ice-ufrag:{fragment}\r\na=ice-pwd:{fragment}4567890123456789012345\r\n",
            &codec.split(' ').next().unwrap(),
        ));
    }
    json!({ "type": kind, "sdp": sdp })
}

fn outcomes(signalling: &Value) -> Vec<(&str, bool)> {
    let offers = list(&signalling["offers"]).iter();
    offers.map(|offer| (offer["outcome"].as_str().unwrap(), offer["crossed"].as_bool().unwrap())).collect()
}

/// Perfect negotiation: both offer at once; the polite one takes its own offer back when it answers the other's.
#[test]
fn offers_that_cross() {
    let mut room = Room::new();
    room.tell(100, 0, &browser("offer", 1, "aaaa", &["audio"]));
    room.tell(200, 1, &browser("answer", 2, "bbbb", &["audio"]));
    let one = room.say(1000, 50, 0, &browser("offer", 1, "aaaa", &["audio", "video"]));
    let other = room.say(1010, 50, 1, &browser("offer", 2, "bbbb", &["audio", "audio"]));
    room.hand_on(one);
    room.hand_on(other);
    room.tell(1100, 1, &browser("answer", 2, "bbbb", &["audio", "video"]));
    let (document, text) = room.end();
    let signalling = &document["sessions"][0]["signalling"];
    assert_eq!(outcomes(signalling), [("answered", false), ("answered", false), ("rolled-back", true)]);
    assert_eq!(list(&signalling["media"]).iter().map(|media| &media["kind"]).collect::<Vec<_>>(), ["audio", "video"]);
    assert_eq!(signalling["changes"].as_array().map(Vec::len), Some(1));
    assert!(
        text.contains("video added at 1.1 s by the offerer, 1 offer taken back, as those of both crossed"),
        "{text}"
    );
}

#[test]
fn an_offer_that_is_rolled_back() {
    let mut room = Room::new();
    room.tell(100, 0, &browser("offer", 1, "aaaa", &["audio"]));
    room.tell(200, 1, &browser("answer", 2, "bbbb", &["audio"]));
    room.tell(1000, 0, &browser("offer", 1, "cccc", &["audio", "video"]));
    room.tell(1500, 0, &json!({ "type": "rollback" }));
    let (document, text) = room.end();
    let signalling = &document["sessions"][0]["signalling"];
    assert_eq!(outcomes(signalling), [("answered", false), ("rolled-back", false)]);
    assert_eq!(list(&signalling["media"]).len(), 1);
    assert_eq!(signalling["changes"], json!([]));
    assert!(text.contains("1 offer taken back") && !text.contains("crossed"), "{text}");
}

#[test]
fn media_and_paths_that_change() {
    let mut room = Room::new();
    let rounds: [(&[&str], &str); 4] = [
        (&["audio"], "aaaa"),
        (&["audio", "video"], "aaaa"),
        (&["audio", "video"], "cccc"),
        (&["audio", "video!"], "cccc"),
    ];
    for (number, (media, fragment)) in (0..).zip(rounds) {
        // A restart changes both sides' fragments (RFC 8445 section 9).
        let back = if fragment == "aaaa" { "bbbb" } else { "dddd" };
        room.tell(1000 * number, 0, &browser("offer", 1, fragment, media));
        room.tell(1000 * number + 500, 1, &browser("answer", 2, back, media));
    }
    let (document, text) = room.end();
    let changes = list(&document["sessions"][0]["signalling"]["changes"]);
    let told: Vec<_> =
        changes.iter().map(|change| (change["type"].as_str().unwrap(), change["mid"].as_str())).collect();
    assert_eq!(told, [("media-added", Some("1")), ("ice-restart", None), ("media-removed", Some("1"))]);
    let expected = "video added at 1.5 s by the offerer, ICE restarted at 2.5 s by the offerer, video removed at 3.5 s by the offerer";
    assert!(text.contains(expected), "{text}");
}

/// The certificates of a handshake against other hashes of them; the hashes are those that Python's hashlib makes of the
/// certificates as tshark shows them.
#[test]
fn fingerprints_of_other_functions() {
    const SHA1: &str = "sha-1 64:A5:69:4E:DB:D5:17:1C:2A:23:B6:DF:ED:52:EE:FB:A7:AE:09:96";
    const SHA224: &str = "sha-224 B0:85:61:13:03:85:5D:72:16:8A:59:49:E2:3C:93:0F:05:FC:F8:01:56:2E:38:94:69:26:0C:B1";
    const SHA384: &str = "SHA-384 A8:19:96:F2:FC:CB:9D:8E:94:86:B6:41:1B:C4:5C:94:78:9B:88:25:EC:AD:4B:AA:4B:E4:A7:5F:3F:10:\
        4C:94:2A:6B:48:A7:40:58:53:5F:88:50:03:BE:20:81:91:82";
    const SHA512: &str = "sha-512 AF:BE:02:30:FB:96:9C:0B:0D:12:41:CD:1B:B3:A3:24:0D:74:4D:6A:51:34:1A:80:98:10:0C:15:AF:05:0B:\
        53:11:6E:F8:5D:80:49:EB:98:94:8A:E1:42:AA:5F:F0:15:BF:66:7F:60:F2:C2:D7:6E:CE:99:01:A7:3E:96:29:D1";
    let Some(folder) = captures().map(|folder| folder.join("lab/firefox-dtls12")) else { return };
    let answer = fs::read_to_string(folder.join("answer.sdp")).unwrap();
    let own = answer.lines().find_map(|line| line.strip_prefix("a=fingerprint:")).unwrap();
    let files = tempfile::tempdir().unwrap();
    let check = |fingerprints: &[&str]| {
        let lines: Vec<String> = fingerprints.iter().map(|one| format!("a=fingerprint:{one}")).collect();
        let changed = answer.replace(&format!("a=fingerprint:{own}"), &lines.join("\r\n"));
        let path = files.path().join("answer.sdp");
        fs::write(&path, changed).unwrap();
        let document = given(&folder.join("capture.pcapng"), &[folder.join("offer.sdp"), path], &["--filter", "udp"]);
        let checks = list(&document["sessions"][0]["signalling"]["fingerprints"]).iter();
        let found = checks.clone().find(|check| check["party"] == "answerer");
        let found = found.map(|check| (check["hashFunction"].as_str().unwrap().to_owned(), check["matches"] == true));
        assert!(checks.clone().any(|check| check["party"] == "offerer" && check["matches"] == true));
        assert_eq!(rules(&document).contains(&"SIG003"), matches!(found, Some((_, false))));
        found
    };
    let wrong = |fingerprint: &str| {
        let (most, last) = fingerprint.split_at(fingerprint.len() - 1);
        format!("{most}{}", if last == "0" { "1" } else { "0" })
    };
    for (one, function) in
        [(SHA1, "sha-1"), (SHA224, "sha-224"), (SHA384, "sha-384"), (SHA512, "sha-512"), (own, "sha-256")]
    {
        assert_eq!(check(&[one]), Some((function.to_owned(), true)));
        assert_eq!(check(&[&wrong(one)]), Some((function.to_owned(), false)));
    }
    // Of several functions the strongest counts, of several of one any (RFC 8122 section 5).
    assert_eq!(check(&[&wrong(SHA1), SHA512, &wrong(SHA512)]), Some(("sha-512".to_owned(), true)));
    assert_eq!(check(&[SHA1, &wrong(SHA512)]), Some(("sha-512".to_owned(), false)));
    assert_eq!(check(&["md5 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B"]), None);
}

/// The report of a capture with files beside it.
fn given(capture: &std::path::Path, files: &[PathBuf], more: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtcscope"));
    command.args(["analyze", "--format", "json"]).args(more).arg(capture);
    files.iter().for_each(|file| {
        command.arg("--sdp").arg(file);
    });
    serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
}

/// Candidates of a dump are those that came over the WebSocket, and not counted again where both are there.
#[test]
fn candidates_of_a_dump() {
    let Some(folder) = captures().map(|folder| folder.join("lab/chromium-internals")) else { return };
    let (capture, dump) = (folder.join("capture.pcapng"), folder.join("peerA.webrtc-internals.json.gz"));
    let candidates = |document: &Value| {
        let all = list(&document["sessions"][0]["signalling"]["candidates"]).iter();
        // Descriptions in the dump have candidates too, as they were at its end.
        let told = all
            .filter(|one| one["trickled"] == true)
            .map(|one| ["party", "candidate", "mid", "checks"].map(|name| one[name].to_string()));
        let mut told: Vec<_> = told.collect();
        told.sort();
        told
    };
    let seen = candidates(&given(&capture, &[], &[]));
    assert!(seen.len() > 4 && seen.iter().any(|one| one[3] == "\"answered\""), "{seen:?}");
    assert_eq!(candidates(&given(&capture, std::slice::from_ref(&dump), &["--filter", "udp"])), seen);
    assert_eq!(candidates(&given(&capture, &[dump], &[])), seen);
}

/// What a dump of rtcstats says of rollback and of the end of candidates, joined by the addresses in it.
#[test]
fn a_dump_of_rtcstats() {
    let candidate = "candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host";
    let offer = |version: u32| json!({ "type": "offer", "sdp": audio(version, A, "0", "") });
    let events = [
        json!(["setLocalDescription", "PC_0", offer(1), 1000]),
        json!(["setRemoteDescription", "PC_0", { "type": "answer", "sdp": audio(1, B, "0", "") }, 2000]),
        json!(["onicecandidate", "PC_0", { "candidate": candidate, "sdpMLineIndex": 0 }, 2100]),
        json!(["onicecandidate", "PC_0", { "candidate": "", "sdpMLineIndex": 0 }, 2200]),
        json!(["setLocalDescription", "PC_0", offer(2), 3000]),
        json!(["setLocalDescription", "PC_0", { "type": "rollback" }, 4000]),
        // Another connection has its own.
        json!(["setLocalDescription", "PC_1", { "type": "offer", "sdp": audio(1, ([192, 0, 2, 1], 4500), "0", "") }, 5000]),
    ];
    let mut sip = Sip::new();
    sip.media(0, A, B, 0x1234_5678, 0);
    let folder = tempfile::tempdir().unwrap();
    let (capture, dump) = (folder.path().join("call.pcap"), folder.path().join("dump.jsonl"));
    fs::write(&capture, &sip.writer.bytes).unwrap();
    fs::write(&dump, events.map(|event| event.to_string()).join("\n")).unwrap();
    let document = given(&capture, &[dump], &[]);
    let signalling = &document["sessions"][0]["signalling"];
    assert_eq!(outcomes(signalling), [("answered", false), ("rolled-back", false)]);
    let [own] = list(&signalling["candidates"]) else { panic!("{}", signalling["candidates"]) };
    assert_eq!(
        ["party", "candidate", "trickled", "packet"].map(|name| own[name].clone()),
        [json!("offerer"), json!(candidate), json!(true), Value::Null]
    );
    let [end] = list(&signalling["endOfCandidates"]) else { panic!("{}", signalling["endOfCandidates"]) };
    assert_eq!((&end["party"], &end["trickled"], &end["packet"]), (&json!("offerer"), &json!(true), &Value::Null));
    assert_eq!(rules(&document), ["SIG005"]);
}

/// A real call beside descriptions in which its video has another number.
#[test]
fn a_payload_type_of_a_browser_that_neither_listed() {
    let Some(folder) = captures().map(|folder| folder.join("lab/firefox-av-lossy")) else { return };
    let capture = folder.with_file_name("derived-midcall").join("capture.pcapng");
    let files = tempfile::tempdir().unwrap();
    let changed = |name: &str, of: &str, to: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split(' ').map(|word| if word == of { to } else { word }).collect();
                let line = words.join(" ");
                ["rtpmap", "fmtp", "rtcp-fb"]
                    .iter()
                    .fold(line, |line, name| line.replace(&format!("a={name}:{of} "), &format!("a={name}:{to} ")))
            })
            .collect();
        let path = files.path().join(name);
        fs::write(&path, lines.join("\r\n") + "\r\n").unwrap();
        path
    };
    let names = ["offer.final.sdp", "answer.final.sdp"];
    let document = given(&capture, &names.map(|name| folder.join(name)), &[]);
    assert!(!rules(&document).contains(&"SIG006"));
    let streams = list(&document["sessions"][0]["communicating"]["rtpStreams"]);
    let video = streams.iter().find(|stream| stream["kind"] == "video" && stream["role"] == "media").unwrap();
    let number = video["payloadTypes"][0]["payloadType"].as_u64().unwrap();
    let document = given(&capture, &names.map(|name| changed(name, &number.to_string(), "35")), &[]);
    let findings = list(&document["findings"]).iter().filter(|finding| finding["rule"] == "SIG006");
    let ssrc = format!("0x{:08x}", video["ssrc"].as_u64().unwrap());
    let found = findings.clone().find(|finding| finding["message"].as_str().unwrap().contains(&ssrc)).unwrap();
    assert!(found["message"].as_str().unwrap().contains(&format!("payload type {number},")), "{found}");
    assert_eq!(found["packets"][0], video["firstPacket"]);
}
