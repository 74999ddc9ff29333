//! The sockets of a server, opened before anything is promised.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    str::FromStr,
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Addresses, Place};
use crate::probe::{Transport, uri::PORT};

/// Bytes of receive buffer asked of the system: what comes while the server answers.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Connections that wait to be taken.
const BACKLOG: i32 = 128;

/// How often ports that the system chose are given up because one of the other sockets cannot have them.
const CHOICES: usize = 32;

/// An address as a user names it: `ADDRESS` or `ADDRESS:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// The address.
    pub ip: IpAddr,
    /// The port; 0 lets the system choose, `None` is the usual one.
    pub port: Option<u16>,
}

impl FromStr for ListenAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse() {
            return Ok(Self { ip, port: None });
        }
        let address: SocketAddr = text.parse().map_err(|_| NoAddress)?;
        Ok(Self { ip: address.ip(), port: Some(address.port()) })
    }
}

/// A text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no address: write ADDRESS or ADDRESS:PORT, as 192.0.2.1, 192.0.2.1:3478 or [2001:db8::1]:3478")]
pub struct NoAddress;

/// Where to listen, in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    primary: ListenAddress,
    alternate: Option<ListenAddress>,
}

impl Listen {
    /// Listens at `primary`, and with four pairs of address and port where there is an `alternate`.
    ///
    /// # Errors
    /// The two cannot be a server of RFC 5780.
    pub fn new(primary: ListenAddress, alternate: Option<ListenAddress>) -> Result<Self, BadPair> {
        let Some(other) = alternate else { return Ok(Self { primary, alternate }) };
        if primary.ip.is_unspecified() || other.ip.is_unspecified() {
            return Err(BadPair::Unspecified);
        }
        if primary.ip == other.ip {
            return Err(BadPair::SameAddress(other.ip));
        }
        match (primary.port.unwrap_or(PORT), other.port) {
            (1.., Some(port @ 1..)) if port == primary.port.unwrap_or(PORT) => Err(BadPair::SamePort(port)),
            _ => Ok(Self { primary, alternate }),
        }
    }

    /// Opens all sockets, or none.
    ///
    /// # Errors
    /// Which could not be opened, and why.
    pub fn open(&self) -> Result<Listener, ListenError> {
        let mut choices = CHOICES;
        loop {
            match self.open_once() {
                Err(error) if error.why == Why::InUse && self.is_chosen() && choices > 0 => choices -= 1,
                result => return result,
            }
        }
    }

    /// Whether the system chooses a port.
    fn is_chosen(&self) -> bool {
        self.primary.port == Some(0) || self.alternate.is_some_and(|alternate| alternate.port == Some(0))
    }

    fn open_once(&self) -> Result<Listener, ListenError> {
        let mut sites = Vec::with_capacity(Place::ALL.len());
        let primary = SocketAddr::new(self.primary.ip, self.primary.port.unwrap_or(PORT));
        let first = Site::open(Place::PRIMARY, primary)?;
        let primary = first.address;
        sites.push(first);
        let Some(alternate) = self.alternate else {
            return Ok(Listener { addresses: Addresses { primary, alternate: None }, sites });
        };
        // The usual neighbour of 3478 is 3479.
        let neighbour = || if self.is_chosen() { 0 } else { primary.port().checked_add(1).unwrap_or(u16::MAX - 1) };
        let corner = Place::PRIMARY.changed(true, true);
        let last = Site::open(corner, SocketAddr::new(alternate.ip, alternate.port.unwrap_or_else(neighbour)))?;
        let addresses = Addresses { primary, alternate: Some(last.address) };
        sites.push(last);
        for place in Place::ALL {
            if let Some(address) = addresses.at(place).filter(|_| sites.iter().all(|site| site.place != place)) {
                sites.push(Site::open(place, address)?);
            }
        }
        Ok(Listener { addresses, sites })
    }
}

/// Why two addresses are no server of RFC 5780.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPair {
    /// One stands for all addresses of the machine.
    #[error("with --alternate both addresses must be named: clients are told of them (give --listen ADDRESS)")]
    Unspecified,
    /// They are one.
    #[error("--alternate needs another address than {0}: NAT behaviour shows only between two")]
    SameAddress(IpAddr),
    /// Their ports are one.
    #[error("--alternate needs another port than {0}: NAT behaviour shows only between two")]
    SamePort(u16),
}

/// The open sockets of one family.
#[derive(Debug)]
pub struct Listener {
    /// Their addresses, with the ports that the system chose.
    pub addresses: Addresses,
    /// One a place.
    pub sites: Vec<Site>,
}

/// The sockets of one place.
#[derive(Debug)]
pub struct Site {
    /// Which.
    pub place: Place,
    /// Its address and port.
    pub address: SocketAddr,
    /// For datagrams.
    pub datagrams: UdpSocket,
    /// For connections.
    pub streams: TcpListener,
}

impl Site {
    fn open(place: Place, address: SocketAddr) -> Result<Self, ListenError> {
        let failed = |transport, address| move |error| ListenError::new(transport, address, &error);
        let datagrams = datagrams(address).map_err(failed(Transport::Udp, address))?;
        let address = datagrams.local_addr().map_err(failed(Transport::Udp, address))?;
        let streams = streams(address).map_err(failed(Transport::Tcp, address))?;
        Ok(Self { place, address, datagrams, streams })
    }
}

fn datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    socket.bind(&address.into())?;
    // The system may give less; then bursts are lost, as they are on the way here.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    Ok(socket.into())
}

fn streams(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // A server that ended a moment ago leaves connections behind, which are no reason not to start.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // IPv4 has sockets of its own, whose addresses look like IPv4.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A socket that could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot listen on {address} ({}): {why}", .transport.name().to_ascii_uppercase())]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// For what.
    pub transport: Transport,
    /// Why.
    pub why: Why,
}

impl ListenError {
    fn new(transport: Transport, address: SocketAddr, error: &io::Error) -> Self {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => Why::InUse,
            io::ErrorKind::AddrNotAvailable => Why::NotLocal,
            io::ErrorKind::PermissionDenied => Why::Privileged,
            io::ErrorKind::Unsupported => Why::NoFamily,
            _ => match error.raw_os_error() {
                // EAFNOSUPPORT has no kind of its own.
                Some(97) if cfg!(target_os = "linux") => Why::NoFamily,
                _ => Why::System(error.to_string()),
            },
        };
        Self { address, transport, why }
    }
}

/// Why the system gives no socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Another socket has the port.
    InUse,
    /// The address is another machine's.
    NotLocal,
    /// The port is below 1024 and the user is not root.
    Privileged,
    /// The system has no such addresses.
    NoFamily,
    /// Something else: what it said.
    System(String),
}

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::InUse => "another program uses this port; name another one, or 0 for any that is free",
            Self::NotLocal => "this machine does not have the address; name one that \"ip address\" shows",
            Self::Privileged => {
                "permission denied; ports below 1024 need root or CAP_NET_BIND_SERVICE, so name a higher one"
            }
            Self::NoFamily => "this system has no addresses of that family; name one of the other",
            Self::System(text) => text,
        })
    }
}

impl fmt::Display for Listener {
    /// In one line, for people and scripts: `127.0.0.1:3478, alternate 127.0.0.2:3479`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.addresses.primary)?;
        match self.addresses.alternate {
            Some(alternate) => write!(out, ", alternate {alternate}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ListenAddress {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_read() {
        let read = |text: &str| text.parse::<ListenAddress>().map(|address| (address.ip.to_string(), address.port));
        assert_eq!(read("192.0.2.1"), Ok(("192.0.2.1".to_owned(), None)));
        assert_eq!(read("192.0.2.1:0"), Ok(("192.0.2.1".to_owned(), Some(0))));
        assert_eq!(read("::"), Ok(("::".to_owned(), None)));
        assert_eq!(read("[::1]"), Ok(("::1".to_owned(), None)));
        assert_eq!(read("[::1]:80"), Ok(("::1".to_owned(), Some(80))));
        for text in ["", "localhost", "1.2.3", "192.0.2.1:65536", "192.0.2.1:", "3478"] {
            assert_eq!(read(text), Err(NoAddress), "{text}");
        }
    }

    #[test]
    fn pairs_that_cannot_be() {
        let pair = |one: &str, other: &str| Listen::new(address(one), Some(address(other))).err();
        assert_eq!(pair("0.0.0.0", "127.0.0.2"), Some(BadPair::Unspecified));
        assert_eq!(pair("127.0.0.1", "127.0.0.1:9"), Some(BadPair::SameAddress("127.0.0.1".parse().unwrap())));
        assert_eq!(pair("127.0.0.1", "127.0.0.2:3478"), Some(BadPair::SamePort(3478)));
        assert_eq!(pair("127.0.0.1:0", "127.0.0.2:3478"), None);
        assert_eq!(pair("127.0.0.1:0", "127.0.0.2:0"), None);
    }

    #[test]
    fn four_places_of_two_ports() {
        let listen = Listen::new(address("127.0.0.1:0"), Some(address("127.0.0.2"))).unwrap();
        let listener = listen.open().unwrap();
        let addresses = listener.addresses;
        let alternate = addresses.alternate.unwrap();
        assert_ne!(addresses.primary.port(), alternate.port());
        assert_eq!(listener.sites.len(), 4);
        for site in &listener.sites {
            assert_eq!(addresses.at(site.place), Some(site.address));
            assert_eq!(site.datagrams.local_addr().unwrap(), site.address);
            assert_eq!(site.streams.local_addr().unwrap(), site.address);
        }
        let taken = Listen::new(address(&addresses.primary.to_string()), None).unwrap().open().unwrap_err();
        assert_eq!(taken.why, Why::InUse);
        assert!(taken.to_string().starts_with(&format!("cannot listen on {} (UDP): another", addresses.primary)));
    }

    #[test]
    fn addresses_of_others() {
        let error = Listen::new(address("192.0.2.1:0"), None).unwrap().open().unwrap_err();
        assert_eq!(error.why, Why::NotLocal);
    }

    #[test]
    fn what_the_system_says_is_explained() {
        let address = "192.0.2.1:78".parse().unwrap();
        let said = |kind: io::ErrorKind| ListenError::new(Transport::Udp, address, &kind.into()).to_string();
        assert!(said(io::ErrorKind::PermissionDenied).contains("ports below 1024"));
        assert!(said(io::ErrorKind::AddrInUse).contains("another program"));
        assert!(said(io::ErrorKind::AddrNotAvailable).contains("does not have the address"));
        assert!(said(io::ErrorKind::Unsupported).contains("of that family"));
    }
}
