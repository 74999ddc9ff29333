//! What a user may type. Help texts are the doc comments here.

mod extract;
mod keys;
mod nat_check;
mod sdp;
mod stun_server;
mod turn_check;

use std::{
    env,
    io::{IsTerminal, stderr, stdout},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread::available_parallelism,
};

use clap::{ArgAction, Parser, Subcommand, ValueEnum, value_parser};
use terminal_size::{Width, terminal_size};

use keys::KeyArgs;

use super::{
    Command, Input,
    analyze::{AnalyzeConfig, ReportFormat},
    packets::{PacketsConfig, PacketsFormat, Selection},
};
use crate::{
    capture::When,
    report::text::{Details, TextOptions},
};

/// Columns of a page that is no terminal.
const DEFAULT_WIDTH: usize = 80;

const EXAMPLES: &str = "\
Examples:
  rtcscope analyze call.pcapng                     what happened in this call?
  rtcscope analyze --format json call.pcapng       the same for programs
  rtcscope packets --packet 1041 -v call.pcapng    look at a packet that a finding cites

Exit status: 0 all well, 1 the verdict is \"fail\", 2 rtcscope could not do its job.";

const ANALYZE_EXAMPLES: &str = "\
Examples:
  rtcscope analyze call.pcapng
  rtcscope analyze before.pcap after.pcap.gz       several files, merged by time
  tcpdump -w - udp | rtcscope analyze -            from another program
  rtcscope analyze --filter 'host 192.0.2.1' --from 60 --to 1m30s trunk.pcap
  rtcscope analyze --sdp offer.sdp --sdp answer.sdp call.pcapng
  rtcscope analyze --keylog keys.log call.pcapng    with what SSLKEYLOGFILE logged: RTCP and data channels opened
  rtcscope analyze --format json -o report.json call.pcapng

Exit status: 0 all well, 1 the verdict is \"fail\", 2 rtcscope could not do its job.";

const PACKETS_EXAMPLES: &str = "\
Examples:
  rtcscope packets call.pcapng | less
  rtcscope packets --packet 1041 -v call.pcapng    one packet, as a tree
  rtcscope packets --from 12.5 --count 20 call.pcapng
  rtcscope packets --format ndjson --filter 'udp port 3478' call.pcapng
  rtcscope packets --keylog keys.log call.pcapng   with what is inside of SRTCP and DTLS

Captures are read twice: to know what their flows are, and to show the packets as that. Standard input and pipes are
therefore read to their end first, into a temporary file. Filter, times and numbers only choose what is shown.";

/// Turns packets into a verdict on a WebRTC or VoIP call.
#[derive(Debug, Parser)]
#[command(name = "rtcscope", version, after_help = EXAMPLES, max_term_width = 100, disable_help_flag = true,
    disable_help_subcommand = true)]
pub(super) struct Args {
    /// Print help.
    // One help, the short one: the long one would spread the same words over four times the lines.
    #[arg(id = "help", short, long = "help", global = true, display_order = 1000, action = ArgAction::HelpShort)]
    _help: Option<bool>,
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Say what is in captures, which calls and streams, and what is wrong with them.
    #[command(after_help = ANALYZE_EXAMPLES)]
    Analyze(AnalyzeArgs),
    /// Show the packets of captures, one a line, as trees or as JSON lines.
    #[command(after_help = PACKETS_EXAMPLES)]
    Packets(PacketsArgs),
    /// Take media and messages out of captures, and write captures in clear.
    #[command(after_help = extract::EXAMPLES)]
    Extract(extract::ExtractArgs),
    /// Say what descriptions (SDP) hold, what is wrong with them, and what an offer and its answer agree on.
    #[command(after_help = sdp::EXAMPLES)]
    Sdp(sdp::SdpArgs),
    /// Say what NATs and firewalls between here and the Internet do, and whether calls go directly.
    #[command(after_help = nat_check::EXAMPLES)]
    NatCheck(nat_check::NatCheckArgs),
    /// Say whether a TURN server relays with these credentials, and how fast.
    #[command(after_help = turn_check::EXAMPLES)]
    TurnCheck(turn_check::TurnCheckArgs),
    /// Run a STUN server with the NAT behaviour discovery of RFC 5780.
    #[command(after_help = stun_server::EXAMPLES)]
    StunServer(stun_server::StunServerArgs),
}

#[derive(Debug, clap::Args)]
struct AnalyzeArgs {
    #[command(flatten)]
    input: InputArgs,
    /// What to write: text for people, one JSON document, or JSON objects one a line.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Text)]
    format: ReportFormat,
    /// Descriptions that belong to the capture: an offer, an answer or both, JSON with SDP inside, a dump of
    /// chrome://webrtc-internals or of rtcstats. May be given more than once.
    #[arg(long = "sdp", value_name = "FILE")]
    descriptions: Vec<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
    /// Show every call, stream, flow and finding, not only the worst and the busiest.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    page: PageArgs,
    /// Threads to use; 0 for one a processor. The report is the same with any number.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(u16).range(0..=1024))]
    threads: u16,
}

#[derive(Debug, clap::Args)]
struct PacketsArgs {
    #[command(flatten)]
    input: InputArgs,
    /// What to write: text for people, or JSON objects one a line.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = PacketsFormat::Text)]
    format: PacketsFormat,
    /// Show each packet as a tree of its fields, with byte offsets.
    #[arg(short, long)]
    verbose: bool,
    /// Show only this packet, by its number or, of several files, FILE:NUMBER (2:1041). May be given more than once.
    #[arg(long = "packet", value_name = "NUMBER")]
    packets: Vec<Selection>,
    /// Stop after so many packets.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    page: PageArgs,
}

/// What to read.
#[derive(Debug, clap::Args)]
struct InputArgs {
    /// Captures (pcap or pcapng, also as .gz or .zst); - is standard input.
    #[arg(value_name = "FILE", required = true)]
    paths: Vec<PathBuf>,
    /// Read only packets that match this capture filter (tcpdump syntax, see pcap-filter(7)).
    #[arg(long, value_name = "BPF")]
    filter: Option<String>,
    /// Leave out packets before this time: from the first packet (12.5, 90s, 1m30s), or 2026-11-22T08:57:50Z.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    from: Option<When>,
    /// Leave out packets after this time, written as for --from.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    to: Option<When>,
}

/// Where and how to write.
#[derive(Debug, clap::Args)]
struct PageArgs {
    /// Write to this file; what it held is replaced when the work is done.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// When to use colour; auto is on a terminal without NO_COLOR in the environment.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    color: ColorWhen,
    /// Columns of the text, instead of the terminal's (where there is none: 80, or for packets as many as it takes).
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(60..=1000))]
    width: Option<u16>,
    /// Show no progress bar.
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ColorWhen {
    Auto,
    Always,
    Never,
}

impl Args {
    pub(super) fn into_command(self) -> anyhow::Result<Command> {
        Ok(match self.command {
            Subcommands::Analyze(args) => Command::Analyze(args.into_config()?),
            Subcommands::Packets(args) => Command::Packets(args.into_config()?),
            Subcommands::Extract(args) => Command::Extract(args.into_config()?),
            Subcommands::Sdp(args) => Command::Sdp(args.into_config()?),
            Subcommands::NatCheck(args) => Command::NatCheck(args.into_config()?),
            Subcommands::TurnCheck(args) => Command::TurnCheck(args.into_config()?),
            Subcommands::StunServer(args) => Command::StunServer(args.into_config()?),
        })
    }
}

impl AnalyzeArgs {
    fn into_config(self) -> anyhow::Result<AnalyzeConfig> {
        let details = if self.all { Details::All } else { Details::Auto };
        let all = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Ok(AnalyzeConfig {
            threads: NonZeroUsize::new(self.threads.into()).unwrap_or_else(all),
            format: self.format,
            text: TextOptions { details, ..self.page.text() },
            progress: !self.page.quiet && stderr().is_terminal(),
            output: self.page.output(),
            descriptions: self.descriptions,
            keys: self.keys.into_sources(),
            input: self.input.into_input()?,
        })
    }
}

impl PacketsArgs {
    fn into_config(self) -> anyhow::Result<PacketsConfig> {
        let input = self.input.into_input()?;
        let packets = self.packets.iter().map(|selection| selection.among(input.paths.len()));
        let packets = packets.collect::<anyhow::Result<_>>()?;
        // A bar on the same terminal would stand between the packets.
        let progress = !self.page.quiet && stderr().is_terminal() && !self.page.on_terminal();
        Ok(PacketsConfig {
            packets,
            verbose: self.verbose,
            count: self.count,
            keys: self.keys.into_sources(),
            format: self.format,
            text: self.page.text(),
            cut: self.page.cut(),
            progress,
            output: self.page.output(),
            input,
        })
    }
}

impl InputArgs {
    fn into_input(self) -> anyhow::Result<Input> {
        Input { paths: self.paths, filter: self.filter, from: self.from, to: self.to }.checked()
    }
}

impl PageArgs {
    /// The file to write to; `None` for standard output.
    fn output(self) -> Option<PathBuf> {
        self.output.filter(|path| path != Path::new("-"))
    }

    fn on_terminal(&self) -> bool {
        self.output.as_deref().is_none_or(|path| path == Path::new("-")) && stdout().is_terminal()
    }

    /// Columns that were asked for or that a terminal has.
    fn cut(&self) -> Option<usize> {
        let columns = || terminal_size().filter(|_| self.on_terminal()).map(|(Width(columns), _)| columns);
        self.width.or_else(columns).map(usize::from)
    }

    fn text(&self) -> TextOptions {
        let terminal = self.on_terminal();
        TextOptions {
            width: self.cut().unwrap_or(DEFAULT_WIDTH),
            color: match self.color {
                ColorWhen::Auto => {
                    terminal && !set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb")
                }
                ColorWhen::Always => true,
                ColorWhen::Never => false,
            },
            unicode: !terminal || shows_unicode(),
            details: Details::Auto,
        }
    }
}

/// Whether a variable is there and not empty.
fn set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Whether the locale, where it is set at all, has a terminal show more than ASCII.
fn shows_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find(|name| set(name)).and_then(env::var_os);
    let Some(locale) = locale else { return true };
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The command lines of a help text, in words.
#[cfg(test)]
fn examples(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with("  "));
    let commands = lines.filter_map(|line| line.split_at_checked(line.find("rtcscope ")?).map(|(_, command)| command));
    commands.map(words).collect()
}

/// The words of a command line up to what stands beside it; what is quoted is one.
#[cfg(test)]
fn words(command: &str) -> Vec<&str> {
    let command = command.split("   ").next().unwrap_or_default().split(" | ").next().unwrap_or_default();
    let parts = command.split('\'').enumerate();
    parts
        .flat_map(|(place, part)| if place % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    fn command(line: &str) -> anyhow::Result<Command> {
        Args::try_parse_from(line.split_whitespace())?.into_command()
    }

    fn analyze(line: &str) -> AnalyzeConfig {
        match command(line).unwrap() {
            Command::Analyze(config) => config,
            _ => panic!("{line} is another command"),
        }
    }

    fn packets(line: &str) -> PacketsConfig {
        match command(line).unwrap() {
            Command::Packets(config) => config,
            _ => panic!("{line} is another command"),
        }
    }

    fn error(line: &str) -> String {
        format!("{:#}", command(line).unwrap_err())
    }

    #[test]
    fn definitions_are_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn arguments_become_a_configuration() {
        let config =
            analyze("rtcscope analyze a.pcap b.pcap --format json -o out --from 1 --to 1m30s --threads 3 --all");
        assert_eq!(config.input.paths, [PathBuf::from("a.pcap"), PathBuf::from("b.pcap")]);
        assert_eq!(config.input.from, Some(When::AfterFirst(1_000_000_000)));
        assert_eq!(config.input.to, Some(When::AfterFirst(90_000_000_000)));
        assert_eq!(config.threads.get(), 3);
        assert_eq!(config.format, ReportFormat::Json);
        assert_eq!(config.output, Some(PathBuf::from("out")));
        assert_eq!(config.text.details, Details::All);
        assert!(!config.text.color, "a file is not coloured");
        assert_eq!(analyze("rtcscope analyze a -o -").output, None);
        assert_eq!(analyze("rtcscope analyze a -o out").text.width, 80);
        let page = analyze("rtcscope analyze a --width 132 --color always").text;
        assert_eq!((page.width, page.color), (132, true));
        assert!(analyze("rtcscope analyze a --threads 0").threads.get() >= 1);
    }

    #[test]
    fn packets_are_chosen_by_number() {
        let refs = |line| packets(line).packets.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(refs("rtcscope packets a --packet 7 --packet 1:9"), ["7", "9"]);
        assert_eq!(refs("rtcscope packets a b --packet 2:9"), ["2:9"]);
        assert!(error("rtcscope packets a b --packet 9").contains("1:9"));
        assert!(error("rtcscope packets a --packet 2:9").contains("1 file"));
        assert!(error("rtcscope packets a --packet 0").contains("from 1"));
        assert!(error("rtcscope packets a --packet x").contains("number"));
        let config = packets("rtcscope packets a -v --count 5 --format ndjson");
        assert_eq!((config.verbose, config.count, config.format), (true, Some(5), PacketsFormat::Ndjson));
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert!(error("rtcscope analyze - -").contains("more than once"));
        assert!(error("rtcscope analyze a --from 9 --to 3").contains("--from"));
        assert!(error("rtcscope analyze a --from yesterday").contains("yesterday"));
        for line in ["rtcscope", "rtcscope analyze", "rtcscope analyze a --format xml", "rtcscope analyze a --width 5"]
        {
            let error = Args::try_parse_from(line.split_whitespace()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        let help = Args::try_parse_from(["rtcscope", "analyze", "--help"]).unwrap_err();
        assert_eq!((help.kind(), help.exit_code()), (ErrorKind::DisplayHelp, 0));
    }

    /// Each command line in a help text is one that we take.
    #[test]
    fn examples_work() {
        let all = [EXAMPLES, ANALYZE_EXAMPLES, PACKETS_EXAMPLES];
        let lines: Vec<Vec<&str>> = all.iter().flat_map(|text| examples(text)).collect();
        for words in &lines {
            let args = Args::try_parse_from(words).unwrap();
            // Standard input may be a terminal here, and libpcap may be missing.
            if words.last() != Some(&"-") && (cfg!(feature = "pcap") || !words.contains(&"--filter")) {
                args.into_command().unwrap();
            }
        }
        assert_eq!(lines.len(), 15);
    }
}
