//! The DTLS associations of a call: without BUNDLE each of its transports has one, and one may run over two paths.

use std::{borrow::Cow, collections::BTreeSet};

use crate::flow::{FlowRecord, dtls};

/// One association.
#[derive(Clone, Debug)]
pub struct Association<'a> {
    /// The path of its first message; its directions are those of the record.
    pub flow: &'a FlowRecord,
    /// What both paths show of it, where it ran over two.
    pub record: Cow<'a, dtls::Record>,
    /// The paths.
    pub flows: Vec<&'a FlowRecord>,
}

impl Association<'_> {
    /// Whether its paths carry media.
    #[must_use]
    pub fn has_streams(&self) -> bool {
        self.flows.iter().any(|flow| !flow.streams.is_empty())
    }
}

/// The associations of a call's flows by their first record.
#[must_use]
pub fn associations<'a>(flows: &[&'a FlowRecord]) -> Vec<Association<'a>> {
    let mut all: Vec<(&FlowRecord, &dtls::Record)> =
        flows.iter().flat_map(|flow| flow.dtls.iter().map(move |record| (*flow, record))).collect();
    all.sort_by_key(|(_, record)| record.first.map(|first| (first.time, first.packet)));
    let mut associations: Vec<Association<'_>> = Vec::new();
    for (flow, record) in all {
        let rest = associations.iter_mut().find_map(|known| {
            // Nothing is the rest of what is whole, or of what began unseen or with another ClientHello.
            let own = known.record.offer.as_ref().filter(|_| !known.record.is_finished())?;
            if record.offer.as_ref().is_some_and(|other| other.random != own.random) {
                return None;
            }
            let is_other = known.flows.iter().all(|own| !std::ptr::eq(*own, flow));
            let rest = is_other.then(|| aligned(known, flow, record)).flatten()?;
            known.record.goes_on_in(&rest).then_some((known, rest))
        });
        match rest {
            Some((known, rest)) => {
                known.record.to_mut().append(&rest);
                known.flows.push(flow);
            }
            None => associations.push(Association { flow, record: Cow::Borrowed(record), flows: vec![flow] }),
        }
    }
    associations
}

/// The one that tells of a call: one that finished, that is in use, that started; of several the one whose path carries
/// media, then the last.
#[must_use]
pub fn association<'a, 'b>(associations: &'b [Association<'a>]) -> Option<&'b Association<'a>> {
    associations.iter().max_by_key(|one| {
        let record = &one.record;
        let rank = match (record.is_finished(), record.is_started(), record.is_in_use()) {
            (true, true, _) => 4,
            (true, false, _) => 3,
            (false, false, true) => 2,
            (false, true, _) => 1,
            (false, false, false) => 0,
        };
        (rank, one.has_streams(), record.finish.or(record.first).map(|step| step.time))
    })
}

/// The associations that the call's outcome depends on: of each handshake that is seen at several places one, and none
/// that had come to nothing when another was begun.
pub(super) fn current<'a, 'b>(associations: &'b [Association<'a>]) -> Vec<&'b Association<'a>> {
    let mut finished = BTreeSet::new();
    let random = |one: &Association<'_>| one.record.offer.as_ref().map(|offer| offer.random);
    for one in associations.iter().filter(|one| one.record.is_finished()) {
        finished.extend(random(one));
    }
    let is_over = |one: &Association<'_>| {
        let last = one.record.messages.iter().map(|message| message.last).max_by_key(|step| step.time);
        associations
            .iter()
            .any(|other| other.record.start().zip(last).is_some_and(|(next, last)| next.time > last.time))
    };
    let counts = |one: &&Association<'_>| {
        let is_elsewhere = random(one).is_some_and(|random| finished.contains(&random));
        one.record.is_finished() || !(is_elsewhere || is_over(one))
    };
    associations.iter().filter(|one| one.record.is_started()).filter(counts).collect()
}

/// A record with the directions of an association: by an address or a host that both paths share on one side, or by who
/// the client is.
fn aligned<'a>(known: &Association<'_>, flow: &FlowRecord, record: &'a dtls::Record) -> Option<Cow<'a, dtls::Record>> {
    let (own, other) = (known.flow.key, flow.key);
    let straight = own.low.ip() == other.low.ip() || own.high.ip() == other.high.ip();
    let turned = own.low.ip() == other.high.ip() || own.high.ip() == other.low.ip();
    let is_turned = match (straight, turned) {
        (true, false) => false,
        (false, true) => true,
        _ => known.record.client? != record.client?,
    };
    Some(if is_turned { Cow::Owned(record.turned()) } else { Cow::Borrowed(record) })
}
