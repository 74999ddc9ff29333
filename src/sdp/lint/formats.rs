//! Payload types and header extensions.

use std::collections::HashMap;

use super::Rules;
use crate::sdp::{
    codec::CodecRole,
    description::{Kind, Media},
    note::Severity,
};

/// The greatest identifier of a header extension (RFC 8285 section 5); greater ones up to 4095 are for offers that are
/// to be chosen from (section 6).
const GREATEST_ID: u16 = 255;

impl Rules<'_> {
    pub(super) fn formats(&mut self, media: &Media) {
        const REFERENCE: &str = "RFC 8866 section 5.14";
        if !media.is_rtp() {
            return;
        }
        let at = (Some(media.line), Some(media.index));
        let mut seen = Vec::new();
        for format in &media.formats {
            match format.parse::<u8>() {
                Ok(payload_type) if payload_type < 128 => {
                    if seen.contains(&payload_type) {
                        let message = format!("payload type {payload_type} is listed twice");
                        self.say("SDP021", Severity::Warning, at, message, REFERENCE);
                    }
                    seen.push(payload_type);
                }
                _ => {
                    let message = format!("the format \"{format}\" is no RTP payload type");
                    self.say("SDP022", Severity::Error, at, message, REFERENCE);
                }
            }
        }
        if media.formats.is_empty() {
            self.say("SDP022", Severity::Error, at, "no format is listed", REFERENCE);
        }
        for codec in &media.codecs {
            if codec.name.is_none() {
                let message = format!("payload type {} has no a=rtpmap", codec.payload_type);
                self.say("SDP023", Severity::Error, at, message, "RFC 3264 section 5.1");
            }
            let at = (Some(codec.line), Some(media.index));
            if codec.role != CodecRole::Rtx {
                continue;
            }
            match codec.apt {
                None => {
                    let message = format!("rtx {} has no apt: nobody knows what it retransmits", codec.payload_type);
                    self.say("SDP024", Severity::Error, at, message, "RFC 4588 section 8.6");
                }
                Some(apt) if media.codec(apt).is_none() => {
                    let message =
                        format!("rtx {} retransmits payload type {apt}, which is not listed", codec.payload_type);
                    self.say("SDP024", Severity::Error, at, message, "RFC 4588 section 8.6");
                }
                Some(_) => {}
            }
        }
        for codec in media.unlisted_codecs.iter().take(8) {
            let message = format!("a=rtpmap names payload type {}, which m= does not list", codec.payload_type);
            self.say("SDP025", Severity::Info, (Some(codec.line), Some(media.index)), message, "RFC 8866 section 6.6");
        }
        let has = |role: CodecRole| media.codecs.iter().any(|codec| codec.role == role);
        let asks = media.codecs.iter().any(|codec| codec.feedback.iter().any(|feedback| feedback.kind == "nack"));
        if self.dialect.is_webrtc() && media.kind == Kind::Video && asks && !has(CodecRole::Rtx) {
            let message = "NACK is offered without rtx: what is retransmitted looks like duplicates";
            self.say("SDP026", Severity::Info, at, message, "RFC 8834 section 6.1");
        }
    }

    pub(super) fn extensions(&mut self, media: &Media) {
        const REFERENCE: &str = "RFC 8285 section 5";
        let mut seen: HashMap<u16, &str> = HashMap::new();
        for extension in &media.extensions {
            let at = (Some(extension.line), Some(media.index));
            let id = extension.id;
            match id {
                0 => self.say("SDP030", Severity::Error, at, "header extension 0 is padding", REFERENCE),
                // RFC 8285 section 4.2: reserved in one-byte headers.
                15 if !media.extmap_allow_mixed => {
                    let message = "header extension 15 cannot be in a one-byte header";
                    self.say("SDP030", Severity::Info, at, message, "RFC 8285 section 4.2");
                }
                1..=GREATEST_ID | 4096..=4351 => {}
                _ => self.say(
                    "SDP030",
                    Severity::Warning,
                    at,
                    format!("header extension {id} is out of range"),
                    REFERENCE,
                ),
            }
            if let Some(first) = seen.insert(id, &extension.uri) {
                let message = format!("header extension {id} is both {first} and {}", extension.uri);
                self.say("SDP031", Severity::Error, at, message, "RFC 8285 section 6");
            }
        }
    }

    /// What shares a transport shares the numbers of header extensions (RFC 8843 section 9.1).
    pub(super) fn bundled_extensions(&mut self) {
        let mut seen: HashMap<(usize, u16), (&str, usize)> = HashMap::new();
        for media in self.description.media.iter().filter(|media| !media.rejected) {
            let Some(group) = self.description.bundle_of(media) else { continue };
            for extension in &media.extensions {
                let (uri, first) = *seen.entry((group.line, extension.id)).or_insert((&extension.uri, media.index));
                if uri != extension.uri && first != media.index {
                    let message =
                        format!("header extension {} is {uri} in media {first} of the same BUNDLE", extension.id);
                    let at = (Some(extension.line), Some(media.index));
                    self.say("SDP032", Severity::Error, at, message, "RFC 8843 section 9.1");
                }
            }
        }
    }
}
