//! Names of servers to their addresses (RFC 8489 section 8): SRV records first, where no port was named.

use std::{io, net::SocketAddr, time::Duration};

use hickory_resolver::{Resolver, proto::rr::RData};
use tokio::{net::lookup_host, time};

use super::uri::{Host, ServerUri};

/// How long DNS may take for one name.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Addresses kept of one name.
const ADDRESSES: usize = 16;

/// The addresses of `server`, best first, of both families as DNS has them.
///
/// # Errors
/// Why there are none.
pub async fn resolve(server: &ServerUri) -> Result<Vec<SocketAddr>, ResolveError> {
    let name = match &server.host {
        Host::Address(address) => {
            return Ok(vec![SocketAddr::new(*address, server.port.unwrap_or(server.usual_port()))]);
        }
        Host::Name(name) => name,
    };
    let targets = match server.port {
        Some(port) => vec![(name.clone(), port)],
        None => {
            let services = services(server, name).await;
            if services.is_empty() { vec![(name.clone(), server.usual_port())] } else { services }
        }
    };
    let mut addresses = Vec::new();
    let mut failure = None;
    for target in targets {
        match addresses_of(target).await {
            Ok(found) => addresses.extend(found),
            Err(error) => failure = Some(error),
        }
    }
    addresses.dedup();
    addresses.truncate(ADDRESSES);
    match failure {
        Some(why) if addresses.is_empty() => Err(ResolveError { name: name.clone(), why }),
        None if addresses.is_empty() => Err(ResolveError { name: name.clone(), why: Why::Unknown }),
        _ => Ok(addresses),
    }
}

/// Names and ports by SRV records, best first; none where DNS has none or does not answer.
async fn services(server: &ServerUri, name: &str) -> Vec<(String, u16)> {
    let Ok(mut builder) = Resolver::builder_tokio() else { return Vec::new() };
    let options = builder.options_mut();
    options.timeout = TIMEOUT / 2;
    options.attempts = 1;
    let Ok(resolver) = builder.build() else { return Vec::new() };
    let query = resolver.srv_lookup(format!("{}.{name}.", server.service_labels()));
    let Ok(Ok(found)) = time::timeout(TIMEOUT, query).await else { return Vec::new() };
    let records = found.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(service) => Some(service),
        _ => None,
    });
    let mut records: Vec<_> = records.collect();
    // Among equals the heavier first: a check asks one server, and need not spread its load.
    records.sort_by_key(|service| (service.priority, u16::MAX - service.weight));
    let targets = records.iter().map(|service| (service.target.to_utf8(), service.port));
    // A target of "." says that there is no such service (RFC 2782).
    targets.filter(|(target, _)| target != ".").collect()
}

async fn addresses_of(target: (String, u16)) -> Result<Vec<SocketAddr>, Why> {
    match time::timeout(TIMEOUT, lookup_host(target)).await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(Why::from(error)),
        Err(_) => Err(Why::NoAnswer),
    }
}

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot find {name}: {why}")]
pub struct ResolveError {
    /// The name.
    pub name: String,
    /// Why.
    pub why: Why,
}

/// What DNS said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Nothing in time.
    #[error("DNS does not answer; name the server by its address, or look at /etc/resolv.conf")]
    NoAnswer,
    /// That there is no such name.
    #[error("DNS knows no such name; look for a typing error")]
    Unknown,
    /// Something else: what the system made of it.
    #[error("{0}; name the server by its address, or look at /etc/resolv.conf")]
    System(String),
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        // The system's resolver gives its reasons as text only.
        let text = error.to_string();
        let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
        if text.contains("not known") || text.contains("No address") {
            return Self::Unknown;
        }
        Self::System(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{net, uri::Service};

    fn resolved(text: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let server = ServerUri::parse(text, Service::Stun).unwrap();
        net::runtime().unwrap().block_on(resolve(&server))
    }

    #[test]
    fn addresses_need_no_dns() {
        assert_eq!(resolved("192.0.2.1"), Ok(vec!["192.0.2.1:3478".parse().unwrap()]));
        assert_eq!(resolved("stuns:[2001:db8::1]"), Ok(vec!["[2001:db8::1]:5349".parse().unwrap()]));
    }

    #[test]
    fn names_of_this_machine_are_known() {
        let found = resolved("localhost:3478").unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 3478), "{found:?}");
    }

    #[test]
    fn what_has_no_address_is_said() {
        let error = resolved("no-such-host.invalid:3478").unwrap_err().to_string();
        assert!(error.starts_with("cannot find no-such-host.invalid: "), "{error}");
    }
}
