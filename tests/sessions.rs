//! One session a call: also over TURN, ICE-TCP, NAT and several paths; and calls side by side between the same hosts stay
//! apart.

mod analysis;
mod craft;

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    analysis::{captures, everything, json, packets, report, report_of, written},
    craft::Container,
};

fn sessions(json: &Value) -> Vec<&Value> {
    json["sessions"].as_array().into_iter().flatten().collect()
}

/// Each folder of the lab holds one call; `labb/INDEX.md` tells the exceptions.
#[test]
fn each_lab_capture_is_one_call() {
    let Some(folder) = captures() else { return };
    let mut wrong = Vec::new();
    for part in ["lab", "labb"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let scenario = entry.unwrap().path();
            let name = scenario.file_name().unwrap().to_string_lossy().into_owned();
            let expected = match name.as_str() {
                // 20 SIP calls; six INVITEs that came to nothing.
                "sip-many" => 20,
                "sip-fail" => 6,
                _ => 1,
            };
            for capture in ["capture", "captureA", "captureB", "captureT"] {
                let path = scenario.join(capture).with_extension("pcapng");
                if !path.is_file() {
                    continue;
                }
                let found = sessions(&json(&report_of(&[path], 1))).len();
                if found != expected {
                    wrong.push(format!("{part}/{name}/{capture}: {found} calls, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Two calls between 10.1.0.2 and 10.2.0.2, the later moved into the time of the earlier.
#[test]
fn calls_side_by_side_between_the_same_hosts_stay_apart() {
    let Some(folder) = captures() else { return };
    if Command::new("editcap").arg("--version").output().is_err() {
        eprintln!("skipped: editcap, which is part of Wireshark, is not installed");
        return;
    }
    let [one, other] = ["chromium-av-clean", "chromium-h264"].map(|name| folder.join("lab").join(name));
    let [one, other] = [one, other].map(|scenario| scenario.join("capture.pcapng"));
    let start = |path: &std::path::Path| {
        let report = json(&report_of(&[path.to_owned()], 1));
        let at = report["captures"][0]["firstPacketAt"].as_str().unwrap().to_owned();
        let seconds: Vec<f64> = at[11..at.len() - 1].split(':').map(|part| part.parse().unwrap()).collect();
        seconds[0] * 3600.0 + seconds[1] * 60.0 + seconds[2]
    };
    let temporary = tempfile::tempdir().unwrap();
    let moved = temporary.path().join("moved.pcapng");
    let shift = format!("{:.6}", start(&one) - start(&other));
    let status = Command::new("editcap").args(["-t", &shift]).args([&other, &moved]).status().unwrap();
    assert!(status.success());
    let both = json(&report_of(&[one.clone(), moved], 1));
    let calls = sessions(&both);
    assert_eq!(calls.len(), 2);
    // What is said of each is what is said of it alone.
    let alone = [one, other].map(|path| json(&report_of(&[path], 1)));
    for single in &alone {
        let streams = |session: &Value| -> Vec<(u64, u64)> {
            let streams = session["communicating"]["rtpStreams"].as_array().into_iter().flatten();
            let mut streams: Vec<_> = streams
                .map(|stream| (stream["ssrc"].as_u64().unwrap(), stream["packetsReceived"].as_u64().unwrap()))
                .collect();
            streams.sort_unstable();
            streams
        };
        let expected = streams(&single["sessions"][0]);
        assert!(calls.iter().any(|call| streams(call) == expected), "{expected:?}");
    }
}

/// The second half of a call through a relay: what was allocated and bound is not in it.
#[test]
fn a_relayed_call_that_began_before_the_capture() {
    let Some(folder) = captures() else { return };
    let path = folder.join("lab/chromium-turn-udp/capture.pcapng");
    let (link, mut packets) = packets(&path).unwrap();
    packets.drain(..packets.len() / 2);
    let report = report(written(Container::Pcap, false, link, &packets)).unwrap();
    let (text, _) = everything(&report);
    assert!(!text.contains("0.0.0.0") && !text.contains("behind a NAT"), "{text}");
    let (late, whole) = (json(&report), json(&report_of(&[path], 1)));
    let [call] = sessions(&late)[..] else { panic!("not one call") };
    let whole = &whole["sessions"][0]["connecting"];
    // The allocation in use is the one of the relayed pair.
    let [pair, expected] = [&call["connecting"], whole].map(|connecting| &connecting["selectedPair"]);
    assert_eq!(expected["relayed"], true);
    assert_eq!(pair["local"], expected["local"]);
    assert_eq!(pair["reflexiveAddress"], Value::Null);
    assert!(pair["remote"]["address"].is_null() && pair["remote"]["channel"].as_u64() >= Some(0x4000), "{pair}");
    let turn = call["connecting"]["turn"].as_array().unwrap();
    let used = turn.iter().find(|server| server["packetsRelayed"].as_u64() > Some(100)).unwrap();
    assert_eq!(used["server"], expected["relay"]);
    assert_eq!(used["relayedAddress"], expected["local"]["address"]);
    assert_eq!(used["relayedPort"], expected["local"]["port"]);
}
