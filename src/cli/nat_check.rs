//! `rtcscope nat-check`: what the network does to UDP, and what that means for calls.

use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use indicatif::ProgressBar;
use tokio::{sync::watch, task::JoinSet};

use super::output::{DocumentFormat, Output};
use crate::{
    probe::{
        Failure, Transport,
        nat::{Check, Config, Outcome, Server, ServerError},
        net::{self, Network, Trust},
        resolve::{ResolveError, resolve},
        transaction::Ids,
        uri::{Host, PORT, ServerUri, Service, TLS_PORT},
    },
    report::{
        nat::{Checked, Connection, Input, Unresolved, build},
        text::{TextOptions, write_nat},
    },
};

/// Who is asked where no server is named: servers of several operators, and one of them at two ports, which tells
/// whether a mapping depends on the address alone. None answers from elsewhere, so none tells of filters.
const WELL_KNOWN: [&str; 5] = [
    "stun.l.google.com:19302",
    "stun.cloudflare.com:3478",
    "stun.cloudflare.com:53",
    "stun.nextcloud.com:443",
    "stun.sipgate.net:3478",
];

/// Servers that are tried over TCP and TLS where UDP is silent.
const FALLBACK_SERVERS: usize = 2;

/// How often the line of progress moves.
const TICK: Duration = Duration::from_millis(120);

/// All that a check must know.
#[derive(Clone, Debug)]
pub struct NatCheckConfig {
    /// Whom to ask; a few public servers where there are none.
    pub servers: Vec<ServerUri>,
    /// Where to go out.
    pub places: Vec<Place>,
    /// Whether to try IPv4.
    pub ipv4: bool,
    /// Whether to try IPv6.
    pub ipv6: bool,
    /// How long a binding is watched.
    pub lifetime: Option<Duration>,
    /// Whether to test fragments.
    pub fragments: bool,
    /// Whether to wait for answers as long as RFC 8489 has it.
    pub patient: bool,
    /// Whose certificates TLS servers may show.
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

/// Where packets go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// As the routes have it.
    Anywhere,
    /// By an interface.
    Interface(String),
    /// From a local address.
    Address(IpAddr),
}

/// Checks, writes the report, and tells by the status what the verdict is: 0 `direct`, 1 `relay`, 2 `unknown`.
///
/// # Errors
/// What kept the report from being written, or the check from being started, as sentences.
pub fn run(config: &NatCheckConfig) -> anyhow::Result<ExitCode> {
    let output = Output::open(config.output.as_deref(), &[])?;
    let runtime = net::runtime().context("cannot start the check")?;
    let input = runtime.block_on(check(config));
    // A resolver that waits for DNS is not waited for.
    runtime.shutdown_background();
    let report = build(&input?);
    output.deliver(&report, config.format, |out| write_nat(&report, &config.text, out))?;
    Ok(ExitCode::from(match report.verdict {
        Connection::Direct => 0,
        Connection::Relay => 1,
        Connection::Unknown => 2,
    }))
}

/// Asks DNS, and then checks all paths side by side, until they are done or the user has enough.
async fn check(config: &NatCheckConfig) -> anyhow::Result<Input> {
    let began = Instant::now();
    let stopped = stop()?;
    let progress = progress(config.progress);
    progress.set_message("looking up the servers");
    let found = tokio::select! {
        found = look_up(config) => found,
        () = wait(stopped.clone()) => Found::default(),
    };
    let mut tasks = JoinSet::new();
    for (order, path) in paths(config, &found).into_iter().enumerate() {
        let (stopped, progress) = (stopped.clone(), progress.clone());
        tasks.spawn(async move { (order, path.check(wait(stopped), &progress).await) });
    }
    let mut checked = Vec::new();
    while let Some(path) = tasks.join_next().await {
        checked.push(path.context("a check ended early")?);
    }
    progress.finish_and_clear();
    checked.sort_by_key(|(order, _)| *order);
    let checked: Vec<Checked> = checked.into_iter().map(|(_, path)| path).collect();
    let interrupted = *stopped.borrow();
    Ok(Input { paths: with_route(checked), unresolved: found.unresolved, duration: began.elapsed(), interrupted })
}

/// Whether the user has asked to stop, for all that run.
fn stop() -> anyhow::Result<watch::Receiver<bool>> {
    let signal = net::stop_signal().context("cannot wait for Ctrl-C")?;
    let (sender, stopped) = watch::channel(false);
    tokio::spawn(async move {
        signal.await;
        // Nobody may listen any more.
        let _ = sender.send(true);
        // While others listen, the sender must live.
        sender.closed().await;
    });
    Ok(stopped)
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    // An error is that the one who would tell is gone: then nobody stops.
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
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

/// The servers by address.
#[derive(Debug, Default)]
struct Found {
    servers: Vec<Server>,
    fallbacks: Vec<Server>,
    unresolved: Vec<Unresolved>,
}

/// Asks DNS for all names at once.
async fn look_up(config: &NatCheckConfig) -> Found {
    let well_known = || WELL_KNOWN.iter().filter_map(|name| ServerUri::parse(name, Service::Stun).ok()).collect();
    let uris: Vec<ServerUri> = if config.servers.is_empty() { well_known() } else { config.servers.clone() };
    let mut queries = JoinSet::new();
    for (order, uri) in uris.iter().cloned().enumerate() {
        queries.spawn(async move { (order, resolve(&uri).await) });
    }
    let mut answers = Vec::new();
    while let Some(answer) = queries.join_next().await {
        answers.extend(answer.ok());
    }
    answers.sort_by_key(|(order, _)| *order);
    let mut found = Found::default();
    for (uri, (_, answer)) in uris.iter().zip(answers) {
        found.add(uri, answer);
    }
    found
}

impl Found {
    fn add(&mut self, uri: &ServerUri, answer: Result<Vec<SocketAddr>, ResolveError>) {
        let name = uri.to_string();
        let addresses = match answer {
            Ok(addresses) => addresses,
            Err(error) => {
                self.unresolved.push(Unresolved { name, transport: uri.transport, error: error.to_string() });
                return;
            }
        };
        let server_name = match &uri.host {
            Host::Name(name) => Some(name.clone()),
            Host::Address(_) => None,
        };
        for is_ipv4 in [true, false] {
            let Some(address) = addresses.iter().find(|address| address.is_ipv4() == is_ipv4) else { continue };
            let (address, transport) = (*address, uri.transport);
            let server = Server { name: name.clone(), address, transport, server_name: server_name.clone() };
            let known = |known: &Server| (known.address, known.transport) == (address, transport);
            if self.servers.iter().any(known) {
                continue;
            }
            if transport == Transport::Udp {
                self.fallbacks.extend([Transport::Tcp, Transport::Tls].map(|transport| over(&server, transport)));
            }
            self.servers.push(server);
        }
    }
}

/// The same server over a stream, at the usual port of that where its port is the usual one.
fn over(server: &Server, transport: Transport) -> Server {
    let mut address = server.address;
    if transport == Transport::Tls && address.port() == PORT {
        address.set_port(TLS_PORT);
    }
    Server { address, transport, ..server.clone() }
}

/// One check to run.
struct Path {
    interface: Option<String>,
    ip_version: u8,
    network: Network,
    config: Config,
}

/// The places and versions of IP to check, IPv4 first.
fn paths(config: &NatCheckConfig, found: &Found) -> Vec<Path> {
    let mut paths = Vec::new();
    for (ip_version, wanted) in [(4, config.ipv4), (6, config.ipv6)] {
        let of_version = |servers: &[Server]| -> Vec<Server> {
            servers.iter().filter(|server| server.address.is_ipv4() == (ip_version == 4)).cloned().collect()
        };
        let servers = of_version(&found.servers);
        if !wanted || servers.is_empty() {
            continue;
        }
        for place in &config.places {
            let (interface, local) = match place {
                Place::Anywhere => (None, None),
                Place::Interface(name) => (Some(name.clone()), None),
                Place::Address(address) if address.is_ipv4() == (ip_version == 4) => (None, Some(*address)),
                Place::Address(_) => continue,
            };
            paths.push(Path {
                interface: interface.clone(),
                ip_version,
                network: Network { device: interface, trust: config.trust.clone() },
                config: Config {
                    servers: servers.clone(),
                    fallbacks: of_version(&found.fallbacks).into_iter().take(2 * FALLBACK_SERVERS).collect(),
                    plain: config.servers.is_empty(),
                    local,
                    patient: config.patient,
                    fragments: config.fragments,
                    lifetime: config.lifetime,
                },
            });
        }
    }
    paths
}

impl Path {
    async fn check(self, stop: impl Future<Output = ()> + Send, progress: &ProgressBar) -> Checked {
        let mut check = Check::new(self.config, Ids::random());
        net::drive(&mut check, &self.network, stop, |check, _| progress.set_message(check.doing())).await;
        Checked { interface: self.interface, ip_version: self.ip_version, outcome: check.outcome() }
    }
}

/// Leaves out a version of IP that a place does not have, where it has the other one.
fn with_route(paths: Vec<Checked>) -> Vec<Checked> {
    let routed: Vec<Option<String>> =
        paths.iter().filter(|path| has_route(&path.outcome)).map(|path| path.interface.clone()).collect();
    paths.into_iter().filter(|path| has_route(&path.outcome) || !routed.contains(&path.interface)).collect()
}

fn has_route(outcome: &Outcome) -> bool {
    let no_route = |error: &ServerError| *error == ServerError::Failed(Failure::NoRoute);
    !outcome.servers.iter().all(|server| server.error.as_ref().is_some_and(no_route))
}
