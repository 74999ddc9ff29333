//! The `rtcscope` command.

use std::process::ExitCode;

use rtcscope::cli;

fn main() -> ExitCode {
    cli::exit(cli::parse().map(|_command| ExitCode::SUCCESS))
}
