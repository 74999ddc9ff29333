//! What follows from the packets and the signalling of one call: found once, for the findings and the report alike.

use super::{CallStream, Exchange, Integrity, Party, Repair, Session, Sessions, Statement, Steps, repairs, streams};
use crate::{
    engine::Analysis,
    flow::FlowRecord,
    sdp::{
        Description,
        negotiation::{Negotiation, negotiate},
    },
};

/// A call, looked at closely.
pub struct Call<'a> {
    /// Its flows by their first packet.
    pub flows: Vec<&'a FlowRecord>,
    /// What its two sides said to each other.
    pub conversations: Vec<Conversation<'a>>,
    /// How far it came.
    pub steps: Steps<'a>,
    /// Its RTP streams by their first packet.
    pub streams: Vec<CallStream<'a>>,
    /// What each of them is for.
    pub repairs: Vec<Repair>,
    /// MESSAGE-INTEGRITY of its connectivity checks.
    pub integrity: Integrity,
}

/// An exchange with its descriptions read: they are held for one call at a time.
#[derive(Debug)]
pub struct Conversation<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// What came of the last round that was answered.
    pub negotiation: Option<Negotiation>,
    descriptions: Vec<Description>,
}

/// A statement and what it says.
pub type Said<'a> = (&'a Statement, &'a Description);

impl<'a> Call<'a> {
    /// Looks at a call.
    #[must_use]
    pub fn new(analysis: &'a Analysis, sessions: &'a Sessions, session: &'a Session) -> Self {
        let flows: Vec<&FlowRecord> = session.flows(analysis).collect();
        let exchanges: Vec<&Exchange> = session.exchanges(sessions).collect();
        let streams = streams(flows.iter().copied());
        Self {
            steps: Steps::new(analysis, flows.iter().copied()),
            repairs: repairs(&streams),
            streams,
            integrity: Integrity::new(&flows, &exchanges),
            conversations: exchanges.into_iter().map(Conversation::new).collect(),
            flows,
        }
    }

    /// The exchanges of the call.
    pub fn exchanges(&self) -> impl Iterator<Item = &'a Exchange> {
        self.conversations.iter().map(|conversation| conversation.exchange)
    }
}

impl<'a> Conversation<'a> {
    fn new(exchange: &'a Exchange) -> Self {
        let read = |statement: &Statement| Description::parse(&statement.text).unwrap_or_default();
        let descriptions: Vec<Description> = exchange.statements.iter().map(read).collect();
        let mut conversation = Self { exchange, negotiation: None, descriptions };
        if let Some(((_, offer), Some((_, answer)))) = conversation.settled() {
            conversation.negotiation = Some(negotiate(offer, answer));
        }
        conversation
    }

    /// All statements in order.
    pub fn said(&self) -> impl DoubleEndedIterator<Item = Said<'_>> {
        self.exchange.statements.iter().zip(&self.descriptions)
    }

    /// The descriptions of one party, the newest first.
    pub fn of_party(&self, party: Party) -> impl Iterator<Item = &Description> {
        self.said().rev().filter(move |(statement, _)| statement.party == party).map(|(_, description)| description)
    }

    /// Offer and answer of the last round that was answered; the last offer where none was.
    #[must_use]
    pub fn settled(&self) -> Option<(Said<'_>, Option<Said<'_>>)> {
        let round = self.exchange.settled_round()?;
        let said = |index: usize| Some((self.exchange.statements.get(index)?, self.descriptions.get(index)?));
        Some((said(round.offer)?, round.answer.and_then(said)))
    }
}
