//! What was signalled, joined to the packets: against what the peers themselves recorded (getStats, the descriptions that
//! they sent), and against captures that were changed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod analysis;
mod common;
mod craft;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::analysis::{captures, json, report_of};

/// Calls with signalling in clear: folder and capture.
fn calls() -> Vec<(PathBuf, PathBuf)> {
    let Some(folder) = captures() else { return Vec::new() };
    let folders = ["lab", "labb"].iter().flat_map(|part| fs::read_dir(folder.join(part)).unwrap());
    let mut calls: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
    calls.retain(|call| call.join("offer.sdp").exists() && call.join("capture.pcapng").exists());
    calls.sort();
    assert!(calls.len() >= 25, "calls of the lab are missing");
    calls.into_iter().map(|call| (call.clone(), call.join("capture.pcapng"))).collect()
}

fn analyzed(path: &Path) -> Value {
    json(&report_of(&[path.to_owned()], 1))
}

fn call(report: &Value) -> &Value {
    assert_eq!(report["sessions"].as_array().map(Vec::len), Some(1), "{}", report["captures"][0]["path"]);
    &report["sessions"][0]
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// A file of the call, or its compressed form.
fn text_of(call: &Path, name: &str) -> Option<String> {
    if let Ok(text) = fs::read_to_string(call.join(name)) {
        return Some(text);
    }
    let packed = fs::read(call.join(format!("{name}.gz"))).ok()?;
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    Some(text)
}

#[test]
fn descriptions_are_those_that_were_sent() {
    let mut compared = 0;
    for (folder, path) in calls() {
        let report = analyzed(&path);
        let signalling = &call(&report)["signalling"];
        for (name, part) in [("offer.sdp", "offers"), ("answer.sdp", "answers")] {
            let sent = lines(&fs::read_to_string(folder.join(name)).unwrap());
            let found = list(&signalling[part]).iter().any(|found| lines(found["sdp"].as_str().unwrap()) == sent);
            assert!(found, "{}: {name} is not among the {part}", folder.display());
            compared += 1;
        }
        assert_eq!((&signalling["status"], &signalling["offers"][0]["party"]), (&"ok".into(), &"offerer".into()));
        assert!(signalling["answerDuration"].as_f64().unwrap() > 0.0);
    }
    assert!(captures().is_none() || compared >= 50, "{compared} descriptions");
}

/// What getStats of both peers says of each SSRC: kind, mid, rid, codec, clock rate.
fn told(call: &Path) -> BTreeMap<u64, [Value; 5]> {
    let mut told = BTreeMap::new();
    for name in ["peerA.stats.jsonl", "peerB.stats.jsonl"] {
        let Some(text) = text_of(call, name) else { continue };
        for line in text.lines() {
            let Ok(sample) = serde_json::from_str::<Value>(line) else { continue };
            let stats = list(&sample["stats"]);
            let codecs: BTreeMap<&str, &Value> = stats
                .iter()
                .filter(|one| one["type"] == "codec")
                .map(|one| (one["id"].as_str().unwrap_or_default(), one))
                .collect();
            for one in stats.iter().filter(|one| one["type"] == "outbound-rtp" || one["type"] == "inbound-rtp") {
                let Some(codec) = one["codecId"].as_str().and_then(|id| codecs.get(id)) else { continue };
                let own = [&one["kind"], &one["mid"], &one["rid"], &codec["mimeType"], &codec["clockRate"]];
                let ssrc = one["ssrc"].as_u64().unwrap();
                // The sender knows best: a receiver may have its own sections for the layers of simulcast.
                if one["type"] == "outbound-rtp" {
                    told.insert(ssrc, own.map(Clone::clone));
                } else {
                    told.entry(ssrc).or_insert_with(|| own.map(Clone::clone));
                }
            }
        }
    }
    told
}

#[test]
fn streams_are_what_the_peers_say() {
    let mut compared = [0; 3];
    for (folder, path) in calls() {
        let told = told(&folder);
        let report = analyzed(&path);
        for stream in list(&call(&report)["communicating"]["rtpStreams"]) {
            let Some([kind, mid, rid, mime, clock]) = told.get(&stream["ssrc"].as_u64().unwrap()) else { continue };
            let context = format!("{} {}", folder.display(), stream["ssrc"]);
            assert_eq!(&stream["kind"], kind, "{context}");
            assert_eq!(&stream["clockRate"], clock, "{context}");
            assert_eq!(stream["clockRateInferred"], false, "{context}");
            let codec = mime.as_str().unwrap().split('/').nth(1).unwrap();
            assert!(
                stream["codec"].as_str().unwrap().eq_ignore_ascii_case(codec),
                "{context}: {} {mime}",
                stream["codec"]
            );
            compared[0] += 1;
            // Firefox tells neither of some streams; the receiver of simulcast has one stream that changes its layer.
            if !mid.is_null() {
                assert_eq!(&stream["mid"], mid, "{context}");
                compared[1] += 1;
            }
            if !rid.is_null() {
                assert_eq!(&stream["rid"], rid, "{context}");
                compared[2] += 1;
            }
        }
    }
    assert!(captures().is_none() || compared[0] >= 70 && compared[1] >= 70 && compared[2] >= 3, "{compared:?}");
}

#[test]
fn every_check_is_signed_with_the_password_sent() {
    let mut verified = 0;
    for (folder, path) in calls() {
        let report = analyzed(&path);
        let integrity = &call(&report)["signalling"]["messageIntegrity"];
        if integrity.is_null() {
            // No check was sent: the relay refused, or another protocol carries the media.
            continue;
        }
        let count = |name: &str| integrity[name].as_u64().unwrap();
        let is_wrong = folder.ends_with("chromium-ice-wrong-pwd");
        assert_eq!((count("failed"), count("unknown"), count("unchecked")), (0, 0, 0), "{}", folder.display());
        assert_eq!(count("refused") > 0, is_wrong, "{}", folder.display());
        let rules: Vec<&Value> = list(&report["findings"]).iter().map(|finding| &finding["rule"]).collect();
        assert_eq!(rules.iter().any(|rule| *rule == "SIG002"), is_wrong, "{}: {rules:?}", folder.display());
        assert!(count("verified") > 0);
        verified += count("verified");
    }
    assert!(captures().is_none() || verified > 1000, "{verified} messages");
}

#[test]
fn certificates_are_those_announced() {
    let mut compared = 0;
    for (folder, path) in calls() {
        let report = analyzed(&path);
        for check in list(&call(&report)["signalling"]["fingerprints"]) {
            assert_eq!(check["matches"], true, "{}", folder.display());
            compared += 1;
        }
    }
    assert!(captures().is_none() || compared >= 10, "{compared} certificates");
}

/// A capture of the lab with the value of an attribute changed where the answer arrives: towards the server a WebSocket
/// masks its frames.
fn changed(scenario: &str, attribute: &str, change: fn(u8) -> u8) -> Option<Value> {
    let folder = captures()?.join("lab").join(scenario);
    let answer = fs::read_to_string(folder.join("answer.sdp")).unwrap();
    let line = answer.lines().find(|line| line.starts_with(attribute)).unwrap().trim_end().as_bytes();
    let mut bytes = fs::read(folder.join("capture.pcapng")).unwrap();
    let places: Vec<usize> =
        bytes.windows(line.len()).enumerate().filter(|(_, found)| *found == line).map(|(place, _)| place).collect();
    assert!(!places.is_empty(), "{scenario}: the answer is in one piece");
    for place in places {
        let last = &mut bytes[place + line.len() - 1];
        *last = change(*last);
    }
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("changed.pcapng");
    fs::write(&path, bytes).unwrap();
    Some(analyzed(&path))
}

#[test]
fn another_password_is_proven() {
    let Some(report) = changed("chromium-av-clean", "a=ice-pwd:", |byte| if byte == b'A' { b'B' } else { b'A' }) else {
        return;
    };
    let integrity = &call(&report)["signalling"]["messageIntegrity"];
    assert!(integrity["failed"].as_u64().unwrap() > 5 && integrity["verified"].as_u64().unwrap() > 5, "{integrity}");
    let finding = list(&report["findings"]).iter().find(|finding| finding["rule"] == "SIG002").unwrap();
    assert!(!list(&finding["packets"]).is_empty());
}

#[test]
fn another_certificate_is_proven() {
    let Some(report) = changed("firefox-dtls12", "a=fingerprint:", |byte| if byte == b'0' { b'1' } else { b'0' })
    else {
        return;
    };
    let checks = list(&call(&report)["signalling"]["fingerprints"]);
    let wrong: Vec<&Value> = checks.iter().filter(|check| check["matches"] == false).collect();
    assert_eq!((checks.len(), wrong.len()), (2, 1));
    assert_eq!(wrong[0]["party"], "answerer");
    let finding = &report["findings"][0];
    assert_eq!((&finding["rule"], &finding["severity"]), (&"SIG003".into(), &"error".into()));
}

#[test]
fn candidates_have_their_party_and_their_fate() {
    let mut compared = 0;
    for (folder, path) in calls() {
        let report = analyzed(&path);
        let call = call(&report);
        let candidates = list(&call["signalling"]["candidates"]);
        let pair = &call["connecting"]["selectedPair"];
        if pair.is_null() || candidates.is_empty() {
            continue;
        }
        for end in [&pair["local"], &pair["remote"]] {
            let own = candidates.iter().find(|candidate| {
                let address = [&candidate["address"], &candidate["resolvedAddress"]].contains(&&end["address"]);
                address && candidate["port"] == end["port"]
            });
            // A peer reflexive candidate is signalled by nobody.
            if let Some(own) = own {
                assert_eq!(own["checks"], "answered", "{}: {own}", folder.display());
                compared += 1;
            }
        }
    }
    assert!(captures().is_none() || compared >= 30, "{compared} candidates");
}

/// A browser's last candidate event has none: from then on there are no more.
#[test]
fn ends_of_candidates_are_those_of_the_peers() {
    let mut compared = 0;
    for (folder, path) in calls() {
        let ended = |name: &str| -> bool {
            let events = text_of(&folder, name).unwrap_or_default();
            let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            events.into_iter().any(|event| {
                event["event"] == "localcandidate" && (event["data"].is_null() || event["data"]["candidate"] == "")
            })
        };
        let report = analyzed(&path);
        let signalling = &call(&report)["signalling"];
        for (party, name) in [("offerer", "peerA.events.jsonl"), ("answerer", "peerB.events.jsonl")] {
            let own: Vec<&Value> =
                list(&signalling["endOfCandidates"]).iter().filter(|end| end["party"] == party).collect();
            if signalling["transport"] == "websocket" && ended(name) {
                assert!(!own.is_empty(), "{}: the {party} ended its candidates", folder.display());
                assert!(own.iter().all(|end| end["packet"].is_u64() && end["time"].is_f64()), "{own:?}");
                compared += 1;
            }
        }
    }
    assert!(captures().is_none() || compared >= 30, "{compared} ends");
}

#[test]
fn sip_calls_and_how_they_end() {
    let Some(folder) = captures() else { return };
    let report = |name: &str| analyzed(&folder.join("labb").join(name).join("capture.pcapng"));
    // The scenario answers these one after the other; to the last nobody answers.
    let failed = report("sip-fail");
    let refused: Vec<&Value> =
        list(&failed["sessions"]).iter().map(|call| &call["signalling"]["sip"]["refused"]).collect();
    let expected =
        ["486 Busy Here", "404 Not Found", "488 Not Acceptable Here", "603 Decline", "487 Request Terminated"];
    assert_eq!(refused.iter().filter_map(|refused| refused.as_str()).collect::<Vec<_>>(), expected);
    assert_eq!(refused.len(), 6);
    for call in list(&failed["sessions"]).iter().take(5) {
        assert_eq!(call["signalling"]["status"], "failed");
    }
    // 20 calls with streams of their own.
    let many = report("sip-many");
    assert_eq!(list(&many["sessions"]).len(), 20);
    for call in list(&many["sessions"]) {
        assert!(call["signalling"]["sip"]["accepted"].as_bool().unwrap());
        assert!(!list(&call["communicating"]["rtpStreams"]).is_empty());
    }
    // Hold and resume are re-INVITEs (RFC 3264 section 8.4).
    let hold = report("sip-hold-dtmf");
    let signalling = &call(&hold)["signalling"];
    assert_eq!((list(&signalling["offers"]).len(), list(&signalling["answers"]).len()), (3, 3));
    let [held] = list(&signalling["changes"]) else { panic!("{}", signalling["changes"]) };
    assert_eq!([&held["type"], &held["by"], &held["direction"]], ["hold", "offerer", "sendonly"]);
    // When the scenario asked for it, from the capture's first packet on; its own clock is some milliseconds off.
    let timeline: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("labb/sip-hold-dtmf/meta.json")).unwrap()).unwrap();
    let at = |what: &str| {
        let step = list(&timeline["timeline"]).iter().find(|step| step["what"].as_str().unwrap().trim() == what);
        step.unwrap()["at"].as_f64().unwrap()
    };
    for (time, what) in [(&held["time"], "hold"), (&held["endTime"], "resume")] {
        let from_dial = time.as_f64().unwrap() - (at(what) - at("dial"));
        assert!(from_dial.abs() < 0.1, "{what}: {from_dial}");
    }
    let keys = report("sip-sdes-srtp");
    let text = keys.to_string();
    assert!(!text.contains("inline:"), "a key is shown");
    let path = folder.join("labb/sip-sdes-srtp/capture.pcapng");
    let packets = Command::new(env!("CARGO_BIN_EXE_rtcscope")).args(["packets", "-v"]).arg(path).output().unwrap();
    let tree = String::from_utf8(packets.stdout).unwrap();
    assert!(tree.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80") && !tree.contains("inline:"), "a key is shown");
    assert!(call(&keys)["signalling"]["media"][0]["security"].as_str().unwrap().starts_with("AES_CM_128"));
    // The suite and the packets are those that tshark shows (`-Y 'sdp contains "a=crypto"'`).
    let securing = &call(&keys)["securing"];
    let suites = serde_json::json!(["AES_CM_128_HMAC_SHA1_80"]);
    assert_eq!((&securing["status"], &securing["sdes"]["suites"]), (&"ok".into(), &suites));
    assert_eq!(securing["sdes"]["packets"], serde_json::json!([3, 7]));
    let hidden = report("sip-tls");
    assert_eq!(call(&hidden)["signalling"]["encrypted"][0]["server"], "10.22.0.2:5061");
}

/// Times, packets and statuses are those that tshark 4.0.17 shows of INVITEs and their responses (`-Y sip`).
#[test]
fn sip_calls_of_others() {
    let Some(folder) = captures() else { return };
    let report = |name: &str| analyzed(&folder.join("public/captures").join(name));
    // An early answer, and the same again when the call is taken.
    let taken = report("sngrep__ipip.pcap");
    let signalling = &call(&taken)["signalling"];
    assert_eq!(
        (signalling["answerDuration"].as_f64(), signalling["sip"]["ringDuration"].as_f64()),
        (Some(1.65956), Some(0.010416))
    );
    assert_eq!((&signalling["answers"][0]["type"], &signalling["answers"][0]["copies"]), (&"answer".into(), &2.into()));
    let refused = report("nDPI__sip.pcap");
    let told = |call: &Value| {
        let (sip, offer) = (&call["signalling"]["sip"], &call["signalling"]["offers"][0]);
        [&offer["refusedStatus"], &offer["outcomePacket"], &sip["challenges"]].map(|number| number.as_u64().unwrap())
    };
    let told: Vec<_> = list(&refused["sessions"]).iter().map(told).collect();
    assert_eq!(told, [[408, 30, 0], [403, 53, 1], [403, 84, 1], [480, 93, 1]]);
    // What was answered early is told, though it came to nothing.
    assert_eq!(refused["sessions"][3]["signalling"]["media"][0]["codecs"][0], "PCMA/8000/1");
}

#[test]
fn descriptions_beside_the_capture() {
    let Some(folder) = captures() else { return };
    let lab = folder.join("lab");
    let run = |files: &[PathBuf]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtcscope"));
        command.args(["analyze", "--format", "json"]).arg(lab.join("derived-midcall/capture.pcapng"));
        files.iter().for_each(|file| {
            command.arg("--sdp").arg(file);
        });
        command.output().unwrap()
    };
    let report = |files: &[PathBuf]| serde_json::from_slice::<Value>(&run(files).stdout).unwrap();
    let both = |call: &str| ["offer.final.sdp", "answer.final.sdp"].map(|name| lab.join(call).join(name));
    let named = report(&both("firefox-av-lossy"));
    let signalling = &call(&named)["signalling"];
    assert_eq!((&signalling["transport"], &signalling["status"]), (&"file".into(), &"ok".into()));
    assert!(signalling["messageIntegrity"]["verified"].as_u64().unwrap() > 10);
    for stream in list(&call(&named)["communicating"]["rtpStreams"]) {
        assert!(stream["codec"].is_string() && stream["clockRateInferred"] == false, "{}", stream["ssrc"]);
    }
    // Those of another call change nothing but that this is said.
    let (plain, mut foreign) = (report(&[]), report(&both("chromium-av-clean")));
    let findings = foreign["findings"].as_array_mut().unwrap();
    let said = findings.iter().position(|finding| finding["rule"] == "SIG005").unwrap();
    findings.remove(said);
    assert_eq!(plain, foreign);
    let missing = run(&[PathBuf::from("no-such.sdp")]);
    assert_eq!(missing.status.code(), Some(2));
    let error = String::from_utf8(missing.stderr).unwrap();
    assert!(error.contains("no-such.sdp") && error.lines().count() == 1, "{error}");
}

#[test]
fn a_dump_of_the_browser() {
    let Some(folder) = captures() else { return };
    let call_folder = folder.join("lab/chromium-internals");
    let output = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
        .args(["analyze", "--format", "json", "--filter", "udp"])
        .arg(call_folder.join("capture.pcapng"))
        .arg("--sdp")
        .arg(call_folder.join("peerA.webrtc-internals.json.gz"))
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let signalling = &call(&report)["signalling"];
    assert_eq!((list(&signalling["offers"]).len(), list(&signalling["answers"]).len()), (1, 1));
    assert_eq!(signalling["messageIntegrity"]["failed"], 0);
    assert!(signalling["messageIntegrity"]["verified"].as_u64().unwrap() > 20);
}
