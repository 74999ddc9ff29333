//! `rtcscope packets`: each packet once, and as what the analysis counted.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod lab;

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
    flow::{flow::Protocol, key::FlowKey},
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
    serde_json::from_str(&lab::text(&folder.join("truth.json"))).unwrap()
}

fn all(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn captures() -> Option<Vec<PathBuf>> {
    let folder = lab::captures()?;
    let calls = ["lab", "labb"].into_iter().flat_map(|part| all(&folder.join(part)));
    let taps = calls.flat_map(|call| if call.is_dir() { all(&call) } else { Vec::new() });
    let is_capture = |path: &PathBuf| path.to_string_lossy().contains(".pcap");
    Some(taps.filter(is_capture).chain(all(&folder.join("public/captures"))).collect())
}

#[test]
fn protocols_are_those_of_the_truth() {
    let Some(folder) = lab::captures() else { return };
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
        assert_eq!(counts.values().sum::<u64>(), expected["packets"].as_u64().unwrap(), "{name}");
    }
}

#[test]
fn what_is_in_turn_is_told() {
    let Some(folder) = lab::captures() else { return };
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
        let Ok(analysis) = engine::analyze(&mut capture, Config { threads: 1 }, |_| {}) else { continue };
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
                if first != second {
                    let name = path.file_name().unwrap().to_string_lossy();
                    let (low, high) = (flow.key.low, flow.key.high);
                    differing.push(format!("{name}: {low} {high} {protocol:?}: {first} then {second}"));
                }
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
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
