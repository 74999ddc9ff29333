//! TLS connections of another implementation, opened with what it logged: what is found inside must be what is found in
//! the same bytes in clear.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

mod conversation;
mod craft;

use std::{
    fs,
    io::{Read, Write},
    process::Command,
    sync::{Arc, LazyLock, Mutex},
};

use conversation::{SDP, Turns, Wire, answer, candidate, found, frame, offer, opened, words};
use craft::{Writer, tcp};
use proptest::prelude::*;
use rtcscope::{
    crypto::keylog::KeyLog as Log,
    flow::{
        signalling::{Content, Signal, Via},
        tcp::Reason,
    },
    time::PacketId,
};
use serde_json::{Value, json};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, KeyLog, RootCertStore, ServerConfig, ServerConnection, SupportedCipherSuite,
    crypto::{CryptoProvider, SupportedKxGroup, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

const CERTIFICATES: &[u8] = include_bytes!("vectors/tls_server.pem");

/// The lines that a peer logs.
#[derive(Debug, Default)]
struct Lines(Mutex<String>);

impl KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        *self.0.lock().unwrap() += &format!("{label} {} {}\n", hex(client_random), hex(secret));
    }
}

/// What client and server are able to.
#[derive(Clone, Copy)]
struct Able {
    suite: SupportedCipherSuite,
    client_groups: &'static [&'static dyn SupportedKxGroup],
    server_groups: &'static [&'static dyn SupportedKxGroup],
}

impl Able {
    const fn of(suite: SupportedCipherSuite) -> Self {
        Self { suite, client_groups: ring::ALL_KX_GROUPS, server_groups: ring::ALL_KX_GROUPS }
    }

    fn provider(self, groups: &[&'static dyn SupportedKxGroup]) -> Arc<CryptoProvider> {
        Arc::new(CryptoProvider {
            cipher_suites: vec![self.suite],
            kx_groups: groups.to_vec(),
            ..ring::default_provider()
        })
    }

    fn client(self, lines: &Arc<Lines>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(CERTIFICATES).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(self.provider(self.client_groups));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.key_log = Arc::<Lines>::clone(lines);
        config.enable_early_data = true;
        Arc::new(config)
    }

    fn server(self) -> Arc<ServerConfig> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(CERTIFICATES).skip(1).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(CERTIFICATES).unwrap();
        let builder = ServerConfig::builder_with_provider(self.provider(self.server_groups));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.max_early_data_size = 4096;
        Arc::new(config)
    }
}

/// Two peers and what they sent each other.
struct Peers {
    client: ClientConnection,
    server: ServerConnection,
    lines: Arc<Lines>,
    turns: Turns,
}

impl Peers {
    fn new(able: Able) -> Self {
        let lines = Arc::default();
        let (client, server) = (able.client(&lines), able.server());
        let mut peers = Self::connect(client, server, &lines);
        peers.deliver();
        peers
    }

    /// Of several connections of these peers, the next; nothing is sent yet.
    fn connect(client: Arc<ClientConfig>, server: Arc<ServerConfig>, lines: &Arc<Lines>) -> Self {
        let client = ClientConnection::new(client, "call.example.org".try_into().unwrap()).unwrap();
        let server = ServerConnection::new(server).unwrap();
        Self { client, server, lines: Arc::clone(lines), turns: Turns::new() }
    }

    /// Carries bytes until nobody has more to send.
    fn deliver(&mut self) {
        loop {
            let mut bytes = [Vec::new(), Vec::new()];
            while self.client.wants_write() {
                self.client.write_tls(&mut bytes[0]).unwrap();
            }
            let mut rest = &bytes[0][..];
            while !rest.is_empty() {
                self.server.read_tls(&mut rest).unwrap();
                self.server.process_new_packets().unwrap();
                let _until_it_would_block = self.server.reader().read_to_end(&mut Vec::new());
            }
            while self.server.wants_write() {
                self.server.write_tls(&mut bytes[1]).unwrap();
            }
            let mut rest = &bytes[1][..];
            while !rest.is_empty() {
                self.client.read_tls(&mut rest).unwrap();
                self.client.process_new_packets().unwrap();
                let _until_it_would_block = self.client.reader().read_to_end(&mut Vec::new());
            }
            if bytes.iter().all(Vec::is_empty) {
                return;
            }
            let sent = bytes.into_iter().enumerate().filter(|(_, bytes)| !bytes.is_empty());
            self.turns.extend(sent);
        }
    }

    fn say(&mut self, direction: usize, bytes: &[u8]) {
        match direction {
            0 => self.client.writer().write_all(bytes).unwrap(),
            _ => self.server.writer().write_all(bytes).unwrap(),
        }
        self.deliver();
    }

    fn close(&mut self, direction: usize) {
        match direction {
            0 => self.client.send_close_notify(),
            _ => self.server.send_close_notify(),
        }
        self.deliver();
    }

    fn log(&self) -> String {
        self.lines.0.lock().unwrap().clone()
    }

    /// The wire with what they sent on it, and the key log.
    fn wire(&self, log: &str) -> Wire {
        let mut wire = Wire::new();
        wire.keys = Some(key_log(log));
        wire.say_all(&self.turns);
        wire
    }
}

fn key_log(text: &str) -> Log {
    let mut log = Log::default();
    log.take(text.as_bytes());
    log
}

/// Peers that said all that, through TLS.
fn peers_that_said(able: Able, said: &Turns) -> Peers {
    let mut peers = Peers::new(able);
    said.iter().for_each(|(direction, bytes)| peers.say(*direction, bytes));
    peers
}

/// What is found, without the ClientHello.
fn inside(signals: &[Signal]) -> Vec<Content> {
    let contents = signals.iter().map(|signal| signal.content.clone());
    contents.filter(|content| !matches!(content, Content::Tls(_))).collect()
}

fn reasons(wire: &Wire) -> Vec<(Reason, u64)> {
    wire.connections.tls().unopened.iter().map(|(reason, unopened)| (*reason, unopened.connections)).collect()
}

/// Some exchanges of an offer and its answer.
fn repeated(count: usize) -> Turns {
    (0..count).flat_map(|_| https()).collect()
}

/// An offer and its answer in JSON.
fn https() -> Turns {
    posted(&offer(), &answer())
}

fn posted(offer: &str, answer: &str) -> Turns {
    let kind = "Content-Type: application/json\r\nContent-Length:";
    let request = format!("POST /call HTTP/1.1\r\nHost: call.example.org\r\n{kind} {}\r\n\r\n{offer}", offer.len());
    let response = format!("HTTP/1.1 200 OK\r\n{kind} {}\r\n\r\n{answer}", answer.len());
    vec![(0, request.into_bytes()), (1, response.into_bytes())]
}

fn wss() -> Turns {
    let mut turns = opened("");
    turns.push((0, frame(0, 0x81, offer().as_bytes())));
    turns.push((1, frame(1, 0x81, answer().as_bytes())));
    turns.push((0, frame(0, 0x81, candidate().as_bytes())));
    turns.push((1, frame(1, 0x88, &1000_u16.to_be_bytes())));
    turns
}

fn sips() -> Turns {
    let invite = format!(
        "INVITE sips:bob@example.org SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sips:a@b>;tag=1\r\n\
        To: <sips:bob@example.org>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\
        Content-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    );
    vec![(0, invite.into_bytes())]
}

#[test]
fn every_suite_shows_what_is_shown_in_clear() {
    for suite in ring::ALL_CIPHER_SUITES.iter().filter(|suite| is_for_ecdsa(**suite)) {
        for (said, vias) in [(https(), &[Via::Https][..]), (wss(), &[Via::Wss]), (sips(), &[Via::SipTls])] {
            let clear = found(&said);
            assert!(clear.iter().any(|content| matches!(content, Content::Description(_))));
            let peers = peers_that_said(Able::of(*suite), &said);
            let mut wire = peers.wire(&peers.log());
            assert_eq!(reasons(&wire), [], "{suite:?}");
            assert_eq!(wire.connections.tls().opened, 1);
            wire.signals.extend(wire.connections.end());
            assert_eq!(inside(&wire.signals), clear, "{suite:?}");
            let mut found: Vec<_> = wire.signals.iter().map(|signal| signal.via).collect();
            found.dedup();
            assert_eq!(found, [&[Via::Tls], vias].concat(), "{suite:?}");
        }
    }
}

/// What OpenSSL sent with suites that rustls does not have: CBC, CCM, without encryption, and TLS 1.1.
#[test]
fn suites_of_openssl() {
    let said: Turns = wss().into_iter().take(4).collect();
    let clear = found(&said);
    let cases: Vec<&str> = include_str!("vectors/tls_openssl.txt").split("case ").skip(1).collect();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let mut lines = case.lines();
        let name = lines.next().unwrap();
        let mut wire = Wire::new();
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap();
            match word {
                "log" => wire.keys = Some(key_log(rest)),
                "client" => wire.say(0, &hex(rest)),
                "server" => wire.say(1, &hex(rest)),
                other => panic!("{other}"),
            }
        }
        assert_eq!((inside(&wire.signals), reasons(&wire)), (clear.clone(), vec![]), "{name}");
        assert_eq!(wire.labels, ["tls", "https", "wss"], "{name}");
    }
}

fn hex(digits: &str) -> Vec<u8> {
    digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The certificate is of ECDSA.
fn is_for_ecdsa(suite: SupportedCipherSuite) -> bool {
    let name = format!("{:?}", suite.suite());
    name.contains("ECDSA") || name.starts_with("TLS13")
}

fn suites() -> [SupportedCipherSuite; 2] {
    [ring::cipher_suite::TLS13_AES_128_GCM_SHA256, ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
}

#[test]
fn however_the_bytes_are_cut() {
    for suite in suites() {
        let said = wss();
        let peers = peers_that_said(Able::of(suite), &said);
        let clear = found(&said);
        for size in [1, 2, 5, 6, 100, 1000] {
            let mut wire = Wire::new();
            wire.keys = Some(key_log(&peers.log()));
            for (direction, bytes) in &peers.turns {
                bytes.chunks(size).for_each(|chunk| wire.say(*direction, chunk));
            }
            assert_eq!(inside(&wire.signals), clear, "{suite:?}, segments of {size}");
            assert_eq!(wire.labels, ["tls", "https", "wss"]);
        }
    }
}

/// A signal is at the packet that brings the last byte of its record.
#[test]
fn signals_are_where_their_records_end() {
    for suite in suites() {
        let mut peers = Peers::new(Able::of(suite));
        peers.say(0, &https()[0].1);
        let (_, last) = peers.turns.pop().unwrap();
        let mut wire = peers.wire(&peers.log());
        let (start, end) = last.split_at(last.len() - 1);
        wire.say(0, start);
        let before = wire.signals.len();
        wire.say(0, end);
        assert!(wire.signals.len() > before);
        let packet = PacketId::new(0, wire.packets);
        assert!(wire.signals[before..].iter().all(|signal| signal.mark.1 == packet));
        assert!(wire.signals[..before].iter().all(|signal| signal.mark.1 != packet));
    }
}

/// Without keys, with those of others, and with a secret that is not the connection's: nothing but the ClientHello, and
/// one reason.
#[test]
fn what_the_log_does_not_open() {
    for suite in suites() {
        let peers = peers_that_said(Able::of(suite), &https());
        let mut unkeyed = Wire::new();
        unkeyed.say_all(&peers.turns);
        assert_eq!(unkeyed.connections.tls(), Wire::new().connections.tls());
        let other = peers_that_said(Able::of(suite), &https()).log();
        let wrong: String =
            peers.log().lines().map(|line| format!("{}{}\n", &line[..line.len() - 4], "beef")).collect();
        let exporter: String = peers.log().lines().filter(|line| !line.contains("TRAFFIC")).map(as_exporter).collect();
        for (log, reason) in [(other, Reason::NoLine), (wrong, Reason::TagMismatch), (exporter, Reason::NoSecret)] {
            let mut wire = peers.wire(&log);
            assert_eq!(wire.signals, unkeyed.signals);
            wire.signals.extend(wire.connections.end());
            assert_eq!((wire.signals.len(), reasons(&wire)), (1, vec![(reason, 1)]), "{suite:?}");
            assert_eq!(wire.connections.tls().opened, 0);
            assert_eq!(wire.connections.held_bytes(), 0);
        }
    }
}

/// The line with a secret that opens no records.
fn as_exporter(line: &str) -> String {
    let (_, rest) = line.split_once(' ').unwrap();
    let end = rest.len().min(65 + 64);
    format!("EXPORTER_SECRET {}\n", &rest[..end])
}

#[test]
fn a_connection_in_its_middle() {
    for suite in suites() {
        let peers = peers_that_said(Able::of(suite), &https());
        let mut wire = Wire::new();
        wire.keys = Some(key_log(&peers.log()));
        wire.say_all(&peers.turns[2..].to_vec());
        assert_eq!((wire.signals.len(), reasons(&wire)), (0, vec![(Reason::Beginning, 1)]), "{suite:?}");
        assert_eq!(wire.connections.held_bytes(), 0);
    }
}

/// Only what the client sent is captured: the suite is not known.
#[test]
fn one_direction() {
    for suite in suites() {
        let peers = peers_that_said(Able::of(suite), &https());
        let mut wire = Wire::new();
        wire.keys = Some(key_log(&peers.log()));
        let client = peers.turns.iter().filter(|(direction, _)| *direction == 0).cloned();
        wire.say_all(&client.collect());
        wire.connections.end();
        assert_eq!(reasons(&wire), [(Reason::Beginning, 1)], "{suite:?}");
    }
}

/// Segments of records that the capture does not have: the number of the next record is found, and what begins in it is.
#[test]
fn records_that_were_not_captured() {
    for suite in suites() {
        let mut peers = Peers::new(Able::of(suite));
        let opening = peers.turns.len();
        for (direction, bytes) in repeated(20) {
            peers.say(direction, &bytes);
        }
        let all = inside(&peers.wire(&peers.log()).signals).len();
        // A whole request and response; the end of one and the beginning of the next; the middle of a record.
        let gaps = [
            (opening + 2..opening + 4, 0..usize::MAX),
            (opening + 4..opening + 8, 30..usize::MAX),
            (opening + 8..opening + 9, 7..50),
        ];
        for (turns, bytes) in gaps {
            let mut wire = Wire::new();
            wire.keys = Some(key_log(&peers.log()));
            for (index, (direction, sent)) in peers.turns.iter().enumerate() {
                if !turns.contains(&index) {
                    wire.say(*direction, sent);
                    continue;
                }
                let missing = bytes.start.min(sent.len())..bytes.end.min(sent.len());
                wire.say(*direction, &sent[..missing.start]);
                wire.next[*direction] = wire.next[*direction].wrapping_add(missing.len() as u32);
                if missing.end < sent.len() {
                    wire.say(*direction, &sent[missing.end..]);
                }
            }
            let found = inside(&wire.signals).len();
            assert_eq!(reasons(&wire), [], "{suite:?} {turns:?}");
            assert!(found < all && found >= all - 3 * turns.len().max(2), "{suite:?} {turns:?}: {found} of {all}");
        }
    }
}

#[test]
fn keys_that_are_updated() {
    let mut peers = Peers::new(Able::of(ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256));
    for (direction, bytes) in repeated(3) {
        peers.client.refresh_traffic_keys().unwrap();
        peers.say(direction, &bytes);
        peers.server.refresh_traffic_keys().unwrap();
    }
    let wire = peers.wire(&peers.log());
    assert_eq!((inside(&wire.signals), reasons(&wire)), (found(&repeated(3)), vec![]));
}

const FIRST_AND_LAST: &[&dyn SupportedKxGroup] = &[ring::kx_group::X25519, ring::kx_group::SECP384R1];
const LAST: &[&dyn SupportedKxGroup] = &[ring::kx_group::SECP384R1];

/// A server that wants another key share (RFC 8446 section 4.1.4).
#[test]
fn a_hello_retry_request() {
    let able = Able {
        suite: ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
        client_groups: FIRST_AND_LAST,
        server_groups: LAST,
    };
    let peers = peers_that_said(able, &https());
    // Behind the headers of record and message, and the version: the random of all such messages.
    assert_eq!(peers.turns[1].1[11..15], [0xcf, 0x21, 0xad, 0x74]);
    let wire = peers.wire(&peers.log());
    assert_eq!((inside(&wire.signals), reasons(&wire)), (found(&https()), vec![]));
}

/// What a client sends before the ServerHello (RFC 8446 section 4.2.10).
#[test]
fn early_data() {
    let able = Able::of(ring::cipher_suite::TLS13_AES_128_GCM_SHA256);
    let (lines, server) = (Arc::default(), able.server());
    let client = able.client(&lines);
    let mut first = Peers::connect(Arc::clone(&client), Arc::clone(&server), &lines);
    first.deliver();
    first.say(0, b"GET / HTTP/1.1\r\n\r\n");
    let mut second = Peers::connect(client, server, &lines);
    let [(_, request), (_, response)] = &https()[..] else { panic!() };
    second.client.early_data().expect("a ticket").write_all(request).unwrap();
    second.deliver();
    assert!(second.client.is_early_data_accepted());
    second.say(1, response);
    let wire = second.wire(&second.log());
    assert_eq!((inside(&wire.signals), reasons(&wire)), (found(&https()), vec![]));
}

/// A body that lasts until the end of its connection ends with close_notify.
#[test]
fn a_body_up_to_the_end() {
    let body = offer();
    let turns = vec![
        (0, b"GET /offer HTTP/1.0\r\n\r\n".to_vec()),
        (1, format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}").into_bytes()),
    ];
    for suite in suites() {
        let mut peers = peers_that_said(Able::of(suite), &turns);
        assert!(inside(&peers.wire(&peers.log()).signals).is_empty());
        peers.close(1);
        assert_eq!(inside(&peers.wire(&peers.log()).signals), found(&turns));
    }
}

/// TURN over TLS: STUN and ChannelData as over TCP.
#[test]
fn datagrams_of_turn() {
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let channel = |number: u8| [&[0x40, 1, 0, 37, 0x80, 0, 0, number][..], &[number; 33], &[0; 3]].concat();
    let mut said: Turns = vec![(0, stun)];
    // Several in a record, and one in several.
    said.push((0, [channel(1), channel(2), channel(3)].concat()));
    said.push((0, channel(4)[..9].to_vec()));
    said.push((0, channel(4)[9..].to_vec()));
    said.push((1, channel(5)));
    let mut clear = Wire::new();
    clear.say_all(&said);
    assert_eq!(clear.datagrams.len(), 6);
    for suite in suites() {
        let peers = peers_that_said(Able::of(suite), &said);
        let wire = peers.wire(&peers.log());
        assert_eq!((&wire.datagrams, wire.labels), (&clear.datagrams, vec!["tls", "stuns"]));
    }
}

/// HTTP/2 is named, and not followed.
#[test]
fn http2_is_named() {
    let said = vec![(0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()), (1, vec![0; 9]), (0, vec![0; 9])];
    for suite in suites() {
        let peers = peers_that_said(Able::of(suite), &said);
        let wire = peers.wire(&peers.log());
        assert_eq!((wire.labels, wire.connections.tls().opened), (vec!["tls", "http2"], 1));
        assert_eq!((wire.signals.len(), wire.connections.held_bytes()), (1, 0));
    }
}

/// A client whose server never answers holds no more than it may.
#[test]
fn what_waits_for_the_server_is_bounded() {
    let mut peers = peers_that_said(Able::of(suites()[0]), &https());
    peers.turns.truncate(1);
    let mut wire = peers.wire(&peers.log());
    let record = [&[23, 3, 3, 0x40, 0][..], &[5; 0x4000]].concat();
    for _ in 0..100 {
        wire.say(0, &record);
        assert!(wire.connections.held_bytes() < 256 << 10);
    }
    assert_eq!((reasons(&wire), wire.connections.held_bytes()), (vec![(Reason::Beginning, 1)], 0));
}

/// What a connection holds is given back with its end.
#[test]
fn keys_are_given_back() {
    for suite in suites() {
        let peers = peers_that_said(Able::of(suite), &https());
        let mut wire = peers.wire(&peers.log());
        assert!(wire.connections.held_bytes() > 0);
        for direction in 0..2 {
            wire.segment(direction, wire.next[direction], &[], 1);
        }
        assert_eq!(wire.connections.held_bytes(), 0);
    }
}

proptest! {
    /// Segments that were not captured, or cut, or come twice, or are damaged: all that is found was sent.
    #[test]
    fn whatever_becomes_of_the_segments(
        steps in prop::collection::vec((0_u8..12, 1_usize..900), 1..60),
        suite in 0_usize..2,
    ) {
        let (log, turns) = &RECORDED[suite];
        let mut wire = Wire::new();
        wire.keys = Some(key_log(log));
        let mut steps = steps.iter().cycle();
        for (direction, bytes) in turns {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (step, size) = *steps.next().unwrap();
                let (segment, behind) = rest.split_at(size.min(rest.len()));
                let sequence = wire.next[*direction];
                match step {
                    0 => {}
                    1 => wire.snapped(*direction, sequence, segment, segment.len() / 2, 0),
                    2 => {
                        let mut damaged = segment.to_vec();
                        damaged[size % segment.len()] ^= 1;
                        wire.segment(*direction, sequence, &damaged, 0);
                    }
                    3 => {
                        wire.segment(*direction, sequence, segment, 0);
                        wire.segment(*direction, sequence, segment, 0);
                    }
                    _ => wire.segment(*direction, sequence, segment, 0),
                }
                wire.next[*direction] = sequence.wrapping_add(segment.len() as u32);
                rest = behind;
            }
        }
        prop_assert!(wire.connections.held_bytes() < 1 << 20);
        wire.signals.extend(wire.connections.end());
        // This looks whether descriptions and candidates are as they were sent.
        words(&inside(&wire.signals));
        let tls = wire.connections.tls();
        prop_assert!(tls.opened + tls.unopened.values().map(|unopened| unopened.connections).sum::<u64>() <= 2);
    }
}

/// The logs and the bytes of a connection of each suite.
static RECORDED: LazyLock<[(String, Turns); 2]> = LazyLock::new(|| {
    suites().map(|suite| {
        let said: Turns =
            wss().into_iter().take(5).chain((0..10).flat_map(|_| wss().into_iter().skip(2).take(3))).collect();
        let peers = peers_that_said(Able::of(suite), &said);
        (peers.log(), peers.turns)
    })
});

/// From a file to the report, with the key log in another.
#[test]
fn a_report_of_what_was_opened() {
    let description = |kind: &str, host: &str| {
        let sdp = format!("{SDP}c=IN IP4 {host}\r\na=ice-ufrag:{kind}\r\na=ice-pwd:0123456789012345678901\r\n");
        (json!({ "type": kind, "sdp": sdp }).to_string(), sdp)
    };
    let [(offer, offered), (answer, answered)] =
        [description("offer", "192.0.2.1"), description("answer", "192.0.2.2")];
    let mut socket = opened("");
    socket.extend([(0, frame(0, 0x81, offer.as_bytes())), (1, frame(1, 0x81, answer.as_bytes()))]);
    for (suite, said, transport) in [(suites()[0], socket, "wss"), (suites()[1], posted(&offer, &answer), "https")] {
        let peers = peers_that_said(Able::of(suite), &said);
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("call.pcap");
        fs::write(&capture, capture_of(&peers.turns)).unwrap();
        let report = |log: Option<&str>| -> Value {
            let mut program = Command::new(env!("CARGO_BIN_EXE_rtcscope"));
            program.args(["analyze", "--format", "json"]).arg(&capture);
            if let Some(text) = log {
                fs::write(folder.path().join("keys.log"), text).unwrap();
                program.arg("--keylog").arg(folder.path().join("keys.log"));
            }
            serde_json::from_slice(&program.output().unwrap().stdout).unwrap()
        };
        let opened = report(Some(&peers.log()));
        let signalling = &opened["sessions"][0]["signalling"];
        assert_eq!(signalling["transport"], transport);
        let texts = ["offers", "answers"].map(|which| signalling[which][0]["sdp"].as_str().unwrap());
        assert_eq!(texts, [offered.as_str(), answered.as_str()]);
        // Without its keys there is no call, and one line says why.
        let (unkeyed, mut foreign) = (report(None), report(Some(&Peers::new(Able::of(suite)).log())));
        assert_eq!(unkeyed["sessions"], json!([]));
        let findings = foreign["findings"].as_array_mut().unwrap();
        let told = findings.extract_if(.., |finding| finding["rule"] == "CAP016").collect::<Vec<_>>();
        let [finding] = &told[..] else { panic!("{told:?}") };
        let line =
            "TLS that the keys given do not open: 1 connection without a line for the client random in the key log";
        assert_eq!(finding["message"], line);
        assert_eq!(foreign, unkeyed);
    }
}

/// A capture of the two hosts' segments.
fn capture_of(turns: &Turns) -> Vec<u8> {
    let ends = [([192, 0, 2, 1], 40000), ([192, 0, 2, 2], 443)];
    let (mut writer, mut next) = (Writer::raw(), [1_u32, 1]);
    for (index, (direction, bytes)) in turns.iter().enumerate() {
        for (part, segment) in bytes.chunks(1400).enumerate() {
            let packet = tcp(ends[*direction], ends[direction ^ 1], next[*direction], segment);
            writer.packet(1_000_000 * index as i64 + part as i64, &packet);
            next[*direction] += segment.len() as u32;
        }
    }
    writer.bytes
}
