use proptest::prelude::*;

use super::*;

const MILLISECOND: i64 = 1_000_000;

/// A packet of one chunk, its checksum left at 0.
fn packet(tag: u32, kind: u8, flags: u8, value: &[u32]) -> Vec<u8> {
    let length = u32::try_from(value.len() * 4 + 4).unwrap();
    let chunk = u32::from(kind) << 24 | u32::from(flags) << 16 | length;
    let words = [0x1388_1388, tag, 0, chunk].into_iter().chain(value.iter().copied());
    words.flat_map(u32::to_be_bytes).collect()
}

fn init(kind: u8, tag: u32, initiate_tag: u32, tsn: u32) -> Vec<u8> {
    packet(tag, kind, 0, &[initiate_tag, 100_000, 0x000a_000a, tsn])
}

fn data(tag: u32, tsn: u32) -> Vec<u8> {
    packet(tag, 0, 3, &[tsn, 0x0001_0000, 53, 0xaabb_ccdd])
}

fn sack(tag: u32, tsn: u32, window: u32) -> Vec<u8> {
    packet(tag, 3, 0, &[tsn, window, 0])
}

/// Feeds packets (direction, bytes), a millisecond apart.
fn feed(packets: &[(u8, Vec<u8>)]) -> SctpRecord {
    let mut association = Association::new();
    for (at, (direction, bytes)) in packets.iter().enumerate() {
        let time = Timestamp(at as i64 * MILLISECOND);
        association.packet(bytes, bytes.len(), *direction, time, PacketId::new(0, at as u64 + 1)).unwrap();
    }
    association.finish()
}

#[test]
fn an_association_from_handshake_to_end() {
    let record = feed(&[
        (0, init(1, 0, 0xa, 10)),
        (1, init(2, 0xa, 0xb, 20)),
        (0, packet(0xb, 10, 0, &[1, 2])),
        (1, packet(0xa, 11, 0, &[])),
        (0, data(0xb, 10)),
        (0, data(0xb, 11)),
        (1, sack(0xa, 10, 50_000)),
        (0, data(0xb, 11)),
        (1, sack(0xa, 11, 0)),
        (0, packet(0xb, 4, 0, &[7])),
        (1, packet(0xa, 5, 0, &[7])),
        (1, packet(0xa, 7, 0, &[11])),
        (0, packet(0xb, 8, 0, &[])),
        (1, packet(0xa, 14, 0, &[])),
    ]);
    let [a, b] = &record.directions;
    assert_eq!((record.state, record.associations, record.restarts), (State::Closed, 1, 0));
    assert_eq!(record.init, Some((0, Step { time: Timestamp(0), packet: PacketId::new(0, 1) })));
    assert_eq!(record.cookie_ack, Some(Step { time: Timestamp(3 * MILLISECOND), packet: PacketId::new(0, 4) }));
    assert_eq!(record.shutdown, Some((1, Step { time: Timestamp(11 * MILLISECOND), packet: PacketId::new(0, 12) })));
    assert_eq!((a.data_chunks, a.retransmitted_chunks, a.user_bytes, a.retransmitted_bytes), (3, 1, 8, 4));
    // The second TSN was sent twice: only the first has a round trip.
    let trip = RoundTrips { count: 1, min: 2 * MILLISECOND, max: 2 * MILLISECOND, total: 2 * MILLISECOND };
    assert_eq!(a.data_round_trips, trip);
    assert_eq!(a.heartbeat_round_trips.total, MILLISECOND);
    assert_eq!((b.receiver_window_min, b.receiver_window_max, b.zero_windows), (Some(0), Some(100_000), 1));
    assert_eq!((a.verification_tag, a.initiate_tag, b.initiate_tag), (Some(0xb), Some(0xa), Some(0xb)));
    let used = StreamUse { stream: 1, payload_protocol: 53, chunks: 2, messages: 2, bytes: 8, unordered: false };
    assert_eq!(a.streams, [used]);
    assert_eq!(a.zero_checksums, a.packets);
    assert_eq!((a.messages, a.tsns, b.tsns), (2, Some([10, 11]), None));
}

#[test]
fn restarts_are_told_from_repetitions_and_successors() {
    let opened = |tag: u32| [(0, init(1, 0, tag, 10)), (1, init(2, tag, tag + 1, 20)), (0, data(tag + 1, 10))];
    let repeated = feed(&[(0, init(1, 0, 0xa, 10)), (0, init(1, 0, 0xa, 10)), (1, init(1, 0, 0xb, 20))]);
    assert_eq!((repeated.associations, repeated.restarts, repeated.init_retransmissions), (1, 0, 1));
    let restarted = feed(&[opened(0xa), opened(0x1a)].concat());
    assert_eq!((restarted.associations, restarted.restarts), (2, 1));
    // The new association may use the same TSNs.
    assert_eq!(restarted.directions[0].retransmitted_chunks, 0);
    let end = [(1, packet(0xa, 6, 0, &[]))];
    let successor = feed(&[&opened(0xa)[..], &end, &opened(0x1a)].concat());
    assert_eq!((successor.associations, successor.restarts, successor.aborts), (2, 0, 1));
    assert_eq!((successor.state, successor.reached), (State::Established, State::Aborted));
}

#[test]
fn an_abort_is_kept_with_its_text() {
    let reason = [0x000c_0008, u32::from_be_bytes(*b"bye!")];
    let record = feed(&[(0, data(1, 1)), (1, packet(2, 6, 0, &reason))]);
    let at = Step { time: Timestamp(MILLISECOND), packet: PacketId::new(0, 2) };
    assert_eq!(record.first_aborts, [Abort { direction: 1, at, cause: Some(12), text: Some("bye!".into()) }]);
    assert_eq!(record.associations, 0);
}

/// INIT or INIT ACK with parameters.
fn init_with(kind: u8, tag: u32, parameters: &[u32]) -> Vec<u8> {
    packet(tag, kind, 0, &[&[0xa, 100_000, 0x000a_000a, 10], parameters].concat())
}

#[test]
fn zero_checksums_are_allowed_where_they_were_asked_for() {
    // Only the second end accepts checksums of zero, by DTLS; both take I-DATA, and only the second FORWARD TSN.
    let record = feed(&[
        (0, init_with(1, 0, &[0x8008_0006, 0x8240_0000])),
        (1, init_with(2, 0xa, &[0x8001_0008, 1, 0x8008_0006, 0x4082_0000, 0xc000_0004])),
        (0, packet(0xb, 10, 0, &[1])),
        (1, packet(0xa, 11, 0, &[])),
        (0, data(0xb, 10)),
        (1, sack(0xa, 10, 1)),
    ]);
    let [a, b] = &record.directions;
    // Of the first end: INIT and COOKIE ECHO have to have one. Of the second: all.
    assert_eq!((a.zero_checksums, a.zero_checksums_unagreed), (3, 2));
    assert_eq!((b.zero_checksums, b.zero_checksums_unagreed), (3, 3));
    assert_eq!((a.interleaving, b.interleaving), (Some(true), Some(true)));
    assert_eq!((a.partial_reliability, b.partial_reliability), (Some(false), Some(true)));
    // Chromium lists FORWARD TSN (192) among its chunks alone.
    let listed = feed(&[(0, init_with(1, 0, &[0x8008_0008, 0x82c0_40c2]))]);
    assert_eq!(listed.directions[0].partial_reliability, Some(true));
    let unknown = feed(&[(0, data(1, 1))]);
    assert_eq!((unknown.directions[0].zero_checksums_unagreed, unknown.directions[0].interleaving), (0, None));
}

#[test]
fn messages_are_handed_out() {
    let mut association = Association::<Bytes>::default();
    let mut found = Vec::new();
    let step = Step { time: Timestamp(0), packet: PacketId::new(0, 1) };
    for (direction, bytes) in [(0, data(1, 7)), (1, data(1, 7)), (1, data(1, 7))] {
        let mut sink = |direction, message: Message<Bytes>| found.push((direction, message.content.into_bytes()));
        association.packet_with(&bytes, bytes.len(), direction, step, &mut sink).unwrap();
    }
    assert_eq!(found, [(0, vec![0xaa, 0xbb, 0xcc, 0xdd]), (1, vec![0xaa, 0xbb, 0xcc, 0xdd])]);
}

#[test]
fn lists_have_a_cap() {
    let packets: Vec<_> = (0..100).map(|n| (0, packet(1, 0, 3, &[n, n << 16, 53]))).collect();
    let record = feed(&packets);
    assert_eq!(record.directions[0].streams.len(), MAX_STREAMS);
    assert_eq!(record.directions[0].streams_refused, 100 - MAX_STREAMS as u64);
}

#[test]
fn what_is_cut_is_counted_and_reported() {
    let mut association = Association::new();
    let mut bytes = data(1, 1);
    bytes[15] = 0xff;
    assert!(association.packet(&bytes, bytes.len(), 0, Timestamp(0), PacketId::new(0, 1)).is_err());
    assert!(association.packet(&bytes[..11], 300, 0, Timestamp(0), PacketId::new(0, 2)).is_err());
    let record = association.finish();
    assert_eq!((record.directions[0].packets, record.directions[0].data_chunks), (1, 1));
}

proptest! {
    #[test]
    fn any_packets_are_survived(
        packets in proptest::collection::vec((any::<bool>(), any::<i64>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..80)), 0..20)
    ) {
        let mut association = Association::new();
        for (direction, time, kind, mut bytes) in packets {
            if let Some(first) = bytes.get_mut(12) {
                *first = kind % 16;
            }
            let _ = association.packet(&bytes, bytes.len() + 3, direction.into(), Timestamp(time), PacketId::new(0, 1));
        }
        let _ = association.finish();
    }
}
