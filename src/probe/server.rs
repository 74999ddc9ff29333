//! The other side of `nat-check`: a STUN server with the NAT behaviour discovery of RFC 5780.
//!
//! [`Server`] knows no socket and no clock: a request, where it came from and where it arrived become a response, where
//! to send it from and where to. [`serve`] puts it on sockets that [`listen`] opened.
//!
//! It answers requests and nothing else, so two servers cannot be made to talk to each other; a padded response is
//! never longer than its request; and each source gets only so many. Requests are read with the borrowing view of
//! [`wire`](crate::wire), since `stun_codec` knows no message without a cookie and takes the bits of CHANGE-REQUEST for
//! each other.

pub mod listen;
mod rate;
mod request;
mod response;
pub mod serve;

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use self::{
    rate::RateLimit,
    request::{Asked, Refusal},
    response::{BAD_REQUEST, Response, UNKNOWN_ATTRIBUTE},
};
use super::Transport;
use crate::wire::stun::{self, Message, kind, method};

/// How a server answers.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What SOFTWARE says of it (RFC 8489 section 14.14); `None` leaves it out.
    pub software: Option<String>,
    /// Responses a second for one source: an IPv4 address, or an IPv6 network of 64 bits. `None` for any number.
    pub rate_limit: Option<NonZeroU32>,
}

/// The addresses of a server in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Where clients ask first; its address may be the unspecified one, which stands for all of the machine.
    pub primary: SocketAddr,
    /// The other address with the other port, where there is one.
    pub alternate: Option<SocketAddr>,
}

/// One of the four pairs of address and port, seen from the primary one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Whether it has the alternate address.
    pub other_address: bool,
    /// Whether it has the alternate port.
    pub other_port: bool,
}

impl Place {
    /// Where a server without an alternate address listens.
    pub const PRIMARY: Self = Self { other_address: false, other_port: false };

    /// All four.
    pub const ALL: [Self; 4] = [
        Self::PRIMARY,
        Self { other_address: false, other_port: true },
        Self { other_address: true, other_port: false },
        Self { other_address: true, other_port: true },
    ];

    /// The place with another address or another port than this one.
    #[must_use]
    pub const fn changed(self, address: bool, port: bool) -> Self {
        Self { other_address: self.other_address != address, other_port: self.other_port != port }
    }
}

impl Addresses {
    /// The address and port of a place; `None` of one that needs an alternate and has none.
    #[must_use]
    pub fn at(&self, place: Place) -> Option<SocketAddr> {
        if place == Place::PRIMARY {
            return Some(self.primary);
        }
        let alternate = self.alternate?;
        let ip = if place.other_address { alternate.ip() } else { self.primary.ip() };
        let port = if place.other_port { alternate.port() } else { self.primary.port() };
        Some(SocketAddr::new(ip, port))
    }
}

/// Bytes that came in.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// A datagram, or one message of a stream.
    pub bytes: &'a [u8],
    /// Who sent them.
    pub source: SocketAddr,
    /// What carried them.
    pub transport: Transport,
    /// The server's addresses in the family of `source`.
    pub addresses: Addresses,
    /// Where they arrived.
    pub place: Place,
}

/// A response to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The message.
    pub bytes: Vec<u8>,
    /// The place to send it from; over a stream, the one where the request arrived.
    pub place: Place,
    /// Whom to send it to.
    pub destination: SocketAddr,
}

/// A STUN server (RFC 8489 section 12, RFC 5780 section 6, RFC 3489 section 8.1).
#[derive(Debug)]
pub struct Server {
    software: Option<String>,
    rate_limit: Option<RateLimit>,
}

impl Server {
    /// A server that answers as `config` says.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { software: config.software, rate_limit: config.rate_limit.map(RateLimit::new) }
    }

    /// The response to what came in; `None` where it deserves none: it is no request, asks for something else than a
    /// Binding, is not whole, has a wrong FINGERPRINT, comes from nowhere, or is one too many of its source.
    ///
    /// `now` counts from any fixed moment.
    pub fn answer(&mut self, now: Duration, received: &Received<'_>) -> Option<Answer> {
        let message = binding_request(received.bytes)?;
        if !can_be_answered(received.source) || !self.allows(now, received.source.ip()) {
            return None;
        }
        let asked = match Asked::read(&message, received) {
            Ok(asked) => asked,
            Err(refusal) => return Some(self.refuse(&message, received, &refusal)),
        };
        let place = received.place.changed(asked.change_address, asked.change_port);
        let port = asked.response_port.unwrap_or(received.source.port());
        let destination = SocketAddr::new(received.source.ip(), port);
        let response = Response::success(&message);
        let bytes = self.bind(response, &message, received, place, asked.padding);
        Some(Answer { bytes, place, destination })
    }

    /// Whether a source may have another response.
    pub fn allows(&mut self, now: Duration, source: IpAddr) -> bool {
        self.rate_limit.as_mut().is_none_or(|limit| limit.allows(now, source))
    }

    /// Writes what a Binding response tells (RFC 5780 section 6.1, RFC 3489 section 8.1).
    fn bind(
        &self,
        mut response: Response,
        message: &Message<'_>,
        received: &Received<'_>,
        place: Place,
        padding: bool,
    ) -> Vec<u8> {
        let classic = message.is_classic();
        let origin = received.addresses.at(place).filter(|origin| !origin.ip().is_unspecified());
        let other = received.addresses.at(received.place.changed(true, true));
        if !classic {
            response.xor_mapped_address(received.source);
        }
        response.address(kind::MAPPED_ADDRESS, received.source);
        if let Some(origin) = origin {
            response.address(if classic { kind::SOURCE_ADDRESS } else { kind::RESPONSE_ORIGIN }, origin);
        }
        if let Some(other) = other {
            response.address(if classic { kind::CHANGED_ADDRESS } else { kind::OTHER_ADDRESS }, other);
        }
        self.sign_off(response, message, padding.then_some(received.bytes.len()))
    }

    fn refuse(&self, message: &Message<'_>, received: &Received<'_>, refusal: &Refusal) -> Answer {
        let mut response = Response::error(message);
        match refusal {
            Refusal::BadRequest => response.error_code(BAD_REQUEST),
            Refusal::Unknown(kinds) => {
                response.error_code(UNKNOWN_ATTRIBUTE);
                response.unknown_attributes(kinds, message.is_classic());
            }
        }
        let bytes = self.sign_off(response, message, None);
        Answer { bytes, place: received.place, destination: received.source }
    }

    /// Adds what stands last: SOFTWARE, PADDING up to a length of the whole, and FINGERPRINT where the request had it.
    fn sign_off(&self, mut response: Response, message: &Message<'_>, padded_to: Option<usize>) -> Vec<u8> {
        if let Some(software) = self.software.as_ref().filter(|_| !message.is_classic()) {
            response.text(kind::SOFTWARE, software);
        }
        let with_fingerprint = message.fingerprint().is_some();
        if let Some(length) = padded_to {
            response.pad_to(length, with_fingerprint);
        }
        if with_fingerprint {
            response.fingerprint();
        }
        response.into_bytes()
    }
}

/// The Binding request that bytes are, whole and with nothing behind it (RFC 8489 section 6.3).
fn binding_request(bytes: &[u8]) -> Option<Message<'_>> {
    let message = match Message::parse(bytes) {
        Ok(message) if message.length().is_multiple_of(4) => message,
        Ok(_) => return None,
        Err(_) => Message::parse_classic(bytes).ok()?,
    };
    let is_request = message.class() == stun::Class::Request && message.method() == method::BINDING;
    let is_whole = message.trailing() == 0 && message.fault().is_none() && message.fingerprint() != Some(false);
    (is_request && is_whole).then_some(message)
}

/// Whether a source is one host that can receive.
fn can_be_answered(source: SocketAddr) -> bool {
    let is_broadcast = matches!(source.ip(), IpAddr::V4(address) if address.is_broadcast());
    source.port() != 0 && !source.ip().is_unspecified() && !source.ip().is_multicast() && !is_broadcast
}

#[cfg(test)]
mod tests;
