//! The parts of a ciphertext record of DTLS 1.3 (RFC 9147 section 4, figure 3).

use super::{Failure, covered::Covered};
use crate::wire::dtls::{Header, Record};

/// A ciphertext record in parts.
pub struct Ciphertext<'a> {
    /// The first byte of the header: `0b001CSLEE`.
    first: u8,
    connection_id: &'a [u8],
    /// The record number as it was sent, encrypted.
    number: u16,
    /// Bits of it: 8 or 16.
    pub number_bits: u32,
    length: Option<[u8; 2]>,
    /// The low two bits of the epoch.
    pub epoch: u64,
    /// The ciphertext and its tag.
    pub content: &'a [u8],
    /// Bytes behind the record, which the connection id hid.
    pub behind: usize,
}

impl<'a> Ciphertext<'a> {
    /// Reads a record with a unified header; where it has a connection id, one of so many bytes.
    pub fn read(record: &Record<'a>, id_length: usize) -> Result<Self, Failure> {
        let Header::Unified { connection_id: has_id, long_sequence, has_length, epoch, sequence } = record.header
        else {
            return Err(Failure::NoSecret);
        };
        let flags = [(has_id, 0x10), (long_sequence, 0x08), (has_length, 0x04)];
        let first =
            flags.into_iter().fold(0x20 | epoch, |first, (is_set, bit)| if is_set { first | bit } else { first });
        let mut ciphertext = Self {
            first,
            connection_id: &[],
            number: sequence.unwrap_or_default(),
            number_bits: if long_sequence { 16 } else { 8 },
            length: u16::try_from(record.length).ok().filter(|_| has_length).map(u16::to_be_bytes),
            epoch: u64::from(epoch),
            content: record.content,
            behind: 0,
        };
        if has_id {
            let read = ciphertext.read_behind_id(id_length, has_length);
            read.ok_or(if record.is_cut() { Failure::Cut } else { Failure::TooShort })?;
        }
        // Behind an id with a length it was seen whole, or not read.
        if record.is_cut() && !(has_id && has_length) {
            return Err(Failure::Cut);
        }
        Ok(ciphertext)
    }

    /// Reads what the connection id hid: the number, the length and where the record ends.
    fn read_behind_id(&mut self, id_length: usize, has_length: bool) -> Option<()> {
        let mut rest;
        (self.connection_id, rest) = self.content.split_at_checked(id_length)?;
        let number;
        (number, rest) = rest.split_at_checked(if self.number_bits == 16 { 2 } else { 1 })?;
        self.number = number.iter().fold(0, |number, byte| number << 8 | u16::from(*byte));
        if has_length {
            let length;
            (length, rest) = rest.split_first_chunk()?;
            self.length = Some(*length);
            let behind;
            (rest, behind) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            self.behind = behind.len();
        }
        self.content = rest;
        Some(())
    }

    /// The low bits of the record number, decrypted (RFC 9147 section 4.2.3).
    pub const fn low_bits(&self, mask: [u8; 2]) -> u16 {
        let mask = u16::from_be_bytes(mask);
        self.number ^ if self.number_bits == 16 { mask } else { mask >> 8 }
    }

    /// The header as the tag covers it: with the record number decrypted.
    pub fn header(&self, low_bits: u16) -> Covered {
        let mut covered = Covered::new();
        covered.push(&[self.first]);
        covered.push(self.connection_id);
        let number = low_bits.to_be_bytes();
        let sent = if self.number_bits == 16 { 0 } else { 1 };
        covered.push(number.get(sent..).unwrap_or_default());
        covered.push(self.length.as_ref().map_or(&[], |length| length));
        covered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dtls::records;

    fn read(bytes: &[u8], id_length: usize) -> Result<Ciphertext<'_>, Failure> {
        let record = records(bytes, bytes.len()).next().unwrap().unwrap();
        Ciphertext::read(&record, id_length)
    }

    /// All forms of figure 3 of RFC 9147: with a number of two bytes or one, with and without a length.
    #[test]
    fn headers() {
        for (bytes, covered) in [
            (&[0x2f, 0xab, 0xcd, 0, 2, 7, 8][..], &[0x2f, 0xaa, 0xcf, 0, 2][..]),
            (&[0x2a, 0xab, 0xcd, 7, 8], &[0x2a, 0xaa, 0xcf]),
            (&[0x25, 0xab, 0, 2, 7, 8], &[0x25, 0xaa, 0, 2]),
            (&[0x20, 0xab, 7, 8], &[0x20, 0xaa]),
        ] {
            let ciphertext = read(bytes, 0).unwrap();
            let low = ciphertext.low_bits([1, 2]);
            assert_eq!((ciphertext.header(low).bytes(), ciphertext.content), (covered, &[7, 8][..]));
            assert_eq!((ciphertext.epoch, ciphertext.behind), (u64::from(bytes[0] & 3), 0));
        }
    }

    #[test]
    fn headers_with_a_connection_id() {
        let long = [0x3f, 9, 9, 9, 0xab, 0xcd, 0, 2, 7, 8, 0x20];
        let ciphertext = read(&long, 3).unwrap();
        assert_eq!((ciphertext.content, ciphertext.behind, ciphertext.number_bits), (&[7, 8][..], 1, 16));
        assert_eq!(ciphertext.header(0x1234).bytes(), [0x3f, 9, 9, 9, 0x12, 0x34, 0, 2]);
        let short = [0x31, 9, 0xab, 7, 8];
        let ciphertext = read(&short, 1).unwrap();
        assert_eq!((ciphertext.content, ciphertext.low_bits([0xff, 0])), (&[7, 8][..], 0x54));
        assert_eq!(ciphertext.header(0x54).bytes(), [0x31, 9, 0x54]);
        assert_eq!(read(&long[..9], 3).err(), Some(Failure::TooShort));
        assert_eq!(read(&long, 200).err(), Some(Failure::TooShort));
    }
}
