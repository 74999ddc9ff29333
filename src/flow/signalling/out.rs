//! What the readers of one connection hand on, before it is known which connection that is.

use super::{Content, Missing, Signal, Via, resources::Resources};
use crate::{
    flow::{
        key::FlowKey,
        tcp::{Mark, Message},
    },
    time::PacketId,
};

/// Signals of one message; more are a mistake or an attack.
const SIGNALS_OF_A_MESSAGE: usize = 1024;

/// What came to light in some bytes.
#[derive(Debug, Default)]
pub struct Out {
    drafts: Vec<Draft>,
    /// What is missing.
    pub missing: Missing,
    /// The resources of sessions, which all connections share.
    pub resources: Resources,
    /// Datagrams that were interleaved with RTSP.
    pub datagrams: Vec<Message>,
    /// What the connection turned out to be.
    pub label: Option<&'static str>,
    /// Whether the connection needs not be followed any more.
    pub is_over: bool,
}

/// A signal of a connection.
#[derive(Debug)]
struct Draft {
    origin: Origin,
    content: Content,
}

/// Where a signal comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The packet that completed it.
    pub mark: Mark,
    /// The direction in its flow.
    pub direction: usize,
    /// What it came over.
    pub via: Via,
}

impl Out {
    /// Adds a signal.
    pub fn add(&mut self, origin: Origin, content: Content) {
        let of_message = self.drafts.iter().rev().take_while(|draft| draft.origin.mark == origin.mark).count();
        if of_message >= SIGNALS_OF_A_MESSAGE {
            self.missing.refused += 1;
        } else {
            self.drafts.push(Draft { origin, content });
        }
    }

    /// Adds what was found apart.
    pub fn append(&mut self, mut found: Self) {
        self.drafts.append(&mut found.drafts);
        self.datagrams.append(&mut found.datagrams);
        self.missing.add(found.missing);
    }

    /// How many signals there are.
    pub const fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Notes that the signals behind the first `count` came through TLS.
    pub fn mark_secure(&mut self, count: usize) {
        for draft in self.drafts.iter_mut().skip(count) {
            draft.origin.via = draft.origin.via.over_tls();
        }
    }

    /// Notes that bytes before a packet were not captured.
    pub const fn count_hole(&mut self, behind: PacketId) {
        self.missing.holes += 1;
        if self.missing.first_hole.is_none() {
            self.missing.first_hole = Some(behind);
        }
    }

    /// The signals, of connection number `connection` of a flow.
    pub fn signals(&mut self, key: FlowKey, connection: u32) -> impl Iterator<Item = Signal> {
        self.drafts.drain(..).map(move |Draft { origin: Origin { mark, direction, via }, content }| Signal {
            mark,
            key,
            direction,
            via,
            connection,
            content,
        })
    }
}
