//! The command line: arguments to configurations, one function a command, one place for errors.
//!
//! [`args`] is what a user may type, the configurations are what a command may rely on; between them stand the checks.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

pub mod analyze;
mod args;
mod input;
mod output;
pub mod packets;
mod progress;
mod spool;

pub use input::Input;
pub use progress::Progress;

use analyze::AnalyzeConfig;
use packets::PacketsConfig;

/// The tool could not do its job.
const FAILURE: u8 = 2;

/// A command and all that it must know.
#[derive(Clone, Debug)]
pub enum Command {
    /// Captures to a verdict.
    Analyze(AnalyzeConfig),
    /// Captures to one line a packet.
    Packets(PacketsConfig),
}

/// Reads the command line. Of a request for help, and of arguments that are none, clap speaks and ends the process
/// (with 0 and 2).
///
/// # Errors
/// A sentence for the user when the arguments do not go together.
pub fn parse() -> anyhow::Result<Command> {
    args::Args::parse().into_command()
}

/// Does what a command asks for.
///
/// # Errors
/// What kept it from being done, as sentences.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Analyze(config) => analyze::run(&config),
        Command::Packets(config) => packets::run(&config),
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

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.into_iter().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_broken_pipe_is_success() {
        let broken = Err::<ExitCode, _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing the report");
        assert_eq!(exit(broken), ExitCode::SUCCESS);
        assert_eq!(exit(Err(anyhow::anyhow!("no"))), ExitCode::from(2));
        assert_eq!(exit(Ok(ExitCode::from(1))), ExitCode::from(1));
    }
}
