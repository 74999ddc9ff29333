//! Multicast DNS (RFC 6762) as far as ICE needs it: who asks for the address of a `.local` name, and who answers
//! (draft-ietf-mmusic-mdns-ice-candidates).

use std::{fmt, net::IpAddr};

use crate::wire::{Endpoint, Kind, Layer, Malformed, Reader};

/// Bytes of a header (RFC 1035 section 4.1.1).
const HEADER_LENGTH: usize = 12;

/// Compression pointers that one name may follow; each must also point further back (RFC 1035 section 4.1.4).
const POINTERS: usize = 16;

/// Type A (RFC 1035 section 3.2.2).
pub const TYPE_A: u16 = 1;

/// Type AAAA (RFC 3596).
pub const TYPE_AAAA: u16 = 28;

/// A message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Whether it answers.
    pub is_response: bool,
    questions: u16,
    records: u16,
}

/// A question, or a record that answers one.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The name.
    pub name: Name<'a>,
    /// Its type.
    pub kind: u16,
    /// The address that an A or AAAA record gives; `None` in questions and other records.
    pub address: Option<IpAddr>,
    /// Whether it is a question.
    pub is_question: bool,
}

/// A name: labels that may continue elsewhere in the message.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    message: &'a [u8],
    start: usize,
}

impl<'a> Message<'a> {
    /// Reads the header: a query or an answer of the standard kind (RFC 6762 section 18).
    ///
    /// # Errors
    /// When the bytes are too few, or the header is none of multicast DNS.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Mdns, bytes);
        reader.skip(2)?;
        let flags = reader.u16()?;
        // Opcode and response code must be zero (RFC 6762 sections 18.3 and 18.11).
        if flags & 0x780f != 0 {
            return Err(Malformed::new(Layer::Mdns, Kind::BadValue, 2));
        }
        let [questions, answers, authorities, additional] =
            [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let records = answers.saturating_add(authorities).saturating_add(additional);
        Ok(Self { bytes, is_response: flags & 0x8000 != 0, questions, records })
    }

    /// Questions and records, as far as they can be read.
    #[must_use]
    pub fn entries(&self) -> Entries<'a> {
        let mut reader = Reader::new(Layer::Mdns, self.bytes);
        let is_whole = reader.skip(HEADER_LENGTH).is_ok();
        let (questions, records) = if is_whole { (self.questions, self.records) } else { (0, 0) };
        Entries { message: self.bytes, reader, questions, records }
    }
}

/// The entries of a message. It ends at the first that cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a> {
    message: &'a [u8],
    reader: Reader<'a>,
    questions: u16,
    records: u16,
}

impl<'a> Entries<'a> {
    fn read(&mut self, is_question: bool) -> Result<Entry<'a>, Malformed> {
        let name = Name { message: self.message, start: self.reader.offset() };
        skip_name(&mut self.reader)?;
        let kind = self.reader.u16()?;
        self.reader.skip(2)?;
        if is_question {
            return Ok(Entry { name, kind, address: None, is_question });
        }
        self.reader.skip(4)?;
        let length = usize::from(self.reader.u16()?);
        let mut data = Reader::new(Layer::Mdns, self.reader.take(length)?);
        let address = match kind {
            TYPE_A if length == 4 => Some(Endpoint::v4(data.array()?, 0).ip()),
            TYPE_AAAA if length == 16 => Some(Endpoint::v6(data.array()?, 0).ip()),
            _ => None,
        };
        Ok(Entry { name, kind, address, is_question })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let is_question = self.questions > 0;
        let left = if is_question { &mut self.questions } else { &mut self.records };
        *left = left.checked_sub(1)?;
        let entry = self.read(is_question).ok();
        if entry.is_none() {
            (self.questions, self.records) = (0, 0);
        }
        entry
    }
}

/// Moves behind a name: a pointer ends it (RFC 1035 section 4.1.4).
fn skip_name(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    loop {
        match reader.u8()? {
            0 => return Ok(()),
            length @ 1..=63 => reader.skip(usize::from(length))?,
            192..=255 => return reader.skip(1),
            _ => return Err(reader.fault(Kind::BadValue)),
        }
    }
}

impl<'a> Name<'a> {
    /// Its labels.
    #[must_use]
    pub const fn labels(&self) -> Labels<'a> {
        Labels { message: self.message, at: self.start, pointers: 0 }
    }

    /// Whether its last label is `local` (RFC 6762 section 3).
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.labels().last().is_some_and(|label| label.eq_ignore_ascii_case(b"local"))
    }
}

/// `host.local`, without the dot of the root; what is not UTF-8 is replaced.
impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, label) in self.labels().enumerate() {
            if place > 0 {
                formatter.write_str(".")?;
            }
            for chunk in label.utf8_chunks() {
                formatter.write_str(chunk.valid())?;
                if !chunk.invalid().is_empty() {
                    formatter.write_str("\u{fffd}")?;
                }
            }
        }
        Ok(())
    }
}

/// The labels of a name.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    message: &'a [u8],
    at: usize,
    pointers: usize,
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.message.get(self.at..)?;
            match rest {
                [length @ 1..=63, label @ ..] => {
                    let label = label.get(..usize::from(*length))?;
                    self.at += 1 + label.len();
                    return Some(label);
                }
                [high @ 192..=255, low, ..] => {
                    let target = usize::from(*high & 0x3f) << 8 | usize::from(*low);
                    self.pointers += 1;
                    if target >= self.at || self.pointers > POINTERS {
                        self.at = self.message.len();
                        return None;
                    }
                    self.at = target;
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // RFC 1035 section 4.1.4 shows F.ISI.ARPA, FOO.F.ISI.ARPA, ARPA: the same with `.local`, as an answer.
    fn answer() -> Vec<u8> {
        let mut bytes = b"\0\0\x84\0\0\0\0\x02\0\0\0\0".to_vec();
        bytes.extend(b"\x01f\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\x01\0\x02");
        bytes.extend(b"\x03foo\xc0\x0c\0\x1c\x80\x01\0\0\0\x78\0\x10\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
        bytes
    }

    #[test]
    fn names_and_addresses() {
        let bytes = answer();
        let message = Message::parse(&bytes).unwrap();
        assert!(message.is_response);
        let said: Vec<_> =
            message.entries().map(|entry| (entry.name.to_string(), entry.address.unwrap().to_string())).collect();
        let expected = [("f.local", "10.1.0.2"), ("foo.f.local", "fe80::1")];
        assert_eq!(said, expected.map(|(name, address)| (name.to_owned(), address.to_owned())));
        assert!(message.entries().all(|entry| entry.name.is_local()));
    }

    #[test]
    fn pointers_cannot_loop() {
        let mut bytes = b"\0\0\0\0\0\x01\0\0\0\0\0\0".to_vec();
        bytes.extend(b"\x01a\xc0\x0c\0\x01\0\x01");
        let message = Message::parse(&bytes).unwrap();
        let names: Vec<_> = message.entries().map(|entry| entry.name.labels().count()).collect();
        // The pointer leads back to the label before it: round and round, until the cap.
        assert_eq!(names, [POINTERS + 1]);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), from in 0_usize..60) {
            let broken: Vec<u8> = answer().into_iter().take(from).chain(bytes).collect();
            if let Ok(message) = Message::parse(&broken) {
                for entry in message.entries() {
                    let _ = (entry.name.to_string(), entry.name.is_local());
                }
            }
        }
    }
}
