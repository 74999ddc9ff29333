//! Attributes that `stun_codec` has not, or reads wrong. Each keeps its bytes as they are, so that a message can be written again bit
//! by bit, and reads them where asked.

use std::{
    marker::PhantomData,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use bytecodec::{
    ByteCount, Decode, Encode, Eos, Result, SizedEncode, TryTaggedDecode,
    bytes::{BytesEncoder, RemainingBytesDecoder},
};
use stun_codec::AttributeType;

use crate::wire::stun::kind;

/// An attribute made of its bytes.
pub trait Extension: Clone {
    /// Its type.
    const CODEPOINT: u16;

    /// Takes the bytes of the value.
    fn from_bytes(value: Vec<u8>) -> Self;

    /// Gives them back.
    fn into_bytes(self) -> Vec<u8>;
}

macro_rules! extensions {
    ($($(#[$doc:meta])+ $name:ident = $kind:ident;)+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Debug, PartialEq, Eq, Hash)]
            pub struct $name(Vec<u8>);

            impl $name {
                /// Its type.
                pub const CODEPOINT: u16 = kind::$kind;

                /// An attribute of these bytes.
                #[must_use]
                pub const fn new(value: Vec<u8>) -> Self {
                    Self(value)
                }

                /// The bytes of its value.
                #[must_use]
                pub fn value(&self) -> &[u8] {
                    &self.0
                }
            }

            impl Extension for $name {
                const CODEPOINT: u16 = Self::CODEPOINT;

                fn from_bytes(value: Vec<u8>) -> Self {
                    Self(value)
                }

                fn into_bytes(self) -> Vec<u8> {
                    self.0
                }
            }

            impl stun_codec::Attribute for $name {
                type Decoder = ExtensionDecoder<Self>;
                type Encoder = ExtensionEncoder<Self>;

                fn get_type(&self) -> AttributeType {
                    AttributeType::new(Self::CODEPOINT)
                }
            }
        )+
    };
}

extensions! {
    /// CHANGE-REQUEST (RFC 5780 section 7.2). That of `stun_codec` 0.4 writes the right bits and reads the wrong ones.
    ChangeRequest = CHANGE_REQUEST;
    /// SOURCE-ADDRESS of RFC 3489: what RFC 5780 calls RESPONSE-ORIGIN.
    SourceAddress = SOURCE_ADDRESS;
    /// CHANGED-ADDRESS of RFC 3489: what RFC 5780 calls OTHER-ADDRESS.
    ChangedAddress = CHANGED_ADDRESS;
    /// PADDING (RFC 5780 section 7.6).
    Padding = PADDING;
    /// RESPONSE-PORT (RFC 5780 section 7.5).
    ResponsePort = RESPONSE_PORT;
    /// MESSAGE-INTEGRITY-SHA256 (RFC 8489 section 14.6): 16 to 32 bytes of an HMAC.
    MessageIntegritySha256 = MESSAGE_INTEGRITY_SHA256;
    /// PASSWORD-ALGORITHM (RFC 8489 section 14.12).
    PasswordAlgorithm = PASSWORD_ALGORITHM;
    /// PASSWORD-ALGORITHMS (RFC 8489 section 14.11).
    PasswordAlgorithms = PASSWORD_ALGORITHMS;
    /// USERHASH (RFC 8489 section 14.4).
    Userhash = USERHASH;
    /// libwebrtc's NOMINATION, a counter; IANA's ENF-FLOW-DESCRIPTION where it is not four bytes long.
    Nomination = NOMINATION;
    /// GOOG-NETWORK-INFO: the sender's network and what it costs.
    GoogNetworkInfo = GOOG_NETWORK_INFO;
    /// GOOG-LAST-ICE-CHECK-RECEIVED.
    GoogLastIceCheckReceived = GOOG_LAST_ICE_CHECK_RECEIVED;
    /// GOOG-MISC-INFO: what the sender can do, in 16-bit words.
    GoogMiscInfo = GOOG_MISC_INFO;
    /// GOOG-DELTA.
    GoogDelta = GOOG_DELTA;
    /// GOOG-DELTA-ACK.
    GoogDeltaAck = GOOG_DELTA_ACK;
    /// GOOG-MESSAGE-INTEGRITY-32: the first four bytes of an HMAC, for GOOG-PING.
    GoogMessageIntegrity32 = GOOG_MESSAGE_INTEGRITY_32;
    /// DTLS-IN-STUN: a DTLS datagram.
    DtlsInStun = DTLS_IN_STUN;
    /// DTLS-IN-STUN-ACKNOWLEDGEMENT.
    DtlsInStunAcknowledgement = DTLS_IN_STUN_ACKNOWLEDGEMENT;
    /// GOOG-RETRANSMIT-COUNT.
    RetransmitCount = RETRANSMIT_COUNT;
}

impl ChangeRequest {
    const ADDRESS: u32 = 4;
    const PORT: u32 = 2;

    /// Asks for an answer from the other address, the other port, or both.
    #[must_use]
    pub fn of(address: bool, port: bool) -> Self {
        let flags = (u32::from(address) * Self::ADDRESS) | (u32::from(port) * Self::PORT);
        Self(flags.to_be_bytes().to_vec())
    }

    /// Whether the answer is to come from the other address, and from the other port; `None` where the value is not
    /// four bytes long.
    #[must_use]
    pub fn flags(&self) -> Option<(bool, bool)> {
        let flags = u32::from_be_bytes(*self.0.as_array()?);
        Some((flags & Self::ADDRESS != 0, flags & Self::PORT != 0))
    }
}

impl ResponsePort {
    /// Asks for an answer to this port.
    #[must_use]
    pub fn of(port: u16) -> Self {
        Self(port.to_be_bytes().to_vec())
    }

    /// The port; `None` where the value is too short.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.first_chunk().map(|port| u16::from_be_bytes(*port))
    }
}

impl SourceAddress {
    /// The address; `None` where the value is none.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        plain_address(&self.0)
    }
}

impl ChangedAddress {
    /// The address; `None` where the value is none.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        plain_address(&self.0)
    }
}

impl Nomination {
    /// The counter; `None` where the attribute is another's.
    #[must_use]
    pub fn counter(&self) -> Option<u32> {
        Some(u32::from_be_bytes(*self.0.as_array()?))
    }
}

impl GoogNetworkInfo {
    /// Network id and cost (0 least, 999 most).
    #[must_use]
    pub fn network(&self) -> Option<(u16, u16)> {
        let [id, id_low, cost, cost_low] = *self.0.as_array()?;
        Some((u16::from_be_bytes([id, id_low]), u16::from_be_bytes([cost, cost_low])))
    }
}

/// An address as MAPPED-ADDRESS writes it (RFC 8489 section 14.1).
fn plain_address(value: &[u8]) -> Option<SocketAddr> {
    let ([_, family, high, low], address) = value.split_first_chunk()?;
    let address = match family {
        1 => IpAddr::V4(Ipv4Addr::from(*address.as_array::<4>()?)),
        2 => IpAddr::V6(Ipv6Addr::from(*address.as_array::<16>()?)),
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_be_bytes([*high, *low])))
}

/// Takes the bytes of a value as they are.
#[derive(Debug)]
pub struct ExtensionDecoder<A> {
    value: RemainingBytesDecoder,
    made: PhantomData<A>,
}

impl<A> Default for ExtensionDecoder<A> {
    fn default() -> Self {
        Self { value: RemainingBytesDecoder::default(), made: PhantomData }
    }
}

impl<A: Extension> Decode for ExtensionDecoder<A> {
    type Item = A;

    fn decode(&mut self, buf: &[u8], eos: Eos) -> Result<usize> {
        self.value.decode(buf, eos)
    }

    fn finish_decoding(&mut self) -> Result<A> {
        self.value.finish_decoding().map(A::from_bytes)
    }

    fn requiring_bytes(&self) -> ByteCount {
        self.value.requiring_bytes()
    }

    fn is_idle(&self) -> bool {
        self.value.is_idle()
    }
}

impl<A: Extension> TryTaggedDecode for ExtensionDecoder<A> {
    type Tag = AttributeType;

    fn try_start_decoding(&mut self, tag: AttributeType) -> Result<bool> {
        Ok(tag.as_u16() == A::CODEPOINT)
    }
}

/// Writes the bytes of a value as they are.
#[derive(Debug)]
pub struct ExtensionEncoder<A> {
    value: BytesEncoder,
    made: PhantomData<A>,
}

impl<A> Default for ExtensionEncoder<A> {
    fn default() -> Self {
        Self { value: BytesEncoder::default(), made: PhantomData }
    }
}

impl<A: Extension> Encode for ExtensionEncoder<A> {
    type Item = A;

    fn encode(&mut self, buf: &mut [u8], eos: Eos) -> Result<usize> {
        self.value.encode(buf, eos)
    }

    fn start_encoding(&mut self, item: A) -> Result<()> {
        self.value.start_encoding(item.into_bytes())
    }

    fn requiring_bytes(&self) -> ByteCount {
        self.value.requiring_bytes()
    }

    fn is_idle(&self) -> bool {
        self.value.is_idle()
    }
}

impl<A: Extension> SizedEncode for ExtensionEncoder<A> {
    fn exact_requiring_bytes(&self) -> u64 {
        self.value.exact_requiring_bytes()
    }
}
