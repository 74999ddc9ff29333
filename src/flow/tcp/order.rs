//! The segments of one direction in the order of their bytes (RFC 9293 section 3.4). A segment that comes before its
//! turn waits for those before it, until it is certain that the capture does not have them.

use std::collections::BTreeMap;

use super::{Mark, Segment};
use crate::time::NANOS_PER_SECOND;

/// Segments held that came before their turn, and their bytes.
const HELD_SEGMENTS: usize = 256;
const HELD_BYTES: usize = 512 * 1024;

/// Where acknowledgments are not captured, a segment sent again would have come by now: twice the initial retransmission
/// timeout of RFC 6298 would only make media later.
const PATIENCE: i64 = NANOS_PER_SECOND;

/// A step of sequence numbers beyond any window (RFC 7323 section 2.2 allows 1 GiB) is another connection.
const WINDOW: u32 = 1 << 30;

/// The order of one direction.
#[derive(Debug, Default)]
pub struct Order {
    next: Option<u32>,
    /// What the other side says it has of these bytes.
    acknowledged: Option<u32>,
    held: BTreeMap<u32, Held>,
    held_bytes: usize,
}

/// A segment that waits.
#[derive(Debug)]
pub struct Held {
    /// Its captured bytes.
    pub bytes: Vec<u8>,
    /// Its bytes on the wire.
    pub length: usize,
    /// The packet that it came in.
    pub mark: Mark,
}

/// A segment whose turn has come.
#[derive(Debug)]
pub struct Released {
    /// Bytes at its start that came before.
    pub known: usize,
    /// Bytes before it that are not captured.
    pub missing: usize,
    /// The segment.
    pub held: Held,
}

/// When a segment's turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now, but for so many bytes at its start that came before.
    Now(usize),
    /// Later: bytes before it have not come.
    Later,
    /// All of it came before.
    Over,
    /// Its numbers have nothing to do with those before.
    Elsewhere,
}

impl Order {
    /// Takes the first sequence number of a connection.
    pub fn start(&mut self, sequence: u32) {
        *self = Self { next: Some(sequence), ..Self::default() };
    }

    /// Takes an acknowledgment number of the other side.
    pub fn acknowledge(&mut self, number: u32) {
        let is_newer = self.acknowledged.is_none_or(|known| number.wrapping_sub(known) as i32 > 0);
        if is_newer {
            self.acknowledged = Some(number);
        }
    }

    /// When the turn of the bytes from `sequence` on is; where that is now, it goes on behind them.
    pub fn turn(&mut self, sequence: u32, length: usize) -> Turn {
        let ahead = sequence.wrapping_sub(*self.next.get_or_insert(sequence)) as i32;
        let known = ahead.unsigned_abs() as usize;
        let is_near = ahead.unsigned_abs() < WINDOW;
        match ahead {
            1.. if is_near => return Turn::Later,
            _ if is_near && known >= length => return Turn::Over,
            _ => {}
        }
        let next = sequence.wrapping_add(length as u32);
        if is_near {
            self.next = Some(next);
            return Turn::Now(known);
        }
        self.start(next);
        Turn::Elsewhere
    }

    /// Keeps a segment until its turn.
    pub fn hold(&mut self, segment: &Segment<'_>) {
        let sequence = segment.header.sequence;
        if self.held.get(&sequence).is_some_and(|held| held.length >= segment.length) {
            return;
        }
        let held = Held { bytes: segment.payload.to_vec(), length: segment.length, mark: segment.mark };
        self.held_bytes += held.bytes.len();
        if let Some(replaced) = self.held.insert(sequence, held) {
            self.held_bytes -= replaced.bytes.len();
        }
    }

    /// The held segment whose turn is now.
    pub fn release(&mut self, now: Mark) -> Option<Released> {
        loop {
            let (next, nearest) = (self.next?, self.nearest()?);
            let ahead = nearest.wrapping_sub(next) as i32;
            if ahead > 0 && !self.is_given_up(nearest, now) {
                return None;
            }
            let held = self.held.remove(&nearest)?;
            self.held_bytes -= held.bytes.len();
            let (known, missing) = if ahead > 0 { (0, ahead) } else { (ahead.unsigned_abs() as usize, 0) };
            if known < held.length {
                self.next = Some(nearest.wrapping_add(held.length as u32));
                return Some(Released { known, missing: missing.unsigned_abs() as usize, held });
            }
        }
    }

    /// Whether all bytes before `sequence` came.
    #[must_use]
    pub fn is_at(&self, sequence: u32) -> bool {
        self.next == Some(sequence)
    }

    /// Drops what is held.
    pub fn let_go(&mut self) {
        self.held.clear();
        self.held_bytes = 0;
    }

    /// Bytes that are held.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether the bytes up to `sequence` are delivered, or will not come.
    fn is_given_up(&self, sequence: u32, now: Mark) -> bool {
        if self.held.len() > HELD_SEGMENTS || self.held_bytes > HELD_BYTES {
            return true;
        }
        match self.acknowledged {
            Some(acknowledged) => acknowledged.wrapping_sub(sequence) as i32 >= 0,
            None => self.held.get(&sequence).is_some_and(|held| now.0.since(held.mark.0) > PATIENCE),
        }
    }

    /// The held segment that is next in sequence space.
    fn nearest(&self) -> Option<u32> {
        let next = self.next?;
        let ahead = self.held.range(next..).next().or_else(|| self.held.first_key_value());
        ahead.map(|(sequence, _)| *sequence)
    }
}
