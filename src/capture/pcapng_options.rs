//! The option-rich blocks of pcapng: fields in the section's byte order, and options (section 3.5).

use crate::wire::{Kind, Layer, Malformed, Reader};

use super::{Interface, LinkType, Resolution, walker::Order};

/// A cursor over a block's body. Bounds are [`Reader`]'s; what it adds is the byte order.
pub(super) struct Fields<'a> {
    order: Order,
    reader: Reader<'a>,
}

impl<'a> Fields<'a> {
    pub const fn new(order: Order, body: &'a [u8]) -> Self {
        Self { order, reader: Reader::new(Layer::Container, body) }
    }

    pub const fn len(&self) -> usize {
        self.reader.len()
    }

    pub fn u16(&mut self) -> Result<u16, Kind> {
        self.reader.array().map(|bytes| self.order.u16(bytes)).map_err(kind)
    }

    pub fn u32(&mut self) -> Result<u32, Kind> {
        self.reader.array().map(|bytes| self.order.u32(bytes)).map_err(kind)
    }

    pub fn u64(&mut self) -> Result<u64, Kind> {
        self.reader.array().map(|bytes| self.order.u64(bytes)).map_err(kind)
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Kind> {
        self.reader.take(count).map_err(kind)
    }

    /// The next option: code and value. `Ok(None)` at the end of the list or of the block.
    fn option(&mut self) -> Result<Option<(u16, &'a [u8])>, Kind> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let (code, length) = (self.u16()?, self.u16()?);
        if code == END_OF_OPTIONS {
            return Ok(None);
        }
        let value = self.take(length.into())?;
        // The last value may lack its padding where the block is cut by a wrong length.
        let padding = usize::from(length).next_multiple_of(4) - usize::from(length);
        self.take(padding.min(self.len()))?;
        Ok(Some((code, value)))
    }

    /// Hands every option to `each`; whether the list was well formed.
    fn options(&mut self, mut each: impl FnMut(u16, &[u8])) -> bool {
        loop {
            match self.option() {
                Ok(Some((code, value))) => each(code, value),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }
}

fn kind(fault: Malformed) -> Kind {
    fault.kind
}

/// An Interface Description Block from its options on (section 4.2), and whether they were well formed.
pub(super) fn declaration(
    fields: &mut Fields<'_>,
    file: u16,
    index: u32,
    link: LinkType,
    snaplen: u32,
) -> (Interface, bool) {
    let order = fields.order;
    let mut interface = Interface {
        file,
        index,
        name: None,
        description: None,
        link,
        snaplen,
        resolution: Resolution::Decimal(6),
        offset_seconds: 0,
        received: None,
        dropped: None,
    };
    let complete = fields.options(|code, value| match (code, value) {
        (IF_NAME, text) => interface.name = words(text),
        (IF_DESCRIPTION, text) => interface.description = words(text),
        (IF_TSRESOL, &[resolution, ..]) => {
            let exponent = resolution & 0x7f;
            interface.resolution =
                if resolution & 0x80 == 0 { Resolution::Decimal(exponent) } else { Resolution::Binary(exponent) };
        }
        (IF_TSOFFSET, value) => {
            if let Some(offset) = value.first_chunk() {
                interface.offset_seconds = order.u64(*offset).cast_signed();
            }
        }
        _ => {}
    });
    (interface, complete)
}

/// Puts the counts of an Interface Statistics Block into `interface`; whether its options were well formed.
pub(super) fn statistics(fields: &mut Fields<'_>, interface: &mut Interface) -> bool {
    let order = fields.order;
    let (mut by_interface, mut by_system) = (None, None);
    let complete = fields.options(|code, value| {
        let number = value.first_chunk().map(|bytes| order.u64(*bytes));
        match code {
            ISB_IFRECV => interface.received = number.or(interface.received),
            ISB_IFDROP => by_interface = number,
            ISB_OSDROP => by_system = number,
            _ => {}
        }
    });
    if by_interface.is_some() || by_system.is_some() {
        interface.dropped = Some(by_interface.unwrap_or(0).saturating_add(by_system.unwrap_or(0)));
    }
    complete
}

/// A text option: UTF-8 by the book, at most [`LONGEST_TEXT`] bytes of it. `None` where it is empty.
fn words(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value.get(..LONGEST_TEXT).unwrap_or(value));
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

const END_OF_OPTIONS: u16 = 0;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;

/// Bytes kept of a name or description.
const LONGEST_TEXT: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(options: &[u8]) -> (Interface, bool) {
        declaration(&mut Fields::new(Order::Little, options), 0, 0, LinkType::ETHERNET, 0)
    }

    #[test]
    fn options_of_an_interface() {
        let mut options = vec![2, 0, 4, 0, b'e', b't', b'h', b'0'];
        options.extend([9, 0, 1, 0, 0x8a, 0, 0, 0]);
        options.extend([14, 0, 8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        let (interface, complete) = declared(&options);
        assert!(complete);
        assert_eq!(interface.name.as_deref(), Some("eth0"));
        assert_eq!(interface.resolution, Resolution::Binary(10));
        assert_eq!(interface.resolution.ticks_per_second(), Some(1024));
        assert_eq!(interface.offset_seconds, -1);
    }

    #[test]
    fn options_that_run_over_keep_what_was_read() {
        let (interface, complete) = declared(&[2, 0, 3, 0, b'l', b'o', b'0', 0, 3, 0, 200, 0, 1, 2]);
        assert!(!complete);
        assert_eq!(interface.name.as_deref(), Some("lo0"));
    }

    #[test]
    fn options_of_no_length_do_not_hold_up() {
        let (interface, complete) = declared(&[9, 0, 0, 0, 14, 0, 0, 0, 2, 0, 0, 0]);
        assert!(complete);
        assert_eq!((interface.name, interface.resolution), (None, Resolution::Decimal(6)));
    }
}
