//! The RTP streams of a call: a source that changes its path, after an ICE restart or a switch to another pair, is one.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    flow::{
        FlowRecord,
        stream::{Leg, Stream},
    },
    time::{PacketId, Timestamp},
    wire::Endpoint,
};

/// Streams of one SSRC that may go on elsewhere: a capture may show each path at several places.
const PATHS: usize = 8;

/// One source of a call.
#[derive(Clone, Debug)]
pub struct CallStream<'a> {
    /// The path that it is on at its end.
    pub flow: &'a FlowRecord,
    /// All its packets.
    pub stream: Cow<'a, Stream>,
    /// Its parts, path by path. Most have one.
    pub parts: Vec<(&'a FlowRecord, &'a Stream)>,
    /// Whether another stream of the call is the same packets at an earlier place of their way: the capture was made at a
    /// relay or a NAT, or at several places.
    pub is_seen_before: bool,
}

impl<'a> CallStream<'a> {
    const fn new(flow: &'a FlowRecord, stream: &'a Stream, parts: Vec<(&'a FlowRecord, &'a Stream)>) -> Self {
        Self { flow, stream: Cow::Borrowed(stream), parts, is_seen_before: false }
    }

    /// Who sends it at its end.
    #[must_use]
    pub fn source(&self) -> Endpoint {
        self.flow.key.source(self.direction())
    }

    /// Who it is sent to at its end.
    #[must_use]
    pub fn destination(&self) -> Endpoint {
        self.flow.key.destination(self.direction())
    }

    /// The direction that it is sent in at its end.
    #[must_use]
    pub fn direction(&self) -> usize {
        self.parts.last().map_or(self.stream.direction, |(_, part)| part.direction)
    }

    /// Whether a part on another path goes on where this ends: not one that its receiver sends.
    fn is_continued_by(&self, flow: &FlowRecord, part: &Stream) -> bool {
        let back = self.source() == flow.key.destination(part.direction)
            || self.destination() == flow.key.source(part.direction);
        !back && !std::ptr::eq(self.flow, flow) && self.stream.is_continued_by(part)
    }

    /// Whether it and a part on another path took turns.
    fn takes_turns_with(&self, flow: &FlowRecord, part: &Stream) -> bool {
        let back = self.source() == flow.key.destination(part.direction)
            || self.destination() == flow.key.source(part.direction);
        !back && self.parts.iter().all(|(own, _)| !std::ptr::eq(*own, flow)) && self.stream.takes_turns_with(part)
    }

    /// The flows that it ran over, one after the other, with the time and packet that each began at. A path that was left
    /// and taken again is there twice.
    #[must_use]
    pub fn path(&self) -> Vec<(&'a FlowRecord, Leg)> {
        let legs = self.parts.iter().flat_map(|(flow, part)| part.legs().into_iter().map(|leg| (*flow, leg)));
        let mut path: Vec<(&FlowRecord, Leg)> = legs.collect();
        path.sort_by_key(|(_, leg)| (leg.from, leg.packet));
        path.dedup_by(|next, known| std::ptr::eq(next.0, known.0));
        path
    }

    fn interleave(&mut self, flow: &'a FlowRecord, part: &'a Stream) {
        self.stream.to_mut().interleave(part);
        self.parts.push((flow, part));
        self.parts.sort_by_key(|(_, part)| part.last);
        self.flow = self.parts.last().map_or(flow, |(last, _)| *last);
    }

    fn append(&mut self, flow: &'a FlowRecord, part: &'a Stream) {
        self.stream.to_mut().append(part);
        self.flow = flow;
        self.parts.push((flow, part));
    }

    fn first(&self) -> (Timestamp, PacketId) {
        (self.stream.first.0, self.stream.first.1)
    }
}

/// The streams of a call's flows, by their first packet.
#[must_use]
pub fn streams<'a>(flows: impl IntoIterator<Item = &'a FlowRecord>) -> Vec<CallStream<'a>> {
    let mut parts: Vec<(&FlowRecord, &Stream)> =
        flows.into_iter().flat_map(|flow| flow.streams.iter().map(move |stream| (flow, stream))).collect();
    parts.sort_by_key(|(flow, part)| (part.first.0, part.first.1, flow.key, part.direction));
    let mut streams: Vec<CallStream<'_>> = Vec::new();
    let mut by_ssrc: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (flow, part) in parts {
        let known = by_ssrc.entry(part.ssrc).or_default();
        // SSRC 0 is everybody's: probes.
        let latest = known.iter().rev().take(PATHS).copied().find(|index| {
            part.ssrc != 0 && streams.get(*index).is_some_and(|stream| stream.is_continued_by(flow, part))
        });
        let other = known.iter().rev().take(PATHS).copied().find(|index| {
            part.ssrc != 0 && streams.get(*index).is_some_and(|stream| stream.takes_turns_with(flow, part))
        });
        match (latest, latest.or(other).and_then(|index| streams.get_mut(index))) {
            (Some(_), Some(stream)) => stream.append(flow, part),
            (None, Some(stream)) => stream.interleave(flow, part),
            (_, None) => {
                known.push(streams.len());
                streams.push(CallStream::new(flow, part, vec![(flow, part)]));
            }
        }
    }
    for indices in by_ssrc.into_values().filter(|indices| indices.len() > 1) {
        note_seen_before(&mut streams, &indices);
    }
    streams.sort_by_key(|stream| (stream.first(), stream.flow.key));
    streams
}

/// `indices` are of streams of one source by their first packet.
fn note_seen_before(streams: &mut [CallStream<'_>], indices: &[usize]) {
    let mut originals: Vec<usize> = Vec::new();
    for index in indices {
        let is_seen_before = originals.iter().rev().take(PATHS).any(|original| {
            let known = streams.get(*original).zip(streams.get(*index));
            known.is_some_and(|(original, stream)| original.stream.shows_packets_of(&stream.stream))
        });
        match streams.get_mut(*index) {
            Some(stream) if is_seen_before => stream.is_seen_before = true,
            _ => originals.push(*index),
        }
    }
}
