//! Any packets of a stream, written to files that are not kept: nothing panics, and what is told of them adds up.
#![no_main]

use std::io::{self, Seek, SeekFrom, Write};

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    extract::{Format, Packet, Sink, Track},
    time::Timestamp,
    wire::payload::Codec,
};

/// A file that only counts.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Counted {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Ok(self.0)
    }
}

// Each packet is a length, a payload type with the marker bit, steps of sequence number, timestamp and time, and its
// payload.
fuzz_target!(|data: &[u8]| {
    let format = |codec: Codec| Format::new(codec, if codec.is_video() { 90_000 } else { 8000 });
    let formats = (0..).zip(Codec::ALL).map(|(number, codec)| (number, format(codec))).collect();
    let mut opened = 0;
    let mut track = Track::new(formats, 1, |extension: &str| {
        opened += 1;
        Ok(Sink::new(extension, Counted(0)))
    });
    let (mut data, mut count, mut at, mut sequence, mut timestamp) = (data, 0_u64, 0_i64, 0_u16, 0_u32);
    while let [length, kind, order, step, time, rest @ ..] = data {
        let (payload, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        count += 1;
        at += i64::from(*time) * 10_000_000;
        // Mostly the next packet; sometimes one far away.
        sequence = sequence.wrapping_add(if *order < 0xf0 { 1 } else { u16::from(*order) << (order & 15) });
        timestamp =
            timestamp.wrapping_add(if *step < 0xe0 { u32::from(*step) * 40 } else { u32::MAX / u32::from(*step) });
        let (payload_type, marker) = (kind & 0x0f, kind & 0x80 != 0);
        let packet = Packet { at: Timestamp(at), sequence, timestamp, marker, payload_type, payload };
        track.push(&packet).unwrap();
    }
    let extracted = track.finish().unwrap();
    assert_eq!(extracted.parts.iter().filter(|part| part.path.is_some()).count(), opened);
    assert!(extracted.unused + extracted.foreign <= count);
    assert!(extracted.parts.iter().all(|part| part.silence <= part.length));
});
