//! Writes the capture: the events of all calls in order of time, and what they lead to.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use super::rtp::Truth;
use super::{
    call::{Call, Effect, Packet},
    network::HEADERS,
    random::Random,
};

/// What to generate. The same parameters give the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// Calls that run at the same time.
    pub calls: u32,
    /// Packets in all: with the number of calls, this says how long they last.
    pub packets: u64,
    /// Payload bytes of a full video packet.
    pub video_payload: u16,
    /// The seed of all chance.
    pub seed: u64,
}

impl Default for Parameters {
    /// 3 GB of 200 calls.
    fn default() -> Self {
        Self { calls: 200, packets: 4_000_000, video_payload: 1160, seed: 0x5eed }
    }
}

/// A generated capture.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The pcap file.
    pub path: PathBuf,
    /// What is in it.
    pub truth: Capture,
}

/// What is in a generated capture.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Capture {
    /// Packets of any kind.
    pub packets: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// RTP streams of which anything was captured.
    pub streams: Vec<Truth>,
}

/// Generates the capture in `folder`, unless it is there from an earlier run.
///
/// # Errors
/// When the file cannot be written.
pub fn generate(folder: &Path, parameters: Parameters) -> io::Result<Generated> {
    let Parameters { calls, packets, video_payload, seed } = parameters;
    let name = format!("large-{FORMAT}-{calls}-{packets}-{video_payload}-{seed:x}");
    let (path, truth_path) = (folder.join(&name).with_extension("pcap"), folder.join(&name).with_extension("json"));
    if let Some(truth) = earlier(&path, &truth_path) {
        return Ok(Generated { path, truth });
    }
    fs::create_dir_all(folder)?;
    let unfinished = path.with_extension("unfinished");
    let truth = write(BufWriter::with_capacity(1 << 20, File::create(&unfinished)?), parameters)?;
    fs::rename(unfinished, &path)?;
    fs::write(truth_path, serde_json::to_vec(&truth)?)?;
    Ok(Generated { path, truth })
}

fn earlier(path: &Path, truth_path: &Path) -> Option<Capture> {
    let truth: Capture = serde_json::from_slice(&fs::read(truth_path).ok()?).ok()?;
    (fs::metadata(path).ok()?.len() == truth.bytes).then_some(truth)
}

fn write(mut output: impl Write, parameters: Parameters) -> io::Result<Capture> {
    let mut random = Random::new(parameters.seed);
    let noise = random.bytes(1 << 16);
    let mut calls: Vec<_> =
        (0..parameters.calls).map(|index| Call::new(index, parameters.video_payload, parameters.seed)).collect();
    let mut agenda = Agenda::default();
    for (index, call) in calls.iter_mut().enumerate() {
        let start = random.below(STAGGER);
        for (delay, event) in call.beginnings() {
            agenda.add(start + delay, index, Effect::Event(event));
        }
    }

    output.write_all(&PCAP_HEADER)?;
    let mut capture = Capture { packets: 0, bytes: PCAP_HEADER.len() as u64, streams: Vec::new() };
    let mut frame = Vec::with_capacity(2048);
    while capture.packets < parameters.packets {
        let Some(Due { time, call: index, effect, .. }) = agenda.due.pop() else { break };
        let call = &mut calls[index];
        match effect {
            Effect::Event(event) => call.happen(time, event, &mut |time, effect| agenda.add(time, index, effect)),
            Effect::Packet { direction, identification, packet } => {
                let side = &mut call.sides[direction];
                write_frame(&mut frame, side, identification, &packet, &noise, time);
                output.write_all(&frame)?;
                capture.packets += 1;
                capture.bytes += frame.len() as u64;
            }
        }
    }
    output.flush()?;
    let truths = calls.iter().flat_map(|call| call.sides.iter()).flat_map(|side| side.truths());
    capture.streams = truths.filter(|truth| truth.packets > 0).cloned().collect();
    Ok(capture)
}

/// Makes `frame` the pcap record of a packet.
fn write_frame(
    frame: &mut Vec<u8>,
    side: &mut super::call::Side,
    identification: u16,
    packet: &Packet,
    noise: &[u8],
    time: u64,
) {
    let length = match packet {
        Packet::Rtp(rtp) => rtp.size(),
        Packet::Other(bytes) => bytes.len(),
    };
    let micros = START_SECONDS * 1_000_000 + time / 1000;
    let total = (HEADERS + length) as u32;
    frame.clear();
    for word in [(micros / 1_000_000) as u32, (micros % 1_000_000) as u32, total, total] {
        frame.extend_from_slice(&word.to_le_bytes());
    }
    side.path.write_headers(frame, identification, length);
    match packet {
        Packet::Rtp(rtp) => {
            let ssrc = side.capture(rtp);
            rtp.write(frame, ssrc, noise);
        }
        Packet::Other(bytes) => frame.extend_from_slice(bytes),
    }
}

/// What is due, the earliest first; of the same time, in the order it was added.
#[derive(Default)]
struct Agenda {
    due: BinaryHeap<Due>,
    added: u64,
}

struct Due {
    time: u64,
    order: u64,
    call: usize,
    effect: Effect,
}

impl Agenda {
    fn add(&mut self, time: u64, call: usize, effect: Effect) {
        self.added += 1;
        self.due.push(Due { time, order: self.added, call, effect });
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.order).cmp(&(self.time, self.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

/// To be counted up whenever the same parameters give other bytes than before.
const FORMAT: u32 = 1;

/// Calls start within this many nanoseconds.
const STAGGER: u64 = 3_000_000_000;

/// 2026-01-01T00:00:00Z.
const START_SECONDS: u64 = 1_767_225_600;

/// Little-endian, microseconds, version 2.4, snap length 262,144, Ethernet.
const PCAP_HEADER: [u8; 24] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
