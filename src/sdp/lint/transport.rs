//! ICE, DTLS and SDES.

use super::{Dialect, Role, Rules};
use crate::sdp::{candidate::CandidateType, description::Media, note::Severity, security::Setup};

/// Characters of a user fragment and of a password (RFC 8839 section 5.4).
const SHORTEST_UFRAG: usize = 4;
const SHORTEST_PWD: usize = 22;

impl Rules<'_> {
    pub(super) fn transport(&mut self, media: &Media) {
        // Behind the first of a BUNDLE group, transport attributes may be left out (RFC 8843 section 7.1.3).
        let transport = self.description.transport_of(media);
        let is_own = transport.index == media.index;
        if is_own && (self.dialect.is_webrtc() || media.ice_ufrag.is_some() || media.ice_pwd.is_some()) {
            self.ice(media);
            self.candidates(media);
        }
        if is_own {
            self.dtls(media);
        }
        self.fingerprints(media);
        self.sdes(media);
        let protocol = media.protocol.to_ascii_uppercase();
        if self.dialect.is_webrtc() && media.is_rtp() && !protocol.ends_with("TLS/RTP/SAVPF") {
            let severity =
                if protocol.contains("TLS") || protocol.contains("SAVP") { Severity::Info } else { Severity::Error };
            let message = format!("{} is not UDP/TLS/RTP/SAVPF", media.protocol);
            self.say("SDP054", severity, (Some(media.line), Some(media.index)), message, "RFC 8829 section 5.1.2");
        }
        if self.dialect.is_webrtc() && media.is_rtp() && is_own && !media.rtcp_mux && !media.bundle_only {
            let at = (Some(media.line), Some(media.index));
            self.say("SDP055", Severity::Warning, at, "there is no a=rtcp-mux", "RFC 8834 section 4.5");
        }
    }

    fn ice(&mut self, media: &Media) {
        const REFERENCE: &str = "RFC 8839 section 5.4";
        let fields = [("ice-ufrag", &media.ice_ufrag, SHORTEST_UFRAG), ("ice-pwd", &media.ice_pwd, SHORTEST_PWD)];
        for (name, value, least) in fields {
            let at = self.at(media, name);
            match value {
                None => self.say("SDP041", Severity::Error, at, format!("there is no a={name}"), REFERENCE),
                Some(value) if value.len() < least => {
                    let message = format!("a={name} has {} characters, and must have at least {least}", value.len());
                    self.say("SDP042", Severity::Error, at, message, REFERENCE);
                }
                Some(_) => {}
            }
        }
    }

    fn candidates(&mut self, media: &Media) {
        let at = (Some(media.line), Some(media.index));
        let trickles = media.ice_options.iter().any(|option| option == "trickle");
        let first = media.candidates.first().map(|candidate| candidate.line);
        if first.is_none() {
            // Port 9 says that candidates will come, whether or not the option is there (RFC 8840 section 4.1).
            if media.end_of_candidates || !trickles && media.port != 9 {
                let severity = if self.dialect.is_webrtc() { Severity::Warning } else { Severity::Info };
                let message = "there is no candidate, and none is to come";
                self.say("SDP043", severity, at, message, "RFC 8839 section 5.1");
            }
            return;
        }
        let at = (first, Some(media.index));
        let all = |scopes: &[&str]| {
            media
                .candidates
                .iter()
                .all(|candidate| scopes.contains(&candidate.address.scope()) && candidate.kind == CandidateType::Host)
        };
        // More may come: only worth knowing.
        let reach = if all(&["loopback"]) {
            Some("the only candidates are of the loopback: only this very host reaches them")
        } else if all(&["mdns"]) {
            Some("the only candidates are mDNS names, which only peers in the same network can resolve")
        } else if all(&["private", "mdns", "link-local", "unique-local", "loopback", "cgn"]) {
            Some("the only candidates are private: peers elsewhere need another, from STUN or TURN")
        } else {
            None
        };
        if let Some(message) = reach {
            self.say("SDP044", Severity::Info, at, message, "RFC 8445 section 5.1.1");
        }
    }

    fn dtls(&mut self, media: &Media) {
        let at = self.at(media, "fingerprint");
        if media.is_dtls() && media.fingerprints.is_empty() {
            let message = "there is no a=fingerprint: the peer cannot know whose certificate to take";
            self.say("SDP050", Severity::Error, at, message, "RFC 8122 section 5");
        }
        if !media.is_dtls() {
            return;
        }
        let at = self.at(media, "setup");
        match (media.setup, self.role) {
            (None, Some(Role::Answer)) => {
                self.say("SDP052", Severity::Error, at, "the answer has no a=setup", "RFC 8842 section 5.3");
            }
            (None, _) => {
                self.say("SDP052", Severity::Warning, at, "there is no a=setup", "RFC 8842 section 5.2");
            }
            (Some(Setup::Actpass), Some(Role::Answer)) => {
                let message = "the answer says a=setup:actpass, and must choose active or passive";
                self.say("SDP052", Severity::Error, at, message, "RFC 8842 section 5.3");
            }
            (Some(Setup::Active | Setup::Passive), Some(Role::Offer)) if self.dialect == Dialect::Whip => {
                let message = "an offer should say a=setup:actpass and leave the choice to the answer";
                self.say("SDP052", Severity::Warning, at, message, "RFC 9725 section 4.4.2");
            }
            (Some(Setup::Active | Setup::Passive), Some(Role::Offer)) => {
                let message = "an offer should say a=setup:actpass and leave the choice to the answer";
                self.say("SDP052", Severity::Info, at, message, "RFC 8842 section 5.2");
            }
            _ => {}
        }
    }

    fn fingerprints(&mut self, media: &Media) {
        // Those of the session are said once.
        let own = media.fingerprints.iter().filter(|one| one.line > media.line || media.index == 0);
        for fingerprint in own {
            let at = (Some(fingerprint.line), Some(media.index));
            let (hash, length) = (&fingerprint.hash, fingerprint.value.len());
            match fingerprint.expected_length() {
                None => {
                    let message = format!("the hash {hash} is not known");
                    self.say("SDP051", Severity::Warning, at, message, "RFC 8122 section 5");
                }
                Some(expected) if expected != length => {
                    let message = format!("a fingerprint of {hash} has {expected} bytes, and this one has {length}");
                    self.say("SDP051", Severity::Error, at, message, "RFC 8122 section 5");
                }
                Some(length) if length < 32 => {
                    let message = format!("the hash {hash} is weak");
                    self.say("SDP051", Severity::Warning, at, message, "RFC 8122 section 5, RFC 8827 section 6.5");
                }
                Some(_) => {}
            }
        }
    }

    fn sdes(&mut self, media: &Media) {
        let Some(crypto) = media.crypto.first() else { return };
        let at = (Some(crypto.line), Some(media.index));
        if self.dialect.is_webrtc() {
            let message = "a=crypto stands beside DTLS: browsers ignore or refuse it";
            self.say("SDP053", Severity::Warning, at, message, "RFC 8827 section 6.5");
        } else {
            let message = "the SRTP key stands in the description: whoever reads the signalling can decrypt the media";
            self.say("SDP056", Severity::Info, at, message, "RFC 4568 section 8.3");
        }
        let mut tags: Vec<u32> = Vec::new();
        for crypto in &media.crypto {
            if tags.contains(&crypto.tag) {
                let message = format!("two a=crypto lines have the tag {}", crypto.tag);
                self.say(
                    "SDP057",
                    Severity::Error,
                    (Some(crypto.line), Some(media.index)),
                    message,
                    "RFC 4568 section 9.1",
                );
            }
            tags.push(crypto.tag);
        }
    }
}
