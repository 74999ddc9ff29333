//! Key logs that are foreign, partial or none, and keyed captures that were cut, moved and mixed.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod analysis;
mod common;
mod craft;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use analysis::Packet;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{Run, analyze, analyze_with, frames, hex, json, list, unsigned};
use craft::Container;
use serde_json::Value;
use tempfile::TempDir;

/// A call with DTLS 1.3, two audio and two video streams, and data channels; some packets are lost.
const FIREFOX: &str = "lab/firefox-av-lossy";
/// A call with DTLS 1.2.
const AIORTC: &str = "labb/aiortc-gcm128";

/// A keyed call of the collection.
struct Scene {
    folder: PathBuf,
    /// Where files for one run are written.
    scratch: TempDir,
}

impl Scene {
    fn open(name: &str) -> Option<Self> {
        Some(Self { folder: frames::captures()?.join(name), scratch: TempDir::new().unwrap() })
    }

    fn capture(&self) -> PathBuf {
        self.folder.join("capture.pcapng")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("keys.log")).unwrap()
    }

    fn packets(&self) -> (u16, Vec<Packet>) {
        analysis::packets(&self.capture()).unwrap()
    }

    fn keyed(&self) -> Run {
        analyze_with(&[OsStr::new("--keylog"), self.folder.join("keys.log").as_os_str()], &self.capture())
    }

    /// The run with a log of this text.
    fn with_log(&self, log: impl AsRef<[u8]>) -> Run {
        self.of(&self.capture(), log)
    }

    fn of(&self, capture: &Path, log: impl AsRef<[u8]>) -> Run {
        analyze_with(&[OsStr::new("--keylog"), self.write("some.log", log).as_os_str()], capture)
    }

    /// The run of other packets, with the call's own log.
    fn crafted(&self, link: u16, packets: &[Packet]) -> Run {
        let capture = self.write("some.pcap", analysis::written(Container::Pcap, false, link, packets));
        self.of(&capture, self.log())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.scratch.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// What keys bring to light.
#[derive(Debug, Default, PartialEq)]
struct Opened {
    srtcp: u64,
    types: BTreeMap<String, u64>,
    fingerprints: BTreeSet<String>,
    chunks: BTreeMap<String, u64>,
    /// Messages and bytes of each data channel by the host that sent them.
    channels: BTreeMap<(String, String), [u64; 2]>,
    /// Lost packets and reports of each stream, as its receiver reported them.
    reported: BTreeMap<u64, (Value, Value)>,
}

impl Opened {
    fn of(run: &Run) -> Self {
        let mut opened = Self {
            srtcp: run.sum("/communicating/rtcp/decrypted"),
            types: run.counts("/communicating/rtcp/byType"),
            chunks: run.counts("/communicating/sctp/chunks"),
            ..Self::default()
        };
        for session in run.sessions() {
            let certificates = list(&session["securing"]["certificates"]);
            opened.fingerprints.extend(certificates.iter().map(|one| one["fingerprint"].as_str().unwrap().to_owned()));
            for channel in list(&session["communicating"]["dataChannels"]) {
                for way in list(&channel["directions"]) {
                    let host = way["source"].as_str().unwrap().rsplit_once(':').unwrap().0.to_owned();
                    let counts = opened.channels.entry((channel["label"].to_string(), host)).or_default();
                    for (sum, field) in counts.iter_mut().zip(["messages", "bytes"]) {
                        *sum += unsigned(&way[field]);
                    }
                }
            }
        }
        for stream in run.streams().iter().filter(|stream| !stream["reported"].is_null()) {
            let reported = &stream["reported"];
            let told = (reported["packetsLost"].clone(), reported["reports"].clone());
            opened.reported.insert(unsigned(&stream["ssrc"]), told);
        }
        opened
    }
}

/// The report without what tells that there were keys.
fn without_keys(mut report: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("decryption");
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut report);
    report
}

/// The lines of a log whose label passes.
fn lines(log: &str, passes: impl Fn(&str) -> bool) -> String {
    log.lines().filter(|line| passes(line.split(' ').next().unwrap())).map(|line| format!("{line}\n")).collect()
}

#[test]
fn foreign_logs_change_nothing() {
    for (name, other) in [(FIREFOX, AIORTC), (AIORTC, FIREFOX), ("lab/firefox-dtls12", AIORTC)] {
        let (Some(scene), Some(other)) = (Scene::open(name), Scene::open(other)) else { return };
        let foreign = scene.with_log(other.log());
        let plain = analyze(&scene.capture());
        assert_eq!(foreign.status, plain.status, "{name}");
        assert!(without_keys(foreign.report) == without_keys(plain.report), "{name}: the report is another");
    }
}

#[test]
fn parts_of_logs_open_their_part() {
    let Some(scene) = Scene::open(FIREFOX) else { return };
    let log = scene.log();
    let whole = Opened::of(&scene.keyed());
    let plain = Opened::of(&analyze(&scene.capture()));
    // B is the client.
    let client = "10.2.0.2";
    assert!(whole.channels.keys().any(|(_, host)| host == client));

    let exporter = Opened::of(&scene.with_log(lines(&log, |label| label == "EXPORTER_SECRET")));
    assert_eq!((exporter.srtcp, &exporter.types, &exporter.reported), (whole.srtcp, &whole.types, &whole.reported));
    assert!(exporter.fingerprints.is_empty() && exporter.chunks.is_empty() && exporter.channels.is_empty());

    let one_side = Opened::of(&scene.with_log(lines(&log, |label| label.starts_with("CLIENT_"))));
    assert_eq!((one_side.srtcp, &one_side.types), (0, &plain.types));
    let answer = fs::read_to_string(scene.folder.join("answer.sdp")).unwrap();
    let fingerprint = answer.lines().find_map(|line| line.strip_prefix("a=fingerprint:sha-256 ")).unwrap();
    assert_eq!(one_side.fingerprints, [fingerprint.to_owned()].into());
    let client_only = |opened: &Opened| -> BTreeMap<String, u64> {
        opened
            .channels
            .iter()
            .filter(|((_, host), _)| host == client)
            .map(|((label, _), [count, _])| (label.clone(), *count))
            .collect()
    };
    let sent: u64 = client_only(&one_side).values().sum();
    assert!(sent > 0 && sent <= client_only(&whole).values().sum(), "{one_side:?}");
    let from_server = one_side.channels.iter().filter(|((_, host), _)| host != client);
    assert_eq!(from_server.map(|(_, [count, _])| count).sum::<u64>(), 0, "{one_side:?}");

    let data = Opened::of(&scene.with_log(lines(&log, |label| !label.contains("HANDSHAKE"))));
    assert_eq!(Opened { fingerprints: BTreeSet::new(), ..whole }, data);
}

#[test]
fn logs_are_read_however_they_are_written() {
    let Some(scene) = Scene::open(FIREFOX) else { return };
    let (log, whole) = (scene.log(), scene.keyed());
    let upper: String = log
        .lines()
        .map(|line| match line.split_once(' ') {
            Some((label, rest)) => format!("{label} {}\n", rest.to_uppercase()),
            None => format!("{line}\n"),
        })
        .collect();
    let garbage: String =
        log.lines().map(|line| format!("\u{1}\u{2}garbage\nCLIENT_RANDOM 12 34\n{line}\n\n# more\n")).collect();
    let mut binary = garbage.clone().into_bytes();
    binary.extend([0, 255, 254, b'\n']);
    let forms: [(&str, Vec<u8>); 6] = [
        ("CRLF", log.replace('\n', "\r\n").into_bytes()),
        ("upper case", upper.into_bytes()),
        ("garbage between", garbage.into_bytes()),
        ("binary behind", binary),
        ("no newline at the end", log.trim_end().as_bytes().to_vec()),
        ("each line twice", format!("{log}{log}").into_bytes()),
    ];
    for (form, text) in forms {
        let run = scene.with_log(text);
        assert!(run.report == whole.report, "{form}: the report is another");
    }
}

#[test]
fn what_is_no_log_is_said_in_a_sentence() {
    let Some(scene) = Scene::open(FIREFOX) else { return };
    let secret = scene.log().lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    let capture = scene.capture();
    let paths = [
        scene.write("words.log", "these are words\n"),
        scene.write("secret.log", &secret),
        scene.write("binary.log", (0..=255).collect::<Vec<u8>>()),
        scene.scratch.path().join("none.log"),
        scene.scratch.path().to_owned(),
        capture.clone(),
    ];
    for path in paths {
        let run = analyze_with(&[OsStr::new("--keylog"), path.as_os_str()], &capture);
        assert_eq!((run.status, &run.report), (2, &Value::Null), "{}", path.display());
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert!(run.stderr.starts_with("rtcscope: "), "{}", run.stderr);
        assert!(run.stderr.contains(&*path.to_string_lossy()), "{}", run.stderr);
        assert!(!run.stderr.contains(&secret[..16]), "{}", run.stderr);
    }
}

#[test]
fn errors_quote_no_key() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
    let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d";
    let wrong = [
        format!("{digits}0"),
        format!("{key}:AES_CM_128_HMAC_SHA1_80"),
        format!("AES_CM_128_HMAC_SHA1_81:{key}"),
        format!("AES_CM_128_HMAC_SHA1_80:{key}AAAA"),
        format!("AES_CM_128_HMAC_SHA1_80:{digits}0"),
        format!("AES_CM_128_HMAC_SHA1_80 {digits}"),
        format!("AEAD_AES_256_GCM:{digits}"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inlin:{key}"),
        format!("a=crypto:1 NONE inline:{key}"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}", &key[1..]),
        format!("inline:{key}"),
        format!("ssrc=5 {key}"),
        format!("{{\"key\": \"{key}\"}}"),
        format!("-{key}"),
    ];
    let sample = analysis::samples().swap_remove(0);
    for text in wrong {
        let output = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
            .args(["analyze", "--srtp-key", &text])
            .arg(&sample)
            .envs([("RUST_LOG", "trace"), ("RUST_BACKTRACE", "1")])
            .output()
            .unwrap();
        let told = both(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {told}");
        for part in [&key[1..17], &key[20..36], &digits[2..34], &digits[20..52]] {
            assert!(!told.contains(part), "{text}: {told}");
        }
    }
}

fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every 16 bytes of a secret in hex, and what base64 makes of them alone.
fn parts(secret: &[u8]) -> impl Iterator<Item = String> {
    secret.windows(16).flat_map(|part| {
        let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
        // The last of its 22 digits depends on what follows.
        [hex, STANDARD.encode(part)[..21].to_owned()]
    })
}

#[test]
fn keys_are_not_shown() {
    for name in [FIREFOX, AIORTC, "lab/derived-dsb", "labb/sip-sdes-srtp", "labb/gst-srtp-sha1-32"] {
        let Some(scene) = Scene::open(name) else { return };
        let log = scene.folder.join("keys.log");
        let mut secrets: Vec<Vec<u8>> = Vec::new();
        let (mut keys, mut arguments) = (String::new(), Vec::new());
        if log.exists() {
            keys = scene.log();
            arguments = vec!["--keylog".to_owned(), log.display().to_string()];
        } else if name == "lab/derived-dsb" {
            keys = secrets_block(&fs::read(scene.capture()).unwrap()).1;
        } else if name == "labb/gst-srtp-sha1-32" {
            let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
            arguments = vec!["--srtp-key".to_owned(), line.to_owned()];
            secrets.push((0..30).collect());
        } else {
            for inline in ["3VgKC6ohSItPeE5qd8ZXFRzXJe8+cGseg6DnqAOF", "rZhxRRgtlICj/985EigiwxGzpqdiL+LxInW7fTgw"] {
                secrets.push(STANDARD.decode(inline).unwrap());
            }
        }
        secrets.extend(
            keys.lines().filter(|line| !line.starts_with('#')).map(|line| hex(line.rsplit(' ').next().unwrap())),
        );
        let check = scene.folder.join("keycheck.json");
        let exported = check.exists().then(|| json(&check)["associations"][0]["exported"].as_str().map(hex)).flatten();
        secrets.extend(exported);
        assert!(!secrets.is_empty(), "{name}");
        let parts: BTreeSet<String> = secrets.iter().flat_map(|secret| parts(secret)).collect();
        for form in [&["--all"][..], &["--format", "json"], &["--format", "ndjson"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
                .arg("analyze")
                .args(form)
                .args(&arguments)
                .arg(scene.capture())
                .envs([("RUST_LOG", "trace"), ("RUST_BACKTRACE", "1")])
                .output()
                .unwrap();
            let told = both(&output);
            let lower = told.to_lowercase();
            let shown = parts.iter().find(|part| told.contains(*part) || lower.contains(*part));
            assert!(output.status.code().unwrap() < 2 && told.len() > 1000, "{name} {form:?}: {told}");
            assert_eq!(shown, None, "{name} {form:?}");
        }
    }
}

/// The type of a block of decryption secrets, and the type of those that are a key log.
const SECRETS: u32 = 10;
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// A pcapng file without its secrets block, and what that holds.
fn secrets_block(file: &[u8]) -> (Vec<u8>, String) {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let (mut rest, mut secrets, mut at) = (Vec::new(), String::new(), 0);
    while at < file.len() {
        let length = word(at + 4) as usize;
        if word(at) == SECRETS {
            secrets.push_str(std::str::from_utf8(&file[at + 16..][..word(at + 12) as usize]).unwrap());
        } else {
            rest.extend(&file[at..at + length]);
        }
        at += length;
    }
    (rest, secrets)
}

#[test]
fn a_secrets_block_is_a_key_log() {
    let Some(scene) = Scene::open("lab/derived-dsb") else { return };
    let (rest, log) = secrets_block(&fs::read(scene.capture()).unwrap());
    let bare = scene.write("capture.pcapng", rest);
    let by_itself = analyze(&scene.capture());
    assert!(by_itself.sum("/communicating/rtcp/decrypted") > 0);
    let mut by_log = scene.of(&bare, &log).report;
    for field in ["path", "bytes"] {
        by_log["captures"][0][field] = by_itself.report["captures"][0][field].clone();
    }
    assert!(by_log == by_itself.report, "the reports differ");
    assert_eq!(analyze(&bare).sum("/communicating/rtcp/decrypted"), 0);
}

/// The block of pcapng that holds a key log.
fn block_of(log: &str) -> Vec<u8> {
    let padded = log.len().next_multiple_of(4);
    let length = (padded + 20) as u32;
    let mut block: Vec<u8> =
        [SECRETS, length, TLS_KEY_LOG, log.len() as u32].into_iter().flat_map(u32::to_le_bytes).collect();
    block.extend(log.as_bytes());
    block.resize(16 + padded, 0);
    block.extend(length.to_le_bytes());
    block
}

/// A pcapng file with blocks put in: each behind so many of ten parts of it, in order.
fn with_blocks(file: &[u8], blocks: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut written = Vec::new();
    let (mut at, mut blocks) = (0, blocks.iter().peekable());
    while at < file.len() {
        // Behind the section header and the interface.
        while let Some((_, block)) = blocks.next_if(|(tenths, _)| at > 500 && at * 10 > tenths * file.len()) {
            written.extend(block);
        }
        let length = u32::from_le_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize;
        written.extend(&file[at..at + length]);
        at += length;
    }
    assert!(blocks.next().is_none());
    written
}

#[test]
fn secrets_blocks_may_come_late() {
    let (Some(firefox), Some(aiortc)) = (Scene::open(FIREFOX), Scene::open(AIORTC)) else { return };
    for (scene, foreign) in [(&firefox, &aiortc), (&aiortc, &firefox)] {
        let file = fs::read(scene.capture()).unwrap();
        let whole = Opened::of(&scene.keyed());
        // What opens DTLS 1.3 needs no hello; for DTLS 1.2 they must have been looked for.
        let blocks = [(0, block_of(&foreign.log())), (5, block_of(&scene.log()))];
        let late = scene.write("late.pcapng", with_blocks(&file, &blocks));
        let opened = Opened::of(&analyze(&late));
        assert!(opened.srtcp > whole.srtcp / 3 && opened.srtcp < whole.srtcp, "{} of {}", opened.srtcp, whole.srtcp);
        let data =
            |opened: &Opened| opened.chunks.get("DATA").or(opened.chunks.get("I-DATA")).copied().unwrap_or_default();
        let half = data(&whole) / 3..data(&whole) * 2 / 3;
        assert!(half.contains(&data(&opened)), "{} of {}", data(&opened), data(&whole));
        for (ssrc, (lost, _)) in &opened.reported {
            assert_eq!(*lost, whole.reported[ssrc].0, "{ssrc}");
        }
    }
}

/// The UDP header of an Ethernet frame with IPv4.
fn udp(frame: &[u8]) -> Option<usize> {
    let is_udp = frame.get(12..14)? == [8, 0] && *frame.get(23)? == 17;
    is_udp.then(|| 14 + usize::from(frame[14] & 15) * 4).filter(|at| frame.len() >= at + 8)
}

/// The first byte of what a frame carries in UDP.
fn first_byte(frame: &[u8]) -> Option<u8> {
    udp(frame).and_then(|at| frame.get(at + 8)).copied()
}

const HANDSHAKE: u8 = 22;

#[test]
fn captures_may_start_in_a_call_with_dtls_1_3() {
    let Some(scene) = Scene::open(FIREFOX) else { return };
    let (link, mut packets) = scene.packets();
    let last_hello = packets.iter().rposition(|(_, frame, _)| first_byte(frame) == Some(HANDSHAKE)).unwrap();
    let half = packets.len() / 2;
    assert!(last_hello < half);
    packets.drain(..half);
    let plain = scene.write("half.pcap", analysis::written(Container::Pcap, false, link, &packets));
    let seen = analyze(&plain).sum("/communicating/rtcp/encrypted");
    let opened = Opened::of(&scene.crafted(link, &packets));
    assert!(seen > 300, "{seen}");
    assert_eq!(opened.srtcp, seen);
    // The reports of the second half: all but the first of each stream are those of the whole.
    let whole = Opened::of(&scene.keyed());
    for (ssrc, (lost, _)) in &opened.reported {
        assert_eq!(*lost, whole.reported[ssrc].0, "{ssrc}");
    }
    assert!(opened.chunks.get("I-DATA").is_some_and(|count| *count > 100), "{:?}", opened.chunks);
    let foreign = scene.of(&plain, Scene::open(AIORTC).unwrap().log());
    assert!(without_keys(foreign.report) == without_keys(analyze(&plain).report), "a foreign log changes it");
}

#[test]
fn a_call_may_move_to_another_path() {
    for (name, pair, moved) in [
        (FIREFOX, [[10, 1, 0, 2], [10, 2, 0, 2]], [[10, 1, 0, 77], [10, 2, 0, 2]]),
        (AIORTC, [[10, 21, 0, 2], [10, 22, 0, 2]], [[10, 21, 0, 77], [10, 22, 0, 78]]),
    ] {
        let Some(scene) = Scene::open(name) else { return };
        let (link, mut packets) = scene.packets();
        let whole = Opened::of(&scene.keyed());
        let half = packets.len() / 2;
        let mut count = 0;
        for (_, frame, _) in packets.iter_mut().skip(half) {
            let Some(udp) = udp(frame) else { continue };
            let mut is_moved = false;
            for at in [26, 30] {
                let Some(place) = pair.iter().position(|host| frame[at..at + 4] == *host) else { continue };
                frame[at..at + 4].copy_from_slice(&moved[place]);
                is_moved = pair[place] != moved[place] || is_moved;
            }
            if is_moved {
                frame[udp + 6..udp + 8].fill(0);
                count += 1;
            }
        }
        assert!(count > 500, "{count}");
        let opened = Opened::of(&scene.crafted(link, &packets));
        let by_label = |opened: &Opened| {
            let mut channels: BTreeMap<String, [u64; 2]> = BTreeMap::new();
            for ((label, _), counts) in &opened.channels {
                let sums = channels.entry(label.clone()).or_default();
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            channels
        };
        assert_eq!(opened.srtcp, whole.srtcp, "{name}");
        assert_eq!(opened.types, whole.types, "{name}");
        assert_eq!(opened.chunks, whole.chunks, "{name}");
        assert_eq!(by_label(&opened), by_label(&whole), "{name}");
        assert_eq!(opened.fingerprints, whole.fingerprints, "{name}");
    }
}

#[test]
fn calls_side_by_side_have_keys_of_their_own() {
    let names = [AIORTC, "labb/aiortc-cbc", "labb/aiortc-chacha", "labb/dtls-lost-serverflight"];
    let scenes: Option<Vec<Scene>> = names.into_iter().map(Scene::open).collect();
    let Some(scenes) = scenes else { return };
    let (mut link, mut together, mut log, mut apart) = (0, Vec::new(), String::new(), Vec::new());
    for scene in &scenes {
        let packets;
        (link, packets) = scene.packets();
        let start = packets[0].0;
        together.extend(
            packets.into_iter().map(|(time, frame, length)| (time - start + 1_700_000_000_000_000_000, frame, length)),
        );
        log.insert_str(0, &scene.log());
        apart.push(Opened::of(&scene.keyed()));
    }
    together.sort_by_key(|(time, ..)| *time);
    let capture = scenes[0].write("together.pcap", analysis::written(Container::Pcap, false, link, &together));
    let opened = Opened::of(&scenes[0].of(&capture, &log));
    assert_eq!(opened.srtcp, apart.iter().map(|one| one.srtcp).sum::<u64>());
    let mut fingerprints = BTreeSet::new();
    let mut reported = BTreeMap::new();
    for one in apart {
        fingerprints.extend(one.fingerprints);
        reported.extend(one.reported);
    }
    assert_eq!(opened.fingerprints, fingerprints);
    assert_eq!(opened.reported, reported);
}

#[test]
fn any_number_of_threads_opens_the_same() {
    for name in [FIREFOX, AIORTC, "labb/aiortc-turn-udp", "labb/sip-sdes-srtp"] {
        let Some(scene) = Scene::open(name) else { return };
        let log = scene.folder.join("keys.log");
        let reports = ["1", "2", "3", "8"].map(|threads| {
            let mut arguments = vec![OsStr::new("--threads"), OsStr::new(threads)];
            if log.exists() {
                arguments.extend([OsStr::new("--keylog"), log.as_os_str()]);
            }
            analyze_with(&arguments, &scene.capture()).report
        });
        assert!(reports.windows(2).all(|pair| pair[0] == pair[1]), "{name}");
    }
}

#[test]
fn of_packets_cut_short_the_whole_ones_are_opened() {
    const SNAP: usize = 128;
    for name in [FIREFOX, AIORTC] {
        let Some(scene) = Scene::open(name) else { return };
        let (link, mut packets) = scene.packets();
        packets.iter_mut().for_each(|(_, frame, _)| frame.truncate(SNAP));
        // Between the peers only: the identifier of a query for a name may look like RTCP.
        let is_server = |frame: &[u8]| [26, 30].iter().any(|at| frame[*at..][..4] == [10, 3, 0, 2]);
        let whole = packets.iter().filter(|(_, frame, length)| {
            let at = udp(frame).filter(|at| frame.len() == *length as usize && frame.len() > at + 10);
            at.is_some_and(|at| {
                (128..192).contains(&frame[at + 8]) && (200..208).contains(&frame[at + 9]) && !is_server(frame)
            })
        });
        let whole = whole.count() as u64;
        let run = scene.crafted(link, &packets);
        let opened = Opened::of(&run);
        assert!(whole > 50, "{name}: {whole}");
        // DTLS 1.2 needs the hellos, which are cut; secrets of DTLS 1.3 are enough.
        assert_eq!(opened.srtcp, if name == FIREFOX { whole } else { 0 }, "{name}");
        assert_eq!(run.sum("/communicating/rtcp/malformed"), 0, "{name}");
        for session in run.sessions() {
            let decryption = &session["securing"]["decryption"];
            assert_eq!(decryption["srtpAuthentic"], decryption["srtpChecked"], "{name}: {decryption}");
        }
    }
}
