//! How many Binding requests a second `rtcscope stun-server` answers on one core, beside coturn in the same run:
//! `cargo bench --bench stun_server`.
//!
//! The server runs on core 0 and the client on core 1 (`taskset`), with requests always waiting. Two numbers are told:
//! the rate, which the client or the machine may bound, and requests per second of the server's own processor time,
//! which is what one core could do.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long each server is asked.
const DURATION: Duration = Duration::from_secs(5);

/// Requests on their way at once, on each socket.
const WINDOW: usize = 32;

/// Sockets of the client.
const SOCKETS: usize = 8;

/// Ticks a second of the times in /proc (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

fn main() {
    pin(std::process::id(), "1");
    let mut ours = Running(
        Command::new("taskset")
            .args(["-c", "0", env!("CARGO_BIN_EXE_rtcscope"), "stun-server", "--rate-limit", "0"])
            .args(["--listen", "127.0.0.1:0", "--alternate", "127.0.0.2:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(ours.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_start_matches("listening on ").split(',').next().unwrap().parse().unwrap();
    let ours = measure("rtcscope stun-server", &ours, address);
    let theirs = coturn().map(|(server, address)| measure("coturn", &server, address));
    if let Some(theirs) = theirs {
        println!("rtcscope answers {:.2} times as many requests per processor second as coturn", ours / theirs);
    }
}

/// coturn, if it is installed, with the same two addresses and no more threads than it needs.
fn coturn() -> Option<(Running, SocketAddr)> {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new("taskset")
        .args(["-c", "0", "turnserver", "-n", "-L", "127.0.0.1", "-L", "127.0.0.2", "-p", &port.to_string()])
        .args(["-m", "1", "--stun-only", "--no-tls", "--no-dtls", "--no-cli", "--log-file", "/dev/null", "--pidfile"])
        .arg("/dev/null")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let server = Running(server);
    std::thread::sleep(Duration::from_secs(2));
    Some((server, SocketAddr::from(([127, 0, 0, 1], port))))
}

/// A server, ended with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Seconds of processor time that it took so far.
    fn processor_time(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
    }
}

/// Asks a server for a while. Gives requests per second of its processor time.
fn measure(name: &str, server: &Running, address: SocketAddr) -> f64 {
    let sockets: Vec<UdpSocket> = (0..SOCKETS).map(|_| socket(address)).collect();
    let mut request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let mut buffer = [0; 512];
    let (mut sent, mut answered, mut number) = (0_u64, 0_u64, 0_u32);
    let (began, before) = (Instant::now(), server.processor_time());
    while began.elapsed() < DURATION {
        for socket in &sockets {
            for _ in 0..WINDOW {
                number += 1;
                request[16..].copy_from_slice(&number.to_be_bytes());
                sent += u64::from(socket.send(&request).is_ok());
            }
        }
        for socket in &sockets {
            for _ in 0..WINDOW {
                match socket.recv(&mut buffer) {
                    Ok(_) => answered += 1,
                    Err(_) => break,
                }
            }
        }
    }
    let (took, busy) = (began.elapsed().as_secs_f64(), server.processor_time() - before);
    let (rate, per_second) = (answered as f64 / took, answered as f64 / busy);
    println!(
        "{name}: {rate:.0} requests a second, {:.2} % without an answer; busy {:.0} % of one core, that is \
         {per_second:.0} requests per processor second",
        (sent - answered) as f64 * 100.0 / sent as f64,
        busy / took * 100.0
    );
    per_second
}

fn socket(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    socket
}

/// Keeps a process on one core.
fn pin(process: u32, core: &str) {
    let pinned = Command::new("taskset").args(["-cp", core, &process.to_string()]).stdout(Stdio::null()).status();
    assert!(pinned.is_ok_and(|status| status.success()), "taskset (util-linux) keeps the processes apart");
}
