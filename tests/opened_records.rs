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

use rtcscope::{
    crypto::{
        keylog::KeyLog,
        tls::{Datagrams12, Datagrams13, Failure, Negotiated, Opened, Side, Stream12, Stream13, StreamRecord},
    },
    wire::dtls::{
        self, Header, content_type,
        handshake::{ServerHello, handshake_type},
        version,
    },
};
use serde_json::Value;

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
    /// Content of application data, in order.
    data: Vec<Vec<u8>>,
    failed: Vec<(u64, Failure)>,
}

enum Opener {
    Old(Datagrams12),
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
                // Its beginning has all that matters but the version, which the suite tells.
                let hello = ServerHello::parse(handshake.body)
                    .unwrap_or_else(|_| ServerHello::parse_opening(handshake.body).unwrap());
                if association.opener.is_none() && !hello.is_retry_request() {
                    association.choose(&hello, log);
                }
            }
            let Some((_, association)) = all.iter_mut().rfind(|(known, _)| *known == ends) else { continue };
            if !record.is_clear() {
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
            Opener::Old(Datagrams12::new(&negotiated, secrets.master().unwrap()).unwrap())
        });
    }

    fn record(&mut self, number: u64, source: SocketAddr, record: &dtls::Record<'_>, buffer: &mut Vec<u8>) {
        let Some(opener) = &mut self.opener else { return };
        let (side, letter) = if Some(source) == self.client { (Side::Client, 'C') } else { (Side::Server, 'S') };
        match opener.open(side, record, buffer) {
            Ok(opened) => {
                *self.opened.entry((letter, opened.epoch, opened.content_type)).or_default() += 1;
                if opened.content_type == content_type::APPLICATION_DATA {
                    self.data.push(opened.plaintext.to_vec());
                }
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
        let Some(expected) = check["dtls_records"].as_object() else { panic!("{name}: nothing expected") };
        let opened: BTreeMap<String, u64> = association.opened.iter().map(|(key, count)| (words(*key), *count)).collect();
        let expected: BTreeMap<String, u64> =
            expected.iter().map(|(key, count)| (key.clone(), count.as_u64().unwrap())).collect();
        assert_eq!(opened, expected, "{name}");
        records += opened.values().sum::<u64>();
    }
    assert!(records > 8000, "{records}");
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
