//! RTP streams of a call.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    flow::{
        FlowRecord, dtls,
        key::FlowKey,
        rtcp::Rtcp,
        sequence::{Bursts, Counters},
        stream::{self, PayloadTypeCount, Stream, clock_rate, media_kind},
    },
    report::{
        build::{Context, extension, rtcp},
        document::{self, Inferred, LossBursts, PayloadType, RtpStream, StreamPath, StreamRole, TransportWide},
    },
    sdp,
    session::{self, Call, CallStream, Repair, Sides, Signalled},
    time::{NANOS_PER_SECOND, seconds},
    wire::rtp::{Media, static_payload_type},
};

/// A shorter stream has no bit rate worth the name.
const SHORTEST_FOR_BITRATE: i64 = NANOS_PER_SECOND / 4;

/// Clock drift is only given where the mean jitter is at most one part in this many of the stream's length: 20 ppm.
const DRIFT_PRECISION: i64 = 50_000;

/// A shorter stream has no frame rate worth the name.
const SHORTEST_FOR_FRAME_RATE: i64 = NANOS_PER_SECOND;

/// Flows that are asked about one SSRC.
const MENTIONS: usize = 64;

/// The streams of a call by their first packet, and the sequence numbers over all of them.
pub fn streams(context: &Context<'_>, call: &Call<'_>) -> (Vec<RtpStream>, Vec<TransportWide>) {
    let Call { streams: all, repairs: roles, flows, .. } = call;
    // The stream that repairs another, by the other's index; the earliest, should there be several.
    let mut repairs_of: BTreeMap<usize, &Stream> = BTreeMap::new();
    for (role, found) in roles.iter().zip(all) {
        if let Some(of) = role.of {
            repairs_of.entry(of).or_insert(&found.stream);
        }
    }
    let mentions = mentions(flows);
    let said = |found: &CallStream<'_>| Sides::of(found.flow, &call.conversations)?.stream(found, found.direction());
    let said: Vec<Option<Signalled<'_>>> = all.iter().map(said).collect();
    let transport_wide = extension::transport_wide(context, flows, all, &said);
    let (ways, nothing) = (extension::infer(flows, all, roles), extension::Inferred::default());
    let found = all.iter().zip(roles).zip(said).enumerate().map(|(index, ((found, &role), said))| {
        let repaired = role.of.and_then(|index| all.get(index)).map(|found| &*found.stream);
        let rtx = repairs_of.get(&index).copied();
        let flows = mentions.get(&found.stream.ssrc).map_or(&[][..], Vec::as_slice);
        let proven = ways.get(&extension::way_of(found)).unwrap_or(&nothing);
        Parts { context, found, flow: found.flow, flows, stream: &found.stream, role, repaired, rtx, said, proven }
            .describe()
    });
    (found.collect(), transport_wide)
}

/// The flows that have a stream of an SSRC or speak of it in RTCP, so that a call of many flows is not searched for each
/// of its streams.
fn mentions<'a>(flows: &[&'a FlowRecord]) -> BTreeMap<u32, Vec<&'a FlowRecord>> {
    let mut mentions: BTreeMap<u32, Vec<&FlowRecord>> = BTreeMap::new();
    for flow in flows {
        let rtcp = flow.rtcp.iter().flat_map(|rtcp| rtcp.ssrcs());
        let ssrcs: BTreeSet<u32> = flow.streams.iter().map(|stream| stream.ssrc).chain(rtcp).collect();
        for ssrc in ssrcs {
            let flows = mentions.entry(ssrc).or_default();
            if flows.len() < MENTIONS {
                flows.push(flow);
            }
        }
    }
    mentions
}

/// One stream and what stands around it.
struct Parts<'a> {
    context: &'a Context<'a>,
    found: &'a CallStream<'a>,
    /// The path that it is on at its end.
    flow: &'a FlowRecord,
    /// Flows of the call that speak of the stream's SSRC.
    flows: &'a [&'a FlowRecord],
    stream: &'a Stream,
    role: Repair,
    repaired: Option<&'a Stream>,
    rtx: Option<&'a Stream>,
    /// What was signalled of it.
    said: Option<Signalled<'a>>,
    /// What ids of its header extensions mean, where its path proves it.
    proven: &'a extension::Inferred,
}

impl Parts<'_> {
    fn describe(&self) -> RtpStream {
        let Self { context, found, flow, stream, .. } = self;
        let counters = stream.sequence();
        let is_media = self.role.role == session::StreamRole::Media;
        let (rate, inferred) = match self.said.as_ref().and_then(|said| said.codec?.clock_rate) {
            Some(rate) => (Some(rate), false),
            None => clock_rate(self.repaired.unwrap_or(stream)),
        };
        let rate = rate.filter(|_| is_media || self.repaired.is_some() || !inferred);
        let (main_codec, codec_inferred) = self.main_codec();
        let jitter = rate.filter(|_| is_media).and_then(|rate| stream.timing().jitter(rate));
        let kind = self.kind();
        let length = stream.last.0.since(stream.first.0);
        RtpStream {
            ssrc: stream.ssrc,
            source: flow.key.name_of(found.source()),
            destination: flow.key.name_of(found.destination()),
            transport: flow.key.transport.name(),
            relay: flow.key.relay.map(|relay| relay.to_string()),
            previous_paths: self.previous_paths(),
            payload_types: self.payload_types(),
            kind,
            role: match self.role.role {
                session::StreamRole::Media => StreamRole::Media,
                session::StreamRole::Retransmission => StreamRole::Retransmission,
                session::StreamRole::Probe => StreamRole::Probe,
            },
            codec: main_codec,
            codec_inferred,
            clock_rate: rate,
            clock_rate_inferred: rate.is_some() && inferred,
            packets_received: stream.packets,
            bytes_received: stream.payload_bytes,
            header_bytes_received: stream.header_bytes,
            packets_expected: counters.expected,
            packets_lost: counters.lost,
            packets_duplicated: counters.duplicated,
            packets_reordered: counters.reordered,
            reorder_depth: counters.reorder_depth,
            fraction_lost: ratio(counters.lost, counters.expected),
            jitter: jitter.map(|jitter| seconds(jitter.last)),
            jitter_mean: jitter.map(|jitter| seconds(jitter.mean)),
            jitter_max: jitter.map(|jitter| seconds(jitter.highest)),
            bitrate: per_second((stream.payload_bytes + stream.header_bytes) * 8, length, SHORTEST_FOR_BITRATE),
            burst_loss_count: counters.bursts.count(),
            longest_loss_burst: counters.bursts.longest,
            loss_bursts: loss_bursts(&counters.bursts),
            max_gap: (stream.packets > 1).then(|| seconds(stream.max_gap())),
            pauses: gaps(stream.pauses),
            outages: gaps(stream.outages()),
            restarts: counters.restarts,
            timestamp_jumps: stream.timing().jumps(),
            sequence_wraps: counters.wraps,
            marker_packets: stream.markers,
            frames: (kind == Some("video") && is_media).then_some(stream.frames),
            frames_per_second: (kind == Some("video") && is_media)
                .then(|| per_second(stream.frames, length, SHORTEST_FOR_FRAME_RATE))
                .flatten(),
            padding_packets: self.padding_packets(),
            csrcs: stream.csrcs.clone(),
            header_extensions: extension::header_extensions(context, stream, self.said.as_ref(), self.proven),
            clock_drift_ppm: rate
                .filter(|_| is_media)
                .and_then(|rate| stream.timing().drift_ppb(rate))
                .filter(|_| jitter.is_some_and(|jitter| jitter.mean <= length / DRIFT_PRECISION))
                .map(|ppb| seconds(ppb) * 1e6),
            encrypted: self.encrypted(),
            ssrc_collision: self.collides(),
            seen_before: found.is_seen_before,
            mid: self.said.as_ref().and_then(|said| said.media.mid.clone()),
            rid: self.said.as_ref().and_then(|said| said.rid.clone()),
            msid: self.said.as_ref().and_then(|said| said.msid.clone()),
            rtx_ssrc: self.rtx.map(|rtx| rtx.ssrc),
            repairs_ssrc: self.repaired.map(|repaired| repaired.ssrc),
            first_sequence_number: stream.first.2,
            first_packet: context.packet(stream.first.1),
            last_packet: context.packet(stream.last.1),
            start_time: context.seconds(stream.first.0),
            duration: seconds(length),
            reported: rtcp::reported(flow, self.flows, stream.ssrc, rate),
            inferred: self.inferred(&counters),
        }
    }

    fn previous_paths(&self) -> Vec<StreamPath> {
        let (_, left) = self.found.parts.split_last().unwrap_or((&(self.flow, self.stream), &[]));
        let paths = left.iter().map(|(flow, part)| StreamPath {
            source: flow.key.name_of(flow.key.source(part.direction)),
            destination: flow.key.name_of(flow.key.destination(part.direction)),
            transport: flow.key.transport.name(),
            relay: flow.key.relay.map(|relay| relay.to_string()),
            packets_received: part.packets,
            first_packet: self.context.packet(part.first.1),
            last_packet: self.context.packet(part.last.1),
            last_time: self.context.seconds(part.last.0),
        });
        paths.collect()
    }

    fn kind(&self) -> Option<&'static str> {
        if let Some(said) = &self.said {
            match said.media.kind {
                sdp::Kind::Audio => return Some("audio"),
                sdp::Kind::Video => return Some("video"),
                sdp::Kind::Text => return Some("text"),
                _ => {}
            }
        }
        if self.role.role == session::StreamRole::Probe {
            return None;
        }
        media_kind(self.repaired.unwrap_or(self.stream)).map(|kind| match kind {
            Media::Audio => "audio",
            Media::Video | Media::AudioVideo => "video",
        })
    }

    /// Under SRTP the padding's length is hidden: there the padding bit has to do. Browsers pad probes only.
    fn padding_packets(&self) -> u64 {
        if self.has_dtls() { self.stream.padded } else { self.stream.padding_only }
    }

    /// Whether any of its paths had DTLS: its keys go on elsewhere.
    fn has_dtls(&self) -> bool {
        self.found.parts.iter().any(|(flow, _)| flow.path.dtls || flow.dtls.iter().any(dtls::Record::is_in_use))
    }

    fn encrypted(&self) -> Option<bool> {
        if self.has_dtls() {
            return Some(true);
        }
        let mut any = self.reports_of_flow().peekable();
        any.peek()?;
        // Some SRTP endpoints send their BYE in clear: what is encrypted counts.
        Some(any.any(|rtcp| rtcp.encrypted > 0))
    }

    /// RTCP of the stream's flow or, where it has none, of the flows of the call that carry nothing else between the
    /// same hosts: RTCP on its own ports.
    fn reports_of_flow(&self) -> impl Iterator<Item = &Rtcp> {
        let key = &self.flow.key;
        let own = self.flow.rtcp.is_some();
        let companion = move |other: &FlowRecord| {
            let hosts = |key: &FlowKey| (key.low.ip(), key.high.ip(), key.relay);
            other.streams.is_empty() && hosts(&other.key) == hosts(key)
        };
        let flows = self.flows.iter().copied();
        let flows = flows.filter(move |other| if own { std::ptr::eq(*other, self.flow) } else { companion(other) });
        flows.filter_map(|flow| flow.rtcp.as_deref()).filter(|rtcp| rtcp.clear + rtcp.encrypted > 0)
    }

    /// Whether another end of the call sends with the same SSRC at the same time.
    fn collides(&self) -> bool {
        let source = self.found.source();
        let is_own = |stream: &Stream| self.found.parts.iter().any(|(_, part)| std::ptr::eq(*part, stream));
        let same_path = |other: &FlowRecord| other.key.relay.is_some() == self.flow.key.relay.is_some();
        self.stream.ssrc != 0
            && self.flows.iter().filter(|other| same_path(other)).any(|other| {
                other.streams.iter().any(|stream| {
                    stream.ssrc == self.stream.ssrc
                        && !is_own(stream)
                        && !self.stream.shows_packets_of(stream)
                        && other.key.source(stream.direction) != source
                        && stream.first.0 < self.stream.last.0
                        && self.stream.first.0 < stream.last.0
                })
            })
    }

    fn payload_types(&self) -> Vec<PayloadType> {
        let counts = self.stream.payload_types().into_iter();
        let describe = |count: PayloadTypeCount| PayloadType {
            payload_type: count.payload_type,
            packets: count.packets,
            codec: self.codec(count.payload_type),
        };
        counts.map(describe).collect()
    }

    /// The codec of a payload type: as signalled, else of the static ones.
    fn codec(&self, payload_type: u8) -> Option<String> {
        let said = self.said.as_ref().and_then(|said| said.codec_of(payload_type)?.name.clone());
        said.or_else(|| static_payload_type(payload_type).map(|known| known.name.to_owned()))
    }

    /// The codec of the main payload type. What redundancy (RFC 2198) or SRTP hides is taken from the stream's other
    /// packets, else from what was agreed first: then it is inferred.
    fn main_codec(&self) -> (Option<String>, bool) {
        let counts = self.stream.payload_types();
        let said = |count: &PayloadTypeCount| self.said.as_ref().and_then(|said| said.codec_of(count.payload_type));
        let main = counts.first().and_then(said);
        if main.is_some_and(|codec| codec.role == sdp::CodecRole::Red) {
            let is_media = |codec: &&sdp::Codec| codec.role == sdp::CodecRole::Media;
            let seen = counts.iter().filter_map(said).find(is_media);
            let agreed = || self.said.as_ref().and_then(|said| said.agreed().find(is_media));
            if let Some(name) = seen.or_else(agreed).and_then(|codec| codec.name.clone()) {
                return (Some(name), true);
            }
        }
        (counts.first().and_then(|count| self.codec(count.payload_type)), false)
    }

    fn inferred(&self, counters: &Counters) -> Option<Inferred> {
        // What was lost before the tap was asked for too: only the rest was lost behind it.
        let asked = rtcp::nacked(self.flows, self.stream.ssrc).map(|asked| asked.saturating_sub(counters.lost));
        let resent = self.rtx.map(|rtx| rtx.packets);
        let matches = self.rtx.map(|rtx| u64::from(rtx.repairs.matched));
        (asked.is_some() || resent.is_some()).then_some(Inferred {
            packets_lost_after_tap: asked,
            retransmitted_packets: resent,
            retransmission_matches: matches,
        })
    }
}

const fn loss_bursts(bursts: &Bursts) -> LossBursts {
    let [one, two, three_to_five, six_to_ten, more] = bursts.by_length;
    LossBursts { one, two, three_to_five, six_to_ten, more }
}

fn gaps(gaps: stream::Gaps) -> document::Gaps {
    document::Gaps { count: gaps.count, total: seconds(gaps.total), longest: seconds(gaps.longest) }
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets are far below 2^53")]
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[expect(clippy::cast_precision_loss, reason = "counts of bits are far below 2^53")]
fn per_second(count: u64, nanos: i64, shortest: i64) -> Option<f64> {
    (nanos >= shortest).then(|| count as f64 / seconds(nanos))
}
