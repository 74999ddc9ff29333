//! Fields that are not whole bytes.

/// A cursor over bits, the highest of a byte first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The next bits as a number, `f(n)` of the AV1 specification, section 4.10.2; `None` where fewer are left.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.position / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.position % 8) & 1);
            self.position += 1;
        }
        Some(value)
    }

    /// One bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        self.take(1).map(|bit| bit == 1)
    }

    /// A number below `values` in as few bits as it needs, `ns(n)` of the AV1 specification, section 4.10.7.
    pub(super) fn non_symmetric(&mut self, values: u32) -> Option<u32> {
        let width = u32::BITS - values.leading_zeros();
        let shorter = (1_u32.checked_shl(width)?).checked_sub(values)?;
        let value = self.take(width.checked_sub(1)?)?;
        if value < shorter {
            return Some(value);
        }
        Some((value << 1) - shorter + self.take(1)?)
    }

    /// Whether nothing but zeros follows.
    pub(super) fn ends_with_zeros(mut self) -> bool {
        std::iter::from_fn(|| self.take(1)).all(|bit| bit == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let mut bits = Bits::new(&[0b1010_0111, 0b1000_0000]);
        assert_eq!((bits.take(3), bits.flag(), bits.take(5)), (Some(5), Some(false), Some(15)));
        assert!(bits.ends_with_zeros() && bits.take(8).is_none());
    }

    #[test]
    fn non_symmetric_numbers() {
        // The table of section 4.10.7 for n = 5: 0, 1 and 2 take two bits, 3 and 4 three.
        for (bytes, value) in [(0x00, 0), (0x40, 1), (0x80, 2), (0xc0, 3), (0xe0, 4)] {
            assert_eq!(Bits::new(&[bytes]).non_symmetric(5), Some(value));
        }
        assert_eq!(Bits::new(&[]).non_symmetric(1), Some(0));
        assert_eq!(Bits::new(&[]).non_symmetric(0), None);
    }
}
