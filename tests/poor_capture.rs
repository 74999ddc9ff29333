//! A call of the lab, captured worse than it was: the report of the whole capture, which other tests hold against the
//! lab's own truth, is what a mirror's copies and short packets are held against here.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod analysis;
mod craft;

use craft::Container;
use serde_json::Value;

use crate::analysis::{Packet, captures, everything, json, packets, report, report_of, written};

/// Calls with DTLS 1.3 and with DTLS 1.2.
const CALLS: [&str; 2] = ["chromium-av-clean", "firefox-dtls12"];

/// The first session of the whole capture of a call, and of what `spoil` makes of its packets; and the text.
fn both(call: &str, spoil: impl Fn(Vec<Packet>) -> Vec<Packet>) -> Option<(Value, Value, String)> {
    let path = captures()?.join("lab").join(call).join("capture.pcapng");
    let (link, all) = packets(&path).unwrap();
    let whole = json(&report_of(&[path], 1));
    let poor = report(written(Container::Pcap, false, link, &spoil(all))).unwrap();
    let (text, _) = everything(&poor);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some((whole["sessions"][0].clone(), json(&poor)["sessions"][0].clone(), text))
}

/// Values that may not differ, by their pointers.
fn assert_same(whole: &Value, poor: &Value, pointers: &[&str]) {
    for pointer in pointers {
        assert_eq!(whole.pointer(pointer), poor.pointer(pointer), "{pointer}");
    }
}

#[test]
fn a_mirror_port_hands_over_each_packet_twice() {
    for call in CALLS {
        let twice = |packets: Vec<Packet>| -> Vec<Packet> {
            packets
                .into_iter()
                .flat_map(|(nanos, bytes, length)| [(nanos, bytes.clone(), length), (nanos + 20_000, bytes, length)])
                .collect()
        };
        let Some((whole, poor, _)) = both(call, twice) else { return };
        let pair =
            ["requestsSent", "requestsReceived", "retransmissionsSent", "retransmissionsReceived", "roundTripTime"];
        let pair = pair.map(|field| format!("/connecting/selectedPair/{field}"));
        assert_same(&whole, &poor, &pair.each_ref().map(String::as_str));
        let securing = ["retransmissions", "encryptedRetransmissions", "handshakeDuration", "dtls", "applicationData"];
        let securing = securing.map(|field| format!("/securing/{field}"));
        assert_same(&whole, &poor, &securing.each_ref().map(String::as_str));
    }
}

#[test]
fn what_is_left_of_short_packets_is_counted() {
    for call in CALLS {
        let cut = |packets: Vec<Packet>| -> Vec<Packet> {
            packets
                .into_iter()
                .map(|(nanos, mut bytes, length)| {
                    bytes.truncate(64);
                    (nanos, bytes, length)
                })
                .collect()
        };
        let Some((whole, poor, text)) = both(call, cut) else { return };
        let pair =
            ["requestsSent", "requestsReceived", "responsesReceived", "requestsUnanswered", "roundTripTime", "state"];
        let pair = pair.map(|field| format!("/connecting/selectedPair/{field}"));
        assert_same(&whole, &poor, &pair.each_ref().map(String::as_str));
        assert_same(&whole, &poor, &["/connecting/stun/byType", "/securing/clientRole", "/securing/startTime"]);
        assert!(text.contains("handshake cut by the snap length"), "{text}");
        assert!(!text.contains("before the capture"), "{text}");
    }
}
