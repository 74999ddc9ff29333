//! pcapng: sections of blocks (draft-ietf-opsawg-pcapng).

use crate::{time::Timestamp, wire::Kind};

use super::{
    Frame, Interface, LinkType, MAX_INTERFACES, MAX_SECRETS, MAXIMUM_SNAPLEN, Secrets, Why,
    pcapng_options::{Fields, declaration, statistics},
    timescale::Timescale,
    walker::{Ledger, Order},
};

/// The blocks of a pcapng file: the section that is being read.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    order: Order,
    interfaces: Vec<SectionInterface>,
    /// Bytes still to be passed over of a block that is too long to be looked at.
    pass_over: u64,
    /// The block before had two different lengths; what follows may be no block.
    doubtful: bool,
    /// The time of the last packet that had one.
    last_time: Timestamp,
}

impl Blocks {
    /// Whether the bytes so far end in a block that is being passed over.
    pub const fn is_inside_block(&self) -> bool {
        self.pass_over > 0
    }

    /// Reads whole blocks from the front of `buffer`, which starts `base` bytes into the file.
    pub fn walk(
        &mut self,
        buffer: &[u8],
        base: u64,
        ledger: &mut Ledger,
        interfaces: &mut Vec<Interface>,
        frames: &mut Vec<Frame>,
        limit: usize,
    ) -> usize {
        let mut rest = buffer;
        while frames.len() < limit {
            if self.pass_over > 0 {
                let skipped = usize::try_from(self.pass_over).unwrap_or(usize::MAX).min(rest.len());
                self.pass_over -= skipped as u64;
                rest = rest.get(skipped..).unwrap_or_default();
                if rest.is_empty() {
                    break;
                }
            }
            let Some(start) = rest.first_chunk::<8>() else { break };
            let at = base + (buffer.len() - rest.len()) as u64;
            let [t0, t1, t2, t3, l0, l1, l2, l3] = *start;
            if [t0, t1, t2, t3] == SECTION_HEADER {
                let Some(magic) = rest.get(8..).and_then(|bytes| bytes.first_chunk()) else { break };
                if !self.begin_section(*magic) {
                    ledger.fault(Kind::BadValue, at);
                    ledger.stop_at(Why::Damaged, at);
                    break;
                }
            }
            let block = self.order.u32([t0, t1, t2, t3]);
            let length = self.order.u32([l0, l1, l2, l3]);
            if std::mem::take(&mut self.doubtful) && !looks_like_block(block, length) {
                ledger.stop_at(Why::Damaged, at);
                break;
            }
            if length < SHORTEST_BLOCK {
                ledger.fault(Kind::BadLength, at);
                ledger.stop_at(Why::Damaged, at);
                break;
            }
            // Blocks end on a multiple of four; writers that count without the padding do pad.
            let total = u64::from(length).next_multiple_of(4);
            if total > LARGEST_BLOCK {
                ledger.fault(Kind::TooMany, at);
                self.pass_over = total;
                continue;
            }
            let Some((whole, next)) = rest.split_at_checked(total as usize) else { break };
            let Some((whole, &trailer)) = whole.split_last_chunk() else { break };
            let body = whole.get(8..).unwrap_or_default();
            if block == ENHANCED_PACKET {
                self.enhanced_packet(body, at, ledger, frames);
            } else {
                self.other_block(block, body, at, ledger, interfaces, frames);
            }
            rest = next;
            if self.order.u32(trailer) != length || !length.is_multiple_of(4) {
                ledger.fault(Kind::BadLength, at);
                self.doubtful = true;
            }
            if ledger.stop.is_some() {
                break;
            }
        }
        buffer.len() - rest.len()
    }

    /// Takes the byte order from a section header's magic; the interfaces of the section before are gone.
    fn begin_section(&mut self, magic: [u8; 4]) -> bool {
        self.order = match magic {
            LITTLE_ENDIAN => Order::Little,
            BIG_ENDIAN => Order::Big,
            _ => return false,
        };
        self.interfaces.clear();
        true
    }

    /// Section 4.3: the block that nearly all packets are in.
    fn enhanced_packet(&mut self, body: &[u8], at: u64, ledger: &mut Ledger, frames: &mut Vec<Frame>) {
        ledger.packets += 1;
        let Some((interface, data)) = body.split_first_chunk() else { return ledger.fault(Kind::TooShort, at) };
        let Some((numbers, data)) = data.split_first_chunk() else { return ledger.fault(Kind::TooShort, at) };
        let [high, low, captured, original] = self.order.four(numbers);
        let packet = Packet {
            interface: self.order.u32(*interface),
            ticks: Some(u64::from(high) << 32 | u64::from(low)),
            captured,
            original,
            offset: at + 28,
        };
        self.push(packet, data.len(), at, ledger, frames);
    }

    /// Every other block.
    fn other_block(
        &mut self,
        block: u32,
        body: &[u8],
        at: u64,
        ledger: &mut Ledger,
        interfaces: &mut Vec<Interface>,
        frames: &mut Vec<Frame>,
    ) {
        let mut fields = Fields::new(self.order, body);
        let read = match block {
            SECTION_HEADER_TYPE => self.section_header(&mut fields),
            INTERFACE_DESCRIPTION => self.interface_description(&mut fields, at, ledger, interfaces),
            PACKET => self.packet(&mut fields, at, ledger, frames),
            SIMPLE_PACKET => self.simple_packet(&mut fields, at, ledger, frames),
            INTERFACE_STATISTICS => self.interface_statistics(&mut fields, interfaces),
            DECRYPTION_SECRETS => keep_secrets(&mut fields, at, ledger),
            NAME_RESOLUTION => Ok(()),
            unknown => ledger.unknown_block(unknown),
        };
        match read {
            Ok(()) => {}
            Err(Kind::BadVersion) => {
                ledger.fault(Kind::BadVersion, at);
                ledger.stop_at(Why::Damaged, at);
            }
            Err(kind) => ledger.fault(kind, at),
        }
    }

    /// Section 4.1. The section length is a hint that writers get wrong and nobody needs.
    fn section_header(&self, fields: &mut Fields<'_>) -> Result<(), Kind> {
        let _magic = fields.u32()?;
        match fields.u16()? {
            1 => Ok(()),
            _ => Err(Kind::BadVersion),
        }
    }

    /// Section 4.2.
    fn interface_description(
        &mut self,
        fields: &mut Fields<'_>,
        at: u64,
        ledger: &mut Ledger,
        interfaces: &mut Vec<Interface>,
    ) -> Result<(), Kind> {
        if interfaces.len() >= MAX_INTERFACES {
            return Err(Kind::TooMany);
        }
        let link = LinkType(fields.u16()?);
        fields.u16()?;
        let snaplen = fields.u32()?;
        let (interface, complete) = declaration(fields, ledger.file, self.interfaces.len() as u32, link, snaplen);
        if !complete {
            ledger.fault(Kind::BadLength, at);
        }
        let id = interfaces.len() as u32;
        self.interfaces.push(SectionInterface {
            id,
            link,
            snaplen,
            scale: Timescale::new(interface.resolution, interface.offset_seconds),
        });
        ledger.interfaces.push(id);
        interfaces.push(interface);
        Ok(())
    }

    /// Section 4.4: no time, no interface (it is the first), and a captured length that the snap length tells.
    fn simple_packet(
        &mut self,
        fields: &mut Fields<'_>,
        at: u64,
        ledger: &mut Ledger,
        frames: &mut Vec<Frame>,
    ) -> Result<(), Kind> {
        ledger.packets += 1;
        let original = fields.u32()?;
        let snaplen = self.interfaces.first().map_or(0, |interface| interface.snaplen);
        let kept = if snaplen == 0 { original } else { original.min(snaplen) };
        // Some writers snap without declaring a snap length; the block's own length then says what is there.
        let captured = kept.min(u32::try_from(fields.len()).unwrap_or(u32::MAX));
        ledger.untimed += 1;
        let packet = Packet { interface: 0, ticks: None, captured, original, offset: at + 12 };
        self.push(packet, fields.len(), at, ledger, frames);
        Ok(())
    }

    /// Appendix A: the obsolete Packet Block.
    fn packet(
        &mut self,
        fields: &mut Fields<'_>,
        at: u64,
        ledger: &mut Ledger,
        frames: &mut Vec<Frame>,
    ) -> Result<(), Kind> {
        ledger.packets += 1;
        let interface = u32::from(fields.u16()?);
        let _drops = fields.u16()?;
        let ticks = u64::from(fields.u32()?) << 32 | u64::from(fields.u32()?);
        let (captured, original) = (fields.u32()?, fields.u32()?);
        let packet = Packet { interface, ticks: Some(ticks), captured, original, offset: at + 28 };
        self.push(packet, fields.len(), at, ledger, frames);
        Ok(())
    }

    /// Section 4.6. Its counts are totals since the capture began, so the last block counts.
    fn interface_statistics(&self, fields: &mut Fields<'_>, interfaces: &mut [Interface]) -> Result<(), Kind> {
        let index = fields.u32()? as usize;
        fields.u64()?;
        let interface = self
            .interfaces
            .get(index)
            .and_then(|interface| interfaces.get_mut(interface.id as usize))
            .ok_or(Kind::BadValue)?;
        if statistics(fields, interface) { Ok(()) } else { Err(Kind::BadLength) }
    }

    /// Makes a frame of a packet whose block has `available` bytes for its data and options.
    fn push(&mut self, packet: Packet, available: usize, at: u64, ledger: &mut Ledger, frames: &mut Vec<Frame>) {
        let Some(interface) = self.interfaces.get(packet.interface as usize) else {
            return ledger.fault(Kind::BadValue, at);
        };
        if packet.captured as usize > available || packet.captured > interface.snaplen.max(MAXIMUM_SNAPLEN) {
            return ledger.fault(Kind::BadLength, at);
        }
        if let Some(ticks) = packet.ticks {
            self.last_time = interface.scale.time(ticks);
            // Nanoseconds in 63 bits end in 2262, which a clock says only if its resolution was not declared.
            if matches!(self.last_time, Timestamp(i64::MIN | i64::MAX)) {
                ledger.fault(Kind::BadValue, at);
            }
        }
        frames.push(Frame {
            time: self.last_time,
            number: ledger.packets,
            offset: packet.offset,
            captured: packet.captured,
            original: packet.original.max(packet.captured),
            interface: interface.id,
            file: ledger.file,
            link: interface.link,
        });
    }
}

/// Whether this may be the start of a block, after one whose two lengths differ.
fn looks_like_block(block: u32, length: u32) -> bool {
    block == SECTION_HEADER_TYPE
        || (matches!(block, 1..=DECRYPTION_SECRETS | CUSTOM | CUSTOM_NOT_COPIED)
            && length >= SHORTEST_BLOCK
            && u64::from(length) <= LARGEST_BLOCK)
}

/// Section 4.7: secrets are kept as they are, up to [`MAX_SECRETS`] bytes a file.
fn keep_secrets(fields: &mut Fields<'_>, at: u64, ledger: &mut Ledger) -> Result<(), Kind> {
    let kind = fields.u32()?;
    let length = fields.u32()?;
    let bytes = fields.take(length as usize)?;
    let kept: usize = ledger.secrets.iter().map(|secrets| secrets.bytes.len() + size_of::<Secrets>()).sum();
    if kept + bytes.len() > MAX_SECRETS {
        ledger.fault(Kind::TooMany, at);
    } else {
        ledger.secrets.push(Secrets { kind, bytes: bytes.to_vec() });
    }
    Ok(())
}

/// What a packet block says of its packet, in any of the three forms.
struct Packet {
    interface: u32,
    ticks: Option<u64>,
    captured: u32,
    original: u32,
    offset: u64,
}

/// What packets need of their interface.
#[derive(Debug)]
struct SectionInterface {
    id: u32,
    link: LinkType,
    snaplen: u32,
    scale: Timescale,
}

/// A section header's type, the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// The byte-order magic 0x1A2B3C4D as a little-endian writer has it.
pub(super) const LITTLE_ENDIAN: [u8; 4] = [0x4d, 0x3c, 0x2b, 0x1a];
/// The same of a big-endian writer.
pub(super) const BIG_ENDIAN: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];

const SECTION_HEADER_TYPE: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAME_RESOLUTION: u32 = 4;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 0x0a;
const CUSTOM: u32 = 0x0bad;
const CUSTOM_NOT_COPIED: u32 = 0x4000_0bad;

/// Type, length, and length again.
const SHORTEST_BLOCK: u32 = 12;
/// The largest block that is looked into, Wireshark's bound too; larger ones are passed over.
const LARGEST_BLOCK: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use crate::capture::{
        Resolution, Stop,
        samples::{BIG, LITTLE, small_pcapng, walked},
    };

    use super::*;

    #[test]
    fn every_kind_of_block() {
        let file = small_pcapng();
        let (walker, interfaces, frames) = walked(&file);
        let told: Vec<_> = frames
            .iter()
            .map(|frame| (frame.time.0, frame.number, frame.captured, frame.original, frame.interface, frame.link.0))
            .collect();
        assert_eq!(
            told,
            [
                (1_000_000_000, 1, 96, 100, 0, 1),
                (2_000_000_000, 2, 5, 5, 1, 101),
                (2_000_000_000, 3, 7, 7, 0, 1),
                (3_000_000_000, 4, 3, 3, 0, 1),
                (4_000_000_000, 5, 9, 9, 2, 228),
            ]
        );
        for (frame, byte) in frames.iter().zip(1..) {
            let start = frame.offset as usize;
            assert_eq!(file[start..start + frame.captured as usize], vec![byte; frame.captured as usize]);
        }
        assert_eq!(interfaces[0].name.as_deref(), Some("eth0"));
        assert_eq!((interfaces[0].received, interfaces[0].dropped), (Some(9), Some(2)));
        assert_eq!(interfaces[1].resolution, Resolution::Binary(10));
        assert_eq!((interfaces[2].index, interfaces[2].link), (0, LinkType::IPV4));
        assert_eq!((walker.stop(), walker.faults()), (None, [].as_slice()));
        assert_eq!(walker.ledger().secrets, [Secrets { kind: Secrets::TLS_KEY_LOG, bytes: b"hello".to_vec() }]);
        assert_eq!(walker.ledger().unknown_blocks, [(0x0bad, 1)]);
        assert_eq!(walker.ledger().untimed, 1);
    }

    #[test]
    fn an_undeclared_interface_is_a_fault_of_one_packet() {
        let file = [
            LITTLE.section(),
            LITTLE.interface(1, 0, &[]),
            LITTLE.packet(1, 0, 1, b"a"),
            LITTLE.packet(0, 0, 1, b"b"),
            BIG.section(),
            BIG.packet(0, 0, 1, b"c"),
        ];
        let (walker, _, frames) = walked(&file.concat());
        assert_eq!(frames.iter().map(|frame| frame.number).collect::<Vec<_>>(), [2]);
        let fault = walker.faults()[0];
        assert_eq!((fault.kind, fault.count, fault.first_packet), (Kind::BadValue, 2, 1));
        assert_eq!(walker.packets(), 3);
    }

    #[test]
    fn simple_packets_are_snapped_by_the_interface() {
        let file = [
            BIG.section(),
            BIG.interface(1, 4, &[]),
            BIG.block(3, &[BIG.words(&[100]), vec![1; 4]].concat()),
            BIG.block(3, &[BIG.words(&[2]), vec![1; 2]].concat()),
        ];
        let (walker, _, frames) = walked(&file.concat());
        assert_eq!(frames.iter().map(|frame| (frame.captured, frame.original)).collect::<Vec<_>>(), [(4, 100), (2, 2)]);
        assert_eq!(walker.ledger().untimed, 2);
    }

    #[test]
    fn a_captured_length_over_its_block_is_a_fault_of_one_packet() {
        let mut lying = LITTLE.packet(0, 0, 4, b"abcd");
        lying[20] = 200;
        let file = [LITTLE.section(), LITTLE.interface(1, 0, &[]), lying, LITTLE.packet(0, 0, 1, b"b")];
        let (walker, _, frames) = walked(&file.concat());
        assert_eq!(frames.iter().map(|frame| frame.number).collect::<Vec<_>>(), [2]);
        assert_eq!(walker.faults()[0].kind, Kind::BadLength);
    }

    #[test]
    fn two_lengths_that_differ_are_survived_if_a_block_follows() {
        let head = [LITTLE.section(), LITTLE.interface(1, 0, &[])].concat();
        let mut lying = LITTLE.packet(0, 0, 4, b"abcd");
        let last = lying.len() - 4;
        lying[last] = 99;
        let (walker, _, frames) = walked(&[head.clone(), lying.clone(), LITTLE.packet(0, 0, 1, b"b")].concat());
        assert_eq!((frames.len(), walker.stop(), walker.faults()[0].kind), (2, None, Kind::BadLength));
        let end = (head.len() + lying.len()) as u64;
        let (walker, _, frames) = walked(&[head, lying, vec![0x77; 40]].concat());
        assert_eq!(frames.len(), 1);
        assert_eq!(walker.stop(), Some(Stop { why: Why::Damaged, byte: end, packets: 1 }));
    }

    #[test]
    fn lengths_without_their_padding_are_rounded_up() {
        let mut packet = LITTLE.packet(0, 0, 1, b"a");
        let length = packet.len() as u32 - 3;
        packet[4..8].copy_from_slice(&LITTLE.u32(length));
        let end = packet.len() - 4;
        packet[end..].copy_from_slice(&LITTLE.u32(length));
        let file = [LITTLE.section(), LITTLE.interface(1, 0, &[]), packet, LITTLE.packet(0, 0, 1, b"b")];
        assert_eq!(walked(&file.concat()).2.len(), 2);
    }

    #[test]
    fn enormous_blocks_are_passed_over() {
        let length = (LARGEST_BLOCK + 4) as u32;
        let mut enormous = vec![0; length as usize];
        enormous[..8].copy_from_slice(&LITTLE.words(&[0x0a, length]));
        let file = [LITTLE.section(), LITTLE.interface(1, 0, &[]), enormous, LITTLE.packet(0, 0, 1, b"b")].concat();
        let (walker, _, frames) = walked(&file);
        assert_eq!((frames.len(), walker.stop(), walker.faults()[0].kind), (1, None, Kind::TooMany));
        let (walker, _, frames) = walked(&file[..1000]);
        assert_eq!((frames.len(), walker.stop().map(|stop| stop.why)), (0, Some(Why::Cut)));
    }

    #[test]
    fn too_many_interfaces_do_not_pile_up() {
        let interfaces = LITTLE.interface(1, 0, &[]).repeat(MAX_INTERFACES + 10);
        let file = [LITTLE.section(), interfaces, LITTLE.packet(MAX_INTERFACES as u32, 0, 1, b"b")];
        let (walker, interfaces, frames) = walked(&file.concat());
        assert_eq!((interfaces.len(), frames.len()), (MAX_INTERFACES, 0));
        assert_eq!(
            walker.faults().iter().map(|fault| (fault.kind, fault.count)).collect::<Vec<_>>(),
            [(Kind::TooMany, 10), (Kind::BadValue, 1)]
        );
    }

    #[test]
    fn a_wrong_version_or_magic_later_on_ends_the_file() {
        let mut wrong = LITTLE.section();
        wrong[12] = 2;
        let (walker, ..) = walked(&[small_pcapng(), wrong.clone()].concat());
        assert_eq!(walker.stop().map(|stop| (stop.why, stop.packets)), Some((Why::Damaged, 5)));
        wrong[8] = 0;
        let (walker, ..) = walked(&[small_pcapng(), wrong].concat());
        assert_eq!(walker.stop().map(|stop| (stop.why, stop.packets)), Some((Why::Damaged, 5)));
    }
}
