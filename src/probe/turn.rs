//! What a TURN server does for a client (RFC 8656): whether it allocates, relays and refreshes with these credentials,
//! and how fast.
//!
//! The relay is tried between two ends that are both here: the allocation under test, and a second allocation at the
//! same server. So nothing is needed but the server, and times are taken with one clock. Where the server refuses a
//! second allocation or forbids its own addresses as peers, a plain UDP socket is the other end.

mod check;
mod client;
pub mod credentials;
pub mod message;
mod traffic;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

pub use self::{
    check::TurnCheck,
    client::Facts,
    traffic::{Flow, Pace},
};
use self::{
    credentials::{BadChallenge, Credentials},
    message::Family,
};
use super::{Failure, Transport};

/// What to check, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server.
    pub server: SocketAddr,
    /// What carries the messages.
    pub transport: Transport,
    /// Whom the certificate must name; `None` where that is the address.
    pub server_name: Option<String>,
    /// Who asks; `None` where the server is believed to ask nobody.
    pub credentials: Option<Credentials>,
    /// Which addresses the relay is to lend.
    pub family: Family,
    /// The payload sent each way through channels, in bits a second.
    pub bitrate: u64,
    /// How long that lasts.
    pub duration: Duration,
}

/// The steps of a check, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckStep {
    /// The server answers, or takes the connection.
    Connect,
    /// The server takes the credentials.
    Authenticate,
    /// Allocate.
    Allocate,
    /// CreatePermission.
    Permission,
    /// ChannelBind.
    Channel,
    /// Datagrams both ways, by Send and Data indications and by ChannelData.
    Relay,
    /// Refresh.
    Refresh,
    /// Refresh with a lifetime of zero.
    Release,
}

impl CheckStep {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Authenticate,
        Self::Allocate,
        Self::Permission,
        Self::Channel,
        Self::Relay,
        Self::Refresh,
        Self::Release,
    ];

    /// As reports name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Authenticate => "authenticate",
            Self::Allocate => "allocate",
            Self::Permission => "permission",
            Self::Channel => "channel",
            Self::Relay => "relay",
            Self::Refresh => "refresh",
            Self::Release => "release",
        }
    }
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOutcome {
    /// Which.
    pub step: CheckStep,
    /// From its first message to its last.
    pub took: Duration,
    /// Why it failed, if it did.
    pub problem: Option<Problem>,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The server answers with an error.
    Refused {
        /// ERROR-CODE.
        code: u16,
        /// Its reason phrase.
        reason: String,
        /// The peer that the request named.
        peer: Option<IpAddr>,
        /// ALTERNATE-SERVER.
        alternate: Option<SocketAddr>,
        /// Whether the request bore credentials.
        proved: bool,
    },
    /// The server asks for credentials and there are none.
    NoCredentials,
    /// A request with a new nonce got another 438.
    NonceLoop,
    /// What the server asks to be proved cannot be.
    Challenge(BadChallenge),
    /// No answer, or none that can be believed.
    Silent,
    /// The socket failed.
    Socket(Failure),
    /// An answer lacks what it must have.
    BadAnswer(&'static str),
    /// Nothing arrived; from where to where.
    NothingArrived(Route),
}

/// A way through the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whether by ChannelData rather than Send and Data indications.
    pub channel: bool,
    /// Whether towards the allocation under test.
    pub back: bool,
}

/// The other end of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A second allocation at the same server.
    Allocation,
    /// A UDP socket of this machine, and why the second allocation would not do.
    Socket(Fallback),
}

/// Why a plain socket is the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The server refused a second allocation with this code; `None` where it did not answer.
    NoSecondAllocation(Option<u16>),
    /// The server forbids its own addresses as peers.
    Forbidden(IpAddr),
}

/// All that a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The steps that were begun and ended, in their order.
    pub steps: Vec<StepOutcome>,
    /// Whether the server ever said anything.
    pub answered: bool,
    /// What the conversation of the allocation under test showed.
    pub facts: Facts,
    /// The local address.
    pub local: Option<SocketAddr>,
    /// The local address as the server sees it.
    pub mapped: Option<SocketAddr>,
    /// The addresses lent; the first one is tried.
    pub relayed: Vec<SocketAddr>,
    /// Why there is no address of the other family, where both were asked for.
    pub family_error: Option<u16>,
    /// The lifetime granted.
    pub lifetime: Option<Duration>,
    /// The other end.
    pub peer: Option<Peer>,
    /// What was sent by Send and Data indications: out and back.
    pub indications: Option<[Flow; 2]>,
    /// What was sent by ChannelData: out and back.
    pub channel: Option<[Flow; 2]>,
    /// Where UDP is not answered: whether the server takes a TCP connection on the same port.
    pub tcp_works: Option<bool>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

impl Outcome {
    /// How a step ended; `None` where it did not.
    #[must_use]
    pub fn step(&self, step: CheckStep) -> Option<&StepOutcome> {
        self.steps.iter().find(|outcome| outcome.step == step)
    }

    /// The step that failed first, and why.
    #[must_use]
    pub fn failure(&self) -> Option<(CheckStep, &Problem)> {
        self.steps.iter().find_map(|outcome| Some((outcome.step, outcome.problem.as_ref()?)))
    }

    /// Where the server says to go instead (300, RFC 8489 section 10).
    #[must_use]
    pub fn alternate(&self) -> Option<SocketAddr> {
        match self.failure()?.1 {
            Problem::Refused { code: 300, alternate, .. } => *alternate,
            _ => None,
        }
    }
}
