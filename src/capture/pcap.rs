//! pcap: a header of 24 bytes and records (draft-ietf-opsawg-pcap).

use crate::{
    time::{NANOS_PER_SECOND, Timestamp},
    wire::Kind,
};

use super::{
    Frame, Interface, LinkType, MAXIMUM_SNAPLEN, Resolution, Why,
    walker::{Ledger, Order},
};

/// The file header, read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub order: Order,
    /// The magic number's unit: nanoseconds instead of microseconds.
    pub nanoseconds: bool,
    pub version_minor: u16,
    pub snaplen: u32,
    pub link: LinkType,
}

impl Header {
    /// The one interface of a pcap file.
    pub fn interface(&self, file: u16) -> Interface {
        Interface {
            file,
            index: 0,
            name: None,
            description: None,
            link: self.link,
            snaplen: self.snaplen,
            resolution: Resolution::Decimal(if self.nanoseconds { 9 } else { 6 }),
            offset_seconds: 0,
            received: None,
            dropped: None,
        }
    }

    /// The most bytes that a record of this file can have. libpcap reads nothing over [`MAXIMUM_SNAPLEN`]; a header
    /// that names a larger snap length is believed up to [`LARGEST_RECORD`]. A larger length is a damaged file: the
    /// length is all that leads to the next record, and records have no mark to look for.
    pub const fn maximum(&self) -> u32 {
        if self.snaplen <= MAXIMUM_SNAPLEN {
            MAXIMUM_SNAPLEN
        } else if self.snaplen < LARGEST_RECORD {
            self.snaplen
        } else {
            LARGEST_RECORD
        }
    }
}

/// The records of a pcap file.
#[derive(Debug)]
pub(super) struct Records {
    order: Order,
    nanos_per_tick: i64,
    ticks_per_second: u32,
    swapped_lengths: SwappedLengths,
    snaplen: u32,
    maximum: u32,
    link: LinkType,
    interface: u32,
}

impl Records {
    pub fn new(header: &Header, interface: u32) -> Self {
        let (nanos_per_tick, ticks_per_second) =
            if header.nanoseconds { (1, 1_000_000_000) } else { (1000, 1_000_000) };
        Self {
            order: header.order,
            nanos_per_tick,
            ticks_per_second,
            swapped_lengths: match header.version_minor {
                0..=2 => SwappedLengths::Always,
                3 => SwappedLengths::Perhaps,
                _ => SwappedLengths::Never,
            },
            snaplen: if header.snaplen == 0 { u32::MAX } else { header.snaplen },
            maximum: header.maximum(),
            link: header.link,
            interface,
        }
    }

    /// Reads whole records from the front of `buffer`, which starts `base` bytes into the file.
    pub fn walk(&self, buffer: &[u8], base: u64, ledger: &mut Ledger, frames: &mut Vec<Frame>, limit: usize) -> usize {
        let mut rest = buffer;
        while frames.len() < limit {
            let Some((header, after)) = rest.split_first_chunk() else { break };
            let [seconds, fraction, first_length, second_length] = self.order.four(header);
            let (captured, original) = self.swapped_lengths.in_order(first_length, second_length);
            let record = base + (buffer.len() - rest.len()) as u64;
            if captured > self.maximum {
                ledger.fault(Kind::BadLength, record);
                ledger.stop_at(Why::Damaged, record);
                break;
            }
            let Some(next) = after.get(captured as usize..) else { break };
            ledger.packets += 1;
            if captured > self.snaplen || fraction >= self.ticks_per_second {
                ledger.fault(Kind::BadValue, record);
            }
            frames.push(Frame {
                // At most 2^32 * 10^9 + 2^32 * 1000, which 63 bits hold.
                time: Timestamp(i64::from(seconds) * NANOS_PER_SECOND + i64::from(fraction) * self.nanos_per_tick),
                number: ledger.packets,
                offset: record + RECORD_HEADER,
                captured,
                original: original.max(captured),
                interface: self.interface,
                file: ledger.file,
                link: self.link,
            });
            rest = next;
        }
        buffer.len() - rest.len()
    }
}

/// Versions before 2.3 had the original length first, and 2.3 was written both ways; libpcap reads them like this.
#[derive(Clone, Copy, Debug)]
enum SwappedLengths {
    Never,
    Always,
    Perhaps,
}

impl SwappedLengths {
    const fn in_order(self, first: u32, second: u32) -> (u32, u32) {
        match self {
            Self::Never => (first, second),
            Self::Always => (second, first),
            Self::Perhaps => {
                if first > second {
                    (second, first)
                } else {
                    (first, second)
                }
            }
        }
    }
}

/// Seconds, fraction, captured and original length.
const RECORD_HEADER: u64 = 16;

/// The largest record that is believed, whatever the header says: that of Wireshark's largest pcapng block.
const LARGEST_RECORD: u32 = 16 << 20;

#[cfg(test)]
mod tests {
    use crate::capture::{
        Stop,
        samples::{BIG, LITTLE, small_pcap, walked},
    };

    use super::*;

    #[test]
    fn both_byte_orders_and_both_units() {
        for writer in [LITTLE, BIG] {
            for (magic, nanos) in [(0xa1b2_c3d4, 1_000_005_000), (0xa1b2_3c4d, 1_000_000_005)] {
                let file = [writer.pcap(magic, 100, 113), writer.record(1, 5, 70, b"abc")].concat();
                let (walker, interfaces, frames) = walked(&file);
                let [frame] = frames[..] else { panic!("{frames:?}") };
                assert_eq!(frame.time, Timestamp(nanos));
                assert_eq!((frame.number, frame.captured, frame.original), (1, 3, 70));
                assert_eq!((frame.offset, frame.link, frame.interface), (40, LinkType::LINUX_SLL, 0));
                assert_eq!((interfaces.len(), interfaces[0].snaplen), (1, 100));
                assert_eq!((walker.stop(), walker.faults().len()), (None, 0));
            }
        }
    }

    #[test]
    fn a_header_alone_is_an_empty_capture() {
        let (walker, interfaces, frames) = walked(&LITTLE.pcap(0xa1b2_c3d4, 65_535, 1));
        assert_eq!((interfaces.len(), frames.len(), walker.stop()), (1, 0, None));
    }

    #[test]
    fn frame_check_sequence_bits_are_no_link_type() {
        let (_, interfaces, _) = walked(&LITTLE.pcap(0xa1b2_c3d4, 65_535, 0x4400_0001));
        assert_eq!(interfaces[0].link, LinkType::ETHERNET);
    }

    #[test]
    fn a_cut_record_is_not_delivered() {
        let file = small_pcap();
        let (walker, _, frames) = walked(&file[..file.len() - 1]);
        assert_eq!(frames.len(), 2);
        assert_eq!(walker.stop(), Some(Stop { why: Why::Cut, byte: 24 + 17 + 18, packets: 2 }));
    }

    #[test]
    fn an_absurd_length_ends_the_file() {
        let mut file = small_pcap();
        file.extend(LITTLE.words(&[4, 0, 300_000, 300_000]));
        file.extend(vec![0; 400_000]);
        let (walker, _, frames) = walked(&file);
        assert_eq!(frames.len(), 3);
        assert_eq!(walker.stop().map(|stop| (stop.why, stop.packets)), Some((Why::Damaged, 3)));
        assert_eq!(walker.faults()[0].kind, Kind::BadLength);
    }

    #[test]
    fn a_declared_snap_length_makes_long_records_good() {
        let file = [LITTLE.pcap(0xa1b2_c3d4, 400_000, 1), LITTLE.record(4, 0, 300_000, &vec![0; 300_000])].concat();
        let (walker, _, frames) = walked(&file);
        assert_eq!((frames.len(), walker.stop()), (1, None));
    }

    #[test]
    fn longer_than_the_snap_length_and_longer_than_the_original() {
        let file = [LITTLE.pcap(0xa1b2_c3d4, 2, 1), LITTLE.record(1, 0, 1, b"abc")].concat();
        let (walker, _, frames) = walked(&file);
        assert_eq!((frames[0].captured, frames[0].original), (3, 3));
        assert_eq!(walker.faults()[0].kind, Kind::BadValue);
    }

    #[test]
    fn a_fraction_over_a_second_is_carried() {
        let file = [LITTLE.pcap(0xa1b2_3c4d, 0, 1), LITTLE.record(u32::MAX, u32::MAX, 1, b"a")].concat();
        let (walker, _, frames) = walked(&file);
        assert_eq!(frames[0].time, Timestamp(4_294_967_295_000_000_000 + 4_294_967_295));
        assert_eq!((walker.faults()[0].kind, walker.faults()[0].first_packet), (Kind::BadValue, 1));
    }

    #[test]
    fn old_versions_have_the_lengths_the_other_way_round() {
        let mut file = [LITTLE.pcap(0xa1b2_c3d4, 100, 1), LITTLE.words(&[1, 0, 70, 3]), b"abc".to_vec()].concat();
        file[6] = 3;
        let (_, _, frames) = walked(&file);
        assert_eq!((frames[0].captured, frames[0].original), (3, 70));
    }
}
