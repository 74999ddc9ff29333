//! Containers put together by hand, for tests.

use super::{Frame, Interface, Walker};

/// Numbers in one byte order or the other.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    pub big: bool,
}

impl Writer {
    pub fn u16(self, number: u16) -> [u8; 2] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub fn u32(self, number: u32) -> [u8; 4] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub fn words(self, numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| self.u32(*number)).collect()
    }

    pub fn pcap(self, magic: u32, snaplen: u32, link: u32) -> Vec<u8> {
        [self.u32(magic).to_vec(), self.u16(2).to_vec(), self.u16(4).to_vec(), self.words(&[0, 0, snaplen, link])]
            .concat()
    }

    pub fn record(self, seconds: u32, fraction: u32, original: u32, data: &[u8]) -> Vec<u8> {
        [self.words(&[seconds, fraction, data.len() as u32, original]), data.to_vec()].concat()
    }

    /// A block with its body padded.
    pub fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = body.len() as u32 + 12;
        [self.words(&[kind, length]), body, self.u32(length).to_vec()].concat()
    }

    pub fn section(self) -> Vec<u8> {
        let body = [self.u32(0x1a2b_3c4d).to_vec(), self.u16(1).to_vec(), self.u16(0).to_vec(), vec![0xff; 8]];
        self.block(0x0a0d_0d0a, &body.concat())
    }

    pub fn interface(self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
        let body = [self.u16(link).to_vec(), vec![0; 2], self.u32(snaplen).to_vec(), self.options(options)];
        self.block(1, &body.concat())
    }

    pub fn options(self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.u16(*code));
            bytes.extend(self.u16(value.len() as u16));
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    pub fn packet(self, interface: u32, ticks: u64, original: u32, data: &[u8]) -> Vec<u8> {
        let head = self.words(&[interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, original]);
        self.block(6, &[head, data.to_vec()].concat())
    }
}

pub const LITTLE: Writer = Writer { big: false };
pub const BIG: Writer = Writer { big: true };

/// A pcap file of three frames of 1, 2 and 60 bytes, with seconds 1, 2, 3.
pub fn small_pcap() -> Vec<u8> {
    let records: Vec<u8> = [1_u8, 2, 60]
        .iter()
        .zip(1..)
        .flat_map(|(length, second)| LITTLE.record(second, 0, u32::from(*length), &vec![*length; (*length).into()]))
        .collect();
    [LITTLE.pcap(0xa1b2_c3d4, 65_535, 1), records].concat()
}

/// A pcapng file with every kind of block: 2 sections, 3 interfaces, 5 packets.
pub fn small_pcapng() -> Vec<u8> {
    [
        LITTLE.section(),
        LITTLE.interface(1, 96, &[(2, b"eth0"), (9, &[9])]),
        LITTLE.interface(101, 0, &[(9, &[0x8a])]),
        LITTLE.packet(0, 1_000_000_000, 100, &[1; 96]),
        LITTLE.packet(1, 2048, 5, &[2; 5]),
        LITTLE.block(3, &[LITTLE.words(&[7]), vec![3; 7]].concat()),
        LITTLE.block(2, &[LITTLE.words(&[0, 0, 3_000_000_000, 3, 3]), vec![4; 3]].concat()),
        LITTLE.block(4, &[0; 4]),
        LITTLE.block(0x0a, &[LITTLE.words(&[0x544c_534b, 5]), b"hello".to_vec()].concat()),
        LITTLE.block(0x0bad, &[0; 8]),
        LITTLE.block(
            5,
            &[
                LITTLE.words(&[0, 0, 0]),
                LITTLE.options(&[(4, &[9, 0, 0, 0, 0, 0, 0, 0]), (5, &[2, 0, 0, 0, 0, 0, 0, 0])]),
            ]
            .concat(),
        ),
        BIG.section(),
        BIG.interface(228, 0, &[]),
        BIG.packet(0, 4_000_000, 9, &[5; 9]),
    ]
    .concat()
}

/// What a walk over the whole of `bytes` finds.
pub fn walked(bytes: &[u8]) -> (Walker, Vec<Interface>, Vec<Frame>) {
    let (mut walker, mut interfaces, mut frames) = (Walker::new(0), Vec::new(), Vec::new());
    walker.walk(bytes, true, &mut interfaces, &mut frames, usize::MAX);
    (walker, interfaces, frames)
}
