//! Streams made by hand, and what is to become of them.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{self, Cursor, Seek, SeekFrom, Write},
    rc::Rc,
};

use proptest::prelude::*;

use super::{Error, Extracted, Format, Packet, Sink, Track};
use crate::{
    time::{NANOS_PER_MILLI, Timestamp},
    wire::payload::Codec,
};

/// A file that stays readable after its writer is gone.
#[derive(Clone, Debug, Default)]
struct Shared(Rc<RefCell<Cursor<Vec<u8>>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Shared {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.0.borrow_mut().seek(position)
    }
}

/// A packet of a stream: sequence number, milliseconds of both clocks, marker, payload type, payload.
type Sent<'a> = (u16, u32, bool, u8, &'a [u8]);

/// What is extracted of packets, and the files.
fn extract(formats: &[(u8, Codec, u32)], packets: &[Sent<'_>]) -> (Extracted, Vec<(String, Vec<u8>)>) {
    let rate = formats[0].2;
    let formats = formats.iter().map(|(number, codec, rate)| (*number, Format::new(*codec, *rate)));
    let files = RefCell::new(Vec::new());
    let open = |extension: &str| {
        let file = Shared::default();
        files.borrow_mut().push((extension.to_owned(), file.clone()));
        Ok(Sink::new(extension, file))
    };
    let mut track = Track::new(formats.collect(), 7, open);
    for (sequence, millis, marker, payload_type, payload) in packets.iter().copied() {
        let at = Timestamp(i64::from(millis) * NANOS_PER_MILLI);
        let timestamp = (millis * (rate / 1000)).wrapping_add(0xffff_f000);
        track.push(&Packet { at, sequence, timestamp, marker, payload_type, payload }).unwrap();
    }
    let extracted = track.finish().unwrap();
    let files = files.into_inner();
    (extracted, files.into_iter().map(|(name, file)| (name, file.0.borrow().get_ref().clone())).collect())
}

/// The frames of an IVF file: time, bytes.
fn ivf_frames(mut file: &[u8]) -> Vec<(u64, Vec<u8>)> {
    file = &file[32..];
    let mut frames = Vec::new();
    while let Some((header, rest)) = file.split_first_chunk::<12>() {
        let length = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        frames.push((u64::from_le_bytes(header[4..].try_into().unwrap()), rest[..length].to_vec()));
        file = &rest[length..];
    }
    frames
}

const VP8: [(u8, Codec, u32); 1] = [(96, Codec::Vp8, 90_000)];

/// The start of a key frame of 640x480 and of another frame, with a 7-bit PictureID.
fn vp8(picture: u8, key: bool) -> Vec<u8> {
    let mut payload = vec![0x90, 0x80, picture];
    if key {
        payload.extend([0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 2, 0xe0, 1]);
    } else {
        payload.extend([0x11, picture]);
    }
    payload
}

#[test]
fn a_broken_frame_stops_video_until_a_key_frame() {
    let frames: Vec<_> = (0..8).map(|picture| vp8(picture, picture == 1 || picture == 5)).collect();
    let packets: Vec<Sent<'_>> = vec![
        // The capture starts between key frames.
        (10, 0, true, 96, &frames[0]),
        (11, 33, false, 96, &frames[1]),
        (12, 33, true, 96, &[0x80, 0x80, 1, 0xaa]),
        (13, 66, false, 96, &frames[2]),
        // 14, its second packet, is missing.
        (15, 100, true, 96, &frames[3]),
        (16, 133, true, 96, &frames[4]),
        (17, 166, true, 96, &frames[5]),
        // 18 is missing, which no picture lacks.
        (19, 200, true, 96, &frames[6]),
        // 20, a picture, is missing as well.
        (21, 233, true, 96, &frames[0]),
    ];
    let (extracted, files) = extract(&VP8, &packets);
    let part = &extracted.parts[0];
    assert_eq!((part.frames, part.key_frames, part.incomplete_frames, part.undecodable_frames), (3, 2, 1, 4));
    assert_eq!((extracted.lost, extracted.unused, extracted.foreign), (3, 0, 0));
    let resolution = part.resolution.unwrap();
    assert_eq!((resolution.width, resolution.height), (640, 480));
    let first = [&frames[1][3..], &[0xaa]].concat();
    let expected = [(33 * 90, first), (166 * 90, frames[5][3..].to_vec()), (200 * 90, frames[6][3..].to_vec())];
    assert_eq!(ivf_frames(&files[0].1), expected);
}

#[test]
fn a_late_packet_has_its_place() {
    let frames: Vec<_> = (0..3).map(|picture| vp8(picture, picture == 0)).collect();
    let packets: Vec<Sent<'_>> = vec![
        (1, 0, true, 96, &frames[0]),
        (3, 66, true, 96, &frames[2]),
        (3, 66, true, 96, &frames[2]),
        (2, 33, true, 96, &frames[1]),
    ];
    let (extracted, files) = extract(&VP8, &packets);
    assert_eq!((extracted.parts[0].frames, extracted.lost, extracted.unused), (3, 0, 1));
    assert_eq!(ivf_frames(&files[0].1).len(), 3);
}

#[test]
fn no_key_frame_no_file() {
    let frame = vp8(1, false);
    let (extracted, files) = extract(&VP8, &[(1, 0, true, 96, &frame), (2, 33, true, 96, &frame)]);
    assert_eq!((extracted.parts[0].path.as_ref(), extracted.parts[0].undecodable_frames), (None, 2));
    assert!(files.is_empty());
}

#[test]
fn nal_units_have_start_codes() {
    let packets: Vec<Sent<'_>> = vec![
        (1, 0, false, 97, &[0x78, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 3]),
        (2, 0, false, 97, &[0x7c, 0x85, 0x88, 1]),
        (3, 0, false, 97, &[0x7c, 0x45, 2]),
        // The same set again, ahead of another slice of the picture.
        (4, 0, false, 97, &[0x67, 1, 2]),
        (5, 0, true, 97, &[0x65, 0x40, 3]),
        (6, 33, true, 97, &[0x41, 0x9a, 4]),
    ];
    let (extracted, files) = extract(&[(97, Codec::H264, 90_000)], &packets);
    assert_eq!((extracted.parts[0].frames, extracted.parts[0].key_frames), (2, 1));
    let units: [&[u8]; 5] = [&[0x67, 1, 2], &[0x68, 3], &[0x65, 0x88, 1, 2], &[0x65, 0x40, 3], &[0x41, 0x9a, 4]];
    let expected: Vec<u8> = units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect();
    assert_eq!(files, [("h264".to_owned(), expected)]);
}

#[test]
fn a_fragment_that_lacks_its_middle_is_no_frame() {
    let packets: Vec<Sent<'_>> = vec![
        (1, 0, false, 97, &[0x67, 1, 2]),
        (2, 0, false, 97, &[0x7c, 0x85, 0x88, 1]),
        (4, 0, true, 97, &[0x7c, 0x45, 2]),
        (5, 33, true, 97, &[0x65, 0x88, 9]),
    ];
    let (extracted, files) = extract(&[(97, Codec::H264, 90_000)], &packets);
    assert_eq!((extracted.parts[0].frames, extracted.parts[0].incomplete_frames), (1, 1));
    assert_eq!(files[0].1, [0, 0, 0, 1, 0x65, 0x88, 9]);
}

#[test]
fn temporal_units_have_delimiters_and_sizes() {
    // A sequence header of 494x370; a frame in two packets, of which the header says that it is a key frame.
    let sequence = [0x08, 0x20, 0, 0, 0x0c, 0x47, 0xb6, 0xe2, 0x6d, 0x7c, 0x90, 0x10, 0xd0, 0x02];
    let first = [&[0x68, 14][..], &sequence, &[0x30, 0x10, 1]].concat();
    let packets: Vec<Sent<'_>> = vec![(1, 0, false, 45, &first), (2, 0, true, 45, &[0x90, 2, 3])];
    let (extracted, files) = extract(&[(45, Codec::Av1, 90_000)], &packets);
    assert_eq!((extracted.parts[0].frames, extracted.parts[0].key_frames), (1, 1));
    let expected = [&[0x12, 0, 0x0a, 13][..], &sequence[1..], &[0x32, 4, 0x10, 1, 2, 3]].concat();
    assert_eq!(ivf_frames(&files[0].1), [(0, expected)]);
    assert_eq!(files[0].1[12..16], [0xee, 1, 0x72, 1]);
}

#[test]
fn spatial_layers_are_one_frame() {
    // A key frame of 352x288 in two layers; B and E of each.
    let key = [0x82, 0x49, 0x83, 0x42, 0x20, 0x15, 0xf0, 0x11, 0xf0];
    let low = [&[0x2c, 0x00, 0x01][..], &key].concat();
    let packets: Vec<Sent<'_>> = vec![(1, 0, false, 98, &low), (2, 0, true, 98, &[0x2c, 0x03, 0x01, 0x86, 7])];
    let (extracted, files) = extract(&[(98, Codec::Vp9, 90_000)], &packets);
    assert_eq!((extracted.parts[0].frames, extracted.parts[0].key_frames), (1, 1));
    // The index of annex B: two frames, sizes of four bytes.
    let index = [0xd9, 9, 0, 0, 0, 2, 0, 0, 0, 0xd9];
    assert_eq!(ivf_frames(&files[0].1), [(0, [&key[..], &[0x86, 7], &index].concat())]);
}

#[test]
fn silence_where_sound_is_missing() {
    let formats = [
        (0, Codec::Pcmu, 8000),
        (8, Codec::Pcma, 8000),
        (13, Codec::ComfortNoise, 8000),
        (101, Codec::TelephoneEvent, 8000),
    ];
    let (loud, other) = ([0x80_u8; 160], [0xaa_u8; 160]);
    let packets: Vec<Sent<'_>> = vec![
        (1, 0, true, 0, &loud),
        // 2 is missing.
        (3, 40, false, 8, &other),
        (4, 60, false, 13, &[60]),
        (5, 200, true, 0, &loud),
        // A key for 100 ms, told twice.
        (6, 220, true, 101, &[1, 10, 1, 0x90]),
        (7, 220, false, 101, &[1, 0x8a, 3, 0x20]),
    ];
    let (extracted, files) = extract(&formats, &packets);
    let part = &extracted.parts[0];
    assert_eq!((part.length, part.silence, part.frames, extracted.lost), (2560, 2560 - 480, 3, 1));
    let samples: Vec<i16> =
        files[0].1[44..].chunks(2).map(|bytes| i16::from_le_bytes(bytes.try_into().unwrap())).collect();
    // ITU-T G.711 tables 1a and 2a: the largest values of µ-law and A-law in 16 bits.
    let expected: Vec<i16> = [(32_124, 160), (0, 160), (32_256, 160), (0, 1120), (32_124, 160), (0, 800)]
        .into_iter()
        .flat_map(|(value, count)| std::iter::repeat_n(value, count))
        .collect();
    assert!(samples == expected);
}

#[test]
fn copies_fill_gaps() {
    let formats = [(111, Codec::Opus, 48_000), (63, Codec::Red, 48_000)];
    // 20 ms of CELT, three bytes each; with the one before.
    let red = |number: u8| -> Vec<u8> { vec![0x80 | 111, 0x0f, 0x00, 3, 111, 0xf8, 1, number - 1, 0xf8, 1, number] };
    let payloads: Vec<_> = (1..6).map(red).collect();
    let packets: Vec<Sent<'_>> = [0_u16, 1, 3]
        .map(|number| (number, u32::from(number) * 20, false, 63, payloads[usize::from(number)].as_slice()))
        .to_vec();
    let (extracted, files) = extract(&formats, &packets);
    let part = &extracted.parts[0];
    assert_eq!((part.frames, part.length, part.silence, extracted.lost), (4, 4 * 960, 0, 1));
    assert!(files[0].1.ends_with(&[0xf8, 1, 1, 0xf8, 1, 2, 0xf8, 1, 3, 0xf8, 1, 4]));
}

#[test]
fn another_codec_is_another_file() {
    let formats = [(0, Codec::Pcmu, 8000), (111, Codec::Opus, 48_000), (97, Codec::H264, 90_000)];
    let packets: Vec<Sent<'_>> =
        vec![(1, 0, false, 0, &[0xff; 160]), (2, 20, false, 111, &[0xf8, 1, 2]), (3, 40, false, 99, &[1])];
    let (extracted, files) = extract(&formats, &packets);
    assert_eq!(files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["wav", "opus"]);
    assert_eq!((extracted.parts.len(), extracted.foreign), (2, 1));
    assert_eq!((extracted.parts[1].codec, extracted.parts[1].length), (Codec::Opus, 960));
}

/// A file that only counts.
#[derive(Debug, Default)]
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

#[test]
fn errors_name_the_file() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Seek for Full {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }
    let formats = BTreeMap::from([(0, Format::new(Codec::Pcmu, 8000))]);
    let mut track = Track::new(formats, 1, |extension: &str| Ok(Sink::new(format!("x.{extension}"), Full)));
    let packet = Packet { at: Timestamp(0), sequence: 1, timestamp: 1, marker: false, payload_type: 0, payload: &[1] };
    track.push(&packet).unwrap();
    let error: Error = track.finish().unwrap_err();
    assert_eq!((error.path.to_str(), error.source.kind()), (Some("x.wav"), io::ErrorKind::StorageFull));
}

proptest! {
    /// Bytes that begin as real payloads do, in any order, with any flags: nothing panics, and what is told adds up.
    #[test]
    fn any_packets(
        packets in proptest::collection::vec(
            (any::<u16>(), 0..40_u16, any::<u32>(), 0..2000_i64, any::<bool>(), 0..12_u8, 0..10_u8,
             proptest::collection::vec(any::<u8>(), 0..30)),
            0..120,
        ),
        hostile: bool,
    ) {
        let codecs = [
            Codec::Opus, Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::ComfortNoise, Codec::TelephoneEvent, Codec::Red,
            Codec::Vp8, Codec::Vp9, Codec::H264, Codec::H265, Codec::Av1,
        ];
        let starts: [&[u8]; 10] = [
            &[], &[0x90, 0x80, 1], &[0x8c, 1], &[0x7c, 0x85], &[0x78, 0, 2, 0x67, 1], &[0x62, 1, 0x93],
            &[0x10, 0x0a], &[0x80 | 1, 0, 0, 2, 0], &[0x48], &[0x10, 0, 0, 0x9d, 1, 0x2a],
        ];
        let format = |codec: Codec| Format::new(codec, if codec.is_video() { 90_000 } else { 8000 });
        let formats = codecs.iter().zip(0..).map(|(codec, number)| (number, format(*codec))).collect();
        let mut opened = 0;
        let mut track = Track::new(formats, 1, |extension: &str| {
            opened += 1;
            Ok(Sink::new(extension, Counted::default()))
        });
        let count = packets.len() as u64;
        let mut at = 0;
        for (any_sequence, near, timestamp, step, marker, payload_type, start, bytes) in packets {
            at += step * NANOS_PER_MILLI;
            let (sequence, timestamp) =
                if hostile { (any_sequence, timestamp) } else { (near, u32::from(near / 3) * 3000) };
            let payload = [starts[usize::from(start)], &bytes].concat();
            let payload = payload.as_slice();
            let packet = Packet { at: Timestamp(at), sequence, timestamp, marker, payload_type, payload };
            track.push(&packet).unwrap();
        }
        let extracted = track.finish().unwrap();
        let files = extracted.parts.iter().filter(|part| part.path.is_some()).count();
        prop_assert_eq!(files, opened);
        prop_assert!(extracted.unused + extracted.foreign <= count);
        prop_assert!(extracted.parts.iter().all(|part| part.silence <= part.length));
    }
}
