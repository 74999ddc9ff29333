//! The names of servers: `stun:`, `stuns:` (RFC 7064), `turn:` and `turns:` URIs (RFC 7065), and `HOST[:PORT]`.

use std::{fmt, net::IpAddr, str::FromStr};

use super::Transport;

/// The port of STUN and TURN over UDP and TCP (RFC 8489 section 18.6).
pub const PORT: u16 = 3478;

/// The port of STUN and TURN over TLS.
pub const TLS_PORT: u16 = 5349;

/// What a server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Addresses.
    Stun,
    /// Relaying.
    Turn,
}

/// A server as a user names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerUri {
    /// What it is asked for.
    pub service: Service,
    /// What carries the messages.
    pub transport: Transport,
    /// Where it is.
    pub host: Host,
    /// Its port; `None` has DNS asked for it, and is the usual one where DNS does not know (RFC 8489 section 8).
    pub port: Option<u16>,
}

/// A host by name or address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name for DNS.
    Name(String),
}

impl ServerUri {
    /// The port to use where neither the user nor DNS names one.
    #[must_use]
    pub const fn usual_port(&self) -> u16 {
        match self.transport {
            Transport::Tls => TLS_PORT,
            Transport::Udp | Transport::Tcp => PORT,
        }
    }

    /// The same server over another transport, at that transport's usual port where the port is the usual one.
    #[must_use]
    pub fn over(&self, transport: Transport) -> Self {
        let port = self.port.filter(|port| *port != self.usual_port());
        Self { transport, port, ..self.clone() }
    }

    /// The service and protocol labels of its SRV record (RFC 8489 section 8, RFC 5928 section 3): `_stun._udp`.
    #[must_use]
    pub const fn service_labels(&self) -> &'static str {
        match (self.service, self.transport) {
            (Service::Stun, Transport::Udp) => "_stun._udp",
            (Service::Stun, Transport::Tcp) => "_stun._tcp",
            (Service::Stun, Transport::Tls) => "_stuns._tcp",
            (Service::Turn, Transport::Udp) => "_turn._udp",
            (Service::Turn, Transport::Tcp) => "_turn._tcp",
            (Service::Turn, Transport::Tls) => "_turns._tcp",
        }
    }

    /// Reads `HOST[:PORT]` or a URI of either service; a bare host is asked for `service`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, service: Service) -> Result<Self, UriError> {
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme.to_ascii_lowercase()), rest),
            _ => (None, text),
        };
        let (authority, query) = rest.split_once('?').map_or((rest, None), |(host, query)| (host, Some(query)));
        let (service, secure) = match scheme.as_deref() {
            None => (service, false),
            Some("stun") => (Service::Stun, false),
            Some("stuns") => (Service::Stun, true),
            Some("turn") => (Service::Turn, false),
            Some(_) => (Service::Turn, true),
        };
        let (host, port) = host_and_port(authority.strip_prefix("//").unwrap_or(authority))?;
        Ok(Self { service, transport: transport(query, secure)?, host, port })
    }
}

fn is_scheme(text: &str) -> bool {
    ["stun", "stuns", "turn", "turns"].iter().any(|scheme| scheme.eq_ignore_ascii_case(text))
}

fn transport(query: Option<&str>, secure: bool) -> Result<Transport, UriError> {
    let Some(query) = query else { return Ok(if secure { Transport::Tls } else { Transport::Udp }) };
    let value = query.strip_prefix("transport=").ok_or_else(|| UriError::Query(query.to_owned()))?;
    match (value.to_ascii_lowercase().as_str(), secure) {
        ("udp", false) => Ok(Transport::Udp),
        ("tcp", false) => Ok(Transport::Tcp),
        ("tcp" | "tls", true) | ("tls", false) => Ok(Transport::Tls),
        ("udp", true) => Err(UriError::Dtls),
        _ => Err(UriError::Transport(value.to_owned())),
    }
}

/// Splits at the colon before the port: `host`, `host:port`, `192.0.2.1:3478`, `[2001:db8::1]:3478`, `2001:db8::1`.
fn host_and_port(text: &str) -> Result<(Host, Option<u16>), UriError> {
    if let Ok(address) = IpAddr::from_str(text) {
        return Ok((Host::Address(address), None));
    }
    let bad = || UriError::Host(text.to_owned());
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or_else(bad)?;
        let address = IpAddr::from_str(address).ok().filter(IpAddr::is_ipv6).ok_or_else(bad)?;
        let port = match rest.strip_prefix(':') {
            Some(digits) => Some(port(digits)?),
            None if rest.is_empty() => None,
            None => return Err(bad()),
        };
        return Ok((Host::Address(address), port));
    }
    let (name, port) = match text.split_once(':') {
        Some((name, digits)) => (name, Some(port(digits)?)),
        None => (text, None),
    };
    if let Ok(address) = IpAddr::from_str(name) {
        return Ok((Host::Address(address), port));
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if name.is_empty() || name.len() > 253 || !name.bytes().all(is_name) {
        return Err(bad());
    }
    Ok((Host::Name(name.to_owned()), port))
}

fn port(digits: &str) -> Result<u16, UriError> {
    digits.parse().ok().filter(|port| *port > 0).ok_or_else(|| UriError::Port(digits.to_owned()))
}

/// Why a text names no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// The host is none.
    #[error("\"{0}\" names no host: write HOST, HOST:PORT, [IPV6]:PORT, or a URI like stun:HOST:PORT")]
    Host(String),
    /// The port is none.
    #[error("\"{0}\" is no port: write a number from 1 to 65535")]
    Port(String),
    /// There is no such transport.
    #[error("\"{0}\" is no transport: write ?transport=udp, ?transport=tcp or a scheme with s for TLS")]
    Transport(String),
    /// STUN over DTLS (RFC 7350).
    #[error("TLS over UDP (DTLS) is not supported: leave out ?transport=udp, or write the scheme without s")]
    Dtls,
    /// Something behind the `?`.
    #[error("\"?{0}\" is not understood: only ?transport= may follow the host")]
    Query(String),
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(out, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => write!(out, "{address}"),
            Self::Name(name) => write!(out, "{name}"),
        }
    }
}

impl fmt::Display for ServerUri {
    /// As a URI with everything that is not usual: `stun:example.org`, `turns:[2001:db8::1]:443`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.service, self.transport) {
            (Service::Stun, Transport::Tls) => "stuns",
            (Service::Stun, _) => "stun",
            (Service::Turn, Transport::Tls) => "turns",
            (Service::Turn, _) => "turn",
        };
        write!(out, "{scheme}:{}", self.host)?;
        if let Some(port) = self.port {
            write!(out, ":{port}")?;
        }
        if self.transport == Transport::Tcp { write!(out, "?transport=tcp") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, UriError> {
        ServerUri::parse(text, Service::Stun).map(|uri| uri.to_string())
    }

    /// The examples of RFC 7064 section 3.2 and RFC 7065 appendix A, and what people type.
    #[test]
    fn names_of_servers() {
        for (text, canonical) in [
            ("example.org", "stun:example.org"),
            ("example.org:8000", "stun:example.org:8000"),
            ("stun:example.org:8000", "stun:example.org:8000"),
            ("STUNS:example.org", "stuns:example.org"),
            ("stun:192.0.2.1", "stun:192.0.2.1"),
            ("2001:db8::1", "stun:[2001:db8::1]"),
            ("stun:[2001:db8::1]:3478", "stun:[2001:db8::1]:3478"),
            ("turn:example.org?transport=udp", "turn:example.org"),
            ("turn:example.org:8000?transport=tcp", "turn:example.org:8000?transport=tcp"),
            ("turns:example.org?transport=tcp", "turns:example.org"),
            ("stun://example.org", "stun:example.org"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(canonical), "{text}");
        }
        assert_eq!(ServerUri::parse("a:1", Service::Turn).unwrap().to_string(), "turn:a:1");
    }

    #[test]
    fn what_names_none_is_said() {
        assert!(matches!(read(""), Err(UriError::Host(_))));
        assert!(matches!(read("stun:"), Err(UriError::Host(_))));
        assert!(matches!(read("[192.0.2.1]:1"), Err(UriError::Host(_))));
        assert!(matches!(read("[2001:db8::1"), Err(UriError::Host(_))));
        assert!(matches!(read("[2001:db8::1]x"), Err(UriError::Host(_))));
        assert!(matches!(read("a host"), Err(UriError::Host(_))));
        assert!(matches!(read("http://example.org"), Err(UriError::Port(_))));
        assert!(matches!(read("example.org:0"), Err(UriError::Port(_))));
        assert!(matches!(read("example.org:65536"), Err(UriError::Port(_))));
        assert!(matches!(read("turns:a?transport=udp"), Err(UriError::Dtls)));
        assert!(matches!(read("turn:a?transport=sctp"), Err(UriError::Transport(_))));
        assert!(matches!(read("turn:a?x=1"), Err(UriError::Query(_))));
    }

    #[test]
    fn ports_follow_the_transport() {
        let uri = ServerUri::parse("stun:example.org", Service::Stun).unwrap();
        assert_eq!((uri.usual_port(), uri.over(Transport::Tls).usual_port()), (3478, 5349));
        assert_eq!(uri.service_labels(), "_stun._udp");
        assert_eq!(uri.over(Transport::Tls).service_labels(), "_stuns._tcp");
        let named = ServerUri::parse("example.org:3478", Service::Stun).unwrap();
        assert_eq!(named.over(Transport::Tls).port, None);
        let odd = ServerUri::parse("example.org:8000", Service::Stun).unwrap();
        assert_eq!(odd.over(Transport::Tcp).port, Some(8000));
    }
}
