//! Frames to flows: one reader, fixed logical shards, any number of threads, the same result.
//!
//! The reader takes frames from the capture, finds the transport datagram in each, puts fragments and TCP streams
//! together, and hands every datagram to the shard that its flow's hash names. A shard is the only one to see its
//! flows, and sees their datagrams in capture order, so the number of threads changes nothing but the time it takes.

pub mod keys;
mod reader;
mod revisit;
mod shard;
mod workers;

use std::collections::BTreeMap;

use crate::{
    capture::{Capture, FileSummary, Interface, Progress, ReadError},
    flow::{FlowRecord, signalling::Signalling, tcp::Uncaptured},
    sdp,
    time::{PacketId, Timestamp},
    wire::{Kind, Layer, Malformed},
};

pub use revisit::{Found, Inner, Place, Revisit, Visit};

use keys::Given;
use reader::Reader;

/// Frames handed on at a time.
const BATCH: usize = 2048;

/// How to run an analysis.
#[derive(Clone, Debug)]
pub struct Config {
    /// Threads in all, at least one.
    pub threads: usize,
    /// Keys that were given beside the capture.
    pub keys: Given,
}

impl Config {
    /// An analysis in so many threads, without keys.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self { threads, keys: Given::default() }
    }
}

/// What an analysis found, before anything is joined or judged.
#[derive(Debug)]
pub struct Analysis {
    /// The files that were read.
    pub files: Vec<FileSummary>,
    /// Their interfaces.
    pub interfaces: Vec<Interface>,
    /// Flows by their first packet.
    pub flows: Vec<FlowRecord>,
    /// What could not be read, by file, layer and kind: how often, and where first.
    pub faults: Faults,
    /// Packets captured twice, by file.
    pub copies: Vec<u64>,
    /// Datagrams put together from fragments, by file; and fragments that led to none.
    pub reassembled: Vec<u64>,
    /// IP packets that were never whole.
    pub incomplete: u64,
    /// What the capture does not have of TCP connections that carry datagrams.
    pub uncaptured: Uncaptured,
    /// The signalling of calls.
    pub signalling: Signalling,
    /// Files with descriptions and candidates that the user gave beside the capture: name and content.
    pub given: Vec<(String, sdp::input::Input)>,
    /// Whether there were keys, given or found.
    pub has_keys: bool,
    /// What did not fit into bounded memory.
    pub refused: Refused,
    /// The earliest packet.
    pub start: Option<Timestamp>,
}

/// What did not fit into bounded memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Packets of flows that found no place in the table.
    pub packets: u64,
    /// Idle flows that made room and were not kept: how many.
    pub flows: u64,
    /// Their packets.
    pub flow_packets: u64,
    /// TCP segments of connections that were not followed.
    pub segments: u64,
}

/// What could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(BTreeMap<(u16, Layer, Kind), (u64, PacketId)>);

impl Faults {
    /// Counts one.
    pub fn record(&mut self, id: PacketId, fault: Malformed) {
        self.add((id.file(), fault.layer, fault.kind), 1, id);
    }

    /// All, by file, layer and kind: how often, and where first.
    pub fn iter(&self) -> impl Iterator<Item = (u16, Layer, Kind, u64, PacketId)> + '_ {
        self.0.iter().map(|(&(file, layer, kind), &(count, first))| (file, layer, kind, count, first))
    }

    fn merge(&mut self, other: Self) {
        for (key, (count, first)) in other.0 {
            self.add(key, count, first);
        }
    }

    fn add(&mut self, key: (u16, Layer, Kind), count: u64, id: PacketId) {
        let entry = self.0.entry(key).or_insert((0, id));
        entry.0 += count;
        entry.1 = entry.1.min(id);
    }
}

/// Reads a capture to its end.
///
/// # Errors
/// When reading fails; what is malformed is counted instead.
pub fn analyze(
    capture: &mut Capture,
    config: Config,
    mut progress: impl FnMut(Progress),
) -> Result<Analysis, ReadError> {
    let mut reader = Reader::new(config.keys);
    let shards = if config.threads > 1 {
        workers::run(capture, &mut reader, config.threads - 1, &mut progress)?
    } else {
        workers::run_here(capture, &mut reader, &mut progress)?
    };
    let files = capture.files();
    let mut analysis = Analysis {
        interfaces: capture.interfaces().to_vec(),
        flows: Vec::new(),
        faults: Faults::default(),
        copies: vec![0; files.len()],
        reassembled: vec![0; files.len()],
        incomplete: 0,
        uncaptured: Uncaptured::default(),
        signalling: Signalling::default(),
        given: Vec::new(),
        has_keys: false,
        refused: Refused::default(),
        start: files.iter().filter_map(|file| file.first).min(),
        files,
    };
    reader.report(&mut analysis);
    for shard in shards {
        shard.report(&mut analysis);
    }
    analysis.flows.sort_by_key(|flow| (flow.first.0, flow.first.1, flow.key));
    Ok(analysis)
}
