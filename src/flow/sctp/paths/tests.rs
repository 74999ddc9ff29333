use super::*;
use crate::{
    flow::sctp::{Association, Step},
    time::{PacketId, Timestamp},
};

/// A packet with a DATA chunk of one message on stream 1.
fn data(tag: u32, tsn: u32) -> Vec<u8> {
    [0x1388_1389, tag, 0, 0x0003_0014, tsn, 0x0001_0000, 53, 0xaabb_ccdd]
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .collect()
}

/// The TSNs that each direction sends from `start` on, a nanosecond apart. Tags are 7 and 8, ports 5000 and 5001.
fn record(start: i64, packets: &[(u8, u32)]) -> SctpRecord {
    let mut association = Association::new();
    for (time, &(direction, tsn)) in (start..).zip(packets) {
        let mut bytes = data(7 + u32::from(direction), tsn);
        if direction == 1 {
            bytes[..4].rotate_left(2);
        }
        let id = PacketId::new(0, time.unsigned_abs());
        association.packet(&bytes, bytes.len(), direction, Timestamp(time), id).unwrap();
    }
    association.finish()
}

#[test]
fn the_rest_a_copy_and_another() {
    let first = record(1, &[(0, u32::MAX), (1, 9), (0, 0), (1, 10), (0, 1), (0, 2)]);
    // The last chunk is sent again on the new path.
    let rest = record(20, &[(0, 2), (0, 3), (0, 4), (1, 11)]);
    assert_eq!(first.relation(&rest), Relation::Rest);
    let copy = record(2, &[(0, u32::MAX), (1, 9), (0, 0), (1, 10), (0, 1), (0, 2)]);
    assert_eq!((first.relation(&copy), first.relation(&first)), (Relation::Copy, Relation::Copy));
    assert_eq!(first.relation(&record(3, &[(0, 0), (0, 1)])), Relation::Copy);
    assert_eq!(first.relation(&rest.turned()), Relation::Other);
    let mut other = rest.clone();
    other.directions[1].verification_tag = Some(99);
    assert_eq!(first.relation(&other), Relation::Other);
    let mut opened = rest.clone();
    opened.init = Some((0, Step { time: Timestamp(19), packet: PacketId::new(0, 19) }));
    assert_eq!(first.relation(&opened), Relation::Other);
    // A second address that is only kept alive.
    let mut quiet = record(3, &[(0, 9)]);
    quiet.directions[0].tsns = None;
    assert_eq!((first.relation(&quiet), quiet.relation(&quiet)), (Relation::Rest, Relation::Rest));
    assert_eq!(first.relation(&SctpRecord::default()), Relation::Other);
    assert_eq!(rest.turned().turned(), rest);
}

#[test]
fn sums_over_two_paths() {
    let mut whole = record(1, &[(0, 1), (1, 9), (0, 2)]);
    whole.append(record(20, &[(0, 3), (1, 10), (0, 4), (0, 4)]));
    let [a, b] = &whole.directions;
    assert_eq!((a.packets, a.data_chunks, a.messages, a.user_bytes, a.retransmitted_chunks), (5, 5, 4, 16, 1));
    assert_eq!((b.packets, b.messages, a.tsns, b.tsns), (2, 2, Some([1, 4]), Some([9, 10])));
    assert_eq!((a.chunks.as_slice(), a.streams.len(), a.streams[0].messages), (&[(0, 5)][..], 1, 4));
    let [channel] = &whole.channels[..] else { panic!("{:?}", whole.channels) };
    assert_eq!((channel.carried[0].messages, channel.carried[1].bytes), (4, 8));
    let last = Step { time: Timestamp(23), packet: PacketId::new(0, 23) };
    assert_eq!((whole.last, a.last, whole.ports), (Some(last), Some(last), [5000, 5001]));
}
