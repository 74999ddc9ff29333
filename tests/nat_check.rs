//! `nat-check` against the NATs of Linux, in namespaces: every kind must be named, with every server, each time.
//! `RTCSCOPE_LAB_RUNS` says how often each is tried (once where it is not set).

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod netlab;

use std::{
    env, fmt,
    process::Output,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use netlab::{Lab, SERVER, Server};
use serde_json::Value;

const MASQUERADE: &str =
    "table ip nat { chain post { type nat hook postrouting priority 100; oifname \"wan\" masquerade; }; }";
const SYMMETRIC: &str = "table ip nat { chain post { type nat hook postrouting priority 100; oifname \"wan\" masquerade \
                         random,fully-random; }; }";
const FULL_CONE: &str =
    "table ip nat { chain post { type nat hook postrouting priority 100; oifname \"wan\" masquerade; };
    chain pre { type nat hook prerouting priority -100; iifname \"wan\" meta l4proto udp dnat to 10.9.0.2; }; }";
/// Lets in whom the mapped port has written to, from any of its ports.
const RESTRICTED: &str = "table ip nat {
    set contacted { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 60s; };
    chain learn { type filter hook forward priority 0; oifname \"wan\" meta l4proto udp update @contacted { ip daddr . udp \
     sport }; };
    chain post { type nat hook postrouting priority 100; oifname \"wan\" masquerade; };
    chain pre { type nat hook prerouting priority -100;
        iifname \"wan\" meta l4proto udp ip saddr . udp dport @contacted dnat to 10.9.0.2; }; }";
/// Lets in whom any port has written to: the filter forgets which.
const RESTRICTED_HOST: &str = "table ip nat {
    set contacted { type ipv4_addr; flags dynamic,timeout; timeout 1s; };
    chain learn { type filter hook forward priority 0; oifname \"wan\" meta l4proto udp update @contacted { ip daddr }; };
    chain post { type nat hook postrouting priority 100; oifname \"wan\" masquerade; };
    chain pre { type nat hook prerouting priority -100;
        iifname \"wan\" meta l4proto udp ip saddr @contacted dnat to 10.9.0.2; }; }";
/// Other ports for each destination address, the same for all ports of it.
const BY_ADDRESS: &str = "table ip nat { chain post { type nat hook postrouting priority 100;
    oifname \"wan\" meta l4proto udp ip daddr 198.51.100.1 snat to 203.0.113.1:10000-19999;
    oifname \"wan\" meta l4proto udp ip daddr 198.51.100.2 snat to 203.0.113.1:20000-29999;
    oifname \"wan\" masquerade; }; }";
const FIREWALL: &str = "table ip fw { chain forward { type filter hook forward priority 0;
    ct state established,related accept; iifname \"wan\" drop; }; }";
const FIREWALL_BY_ADDRESS: &str = "table ip fw {
    set contacted { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 60s; };
    chain forward { type filter hook forward priority 0; oifname \"wan\" meta l4proto udp update @contacted { ip daddr . udp \
     sport };
    ct state established,related accept; iifname \"wan\" ip saddr . udp dport @contacted accept; iifname \"wan\" drop; }; }";
/// Packets to the public address come back in, with the public address as their source.
const HAIRPIN: &str = "table ip nat { chain post { type nat hook postrouting priority 100; oifname \"wan\" masquerade;
        iifname \"lan\" oifname \"lan\" snat to 203.0.113.1; };
    chain pre { type nat hook prerouting priority -100; ip daddr 203.0.113.1 meta l4proto udp dnat to 10.9.0.2; }; }";
const UDP_BLOCKED: &str =
    "table ip nat { chain post { type nat hook postrouting priority 100; oifname \"wan\" masquerade; }; };
    table ip fw { chain forward { type filter hook forward priority 0; meta l4proto udp drop; }; }";
const UDP_REFUSED: &str =
    "table ip nat { chain post { type nat hook postrouting priority 100; oifname \"wan\" masquerade; }; };
    table ip fw { chain forward { type filter hook forward priority 0; meta l4proto udp reject; }; }";
const ALL_DROPPED: &str = "table inet fw { chain forward { type filter hook forward priority 0; drop; }; }";
const LOSS: &str = "table ip loss { chain forward { type filter hook forward priority -10;
    meta l4proto udp numgen random mod 100 < 20 drop; }; }";

/// A NAT and what it is.
struct Mode {
    name: &'static str,
    rules: &'static str,
    second: Option<&'static str>,
    lossy: bool,
    mapping: &'static str,
    filtering: &'static str,
    nat_type: &'static str,
    exit: i32,
    /// Seconds that it may take.
    within: f64,
}

impl Mode {
    const fn new(name: &'static str, rules: &'static str, truth: [&'static str; 3], exit: i32) -> Self {
        let [mapping, filtering, nat_type] = truth;
        Self { name, rules, second: None, lossy: false, mapping, filtering, nat_type, exit, within: 8.0 }
    }

    const fn behind(self, second: &'static str) -> Self {
        Self { second: Some(second), ..self }
    }

    const fn losing_a_fifth(self) -> Self {
        Self { lossy: true, within: 13.5, ..self }
    }

    const fn within(self, within: f64) -> Self {
        Self { within, ..self }
    }
}

const EI: &str = "endpoint-independent";
const AD: &str = "address-dependent";
const APD: &str = "address-and-port-dependent";

const MODES: [Mode; 20] = [
    Mode::new("open", "", ["no-nat", EI, "open-internet"], 0).within(3.0),
    Mode::new("full cone", FULL_CONE, [EI, EI, "full-cone"], 0).within(3.0),
    Mode::new("address-restricted", RESTRICTED, [EI, AD, "restricted-cone"], 0),
    Mode::new("address-restricted, all ports alike", RESTRICTED_HOST, [EI, AD, "restricted-cone"], 0),
    Mode::new("port-restricted", MASQUERADE, [EI, APD, "port-restricted-cone"], 0),
    Mode::new("symmetric", SYMMETRIC, [APD, APD, "symmetric"], 1),
    Mode::new("address-dependent mapping", BY_ADDRESS, [AD, APD, "symmetric"], 1),
    Mode::new("firewall", FIREWALL, ["no-nat", APD, "symmetric-firewall"], 0),
    Mode::new("firewall by address", FIREWALL_BY_ADDRESS, ["no-nat", AD, "symmetric-firewall"], 0),
    Mode::new("NAT behind NAT", MASQUERADE, [EI, APD, "port-restricted-cone"], 0).behind(MASQUERADE),
    Mode::new("NAT behind symmetric NAT", MASQUERADE, [APD, APD, "symmetric"], 1).behind(SYMMETRIC),
    Mode::new("symmetric NAT behind NAT", SYMMETRIC, [APD, APD, "symmetric"], 1).behind(MASQUERADE),
    Mode::new("hairpinning", HAIRPIN, [EI, EI, "full-cone"], 0).within(3.0),
    Mode::new("UDP blocked", UDP_BLOCKED, ["unknown", "unknown", "udp-blocked"], 1).within(15.0),
    Mode::new("UDP refused", UDP_REFUSED, ["unknown", "unknown", "udp-blocked"], 1).within(15.0),
    Mode::new("nothing answers", ALL_DROPPED, ["unknown", "unknown", "unknown"], 2).within(15.0),
    Mode::new("open, loss", "", ["no-nat", EI, "open-internet"], 0).losing_a_fifth(),
    Mode::new("full cone, loss", FULL_CONE, [EI, EI, "full-cone"], 0).losing_a_fifth(),
    Mode::new("port-restricted, loss", MASQUERADE, [EI, APD, "port-restricted-cone"], 0).losing_a_fifth(),
    Mode::new("symmetric, loss", SYMMETRIC, [APD, APD, "symmetric"], 1).losing_a_fifth(),
];

/// Labs side by side: nearly all of their time is waiting.
const SIDE_BY_SIDE: usize = 6;

#[test]
fn every_nat_is_named_each_time() {
    if !netlab::is_possible() {
        return;
    }
    let servers: Vec<Server> = [(Server::Own, "true"), (Server::Coturn, "turnserver")]
        .into_iter()
        .filter(|(_, program)| netlab::has(program))
        .map(|(server, _)| server)
        .collect();
    let chosen = env::var("RTCSCOPE_LAB_MODE").ok();
    let modes = MODES.iter().filter(|mode| chosen.as_ref().is_none_or(|chosen| mode.name == chosen));
    let work: Vec<(&Mode, Server)> = modes.flat_map(|mode| servers.iter().map(move |server| (mode, *server))).collect();
    let work = Mutex::new(work.into_iter());
    let tallies = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let Some((mode, server)) = work.lock().unwrap().next() else { break };
                    let tally = tally(mode, server);
                    tallies.lock().unwrap().push(tally);
                }
            });
        }
    });
    let tallies = tallies.into_inner().unwrap();
    for tally in &tallies {
        println!("{tally}");
    }
    let wrong: Vec<&String> = tallies.iter().flat_map(|tally| &tally.wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.iter().map(|why| why.as_str()).collect::<Vec<_>>().join("\n"));
}

/// How often a mode was named right.
struct Tally {
    mode: &'static str,
    server: Server,
    runs: u32,
    longest: f64,
    wrong: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = self.runs as usize - self.wrong.len();
        write!(
            out,
            "{:38} {:8} {right}/{} at most {:.2} s",
            self.mode,
            format!("{:?}", self.server),
            self.runs,
            self.longest
        )
    }
}

fn tally(mode: &'static Mode, server: Server) -> Tally {
    let runs = env::var("RTCSCOPE_LAB_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(1);
    let mut lab = Lab::new(mode.rules, mode.second);
    if mode.lossy {
        lab.nft("nat", LOSS);
    }
    lab.serve(server);
    let mut tally = Tally { mode: mode.name, server, runs, longest: 0.0, wrong: Vec::new() };
    for run in 0..runs {
        if mode.rules == RESTRICTED_HOST && run > 0 {
            // What the last run has opened is to be closed.
            thread::sleep(Duration::from_millis(1_500));
        }
        let began = Instant::now();
        let output = lab.rtcscope(&format!("nat-check --server {SERVER} --format json"));
        let took = began.elapsed().as_secs_f64();
        tally.longest = tally.longest.max(took);
        if let Err(why) = check(mode, &output, took) {
            tally.wrong.push(format!("{} with {server:?}, run {run}: {why}", mode.name));
        }
    }
    tally
}

fn check(mode: &Mode, output: &Output, took: f64) -> Result<(), String> {
    let report: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("no JSON: {error}"))?;
    let found = ["mapping", "filtering", "natType"].map(|name| report[name].as_str().unwrap_or("null").to_owned());
    let expected = [mode.mapping, mode.filtering, mode.nat_type].map(str::to_owned);
    let whole = || serde_json::to_string_pretty(&report).unwrap_or_default();
    if found != expected {
        return Err(format!("{found:?} instead of {expected:?}\n{}", whole()));
    }
    if output.status.code() != Some(mode.exit) {
        return Err(format!("status {:?} instead of {}", output.status, mode.exit));
    }
    if !output.stderr.is_empty() {
        return Err(format!("stderr: {}", String::from_utf8_lossy(&output.stderr)));
    }
    if took > mode.within {
        return Err(format!("{took:.2} s instead of {:.0}\n{}", mode.within, whole()));
    }
    Ok(())
}
