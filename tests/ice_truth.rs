//! ICE and TURN of calls recorded with their truth: pairs, roles, checks, round trips and times against the browsers' own
//! getStats(), TURN against the log of the client that asked, names against multicast DNS as it was sent.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{collections::BTreeMap, path::Path};

use common::{Checks, Known, Run, analyze, check_all, folders, frames, json, json_lines, list, name, unsigned};
use serde_json::Value;

/// Deviations from getStats, each understood.
const KNOWN: &[Known] = &[];

#[test]
fn pairs_are_those_of_get_stats() {
    let Some(captures) = frames::captures() else { return };
    let folders: Vec<_> = folders(&captures.join("lab"))
        .into_iter()
        // Derived captures hold a part of another's call, and one was recorded before the others' statistics.
        .filter(|folder| !name(folder).starts_with("derived"))
        .filter(|folder| folder.join("capture.pcapng").exists())
        .collect();
    check_all(&folders, KNOWN, |folder, checks| {
        checks.at(name(folder));
        let run = analyze(&folder.join("capture.pcapng"));
        let meta = json(&folder.join("meta.json"));
        let Some((stats, transport)) = final_stats(folder) else { return };
        selected_pair(&run, &stats, &transport, checks);
        timeline(&run, &meta, checks);
    });
}

/// The last statistics of peer A, by id, and those of its transport.
fn final_stats(folder: &Path) -> Option<(BTreeMap<String, Value>, Value)> {
    let plain = folder.join("peerA.stats.jsonl");
    let path = if plain.exists() { plain } else { folder.join("peerA.stats.jsonl.gz") };
    let last = json_lines(&path).into_iter().next_back()?;
    let stats: BTreeMap<String, Value> = match &last["stats"] {
        Value::Object(stats) => stats.iter().map(|(id, value)| (id.clone(), value.clone())).collect(),
        Value::Array(stats) => {
            stats.iter().map(|value| (value["id"].as_str().unwrap_or_default().to_owned(), value.clone())).collect()
        }
        _ => return None,
    };
    let transport = stats.values().find(|value| value["type"] == "transport")?.clone();
    Some((stats, transport))
}

fn connectings(run: &Run) -> impl Iterator<Item = &Value> {
    run.sessions().map(|session| &session["connecting"])
}

/// The pair that A's browser selected, from A's side: the report may call either end the local one.
fn selected_pair(run: &Run, stats: &BTreeMap<String, Value>, transport: &Value, checks: &mut Checks) {
    let chosen = transport["selectedCandidatePairId"].as_str().and_then(|id| stats.get(id));
    let Some(chosen) = chosen.filter(|pair| pair["state"] == "succeeded") else {
        let worked = connectings(run).any(|connecting| connecting["status"] == "ok");
        if transport["iceState"] == "failed" {
            checks.equal("a path was found", worked, false);
        }
        return;
    };
    let side = |key: &str| stats.get(chosen[key].as_str().unwrap_or_default()).cloned().unwrap_or_default();
    let (local, remote) = (side("localCandidateId"), side("remoteCandidateId"));
    let ours = connectings(run).map(|connecting| &connecting["selectedPair"]).find(|pair| {
        let ends = [&pair["local"], &pair["remote"]];
        // Behind a NAT the agent knows its outer port only, which is the pair's reflexive one.
        let ports: Vec<&Value> = ends.iter().map(|end| &end["port"]).chain([&pair["reflexivePort"]]).collect();
        ports.contains(&&local["port"]) && ports.contains(&&remote["port"])
    });
    let Some(ours) = ours else { return checks.note(format!("selected {local} and {remote}, ours is another")) };
    let is_local = ours["local"]["port"] == local["port"] || ours["reflexivePort"] == local["port"];
    checks.equal("connecting", connectings(run).any(|connecting| connecting["status"] == "ok"), true);
    for (end, truth) in
        [("local", if is_local { &local } else { &remote }), ("remote", if is_local { &remote } else { &local })]
    {
        // Names in place of addresses are hidden from the page, a NAT's outer address is not in the capture.
        let hidden = truth["address"].as_str().is_none_or(str::is_empty) || truth["candidateType"] == "prflx";
        if !hidden {
            checks.equal(format!("address of the {end} end"), &ours[end]["address"], &truth["address"]);
        }
        if truth["candidateType"] == "relay" {
            checks.equal(format!("type of the {end} end"), &ours[end]["type"], "relay");
        }
    }
    let role = transport["iceRole"].as_str().unwrap_or_default();
    let opposite = if role == "controlling" { "controlled" } else { "controlling" };
    checks.equal("role", ours["iceRoleLocal"].as_str(), Some(if is_local { role } else { opposite }));
    checks.equal("nominated", &ours["nominated"], &chosen["nominated"]);
    let pairs = [
        ("requestsSent", "requestsSent", "requestsReceived"),
        ("responsesReceived", "responsesReceived", "responsesSent"),
        ("requestsReceived", "requestsReceived", "requestsSent"),
        ("responsesSent", "responsesSent", "responsesReceived"),
    ];
    for (theirs, here, there) in pairs {
        // Firefox counts some of them only, and per candidate of the other end.
        let Some(truth) = chosen[theirs].as_u64().filter(|_| chosen["requestsSent"].is_u64()) else { continue };
        let counted = unsigned(&ours[if is_local { here } else { there }]);
        // The statistics were taken while checks went on: the capture has those after it.
        checks.holds(
            format!("{theirs}: {counted}, getStats {truth}"),
            counted >= truth && counted <= truth + 2 || counted + 1 == truth,
        );
    }
    let trip = &ours[if is_local { "roundTripTime" } else { "roundTripTimeRemote" }];
    if let Some(truth) = chosen["currentRoundTripTime"].as_f64().filter(|_| chosen["requestsSent"].is_u64()) {
        // The browser counts whole milliseconds, and the time until it gets to read the answer.
        checks.near("round trip at A", trip.as_f64(), truth, 0.25, 0.025);
    }
}

/// From "checking" to "connected" of the earlier peer: an upper bound, as the page hears of it later than the wire.
fn timeline(run: &Run, meta: &Value, checks: &mut Checks) {
    let time = |peer: &str, state: &str| {
        list(&meta["states"][peer])
            .iter()
            .find(|entry| entry[1] == "iceConnectionState" && entry[2] == state)
            .and_then(|entry| entry[0].as_f64())
    };
    let both = |state: &str| [time("A", state), time("B", state)];
    let start = both("checking").into_iter().flatten().reduce(f64::min);
    let end = both("connected").into_iter().flatten().reduce(f64::max);
    let ours = connectings(run).filter_map(|connecting| connecting["iceDuration"].as_f64()).reduce(f64::max);
    if let (Some(start), Some(end), Some(ours)) = (start, end, ours) {
        checks.holds(
            format!("ICE took {ours} s, the page saw {}", end - start),
            ours <= end - start + 0.5 && ours >= 0.0,
        );
    }
}

#[test]
fn turn_errors_are_those_of_the_client() {
    let Some(captures) = frames::captures() else { return };
    for scenario in ["turn-errors", "turn-udp-ipv6"] {
        let folder = captures.join("labb").join(scenario);
        let run = analyze(&folder.join("capture.pcapng"));
        let mut truth: BTreeMap<(String, String, u64), u64> = BTreeMap::new();
        let mut order: Vec<(String, String, u64)> = Vec::new();
        let mut relayed = Vec::new();
        for exchange in json_lines(&folder.join("turn.jsonl")) {
            let text = |key: &str| exchange[key].as_str().unwrap_or_default().to_owned();
            if let Some(code) = exchange["code"].as_u64() {
                let key = (text("local"), text("method"), code);
                *truth.entry(key.clone()).or_default() += 1;
                if !order.contains(&key) {
                    order.push(key);
                }
            }
            if text("method") == "Allocate" && text("result") == "success" {
                relayed.push(text("relayed"));
            }
        }
        let mut ours: BTreeMap<(String, String, u64), u64> = BTreeMap::new();
        let mut firsts: Vec<(u64, (String, String, u64))> = Vec::new();
        let mut allocated = Vec::new();
        for server in connectings(&run).flat_map(|connecting| list(&connecting["turn"])) {
            let client = canonical(server["client"].as_str().unwrap());
            assert_eq!(server["realm"], "lab.example", "{scenario}");
            assert_eq!(server["unanswered"], 0, "{scenario}");
            for error in list(&server["errors"]) {
                let key = (client.clone(), error["method"].as_str().unwrap().to_owned(), unsigned(&error["code"]));
                *ours.entry(key.clone()).or_default() += unsigned(&error["count"]);
                assert!(error["name"].is_string() && error["meaning"].is_string(), "{error}");
                firsts.push((unsigned(&error["firstPacket"]), key));
            }
            for allocation in list(&server["allocations"]) {
                let address = allocation["relayedAddress"].as_str().unwrap();
                allocated.push((unsigned(&allocation["packet"]), format!("{address}:{}", allocation["relayedPort"])));
            }
        }
        firsts.sort();
        let mut ordered: Vec<(String, String, u64)> = Vec::new();
        for (_, key) in firsts {
            if !ordered.contains(&key) {
                ordered.push(key);
            }
        }
        assert_eq!(ours, truth, "{scenario}: errors");
        assert_eq!(ordered, order, "{scenario}: their order");
        allocated.sort();
        let allocated: Vec<String> = allocated.into_iter().map(|(_, address)| address).collect();
        let bare = |address: &String| address.replace(['[', ']'], "");
        assert_eq!(allocated, relayed.iter().map(bare).collect::<Vec<_>>(), "{scenario}: relayed addresses");
    }
}

/// As the client's log writes addresses: without brackets.
fn canonical(address: &str) -> String {
    address.replace(['[', ']'], "")
}

fn first_connecting(folder: &str, scenario: &str) -> Option<Value> {
    let path = frames::captures()?.join(folder).join(scenario).join("capture.pcapng");
    let run = analyze(&path);
    connectings(&run).next().cloned()
}

#[test]
fn turn_challenge_is_told_from_refusal() {
    let Some(connecting) = first_connecting("lab", "chromium-turn-badauth") else { return };
    assert_eq!(connecting["status"], "failed");
    // Three clients: each is asked for credentials once, and refused with them once.
    let servers = list(&connecting["turn"]);
    assert_eq!(servers.len(), 3);
    for server in servers {
        assert_eq!((&server["challenges"], &server["refusals"]), (&1.into(), &1.into()), "{server}");
        assert!(server["relayedAddress"].is_null());
    }
    let Some(connecting) = first_connecting("labb", "aiortc-turn-udp") else { return };
    let carried: Vec<&Value> =
        list(&connecting["turn"]).iter().filter(|server| unsigned(&server["packetsRelayed"]) > 0).collect();
    let [server] = carried.as_slice() else { panic!("one allocation carries the call: {carried:?}") };
    assert_eq!((&server["challenges"], &server["refusals"]), (&1.into(), &0.into()));
    assert_eq!(server["channels"][0]["number"], 0x4000);
    assert_eq!(server["lifetime"], 600);
}

#[test]
fn nat_shows_its_mapped_addresses() {
    let Some(connecting) = first_connecting("lab", "chromium-nat") else { return };
    let mapped: Vec<(u64, String)> = list(&connecting["mappedAddresses"])
        .iter()
        .map(|one| (unsigned(&one["mappedPort"]), one["mappedAddress"].as_str().unwrap().to_owned()))
        .collect();
    // As tshark reads XOR-MAPPED-ADDRESS.
    let expected = [30796, 59666, 30825].map(|port| (port, "203.0.113.10".to_owned()));
    assert_eq!(mapped, expected);
    assert!(list(&connecting["mappedAddresses"]).iter().all(|one| one["server"] == "10.3.0.2:3478"));
    let pair = &connecting["selectedPair"];
    // getStats calls it the peer-reflexive candidate.
    assert_eq!((&pair["reflexiveAddress"], &pair["reflexivePort"]), (&"203.0.113.10".into(), &27773.into()));
}

#[test]
fn checks_without_answers_fail() {
    let Some(connecting) = first_connecting("lab", "chromium-ice-blocked") else { return };
    assert_eq!((&connecting["status"], &connecting["selectedPair"]), (&"failed".into(), &Value::Null));
    let pair = &connecting["candidatePairs"][0];
    // 240 by tshark's count.
    assert_eq!((&pair["requestsSent"], &pair["requestsReceived"]), (&240.into(), &0.into()));
    assert_eq!(pair["state"], "failed");
    assert_eq!(pair["localUfrag"], "wjL4");
    assert_eq!(pair["remoteUfrag"], "+ASH");
}

#[test]
fn wrong_password_is_seen_in_the_errors() {
    let Some(connecting) = first_connecting("lab", "chromium-ice-wrong-pwd") else { return };
    assert_eq!(connecting["status"], "failed");
    let pair = &connecting["candidatePairs"][0];
    // 277 by tshark's count of error responses.
    assert_eq!((&pair["errors"][0]["code"], &pair["errors"][0]["count"]), (&401.into(), &277.into()));
    let states = [&pair["state"], &pair["remoteState"]];
    assert!(states.contains(&&Value::from("failed")) && states.contains(&&Value::from("succeeded")), "{states:?}");
}

#[test]
fn local_names_have_their_addresses() {
    let Some(connecting) = first_connecting("lab", "chromium-mdns") else { return };
    let names: BTreeMap<&str, (&str, u64)> = list(&connecting["mdns"])
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), (one["address"].as_str().unwrap(), unsigned(&one["asked"]))))
        .collect();
    // As tshark reads them.
    let expected = [
        ("28a59bdf-98a7-4f29-b6ed-b3e323b6a32a.local", ("10.1.0.2", 1)),
        ("749fb5d1-e981-41e9-80f8-8abf72a81e68.local", ("10.1.0.3", 1)),
    ];
    assert_eq!(names, expected.into());
}

#[test]
fn ice_over_tcp_has_its_pair() {
    let Some(captures) = frames::captures() else { return };
    let run = analyze(&captures.join("lab/gst-ice-tcp/capture.pcapng"));
    let pair = connectings(&run).map(|connecting| &connecting["selectedPair"]).find(|pair| pair["transport"] == "tcp");
    let pair = pair.expect("a pair over TCP");
    let ports = [unsigned(&pair["local"]["port"]), unsigned(&pair["remote"]["port"])];
    assert_eq!(ports, [43250, 34395]);
    assert_eq!((&pair["nominated"], &pair["state"]), (&true.into(), &"succeeded".into()));
}
