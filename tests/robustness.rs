//! Damaged captures: corrupted, cut at any byte, with any byte changed, and packets that were made to break things.
//! Each gives a report or a sentence, in bounded time and memory, and never a panic.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod analysis;
mod craft;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    analysis::{beginning, captures, lab, packets, samples, survives, written},
    craft::{Address, Container, DTLS, Random, SCTP, UDP, Writer, ice_check, ipv4, rtp, udp, udp_datagram},
};

/// Packets of a capture that is damaged as a whole.
const PACKETS: usize = 2000;

/// Packets of a capture that is damaged byte by byte, thousands of times.
const FEW_PACKETS: usize = 40;

/// Share of bytes that editcap changes.
const ERRORS: &str = "0.02";

#[test]
fn corrupted_captures() {
    if Command::new("editcap").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("skipped: editcap, which is part of Wireshark, is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let corrupted = folder.path().join("corrupted");
    let whole = folder.path().join("whole");
    for (at, path) in samples().into_iter().chain(lab()).enumerate() {
        // What editcap cannot write (secrets, a cut end) it need not read.
        let Some((link, mut packets)) = packets(&path) else { continue };
        packets.truncate(PACKETS);
        fs::write(&whole, written(Container::Pcapng, at % 2 == 0, link, &packets)).unwrap();
        for seed in ["1", "2"] {
            let editcap = Command::new("editcap")
                .args(["-E", ERRORS, "--seed", seed])
                .args([&whole, &corrupted])
                .output()
                .unwrap();
            assert!(editcap.status.success(), "{}", String::from_utf8_lossy(&editcap.stderr));
            survives(fs::read(&corrupted).unwrap(), || format!("{} corrupted with seed {seed}", path.display()));
        }
        if at % 8 == 0 {
            runs(&corrupted, &format!("{} corrupted", path.display()));
        }
    }
}

#[test]
fn corrupted_containers() {
    let mut random = Random(3);
    for path in samples() {
        let whole = fs::read(&path).unwrap();
        for round in 0..12 {
            let mut damaged = whole.clone();
            for _ in 0..damaged.len() / 50 {
                let at = random.below(damaged.len());
                damaged[at] = random.number() as u8;
            }
            survives(damaged, || format!("{} damaged all over, round {round}", path.display()));
        }
    }
}

#[test]
fn every_prefix_of_the_beginnings() {
    for path in samples().into_iter().step_by(2) {
        let whole = beginning(&path, FEW_PACKETS / 4);
        for length in 0..whole.len() {
            survives(whole[..length].to_vec(), || format!("the first {length} bytes of {}", path.display()));
        }
    }
}

#[test]
fn prefixes() {
    let mut random = Random(5);
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut");
    for path in samples() {
        let whole = fs::read(&path).unwrap();
        for _ in 0..100 {
            let length = random.below(whole.len());
            survives(whole[..length].to_vec(), || format!("the first {length} bytes of {}", path.display()));
        }
        for length in [0, 1, 4, 23, 24, 25, random.below(whole.len())] {
            fs::write(&cut, &whole[..length]).unwrap();
            runs(&cut, &format!("the first {length} bytes of {}", path.display()));
        }
    }
}

#[test]
fn flipped_bytes() {
    let mut random = Random(7);
    let folder = tempfile::tempdir().unwrap();
    let flipped = folder.path().join("flipped");
    for path in samples() {
        let whole = beginning(&path, FEW_PACKETS);
        for round in 0..600 {
            let (at, flip) = (random.below(whole.len()), random.number() as u8 | 1);
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            if round % 150 == 0 {
                fs::write(&flipped, &damaged).unwrap();
                runs(&flipped, &format!("byte {at} of {} flipped by {flip:#04x}", path.display()));
            }
            survives(damaged, || format!("byte {at} of {} flipped by {flip:#04x}", path.display()));
        }
    }
}

/// Payloads that broke other programs, alone and in the middle of a call, whole and cut.
#[test]
fn payloads_made_to_break_things() {
    const HERE: Address = ([10, 0, 0, 1], 5004);
    const THERE: Address = ([10, 0, 0, 2], 5006);
    let Some(folder) = captures() else { return };
    let mut seeds: Vec<PathBuf> =
        fs::read_dir(folder.join("public/raw_seeds")).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() > 100);
    let mut random = Random(11);
    let mut together = Writer::raw();
    for seed in &seeds {
        let payload: Vec<u8> = fs::read(seed).unwrap().into_iter().take(65_000).collect();
        let mut alone = Writer::raw();
        alone.packet(1, &udp(HERE, THERE, &payload));
        alone.packet(2, &udp(THERE, HERE, &payload));
        survives(alone.bytes, || format!("{} alone", seed.display()));
        let mut flipped = payload.clone();
        for round in 0..20 {
            let mut call = Writer::raw();
            call.packet(1, &udp(HERE, THERE, &ice_check()));
            call.packet(2, &udp(THERE, HERE, &DTLS));
            for number in 0..4 {
                call.packet(
                    3 + i64::from(number) * 20_000_000,
                    &udp(HERE, THERE, &rtp(7, number, 160 * u32::from(number), 160)),
                );
            }
            for (number, (from, to)) in (0..).zip([(HERE, THERE), (THERE, HERE), (HERE, THERE)]) {
                call.packet(90_000_000 + number, &udp(from, to, &flipped));
                let datagram = udp_datagram(9899, 9899, &flipped);
                call.packet(91_000_000 + number, &ipv4(UDP, from.0, to.0, &datagram));
                call.packet(92_000_000 + number, &ipv4(SCTP, from.0, to.0, &flipped));
                let cut = random.below(flipped.len());
                let snapped = udp(from, to, &flipped);
                call.snapped(93_000_000 + number, &snapped[..28 + cut], snapped.len() as u32);
            }
            survives(call.bytes, || format!("{} in a call, round {round}", seed.display()));
            flipped.clone_from(&payload);
            for _ in 0..=payload.len() / 100 {
                let at = random.below(payload.len());
                if let Some(byte) = flipped.get_mut(at) {
                    *byte = random.number() as u8;
                }
            }
        }
        together.packet(1, &udp(HERE, THERE, &payload));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seeds.pcap");
    fs::write(&path, &together.bytes).unwrap();
    runs(&path, "all seeds together");
}

/// Bytes of one protocol where another is expected.
#[test]
fn packets_of_random_bytes() {
    let mut random = Random(13);
    for path in samples() {
        let (link, packets) = packets(&path).unwrap();
        for round in 0..20 {
            let mut writer = Writer::new(Container::Pcap, false, link);
            for (nanos, packet, original) in packets.iter().take(300) {
                let mut packet = packet.clone();
                let kept = 14 + random.below(60);
                for byte in packet.iter_mut().skip(kept) {
                    if random.below(3) == 0 {
                        *byte = random.number() as u8;
                    }
                }
                // Time leaps by up to a century.
                let leap = if random.below(50) == 0 { random.number() as i64 >> 2 } else { 0 };
                writer.snapped(nanos.wrapping_add(leap), &packet, *original);
            }
            survives(writer.bytes, || format!("{} with random payloads, round {round}", path.display()));
        }
    }
}

/// Runs the command on a file: its status is one of those that it may have, its JSON is JSON, its memory is bounded.
fn runs(path: &Path, what: &str) {
    const PATIENCE: Duration = Duration::from_secs(5);
    /// Address space in KiB, threads' stacks and the file included.
    const MEMORY: &str = "2000000";
    let start = Instant::now();
    let output = Command::new("sh")
        .args(["-c", "ulimit -v $0 2>/dev/null; exec \"$@\"", MEMORY, env!("CARGO_BIN_EXE_rtcscope")])
        .args(["analyze", "--threads", "2", "--format", "json"])
        .arg(path)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(start.elapsed() < PATIENCE, "{what} took {:?}", start.elapsed());
    match output.status.code() {
        Some(0 | 1) => {
            let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(json["schemaVersion"], 1, "{what}");
            assert!(message.is_empty(), "{what}: {message}");
        }
        Some(2) => {
            assert!(output.stdout.is_empty(), "{what}");
            assert!(message.starts_with("rtcscope: ") && message.lines().count() == 1, "{what}: {message}");
        }
        code => panic!("{what}: status {code:?}, {message}"),
    }
}
