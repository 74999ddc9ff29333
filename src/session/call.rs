//! What follows from the packets and the signalling of one call: found once, for the findings and the report alike.

use super::{
    CallStream, Exchange, Integrity, Party, Repair, Round, Session, Sessions, Statement, Steps, repairs, streams,
};
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
    /// What came of each round that was answered, by the round's index.
    pub negotiations: Vec<Option<Negotiation>>,
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
        let agree = |round: &Round| Some(negotiate(descriptions.get(round.offer)?, descriptions.get(round.answer?)?));
        Self { exchange, negotiations: exchange.rounds.iter().map(agree).collect(), descriptions }
    }

    /// All statements in order.
    pub fn said(&self) -> impl DoubleEndedIterator<Item = Said<'_>> {
        self.exchange.statements.iter().zip(&self.descriptions)
    }

    /// The descriptions of one party, the newest first; of a forked call those that are for the called end with the tag
    /// `branch`. An offer that was taken back or refused is none.
    pub fn of_party<'b>(&'b self, party: Party, branch: Option<&'b str>) -> impl Iterator<Item = &'b Description> {
        let own = self.said().rev().filter(move |(statement, _)| {
            let same_branch = branch.is_none() || statement.branch.is_none() || statement.branch.as_deref() == branch;
            statement.party == party && same_branch && !statement.is_withdrawn
        });
        own.map(|(_, description)| description)
    }

    /// Offer and answer of the round that counts, and what came of it.
    #[must_use]
    pub fn settled(&self) -> Option<(Said<'_>, Option<(Said<'_>, &Negotiation)>)> {
        let (round, negotiation) = self.round(self.exchange.settled_round()?)?;
        let answer = round.1.zip(negotiation);
        Some((round.0, answer))
    }

    fn round(&self, round: usize) -> Option<((Said<'_>, Option<Said<'_>>), Option<&Negotiation>)> {
        let said = |index: usize| Some((self.exchange.statements.get(index)?, self.descriptions.get(index)?));
        let round_of = self.exchange.rounds.get(round)?;
        let negotiation = self.negotiations.get(round).and_then(Option::as_ref);
        Some(((said(round_of.offer)?, round_of.answer.and_then(said)), negotiation))
    }
}
