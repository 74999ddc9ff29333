use proptest::prelude::*;

use super::*;
use crate::time::{PacketId, Timestamp};

fn step(at: i64) -> Step {
    Step { time: Timestamp(at), packet: PacketId::new(0, at.unsigned_abs()) }
}

/// A fragment of a DATA message of stream 1; `flags` are U, B and E as in the chunk.
fn data(tsn: u32, flags: u8, payload: &[u8]) -> Data<'_> {
    Data {
        immediate: false,
        unordered: flags & 4 != 0,
        begin: flags & 2 != 0,
        end: flags & 1 != 0,
        tsn,
        stream: 1,
        sequence: 7,
        payload_protocol: Some(53),
        fragment: None,
        payload,
        payload_length: payload.len() as u16,
    }
}

/// A fragment of an I-DATA message.
fn i_data(tsn: u32, message: u32, fragment: u32, flags: u8, payload: &[u8]) -> Data<'_> {
    let begin = flags & 2 != 0;
    Data {
        sequence: message,
        payload_protocol: begin.then_some(51),
        fragment: (!begin).then_some(fragment),
        ..data(tsn, flags, payload)
    }
}

#[test]
fn fragments_in_every_order_across_the_wrap() {
    let fragments =
        [data(u32::MAX - 1, 2, b"ab"), data(u32::MAX, 0, b"c"), data(0, 0, b"def"), data(1, 1, b"g"), data(2, 3, b"h")];
    for order in (0..120).map(permutation) {
        let mut assembly = Assembly::<Bytes>::default();
        let mut whole = Vec::new();
        for (at, index) in order.into_iter().enumerate() {
            whole.extend(assembly.take(&fragments[index], false, step(at as i64)));
        }
        whole.sort_by_key(|message| message.fragments);
        let [single, long] = whole.try_into().unwrap();
        assert_eq!((single.content.into_bytes(), long.content.length()), (b"h".to_vec(), 7));
        assert_eq!((long.content.into_bytes(), long.fragments, long.payload_protocol), (b"abcdefg".to_vec(), 4, 53));
        assert!(long.first.time < long.last.time);
        assert_eq!((assembly.unfinished(), assembly.held), (0, 0));
    }
}

/// The permutation with this number of 0 to 4.
fn permutation(mut number: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..5).collect();
    (1..=5).rev().map(|count| (left.remove(number % count), number /= count).0).collect()
}

#[test]
fn neighbours_that_do_not_belong_together() {
    let mut assembly = Assembly::<Outline>::default();
    let mut whole = 0;
    let mut take = |data: Data<'_>| whole += usize::from(assembly.take(&data, false, step(1)).is_some());
    // A first fragment is followed by one of another stream, of another message, by an unordered one, by a first one.
    take(data(10, 2, b"a"));
    take(Data { stream: 2, ..data(11, 1, b"b") });
    take(data(20, 2, b"a"));
    take(Data { sequence: 8, ..data(21, 1, b"b") });
    take(data(30, 2, b"a"));
    take(data(31, 5, b"b"));
    take(data(40, 2, b"a"));
    take(data(41, 2, b"b"));
    assert_eq!((whole, assembly.unfinished()), (0, 8));
}

#[test]
fn interleaved_messages() {
    let mut assembly = Assembly::<Bytes>::default();
    let whole: Vec<_> = [
        i_data(4, 0, 2, 1, b"c"),
        i_data(1, 0, 0, 2, b"a"),
        i_data(2, 1, 0, 2, b"x"),
        Data { unordered: true, ..i_data(6, 0, 1, 1, b"?") },
        i_data(5, 1, 1, 1, b"y"),
        i_data(3, 0, 1, 0, b"b"),
    ]
    .iter()
    .filter_map(|fragment| assembly.take(fragment, true, step(fragment.tsn.into())))
    .map(|message| (message.sequence, message.payload_protocol, message.content.into_bytes()))
    .collect();
    assert_eq!(whole, [(1, 51, b"xy".to_vec()), (0, 51, b"abc".to_vec())]);
    // The unordered message with the same number is another one.
    assert_eq!(assembly.unfinished(), 1);
}

#[test]
fn what_is_given_up_is_forgotten() {
    let mut assembly = Assembly::<Bytes>::default();
    for tsn in [u32::MAX, 4, 9] {
        assert_eq!(assembly.take(&data(tsn, 2, b"abc"), false, step(1)), None);
    }
    assembly.give_up_to(4);
    assert_eq!((assembly.unfinished(), assembly.held), (1, 3));
    assert_eq!(assembly.take(&data(5, 1, b"d"), false, step(2)), None);
    assert!(assembly.take(&data(10, 1, b"d"), false, step(2)).is_some());
    assembly.forget(2);
    assert_eq!(assembly.unfinished(), 1);
    assembly.forget(1);
    assert_eq!((assembly.unfinished(), assembly.held), (0, 0));
}

#[test]
fn floods_are_bounded() {
    let mut assembly = Assembly::<Outline>::default();
    for message in 0..100_000 {
        assembly.take(&i_data(message, message, 0, 2, b"a"), true, step(1));
    }
    assert_eq!((assembly.runs.len(), assembly.unfinished()), (MAX_RUNS, 100_000));
    // One message of very many fragments is one run.
    let mut assembly = Assembly::<Bytes>::default();
    let payload = [7; 60_000];
    for fragment in 0..600 {
        assembly.take(&i_data(fragment, 0, fragment, if fragment == 0 { 2 } else { 0 }, &payload), true, step(1));
    }
    assert_eq!((assembly.runs.len(), assembly.held), (1, MAX_MESSAGE));
    let end = assembly.take(&i_data(600, 0, 600, 1, b"!"), true, step(2)).unwrap();
    assert_eq!((end.content.length(), end.content.into_bytes().len()), (36_000_001, MAX_MESSAGE));
    assert_eq!(assembly.held, 0);
    // Three such messages are more than may be held: the first goes.
    for message in 0..3 {
        for fragment in 0..280 {
            let flags = if fragment == 0 { 2 } else { 0 };
            assembly.take(&i_data(message * 280 + fragment, message, fragment, flags, &payload), true, step(1));
        }
    }
    assert!(assembly.held <= MAX_HELD && assembly.runs.len() == 2, "{}", assembly.runs.len());
}

#[test]
fn bytes_end_where_the_capture_cut_a_packet() {
    let mut assembly = Assembly::<Bytes>::default();
    assembly.take(&Data { payload_length: 5, ..data(1, 2, b"abc") }, false, step(1));
    let message = assembly.take(&data(2, 1, b"fgh"), false, step(1)).unwrap();
    assert_eq!((message.content.length(), message.content.into_bytes()), (8, b"abc".to_vec()));
}

#[test]
fn of_dcep_alone_the_outline_keeps_bytes() {
    let mut assembly = Assembly::<Outline>::default();
    let dcep = |tsn, flags, payload| Data { payload_protocol: Some(DCEP), ..data(tsn, flags, payload) };
    assert_eq!(assembly.take(&dcep(2, 1, b"cd"), false, step(1)), None);
    let message = assembly.take(&dcep(1, 2, b"ab"), false, step(2)).unwrap();
    assert_eq!((message.content.start(), message.content.length()), (&b"abcd"[..], 4));
    assert_eq!(assembly.take(&data(3, 3, b"ab"), false, step(1)).unwrap().content.start(), b"");
    // The later fragments of I-DATA do not say what they are of: in order that is known.
    let i_dcep = |fragment, flags, payload| {
        let whole = i_data(10 + fragment, 0, fragment, flags, payload);
        Data { payload_protocol: whole.payload_protocol.map(|_| DCEP), ..whole }
    };
    let mut start = |order: [u32; 3]| {
        let take =
            |fragment: u32| assembly.take(&i_dcep(fragment, [2, 0, 1][fragment as usize], b"xyz"), true, step(1));
        order.map(take).into_iter().flatten().next().unwrap().content.start().len()
    };
    assert_eq!((start([0, 1, 2]), start([0, 2, 1]), start([2, 1, 0])), (9, 6, 3));
}

proptest! {
    /// Messages cut into fragments, sent in any order, are the messages again.
    #[test]
    fn cut_and_shuffled(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..30), 1..12),
        cut in 1_usize..9,
        interleaved: bool,
        seed in proptest::collection::vec(any::<usize>(), 400),
        first_tsn: u32,
    ) {
        let mut tsn = first_tsn;
        let mut chunks = Vec::new();
        for (number, message) in messages.iter().enumerate() {
            let count = message.chunks(cut).count();
            for (at, part) in message.chunks(cut).enumerate() {
                let flags = u8::from(at == 0) << 1 | u8::from(at + 1 == count);
                let whole = i_data(tsn, number as u32, at as u32, flags, part);
                chunks.push(if interleaved { whole } else { Data { payload_protocol: Some(51), fragment: None, ..whole } });
                tsn = tsn.wrapping_add(1);
            }
        }
        for at in (1..chunks.len()).rev() {
            chunks.swap(at, seed[at] % (at + 1));
        }
        let mut assembly = Assembly::<Bytes>::default();
        let mut found: Vec<_> = chunks.iter().filter_map(|chunk| assembly.take(chunk, interleaved, step(1))).collect();
        found.sort_by_key(|message| message.sequence);
        let found: Vec<_> = found.into_iter().map(|message| message.content.into_bytes()).collect();
        prop_assert_eq!(found, messages);
        prop_assert_eq!((assembly.runs.len(), assembly.held), (0, 0));
    }
}
