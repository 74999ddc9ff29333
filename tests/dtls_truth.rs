//! DTLS handshakes against what the lab, its peers and tshark say of them.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use common::{Checks, Known, Run, analyze, check_all, folders, frames, json, json_lines, list, name, unsigned};
use serde_json::Value;

/// Times in the lab's truth are microseconds of the same packets.
const TICK: f64 = 2e-6;

#[test]
fn the_lab() {
    let Some(captures) = frames::captures() else { return };
    let mut files = Vec::new();
    for folder in folders(&captures.join("lab")) {
        let names = ["capture.pcapng", "captureB.pcapng"];
        files.extend(names.map(|file| folder.join(file)).into_iter().filter(|path| path.exists()));
    }
    check_all(&files, &[], |path, checks| {
        let run = analyze(path);
        let folder = path.parent().unwrap();
        checks.at(format!("{} {}", name(folder), name(path)));
        let truth = json(&folder.join("truth.json"));
        let counted = &truth["captures"][&name(path)];
        in_lab(&run, path, list(&counted["dtls_handshake"]), checks);
        statistics(&run, folder, checks);
    });
}

/// The call's securing step: that of the session with a handshake, or with any DTLS.
fn securing(run: &Run) -> Option<&Value> {
    let all = || run.sessions().map(|session| &session["securing"]);
    all()
        .find(|securing| !list(&securing["handshakeMessages"]).is_empty())
        .or_else(|| all().find(|securing| !securing["dtls"].is_null()))
}

/// Messages, their fragments and first times, as the lab's own reader of the same capture has them.
fn in_lab(run: &Run, path: &Path, truth: &[Value], checks: &mut Checks) {
    let Some(securing) = securing(run) else {
        return checks.equal("handshake messages of the lab", truth.len(), 0);
    };
    let in_stun = securing["transport"] == "stun";
    let start = &run.report["captures"][0]["firstPacketAt"];
    let by_type = messages(securing);
    let mut theirs: BTreeMap<(String, String), (u64, f64, u64)> = BTreeMap::new();
    for message in truth {
        let (time, part) = (message[0].as_f64().unwrap(), &message[4]);
        let key = (message[1].as_str().unwrap().to_owned(), message[3].as_str().unwrap().to_owned());
        let entry = theirs.entry(key).or_insert((0, time, 0));
        entry.0 += 1;
        entry.2 = entry.2.max(unsigned(&part["len"]));
    }
    for ((sender, kind), (fragments, time, length)) in theirs {
        let what = format!("{kind} of {sender}");
        let Some(ours) = by_type.iter().find(|message| is_of(message, &sender, &kind)) else {
            checks.note(format!("{what} not found"));
            continue;
        };
        let found = unsigned(&ours["fragments"]);
        if in_stun {
            checks.holds(format!("{what}: {found} fragments, {fragments} outside STUN"), found >= fragments);
        } else {
            checks.equal(format!("{what}: fragments"), found, fragments);
            let first = epoch(start) + ours["time"].as_f64().unwrap();
            checks.near(format!("{what}: time"), first, time, 0.0, TICK);
        }
        checks.equal(format!("{what}: length"), unsigned(&ours["length"]), length);
        checks.equal(format!("{what}: missing"), list(&ours["missing"]).len(), 0);
    }
    let wrong = path.to_string_lossy().contains("wrong-fingerprint");
    checks.equal("status", securing["status"].as_str(), Some(if wrong { "failed" } else { "ok" }));
    // The client of that capture refuses the server's certificate: nothing but its alert follows.
    checks.equal("alert", securing["stoppedAt"]["encryptedAlert"]["sender"].is_string(), wrong);
    if wrong {
        checks.equal("who refuses", &securing["stoppedAt"]["encryptedAlert"]["sender"], &securing["clientRole"]);
        checks.equal("who is silent", securing["stoppedAt"]["silent"].is_null(), true);
        checks.equal("encrypted alerts", unsigned(&securing["encryptedAlerts"]), 1);
    }
}

fn messages(securing: &Value) -> Vec<&Value> {
    list(&securing["handshakeMessages"]).iter().collect()
}

/// The lab writes IPv6 addresses without brackets, and names the relay as sender of what came through it.
fn is_of(message: &Value, sender: &str, kind: &str) -> bool {
    let ours = message["type"].as_str().unwrap().to_lowercase().replace(' ', "_");
    let from = message["sender"].as_str().unwrap().replace(['[', ']'], "");
    ours == kind && (from == sender || sender == "10.3.0.2:3478")
}

/// Seconds since 1970 of the RFC 3339 time of a capture: all of the lab's are of 2026.
fn epoch(text: &Value) -> f64 {
    let text = text.as_str().unwrap();
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let days_before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][part(5, 7) as usize - 1];
    assert_eq!(part(0, 4), 2026);
    // 20,454 days from 1970 to 2026.
    let days = 20_454 + days_before + part(8, 10) - 1;
    let seconds = ((days * 24 + part(11, 13)) * 60 + part(14, 16)) * 60;
    seconds as f64 + text[17..29].parse::<f64>().unwrap()
}

/// What the browsers say of their transport.
fn statistics(run: &Run, folder: &Path, checks: &mut Checks) {
    for peer in ["A", "B"] {
        let last = json_lines(&folder.join(format!("peer{peer}.stats.jsonl"))).into_iter().rev();
        let transport = last.flat_map(|line| list(&line["stats"]).to_vec()).find(|entry| {
            entry["type"] == "transport" && entry["dtlsState"] == "connected" && !entry["tlsVersion"].is_null()
        });
        let (Some(transport), Some(securing)) = (transport, securing(run)) else { continue };
        if messages(securing).is_empty() {
            continue;
        }
        checks.equal(format!("{peer}: version"), &securing["tlsVersion"], &transport["tlsVersion"]);
        checks.equal(format!("{peer}: cipher"), &securing["dtlsCipher"], &transport["dtlsCipher"]);
        if securing["dtlsVersion"] == "1.2" {
            checks.equal(format!("{peer}: SRTP"), &securing["srtpProfile"], &transport["srtpCipher"]);
        } else {
            // The choice is encrypted: the tags of the SRTCP tell it, where there is any.
            let inferred = securing["srtpProfileInferred"] == true;
            let expected = if inferred { transport["srtpCipher"].clone() } else { Value::Null };
            checks.equal(format!("{peer}: SRTP"), &securing["srtpProfile"], &expected);
            let offered = list(&securing["offered"]["srtpProfiles"]).to_vec();
            let used = transport["srtpCipher"].clone();
            checks
                .holds(format!("{peer}: {used} was offered"), securing["offered"].is_null() || offered.contains(&used));
            // RFC 7714: tags of GCM have sixteen bytes; those of SRTCP's HMAC have ten with either profile.
            let has_tag =
                |profile: &&Value, length: &str| profile.as_str().unwrap().contains("GCM") == (length == "16");
            let tags = run.sessions().find_map(|session| session["communicating"]["rtcp"]["tagLengths"].as_object());
            let tag = tags.filter(|tags| tags.len() == 1).and_then(|tags| tags.keys().next());
            let told = tag.is_some_and(|tag| offered.iter().filter(|profile| has_tag(profile, tag)).count() == 1);
            checks.equal(format!("{peer}: SRTP is told by tags"), inferred, told);
        }
        // Without NAT and relay, the client's address tells which peer it is.
        let client = securing["clientRole"].as_str().unwrap();
        let own = [("A", "10.1.0.2:"), ("B", "10.2.0.2:")].into_iter().find(|(_, host)| client.starts_with(host));
        if let Some((owner, _)) = own {
            let role = if owner == peer { "client" } else { "server" };
            checks.equal(format!("{peer}: role"), transport["dtlsRole"].as_str(), Some(role));
        }
    }
}

fn labb(folder: &str, file: &str) -> Option<(PathBuf, Run)> {
    let path = frames::captures()?.join("labb").join(folder);
    let run = analyze(&path.join(file));
    Some((path, run))
}

#[test]
fn peers_of_other_implementations() {
    let Some(captures) = frames::captures() else { return };
    let mut files = Vec::new();
    for folder in folders(&captures.join("labb")) {
        let names = ["capture.pcapng", "captureB.pcapng"].map(|file| folder.join(file));
        let said = ["A", "B"].iter().any(|peer| folder.join(format!("peer{peer}.dtls.json")).exists());
        files.extend(names.into_iter().filter(|path| said && path.exists()));
    }
    check_all(&files, &[], |path, checks| {
        let run = analyze(path);
        let folder = path.parent().unwrap();
        checks.at(format!("{} {}", name(folder), name(path)));
        for peer in ["A", "B"] {
            let said = folder.join(format!("peer{peer}.dtls.json"));
            if !said.exists() {
                continue;
            }
            for said in list(&json(&said)) {
                let found = run.sessions().map(|session| &session["securing"]);
                let mut found = found.filter(|securing| securing["clientRandom"] == said["client_random"]);
                let Some(securing) = found.next() else {
                    checks.note(format!("no association of client random {}", said["client_random"]));
                    continue;
                };
                checks.equal("version", securing["dtlsVersion"].as_str(), Some("1.2"));
                let cipher = openssl_name(securing["dtlsCipher"].as_str().unwrap());
                checks.equal("cipher", cipher.as_str(), said["cipher"].as_str().unwrap());
                // OpenSSL's names lack the HMAC of IANA's.
                let profile = securing["srtpProfile"].as_str().unwrap().replace("_CM_HMAC_", "_CM_");
                checks.equal("profile", profile.as_str(), said["srtp_profile"].as_str().unwrap());
                checks.equal("status", securing["status"].as_str(), Some("ok"));
                // The peer's clock is the capture's; it notes the end of its handshake soon after the packet.
                let at = said["at"].as_f64().unwrap();
                let finish =
                    epoch(&run.report["captures"][0]["firstPacketAt"]) + securing["finishTime"].as_f64().unwrap();
                checks.near(format!("{peer} finished"), finish, at, 0.0, 0.1);
            }
        }
    });
}

/// `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256` as OpenSSL writes it.
fn openssl_name(iana: &str) -> String {
    let name = iana.trim_start_matches("TLS_").replace("_WITH_", "-").replace("AES_", "AES").replace('_', "-");
    name.replace("-CBC-", "-").trim_end_matches("POLY1305-SHA256").trim_end_matches("-SHA256X").to_owned()
        + if iana.contains("CHACHA20") { "POLY1305" } else { "" }
}

#[test]
fn lost_client_hellos() {
    // B's two first ClientHellos are dropped between B and A.
    let Some((_, run)) = labb("dtls-lost-clienthello", "captureB.pcapng") else { return };
    let securing = securing(&run).unwrap();
    let hello = &securing["handshakeMessages"][0];
    assert_eq!((&hello["type"], &hello["retransmissions"]), (&"Client Hello".into(), &2.into()));
    // drops.csv: 1795335968.705315 and 1795335969.706892, and the timer doubles.
    let time = hello["time"].as_f64().unwrap();
    let again: Vec<f64> =
        list(&hello["retransmissionTimes"]).iter().map(|again| again.as_f64().unwrap() - time).collect();
    assert!((again[0] - 1.0016).abs() < 0.01 && (again[1] - 3.0).abs() < 0.05, "{again:?}");
    // What A's interface saw was the third.
    let (_, run) = labb("dtls-lost-clienthello", "capture.pcapng").unwrap();
    let hello = &self::securing(&run).unwrap()["handshakeMessages"][0];
    assert_eq!((&hello["type"], &hello["retransmissions"]), (&"Client Hello".into(), &0.into()));
}

#[test]
fn a_lost_server_flight() {
    let Some((folder, run)) = labb("dtls-lost-serverflight", "captureB.pcapng") else { return };
    assert_eq!(frames::text(&folder.join("drops.csv")).lines().count(), 2, "one datagram is dropped");
    let securing = securing(&run).unwrap();
    let sent_again = |kind: &str| {
        let of_kind = |message: &&Value| message["type"] == kind;
        list(&securing["handshakeMessages"]).iter().find(of_kind).map(|message| unsigned(&message["retransmissions"]))
    };
    // B is the client, and saw the server's flight once.
    assert_eq!(sent_again("Client Hello"), Some(1));
    assert_eq!(sent_again("Server Hello Done"), Some(0));
    assert_eq!(securing["status"], "ok");
}

#[test]
fn no_common_cipher() {
    let Some((_, run)) = labb("dtls-no-common-cipher", "capture.pcapng") else { return };
    let securing = securing(&run).unwrap();
    assert_eq!(securing["status"], "failed");
    let alert = &securing["alerts"][0];
    assert_eq!(
        (&alert["level"], &alert["description"], &alert["packet"]),
        (&"fatal".into(), &"handshake_failure".into(), &19.into())
    );
    let stop = &securing["stoppedAt"];
    assert_eq!((&stop["message"], &stop["silent"]), (&"Client Hello".into(), &Value::Null));
    let ciphers = list(&securing["offered"]["ciphers"]);
    assert_eq!(ciphers.first(), Some(&"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".into()));
    assert_eq!(
        text(&frames::captures().unwrap().join("labb/dtls-no-common-cipher/capture.pcapng")),
        ["failed: DTLS stopped at Client Hello: 10.21.0.2:42836 sent handshake_failure, client 10.22.0.2:56121"]
    );
}

/// The words of the securing steps in the text report, unfolded.
fn text(path: &Path) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_rtcscope")).arg("analyze").arg(path).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let mut found = Vec::new();
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((_, words)) = line.split_once("Securing ") else { continue };
        let mut words = words.trim().to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("          ")) {
            words = format!("{words} {}", more.trim());
        }
        found.push(words);
    }
    found
}

#[test]
fn an_unknown_authority() {
    let Some((_, run)) = labb("dtls-unknown-ca", "capture.pcapng") else { return };
    let securing = securing(&run).unwrap();
    // tshark: packet 15, fatal, unknown_ca, from the client.
    let alert = &securing["alerts"][0];
    assert_eq!((&alert["description"], &alert["packet"]), (&"unknown_ca".into(), &15.into()));
    assert_eq!(alert["sender"], securing["clientRole"]);
    assert_eq!((&securing["status"], &securing["cookieRounds"]), (&"failed".into(), &1.into()));
    assert_eq!(securing["stoppedAt"]["message"], "Server Hello Done");
    let certificate = &securing["certificates"][0];
    assert_eq!((&certificate["keyType"], &certificate["keyBits"]), (&"RSA".into(), &4096.into()));
}

#[test]
fn a_lost_fragment() {
    let Some((_, run)) = labb("dtls-fragments", "capture.pcapng") else { return };
    let securing = securing(&run).unwrap();
    let certificate = list(&securing["handshakeMessages"]).iter().find(|message| message["type"] == "Certificate");
    let certificate = certificate.unwrap();
    // By tshark: 6 of 7 fragments (399..646 was dropped), then six of 247 bytes.
    assert_eq!((unsigned(&certificate["fragments"]), unsigned(&certificate["retransmissions"])), (12, 1));
    assert_eq!(unsigned(&certificate["length"]), 1413);
    assert_eq!((&securing["status"], &securing["cookieRounds"]), (&"ok".into(), &1.into()));
    assert_eq!(list(&securing["certificates"]).len(), 1);
    assert_eq!(unsigned(&securing["retransmissions"]), 5);
    // At the server nothing is missing.
    let (_, run) = labb("dtls-fragments", "captureB.pcapng").unwrap();
    let whole = self::securing(&run).unwrap();
    assert_eq!(whole["certificates"][0]["fingerprint"], securing["certificates"][0]["fingerprint"]);
}

#[test]
fn both_passive_is_no_dtls() {
    let Some((_, run)) = labb("dtls-both-passive", "capture.pcapng") else { return };
    assert!(run.sessions().count() > 0);
    assert!(run.sessions().all(|session| session["securing"]["status"] == "not-seen"));
}

#[test]
fn certificates_are_those_of_the_descriptions() {
    let Some(captures) = frames::captures() else { return };
    let mut checked = 0;
    for (folder, descriptions) in [
        ("lab/firefox-dtls12", ["offer.sdp", "answer.sdp"]),
        ("labb/aiortc-sha1-clean", ["offer.sdp", "answer.sdp"]),
        ("labb/dtls-late-answer", ["offer.sdp", "answer.sdp"]),
        ("labb/chromium-aiortc", ["offer.sdp", "answer.sdp"]),
    ] {
        let folder = captures.join(folder);
        if !descriptions.iter().all(|file| folder.join(file).exists()) {
            continue;
        }
        let run = analyze(&folder.join("capture.pcapng"));
        let certificates = list(&securing(&run).unwrap()["certificates"]);
        assert_eq!(certificates.len(), 2, "{}", folder.display());
        for certificate in certificates {
            let fingerprint = certificate["fingerprint"].as_str().unwrap();
            let line = format!("a=fingerprint:sha-256 {fingerprint}");
            let named = descriptions.iter().any(|file| frames::text(&folder.join(file)).contains(&line));
            assert!(named, "{}: {fingerprint} in no description", folder.display());
            assert_eq!((&certificate["keyType"], &certificate["selfSigned"]), (&"EC".into(), &true.into()));
            checked += 1;
        }
    }
    assert!(checked >= 4, "only {checked} certificates were compared");
}

#[test]
fn dtls_inside_stun() {
    let Some(captures) = frames::captures() else { return };
    let run = analyze(&captures.join("lab/chromium-sped/capture.pcapng"));
    let securing = securing(&run).unwrap();
    assert_eq!((&securing["transport"], &securing["status"]), (&"stun".into(), &"ok".into()));
    let messages = messages(securing);
    assert_eq!(messages.len(), 2);
    // The first 875 bytes came in STUN only; the lab counts 5 attributes in all.
    let fragments: u64 = messages.iter().map(|message| unsigned(&message["fragments"])).sum();
    assert!((4..=8).contains(&fragments), "{fragments} fragments");
    assert_eq!(list(&messages[0]["missing"]).len(), 0);
    assert_eq!(securing["offered"]["groups"][0], "X25519MLKEM768");
    // What STUN carried twice was not sent again by DTLS, whose timers never ran out.
    assert_eq!((&securing["retransmissions"], &securing["encryptedRetransmissions"]), (&0.into(), &0.into()));
    let truth = json(&captures.join("lab/chromium-sped/truth.json"));
    let attributes = &truth["captures"]["capture.pcapng"]["dtls_in_stun"]["0xc071"];
    let acknowledged = list(&securing["stunAcknowledgements"]);
    assert_eq!(acknowledged.iter().map(|end| unsigned(&end["attributes"])).sum::<u64>(), unsigned(attributes));
    assert!(acknowledged.iter().all(|end| unsigned(&end["datagrams"]) > 0 && end["unknown"] == 0), "{acknowledged:?}");
}

#[test]
fn public_captures() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("public");
    let index = frames::text(&folder.join("index.tsv"));
    let mut lines = index.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|field| *field == name).unwrap();
    let (path, truth) = (column("path"), column("truth"));
    let entries = lines.map(|line| (folder.join(line[path]), json(&folder.join(line[truth]))));
    let with_dtls: Vec<(PathBuf, Value)> =
        entries.filter(|(_, truth)| !list(&truth["tshark_default"]["dtls_flows"]).is_empty()).collect();
    assert!(with_dtls.len() > 10);
    let known: &[Known] =
        &[("nDPI__dtls.pcap: ClientHello: 1, truth 2", "its first packet was captured twice at one moment")];
    check_all(&with_dtls, known, |(path, truth), checks| {
        checks.at(name(path));
        let run = analyze(path);
        let theirs = list(&truth["tshark_default"]["dtls_flows"]);
        for session in run.sessions() {
            let securing = &session["securing"];
            if messages(securing).is_empty() {
                continue;
            }
            let ends: Vec<String> = list(&session["endpoints"]).iter().map(end).collect();
            let flow = theirs.iter().find(|flow| {
                let name = flow["flow"].as_str().unwrap();
                ends.iter().filter(|end| name.contains(end.as_str())).count() >= 2
            });
            let Some(flow) = flow else { continue };
            public_flow(securing, flow, checks);
        }
    });
}

fn end(end: &Value) -> String {
    let address = end["address"].as_str().unwrap();
    if address.contains(':') { format!("[{address}]:{}", end["port"]) } else { format!("{address}:{}", end["port"]) }
}

fn public_flow(securing: &Value, flow: &Value, checks: &mut Checks) {
    let mut ours: BTreeMap<String, u64> = BTreeMap::new();
    for message in messages(securing) {
        let kind = message["type"].as_str().unwrap().replace(' ', "");
        *ours.entry(kind).or_default() += unsigned(&message["fragments"]);
    }
    for (kind, count) in flow["handshake"].as_object().unwrap() {
        checks.equal(kind, ours.get(kind).copied().unwrap_or_default(), unsigned(count));
    }
    if let Some(profile) = flow["use_srtp_selected"].as_str() {
        checks.holds(format!("profile {profile}, {}", securing["srtpProfile"]), !securing["srtpProfile"].is_null());
    }
}

/// Datagrams that broke other programs.
#[test]
fn raw_seeds() {
    let Some(captures) = frames::captures() else { return };
    let mut all = rtcscope::flow::dtls::Dtls::default();
    let mut number = 0;
    for seed in std::fs::read_dir(captures.join("public/raw_seeds")).unwrap() {
        let bytes = std::fs::read(seed.unwrap().path()).unwrap();
        for (direction, cut) in [(0, 0), (1, bytes.len() / 2)] {
            number += 1;
            let datagram = rtcscope::flow::datagram::Datagram {
                time: rtcscope::time::Timestamp(i64::try_from(number).unwrap()),
                id: rtcscope::time::PacketId::new(0, number),
                bytes: &bytes[cut..],
                length: bytes.len() - cut,
                direction,
                holes: 0,
            };
            let _ = all.push(&datagram);
            all.suspect(&datagram);
        }
    }
    assert!(number > 100);
    assert!(all.finish(true).associations.iter().all(|record| record.messages.len() <= 48));
}
