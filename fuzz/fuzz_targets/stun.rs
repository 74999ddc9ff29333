//! Any bytes as STUN, with and without a cookie, and as ChannelData: everything reachable read, then shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    report::packet::{Protocol, line, tree},
    wire::{
        channel::ChannelData,
        stun::{Message, Value},
    },
};

fuzz_target!(|data: &[u8]| {
    for wire_length in [data.len(), data.len() + 100] {
        for message in [Message::parse_captured(data, wire_length), Message::parse_classic(data)].into_iter().flatten()
        {
            for attribute in message.attributes() {
                assert!(attribute.offset + 4 + attribute.value.len() <= data.len());
                if let Ok(Value::Unknown(types)) = attribute.value() {
                    let _ = types.count();
                }
            }
            let _ = (message.fault(), message.fingerprint());
        }
        if let Ok(message) = ChannelData::parse(data, wire_length) {
            assert!(message.data.len() <= message.length);
        }
        for protocol in [Protocol::Stun, Protocol::ClassicStun, Protocol::ChannelData] {
            drop((line(protocol, data, wire_length), tree(protocol, data, 42, wire_length)));
        }
    }
});
