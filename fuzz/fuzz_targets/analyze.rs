//! Any bytes as a capture: analyzed, judged and reported in every form. Where the bytes are no container they are
//! records of one: two bytes of length, four of time, and the packet, on raw IP.
#![no_main]

use std::io::{Cursor, sink};

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    capture::{Capture, Options},
    engine,
    report::{
        self,
        json::{write_json, write_ndjson},
        text::{TextOptions, write_text},
    },
    session,
};

fuzz_target!(|bytes: &[u8]| {
    let capture = open(bytes.to_vec()).or_else(|| open(records(bytes)));
    let Some(mut capture) = capture else { return };
    let analysis = engine::analyze(&mut capture, engine::Config::new(1), |_| {}).unwrap();
    let report = report::build(&analysis, &session::assemble(&analysis));
    write_json(&report, &mut sink()).unwrap();
    write_ndjson(&report, &mut sink()).unwrap();
    write_text(&report, &TextOptions::default(), &mut sink()).unwrap();
});

fn open(bytes: Vec<u8>) -> Option<Capture> {
    Capture::from_reader("fuzz", Box::new(Cursor::new(bytes)), &Options::default()).ok()
}

/// A pcap file of raw IP.
fn records(mut bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0];
    let mut time = 0_u32;
    while let Some((&[low, high, step0, step1, step2, step3], rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        time = time.wrapping_add(u32::from_le_bytes([step0, step1, step2, step3]));
        let (packet, rest) = rest.split_at(length);
        for word in [time / 1000, time % 1000 * 1000, length as u32, length as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
        bytes = rest;
    }
    file
}
