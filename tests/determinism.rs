//! The same packets give the same report, whatever they are stored in and however many threads look at them.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod analysis;
mod craft;

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    analysis::{captures, everything, json, lab, packets, report, report_of, samples, written},
    craft::Container,
};

/// Public captures with tunnels, fragments, VLANs, TCP, many flows and damage.
const PUBLIC: usize = 60;

#[test]
fn threads_change_nothing() {
    let public = captures().map(|folder| folder.join("public/captures"));
    let public = public.map_or_else(Vec::new, |folder| {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let every = (paths.len() / PUBLIC).max(1);
        paths.into_iter().step_by(every).filter(|path| is_capture(path)).collect()
    });
    for path in samples().into_iter().chain(lab()).chain(public) {
        let alone = everything(&report_of(std::slice::from_ref(&path), 1));
        for threads in [2, 5] {
            let together = everything(&report_of(std::slice::from_ref(&path), threads));
            assert!(alone == together, "{} with {threads} threads", path.display());
        }
    }
}

#[test]
fn threads_change_nothing_in_what_the_command_prints() {
    for path in samples() {
        for format in ["text", "json", "ndjson"] {
            let [one, two, five] = ["1", "2", "5"].map(|threads| {
                let path = path.to_str().unwrap();
                rtcscope(&["analyze", "--threads", threads, "--format", format, path], Stdio::null())
            });
            assert!(!one.is_empty() && one == two && two == five, "{} as {format}", path.display());
        }
    }
}

#[test]
fn containers_and_compression_change_nothing() {
    let lab = lab().into_iter().filter(|path| fs::metadata(path).unwrap().len() < 1 << 20).step_by(3);
    for path in samples().into_iter().chain(lab) {
        let Some((link, packets)) = packets(&path) else { continue };
        let mut first = None;
        for (container, big) in
            [(Container::Pcap, false), (Container::Pcap, true), (Container::Pcapng, false), (Container::Pcapng, true)]
        {
            let plain = written(container, big, link, &packets);
            let forms = [gzipped(&plain), zstd::encode_all(plain.as_slice(), 1).unwrap(), plain];
            for bytes in forms {
                let mut json = json(&report(bytes).unwrap());
                json["captures"][0]["format"] = Value::Null;
                let first = first.get_or_insert_with(|| json.clone());
                assert!(*first == json, "{} as {container:?}, big-endian: {big}", path.display());
            }
        }
    }
}

#[test]
fn standard_input_is_as_good_as_a_file() {
    for path in samples() {
        let name = path.to_str().unwrap();
        let from_file = rtcscope(&["analyze", "--format", "json", name], Stdio::null());
        let from_input = rtcscope(&["analyze", "--format", "json", "-"], File::open(&path).unwrap().into());
        assert_eq!(from_file.replace(name, "-"), from_input, "{name}");
    }
}

#[test]
fn two_halves_are_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    for path in samples() {
        let (link, packets) = packets(&path).unwrap();
        for share in [3, 2] {
            let middle = packets.len() / share;
            let halves = [("first", &packets[..middle]), ("second", &packets[middle..])].map(|(name, half)| {
                let path = folder.path().join(name);
                fs::write(&path, written(Container::Pcap, false, link, half)).unwrap();
                path
            });
            let whole_path = folder.path().join("whole");
            fs::write(&whole_path, written(Container::Pcap, false, link, &packets)).unwrap();
            let whole = json(&report_of(&[whole_path], 2));
            let mut parts = json(&report_of(&halves, 2));
            // The order in which files are given is no order in time.
            let mut swapped = json(&report_of(&[halves[1].clone(), halves[0].clone()], 2));
            join_packet_numbers(&mut parts, &[0, middle as u64]);
            join_packet_numbers(&mut swapped, &[middle as u64, 0]);
            for part in ["sessions", "otherFlows"] {
                assert_eq!(whole[part], parts[part], "{} split at {middle}", path.display());
                assert_eq!(whole[part], swapped[part], "{} split at {middle}, swapped", path.display());
            }
        }
    }
}

/// `2:17` becomes the number that the packet has in the whole.
fn join_packet_numbers(json: &mut Value, before: &[u64]) {
    match json {
        Value::Array(values) => values.iter_mut().for_each(|value| join_packet_numbers(value, before)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Array(values) if name.ends_with("Packets") => {
                        values.iter_mut().for_each(|value| join_packet_number(value, before));
                    }
                    Value::String(_) if is_packet(name) => join_packet_number(value, before),
                    _ => join_packet_numbers(value, before),
                }
            }
        }
        _ => {}
    }
}

fn join_packet_number(value: &mut Value, before: &[u64]) {
    let (file, number) = value.as_str().and_then(|text| text.split_once(':')).unwrap();
    let file: usize = file.parse().unwrap();
    *value = Value::from(before[file - 1] + number.parse::<u64>().unwrap());
}

/// Whether a field of that name cites a packet.
fn is_packet(name: &str) -> bool {
    name == "packet" || name.ends_with("Packet") || matches!(name, "firstRequest" | "firstResponse")
}

fn is_capture(path: &Path) -> bool {
    rtcscope::capture::Capture::open(&[path.to_owned()], &rtcscope::capture::Options::default()).is_ok()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What the command prints.
fn rtcscope(arguments: &[&str], input: Stdio) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rtcscope")).args(arguments).stdin(input).output().unwrap();
    if !matches!(output.status.code(), Some(0 | 1)) {
        panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).unwrap()
}
