//! Calls and streams of other implementations against their truth: exact counts of hand-made senders, what the peers
//! logged before encryption, and the captures of both ends.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;
mod labb;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use common::{
    Checks, Known, Run, analyze, analyze_keyed, check_all, folders, frames, hex_number, json, json_lines, list, name,
    rtp, streams_counted_again, unsigned,
};
use serde_json::Value;

/// Deviations from the truth files, each understood.
const KNOWN: &[Known] = &[
    (
        "sip-many capture.pcapng: 0xca110012 \"10.22.0.2:30072\" packets: Number(224), truth Number(222)",
        "the index was cut short: tshark and the reader here count 224",
    ),
    (
        "sip-many capture.pcapng: 0xca110013 \"10.22.0.2:30076\" packets: Number(224), truth Number(208)",
        "the index was cut short: tshark and the reader here count 224",
    ),
    (
        "turn-errors capture.pcapng: 0xcafe0001 packets, relay \"10.23.0.2:3478\": 101, truth 100",
        "packet 491: one more ChannelData, after the allocation had expired",
    ),
    ("turn-errors capture.pcapng: 0xcafe0001 lost, relay \"10.23.0.2:3478\": 1, truth 0", "that packet skips a number"),
];

#[test]
fn every_scenario() {
    let Some(captures) = frames::captures() else { return };
    let mut files = Vec::new();
    for folder in folders(&captures.join("labb")) {
        let captures = ["capture.pcapng", "captureA.pcapng", "captureB.pcapng", "captureT.pcapng"];
        files.extend(captures.map(|file| folder.join(file)).into_iter().filter(|path| path.exists()));
    }
    check_all(&files, KNOWN, |path, checks| scenario(path, checks));
}

fn scenario(path: &Path, checks: &mut Checks) {
    let (folder, file) = (path.parent().unwrap(), name(path));
    let run = analyze(path);
    checks.at(format!("{} {file}", name(folder)));
    checks.holds(format!("exit status {}", run.status), run.status < 2);
    let mut datagrams = frames::datagrams(path);
    frames::unwrap_turn(&mut datagrams);
    streams_counted_again(&run, &rtp::streams(&datagrams), checks);
    let truth = json(&folder.join("truth.json"));
    let place = if file == "captureB.pcapng" { "B" } else { "A" };
    let is_opened = false;
    let scene = Scene { folder, place, truth: &truth, run: &run, datagrams, is_opened };
    scene.both_ends(checks);
    scene.indexed(checks);
    scene.peers(checks);
    scene.rtcp(checks);
    scene.sctp(checks);
    scene.turn(checks);
    match name(folder).as_str() {
        "rtp-wrap" | "rtp-dtx" | "rtp-pt-change" | "rtp-reorder100" | "rtp-video-timing" | "rtp-odd" => {
            scene.hand_made(checks);
        }
        "turn-tls12" => {
            let run = analyze_keyed(path, Some(&folder.join("keys.log")));
            Scene { run: &run, is_opened: true, ..scene }.turn(checks);
        }
        "sip-tls" => {
            scene.baresip(checks);
            // The keys of SRTCP are in the SDP that TLS hides.
            let run = analyze_keyed(path, Some(&folder.join("keys.log")));
            checks.holds("reports", run.streams().iter().all(|stream| !stream["reported"].is_null()));
            Scene { run: &run, is_opened: true, ..scene }.baresip(checks);
        }
        "sip-pcmu" | "sip-hold-dtmf" | "sip-sdes-srtp" => scene.baresip(checks),
        _ => {}
    }
}

struct Scene<'a> {
    folder: &'a Path,
    /// Whose interface was captured.
    place: &'static str,
    truth: &'a Value,
    run: &'a Run,
    datagrams: Vec<frames::Datagram>,
    /// Whether keys were given.
    is_opened: bool,
}

impl Scene<'_> {
    fn name(&self) -> String {
        name(self.folder)
    }

    fn stream(&self, ssrc: u32) -> Option<&Value> {
        self.run.streams().into_iter().find(|stream| stream["ssrc"] == ssrc)
    }

    fn stream_of(&self, entry: &Value) -> Option<&Value> {
        let is_it = |stream: &&Value| {
            stream["ssrc"] == hex_number(&entry["ssrc"])
                && stream["source"] == entry["src"]
                && stream["destination"] == entry["dst"]
        };
        self.run.streams().into_iter().find(is_it)
    }

    /// `path`: what was sent and what arrived, packet by packet.
    fn both_ends(&self, checks: &mut Checks) {
        let path = list(&self.truth["path"]);
        if path.is_empty() {
            return;
        }
        checks.equal("streams", self.run.streams().len(), path.len());
        for entry in path {
            let ssrc = hex_number(&entry["ssrc"]);
            let Some(stream) = self.stream_of(entry) else {
                checks.note(format!("{ssrc:#x} not found"));
                continue;
            };
            let get = |field: &str| unsigned(&stream[field]);
            if entry["sender"] == self.place {
                checks.equal(format!("{ssrc:#x} sent"), get("packetsReceived"), unsigned(&entry["sent"]));
                checks.equal(
                    format!("{ssrc:#x} sent once"),
                    get("packetsReceived") - get("packetsDuplicated"),
                    unsigned(&entry["sent_unique"]),
                );
                checks.equal(format!("{ssrc:#x} lost before it was sent"), get("packetsLost"), 0);
                continue;
            }
            checks.equal(format!("{ssrc:#x} received"), get("packetsReceived"), unsigned(&entry["received"]));
            checks.equal(
                format!("{ssrc:#x} distinct"),
                get("packetsReceived") - get("packetsDuplicated"),
                unsigned(&entry["received_unique"]),
            );
            checks.equal(
                format!("{ssrc:#x} duplicates"),
                get("packetsDuplicated"),
                unsigned(&entry["duplicates_received"]),
            );
            checks.equal(format!("{ssrc:#x} late"), get("packetsReordered"), unsigned(&entry["late_received"]));
            let last = unsigned(&entry["last_seq"]) as u16;
            let first = unsigned(&entry["first_seq"]) as u16;
            // What was lost first and last of all shows in no gap.
            let mut lost: BTreeSet<i64> = list(&entry["lost_seqs"])
                .iter()
                .map(|seq| i64::from((unsigned(seq) as u16).wrapping_sub(first)))
                .collect();
            let mut end = i64::from(last.wrapping_sub(first));
            while lost.remove(&end) {
                end -= 1;
            }
            let mut start = 0;
            while lost.remove(&start) {
                start += 1;
            }
            checks.equal(format!("{ssrc:#x} lost"), get("packetsLost"), lost.len() as u64);
            let mut longest = 0;
            let bursts = rtp::bursts((start..=end).filter(|number| !lost.contains(number)), &mut longest);
            let ours = ["1", "2", "3-5", "6-10", "more"].map(|class| unsigned(&stream["lossBursts"][class]));
            checks.equal(format!("{ssrc:#x} bursts"), (ours, get("longestLossBurst")), (bursts, longest));
            checks.equal(format!("{ssrc:#x} burst count"), get("burstLossCount"), bursts.iter().sum::<u64>());
        }
    }

    /// Indices of the capture: all streams, and no others.
    fn indexed(&self, checks: &mut Checks) {
        for field in ["streams", "streams_at_A", "streams_at_sfu"] {
            let entries = list(&self.truth[field]);
            if entries.is_empty() {
                continue;
            }
            checks.equal("streams", self.run.streams().len(), entries.len());
            for entry in entries {
                let Some(stream) = self.stream_of(entry) else {
                    checks.note(format!("{entry} not found"));
                    continue;
                };
                let ssrc = entry["ssrc"].as_str().unwrap();
                checks.equal(format!("{ssrc} {} packets", entry["dst"]), &stream["packetsReceived"], &entry["packets"]);
                checks.equal(
                    format!("{ssrc} lost"),
                    unsigned(&stream["packetsLost"]),
                    entry["lost"].as_u64().unwrap_or_default(),
                );
                if let Some(types) = entry["pts"].as_array() {
                    let ours: BTreeSet<u64> =
                        list(&stream["payloadTypes"]).iter().map(|entry| unsigned(&entry["payloadType"])).collect();
                    checks.equal(
                        format!("{ssrc} payload types"),
                        ours,
                        types.iter().map(unsigned).collect::<BTreeSet<_>>(),
                    );
                }
            }
        }
    }

    /// What aiortc sent and accepted, counted before protection and after unprotection.
    fn peers(&self, checks: &mut Checks) {
        let Some(peers) = self.truth["peers"].as_object() else { return };
        let tag = match self.name().as_str() {
            "aiortc-gcm128" => 16,
            _ => 10,
        };
        let mut known = BTreeSet::new();
        for (peer, log) in peers {
            for entry in list(&log["rtp"]) {
                let ssrc = hex_number(&entry["ssrc"]);
                known.insert(ssrc);
                let Some(stream) = self.stream(ssrc) else {
                    checks.note(format!("{ssrc:#x} not found"));
                    continue;
                };
                let packets = unsigned(&stream["packetsReceived"]);
                let logged = unsigned(&entry["packets"]);
                if entry["dir"] == "out" && (peer == self.place || !self.is_lossy()) {
                    checks.equal(format!("{ssrc:#x} packets that {peer} sent"), packets, logged);
                    let payload = unsigned(&entry["payload_bytes"]) + tag * logged;
                    checks.equal(format!("{ssrc:#x} payload and tags"), unsigned(&stream["bytesReceived"]), payload);
                } else if entry["dir"] == "in" {
                    checks.holds(format!("{ssrc:#x}: {packets} packets, {peer} took {logged}"), packets >= logged);
                }
            }
        }
        if peers.len() == 2 {
            let ours: BTreeSet<u32> =
                self.run.streams().iter().map(|stream| unsigned(&stream["ssrc"]) as u32).collect();
            checks.equal("SSRCs", ours, known);
        }
    }

    fn is_lossy(&self) -> bool {
        self.folder.join("drops.csv").exists()
    }

    /// The peers' logs of what was captured, in the capture's order: a peer logs the BYE that it no longer sends, and
    /// does not log what comes after its end.
    fn captured_rtcp(&self, checks: &mut Checks) -> Vec<Value> {
        let logged = ["A", "B"].iter().flat_map(|peer| json_lines(&self.folder.join(format!("peer{peer}.rtcp.jsonl"))));
        let logged: BTreeMap<Vec<u8>, Value> =
            logged.map(|entry| (common::hex(entry["hex"].as_str().unwrap()), entry)).collect();
        let is_rtcp = |bytes: &[u8]| bytes.len() >= 8 && bytes[0] >> 6 == 2 && (192..224).contains(&bytes[1]);
        let captured: Vec<_> = self.datagrams.iter().filter(|datagram| is_rtcp(&datagram.payload)).collect();
        let found: Vec<Value> = captured.iter().filter_map(|datagram| logged.get(&datagram.payload).cloned()).collect();
        if !found.is_empty() {
            checks.equal("RTCP that the peers logged", found.len(), captured.len());
        }
        found
    }

    /// RTCP in clear is all read, RTCP under keys is only counted.
    fn rtcp(&self, checks: &mut Checks) {
        let log = self.captured_rtcp(checks);
        let other = if self.place == "A" { "B" } else { "A" };
        let is_dtls = self.run.sum("/securing/dtls/packets") > 0;
        if is_dtls {
            checks.equal(
                "SRTCP",
                self.run.sum("/communicating/rtcp/packets"),
                self.run.sum("/communicating/rtcp/encrypted"),
            );
        }
        let encrypted = is_dtls || self.name() == "gst-srtp-sha1-32";
        if encrypted || ["sip-sdes-srtp", "sip-tls"].contains(&self.name().as_str()) {
            checks.holds(
                "SRTCP is seen",
                self.run.sum("/communicating/rtcp/encrypted") > 0 || self.run.streams().is_empty(),
            );
            for stream in self.run.streams() {
                checks.holds(format!("{} is encrypted", stream["ssrc"]), stream["encrypted"] == true);
                // The keys of sip-sdes-srtp are in its SDP.
                let is_opened = self.run.sum("/communicating/rtcp/decrypted") > 0;
                let may_tell = is_opened && self.name() == "sip-sdes-srtp";
                checks.holds(
                    format!("{} reported out of ciphertext", stream["ssrc"]),
                    stream["reported"].is_null() || may_tell,
                );
            }
        }
        if encrypted || log.is_empty() {
            // Sent by either peer: each datagram once.
            let sent: u64 = ["A", "B"]
                .iter()
                .flat_map(|peer| json_lines(&self.folder.join(format!("peer{peer}.rtcp.jsonl"))))
                .filter(|entry| entry["dir"] == "out")
                .count() as u64;
            if is_dtls && sent > 0 && !self.is_lossy() && self.folder.join("peerA.rtcp.jsonl").exists() {
                checks.equal("RTCP datagrams", self.run.sum("/communicating/rtcp/packets"), sent);
            }
            return;
        }
        let mut types: BTreeMap<String, u64> = BTreeMap::new();
        for packet in log.iter().flat_map(|entry| list(&entry["packets"])) {
            let kind = match packet["type"].as_str().unwrap() {
                "NACK" => "Generic NACK",
                "TWCC" => "transport-cc",
                other => other,
            };
            *types.entry(kind.to_owned()).or_default() += 1;
        }
        checks.equal("RTCP by type", self.run.counts("/communicating/rtcp/byType"), types);
        checks.equal("RTCP datagrams", self.run.sum("/communicating/rtcp/packets"), log.len() as u64);
        for stream in self.run.streams() {
            self.reported(stream, &log, checks);
            checks.equal(format!("{} encrypted", stream["ssrc"]), stream["encrypted"].as_bool(), Some(false));
        }
        self.round_trips(other, checks);
    }

    /// The last report block and sender report about a stream.
    fn reported(&self, stream: &Value, log: &[Value], checks: &mut Checks) {
        let ssrc = unsigned(&stream["ssrc"]) as u32;
        let packets = || log.iter().flat_map(|entry| list(&entry["packets"]));
        let blocks = packets().flat_map(|packet| list(&packet["reports"]));
        let blocks: Vec<&Value> = blocks.filter(|block| hex_number(&block["ssrc"]) == ssrc).collect();
        let reported = &stream["reported"];
        let Some(last) = blocks.last() else { return };
        let rate = stream["clockRate"].as_f64().unwrap();
        let what = |field: &str| format!("{ssrc:#x} reported {field}");
        checks.equal(what("reports"), unsigned(&reported["reports"]), blocks.len() as u64);
        checks.near(
            what("fractionLost"),
            reported["fractionLost"].as_f64(),
            last["fraction_lost"].as_f64().unwrap() / 256.0,
            0.0,
            1e-9,
        );
        checks.equal(what("packetsLost"), &reported["packetsLost"], &last["cumulative_lost"]);
        checks.equal(what("highestSequenceNumber"), &reported["highestSequenceNumber"], &last["highest_seq"]);
        checks.near(what("jitter"), reported["jitter"].as_f64(), last["jitter"].as_f64().unwrap() / rate, 0.0, 1e-9);
        let highest = |field: &str| blocks.iter().map(|block| unsigned(&block[field])).max().unwrap() as f64;
        checks.near(what("jitterMax"), reported["jitterMax"].as_f64(), highest("jitter") / rate, 0.0, 1e-9);
        checks.near(
            what("fractionLostMax"),
            reported["fractionLostMax"].as_f64(),
            highest("fraction_lost") / 256.0,
            0.0,
            1e-9,
        );
        if let Some(report) = packets().rfind(|packet| packet["type"] == "SR" && hex_number(&packet["ssrc"]) == ssrc) {
            checks.equal(what("packetsSent"), &reported["packetsSent"], &report["packets"]);
            checks.equal(what("bytesSent"), &reported["bytesSent"], &report["octets"]);
        }
        let nacks: Vec<&Value> =
            packets().filter(|packet| packet["type"] == "NACK" && hex_number(&packet["media_ssrc"]) == ssrc).collect();
        checks.equal(what("NACK"), unsigned(&reported["nackCount"]), nacks.len() as u64);
        checks.equal(
            what("NACKed"),
            unsigned(&reported["nackedPackets"]),
            nacks.iter().map(|nack| list(&nack["lost"]).len() as u64).sum::<u64>(),
        );
        let plis =
            packets().filter(|packet| packet["type"] == "PLI" && hex_number(&packet["media_ssrc"]) == ssrc).count();
        checks.equal(what("PLI"), unsigned(&reported["pliCount"]), plis as u64);
    }

    /// rtpbin measures from its own socket, as the tap on its interface does.
    fn round_trips(&self, other: &str, checks: &mut Checks) {
        let Some(last) = json_lines(&self.folder.join(format!("peer{}.stats.jsonl", self.place))).pop() else { return };
        for source in list(&last["sources"]).iter().filter_map(Value::as_str) {
            let field = |name: &str| {
                let start = source.find(&format!(" {name}=("))?;
                let value = source.get(start..)?.split_once(')')?.1;
                value.split([',', ';']).next().map(str::to_owned)
            };
            if field("internal").as_deref() != Some("false") || field("have-rb").as_deref() != Some("true") {
                continue;
            }
            let number = |name: &str| field(name).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
            let (trip, ssrc) = (number("rb-round-trip") / 65_536.0, number("rb-ssrc") as u32);
            let Some(stream) = self.stream(ssrc).filter(|_| trip > 0.0) else { continue };
            // A peer's report waits in its own queues for a moment.
            checks.near(
                format!("{ssrc:#x} round trip of {other}"),
                stream["reported"]["roundTripTime"].as_f64(),
                trip,
                0.05,
                0.008,
            );
        }
    }

    /// SCTP outside DTLS: what the peers put on the wire, chunk by chunk.
    fn sctp(&self, checks: &mut Checks) {
        if !self.name().starts_with("sctp-") {
            return;
        }
        let ours = self.run.sessions().find(|session| !session["communicating"]["sctp"].is_null());
        let Some(sctp) = ours.map(|session| &session["communicating"]["sctp"]) else { return checks.note("no SCTP") };
        checks.equal("SCTP sessions", self.run.sessions().count(), 1);
        let log = json_lines(&self.folder.join(format!("peer{}.sctp.jsonl", self.place)));
        // The first 64 bytes hold the first chunks: types are counted where the log has whole packets.
        let mut tsns = BTreeSet::new();
        let (mut data, mut again, mut others) = (0_u64, 0, BTreeMap::<&str, u64>::new());
        for entry in &log {
            let bytes = common::hex(entry["hex"].as_str().unwrap());
            let whole = bytes.len() == unsigned(&entry["len"]) as usize;
            let mut at = 12;
            while at + 4 <= bytes.len() {
                let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])).max(4);
                match bytes[at] {
                    0 => {
                        data += 1;
                        let tsn = bytes.get(at + 4..at + 8).map(<[u8]>::to_vec);
                        again += u64::from(!tsns.insert((entry["dir"] == "out", tsn)));
                    }
                    1 => *others.entry("INIT").or_default() += 1,
                    3 => *others.entry("SACK").or_default() += 1,
                    6 => *others.entry("ABORT").or_default() += 1,
                    7 => *others.entry("SHUTDOWN").or_default() += 1,
                    10 => *others.entry("COOKIE ECHO").or_default() += 1,
                    130 => *others.entry("RE-CONFIG").or_default() += 1,
                    192 => *others.entry("FORWARD TSN").or_default() += 1,
                    _ => {}
                }
                at += length.div_ceil(4) * 4;
            }
            // A cut packet may hide chunks behind its first: these peers bundle only in whole ones.
            checks.holds("a bundle is cut", whole || at >= unsigned(&entry["len"]) as usize);
        }
        let packets = log.len() as u64;
        // One INIT of B found nobody listening: it is on the wire and not in A's log.
        checks.holds(
            format!("packets {}, logged {packets}", sctp["packets"]),
            unsigned(&sctp["packets"]).abs_diff(packets) <= 1,
        );
        checks.equal("DATA", unsigned(&sctp["chunks"]["DATA"]), data);
        checks.equal("retransmitted", unsigned(&sctp["retransmittedChunks"]), again);
        for (kind, count) in others {
            let ours = sctp["chunks"][kind].as_u64().unwrap_or_default();
            checks
                .holds(format!("{kind} {ours}, logged {count}"), ours == count || kind == "INIT" && ours == count + 1);
        }
        let sent = |peer: &str| unsigned(&self.truth[peer]["messages"]["out"]["bytes"]);
        let opens = self.truth["A"]["messages"]["in"]["bytes"]
            .as_u64()
            .filter(|_| self.name() == "sctp-udp-lossy")
            .unwrap_or_default();
        let bytes = unsigned(&sctp["userBytes"]);
        let truth = sent("A") + sent("B");
        // DATA CHANNEL OPEN and ACK are messages of the protocol's own.
        checks.holds(
            format!("user bytes {bytes}, the peers sent {truth}"),
            (truth..=truth + opens + 100).contains(&bytes),
        );
    }

    /// RTP through TURN: the client's stream with the relay's name, and the same behind the relay.
    fn turn(&self, checks: &mut Checks) {
        let result = &self.truth["result"];
        let sent = result["rtp_sent"].as_u64().or_else(|| result["channel_rtp_sent"].as_u64());
        let Some(sent) = sent else { return };
        let hidden = self.name() == "turn-tls12" && !self.is_opened;
        for ssrc in [0xcafe_0001_u32, 0xc5f1_0001] {
            let streams: Vec<&Value> = self.run.streams().into_iter().filter(|stream| stream["ssrc"] == ssrc).collect();
            let relayed: Vec<&&Value> = streams.iter().filter(|stream| !stream["relay"].is_null()).collect();
            checks.equal(format!("{ssrc:#x} inside TURN"), relayed.len(), usize::from(!hidden));
            checks.equal(format!("{ssrc:#x} behind the relay"), streams.len() - relayed.len(), 1);
            for stream in streams {
                checks.equal(
                    format!("{ssrc:#x} packets, relay {}", stream["relay"]),
                    unsigned(&stream["packetsReceived"]),
                    sent,
                );
                checks.equal(format!("{ssrc:#x} lost, relay {}", stream["relay"]), unsigned(&stream["packetsLost"]), 0);
            }
        }
        let kinds = self.run.counts("/connecting/stun/byType");
        if let Some(indications) = result["send_indications"].as_u64().filter(|_| !hidden) {
            checks.equal("Send indications", kinds.get("Send indication").copied(), Some(indications));
            let back = result["rtp_received"].as_u64().unwrap() - indications;
            let channel = result["channel_data_out"].as_u64().unwrap() + back;
            checks.equal("ChannelData", self.run.sum("/connecting/stun/channelData"), channel);
        }
        if !hidden {
            let exchanges = list(&self.truth["exchanges"]);
            let count = |result: &str| exchanges.iter().filter(|exchange| exchange["result"] == result).count() as u64;
            let class = |class: &str| {
                kinds.iter().filter(|(kind, _)| kind.ends_with(class)).map(|(_, count)| count).sum::<u64>()
            };
            checks.equal("STUN successes", class(" success"), count("success"));
            checks.equal("STUN errors", class(" error"), count("error"));
        }
    }

    /// baresip's summary stops at its last report: PS packets sent, PR received, PL lost.
    fn baresip(&self, checks: &mut Checks) {
        let summary = self.truth["baresip_rtcp_summary"]["A"][0].as_str().unwrap();
        let field = |name: &str| {
            let value = summary.split(';').find_map(|entry| entry.strip_prefix(&format!("{name}="))).unwrap();
            value.split(',').map(|number| number.parse::<f64>().unwrap()).collect::<Vec<_>>()
        };
        for stream in self.run.streams() {
            let out = stream["source"].as_str().unwrap().starts_with("10.21.");
            let said = if out { field("PS")[0] } else { field("PR")[0] };
            let packets = unsigned(&stream["packetsReceived"]) as f64;
            checks.holds(
                format!("{packets} packets, baresip had {said} at its last report"),
                packets >= said && packets < said + 150.0,
            );
            checks.equal("lost", unsigned(&stream["packetsLost"]) as f64, field("PL")[usize::from(!out)]);
            if let Some(lost) = stream["reported"]["packetsLost"].as_f64() {
                checks.equal("reported lost", lost, 0.0);
                checks.equal("packetsSent of the last report", stream["reported"]["packetsSent"].as_f64(), Some(said));
            }
        }
    }
}
