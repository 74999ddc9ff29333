//! The connectivity checks that one end of a path sent, and the consent it got.

use crate::{
    flow::transaction::{Moment, Open, Requests},
    time::{NANOS_PER_SECOND, PacketId, Timestamp},
    wire::{Endpoint, stun::method},
};

use super::Said;

/// Consent to send is lost after so long without an answer (RFC 7675 section 5.1).
const CONSENT: i64 = 30 * NANOS_PER_SECOND;

/// Characters of a SOFTWARE attribute that are kept; RFC 8489 section 14.14 allows 127.
const SOFTWARE: usize = 127;

/// The part of an agent (RFC 8445 section 6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It nominates.
    Controlling,
    /// It waits for a nomination.
    Controlled,
}

impl Role {
    /// The word of W3C's `RTCIceRole`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Controlling => "controlling",
            Self::Controlled => "controlled",
        }
    }
}

/// The user fragments of both ends, from one restart to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The lower end's fragment.
    pub low: Box<str>,
    /// The higher end's.
    pub high: Box<str>,
    /// The first check with them.
    pub first: Moment,
}

/// Checks that one end sent.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// Checks and their answers, GOOG-PING included.
    pub requests: Requests,
    /// GOOG-PING requests among them.
    pub google_pings: u64,
    /// The role it claimed last, and the tie-breaker.
    pub role: Option<(Role, u64)>,
    /// How often it changed its role.
    pub role_changes: u64,
    /// PRIORITY: that of the peer-reflexive candidate a check would make (RFC 8445 section 7.1.1).
    pub priority: Option<u32>,
    /// libwebrtc's network id and cost (0 least, 999 most).
    pub network: Option<(u16, u16)>,
    /// The first check that nominated.
    pub nominated: Option<Moment>,
    /// The first answer with success to a check that nominated.
    pub nomination_answered: Option<Moment>,
    /// Checks before the one that nominated; 0 is aggressive nomination (RFC 5245 section 8.1.1.2).
    pub checks_before_nomination: u64,
    /// The last counter of libwebrtc's NOMINATION attribute, and how often it rose: renominations.
    pub nomination: Option<u32>,
    /// How often it rose.
    pub renominations: u64,
    /// Checks sent after the first success: consent checks (RFC 7675).
    pub consent_requests: u64,
    /// The longest time between two successes, or from a success to the last check without one; nanoseconds.
    pub longest_consent_gap: i64,
    /// When consent was lost: 30 s after a success while checks went on unanswered.
    pub consent_expired: Option<Timestamp>,
    /// The address that the other end saw the checks come from, where it is not the one in the capture.
    pub reflexive: Option<(Endpoint, PacketId)>,
    /// SOFTWARE.
    pub software: Option<Box<str>>,
    /// Checks since the last success.
    unanswered_in_row: u64,
}

impl Checks {
    /// Whether the end moved its nomination to this path, or nominated it anew. libwebrtc counts over all paths of an
    /// agent, from 1: a counter above that replaces another path's (draft-thatcher-ice-renomination).
    #[must_use]
    pub fn is_renominated(&self) -> bool {
        self.renominations > 0 || self.nomination.is_some_and(|counter| counter > 1)
    }

    pub(super) fn push_request(&mut self, method: u16, said: &Said<'_>, now: Moment) {
        self.note_silence(now.0, self.unanswered_in_row);
        if said.nominates && self.nominated.is_none() {
            self.nominated = Some(now);
            self.checks_before_nomination = self.requests.sent;
        }
        if let Some(counter) = said.nomination {
            self.renominations += u64::from(self.nomination.is_some_and(|before| counter > before));
            self.nomination = Some(counter);
        }
        self.requests.sent(now);
        self.google_pings += u64::from(method == method::GOOG_PING);
        self.consent_requests += u64::from(self.requests.first_success.is_some());
        self.unanswered_in_row += 1;
        if let Some((role, tie_breaker)) = said.role {
            self.role_changes += u64::from(self.role.is_some_and(|(before, _)| before != role));
            self.role = Some((role, tie_breaker));
        }
        self.priority = said.priority.or(self.priority);
        self.network = said.network.or(self.network);
        self.note_software(said.software);
    }

    pub(super) fn push_answer<Note>(&mut self, request: &Open<Note>, success: bool, nominates: bool, now: Moment) {
        if success {
            // The check that is answered now has asked in vain only before.
            self.note_silence(now.0, self.unanswered_in_row.saturating_sub(1));
            self.unanswered_in_row = 0;
            if nominates {
                self.nomination_answered.get_or_insert(now);
            }
        }
        self.requests.answered(request, success, now);
    }

    /// Checks since the last answer with success, those sent again left out.
    #[must_use]
    pub const fn unanswered_in_row(&self) -> u64 {
        self.unanswered_in_row
    }

    pub(super) fn finish(&mut self, end: Timestamp) {
        // An agent that lost consent stops asking; what else the flow carried tells that time went on.
        if self.unanswered_in_row >= 3 {
            self.note_expiry(end);
        }
    }

    pub(super) fn note_software(&mut self, software: Option<&str>) {
        if let Some(software) = software.filter(|_| self.software.is_none()) {
            self.software = Some(software.chars().take(SOFTWARE).collect());
        }
    }

    /// Something of the checks happens `now`, and so many were not answered before: how long has there been no success?
    fn note_silence(&mut self, now: Timestamp, unanswered: u64) {
        if let Some((success, _)) = self.requests.last_success {
            self.longest_consent_gap = self.longest_consent_gap.max(now.since(success));
        }
        if unanswered > 0 {
            self.note_expiry(now);
        }
    }

    fn note_expiry(&mut self, now: Timestamp) {
        let Some((success, _)) = self.requests.last_success else { return };
        if now.since(success) > CONSENT {
            self.consent_expired.get_or_insert(Timestamp(success.0.saturating_add(CONSENT)));
        }
    }
}
