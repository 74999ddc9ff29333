//! `rtcscope analyze`: captures to a verdict.

use std::{io::Write, mem::ManuallyDrop, num::NonZeroUsize, path::PathBuf, process::ExitCode};

use clap::ValueEnum;

use super::{Input, Progress, given, keys::KeySources, output::Output};
use crate::{
    engine::{self, Analysis},
    report::{
        self,
        document::{Report, Verdict},
        json::{write_json, write_ndjson},
        text::{TextOptions, write_text},
    },
    session,
};

/// All that an analysis must know.
#[derive(Clone, Debug)]
pub struct AnalyzeConfig {
    /// What to read.
    pub input: Input,
    /// Files with descriptions that belong to it.
    pub descriptions: Vec<PathBuf>,
    /// Keys to open it with.
    pub keys: KeySources,
    /// Threads to use.
    pub threads: NonZeroUsize,
    /// What to write.
    pub format: ReportFormat,
    /// How text is laid out.
    pub text: TextOptions,
    /// Where to write; `None` for standard output.
    pub output: Option<PathBuf>,
    /// Whether to show how far the reading is.
    pub progress: bool,
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Text for people.
    Text,
    /// One JSON document.
    Json,
    /// JSON objects, one a line.
    Ndjson,
}

/// Makes the report, writes it, and tells by the status whether the verdict is `fail`.
///
/// # Errors
/// What kept the input from being read or the report from being written, as sentences.
pub fn run(config: &AnalyzeConfig) -> anyhow::Result<ExitCode> {
    let output = Output::open(config.output.as_deref(), &config.input.paths)?;
    deliver(&ManuallyDrop::new(analyze(config)?), config, output)
}

fn deliver(report: &Report, config: &AnalyzeConfig, mut output: Output) -> anyhow::Result<ExitCode> {
    write(report, config, &mut output).map_err(|error| output.failed(error))?;
    output.finish()?;
    Ok(if report.verdict == Verdict::Fail { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Reads the input to its end and joins and judges what is in it.
fn analyze(config: &AnalyzeConfig) -> anyhow::Result<Report> {
    let given = config.descriptions.iter().map(|path| given::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut keys = config.keys.read()?;
    given.iter().flat_map(|(_, input)| &input.descriptions).for_each(|given| keys.take_description(&given.sdp));
    let mut capture = config.input.open()?;
    let progress = Progress::new(config.progress);
    let settings = engine::Config { threads: config.threads.get(), keys };
    let analysis = engine::analyze(&mut capture, settings, |read| progress.update(read.bytes_read, read.bytes_total));
    progress.finish();
    // The process ends with its report, and the system takes back its memory far faster than piece by piece.
    let analysis = ManuallyDrop::new(Analysis { given, ..analysis? });
    let sessions = ManuallyDrop::new(session::assemble(&analysis));
    Ok(report::build(&analysis, &sessions))
}

fn write(report: &Report, config: &AnalyzeConfig, out: &mut dyn Write) -> std::io::Result<()> {
    match config.format {
        ReportFormat::Text => write_text(report, &config.text, out),
        ReportFormat::Json => write_json(report, out),
        ReportFormat::Ndjson => write_ndjson(report, out),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::report::samples;

    fn config(format: ReportFormat, output: PathBuf) -> AnalyzeConfig {
        AnalyzeConfig {
            input: Input { paths: vec!["call.pcapng".into()], filter: None, from: None, to: None },
            descriptions: Vec::new(),
            keys: KeySources::default(),
            threads: NonZeroUsize::MIN,
            format,
            text: TextOptions::default(),
            output: Some(output),
            progress: false,
        }
    }

    #[test]
    fn the_status_is_the_verdict() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let status = |format, report| {
            let output = Output::open(Some(&path), &[]).unwrap();
            deliver(&report, &config(format, path.clone()), output).unwrap()
        };
        assert_eq!(status(ReportFormat::Json, samples::lossy_webrtc_call()), ExitCode::from(1));
        assert!(serde_json::from_slice::<serde_json::Value>(&fs::read(&path).unwrap()).is_ok());
        assert_eq!(status(ReportFormat::Ndjson, samples::many_calls()), ExitCode::SUCCESS);
        assert!(fs::read_to_string(&path).unwrap().starts_with("{\"type\":\"report\",\"schemaVersion\":1,"));
        assert_eq!(status(ReportFormat::Text, samples::sip_call()), ExitCode::SUCCESS);
        assert!(fs::read_to_string(&path).unwrap().starts_with("sip.pcap: "));
    }

    #[test]
    fn a_failed_analysis_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        assert!(run(&config(ReportFormat::Text, path.clone())).is_err());
        assert!(!path.exists());
    }
}
