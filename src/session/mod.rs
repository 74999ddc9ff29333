//! Flows to calls. Which flows belong together is said by addresses and identifiers in the packets, never by chance of
//! time alone: two calls between the same hosts at the same time stay apart.

mod agent;
mod assemble;
mod call;
mod change;
mod exchange;
mod groups;
mod integrity;
mod nameless;
mod repair;
mod sctp;
mod secured;
mod signalled;
mod steps;
mod stream;

pub use assemble::assemble;
pub use call::{Call, Conversation, Said, Sdes, Settled};
pub use change::{Change, What};
pub use exchange::{
    At, Dialog, EndOfCandidates, Ending, Exchange, Fork, Party, Place, Round, Statement, Trickled, Withdrawal,
};
pub use integrity::Integrity;
pub use repair::{Repair, StreamRole, repairs};
pub use sctp::{SctpAssociation, sctp_associations};
pub use secured::{Association, association, associations};
pub use signalled::{Proof, Sides, Signalled};
pub use steps::{Outcome, Steps};
pub use stream::{CallStream, streams};

use crate::{engine::Analysis, flow::FlowRecord};

/// A call: the flows it is made of, as indices into [`Analysis::flows`], in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its flows by their first packet.
    pub flows: Vec<usize>,
    /// What its two sides said to each other: as indices into [`Sessions::exchanges`].
    pub exchanges: Vec<usize>,
}

/// All calls, and the flows of none.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Calls by their first packet.
    pub calls: Vec<Session>,
    /// Flows that belong to no call, in the order of [`Analysis::flows`].
    pub others: Vec<usize>,
    /// Calls that were too many to keep.
    pub omitted: Omitted,
    /// The signalling of calls.
    pub exchanges: Vec<Exchange>,
}

/// Calls that are only counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omitted {
    /// How many.
    pub calls: u64,
    /// Their packets.
    pub packets: u64,
}

impl Session {
    /// Its flows.
    pub fn flows<'a>(&'a self, analysis: &'a Analysis) -> impl Iterator<Item = &'a FlowRecord> + Clone {
        self.flows.iter().filter_map(|index| analysis.flows.get(*index))
    }

    /// Its signalling.
    pub fn exchanges<'a>(&'a self, sessions: &'a Sessions) -> impl Iterator<Item = &'a Exchange> + Clone {
        self.exchanges.iter().filter_map(|index| sessions.exchanges.get(*index))
    }
}
