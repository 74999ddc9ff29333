//! The bytes of a body, gathered to its end or part by part, as long as they are looked into.

/// Bytes of a body, or of a part of one that is read part by part, that are looked into.
pub const BODY_BYTES: usize = 1 << 20;

/// Bytes in which the end of a part may have begun.
const PART_END_BYTES: usize = 3;

/// How a body is looked into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// Not at all.
    #[default]
    No,
    /// When it ended.
    Whole,
    /// As soon as an empty line ends a part of it: server-sent events.
    Events,
    /// As soon as a line ends.
    Lines,
}

/// What there is of a body.
#[derive(Debug)]
pub struct Gathered {
    look: Look,
    bytes: Vec<u8>,
    /// Bytes whose parts were told.
    told: usize,
    /// Bytes behind those in which no part ends.
    unended: usize,
    /// Whether bytes of the body, or of the part of it at hand, are missing.
    is_damaged: bool,
    /// Whether it is longer than is looked into.
    is_oversized: bool,
    oversized: u64,
}

impl Gathered {
    /// Of no body.
    pub const fn new() -> Self {
        Self {
            look: Look::No,
            bytes: Vec::new(),
            told: 0,
            unended: 0,
            is_damaged: false,
            is_oversized: false,
            oversized: 0,
        }
    }

    /// Begins a body, of `stated` bytes where that is known.
    pub fn begin(&mut self, look: Look, stated: u64) {
        self.lose();
        self.look = look;
        if stated > BODY_BYTES as u64 && look == Look::Whole {
            self.give_up();
        }
    }

    /// Whether it is not looked into.
    pub fn is_skipped(&self) -> bool {
        self.look == Look::No
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many were longer than is looked into, since this was asked last.
    pub const fn take_oversized(&mut self) -> u64 {
        std::mem::replace(&mut self.oversized, 0)
    }

    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        match self.look {
            Look::No => {}
            Look::Events | Look::Lines => self.bytes.extend_from_slice(bytes),
            Look::Whole if self.is_oversized || self.is_damaged => {}
            Look::Whole if self.bytes.len() + bytes.len() > BODY_BYTES => self.give_up(),
            Look::Whole => self.bytes.extend_from_slice(bytes),
        }
    }

    /// The next part that ended of a body that is read part by part. Of one that is damaged or too long only the end is
    /// searched for.
    pub fn next_part(&mut self) -> Option<Vec<u8>> {
        if !matches!(self.look, Look::Events | Look::Lines) {
            return None;
        }
        loop {
            let rest = self.bytes.get(self.told..).unwrap_or_default();
            if rest.len() == self.unended {
                return None;
            }
            let Some(end) = part_end(self.look, rest, self.unended) else { break };
            let part = rest.get(..end).unwrap_or_default().to_vec();
            self.told += end;
            self.unended = 0;
            let is_here = !self.is_damaged && !self.is_oversized;
            (self.is_damaged, self.is_oversized) = (false, false);
            if is_here {
                return Some(part);
            }
        }
        self.keep_unended();
        None
    }

    /// Notes that bytes are missing; tells whether they were wanted.
    pub fn damage(&mut self) -> bool {
        let is_news = self.look != Look::No && !self.is_damaged;
        self.is_damaged = true;
        self.clear();
        is_news
    }

    /// Ends the body: its bytes, or those of its last part, where they are wanted, whole and not too many.
    pub fn end(&mut self) -> Option<Vec<u8>> {
        let is_here = self.look != Look::No && !self.is_damaged && !self.is_oversized;
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.drain(..self.told.min(bytes.len()));
        self.lose();
        is_here.then_some(bytes)
    }

    /// Drops what there is.
    pub fn lose(&mut self) {
        *self = Self { oversized: self.oversized, ..Self::new() };
    }

    fn keep_unended(&mut self) {
        self.bytes.drain(..std::mem::take(&mut self.told));
        if self.bytes.len() > BODY_BYTES {
            self.oversized += u64::from(!self.is_oversized && !self.is_damaged);
            self.is_oversized = true;
        }
        if self.is_damaged || self.is_oversized {
            let length = self.bytes.len();
            self.bytes = self.bytes.split_off(length.saturating_sub(PART_END_BYTES));
        } else if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
        self.unended = self.bytes.len();
    }

    fn give_up(&mut self) {
        self.oversized += u64::from(self.look != Look::No && !self.is_oversized);
        self.is_oversized = true;
        self.clear();
    }

    fn clear(&mut self) {
        self.bytes = Vec::new();
        (self.told, self.unended) = (0, 0);
    }
}

/// Where the first part of `bytes` ends, of which the first `known` bytes have no end: behind an empty line, or a line.
/// Line ends of server-sent events are CR LF, LF or CR (HTML section 9.2.5).
fn part_end(look: Look, bytes: &[u8], known: usize) -> Option<usize> {
    let from = known.saturating_sub(PART_END_BYTES);
    let tail = bytes.get(from..)?;
    if look == Look::Lines {
        return tail.iter().position(|byte| *byte == b'\n').map(|at| from + at + 1);
    }
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let mut at = 0;
    while let Some(step) = tail.get(at..)?.iter().position(is_line_end) {
        at += step;
        let length = match tail.get(at..)? {
            [b'\r', b'\n', b'\r', b'\n', ..] => 4,
            [b'\n', b'\r', b'\n', ..] => 3,
            [b'\n', b'\n', ..] | [b'\r', b'\r', ..] => 2,
            _ => 0,
        };
        if length > 0 {
            return Some(from + at + length);
        }
        at += 1;
    }
    None
}
