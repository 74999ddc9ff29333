//! Lists of 16-bit words: cipher suites, groups, attribute types.

/// The big-endian 16-bit words of a byte list. An odd byte at the end is not read; whoever made the list checked it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// The words of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl Iterator for Words<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*word))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len() / 2, Some(self.0.len() / 2))
    }
}

impl ExactSizeIterator for Words<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_byte_is_left() {
        assert_eq!(Words::new(&[0xc0, 0x2b, 0x13, 0x01, 0xff]).collect::<Vec<_>>(), [0xc02b, 0x1301]);
        assert_eq!(Words::new(&[7]).len(), 0);
    }
}
