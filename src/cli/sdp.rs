//! `rtcscope sdp`: what descriptions say, what is wrong with them, and what an offer and its answer agreed on.

use std::{
    fs::File,
    io::{self, Read as _, stdin},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};

use super::output::{DocumentFormat, Output};
use crate::{
    report::{
        document::Verdict,
        sdp::{Input, Read, build},
        text::{TextOptions, write_sdp},
    },
    sdp::{Description, DescriptionKind, Dialect, input},
};

/// All that the command must know.
#[derive(Clone, Debug)]
pub struct SdpConfig {
    /// One or two files, `-` for standard input.
    pub paths: Vec<PathBuf>,
    /// What a lone description is, where its file does not say.
    pub kind: Option<DescriptionKind>,
    /// The rules to hold descriptions to; `None` for those they seem to follow.
    pub dialect: Option<Dialect>,
    /// Whether only what is wrong is written.
    pub lints_only: bool,
    /// What to write.
    pub format: DocumentFormat,
    /// How text is laid out.
    pub text: TextOptions,
    /// Where to write; `None` for standard output.
    pub output: Option<PathBuf>,
}

/// Reads, judges and writes; the status is 1 where something is an error.
///
/// # Errors
/// What kept it from being done, as sentences.
pub fn run(config: &SdpConfig) -> anyhow::Result<ExitCode> {
    let output = Output::open(config.output.as_deref(), &config.paths)?;
    let mut input = Input { dialect: config.dialect, ..Input::default() };
    for (place, path) in config.paths.iter().enumerate() {
        add(config, place, path, &mut input)?;
    }
    if input.descriptions.is_empty() {
        bail!(
            "{}: it holds candidates but no description",
            config.paths.iter().map(|path| name(path)).collect::<Vec<_>>().join(", ")
        );
    }
    let report = build(&input);
    output.deliver(&report, config.format, |out| write_sdp(&report, config.lints_only, &config.text, out))?;
    Ok(ExitCode::from(u8::from(report.verdict == Verdict::Fail)))
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Adds what a file holds.
fn add(config: &SdpConfig, place: usize, path: &Path, all: &mut Input) -> anyhow::Result<()> {
    let name = name(path);
    let bytes = bytes(path).with_context(|| format!("cannot read {name}"))?;
    let given = input::read(&bytes).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    let is_lone = given.descriptions.len() == 1;
    if !is_lone && config.paths.len() > 1 {
        bail!(
            "{name} holds {} descriptions: give one offer and one answer, or this file alone",
            given.descriptions.len()
        );
    }
    for one in given.descriptions {
        let kind = match (config.paths.len(), place) {
            // Of two files the first is the offer, whatever they say.
            (2, 0) => Some(DescriptionKind::Offer),
            (2, _) => Some(DescriptionKind::Answer),
            _ if is_lone => config.kind.or(one.kind),
            _ => one.kind,
        };
        if kind == Some(DescriptionKind::Rollback) {
            continue;
        }
        let description = Description::parse(&one.sdp).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        all.descriptions.push(Read { source: name.clone(), connection: one.connection, kind, by: one.by, description });
    }
    all.candidates.extend(given.candidates);
    Ok(())
}

/// A file's bytes, one more than may be at most.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let most = u64::try_from(input::MOST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
