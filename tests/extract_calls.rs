//! Media and messages taken out of recorded calls by the real program: what authenticates, how many frames and messages
//! there are and how long they last, against what the peers and an independent decryption of the same calls say; and
//! whether other programs take the files.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use common::{frames, hex_number, json, list, unsigned};
use serde_json::Value;

/// An extraction: its folder, and what the program said.
struct Extraction {
    folder: tempfile::TempDir,
    output: Output,
}

impl Extraction {
    /// Extracts a call of the collection with these arguments.
    fn of(call: &Path, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
            .arg("extract")
            .arg(call.join("capture.pcapng"))
            .args(arguments)
            .arg("-o")
            .arg(folder.path().join("out"))
            .output()
            .unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{}", call.display());
        Self { folder, output }
    }

    /// The same with all that belongs to the call, rtpdump files and a capture in clear.
    fn with_all(call: &Path) -> Self {
        let name = |file: &str| call.join(file).to_str().unwrap().to_owned();
        let capture = tempfile::tempdir().unwrap();
        let clear = capture.path().join("clear.pcapng").to_str().unwrap().to_owned();
        let (log, offer, answer) = (name("keys.log"), name("offer.sdp"), name("answer.sdp"));
        let arguments = ["--keylog", &log, "--sdp", &offer, "--sdp", &answer, "--rtpdump", "--pcapng", &clear];
        let extraction = Self::of(call, &arguments);
        extraction.succeeded();
        fs::copy(&clear, extraction.clear()).unwrap();
        extraction
    }

    fn succeeded(&self) {
        let said = String::from_utf8_lossy(&self.output.stderr);
        assert_eq!(self.output.status.code(), Some(0), "{said}");
        let summary = String::from_utf8_lossy(&self.output.stdout);
        assert!(!summary.contains("Not extracted"), "{summary}");
    }

    fn clear(&self) -> PathBuf {
        self.folder.path().join("clear.pcapng")
    }

    /// The files that end so, by SSRC.
    fn files(&self, extension: &str) -> BTreeMap<u32, PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("out")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let ending = format!(".{extension}");
        let of = |path: PathBuf| {
            let name = path.file_name()?.to_str()?.strip_suffix(&ending)?.to_owned();
            let ssrc = u32::from_str_radix(name.rsplit_once("-0x")?.1, 16).unwrap();
            Some((ssrc, path))
        };
        paths.filter_map(of).collect()
    }

    /// How many packets each rtpdump file has.
    fn dumped(&self) -> BTreeMap<u32, u64> {
        self.files("rtpdump").into_iter().map(|(ssrc, path)| (ssrc, packets_of_dump(&path, ssrc))).collect()
    }

    /// Messages and bytes of each channel and direction.
    fn messages(&self) -> BTreeMap<(String, String), (u64, u64)> {
        let directory = self.folder.path().join("out/call1-data");
        let mut messages: BTreeMap<_, (u64, u64)> = BTreeMap::new();
        for entry in list(&json(&directory.join("index.json"))) {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            let count = messages.entry((text("label"), text("direction"))).or_default();
            count.0 += 1;
            count.1 += unsigned(&entry["length"]);
            let file = fs::metadata(directory.join(text("file"))).unwrap().len();
            assert!(file >= unsigned(&entry["offset"]) + unsigned(&entry["length"]));
        }
        messages
    }
}

/// Reads a file of rtptools: all packets of it must be RTP of this SSRC.
fn packets_of_dump(path: &Path, ssrc: u32) -> u64 {
    let bytes = fs::read(path).unwrap();
    let start = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    assert!(bytes.starts_with(b"#!rtpplay1.0 "));
    let (mut rest, mut count) = (&bytes[start + 1 + 16..], 0);
    while !rest.is_empty() {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        assert_eq!(rest[8] >> 6, 2);
        assert_eq!(rest[16..20], ssrc.to_be_bytes());
        (rest, count) = (&rest[length..], count + 1);
    }
    count
}

/// What another program says of a file; `None` where it is not installed.
fn other_program(program: &str, arguments: &[&str], file: &Path) -> Option<Output> {
    match Command::new(program).args(arguments).arg(file).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: {program} does not run here: {error}");
            None
        }
    }
}

/// Seconds, and packets or frames, as ffprobe counts them.
fn probe(file: &Path) -> Option<(f64, u64)> {
    let entries = "stream=nb_read_packets:format=duration";
    let arguments = ["-v", "error", "-count_packets", "-show_entries", entries, "-of", "json"];
    let output = other_program("ffprobe", &arguments, file)?;
    assert!(output.stderr.is_empty(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    Some((number(&said["format"]["duration"]), number(&said["streams"][0]["nb_read_packets"]) as u64))
}

/// Frames in an IVF file, by their headers.
fn frames_of_ivf(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes[..4], *b"DKIF");
    let (mut rest, mut count) = (&bytes[32..], 0);
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        (rest, count) = (&rest[12 + length..], count + 1);
    }
    count
}

/// Sound lasts as long as it was sent, and other programs take it.
fn check_sound(file: &Path, seconds: f64) {
    if let Some((duration, _)) = probe(file) {
        assert!((duration - seconds).abs() < 0.1, "{}: {duration} s instead of {seconds}", file.display());
    }
    if file.extension().is_some_and(|extension| extension == "opus")
        && let Some(output) = other_program("opusinfo", &[], file)
    {
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("WARNING"), "{}: {said}", file.display());
    }
}

/// Pictures decode without a complaint.
fn check_pictures(file: &Path, frames: u64) {
    assert_eq!(frames_of_ivf(file), frames, "{}", file.display());
    if let Some((_, packets)) = probe(file) {
        assert_eq!(packets, frames);
    }
    let Some(output) = other_program("ffmpeg", &["-v", "error", "-f", "null", "/dev/null", "-i"], file) else { return };
    // Pictures that stand closer than ffmpeg's guess of a frame rate are no fault of them.
    let said = String::from_utf8_lossy(&output.stderr);
    let mut complaints = said.lines().filter(|line| !line.trim().is_empty() && !line.contains("dts to muxer"));
    assert_eq!(complaints.next(), None, "{}", file.display());
}

/// Wireshark takes the capture in clear: so many RTP packets, RTCP and SCTP, and nothing malformed among what was opened.
fn check_clear(capture: &Path, rtp: u64) {
    let heuristics = ["--enable-heuristic", "rtp_udp", "--enable-heuristic", "rtcp_udp"];
    let fields = ["rtp.p_type", "_ws.malformed", "frame.protocols"].map(|field| ["-e", field]);
    let apart = ["-o", "sdp.establish_conversation:FALSE", "-Y", "frame.comment", "-T", "fields"];
    let arguments = [&heuristics[..], &apart, fields.as_flattened(), &["-r"]].concat();
    let Some(output) = other_program("tshark", &arguments, capture) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    let packets: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let malformed = packets.iter().find(|packet| !packet[1].is_empty());
    assert_eq!(malformed, None, "{}", capture.display());
    assert_eq!(packets.iter().filter(|packet| !packet[0].is_empty()).count() as u64, rtp);
    for protocol in ["rtcp", "sctp"] {
        assert!(packets.iter().any(|packet| packet[2].split(':').any(|one| one == protocol)), "{protocol}");
    }
}

/// Calls of aiortc: the peers logged each packet in clear.
#[test]
fn calls_of_aiortc() {
    let Some(captures) = frames::captures() else { return };
    for name in ["aiortc-sha1-clean", "aiortc-gcm128", "aiortc-turn-udp", "chromium-aiortc"] {
        let call = captures.join("labb").join(name);
        let extraction = Extraction::with_all(&call);
        let truth = json(&call.join("truth.json"));
        let peer = &truth["peers"]["B"];
        let dumped = extraction.dumped();
        let checked = json(&call.join("keycheck.json"));
        let authentic = unsigned(&checked["counts"]["srtp ok"]);
        assert_eq!(dumped.values().sum::<u64>(), authentic, "{name}");
        let is_lossless = name != "aiortc-turn-udp";
        for stream in list(&peer["rtp"]).iter().filter(|_| is_lossless) {
            let ssrc = hex_number(&stream["ssrc"]);
            assert_eq!(dumped.get(&ssrc), Some(&unsigned(&stream["unique"])), "{name} {ssrc:08x}");
        }
        let (sound, pictures) = (extraction.files("opus"), extraction.files("ivf"));
        assert_eq!((sound.len(), pictures.len()), (2, 2), "{name}");
        // Both send a packet of Opus each 20 ms.
        sound.iter().for_each(|(ssrc, file)| check_sound(file, dumped[ssrc] as f64 * 0.02));
        pictures.values().for_each(|file| check_pictures(file, frames_of_ivf(file)));
        let messages = extraction.messages();
        for (label, channel) in peer["data_channels"]["0"].as_object().unwrap() {
            let of = |what: &str| unsigned(&channel[what]);
            let mut expected = [(of("sent"), of("sent_bytes")), (of("received"), of("received_bytes"))];
            let ours = messages.iter().filter(|((known, _), _)| known == label).map(|(_, count)| *count);
            let mut ours: Vec<_> = ours.collect();
            expected.sort_unstable();
            ours.sort_unstable();
            assert_eq!(ours, expected, "{name} {label}");
        }
        check_clear(&extraction.clear(), authentic);
    }
}

/// Calls of browsers, DTLS 1.3 and 1.2: getStats tells frames and messages, the key check which packets authenticate.
#[test]
fn calls_of_browsers() {
    let Some(captures) = frames::captures() else { return };
    for name in ["firefox-av-lossy", "chromium-firefox-av", "firefox-dtls12"] {
        let call = captures.join("lab").join(name);
        let extraction = Extraction::with_all(&call);
        let dumped = extraction.dumped();
        let mut authentic = 0;
        for (stream, count) in json(&call.join("keycheck.json"))["srtp"].as_object().unwrap() {
            let ssrc = u32::from_str_radix(stream.split(' ').nth(1).unwrap(), 16).unwrap();
            assert_eq!(dumped.get(&ssrc), Some(&unsigned(count)), "{name} {stream}");
            authentic += unsigned(count);
        }
        check_clear(&extraction.clear(), authentic);
        let (sound, pictures) = (extraction.files("opus"), extraction.files("ivf"));
        assert_eq!((sound.len(), pictures.len()), (2, 2), "{name}");
        for stream in list(&json(&call.join("truth.json"))["streams"]) {
            let ssrc = hex_number(&stream["ssrc"]);
            let seen = &stream["at_A"];
            if let Some(file) = sound.get(&ssrc) {
                check_sound(file, unsigned(&seen["span"]) as f64 * 0.02);
            }
        }
        // What A received it decoded, and what it sent it encoded: all that the tap beside it sees.
        let last = common::json_lines(&call.join("peerA.stats.jsonl.gz")).pop().unwrap();
        let reports = reports(&last["stats"]);
        let frames = reports.iter().filter(|report| report["kind"] == "video").filter_map(|report| {
            let ssrc = u32::try_from(report["ssrc"].as_u64()?).unwrap();
            Some((ssrc, report["framesEncoded"].as_u64().or(report["framesDecoded"].as_u64())?))
        });
        for (ssrc, frames) in frames {
            let Some(file) = pictures.get(&ssrc) else { continue };
            let ours = frames_of_ivf(file);
            // The last report is from before the end, and frames that came too late are not decoded.
            assert!(ours.abs_diff(frames) <= 5, "{name} {ssrc:08x}: {ours} frames, {frames} by getStats");
            check_pictures(file, ours);
        }
        let messages = extraction.messages();
        for report in reports.iter().filter(|report| report["type"] == "data-channel") {
            let ours = messages.iter().filter(|((label, _), _)| report["label"] == label.as_str());
            let ours: u64 = ours.map(|(_, count)| count.0).sum();
            let told = unsigned(&report["messagesSent"]) + unsigned(&report["messagesReceived"]);
            assert!((told..=told + 2).contains(&ours), "{name} {}: {ours}, {told} by getStats", report["label"]);
        }
    }
}

/// The reports of a getStats, be they a list or a map.
fn reports(stats: &Value) -> Vec<&Value> {
    match stats {
        Value::Array(reports) => reports.iter().collect(),
        other => other.as_object().unwrap().values().collect(),
    }
}

/// Keys of SDP: given beside the capture, and in its SIP.
#[test]
fn keys_of_descriptions() {
    let Some(captures) = frames::captures() else { return };
    let call = captures.join("labb/gst-srtp-sha1-32");
    let session = call.join("sessionA.sdp").to_str().unwrap().to_owned();
    let given = Extraction::of(&call, &["--sdp", &session, "--rtpdump"]);
    given.succeeded();
    for stream in list(&json(&call.join("truth.json"))["streams_at_A"]) {
        let (ssrc, packets) = (hex_number(&stream["ssrc"]), unsigned(&stream["packets"]));
        assert_eq!(given.dumped()[&ssrc], packets);
        let file = &given.files("wav")[&ssrc];
        check_sound(file, packets as f64 * 0.02);
        // A tone of 440 Hz: it crosses zero 880 times a second.
        let bytes = fs::read(file).unwrap();
        let samples: Vec<i16> =
            bytes[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        let crossings = samples.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count() as f64;
        let seconds = samples.len() as f64 / 8000.0;
        assert!((crossings / seconds - 880.0).abs() < 5.0, "{} a second", crossings / seconds);
    }

    let call = captures.join("labb/sip-sdes-srtp");
    let signalled = Extraction::of(&call, &["--rtpdump"]);
    signalled.succeeded();
    for stream in list(&json(&call.join("truth.json"))["streams"]) {
        let (ssrc, packets) = (hex_number(&stream["ssrc"]), unsigned(&stream["packets"]));
        assert_eq!(signalled.dumped()[&ssrc], packets);
        check_sound(&signalled.files("wav")[&ssrc], packets as f64 * 0.02);
    }
}

/// A capture in clear has no keys in it where they are to be stripped, and they are there where not.
#[test]
fn keys_are_stripped() {
    let Some(captures) = frames::captures() else { return };
    let call = captures.join("labb/sip-sdes-srtp");
    let folder = tempfile::tempdir().unwrap();
    let holds_key = |strip: &[&str], name: &str| {
        let path = folder.path().join(name);
        let extraction = Extraction::of(&call, &[&["--pcapng", path.to_str().unwrap()], strip].concat());
        extraction.succeeded();
        // The key that the call's log has.
        let key = b"inline:3VgKC6ohSItPeE5qd8ZXFRzXJe8+cGseg6DnqAOF";
        fs::read(path).unwrap().windows(key.len()).any(|window| window == key)
    };
    assert!(holds_key(&[], "whole.pcapng"));
    assert!(!holds_key(&["--strip-secrets"], "stripped.pcapng"));
}

/// What cannot be opened is said in one sentence, leaves nothing behind, and never quotes a key.
#[test]
fn keys_that_do_not_fit() {
    let Some(captures) = frames::captures() else { return };
    let key = "AES_CM_128_HMAC_SHA1_80:3VgKC6ohSItPeE5qd8ZXFRzXJe8+cGseg6DnqAOF";
    let foreign = captures.join("labb/aiortc-cbc/keys.log").to_str().unwrap().to_owned();
    for (name, arguments, said) in [
        ("lab/firefox-av-lossy", &["--keylog", &foreign][..], "client random"),
        ("lab/firefox-av-lossy", &[], "no key: give --keylog"),
        ("labb/gst-srtp-sha1-32", &["--srtp-key", key], "no key fits"),
    ] {
        let extraction = Extraction::of(&captures.join(name), arguments);
        let stderr = String::from_utf8_lossy(&extraction.output.stderr);
        assert_eq!(extraction.output.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.contains(said) && stderr.lines().count() == 1, "{name}: {stderr}");
        assert!(!stderr.contains("3VgKC6ohS"), "{stderr}");
        assert!(extraction.output.stdout.is_empty());
        assert!(!extraction.folder.path().join("out").exists());
    }
}

/// What is there already is not replaced unasked.
#[test]
fn files_that_are_there_stay() {
    let Some(captures) = frames::captures() else { return };
    let capture = captures.join("labb/sip-pcmu/capture.pcapng");
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let out = folder.path().to_str().unwrap();
        let program = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
            .args(["extract", capture.to_str().unwrap(), "-o", out])
            .args(arguments)
            .output()
            .unwrap();
        (program.status.code(), String::from_utf8_lossy(&program.stderr).into_owned())
    };
    fs::write(folder.path().join("mine"), "mine").unwrap();
    let (status, said) = run(&[]);
    assert!(status == Some(2) && said.contains("--force"), "{said}");
    assert_eq!(run(&["--force"]).0, Some(0));
    assert_eq!(run(&["--force"]).0, Some(0));
    assert_eq!(fs::read(folder.path().join("mine")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}
