//! Header-extension elements of one stream, packet by packet.
//!
//! What an id means is agreed in signalling, which a capture may show late or never. So elements are followed by id and
//! by their shape, for all that they may be; what they were is said in the end: [`Elements::meaning`] tells what their
//! behaviour proves.
//!
//! A stream without elements has none of this. Else it is about 100 bytes, 64 for each id, and what follows the values:
//! 400 for a byte, 150 for three bytes, about a kilobyte for frames. Kept values are paid for by the flow's budget.

mod capture;
mod frames;
mod history;
mod level;
mod send_time;

pub use capture::CaptureTimes;
pub use frames::Frames;
pub use history::{History, Value};
pub use level::{Levels, Silence};
pub use send_time::SendTimes;

use super::Arrival;
use crate::{
    flow::budget::Budget,
    wire::rtp::{
        Element, Meaning,
        dependency::{Extended, FrameStart},
        value::{CaptureTime, transmission_offset},
    },
};

/// Ids that are followed: 1 to 15, all that one-byte elements have.
const IDS: usize = 16;

/// In [`Elements::places`]: none.
const NONE: u8 = u8::MAX;

/// Packets after which it is clear whether three bytes are a time.
const TRIAL: u64 = 32;

/// Packets in a row that begin and end frames as descriptors do, until they are read as such without a structure.
const DESCRIPTORS: u8 = 16;

/// The elements of a stream.
#[derive(Clone, Debug)]
pub struct Elements {
    /// Where each id is in `followed`.
    places: [u8; IDS],
    followed: Vec<Followed>,
}

/// The elements of one id.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The id that SDP maps to a URI.
    pub id: u8,
    /// Elements.
    pub count: u64,
    /// Their values, where they change seldom.
    pub history: History,
    /// Single bytes, read as audio levels.
    pub levels: Option<Box<Levels>>,
    /// Three bytes, read as times of sending.
    pub send_times: Option<Box<SendTimes>>,
    /// Descriptors of frames.
    pub frames: Option<Box<Frames>>,
    /// Eight or sixteen bytes, read as times of capture.
    pub capture_times: Option<Box<CaptureTimes>>,
    /// The lowest and the highest of three bytes as a number with a sign.
    pub range: Option<(i32, i32)>,
    /// The last three bytes, while nobody knows what they are, and how many in a row could be descriptors.
    last: Option<FrameStart>,
    descriptors: u8,
}

impl Default for Elements {
    fn default() -> Self {
        Self { places: [NONE; IDS], followed: Vec::new() }
    }
}

impl Elements {
    /// Takes an element of the stream's next packet; not two bytes, whose numbers are followed over all streams. What is
    /// kept of values is paid for by `budget`.
    #[inline]
    pub fn push(&mut self, element: &Element<'_>, arrival: &Arrival, budget: &Budget) {
        let Some(followed) = self.followed(element.id) else { return };
        followed.count += 1;
        match element.data {
            [] | [_, _] => {}
            [byte] => followed.byte(*byte, arrival, budget),
            [a, b, c] => followed.three([*a, *b, *c], arrival, budget),
            data => followed.long(data, arrival, budget),
        }
    }

    /// The elements of each id, in the order in which they were first seen.
    #[must_use]
    pub fn all(&self) -> &[Followed] {
        &self.followed
    }

    /// The elements of one id.
    #[must_use]
    pub fn of(&self, id: u8) -> Option<&Followed> {
        self.followed.iter().find(|followed| followed.id == id)
    }

    /// Adds those of another part of the stream.
    pub fn add(&mut self, next: &Self) {
        for other in &next.followed {
            if let Some(followed) = self.followed(other.id) {
                followed.add(other);
            }
        }
    }

    #[inline]
    fn followed(&mut self, id: u8) -> Option<&mut Followed> {
        let place = *self.places.get(usize::from(id))?;
        if place == NONE {
            return self.follow(id);
        }
        self.followed.get_mut(usize::from(place))
    }

    #[cold]
    fn follow(&mut self, id: u8) -> Option<&mut Followed> {
        let place = self.places.get_mut(usize::from(id))?;
        *place = self.followed.len() as u8;
        self.followed.push(Followed::new(id));
        self.followed.last_mut()
    }
}

impl Followed {
    const fn new(id: u8) -> Self {
        Self {
            id,
            count: 0,
            history: History::new(),
            levels: None,
            send_times: None,
            frames: None,
            capture_times: None,
            range: None,
            last: None,
            descriptors: 0,
        }
    }

    /// What these elements are beyond doubt, by their behaviour alone, in a stream of so many packets.
    #[must_use]
    pub fn meaning(&self, is_audio: bool, packets: u64) -> Option<Meaning> {
        if self.send_times.as_ref().is_some_and(|times| times.are_proven()) {
            return Some(Meaning::SendTime);
        }
        if self.frames.as_ref().is_some_and(|frames| frames.are_proven()) {
            return Some(Meaning::DependencyDescriptor);
        }
        let levels = self.levels.as_ref().filter(|_| is_audio)?;
        levels.are_proven(packets).then_some(Meaning::AudioLevel)
    }

    #[inline]
    fn byte(&mut self, byte: u8, arrival: &Arrival, budget: &Budget) {
        self.levels.get_or_insert_default().push(byte, arrival);
        self.history.push(&[byte], arrival, budget);
    }

    #[inline]
    fn three(&mut self, bytes: [u8; 3], arrival: &Arrival, budget: &Budget) {
        if let Some(frames) = &mut self.frames {
            return frames.push(FrameStart::of(bytes));
        }
        let times = self.send_times.get_or_insert_with(|| Box::new(SendTimes::new(bytes, arrival.time, arrival.id)));
        if times.is_on() {
            times.push(bytes, arrival.time, arrival.id);
            if times.packets() >= TRIAL && times.are_likely() {
                return;
            }
            if times.packets() >= TRIAL {
                times.give_up();
            }
        }
        self.unknown(bytes, arrival, budget);
    }

    /// Three bytes that are no time, or not yet known to be one.
    fn unknown(&mut self, bytes: [u8; 3], arrival: &Arrival, budget: &Budget) {
        let number = transmission_offset(bytes);
        let (lowest, highest) = self.range.unwrap_or((number, number));
        self.range = Some((lowest.min(number), highest.max(number)));
        self.history.push(&bytes, arrival, budget);
        let start = FrameStart::of(bytes);
        let goes_on = self.last.replace(start).is_some_and(|last| frames::follows(last, start));
        self.descriptors = if goes_on { self.descriptors.saturating_add(1) } else { 0 };
        if self.descriptors >= DESCRIPTORS {
            self.frames.get_or_insert_default().push(start);
        }
    }

    fn long(&mut self, data: &[u8], arrival: &Arrival, budget: &Budget) {
        if let (8 | 16, Some(time)) = (data.len(), CaptureTime::parse(data)) {
            match &mut self.capture_times {
                Some(times) => times.push(time, arrival.time),
                None => self.capture_times = Some(Box::new(CaptureTimes::new(time, arrival.time))),
            }
        }
        let Some(start) = data.first_chunk::<3>().map(|bytes| FrameStart::of(*bytes)) else { return };
        if self.frames.is_none()
            && let Some(Extended { structure: Some(_), .. }) = Extended::parse(data, None)
        {
            self.frames = Some(Box::default());
        }
        if let Some(frames) = &mut self.frames {
            frames.push_extended(start, data, arrival);
        }
        if self.frames.as_ref().is_none_or(|frames| !frames.are_proven()) {
            self.history.push(data, arrival, budget);
        }
    }

    fn add(&mut self, next: &Self) {
        self.count += next.count;
        self.history.add(&next.history);
        add(&mut self.levels, &next.levels, Levels::add);
        add(&mut self.send_times, &next.send_times, SendTimes::add);
        add(&mut self.frames, &next.frames, Frames::add);
        add(&mut self.capture_times, &next.capture_times, CaptureTimes::add);
        self.range = match (self.range, next.range) {
            (Some((low, high)), Some((its_low, its_high))) => Some((low.min(its_low), high.max(its_high))),
            (own, other) => own.or(other),
        };
    }
}

fn add<T: Clone>(own: &mut Option<Box<T>>, next: &Option<Box<T>>, sum: impl Fn(&mut T, &T)) {
    match (own, next) {
        (Some(own), Some(next)) => sum(own, next),
        (own @ None, Some(next)) => *own = Some(next.clone()),
        (_, None) => {}
    }
}
