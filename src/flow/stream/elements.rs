//! Header-extension elements of one stream, packet by packet.
//!
//! What an id means is agreed in signalling, which a capture may show late or never. So elements are followed by id and
//! by their length, for all that they may be; what they were is said in the end: [`Followed::meaning`] tells what their
//! behaviour proves.
//!
//! Once it is known what they are, the first packet of each frame is looked into, and those with other elements than the
//! one before: the rest are sent with them, and say the same. Where there are descriptors every packet is: a frame of
//! several layers has one in each. So it is where single bytes change, as audio levels do: telephone events share a
//! timestamp. Packets that are alike but for these bytes are compared at once and not read element by element ([`Shape`]).
//!
//! Each id takes some 400 bytes, single bytes another 200, frames a kilobyte. Kept values are at most 16 of an id and 128
//! bytes of each. The flow's budget pays for the ids and the values.

mod capture;
mod frames;
mod history;
mod level;
mod send_time;
mod shape;

pub use capture::CaptureTimes;
pub use frames::Frames;
pub use history::{History, Value};
pub use level::{Levels, Silence};
pub use send_time::SendTimes;
use shape::{Open, Place, Shape};

use crate::{
    flow::budget::Budget,
    time::{PacketId, Timestamp},
    wire::rtp::{
        Element, Extension, Form, Meaning,
        dependency::{Extended, FrameStart},
        value::{CaptureTime, transmission_offset},
    },
};

/// When a packet came, and which it is.
pub type At = (Timestamp, PacketId);

/// Ids that are followed: 1 to 15, all that one-byte elements have.
const IDS: usize = 16;

/// In [`Elements::places`]: none.
const NONE: u8 = u8::MAX;

/// Packets after which it is clear whether three bytes are a time.
const TRIAL: u64 = 32;

/// So many packets of a stream are all looked into; and so many where three bytes may yet prove to be descriptors.
const EARLY: u32 = 64;
const UNDECIDED: u32 = 512;

/// Frames in a row that begin and end as descriptors say, until these are read as such without a structure.
const DESCRIPTORS: u8 = 8;

/// A byte, in how many packets in a row, and in which first and last.
#[derive(Clone, Copy, Debug)]
struct Same {
    byte: u8,
    packets: u64,
    first: At,
    last: At,
}

/// The elements of a stream, laid out in memory as it stands here: what most packets change first.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Elements {
    shape: Shape,
    /// The times that the shape has a place for; where `has_times`, they were taken out of `followed` to be at hand here.
    times: SendTimes,
    /// Timestamp and ids ([`crate::wire::rtp::Extension::ids`]) of the last packet.
    last: Option<(u32, u16)>,
    /// Packets that were looked into, and whether the next is to be whatever it is.
    looked: u32,
    wants_all: bool,
    /// The last packet that was taken by its shape.
    shaped: At,
    has_times: bool,
    followed: Vec<Followed>,
    /// Where each id is in `followed`.
    places: [u8; IDS],
}

/// The elements of one id, laid out in memory as it stands here: what most packets change first.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Followed {
    /// Three bytes, read as times of sending.
    pub send_times: Option<SendTimes>,
    /// The id that SDP maps to a URI.
    pub id: u8,
    descriptors: u8,
    /// Descriptors of frames.
    pub frames: Option<Box<Frames>>,
    /// A byte that came alone, and came again: not told to the levels yet.
    same: Option<Same>,
    /// Single bytes, read as audio levels.
    pub levels: Option<Box<Levels>>,
    /// Their values, where they change seldom.
    pub history: History,
    /// Eight or sixteen bytes, read as times of capture.
    pub capture_times: Option<Box<CaptureTimes>>,
    /// The lowest and the highest of three bytes as a number with a sign.
    pub range: Option<(i32, i32)>,
    /// The last three bytes, while nobody knows what they are; `descriptors` counts how many frames in a row they could be
    /// descriptors of.
    last: Option<FrameStart>,
}

impl Default for Elements {
    fn default() -> Self {
        Self {
            shape: Shape::default(),
            last: None,
            looked: 0,
            wants_all: true,
            shaped: (Timestamp::default(), PacketId::default()),
            has_times: false,
            times: SendTimes::new([0; 3], Timestamp::default(), PacketId::default()),
            followed: Vec::new(),
            places: [NONE; IDS],
        }
    }
}

impl Elements {
    /// Whether a packet with this timestamp and elements of these ids is to be looked into.
    #[inline]
    pub fn wants(&mut self, timestamp: u32, ids: u16) -> bool {
        let is_other = self.last.replace((timestamp, ids)) != Some((timestamp, ids));
        self.wants_all || is_other
    }

    /// The data of a packet's extension and the ids of its elements, if the extension has the shape of others: then the
    /// packet has neither padding nor contributing sources.
    #[inline]
    #[must_use]
    pub fn shaped<'a>(&self, packet: &'a [u8]) -> Option<(&'a [u8], u16)> {
        self.shape.data(packet).map(|data| (data, self.shape.ids))
    }

    /// Takes a packet that is to be looked into, with the data that [`Elements::shaped`] told.
    #[inline]
    pub fn push_shaped(&mut self, data: &[u8], at: At, budget: &Budget) {
        self.looked = self.looked.saturating_add(1);
        self.shape.packets += 1;
        self.shaped = at;
        let Shape { time, level, .. } = self.shape;
        if let Some(bytes) = time.bytes::<3>(data) {
            self.push_time(bytes, at, budget);
        }
        if let Some([byte]) = level.bytes(data)
            && let Some(followed) = self.followed.get_mut(usize::from(level.index))
        {
            followed.byte(byte, at, budget);
        }
    }

    #[inline]
    fn push_time(&mut self, bytes: [u8; 3], at: At, budget: &Budget) {
        if !self.has_times {
            self.take_times();
        }
        self.times.push(bytes, at.0, at.1);
        if !self.times.are_likely() {
            self.end_times(bytes, at, budget);
        }
    }

    #[cold]
    fn take_times(&mut self) {
        let followed = self.followed.get_mut(usize::from(self.shape.time.index));
        if let Some(times) = followed.and_then(|followed| followed.send_times.take()) {
            (self.has_times, self.times) = (true, times);
        }
    }

    /// What was taken for times is none.
    #[cold]
    fn end_times(&mut self, bytes: [u8; 3], at: At, budget: &Budget) {
        let index = usize::from(self.shape.time.index);
        self.end_shape();
        self.shape = Shape::default();
        if let Some(followed) = self.followed.get_mut(index) {
            followed.send_times.iter_mut().for_each(SendTimes::give_up);
            followed.unknown(bytes, at, budget);
        }
    }

    /// Begins a packet that is read element by element.
    #[inline]
    pub fn begin_packet(&mut self) {
        if self.shape.packets > 0 {
            self.end_shape();
        }
    }

    /// Ends it; `extension` is what was read.
    #[inline]
    pub fn end_packet(&mut self, extension: &Extension<'_>) {
        self.looked = self.looked.saturating_add(1);
        let is_early = self.looked < UNDECIDED;
        self.wants_all = self.looked < EARLY || self.followed.iter().any(|followed| followed.wants_all(is_early));
        let is_alike = self.shape.is_alike(extension);
        if is_alike && self.looked >= EARLY {
            self.shape = self.shape_of(extension).unwrap_or_default();
        }
    }

    /// Takes an element of the stream's next packet; not two bytes, whose numbers are followed over all streams. What is
    /// kept of values is paid for by `budget`.
    #[inline]
    pub fn push(&mut self, element: &Element<'_>, at: At, budget: &Budget) {
        if matches!(element.data, [] | [_, _]) {
            return;
        }
        let Some(followed) = self.followed(element.id, budget) else { return };
        match element.data {
            [byte] => followed.byte(*byte, at, budget),
            [a, b, c] => followed.three([*a, *b, *c], at, budget),
            data => followed.long(data, at, budget),
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

    /// Ends the rows of values that go on. To be called before anything is asked.
    pub fn settle(&mut self) {
        self.end_shape();
        self.followed.iter_mut().for_each(Followed::settle);
    }

    /// Adds those of another part of the stream.
    pub fn add(&mut self, next: &Self) {
        for other in &next.followed {
            match self.followed.iter_mut().find(|followed| followed.id == other.id) {
                Some(followed) => followed.add(other),
                None => self.followed.push(other.clone()),
            }
        }
    }

    /// Counts the packets that were taken by their shape with the elements that were the same in all of them.
    fn end_shape(&mut self) {
        let Shape { ids, time, level, .. } = self.shape;
        let (packets, at) = (u64::from(std::mem::take(&mut self.shape.packets)), self.shaped);
        self.shape.forget_seen();
        if std::mem::take(&mut self.has_times)
            && let Some(followed) = self.followed.get_mut(usize::from(time.index))
        {
            followed.send_times = Some(self.times);
        }
        for (followed, index) in self.followed.iter_mut().zip(0_u8..).filter(|_| packets > 0) {
            let is_same = index != time.index && index != level.index;
            if is_same && ids >> followed.id & 1 == 1 {
                followed.again(packets, at);
            }
        }
    }

    /// The shape of an extension, if it is clear of each element whether it is always the same, and where not, what it is.
    #[cold]
    fn shape_of(&self, extension: &Extension<'_>) -> Option<Shape> {
        let (mut open, mut is_clear) = (Open::default(), extension.form() == Form::OneByte);
        let mut ids = 0;
        extension.visit(|element| {
            ids |= 1_u16 << (element.id & 15);
            let at = (element.offset - extension.offset - 3) as u8;
            let index = self.places.get(usize::from(element.id)).copied().unwrap_or(NONE);
            let place = Place { at, index };
            is_clear &= match (element.data, self.followed.get(usize::from(index))) {
                ([_, _], _) => open.number(at),
                ([_], Some(followed)) if followed.has_levels() => open.level(place),
                ([_, _, _], Some(followed)) if followed.has_times() => open.time(place),
                ([_, _, _], Some(followed)) => self.looked >= UNDECIDED && followed.frames.is_none(),
                (_, Some(followed)) => followed.frames.is_none() && followed.capture_times.is_none(),
                _ => false,
            };
        });
        if is_clear { Shape::of(extension, ids, &open) } else { None }
    }

    #[inline]
    fn followed(&mut self, id: u8, budget: &Budget) -> Option<&mut Followed> {
        let place = *self.places.get(usize::from(id))?;
        if place == NONE {
            return self.follow(id, budget);
        }
        self.followed.get_mut(usize::from(place))
    }

    #[cold]
    fn follow(&mut self, id: u8, budget: &Budget) -> Option<&mut Followed> {
        let place =
            self.places.get_mut(usize::from(id)).filter(|_| budget.take_for_extensions(size_of::<Followed>()))?;
        *place = self.followed.len() as u8;
        self.followed.push(Followed::new(id));
        self.followed.last_mut()
    }
}

impl Followed {
    const fn new(id: u8) -> Self {
        Self {
            id,
            history: History::new(),
            same: None,
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

    /// Whether every packet says something of its own: in a descriptor, in three bytes that are no time and may yet prove to
    /// be one, or in a level. What names a stream is one byte too, but always the same.
    fn wants_all(&self, is_early: bool) -> bool {
        let is_no_time = self.send_times.as_ref().is_some_and(|times| !times.is_on());
        self.frames.is_some() || is_early && is_no_time || self.has_levels()
    }

    /// Whether three bytes were times so far, for long enough.
    fn has_times(&self) -> bool {
        self.send_times.as_ref().is_some_and(|times| times.is_on() && times.packets() >= TRIAL)
    }

    /// Whether single bytes change, as levels do.
    fn has_levels(&self) -> bool {
        self.levels.as_ref().is_some_and(|levels| levels.are_several())
    }

    /// Takes the last value so many times again, the last time in the packet `at`.
    fn again(&mut self, packets: u64, at: At) {
        match &mut self.same {
            Some(same) => (same.packets, same.last) = (same.packets + packets, at),
            None => self.history.again(packets),
        }
    }

    #[inline]
    fn byte(&mut self, byte: u8, at: At, budget: &Budget) {
        match &mut self.same {
            Some(same) if same.byte == byte => (same.packets, same.last) = (same.packets + 1, at),
            _ => self.other_byte(byte, at, budget),
        }
    }

    fn other_byte(&mut self, byte: u8, at: At, budget: &Budget) {
        self.settle();
        self.history.push(&[byte], at, budget);
        self.same = Some(Same { byte, packets: 1, first: at, last: at });
    }

    /// Tells the levels of the byte that came again and again.
    fn settle(&mut self) {
        let Some(Same { byte, packets, first, last }) = self.same.take() else { return };
        self.levels.get_or_insert_default().push(byte, packets, first, last);
        self.history.again(packets - 1);
    }

    #[inline]
    fn three(&mut self, bytes: [u8; 3], at: At, budget: &Budget) {
        if let Some(frames) = &mut self.frames {
            return frames.push(FrameStart::of(bytes));
        }
        self.send_times.get_or_insert_with(|| SendTimes::new(bytes, at.0, at.1));
        if !self.time(bytes, at) {
            self.unknown(bytes, at, budget);
        }
    }

    /// Takes three bytes for a time of sending; whether they are one is known after a while.
    #[inline]
    fn time(&mut self, bytes: [u8; 3], at: At) -> bool {
        let Some(times) = self.send_times.as_mut().filter(|times| times.is_on()) else { return false };
        times.push(bytes, at.0, at.1);
        let is_clear = times.packets() >= TRIAL;
        if is_clear && !times.are_likely() {
            times.give_up();
        }
        is_clear && times.is_on()
    }

    /// Three bytes that are no time, or not yet known to be one.
    fn unknown(&mut self, bytes: [u8; 3], at: At, budget: &Budget) {
        let number = transmission_offset(bytes);
        let (lowest, highest) = self.range.unwrap_or((number, number));
        self.range = Some((lowest.min(number), highest.max(number)));
        self.history.push(&bytes, at, budget);
        let start = FrameStart::of(bytes);
        match self.last.replace(start).map(|last| frames::begins_next(last, start)) {
            Some(Some(true)) => self.descriptors = self.descriptors.saturating_add(1),
            Some(None) => {}
            None | Some(Some(false)) => self.descriptors = 0,
        }
        if self.descriptors >= DESCRIPTORS {
            self.frames.get_or_insert_default().push(start);
        }
    }

    fn long(&mut self, data: &[u8], at: At, budget: &Budget) {
        if let (8 | 16, Some(time)) = (data.len(), CaptureTime::parse(data)) {
            match &mut self.capture_times {
                Some(times) => times.push(time, at.0),
                None => self.capture_times = Some(Box::new(CaptureTimes::new(time, at.0))),
            }
        }
        let Some(start) = data.first_chunk::<3>().map(|bytes| FrameStart::of(*bytes)) else { return };
        if self.frames.is_none()
            && let Some(Extended { structure: Some(_), .. }) = Extended::parse(data, None)
        {
            self.frames = Some(Box::default());
        }
        if let Some(frames) = &mut self.frames {
            frames.push_extended(start, data, at);
        }
        if self.frames.as_ref().is_none_or(|frames| !frames.are_proven()) {
            self.history.push(data, at, budget);
        }
    }

    fn add(&mut self, next: &Self) {
        self.history.add(&next.history);
        add(&mut self.levels, &next.levels, Levels::add);
        match (&mut self.send_times, &next.send_times) {
            (Some(own), Some(other)) => own.add(other),
            (own, other) => *own = own.take().or(*other),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::NANOS_PER_MILLI;

    /// The packet of a number, 20 ms after the one before it.
    pub(super) const fn arrival(number: u64) -> At {
        (Timestamp(number as i64 * 20 * NANOS_PER_MILLI), PacketId::new(0, number))
    }

    /// A stream whose packets have these elements of one id.
    pub(super) fn followed<T: AsRef<[u8]>>(elements: impl IntoIterator<Item = T>) -> Elements {
        let (mut all, budget) = (Elements::default(), Budget::default());
        for (data, number) in elements.into_iter().zip(1..) {
            all.push(&Element { id: 5, data: data.as_ref(), offset: 0 }, arrival(number), &budget);
        }
        all.settle();
        all
    }

    fn sent(index: u64) -> [u8; 3] {
        // 20 ms are 5,242.88 units.
        let [.., a, b, c] = (index * 524_288 / 100).to_be_bytes();
        [a, b, c]
    }

    #[test]
    fn times_are_proven_by_the_clock() {
        let all = followed((0..400).map(sent));
        let times = all.of(5).unwrap();
        assert_eq!(times.meaning(false, 400), Some(Meaning::SendTime));
        assert!(times.history.values().is_empty());
    }

    #[test]
    fn offsets_are_a_range() {
        // An offset that seldom changes is no time, nor is one that wanders: -2 and 300 are the ends.
        let value = |index: u64| if index == 70 { [0xff, 0xff, 0xfe] } else { [0, 0, 0] };
        let all = followed((0..100).map(value).chain([[0, 1, 44]]));
        let offsets = all.of(5).unwrap();
        assert_eq!((offsets.range, offsets.meaning(false, 101)), (Some((-2, 300)), None));
        assert!(offsets.send_times.as_ref().is_some_and(|times| !times.are_likely()));
    }

    #[test]
    fn descriptors_are_proven_by_frames() {
        // Three packets a frame: the first begins it, the last ends it.
        let descriptor = |index: u64| {
            let flags = match index % 3 {
                0 => 0x80,
                1 => 0x00,
                _ => 0x40,
            };
            let [high, low] = ((index / 3) as u16 + 500).to_be_bytes();
            [flags | 0x05, high, low]
        };
        let all = followed((0..300).map(descriptor));
        let frames = all.of(5).unwrap();
        assert_eq!(frames.meaning(false, 300), Some(Meaning::DependencyDescriptor));
        // It took the beginnings of eight frames behind the first to see what they are.
        let found = frames.frames.as_ref().unwrap();
        assert_eq!((found.count_all(), found.missing(), found.structure()), (92, Some(0), None));
        // A number that stays is no frame.
        assert_eq!(followed([[0_u8; 3]; 300]).of(5).unwrap().meaning(false, 300), None);
    }

    /// Telephone events are packets of one timestamp, each with a level. A name says the same in all.
    #[test]
    fn every_level_counts() {
        let looked = |bytes: [u8; 2]| {
            let (mut elements, budget) = (Elements::default(), Budget::default());
            let wanted = (1..=300).filter(|number| {
                let is_wanted = elements.wants(1000, 1 << 5);
                if is_wanted {
                    let data = [0x50, bytes[*number as usize % 2], 0, 0];
                    let extension = Extension { profile: Extension::ONE_BYTE, data: &data, offset: 12 };
                    extension.visit(|element| elements.push(element, arrival(*number), &budget));
                    elements.end_packet(&extension);
                }
                is_wanted
            });
            wanted.count()
        };
        assert_eq!((looked([30, 40]), looked(*b"11")), (300, 64));
    }

    #[test]
    fn sizes_are_those_of_the_budget() {
        assert!(size_of::<Elements>() <= 384 && size_of::<Followed>() <= 448, "{}", size_of::<Followed>());
        assert!(size_of::<Levels>() <= 256 && size_of::<SendTimes>() <= 256 && size_of::<CaptureTimes>() <= 128);
        assert!(size_of::<Frames>() <= 1024);
    }

    #[test]
    fn ids_beyond_15_and_parts_of_a_stream() {
        let mut all = followed([[0_u8], [0]]);
        all.push(&Element { id: 200, data: &[1], offset: 0 }, arrival(3), &Budget::default());
        assert_eq!(all.all().len(), 1);
        all.add(&followed([[1_u8]]));
    }
}
