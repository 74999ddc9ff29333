//! `rtcscope turn-check`: what a TURN server does for a client, and how fast.

use std::{
    collections::VecDeque,
    future::Future,
    net::SocketAddr,
    path::PathBuf,
    pin::{Pin, pin},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use indicatif::ProgressBar;

use super::output::{DocumentFormat, Output};
use crate::{
    probe::{
        net::{self, Network, Trust},
        resolve::resolve,
        transaction::Ids,
        turn::{CheckStep, Config, TurnCheck, credentials::Credentials, message::Family},
        uri::{Host, ServerUri},
    },
    report::{
        text::{TextOptions, write_turn},
        turn::{Attempt, Input, build},
    },
};

/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 4;

/// Servers that may send us on (300), one after another.
const MOST_REDIRECTIONS: usize = 3;

/// How often the line of progress moves.
const TICK: Duration = Duration::from_millis(120);

/// All that a check must know.
#[derive(Clone, Debug)]
pub struct TurnCheckConfig {
    /// The server.
    pub server: ServerUri,
    /// Who asks.
    pub credentials: Option<Credentials>,
    /// Whether they were made of a shared secret.
    pub by_secret: bool,
    /// Which addresses the relay is to lend.
    pub family: Family,
    /// The payload sent each way, in bits a second.
    pub bitrate: u64,
    /// How long that lasts.
    pub duration: Duration,
    /// Whose certificates a TLS server may show.
    pub trust: Trust,
    /// What to write.
    pub format: DocumentFormat,
    /// How text is laid out.
    pub text: TextOptions,
    /// Whether to show what is being done.
    pub progress: bool,
    /// Where to write; `None` for standard output.
    pub output: Option<PathBuf>,
}

/// Checks, writes the report, and tells by the status what came of it: 0 it relays as asked, 1 it does not, 2 nothing
/// could be measured.
///
/// # Errors
/// What kept the report from being written, or the check from being started, as sentences.
pub fn run(config: &TurnCheckConfig) -> anyhow::Result<ExitCode> {
    let output = Output::open(config.output.as_deref(), &[])?;
    let runtime = net::runtime().context("cannot start the check")?;
    let input = runtime.block_on(check(config));
    // A resolver that waits for DNS is not waited for.
    runtime.shutdown_background();
    let report = build(&input?);
    output.deliver(&report, config.format, |out| write_turn(&report, &config.text, out))?;
    Ok(ExitCode::from(match (report.verdict, &report.error) {
        ("pass", _) => 0,
        (_, Some(_)) => 2,
        _ => 1,
    }))
}

/// Asks DNS, and then tries one address after another until one answers, and goes where that one sends us.
async fn check(config: &TurnCheckConfig) -> anyhow::Result<Input> {
    let began = Instant::now();
    let mut stop = Stop { signal: pin!(net::stop_signal().context("cannot wait for Ctrl-C")?), came: false };
    let progress = progress(config.progress);
    progress.set_message("looking up the server");
    let mut input = Input {
        server: config.server.clone(),
        unresolved: None,
        attempts: Vec::new(),
        username: config.credentials.as_ref().map(|credentials| credentials.username.clone()),
        by_secret: config.by_secret,
        duration: Duration::ZERO,
        interrupted: false,
    };
    let found = tokio::select! {
        found = resolve(&config.server) => found,
        () = stop.wait() => Ok(Vec::new()),
    };
    match found {
        Ok(addresses) => attempts(config, addresses, &mut stop, &progress, &mut input).await,
        Err(error) => input.unresolved = Some(error.to_string()),
    }
    progress.finish_and_clear();
    input.interrupted = stop.came;
    input.duration = began.elapsed();
    Ok(input)
}

async fn attempts<F: Future<Output = ()>>(
    config: &TurnCheckConfig,
    addresses: Vec<SocketAddr>,
    stop: &mut Stop<'_, F>,
    progress: &ProgressBar,
    input: &mut Input,
) {
    let mut redirections = MOST_REDIRECTIONS;
    let mut to_try: VecDeque<(SocketAddr, Option<SocketAddr>)> =
        addresses.into_iter().take(MOST_ADDRESSES).map(|address| (address, None)).collect();
    while let Some((server, sent_by)) = to_try.pop_front() {
        let attempt = attempt(config, server, sent_by, stop, progress).await;
        let (alternate, answered) = (attempt.outcome.alternate(), attempt.outcome.answered);
        input.attempts.push(attempt);
        if stop.came {
            return;
        }
        if answered {
            to_try.clear();
        }
        let known = |place: &SocketAddr| input.attempts.iter().any(|attempt| attempt.config.server == *place);
        if let Some(place) = alternate.filter(|place| redirections > 0 && !known(place)) {
            redirections -= 1;
            to_try.push_back((place, Some(server)));
        }
    }
}

async fn attempt<F: Future<Output = ()>>(
    config: &TurnCheckConfig,
    server: SocketAddr,
    sent_by: Option<SocketAddr>,
    stop: &mut Stop<'_, F>,
    progress: &ProgressBar,
) -> Attempt {
    let server_name = match &config.server.host {
        Host::Name(name) => Some(name.clone()),
        Host::Address(_) => None,
    };
    let config_of_check = Config {
        server,
        transport: config.server.transport,
        server_name,
        credentials: config.credentials.clone(),
        family: config.family,
        bitrate: config.bitrate,
        duration: config.duration,
    };
    let network = Network { device: None, trust: config.trust.clone() };
    let mut check = TurnCheck::new(config_of_check.clone(), Ids::random());
    net::drive(&mut check, &network, stop.wait(), |check, _| {
        if let Some(step) = check.step() {
            progress.set_message(format!("{server}: {}", doing(step)));
        }
    })
    .await;
    Attempt { sent_by, config: config_of_check, outcome: check.outcome() }
}

/// What a step is doing, for the line of progress.
const fn doing(step: CheckStep) -> &'static str {
    match step {
        CheckStep::Connect => "connecting",
        CheckStep::Authenticate => "authenticating",
        CheckStep::Allocate => "allocating",
        CheckStep::Permission => "permitting a peer",
        CheckStep::Channel => "binding a channel",
        CheckStep::Relay => "sending through the relay",
        CheckStep::Refresh => "refreshing",
        CheckStep::Release => "giving back",
    }
}

fn progress(shown: bool) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(TICK);
    bar
}

/// The signal to stop, and whether it came.
struct Stop<'a, F> {
    signal: Pin<&'a mut F>,
    came: bool,
}

impl<F: Future<Output = ()>> Stop<'_, F> {
    /// Waits for the signal. To be called no more once it came.
    async fn wait(&mut self) {
        self.signal.as_mut().await;
        self.came = true;
    }
}
