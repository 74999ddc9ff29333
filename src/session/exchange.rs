//! What two parties said to each other about one call: descriptions, candidates, and the protocol that carried them.
//!
//! A capture may show one message at several places: on its way to a server and from there to the peer, or sent again.
//! It counts once. Which messages belong together is said by what they name (a SIP dialog, an HTTP resource, an origin,
//! ICE credentials) and by which answer fits which offer, so that several peer connections over one WebSocket stay apart.

mod flows;
mod gather;
mod outline;
mod pair;
mod round;
mod settle;
mod sip;

use std::net::IpAddr;

use crate::{
    flow::{
        key::FlowKey,
        signalling::{Context, RtspTransport, Via},
        tcp::Mark,
    },
    sdp::{self, DescriptionKind, input::By},
    session::Outcome,
    wire::Endpoint,
};

pub use self::{
    round::{Round, Withdrawal},
    sip::{Dialog, Ending, Fork},
};

pub(super) use self::flows::Joined;
pub(super) use self::gather::gather;
use self::outline::{Outline, Section};

/// One of the two that talk: the one whose offer came first is 0.
pub type Party = usize;

/// The signalling of one call, or of one peer connection.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// What carried it; `None` where all of it was given beside the capture.
    pub via: Option<Via>,
    /// Descriptions in order.
    pub statements: Vec<Statement>,
    /// Which answered which.
    pub rounds: Vec<Round>,
    /// Candidates that were sent apart from descriptions.
    pub candidates: Vec<Trickled>,
    /// Who said, apart from descriptions, that there are no more.
    pub ends: Vec<EndOfCandidates>,
    /// The SIP dialog, where SIP carried it.
    pub dialog: Option<Dialog>,
    /// The last refusal of HTTP or RTSP: method, status, packet.
    pub refused: Option<(String, u16, Mark)>,
    /// What RTSP chose, by the connection that said so; the client's direction in it.
    pub transports: Vec<(FlowKey, usize, RtspTransport)>,
    /// The first place of its first message: where the one who began it talks to the other, or to a server.
    pub first_place: Option<Place>,
    /// Its first and last message.
    pub span: Option<(Mark, Mark)>,
}

/// A description that was sent.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Where it was seen, in order; nowhere when it was given beside the capture.
    pub places: Vec<Place>,
    /// What it is.
    pub kind: DescriptionKind,
    /// Who said it.
    pub party: Party,
    /// The text as it was sent.
    pub text: String,
    /// Of SIP, the tag of the called end in the dialog that carried it; `None` before there was one.
    pub branch: Option<String>,
    /// Whether it is an offer that was taken back or refused, and never answered.
    pub is_withdrawn: bool,
    outline: Outline,
    context: Context,
    /// Whose it is in the file that it was given in.
    by: By,
}

/// Where a message was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The packet that completed it.
    pub mark: Mark,
    /// The flow.
    pub key: FlowKey,
    /// The direction in its flow.
    pub direction: usize,
    /// The connection, where it has one.
    pub connection: u32,
}

/// Whose an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<'a> {
    /// The party.
    pub party: Party,
    /// Of SIP, the tag of the called end in whose dialog the address was said.
    pub branch: Option<&'a str>,
    /// Whether its port was said too.
    pub is_exact: bool,
}

/// A side has no more candidates (RFC 8838 section 8.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndOfCandidates {
    /// Where it was seen first; nowhere when it was given beside the capture.
    pub place: Option<Place>,
    /// Whose candidates end.
    pub party: Party,
    /// The media section that they are for; all where it is not said.
    pub mid: Option<String>,
}

/// A candidate that was sent apart from a description.
#[derive(Clone, Debug)]
pub struct Trickled {
    /// Where it was seen first; nowhere when it was given beside the capture.
    pub place: Option<Place>,
    /// Whose it is.
    pub party: Party,
    /// The candidate as it was sent.
    pub text: String,
    /// What it says, where it can be read.
    pub candidate: Option<sdp::Candidate>,
    /// The media section that it is for.
    pub mid: Option<String>,
}

impl Place {
    /// Who sent the message here.
    #[must_use]
    pub const fn source(&self) -> Endpoint {
        self.key.source(self.direction)
    }

    /// Who it was sent to.
    #[must_use]
    pub const fn destination(&self) -> Endpoint {
        self.key.destination(self.direction)
    }

    /// Whether this came back from the server that the other went to, to the same host: an answer that is asked for in
    /// another HTTP connection.
    fn is_polled_beside(&self, other: &Self) -> bool {
        self.source() == other.destination() && self.destination().ip() == other.source().ip()
    }

    /// Whether two messages ran over one connection.
    fn is_same_connection(&self, other: &Self) -> bool {
        self.key == other.key && self.connection == other.connection
    }

    /// Whether two messages ran over one connection, in opposite directions or in the same one.
    fn is_beside(&self, other: &Self, same_direction: bool) -> bool {
        self.is_same_connection(other) && (self.direction == other.direction) == same_direction
    }
}

impl Statement {
    /// The packet that completed it where it was first seen.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        self.places.first().map(|place| place.mark)
    }

    /// ICE user fragments and passwords in it.
    pub fn credentials(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let all = self.outline.media.iter().filter_map(|section| section.credentials.as_ref());
        all.map(|(fragment, password)| (&**fragment, password.as_deref()))
    }
}

impl Exchange {
    /// Whether it is about a call by itself: two sides talked, or one was called.
    #[must_use]
    pub fn is_call(&self) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| dialog.invited.is_some() || dialog.accepted.is_some())
            || self.rounds.iter().any(|round| round.answer.is_some()) && self.span.is_some()
            || self.refused.is_some()
            || !self.transports.is_empty()
    }

    /// Whether all of it was given beside the capture.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.span.is_none()
    }

    /// The party that an ICE user fragment belongs to.
    #[must_use]
    pub fn party_of(&self, fragment: &str) -> Option<Party> {
        let said = |statement: &&Statement| statement.credentials().any(|(own, _)| own == fragment);
        self.statements.iter().rev().find(said).map(|statement| statement.party)
    }

    /// The party that wants its media at this address; else the one that has the only address of this host.
    #[must_use]
    pub fn party_at(&self, end: Endpoint) -> Option<At<'_>> {
        let at = |is_exact: bool| {
            let fits =
                |section: &Section| if is_exact { section.is_at(end) } else { section.address == Some(end.ip()) };
            let said = self.statements.iter().rev().find(|said| said.outline.media.iter().any(fits))?;
            Some(At { party: said.party, branch: said.branch.as_deref().filter(|_| is_exact), is_exact })
        };
        let chosen = || {
            self.transports.iter().find_map(|(key, client, _)| {
                let party = |ip: IpAddr| (ip == end.ip()).then_some(1);
                party(key.source(*client).ip()).or_else(|| party(key.destination(*client).ip()).map(|party| party ^ 1))
            })
        };
        at(true).or_else(|| chosen().map(|party| At { party, branch: None, is_exact: false })).or_else(|| at(false))
    }

    /// The passwords that go with a user fragment: as a rule one.
    pub fn passwords<'a>(&'a self, fragment: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.statements.iter().flat_map(Statement::credentials);
        all.filter(move |(own, _)| *own == fragment).filter_map(|(_, password)| password)
    }

    /// The round that counts, by its index: the last that was answered, of a fork by an end that accepted; where none
    /// was, the last whose offer was not taken back.
    #[must_use]
    pub fn settled_round(&self) -> Option<usize> {
        let accepted = |tag: &String| self.dialog.as_ref().is_none_or(|dialog| dialog.has_accepted(tag));
        let is_accepted = |round: &Round| round.answer.is_some() && round.branch.as_ref().is_none_or(accepted);
        let stands = |round: &Round| !matches!(round.withdrawn, Some(Withdrawal::RolledBack { .. }));
        let last = |wanted: &dyn Fn(&Round) -> bool| self.rounds.iter().rposition(wanted);
        last(&is_accepted)
            .or_else(|| last(&|round| round.answer.is_some()))
            .or_else(|| last(&stands))
            .or_else(|| self.rounds.len().checked_sub(1))
    }

    /// The answer of that round.
    #[must_use]
    pub fn settled_answer(&self) -> Option<&Statement> {
        self.statements.get(self.rounds.get(self.settled_round()?)?.answer?)
    }

    /// Nanoseconds from the first offer to its answer; in SIP from the first INVITE to the first success, with all that
    /// was asked between.
    #[must_use]
    pub fn answer_time(&self) -> Option<i64> {
        if let Some(dialog) = &self.dialog {
            return Some(dialog.accepted?.0.since(dialog.invited?.0));
        }
        let round = self.rounds.iter().find(|round| round.answered_at.is_some())?;
        Some(round.answered_at?.0.since(round.offered_at?.0))
    }
}

impl Exchange {
    /// Whether the two came to an agreement. An offer whose answer is not in the capture is no failure.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let answered = self.rounds.iter().any(|round| round.answer.is_some());
        let refused =
            self.settled_answer().is_some_and(|answer| answer.outline.media.iter().all(|section| section.rejected));
        let accepted = self.dialog.as_ref().is_some_and(|dialog| dialog.accepted.is_some());
        let has_failed = self.dialog.as_ref().is_some_and(Dialog::has_failed);
        if has_failed || refused || !answered && self.transports.is_empty() && self.refused.is_some() {
            Outcome::Failed
        } else if answered || accepted || !self.transports.is_empty() {
            Outcome::Ok
        } else {
            Outcome::NotSeen
        }
    }
}
