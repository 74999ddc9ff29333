//! Captures of other projects against tshark and against those projects' own expected output. tshark is no truth by
//! itself: each place where it is not followed is listed with its reason.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{collections::BTreeMap, path::PathBuf};

use common::{Checks, Known, Run, analyze, check_all, frames, json, list, name, unsigned};
use serde_json::Value;

/// Where tshark or a file is not followed.
const KNOWN: &[Known] = &[
    ("arkime__stun.pcap: STUN", "tshark does not name STUN of RFC 3489, which has no cookie, without a setting"),
    ("arkime__turn.pcap: STUN", "TURN over TCP, which tshark does not look for on this port"),
    ("derived-wrapped__aiortc_rtcp_A.pcap: RTCP by type", "an SDES seed whose length says 0 with bytes behind it"),
    (
        "derived-wrapped__coturn_stun_A.pcap: STUN",
        "a seed with unpadded attributes, as old senders write them, that tshark does not count",
    ),
    (
        "derived-wrapped__janus_rtcp_A.pcap: RTCP",
        "fuzz seeds: two are broken at their start, and tshark has no name for type 195 (IJ)",
    ),
    (
        "derived-wrapped__janus_rtp_A.pcap: 192.0.2.1:5004>192.0.2.2:5004 0x12345678 missing",
        "fuzz seeds: two packets with one number are no stream",
    ),
    (
        "derived-wrapped__janus_rtp_A.pcap: 192.0.2.1:5004>192.0.2.2:5004 0xe20a0a missing",
        "fuzz seeds: two packets with one number are no stream",
    ),
    (
        "derived-wrapped__usrsctp_A.pcap: SCTP chunks",
        "fuzz seeds: tshark stops in a broken packet, chunks before and after the fault are counted here",
    ),
    ("mercury__stun_classic.pcap: STUN", "STUN of RFC 3489, as above"),
    ("nDPI__adult_content.pcap: DTLS records", "inside TURN"),
    ("nDPI__adult_content.pcap: STUN", "checks inside Send and Data indications are counted too"),
    (
        "nDPI__dtls.pcap: DTLS records: {\"Alert\": 1, \"Handshake\": 8}",
        "its first packet was captured twice at one moment",
    ),
    (
        "nDPI__fuzz-2006-06-26-2594.pcap: 192.168.1.2:30000>212.242.33.36:40392 0x3796cb71 missing",
        "three corrupted packets far apart, of two payload types",
    ),
    (
        "nDPI__rtp.pcapng: 10.204.220.71:6000>10.204.220.171:6000 0x1646 jitterMean",
        "tshark's mean leaves out packets of the same frame; last and highest agree with RFC 3550",
    ),
    ("nDPI__rtp.pcapng: 172.16.168.24:40252>172.16.168.64:5000 0x0 extra", "RTP over TCP (RFC 4571)"),
    (
        "nDPI__skinny.pcap: 192.168.195.50:17718>192.168.195.58:32144 0x7c1071e2",
        "a mirror port captured each packet twice",
    ),
    (
        "nDPI__skinny.pcap: 192.168.195.58:32144>192.168.195.50:17718 0xf6bf57dc",
        "a mirror port captured each packet twice",
    ),
    ("nDPI__stun_dtls_rtp.pcapng: DTLS records", "inside TURN over TCP"),
    ("nDPI__stun_dtls_rtp.pcapng: RTCP: 2", "one more inside TURN over TCP"),
    ("nDPI__stun_dtls_rtp.pcapng: STUN", "checks inside Send and Data indications are counted too"),
    ("nDPI__stun_wa_call.pcapng: STUN", "methods that IANA did not assign, which tshark does not name"),
    (
        "nDPI__stun_google_meet.pcapng: 142.250.82.76:19305>192.168.12.156:38152 0x0",
        "tshark takes six probes for other protocols and then counts a gap",
    ),
    (
        "nDPI__stun_google_meet.pcapng: 2001:4860:4864:6::81:19305>2001:b07:a3d:c112:48a1:1094:1227:281e:45572 0x0",
        "tshark takes eleven probes for other protocols and then counts a gap",
    ),
    ("nDPI__teams.pcap: RTCP: 12", "the scan has two DNS messages among its 14"),
    ("nDPI__teams.pcap: STUN", "six Data indications of MS-TURN have a type that tshark does not name"),
    (
        "nDPI__telegram_videocall.pcapng: STUN",
        "tshark counts six messages that ICMP errors quote; a check and its answer inside indications are counted here",
    ),
    ("nDPI__zoom.pcap: STUN", "STUN of RFC 3489, as above"),
    (
        "rtpproxy__rtp_analyze__DLT_NULL.a.rtp: 127.0.0.1:12002>127.0.0.1:12344 0x9c49ca0a extra",
        "tshark does not follow ports behind BSD loopback here; rtpproxy's own numbers are in what_rtpproxy_says",
    ),
    ("rtpproxy__rtp_analyze__DLT_NULL.a.rtp: 127.0.0.1:12004>127.0.0.1:12344 0x9c49ca0a extra", "as above"),
    ("rtpproxy__rtp_analyze__DLT_NULL.a.rtp: ::1:12002>::1:12344 0xcead2a2b extra", "as above"),
    (
        "rtpproxy__rtp_analyze__sess6.a.rtp: 97.93.61.248:61390>244.50.221.222:16778 0x49954fd1 lost",
        "the numbers start anew twice: two restarts and no loss, as rtpproxy says",
    ),
    ("rtpproxy__rtp_analyze__sipit31.o.rtp: refused", "rtpproxy's ad hoc recording format"),
    ("trex-core__exp__sip_short2-0-ex.erf: refused", "Endace ERF"),
];

/// A row of `index.tsv`.
struct Entry {
    path: PathBuf,
    category: String,
    truth: PathBuf,
}

fn index() -> Vec<Entry> {
    let Some(public) = frames::captures().map(|captures| captures.join("public")) else { return Vec::new() };
    let index = frames::text(&public.join("index.tsv"));
    let mut lines = index.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|field| *field == name).unwrap();
    let (path, category, truth) = (column("path"), column("category"), column("truth"));
    lines
        .map(|line| Entry {
            path: public.join(line[path]),
            category: line[category].to_owned(),
            truth: public.join(line[truth]),
        })
        .collect()
}

#[test]
fn every_capture() {
    check_all(&index(), KNOWN, |entry, checks| {
        checks.at(name(&entry.path));
        let run = analyze(&entry.path);
        if run.status == 2 {
            checks.equal("standard output", run.report.is_null(), true);
            checks.equal("lines on standard error", run.stderr.lines().count(), 1);
            checks.note(format!("refused: {}", run.stderr.trim_end().rsplit(": ").next().unwrap_or_default()));
            return;
        }
        checks.holds(format!("exit status {}", run.status), run.status < 2 && run.report.is_object());
        let truth = json(&entry.truth);
        let tshark = &truth["tshark_heuristic_rtp_on"];
        if entry.category == "negative" {
            checks.equal("streams", run.streams().len(), 0);
            checks.equal("RTCP", run.sum("/communicating/rtcp/packets"), 0);
            checks.equal("sessions", run.sessions().count(), 0);
            return;
        }
        if entry.category == "media" {
            streams(&run, &truth, checks);
            rtcp(&run, &truth, checks);
        }
        stun(&run, tshark, checks);
        dtls(&run, tshark, checks);
        sctp(&run, tshark, checks);
    });
}

/// Who to whom, and the SSRC. Of relayed streams what is on the wire: the client and the server.
type Key = (String, String, u64);

fn wire(stream: &Value) -> Key {
    let plain = |end: &str| end.replace(['[', ']'], "");
    let (mut source, mut destination) = (stream["source"].as_str().unwrap(), stream["destination"].as_str().unwrap());
    if let Some(relay) = stream["relay"].as_str() {
        // Both ends of the wire are not in the report: these captures are taken at clients with private addresses.
        if source.starts_with("192.168.") || source.starts_with("10.21.") {
            destination = relay;
        } else {
            source = relay;
        }
    }
    (plain(source), plain(destination), stream["ssrc"].as_u64().unwrap_or_default())
}

/// Every stream of tshark, and no other, with the same packets, loss and jitter. tshark's streams end where the path
/// changes: of one that goes on elsewhere the packets of each path are compared.
fn streams(run: &Run, truth: &Value, checks: &mut Checks) {
    let mut ours: BTreeMap<Key, (&Value, u64)> = BTreeMap::new();
    for stream in run.streams() {
        let left = list(&stream["previousPaths"]).iter().map(|path| {
            let (source, destination, _) = wire(path);
            ((source, destination, unsigned(&stream["ssrc"])), unsigned(&path["packetsReceived"]))
        });
        let left: Vec<(Key, u64)> = left.collect();
        let last = unsigned(&stream["packetsReceived"]) - left.iter().map(|(_, packets)| packets).sum::<u64>();
        for (key, packets) in left.into_iter().chain([(wire(stream), last)]) {
            ours.entry(key).or_insert((stream, 0)).1 += packets;
        }
    }
    let mut theirs: BTreeMap<Key, Vec<&Value>> = BTreeMap::new();
    for stream in list(&truth["rtp_streams_heuristic_on"]) {
        let end = |field: &str| stream[field].as_str().unwrap().to_owned();
        theirs.entry((end("src"), end("dst"), common::hex_number(&stream["ssrc"]).into())).or_default().push(stream);
    }
    for (key, parts) in &theirs {
        let packets: u64 = parts.iter().map(|part| unsigned(&part["packets"])).sum();
        let what = format!("{}>{} {:#x}", key.0, key.1, key.2);
        let Some((stream, received)) = ours.get(key) else {
            // One packet is no stream: random bytes have an RTP header once in a few packets.
            if packets > 1 {
                checks.note(format!("{what} missing, {packets} packets"));
            }
            continue;
        };
        checks.equal(format!("{what} packets"), *received, packets);
        if !list(&stream["previousPaths"]).is_empty() {
            continue;
        }
        let lost: i64 = parts.iter().map(|part| part["lost"].as_i64().unwrap()).sum();
        // tshark takes each duplicate for a packet that was not lost.
        let net = unsigned(&stream["packetsLost"]).cast_signed() - unsigned(&stream["packetsDuplicated"]).cast_signed();
        checks.equal(format!("{what} lost"), net, lost);
        jitter(stream, parts, &what, checks);
    }
    for (key, (_, received)) in ours.iter().filter(|(key, _)| !theirs.contains_key(key)) {
        checks.note(format!("{}>{} {:#x} extra, {received} packets", key.0, key.1, key.2));
    }
}

/// tshark knows the clock of static payload types only.
fn jitter(stream: &Value, parts: &[&Value], what: &str, checks: &mut Checks) {
    let [part] = parts else { return };
    let types = list(&stream["payloadTypes"]);
    let is_static = types.iter().all(|entry| unsigned(&entry["payloadType"]) < 35 && !entry["codec"].is_null());
    let comfort = types.iter().any(|entry| entry["payloadType"] == 13 || entry["payloadType"] == 19);
    let jumped = stream["restarts"] != 0 || stream["timestampJumps"] != 0;
    if !is_static || comfort || jumped || unsigned(&stream["packetsReceived"]) < 3 || types.len() > 1 {
        return;
    }
    for (field, theirs) in [("jitterMean", "mean_jitter_ms"), ("jitterMax", "max_jitter_ms")] {
        let truth = part[theirs].as_f64().unwrap() / 1000.0;
        checks.near(format!("{what} {field}"), stream[field].as_f64(), truth, 0.05, 5e-6);
    }
}

fn rtcp(run: &Run, truth: &Value, checks: &mut Checks) {
    let tshark = &truth["tshark_heuristic_rtp_on"];
    let packets = tshark["protocol_frame_counts"]["rtcp"].as_u64().unwrap_or_default();
    let scanned = truth["byte_prefilter_counts"]["rtcp"].as_u64().unwrap_or_default();
    let ours = run.sum("/communicating/rtcp/packets");
    // tshark finds SRTCP only behind signalling; the scan of the bytes finds it by its shape.
    checks.holds(format!("RTCP: {ours}, tshark {packets}, scan {scanned}"), ours == packets || ours == scanned);
    if run.sum("/communicating/rtcp/encrypted") > 0 {
        // What tshark reads out of ciphertext is no truth.
        for stream in run.streams() {
            let reports = stream["reported"]["reports"].as_u64().unwrap_or_default();
            checks.equal(format!("reports on {} out of ciphertext", stream["ssrc"]), reports, 0);
        }
        return;
    }
    let mut ours: BTreeMap<&str, u64> = BTreeMap::new();
    let counts = run.counts("/communicating/rtcp/byType");
    for (kind, count) in &counts {
        let kind = match kind.as_str() {
            "SR" | "RR" | "SDES" | "BYE" | "APP" | "XR" => kind,
            "Generic NACK" | "TMMBR" | "TMMBN" | "transport-cc" | "CCFB" => "RTPFB",
            "PLI" | "SLI" | "RPSI" | "FIR" | "REMB" | "AFB" => "PSFB",
            other => other,
        };
        *ours.entry(kind).or_default() += count;
    }
    let theirs = tshark["rtcp_packet_types"].as_object().into_iter().flatten();
    let theirs: BTreeMap<&str, u64> = theirs.map(|(kind, count)| (kind.as_str(), unsigned(count))).collect();
    checks.equal("RTCP by type", ours, theirs);
}

fn stun(run: &Run, tshark: &Value, checks: &mut Checks) {
    let theirs = tshark["stun_messages"].as_object().into_iter().flatten();
    let theirs: BTreeMap<String, u64> = theirs.map(|(kind, count)| (kind.clone(), unsigned(count))).collect();
    let mut ours = run.counts("/connecting/stun/byType");
    outside(run, "/stun/byType", &mut ours);
    checks.equal("STUN", ours, theirs);
}

/// Adds the counts of flows that make no call.
fn outside(run: &Run, pointer: &str, counts: &mut BTreeMap<String, u64>) {
    for (kind, count) in run.other_flows().filter_map(|flow| flow.pointer(pointer)?.as_object()).flatten() {
        *counts.entry(kind.clone()).or_default() += unsigned(count);
    }
}

fn dtls(run: &Run, tshark: &Value, checks: &mut Checks) {
    let mut theirs: BTreeMap<String, u64> = BTreeMap::new();
    for (kind, count) in
        list(&tshark["dtls_flows"]).iter().filter_map(|flow| flow["record_types"].as_object()).flatten()
    {
        *theirs.entry(kind.clone()).or_default() += unsigned(count);
    }
    let mut ours: BTreeMap<String, u64> = BTreeMap::new();
    let mut records = run.counts("/securing/dtls/records");
    outside(run, "/dtls/dtls/records", &mut records);
    for (kind, count) in records {
        let kind = match kind.as_str() {
            "handshake" => "Handshake",
            "change-cipher-spec" => "ChangeCipherSpec",
            "application-data" => "ApplicationData",
            "alert" => "Alert",
            // DTLS 1.3 hides the type, and tshark gives it none.
            "ciphertext" => continue,
            other => other,
        };
        *ours.entry(kind.to_owned()).or_default() += count;
    }
    checks.equal("DTLS records", ours, theirs);
}

fn sctp(run: &Run, tshark: &Value, checks: &mut Checks) {
    let theirs = tshark["sctp_chunks"].as_object().into_iter().flatten();
    let theirs: BTreeMap<String, u64> = theirs.map(|(kind, count)| (kind.clone(), unsigned(count))).collect();
    let ours = run.counts("/communicating/sctp/chunks");
    let ours: BTreeMap<String, u64> =
        ours.into_iter().map(|(kind, count)| (kind.replace([' ', '-'], "_"), count)).collect();
    checks.equal("SCTP chunks", ours, theirs);
}

/// rtpproxy's `extractaudio` prints one block for each side of a session, with jitter in timestamp units.
#[test]
fn what_rtpproxy_says() {
    let Some(public) = frames::captures().map(|captures| captures.join("public")) else { return };
    let cases = [
        ("DLT_NULL.a.rtp", "DLT_NULL", 0),
        ("c1.a.rtp", "c1", 0),
        ("lost.a.rtp", "lost", 0),
        ("lost.o.rtp", "lost", 1),
        ("sess6.a.rtp", "sess6", 0),
        ("sess6.o.rtp", "sess6", 1),
        ("alice_srtp.pcap", "alice_to_bob", 0),
        ("bob_srtp.pcap", "alice_to_bob", 1),
        ("alice_srtp_out.pcap", "alice_to_bob_out", 0),
        ("bob_srtp_out.pcap", "alice_to_bob_out", 1),
    ];
    check_all(&cases, RTPPROXY, |(file, test, block), checks| {
        let capture = format!("rtpproxy__rtp_analyze__{file}");
        checks.at(file);
        let run = analyze(&public.join("captures").join(&capture));
        let output =
            frames::text(&public.join("truth2").join(&capture).join(format!("tests__rtp_analyze__{test}.output")));
        let lines: Vec<&str> = output.lines().skip(3 * block).take(3).collect();
        let text = lines.join(", ");
        let field = |name: &str| {
            text.split(", ")
                .flat_map(|part| part.split(','))
                .find_map(|part| part.trim().strip_prefix(&format!("{name}=")).map(str::to_owned))
                .unwrap()
        };
        let number = |name: &str| field(name).parse::<f64>().unwrap();
        let ssrc = u32::from_str_radix(field("ssrc").trim_start_matches("0x"), 16).unwrap();
        let streams: Vec<&Value> = run.streams().into_iter().filter(|stream| stream["ssrc"] == ssrc).collect();
        let sum = |name: &str| streams.iter().map(|stream| unsigned(&stream[name])).sum::<u64>() as f64;
        checks.equal("received", sum("packetsReceived") - sum("packetsDuplicated"), number("precvd"));
        checks.equal("expected", sum("packetsExpected"), number("psent"));
        checks.equal("lost", sum("packetsLost"), number("plost"));
        checks.equal("duplicates", sum("packetsDuplicated"), number("duplicates"));
        let [stream] = streams.as_slice() else { return };
        let rate = stream["clockRate"].as_f64().unwrap();
        // rtpproxy rounds each arrival to whole timestamp units before it compares.
        for (field, theirs) in
            [("jitter", "last_jitter"), ("jitterMean", "average_jitter"), ("jitterMax", "max_jitter")]
        {
            checks.near(field, stream[field].as_f64().map(|jitter| jitter * rate), number(theirs), 0.05, 0.4);
        }
    });
}

/// Where rtpproxy is not followed.
const RTPPROXY: &[Known] = &[
    (
        "sess6.a.rtp: jitterMax",
        "the sixteen packets that tell a restart from duplicates are timed against those before it",
    ),
    ("sess6.a.rtp: jitterMean", "the same"),
];
