//! Servers and routers that do not do what a call asks for: silent ones, and those that say so by ICMP.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod analysis;
mod craft;

use craft::{Writer, host, stun, udp};
use serde_json::Value;

use crate::analysis::{everything, json, report};

const MILLISECOND: i64 = 1_000_000;

/// What RFC 8489 section 6.2.1 has a client send to a silent server: at 0, 0.5, 1.5, 3.5, 7.5 s ...
const TRANSMISSIONS: [i64; 5] = [0, 500, 1500, 3500, 7500];

/// A capture of packets, each with its time in milliseconds.
fn analyzed(packets: &[(i64, Vec<u8>)]) -> (Value, String) {
    let mut writer = Writer::raw();
    for (time, packet) in packets {
        writer.packet(1_700_000_000_000_000_000 + time * MILLISECOND, packet);
    }
    let report = report(writer.bytes).unwrap();
    let (text, _) = everything(&report);
    (json(&report), text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn client() -> ([u8; 4], u16) {
    (host(1), 50_000)
}

fn server() -> ([u8; 4], u16) {
    (host(2), 3478)
}

fn peer() -> ([u8; 4], u16) {
    (host(3), 40_000)
}

/// A check and its answer between the client and its peer, every half a second up to `end`.
fn checks(end: i64) -> Vec<(i64, Vec<u8>)> {
    let mut packets = Vec::new();
    for time in (0..=end).step_by(500) {
        let user = (0x0006, b"peer:client".to_vec());
        let mut check = stun(0x0001, &[user, (0x0025, Vec::new())]);
        check[16..20].copy_from_slice(&(time as u32).to_be_bytes());
        let mut answer = stun(0x0101, &[]);
        answer[16..20].copy_from_slice(&(time as u32).to_be_bytes());
        packets.push((time, udp(client(), peer(), &check)));
        packets.push((time + 20, udp(peer(), client(), &answer)));
    }
    packets
}

#[test]
fn a_turn_server_that_is_silent_gave_no_answer() {
    // REQUESTED-TRANSPORT is UDP.
    let allocate = stun(0x0003, &[(0x0019, vec![17, 0, 0, 0])]);
    let packets = TRANSMISSIONS.map(|time| (time, udp(client(), server(), &allocate)));
    let (json, text) = analyzed(&packets);
    let turn = &json["sessions"][0]["connecting"]["turn"][0];
    assert_eq!((&turn["requests"], &turn["retransmissions"], &turn["unanswered"]), (&1.into(), &4.into(), &1.into()));
    assert!(text.contains("TURN 10.0.0.2:3478: no answer, asked 5 times"), "{text}");
    // One request at the very end says nothing.
    let (json, text) = analyzed(&packets[..1]);
    assert_eq!(json["sessions"][0]["connecting"]["turn"][0]["unanswered"], 0);
    assert!(text.contains("TURN 10.0.0.2:3478: asked once right before the capture ends"), "{text}");
}

#[test]
fn a_stun_server_that_is_silent_is_named_in_a_call_that_worked() {
    let mut packets = checks(8000);
    let question = stun(0x0001, &[]);
    packets.extend(TRANSMISSIONS.map(|time| (time + 5, udp(client(), server(), &question))));
    packets.sort();
    let (json, text) = analyzed(&packets);
    let connecting = &json["sessions"][0]["connecting"];
    let asked = &connecting["stunServers"][0];
    assert_eq!((&asked["server"], &asked["unanswered"]), (&"10.0.0.2:3478".into(), &1.into()));
    assert_eq!((&asked["requests"], &asked["retransmissions"], &asked["responses"]), (&1.into(), &4.into(), &0.into()));
    assert!(text.contains("STUN 10.0.0.2:3478 never answered, sent 5 times"), "{text}");
}

#[test]
fn a_check_without_an_answer_for_seconds_failed() {
    let mut packets = checks(12_000);
    // One check to another address of the peer, early in the call.
    let check = stun(0x0001, &[(0x0006, b"peer:client".to_vec())]);
    packets.insert(1, (7, udp(client(), (host(4), 40_001), &check)));
    let (json, _) = analyzed(&packets);
    let pairs = json["sessions"][0]["connecting"]["candidatePairs"].as_array().unwrap();
    let states: Vec<_> = pairs.iter().map(|pair| pair["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["succeeded", "failed"]);
}

/// An ICMP error of `sender` about `packet`, an IPv4 packet, of which it cites the headers.
fn icmp_error(sender: [u8; 4], to: [u8; 4], kind: u8, code: u8, word: u32, packet: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(word.to_be_bytes());
    message.extend(&packet[..28]);
    craft::ipv4(1, sender, to, &message)
}

#[test]
fn a_firewall_that_refuses_packets_is_named() {
    let router = host(254);
    let check = udp(client(), peer(), &craft::ice_check());
    let refusal = icmp_error(router, client().0, 3, 13, 0, &check);
    let packets: Vec<_> =
        TRANSMISSIONS.iter().flat_map(|time| [(*time, check.clone()), (time + 1, refusal.clone())]).collect();
    let (json, text) = analyzed(&packets);
    let connecting = &json["sessions"][0]["connecting"];
    assert_eq!(connecting["icmpErrors"], 5);
    let icmp = &connecting["icmp"][0];
    assert_eq!((&icmp["sender"], &icmp["about"]), (&"10.0.0.254".into(), &"10.0.0.3:40000".into()));
    assert_eq!((&icmp["type"], &icmp["code"], &icmp["count"]), (&3.into(), &13.into(), &5.into()));
    let sentence = "10.0.0.254 refuses packets to 10.0.0.3:40000: communication administratively prohibited \
        (5 times, packet 2)";
    assert!(text.contains(sentence), "{text}");
}

#[test]
fn a_server_that_is_down_is_named() {
    let allocate = udp(client(), server(), &stun(0x0003, &[(0x0019, vec![17, 0, 0, 0])]));
    let error = icmp_error(server().0, client().0, 3, 3, 0, &allocate);
    let packets: Vec<_> =
        TRANSMISSIONS.iter().flat_map(|time| [(*time, allocate.clone()), (time + 1, error.clone())]).collect();
    let (_, text) = analyzed(&packets);
    assert!(text.contains("nothing listens at 10.0.0.2:3478 (ICMP port unreachable, 5 times, packet 2)"), "{text}");
}

#[test]
fn a_path_that_is_too_narrow_tells_its_mtu() {
    let mut packets = checks(2000);
    let large = udp(client(), peer(), &stun(0x0001, &[(0x0006, b"peer:client".to_vec()), (0x0026, vec![0; 1300])]));
    packets.push((700, large.clone()));
    packets.push((701, icmp_error(host(254), client().0, 3, 4, 1280, &large)));
    packets.sort();
    let (json, text) = analyzed(&packets);
    assert_eq!(json["sessions"][0]["connecting"]["icmp"][0]["mtu"], 1280);
    let sentence =
        "packets to 10.0.0.3:40000 are too big behind 10.0.0.254 (ICMP fragmentation needed, MTU 1280, packet";
    assert!(text.contains(sentence), "{text}");
}

#[test]
fn a_port_that_closes_at_the_end_is_no_trouble() {
    let mut packets = checks(2000);
    let late = udp(client(), peer(), &craft::ice_check());
    packets.push((2100, late.clone()));
    packets.push((2101, icmp_error(peer().0, client().0, 3, 3, 0, &late)));
    let (json, text) = analyzed(&packets);
    let icmp = &json["sessions"][0]["connecting"]["icmp"][0];
    assert_eq!((&icmp["atEnd"], &icmp["heardBefore"]), (&true.into(), &true.into()));
    assert!(text.contains("10.0.0.3:40000 closed its port at the end"), "all was asked for: {text}");
}
