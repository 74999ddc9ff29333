//! User messages put together from DATA (RFC 9260 section 6.9) and I-DATA chunks (RFC 8260 section 2).
//!
//! A chunk that is a whole message passes through. Of the others runs are kept: fragments that follow one another without
//! a hole. Runs have a cap, and what they hold of the payload has one; the oldest goes first.

use super::Step;
use crate::wire::sctp::Data;

/// What is kept of a message's payload while it is put together.
pub trait Content: Default {
    /// Adds the payload of the next fragment. `payload_protocol` is what is known of the message's.
    fn add(&mut self, data: &Data<'_>, payload_protocol: Option<u32>);

    /// Adds what was kept of later fragments.
    fn append(&mut self, later: Self);

    /// Bytes of payload, kept or not.
    fn length(&self) -> u64;

    /// The first bytes of the payload, as far as they were kept. Those of DCEP messages have to be.
    fn start(&self) -> &[u8];
}

/// The length of a message; of those of DCEP their bytes too, which say what a channel is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    length: u64,
    start: Vec<u8>,
}

/// The bytes of a message, up to where the capture cut a packet, or to [`MAX_MESSAGE`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    length: u64,
    bytes: Vec<u8>,
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<C> {
    /// Stream.
    pub stream: u16,
    /// U: no order among the messages of the stream.
    pub unordered: bool,
    /// SSN of DATA, MID of I-DATA. That of an unordered message in DATA chunks says nothing.
    pub sequence: u32,
    /// PPID.
    pub payload_protocol: u32,
    /// Fragments that it came in.
    pub fragments: u32,
    /// The fragment that was seen first.
    pub first: Step,
    /// The one that made it whole.
    pub last: Step,
    /// What was kept of its payload.
    pub content: C,
}

/// The messages of one direction that are not whole.
#[derive(Debug, Default)]
pub(super) struct Assembly<C> {
    /// In the order of their first fragment.
    runs: Vec<Run<C>>,
    /// Payload bytes kept in them.
    held: usize,
    /// Runs that were given up for lack of room.
    dropped: u64,
}

/// Fragments of one message that follow one another.
#[derive(Debug)]
struct Run<C> {
    key: Key,
    /// Where it starts and ends: TSNs of DATA, fragment numbers of I-DATA.
    place: [u32; 2],
    /// The highest TSN in it.
    tsn: u32,
    begins: bool,
    ends: bool,
    payload_protocol: Option<u32>,
    fragments: u32,
    seen: [Step; 2],
    content: C,
}

/// What fragments of one message have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    interleaved: bool,
    stream: u16,
    unordered: bool,
    sequence: u32,
}

impl<C: Content> Assembly<C> {
    /// Takes in a fragment that was not seen before; the message that it makes whole.
    pub(super) fn take(&mut self, data: &Data<'_>, interleaved: bool, step: Step) -> Option<Message<C>> {
        if data.begin && data.end {
            return Some(Run::new(data, interleaved, step).message());
        }
        let key = Key::new(data, interleaved);
        let place = key.place(data);
        let before = self.runs.iter().rposition(|known| !data.begin && known.goes_on_with(key, place));
        let mut at = before.unwrap_or(self.runs.len());
        match before.and_then(|before| self.runs.get_mut(before)) {
            Some(before) => self.held += before.add(data, step),
            None => {
                let run = Run::new(data, interleaved, step);
                self.held += run.held();
                self.runs.push(run);
            }
        }
        let joined = self.runs.get(at)?;
        if let Some(after) = self.runs.iter().rposition(|known| joined.leads_to(known)).filter(|after| *after != at) {
            let later = self.runs.remove(after);
            self.held = self.held.saturating_sub(later.held());
            at -= usize::from(after < at);
            self.held += self.runs.get_mut(at)?.append(later);
        }
        if self.runs.get(at)?.is_whole() {
            let run = self.runs.remove(at);
            self.held = self.held.saturating_sub(run.held());
            return Some(run.message());
        }
        while self.runs.len() > MAX_RUNS || self.held > MAX_HELD {
            let oldest = self.runs.remove(0);
            self.held = self.held.saturating_sub(oldest.held());
            self.dropped += 1;
        }
        None
    }

    /// Forgets what was sent up to a TSN: the rest of it will never come (RFC 3758 section 3.6).
    pub(super) fn give_up_to(&mut self, tsn: u32) {
        self.retain(|run| run.tsn.wrapping_sub(tsn).cast_signed() > 0);
    }

    /// Forgets a stream: its sequence numbers start anew (RFC 6525 section 5.2.2).
    pub(super) fn forget(&mut self, stream: u16) {
        self.retain(|run| run.key.stream != stream);
    }

    /// Forgets everything, as a new association does.
    pub(super) fn restart(&mut self) {
        self.retain(|_| false);
    }

    /// Runs of fragments that never became a message.
    pub(super) fn unfinished(&self) -> u64 {
        self.dropped + self.runs.len() as u64
    }

    fn retain(&mut self, keep: impl Fn(&Run<C>) -> bool) {
        self.runs.retain(keep);
        self.held = self.runs.iter().map(Run::held).sum();
    }
}

impl<C: Content> Run<C> {
    fn new(data: &Data<'_>, interleaved: bool, step: Step) -> Self {
        let key = Key::new(data, interleaved);
        let mut content = C::default();
        content.add(data, data.payload_protocol);
        Self {
            key,
            place: [key.place(data); 2],
            tsn: data.tsn,
            begins: data.begin,
            ends: data.end,
            payload_protocol: data.payload_protocol,
            fragments: 1,
            seen: [step; 2],
            content,
        }
    }

    const fn is_whole(&self) -> bool {
        self.begins && self.ends
    }

    fn leads_to(&self, later: &Self) -> bool {
        let [start, _] = later.place;
        !later.begins && self.goes_on_with(later.key, start)
    }

    /// Whether a fragment that is no first one follows.
    fn goes_on_with(&self, key: Key, place: u32) -> bool {
        let [_, end] = self.place;
        self.key == key && !self.ends && end.wrapping_add(1) == place
    }

    /// Bytes of payload kept.
    fn held(&self) -> usize {
        self.content.start().len()
    }

    /// Adds the fragment that follows; how many bytes more are kept.
    fn add(&mut self, data: &Data<'_>, step: Step) -> usize {
        let held = self.held();
        let [start, _] = self.place;
        self.place = [start, self.key.place(data)];
        self.ends = data.end;
        self.reach(data.tsn, 1, [step; 2]);
        self.content.add(data, self.payload_protocol);
        self.held() - held
    }

    /// Adds what follows; how many bytes more are kept.
    fn append(&mut self, later: Self) -> usize {
        let held = self.held();
        let ([start, _], [_, end]) = (self.place, later.place);
        self.place = [start, end];
        self.ends = later.ends;
        self.payload_protocol = self.payload_protocol.or(later.payload_protocol);
        self.reach(later.tsn, later.fragments, later.seen);
        self.content.append(later.content);
        self.held() - held
    }

    fn reach(&mut self, tsn: u32, fragments: u32, [first, last]: [Step; 2]) {
        if tsn.wrapping_sub(self.tsn).cast_signed() > 0 {
            self.tsn = tsn;
        }
        self.fragments = self.fragments.saturating_add(fragments);
        let [own_first, own_last] = self.seen;
        let earlier = if first.time < own_first.time { first } else { own_first };
        self.seen = [earlier, if last.time > own_last.time { last } else { own_last }];
    }

    fn message(self) -> Message<C> {
        let [first, last] = self.seen;
        Message {
            stream: self.key.stream,
            unordered: self.key.unordered,
            sequence: self.key.sequence,
            payload_protocol: self.payload_protocol.unwrap_or_default(),
            fragments: self.fragments,
            first,
            last,
            content: self.content,
        }
    }
}

impl Key {
    fn new(data: &Data<'_>, interleaved: bool) -> Self {
        // What tells unordered messages apart in DATA chunks is their TSNs alone (RFC 9260 section 6.6).
        let sequence = if data.unordered && !interleaved { 0 } else { data.sequence };
        Self { interleaved, stream: data.stream, unordered: data.unordered, sequence }
    }

    fn place(self, data: &Data<'_>) -> u32 {
        if self.interleaved { data.fragment.unwrap_or_default() } else { data.tsn }
    }
}

impl Content for Outline {
    fn add(&mut self, data: &Data<'_>, payload_protocol: Option<u32>) {
        if payload_protocol == Some(DCEP) {
            extend(&mut self.start, self.length, data.payload, MAX_DCEP);
        }
        self.length += u64::from(data.payload_length);
    }

    fn append(&mut self, later: Self) {
        extend(&mut self.start, self.length, &later.start, MAX_DCEP);
        self.length += later.length;
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn start(&self) -> &[u8] {
        &self.start
    }
}

impl Bytes {
    /// The payload, up to where the capture cut a packet, or to [`MAX_MESSAGE`].
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Content for Bytes {
    fn add(&mut self, data: &Data<'_>, _: Option<u32>) {
        extend(&mut self.bytes, self.length, data.payload, MAX_MESSAGE);
        self.length += u64::from(data.payload_length);
    }

    fn append(&mut self, later: Self) {
        extend(&mut self.bytes, self.length, &later.bytes, MAX_MESSAGE);
        self.length += later.length;
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn start(&self) -> &[u8] {
        &self.bytes
    }
}

/// Adds the bytes at `place` up to a limit, where all before them is there.
fn extend(bytes: &mut Vec<u8>, place: u64, more: &[u8], limit: usize) {
    if bytes.len() as u64 == place {
        let room = limit.saturating_sub(bytes.len());
        bytes.extend_from_slice(more.get(..room).unwrap_or(more));
    }
}

/// Payload protocol identifier of DCEP (RFC 8832 section 8.1).
pub(super) const DCEP: u32 = 50;
/// Runs of fragments that are kept, a direction.
pub const MAX_RUNS: usize = 128;
/// Bytes of a message that are kept: all of what browsers send.
pub const MAX_MESSAGE: usize = 16 << 20;
/// Bytes that unfinished messages may hold, a direction.
const MAX_HELD: usize = 32 << 20;
/// Bytes of a DCEP message that are kept.
const MAX_DCEP: usize = 1024;

#[cfg(test)]
mod tests;
