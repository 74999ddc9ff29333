//! `rtcscope packets`: each packet once, and as what the analysis counted.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use assert_cmd::Command;
use rtcscope::{
    capture::{Capture, Options},
    engine::{self, Config, Revisit},
    flow::{Protocol, key::FlowKey},
};
use serde_json::Value;

fn rtcscope(arguments: &[&str]) -> Output {
    Command::cargo_bin("rtcscope").unwrap().arg("packets").args(arguments).output().unwrap()
}

/// Standard output of a listing that succeeds.
fn shown(arguments: &[&str]) -> String {
    let output = rtcscope(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn objects(path: &Path) -> Vec<Value> {
    let text = shown(&[path.to_str().unwrap(), "--format", "ndjson"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many packets there are of each protocol.
fn by_protocol(path: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for object in objects(path) {
        *counts.entry(object["protocol"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

fn truth(folder: &Path) -> Value {
    serde_json::from_str(&common::frames::text(&folder.join("truth.json"))).unwrap()
}

fn all(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn captures() -> Option<Vec<PathBuf>> {
    let folder = common::frames::captures()?;
    let calls = ["lab", "labb"].into_iter().flat_map(|part| all(&folder.join(part)));
    let taps = calls.flat_map(|call| if call.is_dir() { all(&call) } else { Vec::new() });
    let is_capture = |path: &PathBuf| path.to_string_lossy().contains(".pcap");
    Some(taps.filter(is_capture).chain(all(&folder.join("public/captures"))).collect())
}

#[test]
fn protocols_are_those_of_the_truth() {
    let Some(folder) = common::frames::captures() else { return };
    let call = folder.join("lab/chromium-av-lossy");
    let truth = truth(&call);
    for (name, tap) in [("capture.pcapng", "at_A"), ("captureB.pcapng", "at_B")] {
        let counts = by_protocol(&call.join(name));
        let expected = &truth["captures"][name];
        let sum = |value: &Value| value.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
        assert_eq!(counts["STUN"], sum(&expected["stun"]), "{name}");
        assert_eq!(counts["SRTCP"], sum(&expected["rtcp"]), "{name}");
        let streams = truth["streams"].as_array().unwrap();
        let rtp: u64 = streams.iter().map(|stream| stream[tap]["packets"].as_u64().unwrap_or(0)).sum();
        assert_eq!(counts["SRTP"], rtp, "{name}");
    }
}

#[test]
fn what_is_in_turn_is_told() {
    let Some(folder) = common::frames::captures() else { return };
    let objects = objects(&folder.join("lab/chromium-turn-udp/capture.pcapng"));
    let relayed: Vec<_> = objects.iter().filter(|object| object.get("relayed").is_some()).collect();
    let truth = truth(&folder.join("lab/chromium-turn-udp"));
    let streams = truth["streams"].as_array().unwrap();
    let rtp: u64 = streams.iter().map(|stream| stream["at_A"]["packets"].as_u64().unwrap_or(0)).sum();
    let media = relayed.iter().filter(|object| object["relayed"]["protocol"] == "SRTP").count();
    assert_eq!(media as u64, rtp);
    let opened = relayed.iter().filter(|object| object["protocol"] == "ChannelData");
    assert!(opened.clone().count() > 4000);
    assert!(opened.clone().all(|object| object["summary"].as_str().unwrap().starts_with("0x40")));
}

/// Datagrams of each flow by protocol, asked again, are those that the analysis counted.
#[test]
fn the_second_look_agrees_with_the_first() {
    let Some(captures) = captures() else { return };
    let mut differing = Vec::new();
    for path in &captures {
        let open = || Capture::open(std::slice::from_ref(path), &Options::default());
        let Ok(mut capture) = open() else { continue };
        let Ok(analysis) = engine::analyze(&mut capture, Config::new(1), |_| {}) else { continue };
        let mut counts: BTreeMap<FlowKey, BTreeMap<Protocol, u64>> = BTreeMap::new();
        let (mut capture, mut revisit, mut frames) = (open().unwrap(), Revisit::new(&analysis), 0);
        while let Some(visit) = revisit.next(&mut capture).unwrap() {
            frames += 1;
            for found in visit.datagrams.iter().filter(|_| !visit.copy) {
                *counts.entry(found.key).or_default().entry(found.identity.protocol).or_default() += 1;
                if let Some(inner) = &found.inner {
                    *counts.entry(inner.key).or_default().entry(inner.identity.protocol).or_default() += 1;
                }
            }
        }
        assert_eq!(frames, analysis.files.iter().map(|file| file.packets).sum::<u64>(), "{}", path.display());
        let keys: Vec<_> = analysis.flows.iter().map(|flow| flow.key).collect();
        for flow in analysis.flows.iter().filter(|flow| keys.iter().filter(|key| **key == flow.key).count() == 1) {
            let counts = counts.remove(&flow.key).unwrap_or_default();
            for protocol in KNOWN {
                let (first, second) = (flow.count(protocol), counts.get(&protocol).copied().unwrap_or(0));
                // RTCP that was too odd to be believed before the first report came is believed in hindsight.
                let in_hindsight = protocol == Protocol::Rtcp && first > 0 && (first..=first + 2).contains(&second);
                if first != second && !in_hindsight {
                    let name = path.file_name().unwrap().to_string_lossy();
                    let (low, high) = (flow.key.low, flow.key.high);
                    differing.push(format!("{name}: {low} {high} {protocol:?}: {first} then {second}"));
                }
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Each frame of each capture is one line, and its fields are inside of it.
#[test]
fn each_packet_is_one_line() {
    let Some(folder) = common::frames::captures() else { return };
    let mut listed = 0;
    for path in all(&folder.join("public/captures")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let truth = fs::read(folder.join("public/truth").join(format!("{name}.json"))).unwrap_or_default();
        let truth: Value = serde_json::from_slice(&truth).unwrap_or_default();
        let lines = truth["capinfos"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let count: Option<usize> =
            lines.filter_map(|line| line.strip_prefix("Number of packets:")).find_map(|n| n.trim().parse().ok());
        let output = rtcscope(&[path.to_str().unwrap(), "--format", "ndjson", "-v"]);
        let (said, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        if !output.status.success() {
            // What is no capture, for capinfos neither or only as something else.
            assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{name}: {errors}");
            continue;
        }
        assert!(errors.is_empty(), "{name}: {errors}");
        if let Some(count) = count {
            assert_eq!(said.lines().count(), count, "{name}");
            listed += 1;
        }
        for line in said.lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            let tree = object["tree"].as_array().unwrap();
            check_fields(tree, 0, object["capturedLength"].as_u64().unwrap(), &name);
        }
    }
    assert!(listed > 350, "{listed} captures");
}

fn check_fields(fields: &[Value], start: u64, end: u64, name: &str) {
    for field in fields {
        let (offset, length) = (field["offset"].as_u64().unwrap(), field["length"].as_u64().unwrap());
        let children = field["children"].as_array().unwrap();
        let label = field["label"].as_str().unwrap();
        if label.ends_with("offsets below count from its start") {
            check_fields(children, 0, length, name);
            continue;
        }
        assert!(start <= offset && offset + length <= end, "{name}: {label} {offset}+{length} not in {start}..{end}");
        check_fields(children, offset, offset + length, name);
    }
}

/// Text and trees have as many heads as there are packets, and no terminal obeys them.
#[test]
fn text_is_tame() {
    let Some(captures) = captures() else { return };
    for path in captures.iter().filter(|path| fs::metadata(path).unwrap().len() < 100_000) {
        let path = path.to_str().unwrap();
        for arguments in [&[path][..], &[path, "-v"]] {
            let output = rtcscope(arguments);
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(matches!(output.status.code(), Some(0 | 2)), "{path}");
            assert!(!said.chars().any(|character| character.is_control() && character != '\n'), "{path}");
        }
    }
}

const SYN: &str = "ba92e1ac9f5c3edcd52703720800\
    4500003c9cad4000400689e00a1500020a160002\
    c8a2138c0b21393300000000a002faf0e92c0000020405b40402080a5811ac5c000000000103030a";

/// A pcap file with Ethernet frames a second apart.
fn sample(folder: &Path, name: &str, frames: &[Vec<u8>]) -> PathBuf {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for (second, frame) in (1_000_000_000_u32..).zip(frames) {
        let length = u32::try_from(frame.len()).unwrap();
        for word in [second, 0, length, length] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(frame);
    }
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Ethernet and IPv4 around a payload.
fn ip(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = common::hex("ba92e1ac9f5c3edcd52703720800450000000007000040000000c0000201c6336402");
    let length = u16::try_from(20 + payload.len()).unwrap();
    frame[16..18].copy_from_slice(&length.to_be_bytes());
    frame[20..22].copy_from_slice(&fragment.to_be_bytes());
    frame[23] = protocol;
    frame.extend(payload);
    frame
}

fn udp(source: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let ports = [source, 5004, length, 0];
    ports.iter().flat_map(|word| word.to_be_bytes()).chain(payload.iter().copied()).collect()
}

fn rtp(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 8000).to_be_bytes());
    packet.extend([0, 0, 0, 42]);
    packet.resize(12 + 160, 0xd5);
    packet
}

fn frames() -> Vec<Vec<u8>> {
    let datagram = udp(6000, &[b'x'; 32]);
    let mut cut = ip(17, 0, &udp(1, b""));
    cut.truncate(30);
    let mut cited = vec![3, 3, 0, 0, 0, 0, 0, 0];
    cited.extend(&ip(17, 0, &udp(5000, &rtp(1)))[14..50]);
    vec![
        common::hex(&SYN.replace(char::is_whitespace, "")),
        ip(17, 0, &udp(5000, &rtp(1))),
        ip(17, 0, &udp(5000, &rtp(2))),
        ip(17, 0, &udp(5000, &rtp(3))),
        ip(17, 0x2000, &datagram[..24]),
        ip(17, 3, &datagram[24..]),
        ip(1, 0, &cited),
        cut,
        common::hex(
            "ffffffffffff3edcd527037208060001080006040001 3edcd52703720a1500020000000000000a150001"
                .replace(' ', "")
                .as_str(),
        ),
        ip(17, 0, &udp(7000, b"OPTIONS sip:bob@example.org SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n")),
    ]
}

#[test]
fn every_kind_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = sample(folder.path(), "kinds.pcap", &frames());
    let said = shown(&[path.to_str().unwrap()]);
    let ends = [
        "TCP          [SYN] seq=186726707 win=64240 len=0",
        "RTP          PT 0 (PCMU) seq 1 ts 8000 ssrc 0x0000002a 160 bytes",
        "RTP          PT 0 (PCMU) seq 2 ts 16000 ssrc 0x0000002a 160 bytes",
        "RTP          PT 0 (PCMU) seq 3 ts 24000 ssrc 0x0000002a 160 bytes",
        "IP fragment  UDP id 0x0007 bytes 0..24, more follow",
        "UDP          32 bytes: 78787878787878787878787878787878… [2 fragments, the first is 5]",
        "ICMP         destination unreachable (port), for 192.0.2.1:5000 → 198.51.100.2:5004 UDP",
        "malformed    IP: ends too early, at byte 30",
        "ARP          who has 10.21.0.1? tell 10.21.0.2",
        "SIP          \"OPTIONS sip:bob@example.org SIP/2.0\" 56 bytes",
    ];
    assert_eq!(said.lines().count(), ends.len());
    for (line, end) in said.lines().zip(ends) {
        assert!(line.ends_with(end), "{line}\ninstead of\n{end}");
    }
    assert!(said.lines().nth(1).unwrap().starts_with(" 2   1.000000  192.0.2.1:5000    → 198.51.100.2:5004  RTP"));
}

/// The values are tshark's, of the same frame.
#[test]
fn headers_are_shown_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = sample(folder.path(), "syn.pcap", &frames());
    let said = shown(&[path.to_str().unwrap(), "-v", "--packet", "1"]);
    for field in [
        "    frame: 74 bytes, 2001-09-09T01:46:40.000000000Z, ETHERNET [0..74]",
        "        source: 3e:dc:d5:27:03:72 [6..12]",
        "    IPv4 10.21.0.2 → 10.22.0.2 [14..34]",
        "        identification: 0x9cad (40109) [18..20]",
        "    TCP 51362 → 5004 [34..74]",
        "        maximum segment size: 1460 [54..58]",
        "        window scale: 10 [71..74]",
    ] {
        assert!(said.lines().any(|line| line == field), "{field}\nis not in\n{said}");
    }
    let whole = shown(&[path.to_str().unwrap(), "-v", "--packet", "6"]);
    assert!(whole.contains("IP payload of 40 bytes from packets 5, 6; offsets below count from its start [0..40]"));
    assert!(whole.contains("        UDP 6000 → 5004 [0..8]"), "{whole}");
    let message = shown(&[path.to_str().unwrap(), "-v", "--packet", "10"]);
    assert!(message.contains("        \"CSeq: 1 OPTIONS\" [79..96]"), "{message}");
}

#[test]
fn packets_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = sample(folder.path(), "call.pcap", &frames());
    let path = path.to_str().unwrap();
    let numbers = |arguments: &[&str]| {
        let arguments = [&[path], arguments].concat();
        let said = shown(&arguments);
        said.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&["--packet", "7", "--packet", "2"]), ["2", "7"]);
    assert_eq!(numbers(&["--from", "2", "--to", "4"]), ["3", "4", "5"]);
    assert_eq!(numbers(&["--from", "2", "--count", "1"]), ["3"]);
    assert_eq!(numbers(&["--count", "0"]), [""; 0]);
    assert_eq!(numbers(&[path, "--packet", "2:7", "--packet", "1:2"]), ["1:2", "2:7"]);
    if cfg!(feature = "pcap") {
        assert_eq!(numbers(&["--filter", "udp port 5000 and greater 100"]), ["2", "3", "4"]);
        // Only one RTP packet passes, and it is RTP still.
        let said = shown(&[path, "--filter", "udp port 5000", "--to", "1.5"]);
        assert!(said.contains("RTP          PT 0 (PCMU) seq 1 "), "{said}");
    }
    let output = rtcscope(&[path, "--packet", "11"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors, format!("rtcscope: --packet 11: {path} has only packets 1 to 10\n"));
}

#[test]
fn lines_are_cut_where_a_width_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = sample(folder.path(), "call.pcap", &frames());
    let said = shown(&[path.to_str().unwrap(), "--width", "90"]);
    assert!(said.lines().all(|line| line.chars().count() <= 90), "{said}");
    assert!(said.lines().nth(6).unwrap().ends_with('…'), "{said}");
    let colored = shown(&[path.to_str().unwrap(), "--color", "always"]);
    assert!(colored.contains("\x1b[32mRTP        \x1b[0m  PT 0"), "{colored}");
}

#[test]
fn objects_have_the_same_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = sample(folder.path(), "call.pcap", &frames());
    let objects = objects(&path);
    let expected = serde_json::json!({
        "number": 2, "time": 1.0, "at": "2001-09-09T01:46:41.000000000Z", "source": "192.0.2.1:5000",
        "destination": "198.51.100.2:5004", "transport": "udp", "protocol": "RTP",
        "summary": "PT 0 (PCMU) seq 1 ts 8000 ssrc 0x0000002a 160 bytes", "length": 214, "capturedLength": 214,
        "copy": false,
    });
    assert_eq!(objects[1], expected);
    assert_eq!(objects[8]["transport"], Value::Null);
}

/// Standard input can be read but once; the captures are read twice.
#[test]
fn standard_input_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = sample(folder.path(), "call.pcap", &frames());
    let run = |input: Vec<u8>| {
        Command::cargo_bin("rtcscope").unwrap().args(["packets", "-"]).write_stdin(input).output().unwrap()
    };
    let output = run(fs::read(&path).unwrap());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), shown(&[path.to_str().unwrap()]));
    let output = run(b"<html>".to_vec());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("rtcscope: cannot analyze -: "));
}

const KNOWN: [Protocol; 9] = [
    Protocol::Stun,
    Protocol::ClassicStun,
    Protocol::ChannelData,
    Protocol::Dtls,
    Protocol::Rtp,
    Protocol::Rtcp,
    Protocol::Sctp,
    Protocol::Zrtp,
    Protocol::Quic,
];
