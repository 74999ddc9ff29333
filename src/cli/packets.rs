//! `rtcscope packets`: captures to one line, tree or JSON object a packet.
//!
//! The capture is read twice. First it is analyzed, all of it; then it is read again and each packet is shown as what the
//! analysis found it to be. A filter, a time window or a number only chooses what is shown.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    thread::available_parallelism,
};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::{
    Input, Progress,
    gate::{BATCH, Gate, Pass},
    keys::KeySources,
    output::Output,
    spool::Spooled,
};
use crate::{
    capture::{Capture, FileSummary},
    engine::{self, Analysis, Revisit, keys::Given},
    flow::decrypt::Decrypter,
    report::{
        document::PacketRef,
        packet::{Entry, List, Scene},
        text::TextOptions,
    },
    time::PacketId,
};

/// All that a listing of packets must know.
#[derive(Clone, Debug)]
pub struct PacketsConfig {
    /// What to read.
    pub input: Input,
    /// Keys to open it with.
    pub keys: KeySources,
    /// The packets to show; all when there is none.
    pub packets: Vec<PacketRef>,
    /// Whether to show the trees of fields.
    pub verbose: bool,
    /// How many packets to show at most.
    pub count: Option<u64>,
    /// What to write.
    pub format: PacketsFormat,
    /// How text is laid out.
    pub text: TextOptions,
    /// Columns after which a line of text is cut; `None` where none is.
    pub cut: Option<usize>,
    /// Where to write; `None` for standard output.
    pub output: Option<PathBuf>,
    /// Whether to show how far the reading is.
    pub progress: bool,
}

/// The forms of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PacketsFormat {
    /// Text for people.
    Text,
    /// JSON objects, one a line.
    Ndjson,
}

/// Lists the packets.
///
/// # Errors
/// What kept the input from being read or the packets from being written, as sentences.
pub fn run(config: &PacketsConfig) -> anyhow::Result<ExitCode> {
    let keys = config.keys.read()?;
    let mut output = Output::open(config.output.as_deref(), &config.input.paths)?;
    let spooled = Spooled::new(&config.input)?;
    let (first, mut listing) = Listing::open(config, &spooled.input, keys).map_err(|error| spooled.named(&error))?;
    let analysis = listing.analyze(first).map_err(|error| spooled.named(&error))?;
    let remaining = listing.selection(&analysis, &config.input.paths)?;
    listing.list(&analysis, remaining, &mut output)?;
    output.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// A capture that is read again.
struct Listing<'a> {
    config: &'a PacketsConfig,
    capture: Capture,
    gate: Option<Gate>,
    keys: Given,
}

impl<'a> Listing<'a> {
    /// The capture to be analyzed, and the same to be listed.
    fn open(config: &'a PacketsConfig, input: &Input, keys: Given) -> anyhow::Result<(Capture, Self)> {
        let all = Input { filter: None, from: None, to: None, ..input.clone() };
        // First of all: the filter may be refused.
        let gate = if *input == all { None } else { Some(Gate::new(input.open()?)) };
        Ok((all.open()?, Self { config, capture: all.open()?, gate, keys }))
    }

    fn analyze(&self, mut capture: Capture) -> anyhow::Result<Analysis> {
        let progress = Progress::new(self.config.progress);
        let threads = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let settings = engine::Config { threads: threads.get(), keys: self.keys.clone() };
        let analysis =
            engine::analyze(&mut capture, settings, |read| progress.update(read.bytes_read, read.bytes_total));
        progress.finish();
        Ok(analysis?)
    }

    /// The packets asked for, each of which exists.
    fn selection(&self, analysis: &Analysis, paths: &[PathBuf]) -> anyhow::Result<BTreeSet<PacketId>> {
        let mut selection = BTreeSet::new();
        for packet in &self.config.packets {
            let file = packet.file.saturating_sub(1);
            let total = analysis.files.get(usize::from(file)).map_or(0, |file: &FileSummary| file.total_packets);
            if packet.number > total {
                let path = paths.get(usize::from(file)).map(|path| path.display().to_string()).unwrap_or_default();
                match total {
                    0 => bail!("--packet {packet}: {path} has no packets"),
                    1 => bail!("--packet {packet}: {path} has only packet 1"),
                    _ => bail!("--packet {packet}: {path} has only packets 1 to {total}"),
                }
            }
            selection.insert(PacketId::new(file, packet.number));
        }
        Ok(selection)
    }

    fn list(
        &mut self,
        analysis: &Analysis,
        mut selection: BTreeSet<PacketId>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let selected = !selection.is_empty();
        let json = self.config.format == PacketsFormat::Ndjson;
        let scene = Scene { analysis, trees: self.config.verbose, moments: json };
        let mut list = List::new(analysis, self.config.text, self.config.cut.filter(|_| !self.config.verbose));
        let progress = Progress::new(self.config.progress);
        let mut revisit = Revisit::with_keys(analysis, self.keys.clone());
        let mut decrypter = Decrypter::new(revisit.keys());
        let mut left = self.config.count.unwrap_or(u64::MAX);
        while left > 0 && !(selected && selection.is_empty()) {
            let Some(visit) = revisit.next(&mut self.capture)? else { break };
            let decrypted = scene.decrypt(&visit, &mut decrypter);
            let id = PacketId::new(visit.frame.file, visit.frame.number);
            match self.gate.as_mut().map_or(Ok(Pass::Yes), |gate| gate.pass(id))? {
                Pass::Yes => {}
                Pass::No => continue,
                Pass::NoMore => break,
            }
            if selected && !selection.remove(&id) {
                continue;
            }
            let entry = Entry { decrypted, ..scene.entry(&visit) };
            let written = if json { write_json(&entry, out) } else { list.write(&entry, out) };
            written.context("cannot write the packets")?;
            left -= 1;
            if left.is_multiple_of(BATCH as u64) {
                let read = self.capture.progress();
                progress.update(read.bytes_read, read.bytes_total);
            }
        }
        progress.finish();
        Ok(())
    }
}

fn write_json(entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, entry)?;
    out.write_all(b"\n")
}

/// A packet as a user names it: `1041`, or `2:1041` of several files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    file: Option<u16>,
    number: u64,
}

impl FromStr for Selection {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        const FORM: &str = "a packet is named by its number, or FILE:NUMBER, both whole";
        let (file, number) = match text.split_once(':') {
            Some((file, number)) => (Some(file.parse().context(FORM)?), number),
            None => (None, text),
        };
        let number = number.parse().context(FORM)?;
        if number == 0 || file == Some(0) {
            bail!("files and packets are counted from 1");
        }
        Ok(Self { file, number })
    }
}

impl Selection {
    /// The packet among so many files.
    pub(super) fn among(self, files: usize) -> anyhow::Result<PacketRef> {
        let Self { file, number } = self;
        match file {
            None if files > 1 => {
                bail!("--packet {number}: of which of the {files} files? Write 1:{number} for the first")
            }
            None => Ok(PacketRef { file: 0, number }),
            Some(file) if usize::from(file) > files => {
                let noun = if files == 1 { "file" } else { "files" };
                bail!("--packet {file}:{number}: there is no such file, only {files} {noun}")
            }
            Some(_) if files == 1 => Ok(PacketRef { file: 0, number }),
            Some(file) => Ok(PacketRef { file, number }),
        }
    }
}
