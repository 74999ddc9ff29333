//! Which pair a call used, one after the other.

use super::{address::Place, pair, works};
use crate::{
    flow::{FlowRecord, ice},
    report::{build::Context, document::SelectedPair},
    session,
    time::{NANOS_PER_MILLI, NANOS_PER_SECOND, PacketId, Timestamp},
};

/// A pair that carried nothing for so long while another did was left.
const LEFT_AFTER: i64 = 2 * NANOS_PER_SECOND;

/// What was sent over a pair before it was left arrives so late at most.
const CROSSING: i64 = 500 * NANOS_PER_MILLI;

/// Pairs that are listed one after the other.
const SELECTIONS: usize = 64;

/// A pair, and when and with which packet it took the traffic over.
type Turn = (usize, Timestamp, PacketId);

/// The pairs of a call in the order in which they carried its traffic.
pub(super) struct Selection<'a> {
    checked: &'a [(&'a FlowRecord, &'a ice::Record)],
    turns: Vec<Turn>,
}

impl<'a> Selection<'a> {
    /// Of the pairs that were checked. A stream that changes its path tells when; where none does, a pair that began to
    /// carry something when another had ended.
    pub(super) fn new(checked: &'a [(&'a FlowRecord, &'a ice::Record)], flows: &[&FlowRecord]) -> Self {
        let index = |flow: &FlowRecord| checked.iter().position(|(known, _)| std::ptr::eq(*known, flow));
        let streams = session::streams(flows.iter().copied());
        let paths = streams.iter().filter(|stream| !stream.is_seen_before && stream.parts.len() > 1).map(|stream| {
            let path = stream.path().into_iter();
            let mut turns: Vec<Turn> =
                path.filter_map(|(flow, leg)| Some((index(flow)?, leg.from, leg.packet))).collect();
            turns.dedup_by_key(|turn| turn.0);
            turns
        });
        let by_stream = paths.rev().max_by_key(Vec::len).unwrap_or_default();
        let by_pair = handed_over(checked);
        let turns = if by_stream.len() > by_pair.len() { by_stream } else { by_pair };
        Self { checked, turns }
    }

    /// How often the traffic moved.
    pub(super) fn switches(&self) -> u64 {
        self.turns.len().saturating_sub(1) as u64
    }

    /// The pair in use at the end: of those that carried media or data to the last the one that the others were left for,
    /// or else that carried most. Where none carried any, one that was nominated with success, else one that succeeded.
    pub(super) fn last(&self) -> Option<usize> {
        let latest = self.checked.iter().filter_map(|(flow, _)| flow.carried()).map(|(_, last)| last).max();
        let spans: Vec<Option<(Timestamp, Timestamp)>> =
            self.checked.iter().enumerate().map(|(index, (flow, _))| self.last_span(index, flow)).collect();
        let was_left = |index: usize| {
            let own = spans.get(index).copied().flatten();
            own.is_some_and(|(began, ended)| {
                spans
                    .iter()
                    .flatten()
                    .any(|(other, last)| *other > began && *last > ended && ended.since(*other) < CROSSING)
            })
        };
        let rank = |index: usize, (flow, ice): &(&FlowRecord, &ice::Record)| {
            let carries = flow.carried().zip(latest).is_some_and(|((_, last), latest)| latest.since(last) < LEFT_AFTER)
                && !was_left(index);
            let carried = flow.packets.iter().sum::<u64>().saturating_sub(flow.count(crate::flow::Protocol::Stun));
            let nominated = ice.checks.iter().any(|checks| checks.nomination_answered.is_some());
            (if carries { carried } else { 0 }, nominated, ice.is_connected())
        };
        let ranked = self
            .checked
            .iter()
            .enumerate()
            .filter(|(index, pair)| works(pair.1.checks.each_ref().map(pair::state)) || rank(*index, pair).0 > 0);
        // Of equals the first.
        ranked.rev().max_by_key(|(index, pair)| rank(*index, pair)).map(|(index, _)| index)
    }

    /// The pairs one after the other, where there is more than one.
    pub(super) fn history(&self, context: &Context<'_>, place: &Place) -> Vec<SelectedPair> {
        let turns = self.turns.iter().filter(|_| self.turns.len() > 1).take(SELECTIONS);
        let listed = turns.filter_map(|(index, time, packet)| {
            let (flow, _) = self.checked.get(*index)?;
            let (local, remote) = place.ends(flow);
            Some(SelectedPair { time: context.seconds(*time), packet: context.packet(*packet), local, remote })
        });
        listed.collect()
    }

    /// When a pair carried something last: from where it took over to its end.
    fn last_span(&self, index: usize, flow: &FlowRecord) -> Option<(Timestamp, Timestamp)> {
        let (first, last) = flow.carried()?;
        let turn = self.turns.iter().rev().find(|turn| turn.0 == index);
        Some((turn.map_or(first, |turn| turn.1.max(first)), last))
    }
}

/// Pairs that began to carry something when another had ended, behind the first.
fn handed_over(checked: &[(&FlowRecord, &ice::Record)]) -> Vec<Turn> {
    let carried = || checked.iter().enumerate().filter_map(|(index, (flow, _))| Some((index, flow.carried()?, flow)));
    let took_over =
        |first: Timestamp| carried().any(|(_, (other, last), _)| other < first && last.since(first) < LEFT_AFTER);
    let mut turns: Vec<Turn> = carried()
        .filter(|(_, (first, _), _)| took_over(*first))
        .map(|(index, (first, _), flow)| (index, first, flow.first.1))
        .collect();
    let first = carried().min_by_key(|(index, (first, _), _)| (*first, *index));
    turns.extend(first.map(|(index, (first, _), flow)| (index, first, flow.first.1)));
    turns.sort_by_key(|turn| (turn.1, turn.0));
    turns
}
