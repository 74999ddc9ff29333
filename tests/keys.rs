//! Calls whose keys are known, opened, against what their peers logged before encryption, what getStats counted, and what
//! the lab's own reader decrypted.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    path::{Path, PathBuf},
};

use common::{
    Checks, Known, Run, analyze, analyze_with, check_all, folders, frames, hex_number, json, json_lines, list, name,
    unsigned,
};
use serde_json::Value;

/// Deviations from the peers' logs, each understood.
const KNOWN: &[Known] = &[];

/// Messages that a peer may send between its last getStats and the end.
const AFTER_STATS: u64 = 2;

#[test]
fn every_keyed_call() {
    let Some(captures) = frames::captures() else { return };
    let folders = ["lab", "labb"].into_iter().flat_map(|lab| folders(&captures.join(lab)));
    let keyed = folders.filter(|folder| folder.join("keys.log").exists());
    let files = ["capture.pcapng", "captureA.pcapng", "captureB.pcapng"];
    let files: Vec<PathBuf> = keyed.flat_map(|folder| files.map(|file| folder.join(file))).collect();
    let files: Vec<PathBuf> = files.into_iter().filter(|file| file.exists()).collect();
    assert!(files.len() >= 17, "keyed captures are missing");
    check_all(&files, KNOWN, |path, checks| {
        let call = Call::open(path);
        checks.at(format!("{} {}", name(&call.folder), name(path)));
        call.check(checks);
    });
}

/// The key of both directions, as the sessions of the scenario have it.
const GIVEN: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";

#[test]
fn srtp_keys_may_be_given() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("labb/gst-srtp-sha1-32");
    let path = folder.join("capture.pcapng");
    let plain = analyze(&path);
    assert_eq!(plain.sum("/communicating/rtcp/decrypted"), 0);
    let digits: String = (0..30).map(|byte| format!("{byte:02x}")).collect();
    let texts = [GIVEN.to_owned(), format!("AES_CM_128_HMAC_SHA1_32:{digits}")];
    let given = texts.iter().map(|text| analyze_with(&[OsStr::new("--srtp-key"), OsStr::new(text)], &path));
    let mut runs: Vec<Run> = given.collect();
    for session in ["sessionA.sdp", "sessionB.sdp"] {
        runs.push(analyze_with(&[OsStr::new("--sdp"), folder.join(session).as_os_str()], &path));
    }
    // Each peer logged what it sent; the BYEs at the end are not in the capture.
    let logs = ["A", "B"].map(|peer| json_lines(&folder.join(format!("peer{peer}.rtcp.jsonl"))));
    let packets = || logs.iter().flatten().flat_map(|line| list(&line["packets"]));
    for run in runs {
        let check = json(&folder.join("sdescheck.json"));
        assert_eq!(run.sum("/communicating/rtcp/decrypted"), unsigned(&check["counts"]["srtcp ok"]));
        let types = run.counts("/communicating/rtcp/byType");
        assert_eq!(types["SDES"], types["SR"]);
        for stream in run.streams() {
            let ssrc = unsigned(&stream["ssrc"]) as u32;
            let of_stream = packets().filter(|packet| packet["type"] == "SR" && hex_number(&packet["ssrc"]) == ssrc);
            let sent: BTreeSet<u64> = of_stream.map(|packet| unsigned(&packet["packets"])).collect();
            assert!(sent.contains(&unsigned(&stream["reported"]["packetsSent"])), "{ssrc:#x}: {sent:?}");
        }
        assert_eq!(run.streams().len(), 2);
    }
}

#[test]
fn keys_in_signalling_are_used() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("labb/sip-sdes-srtp");
    let run = analyze(&folder.join("capture.pcapng"));
    let check = json(&folder.join("sdescheck.json"));
    // One of them came before the answer with its key.
    assert_eq!(run.sum("/communicating/rtcp/decrypted"), unsigned(&check["counts"]["srtcp ok"]));
    let sum = |field: &str| run.sum(&format!("/securing/decryption/{field}"));
    assert_eq!(sum("srtpChecked"), sum("srtpAuthentic"));
    assert!(sum("srtpChecked") > 20);
    assert_eq!((sum("srtcpPackets"), sum("srtcpFailures")), (8, 0));
    // Baresip's own summary: no packet lost either way; jitter of 1.2 and 1.0 ms.
    for stream in run.streams() {
        let reported = &stream["reported"];
        assert_eq!((unsigned(&reported["packetsLost"]), reported["fractionLost"].as_f64()), (0, Some(0.0)));
        assert!(reported["jitter"].as_f64().is_some_and(|jitter| jitter < 0.003), "{reported}");
    }
}

/// A keyed call, analyzed with and without its keys.
struct Call {
    folder: PathBuf,
    /// The peer beside whom the capture was made.
    place: &'static str,
    plain: Run,
    keyed: Run,
}

/// One side's log of RTCP in clear.
type Log = Vec<Value>;

impl Call {
    fn open(path: &Path) -> Self {
        let folder = path.parent().unwrap().to_owned();
        let log = folder.join("keys.log");
        let keyed = analyze_with(&[OsStr::new("--keylog"), log.as_os_str()], path);
        let place = if name(path) == "captureB.pcapng" { "B" } else { "A" };
        Self { folder, place, plain: analyze(path), keyed }
    }

    fn check(&self, checks: &mut Checks) {
        checks.equal("stderr", self.keyed.stderr.as_str(), self.plain.stderr.as_str());
        self.all_opened(checks);
        self.authentic(checks);
        self.profile(checks);
        self.fingerprints(checks);
        let log = self.log();
        if !log.is_empty() {
            self.types(&log, checks);
            self.reports(&log, checks);
        }
        self.statistics(checks);
        self.data_channels(checks);
    }

    /// What the peer beside the capture logged, or the other where that one did not log.
    fn log(&self) -> Log {
        let other = if self.place == "A" { "B" } else { "A" };
        let [mut own, others] =
            [self.place, other].map(|peer| json_lines(&self.folder.join(format!("peer{peer}.rtcp.jsonl"))));
        if own.is_empty() {
            return others;
        }
        // A BYE may come when its receiver has closed, and logs no more.
        let is_bye = |line: &Value| line["dir"] == "out" && line["packets"][0]["type"] == "BYE";
        let logged: BTreeSet<String> = own.iter().map(|line| line["hex"].to_string()).collect();
        own.extend(others.into_iter().filter(|line| is_bye(line) && !logged.contains(&line["hex"].to_string())));
        own
    }

    /// All SRTCP that is there without keys is opened.
    fn all_opened(&self, checks: &mut Checks) {
        let sum = |run: &Run, field: &str| run.sum(&format!("/communicating/rtcp/{field}"));
        let encrypted = sum(&self.plain, "encrypted");
        if self.is_opened() {
            checks.equal("SRTCP opened", sum(&self.keyed, "decrypted"), encrypted);
        }
        checks.equal("SRTCP without keys", sum(&self.plain, "decrypted"), 0);
        for field in ["packets", "encrypted", "malformed"] {
            checks.equal(format!("RTCP {field}"), sum(&self.keyed, field), sum(&self.plain, field));
        }
        let check = json(&self.folder.join("keycheck.json"));
        if let Some(opened) = check["counts"]["srtcp ok"].as_u64().filter(|_| self.place == "A") {
            checks.equal("SRTCP opened by the lab's reader", sum(&self.keyed, "decrypted"), opened);
        }
    }

    /// Every tag and record that was checked is authentic; of records, as many as the lab's reader found.
    fn authentic(&self, checks: &mut Checks) {
        let sum = |field: &str| self.keyed.sum(&format!("/securing/decryption/{field}"));
        checks.equal("SRTP authentic", sum("srtpAuthentic"), sum("srtpChecked"));
        let has_media = self.is_opened() && !self.keyed.streams().is_empty();
        checks.equal("SRTP is checked", sum("srtpChecked") > 0, has_media);
        checks.equal("SRTCP failures", sum("srtcpFailures"), 0);
        checks.equal("DTLS failures", sum("dtlsFailures"), 0);
        let check = json(&self.folder.join("keycheck.json"));
        let counts = check["dtls_records"].as_object().or_else(|| check["counts"].as_object());
        let is_record = |name: &str| (name.starts_with("dtls ") || name.contains(" epoch ")) && name.ends_with(" ok");
        let records: u64 =
            counts.into_iter().flatten().filter(|(name, _)| is_record(name)).map(|(_, count)| unsigned(count)).sum();
        if self.place == "A" && records > 0 {
            // The lab's reader leaves out some that were sent again.
            let ours = sum("dtlsRecords");
            checks.holds(format!("DTLS records: {ours}, truth {records}"), (records..=records + 6).contains(&ours));
        }
        if check["dtls"] == "1.3" {
            checks.equal("all DTLS records", sum("dtlsRecords"), self.plain.sum("/securing/dtls/records/ciphertext"));
        }
    }

    /// Whether the log has what opens media: that of sip-tls opens the descriptions, which have its keys.
    fn is_opened(&self) -> bool {
        !["turn-tls12", "dtls-unknown-ca"].contains(&name(&self.folder).as_str())
    }

    fn profile(&self, checks: &mut Checks) {
        let check = json(&self.folder.join("keycheck.json"));
        let truth = check["srtp_profile"].as_str().or_else(|| check["associations"][0]["srtp_profile"].as_str());
        let Some(truth) = truth else { return };
        let securing: Vec<&Value> = self.keyed.sessions().map(|session| &session["securing"]).collect();
        checks.equal("sessions", securing.len(), 1);
        checks.equal("profile", securing[0]["srtpProfile"].as_str(), Some(truth));
        checks.equal("profile inferred", &securing[0]["srtpProfileInferred"], false);
        checks.equal(
            "profile of the association",
            securing[0]["dtlsAssociations"][0]["srtpProfile"].as_str(),
            Some(truth),
        );
    }

    /// The certificates, in clear or not, are those of the descriptions.
    fn fingerprints(&self, checks: &mut Checks) {
        let texts = ["offer.sdp", "answer.sdp"].map(|file| self.folder.join(file));
        let texts: Vec<String> =
            texts.iter().filter(|path| path.exists()).map(|path| std::fs::read_to_string(path).unwrap()).collect();
        let truth: BTreeSet<&str> = texts
            .iter()
            .flat_map(|text| text.lines().filter_map(|line| line.strip_prefix("a=fingerprint:sha-256 ")))
            .collect();
        if truth.is_empty() {
            return;
        }
        let certificates = self.keyed.sessions().flat_map(|session| list(&session["securing"]["certificates"]));
        let ours: BTreeSet<&str> = certificates.map(|one| one["fingerprint"].as_str().unwrap()).collect();
        checks.equal("fingerprints", ours, truth);
    }

    /// RTCP by type, as the peer saw it go and come.
    fn types(&self, log: &Log, checks: &mut Checks) {
        let mut truth: BTreeMap<String, u64> = BTreeMap::new();
        for packet in log.iter().flat_map(|line| list(&line["packets"])) {
            let kind = match packet["type"].as_str().unwrap() {
                "TWCC" => "transport-cc",
                "NACK" => "Generic NACK",
                other => other,
            };
            *truth.entry(kind.to_owned()).or_default() += 1;
        }
        checks.equal("RTCP by type", self.keyed.counts("/communicating/rtcp/byType"), truth);
    }

    /// What receivers reported, report by report.
    fn reports(&self, log: &Log, checks: &mut Checks) {
        let blocks = blocks(log);
        for stream in self.keyed.streams() {
            let ssrc = unsigned(&stream["ssrc"]) as u32;
            let (reported, empty) = (&stream["reported"], Vec::new());
            let truth = blocks.get(&ssrc).unwrap_or(&empty);
            checks.equal(
                format!("{ssrc:#x} reports"),
                reported["reports"].as_u64().unwrap_or_default(),
                truth.len() as u64,
            );
            let Some(last) = truth.last() else { continue };
            let mut near = |field: &str, truth: f64, absolute: f64| {
                checks.near(format!("{ssrc:#x} {field}"), reported[field].as_f64(), truth, 0.0, absolute);
            };
            let rate = stream["clockRate"].as_f64().unwrap();
            let highest = |of: fn(&Block) -> f64| truth.iter().map(of).fold(0.0, f64::max);
            near("packetsLost", last.lost, 0.0);
            near("fractionLost", last.fraction, 1e-9);
            near("fractionLostMax", highest(|block| block.fraction), 1e-9);
            near("jitter", last.jitter / rate, 1e-9);
            near("jitterMax", highest(|block| block.jitter) / rate, 1e-9);
            near("highestSequenceNumber", last.highest, 0.0);
            let trips: Vec<f64> = truth.iter().filter_map(|block| block.round_trip).collect();
            near("roundTripTimeMeasurements", trips.len() as f64, 0.0);
            // The peer logs what comes in a moment after the tap: its event loop is at other work too.
            if let Some(last) = trips.last() {
                near("roundTripTime", *last, 0.015);
                near("roundTripTimeMean", trips.iter().sum::<f64>() / trips.len() as f64, 0.015);
            }
        }
        checks.holds("streams that are reported on", !blocks.is_empty());
    }

    /// Feedback and receiver reports as getStats has them at the end of the call.
    fn statistics(&self, checks: &mut Checks) {
        for peer in ["A", "B"] {
            let lines = json_lines(&self.folder.join(format!("peer{peer}.stats.jsonl")));
            let Some(last) = lines.last().filter(|_| self.folder.parent().unwrap().ends_with("lab")) else { continue };
            let statistics: Vec<&Value> = match &last["stats"] {
                Value::Array(list) => list.iter().collect(),
                other => other.as_object().unwrap().values().collect(),
            };
            for one in statistics {
                match one["type"].as_str().unwrap() {
                    "outbound-rtp" => self.feedback(one, checks),
                    "remote-inbound-rtp" if peer == "A" => self.remote(one, checks),
                    _ => {}
                }
            }
        }
    }

    fn feedback(&self, outbound: &Value, checks: &mut Checks) {
        let ssrc = unsigned(&outbound["ssrc"]) as u32;
        let Some(stream) = self.stream(ssrc) else { return checks.note(format!("no stream {ssrc:#x}")) };
        for field in ["nackCount", "pliCount", "firCount"] {
            // Each peer counts what reached it; on a path that loses packets the other end sees more.
            if let Some(truth) = outbound[field].as_u64() {
                let ours = unsigned(&stream["reported"][field]);
                checks.equal(format!("{ssrc:#x} {field}"), ours, truth);
            }
        }
    }

    /// What A was told of its streams, with the round trip that it measured itself.
    fn remote(&self, remote: &Value, checks: &mut Checks) {
        let ssrc = unsigned(&remote["ssrc"]) as u32;
        let Some(stream) = self.stream(ssrc) else { return checks.note(format!("no stream {ssrc:#x}")) };
        let reported = &stream["reported"];
        let mut near = |field: &str, relative: f64, absolute: f64| {
            let (ours, truth) = (reported[field].as_f64(), remote[field].as_f64().unwrap());
            checks.near(format!("{ssrc:#x} {field}"), ours, truth, relative, absolute);
        };
        near("packetsLost", 0.0, 0.0);
        near("fractionLost", 0.0, 1e-9);
        // Firefox gives microseconds.
        near("jitter", 0.0, 2e-6);
        // Beside A the tap's round trip lacks what A's own stack takes.
        if self.place == "A" {
            near("roundTripTime", 0.0, 0.008);
            near("roundTripTimeMeasurements", 0.0, 0.0);
        }
    }

    fn stream(&self, ssrc: u32) -> Option<&Value> {
        self.keyed.streams().into_iter().find(|stream| unsigned(&stream["ssrc"]) as u32 == ssrc)
    }

    /// Messages and bytes of data channels, each way.
    fn data_channels(&self, checks: &mut Checks) {
        let truth = self.channels();
        let mut ours: BTreeMap<(String, String), [u64; 2]> = BTreeMap::new();
        for channel in self.keyed.sessions().flat_map(|session| list(&session["communicating"]["dataChannels"])) {
            for way in list(&channel["directions"]) {
                let host = way["source"].as_str().unwrap().rsplit_once(':').unwrap().0;
                let peer = self.peer(host);
                let label = channel["label"].as_str().unwrap().to_owned();
                ours.insert((label, peer.to_owned()), ["messages", "bytes"].map(|field| unsigned(&way[field])));
            }
        }
        for (key, counts) in truth {
            let ours = ours.get(&key).copied().unwrap_or_default();
            let [at_least, at_most] = counts;
            let fits = (0..2).all(|field| (at_least[field]..=at_most[field]).contains(&ours[field]));
            checks.holds(format!("{key:?}: {ours:?}, truth {counts:?}"), fits);
        }
    }

    fn peer(&self, host: &str) -> &'static str {
        if ["10.1.0.2", "10.21.0.2"].contains(&host) { "A" } else { "B" }
    }

    /// By label and sender: at least and at most so many messages and bytes.
    fn channels(&self) -> BTreeMap<(String, String), [[u64; 2]; 2]> {
        let mut channels = BTreeMap::new();
        if let Some(peers) = json(&self.folder.join("truth.json"))["peers"].as_object() {
            for (peer, truth) in peers {
                let other = if peer == "A" { "B" } else { "A" };
                for (label, counts) in truth["data_channels"]["0"].as_object().into_iter().flatten() {
                    let pair =
                        |sent: &str| [unsigned(&counts[sent]), unsigned(&counts[format!("{sent}_bytes").as_str()])];
                    let (sent, received) = (pair("sent"), pair("received"));
                    channels.insert((label.clone(), peer.clone()), [sent, sent]);
                    channels.entry((label.clone(), other.to_owned())).or_insert([received, received]);
                }
            }
            return channels;
        }
        let last =
            |peer: &str| json_lines(&self.folder.join(format!("peer{peer}.stats.jsonl"))).pop().unwrap_or_default();
        for (peer, other) in [("A", "B"), ("B", "A")] {
            let (own, others) = (last(peer), last(other));
            for (label, counts) in own["dc"]["sent"].as_object().into_iter().flatten() {
                let pair =
                    |counts: &Value| ["messages", "bytes"].map(|field| counts[field].as_u64().unwrap_or_default());
                let (sent, received) = (pair(counts), pair(&others["dc"]["received"][label]));
                let each = if sent[0] == 0 { 0 } else { sent[1].div_ceil(sent[0]) };
                let at_most = [sent[0] + AFTER_STATS, sent[1] + AFTER_STATS * each];
                // Beside the sender all is seen that was sent; beside the receiver, what came.
                let at_least = if peer == self.place { sent } else { received };
                channels.insert((label.clone(), peer.to_owned()), [at_least, at_most]);
            }
        }
        channels
    }
}

/// What one report says of a stream.
struct Block {
    lost: f64,
    fraction: f64,
    jitter: f64,
    highest: f64,
    /// From the sender report to this report where the log was written, without the time at the reporter.
    round_trip: Option<f64>,
}

/// The reports on each stream, in order.
fn blocks(log: &Log) -> BTreeMap<u32, Vec<Block>> {
    let mut blocks: BTreeMap<u32, Vec<Block>> = BTreeMap::new();
    let mut sent: BTreeMap<(u32, u32), f64> = BTreeMap::new();
    for line in log {
        let time = line["t"].as_f64().unwrap();
        for packet in list(&line["packets"]) {
            if let Some((seconds, fraction)) = packet["ntp"].as_str().and_then(|ntp| ntp.split_once('.')) {
                let middle = u32::from_str_radix(&format!("{}{}", &seconds[4..], &fraction[..4]), 16).unwrap();
                sent.insert((hex_number(&packet["ssrc"]), middle), time);
            }
            for report in list(&packet["reports"]) {
                let number = |field: &str| report[field].as_f64().unwrap();
                let ssrc = hex_number(&report["ssrc"]);
                let report_of = sent.get(&(ssrc, hex_number(&report["lsr"])));
                blocks.entry(ssrc).or_default().push(Block {
                    lost: number("cumulative_lost"),
                    fraction: number("fraction_lost") / 256.0,
                    jitter: number("jitter"),
                    highest: number("highest_seq"),
                    round_trip: report_of.map(|sent| time - sent - number("dlsr") / 65536.0),
                });
            }
        }
    }
    blocks
}
