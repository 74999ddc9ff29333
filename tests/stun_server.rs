//! `rtcscope stun-server` as clients meet it: ours, the classic one of Debian, and those of coturn.

#![cfg(unix)]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rtcscope::wire::stun::{Class, Message, Value, kind};

const PATIENCE: Duration = Duration::from_secs(5);

/// A running server. It is stopped when dropped.
struct Server {
    process: Child,
    primary: SocketAddr,
    alternate: Option<SocketAddr>,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut process = command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let addresses = line.strip_prefix("listening on ").and_then(|line| line.strip_suffix(" (UDP and TCP)\n"));
        let mut addresses = addresses.unwrap_or_else(|| panic!("{line:?}")).split(", alternate ");
        let primary = addresses.next().unwrap().parse().unwrap();
        let alternate = addresses.next().map(|address| address.parse().unwrap());
        Self { process, primary, alternate }
    }

    fn pair() -> Self {
        Self::start(&["--listen", "127.0.0.1:0", "--alternate", "127.0.0.2:0"])
    }

    /// Sends a signal and waits for the end.
    fn stop(mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let since = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            assert!(since.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtcscope"));
    command.arg("stun-server").args(arguments).stdin(Stdio::null());
    command
}

fn refusal(arguments: &[&str]) -> String {
    let output = command(arguments).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty());
    assert_eq!(message.lines().count(), 1, "{arguments:?}: {message}");
    assert!(!message.contains("os error"), "{arguments:?}: {message}");
    message.strip_prefix("rtcscope: ").unwrap().trim_end().to_owned()
}

fn request(attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    [&[0, 1][..], &length, &[0x21, 0x12, 0xa4, 0x42], &[5; 12], attributes].concat()
}

fn socket(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn address(message: &[u8], kind: u16) -> Option<SocketAddr> {
    match Message::parse(message).unwrap().attribute(kind)?.value().unwrap() {
        Value::Address(endpoint) => Some(SocketAddr::new(endpoint.ip(), endpoint.port())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_place_answers_from_every_place() {
    let server = Server::pair();
    let (primary, alternate) = (server.primary, server.alternate.unwrap());
    let socket = socket("127.0.0.1:0");
    let mut buffer = [0; 2_048];
    for (ip, other_ip) in [(primary.ip(), alternate.ip()), (alternate.ip(), primary.ip())] {
        for (port, other_port) in [(primary.port(), alternate.port()), (alternate.port(), primary.port())] {
            for flags in [0, 2, 4, 6] {
                let bytes = request(&[0, 3, 0, 4, 0, 0, 0, flags]);
                socket.send_to(&bytes, (ip, port)).unwrap();
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                let expected = SocketAddr::new(
                    if flags & 4 == 0 { ip } else { other_ip },
                    if flags & 2 == 0 { port } else { other_port },
                );
                assert_eq!(from, expected);
                let answer = &buffer[..length];
                assert_eq!(address(answer, kind::RESPONSE_ORIGIN), Some(expected));
                assert_eq!(address(answer, kind::OTHER_ADDRESS), Some(SocketAddr::new(other_ip, other_port)));
                assert_eq!(address(answer, kind::XOR_MAPPED_ADDRESS), Some(socket.local_addr().unwrap()));
            }
        }
    }
}

#[test]
fn responses_go_to_another_port() {
    let server = Server::pair();
    let (asks, hears) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    let [high, low] = hears.local_addr().unwrap().port().to_be_bytes();
    asks.send_to(&request(&[0, 0x27, 0, 4, high, low, 0, 0]), server.primary).unwrap();
    let mut buffer = [0; 2_048];
    let (length, from) = hears.recv_from(&mut buffer).unwrap();
    assert_eq!(from, server.primary);
    assert_eq!(address(&buffer[..length], kind::XOR_MAPPED_ADDRESS), Some(asks.local_addr().unwrap()));
}

#[test]
fn large_requests_have_large_answers() {
    let server = Server::pair();
    let socket = socket("127.0.0.1:0");
    let bytes = request(&[&[0, 0x26, 0x0f, 0xa0][..], &[0; 4_000]].concat());
    socket.send_to(&bytes, server.primary).unwrap();
    let mut buffer = [0; 8_192];
    assert_eq!(socket.recv(&mut buffer).unwrap(), bytes.len());
}

#[test]
fn streams_carry_many_requests() {
    let server = Server::pair();
    let mut stream = TcpStream::connect(server.primary).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&request(&[]).repeat(3)).unwrap();
    let mut answers = [0; 3 * 68];
    stream.read_exact(&mut answers).unwrap();
    for answer in answers.chunks(68) {
        assert_eq!(Message::parse(answer).unwrap().class(), Class::Success);
        assert_eq!(address(answer, kind::XOR_MAPPED_ADDRESS), Some(stream.local_addr().unwrap()));
    }
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    match stream.read(&mut answers) {
        Ok(length) => assert_eq!(length, 0, "what is no STUN ends the connection"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    // Nor does that end the server.
    let mut stream = TcpStream::connect(server.alternate.unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&request(&[])).unwrap();
    stream.read_exact(&mut answers[..68]).unwrap();
}

#[test]
fn both_families_at_once() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED both_families_at_once: this machine has no IPv6");
        return;
    }
    let mut process =
        command(&["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let listed = line.trim_start_matches("listening on ").trim_end_matches(" (UDP and TCP)\n").split("; ");
    let listed: Vec<SocketAddr> = listed.map(|address| address.parse().unwrap()).collect();
    let server = Server { process, primary: listed[0], alternate: None };
    let mut buffer = [0; 2_048];
    for (own, to) in [("127.0.0.1:0", listed[0]), ("[::1]:0", listed[1])] {
        let socket = socket(own);
        socket.send_to(&request(&[]), to).unwrap();
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from, to);
        assert_eq!(address(&buffer[..length], kind::XOR_MAPPED_ADDRESS), Some(socket.local_addr().unwrap()));
    }
    assert_eq!(server.stop("-INT"), Some(0));
}

#[test]
fn signals_end_it_well() {
    for signal in ["-INT", "-TERM"] {
        assert_eq!(Server::pair().stop(signal), Some(0), "{signal}");
    }
}

#[test]
fn what_cannot_be_is_said_in_one_sentence() {
    let server = Server::pair();
    let taken = server.primary.to_string();
    assert_eq!(
        refusal(&["--listen", &taken]),
        format!(
            "cannot listen on {taken} (UDP): another program uses this port; name another one, or 0 for any that is \
             free"
        )
    );
    assert!(refusal(&["--listen", "192.0.2.1"]).contains("does not have the address"));
    assert!(refusal(&["--alternate", "127.0.0.2"]).contains("--listen address of the same family"));
    assert!(refusal(&["--listen", "127.0.0.1", "--alternate", "127.0.0.1"]).contains("another address"));
    assert!(refusal(&["--listen", "0.0.0.0", "--alternate", "127.0.0.1"]).contains("must be named"));
    assert!(refusal(&["--listen", "127.0.0.1", "--listen", "127.0.0.2"]).contains("one address of each family"));
    assert!(refusal(&["--listen", "localhost"]).contains("write ADDRESS"));
    assert!(refusal(&["--rate-limit", "x"]).contains("--rate-limit"));
    assert!(refusal(&["--software", &"x".repeat(200)]).contains("127 characters"));
}

/// The output of a program, or `None`, loudly, where it is not installed.
fn foreign(program: &str, arguments: &[&str]) -> Option<String> {
    let run = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let Ok(Output { stdout, stderr, .. }) = run else {
        eprintln!("SKIPPED: {program} is not installed (.ci/setup tests installs it)");
        return None;
    };
    Some(String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// The client of RFC 3489 asks on port 3478 and looks for the server's other address.
#[test]
fn the_classic_client_understands_it() {
    let server = Server::pair();
    let Some(said) = foreign("stun", &[&server.primary.to_string()]) else { return };
    // Without a NAT it finds none.
    assert!(said.contains("Primary: Open"), "{said}");
    assert!(said.contains("Return value is 0x000001"), "{said}");
}

#[test]
fn the_clients_of_coturn_understand_it() {
    let server = Server::pair();
    let (ip, port) = (server.primary.ip().to_string(), server.primary.port().to_string());
    let Some(said) = foreign("turnutils_stunclient", &["-p", &port, &ip]) else { return };
    assert!(said.contains("UDP reflexive addr: 127.0.0.1:"), "{said}");
    let Some(said) = foreign("turnutils_natdiscovery", &["-m", "-f", "-p", &port, &ip]) else { return };
    assert!(said.contains("NAT with Endpoint Independent Mapping!"), "{said}");
    assert!(said.contains("NAT with Endpoint Independent Filtering!"), "{said}");
}
