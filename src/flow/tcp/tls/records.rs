//! The records in the bytes of one direction of TLS (RFC 8446 section 5.1). Behind bytes that the capture does not have,
//! the length of a record leads to the next one, or else a segment that evidently starts one does.

use crate::crypto::tls::StreamRecord;

/// Bytes before the content of a record.
const HEADER: usize = 5;

/// Bytes of the longest content: what TLS 1.2 allows protection to add to 2^14 (RFC 5246 section 6.2.3).
const LONGEST: usize = (1 << 14) + 2048;

/// Bytes that a buffer may have more than it needs.
const SPARE_BYTES: usize = 4096;

/// The records of one direction.
#[derive(Debug, Default)]
pub struct Records {
    /// Captured bytes, from the start of a record on.
    buffer: Vec<u8>,
    /// Bytes of it that were read.
    taken: usize,
    /// Bytes to come of a record of which some were not captured.
    rest: usize,
    /// Whether it is not known where the next record starts.
    is_lost: bool,
}

/// What is missing behind bytes that were not captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing that was not missing before.
    Nothing,
    /// One record.
    Record,
    /// Nobody knows how many.
    Unknown,
}

impl Records {
    /// Takes the next bytes, a segment's.
    pub fn push(&mut self, bytes: &[u8]) {
        let skipped = self.rest.min(bytes.len());
        self.rest -= skipped;
        let bytes = bytes.get(skipped..).unwrap_or_default();
        if self.is_lost && !starts_record(bytes) {
            return;
        }
        self.is_lost = false;
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// The next record; `None` where more bytes are needed.
    pub fn next(&mut self) -> Option<StreamRecord<'_>> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some((content_type, version, length)) = header(rest) else {
            if rest.len() >= HEADER {
                // Not TLS, or not any more.
                self.lose();
            }
            self.compact();
            return None;
        };
        if rest.len() < HEADER + length {
            self.compact();
            return None;
        }
        let start = self.taken + HEADER;
        self.taken = start + length;
        let content = self.buffer.get(start..start + length)?;
        Some(StreamRecord { content_type, version, content })
    }

    /// Goes on behind `count` bytes that were not captured.
    pub fn skip(&mut self, count: usize) -> Loss {
        if self.is_lost || count == 0 {
            return Loss::Nothing;
        }
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let (needed, loss) = match header(rest) {
            Some((.., length)) => ((HEADER + length).saturating_sub(rest.len()), Loss::Record),
            None if rest.is_empty() => (self.rest, Loss::Nothing),
            None => (0, Loss::Unknown),
        };
        self.clear();
        match needed.checked_sub(count) {
            Some(rest) => {
                self.rest = rest;
                loss
            }
            None => {
                self.lose();
                Loss::Unknown
            }
        }
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    fn lose(&mut self) {
        self.clear();
        self.is_lost = true;
    }

    fn clear(&mut self) {
        self.buffer = Vec::new();
        (self.taken, self.rest) = (0, 0);
    }

    /// Gives back what was read.
    fn compact(&mut self) {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        } else if self.buffer.capacity() > SPARE_BYTES && self.buffer.len() < self.buffer.capacity() / 4 {
            self.buffer.shrink_to(2 * self.buffer.len());
        }
    }
}

/// The content type, version and length of the record that `bytes` start; `None` where they are too few, or start none.
fn header(bytes: &[u8]) -> Option<(u8, u16, usize)> {
    let [content_type @ 20..=24, 3, minor @ 0..=4, high, low, ..] = *bytes else { return None };
    let length = usize::from(u16::from_be_bytes([high, low]));
    (length <= LONGEST).then_some((content_type, u16::from_be_bytes([3, minor]), length))
}

/// Whether a segment evidently starts a record: one that is protected, and no other than a record follows it there.
fn starts_record(bytes: &[u8]) -> bool {
    let Some((_, _, length)) = header(bytes).filter(|(.., length)| *length > 0) else { return false };
    let behind = bytes.get(HEADER + length..).unwrap_or_default();
    behind.len() < HEADER || header(behind).is_some()
}
