use super::*;
use crate::{
    flow::sctp::{Association, SctpRecord},
    time::{PacketId, Timestamp},
};

/// A packet of one chunk whose value is `value`.
fn packet(kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = [&[0x13, 0x88, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 0, kind, flags][..]].concat();
    bytes.extend((value.len() as u16 + 4).to_be_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn init(tag: u32) -> Vec<u8> {
    packet(1, 0, &[&tag.to_be_bytes()[..], &[0, 1, 0, 0, 0, 9, 0, 9], &10_u32.to_be_bytes()].concat())
}

fn data(tsn: u32, stream: u16, ppid: u32, payload: &[u8]) -> Vec<u8> {
    packet(0, 3, &[&tsn.to_be_bytes()[..], &stream.to_be_bytes(), &[0, 0], &ppid.to_be_bytes(), payload].concat())
}

fn open(tsn: u32, stream: u16, label: &[u8]) -> Vec<u8> {
    let head = [3, 0x81, 1, 0, 0, 0, 0, 2, 0, label.len() as u8, 0, 1];
    data(tsn, stream, 50, &[&head[..], label, b"p"].concat())
}

/// RE-CONFIG with a request to reset streams of the sender's.
fn reset(request: u32, streams: &[u16]) -> Vec<u8> {
    let mut value = [13_u16.to_be_bytes(), (streams.len() as u16 * 2 + 16).to_be_bytes()].concat();
    value.extend([request, 0, 0].map(u32::to_be_bytes).concat());
    value.extend(streams.iter().flat_map(|stream| stream.to_be_bytes()));
    packet(130, 0, &value)
}

fn response(request: u32, result: u32) -> Vec<u8> {
    packet(130, 0, &[&[0, 16, 0, 12][..], &request.to_be_bytes(), &result.to_be_bytes()].concat())
}

/// Feeds packets, a nanosecond and a number apart, from 1.
fn feed(packets: &[(u8, Vec<u8>)]) -> SctpRecord {
    let mut association = Association::new();
    for (at, (direction, bytes)) in (1..).zip(packets) {
        association.packet(bytes, bytes.len(), *direction, Timestamp(at), PacketId::new(0, at as u64)).unwrap();
    }
    association.finish()
}

fn at(packet: u64) -> Step {
    Step { time: Timestamp(packet as i64), packet: PacketId::new(0, packet) }
}

#[test]
fn from_open_to_close() {
    let record = feed(&[
        (0, init(7)),
        (0, open(10, 1, b"chat")),
        (0, data(11, 1, 51, b"hello")),
        (1, data(20, 1, 50, &[2])),
        (1, data(21, 1, 53, b"abc")),
        (1, data(22, 1, 56, &[0])),
        (1, data(22, 1, 56, &[0])),
        (1, data(23, 1, 52, b"part")),
        (1, data(24, 1, 53, b"end")),
        (1, reset(5, &[3, 1])),
        (0, response(5, 6)),
        (1, reset(5, &[3, 1])),
        (0, response(5, 1)),
        (0, reset(6, &[1])),
        (1, response(6, 1)),
        (0, open(12, 1, b"next")),
        (0, reset(7, &[])),
    ]);
    let [channel, next] = &record.channels[..] else { panic!("{:?}", record.channels) };
    let opening = channel.opening.as_ref().unwrap();
    assert_eq!((opening.direction, opening.at, opening.priority), (0, at(2), 256));
    assert_eq!((opening.label.as_str(), opening.protocol.as_str()), ("chat", "p"));
    assert_eq!((opening.ordered, opening.reliability), (false, Reliability::Retransmissions(2)));
    assert_eq!((channel.acknowledged, channel.from_start), (Some(at(4)), true));
    let [from, to] = channel.carried;
    assert_eq!((from.messages, from.strings, from.bytes, from.first), (1, 1, 5, Some(at(3))));
    assert_eq!((to.messages, to.strings, to.bytes, to.retransmitted_chunks), (3, 1, 10, 1));
    assert_eq!((to.first, to.last), (Some(at(5)), Some(at(9))));
    assert_eq!((channel.closing, channel.closed()), (Some((1, at(10))), Some(at(15))));
    // The stream serves another channel.
    assert_eq!(next.opening.as_ref().unwrap().label, "next");
    assert_eq!((next.closing, next.closed(), next.acknowledged), (Some((0, at(17))), None, None));
}

#[test]
fn channels_without_an_opening() {
    let agreed = feed(&[(0, init(7)), (0, data(10, 4, 53, b"abc")), (1, data(1, 4, 51, b"a"))]);
    assert_eq!((agreed.channels.len(), agreed.channels[0].from_start), (1, true));
    let late = feed(&[(0, data(10, 4, 53, b"abc"))]);
    assert!(!late.channels[0].from_start && late.channels[0].opening.is_none());
    // Other payload protocols are no data channels.
    assert!(feed(&[(0, data(10, 4, 46, b"Diameter"))]).channels.is_empty());
}

#[test]
fn a_new_association_has_channels_of_its_own() {
    let record = feed(&[
        (0, init(7)),
        (0, open(10, 1, b"one")),
        (0, init(8)),
        (0, data(10, 1, 53, b"a")),
        (0, data(11, 1, 53, b"b")),
    ]);
    let messages: Vec<_> = record.channels.iter().map(|channel| channel.carried[0].messages).collect();
    assert_eq!((messages, record.restarts), (vec![0, 2], 1));
}

#[test]
fn an_opening_in_fragments() {
    let whole = [&[3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0][..], &[b'x'; 256]].concat();
    let fragment = |tsn: u32, flags, payload: &[u8]| {
        packet(0, flags, &[&tsn.to_be_bytes()[..], &[0, 2, 0, 0, 0, 0, 0, 50], payload].concat())
    };
    let record = feed(&[(1, fragment(11, 1, &whole[100..])), (1, fragment(10, 2, &whole[..100]))]);
    let opening = record.channels[0].opening.as_ref().unwrap();
    assert_eq!((opening.label.len(), opening.direction, opening.ordered), (256, 1, true));
    assert_eq!(opening.reliability, Reliability::Reliable);
}

#[test]
fn given_up_messages_are_counted_by_channel() {
    let sack = |cumulative: u32, gaps: &[[u8; 4]]| {
        let counts = [0, gaps.len() as u8, 0, 0];
        packet(3, 0, &[&cumulative.to_be_bytes()[..], &[0, 1, 0, 0], &counts, &gaps.concat()].concat())
    };
    let fragment =
        |tsn: u32, flags| packet(0, flags, &[&tsn.to_be_bytes()[..], &[0, 3, 0, 0, 0, 0, 0, 53, 1]].concat());
    let forward = |tsn: u32| packet(192, 0, &tsn.to_be_bytes());
    let record = feed(&[
        (0, data(10, 1, 53, b"a")),
        (0, data(11, 1, 53, b"b")),
        (0, data(12, 1, 53, b"c")),
        (0, fragment(13, 2)),
        (0, fragment(14, 0)),
        // 10 has come, and 12.
        (1, sack(10, &[[0, 2, 0, 2]])),
        (0, forward(14)),
        (0, forward(14)),
        (0, fragment(15, 1)),
    ]);
    assert_eq!((record.directions[0].forward_tsns, record.directions[0].abandoned_messages), (2, 2));
    assert_eq!(record.directions[0].first_abandoned, Some(at(7)));
    // Stream 3 never had a whole message, so it is no channel that is known.
    assert_eq!(record.channels.len(), 1);
    assert_eq!((record.channels[0].carried[0].messages, record.channels[0].carried[0].abandoned), (3, 1));
    // The last fragment of what was given up makes nothing whole.
    assert_eq!((record.directions[0].messages, record.directions[0].unfinished), (3, 1));
}

#[test]
fn channels_have_a_cap() {
    let packets: Vec<_> = (0..100).map(|n| (0, data(n, n as u16, 53, b"a"))).collect();
    let record = feed(&packets);
    assert_eq!((record.channels.len(), record.channels_refused), (MAX_CHANNELS, 100 - MAX_CHANNELS as u64));
}

#[test]
fn the_rest_of_a_channel_on_another_path() {
    let first = feed(&[(0, init(7)), (0, open(10, 1, b"chat")), (0, data(11, 1, 51, b"hello"))]);
    let rest = feed(&[(1, data(12, 1, 51, b"you")), (1, reset(1, &[1])), (0, response(1, 1))]);
    let mut channel = first.channels[0].clone();
    let turned = rest.channels[0].clone().turned();
    assert!(channel.goes_on_in(&turned) && !turned.goes_on_in(&channel));
    channel.append(turned);
    let [from, to] = channel.carried;
    assert_eq!((from.messages, from.bytes, to.messages), (2, 8, 0));
    assert_eq!((channel.closing, channel.resets[0].unwrap().performed), (Some((0, at(2))), Some(at(3))));
}
