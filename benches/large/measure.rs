//! Runs a program and tells how long it took and how much memory of its own it had.

use std::{
    fs, io,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// One run of a program.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub seconds: f64,
    /// The most memory beyond mapped files that was seen, in KiB; `None` where there is no `/proc`.
    pub own_memory: Option<u64>,
}

/// Runs a program to its end; `None` when it is not installed.
///
/// # Errors
/// When it cannot be waited for or fails.
pub fn run(command: &mut Command) -> io::Result<Option<Run>> {
    let start = Instant::now();
    let mut child = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (id, ended) = (child.id(), AtomicBool::new(false));
    let (status, seconds, own_memory) = thread::scope(|scope| {
        let watch = scope.spawn(|| watch(id, &ended));
        let status = child.wait();
        let seconds = start.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        (status, seconds, watch.join().ok().flatten())
    });
    // 1 is a verdict: the calls of the capture have faults.
    match status?.code() {
        Some(0 | 1) => Ok(Some(Run { seconds, own_memory })),
        _ => Err(io::Error::other(format!("{command:?} failed"))),
    }
}

fn watch(process: u32, ended: &AtomicBool) -> Option<u64> {
    let mut most = None;
    while !ended.load(Ordering::Relaxed) {
        most = most.max(own_memory(process));
        thread::sleep(Duration::from_millis(5));
    }
    most
}

/// Anonymous resident memory (`RssAnon` of proc(5)) in KiB: heap and stacks, without the pages of mapped files.
fn own_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// The median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
