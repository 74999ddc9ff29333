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

/// The 401 responses are tshark's count (`stun.type == 0x0111`).
#[test]
fn a_changed_password() {
    let json = sample("wrong-ice-password.pcap");
    let integrity = &json["sessions"][0]["signalling"]["messageIntegrity"];
    assert_eq!((&integrity["refused"], &integrity["failed"]), (&Value::from(198), &Value::from(0)));
    assert_eq!(json["findings"][0]["rule"], "SIG002");
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
    // Both agents have their relay at the same server.
    let relays = sample("turn-tcp.pcap");
    let pair = &relays["sessions"][0]["connecting"]["selectedPair"];
    for (end, port) in [("local", 50_042), ("remote", 50_912)] {
        assert_eq!((&pair[end]["type"], &pair[end]["port"]), (&"relay".into(), &port.into()), "{end}");
    }
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

/// The fields of a JSON object.
fn fields<const N: usize>(object: &Value, names: [&str; N]) -> [Value; N] {
    names.map(|name| object[name].clone())
}

/// The pair of two ports.
fn pair(json: &Value, ports: [u16; 2]) -> &Value {
    let pairs = json["sessions"][0]["connecting"]["candidatePairs"].as_array();
    let found = pairs.into_iter().flatten().find(|pair| {
        let own = [&pair["local"]["port"], &pair["remote"]["port"]];
        own == ports || own == [ports[1], ports[0]]
    });
    found.unwrap_or(&Value::Null)
}

const CHECKS: [&str; 4] = ["requestsSent", "responsesReceived", "requestsReceived", "responsesSent"];

/// By getStats() of both ends and the time at which the page restarted ICE.
#[test]
fn an_ice_restart() {
    let json = sample("ice-restart.pcap");
    let call = &json["sessions"][0];
    let connecting = &call["connecting"];
    assert_eq!(fields(connecting, ["iceRestarts", "pathSwitches", "roleConflicts"]), [1, 1, 0]);
    assert_eq!(connecting["iceRole"], "controlling");
    let (old, new) = (pair(&json, [57_366, 37_502]), pair(&json, [46_240, 44_478]));
    assert_eq!(fields(old, ["selected", "nominated"]), [false, true]);
    assert_eq!(fields(new, ["selected", "nominated"]), [true, true]);
    assert_eq!(fields(old, CHECKS), [6, 6, 6, 6]);
    assert_eq!(fields(old, ["localUfrag", "remoteUfrag"]), ["l/Bi", "iqRC"]);
    assert_eq!(fields(new, ["localUfrag", "remoteUfrag"]), ["ecVA", "ZXJG"]);
    // B checked A's new port from its old one.
    let between = pair(&json, [46_240, 37_502]);
    assert_eq!(fields(between, CHECKS), [0, 0, 1, 1]);
    // The page restarted 6.07 s after the first packet.
    let restarted = new["firstRequestTime"].as_f64();
    assert!(restarted >= Some(6.07) && restarted < Some(6.5), "{restarted:?}");
    let securing = &call["securing"];
    assert_eq!(
        fields(securing, ["tlsVersion", "dtlsCipher", "srtpProfile", "clientRole"]),
        ["FEFC", "TLS_AES_128_GCM_SHA256", "SRTP_AES128_CM_HMAC_SHA1_80", "10.71.2.2:37502"]
    );
    assert_eq!(securing["associations"], 1);
    // The SSRCs and tshark's counts.
    for ssrc in [525_181_965, 4_133_292_963] {
        assert_eq!(fields(stream(&json, ssrc), ["packetsReceived", "packetsLost"]), [449, 0]);
    }
}

/// getStats() of both ends: ICE is connected, DTLS is "connecting", and nothing of the media was sent.
#[test]
fn a_blocked_handshake() {
    let json = sample("dtls-blocked.pcap");
    let call = &json["sessions"][0];
    assert_eq!(json["verdict"], "fail");
    let [connecting, securing] = ["connecting", "securing"].map(|step| &call[step]);
    assert_eq!((&connecting["status"], &securing["status"]), (&"ok".into(), &"failed".into()));
    assert_eq!(connecting["iceRole"], "controlling");
    let pair = pair(&json, [51_876, 54_371]);
    assert_eq!(fields(pair, CHECKS), [9, 9, 9, 9]);
    assert_eq!(fields(pair, ["selected", "nominated"]), [true, true]);
    // tshark: nine times each.
    let messages = securing["handshakeMessages"].as_array().into_iter().flatten();
    let sent_again: Vec<[Value; 2]> = messages.map(|message| fields(message, ["type", "retransmissions"])).collect();
    assert_eq!(sent_again, [[Value::from("Client Hello"), 8.into()], ["Server Hello".into(), 8.into()]]);
    assert_eq!(securing["clientRole"], "10.71.2.2:54371");
    let stop = &securing["stoppedAt"];
    assert_eq!(fields(stop, ["silent", "answersLost"]), [Value::from("10.71.2.2:54371"), true.into()]);
    assert_eq!(stop["neverAnswered"], false);
    assert_eq!(call["communicating"]["rtpStreams"].as_array().map(Vec::len), Some(0));
}

/// getStats() of A, and tshark's counts of TURN.
#[test]
fn a_call_through_turn_over_tcp() {
    let json = sample("turn-tcp.pcap");
    let connecting = &json["sessions"][0]["connecting"];
    assert_eq!(connecting["iceRole"], "controlling");
    let stun = &connecting["stun"];
    assert_eq!(stun["channelData"], 663);
    let kinds = ["Allocate request", "Allocate error", "Allocate success", "Send indication", "Data indication"];
    assert_eq!(fields(&stun["byType"], kinds), [2, 1, 1, 5, 5]);
    let turn = &connecting["turn"][0];
    assert_eq!(
        fields(turn, ["transport", "server", "client", "realm", "relayedAddress", "mappedAddress"]),
        ["tcp", "10.71.3.2:3478", "10.71.1.2:47506", "lh.test", "10.71.3.2", "10.71.1.2"]
    );
    assert_eq!(
        fields(turn, ["relayedPort", "mappedPort", "lifetime", "challenges", "refusals", "refreshes", "unanswered"]),
        [50_042, 47_506, 600, 1, 0, 0, 0]
    );
    assert_eq!(turn["channels"][0]["peer"], "10.71.3.2:50912");
    let pair = pair(&json, [50_042, 50_912]);
    assert_eq!(fields(&pair["local"], ["address", "type"]), ["10.71.3.2", "relay"]);
    assert_eq!(fields(pair, ["relayed", "nominated", "selected"]), [true, true, true]);
    for ssrc in [279_038_084, 2_135_143_259, 3_801_147_862, 2_402_061_597] {
        assert_eq!(fields(stream(&json, ssrc), ["packetsLost", "relay"]), [Value::from(0), "10.71.3.2:3478".into()]);
    }
}
