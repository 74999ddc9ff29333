//! Which codecs are the same.

use super::AgreedCodec;
use crate::sdp::{
    codec::{Codec, CodecRole},
    description::Media,
};

/// The codecs that both have, in the order of the answer.
pub(super) fn common(offered: &Media, answered: &Media) -> Vec<AgreedCodec> {
    let pairs = answered.codecs.iter().filter_map(|codec| Some((partner(codec, offered, answered)?, codec)));
    pairs
        .map(|(offer, answer)| AgreedCodec {
            encoding: answer.encoding(),
            offer_payload_type: offer.payload_type,
            answer_payload_type: answer.payload_type,
            offer_fmtp: offer.fmtp.clone(),
            answer_fmtp: answer.fmtp.clone(),
        })
        .collect()
}

/// The codec of the offer that one of the answer stands for: that of the same payload type where it fits, else any.
pub(super) fn partner<'a>(answer: &Codec, offered: &'a Media, answered: &Media) -> Option<&'a Codec> {
    let fits = |offer: &&Codec| {
        same_encoding(offer, answer)
            && difference(offer, answer).is_none()
            && same_repaired(offer, offered, answer, answered)
    };
    let same_type = offered.codec(answer.payload_type).filter(|offer| fits(offer));
    same_type.or_else(|| offered.codecs.iter().find(fits))
}

/// Whether name, clock rate and channels are the same (RFC 8866 section 6.6).
pub(super) fn same_encoding(one: &Codec, other: &Codec) -> bool {
    let named = match (&one.name, &other.name) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (None, None) => one.payload_type == other.payload_type,
        _ => false,
    };
    named && one.clock_rate == other.clock_rate && one.channels.unwrap_or(1) == other.channels.unwrap_or(1)
}

/// A format parameter in which two codecs of the same name are not the same codec.
pub(super) fn difference(one: &Codec, other: &Codec) -> Option<&'static str> {
    let differs = |name: &str, default: &str| {
        let value = |codec: &Codec| codec.parameter(name).unwrap_or(default).to_ascii_lowercase();
        value(one) != value(other)
    };
    if one.is_named("H264") {
        // RFC 6184 section 8.2.2.
        if differs("packetization-mode", "0") {
            return Some("packetization-mode");
        }
        return (profile(one) != profile(other)).then_some("profile-level-id");
    }
    let parameters: &[(&'static str, &str)] = match () {
        // RFC 9628 section 6, the AV1 RTP payload section 7.2.3, RFC 7798 section 7.2.2.
        () if one.is_named("VP9") => &[("profile-id", "0")],
        () if one.is_named("AV1") => &[("profile", "0")],
        () if one.is_named("H265") => &[("profile-id", "1"), ("tx-mode", "srst")],
        // RFC 3952 section 5, RFC 4867 section 8.3.1.
        () if one.is_named("iLBC") => &[("mode", "30")],
        () if one.is_named("AMR") || one.is_named("AMR-WB") => &[("octet-align", "0")],
        () => &[],
    };
    parameters.iter().find(|(name, default)| differs(name, default)).map(|(name, _)| *name)
}

/// The H.264 profile and what decides of the constraints beside it (RFC 6184 section 8.1 table 5): a level may differ.
fn profile(codec: &Codec) -> &'static str {
    // Baseline at level 1.0 where nothing is said.
    let text = codec.parameter("profile-level-id").unwrap_or("42000a");
    let Ok(number) = u32::from_str_radix(text, 16) else { return "unreadable" };
    let [_, profile, constraints, _] = number.to_be_bytes();
    match (profile, constraints) {
        (0x42, bits) if bits & 0x4f == 0x40 => "constrained baseline",
        (0x4d, bits) if bits & 0x8f == 0x80 => "constrained baseline",
        (0x58, bits) if bits & 0xcf == 0xc0 => "constrained baseline",
        (0x42, bits) if bits & 0x4f == 0 => "baseline",
        (0x58, bits) if bits & 0xcf == 0x80 => "baseline",
        (0x4d, bits) if bits & 0xaf == 0 => "main",
        (0x58, bits) if bits & 0xcf == 0 => "extended",
        (0x64, 0) => "high",
        (0x64, 0x0c) => "constrained high",
        (0xf4, bits) if bits & 0xef == 0 => "high 4:4:4",
        _ => "another",
    }
}

/// Whether two retransmission formats repair the same codec.
fn same_repaired(offer: &Codec, offered: &Media, answer: &Codec, answered: &Media) -> bool {
    if answer.role != CodecRole::Rtx {
        return true;
    }
    match (offer.apt.and_then(|apt| offered.codec(apt)), answer.apt.and_then(|apt| answered.codec(apt))) {
        (Some(one), Some(other)) => same_encoding(one, other) && difference(one, other).is_none(),
        _ => false,
    }
}
