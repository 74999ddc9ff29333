//! A 5-tuple that a second call uses: whether a datagram is the first call's still, or begins another.
//!
//! New user fragments alone are an ICE restart, in which DTLS goes on (RFC 8445 section 9). A new ClientHello behind them
//! is another call's: until one comes, or something else, the checks belong to neither.

use super::Flow;
use crate::{
    flow::{datagram::Datagram, ice::Said},
    time::{NANOS_PER_SECOND, Timestamp},
    wire::stun::{Class, Message, kind, method},
};

/// A call that is over was silent for this long before the next.
const PAUSE: i64 = 2 * NANOS_PER_SECOND;

impl Flow {
    /// Whether this is the first check of what may be another call: the handshake of the one before had finished, its
    /// media or data ceased, and both user fragments are new.
    #[inline]
    #[must_use]
    pub fn may_begin_anew(&self, datagram: &Datagram<'_>) -> bool {
        // The type of a Binding request.
        matches!(datagram.bytes, [0, 1, ..]) && self.is_silent(datagram.time) && self.is_new_check(datagram)
    }

    /// Whether a datagram behind such a check is one more, or an answer.
    #[must_use]
    pub fn goes_on_anew(&self, datagram: &Datagram<'_>) -> bool {
        let Ok(message) = Message::parse_captured(datagram.bytes, datagram.length) else { return false };
        message.method() == method::BINDING && (message.class() != Class::Request || self.is_new_check(datagram))
    }

    /// Whether a datagram behind such checks begins another association.
    #[must_use]
    pub fn begins_anew(&self, datagram: &Datagram<'_>) -> bool {
        self.dtls.as_ref().is_some_and(|dtls| dtls.is_begun_anew(datagram))
    }

    #[cold]
    fn is_silent(&self, now: Timestamp) -> bool {
        let Some(dtls) = self.dtls.as_ref().filter(|dtls| dtls.is_finished()) else { return false };
        let streams = self.media.streams().iter().map(|stream| stream.last.0);
        streams.chain(dtls.last_data()).max().is_some_and(|last| now.since(last) >= PAUSE)
    }

    fn is_new_check(&self, datagram: &Datagram<'_>) -> bool {
        let (Some(ice), Ok(message)) = (&self.ice, Message::parse_captured(datagram.bytes, datagram.length)) else {
            return false;
        };
        // A handshake inside the checks would be torn from its start.
        let carries_dtls = message.attribute(kind::DTLS_IN_STUN).is_some();
        let user = Said::of(&message).user;
        !carries_dtls && user.is_some_and(|user| ice.has_new_fragments(user, datagram.direction & 1))
    }
}
