//! Any bytes as RTP: everything reachable read, then shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    report::packet::{Protocol, line, tree},
    wire::rtp::{Extension, Header},
};

fuzz_target!(|data: &[u8]| {
    for wire_length in [data.len(), data.len() + 100] {
        if let Ok(header) = Header::parse(data, wire_length) {
            assert_eq!(header.length() + header.payload().len(), data.len());
            assert!(header.csrcs().len() <= 15);
            for element in header.extension().iter().flat_map(Extension::elements) {
                assert!(element.offset + element.data.len() < header.length());
            }
            if let Ok(Some(padding)) = header.padding_length(false) {
                assert!(padding <= header.payload_length());
            }
        }
        for protocol in [Protocol::Rtp, Protocol::Srtp] {
            drop((line(protocol, data, wire_length), tree(protocol, data, 42, wire_length)));
        }
    }
});
