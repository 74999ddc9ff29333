//! Any bytes as elements of header extensions: each decoder, then a stream of packets that have them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    flow::{budget::Budget, stream::elements::Elements},
    time::{PacketId, Timestamp},
    wire::rtp::{
        Element, Extension,
        allocation::Allocation,
        dependency::{Extended, FrameStart},
        value::{CaptureTime, ColorSpace, Orientation, PlayoutDelay, SEND_TIME_PERIOD, send_time, transmission_offset},
    },
};

fuzz_target!(|data: &[u8]| {
    for profile in [0xbede, 0x1000] {
        let extension = Extension { profile, data, offset: 12 };
        let mut visited = Vec::new();
        extension.visit(|element| visited.push(*element));
        assert_eq!(visited, extension.elements().collect::<Vec<_>>());
        visited.iter().for_each(|element| decode(element.data));
    }
    decode(data);
    follow(data);
});

fn decode(data: &[u8]) {
    for targets in [None, Some(1), Some(32)] {
        let Some(extended) = Extended::parse(data, targets) else { continue };
        if let Some(structure) = extended.structure {
            assert!((1..=64).contains(&structure.layers.len()) && structure.decode_targets <= 32);
            assert!((0..64).filter(|template| structure.layer(*template).is_some()).count() == structure.layers.len());
        }
    }
    if let Some(allocation) = Allocation::parse(data) {
        assert!(allocation.streams <= 4 && allocation.layers.len() <= 16);
        assert!(allocation.layers.iter().all(|layer| (1..=4).contains(&layer.target_kilobits.len())));
    }
    let _ = (CaptureTime::parse(data), ColorSpace::parse(data));
    if let Some(bytes) = data.first_chunk::<3>() {
        assert!((0..SEND_TIME_PERIOD).contains(&send_time(*bytes)));
        let _ =
            (FrameStart::of(*bytes), PlayoutDelay::of(*bytes), transmission_offset(*bytes), Orientation::of(bytes[0]));
    }
}

/// Each element is a length, an id, milliseconds since the one before, and its data.
fn follow(mut data: &[u8]) {
    let (mut whole, mut half, budget) = (Elements::default(), Elements::default(), Budget::new((4 << 20) + 10_000));
    let mut time = 0;
    let mut number = 0;
    while let [length, id, millis, rest @ ..] = data {
        let (value, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        number += 1;
        time += i64::from(*millis) * 1_000_000;
        let element = Element { id: *id, data: value, offset: 0 };
        let at = (Timestamp(time), PacketId::new(0, number));
        whole.push(&element, at, &budget);
        if number % 2 == 0 {
            half.push(&element, at, &budget);
        }
        data = rest;
    }
    whole.add(&half);
    for followed in whole.all() {
        let _ = (followed.meaning(true, number), followed.history.values().len());
        if let Some(frames) = &followed.frames {
            assert!(frames.by_layer().map(|(_, frames)| frames).sum::<u64>() <= frames.count_all());
            let _ = frames.missing();
        }
    }
}
