//! Header extensions of real calls: what the program says of them against an independent reading of the packets, what
//! the network dropped, and what the browsers said.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use common::{Checks, Run, analyze, check_all, folders, frames, hex_number, json, json_lines, list, name, unsigned};
use serde_json::Value;

const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const TRANSPORT_WIDE: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const DESCRIPTOR: &str = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
const ALLOCATION: &str = "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00";

/// Elements of a packet: id and data.
type Elements = Vec<(u64, Vec<u8>)>;

/// A packet of a stream.
struct Packet {
    number: u64,
    nanos: i64,
    sequence: u16,
    timestamp: u32,
    elements: Elements,
}

/// By SSRC, source and destination.
type Streams = BTreeMap<(u64, String, String), Vec<Packet>>;

#[test]
fn the_lab() {
    let Some(captures) = frames::captures() else { return };
    let mut files = Vec::new();
    for folder in folders(&captures.join("lab")) {
        let taps = ["capture.pcapng", "captureB.pcapng"].map(|file| folder.join(file));
        files.extend(taps.into_iter().filter(|path| path.exists() && folder.join("offer.sdp").exists()));
    }
    check_all(&files, &[], |path, checks| {
        let folder = path.parent().unwrap();
        checks.at(format!("{} {}", name(folder), name(path)));
        let (run, packets) = (analyze(path), packets(path));
        let signalled = extmap(&frames::text(&folder.join("offer.sdp")));
        for stream in run.streams() {
            elements_of(stream, &packets, &signalled, checks);
        }
        transport_wide(&run, &packets, true, checks);
        losses(path, &run, checks);
    });
}

/// Single streams, picked out of their calls: without ICE or signalling around them, and with numbers of streams that are
/// not there.
#[test]
fn streams_without_a_call() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("public/captures");
    let files = ["str0m__av1.pcap", "str0m__h264.pcap", "str0m__contiguous_vp9.pcap"].map(|file| folder.join(file));
    check_all(&files, &[], |path, checks| {
        checks.at(name(path));
        let run = analyze(path);
        let ways = run.sessions().map(|session| list(&session["communicating"]["transportWide"]).len()).sum::<usize>();
        checks.equal("directions with numbers", ways, 1);
        transport_wide(&run, &packets(path), false, checks);
    });
}

/// Counts and values of the elements of one stream.
fn elements_of(stream: &Value, packets: &Streams, signalled: &BTreeMap<u64, String>, checks: &mut Checks) {
    let text = |key: &str| stream[key].as_str().unwrap().to_owned();
    let Some(packets) = packets.get(&(unsigned(&stream["ssrc"]), text("source"), text("destination"))) else {
        return;
    };
    let mut values: BTreeMap<u64, Vec<(&Packet, &[u8])>> = BTreeMap::new();
    for packet in packets {
        for (id, data) in &packet.elements {
            values.entry(*id).or_default().push((packet, data));
        }
    }
    let ours: BTreeMap<u64, &Value> =
        list(&stream["headerExtensions"]).iter().map(|one| (unsigned(&one["id"]), one)).collect();
    let ssrc = unsigned(&stream["ssrc"]);
    let counts: BTreeMap<u64, u64> = ours.iter().map(|(id, one)| (*id, unsigned(&one["packets"]))).collect();
    let truth: BTreeMap<u64, u64> = values.iter().map(|(id, values)| (*id, values.len() as u64)).collect();
    checks.equal(format!("{ssrc:#x} elements"), &counts, &truth);
    for (id, values) in values {
        let Some(one) = ours.get(&id) else { continue };
        let uri = one["uri"].as_str();
        checks.equal(format!("{ssrc:#x} URI of {id}"), uri, signalled.get(&id).map(String::as_str));
        checks.equal(format!("{ssrc:#x} inferred {id}"), one["uriInferred"].as_bool(), Some(false));
        match uri {
            Some(AUDIO_LEVEL) => levels(&one["audioLevel"], &values, checks),
            Some(SEND_TIME) => {
                let looked = looked_into(packets, signalled);
                let values: Vec<_> = values.into_iter().filter(|(packet, _)| looked.contains(&packet.number)).collect();
                send_times(&one["absSendTime"], &values, checks);
            }
            _ => {}
        }
    }
}

fn levels(ours: &Value, values: &[(&Packet, &[u8])], checks: &mut Checks) {
    let level = |data: &[u8]| data[0] & 0x7f;
    let silent = values.iter().filter(|(_, data)| level(data) == 127).count() as u64;
    checks.equal("silent packets", unsigned(&ours["silentPackets"]), silent);
    let voice = values.iter().filter(|(_, data)| data[0] & 0x80 != 0).count() as u64;
    checks.equal("packets with voice", unsigned(&ours["voiceActivityPackets"]), voice);
    let loudest = values.iter().map(|(_, data)| level(data)).min().unwrap();
    checks.equal("loudest", ours["levelMax"].as_f64(), Some(-f64::from(loudest)));
    let energy: f64 = values.iter().map(|(_, data)| 10_f64.powf(-f64::from(level(data)) / 10.0)).sum();
    checks.near("level", ours["level"].as_f64(), 10.0 * (energy / values.len() as f64).log10(), 0.0, 0.02);
    let mut runs: Vec<(i64, u64, u64, u64)> = Vec::new();
    for group in values.chunk_by(|one, other| (level(one.1) == 127) == (level(other.1) == 127)) {
        let (first, last) = (group[0].0, group[group.len() - 1].0);
        if level(group[0].1) == 127 {
            runs.push((last.nanos - first.nanos, group.len() as u64, first.number, last.number));
        }
    }
    let longest = runs.into_iter().max();
    let silence = &ours["longestSilence"];
    let found = silence.as_object().map(|_| {
        let [packets, first, last] = ["packets", "firstPacket", "lastPacket"].map(|key| unsigned(&silence[key]));
        (packets, first, last)
    });
    checks.equal("longest silence", found, longest.map(|(_, packets, first, last)| (packets, first, last)));
}

fn send_times(ours: &Value, values: &[(&Packet, &[u8])], checks: &mut Checks) {
    // Seconds from sending to arrival, whatever the clocks; 64 s are as good as none.
    let delay = |(packet, data): &(&Packet, &[u8])| {
        let units = data.iter().fold(0_u32, |units, byte| units << 8 | u32::from(*byte));
        (packet.nanos % 64_000_000_000) as f64 / 1e9 - f64::from(units) / 262_144.0
    };
    let difference = |pair: &[f64]| {
        let difference = (pair[1] - pair[0]).rem_euclid(64.0);
        if difference > 32.0 { 64.0 - difference } else { difference }
    };
    let delays: Vec<f64> = values.iter().map(delay).collect();
    let differences: Vec<f64> = delays.windows(2).map(difference).collect();
    if differences.is_empty() {
        return;
    }
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    let most = differences.iter().copied().fold(0.0, f64::max);
    // A unit is 3.8 us.
    checks.near("variation of delay", ours["delayVariation"].as_f64(), mean, 0.001, 4e-6);
    checks.near("most variation", ours["delayVariationMax"].as_f64(), most, 0.001, 4e-6);
}

/// The numbers over all streams of each direction, counted again.
fn transport_wide(run: &Run, packets: &Streams, all_captured: bool, checks: &mut Checks) {
    for ours in run.sessions().flat_map(|session| list(&session["communicating"]["transportWide"])) {
        let way = |key: &str| ours[key].as_str().unwrap();
        let mut all: Vec<(u64, u16)> = Vec::new();
        for ((_, source, destination), packets) in packets {
            if (source.as_str(), destination.as_str()) == (way("source"), way("destination")) {
                all.extend(packets.iter().filter_map(|packet| {
                    let (_, data) = packet.elements.iter().find(|(id, _)| *id == unsigned(&ours["id"]))?;
                    Some((packet.number, u16::from_be_bytes(data.as_slice().try_into().unwrap())))
                }));
            }
        }
        all.sort_unstable();
        let mut highest = i64::from(all[0].1);
        let mut numbers = BTreeSet::new();
        for (_, number) in &all {
            let extended = highest + i64::from(number.wrapping_sub(highest as u16).cast_signed());
            numbers.insert(extended);
            highest = highest.max(extended);
        }
        let expected = (numbers.last().unwrap() - numbers.first().unwrap() + 1) as u64;
        checks.equal("uri", way("uri"), TRANSPORT_WIDE);
        checks.equal("packets with a number", unsigned(&ours["packetsReceived"]), all.len() as u64);
        checks.equal("numbers expected", unsigned(&ours["packetsExpected"]), expected);
        checks.equal("numbers lost", unsigned(&ours["packetsLost"]), expected - numbers.len() as u64);
        let widest = numbers.iter().zip(numbers.iter().skip(1)).map(|(one, next)| next - one - 1).max();
        checks.equal("longest run", unsigned(&ours["longestLossBurst"]), widest.unwrap_or(0) as u64);
        if all_captured {
            // All streams of the call have numbers: what their own say is the same.
            checks.equal("lost by stream", unsigned(&ours["sequencePacketsLost"]), unsigned(&ours["packetsLost"]));
        }
    }
}

/// What the path lost is lost before the tap of the receiver, and behind that of the sender.
fn losses(path: &Path, run: &Run, checks: &mut Checks) {
    let truth = json(&path.parent().unwrap().join("truth.json"));
    let tap = if name(path) == "capture.pcapng" { "A" } else { "B" };
    let mut lost: BTreeMap<&str, u64> = BTreeMap::new();
    for stream in list(&truth["streams"]) {
        let on_path = stream["path"]["lost_on_path"].as_u64().unwrap_or(0);
        *lost.entry(stream["sender"].as_str().unwrap_or("?")).or_default() += on_path;
    }
    let sender_of = |source: &str| {
        let ours = run.streams().into_iter().filter(|stream| stream["source"] == source);
        let ssrcs: BTreeSet<u64> = ours.map(|stream| unsigned(&stream["ssrc"])).collect();
        let mut streams = list(&truth["streams"]).iter();
        let found = streams.find(|stream| ssrcs.contains(&u64::from(hex_number(&stream["ssrc"]))))?;
        found["sender"].as_str()
    };
    for ours in run.sessions().flat_map(|session| list(&session["communicating"]["transportWide"])) {
        let Some(sender) = sender_of(ours["source"].as_str().unwrap()) else { continue };
        let expected = if sender == tap { 0 } else { lost.get(sender).copied().unwrap_or(0) };
        checks.equal(format!("lost from {sender} before the tap at {tap}"), unsigned(&ours["packetsLost"]), expected);
    }
}

/// The layers of Chromium's VP8 simulcast. Frames were counted by a decoder of its own, written along the specification,
/// over `tshark -r FILE -d udp.port==53416,rtp -T fields -e rtp.ssrc -e rtp.ext.rfc5285.id -e rtp.ext.rfc5285.data`.
#[test]
fn simulcast() {
    let Some(folder) = lab("chromium-simulcast") else { return };
    let run = analyze(&folder.join("capture.pcapng"));
    let stats = json_lines(&folder.join("peerA.stats.jsonl")).pop().unwrap();
    let mut seen = 0;
    for stream in run.streams().into_iter().filter(|stream| stream["role"] == "media") {
        let frames = &extension(stream, DESCRIPTOR)["dependencyDescriptor"];
        assert_eq!(by_layer(frames), [(0, 0, 83), (0, 1, 82), (0, 2, 165)]);
        assert_eq!((unsigned(&frames["frames"]), unsigned(&frames["keyFrames"])), (330, 1));
        // The streams share the numbers of their frames: what one misses the others have.
        assert!(frames["framesMissing"].is_null());
        let said = outbound(&stats, stream);
        assert_eq!(said["framesSent"], frames["frames"]);
        assert_eq!(said["keyFramesEncoded"], frames["keyFrames"]);
        let resolutions = list(&frames["resolutions"]);
        assert_eq!(resolutions.len(), 1);
        assert_eq!(size(&resolutions[0]), (unsigned(&said["frameWidth"]), unsigned(&said["frameHeight"])));
        // The allocation names all streams: this one's size is that of its index.
        let allocations = &extension(stream, ALLOCATION)["videoLayersAllocation"];
        for value in list(&allocations["values"]) {
            assert_eq!((unsigned(&value["streams"]), list(&value["layers"]).len()), (3, 3));
            assert_eq!(value["stream"], said["encodingIndex"]);
            let index = unsigned(&value["stream"]) as usize;
            let layer = &list(&value["layers"])[index];
            if !layer["width"].is_null() {
                assert_eq!(size(layer), size(&resolutions[0]));
            }
            assert_eq!(list(&layer["targetBitrates"]).len(), 3);
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

/// The same of VP9 with two spatial and three temporal layers.
#[test]
fn scalable() {
    let Some(folder) = lab("chromium-vp9-svc") else { return };
    let run = analyze(&folder.join("capture.pcapng"));
    let streams = run.streams();
    let stream = streams.iter().find(|stream| stream["kind"] == "video" && stream["role"] == "media").unwrap();
    let frames = &extension(stream, DESCRIPTOR)["dependencyDescriptor"];
    let counted = [(0, 0, 76), (0, 1, 76), (0, 2, 150), (1, 0, 75), (1, 1, 75), (1, 2, 149)];
    assert_eq!(by_layer(frames), counted);
    assert_eq!((unsigned(&frames["frames"]), frames["framesMissing"].as_u64()), (601, Some(0)));
    assert_eq!(list(&frames["keyFramePackets"]).iter().map(unsigned).collect::<Vec<_>>(), [93, 119]);
    let stats = json_lines(&folder.join("peerA.stats.jsonl")).pop().unwrap();
    let said = outbound(&stats, stream);
    assert_eq!(said["scalabilityMode"], "L2T3_KEY");
    assert_eq!((unsigned(&frames["spatialLayers"]), unsigned(&frames["temporalLayers"])), (2, 3));
    let sizes: Vec<_> = list(&frames["resolutions"]).iter().map(size).collect();
    assert_eq!(sizes, [(320, 240), (unsigned(&said["frameWidth"]), unsigned(&said["frameHeight"]))]);
    assert_eq!(said["keyFramesEncoded"], frames["keyFrames"]);
    // Chromium counts the frames of each spatial layer too, at its last look.
    assert!(unsigned(&frames["frames"]).abs_diff(unsigned(&said["framesSent"])) <= 2);
}

/// What tshark 4.0.17 reads: `tshark -r FILE -d udp.port==49474,rtp -Y 'rtp.ssrc==0x8a2b7d32 && rtp.ext.rfc5285.id' -T fields
/// -e rtp.ext.rfc5285.id -e rtp.ext.rfc5285.data`, counted by id; the level is the mean of 10^(-level/10).
#[test]
fn as_tshark_reads_it() {
    let Some(folder) = lab("chromium-av-lossy") else { return };
    let run = analyze(&folder.join("capture.pcapng"));
    let streams = run.streams();
    let audio = streams.iter().find(|stream| unsigned(&stream["ssrc"]) == 0x8a2b_7d32).unwrap();
    let counts = list(&audio["headerExtensions"]).iter().map(|one| (unsigned(&one["id"]), unsigned(&one["packets"])));
    assert_eq!(counts.collect::<Vec<_>>(), [(1, 1501), (2, 1501), (3, 1501), (4, 110)]);
    let level = &extension(audio, AUDIO_LEVEL)["audioLevel"];
    assert_eq!((unsigned(&level["silentPackets"]), unsigned(&level["voiceActivityPackets"])), (200, 1501));
    assert_eq!((level["levelMax"].as_f64(), level["level"].as_f64()), (Some(-6.0), Some(-21.29)));
}

/// A mutes its audio for eight seconds: digital silence, from one event to the other.
#[test]
fn muted() {
    let Some(folder) = lab("chromium-mute-dtx") else { return };
    let run = analyze(&folder.join("capture.pcapng"));
    let capture_start = run.report["captures"][0]["firstPacketAt"].as_str().unwrap().to_owned();
    let events = json_lines(&folder.join("peerA.events.jsonl"));
    let at = |what: &str| {
        let is_it = |event: &&Value| event["data"]["do"] == what && event["data"]["kind"].is_null();
        let time = events.iter().find(is_it).unwrap()["t"].as_f64().unwrap();
        // Both are within one minute: seconds of the day suffice.
        let [hours, minutes, seconds] =
            [11..13, 14..16, 17..29].map(|place| capture_start[place].parse::<f64>().unwrap());
        time.rem_euclid(86_400.0) - (hours * 3600.0 + minutes * 60.0 + seconds)
    };
    let stats = json_lines(&folder.join("peerA.stats.jsonl")).pop().unwrap();
    let streams = run.streams();
    let is_sent_by_a = |stream: &&&Value| {
        stream["kind"] == "audio"
            && list(&stats["stats"]).iter().any(|one| one["type"] == "outbound-rtp" && one["ssrc"] == stream["ssrc"])
    };
    let audio = streams.iter().find(is_sent_by_a).unwrap();
    let level = &extension(audio, AUDIO_LEVEL)["audioLevel"];
    let silence = &level["longestSilence"];
    let (start, length) = (silence["startTime"].as_f64().unwrap(), silence["duration"].as_f64().unwrap());
    // With DTX a silent packet comes every 400 ms.
    assert!((start - at("mute")).abs() < 0.5, "{start} after {}", at("mute"));
    assert!((start + length - at("unmute")).abs() < 0.5, "{start} + {length} until {}", at("unmute"));
    assert_eq!(level["silent"], false);
}

/// A call whose signalling is not in the capture: what behaviour proves is what was signalled.
#[test]
fn inferred() {
    let Some(folder) = lab("derived-midcall") else { return };
    let run = analyze(&folder.join("capture.pcapng"));
    let signalled = extmap(&frames::text(&folder.with_file_name("firefox-av-lossy").join("offer.sdp")));
    let mut uris = BTreeSet::new();
    for one in run.streams().into_iter().flat_map(|stream| list(&stream["headerExtensions"])) {
        assert_eq!(one["uriInferred"].as_bool(), Some(!one["uri"].is_null()));
        if let Some(uri) = one["uri"].as_str() {
            assert_eq!(signalled.get(&unsigned(&one["id"])).map(String::as_str), Some(uri));
            uris.insert(uri.to_owned());
        }
    }
    // The level of these streams never changes, and the offsets change seldom: they prove nothing.
    assert_eq!(uris, [SEND_TIME, TRANSPORT_WIDE].map(str::to_owned).into());
    let lost = run.sessions().flat_map(|session| list(&session["communicating"]["transportWide"]));
    let lost: Vec<_> =
        lost.map(|way| (way["uriInferred"].as_bool(), &way["packetsLost"], &way["sequencePacketsLost"])).collect();
    assert_eq!(lost.len(), 2);
    assert!(lost.iter().all(|(inferred, lost, by_stream)| *inferred == Some(true) && lost == by_stream), "{lost:?}");
}

fn lab(scenario: &str) -> Option<PathBuf> {
    frames::captures().map(|captures| captures.join("lab").join(scenario))
}

fn extension<'a>(stream: &'a Value, uri: &str) -> &'a Value {
    list(&stream["headerExtensions"]).iter().find(|one| one["uri"] == uri).unwrap()
}

fn by_layer(frames: &Value) -> Vec<(u64, u64, u64)> {
    let place = |layer: &Value| (unsigned(&layer["spatial"]), unsigned(&layer["temporal"]), unsigned(&layer["frames"]));
    list(&frames["layers"]).iter().map(place).collect()
}

fn size(of: &Value) -> (u64, u64) {
    (unsigned(&of["width"]), unsigned(&of["height"]))
}

/// What the sender says of a stream.
fn outbound<'a>(stats: &'a Value, stream: &Value) -> &'a Value {
    let is_it = |one: &&Value| one["type"] == "outbound-rtp" && one["ssrc"] == stream["ssrc"];
    list(&stats["stats"]).iter().find(is_it).unwrap()
}

/// Ids of a description with what they stand for.
fn extmap(sdp: &str) -> BTreeMap<u64, String> {
    let lines = sdp.lines().filter_map(|line| line.strip_prefix("a=extmap:"));
    let pairs = lines.map(|line| {
        let (id, uri) = line.split_once(' ').unwrap();
        (id.split('/').next().unwrap().parse().unwrap(), uri.split(' ').next().unwrap().to_owned())
    });
    pairs.collect()
}

/// All that has an RTP header, with its elements.
fn packets(path: &Path) -> Streams {
    let mut datagrams = frames::datagrams(path);
    frames::unwrap_turn(&mut datagrams);
    let mut streams = Streams::new();
    for datagram in datagrams {
        let bytes = &datagram.payload;
        if bytes.len() < 12 || bytes[0] >> 6 != 2 || (192..224).contains(&bytes[1]) {
            continue;
        }
        let end = |end: SocketAddr| end.to_string();
        let ssrc = u64::from(u32::from_be_bytes(bytes[8..12].try_into().unwrap()));
        let packet = Packet {
            number: datagram.number,
            nanos: datagram.nanos,
            sequence: u16::from_be_bytes([bytes[2], bytes[3]]),
            timestamp: u32::from_be_bytes(bytes[4..8].try_into().unwrap()),
            elements: elements(bytes),
        };
        streams.entry((ssrc, end(datagram.source), end(datagram.destination))).or_default().push(packet);
    }
    // Copies of one packet, as a router's capture has them, are one.
    streams.values_mut().for_each(|packets| packets.dedup_by_key(|packet| (packet.sequence, packet.nanos)));
    streams
}

/// The packets whose elements are to be looked into: the first 64, and of a frame in many packets the first and those with
/// other elements than the one before; of streams with other things of three bytes, as descriptors are, 512; and all with
/// descriptors or audio levels.
fn looked_into(packets: &[Packet], signalled: &BTreeMap<u64, String>) -> BTreeSet<u64> {
    let (mut looked, mut last) = (BTreeSet::new(), None);
    let mut all = 64;
    for packet in packets.iter().filter(|packet| !packet.elements.is_empty()) {
        for (id, data) in &packet.elements {
            match signalled.get(id).map(String::as_str) {
                Some(DESCRIPTOR | AUDIO_LEVEL) => all = usize::MAX,
                Some(SEND_TIME) => {}
                _ if data.len() == 3 => all = all.max(512),
                _ => {}
            }
        }
        let ids: BTreeSet<u64> = packet.elements.iter().map(|(id, _)| *id).collect();
        let this = Some((packet.timestamp, ids));
        if this != last || looked.len() < all {
            looked.insert(packet.number);
        }
        last = this;
    }
    looked
}

/// RFC 8285, in both forms.
fn elements(bytes: &[u8]) -> Elements {
    let start = 12 + 4 * usize::from(bytes[0] & 15);
    if bytes[0] & 0x10 == 0 || bytes.len() < start + 4 {
        return Vec::new();
    }
    let length = 4 * usize::from(u16::from_be_bytes([bytes[start + 2], bytes[start + 3]]));
    let Some(mut rest) = bytes.get(start + 4..start + 4 + length) else { return Vec::new() };
    let one_byte = bytes[start..start + 2] == [0xbe, 0xde];
    let mut elements = Vec::new();
    while let Some(first) = rest.first().copied() {
        if first == 0 {
            rest = &rest[1..];
            continue;
        }
        let (id, length, head) =
            if one_byte { (first >> 4, usize::from(first & 15) + 1, 1) } else { (first, usize::from(rest[1]), 2) };
        elements.push((u64::from(id), rest[head..head + length].to_vec()));
        rest = &rest[head + length..];
    }
    elements
}
