//! RTP and RTCP of one flow: which SSRCs are streams, which datagrams are SRTCP, and what waits for evidence.

use crate::{
    flow::{
        budget::Budget,
        candidate::{Candidates, Context},
        datagram::Datagram,
        rtcp::Rtcp,
        stream::{Arrival, Stream},
    },
    wire::{
        Malformed,
        feedback::{PayloadMessage, TransportMessage},
        rtcp::{self, Content, Srtcp, Tags},
        rtp::{FIXED_LENGTH, FixedHeader, Header},
    },
};

/// Streams a flow may have; packets of more are counted and not followed.
const STREAMS: usize = 1024;

/// Packets of a new stream that are held against the other streams' timestamps, to find what it repeats.
const REPAIR_CHECKS: u32 = 64;

/// SRTCP datagrams that wait until the flow shows that it is a call's.
const WAITING_SRTCP: usize = 64;

/// An SRTCP index goes on by one a datagram; lost ones leave small steps.
const INDEX_STEP: u32 = 16;

/// RTP and RTCP of a flow, laid out in memory as it stands here: what each packet looks at first.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Media {
    /// SSRC and direction of each stream, side by side, to be searched fast.
    keys: Vec<(u32, usize)>,
    streams: Vec<Stream>,
    /// The stream of the last packet, by direction.
    last: [usize; 2],
    packets: u64,
    rtcp: Option<Box<Rtcp>>,
    srtcp_confirmed: bool,
    candidates: Candidates,
    waiting_srtcp: Vec<(usize, Srtcp)>,
    refused: u64,
    budget: Budget,
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

impl Media {
    /// Media whose streams and RTCP are paid for by `budget`.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Takes a datagram whose first byte is 128 to 191.
    #[inline]
    pub fn push(&mut self, datagram: &Datagram<'_>, path: Path) -> Verdict {
        let Ok(fixed) = FixedHeader::parse(datagram.bytes) else { return self.push_short(datagram, path) };
        let direction = datagram.direction & 1;
        let last = self.last.get(direction).copied().unwrap_or_default();
        if self.keys.get(last) == Some(&(fixed.ssrc, direction)) && !is_rtcp(datagram.bytes) {
            return self.push_rtp(last, fixed, datagram, path);
        }
        self.push_slowly(fixed, datagram, path)
    }

    /// RTP packets of the streams.
    #[inline]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Reads what the next packet in `direction` will change, if it is of the stream of the last one.
    #[inline]
    pub fn touch(&self, direction: usize) -> u64 {
        let last = self.last.get(direction).copied().unwrap_or_default();
        let key = self.keys.get(last).map_or(0, |(ssrc, _)| u64::from(*ssrc));
        key ^ self.streams.get(last).map_or(0, Stream::touch)
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

    /// Decides what waits, now that no more packets will come, and gives up streams and RTCP.
    #[must_use]
    pub fn finish(mut self, path: Path) -> (Vec<Stream>, Option<Box<Rtcp>>, u64) {
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
                self.adopt(&candidate.packets, candidate.direction);
            }
        }
        if (path.is_call() || !self.streams.is_empty()) && !self.srtcp_confirmed {
            self.confirm_srtcp();
        }
        if let Some(rtcp) = &mut self.rtcp {
            rtcp.settle();
        }
        self.streams.sort_by_key(|stream| (stream.first.0, stream.first.1, stream.ssrc, stream.direction));
        (self.streams, self.rtcp, self.packets)
    }

    #[inline]
    fn push_rtp(&mut self, index: usize, fixed: FixedHeader, datagram: &Datagram<'_>, path: Path) -> Verdict {
        let Some(arrival) = arrival(fixed, datagram, path.dtls) else {
            return Verdict::Other;
        };
        self.packets += 1;
        if let Some(stream) = self.streams.get_mut(index) {
            stream.push(&arrival);
            if stream.has_new_extensions(&arrival)
                && let Ok(header) = Header::parse(datagram.bytes, datagram.length)
            {
                stream.note_extensions(&header);
            }
            if arrival.csrc_count > 0
                && let Ok(header) = Header::parse(datagram.bytes, datagram.length)
            {
                stream.note_csrcs(header.csrcs());
            }
            if stream.repairs.checked < REPAIR_CHECKS {
                self.check_repair(index, &arrival);
            }
        }
        Verdict::Rtp
    }

    fn push_slowly(&mut self, fixed: FixedHeader, datagram: &Datagram<'_>, path: Path) -> Verdict {
        let direction = datagram.direction & 1;
        if is_rtcp(datagram.bytes) && !self.is_marked_rtp(fixed, direction) {
            return self.push_rtcp(datagram, path);
        }
        if let Some(index) = self.keys.iter().position(|key| *key == (fixed.ssrc, direction)) {
            if let Some(last) = self.last.get_mut(direction) {
                *last = index;
            }
            return self.push_rtp(index, fixed, datagram, path);
        }
        let Some(arrival) = arrival(fixed, datagram, path.dtls) else { return Verdict::Other };
        let context = self.context(path);
        match self.candidates.push(arrival, direction, context, &self.budget) {
            Some(candidate) => {
                self.adopt(&candidate.packets, direction);
                if !self.srtcp_confirmed {
                    self.confirm_srtcp();
                }
                Verdict::Rtp
            }
            None => Verdict::Waiting,
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
            Ok(rtcp::Rtcp::Encrypted(srtcp)) => self.push_srtcp(srtcp, datagram.direction & 1, path),
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

    fn push_srtcp(&mut self, srtcp: Srtcp, direction: usize, path: Path) -> Verdict {
        if self.srtcp_confirmed || self.believes(path) || self.continues_srtcp(&srtcp, direction) {
            self.confirm_srtcp();
            self.rtcp_mut().push_encrypted(srtcp);
            return Verdict::Rtcp;
        }
        if self.waiting_srtcp.len() < WAITING_SRTCP {
            self.waiting_srtcp.push((direction, srtcp));
        }
        Verdict::Waiting
    }

    /// Whether this is the next SRTCP of a sender that waits: the same SSRC, and the index went on.
    fn continues_srtcp(&self, srtcp: &Srtcp, direction: usize) -> bool {
        self.waiting_srtcp.iter().any(|(from, earlier)| {
            let step = srtcp.index.zip(earlier.index).map(|(now, before)| now.wrapping_sub(before));
            *from == direction
                && earlier.ssrc == srtcp.ssrc
                && step.is_some_and(|step| (1..=INDEX_STEP).contains(&step))
        })
    }

    fn confirm_srtcp(&mut self) {
        self.srtcp_confirmed = true;
        for (_, srtcp) in std::mem::take(&mut self.waiting_srtcp) {
            self.rtcp_mut().push_encrypted(srtcp);
        }
    }

    fn believes(&self, path: Path) -> bool {
        path.is_call() || !self.streams.is_empty() || self.rtcp.is_some()
    }

    /// What is known while the flow goes on.
    fn context(&self, path: Path) -> Context {
        Context { call: path.is_call(), media: !self.streams.is_empty(), ..Context::default() }
    }

    fn adopt(&mut self, packets: &[Arrival], direction: usize) {
        let Some((first, rest)) = packets.split_first() else { return };
        if self.streams.len() >= STREAMS || !self.budget.take(size_of::<Stream>()) {
            self.refused += packets.len() as u64;
            return;
        }
        let index = self.streams.len();
        self.streams.push(Stream::new(first, direction));
        self.keys.push((first.ssrc, direction));
        self.check_repair(index, first);
        for arrival in rest {
            if let Some(stream) = self.streams.get_mut(index) {
                stream.push(arrival);
            }
            self.check_repair(index, arrival);
        }
        self.packets += packets.len() as u64;
        if let Some(last) = self.last.get_mut(direction) {
            *last = index;
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
fn arrival(fixed: FixedHeader, datagram: &Datagram<'_>, encrypted: bool) -> Option<Arrival> {
    let Ok(header) = Header::behind(fixed, datagram.bytes, datagram.length) else { return snapped_arrival(datagram) };
    Some(Arrival {
        padding_length: if header.fixed.has_padding() { padding_length(&header, encrypted) } else { 0 },
        extensions: header.extension().map_or(0, |extension| extension.ids()),
        ..plain_arrival(datagram, header.fixed, header.length())
    })
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
