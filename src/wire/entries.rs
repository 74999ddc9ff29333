//! Lists of entries of one fixed size, the most frequent shape in RTCP and SCTP.

use std::marker::PhantomData;

use super::{Malformed, Reader};

/// A list entry that always takes the same number of bytes.
pub trait Entry: Sized {
    /// Bytes an entry takes.
    const SIZE: usize;

    /// Reads one entry.
    ///
    /// # Errors
    /// When fewer than [`Self::SIZE`] bytes are left.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// An iterator over the entries that are really there, whatever a count field said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entries<'a, T> {
    reader: Reader<'a>,
    entry: PhantomData<T>,
}

impl<'a, T: Entry> Entries<'a, T> {
    /// All whole entries in what `reader` has left; the reader is at its end afterwards.
    pub(crate) fn all(reader: &mut Reader<'a>) -> Self {
        let whole = reader.len() / T::SIZE * T::SIZE;
        let entries = Self { reader: reader.sub(whole).unwrap_or(*reader), entry: PhantomData };
        reader.take_rest();
        entries
    }

    /// The next `count` entries, or as many whole ones as there are. The reader moves past them.
    pub(crate) fn counted(reader: &mut Reader<'a>, count: usize) -> Self {
        let whole = count.min(reader.len() / T::SIZE) * T::SIZE;
        Self { reader: reader.sub(whole).unwrap_or(*reader), entry: PhantomData }
    }
}

impl<T: Entry> Iterator for Entries<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        T::read(&mut self.reader).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.reader.len() / T::SIZE;
        (count, Some(count))
    }
}

impl<T: Entry> ExactSizeIterator for Entries<'_, T> {}

impl Entry for u16 {
    const SIZE: usize = 2;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.u16()
    }
}

impl Entry for u32 {
    const SIZE: usize = 4;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.u32()
    }
}
