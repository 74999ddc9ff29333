//! Real NATs of Linux between network namespaces: `cli -- nat [-- nat2] -- srv`. Each lab has names of its own, so that
//! many run side by side, and takes everything away when it is dropped.
//!
//! ```text
//! cli 10.9.0.2 -- 10.9.0.1 nat 203.0.113.1 -- 203.0.113.254 srv 198.51.100.1 and .2 (loopback)
//! cli 10.9.0.2 -- 10.9.0.1 nat 100.64.0.2 -- 100.64.0.1 nat2 203.0.113.1 -- 203.0.113.254 srv
//! ```
//!
//! IPv6 runs beside it, without a NAT: cli 2001:db8:9::2, srv 2001:db8:51::1 and ::2.

use std::{
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The server's addresses.
pub const SERVER: &str = "198.51.100.1";
pub const ALTERNATE: &str = "198.51.100.2";

/// Namespaces with a NAT between two of them.
pub struct Lab {
    name: String,
    spaces: Vec<&'static str>,
    servers: Vec<Child>,
}

/// What answers STUN at both of the server's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Ours.
    Own,
    /// coturn, of RFC 5780.
    Coturn,
    /// Debian's `stun-server`, of RFC 3489.
    Classic,
}

static LABS: AtomicU32 = AtomicU32::new(0);

/// Whether namespaces can be made here; else says loudly that a test is left out.
pub fn is_possible() -> bool {
    let name = format!("rtcs-try-{}", std::process::id());
    let made = command("ip", &["netns", "add", &name]).output();
    let possible = made.is_ok_and(|made| made.status.success())
        && command("ip", &["netns", "exec", &name, "nft", "list", "ruleset"])
            .output()
            .is_ok_and(|tried| tried.status.success());
    let _ = command("ip", &["netns", "del", &name]).output();
    if !possible {
        eprintln!("SKIPPED, NOT TESTED: no network namespaces here (run as root, with iproute2 and nftables)");
    }
    possible
}

/// Whether a program is there; else says loudly that a part is left out.
pub fn has(program: &str) -> bool {
    let found = command("sh", &["-c", &format!("PATH=$PATH:/usr/sbin command -v {program}")]).output();
    let found = found.is_ok_and(|found| found.status.success());
    if !found {
        eprintln!("SKIPPED, NOT TESTED: {program} is not installed (.ci/setup tests)");
    }
    found
}

impl Lab {
    /// Builds one, with these nftables rules in the NAT, and in the second NAT where there is to be one.
    pub fn new(rules: &str, second: Option<&str>) -> Self {
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let spaces = if second.is_some() { vec!["cli", "nat", "nat2", "srv"] } else { vec!["cli", "nat", "srv"] };
        let lab = Self { name: format!("rtcs-{}-{number}", std::process::id()), spaces, servers: Vec::new() };
        for space in &lab.spaces {
            run("ip", &["netns", "add", &lab.space(space)]);
            lab.ip(space, "link set lo up");
            lab.sysctl(space, "net.ipv4.ip_forward=1");
            lab.sysctl(space, "net.ipv6.conf.all.forwarding=1");
        }
        lab.link(("cli", "eth0", "10.9.0.2/24", "2001:db8:9::2/64"), ("nat", "lan", "10.9.0.1/24", "2001:db8:9::1/64"));
        lab.route("cli", "default", "10.9.0.1", "2001:db8:9::1");
        let (outer, wan, wan6) = match second {
            None => ("nat", "203.0.113.1/24", "2001:db8:203::1/64"),
            Some(_) => {
                let inner = ("nat", "wan", "100.64.0.2/24", "2001:db8:64::2/64");
                lab.link(inner, ("nat2", "lan", "100.64.0.1/24", "2001:db8:64::1/64"));
                lab.route("nat", "default", "100.64.0.1", "2001:db8:64::1");
                lab.ip("nat2", "-6 route add 2001:db8:9::/64 via 2001:db8:64::2");
                ("nat2", "203.0.113.1/24", "2001:db8:203::1/64")
            }
        };
        lab.link((outer, "wan", wan, wan6), ("srv", "isp", "203.0.113.254/24", "2001:db8:203::254/64"));
        lab.route(outer, "default", "203.0.113.254", "2001:db8:203::254");
        // What is behind the NAT can be reached where there is none.
        lab.route("srv", "10.9.0.0/24", "203.0.113.1", "2001:db8:203::1");
        lab.ip("srv", "-6 route add 2001:db8:9::/64 via 2001:db8:203::1");
        for address in [SERVER, ALTERNATE, "2001:db8:51::1", "2001:db8:51::2"] {
            lab.ip("srv", &format!("addr add {address} dev lo"));
        }
        lab.nft("nat", rules);
        if let Some(rules) = second {
            lab.nft("nat2", rules);
        }
        lab
    }

    /// Starts a server at both addresses and waits until it listens.
    pub fn serve(&mut self, server: Server) {
        let pid_file = format!("/tmp/{}.pid", self.name);
        let own = format!(
            "{} stun-server --listen {SERVER} --alternate {ALTERNATE} --listen 2001:db8:51::1 --alternate 2001:db8:51::2",
            env!("CARGO_BIN_EXE_rtcscope")
        );
        let line = match server {
            Server::Own => own,
            Server::Coturn => format!(
                "turnserver -n -L {SERVER} -L {ALTERNATE} -L 2001:db8:51::1 -L 2001:db8:51::2 --no-auth --no-tls \
                 --no-dtls --no-cli --pidfile {pid_file} --log-file /dev/null"
            ),
            Server::Classic => format!("stund -h {SERVER} -a {ALTERNATE}"),
        };
        self.start("srv", &line);
        self.wait_for_port(3478);
        if server == Server::Coturn {
            // It opens its second port last.
            self.wait_for_port(3479);
        }
    }

    /// Runs a program in a namespace until the lab is taken down.
    pub fn start(&mut self, space: &str, line: &str) {
        let mut command = self.command(space, line);
        self.servers.push(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    /// Waits until something listens at the server's address on this UDP port.
    pub fn wait_for_port(&self, port: u16) {
        let began = Instant::now();
        let wanted = format!("{SERVER}:{port} ");
        while began.elapsed() < Duration::from_secs(20) {
            let listening = self.command("srv", "ss -Huln").output().unwrap().stdout;
            if String::from_utf8_lossy(&listening).contains(&wanted) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{}: no server listens on {wanted}", self.name);
    }

    /// Runs `rtcscope` with these arguments where the client is.
    pub fn rtcscope(&self, arguments: &str) -> Output {
        let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_rtcscope"));
        self.command("cli", &line).stdin(Stdio::null()).output().unwrap()
    }

    /// A command line in a namespace.
    pub fn command(&self, space: &str, line: &str) -> Command {
        let space = self.space(space);
        let mut words = vec!["netns", "exec", space.as_str()];
        words.extend(line.split_whitespace());
        command("ip", &words)
    }

    /// Adds nftables rules.
    pub fn nft(&self, space: &str, rules: &str) {
        if !rules.is_empty() {
            run("ip", &["netns", "exec", &self.space(space), "nft", rules]);
        }
    }

    /// Changes addresses, links or routes.
    pub fn ip(&self, space: &str, line: &str) {
        let space = self.space(space);
        let mut words = vec!["-n", space.as_str()];
        words.extend(line.split_whitespace());
        run("ip", &words);
    }

    /// Sets a variable of the kernel.
    pub fn sysctl(&self, space: &str, setting: &str) {
        run("ip", &["netns", "exec", &self.space(space), "sysctl", "-qw", setting]);
    }

    /// A veth pair: namespace, name and addresses of each end.
    fn link(&self, one: (&str, &str, &str, &str), other: (&str, &str, &str, &str)) {
        let (one_space, other_space) = (self.space(one.0), self.space(other.0));
        run(
            "ip",
            &[
                "link",
                "add",
                one.1,
                "netns",
                &one_space,
                "type",
                "veth",
                "peer",
                "name",
                other.1,
                "netns",
                &other_space,
            ],
        );
        for (space, name, v4, v6) in [one, other] {
            self.ip(space, &format!("addr add {v4} dev {name}"));
            self.ip(space, &format!("addr add {v6} dev {name} nodad"));
            self.ip(space, &format!("link set {name} up"));
        }
    }

    fn route(&self, space: &str, to: &str, v4: &str, v6: &str) {
        self.ip(space, &format!("route add {to} via {v4}"));
        if to == "default" {
            self.ip(space, &format!("-6 route add default via {v6}"));
        }
    }

    fn space(&self, space: &str) -> String {
        format!("{}-{space}", self.name)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
        for space in &self.spaces {
            let _ = command("ip", &["netns", "del", &self.space(space)]).output();
        }
        let _ = std::fs::remove_file(format!("/tmp/{}.pid", self.name));
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(arguments).env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

fn run(program: &str, arguments: &[&str]) {
    let output = command(program, arguments).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {message}", arguments.join(" "));
}
