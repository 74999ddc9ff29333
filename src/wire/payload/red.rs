//! Redundant data (RFC 2198 section 3): blocks of several packets in one, the newest last.

use crate::wire::{Kind, Layer, Malformed, Reader};

/// The blocks of a payload, oldest first; the last is the packet's own.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    headers: Reader<'a>,
    data: Reader<'a>,
}

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The payload type of its data.
    pub payload_type: u8,
    /// How far its timestamp lies before that of the packet, in units of the clock.
    pub timestamp_offset: u16,
    /// Whether it is the packet's own data and no copy of earlier ones.
    pub primary: bool,
    /// The payload.
    pub data: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// Reads the headers of all blocks.
    ///
    /// # Errors
    /// When the headers or the blocks they tell of exceed the payload.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let headers = Reader::new(Layer::Payload, payload);
        let mut data = headers;
        let mut length = 0;
        while data.u8()? & FOLLOWS != 0 {
            length += usize::try_from(data.u24()? & LENGTH).unwrap_or_default();
        }
        if length > data.len() {
            return Err(data.fault(Kind::BadLength));
        }
        Ok(Self { headers, data })
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        let first = self.headers.u8().ok()?;
        let payload_type = first & !FOLLOWS;
        if first & FOLLOWS == 0 {
            self.headers.take_rest();
            return Some(Block { payload_type, timestamp_offset: 0, primary: true, data: self.data.take_rest() });
        }
        let fields = self.headers.u24().ok()?;
        let data = self.data.take((fields & LENGTH) as usize).ok()?;
        Some(Block { payload_type, timestamp_offset: (fields >> 10) as u16, primary: false, data })
    }
}

/// Another block header follows this one.
const FOLLOWS: u8 = 0x80;

/// The length of a block, in the last three bytes of its header.
const LENGTH: u32 = 0x3ff;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blocks() {
        // RFC 2198 section 7: DVI4 now (PT 5), LPC (PT 7) of 20 ms earlier; the LPC block cut to three bytes here.
        let payload = [0x87, 0x02, 0x80, 0x03, 0x05, 1, 2, 3, 4, 5];
        let blocks: Vec<_> = Blocks::parse(&payload).unwrap().collect();
        assert_eq!(
            blocks,
            [
                Block { payload_type: 7, timestamp_offset: 160, primary: false, data: &[1, 2, 3] },
                Block { payload_type: 5, timestamp_offset: 0, primary: true, data: &[4, 5] },
            ]
        );
        assert_eq!(Blocks::parse(&payload[..7]).unwrap_err().kind, Kind::BadLength);
        assert_eq!(Blocks::parse(&[0x87, 0x02]).unwrap_err().kind, Kind::TooShort);
        assert_eq!(Blocks::parse(&[]).unwrap_err().kind, Kind::TooShort);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(blocks) = Blocks::parse(&bytes) {
                let blocks: Vec<_> = blocks.collect();
                prop_assert_eq!(blocks.iter().filter(|block| block.primary).count(), 1);
                let headers = blocks.len() * 4 - 3;
                prop_assert_eq!(headers + blocks.iter().map(|block| block.data.len()).sum::<usize>(), bytes.len());
            }
        }
    }
}
