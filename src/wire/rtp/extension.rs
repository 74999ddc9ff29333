//! Header extensions: one-byte and two-byte elements (RFC 8285), and what cryptex hides (RFC 9335).

use crate::wire::{Kind, Layer, Malformed, Reader};

/// A header extension (RFC 3550 section 5.3.1).
#[derive(Clone, Copy, Debug)]
pub struct Extension<'a> {
    /// The 16 bits "defined by profile", which say how `data` is to be read.
    pub profile: u16,
    /// What follows the length.
    pub data: &'a [u8],
    /// Where the extension (its profile word) starts: bytes from the start of the packet.
    pub offset: usize,
}

/// How the data of an extension is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One-byte element headers, profile 0xbede (RFC 8285 section 4.2).
    OneByte,
    /// Two-byte element headers, profile 0x1000 to 0x100f (RFC 8285 section 4.3).
    TwoByte,
    /// One-byte element headers, encrypted, profile 0xc0de (RFC 9335).
    CryptexOneByte,
    /// Two-byte element headers, encrypted, profile 0xc2de (RFC 9335).
    CryptexTwoByte,
    /// Something of its own.
    Other,
}

impl Form {
    /// Whether elements can be read.
    #[must_use]
    pub const fn is_in_clear(self) -> bool {
        matches!(self, Self::OneByte | Self::TwoByte)
    }
}

impl<'a> Extension<'a> {
    /// The profile of elements with headers of one byte (RFC 8285 section 4.2).
    pub const ONE_BYTE: u16 = 0xbede;

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let offset = reader.offset();
        let profile = reader.u16()?;
        let words = reader.u16()?;
        let data = reader.take(usize::from(words) * 4)?;
        Ok(Self { profile, data, offset })
    }

    /// How its data is laid out.
    #[must_use]
    pub const fn form(&self) -> Form {
        match self.profile {
            Self::ONE_BYTE => Form::OneByte,
            0x1000..=0x100f => Form::TwoByte,
            0xc0de => Form::CryptexOneByte,
            0xc2de => Form::CryptexTwoByte,
            _ => Form::Other,
        }
    }

    /// The ids of its elements, one bit for each from 1 to 15; bit 0 stands for all above, which only two bytes can say,
    /// and for extensions of another form. Every packet is asked for these, so the usual case is read here at once.
    #[inline]
    #[must_use]
    pub fn ids(&self) -> u16 {
        if self.form() != Form::OneByte {
            return self.ids_of_elements();
        }
        let (mut rest, mut ids) = (self.data, 0);
        while let [first, after @ ..] = rest {
            let (id, length) = (first >> 4, usize::from(first & 0x0f) + 1);
            rest = match (id, after.get(length..)) {
                _ if *first == 0 => after,
                (1..=14, Some(next)) => {
                    ids |= 1 << id;
                    next
                }
                _ => return self.ids_of_elements(),
            };
        }
        ids
    }

    #[inline(never)]
    fn ids_of_elements(&self) -> u16 {
        match self.form() {
            Form::OneByte | Form::TwoByte => {
                self.elements().fold(0, |ids, element| if element.id < 16 { ids | 1 << element.id } else { ids | 1 })
            }
            _ => 1,
        }
    }

    /// Visits its elements, those of [`Extension::elements`]. For every packet of some streams, so the usual form is read
    /// here at once.
    #[inline]
    pub fn visit(&self, mut visit: impl FnMut(&Element<'a>)) {
        if self.form() != Form::OneByte {
            return self.elements().for_each(|element| visit(&element));
        }
        let mut rest = self.data;
        while let [first, after @ ..] = rest {
            let (id, length) = (first >> 4, usize::from(first & 0x0f) + 1);
            rest = match (id, after.split_at_checked(length)) {
                _ if *first == 0 => after,
                (1..=14, Some((data, next))) => {
                    visit(&Element { id, data, offset: self.offset + 4 + self.data.len() - rest.len() });
                    next
                }
                // An end that is said, or a length that lies.
                _ => return,
            };
        }
    }

    /// Its elements; none where they are encrypted or of another form.
    #[must_use]
    pub fn elements(&self) -> Elements<'a> {
        let form = self.form();
        let data = if matches!(form, Form::OneByte | Form::TwoByte) { self.data } else { &[] };
        let two_byte = form == Form::TwoByte;
        Elements { reader: Reader::new(Layer::Rtp, data), base: self.offset + 4, two_byte, fault: None }
    }
}

/// One element of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The id that SDP maps to a URI (`a=extmap`).
    pub id: u8,
    /// Its data.
    pub data: &'a [u8],
    /// Where the element (its header) starts: bytes from the start of the packet.
    pub offset: usize,
}

/// The elements of an extension, padding left out. It ends at the end, at an id that is
/// reserved to end the reading, or at a length that lies ([`Elements::fault`]).
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    reader: Reader<'a>,
    base: usize,
    two_byte: bool,
    fault: Option<Malformed>,
}

impl Elements<'_> {
    /// What ended the elements before the end; `None` before that and at a good end.
    #[must_use]
    pub const fn fault(&self) -> Option<Malformed> {
        self.fault
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let offset = self.base + self.reader.offset();
            let first = self.reader.u8().ok()?;
            let (id, length) = if self.two_byte { (first, None) } else { (first >> 4, Some((first & 0x0f) + 1)) };
            if first == 0 {
                // A byte of padding, without a length in either form.
                continue;
            }
            // Both are reserved and end the reading: id 15, and id 0 with a length (RFC 8285 section 4.2).
            if !self.two_byte && (id == 15 || id == 0) {
                self.reader.take_rest();
                return None;
            }
            let length = length.map_or_else(|| self.reader.u8(), Ok);
            match length.and_then(|length| self.reader.take(usize::from(length))) {
                Ok(data) => return Some(Element { id, data, offset }),
                Err(_) => {
                    self.fault = Some(Malformed::new(Layer::Rtp, Kind::BadLength, offset));
                    self.reader.take_rest();
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(profile: u16, data: &[u8]) -> (Vec<(u8, Vec<u8>, usize)>, bool) {
        let mut elements = Extension { profile, data, offset: 12 }.elements();
        let list = elements.by_ref().map(|element| (element.id, element.data.to_vec(), element.offset)).collect();
        (list, elements.fault().is_some())
    }

    #[test]
    fn one_byte_of_rfc_8285() {
        // The figure of section 4.2: lengths 1, 2 and 4 with padding between.
        let data = [0x10, 0xaa, 0x21, 0xbb, 0xbc, 0x00, 0x00, 0x33, 0xcc, 0xcd, 0xce, 0xcf];
        let expected = vec![(1, vec![0xaa], 16), (2, vec![0xbb, 0xbc], 18), (3, vec![0xcc, 0xcd, 0xce, 0xcf], 23)];
        assert_eq!(read(0xbede, &data), (expected, false));
    }

    #[test]
    fn two_byte_of_rfc_8285() {
        // The figure of section 4.3: lengths 0, 1 and 4 with padding between.
        let data = [1, 0, 2, 1, 0xbb, 0, 3, 4, 0xcc, 0xcd, 0xce, 0xcf];
        let expected = vec![(1, vec![], 16), (2, vec![0xbb], 18), (3, vec![0xcc, 0xcd, 0xce, 0xcf], 22)];
        assert_eq!(read(0x1000, &data), (expected, false));
    }

    #[test]
    fn ids_are_those_of_the_elements() {
        let ids = |profile, data: &[u8]| Extension { profile, data, offset: 12 }.ids();
        assert_eq!(ids(0xbede, &[0x22, 1, 2, 3, 0x10, 9, 0, 0]), 0b110);
        assert_eq!(ids(0x1000, &[3, 0, 200, 1, 9, 0]), 0b1001);
        assert_eq!(ids(0x1234, &[1, 2, 3, 4]), 1);
        // Whatever the bytes are, it agrees with reading the elements one by one.
        for first in 0..=255 {
            for second in 0..=255 {
                for data in [[0x10, 1, first, second, 5, 0x30], [first, 2, 3, second, 0, 0x51]] {
                    let extension = Extension { profile: 0xbede, data: &data, offset: 12 };
                    assert_eq!(extension.ids(), extension.ids_of_elements(), "{data:x?}");
                    let mut visited = Vec::new();
                    extension.visit(|element| visited.push(*element));
                    assert_eq!(visited, extension.elements().collect::<Vec<_>>(), "{data:x?}");
                }
            }
        }
    }

    #[test]
    fn ends() {
        // Id 15 stops; what follows is not read.
        assert_eq!(read(0xbede, &[0x10, 1, 0xf0, 2, 0x20, 3, 0, 0]), (vec![(1, vec![1], 16)], false));
        assert_eq!(read(0xbede, &[0x10, 1, 0x01, 2, 3, 0x20, 3, 0]), (vec![(1, vec![1], 16)], false));
        // A length beyond the end, in either form.
        assert_eq!(read(0xbede, &[0x10, 1, 0x2f, 3]), (vec![(1, vec![1], 16)], true));
        assert_eq!(read(0x1005, &[1, 9, 0, 0]), (vec![], true));
        // Encrypted, or of another profile.
        assert_eq!(read(0xc0de, &[0x10, 1, 0x20, 3]), (vec![], false));
        assert_eq!(Extension { profile: 0xc2de, data: &[], offset: 0 }.form(), Form::CryptexTwoByte);
        assert_eq!(read(0xabac, &[0x10, 1, 0x20, 3]), (vec![], false));
    }
}
