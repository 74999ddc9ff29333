//! One RTP stream: one SSRC in one direction of one flow. About a kilobyte, whatever its length.

mod absence;
pub mod elements;
mod path;
mod run;

use absence::Absence;
use elements::Elements;
pub use path::Leg;
pub use run::PayloadTypeCount;
use run::Run;

use crate::{
    flow::{
        sequence::{self, Sequence, Step},
        timing::{Advance, Timing},
    },
    time::{NANOS_PER_MILLI, PacketId, Timestamp},
    wire::rtp::{Extension, Media as MediaKind, static_payload_type},
};

/// Values of header extensions that are kept: what names a stream is shorter.
const LONGEST_EXTENSION_VALUE: usize = 64;

/// Contributing sources that are listed; RFC 3550 allows 15 in a packet.
const CSRCS: usize = 16;

/// Recent timestamps kept to recognise retransmissions by (RFC 4588: they carry the original's timestamp).
const RECENT_TIMESTAMPS: usize = 64;

/// Nothing for this long, and for several times the usual time between packets, is a gap.
const SHORTEST_GAP: i64 = 200 * NANOS_PER_MILLI;

/// A gap is at least this many times the usual time between packets.
const GAP_FACTOR: i64 = 5;

/// What a stream needs to know of one RTP packet.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it was captured.
    pub time: Timestamp,
    /// Which packet it is.
    pub id: PacketId,
    /// Synchronization source.
    pub ssrc: u32,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Sequence number.
    pub sequence_number: u16,
    /// Payload type.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Padding bit.
    pub padding: bool,
    /// Header bytes: fixed part, CSRCs and extension.
    pub header_length: u16,
    /// Padding bytes at the end as the last byte says, 0 where it cannot be read.
    pub padding_length: u16,
    /// Payload bytes on the wire, padding included.
    pub payload_length: u32,
    /// Identifiers of header-extension elements: bit n for id n (1-15), bit 0 for another profile.
    pub extensions: u16,
    /// Contributing sources.
    pub csrc_count: u8,
    /// How often before it bytes were not captured in which packets may have been.
    pub holes: u32,
}

/// A count with the nanoseconds it spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// Together, in nanoseconds.
    pub total: i64,
    /// The longest, in nanoseconds.
    pub longest: i64,
}

impl Gaps {
    fn record(&mut self, length: i64) {
        self.add(Self { count: 1, total: length, longest: length });
    }

    fn add(&mut self, others: Self) {
        self.count += others.count;
        self.total = self.total.saturating_add(others.total);
        self.longest = self.longest.max(others.longest);
    }
}

/// The state of one RTP stream. In memory it is laid out as it stands here: what each packet changes comes first, on few
/// lines of the processor's cache.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Stream {
    /// Synchronization source.
    pub ssrc: u32,
    newest_timestamp: u32,
    /// Last packet.
    pub last: (Timestamp, PacketId),
    /// Packets, duplicates included.
    pub packets: u64,
    /// Payload bytes without readable padding.
    pub payload_bytes: u64,
    /// Header and padding bytes.
    pub header_bytes: u64,
    /// Packets with the marker bit.
    pub markers: u64,
    /// Clock rate of the last packet's payload type, where certain.
    rate: Option<u32>,
    /// The last packets in a row that are alike.
    run: Run,
    /// Changes of the RTP timestamp to a newer one, and the first.
    pub frames: u64,
    usual_interval: i64,
    /// Longest time between two packets, absences left out.
    max_gap: i64,
    /// The widest step of the sequence number, absences left out, and the packet behind it.
    widest_step: (u16, PacketId),
    /// What [`Arrival::holes`] was at the newest packet.
    holes: u32,
    /// The ids of the header extensions whose values are kept, as bits.
    known_extensions: u16,
    /// Whether the packets that are timed have a payload type of certain clock rate.
    certain: bool,
    /// Whether the last packets had another clock than the timed ones.
    off_clock: bool,
    timing: Timing,
    sequence: Sequence,
    /// Header-extension elements; none where no packet has any.
    pub elements: Elements,
    /// Packets whose timestamp is one of another stream's, and that stream.
    pub repairs: Repairs,
    /// Packets with each header-extension element id, without those of the run that goes on.
    extensions: [u32; 16],
    recent: [u32; RECENT_TIMESTAMPS],
    /// The direction in its flow: 0 from the flow's lower endpoint, 1 from its higher.
    pub direction: usize,
    /// First packet: time, identity, sequence number.
    pub first: (Timestamp, PacketId, u16),
    /// Its RTP timestamp.
    first_timestamp: u32,
    /// Packets with the padding bit; and packets that hold nothing else.
    pub padded: u64,
    /// Packets that hold nothing but padding.
    pub padding_only: u64,
    /// The sender paused.
    pub pauses: Gaps,
    /// Outages, absences left out, and the packet that ended the longest.
    outages: Gaps,
    outage_end: Option<PacketId>,
    /// Where many packets are missing, in order.
    absences: Vec<Absence>,
    /// A packet far from the others, until it is known whether the numbers start anew with it.
    stray: Option<Absence>,
    /// The first value of each header-extension element, in the order in which they came: what identifies a stream (MID
    /// and RID, RFC 8843 section 15 and RFC 8852) is the same in all its packets.
    pub extension_values: Vec<(u8, Box<[u8]>)>,
    /// Contributing sources.
    pub csrcs: Vec<u32>,
    /// Counts without the packets of the run that goes on.
    payload_types: Vec<PayloadTypeCount>,
    /// The first packet of the last payload type since another.
    payload_type_from: PacketId,
}

/// Evidence that a stream repeats another one's packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Repairs {
    /// The other stream's SSRC.
    pub ssrc: u32,
    /// Packets looked at.
    pub checked: u32,
    /// Packets with a timestamp of that stream.
    pub matched: u32,
}

impl Repairs {
    /// Of two streams that it repeats packets of, the one with more.
    fn add(&mut self, next: Self) {
        let checked = self.checked + next.checked;
        if self.matched > 0 && next.matched > 0 && self.ssrc == next.ssrc {
            self.matched += next.matched;
        } else if next.matched > self.matched {
            *self = next;
        }
        self.checked = checked;
    }
}

impl Stream {
    /// A stream whose first packet is `arrival`, sent in `direction`.
    #[must_use]
    pub fn new(arrival: &Arrival, direction: usize) -> Self {
        let mut stream = Self {
            ssrc: arrival.ssrc,
            direction,
            first: (arrival.time, arrival.id, arrival.sequence_number),
            first_timestamp: arrival.timestamp,
            last: (arrival.time, arrival.id),
            packets: 0,
            payload_bytes: 0,
            header_bytes: 0,
            markers: 0,
            padded: 0,
            padding_only: 0,
            frames: 1,
            max_gap: 0,
            pauses: Gaps::default(),
            outages: Gaps::default(),
            outage_end: None,
            widest_step: (1, arrival.id),
            absences: Vec::new(),
            stray: None,
            extensions: [0; 16],
            extension_values: Vec::new(),
            known_extensions: 0,
            elements: Elements::default(),
            csrcs: Vec::new(),
            repairs: Repairs::default(),
            payload_types: Vec::new(),
            payload_type_from: arrival.id,
            run: Run::of(arrival),
            sequence: Sequence::new(arrival.sequence_number),
            timing: Timing::new(arrival.time, arrival.timestamp),
            newest_timestamp: arrival.timestamp,
            recent: [arrival.timestamp; RECENT_TIMESTAMPS],
            usual_interval: 0,
            rate: clock_rate_of(arrival.payload_type),
            certain: false,
            off_clock: false,
            holes: arrival.holes,
        };
        stream.count(arrival);
        stream.certain = stream.rate.is_some();
        stream
    }

    /// Takes the next packet of this stream, in order of arrival.
    #[inline]
    pub fn push(&mut self, arrival: &Arrival) {
        self.count(arrival);
        let (rate, timing, before) = (self.rate, &self.timing, self.sequence.ends().1);
        let step = self
            .sequence
            .push(arrival.sequence_number, |step| timing.continues(arrival.time, arrival.timestamp, rate, step));
        if let Step::Forward(step) = step {
            // Datagrams have none.
            if arrival.holes == 0 || arrival.holes == self.holes {
                self.interval(arrival, step);
            } else {
                // What is missing was not captured, and when it came is not known.
                self.holes = arrival.holes;
                self.sequence.excuse(step);
            }
        }
        // Telephone events, or a codec of another clock: nothing can be said of their timing beside certain clocks.
        let off_clock = self.certain && rate.is_none();
        if step == Step::Restart {
            self.restarted();
        }
        match step {
            Step::Stray => self.stray(arrival, before),
            _ if off_clock => self.off_clock = true,
            Step::Restart => self.timing.restart(arrival.time, arrival.timestamp),
            _ if self.off_clock => {
                self.off_clock = false;
                self.timing.restart(arrival.time, arrival.timestamp);
            }
            _ => {
                if self.timing.push(arrival.time, arrival.timestamp, rate) == Advance::Jump {
                    self.newest_timestamp = arrival.timestamp.wrapping_sub(1);
                }
            }
        }
        self.frame(arrival.timestamp);
        self.last = (arrival.time, arrival.id);
    }

    /// The counters of its sequence numbers.
    #[must_use]
    pub fn sequence(&self) -> sequence::Counters {
        self.sequence.counters()
    }

    /// Its timing.
    #[must_use]
    pub const fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Payload types in use, most packets first.
    #[must_use]
    pub fn payload_types(&self) -> Vec<PayloadTypeCount> {
        let mut counts = self.payload_types.clone();
        self.run.add_payload_type(self.payload_type_from, &mut counts);
        counts.sort_by_key(|count| (std::cmp::Reverse(count.packets), count.payload_type));
        counts
    }

    /// Packets with each header-extension element id.
    #[must_use]
    pub fn extensions(&self) -> [u32; 16] {
        let mut counts = self.extensions;
        self.run.add_extensions(&mut counts);
        counts
    }

    /// Whether packets of this payload type were seen.
    #[must_use]
    pub fn uses_payload_type(&self, payload_type: u8) -> bool {
        self.run.payload_type == payload_type
            || self.payload_types.iter().any(|count| count.payload_type == payload_type)
    }

    /// Whether one of the last frames had this timestamp.
    #[must_use]
    pub fn had_timestamp(&self, timestamp: u32) -> bool {
        self.recent.contains(&timestamp)
    }

    /// Notes whose timestamp this stream's newest packet had.
    pub fn note_repair(&mut self, of: Option<u32>) {
        self.repairs.checked += 1;
        if let Some(ssrc) = of
            && (self.repairs.matched == 0 || self.repairs.ssrc == ssrc)
        {
            self.repairs.ssrc = ssrc;
            self.repairs.matched += 1;
        }
    }

    /// Whether a packet has an element of an id that no packet had before.
    #[inline]
    #[must_use]
    pub const fn has_new_extensions(&self, arrival: &Arrival) -> bool {
        arrival.extensions & !self.known_extensions != 0
    }

    /// Notes the value of each element of a new id.
    #[cold]
    pub fn note_extensions(&mut self, extension: &Extension<'_>) {
        self.known_extensions |= extension.ids();
        for element in extension.elements().filter(|element| element.id < 16) {
            let is_new = self.extension_values.iter().all(|(id, _)| *id != element.id);
            if is_new && element.data.len() <= LONGEST_EXTENSION_VALUE {
                self.extension_values.push((element.id, element.data.into()));
            }
        }
    }

    /// Adds the contributing sources of a packet.
    pub fn note_csrcs(&mut self, csrcs: impl Iterator<Item = u32>) {
        for csrc in csrcs {
            if self.csrcs.len() < CSRCS && !self.csrcs.contains(&csrc) {
                self.csrcs.push(csrc);
            }
        }
    }

    /// Timestamps of the last frames, without order.
    #[must_use]
    pub fn recent_timestamps(&self) -> &[u32] {
        let frames = usize::try_from(self.frames).unwrap_or(usize::MAX);
        self.recent.get(..frames.min(RECENT_TIMESTAMPS)).unwrap_or_default()
    }

    #[inline]
    fn count(&mut self, arrival: &Arrival) {
        self.packets += 1;
        let padding = u32::from(arrival.padding_length);
        self.payload_bytes += u64::from(arrival.payload_length.saturating_sub(padding));
        self.header_bytes += u64::from(arrival.header_length) + u64::from(padding);
        self.markers += u64::from(arrival.marker);
        if arrival.padding {
            self.padded += 1;
            self.padding_only += u64::from(padding > 0 && padding >= arrival.payload_length);
        }
        if self.run.payload_type != arrival.payload_type || self.run.extensions != arrival.extensions {
            self.end_run();
            if self.run.payload_type != arrival.payload_type {
                self.rate = clock_rate_of(arrival.payload_type);
                self.payload_type_from = arrival.id;
            }
            self.run = Run::of(arrival);
        }
        self.run.packets += 1;
    }

    /// Counts the packets of the run that goes on with the others.
    fn end_run(&mut self) {
        self.run.add_payload_type(self.payload_type_from, &mut self.payload_types);
        self.run.add_extensions(&mut self.extensions);
        self.run.packets = 0;
    }

    /// The time since the packet before, for a packet `step` numbers after the newest one.
    #[inline]
    fn interval(&mut self, arrival: &Arrival, step: u16) {
        let interval = arrival.time.since(self.last.0);
        if step >= absence::NARROWEST {
            return self.absent(arrival, step, interval);
        }
        if step > self.widest_step.0 {
            self.widest_step = (step, arrival.id);
        }
        self.max_gap = self.max_gap.max(interval);
        if interval >= SHORTEST_GAP && interval / GAP_FACTOR > self.usual_interval && self.packets > 2 {
            self.gap(arrival.id, arrival.timestamp, step, interval);
        } else {
            self.usual_interval += interval.saturating_sub(self.usual_interval) / 16;
        }
    }

    #[cold]
    fn gap(&mut self, id: PacketId, timestamp: u32, step: u16, interval: i64) {
        if step > 2 {
            if interval > self.outages.longest {
                self.outage_end = Some(id);
            }
            self.outages.record(interval);
        } else if self
            .timing
            .media_time_since_last(timestamp, self.rate)
            .is_none_or(|media_time| media_time > interval / 2)
        {
            // The timestamp went on with the clock: nothing was sent. Had it not, the network held the packets back.
            self.pauses.record(interval);
        }
    }

    #[inline]
    fn frame(&mut self, timestamp: u32) {
        let ahead = timestamp.wrapping_sub(self.newest_timestamp);
        if ahead == 0 || ahead >= 0x8000_0000 {
            return;
        }
        self.newest_timestamp = timestamp;
        if let Some(slot) = self.recent.get_mut(self.frames as usize % RECENT_TIMESTAMPS) {
            *slot = timestamp;
        }
        self.frames += 1;
    }
}

fn clock_rate_of(payload_type: u8) -> Option<u32> {
    static_payload_type(payload_type).map(|known| known.clock_rate)
}

/// The clock rate of a stream: of its main payload type where that is certain, else what its timing says.
/// The second value tells whether it was inferred.
#[must_use]
pub fn clock_rate(stream: &Stream) -> (Option<u32>, bool) {
    let certain = stream
        .payload_types()
        .first()
        .and_then(|count| static_payload_type(count.payload_type))
        .map(|known| known.clock_rate);
    match certain {
        Some(rate) => (Some(rate), false),
        None if stream.certain => (None, false),
        None => {
            let inferred = stream.timing().inferred_rate();
            (inferred, inferred.is_some())
        }
    }
}

/// Audio or video: of its main payload type where that is certain, else what the clock rate says.
#[must_use]
pub fn media_kind(stream: &Stream) -> Option<MediaKind> {
    let certain = stream.payload_types().first().and_then(|count| static_payload_type(count.payload_type));
    certain.map(|known| known.media).or_else(|| {
        stream.timing().inferred_rate().map(|rate| if rate == 90_000 { MediaKind::Video } else { MediaKind::Audio })
    })
}
