//! Captures in pcapng (draft-ietf-opsawg-pcapng), little-endian: for packets as they are inside what protected them.

use std::io::Write;

use super::{Error, Sink};
use crate::{time::Timestamp, wire::LinkType};

/// A capture that is being written.
#[derive(Debug)]
pub struct PcapNg<W> {
    sink: Sink<W>,
    interfaces: Vec<(LinkType, String)>,
}

/// A packet as it is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// Its link type; with [`Record::interface`] it makes an interface of the capture.
    pub link_type: LinkType,
    /// The name of the interface.
    pub interface: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
    /// How many there were on the wire, if more.
    pub wire_length: usize,
    /// What should be told about it: nothing where it is empty.
    pub comment: &'a str,
}

impl<W: Write> PcapNg<W> {
    /// Starts a capture.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(mut sink: Sink<W>) -> Result<Self, Error> {
        let mut body = Vec::new();
        body.extend(0x1a2b_3c4d_u32.to_le_bytes());
        // Version 1.0, and a section of unknown length.
        body.extend([1, 0, 0, 0]);
        body.extend(u64::MAX.to_le_bytes());
        options(&[(USER_APPLICATION, b"rtcscope")], &mut body);
        sink.write(&block(SECTION_HEADER, &body))?;
        Ok(Self { sink, interfaces: Vec::new() })
    }

    /// Adds a packet, and ahead of it its interface, where that is new.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let interface = self.interface(record)?;
        let captured = u32::try_from(record.bytes.len()).unwrap_or(u32::MAX);
        let wire_length = u32::try_from(record.wire_length).unwrap_or(u32::MAX).max(captured);
        // Nanoseconds; pcapng has no time before 1970.
        let nanos = u64::try_from(record.at.0).unwrap_or_default();
        let mut body = Vec::with_capacity(record.bytes.len() + 32);
        let fields = [interface, (nanos >> 32) as u32, nanos as u32, captured, wire_length];
        body.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        body.extend(record.bytes);
        pad(&mut body);
        if !record.comment.is_empty() {
            options(&[(COMMENT, record.comment.as_bytes())], &mut body);
        }
        self.sink.write(&block(ENHANCED_PACKET, &body))
    }

    /// The output.
    ///
    /// # Errors
    /// When what is left cannot be written.
    pub fn finish(self) -> Result<W, Error> {
        self.sink.finish()
    }

    /// The number of a packet's interface.
    fn interface(&mut self, record: &Record<'_>) -> Result<u32, Error> {
        let is_it = |(link_type, name): &(LinkType, String)| *link_type == record.link_type && name == record.interface;
        if let Some(number) = self.interfaces.iter().position(is_it) {
            return Ok(number as u32);
        }
        let mut body = Vec::new();
        body.extend(record.link_type.0.to_le_bytes());
        // Reserved; no limit of length.
        body.extend([0; 6]);
        let (nameless, named) = ([NANOSECONDS], [(INTERFACE_NAME, record.interface.as_bytes()), NANOSECONDS]);
        options(if record.interface.is_empty() { &nameless } else { &named }, &mut body);
        self.sink.write(&block(INTERFACE, &body))?;
        self.interfaces.push((record.link_type, record.interface.to_owned()));
        Ok((self.interfaces.len() - 1) as u32)
    }
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = ((body.len() + 12) as u32).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

/// A list of options, and its end.
fn options(options: &[(u16, &[u8])], body: &mut Vec<u8>) {
    for (code, value) in options {
        let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
        body.extend(code.to_le_bytes());
        body.extend((value.len() as u16).to_le_bytes());
        body.extend(value);
        pad(body);
    }
    body.extend([0; 4]);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const USER_APPLICATION: u16 = 4;
/// `if_tsresol`: units of 10^-9 s.
const NANOSECONDS: (u16, &[u8]) = (9, &[9]);

#[cfg(test)]
mod tests {
    use pcap_parser::{Block, PcapNGOption, parse_block_le};

    use super::*;

    #[test]
    fn a_capture() {
        let mut file = PcapNg::create(Sink::new("a.pcapng", Vec::new())).unwrap();
        let first = Record {
            at: Timestamp(1_795_334_314_748_578_123),
            link_type: LinkType::ETHERNET,
            interface: "eth0",
            bytes: &[1, 2, 3, 4, 5],
            wire_length: 9,
            comment: "opened",
        };
        file.write(&first).unwrap();
        file.write(&Record { link_type: LinkType::RAW, interface: "", comment: "", ..first }).unwrap();
        file.write(&first).unwrap();
        let bytes = file.finish().unwrap();
        let mut rest = &bytes[..];
        let mut told = Vec::new();
        while let Ok((after, block)) = parse_block_le(rest) {
            rest = after;
            told.push(describe(&block));
        }
        assert!(rest.is_empty());
        let packet = |interface, comment: &str| {
            format!("packet {interface} 1795334314748578123 [1, 2, 3, 4, 5] of 9 {comment:?}")
        };
        let expected = [
            "section 1.0".to_owned(),
            "interface 1 9 \"eth0\"".to_owned(),
            packet(0, "opened"),
            "interface 101 9 \"\"".to_owned(),
            packet(1, ""),
            packet(0, "opened"),
        ];
        assert_eq!(told, expected);
    }

    fn describe(block: &Block<'_>) -> String {
        let text = |options: &[PcapNGOption<'_>], code: u16| -> String {
            let option = options.iter().find(|option| option.code.0 == code);
            option.map(|option| String::from_utf8_lossy(&option.value[..option.len.into()]).into()).unwrap_or_default()
        };
        match block {
            Block::SectionHeader(header) => format!("section {}.{}", header.major_version, header.minor_version),
            Block::InterfaceDescription(interface) => {
                let name = text(&interface.options, INTERFACE_NAME);
                format!("interface {} {} {name:?}", interface.linktype.0, interface.if_tsresol)
            }
            Block::EnhancedPacket(packet) => format!(
                "packet {} {} {:?} of {} {:?}",
                packet.if_id,
                u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low),
                &packet.data[..packet.caplen as usize],
                packet.origlen,
                text(&packet.options, COMMENT)
            ),
            other => format!("{other:?}"),
        }
    }
}
