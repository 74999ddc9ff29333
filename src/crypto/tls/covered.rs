//! The bytes that a record's tag or MAC covers beside its content.

/// Most of them: a pseudo-header with a connection id of 255 bytes (RFC 9146 section 5.3).
const LONGEST: usize = 278;

/// Bytes put together, without a place in memory of their own for each record.
pub struct Covered {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Covered {
    pub const fn new() -> Self {
        Self { bytes: [0; LONGEST], length: 0 }
    }

    /// Adds bytes. There is room for all parts of a header: no connection id is longer than a hello can ask for.
    pub fn push(&mut self, bytes: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *place = *byte;
            self.length += 1;
        }
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
