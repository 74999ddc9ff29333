//! Where an answer does not fit.

use super::{Agreed, Mismatch, Side, codecs};
use crate::sdp::{
    codec::{Codec, CodecRole},
    description::{Description, Media},
    note::Severity,
    security::Setup,
};

/// What is wrong with the whole: the number of media, and groups.
pub(super) fn session(offer: &Description, answer: &Description) -> Vec<Mismatch> {
    let mut found = Vec::new();
    let (offered, answered) = (offer.media.len(), answer.media.len());
    if offered != answered {
        found.push(Mismatch {
            code: "NEG001",
            severity: Severity::Error,
            media: None,
            offer_line: offer.media.last().map(|media| media.line),
            answer_line: answer.media.last().map(|media| media.line),
            message: format!("the offer has {offered} media and the answer {answered}"),
            reference: "RFC 3264 section 6",
        });
    }
    for group in answer.groups.iter().filter(|group| group.semantics.eq_ignore_ascii_case("BUNDLE")) {
        let is_offered = |mid: &str| offer.by_mid(mid).is_some_and(|media| offer.bundle_of(media).is_some());
        for mid in group.mids.iter().filter(|mid| !is_offered(mid)).take(8) {
            found.push(Mismatch {
                code: "NEG016",
                severity: Severity::Error,
                media: None,
                offer_line: offer.groups.first().map(|group| group.line),
                answer_line: Some(group.line),
                message: format!("the answer bundles \"{mid}\", which the offer does not"),
                reference: "RFC 8843 section 7.3.1",
            });
        }
    }
    found
}

/// What is wrong with one media.
pub(super) fn media(
    (offer, offered): (&Description, &Media),
    (answer, answered): (&Description, &Media),
    agreed: &Agreed,
    found: &mut Vec<Mismatch>,
) {
    let mut rules = Rules { offer, offered, answer, answered, found };
    rules.sections();
    if rules.rejected(agreed) {
        return;
    }
    rules.codecs(agreed);
    rules.directions(agreed);
    rules.extensions();
    rules.dtls();
    rules.ice();
    rules.sdes();
    rules.multiplexing();
    rules.streams(agreed);
}

struct Rules<'a> {
    offer: &'a Description,
    offered: &'a Media,
    answer: &'a Description,
    answered: &'a Media,
    found: &'a mut Vec<Mismatch>,
}

/// Lines of offer and answer.
type Lines = (Option<usize>, Option<usize>);

impl Rules<'_> {
    fn say(
        &mut self,
        code: &'static str,
        severity: Severity,
        at: Lines,
        message: impl Into<String>,
        reference: &'static str,
    ) {
        let media = Some(self.offered.index);
        let (offer_line, answer_line) = at;
        self.found.push(Mismatch {
            code,
            severity,
            media,
            offer_line,
            answer_line,
            message: message.into(),
            reference,
        });
    }

    /// The lines of an attribute, else of `m=`.
    fn at(&self, name: &str) -> Lines {
        let line = |description: &Description, media: &Media| {
            let own = description.line_of(Some(media.index), name).or_else(|| description.line_of(None, name));
            own.or(Some(media.line))
        };
        (line(self.offer, self.offered), line(self.answer, self.answered))
    }

    fn section(&self) -> Lines {
        (Some(self.offered.line), Some(self.answered.line))
    }

    fn sections(&mut self) {
        let (offered, answered) = (self.offered, self.answered);
        if offered.kind != answered.kind {
            let message = format!("the offer has {} here and the answer {}", offered.kind.name(), answered.kind.name());
            self.say("NEG002", Severity::Error, self.section(), message, "RFC 3264 section 6");
        }
        if !offered.protocol.eq_ignore_ascii_case(&answered.protocol) {
            // UDP/DTLS/SCTP and TCP/DTLS/SCTP, or RTP/SAVPF for UDP/TLS/RTP/SAVPF, are taken for one another.
            let last = |protocol: &str| protocol.rsplit('/').next().unwrap_or_default().to_ascii_uppercase();
            let severity =
                if last(&offered.protocol) == last(&answered.protocol) { Severity::Info } else { Severity::Error };
            let message = format!("the offer has {} and the answer {}", offered.protocol, answered.protocol);
            self.say("NEG003", severity, self.section(), message, "RFC 3264 section 6");
        }
        if let (Some(one), Some(other)) = (&offered.mid, &answered.mid)
            && one != other
        {
            let message = format!("the offer has a=mid:{one} here and the answer a=mid:{other}");
            self.say("NEG004", Severity::Error, self.at("mid"), message, "RFC 5888 section 9");
        }
    }

    /// Whether a side refused the media.
    fn rejected(&mut self, agreed: &Agreed) -> bool {
        match agreed.rejected_by {
            Some(Side::Answerer) => {
                let reason = if self.offered.is_rtp() && agreed.codecs.is_empty() {
                    "; none of its codecs is one of the answer's"
                } else {
                    ""
                };
                let message = format!("the answer refuses the {} (port 0){reason}", self.offered.kind.name());
                self.say("NEG005", Severity::Warning, self.section(), message, "RFC 3264 section 6");
            }
            Some(Side::Offerer) if !self.answered.rejected => {
                let message = "the offer gives the media up (port 0), but the answer takes it";
                self.say("NEG005", Severity::Error, self.section(), message, "RFC 3264 section 6");
            }
            _ => {}
        }
        agreed.rejected_by.is_some()
    }

    fn codecs(&mut self, agreed: &Agreed) {
        if !self.offered.is_rtp() || !self.answered.is_rtp() {
            return;
        }
        let media = |codec: &&Codec| codec.role == CodecRole::Media;
        let is_agreed =
            |codec: &&Codec| agreed.codecs.iter().any(|common| common.answer_payload_type == codec.payload_type);
        if !self.answered.codecs.iter().filter(media).any(|codec| is_agreed(&codec)) {
            let message = "the two sides have no codec in common";
            self.say("NEG006", Severity::Error, self.section(), message, "RFC 3264 section 6.1");
        }
        let (offered, answered) = (self.offered, self.answered);
        for codec in answered.codecs.iter().filter(|codec| !is_agreed(codec)) {
            let at = (Some(offered.line), Some(codec.line));
            let name = codec.encoding();
            let same: Vec<&Codec> = offered.codecs.iter().filter(|offer| codecs::same_encoding(offer, codec)).collect();
            let differing = same.iter().find_map(|offer| Some((*offer, codecs::difference(offer, codec)?)));
            if let Some((offer, parameter)) = differing {
                let value = |codec: &Codec| codec.parameter(parameter).unwrap_or("the default").to_owned();
                let message = format!(
                    "{name}: {parameter} is {} in the offer ({}) and {} in the answer ({})",
                    value(offer),
                    offer.payload_type,
                    value(codec),
                    codec.payload_type
                );
                self.say("NEG007", Severity::Error, (Some(offer.line), at.1), message, "RFC 6184 section 8.2.2");
            } else if codec.role == CodecRole::Media || same.is_empty() {
                let message = format!("the answer has {name} ({}), which the offer does not", codec.payload_type);
                self.say("NEG008", Severity::Warning, at, message, "RFC 3264 section 6.1");
            }
        }
        for common in agreed.codecs.iter().filter(|one| one.offer_payload_type != one.answer_payload_type).take(8) {
            let message = format!(
                "{} is payload type {} in the offer and {} in the answer",
                common.encoding, common.offer_payload_type, common.answer_payload_type
            );
            self.say("NEG009", Severity::Warning, self.section(), message, "RFC 3264 section 6.1");
        }
        self.opus(agreed);
    }

    /// Opus parameters are wishes of the receiver: none stops a call, but one side may wonder (RFC 7587 section 7).
    fn opus(&mut self, agreed: &Agreed) {
        let common = agreed.codecs.iter().find(|codec| codec.encoding.to_ascii_lowercase().starts_with("opus/"));
        let Some(common) = common else { return };
        let offer = self.offered.codec(common.offer_payload_type);
        let (Some(offer), Some(answer)) = (offer, self.answered.codec(common.answer_payload_type)) else { return };
        for name in ["stereo", "usedtx", "useinbandfec", "cbr"] {
            let value = |codec: &Codec| codec.parameter(name).unwrap_or("0").to_owned();
            if value(offer) != value(answer) {
                let message =
                    format!("opus: {name} is {} in the offer and {} in the answer", value(offer), value(answer));
                self.say(
                    "NEG010",
                    Severity::Info,
                    (Some(offer.line), Some(answer.line)),
                    message,
                    "RFC 7587 section 7.1",
                );
            }
        }
    }

    fn directions(&mut self, agreed: &Agreed) {
        if !self.offered.is_rtp() {
            return;
        }
        let (offered, answered) = (self.offered.direction, self.answered.direction);
        let at = self.at(answered.name());
        let at = (self.at(offered.name()).0, at.1);
        let exceeds = answered.sends() && !offered.receives() || answered.receives() && !offered.sends();
        if exceeds && self.answered.direction_written {
            let message = format!("the answer is {} to an offer that is {}", answered.name(), offered.name());
            self.say("NEG011", Severity::Error, at, message, "RFC 3264 section 6.1");
        } else if exceeds {
            let message =
                format!("the answer gives no direction, which is sendrecv, to an offer that is {}", offered.name());
            self.say("NEG011", Severity::Warning, at, message, "RFC 3264 section 6.1");
        }
        if let Some(side) = agreed.hold {
            let message = format!("the {} puts the other side on hold", side.name());
            self.say("NEG012", Severity::Info, at, message, "RFC 3264 section 8.4");
        } else if !agreed.direction.sends() && !agreed.direction.receives() {
            self.say("NEG012", Severity::Info, at, "no media flows either way", "RFC 3264 section 6.1");
        }
    }

    fn extensions(&mut self) {
        for extension in &self.answered.extensions {
            let offered = self.offered.extensions.iter().filter(|offered| offered.uri == extension.uri);
            let mut offered = offered.peekable();
            let at = (Some(self.offered.line), Some(extension.line));
            match offered.peek().copied() {
                None => {
                    let message =
                        format!("the answer has header extension {}, which the offer does not", extension.uri);
                    self.say("NEG013", Severity::Warning, at, message, "RFC 8285 section 6");
                }
                Some(first) if offered.all(|offered| offered.id != extension.id) && first.id < 4096 => {
                    let message = format!(
                        "header extension {} is {} in the offer and {} in the answer",
                        extension.uri, first.id, extension.id
                    );
                    self.say("NEG014", Severity::Error, (Some(first.line), at.1), message, "RFC 8285 section 6");
                }
                Some(_) => {}
            }
        }
    }

    fn dtls(&mut self) {
        let (one, other) = (self.offer.transport_of(self.offered), self.answer.transport_of(self.answered));
        // What is bundled is said once, of the media whose transport it is.
        if other.index != self.answered.index {
            return;
        }
        let at = self.at("setup");
        let reference = "RFC 8842 section 5.3, RFC 4145 section 4";
        match (one.setup, other.setup) {
            (Some(Setup::Active), Some(Setup::Active)) | (Some(Setup::Passive), Some(Setup::Passive)) => {
                let word = one.setup.map_or("", Setup::name);
                let message = format!("both sides say a=setup:{word}: DTLS cannot begin");
                self.say("NEG017", Severity::Error, at, message, reference);
            }
            (_, Some(Setup::Actpass)) => {
                let message = "the answer says a=setup:actpass and chooses no role: DTLS may not begin";
                self.say("NEG018", Severity::Error, at, message, reference);
            }
            _ => {}
        }
        let at = self.at("fingerprint");
        if one.fingerprints.is_empty() != other.fingerprints.is_empty() && (one.is_dtls() || other.is_dtls()) {
            let side = if one.fingerprints.is_empty() { "offer" } else { "answer" };
            let message = format!("the {side} has no a=fingerprint, and the other side has one");
            self.say("NEG019", Severity::Error, at, message, "RFC 8842 section 5");
        }
    }

    fn ice(&mut self) {
        let (one, other) = (self.offer.transport_of(self.offered), self.answer.transport_of(self.answered));
        if other.index != self.answered.index || one.ice_ufrag.is_some() == other.ice_ufrag.is_some() {
            return;
        }
        let side = if one.ice_ufrag.is_none() { "offer" } else { "answer" };
        // A peer that does no ICE is reached without (RFC 8839 section 4.2.4), but not by a browser.
        let severity = if self.offered.is_dtls() { Severity::Error } else { Severity::Warning };
        let message = format!("the {side} has no ICE user fragment, and the other side has one");
        self.say("NEG020", severity, self.at("ice-ufrag"), message, "RFC 8839 section 4.2");
    }

    fn sdes(&mut self) {
        let (offered, answered) = (self.offered, self.answered);
        for crypto in &answered.crypto {
            let at = (offered.crypto.first().map(|crypto| crypto.line), Some(crypto.line));
            match offered.crypto.iter().find(|offer| offer.tag == crypto.tag) {
                None => {
                    let message = format!("the answer takes a=crypto:{}, which the offer does not have", crypto.tag);
                    self.say("NEG021", Severity::Error, at, message, "RFC 4568 section 5.1.2");
                }
                Some(offer) if offer.suite != crypto.suite => {
                    let message = format!(
                        "a=crypto:{} is {} in the offer and {} in the answer",
                        crypto.tag, offer.suite, crypto.suite
                    );
                    self.say("NEG021", Severity::Error, (Some(offer.line), at.1), message, "RFC 4568 section 5.1.2");
                }
                Some(_) => {}
            }
        }
        if !offered.crypto.is_empty() && answered.crypto.is_empty() && !answered.is_dtls() {
            let at = (offered.crypto.first().map(|crypto| crypto.line), Some(answered.line));
            self.say(
                "NEG021",
                Severity::Error,
                at,
                "the answer takes no a=crypto of the offer",
                "RFC 4568 section 5.1.2",
            );
        }
    }

    fn multiplexing(&mut self) {
        if self.offered.rtcp_mux_only && !self.answered.rtcp_mux && !self.answered.rtcp_mux_only {
            let message = "the offer takes RTCP on RTP's port only, and the answer does not agree to that";
            self.say("NEG022", Severity::Error, self.at("rtcp-mux-only"), message, "RFC 8858 section 4.2");
        } else if self.answered.rtcp_mux && !self.offered.rtcp_mux && !self.offered.rtcp_mux_only {
            let message = "the answer has a=rtcp-mux, which the offer does not";
            self.say("NEG022", Severity::Error, self.at("rtcp-mux"), message, "RFC 5761 section 5.1.1");
        }
        let is_bundled = self.answer.bundle_of(self.answered).is_some();
        if self.offered.bundle_only && !is_bundled && !self.answered.rejected {
            let message = "the offer takes this media only if bundled, and the answer does not bundle it";
            self.say("NEG015", Severity::Error, self.at("bundle-only"), message, "RFC 8843 section 7.3");
        }
    }

    fn streams(&mut self, agreed: &Agreed) {
        if self.offered.simulcast.is_some() && self.answered.simulcast.is_none() {
            let message = "the answer takes no simulcast: one stream is sent";
            self.say("NEG023", Severity::Info, self.at("simulcast"), message, "RFC 8853 section 5.3");
        } else if self.offered.simulcast.is_none() && self.answered.simulcast.is_some() {
            let message = "the answer has simulcast, which the offer does not";
            self.say("NEG023", Severity::Error, self.at("simulcast"), message, "RFC 8853 section 5.3.2");
        }
        let ports = agreed.data_channel.as_ref().map(|channel| channel.ports);
        if let Some((None, _) | (_, None)) = ports {
            let message = "a side gives no SCTP port (a=sctp-port or a=sctpmap)";
            self.say("NEG024", Severity::Warning, self.at("sctp-port"), message, "RFC 8841 section 5");
        }
    }
}
