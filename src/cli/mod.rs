//! The command line: arguments to configurations, one function a command, one place for errors.
//!
//! `args` is what a user may type, the configurations are what a command may rely on; between them stand the checks.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};

pub mod analyze;
mod args;
pub mod extract;
mod gate;
mod given;
mod input;
pub mod keys;
pub mod nat_check;
mod output;
pub mod packets;
mod progress;
pub mod sdp;
mod spool;
pub mod stun_server;
pub mod turn_check;

pub use input::Input;
pub use output::DocumentFormat;
pub use progress::Progress;

use analyze::AnalyzeConfig;
use extract::ExtractConfig;
use nat_check::NatCheckConfig;
use packets::PacketsConfig;
use sdp::SdpConfig;
use stun_server::StunServerConfig;
use turn_check::TurnCheckConfig;

/// The tool could not do its job.
const FAILURE: u8 = 2;

/// A command and all that it must know.
#[derive(Clone, Debug)]
pub enum Command {
    /// Captures to a verdict.
    Analyze(AnalyzeConfig),
    /// Captures to one line a packet.
    Packets(PacketsConfig),
    /// Captures to files with their media and messages.
    Extract(ExtractConfig),
    /// Descriptions to what they say and agree on.
    Sdp(SdpConfig),
    /// A network to what calls may expect of it.
    NatCheck(NatCheckConfig),
    /// A TURN server to a verdict.
    TurnCheck(TurnCheckConfig),
    /// A STUN server, until it is stopped.
    StunServer(StunServerConfig),
}

/// Reads the command line. Where help is asked for, or nothing at all, it is shown and the process ends.
///
/// # Errors
/// A sentence for the user when an argument is none, or the arguments do not go together.
pub fn parse() -> anyhow::Result<Command> {
    let is_help = |error: &clap::Error| {
        !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    };
    match args::Args::try_parse() {
        Ok(args) => args.into_command(),
        Err(error) if is_help(&error) => error.exit(),
        Err(error) => Err(anyhow::Error::msg(sentence(&error.to_string()))),
    }
}

/// Does what a command asks for.
///
/// # Errors
/// What kept it from being done, as sentences.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Analyze(config) => analyze::run(&config),
        Command::Packets(config) => packets::run(&config),
        Command::Extract(config) => extract::run(&config),
        Command::Sdp(config) => sdp::run(&config),
        Command::NatCheck(config) => nat_check::run(&config),
        Command::TurnCheck(config) => turn_check::run(&config),
        Command::StunServer(config) => stun_server::run(&config),
    }
}

/// Ends a command: its own status, or 2 and one line on stderr. That nobody reads on is no error.
pub fn exit(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do where stderr is closed too.
            let _ = writeln!(io::stderr(), "rtcscope: {error:#}");
            ExitCode::from(FAILURE)
        }
    }
}

/// What clap says over several lines, in one: what is wrong, the tip if there is one, and where to read on.
fn sentence(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let mut sentence = String::new();
    for line in said {
        let (separator, line) = match (line.strip_prefix("error: "), line.strip_prefix("tip: ")) {
            (Some(line), _) => ("", line),
            (None, Some(line)) => ("; ", line),
            (None, None) => (" ", line),
        };
        sentence.extend([separator, line]);
    }
    sentence + " (--help tells what there is)"
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.into_iter().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn errors_of_arguments_are_one_sentence() {
        let of = |line: &str| sentence(&args::Args::try_parse_from(line.split(' ')).unwrap_err().to_string());
        assert_eq!(
            of("rtcscope analyze a --frm 3"),
            "unexpected argument '--frm' found; a similar argument exists: '--from' (--help tells what there is)"
        );
        assert_eq!(
            of("rtcscope analyze a --format xml"),
            "invalid value 'xml' for '--format <FORMAT>' [possible values: text, json, ndjson] (--help tells what there \
             is)"
        );
        assert_eq!(
            of("rtcscope analyze"),
            "the following required arguments were not provided: <FILE>... (--help tells what there is)"
        );
    }

    #[test]
    fn a_broken_pipe_is_success() {
        let broken = Err::<ExitCode, _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing the report");
        assert_eq!(exit(broken), ExitCode::SUCCESS);
        assert_eq!(exit(Err(anyhow::anyhow!("no"))), ExitCode::from(2));
        assert_eq!(exit(Ok(ExitCode::from(1))), ExitCode::from(1));
    }
}
