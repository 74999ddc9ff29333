//! What H.264 and H.265 share: pieces of NAL units, and bits among which emulation prevention stands.

/// A NAL unit, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// `nal_unit_type`.
    pub kind: u8,
    /// The unit's header where it does not stand in `data`: at the start of a fragmented unit. One byte in H.264, two in
    /// H.265.
    pub header: Option<[u8; 2]>,
    /// Bytes of the unit; its header included, where the unit is whole.
    pub data: &'a [u8],
    /// Whether the unit starts here.
    pub starts: bool,
    /// Whether it ends here.
    pub ends: bool,
}

/// The size of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resolution {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A cursor over the bits of a NAL unit's payload: a 3 behind two zero bytes is no part of it (ITU-T H.264 section
/// 7.4.1, H.265 section 7.4.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Rbsp<'a> {
    bytes: &'a [u8],
    zeros: u32,
    current: u8,
    left: u32,
}

impl<'a> Rbsp<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, zeros: 0, current: 0, left: 0 }
    }

    /// The next byte that is no emulation prevention.
    fn next_byte(&mut self) -> Option<u8> {
        loop {
            let (first, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            if self.zeros >= 2 && *first == 3 {
                self.zeros = 0;
                continue;
            }
            self.zeros = if *first == 0 { self.zeros + 1 } else { 0 };
            return Some(*first);
        }
    }

    /// One bit, `u(1)`.
    pub(super) fn flag(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.current = self.next_byte()?;
            self.left = 8;
        }
        self.left -= 1;
        Some(self.current >> self.left & 1 == 1)
    }

    /// Up to 32 bits as a number, `u(n)`.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.flag()?;
        }
        Some(())
    }

    /// A number in Exp-Golomb code, `ue(v)` (ITU-T H.264 section 9.1). `se(v)` takes as many bits.
    pub(super) fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    /// The same, signed.
    pub(super) fn signed_exp_golomb(&mut self) -> Option<i64> {
        let code = i64::from(self.exp_golomb()?);
        Some(if code % 2 == 0 { -(code / 2) } else { (code + 1) / 2 })
    }
}

/// The size that is left of `coded` when a window cuts `(left, right, top, bottom)` in units of `unit`.
pub(super) fn cropped(coded: (u32, u32), window: [u32; 4], unit: (u32, u32)) -> Option<Resolution> {
    let [left, right, top, bottom] = window;
    let cut = |length: u32, one: u32, other: u32, unit: u32| {
        length.checked_sub(one.checked_add(other)?.checked_mul(unit)?).filter(|length| (1..=1 << 16).contains(length))
    };
    Some(Resolution { width: cut(coded.0, left, right, unit.0)?, height: cut(coded.1, top, bottom, unit.1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_of_h264() {
        // ITU-T H.264 table 9-2 and 9-3: 1 010 011 00100 00101 are 0 to 4, signed 0, 1, -1, 2, -2.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = Rbsp::new(&bytes);
        assert_eq!(std::iter::repeat_with(|| bits.exp_golomb().unwrap()).take(5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        let mut bits = Rbsp::new(&bytes);
        let signed: Vec<_> = std::iter::repeat_with(|| bits.signed_exp_golomb().unwrap()).take(5).collect();
        assert_eq!(signed, [0, 1, -1, 2, -2]);
        assert_eq!(Rbsp::new(&[0; 9]).exp_golomb(), None);
        assert_eq!(Rbsp::new(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).exp_golomb(), Some(u32::MAX - 1));
    }

    #[test]
    fn emulation_prevention() {
        let mut bits = Rbsp::new(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]);
        assert_eq!((bits.take(24), bits.take(32)), (Some(1), Some(0)));
        assert_eq!(bits.take(1), None);
    }

    #[test]
    fn windows() {
        assert_eq!(cropped((1920, 1088), [0, 0, 0, 4], (2, 2)), Some(Resolution { width: 1920, height: 1080 }));
        assert_eq!(cropped((16, 16), [4, 4, 0, 0], (2, 2)), None);
        assert_eq!(cropped((16, 16), [u32::MAX, 1, 0, 0], (2, 2)), None);
    }
}
