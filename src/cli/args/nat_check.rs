//! What a user may type after `nat-check`.

use std::{
    io::{IsTerminal, stderr},
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use clap::value_parser;

use super::PageArgs;
use crate::{
    cli::{
        DocumentFormat,
        nat_check::{NatCheckConfig, Place},
    },
    probe::{
        net::Trust,
        uri::{ServerUri, Service},
    },
    report::text::{Details, TextOptions},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  rtcscope nat-check                                    with a few public servers
  rtcscope nat-check --server stun.example.org          mapping and filtering, where it has two addresses
  rtcscope nat-check --server stuns:stun.example.org    over TLS
  rtcscope nat-check --server a.example.org --server b.example.org:3479 --format json
  rtcscope nat-check --interface wlan0 --interface wwan0 --server stun.example.org

Exit status: 0 two peers behind such a network can talk directly, 1 they need a relay, 2 that could not be measured.";

/// Seconds for which a binding is watched where --lifetime has no value: twice what RFC 4787 REQ-5 asks for.
const LIFETIME: &str = "240";

/// Interfaces and addresses that are tried in one run.
const MOST_PLACES: usize = 16;

/// Servers that are asked in one run.
const MOST_SERVERS: usize = 32;

#[derive(Debug, clap::Args)]
pub(super) struct NatCheckArgs {
    /// Ask this STUN server: HOST[:PORT], or a URI like stun:HOST?transport=tcp or stuns:HOST. May be given more than
    /// once; the first with two addresses tests the filter. [default: a few public ones]
    #[arg(long = "server", value_name = "SERVER", value_parser = server)]
    servers: Vec<ServerUri>,
    /// Go out by this interface. May be given more than once.
    #[arg(long = "interface", value_name = "NAME", conflicts_with = "locals")]
    interfaces: Vec<String>,
    /// Go out from this local address. May be given more than once.
    #[arg(long = "local", value_name = "ADDR")]
    locals: Vec<IpAddr>,
    /// Try IPv4 only.
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Try IPv6 only.
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Measure how long an idle binding lives, watching it for so many seconds.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = LIFETIME,
        value_parser = value_parser!(u64).range(1..=3_600))]
    lifetime: Option<u64>,
    /// Test whether fragments pass.
    #[arg(long)]
    fragments: bool,
    /// Wait for answers as long as RFC 8489 has it: 39.5 s for each.
    #[arg(long)]
    patient: bool,
    /// Trust the certificate authorities in this PEM file too.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// What to write: text for people, or one JSON document.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DocumentFormat::Text)]
    format: DocumentFormat,
    /// Show every test.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    page: PageArgs,
}

impl NatCheckArgs {
    pub(super) fn into_config(self) -> anyhow::Result<NatCheckConfig> {
        if self.servers.len() > MOST_SERVERS {
            bail!("at most {MOST_SERVERS} servers are asked in one run; leave some out");
        }
        if let Some(missing) = self.interfaces.iter().find(|name| !is_interface(name)) {
            bail!("this machine has no interface {missing}; \"ip link\" lists those that it has");
        }
        if let Some(local) =
            self.locals.iter().find(|local| local.is_ipv4() && self.ipv6 || local.is_ipv6() && self.ipv4)
        {
            bail!("--local {local} is of the other version of IP than the one asked for");
        }
        let mut places: Vec<Place> = self.interfaces.into_iter().map(Place::Interface).collect();
        places.extend(self.locals.into_iter().map(Place::Address));
        if places.is_empty() {
            places.push(Place::Anywhere);
        }
        if places.len() > MOST_PLACES {
            bail!("at most {MOST_PLACES} interfaces or addresses are tried in one run; leave some out");
        }
        let details = if self.verbose { Details::All } else { Details::Auto };
        Ok(NatCheckConfig {
            servers: self.servers,
            places,
            ipv4: !self.ipv6,
            ipv6: !self.ipv4,
            lifetime: self.lifetime.map(Duration::from_secs),
            fragments: self.fragments,
            patient: self.patient,
            trust: Trust { authorities: self.ca },
            format: self.format,
            text: TextOptions { details, ..self.page.text() },
            progress: !self.page.quiet && stderr().is_terminal(),
            output: self.page.output(),
        })
    }
}

fn server(text: &str) -> Result<ServerUri, String> {
    let server = ServerUri::parse(text, Service::Stun).map_err(|error| error.to_string())?;
    if server.service == Service::Turn {
        return Err("nat-check asks STUN servers: write stun: or stuns:, or try turn-check".to_owned());
    }
    Ok(server)
}

/// Whether the system has an interface of this name; where it does not say, the attempt will tell.
fn is_interface(name: &str) -> bool {
    let folder = Path::new("/sys/class/net");
    let is_name = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
    is_name && (!folder.is_dir() || folder.join(name).exists())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{
        Command,
        args::{Args, examples},
    };

    fn command(line: &str) -> anyhow::Result<NatCheckConfig> {
        match Args::try_parse_from(line.split_whitespace())?.into_command()? {
            Command::NatCheck(config) => Ok(config),
            _ => bail!("{line} is another command"),
        }
    }

    fn config(line: &str) -> NatCheckConfig {
        command(line).unwrap()
    }

    fn error(line: &str) -> String {
        format!("{:#}", command(line).unwrap_err())
    }

    #[test]
    fn arguments_become_a_configuration() {
        let plain = config("rtcscope nat-check");
        assert_eq!((plain.servers.len(), plain.lifetime, plain.patient), (0, None, false));
        assert_eq!((plain.ipv4, plain.ipv6, plain.places), (true, true, vec![Place::Anywhere]));
        let full = config(
            "rtcscope nat-check --server a --server stuns:b:443 --local 192.0.2.1 --local 2001:db8::1 --fragments \
             --lifetime --patient --format json -v",
        );
        let names: Vec<String> = full.servers.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["stun:a", "stuns:b:443"]);
        assert_eq!(full.lifetime, Some(Duration::from_secs(240)));
        assert_eq!((full.fragments, full.patient, full.format), (true, true, DocumentFormat::Json));
        assert_eq!(full.places.len(), 2);
        assert_eq!(full.text.details, Details::All);
        assert_eq!(config("rtcscope nat-check --lifetime 30").lifetime, Some(Duration::from_secs(30)));
        assert!(!config("rtcscope nat-check -4").ipv6);
    }

    /// Each command line in the help text is one that we take, but for the interfaces, which this machine may not have.
    #[test]
    fn examples_work() {
        let lines = examples(EXAMPLES);
        assert_eq!(lines.len(), 5);
        for words in lines {
            let args = Args::try_parse_from(&words).unwrap();
            if !words.contains(&"--interface") {
                args.into_command().unwrap();
            }
        }
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert!(error("rtcscope nat-check --server a:0").contains("no port"));
        assert!(error("rtcscope nat-check --server turn:a").contains("turn-check"));
        assert!(error("rtcscope nat-check --interface no-such-0").contains("no interface no-such-0"));
        assert!(error("rtcscope nat-check --interface lo --local ::1").contains("cannot be used with"));
        assert!(error("rtcscope nat-check -6 --local 192.0.2.1").contains("other version of IP"));
        assert!(error("rtcscope nat-check -4 -6").contains("cannot be used with"));
        assert!(error("rtcscope nat-check --lifetime 0").contains("0"));
        let many = "rtcscope nat-check".to_owned() + &" --server a".repeat(MOST_SERVERS + 1);
        assert!(error(&many).contains("at most 32 servers"));
    }
}
