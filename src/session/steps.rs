//! How far a call came: each step is judged once, for the findings and the report alike.
//!
//! A capture may end in the middle of a step, and may have one direction only. What cannot be judged is not a failure.

use std::{collections::BTreeSet, net::IpAddr};

use super::secured::{Association, association, associations, current};
use crate::{
    engine::Analysis,
    flow::{FlowRecord, dtls, ice, sctp::State},
    time::{NANOS_PER_SECOND, Timestamp},
    wire::stun::method,
};

/// Silence until the end of the capture that is believed: both DTLS and STUN have asked several times by then.
const PATIENCE: i64 = 2 * NANOS_PER_SECOND;

/// A handshake that is sent again and again is over by then, if it ever is.
const HANDSHAKE: i64 = 5 * NANOS_PER_SECOND;

/// An agent that controls has nominated a pair that works by then, unless it never will.
const NOMINATION: i64 = 10 * NANOS_PER_SECOND;

/// How a step ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Not in the capture, or not to its end.
    #[default]
    NotSeen,
    /// It came to its end.
    Ok,
    /// It came to nothing.
    Failed,
}

/// The steps of one call.
pub struct Steps<'a> {
    flows: Vec<&'a FlowRecord>,
    /// The end of the capture.
    end: Timestamp,
    only_sender: Option<IpAddr>,
}

impl<'a> Steps<'a> {
    /// The steps of the call that these flows make.
    #[must_use]
    pub fn new(analysis: &Analysis, flows: impl IntoIterator<Item = &'a FlowRecord>) -> Self {
        let flows: Vec<&FlowRecord> = flows.into_iter().collect();
        let end = analysis.files.iter().filter_map(|file| file.last).max().unwrap_or_default();
        let only_sender = only_sender(&flows);
        Self { flows, end, only_sender }
    }

    /// The host that all packets come from, where the other side answered all the same: the capture has one direction.
    #[must_use]
    pub const fn only_sender(&self) -> Option<IpAddr> {
        self.only_sender
    }

    /// Nanoseconds from a moment to the end of the capture.
    #[must_use]
    pub fn until_end(&self, moment: Timestamp) -> i64 {
        self.end.since(moment)
    }

    /// Whether a path was found. Checks that got an answer are not enough: the other end must not have been refused,
    /// and one of the two must have nominated in good time, unless media flows anyway.
    #[must_use]
    pub fn connecting(&self) -> Outcome {
        if self.flows.iter().all(|flow| flow.stun_types.is_empty() && flow.turn.is_none()) {
            return Outcome::NotSeen;
        }
        if self.flows.iter().any(|flow| !flow.streams.is_empty() || flow.path.dtls || flow.sctp.is_some()) {
            return Outcome::Ok;
        }
        if self.only_sender.is_some() {
            return Outcome::NotSeen;
        }
        let asks = || self.ices().flat_map(|ice| ice.questions.iter()).any(|questions| questions.sent > 0);
        let (worked, refused) = match () {
            () if self.ices().any(ice::Record::is_ice) => self.pairs(),
            () if self.flows.iter().any(|flow| flow.turn.is_some()) => self.turn(),
            () if asks() => self.questions(),
            // Answers alone, keepalives, STUN without the magic cookie: nothing to judge by.
            () => return Outcome::NotSeen,
        };
        let first = self.flows.iter().filter(|flow| !flow.stun_types.is_empty()).map(|flow| flow.first.0).min();
        match (worked, refused || first.is_some_and(|first| self.until_end(first) >= PATIENCE)) {
            (true, _) => Outcome::Ok,
            (false, true) => Outcome::Failed,
            (false, false) => Outcome::NotSeen,
        }
    }

    /// What the DTLS associations of the call came to: all of them must have come to their end.
    #[must_use]
    pub fn securing(&self) -> Outcome {
        let all = associations(&self.flows);
        let outcomes: Vec<Outcome> = current(&all).into_iter().map(|one| self.secured(one)).collect();
        match () {
            // A handshake before the capture.
            () if outcomes.len() < 2 => association(&all).map(|one| self.secured(one)).unwrap_or_default(),
            () if outcomes.contains(&Outcome::Failed) => Outcome::Failed,
            () if outcomes.contains(&Outcome::NotSeen) => Outcome::NotSeen,
            () => Outcome::Ok,
        }
    }

    /// What one of them came to.
    #[must_use]
    pub fn secured(&self, association: &Association<'_>) -> Outcome {
        let record = &association.record;
        if record.is_finished() || !record.is_started() && record.is_in_use() {
            return Outcome::Ok;
        }
        if record.fatal_alert().is_some() {
            return Outcome::Failed;
        }
        // Keys that media is sent with are those of a handshake that worked, be its end in the capture or not.
        let is_two_way = |flow: &&FlowRecord| {
            let directions: BTreeSet<usize> = flow.streams.iter().map(|stream| stream.direction).collect();
            directions.len() == 2
        };
        let carries = || association.flows.iter().any(|flow| flow.carried().is_some());
        if association.flows.iter().any(is_two_way) || self.only_sender.is_some() && carries() {
            return Outcome::Ok;
        }
        if self.only_sender.is_some() {
            return Outcome::NotSeen;
        }
        let asked_long = record.first.is_some_and(|first| self.until_end(first.time) >= HANDSHAKE);
        match record.stop() {
            Some(stop) if asked_long || self.until_end(stop.last.time) >= PATIENCE => Outcome::Failed,
            _ => Outcome::NotSeen,
        }
    }

    /// Whether media or data arrived.
    #[must_use]
    pub fn communicating(&self) -> Outcome {
        let has_streams = self.flows.iter().any(|flow| !flow.streams.is_empty());
        let associations = self.flows.iter().filter_map(|flow| flow.sctp.as_deref().map(|sctp| (*flow, sctp)));
        let busiest = associations.max_by_key(|(flow, _)| flow.packets.iter().sum::<u64>());
        // An association that carried data and then ends with an ABORT is how some stacks close.
        let is_aborted = busiest.is_some_and(|(_, sctp)| {
            sctp.state == State::Aborted && sctp.directions.iter().all(|side| side.user_bytes == 0)
        });
        match () {
            () if is_aborted && !has_streams => Outcome::Failed,
            () if has_streams || busiest.is_some() => Outcome::Ok,
            () if self.flows.iter().any(|flow| flow.carries_data()) => Outcome::Ok,
            () => Outcome::NotSeen,
        }
    }

    fn ices(&self) -> impl Iterator<Item = &'a ice::Record> {
        self.flows.iter().filter_map(|flow| flow.ice.as_deref())
    }

    /// Whether any pair may be used; and whether any check was refused.
    fn pairs(&self) -> (bool, bool) {
        let may_be_used = |ice: &&ice::Record| {
            let nominated = ice.checks.iter().any(|checks| checks.nominated.is_some());
            let last = ice.checks.iter().filter_map(|checks| checks.requests.last).max();
            let fails = |checks: &ice::Checks| {
                checks.requests.succeeded == 0 && checks.requests.failed + checks.requests.unanswered > 0
            };
            let is_recent = last.is_some_and(|(last, _)| self.until_end(last) < NOMINATION);
            ice.is_connected() && !ice.checks.iter().any(fails) && (nominated || is_recent)
        };
        let refused = self.ices().flat_map(|ice| &ice.checks).any(|checks| checks.requests.failed > 0);
        (self.ices().any(|ice| may_be_used(&ice)), refused)
    }

    /// Whether a TURN server lent an address; and whether one refused.
    fn turn(&self) -> (bool, bool) {
        let servers = || self.flows.iter().filter_map(|flow| flow.turn.as_deref());
        let granted = servers().any(|turn| {
            let allocate = turn.requests.get(&method::ALLOCATE);
            turn.is_allocated() || allocate.is_some_and(|requests| requests.succeeded > 0)
        });
        let relays = self.flows.iter().any(|flow| flow.key.relay.is_some());
        let refused = servers().any(|turn| turn.errors.keys().any(|failure| failure.credentials));
        (granted || relays, refused)
    }

    fn questions(&self) -> (bool, bool) {
        let questions = || self.ices().flat_map(|ice| &ice.questions);
        (questions().any(|questions| questions.succeeded > 0), questions().any(|questions| questions.failed > 0))
    }
}

/// The only host that sends, if something shows that others do: it answers what was not asked, goes on with a handshake
/// that nobody answers, or reports on streams that are not there.
fn only_sender(flows: &[&FlowRecord]) -> Option<IpAddr> {
    let mut senders = BTreeSet::new();
    for flow in flows {
        let sends = |direction: &usize| flow.packets.get(*direction).is_some_and(|packets| *packets > 0);
        senders.extend((0..2).filter(sends).map(|direction| flow.key.source(direction).ip()));
    }
    let only = senders.first().copied().filter(|_| senders.len() == 1)?;
    let answers = |flow: &FlowRecord| flow.ice.iter().any(|ice| ice.strays.iter().any(|strays| *strays > 0));
    let goes_on = |record: &dtls::Record| {
        let far = record.directions.iter().any(|side| side.encrypted_handshake.or(side.change_cipher_spec).is_some());
        far && record.is_started()
    };
    let reports = |flow: &FlowRecord| {
        let rtcp = flow.rtcp.iter().flat_map(|rtcp| &rtcp.reports);
        rtcp.into_iter().any(|((_, ssrc), report)| {
            report.last.highest_sequence > 0 && !flow.streams.iter().any(|stream| stream.ssrc == *ssrc)
        })
    };
    let shows = |flow: &&FlowRecord| answers(flow) || flow.dtls.iter().any(goes_on) || reports(flow);
    flows.iter().any(shows).then_some(only)
}
