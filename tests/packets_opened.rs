//! What `rtcscope packets` shows of encrypted packets when it has keys, against an independent decryption of the same
//! calls: as many RTCP packets, SCTP packets and records of the handshake.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use common::{frames, json, list, unsigned};
use serde_json::Value;

/// The list of a call's packets.
fn packets(call: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
        .arg("packets")
        .arg(call.join("capture.pcapng"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", call.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What was opened: protocols and what each says, with the packets that it was in.
fn opened(call: &Path) -> Vec<(Value, String, String)> {
    let log = call.join("keys.log");
    let text = packets(call, &["--keylog", log.to_str().unwrap(), "--format", "ndjson"]);
    let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let all = entries.flat_map(|entry| {
        let each = entry.get("decrypted").map(list).unwrap_or_default().to_vec();
        each.into_iter().map(move |one| {
            let text = |name: &str| one[name].as_str().unwrap().to_owned();
            (entry["protocol"].clone(), text("protocol"), text("summary"))
        })
    });
    all.collect()
}

fn count(opened: &[(Value, String, String)], protocol: &str) -> u64 {
    opened.iter().filter(|(_, known, _)| known == protocol).count() as u64
}

#[test]
fn dtls_1_2() {
    let Some(captures) = frames::captures() else { return };
    for name in ["aiortc-gcm128", "aiortc-sha1-clean", "aiortc-cbc", "aiortc-chacha", "aiortc-turn-udp"] {
        let call = captures.join("labb").join(name);
        let checked = json(&call.join("keycheck.json"))["counts"].clone();
        let ok = |what: &str| checked.get(what).map_or(0, unsigned);
        let of_type =
            |number: u8| ok(&format!("dtls client type {number} ok")) + ok(&format!("dtls server type {number} ok"));
        let opened = opened(&call);
        assert_eq!(count(&opened, "RTCP"), ok("srtcp ok"), "{name}");
        assert_eq!(count(&opened, "SCTP"), of_type(23), "{name}");
        assert_eq!(count(&opened, "DTLS"), of_type(22) + of_type(21), "{name}");
        let finished = opened.iter().filter(|(.., summary)| summary == "Finished").count() as u64;
        assert_eq!(finished, of_type(22), "{name}");
        let channels = ["\"chat\"", "\"lossy\""].map(|label| format!("DATA_CHANNEL_OPEN {label}"));
        for channel in channels {
            assert!(opened.iter().any(|(.., summary)| summary.contains(&channel)), "{name} {channel}");
        }
    }
}

#[test]
fn dtls_1_3() {
    let Some(captures) = frames::captures() else { return };
    for name in ["firefox-av-lossy", "chromium-firefox-av"] {
        let call = captures.join("lab").join(name);
        let mut of_type: BTreeMap<String, u64> = BTreeMap::new();
        for (record, count) in json(&call.join("keycheck.json"))["dtls_records"].as_object().unwrap() {
            let number = record.split(' ').nth(4).unwrap();
            *of_type.entry(number.to_owned()).or_default() += unsigned(count);
        }
        let opened = opened(&call);
        assert_eq!(count(&opened, "SCTP"), of_type["23"], "{name}");
        let acks = opened.iter().filter(|(.., summary)| summary == "ACK").count() as u64;
        assert_eq!(acks, of_type.get("26").copied().unwrap_or(0), "{name}");
        // What RFC 9147 section 5 has in the encrypted flights of a handshake with certificates on both sides.
        let said: BTreeSet<&str> = opened
            .iter()
            .filter(|(_, protocol, _)| protocol == "DTLS")
            .flat_map(|(.., summary)| summary.split(", ").map(|one| one.split(" (").next().unwrap()))
            .collect();
        for message in ["Encrypted Extensions", "Certificate Request", "Certificate", "Certificate Verify", "Finished"]
        {
            assert!(said.contains(message), "{name}: {said:?}");
        }
        if of_type.contains_key("21") {
            assert!(said.iter().any(|message| message.starts_with("Alert warning: close")), "{name}: {said:?}");
        }
    }
}

/// Lines and trees mark what was opened; without keys nothing is, and the rest is the same.
#[test]
fn what_is_opened_is_marked() {
    let Some(captures) = frames::captures() else { return };
    let call = captures.join("labb/aiortc-gcm128");
    let log = call.join("keys.log").to_str().unwrap().to_owned();
    let (closed, open) = (packets(&call, &[]), packets(&call, &["--keylog", &log]));
    assert!(!closed.contains("[decrypted: "));
    for (closed, open) in closed.lines().zip(open.lines()) {
        assert_eq!(open.split(" [decrypted: ").next().unwrap(), closed);
    }
    assert_eq!(closed.lines().count(), open.lines().count());
    let tree = packets(&call, &["--keylog", &log, "--packet", "26", "-v"]);
    let own = tree.split("decrypted SCTP").nth(1).unwrap();
    assert!(own.contains("INIT tag 0x6f0e34d0"), "{tree}");
    assert!(packets(&captures.join("lab/derived-dsb"), &[]).contains("[decrypted: SCTP"));
}
