//! Telephone events (RFC 4733 section 2.3).

use crate::wire::{Layer, Malformed, Reader};

/// One event: a key that is pressed, or a tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event's code: 0 to 9, 10 for `*`, 11 for `#`, 12 to 15 for A to D, 16 for flash.
    pub code: u8,
    /// The event is over.
    pub end: bool,
    /// The power, in dBm0 below zero.
    pub volume: u8,
    /// How long it has lasted from the packet's timestamp on, in units of that.
    pub duration: u16,
}

impl Event {
    /// Reads the first event of a payload.
    ///
    /// # Errors
    /// When there are fewer than four bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Payload, bytes);
        let (code, flags, duration) = (reader.u8()?, reader.u8()?, reader.u16()?);
        Ok(Self { code, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        // Digit 9 at -7 dBm0, 1,600 units long, ended: by hand from RFC 4733 figure 1.
        let event = Event::parse(&[9, 0x87, 0x06, 0x40]).unwrap();
        assert_eq!(event, Event { code: 9, end: true, volume: 7, duration: 1600 });
        assert!(Event::parse(&[9, 0x87, 6]).is_err());
    }
}
