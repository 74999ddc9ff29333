//! RTP timestamps against arrival times: interarrival jitter (RFC 3550 section 6.4.1), the clock rate where no payload
//! type tells it, and how fast the sender's clock runs.
//!
//! The clock rate of a dynamic payload type is not in the packets. Jitter is therefore estimated for all rates in use
//! side by side, in nanoseconds, until the timestamps leave no doubt which one fits.

use crate::time::{NANOS_PER_MILLI, NANOS_PER_SECOND, Timestamp};

/// RTP clock rates in use, in Hz: narrow-band and wide-band speech, MPEG audio and L16, Opus, video.
pub const CLOCK_RATES: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 90_000];

const RATES: usize = CLOCK_RATES.len();

/// The estimators that run; one more than there are rates, so that they fill vectors of two.
const LANES: usize = RATES.next_multiple_of(2);

/// Nanoseconds of one tick of each rate.
const TICKS: [f64; LANES] = {
    let mut ticks = [0.0; LANES];
    let mut index = 0;
    while index < RATES {
        ticks[index] = NANOS_PER_SECOND as f64 / CLOCK_RATES[index] as f64;
        index += 1;
    }
    ticks
};

/// A timestamp that is off by more than this against the packet's arrival, at every rate, is a jump and no jitter.
const JUMP: i64 = 10 * NANOS_PER_SECOND;

/// `MAX_DROPOUT` of RFC 3550 section A.1: a larger step of the sequence number is taken for a new start.
const MAX_DROPOUT: u16 = 3000;

/// A stream shorter than this says too little about its clock rate.
const SHORTEST_FOR_RATE: i64 = NANOS_PER_SECOND / 10;

/// From this length on the measured rate is exact enough to tell 44.1 from 48 kHz.
const LONG_ENOUGH_FOR_RARE_RATES: i64 = 5 * NANOS_PER_SECOND;

/// After this time, and every so many packets from then on, it is asked whether one estimator would do.
const SETTLING_TIME: i64 = 5 * NANOS_PER_SECOND;
const SETTLING_PACKETS: u64 = 64;

/// Clock drift is measured over the earliest arrivals in windows of this length.
const DRIFT_WINDOW: i64 = NANOS_PER_SECOND;

/// Fewer windows than this say nothing about drift.
const DRIFT_WINDOWS: i64 = 20;

/// The timing of one stream. Feed it every packet in order of arrival. In memory it is laid out as it stands here: what
/// each packet changes comes first.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Timing {
    last_arrival: Timestamp,
    /// Arrival time and timestamp ticks between consecutive packets, jumps left out.
    elapsed: i64,
    ticks: i64,
    /// Packets that entered the estimators.
    samples: u64,
    last_timestamp: u32,
    jitter: Estimators,
    drift: Drift,
    jumps: u64,
}

/// The estimators of RFC 3550 section 6.4.1, one for each clock rate, in nanoseconds. They are all that the time for a
/// packet goes into, and baseline processors only have vectors of floating point for numbers of this size. The results
/// are the same on every machine: the operations are those that IEEE 754 defines to the last bit.
#[derive(Clone, Copy, Debug, Default)]
struct Jitter {
    last: [f64; LANES],
    highest: [f64; LANES],
    sum: [f64; LANES],
}

/// Jitter at one clock rate, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitterRecord {
    /// After the last packet.
    pub last: i64,
    /// Mean over all packets but the first.
    pub mean: i64,
    /// The highest value.
    pub highest: i64,
}

/// How a packet's timestamp follows the packet before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// It goes on.
    Continuous,
    /// It jumped, at whatever clock rate.
    Jump,
}

impl Timing {
    /// The timing of a stream whose first packet is this.
    #[must_use]
    pub fn new(arrival: Timestamp, timestamp: u32) -> Self {
        Self {
            last_arrival: arrival,
            last_timestamp: timestamp,
            jitter: Estimators::All(Box::default()),
            samples: 0,
            jumps: 0,
            elapsed: 0,
            ticks: 0,
            drift: Drift::new(),
        }
    }

    /// Takes the next packet. `rate` is the clock rate of its payload type where that is certain.
    #[inline]
    pub fn push(&mut self, arrival: Timestamp, timestamp: u32, rate: Option<u32>) -> Advance {
        let elapsed = arrival.since(self.last_arrival);
        let ticks = i64::from(timestamp.wrapping_sub(self.last_timestamp) as i32);
        if is_jump(elapsed, ticks, rate) {
            return self.jump(arrival, timestamp);
        }
        (self.last_arrival, self.last_timestamp) = (arrival, timestamp);
        self.elapsed = self.elapsed.saturating_add(elapsed);
        self.ticks += ticks;
        self.samples += 1;
        match &mut self.jitter {
            Estimators::One(one) if rate.is_none_or(|rate| rate == one.rate) => one.push(elapsed, ticks),
            _ => self.push_all(elapsed, ticks, rate),
        }
        self.drift.push(self.elapsed, self.ticks);
        Advance::Continuous
    }

    /// Runs all estimators, and now and then looks whether one would do.
    fn push_all(&mut self, elapsed: i64, ticks: i64, rate: Option<u32>) {
        self.jitter.push_all(elapsed, ticks);
        let settled = match rate {
            Some(rate) => Some(rate),
            None if self.samples.is_multiple_of(SETTLING_PACKETS) && self.elapsed >= SETTLING_TIME => {
                self.settled_rate()
            }
            None => None,
        };
        if let Some(one) = settled.and_then(|rate| self.jitter.one(rate)) {
            self.jitter = Estimators::One(one);
        }
    }

    /// The inferred rate where the timestamps are within a hundredth of it.
    fn settled_rate(&self) -> Option<u32> {
        let rate = self.inferred_rate()?;
        let off = i128::from(self.ticks) * i128::from(NANOS_PER_SECOND) - i128::from(rate) * i128::from(self.elapsed);
        (off.abs() * 100 <= i128::from(rate) * i128::from(self.elapsed)).then_some(rate)
    }

    /// Goes on from this packet without comparing it with the one before: the sender started anew, or uses another
    /// clock from here.
    pub fn restart(&mut self, arrival: Timestamp, timestamp: u32) {
        (self.last_arrival, self.last_timestamp) = (arrival, timestamp);
        self.drift = Drift::new();
        (self.drift.origin_elapsed, self.drift.origin_ticks) = (self.elapsed, self.ticks);
    }

    /// Goes on with the timing of packets that came after these, on another path: what lies between is no jitter.
    pub fn append(&mut self, next: &Self) {
        self.jitter.append(&next.jitter, (self.samples, next.samples));
        self.samples += next.samples;
        self.jumps += next.jumps;
        self.elapsed = self.elapsed.saturating_add(next.elapsed);
        self.ticks += next.ticks;
        (self.last_arrival, self.last_timestamp) = (next.last_arrival, next.last_timestamp);
        // Two paths of different length, and a line through the packets of one of them.
        if next.drift.count > self.drift.count {
            self.drift = next.drift.clone();
        }
    }

    /// Whether a packet that is `step` sequence numbers ahead goes on from the last one. Up to RFC 3550's
    /// `MAX_DROPOUT` it does unless its timestamp jumped; further ahead the timestamp must have followed the clock.
    #[must_use]
    pub fn continues(&self, arrival: Timestamp, timestamp: u32, rate: Option<u32>, step: u16) -> bool {
        let rate = rate.or_else(|| self.inferred_rate());
        let elapsed = arrival.since(self.last_arrival);
        let ticks = i64::from(timestamp.wrapping_sub(self.last_timestamp) as i32);
        match rate {
            Some(rate) if step > MAX_DROPOUT => {
                elapsed.abs_diff(ticks_to_nanos(ticks, rate))
                    < (elapsed / 2 + NANOS_PER_SECOND / 2).max(0).unsigned_abs()
            }
            _ => !is_jump(elapsed, ticks, rate),
        }
    }

    /// Nanoseconds that the timestamp moved on since the last packet, at the certain or inferred rate.
    #[must_use]
    pub fn media_time_since_last(&self, timestamp: u32, rate: Option<u32>) -> Option<i64> {
        let ticks = i64::from(timestamp.wrapping_sub(self.last_timestamp) as i32);
        rate.or_else(|| self.inferred_rate()).map(|rate| ticks_to_nanos(ticks, rate))
    }

    /// Times the timestamp jumped.
    #[must_use]
    pub const fn jumps(&self) -> u64 {
        self.jumps
    }

    /// The clock rate that the timestamps' speed tells, in Hz; `None` for streams too short or too odd.
    #[must_use]
    pub fn inferred_rate(&self) -> Option<u32> {
        if let Estimators::One(one) = &self.jitter {
            return Some(one.rate);
        }
        if self.elapsed < SHORTEST_FOR_RATE || self.ticks <= 0 {
            return None;
        }
        let measured =
            i64::try_from(i128::from(self.ticks) * i128::from(NANOS_PER_SECOND) / i128::from(self.elapsed)).ok()?;
        // The first packets of a stream often leave in one burst; the share this can be off by shrinks with time.
        let tolerance_percent = (2 + 30 * NANOS_PER_SECOND / 10 / self.elapsed.max(1)).min(30);
        let rare = self.elapsed >= LONG_ENOUGH_FOR_RARE_RATES;
        CLOCK_RATES
            .into_iter()
            .filter(|rate| rare || matches!(rate, 8_000 | 16_000 | 48_000 | 90_000))
            .map(|rate| (rate, (measured - i64::from(rate)).abs().saturating_mul(100) / i64::from(rate)))
            .min_by_key(|&(rate, off)| (off, u32::from(!matches!(rate, 8_000 | 16_000 | 48_000 | 90_000))))
            .filter(|&(_, off)| off <= tolerance_percent.max(8))
            .map(|(rate, _)| rate)
    }

    /// The jitter at `rate`; `None` for a rate that is not among [`CLOCK_RATES`] or a stream of one packet.
    #[must_use]
    pub fn jitter(&self, rate: u32) -> Option<JitterRecord> {
        let samples = Some(self.samples).filter(|samples| *samples > 0)? as f64;
        let Estimator { last, highest, sum, .. } = self.jitter.one(rate)?;
        Some(JitterRecord { last: last as i64, mean: (sum / samples) as i64, highest: highest as i64 })
    }

    /// How much faster the sender's clock runs than the tap's, in parts per billion, at `rate`.
    #[must_use]
    pub fn drift_ppb(&self, rate: u32) -> Option<i64> {
        self.drift.ppb(rate)
    }

    #[cold]
    fn jump(&mut self, arrival: Timestamp, timestamp: u32) -> Advance {
        self.jumps += 1;
        self.restart(arrival, timestamp);
        Advance::Jump
    }
}

impl Jitter {
    #[inline]
    fn push(&mut self, elapsed: i64, ticks: i64) {
        // No jump, so both are exact: a day of nanoseconds has 47 bits.
        let (elapsed, ticks) = (elapsed as f64, ticks as f64);
        let lanes = self.last.iter_mut().zip(&mut self.highest).zip(&mut self.sum).zip(TICKS);
        for (((last, highest), sum), tick) in lanes {
            let difference = (elapsed - ticks * tick).abs();
            *last += (difference - *last) / 16.0;
            *highest = if *last > *highest { *last } else { *highest };
            *sum += *last;
        }
    }
}

/// All estimators, or the only one that still matters: of the rate that is certain, or that the timestamps leave no
/// doubt of.
#[derive(Clone, Debug)]
enum Estimators {
    All(Box<Jitter>),
    One(Estimator),
}

/// The estimator of one rate.
#[derive(Clone, Copy, Debug)]
struct Estimator {
    rate: u32,
    tick: f64,
    last: f64,
    highest: f64,
    sum: f64,
}

impl Estimators {
    /// Runs all estimators. Where one was left there is another clock from here on: all go on from what it measured.
    fn push_all(&mut self, elapsed: i64, ticks: i64) {
        if let Self::One(Estimator { last, highest, sum, .. }) = *self {
            let jitter = Jitter { last: [last; LANES], highest: [highest; LANES], sum: [sum; LANES] };
            *self = Self::All(Box::new(jitter));
        }
        if let Self::All(jitter) = self {
            jitter.push(elapsed, ticks);
        }
    }

    /// Adds what others measured later. Where the two settled on different rates, that of most samples counts.
    fn append(&mut self, next: &Self, samples: (u64, u64)) {
        let lanes = CLOCK_RATES.into_iter().filter_map(|rate| self.one(rate).zip(next.one(rate)));
        let mut joined = lanes.map(|(one, other)| Estimator {
            last: other.last,
            highest: one.highest.max(other.highest),
            sum: one.sum + other.sum,
            ..one
        });
        let is_all = matches!((&*self, next), (Self::All(_), Self::All(_)));
        *self = match joined.next() {
            None if samples.1 > samples.0 => next.clone(),
            None => return,
            Some(one) if !is_all => Self::One(one),
            Some(first) => {
                let mut all = Box::<Jitter>::default();
                let lanes = all.last.iter_mut().zip(&mut all.highest).zip(&mut all.sum);
                for (((last, highest), sum), one) in lanes.zip(std::iter::once(first).chain(joined)) {
                    (*last, *highest, *sum) = (one.last, one.highest, one.sum);
                }
                Self::All(all)
            }
        };
    }

    /// The estimator of a rate.
    fn one(&self, rate: u32) -> Option<Estimator> {
        let jitter = match self {
            Self::One(one) => return Some(*one).filter(|one| one.rate == rate),
            Self::All(jitter) => jitter,
        };
        let lane = CLOCK_RATES.iter().position(|known| *known == rate)?;
        let of = |values: &[f64; LANES]| values.get(lane).copied();
        let (last, highest, sum) = (of(&jitter.last)?, of(&jitter.highest)?, of(&jitter.sum)?);
        Some(Estimator { rate, tick: of(&TICKS)?, last, highest, sum })
    }
}

impl Estimator {
    #[inline]
    fn push(&mut self, elapsed: i64, ticks: i64) {
        self.last += ((elapsed as f64 - ticks as f64 * self.tick).abs() - self.last) / 16.0;
        self.highest = self.last.max(self.highest);
        self.sum += self.last;
    }
}

/// With a known rate, the timestamp's step differs from the arrival's by more than [`JUMP`]; without one, it does so at
/// the slowest and at the fastest rate alike.
#[inline]
fn is_jump(elapsed: i64, ticks: i64, rate: Option<u32>) -> bool {
    if ticks.unsigned_abs() < 80_000 && elapsed.unsigned_abs() < JUMP.unsigned_abs() {
        return false;
    }
    let off = |rate| elapsed.abs_diff(ticks_to_nanos(ticks, rate)) > JUMP.unsigned_abs();
    match rate {
        Some(rate) => off(rate),
        None => CLOCK_RATES.into_iter().all(off),
    }
}

#[inline]
fn ticks_to_nanos(ticks: i64, rate: u32) -> i64 {
    ticks * NANOS_PER_SECOND / i64::from(rate.max(1))
}

/// A line through the earliest arrivals of each window: queues only ever delay, so the earliest packet of a second
/// shows the clocks best. Sums are kept in milliseconds of arrival and ticks, exact in integers.
#[derive(Clone, Debug)]
#[repr(C)]
struct Drift {
    origin_elapsed: i64,
    origin_ticks: i64,
    window_end: i64,
    /// The window's packet that is most ahead: by how much, its arrival in nanoseconds and ticks from the origin.
    ahead: Option<(i64, i64, i64)>,
    /// Ticks a millisecond, as far as known, to compare packets of a window; times 2^16.
    slope: i64,
    count: i64,
    sum_x: i128,
    sum_y: i128,
    sum_xx: i128,
    sum_xy: i128,
}

impl Drift {
    const fn new() -> Self {
        Self {
            origin_elapsed: 0,
            origin_ticks: 0,
            window_end: DRIFT_WINDOW,
            ahead: None,
            slope: 0,
            count: 0,
            sum_x: 0,
            sum_y: 0,
            sum_xx: 0,
            sum_xy: 0,
        }
    }

    #[inline]
    fn push(&mut self, elapsed: i64, ticks: i64) {
        let (x, y) = (elapsed.saturating_sub(self.origin_elapsed), ticks - self.origin_ticks);
        if x >= self.window_end {
            self.close_window(x, y);
        }
        // Of a stream in order both are far below 2^63; of another the result means nothing.
        let lead = (y << 16).wrapping_sub((x / NANOS_PER_MILLI).wrapping_mul(self.slope));
        if self.ahead.is_none_or(|(most, ..)| lead > most) {
            self.ahead = Some((lead, x, y));
        }
    }

    fn close_window(&mut self, x: i64, y: i64) {
        if let Some((_, ahead_x, ahead_y)) = self.ahead.take() {
            // Microseconds keep the sums of a day of seconds within 128 bits by far.
            let (ahead_x, ahead_y) = (i128::from(ahead_x / 1000), i128::from(ahead_y));
            self.count += 1;
            self.sum_x += ahead_x;
            self.sum_y += ahead_y;
            self.sum_xx += ahead_x * ahead_x;
            self.sum_xy += ahead_x * ahead_y;
        }
        self.slope = (y << 16) / (x / NANOS_PER_MILLI).max(1);
        self.window_end = x.saturating_add(DRIFT_WINDOW);
    }

    fn ppb(&self, rate: u32) -> Option<i64> {
        if self.count < DRIFT_WINDOWS {
            return None;
        }
        let count = i128::from(self.count);
        let less = |product: Option<i128>, other: Option<i128>| product?.checked_sub(other?);
        let denominator = less(count.checked_mul(self.sum_xx), self.sum_x.checked_mul(self.sum_x))?;
        let numerator = less(count.checked_mul(self.sum_xy), self.sum_x.checked_mul(self.sum_y))?;
        if denominator <= 0 {
            return None;
        }
        // Slope is in ticks a microsecond; relative to the nominal rate, minus one.
        let nominal = i128::from(rate);
        let parts = numerator.checked_mul(1_000_000 * 1_000_000_000)? / denominator / nominal.max(1);
        let ppb = i64::try_from(parts - 1_000_000_000).ok()?;
        // A clock that is off by more than a thousandth is a wrong guess of the rate or a stream with jumps.
        (ppb.abs() < 1_000_000).then_some(ppb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_795_334_314 * NANOS_PER_SECOND);

    fn at(milliseconds: f64) -> Timestamp {
        Timestamp(START.0 + (milliseconds * 1e6) as i64)
    }

    /// RFC 3550 A.8 in floating point, for one rate.
    fn reference(packets: &[(f64, u32)], rate: f64) -> (f64, f64) {
        let (mut jitter, mut highest) = (0.0_f64, 0.0_f64);
        for pair in packets.windows(2) {
            let difference =
                (pair[1].0 - pair[0].0) / 1000.0 - f64::from(pair[1].1.wrapping_sub(pair[0].1) as i32) / rate;
            jitter += (difference.abs() - jitter) / 16.0;
            highest = highest.max(jitter);
        }
        (jitter, highest)
    }

    fn packets(count: u32, step_ms: f64, step_ticks: u32, speed: f64) -> Vec<(f64, u32)> {
        (0..count)
            .map(|index| {
                let wobble = f64::from(index * 7919 % 13) * 0.4;
                (
                    f64::from(index) * step_ms * speed + wobble,
                    index.wrapping_mul(step_ticks).wrapping_add(u32::MAX - 9_000),
                )
            })
            .collect()
    }

    fn timing(packets: &[(f64, u32)]) -> Timing {
        let mut timing = Timing::new(at(packets[0].0), packets[0].1);
        for (arrival, timestamp) in &packets[1..] {
            timing.push(at(*arrival), *timestamp, None);
        }
        timing
    }

    #[test]
    fn jitter_is_that_of_rfc_3550_at_every_rate() {
        for (rate, ticks) in [(8_000, 160), (16_000, 320), (48_000, 960), (90_000, 1800)] {
            let packets = packets(500, 20.0, ticks, 1.0);
            let timing = timing(&packets);
            assert_eq!(timing.inferred_rate(), Some(rate));
            let record = timing.jitter(rate).unwrap();
            let (jitter, highest) = reference(&packets, f64::from(rate));
            assert!((record.last as f64 / 1e9 - jitter).abs() < jitter * 0.001, "{record:?} {jitter}");
            assert!((record.highest as f64 / 1e9 - highest).abs() < highest * 0.001, "{record:?} {highest}");
        }
    }

    #[test]
    fn a_jump_is_no_jitter() {
        let mut timing = timing(&packets(100, 20.0, 160, 1.0));
        let before = timing.jitter(8_000).unwrap().last;
        assert_eq!(timing.push(at(2000.0), 3_000_000_000, None), Advance::Jump);
        assert_eq!(timing.push(at(2020.0), 3_000_000_160, None), Advance::Continuous);
        assert!(timing.jitter(8_000).unwrap().last < before);
        assert_eq!(timing.jumps(), 1);
    }

    #[test]
    fn parts_of_a_stream_are_one() {
        let packets = packets(3_000, 20.0, 160, 1.0);
        for split in [40, 1_500] {
            let (first, second) = packets.split_at(split);
            let mut parts = timing(first);
            parts.append(&timing(second));
            let (parts, whole) = (parts.jitter(8_000).unwrap(), timing(&packets).jitter(8_000).unwrap());
            // The estimate starts from zero in the second part, and soon is the same.
            assert!((parts.mean - whole.mean).abs() * 50 < whole.mean, "{parts:?} {whole:?}");
            assert!(parts.last.abs_diff(whole.last) < 1_000, "{parts:?} {whole:?}");
        }
    }

    #[test]
    fn drift_of_a_fast_clock() {
        // A sender whose clock runs 100 ppm fast needs 20 ms / 1.0001 of the tap's time for 960 ticks.
        let timing = timing(&packets(5_000, 20.0, 960, 1.0 / 1.0001));
        let ppb = timing.drift_ppb(48_000).unwrap();
        assert!((ppb - 100_000).abs() < 5_000, "{ppb}");
    }
}
