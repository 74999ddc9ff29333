//! `nat-check` against the NATs of Linux, in namespaces: every kind must be named, with every server, each time.
//! `RTCSCOPE_LAB_RUNS` says how often each is tried (once where it is not set).

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod netlab;

use std::{
    env, fmt,
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use netlab::{ALTERNATE, Lab, SERVER, Server};
use serde_json::{Value, json};

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
        // Users name the second address too, which must not open a filter for it.
        let second = if run % 2 == 1 { format!("--server {ALTERNATE}") } else { String::new() };
        let began = Instant::now();
        let output = lab.rtcscope(&format!("nat-check --server {SERVER} {second} --format json"));
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

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "no JSON: {error}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// The rules of the findings.
fn rules(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().filter_map(|finding| finding["rule"].as_str()).collect()
}

/// A server of RFC 3489 knows no other names and no cookie, and tells as much.
#[test]
fn classic_servers_tell_as_much() {
    if !netlab::is_possible() || !netlab::has("stund") {
        return;
    }
    thread::scope(|scope| {
        for name in ["open", "full cone", "address-restricted", "port-restricted", "symmetric", "firewall"] {
            scope.spawn(move || {
                let mode = MODES.iter().find(|mode| mode.name == name).unwrap();
                let tally = tally(mode, Server::Classic);
                println!("{tally}");
                assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
            });
        }
    });
}

#[test]
fn both_versions_of_ip_at_once() {
    if !netlab::is_possible() {
        return;
    }
    let rules = format!(
        "{SYMMETRIC}; table ip6 fw {{ chain forward {{ type filter hook forward priority 0;
        ct state established,related accept; iifname \"wan\" drop; }}; }}"
    );
    let mut lab = Lab::new(&rules, None);
    lab.serve(Server::Own);
    let output = lab.rtcscope(&format!("nat-check --server {SERVER} --server 2001:db8:51::1 --format json"));
    let report = report(&output);
    let paths = report["paths"].as_array().unwrap();
    let found: Vec<_> = paths.iter().map(|path| (&path["ipVersion"], &path["natType"], &path["verdict"])).collect();
    let expected = [(4, "symmetric", "relay"), (6, "symmetric-firewall", "direct")];
    assert_eq!(json!(found), json!(expected));
    // The first path is shown; the verdict is the best.
    assert_eq!((&report["natType"], &report["verdict"]), (&json!("symmetric"), &json!("direct")));
    assert_eq!(output.status.code(), Some(0));
    let text = lab.rtcscope(&format!("nat-check --server {SERVER} --server 2001:db8:51::1 -v"));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("IPv6: [2001:db8:9::2]:") && text.contains("IPv4: 10.9.0.2:"), "{text}");
    let only = |arguments: &str| {
        let output =
            lab.rtcscope(&format!("nat-check {arguments} --server {SERVER} --server 2001:db8:51::1 --format json"));
        report_of_one(&output)
    };
    assert_eq!(only("-4"), json!([4, null]));
    assert_eq!(only("-6"), json!([6, null]));
    assert_eq!(only("--local 10.9.0.2"), json!([4, null]));
    assert_eq!(only("-6 --interface eth0"), json!([6, "eth0"]));
}

fn report_of_one(output: &Output) -> Value {
    let report = report(output);
    assert_eq!(report["paths"].as_array().unwrap().len(), 1, "{report:#}");
    assert_ne!(report["natType"], "unknown", "{report:#}");
    json!([report["paths"][0]["ipVersion"], report["paths"][0]["interface"]])
}

/// What else a NAT does is told with it.
#[test]
fn hairpins_ports_and_two_nats() {
    if !netlab::is_possible() {
        return;
    }
    let check = |rules: &str, arguments: &str| {
        let mut lab = Lab::new(rules, None);
        lab.serve(Server::Own);
        report(&lab.rtcscope(&format!("nat-check --server {SERVER} --format json {arguments}")))
    };
    let hairpin = check(HAIRPIN, "");
    assert_eq!((&hairpin["hairpin"], &hairpin["portPreservation"]), (&json!(true), &json!(true)));
    let plain = check(MASQUERADE, "--fragments");
    assert_eq!((&plain["hairpin"], &plain["fragments"]), (&json!(false), &json!(true)));
    assert!(plain["mappedAddresses"][0].as_str().unwrap().starts_with("203.0.113.1:"));
    assert!(plain["localAddress"].as_str().unwrap().starts_with("10.9.0.2:"));
    let symmetric = check(SYMMETRIC, "");
    assert_eq!((&symmetric["hairpin"], &symmetric["portPreservation"]), (&json!(null), &json!(false)));
    assert!(symmetric["mappedAddresses"].as_array().unwrap().len() > 1);
    // Before the kernel puts them together again.
    let dropped = format!(
        "{MASQUERADE}; table ip early {{ chain pre {{ type filter hook prerouting priority -450;
        ip frag-off & 0x3fff != 0 drop; }}; }}"
    );
    let dropped = check(&dropped, "--fragments");
    assert_eq!(dropped["fragments"], false);
    assert!(rules(&dropped).contains(&"NAT012"));

    let mut lab = Lab::new(MASQUERADE, Some(MASQUERADE));
    lab.serve(Server::Own);
    lab.start("nat2", &format!("{} stun-server --listen 100.64.0.1", env!("CARGO_BIN_EXE_rtcscope")));
    thread::sleep(Duration::from_millis(300));
    let report = report(&lab.rtcscope(&format!("nat-check --server {SERVER} --server 100.64.0.1 --format json")));
    assert!(rules(&report).contains(&"NAT005"), "{report:#}");
}

#[test]
fn lifetime_of_a_binding() {
    if !netlab::is_possible() {
        return;
    }
    let mut lab = Lab::new(MASQUERADE, None);
    lab.sysctl("nat", "net.netfilter.nf_conntrack_udp_timeout=7");
    lab.sysctl("nat", "net.netfilter.nf_conntrack_udp_timeout_stream=7");
    lab.serve(Server::Own);
    let report = report(&lab.rtcscope(&format!("nat-check --server {SERVER} --lifetime 12 --format json")));
    assert_eq!(
        (&report["bindingLifetime"], &report["bindingLifetimeBelow"]),
        (&json!(5.0), &json!(10.0)),
        "{report:#}"
    );
    assert!(rules(&report).contains(&"NAT013"));
}

/// TCP and TLS: named, and where UDP is blocked.
#[test]
fn streams() {
    if !netlab::is_possible() || !netlab::has("turnserver") || !netlab::has("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stun.test"])
        .args(["-addext", &format!("subjectAltName=IP:{SERVER}"), "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut lab = Lab::new(UDP_BLOCKED, None);
    lab.start(
        "srv",
        &format!(
            "turnserver -n -L {SERVER} --no-auth --no-dtls --no-cli --cert {certificate} --pkey {key} --pidfile {} \
             --log-file /dev/null",
            path("pid")
        ),
    );
    lab.wait_for_port(3478);
    let check = |arguments: &str| {
        let output = lab.rtcscope(&format!("nat-check {arguments} --format json"));
        (output.status.code(), report(&output))
    };
    let (status, blocked) = check(&format!("--server {SERVER} --ca {certificate}"));
    assert_eq!((status, &blocked["natType"]), (Some(1), &json!("udp-blocked")));
    let servers = blocked["servers"].as_array().unwrap();
    let found: Vec<_> = servers.iter().map(|server| (&server["transport"], server["error"].is_null())).collect();
    assert_eq!(json!(found), json!([("udp", false), ("tcp", true), ("tls", true)]), "{blocked:#}");
    assert!(rules(&blocked).contains(&"NAT001"));
    // Named, they tell the mapped address, and nothing of UDP.
    for server in [format!("stun:{SERVER}?transport=tcp"), format!("stuns:{SERVER} --ca {certificate}")] {
        let (status, named) = check(&format!("--server {server}"));
        assert_eq!(
            (status, &named["verdict"], &named["error"]),
            (Some(2), &json!("unknown"), &json!(null)),
            "{server}"
        );
        assert!(named["mappedAddresses"][0].as_str().unwrap().starts_with("203.0.113.1:"), "{named:#}");
    }
    let (status, strange) = check(&format!("--server stuns:{SERVER}"));
    let error = strange["servers"][0]["error"].as_str().unwrap();
    assert!(status == Some(2) && error.starts_with("TLS failed: "), "{error}");
}

/// Ctrl-C prints what is known, and a closed network is no reason to write anything but one document.
#[test]
fn checks_that_find_nothing() {
    if !netlab::is_possible() {
        return;
    }
    let mut lab = Lab::new(ALL_DROPPED, None);
    lab.serve(Server::Own);
    thread::scope(|scope| {
        let lab = &lab;
        scope.spawn(move || {
            let began = Instant::now();
            let output = lab.rtcscope("nat-check --format json");
            let report = report(&output);
            assert_eq!((output.status.code(), &report["verdict"]), (Some(2), &json!("unknown")), "{report:#}");
            assert!(report["error"].as_str().unwrap().starts_with("nothing could be measured: "), "{report:#}");
            assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        });
        scope.spawn(move || {
            let output = lab.rtcscope(&format!("nat-check --server {SERVER} --local 10.9.0.77 --format json"));
            let report = report(&output);
            assert_eq!(output.status.code(), Some(2));
            let error = report["servers"][0]["error"].as_str().unwrap();
            assert!(error.starts_with("the local address 10.9.0.77 cannot be used"), "{error}");
        });
        scope.spawn(move || {
            let line = format!("{} nat-check --server {SERVER} --format json", env!("CARGO_BIN_EXE_rtcscope"));
            let mut command = lab.command("cli", &line);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            thread::sleep(Duration::from_millis(1_500));
            let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
            assert!(signalled.success());
            let began = Instant::now();
            let output = child.wait_with_output().unwrap();
            let report = report(&output);
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
            assert_eq!((output.status.code(), &report["interrupted"]), (Some(2), &json!(true)), "{report:#}");
        });
    });
}

/// Our server on loopback addresses, at ports that the system chose.
struct Loopback {
    server: Child,
    address: String,
}

impl Loopback {
    fn new() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_rtcscope"))
            .args(["stun-server", "--listen", "127.0.0.1:0", "--alternate", "127.0.0.2:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").and_then(|rest| rest.split_once(',')).unwrap().0.to_owned();
        Self { server, address }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn nat_check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rtcscope")).arg("nat-check").args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The contract of the document, by hand from the design: what programs outside read.
#[test]
fn the_document_has_the_names_of_the_contract() {
    let loopback = Loopback::new();
    let output = nat_check(&["--server", &loopback.address, "--format", "json"]);
    assert_eq!((output.status.code(), output.stderr.is_empty()), (Some(0), true));
    let report = report(&output);
    for name in "schemaVersion localAddress mappedAddresses mapping filtering natType hairpin portPreservation \
                 bindingLifetime servers verdict advice findings"
        .split_whitespace()
    {
        assert!(report.get(name).is_some(), "{name} is not in {report:#}");
    }
    let found = ["mapping", "filtering", "natType", "verdict"].map(|name| report[name].as_str().unwrap());
    assert_eq!(found, ["no-nat", "endpoint-independent", "open-internet", "direct"]);
    let server = &report["servers"][0];
    assert_eq!((&server["address"], &server["transport"]), (&json!(loopback.address), &json!("udp")));
    assert!(server["roundTripTime"].as_f64().is_some_and(|time| time > 0.0 && time < 1.0));
    assert_eq!((&server["lost"], &server["error"]), (&json!(0), &json!(null)));
    assert_eq!(report["mappedAddresses"], json!([report["localAddress"]]));
    assert_eq!(report["bindingLifetime"], json!(null));
}

#[test]
fn text_says_what_it_means() {
    let loopback = Loopback::new();
    let output = nat_check(&["--server", &loopback.address, "-v"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in
        ["Verdict: ✓ DIRECT", "RFC 3489 name       open Internet", "UDP blocked", "through a relay only", "filtering:"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let written = nat_check(&["--server", &loopback.address, "--format", "json", "-o", path.to_str().unwrap()]);
    assert!(written.stdout.is_empty());
    assert!(serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()).is_ok());
}

#[test]
fn failures_are_documents_too() {
    // A port that was just given back: nothing listens there.
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for server in [closed.as_str(), "no-such-host.invalid:3478"] {
        let output = nat_check(&["--server", server, "--format", "json"]);
        let report = report(&output);
        assert_eq!((output.status.code(), output.stderr.is_empty()), (Some(2), true), "{server}");
        assert_eq!((&report["verdict"], &report["natType"]), (&json!("unknown"), &json!("unknown")));
        assert!(report["error"].as_str().unwrap().starts_with("nothing could be measured: "), "{report:#}");
        assert!(report["servers"][0]["error"].is_string(), "{report:#}");
        let text = nat_check(&["--server", server]);
        assert_eq!(text.status.code(), Some(2));
        assert!(String::from_utf8(text.stdout).unwrap().starts_with("Verdict: ! UNKNOWN, nothing could be measured"));
    }
}

#[test]
fn wrong_arguments_are_one_sentence() {
    for (arguments, part) in [
        (&["--server", "a:b"][..], "no port"),
        (&["--server", "turn:example.org"], "turn-check"),
        (&["--server", "stuns:example.org?transport=udp"], "DTLS"),
        (&["--server"], "value"),
        (&["--interface", "no-such-0"], "no interface"),
        (&["--local", "example.org"], "invalid"),
        (&["--lifetime", "0"], "0"),
        (&["--format", "xml"], "possible values"),
        (&["--output", "/nonexistent/report"], "cannot write"),
        (&["surplus"], "surplus"),
    ] {
        let output = nat_check(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty() && message.starts_with("rtcscope: "), "{arguments:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{arguments:?}: {message}");
        assert!(message.contains(part), "{arguments:?}: {message}");
    }
}
