//! Binding requests of our own and what servers answer to them (RFC 8489 section 14, RFC 5780 section 7, RFC 3489).

use std::net::SocketAddr;

use stun_codec::{
    MessageClass,
    rfc5389::{
        attributes::{ErrorCode, MappedAddress, Software, XorMappedAddress},
        methods::BINDING,
    },
    rfc5780::attributes::{OtherAddress, ResponseOrigin},
};

use super::transaction::TransactionId;
use crate::wire::{
    Malformed,
    stun::codec::{self, ChangeRequest, ChangedAddress, Message, Padding, ResponsePort, SourceAddress},
};

/// Which part of its address a server is to answer from the other one of (RFC 5780 section 7.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// The IP address.
    pub address: bool,
    /// The port.
    pub port: bool,
}

impl Change {
    /// Answer from where the request came to.
    pub const NONE: Self = Self { address: false, port: false };
    /// Both are to be the other ones.
    pub const BOTH: Self = Self { address: true, port: true };
    /// Only the IP address is to be the other one.
    pub const ADDRESS: Self = Self { address: true, port: false };
    /// Only the port is to be the other one.
    pub const PORT: Self = Self { address: false, port: true };

    /// What `server` becomes where `other` is its OTHER-ADDRESS.
    #[must_use]
    pub fn of(self, server: SocketAddr, other: SocketAddr) -> SocketAddr {
        let address = if self.address { other } else { server };
        let port = if self.port { other } else { server };
        SocketAddr::new(address.ip(), port.port())
    }
}

/// A Binding request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindingRequest {
    /// CHANGE-REQUEST, where it changes something.
    pub change: Change,
    /// RESPONSE-PORT: the port to answer to instead of the one it came from.
    pub response_port: Option<u16>,
    /// Bytes of PADDING; none where it is 0.
    pub padding: u16,
}

impl BindingRequest {
    /// The message with this id.
    #[must_use]
    pub fn encode(self, id: TransactionId) -> Vec<u8> {
        let mut message = Message::new(MessageClass::Request, BINDING, stun_codec::TransactionId::new(id));
        if self.change != Change::NONE {
            message.add_attribute(ChangeRequest::of(self.change.address, self.change.port));
        }
        if let Some(port) = self.response_port {
            message.add_attribute(ResponsePort::of(port));
        }
        if self.padding > 0 {
            message.add_attribute(Padding::new(vec![0; self.padding.into()]));
        }
        // Only a value beyond 65,535 bytes could not be written.
        codec::encode(message).unwrap_or_default()
    }
}

/// An answer to a Binding request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindingAnswer {
    /// XOR-MAPPED-ADDRESS, or else MAPPED-ADDRESS.
    pub mapped: Option<SocketAddr>,
    /// MAPPED-ADDRESS where it is not what XOR-MAPPED-ADDRESS says: something on the way rewrites addresses in packets.
    pub rewritten: Option<SocketAddr>,
    /// RESPONSE-ORIGIN or SOURCE-ADDRESS: where the server says that it answers from.
    pub origin: Option<SocketAddr>,
    /// OTHER-ADDRESS or CHANGED-ADDRESS: where else the server is.
    pub other: Option<SocketAddr>,
    /// SOFTWARE.
    pub software: Option<String>,
    /// ERROR-CODE.
    pub error: Option<u16>,
}

impl BindingAnswer {
    /// Reads a whole message; that it is a success or an error, and of which request, is for
    /// [`super::transaction::Transactions`] to say.
    ///
    /// # Errors
    /// When it is not whole, an attribute is broken, or a FINGERPRINT is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = codec::decode(bytes)?;
        let plain = message.get_attribute::<MappedAddress>().map(MappedAddress::address);
        let masked = message.get_attribute::<XorMappedAddress>().map(XorMappedAddress::address);
        let origin = message.get_attribute::<ResponseOrigin>().map(ResponseOrigin::address);
        let other = message.get_attribute::<OtherAddress>().map(OtherAddress::address);
        Ok(Self {
            mapped: masked.or(plain),
            rewritten: plain.filter(|plain| masked.is_some_and(|masked| masked != *plain)),
            origin: origin.or_else(|| message.get_attribute::<SourceAddress>()?.address()),
            other: other.or_else(|| message.get_attribute::<ChangedAddress>()?.address()),
            software: message.get_attribute::<Software>().map(|software| software.description().to_owned()),
            error: message.get_attribute::<ErrorCode>().map(ErrorCode::code),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TransactionId = [7; 12];

    /// By hand, from the figures of RFC 8489 section 5 and RFC 5780 section 7.
    #[test]
    fn requests_have_the_layout_of_the_rfc() {
        let header = |length: u8| [&[0, 1, 0, length, 0x21, 0x12, 0xa4, 0x42][..], &ID].concat();
        assert_eq!(BindingRequest::default().encode(ID), header(0));
        let change = BindingRequest { change: Change::BOTH, ..BindingRequest::default() };
        assert_eq!(change.encode(ID), [&header(8)[..], b"\0\x03\0\x04\0\0\0\x06"].concat());
        let port = BindingRequest { response_port: Some(0x1234), ..BindingRequest::default() };
        assert_eq!(port.encode(ID), [&header(8)[..], b"\0\x27\0\x02\x12\x34\0\0"].concat());
        let padded = BindingRequest { padding: 1_500, ..BindingRequest::default() };
        assert_eq!(padded.encode(ID).len(), 20 + 4 + 1_500);
    }

    /// An answer as classic servers give it: no masked address, the old names for the others.
    #[test]
    fn answers_of_rfc_3489_servers() {
        let attributes = b"\0\x01\0\x08\0\x01\x10\x01\xc0\0\x02\x07\
            \0\x04\0\x08\0\x01\x0d\x96\xc6\x33\x64\x01\
            \0\x05\0\x08\0\x01\x0d\x97\xc6\x33\x64\x02";
        let bytes = [b"\x01\x01\0\x24\x21\x12\xa4\x42", &ID[..], attributes].concat();
        let answer = BindingAnswer::decode(&bytes).unwrap();
        assert_eq!(answer.mapped, "192.0.2.7:4097".parse().ok());
        assert_eq!(answer.origin, "198.51.100.1:3478".parse().ok());
        assert_eq!(answer.other, "198.51.100.2:3479".parse().ok());
        assert_eq!((answer.rewritten, answer.error), (None, None));
        assert!(BindingAnswer::decode(&bytes[..40]).is_err());
    }

    /// RFC 5769 section 2.2, and the same address put wrong into a MAPPED-ADDRESS before it.
    #[test]
    fn a_rewritten_address_is_told() {
        let masked = b"\0\x20\0\x08\0\x01\xa1\x47\xe1\x12\xa6\x43";
        let plain = b"\0\x01\0\x08\0\x01\x80\x55\x0a\0\0\x01";
        let bytes = [b"\x01\x01\0\x18\x21\x12\xa4\x42", &ID[..], plain, masked].concat();
        let answer = BindingAnswer::decode(&bytes).unwrap();
        assert_eq!(answer.mapped, "192.0.2.1:32853".parse().ok());
        assert_eq!(answer.rewritten, "10.0.0.1:32853".parse().ok());
    }

    #[test]
    fn the_other_address_in_parts() {
        let (server, other) = ("192.0.2.1:3478".parse().unwrap(), "192.0.2.2:3479".parse().unwrap());
        assert_eq!(Change::BOTH.of(server, other), other);
        assert_eq!(Change::ADDRESS.of(server, other), "192.0.2.2:3478".parse().unwrap());
        assert_eq!(Change::PORT.of(server, other), "192.0.2.1:3479".parse().unwrap());
        assert_eq!(Change::NONE.of(server, other), server);
    }
}
