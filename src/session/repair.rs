//! Which stream repairs which: RTX (RFC 4588) found by its timestamps, and bandwidth probes that repair nothing.

use std::collections::BTreeMap;

use super::CallStream;
use crate::flow::{FlowRecord, stream::Stream};

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRole {
    /// Audio, video or text.
    Media,
    /// Retransmissions of another stream.
    Retransmission,
    /// Padding only.
    Probe,
}

/// A stream's role and, for retransmissions, the index of the stream that it repairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// What it is for.
    pub role: StreamRole,
    /// The stream that it repairs, as an index into the call's streams.
    pub of: Option<usize>,
}

/// The role of each of a call's streams, in their order.
#[must_use]
pub fn repairs(streams: &[CallStream<'_>]) -> Vec<Repair> {
    let mut by_ssrc: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, stream) in streams.iter().enumerate() {
        by_ssrc.entry(stream.stream.ssrc).or_default().push(index);
    }
    let moved = streams.len() <= FEW_STREAMS && streams.iter().any(|stream| stream.parts.len() > 1);
    let roles = streams.iter().map(|stream| {
        let of =
            original_of(streams, &by_ssrc, stream).or_else(|| moved.then(|| left_behind(streams, stream)).flatten());
        let role = match of {
            Some(_) => StreamRole::Retransmission,
            None if is_probe(&stream.stream, stream.flow.path.dtls) => StreamRole::Probe,
            None => StreamRole::Media,
        };
        Repair { role, of }
    });
    roles.collect()
}

/// Packets with another stream's timestamp that prove by themselves that they repeat it: timestamps start at random
/// (RFC 3550 section 5.1). The rest may repeat packets that were lost before the tap.
const PROOF: u32 = 3;

/// Calls of more streams than this are not searched for what was sent on a path that was left.
const FEW_STREAMS: usize = 64;

/// The stream whose timestamps the packets of another repeat, if most of them do, or if nothing else explains those
/// that do.
fn original_of(
    streams: &[CallStream<'_>],
    by_ssrc: &BTreeMap<u32, Vec<usize>>,
    call_stream: &CallStream<'_>,
) -> Option<usize> {
    let stream = &call_stream.stream;
    if stream.repairs.matched == 0 || stream.repairs.ssrc == stream.ssrc {
        return None;
    }
    let mut candidates = by_ssrc.get(&stream.repairs.ssrc)?.iter().copied();
    let original = candidates.find(|index| streams.get(*index).is_some_and(|other| shares_path(call_stream, other)))?;
    let other = &streams.get(original)?.stream;
    let is_proven = stream.repairs.matched >= PROOF && stream.packets * 2 <= other.packets;
    if !repeats(stream) && !is_proven {
        return None;
    }
    // Two streams may each repeat a few of the other's timestamps: the one that does so more is the repair.
    let mutual = repeats(other) && other.repairs.ssrc == stream.ssrc && share(other) >= share(stream);
    (!shares_payload_type(stream, other) && !mutual).then_some(original)
}

/// The stream that was sent on a path before the call left it, and is repeated on the new one.
fn left_behind(streams: &[CallStream<'_>], call_stream: &CallStream<'_>) -> Option<usize> {
    let stream = &call_stream.stream;
    let repeated = |(flow, part): &(&FlowRecord, &Stream)| {
        let is_elsewhere = !call_stream.parts.iter().any(|(own, _)| std::ptr::eq(*own, *flow));
        let timestamps = stream.recent_timestamps().iter();
        let count = timestamps.filter(|timestamp| part.had_timestamp(**timestamp)).count();
        is_elsewhere && count >= PROOF as usize
    };
    streams.iter().position(|other| {
        other.stream.ssrc != stream.ssrc
            && stream.packets * 2 <= other.stream.packets
            && !shares_payload_type(stream, &other.stream)
            && other.parts.iter().any(repeated)
    })
}

fn shares_path(one: &CallStream<'_>, other: &CallStream<'_>) -> bool {
    let mut pairs = one.parts.iter().flat_map(|part| other.parts.iter().map(move |theirs| (part, theirs)));
    pairs.any(|((flow, part), (other, theirs))| std::ptr::eq(*flow, *other) && part.direction == theirs.direction)
}

fn shares_payload_type(one: &Stream, other: &Stream) -> bool {
    one.payload_types().iter().any(|count| other.uses_payload_type(count.payload_type))
}

/// Whether most packets that are no padding have timestamps of one other stream.
fn repeats(stream: &Stream) -> bool {
    let matched = u64::from(stream.repairs.matched);
    let checked = u64::from(stream.repairs.checked).saturating_sub(stream.padded.min(stream.packets / 2));
    matched > 0 && (matched * 2 >= checked || stream.padded * 2 >= stream.packets)
}

fn share(stream: &Stream) -> u32 {
    stream.repairs.matched * 1000 / stream.repairs.checked.max(1)
}

/// SSRC 0 and streams of nothing but padding probe the path's capacity. SRTP hides how much of a packet is padding:
/// there the padding bit has to do.
fn is_probe(stream: &Stream, encrypted: bool) -> bool {
    let hidden = encrypted || stream.ssrc == 0 || stream.packets > 1;
    stream.padding_only == stream.packets || hidden && stream.padded == stream.packets
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::{
        flow::{
            Flow,
            budget::Budget,
            datagram::Datagram,
            key::{FlowKey, Transport},
            stream::Arrival,
        },
        time::{PacketId, Timestamp},
        wire::Endpoint,
    };

    const ARRIVAL: Arrival = Arrival {
        time: Timestamp(0),
        id: PacketId::new(0, 1),
        ssrc: 1,
        timestamp: 0,
        sequence_number: 0,
        payload_type: 96,
        marker: false,
        padding: false,
        header_length: 12,
        padding_length: 0,
        payload_length: 200,
        extensions: 0,
        csrc_count: 0,
        holes: 0,
    };

    fn stream(ssrc: u32, payload_type: u8, packets: u16, padded: bool) -> Stream {
        let arrival = |index: u16| Arrival {
            time: Timestamp(i64::from(index) * 33_000_000),
            timestamp: u32::from(index) * 3000,
            sequence_number: index,
            ssrc,
            payload_type,
            padding: padded,
            ..ARRIVAL
        };
        let mut stream = Stream::new(&arrival(0), 0);
        (1..packets).for_each(|index| stream.push(&arrival(index)));
        stream
    }

    /// Which stream each of one flow's repairs.
    fn originals(streams: Vec<Stream>) -> Vec<Option<usize>> {
        let flow = flow(streams, 1);
        repairs(&crate::session::streams([&flow])).iter().map(|repair| repair.of).collect()
    }

    /// A flow on other ports for each number.
    fn flow(streams: Vec<Stream>, number: u16) -> FlowRecord {
        let end = |port| Endpoint::from(SocketAddr::from(([192, 0, 2, 1], port)));
        let (key, direction) = FlowKey::new(end(number), end(9_000 + number), Transport::Udp);
        let datagram =
            Datagram { time: Timestamp(0), id: PacketId::new(0, 1), bytes: &[], length: 0, direction, holes: 0 };
        let flow = Flow::new(key, &datagram, &Budget::new(0), &Budget::new(0)).finish(Timestamp::default());
        FlowRecord { streams, ..flow }
    }

    #[test]
    fn retransmissions_repeat_timestamps() {
        let media = stream(1, 96, 500, false);
        let mut rtx = stream(2, 97, 20, false);
        (0..20).for_each(|index| rtx.note_repair((index % 4 != 0).then_some(1)));
        assert_eq!(originals(vec![media, rtx]), [None, Some(0)]);
    }

    #[test]
    fn streams_of_one_payload_type_repair_nothing() {
        let media = stream(1, 96, 500, false);
        let mut layer = stream(2, 96, 500, false);
        (0..64).for_each(|_| layer.note_repair(Some(1)));
        assert_eq!(originals(vec![media, layer]), [None, None]);
    }

    /// Media leaves one path for another, and what was lost on the first is sent again on the second.
    #[test]
    fn a_stream_goes_on_elsewhere() {
        let part = |ssrc, payload_type, from: u16, to: u16, step: u16| {
            let arrival = |number: u16, late: i64| Arrival {
                time: Timestamp((i64::from(number * step) + late) * 33_000_000),
                sequence_number: number,
                timestamp: u32::from(number * step) * 3000,
                ..ARRIVAL
            };
            let late = if step > 1 { 400 } else { 0 };
            let first = Arrival { ssrc, payload_type, ..arrival(from, late) };
            let mut stream = Stream::new(&first, 0);
            (from + 1..to).for_each(|number| stream.push(&Arrival { ssrc, payload_type, ..arrival(number, late) }));
            stream
        };
        let old = flow(vec![part(1, 96, 0, 400, 1)], 1);
        let new = flow(vec![part(1, 96, 410, 800, 1), part(2, 97, 180, 199, 2)], 2);
        let found = crate::session::streams([&old, &new]);
        assert_eq!(found.iter().map(|one| (one.stream.ssrc, one.parts.len())).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
        let counters = found[0].stream.sequence();
        assert_eq!((found[0].stream.packets, counters.expected, counters.lost), (790, 800, 10));
        assert_eq!(found[0].stream.outages().count, 1);
        assert_eq!(repairs(&found)[1], Repair { role: StreamRole::Retransmission, of: Some(0) });
        // Seen at two places at once, it is two.
        let elsewhere = flow(vec![part(1, 96, 0, 400, 1)], 2);
        assert_eq!(crate::session::streams([&old, &elsewhere]).len(), 2);
    }

    #[test]
    fn padding_alone_is_a_probe() {
        assert!(is_probe(&stream(0, 99, 31, true), false));
        assert!(is_probe(&stream(7, 97, 4, true), false));
        assert!(!is_probe(&stream(7, 97, 1, true), false));
        assert!(!is_probe(&stream(7, 97, 4, false), true));
    }
}
