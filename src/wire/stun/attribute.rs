//! Attributes: their numbers, names and values (RFC 8489 section 14, RFC 8656 section 18, and what is in the field).

use super::{HEADER_LENGTH, MAGIC_COOKIE};
use crate::wire::{Endpoint, Entries, Kind, Layer, Malformed, Reader};

macro_rules! attributes {
    ($($constant:ident = $number:literal, $name:literal;)+) => {
        /// The attribute types of the IANA registry "STUN Attributes", of RFC 3489, of libwebrtc and of MS-TURN.
        pub mod kind {
            $(#[doc = concat!("`", $name, "`.")] pub const $constant: u16 = $number;)+
        }

        /// The name of an attribute type; `None` where no registry or implementation gives one.
        #[must_use]
        pub const fn attribute_name(kind: u16) -> Option<&'static str> {
            match kind {
                $($number => Some($name),)+
                _ => None,
            }
        }
    };
}

attributes! {
    MAPPED_ADDRESS = 0x0001, "MAPPED-ADDRESS";
    RESPONSE_ADDRESS = 0x0002, "RESPONSE-ADDRESS";
    CHANGE_REQUEST = 0x0003, "CHANGE-REQUEST";
    SOURCE_ADDRESS = 0x0004, "SOURCE-ADDRESS";
    CHANGED_ADDRESS = 0x0005, "CHANGED-ADDRESS";
    USERNAME = 0x0006, "USERNAME";
    PASSWORD = 0x0007, "PASSWORD";
    MESSAGE_INTEGRITY = 0x0008, "MESSAGE-INTEGRITY";
    ERROR_CODE = 0x0009, "ERROR-CODE";
    UNKNOWN_ATTRIBUTES = 0x000a, "UNKNOWN-ATTRIBUTES";
    REFLECTED_FROM = 0x000b, "REFLECTED-FROM";
    CHANNEL_NUMBER = 0x000c, "CHANNEL-NUMBER";
    LIFETIME = 0x000d, "LIFETIME";
    MS_MAGIC_COOKIE = 0x000f, "MS-MAGIC-COOKIE";
    BANDWIDTH = 0x0010, "BANDWIDTH";
    DESTINATION_ADDRESS = 0x0011, "DESTINATION-ADDRESS";
    XOR_PEER_ADDRESS = 0x0012, "XOR-PEER-ADDRESS";
    DATA = 0x0013, "DATA";
    REALM = 0x0014, "REALM";
    NONCE = 0x0015, "NONCE";
    XOR_RELAYED_ADDRESS = 0x0016, "XOR-RELAYED-ADDRESS";
    REQUESTED_ADDRESS_FAMILY = 0x0017, "REQUESTED-ADDRESS-FAMILY";
    EVEN_PORT = 0x0018, "EVEN-PORT";
    REQUESTED_TRANSPORT = 0x0019, "REQUESTED-TRANSPORT";
    DONT_FRAGMENT = 0x001a, "DONT-FRAGMENT";
    ACCESS_TOKEN = 0x001b, "ACCESS-TOKEN";
    MESSAGE_INTEGRITY_SHA256 = 0x001c, "MESSAGE-INTEGRITY-SHA256";
    PASSWORD_ALGORITHM = 0x001d, "PASSWORD-ALGORITHM";
    USERHASH = 0x001e, "USERHASH";
    XOR_MAPPED_ADDRESS = 0x0020, "XOR-MAPPED-ADDRESS";
    RESERVATION_TOKEN = 0x0022, "RESERVATION-TOKEN";
    PRIORITY = 0x0024, "PRIORITY";
    USE_CANDIDATE = 0x0025, "USE-CANDIDATE";
    PADDING = 0x0026, "PADDING";
    RESPONSE_PORT = 0x0027, "RESPONSE-PORT";
    CONNECTION_ID = 0x002a, "CONNECTION-ID";
    ADDITIONAL_ADDRESS_FAMILY = 0x8000, "ADDITIONAL-ADDRESS-FAMILY";
    ADDRESS_ERROR_CODE = 0x8001, "ADDRESS-ERROR-CODE";
    PASSWORD_ALGORITHMS = 0x8002, "PASSWORD-ALGORITHMS";
    ALTERNATE_DOMAIN = 0x8003, "ALTERNATE-DOMAIN";
    ICMP = 0x8004, "ICMP";
    MS_VERSION = 0x8008, "MS-VERSION";
    MS_XOR_MAPPED_ADDRESS = 0x8020, "MS-XOR-MAPPED-ADDRESS";
    SOFTWARE = 0x8022, "SOFTWARE";
    ALTERNATE_SERVER = 0x8023, "ALTERNATE-SERVER";
    TRANSACTION_TRANSMIT_COUNTER = 0x8025, "TRANSACTION_TRANSMIT_COUNTER";
    CACHE_TIMEOUT = 0x8027, "CACHE-TIMEOUT";
    FINGERPRINT = 0x8028, "FINGERPRINT";
    ICE_CONTROLLED = 0x8029, "ICE-CONTROLLED";
    ICE_CONTROLLING = 0x802a, "ICE-CONTROLLING";
    RESPONSE_ORIGIN = 0x802b, "RESPONSE-ORIGIN";
    OTHER_ADDRESS = 0x802c, "OTHER-ADDRESS";
    ECN_CHECK = 0x802d, "ECN-CHECK STUN";
    THIRD_PARTY_AUTHORIZATION = 0x802e, "THIRD-PARTY-AUTHORIZATION";
    MOBILITY_TICKET = 0x8030, "MOBILITY-TICKET";
    MS_ALTERNATE_HOST_NAME = 0x8032, "MS-ALTERNATE-HOST-NAME";
    MS_APP_ID = 0x8037, "MS-APP-ID";
    MS_SECURE_TAG = 0x8039, "MS-SECURE-TAG";
    MS_SEQUENCE_NUMBER = 0x8050, "MS-SEQUENCE-NUMBER";
    MS_CANDIDATE_IDENTIFIER = 0x8054, "MS-CANDIDATE-IDENTIFIER";
    MS_SERVICE_QUALITY = 0x8055, "MS-SERVICE-QUALITY";
    MS_IMPLEMENTATION_VERSION = 0x8070, "MS-IMPLEMENTATION-VERSION";
    MS_ALTERNATE_MAPPED_ADDRESS = 0x8090, "MS-ALTERNATE-MAPPED-ADDRESS";
    MS_MULTIPLEXED_TURN_SESSION_ID = 0x8095, "MS-MULTIPLEXED-TURN-SESSION-ID";
    CISCO_STUN_FLOWDATA = 0xc000, "CISCO-STUN-FLOWDATA";
    NOMINATION = 0xc001, "NOMINATION";
    GOOG_NETWORK_INFO = 0xc057, "GOOG-NETWORK-INFO";
    GOOG_LAST_ICE_CHECK_RECEIVED = 0xc058, "GOOG-LAST-ICE-CHECK-RECEIVED";
    GOOG_MISC_INFO = 0xc059, "GOOG-MISC-INFO";
    GOOG_CONNECTION_ID = 0xc05b, "GOOG-CONNECTION-ID";
    GOOG_DELTA = 0xc05c, "GOOG-DELTA";
    GOOG_DELTA_ACK = 0xc05d, "GOOG-DELTA-ACK";
    GOOG_DELTA_SYNC_REQ = 0xc05e, "GOOG-DELTA-SYNC-REQ";
    GOOG_MESSAGE_INTEGRITY_32 = 0xc060, "GOOG-MESSAGE-INTEGRITY-32";
    DTLS_IN_STUN = 0xc070, "DTLS-IN-STUN";
    DTLS_IN_STUN_ACKNOWLEDGEMENT = 0xc071, "DTLS-IN-STUN-ACKNOWLEDGEMENT";
    RETRANSMIT_COUNT = 0xff00, "GOOG-RETRANSMIT-COUNT";
    MULTI_MAPPING = 0xff04, "MULTI-MAPPING";
    LOGGING_ID = 0xff05, "LOGGING-ID";
}

/// One attribute: type, value and place.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// The attribute type.
    pub kind: u16,
    /// Bytes of the value, without padding, by the attribute's length; more than `value` has where the capture cut it.
    pub length: usize,
    /// The captured value.
    pub value: &'a [u8],
    /// Where the attribute (its type) starts: bytes from the start of the message. The value is four bytes further.
    pub offset: usize,
    /// The magic cookie and the transaction id, which mask addresses.
    transaction: u128,
}

/// What an attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A transport address, its mask taken off where the attribute has one (RFC 8489 sections 14.1 and 14.2).
    Address(Endpoint),
    /// Text (USERNAME, REALM, NONCE, SOFTWARE, ALTERNATE-DOMAIN).
    Text(&'a str),
    /// ERROR-CODE (RFC 8489 section 14.8): code, and as much of the reason as is UTF-8.
    Error {
        /// The code: class times 100 plus number.
        code: u16,
        /// The reason phrase.
        reason: &'a str,
    },
    /// ADDRESS-ERROR-CODE: why no address of a family was allocated (RFC 8656 section 18.12).
    AddressError {
        /// The family: 1 IPv4, 2 IPv6.
        family: u8,
        /// The code: class times 100 plus number.
        code: u16,
        /// The reason phrase.
        reason: &'a str,
    },
    /// ICMP: what the server's datagram to the peer came back with (RFC 8656 section 18.13).
    Icmp {
        /// The ICMP type, of the family that the peer's address has.
        kind: u8,
        /// The ICMP code.
        code: u16,
        /// Further data, as the MTU.
        data: u32,
    },
    /// TRANSACTION_TRANSMIT_COUNTER (RFC 7982 section 3.1).
    Transmissions {
        /// Transmissions of the request so far.
        requests: u8,
        /// Transmissions of the answer so far.
        responses: u8,
    },
    /// A number whose unit the attribute gives: PRIORITY, LIFETIME (seconds), NOMINATION ...
    Number(u32),
    /// CHANNEL-NUMBER (RFC 8656 section 18.1).
    Channel(u16),
    /// REQUESTED-TRANSPORT: an IP protocol number, 17 for UDP (RFC 8656 section 18.7).
    Transport(u8),
    /// An address family: 1 IPv4, 2 IPv6 (RFC 8656 section 18.6).
    Family(u8),
    /// The tie-breaker of ICE-CONTROLLED and ICE-CONTROLLING (RFC 8445 section 7.1.3).
    TieBreaker(u64),
    /// CHANGE-REQUEST (RFC 5780 section 7.2).
    ChangeRequest {
        /// Answer from the other address.
        address: bool,
        /// Answer from the other port.
        port: bool,
    },
    /// EVEN-PORT: whether the next port is to be reserved (RFC 8656 section 18.5).
    EvenPort(bool),
    /// PASSWORD-ALGORITHM: 1 MD5, 2 SHA-256 (RFC 8489 section 18.5).
    Algorithm(u16),
    /// PASSWORD-ALGORITHMS, best first (RFC 8489 section 14.11).
    Algorithms(Algorithms<'a>),
    /// An attribute whose presence says it all: USE-CANDIDATE, DONT-FRAGMENT.
    Flag,
    /// A datagram inside: DATA, DTLS-IN-STUN.
    Data(&'a [u8]),
    /// FINGERPRINT, as sent; [`super::Message::fingerprint`] checks it.
    Fingerprint(u32),
    /// GOOG-NETWORK-INFO of libwebrtc.
    Network {
        /// Which of the sender's networks.
        id: u16,
        /// What it costs: 0 least, 999 most.
        cost: u16,
    },
    /// UNKNOWN-ATTRIBUTES: the types that were not understood (RFC 8489 section 14.9).
    Unknown(Entries<'a, u16>),
    /// Bytes that mean something to their peers only, or to nobody we know.
    Opaque(&'a [u8]),
}

impl<'a> Attribute<'a> {
    /// The name of its type. IANA gives 0xc001 to ENF-FLOW-DESCRIPTION, libwebrtc uses it for its nomination counter;
    /// only the latter is four bytes long.
    #[must_use]
    pub const fn name(&self) -> Option<&'static str> {
        if self.kind == kind::NOMINATION && self.length != 4 {
            return Some("ENF-FLOW-DESCRIPTION");
        }
        if self.kind == kind::XOR_PEER_ADDRESS && self.is_classic() {
            return Some("REMOTE-ADDRESS");
        }
        attribute_name(self.kind)
    }

    /// Whether its message has no magic cookie.
    const fn is_classic(&self) -> bool {
        (self.transaction >> 96) as u32 != MAGIC_COOKIE
    }

    /// Its value, decoded.
    ///
    /// # Errors
    /// When the value has not the length or form that its type asks for, or the capture cut it. A cut datagram inside
    /// is no error: its own headers may be there.
    pub fn value(&self) -> Result<Value<'a>, Malformed> {
        if self.value.len() < self.length && !matches!(self.kind, kind::DATA | kind::DTLS_IN_STUN) {
            return Err(Malformed::new(Layer::Stun, Kind::Snapped, self.offset + 4 + self.value.len()));
        }
        let mut reader = Reader::new(Layer::Stun, self.value);
        self.decode(&mut reader).map_err(|fault| Malformed { offset: self.offset + 4 + fault.offset, ..fault })
    }

    fn decode(&self, reader: &mut Reader<'a>) -> Result<Value<'a>, Malformed> {
        let value = match self.kind {
            // As the drafts before the magic cookie had it, and MS-TURN has.
            kind::XOR_PEER_ADDRESS if self.is_classic() => Value::Address(address(reader, 0)?),
            kind::MS_XOR_MAPPED_ADDRESS => Value::Address(address(reader, self.transaction)?),
            kind::XOR_MAPPED_ADDRESS | kind::XOR_PEER_ADDRESS | kind::XOR_RELAYED_ADDRESS => {
                let mask = u128::from(MAGIC_COOKIE) << 96 | self.transaction & (u128::MAX >> 32);
                Value::Address(address(reader, mask)?)
            }
            kind::MAPPED_ADDRESS
            | kind::RESPONSE_ADDRESS
            | kind::SOURCE_ADDRESS
            | kind::CHANGED_ADDRESS
            | kind::REFLECTED_FROM
            | kind::DESTINATION_ADDRESS
            | kind::RESPONSE_ORIGIN
            | kind::OTHER_ADDRESS
            | kind::ALTERNATE_SERVER => Value::Address(address(reader, 0)?),
            kind::USERNAME
            | kind::REALM
            | kind::NONCE
            | kind::SOFTWARE
            | kind::ALTERNATE_DOMAIN
            | kind::THIRD_PARTY_AUTHORIZATION => {
                let bytes = reader.take_rest();
                // Usernames of other systems are binary (MS-TURN, WhatsApp): not text, and no fault of theirs.
                str::from_utf8(bytes).map_or(Value::Opaque(bytes), Value::Text)
            }
            kind::ERROR_CODE => {
                reader.skip(2)?;
                Value::Error { code: error_code(reader)?, reason: utf8_prefix(reader.take_rest()) }
            }
            kind::ADDRESS_ERROR_CODE => {
                let [family, _] = reader.array()?;
                Value::AddressError { family, code: error_code(reader)?, reason: utf8_prefix(reader.take_rest()) }
            }
            kind::ICMP => {
                reader.skip(2)?;
                // Seven bits of type and nine of code.
                let packed = reader.u16()?;
                Value::Icmp { kind: (packed >> 9) as u8, code: packed & 0x1ff, data: reader.u32()? }
            }
            kind::TRANSACTION_TRANSMIT_COUNTER => {
                reader.skip(2)?;
                let [requests, responses] = reader.array()?;
                Value::Transmissions { requests, responses }
            }
            kind::PRIORITY
            | kind::LIFETIME
            | kind::BANDWIDTH
            | kind::CACHE_TIMEOUT
            | kind::CONNECTION_ID
            | kind::RETRANSMIT_COUNT => Value::Number(reader.u32()?),
            kind::NOMINATION if self.value.len() == 4 => Value::Number(reader.u32()?),
            kind::RESPONSE_PORT => Value::Number(u32::from(reader.u16()?)),
            kind::CHANNEL_NUMBER => Value::Channel(reader.u16()?),
            kind::REQUESTED_TRANSPORT => Value::Transport(reader.u8()?),
            kind::REQUESTED_ADDRESS_FAMILY | kind::ADDITIONAL_ADDRESS_FAMILY => Value::Family(reader.u8()?),
            kind::ICE_CONTROLLED | kind::ICE_CONTROLLING => Value::TieBreaker(reader.u64()?),
            kind::CHANGE_REQUEST => {
                let flags = reader.u32()?;
                Value::ChangeRequest { address: flags & 4 != 0, port: flags & 2 != 0 }
            }
            kind::EVEN_PORT => Value::EvenPort(reader.u8()? & 0x80 != 0),
            kind::PASSWORD_ALGORITHM => Value::Algorithm(reader.u16()?),
            kind::PASSWORD_ALGORITHMS => Value::Algorithms(Algorithms(reader.take_rest())),
            kind::USE_CANDIDATE | kind::DONT_FRAGMENT => Value::Flag,
            kind::DATA | kind::DTLS_IN_STUN => Value::Data(reader.take_rest()),
            kind::FINGERPRINT => Value::Fingerprint(reader.u32()?),
            kind::GOOG_NETWORK_INFO => Value::Network { id: reader.u16()?, cost: reader.u16()? },
            kind::UNKNOWN_ATTRIBUTES => Value::Unknown(Entries::all(reader)),
            _ => Value::Opaque(reader.take_rest()),
        };
        Ok(value)
    }
}

/// A transport address under `mask` (RFC 8489 section 14.2), which is zero for the attributes without one.
fn address(reader: &mut Reader<'_>, mask: u128) -> Result<Endpoint, Malformed> {
    reader.skip(1)?;
    let family = reader.u8()?;
    let port = reader.u16()? ^ (mask >> 112) as u16;
    match family {
        1 => Ok(Endpoint::v4((reader.u32()? ^ (mask >> 96) as u32).to_be_bytes(), port)),
        2 => Ok(Endpoint::v6((u128::from_be_bytes(reader.array()?) ^ mask).to_be_bytes(), port)),
        _ => Err(Malformed::new(Layer::Stun, Kind::BadValue, 1)),
    }
}

/// The class and the number of an error code (RFC 8489 section 14.8).
fn error_code(reader: &mut Reader<'_>) -> Result<u16, Malformed> {
    let [class, number] = reader.array()?;
    Ok(u16::from(class & 7) * 100 + u16::from(number))
}

/// The numbers of password algorithms; it ends where a length lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithms<'a>(&'a [u8]);

impl Iterator for Algorithms<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let (&[high, low, long, short], rest) = self.0.split_first_chunk()?;
        let parameters = usize::from(u16::from_be_bytes([long, short])).next_multiple_of(4);
        self.0 = rest.get(parameters..).unwrap_or_default();
        Some(u16::from_be_bytes([high, low]))
    }
}

fn utf8_prefix(bytes: &[u8]) -> &str {
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// The attributes of a message, in their order. It ends at the end of the message or at the first length that lies;
/// [`Attributes::fault`] tells which once it has ended.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    reader: Reader<'a>,
    length: usize,
    transaction: u128,
    padded: bool,
    fault: Option<Malformed>,
}

impl<'a> Attributes<'a> {
    /// The attributes of a message. RFC 3489 and MS-TURN (Teams to this day) do not pad values to four bytes: where
    /// the lengths chain to the end only without padding, they are read without.
    pub(super) fn new(message: &'a [u8], length: usize, transaction: u128) -> Self {
        let mut reader = Reader::new(Layer::Stun, message);
        let fault = reader.skip(HEADER_LENGTH).err();
        let padded = Self { reader, length, transaction, padded: true, fault };
        let unpadded = Self { padded: false, ..padded };
        if padded.is_torn() && !unpadded.is_torn() { unpadded } else { padded }
    }

    /// Whether a length lies.
    fn is_torn(mut self) -> bool {
        self.by_ref().for_each(drop);
        self.fault.is_some_and(|fault| fault.kind == Kind::BadLength)
    }

    /// What ended the attributes before the message ended; `None` before that and at a good end.
    #[must_use]
    pub const fn fault(&self) -> Option<Malformed> {
        self.fault
    }

    fn read(&mut self) -> Result<Attribute<'a>, Malformed> {
        let offset = self.reader.offset();
        let kind = self.reader.u16()?;
        let length = usize::from(self.reader.u16()?);
        if offset + 4 + length > self.length {
            return Err(Malformed::new(Layer::Stun, Kind::BadLength, offset));
        }
        // Only a snapped message can have less than its length promises.
        let value = self.reader.take(length.min(self.reader.len()))?;
        // Padding to four bytes is not counted in the length; some senders leave it out at the end of a message.
        let padding = if self.padded { (4 - length % 4) % 4 } else { 0 };
        self.reader.skip(padding.min(self.reader.len()))?;
        Ok(Attribute { kind, length, value, offset, transaction: self.transaction })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let snapped = self.reader.offset() + self.reader.len() < self.length;
        if self.fault.is_some() || (self.reader.is_empty() && !snapped) {
            return None;
        }
        let offset = self.reader.offset();
        let attribute = self.read().map_err(|fault| match fault.kind {
            Kind::TooShort if snapped => Malformed::new(Layer::Stun, Kind::Snapped, offset),
            _ => Malformed::new(Layer::Stun, Kind::BadLength, offset),
        });
        self.fault = attribute.err();
        attribute.ok()
    }
}
