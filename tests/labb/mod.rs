//! Streams of the hand-made sender: it wrote down every packet.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Scene,
    common::{Checks, hex_number, list, unsigned},
};

impl Scene<'_> {
    /// Streams whose sender wrote down what it did.
    pub fn hand_made(&self, checks: &mut Checks) {
        let (ssrc, truth) = self.truth["A"]["streams"].as_object().unwrap().iter().next().unwrap();
        let ssrc = u32::from_str_radix(ssrc.trim_start_matches("0x"), 16).unwrap();
        checks.equal("streams", self.run.streams().len(), 1);
        let Some(stream) = self.stream(ssrc) else { return checks.note("no stream") };
        let get = |field: &str| unsigned(&stream[field]);
        let duplicates = list(&truth["duplicates"]).len() as u64;
        checks.equal("sent", get("packetsReceived") - get("packetsDuplicated"), unsigned(&truth["sent"]));
        checks.equal("duplicates", get("packetsDuplicated"), duplicates);
        checks.equal("lost", get("packetsLost"), list(&truth["skipped_seqs"]).len() as u64);
        checks.equal("restarts", get("restarts"), 0);
        checks.equal("jumps", get("timestampJumps"), 0);
        checks.equal("collision", &stream["ssrcCollision"], &Value::from(false));
        let received = &self.truth["B"]["received"].as_object().unwrap().values().next().unwrap();
        checks.equal("received", get("packetsReceived"), unsigned(&received["packets"]));
        self.receiver_reports(stream, ssrc, checks);
        match self.name().as_str() {
            "rtp-wrap" => checks.equal("wraps", get("sequenceWraps"), 1),
            "rtp-dtx" => self.silence(stream, truth, checks),
            "rtp-pt-change" => self.payload_types(stream, truth, checks),
            "rtp-reorder100" => {
                let late = list(&truth["late"]);
                let deepest = late.iter().map(|late| unsigned(&late["by_packets"])).max().unwrap();
                checks.holds(
                    format!("reordered {} of {} late", get("packetsReordered"), late.len()),
                    get("packetsReordered") >= late.len() as u64,
                );
                checks.holds(
                    format!("depth {}, at least {deepest}", get("reorderDepth")),
                    get("reorderDepth") >= deepest,
                );
            }
            "rtp-video-timing" => {
                let frames = list(&truth["frames"]);
                let kept = frames.iter().filter(|frame| frame["lost"] == false).count() as u64;
                checks.equal("frames", get("frames"), kept);
                checks.equal("kind", stream["kind"].as_str(), Some("video"));
                checks.equal("clock rate", stream["clockRate"].as_u64(), Some(90_000));
                checks.equal("pauses", unsigned(&stream["pauses"]["count"]) + unsigned(&stream["outages"]["count"]), 1);
                let freeze = self.truth["A"]["freeze"]["seconds"].as_f64().unwrap();
                checks.near("the freeze", stream["pauses"]["longest"].as_f64(), freeze, 0.02, 0.0);
                checks.near("longest gap", stream["maxGap"].as_f64(), freeze, 0.02, 0.0);
                checks.equal("bursts", unsigned(&stream["lossBursts"]["3-5"]), 1);
            }
            _ => self.odd(stream, truth, checks),
        }
    }

    /// The hand-made receiver's reports.
    fn receiver_reports(&self, stream: &Value, ssrc: u32, checks: &mut Checks) {
        let sent = list(&self.truth["B"]["rr_sent"]);
        let blocks: Vec<&Value> = sent.iter().flat_map(|report| list(&report["reports"])).collect();
        let last = blocks.last().unwrap();
        checks.equal("block is of the stream", hex_number(&last["ssrc"]), ssrc);
        let reported = &stream["reported"];
        checks.equal("reports", unsigned(&reported["reports"]), blocks.len() as u64);
        checks.equal("reported lost", &reported["packetsLost"], &last["cumulative_lost"]);
        checks.equal("reported highest", &reported["highestSequenceNumber"], &last["highest_seq"]);
        let rate = stream["clockRate"].as_f64().unwrap();
        checks.near("reported jitter", reported["jitter"].as_f64(), last["jitter"].as_f64().unwrap() / rate, 0.0, 1e-9);
        checks.near(
            "reported fraction",
            reported["fractionLost"].as_f64(),
            last["fraction_lost"].as_f64().unwrap() / 256.0,
            0.0,
            1e-9,
        );
    }

    /// Silence suppression: each silence is a pause, and nothing is lost.
    fn silence(&self, stream: &Value, truth: &Value, checks: &mut Checks) {
        let segments = list(&truth["segments"]);
        // The last silence is the end of the stream; a packet that comes just after 200 ms of silence is no pause yet.
        let silences = segments.iter().rev().skip(1).map(|segment| segment["silence_s"].as_f64().unwrap());
        let long: Vec<f64> = silences.filter(|silence| *silence > 0.2).collect();
        let pauses = &stream["pauses"];
        checks.equal("outages", unsigned(&stream["outages"]["count"]), 0);
        let brief = segments.len() - long.len();
        let count = unsigned(&pauses["count"]) as usize;
        checks.holds(format!("{count} pauses of {}", long.len()), (long.len()..=long.len() + brief).contains(&count));
        checks.near("together", pauses["total"].as_f64(), long.iter().sum(), 0.02, 0.0);
        checks.near("longest", pauses["longest"].as_f64(), long.iter().copied().fold(0.0, f64::max), 0.02, 0.0);
        let noise = list(&stream["payloadTypes"])
            .iter()
            .find(|entry| entry["payloadType"] == 13)
            .map(|entry| unsigned(&entry["packets"]));
        checks.equal("comfort noise", noise, Some(segments.len() as u64));
        let talk: u64 = segments.iter().map(|segment| unsigned(&segment["packets"])).sum();
        checks.equal("talk", unsigned(&stream["payloadTypes"][0]["packets"]), talk);
        checks.equal("markers", unsigned(&stream["markerPackets"]), segments.len() as u64);
    }

    fn payload_types(&self, stream: &Value, truth: &Value, checks: &mut Checks) {
        let segments = list(&truth["segments"]);
        let end = unsigned(&segments[0]["first_seq"]) + unsigned(&truth["sent"]);
        let ends = segments.iter().skip(1).map(|segment| unsigned(&segment["first_seq"])).chain([end]);
        let mut types: BTreeMap<u64, u64> = BTreeMap::new();
        for (segment, end) in segments.iter().zip(ends) {
            *types.entry(unsigned(&segment["pt"])).or_default() += end - unsigned(&segment["first_seq"]);
        }
        let ours = list(&stream["payloadTypes"]).iter();
        let ours: BTreeMap<u64, u64> =
            ours.map(|entry| (unsigned(&entry["payloadType"]), unsigned(&entry["packets"]))).collect();
        checks.equal("packets by payload type", ours, types);
        checks.equal("clock rate", stream["clockRate"].as_u64(), Some(8000));
        // On a path without jitter, packets of another clock must not look like any.
        checks.holds(
            format!("jitter {}", stream["jitterMax"]),
            stream["jitterMax"].as_f64().is_some_and(|jitter| jitter < 0.005),
        );
    }

    fn odd(&self, stream: &Value, truth: &Value, checks: &mut Checks) {
        let packets = list(&truth["packets"]);
        let with =
            |part: &str| packets.iter().filter(|packet| packet["case"].as_str().unwrap().contains(part)).count() as u64;
        let elements: BTreeMap<u64, u64> = list(&stream["headerExtensions"])
            .iter()
            .map(|entry| (unsigned(&entry["id"]), unsigned(&entry["packets"])))
            .collect();
        let both = with("one-byte ext") + with("two-byte ext");
        let mut expected = BTreeMap::from([(1, both), (2, both), (3, both)]);
        expected.insert(0, with("ext profile"));
        checks.equal("header extensions", elements, expected);
        let mut csrcs = BTreeSet::new();
        for datagram in
            self.datagrams.iter().filter(|datagram| datagram.payload.len() > 12 && datagram.payload[1] & 0x7f == 0)
        {
            let count = usize::from(datagram.payload[0] & 15);
            csrcs.extend(
                datagram.payload[12..12 + 4 * count]
                    .chunks(4)
                    .map(|csrc| u64::from(u32::from_be_bytes(csrc.try_into().unwrap()))),
            );
        }
        let ours: BTreeSet<u64> = list(&stream["csrcs"]).iter().map(unsigned).collect();
        checks.holds(
            format!("CSRCs {ours:x?} of {csrcs:x?}"),
            ours.is_subset(&csrcs) && ours.len() == csrcs.len().min(16),
        );
        checks.equal("padding only", unsigned(&stream["paddingPackets"]), with("padding 255 only"));
        let payload: u64 = packets.iter().map(|packet| unsigned(&packet["payload"])).sum();
        checks.equal("payload bytes", unsigned(&stream["bytesReceived"]), payload);
        let types = self.run.counts("/communicating/rtcp/byType");
        for (kind, count) in [("XR", 1), ("APP", 1), ("PLI", 1), ("Generic NACK", 1), ("FIR", 1), ("BYE", 1)] {
            checks.equal(kind, types.get(kind).copied(), Some(count));
        }
        let reported = &stream["reported"];
        checks.equal("NACKed", unsigned(&reported["nackedPackets"]), 4);
        checks.equal("PLI of the stream", unsigned(&reported["pliCount"]), 1);
        checks.equal("FIR of the stream", unsigned(&reported["firCount"]), 1);
    }
}
