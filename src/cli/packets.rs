//! `rtcscope packets`: captures to one line, tree or JSON object a packet.

use std::{io::Write, path::PathBuf, process::ExitCode, str::FromStr};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::{Input, Progress, output::Output};
use crate::report::{document::PacketRef, text::TextOptions};

/// All that a listing of packets must know.
#[derive(Clone, Debug)]
pub struct PacketsConfig {
    /// What to read.
    pub input: Input,
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
    let output = Output::open(config.output.as_deref(), &config.input.paths)?;
    output.finish()?;
    Ok(ExitCode::SUCCESS)
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
