//! What SIP says of a call beside the media (RFC 3261 sections 13 to 15).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    flow::{
        signalling::{SipRequest, SipResponse},
        tcp::Mark,
    },
    time::NANOS_PER_SECOND,
};

/// An INVITE that was sent so often, over such a time, was not answered: timer A begins with half a second and doubles.
const INVITES: u64 = 4;
const INVITE_TIME: i64 = 3 * NANOS_PER_SECOND;

/// Methods and status codes that are counted by name.
const NAMES: usize = 64;

/// A SIP call: all dialogs of one Call-ID that an INVITE made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialog {
    /// Its Call-ID.
    pub call_id: String,
    /// Who calls: the address of From in the first request.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// The tag of the caller.
    pub caller_tag: Option<String>,
    /// Requests by method, sent again ones included.
    pub requests: BTreeMap<String, u64>,
    /// Responses by status code, sent again ones included.
    pub responses: BTreeMap<u16, u64>,
    /// The first INVITE.
    pub invited: Option<Mark>,
    /// The last INVITE, sent again or anew.
    pub last_invite: Option<Mark>,
    /// The first 180 or 183.
    pub ringing: Option<Mark>,
    /// The first success of an INVITE.
    pub accepted: Option<Mark>,
    /// The last refusal of an INVITE: status, phrase, Reason or Warning.
    pub refused: Option<(u16, String, Option<String>, Mark)>,
    /// How it ended.
    pub ended: Option<Ending>,
    /// The called ends that answered, for now or for good: more than one is a fork (RFC 3261 section 12.1).
    pub forks: Vec<Fork>,
    /// CSeq numbers of INVITEs that were answered with 401 or 407: credentials were asked for.
    pub challenged: BTreeSet<u32>,
}

/// One end of those that an INVITE was forked to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fork {
    /// Its tag.
    pub tag: String,
    /// Its address: Contact.
    pub contact: Option<String>,
    /// Its first provisional response.
    pub ringing: Option<Mark>,
    /// Its first success.
    pub accepted: Option<Mark>,
    /// Its refusal: status and packet. 487 after another accepted.
    pub refused: Option<(u16, Mark)>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// `BYE` or `CANCEL`.
    pub method: &'static str,
    /// Whether the caller sent it.
    pub by_caller: bool,
    /// Its Reason (RFC 3326).
    pub reason: Option<String>,
    /// The packet.
    pub mark: Mark,
}

impl Dialog {
    pub(super) fn push_request(&mut self, request: &SipRequest, mark: Mark) {
        if self.call_id.is_empty() {
            self.call_id.clone_from(&request.dialog.call_id);
            self.from.clone_from(&request.dialog.from);
            self.to.clone_from(&request.dialog.to);
            self.caller_tag.clone_from(&request.dialog.from_tag);
        }
        if self.requests.len() < NAMES || self.requests.contains_key(&request.method) {
            *self.requests.entry(request.method.clone()).or_default() += 1;
        }
        let method = match request.method.as_str() {
            "INVITE" => {
                self.invited.get_or_insert(mark);
                self.last_invite = Some(mark);
                return;
            }
            "BYE" => "BYE",
            "CANCEL" => "CANCEL",
            _ => return,
        };
        let by_caller = request.dialog.from_tag == self.caller_tag;
        self.ended.get_or_insert(Ending { method, by_caller, reason: request.reason.clone(), mark });
    }

    pub(super) fn push_response(&mut self, response: &SipResponse, mark: Mark) {
        if self.call_id.is_empty() {
            self.call_id.clone_from(&response.dialog.call_id);
            self.from.clone_from(&response.dialog.from);
            self.to.clone_from(&response.dialog.to);
            self.caller_tag.clone_from(&response.dialog.from_tag);
        }
        if self.responses.len() < NAMES || self.responses.contains_key(&response.status) {
            *self.responses.entry(response.status).or_default() += 1;
        }
        if response.dialog.cseq_method != "INVITE" {
            return;
        }
        match response.status {
            180 | 183 => {
                self.ringing.get_or_insert(mark);
            }
            200..=299 => {
                self.accepted.get_or_insert(mark);
            }
            300.. => {
                let challenge = response.dialog.cseq.filter(|_| matches!(response.status, 401 | 407));
                self.challenged.extend(challenge.filter(|_| self.challenged.len() < NAMES));
                let why = response.reason.clone().or_else(|| response.warning.clone());
                self.refused = Some((response.status, response.phrase.clone(), why, mark));
            }
            _ => {}
        }
        self.push_fork(response, mark);
    }

    /// Notes which of the called ends a response is from. The called end may send INVITEs too: their answers are the
    /// caller's.
    fn push_fork(&mut self, response: &SipResponse, mark: Mark) {
        let is_caller = response.dialog.from_tag == self.caller_tag;
        let Some(tag) = response.dialog.to_tag.as_ref().filter(|_| is_caller) else { return };
        if !self.forks.iter().any(|fork| fork.tag == *tag) {
            // A refusal alone makes no dialog.
            if !(101..300).contains(&response.status) || self.forks.len() >= NAMES {
                return;
            }
            self.forks.push(Fork { tag: tag.clone(), ..Fork::default() });
        }
        let Some(fork) = self.forks.iter_mut().find(|fork| fork.tag == *tag) else { return };
        if response.contact.is_some() {
            fork.contact.clone_from(&response.contact);
        }
        match response.status {
            ..200 => {
                fork.ringing.get_or_insert(mark);
            }
            200..300 => {
                fork.accepted.get_or_insert(mark);
            }
            status => {
                fork.refused.get_or_insert((status, mark));
            }
        }
    }

    /// Whether the called end with this tag accepted.
    #[must_use]
    pub fn has_accepted(&self, tag: &str) -> bool {
        self.forks.iter().any(|fork| fork.tag == tag && fork.accepted.is_some())
    }

    /// Whether the call came to nothing: refused, and not accepted. A single challenge is none: the caller answers it.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let refused = match self.refused {
            Some((401 | 407, ..)) => self.challenged.len() > 1,
            Some((status, ..)) => status >= 400,
            None => self.is_unanswered(),
        };
        refused && self.accepted.is_none()
    }

    /// Whether nobody answered: over UDP the INVITE is sent again until something does (RFC 3261 section 17.1.1.2), so
    /// that its sender had no answer, whatever the capture lacks.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        let invites = self.requests.get("INVITE").copied().unwrap_or_default();
        let time = self.last_invite.zip(self.invited).map(|((last, _), (first, _))| last.since(first));
        self.responses.is_empty() && invites >= INVITES && time >= Some(INVITE_TIME)
    }
}
