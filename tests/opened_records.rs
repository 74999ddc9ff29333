//! DTLS and TLS records of real calls, opened with the key logs of their peers: every encrypted record must open, and what
//! is exported must be what the peers had. What is expected is the lab's own check of the same keys (`keycheck.json`, by
//! OpenSSL's primitives), or was read with tshark.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

#[path = "common/frames.rs"]
#[allow(dead_code, reason = "each test crate uses its part")]
mod frames;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use aes::{
    Aes128Enc,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use hmac::{Hmac, Mac};
use rtcscope::{
    crypto::{
        keylog::KeyLog,
        tls::{Datagrams12, Datagrams13, Failure, Negotiated, Opened, Side, Stream12, Stream13, StreamRecord},
    },
    wire::dtls::{
        self, Header, content_type,
        handshake::{ServerHello, handshake_type},
    },
};
use serde_json::Value;
use sha1::Sha1;

/// `use_srtp` (RFC 5764 section 4.2).
const SRTP: &str = "EXTRACTOR-dtls_srtp";
/// `encrypt_then_mac` (RFC 7366).
const ENCRYPT_THEN_MAC: u16 = 22;

/// An association: what its hellos say, and what opened.
#[derive(Default)]
struct Association {
    client: Option<SocketAddr>,
    client_random: [u8; 32],
    opener: Option<Opener>,
    /// Records by side, epoch and type.
    opened: BTreeMap<(char, u64, u8), u64>,
    /// Records in the datagrams of the ServerHello.
    beside_hello: u64,
    failed: Vec<(u64, Failure)>,
}

enum Opener {
    Old(Box<Datagrams12>),
    New(Box<Datagrams13>),
}

impl Opener {
    fn open<'b>(
        &mut self,
        side: Side,
        record: &dtls::Record<'_>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Opened<'b>, Failure> {
        match self {
            Self::Old(opener) => opener.open(side, record, buffer),
            Self::New(opener) => opener.open(side, record, buffer),
        }
    }

    fn export(&self, output: &mut [u8]) {
        match self {
            Self::Old(opener) => opener.export(SRTP, None, output),
            Self::New(opener) => opener.export(SRTP, &[], output).unwrap(),
        }
    }
}

/// The associations of a capture by their two ends, in the order of their first hello.
fn associations(path: &Path, log: &KeyLog) -> Vec<Association> {
    let mut datagrams = frames::datagrams(path);
    frames::unwrap_turn(&mut datagrams);
    let mut all: Vec<((SocketAddr, SocketAddr), Association)> = Vec::new();
    let mut buffer = Vec::new();
    for datagram in &datagrams {
        let (source, destination) = (datagram.source, datagram.destination);
        if datagram.protocol != frames::UDP || !dtls::looks_like_dtls(&datagram.payload, datagram.length) {
            continue;
        }
        let ends = (source.min(destination), source.max(destination));
        let mut has_hello = false;
        for record in dtls::records(&datagram.payload, datagram.length).flatten() {
            for handshake in record.handshakes().flatten() {
                let Some(random) = handshake.random() else { continue };
                if handshake.message_type == handshake_type::CLIENT_HELLO {
                    let known = all.last().is_some_and(|(last, known)| *last == ends && known.client_random == *random);
                    if !known {
                        let association =
                            Association { client: Some(source), client_random: *random, ..Association::default() };
                        all.push((ends, association));
                    }
                    continue;
                }
                let Some((_, association)) = all.iter_mut().rfind(|(known, _)| *known == ends) else { continue };
                has_hello = true;
                // Its beginning has all that matters but the version, which the suite tells.
                let hello = ServerHello::parse(handshake.body)
                    .unwrap_or_else(|_| ServerHello::parse_opening(handshake.body).unwrap());
                if association.opener.is_none() && !hello.is_retry_request() {
                    association.choose(&hello, log);
                }
            }
            let Some((_, association)) = all.iter_mut().rfind(|(known, _)| *known == ends) else { continue };
            if !record.is_clear() {
                association.beside_hello += u64::from(has_hello);
                association.record(datagram.number, source, &record, &mut buffer);
            }
        }
    }
    all.into_iter().map(|(_, association)| association).collect()
}

impl Association {
    fn choose(&mut self, hello: &ServerHello<'_>, log: &KeyLog) {
        let Some(secrets) = log.secrets(&self.client_random) else { return };
        self.opener = Some(if hello.cipher_suite >> 8 == 0x13 {
            Opener::New(Box::new(Datagrams13::new(hello.cipher_suite, secrets).unwrap()))
        } else {
            let negotiated = Negotiated {
                version: hello.version,
                cipher_suite: hello.cipher_suite,
                client_random: &self.client_random,
                server_random: hello.random,
                encrypt_then_mac: hello.extensions().any(|extension| extension.kind == ENCRYPT_THEN_MAC),
            };
            Opener::Old(Box::new(Datagrams12::new(&negotiated, secrets.master().unwrap()).unwrap()))
        });
    }

    fn record(&mut self, number: u64, source: SocketAddr, record: &dtls::Record<'_>, buffer: &mut Vec<u8>) {
        let Some(opener) = &mut self.opener else { return };
        let (side, letter) = if Some(source) == self.client { (Side::Client, 'C') } else { (Side::Server, 'S') };
        match opener.open(side, record, buffer) {
            Ok(opened) => {
                *self.opened.entry((letter, opened.epoch, opened.content_type)).or_default() += 1;
                if let Header::Plain { content_type, epoch, sequence, .. } = record.header {
                    let own = (content_type, u64::from(epoch), sequence);
                    assert_eq!((opened.content_type, opened.epoch, opened.sequence), own, "packet {number}");
                }
            }
            Err(failure) => self.failed.push((number, failure)),
        }
    }

    fn exported(&self, length: usize) -> Vec<u8> {
        let mut output = vec![0; length];
        self.opener.as_ref().unwrap().export(&mut output);
        output
    }
}

fn key_log(folder: &Path) -> KeyLog {
    let mut log = KeyLog::default();
    log.take(&fs::read(folder.join("keys.log")).unwrap());
    assert_eq!(log.tally().broken, 0, "{}", folder.display());
    log
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Folders of the lab with a key log, and the lab's check of it.
fn keyed(lab: &Path) -> Vec<(PathBuf, Value)> {
    let folders = fs::read_dir(lab).unwrap().map(|entry| entry.unwrap().path());
    let mut keyed: Vec<_> = folders.filter(|folder| folder.join("keys.log").exists()).collect();
    keyed.sort();
    keyed.into_iter().map(|folder| (folder.clone(), json(&folder.join("keycheck.json")))).collect()
}

#[test]
fn browsers_open_with_their_key_log() {
    let Some(captures) = frames::captures() else { return };
    let mut records = 0;
    for (folder, check) in keyed(&captures.join("lab")) {
        let name = folder.display();
        let all = associations(&folder.join("capture.pcapng"), &key_log(&folder));
        let [association] = &all[..] else { panic!("{name}: {} associations", all.len()) };
        assert_eq!(association.failed, [], "{name}");
        let Some(expected) = check["dtls_records"].as_object() else {
            // Counted with tshark: `-Y dtls -T fields -e ip.src -e dtls.record.content_type -e dtls.record.epoch`.
            assert!(folder.ends_with("firefox-dtls12"), "{name}: nothing expected");
            let counts = [('C', 21, 1), ('C', 22, 1), ('C', 23, 165), ('S', 21, 1), ('S', 22, 1), ('S', 23, 268)];
            let expected = counts.map(|(side, content_type, count)| ((side, 1, content_type), count));
            assert_eq!(association.opened, BTreeMap::from(expected), "{name}");
            continue;
        };
        let opened: BTreeMap<String, u64> =
            association.opened.iter().map(|(key, count)| (words(*key), *count)).collect();
        let mut expected: BTreeMap<String, u64> =
            expected.iter().map(|(key, count)| (key.clone(), count.as_u64().unwrap())).collect();
        // The lab's check took keys up behind the datagram that the ServerHello is in.
        if let Some(count) = expected.get_mut("SERVER epoch 2 type 22 ok") {
            *count += association.beside_hello;
        }
        assert_eq!(opened, expected, "{name}");
        records += opened.values().sum::<u64>();
    }
    assert!(records > 7000, "{records}");
}

fn words((side, epoch, content_type): (char, u64, u8)) -> String {
    let side = if side == 'C' { "CLIENT" } else { "SERVER" };
    format!("{side} epoch {epoch} type {content_type} ok")
}

#[test]
fn other_peers_open_with_their_key_log() {
    let Some(captures) = frames::captures() else { return };
    let (mut keyed_associations, mut records) = (0, 0);
    for (folder, check) in keyed(&captures.join("labb")) {
        let name = folder.display();
        let expected = check["associations"].as_array().into_iter().flatten();
        let mut all = associations(&folder.join("capture.pcapng"), &key_log(&folder));
        all.retain(|association| association.opener.is_some());
        assert_eq!(all.len(), expected.clone().count(), "{name}");
        let mut opened: BTreeMap<String, u64> = BTreeMap::new();
        for (association, expected) in all.iter().zip(expected) {
            assert_eq!(association.failed, [], "{name}");
            let exported = expected["exported"].as_str().unwrap();
            assert_eq!(hex(&association.exported(exported.len() / 2)), exported, "{name}");
            for ((side, epoch, content_type), count) in &association.opened {
                assert_eq!(*epoch, 1, "{name}");
                let side = if *side == 'C' { "client" } else { "server" };
                *opened.entry(format!("dtls {side} type {content_type} ok")).or_default() += count;
                records += count;
            }
            keyed_associations += 1;
        }
        let expected = check["counts"].as_object().into_iter().flatten();
        let expected: BTreeMap<String, u64> = expected
            .filter(|(key, _)| key.starts_with("dtls "))
            .map(|(key, count)| (key.clone(), count.as_u64().unwrap()))
            .collect();
        assert_eq!(opened, expected, "{name}");
    }
    assert!(keyed_associations >= 9 && records > 4000, "{keyed_associations} {records}");
}

/// A capture with its secrets in a block; the records counted with tshark.
#[test]
fn ccm_8_with_a_secrets_block() {
    let Some(captures) = frames::captures() else { return };
    let path = captures.join("public/captures/wireshark__dtls12-aes128ccm8-dsb.pcapng");
    let bytes = fs::read(&path).unwrap();
    let start = bytes.windows(14).position(|window| window == b"CLIENT_RANDOM ").unwrap();
    let mut log = KeyLog::default();
    log.take(&bytes[start..start + 14 + 64 + 1 + 96]);
    let all = associations(&path, &log);
    let [association] = &all[..] else { panic!("{} associations", all.len()) };
    assert_eq!(association.failed, []);
    let expected = [(('C', 1, 21), 1), (('C', 1, 22), 1), (('C', 1, 23), 2), (('S', 1, 22), 1), (('S', 1, 23), 2)];
    assert_eq!(association.opened, BTreeMap::from(expected));
}

/// What is exported from DTLS 1.3 keys the call's SRTP: every packet has the tag that RFC 3711 makes with it.
#[test]
fn srtp_has_the_tags_of_what_dtls_1_3_exports() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("lab/chromium-firefox-av");
    let all = associations(&folder.join("capture.pcapng"), &key_log(&folder));
    let [association] = &all[..] else { panic!("{} associations", all.len()) };
    // RFC 5764 section 4.2: keys of the client and the server, then their salts.
    let exported = association.exported(60);
    let sides = [("client", &exported[..16], &exported[32..46]), ("server", &exported[16..32], &exported[46..])];
    let mut authentic: BTreeMap<String, u64> = BTreeMap::new();
    for datagram in frames::datagrams(&folder.join("capture.pcapng")) {
        let packet = &datagram.payload;
        let is_rtp = packet.len() > 22 && packet[0] >> 6 == 2 && !(192..224).contains(&packet[1]);
        let ends = [datagram.source, datagram.destination].map(Some);
        if datagram.protocol != frames::UDP || !is_rtp || !ends.contains(&association.client) {
            continue;
        }
        let is_client = ends[0] == association.client;
        let (side, key, salt) = sides[usize::from(!is_client)];
        let mac = Hmac::<Sha1>::new_from_slice(&authentication_key(key, salt)).unwrap();
        let (content, tag) = packet.split_at(packet.len() - 10);
        // No sequence number wraps in this call: the rollover counter is 0.
        let made = mac.chain_update(content).chain_update([0; 4]).finalize().into_bytes();
        let outcome = if made[..10] == *tag { "ok" } else { "fails" };
        *authentic.entry(format!("{side} {} {outcome}", hex(&packet[8..12]))).or_default() += 1;
    }
    let check = json(&folder.join("keycheck.json"));
    let expected: BTreeMap<String, u64> =
        check["srtp"].as_object().unwrap().iter().map(|(key, count)| (key.clone(), count.as_u64().unwrap())).collect();
    assert_eq!(authentic, expected);
}

/// The session authentication key (RFC 3711 section 4.3.1, label 1), with a key derivation rate of 0.
fn authentication_key(key: &[u8], salt: &[u8]) -> Vec<u8> {
    let cipher = Aes128Enc::new_from_slice(key).unwrap();
    let mut derived = Vec::new();
    for counter in 0..2 {
        let mut block = [0; 16];
        block[..14].copy_from_slice(salt);
        block[7] ^= 1;
        block[15] = counter;
        let mut block = block.into();
        cipher.encrypt_block(&mut block);
        derived.extend_from_slice(&block);
    }
    derived.truncate(20);
    derived
}

/// The records of a TLS stream.
fn tls_records(bytes: &[u8]) -> Vec<StreamRecord<'_>> {
    let (mut records, mut rest) = (Vec::new(), bytes);
    while let [content_type, major, minor, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let version = u16::from_be_bytes([*major, *minor]);
        records.push(StreamRecord { content_type: *content_type, version, content: &behind[..length] });
        rest = &behind[length..];
    }
    records
}

/// Client and server of the connection to a port, each in records.
fn connection(
    streams: &BTreeMap<(SocketAddr, SocketAddr), Vec<u8>>,
    port: u16,
) -> (Vec<StreamRecord<'_>>, Vec<StreamRecord<'_>>) {
    let ((client, server), sent) = streams.iter().find(|((_, server), _)| server.port() == port).unwrap();
    (tls_records(sent), tls_records(&streams[&(*server, *client)]))
}

/// The random of a hello, behind the four bytes of its header and the version.
fn random<'a>(records: &[StreamRecord<'a>]) -> &'a [u8; 32] {
    records[0].content[6..38].try_into().unwrap()
}

#[test]
fn sip_over_tls_1_3() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("labb/sip-tls");
    let log = key_log(&folder);
    let streams = frames::tcp_streams(&folder.join("capture.pcapng"));
    let (client, server) = connection(&streams, 5061);
    // The suite is that of the ServerHello: 0x1302, by tshark.
    let mut opener = Stream13::new(0x1302, log.secrets(random(&client)).unwrap()).unwrap();
    let (mut buffer, mut lines) = (Vec::new(), Vec::new());
    let mut types: BTreeMap<(char, u64, u8), u64> = BTreeMap::new();
    for (side, letter, records) in [(Side::Client, 'C', &client), (Side::Server, 'S', &server)] {
        for record in records {
            match opener.open(side, record, &mut buffer) {
                Ok(opened) => {
                    *types.entry((letter, opened.epoch, opened.content_type)).or_default() += 1;
                    if opened.content_type == content_type::APPLICATION_DATA {
                        let text = String::from_utf8(opened.plaintext.to_vec()).unwrap();
                        lines.push(text.lines().next().unwrap().to_owned());
                    }
                }
                Err(failure) => assert_eq!((failure, record.content_type == 23), (Failure::Clear, false)),
            }
        }
    }
    // What tshark lists with the same key log: messages of the handshake, and tickets.
    let handshake = [(('C', 2, 22), 1), (('S', 2, 22), 4), (('S', 3, 22), 2)];
    assert!(handshake.iter().all(|(key, count)| types.get(key) == Some(count)), "{types:?}");
    let starts: Vec<&str> = lines.iter().map(|line| line.split("sip:").next().unwrap()).collect();
    assert_eq!(starts, SIP_LINES, "{lines:?}");
}

/// What tshark reads in the same records: the client's, then the server's.
const SIP_LINES: [&str; 6] =
    ["INVITE ", "ACK ", "BYE ", "SIP/2.0 180 Ringing", "SIP/2.0 200 Answering", "SIP/2.0 200 OK"];

/// The records of TURN over TLS 1.2, and what is left of them where the capture lost some.
#[test]
fn turn_over_tls_1_2() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("labb/turn-tls12");
    let log = key_log(&folder);
    let streams = frames::tcp_streams(&folder.join("capture.pcapng"));
    let (client, server) = connection(&streams, 5349);
    let negotiated = Negotiated {
        version: 0x0303,
        // By tshark.
        cipher_suite: 0xc030,
        client_random: random(&client),
        server_random: random(&server),
        encrypt_then_mac: false,
    };
    let master = log.secrets(random(&client)).unwrap().master().unwrap();
    let mut buffer = Vec::new();
    // All of them, without a third of them, and without the handshake.
    let parts =
        [|_: usize| true, |index: usize| index < 6 || !(index / 20).is_multiple_of(3), |index: usize| index >= 7];
    for keep in parts {
        let mut opener = Stream12::new(&negotiated, master).unwrap();
        let (mut data, mut expected) = (0, 0);
        for (side, records) in [(Side::Client, &client), (Side::Server, &server)] {
            let changed = records.iter().position(|record| record.content_type == 20).unwrap();
            for (index, record) in records.iter().enumerate().filter(|(index, _)| keep(*index)) {
                let opened = opener.open(side, record, &mut buffer);
                if index <= changed {
                    assert_eq!(opened, Err(Failure::Clear));
                    continue;
                }
                let opened = opened.unwrap();
                assert_eq!(opened.sequence, (index - changed - 1) as u64);
                expected += u64::from(record.content_type == 23);
                // STUN, or ChannelData in whose head stands how long it is.
                let is_stun = opened.plaintext.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42]);
                let is_channel = opened.plaintext.first() == Some(&0x40);
                data += u64::from(opened.content_type == 23 && (is_stun || is_channel));
            }
        }
        assert_eq!(data, expected);
        assert!(data > 500, "{data}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
