//! `rtcscope stun-server`: a STUN server of RFC 5780, until it is stopped.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;

use crate::probe::{
    net,
    server::{
        Config, Server,
        listen::{Listen, ListenError, Listener, Why},
        serve::serve,
    },
};

/// All that a server must know.
#[derive(Clone, Debug)]
pub struct StunServerConfig {
    /// Where to listen, once for each family.
    pub listen: Vec<Listen>,
    /// Whether that is wherever the machine can: a family that it does not have is then left out.
    pub everywhere: bool,
    /// How to answer.
    pub answers: Config,
}

/// Opens the sockets, says in one line of standard output where they are, and answers until it is told to stop.
///
/// # Errors
/// A sentence when a socket could not be opened.
pub fn run(config: &StunServerConfig) -> anyhow::Result<ExitCode> {
    let listeners = open(config)?;
    let runtime = net::runtime().context("cannot start the server")?;
    let entered = runtime.enter();
    // Asked for before the line is out: who reads it may send the signal at once.
    let stop = net::stop_signal().context("cannot start the server")?;
    drop(entered);
    announce(&listeners)?;
    runtime.block_on(serve(listeners, Server::new(config.answers.clone()), stop)).context("cannot start the server")?;
    Ok(ExitCode::SUCCESS)
}

fn open(config: &StunServerConfig) -> Result<Vec<Listener>, ListenError> {
    let mut listeners = Vec::with_capacity(config.listen.len());
    let mut missing = None;
    for listen in &config.listen {
        match listen.open() {
            Ok(listener) => listeners.push(listener),
            Err(error) if config.everywhere && matches!(error.why, Why::NoFamily | Why::NotLocal) => {
                missing = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// `listening on 127.0.0.1:3478, alternate 127.0.0.2:3479 (UDP and TCP)`; families are set apart by semicolons.
fn announce(listeners: &[Listener]) -> anyhow::Result<()> {
    let places: Vec<String> = listeners.iter().map(ToString::to_string).collect();
    let mut out = io::stdout().lock();
    let written = writeln!(out, "listening on {} (UDP and TCP)", places.join("; ")).and_then(|()| out.flush());
    match written {
        // A server serves whether somebody reads that or not.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
