//! The compressed messages of one direction of a WebSocket (RFC 7692). They may refer back to those before them, of which
//! a capture that starts later does not have all.

use flate2::{Decompress, FlushDecompress, Status};

/// Bytes that are kept of what a message inflates to, and one block.
const KEPT_BYTES: usize = 1 << 20;

/// Bytes that a message may inflate to before the rest of its direction's compressed messages is given up.
const INFLATED_BYTES: usize = 16 << 20;

/// Bytes that inflating takes: its window and tables.
const INFLATER_BYTES: usize = 48 << 10;

/// What a compressed message ends with, and does not send (RFC 7692 section 7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What inflates the messages of one direction.
#[derive(Debug)]
pub struct Inflater {
    window: Option<Box<Decompress>>,
    /// Whether all messages were captured that the next may refer to.
    is_whole: bool,
    is_given_up: bool,
}

/// What a message inflates to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inflated {
    /// Its bytes; of one that is too long only that: more than are looked into.
    pub bytes: Vec<u8>,
    /// Whether it may refer to what was not captured. Such bytes are zeros, which no text has: all others are as they
    /// were sent, so that a text without zeros is what was sent.
    pub has_unknown: bool,
}

impl Inflater {
    /// Of a direction whose messages were captured from the first on, or not.
    pub const fn new(is_whole: bool) -> Self {
        Self { window: None, is_whole, is_given_up: false }
    }

    /// Bytes that are held.
    pub const fn held_bytes(&self) -> usize {
        if self.window.is_some() { INFLATER_BYTES } else { 0 }
    }

    /// Whether no more messages are inflated.
    pub const fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// Goes on behind a message that was not captured: of what later ones refer to, nothing is known.
    pub fn forget(&mut self) {
        (self.window, self.is_whole) = (None, false);
    }

    /// Goes on with a message that refers to none before it.
    pub fn restart(&mut self) {
        (self.window, self.is_whole) = (None, true);
    }

    /// What a message says; an error where it is not compressed as it should.
    pub fn inflate(&mut self, mut bytes: Vec<u8>) -> Result<Inflated, ()> {
        bytes.extend(TAIL);
        let plain = self.inflate_all(&bytes);
        if plain.is_err() {
            self.forget();
        }
        let bytes = plain?;
        let has_unknown = !self.is_whole && bytes.contains(&0);
        Ok(Inflated { bytes, has_unknown })
    }

    fn inflate_all(&mut self, mut input: &[u8]) -> Result<Vec<u8>, ()> {
        let (mut plain, mut total) = (Vec::new(), 0);
        let mut block = [0; 8192];
        loop {
            // Its window is full of zeros.
            let window = self.window.get_or_insert_with(|| Box::new(Decompress::new(false)));
            let (read, written) = (window.total_in(), window.total_out());
            let status = window.decompress(input, &mut block, FlushDecompress::Sync).map_err(drop)?;
            let read = usize::try_from(window.total_in() - read).map_err(drop)?;
            let written = usize::try_from(window.total_out() - written).map_err(drop)?;
            input = input.get(read..).unwrap_or_default();
            total += written;
            if total > INFLATED_BYTES {
                self.is_given_up = true;
                return Err(());
            }
            if plain.len() <= KEPT_BYTES {
                plain.extend_from_slice(block.get(..written).unwrap_or_default());
            }
            if status == Status::StreamEnd {
                // Whether the next block refers to those before this end is up to the sender.
                self.forget();
            }
            if input.is_empty() && written < block.len() || read == 0 && written == 0 {
                return Ok(plain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7692 section 7.2.3: "Hello" alone, the second "Hello" that refers to the first, an uncompressed block, a block
    /// that is the last of its stream, and two blocks.
    #[test]
    fn the_examples_of_the_rfc() {
        let hello = |bytes: &[u8], inflater: &mut Inflater| {
            let found = inflater.inflate(bytes.to_vec()).unwrap();
            (String::from_utf8(found.bytes).unwrap(), found.has_unknown)
        };
        let known = ("Hello".to_owned(), false);
        let mut inflater = Inflater::new(true);
        assert_eq!(hello(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], &mut inflater), known);
        assert_eq!(hello(&[0xf2, 0x00, 0x11, 0x00, 0x00], &mut inflater), known);
        let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
        assert_eq!(hello(&stored, &mut inflater), known);
        assert_eq!(hello(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], &mut inflater), known);
        let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(hello(&two, &mut inflater), known);
        // Without the first of the two, only its first letter is in the second.
        let mut late = Inflater::new(false);
        assert_eq!(hello(&[0xf2, 0x00, 0x11, 0x00, 0x00], &mut late), ("H\0\0\0\0".to_owned(), true));
    }

    #[test]
    fn a_message_that_grows_without_end() {
        let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
        let mut bomb = Vec::with_capacity(1 << 20);
        let zeros = vec![0; 1 << 20];
        for _ in 0..64 {
            compress.compress_vec(&zeros, &mut bomb, flate2::FlushCompress::Sync).unwrap();
        }
        let mut inflater = Inflater::new(true);
        assert_eq!(inflater.inflate(bomb), Err(()));
        assert!(inflater.is_given_up());
        assert_eq!(inflater.held_bytes(), 0);
    }
}
