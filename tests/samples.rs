//! What `samples/README.md` promises of each sample. The numbers are those of the lab's logs for the part of the
//! recording that the sample holds, or tshark's counts.

mod analysis;
mod craft;

use std::path::Path;

use serde_json::Value;

use crate::analysis::{json, report_of, samples};

fn sample(name: &str) -> Value {
    json(&report_of(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)], 1))
}

/// The stream of an SSRC in the only call.
fn stream(json: &Value, ssrc: u32) -> &Value {
    let streams = json["sessions"][0]["communicating"]["rtpStreams"].as_array();
    let found = streams.into_iter().flatten().find(|stream| stream["ssrc"] == ssrc);
    found.unwrap_or(&Value::Null)
}

#[test]
fn each_is_small_and_named_in_the_readme() {
    let readme = include_str!("../samples/README.md");
    for path in samples() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in the README");
        let length = path.metadata().map_or(u64::MAX, |metadata| metadata.len());
        assert!(length < 200_000, "{name} has {length} bytes");
    }
}

#[test]
fn each_holds_one_call() {
    for path in samples() {
        let json = json(&report_of(std::slice::from_ref(&path), 1));
        assert_eq!(json["sessions"].as_array().map(Vec::len), Some(1), "{}", path.display());
    }
}

#[test]
fn pcmu_lossy() {
    let json = sample("pcmu-lossy.pcap");
    let lossy = stream(&json, 0x849b_1400);
    for (name, value) in
        [("packetsExpected", 398), ("packetsLost", 20), ("packetsReceived", 380), ("packetsDuplicated", 2)]
    {
        assert_eq!(lossy[name], value, "{name}");
    }
    assert_eq!((&lossy["burstLossCount"], &lossy["longestLossBurst"]), (&Value::from(19), &Value::from(2)));
    let clean = stream(&json, 0x3f8c_18b3);
    assert_eq!((&clean["packetsLost"], &clean["reported"]["packetsLost"]), (&Value::from(0), &Value::from(2)));
}

#[test]
fn calls_of_browsers() {
    let json = sample("webrtc-call.pcapng");
    let call = &json["sessions"][0];
    assert_eq!(call["connecting"]["stun"]["messages"], 16);
    assert_eq!(call["communicating"]["rtcp"]["encrypted"], call["communicating"]["rtcp"]["packets"]);
    let relayed = sample("turn-call.pcapng");
    let call = &relayed["sessions"][0];
    assert_eq!(call["connecting"]["stun"]["channelData"], 366);
    assert_eq!(stream(&relayed, 0x94c4_fdfb)["relay"], "10.3.0.2:3478");
    let failed = sample("ice-failed.pcap");
    let call = &failed["sessions"][0];
    assert_eq!(call["connecting"]["stun"]["byType"]["Binding request"], 240);
    assert_eq!(call["communicating"]["rtpStreams"].as_array().map(Vec::len), Some(0));
}

#[test]
fn others() {
    let sctp = sample("sctp-lossy.pcapng");
    let association = &sctp["sessions"][0]["communicating"]["sctp"];
    assert_eq!((&association["retransmittedChunks"], &association["gapBlocks"]), (&Value::from(4), &Value::from(14)));
    let cut = sample("cut.pcap");
    assert_eq!(
        (&cut["captures"][0]["truncated"], &cut["captures"][0]["packets"]),
        (&Value::from(true), &Value::from(266))
    );
    assert_eq!(stream(&sample("vp8-lossy.pcapng.gz"), 0x00f8_2192)["packetsLost"], 5);
    assert_eq!(stream(&sample("sip-call.pcap"), 0x5f7f_c7d5)["packetsReceived"], 350);
}

#[test]
fn a_router_s_copies_count_once() {
    let json = sample("router-any.pcap");
    let stream = stream(&json, 0x0102_0304);
    // The program numbered its packets from 65,400 on, so that they wrap.
    for (name, value) in [("packetsReceived", 350), ("packetsDuplicated", 0), ("packetsLost", 0), ("sequenceWraps", 1)]
    {
        assert_eq!(stream[name], value, "{name}");
    }
    assert_eq!(json["captures"][0]["duplicatePackets"], 350);
}
