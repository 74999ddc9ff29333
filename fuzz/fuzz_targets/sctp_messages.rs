//! Any bytes as a list of chunks that fit one another more often than chance would have it: messages put together, given
//! up, and streams reset, in one association that keeps lengths and one that keeps bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    flow::sctp::{Association, Bytes, Content, MAX_CHANNELS, MAX_MESSAGE, Step},
    time::{PacketId, Timestamp},
};

fuzz_target!(|data: &[u8]| {
    let (mut lengths, mut bytes) = (Association::new(), Association::<Bytes>::default());
    let (mut messages, mut fragments, mut kept) = (0, 0, 0);
    let (chunks, _) = data.as_chunks::<8>();
    for (number, spec) in (0_i64..).zip(chunks) {
        let packet = packet(*spec);
        let step = Step { time: Timestamp(number * 1_000_000), packet: PacketId::new(0, number.cast_unsigned()) };
        let direction = spec[0] >> 7;
        let length = packet.len();
        let first = lengths.packet(&packet, length, direction, step.time, step.packet);
        let second = bytes.packet_with(&packet, length, direction, step, &mut |from, message| {
            assert_eq!(from, direction);
            messages += 1;
            fragments += u64::from(message.fragments);
            let length = message.content.length();
            let content = message.content.into_bytes();
            assert_eq!(content.len() as u64, length.min(MAX_MESSAGE as u64));
            kept += length;
        });
        assert_eq!(first, second);
    }
    let (lengths, bytes) = (lengths.finish(), bytes.finish());
    // Of the channels' names fewer bytes may be known where only lengths are kept.
    assert_eq!(lengths.directions, bytes.directions);
    assert!(lengths.channels.len() <= MAX_CHANNELS);
    let sides = &lengths.directions;
    assert_eq!(messages, sides.iter().map(|side| side.messages).sum::<u64>());
    // No fragment is in two messages, and none that was sent again counts.
    let fresh = |side: &rtcscope::flow::sctp::DirectionRecord| {
        side.data_chunks - side.retransmitted_chunks - side.unplaced_chunks
    };
    assert!(fragments <= sides.iter().map(fresh).sum());
    assert!(kept <= sides.iter().map(|side| side.user_bytes).sum());
});

/// A packet of one chunk: which one, and its few numbers, are the spec's.
fn packet([kind, flags, tsn, stream, sequence, fragment, ppid, length]: [u8; 8]) -> Vec<u8> {
    // Some TSNs lie before the wrap.
    let tsn = (u32::from(tsn).wrapping_sub(64)).to_be_bytes();
    let (stream, sequence, fragment) = ([0, stream % 8], u32::from(sequence % 8), u32::from(fragment));
    let word = if flags & 2 != 0 { 50 + u32::from(ppid % 8) } else { fragment };
    let payload = vec![3; usize::from(length % 40)];
    let (kind, value) = match kind & 0x0f {
        0..=4 => (
            0,
            [&tsn[..], &stream, &(sequence as u16).to_be_bytes(), &(50 + u32::from(ppid % 8)).to_be_bytes(), &payload]
                .concat(),
        ),
        5..=9 => (64, [&tsn[..], &stream, &[0; 2], &sequence.to_be_bytes(), &word.to_be_bytes(), &payload].concat()),
        10 => (192, tsn.to_vec()),
        11 => (194, tsn.to_vec()),
        12 => (3, [&tsn[..], &[0, 1, 0, 0, 0, 1, 0, 0, 0, ppid, 0, ppid.saturating_add(length)]].concat()),
        13 => (130, [&[0, 13, 0, 18][..], &[0, 0, 0, sequence as u8], &[0; 8], &stream].concat()),
        14 => (130, [&[0, 16, 0, 12][..], &[0, 0, 0, sequence as u8], &[0, 0, 0, ppid & 1]].concat()),
        _ => (1, [&[0, 0, 0, ppid][..], &[0, 1, 0, 0, 0, 9, 0, 9], &tsn].concat()),
    };
    let mut packet = [&[0x13, 0x88, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 0, kind, flags & 7][..]].concat();
    packet.extend((value.len() as u16 + 4).to_be_bytes());
    packet.extend(value);
    packet.resize(packet.len().next_multiple_of(4), 0);
    packet
}
