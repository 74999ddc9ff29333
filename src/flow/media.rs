//! RTP and RTCP of one flow: which SSRCs are streams, which datagrams are SRTCP, and what waits for evidence.

mod elements;
mod recent;
mod secured;

use elements::{carrier, note_elements};
use recent::Recent;

use crate::{
    flow::{
        budget::Budget,
        candidate::{Candidate, Candidates, Context},
        datagram::Datagram,
        keyring::Keyring,
        rtcp::Rtcp,
        srtp::{self, Srtp},
        stream::{Arrival, Stream},
        transport_wide::{Numbers, TransportWide},
    },
    wire::{
        Malformed,
        feedback::{PayloadMessage, TransportMessage},
        rtcp::{self, Content, Srtcp, Tags},
        rtp::{Extension, FIXED_LENGTH, FixedHeader, Header},
    },
};

/// Streams a flow may have; packets of more are counted and not followed.
const STREAMS: usize = 1024;

/// Packets of a new stream that are held against the other streams' timestamps, to find what it repeats.
const REPAIR_CHECKS: u32 = 64;

/// Payload types that are read as RTCP packet types 192 to 223 where the marker bit is set (RFC 5761 section 4).
const RTCP_LIKE: std::ops::RangeInclusive<u8> = 64..=95;

/// RTP and RTCP of a flow, laid out in memory as it stands here: what each packet looks at first.
#[derive(Debug)]
#[repr(C)]
pub struct Media {
    /// SSRC and direction of each stream, side by side, to be searched fast.
    keys: Vec<(u32, usize)>,
    streams: Vec<Stream>,
    /// Streams of the last packets, by direction.
    recent: [Recent; 2],
    packets: u64,
    /// Whether a packet had a payload type that looks like an RTCP packet type when the marker bit is set.
    has_rtcp_like: bool,
    /// Whether tags are checked: there are keys.
    has_keys: bool,
    /// Numbers over all streams, by direction.
    transport_wide: [TransportWide; 2],
    rtcp: Option<Box<Rtcp>>,
    srtcp_confirmed: bool,
    candidates: Candidates,
    waiting_srtcp: Vec<(usize, Srtcp)>,
    refused: u64,
    budget: Budget,
    keyring: Keyring,
    /// What opens SRTCP, once there are keys.
    srtp: Option<Box<Srtp>>,
}

/// What was found in a flow.
#[derive(Debug)]
pub struct Found {
    /// The streams by their first packet.
    pub streams: Vec<Stream>,
    /// What may be sequence numbers over all streams of a direction.
    pub transport_wide: Vec<Numbers>,
    /// RTCP, if there was any.
    pub rtcp: Option<Box<Rtcp>>,
    /// RTP packets.
    pub packets: u64,
    /// What keys told of SRTP, where there are any.
    pub srtp: Option<srtp::Record>,
}

/// What else was seen on the flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// ICE connectivity checks.
    pub ice: bool,
    /// DTLS records: media is SRTP.
    pub dtls: bool,
    /// The tags of the SRTP profile that DTLS agreed on; of all that were offered where it hides the choice.
    pub srtcp_tags: Tags,
}

impl Path {
    /// Whether the flow is a call's path.
    #[must_use]
    pub const fn is_call(self) -> bool {
        self.ice || self.dtls
    }
}

/// What a datagram in the range of RTP and RTCP turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// RTP of a known stream.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// It waits for more evidence.
    Waiting,
    /// Neither.
    Other,
    /// RTCP by all signs, but broken.
    Malformed(Malformed),
}

impl Default for Media {
    fn default() -> Self {
        Self::new(Budget::default())
    }
}

impl Media {
    /// Media whose streams and RTCP are paid for by `budget`.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            keys: Vec::new(),
            streams: Vec::new(),
            recent: Default::default(),
            packets: 0,
            has_rtcp_like: false,
            has_keys: false,
            transport_wide: Default::default(),
            rtcp: None,
            srtcp_confirmed: false,
            candidates: Candidates::default(),
            waiting_srtcp: Vec::new(),
            refused: 0,
            budget,
            keyring: Keyring::default(),
            srtp: None,
        }
    }

    /// The same, with SRTCP opened with these keys.
    #[must_use]
    pub fn with_keys(self, keyring: &Keyring) -> Self {
        Self { keyring: keyring.clone(), ..self }
    }

    /// Takes a datagram whose first byte is 128 to 191.
    #[inline]
    pub fn push(&mut self, datagram: &Datagram<'_>, path: Path) -> Verdict {
        let Ok(fixed) = FixedHeader::parse(datagram.bytes) else { return self.push_short(datagram, path) };
        let direction = datagram.direction & 1;
        let place = self.recent.get(direction).map_or(usize::MAX, |recent| recent.find(fixed.ssrc));
        if place < self.streams.len() && !is_rtcp(datagram.bytes) {
            return self.push_rtp(place, fixed, datagram, path);
        }
        self.push_slowly(fixed, datagram, path)
    }

    /// The streams found so far, in the order they were found.
    #[must_use]
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// RTCP, if there was any.
    #[must_use]
    pub fn rtcp(&self) -> Option<&Rtcp> {
        self.rtcp.as_deref()
    }

    /// Packets of streams beyond the cap.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Decides what waits, now that no more packets will come, and gives up what was found.
    #[must_use]
    pub fn finish(mut self, path: Path) -> Found {
        let mut candidates = std::mem::take(&mut self.candidates);
        let waiting: Vec<_> = candidates.drain().collect();
        for candidate in waiting {
            let payload_type = candidate.packets.first().map_or(0, |packet| packet.payload_type);
            let known = |stream: &Stream| stream.payload_types().iter().any(|count| count.payload_type == payload_type);
            let context = Context {
                payload_type_known: path.dtls || self.streams.iter().any(known),
                named_in_rtcp: self.rtcp.as_ref().is_some_and(|rtcp| rtcp.has_sender(candidate.ssrc)),
                ..self.context(path)
            };
            if candidate.is_short_stream(context) {
                self.adopt(&candidate, None);
            }
        }
        if (path.is_call() || !self.streams.is_empty()) && !self.srtcp_confirmed {
            self.confirm_srtcp();
        }
        self.end_srtcp();
        if let Some(rtcp) = &mut self.rtcp {
            rtcp.settle();
        }
        self.streams.iter_mut().for_each(|stream| stream.elements.settle());
        self.streams.sort_by_key(|stream| (stream.first.0, stream.first.1, stream.ssrc, stream.direction));
        let numbers = self.transport_wide.into_iter().flat_map(TransportWide::finish);
        Found {
            streams: self.streams,
            transport_wide: numbers.collect(),
            rtcp: self.rtcp,
            packets: self.packets,
            srtp: self.srtp.map(|srtp| srtp.record()),
        }
    }

    #[inline]
    fn push_rtp(&mut self, index: usize, fixed: FixedHeader, datagram: &Datagram<'_>, path: Path) -> Verdict {
        if self.has_keys {
            self.check_tag(index, fixed.ssrc, datagram);
        }
        let shaped = self.streams.get(index).and_then(|stream| stream.elements.shaped(datagram.bytes));
        if let Some((data, ids)) = shaped {
            let extension = Extension { profile: Extension::ONE_BYTE, data, offset: FIXED_LENGTH };
            let plain = plain_arrival(datagram, fixed, FIXED_LENGTH + 4 + data.len());
            let arrival = Arrival { extensions: ids, ..plain };
            self.take(index, &arrival);
            self.note(index, &extension, true, &arrival);
            return Verdict::Rtp;
        }
        let Some((arrival, extension)) = arrival(fixed, datagram, path.dtls) else { return Verdict::Other };
        self.take(index, &arrival);
        if arrival.csrc_count > 0
            && let (Some(stream), Ok(header)) =
                (self.streams.get_mut(index), Header::parse(datagram.bytes, datagram.length))
        {
            stream.note_csrcs(header.csrcs());
        }
        if let Some(extension) = &extension {
            self.note(index, extension, false, &arrival);
        }
        Verdict::Rtp
    }

    /// Takes a packet of the stream at `index`.
    #[inline(always)]
    fn take(&mut self, index: usize, arrival: &Arrival) {
        self.packets += 1;
        self.has_rtcp_like |= RTCP_LIKE.contains(&arrival.payload_type);
        let Some(stream) = self.streams.get_mut(index) else { return };
        stream.push(arrival);
        if stream.repairs.checked < REPAIR_CHECKS {
            self.check_repair(index, arrival);
        }
    }

    fn push_slowly(&mut self, fixed: FixedHeader, datagram: &Datagram<'_>, path: Path) -> Verdict {
        let direction = datagram.direction & 1;
        if is_rtcp(datagram.bytes) && !(self.has_rtcp_like && self.is_marked_rtp(fixed, direction)) {
            return self.push_rtcp(datagram, path);
        }
        if let Some(index) = self.keys.iter().position(|key| *key == (fixed.ssrc, direction)) {
            if let Some(recent) = self.recent.get_mut(direction) {
                recent.note(fixed.ssrc, index);
            }
            return self.push_rtp(index, fixed, datagram, path);
        }
        let Some((arrival, extension)) = arrival(fixed, datagram, path.dtls) else { return Verdict::Other };
        let context = self.context(path);
        let extension = extension.filter(|extension| extension.form().is_in_clear());
        let is_counted = context.call || context.media;
        if let Some(extension) = extension.filter(|_| is_counted) {
            // Packets of other streams come before it is known whether this is one: their numbers are in order now.
            if let Some(way) = self.transport_wide.get_mut(direction) {
                way.push_all(&extension, &carrier(&arrival), direction, &self.budget);
            }
        }
        match self.candidates.push(arrival, direction, context, &self.budget) {
            Some(candidate) => {
                self.adopt(&candidate, extension.map(|extension| (extension, is_counted)));
                if !self.srtcp_confirmed {
                    self.confirm_srtcp();
                }
                Verdict::Rtp
            }
            None => {
                if let Some(extension) = &extension {
                    self.candidates.keep(&arrival, direction, extension, is_counted, &self.budget);
                }
                Verdict::Waiting
            }
        }
    }

    /// Payload types 64 to 95 with the marker bit look like RTCP (RFC 5761 section 4). They are a stream's where the
    /// stream has that payload type without the bit.
    fn is_marked_rtp(&self, fixed: FixedHeader, direction: usize) -> bool {
        let place = self.keys.iter().position(|key| *key == (fixed.ssrc, direction));
        place
            .and_then(|index| self.streams.get(index))
            .is_some_and(|stream| stream.uses_payload_type(fixed.payload_type()))
    }

    /// A datagram too short for RTP: BYE and the like of RTCP.
    fn push_short(&mut self, datagram: &Datagram<'_>, path: Path) -> Verdict {
        if is_rtcp(datagram.bytes) { self.push_rtcp(datagram, path) } else { Verdict::Other }
    }

    fn push_rtcp(&mut self, datagram: &Datagram<'_>, path: Path) -> Verdict {
        let classified = if datagram.is_snapped() {
            rtcp::classify_snapped(datagram.bytes, datagram.length)
        } else {
            rtcp::classify_secured(datagram.bytes, path.srtcp_tags)
        };
        match classified {
            Ok(rtcp::Rtcp::Clear(compound)) => {
                if !self.believes(path) && !is_trustworthy(&compound) {
                    return Verdict::Other;
                }
                let budget = self.budget.clone();
                self.rtcp_mut().push_clear(datagram.time, datagram.id, &compound, &budget);
                Verdict::Rtcp
            }
            Ok(rtcp::Rtcp::Encrypted(srtcp)) => self.push_srtcp(srtcp, datagram, path),
            Ok(rtcp::Rtcp::Undecided(first)) if self.believes(path) => {
                self.rtcp_mut().push_undecided(first, path.dtls);
                Verdict::Rtcp
            }
            Ok(rtcp::Rtcp::Undecided(_)) => Verdict::Other,
            // Messengers fill a path that ICE opened with bytes of their own: only beside media is it broken RTCP.
            Err(fault) if !self.streams.is_empty() || self.rtcp.is_some() => Verdict::Malformed(fault),
            Err(_) => Verdict::Other,
        }
    }

    fn believes(&self, path: Path) -> bool {
        path.is_call() || !self.streams.is_empty() || self.rtcp.is_some()
    }

    /// What is known while the flow goes on.
    fn context(&self, path: Path) -> Context {
        Context { call: path.is_call(), media: !self.streams.is_empty(), ..Context::default() }
    }

    /// Makes a candidate a stream; `extension` is that of its last packet, which was not kept, and whether its numbers
    /// over all streams are known.
    fn adopt(&mut self, candidate: &Candidate, extension: Option<(Extension<'_>, bool)>) {
        let Some((first, _)) = candidate.packets.split_first() else { return };
        if self.streams.len() >= STREAMS || !self.budget.take(size_of::<Stream>()) {
            self.refused += candidate.packets.len() as u64;
            return;
        }
        let (index, direction) = (self.streams.len(), candidate.direction);
        self.has_keys = !self.keyring.is_empty();
        self.streams.push(Stream::new(first, direction));
        self.keys.push((first.ssrc, direction));
        for (place, arrival) in candidate.packets.iter().enumerate() {
            self.has_rtcp_like |= RTCP_LIKE.contains(&arrival.payload_type);
            if let Some(stream) = self.streams.get_mut(index) {
                if place > 0 {
                    stream.push(arrival);
                }
                let is_last = place + 1 == candidate.packets.len();
                let extension = extension.filter(|_| is_last).or_else(|| candidate.extension(arrival));
                if let Some((extension, is_counted)) = extension {
                    note_elements(stream, &extension, arrival, &self.budget);
                    if let Some(way) = self.transport_wide.get_mut(direction).filter(|_| !is_counted) {
                        way.push_all(&extension, &carrier(arrival), direction, &self.budget);
                    }
                }
            }
            self.check_repair(index, arrival);
        }
        self.packets += candidate.packets.len() as u64;
        if let Some(recent) = self.recent.get_mut(direction) {
            recent.note(first.ssrc, index);
        }
    }

    /// Whether the packet repeats a frame of another stream: RFC 4588 retransmissions keep the timestamp.
    #[cold]
    fn check_repair(&mut self, index: usize, arrival: &Arrival) {
        let Some(direction) = self.streams.get(index).map(|stream| stream.direction) else { return };
        let original = self.streams.iter().enumerate().find_map(|(other, stream)| {
            (other != index && stream.direction == direction && stream.had_timestamp(arrival.timestamp))
                .then_some(stream.ssrc)
        });
        // The original's first packet may itself still wait to be known as a stream's.
        let original = original.or_else(|| {
            let key = self.keys.get(index).copied();
            self.candidates.with_timestamp(arrival.timestamp, direction).filter(|ssrc| key != Some((*ssrc, direction)))
        });
        if let Some(stream) = self.streams.get_mut(index) {
            stream.note_repair(original);
        }
    }

    fn rtcp_mut(&mut self) -> &mut Rtcp {
        self.rtcp.get_or_insert_default()
    }
}

/// Whether the second byte is an RTCP packet type (RFC 5761 section 4).
#[inline]
fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [_, 192..=223, ..])
}

/// Without any other sign of a call, every packet must be of a known type and format and hold what its counts promise.
fn is_trustworthy(compound: &rtcp::Compound<'_>) -> bool {
    compound.packets().all(|packet| {
        let known = match packet.content {
            Content::Raw(_) => false,
            Content::App { name, .. } => name.iter().all(u8::is_ascii_graphic),
            Content::TransportFeedback(feedback) => !matches!(feedback.message, TransportMessage::Other(_)),
            Content::PayloadFeedback(feedback) => {
                !matches!(feedback.message, PayloadMessage::Other(_) | PayloadMessage::ApplicationLayer(_))
            }
            _ => true,
        };
        known && packet.fault.is_none()
    })
}

#[inline]
fn arrival<'a>(
    fixed: FixedHeader,
    datagram: &Datagram<'a>,
    encrypted: bool,
) -> Option<(Arrival, Option<Extension<'a>>)> {
    let Ok(header) = Header::behind(fixed, datagram.bytes, datagram.length) else {
        return snapped_arrival(datagram).map(|arrival| (arrival, None));
    };
    let extension = header.extension();
    let arrival = Arrival {
        padding_length: if header.fixed.has_padding() { padding_length(&header, encrypted) } else { 0 },
        extensions: extension.map_or(0, |extension| extension.ids()),
        ..plain_arrival(datagram, header.fixed, header.length())
    };
    Some((arrival, extension))
}

/// A packet whose extension was cut off by the capture: its fixed header still counts.
#[cold]
fn snapped_arrival(datagram: &Datagram<'_>) -> Option<Arrival> {
    let fixed = FixedHeader::parse(datagram.bytes).ok().filter(|_| datagram.is_snapped())?;
    Some(plain_arrival(datagram, fixed, FIXED_LENGTH + fixed.csrc_count() * 4))
}

/// What the fixed header says; nothing of extension and padding.
#[inline]
fn plain_arrival(datagram: &Datagram<'_>, fixed: FixedHeader, header_length: usize) -> Arrival {
    Arrival {
        time: datagram.time,
        id: datagram.id,
        ssrc: fixed.ssrc,
        timestamp: fixed.timestamp,
        sequence_number: fixed.sequence,
        payload_type: fixed.payload_type(),
        marker: fixed.marker(),
        padding: fixed.has_padding(),
        header_length: header_length as u16,
        padding_length: 0,
        payload_length: datagram.length.saturating_sub(header_length) as u32,
        extensions: 0,
        csrc_count: fixed.csrc_count() as u8,
        holes: datagram.holes,
    }
}

/// The padding of a packet; 0 where SRTP hides it.
fn padding_length(header: &Header<'_>, encrypted: bool) -> u16 {
    header.padding_length(encrypted).ok().flatten().map_or(0, |length| length as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{PacketId, Timestamp};

    /// A packet with a name (id 1) and a number over all streams (id 3).
    fn packet(ssrc: u8, sequence: u8, transport_wide: u8) -> Vec<u8> {
        let fixed = [0x90, 96, 0, sequence, 0, 0, sequence, 0, 0, 0, 0, ssrc];
        let extension = [0xbe, 0xde, 0, 2, 0x10, b'v', 0x31, 0, transport_wide, 0, 0, 0];
        [&fixed[..], &extension, &[7; 20]].concat()
    }

    fn run(packets: &[(u8, u8)], path: Path) -> Found {
        let mut media = Media::default();
        for ((ssrc, sequence), number) in packets.iter().zip(1_u8..) {
            let bytes = packet(*ssrc, *sequence, number);
            let time = Timestamp(i64::from(number) * 20_000_000);
            let id = PacketId::new(0, number.into());
            let _ =
                media.push(&Datagram { time, id, bytes: &bytes, length: bytes.len(), direction: 0, holes: 0 }, path);
        }
        media.finish(path)
    }

    /// Packets that wait until their stream is known are as good as others.
    #[test]
    fn extensions_of_packets_that_waited() {
        // Two streams take turns, and one of a single packet is known only in the end.
        let packets = [(1, 1), (2, 1), (9, 5), (1, 2), (2, 2), (1, 3), (2, 3), (1, 4)];
        for path in [Path { ice: true, dtls: true, ..Path::default() }, Path::default()] {
            let found = run(&packets, path);
            for stream in found.streams.iter().filter(|stream| stream.ssrc < 9) {
                let elements = &stream.elements;
                assert_eq!(u64::from(stream.extensions()[1]), stream.packets);
                assert_eq!(elements.of(1).map(|name| name.history.values().len()), Some(1));
                assert_eq!(stream.extension_values.first(), Some(&(1, [b'v'].into())));
            }
            assert_eq!(found.streams.iter().filter(|stream| stream.ssrc < 9).count(), 2);
        }
        let found = run(&packets, Path { ice: true, ..Path::default() });
        let numbers = &found.transport_wide[0];
        let counters = numbers.counters();
        assert_eq!((numbers.packets, counters.expected, counters.lost, counters.reordered), (8, 8, 0, 0));
    }
}
