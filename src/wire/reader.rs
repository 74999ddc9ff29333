//! The cursor that owns every bounds check of `wire/`.

use super::{Kind, Layer, Malformed};

/// A cursor over borrowed bytes. Reading past the end is a [`Malformed`] of [`Kind::TooShort`] at the place where the
/// bytes ran out, never a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader<'a> {
    rest: &'a [u8],
    layer: Layer,
    length: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `bytes`; faults will be reported as `layer`'s.
    #[must_use]
    pub const fn new(layer: Layer, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, layer, length: bytes.len() }
    }

    /// One byte.
    ///
    /// # Errors
    /// When none is left.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    /// Two bytes in network order.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three bytes in network order.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u24(&mut self) -> Result<u32, Malformed> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// Four bytes in network order.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// Six bytes in network order.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u48(&mut self) -> Result<u64, Malformed> {
        self.array().map(|[a, b, c, d, e, f]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// Eight bytes in network order.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.rest.split_first_chunk().ok_or_else(|| self.fault(Kind::TooShort))?;
        self.rest = tail;
        Ok(*head)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or_else(|| self.fault(Kind::TooShort))?;
        self.rest = tail;
        Ok(head)
    }

    /// A cursor over the next `count` bytes; this one moves past them.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn sub(&mut self, count: usize) -> Result<Self, Malformed> {
        self.take(count).map(|bytes| Self::new(self.layer, bytes))
    }

    /// Moves past `count` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        self.take(count).map(|_| ())
    }

    /// All bytes that are left; the cursor is at the end afterwards.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// All bytes that are left, without moving.
    #[must_use]
    pub const fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte, without moving.
    #[must_use]
    pub fn peek_u8(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether no byte is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes from the start of the slice to the cursor.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// A fault of `kind` at the cursor.
    #[must_use]
    pub const fn fault(&self, kind: Kind) -> Malformed {
        Malformed::new(self.layer, kind, self.offset())
    }
}
