//! rtcscope beside `capinfos` and `tshark` on a large capture of its own making: `cargo bench --bench compare`.
//!
//! The capture is generated into the target folder, once. What rtcscope says of its streams must be the truth; then the
//! programs run in turn, several rounds, from the page cache. Environment:
//!
//! * `RTCSCOPE_BENCH_CALLS`, `RTCSCOPE_BENCH_PACKETS`: another capture (200 calls, 4,000,000 packets of 3 GB).
//! * `RTCSCOPE_BENCH_ROUNDS`: rounds (5).
//! * `RTCSCOPE_BENCH_TEN_TIMES=1`: shows that memory does not grow, on a file ten times as long (30 GB, removed again).
//! * `RTCSCOPE_BENCH_GENERATE_ONLY=1`: prints where the capture is, and no more.

mod large;

use std::{collections::BTreeMap, fs, io, path::Path, process::Command};

use anyhow::{Context, bail};
use serde_json::Value;

use large::{
    generate::{Generated, Parameters, Truth, generate},
    measure::{Run, median, run},
};

fn main() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let defaults = Parameters::default();
    let parameters = Parameters {
        calls: setting("CALLS")?.unwrap_or(u64::from(defaults.calls)) as u32,
        packets: setting("PACKETS")?.unwrap_or(defaults.packets),
        ..defaults
    };
    let rounds = setting("ROUNDS")?.unwrap_or(5).max(1);
    let whole = generate(folder, parameters)?;
    describe(&whole);
    if setting("GENERATE_ONLY")?.is_some() {
        return Ok(());
    }
    check(&whole, folder)?;
    compare("capinfos", &whole, rounds, capinfos)?;
    // Half a minute and a gigabyte: once must do.
    compare("tshark", &whole, 1, tshark)?;
    if setting("TEN_TIMES")?.is_some() {
        let long = generate(folder, Parameters { packets: parameters.packets * 10, ..parameters })?;
        describe(&long);
        let result = run(&mut rtcscope(&long.path));
        fs::remove_file(&long.path)?;
        print("rtcscope", &long, &[result?.context("rtcscope is gone")?]);
    }
    Ok(())
}

fn setting(name: &str) -> anyhow::Result<Option<u64>> {
    let name = format!("RTCSCOPE_BENCH_{name}");
    let Some(value) = std::env::var_os(&name) else { return Ok(None) };
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.map(Some).with_context(|| format!("{name} is not a number"))
}

fn describe(generated: &Generated) {
    println!(
        "\n{}: {} packets, {:.2} GB, {} RTP streams",
        generated.path.display(),
        generated.truth.packets,
        generated.truth.bytes as f64 / 1e9,
        generated.truth.streams.len()
    );
}

fn rtcscope(path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtcscope"));
    command.args(["analyze", "--format", "json", "-o", "/dev/null"]).arg(path);
    command
}

fn capinfos(path: &Path) -> Command {
    let mut command = Command::new("capinfos");
    command.arg("-c").arg(path);
    command
}

fn tshark(path: &Path) -> Command {
    let mut command = Command::new("tshark");
    command.args(["-q", "-o", "rtp.heuristic_rtp:TRUE", "-z", "rtp,streams", "-r"]).arg(path);
    command
}

/// Runs rtcscope and another program in turn, so that what disturbs the machine disturbs both.
fn compare(name: &str, generated: &Generated, rounds: u64, other: fn(&Path) -> Command) -> anyhow::Result<()> {
    // The whole file into the page cache.
    io::copy(&mut fs::File::open(&generated.path)?, &mut io::sink())?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(run(&mut rtcscope(&generated.path))?.context("rtcscope is gone")?);
        theirs.extend(run(&mut other(&generated.path))?);
    }
    let our_time = print("rtcscope", generated, &ours);
    if theirs.is_empty() {
        println!("  {name:<10} is not installed: not compared");
        return Ok(());
    }
    let their_time = print(name, generated, &theirs);
    println!("  {name} takes {:.2} times as long as rtcscope", their_time / our_time);
    Ok(())
}

/// Prints what was measured of a program; returns its median time.
fn print(name: &str, generated: &Generated, runs: &[Run]) -> f64 {
    let seconds = median(runs.iter().map(|run| run.seconds).collect());
    let rate = generated.truth.packets as f64 / seconds / 1e6;
    let memory = runs.iter().filter_map(|run| run.own_memory).max();
    let memory =
        memory.map_or(String::new(), |kib| format!(", {:.1} MB beyond the mapped file", kib as f64 / 1e3 * 1.024));
    println!("  {name:<10} {seconds:>8.3} s (median of {}), {rate:>7.3} M packets/s{memory}", runs.len());
    seconds
}

/// Whether rtcscope finds every stream with its counts, and no other.
fn check(generated: &Generated, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join("large-report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
        .args(["analyze", "--format", "json", "-o"])
        .args([&path, &generated.path])
        .output()?;
    if !matches!(output.status.code(), Some(0 | 1)) {
        bail!("rtcscope failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let report: Value = serde_json::from_slice(&fs::read(&path)?)?;
    fs::remove_file(path)?;
    let mut found = BTreeMap::new();
    for stream in array(&report, "sessions").flat_map(|session| array(&session["communicating"], "rtpStreams")) {
        let number = |name: &str| stream[name].as_u64().unwrap_or(u64::MAX);
        let counts = ["packetsReceived", "packetsLost", "packetsDuplicated", "packetsReordered"].map(number);
        found.insert(number("ssrc"), counts);
    }
    let counts = |truth: &Truth| [truth.packets, truth.lost, truth.duplicated, truth.reordered];
    let wrong: Vec<_> = (generated.truth.streams.iter())
        .filter(|truth| found.remove(&u64::from(truth.ssrc)) != Some(counts(truth)))
        .collect();
    if let Some(first) = wrong.first() {
        bail!(
            "{} of {} streams are not as generated, the first: {first:?}",
            wrong.len(),
            generated.truth.streams.len()
        );
    }
    if !found.is_empty() {
        bail!("{} streams were invented", found.len());
    }
    println!("  rtcscope counts every stream as generated");
    Ok(())
}

fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value[name].as_array().into_iter().flatten()
}
