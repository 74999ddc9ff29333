//! What the header extensions of a stream said, and the sequence numbers over all streams.

use std::collections::BTreeMap;

use crate::{
    flow::{
        FlowRecord,
        key::FlowKey,
        stream::{
            Stream,
            elements::{CaptureTimes, Followed, Frames, Levels, SendTimes, Value},
            media_kind,
        },
        transport_wide::{Gap, Numbers},
    },
    report::{
        build::Context,
        document::{
            self, AbsCaptureTime, AbsSendTime, AllocatedLayer, AudioLevel, Changed, Changes, DependencyDescriptor,
            ExtensionDetails, HeaderExtension, LayerFrames, PlayoutDelay, Resolution, Silence, TransmissionOffset,
            TransportWide, VideoContentType, VideoLayersAllocation, VideoOrientation,
        },
    },
    session::{CallStream, Repair, Signalled, StreamRole},
    time::{Timestamp, seconds},
    wire::rtp::{
        Meaning, Media,
        allocation::Allocation,
        value::{ColorSpace, Orientation, PlayoutDelay as Delay, is_screen},
    },
};

/// Nanoseconds from 1900, where NTP counts from, to 1970.
const NTP_EPOCH: i64 = 2_208_988_800 * crate::time::NANOS_PER_SECOND;

/// Paths of a call that are asked whether they had the numbers that another misses.
const PATHS: usize = 64;

/// What ids mean in one direction of a path, by behaviour. All streams of a transport agree on their ids (RFC 8843
/// section 9.1.1 for those in a BUNDLE group), so that what one proves counts for all.
#[derive(Clone, Debug, Default)]
pub struct Inferred {
    /// By id; `None` where streams contradict each other.
    meanings: BTreeMap<u8, Option<Meaning>>,
    /// Media streams with descriptors of frames: the streams of a simulcast share the frames' numbers.
    descriptors: usize,
}

/// A direction of a path.
pub type Way = (FlowKey, usize);

/// The direction and path that a stream is on at its end.
pub fn way_of(found: &CallStream<'_>) -> Way {
    (found.flow.key, found.direction())
}

/// What the behaviour of all streams proves, by path and direction. `roles` are theirs.
pub fn infer(flows: &[&FlowRecord], streams: &[CallStream<'_>], roles: &[Repair]) -> BTreeMap<Way, Inferred> {
    let mut ways: BTreeMap<Way, Inferred> = BTreeMap::new();
    let mut note = |way: Way, id: u8, meaning: Meaning| {
        let known = ways.entry(way).or_default().meanings.entry(id).or_insert(Some(meaning));
        *known = known.filter(|known| *known == meaning);
    };
    for found in streams {
        let is_audio = media_kind(&found.stream) == Some(Media::Audio);
        for followed in found.stream.elements.all() {
            if let Some(meaning) = followed.meaning(is_audio, found.stream.packets) {
                note(way_of(found), followed.id, meaning);
            }
        }
    }
    for flow in flows {
        for numbers in flow.transport_wide.iter().filter(|numbers| numbers.are_proven()) {
            note((flow.key, numbers.direction), numbers.id, Meaning::TransportWide);
        }
    }
    for (found, role) in streams.iter().zip(roles) {
        let mut followed = found.stream.elements.all().iter();
        if role.role == StreamRole::Media && followed.any(|followed| followed.frames.is_some()) {
            ways.entry(way_of(found)).or_default().descriptors += 1;
        }
    }
    ways
}

/// The header extensions of a stream, by id. `inferred` is what all streams of its path prove.
pub fn header_extensions(
    context: &Context<'_>,
    stream: &Stream,
    said: Option<&Signalled<'_>>,
    inferred: &Inferred,
) -> Vec<HeaderExtension> {
    let used = stream.extensions().into_iter().zip(0_u8..).filter(|(packets, _)| *packets > 0);
    let describe = |(packets, id): (u32, u8)| {
        let followed = stream.elements.of(id);
        let uri = said.and_then(|said| said.extension(id));
        let by_behaviour = || inferred.meanings.get(&id).copied().flatten();
        let meaning = uri.map_or_else(by_behaviour, Meaning::of_uri);
        HeaderExtension {
            id,
            packets: u64::from(packets),
            uri: uri.or_else(|| meaning.map(Meaning::uri)).map(str::to_owned),
            uri_inferred: uri.is_none() && meaning.is_some(),
            details: followed
                .zip(meaning)
                .and_then(|(followed, meaning)| details(context, followed, meaning, inferred)),
        }
    };
    used.map(describe).collect()
}

fn details(
    context: &Context<'_>,
    followed: &Followed,
    meaning: Meaning,
    inferred: &Inferred,
) -> Option<ExtensionDetails> {
    Some(match meaning {
        Meaning::AudioLevel => ExtensionDetails::AudioLevel(audio_level(context, followed.levels.as_ref()?)),
        Meaning::SendTime => {
            let times = followed.send_times.as_ref().filter(|times| times.are_likely())?;
            ExtensionDetails::AbsSendTime(send_time(context, times))
        }
        Meaning::CaptureTime => ExtensionDetails::AbsCaptureTime(capture_time(followed.capture_times.as_ref()?)),
        Meaning::DependencyDescriptor => {
            let is_alone = inferred.descriptors < 2;
            ExtensionDetails::DependencyDescriptor(dependency(context, followed.frames.as_ref()?, is_alone))
        }
        Meaning::VideoLayersAllocation => {
            ExtensionDetails::VideoLayersAllocation(changes(context, followed, allocation)?)
        }
        Meaning::VideoOrientation => ExtensionDetails::VideoOrientation(changes(context, followed, orientation)?),
        Meaning::VideoContentType => ExtensionDetails::VideoContentType(changes(context, followed, content_type)?),
        Meaning::PlayoutDelay => ExtensionDetails::PlayoutDelay(changes(context, followed, playout_delay)?),
        Meaning::ColorSpace => ExtensionDetails::ColorSpace(changes(context, followed, color_space)?),
        Meaning::TransmissionOffset => {
            let (min, max) = followed.range?;
            ExtensionDetails::TransmissionOffset(TransmissionOffset { min, max })
        }
        // It is one for all streams.
        Meaning::TransportWide => return None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets are far below 2^53, and of energy a mean is taken")]
fn audio_level(context: &Context<'_>, levels: &Levels) -> AudioLevel {
    let mean = levels.energy as f64 / levels.packets.max(1) as f64 / Levels::FULL_ENERGY;
    let silence = levels.longest_silence().map(|silence| Silence {
        packets: silence.packets,
        start_time: context.seconds(silence.first.0),
        duration: silence.last.0.seconds_since(silence.first.0),
        first_packet: context.packet(silence.first.1),
        last_packet: context.packet(silence.last.1),
    });
    AudioLevel {
        // What is beyond a hundredth depends on the machine's logarithm.
        level: Some((1000.0 * mean.log10()).round().max(-12_700.0) / 100.0),
        level_max: levels.loudest().map(|loudest| -f64::from(loudest)),
        silent_packets: levels.silent,
        voice_activity_packets: levels.voice,
        silent: levels.silent == levels.packets,
        longest_silence: silence,
    }
}

fn send_time(context: &Context<'_>, times: &SendTimes) -> AbsSendTime {
    let (variation, highest_variation) = times.variation();
    let (queueing, longest, packet) = times.queueing();
    AbsSendTime {
        delay_variation: seconds(variation),
        delay_variation_max: seconds(highest_variation),
        queueing_delay: seconds(queueing),
        queueing_delay_max: seconds(longest),
        queueing_delay_max_packet: context.packet(packet),
        send_gap_max: seconds(times.longest_interval()),
    }
}

fn capture_time(times: &CaptureTimes) -> AbsCaptureTime {
    AbsCaptureTime {
        first_captured_at: Timestamp(times.first.captured.saturating_sub(NTP_EPOCH)).to_rfc3339(),
        age: seconds(times.first_age),
        age_min: seconds(times.ages.0),
        age_max: seconds(times.ages.1),
        clock_offset: times.clock_offset.map(seconds),
    }
}

fn dependency(context: &Context<'_>, frames: &Frames, is_alone: bool) -> DependencyDescriptor {
    let structure = frames.structure();
    let layers = frames.by_layer();
    let highest = |place: fn(&crate::wire::rtp::dependency::Layer) -> u8| {
        structure.and_then(|structure| structure.layers.iter().map(place).max()).map(|highest| highest + 1)
    };
    DependencyDescriptor {
        frames: frames.count_all(),
        frames_missing: frames.missing().filter(|_| is_alone),
        key_frames: frames.key_frames,
        key_frame_packets: frames.first_key_frames.iter().map(|(_, packet)| context.packet(*packet)).collect(),
        layers: layers
            .map(|(layer, frames)| LayerFrames { spatial: layer.spatial, temporal: layer.temporal, frames })
            .collect(),
        spatial_layers: highest(|layer| layer.spatial),
        temporal_layers: highest(|layer| layer.temporal),
        decode_targets: structure.map(|structure| structure.decode_targets),
        active_decode_targets: structure.zip(frames.active_decode_targets).map(|(structure, active)| {
            // The first bit that is sent, the highest, is that of target 0 where all are written from the left.
            (0..structure.decode_targets).filter(|target| active >> target & 1 == 1).collect()
        }),
        chains: structure.map(|structure| structure.chains),
        resolutions: structure.map_or_else(Vec::new, |structure| {
            structure.resolutions.iter().map(|(width, height)| Resolution { width: *width, height: *height }).collect()
        }),
    }
}

/// The values that can be read; `None` without any.
fn changes<T>(context: &Context<'_>, followed: &Followed, read: fn(&[u8]) -> Option<T>) -> Option<Changes<T>> {
    let changed = |value: &Value| {
        let (time, packet) = (context.seconds(value.time), context.packet(value.packet));
        Some(Changed { time, packet, value: read(&value.data)? })
    };
    let values: Vec<Changed<T>> = followed.history.values().iter().filter_map(changed).collect();
    (!values.is_empty()).then(|| Changes { changes: followed.history.changes(), values })
}

fn allocation(data: &[u8]) -> Option<VideoLayersAllocation> {
    let Allocation { stream, streams, layers } = Allocation::parse(data)?;
    let layers = layers.into_iter().map(|layer| AllocatedLayer {
        stream: layer.stream,
        spatial: layer.spatial,
        target_bitrates: layer.target_kilobits.iter().map(|rate| u64::from(*rate) * 1000).collect(),
        width: layer.resolution.map(|(width, ..)| width),
        height: layer.resolution.map(|(_, height, _)| height),
        max_frame_rate: layer.resolution.map(|(.., rate)| rate),
    });
    Some(VideoLayersAllocation { stream, streams, layers: layers.collect() })
}

fn orientation(data: &[u8]) -> Option<VideoOrientation> {
    let [byte] = data else { return None };
    let Orientation { back_camera, flipped, rotation } = Orientation::of(*byte);
    Some(VideoOrientation { camera: if back_camera { "back" } else { "front" }, flipped, rotation })
}

fn content_type(data: &[u8]) -> Option<VideoContentType> {
    let [byte] = data else { return None };
    Some(VideoContentType { content_type: if is_screen(*byte) { "screenshare" } else { "unspecified" } })
}

fn playout_delay(data: &[u8]) -> Option<PlayoutDelay> {
    let delay = Delay::of(data.try_into().ok()?);
    Some(PlayoutDelay { min: f64::from(delay.least) / 1e3, max: f64::from(delay.most) / 1e3 })
}

fn color_space(data: &[u8]) -> Option<document::ColorSpace> {
    let ColorSpace { primaries, transfer, matrix, range, high_dynamic_range } = ColorSpace::parse(data)?;
    let range = match range {
        1 => "limited",
        2 => "full",
        3 => "derived",
        _ => "invalid",
    };
    Some(document::ColorSpace { primaries, transfer, matrix, range, high_dynamic_range })
}

/// Sequence numbers over all streams, flow by flow. `said` is what was signalled of each of `streams`.
pub fn transport_wide(
    context: &Context<'_>,
    flows: &[&FlowRecord],
    streams: &[CallStream<'_>],
    said: &[Option<Signalled<'_>>],
) -> Vec<TransportWide> {
    let mut parts: BTreeMap<Way, Vec<(&Stream, Option<&Signalled<'_>>)>> = BTreeMap::new();
    for (stream, said) in streams.iter().zip(said) {
        for (flow, part) in &stream.parts {
            parts.entry((flow.key, part.direction)).or_default().push((part, said.as_ref()));
        }
    }
    let mut found: Vec<(Timestamp, TransportWide)> = Vec::new();
    for (flow, numbers) in flows.iter().flat_map(|flow| flow.transport_wide.iter().map(move |numbers| (flow, numbers)))
    {
        let has = |part: &Stream| part.extensions().get(usize::from(numbers.id)).is_some_and(|packets| *packets > 0);
        let carriers = parts.get(&(flow.key, numbers.direction)).into_iter().flatten();
        let carriers: Vec<_> = carriers.filter(|(part, _)| has(part)).collect();
        let uris: Vec<&str> = carriers.iter().filter_map(|(_, said)| said.as_ref()?.extension(numbers.id)).collect();
        let said = uris.iter().find(|uri| Meaning::of_uri(uri) == Some(Meaning::TransportWide));
        if said.is_none() && (!uris.is_empty() || !numbers.are_proven()) {
            continue;
        }
        let uri = said.copied().unwrap_or(Meaning::TransportWide.uri()).to_owned();
        let streams = carriers.iter().map(|(part, _)| *part).collect::<Vec<_>>();
        let described = describe(context, flows, flow, numbers, &streams);
        found.push((numbers.first.0, TransportWide { uri, uri_inferred: said.is_none(), ..described }));
    }
    found.sort_by_key(|(first, _)| *first);
    found.into_iter().map(|(_, numbers)| numbers).collect()
}

fn describe(
    context: &Context<'_>,
    flows: &[&FlowRecord],
    flow: &FlowRecord,
    numbers: &Numbers,
    parts: &[&Stream],
) -> TransportWide {
    let counters = numbers.counters();
    let (elsewhere, lost): (Vec<&Gap>, Vec<&Gap>) =
        numbers.gaps.iter().partition(|gap| is_covered(flows, flow, numbers, gap));
    let missing = |gaps: &[&Gap]| gaps.iter().map(|gap| gap.missing).sum::<u64>();
    let in_gaps = missing(&lost);
    let widest = lost.iter().max_by_key(|gap| gap.missing);
    let longest = counters.bursts.longest.max(widest.map_or(0, |gap| gap.missing));
    let around = match widest.filter(|gap| gap.missing == longest) {
        Some(gap) => Some((gap.from.1, gap.to.1)),
        None => numbers.around_longest(&counters.bursts),
    };
    let (packets_lost, packets_expected) = (counters.lost + in_gaps, counters.expected + in_gaps);
    TransportWide {
        source: flow.key.name_of(flow.key.source(numbers.direction)),
        destination: flow.key.name_of(flow.key.destination(numbers.direction)),
        transport: flow.key.transport.name(),
        relay: flow.key.relay.map(|relay| relay.to_string()),
        id: numbers.id,
        uri: String::new(),
        uri_inferred: false,
        streams: parts.len() as u64,
        packets_received: numbers.packets,
        packets_expected,
        packets_lost,
        fraction_lost: super::streams::ratio(packets_lost, packets_expected),
        sequence_packets_lost: parts.iter().map(|part| part.sequence().lost).sum(),
        packets_duplicated: counters.duplicated,
        packets_reordered: counters.reordered,
        burst_loss_count: counters.bursts.count() + lost.len() as u64,
        longest_loss_burst: longest,
        longest_loss_burst_packets: around
            .map_or_else(Vec::new, |(before, behind)| vec![context.packet(before), context.packet(behind)]),
        packets_elsewhere: missing(&elsewhere),
        restarts: counters.restarts,
        first_sequence_number: numbers.first_number(),
        first_packet: context.packet(numbers.first.1),
        last_packet: context.packet(numbers.last.1),
    }
}

/// Whether another path of the call, from the same sender or to the same receiver, had such numbers in the meantime.
fn is_covered(flows: &[&FlowRecord], flow: &FlowRecord, numbers: &Numbers, gap: &Gap) -> bool {
    let ends =
        |flow: &FlowRecord, direction: usize| (flow.key.source(direction).ip(), flow.key.destination(direction).ip());
    let (source, destination) = ends(flow, numbers.direction);
    flows.iter().take(PATHS).filter(|other| !std::ptr::eq(**other, flow)).any(|other| {
        other.transport_wide.iter().any(|its| {
            let (its_source, its_destination) = ends(other, its.direction);
            its.id == numbers.id
                && (its_source == source || its_destination == destination)
                && its.first.0 < gap.to.0
                && its.last.0 > gap.from.0
        })
    })
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
            key::Transport,
            transport_wide::{Carrier, TransportWide as Ways},
        },
        time::{NANOS_PER_MILLI, PacketId},
        wire::{Endpoint, rtp::Element},
    };

    /// A flow of a sender's host to a receiver's, on which these numbers came, each at its number times 10 ms.
    fn flow(sender: u8, receiver: u8, numbers: impl IntoIterator<Item = u16>) -> FlowRecord {
        let end = |host| Endpoint::from(SocketAddr::from(([192, 0, 2, host], 5000)));
        let (key, direction) = FlowKey::new(end(sender), end(receiver), Transport::Udp);
        let datagram =
            Datagram { time: Timestamp(0), id: PacketId::new(0, 1), bytes: &[], length: 0, direction, holes: 0 };
        let record = Flow::new(key, &datagram, &Budget::new(0), &Budget::new(0)).finish(Timestamp::default());
        let mut ways = Ways::default();
        for number in numbers {
            let time = Timestamp(i64::from(number) * 10 * NANOS_PER_MILLI);
            let carrier = Carrier { time, id: PacketId::new(0, number.into()), holes: 0 };
            let element = Element { id: 3, data: &number.to_be_bytes(), offset: 0 };
            ways.push(&element, &carrier, direction, &Budget::default());
        }
        FlowRecord { transport_wide: ways.finish(), ..record }
    }

    #[test]
    fn what_another_path_had_is_not_lost() {
        // From 300 to 699 the packets took another path.
        let left = flow(1, 2, (0..300).chain(700..1000));
        let (numbers, gap) = (&left.transport_wide[0], left.transport_wide[0].gaps[0]);
        assert_eq!(gap.missing, 400);
        let between = flow(1, 3, 300..700);
        assert!(is_covered(&[&left, &between], &left, numbers, &gap));
        // One of others, one before, and none.
        let others = flow(4, 5, 300..700);
        let before = flow(1, 3, 0..290);
        assert!(!is_covered(&[&left, &others, &before], &left, numbers, &gap));
    }
}
