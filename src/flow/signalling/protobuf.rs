//! Texts in binary messages of protocol buffers, as SFUs send over WebSocket: fields of strings, and of messages in
//! messages, without their names. What is no such message has no field that leads to a text.

/// Messages in messages that are looked into.
const DEPTH: usize = 8;

/// Texts of a message that are kept.
const TEXTS: usize = 256;

/// A word that stands before a text is no longer.
const WORD_BYTES: usize = 16;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

/// A text of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// The text.
    pub text: &'a str,
    /// The short text before it in the same message: of a description, its type.
    pub word: Option<&'a str>,
}

/// The texts of a message that `is_wanted` takes, in their order; none where the bytes are no message.
pub fn texts<'a>(bytes: &'a [u8], is_wanted: impl Fn(&str) -> bool + Copy) -> Vec<Text<'a>> {
    let mut found = Vec::new();
    read(bytes, is_wanted, DEPTH, &mut found);
    found
}

/// Reads a message; tells whether it is one. Texts of what turns out not to be are taken back.
fn read<'a>(bytes: &'a [u8], is_wanted: impl Fn(&str) -> bool + Copy, depth: usize, found: &mut Vec<Text<'a>>) -> bool {
    let known = found.len();
    let (mut rest, mut word) = (bytes, None);
    while !rest.is_empty() {
        let Some((field, behind)) = field(rest) else {
            found.truncate(known);
            return false;
        };
        rest = behind;
        let Some(field) = field else { continue };
        match str::from_utf8(field) {
            Ok(text) if is_wanted(text) && is_text(text) => {
                if found.len() < TEXTS {
                    found.push(Text { text, word });
                }
                word = None;
            }
            Ok(text) if text.len() <= WORD_BYTES && is_text(text) => word = Some(text),
            _ if depth > 0 => {
                read(field, is_wanted, depth - 1, found);
            }
            _ => {}
        }
    }
    true
}

/// The field at the start of some bytes, its content where that may be a text or a message, and what is behind it.
fn field(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (tag, rest) = varint(bytes)?;
    if tag >> 3 == 0 || tag >> 32 != 0 {
        return None;
    }
    match tag & 7 {
        VARINT => varint(rest).map(|(_, rest)| (None, rest)),
        FIXED64 => rest.get(8..).map(|rest| (None, rest)),
        FIXED32 => rest.get(4..).map(|rest| (None, rest)),
        LENGTH_DELIMITED => {
            let (length, rest) = varint(rest)?;
            let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Some(content), rest))
        }
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index).min(63);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// Whether a text has none of the characters that binary data has.
fn is_text(text: &str) -> bool {
    text.chars().all(|letter| !letter.is_control() || letter.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the encoding guide: a varint of 150, the string "testing", and the first inside of another message.
    #[test]
    fn the_examples_of_the_encoding_guide() {
        let testing = [0x12, 7, b't', b'e', b's', b't', b'i', b'n', b'g'];
        assert_eq!(field(&[0x08, 0x96, 1]), Some((None, &[][..])));
        assert_eq!(varint(&[0x96, 1]), Some((150, &[][..])));
        assert_eq!(field(&testing), Some((Some(&b"testing"[..]), &[][..])));
        let inner = [&[0x1a, 3, 0x08, 0x96, 1][..], &testing].concat();
        let outer = [&[0x0a, inner.len() as u8][..], &inner].concat();
        let found = texts(&outer, |text| text == "testing");
        assert_eq!(found, [Text { text: "testing", word: None }]);
    }

    #[test]
    fn what_is_no_message() {
        for bytes in [&b"\x0a\x05abc"[..], b"\x00\x00", b"\x0b\x00", &[0xff; 12], b"\x0a\x03abc\x07"] {
            assert!(texts(bytes, |_| true).is_empty(), "{bytes:?}");
        }
    }
}
