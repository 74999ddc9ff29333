//! One socket of a plan: bound, read by a task of its own, closed when dropped.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use socket2::{Domain, Protocol, Type};
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use super::{Network, Sender, failure, stream};
use crate::probe::{Event, Failure, Open, SocketId, Transport};

/// Bytes of the largest datagram.
const LARGEST_DATAGRAM: usize = 65_535;

/// Bytes of receive buffer asked of the system: a throughput test must not lose packets in it.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Messages on their way to a stream. What is more is dropped, as a full send buffer of UDP does.
const OUTGOING: usize = 1_024;

/// An open socket.
#[derive(Debug)]
pub(super) struct Socket {
    kind: Kind,
    reader: AbortHandle,
}

#[derive(Debug)]
enum Kind {
    Datagrams { socket: Arc<UdpSocket>, connected: bool },
    Stream { outgoing: mpsc::Sender<Vec<u8>> },
}

impl Socket {
    /// Opens a socket and has it read. What comes of a stream is told by its events.
    pub(super) fn open(
        id: SocketId,
        open: Open,
        network: &Network,
        sender: &Sender,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, Failure> {
        let local = local_address(&open, network)?;
        let bound = bound(local, &open, network).map_err(|error| match error.kind() {
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Failure::Local(local.ip()),
            _ => failure(&error),
        })?;
        let sender = sender.clone();
        if open.transport != Transport::Udp {
            let (outgoing, to_send) = mpsc::channel(OUTGOING);
            let trust = network.trust.clone();
            let reader = tasks.spawn(stream::run(id, bound.into(), open, trust, to_send, sender));
            return Ok(Self { kind: Kind::Stream { outgoing }, reader });
        }
        let socket = Arc::new(UdpSocket::from_std(bound.into()).map_err(|error| failure(&error))?);
        let local = socket.local_addr().map_err(|error| failure(&error))?;
        sender.send(Event::Opened { socket: id, local });
        let reader = tasks.spawn(receive(id, Arc::clone(&socket), sender));
        Ok(Self { kind: Kind::Datagrams { socket, connected: open.connected }, reader })
    }

    /// Sends a datagram, or a message on a stream.
    pub(super) async fn send(&self, to: SocketAddr, bytes: Vec<u8>) -> Result<(), Failure> {
        match &self.kind {
            Kind::Datagrams { socket, connected } => {
                let sent = if *connected { socket.send(&bytes).await } else { socket.send_to(&bytes, to).await };
                sent.map(drop).map_err(|error| failure(&error))
            }
            Kind::Stream { outgoing } => {
                // A stream that ended has said so by its own event.
                let _ = outgoing.try_send(bytes);
                Ok(())
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The address to bind: what was asked for, or that of the route to the server.
fn local_address(open: &Open, network: &Network) -> Result<SocketAddr, Failure> {
    if let Some(local) = open.local {
        return Ok(local);
    }
    let unspecified: IpAddr =
        if open.server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    if open.transport != Transport::Udp {
        return Ok(SocketAddr::new(unspecified, 0));
    }
    let routed = || {
        let probe = bound(SocketAddr::new(unspecified, 0), open, network)?;
        probe.connect(&open.server.into())?;
        std::net::UdpSocket::from(probe).local_addr()
    };
    routed().map(|local| SocketAddr::new(local.ip(), 0)).map_err(|error| failure(&error))
}

fn bound(local: SocketAddr, open: &Open, network: &Network) -> io::Result<socket2::Socket> {
    let (kind, protocol) = match open.transport {
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
        Transport::Tcp | Transport::Tls => (Type::STREAM, Protocol::TCP),
    };
    let socket = socket2::Socket::new(Domain::for_address(local), kind, Some(protocol))?;
    if let Some(device) = &network.device {
        bind_device(&socket, device)?;
    }
    socket.bind(&local.into())?;
    if open.transport == Transport::Udp {
        // The system may give less, and then a throughput test says what it lost.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        if open.connected {
            socket.connect(&open.server.into())?;
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn bind_device(socket: &socket2::Socket, device: &str) -> io::Result<()> {
    socket.bind_device(Some(device.as_bytes()))
}

/// Elsewhere the address of the interface has to do.
#[cfg(not(target_os = "linux"))]
fn bind_device(_: &socket2::Socket, _: &str) -> io::Result<()> {
    Ok(())
}

/// Reads datagrams for as long as the socket is open.
async fn receive(id: SocketId, socket: Arc<UdpSocket>, sender: Sender) {
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    loop {
        let event = match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => {
                Event::Received { socket: id, from, bytes: buffer.get(..length).unwrap_or_default().to_vec() }
            }
            // An ICMP error, which is told once.
            Err(error) => Event::Unreachable { socket: id, failure: failure(&error) },
        };
        sender.send(event);
    }
}
