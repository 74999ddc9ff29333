//! Any bytes as a frame of any link type, and as fragments of one packet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    flow::fragment::{Outcome, Reassembler},
    time::Timestamp,
    wire::{Content, LinkType, parse, resume},
};

fuzz_target!(|input: &[u8]| {
    let Some(([high, low, size], frames)) = input.split_first_chunk() else { return };
    let mut reassembler = Reassembler::new();
    for (at, frame) in frames.chunks(usize::from(*size).max(1)).enumerate() {
        let Ok(packet) = parse(LinkType(u16::from_be_bytes([*high, *low])), frame) else { continue };
        let end = packet.payload as usize + packet.captured as usize;
        assert!(end <= frame.len() && packet.captured <= packet.length);
        let Content::Fragment(fragment) = packet.content else { continue };
        let bytes = &frame[packet.payload as usize..end];
        if let Outcome::Complete(whole) = reassembler.push(Timestamp(at as i64), &packet, &fragment, bytes) {
            let _ = resume(&packet, &whole);
        }
    }
});
