//! What follows from the packets and the signalling of one call: found once, for the findings and the report alike.

use std::collections::BTreeSet;

use super::{
    CallStream, Change, Exchange, Integrity, Party, Repair, SctpAssociation, Session, Sessions, Statement, Steps,
    change, repairs, sctp_associations, streams,
};
use crate::{
    engine::Analysis,
    flow::FlowRecord,
    sdp::{
        Description,
        negotiation::{Negotiation, Security, negotiate},
    },
    time::PacketId,
};

/// Descriptions of one exchange that are held.
const DESCRIPTIONS: usize = 2048;

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
    /// Its SCTP associations by their first packet.
    pub associations: Vec<SctpAssociation<'a>>,
    /// MESSAGE-INTEGRITY of its connectivity checks.
    pub integrity: Integrity,
}

/// An exchange with its descriptions read: they are held for one call at a time.
#[derive(Debug)]
pub struct Conversation<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// What changed after the first agreement.
    pub changes: Vec<Change>,
    /// What came of the round that counts.
    negotiation: Option<Negotiation>,
    /// By statement; of very many the last.
    descriptions: Vec<Option<Box<Description>>>,
}

/// Keys in the descriptions (RFC 4568).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sdes {
    /// The crypto suites that were agreed.
    pub suites: BTreeSet<String>,
    /// The packets of the offer and of the answer, where they were captured.
    pub packets: Vec<PacketId>,
}

/// A statement and what it says.
pub type Said<'a> = (&'a Statement, &'a Description);

/// The round that counts.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// Its offer.
    pub offer: Said<'a>,
    /// Its answer, and what came of the two; `None` where it was not answered.
    pub answer: Option<(Said<'a>, &'a Negotiation)>,
}

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
            associations: sctp_associations(&flows),
            integrity: Integrity::new(&flows, &exchanges),
            conversations: exchanges.into_iter().map(Conversation::new).collect(),
            flows,
        }
    }

    /// How its media are secured that have their keys in the descriptions; `None` where none has.
    #[must_use]
    pub fn sdes(&self) -> Option<Sdes> {
        let mut found = Sdes::default();
        let settled = self.conversations.iter().filter_map(Conversation::settled);
        for (offer, (answer, negotiation)) in settled.filter_map(|settled| Some((settled.offer, settled.answer?))) {
            let agreed = negotiation.media.iter().filter(|agreed| agreed.rejected_by.is_none());
            let suites = agreed.filter_map(|agreed| match &agreed.security {
                Security::Sdes(suite) => Some(suite.clone()),
                Security::None | Security::Dtls => None,
            });
            let known = found.suites.len();
            found.suites.extend(suites);
            if found.suites.len() > known {
                let places = [offer.0, answer.0].into_iter().filter_map(|statement| statement.places.first());
                found.packets.extend(places.map(|place| place.mark.1));
            }
        }
        (!found.suites.is_empty()).then_some(found)
    }

    /// The exchanges of the call.
    pub fn exchanges(&self) -> impl Iterator<Item = &'a Exchange> {
        self.conversations.iter().map(|conversation| conversation.exchange)
    }
}

impl<'a> Conversation<'a> {
    fn new(exchange: &'a Exchange) -> Self {
        let settled = exchange.settled_round().and_then(|round| exchange.rounds.get(round));
        let settled = settled.map_or([None, None], |round| [Some(round.offer), round.answer]);
        let first = exchange.statements.len().saturating_sub(DESCRIPTIONS);
        let read = |(index, statement): (usize, &Statement)| {
            let is_held = index >= first || settled.contains(&Some(index));
            is_held.then(|| Description::parse(&statement.text).ok().map(Box::new)).flatten()
        };
        let descriptions: Vec<_> = exchange.statements.iter().enumerate().map(read).collect();
        let of = |index: Option<usize>| descriptions.get(index?)?.as_deref();
        let [offer, answer] = settled.map(of);
        let negotiation = offer.zip(answer).map(|(offer, answer)| negotiate(offer, answer));
        let changes = change::changes(exchange, &descriptions, negotiation.as_ref());
        Self { exchange, changes, negotiation, descriptions }
    }

    /// The statements in order, each with what it says; of very many the last.
    pub fn said(&self) -> impl DoubleEndedIterator<Item = Said<'_>> {
        let all = self.exchange.statements.iter().zip(&self.descriptions);
        all.filter_map(|(statement, description)| Some((statement, description.as_deref()?)))
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

    /// The round that counts.
    #[must_use]
    pub fn settled(&self) -> Option<Settled<'_>> {
        let index = self.exchange.settled_round()?;
        let round = self.exchange.rounds.get(index)?;
        let said =
            |index: usize| Some((self.exchange.statements.get(index)?, self.descriptions.get(index)?.as_deref()?));
        let answer = round.answer.and_then(said).zip(self.negotiation.as_ref());
        Some(Settled { offer: said(round.offer)?, answer })
    }
}
