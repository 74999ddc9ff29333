//! What the truth tests share: running the real program, an independent reader, and a list of all deviations.
#![allow(dead_code, reason = "each test crate uses its part")]
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

pub mod frames;
pub mod rtp;

use std::{
    ffi::OsStr,
    fmt::{Debug, Display},
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::Value;

/// No capture of the collection may take longer, even in a debug build.
const LONGEST: Duration = Duration::from_secs(10);

/// What the program made of a file.
pub struct Run {
    pub status: i32,
    pub report: Value,
    pub stderr: String,
}

/// Runs `rtcscope analyze --format json`.
pub fn analyze(path: &Path) -> Run {
    analyze_with(&[], path)
}

/// The same with a key log.
pub fn analyze_keyed(path: &Path, keys: Option<&Path>) -> Run {
    let arguments = keys.map(|keys| ["--keylog".as_ref(), keys.as_os_str()]);
    analyze_with(arguments.as_ref().map_or(&[][..], |arguments| arguments), path)
}

/// The same with more arguments.
pub fn analyze_with(arguments: &[&OsStr], path: &Path) -> Run {
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
        .args(["analyze", "--format", "json"])
        .args(arguments)
        .arg(path)
        .output()
        .expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{}: {stderr}", path.display());
    assert!(started.elapsed() < LONGEST, "{}: took {:?}", path.display(), started.elapsed());
    let status = output.status.code().unwrap_or_else(|| panic!("{}: killed: {stderr}", path.display()));
    let report = if output.stdout.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    };
    Run { status, report, stderr }
}

impl Run {
    pub fn sessions(&self) -> impl Iterator<Item = &Value> {
        self.report["sessions"].as_array().into_iter().flatten()
    }

    /// The RTP streams of all sessions.
    pub fn streams(&self) -> Vec<&Value> {
        self.sessions()
            .flat_map(|session| session["communicating"]["rtpStreams"].as_array().into_iter().flatten())
            .collect()
    }

    pub fn other_flows(&self) -> impl Iterator<Item = &Value> {
        self.report["otherFlows"].as_array().into_iter().flatten()
    }

    /// Sums a map of counts at `pointer` over all sessions.
    pub fn counts(&self, pointer: &str) -> std::collections::BTreeMap<String, u64> {
        let mut counts = std::collections::BTreeMap::new();
        for (name, count) in self.sessions().filter_map(|session| session.pointer(pointer)?.as_object()).flatten() {
            *counts.entry(name.clone()).or_default() += count.as_u64().unwrap_or_default();
        }
        counts
    }

    /// Sums a number at `pointer` over all sessions.
    pub fn sum(&self, pointer: &str) -> u64 {
        self.sessions().filter_map(|session| session.pointer(pointer)?.as_u64()).sum()
    }
}

/// All that deviates from the truth, so that one run shows everything.
#[derive(Default)]
pub struct Checks {
    place: String,
    deviations: Vec<String>,
    count: u64,
}

impl Checks {
    pub fn at(&mut self, place: impl Display) {
        self.place = place.to_string();
    }

    pub fn note(&mut self, text: impl Display) {
        self.deviations.push(format!("{}: {text}", self.place));
    }

    pub fn equal<T: Debug + PartialEq<U>, U: Debug>(&mut self, what: impl Display, ours: T, truth: U) {
        self.count += 1;
        if ours != truth {
            self.note(format!("{what}: {ours:?}, truth {truth:?}"));
        }
    }

    pub fn holds(&mut self, what: impl Display, holds: bool) {
        self.count += 1;
        if !holds {
            self.note(what);
        }
    }

    /// `ours` is within `relative` of the truth, or within `absolute`.
    pub fn near(&mut self, what: impl Display, ours: impl Into<Option<f64>>, truth: f64, relative: f64, absolute: f64) {
        self.count += 1;
        let ours = ours.into();
        if ours.is_none_or(|ours| (ours - truth).abs() > (truth.abs() * relative).max(absolute)) {
            self.note(format!("{what}: {ours:?}, truth {truth}"));
        }
    }
}

/// A deviation that is understood: the start of its line, and why the truth is not followed.
pub type Known = (&'static str, &'static str);

/// Checks all `items` on two threads. Fails with every deviation that is not known, and with every known one that is gone.
pub fn check_all<T: Sync>(items: &[T], known: &[Known], check: impl Fn(&T, &mut Checks) + Sync) {
    // No captures: the reader of the folder has said so.
    if items.is_empty() {
        return;
    }
    let next = Mutex::new(items.iter());
    let work = || {
        let mut checks = Checks::default();
        loop {
            let Some(item) = next.lock().unwrap().next() else { return checks };
            check(item, &mut checks);
        }
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        (work(), other.join().expect("the other half"))
    });
    let (mut unknown, mut met) = (Vec::new(), vec![false; known.len()]);
    for line in one.deviations.iter().chain(&other.deviations) {
        match known.iter().position(|(start, _)| line.starts_with(start)) {
            Some(index) => met[index] = true,
            None => unknown.push(line.as_str()),
        }
    }
    let gone = known.iter().zip(met).filter(|(_, met)| !met).map(|((start, _), _)| *start);
    let gone: Vec<_> = gone.collect();
    eprintln!("{} checks, {} known deviations", one.count + other.count, known.len() - gone.len());
    unknown.sort_unstable();
    assert!(unknown.is_empty(), "{} deviations:\n{}", unknown.len(), unknown.join("\n"));
    assert!(gone.is_empty(), "no longer deviates:\n{}", gone.join("\n"));
}

/// The folders in `folder`, by name.
pub fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

pub fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// A JSON file.
pub fn json(path: &Path) -> Value {
    serde_json::from_str(&frames::text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of JSON lines, gzipped or not; none where there is no file.
pub fn json_lines(path: &Path) -> Vec<Value> {
    let packed = PathBuf::from(format!("{}.gz", path.display()));
    let Some(path) = [path.to_owned(), packed].into_iter().find(|path| path.exists()) else { return Vec::new() };
    frames::text(&path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `"0x1f"` as a number.
pub fn hex_number(value: &Value) -> u32 {
    u32::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

pub fn unsigned(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a count: {value}"))
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// Holds every stream of the report against its packets, counted and timed once more.
pub fn streams_counted_again(
    run: &Run,
    packets: &std::collections::BTreeMap<rtp::Key, Vec<rtp::Packet>>,
    checks: &mut Checks,
) {
    for stream in run.streams() {
        let end = |end: &Value| end.as_str()?.parse().ok();
        let ssrc = unsigned(&stream["ssrc"]);
        let key = end(&stream["source"])
            .zip(end(&stream["destination"]))
            .map(|(source, destination)| (ssrc as u32, source, destination));
        let Some(packets) = key.and_then(|key| packets.get(&key)) else {
            checks.note(format!("{ssrc:#x} not found by the reader"));
            continue;
        };
        let get = |field: &str| unsigned(&stream[field]);
        let ours = rtp::Numbers {
            packets: get("packetsReceived"),
            unique: get("packetsReceived") - get("packetsDuplicated"),
            expected: get("packetsExpected"),
            reordered: get("packetsReordered"),
            bursts: ["1", "2", "3-5", "6-10", "more"].map(|class| unsigned(&stream["lossBursts"][class])),
            longest: get("longestLossBurst"),
            wraps: get("sequenceWraps"),
        };
        checks.equal(format!("{ssrc:#x} sequence"), ours, rtp::numbers(packets));
        checks.equal(
            format!("{ssrc:#x} lost"),
            get("packetsLost") + get("packetsReceived"),
            get("packetsExpected") + get("packetsDuplicated"),
        );
        checks.equal(format!("{ssrc:#x} restarts"), get("restarts"), 0);
        let markers = packets.iter().filter(|packet| packet.marker).count() as u64;
        checks.equal(format!("{ssrc:#x} markers"), get("markerPackets"), markers);
        checks.equal(format!("{ssrc:#x} first number"), get("firstSequenceNumber"), u64::from(packets[0].sequence));
        checks.equal(format!("{ssrc:#x} first packet"), get("firstPacket"), packets[0].number);
        checks.equal(format!("{ssrc:#x} last packet"), get("lastPacket"), packets.last().unwrap().number);
        let span = (packets.last().unwrap().nanos - packets[0].nanos) as f64 / 1e9;
        checks.near(format!("{ssrc:#x} duration"), stream["duration"].as_f64(), span, 0.0, 1e-6);
        let bytes: u64 = packets.iter().map(|packet| packet.length as u64).sum();
        checks.equal(format!("{ssrc:#x} bytes"), get("bytesReceived") + get("headerBytesReceived"), bytes);
        let Some(rate) = stream["clockRate"].as_f64().filter(|_| !stream["jitter"].is_null()) else { continue };
        // Beside a static payload type, those of unknown clock are not timed.
        let is_static = |packet: &rtp::Packet| packet.payload_type < 35;
        let mixed = is_static(&packets[0]) && !packets.iter().all(is_static);
        // A jump of the timestamp against the clock is counted, and is no jitter.
        if !mixed && get("timestampJumps") == 0 {
            let (last, mean, highest) = rtp::jitter(packets, rate);
            for (field, truth) in [("jitter", last), ("jitterMean", mean), ("jitterMax", highest)] {
                checks.near(format!("{ssrc:#x} {field}"), stream[field].as_f64(), truth, 0.01, 2e-6);
            }
        }
    }
}
