//! A line of text as a key, then any bytes as SRTP and SRTCP under it and under a key whose packets have no tag, so that
//! opening is reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcscope::crypto::srtp::{Context, Keying, Profile, Rollover, Wanted, text::GivenKey};

/// No tag ends its packets, every second packet has keys of its own, and each names its key in a byte.
const TAGLESS: &str =
    "AES_CM_128_HMAC_SHA1_32 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|7:1 UNAUTHENTICATED_SRTP KDR=1";

fuzz_target!(|data: &[u8]| {
    let (line, packets) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()));
    let line = String::from_utf8_lossy(line);
    let given = GivenKey::parse(&line).map_or_else(|_| Vec::new(), |given| given.candidates);
    let tagless = GivenKey::parse(TAGLESS).map_or_else(|_| Vec::new(), |given| given.candidates);
    let exported = Profile::ALL.iter().filter_map(|profile| Keying::from_exported(*profile, data, &data[..1]).ok());
    for keying in given.into_iter().chain(tagless).chain(exported.flatten().take(4)) {
        assert!(!format!("{keying:?}").contains("AAECAwQF"));
        open(&keying, packets.get(1..).unwrap_or_default());
    }
});

/// Each packet is a byte of length, one that says what is wanted of it, and its bytes.
fn open(keying: &Keying, mut data: &[u8]) {
    let (mut context, mut rollover) = (Context::new(keying), Rollover::default());
    let mut out = Vec::new();
    while let [length, wish, rest @ ..] = data {
        let (packet, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        if let Ok(authentic) = rollover.authenticate(&mut context, packet) {
            let wanted = Wanted { payload: usize::from(*wish), encrypted_ids: &[1, wish & 0x0f, *wish] };
            context.open(&authentic, &wanted, &mut out);
            assert_eq!(out.len(), authentic.header_length() + authentic.payload_length().min(wanted.payload));
            assert_eq!(out[..12], packet[..12]);
            assert_eq!(authentic.index() as u16, u16::from_be_bytes([packet[2], packet[3]]));
        }
        if context.open_rtcp(packet, &mut out).is_ok() {
            assert!(out.len() >= 8 && out.len() < packet.len());
        }
    }
}
