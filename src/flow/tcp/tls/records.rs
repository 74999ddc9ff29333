//! The records in the bytes of one direction of TLS (RFC 8446 section 5.1). Behind bytes that the capture does not have,
//! the length of a record leads to the next one, or else a segment that evidently starts one does.

use crate::crypto::tls::StreamRecord;

/// Bytes before the content of a record.
const HEADER: usize = 5;

/// Bytes of the longest content: what TLS 1.2 allows protection to add to 2^14 (RFC 5246 section 6.2.3).
const LONGEST: usize = (1 << 14) + 2048;

/// Bytes that a buffer may have more than it needs.
const SPARE_BYTES: usize = 4096;

/// The records of one direction.
#[derive(Debug, Default)]
pub struct Records {
    /// Captured bytes, from the start of a record on.
    buffer: Vec<u8>,
    /// Bytes of it that were read.
    taken: usize,
    /// Bytes to come of a record of which some were not captured.
    rest: usize,
    /// Whether it is not known where the next record starts.
    is_lost: bool,
}

/// What is missing behind bytes that were not captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing that was not missing before.
    Nothing,
    /// One record.
    Record,
    /// Nobody knows how many.
    Unknown,
}

impl Records {
    /// Takes the next bytes, a segment's.
    pub fn push(&mut self, bytes: &[u8]) {
        let skipped = self.rest.min(bytes.len());
        self.rest -= skipped;
        let bytes = bytes.get(skipped..).unwrap_or_default();
        if self.is_lost && !starts_record(bytes) {
            return;
        }
        self.is_lost = false;
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// The next record; `None` where more bytes are needed.
    pub fn next(&mut self) -> Option<StreamRecord<'_>> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some((content_type, version, length)) = header(rest) else {
            if rest.len() >= HEADER {
                // Not TLS, or not any more.
                self.lose();
            }
            self.compact();
            return None;
        };
        if rest.len() < HEADER + length {
            self.compact();
            return None;
        }
        let start = self.taken + HEADER;
        self.taken = start + length;
        let content = self.buffer.get(start..start + length)?;
        Some(StreamRecord { content_type, version, content })
    }

    /// Goes on behind `count` bytes that were not captured.
    pub fn skip(&mut self, count: usize) -> Loss {
        if self.is_lost || count == 0 {
            return Loss::Nothing;
        }
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let (needed, loss) = match header(rest) {
            Some((.., length)) => ((HEADER + length).saturating_sub(rest.len()), Loss::Record),
            None if rest.is_empty() => (self.rest, Loss::Nothing),
            None => (0, Loss::Unknown),
        };
        self.clear();
        match needed.checked_sub(count) {
            Some(rest) => {
                self.rest = rest;
                loss
            }
            None => {
                self.lose();
                Loss::Unknown
            }
        }
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    fn lose(&mut self) {
        self.clear();
        self.is_lost = true;
    }

    fn clear(&mut self) {
        self.buffer = Vec::new();
        (self.taken, self.rest) = (0, 0);
    }

    /// Gives back what was read.
    fn compact(&mut self) {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        } else if self.buffer.capacity() > SPARE_BYTES && self.buffer.len() < self.buffer.capacity() / 4 {
            self.buffer.shrink_to(2 * self.buffer.len());
        }
    }
}

/// The content type, version and length of the record that `bytes` start; `None` where they are too few, or start none.
fn header(bytes: &[u8]) -> Option<(u8, u16, usize)> {
    let [content_type @ 20..=24, 3, minor @ 0..=4, high, low, ..] = *bytes else { return None };
    let length = usize::from(u16::from_be_bytes([high, low]));
    (length <= LONGEST).then_some((content_type, u16::from_be_bytes([3, minor]), length))
}

/// Whether a segment evidently starts a record: one that is protected, and no other than a record follows it there.
fn starts_record(bytes: &[u8]) -> bool {
    let Some((_, _, length)) = header(bytes).filter(|(.., length)| *length > 0) else { return false };
    let behind = bytes.get(HEADER + length..).unwrap_or_default();
    behind.len() < HEADER || header(behind).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(content: &[u8]) -> Vec<u8> {
        [&[23, 3, 3][..], &(content.len() as u16).to_be_bytes(), content].concat()
    }

    fn contents(records: &mut Records) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| records.next().map(|record| record.content.to_vec())).collect()
    }

    /// Records of the numbers 0 to 9, 20 bytes each with their headers.
    fn ten() -> Vec<u8> {
        (0..10).flat_map(|number| record(&[number; 15])).collect()
    }

    /// What is read where `missing` bytes behind the first `captured` were not captured, and what is missing.
    fn behind_gap(captured: usize, missing: usize) -> (Vec<u8>, Loss) {
        let (mut records, stream) = (Records::default(), ten());
        records.push(&stream[..captured]);
        let mut found = contents(&mut records);
        let loss = records.skip(missing);
        records.push(&stream[captured + missing..]);
        found.extend(contents(&mut records));
        assert!(found.iter().all(|content| content.len() == 15 && content.iter().all(|byte| *byte == content[0])));
        (found.iter().map(|content| content[0]).collect(), loss)
    }

    #[test]
    fn the_length_of_a_record_leads_over_a_gap_in_it() {
        assert_eq!(behind_gap(25, 15), (vec![0, 2, 3, 4, 5, 6, 7, 8, 9], Loss::Record));
        assert_eq!(behind_gap(30, 3), (vec![0, 2, 3, 4, 5, 6, 7, 8, 9], Loss::Record));
    }

    #[test]
    fn behind_other_gaps_a_segment_that_starts_a_record_goes_on() {
        // Records 1 and 2; record 1 and the start of record 2, whose end starts no record; the header of record 1.
        assert_eq!(behind_gap(20, 40), (vec![0, 3, 4, 5, 6, 7, 8, 9], Loss::Unknown));
        assert_eq!(behind_gap(20, 30), (vec![0], Loss::Unknown));
        assert_eq!(behind_gap(23, 2), (vec![0], Loss::Unknown));
    }

    #[test]
    fn a_second_gap_in_a_record_loses_no_other() {
        let mut records = Records::default();
        let stream = ten();
        records.push(&stream[..8]);
        assert_eq!((contents(&mut records).len(), records.skip(4)), (0, Loss::Record));
        records.push(&stream[12..14]);
        assert_eq!((contents(&mut records).len(), records.skip(6)), (0, Loss::Nothing));
        records.push(&stream[20..]);
        assert_eq!(contents(&mut records).len(), 9);
    }

    #[test]
    fn what_is_no_record_holds_nothing() {
        for header in [[24, 2, 3, 0, 1], [19, 3, 3, 0, 1], [23, 3, 3, 0x48, 1], [23, 3, 5, 0, 1]] {
            let mut records = Records::default();
            records.push(&[&header[..], &[0; 1000]].concat());
            assert_eq!((contents(&mut records).len(), records.held_bytes()), (0, 0), "{header:?}");
            records.push(&record(&[7; 5]));
            assert_eq!(contents(&mut records), [[7; 5]], "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn records_are_the_same_however_they_are_cut(
            lengths in prop::collection::vec(0_usize..300, 1..20),
            size in 1_usize..400,
        ) {
            let sent: Vec<Vec<u8>> = lengths.iter().map(|length| vec![*length as u8; *length]).collect();
            let stream: Vec<u8> = sent.iter().flat_map(|content| record(content)).collect();
            let (mut records, mut found) = (Records::default(), Vec::new());
            for segment in stream.chunks(size) {
                records.push(segment);
                found.extend(contents(&mut records));
            }
            prop_assert_eq!(found, sent);
            prop_assert_eq!(records.held_bytes(), 0);
        }

        #[test]
        fn any_bytes_hold_no_more_than_a_record_and_a_segment(
            steps in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), 0_usize..40), 0..50),
        ) {
            let mut records = Records::default();
            records.push(&[23, 3, 3, 1, 0]);
            for (bytes, gap) in steps {
                records.push(&bytes);
                contents(&mut records);
                records.skip(gap);
                prop_assert!(records.held_bytes() <= 2 * (HEADER + LONGEST) + SPARE_BYTES);
            }
        }
    }
}
