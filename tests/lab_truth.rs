//! Browser calls recorded with their truth: what the program says of each capture against what the lab counted, what the
//! browsers' own getStats() said, and what an independent reader computes.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use common::{
    Checks, Known, Run, analyze, check_all, folders, frames, hex_number, json, json_lines, list, name, rtp,
    streams_counted_again, unsigned,
};
use serde_json::Value;

/// Deviations from the lab's own count, each understood.
const KNOWN: &[Known] = &[(
    "chromium-vp9-svc capture.pcapng: 0x5b1e6303 301 frames, the sender says",
    "Chromium counts the spatial layers of a picture one by one in framesSent",
)];

/// A shorter stream need not show its clock rate.
const LONG_ENOUGH: f64 = 2.0;

#[test]
fn the_lab() {
    let Some(captures) = frames::captures() else { return };
    let mut files = Vec::new();
    for folder in folders(&captures.join("lab")) {
        for file in ["capture.pcapng", "captureB.pcapng", "captureR.pcapng", "captureT.pcapng"] {
            let path = folder.join(file);
            if path.exists() {
                files.push(path);
            }
        }
    }
    check_all(&files, KNOWN, |path, checks| capture(path, checks));
}

fn capture(path: &Path, checks: &mut Checks) {
    let folder = path.parent().unwrap();
    let file = name(path);
    let run = analyze(path);
    let mut datagrams = frames::datagrams(path);
    checks.at(format!("{} {file}", name(folder)));
    checks.equal("exit status is not 2", run.status < 2, true);
    let truth = json(&folder.join("truth.json"));
    let counted = &truth["captures"][&file];
    // The lab's script reads IP and UDP as they come; what the file holds besides is not in its count of packets.
    messages(&run, counted, &datagrams, checks);
    let places = match file.as_str() {
        "capture.pcapng" => vec!["at_A"],
        "captureB.pcapng" => vec!["at_B"],
        _ => vec!["at_A", "at_B"],
    };
    frames::unwrap_turn(&mut datagrams);
    if places.len() == 2 {
        one_place_each(&mut datagrams);
    }
    let scene =
        Scene { folder, truth: &truth, run: &run, packets: rtp::streams(&datagrams), tapped_once: places.len() == 1 };
    streams_counted_again(&run, &scene.packets, checks);
    scene.streams(&places, checks);
    scene.retransmissions(checks);
    scene.timing(checks);
    scene.frames(checks);
}

/// A router's capture of all interfaces has a packet on its way in and on its way out.
fn one_place_each(datagrams: &mut Vec<frames::Datagram>) {
    let mut seen: BTreeMap<_, (u32, i64)> = BTreeMap::new();
    datagrams.retain(|datagram| {
        let key = (datagram.source, datagram.destination, datagram.payload.clone());
        let first = *seen.entry(key).or_insert((datagram.interface, datagram.nanos));
        first.0 == datagram.interface
    });
}

/// STUN, RTCP, DTLS, ChannelData and mDNS of the capture.
fn messages(run: &Run, counted: &Value, datagrams: &[frames::Datagram], checks: &mut Checks) {
    let mut stun: BTreeMap<u16, u64> = BTreeMap::new();
    for (kind, count) in counted["stun"].as_object().unwrap() {
        let number = kind.trim_start_matches("inner ").trim_start_matches("0x");
        *stun.entry(u16::from_str_radix(number, 16).unwrap()).or_default() += unsigned(count);
    }
    let listed = run.counts("/connecting/stun/byType");
    let ours: BTreeMap<u16, u64> = listed.iter().map(|(name, count)| (stun_type(name), *count)).collect();
    let outside: u64 =
        run.other_flows().filter(|flow| flow["protocol"] == "stun").map(|flow| unsigned(&flow["packets"])).sum();
    if outside == 0 {
        checks.equal("STUN by type", &ours, &stun);
    } else {
        checks.equal("STUN", ours.values().sum::<u64>() + outside, stun.values().sum::<u64>());
        checks.holds(
            format!("STUN of calls {ours:?} within {stun:?}"),
            ours.iter().all(|(kind, count)| stun.get(kind) >= Some(count)),
        );
    }
    checks.equal("ChannelData", run.sum("/connecting/stun/channelData"), unsigned(&counted["turn_channel"]));
    let rtcp: BTreeMap<String, u64> =
        counted["rtcp"].as_object().unwrap().iter().map(|(kind, count)| (kind.clone(), unsigned(count))).collect();
    let mut ours: BTreeMap<String, u64> = BTreeMap::new();
    for (name, count) in run.counts("/communicating/rtcp/byType") {
        *ours.entry(rtcp_type(&name).to_owned()).or_default() += count;
    }
    if run.sum("/communicating/rtcp/decrypted") == 0 {
        checks.equal("RTCP by first type", &ours, &rtcp);
    } else {
        // A secrets block opens what is behind the first packet of each datagram too.
        let all = rtcp.iter().all(|(kind, count)| ours.get(kind) >= Some(count));
        checks.holds(format!("RTCP by type: {ours:?}, first ones {rtcp:?}"), all);
    }
    checks.equal("RTCP", run.sum("/communicating/rtcp/packets"), rtcp.values().sum::<u64>());
    // What was cut too early is not known to be SRTCP by its trailer.
    if run.report["captures"][0]["snappedPackets"] == 0 {
        checks.equal("RTCP is SRTCP", run.sum("/communicating/rtcp/encrypted"), rtcp.values().sum::<u64>());
    }
    let multicast = run.other_flows().filter(|flow| flow["destination"] == "224.0.0.251:5353");
    checks.equal("mDNS", multicast.map(|flow| unsigned(&flow["packets"])).sum::<u64>(), unsigned(&counted["mdns"]));
    dtls(run, counted, datagrams, checks);
}

/// The lab counted the first record of DTLS 1.3 ciphertext in each datagram; here all are counted.
fn dtls(run: &Run, counted: &Value, datagrams: &[frames::Datagram], checks: &mut Checks) {
    let mut datagrams = datagrams.to_vec();
    frames::unwrap_turn(&mut datagrams);
    let mut records: BTreeMap<&str, u64> = BTreeMap::new();
    for datagram in
        datagrams.iter().filter(|datagram| datagram.source.port() > 1023 && datagram.destination.port() > 1023)
    {
        let mut bytes = datagram.payload.as_slice();
        while let Some(&first) = bytes.first() {
            let (kind, length) = match first {
                20..=26 if bytes.get(1) == Some(&0xfe) && bytes.len() >= 13 => {
                    let kind = match first {
                        20 => "change-cipher-spec",
                        21 => "alert",
                        22 => "handshake",
                        _ => "application-data",
                    };
                    (kind, 13 + usize::from(u16::from_be_bytes([bytes[11], bytes[12]])))
                }
                0x20..=0x3f => {
                    let header = 1 + if first & 8 != 0 { 2 } else { 1 };
                    let length = match bytes.get(header..header + 2) {
                        Some(length) if first & 4 != 0 => {
                            header + 2 + usize::from(u16::from_be_bytes([length[0], length[1]]))
                        }
                        _ => bytes.len(),
                    };
                    ("ciphertext", length)
                }
                _ => break,
            };
            *records.entry(kind).or_default() += 1;
            bytes = bytes.get(length..).unwrap_or_default();
        }
    }
    let ours = run.counts("/securing/dtls/records");
    let ours: BTreeMap<&str, u64> = ours.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    checks.equal("DTLS records", &ours, &records);
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in counted["dtls"].as_object().unwrap() {
        let kind = match kind.split('/').next().unwrap() {
            "20" => "change-cipher-spec",
            "21" => "alert",
            "22" => "handshake",
            "23" => "application-data",
            _ => "ciphertext",
        };
        *first.entry(kind).or_default() += unsigned(count);
    }
    for (kind, count) in first {
        let found = ours.get(kind).copied().unwrap_or_default();
        checks.holds(
            format!("DTLS {kind}: {found}, the lab has {count}"),
            if kind == "ciphertext" { found >= count } else { found == count },
        );
    }
}

fn stun_type(name: &str) -> u16 {
    let (method, class) = name.rsplit_once(' ').unwrap();
    let method = match method {
        "Binding" => 1,
        "Allocate" => 3,
        "Refresh" => 4,
        "Send" => 6,
        "Data" => 7,
        "CreatePermission" => 8,
        "ChannelBind" => 9,
        other => panic!("STUN method {other}"),
    };
    method
        | match class {
            "request" => 0,
            "indication" => 0x10,
            "success" => 0x100,
            "error" => 0x110,
            other => panic!("STUN class {other}"),
        }
}

fn rtcp_type(name: &str) -> &str {
    match name {
        "SR" => "200",
        "RR" => "201",
        "SDES" => "202",
        "BYE" => "203",
        "APP" => "204",
        "XR" => "207",
        "Generic NACK" | "transport-cc" | "CCFB" | "TMMBR" | "TMMBN" => "205",
        "PLI" | "FIR" | "REMB" | "AFB" => "206",
        other => panic!("RTCP {other}"),
    }
}

struct Scene<'a> {
    folder: &'a Path,
    truth: &'a Value,
    run: &'a Run,
    packets: BTreeMap<rtp::Key, Vec<rtp::Packet>>,
    /// At a router and at a TURN server each stream passes twice.
    tapped_once: bool,
}

impl Scene<'_> {
    /// The independent reader's packets of one of our streams.
    fn packets(&self, stream: &Value) -> Option<&Vec<rtp::Packet>> {
        let end = |end: &Value| end.as_str()?.parse().ok();
        self.packets.get(&(stream["ssrc"].as_u64()? as u32, end(&stream["source"])?, end(&stream["destination"])?))
    }

    /// All streams of the truth, no others, with the truth's numbers.
    fn streams(&self, places: &[&str], checks: &mut Checks) {
        let ours = self.run.streams();
        let snapped = self.run.report["captures"][0]["snappedPackets"] != 0;
        let mut known = BTreeSet::new();
        for stream in list(&self.truth["streams"]) {
            let ssrc = hex_number(&stream["ssrc"]);
            known.insert(u64::from(ssrc));
            let found: Vec<&&Value> = ours.iter().filter(|ours| ours["ssrc"] == ssrc).collect();
            let taps: Vec<&Value> =
                places.iter().map(|place| &stream[place]).filter(|tap| !tap.is_null() && tap["packets"] != 0).collect();
            let Some(tap) = taps.first() else {
                checks.equal(format!("{ssrc:#x} streams"), found.len(), 0);
                continue;
            };
            let flows: BTreeSet<&String> =
                taps.iter().flat_map(|tap| tap["flows"].as_object().unwrap().keys()).collect();
            checks.equal(format!("{ssrc:#x} flows"), found.len(), flows.len());
            if self.tapped_once {
                let what = |field| format!("{ssrc:#x} {field}");
                let sum = |field: &str| found.iter().map(|stream| unsigned(&stream[field])).sum::<u64>();
                checks.equal(what("packets"), sum("packetsReceived"), unsigned(&tap["packets"]));
                checks.equal(
                    what("distinct"),
                    sum("packetsReceived") - sum("packetsDuplicated"),
                    unsigned(&tap["unique"]),
                );
                checks.equal(what("duplicates"), sum("packetsDuplicated"), unsigned(&tap["dups"]));
                checks.equal(what("lost"), sum("packetsLost"), unsigned(&tap["seq_gaps_missing"]));
                checks.equal(what("expected"), sum("packetsExpected"), unsigned(&tap["span"]));
                checks.equal(what("reordered"), sum("packetsReordered"), unsigned(&tap["out_of_order"]));
                checks.equal(what("first number"), &found[0]["firstSequenceNumber"], &tap["first_seq"]);
                // The lab counts bytes in the file; ours are those on the wire.
                if !snapped {
                    checks.equal(
                        what("bytes"),
                        sum("bytesReceived") + sum("headerBytesReceived"),
                        unsigned(&tap["bytes"]),
                    );
                }
                self.flows(&found, tap, checks);
            }
            let types: BTreeSet<u64> = list(&stream["pt"]).iter().map(unsigned).collect();
            let ours = ours.iter().filter(|ours| ours["ssrc"] == ssrc).flat_map(|ours| list(&ours["payloadTypes"]));
            checks.equal(
                format!("{ssrc:#x} payload types"),
                ours.map(|entry| unsigned(&entry["payloadType"])).collect::<BTreeSet<_>>(),
                types,
            );
        }
        let extra = ours.iter().filter(|stream| !known.contains(&unsigned(&stream["ssrc"])));
        for stream in extra {
            checks.note(format!("invented {:#x}, {} packets", unsigned(&stream["ssrc"]), stream["packetsReceived"]));
        }
        checks.equal(
            "sessions with media",
            self.run.sessions().filter(|session| !list(&session["communicating"]["rtpStreams"]).is_empty()).count(),
            usize::from(!known.is_empty()),
        );
    }

    /// Each stream on its 5-tuple: of relayed media the client and the server are on the wire.
    fn flows(&self, found: &[&&Value], tap: &Value, checks: &mut Checks) {
        let mut ours: BTreeMap<String, u64> = BTreeMap::new();
        for stream in found {
            let (source, destination) = (stream["source"].as_str().unwrap(), stream["destination"].as_str().unwrap());
            let outer = match stream["relay"].as_str() {
                None => format!("{source}>{destination}"),
                Some(relay) => {
                    let direct = format!("{source}>{relay}");
                    if tap["flows"].get(&direct).is_some() { direct } else { format!("{relay}>{destination}") }
                }
            };
            *ours.entry(outer.replace(['[', ']'], "")).or_default() += unsigned(&stream["packetsReceived"]);
        }
        let truth: BTreeMap<String, u64> = tap["flows"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(flow, count)| (flow.replace(['[', ']'], ""), unsigned(count)))
            .collect();
        checks.equal("flows", ours, truth);
    }

    /// RTX belongs to the media stream that SDP (`a=ssrc-group:FID`) or getStats names.
    fn retransmissions(&self, checks: &mut Checks) {
        let mut pairs: BTreeMap<u64, u64> = BTreeMap::new();
        for file in ["offer.sdp", "answer.sdp", "offer.final.sdp", "answer.final.sdp"] {
            let Ok(sdp) = std::fs::read_to_string(self.folder.join(file)) else { continue };
            for line in sdp.lines().filter_map(|line| line.strip_prefix("a=ssrc-group:FID ")) {
                let ssrcs: Vec<u64> = line.split_whitespace().map(|ssrc| ssrc.parse().unwrap()).collect();
                pairs.insert(ssrcs[1], ssrcs[0]);
            }
        }
        for stats in self.stats() {
            for entry in list(&stats["stats"]).iter().filter(|entry| entry["type"] == "outbound-rtp") {
                if let Some(rtx) = entry["rtxSsrc"].as_u64() {
                    pairs.insert(rtx, unsigned(&entry["ssrc"]));
                }
            }
        }
        if pairs.is_empty() {
            return;
        }
        let ours = self.run.streams();
        for stream in &ours {
            let ssrc = unsigned(&stream["ssrc"]);
            // RTX that held nothing but padding repairs nothing that could be recognised without the SDP.
            let padding_only = |ssrc: u64| {
                let mut packets =
                    self.packets.iter().filter(|(key, _)| u64::from(key.0) == ssrc).flat_map(|(_, packets)| packets);
                packets.all(|packet| packet.padding)
            };
            match pairs.get(&ssrc) {
                Some(_) if padding_only(ssrc) && stream["repairsSsrc"].is_null() => {
                    checks.equal(format!("{ssrc:#x} is padding"), stream["role"].as_str(), Some("probe"));
                }
                Some(media) => {
                    checks.equal(format!("{ssrc:#x} is RTX"), stream["role"].as_str(), Some("retransmission"));
                    checks.equal(format!("{ssrc:#x} repairs"), stream["repairsSsrc"].as_u64(), Some(*media));
                }
                None => {
                    checks.equal(format!("{ssrc:#x} role"), stream["role"].as_str(), Some("media"));
                    let is_known = |rtx: u64| ours.iter().any(|other| other["ssrc"] == rtx && other["role"] != "probe");
                    let rtx = pairs.iter().find(|(rtx, media)| **media == ssrc && is_known(**rtx));
                    checks.equal(format!("{ssrc:#x} RTX"), stream["rtxSsrc"].as_u64(), rtx.map(|(rtx, _)| *rtx));
                }
            }
        }
    }

    /// Kind and clock rate.
    fn timing(&self, checks: &mut Checks) {
        for stream in self.run.streams() {
            let ssrc = unsigned(&stream["ssrc"]);
            let main = unsigned(&stream["payloadTypes"][0]["payloadType"]);
            let (kind, rate) = match main {
                109 | 111 | 63 => ("audio", 48_000_u32),
                118 | 122 | 96 | 102 => ("video", 90_000),
                _ => continue,
            };
            let is_long = stream["duration"].as_f64().unwrap() > LONG_ENOUGH;
            if !is_long && stream["clockRate"].is_null() {
                continue;
            }
            checks.equal(format!("{ssrc:#x} kind"), stream["kind"].as_str(), Some(kind));
            checks.equal(format!("{ssrc:#x} clock rate"), stream["clockRate"].as_u64(), Some(rate.into()));
        }
    }

    /// Video frames: as many as there are timestamps, and as many as the sender's getStats says it sent.
    fn frames(&self, checks: &mut Checks) {
        let mut sent: BTreeMap<u64, Vec<(u64, i64)>> = BTreeMap::new();
        for stats in self.all_stats() {
            for entry in
                list(&stats["stats"]).iter().filter(|entry| entry["type"] == "outbound-rtp" && entry["kind"] == "video")
            {
                let at = (entry["timestamp"].as_f64().unwrap() * 1e6) as i64;
                sent.entry(unsigned(&entry["ssrc"]))
                    .or_default()
                    .push((entry["framesSent"].as_u64().unwrap_or_default(), at));
            }
        }
        for stream in
            self.run.streams().into_iter().filter(|stream| stream["kind"] == "video" && stream["role"] == "media")
        {
            let ssrc = unsigned(&stream["ssrc"]);
            let Some(packets) = self.packets(stream) else { continue };
            let all = rtp::frames(packets, i64::MAX);
            checks.equal(format!("{ssrc:#x} frames"), unsigned(&stream["frames"]), all);
            // Frames that were encoded after the other end had closed were sent to nobody.
            let end = packets.last().unwrap().nanos;
            let during = sent.get(&ssrc).and_then(|entries| entries.iter().rfind(|(sent, at)| *sent > 30 && *at < end));
            let Some((sent, at)) = during else { continue };
            let then = rtp::frames(packets, *at);
            let lost = unsigned(&stream["packetsLost"]);
            // A frame of lost packets only is not seen; the last frames may still be on their way.
            checks.holds(
                format!("{ssrc:#x} {then} frames, the sender says {sent}"),
                then.abs_diff(*sent) <= (3 + lost).max(sent / 50),
            );
            let seconds = stream["duration"].as_f64().unwrap();
            checks.near(
                format!("{ssrc:#x} frame rate"),
                stream["framesPerSecond"].as_f64(),
                all as f64 / seconds,
                0.01,
                0.0,
            );
        }
    }

    /// The last getStats() of both browsers.
    fn stats(&self) -> Vec<Value> {
        let last = |peer: &str| json_lines(&self.folder.join(format!("{peer}.stats.jsonl"))).pop();
        ["peerA", "peerB"].into_iter().filter_map(last).collect()
    }

    /// What getStats() of both browsers said each second.
    fn all_stats(&self) -> Vec<Value> {
        ["peerA", "peerB"]
            .iter()
            .flat_map(|peer| json_lines(&self.folder.join(format!("{peer}.stats.jsonl"))))
            .collect()
    }
}
