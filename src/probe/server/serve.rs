//! A server on its sockets, in one thread.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    task::{self, JoinSet},
    time,
};

use super::{Addresses, Answer, Place, Received, Server, listen::Listener};
use crate::probe::{Transport, net::Framer};

/// Bytes of the largest datagram.
const LARGEST_DATAGRAM: usize = 65_535;

/// Datagrams taken from one socket before the others have their turn.
const TURN: usize = 64;

/// Connections at once. Each holds at most one message that is not whole.
const CONNECTIONS: usize = 1_024;

/// A connection that is silent for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes read of a stream at a time.
const READ_BYTES: usize = 4 * 1024;

/// The pause after the system would not accept a connection: it has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers on the sockets of `listeners` until `stop` comes.
///
/// # Errors
/// When the system does not let the sockets be waited for.
pub async fn serve(listeners: Vec<Listener>, server: Server, stop: impl Future<Output = ()>) -> io::Result<()> {
    let shared = Arc::new(Shared {
        server: Mutex::new(server),
        began: Instant::now(),
        connections: Arc::new(Semaphore::new(CONNECTIONS)),
    });
    let mut tasks = JoinSet::new();
    for listener in listeners {
        let addresses = listener.addresses;
        let mut sockets = Vec::with_capacity(listener.sites.len());
        for site in listener.sites {
            let streams = TcpListener::from_std(site.streams)?;
            tasks.spawn(accept(streams, Arrival { addresses, place: site.place }, Arc::clone(&shared)));
            sockets.push((site.place, UdpSocket::from_std(site.datagrams)?));
        }
        let sockets = Arc::new(Sockets(sockets));
        for place in Place::ALL {
            let arrival = Arrival { addresses, place };
            tasks.spawn(datagrams(Arc::clone(&sockets), arrival, Arc::clone(&shared)));
        }
    }
    stop.await;
    Ok(())
}

/// What all sockets share.
#[derive(Debug)]
struct Shared {
    server: Mutex<Server>,
    began: Instant,
    connections: Arc<Semaphore>,
}

impl Shared {
    fn answer(&self, received: &Received<'_>) -> Option<Answer> {
        let now = self.began.elapsed();
        self.server.lock().unwrap_or_else(PoisonError::into_inner).answer(now, received)
    }

    fn allows(&self, source: SocketAddr) -> bool {
        let now = self.began.elapsed();
        self.server.lock().unwrap_or_else(PoisonError::into_inner).allows(now, source.ip())
    }
}

/// Where requests arrive.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    addresses: Addresses,
    place: Place,
}

/// The UDP sockets of one family.
#[derive(Debug)]
struct Sockets(Vec<(Place, UdpSocket)>);

impl Sockets {
    fn at(&self, place: Place) -> Option<&UdpSocket> {
        self.0.iter().find(|(at, _)| *at == place).map(|(_, socket)| socket)
    }
}

/// Answers the datagrams of one place.
async fn datagrams(sockets: Arc<Sockets>, arrival: Arrival, shared: Arc<Shared>) {
    let Some(socket) = sockets.at(arrival.place) else { return };
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    while socket.readable().await.is_ok() {
        for _ in 0..TURN {
            let (length, source) = match socket.try_recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error that an earlier answer met.
                Err(_) => continue,
            };
            let received = Received {
                bytes: buffer.get(..length).unwrap_or_default(),
                source,
                transport: Transport::Udp,
                addresses: arrival.addresses,
                place: arrival.place,
            };
            let Some(answer) = shared.answer(&received) else { continue };
            if let Some(from) = sockets.at(answer.place) {
                // What cannot be sent is lost as on the way; the client asks again.
                let _ = from.send_to(&answer.bytes, answer.destination).await;
            }
        }
        task::yield_now().await;
    }
}

/// Takes the connections of one place.
async fn accept(listener: TcpListener, arrival: Arrival, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, source)) = listener.accept().await else {
            time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let permit = Arc::clone(&shared.connections).try_acquire_owned();
        let Ok(permit) = permit else { continue };
        if !shared.allows(source) {
            continue;
        }
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // Whatever ends a connection ends it.
            let _ = converse(stream, source, arrival, &shared).await;
            drop(permit);
        });
    }
}

/// Answers the requests of one connection until it ends, says something else, or is silent.
async fn converse(mut stream: TcpStream, source: SocketAddr, arrival: Arrival, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut framer = Framer::of_stun();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let length = time::timeout(IDLE_TIMEOUT, stream.read(&mut buffer)).await??;
        if length == 0 {
            return Ok(());
        }
        framer.push(buffer.get(..length).unwrap_or_default());
        while let Some(bytes) = framer.next_message().map_err(io::Error::other)? {
            let received = Received {
                bytes: &bytes,
                source,
                transport: Transport::Tcp,
                addresses: arrival.addresses,
                place: arrival.place,
            };
            if let Some(answer) = shared.answer(&received) {
                time::timeout(IDLE_TIMEOUT, stream.write_all(&answer.bytes)).await??;
            }
        }
    }
}
