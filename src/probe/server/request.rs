//! What a Binding request asks for.

use super::Received;
use crate::{
    probe::Transport,
    wire::stun::{Attribute, Message, Value, kind},
};

/// Types from here on may be ignored where they are not understood (RFC 8489 section 14).
const COMPREHENSION_OPTIONAL: u16 = 0x8000;

/// Types of 420 that are told; more would only make the response longer.
const UNKNOWN_TOLD: usize = 32;

/// A request's wishes (RFC 5780 section 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// CHANGE-REQUEST: answer from the other address.
    pub(super) change_address: bool,
    /// CHANGE-REQUEST: answer from the other port.
    pub(super) change_port: bool,
    /// RESPONSE-PORT: answer to this port.
    pub(super) response_port: Option<u16>,
    /// PADDING: pad the answer too.
    pub(super) padding: bool,
}

/// Why a request gets an error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400: an attribute has not its form, or two exclude each other.
    BadRequest,
    /// 420: types that must be understood and are not, or cannot be done here.
    Unknown(Vec<u16>),
}

impl Asked {
    /// Reads a request whose attributes are whole.
    pub(super) fn read(message: &Message<'_>, received: &Received<'_>) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        let mut unknown = Vec::new();
        for attribute in message.attributes() {
            if !asked.take(&attribute, received, message.is_classic())? && !unknown.contains(&attribute.kind) {
                unknown.push(attribute.kind);
            }
        }
        unknown.truncate(UNKNOWN_TOLD);
        if !unknown.is_empty() {
            return Err(Refusal::Unknown(unknown));
        }
        // RFC 5780 section 6.1: together they would send large datagrams to ports that never asked.
        if asked.padding && asked.response_port.is_some() {
            return Err(Refusal::BadRequest);
        }
        Ok(asked)
    }

    /// Takes one attribute. `Ok(false)` where it is not understood, though it must be.
    fn take(&mut self, attribute: &Attribute<'_>, received: &Received<'_>, classic: bool) -> Result<bool, Refusal> {
        let datagram = received.transport == Transport::Udp;
        match attribute.kind {
            kind::CHANGE_REQUEST => {
                let Ok(Value::ChangeRequest { address, port }) = attribute.value() else {
                    return Err(Refusal::BadRequest);
                };
                (self.change_address, self.change_port) = (address, port);
                // RFC 5780 section 6.1 asks for 420 where there is no other address. Clients of RFC 3489 always send the
                // attribute; without a flag it asks for nothing.
                let has_other = received.addresses.alternate.is_some();
                Ok(if address || port { datagram && has_other } else { classic || has_other })
            }
            kind::RESPONSE_PORT => {
                let Ok(Value::Number(port)) = attribute.value() else { return Err(Refusal::BadRequest) };
                let port = u16::try_from(port).ok().filter(|port| *port != 0).ok_or(Refusal::BadRequest)?;
                self.response_port = Some(port);
                Ok(datagram)
            }
            kind::PADDING => {
                self.padding = datagram;
                Ok(true)
            }
            // Nobody is asked who he is. Addresses of a response mean nothing in a request.
            kind::USERNAME
            | kind::REALM
            | kind::NONCE
            | kind::MESSAGE_INTEGRITY
            | kind::MESSAGE_INTEGRITY_SHA256
            | kind::PASSWORD_ALGORITHM
            | kind::USERHASH
            | kind::MAPPED_ADDRESS
            | kind::XOR_MAPPED_ADDRESS
            | kind::ERROR_CODE
            | kind::UNKNOWN_ATTRIBUTES => Ok(true),
            other => Ok(other >= COMPREHENSION_OPTIONAL),
        }
    }
}
