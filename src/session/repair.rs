//! Which stream repairs which: RTX (RFC 4588) found by its timestamps, and bandwidth probes that repair nothing.

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
    /// The stream that it repairs, as an index into the flow's streams.
    pub of: Option<usize>,
}

/// The role of each stream of a flow, in the order of [`FlowRecord::streams`].
#[must_use]
pub fn repairs(flow: &FlowRecord) -> Vec<Repair> {
    let originals: Vec<Option<usize>> =
        (0..flow.streams.len()).map(|index| original_of(&flow.streams, index)).collect();
    let roles = flow.streams.iter().zip(&originals).map(|(stream, original)| match original {
        Some(_) => Repair { role: StreamRole::Retransmission, of: *original },
        None if is_probe(stream, flow.path.dtls) => Repair { role: StreamRole::Probe, of: None },
        None => Repair { role: StreamRole::Media, of: None },
    });
    roles.collect()
}

/// Packets with another stream's timestamp that prove by themselves that they repeat it: timestamps start at random
/// (RFC 3550 section 5.1). The rest may repeat packets that were lost before the tap.
const PROOF: u32 = 3;

/// The stream whose timestamps the packets of `index` repeat, if most of them do, or if nothing else explains those
/// that do.
fn original_of(streams: &[Stream], index: usize) -> Option<usize> {
    let stream = streams.get(index)?;
    if stream.repairs.matched == 0 {
        return None;
    }
    let original = streams.iter().position(|other| {
        other.ssrc == stream.repairs.ssrc && other.direction == stream.direction && other.ssrc != stream.ssrc
    })?;
    let other = streams.get(original)?;
    let is_proven = stream.repairs.matched >= PROOF && stream.packets * 2 <= other.packets;
    if !repeats(stream) && !is_proven {
        return None;
    }
    let shared = stream
        .payload_types()
        .iter()
        .any(|count| other.payload_types().iter().any(|theirs| theirs.payload_type == count.payload_type));
    // Two streams may each repeat a few of the other's timestamps: the one that does so more is the repair.
    let mutual = repeats(other) && other.repairs.ssrc == stream.ssrc && share(other) >= share(stream);
    (!shared && !mutual).then_some(original)
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
    use super::*;
    use crate::{
        flow::stream::Arrival,
        time::{PacketId, Timestamp},
    };

    fn stream(ssrc: u32, payload_type: u8, packets: u16, padded: bool) -> Stream {
        let arrival = |index: u16| Arrival {
            time: Timestamp(i64::from(index) * 33_000_000),
            id: PacketId::new(0, 1),
            ssrc,
            timestamp: u32::from(index) * 3000,
            sequence_number: index,
            payload_type,
            marker: false,
            padding: padded,
            header_length: 12,
            padding_length: 0,
            payload_length: 200,
            extensions: 0,
            csrc_count: 0,
        };
        let mut stream = Stream::new(&arrival(0), 0);
        (1..packets).for_each(|index| stream.push(&arrival(index)));
        stream
    }

    #[test]
    fn retransmissions_repeat_timestamps() {
        let media = stream(1, 96, 500, false);
        let mut rtx = stream(2, 97, 20, false);
        (0..20).for_each(|index| rtx.note_repair((index % 4 != 0).then_some(1)));
        assert_eq!(original_of(&[media.clone(), rtx.clone()], 1), Some(0));
        assert_eq!(original_of(&[media, rtx], 0), None);
    }

    #[test]
    fn streams_of_one_payload_type_repair_nothing() {
        let media = stream(1, 96, 500, false);
        let mut layer = stream(2, 96, 500, false);
        (0..64).for_each(|_| layer.note_repair(Some(1)));
        assert_eq!(original_of(&[media, layer], 1), None);
    }

    #[test]
    fn padding_alone_is_a_probe() {
        assert!(is_probe(&stream(0, 99, 31, true), false));
        assert!(is_probe(&stream(7, 97, 4, true), false));
        assert!(!is_probe(&stream(7, 97, 1, true), false));
        assert!(!is_probe(&stream(7, 97, 4, false), true));
    }
}
