//! What a user may type after `stun-server`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
};

use anyhow::bail;

use crate::{
    cli::stun_server::StunServerConfig,
    probe::server::{
        Config,
        listen::{Listen, ListenAddress},
    },
};

pub(super) const EXAMPLES: &str = "\
Examples:
  rtcscope stun-server                                             port 3478 of all addresses
  rtcscope stun-server --listen 192.0.2.1 --alternate 192.0.2.2    for nat-check: ports 3478 and 3479 of both
  rtcscope stun-server --listen 127.0.0.1:0                        a free port, which the first line names

It runs until Ctrl-C or SIGTERM. Exit status: 0 it was stopped, 2 it could not start.";

/// What SOFTWARE says where the user gives no text of his own.
const SOFTWARE: &str = concat!("rtcscope ", env!("CARGO_PKG_VERSION"));

/// Characters of SOFTWARE (RFC 8489 section 14.14).
const LONGEST_SOFTWARE: usize = 127;

#[derive(Debug, clap::Args)]
pub(super) struct StunServerArgs {
    /// Listen here, UDP and TCP; port 0 is any free one. May be given for IPv4 and for IPv6. [default: port 3478 of all
    /// addresses]
    #[arg(long, value_name = "ADDR[:PORT]")]
    listen: Vec<ListenAddress>,
    /// The second address and port that RFC 5780 asks for, of the same family; the port is by default the next one.
    #[arg(long, value_name = "ADDR[:PORT]")]
    alternate: Vec<ListenAddress>,
    /// Tell clients what answers them (SOFTWARE): this text, or name and version.
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = SOFTWARE)]
    software: Option<String>,
    /// Responses a second for one IPv4 address or one IPv6 network of 64 bits; 0 for any number.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate_limit: u32,
}

impl StunServerArgs {
    pub(super) fn into_config(self) -> anyhow::Result<StunServerConfig> {
        if self.software.as_ref().is_some_and(|text| text.chars().count() > LONGEST_SOFTWARE) {
            bail!("--software takes at most {LONGEST_SOFTWARE} characters");
        }
        let answers = Config { software: self.software.clone(), rate_limit: NonZeroU32::new(self.rate_limit) };
        let everywhere = self.listen.is_empty() && self.alternate.is_empty();
        if everywhere {
            let of_all = |ip: IpAddr| Listen::new(ListenAddress { ip, port: None }, None);
            let listen = vec![of_all(Ipv4Addr::UNSPECIFIED.into())?, of_all(Ipv6Addr::UNSPECIFIED.into())?];
            return Ok(StunServerConfig { listen, everywhere, answers });
        }
        let mut listen = Vec::new();
        for is_ipv4 in [true, false] {
            let primary = only("--listen", &self.listen, is_ipv4)?;
            let alternate = only("--alternate", &self.alternate, is_ipv4)?;
            match (primary, alternate) {
                (Some(primary), alternate) => listen.push(Listen::new(primary, alternate)?),
                (None, Some(alternate)) => {
                    bail!("--alternate {} needs a --listen address of the same family", alternate.ip)
                }
                (None, None) => {}
            }
        }
        Ok(StunServerConfig { listen, everywhere, answers })
    }
}

/// The one address of a family, if there is one.
fn only(option: &str, addresses: &[ListenAddress], is_ipv4: bool) -> anyhow::Result<Option<ListenAddress>> {
    let mut of_family = addresses.iter().filter(|address| address.ip.is_ipv4() == is_ipv4);
    let first = of_family.next();
    if let Some(second) = of_family.next() {
        bail!("{option} takes one address of each family, and {} is a second one; start another server", second.ip);
    }
    Ok(first.copied())
}

#[cfg(test)]
mod tests {
    use crate::cli::args::{Args, Command};

    use clap::Parser;

    use super::*;

    #[test]
    fn examples_work() {
        let examples = EXAMPLES.lines().filter(|line| line.starts_with("  rtcscope "));
        let mut tried = 0;
        for line in examples {
            let line = line.trim().split("   ").next().unwrap();
            let command = Args::try_parse_from(line.split_whitespace()).unwrap().into_command().unwrap();
            assert!(matches!(command, Command::StunServer(_)));
            tried += 1;
        }
        assert_eq!(tried, 3);
    }

    #[test]
    fn arguments_become_a_configuration() {
        let config = |line: &str| match Args::try_parse_from(line.split_whitespace()).unwrap().into_command() {
            Ok(Command::StunServer(config)) => config,
            other => panic!("{line}: {other:?}"),
        };
        let plain = config("rtcscope stun-server");
        assert!(plain.everywhere && plain.listen.len() == 2 && plain.answers.software.is_none());
        assert_eq!(plain.answers.rate_limit, NonZeroU32::new(1_000));
        let other = config("rtcscope stun-server --listen [::1]:0 --listen 127.0.0.1 --software --rate-limit 0");
        assert_eq!((other.everywhere, other.listen.len()), (false, 2));
        assert_eq!(other.answers.software.as_deref(), Some(SOFTWARE));
        assert_eq!(other.answers.rate_limit, None);
    }
}
