//! What a user may type after `turn-check`.

use std::{
    env,
    io::{IsTerminal, stderr},
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::bail;
use clap::{ValueEnum, value_parser};

use super::PageArgs;
use crate::{
    cli::{DocumentFormat, turn_check::TurnCheckConfig},
    probe::{
        net::Trust,
        turn::{credentials::Credentials, message::Family},
        uri::{ServerUri, Service},
    },
};

pub(super) const EXAMPLES: &str = "\
Examples:
  rtcscope turn-check turn:turn.example.org -u alice -p secret
  rtcscope turn-check turn:turn.example.org?transport=tcp -u alice      password in RTCSCOPE_TURN_PASSWORD
  rtcscope turn-check turns:turn.example.org --auth-secret north        credentials of a shared secret
  rtcscope turn-check 192.0.2.1 -u alice -p secret --bitrate 5M --duration 10 --format json

Exit status: 0 it relays as asked, 1 it refuses or does not, 2 nothing could be measured.";

/// Where the password may be, so that it is on no command line.
const PASSWORD_VARIABLE: &str = "RTCSCOPE_TURN_PASSWORD";

/// How long credentials of a shared secret live: longer than any check.
const SECRET_LIFETIME: Duration = Duration::from_secs(86_400);

/// The least and the most to send each way, in bits a second.
const BITRATES: std::ops::RangeInclusive<u64> = 8_000..=1_000_000_000;

#[derive(Debug, clap::Args)]
pub(super) struct TurnCheckArgs {
    /// The server: turn:HOST[:PORT][?transport=udp|tcp], turns:HOST[:PORT], or HOST[:PORT].
    #[arg(value_name = "SERVER", value_parser = server)]
    server: ServerUri,
    /// The user's name.
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// The password; better in the variable RTCSCOPE_TURN_PASSWORD, since others may see the command line.
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "auth_secret", requires = "user")]
    password: Option<String>,
    /// The secret of a server that makes passwords of it (coturn: use-auth-secret); --user may add a name.
    #[arg(long, value_name = "SECRET")]
    auth_secret: Option<String>,
    /// Ask for this kind of relay address instead of the usual one, which is IPv4.
    #[arg(long, value_enum, value_name = "FAMILY")]
    relay: Option<RelayFamily>,
    /// Send so much each way, in bits a second (k, M and G are known).
    #[arg(long, value_name = "RATE", default_value = "1M", value_parser = bitrate)]
    bitrate: u64,
    /// Send for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = value_parser!(u64).range(1..=3_600))]
    duration: u64,
    /// Trust the certificate authorities in this PEM file too.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// What to write: text for people, or one JSON document.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DocumentFormat::Text)]
    format: DocumentFormat,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RelayFamily {
    /// IPv6.
    Ipv6,
    /// IPv4 and IPv6.
    Both,
}

impl TurnCheckArgs {
    pub(super) fn into_config(self) -> anyhow::Result<TurnCheckConfig> {
        let by_secret = self.auth_secret.is_some();
        let credentials = self.credentials()?;
        if let Some(path) = self.ca.as_ref().filter(|path| !path.is_file()) {
            bail!("--ca {}: there is no such file; name a PEM file with certificates", path.display());
        }
        Ok(TurnCheckConfig {
            server: self.server,
            credentials,
            by_secret,
            family: match self.relay {
                None => Family::Usual,
                Some(RelayFamily::Ipv6) => Family::Ipv6,
                Some(RelayFamily::Both) => Family::Both,
            },
            bitrate: self.bitrate,
            duration: Duration::from_secs(self.duration),
            trust: Trust { authorities: self.ca },
            format: self.format,
            text: self.page.text(),
            progress: !self.page.quiet && stderr().is_terminal(),
            output: self.page.output(),
        })
    }

    fn credentials(&self) -> anyhow::Result<Option<Credentials>> {
        if let Some(secret) = &self.auth_secret {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let expires_at = (now + SECRET_LIFETIME).as_secs();
            return Ok(Some(Credentials::ephemeral(secret, expires_at, self.user.as_deref())));
        }
        let Some(user) = &self.user else { return Ok(None) };
        if user.len() > LONGEST_USERNAME {
            bail!("--user takes at most {LONGEST_USERNAME} bytes (RFC 8489 section 14.3)");
        }
        let password = self.password.clone().or_else(|| env::var(PASSWORD_VARIABLE).ok());
        match password {
            Some(password) => Ok(Some(Credentials::new(user.clone(), password))),
            None => bail!("--user needs a password: give --password, or set {PASSWORD_VARIABLE}"),
        }
    }
}

/// Bytes of USERNAME (RFC 8489 section 14.3).
const LONGEST_USERNAME: usize = 508;

fn server(text: &str) -> Result<ServerUri, String> {
    let server = ServerUri::parse(text, Service::Turn).map_err(|error| error.to_string())?;
    if server.service == Service::Stun {
        return Err("turn-check asks TURN servers: write turn: or turns:, or try nat-check".to_owned());
    }
    Ok(server)
}

/// Reads `800k`, `1.5M`, `64000`.
fn bitrate(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (text.get(..at), 1e3),
        Some((at, 'm' | 'M')) => (text.get(..at), 1e6),
        Some((at, 'g' | 'G')) => (text.get(..at), 1e9),
        _ => (Some(text), 1.0),
    };
    let number: Option<f64> = digits.and_then(|digits| digits.parse().ok()).filter(|number: &f64| number.is_finite());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is held in a range")]
    let rate = number.map(|number| (number * unit) as u64).filter(|rate| BITRATES.contains(rate));
    rate.ok_or_else(|| "write bits a second from 8k to 1G, as 64k or 2.5M".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Args, Command, examples};

    fn config(line: &str) -> anyhow::Result<TurnCheckConfig> {
        match Args::try_parse_from(line.split_whitespace())?.into_command()? {
            Command::TurnCheck(config) => Ok(config),
            _ => panic!("{line} is another command"),
        }
    }

    #[test]
    fn examples_work() {
        let lines = examples(EXAMPLES);
        assert_eq!(lines.len(), 4);
        for words in lines {
            assert!(Args::try_parse_from(&words).is_ok(), "{words:?}");
        }
    }

    #[test]
    fn arguments_become_a_configuration() {
        let plain = config("rtcscope turn-check turn:a -u x -p y").unwrap();
        assert_eq!((plain.bitrate, plain.duration, plain.by_secret), (1_000_000, Duration::from_secs(2), false));
        assert_eq!(plain.credentials, Some(Credentials::new("x".into(), "y".into())));
        assert_eq!(plain.server.to_string(), "turn:a");
        let secret = config("rtcscope turn-check a --auth-secret s -u x --bitrate 2.5M --relay both").unwrap();
        assert!(secret.by_secret && secret.credentials.unwrap().username.ends_with(":x"));
        assert_eq!((secret.bitrate, secret.family), (2_500_000, Family::Both));
        assert_eq!(config("rtcscope turn-check a").unwrap().credentials, None);
    }

    #[test]
    fn what_cannot_be_is_said() {
        let error = |line: &str| format!("{:#}", config(line).unwrap_err());
        assert!(error("rtcscope turn-check stun:a").contains("nat-check"));
        assert!(error("rtcscope turn-check a -u x -p y --bitrate 1").contains("64k"));
        assert!(error("rtcscope turn-check a -u x -p y --bitrate xM").contains("64k"));
        assert!(error("rtcscope turn-check a -u x -p y --duration 0").contains("duration"));
        assert!(error("rtcscope turn-check a -p y").contains("--user"));
        assert!(error("rtcscope turn-check a --auth-secret s -u x -p y").contains("--password"));
        assert!(error("rtcscope turn-check a -u x -p y --ca /nonexistent").contains("no such file"));
        assert!(error("rtcscope turn-check turns:a?transport=udp -u x -p y").contains("DTLS"));
    }
}
