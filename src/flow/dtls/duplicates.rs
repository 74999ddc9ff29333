//! Records that the network delivered twice. What DTLS sends again has a new record number (RFC 6347 section 4.2.4), so
//! that the same bytes under the same number are a copy.

use crate::wire::dtls::{Header, Record, content_type};

/// Records that are remembered. A handshake of fragments has some dozens.
const RECORDS: usize = 64;

/// What tells a record: its sender, its epoch and number, and the CRC-32 of its content.
type Name = (u8, u16, u64, u32);

/// The latest records of a flow's handshakes.
#[derive(Clone, Debug, Default)]
pub struct Duplicates {
    names: Vec<Name>,
    next: usize,
}

impl Duplicates {
    /// Whether `direction` sent this record before. Application data is not looked at, nor what the capture cut.
    #[inline]
    pub fn is_again(&mut self, record: &Record<'_>, direction: u8) -> bool {
        let (epoch, sequence) = match record.header {
            Header::Plain { content_type: content_type::APPLICATION_DATA | content_type::TLS12_CID, .. } => {
                return false;
            }
            Header::Plain { epoch, sequence, .. } => (epoch, sequence),
            // The number is encrypted with a mask that the ciphertext gives: equal is equal.
            Header::Unified { epoch: 2, sequence: Some(sequence), .. } => (2, u64::from(sequence)),
            Header::Unified { .. } => return false,
        };
        record.content.len() == record.length && self.note((direction, epoch, sequence, super::crc32(record.content)))
    }

    fn note(&mut self, name: Name) -> bool {
        if self.names.contains(&name) {
            return true;
        }
        match self.names.get_mut(self.next) {
            Some(oldest) => *oldest = name,
            None => self.names.push(name),
        }
        self.next = (self.next + 1) % RECORDS;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64, content: &[u8]) -> Record<'_> {
        let header = Header::Plain { content_type: content_type::HANDSHAKE, version: 0xfefd, epoch: 0, sequence };
        Record { offset: 0, header_length: 13, header, length: content.len(), content }
    }

    #[test]
    fn the_same_bytes_under_the_same_number() {
        let mut duplicates = Duplicates::default();
        assert!(!duplicates.is_again(&record(1, &[7; 40]), 0));
        assert!(!duplicates.is_again(&record(2, &[7; 40]), 0));
        assert!(!duplicates.is_again(&record(1, &[8; 40]), 0));
        assert!(!duplicates.is_again(&record(1, &[7; 40]), 1));
        assert!(duplicates.is_again(&record(1, &[7; 40]), 0));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut duplicates = Duplicates::default();
        for sequence in 0..1000 {
            assert!(!duplicates.is_again(&record(sequence, &[7; 40]), 0));
        }
        assert_eq!(duplicates.names.len(), RECORDS);
        assert!(duplicates.is_again(&record(999, &[7; 40]), 0) && !duplicates.is_again(&record(0, &[7; 40]), 0));
    }
}
