//! The active side: what the network does to packets of our own.
//!
//! A [`Plan`] decides and remembers, and knows no socket and no clock: it is asked what to do, told what came and what
//! time it is. [`net`] does what plans want on real sockets. So a plan is tested from scripts, with every message lost,
//! late or forged, in no time at all.

pub mod message;
pub mod nat;
pub mod net;
pub mod resolve;
pub mod server;
pub mod transaction;
pub mod turn;
pub mod uri;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// A check as a state machine. Times count from its beginning.
pub trait Plan {
    /// What to do at `now`; asked again until it is to wait or done.
    fn poll(&mut self, now: Duration) -> Step;

    /// Takes what happened.
    fn handle(&mut self, now: Duration, event: Event);

    /// Takes that the user asks to stop, and tells whether something is left to do first.
    fn interrupt(&mut self, _now: Duration) -> bool {
        false
    }
}

/// What a plan wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Opens a socket; [`Event::Opened`] or [`Event::Failed`] tells how that went.
    Open(SocketId, Open),
    /// Sends one datagram, or one message on a stream.
    Send {
        /// From here.
        socket: SocketId,
        /// To this address; on a stream, its peer's.
        to: SocketAddr,
        /// The payload.
        bytes: Vec<u8>,
    },
    /// Closes a socket, so that nothing comes from it any more.
    Close(SocketId),
    /// Nothing before something happens or this time has come.
    Wait(Duration),
    /// Nothing ever again.
    Done,
}

/// A socket by the name that the plan gave it. Each name is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u32);

/// A socket to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What runs on it.
    pub transport: Transport,
    /// The server that it is for: the local address is that of the route towards it, and a stream connects to it.
    pub server: SocketAddr,
    /// Whether a UDP socket takes datagrams of `server` only. The system then tells of ICMP errors too.
    pub connected: bool,
    /// The local address to use instead of the route's, and the local port (0 for any).
    pub local: Option<SocketAddr>,
    /// Whom the server's certificate must name; `None` where that is its address.
    pub server_name: Option<String>,
}

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// STUN messages and ChannelData one after another (RFC 8489 section 6.2.2, RFC 8656 section 12.5).
    Tcp,
    /// The same inside TLS.
    Tls,
}

impl Transport {
    /// As reports name it: `udp`, `tcp`, `tls`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A socket is open, and connected where it is a stream.
    Opened {
        /// Which.
        socket: SocketId,
        /// Its own address.
        local: SocketAddr,
    },
    /// A socket could not be opened, or works no more.
    Failed {
        /// Which.
        socket: SocketId,
        /// Why.
        failure: Failure,
    },
    /// An ICMP error, or the system's own refusal to send. The socket still works.
    Unreachable {
        /// Which.
        socket: SocketId,
        /// Why.
        failure: Failure,
    },
    /// A datagram, or one message of a stream.
    Received {
        /// Where it came in.
        socket: SocketId,
        /// Who sent it.
        from: SocketAddr,
        /// The payload.
        bytes: Vec<u8>,
    },
}

/// Why a socket failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No local address, or no route to the server.
    #[error("there is no route to it")]
    NoRoute,
    /// The local address is not one of this machine, or its port is taken.
    #[error("the local address {0} cannot be used: it is not this machine's, or its port is taken")]
    Local(IpAddr),
    /// Somebody refused: an ICMP port unreachable, or a TCP reset.
    #[error("nothing listens on that port, or a firewall refuses it")]
    Refused,
    /// A stream did not come about in time.
    #[error("no answer to the connection request")]
    TimedOut,
    /// The server closed the stream.
    #[error("the server closed the connection")]
    Closed,
    /// TLS did not come about: what it said.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// What a stream holds is neither STUN nor ChannelData.
    #[error("the server does not speak STUN on this connection")]
    NotStun,
    /// The system refused otherwise: what it said.
    #[error("{0}")]
    System(String),
}
