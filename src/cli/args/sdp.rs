//! What a user may type after `sdp`.

use std::{
    io::{IsTerminal, stdin},
    path::{Path, PathBuf},
};

use anyhow::bail;
use clap::ValueEnum;

use super::PageArgs;
use crate::{
    cli::{DocumentFormat, sdp::SdpConfig},
    report::text::{Details, TextOptions},
    sdp::{DescriptionKind, Dialect},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  rtcscope sdp offer.sdp                         what it says, and what is wrong with it
  rtcscope sdp offer.sdp answer.sdp              what was agreed, and what does not fit
  rtcscope sdp --lint --as answer answer.sdp     only what is wrong
  rtcscope sdp webrtc_internals_dump.gz          every description of chrome://webrtc-internals
  pbpaste | rtcscope sdp --format json -         from the clipboard, for programs

Exit status: 0 all well, 1 something is an error, 2 rtcscope could not do its job.";

#[derive(Debug, clap::Args)]
pub(super) struct SdpArgs {
    /// SDP, JSON with SDP inside, a dump of chrome://webrtc-internals or of rtcstats; - is standard input. Two
    /// descriptions in it are an offer and its answer.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The answer, where FILE is the offer alone.
    #[arg(value_name = "ANSWER")]
    answer: Option<PathBuf>,
    /// What a lone description is: answers have rules of their own.
    #[arg(long = "as", value_enum, value_name = "KIND", conflicts_with = "answer")]
    kind: Option<KindArg>,
    /// Whose rules to hold it to. [default: told by its content]
    #[arg(long, value_enum, value_name = "DIALECT")]
    dialect: Option<DialectArg>,
    /// Show only what is wrong.
    #[arg(long)]
    lint: bool,
    /// What to write: text for people, or one JSON document.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DocumentFormat::Text)]
    format: DocumentFormat,
    /// Show long lists whole.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArg {
    Offer,
    Answer,
    Pranswer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DialectArg {
    Webrtc,
    Whip,
    Sip,
    Rtsp,
}

impl SdpArgs {
    pub(super) fn into_config(self) -> anyhow::Result<SdpConfig> {
        let paths: Vec<PathBuf> = [self.file].into_iter().chain(self.answer).collect();
        let standard_inputs = paths.iter().filter(|path| *path == Path::new("-")).count();
        if standard_inputs > 1 {
            bail!("standard input (-) is given more than once, but can be read only once");
        }
        if standard_inputs == 1 && stdin().is_terminal() {
            bail!("standard input is a terminal: pipe a description into it (rtcscope sdp - < offer.sdp)");
        }
        let details = if self.all { Details::All } else { Details::Auto };
        Ok(SdpConfig {
            paths,
            kind: self.kind.map(|kind| match kind {
                KindArg::Offer => DescriptionKind::Offer,
                KindArg::Answer => DescriptionKind::Answer,
                KindArg::Pranswer => DescriptionKind::Pranswer,
            }),
            dialect: self.dialect.map(|dialect| match dialect {
                DialectArg::Webrtc => Dialect::Webrtc,
                DialectArg::Whip => Dialect::Whip,
                DialectArg::Sip => Dialect::Sip,
                DialectArg::Rtsp => Dialect::Rtsp,
            }),
            lints_only: self.lint,
            format: self.format,
            text: TextOptions { details, ..self.page.text() },
            output: self.page.output(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{
        Command,
        args::{Args, examples},
    };

    fn command(line: &str) -> anyhow::Result<SdpConfig> {
        match Args::try_parse_from(line.split_whitespace())?.into_command()? {
            Command::Sdp(config) => Ok(config),
            _ => bail!("{line} is another command"),
        }
    }

    #[test]
    fn arguments_become_a_configuration() {
        let config = command("rtcscope sdp a b --lint --dialect sip --format json").unwrap();
        assert_eq!(config.paths, [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!(
            (config.lints_only, config.dialect, config.format),
            (true, Some(Dialect::Sip), DocumentFormat::Json)
        );
        let config = command("rtcscope sdp a --as pranswer").unwrap();
        assert_eq!((config.kind, config.dialect), (Some(DescriptionKind::Pranswer), None));
    }

    #[test]
    fn examples_work() {
        // That of a pipe cannot be tried where standard input is a terminal.
        let lines = examples(EXAMPLES).into_iter().filter(|words| words.last() != Some(&"-"));
        let lines: Vec<String> = lines.map(|words| words.join(" ")).collect();
        assert_eq!(lines.len(), 4);
        for line in lines {
            command(&line).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_is_said() {
        let error = |line: &str| format!("{:#}", command(line).unwrap_err());
        assert!(error("rtcscope sdp - -").contains("more than once"));
        assert!(error("rtcscope sdp a b --as offer").contains("cannot be used with"));
        assert!(error("rtcscope sdp").contains("<FILE>"));
    }
}
