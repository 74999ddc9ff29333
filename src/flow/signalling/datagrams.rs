//! SIP over UDP, found by its first line on whatever port.

use std::collections::VecDeque;

use super::{
    Signal, Via,
    head::Head,
    out::{Origin, Out},
    sip::{self, Sip},
};
use crate::{
    flow::{key::FlowKey, tcp::Mark},
    time::NANOS_PER_MILLI,
};

/// Datagrams that are remembered, to tell those that were captured at two places.
const REMEMBERED: usize = 256;

/// Two captures of one datagram are not further apart; retransmissions are (RFC 3261 section 17.1.1.1: 500 ms).
const WINDOW: i64 = 100 * NANOS_PER_MILLI;

/// The SIP over UDP of a capture.
#[derive(Debug, Default)]
pub struct Datagrams {
    sip: Sip,
    recent: VecDeque<(FlowKey, u64, u32, Mark)>,
}

/// A UDP datagram that may be SIP.
#[derive(Clone, Copy, Debug)]
pub struct TextDatagram<'a> {
    /// Its flow.
    pub key: FlowKey,
    /// Its direction there.
    pub direction: usize,
    /// Its packet.
    pub mark: Mark,
    /// Its captured bytes.
    pub bytes: &'a [u8],
    /// Its bytes on the wire.
    pub length: usize,
    /// What is the same wherever it is captured.
    pub fingerprint: u64,
    /// What differs where it is captured at several places.
    pub identity: u32,
}

impl Datagrams {
    /// Whether a datagram may be SIP, by its first byte: a letter of a method, of which TURN channels have some too.
    #[inline(always)]
    #[must_use]
    pub const fn may_begin_text(first: &u8) -> bool {
        first.is_ascii_uppercase()
    }

    /// Takes a datagram; `None` where it is no SIP, and no signals where it was captured before.
    pub fn push(&mut self, datagram: &TextDatagram<'_>) -> Option<Vec<Signal>> {
        if !sip::is_sip(datagram.bytes) {
            return None;
        }
        if self.is_copy(datagram) {
            return Some(Vec::new());
        }
        let bytes = datagram.bytes;
        let (head, length) = Head::parse(bytes).unwrap_or_else(|| (Head::parse_lines(bytes, true), bytes.len()));
        let body = bytes.get(length..).unwrap_or_default();
        let stated = head.content_length().and_then(|length| usize::try_from(length).ok());
        let is_snapped = bytes.len() < datagram.length;
        // What follows the body is to be ignored (RFC 3261 section 18.3); a body that ends early is the sender's.
        let (body, is_whole) = match stated {
            Some(stated) if stated <= body.len() => (body.get(..stated).unwrap_or_default(), true),
            _ => (body, !is_snapped),
        };
        let mut out = Out::default();
        let origin = Origin { mark: datagram.mark, direction: datagram.direction, via: Via::SipUdp };
        self.sip.message(&head, body, is_whole, origin, &mut out);
        Some(out.signals(datagram.key, 0).collect())
    }

    fn is_copy(&mut self, datagram: &TextDatagram<'_>) -> bool {
        let TextDatagram { key, fingerprint, identity, mark, .. } = *datagram;
        let is_copy = self.recent.iter().any(|(of, print, place, seen)| {
            *of == key && *print == fingerprint && *place != identity && mark.0.since(seen.0).abs() <= WINDOW
        });
        if !is_copy {
            if self.recent.len() >= REMEMBERED {
                self.recent.pop_front();
            }
            self.recent.push_back((key, fingerprint, identity, mark));
        }
        is_copy
    }
}
