//! `rtcscope turn-check` against coturn: transports, credentials, quotas, nonces, families; and against servers that are
//! none.

#![cfg(unix)]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    net::{TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(10);

/// A running coturn. It is stopped when dropped.
struct Coturn {
    process: Child,
    port: u16,
    tls_port: u16,
    folder: TempDir,
}

impl Coturn {
    /// One with the user alice, whose password is "secret".
    fn start(arguments: &[&str]) -> Option<Self> {
        Self::start_with(&[&["--lt-cred-mech", "-u", "alice:secret", "--allow-loopback-peers"], arguments].concat())
    }

    /// `None`, loudly, where it is not installed.
    fn start_with(arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        certificate(folder.path());
        let (port, tls_port) = (free_port(), free_port());
        let process = Command::new("turnserver")
            .args(["-n", "-L", "127.0.0.1", "-r", "here.example", "--no-cli", "--no-dtls", "--log-file", "stdout"])
            .args(["-p", &port.to_string(), "--tls-listening-port", &tls_port.to_string()])
            .args(["--cert", "cert.pem", "--pkey", "key.pem", "--pidfile", "pid", "--userdb", "db", "-m", "1"])
            .args(arguments)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            eprintln!("SKIPPED: coturn is not installed (.ci/setup tests installs it)");
            return None;
        };
        let server = Self { process, port, tls_port, folder };
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", tls_port)).is_err() {
            assert!(since.elapsed() < PATIENCE, "coturn does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    fn uri(&self) -> String {
        format!("turn:127.0.0.1:{}", self.port)
    }

    fn authority(&self) -> String {
        self.folder.path().join("cert.pem").to_str().unwrap().to_owned()
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A certificate that signs itself.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:here.example"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "openssl makes no certificate (.ci/setup tests installs it)");
}

/// A port that is free for UDP and TCP.
fn free_port() -> u16 {
    loop {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtcscope"));
    command.arg("turn-check").args(arguments).stdin(Stdio::null()).env_remove("RTCSCOPE_TURN_PASSWORD");
    command
}

/// A short check as JSON: its status and its document.
fn check(arguments: &[&str]) -> (i32, Value) {
    check_for("1", arguments)
}

fn check_for(seconds: &str, arguments: &[&str]) -> (i32, Value) {
    check_with(command(&[&["--format", "json", "--bitrate", "400k", "--duration", seconds], arguments].concat()))
}

fn check_with(mut command: Command) -> (i32, Value) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty(), "{stderr}");
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)));
    (output.status.code().unwrap(), report)
}

/// The names of the steps that ended so.
fn steps<'a>(report: &'a Value, status: &str) -> Vec<&'a str> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps.filter(|step| step["status"] == status).map(|step| step["name"].as_str().unwrap()).collect()
}

/// Checks that a run failed at a step with a code. Gives the advice.
#[track_caller]
fn failed(run: (i32, Value), step: &str, code: u16) -> String {
    let (status, report) = run;
    assert_eq!((status, &report["verdict"]), (1, &Value::from("fail")), "{report:#}");
    assert_eq!(steps(&report, "failed"), [step], "{report:#}");
    let failed = report["steps"].as_array().unwrap().iter().find(|one| one["name"] == step).unwrap();
    assert_eq!(failed["errorCode"], code, "{report:#}");
    assert!(failed["error"].as_str().unwrap().contains(&code.to_string()), "{failed}");
    report["advice"].as_str().unwrap().to_owned()
}

#[track_caller]
fn passed(run: (i32, Value)) -> Value {
    let (status, report) = run;
    assert_eq!((status, &report["verdict"]), (0, &Value::from("pass")), "{report:#}");
    assert_eq!(steps(&report, "failed"), [""; 0], "{report:#}");
    report
}

#[test]
fn every_transport_relays() {
    let Some(server) = Coturn::start(&[]) else { return };
    let tls = format!("turns:127.0.0.1:{}", server.tls_port);
    let authority = server.authority();
    for (uri, transport) in [(server.uri(), "udp"), (server.uri() + "?transport=tcp", "tcp"), (tls.clone(), "tls")] {
        let report = passed(check(&[&uri, "-u", "alice", "-p", "secret", "--ca", &authority]));
        assert_eq!(report["server"]["transport"], transport);
        assert_eq!(
            report["server"]["address"].as_str().unwrap(),
            uri.split(['?']).next().unwrap().split_once(':').unwrap().1
        );
        assert!(report["server"]["roundTripTime"].as_f64().unwrap() > 0.0);
        assert_eq!(steps(&report, "ok").len(), 8, "{report:#}");
        assert_eq!(report["authentication"]["realm"], "here.example");
        assert_eq!(report["authentication"]["passwordAlgorithm"], "md5");
        assert!(report["relayedAddress"].as_str().unwrap().starts_with("127.0.0.1:"));
        assert_eq!(report["mappedAddress"], report["localAddress"]);
        assert_eq!((report["lifetime"].as_f64(), &report["peer"]), (Some(600.0), &Value::from("allocation")));
        assert_eq!(report["relay"].as_array().unwrap().len(), 4);
        assert!(report["latency"].as_f64().unwrap() > 0.0 && report["fractionLost"].as_f64().unwrap() < 0.2);
        let bitrate = report["bitrate"].as_f64().unwrap();
        assert!((300_000.0..500_000.0).contains(&bitrate), "{bitrate}");
    }
    let (status, report) = check(&[&tls, "-u", "alice", "-p", "secret"]);
    assert_eq!((status, steps(&report, "failed")), (1, vec!["connect"]), "{report:#}");
    assert!(report["advice"].as_str().unwrap().contains("--ca"), "{report:#}");
    // Not the certificate's name.
    let other = format!("turns:localhost:{}", server.tls_port);
    let (status, report) = check(&[&other, "-u", "alice", "-p", "secret", "--ca", &authority]);
    assert_eq!(status, 1, "{report:#}");
    assert!(report["advice"].as_str().unwrap().contains("names another host"), "{report:#}");
    // TLS to a port without.
    let (_, report) = check(&[&tls.replace("turns", "turn"), "-u", "alice", "-p", "secret"]);
    assert_eq!(report["verdict"], "fail");
}

#[test]
fn credentials_are_told_apart() {
    let Some(server) = Coturn::start(&[]) else { return };
    let uri = server.uri();
    assert!(failed(check(&[&uri, "-u", "alice", "-p", "wrong"]), "authenticate", 401).contains("Compare both"));
    failed(check(&[&uri, "-u", "bob", "-p", "secret"]), "authenticate", 401);
    assert!(failed(check(&[&uri]), "authenticate", 401).contains("--user"));
    let mut command = command(&[&uri, "-u", "alice", "--format", "json", "--duration", "1"]);
    command.env("RTCSCOPE_TURN_PASSWORD", "secret");
    passed(check_with(command));
}

#[test]
fn shared_secrets() {
    let secret = ["--use-auth-secret", "--static-auth-secret=north", "--allow-loopback-peers"];
    let Some(server) = Coturn::start_with(&secret) else { return };
    let report = passed(check(&[&server.uri(), "--auth-secret", "north", "-u", "alice"]));
    assert!(report["authentication"]["username"].as_str().unwrap().ends_with(":alice"));
    passed(check(&[&server.uri(), "--auth-secret", "north"]));
    let advice = failed(check(&[&server.uri(), "--auth-secret", "south"]), "authenticate", 401);
    assert!(advice.contains("static-auth-secret"), "{advice}");
}

#[test]
fn stale_nonces_are_renewed() {
    let Some(server) = Coturn::start(&["--stale-nonce=1"]) else { return };
    let run = check_for("3", &[&server.uri(), "-u", "alice", "-p", "secret"]);
    let report = passed(run);
    assert!(report["authentication"]["nonceRenewals"].as_u64().unwrap() > 0, "{report:#}");
}

#[test]
fn quotas_and_stopping() {
    let Some(server) = Coturn::start(&["--user-quota=1"]) else { return };
    let uri = server.uri();
    let alone = passed(check(&[&uri, "-u", "alice", "-p", "secret"]));
    assert_eq!(alone["peer"], "socket", "a second allocation is one too many");
    let holder = holder(&uri);
    let advice = failed(check(&[&uri, "-u", "alice", "-p", "secret"]), "allocate", 486);
    assert!(advice.contains("quota"), "{advice}");
    // Told to stop, the other one says what it knows and gives its allocation back.
    let since = Instant::now();
    assert!(Command::new("kill").args(["-INT", &holder.id().to_string()]).status().unwrap().success());
    let output = holder.wait_with_output().unwrap();
    assert!(since.elapsed() < PATIENCE);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["verdict"]), (Some(2), &Value::from("unknown")), "{report:#}");
    assert_eq!((&report["interrupted"], steps(&report, "failed").len()), (&Value::from(true), 0));
    assert!(steps(&report, "ok").contains(&"release"), "{report:#}");
    // Which is there for the next.
    let mut next = self::holder(&uri);
    next.kill().unwrap();
    next.wait().unwrap();
}

/// A long check that holds an allocation. coturn takes a moment to notice that earlier ones were given back.
fn holder(uri: &str) -> Child {
    for _ in 0..10 {
        let mut holder = command(&[uri, "-u", "alice", "-p", "secret", "--duration", "60", "--format", "json"]);
        let mut holder = holder.stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        if holder.try_wait().unwrap().is_none() {
            return holder;
        }
    }
    panic!("no check gets an allocation");
}

#[test]
fn servers_send_elsewhere() {
    let Some(server) = Coturn::start(&[]) else { return };
    let elsewhere = format!("--alternate-server=127.0.0.1:{}", server.port);
    let Some(first) = Coturn::start(&[&elsewhere]) else { return };
    let report = passed(check(&[&first.uri(), "-u", "alice", "-p", "secret"]));
    assert_eq!(report["server"]["address"], format!("127.0.0.1:{}", server.port));
    assert_eq!(report["findings"][0]["rule"], "TRN002", "{report:#}");
    // Or where nobody is.
    let Some(nowhere) = Coturn::start(&["--alternate-server=127.0.0.1:9"]) else { return };
    let (status, report) = check(&[&nowhere.uri(), "-u", "alice", "-p", "secret"]);
    assert_eq!((status, steps(&report, "failed")), (2, vec!["connect"]), "{report:#}");
}

#[test]
fn forbidden_peers() {
    let Some(server) = Coturn::start_with(&["--lt-cred-mech", "-u", "alice:secret"]) else { return };
    let advice = failed(check(&[&server.uri(), "-u", "alice", "-p", "secret"]), "permission", 403);
    assert!(advice.contains("allow-loopback-peers"), "{advice}");
}

#[test]
fn relays_of_the_other_family() {
    let Some(server) = Coturn::start(&[]) else { return };
    failed(check(&[&server.uri(), "-u", "alice", "-p", "secret", "--relay", "ipv6"]), "allocate", 440);
    drop(server);
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED relays_of_the_other_family: this machine has no IPv6");
        return;
    }
    let Some(server) = Coturn::start(&["-L", "::1"]) else { return };
    let uri = format!("turn:[::1]:{}", server.port);
    let report = passed(check(&[&uri, "-u", "alice", "-p", "secret", "--relay", "ipv6"]));
    assert!(report["relayedAddress"].as_str().unwrap().starts_with("[::1]:"), "{report:#}");
}

#[test]
fn allocations_that_expire_are_refreshed() {
    let Some(server) = Coturn::start(&["--max-allocate-lifetime=2"]) else { return };
    let report = passed(check_for("5", &[&server.uri(), "-u", "alice", "-p", "secret"]));
    assert!(report["lifetime"].as_f64().unwrap() <= 5.0, "{report:#}");
}

#[test]
fn an_open_server_is_a_finding() {
    let Some(server) = Coturn::start_with(&["--no-auth", "--allow-loopback-peers"]) else { return };
    let report = passed(check(&[&server.uri()]));
    assert_eq!(steps(&report, "not-required"), ["authenticate"]);
    assert!(report["findings"].as_array().unwrap().iter().any(|finding| finding["rule"] == "TRN004"), "{report:#}");
}

#[test]
fn nothing_could_be_measured() {
    // A socket that takes everything and says nothing, and takes connections.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let _listener = TcpListener::bind(address).unwrap();
    let nobody = format!("turn:127.0.0.1:{}", free_port());
    for (uri, said, advised) in [
        (format!("turn:{address}"), "does not answer over UDP", "?transport=tcp"),
        (nobody.clone(), "nothing listens", "Check the port"),
        (nobody + "?transport=tcp", "nothing listens", "Check the port"),
        ("turn:no-such-host.invalid:3478".to_owned(), "cannot find no-such-host.invalid", "name"),
    ] {
        let (status, report) = check(&[&uri, "-u", "alice", "-p", "secret"]);
        assert_eq!((status, &report["verdict"]), (2, &Value::from("fail")), "{report:#}");
        assert!(report["error"].as_str().unwrap().contains(said), "{report:#}");
        assert!(report["advice"].as_str().unwrap().contains(advised), "{report:#}");
        assert_eq!((&report["relayedAddress"], &report["latency"]), (&Value::Null, &Value::Null));
    }
}

#[test]
fn what_speaks_no_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("turn:{}?transport=tcp", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"\xffHTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        std::thread::sleep(Duration::from_millis(500));
    });
    let (status, report) = check(&[&uri, "-u", "alice", "-p", "secret"]);
    server.join().unwrap();
    assert_eq!(status, 2, "{report:#}");
    assert!(report["error"].as_str().unwrap().contains("does not speak STUN"), "{report:#}");
}

#[test]
fn text_for_people() {
    let Some(server) = Coturn::start(&[]) else { return };
    let run = |arguments: &[&str]| {
        let output = command(arguments).output().unwrap();
        assert!(output.stderr.is_empty());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (status, text) = run(&[&server.uri(), "-u", "alice", "-p", "secret", "--duration", "1"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.starts_with(&format!("Verdict: ✓ PASS, {} relays\n", server.uri())), "{text}");
    assert_eq!(text.matches("  ✓ ").count(), 8, "{text}");
    assert!(text.contains("ChannelData, back") && !text.contains("Findings"), "{text}");
    let (status, text) = run(&[&server.uri(), "-u", "alice", "-p", "wrong"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("✗ authenticate") && text.contains("· allocate"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn wrong_arguments_are_one_sentence() {
    for (arguments, said) in [
        (&[][..], "SERVER"),
        (&["http://a"], "no port"),
        (&["stun:a"], "nat-check"),
        (&["turn:a", "-u", "alice"], "RTCSCOPE_TURN_PASSWORD"),
        (&["turn:a", "--bitrate", "fast"], "64k"),
        (&["turn:a", "--duration", "0"], "--duration"),
        (&["turns:a?transport=udp"], "DTLS"),
        (&["turn:a", "--ca", "/nonexistent"], "no such file"),
        (&["turn:a", "--relay", "ipv5"], "--relay"),
    ] {
        let output = command(arguments).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), message.lines().count()), (Some(2), 1), "{arguments:?}: {message}");
        assert!(message.starts_with("rtcscope: ") && message.contains(said), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty());
    }
}
