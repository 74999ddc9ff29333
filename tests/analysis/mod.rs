//! Analyses inside the test's own process, and where there are captures to analyze.
#![allow(dead_code, reason = "each test crate uses its part")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use rtcscope::{
    capture::{Batch, Capture, OpenError, Options},
    engine,
    report::{
        self,
        document::Report,
        json::write_json,
        text::{Details, TextOptions, write_text},
    },
    session,
};
use serde_json::Value;

use crate::craft::{Container, Writer};

/// The captures with known answers, which are not part of the repository.
pub fn captures() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let folder = std::env::var_os("RTCSCOPE_CAPTURES").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no captures in {}; set RTCSCOPE_CAPTURES", folder.display());
    None
}

/// The captures of this repository.
pub fn samples() -> Vec<PathBuf> {
    let samples = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples"));
    assert!(samples.len() >= 8, "samples are missing");
    samples
}

/// The captures of the lab.
pub fn lab() -> Vec<PathBuf> {
    let Some(folder) = captures() else { return Vec::new() };
    let scenarios = ["lab", "labb"].map(|part| fs::read_dir(folder.join(part)).unwrap());
    let mut lab: Vec<PathBuf> =
        scenarios.into_iter().flatten().flat_map(|entry| files(&entry.unwrap().path())).collect();
    lab.sort();
    assert!(lab.len() >= 60, "captures of the lab are missing");
    lab
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_capture = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".pcap"));
    let mut paths: Vec<PathBuf> = paths.filter(is_capture).collect();
    paths.sort();
    paths
}

/// A packet: time in nanoseconds, captured bytes, length on the wire.
pub type Packet = (i64, Vec<u8>, u32);

/// The packets of a capture of one interface, and its link type; `None` of others.
pub fn packets(path: &Path) -> Option<(u16, Vec<Packet>)> {
    let mut capture = Capture::open(&[path.to_owned()], &Options::default()).unwrap();
    let mut batch = Batch::default();
    let mut packets = Vec::new();
    while capture.fill(&mut batch, 4096).unwrap() {
        packets.extend(batch.frames.iter().map(|frame| (frame.time.0, batch.bytes(frame).to_vec(), frame.original)));
    }
    let [interface] = capture.interfaces() else { return None };
    Some((interface.link.0, packets))
}

/// Packets in a container.
pub fn written(container: Container, big: bool, link: u16, packets: &[Packet]) -> Vec<u8> {
    let mut writer = Writer::new(container, big, link);
    for (nanos, bytes, original) in packets {
        writer.snapped(*nanos, bytes, *original);
    }
    writer.bytes
}

/// The first packets of a capture as a pcap file.
pub fn beginning(path: &Path, count: usize) -> Vec<u8> {
    let (link, mut packets) = packets(path).unwrap();
    packets.truncate(count);
    written(Container::Pcap, false, link, &packets)
}

/// The report of a capture in memory.
pub fn report(bytes: Vec<u8>) -> Result<Report, OpenError> {
    let input = Box::new(Cursor::new(bytes));
    Ok(conclude(Capture::from_reader("capture", input, &Options::default())?, 1))
}

/// The report of files.
pub fn report_of(paths: &[PathBuf], threads: usize) -> Report {
    conclude(Capture::open(paths, &Options::default()).unwrap(), threads)
}

fn conclude(mut capture: Capture, threads: usize) -> Report {
    let analysis = engine::analyze(&mut capture, engine::Config::new(threads), |_| {}).unwrap();
    report::build(&analysis, &session::assemble(&analysis))
}

pub fn json(report: &Report) -> Value {
    let mut text = Vec::new();
    write_json(report, &mut text).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// All there is to say, for people and for programs.
pub fn everything(report: &Report) -> (String, String) {
    let (mut text, mut json) = (Vec::new(), Vec::new());
    write_text(report, &TextOptions { details: Details::All, ..TextOptions::default() }, &mut text).unwrap();
    write_json(report, &mut json).unwrap();
    (String::from_utf8(text).unwrap(), String::from_utf8(json).unwrap())
}

/// Analyzes and writes a report of bytes that may be anything.
///
/// # Panics
/// If the analysis does, or if it takes longer than five seconds.
pub fn survives(bytes: Vec<u8>, what: impl FnOnce() -> String) {
    const PATIENCE: Duration = Duration::from_secs(5);
    let (sender, receiver) = mpsc::channel();
    let analysis = thread::spawn(move || {
        if let Ok(report) = report(bytes) {
            everything(&report);
        }
        // Nobody listens once it took too long.
        let _ = sender.send(());
    });
    let outcome = receiver.recv_timeout(PATIENCE);
    assert!(!matches!(outcome, Err(mpsc::RecvTimeoutError::Timeout)), "over {PATIENCE:?}: {}", what());
    assert!(analysis.join().is_ok(), "panicked: {}", what());
}
