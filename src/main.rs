//! The `rtcscope` command.

use std::process::ExitCode;

use rtcscope::cli;

fn main() -> ExitCode {
    cli::exit(cli::parse().and_then(cli::run))
}
