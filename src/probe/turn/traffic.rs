//! Datagrams through the relay, both ways at once: what arrives, how late, how much.

use std::time::Duration;

/// Bytes in front of each payload: tag, direction and kind, number, time of sending.
const HEADER: usize = 24;

/// The least payload.
pub(super) const LEAST_PAYLOAD: usize = HEADER;

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the allocation under test to the other end.
    Out,
    /// To it.
    Back,
}

impl Way {
    pub(super) const BOTH: [Self; 2] = [Self::Out, Self::Back];
}

/// How often and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Datagrams each way.
    pub count: u32,
    /// Bytes of payload of each.
    pub payload: usize,
    /// The time between two.
    pub interval: Duration,
}

/// What became of the datagrams of one way. Times are between two ends on one clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Sent.
    pub sent: u32,
    /// Arrived, each counted once.
    pub received: u32,
    /// Arrived again.
    pub duplicates: u32,
    /// Bytes of payload that arrived.
    pub bytes: u64,
    /// The shortest way.
    pub latency_min: Option<Duration>,
    /// The longest.
    pub latency_max: Option<Duration>,
    /// All of them together.
    pub latency_sum: Duration,
    /// The interarrival jitter of RFC 3550 section 6.4.1, in nanoseconds.
    pub jitter: u64,
    /// When the first and the last arrived.
    pub arrivals: Option<(Duration, Duration)>,
    last_latency: Option<Duration>,
}

impl Flow {
    /// Sent and not arrived.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        self.sent.saturating_sub(self.received)
    }

    /// The mean of what arrived.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.latency_sum.checked_div(self.received)
    }

    fn arrived(&mut self, now: Duration, sent_at: Duration, payload: usize) {
        let latency = now.saturating_sub(sent_at);
        self.received += 1;
        self.bytes += payload as u64;
        self.latency_sum += latency;
        self.latency_min = Some(self.latency_min.map_or(latency, |least| least.min(latency)));
        self.latency_max = Some(self.latency_max.map_or(latency, |most| most.max(latency)));
        if let Some(last) = self.last_latency.replace(latency) {
            let difference = u64::try_from(latency.abs_diff(last).as_nanos()).unwrap_or(u64::MAX);
            self.jitter = self.jitter.saturating_add_signed((difference as i64 - self.jitter as i64) / 16);
        }
        self.arrivals = Some((self.arrivals.map_or(now, |(first, _)| first), now));
    }
}

/// One run of datagrams.
#[derive(Debug)]
pub(super) struct Traffic {
    tag: [u8; 8],
    pace: Pace,
    /// What arrives this long after the last was sent is late enough to be lost.
    grace: Duration,
    ways: [Track; 2],
}

#[derive(Debug, Default)]
struct Track {
    began: Option<Duration>,
    flow: Flow,
    /// A bit for each number that arrived.
    arrived: Vec<u64>,
}

impl Traffic {
    /// A run that is told from others by `tag`.
    pub(super) fn new(tag: [u8; 8], pace: Pace, grace: Duration) -> Self {
        Self { tag, pace, grace, ways: [Track::default(), Track::default()] }
    }

    fn track(&mut self, way: Way) -> &mut Track {
        let [out, back] = &mut self.ways;
        match way {
            Way::Out => out,
            Way::Back => back,
        }
    }

    /// Lets a way begin, if it has not.
    pub(super) fn begin(&mut self, now: Duration, way: Way) {
        self.track(way).began.get_or_insert(now);
    }

    /// The next payload that is due on a way.
    pub(super) fn next_payload(&mut self, now: Duration, way: Way) -> Option<Vec<u8>> {
        let (tag, pace) = (self.tag, self.pace);
        let track = self.track(way);
        let due = track.began? + pace.interval * track.flow.sent;
        if due > now || track.flow.sent >= pace.count {
            return None;
        }
        let mut payload = Vec::with_capacity(pace.payload);
        payload.extend(tag);
        payload.extend((way as u32).to_be_bytes());
        payload.extend(track.flow.sent.to_be_bytes());
        payload.extend((now.as_nanos() as u64).to_be_bytes());
        payload.resize(pace.payload.max(HEADER), 0);
        track.flow.sent += 1;
        Some(payload)
    }

    /// Takes what arrived. Gives back whether it was one of this way.
    pub(super) fn arrive(&mut self, now: Duration, way: Way, payload: &[u8]) -> bool {
        let Some((number, sent_at)) = self.read(way, payload) else { return false };
        let track = self.track(way);
        let (word, bit) = (number as usize / 64, 1_u64 << (number % 64));
        if track.arrived.len() <= word {
            track.arrived.resize(word + 1, 0);
        }
        let Some(word) = track.arrived.get_mut(word) else { return false };
        if *word & bit != 0 {
            track.flow.duplicates += 1;
            return true;
        }
        *word |= bit;
        track.flow.arrived(now, sent_at, payload.len());
        true
    }

    /// The number and the time of sending in a payload of ours.
    fn read(&self, way: Way, payload: &[u8]) -> Option<(u32, Duration)> {
        let (tag, rest) = payload.split_first_chunk::<8>()?;
        let (said, rest) = rest.split_first_chunk::<4>()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let sent_at = Duration::from_nanos(u64::from_be_bytes(*rest.first_chunk()?));
        let number = u32::from_be_bytes(*number);
        let ours = *tag == self.tag && u32::from_be_bytes(*said) == way as u32 && number < self.pace.count;
        ours.then_some((number, sent_at))
    }

    /// When something is due next: a payload or the end; `None` when the run is over.
    pub(super) fn wake(&self, now: Duration) -> Option<Duration> {
        let ends = self.ways.iter().filter_map(|track| {
            let began = track.began?;
            if track.flow.sent < self.pace.count {
                return Some(began + self.pace.interval * track.flow.sent);
            }
            let last = began + self.pace.interval * self.pace.count.saturating_sub(1);
            (track.flow.lost() > 0).then_some(last + self.grace).filter(|end| *end > now)
        });
        ends.min()
    }

    /// What became of both ways, out first.
    pub(super) fn flows(&self) -> [Flow; 2] {
        self.ways.each_ref().map(|track| track.flow.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { count: 5, payload: 100, interval: Duration::from_millis(20) };

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn what_arrives_is_measured() {
        let mut traffic = Traffic::new([1; 8], PACE, at(500));
        assert_eq!((traffic.wake(at(0)), traffic.next_payload(at(0), Way::Out)), (None, None));
        traffic.begin(at(1_000), Way::Out);
        let payloads: Vec<_> = (0..5).map(|n| traffic.next_payload(at(1_000 + 20 * n), Way::Out).unwrap()).collect();
        assert_eq!(traffic.next_payload(at(1_100), Way::Out), None);
        // Lost, on time, twice, late, overtaken.
        for (number, after) in [(1, 10), (2, 10), (2, 11), (4, 30), (3, 60)] {
            assert!(traffic.arrive(at(1_000 + 20 * number as u64 + after), Way::Out, &payloads[number]));
        }
        assert!(!traffic.arrive(at(1_200), Way::Back, &payloads[0]), "of the other way");
        assert!(!traffic.arrive(at(1_200), Way::Out, &payloads[0][..20]), "cut");
        let [out, back] = traffic.flows();
        assert_eq!((out.sent, out.received, out.duplicates, out.lost()), (5, 4, 1, 1));
        assert_eq!((out.latency_min, out.latency_max, out.bytes), (Some(at(10)), Some(at(60)), 400));
        assert_eq!(out.latency(), Some(Duration::from_micros(27_500)));
        assert_eq!(out.jitter, 20_000_000 / 16 + (30_000_000 - 1_250_000) / 16);
        assert_eq!((back.sent, back.latency()), (0, None));
        assert_eq!(traffic.wake(at(1_300)), Some(at(1_580)), "one is waited for");
        assert_eq!(traffic.wake(at(1_580)), None);
    }

    #[test]
    fn other_runs_are_not_counted() {
        let mut other = Traffic::new([2; 8], PACE, at(500));
        other.begin(at(0), Way::Out);
        let payload = other.next_payload(at(0), Way::Out).unwrap();
        assert!(!Traffic::new([1; 8], PACE, at(500)).arrive(at(1), Way::Out, &payload));
    }
}
