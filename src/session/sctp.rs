//! The SCTP associations of a call: one that changes its path is one, and one that a capture shows twice counts once.

use std::{borrow::Cow, collections::BTreeMap};

use super::groups::Groups;
use crate::flow::{
    FlowRecord,
    sctp::{Relation, SctpRecord},
};

/// One association.
#[derive(Clone, Debug)]
pub struct SctpAssociation<'a> {
    /// The path of its first packet; its directions are those of the record.
    pub flow: &'a FlowRecord,
    /// What all paths show of it.
    pub record: Cow<'a, SctpRecord>,
    /// Paths that it ran over.
    pub paths: u32,
}

/// The associations of a call's flows by their first packet.
#[must_use]
pub fn sctp_associations<'a>(flows: &[&'a FlowRecord]) -> Vec<SctpAssociation<'a>> {
    let records = flows.iter().filter_map(|flow| flow.sctp.as_deref().map(|record| (*flow, record)));
    let mut all: Vec<(&FlowRecord, &SctpRecord)> = records.collect();
    all.sort_by_key(|(_, record)| record.first.map(|first| (first.time, first.packet)));
    let mut associations: Vec<SctpAssociation<'_>> = Vec::new();
    // Tags are random: the latest association with one is the only one to ask.
    let mut by_tag: BTreeMap<u32, usize> = BTreeMap::new();
    for (flow, record) in all {
        let known = tags(record).find_map(|tag| by_tag.get(&tag).copied());
        let same = known.filter(|at| associations.get_mut(*at).is_some_and(|known| known.take(record)));
        let at = same.unwrap_or(associations.len());
        if same.is_none() {
            associations.push(SctpAssociation { flow, record: Cow::Borrowed(record), paths: 1 });
        }
        by_tag.extend(tags(record).map(|tag| (tag, at)));
    }
    associations
}

/// Joins the flows of one association: those that go on, under the tags of one that was set up elsewhere, on the next path
/// or at another address of an end that has several.
pub(super) fn join(flows: &[FlowRecord], members: &[usize], groups: &mut Groups) {
    let mut known: BTreeMap<[(u32, u16); 2], usize> = BTreeMap::new();
    let records = || members.iter().filter_map(|index| Some((*index, flows.get(*index)?.sctp.as_deref()?)));
    for (index, record) in records().filter(|(_, record)| record.init.is_some()).chain(records()) {
        let Some(ends) = ends(record) else { continue };
        match known.get(&ends) {
            Some(first) if record.init.is_none() => groups.join(*first, index),
            Some(_) => {}
            None => _ = known.insert(ends, index),
        }
    }
}

/// What both ends are known by: the tag that each sees last, with its port.
fn ends(record: &SctpRecord) -> Option<[(u32, u16); 2]> {
    let [low, high] = record.ports;
    let [from_low, from_high] = [0, 1].map(|side: usize| record.directions.get(side)?.last_verification_tag);
    let mut ends = [(from_low?, high), (from_high?, low)];
    ends.sort_unstable();
    Some(ends)
}

/// The verification tags in a record.
fn tags(record: &SctpRecord) -> impl Iterator<Item = u32> {
    record.directions.iter().flat_map(|side| [side.verification_tag, side.last_verification_tag]).flatten()
}

impl SctpAssociation<'_> {
    /// Takes in what another flow shows, where it is the same association.
    fn take(&mut self, later: &SctpRecord) -> bool {
        let turned = later.turned();
        let (straight, crossed) = (self.record.relation(later), self.record.relation(&turned));
        match (straight, crossed) {
            (Relation::Rest, _) => self.record.to_mut().append(later.clone()),
            (Relation::Other, Relation::Rest) => self.record.to_mut().append(turned),
            (Relation::Other, Relation::Other) => return false,
            _ => return true,
        }
        self.paths += 1;
        true
    }
}
