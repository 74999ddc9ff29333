//! Requests and indications of a TURN client (RFC 8656), and what servers answer.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use stun_codec::{
    MessageClass, Method,
    rfc5389::attributes::{Nonce, Realm, Username},
    rfc5766::{
        attributes::{ChannelNumber, Data, Lifetime, RequestedTransport, XorPeerAddress},
        methods,
    },
    rfc8656::attributes::{AdditionalAddressFamily, AddressFamily, RequestedAddressFamily},
};

use super::credentials::{Challenge, Credentials, Key};
use crate::{
    probe::{Transport, transaction::TransactionId},
    wire::stun::{
        self, Value,
        codec::{self, PasswordAlgorithm, PasswordAlgorithms, Userhash},
        kind,
    },
};

/// UDP in REQUESTED-TRANSPORT (RFC 8656 section 18.7).
const UDP: u8 = 17;

/// Which addresses a relay is to lend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// What the server lends unasked, which is IPv4 (RFC 8656 section 7.2).
    #[default]
    Usual,
    /// IPv6: REQUESTED-ADDRESS-FAMILY.
    Ipv6,
    /// One of each: ADDITIONAL-ADDRESS-FAMILY.
    Both,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Allocate.
    Allocate(Family),
    /// CreatePermission for an address.
    Permission(IpAddr),
    /// ChannelBind.
    Channel {
        /// 0x4000 to 0x4fff.
        number: u16,
        /// Where the channel leads.
        peer: SocketAddr,
    },
    /// Refresh for so long; zero gives the allocation back.
    Refresh(Duration),
}

impl Ask {
    /// What it is about, if it is about a peer.
    #[must_use]
    pub const fn peer(self) -> Option<IpAddr> {
        match self {
            Self::Permission(peer) => Some(peer),
            Self::Channel { peer, .. } => Some(peer.ip()),
            Self::Allocate(_) | Self::Refresh(_) => None,
        }
    }

    const fn method(self) -> Method {
        match self {
            Self::Allocate(_) => methods::ALLOCATE,
            Self::Permission(_) => methods::CREATE_PERMISSION,
            Self::Channel { .. } => methods::CHANNEL_BIND,
            Self::Refresh(_) => methods::REFRESH,
        }
    }

    /// The request, with credentials where the server has asked for them.
    #[must_use]
    pub fn encode(self, id: TransactionId, proof: Option<(&Credentials, &Challenge, &Key)>) -> Vec<u8> {
        let mut message = message(MessageClass::Request, self.method(), id);
        match self {
            Self::Allocate(family) => {
                message.add_attribute(RequestedTransport::new(UDP));
                match family {
                    Family::Usual => {}
                    Family::Ipv6 => message.add_attribute(RequestedAddressFamily::new(AddressFamily::V6)),
                    Family::Both => message.add_attribute(AdditionalAddressFamily::new(AddressFamily::V6)),
                }
            }
            // The port means nothing here (RFC 8656 section 10.1).
            Self::Permission(peer) => message.add_attribute(XorPeerAddress::new(SocketAddr::new(peer, 0))),
            Self::Channel { number, peer } => {
                if let Ok(number) = ChannelNumber::new(number) {
                    message.add_attribute(number);
                }
                message.add_attribute(XorPeerAddress::new(peer));
            }
            Self::Refresh(lifetime) => message.add_attribute(Lifetime::from_u32(seconds(lifetime))),
        }
        let Some((credentials, challenge, key)) = proof else { return written(message) };
        name_user(&mut message, credentials, challenge);
        key.sign(written(message), challenge.uses_sha256())
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// Says who asks (RFC 8489 section 9.2.3.2).
fn name_user(message: &mut codec::Message, credentials: &Credentials, challenge: &Challenge) {
    if challenge.userhash {
        message.add_attribute(Userhash::new(challenge.userhash(&credentials.username)));
    } else if let Ok(username) = Username::new(credentials.username.clone()) {
        message.add_attribute(username);
    }
    if let Ok(realm) = Realm::new(challenge.realm.clone()) {
        message.add_attribute(realm);
    }
    if let Ok(nonce) = Nonce::new(challenge.nonce.clone()) {
        message.add_attribute(nonce);
    }
    if let Some((named, chosen)) = &challenge.algorithms {
        message.add_attribute(PasswordAlgorithms::new(named.clone()));
        let [high, low] = chosen.number().to_be_bytes();
        message.add_attribute(PasswordAlgorithm::new(vec![high, low, 0, 0]));
    }
}

/// A Send indication (RFC 8656 section 11.1).
#[must_use]
pub fn send_indication(id: TransactionId, peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut message = message(MessageClass::Indication, methods::SEND, id);
    message.add_attribute(XorPeerAddress::new(peer));
    if let Ok(data) = Data::new(data.to_vec()) {
        message.add_attribute(data);
    }
    written(message)
}

/// ChannelData (RFC 8656 section 12.5), padded to four bytes on a stream.
#[must_use]
pub fn channel_data(number: u16, data: &[u8], transport: Transport) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(4 + data.len() + 3);
    bytes.extend(number.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(data);
    if transport != Transport::Udp {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

fn message(class: MessageClass, method: Method, id: TransactionId) -> codec::Message {
    codec::Message::new(class, method, stun_codec::TransactionId::new(id))
}

/// The bytes of a message of ours, whose attributes all fit.
fn written(message: codec::Message) -> Vec<u8> {
    codec::encode(message).unwrap_or_default()
}

/// What a success response says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// XOR-RELAYED-ADDRESS, one or one of each family.
    pub relayed: Vec<SocketAddr>,
    /// XOR-MAPPED-ADDRESS.
    pub mapped: Option<SocketAddr>,
    /// LIFETIME.
    pub lifetime: Option<Duration>,
    /// ADDRESS-ERROR-CODE: why there is no address of the other family (RFC 8656 section 18.13).
    pub family_error: Option<u16>,
}

impl Reply {
    /// Reads a success response.
    #[must_use]
    pub fn read(message: &stun::Message<'_>) -> Self {
        let mut reply = Self::default();
        for attribute in message.attributes() {
            match (attribute.kind, attribute.value()) {
                (kind::XOR_RELAYED_ADDRESS, Ok(Value::Address(address))) => {
                    reply.relayed.push(SocketAddr::new(address.ip(), address.port()));
                }
                (kind::XOR_MAPPED_ADDRESS, Ok(Value::Address(address))) => {
                    reply.mapped = Some(SocketAddr::new(address.ip(), address.port()));
                }
                (kind::LIFETIME, Ok(Value::Number(seconds))) => {
                    reply.lifetime = Some(Duration::from_secs(seconds.into()));
                }
                (kind::ADDRESS_ERROR_CODE, Ok(Value::Error { code, .. })) => reply.family_error = Some(code),
                _ => {}
            }
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stun::Message;

    const ID: TransactionId = [7; 12];

    fn header(kind: u16, length: u8) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &[0, length, 0x21, 0x12, 0xa4, 0x42], &ID].concat()
    }

    /// By hand, from the figures of RFC 8656 section 18.
    #[test]
    fn requests_have_the_layout_of_the_rfc() {
        let allocate = |family| Ask::Allocate(family).encode(ID, None);
        let udp = b"\0\x19\0\x04\x11\0\0\0";
        assert_eq!(allocate(Family::Usual), [&header(3, 8)[..], udp].concat());
        assert_eq!(allocate(Family::Ipv6), [&header(3, 16)[..], udp, b"\0\x17\0\x04\x02\0\0\0"].concat());
        assert_eq!(allocate(Family::Both), [&header(3, 16)[..], udp, b"\x80\0\0\x04\x02\0\0\0"].concat());
        let refresh = Ask::Refresh(Duration::from_secs(600)).encode(ID, None);
        assert_eq!(refresh, [&header(4, 8)[..], b"\0\x0d\0\x04\0\0\x02\x58"].concat());
        // 192.0.2.1 and port 32853 masked, as in RFC 5769 section 2.2.
        let peer = "192.0.2.1:32853".parse().unwrap();
        let bind = Ask::Channel { number: 0x4000, peer }.encode(ID, None);
        let expected = b"\0\x0c\0\x04\x40\0\0\0\0\x12\0\x08\0\x01\xa1\x47\xe1\x12\xa6\x43";
        assert_eq!(bind, [&header(9, 20)[..], expected].concat());
        let permission = Ask::Permission(peer.ip()).encode(ID, None);
        assert_eq!(permission, [&header(8, 12)[..], b"\0\x12\0\x08\0\x01\x21\x12\xe1\x12\xa6\x43"].concat());
        let sent = send_indication(ID, peer, b"abcde");
        let expected = b"\0\x12\0\x08\0\x01\xa1\x47\xe1\x12\xa6\x43\0\x13\0\x05abcde\0\0\0";
        assert_eq!(sent, [&header(0x16, 24)[..], expected].concat());
    }

    #[test]
    fn channel_data_is_padded_on_streams_only() {
        assert_eq!(channel_data(0x4000, b"abcde", Transport::Udp), b"\x40\0\0\x05abcde");
        for transport in [Transport::Tcp, Transport::Tls] {
            assert_eq!(channel_data(0x4fff, b"abcde", transport), b"\x4f\xff\0\x05abcde\0\0\0");
            assert_eq!(channel_data(0x4000, b"abcd", transport), b"\x40\0\0\x04abcd");
        }
    }

    #[test]
    fn answers_with_two_addresses() {
        let v6 = b"\0\x16\0\x14\0\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9";
        let v4 = b"\0\x16\0\x08\0\x01\xa1\x47\xe1\x12\xa6\x43";
        let mut bytes = [&header(0x103, 36)[..], v4, v6].concat();
        // The id of RFC 5769, which masks the address.
        bytes[8..20].copy_from_slice(b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae");
        let reply = Reply::read(&Message::parse(&bytes).unwrap());
        let expected = ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"];
        assert_eq!(reply.relayed, expected.map(|address| address.parse().unwrap()));
        let refused = [&header(0x103, 8)[..], b"\x80\x01\0\x04\x02\0\x04\x28"].concat();
        assert_eq!(Reply::read(&Message::parse(&refused).unwrap()).family_error, Some(440));
    }
}
