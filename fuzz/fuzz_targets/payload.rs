//! Any bytes as the payload of each codec: every view, and the parameter sets and headers inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::wire::{
    Layer,
    payload::{Codec, Summary, av1, h264, h265, opus, red, vp8, vp9},
};

fuzz_target!(|data: &[u8]| {
    for codec in Codec::ALL {
        match Summary::read(codec, data, true) {
            Ok(summary) => {
                if let Some(size) = summary.resolution {
                    assert!(size.width <= 1 << 16 && size.height <= 1 << 16);
                }
            }
            Err(fault) => assert!(fault.layer == Layer::Payload && fault.offset <= data.len()),
        }
    }
    if let Ok(packet) = opus::Packet::parse(data) {
        assert_eq!(packet.frames().count(), usize::from(packet.frame_count));
        assert!((120..=5760).contains(&packet.samples()));
        let _ = (packet.has_fec(), packet.is_dtx(), packet.toc.bandwidth());
    }
    if let Ok(blocks) = red::Blocks::parse(data) {
        assert_eq!(blocks.filter(|block| block.primary).count(), 1);
    }
    if let Ok(payload) = vp8::Payload::parse(data) {
        assert!(!payload.data.is_empty() && payload.data.len() < data.len());
    }
    if let Ok(payload) = vp9::Payload::parse(data) {
        assert!(payload.references().count() <= 3 && payload.data.len() < data.len());
        assert!(payload.structure.iter().flat_map(vp9::Structure::resolutions).count() <= 8);
    }
    let in_pieces = |length: usize| assert!(length <= data.len());
    if let Ok(payload) = h264::Payload::parse(data) {
        in_pieces(payload.pieces().map(|piece| piece.data.len()).sum());
    }
    if let Ok(payload) = h265::Payload::parse(data) {
        in_pieces(payload.pieces().map(|piece| piece.data.len()).sum());
    }
    if let Ok(payload) = av1::Payload::parse(data) {
        in_pieces(payload.elements().map(|element| element.data.len()).sum());
        payload.obus().for_each(|obu| {
            let _ = (obu.sequence_header(), obu.is_key_frame());
        });
    }
    let _ = (h264::Sps::parse(data), h265::Sps::parse(data));
});
