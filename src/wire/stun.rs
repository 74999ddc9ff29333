//! STUN and TURN messages (RFC 8489, RFC 8656), and their ancestor without a magic cookie (RFC 3489).
//!
//! [`Message::parse`] reads the form with the cookie, which is its own evidence: 32 fixed bits, two zero bits and a
//! length. [`Message::parse_classic`] reads the form of RFC 3489, which has none of that and is told from chance by
//! its structure alone, so it is strict where the other is lenient.

pub mod codec;

mod attribute;
mod error;
#[cfg(test)]
pub(crate) mod vectors;

pub use attribute::{Algorithms, Attribute, Attributes, Value, attribute_name, kind};
pub use error::{error_meaning, error_name};

use super::{Kind, Layer, Malformed, Reader};

/// The magic cookie, bytes 4 to 7 of every message (RFC 8489 section 5).
pub const MAGIC_COOKIE: u32 = 0x2112_a442;

/// Bytes of the header before the attributes (RFC 8489 section 5).
pub const HEADER_LENGTH: usize = 20;

/// The class of a message (RFC 8489 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Asks for an answer.
    Request,
    /// Asks for none.
    Indication,
    /// A request succeeded.
    Success,
    /// A request failed.
    Error,
}

impl Class {
    /// The word a report uses: `request`, `indication`, `success`, `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Indication => "indication",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// The method numbers of the IANA registry "STUN Methods".
pub mod method {
    /// Binding (RFC 8489).
    pub const BINDING: u16 = 0x001;
    /// Shared Secret (RFC 3489 only).
    pub const SHARED_SECRET: u16 = 0x002;
    /// Allocate (RFC 8656).
    pub const ALLOCATE: u16 = 0x003;
    /// Refresh (RFC 8656).
    pub const REFRESH: u16 = 0x004;
    /// Send (RFC 8656).
    pub const SEND: u16 = 0x006;
    /// Data (RFC 8656).
    pub const DATA: u16 = 0x007;
    /// CreatePermission (RFC 8656).
    pub const CREATE_PERMISSION: u16 = 0x008;
    /// ChannelBind (RFC 8656).
    pub const CHANNEL_BIND: u16 = 0x009;
    /// Connect (RFC 6062).
    pub const CONNECT: u16 = 0x00a;
    /// ConnectionBind (RFC 6062).
    pub const CONNECTION_BIND: u16 = 0x00b;
    /// ConnectionAttempt (RFC 6062).
    pub const CONNECTION_ATTEMPT: u16 = 0x00c;
    /// GOOG-PING: libwebrtc's short form of a connectivity check.
    pub const GOOG_PING: u16 = 0x080;

    /// The name of a method; `None` where no registry or implementation gives one.
    #[must_use]
    pub const fn name(method: u16) -> Option<&'static str> {
        Some(match method {
            BINDING => "Binding",
            SHARED_SECRET => "Shared Secret",
            ALLOCATE => "Allocate",
            REFRESH => "Refresh",
            SEND => "Send",
            DATA => "Data",
            CREATE_PERMISSION => "CreatePermission",
            CHANNEL_BIND => "ChannelBind",
            CONNECT => "Connect",
            CONNECTION_BIND => "ConnectionBind",
            CONNECTION_ATTEMPT => "ConnectionAttempt",
            GOOG_PING => "GOOG-PING",
            _ => return None,
        })
    }
}

/// The 14-bit message type: a method and a class, interleaved (RFC 8489 section 5, figure 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageType(pub u16);

impl MessageType {
    /// The class bits C1 (0x0100) and C0 (0x0010).
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 & 0x0110 {
            0x0000 => Class::Request,
            0x0010 => Class::Indication,
            0x0100 => Class::Success,
            _ => Class::Error,
        }
    }

    /// The method: bits M0 to M11, without the class bits among them.
    #[must_use]
    pub const fn method(self) -> u16 {
        self.0 & 0x000f | (self.0 & 0x00e0) >> 1 | (self.0 & 0x3e00) >> 2
    }
}

/// A message. Its header was checked when it was made; its attributes are read as they are asked for, and a length
/// that lies ends them with a fault ([`Message::fault`]).
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The captured bytes of the message, header included, without what follows it.
    bytes: &'a [u8],
    kind: MessageType,
    /// Bytes of the message by its own length field, header included.
    length: usize,
    trailing: usize,
    transaction: u128,
}

impl<'a> Message<'a> {
    /// Reads a message with the magic cookie. Bytes may follow it: see [`Message::trailing`].
    ///
    /// # Errors
    /// When the header is short, its first two bits are set, the cookie is missing, or the length exceeds the bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse_captured(bytes, bytes.len())
    }

    /// As [`Message::parse`], of a datagram that had `wire_length` bytes before the capture cut it.
    ///
    /// # Errors
    /// As [`Message::parse`], the length being held against `wire_length`.
    #[inline]
    pub fn parse_captured(bytes: &'a [u8], wire_length: usize) -> Result<Self, Malformed> {
        let message = Self::parse_header(bytes, wire_length)?;
        if (message.transaction >> 96) as u32 != MAGIC_COOKIE {
            return Err(Malformed::new(Layer::Stun, Kind::BadValue, 4));
        }
        Ok(message)
    }

    /// Reads a message of RFC 3489, which has a 128-bit transaction id and no cookie. The type must be one of RFC
    /// 3489, or one of a TURN draft and then with known attributes only; the length must be exact and the attributes
    /// must end exactly at it. A snapped message is refused: too little of the evidence is left.
    ///
    /// # Errors
    /// When any of that does not hold.
    pub fn parse_classic(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let message = Self::parse_header(bytes, bytes.len())?;
        if message.trailing > 0 {
            return Err(Malformed::new(Layer::Stun, Kind::BadLength, 2));
        }
        if let Some(fault) = message.fault() {
            return Err(fault);
        }
        let accepted = match message.kind.0 {
            0x0001 | 0x0101 | 0x0111 | 0x0002 | 0x0102 | 0x0112 => true,
            other => {
                // draft-rosenberg-midcom-turn: Allocate, Send, Set Active Destination and their answers.
                let method = MessageType(other).method();
                let all_known = message.attributes().all(|attribute| attribute_name(attribute.kind).is_some());
                all_known
                    && message.length > HEADER_LENGTH
                    && (method::ALLOCATE..=method::CHANNEL_BIND).contains(&method)
            }
        };
        if accepted { Ok(message) } else { Err(Malformed::new(Layer::Stun, Kind::BadValue, 0)) }
    }

    /// Reads a message of a method from 0x100 on, of which IANA has assigned none and applications use some (WhatsApp).
    /// Its first byte is not one that RFC 7983 gives to STUN, so that all of it must be right.
    ///
    /// # Errors
    /// As [`Message::parse_captured`], and when the length is not exact or an attribute's lies.
    pub fn parse_unassigned(bytes: &'a [u8], wire_length: usize) -> Result<Self, Malformed> {
        let message = Self::parse_captured(bytes, wire_length)?;
        if message.trailing > 0 || !message.length.is_multiple_of(4) {
            return Err(Malformed::new(Layer::Stun, Kind::BadLength, 2));
        }
        message.fault().map_or(Ok(message), Err)
    }

    fn parse_header(bytes: &'a [u8], wire_length: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Layer::Stun, bytes);
        let kind = reader.u16()?;
        let length = usize::from(reader.u16()?) + HEADER_LENGTH;
        let transaction = u128::from_be_bytes(reader.array()?);
        if kind & 0xc000 != 0 {
            return Err(Malformed::new(Layer::Stun, Kind::BadValue, 0));
        }
        let wire_length = wire_length.max(bytes.len());
        let Some(trailing) = wire_length.checked_sub(length) else {
            return Err(Malformed::new(Layer::Stun, Kind::BadLength, 2));
        };
        let bytes = bytes.get(..length).unwrap_or(bytes);
        Ok(Self { bytes, kind: MessageType(kind), length, trailing, transaction })
    }

    /// Method and class.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        self.kind
    }

    /// Method and class by today's numbers. The drafts of TURN before RFC 5766, and MS-TURN that follows them, have Send
    /// requests, which nobody answers, at 0x0004 and Data indications at 0x0115.
    #[must_use]
    pub fn standard_type(&self) -> MessageType {
        let standard = match self.kind.0 {
            0x0004 => 0x0006,
            0x0104 => 0x0106,
            0x0114 => 0x0116,
            0x0115 => 0x0017,
            _ => return self.kind,
        };
        if self.is_classic() || self.is_ms_turn() { MessageType(standard) } else { self.kind }
    }

    /// Whether it is of MS-TURN, whose messages all begin with a cookie of their own.
    #[must_use]
    pub fn is_ms_turn(&self) -> bool {
        self.attributes().next().is_some_and(|attribute| attribute.kind == kind::MS_MAGIC_COOKIE)
    }

    /// The class.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.kind.class()
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> u16 {
        self.kind.method()
    }

    /// Bytes of the message, its header included, as its length field says.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The captured bytes of the message, header included.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether the capture has only the beginning of it.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.bytes.len() < self.length
    }

    /// Bytes that followed the message in its datagram. Over UDP there are none (RFC 8489 section 6.2.1).
    #[must_use]
    pub const fn trailing(&self) -> usize {
        self.trailing
    }

    /// Bytes 4 to 19, which requests and their answers have in common: the cookie and the 96-bit transaction id, or
    /// the 128-bit one of RFC 3489.
    #[must_use]
    pub const fn transaction(&self) -> u128 {
        self.transaction
    }

    /// Whether the cookie is missing, as RFC 3489 had none.
    #[must_use]
    pub const fn is_classic(&self) -> bool {
        (self.transaction >> 96) as u32 != MAGIC_COOKIE
    }

    /// The attributes in their order.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, self.length, self.transaction)
    }

    /// The first attribute of `kind`.
    #[must_use]
    pub fn attribute(&self, kind: u16) -> Option<Attribute<'a>> {
        self.attributes().find(|attribute| attribute.kind == kind)
    }

    /// What ends the attributes before the message ends, if anything does.
    #[must_use]
    pub fn fault(&self) -> Option<Malformed> {
        let mut attributes = self.attributes();
        attributes.by_ref().for_each(drop);
        attributes.fault()
    }

    /// Whether the FINGERPRINT is right (RFC 8489 section 14.7). `None` where there is none as the last attribute, or the capture cut the message.
    #[must_use]
    pub fn fingerprint(&self) -> Option<bool> {
        let attribute = self.attributes().last().filter(|attribute| attribute.kind == kind::FINGERPRINT)?;
        let Ok(Value::Fingerprint(said)) = attribute.value() else { return None };
        Some(fingerprint(self.bytes.get(..attribute.offset)?) == said)
    }
}

/// The FINGERPRINT of a message (RFC 8489 section 14.7): the CRC-32 of everything before it, whose header counts it
/// already, XOR 0x5354554e.
#[must_use]
pub fn fingerprint(before: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(before);
    crc.sum() ^ 0x5354_554e
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        vectors::{LONG_TERM, REQUEST, RESPONSE_V4, RESPONSE_V6},
        *,
    };

    fn value(message: &[u8], kind: u16) -> Value<'_> {
        Message::parse(message).unwrap().attribute(kind).unwrap().value().unwrap()
    }

    #[test]
    fn rfc_5769_request() {
        let message = Message::parse(REQUEST).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Request, method::BINDING));
        assert_eq!((message.length(), message.trailing(), message.is_classic()), (108, 0, false));
        assert_eq!(message.transaction(), 0x2112_a442_b7e7_a701_bc34_d686_fa87_dfae);
        assert_eq!(value(REQUEST, kind::SOFTWARE), Value::Text("STUN test client"));
        assert_eq!(value(REQUEST, kind::USERNAME), Value::Text("evtj:h6vY"));
        assert_eq!(value(REQUEST, kind::PRIORITY), Value::Number(0x6e00_01ff));
        assert_eq!(value(REQUEST, kind::ICE_CONTROLLED), Value::TieBreaker(0x932f_f9b1_5126_3b36));
        assert_eq!(message.fingerprint(), Some(true));
        assert_eq!(message.fault(), None);
        let places: Vec<_> = message.attributes().map(|attribute| (attribute.kind, attribute.offset)).collect();
        assert_eq!(places, [(0x8022, 20), (0x0024, 40), (0x8029, 48), (0x0006, 60), (0x0008, 76), (0x8028, 100)]);
    }

    #[test]
    fn rfc_5769_responses() {
        let mapped = "192.0.2.1:32853".parse::<std::net::SocketAddr>().unwrap().into();
        assert_eq!(value(RESPONSE_V4, kind::XOR_MAPPED_ADDRESS), Value::Address(mapped));
        let mapped = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse::<std::net::SocketAddr>().unwrap().into();
        assert_eq!(value(RESPONSE_V6, kind::XOR_MAPPED_ADDRESS), Value::Address(mapped));
        for response in [RESPONSE_V4, RESPONSE_V6] {
            let message = Message::parse(response).unwrap();
            assert_eq!((message.class(), message.fingerprint()), (Class::Success, Some(true)));
            assert_eq!(value(response, kind::SOFTWARE), Value::Text("test vector"));
        }
    }

    #[test]
    fn rfc_5769_long_term() {
        assert_eq!(value(LONG_TERM, kind::USERNAME), Value::Text("\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}"));
        assert_eq!(value(LONG_TERM, kind::NONCE), Value::Text("f//499k954d6OL34oL9FSTvy64sA"));
        assert_eq!(value(LONG_TERM, kind::REALM), Value::Text("example.org"));
        assert_eq!(Message::parse(LONG_TERM).unwrap().fingerprint(), None);
    }

    #[test]
    fn changed_byte_breaks_the_fingerprint() {
        let mut bytes = REQUEST.to_vec();
        bytes[27] = 23;
        assert_eq!(Message::parse(&bytes).unwrap().fingerprint(), Some(false));
    }

    #[test]
    fn attributes_beyond_calls() {
        let transaction = b"\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86";
        let said = |kind: u16, value: &[u8]| {
            let attribute = [
                &kind.to_be_bytes()[..],
                &(value.len() as u16).to_be_bytes(),
                value,
                &[0; 3][..value.len().wrapping_neg() % 4],
            ];
            let attribute = attribute.concat();
            let mut bytes = [&[1, 3, 0, attribute.len() as u8][..], transaction, &[0; 4]].concat();
            bytes.extend(attribute);
            format!("{:?}", Message::parse(&bytes).unwrap().attributes().next().unwrap().value())
        };
        // RFC 8656 section 18.12 and 18.13, RFC 7982, RFC 8489 section 14.11, RFC 7635 section 6.1.
        assert_eq!(
            said(kind::ADDRESS_ERROR_CODE, &[2, 0, 4, 40]),
            "Ok(AddressError { family: 2, code: 440, reason: \"\" })"
        );
        // Destination unreachable (3), port unreachable (3).
        assert_eq!(said(kind::ICMP, &[0, 0, 0x06, 0x03, 0, 0, 0, 0]), "Ok(Icmp { kind: 3, code: 3, data: 0 })");
        let counter = said(kind::TRANSACTION_TRANSMIT_COUNTER, &[0, 0, 3, 1]);
        assert_eq!(counter, "Ok(Transmissions { requests: 3, responses: 1 })");
        assert_eq!(said(kind::THIRD_PARTY_AUTHORIZATION, b"auth.example"), "Ok(Text(\"auth.example\"))");
        assert!(said(kind::GOOG_LAST_ICE_CHECK_RECEIVED, &[7; 12]).starts_with("Ok(Opaque([7, 7, 7, 7, 7, 7, 7, 7, 7"));
        let bytes = [&[1, 3, 0, 12][..], transaction, &[0; 4], b"\x80\x02\0\x08\0\x02\0\0\0\x01\0\0"].concat();
        let Value::Algorithms(algorithms) = value(&bytes, kind::PASSWORD_ALGORITHMS) else { panic!("a list") };
        assert_eq!(algorithms.collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn a_method_that_nobody_assigned() {
        // What WhatsApp sends between its relays' answers: type 0x0801, no attributes.
        let bare = [&b"\x08\x01\0\0\x21\x12\xa4\x42"[..], &[5; 12]].concat();
        assert_eq!(Message::parse_unassigned(&bare, 20).unwrap().method(), 0x201);
        assert!(Message::parse_unassigned(&[&bare[..], &[0]].concat(), 21).is_err());
        let wrong = [&b"\x08\x01\0\x04\x21\x12\xa4\x42"[..], &[5; 12], b"\0\x01\0\x09"].concat();
        assert!(Message::parse_unassigned(&wrong, 24).is_err());
        assert!(Message::parse_unassigned(&[8; 20], 20).is_err());
    }

    #[test]
    fn a_value_of_the_wrong_form() {
        let family = b"\x01\x01\0\x0c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
            \0\x20\0\x08\0\x03\xa1\x47\xe1\x12\xa6\x43";
        let message = Message::parse(family).unwrap();
        let value = message.attribute(kind::XOR_MAPPED_ADDRESS).unwrap().value();
        assert_eq!((message.fault(), value.map_err(|fault| fault.kind)), (None, Err(Kind::BadValue)));
    }

    #[test]
    fn message_types() {
        // RFC 8489 figure 3 and section 5: Binding 0x0001, 0x0011, 0x0101, 0x0111; libwebrtc's GOOG-PING.
        let read = |kind| (MessageType(kind).method(), MessageType(kind).class());
        assert_eq!(read(0x0011), (1, Class::Indication));
        assert_eq!(read(0x0111), (1, Class::Error));
        assert_eq!(read(0x0113), (method::ALLOCATE, Class::Error));
        assert_eq!(read(0x0017), (method::DATA, Class::Indication));
        assert_eq!(read(0x0200), (method::GOOG_PING, Class::Request));
        assert_eq!(read(0x0300), (method::GOOG_PING, Class::Success));
        assert_eq!(read(0x0310), (method::GOOG_PING, Class::Error));
        assert_eq!(read(0x3eef), (0xfff, Class::Request));
    }

    #[test]
    fn lies_are_faults() {
        let fault = |bytes: &[u8]| Message::parse(bytes).unwrap().fault().map(|fault| (fault.kind, fault.offset));
        // An attribute of 0xffff bytes, as in the seeds named stun-attribute-length-ffff.
        let mut bytes = REQUEST.to_vec();
        bytes[42..44].fill(0xff);
        assert_eq!(fault(&bytes), Some((Kind::BadLength, 40)));
        assert_eq!(Message::parse(&bytes).unwrap().attributes().count(), 1);
        // Cut by the snap length in the third attribute.
        let cut = Message::parse_captured(&REQUEST[..54], 108).unwrap();
        // The cut one is given, its value is not.
        assert_eq!(cut.attributes().count(), 3);
        assert_eq!(cut.attributes().last().unwrap().value().unwrap_err().kind, Kind::Snapped);
        assert_eq!(cut.fault().map(|fault| fault.kind), Some(Kind::Snapped));
        assert_eq!(cut.fingerprint(), None);
        // A length beyond the datagram, a missing cookie.
        assert_eq!(Message::parse(&REQUEST[..107]).unwrap_err().kind, Kind::BadLength);
        let mut bytes = REQUEST.to_vec();
        bytes[4] = 0;
        assert_eq!(Message::parse(&bytes).unwrap_err(), Malformed::new(Layer::Stun, Kind::BadValue, 4));
        // Bytes after the message.
        assert_eq!(Message::parse(&[REQUEST, &[0; 3]].concat()).unwrap().trailing(), 3);
    }

    #[test]
    fn attributes_without_padding() {
        // MS-TURN: SOFTWARE of nine bytes, LIFETIME right behind it.
        let mut bytes = vec![1, 3, 0, 21, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([7; 12]);
        bytes.extend(b"\x80\x22\x00\x092.0.1.211\x00\x0d\x00\x04\x00\x00\x00\x3c");
        assert_eq!(Message::parse(&bytes).unwrap().fault(), None);
        assert_eq!(value(&bytes, kind::SOFTWARE), Value::Text("2.0.1.211"));
        assert_eq!(value(&bytes, kind::LIFETIME), Value::Number(60));
    }

    #[test]
    fn values_of_the_wrong_size_are_faults() {
        let mut bytes = REQUEST.to_vec();
        // PRIORITY of two bytes (the padding takes the other two).
        bytes[43] = 2;
        let message = Message::parse(&bytes).unwrap();
        let fault = message.attribute(kind::PRIORITY).unwrap().value().unwrap_err();
        assert_eq!((fault.kind, fault.offset), (Kind::TooShort, 44));
        assert_eq!(message.fault(), None);
    }

    #[test]
    fn classic_by_structure() {
        // A request of RFC 3489 with CHANGE-REQUEST, and the like with a tail or an unknown type.
        let mut bytes = vec![0, 1, 0, 8];
        bytes.extend([0x5a; 16]);
        bytes.extend([0, 3, 0, 4, 0, 0, 0, 6]);
        let message = Message::parse_classic(&bytes).unwrap();
        assert!(message.is_classic());
        let change = message.attribute(kind::CHANGE_REQUEST).unwrap().value();
        assert_eq!(change, Ok(Value::ChangeRequest { address: true, port: true }));
        assert!(Message::parse(&bytes).is_err());
        assert!(Message::parse_classic(&[&bytes[..], &[0]].concat()).is_err());
        let mut other = bytes.clone();
        other[1] = 0x0d;
        assert!(Message::parse_classic(&other).is_err());
        // An old TURN message: its attributes must be known ones.
        let mut allocate = bytes.clone();
        allocate[1] = 3;
        assert!(Message::parse_classic(&allocate).is_ok());
        allocate[20..22].fill(0x7f);
        assert!(Message::parse_classic(&allocate).is_err());
    }

    fn walk(bytes: &[u8], wire_length: usize) {
        for message in
            [Message::parse_captured(bytes, wire_length), Message::parse_classic(bytes)].into_iter().flatten()
        {
            for attribute in message.attributes() {
                assert!(attribute.offset + 4 + attribute.value.len() <= bytes.len());
                let _ = (attribute.name(), attribute.value());
            }
            let _ = (message.fault(), message.fingerprint());
        }
    }

    #[test]
    fn every_prefix() {
        for message in [REQUEST, RESPONSE_V4, RESPONSE_V6, LONG_TERM] {
            for length in 0..message.len() {
                walk(&message[..length], message.len());
                walk(&message[..length], length);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), wire_length in 0_usize..400) {
            walk(&bytes, wire_length);
        }

        #[test]
        fn any_attributes(attributes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = vec![0, 1];
            bytes.extend((attributes.len() as u16).to_be_bytes());
            bytes.extend(MAGIC_COOKIE.to_be_bytes());
            bytes.extend([9; 12]);
            bytes.extend(&attributes);
            walk(&bytes, bytes.len());
        }
    }

    #[test]
    fn attributes_of_later_documents() {
        // As sections 18.12 and 18.13 of RFC 8656, 14.11 of RFC 8489 and 3.1 of RFC 7982 draw them.
        const MESSAGE: &[u8] = b"\x01\x03\x00\x44\x21\x12\xa4\x42twelve bytes\
            \x80\x01\x00\x0f\x02\x00\x04\x28unsupported\x00\
            \x80\x04\x00\x08\x00\x00\x06\x04\x00\x00\x05\x00\
            \x80\x02\x00\x08\x00\x02\x00\x00\x00\x01\x00\x00\
            \x80\x25\x00\x04\x00\x00\x03\x01\
            \xc0\x58\x00\x0clast check!!";
        let address = Value::AddressError { family: 2, code: 440, reason: "unsupported" };
        assert_eq!(value(MESSAGE, kind::ADDRESS_ERROR_CODE), address);
        assert_eq!(value(MESSAGE, kind::ICMP), Value::Icmp { kind: 3, code: 4, data: 1280 });
        let Value::Algorithms(numbers) = value(MESSAGE, kind::PASSWORD_ALGORITHMS) else { panic!("no algorithms") };
        assert_eq!(numbers.collect::<Vec<_>>(), [2, 1]);
        let sent = Value::Transmissions { requests: 3, responses: 1 };
        assert_eq!(value(MESSAGE, kind::TRANSACTION_TRANSMIT_COUNTER), sent);
        // libwebrtc's is the transaction id of the last check, not a number.
        assert_eq!(value(MESSAGE, kind::GOOG_LAST_ICE_CHECK_RECEIVED), Value::Opaque(b"last check!!"));
    }

    #[test]
    fn ms_turn_has_the_numbers_of_the_drafts() {
        let kinds = |first: [u8; 2], cookie: [u8; 4], attribute: [u8; 2]| {
            let mut bytes = [&first[..], b"\x00\x08", &cookie, b"twelve bytes", &attribute, b"\x00\x04"].concat();
            bytes.extend([0x72, 0xc6, 0x4b, 0xc6]);
            let message = Message::parse(&bytes).or_else(|_| Message::parse_classic(&bytes)).unwrap();
            message.standard_type()
        };
        let (cookie, none) = ([0x21, 0x12, 0xa4, 0x42], [1, 2, 3, 4]);
        assert_eq!(kinds([0, 4], cookie, [0, 15]), MessageType(0x0006), "a Send request");
        assert_eq!(kinds([0, 4], cookie, [0x80, 0x22]), MessageType(0x0004), "a Refresh request");
        assert_eq!(kinds([1, 0x15], none, [0, 15]), MessageType(0x0017), "a Data indication");
        assert_eq!(kinds([0, 1], none, [0, 15]), MessageType(0x0001));
    }
}
