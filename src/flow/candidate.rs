//! Is it RTP? The header alone cannot tell: version 2 is a quarter of all random bytes, and games, messengers and VPNs
//! fill the range. What tells is continuity: packets of one SSRC whose sequence numbers go on and whose timestamps
//! follow the clock. Until that is seen packets wait here, and are counted back in when it is.

use crate::{
    flow::stream::Arrival,
    time::NANOS_PER_SECOND,
    wire::rtp::static_payload_type,
};

/// SSRCs that wait in one flow at a time; the one that waits longest gives way.
const CANDIDATES: usize = 8;

/// Packets in sequence that suffice where nothing else speaks for media.
const RUN: usize = 3;

/// Packets in sequence that suffice even if the timestamp never moves: a large video frame.
const RUN_OF_ONE_FRAME: usize = 12;

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
}

/// The SSRCs of one flow that wait.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    waiting: Vec<Candidate>,
    dropped: u64,
}

impl Candidates {
    /// Adds a packet; returns the candidate, taken out, once it is known to be a stream.
    pub fn push(&mut self, arrival: Arrival, direction: usize, context: Context) -> Option<Candidate> {
        let index = self.place(&arrival, direction);
        let candidate = self.waiting.get_mut(index)?;
        if candidate.breaks_sequence(&arrival) {
            self.dropped += candidate.packets.len() as u64;
            candidate.packets.clear();
        }
        candidate.packets.push(arrival);
        candidate.is_stream(context).then(|| self.waiting.remove(index))
    }

    /// The candidates that wait at the end of a flow.
    pub fn drain(&mut self) -> impl Iterator<Item = Candidate> + '_ {
        self.waiting.drain(..)
    }

    /// Packets that are no longer waited for: they led to no stream.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn place(&mut self, arrival: &Arrival, direction: usize) -> usize {
        let known = |candidate: &Candidate| candidate.ssrc == arrival.ssrc && candidate.direction == direction;
        if let Some(index) = self.waiting.iter().position(known) {
            return index;
        }
        if self.waiting.len() >= CANDIDATES {
            let oldest = self.waiting.remove(0);
            self.dropped += oldest.packets.len() as u64;
        }
        self.waiting.push(Candidate { ssrc: arrival.ssrc, direction, packets: Vec::new() });
        self.waiting.len() - 1
    }
}

impl Candidate {
    /// Whether its packets are a stream's, seen while the flow goes on.
    #[must_use]
    pub fn is_stream(&self, context: Context) -> bool {
        let count = self.distinct();
        if (context.call || context.media) && count >= RUN_IN_CALL && self.timestamps_follow_clock() {
            return true;
        }
        count >= RUN && self.one_payload_type() && self.timestamps_follow_clock() && self.timestamps_move()
            || count >= RUN_OF_ONE_FRAME && self.one_payload_type() && self.timestamps_follow_clock()
    }

    /// Whether its packets are a stream's, when no more will come.
    #[must_use]
    pub fn is_short_stream(&self, context: Context) -> bool {
        let count = self.distinct();
        let fits_call = context.media && context.payload_type_known || context.named_in_rtcp;
        fits_call || count >= 2 && self.one_payload_type() && self.timestamps_step_as_audio() || self.looks_like_telephony()
    }

    fn breaks_sequence(&self, arrival: &Arrival) -> bool {
        self.packets.last().is_some_and(|last| {
            let step = arrival.sequence_number.wrapping_sub(last.sequence_number);
            step > STEP && step.wrapping_neg() > STEP
        })
    }

    /// Packets with different sequence numbers; copies prove nothing.
    fn distinct(&self) -> usize {
        let numbers = self.packets.iter().map(|packet| packet.sequence_number);
        numbers.enumerate().filter(|&(index, number)| !self.packets.iter().take(index).any(|p| p.sequence_number == number)).count()
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
