//! Clear streams of the lab, extracted: what is in the files against the truth of the captures. Numbers of frames were
//! counted from what tshark 4.0 prints (timestamps, marker bits, first bytes of payloads), and `ffprobe -count_frames`
//! finds as many in the files.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{collections::BTreeMap, io::Cursor, path::Path};

use common::{frames, hex_number, json, list};
use rtcscope::{
    extract::{Extracted, Format, Packet, Sink, Track},
    time::Timestamp,
    wire::{payload::Codec, rtp},
};

/// A stream of video: folder, file, SSRC, formats; frames written, key frames, incomplete, not decodable.
type Video = (&'static str, &'static str, u32, &'static [(u8, Codec)], [u64; 4]);

const VIDEO: &[Video] = &[
    ("gst-vp8-impaired", "captureB.pcapng", 0x00f8_2192, &[(98, Codec::Vp8)], [89, 5, 0, 198]),
    ("gst-vp8-impaired", "captureB.pcapng", 0x1e9d_7436, &[(98, Codec::Vp8)], [311, 6, 0, 0]),
    ("gst-avpf-nack", "captureB.pcapng", 0xe6f4_2ff4, &[(97, Codec::H264)], [28, 3, 27, 245]),
    ("gst-avpf-nack", "captureB.pcapng", 0x8ec9_2838, &[(97, Codec::H264)], [311, 6, 0, 0]),
    ("gst-h265", "capture.pcapng", 0x5cc9_3d9e, &[(99, Codec::H265)], [300, 5, 0, 0]),
    ("gst-h265", "capture.pcapng", 0xe571_439f, &[(99, Codec::H265)], [311, 6, 0, 0]),
    // Lost FEC does no harm: the PictureIDs around it follow each other.
    ("gst-red-ulpfec-lossy", "captureB.pcapng", 0x0806_6431, &[(121, Codec::Red), (98, Codec::Vp8)], [70, 5, 0, 215]),
    ("gst-red-ulpfec-lossy", "capture.pcapng", 0x28d1_15c5, &[(121, Codec::Red), (98, Codec::Vp8)], [311, 6, 0, 0]),
];

#[test]
fn frames_of_video() {
    let Some(captures) = frames::captures() else { return };
    for (folder, file, ssrc, formats, expected) in VIDEO {
        let folder = captures.join("labb").join(folder);
        let formats = formats.iter().map(|(payload_type, codec)| (*payload_type, Format::new(*codec, 90_000)));
        let extracted = extract(&folder.join(file), *ssrc, formats.collect());
        let [part] = extracted.parts.as_slice() else { panic!("{ssrc:x}: {extracted:?}") };
        let fates = [part.frames, part.key_frames, part.incomplete_frames, part.undecodable_frames];
        assert_eq!(fates, *expected, "{} {ssrc:08x}", folder.display());
        // config.json: video/x-raw,width=320,height=240.
        assert_eq!(part.resolution.map(|size| (size.width, size.height)), Some((320, 240)));
        if file.ends_with("B.pcapng") {
            assert_eq!(extracted.lost, lost_on_path(&folder, *ssrc), "{ssrc:08x}");
        }
    }
}

#[test]
fn frames_of_hand_made_video() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("labb/rtp-video-timing");
    let formats = BTreeMap::from([(97, Format::new(Codec::H264, 90_000))]);
    let extracted = extract(&folder.join("capture.pcapng"), 0x9999_9999, formats);
    let stream = &json(&folder.join("truth.json"))["A"]["streams"]["0x99999999"];
    let sent = list(&stream["frames"]).iter().filter(|frame| frame["lost"] == false).count() as u64;
    let part = &extracted.parts[0];
    assert_eq!(part.frames + part.incomplete_frames + part.undecodable_frames, sent);
    assert_eq!(extracted.lost, list(&stream["skipped_seqs"]).len() as u64);
}

/// A stream of sound: folder, file, SSRC, formats with their clocks; samples that a packet has.
type Sound = (&'static str, &'static str, u32, &'static [(u8, Codec, u32)], u64);

const SOUND: &[Sound] = &[
    ("gst-opus-mux-impaired", "captureB.pcapng", 0x5c64_f2d2, &[(96, Codec::Opus, 48_000)], 960),
    ("gst-opus-mux-impaired", "captureB.pcapng", 0xf94d_3743, &[(96, Codec::Opus, 48_000)], 960),
    ("gst-pcmu-impaired", "captureB.pcapng", 0x849b_1400, &[(0, Codec::Pcmu, 8000)], 160),
    ("gst-pcmu-impaired", "captureB.pcapng", 0x3f8c_18b3, &[(0, Codec::Pcmu, 8000)], 160),
    ("sip-pcmu", "capture.pcapng", 0xc024_60df, &[(0, Codec::Pcmu, 8000)], 160),
    ("rtp-wrap", "capture.pcapng", 0x57a9_0001, &[(0, Codec::Pcmu, 8000)], 160),
    ("rtp-dtx", "capture.pcapng", 0x5555_5555, &[(0, Codec::Pcmu, 8000), (13, Codec::ComfortNoise, 8000)], 160),
];

#[test]
fn sound_is_as_long_as_its_stream() {
    let Some(captures) = frames::captures() else { return };
    for (folder, file, ssrc, formats, samples) in SOUND {
        let path = captures.join("labb").join(folder).join(file);
        let formats: BTreeMap<_, _> =
            formats.iter().map(|(number, codec, rate)| (*number, Format::new(*codec, *rate))).collect();
        let media = *formats.keys().next().unwrap();
        let packets = packets(&path, *ssrc);
        let mut heard: BTreeMap<u16, u32> = BTreeMap::new();
        for (_, header, _) in packets.iter().filter(|(_, header, _)| header.payload_type() == media) {
            heard.insert(header.sequence, header.timestamp);
        }
        let first = packets.iter().find(|(_, header, _)| heard.contains_key(&header.sequence)).unwrap().1.timestamp;
        let places = heard.values().map(|timestamp| timestamp.wrapping_sub(first));
        let span = u64::from(places.max().unwrap()) + samples;
        let extracted = extract(&path, *ssrc, formats);
        let part = &extracted.parts[0];
        assert_eq!(part.frames, heard.len() as u64, "{folder} {ssrc:08x}");
        // Opus cannot fill less than 2.5 ms. GStreamer's first two packets overlap by the encoder's delay, 312 samples.
        let longer = if media == 96 { 312 } else { 0 };
        let lengths = span.saturating_sub(119)..=span + longer;
        assert!(lengths.contains(&part.length), "{folder} {ssrc:08x}: {} of {span}", part.length);
        assert_eq!(part.silence, part.length - samples * part.frames);
    }
}

#[test]
fn files_change_with_the_codec() {
    let Some(captures) = frames::captures() else { return };
    let formats = BTreeMap::from([
        (0, Format::new(Codec::Pcmu, 8000)),
        (8, Format::new(Codec::Pcma, 8000)),
        (101, Format::new(Codec::TelephoneEvent, 8000)),
        (111, Format::new(Codec::Opus, 48_000)),
    ]);
    let folder = captures.join("labb/rtp-pt-change");
    let extracted = extract(&folder.join("capture.pcapng"), 0x4444_4444, formats);
    let told: Vec<_> = extracted.parts.iter().map(|part| (part.codec, part.frames)).collect();
    // truth.json: 300 PCMU, digits, 300 PCMA; 300 Opus; 200 PCMU.
    assert_eq!(told, [(Codec::Pcmu, 600), (Codec::Opus, 300), (Codec::Pcmu, 200)]);
}

#[test]
fn late_packets_are_in_their_place() {
    let Some(captures) = frames::captures() else { return };
    let formats = BTreeMap::from([(0, Format::new(Codec::Pcmu, 8000))]);
    let extracted = extract(&captures.join("labb/rtp-reorder100/capture.pcapng"), 0x7777_7777, formats);
    // truth.json: 1,800 sent, none lost, 20 twice.
    assert_eq!((extracted.parts[0].frames, extracted.lost, extracted.unused), (1800, 0, 20));
    assert_eq!((extracted.parts[0].silence, extracted.parts[0].length % 1800), (0, 0));
}

/// What a capture at B misses of a stream.
fn lost_on_path(folder: &Path, ssrc: u32) -> u64 {
    let truth = json(&folder.join("truth.json"));
    let path = list(&truth["path"]).iter().find(|path| hex_number(&path["ssrc"]) == ssrc);
    let path = path.expect("the stream is in the truth");
    // What B sends has not been on the path yet; and behind the last packet none is known to be missing.
    let lost = list(&path["lost_seqs"]).iter().filter(|sequence| **sequence != path["last_seq"]);
    if path["sender"] == "A" { lost.count() as u64 } else { 0 }
}

/// The packets of a stream: when, header, payload.
fn packets(path: &Path, ssrc: u32) -> Vec<(i64, rtp::FixedHeader, Vec<u8>)> {
    let datagrams = frames::datagrams(path).into_iter().filter(|datagram| datagram.protocol == frames::UDP);
    let packets = datagrams.filter_map(|datagram| {
        let header = rtp::Header::parse(&datagram.payload, datagram.length).ok()?;
        let padding = header.padding_length(false).ok()??;
        let length = header.payload().len() - padding;
        (header.fixed.ssrc == ssrc && !(72..77).contains(&header.fixed.payload_type()))
            .then(|| (datagram.nanos, header.fixed, header.payload()[..length].to_vec()))
    });
    packets.collect()
}

fn extract(path: &Path, ssrc: u32, formats: BTreeMap<u8, Format>) -> Extracted {
    let open = |extension: &str| Ok(Sink::new(extension, Cursor::new(Vec::new())));
    let mut track = Track::new(formats, ssrc, open);
    for (nanos, header, payload) in packets(path, ssrc) {
        let packet = Packet {
            at: Timestamp(nanos),
            sequence: header.sequence,
            timestamp: header.timestamp,
            marker: header.marker(),
            payload_type: header.payload_type(),
            payload: &payload,
        };
        track.push(&packet).unwrap();
    }
    track.finish().unwrap()
}
