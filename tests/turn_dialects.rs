//! TURN as Teams and WhatsApp speak it.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod analysis;
mod craft;

use serde_json::Value;

use crate::analysis::{captures, everything, json, report_of};

/// The report of a public capture, and its text.
fn analyzed(name: &str) -> Option<(Value, String)> {
    let path = captures()?.join("public/captures").join(name);
    let report = report_of(&[path], 1);
    let text = everything(&report).0.split_whitespace().collect::<Vec<_>>().join(" ");
    Some((json(&report), text))
}

fn turns(json: &Value) -> Vec<&Value> {
    let sessions = json["sessions"].as_array().unwrap();
    sessions.iter().flat_map(|session| session["connecting"]["turn"].as_array().unwrap()).collect()
}

#[test]
fn teams_lends_an_address_in_mapped_address() {
    let Some((json, text)) = analyzed("nDPI__teams.pcap") else { return };
    let lent: Vec<_> = turns(&json)
        .into_iter()
        .flat_map(|turn| turn["allocations"].as_array().unwrap())
        .map(|lent| (lent["relayedAddress"].as_str().unwrap(), lent["mappedAddress"].as_str().unwrap()))
        .collect();
    // Four Allocate requests are granted (tshark: 0x0103). What the peer of the call sees is 80.181.206.72 (packet 1418).
    assert_eq!(lent.len(), 4, "{lent:?}");
    assert!(lent.iter().all(|(_, mapped)| *mapped == "80.181.206.72"), "{lent:?}");
    assert!(lent.iter().all(|(relayed, _)| ["52.114.250.141", "52.114.250.137"].contains(relayed)), "{lent:?}");
    assert!(!text.contains("nothing allocated"), "{text}");
    let by_type = &json["sessions"][0]["connecting"]["stun"]["byType"];
    // Packets 1416, 1417, 1431, 1432, 1437, 1439: what tshark calls Data Indication (0x0115).
    assert_eq!(by_type["Data indication"], 6);
    // Packets 1413, 1414, 1423, 1425, 1426, 1428: type 0x0004 with MS-MAGIC-COOKIE and DATA.
    assert_eq!(by_type["Send request"], 6);
    assert_eq!((&by_type["Refresh request"], &by_type["method 0x005 error"]), (&Value::Null, &Value::Null));
}

#[test]
fn teams_checks_through_the_relay_are_a_pair() {
    let Some((json, _)) = analyzed("nDPI__teams.pcap") else { return };
    let pairs = json["sessions"][0]["connecting"]["candidatePairs"].as_array().unwrap();
    let relayed: Vec<_> = pairs.iter().filter(|pair| pair["relayed"] == true).collect();
    // The plain REMOTE-ADDRESS is the peer's address of the direct pair.
    let peers: Vec<_> =
        relayed.iter().map(|pair| (pair["remote"]["address"].as_str().unwrap(), &pair["remote"]["port"])).collect();
    assert!(peers.contains(&("93.71.110.205", &16332.into())), "{peers:?}");
}

#[test]
fn whatsapp_grants_without_an_address() {
    let Some((json, text)) = analyzed("nDPI__stun_wa_call.pcapng") else { return };
    // tshark: 36 Allocate success responses, none with XOR-RELAYED-ADDRESS of a peer's use.
    let granted: u64 = turns(&json).iter().map(|turn| turn["allocationsGranted"].as_u64().unwrap()).sum();
    assert_eq!(granted, 36);
    assert!(text.contains("allocated, address not told"), "{text}");
    assert!(!text.contains("nothing allocated"), "{text}");
}
