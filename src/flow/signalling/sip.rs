//! SIP messages (RFC 3261), whatever they come over.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, BuildHasherDefault},
    sync::Arc,
};

use rustc_hash::FxHasher;

use super::{
    Content, Context, Dialog, SipRequest, SipResponse,
    body::{self, Body},
    head::{Head, parameter, split_outside},
    out::{Origin, Out},
};
use crate::sdp::DescriptionKind;

/// INVITEs without a description that are remembered: the response to one has the offer (RFC 3264 section 4).
const EMPTY_INVITES: usize = 1024;

const VERSION: &str = "SIP/2.0";

/// What a reader of SIP remembers from message to message.
#[derive(Debug, Default)]
pub struct Sip {
    empty_invites: VecDeque<u64>,
}

impl Sip {
    /// Takes a message. `is_whole` tells whether all of its body was captured; where not, no description is in it.
    pub fn message(&mut self, head: &Head, bytes: &[u8], is_whole: bool, origin: Origin, out: &mut Out) {
        let dialog = Arc::new(dialog(head));
        let (contact, reason) = (head.first("contact").map(str::to_owned), head.first("reason").map(str::to_owned));
        let content_type = head.media_type();
        let kind = match start_line(&head.start) {
            Some(Start::Request { method, uri }) => {
                let kind = self.request_kind(method, &dialog, bytes.is_empty() && is_whole);
                let request = SipRequest {
                    method: method.to_owned(),
                    uri: uri.to_owned(),
                    dialog: Arc::clone(&dialog),
                    contact,
                    user_agent: head.first("user-agent").map(str::to_owned),
                    reason,
                    content_type,
                };
                out.add(origin, Content::SipRequest(Box::new(request)));
                kind
            }
            Some(Start::Response { status, phrase }) => {
                let kind = self.response_kind(status, &dialog);
                let response = SipResponse {
                    status,
                    phrase: phrase.to_owned(),
                    dialog: Arc::clone(&dialog),
                    contact,
                    user_agent: head.first("server").or_else(|| head.first("user-agent")).map(str::to_owned),
                    reason,
                    warning: head.first("warning").map(str::to_owned),
                    content_type,
                };
                out.add(origin, Content::SipResponse(Box::new(response)));
                kind
            }
            None => return,
        };
        if is_whole && !bytes.is_empty() && head.first("content-type").is_some() {
            let context = Context { dialog: Some(dialog), ..Context::default() };
            body::read(Body { bytes, content_type: head.first("content-type"), kind }, &context, origin, out);
        }
    }

    fn request_kind(&mut self, method: &str, dialog: &Dialog, is_empty: bool) -> Option<DescriptionKind> {
        match method {
            "INVITE" if is_empty => {
                if self.empty_invites.len() >= EMPTY_INVITES {
                    self.empty_invites.pop_front();
                }
                self.empty_invites.push_back(transaction(dialog));
                None
            }
            "INVITE" | "UPDATE" | "PRACK" => Some(DescriptionKind::Offer),
            "ACK" => Some(DescriptionKind::Answer),
            _ => None,
        }
    }

    fn response_kind(&self, status: u16, dialog: &Dialog) -> Option<DescriptionKind> {
        let is_of_negotiation = matches!(dialog.cseq_method.as_str(), "INVITE" | "UPDATE" | "PRACK");
        match status {
            _ if !is_of_negotiation => None,
            101..=299 if self.empty_invites.contains(&transaction(dialog)) => Some(DescriptionKind::Offer),
            101..=199 => Some(DescriptionKind::Pranswer),
            200..=299 => Some(DescriptionKind::Answer),
            _ => None,
        }
    }
}

/// What a start line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    /// A request.
    Request {
        /// Its method.
        method: &'a str,
        /// Its Request-URI.
        uri: &'a str,
    },
    /// A response.
    Response {
        /// Its status code.
        status: u16,
        /// Its reason phrase.
        phrase: &'a str,
    },
}

/// Reads a start line (RFC 3261 sections 7.1 and 7.2).
pub fn start_line(line: &str) -> Option<Start<'_>> {
    if let Some(rest) = line.strip_prefix(VERSION) {
        let (status, phrase) = rest.strip_prefix(' ')?.split_at_checked(3)?;
        let is_ended = phrase.is_empty() || phrase.starts_with(' ');
        let status = status.parse().ok().filter(|status| (100..700).contains(status) && is_ended)?;
        return Some(Start::Response { status, phrase: phrase.trim() });
    }
    let (method, rest) = line.split_once(' ')?;
    let (uri, version) = rest.rsplit_once(' ')?;
    let is_method = (1..=32).contains(&method.len())
        && method.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_' | b'.'));
    (is_method && version.trim_end() == VERSION && uri.contains(':'))
        .then_some(Start::Request { method, uri: uri.trim() })
}

/// Whether a datagram is SIP by its first line.
pub fn is_sip(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    str::from_utf8(line).is_ok_and(|line| start_line(line.trim_end_matches('\r')).is_some())
}

fn dialog(head: &Head) -> Dialog {
    let (from, to) = (head.first("from").unwrap_or_default(), head.first("to").unwrap_or_default());
    let cseq = head.first("cseq").unwrap_or_default();
    let (number, method) = cseq.split_once(char::is_whitespace).unwrap_or((cseq, ""));
    let via = head.first("via").and_then(|value| split_outside(value, ',').next());
    Dialog {
        call_id: head.first("call-id").unwrap_or_default().to_owned(),
        from: address(from).to_owned(),
        from_tag: parameter(from, "tag").map(str::to_owned),
        to: address(to).to_owned(),
        to_tag: parameter(to, "tag").map(str::to_owned),
        cseq: number.parse().ok(),
        cseq_method: method.trim().to_owned(),
        branch: via.and_then(|via| parameter(via, "branch")).map(str::to_owned),
    }
}

/// The address of a From or To header, with its name where it has one.
fn address(value: &str) -> &str {
    split_outside(value, ';').next().unwrap_or_default().trim()
}

fn transaction(dialog: &Dialog) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one((&dialog.call_id, dialog.cseq, &dialog.from_tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_lines() {
        let request = Start::Request { method: "INVITE", uri: "sip:bob@biloxi.example.com" };
        assert_eq!(start_line("INVITE sip:bob@biloxi.example.com SIP/2.0"), Some(request));
        assert_eq!(start_line("SIP/2.0 180 Ringing"), Some(Start::Response { status: 180, phrase: "Ringing" }));
        assert_eq!(start_line("SIP/2.0 200 "), Some(Start::Response { status: 200, phrase: "" }));
        for line in
            ["GET / HTTP/1.1", "INVITE sip:a SIP/3.0", "SIP/2.0 99 x", "SIP/2.0 2000", "A", "", "invite sip:a SIP/2.0"]
        {
            assert_eq!(start_line(line), None, "{line}");
        }
    }
}
