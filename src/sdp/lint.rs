//! Rules: what of a description breaks or strains the documents it should follow.
//!
//! Each has a code, a weight, a place and a reference. Codes up to `SDP009` come from reading the lines, `SDP01x` are
//! about the whole, `SDP02x` about formats, `SDP03x` header extensions, `SDP04x` ICE, `SDP05x` keys, `SDP06x` streams.

mod formats;
mod transport;

use std::collections::HashMap;

use super::{
    description::{Description, Media},
    note::{Lint, Severity},
};

/// Whose rules a description should follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Browsers and what talks to them (RFC 8829).
    Webrtc,
    /// Publishing and playing over HTTP (RFC 9725): WebRTC, and one round trip.
    Whip,
    /// Telephony (RFC 3264).
    Sip,
    /// Streaming (RFC 7826): descriptions are neither offers nor answers.
    Rtsp,
}

/// What a description is in the exchange (RFC 3264, RFC 8829 section 4.1.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It proposes.
    Offer,
    /// It accepts or refuses, for good or for now.
    Answer,
}

impl Dialect {
    /// The dialect that a description seems to be in.
    #[must_use]
    pub fn of(description: &Description) -> Self {
        let has = |name: &str| {
            let mut attributes = description.lines.iter().filter_map(|line| line.attribute());
            attributes.any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        if description.media.iter().any(|media| media.is_dtls() || media.ice_ufrag.is_some() && has("mid")) {
            Self::Webrtc
        } else if has("control") {
            Self::Rtsp
        } else {
            Self::Sip
        }
    }

    const fn is_webrtc(self) -> bool {
        matches!(self, Self::Webrtc | Self::Whip)
    }
}

/// What is wrong with a description: what was odd in reading it first, then in the order of its lines.
#[must_use]
pub fn lint(description: &Description, dialect: Dialect, role: Option<Role>) -> Vec<Lint> {
    let mut rules = Rules { description, dialect, role, lints: description.lints.clone() };
    rules.order();
    rules.session();
    rules.groups();
    rules.sources();
    for media in &description.media {
        rules.media(media);
        if !media.rejected {
            rules.formats(media);
            rules.extensions(media);
            rules.transport(media);
        }
    }
    rules.bundled_extensions();
    let mut lints = rules.lints;
    lints.sort_by_key(|lint| (lint.line.unwrap_or(usize::MAX), lint.column, lint.code));
    lints
}

struct Rules<'a> {
    description: &'a Description,
    dialect: Dialect,
    role: Option<Role>,
    lints: Vec<Lint>,
}

/// Where a lint is: a line, and the media section.
type At = (Option<usize>, Option<usize>);

impl Rules<'_> {
    fn say(
        &mut self,
        code: &'static str,
        severity: Severity,
        at: At,
        message: impl Into<String>,
        reference: &'static str,
    ) {
        let (line, media) = at;
        let lint = Lint { code, severity, line, column: line.map(|_| 1), media, message: message.into(), reference };
        self.lints.push(lint);
    }

    /// The line of an attribute of a section, else that of its `m=`.
    fn at(&self, media: &Media, name: &str) -> At {
        let own = self.description.line_of(Some(media.index), name);
        (own.or_else(|| self.description.line_of(None, name)).or(Some(media.line)), Some(media.index))
    }

    /// Lines of the session in the order of RFC 8866 section 5, and none missing.
    fn order(&mut self) {
        const REFERENCE: &str = "RFC 8866 section 5";
        const ORDER: &str = "vosiuepcbtrzka";
        const MEDIA_ORDER: &str = "micbka";
        let mut last = (None, 0, ' ');
        let mut found = Vec::new();
        for line in &self.description.lines {
            let Some(kind) = line.kind() else { continue };
            let order = if line.media.is_some() { MEDIA_ORDER } else { ORDER };
            // Repetitions may follow each time.
            let Some(place) = order.find(if kind == 'r' { 't' } else { kind }) else { continue };
            let (section, before, letter) = last;
            if section == line.media && place < before {
                found.push(((Some(line.number), line.media), format!("{kind}= stands behind {letter}=")));
            }
            last = (line.media, place, kind);
        }
        for (at, message) in found.into_iter().take(8) {
            self.say("SDP010", Severity::Warning, at, message, REFERENCE);
        }
        let has =
            |kind: char| self.description.lines.iter().any(|line| line.media.is_none() && line.kind() == Some(kind));
        let missing: Vec<char> = ['v', 'o', 's', 't'].into_iter().filter(|kind| !has(*kind)).collect();
        for kind in missing {
            self.say("SDP011", Severity::Warning, (None, None), format!("there is no {kind}= line"), REFERENCE);
        }
        let first = self.description.lines.first().filter(|line| line.kind() != Some('v')).map(|line| line.number);
        if let (Some(number), true) = (first, has('v')) {
            self.say("SDP010", Severity::Warning, (Some(number), None), "v= is not the first line", REFERENCE);
        }
    }

    fn session(&mut self) {
        if self.description.media.is_empty() {
            self.say("SDP012", Severity::Info, (None, None), "there is no media", "RFC 8866 section 5.14");
        }
        if let Some(candidate) = self.description.candidates.first() {
            let at = (Some(candidate.line), None);
            let message = "a candidate stands at session level, where it belongs to no media";
            self.say("SDP040", Severity::Warning, at, message, "RFC 8839 section 5.1");
        }
        if self.description.lines_omitted > 0 {
            let message = format!("{} lines more were not looked at", self.description.lines_omitted);
            self.say("SDP005", Severity::Warning, (None, None), message, "RFC 8866 section 5");
        }
    }

    /// Identification tags and the groups that name them.
    fn groups(&mut self) {
        const REFERENCE: &str = "RFC 5888 section 4";
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for media in &self.description.media {
            let Some(mid) = media.mid.as_deref() else {
                if self.dialect.is_webrtc() {
                    let at = (Some(media.line), Some(media.index));
                    self.say("SDP013", Severity::Warning, at, "the media has no a=mid", "RFC 8829 section 5.2.1");
                }
                continue;
            };
            if let Some(first) = seen.insert(mid, media.index) {
                let message = format!("a=mid:{mid} is that of media {first} too");
                self.say("SDP014", Severity::Error, self.at(media, "mid"), message, REFERENCE);
            }
        }
        for group in &self.description.groups {
            let unknown: Vec<&str> =
                group.mids.iter().map(String::as_str).filter(|mid| !seen.contains_key(mid)).take(8).collect();
            if !unknown.is_empty() {
                let message = format!("group {} names {}, which no media has", group.semantics, unknown.join(", "));
                self.say("SDP015", Severity::Error, (Some(group.line), None), message, REFERENCE);
            }
        }
    }

    /// A source is of one media only, within what shares a transport.
    fn sources(&mut self) {
        let mut seen: HashMap<u32, &Media> = HashMap::new();
        for media in &self.description.media {
            for source in &media.sources {
                let Some(first) = seen.insert(source.ssrc, media) else { continue };
                if first.index != media.index {
                    let message = format!("SSRC {} is in media {} too", source.ssrc, first.index);
                    let at = (Some(source.line), Some(media.index));
                    self.say("SDP060", Severity::Error, at, message, "RFC 5576 section 4.1, RFC 3550 section 8");
                }
            }
        }
    }

    fn media(&mut self, media: &Media) {
        let at = (Some(media.line), Some(media.index));
        if media.bundle_only && media.port != 0 {
            let message = format!("a=bundle-only stands beside port {} and not 0", media.port);
            self.say("SDP016", Severity::Warning, at, message, "RFC 8843 section 6");
        }
        if media.rejected && self.role == Some(Role::Offer) {
            self.say("SDP017", Severity::Info, at, "the offer gives this media up (port 0)", "RFC 3264 section 8.2");
        }
        let directions = self.description.lines.iter().filter(|line| line.media == Some(media.index));
        let directions: Vec<usize> = directions
            .filter(|line| line.attribute().is_some_and(|(name, _)| super::tolerant::direction(name).is_some()))
            .map(|line| line.number)
            .collect();
        if let [_, second, ..] = directions[..] {
            let at = (Some(second), Some(media.index));
            self.say(
                "SDP018",
                Severity::Warning,
                at,
                "the direction is given twice; the last counts",
                "RFC 8866 section 6.7",
            );
        }
        if media.is_data_channel() && media.max_message_size == Some(0) {
            let at = self.at(media, "max-message-size");
            let message = "a=max-message-size:0 takes messages of any size, which many implementations do not mean";
            self.say("SDP019", Severity::Info, at, message, "RFC 8841 section 6.1");
        }
        for (name, value) in [("ptime", media.ptime), ("maxptime", media.maxptime)] {
            let Some(milliseconds) = value.filter(|milliseconds| !(1..=240).contains(milliseconds)) else { continue };
            let message = format!("a={name}:{milliseconds} is an odd length of a packet");
            self.say("SDP061", Severity::Warning, self.at(media, name), message, "RFC 8866 section 6.4");
        }
        if let (Some(ptime), Some(most)) = (media.ptime, media.maxptime)
            && ptime > most
        {
            let message = format!("a=ptime:{ptime} is more than a=maxptime:{most}");
            self.say("SDP061", Severity::Warning, self.at(media, "ptime"), message, "RFC 8866 section 6.4");
        }
        self.simulcast(media);
    }

    fn simulcast(&mut self, media: &Media) {
        let Some(simulcast) = &media.simulcast else { return };
        let lists = [(true, &simulcast.send, "send"), (false, &simulcast.receive, "recv")];
        for (sends, list, word) in lists {
            for layer in list.iter().flatten() {
                if !media.rids.iter().any(|rid| rid.id == layer.rid && rid.sends == sends) {
                    let message = format!("a=simulcast names \"{}\", which no a=rid of {word} defines", layer.rid);
                    self.say("SDP062", Severity::Error, self.at(media, "simulcast"), message, "RFC 8853 section 5.2");
                }
            }
        }
    }
}
