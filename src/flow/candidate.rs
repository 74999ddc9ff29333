//! Is it RTP? The header alone cannot tell: version 2 is a quarter of all random bytes, and games, messengers and VPNs
//! fill the range. What tells is continuity: packets of one SSRC whose sequence numbers go on and whose timestamps
//! follow the clock. Until that is seen packets wait here, and are counted back in when it is.

use crate::{
    flow::{budget::Budget, stream::Arrival},
    time::{NANOS_PER_SECOND, PacketId},
    wire::rtp::{Extension, FIXED_LENGTH, static_payload_type},
};

/// SSRCs that wait in one flow at a time; the one that waits longest gives way.
const CANDIDATES: usize = 8;

/// SSRCs that wait in a flow that is a call's: a capture may start in the middle of one with many participants.
const CANDIDATES_IN_CALL: usize = 64;

/// Bytes that a candidate takes, with the packets of it that usually wait.
const CANDIDATE: usize = 512;

/// Packets of one SSRC that wait; older ones give way.
const WAITING_PACKETS: usize = 16;

/// A longer header extension is not kept.
const LONGEST_EXTENSION: usize = 256;

/// Packets in sequence that suffice where nothing else speaks for media.
const RUN: usize = 3;

/// Packets in sequence that suffice even if the timestamp never moves: a large video frame.
const RUN_OF_ONE_FRAME: usize = 12;

/// Packets in sequence that make a telephone event, when no more will come.
const RUN_OF_EVENT: usize = 4;

/// Packets in sequence that suffice on a path that ICE, DTLS or other streams already show to be a call's.
const RUN_IN_CALL: usize = 2;

/// A step of the sequence number up to this is "in sequence".
const STEP: u16 = 8;

/// What else a flow shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// ICE connectivity checks or DTLS records on the same 5-tuple.
    pub call: bool,
    /// RTP streams on the same 5-tuple, in either direction.
    pub media: bool,
    /// A stream of the flow uses this candidate's payload type, or DTLS secures the flow.
    pub payload_type_known: bool,
    /// RTCP in clear names the SSRC as its sender's.
    pub named_in_rtcp: bool,
}

/// Packets of one SSRC that wait for more evidence.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Synchronization source.
    pub ssrc: u32,
    /// The direction in the flow.
    pub direction: usize,
    /// Its packets, in order of arrival.
    pub packets: Vec<Arrival>,
    /// Their header extensions.
    extensions: Vec<Kept>,
}

/// The header extension of a packet that waits.
#[derive(Clone, Debug)]
struct Kept {
    packet: (PacketId, u16),
    profile: u16,
    data: Box<[u8]>,
    is_counted: bool,
}

/// The SSRCs of one flow that wait.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    waiting: Vec<Candidate>,
    /// How many have waited at a time, beyond those that every flow may have: they are paid for.
    paid: usize,
}

impl Candidates {
    /// Adds a packet; returns the candidate, taken out, once it is known to be a stream. Many at a time are paid for by
    /// `budget`.
    pub fn push(&mut self, arrival: Arrival, direction: usize, context: Context, budget: &Budget) -> Option<Candidate> {
        let index = self.place(&arrival, direction, context, budget);
        let candidate = self.waiting.get_mut(index)?;
        if candidate.packets.len() >= WAITING_PACKETS {
            candidate.packets.remove(0);
        }
        candidate.packets.push(arrival);
        candidate.is_stream(context).then(|| self.waiting.remove(index))
    }

    /// Keeps the header extension of a packet that waits, where `budget` pays for it. `is_counted` says that its numbers
    /// over all streams are known already.
    pub fn keep(
        &mut self,
        arrival: &Arrival,
        direction: usize,
        extension: &Extension<'_>,
        is_counted: bool,
        budget: &Budget,
    ) {
        let is_its = |candidate: &&mut Candidate| candidate.ssrc == arrival.ssrc && candidate.direction == direction;
        let Some(candidate) = self.waiting.iter_mut().find(is_its) else { return };
        let length = extension.data.len();
        if length > LONGEST_EXTENSION || !budget.take_for_extensions(size_of::<Kept>() + length) {
            return;
        }
        if candidate.extensions.len() >= WAITING_PACKETS {
            candidate.extensions.remove(0);
        }
        let packet = (arrival.id, arrival.sequence_number);
        let (profile, data) = (extension.profile, extension.data.into());
        candidate.extensions.push(Kept { packet, profile, data, is_counted });
    }

    /// The candidates that wait at the end of a flow.
    pub fn drain(&mut self) -> impl Iterator<Item = Candidate> + '_ {
        self.waiting.drain(..)
    }

    /// The SSRC that waits in `direction` with a packet of this timestamp.
    #[must_use]
    pub fn with_timestamp(&self, timestamp: u32, direction: usize) -> Option<u32> {
        let has = |candidate: &&Candidate| {
            candidate.direction == direction && candidate.packets.iter().any(|packet| packet.timestamp == timestamp)
        };
        self.waiting.iter().find(has).map(|candidate| candidate.ssrc)
    }

    fn place(&mut self, arrival: &Arrival, direction: usize, context: Context, budget: &Budget) -> usize {
        let known = |candidate: &Candidate| candidate.ssrc == arrival.ssrc && candidate.direction == direction;
        if let Some(index) = self.waiting.iter().position(known) {
            return index;
        }
        if self.waiting.len() >= self.room(context, budget) {
            self.waiting.remove(0);
        }
        self.waiting.push(Candidate { ssrc: arrival.ssrc, direction, packets: Vec::new(), extensions: Vec::new() });
        self.waiting.len() - 1
    }

    /// How many may wait.
    fn room(&mut self, context: Context, budget: &Budget) -> usize {
        let most = if context.call || context.media { CANDIDATES_IN_CALL } else { CANDIDATES };
        let held = CANDIDATES + self.paid;
        if self.waiting.len() >= held && held < most && budget.take(CANDIDATE) {
            self.paid += 1;
        }
        most.min(CANDIDATES + self.paid)
    }
}

impl Candidate {
    /// The header extension of one of its packets, where it was kept, and whether its numbers over all streams are known.
    #[must_use]
    pub fn extension(&self, arrival: &Arrival) -> Option<(Extension<'_>, bool)> {
        let kept = self.extensions.iter().find(|kept| kept.packet == (arrival.id, arrival.sequence_number))?;
        Some((Extension { profile: kept.profile, data: &kept.data, offset: FIXED_LENGTH }, kept.is_counted))
    }

    /// Whether its packets are a stream's, seen while the flow goes on.
    #[must_use]
    pub fn is_stream(&self, context: Context) -> bool {
        let run = Run::last_of(&self.packets);
        // Probes and retransmissions have timestamps of their own mind (0, or another stream's): they are not asked.
        if (context.call || context.media) && run.length >= RUN_IN_CALL {
            return true;
        }
        let enough = if run.timestamps_move() { RUN } else { RUN_OF_ONE_FRAME };
        run.length >= enough && run.one_payload_type() && run.timestamps_follow_clock()
    }

    /// Whether its packets are a stream's, when no more will come.
    #[must_use]
    pub fn is_short_stream(&self, context: Context) -> bool {
        let run = Run::last_of(&self.packets);
        let fits_call = context.media && context.payload_type_known || context.named_in_rtcp;
        fits_call
            || run.length >= RUN_IN_CALL && run.one_payload_type() && run.timestamps_step_as_audio()
            || run.length >= RUN_OF_EVENT && run.one_payload_type() && run.looks_like_telephone_event()
            || run.looks_like_telephony()
    }
}

/// The last packets of a candidate whose sequence numbers go on from one to the next.
struct Run<'a> {
    packets: &'a [Arrival],
    /// Packets with different sequence numbers; copies prove nothing.
    length: usize,
}

impl<'a> Run<'a> {
    fn last_of(packets: &'a [Arrival]) -> Self {
        let breaks = |pair: &[Arrival]| {
            let [earlier, later] = pair else { return false };
            let step = later.sequence_number.wrapping_sub(earlier.sequence_number);
            step > STEP && step.wrapping_neg() > STEP
        };
        let start = packets.windows(2).rposition(breaks).map_or(0, |index| index + 1);
        let packets = packets.get(start..).unwrap_or_default();
        let numbers = packets.iter().map(|packet| packet.sequence_number).enumerate();
        let is_first = |&(index, number): &(usize, u16)| {
            !packets.iter().take(index).any(|packet| packet.sequence_number == number)
        };
        Self { packets, length: numbers.filter(is_first).count() }
    }

    fn one_payload_type(&self) -> bool {
        self.packets.windows(2).all(|pair| matches!(pair, [a, b] if a.payload_type == b.payload_type))
    }

    fn timestamps_move(&self) -> bool {
        self.packets.windows(2).any(|pair| matches!(pair, [a, b] if a.timestamp != b.timestamp))
    }

    /// Newer packets have no older timestamps, and the timestamps move at the speed of some RTP clock: not faster than
    /// 200 kHz (with half a second of slack for a sender's first burst), and where time passes, not slower than 1 kHz.
    fn timestamps_follow_clock(&self) -> bool {
        self.packets.windows(2).all(|pair| {
            let [earlier, later] = pair else { return true };
            let forward = later.sequence_number.wrapping_sub(earlier.sequence_number) < 0x8000;
            let ticks = i64::from(later.timestamp.wrapping_sub(earlier.timestamp) as i32);
            let ticks = if forward { ticks } else { -ticks };
            let elapsed = later.time.since(earlier.time).max(0);
            let fastest = 200 * (elapsed / 1_000_000 + 500);
            // Up to a second ago: a reordered or bidirectionally predicted video frame.
            let slowest = if elapsed > NANOS_PER_SECOND { elapsed / 1_000_000 } else { -90_000 };
            (slowest..=fastest).contains(&ticks)
        })
    }

    /// Audio frames are whole multiples of 2.5 ms at 32 kHz or 10 ms at 8 kHz: 80 ticks at every audio clock.
    fn timestamps_step_as_audio(&self) -> bool {
        self.packets.windows(2).all(|pair| {
            let [earlier, later] = pair else { return true };
            let ticks = later.timestamp.wrapping_sub(earlier.timestamp);
            let step = later.sequence_number.wrapping_sub(earlier.sequence_number);
            (1..=STEP).contains(&step) && ticks.is_multiple_of(80) && (80..=5760 * u32::from(step)).contains(&ticks)
        })
    }

    /// RFC 4733: one event is one timestamp, with four bytes of payload in each packet.
    fn looks_like_telephone_event(&self) -> bool {
        self.packets.iter().all(|packet| {
            packet.payload_type >= 96 && packet.payload_length == 4 && packet.header_length == 12 && !packet.padding
        })
    }

    /// A plain header and exactly the payload that a telephony codec makes of 10, 20, 30 or 40 ms.
    fn looks_like_telephony(&self) -> bool {
        self.packets.iter().all(|packet| {
            let plain = packet.header_length == 12 && !packet.padding;
            let frames: &[u32] = match packet.payload_type {
                0 | 8 | 9 => &[80, 160, 240, 320],
                3 => &[33, 66],
                18 => &[10, 20, 30, 40],
                _ => &[],
            };
            plain && static_payload_type(packet.payload_type).is_some() && frames.contains(&packet.payload_length)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{NANOS_PER_MILLI, PacketId, Timestamp};

    /// Packet `index` of a plain stream: 20 ms apart, `ticks` of its clock each.
    fn packet(index: u16, ticks: u32) -> Arrival {
        Arrival {
            time: Timestamp(1_000 * NANOS_PER_SECOND + i64::from(index) * 20 * NANOS_PER_MILLI),
            id: PacketId::new(0, u64::from(index) + 1),
            ssrc: 0x8a2b_7d32,
            timestamp: u32::from(index) * ticks,
            sequence_number: 65_534_u16.wrapping_add(index),
            payload_type: 111,
            marker: false,
            padding: false,
            header_length: 12,
            padding_length: 0,
            payload_length: 90,
            extensions: 0,
            csrc_count: 0,
            holes: 0,
        }
    }

    /// How many packets it takes to be sure; `None` when all of them are not enough.
    fn accepted_after(packets: impl IntoIterator<Item = Arrival>, context: Context) -> Option<usize> {
        let mut candidates = Candidates::default();
        packets
            .into_iter()
            .position(|arrival| candidates.push(arrival, 0, context, &Budget::default()).is_some())
            .map(|index| index + 1)
    }

    #[test]
    fn three_packets_in_sequence_make_a_stream_and_all_are_counted_back_in() {
        let mut candidates = Candidates::default();
        assert!(candidates.push(packet(0, 960), 0, Context::default(), &Budget::default()).is_none());
        assert!(candidates.push(packet(1, 960), 0, Context::default(), &Budget::default()).is_none());
        let stream = candidates.push(packet(2, 960), 0, Context::default(), &Budget::default()).unwrap();
        assert_eq!(stream.packets.len(), 3);
    }

    #[test]
    fn on_a_call_s_path_two_suffice() {
        let call = Context { call: true, ..Context::default() };
        assert_eq!(accepted_after((0..5).map(|index| packet(index, 0)), call), Some(2));
    }

    #[test]
    fn packets_before_a_gap_are_counted_back_in() {
        let mut candidates = Candidates::default();
        let numbers = [0, 1, 300, 301, 302];
        let mut accepted =
            numbers.map(|index| candidates.push(packet(index, 160), 0, Context::default(), &Budget::default()));
        assert!(accepted[..4].iter().all(Option::is_none));
        assert_eq!(accepted[4].take().unwrap().packets.len(), 5);
    }

    #[test]
    fn copies_of_one_packet_prove_nothing() {
        assert_eq!(accepted_after([packet(0, 160); 40], Context::default()), None);
    }

    #[test]
    fn a_counter_without_a_clock_is_no_rtp() {
        // What games and VPNs send: a number that goes on, and random bytes where RTP has its timestamp.
        let game = |index: u16| Arrival { timestamp: u32::from(index).wrapping_mul(0x9e37_79b9), ..packet(index, 0) };
        assert_eq!(accepted_after((0..200).map(game), Context::default()), None);
        // RakNet: the low byte of its number stands where RTP has its payload type.
        let raknet = |index: u16| Arrival { payload_type: index as u8 & 0x7f, ..packet(index, 160) };
        assert_eq!(accepted_after((0..200).map(raknet), Context::default()), None);
    }

    #[test]
    fn a_video_frame_of_many_packets_has_one_timestamp() {
        let frame = |index| Arrival { time: Timestamp(i64::from(index) * 50_000), ..packet(index, 0) };
        assert_eq!(accepted_after((0..40).map(frame), Context::default()), Some(RUN_OF_ONE_FRAME));
    }

    #[test]
    fn random_bytes_are_no_rtp() {
        // A linear congruential generator: every field random, the SSRC one of four.
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u32
        };
        let mut candidates = Candidates::default();
        for index in 0..200_000_u32 {
            let arrival = Arrival {
                ssrc: random() % 4,
                timestamp: random(),
                sequence_number: random() as u16,
                payload_type: random() as u8 & 0x7f,
                ..packet((index % 60_000) as u16, 0)
            };
            assert!(candidates.push(arrival, 0, Context::default(), &Budget::default()).is_none());
        }
        assert!(candidates.drain().all(|candidate| !candidate.is_short_stream(Context::default())));
    }

    #[test]
    fn what_ends_early_needs_the_marks_of_telephony() {
        let short = |packets: &[Arrival]| {
            let mut candidates = Candidates::default();
            packets
                .iter()
                .for_each(|arrival| drop(candidates.push(*arrival, 0, Context::default(), &Budget::default())));
            candidates.drain().next().unwrap().is_short_stream(Context::default())
        };
        let pcmu = Arrival { payload_type: 0, payload_length: 160, ..packet(0, 160) };
        assert!(short(&[pcmu]));
        assert!(!short(&[Arrival { payload_length: 161, ..pcmu }]));
        assert!(!short(&[packet(0, 960)]));
        assert!(short(&[packet(0, 960), packet(1, 960)]));
        let event = |index| Arrival { payload_length: 4, ..packet(index, 0) };
        assert!(short(&[event(0), event(1), event(2), event(3)]));
    }
}
